//! Findings in words: who, what, the cure.

use std::fmt;
use std::time::Duration;

use supervise_init::core::{KillMode, Signal};

use super::judge::{Below, Finding, Heard, Instead, Told, Why};
use super::process::Process;

/// A finding with what is around it, as one line.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) finding: &'a Finding<'a>,
    pub(super) told: Told,
    pub(super) signal: Signal,
    pub(super) waited: Duration,
    pub(super) next: Option<Duration>,
    /// The shell that main was, if it left the process behind.
    pub(super) shell: Option<&'a Shell>,
    pub(super) settings: Settings,
}

/// How one can set what we advise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Settings {
    /// By options, as `--grace`.
    Options,
    /// By variables alone, as `SUPERVISE_GRACE`: under the name of another init.
    Variables,
}

/// The option `long` in words, or its variable.
struct Set(Settings, &'static str);

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Settings::Options => write!(f, "--{}", self.1),
            Settings::Variables => write!(f, "SUPERVISE_{}", self.1.to_ascii_uppercase().replace('-', "_")),
        }
    }
}

/// Main, when it was a shell and ended by itself.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Shell {
    pub(super) words: String,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Line { finding, told, .. } = self;
        write!(f, "{} after {}: ", Seconds(self.waited), self.signal)?;
        if *told == Told::Leftovers {
            f.write_str("leftover ")?;
        }
        write!(f, "{} ", Name(finding.process))?;
        self.what(f)?;
        self.left(f)?;
        if let Some((more, first)) = split(&finding.same) {
            f.write_str("; the same with ")?;
            for (index, pid) in first.iter().enumerate() {
                write!(f, "{}pid {pid}", if index == 0 { "" } else { ", " })?;
            }
            write_more(f, more)?;
        }
        f.write_str(": ")?;
        self.cure(f)
    }
}

