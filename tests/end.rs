//! The end: what becomes of main's status, and of us when our parent is the one that ends.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::path::Path;

use harness::launch::{EVERYWHERE, Launch, Place};
use harness::lines::Lines;
use harness::running::Running;
use harness::{Exit, Scene, send, skip};
use libc::{
    SIGABRT, SIGCHLD, SIGCONT, SIGKILL, SIGSTOP, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGUSR1, SIGWINCH,
};

/// The signals whose default is to end a process.
fn fatal() -> impl Iterator<Item = i32> {
    let others = [SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH];
    (1..=64).filter(move |signal| !others.contains(signal))
}

/// What main's death by a signal looks like from outside.
fn death(place: Place, signal: i32) -> Exit {
    if place == Place::Child { Exit::Signal(signal) } else { Exit::Code(128 + signal) }
}

#[test]
fn every_exit_code_is_handed_on() {
    for place in [Place::Child, Place::Pid1] {
        let scene = Scene::new();
        for code in 0..=255 {
            let ended = scene.supervise().place(place).probe(&format!("exit {code}")).end();
            assert_eq!(ended.exit, Exit::Code(code), "{place:?}: {:?}", ended.stderr);
        }
    }
}

#[test]
fn a_caller_sees_the_very_signal_that_main_died_of_and_a_namespace_128_more() {
    for place in [Place::Child, Place::Pid1] {
        let scene = Scene::new();
        for signal in fatal() {
            let ended = scene.supervise().place(place).probe(&format!("die {signal}")).end();
            assert_eq!(ended.exit, death(place, signal), "{place:?}: {:?}", ended.stderr);
        }
    }
}

#[test]
fn process_1_of_a_user_without_rights_hands_codes_and_signals_on_too() {
    let scene = Scene::new();
    for (verbs, code) in [("exit 0", 0), ("exit 255", 255), ("die TERM", 143), ("die 64", 192)] {
        assert_eq!(scene.supervise().place(Place::UserPid1).probe(verbs).end().exit, Exit::Code(code));
    }
}

#[test]
fn a_signal_that_was_ignored_and_blocked_at_entry_still_ends_us_as_it_ended_main() {
    let scene = Scene::new();
    for signal in [1, 2, 13, 15, 40, 64] {
        let entered = format!("ignore {signal}, block all");
        let ended = scene.supervise().entered_with(&entered).probe(&format!("die {signal}")).end();
        assert_eq!(ended.exit, Exit::Signal(signal));
    }
}

#[test]
fn a_main_killed_from_outside_is_reported_as_killed() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let mut init = scene.supervise().place(place).probe("ready, wait").spawn();
        init.expect("ready");
        send(init.main_pid(), SIGKILL, 1);
        assert_eq!(init.wait(), death(place, SIGKILL));
    }
}

#[test]
fn the_exit_map_translates_codes_and_deaths() {
    let cases: [(&str, &str, Exit); 16] = [
        ("3=0", "exit 3", Exit::Code(0)),
        ("3=0", "exit 4", Exit::Code(4)),
        ("1=70", "exit 1", Exit::Code(70)),
        ("0=9", "exit 0", Exit::Code(9)),
        ("0=9", "ready", Exit::Code(9)),
        ("1=2,2=3", "exit 1", Exit::Code(2)),
        ("1=2,2=3", "exit 2", Exit::Code(3)),
        ("255=0", "exit 255", Exit::Code(0)),
        ("143=0", "die TERM", Exit::Code(0)),
        ("143=0", "exit 143", Exit::Code(0)),
        ("TERM=0", "die TERM", Exit::Code(0)),
        ("SIGTERM=255", "die TERM", Exit::Code(255)),
        ("RTMIN+1=5", "die 35", Exit::Code(5)),
        ("192=1", "die 64", Exit::Code(1)),
        ("143=0,TERM=7", "die TERM", Exit::Code(7)),
        ("0=9,INT=8", "die TERM", Exit::Signal(SIGTERM)),
    ];
    let scene = Scene::new();
    for (map, verbs, exit) in cases {
        for place in [Place::Child, Place::Pid1] {
            let ended = scene.supervise().place(place).options(&["--exit-map", map]).probe(verbs).end();
            let exit = match exit {
                Exit::Signal(signal) => death(place, signal),
                exit => exit,
            };
            assert_eq!(ended.exit, exit, "{map} {verbs} {place:?}: {:?}", ended.stderr);
        }
    }
}

#[test]
fn no_core_file_is_ours() {
    let scene = Scene::new();
    // In the folder, so that the one of the comparison is removed.
    let folder = scene.folder().to_str().expect("made by us").to_owned();
    let allowed = format!("chdir {folder}, limit 4 100000000 100000000");
    if !scene.bare().entered_with(&allowed).probe("dump ABRT").spawn().dumped_core() {
        return skip("nothing dumps core here");
    }
    // Main's own limit keeps it from dumping; ours would allow it.
    let mut init = scene.supervise().entered_with(&allowed).probe("limit 4 0 0, dump ABRT").spawn();
    assert!(!init.dumped_core());
    assert_eq!(init.wait(), Exit::Signal(SIGABRT));
}

#[test]
fn a_run_without_events_says_nothing_at_all() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let mut init = scene.supervise().place(place).probe("orphans 3, burst 3, ready, read, die TERM").spawn();
        init.expect("ready");
        init.signal(SIGWINCH);
        init.go();
        let ended = init.end();
        assert_eq!(ended.exit, death(place, SIGTERM));
        assert_eq!((ended.stdout, ended.stderr), (vec![], vec![]), "{place:?}");
        scene.nothing_is_left();
    }
}

