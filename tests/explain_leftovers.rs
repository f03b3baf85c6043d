//! Why what main left behind is still there: said once more, halfway to its kill.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::collections::HashSet;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;

use harness::launch::{EVERYWHERE, Launch, Place};
use harness::running::Running;
use harness::slow::{Slow, killed, says, warnings};
use harness::{Exit, Scene, proc, send, skip};
use libc::SIGTERM;

/// What is said halfway to the kill; a loaded machine needs the other half.
const GRACE: [&str; 2] = ["--leftover-grace", "10s"];

/// The same where the test itself has something to do before the kill.
const TIME_TO_ACT: [&str; 2] = ["--leftover-grace", "20s"];

fn shell<'s>(scene: &'s Scene, script: &str) -> Launch<'s> {
    let probe = scene.for_everybody(&harness::probe());
    let script = script.replace("PROBE", probe.to_str().expect("made by us"));
    scene.supervise().for_everybody().argv(&["sh", "-c", &script])
}

/// Starts it in each place, side by side, and lets main go when it is ready.
fn everywhere<'s>(launch: impl Fn() -> Launch<'s>) -> [(Place, Running<'s>); 3] {
    EVERYWHERE.map(|place| {
        let mut init = launch().place(place).spawn();
        init.expect("ready");
        init.go();
        (place, init)
    })
}

#[test]
fn what_a_shell_left_should_have_been_started_with_exec() {
    let scene = Scene::new();
    // As docker's `ENTRYPOINT app` does it: the shell dies of the signal, and the app goes on.
    let app = "PROBE block TERM ready await TERM say saving read exit 3";
    for place in EVERYWHERE {
        let mut slow = Slow::start(&scene, place, shell(&scene, &format!("{app}; true")).options(&TIME_TO_ACT));
        slow.stop();
        slow.init.expect("saving");
        let line = slow.init.warning();
        says(
            &line,
            &[
                " after SIGTERM: leftover pid ",
                "(`probe block TERM ready ",
                "handles SIGTERM and is still at work, and is killed in ",
                "; main was a shell (`sh -c ",
                ") that ended without waiting for it: start it with exec",
                "ENTRYPOINT",
            ],
        );
        slow.init.go();
        slow.ends_by(SIGTERM);
        // Now it is the main program, has all the time, and its code counts.
        let mut slow = Slow::start(&scene, place, shell(&scene, &format!("exec {app}")));
        slow.stop();
        slow.init.expect("saving");
        slow.init.go();
        slow.ends_with(3);
    }
    scene.nothing_is_left();
}

#[test]
fn a_script_is_a_shell_too_and_another_program_is_none() {
    let scene = Scene::new();
    let worker = "block TERM ready await TERM wait";
    let probe = scene.for_everybody(&harness::probe());
    let script = format!("#!/bin/sh\n{} {worker} &\nread line; exit 3\n", probe.display());
    let script = scene.executable("entrypoint", script.as_bytes());
    for (place, mut init) in everywhere(|| scene.supervise().for_everybody().options(&GRACE).argv(&[&script])) {
        says(&init.warning(), &["handles SIGTERM and is still at work", "main was a shell (`entrypoint`)", "exec"]);
        assert_eq!(init.wait(), Exit::Code(3), "{place:?}");
    }
    let verbs = format!("fork setsid {worker} end, read, exit 3");
    for (place, mut init) in everywhere(|| scene.supervise().options(&GRACE).probe(&verbs)) {
        let line = init.warning();
        says(&line, &["leftover pid ", "let the main program wait for it", "--leftover-grace"]);
        assert!(!line.contains("shell"), "{line}");
        assert_eq!(init.wait(), Exit::Code(3), "{place:?}");
    }
    scene.nothing_is_left();
}

#[test]
fn more_time_is_all_that_a_worker_needs() {
    let scene = Scene::new();
    let verbs = "fork setsid block TERM, ready, await TERM, read, say saved, end, read, exit 3";
    for (place, mut init) in everywhere(|| scene.supervise().options(&["--leftover-grace=60s"]).probe(verbs)) {
        init.go();
        let ended = init.end();
        assert_eq!((ended.exit, warnings(&ended)), (Exit::Code(3), vec![]), "{place:?}");
        assert_eq!(ended.stdout, ["saved"], "{place:?}");
    }
    scene.nothing_is_left();
}

#[test]
fn what_ignores_both_signals_is_said_to() {
    let scene = Scene::new();
    let verbs = "fork setsid ignore TERM,HUP, ready, wait, end, read, exit 3";
    for (place, mut init) in everywhere(|| scene.supervise().options(&GRACE).probe(verbs)) {
        let line = init.warning();
        says(&line, &["leftover pid ", "ignores SIGTERM, and SIGHUP has not ended it either, and is killed in "]);
        assert!(!line.contains("--stop-signal"), "it is no cure: {line}");
        let ended = init.end();
        assert_eq!(ended.exit, Exit::Code(3), "{place:?}");
        assert!(warnings(&ended).len() == 1 && ended.stderr[0].contains("killing it"), "{:?}", ended.stderr);
    }
    scene.nothing_is_left();
}

#[test]
fn main_is_explained_once_and_what_it_left_once_more() {
    let scene = Scene::new();
    let verbs = "ignore TERM,HUP, fork setsid wait, end, ready, wait";
    let slow = EVERYWHERE.map(|place| {
        let options = ["--grace", "8s", "--leftover-grace", "8s"];
        let slow = Slow::start(&scene, place, scene.supervise().options(&options).probe(verbs));
        slow.stop();
        (place, slow)
    });
    for (place, mut slow) in slow {
        slow.explains(&["ignores SIGTERM"]);
        let ended = slow.init.end();
        assert_eq!(ended.exit, killed(place));
        let said = warnings(&ended);
        assert_eq!(said.len(), 3, "{said:?}");
        says(said[0], &["has not ended; killing it"]);
        says(said[1], &["after SIGTERM: leftover pid ", "ignores SIGTERM"]);
        says(said[2], &["after SIGTERM; killing it"]);
    }
    scene.nothing_is_left();
}

#[test]
fn ten_lines_are_enough() {
    const COUNT: usize = 50;
    let scene = Scene::new();
    let probe = scene.for_everybody(&harness::probe());
    let mut script = String::from("trap '' TERM HUP; ");
    for number in 0..COUNT {
        let name = scene.folder().join(format!("worker-{number}"));
        symlink(&probe, &name).expect("the name is new");
        script += &format!("{} say up wait & ", name.display());
    }
    script += "echo ready; read line; exit 3";
    for place in EVERYWHERE {
        let launch = scene.supervise().for_everybody().place(place).options(&["--leftover-grace", "10s"]);
        let mut init = launch.argv(&["sh", "-c", &script]).spawn();
        let mut up: Vec<String> = (0..=COUNT).map(|_| init.line()).collect();
        up.sort();
        assert_eq!((up[0].as_str(), up[COUNT].as_str()), ("ready", "up"));
        init.go();
        let mut named = HashSet::new();
        for _ in 0..10 {
            let line = init.warning();
            says(&line, &["leftover pid ", "(`worker-", "ignores SIGTERM"]);
            named.insert(line.split(['(', ')']).nth(1).expect("a name").to_owned());
        }
        assert_eq!(named.len(), 10, "{named:?}");
        says(&init.warning(), &[" s after SIGTERM: 40 more processes are still there"]);
        let ended = init.end();
        assert_eq!(ended.exit, Exit::Code(3), "{place:?}");
        assert!(warnings(&ended).iter().all(|line| line.contains("; killing ")), "{:?}", ended.stderr);
    }
    scene.nothing_is_left();
}

#[test]
fn processes_of_one_name_share_a_line() {
    let scene = Scene::new();
    let worker = "fork setsid ignore TERM,HUP, say up, wait, end, ";
    let verbs = format!("{} ready, read, exit 3", worker.repeat(50));
    for place in EVERYWHERE {
        let mut init = scene.supervise().place(place).options(&["--leftover-grace", "10s"]).probe(&verbs).spawn();
        let up = (0..51).filter(|_| init.line() == "up").count();
        assert_eq!(up, 50);
        init.go();
        says(&init.warning(), &["leftover pid ", "ignores SIGTERM", "; the same with pid ", " and 46 more: "]);
        let ended = init.end();
        assert_eq!(ended.exit, Exit::Code(3), "{place:?}");
        assert!(warnings(&ended).iter().all(|line| line.contains("; killing ")), "{:?}", ended.stderr);
    }
    scene.nothing_is_left();
}

#[test]
fn who_came_from_outside_is_said_to_have() {
    if !nix::unistd::geteuid().is_root() {
        return skip("only root may enter a namespace from outside");
    }
    let scene = Scene::new();
    // A leftover holds the end up, or nobody would look at the other one.
    let verbs = "fork setsid block TERM, ready, await TERM, read, end, read, exit 3";
    let mut init = scene.supervise().place(Place::Pid1).options(&TIME_TO_ACT).probe(verbs).spawn();
    init.expect("ready");
    let mut enter = scene.command("nsenter");
    enter.args(["--pid", "--target", &init.pid().to_string()]).arg(harness::probe());
    enter.args(["ignore", "TERM,HUP", "say", "inside", "wait"]);
    enter.stdout(Stdio::piped());
    let mut inside = Running::start(&scene, enter, 0, Path::new("nsenter"));
    inside.expect("inside");
    init.go();
    says(&init.warning(), &["leftover pid ", "handles SIGTERM and is still at work"]);
    let line = init.warning();
    says(&line, &["(`probe ignore TERM,HUP ", "came from outside (docker exec, nsenter) and is not waited for: "]);
    let entered = proc::children(inside.outer_pid())[0];
    says(&line, &[&format!("pid {} (", proc::inner_pid(entered).expect("it lives"))]);
    // It holds nothing up: what does is the leftover.
    assert!(proc::state(entered).is_some());
    init.go();
    let ended = init.end();
    assert_eq!((ended.exit, warnings(&ended)), (Exit::Code(3), vec![]));
}

#[test]
fn a_leftover_that_was_stopped_again_is_continued_by_hand() {
    let scene = Scene::new();
    // It was told, and continued, before it stopped.
    let verbs = "fork setsid block TERM,CONT, ready, await TERM, await CONT, unblock CONT, raise STOP 1, say on, end, read, exit 3";
    for place in EVERYWHERE {
        let mut init = scene.supervise().place(place).options(&TIME_TO_ACT).probe(verbs).spawn();
        init.expect("ready");
        let main = init.main_pid();
        let worker = proc::children(main)[0];
        let inner = proc::inner_pid(worker).expect("it lives");
        init.go();
        let line = init.warning();
        says(
            &line,
            &[
                &format!("leftover pid {inner} ("),
                "is stopped and cannot act on SIGTERM",
                &format!(": continue it (kill -CONT {inner})"),
            ],
        );
        send(worker, libc::SIGCONT, 1);
        init.expect("on");
        let ended = init.end();
        assert_eq!((ended.exit, warnings(&ended)), (Exit::Code(3), vec![]), "{place:?}");
    }
    scene.nothing_is_left();
}
