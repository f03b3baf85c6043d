//! Reads /proc. Processes end while they are read, and some cannot be looked into: what is not known is left out.

use std::fmt;
use std::fs;
use std::io;
use std::thread;
use std::time::Duration;

use supervise_init::core::Scope;
use supervise_init::sys::{Errno, Pid, SigSet, this_process};

use super::process::{Process, State, WaitsFor, are_shell_words, base_name, is_shell_name, shorten};

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
    find_stuck(&mut found);
    Ok(found.into_iter().map(|details| details.process).collect())
}

/// The entries of a directory that are numbers.
fn numbers(directory: &str) -> io::Result<Vec<i32>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory)? {
        numbers.extend(entry?.file_name().to_str().and_then(number));
    }
    Ok(numbers)
}

fn number(text: &str) -> Option<i32> {
    text.parse().ok()
}

fn bits(text: &str) -> u64 {
    u64::from_str_radix(text, 16).unwrap_or(0)
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

/// What /proc/PID/stat says (proc_pid_stat(5)).
struct Stat {
    pid: i32,
    parent: i32,
    group: i32,
    has_terminal: bool,
    started: u64,
}

impl Stat {
    fn read(pid: i32) -> Option<Stat> {
        Stat::parse(pid, &read_text(pid, "stat"))
    }

    /// The name may hold anything, also `)`: the last one ends it.
    fn parse(pid: i32, line: &str) -> Option<Stat> {
        let (_, fields) = line.rsplit_once(')')?;
        let mut words = fields.split(' ').skip(2);
        let mut next = || words.next().and_then(number);
        let (parent, group, has_terminal) = (next()?, next()?, (next()?, next()?).1 != 0);
        // The 22nd field; the terminal is the 7th.
        let started = words.nth(14)?.parse().ok()?;
        Some(Stat { pid, parent, group, has_terminal, started })
    }
}

/// A thread, by its number, that sits in a system call; and what changes whenever it has run.
type Sitting = (i32, u64);

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
        let sitting = sitting(&threads);
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

/// Who still sits where it sat is stuck; a moment in the disk's queue is none.
fn find_stuck(found: &mut [Details]) {
    /// Far longer than a disk takes for one thing.
    const MOMENT: Duration = Duration::from_millis(100);
    if found.iter().all(|details| details.sitting.is_empty()) {
        return;
    }
    thread::sleep(MOMENT);
    for details in found {
        let pid = details.process.pid;
        let now = sitting(&threads(pid));
        if let Some((thread, _)) = details.sitting.iter().find(|thread| now.contains(thread)) {
            let place = read_text(pid, &format!("task/{thread}/wchan"));
            details.process.state = State::Stuck(kernel_name(&place).to_owned());
        }
    }
}

/// The threads that live.
fn threads(pid: i32) -> Vec<Status> {
    let mut threads = Vec::new();
    for thread in numbers(&format!("/proc/{pid}/task")).unwrap_or_default() {
        threads.extend(Status::parse(thread, &read_text(pid, &format!("task/{thread}/status"))));
    }
    threads
}

fn sitting(threads: &[Status]) -> Vec<Sitting> {
    threads.iter().filter(|status| status.state == b'D').map(|status| (status.thread, status.switches)).collect()
}

/// What /proc/PID/task/TID/status says (proc_pid_status(5)). What an older kernel does not say is not so.
#[derive(Default, Debug)]
struct Status {
    thread: i32,
    state: u8,
    tracer: i32,
    is_init: bool,
    is_dumping: bool,
    switches: u64,
    pending: u64,
    pending_for_all: u64,
    blocked: u64,
    ignored: u64,
    caught: u64,
}

impl Status {
    /// `None` for a thread that has ended.
    fn parse(thread: i32, text: &str) -> Option<Status> {
        let mut status = Status { thread, ..Status::default() };
        for line in text.lines() {
            let Some((name, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            match name {
                "State" => status.state = *value.as_bytes().first()?,
                "TracerPid" => status.tracer = number(value).unwrap_or(0),
                // Its numbers from our namespace down to its own.
                "NSpid" => status.is_init = value.ends_with("\t1"),
                "CoreDumping" => status.is_dumping = value == "1",
                // Decimal, but all that counts is whether it changes.
                "voluntary_ctxt_switches" | "nonvoluntary_ctxt_switches" => {
                    status.switches = status.switches.wrapping_add(bits(value));
                }
                "SigPnd" => status.pending = bits(value),
                "ShdPnd" => status.pending_for_all = bits(value),
                "SigBlk" => status.blocked = bits(value),
                "SigIgn" => status.ignored = bits(value),
                "SigCgt" => status.caught = bits(value),
                _ => {}
            }
        }
        (!matches!(status.state, 0 | b'Z' | b'X')).then_some(status)
    }
}

/// The signals that were ignored when we were started: we have changed none but SIGCHLD.
pub(super) fn ignored_at_entry() -> SigSet {
    let ourselves = this_process().number();
    let status = Status::parse(ourselves, &read_text(ourselves, "status"));
    SigSet::from_bits(status.map_or(0, |status| status.ignored))
}

/// A file in /proc/PID; nothing if it cannot be read.
fn read_text(pid: i32, name: &str) -> String {
    read_file(&format!("/proc/{pid}/{name}"))
}

/// A file; nothing if it cannot be read.
pub(super) fn read_file(path: &str) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// Known by its file, which may be many programs (busybox), or else by its words. A script's name is its own.
fn is_shell(pid: i32, comm: &str, words: &str) -> bool {
    let file = fs::read_link(format!("/proc/{pid}/exe")).ok();
    let file = file.as_ref().and_then(|file| file.to_str()).map(|file| file.trim_end_matches(" (deleted)"));
    match file.map(base_name) {
        Some(name) if is_shell_name(name) => true,
        Some(name) if !name.starts_with("busybox") => false,
        _ if words.is_empty() => is_shell_name(comm),
        _ => are_shell_words(words),
    }
}

/// Whether such a process is shown.
pub(super) fn is_shown(pid: Pid) -> bool {
    Stat::read(pid.number()).is_some()
}

/// By the kernel's name of where it sleeps, or by the number of the system call; we may be allowed to read neither.
fn waits_for(pid: i32) -> WaitsFor {
    let place = read_text(pid, "wchan");
    let call = read_text(pid, "syscall");
    let call = call.split(' ').next().and_then(number).map(i64::from);
    match (kernel_name(&place), call) {
        ("do_wait", _) | (_, Some(libc::SYS_wait4 | libc::SYS_waitid)) => WaitsFor::Child,
        ("do_sigtimedwait", _) | (_, Some(libc::SYS_rt_sigtimedwait)) => WaitsFor::Signal,
        _ => WaitsFor::Else,
    }
}

/// Without what a compiler adds (`do_sigtimedwait.isra.0`); `0` means that it is not said.
fn kernel_name(place: &str) -> &str {
    let name = place.split('.').next().unwrap_or_default();
    if name == "0" { "" } else { name }
}

/// All `sigmask:` in /proc/PID/fdinfo (proc_pid_fdinfo(5)).
fn read_by_signalfd(pid: i32) -> u64 {
    let mut all = 0;
    for file in numbers(&format!("/proc/{pid}/fdinfo")).unwrap_or_default() {
        for line in read_text(pid, &format!("fdinfo/{file}")).lines() {
            all |= line.strip_prefix("sigmask:\t").map_or(0, bits);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::{Stat, Status, kernel_name};

    #[test]
    fn a_name_may_look_like_the_fields_behind_it() {
        let stat = Stat::parse(17, "17 (a) Z 1 (b)) S 42 17 16 34816 17 4194304 0 0 0 0 0 0 0 0 20 0 1 0 1421780 0");
        let stat = stat.map(|stat| (stat.parent, stat.group, stat.has_terminal, stat.started));
        assert_eq!(stat, Some((42, 17, true, 1_421_780)));
    }

    #[test]
    fn a_line_that_is_cut_off_is_no_process() {
        for line in ["", "17", "17 (a", "17 (a)", "17 (a) S 1 2", "17 (a) S x 1 1 1"] {
            assert!(Stat::parse(17, line).is_none());
        }
    }

    #[test]
    fn a_status_of_an_old_kernel_is_read_as_well() {
        let text = "Name:\tx\nState:\tS (sleeping)\nSigPnd:\t0000000000000000\nShdPnd:\t0000000000004000\n\
                    SigBlk:\t0000000000004000\nSigIgn:\t0000000000000001\nSigCgt:\t0000000180000000\n";
        let status = Status::parse(7, text);
        assert!(status.as_ref().is_some_and(|status| !status.is_init && !status.is_dumping));
        assert!(
            status
                .is_some_and(|status| (status.blocked, status.pending_for_all, status.ignored) == (0x4000, 0x4000, 1))
        );
    }

    #[test]
    fn pid_1_of_a_namespace_is_known_by_the_last_of_its_numbers() {
        for (numbers, is_init) in
            [("1", false), ("17", false), ("17\t1", true), ("17\t1\t5", false), ("17\t5\t1", true)]
        {
            let status = Status::parse(17, &format!("State:\tS (sleeping)\nNSpid:\t{numbers}\n"));
            assert_eq!(status.map(|status| status.is_init), Some(is_init), "{numbers}");
        }
    }

    #[test]
    fn the_dead_are_left_out() {
        assert!(Status::parse(17, "State:\tZ (zombie)\n").is_none());
        assert!(Status::parse(17, "").is_none());
    }

    #[test]
    fn a_kernels_name_is_told_without_its_suffix() {
        for (place, name) in
            [("do_wait", "do_wait"), ("do_sigtimedwait.isra.0", "do_sigtimedwait"), ("0", ""), ("", "")]
        {
            assert_eq!(kernel_name(place), name);
        }
    }
}
