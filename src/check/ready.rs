//! When a command is ready to be told to stop: by what it says, by what can be asked of it, or by time.

use std::fmt;
use std::io::{PipeReader, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use supervise_init::core::Time;
use supervise_init::sys::SigSet;

use super::scenario::Ready;
use crate::wait_for::{Started, Target};

/// Between two tries of a target.
const INTERVAL: Duration = Duration::from_millis(50);

/// A try of a target may take so long.
const TRY: Duration = Duration::from_secs(5);

/// Between two looks whether it is quiet.
const LOOK: Duration = Duration::from_millis(100);

/// It is quiet when so many looks find nothing new.
const QUIET_LOOKS: u32 = 5;

/// What is not quiet by then is taken as ready.
pub(super) const LONGEST: Duration = Duration::from_secs(5);

/// The wait for one command.
pub(super) struct Readiness {
    kind: Kind,
}

enum Kind {
    /// `READY=1`, which the socket's owner sees.
    SdNotify,
    Fd(i32, Option<PipeReader>),
    Probe {
        target: Target,
        running: Option<(Started, OwnedFd)>,
        next: Time,
        tried: Tried,
    },
    Log(&'static str, regex_lite::Regex),
    Delay(Duration, Time),
    Quiet {
        began: Time,
        calm: Calm,
    },
}

/// The tries of a target.
#[derive(Default)]
struct Tried {
    count: u32,
    /// Why the last one failed; empty where it did not.
    why: String,
}

/// Whether a command is at rest, by looks at it.
pub(super) struct Calm {
    pause: Duration,
    /// So many looks must find nothing new.
    looks: u32,
    next: Time,
    quiet: u32,
    before: Stir,
}

impl Calm {
    pub(super) fn begin(now: Time, pause: Duration, looks: u32) -> Calm {
        Calm { pause, looks, next: now.after(pause), quiet: 0, before: Stir::default() }
    }

    /// When it is to be looked at.
    pub(super) fn next(&self) -> Time {
        self.next
    }

    /// Looks, where it is time for that; whether the command is at rest.
    pub(super) fn see(&mut self, now: Time, stir: impl FnOnce() -> Stir) -> bool {
        if now >= self.next {
            let stir = stir();
            self.quiet = if stir == self.before && stir.running == 0 { self.quiet + 1 } else { 0 };
            self.before = stir;
            self.next = now.after(self.pause);
        }
        self.quiet >= self.looks
    }
}

/// What shows that a command does something.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Stir {
    pub(super) bytes: u64,
    pub(super) processes: usize,
    pub(super) ticks: u64,
    /// Those that run, or would if there were a free processor.
    pub(super) running: usize,
}

/// How it was seen to be ready.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct By(pub(super) String);

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Readiness {
    /// Begins to wait. `fd` is our end of what the command was given for `--ready fd:N`.
    pub(super) fn new(ready: &Ready, now: Time, fd: Option<PipeReader>, epoll: &Epoll, token: u64) -> Readiness {
        let kind = match ready {
            Ready::SdNotify => Kind::SdNotify,
            Ready::Fd(number) => {
                if let Some(fd) = &fd {
                    let _ = epoll.add(fd, EpollEvent::new(EpollFlags::EPOLLIN, token));
                }
                Kind::Fd(*number, fd)
            }
            Ready::Probe(word) => match Target::parse(word) {
                Ok(target) => Kind::Probe { target, running: None, next: now, tried: Tried::default() },
                // It was looked at when the words were read.
                Err(_) => Kind::SdNotify,
            },
            Ready::Log(pattern) => match regex_lite::Regex::new(pattern) {
                Ok(regex) => Kind::Log(pattern, regex),
                Err(_) => Kind::SdNotify,
            },
            Ready::Delay(time) => Kind::Delay(*time, now.after(*time)),
            Ready::Quiet => Kind::Quiet { began: now, calm: Calm::begin(now, LOOK, QUIET_LOOKS) },
        };
        Readiness { kind }
    }

    /// What is waited for, and what has come of that, where it did not come.
    pub(super) fn why_not(&self) -> String {
        match &self.kind {
            Kind::SdNotify => "--ready sd_notify: READY=1 did not come".to_owned(),
            Kind::Fd(number, _) => format!("--ready fd:{number}: no line came on that descriptor"),
            Kind::Probe { target, tried: Tried { count: 0, .. }, .. } => {
                format!("--ready {target}: its first try had not ended")
            }
            Kind::Probe { target, tried: Tried { count, why }, .. } => {
                let (times, last) = if *count == 1 { ("once", "") } else { ("in vain", ", the last time") };
                format!("--ready {target} was tried {times}{last}: {why}")
            }
            Kind::Log(pattern, _) => format!("--ready log:{pattern}: no line of its output matches"),
            Kind::Delay(time, _) => format!("--ready delay:{time:?} is longer than that"),
            Kind::Quiet { .. } => format!("it was not quiet for {:?}", LOOK * QUIET_LOOKS),
        }
    }

    /// When it wants to be asked again, whatever happens.
    pub(super) fn next(&self) -> Option<Time> {
        match &self.kind {
            Kind::Probe { running: None, next, .. } => Some(*next),
            Kind::Quiet { calm, .. } => Some(calm.next()),
            Kind::Delay(_, until) => Some(*until),
            Kind::Probe { .. } | Kind::SdNotify | Kind::Fd(..) | Kind::Log(..) => None,
        }
    }

    /// Whether each line of its output is to be shown.
    pub(super) fn reads_lines(&self) -> bool {
        matches!(self.kind, Kind::Log(..))
    }

    /// A line of its output.
    pub(super) fn see_line(&self, line: &[u8]) -> Option<By> {
        match &self.kind {
            Kind::Log(pattern, regex) if regex.is_match(&String::from_utf8_lossy(line)) => {
                Some(By(format!("log:{pattern}")))
            }
            _ => None,
        }
    }

    /// What came on the socket for sd_notify(3) says so.
    pub(super) fn see_notified(&self) -> Option<By> {
        matches!(self.kind, Kind::SdNotify).then(|| By("sd_notify".to_owned()))
    }

    /// Its descriptor can be read.
    pub(super) fn see_fd(&mut self, now: Time, epoll: &Epoll) -> Option<By> {
        match &mut self.kind {
            Kind::Fd(number, pipe) => {
                let mut some = [0; 256];
                let count = pipe.as_mut()?.read(&mut some).ok()?;
                let is_said = count == 0 || some.get(..count)?.contains(&b'\n');
                if count == 0
                    && let Some(pipe) = pipe.take()
                {
                    let _ = epoll.delete(&pipe);
                }
                is_said.then(|| By(format!("fd:{number}")))
            }
            Kind::Probe { target, running, next, tried } => {
                let (started, pidfd) = running.take()?;
                let _ = epoll.delete(&pidfd);
                *next = now.after(INTERVAL);
                let why = started.end()?;
                (tried.count, tried.why) = (tried.count + 1, why);
                tried.why.is_empty().then(|| By(target.to_string()))
            }
            _ => None,
        }
    }

    /// Its time has come. `stir` looks at the command.
    pub(super) fn see_time(&mut self, now: Time, epoll: &Epoll, token: u64, stir: impl FnOnce() -> Stir) -> Option<By> {
        match &mut self.kind {
            Kind::Delay(time, until) if now >= *until => Some(By(format!("delay:{time:?}"))),
            Kind::Probe { target, running: running @ None, next, .. } if now >= *next => {
                *next = now.after(INTERVAL);
                let started = Started::begin(target, TRY, SigSet::NONE).ok()?;
                let pidfd = crate::sys::processes::pidfd(started.pid()).ok()?;
                let _ = epoll.add(pidfd.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, token));
                *running = Some((started, pidfd));
                None
            }
            Kind::Quiet { began, calm } => {
                let looked = LOOK * QUIET_LOOKS;
                match now.since(*began) {
                    _ if calm.see(now, stir) => Some(By(format!("quiet for {looked:?}"))),
                    time if time >= LONGEST => Some(By(format!("not quiet for {looked:?} within {LONGEST:?}"))),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}
