//! The processes beside the command: what is left of them, how they ended, whether they were told.

use std::time::Duration;

use supervise_init::core::{Signal, Status};

use super::super::record::{EndedBy, Facility, Process, Run, State};
use super::super::scenario::{Mode, Target};
use super::front::{
    behind, exec_between, first_program, in_front, is_deaf_front, is_init, shell_between, without, wrapper,
};
use super::handling::{Handling, handling};
use super::killer::{is_surely_the_kernel, killed_by_su};
use super::memory;
use super::reaction::has_begun;
use super::scene::{
    Scene, is_executed_since, is_older, killed_at, lived_at, main, may_be_cut_off, missing, others, survivors, took,
    waits_for_all,
};
use super::shell::{
    PASS_ON_BELOW, ends_in_place, is_before_a_pipeline, is_reader_of, is_subshell, left_by_shell, pass_on_in_pipeline,
};
use super::words::{Name, called, count, ended_with, names, seconds};
use super::{Level, Word};

/// What ends this soon after main was told at the same time as main.
const AT_ONCE: Duration = Duration::from_millis(100);

/// What became of the first that main has left.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    LivedOn,
    /// Killed by the kernel.
    CutOff,
}

/// What of a run outlived main.
struct Left<'a> {
    /// Killed by us, or alive for good.
    alive: Vec<&'a Process>,
    /// Killed by the kernel, because process 1 ended.
    cut_off: Vec<&'a Process>,
    /// Ended by itself, later than main by this much.
    later: Vec<(&'a Process, Duration)>,
}

impl Left<'_> {
    fn of(run: &Run) -> Left<'_> {
        let mut left = Left { alive: Vec::new(), cut_off: Vec::new(), later: Vec::new() };
        for (process, lived) in survivors(run) {
            match lived {
                None => left.alive.push(process),
                // Told to end by us as its init, it was not done in the time for that.
                Some(_) if run.scenario.mode == Mode::Init && is_killed(process) => left.alive.push(process),
                Some(lived) if lived > AT_ONCE => left.later.push((process, lived)),
                Some(_) => {}
            }
        }
        let is_cut_off = |process: &&Process| process.ended.is_some_and(|ended| ended.by == EndedBy::Kernel);
        left.cut_off = others(run).filter(is_cut_off).collect();
        left
    }

    fn badness(&self) -> (usize, usize) {
        (self.alive.len() + self.cut_off.len(), self.later.len())
    }

    /// With how main ended, this long after the signal.
    fn evidence(&self, scene: &Scene<'_>, (run, main): (&Run, &Process), took: Duration) -> Vec<String> {
        let ended = ended_with(main.ended.and_then(|ended| ended.status));
        let mut evidence = vec![format!("{} {ended}, {} after {}", Name(main), seconds(took), scene.signal)];
        if !self.alive.is_empty() {
            let lived = killed_at(run).zip(main.ended).map(|(at, ended)| at.saturating_sub(ended.at));
            let how = lived.map_or_else(String::new, |lived| format!("alive {} after it, ", seconds(lived)));
            evidence.push(format!("{how}until killed: {}", names(&self.alive)));
        }
        if !self.cut_off.is_empty() {
            let by = match self.cut_off.iter().all(|process| is_surely_the_kernel(scene, process)) {
                true => "killed by the kernel when process 1 ended",
                false => "killed when process 1 ended, by the kernel because of that, or by somebody just before",
            };
            evidence.push(format!("{by}: {}", names(&self.cut_off)));
        }
        evidence.extend(
            self.later
                .iter()
                .take(4)
                .map(|(process, lived)| format!("{} ended {} after it", Name(process), seconds(*lived))),
        );
        evidence
    }

    fn fate(&self) -> Fate {
        if self.alive.is_empty() { Fate::CutOff } else { Fate::LivedOn }
    }
}

fn is_killed(process: &Process) -> bool {
    process.ended.and_then(|ended| ended.status) == Some(Status::Signaled(Signal::KILL))
}

