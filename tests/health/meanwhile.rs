//! What comes while a check runs, while the command is stopped for bad health, and before it is started again.

use std::time::{Duration, Instant};

use libc::{SIGSTOP, SIGTERM};

use crate::harness::launch::{EVERYWHERE, Launch, Place};
use crate::harness::running::Running;
use crate::harness::{Exit, Scene, proc, send};
use crate::{COUNTS, HANGS, ILL_WHEN_UP, UP, begun, checked, remove, shell, touch, waits};

/// A check has begun that does not end.
fn in_the_middle<'s>(scene: &'s Scene, place: Place, check: &str, options: &[&str], main: &str) -> Running<'s> {
    let options = [&["--health-timeout", "1h"], options].concat();
    // Its trap is set before it says that it is there.
    let main = ["sh".to_owned(), "-c".to_owned(), format!("trap 'exit 7' TERM; {COUNTS}{main}")];
    let mut init = checked(scene, place, check, &options).argv(&main).spawn();
    init.expect("life 1");
    begun(scene, 1);
    init
}

#[test]
fn a_stop_in_the_middle_of_a_check_does_not_wait_for_it() {
    for place in EVERYWHERE {
        for check in HANGS {
            let scene = Scene::new();
            let mut init = in_the_middle(&scene, place, check, &[], "while :; do sleep 1000 & wait; done");
            init.signal(SIGTERM);
            assert_eq!(init.wait(), Exit::Code(7), "{place:?} {check}");
            scene.nothing_is_left();
        }
    }
}

#[test]
fn main_may_end_in_the_middle_of_a_check() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let options = ["--restart", "on-failure"];
        let mut init = in_the_middle(&scene, place, HANGS[2], &options, "read line; exit $(($(wc -l <lives) - 2))");
        // It is killed, and the next life has checks of its own.
        init.go();
        init.expect("life 2");
        begun(&scene, 2);
        is_alone_but_for_a_check(&scene, &init);
        init.go();
        assert_eq!(init.wait(), Exit::Code(0), "{place:?}");
        scene.nothing_is_left();
    }
}

/// Of two checks that were begun one is left.
#[track_caller]
fn is_alone_but_for_a_check(scene: &Scene, init: &Running<'_>) {
    scene.deadline.until("the end of the first check", || (proc::children(init.pid()).len() == 2).then_some(()));
}

/// Halt, power-off and reboot as signals (systemd(1)), with what they end with; `None`: the command begins again.
const ASKED: [(i32, Option<i32>); 2] = [(34 + 4, Some(0)), (34 + 5, None)];

/// With a /run of its own, because it offers its services there.
fn asked<'s>(launch: Launch<'s>) -> Launch<'s> {
    let own_run = "mount -t tmpfs tmpfs /run && exec \"$@\"";
    launch.options(&["--requests", "on"]).behind(&["sh", "-c", own_run, "sh"])
}

#[test]
fn a_poweroff_and_a_reboot_in_the_middle_of_a_check_do_not_wait_for_it() {
    for (signal, code) in ASKED {
        let scene = Scene::new();
        let launch = checked(&scene, Place::Pid1, HANGS[2], &["--health-timeout", "1h"]);
        let mut init = asked(launch).argv(&waits()).spawn();
        init.expect("life 1");
        begun(&scene, 1);
        init.signal(signal);
        if code.is_none() {
            init.expect("life 2");
            begun(&scene, 2);
            is_alone_but_for_a_check(&scene, &init);
            init.signal(34 + 4);
        }
        assert_eq!(init.wait(), Exit::Code(code.unwrap_or(0)), "{signal}");
        scene.nothing_is_left();
    }
}

/// Ill, and told to stop for it, which it has heard and does not do yet.
const RELUCTANT: &str = "trap 'echo told' TERM; trap 'exit 5' USR1; echo ready; while :; do sleep 1000 & wait; done";

fn being_stopped<'s>(scene: &'s Scene, launch: Launch<'s>) -> Running<'s> {
    touch(scene, "well");
    let mut init = launch.options(&["--health-retries", "1", "--grace", "1h"]).argv(&shell(RELUCTANT)).spawn();
    init.expect("life 1");
    init.expect("ready");
    remove(scene, "well");
    init.expect("told");
    init
}

