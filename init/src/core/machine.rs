//! The words that machines and the driver share: events are past facts, actions are orders.

use core::fmt;
use core::time::Duration;

use super::exit::{Outcome, Status};
use super::ladder::KillMode;
use super::list::Actions;
use super::policy::Scope;
use super::request::{Ask, Program, Standing, Way};
use super::signal::Signal;

/// A moment of the monotonic clock, in nanoseconds from an arbitrary start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Time(u64);

impl Time {
    /// The moment `since` after the clock's start.
    pub const fn from_start(since: Duration) -> Time {
        Time(nanoseconds(since))
    }

    /// The moment `wait` after this one.
    pub const fn after(self, wait: Duration) -> Time {
        Time(self.0.saturating_add(nanoseconds(wait)))
    }

    /// The moment in the middle between this one and a `later` one.
    pub const fn midway(self, later: Time) -> Time {
        Time(self.0.saturating_add(later.0.saturating_sub(self.0) / 2))
    }

    /// A number that nobody can foresee, and that is the same for the same moment.
    pub(super) const fn spread(self) -> u8 {
        // Fibonacci hashing: moments that are close to one another are far apart.
        (self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
    }

    /// How long it is from `earlier` to this moment; zero if it is not earlier.
    pub const fn since(self, earlier: Time) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Enough for 584 years.
const fn nanoseconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(duration.subsec_nanos() as u64)
}

/// One of the programs that a machine starts, by its place in the driver's table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Child(pub u8);

/// Where a signal came from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Sender {
    /// The kernel: a terminal, a timer, a limit.
    Kernel,
    /// A process that our PID namespace does not show: docker, a kubelet, the host's administrator.
    Outside,
    /// We ourselves, before we became what we are: exec keeps what waits.
    Ourselves,
    /// A process that we can see.
    Process {
        /// Its number in our namespace.
        pid: i32,
        /// Its real user in our namespace.
        uid: u32,
        /// What it is called, as far as that matters.
        program: Program,
    },
    /// A process that has not sent it, but asks for it through the control socket: it means that signal, and no request.
    Client {
        /// Its number in our namespace.
        pid: i32,
        /// Its user.
        uid: u32,
    },
}

/// A signal that reached us.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Received {
    /// Which.
    pub signal: Signal,
    /// From whom.
    pub sender: Sender,
}

/// What of a start failed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Step {
    /// fork(2) or clone(2).
    Fork,
    /// execve(2) of the program, wherever in PATH it was looked for.
    Exec,
    /// execve(2) of an ELF file that this machine cannot run.
    ExecForeign,
    /// execve(2) of /bin/sh for a script that names no interpreter.
    ExecShell,
    /// dup2(2) of the descriptor by which it is to say that it is ready.
    Give,
    /// One of the alterations of what the program is given, by its place in their list.
    Alter(u8),
}

/// Why a program could not be started.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct StartError {
    /// What failed.
    pub step: Step,
    /// The kernel's reason, as in errno(3).
    pub errno: i32,
}

/// What keeps a hook from doing what it is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Fault {
    /// It could not be started.
    NotStarted(StartError),
    /// It ended so.
    Ended(Status),
    /// It did not end within so many milliseconds. (A [`Duration`] would make every action twice as large.)
    TimedOut(u32),
    /// A stop was asked for while it ran.
    StopAsked,
}

impl Fault {
    pub(super) fn timed_out(limit: Duration) -> Fault {
        Fault::TimedOut(u32::try_from(limit.as_millis()).unwrap_or(u32::MAX))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::NotStarted(_) => f.write_str("could not be started"),
            Fault::Ended(Status::Exited(code)) => write!(f, "ended with code {code}"),
            Fault::Ended(Status::Signaled(signal)) => write!(f, "was ended by {signal}"),
            Fault::TimedOut(limit) if limit % 1000 == 0 => {
                write!(f, "did not end within {} s and was killed", limit / 1000)
            }
            Fault::TimedOut(limit) => write!(f, "did not end within {limit} ms and was killed"),
            Fault::StopAsked => f.write_str("ran when a stop was asked for"),
        }
    }
}

