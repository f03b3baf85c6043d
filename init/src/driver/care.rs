//! What looks after main while it runs, as the loop sees it: it is told of main's state, its time and the end of its
//! prober, and its orders are obeyed. What a prober does may block and allocate: it is a process of its own.
//!
//! 1. There is one prober at a time, in a process group that it leads. Whatever becomes of it, all that is left in that
//!    group is killed.
//! 2. One that was killed keeps the place until it is dead, and so does what it has started. Where they sit in a system call
//!    that cannot be interrupted, that is for ever; the core says from when on to look is to fail then.
//! 3. None outlives the life of main that it has begun in, as far as it can be killed.

use core::mem;
use core::time::Duration;

use log::{debug, info, warn};

use super::World;
use super::notify::{Hearing, say_failure};
use super::stop::send_group;
use crate::core::request::{News, Readiness, Standing};
use crate::core::{Care as Core, Event, Finding, Health, Left, Machine, Order, Probe, Sight, Signal, Status, Time};
use crate::sys::{self, Helper, Pid, Reaped, SigSet, Sleep, Wake};

/// Whose a child was that is neither main nor a hook.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LeftBy {
    /// A check has started it.
    ACheck,
    /// It is an orphan.
    Others,
}

/// What looks after main.
pub struct Care<'a> {
    core: Core,
    prober: Prober<'a>,
    /// How main says something of itself.
    pub(super) hearing: Hearing,
    /// How main stood when we looked last.
    seen: Standing,
}

/// Who looks, in a process of its own.
struct Prober<'a> {
    look: &'a (dyn Fn(Probe) -> u8 + Sync),
    runs: Option<Helper>,
    /// The process group of the last one, as long as anybody may be in it.
    group: Option<Pid>,
    /// When all in that group were killed, if they were.
    killed: Option<Time>,
}

impl<'a> Care<'a> {
    /// Before the first main. `look` does what is wanted in a process of its own, says why it fails, and returns 0 if it
    /// does not.
    pub const fn new(core: Core, look: &'a (dyn Fn(Probe) -> u8 + Sync), hearing: Hearing) -> Care<'a> {
        Care { core, prober: Prober { look, runs: None, group: None, killed: None }, hearing, seen: Standing::Starting }
    }

    /// What is known.
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// Another life begins.
    pub(super) fn begin(&mut self, ourselves: Pid) {
        self.seen = Standing::Starting;
        self.hearing.begin(ourselves);
    }

    /// Nothing begins again: those above us are told, if they were not.
    pub fn say_end(&mut self) {
        self.hearing.say_last();
    }

    /// What was offered is taken back. What else is in its directory should be gone.
    pub fn close(&mut self) {
        if let Some(socket) = &self.hearing.socket {
            socket.remove();
        }
    }

    /// When it is to be woken.
    pub(super) fn wake(&self) -> Option<Time> {
        self.core.wake()
    }

    /// The life is over.
    pub(super) fn end(&mut self, sleep: &mut Sleep, ourselves: Pid) {
        self.prober.cut();
        if let Some(helper) = &self.prober.runs {
            helper.wait_end(Prober::PARTING);
        }
        self.prober.reap();
        if self.prober.wait_left(sleep) {
            // It may have told of others too, whom the next life reaps.
            let _ = sys::send(ourselves, Signal::CHLD);
        }
    }

    fn has_changed(&mut self, standing: Standing) -> Option<Sight> {
        let before = mem::replace(&mut self.seen, standing);
        match (before, standing) {
            (before, standing) if before == standing => None,
            (_, Standing::Running) => Some(Sight::Started),
            (Standing::Running, _) => Some(Sight::Over),
            _ => None,
        }
    }
}

impl Prober<'_> {
    /// How long the end of a life waits for the end of what was killed. What cannot be killed must not hold us up.
    const PARTING: Duration = Duration::from_millis(100);

    fn pid(&self) -> Option<Pid> {
        self.runs.as_ref().map(Helper::pid)
    }

