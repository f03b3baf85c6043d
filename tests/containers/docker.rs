//! A docker daemon of our own, and containers that are removed when they go out of scope.
//!
//! It has no network and no registry: images are imported from tar files. The client runs in the
//! daemon's namespaces too, where the socket is at its usual place and out of everybody else's way.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, PipeReader, Read};
use std::path::Path;
use std::process::{Child, Command};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::runner::Trouble;
use crate::sandbox::{Sandbox, failed, need, succeed};

/// How long the daemon may take to answer; on an idle machine it takes a second.
const START: Duration = Duration::from_secs(60);

/// The daemon, alive as long as its sandbox.
pub(crate) struct Docker {
    sandbox: Rc<Sandbox>,
    config: String,
    containers: Cell<u32>,
}

impl Docker {
    /// Starts the daemon; `init` is what `docker run --init` puts into a container.
    pub(crate) fn start(sandbox: Rc<Sandbox>, scratch: &Path, init: &Path, cgroup: &str) -> Result<Self, Trouble> {
        need(&["docker", "dockerd", "containerd", "runc"])?;
        let log = scratch.join("dockerd.log");
        let stderr = File::create(&log).map_err(failed)?;
        // The client's own settings are for another daemon.
        let config = scratch.join("docker-config");
        fs::create_dir_all(&config).map_err(failed)?;
        let mut daemon = sandbox
            .daemon("dockerd")
            .arg("--data-root")
            .arg(scratch.join("docker"))
            .arg("--init-path")
            .arg(init)
            .args(["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"])
            .args(["--ip-masq=false", "--exec-root=/run/docker"])
            .arg(format!("--cgroup-parent=/{cgroup}"))
            .stdout(stderr.try_clone().map_err(failed)?)
            .stderr(stderr)
            .spawn()
            .map_err(failed)?;
        let docker = Self { sandbox, config: config.display().to_string(), containers: Cell::new(0) };
        // It is not waited for: it ends with the sandbox, after everything that could do so.
        let begin = Instant::now();
        // Each try starts a process, which is all the pause that this needs.
        while succeed(&mut docker.command(["version"])).is_err() {
            let ended = daemon.try_wait().map_err(failed)?.is_some();
            if ended || begin.elapsed() > START {
                let log = fs::read_to_string(&log).unwrap_or_default();
                return Err(Trouble::Failed(format!("dockerd does not answer:\n{log}")));
            }
        }
        Ok(docker)
    }

    /// The client with `args`, not started yet.
    pub(crate) fn command<const N: usize>(&self, args: [&str; N]) -> Command {
        let mut command = self.sandbox.command("docker");
        self.prepare(command.args(args));
        command
    }

    /// The client with `args`, for work that takes minutes.
    pub(crate) fn long_command<const N: usize>(&self, args: [&str; N]) -> Command {
        let mut command = self.sandbox.command_within(600, "docker");
        self.prepare(command.args(args));
        command
    }

    /// A bash script that uses the client, for work that takes minutes.
    pub(crate) fn script(&self, script: &str) -> Command {
        let mut command = self.sandbox.command_within(600, "bash");
        self.prepare(command.args(["-c", script, "bash"]));
        command
    }

    fn prepare(&self, command: &mut Command) {
        command.env_remove("DOCKER_HOST").env_remove("DOCKER_CONTEXT").env("DOCKER_CONFIG", &self.config);
        // The builder that every daemon and client has.
        command.env("DOCKER_BUILDKIT", "0");
    }

    /// Runs the client with `args`, which must succeed; returns its output.
    pub(crate) fn ask<const N: usize>(&self, args: [&str; N]) -> Result<String, Trouble> {
        succeed(&mut self.command(args))
    }

    /// Starts a container and stays attached to its output. `args` are those of `docker run`.
    pub(crate) fn run(&self, args: &[&str]) -> Result<Container<'_>, Trouble> {
        let number = self.containers.get();
        self.containers.set(number + 1);
        let name = format!("case-{number}");
        let (output, stdout) = std::io::pipe().map_err(failed)?;
        let client = self
            .command(["run", "--network=none", "--name", &name])
            .args(args)
            .stderr(stdout.try_clone().map_err(failed)?)
            .stdout(stdout)
            .spawn()
            .map_err(failed)?;
        Ok(Container { docker: self, name, client, output: BufReader::new(output), seen: String::new() })
    }

    /// Runs a container to its end.
    pub(crate) fn run_to_end(&self, args: &[&str]) -> Result<Ended, Trouble> {
        self.run(args)?.wait()
    }
}

/// A container, removed when this is dropped.
pub(crate) struct Container<'d> {
    docker: &'d Docker,
    pub(crate) name: String,
    client: Child,
    output: BufReader<PipeReader>,
    seen: String,
}

/// What a container leaves: the exit code as `docker run` tells it, and all that it wrote.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
}

impl Ended {
    /// How many lines of the output contain `word`.
    pub(crate) fn count(&self, word: &str) -> usize {
        count(&self.output, word)
    }
}

impl Container<'_> {
    /// Reads the output until `times` lines with `word` were in it.
    pub(crate) fn wait_for(&mut self, word: &str, times: usize) -> Result<(), Trouble> {
        while count(&self.seen, word) < times {
            // The client is killed at its time limit, so this ends.
            if self.output.read_line(&mut self.seen).map_err(failed)? == 0 {
                return Err(Trouble::Failed(format!("ended without {times} times `{word}`:\n{}", self.seen)));
            }
        }
        Ok(())
    }

    /// The last line read.
    pub(crate) fn last_line(&self) -> &str {
        self.seen.lines().last().unwrap_or_default()
    }

    /// `docker kill --signal`.
    pub(crate) fn kill(&self, signal: &str) -> Result<(), Trouble> {
        self.docker.ask(["kill", "--signal", signal, &self.name]).map(drop)
    }

    /// `docker stop` with its default of 10 s; returns how long it took.
    pub(crate) fn stop(&self) -> Result<Duration, Trouble> {
        let begin = Instant::now();
        self.docker.ask(["stop", &self.name])?;
        Ok(begin.elapsed())
    }

    /// `docker exec` of a shell command, which must succeed; returns its output.
    pub(crate) fn exec(&self, script: &str) -> Result<String, Trouble> {
        self.docker.ask(["exec", &self.name, "sh", "-c", script])
    }

    /// Waits for the end of the container.
    pub(crate) fn wait(mut self) -> Result<Ended, Trouble> {
        self.output.read_to_string(&mut self.seen).map_err(failed)?;
        let code = self.client.wait().map_err(failed)?.code();
        Ok(Ended { code, output: std::mem::take(&mut self.seen) })
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        // After a failure the container still runs; where even this fails, the sandbox ends it.
        drop(self.docker.command(["rm", "--force", &self.name]).output());
        drop(self.client.wait());
    }
}

fn count(text: &str, word: &str) -> usize {
    text.lines().filter(|line| line.contains(word)).count()
}
