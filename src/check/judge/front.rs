//! What stands in front of another program, beside shells: inits, and programs that start one and stay.

use supervise_init::core::{Signal, Status};

use super::super::record::{Process, Run};
use super::handling::{Handling, handling};
use super::scene::{Scene, lived_at, others};
use super::shell::{ends_in_place, tell_all};
use super::words::{called, typed};

/// Inits that end as soon as their child has.
const INITS: [&str; 5] = ["tini", "tini-static", "docker-init", "dumb-init", "catatonit"];

/// Programs that start another one and stay in front of it.
const WRAPPERS: [&str; 20] = [
    "timeout",
    "doas",
    "nsenter",
    "dbus-run-session",
    "npm",
    "npx",
    "yarn",
    "pnpm",
    "make",
    "su",
    "sudo",
    "runuser",
    "gosu",
    "script",
    "flock",
    "xargs",
    "setsid",
    "strace",
    "unshare",
    "time",
];

/// Those of them that are scripts of node, which is then the name of the process and its first word.
const SCRIPTS: [&str; 4] = ["npm", "npx", "yarn", "pnpm"];

/// Those of them that are there to start it as somebody else.
const AS_OTHERS: [&str; 4] = ["su", "sudo", "runuser", "doas"];

/// What dbus-run-session starts beside the program.
const HELPERS: [&str; 1] = ["dbus-daemon"];

/// Whether it ends as soon as its own child has.
pub(super) fn is_init(process: &Process) -> bool {
    named(process, &INITS).is_some()
}

/// The name of a program that stays in front of another one.
pub(super) fn wrapper(process: &Process) -> Option<&'static str> {
    let script = || process.words.split(' ').nth(1).and_then(|word| of_path(word, &SCRIPTS));
    named(process, &WRAPPERS).or_else(script)
}

fn named(process: &Process, programs: &[&'static str]) -> Option<&'static str> {
    let by_comm = programs.iter().find(|name| **name == process.comm).copied();
    by_comm.or_else(|| process.words.split(' ').next().and_then(|word| of_path(word, programs)))
}

/// The one that the last part of a path is.
fn of_path(path: &str, programs: &[&'static str]) -> Option<&'static str> {
    let name = path.rsplit('/').next()?;
    programs.iter().find(|program| **program == name).copied()
}

/// The first that is no helper of a wrapper, or the first.
pub(super) fn first_program<'a>(all: &[&'a Process]) -> Option<&'a Process> {
    let is_program = |process: &&&Process| named(process, &HELPERS).is_none();
    all.iter().find(is_program).or(all.first()).copied()
}

/// What to start in the place of a wrapper.
pub(super) fn without(wrapper: &str, program: Option<&Process>) -> String {
    let program = program.map_or_else(|| "the program".to_owned(), |program| format!("`{}`", called(program)));
    match AS_OTHERS.contains(&wrapper) {
        true => format!(
            "start {program} by what executes it in the place of {wrapper}: supervise --user USER -- COMMAND, setpriv, gosu"
        ),
        false => format!("start {program} itself, not by {wrapper}"),
    }
}

/// The shell that has started `process`, below main, and that the signal has ended alone.
pub(super) fn shell_between<'a>(
    run: &'a Run,
    main: &Process,
    process: &Process,
    signal: Signal,
) -> Option<&'a Process> {
    let pid = process.started_by.unwrap_or(process.parent);
    let shell = others(run).find(|other| other.pid == pid && other.pid != main.pid && other.is_shell)?;
    let ended = shell.ended?;
    let is_first = process.ended.is_none_or(|other| ended.at < other.at);
    (is_first && ended.status == Some(Status::Signaled(signal))).then_some(shell)
}

/// What helps where a shell is between: whoever passes the signal on to it reaches the program then.
pub(super) fn exec_between(shell: &Process, process: &Process) -> String {
    format!("let the last command of `{}` begin with exec (`exec {}`)", called(shell), typed(process, "..."))
}

/// Whether it is no copy of main: that makes no sense without it.
pub(super) fn is_another_program(main: &Process, process: &Process) -> bool {
    process.exe != main.exe || process.words != main.words
}

/// What main has started when it is told, where that is another program than its own.
pub(super) fn behind<'a>(run: &'a Run, main: &Process) -> Vec<&'a Process> {
    let signal_at = run.signal_at.unwrap_or_default();
    let is_started = |process: &&Process| process.started_by.unwrap_or(process.parent) == main.pid;
    let is_another = |process: &&Process| is_another_program(main, process);
    let is_program = |process: &&Process| named(process, &HELPERS).is_none();
    let all = others(run).filter(|process| lived_at(process, signal_at)).filter(is_started).filter(is_another);
    all.filter(is_program).collect()
}

/// Whether main takes no connections, and so may only be there to start others.
pub(super) fn is_only_in_front(run: &Run, main: &Process) -> bool {
    !run.listeners.iter().any(|listener| listener.closer() == Some(main.pid))
}

/// What to change in a program, no shell, that takes no notice of the signal in front of these.
pub(super) fn in_front(scene: &Scene<'_>, main: &Process, programs: &[&Process]) -> String {
    let signal = scene.signal;
    let init = tell_all(main);
    match (wrapper(main), programs) {
        // As process 1 of a namespace of its own it gets nothing by an init either.
        (Some("unshare"), [only, ..]) if handling(only, signal) == Some(Handling::Default) => {
            without("unshare", Some(only)) + ", under an init: supervise -- COMMAND"
        }
        (Some(wrapper), [only, ..]) if ends_in_place(scene, only) => {
            format!("{}, or {init}", without(wrapper, Some(only)))
        }
        (Some(_), _) => init,
        (None, [only]) if ends_in_place(scene, only) => format!(
            "if it is only there to start `{0}`, let it execute that in its own place (exec); otherwise let it pass {signal} \
             on to that and wait for it, or {init}",
            called(only)
        ),
        (None, [only]) => format!("{init}; or let it pass {signal} on to `{}`, and wait for that", called(only)),
        (None, _) => format!("let it pass {signal} on to what it has started, and wait for that; or {init}"),
    }
}

/// Whether the signal would end it by its default action, and it has started another program.
pub(super) fn is_deaf_front(scene: &Scene<'_>, run: &Run, main: &Process) -> bool {
    let is_deaf = handling(main, scene.signal) == Some(Handling::Default) && !main.is_shell;
    is_deaf && is_only_in_front(run, main) && !behind(run, main).is_empty()
}
