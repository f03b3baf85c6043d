//! A socket that we listen on for others to accept from: a child of ours, which is a copy of us, does that. To its clients
//! it is ours: SO_PEERCRED in unix(7) names who has called listen(2).

use core::ffi::CStr;

use super::control::bind;
use super::errno::{Errno, cerr};
use super::fds::Fd;
use super::files::{Identity, announce, unlink};
use super::process::Pid;

/// The socket and its name.
#[derive(Debug)]
pub struct Stream {
    fd: Fd,
    path: &'static CStr,
    /// The file of that name: another one that has taken its place is not ours to remove.
    file: Identity,
}

/// How many connections may wait.
const BACKLOG: i32 = 128;

impl Stream {
    /// Makes it and listens, with these permissions. What an earlier run has left there is replaced.
    ///
    /// # Errors
    /// The kernel's: a directory that we may not write to; EISDIR: a directory stands there; EADDRINUSE: somebody listens.
    pub fn offer(path: &'static CStr, mode: libc::mode_t, ourselves: Pid) -> Result<Stream, Errno> {
        let fd = Fd::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK)?;
        // Nobody can connect yet.
        bind(&fd, path, libc::SOCK_STREAM, mode)?;
        let file = Identity::of(path)?;
        announce(&fd, ourselves)?;
        // SAFETY: takes two integers.
        cerr(i64::from(unsafe { libc::listen(fd.raw(), BACKLOG) }))?;
        Ok(Stream { fd, path, file })
    }

    /// Whether a connection waits.
    pub fn is_waiting(&self) -> bool {
        let mut asked = libc::pollfd { fd: self.fd.raw(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one entry, which is ours.
        unsafe { libc::poll(&raw mut asked, 1, 0) == 1 && asked.revents & libc::POLLIN != 0 }
    }

    /// Whether its name still leads to it.
    pub fn is_there(&self) -> bool {
        Identity::of(self.path).is_ok_and(|there| there.is_same_file(&self.file))
    }

    /// Removes its name, unless somebody else has it by now.
    pub fn remove(&self) {
        if self.is_there() {
            // Nobody else will miss it.
            let _ = unlink(self.path);
        }
    }

    /// Its number.
    pub fn raw(&self) -> i32 {
        self.fd.raw()
    }
}
