//! `supervise wait-for`: waits until other services are ready.
//!
//! `target` says what can be waited for, `probe` tries one once, in a process of its own that may block and can be
//! killed, because name servers, file systems and programs take the time they want. Here is the loop around it.

mod target;

use std::time::Duration;

pub(crate) use self::target::{NotATarget, Target};

/// What to wait for, and how.
#[derive(Debug)]
pub(crate) struct WaitFor {
    pub(crate) targets: Vec<Target>,
    /// For all of them together; zero: for ever.
    pub(crate) timeout: Duration,
    /// Between a try that failed and the next one.
    pub(crate) interval: Duration,
}

impl Default for WaitFor {
    fn default() -> WaitFor {
        WaitFor { targets: Vec::new(), timeout: Duration::from_secs(60), interval: Duration::from_millis(500) }
    }
}
