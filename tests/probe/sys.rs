//! C's `main` and the system calls that neither std nor nix offers safely: the only unsafe code of the tests.
//!
//! Signals are integers and sets are 64 bits wide, as the kernel has them. A C library hides 32 and 33 (musl 34 too),
//! and what it hides is part of what an init has to hand on.

#![expect(unsafe_code, reason = "this module wraps the calls that have no safe form")]

use std::ffi::{CStr, c_char, c_int, c_long};
use std::io;

/// One word of the command line, which lives as long as the process.
pub(crate) type Word = &'static CStr;

/// C's own entry. Rust's would ignore SIGPIPE and open the closed ones of 0 to 2 before anybody could look at them.
#[unsafe(no_mangle)]
extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    let count = usize::try_from(argc).unwrap_or(0);
    // SAFETY: the kernel passes `argc` pointers.
    let pointers = unsafe { std::slice::from_raw_parts(argv, count) };
    let words: Vec<Word> = pointers
        .iter()
        // SAFETY: each leads to a string that ends in a zero byte and is never freed.
        .map(|word| unsafe { CStr::from_ptr(*word) })
        .collect();
    crate::begin(&words)
}

fn check(result: c_long) -> io::Result<c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// What the kernel calls `struct sigaction`; the C library's has another layout.
#[repr(C)]
struct KernelAction {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}

/// Changes the blocked signals and returns those from before. `how` is SIG_BLOCK, SIG_UNBLOCK or SIG_SETMASK.
pub(crate) fn change_mask(how: c_int, set: u64) -> io::Result<u64> {
    let mut old = 0u64;
    // SAFETY: reads and writes eight bytes each, as the last argument says.
    let result = unsafe { libc::syscall(libc::SYS_rt_sigprocmask, how, &raw const set, &raw mut old, 8usize) };
    check(result).map(|_| old)
}

/// The handler of a signal: SIG_DFL, SIG_IGN or an address.
pub(crate) fn handler(signal: c_int) -> io::Result<usize> {
    let mut action = KernelAction { handler: 0, flags: 0, restorer: 0, mask: 0 };
    let none = std::ptr::null::<KernelAction>();
    // SAFETY: writes one `struct sigaction` of the kernel's layout.
    let result = unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, none, &raw mut action, 8usize) };
    check(result).map(|_| action.handler)
}

/// What a signal does: no address of a function can be passed.
#[derive(Clone, Copy)]
pub(crate) enum Disposition {
    Default,
    Ignore,
}

/// Sets what a signal does.
pub(crate) fn dispose(signal: c_int, disposition: Disposition) -> io::Result<()> {
    let handler = match disposition {
        Disposition::Default => libc::SIG_DFL,
        Disposition::Ignore => libc::SIG_IGN,
    };
    let action = KernelAction { handler, flags: 0, restorer: 0, mask: 0 };
    let none = std::ptr::null_mut::<KernelAction>();
    // SAFETY: reads one `struct sigaction` of the kernel's layout, which names no function.
    let result = unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, &raw const action, none, 8usize) };
    check(result).map(drop)
}

/// A signal that was waited for.
pub(crate) struct Received {
    pub(crate) signal: c_int,
    pub(crate) code: c_int,
    pub(crate) sender: c_int,
}

/// Takes one pending signal of the set, waiting until there is one.
pub(crate) fn wait_signal(set: u64) -> io::Result<Received> {
    loop {
        // SAFETY: all zeroes is a valid siginfo_t.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        let forever = std::ptr::null::<libc::timespec>();
        // SAFETY: reads a set of eight bytes and writes one siginfo_t.
        let result =
            unsafe { libc::syscall(libc::SYS_rt_sigtimedwait, &raw const set, &raw mut info, forever, 8usize) };
        match check(result) {
            // A stop and its continuation interrupt the wait.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            Ok(_) => {
                // SAFETY: whatever sent the signal, the field is inside the structure and an integer.
                let sender = unsafe { info.si_pid() };
                return Ok(Received { signal: info.si_signo, code: info.si_code, sender });
            }
        }
    }
}

/// Sends a signal, real-time ones too.
pub(crate) fn send(pid: c_int, signal: c_int) -> io::Result<()> {
    // SAFETY: takes two integers.
    let result = unsafe { libc::syscall(libc::SYS_kill, pid, signal) };
    check(result).map(drop)
}

/// Forks; 0 in the child. Sound without care for locks because the probe has one thread only.
pub(crate) fn fork() -> io::Result<c_int> {
    // SAFETY: there is no other thread that could hold a lock.
    let pid = unsafe { libc::fork() };
    check(c_long::from(pid)).map(|_| pid)
}

/// Waits for a child (any, for -1); the raw status, because real-time signals have no name elsewhere.
pub(crate) fn wait_child(pid: c_int) -> io::Result<(c_int, c_int)> {
    let mut status = 0;
    loop {
        // SAFETY: writes one integer.
        let found = unsafe { libc::waitpid(pid, &raw mut status, 0) };
        match check(c_long::from(found)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            Ok(_) => return Ok((found, status)),
        }
    }
}

/// Ends at once: no destructor, no buffer.
pub(crate) fn exit(code: c_int) -> ! {
    // SAFETY: does not return and touches no memory.
    unsafe { libc::_exit(code) }
}

/// Closes a descriptor by its number, whoever opened it.
pub(crate) fn close(fd: c_int) -> io::Result<()> {
    // SAFETY: the probe owns no descriptor that it would go on to use after this.
    let result = unsafe { libc::close(fd) };
    check(c_long::from(result)).map(drop)
}

/// `F_GETFD` or `F_GETFL` of a descriptor by its number.
pub(crate) fn descriptor_flags(fd: c_int, which: c_int) -> io::Result<c_int> {
    // SAFETY: both take no third argument.
    let flags = unsafe { libc::fcntl(fd, which) };
    check(c_long::from(flags)).map(|_| flags)
}

/// Opens a file for reading and writing under the given number, to be inherited.
pub(crate) fn open_as(fd: c_int, path: &CStr) -> io::Result<()> {
    // SAFETY: reads a string that ends in a zero byte.
    let opened = unsafe { libc::open(path.as_ptr(), libc::O_RDWR) };
    check(c_long::from(opened))?;
    if opened == fd {
        return Ok(());
    }
    // SAFETY: takes two integers; what had the number was to be replaced.
    let result = unsafe { libc::dup2(opened, fd) };
    check(c_long::from(result))?;
    close(opened)
}

/// Sets both limits of a resource.
pub(crate) fn set_limit(resource: c_int, soft: u64, hard: u64) -> io::Result<()> {
    let limit = libc::rlimit64 { rlim_cur: soft, rlim_max: hard };
    let old = std::ptr::null_mut::<libc::rlimit64>();
    // SAFETY: reads one structure; there is none to write.
    let result = unsafe { libc::syscall(libc::SYS_prlimit64, 0, resource, &raw const limit, old) };
    check(result).map(drop)
}
