//! What a container is made by, where nix has no safe call.

use std::ffi::{CStr, c_char, c_int, c_long};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use nix::errno::Errno;
use supervise_init::core::{Signal, Status};
use supervise_init::sys::Pid;

/// Does `work` in a copy of ourselves that is in new namespaces, by clone(2) with these `CLONE_NEW*` flags. With
/// `CLONE_NEWPID` the copy is their process 1. It ends with the code that `work` returns; it may allocate and block, and
/// all that is blocked in us is blocked in it.
///
/// # Errors
/// The kernel's: EPERM without CAP_SYS_ADMIN, or where users may make no user namespaces; ENOSPC beyond their limit.
pub(crate) fn start_contained(namespaces: c_int, work: impl FnOnce() -> u8) -> Result<Pid, Errno> {
    let nothing: c_long = 0;
    let flags = c_long::from(namespaces | libc::SIGCHLD);
    // SAFETY: without a stack and without CLONE_VM it is fork(2), in a process of one thread: the copy runs on its own
    // memory, and no lock is held in it by a thread that it does not have.
    let number = unsafe { libc::syscall(libc::SYS_clone, flags, nothing, nothing, nothing, nothing) };
    match number {
        0 => {
            super::end_by_panic();
            let code = work();
            // SAFETY: takes an integer and does not return, so nothing that was begun for the original ends twice.
            unsafe { libc::_exit(i32::from(code)) }
        }
        _ => Errno::result(number).and_then(|number| Pid::new(number as i32).ok_or(Errno::ESRCH)),
    }
}

/// keyctl(2), KEYCTL_JOIN_SESSION_KEYRING: a new session keyring, without the keys of our caller.
///
/// # Errors
/// The kernel's: ENOSYS where it has no keys, EPERM of a filter, EDQUOT.
pub(crate) fn join_new_keyring() -> Result<(), Errno> {
    /// keyctl(2).
    const KEYCTL_JOIN_SESSION_KEYRING: c_int = 1;
    let name: *const c_char = std::ptr::null();
    // SAFETY: no name is given, so no memory of ours is read.
    Errno::result(unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name) }).map(|_| ())
}

/// Which mounts are restricted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum HowFar {
    /// One alone.
    Mount,
    /// And all that is mounted in it.
    Tree,
}

/// mount_setattr(2): sets these `MOUNT_ATTR_*`, and takes none away. `mount` is the root of a mount.
///
/// # Errors
/// The kernel's: ENOSYS before Linux 5.12, EINVAL where it is not the root of a mount.
pub(crate) fn restrict_mount(mount: BorrowedFd<'_>, attributes: u64, how_far: HowFar) -> Result<(), Errno> {
    let flags = match how_far {
        HowFar::Mount => libc::AT_EMPTY_PATH,
        HowFar::Tree => libc::AT_EMPTY_PATH | libc::AT_RECURSIVE,
    };
    let change = libc::mount_attr { attr_set: attributes, attr_clr: 0, propagation: 0, userns_fd: 0 };
    let path: *const c_char = c"".as_ptr();
    let size = size_of::<libc::mount_attr>();
    // SAFETY: a string that ends with a NUL, and a struct of the size that is told; the kernel only reads them.
    let result =
        unsafe { libc::syscall(libc::SYS_mount_setattr, mount.as_raw_fd(), path, flags, &raw const change, size) };
    Errno::result(result).map(|_| ())
}

/// execve(2): becomes that program. Returns why it did not.
pub(crate) fn execute(path: &CStr, words: &[&CStr], environment: &[&CStr]) -> Errno {
    let array = |strings: &[&CStr]| -> Vec<*const c_char> {
        strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
    };
    let (words, environment) = (array(words), array(environment));
    // SAFETY: strings that end with a NUL and live on, in arrays that end with a null pointer.
    unsafe { libc::execve(path.as_ptr(), words.as_ptr(), environment.as_ptr()) };
    Errno::last()
}

