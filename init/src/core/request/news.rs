//! What process 1 tells those who have asked to be told (`supervise ctl events`): one datagram each, of fixed size.
//!
//! ```text
//! 0 "SVe2"   4 what   5 which   6 cause   7 its signal   8 origin   12 pid (4)   16 number (8)   24 monotonic (8)
//! 32 wall (8)   40 lost (4)   44 pid of the origin (4)   48 its uid (4)   52 name (15)   67 length   68 text
//! ```
//! Numbers are little-endian. The monotonic time is in nanoseconds of CLOCK_MONOTONIC, the other one in microseconds since
//! 1970. `lost` is how many were left out before this one, because the reader did not read.

use super::control::{Text, byte_of, of_byte, put};
use super::{Haste, Request, Way, Wish};
use crate::core::exit::Status;
pub use crate::core::health::Health;
use crate::core::machine::{Failure, Heard, Then};
use crate::core::record::Name;
use crate::core::signal::Signal;

/// What has happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum News {
    /// The command was started as this pid.
    Started {
        /// Its number.
        pid: i32,
        /// How often it was started again before, that included.
        restarts: u32,
    },
    /// The process that was the command has ended, and the command goes on as this pid, which it has named itself.
    Followed {
        /// Its number.
        pid: i32,
        /// The number of the one that has ended.
        former: i32,
    },
    /// Whether the command is ready is another now.
    Readiness(Readiness),
    /// Whether it is healthy is another now.
    Health(Health),
    /// What it says of itself (`STATUS=`, sd_notify(3)).
    Said(Text),
    /// A stop goes on with this.
    Stopping {
        /// With what.
        step: Stage,
        /// What the command is sent, where it is sent something.
        signal: Option<Signal>,
        /// Why there is a stop.
        by: By,
    },
    /// A process is killed, by its name.
    Killed {
        /// Its number.
        pid: i32,
        /// What it is called.
        name: Name,
    },
    /// The command has ended.
    Ended {
        /// Its number.
        pid: i32,
        /// How.
        status: Status,
        /// Why, as far as somebody here wanted it.
        by: By,
    },
    /// It could not be started, because of this.
    NotStarted(Unstarted),
    /// It is to be started again after so many milliseconds.
    Restarting(u64),
    /// It is not started again after so many restarts.
    GivenUp(u64),
    /// A signal was passed on to the command.
    Forwarded {
        /// Which it got.
        signal: Signal,
        /// Who has sent it.
        by: By,
    },
    /// Somebody has asked for this.
    Requested {
        /// What.
        what: Asked,
        /// What comes of it.
        heard: Heard,
        /// Who.
        by: By,
    },
    /// Process 1 ends with this code; `None`: the command could not be started, which a line of the log explains.
    Exit(Option<u8>),
}

/// Why the command could not be started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unstarted {
    /// The kernel's error, as in errno(3).
    Refused(u8),
    /// What is to run before it has failed.
    Unprepared,
}

/// How a life of the command has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Last {
    /// As a process does.
    Ended(Status),
    /// Before it had begun.
    NotStarted(Unstarted),
}

/// How far the command is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Readiness {
    /// It is started, and has not said that it is ready.
    NotReady,
    /// It is ready.
    Ready,
    /// It reads its configuration again.
    Reloading,
    /// It says that it stops.
    Stopping,
}

/// What a stop does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// The hook before the start is told to end.
    PreStart,
    /// The hook before the stop runs.
    PreStop,
    /// It waits before the command is told.
    Delay,
    /// The command is sent a signal.
    Signal,
    /// What the command has left behind may end when it likes.
    Wait,
    /// It is told to end.
    Leftovers,
}

/// What can be asked for, by whatever way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// An end.
    End(Request),
    /// One at a time.
    Schedule(Wish),
    /// To forget that.
    Cancel,
    /// To warn of an end that does not come.
    Warn(Wish),
    /// To read what there is not.
    Reload,
    /// To execute itself again.
    Reexecute,
    /// To open `/run/initctl` again.
    Reopen,
    /// A runlevel.
    Runlevel(u8),
}

/// Why something happens, and who has caused it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct By {
    /// Why.
    pub cause: Motive,
    /// Who.
    pub origin: Origin,
}

impl By {
    /// Nobody: it has happened by itself.
    pub const NOBODY: By = By { cause: Motive::Nothing, origin: Origin::Unknown };
}

/// Why something happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Motive {
    /// By itself.
    Nothing,
    /// Somebody wants it, who has come this way.
    Asked(Way),
    /// The longest time is over.
    MaxTime,
    /// The command has failed in this.
    Failed(Failure),
}

