//! The exit report: what it tells of a run, as JSON that a strict reader takes, and as lines.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use harness::launch::{EVERYWHERE, Launch, Place, WAYS};
use harness::{Exit, Scene, proc, send};
use libc::{SIGKILL, SIGTERM};
use serde_json::{Value, json};

/// As much as Kubernetes reads of a termination log.
const PAGE: usize = 4096;

/// A file that everybody may write to.
fn file(scene: &Scene) -> PathBuf {
    let path = scene.folder().join("report");
    fs::write(&path, "").expect("the folder is ours");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).expect("the file is ours");
    path
}

/// supervise with a report into that file.
fn reporting<'s>(scene: &'s Scene, place: Place, file: &Path) -> Launch<'s> {
    scene.supervise().place(place).options(&["--exit-report", file.to_str().expect("made by us")])
}

/// What is in the file: one line, one object, not too long.
#[track_caller]
fn read(file: &Path) -> Value {
    let text = fs::read(file).expect("it is there");
    let text = String::from_utf8(text).expect("JSON is UTF-8");
    assert!(text.len() <= PAGE, "{} bytes", text.len());
    assert!(text.ends_with("}\n") && text.lines().count() == 1, "{text:?}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[track_caller]
fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().expect("it is an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[track_caller]
fn seconds(value: &Value) -> f64 {
    let seconds = value.as_f64().unwrap_or_else(|| panic!("no number: {value}"));
    assert!((0.0..60.0).contains(&seconds), "{seconds}");
    seconds
}

/// The rungs by their names, the signal with the name of its own.
fn rungs(report: &Value) -> Vec<String> {
    let rungs = report["rungs"].as_array().expect("it is a list");
    let name = |rung: &Value| match (rung["rung"].as_str(), rung["signal"].as_str()) {
        (Some("signal"), Some(signal)) => signal.to_owned(),
        (name, _) => name.expect("each has a name").to_owned(),
    };
    rungs.iter().map(name).collect()
}

/// How the processes ended, by number, sorted: what is not there is left out.
fn ends_of_processes(report: &Value) -> Vec<String> {
    let processes = report["processes"].as_array().expect("it is a list");
    let end = |process: &Value| {
        assert!(process["pid"].as_i64().is_some_and(|pid| pid > 0), "{process}");
        let facts = ["comm", "code", "signal", "killed", "left_behind"];
        facts.iter().filter_map(|fact| process.get(fact)).map(Value::to_string).collect::<Vec<_>>().join(" ")
    };
    let mut all: Vec<String> = processes.iter().map(end).collect();
    all.sort();
    all
}

#[test]
fn a_plain_end_is_told_in_full() {
    for (place, by) in WAYS {
        let scene = Scene::new();
        let path = file(&scene);
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_secs_f64();
        let before = now();
        let launch = scene.supervise().place(place).given(by, "exit-report", path.to_str().expect("made by us"));
        let mut init = launch.probe("ready, read, exit 3").spawn();
        init.expect("ready");
        let (main, probe) = (proc::inner_pid(init.main_pid()), init_command(&init));
        init.go();
        assert_eq!(init.wait(), Exit::Code(3), "{place:?}");
        let report = read(&path);
        let fields = [
            "command",
            "exit",
            "main",
            "more",
            "processes",
            "rungs",
            "schema",
            "seconds",
            "started",
            "stop",
            "version",
        ];
        assert_eq!(keys(&report), fields);
        assert_eq!(report["schema"], 1);
        assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
        // To the millisecond, cut off.
        let started = report["started"].as_f64().expect("it is a number");
        assert!((before - 0.001..now()).contains(&started), "{started}");
        assert_eq!(report["command"].as_str(), Some(probe.as_str()));
        assert_eq!(report["stop"], Value::Null);
        assert_eq!(keys(&report["main"]), ["at", "code", "pid"]);
        assert_eq!((report["main"]["pid"].as_i64(), &report["main"]["code"]), (main.map(i64::from), &json!(3)));
        assert!(seconds(&report["main"]["at"]) <= seconds(&report["seconds"]));
        assert_eq!(report["exit"], json!({ "code": 3 }));
        assert_eq!((&report["rungs"], &report["processes"], &report["more"]), (&json!([]), &json!([]), &json!(0)));
    }
}

/// The first word of the payload.
fn init_command(init: &harness::running::Running) -> String {
    let words = fs::read(format!("/proc/{}/cmdline", init.main_pid())).expect("it runs");
    String::from_utf8_lossy(words.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
}

#[test]
fn mains_end_and_ours_are_told_apart() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let path = file(&scene);
        reporting(&scene, place, &path).probe("die TERM").end();
        let report = read(&path);
        assert_eq!(keys(&report["main"]), ["at", "pid", "signal"]);
        assert_eq!(report["main"]["signal"], "SIGTERM");
        let ours = if place == Place::Child { json!({ "signal": "SIGTERM" }) } else { json!({ "code": 143 }) };
        assert_eq!(report["exit"], ours, "{place:?}");
        reporting(&scene, place, &path).options(&["--exit-map", "TERM=7"]).probe("die TERM").end();
        assert_eq!(read(&path)["exit"], json!({ "code": 7 }));
    }
}

#[test]
fn who_asked_for_the_stop_is_named_as_far_as_that_is_known() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let path = file(&scene);
        // From without: the test itself, which a namespace does not show.
        let mut init = reporting(&scene, place, &path).probe("ready, wait").spawn();
        init.expect("ready");
        init.signal(SIGTERM);
        init.wait();
        let stop = read(&path)["stop"].clone();
        assert_eq!((&stop["cause"], &stop["signal"]), (&json!("signal"), &json!("SIGTERM")));
        seconds(&stop["at"]);
        if place == Place::Child {
            assert_eq!(keys(&stop), ["at", "cause", "comm", "from", "pid", "signal", "uid"]);
            let ours = i64::from(std::process::id());
            let comm = fs::read_to_string("/proc/self/comm").expect("we have a name");
            let uid = nix::unistd::getuid().as_raw();
            assert_eq!((&stop["from"], &stop["pid"], &stop["uid"]), (&json!("process"), &json!(ours), &json!(uid)));
            assert_eq!(stop["comm"].as_str(), Some(comm.trim_end()));
        } else {
            assert_eq!(keys(&stop), ["at", "cause", "from", "signal"]);
            assert_eq!(stop["from"], "outside", "{place:?}");
        }
        // From within: main asks, and is still there.
        let mut init = reporting(&scene, place, &path).probe("ready, read, send TERM 1 parent, wait").spawn();
        init.expect("ready");
        let main = init.main_pid();
        let inner = proc::inner_pid(main);
        init.go();
        init.wait();
        let stop = &read(&path)["stop"];
        assert_eq!((&stop["from"], stop["pid"].as_i64()), (&json!("process"), inner.map(i64::from)), "{place:?}");
        assert_eq!((&stop["comm"], &stop["signal"]), (&json!("probe"), &json!("SIGTERM")));
    }
}

