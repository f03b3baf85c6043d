//! Stops of real services, and what they need besides SIGTERM.

use crate::catalogue::{
    BUSY_GUNICORN, BUSY_NGINX, BUSY_SHELL_FORM, DRAINING_NODE, NPM, PLAIN_NODE, SHELL_FORM, VISITED_POSTGRES,
};
use crate::images::DEBIAN;
use crate::runner::{Outcome, Trouble};
use crate::service::{Process1, Service, Stop, Visitor, start, start_image};
use crate::world::World;

const OURS: Process1 = Process1::Init("/supervise", &[]);
const TINI: Process1 = Process1::Init("tini", &[]);
const GROUP: Process1 = Process1::Injected(&["SUPERVISE_KILL_MODE=group"]);
const QUIT: Process1 = Process1::Injected(&["SUPERVISE_STOP_SIGNAL=QUIT"]);
/// So that the end by SIGKILL, where it is expected, does not take docker's ten seconds.
const SHORT: &[&str] = &["--time=1"];

pub(crate) fn nginx_answers_what_is_in_flight_when_it_gets_quit(world: &World) -> Outcome {
    let stop = start(world, &BUSY_NGINX, TINI)?.stop(&[])?;
    assert_eq!((stop.ended.code, stop.answered), (Some(0), false), "{stop:?}");
    let stop = start(world, &BUSY_NGINX, QUIT)?.stop(&[])?;
    assert_eq!((stop.ended.code, stop.answered), (Some(0), true), "{stop:?}");
    Ok(())
}

pub(crate) fn postgres_with_an_idle_client_ends_by_the_second_rung(world: &World) -> Outcome {
    // What SIGTERM alone comes to: it waits for its client, is killed, and has to recover.
    let [stop, next] = stop_twice(world, TINI, SHORT)?;
    assert_eq!(stop.ended.code, Some(137), "{stop:?}");
    assert_eq!(stop.ended.count("database system is shut down"), 0, "{stop:?}");
    assert_eq!(next.ended.count("automatic recovery in progress"), 1, "{next:?}");

    let ladder = Process1::Init("/supervise", &["--stop-signal", "TERM:500ms,INT:8s,KILL"]);
    let [stop, next] = stop_twice(world, ladder, &[])?;
    assert_eq!(stop.ended.code, Some(0), "{stop:?}");
    assert_eq!(stop.ended.count("received smart shutdown request"), 1, "{stop:?}");
    assert_eq!(stop.ended.count("received fast shutdown request"), 1, "{stop:?}");
    assert_eq!(stop.ended.count("database system is shut down"), 1, "{stop:?}");
    assert_eq!(next.ended.count("automatic recovery in progress"), 0, "{next:?}");
    Ok(())
}

/// Stops it, starts it with the same data, and stops it without the client.
fn stop_twice(world: &World, process_1: Process1, options: &[&str]) -> Result<[Stop; 2], Trouble> {
    let mut running = start(world, &VISITED_POSTGRES, process_1)?;
    let first = running.stop(options)?;
    running.start_again()?;
    Ok([first, running.stop(&[])?])
}

pub(crate) fn gunicorn_answers_on_term_and_not_on_quit(world: &World) -> Outcome {
    let stop = start(world, &BUSY_GUNICORN, OURS)?.stop(&[])?;
    assert_eq!((stop.ended.code, stop.answered), (Some(0), true), "{stop:?}");
    // What is right for nginx is wrong here.
    let service = Service { visitor: Visitor::Request(&["Worker exiting"]), ..BUSY_GUNICORN };
    let stop = start(world, &service, QUIT)?.stop(&[])?;
    assert_eq!((stop.ended.code, stop.answered), (Some(0), false), "{stop:?}");
    Ok(())
}

