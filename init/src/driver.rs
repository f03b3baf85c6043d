//! The loop of process 1: wait, ask the machine, obey. Nothing is decided here.
//!
//! One turn: signals, then reaping until nothing is left, then (when there are any) pipes from children and requests,
//! then deadlines. A deadline that races with the exit it waits for must lose.
//!
//! 1. Children are reaped in one place, and a pid is signalled only between its start and its reaping.
//! 2. The loop sleeps until something happens: no tick, no poll.
//! 3. Signals other than SIGCHLD are delivered at once, also while a storm of exits is reaped.

mod say;
mod stop;

use core::time::Duration;

use log::{debug, warn};

use self::say::{Who, log_end, log_event, log_outcome, log_sent};
use self::stop::{name_of, send_group};
use crate::core::{
    Action, Child, Event, Ladder, Left, Machine, Outcome, Pace, Pause, Received, Record, Scope, Sender, Signal, Slow,
    StartError, Status, Terminal, Time,
};
use crate::sys::{
    self, Change, Errno, Fd, Helper, Holder, Pages, Pid, Placement, Program, Reaped, Rest, SigSet, Sleep, Wake,
};

/// Whom a forwarded signal reaches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ForwardTo {
    /// The program alone.
    Main,
    /// Its process group.
    Group,
}

/// A program that the machine may start, and whether it runs.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    program: Program,
    forward_to: ForwardTo,
    /// Our controlling terminal, if the program has a group of its own that can be in its foreground.
    tty: Option<sys::Tty>,
    pid: Option<Pid>,
    /// Its number, also when it has ended.
    number: Option<Pid>,
    has_terminal: bool,
}

impl Slot {
    /// A program that does not run yet.
    pub const fn new(program: Program, forward_to: ForwardTo, tty: Option<sys::Tty>) -> Slot {
        let has_terminal = matches!(program.placement, Placement::Foreground(_));
        Slot { program, forward_to, tty, pid: None, number: None, has_terminal }
    }

    /// Takes the terminal back, if the program has it, or what it has started, or nobody who lives. Otherwise it stays
    /// where it is: a shell may have taken it while we were stopped. (What has it may also be a job of what is left, and
    /// gone at our end.)
    fn take_terminal(&mut self) {
        if let (Some(tty), Some(main)) = (self.tty, self.number)
            && self.has_terminal
        {
            let holder = tty.holder(main);
            self.has_terminal = holder == Holder::Other;
            if matches!(holder, Holder::Below | Holder::Gone) {
                // A terminal that is gone needs nobody in its foreground.
                let _ = tty.set_foreground(sys::process_group());
            }
        }
    }

    /// Takes the terminal back from groups that a program in ours has made and cannot have given it back for: it has
    /// died of a signal. (Who waits for it in a script would be in the background for good.)
    fn take_terminal_of_the_dead(&self, main: Pid, status: Status) {
        if self.program.placement == Placement::Inherited
            && let Status::Signaled(_) = status
            && let Some(tty) = sys::controlling_tty()
            && tty.holder(main) == Holder::Below
        {
            let _ = tty.set_foreground(sys::process_group());
        }
    }

    /// Hands the terminal on, if we have it: continued by `fg`, we are in the foreground; by `bg`, we are not.
    fn give_terminal(&mut self) {
        if let (Some(tty), Some(pid)) = (self.tty, self.pid)
            && tty.is_ours()
        {
            self.has_terminal = tty.set_foreground(pid.number()).is_ok();
            if !self.has_terminal {
                // Not to be tried again at each stop that comes of it.
                self.tty = None;
            }
        }
    }

    /// What we and the program are to our controlling terminal.
    fn terminal(&self, pid: Pid) -> Terminal {
        match self.tty {
            Some(tty) if tty.is_ours() => Terminal::Ours,
            _ => sys::terminal(pid),
        }
    }
}

/// Where we stand, and what is done beside the machine's orders.
pub struct Setting<'a> {
    /// What is told when a program has ended.
    pub scope: Scope,
    /// Our own number.
    pub ourselves: Pid,
    /// Explains what takes long, in a process of its own. `None`: nothing is explained.
    pub explain: Option<&'a dyn Fn(&Situation<'_>)>,
    /// Where what happens is remembered. `None`: nowhere.
    pub record: Option<&'a mut Record>,
    /// The one descriptor of ours that stays open.
    pub spared: Option<&'a Fd>,
}

