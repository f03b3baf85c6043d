//! `supervise check`: what the command says while it runs, in its output and by sd_notify(3).

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use serde_json::Value;

use harness::Scene;
use harness::checked::{Report, finding, report, tells};
use harness::slow::python;

#[test]
fn sd_notify_is_listened_to() {
    let scene = Scene::new();
    let program = "
import os, signal, socket
name = os.environ['NOTIFY_SOCKET']
ours = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
def stop(*_):
    ours.sendto(b'STOPPING=1\\nSTATUS=one\\x1b[2Jtwo\\n', '\\0' + name[1:])
    os._exit(0)
signal.signal(signal.SIGTERM, stop)
ours.sendto(b'READY=1', '\\0' + name[1:])
while True: signal.pause()
";
    let command = [python(), "-c", program];
    let report = report(&scene, &["--as", "pid1,init", "--ready", "sd_notify"], &command);
    for mode in ["pid1", "init"] {
        let notify = &report.run(mode)["notify"];
        assert!(notify["ready_ms"].is_number() && notify["stopping_ms"].is_number(), "{notify}");
        assert_eq!(notify["status"], "one\u{fffd}[2Jtwo");
    }
    report.exits(0);
}

#[test]
fn a_line_shows_readiness_however_long_it_is() {
    let scene = Scene::new();
    for length in [5000, 200_000] {
        let program = format!(
            "import os, signal\nsignal.signal(signal.SIGTERM, lambda *_: os._exit(0))\nlong = b'0' * {length} + b'READY\\n'\n\
             while long: long = long[os.write(1, long):]\nwhile True: signal.pause()"
        );
        let options = ["--as", "child", "--also", "none", "--ready", "log:READY$"];
        let report = report(&scene, &options, &[python(), "-c", &program]);
        report.says("child", &[("S01", "pass"), ("S02", "pass")]);
        let ready = events(&report).find(|event| event["kind"] == "ready").map(|event| event["by"].clone());
        assert_eq!(ready, Some("log:READY$".into()));
    }
    scene.nothing_is_left();
}

fn events(report: &Report) -> impl Iterator<Item = &Value> {
    report.run("child")["events"].as_array().expect("a list").iter()
}

/// Asks for so many microseconds when it is told to stop, and ends so many seconds later.
const ASKS: &str = "
import os, signal, socket, sys, time
def say(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        ours.sendto(text, '\\0' + os.environ['NOTIFY_SOCKET'][1:])
def stop(*_):
    say(b'STOPPING=1\\nEXTEND_TIMEOUT_USEC=' + sys.argv[1].encode())
    time.sleep(float(sys.argv[2]))
    os._exit(0)
signal.signal(signal.SIGTERM, stop)
say(b'EXTEND_TIMEOUT_USEC=99000000\\nREADY=1')
while True: signal.pause()
";

#[track_caller]
fn asks(scene: &Scene, options: &[&str], words: [&str; 2]) -> Report {
    let fixed = ["--as", "child", "--also", "none", "--ready", "sd_notify", "--grace", "2s"];
    report(scene, &[&fixed, options].concat(), &[python(), "-c", ASKS, words[0], words[1]])
}

#[test]
fn more_time_is_given_to_who_asks_for_it_where_systemd_would() {
    let scene = Scene::new();
    let given = asks(&scene, &["--profile", "systemd"], ["60000000", "2.5"]);
    given.says("child", &[("S01", "pass"), ("S02", "pass"), ("S18", "pass"), ("S23", "pass")]);
    assert!(given.run("child")["took_ms"].as_f64().is_some_and(|took| took >= 2500.0), "{:#}", given.run("child"));
    assert!(!events(&given).any(|event| event["kind"] == "killed" && event["count"] != 0));
    let evidence = finding(&given, "child", "S23")["evidence"].to_string();
    assert!(evidence.contains("it asked for 60.") && evidence.contains("which systemd gives it"), "{evidence}");
    given.exits(0);

    // What it has asked for while it started is not for its stop, and all others do not listen.
    let alone = asks(&scene, &["--target", "tree"], ["60000000", "1000"]);
    alone.says("child", &[("S01", "fail"), ("S02", "fail"), ("S23", "pass")]);
    tells(&alone, "child", "S01", "it asked for 60.", "--profile systemd");
    alone.exits(1);

    // Who asks for less has what it would have had.
    let less = asks(&scene, &["--profile", "systemd"], ["1", "1000"]);
    less.says("child", &[("S01", "fail"), ("S02", "fail"), ("S23", "pass")]);
    assert!(!finding(&less, "child", "S01")["cause"].to_string().contains("it asked for"));
    let told = less.run("child")["signal_ms"].as_f64().expect("it was told");
    let killed = events(&less).find(|event| event["kind"] == "killed").and_then(|event| event["ms"].as_f64());
    assert!(killed.is_some_and(|killed| killed - told >= 2000.0), "{killed:?} {told}");
    less.exits(1);
    scene.nothing_is_left();
}
