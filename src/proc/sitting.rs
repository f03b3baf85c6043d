//! Who is stuck in a system call that no signal interrupts, and not only in a disk's queue.

use std::time::Duration;

use super::{Status, read_text};

/// A thread that sits in such a call just now (state D of proc_pid_stat(5)).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sitting {
    pub(crate) pid: i32,
    pub(crate) thread: i32,
    /// Changes whenever it has run.
    switches: u64,
}

impl Sitting {
    /// Which of these [threads](super::threads) of a process do.
    pub(crate) fn among(pid: i32, threads: &[Status]) -> Vec<Sitting> {
        threads.iter().filter_map(|status| Sitting::from(pid, status)).collect()
    }

    fn from(pid: i32, status: &Status) -> Option<Sitting> {
        (status.state == b'D').then_some(Sitting { pid, thread: status.thread, switches: status.switches })
    }

    /// Whether it has sat there since.
    fn lasts(&self) -> bool {
        let status = Status::parse(self.thread, &read_text(self.pid, &format!("task/{}/status", self.thread)));
        status.and_then(|status| Sitting::from(self.pid, &status)).as_ref() == Some(self)
    }
}

/// Those that still sit where they sat after as many moments of 100 ms: what a disk is busy with goes on sooner. `pause`
/// lets such a moment pass, and none does when nobody is left.
pub(crate) fn stuck(mut sitting: Vec<Sitting>, moments: u32, mut pause: impl FnMut(Duration)) -> Vec<Sitting> {
    const MOMENT: Duration = Duration::from_millis(100);
    for _ in 0..moments {
        if sitting.is_empty() {
            break;
        }
        pause(MOMENT);
        sitting.retain(Sitting::lasts);
    }
    sitting
}
