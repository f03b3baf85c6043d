//! `supervise ctl status`: how process 1 stands, for people, programs and health checks.

use std::fmt::Write as _;

use log::error;
use supervise_init::core::request::{Reply, Standing};
use supervise_init::sys::{Environment, JsonText, Line, SigSet, set_mask};

use super::act::status;
use super::talk;
use super::time::written;
use crate::cli::{exit, help};

/// How it is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    Text,
    Json,
    /// By the code alone.
    Check,
}

/// `supervise ctl`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ctl {
    pub(crate) format: Format,
}

/// What the fields of the object are named and mean.
const SCHEMA: u32 = 1;

impl Ctl {
    /// Tells it, and returns the code to end with. `blocked` are the signals that were so before we were.
    #[inline(never)]
    pub(crate) fn run(self, environment: &Environment, blocked: SigSet) -> u8 {
        // Ctrl-C ends it. It did not fail before.
        let _ = set_mask(blocked);
        let reply = match talk::ask(&status(), environment) {
            Ok(reply) => reply,
            Err(why) => {
                error!("cannot reach process 1: {why}");
                return exit::FAILURE;
            }
        };
        let text = match self.format {
            Format::Text => text(&reply),
            Format::Json => json(&reply),
            Format::Check => return code(reply.standing),
        };
        help::print_text(&text)
    }
}

fn code(standing: Standing) -> u8 {
    match standing {
        Standing::Running | Standing::Pausing => exit::SUCCESS,
        Standing::Starting | Standing::Stopping | Standing::Restarting => exit::NOT_DONE,
    }
}

fn name(standing: Standing) -> &'static str {
    match standing {
        Standing::Starting => "starting",
        Standing::Running => "running",
        Standing::Stopping => "stopping",
        Standing::Pausing => "pausing",
        Standing::Restarting => "restarting",
    }
}

fn text(reply: &Reply) -> String {
    let mut out = format!("state: {}\n", name(reply.standing));
    if reply.main > 0 {
        let _ = writeln!(out, "main: {}", reply.main);
    }
    let _ = writeln!(out, "restarts: {}\nuptime: {}", reply.restarts, uptime(reply.up));
    if let Some((wish, when, text)) = &reply.scheduled {
        let _ = write!(out, "scheduled: {wish} on {}", written(*when));
        // It is somebody else's: no control character reaches a terminal.
        let _ = if text.is_empty() { writeln!(out) } else { writeln!(out, ", {:?}", text.as_str()) };
    }
    out
}

/// `3d 4h 5m 6s`, without what is nothing in front.
fn uptime(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    let parts = [(seconds / 86_400, 'd'), (seconds / 3600 % 24, 'h'), (seconds / 60 % 60, 'm'), (seconds % 60, 's')];
    let shown = parts.into_iter().skip_while(|(count, unit)| *count == 0 && *unit != 's');
    shown.map(|(count, unit)| format!("{count}{unit}")).collect::<Vec<_>>().join(" ")
}

fn json(reply: &Reply) -> String {
    let mut out = format!("{{\"schema\":{SCHEMA},\"state\":\"{}\",\"main\":", name(reply.standing));
    let _ = match reply.main {
        main if main > 0 => write!(out, "{main}"),
        _ => write!(out, "null"),
    };
    let _ = write!(out, ",\"restarts\":{},\"uptime\":{}", reply.restarts, seconds(reply.up, 1000));
    let _ = match &reply.scheduled {
        None => write!(out, ",\"scheduled\":null"),
        Some((wish, when, text)) => {
            // An escape has six letters at most.
            let mut message = Line::<2048>::new();
            let _ = JsonText(&mut message).write_str(text.as_str());
            let at = seconds(*when / 1000, 1000);
            write!(out, ",\"scheduled\":{{\"what\":\"{wish}\",\"at\":{at},\"message\":\"{}\"}}", message.as_str())
        }
    };
    out + "}\n"
}

/// As a number with three decimals.
fn seconds(count: u64, per_second: u64) -> String {
    format!("{}.{:03}", count / per_second, count % per_second)
}

#[cfg(test)]
mod tests {
    use supervise_init::core::request::{Answer, Reply, Standing, Text, Wish};

    use super::super::talk::tests::reply;
    use super::{code, json, text, uptime};

    fn scheduled(text: &str) -> Reply {
        let plan = (Wish::Reboot, 1_900_000_000_123_456, Text::new(text));
        Reply { scheduled: Some(plan), restarts: 2, ..reply(Answer::Accepted) }
    }

    #[test]
    fn people_see_what_there_is() {
        assert_eq!(text(&reply(Answer::Accepted)), "state: running\nmain: 7\nrestarts: 0\nuptime: 1s\n");
        let pausing = Reply { main: 0, standing: Standing::Pausing, ..reply(Answer::Accepted) };
        assert_eq!(text(&pausing), "state: pausing\nrestarts: 0\nuptime: 1s\n");
        let shown = text(&scheduled("bye\u{1b}[2J"));
        assert!(shown.contains("\nscheduled: reboot on ") && shown.contains(", \"bye\\u{1b}[2J\"\n"), "{shown}");
    }

    #[test]
    fn programs_see_one_object() {
        for reply in [reply(Answer::Accepted), scheduled("say \"bye\"\n"), scheduled(&"\u{1}".repeat(220))] {
            let object: serde_json::Value = serde_json::from_str(&json(&reply)).expect("it is JSON");
            assert_eq!((&object["state"], &object["main"]), (&"running".into(), &7.into()));
            assert_eq!(object["uptime"], 1.5);
            if let Some((_, _, text)) = reply.scheduled {
                assert_eq!(object["scheduled"]["message"], text.as_str());
                assert_eq!(object["scheduled"]["at"], 1_900_000_000.123);
            }
        }
    }

    #[test]
    fn what_runs_is_healthy() {
        for (standing, healthy) in
            [(Standing::Running, 0), (Standing::Pausing, 0), (Standing::Starting, 1), (Standing::Stopping, 1)]
        {
            assert_eq!(code(standing), healthy);
        }
    }

    #[test]
    fn uptime_has_no_zeros_in_front() {
        for (milliseconds, shown) in
            [(0, "0s"), (59_999, "59s"), (60_000, "1m 0s"), (3_600_000, "1h 0m 0s"), (90_061_000, "1d 1h 1m 1s")]
        {
            assert_eq!(uptime(milliseconds), shown);
        }
    }
}
