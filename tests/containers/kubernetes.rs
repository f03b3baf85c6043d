//! What a kubelet does: SIGTERM, thirty seconds, and a file for the last message; and a limit of memory.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use crate::catalogue::BUSY_NGINX;
use crate::docker::Container;
use crate::images::{DEBIAN, TINY};
use crate::runner::{Outcome, Trouble};
use crate::sandbox::failed;
use crate::service::{Process1, start};
use crate::world::{World, new_directory};

/// What a kubelet keeps of the file.
const LARGEST: usize = 4096;

/// Needs longer than docker's ten seconds, and leaves a worker that needs longer than a second.
const DRAIN: &str = r#"
worker() {
    trap 'sleep 2; echo saved; exit' TERM
    echo ready
    while :; do sleep 1000 & wait; done
}
trap 'sleep 10; echo drained; exit 0' TERM
worker &
echo ready
wait
"#;

pub(crate) fn a_delay_keeps_a_service_open_until_a_second_request(world: &World) -> Outcome {
    // It is the second request that ends it, and not the time.
    let variables = ["SUPERVISE_DELAY=1h", "SUPERVISE_STOP_SIGNAL=QUIT", "SUPERVISE_LOG=debug"];
    let mut running = start(world, &BUSY_NGINX, Process1::Injected(&variables))?;
    running.container.kill("TERM")?;
    running.container.wait_for("a stop was asked for; waiting", 1)?;
    assert!(running.shared.request()?.answer()?, "during the delay");
    running.container.kill("TERM")?;
    let answered = running.dismiss()?;
    let ended = running.container.wait_for_end()?;
    assert_eq!((ended.code, answered), (Some(0), true), "{ended:?}");
    Ok(())
}

pub(crate) fn a_long_drain_and_what_it_leaves_have_their_time(world: &World) -> Outcome {
    let docker = world.docker_with_tiny()?;
    let mut container = docker.run(&["--env=SUPERVISE_GRACE=25s", TINY, "sh", "-c", DRAIN])?;
    container.wait_for("ready", 2)?;
    container.begin_stop(&["--time=30"]).wait()?;
    let ended = container.wait()?;
    assert_eq!((ended.code, ended.count("drained"), ended.count("saved")), (Some(0), 1, 1), "{ended:?}");
    Ok(())
}

pub(crate) fn the_exit_report_is_the_termination_message(world: &World) -> Outcome {
    let script = ["sh", "-c", "trap 'exit 7' TERM; echo ready; sleep 1000 & wait"];
    let report = termination_message(world, &script, |container| {
        container.wait_for("ready", 1)?;
        container.stop().map(drop)
    })?;
    assert_eq!((&report["main"]["code"], &report["exit"]["code"]), (&7.into(), &7.into()), "{report}");
    assert_eq!(
        (&report["stop"]["signal"], &report["stop"]["from"]),
        (&"SIGTERM".into(), &"outside".into()),
        "{report}"
    );

    // The message of a container that never came up.
    let report = termination_message(world, &["no-such-program"], |_| Ok(()))?;
    assert!(report["not_started"].as_str().is_some_and(|reason| reason.contains("no-such-program")), "{report}");
    Ok(())
}

/// What a container with so few rights leaves in the file that a kubelet mounts into it.
fn termination_message(
    world: &World,
    command: &[&str],
    end: impl FnOnce(&mut Container) -> Outcome,
) -> Result<serde_json::Value, Trouble> {
    let file = new_directory("termination")?.join("log");
    fs::write(&file, "").map_err(failed)?;
    fs::set_permissions(&file, Permissions::from_mode(0o666)).map_err(failed)?;
    let volume = format!("{}:/dev/termination-log", file.display());
    let options = ["--volume", &volume, "--read-only", "--user=12345:12345", "--cap-drop=ALL"];
    let image = ["--env=SUPERVISE_EXIT_REPORT=/dev/termination-log", TINY];
    let mut container = world.docker_with_tiny()?.run(&[&options[..], &image, command].concat())?;
    end(&mut container)?;
    let ended = container.wait()?;
    let report = fs::read_to_string(&file).map_err(failed)?;
    assert!(report.len() <= LARGEST, "{} bytes", report.len());
    serde_json::from_str(&report).map_err(|error| failed(format!("{error}: {report}\n{ended:?}")))
}

pub(crate) fn a_program_killed_for_memory_is_explained(world: &World) -> Outcome {
    let docker = world.docker_with_debian()?;
    let limits = ["--memory=32m", "--memory-swap=32m", "--init", "--entrypoint=python3"];
    // The kernel's doing, and somebody else's.
    for (program, explained) in [("b'x' * (256 << 20)", 1), ("import signal; signal.raise_signal(9)", 0)] {
        let ended = docker.run_to_end(&[&limits[..], &[DEBIAN, "-c", program]].concat())?;
        assert_eq!((ended.code, ended.count("want of memory")), (Some(137), explained), "{program}: {ended:?}");
    }
    Ok(())
}
