//! The plain experiment: start the program, wait until it is ready, send it the signal, and write down what came of it.
//! Nothing of the checker is in it.
//!
//! 1. Either way the program is in a PID namespace of its own with a fresh /proc, so that nothing of it can hide: as its
//!    process 1, or beside a process 1 that does nothing. We are its parent in both, and get its wait status.
//! 2. How the others ended is in the kernel's accounts. What the kernel kills because process 1 has ended is there with
//!    SIGKILL, which nobody else sends before the grace time is over.
//! 3. What lives on after the end of a program that is not process 1 is in the namespace still.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};

use crate::accounts;
use crate::harness::lines::Lines;
use crate::harness::slow::python;
use crate::harness::{Deadline, Exit, Scene, proc, send};
use crate::ready::Ready;

/// As what the program runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    Process1,
    Child,
}

/// How it ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    By(Exit),
    /// Not within the grace time.
    Never,
}

/// What came of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Seen {
    pub(crate) end: End,
    /// The names of those that outlived it: as process 1, those that the kernel killed with it.
    pub(crate) left: BTreeSet<String>,
    /// From the signal on.
    pub(crate) took: Duration,
}

/// Turns on the accounting, hides other processes, and becomes its operand.
const ENTER: &str =
    "mount --make-rprivate / && mount -t proc proc /proc && \"$0\" -c \"$1\" \"$2\" && shift 2 && exec \"$@\"";

/// What is process 1 beside a program that is not: it reaps what is left to it, and nothing else.
const KEEPER: [&str; 3] = ["sh", "-c", "trap '' CHLD; echo kept; exec sleep infinity"];

/// How long nothing may change before the program counts as quiet: what is ready may still start its workers.
const QUIET: Duration = Duration::from_millis(200);

/// How long what the program's end has ended, too, may take to be gone.
const AFTERMATH: Duration = Duration::from_secs(1);

/// How long it is waited for that an orphan is reaped by who is known not to do so.
const REAPING: Duration = Duration::from_secs(3);

/// One run.
pub(crate) struct Run<'s> {
    scene: &'s Scene,
    /// Process 1, where the program is not.
    keeper: Option<Child>,
    main: Child,
    /// The link that all of its namespace have.
    namespace: PathBuf,
    book: PathBuf,
    output: PathBuf,
}

