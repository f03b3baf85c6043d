//! The loop of process 1: wait, ask the machine, obey. Nothing is decided here.
//!
//! One turn: signals, then reaping until nothing is left, then (when there are any) pipes from children and requests,
//! then deadlines. A deadline that races with the exit it waits for must lose.
//!
//! 1. Children are reaped in one place, and a pid is signalled only between its start and its reaping.
//! 2. The loop sleeps until something happens: no tick, no poll.
//! 3. Signals other than SIGCHLD are delivered at once, also while a storm of exits is reaped.

mod care;
mod notify;
mod requests;
mod say;
mod setting;
mod slot;
mod stop;
mod takers;

use core::mem;
use core::time::Duration;

use log::{debug, info, trace, warn};

pub use self::care::Care;
use self::care::LeftBy;
pub use self::notify::Hearing;
pub use self::requests::{Listener, Offer, Places, Sockets};
pub use self::setting::{ForwardTo, Kept, Setting, Situation};
pub use self::slot::{Purpose, Slot};

use self::say::{log_blame, log_end, log_end_of_check, log_event, log_outcome, log_sent};
use self::stop::{name_of, send_group};
use crate::core::request::{News, Standing};
use crate::core::{
    Action, Child, Event, Ladder, Left, Machine, Note, Outcome, Pace, Pause, Received, Sender, Signal, StartError,
    Status, Time,
};
use crate::sys::{self, Change, Errno, Fd, Given, Helper, Pages, Pid, Pipe, Reaped, Rest, SigSet, Sleep, Wake};

/// What the machine acts on: its programs, and what else is left in the scope.
struct World<'a, 's, 'l> {
    slots: &'a mut [Slot<'s>],
    setting: Setting<'a, 'l>,
    helper: Option<Helper>,
    /// When what may be slow was told.
    told: Time,
    rest: Rest,
    sleep: Sleep,
    pace: Pace,
    /// A child has ended, but is not to be reaped before this time.
    held: Option<Time>,
    deadline: Option<Time>,
    outcome: Option<Outcome>,
    /// Why the last signal that went nowhere did so.
    dropped: Option<Note>,
    /// Signals cannot be waited for, and that was said.
    deaf: bool,
    /// What only the start needs is let go of.
    settled: bool,
    /// Our sockets were looked at last.
    has_heard: bool,
}

/// How long an explanation may hold up our end. It takes some milliseconds, and 300 more where somebody may be stuck.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// While a round of reaping is this long, signals are looked for in between.
const ROUND: u32 = 64;

