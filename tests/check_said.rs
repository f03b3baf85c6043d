//! `supervise check`: what the command says while it runs, in its output and by sd_notify(3).

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use serde_json::Value;

use harness::Scene;
use harness::checked::{Report, report};
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
