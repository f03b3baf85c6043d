//! Where a command runs to be looked at: below a copy of ourselves that is process 1 of a PID namespace of its own, the
//! stage. When we end, however that comes, the kernel kills the stage, and with it everything in the namespace.
//!
//! 1. The stage executes nothing and changes no ids, so that nothing takes the kernel's order from it (PR_SET_PDEATHSIG).
//! 2. The command waits to be let go, so it is watched before it is executed.
//! 3. What the stage is given back, it reaps; it ends when nothing is left.

use std::fs;
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::time::Duration;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout, getegid, geteuid, setsid};
use supervise_init::core::{Left, Scope, Signal, StartError, Status, Step, Time};
use supervise_init::sys::{
    self, Change, Pid, Program, Reaped, Rest, SigSet, Sleep, Wake, become_program, close_from_3, forget_dispositions,
    has_capability, now, send_parent_death_signal, set_subreaper, this_process,
};

use crate::check::record::Inherited;
use crate::check::scenario::Mode;
use crate::proc::{numbers, read_file};
use crate::sys::processes::pidfd;
use crate::sys::{execute, give_as, pipe, reap, start_contained, start_copy};

/// What was killed has so long to go away.
pub(super) const DEATH: Duration = Duration::from_secs(30);

/// What is run in every mode.
pub(crate) struct Payload {
    pub(crate) program: Program,
    /// The words for the init: `supervise -- COMMAND`.
    pub(crate) words_of_init: Vec<&'static std::ffi::CStr>,
    /// The file that we are.
    pub(crate) ourselves: std::ffi::CString,
    /// The name of the socket for sd_notify(3), where it is to use one.
    pub(crate) notify: Option<String>,
    /// How many descriptors it may have, as we were given it.
    pub(crate) descriptors: Option<(u64, u64)>,
    /// Where it keeps what the next start finds: directories to look at before and after.
    pub(crate) state_dirs: Vec<PathBuf>,
    /// What we were given and the command is not.
    pub(crate) inherited: Inherited,
}

/// A command on its stage.
pub(super) struct Stage {
    pub(super) pid: Pid,
    pub(super) pidfd: OwnedFd,
    /// The first process: the command, or the init in front of it.
    pub(super) root: Pid,
    pub(super) news: PipeReader,
    pub(super) stdout: PipeReader,
    pub(super) stderr: PipeReader,
    /// Why it sees no /proc of its own.
    pub(super) without_proc: Option<Errno>,
    kind: Kind,
    go: PipeWriter,
    trouble: PipeReader,
    is_reaped: bool,
}

/// What holds the run together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A PID namespace: the kernel kills all with its process 1.
    Namespace,
    /// That the stage is the subreaper of all, and kills them itself; for an ordinary process where there are no
    /// namespaces to be had.
    Subreaper,
}

/// Why there is no stage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NotSet {
    /// This call was refused.
    Namespace(Errno),
    Pipe(Errno),
    /// The stage ended before it had begun.
    Ended,
    /// /proc does not show it.
    NoProc,
}

/// Why the command was not executed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NotReleased {
    Failed(StartError),
    /// We cannot be executed ourselves, as its init: the error.
    Ourselves(i32),
    /// The time was over.
    Late,
    /// We are to stop.
    Asked,
}

/// What a wait has ended with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Woken {
    Fd,
    Asked,
    Late,
}

/// Sleeps until there is something to read, or we are asked to stop, but no longer than that.
pub(super) fn wait_for(fd: BorrowedFd<'_>, asked: BorrowedFd<'_>, limit: Duration) -> Woken {
    let mut polled = [fd, asked].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
    // Longer than 24 days is no time that anybody waits.
    let limit = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
    let count = poll(&mut polled, limit).unwrap_or(0);
    match polled.iter().map(PollFd::any).collect::<Vec<_>>()[..] {
        [Some(true), _] => Woken::Fd,
        _ if count == 0 => Woken::Late,
        _ => Woken::Asked,
    }
}

/// What the stage tells, with a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
enum News {
    /// /proc could not be mounted: the error.
    NoProc = 1,
    /// The command's process is there, or could not be made: the error, or 0.
    Made = 2,
    /// It has exited with this code.
    Exited = 3,
    /// This signal has ended it.
    Signaled = 4,
}

