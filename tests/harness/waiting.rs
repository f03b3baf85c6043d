//! `supervise wait-for`, and servers to wait for.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::geteuid;

use super::launch::Init;
use super::running::{Ended, Running};
use super::slow::python;
use super::{Exit, Scene};

/// Starts a command with pipes. `forks` as in the harness: how many processes stand above supervise.
pub(crate) fn start<'s>(scene: &'s Scene, mut command: Command, forks: usize, program: &Path) -> Running<'s> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Running::start(scene, command, forks, program)
}

/// `supervise wait-for` with these words.
pub(crate) fn wait_for<'s>(scene: &'s Scene, words: &[&str]) -> Running<'s> {
    behind(scene, &[], 0, words)
}

/// The same behind a command that becomes its operand, after so many forks.
pub(crate) fn behind<'s>(scene: &'s Scene, wrapper: &[&str], forks: usize, words: &[&str]) -> Running<'s> {
    let path = Init::Supervise.path().expect("cargo built it");
    let mut all: Vec<&OsStr> = wrapper.iter().map(OsStr::new).collect();
    all.push(path.as_os_str());
    all.push(OsStr::new("wait-for"));
    all.extend(words.iter().map(OsStr::new));
    let mut command = scene.command(all[0]);
    command.args(&all[1..]);
    start(scene, command, forks, &path)
}

/// As PID 1, as root or in a user namespace of our own.
pub(crate) fn pid_1<'s>(scene: &'s Scene, words: &[&str]) -> Running<'s> {
    let mut wrapper = vec!["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
    if !geteuid().is_root() {
        wrapper.extend(["--user", "--map-root-user"]);
    }
    behind(scene, &wrapper, 1, words)
}

/// Requires that it was ready, without a word.
#[track_caller]
pub(crate) fn is_ready(ended: &Ended) {
    assert_eq!((ended.exit, ended.stdout.len(), ended.stderr.len()), (Exit::Code(0), 0, 0), "{ended:?}");
}

/// Requires that the time was over, and one line with these words.
#[track_caller]
pub(crate) fn timed_out(ended: &Ended, words: &[&str]) {
    one_line(ended, 124, words);
}

#[track_caller]
pub(crate) fn one_line(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.exit, Exit::Code(code), "{ended:?}");
    assert_eq!((ended.stdout.len(), ended.stderr.len()), (0, 1), "{ended:?}");
    let line = &ended.stderr[0];
    assert!(line.starts_with("supervise: "), "{line}");
    for word in words {
        assert!(line.contains(word), "nothing of {word:?} in {line:?}");
    }
}

/// Waits until nothing is left. What was killed need not be gone yet.
#[track_caller]
pub(crate) fn all_is_killed(scene: &Scene) {
    scene.deadline.until("the end of what was killed", || scene.marked().is_empty().then_some(()));
}

/// A python program, which says a line when it is ready.
pub(crate) fn server<'s>(scene: &'s Scene, program: &str, words: &[&str]) -> Running<'s> {
    let mut command = scene.command(python());
    command.args(["-c", program]).args(words);
    start(scene, command, 0, Path::new(python()))
}

/// Says its port, which refuses connections until it reads a line.
pub(crate) const LATE: &str = "
import socket, sys
family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
server = socket.socket(family)
server.bind((sys.argv[1], 0))
print(server.getsockname()[1], flush=True)
sys.stdin.readline()
server.listen()
print('listens', flush=True)
sys.stdin.read()
";

/// A test sees a try fail before it does what makes the next one succeed; so it has all the time it needs.
pub(crate) const PATIENT: [&str; 5] = ["-v", "--timeout", "0", "--interval", "20ms"];
