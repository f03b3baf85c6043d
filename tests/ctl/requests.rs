//! A stop and a restart that are asked for: when, and by whom.

use std::fs;
use std::io::Write as _;

use nix::sys::signal::Signal;

use crate::container::{COUNTS, Container, ROOT, USER, as_root, is_root, supervise};
use crate::harness::running::Running;
use crate::harness::{Exit, Scene, proc, send};

#[test]
fn a_stop_ends_with_the_commands_code_as_sigterm_does_and_is_not_undone() {
    if !is_root() {
        return;
    }
    for (trap, words, code) in [
        ("", &["stop"][..], 143),
        ("trap 'exit 9' TERM; ", &["stop"], 9),
        ("trap 'exit 9' TERM; ", &["stop", "--wait"], 9),
        ("trap 'exit 9' TERM; ", &["signal", "TERM"], 9),
        ("trap 'exit 0' TERM; ", &["stop", "--timeout", "1h"], 0),
    ] {
        let scene = Scene::new();
        let options = ["--restart", "always", "--restart-delay", "1ms"];
        let container = Container::saying("run 1", &scene, &options, &format!("{trap}{COUNTS}"));
        container.asks(words);
        let ended = container.init.end();
        assert_eq!((ended.exit, ended.stdout.len()), (Exit::Code(code), 0), "{trap} {words:?} {ended:?}");
    }
}

#[test]
fn what_does_not_end_is_killed_as_after_a_poweroff_and_a_wait_ends_in_time() {
    let Some(scene) = as_root() else { return };
    let mut container =
        Container::saying("up", &scene, &["--grace", "1h"], "trap '' TERM; echo up; while :; do sleep 1000; done");
    container.is_refused(
        ROOT,
        &["stop", "--wait", "--timeout", "1ms"],
        124,
        "ctl stop: it has not happened within 1ms",
    );
    // A stop is what is wanted, so that it is no error; a restart is another matter.
    container.asks(&["stop"]);
    container.is_refused(ROOT, &["restart"], 1, "ctl restart: a stop is under way already");
    assert_eq!(container.status()["state"], "stopping");
    assert_eq!(container.ctl(ROOT, &["status", "--check"]).exit, Exit::Code(1));
    container.asks(&["signal", "KILL"]);
    assert_eq!(container.init.wait(), Exit::Code(137));
}

#[test]
fn a_restart_starts_it_again_whatever_the_policy_says() {
    if !is_root() {
        return;
    }
    for options in [&[][..], &["--restart", "on-failure"], &["--restart", "always", "--restart-delay", "1h"]] {
        let scene = Scene::new();
        let mut container = Container::saying("run 1", &scene, options, COUNTS);
        // What others have brought in is none of it.
        let other = container.command(ROOT, &["sleep", "1000"]).spawn().expect("nsenter");
        let other_pid = i32::try_from(other.id()).expect("a pid");
        let inner = scene.deadline.until("sleep", || {
            proc::children(other_pid).into_iter().find(|pid| proc::name(*pid).as_deref() == Some("sleep"))
        });
        for run in 2..=4 {
            container.asks(&["restart", "--wait"]);
            assert_eq!(container.status()["restarts"], run - 1, "it was waited for");
            container.init.expect(&format!("run {run}"));
        }
        assert_eq!(proc::state(inner), Some('S'), "it was told to end by a restart");
        container.asks(&["stop"]);
        assert_eq!(container.init.wait(), Exit::Code(143));
        other.wait_with_output().expect("it is over");
    }
}

#[test]
fn in_the_middle_of_a_start_or_a_delay_it_begins_again_at_once() {
    let Some(scene) = as_root() else { return };
    let hook = "echo x >>hooks; echo hook; [ $(wc -l <hooks) -ge 2 ] || exec sleep 1000";
    let mut container = Container::saying("hook", &scene, &["--pre-start", hook], COUNTS);
    assert_eq!(container.status()["state"], "starting");
    container.asks(&["restart", "--wait"]);
    container.init.expect("hook");
    container.init.expect("run 1");
    container.asks(&["stop"]);
    assert_eq!(container.init.wait(), Exit::Code(143));
    // Nothing runs, and the next start is far away.
    let scene = Scene::new();
    let options = ["--restart", "on-failure", "--restart-delay", "1h"];
    let script = "echo x >>runs; run=$(($(wc -l <runs))); echo run $run; [ $run = 1 ] && exit 7; exec sleep 1000";
    let mut container = Container::saying("run 1", &scene, &options, script);
    container.wait_until("the delay", |status| status["state"] == "restarting");
    container.asks(&["restart", "--wait"]);
    container.init.expect("run 2");
    // And a stop in it ends with what it has ended with.
    let scene = Scene::new();
    let mut container = Container::saying("up", &scene, &options, "echo up; exit 7");
    container.wait_until("the delay", |status| status["state"] == "restarting");
    container.asks(&["stop", "--wait"]);
    assert_eq!(container.init.wait(), Exit::Code(7));
}

