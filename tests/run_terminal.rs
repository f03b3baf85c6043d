//! Containers at a real terminal: job control inside and outside, and a terminal that is nobody's any more.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::path::Path;

use harness::contained::{BOOKWORM, BUSYBOX, root};
use harness::launch::Init;
use harness::running::Running;
use harness::terminal::Terminal;
use harness::{Exit, MARK, Scene, proc};

const CTRL_C: &str = "\x03";
const CTRL_Z: &str = "\x1a";
const CTRL_BACKSLASH: &str = "\x1c";

/// What a shell is typed to run a container.
fn typed(root: &Path, command: &str) -> String {
    let supervise = Init::Supervise.path().expect("cargo built it");
    let separator = if command.is_empty() { "" } else { " -- " };
    format!("SUPERVISE_REQUESTS=on {} run --env {MARK} {}{separator}{command}", supervise.display(), root.display())
}

#[test]
fn shells_inside_have_job_control() {
    for (name, shell) in [(BUSYBOX, "sh"), (BOOKWORM, "bash --norc --noediting"), (BOOKWORM, "dash -i")] {
        let Some(root) = root(name) else { return };
        let scene = Scene::new();
        let mut terminal = Terminal::open(&scene);
        let mut outer = terminal.shell(&scene);
        terminal.press(&format!("{}\n", typed(&root, &format!("env PS1='i''n:' {shell}"))));
        let greeting = terminal.screen.up_to("in:");
        assert!(!greeting.contains("job control") && !greeting.contains("tty"), "{shell}: {greeting}");
        terminal.press("sh -c 'echo up:$((40+2)); exec sleep 1000'\n");
        terminal.screen.up_to("up:42\r");
        terminal.press(CTRL_Z);
        terminal.screen.up_to("topped");
        terminal.press("jobs; echo list:$((1+1))\n");
        assert!(terminal.screen.up_to("list:2\r").contains("sleep 1000"), "{shell}");
        terminal.press("fg; echo ended:$((1+1))\n");
        terminal.screen.up_to("sleep 1000");
        // The shell says so before it gives the terminal away: until the job goes on, a key is for the shell.
        scene.deadline.until("the job to go on", || {
            let is_it = |pid: &i32| proc::name(*pid).as_deref() == Some("sleep") && proc::state(*pid) == Some('S');
            scene.marked().iter().any(is_it).then_some(())
        });
        terminal.press(CTRL_C);
        terminal.press("echo alive:$((40+2))\n");
        terminal.screen.up_to("alive:42\r");
        terminal.press("tty; exit 5\n");
        let end = terminal.screen.up_to("> ");
        assert!(end.contains("/dev/console"), "{shell}: {end}");
        assert!(!end.contains("annot set") && !end.contains("rror"), "{shell}: {end}");
        terminal.press("echo code:$?; exit\n");
        terminal.screen.up_to("code:5\r");
        assert_eq!(outer.wait(), Exit::Code(0));
        scene.nothing_is_left();
    }
}

#[test]
fn ctrl_c_ends_the_command_and_the_shell_goes_on() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let mut terminal = Terminal::open(&scene);
    let outer = terminal.shell(&scene);
    // With the terminal, and in a pipeline where it is a neighbour's.
    for pipe in ["", " | cat"] {
        terminal.press(&format!("{}{pipe}\n", typed(&root, "sh -c 'echo up:$((40+2)); exec sleep 1000'")));
        terminal.screen.up_to("up:42");
        terminal.press(CTRL_C);
        terminal.screen.up_to("> ");
        terminal.press("echo code:$?\n");
        terminal.screen.up_to("code:130\r");
    }
    ends(&scene, terminal, outer);
}

/// Waits until each process of the container, and what is outside of it, is so.
#[track_caller]
fn until_all(scene: &Scene, awaited: &str, is_so: impl Fn(char) -> bool) {
    scene.deadline.until(&format!("all to be {awaited}"), || {
        let is_one = |pid: &i32| matches!(proc::name(*pid).as_deref(), Some("supervise" | "sleep" | "cat"));
        let job: Vec<i32> = scene.marked().into_iter().filter(is_one).collect();
        let all = job.len() >= 4 && job.into_iter().all(|pid| proc::state(pid).is_some_and(&is_so));
        all.then_some(())
    });
}

