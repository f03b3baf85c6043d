//! Starting an init over a payload, talking to the payload, and leaving nothing of either behind.
//!
//! 1. What is started here is killed and reaped when its [`Running`] is dropped; as PID 1 it takes its namespace along.
//! 2. Every wait has a deadline.

use std::fs::File;
use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::error::{Doing, Error, Result};
use crate::inits::Init;
use crate::link;
use crate::payload::{DONE, Kind, READY};
use crate::sys::{Step, before_exec};

/// Long enough for a loaded machine; a bench that needs more has hung.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Where the init stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// An ordinary process beside others.
    Beside,
    /// PID 1 of a new PID namespace, with its own /proc and an empty /run.
    First,
    /// PID 1 of a new PID namespace, which has nothing else of its own: mounts take longer than a start.
    Bare,
}

/// Whether the init's steps are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    Free,
    Traced,
}

/// The environment of every pod of Kubernetes: the peers' libcs read it word by word, so its length is in the figures.
pub(crate) const ENVIRONMENT: [(&str, &str); 13] = [
    ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ("HOSTNAME", "web-6d4cf56db6-x8x2p"),
    ("HOME", "/root"),
    ("TERM", "xterm"),
    ("LANG", "C.UTF-8"),
    ("KUBERNETES_SERVICE_HOST", "10.96.0.1"),
    ("KUBERNETES_SERVICE_PORT", "443"),
    ("KUBERNETES_SERVICE_PORT_HTTPS", "443"),
    ("KUBERNETES_PORT", "tcp://10.96.0.1:443"),
    ("KUBERNETES_PORT_443_TCP", "tcp://10.96.0.1:443"),
    ("KUBERNETES_PORT_443_TCP_PROTO", "tcp"),
    ("KUBERNETES_PORT_443_TCP_PORT", "443"),
    ("KUBERNETES_PORT_443_TCP_ADDR", "10.96.0.1"),
];

/// The command that runs `payload` under `init`, or bare.
pub(crate) fn command(init: Option<&Init>, place: Place, payload: &Path, words: &[String]) -> Command {
    let mut command = match init {
        None => Command::new(payload),
        Some(init) => {
            let mut command = Command::new(&init.path);
            if place == Place::Beside {
                command.args(init.beside);
            }
            command.args(init.options).arg("--").arg(payload);
            command
        }
    };
    command.args(words).env_clear().envs(ENVIRONMENT).current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Starts `command` there, watched or not.
pub(crate) fn start(mut command: Command, place: Place, watch: Watch) -> Result<Running> {
    let mut steps = match place {
        Place::Beside | Place::Bare => vec![],
        Place::First => vec![Step::MountProc, Step::MountRun],
    };
    if watch == Watch::Traced {
        steps.push(Step::TraceMe);
    }
    let name = command.get_program().display().to_string();
    let ours = File::open("/proc/self/ns/pid").doing("open", "/proc/self/ns/pid")?;
    if place != Place::Beside {
        unshare(CloneFlags::CLONE_NEWPID).doing("make a PID namespace for", &name)?;
    }
    if !steps.is_empty() {
        before_exec(&mut command, steps);
    }
    let spawned = command.spawn();
    if place != Place::Beside {
        setns(ours, CloneFlags::CLONE_NEWPID).doing("go back to our PID namespace after", &name)?;
    }
    let child = spawned.doing("run", &name)?;
    // std's own handle would not know that a tracer has reaped the process.
    let pid = Pid::from_raw(child.id().cast_signed());
    Ok(Running { pid, name, ended: false })
}

/// A process of ours that has not been reaped.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) pid: Pid,
    pub(crate) name: String,
    pub(crate) ended: bool,
}

