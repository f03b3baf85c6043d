//! The root of the container: its layers, and how the host's is left.

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use log::debug;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::mount::{MntFlags, MsFlags, mount as mount_2, umount2};
use nix::sys::stat::{FchmodatFlags, Mode, fchmodat, fstat, mkdirat};
use nix::sys::statfs::{FsType, OVERLAYFS_SUPER_MAGIC, fstatfs};
use nix::unistd::{Gid, Uid, chdir, fchdir, fchownat, pivot_root};

use super::files::layer_for_user;
use super::inside::{Inside, path_of};
use super::mounts::{restrict, tree};
use super::{Site, Upper, Why};
use crate::runtime::ids::are_in_user_namespace;
use crate::runtime::spec::{Changes, Root};
use crate::runtime::submounts::first_below;
use crate::sys::{HowFar, attach_mount, mount_tmpfs};

/// A directory to mount on or to mount; not opened.
pub(super) fn open_directory(path: &Path) -> Result<OwnedFd, Why> {
    open(path, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty()).map_err(Why::of(path))
}

/// A directory of ours.
pub(super) fn open_beneath(directory: &OwnedFd, name: &str) -> Result<OwnedFd, Why> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(directory, name, flags, Mode::empty()).map_err(Why::of(name))
}

/// What the root is made of, before something is mounted over it.
pub(super) fn open_parts(site: &mut Site, root: &Root) -> Result<(), Why> {
    for layer in &root.layers {
        site.layers.push(open_directory(layer)?);
    }
    if let (Changes::InPlace, Some(layer)) = (&root.changes, root.layers.first()) {
        site.whole = Some(tree(layer)?);
    }
    if let Changes::Kept(dir) = &root.changes {
        site.upper =
            Some(make_upper(&open_directory(dir)?, &site.layers).map_err(|why| Why::Kept(Box::new(why.within(dir))))?);
    }
    Ok(())
}

/// Where an overlay keeps what is written, and where it prepares that. The root inside looks as the upper directory does:
/// a new one is like the layer below.
fn make_upper(dir: &OwnedFd, layers: &[OwnedFd]) -> Result<Upper, Why> {
    let (work, _) = make_part(dir, "work", 0o700)?;
    let (upper, is_new) = make_part(dir, "upper", 0o755)?;
    debug!(event = "upper"; "the upper directory {}", if is_new { "is new" } else { "is used again" });
    if let Some(layer) = layers.first().filter(|_| is_new) {
        let status = fstat(layer)?;
        let (user, group) = (Uid::from_raw(status.st_uid), Gid::from_raw(status.st_gid));
        // Of an owner that the user namespace does not have it cannot be.
        let _ = fchownat(&upper, ".", Some(user), Some(group), AtFlags::empty());
        fchmodat(&upper, ".", Mode::from_bits_truncate(status.st_mode), FchmodatFlags::FollowSymlink)?;
    }
    Ok(Upper { upper, work })
}

/// A directory in that one, and whether it was made. Who owns that one may have put a link there, which is not followed.
fn make_part(dir: &OwnedFd, name: &'static str, mode: u32) -> Result<(OwnedFd, bool), Why> {
    let is_new = match mkdirat(dir, name, Mode::from_bits_truncate(mode)) {
        Ok(()) => true,
        Err(Errno::EEXIST) => false,
        Err(errno) => return Err(Why::File(name.into(), errno)),
    };
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    match openat(dir, name, flags, Mode::empty()) {
        Ok(part) => Ok((part, is_new)),
        Err(Errno::ENOTDIR | Errno::ELOOP) => Err(Why::NotADirectory(name.into())),
        Err(errno) => Err(Why::File(name.into(), errno)),
    }
}

/// Over the first layer: that is a directory which is surely there, and nobody needs it by its path any more.
pub(super) fn make_stage(site: &mut Site) -> Result<(), Why> {
    let place = site.layers.first().ok_or(Why::OutOfOrder)?;
    let attributes = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
    let stage = mount_tmpfs(place.as_fd(), c"755", attributes)?;
    for name in ["root", "files"] {
        mkdirat(&stage, name, Mode::from_bits_truncate(0o755))?;
    }
    site.stage = Some(stage);
    Ok(())
}

