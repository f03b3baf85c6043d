//! A helper: a copy of ourselves that may allocate and block where process 1 may not.
//!
//! It announces its end by another signal than SIGCHLD, which makes it a "clone child" (wait(2), `__WCLONE`): the wait
//! that reaps all others does not see it, so it never looks like something that the program left behind.

use core::time::Duration;

use super::clock::timespec;
use super::errno::{Errno, cerr};
use super::fds::Fd;
use super::process::Pid;
use super::signals::{HELPER_ENDED, send};
use super::wait::{Change, change};
use crate::core::{Signal, Status};

/// A helper that runs, or has ended and was not reaped yet.
#[derive(Debug)]
pub struct Helper {
    pid: Pid,
}

impl Helper {
    /// Does `work` in a copy of ourselves, which ends with it. All signals stay blocked in it.
    ///
    /// # Errors
    /// The kernel's: a limit on processes, no memory, a filter.
    pub fn start(work: impl FnOnce()) -> Result<Helper, Errno> {
        let work = || {
            work();
            0
        };
        Helper::start_with_code(work)
    }

    /// The same with the code that `work` ends with.
    ///
    /// # Errors
    /// As above.
    pub fn start_with_code(work: impl FnOnce() -> u8) -> Result<Helper, Errno> {
        Ok(Helper { pid: fork(i32::from(HELPER_ENDED.number()), work)? })
    }

    /// Its number.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Whether it has ended; it is reaped then.
    pub fn has_ended(&self) -> bool {
        self.end_status().is_some()
    }

    /// How it has ended, if it has; it is reaped then.
    pub fn end_status(&self) -> Option<Status> {
        let mut raw = 0;
        // SAFETY: the kernel writes one integer to `raw`.
        let found = unsafe { libc::waitpid(self.pid.number(), &raw mut raw, libc::WNOHANG | libc::__WCLONE) };
        match (found, change(raw)) {
            (0, _) => None,
            (_, Some(Change::Ended(status))) if found > 0 => Some(status),
            // It is nobody's any more.
            _ => Some(Status::Exited(0)),
        }
    }

    /// The signal that has stopped it since this was last asked. SIGCHLD tells of that, and not the signal of its end.
    /// (Before Linux 4.7 waitid(2) knows nothing of such a child.)
    pub fn was_stopped(&self) -> Option<Signal> {
        let mut info = core::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
        let (id, options) = (self.pid.number() as libc::id_t, libc::WSTOPPED | libc::WNOHANG | libc::__WCLONE);
        // SAFETY: `info` has room for a siginfo_t.
        let found = unsafe { libc::waitid(libc::P_PID, id, info.as_mut_ptr(), options) };
        // SAFETY: all zeros are a valid siginfo_t, and stay so where there is nothing to tell.
        let info = unsafe { info.assume_init() };
        if found != 0 || info.si_signo != libc::SIGCHLD {
            return None;
        }
        // SAFETY: of a child the kernel fills in its status, which is the signal where it was stopped.
        Signal::new(unsafe { info.si_status() })
    }

    /// Kills it, and does not wait for its end, which is told of as any other.
    pub fn kill(&self) {
        // It is not reaped, so the number is its own.
        let _ = send(self.pid, Signal::KILL);
    }

    /// Gives it so long to end, then kills it.
    pub fn end(self, limit: Duration) {
        /// Longer than a process that can be killed takes to die. One that cannot must not hold us up.
        const DEATH: Duration = Duration::from_millis(100);
        if self.has_ended() {
            return;
        }
        self.wait_end(limit);
        if !self.has_ended() {
            self.kill();
            self.wait_end(DEATH);
            self.has_ended();
        }
    }

    /// Waits so long for its end.
    pub fn wait_end(&self, limit: Duration) {
        let Ok(pidfd) = Fd::of_process(self.pid.number()) else {
            let time = timespec(limit);
            // SAFETY: `time` lives through the call; what is left of it is not asked for.
            unsafe { libc::nanosleep(&raw const time, core::ptr::null_mut()) };
            return;
        };
        pidfd.wait_readable(limit);
    }
}

/// fork(2), in the child of which `work` is done and its result the exit code. `ending` is the signal by which the child
/// announces its end.
pub(super) fn fork(ending: i32, work: impl FnOnce() -> u8) -> Result<Pid, Errno> {
    let nothing: libc::c_long = 0;
    let flags = libc::c_long::from(ending);
    // SAFETY: without flags but that signal, and without a stack it is fork(2), in a process of one thread. The copy runs on its own memory
    // and ends below, without returning to anything that was started for the original.
    let number = cerr(unsafe { libc::syscall(libc::SYS_clone, flags, nothing, nothing, nothing, nothing) })?;
    match Pid::new(number as i32) {
        Some(pid) => Ok(pid),
        None => {
            let code = work();
            // SAFETY: takes an integer and does not return.
            unsafe { libc::_exit(i32::from(code)) }
        }
    }
}
