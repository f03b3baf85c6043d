//! `supervise ctl status`: how process 1 stands, for people, programs and health checks.

use std::fmt::Write as _;

use supervise_init::core::Status;
use supervise_init::core::request::{Health, Last, Readiness, Reply, Standing};
use supervise_init::sys::{JsonText, Line};

use super::events::{health_name, readiness_name, reason, status_json};
use super::time::written;
use crate::cli::{exit, help};
use crate::proc::{self, Stat};

/// How it is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    Text,
    Json,
    /// By the code alone.
    Check,
    /// By both: the object tells why the code is what it is.
    CheckedJson,
}

/// What the fields of the object are named and mean.
const SCHEMA: u32 = 2;

/// Tells it, and returns the code to end with.
pub(super) fn print(format: Format, reply: &Reply) -> u8 {
    match format {
        Format::Text => help::print_text(&text(reply, zombies())),
        Format::Json => help::print_text(&json(reply, zombies())),
        Format::Check => code(reply),
        // Who does not get the object is not to take it for well.
        Format::CheckedJson => match help::print_text(&json(reply, zombies())) {
            exit::SUCCESS => code(reply),
            failure => failure,
        },
    }
}

/// How many there are now, of whatever parent; `None` where /proc does not say.
fn zombies() -> Option<usize> {
    let pids = proc::numbers("/proc").ok().filter(|pids| !pids.is_empty())?;
    Some(pids.into_iter().filter_map(Stat::read).filter(|stat| stat.state == b'Z').count())
}

/// Whether it runs, and where somebody asks for that, is ready and not unhealthy.
fn code(reply: &Reply) -> u8 {
    let runs = matches!(reply.standing, Standing::Running | Standing::Waiting | Standing::Pausing);
    let is_ready = matches!(reply.facts.readiness, None | Some(Readiness::Ready | Readiness::Reloading));
    let is_healthy = reply.facts.health != Some(Health::Unhealthy);
    if runs && is_ready && is_healthy { exit::SUCCESS } else { exit::NOT_DONE }
}

pub(super) fn name(standing: Standing) -> &'static str {
    match standing {
        Standing::Starting => "starting",
        Standing::Running => "running",
        Standing::Waiting => "waiting",
        Standing::Stopping => "stopping",
        Standing::Pausing => "pausing",
        Standing::Restarting => "restarting",
    }
}