#[test]
fn the_signal_that_was_received_is_told_and_the_one_that_was_sent() {
    let scene = Scene::new();
    let path = file(&scene);
    let mut init =
        reporting(&scene, Place::Child, &path).options(&["--stop-signal", "RTMIN+3"]).probe("ready, wait").spawn();
    init.expect("ready");
    init.signal(37);
    assert_eq!(init.wait(), Exit::Signal(37));
    let report = read(&path);
    assert_eq!(report["stop"]["signal"], "SIGRTMIN+3");
    assert_eq!(rungs(&report), ["SIGRTMIN+3"]);
    assert_eq!((&report["main"]["signal"], &report["exit"]["signal"]), (&json!("SIGRTMIN+3"), &json!("SIGRTMIN+3")));
}

#[test]
fn each_rung_is_told_with_its_time() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let path = file(&scene);
        let options = ["--delay", "30ms", "--stop-signal", "QUIT:30ms,INT:30ms,KILL", "--leftover-grace", "30ms"];
        let launch = reporting(&scene, place, &path).options(&options);
        let mut init = launch.probe("block all, fork setsid wait, end, ready, wait").spawn();
        init.expect("ready");
        init.signal(SIGTERM);
        init.wait();
        let report = read(&path);
        assert_eq!(rungs(&report), ["delay", "SIGQUIT", "SIGINT", "kill", "leftovers", "kill-leftovers"], "{place:?}");
        let all = report["rungs"].as_array().expect("it is a list");
        // Each lasts until the next, and the last to the end; each number is cut off at the millisecond.
        let ends = all.iter().skip(1).map(|rung| seconds(&rung["at"])).chain([seconds(&report["seconds"])]);
        for (rung, end) in all.iter().zip(ends) {
            let took = end - seconds(&rung["at"]) - seconds(&rung["seconds"]);
            assert!(took.abs() < 0.002, "{rung} until {end}");
        }
        for rung in &all[..3] {
            // It is reached a little before it is noted.
            assert!(seconds(&rung["seconds"]) >= 0.02, "{rung}");
        }
        assert_eq!(seconds(&all[0]["at"]), seconds(&report["stop"]["at"]));
        assert_eq!((&report["main"]["signal"], &report["main"]["killed"]), (&json!("SIGKILL"), &json!(true)));
        assert_eq!(ends_of_processes(&report), ["\"probe\" \"SIGKILL\" true"]);
    }
}

