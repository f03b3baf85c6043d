//! `supervise check`: what its own look at a run leaves, and what could not be looked at.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::fs;

use libc::SIGKILL;

use harness::checked::{report, start};
use harness::{Scene, send};

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
