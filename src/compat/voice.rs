//! What the init that we are called as would say, in its words: a log that is told the same events as our own, passes on
//! what our own is to have, and translates what that init speaks of at its verbosity.
//!
//! It speaks while process 1 runs, so nothing here allocates or can panic then.

use std::ffi::CStr;
use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};

use log::{LevelFilter, Log, Metadata, Record, kv};
use supervise_init::core::{Signal, Status};
use supervise_init::sys::{Errno, Line, Output, STDERR, SigSet, Static, this_process, write_at_once};

use super::{Manner, Other};

// Said aloud because a test includes this file by its path.
#[path = "voice/catatonit.rs"]
pub(super) mod catatonit;
#[path = "voice/dumb_init.rs"]
mod dumb_init;
#[path = "voice/tini.rs"]
pub(super) mod tini;

/// How it speaks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Speech {
    pub(super) init: Other,
    pub(super) manner: Manner,
    /// In the levels of that init.
    pub(super) verbosity: u32,
    /// What is verbose up to this level comes from our own events. (They cost a little.)
    pub(super) needs: LevelFilter,
    /// tini's `-w`.
    pub(super) names_reaped: bool,
    /// tini's warning that it will not reap.
    pub(super) warns_of_place: bool,
    /// tini's word that it is a subreaper, where it need not be one.
    pub(super) registers: bool,
    /// The signals that dumb-init translates, into whatever.
    pub(super) rewritten: SigSet,
    /// What SIGTERM becomes; `None`: it is ignored.
    pub(super) term: Option<Signal>,
    pub(super) has_session: bool,
    /// The variables that had a say, for dumb-init.
    pub(super) by_variables: [bool; 2],
    /// The command's name; empty: there is none.
    pub(super) command: &'static CStr,
}

/// The log of an init that is not ours.
#[derive(Debug)]
pub(crate) struct Voice {
    pub(super) speech: Speech,
    /// What of our own is logged, as a [`LevelFilter`].
    own: AtomicU8,
    /// The signal that was received last, until it is forwarded.
    pub(super) received: AtomicU8,
    pub(super) main_has_ended: AtomicBool,
}

static VOICE: Static<Voice> = Static::new();

/// Installs it as the log; `None` if there is one already.
pub(super) fn install(speech: Speech) -> Option<&'static Voice> {
    let own = AtomicU8::new(LevelFilter::Info as u8);
    let voice = VOICE.put(Voice { speech, own, received: AtomicU8::new(0), main_has_ended: AtomicBool::new(false) })?;
    let voice = &*voice;
    log::set_logger(voice).ok()?;
    log::set_max_level(LevelFilter::Info);
    Some(voice)
}

/// What an event of ours is about, of which the others speak.
#[derive(Default, Debug)]
pub(super) struct Told<'a> {
    pub(super) event: &'a str,
    pub(super) who: &'a str,
    pub(super) pid: i64,
    pub(super) signal: Option<Signal>,
    pub(super) code: Option<u8>,
    pub(super) errno: Option<Errno>,
    pub(super) leader: bool,
}

impl Told<'_> {
    pub(super) fn is_main(&self) -> bool {
        self.who == "main"
    }

    /// How a process ended.
    pub(super) fn status(&self) -> Option<Status> {
        self.code.map(Status::Exited).or(self.signal.map(Status::Signaled))
    }
}

impl<'kvs> kv::VisitSource<'kvs> for Told<'kvs> {
    fn visit_pair(&mut self, key: kv::Key<'kvs>, value: kv::Value<'kvs>) -> Result<(), kv::Error> {
        let number = value.to_i64();
        match (key.as_str(), value.to_borrowed_str(), number) {
            ("event", Some(text), _) => self.event = text,
            ("who", Some(text), _) => self.who = text,
            ("pid", _, Some(number)) => self.pid = number,
            ("signal", _, Some(number)) => self.signal = i32::try_from(number).ok().and_then(Signal::new),
            ("code", _, Some(number)) => self.code = u8::try_from(number).ok(),
            ("errno", _, Some(number)) => self.errno = i32::try_from(number).ok().map(Errno),
            ("leader", _, Some(number)) => self.leader = number != 0,
            _ => {}
        }
        Ok(())
    }
}

impl Log for Voice {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if record.level() as u8 <= self.own.load(Relaxed) {
            STDERR.log(record);
        }
        let mut told = Told::default();
        // Our own fields are of these kinds.
        let _ = record.key_values().visit(&mut told);
        if !told.event.is_empty() {
            match self.speech.init {
                Other::Tini => tini::tell(self, &told),
                Other::DumbInit => dumb_init::tell(self, &told),
                Other::Catatonit => catatonit::tell(self, &told),
            }
        }
    }

    fn flush(&self) {}
}

impl Voice {
    /// Hears of all that it speaks of, now that it is known how much of our own is to be logged.
    pub(crate) fn listen(&self) {
        let own = log::max_level();
        self.own.store(own as u8, Relaxed);
        log::set_max_level(own.max(self.speech.needs));
    }

    pub(crate) fn is_strict(&self) -> bool {
        self.speech.manner == Manner::Strict
    }

    /// Whether not even warnings are to be heard.
    pub(super) fn is_silent(&self) -> bool {
        self.speech.init == Other::Tini && self.speech.verbosity == 0
    }

    /// What is said before anything is done.
    pub(super) fn begin(&self) {
        match self.speech.init {
            Other::Tini => tini::begin(self),
            Other::DumbInit => dumb_init::begin(self),
            Other::Catatonit => catatonit::begin(self),
        }
    }

    /// Says that the command could not be executed; the code to end with.
    pub(super) fn not_executed(&self, name: &str, errno: Errno, phrase: &str) -> u8 {
        let name = Plain(name);
        match self.speech.init {
            Other::Tini => tini::not_executed(self, &name, errno, phrase),
            Other::DumbInit => dumb_init::not_executed(self, &name, phrase),
            Other::Catatonit => catatonit::not_executed(self, phrase),
        }
    }

    /// The same where there is no process for it.
    pub(super) fn not_forked(&self, phrase: &str) -> u8 {
        match self.speech.init {
            Other::Tini => tini::not_forked(self, phrase),
            Other::DumbInit => dumb_init::not_forked(self),
            Other::Catatonit => catatonit::not_forked(self, phrase),
        }
        super::FAILURE
    }

    /// The command, as messages name it.
    pub(super) fn command(&self) -> Plain<'static> {
        Plain(self.speech.command.to_str().unwrap_or("?"))
    }
}

/// Writes a line that begins with the init's mark.
pub(super) fn say(to: Output, mark: fmt::Arguments<'_>, text: fmt::Arguments<'_>) {
    let mut line = Line::<1024>::new();
    // What is too long is cut.
    let _ = line.write_fmt(mark).and_then(|()| line.write_fmt(text));
    line.end("...\n", "\n");
    // A stream that takes none is nobody's concern.
    let _ = write_at_once(to, line.bytes());
}

/// Our own number, which the marks of tini and catatonit have.
pub(super) fn pid() -> i32 {
    this_process().number()
}

/// A word of others, with what could draw on a terminal as escapes.
pub(super) struct Plain<'a>(&'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|letter| {
            if letter.is_control() { write!(f, "{}", letter.escape_default()) } else { f.write_char(letter) }
        })
    }
}