#[test]
fn a_restart_that_does_not_come_is_said() {
    let Some(scene) = as_root() else { return };
    scene.executable("program", b"#!/bin/sh\necho up; exec sleep 1000\n");
    fs::write(scene.folder().join("state"), "ready\n").expect("it is ours");
    let mut container = Container::saying("ready", &scene, &["--pre-start", "cat state"], "exec ./program");
    container.init.expect("up");
    fs::remove_file(scene.folder().join("state")).expect("it is ours");
    let said = "ctl restart: the command could not be started: what is to run before it has failed";
    container.is_refused(ROOT, &["restart", "--wait"], 1, said);
    assert_eq!(container.init.wait(), Exit::Code(1));
}

#[test]
fn one_of_the_commands_own_can_ask_for_a_restart_and_not_wait_for_it() {
    let Some(scene) = as_root() else { return };
    let asks = "echo x >>runs; run=$(($(wc -l <runs))); echo run $run; [ $run = 1 ] || exec sleep 1000
        \"$0\" ctl restart --wait 2>&1; echo code $?; read line; \"$0\" ctl restart; sleep 1000";
    let path = scene.for_everybody(&crate::harness::launch::Init::Supervise.path().expect("cargo built it"));
    let asks = asks.replace("$0", path.to_str().expect("UTF-8"));
    let mut container = Container::saying("run 1", &scene, &[], &asks);
    let said = container.init.line();
    assert!(said.contains("this process is one of the command's, and ends with it"), "{said}");
    container.init.expect("code 1");
    container.init.go();
    container.init.expect("run 2");
}

#[test]
fn only_root_and_the_user_of_process_1_may() {
    let Some(scene) = as_root() else { return };
    let mut container =
        Container::saying("up", &scene, &[], "trap 'echo usr1' USR1; echo up; while :; do sleep 1000 & wait $!; done");
    for words in [&["stop"][..], &["restart"], &["restart", "--wait"], &["signal", "USR1"], &["signal", "KILL"]] {
        container.is_refused(USER, words, 1, &format!("ctl {}: must be root.", words[0]));
    }
    // What it had got would be there first.
    container.asks(&["signal", "USR1"]);
    container.init.expect("usr1");
    assert_eq!(container.ctl(USER, &["status", "--check"]).exit, Exit::Code(0));
    container.init.signal(Signal::SIGTERM as i32);
    assert_eq!(container.init.wait(), Exit::Code(143));
}

#[test]
fn what_is_scheduled_outlasts_restarts_and_no_reboot() {
    let Some(scene) = as_root() else { return };
    let mut container = Container::saying("run 1", &scene, &["--restart", "always", "--restart-delay", "0"], COUNTS);
    let supervise = scene.folder().join("supervise").display().to_string();
    let types = |container: &Container<'_>, words: &[&str]| {
        let typed = container.command(ROOT, &[&[&*supervise], words].concat()).status();
        assert!(typed.expect("it runs").success(), "{words:?}");
    };
    types(&container, &["shutdown", "+60"]);
    let planned = container.status()["scheduled"].clone();
    assert!(planned.is_object(), "{planned}");
    container.asks(&["signal", "KILL"]);
    container.init.expect("run 2");
    assert_eq!(container.status()["scheduled"], planned);
    container.asks(&["restart", "--wait"]);
    container.init.expect("run 3");
    assert_eq!(container.status()["scheduled"], planned);
    types(&container, &["reboot"]);
    container.init.expect("run 4");
    assert!(container.status()["scheduled"].is_null(), "{}", container.status());
    // One that does not come by the socket too, and in a delay.
    types(&container, &["shutdown", "+60"]);
    container.init.signal(34 + 5);
    container.init.expect("run 5");
    assert!(container.status()["scheduled"].is_null(), "{}", container.status());
    let scene = Scene::new();
    let script = "echo x >>runs; run=$(($(wc -l <runs))); echo run $run; read line; exit 7";
    let mut container = Container::saying("run 1", &scene, &["--restart", "always", "--restart-delay", "1h"], script);
    let supervise = scene.folder().join("supervise").display().to_string();
    let typed = container.command(ROOT, &[&supervise, "shutdown", "+60"]).status();
    assert!(typed.expect("it runs").success());
    for (run, signal, is_kept) in [("run 2", None, true), ("run 3", Some(34 + 5), false)] {
        container.init.go();
        container.wait_until("the delay", |status| status["state"] == "restarting");
        match signal {
            None => container.asks(&["restart"]),
            Some(signal) => container.init.signal(signal),
        }
        container.init.expect(run);
        assert_eq!(container.status()["scheduled"].is_object(), is_kept, "{run}");
    }
}

