//! File descriptors: owned, close-on-exec at birth, and never 0, 1 or 2, also when those came closed.

use core::time::Duration;

use super::errno::{Errno, cerr};

/// A descriptor that is closed when dropped. (`core` has no `OwnedFd`.)
#[derive(Debug)]
pub struct Fd(i32);

impl Fd {
    /// One that came to us with a message, and is ours from now on.
    pub(super) fn received(number: i32) -> Fd {
        Fd(number)
    }

    /// The lowest number that a descriptor of ours may have.
    const LOWEST: i32 = 3;

    /// open(2), close-on-exec.
    pub(super) fn open(path: &core::ffi::CStr, flags: i32) -> Result<Fd, Errno> {
        Fd::openat(path, flags, 0)
    }

    /// Opens a file to be written to at some later time, and makes it if it is not there; what it holds stays. A FIFO
    /// that nobody reads is refused rather than waited for.
    ///
    /// # Errors
    /// The kernel's.
    pub fn create(path: &core::ffi::CStr) -> Result<Fd, Errno> {
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_NOCTTY | libc::O_NONBLOCK;
        Fd::openat(path, flags, 0o644)
    }

    /// openat(2) from the working directory, close-on-exec. Raw, because musl's open sets that once more by a call of its
    /// own.
    pub(super) fn openat(path: &core::ffi::CStr, flags: i32, mode: libc::c_uint) -> Result<Fd, Errno> {
        let flags = flags | libc::O_CLOEXEC;
        // SAFETY: `path` ends with a NUL and the kernel only reads it.
        let fd = cerr(unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, mode) })?;
        Fd(fd as i32).above_the_standard_streams()
    }

    /// Whether it is the very file that stdout or stderr is: what is put into it would overwrite what they hold.
    pub fn is_an_output(&self) -> bool {
        let file = identity(self.0);
        file.is_some() && [libc::STDOUT_FILENO, libc::STDERR_FILENO].into_iter().any(|output| identity(output) == file)
    }

    /// Puts `content` into the file in the place of what it holds. What cannot be written whole is not written at all,
    /// as far as the file lets that be undone.
    ///
    /// # Errors
    /// The kernel's: a full disk, a limit, a pipe without a reader.
    pub fn replace_content(&self, content: &[u8]) -> Result<(), Errno> {
        let written = self.write_from_start(content);
        let length = if written.is_ok() { content.len() } else { 0 };
        // SAFETY: takes integers. A terminal or a pipe has no length.
        unsafe { libc::ftruncate(self.0, length as libc::off_t) };
        written
    }

    fn write_from_start(&self, content: &[u8]) -> Result<(), Errno> {
        let mut rest = content;
        let mut offset: libc::off_t = 0;
        while !rest.is_empty() {
            // SAFETY: the pointer and the length are of one slice.
            let mut count = unsafe { libc::pwrite(self.0, rest.as_ptr().cast(), rest.len(), offset) };
            // A pipe or a terminal has no positions.
            if count == -1 && Errno::last() == Errno(libc::ESPIPE) {
                // SAFETY: as above.
                count = unsafe { libc::write(self.0, rest.as_ptr().cast(), rest.len()) };
            }
            let count = cerr(count as i64)?;
            if count == 0 {
                return Err(Errno(libc::ENOSPC));
            }
            offset = offset.saturating_add(count);
            rest = rest.get(count as usize..).unwrap_or_default();
        }
        Ok(())
    }

    /// socket(2).
    pub(super) fn socket(family: i32, kind: i32) -> Result<Fd, Errno> {
        // SAFETY: takes integers and touches no memory of ours.
        let fd = cerr(i64::from(unsafe { libc::socket(family, kind, 0) }))?;
        Fd(fd as i32).above_the_standard_streams()
    }

    /// socketpair(2).
    pub(super) fn socket_pair(family: i32, kind: i32) -> Result<(Fd, Fd), Errno> {
        let mut ends = [-1; 2];
        // SAFETY: `ends` has room for the two descriptors that the kernel writes.
        cerr(i64::from(unsafe { libc::socketpair(family, kind, 0, ends.as_mut_ptr()) }))?;
        let [one, other] = ends.map(Fd);
        Ok((one.above_the_standard_streams()?, other.above_the_standard_streams()?))
    }

    /// Waits so long for something to read, or of a process for its end. Whether that has come.
    pub fn wait_readable(&self, limit: Duration) -> bool {
        let mut asked = libc::pollfd { fd: self.0, events: libc::POLLIN, revents: 0 };
        let milliseconds = i32::try_from(limit.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: one entry, which is ours.
        unsafe { libc::poll(&raw mut asked, 1, milliseconds) > 0 }
    }

    /// pidfd_open(2).
    ///
    /// # Errors
    /// The kernel's: ESRCH, or ENOSYS before Linux 5.3.
    pub fn of_process(pid: i32) -> Result<Fd, Errno> {
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

    /// The same open file by another number, from `lowest` on.
    pub(super) fn copy_above(&self, lowest: i32) -> Result<Fd, Errno> {
        // SAFETY: takes integers and touches no memory of ours.
        let copy = cerr(i64::from(unsafe { libc::fcntl(self.0, libc::F_DUPFD_CLOEXEC, lowest) }))?;
        Ok(Fd(copy as i32))
    }

    /// What the kernel chose, or a copy from 3 on where a standard stream came closed.
    fn above_the_standard_streams(self) -> Result<Fd, Errno> {
        if self.0 >= Fd::LOWEST {
            return Ok(self);
        }
        self.copy_above(Fd::LOWEST)
    }

    /// Its number, which stays ours.
    pub fn raw(&self) -> i32 {
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

/// Which file a descriptor is of, if it is of a regular one (fstat(2)).
fn identity(fd: i32) -> Option<(libc::dev_t, libc::ino_t)> {
    let mut status = core::mem::MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: `status` has room for what the kernel writes.
    cerr(i64::from(unsafe { libc::fstat(fd, status.as_mut_ptr()) })).ok()?;
    // SAFETY: all zeros are a valid stat, and the kernel has filled it in.
    let status = unsafe { status.assume_init() };
    (status.st_mode & libc::S_IFMT == libc::S_IFREG).then_some((status.st_dev, status.st_ino))
}

/// Closes every descriptor from 3 on but those that are `spared`, by their numbers. Our caller's sockets and files are the
/// payload's, not ours to hold.
pub fn close_from_3(spared: &[Option<i32>]) {
    let mut first = Fd::LOWEST;
    // The next one each time: they are few.
    while let Some(next) = spared.iter().flatten().copied().filter(|spared| *spared >= first).min() {
        close_range(first, next.saturating_sub(1));
        first = next.saturating_add(1);
    }
    close_range(first, i32::MAX);
}

fn close_range(first: i32, last: i32) {
    if first > last {
        return;
    }
    // SAFETY: takes integers; no descriptor that we still use is in that range.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    // Linux before 5.9, or refused by a filter.
    if closed == -1 {
        close_one_by_one(first, last);
    }
}

fn close_one_by_one(first: i32, last: i32) {
    /// Where there is no limit on their number, those beyond this one stay open.
    const MOST: u64 = 65_536;
    let mut limit = libc::rlimit { rlim_cur: MOST, rlim_max: MOST };
    // SAFETY: `limit` is ours; where the call fails it keeps its value.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    let end = (limit.rlim_cur.min(MOST) as i32).min(last.saturating_add(1));
    for fd in first..end {
        // SAFETY: takes an integer; closing what is not open does nothing.
        unsafe { libc::close(fd) };
    }
}
