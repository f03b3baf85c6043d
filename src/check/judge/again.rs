//! A start after a stop: what the run before it left may be in its way.

use super::super::record::{Listener, Outcome, Process, Run};
use super::scene::{Scene, survivors};
use super::words::{cut, ended_with, names};
use super::{Level, Word};

/// More of a line is not quoted.
const QUOTED: usize = 120;

/// S15. What is started again is the next run of the same mode and signal, in the same place and at once.
pub(super) fn restart(scene: &Scene<'_>) -> Option<Word> {
    let runs: Vec<&Run> = scene.in_order().collect();
    if runs.len() < 2 {
        return Some(Word::skip("it was started once: say --repeat 2"));
    }
    if runs.first().is_some_and(|run| run.outcome != Outcome::Stopped) {
        return Some(Word::skip("the first start was not told to stop"));
    }
    let is_failed = |pair: &&[&Run]| matches!(pair, [before, after] if before.outcome == Outcome::Stopped && is_start_failed(&after.outcome));
    let Some((number, after)) = (2..)
        .zip(runs.windows(2))
        .find_map(|(number, pair)| Some((number, *pair.get(1)?)).filter(|_| is_failed(&pair)))
    else {
        if let Some(left) =
            runs.iter().rev().skip(1).find_map(|run| Some(killed_by_us(run)).filter(|left| !left.is_empty()))
        {
            return Some(Word::skip(format!(
                "what an earlier start left ({}; see S06) was killed before the next one, so what that would have met is not \
                 known",
                names(&left)
            )));
        }
        return Some(Word::pass(vec![format!("{} starts, one after the other", runs.len())]));
    };
    let how = match &after.outcome {
        Outcome::EndedBefore(status) => format!("{} by itself", ended_with(Some(*status))),
        Outcome::NeverReady(_) => "was not ready".to_owned(),
        Outcome::Stopped | Outcome::NotStarted { .. } | Outcome::NotPossible(_) | Outcome::Hindered(_) => {
            "did not start".to_owned()
        }
    };
    let mut evidence = vec![format!("start {number} {how}")];
    evidence.extend(last_lines(after));
    let cause = match obstacle(scene, after) {
        Some(obstacle) => format!("it does not start again at once: {}", obstacle.words()),
        None => "it does not start again at once, after it was stopped".to_owned(),
    };
    let cure = match obstacle(scene, after) {
        Some(obstacle) => obstacle.cure(),
        None => {
            "let it take away its pid, lock and socket files, or not mind old ones; --state-dir shows more of such files"
        }
    };
    Some(Word::new(Level::Fail, evidence).because(cause, cure))
}

/// What lived on when main had ended, and was killed before the next start.
fn killed_by_us(run: &Run) -> Vec<&Process> {
    survivors(run).into_iter().filter(|(_, lived)| lived.is_none()).map(|(process, _)| process).collect()
}

fn is_start_failed(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::EndedBefore(_) | Outcome::NeverReady(_) | Outcome::NotStarted { .. })
}

/// The last of what it wrote, as evidence.
pub(super) fn last_lines(run: &Run) -> impl Iterator<Item = String> {
    const SHOWN: usize = 3;
    let count = run.output.tail.len();
    let wrote = move |at| match run.output.ends_with_newline {
        Some(false) if at == count => "it wrote, without an end of line",
        _ => "it wrote",
    };
    let lines = (1..).zip(&run.output.tail).skip(count.saturating_sub(SHOWN));
    lines.map(move |(at, line)| format!("{}: {}", wrote(at), cut(line, QUOTED)))
}

/// What may keep it from starting.
pub(super) enum Obstacle<'a> {
    /// It says so.
    Address,
    /// The same where a run before it left this socket file, which cannot be bound to again (unix(7)).
    Socket(&'a str),
    /// The same where it listened at such a one and by tcp: which of them it says so of is not known.
    Either(&'a str),
    /// A run before it left this file, and it names that.
    Named(&'a str),
    /// A run before it left this file.
    Left(&'a str),
}

impl Obstacle<'_> {
    pub(super) fn words(&self) -> String {
        match self {
            Obstacle::Address => "its address is still in use".to_owned(),
            Obstacle::Socket(file) => format!("a run before it left the socket {file}, to which it cannot bind again"),
            Obstacle::Either(file) => {
                format!("its address is still in use, or the socket {file}, which a run before it left, is in its way")
            }
            Obstacle::Named(file) => format!("a run before it left {file}"),
            Obstacle::Left(file) => format!("perhaps because a run before it left {file}"),
        }
    }

    pub(super) fn cure(&self) -> &'static str {
        match self {
            Obstacle::Address => {
                "set SO_REUSEADDR: connections that have ended hold the address for a while (TIME_WAIT)"
            }
            Obstacle::Socket(_) => "let it unlink the file of its socket before it binds, or when it stops",
            Obstacle::Either(_) => {
                "let it unlink the file of its socket before it binds, or when it stops; and set SO_REUSEADDR for tcp"
            }
            Obstacle::Named(_) | Obstacle::Left(_) => {
                "let it take away its pid, lock and socket files (S16), or not mind old ones"
            }
        }
    }
}

/// What is in the way of a run that did not start as it should, as far as that was seen.
pub(super) fn obstacle<'a>(scene: &Scene<'a>, run: &Run) -> Option<Obstacle<'a>> {
    let is_first = scene.before(run).all(|before| before.outcome != Outcome::Stopped);
    if is_first {
        return None;
    }
    if is_address_in_use(run) {
        return Some(address_in_use(scene, run));
    }
    let left = || scene.before(run).flat_map(|before| before.files.left.iter().flatten()).map(String::as_str);
    let is_named = |path: &&str| is_named_by(run, path);
    left().find(is_named).map(Obstacle::Named).or_else(|| left().next().map(Obstacle::Left))
}

/// Whether what it wrote names this file.
fn is_named_by(run: &Run, path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    run.output.tail.iter().any(|line| line.contains(name))
}

/// What is said to be in use: a file of a socket that is left is so for ever, whatever options it has.
fn address_in_use<'a>(scene: &Scene<'a>, run: &Run) -> Obstacle<'a> {
    let listeners = || scene.before(run).flat_map(|before| &before.listeners);
    let listened = |path: &str| listeners().any(|listener| listener.address.strip_prefix("unix ") == Some(path));
    let is_socket = |path: &str| listened(path) || path.ends_with(".sock") || path.ends_with(".socket");
    let left = || scene.before(run).flat_map(|before| before.files.left.iter().flatten()).map(String::as_str);
    let sockets = || left().filter(|path| is_socket(path));
    let Some(first) = sockets().next() else { return Obstacle::Address };
    let is_tcp = |listener: &Listener| listener.address.starts_with("tcp ");
    match sockets().find(|path| is_named_by(run, path)) {
        Some(named) => Obstacle::Socket(named),
        None if listeners().any(is_tcp) => Obstacle::Either(first),
        None => Obstacle::Socket(first),
    }
}

fn is_address_in_use(run: &Run) -> bool {
    let is_it =
        |line: &String| line.contains("EADDRINUSE") || line.to_ascii_lowercase().contains("address already in use");
    run.output.tail.iter().any(is_it)
}
