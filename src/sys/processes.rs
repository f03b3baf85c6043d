//! Other processes by a descriptor, which stays theirs when the number is somebody else's (pidfd_open(2)).

use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::errno::Errno;
use supervise_init::sys::Pid;

/// A descriptor of the process, close-on-exec; readable when it has ended (Linux 5.3).
///
/// # Errors
/// ESRCH: it is gone; ENOSYS or EPERM: an older kernel, a filter.
pub(crate) fn pidfd(pid: Pid) -> Result<OwnedFd, Errno> {
    // SAFETY: takes two integers and touches no memory of ours.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid.number(), 0) })?;
    // SAFETY: new, and nobody else's. The kernel's descriptors are small numbers.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// SIGKILL (pidfd_send_signal(2)).
///
/// # Errors
/// ESRCH: it has ended; EPERM: it is not ours to kill.
pub(crate) fn kill(pidfd: BorrowedFd<'_>) -> Result<(), Errno> {
    let nothing = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: integers and a null pointer, which the kernel takes for kill(2)'s information.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), libc::SIGKILL, nothing, 0) };
    Errno::result(result).map(drop)
}

/// Lets the program have these descriptors too, by their numbers, and be killed when the thread that starts it ends
/// (PR_SET_PDEATHSIG). Who changes its user afterwards is not killed any more.
pub(crate) fn tie(command: &mut Command, kept: Vec<RawFd>) {
    let work = move || {
        for fd in &kept {
            // SAFETY: takes integers and touches no memory of ours.
            Errno::result(unsafe { libc::fcntl(*fd, libc::F_SETFD, 0) })?;
        }
        // SAFETY: as above.
        Errno::result(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong, 0, 0, 0) })?;
        Ok(())
    };
    // SAFETY: two system calls on integers that were prepared before.
    unsafe { command.pre_exec(work) };
}
