//! What a container is made of, in the words and with the defaults of the OCI runtime specification (config.md,
//! config-linux.md). The command line makes one; a config.json can as well.

use std::borrow::Cow;
use std::ffi::CString;
use std::path::{Path, PathBuf};

use nix::mount::MsFlags;
use supervise_init::sys::Capabilities;

use super::cgroup::Limits;
use super::ids::have_terminals_group;
use super::rights::capabilities::Words;

/// Which network it has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Network {
    /// One of its own, with loopback.
    #[default]
    Private,
    /// One of its own, with loopback that is down.
    None,
    Host,
    /// One of its own, which a helper connects to the world without rights.
    User,
}

/// Which system calls it may make.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Filter {
    /// Docker's.
    #[default]
    Default,
    /// All.
    None,
}

/// What becomes of that which it writes to its root.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) enum Changes {
    /// It goes to memory, and ends with it.
    #[default]
    Vanish,
    /// It goes to this directory.
    Kept(PathBuf),
    /// It changes the root filesystem.
    InPlace,
}

/// Something of the host that is shown inside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Bind {
    pub(crate) source: PathBuf,
    pub(crate) destination: PathBuf,
    pub(crate) read_only: bool,
}

/// A file system in memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Tmpfs {
    pub(crate) destination: PathBuf,
    pub(crate) mode: u32,
    /// In bytes. `None`: as the kernel has it, half of the memory.
    pub(crate) size: Option<u64>,
    /// What is in it can be executed.
    pub(crate) has_programs: bool,
}

/// What the command line asks for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Asked {
    /// The first is on top.
    pub(crate) layers: Vec<PathBuf>,
    pub(crate) changes: Changes,
    pub(crate) read_only: bool,
    pub(crate) binds: Vec<Bind>,
    pub(crate) tmpfs: Vec<Tmpfs>,
    pub(crate) network: Network,
    pub(crate) hostname: Option<String>,
    pub(crate) user_namespace: bool,
    /// Beyond docker's.
    pub(crate) capabilities: Words,
    pub(crate) filter: Filter,
    /// Set-user-ID programs and file capabilities give what they name.
    pub(crate) new_privileges: bool,
    pub(crate) limits: Limits,
    pub(crate) dry_run: bool,
}

/// `root`, and where its changes go, of which the specification leaves the making to engines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Root {
    pub(super) layers: Vec<PathBuf>,
    pub(super) changes: Changes,
    pub(super) read_only: bool,
}

/// One of `mounts`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Mount {
    pub(super) destination: PathBuf,
    pub(super) source: Source,
    pub(super) flags: MsFlags,
    /// Why it is there, for `--dry-run`.
    pub(super) why: &'static str,
}

/// What is mounted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Source {
    /// A new filesystem of that type, with its options.
    Filesystem { kind: &'static str, data: Cow<'static, str> },
    /// A part of the host, with all that is mounted in it.
    Bind { from: PathBuf, read_only: bool },
}

/// One of `uidMappings` and of `gidMappings`, which are alike here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Mapping {
    pub(super) inside: u32,
    pub(super) outside: u32,
    pub(super) size: u32,
}

/// The ids of a user namespace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Ids {
    pub(super) users: Vec<Mapping>,
    pub(super) groups: Vec<Mapping>,
    pub(super) by: Mapper,
}

/// Who may write the maps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mapper {
    /// We, as root or for ourselves alone.
    Ourselves,
    /// newuidmap(1) and newgidmap(1), by /etc/subuid and /etc/subgid.
    Tools,
}

/// `namespaces`. The others are always new.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Namespaces {
    pub(super) user: Option<Ids>,
    pub(super) network: Network,
    /// Ours must be known first: of a process that is put into a cgroup later, the namespace would show too much.
    pub(super) cgroup: CgroupNamespace,
}

/// When the cgroup namespace is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum CgroupNamespace {
    AtOnce,
    WhenPlaced,
}

impl Namespaces {
    /// Whether the monitor makes the network namespace while process 1 sets up the rest, because that takes the kernel
    /// longest of all. In a user namespace of the container it cannot, and a helper is told process 1's own.
    pub(super) fn by_monitor(&self) -> bool {
        self.user.is_none() && matches!(self.network, Network::Private | Network::None)
    }

    /// As clone(2) has them.
    pub(super) fn flags(&self) -> i32 {
        let always = libc::CLONE_NEWPID | libc::CLONE_NEWNS | libc::CLONE_NEWUTS | libc::CLONE_NEWIPC;
        let user = if self.user.is_some() { libc::CLONE_NEWUSER } else { 0 };
        let network = if self.network == Network::Host || self.by_monitor() { 0 } else { libc::CLONE_NEWNET };
        let cgroup = if self.cgroup == CgroupNamespace::AtOnce { libc::CLONE_NEWCGROUP } else { 0 };
        always | cgroup | user | network
    }
}

