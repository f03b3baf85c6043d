//! Lines from a pipe, a FIFO or a terminal, each awaited under the deadline.

use std::os::fd::{AsFd, OwnedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::read;

use super::Deadline;

/// The reading end.
pub(crate) struct Lines {
    fd: OwnedFd,
    deadline: Deadline,
    buffer: Vec<u8>,
    ended: bool,
}

impl Lines {
    pub(crate) fn new(fd: OwnedFd, deadline: Deadline) -> Lines {
        Lines { fd, deadline, buffer: Vec::new(), ended: false }
    }

    /// The next line, or `None` at the end of the file. A line without its newline counts at the end.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Some(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            if self.ended {
                let rest = std::mem::take(&mut self.buffer);
                return (!rest.is_empty()).then(|| String::from_utf8_lossy(&rest).into_owned());
            }
            self.fill();
        }
    }

    /// Everything up to and including the text, which need not end a line: a prompt does not.
    #[track_caller]
    pub(crate) fn up_to(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.buffer.windows(text.len()).position(|window| window == text.as_bytes()) {
                let found: Vec<u8> = self.buffer.drain(..at + text.len()).collect();
                return String::from_utf8_lossy(&found).into_owned();
            }
            let so_far = String::from_utf8_lossy(&self.buffer).into_owned();
            assert!(!self.ended, "the end came before {text:?}: {so_far:?}");
            self.fill();
        }
    }

    /// Everything up to the end of the file.
    #[track_caller]
    pub(crate) fn rest(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.next()).collect()
    }

    /// What has come so far, without waiting.
    pub(crate) fn so_far(&mut self) -> String {
        while !self.ended && self.readable(PollTimeout::ZERO) {
            self.take();
        }
        String::from_utf8_lossy(&self.buffer).into_owned()
    }

    #[track_caller]
    fn fill(&mut self) {
        let so_far = String::from_utf8_lossy(&self.buffer).into_owned();
        let left = self.deadline.left(&format!("a line (after {so_far:?})"));
        if self.readable(PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)) {
            self.take();
        }
    }

    fn readable(&self, timeout: PollTimeout) -> bool {
        poll(&mut [PollFd::new(self.fd.as_fd(), PollFlags::POLLIN)], timeout).is_ok_and(|ready| ready > 0)
    }

    fn take(&mut self) {
        let mut bytes = [0; 4096];
        match read(&self.fd, &mut bytes) {
            // A terminal whose last holder is gone answers EIO.
            Ok(0) | Err(_) => self.ended = true,
            Ok(count) => self.buffer.extend_from_slice(&bytes[..count]),
        }
    }
}
