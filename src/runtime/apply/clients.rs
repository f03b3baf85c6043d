//! Our own file inside, and the names of those who ask for shutdowns.
//!
//! It is a copy in memory, on a mount to which nothing can be written: process 1 is executed from it, so that no file of the
//! host is behind /proc/1/exe (CVE-2019-5736), and it is bound over the clients that the image has.

use std::ffi::CStr;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::mount::{MsFlags, mount as mount_2};
use nix::sys::sendfile::sendfile64;
use nix::sys::stat::{Mode, fchmod, fstat, mkdirat};
use nix::unistd::symlinkat;

use super::inside::{Inside, Links, path_of};
use super::mounts::bind;
use super::root::open_beneath;
use super::{Site, Why};
use crate::request;

/// Where it is inside. The last directory of PATH, for images without clients.
pub(in crate::runtime) const DIRECTORY: &str = "/run/supervise/bin";
/// Itself.
pub(super) const FILE: &CStr = c"/run/supervise/bin/supervise";

/// Where distributions have their clients.
const PLACES: [&str; 4] = ["/sbin", "/usr/sbin", "/bin", "/usr/bin"];

pub(super) fn offer(site: &mut Site) -> Result<(), Why> {
    let stage = site.stage()?;
    let mode = Mode::from_bits_truncate(0o755);
    mkdirat(stage, "bin", mode)?;
    let place = open_beneath(stage, "bin")?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount_2(Some("tmpfs"), path_of(&place).as_str(), Some("tmpfs"), flags, Some("mode=755"))?;
    let bin = open_beneath(stage, "bin")?;
    copy_ourselves(&bin)?;
    for name in request::names() {
        symlinkat("supervise", &bin, name)?;
    }
    let nothing: Option<&str> = None;
    // The filesystem itself, and so each mount of it.
    mount_2(nothing, path_of(&bin).as_str(), nothing, flags | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY, nothing)?;
    let root = site.root()?;
    bind(&bin, &root.directory(Path::new(DIRECTORY), Links::Followed)?, MsFlags::empty())?;
    bind_over_clients(root, &open_beneath(&bin, "supervise")?)
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
            if let Ok(client) = open_beneath(&directory, name) {
                bind(ours, &client, MsFlags::empty()).map_err(|why| why.about(&Path::new(place).join(name)))?;
            }
        }
    }
    Ok(())
}
