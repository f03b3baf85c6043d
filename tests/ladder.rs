//! The stop of the main program: when it is told and with what, when it is killed, and that nothing restarts a clock.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use harness::launch::{EVERYWHERE, Launch, Place, WAYS};
use harness::running::{Running, expect_report, passes};
use harness::{Exit, Scene, send};
use libc::{SIGINT, SIGKILL, SIGQUIT, SIGSTOP, SIGTERM, SIGUSR1, SIGUSR2};

/// As long as no test waits.
const NEVER: &str = "1h";

/// A payload that begins so finds the signal that comes of itself when it is ready, however long that takes.
const ALL_BLOCKED: &str = "block all";

/// What is sent after another signal and is received after it: the kernel hands out the lowest first.
const LATER: i32 = 63;

/// What main's death by SIGKILL looks like from there.
fn killed(place: Place) -> Exit {
    died(place, SIGKILL)
}

fn died(place: Place, signal: i32) -> Exit {
    if place == Place::Child { Exit::Signal(signal) } else { Exit::Code(128 + signal) }
}

/// Presses a key until it takes the stop one rung up, which the second one does where no more than 2 s lie between
/// them. On a machine that is busy it may be the third.
#[track_caller]
fn press_until(init: &mut Running, signal: i32) {
    loop {
        init.signal(SIGINT);
        let line = init.line();
        if line.starts_with(&format!("got {signal} ")) {
            return;
        }
        assert!(line.starts_with(&format!("got {SIGINT} ")), "{line}");
    }
}

/// The same where main does not live to tell.
#[track_caller]
fn press_to_death(init: &mut Running) {
    loop {
        init.signal(SIGINT);
        match init.stdout().next() {
            None => return,
            Some(line) => assert!(line.starts_with(&format!("got {SIGINT} ")), "{line}"),
        }
    }
}

#[test]
fn other_signals_are_forwarded_during_the_delay_which_a_second_term_ends() {
    for (place, by) in WAYS {
        let scene = Scene::new();
        let mut init =
            scene.supervise().place(place).given(by, "delay", NEVER).probe("report-until TERM, exit 3").spawn();
        init.expect("ready");
        init.signal(SIGTERM);
        // Main gets it without the other one, which has come by then.
        passes(&mut init, LATER);
        passes(&mut init, SIGTERM);
        assert_eq!(init.wait(), Exit::Code(3), "{place:?}");
    }
}

#[test]
fn the_delay_passes_by_itself() {
    for (place, by) in WAYS {
        let scene = Scene::new();
        let launch = scene.supervise().place(place).given(by, "delay", "50ms");
        let mut init = launch.probe("report-until TERM, exit 3").spawn();
        init.expect("ready");
        passes(&mut init, SIGTERM);
        assert_eq!(init.wait(), Exit::Code(3), "{place:?}");
    }
}

#[test]
fn main_may_end_during_the_delay() {
    for (place, by) in WAYS {
        let scene = Scene::new();
        let verbs = "block TERM, fork setsid await TERM, say told, end, report-until 63, read, exit 3";
        let mut init = scene.supervise().place(place).given(by, "delay", NEVER).probe(verbs).spawn();
        init.expect("ready");
        init.signal(SIGTERM);
        passes(&mut init, LATER);
        init.go();
        init.expect("told");
        assert_eq!(init.wait(), Exit::Code(3), "{place:?}");
        scene.nothing_is_left();
    }
}

#[test]
fn the_stop_signal_is_what_term_leads_to_and_a_request_itself() {
    for (place, by) in WAYS {
        for (name, signal) in [("QUIT", SIGQUIT), ("SIGRTMIN+3", 37), ("INT", SIGINT), ("3", SIGQUIT)] {
            let scene = Scene::new();
            let launch = || scene.supervise().place(place).given(by, "stop-signal", name);
            let mut init = launch().probe(&format!("report-until {signal}, exit 3")).spawn();
            init.expect("ready");
            init.signal(SIGTERM);
            expect_report(&mut init, signal);
            assert_eq!(init.wait(), Exit::Code(3), "{place:?} {name}");
            // A request waits for the delay, a forwarded signal does not.
            let mut init = launch().options(&["--delay", NEVER]).probe("report-until 64, exit 3").spawn();
            init.expect("ready");
            init.signal(signal);
            passes(&mut init, LATER);
            init.signal(SIGTERM);
            expect_report(&mut init, signal);
            passes(&mut init, 64);
            assert_eq!(init.wait(), Exit::Code(3), "{place:?} {name}");
        }
    }
}

