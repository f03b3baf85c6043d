//! What our own clients and process 1 say to one another on the control socket: one datagram each way, of fixed size, so
//! that nobody has to wait for more, and nothing in it says how long anything is but a byte.
//!
//! ```text
//! message  0 "SVc4"   4 verb   5 wish   6 haste   7 wall   8 when (8)  16 code  17 pid (4)  21 uid (4)  25 name (15)
//!         40 length  41 text
//! reply    0 "SVr4"   4 answer 5 standing 6 wish (or 0)  7 code   8 when (8)  16 main (4)  20 restarts (4)  24 up (8)
//!         32 orphans (8)  40 readiness  41 health  42 last end (2)  48 its time (8)  56 length  57 text
//!         277 length  278 what the command says of itself
//! ```
//! Numbers are little-endian; `when` and the time of an end are in microseconds since 1970, `up` in milliseconds. The code
//! is that of a wish which has one, or the number of the signal that is to be passed on. A pid that is not 0 is whom a
//! message is for: process 1 takes that from nobody but its own speaker.

use core::fmt;

use super::news::{Health, Last, Readiness, last_of, of_last};
use super::{Ask, Haste, Request, Wish};
use crate::core::machine::Note;
use crate::core::record::Name;
use crate::core::signal::Signal;

/// What a message asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    /// To end, at once.
    End,
    /// To end at a time.
    Schedule,
    /// To warn of an end that does not come (`shutdown -k`).
    Warn,
    /// To forget what is scheduled.
    Cancel,
    /// How things stand.
    Status,
    /// Whether who asks may ask for an end.
    May,
    /// To be told what happens, on a socket that comes with the answer.
    Events,
    /// The same, to see what is asked for next happen.
    Follow,
    /// To pass this signal on to the command.
    Signal(Signal),
}

/// A verb that has a signal beside it.
const SIGNAL: u8 = b'k';
const VERBS: [(u8, Verb); 8] = [
    (b'e', Verb::End),
    (b's', Verb::Schedule),
    (b'w', Verb::Warn),
    (b'c', Verb::Cancel),
    (b'?', Verb::Status),
    (b'm', Verb::May),
    (b'n', Verb::Events),
    (b'f', Verb::Follow),
];
const WISHES: [(u8, Wish); 5] =
    [(b'h', Wish::Halt), (b'p', Wish::Poweroff), (b'r', Wish::Reboot), (b'a', Wish::Restart), (b't', Wish::Stop)];
/// A wish that has a code beside it.
const EXIT: u8 = b'x';
const HASTES: [(u8, Haste); 2] = [(b'o', Haste::Orderly), (b'i', Haste::Immediate)];

/// What comes of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// It is done, or begins.
    Accepted,
    /// All are ending already.
    UnderWay,
    /// Whoever asks may not.
    Refused,
    /// Whoever asks is outside of the PID namespace, where nobody may.
    Outside,
    /// There is nothing to cancel.
    NothingScheduled,
    /// As many are told already as there is room for.
    Full,
    /// The signal goes nowhere, for this reason.
    Dropped(Note),
}

const ANSWERS: [(u8, Answer); 12] = [
    (b'a', Answer::Accepted),
    (b'u', Answer::UnderWay),
    (b'r', Answer::Refused),
    (b'o', Answer::Outside),
    (b'n', Answer::NothingScheduled),
    (b'f', Answer::Full),
    (b'1', Answer::Dropped(Note::Ignored)),
    (b'2', Answer::Dropped(Note::SentToGroup)),
    (b'3', Answer::Dropped(Note::MainHasEnded)),
    (b'4', Answer::Dropped(Note::MainIsKilled)),
    (b'5', Answer::Dropped(Note::HookIsKilled)),
    (b'6', Answer::Dropped(Note::NoMain)),
];

/// How process 1 stands to its command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// What comes before the command runs.
    Starting,
    /// The command runs.
    Running,
    /// The command has ended, and what it left behind may take its time.
    Waiting,
    /// A stop is under way.
    Stopping,
    /// There is no command.
    Pausing,
    /// The command has ended, and is to be started again.
    Restarting,
}

const STANDINGS: [(u8, Standing); 6] = [
    (b's', Standing::Starting),
    (b'r', Standing::Running),
    (b'w', Standing::Waiting),
    (b'e', Standing::Stopping),
    (b'p', Standing::Pausing),
    (b'a', Standing::Restarting),
];

pub(super) fn byte_of<T: PartialEq>(table: &[(u8, T)], value: &T) -> u8 {
    table.iter().find(|(_, known)| known == value).map_or(0, |(byte, _)| *byte)
}

pub(super) fn of_byte<T: Copy>(table: &[(u8, T)], byte: u8) -> Option<T> {
    table.iter().find(|(known, _)| *known == byte).map(|(_, value)| *value)
}

/// The bytes of a wish: which, and its code.
pub(super) fn of_wish(wish: Wish) -> [u8; 2] {
    match wish {
        Wish::Exit(code) => [EXIT, code],
        wish => [byte_of(&WISHES, &wish), 0],
    }
}