/// Runs until the machine says how to end. From the first start on, nothing else ends it. The first of the slots is
/// main's.
pub fn run(machine: &mut impl Machine, slots: &mut [Slot<'_>], setting: Setting<'_, '_>) -> Outcome {
    let mut world = World {
        slots,
        rest: Rest::new(setting.scope, setting.ourselves),
        sleep: Sleep::new(setting.ourselves),
        setting,
        helper: None,
        told: sys::now(),
        pace: Pace::default(),
        held: None,
        deadline: None,
        outcome: None,
        dropped: None,
        deaf: false,
        settled: false,
        has_heard: false,
    };
    if let Some(care) = &mut world.setting.care {
        care.begin(world.setting.ourselves);
    }
    world.deliver(machine, Event::Begin);
    loop {
        if !world.settled && world.outcome.is_none() && world.slots.first().is_none_or(Slot::has_begun) {
            world.settle();
        }
        if let Some(outcome) = world.outcome {
            for slot in world.slots.iter_mut() {
                slot.take_terminal();
            }
            if let Some(helper) = world.helper.take() {
                helper.end(LAST_WORDS);
            }
            if let Some(care) = &mut world.setting.care {
                care.end(&mut world.sleep, world.setting.ourselves);
            }
            return outcome;
        }
        world.turn(machine);
    }
}

impl World<'_, '_, '_> {
    /// Main runs, or there is none: lets go of what is not ours to hold then. A hook before the stop begins where main
    /// did.
    fn settle(&mut self) {
        self.settled = true;
        let Kept { descriptors, directory } = self.setting.kept;
        if !descriptors {
            let listener =
                self.setting.listener.as_ref().map_or([None; Listener::DESCRIPTORS], |listener| listener.descriptors());
            let hearing = self.setting.care.as_ref().map_or([None; 2], |care| care.hearing.descriptors());
            let mut spared = [self.setting.spared.map(Fd::raw); 3 + Listener::DESCRIPTORS];
            for (to, from) in spared.iter_mut().skip(1).zip(listener.into_iter().chain(hearing)) {
                *to = from;
            }
            sys::close_from_3(&spared);
        }
        if !directory
            && !self.slots.iter().any(|slot| slot.purpose() == Purpose::PreStop)
            && let Err(errno) = sys::change_dir_to_root()
        {
            warn!("cannot change to /: {errno}; the working directory stays in use");
        }
        // The start is over, and most of it is never needed again.
        self.sleep.give_back(Pages::of_the_program());
    }

    fn turn(&mut self, machine: &mut impl Machine) {
        let wake = earliest(self.held, self.appointment());
        let set = if self.held.is_some() { SigSet::ALL.without(Signal::CHLD) } else { SigSet::ALL };
        match self.wait_signal(set, wake) {
            // SIGCHLD does not queue: one may stand for many exits.
            Wake::Signal(received) if received.signal == Signal::CHLD => {
                trace!(event = "child-signal"; "a child has ended, or was stopped");
                self.held = self.pace.hold_until(sys::now());
                if self.held.is_none() {
                    self.reap(machine);
                }
            }
            Wake::Signal(received) => self.take_signal(machine, received),
            Wake::Helper => self.reap_helper(machine),
            Wake::Nothing => {}
            Wake::Refused(errno) => self.wait_without_signals(machine, errno),
        }
        if let Some(wake) = wake
            && self.outcome.is_none()
            && sys::now() >= wake
        {
            self.held = None;
            self.reap(machine);
            self.reach_deadline(machine);
            self.reach_care(machine);
        }
    }

    /// The lowest one that waits; but somebody who never ends to write to our sockets does not keep us from the others, of
    /// which real-time signals come behind SIGIO.
    fn wait_signal(&mut self, set: SigSet, until: Option<Time>) -> Wake {
        if mem::take(&mut self.has_heard) {
            let wake = self.sleep.wait_signal(set.without(Signal::IO), Some(Duration::ZERO));
            if wake != Wake::Nothing {
                return wake;
            }
            // What all of it has brought back into memory is not needed until the next word.
            self.sleep.give_back(Pages::of_the_program());
        }
        self.sleep.wait_signal(set, until.map(|until| until.since(sys::now())))
    }

    /// When something is due, of the machine or of what looks after main.
    fn appointment(&self) -> Option<Time> {
        earliest(self.deadline, self.setting.care.as_ref().and_then(|care| care.wake()))
    }

    /// The weaker thing: the program runs to its end, and its code is ours.
    fn wait_without_signals(&mut self, machine: &mut impl Machine, errno: Errno) {
        if !self.deaf {
            self.deaf = true;
            warn!("cannot wait for signals: {errno}; forwarding none, and waiting for the command's end");
        }
        sys::wait_child(self.appointment().map(|at| at.since(sys::now())));
        self.reap(machine);
        self.reach_deadline(machine);
        self.reach_care(machine);
    }

    fn reach_deadline(&mut self, machine: &mut impl Machine) {
        if self.outcome.is_none() && self.deadline.is_some_and(|deadline| sys::now() >= deadline) {
            self.deadline = None;
            self.deliver(machine, Event::Deadline);
        }
    }

    /// A round: everything that has ended, then what that leaves.
    fn reap(&mut self, machine: &mut impl Machine) {
        if self.hears_main() {
            // What main has said before its end is a word of main's.
            self.hear_main(machine);
        }
        let mut count = 0_u32;
        let left = loop {
            let (reaped, left_by) =
                if self.setting.care.is_some() { self.reap_beside_prober() } else { (sys::reap(), LeftBy::Others) };
            let (pid, change) = match reaped {
                Reaped::Nothing(Left::Some) => break self.left(),
                Reaped::Nothing(Left::None) => break Left::None,
                Reaped::Child(pid, change) => (pid, change),
            };
            self.child_changed(machine, pid, change, left_by);
            count = count.wrapping_add(1);
            // We may have been stopped with it for long.
            if count.is_multiple_of(ROUND) || matches!(change, Change::Stopped(_)) {
                self.take_signals(machine);
            }
        };
        if let Some(listener) = &self.setting.listener {
            listener.end_stopped_speaker();
        }
        self.receive_again();
        self.pace.reaped(sys::now());
        match left {
            Left::None => debug!(event = "empty"; "no child is left"),
            Left::Some => trace!(event = "left"; "no other child has ended"),
        }
        self.deliver(machine, Event::Reaped(left));
    }

    /// SIGIO by the kernel, or by ourselves, is not for main: it tells us of our own descriptors.
    fn take_signal(&mut self, machine: &mut impl Machine, received: Received) {
        let is_ours = matches!(received.sender, Sender::Kernel | Sender::Ourselves);
        if received.signal == Signal::IO && is_ours && (self.setting.listener.is_some() || self.hears_main()) {
            self.hear_main(machine);
            self.look_at_files(machine);
            self.note_takers();
            self.has_heard = true;
        } else {
            let received = self.identified(received);
            self.deliver(machine, Event::Signalled(received));
        }
    }

    /// But for SIGIO: of what never ends coming there is always one. What comes behind one that ends a life is for the next to
    /// hear.
    fn take_signals(&mut self, machine: &mut impl Machine) {
        while self.outcome.is_none() {
            let set = SigSet::ALL.without(Signal::CHLD).without(Signal::IO);
            match self.sleep.wait_signal(set, Some(Duration::ZERO)) {
                Wake::Signal(received) => self.take_signal(machine, received),
                Wake::Helper => self.reap_helper(machine),
                Wake::Nothing | Wake::Refused(_) => return,
            }
        }
    }

    fn child_changed(&mut self, machine: &mut impl Machine, pid: Pid, change: Change, left_by: LeftBy) {
        if let Change::Ended(status) = change {
            let is_followed = self.is_main(pid) && machine.standing() == Standing::Running && self.follow_main(pid);
            self.forget_child(pid, status);
            if is_followed {
                return log_end(Some(Purpose::Main), pid, status);
            }
        }
        let child = self.slots.iter_mut().zip(0..).find(|(slot, _)| slot.pid == Some(pid));
        match (child, change) {
            (Some((slot, index)), Change::Ended(status)) => {
                slot.pid = None;
                // From here on the keys are for us: the second Ctrl-C in a row hurries what is left.
                let was_in_front = slot.take_terminal();
                // Main may have it, and a hook before the stop never had.
                if slot.purpose() != Purpose::PreStop {
                    slot.take_terminal_of_the_dead(pid, status);
                }
                log_end(Some(slot.purpose()), pid, status);
                if slot.purpose() == Purpose::Main {
                    self.tell_end(pid, status);
                    if let Some(signal) = status.key().filter(|_| was_in_front) {
                        self.deliver(machine, Event::Pressed(signal));
                    }
                }
                self.deliver(machine, Event::Ended(Child(index), status));
            }
            (Some((slot, index)), Change::Stopped(by)) => {
                let who = slot.purpose();
                debug!(event = "stopped", pid = pid.number(), signal = by.number(); "{who} (pid {pid}) was stopped by {by}");
                let terminal = slot.terminal(pid);
                self.deliver(machine, Event::Stopped(Child(index), by, terminal));
            }
            (None, Change::Ended(status)) if left_by == LeftBy::ACheck => log_end_of_check(pid, status),
            (None, Change::Ended(status)) => {
                log_end(None, pid, status);
                if let Some(listener) = &mut self.setting.listener {
                    listener.count_orphan();
                }
            }
            // Whoever stopped it, or its own shell, continues it.
            (None, Change::Stopped(_)) => {}
        }
    }

    /// A child has ended, whatever it was.
    fn forget_child(&mut self, pid: Pid, status: Status) {
        self.rest.forget(pid);
        self.forget_named(pid);
        if let Some(record) = &mut self.setting.record {
            record.note_end(sys::now(), pid.number(), status);
        }
    }

    fn is_main(&self, pid: Pid) -> bool {
        self.slots.first().is_some_and(|slot| slot.pid == Some(pid))
    }

    /// Main has ended, and may have said who is main from now on: as a daemon does that goes into the background.
    fn follow_main(&mut self, former: Pid) -> bool {
        let Some(successor) = self.take_successor() else { return false };
        if let Some(main) = self.slots.first_mut() {
            (main.pid, main.number) = (Some(successor), Some(successor));
        }
        if let Some(record) = &mut self.setting.record {
            record.note_successor(successor.number());
        }
        info!(event = "main-followed", pid = successor.number(); "the command goes on as pid {successor}, which it has named");
        self.publish(News::Followed { pid: successor.number(), former: former.number() });
        true
    }

    /// Tells the machine and obeys it, also in what its orders lead to at once.
    fn deliver(&mut self, machine: &mut impl Machine, event: Event) {
        let mut next = Some(event);
        while let Some(event) = next.take() {
            log_event(event);
            for action in machine.on(sys::now(), event).iter() {
                self.note(event, action);
                self.tell_order(event, action);
                if let Action::Answer(ask, heard) = action {
                    self.answer(event, ask, heard);
                }
                if let Some(consequence) = self.obey(action) {
                    next = Some(consequence);
                }
            }
        }
        self.look_after(machine);
    }

    fn note(&mut self, event: Event, action: Action) {
        let Some(record) = &mut self.setting.record else { return };
        record.note(sys::now(), event, action);
        if let (
            Event::Signalled(Received { sender: Sender::Process { pid, .. } | Sender::Client { pid, .. }, .. }),
            Action::Climb(_),
        ) = (event, action)
            && let Some(name) = sys::comm(pid)
        {
            record.note_asker(name_of(name.as_str()));
        }
    }

    fn obey(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Spawn(child) => return self.spawn(child).err().map(|why| Event::NotStarted(child, why)),
            Action::Signal(child, signal) => self.signal(child, signal),
            Action::Tell(child, mode, signal) => self.tell(child, mode, signal),
            Action::Climb(rung) => self.climb(rung),
            Action::Explain(slow) => self.explain(slow),
            Action::KillTree(child) => self.kill_tree(child),
            Action::Blame(child, fault) => self.slot(child).into_iter().for_each(|slot| log_blame(slot, fault)),
            Action::TellRest(scope) => self.tell_rest(scope),
            Action::TellGroup(child, signal) => self.tell_group(child, signal),
            Action::LookForRest => {
                let left = if sys::has_children() { self.left() } else { Left::None };
                return Some(Event::Reaped(left));
            }
            Action::SignalRest(signal) => {
                debug!(event = "tell", signal = signal.number(); "sending {signal} to what is left");
                self.signal_rest(signal);
            }
            Action::KillRest => self.kill_rest(),
            Action::NameRest(fate) => self.name_rest(fate),
            Action::StopOurselves(child, by) => {
                return Some(Event::Resumed(child, by, self.stop_ourselves(child, by)));
            }
            Action::HandTerminal(child) => self.hand_terminal(child),
            Action::Arm(time) => self.deadline = Some(time),
            Action::ArmAfterKill => self.deadline = Some(sys::now().after(Ladder::KILL_GRACE)),
            // Said already.
            Action::Answer(..) => {}
            Action::Reopen => self.reopen_initctl(),
            Action::Drop(signal, note) => {
                self.dropped = Some(note);
                debug!(event = "dropped", signal = signal.number(); "{signal} is not forwarded: {note}");
            }
            Action::Exit(outcome) => {
                log_outcome(outcome, self.slots.first());
                self.outcome = Some(outcome);
            }
        }
        None
    }

    fn slot(&self, child: Child) -> Option<&Slot<'_>> {
        self.slots.get(usize::from(child.0))
    }

    fn spawn(&mut self, child: Child) -> Result<(), StartError> {
        let main = self.slots.first().and_then(|slot| slot.pid);
        let is_first = !self.slots.iter().any(Slot::has_begun);
        if !is_first && let Some(slot) = self.slots.get_mut(usize::from(child.0)) {
            slot.keep_behind();
        }
        let Some(slot) = self.slots.get_mut(usize::from(child.0)) else { return Ok(()) };
        let now = sys::now();
        if let Some(record) = &mut self.setting.record
            && is_first
        {
            record.note_begin(now);
        }
        // Once main runs, all descriptors are closed.
        let is_main = slot.purpose() == Purpose::Main;
        let settles = is_main && !self.setting.kept.descriptors;
        let given = if is_main { self.open_notification() } else { None };
        let Some(slot) = self.slots.get_mut(usize::from(child.0)) else { return Ok(()) };
        let given = given.as_ref().map(|(fd, number)| Given { fd: fd.raw(), number: *number });
        let pid = slot.start(main, given, if settles { Pipe::LeftOpen } else { Pipe::Closed })?;
        if let Some(record) = &mut self.setting.record
            && slot.purpose() == Purpose::Main
        {
            record.note_start(sys::now(), pid.number());
        }
        let who = slot.purpose().field();
        debug!(event = "started", who = who, pid = pid.number(); "started {} as pid {pid}", slot.title());
        if slot.purpose() == Purpose::Main {
            self.tell_start(pid);
        }
        Ok(())
    }

    fn signal(&self, child: Child, signal: Signal) {
        let Some(slot) = self.slot(child) else { return };
        let Some(pid) = slot.pid else { return };
        let sent = match slot.forward_to {
            ForwardTo::Main => sys::send(pid, signal),
            ForwardTo::Group => send_group(pid, signal),
        };
        log_sent(sent, slot.purpose(), pid, signal);
    }

    fn stop_ourselves(&mut self, child: Child, by: Signal) -> Pause {
        debug!(event = "pause", signal = by.number(); "stopping ourselves by {by}");
        // In a delay there is none.
        let mut slot = self.slots.get_mut(usize::from(child.0));
        if let Some(slot) = &mut slot {
            slot.take_terminal();
            // From here on it is our shell's, until it is ours again.
            slot.has_terminal = false;
        }
        sys::stop_ourselves(by);
        if let Some(slot) = &mut slot {
            slot.give_terminal();
        }
        // What has continued us is no news to the program: either it was continued too, or it is told now.
        let is_continued = self.sleep.take(Signal::CONT);
        if is_continued {
            let number = Signal::CONT.number();
            debug!(event = "signal", signal = number; "continued by {}", Signal::CONT);
        }
        match (is_continued, slot.and_then(|slot| slot.pid).is_some_and(sys::was_continued)) {
            (false, _) => Pause::Refused,
            (true, true) => Pause::Together,
            (true, false) => Pause::Alone,
        }
    }

    fn hand_terminal(&mut self, child: Child) {
        if let Some(slot) = self.slots.get_mut(usize::from(child.0)) {
            slot.give_terminal();
        }
    }
}

fn earliest(one: Option<Time>, other: Option<Time>) -> Option<Time> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
