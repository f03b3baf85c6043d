//! Why a main process that was told to end has not: the first reason that fits, surest first.

use std::time::Duration;

use supervise_init::core::{Signal, Status};

use super::super::record::{AtDeadline, EndedBy, Process, Run, State, What};
use super::super::scenario::{Mode, Target};
use super::handling::{Handling, handled_instead, handling};
use super::scene::{Scene, children_that_stayed, is_alive_at_deadline, main, main_status, others, took};
use super::words::{Name, called, names, seconds, typed};

/// What keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Why<'a> {
    /// Nothing was looked at when the time was over.
    Unseen,
    /// It ended by itself, so long after its time.
    Late(Duration),
    Stopped,
    Stuck,
    /// Its first thread has ended, others have not.
    HalfDead,
    Ignored,
    Blocked,
    /// It has a signalfd and does not read it.
    Unread,
    /// It was sent, and is still pending without being blocked.
    Pending,
    /// The kernel throws it away: process 1 without a handler.
    Dropped,
    /// The same of a shell, in front of this.
    DroppedAtShell(&'a Process),
    /// A shell whose trap waits for the child in its foreground.
    Foreground(&'a Process, Heard),
    /// A shell whose trap has run, or that waits in the background.
    TrapGoesOn,
    /// Process 1 that handles it and raises it again, which the kernel drops.
    Reraised,
    /// One that waits for its child, which has not ended.
    Waits(&'a Process, Heard),
    Busy(Duration),
    /// It began to stop, and has not come to the end of it.
    Slow(Reaction),
    /// It handles the signal, and nothing happened.
    NoReaction,
    /// It should have been ended.
    Unmoved,
}

/// What is known of a child of a process that was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Heard {
    /// The signal would have ended it.
    Never,
    Ignores,
    Stopped,
    /// It may have it, and be at work.
    Perhaps,
}

impl Heard {
    fn words(self, signal: Signal) -> String {
        match self {
            Heard::Never => format!("which never got {signal}"),
            Heard::Ignores => format!("which ignores {signal}"),
            Heard::Stopped => "which is stopped (state T)".to_owned(),
            Heard::Perhaps => format!("which has not ended: either it did not get {signal}, or it is still at work"),
        }
    }
}

/// The first thing that was seen to happen after the signal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Reaction {
    pub(super) after: Duration,
    pub(super) what: String,
}

/// The first effect of the signal that could be seen, but for the end of main itself.
pub(super) fn reaction(run: &Run) -> Option<Reaction> {
    let signal_at = run.signal_at?;
    let main = main(run)?;
    let deadline = signal_at + run.scenario.grace;
    // Dead before, or because main is.
    let is_over = |process: &Process| {
        process.state == State::Zombie || process.ended.is_some_and(|ended| ended.by == EndedBy::Kernel)
    };
    let was_over = |pid: i32| run.processes.iter().any(|process| process.pid == pid && is_over(process));
    let what = |what: &What| match what {
        What::Wrote { line, bytes } if line.is_empty() => Some(format!("it wrote {bytes} bytes")),
        What::Wrote { line, .. } => Some(format!("it wrote {line:?}")),
        What::Closed { address } => Some(format!("it closed {address}")),
        What::Notified { text } => Some(format!("it notified {text}")),
        What::Ended { pid } if *pid != main.pid && !was_over(*pid) => Some(format!("pid {pid} ended")),
        What::Ended { .. }
        | What::Executed { .. }
        | What::Appeared { .. }
        | What::Ready { .. }
        | What::PutIn
        | What::Sent { .. }
        | What::OutputClosed
        | What::Killed { .. } => None,
    };
    let end = main.ended.map_or(deadline, |ended| ended.at.min(deadline));
    let after = run.events.iter().filter(|event| event.at > signal_at && event.at < end);
    // What is said all the time is no answer to the signal.
    let is_chatter = |event: &What| matches!(event, What::Wrote { .. }) && wrote_before(run, signal_at) > 1;
    let mut seen = after.filter(|event| !is_chatter(&event.what));
    seen.find_map(|event| Some(Reaction { after: event.at.saturating_sub(signal_at), what: what(&event.what)? }))
}

