//! What is said of real processes: shells, python, util-linux, as this machine has them.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollTimeout, poll};
use nix::sys::ptrace;
use nix::sys::signal::{Signal as NixSignal, kill, killpg};
use nix::unistd::Pid as NixPid;
use supervise_init::core::{KillMode, Scope, Signal};
use supervise_init::sys::{SigSet, this_process};

use super::judge::{Scene, Told};
use super::process::Process;
use super::read::{self, Whose};
use super::text::{Line, Settings};

/// A main program with its descendants, in a process group of its own. It says `ready` when it is.
struct Main {
    child: Child,
    /// Open as long as it lives: zsh writes to it again, and would die of a SIGPIPE.
    _stdout: Option<BufReader<ChildStdout>>,
    deadline: Instant,
}

impl Main {
    /// `None`, said aloud, where this machine has no such program.
    fn start(words: &[&str]) -> Option<Main> {
        let (program, arguments) = words.split_first()?;
        let started = Command::new(program).args(arguments).stdout(Stdio::piped()).process_group(0).spawn();
        let Ok(mut child) = started else {
            assert!(std::env::var("CI").is_err(), "no {program} here");
            eprintln!("skipped: no {program} here");
            return None;
        };
        let mut line = String::new();
        let mut stdout = child.stdout.take().map(BufReader::new);
        stdout.as_mut().map(|stdout| stdout.read_line(&mut line)).transpose().expect("a pipe can be read");
        assert_eq!(line.trim(), "ready", "{words:?}");
        Some(Main { child, _stdout: stdout, deadline: Instant::now() + Duration::from_secs(20) })
    }

    fn python(script: &str) -> Option<Main> {
        Main::start(&["python3", "-c", script])
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a pid is small")
    }

    fn signal(&self, signal: NixSignal) {
        kill(NixPid::from_raw(self.pid()), signal).expect("it is ours");
    }

    /// Looks until something is found: nothing tells when a program has come as far as the test wants it.
    fn until<T>(&self, mut found: impl FnMut() -> Option<T>) -> T {
        loop {
            if let Some(found) = found() {
                return found;
            }
            assert!(Instant::now() < self.deadline, "nothing came of it; seen: {:#?}", self.look(KillMode::Main));
            let _ = poll(&mut [], PollTimeout::from(1_u8));
        }
    }

    fn processes() -> Vec<Process> {
        let whose =
            Whose { scope: Scope::Tree, ourselves: this_process(), inherited: &[], waited: Duration::ZERO, next: None };
        read::processes(&whose).expect("/proc is there")
    }

    /// A child of that name. Until it has executed its program it is a copy of its parent, traps and all.
    fn child_of(parent: i32, comm: &str) -> Option<i32> {
        let processes = Main::processes();
        processes.iter().find(|process| process.parent == parent && process.comm == comm).map(|process| process.pid)
    }

    /// Kind, pid and text of what is found.
    fn look(&self, kill_mode: KillMode) -> Vec<(&'static str, i32, String)> {
        let processes = Main::processes();
        let scene = Scene {
            told: Told::Main(kill_mode),
            signal: Signal::TERM,
            main: self.pid(),
            ourselves: this_process().number(),
            blocked_at_entry: SigSet::from_bits(0),
            ignored_at_entry: SigSet::from_bits(0),
            processes: &processes,
        };
        let waited = Duration::from_secs(5);
        let (told, signal, settings) = (scene.told, scene.signal, Settings::Options);
        let line = |finding| Line { finding, told, signal, waited, next: None, shell: None, settings };
        let findings = scene.judge();
        findings.iter().map(|finding| (finding.why.name(), finding.process.pid, line(finding).to_string())).collect()
    }

    /// Waits until exactly `kinds` are found, and shows them.
    fn expect(&self, kill_mode: KillMode, kinds: &[&str]) -> Vec<i32> {
        self.until(|| {
            let found = self.look(kill_mode);
            let is_it = found.iter().map(|(kind, _, _)| *kind).eq(kinds.iter().copied());
            is_it.then(|| found.iter().for_each(|(_, _, line)| println!("{line}")));
            is_it.then(|| found.into_iter().map(|(_, pid, _)| pid).collect())
        })
    }