pub(super) fn wish_of([byte, code]: [u8; 2]) -> Option<Wish> {
    match (byte, code) {
        (EXIT, code) => Some(Wish::Exit(code)),
        (byte, 0) => of_byte(&WISHES, byte),
        _ => None,
    }
}

/// A short text; what does not fit is cut off.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Text {
    bytes: [u8; Text::MOST],
    length: u8,
}

impl Text {
    /// The most bytes that it can have.
    pub const MOST: usize = 220;
    /// None.
    pub const EMPTY: Text = Text { bytes: [0; Text::MOST], length: 0 };

    /// As much of the text as fits, in whole letters.
    pub fn new(text: &str) -> Text {
        let mut end = text.len().min(Text::MOST);
        while !text.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        let mut kept = Text::EMPTY;
        for (to, from) in kept.bytes.iter_mut().zip(text.as_bytes().get(..end).unwrap_or_default()) {
            *to = *from;
            kept.length = kept.length.saturating_add(1);
        }
        kept
    }

    /// The text, up to what is no UTF-8.
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        match core::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                core::str::from_utf8(bytes.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default()
            }
        }
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub(super) fn write(&self, to: &mut [u8]) {
        if let Some((length, bytes)) = to.split_first_mut() {
            *length = self.length;
            for (to, from) in bytes.iter_mut().zip(self.bytes) {
                *to = from;
            }
        }
    }

    pub(super) fn read(from: &[u8]) -> Option<Text> {
        let (length, bytes) = from.split_first()?;
        let bytes = bytes.get(..usize::from(*length)).filter(|bytes| bytes.len() <= Text::MOST)?;
        let mut text = Text { length: *length, ..Text::EMPTY };
        for (to, from) in text.bytes.iter_mut().zip(bytes) {
            *to = *from;
        }
        Some(text)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Whom a message is for, where another sends it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Client {
    /// Its number; not 0.
    pub pid: i32,
    /// Its user.
    pub uid: u32,
    /// What it is called, ended by a zero if it is shorter: it may be gone when that is logged.
    pub name: Name,
}

/// What a client says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message {
    /// What it asks for.
    pub verb: Verb,
    /// How all is to end; of no meaning to some verbs.
    pub request: Request,
    /// Whether people are to be told.
    pub wall: bool,
    /// When, in microseconds since 1970.
    pub when: u64,
    /// Whom it is for; `None`: who sends it.
    pub client: Option<Client>,
    /// What people are to be told.
    pub text: Text,
}

/// What it asks for, as a log line begins with it.
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wish = self.request.wish;
        match self.verb {
            Verb::End => Ask::End(self.request).fmt(f),
            Verb::Schedule => write!(f, "{wish} at a time"),
            Verb::Warn => write!(f, "warning of a {wish}"),
            Verb::Cancel => f.write_str("cancelling what is scheduled"),
            Verb::Status => f.write_str("status"),
            Verb::Events => f.write_str("events"),
            Verb::Follow => f.write_str("waiting for what is asked for"),
            Verb::Signal(signal) => write!(f, "passing on {signal}"),
            // Who speaks for others asks that first, whatever they want.
            Verb::May => f.write_str("what only some may have"),
        }
    }
}

impl Message {
    /// The size of all messages.
    pub const SIZE: usize = 41 + Text::MOST;

    /// As bytes.
    pub fn encode(&self) -> [u8; Message::SIZE] {
        let mut bytes = [0; Message::SIZE];
        let [wish, code] = of_wish(self.request.wish);
        let (verb, code) = match self.verb {
            Verb::Signal(signal) => (SIGNAL, signal.number()),
            verb => (byte_of(&VERBS, &verb), code),
        };
        let head = [verb, wish, byte_of(&HASTES, &self.request.haste), u8::from(self.wall)];
        put(&mut bytes, 0, b"SVc4");
        put(&mut bytes, 4, &head);
        put(&mut bytes, 8, &self.when.to_le_bytes());
        put(&mut bytes, 16, &[code]);
        if let Some(Client { pid, uid, name }) = self.client {
            put(&mut bytes, 17, &pid.to_le_bytes());
            put(&mut bytes, 21, &uid.to_le_bytes());
            put(&mut bytes, 25, &name);
        }
        self.text.write(bytes.get_mut(40..).unwrap_or_default());
        bytes
    }

    /// What the bytes say, if they are a message.
    pub fn decode(bytes: &[u8]) -> Option<Message> {
        if bytes.len() != Message::SIZE || bytes.get(..4)? != b"SVc4" {
            return None;
        }
        let [verb, wish, haste, wall] = *bytes.get(4..)?.first_chunk()?;
        let pid = i32::from_le_bytes(*bytes.get(17..)?.first_chunk()?);
        let uid = u32::from_le_bytes(*bytes.get(21..)?.first_chunk()?);
        let name = *bytes.get(25..)?.first_chunk()?;
        let code = *bytes.get(16)?;
        let (verb, code) = match verb {
            SIGNAL => (Verb::Signal(Signal::new(i32::from(code))?), 0),
            verb => (of_byte(&VERBS, verb)?, code),
        };
        Some(Message {
            verb,
            request: Request { wish: wish_of([wish, code])?, haste: of_byte(&HASTES, haste)? },
            wall: wall != 0,
            when: u64::from_le_bytes(*bytes.get(8..)?.first_chunk()?),
            client: (pid != 0).then_some(Client { pid, uid, name }),
            text: Text::read(bytes.get(40..)?)?,
        })
    }
}