/// Presses Ctrl-Z, and waits until the shell has its prompt and all are stopped.
#[track_caller]
fn suspend(scene: &Scene, terminal: &mut Terminal) {
    terminal.press(CTRL_Z);
    terminal.screen.up_to("topped");
    terminal.screen.up_to("> ");
    until_all(scene, "stopped", |state| state == 'T');
}

/// Types `fg` or `bg`, and waits until all go on.
#[track_caller]
fn resume(scene: &Scene, terminal: &mut Terminal, command: &str) {
    terminal.press(&format!("{command}\n"));
    until_all(scene, "awake", |state| state == 'S');
}

/// Leaves the shell, behind which nothing may be left.
#[track_caller]
fn ends(scene: &Scene, mut terminal: Terminal, mut shell: Running<'_>) {
    terminal.press("exit 0\n");
    assert_eq!(shell.wait(), Exit::Code(0));
    scene.nothing_is_left();
}

#[test]
fn ctrl_z_stops_a_container_as_it_does_a_command() {
    let Some(root) = root(BUSYBOX) else { return };
    // By itself, and from a script, which the terminal would have stopped too.
    for (before, after) in [("", ""), ("dash -c '", "; :'")] {
        let scene = Scene::new();
        let mut terminal = Terminal::open(&scene);
        let outer = terminal.shell(&scene);
        terminal.press(&format!("{before}{}{after}\n", typed(&root, "sleep 1000")));
        until_all(&scene, "there", |state| state == 'S');
        for continued in ["fg", "fg", "bg"] {
            suspend(&scene, &mut terminal);
            resume(&scene, &mut terminal, continued);
        }
        // In the background the shell has the terminal.
        terminal.press("echo alive:$((40+2))\n");
        terminal.screen.up_to("alive:42\r");
        terminal.screen.up_to("> ");
        terminal.press("fg\n");
        terminal.screen.up_to("run --env");
        scene
            .deadline
            .until("the job to have the terminal", || (terminal.foreground() != Some(outer.outer_pid())).then_some(()));
        // The shell gave it to the group of supervise, and says nothing to a job that was not stopped.
        suspend(&scene, &mut terminal);
        resume(&scene, &mut terminal, "fg");
        terminal.press(CTRL_C);
        terminal.screen.up_to("> ");
        ends(&scene, terminal, outer);
    }
}

#[test]
fn in_a_pipeline_it_reads_the_terminal_and_stops_with_the_others() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let mut terminal = Terminal::open(&scene);
    let outer = terminal.shell(&scene);
    // Before it needs the terminal, and after.
    for reads in ["", "read line; echo got:\\$line; "] {
        terminal.press(&format!("{} | cat\n", typed(&root, &format!("sh -c \"{reads}exec sleep 1000\""))));
        if !reads.is_empty() {
            terminal.press("words\n");
            terminal.screen.up_to("got:words\r");
        }
        until_all(&scene, "there", |state| state == 'S');
        for _ in 0..2 {
            suspend(&scene, &mut terminal);
            resume(&scene, &mut terminal, "fg");
        }
        terminal.press(CTRL_C);
        terminal.screen.up_to("> ");
    }
    ends(&scene, terminal, outer);
}

#[test]
fn a_neighbour_has_the_terminal_also_after_ctrl_z() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let mut terminal = Terminal::open(&scene);
    let outer = terminal.shell(&scene);
    // As a pager.
    let neighbour = "sh -c 'read line </dev/tty; echo got:$line; exec cat'";
    terminal.press(&format!("{} | {neighbour}\n", typed(&root, "sleep 1000")));
    until_all(&scene, "there", |state| state == 'S');
    suspend(&scene, &mut terminal);
    resume(&scene, &mut terminal, "fg");
    terminal.press("words\n");
    terminal.screen.up_to("got:words\r");
    terminal.press(CTRL_C);
    terminal.screen.up_to("> ");
    ends(&scene, terminal, outer);
}

