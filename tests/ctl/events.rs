//! What is told of what happens.

use std::path::Path;

use serde_json::Value;

use crate::container::{Container, ROOT, as_root, is_root, supervise};
use crate::harness::running::Running;
use crate::harness::{Exit, Scene};

/// Each life says that it leaves something.
const SLEEPS: &str = "while :; do sleep 1000 & echo up; wait $!; done";

/// The names of events, without the times and pids of each.
fn names(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event"].as_str().expect("a name")).collect()
}

#[test]
fn a_life_is_told_from_its_start_to_the_end_of_all() {
    let Some(scene) = as_root() else { return };
    let options = ["--restart", "on-failure", "--restart-delay", "1ms", "--restart-limit", "2/1h"];
    let mut container = Container::saying("up", &scene, &options, SLEEPS);
    let mut reader = container.reads_from_outside();
    container.asks(&["signal", "WINCH"]);
    let forwarded = reader.next();
    assert_eq!((&forwarded["event"], &forwarded["number"]), (&"forwarded".into(), &28.into()));
    assert_eq!((&forwarded["by"]["cause"], &forwarded["by"]["from"]), (&"control".into(), &"process".into()));
    container.init.signal(libc::SIGWINCH);
    let forwarded = reader.next();
    assert_eq!((&forwarded["by"]["cause"], &forwarded["by"]["from"]), (&"signal".into(), &"outside".into()));
    container.asks(&["signal", "KILL"]);
    let mut events: Vec<Value> = std::iter::repeat_with(|| reader.next()).take(5).collect();
    assert_eq!(names(&events), ["forwarded", "ended", "stopping", "restarting", "started"], "{events:?}");
    assert_eq!((&events[1]["signal"], &events[1]["by"]), (&"SIGKILL".into(), &Value::Null));
    assert_eq!((&events[2]["step"], &events[2]["by"]), (&"leftovers".into(), &Value::Null));
    assert!(events[3]["milliseconds"].as_u64().is_some_and(|wait| (1..=2).contains(&wait)), "{events:?}");
    assert_eq!((&events[4]["restarts"], &events[4]["pid"]), (&1.into(), &container.status()["main"]));
    container.init.expect("up");
    container.asks(&["restart"]);
    events.extend(std::iter::repeat_with(|| reader.next()).take(5));
    assert_eq!(names(&events[5..]), ["request", "stopping", "ended", "stopping", "started"], "{events:?}");
    container.init.expect("up");
    let request = &events[5];
    assert_eq!((&request["what"], &request["result"]), (&"restart".into(), &"begun".into()));
    let told = &events[6];
    assert_eq!((&told["step"], &told["signal"]), (&"signal".into(), &"SIGTERM".into()));
    for event in &events[5..9] {
        let by = &event["by"];
        assert_eq!((&by["cause"], &by["uid"], &by["comm"]), (&"control".into(), &0.into(), &"supervise".into()));
        assert_eq!(by["pid"], request["by"]["pid"], "it is one request: {events:?}");
    }
    // Time goes on.
    let times: Vec<f64> = events.iter().map(|event| event["monotonic"].as_f64().expect("a number")).collect();
    assert!(times.is_sorted() && events.iter().all(|event| event["at"].as_f64().is_some_and(|at| at > 1.7e9)));
    container.init.signal(libc::SIGTERM);
    let (exit, before) = reader.until("exit");
    assert_eq!((before, &exit["code"]), (["stopping", "ended", "stopping"].map(String::from).into(), &143.into()));
    assert_eq!(container.init.wait(), Exit::Code(143));
    assert_eq!(reader.0.wait(), Exit::Code(0));
}

