//! Why a stop is slow, said of main programs that do not take the signal or keep it from their children; and that the
//! cure which the line names is one.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use harness::launch::{EVERYWHERE, Launch, Place};
use harness::slow::{Slow, died, python, says};
use harness::terminal::Terminal;
use harness::{Exit, Scene, proc, send, skip};
use libc::{SIGHUP, SIGINT, SIGKILL, SIGTERM};

/// Where nobody here kills, what is explained stays as it is until the test has ended it. The explanation comes after 5 s.
const PATIENT: [&str; 0] = [];

const SHELLS: [&[&str]; 4] = [&["bash"], &["dash"], &["busybox", "sh"], &["zsh"]];

/// A shell that runs a script, in which PROBE stands for the probe.
fn shell<'s>(scene: &'s Scene, words: &[&str], script: &str) -> Launch<'s> {
    let probe = scene.for_everybody(&harness::probe());
    let script = script.replace("PROBE", probe.to_str().expect("made by us"));
    scene.supervise().for_everybody().argv(&[words, &["-c", &script]].concat())
}

fn python_script<'s>(scene: &'s Scene, script: &str) -> Launch<'s> {
    scene.supervise().argv(&[python(), "-c", script])
}

/// Starts it in each place, side by side, and asks each to stop.
fn everywhere<'s>(scene: &'s Scene, launch: impl Fn() -> Launch<'s>) -> [Slow<'s>; 3] {
    EVERYWHERE.map(|place| {
        let slow = Slow::start(scene, place, launch());
        slow.stop();
        slow
    })
}

/// The same in each shell, when its child runs the named program.
fn in_each_shell<'s>(scene: &'s Scene, options: &[&str], script: &str, child: &str) -> Vec<(Slow<'s>, i32)> {
    let mut all = Vec::new();
    for words in SHELLS {
        if std::process::Command::new(words[0]).args(&words[1..]).args(["-c", "true"]).status().is_err() {
            skip(&format!("{} is not installed", words[0]));
            continue;
        }
        for place in EVERYWHERE {
            let slow = Slow::start(scene, place, shell(scene, words, script).options(options));
            let child = slow.child(child);
            slow.stop();
            all.push((slow, child));
        }
    }
    all
}

#[test]
fn what_ignores_the_signal_is_said_to_and_another_one_helps() {
    let scene = Scene::new();
    for mut slow in everywhere(&scene, || scene.supervise().probe("ignore TERM, ready, wait")) {
        let facts = ["(`probe ignore TERM ready wait`)", "ignores SIGTERM: ", "--stop-signal=INT, which ends it"];
        let line = slow.explains(&facts);
        assert!(!line.contains("was started"), "{line}");
        slow.end_it();
    }
    let cured = || scene.supervise().options(&["--stop-signal=INT"]).probe("ignore TERM, ready, wait");
    everywhere(&scene, cured).into_iter().for_each(|slow| slow.ends_by(SIGINT));
    scene.nothing_is_left();
}

#[test]
fn a_signal_that_the_program_handles_is_named_first() {
    let scene = Scene::new();
    let script = "import signal, sys; signal.signal(15, signal.SIG_IGN); \
                  signal.signal(3, lambda *_: sys.exit(3)); print('ready', flush=True); signal.pause()";
    let mut slow = Slow::start(&scene, Place::Child, python_script(&scene, script));
    slow.stop();
    slow.explains(&["ignores SIGTERM: ", "--stop-signal=INT, which it handles"]);
    slow.end_it();
    let script = script.replace("signal.SIG_IGN", "signal.SIG_IGN); signal.signal(2, signal.SIG_IGN");
    let mut slow = Slow::start(&scene, Place::Child, python_script(&scene, &script));
    slow.stop();
    slow.explains(&["ignores SIGTERM: ", "--stop-signal=QUIT, which it handles"]);
    slow.end_it();
    let launch = python_script(&scene, &script).options(&["--stop-signal=QUIT"]);
    let slow = Slow::start(&scene, Place::Child, launch);
    slow.stop();
    slow.ends_with(3);
    scene.nothing_is_left();
}

#[test]
fn what_was_ignored_at_the_start_is_the_callers_affair() {
    let scene = Scene::new();
    let launch = |entered| scene.supervise().entered_with(entered).probe("ready, wait");
    for mut slow in everywhere(&scene, || launch("ignore TERM")) {
        let facts = ["ignores SIGTERM, which was ignored when supervise was started", "trap ''", "nohup"];
        slow.explains(&facts);
        slow.end_it();
    }
    everywhere(&scene, || launch("default TERM")).into_iter().for_each(|slow| slow.ends_by(SIGTERM));
    scene.nothing_is_left();
}