#[test]
fn ctrl_c_ends_a_pipeline_and_the_loop_around_it() {
    let Some(root) = root(BOOKWORM) else { return };
    let scene = Scene::new();
    let mut terminal = Terminal::open(&scene);
    let outer = terminal.shell(&scene);
    // Also where the command waits for what it has started: that gets the key too, as without a container.
    let contained = typed(&root, "bash -c \"echo up:\\$((40+2)); sleep 1000; echo interrupted\"");
    let endless = format!("while :; do {contained} | cat; done");
    for typed in [endless.clone(), format!("dash -c '{endless}'")] {
        terminal.press(&format!("{typed}\n"));
        terminal.screen.up_to("up:42\r");
        // Then the command waits.
        scene.named("sleep");
        terminal.press(CTRL_C);
        terminal.screen.up_to("> ");
        terminal.press("echo code:$?\n");
        terminal.screen.up_to("code:130\r");
        scene.deadline.until("the end of all", || (scene.marked() == [outer.outer_pid()]).then_some(()));
    }
    ends(&scene, terminal, outer);
}

#[test]
fn a_key_arrives_once_in_a_pipeline() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let mut terminal = Terminal::open(&scene);
    let outer = terminal.shell(&scene);
    let supervise = Init::Supervise.path().expect("cargo built it");
    let words = "block INT block QUIT block TERM report-until TERM exit 42";
    let (run, probe) = (supervise.display(), harness::probe());
    terminal.press(&format!(
        "SUPERVISE_REQUESTS=on {run} run --env {MARK} --bind {}:/probe:ro {} -- /probe {words} | sh -c 'trap \"\" INT QUIT; exec cat'; echo end:$((40+2))\n",
        probe.display(),
        root.display()
    ));
    terminal.screen.up_to("ready\r");
    let mut seen = String::new();
    for _ in 0..20 {
        for (key, report) in [(CTRL_C, "got 2 from"), (CTRL_BACKSLASH, "got 3 from")] {
            terminal.press(key);
            seen += &terminal.screen.up_to(report);
        }
    }
    // Behind all that process 1 has to pass on.
    let is_monitor = |pid: &i32| proc::name(*pid).as_deref() == Some("supervise") && !proc::children(*pid).is_empty();
    let monitor = scene.marked().into_iter().filter(is_monitor).find(|pid| proc::inner_pid(*pid) == Some(*pid));
    harness::send(monitor.expect("it waits"), libc::SIGTERM, 1);
    seen += &terminal.screen.up_to("end:42\r");
    let count = |report: &str| seen.matches(report).count();
    assert_eq!((count("got 2 from"), count("got 3 from"), count("got 15 from")), (20, 20, 1), "{seen}");
    ends(&scene, terminal, outer);
}

#[test]
fn a_shell_in_the_background_is_stopped_and_the_callers_lives() {
    let Some(root) = root(BOOKWORM) else { return };
    let scene = Scene::new();
    let mut terminal = Terminal::open(&scene);
    let outer = terminal.shell(&scene);
    terminal.press(&format!("{} &\n", typed(&root, "env PS1='i''n:' bash --norc --noediting -i")));
    scene.deadline.until("the shell to see it stopped", || {
        terminal.press("jobs -l; echo seen:$((40+2))\n");
        terminal.screen.up_to("seen:42\r").contains("(tty input)").then_some(())
    });
    terminal.press("fg\n");
    terminal.screen.up_to("in:");
    terminal.press("echo alive:$((40+2)); exit 5\n");
    terminal.screen.up_to("alive:42\r");
    terminal.screen.up_to("> ");
    terminal.press("echo code:$?\n");
    terminal.screen.up_to("code:5\r");
    ends(&scene, terminal, outer);
}

#[test]
fn ctrl_z_works_after_all_of_the_group_was_killed() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let mut terminal = Terminal::open(&scene);
    let outer = terminal.shell(&scene);
    let supervise = Init::Supervise.path().expect("cargo built it");
    // Its witness too, and the command is started again.
    let command = "sh -c '[ -e /tmp/killed ] || { touch /tmp/killed; kill -9 0; }; exec sleep 1000'";
    let (run, root) = (supervise.display(), root.display());
    terminal.press(&format!("{run} run --env {MARK} --restart always --restart-delay 1ms {root} -- {command}\n"));
    scene.named("sleep");
    until_all(&scene, "there", |state| state == 'S');
    suspend(&scene, &mut terminal);
    resume(&scene, &mut terminal, "fg");
    terminal.press(CTRL_C);
    terminal.screen.up_to("> ");
    ends(&scene, terminal, outer);
}

