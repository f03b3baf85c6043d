//! Why a step could not be done.

use std::fmt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use supervise_init::sys;

use crate::runtime::network;
use crate::runtime::rights::{capabilities, seccomp};
use crate::runtime::unfit::Unfit;

/// The reason, which follows "cannot ...: ".
#[derive(Debug)]
pub(in crate::runtime) enum Why {
    Kernel(Errno),
    /// Of this file, which may be inside or on the host.
    File(PathBuf, Errno),
    /// What must be a directory is one of the image's links.
    Link(PathBuf),
    /// What is written cannot be kept.
    Kept(Box<Why>),
    /// One that leads to nothing.
    DeadLink(PathBuf),
    /// No device of that number.
    NotThatDevice(&'static str),
    /// Before Linux 5.6, or refused by a filter.
    NoOpenat2(Errno),
    /// What is kept goes to directories: who owns the one that they are in could lead it elsewhere by links.
    NotADirectory(PathBuf),
    /// What is kept would be written to the root filesystem, or the other way round.
    InRoot(PathBuf),
    /// It would be made on the host, in what is bound there.
    Bound(PathBuf),
    /// An overlay cannot be made of what something is mounted in, by a user namespace.
    Submount(PathBuf),
    /// Another container writes there.
    InUse(PathBuf),
    /// The host's root cannot be left.
    RamRoot,
    /// And what may help.
    Overlay(Errno, Option<&'static str>),
    Rights(capabilities::Error),
    Filter(seccomp::Error),
    Network(network::Error),
    /// The command cannot run here. It is a whole sentence.
    Unfit(Box<Unfit>),
    MonitorGone,
    /// A step before one that it needs.
    OutOfOrder,
}

impl Why {
    /// What the kernel said was about this file.
    pub(super) fn about(self, path: &Path) -> Why {
        match self {
            Why::Kernel(errno) => Why::File(path.to_owned(), errno),
            why => why,
        }
    }

    /// The file is in that directory.
    pub(super) fn within(self, directory: &Path) -> Why {
        match self {
            Why::File(path, errno) => Why::File(directory.join(path), errno),
            Why::NotADirectory(path) => Why::NotADirectory(directory.join(path)),
            why => why,
        }
    }

    /// What the kernel said of that file.
    pub(super) fn of(path: impl AsRef<Path>) -> impl FnOnce(Errno) -> Why {
        move |errno| Why::File(path.as_ref().to_owned(), errno)
    }
}

impl From<Errno> for Why {
    fn from(errno: Errno) -> Why {
        Why::Kernel(errno)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |errno: &Errno| sys::Errno(*errno as i32);
        match self {
            Why::Kernel(errno) => write!(f, "{}", text(errno)),
            Why::File(path, errno) => write!(f, "{}: {}", path.display(), text(errno)),
            Why::Link(path) => {
                write!(f, "in the root filesystem {} is a symbolic link; make it a directory", path.display())
            }
            Why::Kept(why) => write!(f, "for --upper, {why}"),
            Why::DeadLink(path) => {
                let path = path.display();
                write!(f, "in the root filesystem {path} is a symbolic link that leads nowhere; make it a directory")
            }
            Why::NotThatDevice(name) => write!(f, "/dev/{name} of the host is another device, or none"),
            Why::NoOpenat2(errno) => write!(f, "openat2(2) is needed, which Linux has since 5.6: {}", text(errno)),
            Why::NotADirectory(path) => {
                write!(f, "{} is a symbolic link, or a file; make it a directory", path.display())
            }
            Why::InRoot(root) => {
                write!(
                    f,
                    "it and the root filesystem {} are in one another; take a directory beside it",
                    root.display()
                )
            }
            Why::Bound(path) => write!(
                f,
                "{} would be made on the host, in what --bind shows; bind what is needed of it, not all",
                path.display()
            ),
            Why::Submount(path) => write!(
                f,
                "{} is mounted in it, which a user namespace cannot leave out; unmount it, or say --writable, or take a \
                 copy of ROOTFS",
                path.display()
            ),
            Why::InUse(dir) => write!(f, "another container writes to {}", dir.display()),
            Why::Overlay(errno, hint) => {
                write!(f, "{}", text(errno))?;
                hint.map_or(Ok(()), |hint| write!(f, " ({hint})"))
            }
            Why::RamRoot => f.write_str(
                "invalid argument (is the root of the host a ramfs, as in an initramfs? the kernel refuses that)",
            ),
            Why::Rights(error) => error.fmt(f),
            Why::Filter(error) => error.fmt(f),
            Why::Network(error) => error.fmt(f),
            Why::Unfit(why) => why.fmt(f),
            Why::MonitorGone => f.write_str("the supervise that watches it is gone"),
            Why::OutOfOrder => f.write_str("the step that it needs was not done"),
        }
    }
}