#[test]
fn a_restart_takes_the_place_of_a_stop_that_a_failure_has_begun_and_is_told_so() {
    if !is_root() {
        return;
    }
    // Not ill before it can be told so.
    let reluctant = "echo x >>runs; trap 'echo told' TERM; echo run $(($(wc -l <runs))); : >up
        while :; do sleep 1000 & wait $!; done";
    for wait in [&[][..], &["--wait"]] {
        let scene = Scene::new();
        let ill = ["--health", "! test -e up || test -e well", "--health-interval", "10ms", "--health-retries", "1"];
        let options = [&ill[..], &["--health-action", "stop", "--grace", "1h"]].concat();
        let mut container = Container::saying("run 1", &scene, &options, reluctant);
        container.init.expect("told");
        let mut reader = container.reads(ROOT);
        let mut asking = container.begin(ROOT, &[&["restart"], wait].concat());
        assert_eq!(reader.until("request").0["result"], "begun");
        // The second life is well from its first moment.
        fs::write(scene.folder().join("well"), "").expect("written");
        // The stop goes on, and does not begin anew.
        container.asks(&["signal", "KILL"]);
        container.init.expect("run 2");
        assert_eq!(asking.wait(), Exit::Code(0), "{wait:?}");
        assert_eq!(container.status()["restarts"], 1);
        container.asks(&["signal", "KILL"]);
        assert_eq!(container.init.wait(), Exit::Code(137));
    }
}

#[test]
fn a_second_restart_is_the_first_ones() {
    let Some(scene) = as_root() else { return };
    let script =
        "echo x >>runs; trap 'echo told' TERM; echo run $(($(wc -l <runs))); while :; do sleep 1000 & wait $!; done";
    let mut container = Container::saying("run 1", &scene, &["--grace", "1h"], script);
    let mut first = container.begin(ROOT, &["restart", "--wait"]);
    container.init.expect("told");
    let mut reader = container.reads(ROOT);
    container.asks(&["restart"]);
    assert_eq!(reader.until("request").0["result"], "begun");
    let mut second = container.begin(ROOT, &["restart", "--wait"]);
    assert_eq!(reader.until("request").0["result"], "begun");
    container.asks(&["signal", "KILL"]);
    container.init.expect("run 2");
    assert_eq!(first.wait(), Exit::Code(0));
    assert_eq!(second.wait(), Exit::Code(0));
    container.asks(&["signal", "KILL"]);
    assert_eq!(container.init.wait(), Exit::Code(137));
}

#[test]
fn a_stop_during_a_restart_ends_with_the_commands_code_as_any_stop_does() {
    let Some(scene) = as_root() else { return };
    // What comes while a trap runs is for that trap, which is gone before it says so.
    let script = "trap 'trap - TERM; echo told' TERM; echo up; while :; do sleep 1000 & wait $!; done";
    let mut container = Container::saying("up", &scene, &["--grace", "1h"], script);
    container.asks(&["restart"]);
    container.init.expect("told");
    container.init.signal(Signal::SIGTERM as i32);
    assert_eq!(container.init.wait(), Exit::Code(143));
}

