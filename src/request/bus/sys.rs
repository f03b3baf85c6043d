//! What the speaker needs of the kernel and has no safe call for.
#![expect(unsafe_code, reason = "descriptors that come as numbers, poll(2), SO_PEERCRED")]

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

/// A socket that process 1 listens on, in a copy of it that ends by `_exit`: nothing else closes the copy's number.
pub(super) fn listener(number: RawFd) -> UnixListener {
    // SAFETY: open, because process 1 has it so; and ours, because what had it in the original never runs again here.
    UnixListener::from(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Who has connected (SO_PEERCRED in unix(7)): its pid, 0 if that cannot be seen from here, and its user.
pub(super) fn peer(stream: &UnixStream) -> Option<(i32, u32)> {
    let mut peer = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    let place = (&raw mut peer).cast();
    // SAFETY: the kernel writes at most as many bytes as the length says, which is the size of `peer`.
    let done =
        unsafe { libc::getsockopt(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERCRED, place, &raw mut length) };
    (done == 0).then_some((peer.pid, peer.uid))
}

/// poll(2): waits until something of that has come, or the time is over. Entries without a descriptor are not for the
/// kernel, which takes no more than one may have open (RLIMIT_NOFILE in getrlimit(2)).
pub(super) fn wait(asked: &mut [libc::pollfd], limit: Duration) -> io::Result<()> {
    let mut open: Vec<libc::pollfd> = asked.iter().filter(|entry| entry.fd >= 0).copied().collect();
    // Not before the time.
    let milliseconds = i32::try_from(limit.as_millis().saturating_add(1)).unwrap_or(i32::MAX);
    // SAFETY: as many entries as are told, all ours.
    if unsafe { libc::poll(open.as_mut_ptr(), open.len() as libc::nfds_t, milliseconds) } < 0 {
        return match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            error => Err(error),
        };
    }
    asked.iter_mut().filter(|entry| entry.fd >= 0).zip(open).for_each(|(entry, found)| *entry = found);
    Ok(())
}
