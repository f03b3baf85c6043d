//! The init that an engine puts into any image: `docker run --init`, which calls it `docker-init`, so that it is tini,
//! and `podman run --init`, which calls it by no name that means anything.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use crate::images::TINY;
use crate::leftovers;
use crate::podman::Podman;
use crate::runner::Outcome;
use crate::sandbox::{failed, succeed};
use crate::world::{World, inits, new_directory};

/// Says what process 1 is called, leaves an orphan that dies, and waits for it to be reaped.
pub(crate) const SHOW: &str = r#"
cat /proc/1/cmdline
sh -c 'sh -c "echo \$\$ >/tmp/pid" &'
until [ -s /tmp/pid ]; do :; done
while [ -e "/proc/$(cat /tmp/pid)" ]; do :; done
echo " reaped"
exit 7
"#;
const WAIT: &str = "echo ready; exec sleep 1000";

/// A command and a worker in its group, which say so when they are told.
const GROUP: &str = r#"
tell() {
    trap "echo $1 told" USR1
    echo ready
    while :; do sleep 1000 & wait; done
}
tell worker &
tell main
"#;

const INJECTED: &[&str] = &["--init", "--entrypoint=/bin/busybox", TINY];
const STRICT: &[&str] = &["--init", "--env=SUPERVISE_STRICT=1", "--entrypoint=/bin/busybox", TINY];

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
    Ok(())
}

pub(crate) fn docker_info_shows_its_version_and_warns_of_nothing(world: &World) -> Outcome {
    let docker = world.docker_with_tiny()?;
    let output = docker.command(["info"]).output().map_err(failed)?;
    let (info, warnings) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let version = env!("CARGO_PKG_VERSION").replace('.', "_");
    let line = format!("init version: supervise-{version}");
    assert!(info.lines().any(|said| said.trim() == line), "{info}");
    assert!(!info.contains("N/A") && !warnings.contains("init"), "{info}\n{warnings}");
    // What it takes for tini's own version.
    let seen = docker.ask(["version", "--format={{range .Server.Components}}{{.Name}} {{.Version}} {{end}}"])?;
    assert!(seen.contains("docker-init 0.19.0 "), "{seen}");
    let log = docker.log()?;
    let warning = log.lines().find(|line| line.contains("level=warning") && line.contains("docker-init"));
    assert_eq!(warning, None);
    Ok(())
}

/// The first lines and the codes, of an init of that name and of the original.
pub(crate) fn docker_run_init_has_tinis_codes_and_texts(world: &World) -> Outcome {
    let docker = world.docker_with_tiny()?;
    let cases: [(&[&str], i32, &str); 9] = [
        (&["sh", "-c", "exit 0"], 0, ""),
        (&["sh", "-c", "exit 7"], 7, ""),
        (&["sh", "-c", "kill -TERM $$"], 143, ""),
        (&["sh", "-c", "kill -KILL $$"], 137, ""),
        (&["sh", "-c", "kill -35 $$"], 163, ""),
        (&["no-such-program"], 127, "exec no-such-program failed: No such file or directory"),
        (&["/no/such/program"], 127, "exec /no/such/program failed: No such file or directory"),
        (&["/etc"], 126, "exec /etc failed: Permission denied"),
        (&["/etc/plain-file"], 126, "exec /etc/plain-file failed: Permission denied"),
    ];
    for (words, code, text) in cases {
        let (program, rest) = words.split_first().ok_or("no words").map_err(failed)?;
        let entrypoint = format!("--entrypoint={program}");
        let ours = docker.run_to_end(&[&["--init", &entrypoint, TINY], rest].concat())?;
        let theirs = docker.run_to_end(&[&["--entrypoint=/tini", TINY, "--"], words].concat())?;
        assert_eq!((ours.code, theirs.code), (Some(code), Some(code)), "{words:?}: {ours:?} {theirs:?}");
        // The number in it is that of the child with theirs.
        let said =
            |output: &str| output.lines().next().map(|line| line.replace(|letter: char| letter.is_ascii_digit(), ""));
        assert_eq!(said(&ours.output), said(&theirs.output), "{words:?}: {ours:?} {theirs:?}");
        assert!(ours.output.contains(text), "{words:?}: {ours:?}");
    }
    Ok(())
}

