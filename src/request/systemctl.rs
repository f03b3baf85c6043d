//! The words of `systemctl`, as far as they are about the end of all. What we do not know, be it a verb or an option, is a
//! real systemctl's.

use std::ffi::CStr;

use supervise_init::core::request::Wish;
use supervise_init::sys::Words;

use super::time::When;
use super::words::{Given, Taken};
use super::{Called, Deed, End, Force, Notice, Refusal, Verbosity, Wanted, joined};
use crate::cli::options::{Id, SYSTEMCTL};

const TAKEN: Taken = Taken {
    rows: &SYSTEMCTL,
    letters: &[(b'h', Id::Help), (b'i', Id::Accepted)],
    names: &["ignore-inhibitors", "no-ask-password", "no-pager", "no-warn", "system"],
};

/// What ends all, and how: the verbs, and the units behind `start` and `isolate`. A container has no kernel to load and no
/// part of it that could stay.
const ENDS: [(&str, Wish); 6] = [
    ("poweroff", Wish::Poweroff),
    ("halt", Wish::Halt),
    ("reboot", Wish::Reboot),
    ("kexec", Wish::Reboot),
    ("soft-reboot", Wish::Reboot),
    ("exit", Wish::Poweroff),
];

pub(super) fn read(called: Called, words: &Words) -> Result<Wanted, Refusal> {
    // What is wrong with them, or only new, is for a real one to say.
    let Ok(given) = TAKEN.read(called, words) else { return Ok(Deed::PassOn.into()) };
    let mut notes = Vec::new();
    let deed = deed(&given, &mut notes)?;
    let verbosity = if given.has(Id::Quiet) { Verbosity::Quiet } else { Verbosity::Usual };
    Ok(Wanted { deed, notes, verbosity })
}

fn deed(given: &Given, notes: &mut Vec<String>) -> Result<Deed, Refusal> {
    if given.has(Id::Help) {
        return Ok(Deed::Help);
    }
    if given.has(Id::Version) {
        return Ok(Deed::Version);
    }
    let Some((verb, rest)) = given.operands.split_first() else { return Ok(Deed::PassOn) };
    let Ok(verb) = verb.to_str() else { return Ok(Deed::PassOn) };
    match (verb, rest) {
        ("start" | "isolate", [unit]) => match unit.to_str().ok().and_then(|unit| unit.strip_suffix(".target")) {
            Some(unit) => end_of(unit).map_or(Ok(Deed::PassOn), |wish| end(given, wish)),
            None => Ok(Deed::PassOn),
        },
        ("exit", [code]) => {
            let number = code.to_str().ok().and_then(|code| code.parse::<u8>().ok());
            let number = number.ok_or_else(|| Refusal(format!("{:?} is no exit code", code.to_string_lossy())))?;
            end(given, Wish::Exit(number))
        }
        ("reboot", [argument]) => {
            notes.push(format!("{:?} is for a boot loader, and a container has none; ignored", joined(&[*argument])));
            end(given, Wish::Reboot)
        }
        ("is-system-running", []) => Ok(Deed::State),
        ("daemon-reload" | "daemon-reexec", []) => Ok(Deed::Upkeep),
        ("default" | "rescue" | "emergency", []) => {
            notes.push(format!("{verb}: a container has no such mode; ignored"));
            Ok(Deed::Nothing)
        }
        _ => match (end_of(verb), rest) {
            (None, _) => Ok(Deed::PassOn),
            (Some(wish), []) => end(given, wish),
            (Some(_), _) => Err(Refusal("too many arguments".to_owned())),
        },
    }
}

/// What that word of systemd's ends, and how.
pub(super) fn end_of(name: &str) -> Option<Wish> {
    ENDS.iter().find(|(known, _)| *known == name).map(|(_, wish)| *wish)
}

