//! wait4(2), raw: `nix` answers EINVAL after reaping a child that a real-time signal killed.

use core::time::Duration;

use super::clock::timespec;
use super::errno::{Errno, cerr};
use super::process::Pid;
use crate::core::{Left, Signal, Status};

/// What happened to a child.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// It ended and is reaped.
    Ended(Status),
    /// It was stopped by this signal.
    Stopped(Signal),
}

/// What one call finds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reaped {
    /// A child, and what happened to it.
    Child(Pid, Change),
    /// Nothing (more) for now.
    Nothing(Left),
}

/// Takes one change of any child, without waiting for it.
pub fn reap() -> Reaped {
    reap_of(-1)
}

/// The same of that child.
pub fn reap_child(pid: Pid) -> Reaped {
    reap_of(pid.number())
}

/// The same of a child in the process group of that number.
pub fn reap_in_group(leader: Pid) -> Reaped {
    reap_of(-leader.number())
}

/// A child of which [`reap`] would have something to take, which is left there.
pub fn ended_child() -> Option<Pid> {
    let mut info = core::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
    let options = libc::WEXITED | libc::WSTOPPED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: `info` has room for a siginfo_t.
    let found = unsafe { libc::waitid(libc::P_ALL, 0, info.as_mut_ptr(), options) };
    // SAFETY: all zeros are a valid siginfo_t, and stay so where there is nothing to tell; of a child its pid is filled in.
    Pid::new(unsafe { info.assume_init().si_pid() }).filter(|_| found == 0)
}

/// The only place that reaps, but for helpers.
fn reap_of(whom: i32) -> Reaped {
    loop {
        let mut raw = 0;
        // SAFETY: the kernel writes one integer to `raw`; no usage is asked for.
        let result = unsafe { libc::waitpid(whom, &raw mut raw, libc::WNOHANG | libc::WUNTRACED) };
        match cerr(i64::from(result)) {
            Err(Errno(libc::EINTR)) => {}
            Err(_) => return Reaped::Nothing(Left::None),
            Ok(_) => {
                let Some(pid) = Pid::new(result) else { return Reaped::Nothing(Left::Some) };
                if let Some(change) = change(raw) {
                    return Reaped::Child(pid, change);
                }
            }
        }
    }
}

/// Sleeps until a child can be reaped or until there is none (waitid(2) with WNOWAIT), or for a short while if there is
/// a time to be met. For where signals cannot be waited for.
pub fn wait_child(limit: Option<Duration>) {
    /// As long as a leftover that has ended may go unnoticed.
    const WHILE: Duration = Duration::from_millis(20);
    let Some(limit) = limit else {
        let mut info = core::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
        // SAFETY: `info` has room for a siginfo_t.
        let waited =
            unsafe { libc::waitid(libc::P_ALL, 0, info.as_mut_ptr(), libc::WEXITED | libc::WSTOPPED | libc::WNOWAIT) };
        // A filter that refuses this as well must not make us spin.
        if waited == -1 && !matches!(Errno::last(), Errno(libc::ECHILD | libc::EINTR)) {
            sleep(WHILE);
        }
        return;
    };
    sleep(limit.min(WHILE));
}

fn sleep(duration: Duration) {
    let time = timespec(duration);
    // SAFETY: `time` lives through the call; what is left of it is not asked for.
    unsafe { libc::nanosleep(&raw const time, core::ptr::null_mut()) };
}

/// Whether we have children, without reaping any.
pub fn has_children() -> bool {
    let mut info = core::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: `info` has room for a siginfo_t.
    let found = unsafe { libc::waitid(libc::P_ALL, 0, info.as_mut_ptr(), options) };
    found == 0
}

/// Whether that is a child of ours, alive or to be reaped.
pub fn is_child(pid: Pid) -> bool {
    let mut info = core::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: `info` has room for a siginfo_t. ECHILD if it is none.
    let found = unsafe { libc::waitid(libc::P_PID, pid.number() as libc::id_t, info.as_mut_ptr(), options) };
    found == 0
}

/// Whether we have children in this process group (1 or more), without reaping any.
pub(super) fn has_children_in(group: i32) -> bool {
    let mut info = core::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: `info` has room for a siginfo_t. ECHILD if there is none.
    let found = unsafe { libc::waitid(libc::P_PGID, group as libc::id_t, info.as_mut_ptr(), options) };
    found == 0
}

/// Whether this child of ours has been continued since it was stopped. To be asked once: the answer is taken.
pub fn was_continued(child: Pid) -> bool {
    let mut info = core::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
    let options = libc::WCONTINUED | libc::WNOHANG;
    // SAFETY: `info` has room for a siginfo_t.
    let found = unsafe { libc::waitid(libc::P_PID, child.number() as libc::id_t, info.as_mut_ptr(), options) };
    // SAFETY: all zeros are a valid siginfo_t, and stay so where there is nothing to tell.
    found == 0 && unsafe { info.assume_init() }.si_signo == libc::SIGCHLD
}

pub(super) fn change(raw: i32) -> Option<Change> {
    if libc::WIFEXITED(raw) {
        Some(Change::Ended(Status::Exited(libc::WEXITSTATUS(raw) as u8)))
    } else if libc::WIFSIGNALED(raw) {
        Some(Change::Ended(Status::Signaled(Signal::new(libc::WTERMSIG(raw))?)))
    } else if libc::WIFSTOPPED(raw) {
        Some(Change::Stopped(Signal::new(libc::WSTOPSIG(raw))?))
    } else {
        None
    }
}
