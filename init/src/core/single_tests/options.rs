//! The options of a run, in milliseconds: as the machine takes them, and what signals mean by them.

use core::time::Duration;
use std::boxed::Box;
use std::vec::Vec;

use crate::core::request::{Ask, Manager, Program, Request, Wish};
use crate::core::{
    Child, ExitMap, Forwarding, Group, Hurry, JobControl, KillMode, Ladder, Leftovers, Note, OnReboot, OnSignalDeath,
    Policy, Scope, Sender, Signal, StopSignal, StopSignals, Time,
};

/// A second.
pub(super) const S: u64 = 1000;

pub(super) const USR1: Signal = number(10);
pub(super) const USR2: Signal = number(12);

pub(super) const fn number(number: i32) -> Signal {
    match Signal::new(number) {
        Some(signal) => signal,
        None => panic!("no signal has that number"),
    }
}

pub(super) fn at(milliseconds: u64) -> Time {
    Time::from_start(Duration::from_millis(milliseconds))
}

pub(super) fn milliseconds(time: Time) -> u64 {
    u64::try_from(time.since(at(0)).as_millis()).expect("it is short")
}

/// What `--rewrite` says. HUP is ignored in all of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Table {
    /// Nothing more.
    Plain,
    /// TERM=QUIT, INT=TERM, USR2=KILL, CONT=ignore.
    Rewritten,
    /// TERM=ignore, INT=ignore, USR1=TERM, USR2=CONT.
    Deaf,
    /// TERM=KILL, USR1=TERM.
    Lethal,
    /// TERM and USR1 are passed on as QUIT, and INT not at all: by none of them does a stop begin. USR2 stops us beside
    /// main, which gets STOP for it; and so does CONT, for which it gets nothing.
    Passing,
}

impl Table {
    const PAIRS: [(Table, Signal, Option<Signal>); 10] = [
        (Table::Rewritten, Signal::TERM, Some(Signal::QUIT)),
        (Table::Rewritten, Signal::INT, Some(Signal::TERM)),
        (Table::Rewritten, USR2, Some(Signal::KILL)),
        (Table::Rewritten, Signal::CONT, None),
        (Table::Deaf, Signal::TERM, None),
        (Table::Deaf, Signal::INT, None),
        (Table::Deaf, USR1, Some(Signal::TERM)),
        (Table::Deaf, USR2, Some(Signal::CONT)),
        (Table::Lethal, Signal::TERM, Some(Signal::KILL)),
        (Table::Lethal, USR1, Some(Signal::TERM)),
    ];
}

/// The options of one run. Times are in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    pub(super) table: Table,
    /// The hooks before main, each with its limit.
    pub(super) before: &'static [Option<u64>],
    /// The limit of the hook before a stop, if there is one.
    pub(super) pre_stop: Option<u64>,
    pub(super) delay: u64,
    /// Each with the time until the next; that of the last says nothing.
    pub(super) rungs: &'static [(Signal, u64)],
    pub(super) kill_mode: KillMode,
    pub(super) grace: Option<u64>,
    pub(super) leftovers: Leftovers,
    pub(super) leftover_grace: Option<u64>,
    pub(super) max_time: Option<u64>,
    pub(super) group: Group,
    pub(super) job_control: JobControl,
    pub(super) scope: Scope,
    pub(super) on_signal_death: OnSignalDeath,
    pub(super) hurry: Hurry,
    pub(super) parting: Option<Signal>,
    pub(super) has_main: bool,
    pub(super) requests: Option<Manager>,
    pub(super) on_reboot: OnReboot,
    pub(super) may_restart: bool,
}

impl Options {
    /// What holds without any option, for a child of a shell.
    pub(super) const NONE: Options = Options {
        table: Table::Plain,
        before: &[],
        pre_stop: None,
        delay: 0,
        rungs: &[],
        kill_mode: KillMode::Main,
        grace: None,
        leftovers: Leftovers::Stop,
        leftover_grace: None,
        max_time: None,
        group: Group::Shared,
        job_control: JobControl::Caller,
        scope: Scope::Tree,
        on_signal_death: OnSignalDeath::DieOfIt,
        hurry: Hurry::All,
        parting: None,
        has_main: true,
        requests: None,
        on_reboot: OnReboot::Exit,
        may_restart: false,
    };

