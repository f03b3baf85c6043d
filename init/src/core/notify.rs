//! What a datagram of sd_notify(3) says: assignments, one a line, of which those that nobody knows are passed over.
//! Without a system call, an allocation or a state.
//!
//! 1. What is no assignment of the protocol changes nothing.
//! 2. `BARRIER=1` stands alone: with anything else in it the whole datagram says nothing, as systemd has it.
//! 3. Of assignments that contradict one another (`READY=1`, `RELOADING=1`, `STOPPING=1`) the last one counts, of those of
//!    the same name the first one.

use core::time::Duration;

use super::request::Text;

/// The longest datagram that is read, as for systemd. What is longer says nothing.
pub const LONGEST: usize = 4096;

/// One assignment of the protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Assignment<'a> {
    /// `READY=1`
    Ready,
    /// `RELOADING=1`
    Reloading,
    /// `STOPPING=1`
    Stopping,
    /// `STATUS=`: one line for people.
    Status(&'a [u8]),
    /// `MAINPID=`, above 0.
    MainPid(i32),
    /// `WATCHDOG=1`: it is alive.
    Fed,
    /// `WATCHDOG=trigger`: it is to be taken as dead.
    Trigger,
    /// `WATCHDOG_USEC=`: how often it will say from now on that it is alive; 0: not at all.
    WatchdogTime(Duration),
    /// `EXTEND_TIMEOUT_USEC=`: it needs this long, from now.
    Extend(Duration),
    /// `MONOTONIC_USEC=`: when a reload began.
    Monotonic,
    /// `BARRIER=1`
    Barrier,
    /// Another one, or none.
    Other,
}

impl Assignment<'_> {
    fn parse(line: &[u8]) -> Assignment<'_> {
        let Some(equals) = line.iter().position(|byte| *byte == b'=') else { return Assignment::Other };
        let (name, value) = line.split_at(equals);
        let value = value.get(1..).unwrap_or_default();
        let time = || number(value).map(Duration::from_micros);
        match (name, value) {
            (b"READY", b"1") => Assignment::Ready,
            (b"RELOADING", b"1") => Assignment::Reloading,
            (b"STOPPING", b"1") => Assignment::Stopping,
            (b"STATUS", text) => Assignment::Status(text),
            (b"MAINPID", _) => {
                let pid = number(value).and_then(|number| i32::try_from(number).ok()).filter(|pid| *pid > 0);
                pid.map_or(Assignment::Other, Assignment::MainPid)
            }
            (b"WATCHDOG", b"1") => Assignment::Fed,
            (b"WATCHDOG", b"trigger") => Assignment::Trigger,
            (b"WATCHDOG_USEC", _) => time().map_or(Assignment::Other, Assignment::WatchdogTime),
            (b"EXTEND_TIMEOUT_USEC", _) => time().map_or(Assignment::Other, Assignment::Extend),
            (b"MONOTONIC_USEC", _) if number(value).is_some() => Assignment::Monotonic,
            (b"BARRIER", b"1") => Assignment::Barrier,
            _ => Assignment::Other,
        }
    }
}

/// What was said of the state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Said {
    /// It is ready, or has reloaded.
    Ready,
    /// It reloads.
    Reloading,
    /// It ends.
    Stopping,
}

/// What was said of the watchdog.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bark {
    /// All is well.
    Fed,
    /// Nothing is.
    Trigger,
}

/// What a datagram says.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Message {
    /// Of the state.
    pub said: Option<Said>,
    /// Of the watchdog.
    pub bark: Option<Bark>,
    /// How often it will be fed from now on.
    pub watchdog_time: Option<Duration>,
    /// How long it needs, from now.
    pub extension: Option<Duration>,
    /// Who main is from now on.
    pub main: Option<i32>,
}

