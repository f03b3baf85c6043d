//! What the crates have no safe call for.
#![expect(unsafe_code, reason = "fork(2) returns twice; execv(3) takes pointers, getauxval(3) gives one")]

pub(crate) mod container;
pub(crate) mod events;
mod features;
pub(crate) mod network;
pub(crate) mod processes;
pub(crate) mod rights;

use std::ffi::{CStr, c_char};
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::unistd::{ForkResult, fork};
use supervise_init::core::{Left, Status};
use supervise_init::sys::{self, Change, Pid, Reaped, SigSet, set_mask};

pub(crate) use container::{
    HowFar, Waiting, attach_mount, clone_tree, execute, find_end, join_new_keyring, mount_tmpfs, reap, restrict_mount,
    start_contained,
};
pub(crate) use features::{ask_clone3, landlock_version, map_ids};

/// Does `work` in a copy of ourselves, which ends with the code that it returns. The copy may allocate and block, and all
/// that is blocked in us is blocked in it.
///
/// # Errors
/// The kernel's: a limit on processes, no memory, a filter.
pub(crate) fn start_copy(work: impl FnOnce() -> u8) -> Result<Pid, Errno> {
    // SAFETY: a process of one thread, so no lock is held in the copy by a thread that it does not have.
    match unsafe { fork()? } {
        ForkResult::Parent { child } => Pid::new(child.as_raw()).ok_or(Errno::ESRCH),
        ForkResult::Child => {
            let code = work();
            // SAFETY: takes an integer and does not return, so nothing that was begun for the original ends twice.
            unsafe { libc::_exit(i32::from(code)) }
        }
    }
}

/// To be called first in a copy of ourselves that process 1 has made, of which the C library does not know: there
/// abort(3), and so a panic, would signal the number that it remembers, which is the original's.
pub(crate) fn end_by_panic() {
    std::panic::set_hook(Box::new(|panic| {
        log::error!("a part of supervise has failed: {panic}");
        // SAFETY: takes an integer and does not return.
        unsafe { libc::_exit(i32::from(crate::cli::exit::FAILURE)) }
    }));
}

/// The path that execve(2) was given when it made us: a shell has looked it up in PATH by then. It is said by the kernel
/// (getauxval(3)), and so needs no /proc.
pub(crate) fn path_of_exec() -> Option<&'static CStr> {
    // SAFETY: takes an integer; what it returns for this one is the address of a string, or 0.
    let path = unsafe { libc::getauxval(libc::AT_EXECFN) } as *const c_char;
    // SAFETY: not null; the kernel has put it above the stack, where it stays as long as we run, with a NUL at its end.
    (!path.is_null()).then(|| unsafe { CStr::from_ptr(path) })
}

/// What a program has said on both its outputs, and how it ended.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) status: Status,
    pub(crate) text: String,
}

/// Runs a program of the system by its path, with nothing on stdin, no environment but a search path and the language of
/// computers, and these signals blocked, and hears it to its end. By hand, because `std::process::Command` would bring
/// 10 kB.
///
/// # Errors
/// The kernel's, where it could not be started.
pub(crate) fn hear_program(path: &CStr, words: &[&CStr], blocked: SigSet) -> Result<Heard, Errno> {
    let failed = |error: io::Error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
    let (mut hearing, saying) = pipe().map_err(failed)?;
    let (mut trouble, telling) = pipe().map_err(failed)?;
    let child = start_copy(|| {
        let errno = become_program(path, words, &saying, blocked);
        // Whoever reads it is there as long as we are.
        let _ = (&telling).write_all(&(errno as i32).to_ne_bytes());
        crate::cli::exit::FAILURE
    })?;
    drop((saying, telling));
    let mut errno = [0; size_of::<i32>()];
    // It is closed when the program is executed.
    let is_told = trouble.read_exact(&mut errno).is_ok();
    let mut bytes = Vec::new();
    // What was read is what there is.
    let _ = hearing.read_to_end(&mut bytes);
    let status = wait_end_of(child)?;
    match is_told {
        true => Err(Errno::from_raw(i32::from_ne_bytes(errno))),
        false => Ok(Heard { status, text: String::from_utf8_lossy(&bytes).into_owned() }),
    }
}

/// Returns why it did not.
fn become_program(path: &CStr, words: &[&CStr], output: &PipeWriter, blocked: SigSet) -> Errno {
    let mut words: Vec<*const c_char> = words.iter().map(|word| word.as_ptr()).collect();
    words.insert(0, path.as_ptr());
    words.push(std::ptr::null());
    let environment = [c"LC_ALL=C".as_ptr(), c"PATH=/usr/sbin:/usr/bin:/sbin:/bin".as_ptr(), std::ptr::null()];
    // SAFETY: a constant that ends with a NUL. Where it fails, dup2 does as well, and stdin stays what it is.
    let null = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
    let output = output.as_raw_fd();
    for (from, to) in [(null, libc::STDIN_FILENO), (output, libc::STDOUT_FILENO), (output, libc::STDERR_FILENO)] {
        // SAFETY: takes two integers and touches no memory of ours.
        unsafe { libc::dup2(from, to) };
    }
    // It did not fail when all were blocked.
    let _ = set_mask(blocked);
    // SAFETY: strings that end with a NUL, in arrays that end with a null pointer.
    unsafe { libc::execve(path.as_ptr(), words.as_ptr(), environment.as_ptr()) };
    Errno::last()
}

