//! Which CPU runs what, and before whom, for the rows that the scheduler would otherwise decide.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::error::{Doing, Result};
use crate::sys::{Class, schedule};

const OURSELVES: Pid = Pid::from_raw(0);

/// Keeps the bench, and what it starts, on the first CPU allowed to it until dropped.
#[derive(Debug)]
pub(crate) struct Pinned {
    allowed: CpuSet,
}

impl Pinned {
    pub(crate) fn here() -> Result<Self> {
        let allowed = sched_getaffinity(OURSELVES).doing("read the CPUs of", "the bench")?;
        let pinned = Self { allowed };
        pin(OURSELVES, pinned.cpus().next())?;
        Ok(pinned)
    }

    /// Moves a process to the last allowed CPU: away from the bench, where there is more than one.
    pub(crate) fn move_away(&self, pid: Pid) -> Result<()> {
        pin(pid, self.cpus().last())
    }

    fn cpus(&self) -> impl Iterator<Item = usize> {
        (0..CpuSet::count()).filter(|cpu| self.allowed.is_set(*cpu).unwrap_or(false))
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // The worst that can come of a failure is that later rows are measured on one CPU as well.
        let _ = sched_setaffinity(OURSELVES, &self.allowed);
    }
}

/// Puts the bench, and what it starts, before all ordinary processes until dropped.
#[derive(Debug)]
pub(crate) struct Ahead;

impl Ahead {
    /// Goes on as an ordinary process where the kernel refuses.
    pub(crate) fn of_others() -> Self {
        if let Err(cause) = schedule(Class::RealTime) {
            eprintln!("peers: warning: cannot go ahead of other processes: {cause}; what they do shows in the figures");
        }
        Self
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        // Leaving the real-time class is never refused.
        let _ = schedule(Class::Ordinary);
    }
}

fn pin(pid: Pid, cpu: Option<usize>) -> Result<()> {
    let mut one = CpuSet::new();
    one.set(cpu.unwrap_or_default()).doing("name a CPU of", pid)?;
    sched_setaffinity(pid, &one).doing("pin", pid)
}