/// Who has caused it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Nobody, or that cannot be known.
    Unknown,
    /// The kernel.
    Kernel,
    /// Somebody outside the PID namespace.
    Outside,
    /// Process 1 itself.
    Ourselves,
    /// A process inside.
    Process {
        /// Its number.
        pid: i32,
        /// Its user.
        uid: u32,
        /// What it is called; empty where it is gone.
        name: Name,
    },
}

const READINESS: [(u8, Readiness); 4] =
    [(b'n', Readiness::NotReady), (b'r', Readiness::Ready), (b'l', Readiness::Reloading), (b's', Readiness::Stopping)];
const HEALTH: [(u8, Health); 3] = [(b's', Health::Starting), (b'h', Health::Healthy), (b'u', Health::Unhealthy)];
const STAGES: [(u8, Stage); 6] = [
    (b'b', Stage::PreStart),
    (b'p', Stage::PreStop),
    (b'd', Stage::Delay),
    (b's', Stage::Signal),
    (b'w', Stage::Wait),
    (b'l', Stage::Leftovers),
];
const WAYS: [(u8, Way); 4] = [(b'i', Way::Initctl), (b'c', Way::Control), (b'b', Way::Bus), (b't', Way::Schedule)];
const FAILURES: [(u8, Failure); 4] = [
    (b'n', Failure::NotReady),
    (b'w', Failure::Watchdog),
    (b'r', Failure::Unhealthy(Then::Restart)),
    (b'u', Failure::Unhealthy(Then::Stop)),
];
const HEARD: [(u8, Heard); 3] = [(b'b', Heard::Begun), (b'u', Heard::UnderWay), (b'i', Heard::Ignored)];
const HASTES: [(u8, Haste); 2] = [(b'o', Haste::Orderly), (b'i', Haste::Immediate)];

impl Readiness {
    /// Its byte in what is sent; 0 stands for none.
    pub(super) fn byte(readiness: Option<Readiness>) -> u8 {
        readiness.map_or(0, |readiness| byte_of(&READINESS, &readiness))
    }

    pub(super) fn of_byte(byte: u8) -> Option<Option<Readiness>> {
        if byte == 0 { Some(None) } else { of_byte(&READINESS, byte).map(Some) }
    }
}

impl Health {
    /// Its byte in what is sent; 0 stands for none.
    pub(super) fn byte(health: Option<Health>) -> u8 {
        health.map_or(0, |health| byte_of(&HEALTH, &health))
    }

    pub(super) fn of_byte(byte: u8) -> Option<Option<Health>> {
        if byte == 0 { Some(None) } else { of_byte(&HEALTH, byte).map(Some) }
    }
}

/// The bytes of how a life ended, of which the first is 0 where none did.
pub(super) fn of_last(last: Option<Last>) -> [u8; 2] {
    match last {
        None => [0, 0],
        Some(Last::Ended(Status::Exited(code))) => [b'c', code],
        Some(Last::Ended(Status::Signaled(signal))) => [b's', signal.number()],
        Some(Last::NotStarted(Unstarted::Refused(errno))) => [b'n', errno],
        Some(Last::NotStarted(Unstarted::Unprepared)) => [b'p', 0],
    }
}

pub(super) fn last_of(bytes: [u8; 2]) -> Option<Option<Last>> {
    Some(Some(match bytes {
        [0, _] => return Some(None),
        [b'c', code] => Last::Ended(Status::Exited(code)),
        [b's', number] => Last::Ended(Status::Signaled(Signal::new(i32::from(number))?)),
        [b'n', errno] => Last::NotStarted(Unstarted::Refused(errno)),
        [b'p', 0] => Last::NotStarted(Unstarted::Unprepared),
        _ => return None,
    }))
}

/// What is told, and when it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dispatch {
    /// What.
    pub news: News,
    /// Of CLOCK_MONOTONIC, in nanoseconds.
    pub monotonic: u64,
    /// In microseconds since 1970.
    pub wall: u64,
    /// How many were left out before it.
    pub lost: u32,
}

/// The parts of a datagram that differ.
#[derive(Clone, Copy, Default)]
struct Parts {
    what: u8,
    which: u8,
    pid: i32,
    number: u64,
}

impl Dispatch {
    /// The size of all of them.
    pub const SIZE: usize = 68 + Text::MOST;

