//! Hooks at a real terminal: keys reach them as they reach the command.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use harness::launch::Init;
use harness::terminal::{CTRL_C, CTRL_Z, Session, bare, below, for_each_target};
use harness::{Exit, Scene, probe, proc, send};

/// The words that a shell needs to run supervise with a hook.
fn typed(target: &str, hook: &str, verbs: &str) -> String {
    below(Init::Supervise, &format!("--forward-to {target} --pre-start \"exec {}\"", bare(hook)), verbs)
}

#[test]
fn ctrl_c_ends_a_hook_and_the_loop_around_it() {
    for_each_target(|session, target| {
        let command = typed(target, "say round:$i wait", "say started");
        session.type_and_see(&format!("for i in 1 2; do {command}; done"), "round:1");
        session.press(CTRL_C);
        // The shell answers only once the loop is over.
        let seen = session.type_and_see("echo over:$((40 + 2))", "over:42");
        assert!(!seen.contains("round:2") && !seen.contains("\nstarted"), "--forward-to {target}: {seen}");
    });
}

#[test]
fn ctrl_z_stops_a_hook_and_fg_continues_it() {
    for_each_target(|session, target| {
        let command = typed(target, "say up:$((40+2)) read", "foreground exit 3");
        session.type_and_see(&format!("{command}; echo code:$?"), "up:42");
        session.press_and_see(CTRL_Z, "Stopped");
        session.type_and_see("echo shell:$((40 + 3))", "shell:43");
        session.type_and_see("fg; echo again:$?; exit 7", "--pre-start");
        // The hook reads what is pressed now, so it is in the foreground; then the command is.
        session.press_and_see("\n", "foreground own");
        session.up_to("again:3");
        assert_eq!(session.leader.wait(), Exit::Code(7), "--forward-to {target}");
    });
}

#[test]
fn what_ended_a_stopped_hook_came_to_us_before_its_end() {
    for_each_target(|session, target| {
        let command = typed(target, "block TERM say up:$((40+2)) await TERM", "say started");
        session.type_and_see(&format!("{command}; echo code:$?"), "up:42");
        let (init, hook) = (session.scene.named("supervise"), session.scene.named("probe"));
        session.press_and_see(CTRL_Z, "Stopped");
        for pid in [hook, init] {
            send(pid, libc::SIGTERM, 1);
        }
        // Its end is there when supervise goes on.
        send(hook, libc::SIGCONT, 1);
        session.scene.deadline.until("the hook's end", || (proc::state(hook) == Some('Z')).then_some(()));
        let seen = session.type_and_see("fg; echo over:$?", "\nover:");
        assert!(seen.contains("the command is not started"), "--forward-to {target}: {seen}");
    });
}

#[test]
fn a_command_behind_a_hook_does_not_take_the_terminal_from_the_shell() {
    for_each_target(|session, target| {
        let hook = "block USR1 say up:$((40+2)) await USR1";
        session.type_and_see(&typed(target, hook, "foreground exit 3"), "up:42");
        session.press_and_see(CTRL_Z, "Stopped");
        // supervise alone: from the job's group the hook would have it at once, and what comes next could have it passed on.
        session.type_and_see("bg; kill -USR1 $!; wait %1; echo code:$?; exit 7", "foreground other");
        session.up_to("code:3");
        assert_eq!(session.leader.wait(), Exit::Code(7), "--forward-to {target}");
    });
}

#[test]
fn the_leader_of_a_session_hands_the_terminal_to_hook_and_command_in_turn() {
    let scene = Scene::new();
    let (supervise, probe) = (Init::Supervise.path().expect("cargo built it"), probe());
    let (supervise, probe) = (supervise.to_str().expect("a path"), probe.to_str().expect("a path"));
    let before = format!("exec {probe} say before foreground");
    let stop = format!("{probe} say stop foreground");
    let words = [
        "--pre-start",
        &before,
        "--pre-stop",
        &stop,
        "--pre-stop-timeout",
        "1h",
        "--",
        probe,
        "say",
        "main",
        "foreground",
        "report-until",
        "TERM",
    ];
    let mut session = Session::start(&scene, &[&[supervise], &words[..], &["foreground", "exit", "3"]].concat());
    for text in ["before", "foreground own", "main", "foreground own", "ready"] {
        session.up_to(text);
    }
    session.press_and_see(CTRL_C, "got 2 from 0 ");
    session.leader.signal(libc::SIGTERM);
    // Main keeps it through the hook before the stop.
    for text in ["stop", "foreground other", "got 15 ", "foreground own"] {
        session.up_to(text);
    }
    assert_eq!(session.leader.wait(), Exit::Code(3));
}

#[test]
fn a_hook_before_a_stop_that_is_killed_leaves_the_terminal_to_the_command() {
    let scene = Scene::new();
    let supervise = Init::Supervise.path().expect("cargo built it");
    // In the shared group, where the command makes one of its own as shells do.
    let script = format!("{} --pre-stop 'kill -9 $$' --delay 1h -- bash --norc -i; echo code:$?", supervise.display());
    let mut session = Session::prompting(&scene, &["sh", "-c", &script]);
    let init = scene.named("supervise");
    send(init, libc::SIGTERM, 1);
    session.up_to("the stop goes on");
    session.type_and_see("echo alive:$((40 + 2)); exit 3", "alive:42");
    session.up_to("code:3");
    assert_eq!(session.leader.wait(), Exit::Code(0));
}

#[test]
fn keys_reach_a_hook_once_where_the_command_gets_a_session_of_its_own() {
    let scene = Scene::new();
    let mut session = Session::shell(&scene);
    session.type_and_see(&typed("main --setsid", "report-until WINCH", "say main:$((40+2))"), "ready");
    for _ in 0..3 {
        session.press_and_see(CTRL_C, "got 2 from 0 ");
    }
    let init = scene.named("supervise");
    send(init, libc::SIGWINCH, 1);
    let seen = session.up_to("got 28 ");
    assert!(!seen.contains("got 2 "), "more than was pressed: {seen}");
    session.up_to("main:42");
}
