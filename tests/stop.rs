//! What main leaves behind: it is told to end and waited for, and main's code is kept through all of it.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use harness::launch::{EVERYWHERE, Init, PEERS, Place};
use harness::running::Running;
use harness::{Exit, Scene, proc, send, skip};
use libc::{SIGCONT, SIGHUP, SIGQUIT, SIGTERM, SIGUSR1};

/// A process that ends only when it has been told both.
const TOLD: &str = "await TERM, await CONT, say told";

/// A main that leaves a worker behind, of the given kind, and ends with 3 when it may.
fn with_worker(kind: &str, work: &str) -> String {
    format!("block TERM,CONT, {kind} say worker, {work} end, read, exit 3")
}

#[test]
fn what_is_left_is_told_and_waited_for() {
    for place in EVERYWHERE {
        for kind in ["fork", "fork setpgid", "fork setsid", "daemon", "daemon setsid", "fork setsid fork setsid"] {
            let scene = Scene::new();
            let ends = if kind.matches("fork").count() == 2 { "end wait" } else { "" };
            let mut init = scene.supervise().place(place).probe(&with_worker(kind, &format!("{TOLD} {ends}"))).spawn();
            init.expect("worker");
            init.go();
            init.expect("told");
            assert_eq!(init.wait(), Exit::Code(3), "{place:?} {kind}: {}", init.said());
            scene.nothing_is_left();
        }
    }
}

#[test]
fn what_was_there_before_us_is_neither_told_nor_waited_for() {
    let scene = Scene::new();
    // A shell does so with `supervise ... > >(tee log)`, and with `daemon & exec supervise ...`.
    let verbs = format!("block TERM,CONT, read, fork setsid {TOLD}, end, exit 3");
    let mut init = scene.supervise().entered_with("fork setpgid tally-until WINCH end").probe(&verbs).spawn();
    init.expect("ready");
    let inherited = proc::children(init.pid()).into_iter().next().expect("it is ready");
    init.go();
    init.expect("told");
    assert_eq!(init.wait(), Exit::Code(3), "{}", init.said());
    send(inherited, libc::SIGWINCH, 1);
    init.expect(&format!("{}=1", libc::SIGWINCH));
}

#[test]
fn what_ignores_term_as_a_shell_does_gets_hup_and_nobody_else() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        // HUP would kill the second one before it has found out that the first one got it.
        let verbs = "fork setsid ignore TERM, block HUP, say one, await HUP, say told, end, \
                     fork setsid block TERM,USR1, say two, await USR1, await TERM, say alive, end, read, exit 3";
        let mut init = scene.supervise().place(place).probe(verbs).spawn();
        let main = init.main_pid();
        let mut ready = [init.line(), init.line()];
        ready.sort();
        assert_eq!(ready, ["one", "two"]);
        let workers = proc::children(main);
        init.go();
        init.expect("told");
        workers.into_iter().for_each(|worker| send_if_there(worker, SIGUSR1));
        init.expect("alive");
        assert_eq!(init.wait(), Exit::Code(3), "{place:?}: {}", init.said());
    }
}

/// The first of the two has ended, or is about to.
fn send_if_there(pid: i32, signal: i32) {
    let signal = nix::sys::signal::Signal::try_from(signal).expect("it has a name");
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal);
}

#[test]
fn the_same_after_a_stop_that_ended_main() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let verbs = format!("block TERM,CONT, fork setsid {TOLD}, end, ready, unblock TERM, wait");
        let mut init = scene.supervise().place(place).probe(&verbs).spawn();
        init.expect("ready");
        init.signal(SIGTERM);
        init.expect("told");
        let expected = if place == Place::Child { Exit::Signal(SIGTERM) } else { Exit::Code(128 + SIGTERM) };
        assert_eq!(init.wait(), expected);
        scene.nothing_is_left();
    }
}

#[test]
fn the_same_after_main_was_killed() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let mut init = scene.supervise().place(place).probe(&with_worker("fork setsid", TOLD)).spawn();
        init.expect("worker");
        let main = init.main_pid();
        send(main, libc::SIGKILL, 1);
        init.expect("told");
        let expected = if place == Place::Child { Exit::Signal(9) } else { Exit::Code(137) };
        assert_eq!(init.wait(), expected);
    }
}

