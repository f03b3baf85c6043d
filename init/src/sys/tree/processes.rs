//! What /proc tells of processes: which there are, and of each its state, its parent and its users.

use core::ffi::CStr;
use core::fmt::Write as _;

use crate::sys::errno::{Errno, cerr};
use crate::sys::fds::Fd;
use crate::sys::log::Line;
use crate::sys::process::Pid;

/// Of /proc/PID/stat: `pid (comm) state ppid ... num_threads ...` (proc_pid_stat(5)).
pub(super) struct Stat {
    comm: Line<64>,
    state: u8,
    pub(super) parent: i32,
    threads: i32,
}

impl Stat {
    pub(super) fn read(pid: Pid) -> Option<Stat> {
        let mut buffer = [0; 256];
        Stat::parse(read_proc(pid, "stat", &mut buffer)?)
    }

    /// The name may hold anything, also `)`: the last one ends it.
    pub(super) fn parse(line: &[u8]) -> Option<Stat> {
        let open = line.iter().position(|byte| *byte == b'(')?;
        let close = line.iter().rposition(|byte| *byte == b')')?;
        let mut comm = Line::new();
        comm.push_lossy(line.get(open + 1..close)?);
        let mut fields = line.get(close + 2..)?.split(|byte| *byte == b' ');
        let state = *fields.next()?.first()?;
        let parent = parse_number(fields.next()?)?;
        // The 20th field; the parent is the 4th.
        let threads = parse_number(fields.nth(15)?)?;
        Some(Stat { comm, state, parent, threads })
    }

    pub(super) fn comm(&self) -> &str {
        self.comm.as_str()
    }

    pub(super) fn is_stopped(&self) -> bool {
        matches!(self.state, b'T' | b't')
    }

    /// It has ended, and waits to be reaped. A first thread that has ended alone looks the same.
    pub(super) fn is_zombie(&self) -> bool {
        matches!(self.state, b'Z' | b'X') && self.threads <= 1
    }
}

/// The start of a file in /proc/PID.
fn read_proc<'a>(pid: Pid, name: &str, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    let mut path = Line::<32>::new();
    write!(path, "/proc/{pid}/{name}\0").ok()?;
    let file = Fd::open(CStr::from_bytes_until_nul(path.bytes()).ok()?, libc::O_RDONLY).ok()?;
    let count = file.read(buffer).ok()?;
    buffer.get(..count)
}

/// What stands behind that name in /proc/PID/status (proc_pid_status(5)).
pub(super) fn status_line<'a>(pid: Pid, name: &[u8], buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    let status = read_proc(pid, "status", buffer)?;
    status.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(name)).map(<[u8]>::trim_ascii)
}

/// Whether somebody of that user may signal the process, having no capability: its real or saved user is the same (kill(2)).
pub fn is_signalled_by(pid: Pid, user: u32) -> bool {
    let mut buffer = [0; 2048];
    // Real, effective, saved, and that of file systems.
    let users = status_line(pid, b"Uid:", &mut buffer).unwrap_or_default();
    let mut users = users.split(|byte| *byte == b'\t').map(parse_number);
    let [real, _, saved] = [users.next(), users.next(), users.next()].map(Option::flatten);
    [real, saved].into_iter().flatten().any(|of_it| of_it.cast_unsigned() == user)
}

pub(super) fn parse_number(digits: &[u8]) -> Option<i32> {
    core::str::from_utf8(digits).ok()?.parse().ok()
}

/// The entries of a directory (getdents64(2)).
pub(super) struct Entries<'a> {
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

    pub(super) fn new(directory: &'a Fd) -> Entries<'a> {
        Entries { directory, buffer: [0; Entries::BUFFER], start: 0, end: 0 }
    }

    /// The next entry that is a number.
    pub(super) fn next_pid(&mut self) -> Result<Option<Pid>, Errno> {
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
mod tests;
