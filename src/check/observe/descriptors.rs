//! What a process has open, as far as it matters to a stop: sockets, and files that it writes.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::leftovers::is_telling;
use crate::check::safe;
use crate::proc::{place, read_file};

/// What one has open.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Descriptors {
    /// By their inodes.
    pub(super) sockets: Vec<u64>,
    pub(super) pipes: Vec<u64>,
    /// Those that are stdin, stdout and stderr.
    pub(super) stdio: [Option<u64>; 3],
    /// Made safe to print.
    pub(super) written: Vec<String>,
    /// Files that by their names are in the way of the next start.
    pub(super) named: Vec<PathBuf>,
}

/// `None`: we may not look.
pub(super) fn of(pid: i32) -> Option<Descriptors> {
    let (mut found, place) = (Descriptors::default(), place(pid));
    for entry in fs::read_dir(format!("{place}/fd")).ok()?.flatten() {
        let Ok(target) = fs::read_link(entry.path()) else { continue };
        let name = target.as_os_str().as_bytes();
        if let Some(inode) = inode(name, b"socket:[") {
            found.sockets.push(inode);
        } else if let Some(inode) = inode(name, b"pipe:[") {
            found.pipes.push(inode);
            let [stdin, stdout, stderr] = &mut found.stdio;
            match entry.file_name().as_bytes() {
                b"0" => *stdin = Some(inode),
                b"1" => *stdout = Some(inode),
                b"2" => *stderr = Some(inode),
                _ => {}
            }
        } else if is_kept(&target, &entry.path()) {
            if is_overwritten(&place, &entry.file_name().to_string_lossy()) {
                found.written.push(safe::line(name));
            }
            if target.file_name().is_some_and(is_telling) {
                found.named.push(target);
            }
        }
    }
    Some(found)
}

/// Of what has no path: `pipe:[17]`.
fn inode(name: &[u8], kind: &[u8]) -> Option<u64> {
    let inode = name.strip_prefix(kind)?.strip_suffix(b"]")?;
    std::str::from_utf8(inode).ok()?.parse().ok()
}

/// A file that is there when the process is not.
fn is_kept(target: &Path, entry: &Path) -> bool {
    let is_of_kernel = ["/dev", "/proc", "/sys"].iter().any(|place| target.starts_with(place));
    let is_deleted = target.as_os_str().as_bytes().ends_with(b" (deleted)");
    target.is_absolute() && !is_of_kernel && !is_deleted && fs::metadata(entry).is_ok_and(|file| file.is_file())
}

/// Open for writing, and not only to append lines, as a log is.
fn is_overwritten(place: &str, number: &str) -> bool {
    let info = read_file(&format!("{place}/fdinfo/{number}"));
    let flags = info.lines().find_map(|line| i32::from_str_radix(line.strip_prefix("flags:")?.trim(), 8).ok());
    flags.is_some_and(|flags| flags & libc::O_ACCMODE != libc::O_RDONLY && flags & libc::O_APPEND == 0)
}
