//! `supervise wait-for` as an image's entrypoint: for a server that comes later, and until somebody stops it.

use crate::images::TINY;
use crate::runner::Outcome;
use crate::world::World;

const ENTRYPOINT: &str = "--entrypoint=/supervise";

pub(crate) fn the_command_starts_when_a_web_server_answers(world: &World) -> Outcome {
    let target = "http://localhost:8080/etc/plain-file";
    let script = "trap 'exit 5' TERM; echo started; while :; do sleep 1000 & wait; done";
    let words = ["wait-for", "-v", "--timeout", "0", "--interval", "50ms", "file:/ready", target, "--"];
    let mut container =
        world.docker_with_tiny()?.run(&[&[ENTRYPOINT, TINY], &words[..], &["sh", "-c", script]].concat())?;
    container.wait_for("file:/ready is not ready: no such file or directory", 1)?;
    container.exec("touch /ready")?;
    container.wait_for(&format!("{target} is not ready: "), 1)?;
    // The addresses of the name are those of the container's own /etc/hosts.
    container.wait_for(":8080: connection refused", 1)?;
    container.exec("busybox httpd -p 8080 -h /")?;
    container.wait_for("started", 2)?;
    container.stop()?;
    let ended = container.wait()?;
    assert_eq!(ended.code, Some(5), "{ended:?}");
    Ok(())
}

pub(crate) fn a_stop_ends_the_wait(world: &World) -> Outcome {
    let words = [ENTRYPOINT, TINY, "wait-for", "-v", "--timeout", "0", "exec:echo tried; sleep 1000"];
    for command in [&[][..], &["--", "echo", "the command"]] {
        let mut container = world.docker_with_tiny()?.run(&[&words[..], command].concat())?;
        container.wait_for("tried", 1)?;
        container.stop()?;
        // After ten seconds docker would have killed it: 137.
        let ended = container.wait()?;
        assert_eq!((ended.code, ended.lines("the command")), (Some(143), 0), "{ended:?}");
    }
    Ok(())
}

pub(crate) fn the_time_is_over_with_124(world: &World) -> Outcome {
    for command in [&[][..], &["--", "echo", "the command"]] {
        let words = [ENTRYPOINT, TINY, "wait-for", "--timeout", "1s", "unix:/run/nobody"];
        let ended = world.docker_with_tiny()?.run_to_end(&[&words[..], command].concat())?;
        assert_eq!((ended.code, ended.output.lines().count()), (Some(124), 1), "{ended:?}");
        assert!(ended.output.starts_with("supervise: unix:/run/nobody is not ready after 1s: "), "{ended:?}");
    }
    Ok(())
}
