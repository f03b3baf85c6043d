//! Programs that use the terminal, below supervise in bash, dash and zsh: shells, pagers, an editor, make; and who has
//! the terminal when they have crashed.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::fs;

use harness::stage::{SAY_CODE, SHELLS, SUPERVISED, Shell, Stage, Way, as_the_bare_command, on_stage};
use harness::terminal::{CTRL_C, CTRL_Z, Session, Terminal, bare};
use harness::{Exit, Scene, proc, send};
use libc::{SIGKILL, SIGSEGV};

/// What a program of the whole screen begins and ends with (terminfo's smcup and rmcup of xterm).
const SCREEN: &str = "\x1b[?1049h";
const SCREEN_END: &str = "\x1b[?1049l";

/// An interactive shell as the program.
const INNER: &str = "bash --norc --noprofile --noediting -i";

/// Starts the shell below what stands before it.
fn enter(stage: &mut Stage) {
    stage.type_and_see("PS1='outer> '", "outer> ");
    let command = stage.command(&format!("env PS1='inner> ' {INNER}"));
    let seen = stage.type_and_see(&format!("{command}; {SAY_CODE}"), "inner> ");
    // `inner> ` stands in the command, too.
    let seen = if seen.contains("\r\n") { seen } else { stage.up_to("inner> ") };
    assert!(!seen.contains("no job control"), "{:?} {:?}: {seen}", stage.shell, stage.way);
}

/// Interrupts a job of the inner shell, stops another and continues it: the codes of that.
fn use_job_control(stage: &mut Stage) -> [i32; 3] {
    stage.type_and_see(&format!("{}; {SAY_CODE}", bare("say up:$((40+2)), wait")), "up:42");
    stage.press(CTRL_C);
    let interrupted = stage.code();
    stage.type_and_see(&bare("say up:$((40+2)), read, exit 5"), "up:42");
    stage.press_and_see(CTRL_Z, "Stopped");
    stage.up_to("> ");
    let stopped = stage.code();
    stage.type_and_see("fg", "probe");
    stage.type_and_see("go", "> ");
    let continued = stage.code();
    [interrupted, stopped, continued]
}

#[test]
fn a_shell_has_job_control_and_leaves_the_terminal_as_it_was() {
    as_the_bare_command(|stage| {
        let settings = stage.settings();
        enter(stage);
        let codes = use_job_control(stage);
        stage.press("exit 9\n");
        let code = stage.code_of_line();
        stage.up_to("> ");
        assert_eq!(stage.settings(), settings);
        (codes, code)
    });
}

/// As an engine starts a container with a terminal: PID 1 leads the session.
#[test]
fn a_shell_below_a_process_1_with_a_terminal_has_job_control() {
    let scene = Scene::new();
    let mut terminal = Terminal::open(&scene);
    let mut command = scene.command("unshare");
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]);
    if !nix::unistd::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    let inner = format!("{}{INNER}", Way::Shared.prefix());
    command.args(["setsid", "--ctty"]).args(inner.split_whitespace());
    let leader = terminal.start(&scene, command, "unshare");
    let seen = terminal.screen.up_to("> ");
    assert!(!seen.contains("no job control"), "{seen}");
    let session = Session { scene: &scene, leader, terminal };
    let mut stage = Stage { session, shell: SHELLS[0], way: Way::Shared };
    assert_eq!(use_job_control(&mut stage), [130, 148, 5]);
    stage.press("exit 9\n");
    assert_eq!(stage.session.leader.wait(), Exit::Code(9));
}

/// The inner shell, killed while a job of its own has the foreground; its code in the outer one.
fn kill_inner_shell(stage: &mut Stage) -> i32 {
    stage.type_and_see(&bare("say up:$((40+2)), say pid:$$:, wait"), "up:42");
    stage.up_to("pid:");
    let pid = stage.up_to(":").trim_end_matches(':').parse().expect("a pid");
    send(pid, SIGKILL, 1);
    stage.code_of_line()
}

#[test]
fn after_a_shell_that_was_killed_below_its_job_the_outer_one_has_the_terminal() {
    as_the_bare_command(|stage| {
        let settings = stage.settings();
        enter(stage);
        let code = kill_inner_shell(stage);
        stage.up_to("> ");
        assert_eq!(stage.settings(), settings);
        code
    });
}

