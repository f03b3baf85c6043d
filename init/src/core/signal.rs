//! Signals as numbers with names. The real-time signals count from 34, as docker, podman, LXC and systemd count; a
//! musl libc says 35, and neither libc has a type for all 64.

use core::fmt;

/// A signal that can be sent: 1 to 64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Signal(u8);

/// The first real-time signal, as everybody outside a libc counts.
const RTMIN: u8 = 34;

/// Names of 1 to 31 (signal(7); x86_64 and aarch64 agree).
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
    "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",
    "PWR", "SYS",
];

/// Second names that signal(7) lists.
const ALIASES: [(&str, u8); 4] = [("IOT", 6), ("CLD", 17), ("POLL", 29), ("UNUSED", 31)];

impl Signal {
    /// The highest number.
    pub const MAX: u8 = 64;
    /// Hangup.
    pub const HUP: Signal = Signal(1);
    /// Interrupt, usually Ctrl-C.
    pub const INT: Signal = Signal(2);
    /// Quit, usually Ctrl-\.
    pub const QUIT: Signal = Signal(3);
    /// Abort, with a core dump.
    pub const ABRT: Signal = Signal(6);
    /// User-defined.
    pub const USR1: Signal = Signal(10);
    /// User-defined.
    pub const USR2: Signal = Signal(12);
    /// Cannot be caught.
    pub const KILL: Signal = Signal(9);
    /// SIGPIPE.
    pub const PIPE: Signal = Signal(13);
    /// SIGALRM.
    pub const ALRM: Signal = Signal(14);
    /// The request to end.
    pub const TERM: Signal = Signal(15);
    /// A child ended, stopped or went on.
    pub const CHLD: Signal = Signal(17);
    /// Go on after a stop.
    pub const CONT: Signal = Signal(18);
    /// Stop; cannot be caught.
    pub const STOP: Signal = Signal(19);
    /// Stop from the terminal, usually Ctrl-Z.
    pub const TSTP: Signal = Signal(20);
    /// A background process read from its terminal.
    pub const TTIN: Signal = Signal(21);
    /// A background process wrote to its terminal.
    pub const TTOU: Signal = Signal(22);
    /// The terminal's size changed.
    pub const WINCH: Signal = Signal(28);
    /// Something can be done on a descriptor that asks for this (F_SETOWN in fcntl(2)).
    pub const IO: Signal = Signal(29);
    /// Power failure; a request to stop in LXC.
    pub const PWR: Signal = Signal(30);

    /// The last of the real-time signals.
    pub const RTMAX: Signal = Signal(Signal::MAX);

    /// The signal of that number, if there is one.
    pub const fn new(number: i32) -> Option<Signal> {
        if number >= 1 && number <= Signal::MAX as i32 { Some(Signal(number as u8)) } else { None }
    }

    /// 1 to 64.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// All 64, in order.
    pub fn all() -> impl Iterator<Item = Signal> {
        (1..=Signal::MAX).map(Signal)
    }