    /// As bytes.
    pub fn encode(&self) -> [u8; Dispatch::SIZE] {
        let mut bytes = [0; Dispatch::SIZE];
        let parts = parts_of(&self.news);
        put(&mut bytes, 0, b"SVe2");
        put(&mut bytes, 4, &[parts.what, parts.which]);
        put(&mut bytes, 12, &parts.pid.to_le_bytes());
        put(&mut bytes, 16, &parts.number.to_le_bytes());
        put(&mut bytes, 24, &self.monotonic.to_le_bytes());
        put(&mut bytes, 32, &self.wall.to_le_bytes());
        put(&mut bytes, 40, &self.lost.to_le_bytes());
        match self.news {
            News::Stopping { by, .. } | News::Ended { by, .. } => put_by(&mut bytes, by),
            News::Forwarded { by, .. } | News::Requested { by, .. } => put_by(&mut bytes, by),
            News::Killed { name, .. } => put(&mut bytes, 52, &name),
            News::Said(text) => text.write(bytes.get_mut(67..).unwrap_or_default()),
            News::Started { .. } | News::Followed { .. } | News::Readiness(_) | News::Health(_) => {}
            News::NotStarted(_) | News::Restarting(_) | News::GivenUp(_) | News::Exit(_) => {}
        }
        bytes
    }

    /// What the bytes say, if they are one.
    pub fn decode(bytes: &[u8]) -> Option<Dispatch> {
        if bytes.len() != Dispatch::SIZE || bytes.get(..4)? != b"SVe2" {
            return None;
        }
        let long = |at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        let [what, which] = *bytes.get(4..)?.first_chunk()?;
        let pid = i32::from_le_bytes(*bytes.get(12..)?.first_chunk()?);
        Some(Dispatch {
            news: news_of(Parts { what, which, pid, number: long(16)? }, bytes)?,
            monotonic: long(24)?,
            wall: long(32)?,
            lost: u32::from_le_bytes(*bytes.get(40..)?.first_chunk()?),
        })
    }
}

fn parts_of(news: &News) -> Parts {
    let bare = |what| Parts { what, ..Parts::default() };
    let signal = |signal: Option<Signal>| signal.map_or(0, |signal| u64::from(signal.number()));
    let end = |last| {
        let [which, number] = of_last(Some(last));
        Parts { which, number: u64::from(number), ..bare(b'd') }
    };
    match *news {
        News::Started { pid, restarts } => Parts { pid, number: u64::from(restarts), ..bare(b's') },
        News::Followed { pid, former } => Parts { pid, number: u64::from(former.cast_unsigned()), ..bare(b'm') },
        News::Readiness(readiness) => Parts { which: byte_of(&READINESS, &readiness), ..bare(b'r') },
        News::Health(health) => Parts { which: byte_of(&HEALTH, &health), ..bare(b'h') },
        News::Said(_) => bare(b't'),
        News::Stopping { step, signal: sent, .. } => {
            Parts { which: byte_of(&STAGES, &step), number: signal(sent), ..bare(b'e') }
        }
        News::Killed { pid, .. } => Parts { pid, ..bare(b'k') },
        News::Ended { pid, status, .. } => Parts { pid, ..end(Last::Ended(status)) },
        News::NotStarted(why) => end(Last::NotStarted(why)),
        News::Restarting(number) => Parts { number, ..bare(b'a') },
        News::GivenUp(number) => Parts { number, ..bare(b'g') },
        News::Forwarded { signal: sent, .. } => Parts { number: signal(Some(sent)), ..bare(b'f') },
        News::Requested { what, heard, .. } => {
            Parts { which: byte_of(&HEARD, &heard), number: u64::from_le_bytes(of_asked(what)), ..bare(b'q') }
        }
        News::Exit(code) => {
            let which = if code.is_some() { b'c' } else { 0 };
            Parts { which, number: u64::from(code.unwrap_or_default()), ..bare(b'x') }
        }
    }
}