/// Whether any child is left after a round of reaping.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Left {
    /// At least one.
    Some,
    /// None: nothing that came from us is alive.
    None,
}

/// What we are to our controlling terminal, from which job control is done.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Terminal {
    /// Our group, or the program's, is in the foreground: somebody waits there.
    Foreground,
    /// Our group is, and the program has one of its own that can be put there.
    Ours,
    /// Another group is.
    Background,
    /// We have none.
    None,
}

/// How a pause of ours that went with the program's has ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Pause {
    /// Somebody has continued us, and the program with us.
    Together,
    /// Somebody has continued us alone.
    Alone,
    /// It did not begin: the kernel stops no orphaned process group from the terminal (nobody could continue it), and
    /// no PID 1.
    Refused,
}

/// In what a command fails that runs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Failure {
    /// It was not ready in time.
    NotReady,
    /// It did not say in time that it is alive (`WATCHDOG=1`, sd_notify(3)).
    Watchdog,
    /// Its health checks have failed.
    Unhealthy(Then),
}

/// What is to follow the end of a command that is not healthy.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Then {
    /// A new start.
    Restart,
    /// Our own end.
    Stop,
}

/// What has happened.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// The driver is ready to obey.
    Begin,
    /// The program could not be started: what follows its [`Action::Spawn`] at once.
    NotStarted(Child, StartError),
    /// A signal reached us.
    Signalled(Received),
    /// Somebody asks for this, by another way than a signal.
    Asked(Ask, Way),
    /// Main runs, and has failed in this.
    Failed(Failure),
    /// Main asks for this long from now on, wherever its time runs out (`EXTEND_TIMEOUT_USEC=`, sd_notify(3)).
    Extended(Duration),
    /// Main was in the foreground of a terminal whose key it dies of now: that signal came to nobody else.
    Pressed(Signal),
    /// A program of ours has ended and is reaped.
    Ended(Child, Status),
    /// A program of ours was stopped by this signal.
    Stopped(Child, Signal, Terminal),
    /// We have stopped ourselves as the program was stopped by this signal, and that is over.
    Resumed(Child, Signal, Pause),
    /// A round of reaping is over.
    Reaped(Left),
    /// The time that was armed has come, and what was to be reaped by then is.
    Deadline,
}

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// Start the program.
    Spawn(Child),
    /// Send the signal to the program, or to its group if it is placed in one to be signalled as a whole.
    Signal(Child, Signal),
    /// Send the signal of a stop to whom it is to reach.
    Tell(Child, KillMode, Signal),
    /// Kill the program and all that is below it.
    KillTree(Child),
    /// Say what is wrong with the hook, and what comes of that.
    Blame(Child, Fault),
    /// Tell everything that is left in that scope to end: TERM, CONT for what is stopped, HUP for shells that ignore
    /// TERM. What is left is what is left there from then on.
    TellRest(Scope),
    /// Send the signal to everything that is left.
    SignalRest(Signal),
    /// Send the signal to the group of the program, which has just ended.
    TellGroup(Child, Signal),
    /// Look whether any child is left: an [`Event::Reaped`] follows.
    LookForRest,
    /// Kill everything that is left.
    KillRest,
    /// Say by name what is left, and what becomes of it.
    NameRest(Fate),
    /// A rung of the stop's ladder is reached.
    Climb(Rung),
    /// Have it explained why this takes so long.
    Explain(Slow),
    /// Stop ourselves by this signal, as the program was stopped, giving the terminal back for as long. An
    /// [`Event::Resumed`] follows.
    StopOurselves(Child, Signal),
    /// Put the program's group into the foreground of the terminal, where ours is.
    HandTerminal(Child),
    /// Deliver [`Event::Deadline`] at that time, and forget an earlier one.
    Arm(Time),
    /// The same, [`super::Ladder::KILL_GRACE`] after the orders before this one were obeyed: to kill a thousand takes its time.
    ArmAfterKill,
    /// Say what comes of what was asked for, to all and to who has asked. The first action of such an event.
    Answer(Ask, Heard),
    /// Open `/run/initctl` again.
    Reopen,
    /// Say why the signal goes nowhere.
    Drop(Signal, Note),
    /// End so. The last action.
    Exit(Outcome),
}

