//! At a real terminal: keys reach the payload once, and the shell above keeps its job control.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use harness::launch::{Init, PEERS};
use harness::running::Running;
use harness::terminal::Terminal;
use harness::{Exit, Scene, note, proc, send};
use libc::{SIGINT, SIGWINCH};

const CTRL_C: &str = "\x03";
const CTRL_Z: &str = "\x1a";
const CTRL_BACKSLASH: &str = "\x1c";

/// How supervise is told whose signals are whose; the first is the default.
const TARGETS: [&str; 2] = ["main", "group"];

/// The words that a shell needs to run the probe below an init.
fn typed(init: Init, options: &str, verbs: &str) -> String {
    let path = init.path().expect("it is installed");
    format!("{} {options} -- {} {}", path.display(), harness::probe().display(), verbs.replace(',', ""))
}

fn supervised(target: &str, verbs: &str) -> String {
    typed(Init::Supervise, &format!("--forward-to {target}"), verbs)
}

/// The reports of a signal that come before the first one of WINCH.
fn reports_until_winch(terminal: &mut Terminal, signal: i32) -> usize {
    let seen = terminal.screen.up_to(&format!("got {SIGWINCH} "));
    seen.matches(&format!("got {signal} ")).count()
}

#[test]
fn ctrl_c_arrives_once_each_time() {
    for target in TARGETS {
        let scene = Scene::new();
        let mut terminal = Terminal::open(&scene);
        let _shell = terminal.shell(&scene);
        // The shell is to see what follows as one job.
        terminal.press(&format!("{}; echo code:$?\n", supervised(target, "report-until WINCH, exit 3")));
        terminal.screen.up_to("ready");
        for (key, signal) in [(CTRL_C, 2), (CTRL_BACKSLASH, 3), (CTRL_Z, 20), (CTRL_C, 2), (CTRL_C, 2)] {
            terminal.press(key);
            terminal.screen.up_to(&format!("got {signal} from 0 "));
        }
        send(scene.named("supervise"), SIGWINCH, 1);
        let again: usize = terminal.screen.up_to("code:").matches("got ").count();
        assert_eq!(again, 1, "with --forward-to {target}: more than was pressed");
        terminal.screen.up_to("3");
    }
}

#[test]
fn a_new_size_arrives_once_each_time() {
    for target in TARGETS {
        let scene = Scene::new();
        let mut terminal = Terminal::open(&scene);
        let _shell = terminal.shell(&scene);
        terminal.press(&format!("{}; echo code:$?\n", supervised(target, "report-until USR1, exit 3")));
        terminal.screen.up_to("ready");
        for rows in 30..35 {
            terminal.resize(&scene, rows);
            terminal.screen.up_to("got 28 from 0 ");
        }
        send(scene.named("supervise"), libc::SIGUSR1, 1);
        let rest = terminal.screen.up_to("code:");
        // USR1 overtakes a WINCH that waits, but such a one would be there by now or come as a report of its own.
        assert!(!rest.contains("got 28"), "with --forward-to {target}: {rest}");
    }
}

#[test]
fn ctrl_c_ends_a_plain_program_and_the_loop_around_it() {
    for target in TARGETS {
        let scene = Scene::new();
        let mut terminal = Terminal::open(&scene);
        let _shell = terminal.shell(&scene);
        let command = supervised(target, "say round:$i, wait");
        terminal.press(&format!("for i in 1 2; do {command}; done\n"));
        terminal.screen.up_to("round:1");
        terminal.press(CTRL_C);
        // The shell answers only once the loop is over.
        terminal.press("echo over:$((40 + 2))\n");
        let seen = terminal.screen.up_to("over:42");
        assert!(!seen.contains("round:2"), "--forward-to {target}: {seen}");
    }
}

#[test]
fn a_job_in_the_background_leaves_the_terminal_to_the_shell() {
    for target in TARGETS {
        let scene = Scene::new();
        let mut terminal = Terminal::open(&scene);
        let mut shell = terminal.shell(&scene);
        let command = supervised(target, "block USR1, foreground, say up:$((40+2)), await USR1, exit 3");
        terminal.press(&format!("{command} &\n"));
        let seen = terminal.screen.up_to("up:42");
        assert!(seen.contains("foreground other"), "--forward-to {target}: {seen}");
        terminal.press("echo shell:$((40 + 2))\n");
        terminal.screen.up_to("shell:42");
        terminal.press("kill -USR1 %1; wait %1; echo code:$?; exit 7\n");
        terminal.screen.up_to("code:3");
        assert_eq!(shell.wait(), Exit::Code(7), "--forward-to {target}");
    }
}

