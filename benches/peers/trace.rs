//! The exact rows: instructions and page faults to the first fork, system calls from start to end, system calls while
//! idle.
//!
//! Instructions are counted by single-stepping from the first one after exec to the one that forks, in user mode only;
//! a system call is one instruction, and so is each turn of a `rep` prefix. System calls are those that the init itself
//! makes; the execve that starts it is its caller's. Idle is watched by a tracer that was there from the start: one
//! that attaches later would wake the init out of its sleep, and count what it did itself.

use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::ptrace::{self, Options};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::error::{Doing, Error, Result};
use crate::inits::Init;
use crate::payload::{Kind, READY};
use crate::proc::minor_faults;
use crate::run::{PATIENCE, Place, Running, Talking, Watch, command, start};
use crate::tiny;

const FORKS: Options =
    Options::PTRACE_O_TRACEFORK.union(Options::PTRACE_O_TRACEVFORK).union(Options::PTRACE_O_TRACECLONE);

/// User instructions from the first one to the fork.
pub(crate) fn instructions(init: &Init, place: Place) -> Result<f64> {
    let mut running = start(command(Some(init), place, &tiny::exit()?, &[]), place, Watch::Traced)?;
    let pid = first_stop(&mut running, FORKS)?;
    let mut count = 0;
    let mut pass_on = None;
    loop {
        ptrace::step(pid, pass_on).doing("step", &running.name)?;
        match wait_for(&mut running)? {
            WaitStatus::Stopped(_, Signal::SIGTRAP) => (count, pass_on) = (count + 1, None),
            WaitStatus::Stopped(_, signal) => pass_on = Some(signal),
            WaitStatus::PtraceEvent(..) => {
                end_child(&running)?;
                return Ok(f64::from(count));
            }
            other => return Err(unexpected(&running, other)),
        }
    }
}

/// Page faults from the first instruction to the fork; the kernel maps several pages with one.
pub(crate) fn page_faults(init: &Init) -> Result<f64> {
    let mut running = start(command(Some(init), Place::Beside, &tiny::exit()?, &[]), Place::Beside, Watch::Traced)?;
    let pid = first_stop(&mut running, FORKS)?;
    let before = minor_faults(pid)?;
    let mut pass_on = None;
    loop {
        ptrace::cont(pid, pass_on).doing("go on with", &running.name)?;
        match wait_for(&mut running)? {
            WaitStatus::Stopped(_, signal) => pass_on = Some(signal),
            WaitStatus::PtraceEvent(..) => {
                let faults = minor_faults(pid)? - before;
                end_child(&running)?;
                return Ok(faults);
            }
            other => return Err(unexpected(&running, other)),
        }
    }
}

/// Ends the child that `running` has just forked. It is traced as its parent is, and stopped: nobody else would. The parent
/// goes with `running`.
fn end_child(running: &Running) -> Result<()> {
    let child = ptrace::getevent(running.pid).doing("ask for the child of", &running.name)?;
    let child = Pid::from_raw(i32::try_from(child).unwrap_or_default());
    drop(Running { pid: child, name: running.name.clone(), ended: false });
    Ok(())
}

/// The system calls that the init makes around a payload that exits at once.
pub(crate) fn system_calls(init: &Init, place: Place) -> Result<f64> {
    let mut running = start(command(Some(init), place, &tiny::exit()?, &[]), place, Watch::Traced)?;
    let pid = first_stop(&mut running, Options::PTRACE_O_TRACESYSGOOD)?;
    let mut stops = 0;
    let mut pass_on = None;
    loop {
        ptrace::syscall(pid, pass_on).doing("trace", &running.name)?;
        match wait_for(&mut running)? {
            WaitStatus::PtraceSyscall(_) => (stops, pass_on) = (stops + 1, None),
            WaitStatus::Stopped(_, signal) => pass_on = Some(signal),
            // A call stops twice, when it is made and when it returns; the one that exits does not return.
            WaitStatus::Exited(_, 0) => return Ok(f64::from(stops / 2 + stops % 2)),
            other => return Err(unexpected(&running, other)),
        }
    }
}

