//! Datagrams, each with who has sent it (SCM_CREDENTIALS in unix(7)), and never with descriptors that came along.
//!
//! Whoever receives descriptors closes them, and the last close may take as long as whoever has made the file wants: a
//! socket that lingers (SO_LINGER in socket(7)), also one inside of another one; a file of a server that does not answer.
//! The kernel closes what there is no room for in the receiver's name too. So:
//!
//! 1. We look at a datagram without taking it (MSG_PEEK), which gives us no descriptor, and take those without any.
//! 2. One with descriptors is taken when the next one is asked for, so when it was dealt with, by a process of its own: the
//!    taker, which closes them, and dies of its alarm when that takes long.
//! 3. There is one taker at a time. While one hangs, and where none can be started, nothing that is behind is received.

use core::mem::{MaybeUninit, size_of};
use core::ptr;
use core::time::Duration;

use super::ancillary::{Given, Words};
use super::errno::{Errno, cerr};
use super::fds::{Fd, close_from_3};
use super::helper::Helper;
use super::process::Pid;
use super::signals::die_of_alarm;

/// What is read from one socket.
#[derive(Debug, Default)]
pub struct Mail {
    /// The first datagram was looked at, has descriptors, and is still there.
    is_looked_at: bool,
    taker: Option<Helper>,
    /// It may not have it yet.
    is_taking: bool,
    /// It was killed, and is not waited for again: its end is told of as any other.
    is_killed: bool,
}

/// A datagram.
#[derive(Clone, Copy, Debug)]
pub(super) struct Letter {
    /// How much of the buffer is of it.
    pub(super) length: usize,
    /// It is longer than that.
    pub(super) is_cut: bool,
    /// The pid of who has sent it, 0 if that is outside, and its user.
    pub(super) sender: Option<(i32, u32)>,
    /// How much of the address is of it.
    pub(super) address_length: libc::socklen_t,
}

impl Mail {
    /// How long we wait until a taker has the datagram.
    const TAKING: Duration = Duration::from_millis(50);
    /// Longer than a process that can be killed takes to die.
    const DEATH: Duration = Duration::from_millis(50);

    /// The next one; `None`: nothing waits, or it cannot be received ([`Mail::is_stuck`]).
    pub(super) fn next(&mut self, fd: &Fd, buffer: &mut [u8], address: &mut libc::sockaddr_un) -> Option<Letter> {
        self.reap();
        if self.is_taking || self.is_looked_at && !self.have_it_taken(fd) {
            return None;
        }
        let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        let mut words = MaybeUninit::<Words<4>>::zeroed();
        // SAFETY: all zeros are a valid header.
        let mut header: libc::msghdr = unsafe { core::mem::zeroed() };
        header.msg_name = ptr::from_mut(address).cast();
        header.msg_namelen = size_of::<libc::sockaddr_un>() as libc::socklen_t;
        header.msg_iov = &raw mut part;
        header.msg_iovlen = 1;
        header.msg_control = words.as_mut_ptr().cast();
        header.msg_controllen = size_of::<Words<4>>() as _;
        // SAFETY: everything that the header points to lives through the call and has the size that it says.
        let count = unsafe { libc::recvmsg(fd.raw(), &raw mut header, libc::MSG_PEEK | libc::MSG_DONTWAIT) };
        let length = usize::try_from(count).ok()?;
        // SAFETY: all zeros are valid, and the kernel has filled in as much of it as the header says.
        let words = unsafe { words.assume_init() };
        // There is room for the credentials alone.
        self.is_looked_at = header.msg_flags & libc::MSG_CTRUNC != 0;
        if !self.is_looked_at {
            // SAFETY: nothing is written where there is no room. Nobody else receives here: it is the same one.
            unsafe { libc::recv(fd.raw(), ptr::null_mut(), 0, libc::MSG_DONTWAIT) };
        }
        let is_cut = header.msg_flags & libc::MSG_TRUNC != 0;
        let sender = words.sender(header.msg_controllen as usize);
        Some(Letter { length, is_cut, sender, address_length: header.msg_namelen })
    }

    /// Whether what was looked at is gone.
    fn have_it_taken(&mut self, fd: &Fd) -> bool {
        if let Some(earlier) = self.taker.as_ref().filter(|_| !self.is_killed) {
            earlier.kill();
            earlier.wait_end(Mail::DEATH);
            self.is_killed = true;
            self.reap();
        }
        if self.taker.is_some() {
            return false;
        }
        let Ok((taken, tell)) = Fd::pipe() else { return false };
        let Ok(taker) = Helper::start(|| take(fd, tell)) else { return false };
        self.taker = Some(taker);
        self.is_looked_at = false;
        // It has the only other end.
        self.is_taking = !taken.wait_readable(Mail::TAKING);
        self.reap();
        !self.is_taking
    }

    /// Whether something may wait that could not be received: to be tried again when a process has ended.
    pub fn is_stuck(&self) -> bool {
        self.is_looked_at || self.is_taking
    }

    /// The taker, if one runs.
    pub fn taker(&self) -> Option<Pid> {
        self.taker.as_ref().map(Helper::pid)
    }

    /// A helper has ended: it may be the taker.
    pub fn reap(&mut self) {
        if self.taker.take_if(|taker| taker.has_ended()).is_some() {
            (self.is_taking, self.is_killed) = (false, false);
        }
    }

    /// Nothing is read any more.
    pub(super) fn close(&self) {
        if let Some(taker) = &self.taker {
            taker.kill();
        }
    }
}

/// Receives one datagram, says so by closing `tell`, and closes what came with it.
fn take(fd: &Fd, tell: Fd) {
    die_of_alarm(1);
    // What there is no room for is closed before we could say so.
    close_from_3(&[Some(fd.raw()), Some(tell.raw())]);
    let _ = raise_descriptors();
    let mut words = MaybeUninit::<Words<{ Given::WORDS }>>::zeroed();
    // SAFETY: all zeros are a valid header.
    let mut header: libc::msghdr = unsafe { core::mem::zeroed() };
    header.msg_control = words.as_mut_ptr().cast();
    header.msg_controllen = size_of::<Words<{ Given::WORDS }>>() as _;
    // SAFETY: everything that the header points to lives through the call and has the size that it says.
    unsafe { libc::recvmsg(fd.raw(), &raw mut header, libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC) };
    drop(tell);
    // SAFETY: all zeros are valid, and the kernel has filled in as much of it as the header says.
    let words = unsafe { words.assume_init() };
    drop(words.given(header.msg_controllen as usize));
}

/// setrlimit(2): as many descriptors as we may have.
fn raise_descriptors() -> Result<(), Errno> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes one structure to `limit`.
    cerr(i64::from(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) }))?;
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: the kernel reads one structure from `limit`.
    cerr(i64::from(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) })).map(|_| ())
}
