//! One run of a command: started on its stage, told to stop when it is ready, and looked at until nothing of it is left.
//! What is seen becomes a [record](super::record).
//!
//! 1. Nothing is read, counted or looked for between a signal's time and its sending.
//! 2. The loop sleeps until something happens; what is looked for by time is bounded, and not on the way of an end.
//! 3. Whatever happens, the stage is killed and reaped before a run is over.

mod course;
mod descriptors;
mod full;
mod halting;
mod heir;
mod held;
mod leftovers;
mod listeners;
mod notify;
mod orphan;
mod output;
mod picture;
mod progress;
mod settling;
mod stage;
mod taken;
mod tree;
mod visits;
mod watch;
mod writers;

use std::ffi::OsStr;
use std::io::{PipeReader, PipeWriter};
use std::os::fd::{AsFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::signal::{SigSet, Signal as NixSignal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::{AccessFlags, access, geteuid};
use supervise_init::core::{Signal, StartError, Status, Step};
use supervise_init::sys::{is_ignored, send};

use self::held::Held;
pub(crate) use self::held::settle_inheritance;
use self::leftovers::Leftovers;
use self::notify::Hearing;
use self::output::Output;
pub(crate) use self::stage::Payload;
use self::stage::{Kind, NotReleased, NotSet, Stage, Woken, wait_for};
use self::tree::Tree;
use self::watch::{ASKED, EVENTS, NOTIFY, READY, STAGE, STDERR, STDOUT, Watch};
use super::ready::Readiness;
use super::record::{Facility, Files, Hindrance, Missing, Notify, Outcome, Run};
use super::scenario::{Mode, Ready, Scenario};
use crate::diagnose;
use crate::runtime::unfit::users::check_user_namespaces;
use crate::sys::events::Connector;
use crate::sys::processes::pidfd;
use crate::sys::{Waiting, find_end, pipe, reap, start_copy};

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

/// Runs the command once.
///
/// # Errors
/// We were asked to stop, or failed ourselves; nothing is left of the run.
pub(crate) fn run(scenario: &Scenario, repetition: u32, payload: &Payload) -> Result<Run, Interrupted> {
    let mut run = empty(scenario, repetition, payload);
    let asked = signals_of_ours()?;
    if scenario.mode == Mode::Init
        && let Some(outcome) = look_for_command(payload, scenario, &asked)?
    {
        run.outcome = outcome;
        return Ok(run);
    }
    if let Some(hindrance) = taken::answers_already(&scenario.ready) {
        run.outcome = Outcome::Hindered(hindrance);
        return Ok(run);
    }
    let (fd, given) = match scenario.ready {
        Ready::Fd(number) => {
            let (reading, writing) = pipe().map_err(|error| Interrupted::Failed(error.to_string()))?;
            (Some(reading), Some((writing, number)))
        }
        _ => (None, None),
    };
    let ends: Option<(&PipeWriter, RawFd)> = given.as_ref().map(|(end, number)| (end, *number));
    let stage = match set(scenario, payload, ends, &mut run) {
        Ok(stage) => stage,
        Err(not_set) => {
            run.outcome = Outcome::NotPossible(why_not_set(not_set));
            return Ok(run);
        }
    };
    drop(given);
    watch(scenario, payload, (stage, fd, asked), run)
}

/// Sets the stage, or for a child one without namespaces where there are none.
fn set(
    scenario: &Scenario,
    payload: &Payload,
    ends: Option<(&PipeWriter, RawFd)>,
    run: &mut Run,
) -> Result<Stage, NotSet> {
    Stage::set(Kind::Namespace, scenario.mode, payload, ends).or_else(|not_set| {
        if scenario.mode != Mode::Child {
            return Err(not_set);
        }
        run.missing.push(Missing { facility: Facility::PidNamespace, why: why_not_set(not_set) });
        Stage::set(Kind::Subreaper, scenario.mode, payload, ends)
    })
}

/// Lets the command begin, and watches it to its end. `fd` is our end of what it was given to show that it is ready.
fn watch(
    scenario: &Scenario,
    payload: &Payload,
    (mut stage, fd, asked): (Stage, Option<PipeReader>, SignalFd),
    mut run: Run,
) -> Result<Run, Interrupted> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    let output = Output::new([unblocked(&stage.stdout)?, unblocked(&stage.stderr)?]);
    let hearing = listen(scenario, payload)?;
    let connector = listen_to_kernel(&mut run);
    let ears = [hearing.as_ref().map(|ear| (ear.as_fd(), NOTIFY)), connector.as_ref().map(|ear| (ear.as_fd(), EVENTS))];
    let ours = [(asked.as_fd(), ASKED), (stage.stdout.as_fd(), STDOUT), (stage.stderr.as_fd(), STDERR)];
    let all = ours.into_iter().chain([(stage.pidfd.as_fd(), STAGE)]).chain(ears.into_iter().flatten());
    for (fd, token) in all {
        epoll.add(fd, EpollEvent::new(EpollFlags::EPOLLIN, token))?;
    }
    if let Some(errno) = stage.without_proc {
        let errno = supervise_init::sys::Errno(errno as i32);
        let why = format!("the command has no /proc of its own namespace: {errno}");
        run.missing.push(Missing { facility: Facility::Proc, why });
    }
    let leftovers = Leftovers::look(&payload.state_dirs, stage.alone());
    let held = Held::make(stage.root, &mut run);
    let command = payload.words_of_init.iter().skip(2).flat_map(|word| word.to_bytes_with_nul()).copied().collect();
    let mut tree = Tree::new(stage.pid, command);
    tree.add(stage.root.number(), Duration::ZERO, &epoll);
    if tree.seen.first().is_none_or(|root| root.pidfd.is_none()) {
        let why = "there is no descriptor to follow the command by: more have to be allowed (ulimit -Hn)";
        return Err(Interrupted::Failed(why.to_owned()));
    }
    let began = match stage.release(scenario.ready_timeout, asked.as_fd()) {
        Ok(began) => began,
        Err(NotReleased::Asked) => return Err(asked_by(&asked)),
        Err(why) => {
            // The cgroup is removed when nothing is in it.
            drop(stage);
            run.outcome = match why {
                NotReleased::Ourselves(errno) => {
                    let path = payload.ourselves.to_string_lossy();
                    let errno = supervise_init::sys::Errno(errno);
                    return Err(Interrupted::Failed(format!("cannot run {path} as the command's init: {errno}")));
                }
                NotReleased::Failed(why) => not_started(payload, why),
                NotReleased::Late | NotReleased::Asked => not_executed(scenario),
            };
            return Ok(run);
        }
    };
    tree.exec(stage.root.number(), Duration::ZERO);
    let ready = Readiness::new(&scenario.ready, began, fd, &epoll, READY);
    let mut watch = Watch::new(scenario, epoll, began, run, (stage, held, leftovers), (tree, output, ready));
    watch.listen(asked, hearing, connector);
    watch.go_on()?;
    watch.finish()
}

/// The signal that has asked us to stop.
fn asked_by(asked: &SignalFd) -> Interrupted {
    let signal = asked.read_signal().ok().flatten().and_then(|info| Signal::new(info.ssi_signo.cast_signed()));
    Interrupted::Asked(signal.unwrap_or(Signal::TERM))
}

fn not_executed(scenario: &Scenario) -> Outcome {
    Outcome::Hindered(Hindrance::NotExecuted(scenario.ready_timeout))
}

/// Where the command is to say that it is ready.
fn listen(scenario: &Scenario, payload: &Payload) -> Result<Option<Hearing>, Interrupted> {
    match (&scenario.ready, &payload.notify) {
        (Ready::SdNotify, Some(name)) => match Hearing::open(name) {
            Ok(hearing) => Ok(Some(hearing)),
            Err(error) => Err(Interrupted::Failed(format!("cannot listen for sd_notify(3): {error}"))),
        },
        _ => Ok(None),
    }
}

fn listen_to_kernel(run: &mut Run) -> Option<Connector> {
    match Connector::open() {
        Ok(connector) => Some(connector),
        Err(errno) => {
            let errno = supervise_init::sys::Errno(errno as i32);
            let why = format!("the kernel does not tell of processes as they come and go: {errno}");
            run.missing.push(Missing { facility: Facility::ProcessEvents, why });
            None
        }
    }
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
        connections: Vec::new(),
        output: super::record::Output::default(),
        files: Files::default(),
        notify: Notify::default(),
        inherited: payload.inherited,
        missing: Vec::new(),
        events: Vec::new(),
        most_processes: 0,
        injected_orphan: None,
        is_out_of_memory: None,
        cgroup: None,
    }
}

