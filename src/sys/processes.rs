//! Other processes by a descriptor, which stays theirs when the number is somebody else's (pidfd_open(2)).

use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

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
