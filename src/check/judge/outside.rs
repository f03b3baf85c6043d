//! What is seen of the command from outside, beside its processes: its first reaction, sockets, output, files, messages.

use std::time::Duration;

use supervise_init::core::Signal;
use supervise_init::sys::SigSet;

use super::super::record::{Ended, EndedBy, Facility, Listener, Process, Run};
use super::super::scenario::{Extension, Ready};
use super::connections;
use super::reaction::reaction as first_reaction;
use super::scene::{Scene, extension, killed_at, main, missing, survivors, took, waits_for_all};
use super::tree::unseen_ends;
use super::words::{names, seconds, signals};
use super::{Level, Word};

/// S05.
pub(super) fn reaction(scene: &Scene<'_>) -> Option<Word> {
    let Some(run) = scene.worst() else { return Some(Word::skip("no run was told to stop")) };
    let signal = scene.signal;
    Some(match (first_reaction(run), took(run)) {
        (Some(reaction), _) => {
            Word::info(vec![format!("{} after {signal}: {}", seconds(reaction.after), reaction.what)])
        }
        (None, Some(took)) => Word::info(vec![format!("{} after {signal}: it ended", seconds(took))]),
        (None, None) => Word::info(vec![format!("none within {}", seconds(scene.grace()))])
            .because(format!("{signal} came to nothing that can be seen from outside"), "see S01"),
    })
}

/// S11.
pub(super) fn listener(scene: &Scene<'_>) -> Option<Word> {
    /// A client that comes in so short a time may as well have come a moment later.
    const MOMENT: Duration = Duration::from_secs(3);
    let Some(run) = scene.worst() else { return Some(Word::skip("no run was told to stop")) };
    if let Some(word) = connections::after_the_signal(scene, MOMENT) {
        return Some(word);
    }
    if let Some(why) = missing(run, Facility::Sockets) {
        return Some(Word::skip(format!("its sockets cannot be seen: {why}")));
    }
    let signal_at = run.signal_at.unwrap_or_default();
    let end = took(run);
    let evidence: Vec<String> = run
        .listeners
        .iter()
        .take(8)
        .map(|listener| match listener.closed_at {
            Some(at) => {
                format!("{} closed {} after the signal", listener.address, seconds(at.saturating_sub(signal_at)))
            }
            None => format!("{} open to the end", listener.address),
        })
        .collect();
    if run.listeners.is_empty() {
        return Some(Word::pass(vec!["it listened to none".to_owned()]));
    }
    let end_at = main(run).and_then(|main| main.ended).map(|ended| ended.at);
    let is_to_the_end =
        |listener: &&Listener| listener.closed_at.is_none_or(|at| end_at.is_some_and(|end_at| at >= end_at));
    let open = run.listeners.iter().find(is_to_the_end);
    Some(match (open, end) {
        (Some(_), None) => {
            Word::info(evidence).because("it was open for connections until it was killed", "close what listens first of all")
        }
        (Some(open), Some(took)) if took > MOMENT => Word::new(Level::Warn, evidence).because(
            format!(
                "{} was open for new connections for {} after {}, to the very end (--also connections shows what becomes of \
                 clients then)",
                open.address,
                seconds(took),
                scene.signal
            ),
            "close what listens before the connections under way are finished",
        ),
        (Some(_) | None, _) => Word::pass(evidence),
    })
}

/// S16.
pub(super) fn files(scene: &Scene<'_>) -> Option<Word> {
    let told = || scene.told();
    if told().all(|run| run.files.left.is_none() && run.files.open_when_killed.is_none()) {
        return Some(Word::skip("files were not looked at"));
    }
    let open: Vec<&String> = told().flat_map(|run| run.files.open_when_killed.iter().flatten()).collect();
    let left: Vec<&String> = told().flat_map(|run| run.files.left.iter().flatten()).collect();
    let mut evidence: Vec<String> =
        open.iter().take(8).map(|path| format!("{path} was open for writing when its process was killed")).collect();
    evidence.extend(left.iter().take(8).map(|path| format!("{path} is left")));
    let has_killed = |run: &&Run| {
        let is_killed = |ended: Ended| matches!(ended.by, EndedBy::Us | EndedBy::Kernel);
        run.processes.iter().filter_map(|process| process.ended).any(is_killed)
    };
    let has_left = |run: &Run| run.files.left.iter().flatten().next().is_some();
    let is_cut_off = told().filter(|run| has_left(run)).all(|run| has_killed(&run));
    Some(match (open.first(), left.first()) {
        (Some(path), _) => Word::new(Level::Warn, evidence).because(
            format!("{path} may be half written"),
            "let it end by itself (S01, S06), and write files anew and rename them",
        ),
        (None, Some(path)) if is_cut_off => Word::new(Level::Warn, evidence).because(
            format!("{path} is left, or still in use, where what may take it away was killed"),
            "let all end by itself first (S01, S06)",
        ),
        (None, Some(path)) => Word::new(Level::Warn, evidence)
            .because(format!("it did not take away {path}"), "let it remove such files when it stops"),
        (None, None) if let Some(word) = told().find_map(unseen_ends) => word,
        // What killed processes had open.
        (None, None) if told().any(|run| run.files.open_when_killed.is_none()) => {
            let why = told().find_map(|run| missing(run, Facility::Files)).unwrap_or("they were not looked at");
            Word::skip(format!("the files that were open when a process was killed cannot be seen: {why}"))
        }
        (None, None) if told().any(|run| !run.files.perhaps_left.is_empty()) => {
            let paths = told().flat_map(|run| &run.files.perhaps_left).take(8);
            Word::info(paths.map(|path| format!("{path} is new")).collect()).because(
                "it holds the number of a process of this run, and is not called like that: whether it is of this run, or of \
                 another container at the same time, is not known",
                "",
            )
        }
        (None, None) if told().any(|run| missing(run, Facility::Files).is_some()) => {
            Word::skip(told().find_map(|run| missing(run, Facility::Files)).unwrap_or_default())
        }
        (None, None) => {
            let left = if told().all(|run| run.files.left.is_some()) { ", none left" } else { "" };
            Word::pass(vec![format!("none was open for writing when a process was killed{left}")])
        }
    })
}

