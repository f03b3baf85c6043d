//! Sockets for those who have asked to be told something, one each: who does not read fills its own, and nobody else's.

use core::mem::size_of;
use core::time::Duration;

use super::errno::{Errno, cerr};
use super::fds::Fd;

/// Our end of one.
#[derive(Debug)]
pub struct Outlet(Fd);

/// What has become of what was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sent {
    /// It waits to be read.
    Taken,
    /// So much waits there that nothing more can.
    Full,
    /// Nobody has the other end any more.
    Gone,
}

/// How many bytes may wait in one, as the kernel counts them: some hundred datagrams are half of it.
const ROOM: libc::c_int = 128 * 1024;

impl Outlet {
    /// A new one, and the end that is for the other one.
    ///
    /// # Errors
    /// The kernel's: no descriptor or no memory is left.
    pub fn new() -> Result<(Outlet, Fd), Errno> {
        let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        let (ours, theirs) = Fd::socket_pair(libc::AF_UNIX, kind)?;
        let room = ROOM;
        let size = size_of::<libc::c_int>() as libc::socklen_t;
        // SAFETY: the kernel reads one integer. Where it is refused there is as much room as there is by default.
        unsafe { libc::setsockopt(ours.raw(), libc::SOL_SOCKET, libc::SO_SNDBUF, (&raw const room).cast(), size) };
        Ok((Outlet(ours), theirs))
    }

    /// Sends it, and waits for nothing.
    pub fn send(&self, bytes: &[u8]) -> Sent {
        // The first one would be a signal to us.
        let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
        // SAFETY: the pointer and the length are of one slice.
        let sent = unsafe { libc::send(self.0.raw(), bytes.as_ptr().cast(), bytes.len(), flags) };
        match cerr(sent as i64) {
            Ok(_) => Sent::Taken,
            Err(Errno(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM)) => Sent::Full,
            Err(_) => Sent::Gone,
        }
    }

    /// Whether somebody still has the other end.
    pub fn is_open(&self) -> bool {
        !self.poll(0)
    }

    /// Waits at most so long until nobody has the other end.
    pub fn wait_gone(&self, limit: Duration) {
        self.poll(i32::try_from(limit.as_millis()).unwrap_or(i32::MAX));
    }

    /// Whether it is known within so many milliseconds that nobody has the other end.
    fn poll(&self, milliseconds: i32) -> bool {
        let mut asked = libc::pollfd { fd: self.0.raw(), events: 0, revents: 0 };
        // SAFETY: one entry, which is ours.
        let told = unsafe { libc::poll(&raw mut asked, 1, milliseconds) };
        told > 0 && asked.revents & (libc::POLLHUP | libc::POLLERR) != 0
    }

    /// Its number.
    pub fn raw(&self) -> i32 {
        self.0.raw()
    }
}
