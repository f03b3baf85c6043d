//! `supervise check`: commands that no signal interrupts (state D), each with its own reason, and those that only seem so.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use harness::Scene;
use harness::checked::{READY, finding, report, tells};
use harness::slow::python;

/// The child of posix_spawn opens its files before it executes; a FIFO without a writer takes forever.
const SPAWNS: &str = "
import os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
os.write(1, b'ready\\n')
os.posix_spawn('/bin/true', ['true'], {}, file_actions=[(os.POSIX_SPAWN_OPEN, 9, sys.argv[1], os.O_RDONLY, 0)])
";

#[test]
fn who_waits_in_vfork_is_told_with_its_child() {
    let scene = Scene::new();
    let fifo = scene.folder().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o666)).expect("the name is new");
    let options = [&["--as", "child,pid1", "--also", "none", "--grace", "1s"], &READY[..]].concat();
    let report = report(&scene, &options, &[python(), "-c", SPAWNS, fifo.to_str().expect("ours")]);
    for mode in ["child", "pid1"] {
        let processes = &report.run(mode)["processes"];
        assert_eq!(processes[0]["at_deadline"]["state"], "stuck", "{processes:#}");
        let child = format!("sits in vfork(2) (state D) until its child pid {} executes", processes[1]["pid"]);
        let (_, cure) = tells(&report, mode, "S01", &child, "see what keeps that child");
        assert!(!cure.contains("device"), "{cure}");
    }
    report.exits(1);
    scene.nothing_is_left();
}

/// Starts one program after another, each of which takes a while until it is executed.
const SPAWNS_ON: &str = "
import os, signal, sys
feeds = 'while :; do sleep 0.02; : >\"$0\"; done'
os.posix_spawn('/bin/sh', ['sh', '-c', feeds, sys.argv[1]], {})
signal.signal(signal.SIGTERM, lambda *_: None)
os.write(1, b'ready\\n')
while True:
    os.posix_spawn('/bin/true', ['true'], {}, file_actions=[(os.POSIX_SPAWN_OPEN, 9, sys.argv[1], os.O_RDONLY, 0)])
    os.wait()
";

#[test]
fn who_starts_one_program_after_another_is_not_told_to_be_stuck() {
    let scene = Scene::new();
    let fifo = scene.folder().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o666)).expect("the name is new");
    let options = [&["--as", "child", "--also", "none", "--grace", "1s"], &READY[..]].concat();
    let report = report(&scene, &options, &[python(), "-c", SPAWNS_ON, fifo.to_str().expect("ours")]);
    assert_eq!(report.run("child")["processes"][0]["at_deadline"]["state"], "able", "{:#}", report.whole);
    let (cause, _) = tells(&report, "child", "S01", "", "");
    assert!(!cause.contains("vfork"), "{cause}");
    scene.nothing_is_left();
}

/// Writes to the disk for as long as it lives, when it is told.
const WRITES: &str = "
import os, signal, sys
def work(*_):
    file = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY)
    while True:
        os.pwrite(file, b'x' * 65536, 0)
        os.fsync(file)
signal.signal(signal.SIGTERM, work)
os.write(1, b'ready\\n')
while True: signal.pause()
";

#[test]
fn who_writes_to_a_disk_is_not_told_to_be_stuck() {
    let scene = Scene::new();
    let file = scene.folder().join("data");
    // Whether it is in the disk's queue just when its time is over is chance: several times.
    let options = [&["--as", "child", "--also", "none", "--repeat", "5", "--grace", "300ms"], &READY[..]].concat();
    let report = report(&scene, &options, &[python(), "-c", WRITES, file.to_str().expect("ours")]);
    report.says("child", &[("S01", "fail")]);
    let runs = report.group("child")["runs"].as_array().expect("a list");
    let states: Vec<_> = runs.iter().map(|run| &run["processes"][0]["at_deadline"]["state"]).collect();
    assert_eq!(states, ["able"; 5], "{:#}", report.whole);
    assert!(!finding(&report, "child", "S01").to_string().contains("device"), "{:#}", report.whole);
    scene.nothing_is_left();
}
