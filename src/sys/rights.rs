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

/// Filters the system calls of the calling thread and of what it starts (SECCOMP_SET_MODE_FILTER in seccomp(2)).
///
/// # Errors
/// EACCES: without CAP_SYS_ADMIN and without no_new_privs; EINVAL: no filters, or a program that the kernel does not
/// take.
pub(crate) fn set_filter(program: &[libc::sock_filter]) -> Result<(), Errno> {
    let length = libc::c_ushort::try_from(program.len()).map_err(|_| Errno::E2BIG)?;
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    // SAFETY: the kernel reads as many instructions as the slice has, and keeps a copy.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
    Errno::result(result).map(drop)
}
