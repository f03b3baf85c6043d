//! Other processes by a descriptor, which stays theirs when the number is somebody else's (pidfd_open(2)).

use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use supervise_init::core::{Signal, Status};
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

/// Whether it has ended, with all its threads.
pub(crate) fn has_ended(pidfd: BorrowedFd<'_>) -> bool {
    let mut polled = [PollFd::new(pidfd, PollFlags::POLLIN)];
    poll(&mut polled, PollTimeout::ZERO).is_ok_and(|count| count > 0)
}

/// SIGKILL (pidfd_send_signal(2)).
///
/// # Errors
/// ESRCH: it has ended; EPERM: it is not ours to kill.
pub(crate) fn kill(pidfd: BorrowedFd<'_>) -> Result<(), Errno> {
    signal(pidfd, Signal::KILL)
}

/// pidfd_send_signal(2).
///
/// # Errors
/// ESRCH: it has ended; EPERM: it is not ours to signal.
pub(crate) fn signal(pidfd: BorrowedFd<'_>, signal: Signal) -> Result<(), Errno> {
    send(pidfd, signal, 0)
}

/// The same of the process group that it leads, by its number where the kernel knows no other way (before Linux 6.9):
/// PIDFD_SIGNAL_PROCESS_GROUP.
///
/// # Errors
/// ESRCH: nobody is in it; EPERM: nobody in it is ours to signal.
pub(crate) fn signal_group(pidfd: BorrowedFd<'_>, leader: Pid, signal: Signal) -> Result<(), Errno> {
    match send(pidfd, signal, libc::PIDFD_SIGNAL_PROCESS_GROUP) {
        Err(Errno::EINVAL) => {
            // SAFETY: takes two integers and touches no memory of ours.
            Errno::result(unsafe { libc::kill(-leader.number(), signal.number().into()) }).map(drop)
        }
        sent => sent,
    }
}

fn send(pidfd: BorrowedFd<'_>, signal: Signal, flags: libc::c_uint) -> Result<(), Errno> {
    let nothing = std::ptr::null::<libc::siginfo_t>();
    let (pidfd, number) = (pidfd.as_raw_fd(), i32::from(signal.number()));
    // SAFETY: integers and a null pointer, which the kernel takes for kill(2)'s information.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd, number, nothing, flags) };
    Errno::result(result).map(drop)
}

/// How a process has ended that its parent has reaped, whoever that is (PIDFD_GET_INFO with PIDFD_INFO_EXIT). `None`: it
/// is not reaped.
///
/// # Errors
/// ENOTTY, EINVAL: a kernel before 6.15.
pub(crate) fn end_of(pidfd: BorrowedFd<'_>) -> Result<Option<Status>, Errno> {
    // SAFETY: all zeros are a valid `pidfd_info`: integers.
    let mut info: libc::pidfd_info = unsafe { std::mem::zeroed() };
    info.mask = u64::from(libc::PIDFD_INFO_EXIT);
    // SAFETY: the request says the size of the struct, which lives through the call.
    Errno::result(unsafe { libc::ioctl(pidfd.as_raw_fd(), libc::PIDFD_GET_INFO as _, &raw mut info) })?;
    let is_told = info.mask & u64::from(libc::PIDFD_INFO_EXIT) != 0;
    Ok(is_told.then(|| status_of(info.exit_code)).flatten())
}

/// Sends a process 1 below us a signal as the kernel sends it what comes of a terminal: with a code that says of no process
/// who it was. (The kernel lets nobody say SI_KERNEL; SI_TIMER is also its own.)
///
/// # Errors
/// ESRCH: it is gone; EPERM: it is not ours to signal.
pub(crate) fn send_as_kernel(pid: Pid, signal: Signal) -> Result<(), Errno> {
    let number = i32::from(signal.number());
    // SAFETY: all zeros are a valid siginfo_t.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    info.si_signo = number;
    info.si_code = libc::SI_TIMER;
    // SAFETY: integers and a siginfo_t that lives through the call.
    let result = unsafe { libc::syscall(libc::SYS_rt_sigqueueinfo, pid.number(), number, &raw const info) };
    Errno::result(result).map(drop)
}

/// A wait status, as wait(2) has it.
pub(crate) fn status_of(raw: i32) -> Option<Status> {
    match libc::WIFEXITED(raw) {
        true => Some(Status::Exited(libc::WEXITSTATUS(raw) as u8)),
        false => Signal::new(libc::WTERMSIG(raw)).map(Status::Signaled),
    }
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