#[test]
fn a_stop_takes_the_place_of_one_for_bad_health() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let mut init = being_stopped(&scene, checked(&scene, place, "test -e well", &["--restart", "always"]));
        init.signal(SIGTERM);
        init.expect("told");
        send(init.main_pid(), libc::SIGUSR1, 1);
        let ended = init.end();
        assert_eq!((ended.exit, ended.stdout.len()), (Exit::Code(5), 0), "{place:?} {ended:?}");
    }
}

#[test]
fn a_poweroff_and_a_reboot_take_the_place_of_a_stop_for_bad_health() {
    for (signal, code) in ASKED {
        let scene = Scene::new();
        let options = ["--health-action", "stop"];
        let mut init = being_stopped(&scene, asked(checked(&scene, Place::Pid1, "test -e well", &options)));
        init.signal(signal);
        // What is asked for comes, so that nobody is told that something else is under way.
        let said = init.wait_until_said(&[" asked for "]);
        assert!(said.contains("; stopping"), "{said}");
        touch(&scene, "well");
        send(init.main_pid(), libc::SIGUSR1, 1);
        if code.is_none() {
            init.expect("life 2");
            init.expect("ready");
            init.signal(34 + 4);
            init.expect("told");
            send(init.main_pid(), libc::SIGUSR1, 1);
        }
        // As it ended by itself.
        assert_eq!(init.wait(), Exit::Code(5), "{signal}");
    }
}

/// Ill, stopped for it, and to be started again later.
fn resting<'s>(launch: Launch<'s>) -> Running<'s> {
    let options = ["--health-retries", "1", "--restart-delay", "1h"];
    let main = shell(&format!("trap 'exit 7' TERM; {UP} while :; do sleep 1000 & wait; done"));
    let mut init = launch.options(&options).argv(&main).spawn();
    init.expect("life 1");
    init.wait_until_said(&["the command was not healthy; starting it again in"]);
    init
}

#[test]
fn a_stop_in_the_delay_of_a_restart_ends_all_at_once() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let mut init = resting(checked(&scene, place, ILL_WHEN_UP, &[]));
        init.signal(SIGTERM);
        assert_eq!(init.wait(), Exit::Code(7), "{place:?}");
        scene.nothing_is_left();
    }
    for (signal, code) in ASKED {
        let scene = Scene::new();
        let mut init = resting(asked(checked(&scene, Place::Pid1, ILL_WHEN_UP, &[])));
        init.signal(signal);
        if code.is_none() {
            init.expect("life 2");
            init.wait_until_said(&["the command was not healthy; starting it again in"]);
            init.signal(34 + 4);
        }
        assert_eq!(init.wait(), Exit::Code(0), "{signal}");
    }
}

#[test]
fn a_check_that_was_frozen_with_us_has_not_failed_by_that() {
    let scene = Scene::new();
    let options = ["--health-timeout", "3s", "--health-retries", "1"];
    let check = "[ -e begun ] || { echo begun >begun; sleep 1000; }";
    let mut init = checked(&scene, Place::Child, check, &options).argv(&waits()).spawn();
    init.expect("life 1");
    begun(&scene, 1);
    let all: Vec<i32> = scene.marked();
    // Who has made a child by vfork(2) that was stopped before it executed anything sleeps with it.
    let is_stopped = |pid: i32| matches!(proc::state(pid), Some('T' | 'Z' | 'D') | None);
    for pid in &all {
        send(*pid, SIGSTOP, 1);
    }
    scene.deadline.until("the stop of all", || all.iter().all(|pid| is_stopped(*pid)).then_some(()));
    let began = Instant::now();
    // The check's time, what process 1 waits beyond that, and what is not late yet.
    scene.deadline.until("the end of the pause", || (began.elapsed() > Duration::from_millis(5500)).then_some(()));
    for pid in &all {
        // Those that go on first may kill others by now.
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(*pid), nix::sys::signal::SIGCONT);
    }
    init.wait_until_said(&["the command is healthy"]);
    init.signal(SIGTERM);
    let ended = init.end();
    assert!(ended.stdout.is_empty(), "{ended:?}");
    assert!(!ended.stderr.iter().any(|line| line.contains("has failed")), "{ended:?}");
}
