//! `supervise check`: the runs beside the usual ones.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use harness::Scene;
use harness::checked::{Report, report, uncrossed};
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
            // An orphan is put in once, and its time waited for.
            let is_put_in = [usual, stopped].map(|run| !happened(run, &["put-in"]).is_empty());
            assert_eq!(is_put_in, [mode != "child", false], "{mode}");
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

/// Listens at both kinds of sockets, and when it is told to stop does one of the things that servers do.
const SERVES: &str = "
import os, select, signal, socket, struct, sys, time
how, path = sys.argv[1:]
tcp = socket.socket()
tcp.bind(('127.0.0.1', 0))
unix = socket.socket(socket.AF_UNIX)
unix.bind(path)
both = [tcp, unix]
for server in both: server.listen()
told = os.pipe()
signal.signal(signal.SIGTERM, lambda *_: os.write(told[1], b'x'))
os.write(1, b'ready\\n')
os.read(told[0], 1)
long = 3.5 if how == 'serves' else 0.7
end = time.monotonic() + long
if how == 'closes':
    for server in both: server.close()
    time.sleep(long)
elif how == 'leaves':
    time.sleep(long)
else:
    while (left := end - time.monotonic()) > 0:
        for server in select.select(both, [], [], left)[0]:
            client, _ = server.accept()
            if how == 'resets':
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            else:
                client.recv(512)
                client.sendall(b'HTTP/1.0 200 OK\\r\\n\\r\\n')
            client.close()
os.unlink(path)
os._exit(0)
";

/// Whether it is chance what became of a client of this run: it came before the server had closed its sockets, which some
/// do first of all, or was there when the server ended.
fn is_crossed(run: &Value, visit: &Value, closes: bool) -> bool {
    /// The server closes its sockets a moment before its end is seen.
    const LAG: f64 = 100.0;
    let ms = |of: &Value, field: &str| of[field].as_f64().unwrap_or(f64::INFINITY);
    let mut listeners = run["listeners"].as_array().expect("a list").iter();
    let listener = listeners.find(|listener| listener["address"] == visit["address"]).expect("it listens there");
    let is_early = closes && ms(visit, "ms") <= ms(listener, "closed_ms");
    is_early || ms(visit, "ended_ms") + LAG >= ms(&run["processes"][0]["ended"], "ms")
}

#[test]
fn clients_that_come_after_the_signal_tell_how_it_stops_listening() {
    for (how, outcomes, level) in [
        ("closes", &["refused"][..], "pass"),
        ("leaves", &["reset", "closed"], "fail"),
        ("resets", &["reset"], "fail"),
        ("serves", &["answered"], "warn"),
    ] {
        let scene = Scene::new();
        let path = scene.folder().join("socket");
        let path = path.to_str().expect("ours");
        let is_so = |visit: &Value| visit["outcome"].as_str().is_some_and(|outcome| outcomes.contains(&outcome));
        let options = ["--as", "child", "--also", "connections", "--grace", "20s", "--ready", "log:^ready$"];
        // The clients come by the clock, whatever the server has done by then.
        let are_crossed = |report: &Report| {
            assert_eq!(ways(report, "child"), ["usual", "connections"]);
            let run = &report.group("child")["runs"][1];
            let mut visits = run["connections"].as_array().expect("a list").iter();
            visits.any(|visit| !is_so(visit) && is_crossed(run, visit, how == "closes"))
        };
        let report = uncrossed(are_crossed, || report(&scene, &options, &[python(), "-c", SERVES, how, path]));
        let [usual, visited] = [0, 1].map(|at| report.group("child")["runs"][at]["connections"].as_array());
        assert_eq!(usual.map(Vec::len), Some(0), "{how}");
        let visited = visited.expect("a list");
        for kind in ["tcp 127.0.0.1:", &format!("unix {path}")] {
            let is_kind = |visit: &&Value| visit["address"].as_str().is_some_and(|it| it.starts_with(kind));
            let mut seen = visited.iter().filter(is_kind).peekable();
            assert!(seen.peek().is_some() && seen.all(is_so), "{how} {kind}: {visited:#?}");
        }
        report.says("child", &[("S01", "pass"), ("S11", level), ("S20", "skip")]);
        scene.nothing_is_left();
    }
}

#[test]
fn where_nothing_listens_nobody_comes() {
    let scene = Scene::new();
    let report = check(&scene, &["--as", "child", "--also", "connections,stopped"], WITH_WORKER);
    assert_eq!(ways(&report, "child"), ["usual", "stopped"]);
    report.says("child", &[("S11", "pass"), ("S20", "pass")]);
    scene.nothing_is_left();
}

#[test]
fn a_file_that_shows_readiness_is_new_in_each_run() {
    let scene = Scene::new();
    let file = scene.folder().join("up");
    let (ready, path) = (format!("file:{}", file.display()), file.display());
    // Told before its file is there it has no trap yet.
    let script = format!("sleep 0.3; trap 'exit 0' TERM; : >{path}; while :; do sleep 0.05; done");
    let words = ["--as", "child,pid1", "--ready", &ready];
    let told = report(&scene, &words, &["sh", "-c", &script]);
    for mode in ["child", "pid1"] {
        told.says(mode, &[("S01", "pass"), ("S02", "pass"), ("S20", "pass")]);
    }
    told.exits(0);
    // It is somebody else's now.
    let told = report(&scene, &words, &["sh", "-c", &script]);
    told.exits(2);
    assert!(file.exists(), "it is not ours to remove");
    scene.nothing_is_left();
}

#[test]
fn those_that_have_just_died_are_waited_for_until_they_are_zombies() {
    let scene = Scene::new();
    let program = "
import os, signal
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
for _ in range(12):
    if os.fork() == 0: os._exit(0)
while True: signal.pause()
";
    let told = report(&scene, &["--as", "child", "--also", "none"], &[python(), "-c", program]);
    told.says("child", &[("S01", "pass"), ("S09", "fail")]);
    told.exits(1);
    scene.nothing_is_left();
}

#[test]
fn who_starts_again_has_another_pid_as_it_would_without_a_check() {
    let scene = Scene::new();
    // As with a pid file: who finds its own number there takes itself for started already.
    let place = scene.folder().join("number").display().to_string();
    let program =
        format!("[ \"$(cat {place} 2>/dev/null)\" != $$ ] || exit 1; echo $$ >{place}; echo ready; exec sleep 1000");
    let options = ["--as", "child", "--also", "none", "--repeat", "3", "--ready", "log:^ready$"];
    let report = report(&scene, &options, &["sh", "-c", &program]);
    report.says("child", &[("S01", "pass"), ("S15", "pass")]);
    scene.nothing_is_left();
}
