//! From what a container is made of to the steps that make it, in their order. Pure: `--dry-run` prints the steps, and
//! `apply` does them.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use nix::mount::MsFlags;
use supervise_init::sys::Capabilities;

use super::cgroup::Limits;
use super::rights::capabilities::names;
use super::spec::{CgroupNamespace, Changes, Filter, Mount, Namespaces, Network, Process, Root, Source, Spec};

/// One step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// Done by the monitor, as the process of all others is made.
    Unshare(Namespaces),
    /// Done by the monitor.
    Limit(Limits),
    /// Until the monitor has written the maps, and has put us into our cgroup.
    AwaitMonitor,
    UnshareCgroup,
    BecomeRoot,
    CutPropagation,
    OpenSources(Root, Vec<PathBuf>),
    MakeStage,
    MakeRoot(Root),
    Mount(Mount),
    Devices,
    Console,
    NameHost(String),
    /// What systemd's tools look for, who may not read the environment of process 1.
    NameManager,
    /// A file of /etc that is about this container.
    PutFile(File),
    OfferClients(Guard),
    /// Our own file alone: nobody is served.
    ShowOurselves(Guard),
    Mask(&'static str),
    Protect(&'static str),
    CheckCommand(Process),
    LeaveHost,
    CloseRoot,
    /// Until the monitor has made a network namespace.
    JoinNetwork,
    RaiseLoopback,
    /// In a network of its own.
    OpenToUsers,
    AwaitNetwork,
    ForgetKeys,
    GiveNoPrivileges,
    Filter(Capabilities),
    DropRights(Capabilities),
    FollowMonitor,
    Execute(Process),
}

/// What keeps our own file as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Guard {
    /// A read-only mount.
    Mount,
    /// A filesystem of its own that nobody can write to: who may mount can make a mount writable, and by a mount of the
    /// host's file system who may open files by handles (open_by_handle_at(2)) reaches all of it. It takes longer.
    Overlay,
}

impl Guard {
    fn against(capabilities: Capabilities) -> Guard {
        /// capabilities(7). Who may open files by their handles finds all others of a file system by one of them.
        const CAP_DAC_READ_SEARCH: u32 = 2;
        const CAP_SYS_ADMIN: u32 = 21;
        let reaches_further = [CAP_DAC_READ_SEARCH, CAP_SYS_ADMIN].into_iter().any(|number| capabilities.has(number));
        if reaches_further { Guard::Overlay } else { Guard::Mount }
    }
}

/// A file of /etc that is about this container.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum File {
    Hostname,
    Hosts,
    /// Those of the network that it has.
    Resolvers,
}

impl File {
    pub(super) fn path(self) -> &'static Path {
        Path::new(match self {
            File::Hostname => "/etc/hostname",
            File::Hosts => "/etc/hosts",
            File::Resolvers => "/etc/resolv.conf",
        })
    }
}

/// The steps, in their order.
pub(super) fn steps(spec: &Spec) -> Vec<Step> {
    let mut steps = vec![Step::Unshare(spec.namespaces.clone())];
    // What follows needs the rights over the new namespaces.
    let is_limited = !spec.limits.is_empty();
    steps.extend(is_limited.then_some(Step::Limit(spec.limits)));
    steps.extend((is_limited || spec.namespaces.user.is_some()).then_some(Step::AwaitMonitor));
    steps.extend(is_limited.then_some(Step::UnshareCgroup));
    steps.extend([
        Step::BecomeRoot,
        // Before any mount: otherwise ours would show up on the host.
        Step::CutPropagation,
        // Before the stage, which lies over the root filesystem and so over what is in it.
        Step::OpenSources(spec.root.clone(), spec.sources()),
        Step::MakeStage,
        Step::MakeRoot(spec.root.clone()),
    ]);
    steps.extend(inside(spec));
    // After all that is mounted below /proc and /sys.
    steps.extend(spec.masked_paths.iter().copied().map(Step::Mask));
    steps.extend(spec.readonly_paths.iter().copied().map(Step::Protect));
    // What emulators there are is told on the host.
    steps.push(Step::CheckCommand(spec.process.clone()));
    steps.push(Step::LeaveHost);
    // After the last place to mount on was made in it.
    steps.extend(spec.root.read_only.then_some(Step::CloseRoot));
    steps.push(Step::ForgetKeys);
    steps.extend(spec.process.no_new_privileges.then_some(Step::GiveNoPrivileges));
    // Only who has CAP_SYS_ADMIN may load a filter; it lets the rest of the steps pass.
    steps.extend((spec.process.filter == Filter::Default).then_some(Step::Filter(spec.process.capabilities)));
    // Every step above needs what this gives up.
    steps.push(Step::DropRights(spec.process.capabilities));
    // After the last change of what we are, each of which makes the kernel forget this one (prctl(2)).
    steps.push(Step::FollowMonitor);
    steps.push(Step::Execute(spec.process.clone()));
    steps
}

