//! Whether the command ends alike in each mode.

use supervise_init::core::Status;

use super::super::record::Run;
use super::super::scenario::Mode;
use super::front::wrapper;
use super::handling::{Handling, handling};
use super::put_in;
use super::scene::{Scene, main, main_status, took};
use super::words::{seconds, status as status_words};
use super::{Level, Word, as_what};

/// S03. Told once, where the command did not run as a child.
pub(super) fn mode_difference(scene: &Scene<'_>) -> Option<Word> {
    if scene.mode == Mode::Child {
        return None;
    }
    let Some(child) = scene.in_mode(Mode::Child) else {
        return Some(Word::skip("it was not run as a child too: say --as pid1,child"));
    };
    let (Some(own), Some(other)) = (end_of(scene), end_of(&child)) else {
        return Some(Word::skip("not both were told to stop"));
    };
    let evidence = vec![
        format!("{}: {}", as_what(scene.mode), own.words()),
        format!("{}: {}", as_what(Mode::Child), other.words()),
    ];
    let word = match (own, other) {
        (own, other) if own == other => Word::pass(evidence),
        (End::With(Some(Status::Exited(code))), End::With(Some(died @ Status::Signaled(_))))
            if code == died.shell_code() =>
        {
            // Process 1 cannot die of its own signal, and says so by a code.
            Word::info(evidence).because("exit code and death are not the same, though they mean the same here", "")
        }
        _ if let Some((cause, cure)) = too_early(scene).or_else(|| too_early(&child)) => {
            Word::new(Level::Warn, evidence)
                .because(format!("{cause}, so that the difference may be one of time"), cure)
        }
        _ if !(is_steady(scene) && is_steady(&child)) => Word::new(Level::Warn, evidence).because(
            "it does not end alike in each run, so that the difference may have nothing to do with the mode",
            "see S01 and S02",
        ),
        (End::NotInTime, _) if put_in::may_matter_at_worst(scene) => Word::new(Level::Warn, evidence).because(
            "it ends only where it is not process 1, or is not given an orphan (which is put in there)",
            "see S01",
        ),
        (End::NotInTime, _) => Word::new(Level::Warn, evidence)
            .because(format!("it ends only where it is not run {}", as_what(scene.mode)), "see S01"),
        (_, End::NotInTime) => Word::new(Level::Warn, evidence)
            .because(format!("it ends only {}", as_what(scene.mode)), "see S01 of the run as a child"),
        // Process 1 alone has signals dropped that nobody has a handler for.
        (End::With(_), End::With(Some(Status::Signaled(by)))) if scene.is_process_1() && by == scene.signal => {
            Word::new(Level::Warn, evidence).because(
                format!(
                    "what it ends with depends on whether the kernel lets {by} end it, which it does not for process 1"
                ),
                match scene.worst().and_then(main).is_some_and(|main| wrapper(main).is_some()) {
                    true => "see S02".to_owned(),
                    false => format!("let a handler for {by} exit with a code of its own"),
                },
            )
        }
        (End::With(_), End::With(_)) => Word::new(Level::Warn, evidence)
            .because(format!("it ends otherwise {} than as a child", as_what(scene.mode)), "see S02 of both"),
    };
    Some(word)
}

/// Whether all runs of a mode went alike.
fn is_steady(scene: &Scene<'_>) -> bool {
    let end = |run| end_of_run(scene, run);
    let first = scene.told().next().map(end);
    scene.told().all(|run| Some(end(run)) == first)
}

/// How it went, as S01 and S02 have it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    NotInTime,
    With(Option<Status>),
}

impl End {
    fn words(self) -> String {
        match self {
            End::NotInTime => "not ended in time".to_owned(),
            End::With(status) => status_words(status),
        }
    }
}

/// Of the worst run.
fn end_of(scene: &Scene<'_>) -> Option<End> {
    Some(end_of_run(scene, scene.worst()?))
}

fn end_of_run(scene: &Scene<'_>, run: &Run) -> End {
    if took(run).is_some_and(|took| took <= scene.grace()) { End::With(main_status(run)) } else { End::NotInTime }
}

/// That it had no handler for the signal when it was told, and had one in a run in which it was told later; what to change.
pub(super) fn too_early(scene: &Scene<'_>) -> Option<(String, String)> {
    let signal = scene.signal;
    let found = |run: &Run| main(run).and_then(|main| handling(main, signal));
    let early = scene.told().find(|run| found(run) == Some(Handling::Default))?;
    let early_at = early.signal_at?;
    let is_later =
        |run: &&Run| run.signal_at.is_some_and(|at| at > early_at) && found(run).is_some_and(Handling::is_taken);
    let in_mode = |mode| scene.in_mode(mode).and_then(|other| other.told().find(is_later));
    let late = in_mode(Mode::Pid1).or_else(|| in_mode(Mode::Child)).or_else(|| in_mode(Mode::Init))?;
    Some((
        format!(
            "{} it was told {} after its start, and had no handler for {signal} then; {3}, {2} after its start, it has one: it was \
             told while it was starting, or has one there alone",
            as_what(scene.mode),
            seconds(early_at),
            seconds(late.signal_at?),
            as_what(late.scenario.mode)
        ),
        format!("tell it when it is ready (--ready), or let it install its handler for {signal} first of all"),
    ))
}
