//! On this machine's own hierarchies, whatever kind they are of.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};

use nix::errno::Errno;
use nix::unistd::{Gid, Uid, geteuid, setgroups, setresgid, setresuid};
use supervise_init::sys;

use super::limits::Limit;
use super::place::Place;
use super::*;
use crate::sys::before_exec;

const PATIENCE: Duration = Duration::from_secs(60);

/// Says why, which continuous integration does not accept.
fn skip(why: &str) {
    assert!(std::env::var("CI").is_err(), "{why}");
    eprintln!("skipped: {why}");
}

fn is_root() -> bool {
    let root = geteuid().is_root();
    if !root {
        skip("only root may make cgroups here");
    }
    root
}

fn name(test: &str) -> String {
    format!("supervise-test-{}-{test}", std::process::id())
}

/// A group that a failed test does not leave behind.
struct Guarded(Option<Group>);

impl std::ops::Deref for Guarded {
    type Target = Group;

    fn deref(&self) -> &Group {
        self.0.as_ref().expect("it has not ended")
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if let Some(group) = self.0.take() {
            let _ = group.kill(PATIENCE);
            let _ = group.remove(PATIENCE);
        }
    }
}

/// A group with these limits, all of which hold.
fn group(test: &str, limits: Limits) -> Guarded {
    let (group, troubles) = Group::make(&Host::ours(), &name(test), &limits);
    let group = Guarded(Some(group));
    assert!(troubles.is_empty(), "{}", troubles[0]);
    assert!(group.directories().next().is_some());
    group
}

/// A program in the group, which waits for a line before it does anything.
fn start(group: &Group, script: &str) -> Child {
    let script = format!("import os, sys\nsys.stdin.readline()\n{script}");
    // Not a shim of a version manager, which would be a process more.
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("tests/setup installs python");
    group.enter(pid(&child)).expect("it is ours");
    child.stdin.take().expect("a pipe").write_all(b"go\n").expect("it reads");
    child
}

fn pid(child: &Child) -> Pid {
    Pid::new(child.id().cast_signed()).expect("a number above 0")
}

fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().expect("a pipe")).read_line(&mut line).expect("it writes");
    line.trim().to_owned()
}

/// Requires that nothing stays.
fn end(mut group: Guarded) {
    let directories: Vec<PathBuf> = group.directories().map(Path::to_owned).collect();
    group.0.take().expect("it has not ended").remove(PATIENCE).expect("nothing is in it");
    assert!(directories.iter().all(|directory| !directory.exists()), "{directories:?}");
}

#[test]
fn who_uses_up_the_memory_is_killed_and_counted() {
    if !is_root() {
        return;
    }
    let group = group("memory", Limits { memory: Some(48 << 20), ..Limits::default() });
    assert_eq!(group.oom_kills(), Some(0));
    let fits = start(&group, "a = b'x' * (16 << 20); print(len(a))").wait_with_output().expect("it ends");
    assert_eq!((fits.status.code(), fits.stdout), (Some(0), b"16777216\n".to_vec()));
    let bursts = start(&group, "a = b'x' * (128 << 20); print(len(a))").wait_with_output().expect("it ends");
    assert_eq!((bursts.status.signal(), bursts.stdout.len()), (Some(libc::SIGKILL), 0));
    assert_eq!(group.oom_kills(), Some(1));
    end(group);
}

#[test]
fn there_are_no_more_processes_than_the_limit() {
    if !is_root() {
        return;
    }
    let group = group("pids", Limits { pids: Some(5), ..Limits::default() });
    let script = "
import signal
children = 0
try:
    while True:
        if os.fork() == 0: signal.pause()
        children += 1
except BlockingIOError:
    print(children, flush=True)
signal.pause()";
    let mut bomb = start(&group, script);
    assert_eq!(first_line(&mut bomb), "4");
    // In a group of its own inside, as a container's init may make it.
    let inner = group.directories().next().expect("there is one").join("inner");
    fs::create_dir(&inner).expect("it is new");
    fs::write(inner.join("cgroup.procs"), bomb.id().to_string()).expect("it may move");
    group.kill(PATIENCE).expect("all of them end");
    assert_eq!(bomb.wait().expect("it is our child").signal(), Some(libc::SIGKILL));
    end(group);
}

