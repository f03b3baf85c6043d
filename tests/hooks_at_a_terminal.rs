//! Hooks at a real terminal: keys reach them as they reach the command.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use harness::launch::Init;
use harness::terminal::Terminal;
use harness::{Exit, Scene, probe, proc, send};

const CTRL_C: &str = "\x03";
const CTRL_Z: &str = "\x1a";

/// How supervise is told whose signals are whose; the first is the default.
const TARGETS: [&str; 2] = ["main", "group"];

/// The words that a shell needs to run supervise with a hook.
fn typed(target: &str, hook: &str, verbs: &str) -> String {
    let (supervise, probe) = (Init::Supervise.path().expect("cargo built it"), probe());
    let (supervise, probe) = (supervise.display(), probe.display());
    format!("{supervise} --forward-to {target} --pre-start \"exec {probe} {hook}\" -- {probe} {verbs}")
}

#[test]
fn ctrl_c_ends_a_hook_and_the_loop_around_it() {
    for target in TARGETS {
        let scene = Scene::new();
        let mut terminal = Terminal::open(&scene);
        let _shell = terminal.shell(&scene);
        let command = typed(target, "say round:$i wait", "say started");
        terminal.press(&format!("for i in 1 2; do {command}; done\n"));
        terminal.screen.up_to("round:1");
        terminal.press(CTRL_C);
        // The shell answers only once the loop is over.
        terminal.press("echo over:$((40 + 2))\n");
        let seen = terminal.screen.up_to("over:42");
        assert!(!seen.contains("round:2") && !seen.contains("\nstarted"), "--forward-to {target}: {seen}");
    }
}

#[test]
fn ctrl_z_stops_a_hook_and_fg_continues_it() {
    for target in TARGETS {
        let scene = Scene::new();
        let mut terminal = Terminal::open(&scene);
        let mut shell = terminal.shell(&scene);
        terminal.press(&format!("{}; echo code:$?\n", typed(target, "say up:$((40+2)) read", "foreground exit 3")));
        terminal.screen.up_to("up:42");
        terminal.press(CTRL_Z);
        terminal.screen.up_to("Stopped");
        terminal.press("echo shell:$((40 + 3))\n");
        terminal.screen.up_to("shell:43");
        terminal.press("fg; echo again:$?; exit 7\n");
        terminal.screen.up_to("--pre-start");
        // The hook reads what is pressed now, so it is in the foreground; then the command is.
        terminal.press("\n");
        terminal.screen.up_to("foreground own");
        terminal.screen.up_to("again:3");
        assert_eq!(shell.wait(), Exit::Code(7), "--forward-to {target}");
    }
}

#[test]
fn what_ended_a_stopped_hook_came_to_us_before_its_end() {
    for target in TARGETS {
        let scene = Scene::new();
        let mut terminal = Terminal::open(&scene);
        let _shell = terminal.shell(&scene);
        terminal.press(&format!(
            "{}; echo code:$?\n",
            typed(target, "block TERM say up:$((40+2)) await TERM", "say started")
        ));
        terminal.screen.up_to("up:42");
        let (init, hook) = (scene.named("supervise"), scene.named("probe"));
        terminal.press(CTRL_Z);
        terminal.screen.up_to("Stopped");
        for pid in [hook, init] {
            send(pid, libc::SIGTERM, 1);
        }
        // Its end is there when supervise goes on.
        send(hook, libc::SIGCONT, 1);
        scene.deadline.until("the hook's end", || (proc::state(hook) == Some('Z')).then_some(()));
        terminal.press("fg; echo over:$?\n");
        let seen = terminal.screen.up_to("\nover:");
        assert!(seen.contains("the command is not started"), "--forward-to {target}: {seen}");
    }
}

#[test]
fn a_command_behind_a_hook_does_not_take_the_terminal_from_the_shell() {
    for target in TARGETS {
        let scene = Scene::new();
        let mut terminal = Terminal::open(&scene);
        let mut shell = terminal.shell(&scene);
        let hook = "block USR1 say up:$((40+2)) await USR1";
        terminal.press(&format!("{}\n", typed(target, hook, "foreground exit 3")));
        terminal.screen.up_to("up:42");
        terminal.press(CTRL_Z);
        terminal.screen.up_to("Stopped");
        // supervise alone: from the job's group the hook would have it at once, and what comes next could have it passed on.
        terminal.press("bg; kill -USR1 $!; wait %1; echo code:$?; exit 7\n");
        terminal.screen.up_to("foreground other");
        terminal.screen.up_to("code:3");
        assert_eq!(shell.wait(), Exit::Code(7), "--forward-to {target}");
    }
}

#[test]
fn the_leader_of_a_session_hands_the_terminal_to_hook_and_command_in_turn() {
    let scene = Scene::new();
    let mut terminal = Terminal::open(&scene);
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
    let mut init = terminal.session(&scene, &[&[supervise], &words[..], &["foreground", "exit", "3"]].concat());
    for text in ["before", "foreground own", "main", "foreground own", "ready"] {
        terminal.screen.up_to(text);
    }
    terminal.press(CTRL_C);
    terminal.screen.up_to("got 2 from 0 ");
    init.signal(libc::SIGTERM);
    // Main keeps it through the hook before the stop.
    for text in ["stop", "foreground other", "got 15 ", "foreground own"] {
        terminal.screen.up_to(text);
    }
    assert_eq!(init.wait(), Exit::Code(3));
}

#[test]
fn a_hook_before_a_stop_that_is_killed_leaves_the_terminal_to_the_command() {
    let scene = Scene::new();
    let mut terminal = Terminal::open(&scene);
    let supervise = Init::Supervise.path().expect("cargo built it");
    // In the shared group, where the command makes one of its own as shells do.
    let script = format!("{} --pre-stop 'kill -9 $$' --delay 1h -- bash --norc -i; echo code:$?", supervise.display());
    let mut shell = terminal.session(&scene, &["sh", "-c", &script]);
    terminal.screen.up_to("> ");
    let init = scene.named("supervise");
    send(init, libc::SIGTERM, 1);
    terminal.screen.up_to("the stop goes on");
    terminal.press("echo alive:$((40 + 2)); exit 3\n");
    terminal.screen.up_to("alive:42");
    terminal.screen.up_to("code:3");
    assert_eq!(shell.wait(), Exit::Code(0));
}

#[test]
fn keys_reach_a_hook_once_where_the_command_gets_a_session_of_its_own() {
    let scene = Scene::new();
    let mut terminal = Terminal::open(&scene);
    let _shell = terminal.shell(&scene);
    let command = typed("main --setsid", "report-until WINCH", "say main:$((40+2))");
    terminal.press(&format!("{command}\n"));
    terminal.screen.up_to("ready");
    for _ in 0..3 {
        terminal.press(CTRL_C);
        terminal.screen.up_to("got 2 from 0 ");
    }
    let init = scene.named("supervise");
    send(init, libc::SIGWINCH, 1);
    let seen = terminal.screen.up_to("got 28 ");
    assert!(!seen.contains("got 2 "), "more than was pressed: {seen}");
    terminal.screen.up_to("main:42");
}
