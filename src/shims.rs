//! `supervise shims`: links by which an image has supervise under the names of those who ask for shutdowns, or of other
//! inits.
//!
//! 1. What does not lead to us is neither replaced nor removed.
//! 2. Each name is looked at before anything is changed, and when one link cannot be made, those before it are taken back.
//! 3. Our own executable is not removed, whatever it is called.
//!
//! What leads to us is the same file: by a link, by several, or by another hard link. A copy is another file, and may be
//! one that somebody wants to keep. A link that leads to us by way of another client's name in /sbin and the like is most
//! likely a package's, which had it lead to its own client: it is not removed.

use std::ffi::{CStr, OsStr};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

use log::{debug, error};
use supervise_init::sys::{Errno, SigSet};

use crate::cli::exit;
use crate::sys::path_of_exec;
use crate::{compat, request};

mod divert;
mod dpkg;
mod trouble;

use trouble::{Other, Trouble, Way};

/// Which links.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Names {
    Inits,
    Clients,
}

impl Names {
    fn all(self) -> Vec<&'static str> {
        match self {
            Names::Inits => compat::NAMES.iter().map(|(name, _)| *name).collect(),
            Names::Clients => request::names().collect(),
        }
    }
}

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Order {
    Install,
    Remove,
}

/// Where the links are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Where {
    /// In the first directory of PATH that is there.
    Path,
    Directory(&'static CStr),
    /// Where packages have the clients.
    Diverted,
}

/// The links of one directory, or in place of what packages have.
#[derive(Debug)]
pub(crate) struct Shims {
    pub(crate) names: Names,
    pub(crate) place: Where,
    pub(crate) order: Order,
}

impl Shims {
    /// Does it, and returns the code to end with. `blocked` are the signals that were so before we were: what we call
    /// gets them. Ours all stay blocked, so that nothing is left half done.
    #[inline(never)]
    pub(crate) fn run(&self, blocked: SigSet) -> u8 {
        match self.done(blocked) {
            Ok(()) => exit::SUCCESS,
            Err(trouble) => {
                error!("{trouble}");
                exit::FAILURE
            }
        }
    }

    fn done(&self, blocked: SigSet) -> Result<(), Trouble> {
        let us = Us::find()?;
        let dir = match self.place {
            Where::Diverted => return divert::run(&us, self.order, blocked),
            Where::Directory(dir) => PathBuf::from(OsStr::from_bytes(dir.to_bytes())),
            Where::Path => first_of_path().ok_or(Trouble::NoDirectory)?,
        };
        let place = Place { target: us.target_in(&dir)?, us, names: self.names.all(), dir };
        match self.order {
            Order::Install => place.install(),
            Order::Remove => place.remove(),
        }
    }
}

/// What makes two paths one file: its device and its number there.
type File = (u64, u64);

/// What has a name in the directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Found {
    Nothing,
    /// What leads to us.
    Ours,
    /// Our own executable.
    Ourselves,
    Other(Other),
}

/// Our own executable.
struct Us {
    program: PathBuf,
    file: File,
}

impl Us {
    fn find() -> Result<Us, Trouble> {
        let program = own_path()?;
        let there = fs::metadata(&program).map_err(|error| Trouble::Gone(program.clone(), errno(&error)))?;
        Ok(Us { program, file: file(&there) })
    }

    /// How a link in this directory names it.
    fn target_in(&self, dir: &Path) -> Result<PathBuf, Trouble> {
        let there = fs::metadata(dir).and_then(|there| match there.is_dir() {
            true => Ok(there),
            false => Err(io::Error::from_raw_os_error(libc::ENOTDIR)),
        });
        there.map_err(|error| Trouble::Directory(dir.to_owned(), errno(&error)))?;
        // By its name alone it is also right where the directory is seen by another path.
        let name = self.program.file_name().filter(|_| self.is_in(dir));
        Ok(name.map_or_else(|| self.program.clone(), PathBuf::from))
    }

    fn is_in(&self, dir: &Path) -> bool {
        let same = |beside: &Path| Some(file(&fs::metadata(beside).ok()?) == file(&fs::metadata(dir).ok()?));
        self.program.parent().and_then(same).unwrap_or(false)
    }

    /// Whether this is its name.
    fn is_at(&self, path: &Path) -> bool {
        path.file_name() == self.program.file_name() && path.parent().is_some_and(|dir| self.is_in(dir))
    }

