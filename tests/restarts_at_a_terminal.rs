//! Restarts at a real terminal: what keys do between two lives, and whose the terminal is in the next one.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use harness::Exit;
use harness::launch::Init;
use harness::terminal::{CTRL_C, CTRL_Z, below, for_each_target};

/// The words that a shell needs to run supervise with these options.
fn typed(target: &str, options: &str, verbs: &str) -> String {
    below(Init::Supervise, &format!("--forward-to {target} --restart always {options}"), verbs)
}

#[test]
fn a_life_that_begins_in_the_background_leaves_the_terminal_to_the_shell() {
    for_each_target(|session, target| {
        let verbs = "block USR1 foreground say up:$((40+2)) await USR1 exit 3";
        session.type_and_see(&typed(target, "--restart-delay 0 --restart-limit 1/1h", verbs), "foreground own");
        session.up_to("up:42");
        session.press_and_see(CTRL_Z, "Stopped");
        // supervise alone: what the life before would get as well can reach this one when that has ended.
        session.type_and_see("bg; kill -USR1 $!", "foreground other");
        session.up_to("up:42");
        session.type_and_see("kill -USR1 $!; wait %1; echo code:$?; exit 7", "code:3");
        assert_eq!(session.leader.wait(), Exit::Code(7), "--forward-to {target}");
    });
}

#[test]
fn ctrl_z_in_a_delay_stops_the_job_and_fg_continues_it() {
    for_each_target(|session, target| {
        let far = "--verbose --restart-delay 1h --restart-max-delay 1h";
        session.type_and_see(&format!("{}; echo code:$?", typed(target, far, "exit 3")), "starting it again in");
        for _ in 0..2 {
            session.press_and_see(CTRL_Z, "Stopped");
            session.type_and_see("echo shell:$((40 + 3)); fg", "shell:43");
            // The shell has given it the terminal before.
            session.up_to("continued by SIGCONT");
        }
        session.press_and_see(CTRL_C, "> ");
        session.type_and_see("echo over:$?; exit 7", "over:3");
        assert_eq!(session.leader.wait(), Exit::Code(7), "--forward-to {target}");
    });
}