fn end(given: &Given, wish: Wish) -> Result<Deed, Refusal> {
    let mut notice = Notice { wall: !given.has(Id::NoWall), text: String::new() };
    let (mut force, mut when) = (Force::None, None);
    for (id, value) in &given.options {
        match (id, value) {
            (Id::Force, _) => force = force.more(),
            (Id::Message, Some(text)) => notice.text = joined(&[*text]),
            (Id::When, Some(word)) => when = Some(*word),
            _ => {}
        }
    }
    let now = |notice| Deed::End(End { wish, force, sync: true, notice });
    let Some(word) = when.map(CStr::to_string_lossy) else { return Ok(now(notice)) };
    Ok(match &*word {
        "" | "cancel" => Deed::Cancel(notice),
        "show" => Deed::Show,
        word => match When::of_systemctl(word) {
            None => return Err(Refusal(format!("--when={word}: no time; say +5min, 23:59, now, show or cancel"))),
            Some(When::Now) => now(notice),
            // A time is for an end in which all have theirs.
            Some(_) if force != Force::None => {
                return Err(Refusal("--force and --when do not go together".to_owned()));
            }
            Some(when) => Deed::Schedule(wish, when, notice),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::super::words::of_line;
    use super::{Called, Deed, End, Force, Notice, Refusal, Wanted, When, Wish, read};

    fn asked(line: &str) -> Result<Wanted, Refusal> {
        read(Called::Alone, &of_line(&line.split_whitespace().collect::<Vec<_>>()))
    }

    fn end(wish: Wish, force: Force) -> Deed {
        Deed::End(End { wish, force, sync: true, notice: Notice::default() })
    }

    #[test]
    fn the_verbs_and_the_targets_of_an_end_are_ours() {
        for (line, wish, force) in [
            ("poweroff", Wish::Poweroff, Force::None),
            ("halt", Wish::Halt, Force::None),
            ("reboot", Wish::Reboot, Force::None),
            ("kexec", Wish::Reboot, Force::None),
            ("soft-reboot", Wish::Reboot, Force::None),
            ("exit", Wish::Poweroff, Force::None),
            ("poweroff -f", Wish::Poweroff, Force::Once),
            ("--force reboot", Wish::Reboot, Force::Once),
            ("reboot -ff", Wish::Reboot, Force::Twice),
            ("--no-block -q -i poweroff", Wish::Poweroff, Force::None),
            ("poweroff --system --no-ask-password", Wish::Poweroff, Force::None),
            ("start poweroff.target", Wish::Poweroff, Force::None),
            ("isolate halt.target", Wish::Halt, Force::None),
            ("start reboot.target --no-block", Wish::Reboot, Force::None),
            ("isolate kexec.target", Wish::Reboot, Force::None),
            ("start exit.target", Wish::Poweroff, Force::None),
        ] {
            let wanted = asked(line).expect("it is understood");
            assert_eq!((wanted.deed, wanted.notes), (end(wish, force), vec![]), "{line}");
        }
    }

    #[test]
    fn what_we_do_not_know_is_a_real_systemctls() {
        for line in [
            "",
            "status",
            "start nginx",
            "start poweroff",
            "start poweroff.target nginx.service",
            "isolate rescue.target",
            "stop poweroff.target",
            "suspend",
            "--user poweroff",
            "--dry-run poweroff",
            "-H host poweroff",
            "-Mbox reboot",
            "--root=/mnt poweroff",
            "poweroff --frob",
            "daemon-reload x",
            "POWEROFF",
        ] {
            assert_eq!(asked(line), Ok(Deed::PassOn.into()), "{line}");
        }
    }

    #[test]
    fn an_end_can_wait() {
        let later = |wish, seconds| Deed::Schedule(wish, When::In { seconds }, Notice::default());
        for (line, deed) in [
            ("poweroff --when=+5min", later(Wish::Poweroff, 300)),
            ("reboot --when +2h", later(Wish::Reboot, 7200)),
            ("halt --when=auto", later(Wish::Halt, 60)),
            ("poweroff --when=now", end(Wish::Poweroff, Force::None)),
            ("poweroff --when=show", Deed::Show),
            ("poweroff --when=cancel", Deed::Cancel(Notice::default())),
            ("poweroff --when=", Deed::Cancel(Notice::default())),
        ] {
            assert_eq!(asked(line), Ok(deed.into()), "{line}");
        }
        for line in ["poweroff --when=soon", "poweroff --when=+5min -f"] {
            assert!(asked(line).is_err(), "{line}");
        }
        let message = Notice { wall: false, text: "bye".to_owned() };
        let told = End { wish: Wish::Poweroff, force: Force::None, sync: true, notice: message };
        assert_eq!(asked("poweroff --message=bye --no-wall"), Ok(Deed::End(told).into()));
    }

    #[test]
    fn other_verbs_have_an_honest_answer() {
        for (line, deed, note) in [
            ("is-system-running", Deed::State, None),
            ("daemon-reload", Deed::Upkeep, None),
            ("daemon-reexec", Deed::Upkeep, None),
            ("rescue", Deed::Nothing, Some("rescue: a container has no such mode; ignored")),
            ("default", Deed::Nothing, Some("default: a container has no such mode; ignored")),
            ("--version", Deed::Version, None),
            ("--help", Deed::Help, None),
            ("poweroff -h", Deed::Help, None),
            ("exit 0", end(Wish::Exit(0), Force::None), None),
            ("exit 3", end(Wish::Exit(3), Force::None), None),
            (
                "reboot x",
                end(Wish::Reboot, Force::None),
                Some("\"x\" is for a boot loader, and a container has none; ignored"),
            ),
        ] {
            let wanted = asked(line).expect("it is understood");
            assert_eq!((wanted.deed, wanted.notes.first().map(String::as_str)), (deed, note), "{line}");
        }
        for line in ["exit 256", "exit x", "poweroff now", "halt a b"] {
            assert!(asked(line).is_err(), "{line}");
        }
        assert!(asked("-q is-system-running").is_ok_and(|wanted| wanted.verbosity == super::Verbosity::Quiet));
    }
}
