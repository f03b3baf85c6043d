//! The orphan that is put in where the command is process 1: whether that may be why it does not end.

use super::super::record::{Run, What};
use super::super::scenario::Mode;
use super::scene::{Scene, main};
use super::why::{Why, why};

/// What S01 says beside its cause.
pub(super) const CAUSE: &str = "as process 1 it was given an orphan before, as a health check leaves one, which a child \
                                is not: it may be that it does not get over it";

/// And what to change.
pub(super) const CURE: &str = "see how it waits (wait(2)) for children that it has not started, or start it under an init, \
                               which takes them: supervise -- COMMAND";

/// Whether the reason that it has not ended leaves room for that. As a child, where it gets no orphan, it ends.
pub(super) fn may_matter(scene: &Scene<'_>, run: &Run, why: &Why<'_>) -> bool {
    let is_put_in = run.events.iter().any(|event| event.what == What::PutIn);
    let ends_as_a_child = scene.in_mode(Mode::Child).is_none_or(|child| child.told().count() == child.ended().count());
    let is_open = matches!(
        why,
        Why::Unread
            | Why::Pending
            | Why::Waits { .. }
            | Why::GoesOn(_)
            | Why::GotChild(_)
            | Why::Busy(_)
            | Why::Slow(_)
            | Why::Answered(_)
            | Why::NoReaction
    );
    scene.is_process_1() && is_put_in && ends_as_a_child && is_open
}

/// The same of the worst run.
pub(super) fn may_matter_at_worst(scene: &Scene<'_>) -> bool {
    let of = |run| Some(may_matter(scene, run, &why(scene, run, main(run)?)));
    scene.worst().and_then(of).unwrap_or(false)
}
