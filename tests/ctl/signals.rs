//! Signals that are passed on by name.

use libc::{SIGCONT, SIGHUP, SIGINT, SIGPWR, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};

use crate::container::{Container, ROOT, as_root};
use crate::harness::running::expect_report;
use crate::harness::{Exit, Scene, probe};

/// As bash and glibc number it: musl, which the tests are built with, keeps one more for itself.
const RTMIN: i32 = 34;

/// Says which signal it gets, each one: a shell between two waits would miss some.
fn tells() -> String {
    format!("exec {} report-until TERM", probe().display())
}

#[test]
fn each_reaches_the_command_by_name_and_by_number_and_is_no_request() {
    let Some(scene) = as_root() else { return };
    let mut container = Container::saying("ready", &scene, &[], &tells());
    for (word, signal) in [
        ("HUP", SIGHUP),
        ("sigusr1", SIGUSR1),
        ("12", SIGUSR2),
        ("WINCH", SIGWINCH),
        ("RTMIN", RTMIN),
        // To process 1 itself a poweroff, in haste, and that of a failing power supply.
        ("SIGRTMIN+4", RTMIN + 4),
        ("48", RTMIN + 14),
        ("PWR", SIGPWR),
        ("64", 64),
        ("RTMAX", 64),
        ("INT", SIGINT),
        ("INT", SIGINT),
    ] {
        container.asks(&["signal", word]);
        expect_report(&mut container.init, signal);
    }
    container.is_refused(ROOT, &["signal", "CHLD"], 1, "ctl signal: SIGCHLD goes nowhere: it is to be ignored");
    assert_eq!(container.status()["state"], "running");
    container.asks(&["signal", "KILL"]);
    let ended = container.init.end();
    assert_eq!(ended.exit, Exit::Code(137));
    assert!(!ended.stderr.iter().any(|line| line.contains("memory")), "who asks for it knows why: {ended:?}");
}

#[test]
fn the_options_are_about_those_too() {
    let Some(scene) = as_root() else { return };
    let options = ["--rewrite", "HUP=USR1,USR2=ignore"];
    let mut container = Container::saying("ready", &scene, &options, &tells());
    container.asks(&["signal", "HUP"]);
    expect_report(&mut container.init, SIGUSR1);
    container.is_refused(ROOT, &["signal", "USR2"], 1, "SIGUSR2 goes nowhere: it is to be ignored");
    // A group has two of them.
    for (options, count) in [(&[][..], 1), (&["--forward-to", "group"], 2)] {
        let scene = Scene::new();
        let script = format!("exec {} fork report-until TERM end report-until TERM", probe().display());
        let mut container = Container::saying("ready", &scene, options, &script);
        container.init.expect("ready");
        container.asks(&["signal", "USR1"]);
        for _ in 0..count {
            expect_report(&mut container.init, SIGUSR1);
        }
        // Who asks for an end is waited for.
        container.asks(&["stop"]);
        let ended = container.init.end();
        let rest = ended.stdout.iter().filter(|line| !line.starts_with(&format!("got {SIGTERM} from ")));
        assert_eq!((ended.exit, rest.count()), (Exit::Code(0), 0), "{options:?} {ended:?}");
    }
}

#[test]
fn a_killed_command_is_started_again_where_that_is_asked_for() {
    let Some(scene) = as_root() else { return };
    let mut container = Container::new(&scene, &["--restart", "on-failure", "--restart-delay", "1ms"], &tells());
    for restarts in 0..3 {
        container.init.expect("ready");
        assert_eq!(container.status()["restarts"], restarts);
        container.asks(&["signal", "KILL"]);
    }
    container.init.expect("ready");
    container.asks(&["signal", "STOP"]);
    let main = container.init.main_pid();
    scene.deadline.until("main to stop", || (crate::harness::proc::state(main) == Some('T')).then_some(()));
    container.asks(&["signal", "CONT"]);
    expect_report(&mut container.init, SIGCONT);
    container.asks(&["signal", "HUP"]);
    expect_report(&mut container.init, SIGHUP);
}

#[test]
fn where_nothing_runs_it_says_so() {
    let Some(scene) = as_root() else { return };
    let options = ["--restart", "on-failure", "--restart-delay", "1h"];
    let mut container = Container::saying("up", &scene, &options, "echo up; exit 7");
    container.wait_until("the delay", |status| status["state"] == "restarting");
    container.is_refused(ROOT, &["signal", "USR1"], 1, "SIGUSR1 goes nowhere: there is no main program");
    // As to process 1 itself: the end.
    container.asks(&["signal", "TERM"]);
    assert_eq!(container.init.wait(), Exit::Code(7));
}

#[test]
fn who_dies_of_a_reload_has_failed_and_comes_back() {
    let Some(scene) = as_root() else { return };
    let options = ["--restart", "on-failure", "--restart-delay", "0"];
    let mut container = Container::new(&scene, &options, "echo up; exec sleep 1000");
    for _ in 0..3 {
        container.init.expect("up");
        container.asks(&["signal", "HUP"]);
    }
    container.init.expect("up");
    container.asks(&["stop"]);
    assert_eq!(container.init.wait(), Exit::Code(143));
}
