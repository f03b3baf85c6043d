//! What systemd's clients look for: the directory that tells that systemd runs, its private socket, and that of the bus. We
//! listen, and no more: who speaks for the clients is a copy of us that accepts their connections, asks us by the
//! control socket what they ask for, and ends when nobody is left. So it may crash, or be killed: the next connection
//! starts another.
//!
//! 1. There is one speaker, and it is started by a connection that waits.
//! 2. One that is stopped is killed.
//! 3. One that is killed is started again for those who wait already, but not for ever: then only for who comes. Where
//!    one after the other fails by itself, all is taken back.

use core::ffi::CStr;
use core::time::Duration;

use log::{debug, warn};

use super::{Listener, Sockets};
use crate::core::Status;
use crate::sys::{self, Errno, Helper, Pid, Stream};

/// Where everything is.
#[derive(Debug)]
pub struct Places {
    /// Where systemd's files are.
    pub directory: &'static CStr,
    /// A directory in it: systemd runs, says sd_booted(3).
    pub booted: &'static CStr,
    /// systemd's own socket, for root alone.
    pub private: &'static CStr,
    /// Where the bus's socket is.
    pub bus_directory: &'static CStr,
    /// The bus's socket, for everybody, unless there is a real bus.
    pub bus: &'static CStr,
}

/// What was made of it.
#[derive(Debug)]
pub(super) struct Bus {
    places: &'static Places,
    private: Stream,
    system: Option<Stream>,
    speaker: Option<Helper>,
    /// How many speakers in a row have not come to a good end.
    failures: u32,
}

/// How many may fail in a row.
const MOST_FAILURES: u32 = 8;

/// Whether another speaker could do what the last one did not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Use {
    Some,
    None,
}

impl Bus {
    /// Offers it, the directory last: who finds it relies on the rest. `None`: that cannot be had, and it is said.
    pub(super) fn offer(places: &'static Places, ourselves: Pid) -> Option<Bus> {
        let made = sys::make_directory(places.directory, 0o755);
        let private = match made.and_then(|_| Stream::offer(places.private, 0o600, ourselves)) {
            Ok(private) => private,
            Err(errno) => {
                cannot_offer(places.private, errno, "going on without --systemd-compat");
                let _ = sys::remove_directory(places.directory);
                return None;
            }
        };
        let made = sys::make_directory(places.bus_directory, 0o755);
        let system = match made.and_then(|_| Stream::offer(places.bus, 0o666, ourselves)) {
            Ok(system) => Some(system),
            Err(Errno(libc::EADDRINUSE)) => {
                debug!(event = "bus"; "there is a real bus; leaving it alone");
                None
            }
            Err(errno) => {
                cannot_offer(places.bus, errno, "systemd's clients will not find logind");
                None
            }
        };
        let bus = Bus { places, private, system, speaker: None, failures: 0 };
        if let Err(errno) = sys::make_directory(places.booted, 0o755) {
            cannot_offer(places.booted, errno, "going on without --systemd-compat");
            bus.close();
            return None;
        }
        Some(bus)
    }

    pub(super) fn sockets(&self) -> Sockets {
        [Some(self.private.raw()), self.system.as_ref().map(Stream::raw)]
    }

    /// Whether the socket that all of systemd's clients look for still stands.
    pub(super) fn is_there(&self) -> bool {
        self.private.is_there()
    }

    pub(super) fn speaker(&self) -> Option<Pid> {
        self.speaker.as_ref().map(Helper::pid)
    }

    /// Starts a speaker if somebody waits for one.
    pub(super) fn look(&mut self, speak: &dyn Fn(Sockets) -> u8) {
        let waits = |stream: &Stream| stream.is_waiting();
        if self.speaker.is_some() || !(waits(&self.private) || self.system.as_ref().is_some_and(waits)) {
            return;
        }
        let sockets = self.sockets();
        match Helper::start_with_code(|| speak(sockets)) {
            Ok(speaker) => {
                debug!(event = "bus", pid = speaker.pid().number(); "pid {} speaks for systemd's clients", speaker.pid());
                self.speaker = Some(speaker);
            }
            Err(errno) => warn!("cannot answer who asks through the systemd bus: {errno}; the next may be answered"),
        }
    }

    /// The speaker may have ended. Says whether there is any use in the next one.
    pub(super) fn reap_speaker(&mut self, speak: &dyn Fn(Sockets) -> u8) -> Use {
        let Some((pid, status)) =
            self.speaker.as_ref().and_then(|speaker| Some((speaker.pid(), speaker.end_status()?)))
        else {
            return Use::Some;
        };
        self.speaker = None;
        self.failures = if status == Status::Exited(0) { 0 } else { self.failures.saturating_add(1) };
        let is_last = self.failures >= MOST_FAILURES;
        match status {
            Status::Exited(0) => debug!(event = "bus", pid = pid.number(); "nobody is left for pid {pid} to speak for"),
            Status::Exited(code) if is_last => {
                warn!(event = "bus", pid = pid.number(); "pid {pid}, which speaks for systemd's clients, has failed with code {code} as {MOST_FAILURES} before it; going on without --systemd-compat");
                return Use::None;
            }
            Status::Exited(code) => {
                warn!(event = "bus", pid = pid.number(); "pid {pid}, which speaks for systemd's clients, has failed with code {code}; the next client gets another");
            }
            Status::Signaled(signal) => {
                warn!(event = "bus", pid = pid.number(); "pid {pid}, which speaks for systemd's clients, was ended by {signal}; the next client gets another");
            }
        }
        if !is_last {
            self.look(speak);
        }
        Use::Some
    }

    /// A speaker that is stopped would let everybody wait, and only who may stop it continues it.
    fn end_stopped_speaker(&self) {
        if let Some(speaker) = &self.speaker
            && let Some(by) = speaker.was_stopped()
        {
            let pid = speaker.pid();
            warn!(event = "bus", pid = pid.number(), signal = by.number(); "pid {pid}, which speaks for systemd's clients, was stopped by {by}; killing it");
            speaker.kill();
        }
    }

    /// Takes it all back. What somebody else has put there stays.
    pub(super) fn close(self) {
        if let Some(speaker) = self.speaker {
            speaker.end(Duration::ZERO);
        }
        self.private.remove();
        if let Some(system) = &self.system {
            system.remove();
        }
        for directory in [self.places.booted, self.places.directory, self.places.bus_directory] {
            let _ = sys::remove_directory(directory);
        }
    }
}

impl Listener<'_> {
    /// A child has been stopped, or has ended: it may be the speaker, of which the wait for all does not tell.
    pub(in crate::driver) fn end_stopped_speaker(&self) {
        if let Some(bus) = &self.bus {
            bus.end_stopped_speaker();
        }
    }
}

fn cannot_offer(path: &CStr, errno: Errno, comes: &str) {
    let path = path.to_str().unwrap_or_default();
    warn!(event = "unavailable"; "cannot offer {path}: {errno}; {comes}");
}
