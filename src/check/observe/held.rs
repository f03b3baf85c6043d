//! The cgroup of a run, below our own: what holds its processes together whatever they do, and where the kernel counts
//! what it kills for want of memory. Where none can be made, the rest of the stage has to do, and the count of our own.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use log::{debug, warn};
use nix::unistd::{AccessFlags, access};
use supervise_init::core::{Signal, Status};
use supervise_init::sys::Pid;

use super::heir::Heir;
use crate::check::record::{Cgroup, EndedBy, Facility, Missing, Process, Run};
use crate::runtime::cgroup::{Group, Host, Version};
use crate::runtime::left_behind;

/// How long the kernel may take to let a cgroup go after its last process has ended.
const PATIENCE: Duration = Duration::from_secs(2);

/// What it is called, behind our number.
const ID: &str = "check";

/// That of one run. Nothing of it stays.
pub(super) struct Held {
    group: Option<Group>,
    /// What our own cgroup had counted before, where that of the run does not count.
    before: Option<u64>,
}

impl Held {
    /// Makes it, with the first process of the run in it, which has executed nothing yet.
    pub(super) fn make(root: Pid, run: &mut Run) -> Held {
        let host = Host::ours();
        let (group, mut why) = Group::make_without_limits(&host, &left_behind::name(ID));
        let why_not = match group.enter(root) {
            Ok(()) => why.take().map(|why| why.to_string()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(why) = why_not {
            run.missing.push(Missing { facility: Facility::Cgroup, why });
        }
        let before = if group.oom_kills().is_none() { host.memory().map(|(_, _, kills)| kills) } else { None };
        Held { group: (!group.is_empty()).then_some(group), before }
    }

    /// Kills all that is in it, where the kernel does so at once.
    pub(super) fn kill(&self) {
        self.group.iter().for_each(Group::kill_at_once);
    }

    /// What is to be said of it when the run is over.
    pub(super) fn finish(self, run: &mut Run) {
        let of_ours = || Some(Host::ours().memory()?.2.saturating_sub(self.before?));
        let counted = self.group.as_ref().and_then(Group::oom_kills).or_else(of_ours);
        run.is_out_of_memory = counted.map(|kills| kills > 0);
        run.cgroup = self.group.as_ref().map(|group| Cgroup { left: group.count() });
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(group) = self.group.take() else { return };
        if let Err(error) = group.kill(PATIENCE).and_then(|()| group.remove(PATIENCE)) {
            warn!("{error}; it stays, and the next check removes it");
        }
    }
}

/// Who was killed for memory just before process 1 ended looks as if it had ended with that.
pub(super) fn tell_memory_from_process_1(run: &mut Run) {
    if run.is_out_of_memory != Some(true) {
        return;
    }
    let by = |process: &Process, by| {
        process.ended.is_some_and(|ended| ended.status == Some(Status::Signaled(Signal::KILL)) && ended.by == by)
    };
    if run.processes.iter().any(|process| by(process, EndedBy::Itself)) {
        return;
    }
    let with_process_1 = run.processes.iter_mut().filter(|process| by(process, EndedBy::Kernel));
    if let Some(ended) = with_process_1.filter_map(|process| process.ended.as_mut()).min_by_key(|ended| ended.at) {
        ended.by = EndedBy::Itself;
    }
}

/// Removes what checks have left that were killed, and their [`Heir`] with them. What they ran has died as well. Ours is
/// appointed, where we may make cgroups at all.
pub(crate) fn settle_inheritance() -> Option<Heir> {
    let host = Host::ours();
    let homes = [(Version::Two, ""), (Version::One, "memory")];
    let homes = homes.iter().filter_map(|(version, controller)| host.directory(*version, controller));
    let homes = homes.map(|place| place.directory).filter(|home| access(home, AccessFlags::W_OK).is_ok());
    let homes: HashSet<PathBuf> = homes.collect();
    if homes.is_empty() {
        return None;
    }
    let name = left_behind::name(ID);
    let ours = homes.iter().map(|home| home.join(&name)).collect();
    // What is still dying is for the one after us.
    let _ = left_behind::remove(homes);
    Heir::appoint(ours)
        .inspect_err(|errno| debug!("no process removes the cgroups if this one is killed: {errno}"))
        .ok()
}
