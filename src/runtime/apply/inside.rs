//! Paths of the image. They are looked up by the kernel, which lets none of them out of the root (openat2(2)), and used by
//! the descriptor that was found: a link that somebody changes in between changes nothing.

use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::path::{Component, Path};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::{Mode, SFlag, fstat, mkdirat};

use super::Why;
use super::remount::mount_id;

/// What a place is that something is mounted on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Directory,
    File,
}

/// What becomes of a link where a directory must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::runtime) enum Links {
    /// It is followed, inside.
    Followed,
    /// It is refused: of these a link would give a wrong picture of the system.
    Refused,
}

/// The root of the container.
pub(in crate::runtime) struct Inside {
    root: OwnedFd,
    /// The mounts that show something of the host.
    bound: Vec<u64>,
}

impl Inside {
    pub(in crate::runtime) fn new(root: OwnedFd) -> Inside {
        Inside { root, bound: Vec::new() }
    }

    pub(super) fn root(&self) -> &OwnedFd {
        &self.root
    }

    /// That mount shows something of the host.
    pub(super) fn note_bound(&mut self, mount: &OwnedFd) -> Result<(), Why> {
        self.bound.push(mount_id(mount)?);
        Ok(())
    }

    /// Whether what is made there would be made on the host, in what is bound.
    pub(super) fn is_bound(&self, path: &Path) -> Result<bool, Why> {
        if self.bound.is_empty() {
            return Ok(false);
        }
        let there = path.ancestors().find_map(|above| self.find(above, OFlag::empty(), Links::Followed).ok());
        there.map_or(Ok(false), |there| Ok(self.bound.contains(&mount_id(&there)?)))
    }

    /// What is there, to be mounted on or looked at; not opened.
    pub(in crate::runtime) fn find(&self, path: &Path, flags: OFlag, links: Links) -> Result<OwnedFd, Errno> {
        let resolve = match links {
            Links::Followed => ResolveFlag::RESOLVE_IN_ROOT,
            Links::Refused => ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_SYMLINKS,
        };
        let resolve = resolve | ResolveFlag::RESOLVE_NO_MAGICLINKS;
        let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_CLOEXEC | flags).resolve(resolve);
        // EAGAIN: somebody has renamed something meanwhile, so that the kernel could not be sure.
        (0..128)
            .find_map(|_| match openat2(&self.root, path, how) {
                Err(Errno::EAGAIN) => None,
                found => Some(found),
            })
            .unwrap_or(Err(Errno::EAGAIN))
    }

    /// The directory, which is made if it is not there, with those above it.
    pub(super) fn directory(&self, path: &Path, links: Links) -> Result<OwnedFd, Why> {
        let found = self.find(path, OFlag::O_DIRECTORY, links);
        match found {
            Ok(found) => Ok(found),
            Err(Errno::ENOENT) => {
                let (above, name) = self.above(path, links)?;
                let mode = Mode::from_bits_truncate(0o755);
                mkdirat(&above, name, mode).map_err(|errno| match errno {
                    // Nothing was found there, so that it is a link to nothing.
                    Errno::EEXIST => Why::DeadLink(path.to_owned()),
                    errno => Why::File(path.to_owned(), errno),
                })?;
                self.find(path, OFlag::O_DIRECTORY, links).map_err(Why::of(path))
            }
            Err(Errno::ELOOP) if links == Links::Refused => Err(Why::Link(path.to_owned())),
            Err(errno @ (Errno::ENOSYS | Errno::EPERM)) => Err(Why::NoOpenat2(errno)),
            Err(errno) => Err(Why::File(path.to_owned(), errno)),
        }
    }

    /// A place for a file to be mounted on: what has the name itself, if that is no directory, also if it is a link.
    pub(super) fn file(&self, path: &Path) -> Result<OwnedFd, Why> {
        let (above, name) = self.above(path, Links::Followed)?;
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        match openat(&above, name, flags, Mode::empty()) {
            Err(Errno::ENOENT) => {
                make_file(&above, name).map_err(Why::of(path))?;
                openat(&above, name, flags, Mode::empty()).map_err(Why::of(path))
            }
            found => found.map_err(Why::of(path)),
        }
    }

    /// The directory that it is in, and its name there.
    fn above<'p>(&self, path: &'p Path, links: Links) -> Result<(OwnedFd, &'p Path), Why> {
        let name = match path.components().next_back() {
            Some(Component::Normal(name)) => Path::new(name),
            _ => return Err(Why::File(path.to_owned(), Errno::EINVAL)),
        };
        let above = path.parent().unwrap_or(Path::new("/"));
        self.directory(above, links).map(|above| (above, name))
    }
}

/// An empty file, which must not be there.
pub(super) fn make_file(directory: impl AsFd, name: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
    openat(directory, name, flags, Mode::from_bits_truncate(0o644))
}

/// What it is, if it can be mounted on by what is like it.
pub(super) fn kind(file: impl AsFd) -> Result<Kind, Errno> {
    let mode = SFlag::from_bits_truncate(fstat(file)?.st_mode & SFlag::S_IFMT.bits());
    Ok(if mode == SFlag::S_IFDIR { Kind::Directory } else { Kind::File })
}

/// The path by which mount(2) finds the very file that the descriptor is of.
pub(super) fn path_of(file: &OwnedFd) -> String {
    path_by_number(file.as_raw_fd())
}

pub(super) fn path_by_number(fd: i32) -> String {
    format!("/proc/self/fd/{fd}")
}