fn why_not_set(not_set: NotSet) -> String {
    match not_set {
        NotSet::Namespace(errno) => match check_user_namespaces() {
            Err(why) if !geteuid().is_root() => why.to_string(),
            _ if errno == Errno::ENOSPC => format!("cannot make a PID namespace: {}", full::why()),
            _ => format!("cannot make a PID namespace: {}", supervise_init::sys::Errno(errno as i32)),
        },
        NotSet::Pipe(errno) => format!("cannot make a pipe: {}", supervise_init::sys::Errno(errno as i32)),
        NotSet::Ended => "the process that was to start the command has ended".to_owned(),
        NotSet::NoProc => "/proc does not show the processes of this namespace".to_owned(),
    }
}

/// What an init could not start it would end without, and that would be its own end. In a copy of ourselves, because a file
/// system may never answer.
fn look_for_command(payload: &Payload, scenario: &Scenario, asked: &SignalFd) -> Result<Option<Outcome>, Interrupted> {
    let copy = start_copy(|| match find_command(payload) {
        Ok(()) => 0,
        // The numbers of these errors are small.
        Err(errno) => errno as u8,
    })?;
    let woken = pidfd(copy).map(|fd| wait_for(fd.as_fd(), asked.as_fd(), scenario.ready_timeout));
    if !matches!(woken, Ok(Woken::Fd)) {
        let _ = send(copy, Signal::KILL);
    }
    match woken? {
        Woken::Fd => {}
        // What does not even end of that is left behind.
        Woken::Asked => return Err(asked_by(asked)),
        Woken::Late => return Ok(Some(not_executed(scenario))),
    }
    let status = find_end(copy, Waiting::Look);
    reap(copy);
    Ok(match status {
        Some(Status::Exited(0)) | None => None,
        Some(Status::Exited(errno)) => Some(not_started(payload, StartError { step: Step::Exec, errno: errno.into() })),
        Some(Status::Signaled(_)) => None,
    })
}

fn find_command(payload: &Payload) -> Result<(), Errno> {
    let name = Path::new(OsStr::from_bytes(payload.program.name().to_bytes()));
    match diagnose::start::find(name, payload.program.search_path(), libc::EACCES) {
        None => Err(Errno::ENOENT),
        Some(file) if file.is_dir() || access(&file, AccessFlags::X_OK).is_err() => Err(Errno::EACCES),
        Some(_) => Ok(()),
    }
}

fn not_started(payload: &Payload, why: StartError) -> Outcome {
    let reason = diagnose::start::explain(&payload.program, why, |_| None);
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
