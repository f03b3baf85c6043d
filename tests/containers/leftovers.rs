//! What is still running when the command has ended, and what it has no claim to hold up.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::docker::Ended;
use crate::images::TINY;
use crate::runner::{Outcome, Trouble};
use crate::sandbox::failed;
use crate::world::World;

/// A command with two workers. It ends with 3 on SIGTERM, which is a stop, and on SIGUSR1, which is
/// not. A worker ignores SIGUSR1, which some inits send to all. Told to end, it waits for the
/// command's end first and then has something to finish.
const WORKERS: &str = r#"
worker() {
    trap finish TERM
    trap '' USR1
    echo ready
    while :; do sleep 1000 & wait; done
}
finish() {
    while kill -0 $$ 2>/dev/null; do :; done
    i=0
    while [ $i -lt 50000 ]; do i=$((i + 1)); done
    echo saved
    exit 0
}
worker &
worker &
trap 'exit 3' TERM USR1
echo ready
wait
"#;

const OURS: &[&str] = &[TINY];
const TINI: &[&str] = &["--entrypoint=/tini", TINY, "--"];
const LOCKED: &[&str] =
    &["--read-only", "--user=12345:12345", "--cap-drop=ALL", "--security-opt=no-new-privileges", TINY];

pub(crate) fn background_workers_finish_after_the_command_has_ended(world: &World) -> Outcome {
    assert_saved(&end_by_signal(world, OURS, "USR1")?, 2);
    Ok(())
}

pub(crate) fn a_stop_lets_background_workers_finish(world: &World) -> Outcome {
    assert_saved(&end_by_stop(world, OURS)?, 2);
    Ok(())
}

pub(crate) fn a_stop_lets_them_finish_without_any_privilege(world: &World) -> Outcome {
    assert_saved(&end_by_stop(world, LOCKED)?, 2);
    Ok(())
}

/// What the cases above are worth: the same containers with another init.
pub(crate) fn tini_kills_background_workers(world: &World) -> Outcome {
    assert_saved(&end_by_signal(world, TINI, "USR1")?, 0);
    assert_saved(&end_by_stop(world, TINI)?, 0);
    Ok(())
}

pub(crate) fn a_debug_shell_does_not_hold_up_a_stop(world: &World) -> Outcome {
    let docker = world.docker_with_tiny()?;
    // Were it waited for, docker would have to kill.
    let patience = "--env=SUPERVISE_LEFTOVER_GRACE=1h";
    let mut container = docker.run(&[patience, TINY, "sh", "-c", "echo ready; exec sleep 1000"])?;
    container.wait_for("ready", 1)?;
    let script = "trap '' TERM HUP INT; echo attached to $PPID; exec cat";
    let mut shell = docker
        .command(["exec", "--interactive", &container.name, "sh", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let mut output = BufReader::new(shell.stdout.take().ok_or("no stdout").map_err(failed)?);
    let mut line = String::new();
    output.read_line(&mut line).map_err(failed)?;
    assert_eq!(line, "attached to 0\n");
    container.begin_stop(&["--time=30"]).wait()?;
    let ended = container.wait()?;
    shell.wait().map_err(failed)?;
    assert_eq!(ended.code, Some(143), "{ended:?}");
    Ok(())
}

pub(crate) fn end_by_signal(world: &World, image: &[&str], signal: &str) -> Result<Ended, Trouble> {
    let mut container = world.docker_with_tiny()?.run(&[image, &["sh", "-c", WORKERS]].concat())?;
    container.wait_for("ready", 3)?;
    container.kill(signal)?;
    container.wait()
}

pub(crate) fn end_by_stop(world: &World, image: &[&str]) -> Result<Ended, Trouble> {
    let mut container = world.docker_with_tiny()?.run(&[image, &["sh", "-c", WORKERS]].concat())?;
    container.wait_for("ready", 3)?;
    container.stop()?;
    container.wait()
}

pub(crate) fn assert_saved(ended: &Ended, workers: usize) {
    assert_eq!((ended.code, ended.count("saved")), (Some(3), workers), "{ended:?}");
}
