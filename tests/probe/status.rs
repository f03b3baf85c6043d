//! The verb `status`: everything that exec hands on, one fact a line, in the kernel's words.

use std::fs;

use nix::unistd::{getpgrp, getpid, getppid, getsid, tcgetpgrp};

use crate::{Probe, sys};

pub(crate) fn print(probe: &mut Probe) {
    print_ids(probe);
    print_signals(probe);
    print_descriptors(probe);
    for line in fs::read_to_string("/proc/self/limits").unwrap_or_default().lines() {
        probe.say(&format!("limit {}", squeeze(line)));
    }
    let cwd = std::env::current_dir();
    probe.say(&format!("cwd {}", cwd.map_or_else(|error| error.to_string(), |path| path.display().to_string())));
    for (name, value) in std::env::vars_os() {
        probe.say(&format!("env {}={}", name.to_string_lossy(), value.to_string_lossy()));
    }
    probe.say("end of status");
}

fn print_ids(probe: &mut Probe) {
    probe.say(&format!("pid {}", getpid()));
    probe.say(&format!("ppid {}", getppid()));
    probe.say(&format!("pgid {}", getpgrp()));
    probe.say(&format!("sid {}", getsid(None).map_or(-1, |pid| pid.as_raw())));
    print_foreground(probe);
}

/// Whose the terminal is: `own` where it is this group's.
pub(crate) fn print_foreground(probe: &mut Probe) {
    let owner = fs::File::open("/dev/tty").ok().and_then(|terminal| tcgetpgrp(terminal).ok());
    let word = match owner {
        None => "none",
        Some(group) if group == getpgrp() => "own",
        Some(_) => "other",
    };
    probe.say(&format!("foreground {word}"));
}

/// How many children there are, dead ones that nobody has reaped among them.
pub(crate) fn print_children(probe: &mut Probe) {
    let list = fs::read_to_string(format!("/proc/self/task/{}/children", getpid())).unwrap_or_default();
    probe.say(&format!("{} children", list.split_whitespace().count()));
}

fn print_signals(probe: &mut Probe) {
    // What the kernel says of it, and what the system calls say: 32 to 34 are where a C library lies.
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    for line in status.lines().filter(|line| line.starts_with("Sig") || line.starts_with("Umask")) {
        // SigQ counts the whole user's signals, whoever sent them.
        if !line.starts_with("SigQ") {
            probe.say(&squeeze(line));
        }
    }
    let mask = sys::change_mask(libc::SIG_BLOCK, 0).unwrap_or_default();
    let ignored = (1..=64)
        .filter(|signal| sys::handler(*signal).is_ok_and(|handler| handler == libc::SIG_IGN))
        .fold(0, |set, signal| set | crate::signals::bit(signal));
    probe.say(&format!("mask {mask:016x}"));
    probe.say(&format!("ignored {ignored:016x}"));
}

fn print_descriptors(probe: &mut Probe) {
    // By number and not by listing /proc/self/fd, which would show the descriptor of the listing.
    for fd in 0..256 {
        if let (Ok(inherit), Ok(flags)) =
            (sys::descriptor_flags(fd, libc::F_GETFD), sys::descriptor_flags(fd, libc::F_GETFL))
        {
            // Where lines go to, if not to stdout, is the probe's own.
            if inherit & libc::FD_CLOEXEC == 0 {
                let target = fs::read_link(format!("/proc/self/fd/{fd}")).unwrap_or_default();
                probe.say(&format!("fd {fd} flags {flags:#o} {}", target.display()));
            }
        }
    }
}

fn squeeze(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}