/// The system calls of each init within `interval`, all in the same interval, each as PID 1 over a sleeping payload.
pub(crate) fn idle(inits: &[Option<Init>], interval: Duration) -> Vec<Option<Result<f64>>> {
    let begin = |init: &Option<Init>| init.as_ref().map(Idle::start);
    let mut watched: Vec<Option<Result<Idle>>> = inits.iter().map(begin).collect();
    // What an init puts off until it has been asleep for a moment is not idleness either.
    trace_all(&mut watched, Duration::from_millis(500));
    for idle in watched.iter_mut().flatten().flatten() {
        idle.stops = 0;
    }
    trace_all(&mut watched, interval);
    // An idle call that never returns stops once only.
    watched.into_iter().map(|one| Some(one?.map(|idle| f64::from(idle.stops.div_ceil(2))))).collect()
}

struct Idle {
    talking: Talking,
    stops: u32,
}

impl Idle {
    fn start(init: &Init) -> Result<Self> {
        let mut talking = Talking::start(Some(init), Place::First, Watch::Traced, Kind::Sleep)?;
        let pid = first_stop(&mut talking.running, Options::PTRACE_O_TRACESYSGOOD)?;
        ptrace::syscall(pid, None).doing("trace", &talking.running.name)?;
        let mut idle = Self { talking, stops: 0 };
        let deadline = Instant::now() + PATIENCE;
        while !idle.talking.speaks_within(Duration::ZERO)? {
            if Instant::now() > deadline {
                return Err(Error::Late { what: "payload", of: idle.talking.running.name.clone() });
            }
            idle.go_on()?;
            sleep(Duration::from_micros(100));
        }
        idle.talking.expect(READY)?;
        Ok(idle)
    }

    /// Lets the init go on if it has stopped.
    fn go_on(&mut self) -> Result<()> {
        let running = &mut self.talking.running;
        let flags = WaitPidFlag::WNOHANG | WaitPidFlag::__WALL;
        let pass_on = match waitpid(running.pid, Some(flags)).doing("wait for", &running.name)? {
            WaitStatus::StillAlive => return Ok(()),
            WaitStatus::PtraceSyscall(_) => {
                self.stops += 1;
                None
            }
            WaitStatus::Stopped(_, signal) => Some(signal),
            other => {
                running.ended = matches!(other, WaitStatus::Exited(..) | WaitStatus::Signaled(..));
                return Err(unexpected(running, other));
            }
        };
        ptrace::syscall(running.pid, pass_on).doing("trace", &running.name)
    }
}

fn trace_all(watched: &mut [Option<Result<Idle>>], interval: Duration) {
    let end = Instant::now() + interval;
    while Instant::now() < end {
        for one in watched.iter_mut().flatten() {
            if let Ok(idle) = one
                && let Err(error) = idle.go_on()
            {
                *one = Err(error);
            }
        }
        sleep(Duration::from_millis(1));
    }
}

/// The stop right after exec, before the first instruction.
fn first_stop(running: &mut Running, options: Options) -> Result<Pid> {
    match wait_for(running)? {
        WaitStatus::Stopped(pid, Signal::SIGTRAP) => {
            ptrace::setoptions(pid, options | Options::PTRACE_O_EXITKILL).doing("set up tracing of", &running.name)?;
            Ok(pid)
        }
        other => Err(unexpected(running, other)),
    }
}

fn wait_for(running: &mut Running) -> Result<WaitStatus> {
    let status = waitpid(running.pid, Some(WaitPidFlag::__WALL)).doing("wait for", &running.name)?;
    running.ended = matches!(status, WaitStatus::Exited(..) | WaitStatus::Signaled(..));
    Ok(status)
}

fn unexpected(running: &Running, status: WaitStatus) -> Error {
    Error::Ended { of: running.name.clone(), how: format!("{status:?}") }
}