#[test]
fn a_blocked_signal_is_seen_and_whose_doing_it_is() {
    let scene = Scene::new();
    let launch = |verbs| scene.supervise().probe(verbs);
    for mut slow in everywhere(&scene, || launch("block TERM, ready, wait")) {
        let line = slow.explains(&["blocks SIGTERM in all its threads: ", "--stop-signal=INT, which ends it"]);
        assert!(!line.contains("was started"), "{line}");
        slow.end_it();
    }
    let cured = || launch("block TERM, ready, wait").options(&["--stop-signal=INT"]);
    everywhere(&scene, cured).into_iter().for_each(|slow| slow.ends_by(SIGINT));
    for mut slow in everywhere(&scene, || launch("ready, wait").entered_with("block TERM")) {
        let facts = ["blocks SIGTERM, which was blocked when supervise was started: ", "with SIGTERM unblocked"];
        slow.explains(&facts);
        slow.end_it();
    }
    let cured = || launch("ready, wait").entered_with("unblock TERM");
    everywhere(&scene, cured).into_iter().for_each(|slow| slow.ends_by(SIGTERM));
    scene.nothing_is_left();
}

#[test]
fn a_signalfd_that_is_not_read_is_its_loops_affair() {
    let scene = Scene::new();
    let script = "import ctypes, os, signal, sys; signal.pthread_sigmask(0, [15]); \
                  mask = (1 << 14).to_bytes(128, 'little'); fd = ctypes.CDLL(None).signalfd(-1, mask, 0); \
                  print('ready', flush=True); sys.stdin.readline(); os.read(fd, 128); sys.exit(3)";
    for mut slow in everywhere(&scene, || python_script(&scene, script)) {
        slow.explains(&["has a signalfd for SIGTERM and has not read it", "let the loop get to it"]);
        slow.init.go();
        slow.ends_with(3);
    }
    scene.nothing_is_left();
}

#[test]
fn a_shell_that_ignores_it_keeps_it_from_its_child() {
    let scene = Scene::new();
    let script = "trap '' TERM; PROBE default TERM ready wait; exit 3";
    for (mut slow, child) in in_each_shell(&scene, &PATIENT, script, "probe") {
        let child = format!("its child pid {child} (`probe default TERM ready wait`) never got it");
        slow.explains(&["ignores SIGTERM; ", &child, "with exec", "--kill-mode=group"]);
        slow.end_it();
    }
    for (slow, _) in in_each_shell(&scene, &["--kill-mode=group"], script, "probe") {
        slow.ends_with(3);
    }
    let script = "trap '' TERM; exec PROBE default TERM ready wait";
    for words in SHELLS {
        everywhere(&scene, || shell(&scene, words, script)).into_iter().for_each(|slow| slow.ends_by(SIGTERM));
    }
    scene.nothing_is_left();
}

#[test]
fn where_the_child_has_a_session_of_its_own_the_whole_tree_must_be_told() {
    let scene = Scene::new();
    let script = "trap '' TERM; setsid PROBE default TERM ready wait; exit 3";
    for mode in ["main", "group"] {
        for (mut slow, _) in in_each_shell(&scene, &["--kill-mode", mode], script, "probe") {
            slow.explains(&["ignores SIGTERM; its child ", "never got it", "--kill-mode=tree"]);
            slow.end_it();
        }
    }
    for (slow, _) in in_each_shell(&scene, &["--kill-mode=tree"], script, "probe") {
        slow.ends_with(3);
    }
    scene.nothing_is_left();
}

#[test]
fn a_trap_waits_for_the_child_in_the_foreground() {
    let scene = Scene::new();
    let script = "trap 'exit 3' TERM; echo ready; sleep 1000; true";
    for (mut slow, child) in in_each_shell(&scene, &PATIENT, script, "sleep") {
        let child = format!("when its foreground child pid {child} (`sleep 1000`) has ended, which never got it");
        slow.explains(&["runs its trap for SIGTERM only ", &child, "`&`, then `wait`", "--kill-mode=group"]);
        slow.end_it();
    }
    for (slow, _) in in_each_shell(&scene, &["--kill-mode=group"], script, "sleep") {
        slow.ends_with(3);
    }
    let script = "trap 'kill $!; exit 3' TERM; echo ready; sleep 1000 & wait";
    for (slow, _) in in_each_shell(&scene, &[], script, "sleep") {
        slow.ends_with(3);
    }
    scene.nothing_is_left();
}

