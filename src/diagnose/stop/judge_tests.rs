//! What is found in processes that are made up, and what is said of them.

use std::time::Duration;

use supervise_init::core::{KillMode, Signal};
use supervise_init::sys::SigSet;

use super::judge::{Scene, Told};
use super::process::{Process, State};
use super::text::{Line, Seconds, Settings, Shell};
use crate::proc::WaitsFor;

const NONE: SigSet = SigSet::from_bits(0);
const OURSELVES: i32 = 1;
const MAIN: i32 = 7;

fn set(signals: &[Signal]) -> SigSet {
    SigSet::from_bits(signals.iter().fold(0, |all, signal| all | 1 << (signal.number() - 1)))
}

/// A process that would end by any signal.
fn process(pid: i32, parent: i32, words: &str) -> Process {
    let comm = words.split(' ').next().unwrap_or_default().to_owned();
    Process {
        pid,
        parent,
        group: MAIN,
        state: State::Able,
        has_terminal: false,
        is_init: false,
        is_shell: comm == "sh",
        is_dumping: false,
        is_newer: false,
        comm,
        words: words.to_owned(),
        ignored: NONE,
        caught: NONE,
        blocked: NONE,
        pending: NONE,
        by_signalfd: NONE,
        waits_for: WaitsFor::Else,
    }
}

fn catching(process: Process) -> Process {
    Process { caught: set(&[Signal::TERM]), ..process }
}

fn ignoring(process: Process) -> Process {
    Process { ignored: set(&[Signal::TERM]), ..process }
}

fn in_background(process: Process) -> Process {
    Process { ignored: set(&[Signal::INT, Signal::QUIT]), ..process }
}

fn scene<'a>(told: Told, processes: &'a [Process]) -> Scene<'a> {
    Scene {
        told,
        signal: Signal::TERM,
        main: MAIN,
        ourselves: OURSELVES,
        blocked_at_entry: NONE,
        ignored_at_entry: NONE,
        processes,
    }
}

fn lines_of(scene: &Scene<'_>, next: Option<Duration>, shell: Option<&Shell>) -> Vec<String> {
    let Scene { told, signal, .. } = *scene;
    let findings = scene.judge();
    let (waited, settings) = (Duration::from_secs(5), Settings::Options);
    let line = |finding| Line { finding, told, signal, waited, next, shell, settings }.to_string();
    findings.iter().map(line).collect()
}

/// What is said when main and, by the mode, others were told; less what each line begins with.
fn of_main(mode: KillMode, processes: &[Process]) -> Vec<String> {
    let lines = lines_of(&scene(Told::Main(mode), processes), None, None);
    lines.iter().map(|line| line.strip_prefix("5 s after SIGTERM: ").unwrap_or(line).to_owned()).collect()
}

fn of_leftovers(processes: &[Process]) -> Vec<String> {
    let lines = lines_of(&scene(Told::Leftovers, processes), Some(Duration::from_millis(2500)), None);
    lines.iter().map(|line| line.strip_prefix("5 s after SIGTERM: leftover ").unwrap_or(line).to_owned()).collect()
}

#[test]
fn where_there_are_no_options_their_variables_are_advised() {
    let processes = [ignoring(process(MAIN, OURSELVES, "app"))];
    let scene = scene(Told::Main(KillMode::Main), &processes);
    let (waited, settings) = (Duration::from_secs(5), Settings::Variables);
    let Scene { told, signal, .. } = scene;
    let line = |finding| Line { finding, told, signal, waited, next: None, shell: None, settings }.to_string();
    let lines: Vec<String> = scene.judge().iter().map(line).collect();
    assert!(lines[0].contains("use SUPERVISE_STOP_SIGNAL=INT, which ends it, or"), "{lines:?}");
}

const MORE_TIME: &str = "give it more time (docker stop -t, terminationGracePeriodSeconds), or let it stop faster";

