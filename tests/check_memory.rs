//! `supervise check`: the cgroup that a run has for itself, and what the kernel kills in it for want of memory.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use libc::SIGKILL;
use nix::poll::{PollTimeout, poll};
use nix::unistd::geteuid;

use harness::checked::{Report, behind, report_of, stage_of, start};
use harness::memory::Group;
use harness::slow::python;
use harness::{Exit, Scene, proc, send, skip};

/// Enough for us and a program, and less than the machine has.
const LIMIT: u64 = 96 << 20;

/// Uses more than there is when it is told to stop.
const GREEDY_MAIN: &str = "
import os, signal
def stop(*_):
    x = b'x' * (256 << 20)
    os._exit(0)
signal.signal(signal.SIGTERM, stop)
os.write(1, b'ready\\n')
while True: signal.pause()
";

/// The same of a child, which is waited for.
const GREEDY_CHILD: &str = "
import os, signal
worker = os.fork()
if worker == 0:
    def stop(*_):
        x = b'x' * (256 << 20)
        os._exit(0)
    signal.signal(signal.SIGTERM, stop)
    os.write(1, b'ready\\n')
    while True: signal.pause()
def stop(*_):
    os.kill(worker, signal.SIGTERM)
    os.waitpid(worker, 0)
    os._exit(0)
signal.signal(signal.SIGTERM, stop)
while True: signal.pause()
";

/// Takes the cgroups' file systems away from us, but for reading.
const READ_ONLY: [&str; 6] = [
    "unshare",
    "--mount",
    "sh",
    "-c",
    "for fs in $(awk '$3 ~ /^cgroup/ { print $2 }' /proc/mounts); do mount -o remount,bind,ro $fs; done; exec \"$@\"",
    "-",
];

fn check_in(scene: &Scene, group: &Group, wrapper: &[&str], mode: &str, program: &str) -> Report {
    let enter = group.enter();
    let wrapper = [&enter.each_ref().map(String::as_str), wrapper].concat();
    let words = ["--format", "json", "--as", mode, "--ready", "log:^ready$", "--", python(), "-c", program];
    report_of(behind(scene, &wrapper, &words))
}

#[test]
fn what_the_kernel_kills_for_want_of_memory_is_said_to_be_so_and_fails() {
    if !geteuid().is_root() {
        return skip("only root has cgroups");
    }
    // With a cgroup of its own, and by the count of ours where there is none to be had.
    for (wrapper, name) in [(&[][..], "own"), (&READ_ONLY[..], "ours")] {
        let group = match Group::make(&format!("check-{name}"), LIMIT) {
            Ok(group) => group,
            Err(why) => return skip(&format!("no memory cgroup can be made here: {why}")),
        };
        let scene = Scene::new();
        for (program, check) in [(GREEDY_MAIN, "S02"), (GREEDY_CHILD, "S07")] {
            for mode in ["pid1", "child"] {
                let report = check_in(&scene, &group, wrapper, mode, program);
                let run = report.run(mode);
                assert_eq!(run["out_of_memory"], true, "{name} {mode}: {run:#}");
                assert_eq!(run["cgroup"].is_object(), name == "own", "{run:#}");
                let is_missed =
                    run["missing"].as_array().is_some_and(|all| all.iter().any(|it| it["facility"] == "cgroup"));
                assert_eq!(is_missed, name == "ours", "{run:#}");
                report.says(mode, &[("S01", "pass"), (check, "fail")]);
                let findings = report.group(mode)["findings"].as_array().expect("a list");
                let finding = findings.iter().find(|finding| finding["id"] == check).expect("it was found");
                assert!(
                    finding["cause"].as_str().is_some_and(|cause| cause.contains("for want of memory")),
                    "{finding}"
                );
                report.exits(1);
            }
        }
        scene.nothing_is_left();
    }
}

/// The cgroups of that process.
fn homes_of(pid: i32) -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("there is a /proc");
    let tops = mounts.lines().filter(|line| line.contains(" - cgroup")).filter_map(|line| line.split(' ').nth(4));
    let tops: Vec<&Path> = tops.map(Path::new).collect();
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let own = groups.lines().filter_map(|line| line.rsplit(':').next());
    let all = own.flat_map(|path| tops.iter().map(|top| top.join(path.trim_start_matches('/'))).collect::<Vec<_>>());
    all.filter(|path| path.is_dir()).collect()
}

