//! Forwarding: every signal reaches whom it is for, as often as it was sent, under the name it was given.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use harness::launch::{EVERYWHERE, Place, Target};
use harness::running::Running;
use harness::{Exit, Scene, proc, send};
use libc::{SIGCHLD, SIGCONT, SIGHUP, SIGKILL, SIGSTOP, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGWINCH};

/// All that can be forwarded: KILL and STOP reach no program, and CHLD is about the init's own children.
fn forwarded() -> impl Iterator<Item = i32> {
    (1..=64).filter(|signal| ![SIGKILL, SIGSTOP, SIGCHLD].contains(signal))
}

/// Requires that the next report is of this signal.
#[track_caller]
fn expect_report(init: &mut Running, signal: i32) {
    let line = init.line();
    assert!(line.starts_with(&format!("got {signal} from ")), "sent {signal}: {line}");
}

#[test]
fn every_signal_reaches_main() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let mut init = scene.supervise().place(place).probe("report-until 64").spawn();
        init.expect("ready");
        for signal in forwarded() {
            init.signal(signal);
            expect_report(&mut init, signal);
        }
        assert_eq!(init.end().exit, Exit::Code(0), "{place:?}");
        scene.nothing_is_left();
    }
}

#[test]
fn with_a_group_every_signal_reaches_each_of_its_members() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let launch = scene.supervise().place(place).forward_to(Target::Group);
        let mut init = launch.probe("fork report-until 64 end, report-until 64, join").spawn();
        init.expect("ready");
        init.expect("ready");
        for signal in forwarded() {
            init.signal(signal);
            expect_report(&mut init, signal);
            expect_report(&mut init, signal);
        }
        assert_eq!(init.end().exit, Exit::Code(0), "{place:?}");
    }
}

#[test]
fn without_a_group_only_main_is_told() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let launch = scene.supervise().place(place).forward_to(Target::Main);
        // The other one would report too, and before main has reported the next.
        let mut init = launch.probe("fork report-until 64 end, report-until WINCH, exit 3").spawn();
        init.expect("ready");
        init.expect("ready");
        for signal in [SIGUSR1, SIGHUP, SIGTERM, SIGUSR2, SIGWINCH] {
            init.signal(signal);
            expect_report(&mut init, signal);
        }
    }
}

#[test]
fn five_queued_real_time_signals_arrive_five_times() {
    for place in EVERYWHERE {
        for target in [Target::Main, Target::Group] {
            let scene = Scene::new();
            let mut init = scene.supervise().place(place).forward_to(target).probe("tally-until 64").spawn();
            init.expect("ready");
            for signal in [34, 35, 42, 63] {
                send(init.pid(), signal, 5);
            }
            send(init.pid(), 64, 1);
            init.expect("34=5 35=5 42=5 63=5 64=1");
        }
    }
}

#[test]
fn signals_are_rewritten_by_name_and_by_number() {
    let cases: [(&str, i32, i32); 12] = [
        ("USR1=USR2", 10, 12),
        ("SIGUSR1=SIGHUP", 10, 1),
        ("usr1=sigquit", 10, 3),
        ("1=2", 1, 2),
        ("10=RTMIN+3", 10, 37),
        ("RTMIN+1=USR1", 35, 10),
        ("SIGRTMIN+0=40", 34, 40),
        ("RTMAX=RTMAX-1", 64, 63),
        ("RTMIN=32", 34, 32),
        ("33=PWR", 33, 30),
        ("TERM=QUIT", 15, 3),
        ("USR1=TERM", 10, 15),
    ];
    for (rewrite, sent, arrives) in cases {
        let scene = Scene::new();
        let mut init = scene.supervise().options(&["--rewrite", rewrite]).probe("report-until WINCH").spawn();
        init.expect("ready");
        init.signal(sent);
        let line = init.line();
        assert!(line.starts_with(&format!("got {arrives} from ")), "{rewrite}: {line}");
        // Nothing came of the original.
        init.signal(SIGWINCH);
        expect_report(&mut init, SIGWINCH);
    }
}

