//! What the end-to-end tests stand on: starting an init in the ways that matter, waiting for facts, and leaving
//! nothing behind.
//!
//! 1. A test waits for facts (a line, an end of file, an exit, `/proc`), all under the one deadline of its [`Scene`].
//! 2. Everything a test starts carries the scene's mark in its environment. The scene's end kills what still has it,
//!    also when the test failed.
//! 3. Processes are killed by a pid that was seen to carry the mark, or that is an unreaped child of ours.

pub(crate) mod checked;
pub(crate) mod compat;
pub(crate) mod compat_facts;
pub(crate) mod contained;
pub(crate) mod launch;
pub(crate) mod lines;
pub(crate) mod memory;
pub(crate) mod proc;
pub(crate) mod running;
pub(crate) mod slow;
pub(crate) mod stage;
pub(crate) mod terminal;
pub(crate) mod waiting;

use std::cell::OnceCell;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::poll::{PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use launch::{Init, Launch};

/// How long a whole test may take. Far more than any needs, because it shares the machine with others.
const PATIENCE: Duration = Duration::from_secs(120);

/// The variable that marks what a scene has started.
pub(crate) const MARK: &str = "PROBE_SCENE";

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Code(i32),
    Signal(i32),
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Exit {
        match (status.code(), status.signal()) {
            (Some(code), _) => Exit::Code(code),
            (None, signal) => Exit::Signal(signal.unwrap_or_default()),
        }
    }
}

/// The end of all waiting in a test.
#[derive(Clone, Copy)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    pub(crate) fn new() -> Deadline {
        Deadline(Instant::now() + PATIENCE)
    }

    /// What is left; fails the test where that is nothing.
    pub(crate) fn left(self, awaited: &str) -> Duration {
        let left = self.0.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "waited in vain for {awaited}");
        left
    }

    /// Waits until something is so that the kernel does not announce, such as a line of `/proc`.
    pub(crate) fn until<T>(self, awaited: &str, mut found: impl FnMut() -> Option<T>) -> T {
        loop {
            if let Some(found) = found() {
                return found;
            }
            self.left(awaited);
            // Nothing to wait on: look again in a millisecond.
            let _ = poll(&mut [], PollTimeout::from(1u8));
        }
    }
}

/// One test's share of the machine: its deadline, its processes and its folder.
pub(crate) struct Scene {
    pub(crate) deadline: Deadline,
    mark: String,
    folder: OnceCell<PathBuf>,
}

impl Scene {
    pub(crate) fn new() -> Scene {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let mark = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Scene { deadline: Deadline::new(), mark, folder: OnceCell::new() }
    }