impl<'s> Run<'s> {
    /// Starts the program. Two runs of a scene need two names.
    #[track_caller]
    pub(crate) fn start(scene: &'s Scene, name: &str, place: Place, ready: &Ready, words: &[String]) -> Run<'s> {
        let [book, output] = ["book", "output"].map(|file| scene.folder().join(format!("{name}.{file}")));
        let [_, file] = [&book, &output].map(|path| File::create(path).expect("the folder is ours"));
        let entering = ["sh", "-c", ENTER, python(), accounts::BEGIN, &book.display().to_string()].map(str::to_owned);
        // What is first in the namespace prepares it for all.
        let (keeper, words) = match place {
            Place::Process1 => (None, [&entering, words].concat()),
            Place::Child => {
                (Some(own_session(scene, &[&entering[..], &KEEPER.map(str::to_owned)].concat())), words.to_vec())
            }
        };
        let mut main = own_session(scene, &words);
        main.envs(ready.variable()).stdout(file.try_clone().expect("it is open")).stderr(file);
        // A namespace of PIDs is for the children of the thread that makes it, and ends with the last of them.
        let deadline = scene.deadline;
        let (keeper, main) = thread::spawn(move || within(deadline, keeper, main)).join().expect("it is started");
        let first = keeper.as_ref().map_or(main.id(), Child::id);
        let namespace = fs::read_link(format!("/proc/{first}/ns/pid")).expect("it runs");
        Run { scene, keeper, main, namespace, book, output }
    }

    pub(crate) fn pid(&self) -> i32 {
        self.main.id().cast_signed()
    }

    /// Waits until it is ready and quiet.
    #[track_caller]
    pub(crate) fn wait_ready(&mut self, ready: &mut Ready) {
        let output = self.output.clone();
        self.scene.deadline.until("the program to be ready", || {
            let written = || fs::read_to_string(&output).unwrap_or_default();
            assert_eq!(self.main.try_wait().expect("the child is ours"), None, "it has ended: {}", written());
            ready.is(&written).then_some(())
        });
        let mut last = (self.work(), Instant::now());
        self.scene.deadline.until("the program to be quiet", || {
            let now = self.work();
            if now != last.0 || now.iter().any(|(_, state, _)| *state == 'R') {
                last = (now, Instant::now());
            }
            (last.1.elapsed() > QUIET).then_some(())
        });
    }

    /// What it does: its processes, whether they run, and how long they have done so.
    fn work(&self) -> Vec<(i32, char, String)> {
        let all = self.others().into_iter().chain([self.pid()]);
        all.filter_map(|pid| Some((pid, proc::state(pid)?, proc::processor_time(pid)?))).collect()
    }

    /// Whether process 1 reaps an orphan that is not its own, as a health check that is cut off leaves one. Nothing where
    /// the program is not that. Who is known to do so may take its time: apache2 looks once a second.
    #[track_caller]
    pub(crate) fn reaps(&self, is_known_to: bool) -> Option<bool> {
        if self.keeper.is_some() {
            return None;
        }
        let mut check = self.scene.command("nsenter");
        // It ends with 0: postgres and gunicorn take any other end for a crash of one of their own.
        let leave = "exec 3<&0; cat <&3 >/dev/null & echo $!";
        check.args(["--target", &self.pid().to_string(), "--pid", "sh", "-c", leave]);
        let mut check = check.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
        let life = check.stdin.take();
        // The shell has ended when this has: what it has left is process 1's.
        let told = check.wait_with_output().expect("it is ours").stdout;
        let inside: i32 = String::from_utf8_lossy(&told).trim().parse().expect("the shell tells its pid");
        let is_it = |pid: &i32| self.has(*pid) && proc::inner_pid(*pid) == Some(inside);
        let orphan = proc::pids().find(is_it).expect("it lives as long as its input is open");
        drop(life);
        let state = || proc::state(orphan);
        self.scene.deadline.until("the end of the orphan", || state().is_none_or(|state| state == 'Z').then_some(()));
        let begin = Instant::now();
        self.scene.deadline.until("the orphan to be reaped", || match state() {
            None => Some(Some(true)),
            Some(_) => (!is_known_to && begin.elapsed() > REAPING).then_some(Some(false)),
        })
    }

    /// Whether it is in the namespace.
    fn has(&self, pid: i32) -> bool {
        fs::read_link(format!("/proc/{pid}/ns/pid")).is_ok_and(|link| link == self.namespace)
    }

    /// Sends the signal and sees what comes of it.
    #[track_caller]
    pub(crate) fn tell(mut self, signal: i32, grace: Duration) -> Seen {
        let pid = self.pid();
        let begin = Instant::now();
        send(pid, signal, 1);
        let status = loop {
            let ended = self.main.try_wait().expect("the child is ours");
            if ended.is_some() || begin.elapsed() > grace {
                break ended;
            }
            let _ = poll(&mut [], PollTimeout::from(1u8));
        };
        let took = begin.elapsed();
        let Some(status) = status else {
            // One that looks around now and then may just be doing so.
            self.scene.deadline.until("it to wait", || (proc::state(pid) == Some('S')).then_some(()));
            for line in ["SigPnd", "ShdPnd"] {
                let pending = proc::status(pid, line).unwrap_or_default();
                let pending = u64::from_str_radix(&pending, 16).expect("it is a set of signals");
                assert_eq!(pending >> (signal - 1) & 1, 0, "it has not taken the signal: {line} {pending:x}");
            }
            return Seen { end: End::Never, left: BTreeSet::new(), took };
        };
        let left = match self.keeper {
            Some(_) => self.survivors(),
            None => self.killed(),
        };
        Seen { end: End::By(status.into()), left, took }
    }

    /// What lives beside the keeper and the program.
    fn others(&self) -> Vec<i32> {
        let keeper = self.keeper.as_ref().map(|child| child.id().cast_signed());
        let is_alive = |pid: &i32| proc::state(*pid).is_some_and(|state| !"ZX".contains(state));
        let all = proc::pids().filter(|pid| Some(*pid) != keeper && *pid != self.pid());
        all.filter(|pid| self.has(*pid)).filter(is_alive).collect()
    }

    /// Those that live on.
    fn survivors(&self) -> BTreeSet<String> {
        let begin = Instant::now();
        while !self.others().is_empty() && begin.elapsed() < AFTERMATH {
            let _ = poll(&mut [], PollTimeout::from(1u8));
        }
        self.others().into_iter().filter_map(proc::name).collect()
    }

    /// Those that the kernel killed when process 1 had ended.
    fn killed(&self) -> BTreeSet<String> {
        let killed = |entry: &accounts::Entry| entry.pid != 1 && entry.exit == Exit::Signal(libc::SIGKILL);
        accounts::read(&self.book).into_iter().filter(killed).map(|entry| entry.name).collect()
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        // With process 1 all of the namespace goes, once we have reaped what is ours in it.
        let mut ours: Vec<&mut Child> = [&mut self.main].into_iter().chain(&mut self.keeper).collect();
        ours.iter_mut().for_each(|child| drop(child.kill()));
        ours.iter_mut().for_each(|child| drop(child.wait()));
    }
}

/// A command with nothing of ours but the mark: whoever started us in the background may have left signals ignored, and
/// what is sent to a group must not reach us.
fn own_session(scene: &Scene, words: &[String]) -> Command {
    let mut command = scene.command("env");
    command.args(["--default-signal", "setsid"]).args(words);
    command
}

/// Starts what belongs into a new namespace. The thread is good for nothing else afterwards.
fn within(deadline: Deadline, keeper: Option<Command>, mut main: Command) -> (Option<Child>, Child) {
    unshare(CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS).expect("we are root");
    let keeper = keeper.map(|mut keeper| {
        let mut keeper = keeper.stdout(Stdio::piped()).spawn().expect("it runs");
        let stdout = keeper.stdout.take().expect("it is a pipe");
        assert_eq!(Lines::new(stdout.into(), deadline).next().as_deref(), Some("kept"));
        keeper
    });
    (keeper, main.spawn().expect("it runs"))
}
