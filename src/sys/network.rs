//! Network interfaces: the two calls that make the loopback of a new namespace work.

use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use nix::errno::Errno;

/// Sets an interface up (IFF_UP by SIOCSIFFLAGS in netdevice(7)), in the network namespace that we are in.
///
/// # Errors
/// EPERM without CAP_NET_ADMIN there; ENODEV: there is none of that name.
pub(crate) fn set_interface_up(name: &std::ffi::CStr) -> Result<(), Errno> {
    // SAFETY: takes integers and touches no memory of ours.
    let socket = Errno::result(unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: new, and nobody else's.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    // SAFETY: all zeros are a valid `ifreq`: characters and a union of integers.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last character stays the NUL.
    let place = request.ifr_name.iter_mut().rev().skip(1).rev();
    place.zip(name.to_bytes()).for_each(|(to, from)| *to = *from as libc::c_char);
    // SAFETY: the kernel reads the name and writes the flags.
    Errno::result(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS as _, &raw mut request) })?;
    // SAFETY: the call above has written this member.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    request.ifr_ifru.ifru_flags = flags | libc::IFF_UP as libc::c_short;
    // SAFETY: the kernel reads the name and the flags.
    Errno::result(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) }).map(drop)
}
