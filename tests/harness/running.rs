//! An init that was started: its pid, its lines, its end.

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

use super::lines::Lines;
use super::{Exit, Scene, proc, send};

/// A started init, killed and reaped when it goes out of scope.
pub(crate) struct Running<'s> {
    scene: &'s Scene,
    child: Child,
    /// How many processes of the harness stand above the init.
    forks: usize,
    name: String,
    stdin: Option<ChildStdin>,
    stdout: Option<Lines>,
    stderr: Option<Lines>,
}

/// How it went.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) exit: Exit,
    pub(crate) stdout: Vec<String>,
    pub(crate) stderr: Vec<String>,
}

impl<'s> Running<'s> {
    pub(crate) fn start(scene: &'s Scene, mut command: Command, forks: usize, program: &Path) -> Running<'s> {
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
        let name = program.file_name().and_then(|name| name.to_str()).expect("a program has a name");
        // The kernel keeps 15 bytes of it.
        let name = name[..name.len().min(15)].to_owned();
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().map(|pipe| Lines::new(pipe.into(), scene.deadline));
        let stderr = child.stderr.take().map(|pipe| Lines::new(pipe.into(), scene.deadline));
        Running { scene, child, forks, name, stdin, stdout, stderr }
    }

    /// The process that the test started itself: the init, or the outermost wrapper.
    pub(crate) fn outer_pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// The init's pid as this side of the namespace sees it, once the init runs.
    #[track_caller]
    pub(crate) fn pid(&self) -> i32 {
        self.scene.deadline.until(&format!("{} to run", self.name), || {
            let mut pid = self.outer_pid();
            for _ in 0..self.forks {
                pid = *proc::children(pid).first()?;
            }
            (proc::name(pid)? == self.name).then_some(pid)
        })
    }

    /// The init's only child: the payload.
    #[track_caller]
    pub(crate) fn main_pid(&self) -> i32 {
        let init = self.pid();
        self.scene.deadline.until("the payload", || proc::children(init).first().copied())
    }

    pub(crate) fn signal(&self, signal: i32) {
        send(self.pid(), signal, 1);
    }

    pub(crate) fn stdout(&mut self) -> &mut Lines {
        self.stdout.as_mut().expect("stdout is a pipe to the test")
    }

    pub(crate) fn stderr(&mut self) -> &mut Lines {
        self.stderr.as_mut().expect("stderr is a pipe to the test")
    }

    /// The next line of the payload.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        match self.stdout().next() {
            Some(line) => line,
            None => panic!("end of file instead of a line; stderr: {}", self.said()),
        }
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, wanted: &str) {
        let line = self.line();
        assert_eq!(line, wanted, "stderr: {}", self.said());
    }

    /// Gives the payload's `read` a line.
    pub(crate) fn go(&mut self) {
        let stdin = self.stdin.as_mut().expect("stdin is a pipe from the test");
        stdin.write_all(b"go\n").expect("the payload reads");
    }

    pub(crate) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// What stderr has brought so far.
    pub(crate) fn said(&mut self) -> String {
        self.stderr.as_mut().map(Lines::so_far).unwrap_or_default()
    }

    /// The next warning of supervise, without its name. The payload may write to stderr too.
    #[track_caller]
    pub(crate) fn warning(&mut self) -> String {
        loop {
            let line = self.stderr().next().expect("end of file instead of a warning");
            if let Some(warning) = line.strip_prefix("supervise: warning: ") {
                return warning.to_owned();
            }
        }
    }

    /// Waits until supervise has said a line with one of these texts (with `--verbose`), and returns that line.
    #[track_caller]
    pub(crate) fn wait_until_said(&mut self, texts: &[&str]) -> String {
        loop {
            let Some(line) = self.stderr().next() else { panic!("it ended before it said any of {texts:?}") };
            if texts.iter().any(|text| line.contains(text)) {
                return line;
            }
        }
    }

    /// Waits for the end of what the test started: wrappers end as the init did.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> Exit {
        self.wait_status().into()
    }

    #[track_caller]
    pub(crate) fn wait_status(&mut self) -> ExitStatus {
        let deadline = self.scene.deadline;
        let awaited = format!("the end of {}; stderr: {}", proc::describe(self.outer_pid()), self.said());
        deadline.until(&awaited, || self.child.try_wait().expect("the child is ours"))
    }

    /// Whether the end was announced as one that left a core file.
    #[track_caller]
    pub(crate) fn dumped_core(&mut self) -> bool {
        self.wait_status().core_dumped()
    }

    /// Waits for the end, with everything it said. Both pipes must end: no process may keep them open.
    #[track_caller]
    pub(crate) fn end(mut self) -> Ended {
        self.close_stdin();
        let stdout = self.stdout.as_mut().map(Lines::rest).unwrap_or_default();
        let stderr = self.stderr.as_mut().map(Lines::rest).unwrap_or_default();
        Ended { exit: self.wait(), stdout, stderr }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let said = self.said();
            eprintln!("{} had said: {said}", self.name);
        }
        // Not reaped yet, so the pid is still its own. A wrapper takes the namespace with it; the scene does the rest.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// strace(1) of this process alone, with these options.
#[track_caller]
pub(crate) fn strace<'s>(scene: &'s Scene, options: &[&str], pid: i32) -> Running<'s> {
    let mut command = scene.command("strace");
    command.args(["-o", "/dev/null"]).args(options).args(["-p", &pid.to_string()]).stderr(Stdio::null());
    let tracer = Running::start(scene, command, 0, Path::new("strace"));
    let is_attached = || (proc::status(pid, "TracerPid")? == tracer.outer_pid().to_string()).then_some(());
    scene.deadline.until("strace to attach", is_attached);
    tracer
}

/// Requires that the next report is of this signal.
#[track_caller]
pub(crate) fn expect_report(init: &mut Running<'_>, signal: i32) {
    let line = init.line();
    assert!(line.starts_with(&format!("got {signal} from ")), "waited for {signal}: {line}; {}", init.said());
}

/// Sends one, and requires that main gets it before anything else.
#[track_caller]
pub(crate) fn passes(init: &mut Running<'_>, signal: i32) {
    init.signal(signal);
    expect_report(init, signal);
}

/// Requires one line of ours with these words, and nothing started.
#[track_caller]
pub(crate) fn refused(ended: &Ended, words: &[&str]) {
    refused_with(ended, 125, words);
}

/// The same with another exit code.
#[track_caller]
pub(crate) fn refused_with(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!((ended.exit, ended.stdout.len(), ended.stderr.len()), (Exit::Code(code), 0, 1), "{ended:?}");
    for word in words {
        assert!(ended.stderr[0].contains(word), "nothing of {word:?} in {ended:?}");
    }
}
