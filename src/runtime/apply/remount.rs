//! Mounts restricted by mount(2): Linux before 5.12 has no call for all that is mounted in a mount, or a filter refuses it.

use std::fs;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::mount::{MsFlags, mount as mount_2};
use nix::sys::stat::Mode;
use nix::sys::statvfs::{FsFlags, fstatvfs};

use super::Why;
use super::inside::path_of;
use crate::runtime::cgroup::unescaped;
use crate::sys::HowFar;

const NOTHING: Option<&str> = None;

/// Takes from it what these flags take, and from all that is mounted in it, one after the other.
pub(super) fn restrict(mount: &OwnedFd, flags: MsFlags, how_far: HowFar) -> Result<(), Why> {
    remount(mount, flags)?;
    if how_far == HowFar::Mount {
        return Ok(());
    }
    let table = fs::read("/proc/self/mountinfo").map_err(|error| file_error("/proc/self/mountinfo", &error))?;
    let all = below(&table, mount_id(mount)?);
    for (_, path) in &all {
        let flags_of_place = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let place = openat(mount, path, flags_of_place, Mode::empty()).map_err(Why::of(path))?;
        // By its path only the topmost of several in one place is found, which hides the others. What is none of them
        // was mounted meanwhile, or is reached by a link that was made meanwhile.
        let found = mount_id(&place)?;
        if !all.iter().any(|(id, _)| *id == found) {
            return Err(Why::File(path.clone(), Errno::EBUSY));
        }
        remount(&place, flags)?;
    }
    Ok(())
}

/// As mount(2) does it, which would give back what is not named.
fn remount(mount: &OwnedFd, flags: MsFlags) -> Result<(), Why> {
    let kept = [
        (FsFlags::ST_RDONLY, MsFlags::MS_RDONLY),
        (FsFlags::ST_NOSUID, MsFlags::MS_NOSUID),
        (FsFlags::ST_NODEV, MsFlags::MS_NODEV),
        (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
        (FsFlags::ST_NOATIME, MsFlags::MS_NOATIME),
        (FsFlags::ST_NODIRATIME, MsFlags::MS_NODIRATIME),
    ];
    let has = fstatvfs(mount)?.flags();
    let kept = kept.iter().filter(|(had, _)| has.contains(*had)).fold(flags, |all, (_, flag)| all | *flag);
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | kept;
    mount_2(NOTHING, path_of(mount).as_str(), NOTHING, flags, NOTHING).map_err(Why::from)
}

/// The number of the mount that it is on, as proc_pid_fdinfo(5) tells it.
pub(super) fn mount_id(file: &OwnedFd) -> Result<u64, Why> {
    let path = format!("/proc/self/fdinfo/{}", file.as_raw_fd());
    let text = fs::read_to_string(&path).map_err(|error| file_error(&path, &error))?;
    let id = text.lines().find_map(|line| line.strip_prefix("mnt_id:")?.trim().parse().ok());
    id.ok_or_else(|| Why::File(path.into(), Errno::EINVAL))
}

fn file_error(path: &str, error: &std::io::Error) -> Why {
    Why::File(path.into(), Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
}

/// The mounts in that mount, at any depth, with their paths in it (proc_pid_mountinfo(5)).
fn below(table: &[u8], top: u64) -> Vec<(u64, PathBuf)> {
    let lines: Vec<(u64, u64, PathBuf)> = table
        .split(|byte| *byte == b'\n')
        .filter_map(|line| {
            let mut words = std::str::from_utf8(line).ok()?.split(' ');
            let (id, parent) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            Some((id, parent, unescaped(words.nth(2)?)))
        })
        .collect();
    let Some((_, _, at)) = lines.iter().find(|(id, _, _)| *id == top) else { return Vec::new() };
    let mut found: Vec<(u64, PathBuf)> = Vec::new();
    // They stand in the order in which they were mounted, which is not always that of the tree.
    loop {
        let is_new = |id: u64, parent: u64| {
            let is_known = |id: u64| found.iter().any(|(known, _)| *known == id);
            !is_known(id) && (parent == top || is_known(parent))
        };
        let more: Vec<_> = lines.iter().filter(|(id, parent, _)| *id != top && is_new(*id, *parent)).collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more.into_iter().map(|(id, _, path)| (*id, relative(path, at))));
    }
}

/// What is not in it by its path is not found there, and that is an error of who looks for it.
fn relative(path: &Path, at: &Path) -> PathBuf {
    match path.strip_prefix(at) {
        Ok(inside) if inside.as_os_str().is_empty() => ".".into(),
        Ok(inside) => inside.to_owned(),
        Err(_) => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::below;

    const TABLE: &[u8] = b"\
22 1 253:0 / / rw - ext4 /dev/vda rw
26 25 0:8 / /srv/x/m/with\\040blank rw - tmpfs tmpfs rw
24 22 0:6 / /srv/x rw - ext4 /dev/vdc rw
25 24 0:7 / /srv/x/m rw - tmpfs tmpfs rw
27 22 0:9 / /srv/xy rw - tmpfs tmpfs rw
";

    #[test]
    fn mounts_are_found_by_their_parents() {
        let found = below(TABLE, 24);
        assert_eq!(found, [(25, PathBuf::from("m")), (26, PathBuf::from("m/with blank"))]);
        assert_eq!(below(TABLE, 22).len(), 4);
        assert_eq!(below(TABLE, 27), []);
        assert_eq!(below(TABLE, 99), []);
    }
}
