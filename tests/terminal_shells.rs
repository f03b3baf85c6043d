//! Job control in bash, dash and zsh: with supervise before a command all goes as with the bare command.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use harness::stage::{SAY_CODE, SHELLS, SUPERVISED, Stage, Way, as_the_bare_command, on_stage};
use harness::terminal::{CTRL_C, bare};
use harness::{proc, send};
use libc::{SIGCONT, SIGUSR1};

/// What a shell shows of a program that a key has stopped: 128 + SIGTSTP.
const STOPPED: i32 = 148;

/// A job that the shell has, by its own list.
fn jobs(stage: &mut Stage) -> &'static str {
    stage.press("jobs\n");
    let seen = stage.answer();
    let list = seen.split("jobs\r\n").nth(1).unwrap_or_default();
    match (list.contains("topped") || list.contains("suspended"), list.contains("unning")) {
        (true, _) => "stopped",
        (false, true) => "running",
        (false, false) => "none",
    }
}

/// Waits until the shell lists a job that is stopped. It hears of that a little after it is so.
#[track_caller]
fn until_listed_as_stopped(stage: &mut Stage) {
    let deadline = stage.scene().deadline;
    let awaited = format!("{:?} {:?} to list a stopped job", stage.shell, stage.way);
    deadline.until(&awaited, || (jobs(stage) == "stopped").then_some(()));
}

/// Waits until the shell tells, in one of these words, that a job in the background has ended.
#[track_caller]
fn until_told_of_the_end(stage: &mut Stage, words: &[&str]) {
    let deadline = stage.scene().deadline;
    deadline.until("the job's end", || stage.job().is_empty().then_some(()));
    // Told at a prompt, when SIGCHLD has come: at the next one, or at a later one.
    let awaited = format!("one of {words:?} from {:?} {:?}", stage.shell, stage.way);
    deadline.until(&awaited, || {
        let told = stage.answer();
        words.iter().any(|word| told.contains(word)).then_some(())
    });
}

/// What the shells say of a job that has ended by SIGTERM, and of one that has ended with code 3.
const TERMINATED: &[&str] = &["Terminated", "terminated"];
const EXIT_3: &[&str] = &["Exit 3", "Done(3)", "exit 3"];

/// Runs a probe with these verbs, which say `up:42`, in the foreground until Ctrl-Z has stopped it.
#[track_caller]
fn start_and_stop(stage: &mut Stage, verbs: &str) {
    stage.type_and_see(&stage.probe(verbs), "up:42");
    stage.suspend();
}

#[test]
fn ctrl_z_and_fg_twice_go_as_with_the_bare_command() {
    as_the_bare_command(|stage| {
        stage.type_and_see(&stage.probe("say up:$((40+2)), read, say back:$((40+2)), exit 3"), "up:42");
        for _ in 0..2 {
            stage.suspend();
            assert_eq!(stage.code(), STOPPED, "{:?} {:?}", stage.shell, stage.way);
            stage.fg("");
        }
        // Only the foreground may read.
        stage.type_and_see("go", "back:42");
        stage.up_to("> ");
        stage.code()
    });
}

#[test]
fn a_job_of_several_processes_stops_and_goes_on_as_one() {
    as_the_bare_command(|stage| {
        let script = format!("{}; exit 4", bare("say up:$((40+2)), read, say in:$((40+2))"));
        stage.type_and_see(&stage.command(&format!("sh -c '{script}'")), "up:42");
        stage.suspend();
        stage.fg("");
        stage.type_and_see("go", "in:42");
        stage.up_to("> ");
        stage.code()
    });
}

#[test]
fn what_goes_on_with_us_is_not_told_again() {
    for way in SUPERVISED {
        for shell in SHELLS {
            on_stage(shell, way, |stage| {
                let command = stage.probe("say up:$((40+2)), read, exit 3").replacen(" --", " --verbose --", 1);
                stage.type_and_see(&command, "up:42");
                stage.suspend();
                stage.fg("");
                let seen = stage.type_and_see("go", "ending with code 3");
                let told = seen.matches("sent SIGCONT").count();
                assert_eq!(told, usize::from(way != Way::Shared), "{shell:?} {way:?}: {seen}");
            });
        }
    }
}

#[test]
fn who_continues_supervise_alone_continues_the_program() {
    for way in SUPERVISED {
        on_stage(SHELLS[0], way, |stage| {
            start_and_stop(stage, "say up:$((40+2)), await USR1, exit 3");
            let job = stage.job();
            let is_supervise = |pid: &&i32| proc::name(**pid).as_deref() == Some("supervise");
            let supervise = *job.iter().find(is_supervise).expect("it is stopped");
            send(supervise, SIGCONT, 1);
            stage.until_all("awake", |state| state == 'S');
            send(supervise, SIGUSR1, 1);
            until_told_of_the_end(stage, EXIT_3);
        });
    }
}

#[test]
fn a_stopped_job_goes_on_by_bg_and_ends_by_kill() {
    as_the_bare_command(|stage| {
        start_and_stop(stage, "say up:$((40+2)), await USR1, foreground, wait");
        stage.press("bg\n");
        stage.until_all("awake", |state| state == 'S');
        stage.type_and_see("kill -USR1 %1", "foreground other");
        stage.answer();
        stage.press("kill %1\n");
        until_told_of_the_end(stage, TERMINATED);
    });
}

