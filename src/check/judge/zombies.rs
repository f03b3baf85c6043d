//! What has ended and was not waited for.

use std::time::Duration;

use super::super::record::{Facility, Orphan, Process, Run, State};
use super::put_in;
use super::scene::{Scene, killed_at, main, missing, others, took};
use super::words::{Name, count, names, seconds};
use super::{Level, Word};

/// S09.
pub(super) fn zombies(scene: &Scene<'_>) -> Option<Word> {
    /// So many do not come together in a moment.
    const MANY: usize = 10;
    if let Some(word) = put_in::ends_by_it(scene) {
        return Some(word);
    }
    let Some(run) = scene.told().max_by_key(|run| zombies_of(run).len()) else {
        return Some(Word::skip("no run was told to stop"));
    };
    let found = zombies_of(run);
    let orphan = scene.told().find_map(|run| (run.injected_orphan == Some(Orphan::NotReaped)).then_some(()));
    let owner = |zombie: &Process| {
        run.processes
            .iter()
            .find(|process| process.pid == zombie.parent)
            .map_or_else(|| format!("pid {}", zombie.parent), |parent| Name(parent).to_string())
    };
    // Children of its own stay its own under an init too.
    let init = "start it under an init, which reaps them: supervise -- COMMAND";
    if let Some(zombie) = found.first() {
        let level = if found.len() >= MANY { Level::Fail } else { Level::Warn };
        let evidence = vec![format!("{} not reaped: {}", count(found.len(), "process", "processes"), names(&found))];
        return Some(Word::new(level, evidence).because(
            format!("{} does not wait (wait(2)) for children that have ended", owner(zombie)),
            match scene.is_process_1() && main(run).is_some_and(|main| main.pid == zombie.parent) {
                true => {
                    format!("let it wait for its own children, or ignore SIGCHLD; for orphans that it is given, {init}")
                }
                false => "let it wait for them, or ignore SIGCHLD".to_owned(),
            },
        ));
    }
    match (orphan, run.injected_orphan) {
        (Some(()), _) => {
            let evidence =
                vec!["an orphan that was put in, as a health check may leave one, was a zombie after 2 s".to_owned()];
            Some(
                Word::new(Level::Warn, evidence)
                    .because("as process 1 it does not reap orphans, so they pile up", init),
            )
        }
        (None, Some(Orphan::ReapedAfter(time))) => {
            Some(Word::pass(vec![format!("none; an orphan that was put in was reaped after {}", seconds(time))]))
        }
        (None, _) => Some(match missing(run, Facility::Orphan) {
            Some(why) => Word::skip(format!("whether it reaps orphans is not known: {why}")),
            None => Word::pass(vec!["none".to_owned()]),
        }),
    }
}

/// What had been dead for more than a second while main lived, since before the signal: what main leaves is not main's to wait
/// for, and what ends during the stop may be waited for at its end (su, supervisord).
fn zombies_of(run: &Run) -> Vec<&Process> {
    const LONG: Duration = Duration::from_secs(1);
    let until = match took(run) {
        Some(took) => run.signal_at.map(|signal_at| signal_at + took),
        None => killed_at(run),
    };
    let is_long_dead = |process: &Process| {
        let since = process.ended.map_or(process.first_seen_at, |ended| ended.at);
        let is_before = run.signal_at.is_some_and(|signal_at| since < signal_at);
        is_before && until.is_some_and(|until| until.saturating_sub(since) > LONG)
    };
    let was_dead = |process: &Process| {
        process.state == State::Zombie || process.at_deadline.is_some_and(|seen| seen.state == State::Zombie)
    };
    others(run).filter(|process| was_dead(process) && is_long_dead(process)).collect()
}
