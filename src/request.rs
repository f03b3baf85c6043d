//! The clients of shutdown requests: what `poweroff`, `shutdown` and their like are when they are called, as a link to us
//! or behind `supervise`; and `supervise ctl`. They are processes of their own, which may allocate and block.
//!
//! ```text
//! words --(halt, shutdown, telinit, systemctl)--> Wanted --(act)--> ways: talk, initctl, a signal, reboot(2)
//! ```
//! 1. Words become a [`Wanted`] without a look at the world, and what is not understood asks for nothing.
//! 2. What is asked for goes by the first way that is there, and by one only. A time never goes by a way that would
//!    lose it.
//! 3. Who may not ask is told so in one line, and sends nothing.

mod act;
mod bus;
mod ctl;
mod events;
mod halt;
mod process_1;
mod shutdown;
mod status;
mod sys;
mod systemctl;
mod talk;
mod telinit;
mod time;
mod ways;
mod words;

pub(crate) use self::act::SYSTEMCTL_OF_IMAGE;
pub(crate) use self::bus::{speak, warn_of_root};
pub(crate) use self::time::written;

use std::ffi::CStr;

use supervise_init::core::request::Wish;
use supervise_init::sys::{Environment, Output, Pid, SigSet, Words, set_mask};

pub(crate) use self::ctl::{Ctl, Patience};
pub(crate) use self::events::Form;
pub(crate) use self::status::Format;

use self::time::When;
use crate::cli::{exit, help};

/// What `supervise shims --divert` has dpkg call what a package has where we are: the name and this behind it.
pub(crate) const DIVERTED: &str = ".supervise-orig";
/// The same of a second name for the same file, in a merged /usr.
pub(crate) const DIVERTED_TOO: &str = ".supervise-orig-too";

/// A client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Client {
    Poweroff,
    Halt,
    Reboot,
    Shutdown,
    Telinit,
    Init,
    Runlevel,
    Systemctl,
}

/// Their names.
const NAMES: [(&str, Client); 8] = [
    ("poweroff", Client::Poweroff),
    ("halt", Client::Halt),
    ("reboot", Client::Reboot),
    ("shutdown", Client::Shutdown),
    ("telinit", Client::Telinit),
    ("init", Client::Init),
    ("runlevel", Client::Runlevel),
    ("systemctl", Client::Systemctl),
];

/// The names of all.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(name, _)| *name)
}

/// The client of that name.
pub(crate) fn named(name: &[u8]) -> Option<Client> {
    NAMES.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, client)| *client)
}

impl Client {
    /// What its messages begin with.
    pub(crate) fn name(self) -> &'static str {
        NAMES.iter().find(|(_, client)| *client == self).map_or("supervise", |(name, _)| *name)
    }
}

/// How a client is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Called {
    /// By its name.
    Alone,
    /// Behind `supervise`.
    AsSubcommand,
}

impl Called {
    /// Where its own words begin.
    fn first(self) -> usize {
        match self {
            Called::Alone => 1,
            Called::AsSubcommand => 2,
        }
    }
}

/// How hard the end is to come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Force {
    /// With the time that everything needs.
    None,
    /// By process 1, which kills all.
    Once,
    /// By reboot(2).
    Twice,
}

impl Force {
    fn more(self) -> Force {
        match self {
            Force::None => Force::Once,
            Force::Once | Force::Twice => Force::Twice,
        }
    }
}

/// An end to come now.
#[derive(Clone, PartialEq, Eq, Debug)]
struct End {
    wish: Wish,
    force: Force,
    /// Whether sync(2) is called before reboot(2).
    sync: bool,
    notice: Notice,
}

/// What people are told.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Notice {
    /// Whether they are.
    wall: bool,
    text: String,
}

impl Default for Notice {
    fn default() -> Notice {
        Notice { wall: true, text: String::new() }
    }
}

/// What a client's words ask for.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Deed {
    Help,
    Version,
    /// Nothing, which is done.
    Nothing,
    End(End),
    Schedule(Wish, When, Notice),
    /// A warning of what does not come.
    Warn(Wish, When, Notice),
    Cancel(Notice),
    /// What is scheduled.
    Show,
    /// A runlevel that a container does not have.
    Runlevel(u8),
    /// What is done to an init, and is nothing to ours.
    Upkeep,
    /// Which runlevel it is.
    UnknownRunlevel,
    /// How things stand, in a word.
    State,
    /// What a real systemctl is needed for.
    PassOn,
}

/// All that a client's words say.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Wanted {
    deed: Deed,
    /// What is to be said of the words themselves.
    notes: Vec<String>,
    verbosity: Verbosity,
}

/// Whether what is found or done is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verbosity {
    Usual,
    Quiet,
}

impl From<Deed> for Wanted {
    fn from(deed: Deed) -> Wanted {
        Wanted { deed, notes: Vec::new(), verbosity: Verbosity::Usual }
    }
}

/// What is wrong with the words.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Refusal(String);

/// A client at work.
struct Job<'a> {
    client: Client,
    called: Called,
    words: &'a Words,
    environment: Environment,
    ourselves: Pid,
}

/// Does what the words ask for, and returns the code to end with. `blocked` are the signals that were so before we were.
#[inline(never)]
pub(crate) fn run(
    client: Client,
    called: Called,
    words: &Words,
    environment: Environment,
    ourselves: Pid,
    blocked: SigSet,
) -> u8 {
    // An ordinary program: Ctrl-C ends it, and what it becomes blocks what we were given. It did not fail before.
    let _ = set_mask(blocked);
    let job = Job { client, called, words, environment, ourselves };
    match read(client, called, words) {
        Ok(Wanted { deed: Deed::Help, .. }) => help::print_client(client, called),
        Ok(wanted) => job.act(&wanted),
        Err(Refusal(why)) => {
            say(client, &why);
            exit::NOT_DONE
        }
    }
}

fn read(client: Client, called: Called, words: &Words) -> Result<Wanted, Refusal> {
    match client {
        Client::Poweroff => halt::read(Wish::Poweroff, called, words),
        Client::Halt => halt::read(Wish::Halt, called, words),
        Client::Reboot => halt::read(Wish::Reboot, called, words),
        Client::Shutdown => shutdown::read(called, words),
        Client::Telinit | Client::Init => telinit::read(called, words),
        Client::Runlevel => telinit::read_runlevel(called, words),
        Client::Systemctl => systemctl::read(called, words),
    }
}

/// A line of its own on stderr; what cannot be written is lost.
fn say(client: Client, line: &str) {
    tell(&format!("{}: {line}", client.name()));
}

/// A line that is not ours alone: systemd's.
fn tell(line: &str) {
    let _ = help::write(Output::Stderr, format!("{line}\n").as_bytes());
}

/// Words as one text.
fn joined(words: &[&CStr]) -> String {
    words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
