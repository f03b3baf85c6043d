//! What `supervise check` says of programs that end, or do not, for reasons beside their own handler: its cause is true, and
//! what it advises helps.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use harness::checked::{PAUSE, READY, deaf, finding, passes, played, report, start, tells};
use harness::launch::Init;
use harness::running::refused;
use harness::slow::python;
use harness::{Scene, probe};

/// The init that cures advise.
fn ours() -> String {
    Init::Supervise.path().expect("cargo built it").to_str().expect("a path of ours").to_owned()
}

/// A program that ends with 0 when it is told, and says when it is ready.
const ENDS: &str = "import os, signal
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
os.write(1, b'ready\\n')
while True: signal.pause()";

#[test]
fn who_cleans_up_and_raises_the_signal_again_is_told_so_as_process_1() {
    let scene = Scene::new();
    let handler = "(os.write(1, b'cleaned up\\n'), signal.signal(15, signal.SIG_DFL), os.kill(os.getpid(), 15))";
    let program = [python(), "-c", &deaf(handler, PAUSE)];
    let report = played(&scene, "pid1,child", &[], &program);
    let (cause, _) = tells(&report, "pid1", "S01", "only raises SIGTERM again to die of it", "under an init");
    assert!(!cause.contains("orphan"), "{cause}");
    let evidence = finding(&report, "pid1", "S01")["evidence"].to_string();
    assert!(evidence.contains("and none at the end of the time"), "{evidence}");
    passes(&scene, "pid1", &[], &[&[&ours(), "--"], &program[..]].concat());
    scene.nothing_is_left();
}

#[test]
fn a_shell_that_ignores_the_signal_in_front_of_what_handles_it_is_to_be_told_with_all() {
    let scene = Scene::new();
    let script = ["sh", "-c", "trap '' TERM; \"$@\"; true", "sh", python(), "-c", ENDS];
    let report = played(&scene, "pid1,child", &[], &script);
    for mode in ["pid1", "child"] {
        for check in ["S01", "S24"] {
            let (_, cure) = tells(&report, mode, check, "", "supervise --kill-mode tree -- ");
            assert!(cure.starts_with("start it under an init"), "{cure}");
        }
        tells(&report, mode, "S01", "never gets it", "");
    }
    passes(&scene, "pid1,child", &[], &[&[&ours(), "--kill-mode", "tree", "--"], &script[..]].concat());
    scene.nothing_is_left();
}

#[test]
fn a_trap_that_signals_its_own_shell_is_told_as_what_it_is() {
    let scene = Scene::new();
    let script = |trap: &str| format!("trap \"{trap}\" TERM; \"$@\" & wait");
    let with = |trap: &str| -> Vec<String> {
        ["bash", "-c", &script(trap), "bash", python(), "-c", ENDS].map(str::to_owned).to_vec()
    };
    let words = with("kill 0");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let report = played(&scene, "pid1", &[], &words);
    let (cause, _) = tells(&report, "pid1", "S02", "`kill 0`", "begin with `trap '' TERM`, and end with `wait`");
    assert!(cause.contains("SIGSEGV"), "{cause}");
    let words = with("trap '' TERM; kill 0; wait");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    passes(&scene, "pid1,child", &[], &words);
    scene.nothing_is_left();
}

#[test]
fn who_does_not_survive_an_orphan_as_process_1_fails_by_that() {
    let scene = Scene::new();
    // It waits for the child that it has made as the leader of a session, and is at a loss when another one comes.
    let command = ["setsid", "--wait", python(), "-c", ENDS];
    let options = [&["--as", "pid1", "--also", "none"], &READY[..]].concat();
    let lost = report(&scene, &options, &command);
    lost.says("pid1", &[("S09", "fail"), ("S01", "inconclusive")]);
    tells(&lost, "pid1", "S09", "does not survive an orphan", "supervise -- COMMAND");
    tells(&lost, "pid1", "S01", "after an orphan was put in", "see S09");
    lost.exits(1);
    let options = [&["--as", "pid1", "--also", "none", "--ok-exit", "TERM,143"], &READY[..]].concat();
    let cured = report(&scene, &options, &[&[&ours(), "--"], &command[..]].concat());
    cured.says("pid1", &[("S09", "pass"), ("S01", "pass"), ("S06", "pass")]);
    scene.nothing_is_left();
}

#[test]
fn a_signal_that_ends_nothing_by_default_is_not_told_as_one_that_does() {
    let scene = Scene::new();
    let probe = probe();
    let command = [probe.to_str().expect("a path of ours"), "ready", "wait"];
    let report = played(&scene, "pid1,child", &["--signal", "WINCH"], &command);
    for mode in ["pid1", "child"] {
        let (_, cure) = tells(&report, mode, "S01", "ignores SIGWINCH", "install a handler");
        assert!(!cure.contains("init"), "{cure}");
    }
    for signal in ["TSTP", "TTIN", "TTOU"] {
        refused(&start(&scene, &["--signal", signal, "--", "true"]).end(), &["--signal", signal, "tells no program"]);
    }
    scene.nothing_is_left();
}
