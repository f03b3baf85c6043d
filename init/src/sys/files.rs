//! Descriptors that we are told of by SIGIO, so that a sleep that waits for signals waits for them as well: no other
//! system call is made while nothing happens, nor one more for each signal.

use core::ffi::CStr;

use super::errno::{Errno, cerr};
use super::fds::Fd;
use super::log::Line;
use super::process::{Pid, effective_user};

/// Has the kernel send us SIGIO when something comes (F_SETOWN in fcntl(2), FIOASYNC in ioctl_tty(2)). As signals are
/// blocked it waits for us, and stands for all that came.
pub(super) fn announce(fd: &Fd, ourselves: Pid) -> Result<(), Errno> {
    // SAFETY: takes integers and touches no memory of ours.
    cerr(i64::from(unsafe { libc::fcntl(fd.raw(), libc::F_SETOWN, ourselves.number()) }))?;
    let on: libc::c_int = 1;
    // SAFETY: the kernel reads one integer from `on`.
    cerr(i64::from(unsafe { libc::ioctl(fd.raw(), libc::FIOASYNC, &raw const on) })).map(|_| ())
}

/// fcntl.h's, which the C library of ours does not have.
const DN_DELETE: libc::c_int = 0x8;
const DN_RENAME: libc::c_int = 0x10;
const DN_MULTISHOT: libc::c_int = i32::MIN;

/// A directory of which names may vanish.
#[derive(Debug)]
pub struct Directory {
    /// Closing it ends the watch.
    fd: Fd,
}

impl Directory {
    /// Has the kernel send us SIGIO whenever a name in it is removed or renamed (F_NOTIFY in fcntl(2)).
    ///
    /// # Errors
    /// The kernel's: no such directory, or it has no such notifications.
    pub fn watch(path: &CStr) -> Result<Directory, Errno> {
        let fd = Fd::open(path, libc::O_RDONLY | libc::O_DIRECTORY)?;
        let wanted = DN_DELETE | DN_RENAME | DN_MULTISHOT;
        // SAFETY: takes integers and touches no memory of ours. It makes us the owner as well.
        cerr(i64::from(unsafe { libc::fcntl(fd.raw(), libc::F_NOTIFY, wanted) }))?;
        Ok(Directory { fd })
    }

    /// Its number.
    pub fn raw(&self) -> i32 {
        self.fd.raw()
    }
}

/// unlink(2).
///
/// # Errors
/// The kernel's.
pub fn unlink(path: &CStr) -> Result<(), Errno> {
    // SAFETY: the path ends with a NUL and the kernel only reads it.
    cerr(i64::from(unsafe { libc::unlink(path.as_ptr()) })).map(|_| ())
}

/// chmod(2), also where umask(2) has taken something away; but never of what a link leads to: another file could have taken
/// the place of ours. (Before Linux 6.6 there is no such call, and only our directories keep others out.)
///
/// # Errors
/// The kernel's.
pub(super) fn set_mode(path: &CStr, mode: libc::mode_t) -> Result<(), Errno> {
    const FCHMODAT2: libc::c_long = 452;
    // SAFETY: the path ends with a NUL and the kernel only reads it.
    let changed = unsafe { libc::syscall(FCHMODAT2, libc::AT_FDCWD, path.as_ptr(), mode, libc::AT_SYMLINK_NOFOLLOW) };
    match cerr(changed) {
        // A filter may say the other of the two.
        Err(Errno(libc::ENOSYS | libc::EPERM)) => {
            // SAFETY: as above.
            cerr(i64::from(unsafe { libc::chmod(path.as_ptr(), mode) })).map(|_| ())
        }
        other => other.map(|_| ()),
    }
}

