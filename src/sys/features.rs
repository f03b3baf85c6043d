//! Questions to the kernel whose only answer is whether a call is there.

use std::os::fd::{AsRawFd as _, BorrowedFd};

use nix::errno::Errno;

/// Whether clone3(2) is there for us (Linux 5.3): it is called with an argument that it refuses.
///
/// # Errors
/// ENOSYS: an older kernel, or a filter; EPERM: a filter.
pub(crate) fn ask_clone3() -> Result<(), Errno> {
    let nothing = std::ptr::null::<libc::clone_args>();
    // SAFETY: of a size of 0 the kernel reads nothing.
    match Errno::result(unsafe { libc::syscall(libc::SYS_clone3, nothing, 0_usize) }) {
        Err(Errno::EINVAL) => Ok(()),
        other => other.map(drop),
    }
}

/// The version of Landlock (LANDLOCK_CREATE_RULESET_VERSION in landlock_create_ruleset(2), Linux 5.13).
///
/// # Errors
/// ENOSYS: a kernel without; EOPNOTSUPP: it was switched off at boot.
pub(crate) fn landlock_version() -> Result<i64, Errno> {
    let nothing = std::ptr::null::<u8>();
    // SAFETY: with this flag the kernel takes no memory, which is what null and 0 say.
    Errno::result(unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, nothing, 0_usize, 1_u32) })
}

/// Maps the ids of a mount that is mounted nowhere yet by a user namespace (MOUNT_ATTR_IDMAP in mount_setattr(2), Linux
/// 5.12).
///
/// # Errors
/// EINVAL: this file system cannot be mapped; EPERM without CAP_SYS_ADMIN in the user namespace that it was mounted in.
pub(crate) fn map_ids(mount: BorrowedFd<'_>, namespace: BorrowedFd<'_>) -> Result<(), Errno> {
    let change = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_IDMAP,
        attr_clr: 0,
        propagation: 0,
        userns_fd: namespace.as_raw_fd() as u64,
    };
    let (path, size) = (c"".as_ptr(), size_of::<libc::mount_attr>());
    let flags = libc::AT_EMPTY_PATH;
    // SAFETY: a string that ends with a NUL, and a struct of the size that is told; the kernel only reads them.
    let result =
        unsafe { libc::syscall(libc::SYS_mount_setattr, mount.as_raw_fd(), path, flags, &raw const change, size) };
    Errno::result(result).map(drop)
}