/// Those of them that are a check's own.
fn groups_of(pid: i32) -> Vec<PathBuf> {
    homes_of(pid).into_iter().filter(|path| path.to_string_lossy().contains("/supervise-")).collect()
}

#[test]
fn a_run_has_a_cgroup_for_itself_and_none_stays_not_even_of_a_check_that_was_killed() {
    if !geteuid().is_root() {
        return skip("only root has cgroups");
    }
    let scene = Scene::new();
    let file = scene.folder().join("runs");
    let script = format!("setsid sleep 1000 & : >{}; wait", file.display());
    let words = ["--as", "child", "--ready", "delay:60s", "--ready-timeout", "90s", "--", "sh", "-c", &script];
    let mut check = start(&scene, &words);
    scene.deadline.until("the command", || file.exists().then_some(()));
    let stage = stage_of(&check, &scene);
    let root = scene.deadline.until("the command's process", || proc::children(stage).first().copied());
    let groups = groups_of(root);
    if groups.is_empty() {
        send(check.outer_pid(), SIGKILL, 1);
        check.wait();
        return skip("no cgroup can be made here");
    }
    for group in &groups {
        let processes = fs::read_to_string(group.join("cgroup.procs")).expect("it is there");
        let is_in = |pid: i32| processes.lines().any(|line| line == pid.to_string());
        assert!(is_in(root) && !is_in(stage) && !is_in(check.outer_pid()), "{processes}");
    }
    send(check.outer_pid(), SIGKILL, 1);
    assert_eq!(check.wait(), Exit::Signal(SIGKILL));
    scene.deadline.until("the end of all that it started", || scene.marked().is_empty().then_some(()));
    for group in groups {
        assert!(!group.exists(), "{} is left", group.display());
    }
    let next = ["--format", "json", "--as", "child", "--also", "none", "--", "sleep", "1000"];
    let report = report_of(start(&scene, &next));
    assert_eq!(report.run("child")["cgroup"]["left"], 0);
    scene.nothing_is_left();
}

/// The cgroups that a check has made beside us.
fn groups_made_by(check: i32) -> Vec<PathBuf> {
    let name = format!("supervise-{check}-");
    let beside = homes_of(std::process::id().cast_signed()).into_iter().flat_map(fs::read_dir).flatten().flatten();
    beside.filter(|entry| entry.file_name().to_string_lossy().starts_with(&name)).map(|entry| entry.path()).collect()
}

/// At any moment of it, and in every mode.
#[test]
fn nothing_is_left_of_a_check_whenever_it_is_killed() {
    const TIMES: u64 = 20;
    /// As long as all its runs take.
    const LONGEST: u64 = 700;
    if !geteuid().is_root() {
        return skip("only root has cgroups");
    }
    let scene = Scene::new();
    let script = "setsid sleep 1000 & trap 'sleep 0.1; kill $!; exit 0' TERM; wait";
    let rest = ["--grace", "1s", "--ready", "delay:50ms", "--", "sh", "-c", script];
    let mut made = 0;
    let start_of = Instant::now();
    for time in 0..TIMES {
        let mode = ["pid1", "child", "init"][time as usize % 3];
        let mut check = start(&scene, &[&["--as", mode, "--repeat", "2"], &rest[..]].concat());
        let pid = check.outer_pid();
        // Spread over its whole time, and by a little that is by chance.
        let chance = u64::from(start_of.elapsed().subsec_nanos()) / 1000 % (LONGEST / TIMES);
        let _ = poll(&mut [], PollTimeout::from((time * LONGEST / TIMES + chance) as u16));
        made += usize::from(!groups_made_by(pid).is_empty());
        send(pid, SIGKILL, 1);
        check.wait();
        scene.deadline.until("the end of all that it started", || scene.marked().is_empty().then_some(()));
        assert_eq!(groups_made_by(pid), Vec::<PathBuf>::new(), "{mode}, after {} ms", time * LONGEST / TIMES + chance);
    }
    if made == 0 {
        skip("no cgroup can be made here");
    }
}