/// mkdir(2); that it is there already is no error. Says whether it was not.
///
/// # Errors
/// The kernel's.
pub fn make_directory(path: &CStr, mode: libc::mode_t) -> Result<bool, Errno> {
    // SAFETY: as above.
    match cerr(i64::from(unsafe { libc::mkdir(path.as_ptr(), mode) })) {
        Ok(_) => Ok(true),
        Err(Errno(libc::EEXIST)) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// The same for one in which we make names that others trust: it must be root's or ours, and nobody else's to write to.
/// Otherwise another file could stand where ours is looked for.
///
/// # Errors
/// The kernel's; [`Errno::NOT_OURS`].
pub(super) fn make_own_directory(path: &CStr) -> Result<bool, Errno> {
    if make_directory(path, 0o755)? {
        return Ok(true);
    }
    let there = Identity::of(path)?;
    let is_trusted = there.owner == 0 || there.owner == effective_user();
    // What is no directory is refused with its name.
    if there.is_directory() && (!is_trusted || there.mode & 0o022 != 0) {
        // Where we may make nothing there is nothing to be warned of.
        // SAFETY: the path ends with a NUL and the kernel only reads it.
        cerr(i64::from(unsafe { libc::access(path.as_ptr(), libc::W_OK) }))?;
        return Err(Errno::NOT_OURS);
    }
    Ok(false)
}

/// rmdir(2): removes a directory with nothing in it.
///
/// # Errors
/// The kernel's; ENOTEMPTY among them.
pub fn remove_directory(path: &CStr) -> Result<(), Errno> {
    // SAFETY: as above.
    cerr(i64::from(unsafe { libc::rmdir(path.as_ptr()) })).map(|_| ())
}

/// symlink(2), in the place of a file, or of a link that leads elsewhere. Says whether the link was not there.
///
/// # Errors
/// The kernel's.
pub fn make_link(path: &CStr, target: &CStr) -> Result<bool, Errno> {
    // SAFETY: both end with a NUL and the kernel only reads them.
    let make = || cerr(i64::from(unsafe { libc::symlink(target.as_ptr(), path.as_ptr()) })).map(|_| true);
    match make() {
        Err(Errno(libc::EEXIST)) if leads_to(path, target) => Ok(false),
        Err(Errno(libc::EEXIST)) => unlink(path).and_then(|()| make()),
        other => other,
    }
}

/// readlink(2).
fn leads_to(path: &CStr, target: &CStr) -> bool {
    let mut line = Line::<64>::new();
    line.fill(|place, size| {
        // SAFETY: the path ends with a NUL, and the kernel writes at most as many bytes as there are.
        let length = unsafe { libc::readlink(path.as_ptr(), place.cast(), size) };
        usize::try_from(length).unwrap_or(0)
    });
    line.bytes() == target.to_bytes()
}

/// A file of our making. Another one that has taken its place is not ours to remove.
#[derive(Debug)]
pub struct OwnFile {
    path: &'static CStr,
    file: Identity,
}

impl OwnFile {
    /// Makes it, for all to read. Where its content finds no room it is there all the same.
    ///
    /// # Errors
    /// The kernel's; EEXIST: somebody else's stands there.
    pub fn create(path: &'static CStr, content: &[u8]) -> Result<OwnFile, Errno> {
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW;
        let fd = Fd::openat(path, flags, 0o644)?;
        let file = Identity::of_open(&fd)?;
        let _ = fd.replace_content(content);
        Ok(OwnFile { path, file })
    }

    /// Removes it.
    pub fn remove(self) {
        if Identity::of(self.path).is_ok_and(|there| there.is_same_file(&self.file)) {
            // Nobody else will miss it.
            let _ = unlink(self.path);
        }
    }
}

/// What is known of a file: which it is, and what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Identity {
    pub(super) device: libc::dev_t,
    pub(super) inode: libc::ino_t,
    pub(super) mode: libc::mode_t,
    pub(super) owner: libc::uid_t,
}

impl Identity {
    /// lstat(2).
    pub(super) fn of(path: &CStr) -> Result<Identity, Errno> {
        let mut status = core::mem::MaybeUninit::<libc::stat>::zeroed();
        // SAFETY: the path ends with a NUL, and `status` has room for what the kernel writes.
        cerr(i64::from(unsafe { libc::lstat(path.as_ptr(), status.as_mut_ptr()) }))?;
        // SAFETY: all zeros are a valid stat, and the kernel has filled it in.
        Ok(Identity::from(unsafe { status.assume_init() }))
    }

    /// fstat(2).
    pub(super) fn of_open(fd: &Fd) -> Result<Identity, Errno> {
        let mut status = core::mem::MaybeUninit::<libc::stat>::zeroed();
        // SAFETY: `status` has room for what the kernel writes.
        cerr(i64::from(unsafe { libc::fstat(fd.raw(), status.as_mut_ptr()) }))?;
        // SAFETY: as above.
        Ok(Identity::from(unsafe { status.assume_init() }))
    }

    pub(super) fn is_fifo(&self) -> bool {
        self.mode & libc::S_IFMT == libc::S_IFIFO
    }

    pub(super) fn is_socket(&self) -> bool {
        self.mode & libc::S_IFMT == libc::S_IFSOCK
    }

    pub(super) fn is_directory(&self) -> bool {
        self.mode & libc::S_IFMT == libc::S_IFDIR
    }

    pub(super) fn is_same_file(&self, other: &Identity) -> bool {
        self.device == other.device && self.inode == other.inode
    }
}

impl From<libc::stat> for Identity {
    fn from(status: libc::stat) -> Identity {
        let libc::stat { st_dev: device, st_ino: inode, st_mode: mode, st_uid: owner, .. } = status;
        Identity { device, inode, mode, owner }
    }
}
