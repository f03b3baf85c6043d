//! `supervise check`: commands that no signal interrupts (state D), each with its own reason, and those that only seem so.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use harness::Scene;
use harness::checked::{READY, finding, report, tells};
use harness::slow::python;
use serde_json::Value;

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
feeds = 'import os, sys, time\\nwhile True: time.sleep(0.02); os.close(os.open(sys.argv[1], os.O_WRONLY))'
os.posix_spawn(sys.executable, ['python3', '-c', feeds, sys.argv[1]], {})
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

/// Writes to the disk for as long as it lives, when it is told, and says where it is: after so many milliseconds it goes on.
const WRITES: &str = "
import os, signal, sys, time
def work(*_):
    file = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY)
    begun, said = time.monotonic(), -1
    while True:
        at = time.monotonic() - begun
        if at - said > 0.05:
            said = at
            os.write(1, b'at %d\\n' % (at * 1000))
        os.pwrite(file, b'x' * 65536, 0)
        os.fsync(file)
signal.signal(signal.SIGTERM, work)
os.write(1, b'ready\\n')
while True: signal.pause()
";

/// Whether it was not seen to go on for so long before it was killed that it may have been in one fsync(2) all the time that
/// it is looked at for, a second: a disk that is as slow as that is told of as such.
fn is_slow_disk(run: &Value) -> bool {
    const LOOKED_AT: f64 = 1000.0;
    let said = run["output"]["tail"].as_array().expect("a list").iter().filter_map(Value::as_str);
    let last = said.filter_map(|line| line.strip_prefix("at ")?.parse::<f64>().ok()).next_back();
    let mut events = run["events"].as_array().expect("a list").iter();
    let killed = events.find(|event| event["kind"] == "killed").and_then(|event| event["ms"].as_f64());
    // It counts from its own begin, a moment after the signal.
    let told = run["signal_ms"].as_f64().expect("it was told");
    last.is_some_and(|last| killed.expect("it was killed") - told - last >= LOOKED_AT)
}

#[test]
fn who_writes_to_a_disk_is_not_told_to_be_stuck() {
    let scene = Scene::new();
    let file = scene.folder().join("data");
    // Whether it is in the disk's queue just when its time is over is chance: several times.
    let options = [&["--as", "child", "--also", "none", "--repeat", "5", "--grace", "300ms"], &READY[..]].concat();
    let report = report(&scene, &options, &[python(), "-c", WRITES, file.to_str().expect("ours")]);
    report.says("child", &[("S01", "fail")]);
    let runs = report.group("child")["runs"].as_array().expect("a list");
    assert_eq!(runs.len(), 5);
    let is_stuck = |run: &&Value| run["processes"][0]["at_deadline"]["state"] != "able";
    let stuck: Vec<&Value> = runs.iter().filter(is_stuck).collect();
    assert!(stuck.iter().all(|run| is_slow_disk(run)), "{:#}", report.whole);
    let blames_a_device = finding(&report, "child", "S01").to_string().contains("device");
    assert!(!blames_a_device || !stuck.is_empty(), "{:#}", report.whole);
    scene.nothing_is_left();
}