impl Message {
    /// Reads a whole datagram.
    pub fn parse(bytes: &[u8]) -> Message {
        let mut message = Message::default();
        for (_, assignment) in assignments(bytes) {
            match assignment {
                Assignment::Ready => message.said = Some(Said::Ready),
                Assignment::Reloading => message.said = Some(Said::Reloading),
                Assignment::Stopping => message.said = Some(Said::Stopping),
                Assignment::Fed => message.bark = message.bark.or(Some(Bark::Fed)),
                Assignment::Trigger => message.bark = message.bark.or(Some(Bark::Trigger)),
                Assignment::WatchdogTime(time) => message.watchdog_time = message.watchdog_time.or(Some(time)),
                Assignment::Extend(time) => message.extension = message.extension.or(Some(time)),
                Assignment::MainPid(pid) => message.main = message.main.or(Some(pid)),
                Assignment::Barrier => return Message::default(),
                Assignment::Status(_) | Assignment::Monotonic | Assignment::Other => {}
            }
        }
        message
    }
}

/// The lines of a datagram that have something in them, with what they say. A NUL ends it, as it ends a string of C.
pub fn assignments(bytes: &[u8]) -> impl Iterator<Item = (&[u8], Assignment<'_>)> {
    let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| (line, Assignment::parse(line)))
}