#[test]
fn without_a_command_there_is_nothing_to_restart_and_nobody_waits_for_it() {
    let Some(scene) = as_root() else { return };
    let mut container = Container::pausing(&scene);
    scene.deadline.until("an answer", || (container.ctl(ROOT, &["status"]).exit == Exit::Code(0)).then_some(()));
    assert_eq!(container.status()["state"], "pausing");
    for words in [&["restart"][..], &["restart", "--wait"], &["restart", "--wait", "--timeout", "1h"]] {
        container.asks(words);
        // It stands as it did.
        container.wait_until("the pause", |status| status["state"] == "pausing" && status["main"].is_null());
    }
    container.is_refused(ROOT, &["signal", "HUP"], 1, "ctl signal: SIGHUP goes nowhere");
    container.asks(&["stop", "--wait"]);
    assert_eq!(container.init.wait(), Exit::Code(0));
}

#[test]
fn what_cannot_be_started_for_a_moment_is_tried_again_also_when_a_restart_was_asked_for() {
    let Some(scene) = as_root() else { return };
    let program = scene.executable("program", b"#!/bin/sh\necho up; read line\n");
    let place = scene.executable("away", b"");
    let options = ["--restart", "always", "--restart-delay", "1ms", "--"];
    let path = supervise(&scene);
    let words = [&[&*path], &options[..], &[program.to_str().expect("UTF-8")]].concat();
    let mut container = Container::of(&scene, &words);
    container.init.expect("up");
    fs::rename(&program, &place).expect("it can be renamed");
    container.asks(&["restart"]);
    container.init.wait_until_said(&["starting it again in"]);
    fs::rename(&place, &program).expect("it can be renamed");
    container.init.expect("up");
}

#[test]
fn who_waits_for_a_restart_is_told_that_it_fails_also_where_it_is_tried_again() {
    let Some(scene) = as_root() else { return };
    let program = scene.executable("program", b"#!/bin/sh\necho up; exec sleep 1000\n");
    let place = scene.executable("away", b"");
    let path = supervise(&scene);
    let program_word = program.to_str().expect("UTF-8");
    let options = ["--restart", "always", "--restart-delay", "1h", "--restart-max-delay", "1h", "--", program_word];
    let mut container = Container::of(&scene, &[&[&*path], &options[..]].concat());
    container.init.expect("up");
    let mut reader = container.reads(ROOT);
    let mut people = container.begin(ROOT, &["events"]);
    people.line();
    fs::rename(&program, &place).expect("it can be renamed");
    let said = "ctl restart: the command could not be started: no such file or directory";
    for wait in [&["restart", "--wait"][..], &["restart", "--wait", "--timeout", "1h"]] {
        // Once from what runs, once from the delay.
        container.is_refused(ROOT, wait, 1, said);
        let (event, before) = reader.until("not-started");
        assert_eq!(event["error"], "no such file or directory", "{before:?}");
        assert_eq!(reader.next()["event"], "restarting");
        while !people.line().contains("  could not be started: no such file or directory") {}
        let status = container.status();
        assert_eq!((&status["state"], &status["last"]["error"]), (&"restarting".into(), &event["error"]), "{status}");
    }
    fs::rename(&place, &program).expect("it can be renamed");
    container.asks(&["restart", "--wait"]);
    container.init.expect("up");
    container.asks(&["stop"]);
    assert_eq!(container.init.wait(), Exit::Code(143));
}

#[test]
fn who_is_outside_is_told_where_to_ask() {
    let Some(scene) = as_root() else { return };
    let mut container = Container::saying("run 1", &scene, &["-v"], COUNTS);
    for words in [&["stop"][..], &["stop", "--wait"], &["restart"], &["restart", "--wait"], &["signal", "TERM"]] {
        let ended = container.begin_outside(words).end();
        assert_eq!((ended.exit, ended.stderr.len()), (Exit::Code(1), 1), "{ended:?}");
        let said = format!("ctl {}: process 1 hears nobody outside of its PID namespace; say it inside", words[0]);
        assert!(ended.stderr[0].contains(&said), "{ended:?}");
    }
    container.init.wait_until_said(&["asked for by somebody outside of the PID namespace (pid 0, uid 0) through"]);
    // Whoever may ask nothing else may ask that.
    assert_eq!(container.begin_outside(&["status", "--check"]).end().exit, Exit::Code(0));
    container.asks(&["stop"]);
    assert_eq!(container.init.wait(), Exit::Code(143));
}

