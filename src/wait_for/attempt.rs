//! One try as its parent sees it: started, waited for with an ear for signals, and killed when its time is over.

use std::io::{PipeReader, Read as _};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use nix::unistd::{getpid, setpgid};
use supervise_init::core::{DEATH, Signal, Status, Time};
use supervise_init::sys::{self, Change, Pid, Reaped, SigSet, Sleep, Wake, now};

use super::probe::{self, Group, Manner};
use super::target::{Kind, Target};
use crate::sys::{Waiting, find_end, pipe, start_contained, start_copy};

/// What a wait ended with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pause {
    /// The time is over.
    Over,
    /// The child that was waited for has ended.
    Ended(Status),
    /// A signal came that ends us.
    Signal(Signal),
}

/// How a try went.
#[derive(Debug)]
pub(super) enum Outcome {
    Ready,
    NotReady(String),
    /// The time was over before it was known; how far it had come.
    Cut(String),
    /// A signal came that ends us. The try is over.
    Signal(Signal),
}

/// A try that somebody else waits for.
#[derive(Debug)]
pub(crate) struct Started {
    pid: Pid,
    said: PipeReader,
}

impl Started {
    /// Begins to try the target once, at most for `limit`. `blocked` is for what it starts.
    ///
    /// All that `exec:` starts ends with it, and with us, however that comes: where we may, it is in a PID namespace of its
    /// own, whose process 1 the kernel kills when we end.
    ///
    /// # Errors
    /// There is no process for it.
    pub(crate) fn begin(target: &Target, limit: Duration, blocked: SigSet) -> Result<Started, nix::errno::Errno> {
        let (said, saying) = pipe().map_err(|error| nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or(0)))?;
        let (ourselves, manner) = (getpid(), Manner::alone(blocked));
        let saying_fd = saying.as_raw_fd();
        let mut saying = Some(saying);
        let mut run = |parent| saying.take().map_or(1, |saying| probe::run(target, saying, limit, parent, manner));
        if matches!(target.kind, Kind::Exec(_)) {
            let contained = start_contained(libc::CLONE_NEWPID, || {
                // That nobody but our parent has the other end tells whether that is there.
                sys::close_from_3(&[Some(saying_fd)]);
                // The number of who is in another namespace.
                run(nix::unistd::Pid::from_raw(0))
            });
            if let Ok(pid) = contained {
                return Ok(Started { pid, said });
            }
        }
        let pid = start_copy(|| run(ourselves))?;
        Ok(Started { pid, said })
    }

    /// Its process, a child of ours.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Once it has ended: why the target was not ready, which is empty where it was. `None`: nobody knows.
    pub(crate) fn end(mut self) -> Option<String> {
        match find_end(self.pid, Waiting::Look)? {
            Status::Exited(0) => Some(String::new()),
            status => Some(last_line(&mut self.said).unwrap_or_else(|| words_of(status))),
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It is not reaped, so the number is its own; the group it has made itself, or not yet.
        let _ = sys::send_group(self.pid, Signal::KILL);
        let _ = sys::send(self.pid, Signal::KILL);
        crate::sys::reap(self.pid);
    }
}

/// We, as a process that gets signals and has children. All signals are blocked: one that nobody waits for would be
/// lost as PID 1, and would leave the try behind otherwise.
pub(super) struct Waiter {
    sleep: Sleep,
    /// How tries are made. The signals that were blocked before we blocked them all stay without effect.
    manner: Manner,
}

/// What a signal does to a program that says nothing about it (signal(7)).
enum Effect {
    None,
    Stop,
    End,
}

impl Waiter {
    pub(super) fn new(manner: Manner) -> Waiter {
        Waiter { sleep: Sleep::new(sys::this_process()), manner }
    }