#[test]
fn giving_up_killing_and_refusals_are_told() {
    let Some(scene) = as_root() else { return };
    let options = ["--restart", "on-failure", "--restart-delay", "1ms", "--restart-limit", "1/1h", "--grace", "50ms"];
    let mut container = Container::saying("up", &scene, &options, "trap '' TERM; echo up; read line; exit 7");
    let mut reader = container.reads_from_outside();
    container.init.go();
    let (ended, _) = reader.until("ended");
    assert_eq!((&ended["code"], &ended["by"]), (&7.into(), &Value::Null));
    reader.until("started");
    container.init.go();
    assert_eq!(reader.until("given-up").0["restarts"], 1);
    assert_eq!(reader.until("exit").0["code"], 7);
    assert_eq!(container.init.wait(), Exit::Code(7));

    let scene = Scene::new();
    let script = "trap '' TERM; echo up; while :; do sleep 1000; done";
    let mut container = Container::saying("up", &scene, &["--grace", "5s", "--delay", "1ms"], script);
    let mut reader = container.reads(ROOT);
    let typed = container.command(ROOT, &[scene.folder().join("supervise").to_str().expect("UTF-8"), "shutdown", "+5"]);
    assert!({ typed }.status().expect("it runs").success());
    assert_eq!(reader.next()["what"], "poweroff at a time");
    container.asks(&["stop"]);
    let request = reader.until("request").0;
    assert_eq!((&request["what"], &request["result"]), (&"stop".into(), &"begun".into()));
    assert_eq!(reader.next()["step"], "delay");
    assert_eq!(reader.next()["step"], "signal");
    container.asks(&["stop"]);
    let under_way = reader.until("request").0;
    assert_eq!(under_way["result"], "under-way");
    let killed = reader.until("killed").0;
    assert_eq!(killed["comm"], "bash");
    let ended = reader.until("ended").0;
    assert_eq!((&ended["signal"], &ended["pid"]), (&"SIGKILL".into(), &killed["pid"]));
    assert_eq!(ended["by"]["pid"], request["by"]["pid"], "the first one has stopped it");
    assert_eq!(container.init.wait(), Exit::Code(137));
}

#[test]
fn people_get_a_line_each_and_whoever_is_told_to_end_does() {
    let Some(scene) = as_root() else { return };
    let container = Container::saying("up", &scene, &[], SLEEPS);
    let mut reader = container.begin(ROOT, &["events"]);
    let first = reader.line();
    assert!(first.ends_with("  it is running (pid 2)") || first.contains("  it is running (pid "), "{first}");
    container.asks(&["signal", "WINCH"]);
    let line = reader.line();
    assert!(line.contains("  SIGWINCH is passed on, by supervise (pid "), "{line}");
    // Where nothing stops it ends by a SIGTERM, and not before it has read what is there.
    let client = reader.pid();
    crate::harness::send(client, libc::SIGTERM, 1);
    assert_eq!(reader.wait(), Exit::Code(143));
    assert_eq!(container.status()["state"], "running");
}

#[test]
fn each_life_is_told_to_be_not_ready_before_it_is_ready() {
    let Some(scene) = as_root() else { return };
    let container = Container::saying("up", &scene, &["--ready", "fd:5"], "echo up; echo >&5; exec sleep 1000");
    container.wait_until("the readiness", |status| status["readiness"] == "ready");
    let mut reader = container.reads_from_outside();
    container.asks(&["restart"]);
    reader.until("started");
    let (_, before) = reader.until("ready");
    assert_eq!(before, ["not-ready"]);
}

#[test]
fn a_reader_inside_sees_the_end_of_a_command_that_ends_by_itself() {
    if !is_root() {
        return;
    }
    // It comes as a signal, which nobody forwards to readers, and which they are told of as what is left.
    for _ in 0..5 {
        let scene = Scene::new();
        let mut container = Container::saying("up", &scene, &[], SLEEPS);
        let mut reader = container.reads(ROOT);
        container.asks(&["signal", "KILL"]);
        assert_eq!(reader.until("exit").0["code"], 137);
        assert_eq!(container.init.wait(), Exit::Code(137));
    }
}

#[test]
fn that_the_command_goes_on_as_another_process_is_told_and_the_former_one_is_no_orphan() {
    let Some(scene) = as_root() else { return };
    let say = "import os, socket, sys
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'READY=1\\nMAINPID=' + sys.argv[1].encode(), os.environ['NOTIFY_SOCKET'])";
    let script = format!("sleep 1000 & python3 -c \"{say}\" $!; echo up; read line; exit 0");
    let mut container = Container::saying("up", &scene, &["-v", "--ready", "sd_notify"], &script);
    container.init.wait_until_said(&["as its main process"]);
    let before = container.status();
    let mut reader = container.reads(ROOT);
    container.init.go();
    let followed = reader.next();
    let after = container.status();
    assert_eq!((&followed["event"], &followed["former"]), (&"followed".into(), &before["main"]));
    assert_eq!(followed["pid"], after["main"]);
    assert_ne!(before["main"], after["main"]);
    assert_eq!((&after["orphans"], &after["state"]), (&0.into(), &"running".into()), "{after}");
    // Its end is the command's, and no orphan's.
    container.asks(&["signal", "TERM"]);
    let (ended, _) = reader.until("ended");
    assert_eq!((&ended["pid"], &ended["signal"]), (&after["main"], &"SIGTERM".into()));
    assert_eq!(container.init.wait(), Exit::Code(143));
}

