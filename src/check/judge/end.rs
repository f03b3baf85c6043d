//! The end of the command itself: in time, with what status, and the same in each mode.

use std::time::Duration;

use supervise_init::core::{Signal, Status};

use super::super::record::{Ended, EndedBy, Hindrance, Outcome, Process, Run, State, What};
use super::super::scenario::{Mode, Target, Way};
use super::again::{last_lines, obstacle};
use super::front::{without, wrapper};
use super::handling::{Handling, handling};
use super::killer::waits_as_su;
use super::memory;
use super::modes::too_early;
use super::put_in;
use super::scene::{Scene, extension, main, main_status, others, took};
use super::sentences::{MORE_TIME, sentences};
use super::shell::{is_before_a_pipeline, name_of, pass_on_in_pipeline};
use super::why::{Why, company, why};
use super::words::{Name, cut, ended_with, names, seconds, status as status_words};
use super::{Level, Word, as_what};

/// The times of a group, sorted: of those that ended in time.
pub(in crate::check) struct Times(Vec<Duration>);

impl Times {
    pub(in crate::check) fn of<'a>(runs: impl Iterator<Item = &'a Run>) -> Times {
        let mut all: Vec<Duration> = runs.filter_map(took).collect();
        all.sort_unstable();
        Times(all)
    }

    /// The middle one; the smaller of two.
    pub(in crate::check) fn median(&self) -> Option<Duration> {
        self.0.get(self.0.len().saturating_sub(1) / 2).copied()
    }

    /// At most a twentieth took longer.
    pub(in crate::check) fn p95(&self) -> Option<Duration> {
        self.0.get((self.0.len() * 95).div_ceil(100).saturating_sub(1)).copied()
    }

    pub(in crate::check) fn max(&self) -> Option<Duration> {
        self.0.last().copied()
    }

    fn evidence(&self) -> Option<String> {
        let (median, p95, max) = (self.median()?, self.p95()?, self.max()?);
        Some(match self.0.len() {
            1 => format!("it took {}", seconds(max)),
            many => format!("{many} runs: median {}, p95 {}, max {}", seconds(median), seconds(p95), seconds(max)),
        })
    }
}

/// S01.
pub(super) fn exits_in_grace(scene: &Scene<'_>) -> Option<Word> {
    let (told, ended) = (scene.told().count(), scene.ended().count());
    let times = Times::of(scene.ended());
    let mut evidence: Vec<String> = times.evidence().into_iter().collect();
    if ended < told {
        let run = scene.worst()?;
        let main = main(run)?;
        if told > 1 {
            let late = told - ended;
            evidence.push(format!("{late} of {told} had not ended {} after {}", seconds(scene.grace()), scene.signal));
        }
        evidence.extend(facts(scene, run));
        evidence.extend(company(run));
        evidence.extend(last_words(run).filter(|_| run.output.bytes_after_signal > 0));
        let why = why(scene, run, main);
        let (mut cause, mut cure) = sentences(scene, main, &why);
        if put_in::may_matter(scene, run, &why) {
            (cause, cure) = (format!("{cause}; {}", put_in::CAUSE), format!("{cure}; or {}", put_in::CURE));
        }
        if let Some(time) = extension(run).filter(|time| *time > scene.grace()) {
            cause = format!(
                "it asked for {} by EXTEND_TIMEOUT_USEC, which systemd gives, and nobody else: docker does not listen to \
                 it; {cause}",
                seconds(time)
            );
            cure = format!("check it as systemd stops it (--profile systemd), or {MORE_TIME}; {cure}");
        }
        return Some(Word::new(Level::Fail, evidence).because(cause, cure));
    }
    if let Some(run) = scene.runs().find(|run| run.outcome != Outcome::Stopped) {
        let (cause, cure) = not_judged(scene, run);
        evidence.extend(last_lines(run));
        return Some(Word::new(Level::Inconclusive, evidence).because(cause, cure));
    }
    let Some(max) = times.max() else {
        return Some(Word::new(Level::Inconclusive, evidence).because("no run was told to stop", ""));
    };
    let own_time = scene.worst().and_then(main).and_then(|main| waits_as_su(scene, main));
    // Who says itself how long it takes has its time.
    if max * 2 > scene.grace() && !scene.is_extended() {
        let cause = format!("it takes more than half of the {} that it has", seconds(scene.grace()));
        let (cause, cure) = match own_time {
            Some((own, cure)) => (format!("{cause}: {own}"), cure + ", or give it more time"),
            None => (cause, "let it stop faster, or give it more time".to_owned()),
        };
        return Some(Word::new(Level::Warn, evidence).because(cause, cure));
    }
    evidence.extend(own_time.map(|(own, _)| own));
    Some(Word::pass(evidence))
}

