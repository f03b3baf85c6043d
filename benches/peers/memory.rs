//! Memory at the first sleep: what the init keeps while its payload runs and nothing happens, as PID 1.

use std::fs::File;
use std::path::Path;

use nix::unistd::Pid;

use crate::error::{Doing, Result};
use crate::inits::Init;
use crate::payload::Kind;
use crate::proc::{Memory, memory, sleep_of};
use crate::run::{Place, Talking, poll_until};

/// Looks, some 3 ms apart, in which the init must not have woken up: a short wait on the way is not the first sleep.
const LOOKS: u32 = 15;

/// What `init` holds once it sleeps for good.
pub(crate) fn at_first_sleep(init: &Init) -> Result<Memory> {
    write_back(&init.path)?;
    let talking = Talking::ready(Some(init), Place::First, Kind::Sleep)?;
    once_asleep(talking.running.pid, init.name)
}

/// The pages of a file that was just built count as dirty in each process that maps them, until they are on disk.
pub(crate) fn write_back(path: &Path) -> Result<()> {
    File::open(path).and_then(|file| file.sync_all()).doing("write back", path.display())
}

/// What a process holds once it sleeps for good.
pub(crate) fn once_asleep(pid: Pid, name: &str) -> Result<Memory> {
    let mut last = 0;
    let mut same = 0;
    poll_until("sleep", name, || {
        let (asleep, slept) = sleep_of(pid)?;
        same = if asleep && slept == last { same + 1 } else { 0 };
        last = slept;
        Ok(same >= LOOKS)
    })?;
    memory(pid)
}
