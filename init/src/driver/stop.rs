//! What a stop orders: telling, killing, naming, and having it explained.

use core::fmt;
use core::time::Duration;

use log::{debug, warn};

use super::say::log_sent;
use super::{Setting, Situation, World};
use crate::core::request::News;
use crate::core::{Child, End, Fate, KillMode, Machine, Name, Rung, Scope, Signal, Slow};
use crate::sys::{self, Errno, Helper, Pages, Pid, Told, TreeError};

impl World<'_, '_, '_> {
    pub(super) fn tell(&self, child: Child, mode: KillMode, signal: Signal) {
        let Some(slot) = self.slot(child) else { return };
        let Some(pid) = slot.pid else { return };
        match mode {
            KillMode::Main => log_sent(sys::send(pid, signal), slot.purpose(), pid, signal),
            KillMode::Group => log_sent(send_group(pid, signal), slot.purpose(), pid, signal),
            KillMode::Tree => {
                let sent = if signal == Signal::KILL { self.rest.kill() } else { self.rest.signal(signal) };
                match sent {
                    Ok(()) => debug!(event = "tell", signal = signal.number(); "sent {signal} to the whole tree"),
                    Err(error) => {
                        warn!("cannot send {signal} to the whole tree: {error}; sending it to the main program alone");
                        log_sent(sys::send(pid, signal), slot.purpose(), pid, signal);
                    }
                }
            }
        }
    }

    pub(super) fn climb(&mut self, rung: Rung) {
        match rung {
            Rung::PreStart => {
                debug!(event = "rung", rung = "pre-start"; "a stop was asked for; telling the pre-start step to end");
            }
            Rung::PreStop => debug!(event = "rung", rung = "pre-stop"; "a stop was asked for; running its hook first"),
            Rung::Delay => {
                debug!(event = "rung", rung = "delay"; "a stop was asked for; waiting before the main program is told");
            }
            Rung::Signal(signal) => {
                debug!(event = "rung", rung = "signal", signal = signal.number(); "telling the main program to stop with {signal}");
            }
            Rung::Kill => self.name_main(),
            Rung::Wait => debug!(event = "rung", rung = "wait"; "waiting for what the main program left behind"),
            // What is told and killed says so by name.
            Rung::Leftovers | Rung::KillLeftovers => {}
        }
        if let Rung::Signal(_) | Rung::Leftovers = rung {
            self.told = sys::now();
        }
    }

    pub(super) fn name_main(&mut self) {
        if let Some(pid) = self.slots.iter().find_map(|slot| slot.pid) {
            let comm = sys::comm(pid.number());
            let name = comm.as_ref().map_or("the main program", |name| name.as_str());
            warn!(event = "kill", pid = pid.number(), comm = name; "pid {pid} ({name}) has not ended; killing it");
            self.publish(News::Killed { pid: pid.number(), name: name_of(name) });
        }
    }

    pub(super) fn explain(&mut self, slow: Slow) {
        let Some(explain) = self.setting.explain.filter(|_| log::log_enabled!(log::Level::Warn)) else { return };
        let Some(main) = self.slots.iter().find_map(|slot| slot.number) else { return };
        // An earlier one that has not come to its end sits in /proc.
        if let Some(earlier) = self.helper.take() {
            earlier.end(Duration::ZERO);
        }
        let now = sys::now();
        let next = self.deadline.map(|deadline| deadline.since(now));
        let inherited = self.rest.inherited();
        let situation = Situation { slow, main, waited: now.since(self.told), next, inherited };
        match Helper::start(|| explain(&situation)) {
            Ok(helper) => self.helper = Some(helper),
            Err(errno) => {
                warn!("{} and cannot be explained: no helper can be started: {errno}", Unexplained(&situation))
            }
        }
        self.rest.set_helper(self.helper.as_ref().map(Helper::pid));
    }

    /// The wait for all does not see it.
    pub(super) fn reap_helper(&mut self, machine: &mut impl Machine) {
        if self.helper.as_ref().is_some_and(Helper::has_ended) {
            self.helper = None;
            self.rest.set_helper(None);
        }
        if let Some(listener) = &mut self.setting.listener {
            listener.reap_helpers();
            self.rest.set_others(listener.helpers());
        }
        self.reap_prober(machine);
        self.reap_takers();
        // What all of it has brought back into memory is not needed until the next one.
        self.sleep.give_back(Pages::of_the_program());
    }

    pub(super) fn tell_rest(&mut self, scope: Scope) {
        self.rest.set_scope(scope);
        // Before they are told: who ends by that at once has no name afterwards.
        if let Some(record) = &mut self.setting.record {
            // Without /proc there are no names.
            let _ = self.rest.name(|pid, name| record.note_told(pid.number(), name_of(name)));
        }
        let mut told = self.rest.tell_to_end();
        if let Err(error) = told
            && self.setting.scope == Scope::Namespace
        {
            // A process 1 can tell all at once, with whoever else is there: better than what would live on beside the next life.
            warn!(
                "cannot tell what the main program left behind from others in the namespace: {error}; telling all of them to end"
            );
            self.rest.set_scope(Scope::Namespace);
            told = self.rest.tell_to_end();
        }
        match told {
            Ok(Told::Somebody) => debug!(event = "tell"; "told what is left to end"),
            Ok(Told::Nobody) => {}
            Err(error) => cannot_signal_rest(error),
        }
    }

    /// A group has its leader's number as long as anybody is in it, also when the leader is reaped; and if nobody is,
    /// the number is not another group's so soon.
    pub(super) fn tell_group(&self, child: Child, signal: Signal) {
        let Some(leader) = self.slot(child).and_then(|slot| slot.number) else { return };
        if sys::send_group(leader, signal).is_ok() {
            debug!(event = "tell", signal = signal.number(); "sent {signal} to what is left of the main program's group");
        }
    }

    pub(super) fn kill_tree(&self, child: Child) {
        let Some(pid) = self.slot(child).and_then(|slot| slot.pid) else { return };
        if let Err(error) = self.rest.kill_tree(pid) {
            warn!("cannot find what pid {pid} has started: {error}; killing it alone");
        }
    }

    pub(super) fn kill_rest(&self) {
        if let Err(error) = self.rest.kill() {
            cannot_signal_rest(error);
        }
    }

    pub(super) fn signal_rest(&self, signal: Signal) {
        if let Err(error) = self.rest.signal(signal) {
            cannot_signal_rest(error);
        }
    }

    pub(super) fn name_rest(&mut self, fate: Fate) {
        let Setting { record, listener, .. } = &mut self.setting;
        let mut count = 0_u32;
        let named = self.rest.name(|pid, name| {
            count = count.saturating_add(1);
            let end = match fate {
                Fate::Killed => End::Killing,
                Fate::LeftBehind => End::LeftBehind,
            };
            if let Some(record) = record {
                record.note_fate(pid.number(), name_of(name), end);
            }
            if count <= NAMED {
                say_fate(fate, pid, name);
                if let (Some(listener), Fate::Killed) = (&mut *listener, fate) {
                    listener.publish(News::Killed { pid: pid.number(), name: name_of(name) });
                }
            }
        });
        if let Err(error) = named {
            warn!("some processes did not end and cannot be named: {error}");
        }
        match (fate, count.saturating_sub(NAMED)) {
            (_, 0) => {}
            (Fate::Killed, more) => {
                warn!(event = "kill", count = more; "{more} more processes have not ended after SIGTERM; killing them");
            }
            (Fate::LeftBehind, more) => {
                warn!(event = "stuck", count = more; "{more} more processes did not end after SIGKILL; leaving them behind");
            }
        }
    }
}

