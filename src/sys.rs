//! What the crates have no safe call for.
#![expect(unsafe_code, reason = "fork(2) returns twice")]

use nix::errno::Errno;
use nix::unistd::{ForkResult, fork};
use supervise_init::sys::Pid;

/// Does `work` in a copy of ourselves, which ends with the code that it returns. The copy may allocate and block, and all
/// that is blocked in us is blocked in it.
///
/// # Errors
/// The kernel's: a limit on processes, no memory, a filter.
pub(crate) fn start_copy(work: impl FnOnce() -> u8) -> Result<Pid, Errno> {
    // SAFETY: a process of one thread, so no lock is held in the copy by a thread that it does not have.
    match unsafe { fork()? } {
        ForkResult::Parent { child } => Pid::new(child.as_raw()).ok_or(Errno::ESRCH),
        ForkResult::Child => {
            let code = work();
            // SAFETY: takes an integer and does not return, so nothing that was begun for the original ends twice.
            unsafe { libc::_exit(i32::from(code)) }
        }
    }
}
