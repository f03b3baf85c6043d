//! What process 1 can be asked for, and what signals, records of `/run/initctl` and messages of the control socket ask.

mod control;
mod desk;
mod initctl;
mod limiter;
mod news;
mod schedule;
mod signals;

use core::fmt;

pub use self::control::{Answer, Client, Facts, Message, Reply, Standing, Text, Verb};
pub use self::desk::{Desk, Guest, Said};
pub use self::initctl::{Found, Initctl};
pub use self::limiter::{LeftOut, Limiter, Subject};
pub use self::news::{Asked, By, Dispatch, Health, Last, Motive, News, Origin, Readiness, Stage, Unstarted};
pub use self::schedule::{Notice, Plan, Schedule, Steps};
pub use self::signals::{Manager, Program};

/// How all is to end.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Wish {
    /// Stop. In a container that is the same as the next.
    Halt,
    /// Stop, and be off.
    Poweroff,
    /// Stop, and begin again.
    Reboot,
    /// Stop, and end with this code, whatever that of the command is.
    Exit(u8),
    /// Stop the command with what it has started, and start it again.
    Restart,
    /// Stop, and end as the command has ended: what SIGTERM asks for.
    Stop,
}

impl Wish {
    /// Whether nothing comes to its end by it for good.
    pub(in crate::core) const fn is_a_beginning(self) -> bool {
        matches!(self, Wish::Reboot | Wish::Restart)
    }
}

/// How fast.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Haste {
    /// By a stop, in which all have their time.
    Orderly,
    /// Everything is killed.
    Immediate,
}

/// A request to end.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Request {
    /// How all is to end.
    pub wish: Wish,
    /// How fast.
    pub haste: Haste,
}

impl Request {
    /// The request without haste.
    pub const fn orderly(wish: Wish) -> Request {
        Request { wish, haste: Haste::Orderly }
    }

    /// The request in haste.
    pub const fn immediate(wish: Wish) -> Request {
        Request { wish, haste: Haste::Immediate }
    }
}

/// What somebody asks of process 1.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Ask {
    /// To end.
    End(Request),
    /// To read its configuration again: there is none.
    Reload,
    /// To execute itself again, which means nothing to us.
    Reexecute,
    /// To open `/run/initctl` again.
    Reopen,
    /// To go to a runlevel that a container does not have.
    Runlevel(u8),
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wish::Halt => f.write_str("halt"),
            Wish::Poweroff => f.write_str("poweroff"),
            Wish::Reboot => f.write_str("reboot"),
            Wish::Exit(code) => write!(f, "poweroff with code {code}"),
            Wish::Restart => f.write_str("restart"),
            Wish::Stop => f.write_str("stop"),
        }
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ask::End(Request { wish, haste: Haste::Orderly }) => wish.fmt(f),
            Ask::End(Request { wish, haste: Haste::Immediate }) => write!(f, "immediate {wish}"),
            Ask::Reload => f.write_str("reload"),
            Ask::Reexecute => f.write_str("re-execution"),
            Ask::Reopen => f.write_str("opening /run/initctl again"),
            Ask::Runlevel(level) => write!(f, "runlevel {}", char::from(*level)),
        }
    }
}

/// The way by which a request comes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Way {
    /// A signal of this number.
    Signal(u8),
    /// `/run/initctl`, which does not tell who writes.
    Initctl,
    /// The control socket.
    Control,
    /// The sockets of systemd and of its bus, where a process of ours speaks for clients.
    Bus,
    /// A shutdown that was scheduled earlier.
    Schedule,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Way::Signal(number) => match super::Signal::new(i32::from(*number)) {
                Some(signal) => signal.fmt(f),
                None => f.write_str("a signal"),
            },
            Way::Initctl => f.write_str("/run/initctl"),
            Way::Control => f.write_str("the control socket"),
            Way::Bus => f.write_str("the systemd bus"),
            Way::Schedule => f.write_str("the schedule"),
        }
    }
}