/// What is mounted in the new root, and what tells there about the container.
fn inside(spec: &Spec) -> Vec<Step> {
    let network = spec.namespaces.network;
    let is_connected = matches!(network, Network::Host | Network::User);
    // sysfs shows the devices of the network that it is mounted in: of ours it is the last one, before what is asked for,
    // which may lie in it.
    let is_sysfs = |mount: &Mount| matches!(mount.source, Source::Filesystem { kind: "sysfs", .. });
    let (first, rest) = spec.mounts.split_at(spec.mounts.iter().position(is_sysfs).unwrap_or(spec.mounts.len()));
    let mut with_network: Vec<Step> = spec.namespaces.by_monitor().then_some(Step::JoinNetwork).into_iter().collect();
    with_network.extend(rest.iter().flat_map(mounted));
    with_network.extend((network == Network::Private).then_some(Step::RaiseLoopback));
    with_network.extend((network != Network::Host).then_some(Step::OpenToUsers));
    // It may take a while: what could be done meanwhile is done.
    with_network.extend((network == Network::User).then_some(Step::AwaitNetwork));
    let mut named = vec![Step::NameHost(spec.hostname.clone()), Step::NameManager];
    let files = [File::Hostname, File::Hosts, File::Resolvers].into_iter();
    let files = files.filter(|file| *file != File::Resolvers || is_connected);
    named.extend(files.filter(|file| !spec.is_mounted(file.path())).map(Step::PutFile));
    let guard = Guard::against(spec.process.capabilities);
    named.push(if spec.process.serves_requests { Step::OfferClients(guard) } else { Step::ShowOurselves(guard) });
    // These lie over what is asked for, and AwaitNetwork tells what is in one of them. Where neither is there, the monitor
    // has the more time.
    let is_free = rest.len() == 1 && !is_connected;
    let steps = if is_free { [named, with_network] } else { [with_network, named] };
    first.iter().flat_map(mounted).chain(steps.into_iter().flatten()).collect()
}

/// What comes with a mount.
fn mounted(mount: &Mount) -> Vec<Step> {
    let step = Step::Mount(mount.clone());
    // What is bound there is the host's, and stays as it is.
    match mount.destination == Path::new("/dev") && matches!(mount.source, Source::Filesystem { .. }) {
        true => vec![step, Step::Devices, Step::Console],
        false => vec![step],
    }
}

impl Spec {
    fn is_mounted(&self, path: &Path) -> bool {
        self.mounts.iter().any(|mount| mount.destination == path)
    }

    /// What is bound, in the order of the mounts.
    fn sources(&self) -> Vec<PathBuf> {
        let source = |mount: &Mount| match &mount.source {
            Source::Bind { from, .. } => Some(from.clone()),
            Source::Filesystem { .. } => None,
        };
        self.mounts.iter().filter_map(source).collect()
    }
}

impl Process {
    /// What its command is called.
    fn title(&self) -> Cow<'_, str> {
        self.command.first().map_or(Cow::Borrowed("/bin/bash or /bin/sh"), |command| command.to_string_lossy())
    }
}