/// What the machine acts on: its programs, and what else is left in the scope.
struct World<'a> {
    slots: &'a mut [Slot],
    setting: Setting<'a>,
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
    /// Signals cannot be waited for, and that was said.
    deaf: bool,
}

/// What a helper process is to explain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Situation<'a> {
    /// What takes long.
    pub slow: Slow,
    /// The main program, or what was its number if it has ended.
    pub main: Pid,
    /// How long ago what is slow was told.
    pub waited: Duration,
    /// How long it has until it is told again, or killed; `None`: nothing more is done here.
    pub next: Option<Duration>,
    /// Children that were there before the program: they are none of its processes.
    pub inherited: &'a [Option<Pid>],
}

/// How long an explanation may hold up our end. It takes some milliseconds.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// While a round of reaping is this long, signals are looked for in between.
const ROUND: u32 = 64;

/// Runs until the machine says how to end. From the first start on, nothing else ends it.
pub fn run(machine: &mut impl Machine, slots: &mut [Slot], setting: Setting<'_>) -> Outcome {
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
        deaf: false,
    };
    world.deliver(machine, Event::Begin);
    if world.outcome.is_none() {
        settle(world.setting.spared);
        // The start is over, and most of it is never needed again.
        world.sleep.give_back(Pages::of_the_program());
    }
    loop {
        if let Some(outcome) = world.outcome {
            world.slots.iter_mut().for_each(Slot::take_terminal);
            if let Some(helper) = world.helper.take() {
                helper.end(LAST_WORDS);
            }
            return outcome;
        }
        world.turn(machine);
    }
}

/// Lets go of what is not ours to hold while the payload runs.
fn settle(spared: Option<&Fd>) {
    sys::close_from_3(spared);
    if let Err(errno) = sys::change_dir_to_root() {
        warn!("cannot change to /: {errno}; the working directory stays in use");
    }
}

