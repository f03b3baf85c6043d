//! Parts of sentences.

use std::fmt;
use std::time::Duration;

use supervise_init::core::{Signal, Status};

use super::super::record::Process;
use crate::report::Seconds;

/// How many are named where there are more.
const NAMED: usize = 4;

/// `1.540 s`
pub(super) fn seconds(time: Duration) -> String {
    format!("{} s", Seconds(time))
}

/// ``pid 7 (`sh -c ./run.sh`)``
pub(in crate::check) struct Name<'a>(pub(in crate::check) &'a Process);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pid {} (`{}`)", self.0.pid, called(self.0))
    }
}

/// Its words, or its name where it has none.
pub(super) fn called(process: &Process) -> String {
    const LONGEST: usize = 80;
    match (process.words.as_str(), process.comm.as_str()) {
        ("", "") => "without a name".to_owned(),
        ("", comm) => cut(comm, LONGEST),
        (words, _) => cut(words, LONGEST),
    }
}

/// Its first letters, and a sign that there are more.
pub(in crate::check) fn cut(text: &str, longest: usize) -> String {
    let mut cut: String = text.chars().take(longest).collect();
    if cut.len() < text.len() {
        cut.push_str("...");
    }
    cut
}

/// Its words where they can be typed so, which /proc does not tell of blanks and the like in them; otherwise something that
/// stands for them.
pub(super) fn typed(process: &Process, otherwise: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || " -_./=:@,+%".contains(letter);
    let words = called(process);
    let has_inline_script = words.split(' ').any(|word| word == "-c");
    let is_another = process.is_main && !process.is_as_given;
    if !is_another && !has_inline_script && !words.ends_with("...") && words.chars().all(is_plain) {
        words
    } else {
        otherwise.to_owned()
    }
}

/// The first few by name, and how many more.
pub(super) fn names(all: &[&Process]) -> String {
    let first: Vec<String> = all.iter().take(NAMED).map(|process| Name(process).to_string()).collect();
    let more = all.len().saturating_sub(NAMED);
    first.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() }
}

/// `code 0`, `SIGTERM`: what ended it.
pub(super) fn status(status: Option<Status>) -> String {
    match status {
        Some(Status::Exited(code)) => format!("exit code {code}"),
        Some(Status::Signaled(signal)) => format!("death by {signal}"),
        None => "a status that cannot be known".to_owned(),
    }
}

/// `ended with exit code 0`
pub(in crate::check) fn ended_with(ended: Option<Status>) -> String {
    match ended {
        Some(Status::Exited(code)) => format!("ended with exit code {code}"),
        Some(Status::Signaled(signal)) => format!("was ended by {signal}"),
        None => "ended".to_owned(),
    }
}

/// `SIGINT and SIGQUIT`
pub(super) fn signals(all: impl IntoIterator<Item = Signal>) -> String {
    let all: Vec<String> = all.into_iter().map(|signal| signal.to_string()).collect();
    match all.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, first)) => format!("{} and {last}", first.join(", ")),
        None => "none".to_owned(),
    }
}

/// `1 process`, `3 processes`
pub(super) fn count(number: usize, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}