    pub(crate) fn supervise(&self) -> Launch<'_> {
        self.init(Init::Supervise)
    }

    pub(crate) fn init(&self, init: Init) -> Launch<'_> {
        Launch::new(self, Some(init))
    }

    /// The payload by itself, to compare with.
    pub(crate) fn bare(&self) -> Launch<'_> {
        Launch::new(self, None)
    }

    /// A command that carries the mark.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        // Those of whoever runs the tests are for the tests.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"SUPERVISE_")) {
            command.env_remove(name);
        }
        // What is process 1 in a namespace of PIDs alone would offer its services in the machine's own /run.
        command.env(MARK, &self.mark).env("SUPERVISE_REQUESTS", "off").stdin(Stdio::null());
        command
    }

    /// A folder that everybody may read, removed with the scene.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.get_or_init(|| {
            let path = std::env::temp_dir().join(format!("supervise-test-{}", self.mark));
            fs::create_dir(&path).expect("the folder is new");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("the folder is ours");
            path
        })
    }

    /// Writes an executable file into the folder.
    pub(crate) fn executable(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder().join(name);
        fs::write(&path, content).expect("the folder is writable");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("the file is ours");
        path
    }

    /// The file where a user without rights can read and run it.
    pub(crate) fn for_everybody(&self, file: &Path) -> PathBuf {
        let name = file.file_name().expect("a program is a file");
        let copy = self.folder().join(name);
        if !copy.exists() {
            copy_program(file, &copy);
        }
        copy
    }

    /// A FIFO in the folder, for what cannot be said through a pipe on stdout, and its lines.
    pub(crate) fn fifo(&self, name: &str) -> (PathBuf, lines::Lines) {
        let path = self.folder().join(name);
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::from_bits_truncate(0o666)).expect("the name is new");
        // For writing too, so that neither side waits for the other in open, and there is no end of file.
        let file = fs::File::options().read(true).write(true).open(&path).expect("the FIFO is ours");
        (path, lines::Lines::new(file.into(), self.deadline))
    }

    /// Every process that carries the mark and is not dead.
    pub(crate) fn marked(&self) -> Vec<i32> {
        let mark = format!("{MARK}={}", self.mark);
        let ours = std::process::id().cast_signed();
        proc::pids().filter(|pid| *pid != ours && proc::has_variable(*pid, &mark)).collect()
    }

    /// The process of what the test started that has this program, once there is one.
    pub(crate) fn named(&self, program: &str) -> i32 {
        let has_it = |pid: &i32| proc::name(*pid).as_deref() == Some(program);
        self.deadline.until(program, || self.marked().into_iter().find(has_it))
    }

    /// Requires that nothing of what the test started is alive.
    #[track_caller]
    pub(crate) fn nothing_is_left(&self) {
        let left: Vec<String> = self.marked().into_iter().map(proc::describe).collect();
        assert!(left.is_empty(), "left running: {left:#?}");
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // The patience of the test may be used up, but this must still be done.
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            let left = self.marked();
            if left.is_empty() || Instant::now() > end {
                break;
            }
            // What is stopped cannot fork any more.
            for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
                for pid in &left {
                    let _ = kill(Pid::from_raw(*pid), signal);
                }
            }
        }
        if let Some(folder) = self.folder.get() {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// A port that nobody has, and no other test: below those that the kernel gives to whoever asks for any, who may be asking
/// at this moment (ip_local_port_range in ip(7)).
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 100).unwrap_or_default() * 100;
    let ports = std::iter::repeat_with(|| 20_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000);
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.take(10_000).find(is_free).expect("a port is free")
}

/// Copies a program to where everybody may run it. By a process of its own: a child that another test forks meanwhile
/// would keep a file open that we write, and what somebody may write to cannot be run (execve(2), ETXTBSY).
pub(crate) fn copy_program(from: &Path, to: &Path) {
    let copied = Command::new("install").arg("--mode=755").args([from, to]).status().expect("install runs");
    assert!(copied.success(), "cannot copy {} to {}", from.display(), to.display());
}

/// Where the payload is: cargo builds examples beside the binaries.
pub(crate) fn probe() -> PathBuf {
    let probe = Path::new(env!("CARGO_BIN_EXE_supervise")).with_file_name("examples").join("probe");
    assert!(probe.exists(), "{} is missing: cargo build --example probe", probe.display());
    probe
}

/// Splits verbs into the probe's words. Commas are for the reader.
pub(crate) fn words(verbs: &str) -> Vec<&str> {
    verbs.split_whitespace().map(|word| word.trim_end_matches(',')).collect()
}

/// Sends a signal any number of times; real-time signals have no name in nix, but the probe can send them.
pub(crate) fn send(pid: i32, signal: i32, count: usize) {
    match Signal::try_from(signal) {
        Ok(signal) => (0..count).for_each(|_| kill(Pid::from_raw(pid), signal).expect("the process is there")),
        Err(_) => {
            let words = ["send", &signal.to_string(), &count.to_string(), &pid.to_string()].map(String::from);
            let sent = Command::new(probe()).args(words).status().expect("the probe runs");
            assert!(sent.success(), "cannot send signal {signal} to {pid}");
        }
    }
}

/// Says something that a passing test shall say too: the test harness shows what is printed only when one fails.
pub(crate) fn note(what: &str) {
    let _ = writeln!(std::io::stderr(), "{what}");
}

/// Says why a test cannot run here, which continuous integration does not accept.
#[track_caller]
pub(crate) fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "skipped in CI: {why}");
    note(&format!("skipped: {why}"));
}