impl Step {
    /// Why it is done.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Step::Unshare(_) => "what is done in them is seen by nobody else",
            Step::Limit(_) => "what it uses of the machine, others lack",
            Step::AwaitMonitor => "ids and cgroups are given from outside, and before it runs anything",
            Step::UnshareCgroup => "it sees its own cgroup as the topmost one",
            Step::JoinNetwork => "the kernel takes as long to make one as for all before",
            Step::RaiseLoopback => "programs talk to each other by it",
            Step::OpenToUsers => "docker lets them, and what they have of this network is its own",
            Step::AwaitNetwork => "what looks up a name at once would find no network",
            Step::Filter(_) => "most holes of the kernel were in calls that no program needs",
            Step::BecomeRoot => {
                "who is root there may do what follows, and groups of the caller are not for the container"
            }
            Step::CutPropagation => "nothing that is mounted from here on shows up on the host",
            Step::OpenSources(..) => "what is mounted next may lie over it",
            Step::MakeStage => "what vanishes with the container has to be somewhere",
            Step::MakeRoot(root) => match root.changes {
                Changes::Vanish => "what is written goes to memory, and the root filesystem stays as it is",
                Changes::Kept(_) => "what is written is kept there, and the root filesystem stays as it is",
                Changes::InPlace => "--writable: what is written changes the root filesystem",
            },
            Step::Mount(mount) => mount.why,
            Step::Devices => "programs expect these, and none of them gives a way to the host",
            Step::Console => "so that programs can tell the name of their terminal",
            Step::NameHost(_) => "a name of its own tells it from the host",
            Step::NameManager => "so that systemd-detect-virt and its like see a container",
            Step::PutFile(File::Resolvers) => "with a network come its name servers",
            Step::PutFile(_) => "its name has to be found by programs that look it up",
            Step::ShowOurselves(_) => "so that process 1 is executed from where nobody inside can change it",
            Step::OfferClients(_) => "so that poweroff, reboot and shutdown work with any distribution",
            Step::Mask(_) => "it tells of the whole machine",
            Step::Protect(_) => "what is written there changes the whole machine",
            Step::CheckCommand(_) => "why it cannot run is said before anything runs",
            Step::LeaveHost => "from here on no path leads to a file of the host",
            Step::CloseRoot => "--read-only",
            Step::GiveNoPrivileges => "a user inside shall not become root by sudo or its like",
            Step::ForgetKeys => "those of the caller are not for the container",
            Step::DropRights(_) => "its root shall not have the rights of the host's",
            Step::FollowMonitor => "the container must not outlive the supervise that watches it",
            Step::Execute(_) => "from where nobody can write to it, so that /proc/1/exe gives no way to the host's",
        }
    }
}

