//! What can only be found out by doing it: in a child, in namespaces that end with it.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_no_new_privs;
use nix::sys::signal::kill;
use nix::unistd::{getegid, geteuid, pause};
use supervise_init::core::{Signal, Status};
use supervise_init::sys::{Capabilities, send_parent_death_signal, this_process};

use crate::runtime::rights::seccomp::{self, Filter};
use crate::sys::{HowFar, Waiting, clone_tree, find_end, map_ids, mount_tmpfs, reap, restrict_mount, start_copy};

/// Whether namespaces are made by root or, in a user namespace, by anybody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum By {
    Root,
    User,
}

impl By {
    /// What has to be made besides.
    fn flags(self) -> CloneFlags {
        match self {
            By::Root => CloneFlags::empty(),
            By::User => CloneFlags::CLONE_NEWUSER,
        }
    }
}

/// Does it in a child, which ends with it.
fn attempt(work: impl FnOnce() -> Result<(), Errno>) -> Result<(), Errno> {
    let number = |errno: Errno| u8::try_from(errno as i32).unwrap_or(u8::MAX);
    let child = start_copy(|| work().map_or_else(number, |()| 0))?;
    let status = find_end(child, Waiting::Block);
    reap(child);
    match status {
        Some(Status::Exited(0)) => Ok(()),
        Some(Status::Exited(code)) => Err(Errno::from_raw(code.into())),
        // A filter that kills, or somebody who does.
        Some(Status::Signaled(_)) | None => Err(Errno::EPERM),
    }
}

/// A namespace of this kind.
pub(super) fn namespace(by: By, kind: CloneFlags) -> Result<(), Errno> {
    attempt(|| unshare(by.flags() | kind))
}

/// A filter on system calls.
pub(super) fn filter() -> Result<(), Errno> {
    attempt(|| {
        set_no_new_privs()?;
        Filter::new(Capabilities(0)).load().map_err(|seccomp::Error::Load(errno)| errno)
    })
}

/// Where a file system in memory is mounted, in a mount namespace of the child's own.
const PLACES: [&str; 4] = ["/tmp", "/run", "/mnt", "/var"];

/// Enters a mount namespace, in a user namespace in which we are root where that is needed.
fn enter(by: By) -> Result<&'static Path, Errno> {
    let (user, group) = (geteuid(), getegid());
    unshare(by.flags() | CloneFlags::CLONE_NEWNS)?;
    if by == By::User {
        let write = |file: &str, text: String| fs::write(file, text).map_err(errno);
        write("/proc/self/setgroups", "deny".to_owned())?;
        write("/proc/self/gid_map", format!("0 {group} 1"))?;
        write("/proc/self/uid_map", format!("0 {user} 1"))?;
    }
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_SLAVE, none)?;
    PLACES.iter().map(Path::new).find(|place| place.is_dir()).ok_or(Errno::ENOENT)
}

fn errno(error: io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

/// An overlay, with its directories in memory.
pub(super) fn overlay(by: By) -> Result<(), Errno> {
    attempt(|| {
        let place = enter(by)?;
        mount(Some("tmpfs"), place, Some("tmpfs"), MsFlags::empty(), Some("mode=755"))?;
        std::env::set_current_dir(place).map_err(errno)?;
        ["lower", "upper", "work", "all"].iter().try_for_each(fs::create_dir).map_err(errno)?;
        let attributes = if by == By::User { ",userxattr" } else { "" };
        let options = format!("lowerdir=lower,upperdir=upper,workdir=work{attributes}");
        mount(Some("overlay"), "all", Some("overlay"), MsFlags::empty(), Some(options.as_str()))?;
        fs::write("all/file", "").map_err(errno)
    })
}

/// The mount calls of Linux 5.2 and 5.12: fsopen, fsconfig, fsmount, move_mount, open_tree, mount_setattr.
pub(super) fn mount_calls(by: By) -> Result<(), Errno> {
    attempt(|| {
        let place = enter(by)?;
        let directory = File::open(place).map_err(errno)?;
        let mounted = mount_tmpfs(directory.as_fd(), c"755", 0)?;
        restrict_mount(mounted.as_fd(), libc::MOUNT_ATTR_RDONLY, HowFar::Mount)?;
        clone_tree(c"/dev/null").map(drop)
    })
}

/// A mount whose ids are mapped by another user namespace.
pub(super) fn mapped_mount(by: By) -> Result<(), Errno> {
    attempt(|| {
        let place = enter(by)?;
        mount(Some("tmpfs"), place, Some("tmpfs"), MsFlags::empty(), Some("mode=755"))?;
        let path = std::ffi::CString::new(place.as_os_str().as_encoded_bytes()).map_err(|_| Errno::EINVAL)?;
        let tree = clone_tree(&path)?;
        with_user_namespace(|namespace| map_ids(tree.as_fd(), namespace.as_fd()))
    })
}

/// Makes a user namespace with one id, which a child of ours is in meanwhile.
fn with_user_namespace(work: impl FnOnce(File) -> Result<(), Errno>) -> Result<(), Errno> {
    let (mut ready, says_ready) = io::pipe().map_err(errno)?;
    let child = start_copy(|| {
        let tied = send_parent_death_signal(Signal::KILL).is_ok();
        if tied && unshare(CloneFlags::CLONE_NEWUSER).is_ok() && (&says_ready).write_all(b"1").is_ok() {
            pause();
        }
        1
    })?;
    drop(says_ready);
    let worked = ready.read(&mut [0]).map_err(errno).and_then(|count| match count {
        0 => Err(Errno::EPERM),
        _ => {
            let write = |file: &str| fs::write(format!("/proc/{child}/{file}"), "0 0 1").map_err(errno);
            write("uid_map")?;
            write("gid_map")?;
            work(File::open(format!("/proc/{child}/ns/user")).map_err(errno)?)
        }
    });
    // It is our child and not reaped yet, so the number is its own.
    let _ = kill(nix::unistd::Pid::from_raw(child.number()), nix::sys::signal::Signal::SIGKILL);
    reap(child);
    worked
}

/// A lookup that stays in a root, as all of a container's are (openat2(2)).
pub(super) fn lookup() -> Result<(), Errno> {
    use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
    let root = File::open("/").map_err(errno)?;
    let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_CLOEXEC).resolve(ResolveFlag::RESOLVE_IN_ROOT);
    openat2(root, "/", how).map(drop)
}

/// A descriptor of a process.
pub(super) fn pidfd() -> Result<(), Errno> {
    crate::sys::processes::pidfd(this_process()).map(drop)
}
