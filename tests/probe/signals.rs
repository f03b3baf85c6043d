//! Signals by name and by number, sets of them, and the verbs that change, send and await them.

use crate::sys::{self, Word};
use crate::{fail, must, number, text};

const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
    "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",
    "PWR", "SYS",
];

/// The first real-time signal, counted as docker and systemd count.
const RTMIN: i32 = 34;

/// One signal of a set.
pub(crate) fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

fn parse(word: &str) -> i32 {
    let by_name = || Some(NAMES.iter().position(|name| *name == word)? as i32 + 1);
    let real_time = || Some(RTMIN + word.strip_prefix("RTMIN+")?.parse::<i32>().ok()?);
    let found = word.parse().ok().or_else(by_name).or_else(real_time);
    found.filter(|signal| (1..=64).contains(signal)).unwrap_or_else(|| fail(&format!("not a signal: {word}")))
}

pub(crate) fn one(word: Word) -> i32 {
    parse(&text(word))
}

/// The signals of a list like `HUP,INT,40`.
fn list(word: Word) -> Vec<i32> {
    text(word).split(',').map(parse).collect()
}

/// The same as a set; `all` is every signal.
fn set(word: Word) -> u64 {
    if word.to_bytes() == b"all" { u64::MAX } else { list(word).into_iter().fold(0, |set, signal| set | bit(signal)) }
}

pub(crate) fn ignore(word: Word) {
    list(word).into_iter().for_each(|signal| must("ignore", sys::dispose(signal, sys::Disposition::Ignore)));
}

pub(crate) fn default(word: Word) {
    list(word).into_iter().for_each(|signal| must("reset", sys::dispose(signal, sys::Disposition::Default)));
}

pub(crate) fn block(word: Word) {
    must("block", sys::change_mask(libc::SIG_BLOCK, set(word)));
}

pub(crate) fn unblock(word: Word) {
    must("unblock", sys::change_mask(libc::SIG_UNBLOCK, set(word)));
}

/// Sends a signal to the probe itself: blocked, it stays pending, through an exec too.
pub(crate) fn raise(signal: Word, count: Word) {
    repeat(std::process::id().cast_signed(), one(signal), number(count));
}

/// Sends a signal to a process by its pid, or to the `parent`.
pub(crate) fn send(signal: Word, count: Word, pid: Word) {
    let pid = if pid.to_bytes() == b"parent" { nix::unistd::getppid().as_raw() } else { number(pid) };
    repeat(pid, one(signal), number(count));
}

fn repeat(pid: i32, signal: i32, count: usize) {
    (0..count).for_each(|_| must("send a signal", sys::send(pid, signal)));
}

/// Waits for one of the signals, which are blocked by then and stay so.
pub(crate) fn wait_for(word: Word) {
    block(word);
    must("wait for a signal", sys::wait_signal(set(word)));
}
