//! `supervise wait-for`: waits until what a command needs is ready.
//!
//! `target` says what can be waited for. `probe` tries one once, in a process of its own, because name servers, file
//! systems and programs take the time they want; `attempt` starts that process and kills it when its time is over. Here
//! is the loop around it.
//!
//! 1. It ends when the time is over, whatever a try is waiting for.
//! 2. A signal that would end a plain program ends it, as PID 1 too, and the process group of the try that it has started
//!    is killed. (What `exec:` starts in a group of its own is not in that.)

mod attempt;
mod probe;
mod target;

use std::time::Duration;

use log::{debug, error};
use supervise_init::core::{DEATH, SLACK, Signal, Status, Time};
use supervise_init::sys::{self, SigSet, block_all, now, this_process};

pub(crate) use self::attempt::Started;
use self::attempt::{Outcome, Pause, Waiter};
pub(crate) use self::probe::{Group, Manner};
pub(crate) use self::target::{NotATarget, Target};
use crate::cli::exit;
use crate::cli::hooks::Before;
use crate::end;
use crate::sys::end_by_panic;

/// What to wait for, and how.
#[derive(Debug)]
pub(crate) struct WaitFor {
    pub(crate) targets: Vec<Target>,
    /// For all of them together; zero: for ever.
    pub(crate) timeout: Duration,
    /// Between a try that failed and the next one.
    pub(crate) interval: Duration,
}

impl Default for WaitFor {
    fn default() -> WaitFor {
        WaitFor { targets: Vec::new(), timeout: Duration::from_secs(60), interval: Duration::from_millis(500) }
    }
}

/// Tries the target once, at most for so long, in a process that has nothing else to do.
///
/// # Errors
/// Why it is not ready.
pub(crate) fn try_once(target: &Target, limit: Duration, manner: Manner) -> Result<(), String> {
    let began = now();
    let found = find(target, limit, manner);
    // So long it takes only where nobody of us has run (`docker pause`), what is looked at neither.
    let longest = limit.saturating_add(DEATH).saturating_add(SLACK);
    if found.is_err() && now().since(began) > longest { find(target, limit, manner) } else { found }
}

fn find(target: &Target, limit: Duration, manner: Manner) -> Result<(), String> {
    match Waiter::new(manner).attempt(target, Some(limit)) {
        Outcome::Ready => Ok(()),
        Outcome::NotReady(why) => Err(why),
        Outcome::Cut(why) => Err(format!("{why} within {limit:?}")),
        Outcome::Signal(signal) => Err(format!("{signal} came before it was known")),
    }
}

/// A try that was cut off after less than this tells nothing.
const TELLING: Duration = Duration::from_secs(1);

/// Why the wait has ended before all was ready.
enum Ended<'a> {
    TimedOut(&'a Target, String),
    Signal(Signal),
}

/// What becomes of a command that is not reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Then {
    Nothing,
    NotStarted,
}

impl WaitFor {
    /// Waits, and returns the code to end with: 0 when all is ready. All signals are blocked; `blocked` are those that
    /// were so before.
    #[inline(never)]
    pub(crate) fn run(&self, blocked: SigSet) -> u8 {
        self.wait_and(Then::Nothing, blocked)
    }

    /// The same before a command is started, for which a child of the init waits.
    #[inline(never)]
    pub(crate) fn before_command(&'static self) -> Before {
        // It begins with the command's mask.
        let work = || {
            end_by_panic();
            match block_all() {
                Ok(entry) => self.wait_and(Then::NotStarted, entry.mask()),
                Err(errno) => {
                    error!("cannot block signals: {errno} (a seccomp filter?); the command is not started");
                    exit::FAILURE
                }
            }
        };
        let targets: Vec<String> = self.targets.iter().map(Target::to_string).collect();
        Before::Call { title: format!("wait-for {}", targets.join(" ")), work: Box::new(work) }
    }

    fn wait_and(&self, then: Then, blocked: SigSet) -> u8 {
        match self.wait(&mut Waiter::new(Manner::alone(blocked))) {
            Ok(()) => exit::SUCCESS,
            Err(Ended::TimedOut(target, why)) => {
                let then = if then == Then::NotStarted { "; the command is not started" } else { "" };
                error!(event = "not-ready"; "{target} is not ready after {:?}: {why}{then}", self.timeout);
                exit::TIMED_OUT
            }
            Err(Ended::Signal(signal)) => {
                match then {
                    // A PID 1 dies of nothing that it does itself.
                    Then::Nothing if this_process().number() == 1 => {}
                    Then::Nothing => return end::die_of(signal),
                    // Not by raise(3): in a copy that the C library does not know of it means the original.
                    Then::NotStarted => sys::die_of(signal),
                }
                Status::Signaled(signal).shell_code()
            }
        }
    }

    fn wait(&self, waiter: &mut Waiter) -> Result<(), Ended<'_>> {
        let end = (!self.timeout.is_zero()).then(|| now().after(self.timeout));
        self.targets.iter().try_for_each(|target| self.wait_target(waiter, target, end))
    }

    fn wait_target<'a>(&self, waiter: &mut Waiter, target: &'a Target, end: Option<Time>) -> Result<(), Ended<'a>> {
        let left = || end.map(|end| end.since(now()));
        let mut known = None;
        loop {
            let limit = left();
            let why = match waiter.attempt(target, limit) {
                Outcome::Ready => break,
                Outcome::Signal(signal) => return Err(Ended::Signal(signal)),
                Outcome::NotReady(why) => why,
                // What had no time to go wrong says less than the try before it.
                Outcome::Cut(why) => known.take().filter(|_| limit.is_some_and(|limit| limit < TELLING)).unwrap_or(why),
            };
            if left().is_none_or(|left| !left.is_zero()) {
                debug!(event = "try"; "{target} is not ready: {why}");
                if let Pause::Signal(signal) = waiter.wait(None, Some(self.next(end))) {
                    return Err(Ended::Signal(signal));
                }
            }
            if left().is_some_and(|left| left.is_zero()) {
                return Err(Ended::TimedOut(target, why));
            }
            known = Some(why);
        }
        debug!(event = "ready"; "{target} is ready");
        Ok(())
    }

    /// When to try again.
    fn next(&self, end: Option<Time>) -> Time {
        let next = now().after(self.interval);
        end.map_or(next, |end| end.min(next))
    }
}
