//! What was seen to come of the signal before the command's end, told from what goes on without it: lines that it writes,
//! processes that come and go, and messages that are sent all the time are no answer.

use std::time::Duration;

use supervise_init::core::Status;

use super::super::record::{Ended, EndedBy, Event, Process, Run, State, What};
use super::super::scenario::Target;
use super::scene::{grace_of, lived_at, main, may_be_cut_off};
use super::words::{Name, cut};

/// More of a line is not quoted in a sentence.
const QUOTED: usize = 60;

/// Something that was seen to happen after the signal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Reaction {
    pub(super) after: Duration,
    pub(super) what: String,
    pub(super) sort: Sort,
}

/// How much it says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sort {
    /// Main has begun to stop, and nothing else: it closed what listens, or said so by sd_notify(3).
    Began,
    /// Main does something about it, whatever that is.
    Answered,
    /// A process ended that had got the signal as main has.
    Told,
}

/// The first effect of the signal that could be seen, but for the end of main itself.
pub(super) fn reaction(run: &Run) -> Option<Reaction> {
    all(run)?.next()
}

/// What main did about it; the surest, and of those the first.
pub(super) fn answer(run: &Run) -> Option<Reaction> {
    let own = || all(run).into_iter().flatten().filter(|reaction| reaction.sort != Sort::Told);
    own().find(|reaction| reaction.sort == Sort::Began).or_else(|| own().next())
}

fn all(run: &Run) -> Option<impl Iterator<Item = Reaction>> {
    let signal_at = run.signal_at?;
    let main = main(run)?;
    let deadline = signal_at + grace_of(run);
    let end = main.ended.map_or(deadline, |ended| ended.at.min(deadline));
    let after = run.events.iter().filter(move |event| event.at > signal_at && event.at < end);
    let usual = Usual::of(run, signal_at);
    Some(after.filter_map(move |event| {
        let (what, sort) = seen(run, main, &usual, &event.what)?;
        Some(Reaction { after: event.at.saturating_sub(signal_at), what, sort })
    }))
}

fn seen(run: &Run, main: &Process, usual: &Usual<'_>, what: &What) -> Option<(String, Sort)> {
    match what {
        What::Wrote { .. } if usual.is_chatty => None,
        What::Wrote { line, bytes } if line.is_empty() => Some((format!("it wrote {bytes} bytes"), Sort::Answered)),
        What::Wrote { line, .. } if usual.lines.contains(&shape(line)) => None,
        What::Wrote { line, .. } => Some((format!("it wrote {:?}", cut(line, QUOTED)), Sort::Answered)),
        What::Closed { pid, address } => Some(match pid.and_then(|pid| find(run, pid)).filter(|by| !by.is_main) {
            None => (format!("it closed {address}"), Sort::Began),
            Some(by) => {
                let sort = if was_told(run, main, by) { Sort::Told } else { Sort::Answered };
                (format!("{} closed {address}", Name(by)), sort)
            }
        }),
        What::Notified { text } if usual.messages.contains(&text.as_str()) => None,
        What::Notified { text } => {
            let is_stop = ["STOPPING=1", "EXTEND_TIMEOUT_USEC="].iter().any(|word| text.contains(word));
            Some((format!("it notified {text}"), if is_stop { Sort::Began } else { Sort::Answered }))
        }
        What::Ended { pid } if *pid != main.pid => {
            let process = find(run, *pid)?;
            let sort = if was_told(run, main, process) { Sort::Told } else { Sort::Answered };
            usual.ends_of_signal(run, process).then(|| (format!("{} ended", Name(process)), sort))
        }
        What::Ended { .. }
        | What::Executed { .. }
        | What::Appeared { .. }
        | What::Ready { .. }
        | What::PutIn
        | What::Halted
        | What::Continued
        | What::Sent { .. }
        | What::OutputClosed
        | What::Killed { .. } => None,
    }
}

fn find(run: &Run, pid: i32) -> Option<&Process> {
    run.processes.iter().find(|process| process.pid == pid)
}

/// Whether it, or one below it, has begun to stop: it closed what listens, and lived.
pub(super) fn has_begun(run: &Run, process: &Process) -> bool {
    let Some(signal_at) = run.signal_at else { return false };
    let closed = run.events.iter().filter(|event| event.at > signal_at).filter_map(|event| match event.what {
        What::Closed { pid, .. } => Some((event.at, pid?)),
        _ => None,
    });
    // What has ended has closed all that it had, and begun nothing.
    let mut closers = closed.filter_map(|(at, pid)| find(run, pid).filter(|closer| lived_at(closer, at)));
    closers.any(|closer| is_at_or_below(run, closer, process))
}

fn is_at_or_below(run: &Run, closer: &Process, process: &Process) -> bool {
    // Of a made-up or broken record, parents may be a circle.
    let parents = std::iter::successors(Some(closer), |below| find(run, below.parent));
    parents.take(run.processes.len()).any(|above| above.pid == process.pid)
}

/// Whether it got the signal with main, and not from it.
fn was_told(run: &Run, main: &Process, process: &Process) -> bool {
    match run.scenario.target {
        Target::Main => false,
        Target::Group => process.group == main.group,
        Target::Tree => true,
    }
}

/// What went on before the signal.
struct Usual<'a> {
    signal_at: Duration,
    /// It writes without a pause, so that no line says anything.
    is_chatty: bool,
    /// The shapes of lines.
    lines: Vec<String>,
    messages: Vec<&'a str>,
}

impl<'a> Usual<'a> {
    fn of(run: &'a Run, signal_at: Duration) -> Usual<'a> {
        /// What is written in so many pieces, in the last second before the signal and when it was ready, is no rest of a
        /// start.
        const MANY: usize = 3;
        let before = || run.events.iter().filter(move |event| event.at < signal_at);
        let lines = before().filter_map(|event| match &event.what {
            What::Wrote { line, .. } if !line.is_empty() => Some(shape(line)),
            _ => None,
        });
        let messages = before().filter_map(|event| match &event.what {
            What::Notified { text } => Some(text.as_str()),
            _ => None,
        });
        let since = run.ready_at.unwrap_or_default().max(signal_at.saturating_sub(Duration::from_secs(1)));
        let is_writing = |event: &&Event| event.at > since && matches!(event.what, What::Wrote { .. });
        Usual {
            signal_at,
            is_chatty: before().filter(is_writing).count() >= MANY,
            lines: lines.collect(),
            messages: messages.collect(),
        }
    }

    /// Whether its end has to do with the signal: it lived when that came, and is none of those that come and go.
    fn ends_of_signal(&self, run: &Run, process: &Process) -> bool {
        let Some(ended) = process.ended else { return false };
        // Dead before, or because main is.
        let is_cut_off = ended.by == EndedBy::Kernel || may_be_cut_off(run, process);
        if process.state == State::Zombie || is_cut_off || process.first_seen_at > self.signal_at {
            return false;
        }
        let is_by_signal = matches!(ended.status, Some(Status::Signaled(_)));
        let ended_before = |ended: Ended| ended.at < self.signal_at;
        let is_alike = |other: &&Process| other.words == process.words && other.ended.is_some_and(ended_before);
        is_by_signal || !run.processes.iter().any(|other| is_alike(&other))
    }
}

/// What stays of a line when its numbers change, as times do.
fn shape(line: &str) -> String {
    let mut shape = String::new();
    for letter in line.chars() {
        let letter = if letter.is_ascii_digit() { '0' } else { letter };
        if letter != '0' || !shape.ends_with('0') {
            shape.push(letter);
        }
    }
    shape
}