#[test]
fn what_arrives_while_main_is_dead_already_harms_nobody() {
    for place in [Place::Child, Place::Pid1] {
        let scene = Scene::new();
        for _ in 0..20 {
            let mut init = scene.supervise().place(place).probe("ignore USR1,TERM, ready, read, exit 5").spawn();
            let pid = init.pid();
            init.expect("ready");
            init.go();
            // Until it is gone, of which the wait tells; the pid is not reused before.
            for signal in [SIGWINCH, SIGUSR1, SIGTERM] {
                send_to_a_child_that_may_be_gone(pid, signal);
            }
            assert_eq!(init.wait(), Exit::Code(5), "{place:?}");
        }
    }
}

fn send_to_a_child_that_may_be_gone(pid: i32, signal: i32) {
    let signal = nix::sys::signal::Signal::try_from(signal).expect("a standard signal");
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal);
}

/// A process that has the given command line as its child, in no group of its own, and waits.
fn parent_of<'s>(scene: &'s Scene, before: &[&str], launch: &Launch) -> Running<'s> {
    let mut parent = scene.command(harness::probe());
    parent.args(["fork", "exec", "--"]).args(before).args(launch.words()).args(["end", "wait"]);
    parent.stdin(std::process::Stdio::null());
    parent.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    Running::start(scene, parent, 0, Path::new("probe"))
}

#[test]
fn the_parents_death_acts_like_the_signal() {
    for signal in ["USR1", "SIGTERM", "RTMIN+3", "10"] {
        let scene = Scene::new();
        let launch = scene.supervise().options(&["--parent-death", signal]).probe("report-until WINCH");
        let mut parent = parent_of(&scene, &[], &launch);
        parent.expect("ready");
        send(parent.outer_pid(), SIGKILL, 1);
        parent.wait();
        let number = ["SIGTERM", "RTMIN+3"].iter().position(|name| *name == signal).map_or(10, |at| [15, 37][at]);
        assert!(parent.line().starts_with(&format!("got {number} ")));
        send(scene.named("supervise"), SIGWINCH, 1);
        assert!(parent.line().starts_with("got 28 "));
        scene.deadline.until("all to end", || scene.marked().is_empty().then_some(()));
    }
}

#[test]
fn the_parents_death_is_a_stop_where_its_signal_is_one() {
    let scene = Scene::new();
    let verbs = "block TERM,HUP, fork setsid, await TERM, say told, end, await TERM, exit 0";
    let launch = scene.supervise().options(&["--parent-death", "TERM"]).probe(&format!("block TERM, ready, {verbs}"));
    let mut parent = parent_of(&scene, &[], &launch);
    parent.expect("ready");
    send(parent.outer_pid(), SIGKILL, 1);
    parent.expect("told");
    scene.deadline.until("all to end", || scene.marked().is_empty().then_some(()));
}

#[test]
fn the_death_of_process_1s_parent_acts_like_the_signal() {
    for place in [Place::Pid1, Place::UserPid1] {
        let scene = Scene::new();
        let launch = scene.supervise().place(place).options(&["--parent-death", "USR1"]);
        let mut init = launch.probe("report-until USR1").spawn();
        init.expect("ready");
        send(init.outer_pid(), SIGKILL, 1);
        assert!(init.line().starts_with("got 10 "), "{place:?}");
        scene.deadline.until("all to end", || scene.marked().is_empty().then_some(()));
    }
}

#[test]
fn a_parent_that_dies_before_we_ask_to_be_told_is_seen_too() {
    let scene = Scene::new();
    let launch = scene.supervise().options(&["--parent-death", "USR1"]).entered_with("block USR1");
    let launch = launch.probe("report-until WINCH");
    // As a grandchild, strace leaves supervise its parent, and holds it up before it asks.
    let strace = [
        "strace",
        "-D",
        "-e",
        "trace=getppid,prctl",
        "-e",
        "inject=prctl:delay_enter=2000000:when=1",
        "-o",
        "/dev/stderr",
    ];
    let mut parent = parent_of(&scene, &strace, &launch);
    let seen = parent.stderr().up_to("getppid()");
    assert!(!seen.contains("PDEATHSIG"), "{seen}");
    send(parent.outer_pid(), SIGKILL, 1);
    parent.wait();
    parent.expect("ready");
    send(scene.named("supervise"), SIGWINCH, 1);
    assert!(parent.line().starts_with("got 10 "));
}

#[test]
fn a_parent_that_is_dead_when_we_begin_is_seen_by_the_session_that_it_left() {
    let scene = Scene::new();
    let launch = scene.supervise().options(&["--parent-death", "USR1"]).entered_with("block USR1");
    let launch = launch.probe("report-until WINCH");
    // The leader of a session of its own forks the process that waits for its end and then becomes supervise.
    let mut leader = scene.command(harness::probe());
    leader.args(["setsid", "fork", "read", "exec", "--"]).args(launch.words()).arg("end");
    leader.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    leader.stderr(std::process::Stdio::piped());
    let mut leader = Running::start(&scene, leader, 0, Path::new("probe"));
    assert_eq!(leader.wait(), Exit::Code(0));
    leader.go();
    leader.expect("ready");
    send(scene.named("supervise"), SIGWINCH, 1);
    assert!(leader.line().starts_with("got 10 "));
}

#[test]
fn without_being_asked_for_it_the_parents_death_means_nothing() {
    let scene = Scene::new();
    let launch = scene.supervise().probe("report-until WINCH");
    let mut parent = parent_of(&scene, &[], &launch);
    parent.expect("ready");
    send(parent.outer_pid(), SIGKILL, 1);
    parent.wait();
    send(scene.named("supervise"), SIGWINCH, 1);
    let line = Lines::next(parent.stdout());
    assert!(line.is_some_and(|line| line.starts_with("got 28 ")));
}