impl Running {
    /// Waits for the end; anything but exit code 0 is an error.
    pub(crate) fn wait_success(mut self) -> Result<()> {
        let status = waitpid(self.pid, None).doing("wait for", &self.name)?;
        self.ended = true;
        match status {
            WaitStatus::Exited(_, 0) => Ok(()),
            other => Err(Error::Ended { of: self.name.clone(), how: format!("{other:?}") }),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let _ = kill(self.pid, Signal::SIGKILL);
        // A tracee can report a stop that came before the kill.
        while let Ok(WaitStatus::Stopped(..) | WaitStatus::PtraceEvent(..) | WaitStatus::PtraceSyscall(..)) =
            waitpid(self.pid, None)
        {}
        link::clear();
    }
}

/// An init with a payload of [`Kind`] under it, and the payload's descriptors 0 and 1.
#[derive(Debug)]
pub(crate) struct Talking {
    pub(crate) running: Running,
    orders: PipeWriter,
    answers: PipeReader,
}

impl Talking {
    /// Starts the init and its payload; the payload need not be up on return.
    pub(crate) fn start(init: Option<&Init>, place: Place, watch: Watch, kind: Kind) -> Result<Self> {
        let itself = std::env::current_exe().doing("find", "the bench's own file")?;
        Self::of(command(init, place, &itself, &kind.words()), place, watch)
    }

    /// Starts a command by which a payload is to come up, with the pipes that it speaks over.
    pub(crate) fn of(mut command: Command, place: Place, watch: Watch) -> Result<Self> {
        let (theirs, orders) = pipe().doing("make", "a pipe")?;
        let (answers, write) = pipe().doing("make", "a pipe")?;
        command.stdin(OwnedFd::from(theirs)).stdout(OwnedFd::from(write)).stderr(Stdio::inherit());
        // The write end goes with `command`, so that an end of the payload is an end of file here.
        Ok(Self { running: start(command, place, watch)?, orders, answers })
    }

    /// Starts the init and its payload, and waits for the payload to be up.
    pub(crate) fn ready(init: Option<&Init>, place: Place, kind: Kind) -> Result<Self> {
        let mut talking = Self::start(init, place, Watch::Free, kind)?;
        talking.expect(READY)?;
        Ok(talking)
    }

    /// Has the payload end, and all that was started with it.
    pub(crate) fn finish(self) -> Result<()> {
        drop(self.orders);
        self.running.wait_success()
    }

    /// Has the payload do its work once.
    pub(crate) fn order(&mut self) -> Result<()> {
        self.orders.write_all(&[DONE]).doing("order the payload of", &self.running.name)?;
        self.expect(DONE)
    }

    /// True if the payload has something to say within `patience`.
    pub(crate) fn speaks_within(&self, patience: Duration) -> Result<bool> {
        readable(&self.answers, patience).doing("poll the payload of", &self.running.name)
    }

    /// Waits for `word`.
    pub(crate) fn expect(&mut self, word: u8) -> Result<()> {
        match self.read::<1>()? {
            [said] if said == word => Ok(()),
            [said] => Err(Error::Ended { of: self.running.name.clone(), how: format!("payload said {said:?}") }),
        }
    }

    /// Waits for a monotonic time in the form of a timespec; the answer is in nanoseconds.
    pub(crate) fn read_time(&mut self) -> Result<f64> {
        self.read().map(nanoseconds)
    }

    fn read<const N: usize>(&mut self) -> Result<[u8; N]> {
        read_by_deadline(&mut self.answers, &self.running.name)
    }
}

/// Reads exactly `N` bytes, or says that `of` was late.
pub(crate) fn read_by_deadline<const N: usize>(from: &mut PipeReader, of: &str) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    match readable(from, PATIENCE).doing("poll the payload of", of)? {
        true => from.read_exact(&mut bytes).doing("read from the payload of", of)?,
        false => return Err(Error::Late { what: "word from the payload", of: of.to_owned() }),
    }
    Ok(bytes)
}

/// The time that 16 bytes of a timespec stand for.
pub(crate) fn nanoseconds(timespec: [u8; 16]) -> f64 {
    let [seconds, nanoseconds] =
        [&timespec[..8], &timespec[8..]].map(|word| i64::from_ne_bytes(word.try_into().unwrap_or_default()));
    (seconds * 1_000_000_000 + nanoseconds) as f64
}

fn readable(from: &PipeReader, patience: Duration) -> nix::Result<bool> {
    let limit = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
    Ok(poll(&mut [PollFd::new(from.as_fd(), PollFlags::POLLIN)], limit)? > 0)
}

/// Asks again and again until `done` holds; only for what the kernel offers no event for.
pub(crate) fn poll_until(what: &'static str, of: &str, mut done: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !done()? {
        if Instant::now() > deadline {
            return Err(Error::Late { what, of: of.to_owned() });
        }
        sleep(Duration::from_millis(3));
    }
    Ok(())
}
