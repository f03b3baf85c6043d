//! The words of `shutdown`, as systemd's and sysvinit's read them together: without -h, -P, -H and -r it powers off, and
//! without a time it does so in a minute.

use std::ffi::CStr;

use supervise_init::core::request::Wish;
use supervise_init::sys::Words;

use super::time::When;
use super::words::{Given, Taken};
use super::{Called, Deed, End, Force, Notice, Refusal, Wanted, joined};
use crate::cli::options::{Id, SHUTDOWN};

const LETTERS: [(u8, Id); 4] = [(b'a', Id::Accepted), (b'f', Id::Accepted), (b'F', Id::Accepted), (b'n', Id::Accepted)];

pub(super) fn read(called: Called, words: &Words) -> Result<Wanted, Refusal> {
    let given = Taken { rows: &SHUTDOWN, letters: &LETTERS, names: &[] }.read(called, words)?;
    let (time, rest) = match given.operands.split_first() {
        Some((time, rest)) => (Some(*time), rest),
        None => (None, &[][..]),
    };
    let notice = |text: &[&CStr]| Notice { wall: !given.has(Id::NoWall), text: joined(text) };
    // What ends nothing wins, wherever it stands.
    if given.has(Id::Help) {
        return Ok(Deed::Help.into());
    }
    if given.has(Id::Show) {
        return Ok(Deed::Show.into());
    }
    if given.has(Id::Cancel) {
        return Ok(Deed::Cancel(notice(&given.operands)).into());
    }
    let when = match time {
        None => When::SOON,
        Some(word) => When::of_shutdown(&word.to_string_lossy()).ok_or_else(|| {
            Refusal(format!("{:?} is no time; say now, +5 (minutes) or 23:59", word.to_string_lossy()))
        })?,
    };
    let (wish, notice) = (wish(&given), notice(rest));
    Ok(Wanted::from(match when {
        _ if given.has(Id::OnlyWarn) => Deed::Warn(wish, when, notice),
        When::Now => Deed::End(End { wish, force: Force::None, sync: true, notice }),
        _ => Deed::Schedule(wish, when, notice),
    }))
}

/// The last one counts, but that -h leaves a halt what it is.
fn wish(given: &Given) -> Wish {
    given.options.iter().fold(Wish::Poweroff, |wish, (id, _)| match id {
        Id::Halt => Wish::Halt,
        Id::Poweroff => Wish::Poweroff,
        Id::Reboot => Wish::Reboot,
        Id::PoweroffUnlessHalt if wish != Wish::Halt => Wish::Poweroff,
        _ => wish,
    })
}

#[cfg(test)]
mod tests {
    use super::super::words::of_line;
    use super::{Called, Deed, End, Force, Notice, Refusal, Wanted, When, Wish, read};

    fn asked(line: &str) -> Result<Wanted, Refusal> {
        read(Called::Alone, &of_line(&line.split_whitespace().collect::<Vec<_>>()))
    }

    fn notice(text: &str) -> Notice {
        Notice { wall: true, text: text.to_owned() }
    }

    fn now(wish: Wish, text: &str) -> Deed {
        Deed::End(End { wish, force: Force::None, sync: true, notice: notice(text) })
    }

    #[test]
    fn what_is_wanted_now_ends_at_once() {
        for (line, wish, text) in [
            ("now", Wish::Poweroff, ""),
            ("-h now", Wish::Poweroff, ""),
            ("-P now", Wish::Poweroff, ""),
            ("-h -H now", Wish::Halt, ""),
            ("-H -h now", Wish::Halt, ""),
            ("--halt now", Wish::Halt, ""),
            ("-r now going down", Wish::Reboot, "going down"),
            ("-t 3 -r now", Wish::Reboot, ""),
            ("-hfn now", Wish::Poweroff, ""),
            ("-rF +0", Wish::Reboot, ""),
            ("now -a -r", Wish::Reboot, ""),
        ] {
            assert_eq!(asked(line), Ok(now(wish, text).into()), "{line}");
        }
    }

    #[test]
    fn what_is_wanted_later_is_scheduled() {
        for (line, wish, when, text) in [
            ("", Wish::Poweroff, When::SOON, ""),
            ("-r", Wish::Reboot, When::SOON, ""),
            ("-h", Wish::Poweroff, When::SOON, ""),
            ("+5 good bye", Wish::Poweroff, When::In { seconds: 300 }, "good bye"),
            ("-r 5", Wish::Reboot, When::In { seconds: 300 }, ""),
            ("-H 23:59 x", Wish::Halt, When::At { hour: 23, minute: 59, second: 0 }, "x"),
        ] {
            assert_eq!(asked(line), Ok(Deed::Schedule(wish, when, notice(text)).into()), "{line}");
        }
        let quiet = Notice { wall: false, text: String::new() };
        let later = Deed::Schedule(Wish::Poweroff, When::In { seconds: 60 }, quiet);
        assert_eq!(asked("--no-wall +1"), Ok(later.into()));
    }

    #[test]
    fn what_ends_nothing_wins() {
        for (line, deed) in [
            ("-k now", Deed::Warn(Wish::Poweroff, When::Now, notice(""))),
            ("-rk +5 test", Deed::Warn(Wish::Reboot, When::In { seconds: 300 }, notice("test"))),
            ("-c", Deed::Cancel(notice(""))),
            ("-c -r now", Deed::Cancel(notice("now"))),
            ("-rc we stay", Deed::Cancel(notice("we stay"))),
            ("--show", Deed::Show),
            ("-r --show now", Deed::Show),
            ("--help now", Deed::Help),
        ] {
            assert_eq!(asked(line), Ok(deed.into()), "{line}");
        }
    }

    #[test]
    fn what_is_no_time_ends_nothing() {
        for word in ["bogus", "24:00", "12:60", "+", "-5", "+5m", "+-5", "12:", ":30", "1:2:3", "99999999999999999999"]
        {
            let Err(Refusal(why)) = asked(&format!("-- {word}")) else { panic!("{word} is taken") };
            assert_eq!(why, format!("{word:?} is no time; say now, +5 (minutes) or 23:59"));
        }
    }
}
