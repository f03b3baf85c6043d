//! The directory of `--upper`.
//!
//! 1. It is one container's alone as long as that lives: two would write over each other's files.
//! 2. It is no part of the root filesystem, which stays as it is, nor the other way round.
//! 3. Where no container could be made, what was made of it for this one is gone again.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use log::warn;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag, open};
use nix::sys::stat::Mode;

use super::apply::Why;

/// What is in it.
const PARTS: [&str; 2] = ["work", "upper"];

/// It is ours until this is dropped.
#[derive(Debug)]
pub(super) struct Kept {
    path: PathBuf,
    directory: Flock<OwnedFd>,
    is_new: bool,
    /// The parts that were not there before.
    new: Vec<&'static str>,
}

impl Kept {
    /// Makes it, for its owner alone, if it is not there.
    pub(super) fn claim(path: &Path, layers: &[PathBuf]) -> Result<Kept, Why> {
        check_place(path, layers)?;
        // Who could enter it could execute what the container makes there, also programs that are set-user-ID.
        let is_new = match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(of(path, &error)),
        };
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let directory = open(path, flags, Mode::empty()).map_err(Why::Kernel)?;
        let directory = Flock::lock(directory, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
            Errno::EWOULDBLOCK => Why::InUse(path.to_owned()),
            errno => Why::Kernel(errno),
        })?;
        if fs::metadata(path).is_ok_and(|status| status.mode() & 0o001 != 0) {
            warn!(
                "other users can enter {0}, and execute as its owner what the container makes set-user-ID there; say \
                 `chmod 700 {0}`",
                path.display()
            );
        }
        let is_missing = |name: &&str| path.join(name).symlink_metadata().is_err();
        let new = PARTS.into_iter().filter(is_missing).collect();
        Ok(Kept { path: path.to_owned(), directory, is_new, new })
    }

    /// A container has written to it: none of it is given back.
    pub(super) fn note_used(&mut self) {
        self.new.clear();
        self.is_new = false;
    }

    /// No container has come of it, and nothing of the image has run: what is in the parts that are new, we have made to
    /// mount on.
    pub(super) fn give_back(self) {
        for name in &self.new {
            let part = format!("/proc/self/fd/{}/{name}", self.directory.as_raw_fd());
            // The kernel's own, which nobody but root may open.
            let _ = fs::remove_dir(format!("{part}/work"));
            let _ = fs::remove_dir_all(&part);
        }
        if self.is_new {
            let _ = fs::remove_dir(&self.path);
        }
    }
}

/// Requires that each of them is there, before anything is made.
pub(super) fn check_sources<'a>(sources: impl IntoIterator<Item = &'a PathBuf>) -> Result<(), Why> {
    sources.into_iter().try_for_each(|path| fs::metadata(path).map(|_| ()).map_err(|error| of(path, &error)))
}

/// By their real paths.
fn check_place(path: &Path, layers: &[PathBuf]) -> Result<(), Why> {
    let Ok(path) = real(path) else { return Ok(()) };
    for layer in layers {
        let is_one_in_the_other =
            |layer: &Path| path.starts_with(layer) || PARTS.iter().any(|part| layer.starts_with(path.join(part)));
        if fs::canonicalize(layer).is_ok_and(|layer| is_one_in_the_other(&layer)) {
            return Err(Why::InRoot(layer.clone()));
        }
    }
    Ok(())
}

/// Of what may not be there yet.
fn real(path: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(path).or_else(|error| {
        let name = path.file_name().ok_or(error)?;
        let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::canonicalize(above).map(|above| above.join(name))
    })
}

fn of(path: &Path, error: &io::Error) -> Why {
    Why::File(path.to_owned(), Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
}
