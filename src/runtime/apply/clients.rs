//! Our own file inside, and the names of those who ask for shutdowns.
//!
//! It is shown so that nothing can be written to it: process 1 is executed from there, so that what is behind
//! /proc/1/exe leads to no file of the host that could be written to (CVE-2019-5736); and it is bound over the clients that
//! the image has.

use std::ffi::CStr;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;

use log::debug;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, readlink};
use nix::mount::{MsFlags, mount as mount_2};
use nix::sys::sendfile::sendfile64;
use nix::sys::stat::{FileStat, Mode, fchmod, fstat, mkdirat, stat};
use nix::unistd::symlinkat;

use super::inside::{Inside, Kind, Links, kind, make_file, path_of};
use super::mounts::{attach, bind, restrict, tree};
use super::root::{open_beneath, open_directory};
use super::{Site, Why};
use crate::request;
use crate::runtime::plan::Guard;
use crate::sys::HowFar;

/// Where it is inside. The last directory of PATH, for images without clients.
pub(crate) const DIRECTORY: &str = "/run/supervise/bin";
/// Itself.
pub(super) const FILE: &CStr = c"/run/supervise/bin/supervise";

/// Where distributions have their clients.
const PLACES: [&str; 4] = ["/sbin", "/usr/sbin", "/bin", "/usr/bin"];

pub(super) fn offer(site: &mut Site, guard: Guard) -> Result<(), Why> {
    let ours = show(site, guard)?;
    // From there, where it cannot be changed, also where it is a copy.
    bind_over_clients(site.root()?, &ours)
}

/// Our own file as it is inside.
pub(super) fn show(site: &mut Site, guard: Guard) -> Result<OwnedFd, Why> {
    let stage = site.stage()?;
    mkdirat(stage, "bin", Mode::from_bits_truncate(0o755))?;
    let bin = open_beneath(stage, "bin")?;
    for name in request::names() {
        symlinkat("supervise", &bin, name)?;
    }
    let systemctl = systemctl_of_image(site.root()?);
    if systemctl.is_some() {
        make_file(&bin, Path::new(request::SYSTEMCTL_OF_IMAGE))?;
    }
    let shown = match guard {
        Guard::Mount => bind_ourselves(),
        Guard::Overlay => show_ourselves(stage),
    };
    match &shown {
        Ok(_) => make_file(&bin, Path::new("supervise")).map(drop)?,
        Err(why) => {
            debug!(event = "copy"; "our file cannot be shown as it is: {why}; it is copied");
            copy_ourselves(&bin)?;
        }
    }
    let root = site.root()?;
    if root.is_bound(Path::new(DIRECTORY))? {
        return Err(Why::Bound(DIRECTORY.into()));
    }
    bind(&bin, &root.directory(Path::new(DIRECTORY), Links::Followed)?, MsFlags::empty())?;
    let directory = root.find(Path::new(DIRECTORY), OFlag::O_DIRECTORY, Links::Followed)?;
    restrict(&directory, UNCHANGEABLE, HowFar::Mount)?;
    if let Ok(shown) = shown {
        attach(&shown, &open_beneath(&directory, "supervise")?, UNCHANGEABLE)?;
    }
    if let Some(systemctl) = systemctl {
        bind(&systemctl, &open_beneath(&directory, request::SYSTEMCTL_OF_IMAGE)?, MsFlags::empty())?;
    }
    open_beneath(&directory, "supervise")
}

/// What ours calls for all that is not about a shutdown: it lies over it.
fn systemctl_of_image(root: &Inside) -> Option<OwnedFd> {
    let found = |path: &str| root.find(Path::new(path), OFlag::empty(), Links::Followed).ok();
    ["/usr/bin/systemctl", "/bin/systemctl"]
        .into_iter()
        .filter_map(found)
        .find(|file| kind(file).is_ok_and(|kind| kind == Kind::File))
}

