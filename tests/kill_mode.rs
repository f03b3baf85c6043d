//! Whom the signals of a stop reach: main, its group, or everything below us; and nobody else, whatever forks.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::process::{Command, Stdio};

use harness::launch::{EVERYWHERE, Init, Place, WAYS};
use harness::running::Running;
use harness::{Exit, Scene, proc, send};
use libc::{SIGCHLD, SIGCONT, SIGINT, SIGKILL, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};

/// The last signal that a payload waits for. It is received after all others: the kernel hands out the lowest first.
const LAST: i32 = 64;

/// A main with a child in its group, one in a session of its own and one that is nobody's child any more. What they
/// are to report is blocked before they are there.
const FAMILY: &str = "block all, name main, fork name member, tally-until 64, end, \
                      fork setsid name session, tally-until 64, end, \
                      daemon setsid name orphan, tally-until 64, end, report-until 64, read, exit 3";

/// As many lines as wanted, sorted.
fn lines(init: &mut Running, count: usize) -> Vec<String> {
    let mut lines: Vec<String> = (0..count).map(|_| init.line()).collect();
    lines.sort();
    lines
}

#[track_caller]
fn expect_family(init: &mut Running) {
    assert_eq!(lines(init, 4), ["main: ready", "member: ready", "orphan: ready", "session: ready"]);
}

/// Requires that main gets these, one after the other.
#[track_caller]
fn expect_reports(init: &mut Running, signals: &[i32]) {
    for signal in signals {
        let line = init.line();
        assert!(line.starts_with(&format!("main: got {signal} from ")), "waited for {signal}: {line}; {}", init.said());
    }
}

/// Everything below a process.
fn below(pid: i32) -> Vec<i32> {
    proc::children(pid).into_iter().flat_map(|child| std::iter::once(child).chain(below(child))).collect()
}

/// Asks the others for what they got.
fn others(init: &mut Running) -> Vec<String> {
    let (pid, main) = (init.pid(), init.main_pid());
    // Forwarded after all have been told what was to be told.
    init.signal(LAST);
    expect_reports(init, &[LAST]);
    below(pid).into_iter().filter(|other| *other != main).for_each(|other| send(other, LAST, 1));
    lines(init, 3)
}

#[test]
fn a_stop_reaches_main_its_group_or_the_whole_tree() {
    let cases: [(&str, &[i32], [&str; 3]); 3] = [
        ("main", &[SIGTERM], ["member: 64=1", "orphan: 64=1", "session: 64=1"]),
        ("group", &[SIGTERM], ["member: 15=1 64=1", "orphan: 64=1", "session: 64=1"]),
        // Nobody tells us whether any of them is stopped.
        ("tree", &[SIGTERM, SIGCONT], ["member: 15=1 18=1 64=1", "orphan: 15=1 18=1 64=1", "session: 15=1 18=1 64=1"]),
    ];
    for (place, by) in WAYS {
        for (mode, of_main, of_others) in cases {
            let scene = Scene::new();
            let mut init = scene.supervise().place(place).given(by, "kill-mode", mode).probe(FAMILY).spawn();
            expect_family(&mut init);
            init.signal(SIGTERM);
            expect_reports(&mut init, of_main);
            assert_eq!(others(&mut init), of_others, "{place:?} {mode}");
            init.go();
            assert_eq!(init.wait(), Exit::Code(3), "{place:?} {mode}");
            scene.nothing_is_left();
        }
    }
}

#[test]
fn so_do_all_rungs_of_a_ladder_and_what_is_no_stop_does_not() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let options = ["--kill-mode", "tree", "--stop-signal", "QUIT:1h,USR2"];
        let mut init = scene.supervise().place(place).options(&options).probe(FAMILY).spawn();
        expect_family(&mut init);
        init.signal(SIGUSR1);
        expect_reports(&mut init, &[SIGUSR1]);
        init.signal(SIGTERM);
        expect_reports(&mut init, &[SIGQUIT, SIGCONT]);
        init.signal(SIGINT);
        expect_reports(&mut init, &[SIGINT]);
        // By now all have been told. The second CONT would be one with the first, were that not taken yet.
        for pid in below(init.pid()) {
            scene.deadline.until("the signals to be taken", || {
                let pending = u64::from_str_radix(&proc::status(pid, "ShdPnd")?, 16).ok()?;
                // What it is told of its own children it never takes.
                (pending & !(1 << (SIGCHLD - 1)) == 0).then_some(())
            });
        }
        // The second key in a row goes one rung up. On a machine that is busy it may be the third.
        loop {
            init.signal(SIGINT);
            if !init.line().starts_with(&format!("main: got {SIGINT} ")) {
                break;
            }
        }
        expect_reports(&mut init, &[SIGCONT]);
        let each = format!("{SIGQUIT}=1 {SIGUSR2}=1 {SIGCONT}=2 64=1");
        assert_eq!(others(&mut init), ["member", "orphan", "session"].map(|name| format!("{name}: {each}")));
        init.go();
        assert_eq!(init.wait(), Exit::Code(3), "{place:?}");
    }
}