/// What was seen of main at the end of the time.
fn facts(scene: &Scene<'_>, run: &Run) -> Option<String> {
    let main = main(run)?;
    let handling = handling(main, scene.signal);
    let found = handling.map_or("was not looked at", Handling::words);
    let seen = main.at_deadline.map_or_else(String::new, |seen| {
        let change = match (seen.is_pending, handling) {
            (true, _) => ", and is pending",
            (false, Some(Handling::Caught)) if !seen.is_handled && seen.state == State::Able => {
                " when that came, and none at the end of the time"
            }
            (false, _) => "",
        };
        format!("{change}; state {}, {} of processor time since", seen.state.name(), seconds(seen.busy))
    });
    Some(format!("{} {found} in {}{seen}", scene.signal, Name(main)))
}

/// More of a line is not quoted.
const QUOTED: usize = 120;

/// Why a run that was not told to stop says nothing.
pub(super) fn not_judged(scene: &Scene<'_>, run: &Run) -> (String, String) {
    let obstacle = obstacle(scene, run);
    let in_the_way = obstacle.as_ref().map_or_else(String::new, |obstacle| format!(": {}", obstacle.words()));
    let or = |cure: &str| obstacle.as_ref().map_or_else(|| cure.to_owned(), |obstacle| obstacle.cure().to_owned());
    match &run.outcome {
        Outcome::Stopped => ("it was told to stop".to_owned(), String::new()),
        Outcome::EndedBefore(Status::Exited(0)) if !left_before(run).is_empty() => {
            let left = names(&left_before(run));
            let fate = match run.scenario.mode {
                Mode::Pid1 => ", which the kernel kills with process 1",
                Mode::Child | Mode::Init => "",
            };
            (
                format!(
                    "the command ended with exit code 0 before it was told to stop, and left {left}{fate}: it puts itself in \
                     the background"
                ),
                "start it in the foreground, by its option for that (such as `daemon off;`, -F, -D, --nodaemon, \
                 --foreground), or without the `&` or setsid in front of it"
                    .to_owned(),
            )
        }
        Outcome::EndedBefore(Status::Signaled(Signal::KILL)) if run.is_out_of_memory == Some(true) => (
            "the kernel killed the command for want of memory before it was told to stop".to_owned(),
            memory::CURE.to_owned(),
        ),
        Outcome::EndedBefore(status) => {
            let has_orphan = run.events.iter().any(|event| event.what == What::PutIn);
            let after = if has_orphan { ", after an orphan was put in, as a health check leaves one" } else { "" };
            (
                format!("the command {} before it was told to stop{after}{in_the_way}", ended_with(Some(*status))),
                or(match () {
                    () if put_in::ends_by_it(scene).is_some() => "see S09",
                    () => match (run.output.tail.is_empty(), *status) {
                        // As what reads its stdin to the end does.
                        (_, Status::Exited(0)) => {
                            "what is to be checked runs until it is told to stop, also with nothing to read: its stdin is /dev/null"
                        }
                        (true, _) => "it wrote nothing; what is to be checked runs until it is told to stop",
                        (false, _) => "see its last lines; what is to be checked runs until it is told to stop",
                    },
                }),
            )
        }
        Outcome::NeverReady(why) => (
            format!("the command was not ready within {}: {why}{in_the_way}", seconds(run.scenario.ready_timeout)),
            or("give it more time (--ready-timeout), or another sign that it is ready (--ready)"),
        ),
        Outcome::NotStarted { why, .. } => {
            (format!("the command was not started: {why}"), "name a program that can be executed".to_owned())
        }
        Outcome::Hindered(hindrance) => hindered(hindrance),
        Outcome::NotPossible(why) => (
            format!("it cannot be run {} here: {why}", as_what(run.scenario.mode)),
            "run the check where it can be (as root, or with user namespaces), or leave that mode out by --as"
                .to_owned(),
        ),
    }
}

