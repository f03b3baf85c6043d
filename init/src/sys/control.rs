//! The control socket: datagrams, so that nobody who connects and says nothing holds anything, each with its sender's
//! pid, user and group by the kernel's word (SCM_CREDENTIALS in unix(7)).
//!
//! An answer goes to an abstract name, which nobody has to be looked for in a file system for, or to a file beside our own
//! name: an abstract name is one of a network namespace, and who asks may be in another. No other path is followed,
//! which could lead to where a look takes as long as a server wants.

use core::ffi::CStr;
use core::mem::size_of;
use core::ptr;

use super::errno::{Errno, cerr};
use super::fds::Fd;
use super::files::{Identity, announce, make_own_directory, remove_directory, set_mode, unlink};
use super::mail::{Letter, Mail};
use super::process::Pid;

/// The socket and its name.
#[derive(Debug)]
pub struct Control {
    fd: Fd,
    path: &'static CStr,
    /// Its directory, if that is of our making.
    directory: Option<&'static CStr>,
    /// Credentials are asked for.
    listens: bool,
    mail: Mail,
}

/// Who has sent a datagram.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Its number in our PID namespace; 0 if it is outside.
    pub pid: i32,
    /// Its user.
    pub uid: u32,
    address: libc::sockaddr_un,
    length: libc::socklen_t,
}

/// How the file is called, beside the control socket's own, at which a client of another network namespace is answered.
pub const ANSWERS: &str = "ctl-";

/// Who may send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Door {
    /// Everybody: what is asked for decides.
    Everybody,
    /// The members of this group, and root.
    Group(u32),
}

impl Door {
    fn mode(self) -> libc::mode_t {
        match self {
            Door::Everybody => 0o666,
            Door::Group(_) => 0o660,
        }
    }

    /// Lets its group in.
    fn open(self, path: &CStr) -> Result<(), Errno> {
        let Door::Group(group) = self else { return Ok(()) };
        // SAFETY: the path ends with a NUL and the kernel only reads it.
        cerr(i64::from(unsafe { libc::lchown(path.as_ptr(), u32::MAX, group) })).map(|_| ())
    }
}

impl Control {
    /// Makes it, in its directory, which is made too.
    ///
    /// # Errors
    /// The kernel's: a directory that we may not write to, a name that is too long; EADDRINUSE: somebody else has it.
    pub fn offer(directory: &'static CStr, path: &'static CStr, door: Door, ourselves: Pid) -> Result<Control, Errno> {
        let is_made = make_own_directory(directory)?;
        let made = Control::make(path, door, ourselves);
        if made.is_err() && is_made {
            // Nobody has put anything there yet.
            let _ = remove_directory(directory);
        }
        Ok(Control { fd: made?, path, directory: is_made.then_some(directory), listens: false, mail: Mail::default() })
    }

    fn make(path: &'static CStr, door: Door, ourselves: Pid) -> Result<Fd, Errno> {
        let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        let fd = Fd::socket(libc::AF_UNIX, kind)?;
        bind(&fd, path, libc::SOCK_DGRAM, door.mode())?;
        if let Err(errno) = door.open(path).and_then(|()| announce(&fd, ourselves)) {
            // A name at which nobody answers is worse than none.
            let _ = unlink(path);
            return Err(errno);
        }
        Ok(fd)
    }

    /// Whether a socket still stands where it was made.
    pub fn is_there(&self) -> bool {
        Identity::of(self.path).is_ok_and(|there| there.is_socket())
    }

    /// Makes it once more where its name is gone. What was sent to the former one should be read before.
    ///
    /// # Errors
    /// As of the first time; the former one stays.
    pub fn offer_again(&mut self, directory: &'static CStr, door: Door, ourselves: Pid) -> Result<(), Errno> {
        let again = Control::offer(directory, self.path, door, ourselves)?;
        let directory = self.directory.or(again.directory);
        *self = Control { directory, ..again };
        Ok(())
    }

    /// The next datagram, with its length and who has sent it; `None`: nothing waits, or it cannot be
    /// received now.
    pub fn receive(&mut self, buffer: &mut [u8]) -> Option<(usize, Peer)> {
        if !self.listens {
            // What came before has credentials all the same, if its sender has them too.
            self.ask_for_credentials();
        }
        // SAFETY: all zeros are a valid address.
        let mut peer = Peer { pid: 0, uid: u32::MAX, address: unsafe { core::mem::zeroed() }, length: 0 };
        let Letter { length, sender, address_length, .. } = self.mail.next(&self.fd, buffer, &mut peer.address)?;
        peer.length = address_length;
        if let Some((pid, uid)) = sender {
            (peer.pid, peer.uid) = (pid, uid);
        }
        Some((length, peer))
    }

    /// How descriptors that come along are got rid of.
    pub fn mail(&mut self) -> &mut Mail {
        &mut self.mail
    }

    fn ask_for_credentials(&mut self) {
        let on: libc::c_int = 1;
        let size = size_of::<libc::c_int>() as libc::socklen_t;
        // SAFETY: the kernel reads one integer from `on`. Where it is refused, all senders are nobody.
        unsafe { libc::setsockopt(self.fd.raw(), libc::SOL_SOCKET, libc::SO_PASSCRED, (&raw const on).cast(), size) };
        self.listens = true;
    }

    /// Answers. Who does not listen for it has no answer.
    pub fn reply(&self, to: &Peer, bytes: &[u8]) {
        let Ok((address, length)) = self.way_back(to) else { return };
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        let address = (&raw const address).cast();
        // SAFETY: the kernel reads the bytes of one slice, and of the address no more than there is.
        unsafe { libc::sendto(self.fd.raw(), bytes.as_ptr().cast(), bytes.len(), flags, address, length) };
    }