#[test]
fn ctrl_z_stops_the_job_and_fg_continues_it() {
    for target in TARGETS {
        let scene = Scene::new();
        let mut terminal = Terminal::open(&scene);
        let _shell = terminal.shell(&scene);
        let command = supervised(target, "say up:$((40+2)), read, foreground, say back:$((40+2)), wait");
        terminal.press(&format!("{command}\n"));
        for round in 0..3 {
            if round == 0 {
                terminal.screen.up_to("up:42");
            }
            let supervise = scene.named("supervise");
            let main = scene.deadline.until("main", || proc::children(supervise).first().copied());
            terminal.suspend(&scene, [supervise, main]);
            terminal.resume(&scene, [supervise, main]);
        }
        // It reads from the terminal, which only the foreground may.
        terminal.press("go\n");
        let seen = terminal.screen.up_to("back:42");
        assert!(seen.contains("foreground own"), "--forward-to {target}: {seen}");
        terminal.press(CTRL_C);
        terminal.press("echo code:$?\n");
        terminal.screen.up_to("code:130");
    }
}

#[test]
fn a_program_that_stops_itself_gives_the_shell_its_prompt_back() {
    for target in TARGETS {
        let scene = Scene::new();
        let mut terminal = Terminal::open(&scene);
        let _shell = terminal.shell(&scene);
        // As `suspend` of a shell and ^Z in an editor do it.
        terminal.press(&format!("{}\n", supervised(target, "raise STOP 1, say back:$((40+2)), exit 3")));
        terminal.screen.up_to("Stopped");
        terminal.press("fg; echo code:$?\n");
        terminal.screen.up_to("back:42");
        terminal.screen.up_to("code:3");
    }
}

#[test]
fn a_stopped_job_goes_on_in_the_background_too() {
    for target in TARGETS {
        let scene = Scene::new();
        let mut terminal = Terminal::open(&scene);
        let _shell = terminal.shell(&scene);
        terminal.press(&format!(
            "{}\n",
            supervised(target, "block USR1, say up:$((40+2)), await USR1, foreground, exit 3")
        ));
        terminal.screen.up_to("up:42");
        terminal.press(CTRL_Z);
        terminal.screen.up_to("Stopped");
        terminal.press("bg; echo shell:$((40 + 2))\n");
        terminal.screen.up_to("shell:42");
        terminal.press("kill -USR1 %1; wait %1; echo code:$?\n");
        let seen = terminal.screen.up_to("code:3");
        assert!(seen.contains("foreground other"), "--forward-to {target}: {seen}");
    }
}

#[test]
fn a_pipeline_of_inits_works_as_one_without() {
    for target in TARGETS {
        let scene = Scene::new();
        let mut terminal = Terminal::open(&scene);
        let _shell = terminal.shell(&scene);
        let (left, right) =
            (supervised(target, "say a:$((40+2))"), typed(Init::Supervise, "", "read, say b:$((40+2))"));
        terminal.press(&format!("{left} | {right} | cat; {left} | cat; echo end:$((40+2))\n"));
        let seen = terminal.screen.up_to("end:42");
        assert!(seen.contains("b:42") && seen.contains("a:42"), "--forward-to {target}: {seen}");
    }
}

#[test]
fn the_terminal_is_given_back_at_the_end() {
    for (target, verbs) in TARGETS.into_iter().flat_map(|target| [(target, "exit 3"), (target, "die TERM")]) {
        let scene = Scene::new();
        let mut terminal = Terminal::open(&scene);
        let command = supervised(target, &format!("foreground, {verbs}"));
        // A script does no job control: what is not given back stays away.
        let script = format!("{command}; {} foreground read say end:$?", harness::probe().display());
        let mut shell = terminal.session(&scene, &["sh", "-c", &script]);
        terminal.screen.up_to("foreground own");
        terminal.screen.up_to("foreground own");
        terminal.press("go\n");
        terminal.screen.up_to("end:");
        assert_eq!(shell.wait(), Exit::Code(0), "{target} {verbs}");
    }
}

/// supervise itself as the leader of a session.
fn leader<'s>(scene: &'s Scene, terminal: &Terminal, verbs: &str) -> Running<'s> {
    let (path, probe) = (Init::Supervise.path().expect("cargo built it"), harness::probe());
    let mut words = vec![path.to_str().expect("UTF-8"), "--", probe.to_str().expect("UTF-8")];
    words.extend(harness::words(verbs));
    terminal.session(scene, &words)
}

