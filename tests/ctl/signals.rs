//! Signals that are passed on by name.

use crate::container::{Container, ROOT, is_root};
use crate::harness::{Exit, Scene};

/// Says which it gets: all of those that are asked for.
const TELLS: &str =
    "for s in HUP INT QUIT USR1 USR2 WINCH RTMIN RTMIN+4 RTMIN+14 RTMAX PWR; do trap \"echo $s\" $s; done
    echo up; while :; do sleep 1000 & wait $!; done";

#[test]
fn each_reaches_the_command_by_name_and_by_number_and_is_no_request() {
    if !is_root() {
        return;
    }
    let scene = Scene::new();
    let mut container = Container::new(&scene, &[], TELLS);
    container.init.expect("up");
    for (word, name) in [
        ("HUP", "HUP"),
        ("sigusr1", "USR1"),
        ("12", "USR2"),
        ("WINCH", "WINCH"),
        ("RTMIN", "RTMIN"),
        // To process 1 itself a poweroff, in haste, and that of a failing power supply.
        ("SIGRTMIN+4", "RTMIN+4"),
        ("48", "RTMIN+14"),
        ("PWR", "PWR"),
        ("64", "RTMAX"),
        ("RTMAX", "RTMAX"),
        ("INT", "INT"),
        ("INT", "INT"),
    ] {
        container.asks(&["signal", word]);
        container.init.expect(name);
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
    if !is_root() {
        return;
    }
    let scene = Scene::new();
    let options = ["--rewrite", "HUP=USR1,USR2=ignore"];
    let mut container = Container::new(&scene, &options, TELLS);
    container.init.expect("up");
    container.asks(&["signal", "HUP"]);
    container.init.expect("USR1");
    container.is_refused(ROOT, &["signal", "USR2"], 1, "SIGUSR2 goes nowhere: it is to be ignored");
    // A group has two of them.
    for (options, count) in [(&[][..], 1), (&["--forward-to", "group"], 2)] {
        let scene = Scene::new();
        let told = "trap 'echo usr1' USR1; trap 'exit 0' TERM";
        let loops = "while :; do sleep 1000 & wait $!; done";
        let script = format!("({told}; echo up; {loops}) & {told}; echo up; {loops}");
        let mut container = Container::new(&scene, options, &script);
        container.init.expect("up");
        container.init.expect("up");
        container.asks(&["signal", "USR1"]);
        for _ in 0..count {
            container.init.expect("usr1");
        }
        // Who asks for an end is waited for.
        container.asks(&["stop"]);
        let ended = container.init.end();
        assert_eq!((ended.exit, ended.stdout.len()), (Exit::Code(0), 0), "{options:?} {ended:?}");
    }
}

#[test]
fn a_killed_command_is_started_again_where_that_is_asked_for() {
    if !is_root() {
        return;
    }
    let scene = Scene::new();
    let mut container = Container::new(&scene, &["--restart", "on-failure", "--restart-delay", "1ms"], TELLS);
    for restarts in 0..3 {
        container.init.expect("up");
        assert_eq!(container.status()["restarts"], restarts);
        container.asks(&["signal", "KILL"]);
    }
    container.init.expect("up");
    container.asks(&["signal", "STOP"]);
    let main = container.init.main_pid();
    scene.deadline.until("main to stop", || (crate::harness::proc::state(main) == Some('T')).then_some(()));
    container.asks(&["signal", "CONT"]);
    container.asks(&["signal", "HUP"]);
    container.init.expect("HUP");
}

#[test]
fn where_nothing_runs_it_says_so() {
    if !is_root() {
        return;
    }
    let scene = Scene::new();
    let options = ["--restart", "on-failure", "--restart-delay", "1h"];
    let mut container = Container::new(&scene, &options, "echo up; exit 7");
    container.init.expect("up");
    container.wait_until("the delay", |status| status["state"] == "restarting");
    container.is_refused(ROOT, &["signal", "USR1"], 1, "SIGUSR1 goes nowhere: there is no main program");
    // As to process 1 itself: the end.
    container.asks(&["signal", "TERM"]);
    assert_eq!(container.init.wait(), Exit::Code(7));
}
