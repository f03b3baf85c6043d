//! What is in /dev.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;

use nix::fcntl::{OFlag, open, readlink};
use nix::mount::MsFlags;
use nix::sys::stat::{Mode, SFlag, fstat, major, minor, mkdirat, mknodat};
use nix::unistd::symlinkat;

use super::inside::{Inside, Links, make_file, path_of};
use super::mounts::{attach, bind_read_only, bind_to, tree};
use super::root::open_beneath;
use super::{Site, Why, inside};

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
pub(super) fn put(site: &mut Site) -> Result<(), Why> {
    nodes(site)?;
    let nodes = site.nodes.as_ref().ok_or(Why::OutOfOrder)?;
    let directory = dev(site.root()?)?;
    for (name, major, minor) in DEVICES {
        let device = find(nodes, name, major, minor)?;
        // Nobody is inside yet who could put something else in its place.
        mknodat(&directory, name, SFlag::S_IFREG, Mode::from_bits_truncate(0o644), 0).map_err(Why::of(name))?;
        bind_to(&device, &format!("{}/{name}", path_of(&directory)))?;
    }
    for (target, name) in LINKS {
        symlinkat(target, &directory, name).map_err(Why::of(name))?;
    }
    Ok(())
}

/// The host's /dev, read-only, and so all that is bound from there: devices can be written to nevertheless, and modes,
/// owners and times of the host's nodes cannot be changed.
pub(super) fn nodes(site: &mut Site) -> Result<&OwnedFd, Why> {
    if site.nodes.is_none() {
        let stage = site.stage()?;
        mkdirat(stage, "dev", Mode::from_bits_truncate(0o755))?;
        let nodes = tree(Path::new("/dev"))?;
        attach(&nodes, &open_beneath(stage, "dev")?, MsFlags::MS_RDONLY)?;
        site.nodes = Some(nodes);
    }
    site.nodes.as_ref().ok_or(Why::OutOfOrder)
}

/// A device of the host, which it is told to be by its numbers: by its name alone it could be anything.
pub(super) fn find(nodes: &OwnedFd, name: &'static str, major_number: u64, minor_number: u64) -> Result<OwnedFd, Why> {
    let device = open_beneath(nodes, name).map_err(|why| why.within(Path::new("/dev")))?;
    let status = fstat(&device)?;
    let is_character = status.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFCHR.bits();
    if is_character && (major(status.st_rdev), minor(status.st_rdev)) == (major_number, minor_number) {
        Ok(device)
    } else {
        Err(Why::NotThatDevice(name))
    }
}

/// The terminal that stdin is, if it is one, under a name that there is inside: ttyname(3) looks for it.
pub(super) fn put_console(root: &Inside) -> Result<(), Why> {
    let Some(terminal) = terminal() else { return Ok(()) };
    let directory = dev(root)?;
    make_file(&directory, Path::new("console")).map_err(Why::of("console"))?;
    bind_read_only(&terminal, &open_beneath(&directory, "console")?)
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