#[test]
fn main_alone_is_said_to_do_what_it_does_with_the_signal() {
    let main = || process(MAIN, OURSELVES, "app");
    let pending = |process| Process { blocked: set(&[Signal::TERM]), pending: set(&[Signal::TERM]), ..process };
    let cases = [
        (
            Process { state: State::Stopped, ..main() },
            "is stopped and cannot act on SIGTERM: continue it (kill -CONT 7)",
        ),
        (
            Process { state: State::Traced(9), ..main() },
            "is held by a debugger (pid 9) and cannot act on SIGTERM: let the debugger continue it, or end the debugger",
        ),
        (
            Process { state: State::Stuck("nfs_wait".into()), ..main() },
            "sits in a system call that SIGTERM does not interrupt (in nfs_wait): see to the device or network file system \
             that it waits for (or thaw its cgroup); SIGKILL may have to wait too",
        ),
        (ignoring(main()), "ignores SIGTERM: use --stop-signal=INT, which ends it, or let it handle SIGTERM"),
        (
            Process { caught: set(&[Signal::QUIT, Signal::HUP]), ..ignoring(main()) },
            "ignores SIGTERM: use --stop-signal=QUIT, which it handles, or let it handle SIGTERM",
        ),
        (
            Process { caught: set(&[Signal::INT]), ..pending(main()) },
            "blocks SIGTERM in all its threads: use --stop-signal=INT, which it handles, or let it unblock SIGTERM, or \
             start it unblocked",
        ),
        (
            Process { by_signalfd: set(&[Signal::TERM]), ..pending(main()) },
            "has a signalfd for SIGTERM and has not read it: its event loop is busy or stuck: let the loop get to it",
        ),
        (
            Process { is_init: true, ..main() },
            "is PID 1 of its own PID namespace and has no handler for SIGTERM, so that the kernel discards it: start it \
             there under an init (supervise -- ...), or let it handle SIGTERM",
        ),
        (
            Process { is_dumping: true, ..main() },
            "is writing its core dump: let it, or allow no core dump (ulimit -c 0)",
        ),
        (
            Process { pending: set(&[Signal::KILL]), ..main() },
            "has SIGTERM and is being ended by the kernel: nothing is to be done",
        ),
        (
            main(),
            "runs although SIGTERM ends it: what ran in this process before it took the signal: send it once more",
        ),
    ];
    for (main, said) in cases {
        assert_eq!(of_main(KillMode::Main, &[main]), [format!("pid 7 (`app`) {said}")]);
    }
}

#[test]
fn whoever_takes_the_signal_in_some_way_is_at_work() {
    let main = || process(MAIN, OURSELVES, "app");
    for main in [
        catching(main()),
        Process { blocked: set(&[Signal::TERM]), ..main() },
        Process { blocked: set(&[Signal::TERM]), ..ignoring(main()) },
        Process { waits_for: WaitsFor::Signal, ..main() },
        Process { is_init: true, ..catching(main()) },
    ] {
        let said = format!("pid 7 (`app`) handles SIGTERM and is still at work: {MORE_TIME}");
        assert_eq!(of_main(KillMode::Main, &[main]), [said]);
    }
}

#[test]
fn a_time_that_is_set_here_is_named_in_the_cure() {
    let processes = [catching(process(MAIN, OURSELVES, "app"))];
    let lines = lines_of(&scene(Told::Main(KillMode::Main), &processes), Some(Duration::from_secs(5)), None);
    assert!(lines.iter().all(|line| line.contains("--grace")), "{lines:?}");
}

#[test]
fn what_was_so_before_us_is_not_the_programs_fault() {
    let ignoring = [ignoring(process(MAIN, OURSELVES, "app"))];
    let scene = Scene { ignored_at_entry: set(&[Signal::TERM]), ..scene(Told::Main(KillMode::Main), &ignoring) };
    assert_eq!(
        lines_of(&scene, None, None),
        [
            "5 s after SIGTERM: pid 7 (`app`) ignores SIGTERM, which was ignored when supervise was started: start supervise \
          without that (trap '', nohup), use --stop-signal=INT, which ends it, or let it handle SIGTERM"
        ]
    );
    let term = set(&[Signal::TERM]);
    let blocking = [Process { blocked: term, pending: term, ..process(MAIN, OURSELVES, "app") }];
    let scene = Scene { blocked_at_entry: term, processes: &blocking, ..scene };
    assert_eq!(
        lines_of(&scene, None, None),
        [
            "5 s after SIGTERM: pid 7 (`app`) blocks SIGTERM, which was blocked when supervise was started: start supervise \
          with SIGTERM unblocked"
        ]
    );
}