/// What is told in the place of a step, where it is our own file that was not executed.
const OURSELVES: u8 = 3;

/// The ends that the other side has.
struct Ends<'a> {
    go: &'a PipeReader,
    news: &'a PipeWriter,
    trouble: &'a PipeWriter,
    outputs: [&'a PipeWriter; 2],
    /// A descriptor that the command is to have, and by which number.
    given: Option<(&'a PipeWriter, RawFd)>,
}

/// Without a user namespace only root may make others.
pub(super) fn needs_user_namespace() -> bool {
    /// capabilities(7).
    const CAP_SYS_ADMIN: u32 = 21;
    !(geteuid().is_root() && has_capability(CAP_SYS_ADMIN))
}

impl Kind {
    /// What ends it, and what it is sent when we end.
    fn signal(self) -> Signal {
        match self {
            Kind::Namespace => Signal::KILL,
            Kind::Subreaper => Signal::TERM,
        }
    }
}

impl Stage {
    /// Sets the stage, with the command's process on it, waiting.
    pub(super) fn set(
        kind: Kind,
        mode: Mode,
        payload: &Payload,
        given: Option<(&PipeWriter, RawFd)>,
    ) -> Result<Stage, NotSet> {
        let refused = |error: io::Error| NotSet::Pipe(error.raw_os_error().map_or(Errno::EIO, Errno::from_raw));
        let (go_in, mut go) = pipe().map_err(refused)?;
        let (mut news, news_in) = pipe().map_err(refused)?;
        let (trouble, trouble_in) = pipe().map_err(refused)?;
        let (stdout, stdout_in) = pipe().map_err(refused)?;
        let (stderr, stderr_in) = pipe().map_err(refused)?;
        let ends = Ends { go: &go_in, news: &news_in, trouble: &trouble_in, outputs: [&stdout_in, &stderr_in], given };
        let namespaces = match kind {
            Kind::Subreaper => 0,
            Kind::Namespace if needs_user_namespace() => libc::CLONE_NEWPID | libc::CLONE_NEWNS | libc::CLONE_NEWUSER,
            Kind::Namespace => libc::CLONE_NEWPID | libc::CLONE_NEWNS,
        };
        let pid = start_contained(namespaces, || be_stage(kind, mode, payload, &ends)).map_err(NotSet::Namespace)?;
        drop((go_in, news_in, trouble_in, stdout_in, stderr_in));
        let pidfd = pidfd(pid).map_err(NotSet::Namespace)?;
        let mut stage = Stage {
            pid,
            pidfd,
            root: pid,
            without_proc: None,
            kind,
            stdout,
            stderr,
            trouble,
            is_reaped: false,
            go: go.try_clone().map_err(refused)?,
            news: news.try_clone().map_err(refused)?,
        };
        if namespaces & libc::CLONE_NEWUSER != 0 {
            map_ids(pid).map_err(refused)?;
        }
        go.write_all(b"1").map_err(|_| NotSet::Ended)?;
        loop {
            match read_news(&mut news).ok_or(NotSet::Ended)? {
                (News::NoProc, errno) => stage.without_proc = Some(Errno::from_raw(errno)),
                (News::Made, 0) => break,
                (_, errno) => return Err(NotSet::Namespace(Errno::from_raw(errno))),
            }
        }
        stage.root = children_of(pid.number()).first().and_then(|pid| Pid::new(*pid)).ok_or(NotSet::NoProc)?;
        Ok(stage)
    }

    /// Lets the command be executed. When that was, or why it was not: within this time, and as long as nobody asks us to
    /// stop.
    pub(super) fn release(&mut self, limit: Duration, asked: BorrowedFd<'_>) -> Result<Time, NotReleased> {
        // It is there as long as it waits.
        let _ = self.go.write_all(b"1");
        match wait_for(self.trouble.as_fd(), asked, limit) {
            Woken::Fd => {}
            Woken::Asked => return Err(NotReleased::Asked),
            Woken::Late => return Err(NotReleased::Late),
        }
        let mut report = [0; 5];
        match self.trouble.read_exact(&mut report) {
            Err(_) => Ok(now()),
            Ok(()) => {
                let [step, errno @ ..] = report;
                if step == OURSELVES {
                    return Err(NotReleased::Ourselves(i32::from_ne_bytes(errno)));
                }
                let step = match step {
                    1 => Step::ExecForeign,
                    2 => Step::ExecShell,
                    _ => Step::Exec,
                };
                Err(NotReleased::Failed(StartError { step, errno: i32::from_ne_bytes(errno) }))
            }
        }
    }

    /// How the first process ended, as the stage has seen it who reaped it.
    pub(super) fn root_status(&mut self) -> Option<Status> {
        match read_news(&mut self.news)? {
            (News::Exited, code) => Some(Status::Exited(code as u8)),
            (News::Signaled, number) => Signal::new(number).map(Status::Signaled),
            _ => None,
        }
    }

    /// Its first process, where that has a mount namespace for itself and what it starts.
    pub(super) fn alone(&self) -> Option<Pid> {
        (self.kind == Kind::Namespace).then_some(self.root)
    }

    /// Ends all that is on it.
    pub(super) fn kill(&self) {
        let signal = self.kind.signal();
        // ESRCH: it has ended.
        let _ = crate::sys::processes::signal(self.pidfd.as_fd(), signal);
    }

    /// It does not end, though it was killed.
    pub(super) fn leave(&mut self) {
        log::warn!(
            "pid {} does not end, though it was killed: the kernel holds it or one below it; leaving it",
            self.pid
        );
        self.is_reaped = true;
    }

    /// Once it has ended.
    pub(super) fn reap(&mut self) {
        reap(self.pid);
        self.is_reaped = true;
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if self.is_reaped {
            return;
        }
        self.kill();
        let mut polled = [PollFd::new(self.pidfd.as_fd(), PollFlags::POLLIN)];
        match poll(&mut polled, PollTimeout::try_from(DEATH).unwrap_or(PollTimeout::NONE)) {
            Ok(0) => self.leave(),
            _ => self.reap(),
        }
    }
}

fn read_news(news: &mut PipeReader) -> Option<(News, i32)> {
    let mut message = [0; 5];
    news.read_exact(&mut message).ok()?;
    let [kind, number @ ..] = message;
    let all = [News::NoProc, News::Made, News::Exited, News::Signaled];
    let kind = all.into_iter().find(|other| *other as u8 == kind)?;
    Some((kind, i32::from_ne_bytes(number)))
}

fn tell(mut news: &PipeWriter, kind: News, number: i32) {
    let [a, b, c, d] = number.to_ne_bytes();
    // Who does not read it has ended, and so will we.
    let _ = news.write_all(&[kind as u8, a, b, c, d]);
}

/// Each id as itself.
fn map_ids(stage: Pid) -> io::Result<()> {
    fs::write(format!("/proc/{stage}/setgroups"), "deny")?;
    fs::write(format!("/proc/{stage}/gid_map"), format!("{0} {0} 1", getegid()))?;
    fs::write(format!("/proc/{stage}/uid_map"), format!("{0} {0} 1", geteuid()))
}

/// The children of all its threads, those that have ended too.
pub(super) fn children_of(pid: i32) -> Vec<i32> {
    let threads = numbers(&format!("/proc/{pid}/task")).unwrap_or_default();
    let lists = threads.into_iter().map(|thread| read_file(&format!("/proc/{pid}/task/{thread}/children")));
    lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}

fn wait_go(mut go: &PipeReader) -> bool {
    go.read_exact(&mut [0]).is_ok()
}

/// In the stage, to its end.
fn be_stage(kind: Kind, mode: Mode, payload: &Payload, ends: &Ends<'_>) -> u8 {
    // Before we look whether our parent is still there: it would not be told of to us any more.
    if send_parent_death_signal(kind.signal()).is_err() || (kind == Kind::Subreaper && set_subreaper().is_err()) {
        return 1;
    }
    let rest = Rest::new(Scope::Tree, this_process());
    let outputs = ends.outputs.map(|end| Some(end.as_raw_fd()));
    let given = ends.given.map(|(end, _)| end.as_raw_fd());
    let all = [ends.go.as_raw_fd(), ends.news.as_raw_fd(), ends.trouble.as_raw_fd()].map(Some);
    close_from_3(&[all[0], all[1], all[2], outputs[0], outputs[1], given]);
    if !wait_go(ends.go) {
        return 1;
    }
    // Keys are for us alone.
    let _ = setsid();
    if kind == Kind::Namespace {
        // The old /proc says who we are outside.
        let outside = fs::read_link("/proc/self");
        if let Err(errno) = show_own_proc() {
            tell(ends.news, News::NoProc, errno as i32);
        }
        // What starts again has another number than before, as outside: else it takes the pid file, the lock of its last
        // start for its own. Where that is refused, it has the same.
        let _ = outside.map(|outside| fs::write("/proc/sys/kernel/ns_last_pid", outside.as_os_str().as_bytes()));
    }
    let work = || be_command(mode, payload, ends);
    let started = match mode {
        Mode::Child => start_copy(work),
        Mode::Pid1 | Mode::Init => start_contained(libc::CLONE_NEWPID | libc::CLONE_NEWNS, work),
    };
    let root = match started {
        Ok(root) => root,
        Err(errno) => {
            tell(ends.news, News::Made, errno as i32);
            return 1;
        }
    };
    tell(ends.news, News::Made, 0);
    close_from_3(&[all[1]]);
    let mut sleep = Sleep::new(this_process());
    let mut is_told = false;
    loop {
        match sys::reap() {
            Reaped::Child(pid, Change::Ended(status)) if pid == root => match status {
                Status::Exited(code) => tell(ends.news, News::Exited, code.into()),
                Status::Signaled(signal) => tell(ends.news, News::Signaled, signal.number().into()),
            },
            Reaped::Child(..) => {}
            Reaped::Nothing(Left::None) => return 0,
            Reaped::Nothing(_) => {
                if is_told {
                    // What is new since the last time as well.
                    let _ = rest.kill();
                }
                is_told |= is_end(sleep.wait_signal(SigSet::ALL, None), kind);
            }
        }
    }
}

/// Whether a subreaper was told to end all.
fn is_end(wake: Wake, kind: Kind) -> bool {
    match wake {
        Wake::Signal(received) => kind == Kind::Subreaper && received.signal == kind.signal(),
        // We may not wait for signals.
        Wake::Refused(_) => {
            sys::wait_child(None);
            false
        }
        Wake::Nothing | Wake::Helper => false,
    }
}

/// A /proc of the PID namespace that we are in, and nothing that is mounted here is seen elsewhere.
fn show_own_proc() -> Result<(), Errno> {
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_SLAVE, none)?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, none)
}

