//! What can be in the way of the links, each in one line: what, where, why, what to do.

use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use supervise_init::sys::Errno;

use super::dpkg::Diversion;

/// What has a name and does not lead to us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Other {
    File,
    /// A copy of us.
    Copy,
    Directory,
    Link,
    DeadLink,
}

/// What the links were wanted for, by which it is told what to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    Directory,
    /// In place of what packages have; there is a dpkg, and no package of it has that.
    Diverted,
    /// The same without dpkg.
    WithoutDpkg,
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
    Taken(Vec<(PathBuf, Other)>, Way),
    /// Those that are `left` could not be taken back.
    Make {
        path: PathBuf,
        why: Errno,
        left: Vec<PathBuf>,
    },
    Remove(PathBuf, Errno),
    /// Somebody else has diverted it.
    Foreign(Diversion),
    /// A program of dpkg's cannot be called.
    Call(&'static str, Errno),
    /// A program of dpkg's has failed, and said so.
    Dpkg(&'static str, String),
    /// dpkg-divert has; those that are `left` could not be taken back.
    Divert {
        path: PathBuf,
        said: String,
        left: Vec<PathBuf>,
    },
    /// dpkg-divert has failed to move it back.
    Restore(PathBuf, String),
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
            Trouble::Taken(taken, way) => {
                f.write_str("cannot make ")?;
                for (at, (path, other)) in taken.iter().enumerate() {
                    let between = if at == 0 { "" } else { ", " };
                    write!(f, "{between}{} ({})", path.display(), other.name())?;
                }
                f.write_str(way.what_is_taken())
            }
            Trouble::Make { path, why, left } => {
                write!(f, "cannot make {}: {why}", path.display())?;
                behind(f, left)?;
                f.write_str(what_to_do(*why))
            }
            Trouble::Foreign(diversion) => {
                write!(f, "cannot make {}: ", diversion.of.display())?;
                match &diversion.by {
                    Some(package) => write!(f, "the package {package} diverts that to {}", diversion.to.display())?,
                    None => write!(f, "that is diverted to {} already", diversion.to.display())?,
                }
                f.write_str("; remove that diversion first, or say `supervise shims` for those who go by PATH; nothing was changed")
            }
            Trouble::Call(program, errno) => {
                write!(f, "cannot run {program}: {errno}; nothing was changed")
            }
            Trouble::Dpkg(program, said) => write!(f, "{program} has failed: {said}; nothing was changed"),
            Trouble::Divert { path, said, left } => {
                write!(f, "cannot divert {}: {said}", path.display())?;
                behind(f, left)
            }
            Trouble::Restore(path, said) => {
                write!(
                    f,
                    "cannot move what was diverted back to {}: {said}; that and what follows stays as it is",
                    path.display()
                )
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
            Other::Copy => "a copy of supervise",
            Other::Directory => "a directory",
            Other::Link => "a link to something else",
            Other::DeadLink => "a link that leads nowhere",
        }
    }
}

impl Way {
    fn what_is_taken(self) -> &'static str {
        match self {
            Way::Directory => {
                ": already there, and not this supervise; remove or rename that first; nothing was changed"
            }
            Way::Diverted => {
                ": already there, and no package's that could be diverted; remove or rename that first; nothing was changed"
            }
            Way::WithoutDpkg => {
                ": already there, and there is no dpkg to divert what a package may have; remove that first, or say \
                 `supervise shims` for those who go by PATH; nothing was changed"
            }
        }
    }
}

/// What could not be taken back.
fn behind(f: &mut fmt::Formatter<'_>, left: &[PathBuf]) -> fmt::Result {
    f.write_str(if left.is_empty() { "; nothing was changed" } else { "; these are left behind:" })?;
    left.iter().try_for_each(|path| write!(f, " {}", path.display()))
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
