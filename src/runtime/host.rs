//! What a container has on the host beside its processes: a cgroup where it is limited, and a helper where its network is
//! connected. The monitor makes both and removes both.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use log::{debug, warn};
use nix::fcntl::{Flock, FlockArg};
use supervise_init::sys::{Errno, Pid};

use super::cgroup::{self, Group, Limits};
use super::left_behind::{self, name};
use super::monitor::Unserved;
use super::network::{self, Running};

/// How long the kernel may take to let a cgroup go after its last process has ended.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a helper of a network may take to begin.
const CONNECTION: Duration = Duration::from_secs(10);

/// What there is, as long as it is there.
#[derive(Debug, Default)]
pub(super) struct OnHost {
    group: Option<Group>,
    network: Option<Running>,
    /// What others have left, and could not be removed yet.
    left: Vec<PathBuf>,
}

impl OnHost {
    /// Makes the cgroup, if there is something to limit. What cannot be limited is said.
    pub(super) fn limit(&mut self, limits: &Limits, id: &str) {
        if limits.is_empty() {
            return;
        }
        let host = cgroup::Host::ours();
        let (group, troubles) = Group::make(&host, &name(id), limits);
        troubles.iter().for_each(|trouble| warn!("{trouble}"));
        self.group = Some(group);
    }

    /// Puts the process that is to become process 1 into it.
    pub(super) fn place(&self, child: Pid) -> Result<(), cgroup::Error> {
        self.group.as_ref().map_or(Ok(()), |group| group.enter(child))
    }

    /// Connects its network, and returns the name server that this has.
    pub(super) fn connect(&mut self, child: Pid, path: Option<&OsStr>, id: &str) -> Result<&'static str, Unserved> {
        // It is needed only until the helper has said that it is ready.
        let folder = Folder::new(id).map_err(Unserved::Failed)?;
        let path = path.unwrap_or(OsStr::new("/usr/local/bin:/usr/bin:/bin"));
        let running = network::start(child, path, &folder.path, CONNECTION).map_err(|error| match error {
            network::Error::Asked(signal) => Unserved::Asked(signal),
            error => Unserved::Failed(error.to_string()),
        })?;
        debug!(event = "network"; "{} has connected the container", running.tool().name());
        let server = running.tool().name_server();
        self.network = Some(running);
        Ok(server)
    }

    /// Removes what containers have left whose monitor was killed: they have died with it. What is still dying is tried
    /// again at our own end.
    pub(super) fn remove_left_behind(&mut self, host: &cgroup::Host) {
        let homes = ["memory", "cpu", "pids"].iter().filter_map(|controller| Some(host.home(controller)?.1.directory));
        // In v2 a group may be beside ours.
        let mut places: HashSet<PathBuf> =
            homes.flat_map(|home| [home.parent().map(Path::to_owned), Some(home)]).flatten().collect();
        places.insert(std::env::temp_dir());
        self.left = left_behind::remove(places);
    }

    /// When all of its processes have ended: says whether the kernel has killed some of them, and removes it all.
    pub(super) fn remove(&mut self) {
        if let Some(running) = self.network.take() {
            running.stop(PATIENCE);
        }
        // What stays is for the next one.
        left_behind::remove_more(&mut self.left);
        let Some(group) = self.group.take() else { return };
        match group.oom_kills().unwrap_or(0) {
            0 => {}
            1 => warn!("a process of the container was killed by the kernel: it had used up the memory of --memory"),
            count => warn!(
                "{count} processes of the container were killed by the kernel: they had used up the memory of --memory"
            ),
        }
        if let Err(error) = group.kill(PATIENCE).and_then(|()| group.remove(PATIENCE)) {
            warn!("{error}; it stays, and the next container removes it");
        }
    }
}

impl Drop for OnHost {
    fn drop(&mut self) {
        self.remove();
    }
}

/// A directory of ours alone, locked as long as we are there: who shares it may see other numbers of processes than we do.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
    _lock: Flock<File>,
}

impl Folder {
    fn new(id: &str) -> Result<Folder, String> {
        let path = std::env::temp_dir().join(name(id));
        let made = DirBuilder::new().mode(0o700).create(&path);
        let lock = made.and_then(|()| File::open(&path)).and_then(|directory| {
            Flock::lock(directory, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| errno.into())
        });
        let failed = |error: io::Error| {
            let errno = Errno(error.raw_os_error().unwrap_or(libc::EIO));
            format!("cannot make {} for its network: {errno} (TMPDIR says where)", path.display())
        };
        Ok(Folder { _lock: lock.map_err(failed)?, path })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}
