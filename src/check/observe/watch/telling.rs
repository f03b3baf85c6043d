//! From the sign that the command is ready to the signal.

use std::collections::HashMap;
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;

use nix::errno::Errno;
use nix::sys::epoll::{EpollEvent, EpollFlags};
use supervise_init::core::{Signal, Time};
use supervise_init::sys::now;

use super::super::halting::{self, Halting};
use super::super::listeners::Listeners;
use super::super::notify::Hearing;
use super::super::orphan;
use super::super::picture::catches_all;
use super::super::settling::Settling;
use super::super::tree::{Life, Seen, Whom};
use super::super::visits::Visits;
use super::{ORPHAN, State, Step, Watch};
use crate::check::record::{Facility, Missing, Outcome, What};
use crate::check::scenario::{Mode, Orphan, Target, Way};

impl Watch<'_> {
    /// Puts an orphan in, where there is a process 1 that has to reap it. Once: the further runs show something else, and
    /// where it is not reaped its time would be waited for in each of them.
    pub(super) fn settle(&mut self, time: Time) {
        /// The command, and what is in front of it, is among them.
        const FIRST: usize = 20;
        self.deadline = None;
        let has_orphan = self.scenario.mode != Mode::Child && self.scenario.orphan == Orphan::PutIn;
        if self.scenario.orphan == Orphan::LeftOut && self.scenario.way == Way::Usual {
            let why = "no orphan is put in: the run before did not survive one".to_owned();
            self.run.missing.push(Missing { facility: Facility::Orphan, why });
        }
        let root = self.tree.seen.first().filter(|_| has_orphan);
        let root = root.and_then(|root| root.pidfd.as_ref());
        match root.map(|root| orphan::Orphan::put(root.as_fd())) {
            Some(Ok(orphan)) => {
                self.tree.excluded = Some(orphan.pid);
                let _ = self.epoll.add(&orphan, EpollEvent::new(EpollFlags::EPOLLIN, ORPHAN));
                self.orphan = Some(orphan);
                self.note(now(), What::PutIn);
            }
            Some(Err(errno)) => {
                let why = format!("no orphan can be put in: {}", supervise_init::sys::Errno(errno as i32));
                self.run.missing.push(Missing { facility: Facility::Orphan, why });
            }
            None => {}
        }
        let settling = Settling::begin(&self.scenario.ready, time);
        let settling = if self.orphan.is_some() { settling.with_orphan() } else { settling };
        let is_unshown = self.tree.living().take(FIRST).any(|seen| catches_all(seen.process.pid));
        self.settling = Some(if is_unshown { settling.with_unshown_handlers(&self.scenario.ready) } else { settling });
    }

    /// Stops the command, where that is asked for: as a terminal, a debugger or an administrator may have done.
    pub(super) fn halt(&mut self, time: Time) {
        if self.scenario.way != Way::StoppedFirst {
            return self.turn(Step::Halted, time);
        }
        self.look(now());
        let inits = usize::from(self.scenario.mode == Mode::Init);
        let first = |count| (inits..self.tree.seen.len()).filter(|place| self.lives(*place)).take(count).collect();
        let (whom, places): (Whom, Vec<usize>) = match self.scenario.target {
            Target::Main => (Whom::It, first(1)),
            Target::Group => (Whom::Group, first(1)),
            Target::Tree => (Whom::It, first(usize::MAX)),
        };
        for seen in places.iter().filter_map(|place| self.tree.seen.get(*place)) {
            // Who has ended will be told of.
            let _ = seen.send(whom, Signal::STOP);
        }
        let time = now();
        self.deadline = Some(time.after(halting::LONGEST));
        self.halting = Some(Halting::begin(places, time));
    }

    fn lives(&self, place: usize) -> bool {
        self.tree.seen.get(place).is_some_and(|seen| seen.life == Life::Lives)
    }

    pub(super) fn see_halted(&mut self, time: Time) {
        let tree = &self.tree;
        if self.halting.as_mut().is_some_and(|halting| halting.is_over(time, tree)) {
            self.note(time, What::Halted);
            self.turn(Step::Halted, time);
        }
    }

    pub(super) fn tell(&mut self) {
        self.look(now());
        let sockets = self.tree.look_again();
        self.find_listeners(&sockets);
        let signal = self.scenario.signal;
        let living: Vec<&Seen> = self.tree.living().collect();
        let (whom, count) = match self.scenario.target {
            Target::Main => (Whom::It, 1),
            Target::Group => (Whom::Group, 1),
            Target::Tree => (Whom::It, living.len()),
        };
        // The last thing before the signal: what has ended by itself was not stopped by it.
        let mains = 1 + usize::from(self.scenario.mode == Mode::Init);
        let has_ended = self.tree.seen.iter().take(mains).any(Seen::has_ended);
        let time = now();
        let mut results = living.iter().take(count).filter(|_| !has_ended).map(|seen| seen.send(whom, signal));
        // Main is the first. That another one has just ended will be told.
        let first = if has_ended { Some(Err(Errno::ESRCH)) } else { results.next() };
        results.for_each(drop);
        match first {
            Some(Err(Errno::ESRCH)) => {
                self.state = State::Settling;
                return self.turn(Step::MainEnded, time);
            }
            Some(Err(errno)) => {
                let errno = supervise_init::sys::Errno(errno as i32);
                self.run.outcome = Outcome::NotPossible(format!("{signal} cannot be sent to it: {errno}"));
                self.state = State::Settling;
                return self.turn(Step::Asked, time);
            }
            Some(Ok(())) | None => {}
        }
        if self.scenario.way == Way::StoppedFirst {
            for seen in living.iter().take(count) {
                let _ = seen.send(whom, Signal::CONT);
            }
        }
        self.tree.told = mains;
        self.hearing.iter_mut().for_each(Hearing::begin_stop);
        self.run.signal_at = Some(self.at(time));
        self.deadline = Some(time.after(self.scenario.grace));
        if self.scenario.way == Way::Visited {
            self.visits = Some(Visits::begin(self.listeners.addresses(), time));
        }
        self.next_listen = self.listeners.pause(self.at(time)).map(|pause| time.after(pause));
        self.note(time, What::Sent { signal, target: self.scenario.target.name().to_owned() });
        if self.scenario.way == Way::StoppedFirst {
            self.note(time, What::Continued);
        }
    }

    fn find_listeners(&mut self, sockets: &HashMap<u64, Vec<i32>>) {
        if self.tree.is_closed {
            let why =
                "not all of its processes may be looked into: they are another user's, or let nobody (PR_SET_DUMPABLE)";
            self.run.missing.push(Missing { facility: Facility::Sockets, why: why.to_owned() });
        }
        let ours = network_of(std::process::id().cast_signed());
        let mut all = sockets.values().flatten();
        if let Some(pid) = all.find(|pid| network_of(**pid).is_some_and(|its| Some(its) != ours)) {
            let why = format!("pid {pid} is in another network namespace, whose sockets are not looked at");
            self.run.missing.push(Missing { facility: Facility::Sockets, why });
        }
        self.listeners = Listeners::find(sockets, self.at(now()));
    }

    pub(super) fn see_orphan(&mut self, flags: EpollFlags, time: Time) {
        let Some(orphan) = &mut self.orphan else { return };
        // Afterwards the kernel reaps it, at the end of all.
        match self.state {
            State::Settling if flags.contains(EpollFlags::EPOLLHUP) => orphan.see_reaped(time),
            State::Settling => orphan.see_died(time),
            _ => {}
        }
        if orphan.is_reaped() || self.state != State::Settling {
            let _ = self.epoll.delete(&orphan);
            self.settling.iter_mut().for_each(|settling| settling.see_reaped(time));
        } else {
            let _ = self.epoll.modify(&orphan, &mut EpollEvent::new(EpollFlags::empty(), ORPHAN));
        }
    }
}

/// Which network namespace it is in, by its inode.
fn network_of(pid: i32) -> Option<u64> {
    std::fs::metadata(format!("/proc/{pid}/ns/net")).ok().map(|file| file.ino())
}