/// The new root, of which all that follows is a part.
pub(super) fn make(site: &mut Site, root: &Root) -> Result<(), Why> {
    let stage = site.stage()?;
    let place = open_beneath(stage, "root")?;
    match root.changes {
        Changes::InPlace => {
            let whole = site.whole.take().ok_or(Why::OutOfOrder)?;
            attach_mount(whole.as_fd(), place.as_fd())?;
            restrict(&whole, MsFlags::MS_NODEV, HowFar::Tree)?;
        }
        Changes::Vanish | Changes::Kept(_) => {
            let vanishes = site.upper.is_none();
            if vanishes {
                site.upper = Some(make_upper(stage, &site.layers)?);
            }
            mount_overlay(site, &place, vanishes).map_err(|why| explained(why, root))?;
        }
    }
    site.is_read_only = root.read_only;
    site.root = Some(Inside::new(open_beneath(site.stage()?, "root")?));
    Ok(())
}

/// By descriptors, so that no name with a colon or a comma in it is taken for several.
fn mount_overlay(site: &Site, place: &OwnedFd, vanishes: bool) -> Result<(), Why> {
    let Upper { upper, work } = site.upper.as_ref().ok_or(Why::OutOfOrder)?;
    let top = if are_in_user_namespace() { layer_for_user(site.stage()?, &site.layers)? } else { None };
    let layers = top.iter().chain(&site.layers).map(path_of).collect::<Vec<_>>().join(":");
    let mut data = format!("lowerdir={layers},upperdir={},workdir={}", path_of(upper), path_of(work));
    if are_in_user_namespace() {
        // What it notes down in trusted.* attributes otherwise, only the root of the host may.
        data.push_str(",userxattr");
    }
    let mount =
        |data: &str| mount_2(Some("overlay"), path_of(place).as_str(), Some("overlay"), MsFlags::MS_NODEV, Some(data));
    // Without an index the names of one file are taken apart when it is changed, and dpkg cannot rename them. An upper
    // directory that has one can never be used over other layers, so one that is kept has none.
    let done = match vanishes {
        true => mount(&format!("{data},index=on")).or_else(|_| mount(&data)),
        false => mount(&data),
    };
    done.map_err(|errno| Why::Overlay(errno, overlay_hint(errno, upper)))
}

/// A user namespace may not uncover what lies under a mount, as an overlay would (since Linux 5.14).
fn explained(why: Why, root: &Root) -> Why {
    match why {
        Why::Overlay(Errno::EINVAL, _) if are_in_user_namespace() => {
            root.layers.iter().find_map(|layer| first_below(layer)).map_or(why, Why::Submount)
        }
        why => why,
    }
}

/// What the kernel tells in its log alone.
fn overlay_hint(errno: Errno, upper: &OwnedFd) -> Option<&'static str> {
    /// statfs(2).
    const NFS: FsType = FsType(0x6969);
    const FUSE: FsType = FsType(0x6573_5546);
    let is_of = |directory: &OwnedFd, kinds: &[FsType]| {
        fstatfs(directory).is_ok_and(|status| kinds.contains(&status.filesystem_type()))
    };
    match errno {
        Errno::ENODEV => Some("the kernel has no overlay; load the module, or say --writable with a copy of ROOTFS"),
        Errno::EPERM if are_in_user_namespace() => {
            Some("users may mount an overlay since Linux 5.11; say --writable with a copy of ROOTFS")
        }
        Errno::ELOOP => Some("a directory is named twice, or that of --upper is in ROOTFS; take one beside it"),
        _ if is_of(upper, &[OVERLAYFS_SUPER_MAGIC, NFS, FUSE]) => {
            Some("what --upper keeps cannot be on an overlay, on NFS or on FUSE; take a directory of a local disk")
        }
        Errno::EINVAL if are_in_user_namespace() => {
            Some("its filesystem may lack user.* attributes; take a directory of a local disk for --upper")
        }
        _ => None,
    }
}

/// Makes it the root directory, and forgets the host's.
pub(super) fn leave_host(site: &mut Site) -> Result<(), Why> {
    fchdir(site.root()?.root())?;
    // The old root is then mounted over the new one, so no directory for it is needed (pivot_root(2), NOTES).
    pivot_root(".", ".").map_err(|errno| match errno {
        Errno::EINVAL => Why::RamRoot,
        errno => Why::Kernel(errno),
    })?;
    umount2(".", MntFlags::MNT_DETACH)?;
    chdir("/")?;
    // What is of the host.
    (site.stage, site.root, site.nodes, site.upper) = (None, None, None, None);
    (site.void, site.null) = (None, None);
    site.layers.clear();
    Ok(())
}

/// Nothing can be written to it.
pub(super) fn close() -> Result<(), Why> {
    restrict(&open_directory(Path::new("/"))?, MsFlags::MS_RDONLY, HowFar::Mount)
}
