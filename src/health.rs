//! Health checks, as they are done in a process of their own.

use std::ffi::CStr;
use std::time::Duration;

use log::{debug, warn};
use supervise_init::core::{self, Probe};
use supervise_init::driver::Care;
use supervise_init::sys::{Environment, SigSet, Static, change_directory};

use crate::cli::Options;
use crate::cli::exit;
use crate::sys::end_by_panic;
use crate::wait_for::{Group, Manner, Target, try_once};

/// How a check is done.
struct Check {
    target: Target,
    timeout: Duration,
    retries: u32,
    blocked: SigSet,
    home: Option<&'static CStr>,
    environment: &'static [&'static CStr],
}

/// What those who look have of us: they run as we were started, with the variables of the command.
#[derive(Clone, Copy)]
pub(crate) struct Around {
    pub(crate) environment: Environment,
    /// The signals that we were given blocked.
    pub(crate) blocked: SigSet,
    /// Where we were started, if we have left that.
    pub(crate) home: Option<&'static CStr>,
}

/// On the stack it would stay in memory where there is nothing to look after.
static CARE: Static<Care<'static>> = Static::new();

/// What looks after the command, if anything is to. Not in our caller's frame, which stays in memory.
#[inline(never)]
pub(crate) fn care(options: &Options, around: Around) -> Option<&'static mut Care<'static>> {
    let health = options.health.as_deref()?;
    let entries: Vec<_> = around.environment.entries().collect();
    let check = Check {
        target: health.target?,
        timeout: health.checks.timeout,
        retries: health.checks.retries,
        blocked: around.blocked,
        home: around.home,
        environment: entries.leak(),
    };
    let look = Box::leak(Box::new(move |probe| check.look(probe)));
    CARE.put(Care::new(core::Care::new(Some(health.checks)), look))
}

impl Check {
    /// One look. The code of the process: 0 if all is well.
    fn look(&self, probe: Probe) -> u8 {
        end_by_panic();
        if let Some(home) = self.home {
            // Who started us may have removed it.
            let _ = change_directory(home);
        }
        let manner = Manner { group: Group::Shared, blocked: self.blocked, environment: Some(self.environment) };
        let Err(why) = try_once(&self.target, self.timeout, manner) else { return exit::SUCCESS };
        let (target, retries) = (self.target, self.retries);
        let Probe::Health { nth } = probe;
        match nth {
            Some(nth) => {
                warn!(event = "check", failure = nth; "the health check {target} has failed ({nth} of {retries}): {why}");
            }
            None => debug!(event = "check"; "the health check {target} has failed, which does not count: {why}"),
        }
        exit::FAILURE
    }
}
