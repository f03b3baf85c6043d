//! A docker daemon of our own, and containers that are removed when they go out of scope.
//!
//! It has no network and no registry: images are imported from tar files. The client runs in the
//! daemon's namespaces too, where the socket is at its usual place and out of everybody else's way.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, PipeReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::runner::Trouble;
use crate::sandbox::{Sandbox, failed, need, succeed};

/// How long the daemon may take to answer; on an idle machine it takes a second.
const START: Duration = Duration::from_secs(60);

/// The daemon, alive as long as its sandbox.
pub(crate) struct Docker {
    sandbox: Rc<Sandbox>,
    config: String,
    log: PathBuf,
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
        let config = config.display().to_string();
        let docker = Self { sandbox, config, log, containers: Cell::new(0) };
        // It is not waited for: it ends with the sandbox, after everything that could do so.
        let begin = Instant::now();
        // Each try starts a process, which is all the pause that this needs.
        while succeed(&mut docker.command(["version"])).is_err() {
            let ended = daemon.try_wait().map_err(failed)?.is_some();
            if ended || begin.elapsed() > START {
                return Err(Trouble::Failed(format!("dockerd does not answer:\n{}", docker.log()?)));
            }
        }
        Ok(docker)
    }

    /// All that the daemon has logged.
    pub(crate) fn log(&self) -> Result<String, Trouble> {
        fs::read_to_string(&self.log).map_err(failed)
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
        let (client, output) = attach(self.command(["run", "--network=none", "--name", &name]).args(args))?;
        Ok(Container { docker: self, name, client, output, seen: String::new() })
    }

    /// Builds an image; a Dockerfile without COPY needs no directory to build in.
    pub(crate) fn build(&self, image: &str, dockerfile: &str) -> Result<(), Trouble> {
        let script = r#"docker build --tag "$1" - <<<"$2""#;
        succeed(self.script(script).args([image, dockerfile])).map(drop)
    }

    /// Runs a container to its end.
    pub(crate) fn run_to_end(&self, args: &[&str]) -> Result<Ended, Trouble> {
        self.run(args)?.wait()
    }
}

/// Starts a client whose output, all of it, can be read.
fn attach(command: &mut Command) -> Result<(Child, BufReader<PipeReader>), Trouble> {
    let (output, stdout) = std::io::pipe().map_err(failed)?;
    command.stderr(stdout.try_clone().map_err(failed)?).stdout(stdout);
    let client = command.spawn().map_err(failed)?;
    // The command's own copies would keep the output open for ever.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    Ok((client, BufReader::new(output)))
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

    /// How many lines of the output are `line`.
    pub(crate) fn lines(&self, line: &str) -> usize {
        self.output.lines().filter(|said| said.trim_end() == line).count()
    }
}

impl Container<'_> {
    /// Reads the output until `times` lines with `word` were in it.
    pub(crate) fn wait_for(&mut self, word: &str, times: usize) -> Result<(), Trouble> {
        if self.read_until(|seen| count(seen, word) >= times)? {
            return Ok(());
        }
        Err(Trouble::Failed(format!("ended without {times} times `{word}`:\n{}", self.seen)))
    }

    /// Reads the output until one of `words` is in it, or all of it: whether one was.
    pub(crate) fn says_one_of(&mut self, words: &[&str]) -> Result<bool, Trouble> {
        self.read_until(|seen| words.iter().any(|word| seen.contains(word)))
    }

    /// Reads lines until they are `enough`; whether they were before the end.
    fn read_until(&mut self, enough: impl Fn(&str) -> bool) -> Result<bool, Trouble> {
        while !enough(&self.seen) {
            // The client is killed at its time limit, so this ends.
            if self.output.read_line(&mut self.seen).map_err(failed)? == 0 {
                return Ok(false);
            }
        }
        Ok(true)
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
        self.begin_stop(&[]).wait()
    }

    /// `docker stop` in the background; `options` are its own.
    pub(crate) fn begin_stop(&self, options: &[&str]) -> Stopping {
        let mut client = self.docker.command(["stop"]);
        client.args(options).arg(&self.name);
        let begin = Instant::now();
        // A thread, because it has to see the end when it comes.
        Stopping(thread::spawn(move || succeed(&mut client).map(|_| begin.elapsed())))
    }

    /// `docker exec` of a shell command, which must succeed; returns its output.
    pub(crate) fn exec(&self, script: &str) -> Result<String, Trouble> {
        self.docker.ask(["exec", &self.name, "sh", "-c", script])
    }

    /// Waits for the end of the container.
    pub(crate) fn wait(mut self) -> Result<Ended, Trouble> {
        self.wait_for_end()
    }

    /// Waits for the end of the container, which can be started again then.
    pub(crate) fn wait_for_end(&mut self) -> Result<Ended, Trouble> {
        self.output.read_to_string(&mut self.seen).map_err(failed)?;
        let code = self.client.wait().map_err(failed)?.code();
        Ok(Ended { code, output: std::mem::take(&mut self.seen) })
    }

    /// Starts it again, with the files that it had at its end.
    pub(crate) fn start_again(&mut self) -> Result<(), Trouble> {
        (self.client, self.output) = attach(&mut self.docker.command(["start", "--attach", &self.name]))?;
        Ok(())
    }
}

/// A `docker stop` under way.
pub(crate) struct Stopping(JoinHandle<Result<Duration, Trouble>>);

impl Stopping {
    /// Waits for its end; returns how long it took.
    pub(crate) fn wait(self) -> Result<Duration, Trouble> {
        self.0.join().unwrap_or_else(|_| Err(Trouble::Failed("docker stop: panicked".into())))
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