/// Mounts a new tmpfs at a directory, and returns its root: of what is mounted over a directory, no path leads there that
/// is sure (fsopen(2), fsmount(2), move_mount(2)).
///
/// # Errors
/// The kernel's: ENOSYS before Linux 5.2, EPERM without CAP_SYS_ADMIN.
pub(crate) fn mount_tmpfs(place: BorrowedFd<'_>, mode: &CStr, attributes: u64) -> Result<OwnedFd, Errno> {
    /// linux/mount.h.
    const FSCONFIG_SET_STRING: c_int = 1;
    const FSCONFIG_CMD_CREATE: c_int = 6;
    let none: *const c_char = std::ptr::null();
    // SAFETY: a string that ends with a NUL, which the kernel only reads.
    let context = owned(unsafe { libc::syscall(libc::SYS_fsopen, c"tmpfs".as_ptr(), libc::FSOPEN_CLOEXEC) })?;
    let configure = |command: c_int, key: *const c_char, value: *const c_char| {
        // SAFETY: null, or strings that end with a NUL; the kernel only reads them.
        Errno::result(unsafe { libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), command, key, value, 0) })
    };
    configure(FSCONFIG_SET_STRING, c"mode".as_ptr(), mode.as_ptr())?;
    configure(FSCONFIG_CMD_CREATE, none, none)?;
    // SAFETY: takes integers and touches no memory of ours.
    let mount = unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), libc::FSMOUNT_CLOEXEC, attributes) };
    let mount = owned(mount)?;
    attach_mount(mount.as_fd(), place).map(|()| mount)
}

/// open_tree(2), OPEN_TREE_CLONE: what is there, with all that is mounted in it by now, as a mount that is nowhere yet.
///
/// # Errors
/// The kernel's: ENOSYS before Linux 5.2, EPERM without CAP_SYS_ADMIN, ENOENT.
pub(crate) fn clone_tree(path: &CStr) -> Result<OwnedFd, Errno> {
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | libc::AT_RECURSIVE as libc::c_uint;
    // SAFETY: a string that ends with a NUL, which the kernel only reads.
    owned(unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) })
}

/// move_mount(2): mounts there what is mounted nowhere.
///
/// # Errors
/// The kernel's: ENOTDIR where one of the two is a directory and the other is none, ELOOP.
pub(crate) fn attach_mount(mount: BorrowedFd<'_>, place: BorrowedFd<'_>) -> Result<(), Errno> {
    let (empty, both) = (c"".as_ptr(), libc::MOVE_MOUNT_F_EMPTY_PATH | libc::MOVE_MOUNT_T_EMPTY_PATH);
    // SAFETY: empty strings, which the kernel only reads.
    let moved =
        unsafe { libc::syscall(libc::SYS_move_mount, mount.as_raw_fd(), empty, place.as_raw_fd(), empty, both) };
    Errno::result(moved).map(|_| ())
}

fn owned(result: c_long) -> Result<OwnedFd, Errno> {
    let fd = Errno::result(result)? as c_int;
    // SAFETY: the kernel has just given it to us, and nobody else has the number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Whether to wait for what is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Waiting {
    Block,
    Look,
}

/// waitid(2), WNOWAIT: how that child of ours has ended, if it has. It stays to be looked at until it is [reaped](reap).
pub(crate) fn find_end(child: Pid, waiting: Waiting) -> Option<Status> {
    let flags = libc::WEXITED | libc::WNOWAIT | if waiting == Waiting::Look { libc::WNOHANG } else { 0 };
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let id = child.number() as libc::id_t;
    // SAFETY: `info` has room for a siginfo_t. All zeros are a valid one, and stay so where there is nothing to tell.
    let (found, info) = unsafe { (libc::waitid(libc::P_PID, id, info.as_mut_ptr(), flags), info.assume_init()) };
    if found != 0 || info.si_signo != libc::SIGCHLD {
        return None;
    }
    // SAFETY: of a child's end the kernel fills in the status.
    let status = unsafe { info.si_status() };
    match info.si_code {
        libc::CLD_EXITED => Some(Status::Exited(status as u8)),
        _ => Signal::new(status).map(Status::Signaled),
    }
}

/// waitpid(2) of a child that has ended.
pub(crate) fn reap(child: Pid) {
    // SAFETY: no status is asked for.
    unsafe { libc::waitpid(child.number(), std::ptr::null_mut(), 0) };
}