/// How often it wrote in the second before the signal.
fn wrote_before(run: &Run, signal_at: Duration) -> usize {
    let from = signal_at.saturating_sub(Duration::from_secs(1));
    let is_writing = |what: &What| matches!(what, What::Wrote { .. });
    run.events.iter().filter(|event| event.at >= from && event.at < signal_at && is_writing(&event.what)).count()
}

/// Why main lived when the time of this run was over.
pub(super) fn why<'a>(scene: &Scene<'a>, run: &'a Run, main: &'a Process) -> Why<'a> {
    let signal = scene.signal;
    let late = took(run).and_then(|took| took.checked_sub(run.scenario.grace));
    let Some(at_deadline) = main.at_deadline else { return late.map_or(Why::Unseen, Why::Late) };
    match (at_deadline.state, late) {
        (State::Stopped, _) => return Why::Stopped,
        (State::Stuck, _) => return Why::Stuck,
        (State::Zombie, Some(late)) => return Why::Late(late),
        (State::Zombie, None) => return Why::HalfDead,
        (State::Able, _) => {}
    }
    let Some(found) = handling(main, signal) else { return Why::Unseen };
    let stayed = children_that_stayed(run, main);
    let child = stayed.first().copied();
    match found {
        Handling::Signalfd if at_deadline.is_pending => Why::Unread,
        Handling::Blocked if at_deadline.is_pending => Why::Blocked,
        Handling::Ignored => Why::Ignored,
        _ if at_deadline.is_pending => Why::Pending,
        Handling::Default => match child {
            _ if !scene.is_process_1() => Why::Unmoved,
            Some(child) if main.is_shell => Why::DroppedAtShell(child),
            _ => Why::Dropped,
        },
        Handling::Caught if main.is_shell => shell(scene, run, main, child),
        Handling::Caught | Handling::Waited | Handling::Signalfd | Handling::Blocked => {
            at_work(scene, run, child, &at_deadline)
        }
    }
}

/// A shell with a trap. Without job control, what it starts by `&` ignores SIGINT (POSIX, 2.11).
fn shell<'a>(scene: &Scene<'_>, run: &Run, main: &Process, child: Option<&'a Process>) -> Why<'a> {
    let is_in_background = |child: &Process| {
        let ignores = |process: &Process| handling(process, Signal::INT) == Some(Handling::Ignored);
        ignores(child) && !ignores(main)
    };
    // What it has started since shows that the trap has run.
    let is_older = |child: &Process| run.signal_at.is_some_and(|signal_at| child.first_seen_at <= signal_at);
    match child.filter(|child| is_older(child) && !is_in_background(child)) {
        Some(child) if scene.order.target == Target::Main => Why::Foreground(child, Heard::Never),
        Some(child) => Why::Foreground(child, heard(scene, child)),
        None => Why::TrapGoesOn,
    }
}

/// One that has taken the signal.
fn at_work<'a>(scene: &Scene<'_>, run: &Run, child: Option<&'a Process>, at_deadline: &AtDeadline) -> Why<'a> {
    let reaction = reaction(run);
    // It needs as much as one processor for half the time: some work goes on in every program.
    let is_busy = at_deadline.busy * 2 >= run.scenario.grace;
    if scene.is_process_1() && reaction.is_none() && !is_busy && dies_of_it_as_a_child(scene) {
        return Why::Reraised;
    }
    match (reaction, child) {
        (Some(reaction), _) => Why::Slow(reaction),
        (None, Some(child)) => Why::Waits(child, heard(scene, child)),
        (None, None) if is_busy => Why::Busy(at_deadline.busy),
        (None, None) => Why::NoReaction,
    }
}

/// Whether the same command, as a child, was ended by the signal's default action, which process 1 does not have.
fn dies_of_it_as_a_child(scene: &Scene<'_>) -> bool {
    let is_death = |child: &Run| main_status(child) == Some(Status::Signaled(scene.signal));
    scene.in_mode(Mode::Child).is_some_and(|child| child.ended().count() > 0 && child.ended().all(is_death))
}

fn heard(scene: &Scene<'_>, child: &Process) -> Heard {
    match (child.at_deadline.map(|at_deadline| at_deadline.state), handling(child, scene.signal)) {
        (Some(State::Stopped), _) => Heard::Stopped,
        (_, Some(Handling::Ignored)) => Heard::Ignores,
        (_, Some(Handling::Default)) if scene.order.target == Target::Main => Heard::Never,
        _ => Heard::Perhaps,
    }
}