#[test]
fn a_stopped_process_is_continued_so_that_it_can_end() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        // CONT is not blocked, or the process would not go on by it.
        let verbs = "block TERM, fork setsid raise STOP 1, await TERM, say told, end, read, exit 3";
        let mut init = scene.supervise().place(place).probe(verbs).spawn();
        let main = init.main_pid();
        scene.deadline.until("the worker to stop", || {
            let worker = *proc::children(main).first()?;
            (proc::state(worker) == Some('T')).then_some(())
        });
        init.go();
        init.expect("told");
        assert_eq!(init.wait(), Exit::Code(3), "{place:?}");
    }
}

#[test]
fn a_worker_may_take_its_time_and_finish_its_work() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        // Its work: three lines from the test, which is slower than any exit.
        let work = "await TERM, say saving, read, read, read, say saved";
        let verbs = format!("block TERM, fork setsid say worker, {work} end, say main, exit 3");
        let mut init = scene.supervise().place(place).probe(&verbs).spawn();
        let mut begun = [init.line(), init.line(), init.line()];
        begun.sort();
        assert_eq!(begun, ["main", "saving", "worker"]);
        (0..3).for_each(|_| init.go());
        init.expect("saved");
        assert_eq!(init.wait(), Exit::Code(3), "{place:?}");
    }
}

#[test]
fn what_a_worker_starts_while_it_is_told_is_waited_for_too() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let work = "await TERM, daemon setsid read, say late, end, say told";
        let mut init = scene.supervise().place(place).probe(&with_worker("fork setsid", work)).spawn();
        init.expect("worker");
        init.go();
        init.expect("told");
        init.go();
        init.expect("late");
        assert_eq!(init.wait(), Exit::Code(3), "{place:?}");
        scene.nothing_is_left();
    }
}

#[test]
fn what_does_not_listen_is_killed_in_the_end_and_mains_code_is_kept() {
    let scene = Scene::new();
    let deaf = "ignore TERM,HUP,INT,QUIT, say worker, wait";
    let verbs = format!("fork setsid {deaf} end, daemon {deaf} end, fork {deaf} end, read, exit 42");
    // Side by side: each takes as long as a worker is given.
    let mut inits = EVERYWHERE.map(|place| scene.supervise().place(place).probe(&verbs).spawn());
    for init in &mut inits {
        (0..3).for_each(|_| init.expect("worker"));
        init.go();
    }
    for init in inits {
        let ended = init.end();
        assert_eq!(ended.exit, Exit::Code(42), "{:?}", ended.stderr);
    }
    scene.nothing_is_left();
}

#[test]
fn what_keeps_forking_is_killed_too() {
    let scene = Scene::new();
    let verbs = "ignore TERM,HUP, fork setsid say worker, storm 1000000000 1000, end, read, exit 42";
    let mut inits = EVERYWHERE.map(|place| scene.supervise().place(place).probe(verbs).spawn());
    for init in &mut inits {
        init.expect("worker");
        init.go();
    }
    for mut init in inits {
        assert_eq!(init.wait(), Exit::Code(42), "{}", init.said());
    }
    scene.nothing_is_left();
}

#[test]
fn what_cannot_be_killed_is_named_and_left() {
    let scene = Scene::new();
    let mut init = scene.supervise().probe("fork setsid say worker, wait, end, read, exit 42").spawn();
    init.expect("worker");
    let worker = proc::children(init.main_pid())[0];
    // A dead process stays for its tracer until that has looked, and this one is stopped.
    let mut strace = scene.command("strace");
    strace.args(["-o", "/dev/null", "-p", &worker.to_string()]).stderr(std::process::Stdio::null());
    let tracer = Running::start(&scene, strace, 0, std::path::Path::new("strace"));
    scene.deadline.until("strace to attach", || {
        (proc::status(worker, "TracerPid")? == tracer.outer_pid().to_string()).then_some(())
    });
    send(tracer.outer_pid(), libc::SIGSTOP, 1);
    scene.deadline.until("strace to stop", || (proc::state(tracer.outer_pid()) == Some('T')).then_some(()));
    init.go();
    assert_eq!(init.wait(), Exit::Code(42));
    let said = init.said();
    assert!(said.starts_with("supervise: warning: ") && said.contains(&worker.to_string()), "{said:?}");
}

#[test]
fn a_stop_while_what_is_left_ends_is_passed_on_to_it() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let work = "await TERM, await CONT, say told, await TERM, say again";
        let mut init = scene.supervise().place(place).probe(&with_worker("fork setsid", work)).spawn();
        init.expect("worker");
        init.go();
        init.expect("told");
        init.signal(SIGTERM);
        init.expect("again");
        assert_eq!(init.wait(), Exit::Code(3), "{place:?}");
    }
}