impl Line<'_> {
    fn what(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signal = self.signal;
        match &self.finding.why {
            Why::Stopped => write!(f, "is stopped and cannot act on {signal}"),
            Why::Traced(0) => {
                write!(f, "is held by a debugger that cannot be seen from here, and cannot act on {signal}")
            }
            Why::Traced(by) => write!(f, "is held by a debugger (pid {by}) and cannot act on {signal}"),
            Why::Starting(child) => {
                f.write_str("waits in vfork until its child ")?;
                if let Some(child) = child {
                    write!(f, "{} ", Name(child))?;
                }
                write!(f, "has executed a program, and cannot act on {signal}")
            }
            Why::Stuck("") => write!(f, "sits in a system call that {signal} does not interrupt"),
            Why::Stuck(place) => write!(f, "sits in a system call that {signal} does not interrupt (in {place})"),
            Why::Ignored { at_entry, below, .. } => {
                write!(f, "ignores {signal}")?;
                match self.told {
                    Told::Leftovers if signal == Signal::TERM => f.write_str(", and SIGHUP has not ended it either")?,
                    Told::Main(_) if *at_entry => f.write_str(", which was ignored when supervise was started")?,
                    _ => {}
                }
                write_below(f, below, signal)
            }
            Why::InteractiveShell => write!(f, "is an interactive shell, which ignores {signal}"),
            Why::Blocked { at_entry: true, .. } => {
                write!(f, "blocks {signal}, which was blocked when supervise was started")
            }
            Why::Blocked { at_entry: false, .. } => write!(f, "blocks {signal} in all its threads"),
            Why::Unread => {
                write!(f, "has a signalfd for {signal} and has not read it: its event loop is busy or stuck")
            }
            Why::Discarded => write!(
                f,
                "is PID 1 of its own PID namespace and has no handler for {signal}, so that the kernel discards it"
            ),
            Why::InForeground { child, below } => {
                write!(f, "runs its trap for {signal} only when its foreground child {} has ended", Name(child))?;
                f.write_str(match below.heard {
                    Heard::InVain => ", which would not act on it",
                    Heard::Never | Heard::NotFromUs => ", which never got it",
                })
            }
            Why::Returned => write!(f, "has a trap for {signal} that does not end it, and has gone on since"),
            Why::Trap(below) => {
                write!(f, "has a trap for {signal} and runs on")?;
                write_below(f, below, signal)
            }
            Why::Waits(below) => {
                write!(f, "handles {signal} but waits for a child")?;
                write_below(f, below, signal)
            }
            Why::AtWork(below) => {
                write!(f, "handles {signal} and is still at work")?;
                write_below(f, below, signal)
            }
            Why::Dumping => f.write_str("is writing its core dump"),
            Why::Ending => write!(f, "has {signal} and is being ended by the kernel"),
            Why::Unmoved => {
                write!(f, "runs although {signal} ends it: what ran in this process before it took the signal")
            }
            Why::Outside => f.write_str("came from outside (docker exec, nsenter) and is not waited for"),
        }
    }

    /// What becomes of what is left, and how it came to be that.
    fn left(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Told::Leftovers, Some(next)) = (self.told, self.next)
            && !matches!(self.finding.why, Why::Outside)
        {
            write!(f, ", and is killed in {}", Seconds(next))?;
        }
        match self.shell {
            Some(shell) => write!(f, "; main was a shell (`{}`) that ended without waiting for it", shell.words),
            None => Ok(()),
        }
    }

    fn cure(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signal = self.signal;
        let pid = self.finding.process.pid;
        match &self.finding.why {
            Why::Stopped => {
                write!(f, "continue it (kill -CONT {pid}")?;
                let first = split(&self.finding.same).map(|(_, first)| first).unwrap_or_default();
                first.iter().try_for_each(|pid| write!(f, " {pid}"))?;
                f.write_str(")")
            }
            Why::Traced(_) => f.write_str("let the debugger continue it, or end the debugger"),
            Why::Starting(Some(child)) => write!(f, "see what keeps that child, or kill it (kill -KILL {})", child.pid),
            Why::Starting(None) => f.write_str("see what keeps that child"),
            Why::Stuck(_) => f.write_str(
                "see to the device or network file system that it waits for (or thaw its cgroup); SIGKILL may have to wait too",
            ),
            Why::Ignored { instead, at_entry, below } => self.cure_of_ignored(f, *instead, *at_entry, below),
            Why::InteractiveShell => write!(f, "use {}=HUP, which ends it", self.set("stop-signal")),
            Why::Blocked { at_entry: true, .. } => write!(f, "start supervise with {signal} unblocked"),
            Why::Blocked { instead, .. } => {
                self.write_instead(f, *instead)?;
                write!(f, "let it unblock {signal}, or start it unblocked")
            }
            Why::Unread => f.write_str("let the loop get to it"),
            Why::Discarded => write!(f, "start it there under an init (supervise -- ...), or let it handle {signal}"),
            Why::InForeground { below, .. } => {
                write!(
                    f,
                    "start that child in the background, wait for it (`&`, then `wait`) and let the trap pass {signal} on (kill)"
                )?;
                self.write_reach(f, below)
            }
            Why::Returned => f.write_str("let the trap end with exit"),
            Why::Trap(below) => {
                write!(f, "let the trap pass {signal} on (kill) and wait for it")?;
                self.write_reach(f, below)
            }
            Why::Waits(below) => {
                write!(f, "let it pass {signal} on")?;
                self.write_reach(f, below)
            }
            Why::AtWork(below) => {
                self.cure_of_work(f)?;
                self.write_reach(f, below)
            }
            Why::Dumping => f.write_str("let it, or allow no core dump (ulimit -c 0)"),
            Why::Ending => f.write_str("nothing is to be done"),
            Why::Unmoved => f.write_str("send it once more"),
            Why::Outside => f.write_str("end it before the stop"),
        }
    }

    fn cure_of_ignored(
        &self,
        f: &mut fmt::Formatter<'_>,
        instead: Instead,
        at_entry: bool,
        below: &Below<'_>,
    ) -> fmt::Result {
        let signal = self.signal;
        if self.told == Told::Leftovers {
            return write!(f, "let it handle {signal}");
        }
        if at_entry {
            f.write_str("start supervise without that (trap '', nohup), ")?;
        }
        if below.who.is_empty() || below.heard == Heard::InVain {
            self.write_instead(f, instead)?;
            let or = if at_entry && instead == Instead::Nothing { "or " } else { "" };
            return write!(f, "{or}let it handle {signal}");
        }
        if self.finding.process.is_shell {
            f.write_str("start the last command with exec")?;
        } else {
            write!(f, "let it pass {signal} on")?;
        }
        self.write_reach(f, below)
    }

    fn set(&self, long: &'static str) -> Set {
        Set(self.settings, long)
    }

    /// `, or use --kill-mode=group`, if that helps.
    fn write_reach(&self, f: &mut fmt::Formatter<'_>, below: &Below<'_>) -> fmt::Result {
        if below.who.is_empty() || below.heard == Heard::InVain {
            return Ok(());
        }
        write!(f, ", or use {}={}", self.set("kill-mode"), ModeName(below.reach))
    }

    fn write_instead(&self, f: &mut fmt::Formatter<'_>, instead: Instead) -> fmt::Result {
        let (signal, does) = match (self.told, instead) {
            (Told::Leftovers, _) | (_, Instead::Nothing) => return Ok(()),
            (_, Instead::Handled(other)) => (other, "it handles"),
            (_, Instead::Ends(other)) => (other, "ends it"),
        };
        write!(f, "use {}={}, which {does}, or ", self.set("stop-signal"), short(signal))
    }

    fn cure_of_work(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.told, self.next, self.shell) {
            (Told::Leftovers, _, Some(_)) => {
                f.write_str("start it with exec (or by the JSON form of ENTRYPOINT), so that it is the main program")
            }
            (Told::Leftovers, _, None) => {
                let grace = self.set("leftover-grace");
                write!(f, "let the main program wait for it, or give it more time ({grace})")
            }
            (Told::Main(_), Some(_), _) => {
                write!(f, "give it more time ({}, and docker stop -t or ", self.set("grace"))?;
                f.write_str("terminationGracePeriodSeconds), or let it stop faster")
            }
            (Told::Main(_), None, _) => {
                f.write_str("give it more time (docker stop -t, terminationGracePeriodSeconds), or let it stop faster")
            }
        }
    }
}

