//! What a supervise that was killed has left on the host: the next one removes it. What is made carries its maker's number,
//! and when that began.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use log::debug;
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::geteuid;
use supervise_init::sys::{Pid, this_process};

use super::cgroup::Group;

/// What the names of our cgroups begin with; the number of their maker follows.
const NAME: &str = "supervise-";

/// What we make is called so: our number, and when we began, because a number is given again.
pub(crate) fn name(id: &str) -> String {
    let ourselves = this_process();
    format!("{NAME}{ourselves}-{}-{id}", start_time(ourselves).unwrap_or(0))
}

/// Removes what was left in these directories. What could not be removed yet, because it is still dying.
pub(crate) fn remove(places: HashSet<PathBuf>) -> Vec<PathBuf> {
    // Without /proc nobody can be told to be gone.
    if start_time(this_process()).is_none() {
        return Vec::new();
    }
    let entries = places.iter().flat_map(|place| fs::read_dir(place).into_iter().flatten().flatten());
    // Most are somebody else's, and are not looked at any further.
    let ours = entries.filter(|entry| entry.file_name().as_bytes().starts_with(NAME.as_bytes()));
    let mut left: Vec<PathBuf> = ours.map(|entry| entry.path()).filter(|path| is_left_behind(path)).collect();
    remove_more(&mut left);
    left
}

/// Tries once more.
pub(crate) fn remove_more(left: &mut Vec<PathBuf>) {
    left.retain(|path| !remove_one(path));
}

/// Whether who has made it is there.
fn is_locked(path: &Path) -> bool {
    let lock = File::open(path).map(|directory| Flock::lock(directory, FlockArg::LockExclusiveNonblock));
    matches!(lock, Ok(Err((_, nix::errno::Errno::EWOULDBLOCK))))
}

/// Whether it is gone.
fn remove_one(path: &Path) -> bool {
    debug!(event = "left behind"; "{} is left of a supervise that was killed; removing it", path.display());
    match path.join("cgroup.procs").exists() {
        true => Group::left_behind([path.to_owned()]).remove(Duration::ZERO).is_ok(),
        false => fs::remove_dir_all(path).is_ok(),
    }
}

/// Whether its name is of a process that is gone. In a directory for everybody others may give such names, too.
fn is_left_behind(path: &Path) -> bool {
    let is_our_own = fs::symlink_metadata(path).is_ok_and(|file| file.is_dir() && file.uid() == geteuid().as_raw());
    let name = path.file_name().map(OsStr::to_string_lossy).unwrap_or_default();
    is_our_own
        && maker(&name).is_some_and(|(pid, start)| match start {
            Some(start) => start_time(pid) != Some(start),
            // The group that a monitor has gone to itself.
            None => start_time(pid).is_none() && path.join("cgroup.procs").exists(),
        })
        && !is_locked(path)
}

/// The number and the start of the supervise that has given this name.
fn maker(name: &str) -> Option<(Pid, Option<u64>)> {
    let mut parts = name.strip_prefix(NAME)?.split('-');
    let pid = Pid::new(parts.next()?.parse().ok()?)?;
    match (parts.next(), parts.next()) {
        (None, _) => Some((pid, None)),
        (Some(start), Some(_id)) => Some((pid, Some(start.parse().ok()?))),
        (Some(_), None) => None,
    }
}

/// When that process began, in the kernel's ticks (proc(5), /proc/PID/stat, field 22). The name before may have spaces
/// and brackets in it.
fn start_time(pid: Pid) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()
}
