//! The loop of a run: it sleeps until something happens, writes down what and when, and takes the next step of the
//! [`super::course`].

mod ending;
mod hearing;
mod telling;

use std::os::fd::AsFd as _;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::signalfd::SignalFd;
use supervise_init::core::{Signal, Status, Time};
use supervise_init::sys::now;

use super::Interrupted;
use super::course::{self, Action, Event as Step, State};
use super::halting::Halting;
use super::held::Held;
use super::leftovers::Leftovers;
use super::listeners::Listeners;
use super::notify::Hearing;
use super::orphan::Orphan;
use super::output::Output;
use super::progress::Progress;
use super::settling::Settling;
use super::stage::Stage;
use super::tree::{FIRST_TOKEN, Life, Tree};
use super::visits::{self, Visits};
use crate::check::judge::waits_for_all;
use crate::check::ready::{By, Readiness, Stir};
use crate::check::record::{Event, Outcome, Run, What};
use crate::check::report::words_of;
use crate::check::scenario::{Mode, Scenario, Target};
use crate::proc::Stat;
use crate::report::Seconds;
use crate::sys::events::{Connector, Message, ProcessEvent};
use crate::sys::processes::{has_ended, status_of};

/// What the loop is woken by; processes follow at [`FIRST_TOKEN`].
pub(super) const ASKED: u64 = 0;
pub(super) const STDOUT: u64 = 1;
pub(super) const STDERR: u64 = 2;
pub(super) const STAGE: u64 = 3;
pub(super) const READY: u64 = 4;
pub(super) const NOTIFY: u64 = 5;
pub(super) const EVENTS: u64 = 6;
const ORPHAN: u64 = 7;

/// What main leaves behind has so long to go away.
const LINGER: Duration = Duration::from_secs(1);

/// So many things are taken in one turn.
const TURN: usize = 64;

/// Between two looks at all processes that are not asked for by a step of the run.
const LOOK: Duration = Duration::from_millis(20);

/// One run, while it is under way.
pub(super) struct Watch<'a> {
    scenario: &'a Scenario,
    epoll: Epoll,
    began: Time,
    run: Run,
    stage: Stage,
    /// Behind the stage, which is to be gone first.
    held: Held,
    leftovers: Leftovers,
    tree: Tree,
    output: Output,
    ready: Readiness,
    asked: Option<SignalFd>,
    hearing: Option<Hearing>,
    connector: Option<Connector>,
    state: State,
    deadline: Option<Time>,
    listeners: Listeners,
    next_listen: Option<Time>,
    next_look: Option<Time>,
    last_look: Time,
    /// Some of what the kernel told is lost.
    has_lost: bool,
    orphan: Option<Orphan>,
    settling: Option<Settling>,
    halting: Option<Halting>,
    visits: Option<Visits>,
    killed_at: Option<Duration>,
    is_asked: Option<Signal>,
    stage_has_ended: bool,
}

