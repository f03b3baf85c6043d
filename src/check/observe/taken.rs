//! Whether what is to show that the command is ready is there before it was started: somebody else answers, or a file is left.

use std::fs;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use supervise_init::sys::SigSet;

use super::descriptors;
use super::listeners::listening;
use super::picture::look_at;
use crate::check::judge::Name;
use crate::check::record::Hindrance;
use crate::check::scenario::Ready;
use crate::proc::numbers;
use crate::sys::processes::pidfd;
use crate::wait_for::{Started, Target};

/// The file of `--ready` was not there before the first run.
static IS_OURS: AtomicBool = AtomicBool::new(false);

/// Who takes longer would not have counted as ready at once.
const TRY: Duration = Duration::from_secs(2);

/// Tries once.
pub(super) fn answers_already(ready: &Ready) -> Option<Hindrance> {
    let Ready::Probe(word) = ready else { return None };
    let target = Target::parse(word).ok()?.connection();
    if let Some(file) = target.file() {
        // One that was not there before our first run is of the run before this one.
        match fs::symlink_metadata(file) {
            Ok(_) if IS_OURS.load(Ordering::Relaxed) && is_removed(file) => {}
            Ok(_) => return Some(Hindrance::AnswersAlready { target: target.to_string(), by: None }),
            Err(_) => IS_OURS.store(true, Ordering::Relaxed),
        }
        return None;
    }
    let started = Started::begin(&target, TRY, SigSet::NONE).ok()?;
    let fd = pidfd(started.pid()).ok()?;
    let mut polled = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
    let _ = poll(&mut polled, PollTimeout::try_from(TRY).unwrap_or(PollTimeout::ZERO));
    started
        .end()
        .is_some_and(|why| why.is_empty())
        .then(|| Hindrance::AnswersAlready { target: target.to_string(), by: who(&target) })
}

/// A directory with something in it is not ours to remove.
fn is_removed(file: &Path) -> bool {
    fs::remove_file(file).or_else(|_| fs::remove_dir(file)).is_ok()
}

/// Who listens there, where /proc tells.
fn who(target: &Target) -> Option<String> {
    let inodes: Vec<u64> =
        listening().into_iter().filter(|(_, address)| target.is_at(address)).map(|(inode, _)| inode).collect();
    let is_it =
        |pid: &i32| descriptors::of(*pid).is_some_and(|open| open.sockets.iter().any(|inode| inodes.contains(inode)));
    let pid = numbers("/proc").unwrap_or_default().into_iter().find(is_it)?;
    Some(Name(&look_at(pid, Duration::ZERO)?).to_string())
}