#[test]
fn leftovers_are_told_by_how_they_ended() {
    let scenes = EVERYWHERE.map(|place| (place, Scene::new()));
    // Side by side. What is told needs less than that to end, also on a loaded machine.
    let all = scenes.each_ref().map(|(place, scene)| {
        let path = file(scene);
        let launch = reporting(scene, *place, &path).options(&["--leftover-grace", "10s"]);
        let verbs = "block all, fork setsid await TERM, exit 5, end, fork setsid unblock TERM, wait, end, \
                     daemon setsid wait, end, read, exit 3";
        let mut init = launch.probe(verbs).spawn();
        scene.deadline.until("the daemon", || (proc::children(init.pid()).len() == 2).then_some(()));
        let main = init.main_pid();
        scene.deadline.until("the workers", || (living_children(main) == 2).then_some(()));
        init.go();
        (place, path, init)
    });
    for (place, path, mut init) in all {
        assert_eq!(init.wait(), Exit::Code(3), "{place:?}");
        let report = read(&path);
        assert_eq!(report["stop"], Value::Null, "nobody has asked for one");
        assert_eq!(rungs(&report), ["leftovers", "kill-leftovers"]);
        let all = ends_of_processes(&report);
        let mut ends: Vec<&str> = all.iter().map(|end| end.trim_start_matches("\"probe\" ")).collect();
        ends.sort_unstable();
        // The names of those that end at once as process 1 tells all are not always found out.
        assert_eq!(ends, ["\"SIGKILL\" true", "\"SIGTERM\"", "5"]);
        let killed = |process: &&Value| process.get("killed").is_some();
        let killed = report["processes"].as_array().expect("it is a list").iter().find(killed);
        assert_eq!(killed.expect("one was")["comm"], "probe");
        assert_eq!(report["more"], 0);
        for process in report["processes"].as_array().expect("it is a list") {
            assert!(seconds(&process["at"]) >= seconds(&report["main"]["at"]), "{report}");
        }
    }
}

fn living_children(pid: i32) -> usize {
    proc::children(pid).into_iter().filter(|child| proc::state(*child) != Some('Z')).count()
}

#[test]
fn waiting_is_a_rung_and_what_ended_before_main_is_nobodys_concern() {
    let scene = Scene::new();
    let path = file(&scene);
    let launch = reporting(&scene, Place::Child, &path).options(&["--leftovers", "wait"]);
    let mut init = launch.probe("orphans 3, block USR1, fork setsid await USR1, end, ready, read, exit 3").spawn();
    init.expect("ready");
    let main = init.main_pid();
    scene.deadline.until("the orphans to be reaped", || (proc::children(init.pid()).len() == 1).then_some(()));
    let worker = *proc::children(main).last().expect("it was forked");
    init.go();
    scene.deadline.until("main's end", || proc::state(main).is_none().then_some(()));
    send(worker, libc::SIGUSR1, 1);
    assert_eq!(init.wait(), Exit::Code(3));
    let report = read(&path);
    assert_eq!((&report["stop"], rungs(&report)), (&Value::Null, vec!["wait".to_owned()]));
    // It was never told anything, so nobody has looked for its name.
    assert_eq!(ends_of_processes(&report), ["0"]);
}