#[test]
fn one_that_reads_in_the_background_is_stopped_and_goes_on_in_the_foreground() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let mut terminal = Terminal::open(&scene);
    let outer = terminal.shell(&scene);
    terminal.press(&format!("{}\n", typed(&root, "cat")));
    until_all(&scene, "there", |state| state == 'S');
    suspend(&scene, &mut terminal);
    terminal.press("bg; echo on:$((40+2))\n");
    terminal.screen.up_to("on:42\r");
    // By SIGTTIN, as it goes on with its read.
    scene.deadline.until("the shell to see it stopped again", || {
        terminal.press("jobs -l; echo seen:$((40+2))\n");
        terminal.screen.up_to("seen:42\r").contains("(tty input)").then_some(())
    });
    until_all(&scene, "stopped", |state| state == 'T');
    resume(&scene, &mut terminal, "fg");
    terminal.press("words\n");
    terminal.screen.up_to("words\r\nwords\r");
    terminal.press("\x04");
    terminal.screen.up_to("> ");
    terminal.press("echo code:$?\n");
    terminal.screen.up_to("code:0\r");
    ends(&scene, terminal, outer);
}

#[test]
fn one_in_the_background_leaves_the_terminal_alone() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let mut terminal = Terminal::open(&scene);
    let outer = terminal.shell(&scene);
    terminal.press(&format!("{} &\n", typed(&root, "sh -c 'echo up:$((40+2)); exec sleep 1000'")));
    terminal.screen.up_to("up:42");
    // The shell can still read, and its job can be ended by its number.
    terminal.press("echo alive:$((40+2)); kill %1; wait %1; echo code:$?\n");
    terminal.screen.up_to("alive:42\r");
    terminal.screen.up_to("code:143\r");
    ends(&scene, terminal, outer);
}

#[test]
fn a_script_has_the_terminal_again_afterwards() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let mut terminal = Terminal::open(&scene);
    // A shell without job control, which does not take the terminal back itself.
    let script = format!("{}; echo code:$?; read line; echo got:$line", typed(&root, "env PS1='i''n:' sh"));
    let mut outer = terminal.session(&scene, &["dash", "-c", &script]);
    terminal.screen.up_to("in:");
    terminal.press("exit 6\n");
    terminal.screen.up_to("code:6\r");
    terminal.press("words\n");
    terminal.screen.up_to("got:words\r");
    assert_eq!(outer.wait(), Exit::Code(0));
    scene.nothing_is_left();
}

#[test]
fn a_container_ends_with_its_terminal() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let mut terminal = Terminal::open(&scene);
    let mut outer = terminal.shell(&scene);
    terminal.press(&format!("{}\n", typed(&root, "env PS1='i''n:' sh")));
    terminal.screen.up_to("in:");
    drop(terminal);
    outer.wait();
    scene.deadline.until("the end of all", || scene.marked().is_empty().then_some(()));
}

#[test]
fn nothing_inside_can_type_on_the_terminal() {
    let Some(root) = root(BOOKWORM) else { return };
    let scene = Scene::new();
    let mut terminal = Terminal::open(&scene);
    let mut outer = terminal.shell(&scene);
    // CVE-2017-5226: TIOCSTI, and with a bit that the kernel does not look at (CVE-2019-10063).
    let attack = "perl -e '$x = \"x\"; for (0x5412, 0x100005412) { syscall(16, 0, $_, $x); print $! + 0, \":\" } print \"done\\n\"'";
    terminal.press(&format!("{}\n", typed(&root, attack)));
    terminal.screen.up_to("\r\n");
    let said = terminal.screen.up_to("done\r");
    assert!(said.ends_with("1:1:done\r"), "{said}");
    terminal.press("exit 0\n");
    assert_eq!(outer.wait(), Exit::Code(0));
}

/// What a script without job control is made of that leads a session, and says after each of these that it goes on.
fn told_by_a_script(scene: &Scene, command: &str) -> Vec<String> {
    let ways = ["; echo code:$?", " | cat; echo code:$?", " & wait $!; echo code:$?"];
    let script: Vec<String> = ways.iter().map(|way| format!("{command}{way}")).collect();
    let mut terminal = Terminal::open(scene);
    let mut caller =
        terminal.session(scene, &["dash", "-c", &format!("{}; read line; echo got:$line", script.join("; "))]);
    let codes = ways.map(|_| terminal.screen.up_to("code:") + &terminal.screen.up_to("\r\n"));
    // It has its terminal still.
    terminal.press("words\n");
    terminal.screen.up_to("got:words\r");
    assert_eq!(caller.wait(), Exit::Code(0));
    scene.nothing_is_left();
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
