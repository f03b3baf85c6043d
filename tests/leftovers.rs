//! What becomes of what main leaves behind, as it is asked for: told to end, waited for without a word, or left alone.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use harness::launch::{By, EVERYWHERE, Place, WAYS};
use harness::running::Running;
use harness::{Exit, Scene, proc, send};
use libc::{SIGCONT, SIGINT, SIGKILL, SIGTERM, SIGUSR1};

/// As long as no test waits.
const NEVER: &str = "1h";

/// The last signal that a worker waits for. It is received after all others: the kernel hands out the lowest first.
const LAST: i32 = 64;

/// A main that leaves a worker behind which tells of each signal, and ends with 3 when it may.
const REPORTING: &str = "block all, fork setsid report-until 64, end, read, exit 3";

/// The worker's number.
fn worker(init: &mut Running) -> i32 {
    init.expect("ready");
    *proc::children(init.main_pid()).first().expect("it is ready")
}

/// Requires that the worker gets these, one after the other.
#[track_caller]
fn expect_reports(init: &mut Running, signals: &[i32]) {
    for signal in signals {
        let line = init.line();
        assert!(line.starts_with(&format!("got {signal} from ")), "waited for {signal}: {line}; {}", init.said());
    }
}

#[test]
fn what_may_take_its_time_is_waited_for_and_not_told() {
    for (place, by) in WAYS {
        let scene = Scene::new();
        let launch = scene.supervise().place(place).given(by, "leftovers", "wait").options(&["--verbose"]);
        let mut init = launch.probe(REPORTING).spawn();
        let worker = worker(&mut init);
        init.go();
        init.wait_until_said(&["waiting for what the main program left behind"]);
        // Whatever it had been told would come first.
        send(worker, SIGUSR1, 1);
        expect_reports(&mut init, &[SIGUSR1]);
        send(worker, SIGKILL, 1);
        assert_eq!(init.wait(), Exit::Code(3), "{place:?}");
        scene.nothing_is_left();
    }
}

#[test]
fn a_stop_tells_what_was_waited_for() {
    for (place, by) in WAYS {
        let scene = Scene::new();
        let launch = scene.supervise().place(place).given(by, "leftovers", "wait").options(&["--verbose"]);
        let mut init = launch.probe(REPORTING).spawn();
        let worker = worker(&mut init);
        init.go();
        init.wait_until_said(&["waiting for what the main program left behind"]);
        // Not for what there is no main for any more.
        init.signal(SIGUSR1);
        init.wait_until_said(&["is not forwarded"]);
        init.signal(SIGTERM);
        expect_reports(&mut init, &[SIGTERM, SIGCONT]);
        // And then it is passed on, as in every stop.
        init.signal(SIGTERM);
        expect_reports(&mut init, &[SIGTERM]);
        send(worker, LAST, 1);
        expect_reports(&mut init, &[LAST]);
        assert_eq!(init.wait(), Exit::Code(3), "{place:?}");
        scene.nothing_is_left();
    }
}

#[test]
fn what_is_waited_for_is_killed_when_a_stop_has_told_it_in_vain() {
    for (place, options) in [
        (Place::Child, &["--leftover-grace", "50ms"][..]),
        (Place::Pid1, &["--leftover-grace", "50ms"]),
        (Place::UserPid1, &["--leftover-grace", "50ms", "--max-time", "50ms"]),
    ] {
        let scene = Scene::new();
        // The longest time may be over before the payload is deaf.
        let launch = scene.supervise().place(place).entered_with("block TERM,HUP");
        let launch = launch.options(&["--leftovers", "wait", "--verbose"]).options(options);
        let mut init = launch.probe("ignore TERM,HUP, fork setsid say worker, wait, end, exit 3").spawn();
        init.expect("worker");
        if !options.contains(&"--max-time") {
            init.wait_until_said(&["waiting for what the main program left behind"]);
            init.signal(SIGTERM);
        }
        assert_eq!(init.wait(), Exit::Code(3), "{place:?}");
        scene.nothing_is_left();
    }
}

#[test]
fn a_stop_of_main_is_one_of_what_it_leaves_too() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let verbs =
            "block TERM,CONT, fork setsid say worker, await TERM, await CONT, say told, end, await TERM, exit 3";
        let mut init = scene.supervise().place(place).options(&["--leftovers", "wait"]).probe(verbs).spawn();
        init.expect("worker");
        init.signal(SIGTERM);
        init.expect("told");
        assert_eq!(init.wait(), Exit::Code(3), "{place:?}");
    }
}