/// A shell script does no job control: what is not given back there stays away, with the bare command for good.
#[test]
fn a_script_has_the_terminal_again_when_a_shell_below_was_killed() {
    for way in SUPERVISED {
        on_stage(SHELLS[0], way, |stage| {
            let shell = stage.command(INNER);
            let script = format!("{shell}\n{SAY_CODE}\n{}\n", bare("foreground, read, say end"));
            let script = stage.scene().executable("script", script.as_bytes());
            stage.type_and_see(&format!("sh {}", script.display()), "> ");
            assert_eq!(kill_inner_shell(stage), 128 + SIGKILL, "{way:?}");
            stage.up_to("foreground own");
            stage.type_and_see("go", "end");
        });
    }
}

#[test]
fn after_a_crash_the_shell_has_the_terminal() {
    for signal in [SIGKILL, SIGSEGV] {
        as_the_bare_command(|stage| {
            let settings = stage.settings();
            stage.type_and_see(&stage.probe(&format!("say up:$((40+2)), die {signal}")), "up:42");
            stage.up_to("> ");
            let code = stage.code();
            assert_eq!(stage.settings(), settings);
            code
        });
    }
}

/// What bash does for a job that died of a signal, and the others do not. (dash and zsh, with the bare command too,
/// leave the settings to whoever types `stty sane`.)
#[test]
fn bash_restores_the_settings_that_a_killed_program_has_left_behind() {
    for way in [Way::Bare, Way::Shared, Way::ForwardToGroup, Way::KillGroup] {
        on_stage(SHELLS[0], way, |stage| {
            let settings = stage.settings();
            let command = stage.command("sh -c 'stty raw -echo; kill -KILL $$'");
            stage.press(&format!("{command}; {SAY_CODE}\n"));
            assert_eq!(stage.code_of_line(), 128 + SIGKILL, "{way:?}");
            stage.up_to("> ");
            assert_eq!(stage.settings(), settings, "{way:?}");
        });
    }
}

#[test]
fn pipelines_with_a_pager_work_as_without_us() {
    as_the_bare_command(|stage| {
        let settings = stage.settings();
        let (left, right) = (stage.command("seq 100000"), stage.command("less"));
        let pipelines = [format!("{left} | less"), format!("seq 100000 | {right}"), format!("{left} | {right}")];
        let mut codes = Vec::new();
        for pipeline in pipelines {
            stage.type_and_see(&format!("TERM=xterm; export TERM; {pipeline}; {SAY_CODE}"), SCREEN);
            // A key before the first page is one of the shell's.
            stage.up_to("20\r\n");
            stage.press_and_see("G", "END");
            stage.press_and_see("q", SCREEN_END);
            codes.push(stage.code_of_line());
            stage.up_to("> ");
            assert_eq!(stage.settings(), settings);
        }
        codes
    });
}

#[test]
fn ctrl_z_in_an_editor_gives_the_shell_and_fg_the_text() {
    as_the_bare_command(|stage| {
        let settings = stage.settings();
        let file = stage.scene().folder().join("text");
        let editor = stage.command(&format!("vim -u NONE {}", file.display()));
        stage.type_and_see(&format!("TERM=xterm; export TERM; {editor}"), SCREEN);
        // The line about a new file is shown once the editor reads keys.
        stage.up_to("[New");
        stage.press_and_see("ihello\x1b", "hello");
        stage.press_and_see(CTRL_Z, SCREEN_END);
        stage.up_to("> ");
        let stopped = stage.code();
        assert_eq!(stage.settings(), settings);
        stage.type_and_see(&format!("fg; {SAY_CODE}"), SCREEN);
        stage.up_to("hello");
        stage.press_and_see(":wq\r", SCREEN_END);
        let code = stage.code_of_line();
        stage.up_to("> ");
        assert_eq!(stage.settings(), settings);
        (stopped, code, fs::read_to_string(file).expect("the editor has written it"))
    });
}

/// Writes a makefile, and says how make is called for it.
fn make(stage: &Stage, rules: &str) -> String {
    let file = stage.scene().folder().join("rules");
    fs::write(&file, rules).expect("the folder is ours");
    stage.command(&format!("make --no-print-directory --file={} -j4", file.display()))
}

