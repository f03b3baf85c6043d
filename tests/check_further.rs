//! `supervise check`: the runs beside the usual ones.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use harness::Scene;
use harness::checked::{Report, report};
use harness::slow::python;
use serde_json::Value;

/// Ends with 0 when it is told, unless it is continued at the same time: then it takes that for all that has come.
const FORGETS: &str = "
import os, signal
both = {signal.SIGTERM, signal.SIGCONT}
signal.pthread_sigmask(signal.SIG_BLOCK, both)
os.write(1, b'ready\\n')
while True:
    if signal.sigwait(both) == signal.SIGTERM and signal.SIGCONT not in signal.sigpending():
        os._exit(0)
";

/// A shell in front of a worker; both end when they are told.
const WITH_WORKER: &str = "
import os, signal
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
worker = os.fork()
if worker == 0:
    os.write(1, b'ready\\n')
while True: signal.pause()
";

fn check(scene: &Scene, options: &[&str], program: &str) -> Report {
    report(scene, &[&["--ready", "log:^ready$"], options].concat(), &[python(), "-c", program])
}

/// How the runs of a mode went, in their order.
fn ways(report: &Report, mode: &str) -> Vec<String> {
    let runs = report.group(mode)["runs"].as_array().expect("a list");
    runs.iter().filter_map(|run| run["way"].as_str().map(str::to_owned)).collect()
}

/// The kinds of what happened in a run that are among these, in their order.
fn happened<'a>(run: &'a Value, kinds: &[&str]) -> Vec<&'a str> {
    let events = run["events"].as_array().expect("a list");
    let all = events.iter().filter_map(|event| event["kind"].as_str());
    all.filter(|kind| kinds.contains(kind)).collect()
}

#[test]
fn who_is_stopped_is_told_and_continued_in_a_run_of_its_own() {
    let scene = Scene::new();
    for (target, modes) in [("main", "pid1,child,init"), ("tree", "child,init"), ("group", "pid1")] {
        let report = check(&scene, &["--as", modes, "--target", target], WITH_WORKER);
        for mode in modes.split(',') {
            assert_eq!(ways(&report, mode), ["usual", "stopped"], "{target} {mode}");
            report.says(mode, &[("S01", "pass"), ("S20", "pass")]);
            let [usual, stopped] = [0, 1].map(|at| &report.group(mode)["runs"][at]);
            let kinds = ["halted", "sent", "continued"];
            assert_eq!(happened(usual, &kinds), ["sent"], "{usual:#}");
            assert_eq!(happened(stopped, &kinds), kinds, "{stopped:#}");
            assert_eq!((&usual["stopped_first"], &stopped["stopped_first"]), (&false.into(), &true.into()));
        }
    }
    scene.nothing_is_left();
}

#[test]
fn who_forgets_what_came_while_it_was_stopped_is_warned_of() {
    let scene = Scene::new();
    let report = check(&scene, &["--as", "pid1,child", "--grace", "2s"], FORGETS);
    for mode in ["pid1", "child"] {
        report.says(mode, &[("S01", "pass"), ("S02", "pass"), ("S20", "warn")]);
        let stopped = &report.group(mode)["runs"][1];
        assert_eq!(stopped["processes"][0]["ended"]["by"], "supervise", "{stopped:#}");
    }
    report.exits(0);
    scene.nothing_is_left();
}

#[test]
fn who_hangs_as_it_is_and_who_is_not_to_be_stopped_runs_once() {
    let scene = Scene::new();
    let hangs = "
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.write(1, b'ready\\n')
while True: signal.pause()
";
    let report = check(&scene, &["--as", "child", "--grace", "300ms"], hangs);
    report.says("child", &[("S01", "fail"), ("S20", "skip")]);
    assert_eq!(ways(&report, "child"), ["usual"]);
    let report = check(&scene, &["--as", "child", "--also", "none"], WITH_WORKER);
    report.says("child", &[("S01", "pass"), ("S20", "skip")]);
    assert_eq!(ways(&report, "child"), ["usual"]);
    scene.nothing_is_left();
}
