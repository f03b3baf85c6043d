//! A shell in front of the program: whether that does any harm, and what stands in its way.

use supervise_init::core::{Signal, Status};

use super::super::record::{Process, Run};
use super::super::scenario::{Mode, Target};
use super::end::is_crashed_trap;
use super::front::shell_between;
use super::handling::{Handling, handling};
use super::scene::{Scene, lived_at, main, others, took};
use super::tree::{children_status, gone};
use super::words::{Name, called, names, typed};
use super::{Level, Word};

/// Where exec has no place.
pub(super) const PASS_ON: &str = "let a trap in the script pass the signal on (kill) and wait (`wait`)";

/// The same with a subshell, which passes no more on.
pub(super) const PASS_ON_BELOW: &str =
    "let a trap in the script tell the subshell and what runs in it (kill), and wait (`wait`)";

/// What stands beside the advice to put `program` in the place of its shell: exec(1p) ends the script there. Empty where there
/// is another shell between, in which that would have to be done again.
pub(super) fn or_by_trap(first: &Process, program: &Process, signal: Signal) -> String {
    match first.pid == program.pid {
        true => format!(
            "; where the script does more (a loop, a trap that cleans up), which exec loses, {}",
            by_trap(program, signal)
        ),
        false => String::new(),
    }
}

fn by_trap(program: &Process, signal: Signal) -> String {
    format!("`trap 'kill $!; wait; exit 0' {}` in it and `{} & wait`", name_of(signal), typed(program, "..."))
}

/// What to change in a script that starts `program` in a loop, which exec would end.
pub(super) fn end_the_loop(program: &Process, signal: Signal) -> String {
    format!("give the script a trap that ends its loop: {}", by_trap(program, signal))
}

/// As trap(1) and kill(1) take it.
pub(super) fn name_of(signal: Signal) -> String {
    let mut name = signal.to_string();
    if name.starts_with("SIG") {
        name.drain(..3);
    }
    name
}

/// What to do about a pipeline: who reads must outlive who writes, so that telling all is no help.
pub(super) fn pass_on_in_pipeline(signal: Signal) -> String {
    let name = name_of(signal);
    format!(
        "let the program itself write to where that is to go, and start it without the pipeline; or tell it alone, and let \
         what reads from it end behind it, in bash: `exec > >(READER); r=$!; PROGRAM & p=$!; trap 'kill -{name} $p; wait \
         $p; e=$?; exec >&-; wait $r; exit $e' {name}; wait $p` (an init that tells all ends the reader first, and the \
         program then writes to a broken pipe)"
    )
}

/// Whether this shell has started two that are joined by a pipe.
pub(super) fn is_before_a_pipeline(scene: &Scene<'_>, shell: &Process) -> bool {
    let is_its = |run: &&Run| main(run).is_some_and(|main| main.pid == shell.pid);
    shell.is_shell && scene.in_order().find(is_its).is_some_and(|run| has_pipeline(run, shell))
}

fn has_pipeline(run: &Run, shell: &Process) -> bool {
    let below = below(run, shell);
    // First of all those that are the shell's too: that may be all that thousands have.
    let all = below.iter().flat_map(|process| process.pipes.iter().map(|pipe| (*pipe, process.pid)));
    let pipes: Vec<(u64, i32)> = all.filter(|(pipe, _)| !shell.pipes.contains(pipe)).collect();
    pipes.iter().any(|one| pipes.iter().any(|other| one.0 == other.0 && one.1 != other.1))
}

/// Whether its stdin is a pipe that the shell has not: who wrote to it may have ended. In the place of the shell (exec) it
/// would have nothing to read.
pub(super) fn reads_a_pipe(shell: &Process, program: &Process) -> bool {
    let [stdin, ..] = program.stdio;
    stdin.is_some_and(|pipe| !shell.pipes.contains(&pipe))
}

