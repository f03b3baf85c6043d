//! What can be in the way of the links, each in one line: what, where, why, what to do.

use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use supervise_init::sys::Errno;

/// What has a name and does not lead to us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Other {
    File,
    Directory,
    Link,
    DeadLink,
}

/// A reason to change nothing.
#[derive(Debug)]
pub(super) enum Trouble {
    NoProgram,
    /// Our own executable is not where it was.
    Gone(PathBuf, Errno),
    /// Of PATH.
    NoDirectory,
    Directory(PathBuf, Errno),
    Look(PathBuf, Errno),
    /// By something else, at least one.
    Taken(Vec<(PathBuf, Other)>),
    /// Those that are `left` could not be taken back.
    Make {
        path: PathBuf,
        why: Errno,
        left: Vec<PathBuf>,
    },
    Remove(PathBuf, Errno),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::NoProgram => f.write_str(
                "cannot tell where supervise itself is, for the links to lead there: there is no /proc, and it was not \
                 started by a path; mount /proc, or call it by its absolute path",
            ),
            Trouble::Gone(path, errno) => gone(f, path, *errno),
            Trouble::NoDirectory => f.write_str(
                "no directory of PATH is there, for the links to be made in; name one: `supervise shims DIR`",
            ),
            Trouble::Directory(path, errno) => {
                write!(f, "cannot look into {}: {errno}; ", path.display())?;
                f.write_str(match errno.0 {
                    libc::ENOENT => "make that directory first, or name another",
                    libc::ENOTDIR => "links are made in a directory",
                    _ => "name a directory that this user may look into",
                })
            }
            Trouble::Look(path, errno) => {
                write!(f, "cannot look at {}: {errno}; nothing was changed", path.display())?;
                f.write_str(what_to_do(*errno))
            }
            Trouble::Taken(taken) => {
                f.write_str("cannot make ")?;
                for (at, (path, other)) in taken.iter().enumerate() {
                    let between = if at == 0 { "" } else { ", " };
                    write!(f, "{between}{} ({})", path.display(), other.name())?;
                }
                f.write_str(": already there, and not this supervise; remove or rename that first; nothing was changed")
            }
            Trouble::Make { path, why, left } => {
                write!(f, "cannot make {}: {why}", path.display())?;
                f.write_str(if left.is_empty() { "; nothing was changed" } else { "; these are left behind:" })?;
                left.iter().try_for_each(|path| write!(f, " {}", path.display()))?;
                f.write_str(what_to_do(*why))
            }
            Trouble::Remove(path, errno) => {
                write!(f, "cannot remove {}: {errno}", path.display())?;
                f.write_str(what_to_do(*errno))
            }
        }
    }
}

impl Other {
    fn name(self) -> &'static str {
        match self {
            Other::File => "a file",
            Other::Directory => "a directory",
            Other::Link => "a link to something else",
            Other::DeadLink => "a link that leads nowhere",
        }
    }
}

fn gone(f: &mut fmt::Formatter<'_>, path: &Path, errno: Errno) -> fmt::Result {
    // What the kernel adds (proc_pid_exe(5)).
    const DELETED: &[u8] = b" (deleted)";
    let shown = path.display();
    if errno.0 == libc::ENOENT && path.as_os_str().as_bytes().ends_with(DELETED) {
        return write!(
            f,
            "cannot make links to {shown}: that is us, and nobody could start it; call the one in its place"
        );
    }
    write!(f, "cannot make links to {shown}: {errno}; call supervise where it is seen by that path")
}

/// What would help, behind a semicolon.
fn what_to_do(errno: Errno) -> &'static str {
    match errno.0 {
        libc::EACCES => "; do it as a user who may write there, such as root",
        libc::EPERM => "; that directory is immutable or another user's, or its file system has no symbolic links",
        libc::EROFS => "; do it when the image is built, or where the file system can be written to",
        libc::ENOSPC | libc::EDQUOT => "; make room for some more files there",
        libc::EEXIST => "; somebody else has made it meanwhile: say it again",
        _ => "",
    }
}