#[test]
fn an_interactive_shell_wants_a_hangup() {
    let ignored = set(&[Signal::TERM, Signal::TSTP]);
    let shell = Process { has_terminal: true, ignored, ..process(MAIN, OURSELVES, "sh") };
    let said = "pid 7 (`sh`) is an interactive shell, which ignores SIGTERM: use --stop-signal=HUP, which ends it";
    assert_eq!(of_main(KillMode::Main, std::slice::from_ref(&shell)), [said]);
    // Without a terminal it is a script.
    let script = Process { has_terminal: false, ..shell };
    assert!(of_main(KillMode::Main, &[script]).iter().all(|line| line.contains("ignores SIGTERM: use")));
}

#[test]
fn a_shell_that_ignores_it_keeps_it_from_its_child() {
    let processes = [ignoring(process(MAIN, OURSELVES, "sh -c x")), process(8, MAIN, "app")];
    assert_eq!(
        of_main(KillMode::Main, &processes),
        [
            "pid 7 (`sh -c x`) ignores SIGTERM; its child pid 8 (`app`) never got it: start the last command with exec, or \
          use --kill-mode=group"
        ]
    );
    // What the child has inherited, no other way of sending changes.
    let processes = [ignoring(process(MAIN, OURSELVES, "sh -c x")), ignoring(process(8, MAIN, "app"))];
    assert_eq!(
        of_main(KillMode::Main, &processes),
        [
            "pid 7 (`sh -c x`) ignores SIGTERM; its child pid 8 (`app`) would not act on it either: use --stop-signal=HUP, \
          which ends it, or let it handle SIGTERM"
        ]
    );
}

#[test]
fn a_trap_waits_for_the_child_in_the_foreground_and_no_other() {
    let shell = || catching(process(MAIN, OURSELVES, "sh run.sh"));
    let processes = [shell(), in_background(process(8, MAIN, "logger")), process(9, MAIN, "app")];
    assert_eq!(
        of_main(KillMode::Main, &processes),
        [
            "pid 7 (`sh run.sh`) runs its trap for SIGTERM only when its foreground child pid 9 (`app`) has ended, which never \
          got it: start that child in the background, wait for it (`&`, then `wait`) and let the trap pass SIGTERM on \
          (kill), or use --kill-mode=group"
        ]
    );
    let processes = [shell(), in_background(process(8, MAIN, "app"))];
    assert_eq!(
        of_main(KillMode::Main, &processes),
        [
            "pid 7 (`sh run.sh`) has a trap for SIGTERM and runs on; its child pid 8 (`app`) never got it: let the trap pass \
          SIGTERM on (kill) and wait for it, or use --kill-mode=group"
        ]
    );
}

#[test]
fn a_child_elsewhere_needs_the_whole_tree() {
    let waiting = Process { waits_for: WaitsFor::Child, ..catching(process(MAIN, OURSELVES, "app")) };
    let processes = [waiting, Process { group: 8, ..process(8, MAIN, "worker") }];
    for mode in [KillMode::Main, KillMode::Group] {
        assert_eq!(
            of_main(mode, &processes),
            [
                "pid 7 (`app`) handles SIGTERM but waits for a child; its child pid 8 (`worker`) never got it: let it pass \
              SIGTERM on, or use --kill-mode=tree"
            ]
        );
    }
}

#[test]
fn who_only_waits_for_another_that_was_told_gets_no_line() {
    let shell = catching(process(MAIN, OURSELVES, "sh run.sh"));
    let processes = [shell, ignoring(process(8, MAIN, "sh -c x")), catching(process(9, 8, "app"))];
    assert_eq!(
        of_main(KillMode::Group, &processes),
        [format!("pid 9 (`app`) handles SIGTERM and is still at work: {MORE_TIME}")]
    );
}

