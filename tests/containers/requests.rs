//! Requests for a shutdown in docker and podman, with the capabilities that these give: the experiment that began it all, and
//! what the engines themselves send.

use std::process::{Command, Stdio};

use crate::docker::Docker;
use crate::images::{BOOKWORM, TINY, bookworm_root};
use crate::podman::Podman;
use crate::runner::{Outcome, Trouble};
use crate::sandbox::{failed, succeed};
use crate::world::{World, supervise};

/// What systemd's clients say where nothing is offered: each time that they find no systemd, and at the end.
const NOT_BOOTED: &str = "System has not been booted with systemd as init system (PID 1). Can't operate.\n\
                          Failed to connect to bus: Host is down\n";
const NO_INIT: &str = "Failed to talk to init daemon: Host is down\n";

/// As people use the image: the clients by PATH, or in place of the package's.
const BY_PATH: &str = r#"RUN ["supervise", "shims"]
ENTRYPOINT ["supervise", "--"]"#;
const BY_THEIR_PATHS: &str = r#"RUN ["supervise", "shims", "--divert"]"#;

const SERVICE: &str =
    "trap 'echo told; exit 0' TERM; trap 'echo hup' HUP; echo ready; while :; do sleep 1000 & wait; done";

/// What a client in a container says, on both its outputs, and its code.
fn typed(mut command: Command, words: &[&str]) -> Result<(Option<i32>, String), Trouble> {
    let output = command.args(words).output().map_err(failed)?;
    let text = [output.stdout, output.stderr].concat();
    Ok((output.status.code(), String::from_utf8_lossy(&text).into_owned()))
}

/// What was there before, typed by `exec`, in a container whose process 1 offers nothing.
fn fails_before(exec: impl Fn() -> Command) -> Outcome {
    assert_eq!(typed(exec(), &["poweroff"])?, (Some(1), format!("{NOT_BOOTED}{NOT_BOOTED}{NO_INIT}")));
    // Without a time it is in a minute, which logind would have to know.
    assert_eq!(typed(exec(), &["shutdown", "--halt"])?, (Some(1), NOT_BOOTED.to_owned()));
    assert_eq!(typed(exec(), &["true"])?, (Some(0), String::new()), "it runs on");
    Ok(())
}

/// What is there afterwards, but for the end itself.
fn works_after(exec: impl Fn() -> Command) -> Outcome {
    let (code, said) = typed(exec(), &["shutdown", "--halt", "+2", "back soon"])?;
    assert_eq!((code, said.starts_with("Shutdown scheduled for ")), (Some(0), true), "{said}");
    assert_eq!(typed(exec(), &["shutdown", "-c"])?, (Some(0), String::new()));
    assert_eq!(typed(exec(), &["shutdown", "--halt", "now"])?, (Some(0), String::new()));
    Ok(())
}

/// Builds an image of bookworm with supervise and these lines.
fn build(world: &World, image: &str, lines: &str) -> Result<(), Trouble> {
    world.docker_with_tiny()?;
    let copy = format!("COPY --from={TINY} /supervise /usr/local/bin/supervise");
    world.docker_with_bookworm()?.build(image, &format!("FROM {BOOKWORM}\n{copy}\n{lines}\n"))
}

