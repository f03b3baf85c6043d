//! Containers at a real terminal: job control inside and outside, and a terminal that is nobody's any more.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::path::Path;

use harness::contained::{BOOKWORM, BUSYBOX, root};
use harness::launch::Init;
use harness::terminal::{CTRL_BACKSLASH, CTRL_C, CTRL_Z, Session};
use harness::{Exit, MARK, Scene, proc};

/// What a shell is typed to run a container.
fn typed(root: &Path, command: &str) -> String {
    let supervise = Init::Supervise.path().expect("cargo built it");
    let separator = if command.is_empty() { "" } else { " -- " };
    format!("SUPERVISE_REQUESTS=on {} run --env {MARK} {}{separator}{command}", supervise.display(), root.display())
}

/// Plays it with that root in a shell, and leaves the shell, behind which nothing may be left.
#[track_caller]
fn in_a_shell(name: &str, play: impl FnOnce(&mut Session<'_>, &Path)) {
    let Some(root) = root(name) else { return };
    let scene = Scene::new();
    let mut session = Session::shell(&scene);
    play(&mut session, &root);
    session.press("exit 0\n");
    assert_eq!(session.leader.wait(), Exit::Code(0));
    scene.nothing_is_left();
}

/// Waits until each process of the container, and what is outside of it, is so.
#[track_caller]
fn until_all(session: &Session<'_>, awaited: &str, is_so: impl Fn(char) -> bool) {
    session.scene.deadline.until(&format!("all to be {awaited}"), || {
        let is_one = |pid: &i32| matches!(proc::name(*pid).as_deref(), Some("supervise" | "sleep" | "cat"));
        let job: Vec<i32> = session.scene.marked().into_iter().filter(is_one).collect();
        let all = job.len() >= 4 && job.into_iter().all(|pid| proc::state(pid).is_some_and(&is_so));
        all.then_some(())
    });
}

/// Types what runs a container, and waits until all of it is there.
#[track_caller]
fn begin(session: &mut Session<'_>, line: &str) {
    session.press(&format!("{line}\n"));
    until_all(session, "there", |state| state == 'S');
}

/// Presses Ctrl-Z, and waits until the shell has its prompt and all are stopped.
#[track_caller]
fn suspend(session: &mut Session<'_>) {
    session.press_and_see(CTRL_Z, "topped");
    session.up_to("> ");
    until_all(session, "stopped", |state| state == 'T');
}

/// Waits until the shell sees the job stopped by SIGTTIN.
#[track_caller]
fn until_seen_to_wait_for_input(session: &mut Session<'_>) {
    let deadline = session.scene.deadline;
    deadline.until("the shell to see it stopped", || {
        session.type_and_see("jobs -l; echo seen:$((40+2))", "seen:42\r").contains("(tty input)").then_some(())
    });
}

/// Types `fg` or `bg`, and waits until all go on.
#[track_caller]
fn resume(session: &mut Session<'_>, command: &str) {
    session.press(&format!("{command}\n"));
    until_all(session, "awake", |state| state == 'S');
}

#[test]
fn shells_inside_have_job_control() {
    for (name, shell) in [(BUSYBOX, "sh"), (BOOKWORM, "bash --norc --noediting"), (BOOKWORM, "dash -i")] {
        in_a_shell(name, |session, root| {
            let greeting = session.type_and_see(&typed(root, &format!("env PS1='i''n:' {shell}")), "in:");
            assert!(!greeting.contains("job control") && !greeting.contains("tty"), "{shell}: {greeting}");
            session.type_and_see("sh -c 'echo up:$((40+2)); exec sleep 1000'", "up:42\r");
            session.press_and_see(CTRL_Z, "topped");
            assert!(session.type_and_see("jobs; echo list:$((1+1))", "list:2\r").contains("sleep 1000"), "{shell}");
            session.type_and_see("fg; echo ended:$((1+1))", "sleep 1000");
            // The shell says so before it gives the terminal away: until the job goes on, a key is for the shell.
            session.scene.deadline.until("the job to go on", || {
                let is_it = |pid: &i32| proc::name(*pid).as_deref() == Some("sleep") && proc::state(*pid) == Some('S');
                session.scene.marked().iter().any(is_it).then_some(())
            });
            session.press(CTRL_C);
            session.type_and_see("echo alive:$((40+2))", "alive:42\r");
            let end = session.type_and_see("tty; exit 5", "> ");
            assert!(end.contains("/dev/console"), "{shell}: {end}");
            assert!(!end.contains("annot set") && !end.contains("rror"), "{shell}: {end}");
            session.type_and_see("echo code:$?", "code:5\r");
        });
    }
}

#[test]
fn ctrl_c_ends_the_command_and_the_shell_goes_on() {
    in_a_shell(BUSYBOX, |session, root| {
        // With the terminal, and in a pipeline where it is a neighbour's.
        for pipe in ["", " | cat"] {
            let contained = typed(root, "sh -c 'echo up:$((40+2)); exec sleep 1000'");
            session.type_and_see(&format!("{contained}{pipe}"), "up:42");
            session.press_and_see(CTRL_C, "> ");
            session.type_and_see("echo code:$?", "code:130\r");
        }
    });
}

#[test]
fn ctrl_z_stops_a_container_as_it_does_a_command() {
    // By itself, and from a script, which the terminal would have stopped too.
    for (before, after) in [("", ""), ("dash -c '", "; :'")] {
        in_a_shell(BUSYBOX, |session, root| {
            begin(session, &format!("{before}{}{after}", typed(root, "sleep 1000")));
            for continued in ["fg", "fg", "bg"] {
                suspend(session);
                resume(session, continued);
            }
            // In the background the shell has the terminal.
            session.type_and_see("echo alive:$((40+2))", "alive:42\r");
            session.up_to("> ");
            session.type_and_see("fg", "run --env");
            let shell = Some(session.leader.outer_pid());
            let has_it = || (session.terminal.foreground() != shell).then_some(());
            session.scene.deadline.until("the job to have the terminal", has_it);
            // The shell gave it to the group of supervise, and says nothing to a job that was not stopped.
            suspend(session);
            resume(session, "fg");
            session.press_and_see(CTRL_C, "> ");
        });
    }
}

#[test]
fn in_a_pipeline_it_reads_the_terminal_and_stops_with_the_others() {
    in_a_shell(BUSYBOX, |session, root| {
        // Before it needs the terminal, and after.
        for reads in ["", "read line; echo got:\\$line; "] {
            session.press(&format!("{} | cat\n", typed(root, &format!("sh -c \"{reads}exec sleep 1000\""))));
            if !reads.is_empty() {
                session.type_and_see("words", "got:words\r");
            }
            until_all(session, "there", |state| state == 'S');
            for _ in 0..2 {
                suspend(session);
                resume(session, "fg");
            }
            session.press_and_see(CTRL_C, "> ");
        }
    });
}

#[test]
fn a_neighbour_has_the_terminal_also_after_ctrl_z() {
    in_a_shell(BUSYBOX, |session, root| {
        // As a pager.
        let neighbour = "sh -c 'read line </dev/tty; echo got:$line; exec cat'";
        begin(session, &format!("{} | {neighbour}", typed(root, "sleep 1000")));
        suspend(session);
        resume(session, "fg");
        session.type_and_see("words", "got:words\r");
        session.press_and_see(CTRL_C, "> ");
    });
}

#[test]
fn ctrl_c_ends_a_pipeline_and_the_loop_around_it() {
    in_a_shell(BOOKWORM, |session, root| {
        // Also where the command waits for what it has started: that gets the key too, as without a container.
        let contained = typed(root, "bash -c \"echo up:\\$((40+2)); sleep 1000; echo interrupted\"");
        let endless = format!("while :; do {contained} | cat; done");
        for line in [endless.clone(), format!("dash -c '{endless}'")] {
            session.type_and_see(&line, "up:42\r");
            // Then the command waits.
            session.scene.named("sleep");
            session.press_and_see(CTRL_C, "> ");
            session.type_and_see("echo code:$?", "code:130\r");
            let is_alone = || (session.scene.marked() == [session.leader.outer_pid()]).then_some(());
            session.scene.deadline.until("the end of all", is_alone);
        }
    });
}

#[test]
fn a_key_arrives_once_in_a_pipeline() {
    in_a_shell(BUSYBOX, |session, root| {
        let supervise = Init::Supervise.path().expect("cargo built it");
        let words = "block INT block QUIT block TERM report-until TERM exit 42";
        let (run, probe) = (supervise.display(), harness::probe());
        let line = format!(
            "SUPERVISE_REQUESTS=on {run} run --env {MARK} --bind {}:/probe:ro {} -- /probe {words} | sh -c 'trap \"\" INT QUIT; exec cat'; echo end:$((40+2))",
            probe.display(),
            root.display()
        );
        session.type_and_see(&line, "ready\r");
        let mut seen = String::new();
        for _ in 0..20 {
            for (key, report) in [(CTRL_C, "got 2 from"), (CTRL_BACKSLASH, "got 3 from")] {
                seen += &session.press_and_see(key, report);
            }
        }
        // Behind all that process 1 has to pass on.
        let is_monitor =
            |pid: &i32| proc::name(*pid).as_deref() == Some("supervise") && !proc::children(*pid).is_empty();
        let monitor =
            session.scene.marked().into_iter().filter(is_monitor).find(|pid| proc::inner_pid(*pid) == Some(*pid));
        harness::send(monitor.expect("it waits"), libc::SIGTERM, 1);
        seen += &session.up_to("end:42\r");
        let count = |report: &str| seen.matches(report).count();
        assert_eq!((count("got 2 from"), count("got 3 from"), count("got 15 from")), (20, 20, 1), "{seen}");
    });
}

#[test]
fn a_shell_in_the_background_is_stopped_and_the_callers_lives() {
    in_a_shell(BOOKWORM, |session, root| {
        session.press(&format!("{} &\n", typed(root, "env PS1='i''n:' bash --norc --noediting -i")));
        until_seen_to_wait_for_input(session);
        session.type_and_see("fg", "in:");
        session.type_and_see("echo alive:$((40+2)); exit 5", "alive:42\r");
        session.up_to("> ");
        session.type_and_see("echo code:$?", "code:5\r");
    });
}

#[test]
fn ctrl_z_works_after_all_of_the_group_was_killed() {
    in_a_shell(BUSYBOX, |session, root| {
        let supervise = Init::Supervise.path().expect("cargo built it");
        // Its witness too, and the command is started again.
        let command = "sh -c '[ -e /tmp/killed ] || { touch /tmp/killed; kill -9 0; }; exec sleep 1000'";
        let (run, root) = (supervise.display(), root.display());
        session.press(&format!("{run} run --env {MARK} --restart always --restart-delay 1ms {root} -- {command}\n"));
        session.scene.named("sleep");
        until_all(session, "there", |state| state == 'S');
        suspend(session);
        resume(session, "fg");
        session.press_and_see(CTRL_C, "> ");
    });
}

#[test]
fn one_that_reads_in_the_background_is_stopped_and_goes_on_in_the_foreground() {
    in_a_shell(BUSYBOX, |session, root| {
        begin(session, &typed(root, "cat"));
        suspend(session);
        session.type_and_see("bg; echo on:$((40+2))", "on:42\r");
        // Again, as it goes on with its read.
        until_seen_to_wait_for_input(session);
        until_all(session, "stopped", |state| state == 'T');
        resume(session, "fg");
        session.type_and_see("words", "words\r\nwords\r");
        session.press_and_see("\x04", "> ");
        session.type_and_see("echo code:$?", "code:0\r");
    });
}

#[test]
fn one_in_the_background_leaves_the_terminal_alone() {
    in_a_shell(BUSYBOX, |session, root| {
        session.type_and_see(&format!("{} &", typed(root, "sh -c 'echo up:$((40+2)); exec sleep 1000'")), "up:42");
        // The shell can still read, and its job can be ended by its number.
        session.type_and_see("echo alive:$((40+2)); kill %1; wait %1; echo code:$?", "alive:42\r");
        session.up_to("code:143\r");
    });
}

/// Starts a script without job control, which does not take the terminal back itself, and reads from it at the end.
fn begin_script<'s>(scene: &'s Scene, script: &str) -> Session<'s> {
    Session::start(scene, &["dash", "-c", &format!("{script}; read line; echo got:$line")])
}