/// What lived on when main had ended, untold.
fn left_before(run: &Run) -> Vec<&Process> {
    let end = main(run).and_then(|main| main.ended);
    let outlived = |process: &&Process| {
        let is_later = |ended: Ended| {
            // Ends that are told in one turn have one time; a signal that ended it came from who ended what was left. What
            // exits by itself has not stayed: a helper that sees main's end.
            let is_by_signal = matches!(ended.status, Some(Status::Signaled(_)));
            let is_behind = |end: Ended| is_by_signal && ended.at >= end.at;
            matches!(ended.by, EndedBy::Kernel | EndedBy::Us) || end.is_some_and(is_behind)
        };
        process.state != State::Zombie && process.ended.is_none_or(is_later)
    };
    others(run).filter(outlived).collect()
}

fn hindered(hindrance: &Hindrance) -> (String, String) {
    let cure = match hindrance {
        Hindrance::AnswersAlready { .. } => {
            "end that first, or let the command listen elsewhere: what answers there does not show that the command is ready"
        }
        Hindrance::Suspended(_) => {
            "check again, without a stop (SIGSTOP, Ctrl-Z) and on a machine that has time for it"
        }
        Hindrance::NotExecuted(_) => "see to the device or network file system that its program is on",
    };
    (hindrance.to_string(), cure.to_owned())
}

fn last_words(run: &Run) -> Option<String> {
    run.output.tail.last().map(|line| format!("its last line: {}", cut(line, QUOTED)))
}

/// S02.
pub(super) fn status(scene: &Scene<'_>) -> Option<Word> {
    let all: Vec<(&Run, Word)> = scene.told().filter_map(|run| Some((run, status_of(scene, run)?))).collect();
    // The worst; of those the first.
    let worst = all.iter().rev().max_by_key(|(_, word)| word.level);
    let Some((_, word)) = worst else { return Some(Word::skip("no run was told to stop")) };
    let mut word = word.clone();
    let is_same = |run: &Run| main_status(run) == all.first().and_then(|(run, _)| main_status(run));
    if !all.iter().all(|(run, _)| is_same(run)) {
        let each: Vec<String> = all.iter().map(|(run, _)| status_words(main_status(run))).collect();
        word.evidence.push(format!("not the same in each run: {}", each.join(", ")));
    }
    Some(word)
}

fn status_of(scene: &Scene<'_>, run: &Run) -> Option<Word> {
    let main = main(run)?;
    let signal = scene.signal;
    let Some(ended) = main.ended else {
        return Some(
            Word::new(Level::Fail, vec![format!("{} did not end", Name(main))]).because(
                "it did not end, not even when it was killed",
                "see what it waits for in the kernel (state D)",
            ),
        );
    };
    let evidence = vec![format!("{}: {}", Name(main), status_words(ended.status))];
    if ended.by == EndedBy::Us {
        return Some(Word::new(Level::Fail, evidence).because(
            format!("it was killed, because it had not ended {} after {signal}", seconds(scene.grace())),
            "see S01",
        ));
    }
    let Some(status) = ended.status else { return Some(Word::skip("nobody could tell with what it ended")) };
    if scene.is_good(status) {
        return Some(Word::pass(evidence));
    }
    let (level, cause, cure) = match status {
        Status::Signaled(by) if by == signal => death_by_the_signal(scene, main),
        Status::Signaled(by) => death_by_another(run, by),
        Status::Exited(code) if code == Status::Signaled(signal).shell_code() => (
            Level::Warn,
            format!(
                "exit code {code} is 128 + {signal}: programs (Java, shells, inits) say by it that {signal} ended them"
            ),
            format!(
                "{}if that is a good end, say so: supervise check --ok-exit {code}, supervise --exit-map {code}=0, \
                 systemd's SuccessExitStatus={code}",
                wrapper(main).map_or_else(String::new, |wrapper| without(wrapper, None) + "; or ")
            ),
        ),
        Status::Exited(code) => bad_code(scene, main, code),
    };
    // What died of a fault may have said why.
    let says = matches!(status, Status::Signaled(by) if by != signal && is_crash(by));
    let evidence = evidence.into_iter().chain(last_lines(run).filter(|_| says)).collect();
    Some(Word::new(level, evidence).because(cause, cure))
}

