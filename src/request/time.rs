//! When something is to come: the words of `shutdown` and of `systemctl --when`, what they are on the clock, and how a
//! time is written. Local time is the container's: `TZ`, else /etc/localtime.

use super::sys::{self, Local};

/// A time as it is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum When {
    Now,
    /// After so long.
    In {
        seconds: u64,
    },
    /// The next time that it is so late.
    At {
        hour: u8,
        minute: u8,
        second: u8,
    },
    /// A time of a day.
    On(Local),
    /// So many seconds since 1970.
    Since1970 {
        seconds: u64,
    },
}

/// Where a year ends that can be written in four digits: no clock of ours goes further.
const LATEST: u64 = 253_402_300_799;
const MICROSECONDS: u64 = 1_000_000;

impl When {
    /// Where no time is given.
    pub(super) const SOON: When = When::In { seconds: 60 };

    /// `now`, `+m`, `m` or `hh:mm`.
    pub(super) fn of_shutdown(word: &str) -> Option<When> {
        if word == "now" {
            return Some(When::Now);
        }
        if word.contains(':') {
            return at(word)
                .filter(|when| matches!(when, When::At { second: 0, .. }) && word.matches(':').count() == 1);
        }
        after(number(word.strip_prefix('+').unwrap_or(word))?, 60)
    }

    /// What systemd.time(7) calls a timestamp, as far as people write them here.
    pub(super) fn of_systemctl(word: &str) -> Option<When> {
        match word {
            "now" => return Some(When::Now),
            "auto" => return Some(When::SOON),
            _ => {}
        }
        if let Some(span) = word.strip_prefix('+') {
            return spans(span);
        }
        if let Some(seconds) = word.strip_prefix('@') {
            return number(seconds).filter(|seconds| *seconds <= LATEST).map(|seconds| When::Since1970 { seconds });
        }
        match word.split_once([' ', 'T']) {
            Some((day, time)) => on(day, at(time)?),
            None if word.contains('-') => on(word, When::At { hour: 0, minute: 0, second: 0 }),
            None => at(word),
        }
    }

    /// The time on the clock, in microseconds since 1970, where it is `now` so late; `None`: there is no such time.
    pub(super) fn on_the_clock(self, now: u64) -> Option<u64> {
        let seconds = match self {
            When::Now => return Some(now),
            When::In { seconds } => return now.checked_add(seconds.checked_mul(MICROSECONDS)?),
            When::At { hour, minute, second } => {
                let today = sys::local(i64::try_from(now / MICROSECONDS).ok()?)?;
                let wanted = Local { hour: hour.into(), minute: minute.into(), second: second.into(), ..today };
                // By the calendar: a day need not have 24 hours.
                let days = [wanted, Local { day: wanted.day + 1, ..wanted }].into_iter();
                days.filter_map(sys::since_1970)
                    .filter_map(|time| u64::try_from(time).ok())
                    .find(|time| time.saturating_mul(MICROSECONDS) > now)?
            }
            When::On(local) => u64::try_from(sys::since_1970(local)?).ok()?,
            When::Since1970 { seconds } => seconds,
        };
        seconds.checked_mul(MICROSECONDS)
    }
}

/// As systemd writes it: `Sun 2030-03-17 17:46:40 UTC`.
pub(crate) fn written(microseconds: u64) -> String {
    let seconds = microseconds / MICROSECONDS;
    i64::try_from(seconds).ok().and_then(sys::written).unwrap_or_else(|| format!("@{seconds}"))
}

/// A number without a sign, which `parse` would take.
fn number(word: &str) -> Option<u64> {
    word.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse().ok())?
}

fn after(count: u64, unit: u64) -> Option<When> {
    let seconds = count.checked_mul(unit).filter(|seconds| *seconds <= LATEST)?;
    Some(if seconds == 0 { When::Now } else { When::In { seconds } })
}

/// `5min`, `1h 30m`, `90`: what has no unit is seconds.
fn spans(word: &str) -> Option<When> {
    let mut total: u64 = 0;
    let mut rest = word.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (count, after) = rest.split_at(rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len()));
        let after = after.trim_start();
        let (unit, after) =
            after.split_at(after.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(after.len()));
        let seconds = match unit {
            "" | "s" | "sec" | "second" | "seconds" => 1,
            "m" | "min" | "minute" | "minutes" => 60,
            "h" | "hr" | "hour" | "hours" => 60 * 60,
            "d" | "day" | "days" => 24 * 60 * 60,
            "w" | "week" | "weeks" => 7 * 24 * 60 * 60,
            _ => return None,
        };
        total = total.checked_add(number(count).filter(|_| !count.is_empty())?.checked_mul(seconds)?)?;
        rest = after.trim_start();
    }
    after(total, 1)
}

/// `hh:mm` or `hh:mm:ss`, each of one or two digits.
fn at(word: &str) -> Option<When> {
    let mut parts = word.split(':').map(|part| {
        let digits = number(part).filter(|_| (1..=2).contains(&part.len()))?;
        u8::try_from(digits).ok()
    });
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?;
    (parts.next().is_none() && hour < 24 && minute < 60 && second < 60).then_some(When::At { hour, minute, second })
}

