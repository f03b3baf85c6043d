//! Does the steps of a plan, in the process that becomes the process 1 inside.

mod clients;
mod devices;
mod fault;
mod files;
pub(super) mod inside;
mod mounts;
mod process;
mod remount;
mod root;

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use log::debug;
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_no_new_privs;
use nix::sys::stat::{Mode, umask};

pub(crate) use self::clients::DIRECTORY;
pub(super) use self::fault::Why;
use self::inside::Inside;
use super::network::bring_up_loopback;
use super::plan::Step;
use super::rights::seccomp::Filter;

/// What earlier steps have made for later ones.
pub(super) struct Site {
    /// Its other end is the monitor's, who dies with it, and writes to it when the maps are written.
    pub(super) lifeline: OwnedFd,
    /// The monitor itself, where it makes our network namespace.
    pub(super) monitor: Option<OwnedFd>,
    layers: Vec<OwnedFd>,
    /// The root filesystem with all that is mounted in it, where it is to be changed itself.
    whole: Option<OwnedFd>,
    upper: Option<Upper>,
    /// What is to be bound, in the order of the mounts.
    sources: VecDeque<OwnedFd>,
    /// Where what vanishes with the container is.
    stage: Option<OwnedFd>,
    root: Option<Inside>,
    /// The host's /dev, read-only.
    nodes: Option<OwnedFd>,
    /// An empty directory and an empty file, to mask others with.
    void: Option<OwnedFd>,
    null: Option<OwnedFd>,
    /// `--read-only`.
    is_read_only: bool,
    hostname: String,
    /// What the monitor says of the network.
    name_server: Option<String>,
}

/// Where what is written goes.
struct Upper {
    upper: OwnedFd,
    work: OwnedFd,
}

impl Site {
    pub(super) fn new(lifeline: OwnedFd, monitor: Option<OwnedFd>) -> Site {
        Site {
            lifeline,
            monitor,
            whole: None,
            upper: None,
            layers: Vec::new(),
            sources: VecDeque::new(),
            stage: None,
            root: None,
            nodes: None,
            void: None,
            null: None,
            is_read_only: false,
            hostname: String::new(),
            name_server: None,
        }
    }

    fn root(&self) -> Result<&Inside, Why> {
        self.root.as_ref().ok_or(Why::OutOfOrder)
    }

    fn stage(&self) -> Result<&OwnedFd, Why> {
        self.stage.as_ref().ok_or(Why::OutOfOrder)
    }
}

/// Does them all; where the last one executes process 1 it does not return. Otherwise, what could not be done, and why.
pub(super) fn all<'a>(steps: &'a [Step], site: &mut Site) -> Result<(), (&'a Step, Why)> {
    // Directories and nodes get the permissions that are said.
    umask(Mode::empty());
    for step in steps {
        debug!(event = "step"; "{step}: {}", step.reason());
        apply(step, site).map_err(|why| (step, why))?;
    }
    Ok(())
}

fn apply(step: &Step, site: &mut Site) -> Result<(), Why> {
    match step {
        // The monitor has.
        Step::Unshare(_) | Step::Limit(_) => Ok(()),
        Step::AwaitMonitor => process::await_monitor(site),
        Step::JoinNetwork => process::join_network(site),
        Step::UnshareCgroup => unshare(CloneFlags::CLONE_NEWCGROUP).map_err(Why::from),
        Step::RaiseLoopback => bring_up_loopback().map_err(Why::Network),
        Step::OpenToUsers => process::open_to_users(),
        Step::AwaitNetwork => process::await_network(site),
        Step::Filter(kept) => Filter::new(*kept).load().map_err(Why::Filter),
        Step::BecomeRoot => process::become_root(),
        Step::CutPropagation => mounts::cut_propagation(),
        Step::OpenSources(root, sources) => {
            root::open_parts(site, root)?;
            mounts::open_sources(site, sources)
        }
        Step::MakeStage => root::make_stage(site),
        Step::MakeRoot(root) => root::make(site, root),
        Step::Mount(mount) => mounts::mount(site, mount),
        Step::Devices => devices::put(site),
        Step::Console => devices::put_console(site.root()?),
        Step::NameHost(name) => files::name_host(site, name),
        Step::NameManager => files::name_manager(site.root()?),
        Step::PutFile(file) => files::put(site, *file),
        Step::OfferClients(guard) => clients::offer(site, *guard),
        Step::ShowOurselves(guard) => clients::show(site, *guard).map(drop),
        Step::Mask(path) => mounts::mask(site, path),
        Step::Protect(path) => mounts::protect(site.root()?, path),
        Step::CheckCommand(process) => process::check_command(site, process),
        Step::LeaveHost => root::leave_host(site),
        Step::CloseRoot => root::close(),
        Step::ForgetKeys => process::forget_keys(),
        Step::GiveNoPrivileges => set_no_new_privs().map_err(Why::from),
        Step::DropRights(kept) => process::drop_rights(*kept),
        Step::FollowMonitor => process::follow_monitor(site),
        Step::Execute(process) => process::execute(process),
    }
}