#[test]
fn two_keys_in_a_row_end_the_waiting() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let launch = scene.supervise().place(place).options(&["--leftovers", "wait", "--verbose"]);
        let verbs = "block TERM, fork setsid say worker, await TERM, end, exit 3";
        let mut init = launch.probe(verbs).spawn();
        init.expect("worker");
        init.wait_until_said(&["waiting for what the main program left behind"]);
        // On a machine that is busy it may take more than two.
        loop {
            init.signal(SIGINT);
            let texts = ["SIGINT is not forwarded", "told what is left to end"];
            if init.wait_until_said(&texts).contains(texts[1]) {
                break;
            }
        }
        assert_eq!(init.wait(), Exit::Code(3), "{place:?}");
        scene.nothing_is_left();
    }
}

#[test]
fn what_is_to_be_left_lives_on_untold() {
    for by in [By::Option, By::Variable] {
        for verbs in ["fork setsid report-until 64, end, read, exit 3", "daemon report-until 64, end, read, exit 3"] {
            let scene = Scene::new();
            let mut init =
                scene.supervise().given(by, "leftovers", "leave").probe(&format!("block all, {verbs}")).spawn();
            init.expect("ready");
            let (pid, main) = (init.pid(), init.main_pid());
            let mut others = proc::children(pid).into_iter().chain(proc::children(main));
            // The process between main and a daemon may be dead and not reaped yet.
            let worker = others.find(|other| *other != main && proc::state(*other) != Some('Z')).expect("it is ready");
            init.go();
            assert_eq!(init.wait(), Exit::Code(3), "{verbs}: {}", init.said());
            send(worker, SIGUSR1, 1);
            expect_reports(&mut init, &[SIGUSR1]);
            send(worker, LAST, 1);
            expect_reports(&mut init, &[LAST]);
        }
    }
}

#[test]
fn what_is_to_be_left_ends_with_process_1_at_once_and_untold() {
    for place in [Place::Pid1, Place::UserPid1] {
        let scene = Scene::new();
        let launch = scene.supervise().place(place).options(&["--leftovers", "leave", "--leftover-grace", NEVER]);
        let mut init = launch.probe(REPORTING).spawn();
        init.expect("ready");
        init.go();
        let ended = init.end();
        assert_eq!((ended.exit, ended.stdout), (Exit::Code(3), vec![]), "{place:?}: {:?}", ended.stderr);
        scene.nothing_is_left();
    }
}

#[test]
fn leftovers_have_their_grace_and_no_longer() {
    for (place, by) in WAYS {
        let scene = Scene::new();
        let start = |grace: &str| {
            let launch = scene.supervise().place(place).given(by, "leftover-grace", grace);
            let mut init = launch.probe(REPORTING).spawn();
            let worker = worker(&mut init);
            init.go();
            (init, worker)
        };
        let (mut patient, worker) = start(NEVER);
        expect_reports(&mut patient, &[SIGTERM, SIGCONT]);
        for (mut impatient, _) in [start("50ms"), start("0")] {
            assert_eq!(impatient.wait(), Exit::Code(3), "{place:?}");
            assert!(impatient.said().contains("(probe) has not ended after SIGTERM; killing it"));
        }
        // After that, the other one is still waited for.
        send(worker, LAST, 1);
        expect_reports(&mut patient, &[LAST]);
        assert_eq!(patient.wait(), Exit::Code(3), "{place:?}");
        assert!(!patient.said().contains("killing"), "{}", patient.said());
        scene.nothing_is_left();
    }
}

#[test]
fn the_command_line_wins_over_the_variables() {
    let cases: [(&[&str; 2], &[&str]); 2] =
        [(&["leftovers", "leave"], &["--leftovers", "stop"]), (&["leftover-grace", "0"], &["--leftover-grace", NEVER])];
    for (variable, options) in cases {
        let scene = Scene::new();
        let launch = scene.supervise().given(By::Variable, variable[0], variable[1]).options(options);
        let mut init = launch.probe(REPORTING).spawn();
        let worker = worker(&mut init);
        init.go();
        expect_reports(&mut init, &[SIGTERM, SIGCONT]);
        send(worker, LAST, 1);
        expect_reports(&mut init, &[LAST]);
        assert_eq!(init.wait(), Exit::Code(3), "{variable:?}");
    }
}
