//! Who outlives a check that is killed: a copy of ourselves that sleeps until we have ended, and then removes the cgroup of
//! the run that was under way. What ran there is killed by the kernel, with the [stage](super::stage).
//!
//! 1. It is there before the first cgroup is, and ends behind the last one.
//! 2. It holds nothing that somebody waits for: no output of ours, no group or session of ours.

use std::fs::File;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd};
use std::path::PathBuf;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout, setsid};
use supervise_init::core::Signal;
use supervise_init::sys::{Pid, close_from_3, send, this_process};

use super::stage::DEATH;
use crate::runtime::cgroup::Group;
use crate::sys::processes::pidfd;
use crate::sys::{reap, start_copy};

/// While it lives, and we do.
pub(crate) struct Heir {
    pid: Pid,
}

impl Heir {
    /// Of these directories, which are not there yet. Without one a check that is killed leaves them to the next.
    pub(super) fn appoint(directories: Vec<PathBuf>) -> Result<Heir, Errno> {
        let ourselves = pidfd(this_process())?;
        let pid = start_copy(|| inherit(ourselves.as_fd(), directories))?;
        Ok(Heir { pid })
    }
}

impl Drop for Heir {
    /// We have removed all ourselves.
    fn drop(&mut self) {
        // It is not reaped, so the number is its own.
        let _ = send(self.pid, Signal::KILL);
        reap(self.pid);
    }
}

/// In the copy, to its end. All signals are blocked.
fn inherit(original: BorrowedFd<'_>, directories: Vec<PathBuf>) -> u8 {
    let _ = setsid();
    close_from_3(&[Some(original.as_raw_fd())]);
    if let Ok(null) = File::options().read(true).write(true).open("/dev/null") {
        // The descriptors are there: none of the calls fails.
        let _ = (dup2_stdin(&null), dup2_stdout(&null), dup2_stderr(&null));
    }
    let mut polled = [PollFd::new(original, PollFlags::POLLIN)];
    loop {
        match poll(&mut polled, PollTimeout::NONE) {
            Ok(1..) => break,
            Ok(_) | Err(Errno::EINTR) => {}
            // Nobody says that it has ended.
            Err(_) => return 1,
        }
    }
    let group = Group::left_behind(directories);
    // What the kernel holds longer is left to the next check.
    u8::from(group.kill(DEATH).and_then(|()| group.remove(DEATH)).is_err())
}
