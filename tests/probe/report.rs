//! The verbs that tell what arrived: signals, lines, arguments.

use std::collections::BTreeMap;

use crate::signals::{bit, one};
use crate::sys::{self, Received, Word};
use crate::{Probe, must};

/// Prints `ready` once every signal is blocked, then a line for each signal, up to and including the given one.
pub(crate) fn report_until(probe: &mut Probe, last: Word) {
    each_until(probe, one(last), |probe, got| {
        probe.say(&format!("got {} from {} code {}", got.signal, got.sender, got.code));
    });
}

/// The same in one line at the end: `1=1 40=5`, each signal with the number of times it came.
pub(crate) fn tally_until(probe: &mut Probe, last: Word) {
    let mut counts = BTreeMap::new();
    each_until(probe, one(last), |_, got| *counts.entry(got.signal).or_insert(0) += 1);
    let counts: Vec<String> = counts.iter().map(|(signal, count)| format!("{signal}={count}")).collect();
    probe.say(&counts.join(" "));
}

fn each_until(probe: &mut Probe, last: i32, mut each: impl FnMut(&mut Probe, &Received)) {
    must("block", sys::change_mask(libc::SIG_BLOCK, u64::MAX));
    probe.say("ready");
    // The probe's own children are no news; everything else is.
    let wanted = !bit(libc::SIGCHLD);
    loop {
        let got = must("wait for a signal", sys::wait_signal(wanted));
        each(probe, &got);
        if got.signal == last {
            return;
        }
    }
}

/// Waits for a line on stdin, byte by byte so that the next `read` finds the next line; the end of file is one too.
pub(crate) fn read_line() {
    let mut byte = [0];
    while let Ok(1) = nix::unistd::read(std::io::stdin(), &mut byte) {
        if byte[0] == b'\n' {
            break;
        }
    }
}

/// Prints how many words follow and how many bytes they have.
pub(crate) fn count(probe: &mut Probe, words: &[Word]) {
    let bytes: usize = words.iter().map(|word| word.to_bytes().len()).sum();
    probe.say(&format!("{} words, {bytes} bytes", words.len()));
}