#[test]
fn below_a_session_leader_the_payload_has_a_group_of_its_own_in_the_foreground() {
    let scene = Scene::new();
    let mut terminal = Terminal::open(&scene);
    let mut init = leader(&scene, &terminal, "status, report-until WINCH, exit 3");
    let status = terminal.screen.up_to("ready");
    let value = |name| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim).map(str::to_owned);
    assert_eq!(value("pgid "), value("pid "));
    assert_ne!(value("sid "), value("pid "));
    assert_eq!(value("foreground ").as_deref(), Some("own"));
    for (key, signal) in [(CTRL_C, SIGINT), (CTRL_C, SIGINT), (CTRL_Z, 20)] {
        terminal.press(key);
        terminal.screen.up_to(&format!("got {signal} from 0 "));
    }
    send(init.pid(), SIGWINCH, 1);
    assert_eq!(reports_until_winch(&mut terminal, SIGINT), 0);
    assert_eq!(init.wait(), Exit::Code(3));
}

#[test]
fn keys_arrive_once_below_a_process_1_that_a_shell_started() {
    for target in TARGETS {
        let scene = Scene::new();
        let mut terminal = Terminal::open(&scene);
        let _shell = terminal.shell(&scene);
        let namespace = match nix::unistd::geteuid().is_root() {
            true => "unshare --pid --fork --kill-child --mount-proc",
            false => "unshare --pid --fork --kill-child --mount-proc --user --map-root-user",
        };
        terminal.press(&format!("{namespace} {}\n", supervised(target, "report-until WINCH, exit 3")));
        terminal.screen.up_to("ready");
        // Not the other keys: unshare(1) waits in the same group, and holds out against this one only.
        for _ in 0..4 {
            terminal.press(CTRL_C);
            terminal.screen.up_to("got 2 from 0 ");
        }
        send(scene.named("supervise"), SIGWINCH, 1);
        assert_eq!(reports_until_winch(&mut terminal, SIGINT), 0, "--forward-to {target}");
    }
}

#[test]
fn ctrl_z_below_a_session_leader_does_not_stop_the_payload_for_good() {
    let scene = Scene::new();
    let mut terminal = Terminal::open(&scene);
    let mut init = leader(&scene, &terminal, "say up, read, say back, exit 3");
    terminal.screen.up_to("up");
    terminal.press(CTRL_Z);
    terminal.screen.up_to("^Z");
    terminal.press("go\n");
    terminal.screen.up_to("back");
    assert_eq!(init.wait(), Exit::Code(3));
}

#[test]
fn a_terminal_that_goes_away_is_told_to_the_payload_once() {
    let scene = Scene::new();
    let mut terminal = Terminal::open(&scene);
    let (fifo, mut lines) = scene.fifo("report");
    let mut init = leader(&scene, &terminal, &format!("say up, out {}, report-until WINCH, exit 3", fifo.display()));
    terminal.screen.up_to("up");
    assert_eq!(lines.next().as_deref(), Some("ready"));
    drop(terminal);
    assert!(lines.next().is_some_and(|line| line.starts_with("got 1 ")));
    send(init.pid(), SIGWINCH, 1);
    let mut rest = Vec::new();
    while !rest.last().is_some_and(|line: &String| line.starts_with("got 28 ")) {
        rest.extend(lines.next());
    }
    assert!(!rest.iter().any(|line| line.starts_with("got 1 ")), "{rest:?}");
    assert_eq!(init.wait(), Exit::Code(3));
}

#[test]
fn what_the_peers_do_at_a_terminal_is_told() {
    for peer in PEERS.into_iter().filter(|peer| peer.path().is_some()) {
        let scene = Scene::new();
        let mut terminal = Terminal::open(&scene);
        let _shell = terminal.shell(&scene);
        terminal.press(&format!("for i in 1 2; do {}; done\n", typed(peer, "", "say round:$i, wait")));
        terminal.screen.up_to("round:1");
        terminal.press(CTRL_C);
        terminal.press("echo over:$((40 + 2))\n");
        // Either the loop goes on, or the shell answers: both show a 2.
        let seen = terminal.screen.up_to(":2");
        note(&format!("{peer:?}: Ctrl-C in a loop goes on to the next round: {}", seen.contains("round:2")));
    }
}