#[test]
fn many_workers_make_one_line() {
    let main = catching(process(MAIN, OURSELVES, "app"));
    let workers = (10..42).map(|pid| catching(process(pid, MAIN, "worker")));
    let processes: Vec<Process> = std::iter::once(main.clone()).chain(workers).collect();
    assert_eq!(
        of_main(KillMode::Main, &processes),
        [format!(
            "pid 7 (`app`) handles SIGTERM and is still at work; what it started, pid 10 (`worker`), pid 11, pid 12 and 29 \
             more, did not get SIGTERM from here: {MORE_TIME}, or use --kill-mode=group"
        )]
    );
    assert_eq!(of_main(KillMode::Group, &processes).len(), 1);
    let stopped = (10..42).map(|pid| Process { state: State::Stopped, ..process(pid, MAIN, "worker") });
    let processes: Vec<Process> = std::iter::once(main).chain(stopped).collect();
    let lines = of_main(KillMode::Group, &processes);
    assert_eq!(lines.len(), 2);
    assert_eq!(
        lines.last().map(String::as_str),
        Some(
            "pid 10 (`worker`) is stopped and cannot act on SIGTERM; the same with pid 11, pid 12, pid 13 and 28 more: \
             continue it (kill -CONT 10 11 12 13)"
        )
    );
}

#[test]
fn a_fault_of_somebody_who_was_not_told_counts_below_main_only() {
    let stopped = |pid, parent| Process { state: State::Stopped, ..process(pid, parent, "worker") };
    let processes =
        [catching(process(MAIN, OURSELVES, "app")), stopped(8, MAIN), stopped(9, OURSELVES), stopped(10, 0)];
    let lines = of_main(KillMode::Main, &processes);
    assert_eq!(lines.iter().map(|line| line.starts_with("pid 8 ")).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn what_is_left_is_told_when_it_is_killed() {
    let processes = [
        ignoring(process(8, OURSELVES, "app")),
        catching(process(9, OURSELVES, "master")),
        catching(process(10, 9, "worker")),
        process(11, 0, "sh"),
        process(12, 11, "top"),
    ];
    assert_eq!(
        of_leftovers(&processes),
        [
            "pid 8 (`app`) ignores SIGTERM, and SIGHUP has not ended it either, and is killed in 2.5 s: let it handle SIGTERM",
            "pid 9 (`master`) handles SIGTERM and is still at work, and is killed in 2.5 s: let the main program wait for \
             it, or give it more time (--leftover-grace)",
            "pid 11 (`sh`) came from outside (docker exec, nsenter) and is not waited for: end it before the stop",
            "pid 12 (`top`) came from outside (docker exec, nsenter) and is not waited for: end it before the stop",
        ]
    );
}

#[test]
fn what_a_shell_left_would_better_be_main() {
    let processes = [catching(process(8, OURSELVES, "app"))];
    let shell = Shell { words: "sh -c app".into() };
    assert_eq!(
        lines_of(&scene(Told::Leftovers, &processes), None, Some(&shell)),
        [
            "5 s after SIGTERM: leftover pid 8 (`app`) handles SIGTERM and is still at work; main was a shell (`sh -c app`) that \
          ended without waiting for it: start it with exec (or by the JSON form of ENTRYPOINT), so that it is the main program"
        ]
    );
}

#[test]
fn a_loop_of_parents_ends() {
    // Numbers that were used again while they were read.
    let processes = [catching(process(MAIN, 8, "sh")), catching(process(8, MAIN, "sh"))];
    for mode in [KillMode::Main, KillMode::Group, KillMode::Tree] {
        let _ = of_main(mode, &processes);
    }
    let _ = of_leftovers(&processes);
}

#[test]
fn seconds_are_short() {
    for (milliseconds, text) in [(0, "0 s"), (500, "0.5 s"), (2500, "2.5 s"), (4999, "5 s"), (90_500, "90 s")] {
        assert_eq!(Seconds(Duration::from_millis(milliseconds)).to_string(), text);
    }
}

#[test]
fn a_shell_that_has_started_something_since_has_a_trap_that_does_not_end_it() {
    let child = Process { is_newer: true, ..process(MAIN + 1, MAIN, "sleep 0.2") };
    let processes = [catching(process(MAIN, 1, "sh -c loop")), child];
    let scene = scene(Told::Main(KillMode::Main), &processes);
    let findings = scene.judge();
    assert_eq!(
        findings.iter().map(|finding| (finding.process.pid, finding.why.name())).collect::<Vec<_>>(),
        [(MAIN, "trap-returned")]
    );
}
