//! Why a command of a root filesystem cannot run on this kernel, said before it is started: the kernel serves every
//! distribution only within its ABI. What is found is what the kernel or the C library would say in one word.
//!
//! 1. Every path is looked up in the root of the container, never on the host.
//! 2. What cannot be looked at is no reason: the kernel has the last word.

mod binfmt;
pub(crate) mod users;

use std::fmt;
use std::fs::{self, File};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::OFlag;

use self::binfmt::Handler;
use super::apply::inside::{Inside, Links};
use crate::cli::exit;
use crate::diagnose::program::{Elf, Release, script_interpreter, start_of};
use crate::diagnose::start::Reason;

/// Why a command cannot run here.
#[derive(Debug)]
pub(crate) enum Unfit {
    /// As it is said of one that has not started.
    Command(Reason),
    /// What is missing, where it was looked for, and what was meant instead.
    NoRoot { command: String, root: PathBuf, meant: Option<PathBuf> },
    /// The file, and the machine that it is for.
    NoEmulator(PathBuf, String),
    /// The same, and the emulator, which the root lacks.
    NoEmulatorInside(PathBuf, String, String),
    /// The command, the file of it that asks, and for what; and what we have.
    OldKernel { command: PathBuf, file: PathBuf, asks: Release, has: Release },
}

impl Unfit {
    /// What we end with.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Unfit::Command(reason) => reason.code(),
            Unfit::NoRoot { .. } => exit::FAILURE,
            Unfit::NoEmulator(..) | Unfit::NoEmulatorInside(..) | Unfit::OldKernel { .. } => exit::NOT_EXECUTABLE,
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ours = std::env::consts::ARCH;
        match self {
            Unfit::Command(reason) => reason.fmt(f),
            Unfit::NoRoot { command, root, meant } => {
                write!(f, "cannot run {command}: {} is no root filesystem, ", root.display())?;
                f.write_str("it has neither bin nor usr; ")?;
                match meant {
                    Some(meant) => write!(f, "did you mean {}?", meant.display()),
                    None => f.write_str("take a directory with the files of a distribution, as debootstrap makes one"),
                }
            }
            Unfit::NoEmulator(file, machine) => write!(
                f,
                "cannot run {}: it is a program for {machine}, this machine is {ours}, and no emulator is registered; \
                 install one (apt-get install qemu-user-static binfmt-support), or take a root filesystem for {ours}",
                file.display()
            ),
            Unfit::NoEmulatorInside(file, machine, emulator) => write!(
                f,
                "cannot run {}: it is a program for {machine}, and its emulator {emulator} is not in the root \
                 filesystem; register it with flag F (qemu-user-static does), or copy it there",
                file.display()
            ),
            Unfit::OldKernel { command, file, asks, has } => {
                write!(f, "cannot run {}: ", command.display())?;
                if command != file {
                    write!(f, "its C library {} ", file.display())?;
                } else {
                    f.write_str("it ")?;
                }
                write!(
                    f,
                    "is built for Linux {asks} and later, and this is {has}; take an older release of the distribution, or \
                     a newer kernel"
                )
            }
        }
    }
}

/// What the kernel can run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Kernel {
    /// `None`: it cannot be asked.
    release: Option<Release>,
    /// What emulators are registered.
    handlers: Vec<Handler>,
}

impl Kernel {
    pub(crate) fn ours() -> Kernel {
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").ok();
        Kernel { release: release.and_then(|word| Release::parse(&word)), handlers: binfmt::registered() }
    }

    /// The names of the emulators that are registered.
    pub(crate) fn handlers(&self) -> impl Iterator<Item = &str> {
        self.handlers.iter().map(|handler| handler.name.as_str())
    }
}

/// An interpreter may be a script itself; so many the kernel follows (execve(2)).
const INTERPRETERS: u32 = 4;

/// Looks for a reason why the command cannot be executed in this root. `search_path` is the PATH in which it will be
/// looked for, `directory` that which it is started in.
///
/// # Errors
/// The reason.
pub(crate) fn check(
    root: OwnedFd,
    command: &Path,
    search_path: &str,
    directory: &Path,
    kernel: &Kernel,
) -> Result<(), Unfit> {
    let look = Look { inside: Inside::new(root), kernel };
    let is_bare = command.components().count() == 1 && !command.as_os_str().as_encoded_bytes().contains(&b'/');
    if !is_bare {
        return look.check(&directory.join(command), INTERPRETERS);
    }
    let files = search_path.split(':').map(|folder| directory.join(folder).join(command));
    let mut there = files.filter(|file| !look.is_missing(file));
    // One that may not be executed does not hide another (execvp(3)).
    let first = there.next();
    let file = first.iter().cloned().chain(there).find(|file| look.is_executable(file)).or(first);
    match file {
        Some(file) => look.check(&file, INTERPRETERS),
        None => Err(Unfit::Command(Reason::NotInPath(command.to_string_lossy().into_owned(), None))),
    }
}

/// Says of a command that is missing, if that is so, that everything is: no part of the root has programs. The parts are
/// as they are on the host.
pub(crate) fn explain_missing(why: Unfit, parts: &[OwnedFd]) -> Unfit {
    let command = match &why {
        Unfit::Command(Reason::NotFound(command) | Reason::NotInPath(command, _)) => command.clone(),
        _ => return why,
    };
    // By what is open: the path leads to what is mounted over it by now.
    let folders: Vec<_> =
        parts.iter().map(|part| PathBuf::from(format!("/proc/self/fd/{}", part.as_raw_fd()))).collect();
    let Some(first) = folders.first().filter(|_| !folders.iter().any(|folder| has_programs(folder))) else {
        return why;
    };
    let root = fs::read_link(first).unwrap_or_default();
    let entries = fs::read_dir(first).into_iter().flatten().flatten();
    let mut below = entries.filter(|entry| has_programs(&entry.path())).map(|entry| root.join(entry.file_name()));
    let meant = below.next().filter(|_| below.next().is_none());
    Unfit::NoRoot { command, meant, root }
}

