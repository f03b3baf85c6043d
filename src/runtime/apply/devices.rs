//! What is in /dev.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;

use nix::fcntl::{OFlag, open, readlink};
use nix::mount::MsFlags;
use nix::sys::stat::{Mode, fstat};
use nix::unistd::symlinkat;

use super::inside::{Inside, Links, make_file};
use super::mounts::{bind, device};
use super::root::open_beneath;
use super::{Why, inside};

/// Each with its numbers (linux/Documentation/admin-guide/devices.txt).
const DEVICES: [(&str, u64, u64); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

const LINKS: [(&str, &str); 5] = [
    ("pts/ptmx", "ptmx"),
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
];

/// The devices are the host's, each bound to a file: /dev itself lets no device be used, also none that root makes in it.
pub(super) fn put(root: &Inside) -> Result<(), Why> {
    let directory = dev(root)?;
    for (name, major, minor) in DEVICES {
        let device = device(name, major, minor)?;
        make_file(&directory, Path::new(name)).map_err(Why::of(name))?;
        bind(&device, &open_beneath(&directory, name)?, MsFlags::empty())?;
    }
    for (target, name) in LINKS {
        symlinkat(target, &directory, name).map_err(Why::of(name))?;
    }
    Ok(())
}

/// The terminal that stdin is, if it is one, under a name that there is inside: ttyname(3) looks for it.
pub(super) fn put_console(root: &Inside) -> Result<(), Why> {
    let Some(terminal) = terminal() else { return Ok(()) };
    let directory = dev(root)?;
    make_file(&directory, Path::new("console")).map_err(Why::of("console"))?;
    bind(&terminal, &open_beneath(&directory, "console")?, MsFlags::empty())
}

fn dev(root: &Inside) -> Result<OwnedFd, Why> {
    let path = Path::new("/dev");
    root.find(path, OFlag::O_DIRECTORY, Links::Refused).map_err(Why::of(path))
}

/// As it is in our mount namespace: what stdin itself is of is a mount of the host's, which cannot be bound.
fn terminal() -> Option<OwnedFd> {
    let stdin = std::io::stdin();
    nix::unistd::isatty(&stdin).ok().filter(|is_terminal| *is_terminal)?;
    let path = readlink(inside::path_by_number(stdin.as_raw_fd()).as_str()).ok()?;
    let terminal = open(path.as_os_str(), OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty()).ok()?;
    let same = fstat(&terminal).ok()?.st_rdev == fstat(&stdin).ok()?.st_rdev;
    same.then_some(terminal)
}