#[test]
fn the_longest_time_is_a_cause_of_its_own() {
    for options in [["--max-time", "50ms", "--stop-signal", "TERM"], ["--max-time", "50ms", "--stop-signal", "KILL"]] {
        let scene = Scene::new();
        let path = file(&scene);
        let ended = reporting(&scene, Place::Child, &path).options(&options).probe("wait").end();
        let report = read(&path);
        assert_eq!(keys(&report["stop"]), ["at", "cause"], "{ended:?} {report}");
        assert_eq!(report["stop"]["cause"], "max-time");
        // It counts from a little before the start.
        assert!(seconds(&report["stop"]["at"]) >= 0.03);
    }
}

#[test]
fn what_was_not_started_is_told_with_the_reason() {
    for place in EVERYWHERE {
        for (command, code, reason) in
            [("/no/such/command", 127, "/no/such/command: no such file"), ("/etc", 126, "/etc: it is a directory")]
        {
            let scene = Scene::new();
            let path = file(&scene);
            let ended = reporting(&scene, place, &path).argv(&[command]).end();
            assert_eq!(ended.exit, Exit::Code(code));
            let report = read(&path);
            assert!(report.get("main").is_none(), "{report}");
            assert_eq!((&report["command"], &report["exit"]), (&json!(command), &json!({ "code": code })));
            let told = report["not_started"].as_str().expect("it is a text");
            assert!(ended.stderr[0].contains(told), "{told:?} {ended:?}");
            let (path_word, _) = reason.split_once(':').expect("it has one");
            assert!(told.contains(path_word), "{told:?}");
        }
    }
}

#[test]
fn a_hundred_leftovers_with_the_worst_of_names_leave_it_short_and_whole() {
    for (place, grace) in [(Place::Child, "1h"), (Place::Pid1, "1h"), (Place::Child, "0")] {
        let scene = Scene::new();
        let path = file(&scene);
        // Each of its letters takes two in JSON.
        let named = scene.executable(&"\"".repeat(15), &fs::read(harness::probe()).expect("cargo built it"));
        let mut verbs: Vec<String> = Vec::new();
        let block = if grace == "0" { "block all" } else { "block HUP" };
        verbs.extend(block.split(' ').map(str::to_owned));
        for _ in 0..100 {
            verbs.extend("fork setsid ready wait end".split(' ').map(str::to_owned));
        }
        verbs.extend("read exit 3".split(' ').map(str::to_owned));
        let launch = reporting(&scene, place, &path).options(&["--leftover-grace", grace]);
        let words: Vec<String> = std::iter::once(named.to_str().expect("made by us").to_owned()).chain(verbs).collect();
        let mut init = launch.argv(&words).spawn();
        (0..100).for_each(|_| init.expect("ready"));
        init.go();
        let ended = init.end();
        assert_eq!(ended.exit, Exit::Code(3), "{place:?}");
        let report = read(&path);
        let listed = report["processes"].as_array().expect("it is a list");
        assert!(listed.len() > 10, "{} listed", listed.len());
        assert_eq!(listed.len() as u64 + report["more"].as_u64().expect("it is a number"), 100, "{place:?}");
        let end = if grace == "0" { "\"SIGKILL\" true" } else { "\"SIGTERM\"" };
        let name = Value::from("\"".repeat(15)).to_string();
        assert!(ends_of_processes(&report).iter().all(|one| *one == format!("{name} {end}")), "{report}");
        scene.nothing_is_left();
    }
}

