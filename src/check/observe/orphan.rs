//! An orphan that is put into the namespace of a run, as a health check that is cut off leaves one: whether process 1
//! reaps it.

use std::io::{PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use supervise_init::core::Time;
use supervise_init::sys::{Pid, close_from_3};

use super::stage::{children_of, needs_user_namespace};
use crate::check::record;
use crate::sys::processes::pidfd;
use crate::sys::{pipe, reap, start_copy};

/// Process 1 has so long to reap it: some, such as apache2, look once a second.
pub(super) const TIME: Duration = Duration::from_secs(2);

/// One that was put in.
pub(super) struct Orphan {
    pub(super) pid: i32,
    pidfd: OwnedFd,
    died_at: Option<Time>,
    reaped_at: Option<Time>,
    /// It lives as long as this is open.
    life: Option<PipeWriter>,
}

/// The ends of pipes that its makers have.
struct Ends<'a> {
    parent: &'a PipeWriter,
    leave: &'a PipeReader,
    die: &'a PipeReader,
}

impl Orphan {
    /// Puts it in where that process is the first, and lets it die. The helper that does so waits for nothing of the
    /// command's.
    pub(super) fn put(root: BorrowedFd<'_>) -> Result<Orphan, Errno> {
        let refused = |error: std::io::Error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO));
        let (mut told, parent) = pipe().map_err(refused)?;
        let (leave, leaving) = pipe().map_err(refused)?;
        let (die, life) = pipe().map_err(refused)?;
        let ends = Ends { parent: &parent, leave: &leave, die: &die };
        let helper = start_copy(|| be_helper(root, &ends))?;
        drop((parent, leave, die));
        let mut number = [0; 4];
        let made = told.read_exact(&mut number).map_err(|_| Errno::EPERM);
        let orphan = made.and_then(|()| {
            let child = children_of(i32::from_ne_bytes(number)).first().copied().ok_or(Errno::ESRCH)?;
            let pidfd = pidfd(Pid::new(child).ok_or(Errno::ESRCH)?)?;
            Ok(Orphan { pid: child, pidfd, died_at: None, reaped_at: None, life: Some(life) })
        });
        drop(leaving);
        reap(helper);
        let mut orphan = orphan?;
        // Its parent is gone: it is process 1's.
        orphan.life = None;
        Ok(orphan)
    }

    pub(super) fn see_died(&mut self, time: Time) {
        self.died_at.get_or_insert(time);
    }

    pub(super) fn see_reaped(&mut self, time: Time) {
        self.see_died(time);
        self.reaped_at.get_or_insert(time);
    }

    pub(super) fn is_reaped(&self) -> bool {
        self.reaped_at.is_some()
    }

    pub(super) fn found(&self) -> Option<record::Orphan> {
        let died_at = self.died_at?;
        let after = self.reaped_at.map(|time| time.since(died_at)).filter(|after| *after < TIME);
        Some(after.map_or(record::Orphan::NotReaped, record::Orphan::ReapedAfter))
    }
}

impl AsFd for Orphan {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

/// Enters the namespace, for its children.
fn be_helper(root: BorrowedFd<'_>, ends: &Ends<'_>) -> u8 {
    let kept = [root.as_raw_fd(), ends.parent.as_raw_fd(), ends.leave.as_raw_fd(), ends.die.as_raw_fd()];
    close_from_3(&kept.map(Some));
    let mut kinds = CloneFlags::CLONE_NEWPID;
    if needs_user_namespace() {
        kinds |= CloneFlags::CLONE_NEWUSER;
    }
    if setns(root, kinds).is_err() {
        return 1;
    }
    let Ok((mut made, making)) = pipe() else { return 1 };
    let Ok(parent) = start_copy(|| be_parent(ends, &making)) else { return 1 };
    drop(making);
    // It stays until we have looked at its child, or are gone.
    let _ = made.read(&mut [0]);
    let mut told = ends.parent;
    let said = told.write_all(&parent.number().to_ne_bytes());
    reap(parent);
    u8::from(said.is_err())
}

fn be_parent(ends: &Ends<'_>, mut making: &PipeWriter) -> u8 {
    close_from_3(&[making.as_raw_fd(), ends.leave.as_raw_fd(), ends.die.as_raw_fd()].map(Some));
    let child = start_copy(|| {
        close_from_3(&[Some(ends.die.as_raw_fd())]);
        let mut die = ends.die;
        let _ = die.read(&mut [0]);
        0
    });
    let _ = making.write_all(b"1");
    let mut leave = ends.leave;
    let _ = leave.read(&mut [0]);
    u8::from(child.is_err())
}