/// Of a mount: nothing in it can be written to, or gives rights.
const UNCHANGEABLE: MsFlags = MsFlags::MS_RDONLY.union(MsFlags::MS_NOSUID).union(MsFlags::MS_NODEV);

/// Our file alone, as a mount that is nowhere yet: who may not mount inside cannot take from it that it is read-only.
fn bind_ourselves() -> Result<OwnedFd, Why> {
    // By its path: the mount that it was executed from is in the namespace that we are from.
    let ours = tree(Path::new(&readlink("/proc/self/exe")?))?;
    same_as_ours(ours, |ours, found| (ours.st_dev, ours.st_ino) == (found.st_dev, found.st_ino))
}

/// Another file may have the name by now.
fn same_as_ours(found: OwnedFd, is_same: impl Fn(&FileStat, &FileStat) -> bool) -> Result<OwnedFd, Why> {
    match is_same(&stat("/proc/self/exe")?, &fstat(&found)?) {
        true => Ok(found),
        false => Err(Why::Kernel(Errno::ESTALE)),
    }
}

/// By an overlay without an upper directory: it can be written to by nobody, however it is mounted, and no memory is used
/// for a copy.
fn show_ourselves(stage: &OwnedFd) -> Result<OwnedFd, Why> {
    let path = readlink("/proc/self/exe")?;
    let path = Path::new(&path);
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Why::Kernel(Errno::ENOENT));
    };
    let directory = open_directory(directory)?;
    for name in ["none", "ours"] {
        mkdirat(stage, name, Mode::from_bits_truncate(0o755))?;
    }
    // It wants two of them.
    let data = format!("lowerdir={}:{}", path_of(&open_beneath(stage, "none")?), path_of(&directory));
    let place = open_beneath(stage, "ours")?;
    mount_2(Some("overlay"), path_of(&place).as_str(), Some("overlay"), UNCHANGEABLE, Some(data.as_str()))?;
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let shown = openat(open_beneath(stage, "ours")?, name, flags, Mode::empty())?;
    // Its device is the overlay's.
    let shown = same_as_ours(shown, |ours, found| (ours.st_ino, ours.st_size) == (found.st_ino, found.st_size))?;
    tree(Path::new(&path_of(&shown)))
}

/// As fast as the kernel copies it.
fn copy_ourselves(bin: &OwnedFd) -> Result<(), Why> {
    let source = File::open("/proc/self/exe").map_err(|error| {
        Why::File("/proc/self/exe".into(), Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
    })?;
    let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
    let copy = openat(bin, "supervise", flags, Mode::from_bits_truncate(0o555))?;
    let mut left = usize::try_from(fstat(&source)?.st_size).unwrap_or(0);
    while left > 0 {
        match sendfile64(&copy, &source, None, left)? {
            0 => return Err(Why::Kernel(Errno::EIO)),
            count => left = left.saturating_sub(count),
        }
    }
    Ok(fchmod(&copy, Mode::from_bits_truncate(0o555))?)
}

/// Over the names themselves, also where they are links: what these lead to may be a program with more names.
fn bind_over_clients(root: &Inside, ours: &OwnedFd) -> Result<(), Why> {
    let mut seen = Vec::new();
    for place in PLACES {
        let Ok(directory) = root.find(Path::new(place), OFlag::O_DIRECTORY, Links::Followed) else { continue };
        let status = fstat(&directory)?;
        // One of them is often a link to another.
        if seen.contains(&(status.st_dev, status.st_ino)) {
            continue;
        }
        seen.push((status.st_dev, status.st_ino));
        for name in request::names() {
            // A directory of that name is no client.
            if let Ok(client) = open_beneath(&directory, name)
                && kind(&client)? == Kind::File
            {
                bind(ours, &client, MsFlags::empty()).map_err(|why| why.about(&Path::new(place).join(name)))?;
            }
        }
    }
    Ok(())
}
