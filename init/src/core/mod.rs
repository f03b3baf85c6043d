//! The decisions of process 1, pure: an event and the time go in, actions come out.
//!
//! A machine is one `match (state, event)`. What it needs of the world reaches it as events, what it wants done
//! leaves it as actions, and [`crate::driver`] stands between it and the kernel.

mod care;
#[cfg(test)]
mod dice;
mod exit;
mod forwarding;
mod health;
mod ladder;
mod list;
mod machine;
pub mod notify;
mod pace;
mod policy;
mod readiness;
mod record;
pub mod request;
mod restart;
mod resting;
mod signal;
mod single;
#[cfg(test)]
mod single_tests;
mod term;

pub use care::{Care, DEATH, Finding, Order, Probe, Sight};
pub use exit::{ExitMap, Outcome, Status};
pub use forwarding::{Forwarding, Rule};
pub use health::{Checks, Health};
pub use ladder::{KillMode, Ladder, Leftovers, StopSignal, StopSignals};
pub use list::{Actions, List, Orders};
pub use machine::{
    Action, Child, Event, Failure, Fate, Fault, Heard, Left, Machine, Note, Pause, Received, Rung, Sender, Slow,
    StartError, Step, Terminal, Then, Time,
};
pub use pace::Pace;
pub use policy::{Group, Hurry, JobControl, OnReboot, OnSignalDeath, Policy, Scope};
pub use readiness::{Heard as HeardOfMain, Phase, Readiness, Terms};
pub use record::{Cause, End, Name, Process, Record};
pub use restart::{Death, Life, Limit, Next, Restarting, Restarts, Successes, When};
pub use resting::Resting;
pub use signal::Signal;
pub use single::{Course, Single};
pub use term::SLACK;
