//! Why a stop is slow, said of processes that the kernel holds: stopped, traced, in a call that no signal interrupts,
//! PID 1 of a namespace.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use harness::launch::{EVERYWHERE, Place};
use harness::running::strace;
use harness::slow::{Slow, killed, python, says, warnings};
use harness::{Exit, Scene, proc, send, skip};
use libc::{SIGCONT, SIGKILL, SIGTERM};

#[test]
fn what_is_stopped_is_to_be_continued() {
    let scene = Scene::new();
    // It stops when it was told: what was stopped before is continued by us. Where there is a terminal, its stop would
    // be a shell's affair.
    let verbs = "block TERM, ready, await TERM, raise STOP 1, say on, exit 3";
    let slow = EVERYWHERE.map(|place| {
        let slow = Slow::start(&scene, place, scene.supervise().behind(&["setsid"]).probe(verbs));
        slow.stop();
        slow
    });
    for mut slow in slow {
        let inner = proc::inner_pid(slow.main).expect("it lives");
        let cure = format!("continue it (kill -CONT {inner})");
        slow.explains(&["is stopped and cannot act on SIGTERM: ", &cure]);
        send(slow.main, SIGCONT, 1);
        slow.init.expect("on");
        slow.ends_with(3);
    }
    scene.nothing_is_left();
}

#[test]
fn a_stopped_child_of_who_waits_for_it_is_named_itself() {
    let scene = Scene::new();
    let script = "trap 'kill $!; wait; exit 3' TERM; sleep 1000 & echo ready; wait";
    for place in EVERYWHERE {
        let mut slow = Slow::start(&scene, place, scene.supervise().argv(&["bash", "-c", script]));
        let child = slow.outer_child("sleep");
        let inner = proc::inner_pid(child).expect("it lives");
        send(child, libc::SIGSTOP, 1);
        scene.deadline.until("it to stop", || (proc::state(child) == Some('T')).then_some(()));
        slow.stop();
        let mut lines = [slow.init.warning(), slow.init.warning()];
        lines.sort_by_key(|line| line.contains("is stopped"));
        says(&lines[1], &[&format!("pid {inner} (`sleep 1000`) is stopped"), &format!("kill -CONT {inner}")]);
        send(child, SIGCONT, 1);
        slow.ends_with(3);
    }
    scene.nothing_is_left();
}

#[test]
fn what_a_debugger_holds_is_to_be_let_go() {
    let scene = Scene::new();
    for place in EVERYWHERE {
        let mut slow = Slow::start(&scene, place, scene.supervise().probe("ready, wait"));
        let tracer = strace(&scene, &[], slow.main);
        // A debugger that sits at its prompt.
        send(tracer.outer_pid(), libc::SIGSTOP, 1);
        scene.deadline.until("strace to stop", || (proc::state(tracer.outer_pid()) == Some('T')).then_some(()));
        slow.stop();
        let debugger = match place {
            Place::Child => format!("a debugger (pid {})", tracer.outer_pid()),
            Place::Pid1 | Place::UserPid1 => "a debugger that cannot be seen from here".to_owned(),
        };
        slow.explains(&["is held by ", &debugger, "cannot act on SIGTERM", "let the debugger continue it"]);
        send(tracer.outer_pid(), SIGCONT, 1);
        slow.ends_by(SIGTERM);
    }
    scene.nothing_is_left();
}

#[test]
fn a_vfork_that_comes_to_no_exec_is_its_childs_affair() {
    let scene = Scene::new();
    // The child of posix_spawn opens its files before it executes; a FIFO without a writer takes forever.
    let script = "import os, signal, sys; signal.signal(15, lambda *_: None); print('ready', flush=True); \
                  os.posix_spawn('/bin/true', ['true'], {}, file_actions=[(os.POSIX_SPAWN_OPEN, 9, FIFO, os.O_RDONLY, 0)]); \
                  sys.exit(3)";
    for (place, name) in EVERYWHERE.into_iter().zip(["one", "two", "three"]) {
        let fifo = scene.folder().join(name);
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o666)).expect("the name is new");
        let script = script.replace("FIFO", &format!("'{}'", fifo.display()));
        let mut slow = Slow::start(&scene, place, scene.supervise().argv(&[python(), "-c", &script]));
        let child = scene.deadline.until("the child", || proc::children(slow.main).first().copied());
        slow.stop();
        let inner = proc::inner_pid(child).expect("it lives");
        let waits = format!("waits in vfork until its child pid {inner} (");
        slow.explains(&[&waits, "has executed a program", &format!("kill -KILL {inner}")]);
        send(child, SIGKILL, 1);
        slow.ends_with(3);
    }
    scene.nothing_is_left();
}

