//! What a client and we say to one another on a connection: first who it is (dbus-specification, "Authentication
//! Protocol"), which the kernel has said already, then messages. Pure: bytes go in, bytes and calls come out.
//!
//! 1. Before a message is read, the client has said that it is who the kernel says.
//! 2. What waits is never more than the longest message, or line.

use super::wire::{self, Broken, Call};

/// The longest line before the first message.
const LINE: usize = 512;
/// More lines than this are nobody who wants anything.
const LINES: u32 = 16;
/// What tells one server from another: nobody compares it.
const ID: &str = "73757065727669736573757065727669";

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// Nothing was said.
    New,
    /// Who it is is to be said.
    Lines,
    /// And the word for that is given.
    Data,
    /// It was said, and is true.
    Known,
    /// Messages.
    Talking,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Conversation {
    uid: u32,
    stage: Stage,
    lines: u32,
    heard: Vec<u8>,
}

/// What comes of what was heard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// Nothing, until more is heard.
    Wait,
    /// This is to be said.
    Say(String),
    /// This is to be done.
    Do(Call),
}

impl Conversation {
    /// With somebody of that user.
    pub(super) fn new(uid: u32) -> Conversation {
        Conversation { uid, stage: Stage::New, lines: 0, heard: Vec::new() }
    }

    /// Whether messages are exchanged.
    pub(super) fn is_talking(&self) -> bool {
        self.stage == Stage::Talking
    }

    /// These bytes have come. What follows from them is asked for until there is nothing more.
    pub(super) fn hear(&mut self, bytes: &[u8]) {
        self.heard.extend(bytes);
    }

    /// What is next.
    pub(super) fn next(&mut self) -> Result<Next, Broken> {
        loop {
            let more = match self.stage {
                Stage::New => self.first_byte()?,
                Stage::Lines | Stage::Data | Stage::Known => match self.line()? {
                    None => None,
                    Some(line) => match self.answer(&line)? {
                        None => Some(()),
                        Some(answer) => return Ok(Next::Say(answer)),
                    },
                },
                Stage::Talking => match wire::take(&self.heard)? {
                    None => None,
                    Some((call, length)) => {
                        self.heard.drain(..length);
                        match call {
                            None => Some(()),
                            Some(call) => return Ok(Next::Do(call)),
                        }
                    }
                },
            };
            if more.is_none() {
                return Ok(Next::Wait);
            }
        }
    }

    /// A zero, which credentials once came with.
    fn first_byte(&mut self) -> Result<Option<()>, Broken> {
        match self.heard.first() {
            None => Ok(None),
            Some(0) => {
                self.heard.remove(0);
                self.stage = Stage::Lines;
                Ok(Some(()))
            }
            Some(_) => Err(Broken::Handshake),
        }
    }

    fn line(&mut self) -> Result<Option<String>, Broken> {
        let shown = self.heard.get(..LINE).unwrap_or(&self.heard);
        let Some(end) = shown.windows(2).position(|pair| pair == b"\r\n") else {
            return if self.heard.len() >= LINE { Err(Broken::Handshake) } else { Ok(None) };
        };
        let line = String::from_utf8(self.heard[..end].to_vec()).map_err(|_| Broken::Handshake)?;
        self.heard.drain(..end + 2);
        self.lines += 1;
        if self.lines > LINES { Err(Broken::Handshake) } else { Ok(Some(line)) }
    }

    /// What is answered to a line; `None`: messages begin.
    fn answer(&mut self, line: &str) -> Result<Option<String>, Broken> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let answer = match (word, self.stage) {
            ("AUTH", Stage::Lines | Stage::Data) => match rest.split_once(' ').unwrap_or((rest, "")) {
                ("EXTERNAL", "") => {
                    self.stage = Stage::Data;
                    "DATA".to_owned()
                }
                ("EXTERNAL", who) => self.judge(who),
                _ => self.reject(),
            },
            ("DATA", Stage::Data) => self.judge(rest),
            ("CANCEL" | "ERROR", _) => self.reject(),
            ("BEGIN", Stage::Known) => {
                self.stage = Stage::Talking;
                return Ok(None);
            }
            ("BEGIN", _) => return Err(Broken::Handshake),
            // Also to who asks whether descriptors may be passed.
            _ => "ERROR".to_owned(),
        };
        Ok(Some(answer + "\r\n"))
    }

    fn reject(&mut self) -> String {
        self.stage = Stage::Lines;
        "REJECTED EXTERNAL".to_owned()
    }

    /// Who says nothing of itself is who the kernel says. A number is in decimal, and each of its letters in hexadecimal.
    fn judge(&mut self, who: &str) -> String {
        let own: String = self.uid.to_string().bytes().map(|digit| format!("{digit:02x}")).collect();
        if who.is_empty() || who.eq_ignore_ascii_case(&own) {
            self.stage = Stage::Known;
            format!("OK {ID}")
        } else {
            self.reject()
        }
    }
}