fn has_programs(folder: &Path) -> bool {
    ["bin", "usr"].iter().any(|name| folder.join(name).symlink_metadata().is_ok())
}

/// A root filesystem, and what has to run it.
struct Look<'k> {
    inside: Inside,
    kernel: &'k Kernel,
}

impl Look<'_> {
    fn find(&self, path: &Path) -> Result<OwnedFd, Errno> {
        self.inside.find(path, OFlag::empty(), Links::Followed)
    }

    fn is_missing(&self, path: &Path) -> bool {
        matches!(self.find(path), Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP))
    }

    fn metadata(&self, path: &Path) -> Option<fs::Metadata> {
        // Of what is open, not of what a path would lead to by now.
        let file = File::from(self.find(path).ok()?);
        file.metadata().ok()
    }

    fn is_executable(&self, path: &Path) -> bool {
        self.metadata(path).is_some_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
    }

    /// For reading.
    fn open(&self, path: &Path) -> Option<File> {
        let found = self.find(path).ok()?;
        // Opened again by its descriptor: the link in /proc leads to the file itself.
        File::open(format!("/proc/self/fd/{}", found.as_raw_fd())).ok()
    }

    /// The same file for the kernel: executed as it is there, or as an interpreter.
    fn check(&self, path: &Path, deeper: u32) -> Result<(), Unfit> {
        let command = |reason| Err(Unfit::Command(reason));
        let Some(metadata) = self.metadata(path) else {
            return if self.is_missing(path) { command(Reason::NotFound(path.display().to_string())) } else { Ok(()) };
        };
        if metadata.is_dir() {
            return command(Reason::Directory(path.to_owned()));
        }
        if !metadata.is_file() || metadata.permissions().mode() & 0o111 == 0 {
            return command(Reason::NotExecutable(path.to_owned()));
        }
        let Some(file) = self.open(path) else { return Ok(()) };
        let start = start_of(&file);
        if let Some(interpreter) = script_interpreter(&start) {
            return self.check_script(path, &interpreter, deeper);
        }
        match Elf::parse(&start) {
            Some(elf) => self.check_elf(path, &elf, &start, &file),
            // Who starts it has a shell for that.
            None => Ok(()),
        }
    }

    fn check_script(&self, path: &Path, interpreter: &str, deeper: u32) -> Result<(), Unfit> {
        let file = Path::new(interpreter);
        if !file.is_absolute() || deeper == 0 {
            return Ok(());
        }
        if self.is_missing(file) {
            let (path, interpreter) = (path.to_owned(), interpreter.to_owned());
            return Err(Unfit::Command(match interpreter.ends_with('\r') {
                true => Reason::CarriageReturn(path, interpreter),
                false => Reason::NoInterpreter(path, interpreter),
            }));
        }
        self.check(file, deeper - 1).map_err(|why| match why {
            Unfit::Command(reason) => Unfit::Command(Reason::BadInterpreter(path.to_owned(), Box::new(reason))),
            other => other,
        })
    }

    fn check_elf(&self, path: &Path, elf: &Elf, start: &[u8], file: &File) -> Result<(), Unfit> {
        let machine = elf.machine();
        if !runs_here(&machine) {
            return match self.kernel.handlers.iter().find(|handler| handler.takes(start)) {
                None => Err(Unfit::NoEmulator(path.to_owned(), machine)),
                Some(handler) if handler.is_open || !self.is_missing(Path::new(&handler.interpreter)) => Ok(()),
                Some(handler) => Err(Unfit::NoEmulatorInside(path.to_owned(), machine, handler.interpreter.clone())),
            };
        }
        if let Some(loader) = elf.loader(start)
            && self.is_missing(Path::new(&loader))
        {
            return Err(Unfit::Command(Reason::NoLoader(path.to_owned(), loader)));
        }
        let Some(has) = self.kernel.release else { return Ok(()) };
        let library = elf.loader(start).and_then(|_| self.c_library(elf));
        let asks = [elf.oldest_kernel(file).map(|asks| (path.to_owned(), asks)), library];
        match asks.into_iter().flatten().find(|(_, asks)| *asks > has) {
            Some((file, asks)) => Err(Unfit::OldKernel { command: path.to_owned(), file, asks, has }),
            None => Ok(()),
        }
    }

    /// glibc's file for such a program, and the oldest kernel that it is built for.
    fn c_library(&self, elf: &Elf) -> Option<(PathBuf, Release)> {
        let triplets = ["lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu", "lib/i386-linux-gnu", "lib64", "lib", "lib32"];
        let folders = triplets.iter().flat_map(|folder| [format!("/{folder}"), format!("/usr/{folder}")]);
        folders.map(|folder| Path::new(&folder).join("libc.so.6")).find_map(|path| {
            let file = self.open(&path)?;
            let library = Elf::parse(&start_of(&file)).filter(|library| library.is_like(elf))?;
            library.oldest_kernel(&file).map(|asks| (path, asks))
        })
    }
}

/// Whether the kernel itself runs programs for that machine: those of 32 bits as well, unless it was built without.
fn runs_here(machine: &str) -> bool {
    match std::env::consts::ARCH {
        "x86_64" => matches!(machine, "x86_64" | "i386"),
        "aarch64" => matches!(machine, "aarch64" | "arm"),
        ours => machine == ours,
    }
}

#[cfg(test)]
mod tests;
