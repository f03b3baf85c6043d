//! Reads /proc (proc(5)). Processes end while they are read, and some cannot be looked into: what cannot be read is empty.

use std::fs;
use std::io;

pub(crate) use sitting::{Sitting, stuck};

mod sitting;

/// The entries of a directory that are numbers.
pub(crate) fn numbers(directory: &str) -> io::Result<Vec<i32>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory)? {
        numbers.extend(entry?.file_name().to_str().and_then(number));
    }
    Ok(numbers)
}

pub(crate) fn number(text: &str) -> Option<i32> {
    text.parse().ok()
}

fn bits(text: &str) -> u64 {
    u64::from_str_radix(text, 16).unwrap_or(0)
}

/// What /proc/PID/stat says (proc_pid_stat(5)).
pub(crate) struct Stat {
    pub(crate) pid: i32,
    pub(crate) state: u8,
    pub(crate) parent: i32,
    pub(crate) group: i32,
    pub(crate) session: i32,
    pub(crate) has_terminal: bool,
    /// It is on its way out (PF_EXITING).
    pub(crate) is_exiting: bool,
    /// CPU time of all its threads, in hundredths of a second.
    pub(crate) ticks: u64,
    pub(crate) started: u64,
}

impl Stat {
    /// What its first thread is like, or, where that has ended, one that goes on: only then is it no zombie.
    pub(crate) fn read(pid: i32) -> Option<Stat> {
        let first = Stat::parse(pid, &read_text(pid, "stat"))?;
        Some(match Stat::survivor(&first) {
            Some(Stat { state, is_exiting, .. }) => Stat { state, is_exiting, ..first },
            None => first,
        })
    }

    /// Of the first thread's: another one, where that has ended.
    fn survivor(first: &Stat) -> Option<Stat> {
        if first.state != b'Z' {
            return None;
        }
        let threads = numbers(&format!("/proc/{}/task", first.pid)).unwrap_or_default();
        let read = |thread: i32| Stat::parse(thread, &read_text(first.pid, &format!("task/{thread}/stat")));
        threads.into_iter().filter_map(read).find(|stat| !matches!(stat.state, b'Z' | b'X'))
    }

    /// The name may hold anything, also `)`: the last one ends it.
    pub(crate) fn parse(pid: i32, line: &str) -> Option<Stat> {
        /// linux/sched.h.
        const PF_EXITING: u64 = 4;
        let (_, fields) = line.rsplit_once(')')?;
        let mut words = fields.split(' ').skip(1);
        let state = *words.next()?.as_bytes().first()?;
        let mut next = || words.next().and_then(number);
        let (parent, group, session, has_terminal) = (next()?, next()?, next()?, next()? != 0);
        // The 9th field, the 14th and the one behind it, the 22nd.
        let mut far = |distance: usize| words.nth(distance).and_then(|word| word.parse::<u64>().ok());
        let is_exiting = far(1)? & PF_EXITING != 0;
        let ticks = far(4)?.saturating_add(far(0)?);
        let started = far(6)?;
        Some(Stat { pid, state, parent, group, session, has_terminal, is_exiting, ticks, started })
    }
}

/// Where /proc shows what all threads share. Of the first one that is nothing when it has ended, though others go on.
pub(crate) fn place(pid: i32) -> String {
    match Stat::parse(pid, &read_text(pid, "stat")).and_then(|first| Stat::survivor(&first)) {
        Some(survivor) => format!("/proc/{pid}/task/{}", survivor.pid),
        None => format!("/proc/{pid}"),
    }
}

/// The threads that live.
pub(crate) fn threads(pid: i32) -> Vec<Status> {
    let mut threads = Vec::new();
    for thread in numbers(&format!("/proc/{pid}/task")).unwrap_or_default() {
        threads.extend(Status::parse(thread, &read_text(pid, &format!("task/{thread}/status"))));
    }
    threads
}

/// What /proc/PID/task/TID/status says (proc_pid_status(5)). What an older kernel does not say is not so.
#[derive(Default, Debug)]
pub(crate) struct Status {
    pub(crate) thread: i32,
    pub(crate) state: u8,
    pub(crate) tracer: i32,
    pub(crate) is_init: bool,
    /// Its number in its own namespace.
    pub(crate) inside: i32,
    pub(crate) is_dumping: bool,
    pub(crate) switches: u64,
    pub(crate) pending: u64,
    pub(crate) pending_for_all: u64,
    pub(crate) blocked: u64,
    pub(crate) ignored: u64,
    pub(crate) caught: u64,
}

