//! Programs that are written to break `supervise check`: its verdict is right all the same, and nothing is left.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use harness::Scene;
use harness::checked::{Report, finding, report, tells};
use harness::slow::python;

/// What they have in common.
const COMMON: &str = "
import ctypes, os, signal, sys, time
def ready(): os.write(1, b'ready\\n')
def on_term(what): signal.signal(signal.SIGTERM, lambda *_: what())
def forever():
    while True: signal.pause()
def name(bytes): ctypes.CDLL(None).prctl(15, bytes, 0, 0, 0)
";

#[track_caller]
fn hostile(scene: &Scene, mode: &str, program: &str) -> Report {
    within(scene, "20s", mode, program)
}

#[track_caller]
fn within(scene: &Scene, grace: &str, mode: &str, program: &str) -> Report {
    let program = format!("{COMMON}{program}");
    let options = ["--as", mode, "--grace", grace, "--ready-timeout", "90s", "--ready", "log:^ready$"];
    report(scene, &options, &[python(), "-c", &program])
}

#[test]
fn who_forks_while_it_dies_leaves_nothing() {
    let scene = Scene::new();
    let program = "
def die():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for _ in range(50):
        if os.fork() == 0:
            os.fork()
            forever()
    os._exit(0)
on_term(die)
ready()
forever()
";
    for (mode, by) in [("pid1", "kernel"), ("child", "supervise")] {
        let report = hostile(&scene, mode, program);
        report.says(mode, &[("S02", "pass"), ("S06", "fail")]);
        let processes = report.run(mode)["processes"].as_array().expect("a list");
        let cut_off = processes.iter().filter(|process| process["ended"]["by"] == by).count();
        assert!(cut_off > 0 && processes.iter().all(|process| process["ended"].is_object()), "{mode}: {cut_off}");
        report.exits(1);
        scene.nothing_is_left();
    }
}

#[test]
fn five_thousand_children_are_all_seen() {
    let scene = Scene::new();
    let (fifo, _open) = scene.fifo("held");
    let script = format!(
        "exec 3<>{}; trap 'exit 0' TERM; i=0; while [ $i -lt 5000 ]; do read x <&3 & i=$((i+1)); done; echo ready; wait",
        fifo.display()
    );
    let options = ["--as", "child", "--also", "none", "--ready-timeout", "100s", "--ready", "log:ready"];
    let report = report(&scene, &options, &["sh", "-c", &script]);
    report.says("child", &[("S01", "pass"), ("S02", "pass"), ("S06", "fail")]);
    let run = report.run("child");
    assert_eq!(run["most_processes"], 5001);
    let processes = run["processes"].as_array().expect("a list");
    let killed = processes.iter().filter(|process| process["ended"]["by"] == "supervise").count();
    assert_eq!(killed, 5000);
    // What all of them had open would take too long to see.
    report.says("child", &[("S16", "skip")]);
    assert!(
        finding(&report, "child", "S16").to_string().contains("there were more at the end than are all looked into")
    );
    report.exits(1);
    scene.nothing_is_left();
}

#[test]
fn names_may_hold_anything() {
    let scene = Scene::new();
    let program = "
name(b'a) R 1 (1\\n')
on_term(lambda: os._exit(0))
if os.fork() == 0:
    name(b') Z\\x1b[2J(')
    ready()
    forever()
forever()
";
    let report = hostile(&scene, "child", program);
    report.says("child", &[("S01", "pass"), ("S06", "fail"), ("S09", "pass")]);
    let processes = &report.run("child")["processes"];
    assert_eq!(processes[1]["parent"], processes[0]["pid"]);
    assert_eq!((&processes[0]["comm"], &processes[1]["comm"]), (&"a) R 1 (1 ".into(), &") Z\u{fffd}[2J(".into()));
    scene.nothing_is_left();
}

#[test]
fn who_closes_its_output_is_judged_by_its_end() {
    let scene = Scene::new();
    let program = "
on_term(lambda: os._exit(7))
ready()
os.close(1)
os.close(2)
forever()
";
    for mode in ["pid1", "child"] {
        let report = hostile(&scene, mode, program);
        report.says(mode, &[("S01", "pass"), ("S02", "fail"), ("S17", "pass")]);
        assert_eq!(report.run(mode)["processes"][0]["ended"]["status"]["code"], 7);
    }
    scene.nothing_is_left();
}