/// A file system on a file of ours, frozen: who writes to it waits where no signal interrupts. A shell in a mount
/// namespace of its own holds it, and thaws it at the latest when its stdin ends, that is, with this test.
struct Frozen {
    shell: Child,
    stdin: Option<ChildStdin>,
}

impl Frozen {
    fn make(scene: &Scene) -> Result<Frozen, String> {
        let image = scene.folder().join("image");
        fs::File::create(&image).and_then(|file| file.set_len(4 << 20)).expect("the folder is ours");
        let folder = scene.folder().join("frozen");
        fs::create_dir(&folder).expect("the name is new");
        // mount(8) has the loop device go with the mount.
        let script = "mkfs.ext4 -q \"$0\" && mount -o loop \"$0\" \"$1\" || exit 1
                      trap '' TERM INT HUP
                      fsfreeze --freeze \"$1\" && echo frozen
                      read line
                      fsfreeze --unfreeze \"$1\"; echo thawed
                      read line
                      umount \"$1\" || umount --lazy \"$1\"";
        // Without the scene's mark, or the scene could kill it before it has thawed.
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script]).args([&image, &folder]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut shell = command.spawn().expect("unshare is there");
        let stdin = shell.stdin.take();
        let mut frozen = Frozen { shell, stdin };
        match frozen.line().as_str() {
            "frozen" => Ok(frozen),
            _ => {
                frozen.stdin = None;
                let mut said = String::new();
                let mut stderr = frozen.shell.stderr.take().expect("it is a pipe");
                std::io::Read::read_to_string(&mut stderr, &mut said).expect("a pipe can be read");
                Err(said)
            }
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        // One line at a time: nothing is lost with the reader.
        let stdout = self.shell.stdout.as_mut().expect("it is a pipe");
        BufReader::with_capacity(1, stdout).read_line(&mut line).expect("a pipe can be read");
        line.trim_end().to_owned()
    }

    fn thaw(&mut self) {
        self.stdin.as_mut().expect("it is a pipe").write_all(b"thaw\n").expect("the shell reads");
        assert_eq!(self.line(), "thawed");
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        self.stdin = None;
        let _ = self.shell.wait();
    }
}

#[test]
fn what_waits_for_a_device_can_only_wait() {
    if !nix::unistd::geteuid().is_root() {
        return skip("only root may freeze a file system");
    }
    let scene = Scene::new();
    let mut frozen = match Frozen::make(&scene) {
        Ok(frozen) => frozen,
        Err(why) => return skip(&format!("no file system can be mounted and frozen here: {why}")),
    };
    let holder = frozen.shell.id().to_string();
    let mut slow = [Place::Child, Place::Pid1].map(|place| {
        let file = scene.folder().join("frozen").join(format!("{place:?}"));
        let script = format!("echo ready; echo work >{}", file.display());
        // The mounts come first: from inside the namespace their holder has no number.
        let launch = scene.supervise().behind(&["nsenter", "--target", &holder, "--mount"]);
        let launch = match place {
            Place::Child => launch,
            Place::Pid1 | Place::UserPid1 => {
                launch.below(&["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"])
            }
        };
        let mut init = launch.argv(&["sh", "-c", &script]).spawn();
        init.expect("ready");
        let slow = Slow::of(&scene, place, init);
        scene.deadline.until("the write", || (proc::state(slow.main) == Some('D')).then_some(()));
        slow.stop();
        slow
    });
    for slow in &mut slow {
        slow.explains(&[
            "(`sh`) sits in a system call that SIGTERM does not interrupt (in ",
            "SIGKILL may have to wait",
        ]);
    }
    frozen.thaw();
    slow.into_iter().for_each(|slow| slow.ends_by(SIGTERM));
    drop(frozen);
    scene.nothing_is_left();
}