/// `yyyy-mm-dd`, and a time of that day.
fn on(day: &str, time: When) -> Option<When> {
    let When::At { hour, minute, second } = time else { return None };
    let mut parts = day.split('-').map(|part| number(part).and_then(|digits| i32::try_from(digits).ok()));
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let is_one = (1970..10_000).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    let local = Local { year, month, day, hour: hour.into(), minute: minute.into(), second: second.into() };
    (is_one && parts.next().is_none()).then_some(When::On(local))
}

#[cfg(test)]
mod tests {
    use super::{Local, MICROSECONDS, When, sys, written};

    const NOW: u64 = 1_900_000_000 * MICROSECONDS + 7;

    #[test]
    fn shutdown_has_minutes_and_times_of_the_day() {
        for (word, when) in [
            ("now", When::Now),
            ("+0", When::Now),
            ("0", When::Now),
            ("+1", When::In { seconds: 60 }),
            ("90", When::In { seconds: 5400 }),
            ("+00005", When::In { seconds: 300 }),
            ("7:05", When::At { hour: 7, minute: 5, second: 0 }),
            ("0:0", When::At { hour: 0, minute: 0, second: 0 }),
            ("23:59", When::At { hour: 23, minute: 59, second: 0 }),
        ] {
            assert_eq!(When::of_shutdown(word), Some(when), "{word}");
        }
        for word in ["", "+", "++1", "-1", "1.5", "24:00", "1:60", "1:2:3", "001:00", ":", "NOW", "5m", "9999999999999"]
        {
            assert_eq!(When::of_shutdown(word), None, "{word}");
        }
    }

    #[test]
    fn systemctl_has_spans_and_days() {
        let day = Local { year: 2030, month: 3, day: 17, hour: 17, minute: 46, second: 0 };
        for (word, when) in [
            ("now", When::Now),
            ("auto", When::SOON),
            ("+5min", When::In { seconds: 300 }),
            ("+1h 30m", When::In { seconds: 5400 }),
            ("+2d4h", When::In { seconds: 187_200 }),
            ("+90", When::In { seconds: 90 }),
            ("+0s", When::Now),
            ("@1900000000", When::Since1970 { seconds: 1_900_000_000 }),
            ("2030-03-17 17:46", When::On(day)),
            ("2030-03-17T17:46:40", When::On(Local { second: 40, ..day })),
            ("2030-03-17", When::On(Local { hour: 0, minute: 0, ..day })),
            ("11:12:13", When::At { hour: 11, minute: 12, second: 13 }),
        ] {
            assert_eq!(When::of_systemctl(word), Some(when), "{word}");
        }
        for word in ["", "+", "+x", "+5 fortnights", "+min", "5", "2030-13-01", "2030-01", "30-1-1", "@", "@x", "-5min"]
        {
            assert_eq!(When::of_systemctl(word), None, "{word}");
        }
    }

    #[test]
    fn a_time_of_the_day_is_the_next_one() {
        let local = sys::local(1_900_000_000).expect("it is a time");
        for minutes in [0, 1, 59, 719, 1439] {
            let (hour, minute) = (minutes / 60, minutes % 60);
            let when = When::At { hour: u8::try_from(hour).unwrap(), minute: u8::try_from(minute).unwrap(), second: 0 };
            let time = when.on_the_clock(NOW).expect("there is one");
            // A day of 25 hours is the longest.
            assert!(time > NOW && time <= NOW + 25 * 3600 * MICROSECONDS, "{hour}:{minute}");
            let shown = sys::local(i64::try_from(time / MICROSECONDS).unwrap()).unwrap();
            assert_eq!((shown.hour, shown.minute, shown.second), (hour, minute, 0));
        }
        // This very second is past.
        let same = When::At {
            hour: u8::try_from(local.hour).unwrap(),
            minute: u8::try_from(local.minute).unwrap(),
            second: u8::try_from(local.second).unwrap(),
        };
        assert!(same.on_the_clock(NOW).expect("there is one") > NOW + 22 * 3600 * MICROSECONDS);
    }

    #[test]
    fn times_that_no_clock_shows_are_none() {
        assert_eq!(When::In { seconds: 60 }.on_the_clock(NOW), Some(NOW + 60 * MICROSECONDS));
        assert_eq!(When::Now.on_the_clock(NOW), Some(NOW));
        assert_eq!(When::In { seconds: u64::MAX }.on_the_clock(NOW), None);
        assert_eq!(When::Since1970 { seconds: u64::MAX }.on_the_clock(NOW), None);
        let day = Local { year: 2030, month: 3, day: 17, hour: 17, minute: 46, second: 40 };
        let time = When::On(day).on_the_clock(NOW).expect("it is one");
        assert!(written(time).contains(" 2030-03-17 17:46:40 "), "{}", written(time));
    }

    #[test]
    fn a_time_is_written_as_systemd_writes_it() {
        let shown = written(1_900_000_000 * MICROSECONDS);
        let (day, rest) = shown.split_once(' ').expect("several words");
        assert!(["Sat", "Sun", "Mon"].contains(&day), "{shown}");
        let parts: Vec<usize> = rest.split(' ').map(str::len).collect();
        assert_eq!(parts[..2], [10, 8], "{shown}");
        assert!(parts.len() == 3 && parts[2] > 0, "{shown}");
    }
}