    /// The names that [`Signal::parse`] takes, without `SIG`, for a suggestion.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.into_iter().chain(["RTMIN", "RTMAX"])
    }

    /// Whether a process may block, ignore or catch it.
    pub const fn can_be_caught(self) -> bool {
        self.0 != Signal::KILL.0 && self.0 != Signal::STOP.0
    }

    /// Whether a terminal sends it to its foreground group, or the kernel to a session that loses its terminal.
    pub const fn is_from_terminals(self) -> bool {
        matches!(
            self,
            Signal::HUP
                | Signal::INT
                | Signal::QUIT
                | Signal::CONT
                | Signal::TSTP
                | Signal::TTIN
                | Signal::TTOU
                | Signal::WINCH
        )
    }

    /// Whether it is one of the stops of job control, which a shell undoes with `fg`.
    pub const fn is_job_stop(self) -> bool {
        matches!(self, Signal::TSTP | Signal::TTIN | Signal::TTOU)
    }

    /// Reads `TERM`, `SIGTERM`, `15`, `RTMIN+3` or `RTMAX-1`, in either case.
    pub fn parse(word: &str) -> Option<Signal> {
        if let Some(number) = parse_digits(word) {
            return Signal::new(i32::from(number));
        }
        let name = match word.get(..3) {
            Some(prefix) if prefix.eq_ignore_ascii_case("SIG") => word.get(3..)?,
            _ => word,
        };
        if let Some(offset) = strip_prefix(name, "RTMIN") {
            return Signal::real_time(i32::from(RTMIN), offset, '+');
        }
        if let Some(offset) = strip_prefix(name, "RTMAX") {
            return Signal::real_time(i32::from(Signal::MAX), offset, '-');
        }
        let number = NAMES.iter().position(|known| known.eq_ignore_ascii_case(name)).map(|index| index + 1);
        let alias = || ALIASES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, n)| usize::from(*n));
        Signal::new(i32::try_from(number.or_else(alias)?).ok()?)
    }

    /// `base`, or `base` moved by the `offset` that follows its `sign`.
    fn real_time(base: i32, offset: &str, sign: char) -> Option<Signal> {
        if offset.is_empty() {
            return Signal::new(base);
        }
        let distance = parse_digits(offset.strip_prefix(sign)?)?;
        let number = if sign == '+' { base + i32::from(distance) } else { base - i32::from(distance) };
        Signal::new(number).filter(|signal| signal.0 >= RTMIN)
    }
}

/// A number without a sign, which `parse` would take.
fn parse_digits(word: &str) -> Option<u8> {
    word.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse().ok())?
}

fn strip_prefix<'a>(word: &'a str, prefix: &str) -> Option<&'a str> {
    word.get(..prefix.len()).filter(|start| start.eq_ignore_ascii_case(prefix))?;
    word.get(prefix.len()..)
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (NAMES.get(usize::from(self.0).wrapping_sub(1)), self.0.checked_sub(RTMIN)) {
            (Some(name), _) => write!(f, "SIG{name}"),
            (None, Some(0)) => f.write_str("SIGRTMIN"),
            (None, Some(offset)) => write!(f, "SIGRTMIN+{offset}"),
            // 32 and 33 belong to the threads of a libc and have no name.
            (None, None) => write!(f, "signal {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::Signal;

    #[test]
    fn every_signal_reads_back_from_its_name_and_its_number() {
        for signal in Signal::all() {
            assert_eq!(Signal::parse(&signal.number().to_string()), Some(signal));
            if !matches!(signal.number(), 32 | 33) {
                assert_eq!(Signal::parse(&signal.to_string()), Some(signal));
                assert_eq!(Signal::parse(&signal.to_string().to_lowercase()), Some(signal));
            }
        }
    }

    #[test]
    fn terminals_send_eight_signals_and_three_of_them_stop_a_job() {
        for signal in Signal::all() {
            assert_eq!(signal.is_from_terminals(), matches!(signal.number(), 1 | 2 | 3 | 18 | 20 | 21 | 22 | 28));
            assert_eq!(signal.is_job_stop(), matches!(signal.number(), 20..=22));
        }
    }

    #[test]
    fn only_two_signals_cannot_be_caught() {
        for signal in Signal::all() {
            assert_eq!(signal.can_be_caught(), !matches!(signal.number(), 9 | 19), "{signal}");
        }
    }

    #[test]
    fn real_time_signals_count_from_34() {
        assert_eq!(Signal::parse("RTMIN"), Signal::new(34));
        assert_eq!(Signal::parse("SIGRTMIN+3"), Signal::new(37));
        assert_eq!(Signal::parse("RTMAX-1"), Signal::new(63));
        assert_eq!(Signal::parse("RTMIN+30"), Signal::parse("RTMAX"));
    }

    #[test]
    fn a_signal_of_the_c_librarys_threads_has_no_name() {
        assert_eq!(Signal::new(32).map(|signal| signal.to_string()).as_deref(), Some("signal 32"));
    }

    #[test]
    fn what_is_no_signal_is_refused() {
        for word in [
            "", "SIG", "0", "65", "-1", "TREM", "RTMIN+31", "RTMIN-1", "RTMAX-31", "RTMAX+1", "RTMIN+", "SIG15", "+5",
            "RTMIN++3", "300",
        ] {
            assert_eq!(Signal::parse(word), None, "{word}");
        }
    }
}