#[test]
fn the_kill_reaches_the_same_and_nobody_else() {
    let cases: [(&str, &[&str]); 3] = [
        ("main", &["member: 64=1", "orphan: 64=1", "session: 64=1"]),
        ("group", &["orphan: 64=1", "session: 64=1"]),
        ("tree", &[]),
    ];
    for (mode, survivors) in cases {
        let scene = Scene::new();
        // What is left is left as it is, so that it can tell.
        let options = ["--kill-mode", mode, "--stop-signal", "KILL", "--leftovers", "leave"];
        let mut init = scene.supervise().options(&options).probe(FAMILY).spawn();
        expect_family(&mut init);
        let main = init.main_pid();
        let all: Vec<i32> = below(init.pid()).into_iter().filter(|pid| *pid != main).collect();
        init.signal(SIGTERM);
        assert_eq!(init.wait(), Exit::Signal(SIGKILL), "{mode}: {}", init.said());
        all.into_iter().filter(|pid| scene.marked().contains(pid)).for_each(|pid| send_if_there(pid, LAST));
        // The end of the file is the end of them all.
        let mut said = init.stdout().rest();
        said.sort();
        assert_eq!(said, survivors, "{mode}");
        scene.nothing_is_left();
    }
}

/// It may have been killed, and not be gone yet.
fn send_if_there(pid: i32, signal: i32) {
    let words = ["send", &signal.to_string(), "1", &pid.to_string()].map(String::from);
    let _ = Command::new(harness::probe()).args(words).stderr(Stdio::null()).status();
}

#[test]
fn who_is_stopped_in_the_tree_is_continued() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let verbs = "block TERM, fork setsid raise STOP 1, await TERM, say told, end, await TERM, join, exit 3";
        let mut init = scene.supervise().place(place).options(&["--kill-mode", "tree"]).probe(verbs).spawn();
        let main = init.main_pid();
        scene.deadline.until("the worker to stop", || {
            let worker = *proc::children(main).first()?;
            (proc::state(worker) == Some('T')).then_some(())
        });
        init.signal(SIGTERM);
        init.expect("told");
        // It ended before main, which waits for it.
        assert_eq!(init.wait(), Exit::Code(3), "{place:?}");
    }
}

#[test]
fn nobody_outside_the_tree_is_touched() {
    for options in
        [["--kill-mode", "tree", "--grace", "300ms"], ["--kill-mode", "tree", "--stop-signal", "QUIT:1ms,KILL"]]
    {
        // In a namespace of its own: should it fail, the machine's own processes are out of reach.
        for place in [Place::Pid1, Place::UserPid1] {
            let scene = Scene::new();
            let supervise = scene.for_everybody(&Init::Supervise.path().expect("cargo built it"));
            let probe = scene.for_everybody(&harness::probe());
            let (supervise, probe) = (supervise.to_str().expect("made by us"), probe.to_str().expect("made by us"));
            // The same user, session and group: bystanders as near as can be. They tell of the first signal they get.
            let mut words =
                harness::words("fork report-until WINCH, end, daemon report-until WINCH, end, fork exec --");
            words.push(supervise);
            words.extend(options);
            words.extend(["--", probe]);
            words.extend(harness::words(
                "block all, fork say worker, wait, end, daemon setsid say worker, wait, end, wait",
            ));
            words.extend(["end", "tell-end", "children", "wait"]);
            let mut outer = scene.bare().place(place).probe_with("default HUP", &words).spawn();
            assert_eq!(lines(&mut outer, 4), ["ready", "ready", "worker", "worker"]);
            let init = scene.deadline.until("supervise", || {
                proc::children(outer.pid()).into_iter().find(|pid| proc::name(*pid).as_deref() == Some("supervise"))
            });
            send(init, SIGTERM, 1);
            outer.expect(&format!("ended signal {SIGKILL}"));
            outer.expect("2 children");
            for bystander in proc::children(outer.pid()) {
                send(bystander, SIGWINCH, 1);
                assert!(outer.line().starts_with("got 28 "), "{place:?}");
            }
        }
    }
}

#[test]
fn what_was_there_before_us_is_not_of_the_tree() {
    let scene = Scene::new();
    let launch = scene.supervise().options(&["--kill-mode", "tree", "--stop-signal", "TERM:1ms,KILL"]);
    let launch = launch.entered_with("block all, fork name inherited, report-until WINCH, end");
    let mut init = launch.probe("name main, ready, wait").spawn();
    assert_eq!(lines(&mut init, 2), ["inherited: ready", "main: ready"]);
    // Its words are still those of the process that became supervise.
    let is_inherited = |pid: &i32| proc::describe(*pid).contains("inherited");
    let inherited = below(init.pid()).into_iter().find(is_inherited).expect("it is ready");
    init.signal(SIGTERM);
    assert_eq!(init.wait(), Exit::Signal(SIGKILL), "{}", init.said());
    send(inherited, SIGWINCH, 1);
    assert!(init.line().starts_with("inherited: got 28 "));
}