/// Whether it reads what main writes, as a logger does (`exec > >(READER)`).
pub(super) fn is_reader_of(main: &Process, process: &Process) -> bool {
    let ([stdin, ..], [_, outputs @ ..]) = (process.stdio, main.stdio);
    stdin.is_some() && outputs.contains(&stdin)
}

/// S24.
pub(super) fn exec_form(scene: &Scene<'_>) -> Option<Word> {
    let Some(run) = scene.told().next() else { return Some(Word::skip("no run was told to stop")) };
    let main = main(run)?;
    if !main.is_shell {
        return Some(Word::pass(vec![format!("{} is no shell", Name(main))]));
    }
    let below = below(run, main);
    if below.is_empty() {
        return Some(Word::pass(vec![format!("{} is a shell, and nothing runs below it", Name(main))]));
    }
    let evidence = vec![format!("{} is a shell in front of {}", Name(main), names(&below))];
    // What it did, and not its signal sets: a shell that starts something blocks all signals for that moment.
    let ends_well = |run: &Run| {
        let status = self::main(run).and_then(|main| main.ended).and_then(|ended| ended.status);
        status.is_some_and(|status| scene.is_good(status)) && ends_in_time(scene, run)
    };
    let below_it = Below::of(scene);
    if below_it != Below::Left && scene.told().all(ends_well) {
        let (cause, cure) = match below_it {
            Below::Ill => ("it ends well, but not all that runs below it", "see S07"),
            Below::Unknown => ("it ends well; of what runs below it that is not known", "see S06"),
            _ if handling(main, scene.signal).is_some_and(Handling::is_taken) => {
                ("its trap does what has to be done", "")
            }
            _ => ("it ends well, with all that runs below it", ""),
        };
        return Some(Word::info(evidence).because(cause, cure));
    }
    // Whoever was told beside it has ended with it.
    if scene.order.target != Target::Main && scene.told().all(|run| ends_in_time(scene, run)) && below_it != Below::Left
    {
        return Some(
            Word::info(evidence)
                .because("all were told, and it is the shell's status that counts, not the program's", ""),
        );
    }
    if handling(main, scene.signal).is_some_and(Handling::is_taken) {
        return Some(by_a_trap(scene, evidence, below_it));
    }
    let here = match (scene.order.target, handling(main, scene.signal)) {
        // A shell that starts something blocks all for that moment.
        (Target::Main, Some(Handling::Default | Handling::Blocked)) if scene.mode == Mode::Pid1 => {
            "as process 1 it even drops them without a trap"
        }
        (Target::Main, _) => "it is told, not the program",
        (Target::Group | Target::Tree, _) if scene.told().all(|run| ends_in_time(scene, run)) => {
            "it does not wait for the program"
        }
        (Target::Group | Target::Tree, _) => "it goes on where the program has ended",
    };
    Some(
        Word::new(Level::Warn, evidence)
            .because(format!("a shell passes no signals on, and {here}"), advice_to_all(scene, run, main, &below)),
    )
}

/// What became of what ran below a shell that ended, as those say who tell of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Below {
    Ended,
    /// Not by itself, nor by what it was told: S07.
    Ill,
    /// S06.
    Left,
    /// Nobody can tell.
    Unknown,
}

impl Below {
    fn of(scene: &Scene<'_>) -> Below {
        let level = |word: Option<Word>| word.map(|word| word.level);
        match (level(gone(scene)), level(children_status(scene))) {
            (Some(Level::Warn | Level::Fail), _) => Below::Left,
            (_, Some(Level::Warn | Level::Fail)) => Below::Ill,
            (Some(Level::Skip), _) => Below::Unknown,
            _ => Below::Ended,
        }
    }
}