#[test]
fn a_ladder_is_climbed_in_its_order() {
    let scenes = WAYS.map(|way| (way, Scene::new()));
    // Side by side: the last rung is as long as main may need to tell of all. What has come together on a slow machine is
    // told with the lowest number first, and so the numbers rise.
    let all = scenes.each_ref().map(|((place, by), scene)| {
        let launch = scene.supervise().place(*place).given(*by, "stop-signal", "INT:50ms,QUIT:50ms,RTMIN:15s,KILL");
        let mut init = launch.probe("report-until 64").spawn();
        init.expect("ready");
        init.signal(SIGTERM);
        (*place, scene, init)
    });
    for (place, scene, mut init) in all {
        for signal in [SIGINT, SIGQUIT, 34] {
            expect_report(&mut init, signal);
        }
        let ended = init.end();
        assert_eq!((ended.exit, ended.stdout), (killed(place), vec![]), "{:?}", ended.stderr);
        let named =
            ended.stderr.iter().any(|line| line.starts_with("supervise: warning: ") && line.contains("(probe)"));
        assert!(named, "{:?}", ended.stderr);
        scene.nothing_is_left();
    }
}

#[test]
fn a_ladder_without_kill_ends_with_its_last_signal() {
    for (place, by) in WAYS {
        let scene = Scene::new();
        let launch = scene.supervise().place(place).given(by, "stop-signal", "INT:50ms,TERM");
        let mut init = launch.probe("report-until 64, exit 3").spawn();
        init.expect("ready");
        init.signal(SIGTERM);
        expect_report(&mut init, SIGINT);
        expect_report(&mut init, SIGTERM);
        passes(&mut init, 64);
        assert_eq!(init.wait(), Exit::Code(3), "{place:?}");
    }
}

#[test]
fn a_ladder_ends_where_main_does() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let launch = scene.supervise().place(place).options(&["--stop-signal", "INT:50ms,TERM:1h,KILL"]);
        let mut init = launch.probe("report-until TERM, exit 3").spawn();
        init.expect("ready");
        init.signal(SIGTERM);
        expect_report(&mut init, SIGINT);
        expect_report(&mut init, SIGTERM);
        assert_eq!(init.wait(), Exit::Code(3), "{place:?}");
    }
}

#[test]
fn after_its_grace_main_is_killed_and_without_one_it_is_not() {
    for (place, by) in WAYS {
        let scene = Scene::new();
        let start = |grace: Option<&str>| {
            let launch = scene.supervise().place(place);
            let launch = grace.iter().fold(launch, |launch, grace| launch.given(by, "grace", grace));
            let mut init = launch.probe("report-until 64, exit 3").spawn();
            init.expect("ready");
            init.signal(SIGTERM);
            init
        };
        // All are asked before any is killed.
        let mut patient = [start(None), start(Some(NEVER))];
        let impatient = [start(Some("300ms")), start(Some("0"))];
        for init in impatient {
            let ended = init.end();
            assert_eq!(ended.exit, killed(place), "{:?}", ended.stderr);
            assert!(ended.stderr.iter().any(|line| line.contains("killing it")), "{:?}", ended.stderr);
        }
        for init in &mut patient {
            expect_report(init, SIGTERM);
            passes(init, SIGUSR1);
            passes(init, 64);
            assert_eq!(init.wait(), Exit::Code(3), "{place:?}");
        }
        scene.nothing_is_left();
    }
}

#[test]
fn the_delay_counts_in_the_grace() {
    for (place, by) in WAYS {
        let scene = Scene::new();
        let launch = scene.supervise().place(place).given(by, "delay", "100ms").given(by, "grace", "101ms");
        let mut init = launch.probe("report-until 64").spawn();
        init.expect("ready");
        init.signal(SIGTERM);
        assert_eq!(init.wait(), killed(place));
    }
}

#[test]
fn a_second_stop_is_passed_on_and_does_not_restart_the_clock() {
    for options in [
        &["--grace", "500ms"][..],
        &["--stop-signal", "TERM:250ms,TERM:250ms,KILL"],
        &["--max-time", "100ms", "--grace", "10s"],
    ] {
        let scene = Scene::new();
        let mut init = scene.supervise().entered_with(ALL_BLOCKED).options(options).probe("report-until 64").spawn();
        init.expect("ready");
        // Without end, if each began it anew. (A child of ours can be signalled until we reap it.)
        loop {
            init.signal(SIGTERM);
            let Some(line) = init.stdout().next() else { break };
            assert!(line.starts_with(&format!("got {SIGTERM} ")), "{line}");
        }
        assert_eq!(init.wait(), Exit::Signal(SIGKILL), "{options:?}: {}", init.said());
    }
}