#[test]
fn who_wants_more_of_the_processors_is_slowed_down() {
    if !is_root() {
        return;
    }
    let group = group("cpus", Limits { cpus: Some(100), ..Limits::default() });
    let mut busy = start(&group, "print('busy', flush=True)\nwhile True: pass");
    assert_eq!(first_line(&mut busy), "busy");
    let file = group.directories().next().expect("there is one").join("cpu.stat");
    let throttled = || {
        let text = fs::read_to_string(&file).expect("the kernel counts");
        text.lines().find_map(|line| line.strip_prefix("nr_throttled "))?.parse::<u64>().ok()
    };
    let deadline = std::time::Instant::now() + PATIENCE;
    while throttled() == Some(0) {
        assert!(std::time::Instant::now() < deadline, "never slowed down");
        let _ = nix::poll::poll(&mut [], nix::poll::PollTimeout::from(1_u8));
    }
    assert!(throttled().is_some());
    group.kill(PATIENCE).expect("it ends");
    busy.wait().expect("it is our child");
    end(group);
}

#[test]
fn a_group_in_use_stays_and_one_left_behind_is_replaced() {
    if !is_root() {
        return;
    }
    let limits = Limits { pids: Some(9), ..Limits::default() };
    let first = group("twice", limits);
    let mut child = start(&first, "import signal; signal.pause()");
    let (second, troubles) = Group::make(&Host::ours(), &name("twice"), &limits);
    assert!(matches!(&troubles[..], [NotEnforced { why: Why::InUse(_), .. }]), "{troubles:?}");
    assert!(second.directories().next().is_none());
    let left: Vec<PathBuf> = first.directories().map(Path::to_owned).collect();
    let error = Group::left_behind(left.clone()).remove(Duration::ZERO).expect_err("a process is in it");
    assert_eq!(error, Error::Remove(left[0].clone(), sys::Errno(libc::EBUSY)));
    Group::left_behind(left).kill(PATIENCE).expect("it ends");
    child.wait().expect("it is our child");
    // The same name again, without a removal in between.
    end(group("twice", limits));
    assert!(first.directories().all(|directory| !directory.exists()));
    end(first);
}

#[test]
fn who_is_gone_cannot_be_limited() {
    if !is_root() {
        return;
    }
    let group = group("gone", Limits { pids: Some(9), ..Limits::default() });
    let mut child = Command::new("true").spawn().expect("coreutils are there");
    let pid = pid(&child);
    child.wait().expect("it is our child");
    assert!(matches!(group.enter(pid), Err(Error::Enter(_, sys::Errno(libc::ESRCH)))));
    end(group);
}

#[test]
fn where_nothing_is_ours_each_limit_says_so() {
    if !is_root() {
        return;
    }
    let mut command = Command::new("true");
    before_exec(&mut command, || {
        setgroups(&[])?;
        setresgid(Gid::from_raw(65534), Gid::from_raw(65534), Gid::from_raw(65534))?;
        setresuid(Uid::from_raw(65534), Uid::from_raw(65534), Uid::from_raw(65534))?;
        let limits = Limits { memory: Some(1 << 30), cpus: Some(1000), pids: Some(9) };
        let (group, troubles) = Group::make(&Host::ours(), "supervise-test-nobody", &limits);
        let said = troubles.iter().all(|it| matches!(it.why, Why::NotOurs(_, sys::Errno(libc::EACCES))));
        if said && troubles.len() == 3 && group.parts.is_empty() { Ok(()) } else { Err(Errno::EXFULL) }
    });
    assert!(command.status().expect("that was said").success());
}

/// A v2 group that is not the root, with a controller to give on. Removed with what is in it.
struct Two {
    place: Place,
    controller: &'static str,
    given: bool,
}

impl Two {
    fn new(test: &str) -> Option<Two> {
        let place = Host::ours().directory(Version::Two, "")?;
        let has = place::words(&place.directory.join("cgroup.controllers"));
        let controller = ["hugetlb", "pids", "memory"].into_iter().find(|name| has.iter().any(|it| it == name))?;
        let control = place.directory.join("cgroup.subtree_control");
        let given = !place::words(&control).iter().any(|name| name == controller);
        fs::write(&control, format!("+{controller}")).ok()?;
        let directory = place.directory.join(name(test));
        fs::create_dir(&directory).ok()?;
        Some(Two { place: Place { directory, top: place.directory }, controller, given })
    }
}

impl Drop for Two {
    fn drop(&mut self) {
        let removed = ending::remove(&self.place.directory, PATIENCE);
        assert!(removed.is_ok() || std::thread::panicking(), "{removed:?}");
        if self.given {
            // Another test may have a group of its own by now, whose turn it is then.
            let _ = fs::write(self.place.top.join("cgroup.subtree_control"), format!("-{}", self.controller));
        }
    }
}