/// `process`: the init, which runs the command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Process {
    /// Its words up to the command.
    pub(super) words: Vec<CString>,
    /// Nothing: the shell of the image.
    pub(super) command: Vec<CString>,
    pub(super) environment: Vec<CString>,
    /// Where the command is started.
    pub(super) directory: PathBuf,
    /// What the init and all below it can have.
    pub(super) capabilities: Capabilities,
    pub(super) filter: Filter,
    pub(super) no_new_privileges: bool,
    /// Whether process 1 serves the clients of shutdown requests.
    pub(super) serves_requests: bool,
}

/// All of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Spec {
    pub(super) root: Root,
    pub(super) hostname: String,
    pub(super) namespaces: Namespaces,
    pub(super) mounts: Vec<Mount>,
    pub(super) masked_paths: &'static [&'static str],
    pub(super) readonly_paths: &'static [&'static str],
    pub(super) process: Process,
    /// `linux.resources`.
    pub(super) limits: Limits,
}

/// What the kernel tells there is about the whole machine, or lets be done to it.
const MASKED: &[&str] = &[
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];

/// What can be read there, and changed by root.
const READ_ONLY: &[&str] = &["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

impl Spec {
    /// What is asked for, with all that is not said.
    pub(super) fn new(asked: &Asked, hostname: String, user: Option<Ids>, process: Process) -> Spec {
        let mut mounts = usual_mounts(have_terminals_group(user.as_ref()));
        mounts.extend(asked.tmpfs.iter().map(Tmpfs::mount));
        mounts.extend(asked.binds.iter().map(|bind| Mount {
            destination: bind.destination.clone(),
            source: Source::Bind { from: bind.source.clone(), read_only: bind.read_only },
            flags: MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
            why: "--bind asks for it",
        }));
        Spec {
            root: Root { layers: asked.layers.clone(), changes: asked.changes.clone(), read_only: asked.read_only },
            hostname,
            namespaces: Namespaces {
                user,
                network: asked.network,
                cgroup: match asked.limits.is_empty() {
                    true => CgroupNamespace::AtOnce,
                    false => CgroupNamespace::WhenPlaced,
                },
            },
            mounts,
            masked_paths: MASKED,
            readonly_paths: READ_ONLY,
            process,
            limits: asked.limits,
        }
    }
}

impl Tmpfs {
    fn mount(&self) -> Mount {
        let size = self.size.map_or_else(String::new, |size| format!(",size={size}"));
        let noexec = if self.has_programs { MsFlags::empty() } else { MsFlags::MS_NOEXEC };
        Mount {
            destination: self.destination.clone(),
            source: Source::Filesystem { kind: "tmpfs", data: format!("mode={:o}{size}", self.mode).into() },
            flags: MsFlags::MS_NOSUID | MsFlags::MS_NODEV | noexec,
            why: "--tmpfs asks for it",
        }
    }
}

fn filesystem(kind: &'static str, path: &str, data: &'static str, flags: MsFlags, why: &'static str) -> Mount {
    let source = Source::Filesystem { kind, data: Cow::Borrowed(data) };
    Mount { destination: Path::new(path).to_owned(), source, flags, why }
}

fn tmpfs(path: &str, data: &'static str, why: &'static str) -> Mount {
    filesystem("tmpfs", path, data, MsFlags::MS_NOSUID | MsFlags::MS_NODEV, why)
}

/// In an order in which each has what it is mounted on. Devices can be used nowhere but where we put them: /dev is
/// `nodev` as well, and the nodes in it are mounts of their own.
fn usual_mounts(has_group_5: bool) -> Vec<Mount> {
    let bare = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let pts = match has_group_5 {
        true => "newinstance,ptmxmode=0666,mode=0620,gid=5",
        false => "newinstance,ptmxmode=0666,mode=0620",
    };
    vec![
        filesystem("proc", "/proc", "", bare, "programs look up their own processes there, and see no others"),
        filesystem(
            "tmpfs",
            "/dev",
            "mode=755,size=65536k",
            MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_STRICTATIME,
            "no device of the host but those that follow",
        ),
        filesystem("devpts", "/dev/pts", pts, MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC, "terminals of its own"),
        filesystem("tmpfs", "/dev/shm", "mode=1777,size=65536k", bare, "shared memory of its own"),
        filesystem("mqueue", "/dev/mqueue", "", bare, "message queues of its own"),
        tmpfs("/run", "mode=755", "as after a boot, and where process 1 can be asked"),
        tmpfs("/tmp", "mode=1777", "nothing of it lasts"),
        filesystem(
            "sysfs",
            "/sys",
            "",
            bare | MsFlags::MS_RDONLY,
            "what the kernel tells of devices, not to be changed",
        ),
    ]
}