fn death_by_the_signal(scene: &Scene<'_>, main: &Process) -> (Level, String, String) {
    let signal = scene.signal;
    if let Some((cause, cure)) = too_early(scene).filter(|_| handling(main, signal) == Some(Handling::Default)) {
        return (Level::Warn, cause, cure);
    }
    let cause = match handling(main, signal) {
        Some(Handling::Caught | Handling::Signalfd) => {
            format!("it handled {signal}, and then raised it again to die of it")
        }
        // Which signals a thread waits for cannot be seen.
        Some(Handling::Waited) => format!(
            "it waits for signals (sigtimedwait): either {signal} is none of them, and its default action ended it, or it \
             raised that again"
        ),
        Some(Handling::Default) => {
            format!("it has no handler for {signal}: the default action ended it, without any work of its own")
        }
        Some(Handling::Blocked | Handling::Ignored) | None => format!("{signal} ended it, by its default action"),
    };
    let cure = format!("{}; or if this is a good end, say --ok-exit {signal}", better_code(main, signal));
    (Level::Warn, cause, cure)
}

fn death_by_another(run: &Run, by: Signal) -> (Level, String, String) {
    let (cause, cure) = match (by, run.is_out_of_memory) {
        (Signal::KILL, Some(true)) => {
            ("the kernel killed it for want of memory while it stopped".to_owned(), memory::CURE.to_owned())
        }
        (Signal::KILL, _) => (
            "it was killed while it stopped, by another process or by itself".to_owned(),
            "see who sends it SIGKILL".to_owned(),
        ),
        // bash's stack is at an end: a trap that signals the group of the shell runs anew for that.
        (other, _) if main(run).is_some_and(|main| is_crashed_trap(main, run.scenario.signal, other)) => (
            format!(
                "{other} ended the shell while its trap ran: as it does where the trap signals the shell itself (`kill 0`, \
                 `kill -- -$$`), which runs the trap again, without end"
            ),
            format!("let the trap begin with `trap '' {0}`, and end with `wait`", name_of(run.scenario.signal)),
        ),
        (other, _) if is_crash(other) => (
            format!("{other} ended it while it stopped: it crashed, or was told so by another process"),
            match run.output.tail.is_empty() {
                true => "see its core dump (ulimit -c unlimited, or coredumpctl)".to_owned(),
                false => "see its last lines, or its core dump".to_owned(),
            },
        ),
        (other, _) => (
            format!(
                "{other} ended it while it stopped, by its default action: another process sent that, or it itself"
            ),
            format!("see who sends it {other}"),
        ),
    };
    (Level::Fail, cause, cure)
}

/// Whether it is a shell with a trap for the signal that ran out of stack.
pub(super) fn is_crashed_trap(main: &Process, signal: Signal, by: Signal) -> bool {
    i32::from(by.number()) == libc::SIGSEGV && main.is_shell && handling(main, signal).is_some_and(Handling::is_taken)
}

/// Whether its default action dumps core: what faults send, and abort(3) (signal(7)).
pub(super) fn is_crash(signal: Signal) -> bool {
    use libc::{SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGQUIT, SIGSEGV, SIGSYS, SIGTRAP, SIGXCPU, SIGXFSZ};
    let all = [SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGQUIT, SIGSEGV, SIGSYS, SIGTRAP, SIGXCPU, SIGXFSZ];
    all.contains(&signal.number().into())
}

/// What makes an end good.
fn better_code(main: &Process, signal: Signal) -> String {
    match wrapper(main) {
        Some(wrapper) => without(wrapper, None),
        None if main.is_shell => format!("let a trap for {signal} exit with 0"),
        None => format!("let a handler for {signal} exit with 0"),
    }
}

