//! What a container may use of the machine, on the hierarchies that this machine has.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::fs;
use std::path::{Path, PathBuf};

use harness::contained::{self, BOOKWORM, BUSYBOX, ends, root, script};
use harness::{Exit, Scene, send, skip};

/// The cgroups that containers have, by what is mounted.
fn groups() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(directory) = todo.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let is_ours = entry.file_name().to_string_lossy().starts_with("supervise-");
                if is_ours { found.push(entry.path()) } else { todo.push(entry.path()) }
            }
        }
    }
    found
}

/// Those of this monitor.
fn groups_of(monitor: i32) -> Vec<PathBuf> {
    let begin = format!("supervise-{monitor}-");
    groups()
        .into_iter()
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&begin)))
        .collect()
}

/// Whether limits can be set here, said aloud if not.
fn are_there(scene: &Scene, root: &Path) -> bool {
    let ended = contained::start(scene, &["--pids", "100", "--memory", "100M", "--cpus", "1"], root, &["true"]).end();
    let is_there = ended.stderr.is_empty();
    if !is_there {
        skip(&format!("no limits can be set: {ended:?}"));
    }
    is_there
}

#[test]
fn a_fork_bomb_is_held_and_ends_with_its_container() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    if !are_there(&scene, &root) {
        return;
    }
    let mut run = contained::start_probe(&scene, &["--pids", "60"], &root, "daemon, bomb, end, ready, wait");
    run.expect("ready");
    let monitor = run.outer_pid();
    let [group] = groups_of(monitor).try_into().expect("it has one group");
    let count = || fs::read_to_string(group.join("pids.current")).ok()?.trim().parse::<u32>().ok();
    scene.deadline.until("the bomb to fill its room", || count().filter(|count| *count >= 60));
    assert!(count().is_some_and(|count| count <= 60));
    send(monitor, 15, 1);
    assert_eq!(run.wait(), Exit::Code(143));
    assert_eq!(groups_of(monitor), [] as [PathBuf; 0], "the group is removed");
    scene.nothing_is_left();
}

#[test]
fn memory_that_is_used_up_is_reported() {
    let Some(root) = root(BOOKWORM) else { return };
    let scene = Scene::new();
    if !are_there(&scene, &root) {
        return;
    }
    let hungry = "perl -e '$x = \"x\" x (200 << 20); print length($x), \"\\n\"'; echo $?";
    ends(&script(&scene, &["--memory", "500M"], &root, hungry), 0, &["209715200", "0"]);
    let ended = script(&scene, &["--memory", "50M"], &root, hungry);
    assert_eq!(ended.stdout, ["137"], "{ended:?}");
    let told = ended.stderr.iter().any(|line| line.contains("killed by the kernel") && line.contains("--memory"));
    assert!(told, "{ended:?}");
}

#[test]
fn a_container_sees_its_own_cgroup_as_the_topmost() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    if !are_there(&scene, &root) {
        return;
    }
    let ended =
        script(&scene, &["--pids", "50"], &root, "grep -E '^0::|:pids:' /proc/self/cgroup | cut -d: -f3 | sort -u");
    ends(&ended, 0, &["/"]);
}

#[test]
fn what_a_killed_monitor_has_left_the_next_one_removes() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    if !are_there(&scene, &root) {
        return;
    }
    let mut run = contained::start_probe(&scene, &["--pids", "50"], &root, "ready, wait");
    run.expect("ready");
    let monitor = run.outer_pid();
    assert_eq!(groups_of(monitor).len(), 1);
    send(monitor, 9, 1);
    run.wait();
    scene.deadline.until("the end of all", || scene.marked().is_empty().then_some(()));
    // Another test's may be the next one; also one that has no limits itself.
    ends(&script(&scene, &[], &root, "echo next"), 0, &["next"]);
    // Who of two comes second leaves it to the first, which may not be done yet.
    scene.deadline.until("its removal", || groups_of(monitor).is_empty().then_some(()));
}

#[test]
fn a_directory_of_a_killed_monitor_is_removed_and_no_other() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let tmp = scene.folder().join("tmp");
    fs::create_dir(&tmp).expect("the folder is ours");
    let ourselves = std::process::id();
    let stat = fs::read_to_string("/proc/self/stat").expect("we run");
    let start = stat.rsplit_once(") ").expect("it has a name").1.split(' ').nth(19).expect("it has a start");
    // A number that is given again, one that nobody has, one of a process that runs; and what is not ours.
    let gone = [format!("supervise-{ourselves}-1-0123456789ab"), "supervise-4194304-1-0123456789ab".to_owned()];
    let kept = [format!("supervise-{ourselves}-{start}-0123456789ab"), "supervise-4194304".to_owned()];
    for name in gone.iter().chain(&kept) {
        fs::create_dir(tmp.join(name)).expect("the folder is ours");
        fs::write(tmp.join(name).join("network.log"), "").expect("the folder is ours");
    }
    let mut run = contained::command(&scene, &[], &root, &["true"]);
    assert!(run.env("TMPDIR", &tmp).output().expect("it runs").status.success());
    assert_eq!(gone.iter().filter(|name| tmp.join(name).exists()).count(), 0);
    assert!(kept.iter().all(|name| tmp.join(name).exists()));
}