pub(crate) fn the_experiment_in_docker(world: &World) -> Outcome {
    const IMAGE: &str = "supervise-test/bookworm-by-path";
    let docker = world.docker_with_bookworm()?;
    let exec = |name: &str| docker.command(["exec", name]);
    {
        let mut before = docker.run(&[BOOKWORM, "sh", "-c", SERVICE])?;
        before.wait_for("ready", 1)?;
        fails_before(|| exec(&before.name))?;
    }
    build(world, IMAGE, BY_PATH)?;
    let mut after = docker.run(&[IMAGE, "sh", "-c", SERVICE])?;
    after.wait_for("ready", 1)?;
    works_after(|| exec(&after.name))?;
    let ended = after.wait()?;
    assert_eq!((ended.code, ended.lines("told")), (Some(0), 1), "{ended:?}");
    assert_eq!(ended.count("a halt is cancelled"), 1, "{ended:?}");
    assert_eq!(ended.count("halt asked for by shutdown (pid "), 1, "{ended:?}");
    // And with the word that the experiment began with.
    let mut after = docker.run(&[IMAGE, "sh", "-c", SERVICE])?;
    after.wait_for("ready", 1)?;
    assert_eq!(typed(exec(&after.name), &["poweroff"])?, (Some(0), String::new()));
    let ended = after.wait()?;
    assert_eq!((ended.code, ended.count("poweroff asked for by poweroff")), (Some(0), 1), "{ended:?}");
    Ok(())
}

pub(crate) fn the_experiment_in_docker_by_absolute_paths(world: &World) -> Outcome {
    const IMAGE: &str = "supervise-test/bookworm-by-their-paths";
    let docker = world.docker_with_bookworm()?;
    build(world, IMAGE, BY_THEIR_PATHS)?;
    for words in [
        &["/sbin/poweroff"][..],
        &["/usr/sbin/shutdown", "-h", "now"],
        &["/sbin/init", "0"],
        &["/bin/systemctl", "halt"],
    ] {
        // As process 1 the same file is the init.
        let mut container = docker.run(&[IMAGE, "/sbin/init", "--", "sh", "-c", SERVICE])?;
        container.wait_for("ready", 1)?;
        assert_eq!(typed(docker.command(["exec", &container.name]), words)?, (Some(0), String::new()), "{words:?}");
        let ended = container.wait()?;
        assert_eq!((ended.code, ended.lines("told")), (Some(0), 1), "{words:?}: {ended:?}");
    }
    Ok(())
}

/// A container of podman's, removed when this is dropped.
struct Container<'p> {
    podman: &'p Podman,
    name: &'static str,
}

impl<'p> Container<'p> {
    /// Starts it, and waits until its service runs; `words` are those of `podman run`.
    fn start(podman: &'p Podman, name: &'static str, words: &[&str]) -> Result<Container<'p>, Trouble> {
        let mut run = podman.run_alone();
        run.args(["--detach", "--name", name]).args(words).args(["sh", "-c", SERVICE]);
        let container = Container { podman, name };
        succeed(&mut run)?;
        let until = r#"until podman "$@" | grep -q ready; do :; done"#;
        container.loops(until, &["logs"])?;
        Ok(container)
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = self.podman.command(verb);
        command.arg(self.name);
        command
    }

    /// A script in which `podman "$@"` is `verb` of this container; the sandbox ends it if it takes too long.
    fn loops(&self, script: &str, verb: &[&str]) -> Outcome {
        let (first, options) = verb.split_first().ok_or("no verb").map_err(failed)?;
        let podman = self.podman.command(first);
        let words: Vec<_> = podman.get_args().collect();
        // What stands before `podman` itself brings it into the sandbox.
        let at = words.iter().position(|word| *word == "podman").ok_or("no podman").map_err(failed)?;
        let mut shell = Command::new(podman.get_program());
        shell.args(&words[..at]).args(["sh", "-c", script, "sh"]).args(&words[at + 1..]).args(options).arg(self.name);
        succeed(shell.stdin(Stdio::null())).map(drop)
    }

    /// Waits for its end: its code, and all that it and supervise have said.
    fn end(&self) -> Result<(String, String), Trouble> {
        let code = succeed(&mut self.command("wait"))?;
        let logs = self.command("logs").output().map_err(failed)?;
        let text = [logs.stdout, logs.stderr].concat();
        Ok((code.trim().to_owned(), String::from_utf8_lossy(&text).into_owned()))
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        drop(self.podman.command("rm").args(["--force", "--time=0", self.name]).output());
    }
}