/// As process 1 we are given other children too.
fn wait_end_of(child: Pid) -> Result<Status, Errno> {
    loop {
        match sys::reap() {
            Reaped::Child(pid, Change::Ended(status)) if pid == child => return Ok(status),
            Reaped::Child(..) => {}
            Reaped::Nothing(Left::None) => return Err(Errno::ECHILD),
            Reaped::Nothing(_) => sys::wait_child(None),
        }
    }
}

/// A pipe on descriptors of its own, also where the standard streams came closed: those stay what others take them for.
pub(crate) fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    loop {
        let ends = io::pipe()?;
        if ends.0.as_raw_fd() > libc::STDERR_FILENO && ends.1.as_raw_fd() > libc::STDERR_FILENO {
            return Ok(ends);
        }
        std::mem::forget(ends);
    }
}

/// The same open file by another number, the lowest free one from `lowest` on; close-on-exec (F_DUPFD_CLOEXEC).
///
/// # Errors
/// EMFILE, EINVAL: there is no such number.
pub(crate) fn duplicate_above(fd: BorrowedFd<'_>, lowest: RawFd) -> Result<OwnedFd, Errno> {
    // SAFETY: takes integers and touches no memory of ours.
    let number = Errno::result(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, lowest) })?;
    // SAFETY: new, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Gives the open file this number for what we execute. For a copy of ourselves that uses nothing by it any more.
///
/// # Errors
/// EBADF: a number beyond the limit.
pub(crate) fn give_as(fd: BorrowedFd<'_>, number: RawFd) -> Result<RawFd, Errno> {
    // SAFETY: takes integers; our caller has nothing by that number.
    Errno::result(unsafe { libc::dup2(fd.as_raw_fd(), number) })?;
    // SAFETY: as above. Where the two are one, it is close-on-exec still.
    Errno::result(unsafe { libc::fcntl(number, libc::F_SETFD, 0) }).map(|_| number)
}

/// Whether a shell is heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Output {
    /// Both its outputs go to stderr.
    Stderr,
    /// They go nowhere.
    None,
}

/// Becomes `/bin/sh -c command` with nothing on stdin, these signals blocked, and this environment, or ours. Returns why
/// it did not. By hand, because
/// `std::process::Command` would bring 10 kB.
pub(crate) fn become_shell(command: &CStr, output: Output, blocked: SigSet, environment: Option<&[&CStr]>) -> Errno {
    // SAFETY: a constant that ends with a NUL. Where it fails, dup2 does as well, and the streams stay what they are.
    let null = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) };
    let output = if output == Output::None { null } else { libc::STDERR_FILENO };
    for (from, to) in [(null, libc::STDIN_FILENO), (output, libc::STDOUT_FILENO), (output, libc::STDERR_FILENO)] {
        // SAFETY: takes two integers and touches no memory of ours.
        unsafe { libc::dup2(from, to) };
    }
    if null > libc::STDERR_FILENO {
        // SAFETY: ours, and used by nobody else.
        unsafe { libc::close(null) };
    }
    // It did not fail when all were blocked.
    let _ = set_mask(blocked);
    let words = [c"sh".as_ptr(), c"-c".as_ptr(), command.as_ptr(), std::ptr::null()];
    let path = c"/bin/sh".as_ptr();
    match environment {
        // SAFETY: strings that end with a NUL, in an array that ends with a null pointer.
        None => unsafe { libc::execv(path, words.as_ptr()) },
        Some(environment) => {
            let mut entries: Vec<*const c_char> = environment.iter().map(|entry| entry.as_ptr()).collect();
            entries.push(std::ptr::null());
            // SAFETY: strings that end with a NUL, in arrays that end with a null pointer.
            unsafe { libc::execve(path, words.as_ptr(), entries.as_ptr()) }
        }
    };
    Errno::last()
}

/// What a test does in its child, between fork and the execution of the program.
#[cfg(test)]
pub(crate) fn before_exec(
    command: &mut std::process::Command,
    work: impl FnMut() -> Result<(), Errno> + Send + Sync + 'static,
) -> &mut std::process::Command {
    use std::os::unix::process::CommandExt as _;
    let mut work = work;
    // SAFETY: `work` is of system calls on values that were prepared before; musl's allocator may be used in the child of
    // a process of several threads.
    unsafe { command.pre_exec(move || work().map_err(Into::into)) }
}