#[test]
fn a_flood_does_not_keep_the_end_from_being_seen() {
    let scene = Scene::new();
    let program = "
on_term(lambda: os._exit(0))
os.write(1, b'x' * 65535 + b'\\n')
ready()
while True:
    os.write(1, b'x' * 65535 + b'\\n')
    os.write(2, b'\\x1b[2J' * 9999)
";
    for mode in ["pid1", "child"] {
        let report = hostile(&scene, mode, program);
        report.says(mode, &[("S01", "pass"), ("S02", "pass"), ("S06", "pass")]);
        let output = &report.run(mode)["output"];
        assert!(output["bytes"].as_u64().is_some_and(|bytes| bytes > 65_536), "{output}");
        assert!(!report.whole.to_string().contains('\u{1b}'));
    }
    scene.nothing_is_left();
}

#[test]
fn who_stops_itself_is_killed_and_told_of_as_stopped() {
    let scene = Scene::new();
    let program = "
on_term(lambda: os.kill(os.getpid(), signal.SIGSTOP))
ready()
forever()
";
    let report = within(&scene, "2s", "child", program);
    report.says("child", &[("S01", "fail"), ("S02", "fail")]);
    tells(&report, "child", "S01", "stopped", "SIGCONT");
    assert_eq!(report.run("child")["processes"][0]["at_deadline"]["state"], "stopped");
    report.exits(1);
    scene.nothing_is_left();
}

#[test]
fn zombies_are_seen() {
    let scene = Scene::new();
    let program = "
for code in range(20):
    if os.fork() == 0: os._exit(0)
on_term(lambda: os._exit(0))
# What is not reaped after a second counts.
time.sleep(1.2)
ready()
forever()
";
    let report = hostile(&scene, "child", program);
    report.says("child", &[("S01", "pass"), ("S09", "fail")]);
    tells(&report, "child", "S09", "does not wait (wait(2)) for children", "let it wait for them");
    assert!(finding(&report, "child", "S09")["evidence"].to_string().contains("20 processes not reaped"));
    report.exits(1);
    let processes = report.run("child")["processes"].as_array().expect("a list");
    assert_eq!(processes.iter().filter(|process| process["state"] == "zombie").count(), 20);
    scene.nothing_is_left();
}

#[test]
fn ten_sessions_are_one_run() {
    let scene = Scene::new();
    let program = "
for _ in range(10):
    child = os.fork()
    if child == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            forever()
        os._exit(0)
    os.waitpid(child, 0)
on_term(lambda: os._exit(0))
ready()
forever()
";
    for (mode, by) in [("pid1", "kernel"), ("child", "supervise")] {
        let report = hostile(&scene, mode, program);
        report.says(mode, &[("S01", "pass"), ("S06", "fail")]);
        let processes = report.run(mode)["processes"].as_array().expect("a list");
        let left: Vec<_> = processes.iter().filter(|process| process["ended"]["by"] == by).collect();
        let sessions: std::collections::BTreeSet<_> = left.iter().map(|process| process["session"].as_i64()).collect();
        assert_eq!((left.len(), sessions.len()), (10, 10), "{mode}: {processes:#?}");
        report.exits(1);
    }
    scene.nothing_is_left();
}

#[test]
fn who_kills_all_that_it_can_kills_nothing_of_ours() {
    let scene = Scene::new();
    let program = "
def die():
    for target in [-1, 0, os.getppid()]:
        try:
            if target != 0: os.kill(target, signal.SIGKILL)
        except OSError: pass
    os._exit(5)
on_term(die)
if os.fork() == 0: forever()
ready()
forever()
";
    for mode in ["pid1", "child", "init"] {
        let report = hostile(&scene, mode, program);
        report.says(mode, &[("S01", "pass"), ("S02", "fail")]);
        assert_eq!(report.run(mode)["processes"][0]["ended"]["status"]["code"], 5, "{:#}", report.run(mode));
        report.exits(1);
    }
    scene.nothing_is_left();
}