fn news_of(parts: Parts, bytes: &[u8]) -> Option<News> {
    let Parts { what, which, pid, number } = parts;
    let signal = Signal::new(i32::try_from(number).unwrap_or_default());
    Some(match what {
        b's' => News::Started { pid, restarts: u32::try_from(number).ok()? },
        b'm' => News::Followed { pid, former: u32::try_from(number).ok()?.cast_signed() },
        b'r' => News::Readiness(of_byte(&READINESS, which)?),
        b'h' => News::Health(of_byte(&HEALTH, which)?),
        b't' => News::Said(Text::read(bytes.get(67..)?)?),
        b'e' => News::Stopping { step: of_byte(&STAGES, which)?, signal, by: by_of(bytes)? },
        b'k' => News::Killed { pid, name: *bytes.get(52..)?.first_chunk()? },
        b'd' => match last_of([which, u8::try_from(number).ok()?])?? {
            Last::Ended(status) => News::Ended { pid, status, by: by_of(bytes)? },
            Last::NotStarted(why) => News::NotStarted(why),
        },
        b'a' => News::Restarting(number),
        b'g' => News::GivenUp(number),
        b'f' => News::Forwarded { signal: signal?, by: by_of(bytes)? },
        b'q' => {
            News::Requested { what: asked_of(number.to_le_bytes())?, heard: of_byte(&HEARD, which)?, by: by_of(bytes)? }
        }
        b'x' if which == 0 => News::Exit(None),
        b'x' => News::Exit(Some(u8::try_from(number).ok()?)),
        _ => return None,
    })
}

fn of_asked(what: Asked) -> [u8; 8] {
    let [kind, wish, code, more] = match what {
        Asked::End(Request { wish, haste }) => {
            let [wish, code] = super::control::of_wish(wish);
            [b'e', wish, code, byte_of(&HASTES, &haste)]
        }
        Asked::Schedule(wish) => with_wish(b's', wish),
        Asked::Cancel => [b'c', 0, 0, 0],
        Asked::Warn(wish) => with_wish(b'w', wish),
        Asked::Reload => [b'r', 0, 0, 0],
        Asked::Reexecute => [b'x', 0, 0, 0],
        Asked::Reopen => [b'o', 0, 0, 0],
        Asked::Runlevel(level) => [b'l', 0, 0, level],
    };
    [kind, wish, code, more, 0, 0, 0, 0]
}

fn with_wish(kind: u8, wish: Wish) -> [u8; 4] {
    let [wish, code] = super::control::of_wish(wish);
    [kind, wish, code, 0]
}

fn asked_of(bytes: [u8; 8]) -> Option<Asked> {
    let [kind, wish, code, more, ..] = bytes;
    let wish = || super::control::wish_of([wish, code]);
    Some(match kind {
        b'e' => Asked::End(Request { wish: wish()?, haste: of_byte(&HASTES, more)? }),
        b's' => Asked::Schedule(wish()?),
        b'c' => Asked::Cancel,
        b'w' => Asked::Warn(wish()?),
        b'r' => Asked::Reload,
        b'x' => Asked::Reexecute,
        b'o' => Asked::Reopen,
        b'l' => Asked::Runlevel(more),
        _ => return None,
    })
}

fn put_by(bytes: &mut [u8], by: By) {
    let (cause, detail) = match by.cause {
        Motive::Nothing => (0, 0),
        Motive::Asked(Way::Signal(number)) => (b's', number),
        Motive::Asked(way) => (b'a', byte_of(&WAYS, &way)),
        Motive::MaxTime => (b'm', 0),
        Motive::Failed(failure) => (b'f', byte_of(&FAILURES, &failure)),
    };
    let origin = match by.origin {
        Origin::Unknown => 0,
        Origin::Kernel => b'k',
        Origin::Outside => b'o',
        Origin::Ourselves => b'u',
        Origin::Process { pid, uid, name } => {
            put(bytes, 44, &pid.to_le_bytes());
            put(bytes, 48, &uid.to_le_bytes());
            put(bytes, 52, &name);
            b'p'
        }
    };
    put(bytes, 6, &[cause, detail, origin]);
}

fn by_of(bytes: &[u8]) -> Option<By> {
    let [cause, detail, origin] = *bytes.get(6..)?.first_chunk()?;
    let cause = match cause {
        0 => Motive::Nothing,
        b's' => Motive::Asked(Way::Signal(detail)),
        b'a' => Motive::Asked(of_byte(&WAYS, detail)?),
        b'm' => Motive::MaxTime,
        b'f' => Motive::Failed(of_byte(&FAILURES, detail)?),
        _ => return None,
    };
    let origin = match origin {
        0 => Origin::Unknown,
        b'k' => Origin::Kernel,
        b'o' => Origin::Outside,
        b'u' => Origin::Ourselves,
        b'p' => Origin::Process {
            pid: i32::from_le_bytes(*bytes.get(44..)?.first_chunk()?),
            uid: u32::from_le_bytes(*bytes.get(48..)?.first_chunk()?),
            name: *bytes.get(52..)?.first_chunk()?,
        },
        _ => return None,
    };
    Some(By { cause, origin })
}

#[cfg(test)]
#[path = "news_tests.rs"]
mod tests;