/// What is shown of a `STATUS=` of the datagram, if it has one: without what moves a terminal's cursor.
pub fn status(bytes: &[u8]) -> Option<Text> {
    let text = assignments(bytes).find_map(|(_, assignment)| match assignment {
        Assignment::Status(text) => Some(text),
        _ => None,
    })?;
    let mut safe = [b' '; Text::MOST];
    let length = text.len().min(safe.len());
    for (to, from) in safe.iter_mut().zip(text) {
        *to = if from.is_ascii_control() { b' ' } else { *from };
    }
    let safe = safe.get(..length).unwrap_or_default();
    let valid = match core::str::from_utf8(safe) {
        Ok(text) => text,
        Err(error) => core::str::from_utf8(safe.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default(),
    };
    // A control character of two bytes begins so (U+0080 to U+009F).
    Some(Text::new(valid.split(|letter: char| letter.is_control()).next().unwrap_or_default()))
}

/// Copies those of its lines that are to be `kept` to the front of `to`, and says how many bytes they are.
pub fn select(bytes: &[u8], to: &mut [u8], kept: impl Fn(Assignment<'_>) -> bool) -> usize {
    let mut end = 0_usize;
    let lines = assignments(bytes).filter(|(_, assignment)| kept(*assignment));
    for (line, _) in lines {
        let next = end.saturating_add(line.len()).saturating_add(1);
        let Some(place) = to.get_mut(end..next) else { break };
        for (to, from) in place.iter_mut().zip(line.iter().chain(b"\n")) {
            *to = *from;
        }
        end = next;
    }
    end
}

/// Decimal digits and nothing else.
fn number(digits: &[u8]) -> Option<u64> {
    let text = core::str::from_utf8(digits).ok()?;
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::vec::Vec;

    use super::{Assignment, Bark, Message, Said, assignments, select, status};

    const NOTHING: Message = Message { said: None, bark: None, watchdog_time: None, extension: None, main: None };

    #[test]
    fn each_assignment_is_read() {
        for (line, expected) in [
            ("READY=1", Message { said: Some(Said::Ready), ..NOTHING }),
            ("RELOADING=1\nMONOTONIC_USEC=7", Message { said: Some(Said::Reloading), ..NOTHING }),
            ("STOPPING=1\n", Message { said: Some(Said::Stopping), ..NOTHING }),
            ("WATCHDOG=1", Message { bark: Some(Bark::Fed), ..NOTHING }),
            ("WATCHDOG=trigger", Message { bark: Some(Bark::Trigger), ..NOTHING }),
            ("WATCHDOG_USEC=0", Message { watchdog_time: Some(Duration::ZERO), ..NOTHING }),
            ("EXTEND_TIMEOUT_USEC=5000000", Message { extension: Some(Duration::from_secs(5)), ..NOTHING }),
            ("MAINPID=42", Message { main: Some(42), ..NOTHING }),
            (
                "READY=1\nSTATUS=up\nX_OTHER=2\nMAINPID=7\0",
                Message { said: Some(Said::Ready), main: Some(7), ..NOTHING },
            ),
        ] {
            assert_eq!(Message::parse(line.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn what_is_none_changes_nothing() {
        for line in [
            "",
            "\n\n\n",
            "READY",
            "READY=",
            "READY=0",
            "READY=11",
            " READY=1",
            "READY=1 ",
            "ready=1",
            "=1",
            "MAINPID=0",
            "MAINPID=-1",
            "MAINPID=+1",
            "MAINPID=2147483648",
            "MAINPID=1x",
            "EXTEND_TIMEOUT_USEC=",
            "EXTEND_TIMEOUT_USEC=18446744073709551616",
            "WATCHDOG=2",
            "WATCHDOG_USEC=1s",
            "X_READY=1",
            "\0READY=1",
        ] {
            assert_eq!(Message::parse(line.as_bytes()), NOTHING, "{line}");
        }
    }

    #[test]
    fn a_barrier_stands_alone() {
        assert_eq!(Message::parse(b"READY=1\nBARRIER=1"), NOTHING);
        assert_eq!(assignments(b"BARRIER=1").map(|(_, said)| said).collect::<Vec<_>>(), [Assignment::Barrier]);
    }

    #[test]
    fn the_last_state_counts_and_the_first_of_what_has_a_value() {
        assert_eq!(Message::parse(b"READY=1\nSTOPPING=1").said, Some(Said::Stopping));
        assert_eq!(Message::parse(b"RELOADING=1\nREADY=1").said, Some(Said::Ready));
        assert_eq!(Message::parse(b"MAINPID=1\nMAINPID=2").main, Some(1));
        assert_eq!(Message::parse(b"WATCHDOG=1\nWATCHDOG=trigger").bark, Some(Bark::Fed));
    }

    #[test]
    fn no_bytes_make_it_fail() {
        let mut bytes = Vec::new();
        let mut seed = 1_u64;
        for length in 0..600_usize {
            bytes.clear();
            for _ in 0..length {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                // Often one of those that mean something.
                let letter = b"=1\nREADYMAINPIDSTATUS\0\xc2\x9b"[usize::try_from(seed >> 33).unwrap_or(0) % 24];
                bytes.push(if seed >> 60 == 0 { (seed >> 40) as u8 } else { letter });
            }
            let _ = Message::parse(&bytes);
            let mut small = [0; 16];
            assert!(select(&bytes, &mut small, |_| true) <= 16);
            if let Some(text) = status(&bytes) {
                assert!(!text.as_str().chars().any(char::is_control), "{text:?}");
            }
        }
    }

    #[test]
    fn a_status_is_safe_to_print() {
        let shown = |bytes: &[u8]| status(bytes).map(|text| std::string::String::from(text.as_str()));
        assert_eq!(shown(b"READY=1\nSTATUS=all is well").as_deref(), Some("all is well"));
        assert_eq!(shown(b"STATUS=a\x1b[2Jb\tc").as_deref(), Some("a [2Jb c"));
        assert_eq!(shown("STATUS=grün \u{9b}2J".as_bytes()).as_deref(), Some("grün "));
        assert_eq!(shown(b"STATUS=good\xff\xfe").as_deref(), Some("good"));
        assert_eq!(shown(b"STATUS=").as_deref(), Some(""));
        assert_eq!(shown(b"READY=1"), None);
        let long = [b"STATUS=", &[b'x'; 4000][..]].concat();
        assert_eq!(shown(&long).map(|text| text.len()), Some(super::Text::MOST));
    }

    #[test]
    fn what_is_selected_is_copied_as_it_is() {
        let mut to = [0; 64];
        let kept = |assignment: Assignment<'_>| matches!(assignment, Assignment::Status(_) | Assignment::Ready);
        let count = select(b"READY=1\nMAINPID=7\nSTATUS=x\xff\nX=1", &mut to, kept);
        assert_eq!(&to[..count], b"READY=1\nSTATUS=x\xff\n");
        assert_eq!(select(b"READY=1", &mut [0; 7], kept), 0);
    }
}