    fn look_at(&self, path: &Path) -> Result<Found, Trouble> {
        let entry = match fs::symlink_metadata(path) {
            Ok(entry) => entry,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(error) => return Err(Trouble::Look(path.to_owned(), errno(&error))),
        };
        Ok(match fs::metadata(path) {
            Ok(there) if file(&there) == self.file => {
                if self.is_at(path) {
                    Found::Ourselves
                } else {
                    Found::Ours
                }
            }
            Ok(_) if entry.is_symlink() => Found::Other(Other::Link),
            Ok(there) if there.is_dir() => Found::Other(Other::Directory),
            Ok(there) if self.is_copy(path, there.len()) => Found::Other(Other::Copy),
            Ok(_) => Found::Other(Other::File),
            Err(_) => Found::Other(Other::DeadLink),
        })
    }

    /// Whether a file of that length has what we have in it.
    fn is_copy(&self, path: &Path, length: u64) -> bool {
        let same_length = fs::metadata(&self.program).is_ok_and(|ours| ours.len() == length);
        same_length && matches!((fs::read(path), fs::read(&self.program)), (Ok(theirs), Ok(ours)) if theirs == ours)
    }
}

/// A directory of links.
struct Place {
    us: Us,
    names: Vec<&'static str>,
    dir: PathBuf,
    /// Our executable, as the links name it.
    target: PathBuf,
}

impl Place {
    fn install(&self) -> Result<(), Trouble> {
        let mut missing = Vec::new();
        let mut taken = Vec::new();
        for (path, found) in self.look()? {
            match found {
                Found::Nothing => missing.push(path),
                Found::Ours | Found::Ourselves => is_kept(&path),
                Found::Other(other) => taken.push((path, other)),
            }
        }
        if !taken.is_empty() {
            return Err(Trouble::Taken(taken, Way::Directory));
        }
        for (made, path) in missing.iter().enumerate() {
            if let Err(error) = symlink(&self.target, path) {
                let mut left = missing.clone();
                left.truncate(made);
                left.retain(|path| fs::remove_file(path).is_err());
                return Err(Trouble::Make { path: path.clone(), why: errno(&error), left });
            }
            is_made(path, &self.target);
        }
        Ok(())
    }

    fn remove(&self) -> Result<(), Trouble> {
        for (path, found) in self.look()? {
            match found {
                Found::Ours if !divert::goes_by_a_client(&self.us, &path) => remove_link(&path)?,
                Found::Ours => is_left(&path, Found::Other(Other::Link)),
                other => is_left(&path, other),
            }
        }
        Ok(())
    }

    /// What has the names.
    fn look(&self) -> Result<Vec<(PathBuf, Found)>, Trouble> {
        let mut all = Vec::with_capacity(self.names.len());
        for name in &self.names {
            let path = self.dir.join(name);
            let found = self.us.look_at(&path)?;
            all.push((path, found));
        }
        Ok(all)
    }
}

fn remove_link(path: &Path) -> Result<(), Trouble> {
    fs::remove_file(path).map_err(|error| Trouble::Remove(path.to_owned(), errno(&error)))?;
    debug!(event = "removed"; "{} is removed", path.display());
    Ok(())
}

fn is_made(path: &Path, target: &Path) {
    debug!(event = "made"; "{} leads to {} now", path.display(), target.display());
}

fn is_kept(path: &Path) {
    debug!(event = "kept"; "{} leads to supervise already", path.display());
}

/// What no removal takes away.
fn is_left(path: &Path, found: Found) {
    let path = path.display();
    match found {
        Found::Ourselves => debug!(event = "kept"; "{path} is supervise itself, and stays"),
        Found::Other(_) => debug!(event = "kept"; "{path} is not this supervise, and stays"),
        Found::Nothing | Found::Ours => debug!(event = "missing"; "{path} is not there"),
    }
}

/// Where root's names are looked for first. (In an image not every directory of its PATH is there.)
fn first_of_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find(|dir| dir.is_absolute() && dir.is_dir())
}

fn file(metadata: &Metadata) -> File {
    (metadata.dev(), metadata.ino())
}

/// Where our executable is. Not by a look at the file behind `/proc/self/exe`: under QEMU, which runs the images of other
/// machines, that one is QEMU.
fn own_path() -> Result<PathBuf, Trouble> {
    let told = fs::read_link("/proc/self/exe").ok().filter(|path| path.is_absolute());
    // Without /proc. The path may go by a link, or begin in the working directory.
    let executed = || fs::canonicalize(OsStr::from_bytes(path_of_exec()?.to_bytes())).ok();
    told.or_else(executed).ok_or(Trouble::NoProgram)
}

fn errno(error: &io::Error) -> Errno {
    Errno(error.raw_os_error().unwrap_or(libc::EIO))
}