impl World<'_> {
    fn turn(&mut self, machine: &mut impl Machine) {
        let wake = earliest(self.held, self.deadline);
        let set = if self.held.is_some() { SigSet::ALL.without(Signal::CHLD) } else { SigSet::ALL };
        let timeout = wake.map(|wake| wake.since(sys::now()));
        match self.sleep.wait_signal(set, timeout) {
            // SIGCHLD does not queue: one may stand for many exits.
            Wake::Signal(received) if received.signal == Signal::CHLD => {
                self.held = self.pace.hold_until(sys::now());
                if self.held.is_none() {
                    self.reap(machine);
                }
            }
            Wake::Signal(received) => self.deliver(machine, Event::Signalled(received)),
            Wake::Helper => self.reap_helper(),
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
        }
    }

    /// The weaker thing: the program runs to its end, and its code is ours.
    fn wait_without_signals(&mut self, machine: &mut impl Machine, errno: Errno) {
        if !self.deaf {
            self.deaf = true;
            warn!("cannot wait for signals: {errno}; forwarding none, and waiting for the command's end");
        }
        sys::wait_child(self.deadline.map(|deadline| deadline.since(sys::now())));
        self.reap(machine);
        self.reach_deadline(machine);
    }

    fn reach_deadline(&mut self, machine: &mut impl Machine) {
        if self.outcome.is_none() && self.deadline.is_some_and(|deadline| sys::now() >= deadline) {
            self.deadline = None;
            self.deliver(machine, Event::Deadline);
        }
    }

    /// A round: everything that has ended, then what that leaves.
    fn reap(&mut self, machine: &mut impl Machine) {
        let mut count = 0_u32;
        let left = loop {
            match sys::reap() {
                Reaped::Nothing(Left::Some) => break self.rest.is_any(),
                Reaped::Nothing(Left::None) => break Left::None,
                Reaped::Child(pid, change) => self.child_changed(machine, pid, change),
            }
            count = count.wrapping_add(1);
            if count.is_multiple_of(ROUND) {
                self.take_signals(machine);
            }
        };
        self.pace.reaped(sys::now());
        if left == Left::None {
            debug!(event = "empty"; "no child is left");
        }
        self.deliver(machine, Event::Reaped(left));
    }

    fn take_signals(&mut self, machine: &mut impl Machine) {
        loop {
            match self.sleep.wait_signal(SigSet::ALL.without(Signal::CHLD), Some(Duration::ZERO)) {
                Wake::Signal(received) => self.deliver(machine, Event::Signalled(received)),
                Wake::Helper => self.reap_helper(),
                Wake::Nothing | Wake::Refused(_) => return,
            }
        }
    }

    fn child_changed(&mut self, machine: &mut impl Machine, pid: Pid, change: Change) {
        if let Change::Ended(status) = change {
            self.rest.forget(pid);
            if let Some(record) = &mut self.setting.record {
                record.note_end(sys::now(), pid.number(), status);
            }
        }
        let child = self.slots.iter_mut().zip(0..).find(|(slot, _)| slot.pid == Some(pid));
        match (child, change) {
            (Some((slot, index)), Change::Ended(status)) => {
                slot.pid = None;
                // From here on the keys are for us: the second Ctrl-C in a row hurries what is left.
                slot.take_terminal();
                slot.take_terminal_of_the_dead(pid, status);
                log_end(Who::Main, pid, status);
                self.deliver(machine, Event::Ended(Child(index), status));
            }
            (Some((slot, index)), Change::Stopped(by)) => {
                debug!(event = "stopped", pid = pid.number(), signal = by.number(); "the main program (pid {pid}) was stopped by {by}");
                let terminal = slot.terminal(pid);
                self.deliver(machine, Event::Stopped(Child(index), by, terminal));
            }
            (None, Change::Ended(status)) => log_end(Who::Orphan, pid, status),
            // Whoever stopped it, or its own shell, continues it.
            (None, Change::Stopped(_)) => {}
        }
    }

    /// Tells the machine and obeys it, also in what its orders lead to at once.
    fn deliver(&mut self, machine: &mut impl Machine, event: Event) {
        let mut next = Some(event);
        while let Some(event) = next.take() {
            log_event(event);
            for action in machine.on(sys::now(), event) {
                self.note(event, action);
                if let Some(consequence) = self.obey(action) {
                    next = Some(consequence);
                }
            }
        }
    }

    fn note(&mut self, event: Event, action: Action) {
        let Some(record) = &mut self.setting.record else { return };
        record.note(sys::now(), event, action);
        if let (Event::Signalled(Received { sender: Sender::Process { pid, .. }, .. }), Action::Climb(_)) =
            (event, action)
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
            Action::TellRest => self.tell_rest(),
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
            Action::Drop(signal, note) => {
                debug!(event = "dropped", signal = signal.number(); "{signal} is not forwarded: {note}");
            }
            Action::Exit(outcome) => {
                log_outcome(outcome);
                self.outcome = Some(outcome);
            }
        }
        None
    }

    fn slot(&self, child: Child) -> Option<&Slot> {
        self.slots.get(usize::from(child.0))
    }

    fn spawn(&mut self, child: Child) -> Result<(), StartError> {
        let Some(slot) = self.slots.get_mut(usize::from(child.0)) else { return Ok(()) };
        let pid = sys::spawn(&slot.program)?;
        slot.pid = Some(pid);
        slot.number = Some(pid);
        if let Some(record) = &mut self.setting.record {
            record.note_start(sys::now(), pid.number());
        }
        debug!(event = "started", pid = pid.number(); "started {} as pid {pid}", slot.program.name().to_str().unwrap_or("the main program"));
        Ok(())
    }

    fn signal(&self, child: Child, signal: Signal) {
        let Some(slot) = self.slot(child) else { return };
        let Some(pid) = slot.pid else { return };
        let sent = match slot.forward_to {
            ForwardTo::Main => sys::send(pid, signal),
            ForwardTo::Group => send_group(pid, signal),
        };
        log_sent(sent, pid, signal);
    }

    fn stop_ourselves(&mut self, child: Child, by: Signal) -> Pause {
        let Some(slot) = self.slots.get_mut(usize::from(child.0)) else { return Pause::Refused };
        slot.take_terminal();
        // From here on it is our shell's, until it is ours again.
        slot.has_terminal = false;
        sys::stop_ourselves(by);
        slot.give_terminal();
        // What has continued us is no news to the program: either it was continued too, or it is told now.
        match (self.sleep.take(Signal::CONT), slot.pid.is_some_and(sys::was_continued)) {
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
