//! The end of a group: its processes, and its directories with those that the container has made in them.

use std::fs;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use supervise_init::sys::{self, Pid};

use super::place::words;
use super::trouble::{Error, errno};
use crate::sys::processes;

/// Kills what is in the group and below it, and waits until nothing is.
pub(super) fn kill(directory: &Path, limit: Duration) -> Result<(), Error> {
    let end = Instant::now() + limit;
    let all_at_once = kill_at_once(directory);
    loop {
        let processes = processes(directory);
        if processes.is_empty() {
            return Ok(());
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::Alive(directory.to_owned(), processes.len()));
        }
        let mut waited_for = Vec::new();
        for (group, pid) in processes {
            let Some(pidfd) = open(&group, pid) else { continue };
            match processes::kill(pidfd.as_fd()) {
                _ if all_at_once => {}
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(errno) => return Err(Error::Kill(group, sys::Errno(errno as i32))),
            }
            waited_for.push(pidfd);
        }
        wait_for_ends(&waited_for, end);
    }
}

/// Kills what is in the group and below it by one write (Linux 5.14, v2). Whether that can be done.
pub(super) fn kill_at_once(directory: &Path) -> bool {
    let file = fs::OpenOptions::new().write(true).open(directory.join("cgroup.kill"));
    file.and_then(|mut file| io::Write::write_all(&mut file, b"1")).is_ok()
}

/// How many processes are in the group and below it.
pub(super) fn count(directory: &Path) -> usize {
    processes(directory).len()
}

/// Removes the group and those in it, innermost first. The kernel refuses that (EBUSY) as long as a process is in one.
pub(super) fn remove(directory: &Path, limit: Duration) -> Result<(), Error> {
    let end = Instant::now() + limit;
    for inner in inner(directory) {
        remove(&inner, end.saturating_duration_since(Instant::now()))?;
    }
    loop {
        match fs::remove_dir(directory) {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) && Instant::now() < end => {
                let pidfds: Vec<OwnedFd> =
                    processes(directory).into_iter().filter_map(|(group, pid)| open(&group, pid)).collect();
                wait_for_ends(&pidfds, end);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            removed => return removed.map_err(|error| Error::Remove(directory.to_owned(), errno(&error))),
        }
    }
}

/// The process by a descriptor, if the group has it still: the number cannot be another's as long as it is listed.
fn open(group: &Path, pid: Pid) -> Option<OwnedFd> {
    let pidfd = processes::pidfd(pid).ok()?;
    listed(group).contains(&pid).then_some(pidfd)
}

/// Waits until one that was killed has ended, or a moment where that cannot be told.
fn wait_for_ends(pidfds: &[OwnedFd], end: Instant) {
    let mut asked: Vec<PollFd<'_>> = pidfds.iter().map(|fd| PollFd::new(fd.as_fd(), PollFlags::POLLIN)).collect();
    // A process that has ended leaves its group a moment later, which nothing announces in v1.
    let moment = if asked.is_empty() { Duration::from_millis(1) } else { Duration::from_secs(1) };
    let left = end.saturating_duration_since(Instant::now()).min(moment);
    let _ = poll(&mut asked, PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO));
}

/// What is in the group and below it, each with the group that has it. One of another PID namespace has no number here.
fn processes(directory: &Path) -> Vec<(PathBuf, Pid)> {
    let mut found: Vec<_> = listed(directory).into_iter().map(|pid| (directory.to_owned(), pid)).collect();
    inner(directory).iter().for_each(|inner| found.extend(processes(inner)));
    found
}

fn listed(group: &Path) -> Vec<Pid> {
    words(&group.join("cgroup.procs")).iter().filter_map(|word| Pid::new(word.parse().ok()?)).collect()
}

fn inner(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
}