/// A shell's script by root, in which `$0` is supervise.
fn shell<'s>(container: &Container<'s>, script: &str) -> Running<'s> {
    let path = supervise(container.scene);
    let command = container.command(ROOT, &["bash", "-c", script, &path]);
    Running::start(container.scene, command, 1, Path::new(&path))
}

#[test]
fn a_stop_in_a_delay_is_told_before_everybody_is_told_to_end() {
    let Some(scene) = as_root() else { return };
    let options = ["--restart", "always", "--restart-delay", "1h", "--restart-max-delay", "1h"];
    let mut container = Container::saying("up", &scene, &options, "echo up; read line; exit 7");
    let mut reader = container.reads(ROOT);
    container.init.go();
    reader.until("restarting");
    container.init.signal(libc::SIGTERM);
    let stopping = reader.next();
    assert_eq!((&stopping["event"], &stopping["step"]), (&"stopping".into(), &"leftovers".into()));
    assert_eq!((&stopping["by"]["signal"], &stopping["by"]["from"]), (&"SIGTERM".into(), &"outside".into()));
    assert_eq!(reader.next()["code"], 7);
    assert_eq!(container.init.wait(), Exit::Code(7));
}

#[test]
fn a_hangup_ends_a_reader_as_it_ends_others_unless_that_was_to_be_ignored() {
    let Some(scene) = as_root() else { return };
    let container = Container::saying("up", &scene, &[], SLEEPS);
    for (before, code) in [("", 129), ("trap '' HUP; ", 143)] {
        let mut reader = shell(&container, &format!("{before}exec \"$0\" ctl events"));
        assert!(reader.line().contains("  it is running (pid "));
        crate::harness::send(reader.pid(), libc::SIGHUP, 1);
        if code == 143 {
            container.asks(&["signal", "WINCH"]);
            assert!(reader.line().contains("  SIGWINCH is passed on"));
            crate::harness::send(reader.pid(), libc::SIGTERM, 1);
        }
        assert_eq!(reader.wait(), Exit::Code(code), "{before}");
    }
}

#[test]
fn who_is_not_read_any_more_ends_and_waits_for_no_event() {
    let Some(scene) = as_root() else { return };
    let container = Container::saying("up", &scene, &[], SLEEPS);
    // Nothing happens: it is its reader's end that ends it, of a pipe and of a socket.
    let socket = "import socket, subprocess, sys; ours, its = socket.socketpair()
reader = subprocess.Popen([sys.argv[1], 'ctl', 'events'], stdout=its); its.close(); ours.recv(1); ours.close()
print(reader.wait())";
    for (script, said) in [
        ("\"$0\" ctl events | { read line; exec <&-; }; echo ${PIPESTATUS[0]}", "141"),
        (&*format!("python3 -c \"{socket}\" \"$0\""), "141"),
    ] {
        let ended = shell(&container, script).end();
        assert_eq!((ended.stdout, ended.stderr.len()), (vec![said.to_owned()], 0));
    }
    // A file has no reader.
    let file = scene.folder().join("file");
    let mut reader = shell(&container, &format!("exec \"$0\" ctl events >{}", file.display()));
    let line = || std::fs::read_to_string(&file).ok().filter(|text| text.ends_with('\n'));
    scene.deadline.until("a line", line);
    crate::harness::send(reader.pid(), libc::SIGTERM, 1);
    assert_eq!(reader.wait(), Exit::Code(143));
}

#[test]
fn who_has_no_stdout_is_told_so_and_tells_process_1_nothing() {
    let Some(scene) = as_root() else { return };
    let mut container = Container::saying("up", &scene, &["-v"], "echo up; read line");
    for closed in [">&-", "<&- >&-", ">&- 2>&-"] {
        let path = supervise(&scene);
        let events = container.command(ROOT, &["sh", "-c", &format!("exec {path} ctl events {closed}")]);
        let ended = Running::start(&scene, events, 1, path.as_ref()).end();
        assert_eq!(ended.exit, Exit::Code(125), "{closed}: {ended:?}");
        let said = ended.stderr.iter().filter(|line| line.contains("cannot write to stdout: bad file descriptor"));
        assert_eq!(said.count(), usize::from(!closed.contains("2>&-")), "{closed}: {ended:?}");
    }
    container.init.go();
    let ended = container.init.end();
    assert!(!ended.stderr.iter().any(|line| line.contains("is no request")), "{ended:?}");
}
