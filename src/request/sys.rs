//! What the clients need of the kernel and of the C library, and what has no safe call.
#![expect(
    unsafe_code,
    reason = "socket options and structures of time are passed by pointers, reboot(2) has no other call"
)]

use std::ffi::{CStr, c_char};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, FromRawFd as _, IntoRawFd as _, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::{io, ptr};

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use supervise_init::core::request::Wish;
use supervise_init::sys::Errno;

/// A time of the container's clock on the wall, as people write it: month and day count from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Local {
    pub(super) year: i32,
    pub(super) month: i32,
    pub(super) day: i32,
    pub(super) hour: i32,
    pub(super) minute: i32,
    pub(super) second: i32,
}

/// The time of so many seconds since 1970.
pub(super) fn local(seconds: i64) -> Option<Local> {
    let time = broken_down(seconds)?;
    Some(Local {
        year: time.tm_year.checked_add(1900)?,
        month: time.tm_mon + 1,
        day: time.tm_mday,
        hour: time.tm_hour,
        minute: time.tm_min,
        second: time.tm_sec,
    })
}

/// The seconds since 1970 of a time; a day behind the last of its month is one of the next.
pub(super) fn since_1970(local: Local) -> Option<i64> {
    // SAFETY: all zeros are a valid `tm`: integers and a null pointer, which mktime(3) does not read.
    let mut time: libc::tm = unsafe { MaybeUninit::zeroed().assume_init() };
    time.tm_year = local.year.checked_sub(1900)?;
    time.tm_mon = local.month.checked_sub(1)?;
    time.tm_mday = local.day;
    time.tm_hour = local.hour;
    time.tm_min = local.minute;
    time.tm_sec = local.second;
    // Whether it is summer is for the time zone to say.
    time.tm_isdst = -1;
    // SAFETY: lives through the call, in which it is read and written.
    let seconds = unsafe { libc::mktime(&raw mut time) };
    (seconds != -1).then_some(seconds)
}

/// As systemd writes a time. (strftime(3) would bring the printing of floating-point numbers, a hundredth of the binary.)
pub(super) fn written(seconds: i64) -> Option<String> {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    let (time, local) = (broken_down(seconds)?, local(seconds)?);
    let day = DAYS.get(usize::try_from(time.tm_wday).ok()?)?;
    let zone = match time.tm_zone.is_null() {
        true => c"",
        // SAFETY: localtime_r(3) has set it to a name that the C library keeps until the time zone is another.
        false => unsafe { CStr::from_ptr(time.tm_zone) },
    };
    let Local { year, month, day: of_month, hour, minute, second } = local;
    let zone = zone.to_string_lossy();
    Some(format!("{day} {year:04}-{month:02}-{of_month:02} {hour:02}:{minute:02}:{second:02} {zone}"))
}

fn broken_down(seconds: i64) -> Option<libc::tm> {
    let mut time = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both live through the call, which fills the second in unless it returns null.
    let filled = unsafe { libc::localtime_r(&raw const seconds, time.as_mut_ptr()) };
    // SAFETY: filled in; and all zeros are a valid one too.
    (!filled.is_null()).then(|| unsafe { time.assume_init() })
}

/// Nothing of ours gets the number of a stream that came closed, so that words which are for that go nowhere else: by a
/// descriptor that can be neither read nor written (O_PATH in open(2)), as if it were closed still.
pub(super) fn keep_closed() {
    while let Ok(fd) = nix::fcntl::open("/", OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()) {
        if fd.as_raw_fd() > libc::STDERR_FILENO {
            return;
        }
        // To our end.
        let _ = fd.into_raw_fd();
    }
}

/// Has the kernel say with each message who we are.
pub(super) fn introduce(socket: &UnixDatagram) -> io::Result<()> {
    let (fd, on) = (socket.as_raw_fd(), 1_i32);
    let length = size_of_val(&on) as libc::socklen_t;
    // SAFETY: an integer of that length, which lives through the call.
    let done = unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_PASSCRED, (&raw const on).cast(), length) };
    if done != 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Gives the socket an address of the kernel's choice, by which it can be answered (unix(7), "Autobind feature").
pub(super) fn name_anyhow(socket: &UnixDatagram) -> io::Result<()> {
    let family = libc::AF_UNIX as libc::sa_family_t;
    let length = size_of_val(&family) as libc::socklen_t;
    // SAFETY: a family alone, which is read as far as the length says.
    let done = unsafe { libc::bind(socket.as_raw_fd(), (&raw const family).cast(), length) };
    if done != 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Reads a datagram, and the descriptor that came with it, if one did.
pub(super) fn receive_with_descriptor(
    socket: &UnixDatagram,
    buffer: &mut [u8],
) -> io::Result<(usize, Option<OwnedFd>)> {
    // Who sends is said too, because we have asked for that.
    let mut words = [0_u64; 16];
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: all zeros are a valid header.
    let mut header: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = words.as_mut_ptr().cast();
    header.msg_controllen = size_of_val(&words) as _;
    // SAFETY: everything that the header points to lives through the call and has the size that it says.
    let count = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_CMSG_CLOEXEC) };
    let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
    let mut descriptor = None;
    // SAFETY: the header is the kernel's own, and its words live on.
    let mut word = unsafe { libc::CMSG_FIRSTHDR(&raw const header) };
    // SAFETY: null, or a word within them.
    while let Some(head) = unsafe { word.as_ref() } {
        if (head.cmsg_level, head.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            // SAFETY: it holds one descriptor at least, which is ours from here on.
            descriptor = Some(unsafe { OwnedFd::from_raw_fd(libc::CMSG_DATA(word).cast::<i32>().read_unaligned()) });
        }
        // SAFETY: as above.
        word = unsafe { libc::CMSG_NXTHDR(&raw const header, word) };
    }
    Ok((count, descriptor))
}

/// sync(2).
pub(super) fn sync() {
    // SAFETY: no arguments, cannot fail.
    unsafe { libc::sync() }
}

/// reboot(2), which returns only where it fails. In a PID namespace it kills process 1, and so us.
pub(super) fn reboot(wish: Wish) -> Errno {
    let how = match wish {
        Wish::Halt => libc::RB_HALT_SYSTEM,
        Wish::Poweroff | Wish::Stop | Wish::Exit(_) => libc::RB_POWER_OFF,
        Wish::Reboot | Wish::Restart => libc::RB_AUTOBOOT,
    };
    // SAFETY: takes an integer and touches no memory of ours.
    unsafe { libc::reboot(how) };
    last()
}

/// execve(2) with these words and this environment: becomes the program, or returns why it did not.
pub(super) fn become_program(path: &CStr, words: &[&CStr], environment: &[&CStr]) -> Errno {
    let pointers = |strings: &[&CStr]| -> Vec<*const c_char> {
        strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
    };
    let (words, environment) = (pointers(words), pointers(environment));
    // SAFETY: strings that end with a NUL, in arrays that end with a null pointer.
    unsafe { libc::execve(path.as_ptr(), words.as_ptr(), environment.as_ptr()) };
    last()
}

fn last() -> Errno {
    Errno(nix::errno::Errno::last_raw())
}
