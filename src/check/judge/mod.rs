//! From what was seen to what is said of it. Pure: [`judge`] reads records, and looks at nothing else.
//!
//! 1. What a program did decides. What it says that it would do with a signal (its signal sets) is told as a hint and gives
//!    reasons, and fails nothing.
//! 2. A run that was not told to stop is never a pass: neither its findings nor the verdict.
//! 3. Exit code 143 and a death by SIGTERM are two things, also in every text.
//! 4. What could not be looked at is a skip, with what is missing.

mod again;
mod connections;
mod end;
mod front;
mod handling;
mod killer;
mod known;
mod memory;
mod modes;
mod outside;
mod put_in;
mod reaction;
mod scene;
mod sentences;
mod shell;
mod tree;
mod why;
mod words;
mod zombies;

#[cfg(test)]
mod tests;

use super::finding::{Check, Finding, Judged, Level};
use super::record::{Outcome, Run};
use super::scenario::{Mode, Order};
use scene::Scene;

pub(super) use end::Times;
pub(super) use handling::{Handling, handling, handling_of};
pub(super) use put_in::ends_by_orphan;
pub(super) use scene::{main, took, waits_for_all};
pub(super) use words::{Name, cut, ended_with};

/// Whether main ended by itself within its time, where it was told to stop.
pub(super) fn ended_in_time(run: &Run) -> bool {
    run.outcome == Outcome::Stopped && scene::is_in_time(run, scene::grace_of(run))
}

/// What one check has to say.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Word {
    level: Level,
    evidence: Vec<String>,
    cause: String,
    cure: String,
}

impl Word {
    fn new(level: Level, evidence: Vec<String>) -> Word {
        Word { level, evidence, cause: String::new(), cure: String::new() }
    }

    fn pass(evidence: Vec<String>) -> Word {
        Word::new(Level::Pass, evidence)
    }

    fn info(evidence: Vec<String>) -> Word {
        Word::new(Level::Info, evidence)
    }

    /// `why` says what is missing.
    fn skip(why: impl Into<String>) -> Word {
        Word::new(Level::Skip, Vec::new()).because(why, "")
    }

    fn because(self, cause: impl Into<String>, cure: impl Into<String>) -> Word {
        Word { cause: cause.into(), cure: cure.into(), ..self }
    }
}

/// One check: nothing where it has nothing to say in this mode.
type Judge = fn(&Scene<'_>) -> Option<Word>;

/// All, in the order of the reports.
const CHECKS: [(Check, Judge); 18] = [
    (Check::ExitsInGrace, end::exits_in_grace),
    (Check::Status, end::status),
    (Check::ModeDifference, modes::mode_difference),
    (Check::Disposition, handling::disposition),
    (Check::Reaction, outside::reaction),
    (Check::TreeGone, tree::gone),
    (Check::ChildrenStatus, tree::children_status),
    (Check::Forwarded, tree::forwarded),
    (Check::Zombies, zombies::zombies),
    (Check::Listener, outside::listener),
    (Check::Restart, again::restart),
    (Check::Files, outside::files),
    (Check::Output, outside::output),
    (Check::GraceMargin, end::margin),
    (Check::Stopped, end::stopped_before),
    (Check::SdNotify, outside::sd_notify),
    (Check::ExecForm, shell::exec_form),
    (Check::Inherited, outside::inherited),
];

/// All that is to be said of these runs, which are in the order in which they were made.
pub(crate) fn judge(order: &Order, runs: Vec<Run>) -> Vec<Judged> {
    let mut groups: Vec<Vec<Run>> = Vec::new();
    for run in runs {
        match groups.iter_mut().find(|group| group.first().is_some_and(|first| is_alike(first, &run))) {
            Some(group) => group.push(run),
            None => groups.push(vec![run]),
        }
    }
    killer::tell_killers(&mut groups);
    let findings: Vec<Vec<Finding>> =
        (0..groups.len()).filter_map(|at| Scene::new(order, &groups, at)).map(|scene| findings(&scene)).collect();
    groups.into_iter().zip(findings).map(|(runs, findings)| Judged { runs, findings }).collect()
}

fn is_alike(one: &Run, other: &Run) -> bool {
    one.scenario.mode == other.scenario.mode && one.scenario.signal == other.scenario.signal
}

fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    let finding = |(check, judge): (Check, Judge)| {
        let Word { level, evidence, cause, cure } = judge(scene)?;
        Some(Finding { check, level, evidence, cause, cure })
    };
    CHECKS.into_iter().filter_map(finding).collect()
}

/// What all findings come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Pass,
    PassWithWarnings,
    /// That many checks failed.
    Fail(usize),
    Inconclusive,
    /// There is no such program, or it cannot be executed; with our exit code for that.
    NotStarted(u8),
}

impl Verdict {
    /// What `supervise check` ends with.
    pub(crate) fn exit_code(self) -> u8 {
        use crate::cli::exit;
        match self {
            Verdict::Pass | Verdict::PassWithWarnings => exit::SUCCESS,
            Verdict::Fail(_) => exit::CHECK_FAILED,
            Verdict::Inconclusive => exit::INCONCLUSIVE,
            Verdict::NotStarted(code) => code,
        }
    }
}

/// A check that failed is more certain than a run that cannot be judged, and so goes first.
pub(crate) fn verdict(order: &Order, judged: &[Judged]) -> Verdict {
    let levels = || judged.iter().flat_map(|judged| &judged.findings).map(|finding| finding.level);
    let is_failure = |level: &Level| *level == Level::Fail || (order.is_strict && *level == Level::Warn);
    let failures = levels().filter(is_failure).count();
    if failures > 0 {
        return Verdict::Fail(failures);
    }
    let outcomes = || judged.iter().flat_map(|judged| &judged.runs).map(|run| &run.outcome);
    let code = |outcome: &Outcome| match outcome {
        Outcome::NotStarted { code, .. } => Some(*code),
        Outcome::Stopped
        | Outcome::EndedBefore(_)
        | Outcome::NeverReady(_)
        | Outcome::NotPossible(_)
        | Outcome::Hindered(_) => None,
    };
    if let Some(code) = outcomes().find_map(code) {
        return Verdict::NotStarted(code);
    }
    // Also where no finding says so: nothing was seen that could pass.
    let is_nothing_seen = outcomes().next().is_none() || outcomes().any(|outcome| *outcome != Outcome::Stopped);
    if is_nothing_seen || levels().any(|level| level == Level::Inconclusive) {
        Verdict::Inconclusive
    } else if levels().any(|level| level == Level::Warn) {
        Verdict::PassWithWarnings
    } else {
        Verdict::Pass
    }
}

/// As what the command ran, in a sentence.
pub(super) fn as_what(mode: Mode) -> &'static str {
    match mode {
        Mode::Pid1 => "as process 1",
        Mode::Child => "as a child",
        Mode::Init => "under supervise",
    }
}