    /// Where the peer is answered.
    fn way_back(&self, to: &Peer) -> Result<(libc::sockaddr_un, libc::socklen_t), Errno> {
        let path = &to.address.sun_path;
        if path.first() == Some(&0) {
            return Ok((to.address, to.length));
        }
        let (mut beside, _) = address(self.path)?;
        let name = path.get(behind_slash(path)..).unwrap_or_default();
        if !name.iter().copied().take(ANSWERS.len()).eq(ANSWERS.bytes().map(letter)) {
            return Err(Errno(libc::EACCES));
        }
        let at = behind_slash(&beside.sun_path);
        // With the zeros behind it, if there is room for them. What is cut off is nobody's name.
        for (to, from) in beside.sun_path.iter_mut().skip(at).zip(name) {
            *to = *from;
        }
        Ok((beside, size_of::<libc::sockaddr_un>() as libc::socklen_t))
    }

    /// Answers with a descriptor beside the bytes, of which the other one gets a copy.
    ///
    /// # Errors
    /// The kernel's: nobody is there, or does not read its answers.
    pub fn reply_with(&self, to: &Peer, bytes: &[u8], fd: &Fd) -> Result<(), Errno> {
        let (mut address, length) = self.way_back(to)?;
        let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        let mut gift =
            Gift { length: GIFT, level: libc::SOL_SOCKET, kind: libc::SCM_RIGHTS, number: fd.raw(), padding: 0 };
        // SAFETY: all zeros are a valid header.
        let mut header: libc::msghdr = unsafe { core::mem::zeroed() };
        header.msg_name = (&raw mut address).cast();
        header.msg_namelen = length;
        header.msg_iov = &raw mut part;
        header.msg_iovlen = 1;
        header.msg_control = (&raw mut gift).cast();
        header.msg_controllen = size_of::<Gift>() as _;
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        // SAFETY: everything that the header points to lives through the call, in which it is only read.
        cerr(unsafe { libc::sendmsg(self.fd.raw(), &raw const header, flags) } as i64).map(|_| ())
    }

    /// Removes its name, and its directory if that is of our making and has nothing else in it.
    pub fn remove(&self) {
        self.mail.close();
        // Nobody else will miss it.
        let _ = unlink(self.path);
        if let Some(directory) = self.directory {
            let _ = remove_directory(directory);
        }
    }

    /// Its number.
    pub fn raw(&self) -> i32 {
        self.fd.raw()
    }
}

/// One control message with a descriptor in it.
#[repr(C)]
struct Gift {
    length: usize,
    level: libc::c_int,
    kind: libc::c_int,
    number: libc::c_int,
    padding: u32,
}

/// How long it is by its own word: without what is behind the descriptor (CMSG_LEN in cmsg(3)).
const GIFT: usize = size_of::<Gift>() - size_of::<u32>();

/// Gives a socket of that kind its name. What an earlier run has left there is replaced, unless somebody listens, such as
/// another process 1 whose files we share.
pub(super) fn bind(fd: &Fd, path: &CStr, kind: i32, mode: libc::mode_t) -> Result<(), Errno> {
    let (address, length) = address(path)?;
    bind_to(fd, &address, length, path, kind)?;
    open_name(path, mode)
}

/// Lets those in whom the mode does. A name that not all can use who should is worse than none.
pub(super) fn open_name(path: &CStr, mode: libc::mode_t) -> Result<(), Errno> {
    set_mode(path, mode).inspect_err(|_| {
        let _ = unlink(path);
    })
}

/// bind(2) to an address; `path` is what stands in it.
pub(super) fn bind_to(
    fd: &Fd,
    address: &libc::sockaddr_un,
    length: libc::socklen_t,
    path: &CStr,
    kind: i32,
) -> Result<(), Errno> {
    let bind = || {
        // SAFETY: the kernel reads as many bytes of the address as it is told.
        cerr(i64::from(unsafe { libc::bind(fd.raw(), ptr::from_ref(address).cast(), length) })).map(|_| ())
    };
    bind().or_else(|errno| match errno {
        Errno(libc::EADDRINUSE) if !is_heard(address, length, kind) => unlink(path).and_then(|()| bind()),
        _ => Err(errno),
    })
}

/// Whether somebody has the other end of the name, by a socket of that kind.
fn is_heard(address: &libc::sockaddr_un, length: libc::socklen_t, kind: i32) -> bool {
    let Ok(caller) = Fd::socket(libc::AF_UNIX, kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK) else { return false };
    // SAFETY: the kernel reads as many bytes of the address as it is told.
    let connected = cerr(i64::from(unsafe { libc::connect(caller.raw(), ptr::from_ref(address).cast(), length) }));
    // EAGAIN: so many wait there that no more can.
    matches!(connected, Ok(_) | Err(Errno(libc::EAGAIN)))
}

fn address(path: &CStr) -> Result<(libc::sockaddr_un, libc::socklen_t), Errno> {
    // SAFETY: all zeros are a valid address.
    let mut address: libc::sockaddr_un = unsafe { core::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    let bytes = path.to_bytes_with_nul();
    if bytes.len() > address.sun_path.len() {
        return Err(Errno(libc::ENAMETOOLONG));
    }
    for (to, from) in address.sun_path.iter_mut().zip(bytes) {
        *to = letter(*from);
    }
    let length = size_of::<libc::sa_family_t>().saturating_add(bytes.len());
    Ok((address, length as libc::socklen_t))
}

const fn letter(byte: u8) -> libc::c_char {
    byte.cast_signed() as libc::c_char
}

/// Where the last component of a path begins.
fn behind_slash(path: &[libc::c_char]) -> usize {
    path.iter().rposition(|byte| *byte == letter(b'/')).map_or(0, |at| at.saturating_add(1))
}
