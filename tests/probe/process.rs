//! The verbs that end the probe, make other processes, or become another program.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nix::poll::{PollTimeout, poll};
use nix::unistd::{Pid, execvp, pipe, setpgid};

use crate::sys::{self, Word};
use crate::{Probe, fail, must, number, signals, text};

/// Sets a limit, by the kernel's number for it, soft and hard.
pub(crate) fn limit(resource: Word, soft: Word, hard: Word) {
    must("set a limit", sys::set_limit(number(resource), number(soft), number(hard)));
}

pub(crate) fn own_group() {
    must("setpgid", setpgid(Pid::from_raw(0), Pid::from_raw(0)));
}

pub(crate) fn wait_forever() {
    loop {
        // No descriptor and no deadline: only a signal ends it, and that by its default action.
        let _ = poll(&mut [], PollTimeout::NONE);
    }
}

/// Dies of a signal without a core file.
pub(crate) fn die(signal: Word) {
    must("forbid a core file", sys::set_limit(libc::RLIMIT_CORE, 0, 0));
    dump(signal);
}

/// Dies of a signal, whatever was done to it before, with a core file where the limits allow one.
pub(crate) fn dump(signal: Word) {
    let signal = signals::one(signal);
    // KILL and STOP have nothing to reset.
    let _ = sys::dispose(signal, sys::Disposition::Default);
    must("unblock", sys::change_mask(libc::SIG_UNBLOCK, signals::bit(signal)));
    must("send a signal", sys::send(std::process::id().cast_signed(), signal));
}

/// Does the verbs of the block in a child, which ends with 0 after them.
pub(crate) fn fork(probe: &mut Probe, block: &[Word]) {
    probe.forked = must("fork", sys::fork());
    if probe.forked == 0 {
        probe.run(block);
        sys::exit(0);
    }
}

/// The same in a grandchild whose parent is dead when this returns: it belongs to the init from the first verb on.
pub(crate) fn daemon(probe: &mut Probe, block: &[Word]) {
    let between = must("fork", sys::fork());
    if between == 0 {
        let (adopted, parent) = must("pipe", pipe());
        if must("fork", sys::fork()) == 0 {
            drop(parent);
            // The end of the pipe is the end of the process in between.
            read_to_end(adopted);
            probe.run(block);
        }
        sys::exit(0);
    }
    must("wait", sys::wait_child(between));
}

/// Waits for the child that was forked last.
pub(crate) fn join(probe: &mut Probe) -> i32 {
    must("wait", sys::wait_child(probe.forked)).1
}

/// The same, and prints how it ended: `ended code 3`, `ended signal 15`.
pub(crate) fn tell_end(probe: &mut Probe) {
    let status = join(probe);
    match status & 0x7f {
        0 => probe.say(&format!("ended code {}", status >> 8)),
        signal => probe.say(&format!("ended signal {signal}")),
    }
}

/// Makes processes whose parent is dead and that end at once, as fast as it goes or as many in a second.
pub(crate) fn orphans(count: u32, rate: Option<u32>) {
    let start = Instant::now();
    let (alive, held) = must("pipe", pipe());
    for number in 0..count {
        let between = must("fork", sys::fork());
        if between == 0 {
            must("fork", sys::fork());
            sys::exit(0);
        }
        must("wait", sys::wait_child(between));
        if let Some(rate) = rate {
            let due = Duration::from_secs(number.into()) / rate;
            pause(due.saturating_sub(start.elapsed()));
        }
    }
    drop(held);
    read_to_end(alive);
}

/// Makes processes whose parent is dead and that then end all at once.
pub(crate) fn burst(count: u32) {
    let (released, release) = must("pipe", pipe());
    let (alive, held) = must("pipe", pipe());
    let between = must("fork", sys::fork());
    if between == 0 {
        drop(release);
        for _ in 0..count {
            if must("fork", sys::fork()) == 0 {
                read_to_end(released);
                sys::exit(0);
            }
        }
        sys::exit(0);
    }
    let (_, status) = must("wait", sys::wait_child(between));
    if status != 0 {
        fail("the burst is not complete");
    }
    drop((held, released));
    drop(release);
    read_to_end(alive);
}

/// Forks without end, and so does each child. Where a limit forbids it, it tries again until there is room.
pub(crate) fn bomb() -> ! {
    loop {
        if sys::fork().is_err() {
            pause(Duration::from_millis(1));
        }
    }
}

/// Lives for a moment only, and leaves a child behind that does the same, in a session of its own: nobody who looks
/// finds the same process twice.
pub(crate) fn comet() -> ! {
    loop {
        let _ = nix::unistd::setsid();
        match sys::fork() {
            Ok(0) => {}
            Ok(_) => sys::exit(0),
            Err(_) => pause(Duration::from_millis(1)),
        }
    }
}

/// Becomes another program.
pub(crate) fn exec(argv: &[Word]) {
    let Some(program) = argv.first() else { fail("exec takes a program") };
    let Err(error) = execvp(program, argv);
    fail(&format!("cannot run {}: {error}", text(program)));
}

fn read_to_end(fd: OwnedFd) {
    let _ = std::fs::File::from(fd).read_to_end(&mut Vec::new());
}

/// Lets the given time pass, which is what a payload does while it works.
fn pause(time: Duration) {
    let _ = poll(&mut [], PollTimeout::try_from(time).unwrap_or(PollTimeout::ZERO));
}