#[test]
fn a_limit_that_cannot_be_set_is_a_warning() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let run = contained::as_user(&scene, &[], &["--memory", "64M"], &root, &["echo", "alive"]);
    let ended = contained::begin(&scene, run).end();
    ends(&ended, 0, &["alive"]);
    assert!(ended.stderr[0].contains("warning: --memory is not enforced: "), "{ended:?}");
    for (option, value) in [("--memory", "1"), ("--memory", "much"), ("--cpus", "0"), ("--pids", "-1")] {
        let ended = contained::start(&scene, &[option, value], &root, &["true"]).end();
        harness::running::refused(&ended, &[option, value, "it is a number"]);
    }
}

#[test]
fn system_calls_that_no_program_needs_are_forbidden() {
    let Some(root) = root(BOOKWORM) else { return };
    let scene = Scene::new();
    // add_key, bpf, unshare of a user namespace; and clone3, which a C library then does without.
    let calls = "perl -e 'for ([248, 0, 0, 0, 0, 0], [321, 0, 0, 0], [272, 0x10000000], [435, 0, 0]) {
        my ($call, @words) = @$_; my $result = syscall($call, @words); my $errno = $! + 0; print \"$result $errno\\n\" }'";
    let ended = script(&scene, &[], &root, calls);
    ends(&ended, 0, &["-1 1", "-1 1", "-1 1", "-1 38"]);
    let ended = script(&scene, &["--seccomp", "none"], &root, "grep Seccomp: /proc/self/status | tr -d '\\t'");
    ends(&ended, 0, &["Seccomp:0"]);
    // For process 1 and for all below it.
    let ended =
        script(&scene, &[], &root, "cat /proc/1/status /proc/self/status | grep Seccomp: | tr -d '\\t' | sort -u");
    ends(&ended, 0, &["Seccomp:2"]);
}

#[test]
fn its_network_is_what_was_asked_for() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let told =
        "cat /sys/class/net/lo/flags; ls /sys/class/net | wc -l; ping -c 1 -W 1 127.0.0.1 >/dev/null 2>&1; echo $?";
    ends(&script(&scene, &[], &root, told), 0, &["0x9", "1", "0"]);
    ends(&script(&scene, &["--net", "none"], &root, told), 0, &["0x8", "1", "1"]);
    let ours = fs::read_dir("/sys/class/net").expect("it is there").count().to_string();
    ends(&script(&scene, &["--net", "host"], &root, "ls /sys/class/net | wc -l"), 0, &[ours]);
}

#[test]
fn a_stop_is_obeyed_while_the_helper_of_the_network_begins() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    // One that says nothing and does not end; and both of them, which fail, each with its reason.
    scene.executable("slirp4netns", b"#!/bin/sh\necho begun >\"${0%/*}/begun\"; exec sleep 1000\n");
    let path = |folder: &Path| format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = contained::command(&scene, &["--net", "user"], &root, &["true"]);
    command.env("PATH", path(scene.folder()));
    let mut run = contained::begin(&scene, command);
    scene.deadline.until("the helper", || scene.folder().join("begun").exists().then_some(()));
    send(run.outer_pid(), 15, 1);
    assert_eq!(run.wait(), Exit::Code(143));
    scene.nothing_is_left();
    scene.executable("slirp4netns", b"#!/bin/sh\necho no tap; exit 1\n");
    scene.executable("pasta", b"#!/bin/sh\necho no tun; exit 1\n");
    let mut command = contained::command(&scene, &["--net", "user"], &root, &["true"]);
    command.env("PATH", path(scene.folder()));
    let ended = contained::begin(&scene, command).end();
    harness::running::refused(&ended, &["slirp4netns has ended: no tap; pasta has ended: no tun"]);
}

#[test]
fn a_directory_of_a_monitor_in_another_pid_namespace_stays() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let tmp = scene.folder().join("tmp");
    fs::create_dir(&tmp).expect("the folder is ours");
    let ours = || fs::read_dir(&tmp).expect("it is ours").count();
    scene.executable("slirp4netns", b"#!/bin/sh\necho begun >\"${0%/*}/begun\"; exec sleep 1000\n");
    let path = format!("{}:{}", scene.folder().display(), std::env::var("PATH").unwrap_or_default());
    let run = contained::command(&scene, &["--net", "user"], &root, &["true"]);
    // Its number there is none here, or another's.
    let mut outer = scene.command("unshare");
    outer.args(["--pid", "--fork", "--kill-child", "--mount-proc"]).arg(run.get_program()).args(run.get_args());
    outer.env_remove("SUPERVISE_REQUESTS").env("PATH", path).env("TMPDIR", &tmp);
    let waiting = contained::begin(&scene, outer);
    scene.deadline.until("the helper", || scene.folder().join("begun").exists().then_some(()));
    assert_eq!(ours(), 1);
    let mut next = contained::command(&scene, &[], &root, &["true"]);
    assert!(next.env("TMPDIR", &tmp).output().expect("it runs").status.success());
    assert_eq!(ours(), 1, "it is still needed");
    // When that is killed, the next one removes it.
    drop(waiting);
    scene.deadline.until("the end of all", || scene.marked().is_empty().then_some(()));
    let mut next = contained::command(&scene, &[], &root, &["true"]);
    assert!(next.env("TMPDIR", &tmp).output().expect("it runs").status.success());
    assert_eq!(ours(), 0);
}