pub(crate) fn node_ends_with_and_without_a_handler(world: &World) -> Outcome {
    // Its runtime has a handler that restores the default and raises the signal again: process 1 survives that.
    let stop = start(world, &PLAIN_NODE, Process1::Command)?.stop(SHORT)?;
    assert_eq!(stop.ended.code, Some(137), "{stop:?}");
    let stop = start(world, &PLAIN_NODE, OURS)?.stop(&[])?;
    assert_eq!(stop.ended.code, Some(143), "{stop:?}");
    let stop = start(world, &DRAINING_NODE, OURS)?.stop(&[])?;
    assert_eq!((stop.ended.code, stop.answered), (Some(0), true), "{stop:?}");
    assert_eq!(stop.ended.count("all answered"), 1, "{stop:?}");
    Ok(())
}

pub(crate) fn the_program_of_an_npm_script_saves_its_work(world: &World) -> Outcome {
    let stop = start(world, &NPM, TINI)?.stop(&[])?;
    assert_eq!((stop.ended.code, stop.ended.lines("saved")), (Some(143), 0), "{stop:?}");
    // npm ends at once, and its orphan is told and waited for.
    let stop = start(world, &NPM, OURS)?.stop(&[])?;
    assert_eq!((stop.ended.code, stop.ended.lines("saved")), (Some(143), 1), "{stop:?}");
    let stop = start(world, &NPM, GROUP)?.stop(&[])?;
    assert_eq!((stop.ended.code, stop.ended.lines("saved")), (Some(143), 1), "{stop:?}");
    Ok(())
}

pub(crate) fn a_shell_form_image_answers_what_is_in_flight(world: &World) -> Outcome {
    const IMAGE: &str = "supervise-test/shell-form";
    let docker = world.docker_with_debian()?;
    docker.build(IMAGE, &format!("FROM {DEBIAN}\nWORKDIR /shared\nCMD {SHELL_FORM}\n"))?;
    // The command is the image's own.
    let service = Service { command: &[], ..BUSY_SHELL_FORM };
    let stop = start_image(world, IMAGE, &service, Process1::Command)?.stop(SHORT)?;
    assert_eq!((stop.ended.code, stop.answered), (Some(137), false), "{stop:?}");
    let stop = start(world, &BUSY_SHELL_FORM, TINI)?.stop(&[])?;
    assert_eq!((stop.ended.code, stop.answered), (Some(143), false), "{stop:?}");
    // The shell dies of the signal, and gunicorn is told because it is left.
    let stop = start_image(world, IMAGE, &service, Process1::Injected(&[]))?.stop(&[])?;
    assert_eq!((stop.ended.code, stop.answered), (Some(143), true), "{stop:?}");
    // Both are told.
    let stop = start_image(world, IMAGE, &service, GROUP)?.stop(&[])?;
    assert_eq!((stop.ended.code, stop.answered), (Some(143), true), "{stop:?}");
    Ok(())
}

/// A shell runs its trap only when the command in its foreground has ended, and nobody tells that.
const TRAP: Service = Service {
    command: &["bash", "-c", "trap 'echo trapped; exit 3' TERM; gunicorn --bind=unix:/shared/front app:app; true"],
    ..BUSY_GUNICORN
};

pub(crate) fn a_script_that_waits_for_its_program_needs_the_group(world: &World) -> Outcome {
    // Main is killed, and then gunicorn is told because it is left.
    let stop = start(world, &TRAP, Process1::Injected(&["SUPERVISE_GRACE=10s", "SUPERVISE_LEFTOVER_GRACE=10s"]))?
        .stop(&["--time=30"])?;
    assert_eq!((stop.ended.code, stop.answered), (Some(137), true), "{stop:?}");
    assert_eq!(stop.ended.lines("trapped"), 0, "{stop:?}");
    assert_eq!(stop.ended.count("SUPERVISE_KILL_MODE=group"), 1, "the cure: {stop:?}");

    let stop = start(world, &TRAP, GROUP)?.stop(&[])?;
    assert_eq!((stop.ended.code, stop.answered), (Some(3), true), "{stop:?}");
    assert_eq!(stop.ended.lines("trapped"), 1, "{stop:?}");
    Ok(())
}