#[test]
fn make_shares_its_jobs_with_a_make_below_us() {
    as_the_bare_command(|stage| {
        let rules = "recursive:\n\t+@PREFIX$(MAKE) --file=$(MAKEFILE_LIST) all\nall: a b c d\n\t@echo done:$$((40+2))\n\
                     a b c d:\n\t@echo made-$@\n";
        let command = make(stage, &rules.replace("PREFIX", &stage.way.prefix()));
        let seen = stage.type_and_see(&format!("{command}; {SAY_CODE}"), "done:42");
        // "jobserver unavailable: using -j1", where its descriptors are lost on the way.
        assert!(!seen.contains("warning"), "{:?} {:?}: {seen}", stage.shell, stage.way);
        (seen.matches("\nmade-").count(), stage.code_of_line())
    });
}

/// make's own answer varies, with the bare command too: it may say "wait: No child processes" and end with 2.
#[test]
fn ctrl_c_ends_make_and_all_that_it_has_started() {
    for shell in SHELLS {
        for way in [Way::Bare, Way::Shared, Way::ForwardToGroup, Way::KillGroup] {
            on_stage(shell, way, |stage| {
                let settings = stage.settings();
                let rules = format!("all: a b c\na b c:\n\t@{}\n", bare("say up-$@, wait"));
                let command = make(stage, &rules);
                stage.press(&format!("{command}\n"));
                (0..3).for_each(|_| drop(stage.up_to("up-")));
                let seen = stage.press_and_see(CTRL_C, "> ");
                let code = stage.code();
                assert!(matches!(code, 130 | 2), "{shell:?} {way:?}: {code}, {seen}");
                for target in ["a", "b", "c"] {
                    let times = seen.matches(&format!(" {target}] Interrupt")).count();
                    assert!(times <= 1, "{shell:?} {way:?}: {seen}");
                }
                stage.scene().deadline.until("all to end", || stage.job().is_empty().then_some(()));
                assert_eq!(stage.settings(), settings);
            });
        }
    }
}

/// In a session of its own without a shell that does job control the kernel discards Ctrl-Z (setpgid(2), orphaned
/// process groups), and so it must where the program has a group of its own, which is not orphaned.
#[test]
fn ctrl_z_in_an_orphaned_group_stops_nobody() {
    for way in SUPERVISED {
        let scene = Scene::new();
        let script = format!("{}{}; exit $?", way.prefix(), bare("say up, read, say back, exit 3"));
        let mut session = Session::start(&scene, &["sh", "-c", &script]);
        session.up_to("up");
        session.press_and_see(CTRL_Z, "^Z");
        session.type_and_see("go", "back");
        assert_eq!(session.leader.wait(), Exit::Code(3), "{way:?}");
    }
}

#[test]
fn a_terminal_that_goes_away_ends_the_shell_supervise_and_the_program() {
    for shell in SHELLS {
        for way in SUPERVISED {
            let scene = Scene::new();
            let mut session = Session::prompting(&scene, shell.words());
            session.type_and_see(&format!("{}{}", way.prefix(), bare("say up:$((40+2)), wait")), "up:42");
            let job: Vec<i32> = scene.marked();
            drop(session.terminal);
            scene.deadline.until("all to end", || {
                job.iter().all(|pid| proc::state(*pid).is_none_or(|state| state == 'Z')).then_some(())
            });
        }
    }
}

#[test]
fn a_terminal_that_goes_away_is_told_to_a_group_of_its_own_once() {
    // dash leaves it to the kernel to tell its jobs. bash and zsh tell their groups as well, also with the bare command.
    for way in [Way::ForwardToGroup, Way::KillGroup, Way::Shared, Way::Bare] {
        let scene = Scene::new();
        let (fifo, mut lines) = scene.fifo("report");
        let mut session = Session::prompting(&scene, Shell::Dash.words());
        let verbs = format!("out {}, report-until USR1", fifo.display());
        session.press(&format!("{}{}\n", way.prefix(), bare(&verbs)));
        assert_eq!(lines.next().as_deref(), Some("ready"));
        let is_probe = |pid: &i32| proc::name(*pid).as_deref() == Some("probe");
        let main = scene.marked().into_iter().find(is_probe).expect("the probe runs");
        drop(session.terminal);
        assert!(lines.next().is_some_and(|line| line.starts_with("got 1 ")), "{way:?}");
        send(main, libc::SIGUSR1, 1);
        let mut rest = Vec::new();
        while !rest.last().is_some_and(|line: &String| line.starts_with("got 10 ")) {
            rest.extend(lines.next());
        }
        assert!(!rest.iter().any(|line| line.starts_with("got 1 ")), "{way:?}: {rest:?}");
    }
}