impl Status {
    /// `None` for a thread that has ended.
    pub(crate) fn parse(thread: i32, text: &str) -> Option<Status> {
        let mut status = Status { thread, ..Status::default() };
        for line in text.lines() {
            let Some((name, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            match name {
                "State" => status.state = *value.as_bytes().first()?,
                "TracerPid" => status.tracer = number(value).unwrap_or(0),
                // Its numbers from our namespace down to its own.
                "NSpid" => {
                    status.is_init = value.ends_with("\t1");
                    status.inside = value.rsplit('\t').next().and_then(number).unwrap_or(0);
                }
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

/// A file in /proc/PID; nothing if it cannot be read.
pub(crate) fn read_text(pid: i32, name: &str) -> String {
    read_file(&format!("/proc/{pid}/{name}"))
}

/// A file; nothing if it cannot be read.
pub(crate) fn read_file(path: &str) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// Known by its file, which may be many programs (busybox), or else by its words. A script's name is its own.
pub(crate) fn is_shell(pid: i32, comm: &str, words: &str) -> bool {
    let file = fs::read_link(format!("/proc/{pid}/exe")).ok();
    let file = file.as_ref().and_then(|file| file.to_str()).map(|file| file.trim_end_matches(" (deleted)"));
    match file.map(base_name) {
        Some(name) if is_shell_name(name) => true,
        Some(name) if !name.starts_with("busybox") => false,
        _ if words.is_empty() => is_shell_name(comm),
        _ => are_shell_words(words),
    }
}

/// What its main thread sleeps for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum WaitsFor {
    /// A child: wait(2).
    Child,
    /// A signal that it takes by itself: sigtimedwait(2).
    Signal,
    /// The child that it has made by vfork(2), until that executes a program or ends.
    Exec,
    /// Something else, or nothing.
    Else,
}

/// Whether that is what a kernel calls the place where the parent of vfork(2) waits; where that is inlined, it is a caller's
/// name.
pub(crate) fn is_in_vfork(place: &str) -> bool {
    ["wait_for_vfork_done", "kernel_clone", "_do_fork", "do_fork"].contains(&place)
}

/// By the kernel's name of where it sleeps, or by the number of the system call; we may be allowed to read neither.
pub(crate) fn waits_for(pid: i32) -> WaitsFor {
    let place = read_text(pid, "wchan");
    let call = read_text(pid, "syscall");
    let call = call.split(' ').next().and_then(number).map(i64::from);
    match (kernel_name(&place), call) {
        ("do_wait", _) | (_, Some(libc::SYS_wait4 | libc::SYS_waitid)) => WaitsFor::Child,
        ("do_sigtimedwait", _) | (_, Some(libc::SYS_rt_sigtimedwait)) => WaitsFor::Signal,
        (place, _) if is_in_vfork(place) => WaitsFor::Exec,
        _ => WaitsFor::Else,
    }
}

/// Without what a compiler adds (`do_sigtimedwait.isra.0`); `0` means that it is not said.
pub(crate) fn kernel_name(place: &str) -> &str {
    let name = place.split('.').next().unwrap_or_default();
    if name == "0" { "" } else { name }
}

/// All `sigmask:` in /proc/PID/fdinfo (proc_pid_fdinfo(5)).
pub(crate) fn read_by_signalfd(pid: i32) -> u64 {
    let (mut all, place) = (0, place(pid));
    for file in numbers(&format!("{place}/fdinfo")).unwrap_or_default() {
        for line in read_file(&format!("{place}/fdinfo/{file}")).lines() {
            all |= line.strip_prefix("sigmask:\t").map_or(0, bits);
        }
    }
    all
}

/// Whether a program of this name is a shell that runs traps between its commands.
pub(crate) fn is_shell_name(name: &str) -> bool {
    matches!(name, "sh" | "ash" | "bash" | "dash" | "ksh" | "ksh93" | "mksh" | "rbash" | "yash" | "zsh")
}

/// Whether these words, each ended by a NUL, start a shell; a login shell's name begins with `-`, and `busybox sh` is one.
pub(crate) fn are_shell_words(words: &str) -> bool {
    let mut words = words.split('\0').map(base_name);
    match words.next() {
        Some("busybox") => words.next().is_some_and(is_shell_name),
        Some(name) => is_shell_name(name.strip_prefix('-').unwrap_or(name)),
        None => false,
    }
}

/// What follows the last slash.
pub(crate) fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::{Stat, Status, are_shell_words, kernel_name};

    #[test]
    fn a_name_may_look_like_the_fields_behind_it() {
        let stat = Stat::parse(17, "17 (a) Z 1 (b)) S 42 17 16 34816 17 4194308 0 0 0 0 7 8 0 0 20 0 1 0 1421780 0");
        let seen = stat.as_ref().map(|stat| (stat.parent, stat.group, stat.session, stat.has_terminal, stat.started));
        assert_eq!(seen, Some((42, 17, 16, true, 1_421_780)));
        assert!(stat.is_some_and(|stat| stat.is_exiting && stat.ticks == 15 && stat.state == b'S'));
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

    #[test]
    fn a_shell_is_known_by_its_words() {
        for words in ["sh", "-bash", "/bin/dash\0-c\0x", "busybox\0sh", "/bin/busybox\0ash\0-c\0x", "zsh\0"] {
            assert!(are_shell_words(words), "{words}");
        }
        for words in ["", "python\0sh", "busybox", "busybox\0sleep", "./sh.py", "fish"] {
            assert!(!are_shell_words(words), "{words}");
        }
    }
}
