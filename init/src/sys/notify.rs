//! The socket of sd_notify(3), as its server and as a client of the one above us; and the pipe of s6's notification
//! (`notification-fd` in s6's servicedir).
//!
//! Datagrams, each with its sender's number by the kernel's word, which only who has CAP_SYS_ADMIN may change, and only to
//! that of a process that is there (SCM_CREDENTIALS in unix(7)). What comes with one as a descriptor is closed when the next
//! one is asked for.

use core::ffi::CStr;
use core::mem::size_of;
use core::time::Duration;

use super::control::{bind_to, open_name};
use super::errno::{Errno, cerr};
use super::fds::Fd;
use super::files::{Identity, announce, make_own_directory, remove_directory, set_mode, unlink};
use super::mail::{Letter, Mail};
use super::process::Pid;

/// The socket that main is told of.
#[derive(Debug)]
pub struct Notify {
    fd: Fd,
    /// As in `NOTIFY_SOCKET`.
    address: &'static CStr,
    /// The directory that a path is in.
    directory: Option<&'static CStr>,
    /// That is of our making.
    is_made: bool,
    mail: Mail,
}

/// A datagram.
#[derive(Debug)]
pub struct Datagram {
    /// How much of the buffer is of it.
    pub length: usize,
    /// It is longer than that.
    pub is_cut: bool,
    /// Who has sent it, in our PID namespace; `None`: somebody outside.
    pub sender: Option<Pid>,
    /// The user of that one: its real one, if it has not said another that it may say.
    pub user: Option<u32>,
}

/// Which socket an address means: a name that begins with `@` is in no file system (unix(7)).
struct Address {
    address: libc::sockaddr_un,
    length: libc::socklen_t,
    is_path: bool,
}

impl Address {
    fn of(text: &CStr) -> Result<Address, Errno> {
        // SAFETY: all zeros are a valid address.
        let mut address: libc::sockaddr_un = unsafe { core::mem::zeroed() };
        address.sun_family = libc::AF_UNIX as libc::sa_family_t;
        // A path has its NUL with it, an abstract name has one in front.
        let (bytes, is_path) = match text.to_bytes_with_nul() {
            [b'/', ..] => (text.to_bytes_with_nul(), true),
            [b'@', _, ..] if text.count_bytes() > 1 => (text.to_bytes(), false),
            _ => return Err(Errno(libc::EINVAL)),
        };
        if bytes.len() > address.sun_path.len() {
            return Err(Errno(libc::ENAMETOOLONG));
        }
        for (to, from) in address.sun_path.iter_mut().zip(bytes) {
            *to = (*from).cast_signed() as libc::c_char;
        }
        if !is_path && let Some(first) = address.sun_path.first_mut() {
            *first = 0;
        }
        let length = size_of::<libc::sa_family_t>().saturating_add(bytes.len()) as libc::socklen_t;
        Ok(Address { address, length, is_path })
    }
}

impl Notify {
    /// Makes it, for everybody to write to: who is heard is decided by who has sent it. A path is in `directory`, which is
    /// made too.
    ///
    /// # Errors
    /// The kernel's: a directory that we may not write to, a name that is too long; EADDRINUSE: somebody else has it.
    /// EINVAL: neither a path nor a name.
    pub fn offer(address: &'static CStr, directory: Option<&'static CStr>, ourselves: Pid) -> Result<Notify, Errno> {
        let place = Address::of(address)?;
        let directory = directory.filter(|_| place.is_path);
        let is_made = match directory {
            Some(directory) => make_own_directory(directory)?,
            None => false,
        };
        if let Some(directory) = directory.filter(|_| is_made) {
            // The command may be another user.
            set_mode(directory, 0o755)?;
        }
        let made = Notify::make(&place, address, ourselves);
        if made.is_err()
            && is_made
            && let Some(directory) = directory
        {
            let _ = remove_directory(directory);
        }
        Ok(Notify { fd: made?, address, directory, is_made, mail: Mail::default() })
    }

    /// Whether who has its address finds a socket there. A name that is in no file system cannot vanish.
    pub fn is_there(&self) -> bool {
        self.directory.is_none() || Identity::of(self.address).is_ok_and(|there| there.is_socket())
    }

    /// Makes it once more where its name is gone. What was sent to the former one should be read before.
    ///
    /// # Errors
    /// As of the first time; the former one stays.
    pub fn offer_again(&mut self, ourselves: Pid) -> Result<(), Errno> {
        let again = Notify::offer(self.address, self.directory, ourselves)?;
        // Whoever has made the directory again does not need it longer than we do.
        *self = Notify { is_made: self.is_made || again.is_made, ..again };
        Ok(())
    }