pub(crate) fn the_experiment_in_podman(world: &World) -> Outcome {
    let podman = world.podman_with_tiny()?;
    // In memory, and gone with the container.
    let root = format!("{}:O", bookworm_root()?.display());
    let before = Container::start(podman, "before", &["--rootfs", &root])?;
    fails_before(|| before.command("exec"))?;
    let volume = format!("{}:/usr/local/bin/supervise:ro", supervise().display());
    let after = Container::start(podman, "after", &["--volume", &volume, "--rootfs", &root, "supervise", "--"])?;
    succeed(after.command("exec").args(["supervise", "shims"]))?;
    works_after(|| after.command("exec"))?;
    let (code, log) = after.end()?;
    assert_eq!((&*code, log.matches("told").count()), ("0", 1), "{log}");
    assert_eq!(log.matches("halt asked for by shutdown (pid ").count(), 1, "{log}");
    Ok(())
}

/// The stop signal of systemd's images.
pub(crate) fn sigrtmin_3_stops_all(world: &World) -> Outcome {
    let docker = world.docker_with_tiny()?;
    let mut container = docker.run(&["--stop-signal=SIGRTMIN+3", TINY, "sh", "-c", SERVICE])?;
    container.wait_for("ready", 1)?;
    container.kill("HUP")?;
    container.wait_for("hup", 1)?;
    container.stop()?;
    let ended = container.wait()?;
    assert_eq!((ended.code, ended.lines("told")), (Some(0), 1), "{ended:?}");
    assert_eq!(ended.count("halt asked for from outside by SIGRTMIN+3"), 1, "{ended:?}");

    let podman = world.podman_with_tiny()?;
    let container = Container::start(podman, "rtmin", &["--stop-signal=SIGRTMIN+3", TINY, "/supervise", "--"])?;
    succeed(container.command("kill").arg("--signal=HUP"))?;
    container.loops(r#"until podman "$@" | grep -q hup; do :; done"#, &["logs"])?;
    halted_by_podman(&container)
}

fn halted_by_podman(container: &Container) -> Outcome {
    succeed(&mut container.command("stop"))?;
    let (code, log) = container.end()?;
    assert_eq!((&*code, log.matches("told").count()), ("0", 1), "{log}");
    assert_eq!(log.matches("halt asked for from outside by SIGRTMIN+3").count(), 1, "{log}");
    Ok(())
}

/// podman takes that for systemd: it stops by SIGRTMIN+3, and mounts a /run of its own.
pub(crate) fn podman_takes_sbin_init_for_systemd(world: &World) -> Outcome {
    let podman = world.podman_with_tiny()?;
    let container = Container::start(podman, "init", &[TINY, "/sbin/init", "--"])?;
    let mounts = succeed(container.command("exec").args(["cat", "/proc/mounts"]))?;
    assert!(mounts.lines().any(|line| line.starts_with("tmpfs /run tmpfs ")), "{mounts}");
    let ours = succeed(container.command("exec").args(["ls", "/run/initctl", "/run/supervise/ctl"]))?;
    assert_eq!(ours.lines().count(), 2, "{ours}");
    halted_by_podman(&container)
}

/// `docker run --entrypoint /sbin/init`, of a file that is called so.
pub(crate) fn docker_runs_sbin_init_as_the_init(world: &World) -> Outcome {
    let docker: &Docker = world.docker_with_tiny()?;
    let mut container = docker.run(&["--entrypoint=/sbin/init", "--tmpfs=/run", TINY, "--", "sh", "-c", SERVICE])?;
    container.wait_for("ready", 1)?;
    // Beside process 1 it asks that.
    assert_eq!(typed(docker.command(["exec", &container.name]), &["/sbin/init", "0"])?, (Some(0), String::new()));
    let ended = container.wait()?;
    assert_eq!((ended.code, ended.count("poweroff asked for by init")), (Some(0), 1), "{ended:?}");
    Ok(())
}
