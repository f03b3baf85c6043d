//! Mounts inside.

use std::ffi::CString;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::mount::{MsFlags, mount as mount_2};
use nix::sys::stat::{Mode, fstat, mkdirat};

use super::inside::{Inside, Kind, Links, kind, path_of};
use super::{Site, Why, devices, remount};
use crate::runtime::spec::{Mount, Source};
use crate::sys::{HowFar, attach_mount, clone_tree, restrict_mount};

const NOTHING: Option<&str> = None;

/// Nothing that is mounted from here on is seen in the namespace that we are from, nor the other way round.
pub(super) fn cut_propagation() -> Result<(), Why> {
    mount_2(NOTHING, "/", NOTHING, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NOTHING).map_err(Why::from)
}

/// Each as it is before something of ours is mounted in it.
pub(super) fn open_sources(site: &mut Site, sources: &[PathBuf]) -> Result<(), Why> {
    for source in sources {
        site.sources.push_back(tree(source)?);
    }
    Ok(())
}

/// What is there, with all that is mounted in it, as a mount that is nowhere yet.
pub(super) fn tree(path: &Path) -> Result<OwnedFd, Why> {
    let text = CString::new(path.as_os_str().as_bytes()).map_err(|_| Why::File(path.to_owned(), Errno::EINVAL))?;
    clone_tree(&text).map_err(Why::of(path))
}

pub(super) fn mount(site: &mut Site, mount: &Mount) -> Result<(), Why> {
    let path = mount.destination.as_path();
    match &mount.source {
        Source::Filesystem { kind, data } => {
            let root = site.root()?;
            // A link at one of these would put what tells of the system in the place of something else.
            let links = if path.parent() == Some(Path::new("/")) && *kind != "tmpfs" || path == Path::new("/dev") {
                Links::Refused
            } else {
                Links::Followed
            };
            let place = root.directory(path, links)?;
            if is_root(root, &place)? {
                return Err(Why::Link(path.to_owned()));
            }
            let data = Some(data.as_ref()).filter(|data| !data.is_empty());
            match mount_2(Some(*kind), path_of(&place).as_str(), Some(*kind), mount.flags, data) {
                // Where the network is the host's, a user namespace may not have its own sysfs (sysfs(5)).
                Err(Errno::EPERM) if *kind == "sysfs" => bind_sysfs(site, &place, mount),
                other => other.map_err(Why::from),
            }
        }
        Source::Bind { read_only, .. } => {
            let source = site.sources.pop_front().ok_or(Why::OutOfOrder)?;
            let root = site.root()?;
            let place = match kind(&source)? {
                Kind::Directory => root.directory(path, Links::Followed)?,
                Kind::File => root.file(path)?,
            };
            if is_root(root, &place)? {
                return Err(Why::Link(path.to_owned()));
            }
            let flags = if *read_only { mount.flags | MsFlags::MS_RDONLY } else { mount.flags };
            attach(&source, &place, flags)?;
            site.root.as_mut().ok_or(Why::OutOfOrder)?.note_bound(&source)
        }
    }
}

/// Whether a link has led to the root itself: what is mounted there is not seen by who is in it already.
fn is_root(root: &Inside, place: &OwnedFd) -> Result<bool, Why> {
    let [root, place] = [fstat(root.root())?, fstat(place)?];
    Ok((root.st_dev, root.st_ino) == (place.st_dev, place.st_ino))
}

/// What hosts mount in /sys, and a sysfs of its own does not have.
const IN_SYSFS: [&str; 8] = [
    "/sys/fs/bpf",
    "/sys/fs/cgroup",
    "/sys/fs/fuse/connections",
    "/sys/fs/pstore",
    "/sys/kernel/config",
    "/sys/kernel/debug",
    "/sys/kernel/security",
    "/sys/kernel/tracing",
];

/// The host's, with what is mounted in it: without that the kernel lets no user namespace bind it.
fn bind_sysfs(site: &mut Site, place: &OwnedFd, mount: &Mount) -> Result<(), Why> {
    attach(&tree(Path::new("/sys"))?, place, mount.flags)?;
    IN_SYSFS.iter().try_for_each(|path| mask(site, path))
}

/// Mounts there what is mounted nowhere, with less than it has.
pub(super) fn attach(tree: &OwnedFd, place: &OwnedFd, flags: MsFlags) -> Result<(), Why> {
    attach_mount(tree.as_fd(), place.as_fd())?;
    restrict(tree, flags, HowFar::Tree)
}

