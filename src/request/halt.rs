//! The words of `poweroff`, `halt` and `reboot`, as systemd's read them; sysvinit's know no others that matter here.

use supervise_init::core::request::Wish;
use supervise_init::sys::Words;

use super::words::Taken;
use super::{Called, Deed, End, Force, Notice, Refusal, Verbosity, Wanted, joined};
use crate::cli::options::{HALT, Id};

/// `-h` puts sysvinit's disks to sleep, and is nothing to systemd's; behind `supervise` it is what it is there.
const ALONE: [(u8, Id); 2] = [(b'i', Id::Accepted), (b'h', Id::Accepted)];
const AS_SUBCOMMAND: [(u8, Id); 2] = [(b'i', Id::Accepted), (b'h', Id::Help)];

pub(super) fn read(name: Wish, called: Called, words: &Words) -> Result<Wanted, Refusal> {
    let letters = match called {
        Called::Alone => &ALONE,
        Called::AsSubcommand => &AS_SUBCOMMAND,
    };
    let given = Taken { rows: &HALT, letters, names: &[] }.read(called, words)?;
    if given.has(Id::Help) {
        return Ok(Deed::Help.into());
    }
    let mut end = End { wish: name, force: Force::None, sync: true, notice: Notice::default() };
    for (id, _) in &given.options {
        match id {
            // `reboot -p` reboots, as systemd's does.
            Id::Poweroff if end.wish != Wish::Reboot => end.wish = Wish::Poweroff,
            Id::Halt => end.wish = Wish::Halt,
            Id::Reboot => end.wish = Wish::Reboot,
            Id::Force => end.force = end.force.more(),
            Id::NoSync => end.sync = false,
            Id::NoWall => end.notice.wall = false,
            _ => {}
        }
    }
    let notes = match &given.operands[..] {
        [] => Vec::new(),
        [_] if end.wish == Wish::Reboot => {
            vec![format!("{:?} is for a boot loader, and a container has none; ignored", joined(&given.operands))]
        }
        [..] => return Err(Refusal("too many arguments".to_owned())),
    };
    let deed = if given.has(Id::OnlyRecord) { Deed::Nothing } else { Deed::End(end) };
    Ok(Wanted { deed, notes, verbosity: Verbosity::Usual })
}

#[cfg(test)]
mod tests {
    use super::super::words::of_line;
    use super::{Called, Deed, End, Force, Notice, Refusal, Wanted, Wish, read};

    fn asked(wish: Wish, called: Called, line: &str) -> Result<Wanted, Refusal> {
        let behind = match called {
            Called::Alone => [].as_slice(),
            Called::AsSubcommand => &["poweroff"],
        };
        let words: Vec<&str> = behind.iter().copied().chain(line.split_whitespace()).collect();
        read(wish, called, &of_line(&words))
    }

    fn end(wish: Wish, force: Force) -> End {
        End { wish, force, sync: true, notice: Notice::default() }
    }

    #[test]
    fn the_name_says_how_all_ends_unless_an_option_does() {
        use Wish::{Halt, Poweroff, Reboot};
        for (name, line, wish) in [
            (Poweroff, "", Poweroff),
            (Halt, "", Halt),
            (Reboot, "", Reboot),
            (Halt, "-p", Poweroff),
            (Halt, "--poweroff", Poweroff),
            (Poweroff, "--halt", Halt),
            (Poweroff, "--reboot", Reboot),
            (Reboot, "-p", Reboot),
            (Poweroff, "-d -n -i -h --no-wtmp", Poweroff),
            (Halt, "-dpi", Poweroff),
        ] {
            let wanted = asked(name, Called::Alone, line).expect("it is understood");
            assert!(matches!(wanted.deed, Deed::End(end) if end.wish == wish), "{name} {line}");
        }
    }

    #[test]
    fn force_is_counted() {
        for (line, force) in [
            ("", Force::None),
            ("-f", Force::Once),
            ("--force", Force::Once),
            ("-ff", Force::Twice),
            ("-f --forc", Force::Twice),
            ("-fff", Force::Twice),
        ] {
            for called in [Called::Alone, Called::AsSubcommand] {
                let wanted = asked(Wish::Halt, called, line);
                assert_eq!(wanted, Ok(Deed::End(end(Wish::Halt, force)).into()), "{line}");
            }
        }
    }

    #[test]
    fn what_is_said_of_people_and_disks_is_kept() {
        let quiet = Notice { wall: false, text: String::new() };
        let expected = End { sync: false, notice: quiet, ..end(Wish::Poweroff, Force::Once) };
        let wanted = asked(Wish::Poweroff, Called::Alone, "-nf --no-wall");
        assert_eq!(wanted, Ok(Deed::End(expected).into()));
    }

    #[test]
    fn nothing_ends_where_only_a_record_is_wanted() {
        for line in ["-w", "--wtmp-only", "-fw"] {
            assert_eq!(asked(Wish::Poweroff, Called::Alone, line), Ok(Deed::Nothing.into()), "{line}");
        }
    }

    #[test]
    fn the_argument_of_reboot_is_ignored_with_a_word() {
        let wanted = asked(Wish::Reboot, Called::Alone, "bootloader").expect("it is understood");
        assert_eq!(wanted.deed, Deed::End(end(Wish::Reboot, Force::None)));
        assert_eq!(wanted.notes, ["\"bootloader\" is for a boot loader, and a container has none; ignored"]);
        for (wish, line) in [(Wish::Reboot, "a b"), (Wish::Poweroff, "now"), (Wish::Halt, "-d 3")] {
            assert_eq!(asked(wish, Called::Alone, line), Err(Refusal("too many arguments".to_owned())), "{line}");
        }
    }

    #[test]
    fn nobody_who_asks_for_help_behind_supervise_ends_anything() {
        assert_eq!(asked(Wish::Poweroff, Called::AsSubcommand, "-h"), Ok(Deed::Help.into()));
        for called in [Called::Alone, Called::AsSubcommand] {
            assert_eq!(asked(Wish::Poweroff, called, "-f --help"), Ok(Deed::Help.into()));
        }
    }
}