    /// Begins to look. What comes of it at once, where nobody looks.
    fn start(&mut self, probe: Probe) -> Option<Sight> {
        self.reap();
        self.forget_group();
        if self.group.is_some() {
            return Some(Sight::Occupied(self.killed.unwrap_or(sys::now())));
        }
        let look = self.look;
        let work = || {
            // Before it starts anything.
            sys::lead_process_group();
            look(probe)
        };
        match Helper::start_with_code(work) {
            Ok(helper) => {
                debug!(event = "check", pid = helper.pid().number(); "checking the command, by pid {}", helper.pid());
                (self.group, self.killed) = (Some(helper.pid()), None);
                self.runs = Some(helper);
                None
            }
            Err(errno) => {
                warn!(event = "check"; "cannot check the command: no process can be started: {errno}");
                Some(Sight::Probed(Finding::Bad))
            }
        }
    }

    /// Takes its end, if it has come. What it has found, if that is still wanted.
    fn reap(&mut self) -> Option<Finding> {
        let helper = self.runs.as_ref()?;
        let status = helper.end_status()?;
        let is_wanted = self.killed.is_none();
        // A group has its leader's number as long as anybody is in it; and if nobody is, the number is not another group's so soon.
        let _ = sys::send_group(helper.pid(), Signal::KILL);
        self.note_killed();
        self.runs = None;
        let found = if status == Status::Exited(0) { Finding::Good } else { Finding::Bad };
        is_wanted.then_some(found)
    }

    /// Whether that one, which has ended and is to be reaped, is in the group of a check. (What a check has left dies in its own
    /// time.)
    fn has_left(&self, pid: Pid) -> bool {
        self.group.is_some() && sys::process_group_of(pid) == self.group
    }

    /// All in the group were killed, which counts from the first time on.
    fn note_killed(&mut self) {
        self.killed = self.killed.or(Some(sys::now()));
    }

    /// Forgets the group if nobody is in it any more: its number may be another's next.
    fn forget_group(&mut self) {
        let current = self.pid();
        self.group.take_if(|group| Some(*group) != current && !sys::is_group(*group));
    }

    /// What it has started and was killed dies when it is its turn, on a loaded machine a moment later. Whether a signal was
    /// taken that tells of children.
    fn wait_left(&mut self, sleep: &mut Sleep) -> bool {
        let until = sys::now().after(Prober::PARTING);
        let mut is_taken = false;
        loop {
            let Some(group) = self.group else { return is_taken };
            while let Reaped::Child(..) = sys::reap_in_group(group) {}
            self.forget_group();
            let limit = until.since(sys::now());
            if self.group.is_none() || limit.is_zero() {
                return is_taken;
            }
            match sleep.wait_signal(SigSet::NONE.with(Signal::CHLD), Some(limit)) {
                Wake::Refused(_) => return is_taken,
                Wake::Signal(_) => is_taken = true,
                Wake::Nothing | Wake::Helper => {}
            }
        }
    }

    /// Kills it with all that it has started. Its end is told of as any other.
    fn cut(&mut self) {
        if let Some(pid) = self.pid() {
            let _ = send_group(pid, Signal::KILL);
            self.note_killed();
        }
    }
}