/// What to do: it follows "cannot" where it fails.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Unshare(namespaces) => {
                f.write_str("make new pid, mount, uts, ipc")?;
                f.write_str(if namespaces.cgroup == CgroupNamespace::AtOnce { ", cgroup" } else { "" })?;
                f.write_str(if namespaces.flags() & libc::CLONE_NEWNET == 0 { "" } else { ", net" })?;
                f.write_str(if namespaces.user.is_some() { ", user" } else { "" })?;
                f.write_str(" namespaces")
            }
            Step::Limit(limits) => limits.fmt(f),
            Step::AwaitMonitor => f.write_str("wait for the monitor"),
            Step::UnshareCgroup => f.write_str("make a new cgroup namespace"),
            Step::JoinNetwork => f.write_str("join the net namespace that the monitor has made meanwhile"),
            Step::RaiseLoopback => f.write_str("bring up the loopback"),
            Step::OpenToUsers => f.write_str("let users ping, and serve ports below 1024"),
            Step::AwaitNetwork => f.write_str("wait for pasta or slirp4netns to connect it"),
            Step::Filter(_) => f.write_str("forbid the system calls that docker forbids"),
            Step::BecomeRoot => f.write_str("become root, in no other group"),
            Step::CutPropagation => f.write_str("make all mounts private"),
            Step::OpenSources(_, sources) if sources.is_empty() => f.write_str("open the root filesystem"),
            Step::OpenSources(..) => f.write_str("open the root filesystem and what is to be bound"),
            Step::MakeStage => f.write_str("mount a tmpfs to work in"),
            Step::MakeRoot(root) => root.fmt(f),
            Step::Mount(mount) => mount.fmt(f),
            Step::Devices => f.write_str("put null, zero, full, random, urandom, tty and links into /dev"),
            Step::Console => f.write_str("bind the terminal, if there is one, to /dev/console"),
            Step::NameHost(name) => write!(f, "set the hostname to {name}"),
            Step::NameManager => f.write_str("say in /run/host/container-manager that it is supervise's"),
            Step::PutFile(file) => write!(f, "put a {} in place", file.path().display()),
            Step::ShowOurselves(_) => f.write_str("show supervise in /run/supervise/bin"),
            Step::OfferClients(_) => {
                f.write_str("bind supervise over poweroff, halt, reboot, shutdown, telinit, init, runlevel, systemctl")
            }
            Step::Mask(path) => write!(f, "mask {path}"),
            Step::Protect(path) => write!(f, "make {path} read-only"),
            Step::CheckCommand(process) => write!(f, "see whether this kernel can run {}", process.title()),
            Step::LeaveHost => f.write_str("make it the root directory, and unmount the host's"),
            Step::CloseRoot => f.write_str("make the root directory read-only"),
            Step::ForgetKeys => f.write_str("join a new session keyring"),
            Step::GiveNoPrivileges => f.write_str("set no_new_privs"),
            Step::DropRights(kept) => {
                f.write_str("keep no capabilities but")?;
                (0..)
                    .zip(names(*kept))
                    .try_for_each(|(place, name)| write!(f, "{}{name}", if place == 0 { " " } else { ", " }))
            }
            Step::FollowMonitor => f.write_str("ask to be killed when the monitor dies"),
            Step::Execute(process) => {
                f.write_str("execute as process 1:")?;
                process.words.iter().try_for_each(|word| write!(f, " {}", word.to_string_lossy()))?;
                f.write_str(" --")?;
                if process.command.is_empty() {
                    return write!(f, " {}", process.title());
                }
                process.command.iter().try_for_each(|word| write!(f, " {}", word.to_string_lossy()))
            }
        }
    }
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layers = self.layers.iter().map(|layer| layer.display().to_string()).collect::<Vec<_>>().join(", ");
        match &self.changes {
            Changes::Vanish => write!(f, "mount an overlay of {layers} and memory as the new root"),
            Changes::Kept(dir) => write!(f, "mount an overlay of {layers} and {}/upper as the new root", dir.display()),
            Changes::InPlace => write!(f, "bind {layers} as the new root"),
        }
    }
}