#[test]
fn each_rewrite_counts_and_the_last_one_for_a_signal_wins() {
    let scene = Scene::new();
    let options = ["--rewrite", "HUP=USR1", "--rewrite=USR1=HUP", "--rewrite", "HUP=USR2", "--rewrite", "INT=ignore"];
    let mut init = scene.supervise().options(&options).probe("report-until WINCH").spawn();
    init.expect("ready");
    // A rewritten signal is not rewritten again. The ignored INT would come before WINCH.
    for (sent, arrives) in [(1, 12), (10, 1), (12, 12), (2, SIGWINCH)] {
        init.signal(sent);
        if sent == 2 {
            init.signal(SIGWINCH);
        }
        expect_report(&mut init, arrives);
    }
}

#[test]
fn child_signals_are_nobodys_but_the_inits() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let mut init =
            scene.supervise().place(place).probe("block all, ready, read, await CHLD,WINCH, say got").spawn();
        init.expect("ready");
        init.signal(SIGCHLD);
        // The init looks at its signals in order: had it forwarded CHLD, it would be pending by the time WINCH is.
        init.signal(SIGWINCH);
        let main = init.main_pid();
        let pending = scene.deadline.until("WINCH to be pending", || {
            let pending = u64::from_str_radix(&proc::status(main, "ShdPnd")?, 16).ok()?;
            (pending & 1 << (SIGWINCH - 1) != 0).then_some(pending)
        });
        assert_eq!(pending & 1 << (SIGCHLD - 1), 0);
        init.go();
        init.expect("got");
    }
}

#[test]
fn a_payload_that_ends_by_a_forwarded_signal_ends_the_init() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let mut init = scene.supervise().place(place).probe("ready, wait").spawn();
        init.expect("ready");
        init.signal(SIGUSR1);
        let expected = if place == Place::Child { Exit::Signal(SIGUSR1) } else { Exit::Code(128 + SIGUSR1) };
        assert_eq!(init.wait(), expected);
    }
}

#[test]
fn a_stop_is_forwarded_as_often_as_it_is_asked_for() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let mut init = scene.supervise().place(place).probe("report-until WINCH, exit 4").spawn();
        init.expect("ready");
        for signal in [SIGTERM, SIGTERM, SIGTERM, SIGWINCH] {
            init.signal(signal);
            expect_report(&mut init, signal);
        }
        assert_eq!(init.wait(), Exit::Code(4), "{place:?}");
    }
}

#[test]
fn a_stopped_main_is_continued_by_a_forwarded_signal() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let mut init = scene.supervise().place(place).probe("ready, raise STOP 1, say continued").spawn();
        init.expect("ready");
        let main = init.main_pid();
        scene.deadline.until("main to stop", || (proc::state(main) == Some('T')).then_some(()));
        init.signal(SIGCONT);
        init.expect("continued");
        assert_eq!(init.wait(), Exit::Code(0));
    }
}

#[test]
fn the_init_itself_is_not_stopped_by_what_it_forwards() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        // Main's group is orphaned and so is not stopped by them either, or ignores them.
        let mut init = scene.supervise().place(place).probe("ignore TSTP,TTIN,TTOU, report-until WINCH").spawn();
        init.expect("ready");
        for signal in [SIGTSTP, 21, 22, SIGWINCH] {
            init.signal(signal);
            expect_report(&mut init, signal);
        }
        assert_eq!(init.wait(), Exit::Code(0));
    }
}

#[test]
fn the_payload_sees_who_forwarded_it() {
    let scene = Scene::new();
    let mut init = scene.supervise().probe("report-until WINCH").spawn();
    init.expect("ready");
    init.signal(SIGWINCH);
    let expected = format!("got {SIGWINCH} from {} code 0", init.pid());
    init.expect(&expected);
}