/// S17.
pub(super) fn output(scene: &Scene<'_>) -> Option<Word> {
    /// The kernel closes the pipes of a process that ends before we are told of its end; readers may lag behind.
    const LAG: Duration = Duration::from_millis(500);
    let ended: Vec<&Run> = scene.ended().collect();
    if ended.is_empty() {
        return Some(Word::skip("the command did not end by itself"));
    }
    // With main, or with the last one that is waited for: our own init has the output as well.
    let end = |run: &Run| {
        let is_waited_for = |process: &&Process| process.is_main || waits_for_all(run);
        let ends = run.processes.iter().filter(is_waited_for).filter_map(|process| process.ended);
        ends.map(|ended| ended.at).chain(run.output.awaited_from).max().unwrap_or_default()
    };
    let holders = |run: &Run| {
        let closed_at = run.output.closed_at;
        let holds = |process: &&Process| {
            process.ended.is_none_or(|ended| closed_at.is_none_or(|closed_at| ended.at + LAG >= closed_at))
        };
        let left: Vec<_> = survivors(run).into_iter().map(|(process, _)| process).filter(holds).collect();
        if left.is_empty() { "a process that was not seen".to_owned() } else { names(&left) }
    };
    let cure = "let nothing live on (S06), or give what does an output of its own";
    let is_killed = |run: &Run| {
        let left = survivors(run);
        left.is_empty() || left.iter().any(|(_, lived)| lived.is_none())
    };
    let is_held = |run: &Run| {
        let is_late = run.output.closed_at.is_none_or(|at| killed_at(run).is_some_and(|killed_at| at >= killed_at));
        is_late && is_killed(run)
    };
    if let Some(run) = ended.iter().find(|run| is_held(run)) {
        let evidence = vec![format!("open until all was killed, by {}", holders(run))];
        let cause = "its output is held open by what it left, so who reads it to the end (docker logs, CI) hangs";
        return Some(Word::new(Level::Fail, evidence).because(cause, cure));
    }
    let lag = |run: &Run| run.output.closed_at.map(|at| at.saturating_sub(end(run))).unwrap_or_default();
    if let Some(run) = ended.iter().find(|run| lag(run) > LAG) {
        let evidence = vec![format!("closed {} after its end, by {}", seconds(lag(run)), holders(run))];
        return Some(Word::new(Level::Warn, evidence).because("its output was held open by what it left", cure));
    }
    let bytes: u64 = ended.iter().map(|run| run.output.bytes).sum();
    let after: u64 = ended.iter().map(|run| run.output.bytes_after_signal).sum();
    let evidence = vec![format!("{bytes} bytes, {after} of them after the signal; it ended with the command")];
    Some(if ended.iter().any(|run| run.output.ends_with_newline == Some(false)) {
        Word::info(evidence)
            .because("the last line has no end, and may be cut off", "let it flush its output when it stops")
    } else {
        Word::pass(evidence)
    })
}

/// S23.
pub(super) fn sd_notify(scene: &Scene<'_>) -> Option<Word> {
    if !matches!(scene.order.ready, Ready::SdNotify) {
        return Some(Word::skip("not looked at: say --ready sd_notify"));
    }
    // Who was never ready, or not to be started, is S01's.
    let Some(run) = scene.told().next() else { return Some(Word::skip("no run was told to stop")) };
    let notify = &run.notify;
    let mut evidence = Vec::new();
    let told = [("READY=1", notify.ready_at), ("STOPPING=1", notify.stopping_at)];
    evidence.extend(told.iter().filter_map(|(text, at)| Some(format!("{text} at {}", seconds((*at)?)))));
    evidence.extend(extension(run).map(|time| {
        let granted = match run.scenario.extension {
            Extension::Granted => "which systemd gives it",
            Extension::Unheard => "which systemd alone gives (--profile systemd)",
        };
        format!("it asked for {} from {} on (EXTEND_TIMEOUT_USEC), {granted}", seconds(time), scene.signal)
    }));
    evidence.extend(notify.status.as_ref().map(|status| format!("STATUS={status}")));
    Some(match notify.stopping_at {
        None => Word::info(evidence)
            .because("it does not say STOPPING=1, so nobody knows that it has begun to stop", "let it send STOPPING=1"),
        Some(_) => Word::pass(evidence),
    })
}

/// S25.
pub(super) fn inherited(scene: &Scene<'_>) -> Option<Word> {
    let inherited = scene.runs().next()?.inherited;
    let all = |set: SigSet| Signal::all().filter(move |signal| signal.can_be_caught() && set.contains(*signal));
    let mut evidence = Vec::new();
    for (set, what) in [(inherited.ignored, "ignored"), (inherited.blocked, "blocked")] {
        if all(set).next().is_some() {
            evidence
                .push(format!("supervise itself was started with {} {what}; the command was not", signals(all(set))));
        }
    }
    Some(if evidence.is_empty() {
        Word::pass(vec!["nothing ignored, nothing blocked".to_owned()])
    } else {
        Word::info(evidence).because(
            "what starts programs from there (nohup, `&` in a script) has them ignore signals; this check says how the command does without that",
            "start the program itself from where nothing is ignored",
        )
    })
}