/// One that does something about the signal, and does not end well: what to change is said where that is told.
fn by_a_trap(scene: &Scene<'_>, evidence: Vec<String>, below: Below) -> Word {
    match (scene.told().all(|run| ends_in_time(scene, run)), below) {
        (true, Below::Ended | Below::Ill) => {
            Word::info(evidence).because("nothing is left of what ran below it; what it ends with is told by S02", "")
        }
        (true, Below::Unknown) => {
            Word::info(evidence).because("whether anything is left of what ran below it is not known", "see S06")
        }
        (true, Below::Left) => Word::new(Level::Warn, evidence)
            .because("a shell passes no signals on but by a trap, and it ended before what runs below it", "see S06"),
        (false, _) => Word::new(Level::Warn, evidence)
            .because("a shell passes no signals on but by a trap, and it has not ended in time", "see S01"),
    }
}

/// The same where the script ignores the signal: exec(2) and fork(2) pass that on, so that first of all has to go.
fn advice_to_all(scene: &Scene<'_>, run: &Run, main: &Process, below: &[&Process]) -> String {
    let advice = advice(scene, run, main, below);
    match handling(main, scene.signal) {
        Some(Handling::Ignored) if !are_deaf(scene, below) => tell_all(main),
        Some(Handling::Ignored) => {
            let name = name_of(scene.signal);
            format!(
                "take `trap '' {name}` (or nohup) out first: all that the shell starts ignores {} with it, also by exec; \
                 then {advice}",
                scene.signal
            )
        }
        _ => advice,
    }
}

/// Whether one of them ignores the signal too: what a shell that ignores it starts does, unless that sets it anew.
pub(super) fn are_deaf(scene: &Scene<'_>, below: &[&Process]) -> bool {
    below.iter().any(|process| handling(process, scene.signal) == Some(Handling::Ignored))
}

/// What helps where the shell ignores the signal, and not what it runs.
pub(super) fn tell_all(main: &Process) -> String {
    format!("start it under an init that tells all: supervise --kill-mode tree -- {}", typed(main, "COMMAND"))
}

/// What to change in a script without a trap that runs `below` when it is told.
fn advice(scene: &Scene<'_>, run: &Run, main: &Process, below: &[&Process]) -> String {
    if is_before_a_pipeline(scene, main) {
        return pass_on_in_pipeline(scene.signal);
    }
    if below.iter().any(|process| reads_a_pipe(main, process) && !is_reader_of(main, process)) {
        return tell_all(main);
    }
    let init = typed(main, "COMMAND");
    let program = below.first().map(|first| innermost(run, first));
    let instead = match below {
        [program, ..] if is_a_loop(scene, main, program) => {
            let init = match handling(main, scene.signal) {
                Some(Handling::Default) => format!(", or start it under an init: supervise -- {init}"),
                _ => String::new(),
            };
            return end_the_loop(program, scene.signal) + &init;
        }
        [only] if is_subshell(main, only) => PASS_ON_BELOW.to_owned(),
        [only] => {
            let program = program.unwrap_or(only);
            let last = last_command(only, program);
            if !ends_in_place(scene, program) {
                return format!(
                    "start it under an init that tells all: supervise --kill-mode tree -- {init}; or let {last} begin with \
                     exec (`exec {}`), and handle {} itself{}",
                    typed(program, "..."),
                    scene.signal,
                    or_by_trap(only, program, scene.signal)
                );
            }
            format!(
                "let {last} begin with exec (`exec {}`), use the JSON form of ENTRYPOINT and CMD{}",
                typed(program, "..."),
                or_by_trap(only, program, scene.signal)
            )
        }
        _ => PASS_ON.to_owned(),
    };
    format!("{instead}; or: supervise --kill-mode tree -- {init}")
}

fn ends_in_time(scene: &Scene<'_>, run: &Run) -> bool {
    took(run).is_some_and(|took| took <= scene.grace())
}