/// What is special in a program's stop by some signal.
struct Known {
    comm: &'static str,
    signal: Signal,
    means: &'static str,
    cure: &'static str,
}

const KNOWN: [Known; 4] = [
    Known {
        comm: "postgres",
        signal: Signal::TERM,
        means: "SIGTERM is its smart shutdown, which waits until every client has left",
        cure: "stop it by its fast shutdown: STOPSIGNAL SIGINT, or supervise --stop-signal INT",
    },
    Known {
        comm: "uwsgi",
        signal: Signal::TERM,
        means: "SIGTERM makes it load its workers again",
        cure: "start it with --die-on-term, or stop it by SIGQUIT",
    },
    Known { comm: "mariadbd", signal: Signal::INT, means: "it takes no notice of SIGINT", cure: "stop it by SIGTERM" },
    Known {
        comm: "svscan",
        signal: Signal::TERM,
        means: "it takes no notice of SIGTERM as process 1",
        cure: "start it under an init: supervise --kill-mode tree -- svscan",
    },
];

/// Cause and cure, a sentence each.
pub(super) fn sentences(scene: &Scene<'_>, main: &Process, why: &Why<'_>) -> (String, String) {
    let signal = scene.signal;
    let is_special = |known: &&Known| known.comm == main.comm && known.signal == signal;
    let is_about_itself = !matches!(why, Why::Stopped | Why::Stuck | Why::DroppedAtShell(_));
    if let Some(known) = KNOWN.iter().find(is_special).filter(|_| is_about_itself) {
        return (format!("{} handles {signal} in its own way: {}", Name(main), known.means), known.cure.to_owned());
    }
    (cause(scene, main, why), cure(scene, main, why))
}

fn cause(scene: &Scene<'_>, main: &Process, why: &Why<'_>) -> String {
    let signal = scene.signal;
    let name = Name(main);
    match why {
        Why::Unseen => format!("{name} did not end, and what it was doing could not be seen"),
        Why::Late(late) => format!("{name} ended {} late", seconds(*late)),
        Why::Stopped => format!("{name} is stopped (state T), so that it cannot act on {signal}"),
        Why::Stuck => format!("{name} sits in a system call that no signal interrupts (state D)"),
        Why::HalfDead => format!("the first thread of {name} has ended, and others run on"),
        Why::Ignored => format!("{name} ignores {signal}"),
        Why::Blocked => format!("{name} blocks {signal} in every thread, and nothing takes it: it is still pending"),
        Why::Unread => format!("{name} has a signalfd for {signal} and never read it: its event loop is busy or stuck"),
        Why::Pending => format!("{signal} is still pending for {name}, which has not run since"),
        Why::Dropped => format!("{name} is process 1 and has no handler for {signal}, so the kernel drops it"),
        Why::DroppedAtShell(child) => format!(
            "the shell {name} is process 1 and has no trap for {signal}, so the kernel drops it, and {} never gets it",
            Name(child)
        ),
        Why::Foreground(child, heard) => format!(
            "the shell {name} runs its trap for {signal} only when the command in its foreground has ended: {}, {}",
            Name(child),
            heard.words(signal)
        ),
        Why::TrapGoesOn => format!("the shell {name} has a trap for {signal}, and goes on when that has run"),
        Why::Reraised => format!(
            "the handler of {name} only raises {signal} again to die of it, as it does as a child, and the kernel drops \
             that for process 1"
        ),
        Why::Waits(child, heard) => {
            format!("{name} waits for its child {}, {}", Name(child), heard.words(signal))
        }
        Why::Busy(busy) => format!(
            "{name} is busy, with {} of processor time since {signal}, and has not come to its handler's work",
            seconds(*busy)
        ),
        Why::Slow(reaction) => format!(
            "{name} began to stop ({}, {} after {signal}) and was not done within {}",
            reaction.what,
            seconds(reaction.after),
            seconds(scene.grace())
        ),
        Why::NoReaction => {
            let raises = match scene.is_process_1() && scene.in_mode(Mode::Child).is_none() {
                true => {
                    "the handler only raises it again (node's own does), which the kernel drops for process 1, or it"
                }
                false => "the handler",
            };
            format!(
                "{name} handles {signal}, but nothing was seen to come of it: {raises} does not end the program, or the \
                 thread that should act on it is blocked"
            )
        }
        Why::Unmoved => format!("{name} runs on, although {signal} should end it by its default action"),
    }
}