#[test]
fn a_helper_connects_it_and_goes_with_it() {
    let Some(root) = root(BUSYBOX) else { return };
    let is_there =
        |name: &str| ["/usr/bin", "/usr/local/bin", "/bin"].iter().any(|place| Path::new(place).join(name).exists());
    if !is_there("slirp4netns") && !is_there("pasta") {
        return skip("neither pasta nor slirp4netns is installed; tests/setup installs one");
    }
    let scene = Scene::new();
    let told = "cat /etc/resolv.conf | cut -d' ' -f1; ls /sys/class/net | wc -l; ip route | grep -c default";
    ends(&script(&scene, &["--net", "user"], &root, told), 0, &["nameserver", "2", "1"]);
    scene.nothing_is_left();
    // Where nobody has set that up, the device is root's alone.
    let open = "mount -t tmpfs -o mode=755 tmpfs /mnt && mknod -m 666 /mnt/tun c 10 200 && mount --bind /mnt/tun /dev/net/tun && exec \"$@\"";
    let wrapper = ["unshare", "--mount", "sh", "-c", open, "-"];
    let run =
        contained::as_user(&scene, &wrapper, &["--net", "user"], &root, &["sh", "-c", "ls /sys/class/net | wc -l"]);
    ends(&contained::begin(&scene, run).end(), 0, &["2"]);
    // The helper dies with a monitor that is killed.
    let mut run = contained::start_probe(&scene, &["--net", "user"], &root, "ready, wait");
    run.expect("ready");
    send(run.outer_pid(), 9, 1);
    run.wait();
    scene.deadline.until("the end of all", || scene.marked().is_empty().then_some(()));
    let left = format!("supervise-{}-", run.outer_pid());
    let names = fs::read_dir(std::env::temp_dir()).expect("it is there").flatten().map(|entry| entry.file_name());
    assert!(!names.into_iter().any(|name| name.to_string_lossy().starts_with(&left)), "a directory is left");
    // And it is said where there is none.
    let mut run = contained::command(&scene, &["--net", "user"], &root, &["true"]);
    run.env("TMPDIR", "/nonexistent/tmp");
    harness::running::refused(&contained::begin(&scene, run).end(), &["/nonexistent/tmp/supervise-", "TMPDIR"]);
    let mut run = contained::command(&scene, &["--net", "user"], &root, &["true"]);
    let ended = contained::begin(&scene, {
        run.env("PATH", "/nonexistent");
        run
    })
    .end();
    harness::running::refused(&ended, &["pasta or slirp4netns", "install"]);
}

#[test]
fn where_the_monitors_network_cannot_be_joined_another_is_made() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let told = "cat /sys/class/net/lo/flags; ls /sys/class/net | wc -l; readlink /proc/self/ns/net";
    let run = contained::command(&scene, &["-v"], &root, &["sh", "-c", told]);
    for (inject, joined) in
        [("pidfd_open:error=ENOSYS", false), ("setns:error=EINVAL", false), ("swapon:error=EPERM", true)]
    {
        let mut outer = scene.command("strace");
        outer.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("inject={inject}")]);
        outer.arg(run.get_program()).args(run.get_args()).env_remove("SUPERVISE_REQUESTS");
        let output = outer.output().expect("strace runs");
        let said = String::from_utf8_lossy(&output.stdout);
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines[..2], ["0x9", "1"], "{output:?}");
        let ours = fs::read_link("/proc/self/ns/net").expect("it has a name");
        assert_ne!(Some(lines[2]), ours.to_str(), "{output:?}");
        let warned = String::from_utf8_lossy(&output.stderr).contains("making another");
        assert_eq!(warned, !joined, "{inject}: {output:?}");
    }
}

#[test]
fn where_no_network_namespace_can_be_made_it_is_said() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    // In a user namespace of our own, which has its own limits.
    let limit = "echo 0 >/proc/sys/user/max_net_namespaces && exec \"$@\"";
    let run = contained::command(&scene, &[], &root, &["true"]);
    let mut outer = scene.command("unshare");
    outer.args(["--user", "--map-root-user", "sh", "-c", limit, "-"]).arg(run.get_program()).args(run.get_args());
    let output = outer.env_remove("SUPERVISE_REQUESTS").output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let words = ["supervise: cannot make a new net namespace: no space left on device", "max_*_namespaces"];
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    assert!(words.iter().all(|word| said.contains(word)) && said.lines().count() == 1, "{output:?}");
    scene.nothing_is_left();
}