    /// Tries the target once, at most for `limit`.
    pub(super) fn attempt(&mut self, target: &Target, limit: Option<Duration>) -> Outcome {
        let limit = limited(target, limit);
        let (mut said, saying) = match pipe() {
            Ok(pipe) => pipe,
            Err(error) => return Outcome::NotReady(format!("it cannot be tried: {error}")),
        };
        let ourselves = getpid();
        let manner = self.manner;
        let started = start_copy(|| probe::run(target, saying, limit.unwrap_or_default(), ourselves, manner));
        let pid = match started {
            Ok(pid) => pid,
            Err(errno) => return Outcome::NotReady(format!("it cannot be tried: {}", sys::Errno(errno as i32))),
        };
        if self.manner.group == Group::Own {
            // On both sides, so that the group is there when either needs it.
            let group = nix::unistd::Pid::from_raw(pid.number());
            let _ = setpgid(group, group);
        }
        let pause = self.wait(Some(pid), limit.map(|limit| now().after(limit)));
        if !matches!(pause, Pause::Ended(_)) && !self.kill(pid) {
            return Outcome::NotReady("what tries it hangs in the kernel and cannot be killed".into());
        }
        match pause {
            Pause::Ended(Status::Exited(0)) => Outcome::Ready,
            Pause::Signal(signal) => Outcome::Signal(signal),
            Pause::Ended(status) => Outcome::NotReady(last_line(&mut said).unwrap_or_else(|| words_of(status))),
            Pause::Over => Outcome::Cut(last_line(&mut said).unwrap_or_else(|| match target.kind {
                Kind::Exec(_) => "it had not ended".into(),
                _ => "no answer".into(),
            })),
        }
    }

    /// Kills a try with all that it has started. Whether it is gone.
    fn kill(&mut self, pid: Pid) -> bool {
        // It is not reaped, so the number is its own.
        let _ = match self.manner.group {
            Group::Own => sys::send_group(pid, Signal::KILL),
            Group::Shared => sys::send(pid, Signal::KILL),
        };
        let until = now().after(DEATH);
        loop {
            match self.wait(Some(pid), Some(until)) {
                Pause::Ended(_) => return true,
                Pause::Over => return false,
                // One is enough.
                Pause::Signal(_) => {}
            }
        }
    }

    /// Sleeps until the child has ended, the time is over, or a signal ends us. Reaps whatever ends meanwhile: as PID 1
    /// we are given the orphans of `exec:`.
    pub(super) fn wait(&mut self, child: Option<Pid>, until: Option<Time>) -> Pause {
        loop {
            // Before the time is looked at: what has ended in time has done so.
            if let Some(status) = reap(child) {
                return Pause::Ended(status);
            }
            if until.is_some_and(|until| now() >= until) {
                return Pause::Over;
            }
            let left = until.map(|until| until.since(now()));
            match self.sleep.wait_signal(SigSet::ALL, left) {
                Wake::Signal(received) => match self.effect(received.signal) {
                    Effect::None => {}
                    Effect::Stop => sys::stop_ourselves(received.signal),
                    Effect::End => return Pause::Signal(received.signal),
                },
                Wake::Nothing | Wake::Helper => {}
                Wake::Refused(_) => sys::wait_child(left.or(child.is_none().then_some(DEATH))),
            }
        }
    }

    fn effect(&self, signal: Signal) -> Effect {
        if self.manner.blocked.contains(signal) || sys::is_ignored(signal) {
            return Effect::None;
        }
        match i32::from(signal.number()) {
            libc::SIGCHLD | libc::SIGCONT | libc::SIGURG | libc::SIGWINCH => Effect::None,
            libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU => Effect::Stop,
            _ => Effect::End,
        }
    }
}

/// How long one try may take. A network that is silent may have lost what we sent, so asking again is better than waiting
/// on; but a name server is given up after 5 s only (musl's default), and is to be named then. A command has its reasons.
fn limited(target: &Target, limit: Option<Duration>) -> Option<Duration> {
    const ANSWER: Duration = Duration::from_secs(10);
    match target.kind {
        Kind::Exec(_) => limit,
        _ => Some(limit.unwrap_or(ANSWER).min(ANSWER)),
    }
}

/// Takes everything that has ended, up to the child.
fn reap(child: Option<Pid>) -> Option<Status> {
    loop {
        match sys::reap() {
            Reaped::Child(pid, Change::Ended(status)) if Some(pid) == child => return Some(status),
            Reaped::Child(..) => {}
            Reaped::Nothing(_) => return None,
        }
    }
}

fn words_of(status: Status) -> String {
    match status {
        // As shells and env(1) say it (exit status in sh(1p)).
        Status::Exited(127) => "it ended with code 127: a program in it was not found".to_owned(),
        Status::Exited(126) => "it ended with code 126: a program in it cannot be executed".to_owned(),
        Status::Exited(code) => format!("it ended with code {code}"),
        Status::Signaled(signal) => format!("it died of {signal}"),
    }
}

/// The last of the lines that a try has said.
fn last_line(said: &mut PipeReader) -> Option<String> {
    let mut text = String::new();
    let _ = said.read_to_string(&mut text);
    text.lines().next_back().map(str::to_owned)
}