fn cure(scene: &Scene<'_>, main: &Process, why: &Why<'_>) -> String {
    let signal = scene.signal;
    match why {
        Why::Unseen => "run the check as the program's user, or as root, with /proc mounted".to_owned(),
        Why::Stopped => format!("let nothing stop it, or send SIGCONT behind {signal}"),
        Why::Stuck => "see to the device or network file system that it waits for".to_owned(),
        Why::HalfDead => "let the last thread end the process (exit, not pthread_exit)".to_owned(),
        Why::Ignored | Why::Dropped => instead(scene, main),
        Why::Blocked => format!("let it unblock {signal} before it starts its work, or start it with that unblocked"),
        Why::Unread => "keep the event loop free: do long work in another thread".to_owned(),
        Why::Pending => "see what keeps it from running (a debugger, a frozen cgroup, vfork)".to_owned(),
        Why::DroppedAtShell(child) => format!(
            "start the program in the shell's place (`exec {}`, or the JSON form of CMD), or the shell under an init that \
             tells all: supervise --kill-mode tree -- {}",
            typed(child, "..."),
            typed(main, "COMMAND")
        ),
        Why::Foreground(child, _) => format!(
            "end the script with `exec {}`, or start that with `&` and `wait` for it, so that the trap runs at once and \
             can pass the signal on",
            typed(child, "...")
        ),
        Why::TrapGoesOn => "let the trap pass the signal on (kill), wait for what was started, and exit".to_owned(),
        Why::Reraised => format!(
            "let the handler of {signal} end the program by itself (exit), or start it under an init: supervise -- {}",
            typed(main, "COMMAND")
        ),
        Why::Waits(child, Heard::Never) => format!(
            "let it pass {signal} on, start `{}` without it, or tell all: supervise --kill-mode tree -- {}",
            called(child),
            typed(main, "COMMAND")
        ),
        Why::Waits(child, Heard::Ignores) => format!("let `{}` handle {signal}", called(child)),
        Why::Waits(child, Heard::Stopped) => format!("let nothing stop `{}`", called(child)),
        Why::Waits(child, Heard::Perhaps) => {
            format!("see that {signal} reaches `{}`, and that this ends by it", called(child))
        }
        Why::Busy(_) => "let long work look for the request to stop, or do it in another thread".to_owned(),
        Why::Slow(_) | Why::Late(_) => {
            "bound how long it waits for connections and work under way, or give it more time (docker stop \
                         -t, terminationGracePeriodSeconds, TimeoutStopSec)"
                .to_owned()
        }
        Why::NoReaction => match scene.better_signal() {
            Some(_) => instead(scene, main),
            None => {
                let init = match scene.is_process_1() {
                    true => format!(", or start it under an init: supervise -- {}", typed(main, "COMMAND")),
                    false => String::new(),
                };
                format!("let the handler of {signal} end the program, from a thread that is never blocked{init}")
            }
        },
        Why::Unmoved => "send it once more, and see what it was doing".to_owned(),
    }
}

/// Another signal, or a handler. What did work is better advice than what the signal sets promise.
fn instead(scene: &Scene<'_>, main: &Process) -> String {
    let signal = scene.signal;
    let handler = format!("install a handler for {signal} that ends it");
    let init = match handling(main, signal) {
        Some(Handling::Default) => format!(", or start it under an init: supervise -- {}", typed(main, "COMMAND")),
        _ => String::new(),
    };
    match (scene.better_signal(), handled_instead(scene, main)) {
        (Some((other, took)), _) => format!(
            "stop it by {other} (STOPSIGNAL {other}, supervise --stop-signal {other}), which ended it in {}; or {handler}",
            seconds(took)
        ),
        (None, Some(other)) => format!(
            "it handles {other}: stop it by that (STOPSIGNAL {other}, supervise --stop-signal {other}), or {handler}{init}"
        ),
        (None, None) => handler + &init,
    }
}

/// What lived beside main at the end of the time, as evidence.
pub(super) fn company(run: &Run) -> Option<String> {
    let alive: Vec<&Process> = others(run).filter(|process| is_alive_at_deadline(process)).collect();
    (!alive.is_empty()).then(|| format!("alive beside it at the end of the time: {}", names(&alive)))
}