    fn expect_of_main(&self, kind: &str) {
        assert_eq!(self.expect(KillMode::Main, &[kind]), [self.pid()]);
    }
}

impl Drop for Main {
    fn drop(&mut self) {
        for process in Main::processes() {
            let is_below = process.group == self.pid() || process.parent == self.pid();
            if is_below && process.pid != self.pid() {
                let _ = kill(NixPid::from_raw(process.pid), NixSignal::SIGKILL);
            }
        }
        let _ = killpg(NixPid::from_raw(self.pid()), NixSignal::SIGKILL);
        let _ = self.child.wait();
    }
}

const SHELLS: [&[&str]; 4] = [&["bash"], &["dash"], &["busybox", "sh"], &["zsh"]];

/// The script in each shell that there is.
fn in_each_shell(script: &str) -> impl Iterator<Item = Main> {
    SHELLS.into_iter().filter_map(move |shell| Main::start(&[shell, &["-c", script]].concat()))
}

#[test]
fn a_trap_waits_for_a_child_in_the_foreground() {
    for main in in_each_shell("trap 'exit 3' TERM; echo ready; sleep 1000; true") {
        main.until(|| Main::child_of(main.pid(), "sleep"));
        main.signal(NixSignal::SIGTERM);
        main.expect_of_main("foreground-child");
        // What would have helped.
        killpg(NixPid::from_raw(main.pid()), NixSignal::SIGTERM).expect("the group is there");
        main.until(|| main.look(KillMode::Main).is_empty().then_some(()));
    }
}

#[test]
fn a_trap_has_run_if_the_child_is_in_the_background() {
    for main in in_each_shell("trap 'true' TERM; sleep 1000 & echo ready; while :; do wait; done") {
        main.until(|| Main::child_of(main.pid(), "sleep"));
        main.signal(NixSignal::SIGTERM);
        main.expect_of_main("trap");
    }
}

#[test]
fn a_shell_that_ignores_it_keeps_it_from_its_child() {
    let app = "exec python3 -c 'import signal; signal.signal(15, signal.SIG_DFL); print(\"ready\", flush=True); signal.pause()'";
    for main in in_each_shell(&format!("trap '' TERM; (trap - INT; {app}); true")) {
        main.signal(NixSignal::SIGTERM);
        main.expect_of_main("ignored");
    }
}

#[test]
fn what_a_program_ignores_it_ignores() {
    let Some(main) =
        Main::python("import signal; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); signal.pause()")
    else {
        return;
    };
    main.signal(NixSignal::SIGTERM);
    main.expect_of_main("ignored");
}

#[test]
fn a_blocked_signal_waits_and_one_that_was_taken_does_not() {
    let start = "import signal, time; signal.pthread_sigmask(0, [15]); print('ready', flush=True); ";
    let Some(main) = Main::python(&format!("{start} time.sleep(1000)")) else { return };
    main.signal(NixSignal::SIGTERM);
    main.expect_of_main("blocked");
    let Some(main) = Main::python(&format!("{start} exec('while True: signal.sigwait([15])')")) else { return };
    main.signal(NixSignal::SIGTERM);
    main.expect_of_main("working");
    let Some(main) = Main::python(&format!("{start} signal.sigwait([15]); time.sleep(1000)")) else { return };
    main.signal(NixSignal::SIGTERM);
    main.expect_of_main("working");
}

#[test]
fn a_signalfd_that_is_not_read_is_seen() {
    let script = "import ctypes, signal, time; signal.pthread_sigmask(0, [15]); \
                  mask = (1 << 14).to_bytes(128, 'little'); ctypes.CDLL(None).signalfd(-1, mask, 0); \
                  print('ready', flush=True); time.sleep(1000)";
    let Some(main) = Main::python(script) else { return };
    main.signal(NixSignal::SIGTERM);
    main.expect_of_main("unread");
}

#[test]
fn the_stopped_and_the_traced_are_told_apart() {
    let Some(main) = Main::start(&["sh", "-c", "echo ready; exec sleep 1000"]) else { return };
    main.signal(NixSignal::SIGSTOP);
    main.expect_of_main("stopped");
    main.signal(NixSignal::SIGTERM);
    main.expect_of_main("stopped");
    // What would have helped.
    main.signal(NixSignal::SIGCONT);
    main.until(|| main.look(KillMode::Main).is_empty().then_some(()));
    let Some(main) = Main::start(&["sh", "-c", "echo ready; exec sleep 1000"]) else { return };
    if ptrace::attach(NixPid::from_raw(main.pid())).is_err() {
        eprintln!("skipped: ptrace is not allowed here");
        return;
    }
    main.expect_of_main("traced");
}

