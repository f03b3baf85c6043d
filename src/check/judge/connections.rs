//! What became of clients that came after the signal, where a run of its own had some.

use std::time::Duration;

use super::super::record::{Connection, Listener, Outcome, Run, Served};
use super::super::scenario::Way;
use super::again::last_lines;
use super::end::not_judged;
use super::scene::{Scene, main, took};
use super::words::seconds;
use super::{Level, Word};

/// What ends so shortly before main does so because of that: its descriptors are closed first.
const LAG: Duration = Duration::from_millis(100);

/// S11, by what happened to them. `None`: there were none.
pub(super) fn after_the_signal(scene: &Scene<'_>, moment: Duration) -> Option<Word> {
    let run = scene.further(Way::Visited)?;
    if run.outcome != Outcome::Stopped {
        let (cause, cure) = not_judged(scene, run);
        return Some(Word::new(Level::Inconclusive, last_lines(run).collect()).because(cause, cure));
    }
    let signal = scene.signal;
    run.connections.first()?;
    let after = |connection: &Connection| seconds(connection.at.saturating_sub(run.signal_at.unwrap_or_default()));
    let line = |connection: &Connection| {
        format!(
            "a client that came to {} {} after {signal} {}",
            connection.address,
            after(connection),
            words(connection)
        )
    };
    let evidence: Vec<String> = run.connections.iter().take(8).map(line).collect();
    if let Some(cut) = run.connections.iter().find(|connection| is_cut_off(run, connection)) {
        let cause =
            format!("{} took a client {} after {signal}, and cut it off without an answer", cut.address, after(cut));
        let cure = "close what listens first of all, then answer those that were taken, then end";
        let answers = |other: &Connection| other.address == cut.address && other.served == Served::Answered;
        let is_sent_away = cut.ended_at.is_some_and(|ended| ended.saturating_sub(cut.at) < LAG);
        if cut.served != Served::Closed || !is_sent_away || run.connections.iter().any(answers) {
            return Some(Word::new(Level::Fail, evidence).because(cause, cure));
        }
        // At once, and nobody was answered at all.
        let cause = format!("{cause}; or it answers nobody who says GET / to it");
        return Some(Word::new(Level::Warn, evidence).because(cause, cure));
    }
    let served = run.listeners.iter().find(|listener| is_served_to_the_end(run, listener));
    Some(match (served, took(run).filter(|took| *took > moment)) {
        (Some(served), Some(took)) => Word::new(Level::Warn, evidence).because(
            format!("{} served new clients for {} after {signal}, to the very end", served.address, seconds(took)),
            "close what listens before the connections under way are finished",
        ),
        (_, _) => Word::pass(evidence),
    })
}

fn words(connection: &Connection) -> &'static str {
    match connection.served {
        Served::Refused => "was refused",
        Served::Answered => "was answered",
        Served::Closed => "was sent away without an answer",
        Served::Reset => "was taken, and its connection reset",
        Served::Unanswered => "got no answer",
    }
}

fn is_cut_off(run: &Run, connection: &Connection) -> bool {
    let end = main(run).and_then(|main| main.ended).map(|ended| ended.at);
    let is_at_the_end = end.is_some_and(|end| connection.ended_at.is_none_or(|at| at + LAG >= end));
    match connection.served {
        Served::Reset => true,
        Served::Closed | Served::Unanswered => is_at_the_end,
        Served::Refused | Served::Answered => false,
    }
}

/// Whether it was open until main ended, and the last client was answered.
fn is_served_to_the_end(run: &Run, listener: &Listener) -> bool {
    let end = main(run).and_then(|main| main.ended).map(|ended| ended.at);
    let is_open = listener.closed_at.is_none_or(|at| end.is_some_and(|end| at + LAG >= end));
    let last = run.connections.iter().rfind(|connection| connection.address == listener.address);
    is_open && last.is_some_and(|last| last.served == Served::Answered)
}
