//! Reads /proc. Processes end while they are read, and some cannot be looked into: what is not known is left out.

use std::fmt;
use std::fs;
use std::io;
use std::thread;
use std::time::Duration;

use supervise_init::core::Scope;
use supervise_init::sys::{Errno, Pid, SigSet, this_process};

use super::process::{Process, State, shorten};
use crate::proc::{
    Sitting, Stat, Status, is_shell, kernel_name, number, numbers, read_by_signalfd, read_text, stuck, threads,
    waits_for,
};

/// Why processes cannot be looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ReadError {
    NoProc(Errno),
    OtherNamespace,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::NoProc(errno) => write!(f, "cannot read /proc: {errno}"),
            ReadError::OtherNamespace => f.write_str("/proc is that of another PID namespace"),
        }
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> ReadError {
        ReadError::NoProc(Errno(error.raw_os_error().unwrap_or(libc::EIO)))
    }
}

/// Whose processes are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whose<'a> {
    pub(super) scope: Scope,
    pub(super) ourselves: Pid,
    /// Children that were there before us.
    pub(super) inherited: &'a [Option<Pid>],
    /// How long ago they were told.
    pub(super) waited: Duration,
    /// How long until the next step of the stop.
    pub(super) next: Option<Duration>,
}

/// When the signal was sent, as /proc/PID/stat counts (hundredths of a second since the start of the machine), or the
/// end of time where that is not known.
fn told_at(waited: Duration) -> u64 {
    let uptime = read_text(std::process::id().cast_signed(), "../uptime");
    let seconds = uptime.split([' ', '.']).take(2).map(|part| part.parse::<u64>().ok());
    match seconds.collect::<Option<Vec<_>>>().as_deref() {
        Some([seconds, hundredths]) => {
            let now = seconds.saturating_mul(100).saturating_add(*hundredths);
            now.saturating_sub(u64::try_from(waited.as_millis() / 10).unwrap_or(0))
        }
        _ => u64::MAX,
    }
}

/// The living processes of the scope, without us and without helpers such as we may be one.
pub(super) fn processes(whose: &Whose<'_>) -> Result<Vec<Process>, ReadError> {
    let helper = this_process().number();
    if fs::read_link("/proc/self")?.to_str().and_then(number) != Some(helper) {
        return Err(ReadError::OtherNamespace);
    }
    let ourselves = whose.ourselves.number();
    let our_words = read_text(ourselves, "cmdline");
    let mut stats = Vec::new();
    for pid in numbers("/proc")? {
        stats.extend(Stat::read(pid));
    }
    let mut found = Vec::new();
    let told_at = told_at(whose.waited);
    for stat in &stats {
        // Another helper of ours may be stuck in what it reads.
        let is_helper = || stat.parent == ourselves && read_text(stat.pid, "cmdline") == our_words;
        if stat.pid != ourselves && stat.pid != helper && is_in_scope(stat, &stats, whose) && !is_helper() {
            found.extend(Details::read(stat, told_at));
        }
    }
    find_stuck(&mut found, whose.next);
    Ok(found.into_iter().map(|details| details.process).collect())
}

/// Whether the chain of parents leads to us, by a child that was not there before us.
fn is_in_scope(stat: &Stat, all: &[Stat], whose: &Whose<'_>) -> bool {
    if whose.scope == Scope::Namespace {
        return true;
    }
    let mut stat = stat;
    // No chain is longer than there are processes; one that was read while numbers were used again could be endless.
    for _ in 0..all.len() {
        if stat.parent == whose.ourselves.number() {
            return !whose.inherited.contains(&Pid::new(stat.pid));
        }
        match all.iter().find(|other| other.pid == stat.parent) {
            Some(parent) => stat = parent,
            None => return false,
        }
    }
    false
}

/// A process, and what may show that it is stuck.
struct Details {
    process: Process,
    sitting: Vec<Sitting>,
}

impl Details {
    fn read(stat: &Stat, told_at: u64) -> Option<Details> {
        let pid = stat.pid;
        let threads = threads(pid);
        // The main thread, or another one if it has ended alone.
        let status = threads.iter().find(|status| status.thread == pid).or(threads.first())?;
        let (mut pending, mut blocked) = (status.pending_for_all, u64::MAX);
        for thread in &threads {
            pending |= thread.pending;
            blocked &= thread.blocked;
        }
        let sitting = Sitting::among(pid, &threads);
        let comm = read_text(pid, "comm").trim_end().to_owned();
        // Reading the words of a process that is stuck in a page fault could wait for the same thing.
        let words = if sitting.is_empty() { read_text(pid, "cmdline") } else { String::new() };
        let process = Process {
            pid,
            parent: stat.parent,
            group: stat.group,
            state: match status.state {
                b'T' => State::Stopped,
                b't' => State::Traced(status.tracer),
                _ => State::Able,
            },
            has_terminal: stat.has_terminal,
            is_init: status.is_init,
            is_shell: is_shell(pid, &comm, &words),
            is_dumping: status.is_dumping,
            // Both clocks are cut to hundredths.
            is_newer: stat.started > told_at.saturating_add(2),
            words: if words.is_empty() { comm.clone() } else { shorten(&words) },
            comm,
            ignored: SigSet::from_bits(status.ignored),
            caught: SigSet::from_bits(status.caught),
            blocked: SigSet::from_bits(blocked),
            pending: SigSet::from_bits(pending),
            by_signalfd: SigSet::from_bits(if pending & blocked == 0 { 0 } else { read_by_signalfd(pid) }),
            waits_for: waits_for(pid),
        };
        Some(Details { process, sitting })
    }
}

fn find_stuck(found: &mut [Details], next: Option<Duration>) {
    let sitting = found.iter().flat_map(|details| details.sitting.iter().copied());
    let stuck = stuck(sitting.collect(), moments(next), thread::sleep);
    for Details { process, .. } in found {
        // The main thread's place before others'.
        if let Some(Sitting { thread, .. }) = stuck.iter().find(|sitting| sitting.pid == process.pid) {
            let place = read_text(process.pid, &format!("task/{thread}/wchan"));
            process.state = State::Stuck(kernel_name(&place).to_owned());
        }
    }
}

/// How many tenths of a second may go by: at most half of what is left until the next signal, which may end them, and
/// shorter than process 1 waits for our last words.
fn moments(next: Option<Duration>) -> u32 {
    let half = next.map_or(u128::MAX, |next| next.as_millis() / 200);
    u32::try_from(half).unwrap_or(u32::MAX).clamp(1, 3)
}

/// The signals that were ignored when we were started: we have changed none but SIGCHLD.
pub(super) fn ignored_at_entry() -> SigSet {
    let ourselves = this_process().number();
    let status = Status::parse(ourselves, &read_text(ourselves, "status"));
    SigSet::from_bits(status.map_or(0, |status| status.ignored))
}

/// Whether such a process is shown.
pub(super) fn is_shown(pid: Pid) -> bool {
    Stat::read(pid.number()).is_some()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    #[test]
    fn who_is_ended_soon_is_looked_at_before() {
        for (left, moments) in [(0, 1), (250, 1), (399, 1), (400, 2), (600, 3), (100_000, 3)] {
            assert_eq!(super::moments(Some(Duration::from_millis(left))), moments, "{left}");
        }
        assert_eq!(super::moments(None), 3);
    }
}