impl World<'_, '_, '_> {
    /// The machine has heard of something: main may stand otherwise.
    pub(super) fn look_after(&mut self, machine: &mut impl Machine) {
        let Some(care) = &mut self.setting.care else { return };
        if let Some(sight) = care.has_changed(machine.standing()) {
            let is_start = sight == Sight::Started;
            let (is_asked, is_checked) =
                (is_start && care.core.phase().is_some(), is_start && care.core.health().is_some());
            if is_asked {
                self.publish(News::Readiness(Readiness::NotReady));
            }
            self.attend(machine, sight);
            if is_checked {
                self.publish(News::Health(Health::Starting));
            }
        }
        self.pay_above();
        self.say_end_above(machine);
    }

    /// A helper has ended: it may be the prober.
    pub(super) fn reap_prober(&mut self, machine: &mut impl Machine) {
        let Some(care) = &mut self.setting.care else { return };
        if let Some(finding) = care.prober.reap() {
            self.attend(machine, Sight::Probed(finding));
        }
        self.note_prober();
    }

    /// The next child that has ended or was stopped, if there is one and it may be what a check has left in its group, and
    /// whether it is: those are not the orphans that are counted. It is looked at before it is reaped, and is nobody after.
    #[inline(never)]
    pub(super) fn reap_beside_prober(&mut self) -> (Reaped, LeftBy) {
        let prober = self.setting.care.as_mut().map(|care| &mut care.prober);
        let Some(prober) = prober.filter(|prober| prober.group.is_some()) else {
            return (sys::reap(), LeftBy::Others);
        };
        let Some(pid) = sys::ended_child() else {
            prober.forget_group();
            // What ends just now is told of by another signal, and looked at then: reaped here, it would be nobody's. Where
            // it cannot be looked at before (a filter), it is reaped all the same.
            let reaped = if sys::has_children() { Reaped::Nothing(Left::Some) } else { sys::reap() };
            return (reaped, LeftBy::Others);
        };
        let left_by = if prober.has_left(pid) { LeftBy::ACheck } else { LeftBy::Others };
        (sys::reap_child(pid), left_by)
    }

    /// What has ended in time has done so, also where nothing has told of it.
    pub(super) fn reach_care(&mut self, machine: &mut impl Machine) {
        let is_due =
            |world: &Self| world.setting.care.as_ref().and_then(|care| care.wake()).is_some_and(|at| sys::now() >= at);
        if self.outcome.is_none() && is_due(self) {
            self.reap_prober(machine);
            if self.outcome.is_none() && is_due(self) {
                self.attend(machine, Sight::Due);
            }
        }
    }

    /// Tells of it, and obeys. Not in our callers' frames, of which one stays in memory.
    #[inline(never)]
    pub(super) fn attend(&mut self, machine: &mut impl Machine, sight: Sight) {
        let mut next = Some(sight);
        while let Some(sight) = next.take() {
            let Some(care) = &mut self.setting.care else { return };
            for order in care.core.on(sys::now(), sight) {
                match order {
                    Order::Probe(probe) => next = self.start_prober(probe),
                    Order::Cut => self.cut_prober(sight),
                    Order::SayHanging => self.say_hanging(),
                    Order::Fail(failure) => {
                        let care = self.setting.care.as_ref();
                        say_failure(failure, care.and_then(|care| care.core.terms()));
                        self.deliver(machine, Event::Failed(failure));
                    }
                    Order::SayPhase(phase) => self.say_phase(phase),
                    Order::SayHealth(health) => self.say_health(health),
                }
            }
        }
    }

    fn start_prober(&mut self, probe: Probe) -> Option<Sight> {
        let sight = self.setting.care.as_mut()?.prober.start(probe);
        self.note_prober();
        sight
    }

    fn cut_prober(&mut self, why: Sight) {
        let Some(care) = &mut self.setting.care else { return };
        if let (Sight::Due, Some(pid)) = (why, care.prober.pid()) {
            warn!(event = "check", pid = pid.number(); "pid {pid}, which was to check the command, does not come to an end; killing it");
        }
        care.prober.cut();
    }

    fn say_hanging(&self) {
        let Some(prober) = self.setting.care.as_ref().map(|care| &care.prober) else { return };
        match (prober.pid(), prober.group) {
            (Some(pid), _) => {
                warn!(event = "check", pid = pid.number(); "pid {pid}, which was to check the command, cannot be killed: it hangs in the kernel");
            }
            (None, Some(group)) => {
                warn!(event = "check", pgid = group.number(); "the command is not checked, which counts as a check that fails: what an earlier check has started (process group {group}) cannot be killed: it hangs in the kernel");
            }
            (None, None) => {}
        }
    }

    /// Whether the program has left anything, given that we still have children.
    pub(super) fn left(&mut self) -> Left {
        if let Some(care) = &mut self.setting.care {
            care.prober.forget_group();
            self.note_prober();
        }
        self.rest.is_any()
    }

    /// It is none of the program's processes.
    fn note_prober(&mut self) {
        let prober = self.setting.care.as_ref().map(|care| &care.prober);
        let killed = prober.filter(|prober| prober.killed.is_some()).and_then(|prober| prober.group);
        self.rest.set_prober(prober.and_then(Prober::pid), killed);
    }

    fn say_health(&mut self, health: Health) {
        self.publish(News::Health(health));
        let failures = self.setting.care.as_ref().map_or(0, |care| care.core.failures());
        match health {
            Health::Starting => {}
            Health::Healthy => info!(event = "healthy"; "the command is healthy"),
            Health::Unhealthy => {
                warn!(event = "unhealthy", failures; "the command is not healthy; checks that have failed in a row: {failures}");
            }
        }
    }
}
