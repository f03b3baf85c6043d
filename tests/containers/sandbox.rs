//! A PID and a mount namespace that hold all that the tests start, so that nothing can be left behind.
//!
//! Invariants:
//! 1. Process 1 in it lives as long as a pipe from this process is open: when the tests end, in
//!    whatever way, the kernel closes the pipe, process 1 ends and all the others are killed.
//! 2. Mounts made in it are gone with it. `/run` and `/dev/shm` are its own, and what is written below
//!    `/etc`, `/var/lib` and `/var/cache` is gone with it too.
//! 3. Every command run in it is killed after a time limit, so reading its output always ends.

use std::fmt::Display;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};

use crate::runner::Trouble;

/// What one command may take, far above what any should: it ends a hang, it measures nothing.
const LIMIT_SECONDS: u32 = 60;

/// Prepares the namespace and stays as its process 1; $1 is the tests' own directory. The pid is read
/// before `/proc` is replaced: the old one still tells it as the host sees it.
const SETUP: &str = r#"
set -eu
read -r pid _ </proc/self/stat
mount -t proc proc /proc
resolv=$(cat /etc/resolv.conf || true)
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mkdir /run/data
mount --bind "$1" /run/data
# Engines write there wherever their own data is; what they write goes to memory.
for dir in /etc /var/lib /var/cache; do
    over=/run/over$dir
    mkdir -p "$over/upper" "$over/work"
    mount -t overlay -o "lowerdir=$dir,upperdir=$over/upper,workdir=$over/work" overlay "$dir"
done
# Our own data shall not, should it be below one of these.
mount --bind /run/data "$1"
# It may be a link into /run, which has just been hidden.
rm -f /etc/resolv.conf
printf '%s\n' "$resolv" >/etc/resolv.conf
echo "$pid"
exec tini -- cat
"#;

/// The namespaces, alive until this is dropped.
pub(crate) struct Sandbox {
    unshare: Child,
    hold: Option<ChildStdin>,
    pid: String,
}

impl Sandbox {
    /// Says what this machine lacks, if anything, before it is changed.
    pub(crate) fn check() -> Result<(), Trouble> {
        let uid = std::fs::metadata("/proc/self").map_err(failed)?.uid();
        if uid != 0 {
            return Err(Trouble::Missing("container engines are started by hand, which needs root".into()));
        }
        need(&["unshare", "nsenter", "timeout", "tini", "mount"])
    }

    /// `data` is the directory for all that is too large for memory.
    pub(crate) fn enter(data: &Path) -> Result<Self, Trouble> {
        let mut unshare = Command::new("unshare")
            .args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", SETUP, "sh"])
            .arg(data)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let hold = unshare.stdin.take();
        let mut pid = String::new();
        if let Some(stdout) = unshare.stdout.take() {
            BufReader::new(stdout).read_line(&mut pid).map_err(failed)?;
        }
        let sandbox = Self { unshare, hold, pid: pid.trim().into() };
        if sandbox.pid.is_empty() {
            return Err(Trouble::Missing("this user may not make a mount and a PID namespace".into()));
        }
        Ok(sandbox)
    }

    /// `program`, to be run in the namespaces, for `LIMIT_SECONDS` at most.
    pub(crate) fn command(&self, program: &str) -> Command {
        self.command_within(LIMIT_SECONDS, program)
    }

    /// `program`, to be run in the namespaces. SIGKILL because docker forwards TERM to the container.
    pub(crate) fn command_within(&self, seconds: u32, program: &str) -> Command {
        let mut command = Command::new("timeout");
        command.args(["--signal=KILL", &seconds.to_string()]);
        command.args(["nsenter", "--target", &self.pid, "--mount", "--pid", "--", program]);
        command.stdin(Stdio::null());
        command
    }

    /// `program`, to be run in the namespaces until they end.
    pub(crate) fn daemon(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.pid, "--mount", "--pid", "--", program]);
        command.stdin(Stdio::null());
        command
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        drop(self.hold.take());
        // Nothing better can be done where this fails, and `World::close` reports what is left.
        drop(self.unshare.wait());
    }
}

/// Runs `command`, which must succeed, and returns what it wrote to stdout.
pub(crate) fn succeed(command: &mut Command) -> Result<String, Trouble> {
    let output = command.output().map_err(failed)?;
    if !output.status.success() {
        return Err(Trouble::Failed(format!("{}: {}", shown(command), said(&output))));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Finds each of `programs` in PATH.
pub(crate) fn need(programs: &[&str]) -> Result<(), Trouble> {
    let path = std::env::var("PATH").unwrap_or_default();
    match programs.iter().find(|name| !path.split(':').any(|dir| Path::new(dir).join(name).is_file())) {
        Some(name) => Err(Trouble::Missing(format!("{name} is not installed; tests/setup installs it"))),
        None => Ok(()),
    }
}

/// An error of the tests' own work.
pub(crate) fn failed(error: impl Display) -> Trouble {
    Trouble::Failed(error.to_string())
}

fn shown(command: &Command) -> String {
    // Without the words that bring it into the namespaces.
    let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy()).collect();
    args.iter().skip_while(|arg| *arg != "--").skip(1).map(|arg| arg.as_ref()).collect::<Vec<_>>().join(" ")
}

fn said(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = stderr.lines().collect();
    let last = lines.len().saturating_sub(20);
    format!("{}\n{}", output.status, lines[last..].join("\n"))
}
