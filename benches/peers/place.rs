//! Which CPU runs what, for the rows that the placement of processes would otherwise decide.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::error::{Doing, Result};

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

fn pin(pid: Pid, cpu: Option<usize>) -> Result<()> {
    let mut one = CpuSet::new();
    one.set(cpu.unwrap_or_default()).doing("name a CPU of", pid)?;
    sched_setaffinity(pid, &one).doing("pin", pid)
}
