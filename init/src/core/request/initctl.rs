//! sysvinit's protocol on `/run/initctl` (`struct init_request` of its `initreq.h`): records of 384 bytes in the
//! machine's own byte order, a magic number first. Writes of that size are whole, but several may be read at once.
//!
//! 1. What is no record is skipped, byte by byte, up to the next magic number.
//! 2. What a read leaves of a record is kept for the next read, and dropped when the FIFO is drained: the next writer begins
//!    anew.
//! 3. No byte of `data` is trusted to be zero, or to end anything.

use super::{Ask, Request, Wish};

/// `INIT_MAGIC`.
const MAGIC: u32 = 0x0309_1969;
/// `INIT_CMD_RUNLVL`.
const RUNLEVEL: u32 = 1;
/// `INIT_CMD_POWERFAIL`, `INIT_CMD_POWERFAILNOW`.
const POWER_FAILS: [u32; 2] = [2, 3];
/// `INIT_CMD_SETENV`.
const SET_VARIABLE: u32 = 6;

/// What was read so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Initctl {
    /// sysvinit's clients say by a variable of their own what runlevel 0 shall mean: `INIT_HALT=HALT`.
    halts: bool,
    /// The beginning of a record whose end was not read yet.
    part: Part,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Part {
    bytes: [u8; Initctl::RECORD],
    length: usize,
}

impl Default for Part {
    fn default() -> Part {
        Part { bytes: [0; Initctl::RECORD], length: 0 }
    }
}

/// What a read brings, taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// Somebody asks for this.
    Ask(Ask),
    /// A record that asks for nothing that we know.
    Unknown,
    /// Bytes that are no record.
    Garbage,
}

impl Initctl {
    /// The size of a record.
    pub const RECORD: usize = 384;

    /// Puts what is left of the last read at the beginning of the buffer for the next one, and says how many bytes that is.
    /// Where the next read brings nothing, it was no record.
    pub fn put_back(&mut self, buffer: &mut [u8]) -> usize {
        let Part { bytes, length } = core::mem::take(&mut self.part);
        for (to, from) in buffer.iter_mut().zip(bytes).take(length) {
            *to = from;
        }
        length
    }

    /// Takes the first record out of `bytes`, which are what was put back and what one read has brought, and says what is
    /// behind it; `None`: no more than the beginning of a record is left, which is kept.
    pub fn take<'b>(&mut self, bytes: &'b [u8]) -> Option<(Found, &'b [u8])> {
        if !begins(bytes) {
            // Its own first byte cannot begin one again.
            let next = (1..bytes.len()).find(|at| bytes.get(*at..).is_some_and(begins));
            return Some((Found::Garbage, next.and_then(|at| bytes.get(at..)).unwrap_or_default()));
        }
        let Some((record, rest)) = bytes.split_at_checked(Initctl::RECORD) else {
            self.keep(bytes);
            return None;
        };
        Some((self.read(record), rest))
    }

    fn keep(&mut self, bytes: &[u8]) {
        for (to, from) in self.part.bytes.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.part.length = bytes.len().min(Initctl::RECORD);
    }

    fn read(&mut self, record: &[u8]) -> Found {
        let level = word(record, 8).and_then(|level| u8::try_from(level).ok()).unwrap_or(0);
        match word(record, 4) {
            Some(RUNLEVEL) => self.runlevel(level),
            Some(command) if POWER_FAILS.contains(&command) => Found::Ask(Ask::End(Request::orderly(Wish::Poweroff))),
            Some(SET_VARIABLE) => {
                self.set_variables(record.get(16..).unwrap_or_default());
                Found::Unknown
            }
            _ => Found::Unknown,
        }
    }

    fn runlevel(&self, level: u8) -> Found {
        Found::Ask(match level {
            b'0' if self.halts => Ask::End(Request::orderly(Wish::Halt)),
            b'0' => Ask::End(Request::orderly(Wish::Poweroff)),
            b'6' => Ask::End(Request::orderly(Wish::Reboot)),
            b'q' | b'Q' => Ask::Reload,
            b'u' | b'U' => Ask::Reexecute,
            b'1'..=b'5' | b's' | b'S' | b'a'..=b'c' | b'A'..=b'C' => Ask::Runlevel(level),
            _ => return Found::Unknown,
        })
    }

    /// `NAME=VALUE` or, to take one away, `NAME`, each ended by a zero. Only one is ours.
    fn set_variables(&mut self, data: &[u8]) {
        for entry in data.split(|byte| *byte == 0).take_while(|entry| !entry.is_empty()) {
            if let Some(value) = entry.strip_prefix(b"INIT_HALT") {
                self.halts = value == b"=HALT";
            }
        }
    }
}

/// Whether a record begins here, as far as there are bytes.
fn begins(bytes: &[u8]) -> bool {
    let magic = MAGIC.to_ne_bytes();
    let shown = bytes.len().min(magic.len());
    bytes.get(..shown) == magic.get(..shown)
}

