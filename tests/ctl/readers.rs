//! Those who are told what happens are in nobody's way.

use std::time::{Duration, Instant};

use libc::{SIGCONT, SIGKILL, SIGSTOP};

use crate::container::{Container, ROOT, Reader, USER, as_root};
use crate::harness::{Exit, proc, send};

/// Nothing happens at a SIGWINCH: a shell that is between two waits misses what comes right behind another signal.
const SLEEPS: &str = "trap 'echo usr1' USR1; echo up; while :; do sleep 1000 & wait $!; done";

/// The client itself, below nsenter.
fn client(reader: &Reader<'_>) -> i32 {
    reader.0.pid()
}

#[test]
fn there_is_room_for_sixteen_and_for_who_waits_and_one_line_for_those_beyond() {
    let Some(scene) = as_root() else { return };
    let mut container = Container::saying("up", &scene, &[], SLEEPS);
    // Who answers has its start behind it, with the descriptors that are only for that.
    container.status();
    let open = proc::descriptors(container.init.pid());
    // Users cannot take the places of root.
    let mut readers: Vec<Reader<'_>> = (0..8).map(|_| container.reads(USER)).collect();
    container.is_refused(USER, &["events"], 1, "process 1 tells as many what happens as it has room for");
    readers.extend((0..8).map(|_| container.reads(ROOT)));
    let beyond: Vec<_> = (0..84).map(|_| container.begin(ROOT, &["events", "--json"])).collect();
    for reader in beyond {
        let ended = reader.end();
        assert_eq!((ended.exit, ended.stdout.len(), ended.stderr.len()), (Exit::Code(1), 0, 1), "{ended:?}");
        assert!(ended.stderr[0].contains("as it has room for"), "{ended:?}");
    }
    // All of those that have a place are told.
    container.asks(&["signal", "WINCH"]);
    for reader in &mut readers {
        assert_eq!(reader.next()["event"], "forwarded");
    }
    // Who waits for what it asks for has places that no reader takes.
    for _ in 0..2 {
        container.asks(&["restart", "--wait"]);
        container.init.expect("up");
    }
    // Who is killed makes room, also where nothing has happened since.
    for reader in readers.drain(..) {
        send(client(&reader), SIGKILL, 1);
        drop(reader.0.end());
    }
    let readers: Vec<Reader<'_>> = (0..16).map(|_| container.reads(ROOT)).collect();
    for reader in readers {
        send(client(&reader), SIGKILL, 1);
        // Before the next event, by which it is found to be gone.
        drop(reader.0.end());
    }
    container.asks(&["signal", "WINCH"]);
    container.asks(&["signal", "USR1"]);
    container.init.expect("usr1");
    let left = || (proc::descriptors(container.init.pid()).len() == open.len()).then_some(());
    scene.deadline.until("the descriptors of those that are gone", left);
}

#[test]
fn beside_sixteen_readers_eight_may_wait_at_once_for_what_they_ask_for() {
    let Some(scene) = as_root() else { return };
    let reluctant = "trap 'echo told' TERM; echo up; while :; do sleep 1000 & wait $!; done";
    let mut container = Container::saying("up", &scene, &["--grace", "1h"], reluctant);
    let mut readers: Vec<Reader<'_>> = (0..16).map(|_| container.reads(ROOT)).collect();
    let mut waiting = Vec::new();
    for _ in 0..8 {
        waiting.push(container.begin(ROOT, &["restart", "--wait"]));
        assert_eq!(readers[0].until("request").0["result"], "begun");
    }
    container.is_refused(ROOT, &["restart", "--wait"], 1, "process 1 tells as many what happens as it has room for");
    container.init.expect("told");
    container.asks(&["signal", "KILL"]);
    container.init.expect("up");
    for mut one in waiting {
        assert_eq!(one.wait(), Exit::Code(0));
    }
    // They have left their places, and the readers keep theirs.
    assert_eq!(readers[15].until("started").0["restarts"], 1);
    container.asks(&["stop"]);
    container.init.expect("told");
    container.asks(&["signal", "KILL"]);
    assert_eq!(container.init.wait(), Exit::Code(137));
}

#[test]
fn who_does_not_read_holds_up_nobody_and_is_told_what_it_missed() {
    let Some(scene) = as_root() else { return };
    let mut container = Container::saying("up", &scene, &[], SLEEPS);
    let mut stopped: Vec<Reader<'_>> = (0..8).map(|_| container.reads(USER)).collect();
    for reader in &stopped {
        send(client(reader), SIGSTOP, 1);
        scene.deadline.until("it to stop", || (proc::state(client(reader)) == Some('T')).then_some(()));
    }
    let mut reader = container.reads(ROOT);
    // Far more than there is room for. The command does not have to keep up: signals that wait are one.
    const MANY: usize = 2000;
    let init = container.init.pid();
    let begun = Instant::now();
    for sent in 1..=MANY {
        send(init, libc::SIGWINCH, 1);
        assert_eq!(reader.next()["event"], "forwarded", "{sent} of {MANY}");
    }
    // A generous bound: what waits for even one of them would never come here.
    assert!(begun.elapsed() < Duration::from_secs(60));
    assert_eq!(container.status()["state"], "running");
    container.asks(&["signal", "USR1"]);
    container.init.expect("usr1");
    for reader in &stopped {
        // nsenter stops with it.
        send(client(reader), SIGCONT, 1);
        send(reader.0.outer_pid(), SIGCONT, 1);
    }
    for (number, reader) in stopped.iter_mut().enumerate() {
        // It first reads what it has; then there is room again for what comes now.
        let mut read = 0;
        loop {
            let event = reader.next();
            if event["event"] == "forwarded" {
                read += 1;
                // Nothing more waits there, unless something comes.
                if read >= 20 && read % 20 == 0 {
                    container.asks(&["signal", "WINCH"]);
                }
                continue;
            }
            assert_eq!(event["event"], "lost", "{number}: {event}");
            let lost = event["count"].as_u64().expect("a number");
            assert!(lost > 0 && lost < MANY as u64 + 200, "{number}: {lost}");
            break;
        }
    }
    container.asks(&["stop"]);
    assert_eq!(container.init.wait(), Exit::Code(143));
}
