//! Why a main process that was told to end has not: the first reason that fits, surest first. What it did decides; where that
//! leaves several reasons, all of them are told.

use std::time::Duration;

use supervise_init::core::{Signal, Status};

use super::super::record::{AtDeadline, Process, Run, State};
use super::super::scenario::{Mode, Target};
use super::front::{behind, is_deaf_front};
use super::handling::{Handling, handling};
use super::reaction::{Reaction, Sort, answer, has_begun};
use super::scene::{
    Scene, children_that_stayed, grace_of, is_alive_at_deadline, is_executed_since, is_older, main, main_status,
    others, took,
};
use super::words::names;
use crate::proc::WaitsFor;

/// What keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Why<'a> {
    /// Nothing was looked at when the time was over.
    Unseen,
    /// It ended by itself, so long after its time.
    Late(Duration),
    Stopped,
    Stuck,
    /// In vfork(2): until this child executes a program or ends.
    InVfork(Option<&'a Process>),
    /// Its first thread has ended, others have not.
    HalfDead,
    Ignored,
    Blocked,
    /// It blocks the signal, and waits for others.
    NotWaitedFor,
    /// It has a signalfd and does not read it.
    Unread,
    /// It was sent, and is still pending without being blocked.
    Pending,
    /// The kernel throws it away: process 1 without a handler.
    Dropped,
    /// The same of one that has started these, which may be what it is there for.
    DroppedInFront(Vec<&'a Process>),
    /// The same of a shell, in front of these.
    DroppedAtShell(Vec<&'a Process>, Heard),
    /// A shell that acts on it when the child in its foreground has ended.
    Foreground(&'a Process, Heard),
    /// A shell that has acted on it, and waits for this.
    Background(&'a Process, Heard),
    /// A shell whose trap has run.
    TrapGoesOn,
    /// Process 1 that, as a child, dies of this signal that it raises; the kernel drops that.
    Reraised(Signal),
    /// The same of one that waits for signals: as a child it dies of this one, by its default action or by raising it.
    NotDying,
    /// One that lives as long as its children.
    Waits {
        children: Vec<&'a Process>,
        heard: Heard,
        sits: Sits,
    },
    /// One that has started this since.
    GoesOn(&'a Process),
    /// One that has got this child since, which it has started or was given as an orphan.
    GotChild(&'a Process),
    Busy(Duration),
    /// It had no handler yet when it was told, and has one now; whether it has done anything since.
    TooEarly,
    /// It began to stop, and has not come to the end of it.
    Slow(Reaction),
    /// It did something, and has not ended.
    Answered(Reaction),
    /// The same of one that has its handler as process 1 alone: as a child the signal ended it by its default action.
    NotItsEnd,
    /// It handles the signal, and nothing happened.
    NoReaction,
    /// It should have been ended.
    Unmoved,
}

/// Where one that has children is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sits {
    /// In wait(2).
    InWait,
    Elsewhere,
}

/// What is known of a child of a process that was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Heard {
    /// The signal would have ended it.
    Never,
    Ignores,
    /// It ignores it because a shell has started it by `&`.
    Background,
    Stopped,
    /// It has begun to stop, and is not done.
    Began,
    /// It has executed its program only since; what was sent to it before was sent to a copy of who started it.
    Early,
    /// It may have it, and be at work.
    Perhaps,
}

/// Why main lived when the time of this run was over.
pub(super) fn why<'a>(scene: &Scene<'a>, run: &'a Run, main: &'a Process) -> Why<'a> {
    let signal = scene.signal;
    let late = took(run).and_then(|took| took.checked_sub(grace_of(run)));
    let Some(at_deadline) = main.at_deadline else { return late.map_or(Why::Unseen, Why::Late) };
    match (at_deadline.state, late) {
        (State::Stopped, _) => return Why::Stopped,
        (State::Stuck, _) if at_deadline.waits_for == WaitsFor::Exec => {
            return Why::InVfork(children_that_stayed(run, main).into_iter().find(|child| child.executed_at.is_none()));
        }
        (State::Stuck, _) => return Why::Stuck,
        (State::Zombie, Some(late)) => return Why::Late(late),
        (State::Zombie, None) => return Why::HalfDead,
        (State::Able, _) => {}
    }
    let Some(found) = handling(main, signal) else { return Why::Unseen };
    let stayed = children_that_stayed(run, main);
    match found {
        Handling::Signalfd if at_deadline.is_pending => Why::Unread,
        Handling::Blocked if at_deadline.is_pending => Why::Blocked,
        Handling::Waited if at_deadline.is_pending => Why::NotWaitedFor,
        Handling::Ignored => Why::Ignored,
        _ if at_deadline.is_pending => Why::Pending,
        Handling::Default if at_deadline.is_handled => Why::TooEarly,
        Handling::Default if !scene.is_process_1() => Why::Unmoved,
        // What a loop starts anew is no program that the signal is to reach.
        Handling::Default if main.is_shell && stayed.iter().any(|child| is_older(run, child)) => {
            let heard = stayed.first().map_or(Heard::Perhaps, |child| heard(scene, run, child));
            Why::DroppedAtShell(stayed, heard)
        }
        Handling::Default if is_deaf_front(scene, run, main) => Why::DroppedInFront(behind(run, main)),
        Handling::Default => Why::Dropped,
        Handling::Caught if main.is_shell => shell(scene, run, main, &stayed),
        Handling::Caught | Handling::Waited | Handling::Signalfd | Handling::Blocked => {
            at_work(scene, run, found, stayed, &at_deadline)
        }
    }
}

/// A shell with a trap, or for SIGINT a handler of its own. Without job control, what it starts by `&` ignores SIGINT and
/// SIGQUIT (POSIX, 2.11), unless that sets them anew.
fn shell<'a>(scene: &Scene<'_>, run: &Run, main: &Process, stayed: &[&'a Process]) -> Why<'a> {
    let answer = answer(run);
    if let (true, None, Some(by)) = (scene.is_process_1(), &answer, died_as_a_child(scene)) {
        return Why::Reraised(by);
    }
    // What it has started since shows that it has gone on.
    let Some(child) = stayed.iter().copied().find(|child| is_older(run, child)) else { return Why::TrapGoesOn };
    let ignores = |process: &Process| handling(process, Signal::INT) == Some(Handling::Ignored);
    // These sit in wait(2) for the foreground alone.
    let is_plain = main.exe.as_deref().is_some_and(|exe| exe.ends_with("/dash") || exe.ends_with("/busybox"));
    let sits_in_wait = main.at_deadline.is_some_and(|seen| seen.waits_for == WaitsFor::Child);
    let is_in_background = (ignores(child) && !ignores(main)) || (is_plain && !sits_in_wait) || answer.is_some();
    match (is_in_background, heard(scene, run, child)) {
        (true, Heard::Ignores) if ignores(child) && [Signal::INT, Signal::QUIT].contains(&scene.signal) => {
            Why::Background(child, Heard::Background)
        }
        (true, heard) => Why::Background(child, heard),
        (false, Heard::Perhaps) if scene.order.target == Target::Main => Why::Foreground(child, Heard::Never),
        (false, heard) => Why::Foreground(child, heard),
    }
}

/// One that has taken the signal.
fn at_work<'a>(
    scene: &Scene<'_>,
    run: &Run,
    found: Handling,
    stayed: Vec<&'a Process>,
    at_deadline: &AtDeadline,
) -> Why<'a> {
    // A quarter of a processor all the time: some work goes on in every program. Who has work left at the end may have got
    // less of a machine that others want too.
    let least = if at_deadline.is_running { 20 } else { 4 };
    let is_busy = at_deadline.busy * least >= grace_of(run);
    let answer = answer(run);
    // Who takes its handler away to die of the signal, and waits for nobody.
    if scene.is_process_1()
        && found == Handling::Caught
        && !at_deadline.is_handled
        && stayed.is_empty()
        && died_as_a_child(scene) == Some(scene.signal)
    {
        return Why::Reraised(scene.signal);
    }
    if scene.is_process_1()
        && answer.is_none()
        && !is_busy
        && let Some(by) = died_as_a_child(scene)
    {
        return if found == Handling::Waited && by == scene.signal { Why::NotDying } else { Why::Reraised(by) };
    }
    let newer = stayed.iter().copied().find(|child| !is_older(run, child) && !is_adopted(child));
    match (answer, stayed.first(), newer) {
        (Some(answer), ..) if answer.sort == Sort::Began => Why::Slow(answer),
        (_, _, Some(newer)) if newer.started_by.is_none() => Why::GotChild(newer),
        (_, _, Some(newer)) => Why::GoesOn(newer),
        (_, Some(child), None) => {
            let heard = heard(scene, run, child);
            let sits = if at_deadline.waits_for == WaitsFor::Child { Sits::InWait } else { Sits::Elsewhere };
            Why::Waits { children: stayed, heard, sits }
        }
        (Some(answer), ..) => Why::Answered(answer),
        (None, None, None) if is_busy => Why::Busy(at_deadline.busy),
        (None, None, None) if handles_as_process_1(scene) => Why::NotItsEnd,
        (None, None, None) => Why::NoReaction,
    }
}

/// Whether somebody else has started it, and its parent was given it as an orphan.
pub(super) fn is_adopted(child: &Process) -> bool {
    child.started_by.is_some_and(|pid| pid != child.parent)
}

/// Whether it has none as a child, which the signal ended.
fn handles_as_process_1(scene: &Scene<'_>) -> bool {
    let Some(child) = scene.in_mode(Mode::Child).filter(|_| scene.is_process_1()) else { return false };
    let has_none = |run: &Run| main(run).and_then(|main| handling(main, scene.signal)) == Some(Handling::Default);
    child.told().next().is_some() && child.told().all(has_none) && child.told().count() == child.ended().count()
}

/// The signal that ended the same command as a child, each time, although it takes the one that it was told by: its default
/// action, which process 1 does not have.
fn died_as_a_child(scene: &Scene<'_>) -> Option<Signal> {
    let child = scene.in_mode(Mode::Child)?;
    let by = |run: &Run| match main_status(run) {
        Some(Status::Signaled(by)) => Some(by),
        Some(Status::Exited(_)) | None => None,
    };
    let is_taken = |run: &Run| main(run).and_then(|main| handling(main, child.signal)) != Some(Handling::Default);
    let first = child.ended().next().filter(|run| is_taken(run)).and_then(by)?;
    child.ended().all(|run| by(run) == Some(first)).then_some(first)
}

fn heard(scene: &Scene<'_>, run: &Run, child: &Process) -> Heard {
    match (child.at_deadline.map(|at_deadline| at_deadline.state), handling(child, scene.signal)) {
        (Some(State::Stopped), _) => Heard::Stopped,
        _ if has_begun(run, child) => Heard::Began,
        _ if is_executed_since(run, child) => Heard::Early,
        (_, Some(Handling::Ignored)) => Heard::Ignores,
        (_, Some(Handling::Default)) if scene.order.target == Target::Main => Heard::Never,
        _ => Heard::Perhaps,
    }
}

/// What lived beside main at the end of the time, as evidence.
pub(super) fn company(run: &Run) -> Option<String> {
    let alive: Vec<&Process> = others(run).filter(|process| is_alive_at_deadline(process)).collect();
    (!alive.is_empty()).then(|| format!("alive beside it at the end of the time: {}", names(&alive)))
}