#[test]
fn a_rewritten_stop_tells_main_otherwise_and_the_rest_as_ever() {
    for (rewrite, sent, told) in [("TERM=QUIT", SIGTERM, SIGQUIT), ("USR1=TERM", SIGUSR1, SIGTERM)] {
        let scene = Scene::new();
        let verbs = format!("block TERM,CONT, fork setsid {TOLD}, end, report-until {told}, exit 6");
        let mut init = scene.supervise().options(&["--rewrite", rewrite]).probe(&verbs).spawn();
        init.expect("ready");
        init.signal(sent);
        assert!(init.line().starts_with(&format!("got {told} ")));
        init.expect("told");
        assert_eq!(init.wait(), Exit::Code(6), "{rewrite}");
    }
}

#[test]
fn nobody_but_our_descendants_is_told() {
    // In a namespace of its own: should it fail, the machine's own processes are out of reach.
    for place in [Place::Pid1, Place::UserPid1] {
        let scene = Scene::new();
        let supervise = scene.for_everybody(&Init::Supervise.path().expect("cargo built it"));
        let probe = scene.for_everybody(&harness::probe());
        // The same user, session and group: a bystander as near as can be. It tells of the first signal it gets.
        let verbs = "fork report-until WINCH, end, daemon report-until WINCH, end, fork exec --";
        let main = "block TERM,HUP, fork await TERM, say told, end, daemon await TERM, say told, end, read, exit 3";
        let mut words = harness::words(verbs);
        words.extend([supervise.to_str().expect("made by us"), "--", probe.to_str().expect("made by us")]);
        words.extend(harness::words(main));
        words.extend(["end", "tell-end", "children", "wait"]);
        let mut outer = scene.bare().place(place).probe_with("default HUP", &words).spawn();
        outer.expect("ready");
        outer.expect("ready");
        outer.go();
        let mut said = [outer.line(), outer.line()];
        said.sort();
        assert_eq!(said, ["told", "told"]);
        outer.expect("ended code 3");
        outer.expect("2 children");
        for bystander in proc::children(outer.pid()) {
            send(bystander, libc::SIGWINCH, 1);
            assert!(outer.line().starts_with("got 28 "), "{place:?}");
        }
    }
}

#[test]
fn a_process_that_was_put_into_the_namespace_is_told_too() {
    if !nix::unistd::geteuid().is_root() {
        return skip("only root may enter a namespace from outside");
    }
    let scene = Scene::new();
    // A worker of ours holds the end up until the other one has spoken.
    let verbs = "block TERM, fork setsid await TERM, read, end, ready, read, exit 3";
    let mut init = scene.supervise().place(Place::Pid1).probe(verbs).spawn();
    init.expect("ready");
    let mut enter = scene.command("nsenter");
    enter.args(["--pid", "--target", &init.pid().to_string()]).arg(harness::probe());
    enter.args(["block", "TERM", "say", "inside", "await", "TERM", "say", "told"]);
    enter.stdout(std::process::Stdio::piped());
    let mut inside = Running::start(&scene, enter, 0, std::path::Path::new("nsenter"));
    inside.expect("inside");
    init.go();
    inside.expect("told");
    init.go();
    assert_eq!(init.wait(), Exit::Code(3));
}

#[test]
fn the_peers_leave_the_worker_to_be_killed() {
    for peer in PEERS {
        if peer.path().is_none() {
            skip(&format!("{peer:?} is not installed"));
            continue;
        }
        let scene = Scene::new();
        // As process 1, whose end is the end of all: a worker in its own session is not even told.
        let mut init = scene.init(peer).place(Place::Pid1).probe(&with_worker("fork setsid", TOLD)).spawn();
        init.expect("worker");
        init.go();
        assert_eq!(init.stdout().next(), None, "{peer:?} told it");
        assert_eq!(init.wait(), Exit::Code(3));
    }
}

#[test]
fn signals_that_nobody_can_get_any_more_end_nothing_early() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let work = "await TERM, say told, read, say done";
        let mut init = scene.supervise().place(place).probe(&with_worker("fork setsid", work)).spawn();
        init.expect("worker");
        init.go();
        init.expect("told");
        for signal in [SIGUSR1, SIGHUP, SIGCONT, 34, 64, SIGQUIT] {
            init.signal(signal);
        }
        init.go();
        init.expect("done");
        assert_eq!(init.wait(), Exit::Code(3), "{place:?}");
    }
}