/// Requires that such a script has its terminal at the end, and leaves nothing.
#[track_caller]
fn ends_with_its_terminal(mut session: Session<'_>) {
    session.type_and_see("words", "got:words\r");
    assert_eq!(session.leader.wait(), Exit::Code(0));
    session.scene.nothing_is_left();
}

#[test]
fn a_script_has_the_terminal_again_afterwards() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let mut session = begin_script(&scene, &format!("{}; echo code:$?", typed(&root, "env PS1='i''n:' sh")));
    session.up_to("in:");
    session.type_and_see("exit 6", "code:6\r");
    ends_with_its_terminal(session);
}

#[test]
fn a_container_ends_with_its_terminal() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let mut session = Session::shell(&scene);
    session.type_and_see(&typed(&root, "env PS1='i''n:' sh"), "in:");
    drop(session.terminal);
    session.leader.wait();
    scene.deadline.until("the end of all", || scene.marked().is_empty().then_some(()));
}

#[test]
fn nothing_inside_can_type_on_the_terminal() {
    in_a_shell(BOOKWORM, |session, root| {
        // CVE-2017-5226: TIOCSTI, and with a bit that the kernel does not look at (CVE-2019-10063).
        let attack = "perl -e '$x = \"x\"; for (0x5412, 0x100005412) { syscall(16, 0, $_, $x); print $! + 0, \":\" } print \"done\\n\"'";
        session.type_and_see(&typed(root, attack), "\r\n");
        let said = session.up_to("done\r");
        assert!(said.ends_with("1:1:done\r"), "{said}");
    });
}