/// The same file by a number that nobody has asked for.
fn move_above(fd: BorrowedFd<'_>, lowest: RawFd) -> Result<fs::File, Errno> {
    crate::sys::duplicate_above(fd, lowest).map(fs::File::from)
}

/// In the process that becomes the command.
fn be_command(mode: Mode, payload: &Payload, ends: &Ends<'_>) -> u8 {
    if mode != Mode::Child {
        // The stage has told of it, if that cannot be.
        let _ = show_own_proc();
    }
    if !wait_go(ends.go) {
        return 1;
    }
    // The descriptors are there: none of the four calls fails.
    if let Ok(null) = fs::File::open("/dev/null") {
        let _ = dup2_stdin(null);
    }
    let [stdout, stderr] = ends.outputs;
    let _ = dup2_stdout(stdout);
    let _ = dup2_stderr(stderr);
    let above = ends.given.map_or(2, |(_, number)| number) + 1;
    let Ok(mut trouble) = move_above(ends.trouble.as_fd(), above) else { return 1 };
    let given = ends.given.and_then(|(end, number)| give_as(end.as_fd(), number).ok());
    close_from_3(&[Some(trouble.as_raw_fd()), given]);
    if let Some((soft, hard)) = payload.descriptors {
        // What we have had ourselves is not refused.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, soft, hard);
    }
    forget_dispositions();
    let failed = match mode {
        Mode::Pid1 | Mode::Child => become_program(&payload.program),
        Mode::Init => {
            let environment: Vec<_> = payload.program.environment.entries().collect();
            let _ = setsid();
            let _ = sys::set_mask(SigSet::NONE);
            let errno = execute(&payload.ourselves, &payload.words_of_init, &environment);
            StartError { step: Step::Exec, errno: errno as i32 }
        }
    };
    let step = match failed.step {
        _ if mode == Mode::Init => OURSELVES,
        Step::ExecForeign => 1,
        Step::ExecShell => 2,
        _ => 0,
    };
    let [a, b, c, d] = failed.errno.to_ne_bytes();
    let _ = trouble.write_all(&[step, a, b, c, d]);
    127
}
