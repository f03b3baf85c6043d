//! What a process says that it would do with a signal. A hint: many that "catch" it hang all the same.

use supervise_init::core::Signal;

use super::super::record::{Dispositions, Process};
use super::super::scenario::{Mode, Target};
use super::front::is_deaf_front;
use super::scene::{Scene, main};
use super::shell::is_before_a_pipeline;
use super::words::Name;
use super::{Level, Word};

/// What the signal sets of a process say of one signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::check) enum Handling {
    Caught,
    /// A thread sits in sigtimedwait(2).
    Waited,
    Signalfd,
    /// Every thread blocks it, and nobody is seen to take it.
    Blocked,
    Ignored,
    Default,
}

impl Handling {
    /// As JSON has it.
    pub(in crate::check) fn name(self) -> &'static str {
        match self {
            Handling::Caught => "caught",
            Handling::Waited => "waited-for",
            Handling::Signalfd => "signalfd",
            Handling::Blocked => "blocked",
            Handling::Ignored => "ignored",
            Handling::Default => "default",
        }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Handling::Caught => "has a handler",
            Handling::Waited => "may be waited for (sigtimedwait)",
            Handling::Signalfd => "is read from a signalfd",
            Handling::Blocked => "is blocked in every thread",
            Handling::Ignored => "is ignored",
            Handling::Default => "has its default action",
        }
    }

    /// Whether the process has made arrangements to act on it.
    pub(super) fn is_taken(self) -> bool {
        match self {
            Handling::Caught | Handling::Waited | Handling::Signalfd => true,
            Handling::Blocked | Handling::Ignored | Handling::Default => false,
        }
    }
}

/// `None`: its sets were not seen.
pub(in crate::check) fn handling(process: &Process, signal: Signal) -> Option<Handling> {
    process.signals.map(|signals| handling_of(signals, signal))
}

/// What these sets say of it.
pub(in crate::check) fn handling_of(signals: Dispositions, signal: Signal) -> Handling {
    let Dispositions { caught, ignored, blocked, by_signalfd, waits_for_signals, .. } = signals;
    match () {
        () if by_signalfd.contains(signal) => Handling::Signalfd,
        () if blocked.contains(signal) && waits_for_signals => Handling::Waited,
        () if blocked.contains(signal) => Handling::Blocked,
        () if caught.contains(signal) => Handling::Caught,
        () if ignored.contains(signal) => Handling::Ignored,
        // While a thread waits for signals, its mask shows them as free and their action as the default one.
        () if waits_for_signals => Handling::Waited,
        // Their default action is to be ignored (signal(7)).
        () if [libc::SIGWINCH, libc::SIGURG].contains(&signal.number().into()) => Handling::Ignored,
        () => Handling::Default,
    }
}

/// A signal by which a program is known to stop, beside SIGTERM and SIGINT: haproxy(1), nginx(8), php-fpm(8), and the manuals
/// of httpd ("graceful-stop") and lighttpd.
const STOPS: [(&str, libc::c_int); 6] = [
    ("haproxy", libc::SIGUSR1),
    ("nginx", libc::SIGQUIT),
    ("php-fpm", libc::SIGQUIT),
    ("apache2", libc::SIGWINCH),
    ("httpd", libc::SIGWINCH),
    ("lighttpd", libc::SIGINT),
];

/// What else it handles of what was not tried in vain.
pub(super) enum Instead {
    /// It is known to stop by that.
    Known(Signal),
    /// That asks most programs to stop.
    Usual(Signal),
    /// They may mean anything.
    Others(Vec<Signal>),
}

/// A signal to stop it by. Shells handle SIGINT for themselves, and go on.
pub(super) fn handled_instead(scene: &Scene<'_>, process: &Process) -> Option<Instead> {
    if process.is_shell {
        return None;
    }
    let is_handled = |other: &Signal| {
        *other != scene.signal && !scene.was_tried(*other) && handling(process, *other) == Some(Handling::Caught)
    };
    let name = process.comm.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    let known = STOPS.iter().find(|(comm, _)| *comm == name).and_then(|(_, number)| Signal::new(*number));
    if let Some(known) = known.filter(is_handled) {
        return Some(Instead::Known(known));
    }
    if let Some(usual) = [Signal::TERM, Signal::INT].into_iter().find(is_handled) {
        return Some(Instead::Usual(usual));
    }
    // Those that people send by hand.
    let all = [libc::SIGHUP, libc::SIGQUIT, libc::SIGUSR1, libc::SIGUSR2];
    let others: Vec<Signal> = all.into_iter().filter_map(Signal::new).filter(is_handled).collect();
    (!others.is_empty()).then_some(Instead::Others(others))
}

/// S04.
pub(super) fn disposition(scene: &Scene<'_>) -> Option<Word> {
    let signal = scene.signal;
    let Some((process, found)) = scene.worst().and_then(main).and_then(|main| Some((main, handling(main, signal)?)))
    else {
        return Some(Word::skip("the signal sets of the command were not seen"));
    };
    let evidence = vec![format!("{signal} {} in {}", found.words(), Name(process))];
    let has_ended = scene.told().count() == scene.ended().count();
    let word = match (found, has_ended) {
        (Handling::Caught | Handling::Waited | Handling::Signalfd, _) => Word::pass(evidence),
        // That took no signal, and ended with its last command.
        (Handling::Default, true)
            if scene.mode == Mode::Pid1 && process.is_shell && scene.order.target == Target::Main =>
        {
            Word::new(Level::Warn, evidence).because(
                format!(
                    "the kernel drops {signal} for a process 1 that has no trap for it: it ended of its own accord"
                ),
                trap_or_init(scene, process),
            )
        }
        (Handling::Default, true) if scene.mode == Mode::Pid1 => ended_all_the_same(scene, Word::info(evidence)),
        // Not for process 1 alone: under us, and as a child, the default action ends it.
        (Handling::Default, _) if scene.mode != Mode::Pid1 => Word::info(evidence),
        (Handling::Blocked | Handling::Ignored, true) => ended_all_the_same(scene, Word::info(evidence)),
        (Handling::Default, _) => Word::new(Level::Warn, evidence).because(
            format!("the kernel drops {signal} for a process 1 that has no handler for it"),
            match process.is_shell {
                true => trap_or_init(scene, process),
                false if scene.worst().is_some_and(|run| is_deaf_front(scene, run, process)) => "see S01".to_owned(),
                false => format!("install a handler for {signal}, or start it under an init: supervise -- COMMAND"),
            },
        ),
        (Handling::Blocked | Handling::Ignored, false) => Word::new(Level::Warn, evidence)
            .because(format!("{signal} does not reach it"), format!("let it handle {signal}")),
    };
    Some(word)
}

/// What helps a shell that is process 1.
fn trap_or_init(scene: &Scene<'_>, shell: &Process) -> String {
    match is_before_a_pipeline(scene, shell) {
        true => "see S24".to_owned(),
        false => "give it a trap, or start it under an init: supervise --kill-mode tree -- COMMAND".to_owned(),
    }
}

/// What it ended of cannot be seen: a signal that it does not take is no reason.
fn ended_all_the_same(scene: &Scene<'_>, word: Word) -> Word {
    let of_others = match scene.order.target {
        Target::Main => "",
        Target::Group | Target::Tree => ", because what it waits for was ended by it",
    };
    let signal = scene.signal;
    let cause = format!(
        "it ended all the same: of its own accord{of_others}, or it takes {signal} in a way that its signal sets do not show"
    );
    word.because(cause, "")
}