    fn make(place: &Address, path: &CStr, ourselves: Pid) -> Result<Fd, Errno> {
        let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        let fd = Fd::socket(libc::AF_UNIX, kind)?;
        // Before it has a name: what comes without has no sender.
        let on: libc::c_int = 1;
        let size = size_of::<libc::c_int>() as libc::socklen_t;
        // SAFETY: the kernel reads one integer from `on`.
        let asked =
            unsafe { libc::setsockopt(fd.raw(), libc::SOL_SOCKET, libc::SO_PASSCRED, (&raw const on).cast(), size) };
        cerr(i64::from(asked))?;
        bind_to(&fd, &place.address, place.length, path, libc::SOCK_DGRAM)?;
        if place.is_path {
            open_name(path, 0o666)?;
        }
        if let Err(errno) = announce(&fd, ourselves) {
            if place.is_path {
                let _ = unlink(path);
            }
            return Err(errno);
        }
        Ok(fd)
    }

    /// What stands in `NOTIFY_SOCKET`.
    pub fn address(&self) -> &'static CStr {
        self.address
    }

    /// The next datagram; `None`: nothing waits, or it cannot be received now.
    pub fn receive(&mut self, buffer: &mut [u8]) -> Option<Datagram> {
        // SAFETY: all zeros are a valid address.
        let mut unused: libc::sockaddr_un = unsafe { core::mem::zeroed() };
        let Letter { length, is_cut, sender, .. } = self.mail.next(&self.fd, buffer, &mut unused)?;
        let user = sender.map(|(_, user)| user);
        let sender = sender.and_then(|(pid, _)| Pid::new(pid));
        Some(Datagram { length, is_cut, sender, user })
    }

    /// How its descriptors are got rid of.
    pub fn mail(&mut self) -> &mut Mail {
        &mut self.mail
    }

    /// Removes its name, and its directory if that is of our making and has nothing else in it.
    pub fn remove(&self) {
        self.mail.close();
        if self.address.to_bytes().starts_with(b"/") {
            // Nobody else will miss it.
            let _ = unlink(self.address);
        }
        if let Some(directory) = self.directory
            && self.is_made
        {
            let _ = remove_directory(directory);
        }
    }

    /// Its number.
    pub fn raw(&self) -> i32 {
        self.fd.raw()
    }
}

/// Says something to the socket at that address, as in `NOTIFY_SOCKET`, without waiting for room.
///
/// # Errors
/// The kernel's: nobody is there, or reads what came before. EINVAL: neither a path nor a name.
pub fn notify(address: &CStr, bytes: &[u8]) -> Result<(), Errno> {
    say_to(address, bytes, Duration::ZERO)
}

/// The same, and waits so long for room.
///
/// # Errors
/// As above.
pub fn notify_within(address: &CStr, bytes: &[u8], limit: Duration) -> Result<(), Errno> {
    say_to(address, bytes, limit)
}

fn say_to(address: &CStr, bytes: &[u8], limit: Duration) -> Result<(), Errno> {
    let to = Address::of(address)?;
    let fd = Fd::socket(libc::AF_UNIX, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC)?;
    let wait = if limit.is_zero() { libc::MSG_DONTWAIT } else { 0 };
    if !limit.is_zero() {
        let time = libc::timeval { tv_sec: limit.as_secs() as _, tv_usec: limit.subsec_micros().into() };
        let size = size_of::<libc::timeval>() as libc::socklen_t;
        // SAFETY: the kernel reads one structure from `time`.
        let set =
            unsafe { libc::setsockopt(fd.raw(), libc::SOL_SOCKET, libc::SO_SNDTIMEO, (&raw const time).cast(), size) };
        // Without it the wait could be for ever.
        cerr(i64::from(set))?;
    }
    let flags = wait | libc::MSG_NOSIGNAL;
    let place = (&raw const to.address).cast();
    // SAFETY: the kernel reads the bytes of one slice, and as many of the address as it is told.
    let sent = unsafe { libc::sendto(fd.raw(), bytes.as_ptr().cast(), bytes.len(), flags, place, to.length) };
    cerr(sent as i64).map(|_| ())
}

/// The pipe by which a program says that it is ready: we have the reading end, which SIGIO tells of.
///
/// # Errors
/// The kernel's: a limit on descriptors.
pub fn notification_pipe(ourselves: Pid) -> Result<(Fd, Fd), Errno> {
    let (reading, writing) = Fd::pipe()?;
    // SAFETY: takes integers and touches no memory of ours. The other end is another open file, and blocks.
    cerr(i64::from(unsafe { libc::fcntl(reading.raw(), libc::F_SETFL, libc::O_RDONLY | libc::O_NONBLOCK) }))?;
    announce(&reading, ourselves)?;
    Ok((reading, writing))
}

/// What a program has written to that pipe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notified {
    /// It is ready: a newline came.
    Ready,
    /// Something else, or nothing yet.
    NotYet,
    /// Nothing more will come.
    Closed,
}

/// Reads what waits in the pipe. A writer who never ends is not read to the end.
pub fn read_notification(pipe: &Fd) -> Notified {
    const ROUNDS: u32 = 16;
    let mut some = [0; 512];
    for _ in 0..ROUNDS {
        match pipe.read(&mut some) {
            Ok(0) => return Notified::Closed,
            Ok(count) if some.get(..count).unwrap_or_default().contains(&b'\n') => return Notified::Ready,
            Ok(_) => {}
            Err(_) => return Notified::NotYet,
        }
    }
    // The rest is not read: what is so long is no notification.
    Notified::Closed
}