    /// The same, as the machine takes it; its parts live as long as the tests.
    pub(super) fn policy(&self) -> Policy<'static> {
        let time = |milliseconds| Duration::from_millis(milliseconds);
        let mut forwarding = Forwarding::DEFAULT;
        forwarding.rewrite(Signal::HUP, None);
        for (_, from, to) in Table::PAIRS.into_iter().filter(|(table, ..)| *table == self.table) {
            forwarding.rewrite(from, to);
        }
        if self.table == Table::Passing {
            forwarding.pass_on(Signal::TERM, Some(Signal::QUIT));
            forwarding.pass_on(USR1, Some(Signal::QUIT));
            forwarding.pass_on(Signal::INT, None);
            forwarding.suspend(USR2, Some(Signal::STOP));
            forwarding.suspend(Signal::CONT, None);
        }
        let mut signals = StopSignals::AS_ASKED;
        for (place, (signal, then)) in self.rungs.iter().enumerate() {
            let then = (place + 1 < self.rungs.len()).then(|| time(*then));
            signals.push(StopSignal { signal: *signal, then }).expect("it is short");
        }
        if let Some((first, _)) = self.rungs.first() {
            forwarding.make_stop(*first);
        }
        let mut exit_map = ExitMap::NONE;
        exit_map.map_code(7, 70);
        exit_map.map_signal(USR1, 71);
        let ladder = Ladder {
            pre_stop: self.pre_stop.map(time),
            delay: time(self.delay),
            signals,
            kill_mode: self.kill_mode,
            grace: self.grace.map(time),
            leftovers: self.leftovers,
            leftover_grace: self.leftover_grace.map(time),
            max_time: self.max_time.map(time),
        };
        let before: Vec<_> = self.before.iter().map(|limit| limit.map(time)).collect();
        Policy {
            before: Box::leak(before.into_boxed_slice()),
            forwarding: Box::leak(Box::new(forwarding)),
            exit_map: Box::leak(Box::new(exit_map)),
            group: self.group,
            job_control: self.job_control,
            scope: self.scope,
            ladder: Box::leak(Box::new(ladder)),
            on_signal_death: self.on_signal_death,
            hurry: self.hurry,
            parting: self.parting,
            requests: self.requests,
            on_reboot: self.on_reboot,
            may_restart: self.may_restart,
        }
    }

    /// An age beyond which nothing depends on how old something is.
    pub(super) fn oldest(&self) -> u64 {
        let told = self.pre_stop.unwrap_or(0) + self.delay + self.length();
        let own = if self.max_time.is_some() || self.requests.is_some() { told + 10 * S } else { told + 5 * S };
        own.max(self.grace.unwrap_or(0)).max(9 * S)
    }

    /// Behind main and the hooks before it.
    pub(super) fn stop_hook(&self) -> Child {
        Child(u8::try_from(self.before.len()).expect("they are few") + 1)
    }

    pub(super) fn length(&self) -> u64 {
        self.rungs.iter().rev().skip(1).map(|(_, then)| then).sum()
    }

    pub(super) fn shares_group(&self) -> bool {
        self.group != Group::Own
    }

    /// What somebody asks for by a signal. The clients in these worlds are a busybox, which means a reboot, a halt and a
    /// poweroff by its three signals, and managers of whole systems.
    pub(super) fn ask_of(&self, signal: Signal, sender: Sender) -> Option<Ask> {
        // Who asks for a signal by name means that one.
        let manager = self.requests.filter(|_| !matches!(sender, Sender::Client { .. }))?;
        let busybox = matches!(sender, Sender::Process { program: Program::Busybox, .. });
        let rewritten = [Signal::TERM, Signal::INT, Signal::CONT, USR2];
        let is_rewritten = self.table != Table::Plain && rewritten.contains(&signal);
        let wish = match signal.number() {
            38 => Wish::Poweroff,
            15 if busybox && !is_rewritten => Wish::Reboot,
            12 if busybox && !is_rewritten => Wish::Poweroff,
            10 if busybox => Wish::Halt,
            2 if sender == Sender::Outside && manager == Manager::OfSystems && !is_rewritten => Wish::Reboot,
            _ => return None,
        };
        Some(Ask::End(Request::orderly(wish)))
    }

    /// What SIGTERM becomes.
    pub(super) fn usual_signal(&self) -> Signal {
        match self.meaning(Signal::TERM) {
            Meaning::Stop(signal) => signal,
            _ => Signal::TERM,
        }
    }

    /// What a signal that is not taken otherwise means.
    pub(super) fn meaning(&self, signal: Signal) -> Meaning {
        match (self.table, signal) {
            (Table::Passing, Signal::TERM | USR1) => return Meaning::Forward(Signal::QUIT),
            (Table::Passing, Signal::INT) => return Meaning::Nothing(Note::Ignored),
            (Table::Passing, USR2) => return Meaning::Suspend(Some(Signal::STOP)),
            (Table::Passing, Signal::CONT) => return Meaning::Suspend(None),
            _ => {}
        }
        let pair = Table::PAIRS.into_iter().find(|(table, from, _)| *table == self.table && *from == signal);
        match (pair, self.rungs.first()) {
            (Some((_, _, None)), _) => Meaning::Nothing(Note::Ignored),
            (Some((_, from, Some(to))), _) if from == Signal::TERM || to == Signal::TERM => Meaning::Stop(to),
            (Some((_, _, Some(to))), _) => Meaning::Forward(to),
            (None, _) if matches!(signal, Signal::HUP | Signal::CHLD) => Meaning::Nothing(Note::Ignored),
            (None, _) if signal == Signal::TERM => Meaning::Stop(signal),
            (None, Some((first, _))) if signal == *first => Meaning::Stop(signal),
            (None, _) => Meaning::Forward(signal),
        }
    }
}

/// What becomes of a signal.
pub(super) enum Meaning {
    Stop(Signal),
    Forward(Signal),
    /// Main gets this, and we stop.
    Suspend(Option<Signal>),
    Nothing(Note),
}