fn text(reply: &Reply, zombies: Option<usize>) -> String {
    let mut out = format!("state: {}\n", name(reply.standing));
    if reply.main > 0 {
        let _ = writeln!(out, "main: {}", reply.main);
    }
    let _ = writeln!(out, "restarts: {}\nuptime: {}", reply.restarts, uptime(reply.up));
    let facts = &reply.facts;
    if let Some(readiness) = facts.readiness {
        let _ = writeln!(out, "readiness: {}", readiness_name(readiness));
    }
    if let Some(health) = facts.health {
        let _ = writeln!(out, "health: {}", health_name(health));
    }
    if !facts.said.is_empty() {
        // It is somebody else's, as below.
        let _ = writeln!(out, "status: {:?}", facts.said.as_str());
    }
    if let Some((last, at)) = facts.last {
        let how = match last {
            Last::Ended(Status::Exited(code)) => format!("code {code}"),
            Last::Ended(Status::Signaled(signal)) => signal.to_string(),
            Last::NotStarted(why) => format!("could not be started: {}", reason(why)),
        };
        let _ = writeln!(out, "last exit: {how}, on {}", written(at));
    }
    let _ = writeln!(out, "orphans reaped: {}", facts.orphans);
    if let Some(zombies) = zombies {
        let _ = writeln!(out, "zombies: {zombies}");
    }
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

fn json(reply: &Reply, zombies: Option<usize>) -> String {
    let mut out = format!("{{\"schema\":{SCHEMA}{}", json_fields(reply));
    let _ = match zombies {
        Some(zombies) => writeln!(out, ",\"zombies\":{zombies}}}"),
        None => writeln!(out, ",\"zombies\":null}}"),
    };
    out
}

/// What there is to know of a reply, with a comma before each.
pub(super) fn json_fields(reply: &Reply) -> String {
    let mut out = format!(",\"state\":\"{}\",\"main\":", name(reply.standing));
    let _ = match reply.main {
        main if main > 0 => write!(out, "{main}"),
        _ => write!(out, "null"),
    };
    let _ = write!(out, ",\"restarts\":{},\"uptime\":{}", reply.restarts, seconds(reply.up, 1000));
    let _ = match &reply.scheduled {
        None => write!(out, ",\"scheduled\":null"),
        Some((wish, when, text)) => {
            let (at, message) = (seconds(*when / 1000, 1000), quoted(text.as_str()));
            write!(out, ",\"scheduled\":{{\"what\":\"{wish}\",\"at\":{at},\"message\":{message}}}")
        }
    };
    let facts = &reply.facts;
    let word = |word: Option<&str>| word.map_or_else(|| "null".to_owned(), quoted);
    let readiness = word(facts.readiness.map(readiness_name));
    let health = word(facts.health.map(health_name));
    let said = word(Some(facts.said.as_str()).filter(|said| !said.is_empty()));
    let last = facts.last.map_or_else(
        || "null".to_owned(),
        |(last, at)| {
            let how = match last {
                Last::Ended(status) => status_json(status),
                Last::NotStarted(why) => format!("\"error\":{}", quoted(&reason(why))),
            };
            format!("{{{how},\"at\":{}}}", seconds(at / 1000, 1000))
        },
    );
    let _ = write!(out, ",\"readiness\":{readiness},\"health\":{health},\"status\":{said},\"last\":{last}");
    let _ = write!(out, ",\"orphans\":{}", facts.orphans);
    out
}

/// As a string of JSON.
pub(super) fn quoted(text: &str) -> String {
    // An escape has six letters at most.
    let mut line = Line::<2048>::new();
    let _ = JsonText(&mut line).write_str(text);
    format!("\"{}\"", line.as_str())
}

/// As a number with three decimals.
fn seconds(count: u64, per_second: u64) -> String {
    format!("{}.{:03}", count / per_second, count % per_second)
}

#[cfg(test)]
mod tests {
    use supervise_init::core::request::{
        Answer, Facts, Health, Last, Readiness, Reply, Standing, Text, Unstarted, Wish,
    };
    use supervise_init::core::{Signal, Status};

    use super::super::talk::tests::reply;
    use super::{code, json, text, uptime};

    fn scheduled(text: &str) -> Reply {
        let plan = (Wish::Reboot, 1_900_000_000_123_456, Text::new(text));
        Reply { scheduled: Some(plan), restarts: 2, ..reply(Answer::Accepted) }
    }

    fn knowing(readiness: Option<Readiness>, health: Option<Health>) -> Reply {
        let last = Some((Last::Ended(Status::Signaled(Signal::KILL)), 1_900_000_000_123_456));
        let said = Text::new("at 80 %\u{1b}[2J");
        Reply { facts: Facts { orphans: 7, readiness, health, last, said }, ..reply(Answer::Accepted) }
    }

    fn unstarted(why: Unstarted) -> Reply {
        let mut reply = knowing(None, None);
        reply.facts.last = Some((Last::NotStarted(why), 1_900_000_000_123_456));
        reply
    }

    #[test]
    fn people_see_what_there_is() {
        let shown = "state: running\nmain: 7\nrestarts: 0\nuptime: 1s\norphans reaped: 0\nzombies: 3\n";
        assert_eq!(text(&reply(Answer::Accepted), Some(3)), shown);
        let pausing = Reply { main: 0, standing: Standing::Pausing, ..reply(Answer::Accepted) };
        assert_eq!(text(&pausing, None), "state: pausing\nrestarts: 0\nuptime: 1s\norphans reaped: 0\n");
        let shown = text(&scheduled("bye\u{1b}[2J"), None);
        assert!(shown.contains("\nscheduled: reboot on ") && shown.contains(", \"bye\\u{1b}[2J\"\n"), "{shown}");
        let shown = text(&knowing(Some(Readiness::NotReady), Some(Health::Unhealthy)), Some(0));
        for line in ["readiness: not-ready", "health: unhealthy", "status: \"at 80 %\\u{1b}[2J\"", "orphans reaped: 7"]
        {
            assert!(shown.lines().any(|shown| shown == line), "no {line} in {shown}");
        }
        assert!(shown.contains("\nlast exit: SIGKILL, on "), "{shown}");
        let shown = text(&unstarted(Unstarted::Unprepared), None);
        let said = "\nlast exit: could not be started: what is to run before it has failed, on ";
        assert!(shown.contains(said), "{shown}");
    }

    #[test]
    fn programs_see_one_object() {
        for reply in [reply(Answer::Accepted), scheduled("say \"bye\"\n"), scheduled(&"\u{1}".repeat(220))] {
            let object: serde_json::Value = serde_json::from_str(&json(&reply, Some(1))).expect("it is JSON");
            assert_eq!((&object["schema"], &object["zombies"]), (&2.into(), &1.into()));
            assert_eq!((&object["state"], &object["main"]), (&"running".into(), &7.into()));
            assert_eq!(object["uptime"], 1.5);
            for field in ["readiness", "health", "status", "last"] {
                assert_eq!(object.get(field), Some(&serde_json::Value::Null), "{field}");
            }
            if let Some((_, _, text)) = reply.scheduled {
                assert_eq!(object["scheduled"]["message"], text.as_str());
                assert_eq!(object["scheduled"]["at"], 1_900_000_000.123);
            }
        }
        let known = knowing(Some(Readiness::Ready), Some(Health::Starting));
        let object: serde_json::Value = serde_json::from_str(&json(&known, None)).expect("it is JSON");
        assert_eq!((&object["readiness"], &object["health"]), (&"ready".into(), &"starting".into()));
        assert_eq!((&object["orphans"], &object["zombies"]), (&7.into(), &serde_json::Value::Null));
        assert_eq!((&object["last"]["signal"], &object["last"]["at"]), (&"SIGKILL".into(), &1_900_000_000.123.into()));
        assert_eq!(object["status"], "at 80 %\u{1b}[2J");
        let unstarted = json(&unstarted(Unstarted::Refused(2)), None);
        let object: serde_json::Value = serde_json::from_str(&unstarted).expect("it is JSON");
        assert_eq!(object["last"]["error"], "no such file or directory");
    }

    #[test]
    fn what_runs_and_is_not_known_to_be_unwell_is_healthy() {
        for (standing, healthy) in [
            (Standing::Running, 0),
            (Standing::Waiting, 0),
            (Standing::Pausing, 0),
            (Standing::Starting, 1),
            (Standing::Stopping, 1),
            (Standing::Restarting, 1),
        ] {
            assert_eq!(code(&Reply { standing, ..reply(Answer::Accepted) }), healthy);
        }
        for (readiness, health, healthy) in [
            (Some(Readiness::Ready), None, 0),
            (Some(Readiness::Reloading), Some(Health::Starting), 0),
            (Some(Readiness::NotReady), None, 1),
            (Some(Readiness::Stopping), Some(Health::Healthy), 1),
            (None, Some(Health::Healthy), 0),
            (Some(Readiness::Ready), Some(Health::Unhealthy), 1),
        ] {
            assert_eq!(code(&knowing(readiness, health)), healthy, "{readiness:?} {health:?}");
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
