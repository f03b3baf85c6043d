//! What a process may still do: what prctl(2) has for it and nix has not.

use nix::errno::Errno;

/// Gives the capability of that number to the programs that we execute, whoever we are (PR_CAP_AMBIENT_RAISE).
///
/// # Errors
/// EPERM: it is not both permitted and inheritable, or a security bit forbids it; EINVAL: a kernel before 4.3.
pub(crate) fn raise_ambient(number: u32) -> Result<(), Errno> {
    // SAFETY: takes integers and touches no memory of ours.
    let result = unsafe {
        libc::prctl(
            libc::PR_CAP_AMBIENT,
            libc::PR_CAP_AMBIENT_RAISE as libc::c_ulong,
            libc::c_ulong::from(number),
            0,
            0,
        )
    };
    Errno::result(result).map(drop)
}
