//! The orphan that is put in where the command is process 1: whether that may be why it does not end.

use std::time::Duration;

use supervise_init::core::Status;

use super::super::record::{Outcome, Run, SAME_MOMENT, What};
use super::super::scenario::{Mode, Orphan};
use super::again::last_lines;
use super::scene::{Scene, main};
use super::why::{Heard, Why, is_adopted, why};
use super::words::{ended_with, seconds};
use super::{Level, Word};

/// What S01 says beside its cause.
pub(super) const CAUSE: &str = "as process 1 it was given an orphan before, as a health check leaves one, which a child \
                                is not: it may be that it does not get over it";

/// And what to change.
pub(super) const CURE: &str = "see how it waits (wait(2)) for children that it has not started, or start it under an init, \
                               which takes them: supervise -- COMMAND";

/// Whether the reason that it has not ended leaves room for that. As a child, where it gets no orphan, it ends.
pub(super) fn may_matter(scene: &Scene<'_>, run: &Run, why: &Why<'_>) -> bool {
    let is_put_in = run.events.iter().any(|event| event.what == What::PutIn);
    let child = scene.in_mode(Mode::Child).filter(|child| child.told().next().is_some());
    let room = match &child {
        Some(child) if child.told().count() > child.ended().count() => false,
        Some(_) => room(why) != Room::None,
        None => room(why) == Room::Any,
    };
    scene.is_process_1() && is_put_in && room
}

/// What room a reason leaves for another one behind it.
#[derive(PartialEq, Eq)]
enum Room {
    None,
    /// It is enough for itself, unless it is not there where there is no orphan.
    Beside,
    Any,
}

fn room(why: &Why<'_>) -> Room {
    match why {
        // A child that it was given since is reason enough, and one that is at work.
        Why::Waits { heard: Heard::Began, .. } => Room::None,
        Why::Waits { children, .. } if children.iter().any(|child| is_adopted(child)) => Room::None,
        Why::Waits { heard: Heard::Perhaps, .. } => Room::Any,
        Why::Waits { .. } | Why::Slow(_) | Why::GoesOn(_) => Room::Beside,
        Why::Unread | Why::Pending | Why::GotChild(_) | Why::Busy(_) | Why::Answered(_) | Why::NoReaction => Room::Any,
        Why::Unseen
        | Why::Late(_)
        | Why::Stopped
        | Why::Stuck
        | Why::InVfork(_)
        | Why::HalfDead
        | Why::Ignored
        | Why::Blocked
        | Why::NotWaitedFor
        | Why::Dropped
        | Why::DroppedInFront(_)
        | Why::DroppedAtShell(..)
        | Why::Foreground(..)
        | Why::Background(..)
        | Why::TrapGoesOn
        | Why::Reraised(_)
        | Why::NotDying
        | Why::TooEarly
        | Why::NotItsEnd
        | Why::Unmoved => Room::None,
    }
}

/// The same of the worst run.
pub(super) fn may_matter_at_worst(scene: &Scene<'_>) -> bool {
    let of = |run| Some(may_matter(scene, run, &why(scene, run, main(run)?)));
    scene.worst().and_then(of).unwrap_or(false)
}

/// How a process 1 has ended that does not live as long as to be told, and so long after the orphan that it was given, which
/// is the same moment. Whatever the code: a health check ends the container.
pub(in crate::check) fn ends_by_orphan(run: &Run) -> Option<(Status, Duration)> {
    let put_in = run.events.iter().find(|event| event.what == What::PutIn)?.at;
    let after = main(run)?.ended?.at.checked_sub(put_in).filter(|after| *after <= SAME_MOMENT)?;
    match run.outcome {
        Outcome::EndedBefore(status) if run.scenario.mode == Mode::Pid1 => Some((status, after)),
        _ => None,
    }
}

/// S09 of such a run, unless it ends as early without an orphan.
pub(super) fn ends_by_it(scene: &Scene<'_>) -> Option<Word> {
    if scene.runs().any(|run| run.scenario.orphan == Orphan::LeftOut && matches!(run.outcome, Outcome::EndedBefore(_)))
    {
        return None;
    }
    let (run, (status, after)) = scene.in_order().find_map(|run| Some((run, ends_by_orphan(run)?)))?;
    let mut evidence = vec![format!("it {}, {} after the orphan was put in", ended_with(Some(status)), seconds(after))];
    evidence.extend(last_lines(run));
    Some(Word::new(Level::Fail, evidence).because(
        "as process 1 it does not survive an orphan, as a health check or `docker exec` may leave one: it is given a child \
         that it has not started",
        "start it under an init, which takes orphans: supervise -- COMMAND",
    ))
}
