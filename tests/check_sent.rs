//! `supervise check`: how the signal is sent where the kernel is older or refuses, and what it does not tell.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use libc::{SIGCONT, SIGSTOP};
use nix::unistd::geteuid;

use harness::checked::{Report, behind, report_of, tells};
use harness::contained::NOBODY;
use harness::slow::python;
use harness::{Scene, send, skip};

/// The same as `report`, where the first signal by a pidfd is refused with that error.
fn report_with_refusal(scene: &Scene, error: &str, options: &[&str], script: &str) -> Report {
    let log = scene.folder().join("calls");
    let inject = format!("inject=pidfd_send_signal:error={error}:when=1");
    let wrapper = ["strace", "-o", log.to_str().expect("ours"), "-e", &inject];
    let common = ["--format", "json", "--as", "child", "--also", "none", "--ready", "log:ready"];
    report_of(behind(scene, &wrapper, &[&common[..], options, &["--", "sh", "-c", script]].concat()))
}

#[test]
fn a_kernel_that_tells_no_group_by_a_descriptor_is_told_its_number() {
    let scene = Scene::new();
    // Linux 6.9 has PIDFD_SIGNAL_PROCESS_GROUP.
    let report = report_with_refusal(
        &scene,
        "EINVAL",
        &["--target", "group"],
        "trap 'exit 0' TERM; sleep 1000 & echo ready; wait",
    );
    report.says("child", &[("S01", "pass"), ("S02", "pass"), ("S06", "pass")]);
    let processes = report.run("child")["processes"].as_array().expect("a list");
    assert_eq!(processes[1]["ended"]["by"], "signal", "{processes:#?}");
    report.exits(0);
    scene.nothing_is_left();
}

#[test]
fn a_signal_that_cannot_be_sent_is_no_verdict_on_the_command() {
    let scene = Scene::new();
    let report = report_with_refusal(&scene, "EPERM", &[], "trap 'exit 0' TERM; sleep 1000 & echo ready; wait");
    report.says("child", &[("S01", "inconclusive"), ("S02", "skip")]);
    tells(&report, "child", "S01", "SIGTERM cannot be sent to it: operation not permitted", "as root");
    report.exits(2);
    scene.nothing_is_left();
}

/// When it is `young`, or `told`, and may go on, it starts more than its check has room to hear of, and then three that stay.
const FLOOD: &str = "
import _thread, os, signal, subprocess, sys, time
def flood():
    open(sys.argv[1] + '/begun', 'w')
    while not os.path.exists(sys.argv[1] + '/go'): time.sleep(0.01)
    # Of threads it is told as well.
    lock = _thread.allocate_lock()
    for _ in range(15000):
        lock.acquire()
        _thread.start_new_thread(lock.release, ())
    lock.acquire()
    for _ in range(3): subprocess.Popen(['sleep', '1000'])
    open(sys.argv[1] + '/done', 'w')
def end(*_):
    if sys.argv[2] == 'told': flood()
    os._exit(0)
signal.signal(signal.SIGTERM, end)
if sys.argv[2] == 'young':
    flood()
    # Its check is to have seen what is lost before it is ready.
    while not os.path.exists(sys.argv[1] + '/heard'): time.sleep(0.01)
os.write(1, b'ready\\n')
while True: signal.pause()
";

#[test]
fn what_the_kernel_had_no_room_to_tell_of_is_looked_for() {
    if !geteuid().is_root() {
        return skip("only root can become somebody who may not ask for more room");
    }
    for when in ["young", "told"] {
        flooded(when);
    }
}

fn flooded(when: &str) {
    let scene = Scene::new();
    let place = scene.folder().join("place");
    fs::create_dir(&place).expect("it is new");
    fs::set_permissions(&place, fs::Permissions::from_mode(0o777)).expect("it is ours");
    let options = ["--format", "json", "--as", "child", "--also", "none", "--grace", "90s"];
    let ready = ["--ready", "log:ready", "--ready-timeout", "90s", "--"];
    let command = [python(), "-c", FLOOD, place.to_str().expect("ours"), when];
    let mut check = behind(&scene, &NOBODY, &[&["-v"], &options[..], &ready, &command].concat());
    let is_there = |name: &str| place.join(name).exists().then_some(());
    scene.deadline.until("the moment", || is_there("begun"));
    send(check.outer_pid(), SIGSTOP, 1);
    fs::write(place.join("go"), "").expect("it is ours");
    scene.deadline.until("the flood", || is_there("done"));
    send(check.outer_pid(), SIGCONT, 1);
    check.wait_until_said(&["is lost"]);
    fs::write(place.join("heard"), "").expect("it is ours");
    let report = report_of(check);
    report.says("child", &[("S01", "pass"), ("S06", "fail")]);
    tells(&report, "child", "S06", "`sleep 1000`", "");
    let processes = report.run("child")["processes"].as_array().expect("a list");
    let killed: Vec<_> = processes.iter().filter(|process| process["ended"]["by"] == "supervise").collect();
    assert!(killed.len() == 3 && killed.iter().all(|process| process["words"] == "sleep 1000"), "{killed:#?}");
    assert!(processes.iter().all(|process| process["ended"].is_object()), "{processes:#?}");
    scene.nothing_is_left();
}