impl fmt::Display for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let destination = self.destination.display();
        match &self.source {
            Source::Filesystem { kind, .. } => {
                write!(f, "mount {kind} on {destination}")?;
                f.write_str(if self.flags.contains(MsFlags::MS_RDONLY) { ", read-only" } else { "" })
            }
            Source::Bind { from, read_only } => {
                write!(f, "bind {} to {destination}", from.display())?;
                f.write_str(if *read_only { ", read-only" } else { "" })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use supervise_init::sys::Capabilities;

    use super::{Step, steps};
    use crate::runtime::cgroup::Limits;
    use crate::runtime::spec::{Asked, Bind, Filter, Ids, Mapper, Mapping, Network, Process, Spec};

    fn spec(asked: &Asked, user: bool) -> Spec {
        let map = vec![Mapping { inside: 0, outside: 1000, size: 1 }];
        let ids = user.then(|| Ids { users: map.clone(), groups: map, by: Mapper::Ourselves });
        let process = Process {
            words: vec![c"supervise".to_owned()],
            command: Vec::new(),
            environment: Vec::new(),
            directory: "/".into(),
            capabilities: Capabilities(1),
            filter: Filter::Default,
            no_new_privileges: true,
            serves_requests: true,
        };
        Spec::new(asked, "name".to_owned(), ids, process)
    }

    /// All that decides which steps there are.
    fn all() -> Vec<Vec<Step>> {
        let networks = [Network::Private, Network::None, Network::Host, Network::User];
        let mut all = Vec::new();
        for network in networks {
            for bits in 0..8 {
                let pids = (bits & 1 != 0).then_some(10);
                let bind = Bind { source: "/a".into(), destination: "/etc/hosts".into(), read_only: true };
                let asked = Asked {
                    layers: vec!["/root".into()],
                    network,
                    limits: Limits { pids, ..Limits::default() },
                    read_only: bits & 4 != 0,
                    binds: (bits & 4 != 0).then_some(bind).into_iter().collect(),
                    ..Asked::default()
                };
                all.push(steps(&spec(&asked, bits & 2 != 0)));
            }
        }
        all
    }

    #[test]
    fn each_step_stands_where_it_has_what_it_needs() {
        for steps in all() {
            let places = |is_it: &dyn Fn(&Step) -> bool| -> Vec<usize> {
                (0..).zip(&steps).filter(|(_, step)| is_it(step)).map(|(place, _)| place).collect()
            };
            let place = |step: &Step| places(&|other| other == step).first().copied();
            let mounts = places(&|step| matches!(step, Step::Mount(_) | Step::MakeStage | Step::MakeRoot(_)));
            let hidden = places(&|step| matches!(step, Step::Mask(_) | Step::Protect(_)));
            let leave = place(&Step::LeaveHost).expect("it is left");
            let drop = place(&Step::DropRights(Capabilities(1))).expect("they are dropped");
            assert_eq!(places(&|step| matches!(step, Step::Unshare(_))), [0]);
            assert!(place(&Step::CutPropagation) < mounts.first().copied(), "nothing shows up on the host");
            assert!(place(&Step::BecomeRoot) < place(&Step::CutPropagation));
            assert!(place(&Step::AwaitMonitor).is_none_or(|await_| Some(await_) < place(&Step::BecomeRoot)));
            assert!(mounts.last() < hidden.first() && hidden.last() < Some(&leave), "nothing is mounted over a mask");
            let joined = place(&Step::JoinNetwork);
            let is_sysfs = |step: &Step| matches!(step, Step::Mount(mount) if mount.destination == Path::new("/sys"));
            for user in places(&is_sysfs).into_iter().chain(place(&Step::RaiseLoopback)) {
                assert!(joined.is_none_or(|joined| joined < user), "the devices are those of its network");
            }
            assert!(joined.is_none() || steps.iter().all(|step| *step != Step::AwaitNetwork));
            assert!(place(&Step::CloseRoot).is_none_or(|close| leave < close && close < drop));
            assert!(place(&Step::Filter(Capabilities(1))).is_some_and(|filter| leave < filter && filter < drop));
            assert_eq!(place(&Step::FollowMonitor), Some(drop + 1), "nothing makes the kernel forget it");
            assert_eq!(places(&|step| matches!(step, Step::Execute(_))), [steps.len() - 1]);
        }
    }

    #[test]
    fn each_step_is_told_in_one_line_with_its_reason() {
        for step in all().iter().flatten() {
            let line = format!("{step}: {}", step.reason());
            assert!(!line.contains('\n') && !step.reason().is_empty() && !line.ends_with('.'), "{line}");
        }
    }

    #[test]
    fn what_is_bound_is_not_made() {
        let files = |steps: &[Step]| steps.iter().filter(|step| matches!(step, Step::PutFile(_))).count();
        let bind = Bind { source: "/a".into(), destination: "/etc/hosts".into(), read_only: false };
        let asked = Asked { layers: vec!["/root".into()], binds: vec![bind], ..Asked::default() };
        assert_eq!(files(&steps(&spec(&asked, false))), 1);
        assert_eq!(files(&steps(&spec(&Asked { network: Network::Host, ..asked }, false))), 2);
    }
}
