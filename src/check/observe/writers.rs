//! Which files the processes of a run have written. They are alone in their mount namespace, and what is written by way of its
//! mounts is told by fanotify(7), to root alone.

use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::AT_FDCWD;
use nix::sys::fanotify::{EventFFlags, Fanotify, InitFlags, MarkFlags, MaskFlags};
use supervise_init::sys::Pid;

/// Files, each by its file system and its inode.
pub(super) type Written = Vec<(u64, u64)>;

/// The watch. It is read at the end alone: the kernel merges what is told of the same file, and says when it was too much.
pub(super) struct Writers {
    fanotify: Fanotify,
}

impl Writers {
    /// Watches the mounts that these directories are on in the mount namespace of `root`, which nobody else is in. `None`: we
    /// may not.
    pub(super) fn watch(root: Pid, places: &[PathBuf]) -> Option<Writers> {
        let flags = InitFlags::FAN_CLASS_NOTIF | InitFlags::FAN_CLOEXEC | InitFlags::FAN_NONBLOCK;
        // A FIFO must not make us wait.
        let opened =
            EventFFlags::O_RDONLY | EventFFlags::O_NONBLOCK | EventFFlags::O_CLOEXEC | EventFFlags::O_LARGEFILE;
        let fanotify = Fanotify::init(flags, opened).ok()?;
        for place in places {
            let mark = MarkFlags::FAN_MARK_ADD | MarkFlags::FAN_MARK_MOUNT;
            // A link in it would lead to a mount of ours.
            let place = place.canonicalize().ok().and_then(|place| place.strip_prefix("/").ok().map(Path::to_owned));
            let Some(place) = place.map(|place| Path::new(&format!("/proc/{root}/root")).join(place)) else { continue };
            fanotify.mark(mark, MaskFlags::FAN_CLOSE_WRITE, AT_FDCWD, Some(&place)).ok()?;
        }
        Some(Writers { fanotify })
    }

    /// All that were written. `None`: there were too many to be told.
    pub(super) fn written(&self) -> Option<Written> {
        let mut written = Written::new();
        loop {
            match self.fanotify.read_events() {
                Ok(events) => {
                    for event in &events {
                        let fd = event.fd()?;
                        let file = std::fs::metadata(format!("/proc/self/fd/{}", fd.as_raw_fd()));
                        written.extend(file.ok().map(|file| (file.dev(), file.ino())));
                    }
                }
                Err(Errno::EAGAIN) => return Some(written),
                Err(_) => return None,
            }
        }
    }
}