/// Binds one file, so that it cannot be changed there.
pub(super) fn bind_read_only(file: &OwnedFd, place: &OwnedFd) -> Result<(), Why> {
    attach(&tree(Path::new(&path_of(file)))?, place, MsFlags::MS_RDONLY)
}

/// By a path that leads through nothing that others could have changed.
pub(super) fn bind_to(source: &OwnedFd, place: &str) -> Result<(), Why> {
    mount_2(Some(path_of(source).as_str()), place, NOTHING, MsFlags::MS_BIND, NOTHING).map_err(Why::from)
}

pub(super) fn bind(source: &OwnedFd, place: &OwnedFd, recursive: MsFlags) -> Result<(), Why> {
    let (source, place) = (path_of(source), path_of(place));
    mount_2(Some(source.as_str()), place.as_str(), NOTHING, MsFlags::MS_BIND | recursive, NOTHING).map_err(Why::from)
}

/// What is mounted there now: a descriptor of the place is still of what lies under it.
fn reopen(root: &Inside, path: &Path) -> Result<OwnedFd, Why> {
    root.find(path, OFlag::O_NOFOLLOW, Links::Followed)
        .or_else(|_| root.find(path, OFlag::empty(), Links::Followed))
        .map_err(Why::of(path))
}

/// Takes from a mount what these flags take, and leaves what it lacks already.
pub(super) fn restrict(mount: &OwnedFd, flags: MsFlags, how_far: HowFar) -> Result<(), Why> {
    let attributes = [
        (MsFlags::MS_RDONLY, libc::MOUNT_ATTR_RDONLY),
        (MsFlags::MS_NOSUID, libc::MOUNT_ATTR_NOSUID),
        (MsFlags::MS_NODEV, libc::MOUNT_ATTR_NODEV),
        (MsFlags::MS_NOEXEC, libc::MOUNT_ATTR_NOEXEC),
    ];
    let attributes = attributes.iter().filter(|(flag, _)| flags.contains(*flag)).fold(0, |all, (_, one)| all | one);
    match restrict_mount(mount.as_fd(), attributes, how_far) {
        // Linux before 5.12, or a filter that does not know it.
        Err(Errno::ENOSYS | Errno::EPERM) => remount::restrict(mount, flags, how_far),
        other => other.map_err(Why::from),
    }
}

/// Puts nothing in its place, if it is there.
pub(super) fn mask(site: &mut Site, path: &str) -> Result<(), Why> {
    let place = match site.root()?.find(Path::new(path), OFlag::O_NOFOLLOW, Links::Refused) {
        Ok(place) => place,
        Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(()),
        Err(errno) => return Err(Why::File(path.into(), errno)),
    };
    match kind(&place)? {
        Kind::File => bind(null(site)?, &place, MsFlags::empty()),
        Kind::Directory => bind(void(site)?, &place, MsFlags::empty()),
    }
}

/// A file with nothing in it.
fn null(site: &mut Site) -> Result<&OwnedFd, Why> {
    if site.null.is_none() {
        site.null = Some(devices::find(devices::nodes(site)?, "null", 1, 3)?);
    }
    site.null.as_ref().ok_or(Why::OutOfOrder)
}

/// An empty directory, read-only, and so what is bound from there.
fn void(site: &mut Site) -> Result<&OwnedFd, Why> {
    if site.void.is_none() {
        let stage = site.stage()?;
        mkdirat(stage, "void", Mode::from_bits_truncate(0o555))?;
        let place = super::root::open_beneath(stage, "void")?;
        let void = tree(Path::new(&path_of(&place)))?;
        attach(&void, &place, MsFlags::MS_RDONLY)?;
        site.void = Some(void);
    }
    site.void.as_ref().ok_or(Why::OutOfOrder)
}

/// What is there can be read, not written to.
pub(super) fn protect(root: &Inside, path: &str) -> Result<(), Why> {
    let path = Path::new(path);
    let place = match root.find(path, OFlag::O_NOFOLLOW, Links::Refused) {
        Ok(place) => place,
        Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(()),
        Err(errno) => return Err(Why::File(path.to_owned(), errno)),
    };
    bind(&place, &place, MsFlags::MS_REC)?;
    restrict(&reopen(root, path)?, MsFlags::MS_RDONLY, HowFar::Tree)
}
