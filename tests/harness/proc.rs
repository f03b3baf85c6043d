//! What `/proc` says of processes. A process may be gone at any time, which is an answer too.

use std::fs;
use std::path::PathBuf;

/// Every process that this mount of `/proc` shows.
pub(crate) fn pids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").expect("/proc is mounted");
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// Whether the process was started with this `NAME=VALUE`. A zombie has no environment any more.
pub(crate) fn has_variable(pid: i32, variable: &str) -> bool {
    fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|environ| environ.split(|byte| *byte == 0).any(|entry| entry == variable.as_bytes()))
}

/// The children of a process with one thread, dead ones too.
pub(crate) fn children(pid: i32) -> Vec<i32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// A line of `/proc/PID/status`, without its name.
pub(crate) fn status(pid: i32, name: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.trim().to_owned())
}

/// `S` for asleep, `T` for stopped, `Z` for dead and not reaped; `None` for gone.
pub(crate) fn state(pid: i32) -> Option<char> {
    status(pid, "State")?.chars().next()
}

/// The foreground group of its terminal, as a line of `/proc/PID/status` would show it.
pub(crate) fn foreground(pid: i32) -> Option<String> {
    // State, ppid, pgrp, session, tty_nr, tpgid.
    behind_name(pid)?.split_whitespace().nth(5).map(str::to_owned)
}

/// How long it has run, in ticks: in its own code, and in the kernel.
pub(crate) fn processor_time(pid: i32) -> Option<String> {
    let stat = behind_name(pid)?;
    let times: Vec<&str> = stat.split_whitespace().skip(11).take(2).collect();
    Some(times.join(" "))
}

/// Whether it is on its way out, dead, or gone already.
pub(crate) fn is_exiting(pid: i32) -> bool {
    /// linux/sched.h.
    const PF_EXITING: u64 = 4;
    // State, ppid, pgrp, session, tty_nr, tpgid, flags.
    let flags = || behind_name(pid)?.split_whitespace().nth(6)?.parse::<u64>().ok();
    flags().is_none_or(|flags| flags & PF_EXITING != 0)
}

/// What `/proc/PID/stat` has behind the name, which may have anything in it (proc(5)).
fn behind_name(pid: i32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')').map(|(_, rest)| rest.to_owned())
}

/// The name of the program it runs, cut to 15 bytes by the kernel.
pub(crate) fn name(pid: i32) -> Option<String> {
    status(pid, "Name")
}

/// The descriptors it has and what they lead to.
pub(crate) fn descriptors(pid: i32) -> Vec<(i32, PathBuf)> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten();
    let mut found: Vec<(i32, PathBuf)> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.file_name().to_str()?.parse().ok()?, fs::read_link(entry.path()).ok()?))
        })
        .collect();
    found.sort();
    found
}

/// The pid that a process has in its own namespace.
pub(crate) fn inner_pid(pid: i32) -> Option<i32> {
    status(pid, "NSpid")?.split_whitespace().last()?.parse().ok()
}

/// One line for a message.
pub(crate) fn describe(pid: i32) -> String {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = String::from_utf8_lossy(&words).replace('\0', " ");
    format!("pid {pid} ({}) {words}", state(pid).unwrap_or('-'))
}