#[test]
fn a_trap_that_runs_on_has_told_nobody() {
    let scene = Scene::new();
    let script = "trap TRAP TERM; sleep 1000 & echo ready; while kill -0 $! 2>/dev/null; do wait $!; done; exit 3";
    for (mut slow, child) in in_each_shell(&scene, &PATIENT, &script.replace("TRAP", "true"), "sleep") {
        let child = format!("its child pid {child} (`sleep 1000`) never got it");
        slow.explains(&["has a trap for SIGTERM and runs on; ", &child, "pass SIGTERM on", "--kill-mode=group"]);
        slow.end_it();
    }
    for (slow, _) in in_each_shell(&scene, &["--kill-mode=group"], &script.replace("TRAP", "true"), "sleep") {
        slow.ends_with(3);
    }
    for (slow, _) in in_each_shell(&scene, &[], &script.replace("TRAP", "'kill $!'"), "sleep") {
        slow.ends_with(3);
    }
    scene.nothing_is_left();
}

#[test]
fn a_parent_that_waits_for_a_child_in_another_session_is_seen() {
    let scene = Scene::new();
    let script = "import signal, subprocess, sys; signal.signal(15, lambda *_: None); \
                  child = subprocess.Popen(['sleep', '1000'], start_new_session=True); print('ready', flush=True); \
                  child.wait(); sys.exit(3)";
    for mode in ["main", "group"] {
        let launch = || python_script(&scene, script).options(&["--kill-mode", mode]);
        for mut slow in everywhere(&scene, launch) {
            slow.explains(&[
                "handles SIGTERM but waits for a child; its child pid ",
                "(`sleep 1000`) never got it: ",
                "let it pass SIGTERM on",
                "--kill-mode=tree",
            ]);
            slow.end_it();
        }
    }
    let launch = || python_script(&scene, script).options(&["--kill-mode=tree"]);
    everywhere(&scene, launch).into_iter().for_each(|slow| slow.ends_with(3));
    scene.nothing_is_left();
}

#[test]
fn who_is_at_work_needs_time_and_nothing_else() {
    let scene = Scene::new();
    let script = "import signal, sys; asked = []; signal.signal(15, lambda *_: asked.append(1)); \
                  print('ready', flush=True); sys.stdin.readline(); sys.exit(3 if asked else 4)";
    for mut slow in everywhere(&scene, || python_script(&scene, script)) {
        let line = slow.explains(&["handles SIGTERM and is still at work: give it more time", "docker stop -t"]);
        assert!(!line.contains("--grace") && !line.contains("kill-mode"), "{line}");
        slow.init.go();
        slow.ends_with(3);
    }
    // By a wait for signals, without a handler; and where somebody here kills.
    for mut slow in everywhere(&scene, || scene.supervise().probe("block TERM, ready, await TERM, wait")) {
        slow.explains(&["handles SIGTERM and is still at work: "]);
        slow.end_it();
    }
    scene.nothing_is_left();
}

#[test]
fn where_somebody_here_kills_that_time_can_be_longer() {
    let scene = Scene::new();
    let mut slow = Slow::start(
        &scene,
        Place::Child,
        scene.supervise().options(&["--grace", "20s"]).probe("block TERM, ready, await TERM, wait"),
    );
    slow.stop();
    slow.explains(&["handles SIGTERM and is still at work: give it more time (--grace"]);
    slow.end_it();
    scene.nothing_is_left();
}

#[test]
fn a_server_of_many_workers_gets_one_line() {
    let scene = Scene::new();
    // As gunicorn: the master waits for the workers, which finish their requests.
    let script = "import os, signal, sys, time\n\
                  ready, told = os.pipe()\n\
                  signal.signal(15, lambda *_: None)\n\
                  for _ in range(32):\n\
                  \x20   if os.fork() == 0:\n\
                  \x20       os.write(told, b'.')\n\
                  \x20       while True: signal.pause()\n\
                  for _ in range(32): os.read(ready, 1)\n\
                  print('ready', flush=True)\n\
                  while True: signal.pause()";
    for mode in ["main", "group", "tree"] {
        let options = ["--kill-mode", mode, "--leftover-grace=4s"];
        for mut slow in everywhere(&scene, || python_script(&scene, script).options(&options)) {
            slow.explains(&["handles SIGTERM and is still at work"]);
            // Once the master is dead, they are leftovers.
            send(slow.main, SIGKILL, 1);
            let rest = slow.init.end();
            let said = |what: &str| rest.stderr.iter().filter(|line| line.contains(what)).count();
            assert_eq!(
                (said(" after SIGTERM: pid "), said(" after SIGTERM: leftover ")),
                (0, 1),
                "{mode}: {:?}",
                rest.stderr
            );
        }
    }
    scene.nothing_is_left();
}

