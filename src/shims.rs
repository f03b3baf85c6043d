//! `supervise shims`: links by which an image has supervise under the names of those who ask for shutdowns, or of other
//! inits.
//!
//! 1. What does not lead to us is neither replaced nor removed.
//! 2. Each name is looked at before anything is changed, and when one link cannot be made, those before it are taken back.
//! 3. Our own executable is not removed, whatever it is called.
//!
//! What leads to us is the same file: by a link, by several, or by another hard link. A copy is another file: whether it
//! is one of this supervise or of an older one is not for us to judge.

use std::ffi::{CStr, OsStr};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::PathBuf;

use log::{debug, error};
use supervise_init::sys::Errno;

use crate::cli::exit;
use crate::sys::path_of_exec;
use crate::{compat, request};

mod trouble;

use trouble::{Other, Trouble};

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

/// The links of one directory.
#[derive(Debug)]
pub(crate) struct Shims {
    pub(crate) names: Names,
    /// Otherwise the first of PATH that is there.
    pub(crate) dir: Option<&'static CStr>,
    pub(crate) order: Order,
}

impl Shims {
    /// Does it, and returns the code to end with.
    #[inline(never)]
    pub(crate) fn run(&self) -> u8 {
        let said = self.dir.map(|dir| PathBuf::from(OsStr::from_bytes(dir.to_bytes())));
        let dir = said.or_else(first_of_path).ok_or(Trouble::NoDirectory);
        let place = dir.and_then(|dir| Place::new(dir, self.names.all()));
        let done = place.and_then(|place| match self.order {
            Order::Install => place.install(),
            Order::Remove => place.remove(),
        });
        match done {
            Ok(()) => exit::SUCCESS,
            Err(trouble) => {
                error!("{trouble}");
                exit::FAILURE
            }
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

/// The directory, and what leads to us there.
struct Place {
    names: Vec<&'static str>,
    dir: PathBuf,
    ours: File,
    /// Our executable, as the links name it.
    target: PathBuf,
    /// Our executable's name, if it is in this directory.
    own_name: Option<&'static str>,
}

impl Place {
    fn new(dir: PathBuf, names: Vec<&'static str>) -> Result<Place, Trouble> {
        let program = own_path()?;
        let ours = fs::metadata(&program).map_err(|error| Trouble::Gone(program.clone(), errno(&error)))?;
        let there = fs::metadata(&dir).and_then(|there| match there.is_dir() {
            true => Ok(there),
            false => Err(io::Error::from_raw_os_error(libc::ENOTDIR)),
        });
        let there = there.map_err(|error| Trouble::Directory(dir.clone(), errno(&error)))?;
        let beside = program.parent().and_then(|parent| fs::metadata(parent).ok());
        let is_beside = beside.is_some_and(|beside| file(&beside) == file(&there));
        let name = program.file_name().filter(|_| is_beside);
        Ok(Place {
            dir,
            ours: file(&ours),
            own_name: name.and_then(|name| names.iter().copied().find(|init| *init == name)),
            names,
            // By its name alone it is also right where the directory is seen by another path.
            target: name.map_or_else(|| program.clone(), PathBuf::from),
        })
    }

    fn install(&self) -> Result<(), Trouble> {
        let mut missing = Vec::new();
        let mut taken = Vec::new();
        for (path, found) in self.look()? {
            match found {
                Found::Nothing => missing.push(path),
                Found::Ours | Found::Ourselves => {
                    debug!(event = "kept"; "{} leads to supervise already", path.display())
                }
                Found::Other(other) => taken.push((path, other)),
            }
        }
        if !taken.is_empty() {
            return Err(Trouble::Taken(taken));
        }
        for (made, path) in missing.iter().enumerate() {
            if let Err(error) = symlink(&self.target, path) {
                let mut left = missing.clone();
                left.truncate(made);
                left.retain(|path| fs::remove_file(path).is_err());
                return Err(Trouble::Make { path: path.clone(), why: errno(&error), left });
            }
            debug!(event = "made"; "{} leads to {} now", path.display(), self.target.display());
        }
        Ok(())
    }

    fn remove(&self) -> Result<(), Trouble> {
        for (path, found) in self.look()? {
            match found {
                Found::Ours => {
                    fs::remove_file(&path).map_err(|error| Trouble::Remove(path.clone(), errno(&error)))?;
                    debug!(event = "removed"; "{} is removed", path.display());
                }
                Found::Ourselves => debug!(event = "kept"; "{} is supervise itself, and stays", path.display()),
                Found::Other(_) => debug!(event = "kept"; "{} is not this supervise, and stays", path.display()),
                Found::Nothing => debug!(event = "missing"; "{} is not there", path.display()),
            }
        }
        Ok(())
    }

    /// What has the names.
    fn look(&self) -> Result<Vec<(PathBuf, Found)>, Trouble> {
        let mut all = Vec::with_capacity(self.names.len());
        for name in &self.names {
            all.push(self.look_at(name)?);
        }
        Ok(all)
    }

    fn look_at(&self, name: &str) -> Result<(PathBuf, Found), Trouble> {
        let path = self.dir.join(name);
        let entry = match fs::symlink_metadata(&path) {
            Ok(entry) => entry,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((path, Found::Nothing)),
            Err(error) => return Err(Trouble::Look(path, errno(&error))),
        };
        let found = match fs::metadata(&path) {
            Ok(file_there) if file(&file_there) == self.ours => match self.own_name == Some(name) {
                true => Found::Ourselves,
                false => Found::Ours,
            },
            Ok(_) if entry.is_symlink() => Found::Other(Other::Link),
            Ok(there) if there.is_dir() => Found::Other(Other::Directory),
            Ok(_) => Found::Other(Other::File),
            Err(_) => Found::Other(Other::DeadLink),
        };
        Ok((path, found))
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