#[test]
fn two_keys_in_a_row_go_one_rung_up() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let options = ["--delay", NEVER, "--stop-signal", "TERM:1h,USR1:1h,USR2"];
        let mut init = scene.supervise().place(place).options(&options).probe("report-until 64").spawn();
        init.expect("ready");
        // While it runs, each is main's: a REPL needs them.
        (0..4).for_each(|_| passes(&mut init, SIGINT));
        init.signal(SIGTERM);
        press_until(&mut init, SIGTERM);
        press_until(&mut init, SIGUSR1);
        press_until(&mut init, SIGUSR2);
        press_to_death(&mut init);
        assert_eq!(init.wait(), killed(place), "{}", init.said());
        scene.nothing_is_left();
    }
}

#[test]
fn two_keys_are_enough_where_the_first_is_the_request() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let mut init =
            scene.supervise().place(place).options(&["--stop-signal", "INT"]).probe("report-until 64").spawn();
        init.expect("ready");
        press_to_death(&mut init);
        assert_eq!(init.wait(), killed(place));
    }
}

#[test]
fn keys_that_are_rewritten_hurry_nothing() {
    for (rewrite, got) in [("INT=USR2", SIGUSR2), ("INT=TERM", SIGTERM)] {
        let scene = Scene::new();
        let mut init = scene.supervise().options(&["--rewrite", rewrite]).probe("report-until 64, exit 3").spawn();
        init.expect("ready");
        passes(&mut init, SIGTERM);
        for _ in 0..5 {
            init.signal(SIGINT);
            expect_report(&mut init, got);
        }
        passes(&mut init, 64);
        assert_eq!(init.wait(), Exit::Code(3), "{rewrite}");
    }
}

#[test]
fn two_keys_in_a_row_kill_what_is_left() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let verbs = "fork setsid ignore TERM,HUP, say worker, wait, end, read, exit 3";
        let launch = scene.supervise().place(place).options(&["--leftover-grace", NEVER, "--verbose"]);
        let mut init = launch.probe(verbs).spawn();
        init.expect("worker");
        init.go();
        init.wait_until_said(&["told what is left to end"]);
        // Nobody gets them, and the log alone tells of them.
        loop {
            init.signal(SIGINT);
            let texts = ["SIGINT is not forwarded", "killing it"];
            let line = init.wait_until_said(&texts);
            if line.contains(texts[1]) {
                break;
            }
        }
        assert_eq!(init.wait(), Exit::Code(3), "{place:?}");
        scene.nothing_is_left();
    }
}

#[test]
fn the_longest_time_is_a_stop_and_the_code_is_mains() {
    for (place, by) in WAYS {
        let scene = Scene::new();
        let limit = |time: &str| scene.supervise().place(place).given(by, "max-time", time);
        let mut init = limit("50ms").entered_with(ALL_BLOCKED).probe("report-until TERM, exit 5").spawn();
        init.expect("ready");
        expect_report(&mut init, SIGTERM);
        assert_eq!(init.wait(), Exit::Code(5), "{place:?}");
        assert_eq!(limit("50ms").probe("wait").spawn().wait(), died(place, SIGTERM));
        assert_eq!(limit(NEVER).probe("exit 7").spawn().wait(), Exit::Code(7));
        scene.nothing_is_left();
    }
}

#[test]
fn the_longest_time_kills_in_the_end() {
    let scene = Scene::new();
    let deaf = "ignore TERM, say deaf, wait";
    // Ten seconds where nobody has said how long, side by side.
    let mut slow = EVERYWHERE.map(|place| {
        scene.supervise().entered_with(ALL_BLOCKED).place(place).options(&["--max-time", "50ms"]).probe(deaf).spawn()
    });
    for place in EVERYWHERE {
        let options = ["--max-time", "50ms", "--grace", "50ms"];
        assert_eq!(
            scene.supervise().entered_with(ALL_BLOCKED).place(place).options(&options).probe(deaf).end().exit,
            killed(place)
        );
    }
    for (init, place) in slow.iter_mut().zip(EVERYWHERE) {
        assert_eq!(init.wait(), killed(place), "{}", init.said());
    }
    scene.nothing_is_left();
}

