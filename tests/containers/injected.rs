//! The init that an engine puts into any image: `docker run --init` and `podman run --init`.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use crate::images::TINY;
use crate::runner::Outcome;
use crate::sandbox::{failed, succeed};
use crate::world::World;

/// Says what process 1 is called, leaves an orphan that dies, and waits for it to be reaped.
const SHOW: &str = r#"
cat /proc/1/cmdline
sh -c 'sh -c "echo \$\$ >/tmp/pid" &'
until [ -s /tmp/pid ]; do :; done
while [ -e "/proc/$(cat /tmp/pid)" ]; do :; done
echo " reaped"
exit 7
"#;
const WAIT: &str = "echo ready; exec sleep 1000";

pub(crate) fn docker_run_init_takes_it(world: &World) -> Outcome {
    let docker = world.docker_with_tiny()?;
    let ended = docker.run_to_end(&["--init", "--entrypoint=sh", TINY, "-c", SHOW])?;
    assert_eq!(ended.code, Some(7), "{ended:?}");
    assert!(ended.output.starts_with("/sbin/docker-init\0--\0sh\0-c\0"), "{ended:?}");
    assert!(ended.output.ends_with(" reaped\n"), "{ended:?}");

    let mut container = docker.run(&["--init", "--entrypoint=sh", TINY, "-c", WAIT])?;
    container.wait_for("ready", 1)?;
    container.stop()?;
    let ended = container.wait()?;
    assert_eq!(ended.code, Some(143), "{ended:?}");

    let ended = docker.run_to_end(&["--init", "--entrypoint=no-such-program", TINY])?;
    assert_eq!(ended.code, Some(127), "{ended:?}");
    assert!(ended.output.starts_with("supervise: cannot run no-such-program: "), "{ended:?}");
    Ok(())
}

pub(crate) fn podman_run_init_takes_it(world: &World) -> Outcome {
    let podman = world.podman_with_tiny()?;
    let output = podman.run().args(["--rm", TINY, "sh", "-c", SHOW]).output().map_err(failed)?;
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    assert!(said.starts_with("/run/podman-init\0--\0sh\0-c\0") && said.ends_with(" reaped\n"), "{output:?}");

    let mut client = podman
        .run()
        .args(["--rm", "--name=stopped", TINY, "sh", "-c", WAIT])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let mut output = BufReader::new(client.stdout.take().ok_or("no stdout").map_err(failed)?);
    let mut line = String::new();
    output.read_line(&mut line).map_err(failed)?;
    assert_eq!(line, "ready\n");
    succeed(podman.command("stop").arg("stopped"))?;
    output.read_to_string(&mut line).map_err(failed)?;
    assert_eq!(client.wait().map_err(failed)?.code(), Some(143), "{line}");

    let output = podman.run().args(["--rm", TINY, "no-such-program"]).output().map_err(failed)?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(127), "{output:?}");
    assert!(said.starts_with("supervise: cannot run no-such-program: "), "{output:?}");
    Ok(())
}
