//! One run of a command: started on its stage, told to stop when it is ready, and looked at until nothing of it is left.
//! What is seen becomes a [record](super::record).
//!
//! 1. Nothing is read, counted or looked for between a signal's time and its sending.
//! 2. The loop sleeps until something happens; what is looked for by time is bounded, and not on the way of an end.
//! 3. Whatever happens, the stage is killed and reaped before a run is over.

mod course;
mod output;
mod stage;
mod tree;

use std::io::{PipeReader, PipeWriter};
use std::os::fd::{AsFd, RawFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::signal::{SigSet, Signal as NixSignal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use supervise_init::core::{Signal, StartError, Step, Time};
use supervise_init::sys::{is_ignored, now};

use self::course::{Action, Event as Step_, State};
use self::output::{Output, Sees};
pub(crate) use self::stage::Payload;
use self::stage::{NotSet, Stage};
use self::tree::{FIRST_TOKEN, Life, Tree};
use super::ready::{By, Readiness, Stir};
use super::record::{AtDeadline, Event, Facility, Files, Missing, Notify, Outcome, Run, State as ProcessState, What};
use super::safe;
use super::scenario::{Mode, Ready, Scenario, Target};
use crate::diagnose;
use crate::proc::{Stat, WaitsFor, waits_for};
use crate::sys::pipe;
use crate::sys::processes;

/// Why there is no record.
#[derive(Debug)]
pub(crate) enum Interrupted {
    /// This signal came.
    Asked(Signal),
    /// We ourselves failed.
    Failed(String),
}

impl From<Errno> for Interrupted {
    fn from(errno: Errno) -> Interrupted {
        Interrupted::Failed(format!("cannot watch a command: {}", supervise_init::sys::Errno(errno as i32)))
    }
}

/// What the loop is woken by; processes follow at [`FIRST_TOKEN`].
const ASKED: u64 = 0;
const STDOUT: u64 = 1;
const STDERR: u64 = 2;
const STAGE: u64 = 3;
const READY: u64 = 4;

/// What main leaves behind has so long to go away.
const LINGER: Duration = Duration::from_secs(1);

/// What was killed has so long to go away.
const DEATH: Duration = Duration::from_secs(5);

/// So many things are taken in one turn.
const EVENTS: usize = 64;

/// One run, while it is under way.
struct Watch<'a> {
    scenario: &'a Scenario,
    epoll: Epoll,
    asked: SignalFd,
    stage: Stage,
    tree: Tree,
    output: Output,
    ready: Readiness,
    began: Time,
    state: State,
    deadline: Option<Time>,
    run: Run,
    was_killed: bool,
    is_asked: Option<Signal>,
}

/// Runs the command once.
///
/// # Errors
/// We were asked to stop, or failed ourselves; nothing is left of the run.
pub(crate) fn run(scenario: &Scenario, repetition: u32, payload: &Payload) -> Result<Run, Interrupted> {
    let mut run = empty(scenario, repetition, payload);
    let (fd, given) = match scenario.ready {
        Ready::Fd(number) => {
            let (reading, writing) = pipe().map_err(|error| Interrupted::Failed(error.to_string()))?;
            (Some(reading), Some((writing, number)))
        }
        _ => (None, None),
    };
    let ends: Option<(&PipeWriter, RawFd)> = given.as_ref().map(|(end, number)| (end, *number));
    let mut stage = match Stage::set(scenario.mode, payload, ends) {
        Ok(stage) => stage,
        Err(not_set) => {
            run.outcome = Outcome::NotPossible(why_not_set(not_set));
            return Ok(run);
        }
    };
    drop(given);
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    let asked = signals_of_ours()?;
    let mut tree = Tree::new(stage.pid);
    for (fd, token) in [(asked.as_fd(), ASKED), (stage.stdout.as_fd(), STDOUT), (stage.stderr.as_fd(), STDERR)] {
        epoll.add(fd, EpollEvent::new(EpollFlags::EPOLLIN, token))?;
    }
    epoll.add(&stage.pidfd, EpollEvent::new(EpollFlags::EPOLLIN, STAGE))?;
    let output = Output::new([unblocked(&stage.stdout)?, unblocked(&stage.stderr)?]);
    tree.add(stage.root.number(), Duration::ZERO, &epoll);
    let began = match stage.release() {
        Ok(began) => began,
        Err(why) => {
            run.outcome = not_started(payload, why);
            return Ok(run);
        }
    };
    let ready = Readiness::new(&scenario.ready, began, fd, &epoll, READY);
    let deadline = Some(began.after(scenario.ready_timeout));
    let mut watch = Watch {
        scenario,
        epoll,
        asked,
        stage,
        tree,
        output,
        ready,
        began,
        state: State::Waiting,
        deadline,
        run,
        was_killed: false,
        is_asked: None,
    };
    watch.note(began, What::Executed { pid: watch.stage.root.number() });
    watch.go_on()?;
    watch.finish()
}

/// Before anything is seen.
fn empty(scenario: &Scenario, repetition: u32, payload: &Payload) -> Run {
    Run {
        scenario: scenario.clone(),
        repetition,
        outcome: Outcome::Stopped,
        ready_at: None,
        signal_at: None,
        processes: Vec::new(),
        listeners: Vec::new(),
        output: super::record::Output::default(),
        files: Files::default(),
        notify: Notify::default(),
        inherited: payload.inherited,
        missing: Vec::new(),
        events: Vec::new(),
        most_processes: 0,
        injected_orphan: None,
        stopped_first: false,
        is_out_of_memory: None,
    }
}

fn why_not_set(not_set: NotSet) -> String {
    match not_set {
        NotSet::Namespace(errno) => {
            format!("cannot make a PID namespace: {}", supervise_init::sys::Errno(errno as i32))
        }
        NotSet::Pipe(errno) => format!("cannot make a pipe: {}", supervise_init::sys::Errno(errno as i32)),
        NotSet::Ended => "the process that was to start the command has ended".to_owned(),
        NotSet::NoProc => "/proc does not show the processes of this namespace".to_owned(),
    }
}

fn not_started(payload: &Payload, why: StartError) -> Outcome {
    let reason = diagnose::start::explain(&payload.program, why, |_| None);
    debug_assert!(why.step != Step::Fork);
    Outcome::NotStarted { code: reason.code(), why: reason.to_string() }
}

/// What asks us to stop, unless our caller has us ignore it. All are blocked.
fn signals_of_ours() -> Result<SignalFd, Errno> {
    let all = [NixSignal::SIGTERM, NixSignal::SIGINT, NixSignal::SIGHUP, NixSignal::SIGQUIT];
    let set: SigSet = all
        .into_iter()
        .filter(|signal| Signal::new(*signal as i32).is_some_and(|signal| !is_ignored(signal)))
        .collect();
    SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
}

/// The same pipe, which reading does not wait for.
fn unblocked(pipe: &PipeReader) -> Result<PipeReader, Interrupted> {
    fcntl(pipe.as_fd(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    pipe.try_clone().map_err(|error| Interrupted::Failed(error.to_string()))
}

impl Watch<'_> {
    fn at(&self, time: Time) -> Duration {
        time.since(self.began)
    }

    fn note(&mut self, time: Time, what: What) {
        let at = self.at(time);
        self.run.events.push(Event { at, what });
    }

    /// Until the run is over.
    fn go_on(&mut self) -> Result<(), Interrupted> {
        let mut events = [EpollEvent::empty(); EVENTS];
        while self.state != State::Over {
            let next = [self.deadline, self.ready.next().filter(|_| self.state == State::Waiting)];
            let next = next.into_iter().flatten().min();
            let count = match self.epoll.wait(&mut events, timeout(next)) {
                Ok(count) => count,
                Err(Errno::EINTR) => 0,
                Err(errno) => return Err(errno.into()),
            };
            let time = now();
            let events = events.get(..count).unwrap_or_default();
            // Ends first: what has ended in time has done so, whatever else came meanwhile.
            for event in events.iter().filter(|event| event.data() >= FIRST_TOKEN) {
                self.see_process((event.data() - FIRST_TOKEN) as usize, event.events(), time);
            }
            for event in events.iter().filter(|event| event.data() < FIRST_TOKEN) {
                self.see(event.data(), time)?;
            }
            self.see_time(time);
        }
        Ok(())
    }

    fn see_process(&mut self, place: usize, flags: EpollFlags, time: Time) {
        let at = self.at(time);
        let has_ended = self.tree.tell(place, flags, at, &self.epoll);
        let root = self.stage.root.number();
        let has_namespace = self.scenario.mode != Mode::Child;
        let is_root_exiting =
            || has_namespace && Stat::read(root).is_none_or(|stat| stat.is_exiting || stat.state == b'Z');
        let signal = self.run.signal_at.map(|_| self.scenario.signal);
        self.tree.judge_end(place, signal, self.was_killed, is_root_exiting);
        if has_ended {
            if let Some(seen) = self.tree.seen.get(place) {
                let pid = seen.process.pid;
                self.note(time, What::Ended { pid });
            }
            self.look(time);
            if place == 0 {
                self.turn(Step_::MainEnded, time);
            }
        }
    }

    fn see(&mut self, token: u64, time: Time) -> Result<(), Interrupted> {
        match token {
            ASKED => {
                if let Ok(Some(info)) = self.asked.read_signal() {
                    self.is_asked = Signal::new(info.ssi_signo.cast_signed());
                    self.turn(Step_::Asked, time);
                }
            }
            STDOUT | STDERR => self.hear(token, time)?,
            STAGE => {
                let _ = self.epoll.delete(&self.stage.pidfd);
                self.turn(Step_::AllEnded, time);
            }
            READY => {
                let by = self.ready.see_fd(time, &self.epoll);
                self.see_ready(by, time);
            }
            _ => {}
        }
        Ok(())
    }

    fn see_time(&mut self, time: Time) {
        if self.state == State::Waiting {
            let at = self.at(time);
            let (tree, epoll, bytes) = (&mut self.tree, &self.epoll, self.output.bytes());
            let stir = || {
                tree.look(at, epoll);
                let ticks = tree.living().filter_map(|seen| Stat::read(seen.process.pid)).map(|stat| stat.ticks).sum();
                Stir { bytes, processes: tree.seen.len(), ticks }
            };
            let by = self.ready.see_time(time, epoll, READY, stir);
            self.see_ready(by, time);
        }
        if self.deadline.is_some_and(|deadline| time >= deadline) {
            self.turn(Step_::Deadline, time);
        }
    }

    fn see_ready(&mut self, by: Option<By>, time: Time) {
        if let Some(by) = by.filter(|_| self.state == State::Waiting) {
            self.run.ready_at = Some(self.at(time));
            self.note(time, What::Ready { by: by.to_string() });
            self.turn(Step_::Ready, time);
        }
    }

    fn hear(&mut self, token: u64, time: Time) -> Result<(), Interrupted> {
        let which = (token - STDOUT) as usize;
        let at = self.at(time);
        let mut by = None;
        let ready = &self.ready;
        let mut sees = |line: &[u8]| by = by.take().or_else(|| ready.see_line(line));
        let sees: Sees<'_> = if self.state == State::Waiting && ready.reads_lines() { Some(&mut sees) } else { None };
        let heard = self.output.read(which, at, self.run.signal_at.is_some(), sees);
        let heard = heard.map_err(|error| Interrupted::Failed(format!("cannot read its output: {error}")))?;
        if heard.has_ended {
            let pipe = if token == STDOUT { &self.stage.stdout } else { &self.stage.stderr };
            let _ = self.epoll.delete(pipe);
            if self.output.has_ended() {
                self.note(time, What::OutputClosed);
            }
        }
        if heard.bytes > 0 {
            self.note(time, What::Wrote { bytes: heard.bytes, line: safe::line(&heard.line) });
        }
        self.see_ready(by, time);
        Ok(())
    }

    fn look(&mut self, time: Time) {
        let at = self.at(time);
        for place in self.tree.look(at, &self.epoll) {
            if let Some(seen) = self.tree.seen.get(place) {
                let pid = seen.process.pid;
                self.run.events.push(Event { at, what: What::Appeared { pid } });
            }
        }
    }

    /// Takes one step on the way.
    fn turn(&mut self, event: Step_, time: Time) {
        let before = self.state;
        let (state, action) = course::next(before, event);
        self.state = state;
        match action {
            Action::Nothing => {}
            Action::Tell => self.tell(),
            Action::Linger => self.deadline = Some(time.after(LINGER)),
            Action::Kill => {
                match (before, event) {
                    (State::Waiting, Step_::Deadline) => self.run.outcome = Outcome::NeverReady,
                    (State::Waiting, Step_::MainEnded) => self.run.outcome = self.ended_before(),
                    _ => {}
                }
                self.kill(time);
            }
            Action::Finish if before == State::Waiting => self.run.outcome = self.ended_before(),
            Action::Finish => {}
        }
    }

    /// Until its status is known.
    fn ended_before(&self) -> Outcome {
        Outcome::EndedBefore(supervise_init::core::Status::Exited(0))
    }

    fn tell(&mut self) {
        self.look(now());
        self.tree.look_again();
        let signal = self.scenario.signal;
        let fds: Vec<_> = self.tree.living().filter_map(|seen| seen.pidfd.as_ref()).collect();
        let before = now();
        let (send, count): (fn(_, _) -> _, _) = match self.scenario.target {
            Target::Main => (processes::signal, 1),
            Target::Group => (processes::signal_group, 1),
            Target::Tree => (processes::signal, fds.len()),
        };
        for fd in fds.iter().take(count) {
            // ESRCH: it has just ended, and that will be told.
            let _ = send(fd.as_fd(), signal);
        }
        self.run.signal_at = Some(self.at(before));
        self.deadline = Some(before.after(self.scenario.grace));
        let target = self.scenario.target.name().to_owned();
        self.note(before, What::Sent { signal, target });
    }

    fn kill(&mut self, time: Time) {
        self.look(time);
        let signal = self.scenario.signal;
        let mut count = 0;
        for seen in self.tree.seen.iter_mut().filter(|seen| seen.life != Life::Reaped) {
            let pid = seen.process.pid;
            let stat = Stat::read(pid);
            let state = match (seen.life, stat.as_ref().map(|stat| stat.state)) {
                (Life::Dead, _) | (_, Some(b'Z' | b'X')) => ProcessState::Zombie,
                (_, Some(b'T' | b't')) => ProcessState::Stopped,
                (_, Some(b'D')) => ProcessState::Stuck,
                _ => ProcessState::Able,
            };
            let now = tree::dispositions(pid);
            count += usize::from(seen.life == Life::Lives);
            seen.process.at_deadline = Some(AtDeadline {
                state,
                is_pending: now.is_some_and(|now| now.pending.contains(signal)),
                waits_for_child: waits_for(pid) == WaitsFor::Child,
                busy: Duration::from_millis(10 * stat.map_or(0, |stat| stat.ticks.saturating_sub(seen.ticks))),
            });
        }
        self.was_killed = true;
        self.stage.kill();
        self.note(now(), What::Killed { count });
        self.deadline = Some(now().after(DEATH));
    }

    /// What is left to be taken in when nothing lives, and the record.
    fn finish(mut self) -> Result<Run, Interrupted> {
        let mut events = [EpollEvent::empty(); EVENTS];
        while let Ok(count) = self.epoll.wait(&mut events, EpollTimeout::ZERO) {
            let processes = || events.iter().take(count).filter(|event| event.data() >= FIRST_TOKEN);
            if processes().count() == 0 {
                break;
            }
            let places: Vec<_> = processes().map(|event| (event.data() - FIRST_TOKEN, event.events())).collect();
            for (place, flags) in places {
                self.see_process(place as usize, flags, now());
            }
        }
        for token in [STDOUT, STDERR] {
            self.hear(token, now())?;
        }
        self.stage.reap();
        if let Some(signal) = self.is_asked {
            return Err(Interrupted::Asked(signal));
        }
        if let Some(root) = self.tree.seen.first_mut()
            && let Some(ended) = &mut root.process.ended
            && ended.status.is_none()
        {
            ended.status = self.stage.root_status();
        }
        let mut run = self.run;
        let status = |seen: &tree::Seen| seen.process.ended.and_then(|ended| ended.status);
        if let (Outcome::EndedBefore(_), Some(status)) = (&run.outcome, self.tree.seen.first().and_then(status)) {
            run.outcome = Outcome::EndedBefore(status);
        }
        if self.tree.seen.iter().any(|seen| seen.life == Life::Reaped && status(seen).is_none()) {
            let why = "this kernel does not tell how processes of others end (Linux 6.15 does)".to_owned();
            run.missing.push(Missing { facility: Facility::GrandchildStatus, why });
        }
        run.most_processes = self.tree.most;
        run.output = self.output.finish();
        run.processes = self.tree.seen.into_iter().map(|seen| seen.process).collect();
        let main = usize::from(run.scenario.mode == Mode::Init).min(run.processes.len().saturating_sub(1));
        if let Some(main) = run.processes.get_mut(main) {
            main.is_main = true;
        }
        run.processes.swap(0, main);
        Ok(run)
    }
}

/// Rounded up: a deadline is not looked at before it has come.
fn timeout(next: Option<Time>) -> EpollTimeout {
    let Some(next) = next else { return EpollTimeout::NONE };
    let left = next.since(now()).as_micros().div_ceil(1000);
    EpollTimeout::try_from(u32::try_from(left).unwrap_or(u32::MAX).min(60_000)).unwrap_or(EpollTimeout::ZERO)
}