#[test]
fn a_frozen_cgroup_is_to_be_thawed() {
    let scene = Scene::new();
    let group = Path::new("/sys/fs/cgroup/freezer").join(format!("supervise-explain-{}", std::process::id()));
    if fs::create_dir(&group).is_err() {
        // The freezer of cgroup v2 holds no process in a system call.
        return harness::note("not tried: no freezer of cgroup v1 here");
    }
    let group = Freezer(&group);
    let mut slow = Slow::start(&scene, Place::Child, scene.supervise().probe("ready, wait"));
    fs::write(group.0.join("cgroup.procs"), slow.main.to_string()).expect("it is ours");
    fs::write(group.0.join("freezer.state"), "FROZEN").expect("it is ours");
    scene.deadline.until("the frost", || (proc::state(slow.main) == Some('D')).then_some(()));
    slow.stop();
    slow.explains(&["sits in a system call that SIGTERM does not interrupt", "thaw its cgroup"]);
    fs::write(group.0.join("freezer.state"), "THAWED").expect("it is ours");
    slow.ends_by(SIGTERM);
}

struct Freezer<'a>(&'a Path);

impl Drop for Freezer<'_> {
    fn drop(&mut self) {
        let _ = fs::write(self.0.join("freezer.state"), "THAWED");
        let end = std::time::Instant::now() + std::time::Duration::from_secs(5);
        while fs::remove_dir(self.0).is_err() && std::time::Instant::now() < end {}
    }
}

#[test]
fn process_1_of_a_namespace_throws_it_away_and_wants_an_init() {
    if !nix::unistd::geteuid().is_root() {
        return skip("only root may make a namespace without a user's");
    }
    let scene = Scene::new();
    let inner = ["unshare", "--pid", "--fork", "--kill-child"];
    let nested = [inner, inner].concat();
    for words in [&inner[..], &nested] {
        for place in [Place::Child, Place::Pid1] {
            let argv = [words, &["sh", "-c", "echo ready; exec sleep 1000"]].concat();
            let launch = scene.supervise().options(&["--kill-mode=tree", "--grace=10s"]).argv(&argv);
            let slow = Slow::start(&scene, place, launch);
            // The last of them is the program.
            let mut last = slow.main;
            while let Some(child) = proc::children(last).first() {
                last = *child;
            }
            let numbers = proc::status(last, "NSpid").expect("it lives");
            let depth = words.len() / inner.len();
            let number = numbers.split_whitespace().rev().nth(depth).expect("one for each namespace").to_owned();
            slow.stop();
            let ended = slow.init.end();
            let said = warnings(&ended);
            // What makes the namespace waits, with the signal blocked.
            assert_eq!(said.len(), 3, "{said:#?}");
            says(said[0], &["(`unshare ", "blocks SIGTERM"]);
            says(
                said[1],
                &[
                    &format!("pid {number} (`sleep 1000`) is PID 1 of its own PID namespace"),
                    "has no handler for SIGTERM, so that the kernel discards it",
                    "supervise -- ",
                ],
            );
            assert_eq!(ended.exit, killed(place), "{said:#?}");
        }
    }
    // With an init in there, which hands it on.
    let supervise = harness::launch::Init::Supervise.path().expect("cargo built it");
    let supervise = supervise.to_str().expect("made by us");
    for place in [Place::Child, Place::Pid1] {
        let argv = [&inner[..], &[supervise, "--", "sh", "-c", "echo ready; exec sleep 1000"]].concat();
        let slow = Slow::start(&scene, place, scene.supervise().options(&["--kill-mode=tree"]).argv(&argv));
        slow.stop();
        let ended = slow.init.end();
        assert_eq!((ended.exit, warnings(&ended)), (Exit::Code(128 + SIGTERM), vec![]), "{place:?}");
    }
    scene.nothing_is_left();
}
