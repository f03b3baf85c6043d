//! Who has killed what died of SIGKILL as process 1 ended: the kernel, because of that, or somebody just before. The order of
//! the two cannot be seen; what was seen beside them may tell it.

use std::time::Duration;

use supervise_init::core::{Signal, Status};

use super::super::record::{Ended, EndedBy, Outcome, Process, Run, SAME_MOMENT};
use super::super::scenario::{Mode, Way};
use super::Word;
use super::front::{without, wrapper};
use super::scene::{Scene, main, others};

/// What util-linux' su and runuser write before they kill their child 2 s after they have passed the signal on, if it has not
/// ended by then.
const KILLS: &str = "killing shell";

/// Takes back what the kernel is said to have done where somebody else has.
pub(super) fn tell_killers(groups: &mut [Vec<Run>]) {
    let as_a_child: Vec<Run> = groups.iter().flatten().filter(|run| is_as_a_child(run)).cloned().collect();
    for run in groups.iter_mut().flatten().filter(|run| run.scenario.mode == Mode::Pid1) {
        // What that child has started it leaves alone.
        let killer = main(run).filter(|_| says_that_it_kills(run)).map(|main| main.pid);
        let is_killed = |process: &Process| {
            let alike = |other: &Run| other.scenario.signal == run.scenario.signal && is_killed_beside(other, process);
            killer == Some(process.parent) || as_a_child.iter().any(alike)
        };
        let killed: Vec<i32> =
            others(run).filter(|process| by_kernel(process) && is_killed(process)).map(|process| process.pid).collect();
        for process in run.processes.iter_mut().filter(|process| killed.contains(&process.pid)) {
            if let Some(ended) = process.ended.as_mut().filter(|ended| ended.by == EndedBy::Kernel) {
                ended.by = EndedBy::Itself;
            }
        }
    }
}

fn is_as_a_child(run: &Run) -> bool {
    run.scenario.mode == Mode::Child && run.scenario.way == Way::Usual && run.outcome == Outcome::Stopped
}

fn by_kernel(process: &Process) -> bool {
    process.ended.is_some_and(|ended| ended.by == EndedBy::Kernel)
}

/// Whether such a one was killed by somebody in a run in which the kernel kills nobody.
fn is_killed_beside(run: &Run, process: &Process) -> bool {
    let is_killed = |ended: Ended| ended.status == Some(Status::Signaled(Signal::KILL)) && ended.by == EndedBy::Itself;
    others(run).any(|other| other.words == process.words && other.ended.is_some_and(is_killed))
}

/// Whether the kernel has killed it, as far as can be told: as a child of main it outlives that.
pub(super) fn is_surely_the_kernel(scene: &Scene<'_>, process: &Process) -> bool {
    let Some(child) = scene.in_mode(Mode::Child) else { return false };
    child.told().any(|run| {
        let end = main(run).and_then(|main| main.ended);
        let outlives = |other: &Process| match (other.ended, end) {
            (Some(own), Some(end)) => own.at > end.at + SAME_MOMENT,
            (None, Some(_)) => true,
            (_, None) => false,
        };
        others(run).any(|other| other.words == process.words && outlives(other))
    })
}

/// The line by which main says that it kills.
fn says_that_it_kills(run: &Run) -> bool {
    let is_it = main(run).is_some_and(|main| ["su", "runuser"].contains(&main.comm.as_str()));
    is_it && run.output.tail.iter().any(|line| line.contains(KILLS))
}

/// So long su and runuser wait (sleep(2)) after they have passed the signal on, whatever becomes of their child.
pub(super) const SU_WAITS: Duration = Duration::from_secs(2);

/// S01, where su or runuser has been waiting: the cause, and what to change.
pub(super) fn waits_as_su(scene: &Scene<'_>, main: &Process) -> Option<(String, String)> {
    scene.worst().filter(|run| says_that_it_kills(run))?;
    let name = wrapper(main)?;
    let cause = format!(
        "{name} waits 2 s after it has passed {} on, also where its child has ended by then, before it kills that and ends",
        scene.signal
    );
    Some((cause, without(name, None)))
}

/// S07, where su or runuser has killed what it is in front of.
pub(super) fn killed_by_su(scene: &Scene<'_>, word: Word) -> Word {
    let Some(main) = scene.told().find(|run| says_that_it_kills(run)).and_then(main) else { return word };
    let (comm, signal) = (&main.comm, scene.signal);
    let cause = format!(
        "{}; {comm} says so (\"Session terminated, killing shell...\"): it kills what has not ended 2 s after it has passed \
         {signal} on",
        word.cause
    );
    word.because(
        cause,
        format!(
            "let the program end within 2 s, or start it in {comm}'s place by what executes it: supervise --user USER -- \
             COMMAND, setpriv, gosu"
        ),
    )
}