pub(crate) fn docker_run_init_takes_tinis_variables(world: &World) -> Outcome {
    let docker = world.docker_with_tiny()?;
    let ended = docker.run_to_end(&[
        "--init",
        "--env=TINI_VERBOSITY=3",
        "--entrypoint=sh",
        TINY,
        "-c",
        "echo hello; exit 7",
    ])?;
    assert_eq!((ended.code, ended.lines("hello")), (Some(7), 1), "{ended:?}");
    for line in [
        "[INFO  tini (1)] Spawned child process 'sh' with pid '",
        "[DEBUG tini (1)] Received SIGCHLD",
        "[DEBUG tini (1)] Reaped child with pid: '",
        "[INFO  tini (1)] Main child exited normally (with status '7')",
    ] {
        assert_eq!(ended.count(line), 1, "{line}: {ended:?}");
    }

    for (variable, told) in [("--env=OTHER=1", 1), ("--env=TINI_KILL_PROCESS_GROUP=1", 2)] {
        let mut container = docker.run(&["--init", variable, "--entrypoint=sh", TINY, "-c", GROUP])?;
        container.wait_for("ready", 2)?;
        container.kill("USR1")?;
        container.wait_for("told", told)?;
        container.stop()?;
        let ended = container.wait()?;
        assert_eq!((ended.code, ended.count("told")), (Some(143), told), "{variable}: {ended:?}");
        assert_eq!(ended.lines("main told"), 1, "{variable}: {ended:?}");
    }
    Ok(())
}

pub(crate) fn docker_run_init_lets_background_workers_finish(world: &World) -> Outcome {
    leftovers::assert_saved(&leftovers::end_by_signal(world, INJECTED, "USR1")?, 2);
    leftovers::assert_saved(&leftovers::end_by_stop(world, INJECTED)?, 2);
    Ok(())
}

pub(crate) fn docker_run_init_kills_them_where_strictness_is_asked_for(world: &World) -> Outcome {
    leftovers::assert_saved(&leftovers::end_by_signal(world, STRICT, "USR1")?, 0);
    leftovers::assert_saved(&leftovers::end_by_stop(world, STRICT)?, 0);
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

    assert_ours(podman.run(), "--init-path")
}

/// Whatever the file is called: in the container it is `podman-init`.
pub(crate) fn podman_takes_it_by_a_link_and_from_its_settings(world: &World) -> Outcome {
    let podman = world.podman_with_tiny()?;
    let link = inits().join("catatonit");
    let mut by_link = podman.run_alone();
    by_link.arg("--init").arg("--init-path").arg(&link);
    assert_ours(by_link, "a link")?;

    let settings = new_directory("settings")?.join("containers.conf");
    fs::write(&settings, format!("[containers]\ninit_path = \"{}\"\n", link.display())).map_err(failed)?;
    let mut by_settings = podman.run_alone();
    by_settings.arg("--init").env("CONTAINERS_CONF", settings);
    assert_ours(by_settings, "containers.conf")?;
    assert_podmans_own(podman)
}

/// Asks for a program that there is not, to hear who says so.
fn assert_ours(mut run: Command, how: &str) -> Outcome {
    let output = run.args(["--rm", TINY, "no-such-program"]).output().map_err(failed)?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(127), "{how}: {output:?}");
    assert!(said.starts_with("supervise: cannot run no-such-program: "), "{how}: {output:?}");
    Ok(())
}

/// What the cases above are worth: the same with nothing said about the init.
fn assert_podmans_own(podman: &Podman) -> Outcome {
    let output = podman.run_alone().args(["--rm", "--init", TINY, "no-such-program"]).output().map_err(failed)?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(said.starts_with("ERROR (catatonit:"), "{output:?}");
    Ok(())
}
