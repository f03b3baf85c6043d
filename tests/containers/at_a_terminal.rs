//! `docker run -it` and `podman run -it`: the shell in the container does job control, as it does without an init.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command};

use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::images::{DEBIAN, TINY};
use crate::renamed;
use crate::runner::{Outcome, Trouble};
use crate::sandbox::failed;
use crate::world::World;

const CTRL_C: &str = "\x03";
const CTRL_Z: &str = "\x1a";

/// An engine's client at a terminal of its own. Killed with its time limit, and when this is dropped.
struct Client {
    terminal: File,
    slave: File,
    child: Child,
    seen: String,
}

impl Client {
    fn start(command: &mut Command) -> Result<Client, Trouble> {
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).map_err(failed)?;
        grantpt(&master).map_err(failed)?;
        unlockpt(&master).map_err(failed)?;
        let name = ptsname_r(&master).map_err(failed)?;
        // Not the tests' own terminal.
        let slave = File::options().read(true).write(true).custom_flags(OFlag::O_NOCTTY.bits()).open(name);
        let slave = slave.map_err(failed)?;
        let copy = || slave.try_clone().map_err(failed);
        let child = command.stdin(copy()?).stdout(copy()?).stderr(copy()?).spawn().map_err(failed)?;
        // The command's own copies would keep the terminal open for ever.
        command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
        command.stderr(std::process::Stdio::null());
        let terminal = File::from(master.as_fd().try_clone_to_owned().map_err(failed)?);
        Ok(Client { terminal, slave, child, seen: String::new() })
    }

    /// Gives the terminal a size. The client is told as the kernel tells those who have the terminal: it is not a session's
    /// leader here.
    fn resize(&mut self, rows: u32, columns: u32) -> Outcome {
        let size = ["rows".to_owned(), rows.to_string(), "cols".to_owned(), columns.to_string()];
        let terminal = self.slave.try_clone().map_err(failed)?;
        let done = Command::new("stty").args(size).stdin(terminal).status().map_err(failed)?;
        assert!(done.success(), "stty has failed");
        let mut pids = vec![self.child.id().to_string()];
        while let Some(pid) = pids.pop() {
            let number = pid.parse().map_err(failed)?;
            kill(Pid::from_raw(number), Signal::SIGWINCH).map_err(failed)?;
            let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).map_err(failed)?;
            pids.extend(children.split_whitespace().map(str::to_owned));
        }
        Ok(())
    }

    fn press(&mut self, keys: &str) -> Outcome {
        self.terminal.write_all(keys.as_bytes()).map_err(failed)
    }

    /// Reads until the text is shown, and returns what was shown until then.
    fn up_to(&mut self, text: &str) -> Result<String, Trouble> {
        loop {
            if let Some(at) = self.seen.find(text) {
                let rest = self.seen.split_off(at + text.len());
                return Ok(std::mem::replace(&mut self.seen, rest));
            }
            let mut bytes = [0; 4096];
            // The client is killed at its time limit, so this ends.
            match self.terminal.read(&mut bytes) {
                Ok(count) if count > 0 => self.seen.push_str(&String::from_utf8_lossy(&bytes[..count])),
                _ => return Err(Trouble::Failed(format!("ended before {text:?}: {:?}", self.seen))),
            }
        }
    }

    /// The exit code of what has just brought the shell back.
    fn code(&mut self) -> Result<String, Trouble> {
        self.press("echo \"code:$?;$((40 + 2))\"\n")?;
        let seen = self.up_to(";42")?;
        Ok(seen.rsplit("code:").next().unwrap_or_default().trim_end_matches(";42").to_owned())
    }

    fn wait(&mut self) -> Result<Option<i32>, Trouble> {
        Ok(self.child.wait().map_err(failed)?.code())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // Not reaped yet, so the pid is still its own.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Uses the shell that the client leads to, as people do.
fn use_shell(mut client: Client) -> Outcome {
    client.press("echo up:$((40 + 2))\n")?;
    let seen = client.up_to("up:42")?;
    assert!(!seen.contains("job control"), "{seen}");
    for _ in 0..2 {
        client.press("sh -c 'echo up:$((40 + 2)); exec sleep 1000'\n")?;
        client.up_to("up:42")?;
        client.press(CTRL_C)?;
        assert_eq!(client.code()?, "130");
    }
    client
        .press("sh -c 'echo up:$((40 + 2)); for i in 1 2; do read -r line; echo $line:$((40 + i)); done; exit 3'\n")?;
    client.up_to("up:42")?;
    for answer in ["go:41", "go:42"] {
        client.press(CTRL_Z)?;
        client.up_to("Stopped")?;
        client.press("fg\n")?;
        // Who gets this is in the foreground.
        client.press("go\n")?;
        client.up_to(answer)?;
    }
    assert_eq!(client.code()?, "3");
    // In the background it may not read; in the foreground it gets what waits.
    client.press("sh -c 'read -r line; echo $line:$((40 + 2)); exec sleep 1000' &\n")?;
    client.press("echo shell:$((40 + 2))\n")?;
    client.up_to("shell:42")?;
    client.press("fg\n")?;
    client.press("line\n")?;
    client.up_to("line:42")?;
    client.press(CTRL_C)?;
    assert_eq!(client.code()?, "130");
    client.press("exit 7\n")?;
    assert_eq!(client.wait()?, Some(7));
    Ok(())
}

pub(crate) fn a_shell_below_the_images_entrypoint_does_job_control(world: &World) -> Outcome {
    let docker = world.docker_with_tiny()?;
    use_shell(Client::start(&mut docker.command(["run", "-it", "--rm", "--network=none", TINY, "sh"]))?)
}

pub(crate) fn a_shell_below_docker_run_init_does_job_control(world: &World) -> Outcome {
    let docker = world.docker_with_debian()?;
    let words = ["run", "-it", "--rm", "--init", "--network=none", DEBIAN, "bash", "--norc"];
    use_shell(Client::start(&mut docker.command(words))?)
}

pub(crate) fn a_shell_below_podman_run_init_does_job_control(world: &World) -> Outcome {
    let podman = world.podman_with_tiny()?;
    use_shell(Client::start(podman.run().args(["-it", "--rm", TINY, "sh"]))?)
}

pub(crate) fn a_shell_below_every_other_name_does_job_control(world: &World) -> Outcome {
    let docker = world.docker_with_debian()?;
    for (name, _) in renamed::NAMES {
        let image = renamed::make_image(world, name)?;
        let words = ["run", "-it", "--rm", "--network=none", &image, "bash", "--norc"];
        use_shell(Client::start(&mut docker.command(words))?)?;
    }
    Ok(())
}

/// The same in docker and in podman.
fn in_each_engine(world: &World, script: &str, steps: impl Fn(Client) -> Outcome) -> Outcome {
    let words = ["run", "-it", "--rm", "--network=none", TINY, "sh", "-c", script];
    steps(Client::start(&mut world.docker_with_tiny()?.command(words))?)?;
    steps(Client::start(world.podman_with_tiny()?.run().args(["-it", "--rm", TINY, "sh", "-c", script]))?)
}

pub(crate) fn ctrl_c_ends_a_plain_program(world: &World) -> Outcome {
    in_each_engine(world, "echo up:$((40 + 2)); exec sleep 1000", |mut client| {
        client.up_to("up:42")?;
        client.press(CTRL_C)?;
        assert_eq!(client.wait()?, Some(130));
        Ok(())
    })
}

/// SIGWINCH is httpd's stop signal, and nobody's here.
pub(crate) fn a_resize_is_seen_and_ends_nothing(world: &World) -> Outcome {
    let script = "trap 'busybox stty size' WINCH; echo up:$((40 + 2)); while :; do read -r line && exit 5; done";
    in_each_engine(world, script, |mut client| {
        client.up_to("up:42")?;
        client.resize(40, 111)?;
        client.up_to("40 111")?;
        client.press("go\n")?;
        assert_eq!(client.wait()?, Some(5));
        Ok(())
    })
}

/// Nobody could continue it, so it is not stopped for good, nor is what it has started.
pub(crate) fn ctrl_z_without_a_shell_stops_nothing(world: &World) -> Outcome {
    let docker = world.docker_with_tiny()?;
    let script = "sh -c 'echo up:$((40 + 2)); read -r line; echo $line:$((40 + 2))'; exit 3";
    let words = ["run", "-it", "--rm", "--network=none", TINY, "sh", "-c", script];
    let mut client = Client::start(&mut docker.command(words))?;
    client.up_to("up:42")?;
    client.press(CTRL_Z)?;
    client.up_to("^Z")?;
    client.press("go\n")?;
    client.up_to("go:42")?;
    assert_eq!(client.wait()?, Some(3));
    Ok(())
}
