//! What a container has on the host beside its processes: a cgroup where it is limited, and a helper where its network is
//! connected. The monitor makes both and removes both.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use log::{debug, warn};
use supervise_init::sys::Pid;

use super::cgroup::{self, Group, Limits};
use super::network::{self, Running};

/// How long the kernel may take to let a cgroup go after its last process has ended.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a helper of a network may take to begin.
const CONNECTION: Duration = Duration::from_secs(10);

/// What the names of our cgroups begin with; the number of the monitor follows.
const NAME: &str = "supervise-";

/// What there is, as long as it is there.
#[derive(Debug, Default)]
pub(super) struct OnHost {
    group: Option<Group>,
    network: Option<Running>,
}

impl OnHost {
    /// Makes the cgroup, if there is something to limit. What cannot be limited is said.
    pub(super) fn limit(&mut self, limits: &Limits, id: &str) {
        if limits.is_empty() {
            return;
        }
        let host = cgroup::Host::ours();
        remove_left_behind(&host);
        let (group, troubles) = Group::make(&host, &format!("{NAME}{}-{id}", std::process::id()), limits);
        troubles.iter().for_each(|trouble| warn!("{trouble}"));
        self.group = Some(group);
    }

    /// Puts the process that is to become process 1 into it.
    pub(super) fn place(&self, child: Pid) -> Result<(), cgroup::Error> {
        self.group.as_ref().map_or(Ok(()), |group| group.enter(child))
    }

    /// Connects its network, and returns the name server that this has.
    pub(super) fn connect(&mut self, child: Pid, path: Option<&OsStr>, id: &str) -> Result<&'static str, String> {
        // It is needed only until the helper has said that it is ready.
        let folder = Folder::new(id).map_err(|error| format!("cannot make a directory for its network: {error}"))?;
        let path = path.unwrap_or(OsStr::new("/usr/local/bin:/usr/bin:/bin"));
        let running = network::start(child, path, &folder.0, CONNECTION).map_err(|error| error.to_string())?;
        debug!(event = "network"; "{} has connected the container", running.tool().name());
        let server = running.tool().name_server();
        self.network = Some(running);
        Ok(server)
    }

    /// When all of its processes have ended: says whether the kernel has killed some of them, and removes it all.
    pub(super) fn remove(&mut self) {
        if let Some(running) = self.network.take() {
            running.stop(PATIENCE);
        }
        let Some(group) = self.group.take() else { return };
        match group.oom_kills() {
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

/// A directory of ours alone.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn new(id: &str) -> io::Result<Folder> {
        let name = format!("{NAME}{}-{id}", std::process::id());
        let path = std::env::temp_dir().join(name);
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The cgroups of containers whose monitor was killed, if nothing is in them: they have died with it.
fn remove_left_behind(host: &cgroup::Host) {
    for controller in ["memory", "cpu", "pids"] {
        let Some((_, place)) = host.home(controller) else { continue };
        let entries = fs::read_dir(&place.directory).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()).filter(|path| is_left_behind(path)) {
            debug!(event = "left behind"; "{} is left of a supervise that was killed; removing it", path.display());
            let _ = Group::left_behind([path]).remove(Duration::ZERO);
        }
    }
}

fn is_left_behind(path: &Path) -> bool {
    let name = path.file_name().map(OsStr::as_bytes).unwrap_or_default();
    let number = name.strip_prefix(NAME.as_bytes()).and_then(|rest| rest.split(|byte| *byte == b'-').next());
    let number = number.and_then(|number| std::str::from_utf8(number).ok()?.parse::<u32>().ok());
    number.is_some_and(|number| !Path::new("/proc").join(number.to_string()).exists())
}
