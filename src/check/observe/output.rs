//! What the command writes: counted, and its last lines kept. It is never waited for.

use std::io::{self, PipeReader, Read as _};
use std::time::Duration;

use crate::check::record;
use crate::check::safe;

/// So much is read in one turn, so that a flood does not keep the loop from the rest.
const TURN: usize = 256 * 1024;

/// So much of what came last is kept.
const KEPT: usize = 8 * 1024;

/// So many lines are told of.
const LINES: usize = 10;

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
        Output { streams, tail: Vec::new(), found: record::Output::default() }
    }

    /// Takes what is there, as far as one turn may. `sees` is shown each line, for as long as somebody looks for one.
    pub(super) fn read(&mut self, which: usize, at: Duration, is_told: bool, mut sees: Sees<'_>) -> io::Result<Turn> {
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
            stream.take(bytes, &mut turn.line, is_told, &mut sees);
        }
        if turn.bytes > 0 {
            self.found.bytes += turn.bytes;
            self.found.ends_with_newline = self.tail.last().map(|last| *last == b'\n');
            if is_told {
                self.found.bytes_after_signal += turn.bytes;
                self.found.first_after_signal_at.get_or_insert(at);
            }
        }
        if self.has_ended() && turn.has_ended {
            self.found.closed_at = Some(at);
        }
        Ok(turn)
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

/// A line that is longer than this is looked at in parts.
const LONGEST: usize = 4096;

impl Stream {
    fn take(&mut self, bytes: &[u8], shown: &mut Vec<u8>, is_told: bool, sees: &mut Sees<'_>) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part.get(..LONGEST).unwrap_or(part));
            if !part.ends_with(b"\n") && self.line.len() < LONGEST {
                continue;
            }
            let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
            if let Some(sees) = sees {
                sees(line);
            }
            if !is_told || shown.is_empty() {
                shown.clear();
                shown.extend_from_slice(line);
            }
            self.line.clear();
        }
    }
}

fn keep(tail: &mut Vec<u8>, bytes: &[u8]) {
    let bytes = bytes.get(bytes.len().saturating_sub(KEPT)..).unwrap_or_default();
    let spare = (tail.len() + bytes.len()).saturating_sub(KEPT);
    tail.drain(..spare.min(tail.len()));
    tail.extend_from_slice(bytes);
}