/// Both tests share the root's controllers.
static ROOT: std::sync::Mutex<()> = std::sync::Mutex::new(());

#[test]
fn in_v2_a_group_is_made_entered_killed_and_removed() {
    let _turn = ROOT.lock();
    let Some(two) = is_root().then(|| Two::new("v2")).flatten() else {
        return skip("no v2 hierarchy with a controller here");
    };
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("/proc is there");
    let inside = two.place.directory.strip_prefix(&two.place.top).expect("it is below");
    let host = Host { groups: format!("0::/{}\n", inside.display()), mounts };
    assert_eq!(host.home(two.controller), Some((Version::Two, two.place.clone())));
    let (one, files) = (Vec::new(), Vec::new());
    let wanted = Wanted { limit: Limit::Memory, controller: two.controller, one, two: files };
    let (group, troubles) = Group::make_for(&host, "inner", vec![wanted]);
    let group = Guarded(Some(group));
    assert!(troubles.is_empty(), "{}", troubles[0]);
    // The group has no processes, so that it may give its controllers on at once.
    assert_eq!(group.moved, None);
    let inner = two.place.directory.join("inner");
    assert!(inner.join("cgroup.events").exists());
    let mut child = start(&group, "import signal\nif os.fork(): print('ready', flush=True)\nsignal.pause()");
    assert_eq!(first_line(&mut child), "ready");
    let seen = fs::read_to_string(format!("/proc/{}/cgroup", child.id())).expect("it runs");
    assert!(seen.lines().any(|line| line == format!("0::/{}/inner", inside.display())), "{seen}");
    group.kill(PATIENCE).expect("both end");
    assert_eq!(child.wait().expect("it is our child").signal(), Some(libc::SIGKILL));
    assert!(fs::read_to_string(inner.join("cgroup.events")).expect("it is there").contains("populated 0"));
    end(group);
}

#[test]
fn in_v2_we_make_room_in_our_own_group_and_go_back() {
    let _turn = ROOT.lock();
    let Some(two) = is_root().then(|| Two::new("room")).flatten() else {
        return skip("no v2 hierarchy with a controller here");
    };
    let (place, controller) = (two.place.clone(), two.controller);
    let mut command = Command::new("cat");
    before_exec(command.arg("/proc/self/cgroup"), move || {
        let fail = |at: i32| move |_| Errno::from_raw(at);
        fs::write(place.directory.join("cgroup.procs"), "0").map_err(fail(libc::E2BIG))?;
        let (parent, moved) = two::parent(&place, &[controller]).map_err(|_| Errno::EXFULL)?;
        let (true, Some(moved)) = (parent == place.directory, moved) else { return Err(Errno::EDOM) };
        let inner = parent.join("inner");
        fs::create_dir(&inner).map_err(fail(libc::ENOTEMPTY))?;
        // With a neighbour that has limits nothing is taken back; without one all is.
        moved.clone().back();
        if place::words(&parent.join("cgroup.subtree_control")) != [controller] {
            return Err(Errno::ESTALE);
        }
        fs::remove_dir(&inner).map_err(fail(libc::EBUSY))?;
        moved.back();
        if place::words(&parent.join("cgroup.subtree_control")).is_empty() { Ok(()) } else { Err(Errno::ETIME) }
    });
    let output = command.output().expect("each step is done");
    let text = String::from_utf8(output.stdout).expect("it is text");
    assert!(text.contains(&format!("/{}\n", name("room"))), "{text}");
}

#[test]
fn in_v2_others_in_our_group_keep_it_from_giving_controllers() {
    let _turn = ROOT.lock();
    let Some(two) = is_root().then(|| Two::new("full")).flatten() else {
        return skip("no v2 hierarchy with a controller here");
    };
    let whole = Guarded(Some(Group::left_behind([two.place.directory.clone()])));
    let mut other = start(&whole, "import signal; signal.pause()");
    // The root gives its controllers, so the group can stand beside ours; not where ours is all that we see.
    let around = two::parent(&two.place, &[two.controller]);
    assert_eq!(around, Ok((two.place.top.clone(), None)));
    let alone = Place { directory: two.place.directory.clone(), top: two.place.directory.clone() };
    assert_eq!(two::parent(&alone, &[two.controller]), Err(Why::Occupied(two.place.directory.clone())));
    whole.kill(PATIENCE).expect("it ends");
    other.wait().expect("it is our child");
    end(whole);
}
