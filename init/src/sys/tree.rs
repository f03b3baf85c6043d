//! What is left when the main program has ended: everything in the namespace of a PID 1, our descendants otherwise.
//!
//! Descendants are found through /proc, by following each process's parents up to us, and signalled by a pidfd that
//! was opened before they were found to be ours. So a number that is used again between the two is never signalled.

use core::ffi::CStr;
use core::fmt::{self, Write as _};

use super::errno::{Errno, cerr};
use super::fds::Fd;
use super::log::Line;
use super::process::{Pid, this_process};
use super::signals::{send, send_namespace};
use crate::core::{Scope, Signal};

/// Why descendants cannot be found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TreeError {
    /// /proc cannot be read.
    NoProc(Errno),
    /// /proc shows another PID namespace than ours: its numbers are other processes here.
    OtherNamespace,
}

impl fmt::Display for TreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TreeError::NoProc(errno) => write!(f, "cannot read /proc: {errno}"),
            TreeError::OtherNamespace => f.write_str("/proc is that of another PID namespace"),
        }
    }
}

/// What is left in this scope.
#[derive(Clone, Copy, Debug)]
pub struct Rest(pub Scope);

impl Rest {
    /// Sends the signals, in their order, to everything that is left.
    ///
    /// # Errors
    /// Descendants cannot be found. A PID 1 needs no /proc.
    pub fn signal(self, signals: &[Signal]) -> Result<(), TreeError> {
        match self.0 {
            Scope::Namespace => {
                for signal in signals {
                    // ESRCH: nobody is there. Nothing else can be refused to a PID 1 within its namespace.
                    if send_namespace(*signal).is_err() {
                        break;
                    }
                }
                Ok(())
            }
            Scope::Tree => self.for_each(|pid, pidfd, _| {
                for signal in signals {
                    let sent = match pidfd {
                        Some(pidfd) => send_pidfd(pidfd, *signal),
                        None => Err(Errno(libc::ENOSYS)),
                    };
                    // A filter may refuse what the kernel has. What has ended in the meantime must not be signalled by
                    // its number; what has changed its user cannot be signalled at all.
                    if !matches!(sent, Ok(()) | Err(Errno(libc::ESRCH))) {
                        let _ = send(pid, *signal);
                    }
                }
            }),
        }
    }

    /// Calls `tell` with the pid and name of each process that is left.
    ///
    /// # Errors
    /// They cannot be found.
    pub fn name(self, mut tell: impl FnMut(Pid, &str)) -> Result<(), TreeError> {
        self.for_each(|pid, _, stat| tell(pid, stat.comm()))
    }

    /// Goes through all living processes of the scope. Linux before 5.3 has no pidfd to lend, and a filter may refuse it.
    fn for_each(self, mut found: impl FnMut(Pid, Option<&Fd>, &Stat)) -> Result<(), TreeError> {
        let ourselves = this_process();
        check_proc(ourselves)?;
        let directory = Fd::open(c"/proc", libc::O_RDONLY | libc::O_DIRECTORY).map_err(TreeError::NoProc)?;
        let mut entries = Entries::new(&directory);
        while let Some(pid) = entries.next_pid().map_err(TreeError::NoProc)? {
            if pid == ourselves {
                continue;
            }
            let pidfd = Fd::of_process(pid.number()).ok();
            let Some(stat) = Stat::read(pid).filter(|stat| !stat.is_zombie()) else { continue };
            if self.0 == Scope::Namespace || is_below(ourselves, &stat) {
                found(pid, pidfd.as_ref(), &stat);
            }
        }
        Ok(())
    }
}

fn send_pidfd(pidfd: &Fd, signal: Signal) -> Result<(), Errno> {
    let nothing: *const libc::siginfo_t = core::ptr::null();
    // SAFETY: integers and a null pointer, which pidfd_send_signal(2) takes for kill(2)'s information.
    cerr(unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd.raw(), libc::c_int::from(signal.number()), nothing, 0)
    })
    .map(|_| ())
}

/// /proc/self names us as its own namespace does.
fn check_proc(ourselves: Pid) -> Result<(), TreeError> {
    let mut target = [0_u8; 16];
    // SAFETY: a constant string with a NUL; the pointer and the length are of one array.
    let length =
        cerr(unsafe { libc::readlink(c"/proc/self".as_ptr(), target.as_mut_ptr().cast(), target.len()) } as i64)
            .map_err(TreeError::NoProc)?;
    let number = target.get(..length as usize).and_then(parse_number);
    if number == Some(ourselves.number()) { Ok(()) } else { Err(TreeError::OtherNamespace) }
}