/// More processes than these are counted: thousands of lines would take longer than killing them does.
const NAMED: u32 = 20;

fn say_fate(fate: Fate, pid: Pid, name: &str) {
    match fate {
        Fate::Killed => {
            warn!(event = "kill", pid = pid.number(), comm = name; "pid {pid} ({name}) has not ended after SIGTERM; killing it");
        }
        Fate::LeftBehind => {
            warn!(event = "stuck", pid = pid.number(), comm = name; "pid {pid} ({name}) did not end after SIGKILL; leaving it behind");
        }
    }
}

/// To the program's group. It may have left that for another one, or may not have got one.
pub(super) fn send_group(pid: Pid, signal: Signal) -> Result<(), Errno> {
    sys::send_group(pid, signal).or_else(|_| sys::send(pid, signal))
}

/// What is known without a look at anybody.
struct Unexplained<'a>(&'a Situation<'a>);

impl fmt::Display for Unexplained<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Situation { slow, main, waited, .. } = self.0;
        let seconds = waited.as_secs();
        match slow {
            Slow::Main(signal) => write!(f, "the main program (pid {main}) is still there {seconds} s after {signal},"),
            Slow::Leftovers(_) => write!(f, "something is still there {seconds} s after it was told to end,"),
            Slow::MainKilled => write!(f, "the main program (pid {main}) was killed by somebody else,"),
        }
    }
}

/// The kernel's 15 bytes of a name.
pub(super) fn name_of(name: &str) -> Name {
    let mut kept = Name::default();
    for (place, byte) in kept.iter_mut().zip(name.bytes()) {
        *place = byte;
    }
    kept
}

fn cannot_signal_rest(error: TreeError) {
    warn!("cannot signal all that the main program left behind: {error}; waiting for it all the same");
}