impl<'a> Watch<'a> {
    pub(super) fn new(
        scenario: &'a Scenario,
        epoll: Epoll,
        began: Time,
        run: Run,
        (stage, held, leftovers): (Stage, Held, Leftovers),
        (tree, output, ready): (Tree, Output, Readiness),
    ) -> Watch<'a> {
        let mut watch = Watch {
            scenario,
            epoll,
            began,
            run,
            stage,
            held,
            leftovers,
            tree,
            output,
            ready,
            asked: None,
            hearing: None,
            connector: None,
            state: State::Waiting,
            deadline: Some(began.after(scenario.ready_timeout)),
            listeners: Listeners::default(),
            next_listen: None,
            next_look: None,
            last_look: began,
            has_lost: false,
            orphan: None,
            settling: None,
            halting: None,
            visits: None,
            killed_at: None,
            is_asked: None,
            stage_has_ended: false,
        };
        watch.note(began, What::Executed { pid: watch.stage.root.number() });
        watch
    }

    /// Who tells of what.
    pub(super) fn listen(&mut self, asked: SignalFd, hearing: Option<Hearing>, connector: Option<Connector>) {
        self.asked = Some(asked);
        self.hearing = hearing;
        self.connector = connector;
    }

    fn at(&self, time: Time) -> Duration {
        time.since(self.began)
    }

    fn note(&mut self, time: Time, what: What) {
        self.note_at(self.at(time), what);
    }

    fn note_at(&mut self, at: Duration, what: What) {
        let event = Event { at, what };
        log::debug!(event = "check"; "{} s: {}", Seconds(at), words_of(&self.run, &event));
        self.run.events.push(event);
    }

    /// Until the run is over.
    pub(super) fn go_on(&mut self) -> Result<(), Interrupted> {
        let mut events = [EpollEvent::empty(); TURN];
        let mut progress = Progress::begin(self.scenario, now());
        while self.state != State::Over {
            let ready = match self.state {
                State::Waiting => self.ready.next(),
                State::Settling => self.settling.as_ref().map(Settling::next),
                State::Halting => self.halting.as_ref().map(Halting::next),
                _ => None,
            };
            progress.iter_mut().for_each(|progress| progress.show(self.state, now()));
            let told = progress.as_ref().map(Progress::next);
            let visit = self.visits.as_ref().and_then(Visits::next);
            let next =
                [self.deadline, ready, self.next_listen, self.next_look, told, visit].into_iter().flatten().min();
            let mut asked_at = now();
            let count = match self.epoll.wait(&mut events, timeout(next)) {
                // Who was suspended meanwhile looks once more: what is there has come before the time was over.
                Ok(0) => {
                    asked_at = now();
                    self.epoll.wait(&mut events, EpollTimeout::ZERO)
                }
                waited => waited,
            };
            let count = match count {
                Ok(count) => count,
                // SIGCONT.
                Err(Errno::EINTR) => continue,
                Err(errno) => return Err(errno.into()),
            };
            let time = now();
            self.output.note_look(self.at(asked_at));
            let events = events.get(..count).unwrap_or_default();
            // What the kernel tells has its own time, and may be of a process that ends in this turn.
            if events.iter().any(|event| event.data() == EVENTS || event.data() >= FIRST_TOKEN) {
                self.hear_all();
            }
            // Ends first: what has ended in time has done so, whatever else came meanwhile.
            for event in events.iter().filter(|event| event.data() >= FIRST_TOKEN) {
                self.see_process((event.data() - FIRST_TOKEN) as usize, event.events(), time);
            }
            for event in events.iter().filter(|event| event.data() < FIRST_TOKEN) {
                self.see(event.data(), event.events(), time)?;
            }
            self.see_time(time, asked_at);
        }
        Ok(())
    }

    /// Whether there is more.
    fn hear_kernel(&mut self) -> bool {
        /// Forks of the whole machine come here.
        const MOST: usize = 512;
        for _ in 0..MOST {
            let Some(message) = self.connector.as_mut().map(Connector::read) else { return false };
            match message {
                Message::None => return false,
                Message::Other => {}
                Message::Lost => {
                    log::debug!(event = "check"; "some of what the kernel told is lost");
                    self.has_lost = true;
                    self.next_look = Some(now());
                }
                Message::Event(time, event) => self.hear_event(time, event),
            }
        }
        true
    }

    fn hear_event(&mut self, time: Time, event: ProcessEvent) {
        let at = self.at(time);
        match event {
            ProcessEvent::Forked { parent, child } => {
                if self.tree.fork(parent, child, at, &self.epoll).is_some() {
                    self.note(time, What::Appeared { pid: child });
                }
            }
            ProcessEvent::Executed { pid } => self.tree.exec(pid, at),
            ProcessEvent::ThreadEnded { pid, thread, raw } => {
                let status = status_of(raw).filter(|_| thread == pid);
                if self.tree.end(pid, status, at).is_some() {
                    self.note(time, What::Ended { pid });
                }
            }
        }
    }

    fn see_process(&mut self, place: usize, flags: EpollFlags, time: Time) {
        let at = self.at(time);
        let root = self.stage.root.number();
        let has_namespace = self.scenario.mode != Mode::Child;
        let is_leaving = || has_namespace && Stat::read(root).is_none_or(|stat| stat.is_exiting);
        if !self.tree.tell(place, flags, at, &self.epoll, is_leaving) {
            return;
        }
        let told_at = self.tree.seen.get(place).and_then(|seen| seen.told_at);
        if let Some(pid) = self.tree.seen.get(place).map(|seen| seen.process.pid) {
            self.note_at(told_at.unwrap_or(at), What::Ended { pid });
        }
        if place == 0 && told_at.is_none() {
            self.doubt_lateness(time);
        }
        if place == 0 || waits_for_all(&self.run) {
            self.output.await_end(at);
        }
        if self.connector.is_none() && self.next_look.is_none() {
            self.next_look = Some(self.last_look.after(LOOK));
        }
        if place == 0 {
            self.look(time);
            self.listeners.end();
            self.visits.iter_mut().for_each(Visits::end);
            self.turn(Step::MainEnded, time);
        }
    }

    fn see(&mut self, token: u64, flags: EpollFlags, time: Time) -> Result<(), Interrupted> {
        match token {
            ASKED => {
                if let Some(Ok(Some(info))) = self.asked.as_ref().map(SignalFd::read_signal) {
                    self.is_asked = Signal::new(info.ssi_signo.cast_signed());
                    self.turn(Step::Asked, time);
                }
            }
            STDOUT | STDERR => self.hear(token, time)?,
            STAGE => {
                self.stage_has_ended = true;
                let _ = self.epoll.delete(&self.stage.pidfd);
                self.turn(Step::AllEnded, time);
            }
            READY => {
                let by = self.ready.see_fd(time, &self.epoll);
                self.see_ready(by, time);
            }
            NOTIFY => self.hear_notification(time),
            ORPHAN => self.see_orphan(flags, time),
            visits::FIRST.. => {
                let at = self.at(time);
                self.visits.iter_mut().for_each(|visits| visits.hear(token, at, &self.epoll));
            }
            _ => {}
        }
        Ok(())
    }

    /// What has come until `asked_at` is taken in.
    fn see_time(&mut self, time: Time, asked_at: Time) {
        if self.next_look.is_some_and(|next| time >= next) {
            self.look(time);
        }
        if self.next_listen.is_some_and(|next| time >= next) {
            self.look_at_listeners(time);
        }
        if [State::Waiting, State::Settling].contains(&self.state) {
            self.see_rest(time);
        }
        if self.state == State::Halting {
            self.see_halted(time);
        }
        if let Some(visits) = self.visits.as_mut().filter(|visits| visits.next().is_some_and(|next| time >= next)) {
            visits.come(time.since(self.began), &self.epoll);
        }
        // We may have been suspended since.
        let is_over = |deadline: Option<Time>| deadline.is_some_and(|deadline| asked_at >= deadline);
        if is_over(self.deadline) {
            self.see_main(time);
        }
        if is_over(self.deadline) {
            self.turn(Step::Deadline, time);
        }
    }

    /// That main has ended may be behind all that one turn has taken in.
    fn see_main(&mut self, time: Time) {
        let main = self.tree.seen.first().filter(|main| main.life == Life::Lives);
        if main.and_then(|main| main.pidfd.as_ref()).is_some_and(|main| has_ended(main.as_fd())) {
            self.see_process(0, EpollFlags::EPOLLIN, time);
        }
    }

    /// Looks at what it does, where that is to be known.
    fn see_rest(&mut self, time: Time) {
        let (at, looks) = (self.at(time), self.has_to_look());
        let (tree, epoll, bytes) = (&mut self.tree, &self.epoll, self.output.bytes());
        let mut stir = |bytes| {
            if looks {
                tree.look(at, epoll);
            }
            let mut stir = Stir { bytes, processes: tree.seen.len(), ..Stir::default() };
            for stat in tree.living().filter_map(|seen| Stat::read(seen.process.pid)) {
                stir.ticks += stat.ticks;
                stir.running += usize::from(stat.state == b'R');
            }
            stir
        };
        if self.state == State::Waiting {
            let by = self.ready.see_time(time, epoll, READY, || stir(bytes));
            self.see_ready(by, time);
        // Output alone, such as a log of what it does, is no sign of a beginning.
        } else if self.settling.as_mut().is_none_or(|settling| settling.is_over(time, || stir(0))) {
            let young = self.tree.until_zombies(at);
            let waits =
                young.zip(self.settling.as_mut()).map(|(rest, settling)| settling.wait_for_dead(time.after(rest)));
            if waits != Some(true) {
                self.tree.note_zombies(at);
                self.turn(Step::Settled, time);
            }
        }
    }

    fn see_ready(&mut self, by: Option<By>, time: Time) {
        if let Some(by) = by.filter(|_| self.state == State::Waiting) {
            self.run.ready_at = Some(self.at(time));
            self.note(time, What::Ready { by: by.to_string() });
            self.turn(Step::Ready, time);
        }
    }

    /// Even of thousands, and with the rest of the machine.
    fn hear_all(&mut self) {
        const ROUNDS: u32 = 100;
        let _ = (0..ROUNDS).take_while(|_| self.hear_kernel()).count();
    }

    /// Whether there may be processes that nobody has told of.
    fn has_to_look(&mut self) -> bool {
        self.hear_all();
        self.has_lost || self.connector.is_none()
    }

    fn look(&mut self, time: Time) {
        (self.next_look, self.last_look) = (None, time);
        if !self.has_to_look() {
            return;
        }
        self.has_lost = false;
        let at = self.at(time);
        let pids = |places: Vec<usize>, tree: &Tree| -> Vec<i32> {
            places.into_iter().filter_map(|place| tree.seen.get(place)).map(|seen| seen.process.pid).collect()
        };
        let new = pids(self.tree.look(at, &self.epoll), &self.tree);
        if self.connector.is_some() {
            self.tree.see_executions(at);
        }
        let ended = pids(self.tree.look_for_ends(at), &self.tree);
        let new = new.into_iter().map(|pid| What::Appeared { pid });
        let all = new.chain(ended.into_iter().map(|pid| What::Ended { pid }));
        self.run.events.extend(all.map(|what| Event { at, what }));
    }

    fn look_at_listeners(&mut self, time: Time) {
        let at = self.at(time);
        for closed in self.listeners.look(at) {
            self.note(time, closed);
        }
        self.next_listen = self.listeners.pause(at).map(|pause| time.after(pause));
    }

    /// Takes one step on the way.
    fn turn(&mut self, event: Step, time: Time) {
        let before = self.state;
        let (state, action) = course::next(before, event);
        self.state = state;
        match action {
            Action::Nothing => {}
            Action::Settle => self.settle(time),
            Action::Halt => self.halt(time),
            Action::Tell => self.tell(),
            Action::Linger => self.deadline = Some(self.end_of_linger(time)),
            Action::Kill => {
                match (before, event) {
                    (State::Waiting, Step::Deadline) => self.run.outcome = Outcome::NeverReady(self.ready.why_not()),
                    (State::Waiting | State::Settling | State::Halting, Step::MainEnded) => {
                        self.run.outcome = ENDED_BEFORE;
                    }
                    _ => {}
                }
                self.kill(time);
            }
            Action::Finish if matches!(before, State::Waiting | State::Settling | State::Halting) => {
                self.run.outcome = ENDED_BEFORE;
            }
            Action::Finish => {}
        }
    }

    /// What was told to end as main was has as long as main had.
    fn end_of_linger(&self, time: Time) -> Time {
        let grace = self.deadline.filter(|_| self.scenario.target == Target::Tree);
        time.after(LINGER).max(grace.unwrap_or(time))
    }
}

/// Until its status is known.
const ENDED_BEFORE: Outcome = Outcome::EndedBefore(Status::Exited(0));

/// Rounded up: a deadline is not looked at before it has come.
fn timeout(next: Option<Time>) -> EpollTimeout {
    let Some(next) = next else { return EpollTimeout::NONE };
    let left = next.since(now()).as_micros().div_ceil(1000);
    EpollTimeout::try_from(u32::try_from(left).unwrap_or(u32::MAX).min(60_000)).unwrap_or(EpollTimeout::ZERO)
}
