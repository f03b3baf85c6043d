//! A process as /proc shows it, and what can be said of it alone.

use supervise_init::core::Signal;
use supervise_init::sys::SigSet;

use crate::proc::{WaitsFor, base_name};

/// What of a process matters to a stop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Process {
    pub(super) pid: i32,
    pub(super) parent: i32,
    pub(super) group: i32,
    pub(super) state: State,
    pub(super) has_terminal: bool,
    /// PID 1 of a PID namespace below ours.
    pub(super) is_init: bool,
    pub(super) is_shell: bool,
    pub(super) is_dumping: bool,
    /// Started after the signal was sent, which it never got.
    pub(super) is_newer: bool,
    pub(super) comm: String,
    /// As `ps` shows it, cut; the name if it has none.
    pub(super) words: String,
    pub(super) ignored: SigSet,
    pub(super) caught: SigSet,
    /// In every thread.
    pub(super) blocked: SigSet,
    /// For the process, or for one of its threads.
    pub(super) pending: SigSet,
    /// What it reads through signalfd(2).
    pub(super) by_signalfd: SigSet,
    pub(super) waits_for: WaitsFor,
}

/// Whether it can act.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// It runs, or sleeps and can be woken.
    Able,
    /// Stopped by a signal.
    Stopped,
    /// Held by the process of that number; 0: one that we cannot see.
    Traced(i32),
    /// In a system call that no signal interrupts, for longer than a moment; with what the kernel calls the place.
    Stuck(String),
}

/// What becomes of a signal that is sent to a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Handling {
    Ignored,
    /// A handler runs, or the process has taken it by signalfd(2) or sigwait(3).
    Caught,
    /// It waits behind the mask of all threads.
    Blocked,
    /// It waits to be read from a signalfd.
    Unread,
    /// PID 1 of a namespace that has no handler for it: the kernel throws it away.
    Discarded,
    /// It ends the process.
    Default,
}

impl Process {
    /// What becomes of `signal`, which was sent. The kernel looks at the mask first: what is blocked is kept, also if
    /// it is ignored.
    pub(super) fn handling(&self, signal: Signal) -> Handling {
        if !signal.can_be_caught() {
            return Handling::Default;
        }
        let is_blocked = self.blocked.contains(signal);
        if is_blocked && self.pending.contains(signal) {
            return if self.by_signalfd.contains(signal) { Handling::Unread } else { Handling::Blocked };
        }
        // Blocked and gone: sigwait(3) or a signalfd has taken it.
        if is_blocked || self.caught.contains(signal) {
            return Handling::Caught;
        }
        if self.ignored.contains(signal) {
            return Handling::Ignored;
        }
        match (self.waits_for, self.is_init) {
            // While a thread waits for signals, its mask shows them as free and their action as the default one.
            (WaitsFor::Signal, _) => Handling::Caught,
            (_, true) => Handling::Discarded,
            _ => Handling::Default,
        }
    }

    /// With a terminal and job control. All of bash, dash, busybox and zsh then ignore both.
    pub(super) fn is_interactive_shell(&self) -> bool {
        const TERM_AND_TSTP: [Signal; 2] = [Signal::TERM, Signal::TSTP];
        self.is_shell && self.has_terminal && TERM_AND_TSTP.iter().all(|signal| self.ignored.contains(*signal))
    }

    /// Whether this shell has started `child` by `&`: without job control the child then ignores SIGINT (POSIX, 2.11).
    pub(super) fn has_in_background(&self, child: &Process) -> bool {
        child.ignored.contains(Signal::INT) && !self.ignored.contains(Signal::INT)
    }
}

/// Words, each ended by a NUL, as one short text: the program without its folder, and as much as a line has room for.
pub(super) fn shorten(words: &str) -> String {
    const LONGEST: usize = 60;
    let words = words.trim_end_matches('\0');
    // A program that writes its title over its words (`nginx: worker process`) has one word, with blanks in it.
    let first = words.split('\0').next().unwrap_or_default();
    let words =
        if first.contains(' ') { words } else { words.get(first.len() - base_name(first).len()..).unwrap_or_default() };
    let mut short = String::new();
    for (count, letter) in words.chars().enumerate() {
        if count == LONGEST {
            short.push_str("...");
            break;
        }
        short.push(if letter == '\0' { ' ' } else { letter });
    }
    short
}

#[cfg(test)]
mod tests {
    use super::shorten;

    #[test]
    fn a_command_line_is_cut_to_what_tells_it_apart() {
        for (words, short) in [
            ("/usr/bin/python3\0app.py\0", "python3 app.py"),
            ("sleep\0", "sleep"),
            ("nginx: master process /usr/sbin/nginx\0\0\0", "nginx: master process /usr/sbin/nginx"),
            ("", ""),
        ] {
            assert_eq!(shorten(words), short);
        }
        let long = shorten(&format!("sh\0-c\0{}\0", "\u{e9}".repeat(1000)));
        assert_eq!(long.chars().count(), 63);
        assert!(long.ends_with("..."));
    }
}
