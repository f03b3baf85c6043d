//! What those who run a container hear of its command's readiness.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::images::TINY;
use crate::runner::Outcome;
use crate::sandbox::{failed, succeed};
use crate::world::{World, scratch};

/// How long podman may take for one step.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn podman_says_that_it_is_ready_when_the_command_is(world: &World) -> Outcome {
    let podman = world.podman_with_tiny()?;
    let path = scratch().join("notify");
    let _ = fs::remove_file(&path);
    let socket = UnixDatagram::bind(&path).map_err(failed)?;
    fs::set_permissions(&path, Permissions::from_mode(0o666)).map_err(failed)?;
    socket.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    let name = "supervise-readiness";
    let mut run = podman.run_alone();
    run.args(["--detach", "--name", name, "--sdnotify=container", "--log-driver=k8s-file", "--entrypoint=/supervise"]);
    run.args([TINY, "-v", "--ready", "file:/tmp/up", "--", "sleep", "1000"]);
    run.env("NOTIFY_SOCKET", &path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let run = run.spawn().map_err(failed)?;
    let end = Instant::now() + PATIENCE;
    let is_tried = || {
        let logs = podman.command("logs").arg(name).output();
        logs.is_ok_and(|logs| String::from_utf8_lossy(&logs.stderr).contains("file:/tmp/up is not ready"))
    };
    while !is_tried() {
        assert!(Instant::now() < end, "it is not tried whether the command is ready");
    }
    // It names its monitor, and says no more until the command does.
    socket.set_nonblocking(true).map_err(failed)?;
    let mut text = [0; 4096];
    while let Ok(count) = socket.recv(&mut text) {
        let early = String::from_utf8_lossy(text.get(..count).unwrap_or_default());
        assert!(!early.contains("READY"), "{early}");
    }
    socket.set_nonblocking(false).map_err(failed)?;
    succeed(podman.command("exec").args([name, "sh", "-c", ">/tmp/up"]))?;
    let ended = run.wait_with_output().map_err(failed)?;
    assert!(ended.status.success(), "{ended:?}");
    let mut heard = String::new();
    while !heard.contains("READY=1") {
        let count = socket.recv(&mut text).map_err(failed)?;
        heard.push_str(&String::from_utf8_lossy(text.get(..count).unwrap_or_default()));
        heard.push('\n');
    }
    succeed(podman.command("rm").args(["--force", "--time=10", name]))?;
    fs::remove_file(&path).map_err(failed)
}