fn word(record: &[u8], at: usize) -> Option<u32> {
    let bytes = record.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::{Ask, Found, Initctl, MAGIC, Request, Wish};

    fn record(command: u32, level: u8, data: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for word in [MAGIC, command, u32::from(level), 3] {
            bytes.extend(word.to_ne_bytes());
        }
        bytes.extend(data);
        // What a client leaves on its stack.
        bytes.resize(Initctl::RECORD, if data.is_empty() { 0xa5 } else { 0 });
        bytes
    }

    /// What comes of bytes that drain the FIFO.
    fn all(reader: &mut Initctl, bytes: &[u8]) -> Vec<Found> {
        let mut found = by_one_read(reader, bytes);
        if reader.put_back(&mut [0; Initctl::RECORD]) > 0 {
            found.push(Found::Garbage);
        }
        found
    }

    fn by_one_read(reader: &mut Initctl, mut bytes: &[u8]) -> Vec<Found> {
        let mut found = Vec::new();
        while let Some((what, rest)) = reader.take(bytes) {
            assert!(rest.len() < bytes.len(), "it stands still");
            found.push(what);
            bytes = rest;
        }
        found
    }

    const POWEROFF: Found = Found::Ask(Ask::End(Request::orderly(Wish::Poweroff)));
    const HALT: Found = Found::Ask(Ask::End(Request::orderly(Wish::Halt)));
    const REBOOT: Found = Found::Ask(Ask::End(Request::orderly(Wish::Reboot)));

    #[test]
    fn runlevels_mean_what_they_mean_to_sysvinit() {
        for (level, expected) in [
            (b'0', POWEROFF),
            (b'6', REBOOT),
            (b'1', Found::Ask(Ask::Runlevel(b'1'))),
            (b'S', Found::Ask(Ask::Runlevel(b'S'))),
            (b'3', Found::Ask(Ask::Runlevel(b'3'))),
            (b'q', Found::Ask(Ask::Reload)),
            (b'u', Found::Ask(Ask::Reexecute)),
            (b'9', Found::Unknown),
            (0, Found::Unknown),
        ] {
            assert_eq!(all(&mut Initctl::default(), &record(1, level, b"")), [expected]);
        }
    }

    #[test]
    fn sysvinits_halt_says_so_in_a_record_before() {
        let mut reader = Initctl::default();
        for (data, expected) in [
            (&b"INIT_HALT=HALT"[..], HALT),
            (b"INIT_HALT=POWEROFF", POWEROFF),
            (b"A=b\0INIT_HALT=HALT\0\0", HALT),
            (b"INIT_HALT", POWEROFF),
            (b"INIT_HALT=HALTER", POWEROFF),
        ] {
            let two = [record(6, 0, data), record(1, b'0', b"")].concat();
            assert_eq!(all(&mut reader, &two), [Found::Unknown, expected], "{data:?}");
        }
    }

    #[test]
    fn data_without_an_end_is_bounded_by_its_record() {
        let mut reader = Initctl::default();
        let full = [&b"INIT_HALT=HALT"[..], &[b'x'; 368 - 14]].concat();
        assert_eq!(all(&mut reader, &[record(6, 0, &full), record(1, b'0', b"")].concat()), [Found::Unknown, POWEROFF]);
    }

    #[test]
    fn what_is_no_record_is_skipped_to_the_next_one() {
        let valid = record(1, b'0', b"");
        for garbage in [&b"x"[..], b"poweroff\n", &[0; 384], &[0x69; 700], &MAGIC.to_ne_bytes()[..3]] {
            let found = all(&mut Initctl::default(), &[garbage, &valid[..]].concat());
            assert_eq!(found.last(), Some(&POWEROFF), "{garbage:?}");
            assert!(found.len() <= 1 + garbage.len());
        }
    }

    #[test]
    fn part_of_a_record_is_dropped_and_the_next_begins_anew() {
        let valid = record(1, b'0', b"");
        let mut reader = Initctl::default();
        for length in [1, 4, 100, 383] {
            assert!(all(&mut reader, &valid[..length]).iter().all(|found| *found == Found::Garbage));
            assert_eq!(all(&mut reader, &valid), [POWEROFF]);
        }
        // The rest of one that came in two pieces.
        assert!(!all(&mut reader, &valid[200..]).contains(&POWEROFF));
    }

    #[test]
    fn a_record_that_two_reads_bring_is_one() {
        let waiting = [vec![record(99, b'0', b""); 10].concat(), record(1, b'0', b"")].concat();
        for size in [1, 100, 383, 384, 385, 4096] {
            let mut reader = Initctl::default();
            let (mut found, mut rest) = (Vec::new(), &waiting[..]);
            while !rest.is_empty() {
                let mut buffer = [0; 4096 + Initctl::RECORD];
                let kept = reader.put_back(&mut buffer);
                let (now, later) = rest.split_at(size.min(rest.len()));
                buffer[kept..kept + now.len()].copy_from_slice(now);
                found.extend(by_one_read(&mut reader, &buffer[..kept + now.len()]));
                rest = later;
            }
            assert_eq!(found, [vec![Found::Unknown; 10], vec![POWEROFF]].concat(), "{size}");
            assert_eq!(reader, Initctl::default(), "nothing is left");
        }
    }

    #[test]
    fn unknown_commands_and_random_bytes_ask_for_nothing() {
        assert_eq!(all(&mut Initctl::default(), &record(99, b'0', b"")), [Found::Unknown]);
        let mut state = 1_u64;
        let noise: Vec<u8> = (0..4096)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 33) as u8
            })
            .collect();
        assert!(all(&mut Initctl::default(), &noise).iter().all(|found| *found == Found::Garbage));
    }
}