#[test]
fn what_the_program_before_it_took_is_to_be_sent_once_more() {
    let scene = Scene::new();
    let verbs = "block TERM, ready, await TERM, unblock TERM, exec -- sleep 1000";
    for mut slow in everywhere(&scene, || scene.supervise().probe(verbs)) {
        slow.explains(&["(`sleep 1000`) runs although SIGTERM ends it: ", "send it once more"]);
        slow.stop();
        slow.ends_by(SIGTERM);
    }
    scene.nothing_is_left();
}

#[test]
fn an_interactive_shell_is_told_to_hang_up() {
    let scene = Scene::new();
    let shells = [&["bash", "--norc", "--noprofile", "-i"][..], &["dash", "-i"], &["zsh", "-f", "-i"]];
    let start = |words: &'static [&'static str], place, options: &[&str]| {
        let mut terminal = Terminal::open(&scene);
        let slave = || terminal.slave();
        let (stdin, stdout, stderr) = (slave(), slave(), slave());
        let launch = scene.supervise().place(place).behind(&["setsid", "--ctty"]).options(options).argv(words);
        let launch = launch.env("PS1", "> ").env("HISTFILE", "").env("ENV", "");
        let init = launch.adjust(move |command| command.stdin(stdin).stdout(stdout).stderr(stderr)).spawn();
        // The shell answers when it has made itself interactive.
        terminal.press("echo up:$((40 + 2))\n");
        terminal.screen.up_to("up:42");
        // A hangup that comes when it has looked for signals, and is about to read, waits for the next key.
        terminal.screen.up_to("> ");
        let main = init.main_pid();
        scene.deadline.until("the shell to read", || (proc::state(main) == Some('S')).then_some(()));
        init.signal(SIGTERM);
        (terminal, init, words, place)
    };
    let everywhere = |options: &'static [&'static str]| {
        let all = shells.into_iter().flat_map(|words| EVERYWHERE.map(|place| (words, place)));
        all.map(|(words, place)| start(words, place, options)).collect::<Vec<_>>()
    };
    for (mut terminal, mut init, words, place) in everywhere(&[]) {
        let said = terminal.screen.up_to("--stop-signal=HUP, which ends it");
        says(&said, &["is an interactive shell, which ignores SIGTERM: ", words[0]]);
        send(init.main_pid(), SIGKILL, 1);
        assert_eq!(init.wait(), died(place, SIGKILL), "{words:?} {place:?}");
    }
    for (_terminal, mut init, words, place) in everywhere(&["--stop-signal=HUP"]) {
        let exit = init.wait();
        // zsh takes it as a request to leave.
        assert!([died(place, SIGHUP), Exit::Code(1)].contains(&exit), "{words:?} {place:?}: {exit:?}");
    }
    scene.nothing_is_left();
}

#[test]
fn a_ladder_is_explained_once_by_the_signal_that_it_has_come_to() {
    let scene = Scene::new();
    let options = ["--stop-signal", "TERM:500ms,INT:9500ms,KILL"];
    let launch = || scene.supervise().options(&options).probe("ignore TERM,INT, ready, wait");
    for mut slow in everywhere(&scene, launch) {
        slow.explains(&["after SIGINT: ", "ignores SIGINT: ", "--stop-signal=QUIT"]);
        slow.must_be_killed();
    }
    scene.nothing_is_left();
}

#[test]
fn asking_again_brings_no_second_explanation() {
    let scene = Scene::new();
    let launch = || scene.supervise().options(&["--grace", "20s"]).probe("ignore TERM, ready, wait");
    let mut all = everywhere(&scene, launch);
    for slow in &mut all {
        slow.explains(&["ignores SIGTERM"]);
    }
    // In time: the three were asked together, and each has ten seconds left.
    for slow in &all {
        slow.stop();
    }
    for slow in all {
        slow.must_be_killed();
    }
    scene.nothing_is_left();
}

#[test]
fn who_ends_in_time_is_not_explained() {
    let scene = Scene::new();
    for slow in everywhere(&scene, || scene.supervise().options(&["--grace", "30s"]).probe("ready, wait")) {
        slow.ends_by(SIGTERM);
    }
    scene.nothing_is_left();
}