/// S06.
pub(super) fn gone(scene: &Scene<'_>) -> Option<Word> {
    let all: Vec<(&Run, Left<'_>)> = scene.ended().map(|run| (run, Left::of(run))).collect();
    // The worst; of those the first.
    let Some((run, left)) = all.iter().rev().max_by_key(|(_, left)| left.badness()) else {
        return Some(Word::skip("the command did not end by itself, so it has left nothing yet"));
    };
    let main = main(run)?;
    let took = took(run)?;
    let evidence = left.evidence(scene, (run, main), took);
    let first = first_program(&left.alive).or(first_program(&left.cut_off));
    if left.alive.is_empty()
        && !left.cut_off.is_empty()
        && left.cut_off.iter().all(|process| ends_at_once(scene, process))
    {
        return Some(Word::new(Level::Warn, evidence).because(
            format!(
                "{} ended before {}, which ends by itself at once behind it where it is not process 1: it may have nothing \
                 more to do",
                Name(main),
                names(&left.cut_off)
            ),
            format!(
                "let `{}` wait for what it started, or start it under an init that waits: supervise -- COMMAND",
                called(main)
            ),
        ));
    }
    if let Some(word) = scene.ended().find_map(unseen_ends).filter(|_| first.is_none()) {
        return Some(word);
    }
    Some(match (first, left.later.first()) {
        (Some(process), _) => {
            let for_memory = memory::left_behind(run, process);
            let (cause, cure) = for_memory.unwrap_or_else(|| left_behind(scene, (run, main), process, left.fate()));
            Word::new(Level::Fail, evidence).because(cause, cure)
        }
        (None, Some(_)) if waits_for_all(run) => Word::pass(evidence),
        (None, Some((process, lived))) => Word::new(Level::Warn, evidence).because(
            format!(
                "{} ended before {}, which as part of a container would have been killed {} before its own end",
                Name(main),
                Name(process),
                seconds(*lived)
            ),
            format!(
                "let `{}` wait for what it started, or start it under an init that waits: supervise -- COMMAND",
                called(main)
            ),
        ),
        (None, None) => {
            match others(run).filter(|process| lived_at(process, run.signal_at.unwrap_or_default())).count() {
                0 => Word::pass(vec!["it is one process".to_owned()]),
                more => {
                    Word::pass(vec![format!("{} beside it, all gone with it", count(more, "process", "processes"))])
                }
            }
        }
    })
}

/// Where nobody could tell whether the kernel has killed something with process 1.
pub(super) fn unseen_ends(run: &Run) -> Option<Word> {
    let unseen: Vec<&Process> = others(run).filter(|process| may_be_cut_off(run, process)).collect();
    let why = missing(run, Facility::GrandchildStatus).unwrap_or("nobody could tell how they ended");
    let which = names(&unseen);
    let why = format!("whether the kernel killed {which} as process 1 ended is not known: {why}");
    (!unseen.is_empty()).then(|| Word::skip(why))
}

/// Whether it ends by itself at once behind main where that is a child, each time.
fn ends_at_once(scene: &Scene<'_>, process: &Process) -> bool {
    let Some(child) = scene.in_mode(Mode::Child) else { return false };
    let is_it = |run: &Run| {
        let Some(end) = main(run).and_then(|main| main.ended) else { return false };
        let is_late = |other: &Process| {
            other.ended.is_none_or(|own| own.by != EndedBy::Itself || own.at > end.at + AT_ONCE) || is_killed(other)
        };
        let alike = |other: &&Process| other.words == process.words && lived_at(other, end.at);
        others(run).any(|other| alike(&other)) && !others(run).any(|other| alike(&other) && is_late(other))
    };
    child.ended().next().is_some() && child.told().all(is_it)
}

/// What became of it, behind its name.
fn fate_of(scene: &Scene<'_>, run: &Run, process: &Process, fate: Fate) -> String {
    let signal = scene.signal;
    let is_newer = !is_older(run, process);
    let killed = match is_surely_the_kernel(scene, process) {
        true => "which the kernel then killed",
        false => "which the kernel then killed, unless somebody did just before",
    };
    match (fate, handling(process, signal)) {
        // The signal was not sent to it, whatever it has of who started it.
        (Fate::LivedOn, _) if is_newer => format!("which was started after {signal}, and lived on"),
        (Fate::CutOff, _) if is_newer => format!("which was started after {signal}, and {killed}"),
        // It would have ended it.
        (Fate::LivedOn, Some(Handling::Default))
            if scene.order.target != Target::Tree && !is_executed_since(run, process) =>
        {
            format!("which never got {signal}")
        }
        (Fate::LivedOn, Some(Handling::Ignored)) => format!("which ignores {signal}"),
        (Fate::LivedOn, _) => "which lived on".to_owned(),
        (Fate::CutOff, Some(found)) if found.is_taken() => {
            format!("which has a handler for {signal} of its own, and was killed before that was done")
        }
        (Fate::CutOff, _) => killed.to_owned(),
    }
}

/// Why `process` was left by main, and what to change.
fn left_behind(scene: &Scene<'_>, (run, main): (&Run, &Process), process: &Process, fate: Fate) -> (String, String) {
    let signal = scene.signal;
    let fate = fate_of(scene, run, process, fate);
    let (main_name, name) = (Name(main), Name(process));
    if main.is_shell {
        return left_by_shell(scene, (run, main), process, &fate);
    }
    if is_reader_of(main, process) {
        let cause = format!("{main_name} ended before {name}, which reads what it writes, {fate}");
        return (cause, pass_on_in_pipeline(signal));
    }
    if is_init(main) {
        return (
            format!("{} ends as soon as its own child has, and does not wait for {name}, {fate}", main.comm),
            "use an init that waits for all that is left: supervise -- COMMAND".to_owned(),
        );
    }
    if main.comm == "supervisord" {
        return (
            format!("{main_name} ended and left {name}, {fate}"),
            "set stopasgroup=true and killasgroup=true for that program, or let its command begin with exec".to_owned(),
        );
    }
    let tell_all = "tell and wait for all: supervise --kill-mode tree -- COMMAND";
    let instead = wrapper(main).map(|wrapper| format!("{}, or {tell_all}", without(wrapper, Some(process))));
    if let Some(shell) = shell_between(run, main, process, signal) {
        let exec = exec_between(shell, process);
        let cure = instead.unwrap_or_else(|| tell_all.to_owned());
        return (
            format!(
                "{}, which {main_name} has started, was ended by {signal} alone, and left {name}, {fate}",
                Name(shell)
            ),
            format!("{exec}; or {cure}"),
        );
    }
    if let Some(cure) = instead {
        return (format!("{main_name} ended before {name}, {fate}"), cure);
    }
    if process.session != main.session {
        return (
            format!("{main_name} did not end {name}, a daemon in a session of its own, {fate}"),
            "start it in the foreground, or under an init that tells and waits for all: supervise -- COMMAND"
                .to_owned(),
        );
    }
    let is_ended_by_it = main.ended.and_then(|ended| ended.status) == Some(Status::Signaled(signal));
    if is_ended_by_it && is_deaf_front(scene, run, main) && process.started_by.unwrap_or(process.parent) == main.pid {
        return (
            format!("{signal} ended {main_name} alone, and it left {name}, {fate}"),
            in_front(scene, main, &behind(run, main)),
        );
    }
    (
        format!("{main_name} ended without waiting for {name}, {fate}"),
        format!(
            "let `{}` {}wait for what it started, or start it under an init that does: supervise -- COMMAND",
            called(main),
            if is_older(run, process) { format!("pass {signal} on and ") } else { String::new() }
        ),
    )
}

/// S07.
pub(super) fn children_status(scene: &Scene<'_>) -> Option<Word> {
    if scene.told().next().is_none() {
        return Some(Word::skip("no run was told to stop"));
    }
    if let Some(word) = memory::killed_beside(scene) {
        return Some(word);
    }
    let signal = scene.signal;
    let (mut bad, mut codes) = (Vec::new(), Vec::new());
    let (mut ended, mut unknown) = (0_usize, 0_usize);
    for run in scene.told() {
        let signal_at = run.signal_at.unwrap_or_default();
        for process in others(run) {
            let Some(end) = process.ended.filter(|end| end.at >= signal_at && end.by != EndedBy::Us) else { continue };
            ended += 1;
            match end.status {
                None => unknown += 1,
                // S06 tells of those.
                Some(_) if end.by == EndedBy::Kernel => {}
                Some(status) if is_hung_up(process, status, signal) => bad.push(told_end(process, status)),
                Some(status) if scene.is_good(status) || is_told_to_end(status, signal) => {}
                // A code is for its parent, which may know it well (postgres).
                Some(status @ Status::Exited(_)) => codes.push(told_end(process, status)),
                Some(status) => bad.push(told_end(process, status)),
            }
        }
    }
    if let Some(first) = bad.first().cloned() {
        let bad = shortened(bad);
        let cause = format!("not all that it started ended well: {first}");
        let cure = match () {
            () if first.ends_with("by SIGKILL") => {
                "let who kills it tell it to end first, and wait as long as it needs".to_owned()
            }
            () if first.ends_with("by SIGHUP") && signal != Signal::HUP => {
                format!("tell it by {signal}, for which it has a handler, or let it handle SIGHUP too")
            }
            () => "see why that one was not able to end by itself, with 0".to_owned(),
        };
        return Some(killed_by_su(scene, Word::new(Level::Warn, bad).because(cause, cure)));
    }
    let why = scene.told().find_map(|run| missing(run, Facility::GrandchildStatus));
    Some(match (unknown, why) {
        _ if !codes.is_empty() => Word::info(shortened(codes)),
        (1.., Some(why)) => Word::skip(format!("the statuses of {unknown} cannot be known: {why}")),
        (1.., None) => {
            Word::info(vec![format!("{ended} ended, of which {unknown} with a status that nobody could tell")])
        }
        (0, _) => Word::pass(vec![match ended {
            0 => "no other process ended during the stop".to_owned(),
            1 => "1 process ended by itself, or as it was told".to_owned(),
            _ => format!("{ended} processes ended by themselves, or as they were told"),
        }]),
    })
}

fn told_end(process: &Process, status: Status) -> String {
    format!("{} {}", Name(process), ended_with(Some(status)))
}

/// As many as anybody reads.
fn shortened(mut lines: Vec<String>) -> Vec<String> {
    const MOST: usize = 8;
    let more = lines.len().saturating_sub(MOST);
    lines.truncate(MOST);
    lines.extend((more > 0).then(|| format!("and {more} more")));
    lines
}

/// Whether its terminal was taken away (screen, script, tmux), or it was told so, by what it has no handler for, where it has
/// one for what it was to be told by.
fn is_hung_up(process: &Process, status: Status, signal: Signal) -> bool {
    let is_by_hup = status == Status::Signaled(Signal::HUP) && signal != Signal::HUP;
    is_by_hup && handling(process, signal).is_some_and(Handling::is_taken)
}

/// Whether that is how a worker ends whose master, or whom we, told to.
fn is_told_to_end(status: Status, signal: Signal) -> bool {
    let asks = |asked: Signal| status == Status::Signaled(asked) || status == Status::Exited(128 + asked.number());
    [signal, Signal::TERM, Signal::INT, Signal::QUIT, Signal::HUP].into_iter().any(asks)
}

/// S08.
pub(super) fn forwarded(scene: &Scene<'_>) -> Option<Word> {
    let signal = scene.signal;
    match scene.order.target {
        Target::Main => {}
        Target::Group => return Some(Word::skip("its whole process group was told")),
        Target::Tree => return Some(Word::skip("all processes were told")),
    }
    let Some(run) = scene.worst() else { return Some(Word::skip("no run was told to stop")) };
    let signal_at = run.signal_at.unwrap_or_default();
    let main = main(run)?;
    let at_first: Vec<&Process> =
        others(run).filter(|process| lived_at(process, signal_at) && process.state != State::Zombie).collect();
    if at_first.is_empty() {
        return Some(Word::pass(vec!["it is one process".to_owned()]));
    }
    if let Some(word) = unseen_ends(run) {
        return Some(word);
    }
    // By the kernel or by us it was not ended by the signal.
    let has_heard =
        |process: &&Process| process.ended.is_some_and(|ended| matches!(ended.by, EndedBy::Itself | EndedBy::Signal));
    let (gone, rest): (Vec<&Process>, Vec<&Process>) = at_first.into_iter().partition(has_heard);
    if rest.is_empty() {
        return Some(Word::pass(vec![match gone.as_slice() {
            [only] => format!("{} ended by itself after {signal}", Name(only)),
            all => format!("all {} ended by themselves after {signal}", all.len()),
        }]));
    }
    let evidence = vec![match gone.len() {
        0 => format!("none beside it ended by itself after {signal}: {}", names(&rest)),
        gone => format!("{gone} beside it ended by themselves after {signal}, and not {}", names(&rest)),
    }];
    let (cause, cure) = not_reached(scene, (run, main), &rest);
    Some(Word::info(evidence).because(cause, cure))
}

/// Why these may not have ended, and what to change. There is one at least.
fn not_reached(scene: &Scene<'_>, (run, main): (&Run, &Process), rest: &[&Process]) -> (String, String) {
    let signal = scene.signal;
    let is_stopped = |process: &Process| process.at_deadline.is_some_and(|seen| seen.state == State::Stopped);
    if let Some(stopped) = rest.iter().find(|process| is_stopped(process)) {
        return (
            format!("{} is stopped (state T), and cannot act on {signal}", Name(stopped)),
            "let nothing stop it".to_owned(),
        );
    }
    let of = |wanted: Handling| -> Vec<&Process> {
        // What a process got before it executed its program it may have dealt with as what it was then.
        let is_it = |process: &Process| handling(process, signal) == Some(wanted) && !is_executed_since(run, process);
        rest.iter().copied().filter(|process| is_it(process)).collect()
    };
    // Whom it would have ended, it has not reached.
    let (deaf, unreached) = (of(Handling::Ignored), of(Handling::Default));
    if !unreached.is_empty() {
        return (
            format!("{signal} did not get as far as {}, which it would have ended", names(&unreached)),
            pass_it_on(scene, main, &unreached),
        );
    }
    if deaf.len() == rest.len() {
        return (
            format!("{signal} is ignored by {}, whether it is passed on or not", names(&deaf)),
            format!("let it handle {signal}"),
        );
    }
    if let Some(begun) = rest.iter().find(|process| has_begun(run, process)) {
        return (
            format!("{} has begun to stop (it closed what listens) and was still at work", Name(begun)),
            "see S01".to_owned(),
        );
    }
    (
        format!("{signal} did not get as far as {}, or that was still at work", names(rest)),
        format!("see that `{}` passes {signal} on, and waits", called(main)),
    )
}

/// What is to change so that the signal gets as far as these.
fn pass_it_on(scene: &Scene<'_>, main: &Process, unreached: &[&Process]) -> String {
    let signal = scene.signal;
    if !main.is_shell {
        return format!("see that `{}` passes {signal} on as far as there", called(main));
    }
    match () {
        () if is_before_a_pipeline(scene, main) => "see S24",
        () if unreached.iter().any(|process| is_subshell(main, process)) => PASS_ON_BELOW,
        () if handling(main, signal).is_some_and(Handling::is_taken) => {
            "a shell passes no signal on: let its trap do it (kill)"
        }
        () if unreached.iter().all(|process| ends_in_place(scene, process)) => {
            "a shell passes no signal on: begin its last command with exec, or let a trap do it"
        }
        () => "a shell passes no signal on: let a trap do it, or an init that tells all",
    }
    .to_owned()
}
