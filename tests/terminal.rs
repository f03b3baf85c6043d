//! At a real terminal: keys reach the payload once, and the shell above keeps its job control.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use harness::launch::{Init, PEERS};
use harness::terminal::{CTRL_BACKSLASH, CTRL_C, CTRL_Z, Session, TARGETS, bare, below, for_each_target};
use harness::{Exit, Scene, note, proc, send};
use libc::{SIGINT, SIGWINCH};

/// The words that a shell needs to run the probe below supervise.
fn supervised(target: &str, verbs: &str) -> String {
    below(Init::Supervise, &format!("--forward-to {target}"), verbs)
}

/// The reports of a signal that come before the first one of WINCH.
fn reports_until_winch(session: &mut Session<'_>, signal: i32) -> usize {
    let seen = session.up_to(&format!("got {SIGWINCH} "));
    seen.matches(&format!("got {signal} ")).count()
}

#[test]
fn ctrl_c_arrives_once_each_time() {
    for_each_target(|session, target| {
        // The shell is to see what follows as one job.
        session.type_and_see(&format!("{}; echo code:$?", supervised(target, "report-until WINCH, exit 3")), "ready");
        for (key, signal) in [(CTRL_C, 2), (CTRL_BACKSLASH, 3), (CTRL_Z, 20), (CTRL_C, 2), (CTRL_C, 2)] {
            session.press_and_see(key, &format!("got {signal} from 0 "));
        }
        send(session.scene.named("supervise"), SIGWINCH, 1);
        let again: usize = session.up_to("code:").matches("got ").count();
        assert_eq!(again, 1, "with --forward-to {target}: more than was pressed");
        session.up_to("3");
    });
}

#[test]
fn a_new_size_arrives_once_each_time() {
    for_each_target(|session, target| {
        session.type_and_see(&format!("{}; echo code:$?", supervised(target, "report-until USR1, exit 3")), "ready");
        for rows in 30..35 {
            session.resize(rows);
            session.up_to("got 28 from 0 ");
        }
        send(session.scene.named("supervise"), libc::SIGUSR1, 1);
        let rest = session.up_to("code:");
        // USR1 overtakes a WINCH that waits, but such a one would be there by now or come as a report of its own.
        assert!(!rest.contains("got 28"), "with --forward-to {target}: {rest}");
    });
}

#[test]
fn ctrl_c_ends_a_plain_program_and_the_loop_around_it() {
    for_each_target(|session, target| {
        let command = supervised(target, "say round:$i, wait");
        session.type_and_see(&format!("for i in 1 2; do {command}; done"), "round:1");
        session.press(CTRL_C);
        // The shell answers only once the loop is over.
        let seen = session.type_and_see("echo over:$((40 + 2))", "over:42");
        assert!(!seen.contains("round:2"), "--forward-to {target}: {seen}");
    });
}

#[test]
fn a_job_in_the_background_leaves_the_terminal_to_the_shell() {
    for_each_target(|session, target| {
        let command = supervised(target, "block USR1, foreground, say up:$((40+2)), await USR1, exit 3");
        let seen = session.type_and_see(&format!("{command} &"), "up:42");
        assert!(seen.contains("foreground other"), "--forward-to {target}: {seen}");
        session.type_and_see("echo shell:$((40 + 2))", "shell:42");
        session.type_and_see("kill -USR1 %1; wait %1; echo code:$?; exit 7", "code:3");
        assert_eq!(session.leader.wait(), Exit::Code(7), "--forward-to {target}");
    });
}

#[test]
fn ctrl_z_stops_the_job_and_fg_continues_it() {
    for_each_target(|session, target| {
        let command = supervised(target, "say up:$((40+2)), read, foreground, say back:$((40+2)), wait");
        session.press(&format!("{command}\n"));
        for round in 0..3 {
            if round == 0 {
                session.up_to("up:42");
            }
            let supervise = session.scene.named("supervise");
            let main = session.scene.deadline.until("main", || proc::children(supervise).first().copied());
            session.suspend([supervise, main]);
            session.resume([supervise, main]);
        }
        // It reads from the terminal, which only the foreground may.
        let seen = session.type_and_see("go", "back:42");
        assert!(seen.contains("foreground own"), "--forward-to {target}: {seen}");
        session.press(CTRL_C);
        session.type_and_see("echo code:$?", "code:130");
    });
}

#[test]
fn a_program_that_stops_itself_gives_the_shell_its_prompt_back() {
    for_each_target(|session, target| {
        // As `suspend` of a shell and ^Z in an editor do it.
        session.type_and_see(&supervised(target, "raise STOP 1, say back:$((40+2)), exit 3"), "Stopped");
        session.type_and_see("fg; echo code:$?", "back:42");
        session.up_to("code:3");
    });
}

#[test]
fn a_stopped_job_goes_on_in_the_background_too() {
    for_each_target(|session, target| {
        let verbs = "block USR1, say up:$((40+2)), await USR1, foreground, exit 3";
        session.type_and_see(&supervised(target, verbs), "up:42");
        session.press_and_see(CTRL_Z, "Stopped");
        session.type_and_see("bg; echo shell:$((40 + 2))", "shell:42");
        let seen = session.type_and_see("kill -USR1 %1; wait %1; echo code:$?", "code:3");
        assert!(seen.contains("foreground other"), "--forward-to {target}: {seen}");
    });
}