/// The rungs of a stop's ladder, as the log and the exit report name them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Rung {
    /// A stop was asked for before main was started, and the hook that runs is told.
    PreStart,
    /// A stop was asked for, and its hook runs.
    PreStop,
    /// A stop was asked for, and main is not told yet.
    Delay,
    /// Main is sent this signal.
    Signal(Signal),
    /// Main is killed.
    Kill,
    /// Main has ended, and what it left behind may end when it likes.
    Wait,
    /// Main has ended, and what it left behind is told to end.
    Leftovers,
    /// What is left is killed.
    KillLeftovers,
}

/// What becomes of a process that does not end.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Fate {
    /// It has been told, and is killed now.
    Killed,
    /// It was killed, and is left behind: it sits in a system call that cannot be interrupted.
    LeftBehind,
}

/// What takes long, and is to be explained to whoever waits for it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Slow {
    /// Main was sent this signal to stop, and runs on.
    Main(Signal),
    /// Main has ended so, or was never started, and what is left was told to end, and runs on.
    Leftovers(Option<Status>),
    /// Nothing is slow: main died of a SIGKILL that was not ours, which may be the kernel's for want of memory.
    MainKilled,
}

/// What comes of what somebody asks for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Heard {
    /// It begins.
    Begun,
    /// All are ending already.
    UnderWay,
    /// Nothing: a container has no such thing.
    Ignored,
}

/// Why a signal goes nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Note {
    /// The table says so.
    Ignored,
    /// Main is in our group and has it from the terminal already.
    SentToGroup,
    /// There is no main to get it.
    MainHasEnded,
    /// Nothing comes after SIGKILL.
    MainIsKilled,
    /// Neither here, and there will be no main.
    HookIsKilled,
    /// There never is one.
    NoMain,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Note::Ignored => "it is to be ignored",
            Note::SentToGroup => "the kernel sent it to the whole process group",
            Note::MainHasEnded => "the main program has ended",
            Note::MainIsKilled => "the main program is being killed",
            Note::HookIsKilled => "the hook is being killed, and the main program will not be started",
            Note::NoMain => "there is no main program",
        })
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sender::Kernel => f.write_str("the kernel"),
            Sender::Outside => f.write_str("outside the container"),
            Sender::Ourselves => f.write_str("ourselves"),
            Sender::Process { pid, uid, .. } => write!(f, "pid {pid} (uid {uid})"),
            Sender::Client { pid, uid } => write!(f, "pid {pid} (uid {uid}), through the control socket"),
        }
    }
}

/// A pure state machine: it is told what has happened and when, and says what is to be done.
pub trait Machine {
    /// One event. The driver obeys the actions in their order before it tells of the next event.
    fn on(&mut self, now: Time, event: Event) -> Actions;

    /// How it stands to its program.
    fn standing(&self) -> Standing;

    /// Whether its program is not started again if its life ends now, as far as anybody can know: by what was asked for,
    /// and otherwise by what comes after an end that nobody has asked for.
    fn is_last_life(&self) -> bool {
        false
    }

    /// Whether its program is being stopped, or has ended, and nothing comes after that.
    fn ends_for_good(&self) -> bool {
        self.standing() == Standing::Stopping && self.is_last_life()
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::{Note, Program, Sender};

    #[test]
    fn a_log_line_can_tell_senders_and_reasons_apart() {
        let program = Program::Other;
        assert_eq!(Sender::Process { pid: 7, uid: 1000, program }.to_string(), "pid 7 (uid 1000)");
        let senders = [Sender::Kernel, Sender::Outside, Sender::Ourselves].map(|sender| sender.to_string());
        assert_eq!(senders, ["the kernel", "outside the container", "ourselves"]);
        let notes = [
            Note::Ignored,
            Note::SentToGroup,
            Note::MainHasEnded,
            Note::MainIsKilled,
            Note::HookIsKilled,
            Note::NoMain,
        ];
        let said: std::collections::HashSet<_> = notes.iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), notes.len());
        assert!(!said.contains(""));
    }
}