/// Whether what runs below a shell is started again and again, which exec would end: in one of the runs that was seen, or
/// the words of the shell end a loop.
pub(super) fn is_a_loop(scene: &Scene<'_>, shell: &Process, program: &Process) -> bool {
    let is_written = shell.words.contains(" -c ")
        && shell.words.trim_end().ends_with("done")
        && ["while ", "until ", "for "].iter().any(|word| shell.words.contains(word));
    is_written || scene.everywhere().any(|run| is_started_again(run, program))
}

fn is_started_again(run: &Run, program: &Process) -> bool {
    let pid = main(run).map(|main| main.pid);
    let alike = || others(run).filter(|other| Some(other.parent) == pid && other.words == program.words);
    alike().any(|one| alike().any(|other| one.pid != other.pid && !lives_beside(one, other)))
}

/// Whether there was a time at which both lived.
fn lives_beside(one: &Process, other: &Process) -> bool {
    let ends_first = |one: &Process, other: &Process| one.ended.is_some_and(|ended| ended.at <= other.first_seen_at);
    !ends_first(one, other) && !ends_first(other, one)
}

/// What runs in the end below shells that each have one child, when the signal was sent.
pub(super) fn innermost<'a>(run: &'a Run, first: &'a Process) -> &'a Process {
    let below_it = |shell: &&'a Process| match below(run, shell).as_slice() {
        [only] if shell.is_shell => Some(*only),
        _ => None,
    };
    // Of a made-up or broken record, children may be a circle.
    std::iter::successors(Some(first), below_it).take(run.processes.len().max(1)).last().unwrap_or(first)
}

/// Where `program`, which runs in the end below `first`, may stand.
pub(super) fn in_its_place(first: &Process, program: &Process) -> String {
    let in_each = if first.pid == program.pid { "" } else { " in each of the shells" };
    format!("the program in the shell's place (`exec {}`, or the JSON form of CMD){in_each}", typed(program, "..."))
}

/// What is to begin with exec, so that `program` is in the place of the shell.
fn last_command(first: &Process, program: &Process) -> &'static str {
    match first.pid == program.pid {
        true => "the last command",
        false => "the last command of each shell, one in the other,",
    }
}

/// S06: why it was left by the shell, and what to change. `fate`: what became of it.
pub(super) fn left_by_shell(
    scene: &Scene<'_>,
    (run, main): (&Run, &Process),
    process: &Process,
    fate: &str,
) -> (String, String) {
    let signal = scene.signal;
    let (main_name, name) = (Name(main), named_below(main, process));
    let end = main.ended.and_then(|ended| ended.status);
    if matches!(end, Some(Status::Signaled(by)) if is_crashed_trap(main, signal, by)) {
        return (format!("the shell {main_name} crashed and left {name}, {fate}"), "see S02".to_owned());
    }
    if is_reader_of(main, process) {
        return (
            format!("the shell {main_name} ended before {name}, which reads what it writes, {fate}"),
            pass_on_in_pipeline(signal),
        );
    }
    if let Some(subshell) = shell_between(run, main, process, signal) {
        return (
            format!(
                "{}, below the shell {main_name}, was ended by {signal} alone, and left {name}, {fate}",
                Name(subshell)
            ),
            format!(
                "let what runs in it begin with exec (`exec {}`), or start all under an init that tells and waits for all: \
                 supervise -- {}",
                typed(process, "..."),
                typed(main, "COMMAND")
            ),
        );
    }
    if handling(main, signal).is_some_and(Handling::is_taken) {
        return (
            format!("the shell {main_name} ended without waiting for {name}, {fate}"),
            more_of_its_trap(scene, main, process),
        );
    }
    (
        match end == Some(Status::Signaled(signal)) {
            true => format!("{signal} ended the shell {main_name} alone, and it left {name}, {fate}"),
            // Process 1, or its last command was told besides.
            false => format!("the shell {main_name} ended without waiting for {name}, {fate}"),
        },
        in_place_of_shell(scene, (run, main), process),
    )
}