fn is_below(ancestor: Pid, stat: &Stat) -> bool {
    /// No chain of parents is longer; a race with dying processes must not make one endless.
    const DEEPEST: usize = 4096;
    let mut parent = stat.parent;
    for _ in 0..DEEPEST {
        if parent == ancestor.number() {
            return true;
        }
        match Pid::new(parent).filter(|pid| pid.number() != 1).and_then(Stat::read) {
            Some(stat) => parent = stat.parent,
            None => return false,
        }
    }
    false
}

/// What /proc/PID/stat begins with: `pid (comm) state ppid` (proc_pid_stat(5)).
struct Stat {
    comm: Line<64>,
    state: u8,
    parent: i32,
}

impl Stat {
    fn read(pid: Pid) -> Option<Stat> {
        let mut path = Line::<32>::new();
        write!(path, "/proc/{pid}/stat\0").ok()?;
        let file = Fd::open(CStr::from_bytes_until_nul(path.bytes()).ok()?, libc::O_RDONLY).ok()?;
        let mut buffer = [0; 256];
        let count = file.read(&mut buffer).ok()?;
        Stat::parse(buffer.get(..count)?)
    }

    /// The name may hold anything, also `)`: the last one ends it.
    fn parse(line: &[u8]) -> Option<Stat> {
        let open = line.iter().position(|byte| *byte == b'(')?;
        let close = line.iter().rposition(|byte| *byte == b')')?;
        let mut comm = Line::new();
        comm.push_lossy(line.get(open + 1..close)?);
        let mut fields = line.get(close + 2..)?.split(|byte| *byte == b' ');
        let state = *fields.next()?.first()?;
        Some(Stat { comm, state, parent: parse_number(fields.next()?)? })
    }

    fn comm(&self) -> &str {
        self.comm.as_str()
    }

    fn is_zombie(&self) -> bool {
        matches!(self.state, b'Z' | b'X')
    }
}

fn parse_number(digits: &[u8]) -> Option<i32> {
    core::str::from_utf8(digits).ok()?.parse().ok()
}

/// The entries of a directory (getdents64(2)).
struct Entries<'a> {
    directory: &'a Fd,
    buffer: [u8; Entries::BUFFER],
    start: usize,
    end: usize,
}

impl<'a> Entries<'a> {
    const BUFFER: usize = 2048;
    /// Where `d_reclen` and `d_name` are in a `linux_dirent64`.
    const LENGTH: usize = 16;
    const NAME: usize = 19;

    fn new(directory: &'a Fd) -> Entries<'a> {
        Entries { directory, buffer: [0; Entries::BUFFER], start: 0, end: 0 }
    }

    /// The next entry that is a number.
    fn next_pid(&mut self) -> Result<Option<Pid>, Errno> {
        loop {
            if self.start >= self.end {
                self.refill()?;
                if self.end == 0 {
                    return Ok(None);
                }
            }
            let entry = self.buffer.get(self.start..self.end).unwrap_or_default();
            let length = match entry.get(Entries::LENGTH..Entries::LENGTH + 2) {
                Some(&[low, high]) => usize::from(u16::from_ne_bytes([low, high])),
                _ => return Ok(None),
            };
            // A length of 0 would never end; the kernel writes none.
            self.start += length.max(Entries::NAME);
            let name = entry.get(Entries::NAME..length).and_then(|name| name.split(|byte| *byte == 0).next());
            if let Some(pid) = name.and_then(parse_number).and_then(Pid::new) {
                return Ok(Some(pid));
            }
        }
    }

    fn refill(&mut self) -> Result<(), Errno> {
        // SAFETY: the pointer and the length are of one array.
        let count = cerr(unsafe {
            libc::syscall(libc::SYS_getdents64, self.directory.raw(), self.buffer.as_mut_ptr(), Entries::BUFFER)
        })?;
        self.start = 0;
        self.end = count as usize;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Stat;

    #[test]
    fn a_name_may_look_like_the_fields_behind_it() {
        let stat = Stat::parse(b"17 (a) Z 1 (b)) S 42 17 17 0 -1").map(|stat| (stat.is_zombie(), stat.parent));
        assert_eq!(stat, Some((false, 42)));
    }

    #[test]
    fn a_line_that_is_cut_off_is_no_process() {
        for line in [&b""[..], b"17", b"17 (a", b"17 (a)", b"17 (a) S", b"17 (a) S x"] {
            assert!(Stat::parse(line).is_none());
        }
    }
}
