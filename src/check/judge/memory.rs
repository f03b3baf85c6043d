//! What the kernel killed for want of memory: its cgroup counts that, and a process died of a SIGKILL that nobody of us sent.

use supervise_init::core::{Signal, Status};

use super::super::record::{EndedBy, Process, Run};
use super::scene::{Scene, main, others};
use super::words::{Name, names};
use super::{Level, Word};

/// What helps.
pub(super) const CURE: &str =
    "give it more memory (docker run --memory, resources.limits.memory, MemoryMax), or let it use less";

fn is_killed(process: &Process) -> bool {
    process.ended.is_some_and(|ended| {
        ended.status == Some(Status::Signaled(Signal::KILL)) && matches!(ended.by, EndedBy::Itself | EndedBy::Signal)
    })
}

/// S07: of those beside main.
pub(super) fn killed_beside(scene: &Scene<'_>) -> Option<Word> {
    let found = |run| Some((run, others(run).filter(|process| is_killed(process)).collect::<Vec<_>>()));
    let counted = scene.told().filter(|run| run.is_out_of_memory == Some(true));
    let (_, killed) = counted.filter_map(found).find(|(_, killed)| !killed.is_empty())?;
    let cause = format!("the kernel killed {} for want of memory", names(&killed));
    let evidence = vec!["the cgroup counts a process that was killed for want of memory".to_owned()];
    Some(Word::new(Level::Fail, evidence).because(cause, CURE))
}

/// S06: why `process` was left, where main was killed so.
pub(super) fn left_behind(run: &Run, process: &Process) -> Option<(String, String)> {
    let main = main(run).filter(|main| is_killed(main) && run.is_out_of_memory == Some(true))?;
    let cause = format!("the kernel killed {} for want of memory, and it left {}", Name(main), Name(process));
    Some((cause, CURE.to_owned()))
}