/// What a trap lacks that has left this.
fn more_of_its_trap(scene: &Scene<'_>, main: &Process, process: &Process) -> String {
    let signal = scene.signal;
    let is_background =
        [Signal::INT, Signal::QUIT].contains(&signal) && handling(process, signal) == Some(Handling::Ignored);
    match (is_background, scene.order.target) {
        _ if is_before_a_pipeline(scene, main) => pass_on_in_pipeline(signal),
        (true, _) => format!(
            "let its trap pass the signal on as SIGTERM (what a shell starts by `&` ignores {signal}) and wait (`wait`) \
             before it exits"
        ),
        (false, Target::Tree) => "let its trap wait (`wait`) before it exits".to_owned(),
        // A trap on EXIT of bash does not wait for the foreground.
        (false, _) if !is_by_ampersand(main, process) => {
            "let its trap pass the signal on (kill) and wait (`wait`) before it exits, and start in the background (`&`, \
             then `wait`) what is in the foreground"
                .to_owned()
        }
        (false, _) => "let its trap pass the signal on (kill) and wait (`wait`) before it exits".to_owned(),
    }
}

/// What to change where a shell without a trap has left this.
fn in_place_of_shell(scene: &Scene<'_>, (run, main): (&Run, &Process), process: &Process) -> String {
    let signal = scene.signal;
    if is_before_a_pipeline(scene, main) {
        return pass_on_in_pipeline(signal);
    }
    let deaf = match handling(process, signal) {
        Some(Handling::Ignored) => format!("; and let `{}` handle {signal}", called(process)),
        _ => String::new(),
    };
    let program = innermost(run, process);
    let place = match below(run, main).as_slice() {
        [_, _, ..] => PASS_ON.to_owned() + ", or start it",
        [only] if is_a_loop(scene, main, only) => end_the_loop(only, signal) + ", or start it",
        [only] if is_subshell(main, only) => PASS_ON_BELOW.to_owned() + ", or start it",
        _ if !ends_in_place(scene, program) || reads_a_pipe(main, process) => "start it".to_owned(),
        _ => format!("start {}{}; or start it", in_its_place(process, program), or_by_trap(process, program, signal)),
    };
    format!("{place} under an init that tells and waits for all: supervise -- {}{deaf}", typed(main, "COMMAND"))
}

/// Whether it ignores SIGINT as what a shell without job control has started by `&` (POSIX, 2.11).
fn is_by_ampersand(shell: &Process, child: &Process) -> bool {
    let ignores = |process: &Process| handling(process, Signal::INT) == Some(Handling::Ignored);
    ignores(child) && !ignores(shell)
}

/// Whether it is a part of the script of the shell that has started it: it has executed no program.
pub(super) fn is_subshell(shell: &Process, child: &Process) -> bool {
    let is_alike = child.exe == shell.exe && child.words == shell.words;
    shell.is_shell && child.is_shell && is_alike && child.executed_at.is_none()
}

/// A process below a shell in a sentence: a subshell has the words of its shell.
pub(super) fn named_below(shell: &Process, child: &Process) -> String {
    match is_subshell(shell, child) {
        true => format!("its subshell pid {}", child.pid),
        false => Name(child).to_string(),
    }
}

/// Whether the signal would end it in the place of its shell (exec): as process 1 it does not end what has no handler.
pub(super) fn ends_in_place(scene: &Scene<'_>, program: &Process) -> bool {
    // What it ignores only because its shell does is at its default action when that does so no more.
    !(scene.is_process_1() && matches!(handling(program, scene.signal), Some(Handling::Default | Handling::Ignored)))
}

/// What ran below main when the signal was sent.
fn below<'a>(run: &'a Run, main: &Process) -> Vec<&'a Process> {
    let signal_at = run.signal_at.unwrap_or_default();
    let pid = main.pid;
    others(run).filter(|process| process.parent == pid && lived_at(process, signal_at)).collect()
}
