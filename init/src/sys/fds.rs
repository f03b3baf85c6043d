//! File descriptors: owned, close-on-exec at birth, and never 0, 1 or 2, also when those came closed.

use super::errno::{Errno, cerr};

/// A descriptor that is closed when dropped. (`core` has no `OwnedFd`.)
#[derive(Debug)]
pub struct Fd(i32);

impl Fd {
    /// The lowest number that a descriptor of ours may have.
    const LOWEST: i32 = 3;

    /// open(2), close-on-exec.
    pub(super) fn open(path: &core::ffi::CStr, flags: i32) -> Result<Fd, Errno> {
        // SAFETY: `path` ends with a NUL and the kernel only reads it.
        let fd = cerr(i64::from(unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC) }))?;
        Fd(fd as i32).above_the_standard_streams()
    }

    /// pidfd_open(2) (Linux 5.3).
    pub(super) fn of_process(pid: i32) -> Result<Fd, Errno> {
        // SAFETY: takes two integers and touches no memory of ours.
        let fd = cerr(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
        Fd(fd as i32).above_the_standard_streams()
    }

    /// pipe2(2): the reading end, then the writing end.
    pub(super) fn pipe() -> Result<(Fd, Fd), Errno> {
        let mut ends = [-1; 2];
        // SAFETY: `ends` has room for the two descriptors that the kernel writes.
        cerr(i64::from(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) }))?;
        let [reading, writing] = ends.map(Fd);
        Ok((reading.above_the_standard_streams()?, writing.above_the_standard_streams()?))
    }

    /// What the kernel chose, or a copy from 3 on where a standard stream came closed.
    fn above_the_standard_streams(self) -> Result<Fd, Errno> {
        if self.0 >= Fd::LOWEST {
            return Ok(self);
        }
        // SAFETY: takes integers and touches no memory of ours.
        let copy = cerr(i64::from(unsafe { libc::fcntl(self.0, libc::F_DUPFD_CLOEXEC, Fd::LOWEST) }))?;
        Ok(Fd(copy as i32))
    }

    pub(super) fn raw(&self) -> i32 {
        self.0
    }

    /// read(2), again if a signal came in between.
    pub(super) fn read(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        loop {
            // SAFETY: the pointer and the length are of one slice of ours.
            let result = unsafe { libc::read(self.0, buffer.as_mut_ptr().cast(), buffer.len()) };
            match cerr(result as i64) {
                Err(Errno(libc::EINTR)) => {}
                other => return other.map(|count| count.unsigned_abs() as usize),
            }
        }
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        // SAFETY: nobody else has the number.
        unsafe { libc::close(self.0) };
    }
}

/// Closes every descriptor from 3 on. Our caller's sockets and files are the payload's, not ours to hold.
pub fn close_from_3() {
    // SAFETY: takes integers; no descriptor that we still use is in that range.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, Fd::LOWEST, u32::MAX, 0) };
    // Linux before 5.9, or refused by a filter.
    if closed == -1 {
        close_one_by_one();
    }
}

fn close_one_by_one() {
    /// Where there is no limit on their number, those beyond this one stay open.
    const MOST: u64 = 65_536;
    let mut limit = libc::rlimit { rlim_cur: MOST, rlim_max: MOST };
    // SAFETY: `limit` is ours; where the call fails it keeps its value.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    for fd in Fd::LOWEST..limit.rlim_cur.min(MOST) as i32 {
        // SAFETY: takes an integer; closing what is not open does nothing.
        unsafe { libc::close(fd) };
    }
}
