//! `supervise check`: how the signal is sent where the kernel is older or refuses.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use harness::Scene;
use harness::checked::{Report, behind, report_of, tells};

/// The same as `report`, where the first signal by a pidfd is refused with that error.
fn refused(scene: &Scene, error: &str, options: &[&str], script: &str) -> Report {
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
    let report = refused(&scene, "EINVAL", &["--target", "group"], "trap 'exit 0' TERM; sleep 1000 & echo ready; wait");
    report.says("child", &[("S01", "pass"), ("S02", "pass"), ("S06", "pass")]);
    let processes = report.run("child")["processes"].as_array().expect("a list");
    assert_eq!(processes[1]["ended"]["by"], "signal", "{processes:#?}");
    report.exits(0);
    scene.nothing_is_left();
}

#[test]
fn a_signal_that_cannot_be_sent_is_no_verdict_on_the_command() {
    let scene = Scene::new();
    let report = refused(&scene, "EPERM", &[], "trap 'exit 0' TERM; sleep 1000 & echo ready; wait");
    report.says("child", &[("S01", "inconclusive"), ("S02", "skip")]);
    tells(&report, "child", "S01", "SIGTERM cannot be sent to it: operation not permitted", "as root");
    report.exits(2);
    scene.nothing_is_left();
}