/// What a script without job control is made of that leads a session, and says after each of these that it goes on.
fn told_by_a_script(scene: &Scene, command: &str) -> Vec<String> {
    let ways = ["; echo code:$?", " | cat; echo code:$?", " & wait $!; echo code:$?"];
    let script: Vec<String> = ways.iter().map(|way| format!("{command}{way}")).collect();
    let mut session = begin_script(scene, &script.join("; "));
    let codes = ways.map(|_| session.up_to("code:") + &session.up_to("\r\n"));
    ends_with_its_terminal(session);
    codes.to_vec()
}

/// What such a script is to run.
fn signals_its_group(root: &Path, options: &str, signal: &str) -> String {
    let supervise = Init::Supervise.path().expect("cargo built it");
    let words = format!("kill -{signal} 0; echo on:$((40+2))");
    format!("{} run --env {} {options} {} -- sh -c '{words}'", supervise.display(), MARK, root.display())
}

#[test]
fn who_kills_its_process_group_kills_nothing_of_the_callers() {
    let Some(root) = root(BUSYBOX) else { return };
    for options in ["", "--user-ns"] {
        let scene = Scene::new();
        let said = told_by_a_script(&scene, &signals_its_group(&root, options, "KILL"));
        let code = |said: &String| said.rsplit_once("code:").map(|(_, code)| code.trim_end().to_owned());
        let codes: Vec<String> = said.iter().filter_map(code).collect();
        assert_eq!(codes, ["137", "0", "137"], "{options}: {said:?}");
    }
}

#[test]
fn who_stops_its_process_group_stops_nobody_for_good() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    // Nobody could continue the caller's group: its parent is in another session.
    let said = told_by_a_script(&scene, &signals_its_group(&root, "", "STOP"));
    assert!(said.iter().all(|said| said.contains("on:42\r\n") && said.ends_with("code:0\r\n")), "{said:?}");
}