/// Sends so many requests to start again, and one to stop, all at once; and prints what is answered to each.
const AT_ONCE: &str = "import os, signal, socket
# The stop tells it too, as it tells shells.
for told in (signal.SIGTERM, signal.SIGHUP): signal.signal(told, signal.SIG_IGN)
asked = []
for wish in b'aaat':
    asks = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    asks.setsockopt(socket.SOL_SOCKET, 16, 1)
    asks.bind('')
    asks.settimeout(60)
    asks.sendto(b'SVc4e' + bytes([wish]) + b'o' + bytes(254), '/run/supervise/ctl')
    asked.append(asks)
print('asked', flush=True)
for asks in asked:
    print(asks.recv(999)[4:5].decode(), flush=True)";

#[test]
fn what_is_asked_for_with_a_restart_is_not_lost_to_the_next_life() {
    let Some(scene) = as_root() else { return };
    let options = ["--restart", "always", "--restart-delay", "1h", "--restart-max-delay", "1h"];
    let script = "[ -e once ] || { : >once; exit 3; }; echo up; while :; do sleep 1000 & wait $!; done";
    let mut container = Container::new(&scene, &options, script);
    container.wait_until("a rest", |status| status["state"] == "restarting");
    // So that all of it waits when it looks.
    send(container.init.pid(), libc::SIGSTOP, 1);
    let asks = container.command(ROOT, &["python3", "-c", AT_ONCE]);
    let mut asks = Running::start(&scene, asks, 1, "python3".as_ref());
    asks.expect("asked");
    send(container.init.pid(), libc::SIGCONT, 1);
    let ended = asks.end();
    assert_eq!(ended.stdout, ["a", "a", "a", "u"], "{ended:?}");
    assert_eq!(container.init.wait(), Exit::Code(143));
}

/// A record for that runlevel, as sysvinit's clients write it (`struct init_request` of initreq.h).
fn record(runlevel: u8) -> Vec<u8> {
    let words = [0x0309_1969, 1, i32::from(runlevel), 0].map(i32::to_ne_bytes).concat();
    [words, vec![0; 384 - 16]].concat()
}

#[test]
fn neither_is_what_comes_behind_a_reboot_in_one_write_or_in_a_storm() {
    if !is_root() {
        return;
    }
    for is_signal in [false, true] {
        let scene = Scene::new();
        let options = ["--restart", "always", "--restart-delay", "1h", "--restart-max-delay", "1h"];
        let script = "[ -e once ] || { : >once; exit 3; }; echo up; exec sleep 1000";
        let mut container = Container::new(&scene, &options, script);
        container.wait_until("a rest", |status| status["state"] == "restarting");
        send(container.init.pid(), libc::SIGSTOP, 1);
        if is_signal {
            // More than are reaped without a look at signals: first a reboot, then a poweroff at once.
            let orphans = "for orphan in $(seq 200); do (true & true); done";
            assert!(container.command(ROOT, &["sh", "-c", orphans]).status().expect("nsenter").success());
            container.init.signal(34 + 5);
            container.init.signal(34 + 14);
        } else {
            let fifo = format!("/proc/{}/root/run/initctl", container.init.pid());
            let both = [record(b'6'), record(b'0')].concat();
            fs::File::options().write(true).open(fifo).expect("it is offered").write_all(&both).expect("there is room");
        }
        send(container.init.pid(), libc::SIGCONT, 1);
        let code = if is_signal { 137 } else { 0 };
        assert_eq!(container.init.wait(), Exit::Code(code), "by a signal: {is_signal}");
    }
}

#[test]
fn a_wait_for_a_restart_lasts_until_the_command_is_ready() {
    let Some(scene) = as_root() else { return };
    let script = "echo x >>runs; run=$(($(wc -l <runs))); [ $run = 2 ] || echo >&7; echo run $run; exec sleep 1000";
    let mut container = Container::saying("run 1", &scene, &["--ready", "fd:7"], script);
    let late = "ctl restart: it has not happened within 1s";
    container.is_refused(ROOT, &["restart", "--wait", "--timeout", "1s"], 124, late);
    container.init.expect("run 2");
    container.asks(&["restart", "--wait"]);
    assert_eq!(container.status()["readiness"], "ready");
    container.init.expect("run 3");
    container.asks(&["stop"]);
    assert_eq!(container.init.wait(), Exit::Code(143));
}
