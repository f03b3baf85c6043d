//! What the options of the stop take: times, signals one after the other.

use std::time::Duration;

use supervise_init::core::{Signal, StopSignal, StopSignals};

use super::amounts::scaled;
use super::maps::signal;
use super::wrong::{Given, Wrong};

/// `500ms`, `10s`, `1.5s`, `2m`, `1h`, `0`.
pub(crate) fn time(given: Given, word: &'static str) -> Result<Duration, Wrong> {
    time_in(given, word, word)
}

/// A time within the value `whole`.
pub(super) fn time_in(given: Given, whole: &'static str, word: &'static str) -> Result<Duration, Wrong> {
    parse_time(word).ok_or(Wrong::NotATime { given, whole, word })
}

fn parse_time(word: &str) -> Option<Duration> {
    if word == "0" {
        return Some(Duration::ZERO);
    }
    let unit_at = word.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
    let (number, unit) = word.split_at(unit_at);
    let nanoseconds: u64 = match unit {
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    scaled(number, nanoseconds).map(Duration::from_nanos)
}

/// `--stop-signal QUIT`, or `TERM:10s,INT:5s,KILL`.
pub(crate) fn stop_signals(given: Given, whole: &'static str) -> Result<StopSignals, Wrong> {
    let mut signals = StopSignals::AS_ASKED;
    let mut parts = whole.split(',').peekable();
    while let Some(part) = parts.next() {
        let (word, time) = match part.split_once(':') {
            Some((word, time)) => (word, Some(time_in(given, whole, time)?)),
            None => (part, None),
        };
        let signal = signal(given, whole, word)?;
        let is_last = parts.peek().is_none();
        if matches!(signal, Signal::STOP | Signal::CHLD) {
            return Err(Wrong::StopsNothing { given, whole, signal });
        }
        match (time, is_last) {
            _ if signal == Signal::KILL && !is_last => return Err(Wrong::AfterKill { given, whole }),
            (None, false) => return Err(Wrong::NoTime { given, whole, signal }),
            (Some(_), true) => return Err(Wrong::TimeForNothing { given, whole, signal }),
            (Some(_), false) | (None, true) => {}
        }
        signals.push(StopSignal { signal, then: time }).ok_or(Wrong::TooManySignals { given, whole })?;
    }
    Ok(signals)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::parse_time;

    #[test]
    fn times_have_a_number_and_a_unit() {
        let cases = [
            ("500ms", 500),
            ("10s", 10_000),
            ("1.5s", 1500),
            ("0.25s", 250),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("1.50m", 90_000),
            ("0", 0),
            ("0s", 0),
            ("1.0000000009s", 1000),
        ];
        for (word, milliseconds) in cases {
            assert_eq!(parse_time(word), Some(Duration::from_millis(milliseconds)), "{word}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let words = [
            "",
            "10",
            "s",
            ".5s",
            "1.s",
            "1..5s",
            "-1s",
            "+1s",
            "10 s",
            "10S",
            "10sec",
            "1e3s",
            "1d",
            "1s1s",
            " 1s",
            "0x1s",
            "99999999999999999999s",
            "10000000000h",
        ];
        for word in words {
            assert_eq!(parse_time(word), None, "{word}");
        }
    }
}
