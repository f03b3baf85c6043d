//! Containers at a real terminal: job control inside and outside, and a terminal that is nobody's any more.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::path::Path;

use harness::contained::{BOOKWORM, BUSYBOX, root};
use harness::launch::Init;
use harness::terminal::Terminal;
use harness::{Exit, MARK, Scene, proc};

const CTRL_C: &str = "\x03";
const CTRL_Z: &str = "\x1a";

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
        scene.deadline.until("the job to go on", || {
            let sleepers = scene.marked().into_iter().filter(|pid| proc::name(*pid).as_deref() == Some("sleep"));
            sleepers.map(proc::describe).find(|told| !told.contains("stopped") && !told.contains(" T")).map(|_| ())
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
    let mut outer = terminal.shell(&scene);
    // With the terminal, and in a pipeline where it is a neighbour's.
    for pipe in ["", " | cat"] {
        terminal.press(&format!("{}{pipe}\n", typed(&root, "sh -c 'echo up:$((40+2)); exec sleep 1000'")));
        terminal.screen.up_to("up:42");
        terminal.press(CTRL_C);
        terminal.screen.up_to("> ");
        terminal.press("echo code:$?\n");
        terminal.screen.up_to("code:130\r");
    }
    terminal.press("exit 0\n");
    assert_eq!(outer.wait(), Exit::Code(0));
    scene.nothing_is_left();
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

#[test]
fn ctrl_z_stops_a_container_as_it_does_a_command() {
    let Some(root) = root(BUSYBOX) else { return };
    // By itself, and from a script, which the terminal would have stopped too.
    for (before, after) in [("", ""), ("dash -c '", "; :'")] {
        let scene = Scene::new();
        let mut terminal = Terminal::open(&scene);
        let mut outer = terminal.shell(&scene);
        terminal.press(&format!("{before}{}{after}\n", typed(&root, "sleep 1000")));
        until_all(&scene, "there", |state| state == 'S');
        for continued in ["fg", "fg", "bg"] {
            terminal.press(CTRL_Z);
            terminal.screen.up_to("topped");
            terminal.screen.up_to("> ");
            until_all(&scene, "stopped", |state| state == 'T');
            terminal.press(&format!("{continued}\n"));
            until_all(&scene, "awake", |state| state == 'S');
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
        terminal.press(CTRL_C);
        terminal.screen.up_to("> ");
        terminal.press("exit 0\n");
        assert_eq!(outer.wait(), Exit::Code(0));
        scene.nothing_is_left();
    }
}

#[test]
fn one_that_reads_in_the_background_is_stopped_and_goes_on_in_the_foreground() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let mut terminal = Terminal::open(&scene);
    let mut outer = terminal.shell(&scene);
    terminal.press(&format!("{}\n", typed(&root, "cat")));
    until_all(&scene, "there", |state| state == 'S');
    terminal.press(CTRL_Z);
    terminal.screen.up_to("topped");
    terminal.screen.up_to("> ");
    until_all(&scene, "stopped", |state| state == 'T');
    terminal.press("bg; echo on:$((40+2))\n");
    terminal.screen.up_to("on:42\r");
    // By SIGTTIN, as it goes on with its read.
    scene.deadline.until("the shell to see it stopped again", || {
        terminal.press("jobs -l; echo seen:$((40+2))\n");
        terminal.screen.up_to("seen:42\r").contains("(tty input)").then_some(())
    });
    until_all(&scene, "stopped", |state| state == 'T');
    terminal.press("fg\n");
    until_all(&scene, "awake", |state| state == 'S');
    terminal.press("words\n");
    terminal.screen.up_to("words\r\nwords\r");
    terminal.press("\x04");
    terminal.screen.up_to("> ");
    terminal.press("echo code:$?; exit 0\n");
    terminal.screen.up_to("code:0\r");
    assert_eq!(outer.wait(), Exit::Code(0));
    scene.nothing_is_left();
}

#[test]
fn one_in_the_background_leaves_the_terminal_alone() {
    let Some(root) = root(BUSYBOX) else { return };
    let scene = Scene::new();
    let mut terminal = Terminal::open(&scene);
    let mut outer = terminal.shell(&scene);
    terminal.press(&format!("{} &\n", typed(&root, "sh -c 'echo up:$((40+2)); exec sleep 1000'")));
    terminal.screen.up_to("up:42");
    // The shell can still read, and its job can be ended by its number.
    terminal.press("echo alive:$((40+2)); kill %1; wait %1; echo code:$?\n");
    terminal.screen.up_to("alive:42\r");
    terminal.screen.up_to("code:143\r");
    terminal.press("exit 0\n");
    assert_eq!(outer.wait(), Exit::Code(0));
    scene.nothing_is_left();
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
