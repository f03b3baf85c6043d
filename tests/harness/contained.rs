//! `supervise run`: the root filesystems that tests/roots makes, and containers of them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::unistd::geteuid;

use super::launch::Init;
use super::running::{Ended, Running};
use super::{MARK, Scene, probe, skip};

/// Debian with systemd's clients, of two releases, and a busybox.
pub(crate) const BOOKWORM: &str = "bookworm-systemd";
pub(crate) const TRIXIE: &str = "trixie-systemd";
pub(crate) const BUSYBOX: &str = "busybox";

/// Where that root filesystem is, if it has been made; said aloud if not, or if we are not root.
#[track_caller]
pub(crate) fn root(name: &str) -> Option<PathBuf> {
    let roots = std::env::var_os("SUPERVISE_TEST_ROOTS").map(PathBuf::from);
    let roots = roots.unwrap_or_else(|| PathBuf::from("/var/cache/supervise-tests/roots"));
    if !roots.join(name).join("recipe").is_file() {
        skip(&format!("the root filesystem {name} is not there; tests/setup makes it"));
        return None;
    }
    if !geteuid().is_root() {
        skip("what is done as root here, a user cannot do");
        return None;
    }
    Some(roots.join(name).join("root"))
}

/// A copy of the small root filesystem, in which an image's author has done as told.
#[track_caller]
pub(crate) fn own_root(scene: &Scene, name: &str, deeds: &str) -> Option<PathBuf> {
    let busybox = root(BUSYBOX)?;
    let own = scene.folder().join(name);
    let script = format!("cp -a {} {} && cd {1} && {deeds}", busybox.display(), own.display());
    assert!(Command::new("sh").args(["-ec", &script]).status().expect("sh runs").success());
    Some(own)
}

/// `supervise run` with these options, a root filesystem, and a command. What it starts carries the scene's mark.
pub(crate) fn command(scene: &Scene, options: &[&str], root: &Path, command: &[&str]) -> Command {
    let mut run = scene.command(Init::Supervise.path().expect("cargo built it"));
    run.env_remove("SUPERVISE_REQUESTS");
    fill(&mut run, options, root, command);
    run
}

/// The words behind the program's name.
pub(crate) fn fill(run: &mut Command, options: &[&str], root: &Path, command: &[&str]) {
    run.args(["run", "--env", MARK]).args(options).arg(root).arg("--").args(command);
    run.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
}

pub(crate) fn start<'s>(scene: &'s Scene, options: &[&str], root: &Path, words: &[&str]) -> Running<'s> {
    begin(scene, command(scene, options, root, words))
}

pub(crate) fn begin(scene: &Scene, command: Command) -> Running<'_> {
    Running::start(scene, command, 0, &Init::Supervise.path().expect("cargo built it"))
}

/// With the probe as its command, which is bound into it.
pub(crate) fn start_probe<'s>(scene: &'s Scene, options: &[&str], root: &Path, verbs: &str) -> Running<'s> {
    let bind = format!("{}:/probe:ro", probe().display());
    let options = [&["--bind", &bind], options].concat();
    start(scene, &options, root, &[&["/probe"], &super::words(verbs)[..]].concat())
}

/// The same to its end, with a shell's script as its command.
#[track_caller]
pub(crate) fn script(scene: &Scene, options: &[&str], root: &Path, script: &str) -> Ended {
    start(scene, options, root, &["/bin/sh", "-c", script]).end()
}

/// Requires that it ended with this code, and what it wrote.
#[track_caller]
pub(crate) fn ends(ended: &Ended, code: i32, lines: &[impl AsRef<str>]) {
    let lines: Vec<&str> = lines.iter().map(AsRef::as_ref).collect();
    let stdout: Vec<&str> = ended.stdout.iter().map(String::as_str).collect();
    assert_eq!((ended.exit, stdout), (super::Exit::Code(code), lines), "{ended:?}");
}

/// A user without rights, who becomes the command behind these words.
pub(crate) const NOBODY: [&str; 4] = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

/// `supervise run` by that user, behind a command that becomes its operand, with a copy of ours that the user can run.
pub(crate) fn as_user(scene: &Scene, wrapper: &[&str], options: &[&str], root: &Path, words: &[&str]) -> Command {
    let supervise = scene.for_everybody(&Init::Supervise.path().expect("cargo built it"));
    let all: Vec<&OsStr> = wrapper.iter().chain(&NOBODY).map(OsStr::new).chain([supervise.as_os_str()]).collect();
    let mut run = scene.command(all[0]);
    run.env_remove("SUPERVISE_REQUESTS").args(&all[1..]);
    fill(&mut run, options, root, words);
    run
}

/// In a mount namespace of its own, in which what is mounted by another shows up, and nothing that the machine does
/// besides: if anything is mounted there behind it that was not before, it ends with 99.
pub(crate) fn in_a_room(scene: &Scene, command: &Command) -> Command {
    let script = "
        mount --make-rshared / && cat /proc/self/mountinfo >\"$1.before\" || exit 98
        ended=$1; shift
        \"$@\"
        code=$?
        cat /proc/self/mountinfo >\"$ended.after\"
        cmp -s \"$ended.before\" \"$ended.after\" && exit $code
        diff \"$ended.before\" \"$ended.after\" >&2
        exit 99";
    let mut room = scene.command("unshare");
    room.args(["--mount", "--propagation", "private", "sh", "-c", script, "-"]).arg(scene.folder().join("mounts"));
    room.arg(command.get_program()).args(command.get_args()).env_remove("SUPERVISE_REQUESTS");
    room.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    room
}

/// A shell's script in a container there.
#[track_caller]
pub(crate) fn script_in_a_room(scene: &Scene, options: &[&str], root: &Path, script: &str) -> Ended {
    begin(scene, in_a_room(scene, &command(scene, options, root, &["/bin/sh", "-c", script]))).end()
}
