//! Restarts at a real terminal: what keys do between two lives, and whose the terminal is in the next one.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use harness::launch::Init;
use harness::terminal::Terminal;
use harness::{Exit, Scene, probe};

const CTRL_C: &str = "\x03";
const CTRL_Z: &str = "\x1a";

/// How supervise is told whose signals are whose; the first is the default.
const TARGETS: [&str; 2] = ["main", "group"];

/// The words that a shell needs to run supervise with these options.
fn typed(target: &str, options: &str, verbs: &str) -> String {
    let (supervise, probe) = (Init::Supervise.path().expect("cargo built it"), probe());
    format!("{} --forward-to {target} --restart always {options} -- {} {verbs}", supervise.display(), probe.display())
}

#[test]
fn a_life_that_begins_in_the_background_leaves_the_terminal_to_the_shell() {
    for target in TARGETS {
        let scene = Scene::new();
        let mut terminal = Terminal::open(&scene);
        let mut shell = terminal.shell(&scene);
        let verbs = "block USR1 foreground say up:$((40+2)) await USR1 exit 3";
        terminal.press(&format!("{}\n", typed(target, "--restart-delay 0 --restart-limit 1/1h", verbs)));
        terminal.screen.up_to("foreground own");
        terminal.screen.up_to("up:42");
        terminal.press(CTRL_Z);
        terminal.screen.up_to("Stopped");
        // supervise alone: what the life before would get as well can reach this one when that has ended.
        terminal.press("bg; kill -USR1 $!\n");
        terminal.screen.up_to("foreground other");
        terminal.screen.up_to("up:42");
        terminal.press("kill -USR1 $!; wait %1; echo code:$?; exit 7\n");
        terminal.screen.up_to("code:3");
        assert_eq!(shell.wait(), Exit::Code(7), "--forward-to {target}");
    }
}

#[test]
fn ctrl_z_in_a_delay_stops_the_job_and_fg_continues_it() {
    for target in TARGETS {
        let scene = Scene::new();
        let mut terminal = Terminal::open(&scene);
        let mut shell = terminal.shell(&scene);
        let far = "--verbose --restart-delay 1h --restart-max-delay 1h";
        terminal.press(&format!("{}; echo code:$?\n", typed(target, far, "exit 3")));
        terminal.screen.up_to("starting it again in");
        for _ in 0..2 {
            terminal.press(CTRL_Z);
            terminal.screen.up_to("Stopped");
            terminal.press("echo shell:$((40 + 3)); fg\n");
            terminal.screen.up_to("shell:43");
            // The shell has given it the terminal before.
            terminal.screen.up_to("continued by SIGCONT");
        }
        terminal.press(CTRL_C);
        terminal.screen.up_to("> ");
        terminal.press("echo over:$?; exit 7\n");
        terminal.screen.up_to("over:3");
        assert_eq!(shell.wait(), Exit::Code(7), "--forward-to {target}");
    }
}
