//! One try as its parent sees it: started, waited for with an ear for signals, and killed when its time is over.

use std::io::{PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, poll};
use nix::unistd::{getpid, getppid, setpgid};
use supervise_init::core::{DEATH, Left, Scope, Signal, Status, Time};
use supervise_init::sys::{self, Change, Pid, Reaped, SigSet, Sleep, Wake, now};

use super::probe::{self, Group, Manner};
use super::target::{Kind, Target};
use crate::sys::{Waiting, find_end, pipe, start_copy};

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

/// A try that somebody else waits for. Its parent is a copy of ourselves that is given back all that the try has started,
/// and kills it: when the try has ended, when it is told to, and when we end, however that comes.
#[derive(Debug)]
pub(crate) struct Started {
    /// The parent of the try.
    pid: Pid,
    said: PipeReader,
}

impl Started {
    /// Begins to try the target once, at most for `limit`. `blocked` is for what it starts.
    ///
    /// All that `exec:` starts ends with it, and with us, however that comes.
    ///
    /// # Errors
    /// There is no process for it.
    pub(crate) fn begin(target: &Target, limit: Duration, blocked: SigSet) -> Result<Started, nix::errno::Errno> {
        let (said, saying) = pipe().map_err(|error| nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or(0)))?;
        let ourselves = getpid();
        let pid = start_copy(|| hold(target, saying, limit, ourselves, Manner::alone(blocked)))?;
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
        /// What does not end by then is held by the kernel. Its parent stays with it.
        const PATIENCE: u16 = 30_000;
        // It is not reaped, so the number is its own.
        let _ = sys::send(self.pid, END);
        if let Ok(pidfd) = crate::sys::processes::pidfd(self.pid) {
            let mut polled = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
            if poll(&mut polled, PATIENCE) == Ok(0) {
                return;
            }
        }
        crate::sys::reap(self.pid);
    }
}

/// What tells the parent of a try to kill all that is left.
const END: Signal = Signal::TERM;

/// Is the parent of a try, and of all that is left of it, until there is nothing. All signals are blocked.
fn hold(target: &Target, saying: PipeWriter, limit: Duration, parent: nix::unistd::Pid, manner: Manner) -> u8 {
    // Who kills our whole group is not to leave a try behind.
    let own = nix::unistd::Pid::from_raw(0);
    let _ = setpgid(own, own);
    if sys::send_parent_death_signal(END).is_err() || sys::set_subreaper().is_err() || getppid() != parent {
        return 1;
    }
    let rest = sys::Rest::new(Scope::Tree, sys::this_process());
    let (ourselves, theirs) = (getpid(), saying.try_clone());
    let Ok(child) = theirs.map(|said| start_copy(|| probe::run(target, said, limit, ourselves, manner))) else {
        return 1;
    };
    let Ok(child) = child else { return 1 };
    let mut sleep = Sleep::new(sys::this_process());
    let (mut code, mut is_over) = (1, false);
    loop {
        match sys::reap() {
            Reaped::Child(pid, Change::Ended(status)) if pid == child => {
                is_over = true;
                code = code_of(status, &saying);
            }
            Reaped::Child(..) => {}
            Reaped::Nothing(Left::None) => return code,
            Reaped::Nothing(_) => {
                if is_over {
                    // What is new since the last time as well.
                    let _ = rest.kill();
                }
                match sleep.wait_signal(SigSet::ALL, None) {
                    Wake::Signal(received) => is_over |= received.signal == END,
                    Wake::Refused(_) => sys::wait_child(None),
                    Wake::Nothing | Wake::Helper => {}
                }
            }
        }
    }
}

/// The code to end with for a try that has ended so. What no code says is said in words.
fn code_of(status: Status, mut saying: &PipeWriter) -> u8 {
    match status {
        Status::Exited(code) => code,
        Status::Signaled(_) => {
            // Who does not read it has ended.
            let _ = writeln!(saying, "{}", words_of(status));
            1
        }
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