/// What process 1 answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reply {
    /// What comes of the message.
    pub answer: Answer,
    /// How things stand.
    pub standing: Standing,
    /// What is scheduled, for when (in microseconds since 1970), and what people were told.
    pub scheduled: Option<(Wish, u64, Text)>,
    /// The command's pid; 0 if it does not run.
    pub main: i32,
    /// How often the command was started again.
    pub restarts: u32,
    /// For how long process 1 has run, in milliseconds.
    pub up: u64,
    /// What it knows of the command beyond that.
    pub facts: Facts,
}

/// What process 1 remembers of its command and of others, for whoever asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Facts {
    /// How many orphans it has reaped.
    pub orphans: u64,
    /// Whether the command is ready; `None`: nobody asks for that.
    pub readiness: Option<Readiness>,
    /// Whether it is healthy; `None`: nobody asks for that.
    pub health: Option<Health>,
    /// How it has ended the last time, and when, in microseconds since 1970.
    pub last: Option<(Last, u64)>,
    /// What it says of itself (`STATUS=`, sd_notify(3)).
    pub said: Text,
}

impl Facts {
    /// Nothing is known.
    pub const NONE: Facts = Facts { orphans: 0, readiness: None, health: None, last: None, said: Text::EMPTY };
}

impl Reply {
    /// The size of all replies.
    pub const SIZE: usize = 278 + Text::MOST;

    /// As bytes.
    pub fn encode(&self) -> [u8; Reply::SIZE] {
        let mut bytes = [0; Reply::SIZE];
        let ([wish, code], when, text) =
            self.scheduled.map_or(([0; 2], 0, Text::EMPTY), |(wish, when, text)| (of_wish(wish), when, text));
        put(&mut bytes, 0, b"SVr4");
        put(&mut bytes, 4, &[byte_of(&ANSWERS, &self.answer), byte_of(&STANDINGS, &self.standing), wish, code]);
        put(&mut bytes, 8, &when.to_le_bytes());
        put(&mut bytes, 16, &self.main.to_le_bytes());
        put(&mut bytes, 20, &self.restarts.to_le_bytes());
        put(&mut bytes, 24, &self.up.to_le_bytes());
        let Facts { orphans, readiness, health, last, said } = self.facts;
        put(&mut bytes, 32, &orphans.to_le_bytes());
        put(&mut bytes, 40, &[Readiness::byte(readiness), Health::byte(health)]);
        put(&mut bytes, 42, &of_last(last.map(|(last, _)| last)));
        put(&mut bytes, 48, &last.map_or(0, |(_, at)| at).to_le_bytes());
        text.write(bytes.get_mut(56..).unwrap_or_default());
        said.write(bytes.get_mut(277..).unwrap_or_default());
        bytes
    }

    /// What the bytes say, if they are a reply.
    pub fn decode(bytes: &[u8]) -> Option<Reply> {
        if bytes.len() != Reply::SIZE || bytes.get(..4)? != b"SVr4" {
            return None;
        }
        let [answer, standing, wish, code] = *bytes.get(4..)?.first_chunk()?;
        let when = u64::from_le_bytes(*bytes.get(8..)?.first_chunk()?);
        let text = Text::read(bytes.get(56..277)?)?;
        let scheduled = match wish {
            0 => None,
            wish => Some((wish_of([wish, code])?, when, text)),
        };
        let [readiness, health] = *bytes.get(40..)?.first_chunk()?;
        let at = u64::from_le_bytes(*bytes.get(48..)?.first_chunk()?);
        let facts = Facts {
            orphans: u64::from_le_bytes(*bytes.get(32..)?.first_chunk()?),
            readiness: Readiness::of_byte(readiness)?,
            health: Health::of_byte(health)?,
            last: last_of(*bytes.get(42..)?.first_chunk()?)?.map(|last| (last, at)),
            said: Text::read(bytes.get(277..)?)?,
        };
        Some(Reply {
            answer: of_byte(&ANSWERS, answer)?,
            standing: of_byte(&STANDINGS, standing)?,
            scheduled,
            main: i32::from_le_bytes(*bytes.get(16..)?.first_chunk()?),
            restarts: u32::from_le_bytes(*bytes.get(20..)?.first_chunk()?),
            up: u64::from_le_bytes(*bytes.get(24..)?.first_chunk()?),
            facts,
        })
    }
}

pub(super) fn put(to: &mut [u8], at: usize, bytes: &[u8]) {
    for (to, from) in to.iter_mut().skip(at).zip(bytes) {
        *to = *from;
    }
}

#[cfg(test)]
#[path = "control_tests.rs"]
mod tests;
