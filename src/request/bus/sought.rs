//! What a call seeks: the few methods of systemd and of logind that its clients need to end all. Pure.

use supervise_init::core::request::{Haste, Request, Wish};

use super::super::systemctl;
use super::wire::{Call, Values};

/// What is sought.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Sought {
    /// This answer, whoever asks.
    Answer(Values),
    /// An end.
    End(Request),
    /// A unit that is an end, and its name: a job of systemd's.
    EndByUnit(Wish, String),
    /// What is done to an init, and is nothing to ours.
    Upkeep,
    /// A unit that a container has not, and need not have.
    NoMode(String),
    /// An end at a time, in microseconds since 1970; `None`: soon.
    Schedule(Wish, Option<u64>),
    /// The warning of that only.
    Warn(Wish, Option<u64>),
    Cancel,
    /// What is scheduled.
    Scheduled,
    /// How things stand.
    State,
    /// What people are to be told of what is sought next, and whether.
    Wall(String, bool),
    /// The code of an end that is sought next.
    Code(u8),
    /// What is not to be had.
    Refused(Refusal),
}

/// Why it is not to be had, in the bus's words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Refusal {
    pub(super) name: &'static str,
    pub(super) text: String,
}

const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const LOGIN: &str = "org.freedesktop.login1.Manager";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const BUS: &str = "org.freedesktop.DBus";
const PEER: &str = "org.freedesktop.DBus.Peer";

/// An exit, whose code was said before: see [`Sought::Code`].
const EXIT: Wish = Wish::Exit(0);

/// Targets that a container is never in.
const MODES: [&str; 5] = ["rescue", "emergency", "multi-user", "graphical", "default"];

/// The name that a client has on the bus. All are the same: none is ever sent anything by another.
pub(super) const NAME: &str = ":1.7";

/// What ends all, by the words of systemd's units and of logind's types.
fn end_of(name: &str) -> Option<Wish> {
    if name == "exit" { Some(EXIT) } else { systemctl::end_of(name) }
}

impl Refusal {
    /// As logind answers who is not root where nobody can be asked for a password.
    pub(super) fn denied() -> Refusal {
        Refusal { name: "org.freedesktop.DBus.Error.AccessDenied", text: "Access denied".to_owned() }
    }
}

impl Sought {
    /// What the call seeks.
    pub(super) fn of(call: &Call) -> Sought {
        let Call { interface, member, body, .. } = call;
        let found = match (interface.as_str(), member.as_str()) {
            (MANAGER, "StartUnit") => body.read("ss").and_then(|mut body| Some(start(&body.string()?))),
            (MANAGER, "PowerOff") => at_once(Wish::Poweroff),
            (MANAGER, "Halt") => at_once(Wish::Halt),
            (MANAGER, "Reboot") => body.read("").or(body.read("s")).and_then(|_| at_once(Wish::Reboot)),
            (MANAGER, "KExec") => at_once(Wish::Reboot),
            (MANAGER, "SoftReboot") => body.read("s").and_then(|_| at_once(Wish::Reboot)),
            (MANAGER, "Exit") => at_once(EXIT),
            (MANAGER, "SetExitCode") => body.read("y").and_then(|mut body| body.byte()).map(Sought::Code),
            (MANAGER, "Reload" | "Reexecute") => Some(Sought::Upkeep),
            (MANAGER, "Subscribe" | "Unsubscribe") => empty(),
            (LOGIN, "PowerOff" | "PowerOffWithFlags") => end(Wish::Poweroff),
            (LOGIN, "Halt" | "HaltWithFlags") => end(Wish::Halt),
            (LOGIN, "Reboot" | "RebootWithFlags") => end(Wish::Reboot),
            (LOGIN, "SetWallMessage") => {
                body.read("sb").and_then(|mut body| Some(Sought::Wall(body.string()?, body.flag()?)))
            }
            (LOGIN, "ListInhibitors") => Some(Sought::Answer(Values::default().nothing_of("(ssssuu)"))),
            (LOGIN, "ScheduleShutdown") => {
                body.read("st").and_then(|mut body| Some(schedule(&body.string()?, body.u64()?)))
            }
            (LOGIN, "CancelScheduledShutdown") => Some(Sought::Cancel),
            (PROPERTIES, "Get") => {
                body.read("ss").and_then(|mut body| Some(property(&body.string()?, &body.string()?)))
            }
            (BUS, "Hello") => Some(Sought::Answer(Values::default().string(NAME))),
            (BUS, "AddMatch" | "RemoveMatch") | (PEER, "Ping") => empty(),
            _ => {
                let text = format!("supervise is no systemd, and does not know {interface}.{member}");
                Some(refused("org.freedesktop.DBus.Error.UnknownMethod", text))
            }
        };
        found.unwrap_or_else(|| {
            let text = format!("the arguments of {interface}.{member} are not what it takes");
            refused("org.freedesktop.DBus.Error.InvalidArgs", text)
        })
    }
}

fn refused(name: &'static str, text: String) -> Sought {
    Sought::Refused(Refusal { name, text })
}

fn empty() -> Option<Sought> {
    Some(Sought::Answer(Values::default()))
}

fn end(wish: Wish) -> Option<Sought> {
    Some(Sought::End(Request::orderly(wish)))
}

fn at_once(wish: Wish) -> Option<Sought> {
    Some(Sought::End(Request { wish, haste: Haste::Immediate }))
}

fn start(unit: &str) -> Sought {
    let target = unit.strip_suffix(".target").unwrap_or_default();
    match end_of(target) {
        Some(wish) => Sought::EndByUnit(wish, unit.to_owned()),
        None if MODES.contains(&target) => Sought::NoMode(unit.to_owned()),
        None => {
            let text = format!("supervise is no systemd, and has no unit {unit}");
            refused("org.freedesktop.systemd1.NoSuchUnit", text)
        }
    }
}

fn schedule(kind: &str, when: u64) -> Sought {
    let when = (when != u64::MAX).then_some(when);
    let (name, dry) = kind.strip_prefix("dry-").map_or((kind, false), |name| (name, true));
    match end_of(name) {
        Some(wish) if dry => Sought::Warn(wish, when),
        Some(wish) => Sought::Schedule(wish, when),
        None => refused("org.freedesktop.DBus.Error.InvalidArgs", format!("Unsupported shutdown type: {kind}")),
    }
}

fn property(interface: &str, name: &str) -> Sought {
    match (interface, name) {
        (MANAGER, "SystemState") => Sought::State,
        (LOGIN, "ScheduledShutdown") => Sought::Scheduled,
        _ => {
            let text = format!("supervise is no systemd, and does not know {interface}.{name}");
            refused("org.freedesktop.DBus.Error.UnknownProperty", text)
        }
    }
}
