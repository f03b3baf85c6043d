//! `supervise check`: what its own look at a run leaves, and what could not be looked at.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::fs;

use libc::{SIGCONT, SIGKILL, SIGSTOP};
use nix::unistd::geteuid;

use harness::checked::{behind, report, report_of, start};
use harness::contained::NOBODY;
use harness::slow::python;
use harness::{Scene, send, skip};

/// As long as what `--ready exec:` has started with this word lives.
fn lives(scene: &Scene, word: &str) -> bool {
    let has_it = |pid: &i32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == word.as_bytes());
    scene.marked().iter().any(has_it)
}

#[test]
fn what_a_probe_runs_ends_with_a_check_that_is_killed() {
    for script in ["sleep 1234; true", "setsid sleep 1234 & sleep 1000; true"] {
        // The one before the start never ends by itself, and the one of a run neither.
        for is_started in [false, true] {
            let scene = Scene::new();
            let marker = scene.folder().join("started");
            let marker = marker.to_str().expect("ours");
            let ready = if is_started {
                format!("exec:test -e {marker} || exit 1; {script}")
            } else {
                format!("exec:{script}")
            };
            let command = format!(": >{marker}; sleep 999");
            let mut check = start(&scene, &["--as", "child", "--ready", &ready, "--", "sh", "-c", &command]);
            scene.deadline.until("what the probe runs", || lives(&scene, "sleep\x001234\0").then_some(()));
            send(check.outer_pid(), SIGKILL, 1);
            check.wait();
            scene.deadline.until("the end of all that it started", || scene.marked().is_empty().then_some(()));
        }
    }
}

#[test]
fn what_a_probe_has_left_ends_with_it() {
    let scene = Scene::new();
    let file = scene.folder().join("left");
    let file = file.to_str().expect("ours");
    let wait = format!("while [ ! -e {file} ]; do sleep 0.01; done");
    let ready = format!("exec:setsid sh -c ': >{file}; exec sleep 1234' & {wait}");
    report(&scene, &["--as", "child", "--also", "none", "--ready", &ready], &["sleep", "999"]).exits(2);
    scene.nothing_is_left();
    // Of a signal it is said which.
    let options = ["--as", "child", "--ready-timeout", "2s", "--ready", "exec:kill -KILL $$"];
    let report = report(&scene, &options, &["sleep", "999"]);
    let why = report.run("child")["outcome"].to_string();
    assert!(why.contains("it died of SIGKILL"), "{why}");
    scene.nothing_is_left();
}

/// Ignores SIGTERM with a file half written, of which nobody but root may know.
const NOT_DUMPABLE: &str = "
import ctypes, os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
half = open(sys.argv[1], 'w')
if sys.argv[2] == 'closed': ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
os.write(1, b'ready\\n')
while True: signal.pause()
";

#[test]
fn a_killed_process_that_may_not_be_looked_into_is_no_pass() {
    if !geteuid().is_root() {
        return skip("only root can become somebody else");
    }
    let scene = Scene::new();
    let file = std::env::temp_dir().join(format!("supervise-check-half-{}.db", std::process::id()));
    let file_text = file.to_str().expect("ours");
    for (how, level) in [("closed", "skip"), ("open", "warn")] {
        let options = ["--as", "child,pid1", "--also", "none", "--grace", "300ms", "--ready", "log:ready"];
        let command = [python(), "-c", NOT_DUMPABLE, file_text, how];
        let report =
            report_of(behind(&scene, &NOBODY, &[&["--format", "json"], &options[..], &["--"], &command].concat()));
        for mode in ["child", "pid1"] {
            report.says(mode, &[("S01", "fail"), ("S16", level)]);
        }
    }
    fs::remove_file(&file).expect("it was made");
    scene.nothing_is_left();
}

/// Its worker begins a file when it is told to stop, and is cut off in it by the end of process 1.
const CUT_OFF: &str = "
import os, signal, sys, time
told = os.pipe()
begun = os.pipe()
if os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.read(told[0], 1)
    half = open(sys.argv[1], 'w')
    os.write(begun[1], b'x')
    while True: signal.pause()
def stop(*_):
    os.write(told[1], b'x')
    os.read(begun[0], 1)
    os._exit(0)