fn bad_code(scene: &Scene<'_>, main: &Process, code: u8) -> (Level, String, String) {
    let signal = scene.signal;
    let comm = wrapper(main).unwrap_or(&main.comm);
    let as_a_child = (scene.mode != Mode::Child).then(|| scene.in_mode(Mode::Child)).flatten();
    let child = as_a_child.as_ref().and_then(|child| child.ended().next().and_then(main_status));
    let found = handling(main, signal);
    let is_dropped = scene.is_process_1() && found == Some(Handling::Default) && scene.order.target == Target::Main;
    if is_dropped && !main.is_shell {
        return (
            Level::Fail,
            format!(
                "{comm} ends with exit code {code}: of its own accord, as it has no handler for {signal} and is process 1, so \
                 that the kernel drops that; or it takes {signal} in a way that its signal sets do not show"
            ),
            format!("{}, or start it under an init: supervise -- COMMAND", better_code(main, signal)),
        );
    }
    if is_dropped {
        return (
            Level::Fail,
            format!(
                "the shell {comm} has no trap for {signal} and is process 1, so that the kernel drops that: it ended with \
                 exit code {code} of its own accord"
            ),
            match is_before_a_pipeline(scene, main) {
                true => pass_on_in_pipeline(signal),
                false => format!(
                    "start it under an init that tells all: supervise --kill-mode tree -- COMMAND; or let its last command \
                     begin with exec, and handle {signal} itself"
                ),
            },
        );
    }
    let is_taken = |process: &Process| handling(process, signal).is_some_and(Handling::is_taken);
    let is_taken_there = as_a_child.and_then(|child| child.ended().next()).and_then(self::main).is_some_and(is_taken);
    if child == Some(Status::Signaled(signal)) && scene.is_process_1() && is_taken(main) && is_taken_there {
        return (
            Level::Fail,
            format!(
                "{comm} raises {signal} again to die of it, as it does as a child; the kernel drops that for process 1, and \
                 it ends with exit code {code} instead"
            ),
            format!(
                "{}, or start it under an init, where it dies of {signal} (exit code {}): supervise -- COMMAND",
                better_code(main, signal),
                Status::Signaled(signal).shell_code()
            ),
        );
    }
    (
        Level::Fail,
        format!("{comm} ends with exit code {code} when it is told to stop, which others take for a failure"),
        format!("{}; or if {code} is a good end, say --ok-exit {code}", better_code(main, signal)),
    )
}

/// S18.
pub(super) fn margin(scene: &Scene<'_>) -> Option<Word> {
    let times = Times::of(scene.ended());
    let Some(max) = times.max() else { return Some(Word::skip("no run ended in time")) };
    let grace = scene.grace();
    let percent = max.as_millis() * 100 / grace.as_millis().max(1);
    let mut evidence: Vec<String> = times.evidence().into_iter().collect();
    evidence.push(format!("the slowest took {percent} % of {}", seconds(grace)));
    Some(if percent > 80 && !scene.is_extended() {
        Word::new(Level::Warn, evidence).because(
            "on a busier machine it will not end in time",
            "give it more time (docker stop -t, terminationGracePeriodSeconds, TimeoutStopSec), or let it stop faster",
        )
    } else {
        Word::pass(evidence)
    })
}

/// S20.
pub(super) fn stopped_before(scene: &Scene<'_>) -> Option<Word> {
    let signal = scene.signal;
    let Some(run) = scene.further(Way::StoppedFirst) else {
        return Some(Word::skip(match scene.order.also.contains(&Way::StoppedFirst) {
            true => "it did not end in time without that",
            false => "a run in which it is stopped (SIGSTOP) first was not asked for: say --also stopped",
        }));
    };
    if run.outcome != Outcome::Stopped {
        let (cause, cure) = not_judged(scene, run);
        return Some(Word::new(Level::Inconclusive, last_lines(run).collect()).because(cause, cure));
    }
    if !run.events.iter().any(|event| event.what == What::Halted) {
        return Some(Word::skip("SIGSTOP did not stop it"));
    }
    let main = main(run)?;
    let evidence =
        |how: String| format!("{}, stopped by SIGSTOP and then sent {signal} and SIGCONT, {how}", Name(main));
    Some(match took(run).filter(|took| *took <= scene.grace()) {
        Some(took) => Word::pass(vec![evidence(format!("ended in {}", seconds(took)))]),
        None => {
            let mut evidence = vec![evidence(format!("did not end within {}", seconds(scene.grace())))];
            evidence.extend(facts(scene, run));
            evidence.extend(company(run));
            let why = why(scene, run, main);
            let (cause, cure) = match why {
                Why::Stopped if run.events.iter().any(|event| event.what == What::Continued) => (
                    format!(
                        "{} was continued, and has stopped again, as su and runuser do behind their child",
                        Name(main)
                    ),
                    match wrapper(main) {
                        Some(wrapper) => without(wrapper, None),
                        None => format!("let it not stop itself when it was told by {signal}"),
                    },
                ),
                _ => sentences(scene, main, &why),
            };
            Word::new(Level::Warn, evidence)
                .because(format!("it ends when it is told, but not when it was stopped before: {cause}"), cure)
        }
    })
}