#[test]
fn a_stopped_child_has_a_line_of_its_own() {
    let main = Main::start(&["sh", "-c", "trap 'exit 3' TERM; sleep 1000 & echo ready; wait; wait"]);
    let Some(main) = main else { return };
    let child = main.until(|| Main::child_of(main.pid(), "sleep"));
    kill(NixPid::from_raw(child), NixSignal::SIGSTOP).expect("it is there");
    assert!(main.expect(KillMode::Main, &["trap", "stopped"]).contains(&child));
}

#[test]
fn a_vfork_that_does_not_come_to_an_exec_is_named() {
    let script = "import ctypes, signal, time; signal.signal(15, lambda *_: None); print('ready', flush=True); \
                  ctypes.CDLL(None).vfork(); time.sleep(1000)";
    let Some(main) = Main::python(script) else { return };
    main.signal(NixSignal::SIGTERM);
    main.expect_of_main("vfork");
}

#[test]
fn pid_1_of_a_namespace_throws_the_signal_away() {
    let inner = "echo ready; exec sleep 1000";
    let Some(main) = Main::start(&["unshare", "--user", "--map-root-user", "--pid", "--fork", "sh", "-c", inner])
    else {
        return;
    };
    main.until(|| main.look(KillMode::Tree).iter().any(|(kind, ..)| *kind == "discarded").then_some(()));
    let inner = main.until(|| Main::child_of(main.pid(), "sleep"));
    kill(NixPid::from_raw(inner), NixSignal::SIGTERM).expect("it is there");
    assert_eq!(main.expect(KillMode::Tree, &["discarded"]), [inner]);
    main.signal(NixSignal::SIGTERM);
    println!("{:#?}", main.look(KillMode::Main));
}

#[test]
fn a_child_in_a_session_of_its_own_needs_the_whole_tree() {
    let script = "import signal, subprocess; signal.signal(15, lambda *_: None); \
                  child = subprocess.Popen(['sleep', '1000'], start_new_session=True); print('ready', flush=True); \
                  child.wait()";
    let Some(main) = Main::python(script) else { return };
    killpg(NixPid::from_raw(main.pid()), NixSignal::SIGTERM).expect("the group is there");
    let expect = |mode| assert_eq!(main.expect(mode, &["waits"]), [main.pid()]);
    expect(KillMode::Main);
    expect(KillMode::Group);
    let line = main.look(KillMode::Group).pop().map(|(_, _, line)| line).unwrap_or_default();
    assert!(line.ends_with("or use --kill-mode=tree"), "{line}");
}

#[test]
fn many_workers_make_one_line() {
    let script = "import os, signal\n\
                  signal.signal(15, lambda *_: None)\n\
                  alive = all(os.fork() for _ in range(8))\n\
                  if alive: print('ready', flush=True)\n\
                  while True: signal.pause()";
    let Some(main) = Main::python(script) else { return };
    main.signal(NixSignal::SIGTERM);
    for mode in [KillMode::Main, KillMode::Group, KillMode::Tree] {
        assert_eq!(main.expect(mode, &["working"]), [main.pid()]);
    }
}

#[test]
fn an_interactive_shell_is_known() {
    for shell in ["bash --norc -i", "dash -i", "busybox sh", "zsh -f -i"] {
        let words: Vec<&str> = shell.split(' ').collect();
        if Command::new(words.first().unwrap_or(&"")).arg("--help").output().is_err() {
            eprintln!("skipped: no {shell} here");
            continue;
        }
        let script =
            format!("import pty, os; print('ready', flush=True); pty.spawn({words:?}, lambda fd: os.read(fd, 1024))");
        let Some(terminal) = Main::python(&script) else { return };
        terminal.until(|| {
            let processes = Main::processes();
            let is_it = |process: &&Process| process.parent == terminal.pid() && process.is_interactive_shell();
            processes.iter().find(is_it).map(|_| ())
        });
    }
}