#[test]
fn a_pipeline_of_inits_works_as_one_without() {
    for_each_target(|session, target| {
        let left = supervised(target, "say a:$((40+2))");
        let right = below(Init::Supervise, "", "read, say b:$((40+2))");
        let seen = session.type_and_see(&format!("{left} | {right} | cat; {left} | cat; echo end:$((40+2))"), "end:42");
        assert!(seen.contains("b:42") && seen.contains("a:42"), "--forward-to {target}: {seen}");
    });
}

#[test]
fn the_terminal_is_given_back_at_the_end() {
    for (target, verbs) in TARGETS.into_iter().flat_map(|target| [(target, "exit 3"), (target, "die TERM")]) {
        let scene = Scene::new();
        let command = supervised(target, &format!("foreground, {verbs}"));
        // A script does no job control: what is not given back stays away.
        let script = format!("{command}; {}", bare("foreground read say end:$?"));
        let mut session = Session::start(&scene, &["sh", "-c", &script]);
        session.up_to("foreground own");
        session.up_to("foreground own");
        session.type_and_see("go", "end:");
        assert_eq!(session.leader.wait(), Exit::Code(0), "{target} {verbs}");
    }
}

/// supervise itself as the leader of a session.
fn leading<'s>(scene: &'s Scene, verbs: &str) -> Session<'s> {
    let (path, probe) = (Init::Supervise.path().expect("cargo built it"), harness::probe());
    let mut words = vec![path.to_str().expect("UTF-8"), "--", probe.to_str().expect("UTF-8")];
    words.extend(harness::words(verbs));
    Session::start(scene, &words)
}

#[test]
fn below_a_session_leader_the_payload_has_a_group_of_its_own_in_the_foreground() {
    let scene = Scene::new();
    let mut session = leading(&scene, "status, report-until WINCH, exit 3");
    let status = session.up_to("ready");
    let value = |name| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim).map(str::to_owned);
    assert_eq!(value("pgid "), value("pid "));
    assert_ne!(value("sid "), value("pid "));
    assert_eq!(value("foreground ").as_deref(), Some("own"));
    for (key, signal) in [(CTRL_C, SIGINT), (CTRL_C, SIGINT), (CTRL_Z, 20)] {
        session.press_and_see(key, &format!("got {signal} from 0 "));
    }
    send(session.leader.pid(), SIGWINCH, 1);
    assert_eq!(reports_until_winch(&mut session, SIGINT), 0);
    assert_eq!(session.leader.wait(), Exit::Code(3));
}

#[test]
fn keys_arrive_once_below_a_process_1_that_a_shell_started() {
    for_each_target(|session, target| {
        let namespace = match nix::unistd::geteuid().is_root() {
            true => "unshare --pid --fork --kill-child --mount-proc",
            false => "unshare --pid --fork --kill-child --mount-proc --user --map-root-user",
        };
        session.type_and_see(&format!("{namespace} {}", supervised(target, "report-until WINCH, exit 3")), "ready");
        // Not the other keys: unshare(1) waits in the same group, and holds out against this one only.
        for _ in 0..4 {
            session.press_and_see(CTRL_C, "got 2 from 0 ");
        }
        send(session.scene.named("supervise"), SIGWINCH, 1);
        assert_eq!(reports_until_winch(session, SIGINT), 0, "--forward-to {target}");
    });
}

#[test]
fn ctrl_z_below_a_session_leader_does_not_stop_the_payload_for_good() {
    let scene = Scene::new();
    let mut session = leading(&scene, "say up, read, say back, exit 3");
    session.up_to("up");
    session.press_and_see(CTRL_Z, "^Z");
    session.type_and_see("go", "back");
    assert_eq!(session.leader.wait(), Exit::Code(3));
}

#[test]
fn a_terminal_that_goes_away_is_told_to_the_payload_once() {
    let scene = Scene::new();
    let (fifo, mut lines) = scene.fifo("report");
    let mut session = leading(&scene, &format!("say up, out {}, report-until WINCH, exit 3", fifo.display()));
    session.up_to("up");
    assert_eq!(lines.next().as_deref(), Some("ready"));
    drop(session.terminal);
    assert!(lines.next().is_some_and(|line| line.starts_with("got 1 ")));
    send(session.leader.pid(), SIGWINCH, 1);
    let mut rest = Vec::new();
    while !rest.last().is_some_and(|line: &String| line.starts_with("got 28 ")) {
        rest.extend(lines.next());
    }
    assert!(!rest.iter().any(|line| line.starts_with("got 1 ")), "{rest:?}");
    assert_eq!(session.leader.wait(), Exit::Code(3));
}

#[test]
fn what_the_peers_do_at_a_terminal_is_told() {
    for peer in PEERS.into_iter().filter(|peer| peer.path().is_some()) {
        let scene = Scene::new();
        let mut session = Session::shell(&scene);
        session.type_and_see(&format!("for i in 1 2; do {}; done", below(peer, "", "say round:$i, wait")), "round:1");
        session.press(CTRL_C);
        session.press("echo over:$((40 + 2))\n");
        // Either the loop goes on, or the shell answers: both show a 2.
        let seen = session.up_to(":2");
        note(&format!("{peer:?}: Ctrl-C in a loop goes on to the next round: {}", seen.contains("round:2")));
    }
}
