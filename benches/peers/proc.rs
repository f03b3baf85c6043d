//! The facts read from /proc.

use std::fs;

use nix::unistd::Pid;

use crate::error::{Doing, Error, Result};

/// What an init keeps in memory, in kB of 1024 bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    pub(crate) resident: f64,
    pub(crate) private_dirty: f64,
}

/// The sums over all of a process's mappings.
pub(crate) fn memory(pid: Pid) -> Result<Memory> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).doing("read", &path)?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).and_then(|rest| rest.strip_suffix(" kB"));
        line.and_then(|number| number.trim().parse().ok()).ok_or_else(|| Error::Unread { path: path.clone() })
    };
    Ok(Memory { resident: field("Rss:")?, private_dirty: field("Private_Dirty:")? })
}

/// CPU time used so far, in nanoseconds: the scheduler's own sum, not the ticks of `stat`.
pub(crate) fn cpu_time(pid: Pid) -> Result<f64> {
    let path = format!("/proc/{pid}/schedstat");
    let text = fs::read_to_string(&path).doing("read", &path)?;
    text.split(' ').next().and_then(|first| first.parse().ok()).ok_or(Error::Unread { path })
}

/// Whether the process sleeps, and how often it has gone to sleep.
pub(crate) fn sleep_of(pid: Pid) -> Result<(bool, u64)> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).doing("read", &path)?;
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let slept = field("voluntary_ctxt_switches:").and_then(|number| number.parse().ok());
    match (field("State:"), slept) {
        (Some(state), Some(slept)) => Ok((state.starts_with('S'), slept)),
        _ => Err(Error::Unread { path }),
    }
}

/// The page faults of the process so far that no file had to be read for.
pub(crate) fn minor_faults(pid: Pid) -> Result<f64> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).doing("read", &path)?;
    field_after_name(&text, 7).and_then(|count| count.parse().ok()).ok_or(Error::Unread { path })
}

/// How many processes have `parent` as their parent, dead or alive.
pub(crate) fn children(parent: Pid) -> Result<usize> {
    Ok(children_of(parent)?.count())
}

/// The only child that a process has.
pub(crate) fn child(parent: Pid) -> Result<Pid> {
    let unread = || Error::Unread { path: format!("the children of {parent} in /proc") };
    let mut children = children_of(parent)?;
    children.next().filter(|_| children.next().is_none()).ok_or_else(unread)
}

/// A scan, because not every kernel has `children`.
fn children_of(parent: Pid) -> Result<impl Iterator<Item = Pid>> {
    let parent = parent.to_string();
    // A process that ends while we look is no child any more.
    let is_it = move |pid: &Pid| {
        fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| field_after_name(&stat, 1) == Some(parent.as_str()))
    };
    Ok(all()?.filter(is_it))
}

/// All processes that we see.
pub(crate) fn all() -> Result<impl Iterator<Item = Pid>> {
    let entries = fs::read_dir("/proc").doing("read", "/proc")?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok().map(Pid::from_raw)))
}

/// A field of `/proc/PID/stat`, 0 being the state. It is counted from the name, which stands in parentheses and may hold
/// anything.
fn field_after_name(stat: &str, nth: usize) -> Option<&str> {
    stat.rsplit_once(") ")?.1.split(' ').nth(nth)
}
