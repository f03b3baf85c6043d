//! A FIFO that others write to, made anew over whatever stood there. We have it open for reading alone: with each read the
//! kernel tells those who may write, and by SIGIO we would wake ourselves for ever. That its last writer has gone, which is
//! its end, then means no more than that it is empty. (Inits that poll theirs open it for writing too, because its end would wake
//! them for ever; SIGIO tells of its end once.)

use core::ffi::CStr;

use super::errno::{Errno, cerr};
use super::fds::Fd;
use super::files::{Identity, announce, remove_directory, unlink};
use super::process::{Pid, effective_user};

/// An open FIFO and its name.
#[derive(Debug)]
pub struct Fifo {
    fd: Fd,
    path: &'static CStr,
}

/// For its owner alone: who may write may stop the container.
const MODE: libc::mode_t = 0o600;

impl Fifo {
    /// Makes it, and says whether anything stood there. What stands there from an earlier run is used again if it is a FIFO
    /// of our own for us alone, and is removed otherwise.
    ///
    /// # Errors
    /// The kernel's: a directory that we may not write to; ENOTEMPTY if a directory with something in it stands there.
    /// EADDRINUSE: somebody else reads it, such as the init of a system whose files we share.
    pub fn offer(path: &'static CStr, ourselves: Pid) -> Result<(Fifo, bool), Errno> {
        let was_there = make(path)?;
        let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOFOLLOW;
        let fd = Fd::open(path, flags)?;
        announce(&fd, ourselves)?;
        Ok((Fifo { fd, path }, was_there))
    }

    /// What waits in it; 0 if nothing does.
    pub fn read(&self, buffer: &mut [u8]) -> usize {
        // EAGAIN: drained, by writers who are still there.
        self.fd.read(buffer).unwrap_or(0)
    }

    /// Whether its name still leads to it.
    pub fn is_there(&self) -> bool {
        match (Identity::of(self.path), Identity::of_open(&self.fd)) {
            (Ok(there), Ok(ours)) => there.is_same_file(&ours),
            _ => false,
        }
    }

    /// Removes its name. (Whoever has put something else there was told to end.)
    pub fn remove(&self) {
        let _ = unlink(self.path);
    }

    /// Its number.
    pub fn raw(&self) -> i32 {
        self.fd.raw()
    }
}

fn make(path: &CStr) -> Result<bool, Errno> {
    // SAFETY: the path ends with a NUL and the kernel only reads it.
    let create = || cerr(i64::from(unsafe { libc::mkfifo(path.as_ptr(), MODE) })).map(|_| ());
    match create() {
        Err(Errno(libc::EEXIST)) => {}
        other => return other.map(|()| false),
    }
    let there = Identity::of(path)?;
    if there.is_fifo() {
        // ENXIO where nobody reads it.
        if Fd::open(path, libc::O_WRONLY | libc::O_NONBLOCK | libc::O_NOFOLLOW).is_ok() {
            return Err(Errno(libc::EADDRINUSE));
        }
        if there.owner == effective_user() && there.mode & 0o7777 == MODE {
            return Ok(true);
        }
    }
    if there.is_directory() {
        remove_directory(path)?;
    } else {
        unlink(path)?;
    }
    create().map(|()| true)
}