#[test]
fn whatever_the_command_is_called_the_report_is_valid() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let scene = Scene::new();
    let path = file(&scene);
    let content = b"#!/bin/sh\nexit 3\n";
    let long = [b'x'; 255];
    for (name, shown) in [
        (&b"quote\"back\\slash"[..], "quote\"back\\slash".to_owned()),
        (b"line\nfeed\ttab\x01\x7f", "line\nfeed\ttab\u{1}\u{7f}".to_owned()),
        (b"not\xffutf\xfe8", "not\u{fffd}utf\u{fffd}8".to_owned()),
        ("größe 🦀".as_bytes(), "größe 🦀".to_owned()),
        (&long, String::new()),
    ] {
        let command = scene.folder().join(OsStr::from_bytes(name));
        fs::write(&command, content).expect("the folder is ours");
        fs::set_permissions(&command, fs::Permissions::from_mode(0o755)).expect("the file is ours");
        for launch in [reporting(&scene, Place::Child, &path), reporting(&scene, Place::Pid1, &path)] {
            assert_eq!(launch.argv(&[&command]).end().exit, Exit::Code(3));
            let report = read(&path);
            let told = report["command"].as_str().expect("it is a text");
            let folder = scene.folder().to_str().expect("made by us");
            assert!(told.starts_with(folder) && told.len() <= 256, "{told:?}");
            if !shown.is_empty() {
                assert_eq!(told, format!("{folder}/{shown}"));
            }
        }
    }
}

#[test]
fn what_cannot_be_killed_is_told_as_left_behind() {
    let scene = Scene::new();
    let path = file(&scene);
    // A dead process stays for its tracer until that has looked, and this one is stopped.
    let hold = |pid: i32| {
        let tracer = harness::running::strace(&scene, &[], pid);
        send(tracer.outer_pid(), libc::SIGSTOP, 1);
        scene.deadline.until("strace to stop", || (proc::state(tracer.outer_pid()) == Some('T')).then_some(()));
        tracer
    };
    let options = ["--stop-signal", "KILL", "--leftover-grace", "0"];
    let mut init = reporting(&scene, Place::Child, &path)
        .options(&options)
        .probe("fork setsid say worker, wait, end, wait")
        .spawn();
    init.expect("worker");
    let main = init.main_pid();
    let worker = proc::children(main)[0];
    let _tracers = [hold(main), hold(worker)];
    init.signal(SIGTERM);
    assert_eq!(init.wait(), Exit::Signal(SIGKILL), "{}", init.said());
    let report = read(&path);
    assert_eq!(report["main"], json!({ "pid": main, "left_behind": true }));
    assert_eq!(report["exit"], json!({ "signal": "SIGKILL" }));
    let listed = report["processes"].as_array().expect("it is a list");
    assert!(listed.contains(&json!({ "pid": worker, "comm": "probe", "left_behind": true })), "{report}");
}

#[test]
fn lines_for_people_tell_the_same() {
    for (place, by) in WAYS {
        let scene = Scene::new();
        let path = file(&scene);
        let launch = reporting(&scene, place, &path).given(by, "exit-report-format", "text");
        let launch = launch.options(&["--delay", "1ms", "--stop-signal", "INT:1ms,KILL", "--leftover-grace", "0"]);
        let mut init = launch.probe("block all, fork setsid wait, end, ready, wait").spawn();
        init.expect("ready");
        init.signal(SIGTERM);
        let end = init.wait();
        let text = fs::read_to_string(&path).expect("it is text");
        assert!(text.len() <= PAGE && text.ends_with('\n'), "{text}");
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].contains("probe (pid ") && lines[0].contains("was ended by SIGKILL"), "{text}");
        assert!(lines[0].ends_with("killed by supervise"), "{text}");
        assert!(lines[1].starts_with("stop asked for at ") && lines[1].contains(" by SIGTERM from "), "{text}");
        let starts = [
            "delay: ",
            "after SIGINT: ",
            "after SIGKILL: ",
            "telling what was left to end: ",
            "killing what was left: ",
        ];
        for (line, start) in lines[2..7].iter().zip(starts) {
            assert!(line.starts_with(start) && line.ends_with(" s"), "{line:?} in {text}");
        }
        assert!(
            lines[7].contains("(probe) was ended by SIGKILL") && lines[7].ends_with("killed by supervise"),
            "{text}"
        );
        let last = if end == Exit::Code(137) {
            "supervise ended with code 137"
        } else {
            "supervise ended by SIGKILL, as the command did"
        };
        assert_eq!(lines[8..], [last], "{text}");
    }
}