signal.signal(signal.SIGTERM, stop)
os.write(1, b'ready\\n')
while True: signal.pause()
";

#[test]
fn what_the_kernel_has_cut_off_is_no_pass() {
    let scene = Scene::new();
    let file = scene.folder().join("half.db");
    let options = ["--as", "child,pid1", "--also", "none", "--ready", "log:ready"];
    let report = report(&scene, &options, &[python(), "-c", CUT_OFF, file.to_str().expect("ours")]);
    report.says("child", &[("S06", "fail"), ("S16", "warn")]);
    report.says("pid1", &[("S06", "fail"), ("S16", "skip")]);
    scene.nothing_is_left();
}

/// Waits for a file of another one, and for its end leaves that alone.
const WAITS_FOR: &str = "
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
open(sys.argv[1], 'w')
while not os.path.exists(sys.argv[2]): time.sleep(0.01)
os.write(1, b'ready\\n')
while True: signal.pause()
";

#[test]
fn a_pid_file_that_somebody_else_writes_meanwhile_is_not_the_commands() {
    let scene = Scene::new();
    for (wrapper, level) in [(&[][..], "pass"), (&NOBODY[..], "skip")] {
        if !wrapper.is_empty() && !geteuid().is_root() {
            continue;
        }
        for (mode, number) in [("pid1", "1"), ("child", "2"), ("init", "2")] {
            let name = format!("supervise-check-other-{mode}-{level}-{}", std::process::id());
            let [began, file] = ["began", "pid"].map(|end| std::env::temp_dir().join(format!("{name}.{end}")));
            let [began_text, file_text] = [&began, &file].map(|path| path.to_str().expect("ours"));
            let options = ["--format", "json", "--as", mode, "--also", "none", "--ready", "log:ready", "--"];
            let command = [python(), "-c", WAITS_FOR, began_text, file_text];
            let check = behind(&scene, wrapper, &[&options[..], &command].concat());
            scene.deadline.until("the command", || began.exists().then_some(()));
            fs::write(&file, number).expect("/tmp is writable");
            let report = report_of(check);
            for path in [began, file] {
                let _ = fs::remove_file(path);
            }
            report.says(mode, &[("S01", "pass"), ("S16", level)]);
            assert_eq!(report.run(mode)["files"]["left"].as_array().map(Vec::len), Some(0), "{:#}", report.run(mode));
        }
    }
    scene.nothing_is_left();
}

/// Ends 700 ms after it is told, and says so in a file.
const IN_TIME: &str = "
import os, signal, sys, time
def stop(*_):
    os.write(1, b'told\\n')
    time.sleep(0.7)
    open(sys.argv[1], 'w')
    os._exit(0)
signal.signal(signal.SIGTERM, stop)
os.write(1, b'ready\\n')
while True: signal.pause()
";

#[test]
fn a_check_that_is_suspended_does_not_blame_the_command() {
    let scene = Scene::new();
    // In a network namespace the kernel tells of no processes.
    let silent = ["unshare", "--user", "--map-root-user", "--net"];
    for (wrapper, level) in [(&[][..], "pass"), (&silent[..], "inconclusive")] {
        let file = scene.folder().join(format!("ends-{level}"));
        let program = IN_TIME.replace("os.write(1, b'told\\n')", "open(sys.argv[2], 'w')");
        let told = scene.folder().join(format!("told-{level}"));
        let options =
            ["--format", "json", "--as", "child", "--also", "none", "--grace", "2s", "--ready", "log:ready", "--"];
        let paths = [&file, &told].map(|path| path.to_str().expect("ours"));
        let check = behind(&scene, wrapper, &[&options[..], &[python(), "-c", &program, paths[0], paths[1]]].concat());
        scene.deadline.until("the signal", || told.exists().then_some(()));
        let pid = check.outer_pid();
        send(pid, SIGSTOP, 1);
        scene.deadline.until("the end", || file.exists().then_some(()));
        // The grace time is over by then.
        std::thread::sleep(std::time::Duration::from_secs(3));
        send(pid, SIGCONT, 1);
        let report = report_of(check);
        if wrapper.is_empty() && report.run("child")["missing"].to_string().contains("process-events") {
            skip("the kernel tells of no processes here");
            continue;
        }
        report.says("child", &[("S01", level)]);
    }
    scene.nothing_is_left();
}