#[test]
fn a_stopped_job_ends_by_kill() {
    as_the_bare_command(|stage| {
        start_and_stop(stage, "say up:$((40+2)), wait");
        // zsh continues what it kills, the others do not, and TERM waits for that.
        stage.press("kill %1; kill -CONT %1\n");
        until_told_of_the_end(stage, TERMINATED);
    });
}

#[test]
fn what_reads_in_the_background_is_stopped_and_fg_brings_it_back() {
    as_the_bare_command(|stage| {
        let command = stage.probe("say up:$((40+2)), read, say back:$((40+2)), exit 3");
        stage.type_and_see(&format!("{command} &"), "up:42");
        stage.until_all("stopped", |state| state == 'T');
        until_listed_as_stopped(stage);
        stage.fg(&format!("; {SAY_CODE}"));
        stage.type_and_see("go", "back:42");
        stage.code_of_line()
    });
}

#[test]
fn a_job_that_comes_to_the_foreground_before_it_reads_is_not_stopped() {
    as_the_bare_command(|stage| {
        let command = stage.probe("block USR1, say up:$((40+2)), await USR1, read, say back:$((40+2)), exit 3");
        stage.type_and_see(&format!("{command} &"), "up:42");
        stage.answer();
        assert_eq!(jobs(stage), "running", "{:?} {:?}", stage.shell, stage.way);
        stage.press(&format!("fg; {SAY_CODE}\n"));
        let job = stage.job();
        let has_terminal = || {
            let group = |pid: &i32| proc::status(*pid, "NSpgid");
            let foreground = job.iter().any(|pid| group(pid) == proc::foreground(*pid));
            foreground.then_some(())
        };
        stage.scene().deadline.until("the job to be in the foreground", has_terminal);
        // To the outermost one: supervise passes it on.
        send(*job.iter().min().expect("the job runs"), SIGUSR1, 1);
        stage.type_and_see("go", "back:42");
        stage.code_of_line()
    });
}

#[test]
fn what_writes_in_the_background_is_stopped_where_the_terminal_says_so() {
    as_the_bare_command(|stage| {
        stage.press("stty tostop\n");
        let command = stage.probe("say out:$((40+2)), exit 3");
        stage.press(&format!("{command} &\n"));
        stage.until_all("stopped", |state| state == 'T');
        until_listed_as_stopped(stage);
        stage.type_and_see(&format!("fg; {SAY_CODE}"), "out:42");
        stage.code_of_line()
    });
}

#[test]
fn supervises_own_lines_do_not_stop_it_where_the_terminal_stops_who_writes() {
    for way in SUPERVISED {
        on_stage(SHELLS[0], way, |stage| {
            stage.press("stty tostop\n");
            let command = stage.probe("exit 3").replacen(" --", " --verbose --", 1);
            stage.press(&format!("{command} & wait %1; {SAY_CODE}\n"));
            assert_eq!(stage.code_of_line(), 3, "{way:?}");
        });
    }
}

#[test]
fn a_job_in_the_background_never_takes_the_terminal() {
    as_the_bare_command(|stage| {
        let settings = stage.settings();
        let command = stage.probe("block USR1, foreground, say up:$((40+2)), await USR1, exit 3");
        let seen = stage.type_and_see(&format!("{command} &"), "up:42");
        assert!(seen.contains("foreground other"), "{:?} {:?}: {seen}", stage.shell, stage.way);
        assert_eq!(stage.settings(), settings);
        stage.press("kill -USR1 %1\n");
        until_told_of_the_end(stage, EXIT_3);
        assert_eq!(stage.settings(), settings);
    });
}

#[test]
fn who_is_stopped_from_outside_and_goes_on_by_bg_leaves_the_terminal_to_the_shell() {
    as_the_bare_command(|stage| {
        let settings = stage.settings();
        stage.type_and_see(&stage.probe("say up:$((40+2)), await USR1, exit 3"), "up:42");
        // As another terminal's `kill -STOP` does it: to the shell's own child.
        let job = stage.job();
        send(*job.iter().min().expect("the job runs"), libc::SIGSTOP, 1);
        stage.up_to("> ");
        stage.press("bg\n");
        stage.until_all("awake", |state| state == 'S');
        stage.press("kill -USR1 %1\n");
        until_told_of_the_end(stage, EXIT_3);
        assert_eq!(stage.settings(), settings);
    });
}

#[test]
fn ctrl_c_ends_the_loop_around_it() {
    as_the_bare_command(|stage| {
        let command = stage.probe("say round:$((40+2)), wait");
        stage.type_and_see(&format!("while true; do {command}; done"), "round:42");
        stage.press(CTRL_C);
        let seen = stage.answer();
        assert!(!seen.contains("round:42"), "{:?} {:?}: {seen}", stage.shell, stage.way);
    });
}

#[test]
fn ctrl_c_arrives_once_in_every_shell() {
    as_the_bare_command(|stage| {
        stage.type_and_see(&stage.probe("report-until WINCH, exit 3"), "ready");
        for _ in 0..3 {
            stage.press_and_see(CTRL_C, "got 2 from 0 ");
        }
        stage.session.resize(30);
        let seen = stage.up_to("got 28 from 0 ");
        stage.up_to("> ");
        (seen.matches("got ").count(), stage.code())
    });
}
