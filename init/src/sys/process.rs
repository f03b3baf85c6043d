//! Ourselves and others as processes.

use core::ffi::CStr;
use core::fmt::Write as _;

use super::errno::{Errno, cerr};
use super::fds::Fd;
use super::log::Line;
use super::tree::check_proc;
use crate::core::Signal;

/// A process, by its number in our PID namespace. Never 0 or negative: those mean groups to kill(2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pid(i32);

impl Pid {
    /// A number that the kernel gives to no process (PID_MAX_LIMIT is 2^22).
    const NOBODY: Pid = Pid(i32::MAX);

    /// The process of that number, if it can be one.
    pub const fn new(number: i32) -> Option<Pid> {
        if number > 0 { Some(Pid(number)) } else { None }
    }

    /// 1 or more.
    pub const fn number(self) -> i32 {
        self.0
    }
}

impl core::fmt::Display for Pid {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// getpid(2). A filter can refuse even that; gettid(2) gives the only thread's number, which is the same.
pub fn this_process() -> Pid {
    // SAFETY: no arguments; -1 where it is refused.
    let number = Pid::new(unsafe { libc::getpid() });
    // SAFETY: as above.
    let number = number.or_else(|| Pid::new(unsafe { libc::syscall(libc::SYS_gettid) } as i32));
    number.unwrap_or(Pid::NOBODY)
}

/// getppid(2): our parent, or `None` if it is outside our PID namespace.
pub fn parent() -> Option<Pid> {
    // SAFETY: no arguments, cannot fail.
    Pid::new(unsafe { libc::getppid() })
}

/// Our effective user when we were executed (AT_EUID in getauxval(3)): it is asked for without a system call.
pub fn effective_user() -> u32 {
    // SAFETY: takes an integer and cannot fail for what the kernel always passes.
    (unsafe { libc::getauxval(libc::AT_EUID) }) as u32
}

/// prctl(2), PR_SET_CHILD_SUBREAPER: orphans below us become our children.
///
/// # Errors
/// The kernel's: a filter's EPERM or ENOSYS.
pub fn set_subreaper() -> Result<(), Errno> {
    // SAFETY: takes integers and touches no memory of ours.
    cerr(i64::from(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) })).map(|_| ())
}

/// prctl(2), PR_GET_CHILD_SUBREAPER: whether somebody has made that of us already.
pub fn is_subreaper() -> bool {
    let mut answer: i32 = 0;
    // SAFETY: the kernel writes one integer to `answer`.
    let asked = unsafe { libc::prctl(libc::PR_GET_CHILD_SUBREAPER, &raw mut answer, 0, 0, 0) };
    asked == 0 && answer != 0
}

/// prctl(2), PR_SET_PDEATHSIG: we get the signal when the thread that started us ends.
///
/// # Errors
/// The kernel's: a filter's EPERM or ENOSYS.
pub fn send_parent_death_signal(signal: Signal) -> Result<(), Errno> {
    // SAFETY: takes integers and touches no memory of ours.
    let result = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::c_ulong::from(signal.number()), 0, 0, 0) };
    cerr(i64::from(result)).map(|_| ())
}

/// getcwd(2), if it fits, and if it is in our root directory.
pub fn working_directory<const N: usize>(line: &mut Line<N>) -> Option<&CStr> {
    line.fill(|place, size| {
        // SAFETY: the kernel writes at most as many bytes as there are.
        let length = unsafe { libc::syscall(libc::SYS_getcwd, place, size) };
        usize::try_from(length).unwrap_or(0)
    });
    CStr::from_bytes_with_nul(line.bytes()).ok().filter(|path| path.to_bytes().starts_with(b"/"))
}

/// chdir(2).
///
/// # Errors
/// The kernel's.
pub fn change_directory(path: &CStr) -> Result<(), Errno> {
    // SAFETY: the path ends with a NUL and the kernel only reads it.
    cerr(i64::from(unsafe { libc::chdir(path.as_ptr()) })).map(|_| ())
}

/// `chdir("/")`, so that we do not keep a file system from being unmounted.
///
/// # Errors
/// The kernel's: a root that we may not search.
pub fn change_dir_to_root() -> Result<(), Errno> {
    change_directory(c"/")
}

/// The name of a process (/proc/PID/comm), if it can still be had, and if /proc is that of our PID namespace.
pub fn comm(pid: i32) -> Option<Line<32>> {
    check_proc(this_process()).ok()?;
    let mut path = Line::<32>::new();
    write!(path, "/proc/{pid}/comm\0").ok()?;
    let file = Fd::open(CStr::from_bytes_until_nul(path.bytes()).ok()?, libc::O_RDONLY).ok()?;
    let mut buffer = [0; 32];
    let count = file.read(&mut buffer).ok()?;
    let name = buffer.get(..count)?.split(|byte| *byte == b'\n').next()?;
    let mut answer = Line::new();
    answer.push_lossy(name);
    Some(answer)
}