/// How many are named where there are more.
const NAMED: usize = 3;

/// The first few of `all`, and how many more there are; nothing of nothing.
fn split<T>(all: &[T]) -> Option<(usize, &[T])> {
    let first = all.get(..NAMED).unwrap_or(all);
    (!all.is_empty()).then_some((all.len() - first.len(), first))
}

fn write_more(f: &mut fmt::Formatter<'_>, more: usize) -> fmt::Result {
    if more > 0 { write!(f, " and {more} more") } else { Ok(()) }
}

/// `; its child pid 8 (`app`) never got it`.
fn write_below(f: &mut fmt::Formatter<'_>, below: &Below<'_>, signal: Signal) -> fmt::Result {
    let Some((more, first)) = split(&below.who) else { return Ok(()) };
    f.write_str(if below.who.len() == 1 { "; its child " } else { "; what it started, " })?;
    let mut before = "";
    for (index, process) in first.iter().enumerate() {
        f.write_str(if index == 0 { "" } else { ", " })?;
        // Workers have the same words.
        if index > 0 && process.words == before {
            write!(f, "pid {}", process.pid)?;
        } else {
            write!(f, "{}", Name(process))?;
        }
        before = &process.words;
    }
    write_more(f, more)?;
    f.write_str(if below.who.len() == 1 { " " } else { ", " })?;
    match below.heard {
        Heard::Never => f.write_str("never got it"),
        Heard::NotFromUs => write!(f, "did not get {signal} from here"),
        Heard::InVain => f.write_str("would not act on it either"),
    }
}

/// `pid 7 (`sh -c ./run.sh`)`.
pub(super) struct Name<'a>(pub(super) &'a Process);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pid {} (`{}`)", self.0.pid, self.0.words)
    }
}

/// As the option takes it.
struct ModeName(KillMode);

impl fmt::Display for ModeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            KillMode::Main => "main",
            KillMode::Group => "group",
            KillMode::Tree => "tree",
        })
    }
}

/// `TERM`.
fn short(signal: Signal) -> String {
    let name = signal.to_string();
    name.strip_prefix("SIG").map_or_else(|| name.clone(), str::to_owned)
}

/// `5 s` or `2.5 s`, rounded.
pub(super) struct Seconds(pub(super) Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounded = self.0.saturating_add(Duration::from_millis(50));
        match (rounded.as_secs(), rounded.subsec_millis() / 100) {
            (seconds, 0) => write!(f, "{seconds} s"),
            (seconds, tenth) if seconds < 10 => write!(f, "{seconds}.{tenth} s"),
            (seconds, _) => write!(f, "{seconds} s"),
        }
    }
}