#[test]
fn the_longest_time_stops_as_term_would() {
    for (options, signal) in [(["--rewrite", "TERM=QUIT"], SIGQUIT), (["--stop-signal", "USR2"], SIGUSR2)] {
        let scene = Scene::new();
        let launch = scene.supervise().entered_with(ALL_BLOCKED).options(&options).options(&["--max-time", "50ms"]);
        let mut init = launch.probe(&format!("report-until {signal}, exit 3")).spawn();
        init.expect("ready");
        expect_report(&mut init, signal);
        assert_eq!(init.wait(), Exit::Code(3));
    }
}

#[test]
fn a_main_that_is_stopped_is_continued_so_that_it_can_end() {
    for place in EVERYWHERE {
        for mode in ["main", "group", "tree"] {
            let scene = Scene::new();
            let launch = scene.supervise().place(place).options(&["--kill-mode", mode, "--verbose"]);
            let mut init = launch.probe("block TERM, ready, await TERM, exit 3").spawn();
            init.expect("ready");
            send(init.main_pid(), SIGSTOP, 1);
            init.wait_until_said(&["was stopped by"]);
            init.signal(SIGTERM);
            assert_eq!(init.wait(), Exit::Code(3), "{place:?} {mode}");
        }
    }
}

/// An init that has a request to stop pending from before it became one.
fn asked_at_the_start<'s>(scene: &'s Scene, place: Place, options: &[&str]) -> Launch<'s> {
    scene.supervise().place(place).options(options).entered_with("block all, raise TERM 1")
}

#[test]
fn a_stop_during_the_start_is_a_stop_like_any_other() {
    let cases: [(&[&str], i32); 10] = [
        (&[], SIGTERM),
        (&["--delay", "50ms"], SIGTERM),
        (&["--stop-signal", "QUIT"], SIGQUIT),
        (&["--stop-signal", "INT:1h,KILL"], SIGINT),
        (&["--kill-mode", "group"], SIGTERM),
        (&["--kill-mode", "tree"], SIGTERM),
        (&["--grace", NEVER], SIGTERM),
        (&["--leftovers", "wait"], SIGTERM),
        (&["--leftovers", "leave", "--leftover-grace", "0"], SIGTERM),
        (&["--max-time", "0", "--grace", NEVER], SIGTERM),
    ];
    for place in EVERYWHERE {
        for (options, signal) in cases {
            let scene = Scene::new();
            let mut init =
                asked_at_the_start(&scene, place, options).probe(&format!("report-until {signal}, exit 3")).spawn();
            init.expect("ready");
            expect_report(&mut init, signal);
            assert_eq!(init.wait(), Exit::Code(3), "{place:?} {options:?}");
            scene.nothing_is_left();
        }
        let scene = Scene::new();
        for options in [&["--grace", "50ms"][..], &["--stop-signal", "KILL"], &["--stop-signal", "TERM:0,KILL"]] {
            let ended = asked_at_the_start(&scene, place, options).probe("ignore TERM, wait").end();
            assert_eq!(ended.exit, killed(place), "{options:?} {ended:?}");
        }
    }
}

#[test]
fn a_stop_of_what_does_not_start_changes_nothing() {
    for options in [&["--delay", NEVER][..], &["--grace", "0"], &["--max-time", "0"], &["--stop-signal", "KILL"]] {
        for place in EVERYWHERE {
            let scene = Scene::new();
            let ended = asked_at_the_start(&scene, place, options).argv(&["/no/such/command"]).end();
            assert_eq!((ended.exit, ended.stderr.len()), (Exit::Code(127), 1), "{options:?} {ended:?}");
        }
    }
}

#[test]
fn an_end_that_races_with_the_kill_is_told_as_it_was() {
    let scene = Scene::new();
    let report = scene.folder().join("report");
    for round in 0..60 {
        let grace = format!("{}ms", round / 6);
        let options = ["--grace", &grace, "--exit-report", report.to_str().expect("made by us")];
        let launch = scene.supervise().options(&options);
        let mut init = launch.probe("block TERM, ready, await TERM, exit 3").spawn();
        init.expect("ready");
        init.signal(SIGTERM);
        let told = match init.wait() {
            Exit::Code(3) => ",\"code\":3},",
            Exit::Signal(SIGKILL) => ",\"signal\":\"SIGKILL\",\"killed\":true},",
            other => panic!("{other:?}"),
        };
        let report = std::fs::read_to_string(&report).expect("it was written");
        assert!(report.contains(told), "{report}");
    }
    scene.nothing_is_left();
}
