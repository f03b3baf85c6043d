//! What the command writes: counted, and its last lines kept. It is never waited for.

use std::io::{self, PipeReader, Read as _};
use std::mem;
use std::time::Duration;

use crate::check::record;
use crate::check::safe;

/// So much is read in one turn, so that a flood does not keep the loop from the rest.
const TURN: usize = 256 * 1024;

/// So much of what came last is kept.
const KEPT: usize = 8 * 1024;

/// So much of a line is shown, at most.
const SHOWN: usize = 1024;

/// So many lines are told of.
const LINES: usize = 10;

/// Which side of the signal it was written on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    Before,
    Behind,
}

/// Who looks for a line, if anybody does.
pub(super) type Sees<'a> = Option<&'a mut dyn FnMut(&[u8])>;

/// One of its two outputs.
pub(super) struct Stream {
    pipe: Option<PipeReader>,
    /// The line that has not ended.
    line: Vec<u8>,
}

/// Both outputs.
pub(super) struct Output {
    streams: [Stream; 2],
    tail: Vec<u8>,
    found: record::Output,
    /// Its end is awaited, and was not looked for since.
    is_unlooked: bool,
}

/// What one turn has brought.
pub(super) struct Turn {
    pub(super) bytes: u64,
    /// The last whole line; after the signal the first one, which may be the answer to it.
    pub(super) line: Vec<u8>,
    /// Its pipe was closed.
    pub(super) has_ended: bool,
}

impl Output {
    pub(super) fn new(pipes: [PipeReader; 2]) -> Output {
        let streams = pipes.map(|pipe| Stream { pipe: Some(pipe), line: Vec::new() });
        Output { streams, tail: Vec::new(), found: record::Output::default(), is_unlooked: false }
    }

    /// Takes what is there, as far as one turn may. `sees` is shown each line, for as long as somebody looks for one.
    pub(super) fn read(&mut self, which: usize, at: Duration, side: Side, mut sees: Sees<'_>) -> io::Result<Turn> {
        let mut turn = Turn { bytes: 0, line: Vec::new(), has_ended: false };
        let Some(stream) = self.streams.get_mut(which) else { return Ok(turn) };
        let mut some = vec![0; 64 * 1024];
        while (turn.bytes as usize) < TURN {
            let Some(pipe) = &mut stream.pipe else { break };
            let count = match pipe.read(&mut some) {
                Ok(0) => {
                    stream.pipe = None;
                    turn.has_ended = true;
                    break;
                }
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let bytes = some.get(..count).unwrap_or_default();
            turn.bytes += count as u64;
            keep(&mut self.tail, bytes);
            stream.take(bytes, &mut turn.line, side, &mut sees);
        }
        if turn.bytes > 0 {
            self.found.bytes += turn.bytes;
            self.found.ends_with_newline = self.tail.last().map(|last| *last == b'\n');
            if side == Side::Behind {
                self.found.bytes_after_signal += turn.bytes;
                self.found.first_after_signal_at.get_or_insert(at);
            }
        }
        if self.has_ended() && turn.has_ended {
            self.found.closed_at = Some(at);
        }
        Ok(turn)
    }

    /// Who is waited for has ended: now, or some time ago.
    pub(super) fn await_end(&mut self, at: Duration) {
        (self.found.awaited_from, self.is_unlooked) = (Some(at), true);
    }

    /// It is looked for what there is.
    pub(super) fn note_look(&mut self, at: Duration) {
        if mem::take(&mut self.is_unlooked) {
            self.found.awaited_from = Some(at);
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.found.bytes
    }

    pub(super) fn has_ended(&self) -> bool {
        self.streams.iter().all(|stream| stream.pipe.is_none())
    }

    /// All that was found.
    pub(super) fn finish(mut self) -> record::Output {
        let lines: Vec<&[u8]> = self.tail.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
        let first = lines.len().saturating_sub(LINES);
        self.found.tail = lines.into_iter().skip(first).map(safe::line).collect();
        self.found
    }
}

/// A line of this length or more is looked at in parts of it: it may have no end.
const LONGEST: usize = 64 * 1024;

/// So much of a part is the end of the one before, so that what is looked for is whole in one of them.
const OVERLAP: usize = 4 * 1024;

impl Stream {
    fn take(&mut self, mut bytes: &[u8], shown: &mut Vec<u8>, side: Side, sees: &mut Sees<'_>) {
        while !bytes.is_empty() {
            let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
            let room = LONGEST - self.line.len();
            let (more, rest) = bytes.split_at(end.min(room));
            self.line.extend_from_slice(more);
            let is_whole = end <= room && end < bytes.len();
            bytes = if is_whole { rest.get(1..).unwrap_or_default() } else { rest };
            if !is_whole && self.line.len() < LONGEST {
                return;
            }
            if let Some(sees) = sees {
                sees(&self.line);
            }
            if side == Side::Before || shown.is_empty() {
                shown.clear();
                shown.extend_from_slice(self.line.get(..SHOWN).unwrap_or(&self.line));
            }
            let spare = if is_whole { self.line.len() } else { LONGEST - OVERLAP };
            self.line.drain(..spare);
        }
    }
}

fn keep(tail: &mut Vec<u8>, bytes: &[u8]) {
    let bytes = bytes.get(bytes.len().saturating_sub(KEPT)..).unwrap_or_default();
    let spare = (tail.len() + bytes.len()).saturating_sub(KEPT);
    tail.drain(..spare.min(tail.len()));
    tail.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is shown to who looks for a line, where it comes in pieces of that length.
    fn parts(text: &[u8], length: usize) -> Vec<Vec<u8>> {
        let (mut stream, mut shown, mut parts) = (Stream { pipe: None, line: Vec::new() }, Vec::new(), Vec::new());
        for piece in text.chunks(length) {
            let mut sees = |part: &[u8]| parts.push(part.to_vec());
            stream.take(piece, &mut shown, Side::Before, &mut Some(&mut sees));
        }
        assert!(stream.line.len() < LONGEST && shown.len() <= SHOWN);
        parts
    }

    #[test]
    fn what_is_looked_for_is_whole_in_one_part_wherever_it_stands() {
        let far = (LONGEST - 8..LONGEST + 8).chain((2 * LONGEST - OVERLAP - 8)..(2 * LONGEST - OVERLAP + 8));
        for at in [0, 1, 4090, 4096, 5 * LONGEST].into_iter().chain(far) {
            let text = [&vec![b'0'; at][..], b"READY\n\nnext\n"].concat();
            for length in [1000, 4096, LONGEST, text.len()] {
                let parts = parts(&text, length);
                let is_seen = |part: &Vec<u8>| part.ends_with(b"READY");
                assert!(parts.iter().any(is_seen), "{at} {length}");
                assert!(parts.ends_with(&[Vec::new(), b"next".to_vec()]), "{at} {length}");
                let expected = if at + 5 <= LONGEST { 3 } else { 4 };
                assert!(parts.len() >= expected && parts.iter().all(|part| part.len() <= LONGEST), "{at} {length}");
                // What is shorter is looked at as a whole.
                assert!(at + 5 >= LONGEST || parts.len() == 3, "{at} {length}");
            }
        }
    }
}
