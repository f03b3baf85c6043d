//! Why main has not ended, and what to change, in a sentence each.

use supervise_init::core::Signal;

use super::super::record::Process;
use super::super::scenario::{Mode, Target};
use super::front::{behind, exec_between, in_front as in_front_of, is_another_program, shell_between, wrapper};
use super::handling::{Handling, Instead, handled_instead, handling};
use super::killer::{SU_WAITS, waits_as_su};
use super::known::known;
use super::scene::{Scene, children_that_stayed, is_older, main as main_of};
use super::shell::{
    PASS_ON_BELOW, end_the_loop, ends_in_place, in_its_place, innermost, is_a_loop, is_before_a_pipeline, is_subshell,
    name_of, named_below, or_by_trap, pass_on_in_pipeline, reads_a_pipe,
};
use super::why::{Heard, Sits, Why, is_adopted};
use super::words::{Name, called, names, seconds, signals, status, typed};

impl Heard {
    fn words(self, signal: Signal) -> String {
        match self {
            Heard::Never => format!("which never got {signal}"),
            Heard::Ignores => format!("which ignores {signal}"),
            Heard::Background => {
                format!("which ignores {signal}, as all does that a shell without job control starts by `&`")
            }
            Heard::Stopped => "which is stopped (state T)".to_owned(),
            Heard::Began => "which has begun to stop (it closed what listens) and is not done".to_owned(),
            Heard::Early => format!(
                "which has executed its program only since: if it got {signal} before, it did so as a copy of what started it"
            ),
            Heard::Perhaps => format!("which has not ended: either it did not get {signal}, or it is still at work"),
        }
    }
}

pub(super) const MORE_TIME: &str = "give it more time (docker stop -t, terminationGracePeriodSeconds, TimeoutStopSec)";

/// Cause and cure.
pub(super) fn sentences(scene: &Scene<'_>, main: &Process, why: &Why<'_>) -> (String, String) {
    let signal = scene.signal;
    if let Some((cause, cure)) = waits_as_su(scene, main).filter(|_| scene.grace() <= SU_WAITS) {
        return (cause, cure);
    }
    let is_about_itself = !matches!(why, Why::Stopped | Why::Stuck | Why::InVfork(_) | Why::DroppedAtShell(..));
    if let Some(known) = known(main, signal).filter(|_| is_about_itself) {
        return (format!("{} handles {signal} in its own way: {}", Name(main), known.means), known.cure.to_owned());
    }
    (cause(scene, main, why), cure(scene, main, why))
}

fn cause(scene: &Scene<'_>, main: &Process, why: &Why<'_>) -> String {
    let signal = scene.signal;
    let name = Name(main);
    match why {
        Why::Unseen => format!("{name} did not end, and what it was doing could not be seen"),
        Why::Late(late) => format!("{name} ended {} late", seconds(*late)),
        Why::Stopped => format!("{name} is stopped (state T), so that it cannot act on {signal}"),
        Why::Stuck => format!("{name} sits in a system call that no signal interrupts (state D)"),
        Why::InVfork(child) => in_vfork(main, *child),
        Why::HalfDead => format!("the first thread of {name} has ended, and others run on"),
        Why::Ignored => ignored(scene, main),
        Why::Blocked => format!("{name} blocks {signal} in every thread, and nothing takes it: it is still pending"),
        Why::NotWaitedFor => format!(
            "{name} blocks {signal}, and waits for other signals (sigtimedwait) and not for that: it is still pending"
        ),
        Why::Unread => format!("{name} has a signalfd for {signal} and never read it: its event loop is busy or stuck"),
        Why::Pending => format!("{signal} is still pending for {name}, which has not run since"),
        Why::Dropped | Why::DroppedInFront(_) => dropped(scene, main, why),
        Why::DroppedAtShell(children, heard) => {
            let who = |children: &[&Process]| match children {
                [only] => named_below(main, only),
                several => names(several),
            };
            let fate = match (scene.order.target, children.as_slice(), heard) {
                (Target::Main, _, Heard::Ignores) => format!("{} never gets it, and would ignore it", who(children)),
                (Target::Main, ..) => format!("{} never gets it", who(children)),
                (_, [only], heard) => format!("it waits for {}, {}", named_below(main, only), heard.words(signal)),
                (_, children, _) => format!("it waits for {}", names(children)),
            };
            format!("the shell {name} is process 1 and has no trap for {signal}, so the kernel drops it, and {fate}")
        }
        Why::Foreground(child, heard) => format!(
            "the shell {name} {} {signal} only when the command in its foreground has ended: {}, {}",
            if signal == Signal::INT { "acts on" } else { "runs its trap for" },
            named_below(main, child),
            heard.words(signal)
        ),
        Why::Background(child, heard) => {
            format!("the shell {name} waits for {}, {}", named_below(main, child), heard.words(signal))
        }
        Why::TrapGoesOn if signal == Signal::INT => format!(
            "the shell {name} goes on after {signal}: it has a trap that does not exit, or its command in the foreground \
             ended without dying of {signal}"
        ),
        Why::TrapGoesOn => {
            format!("the shell {name} has a trap for {signal}, which is still at work, or does not end it")
        }
        Why::Reraised(by) if *by == signal => format!(
            "the handler of {name} only raises {signal} again to die of it, as it does as a child, and the kernel drops \
             that for process 1"
        ),
        Why::Reraised(by) => format!(
            "as a child {name} dies of a {by} that it raises when it is told to stop, and the kernel drops that for process 1"
        ),
        Why::NotDying => format!(
            "as a child {name} dies of {signal}, by its default action or because it raises that again, and the kernel \
             drops both for process 1"
        ),
        Why::Waits { children, heard, sits } => waits(scene, main, children, *heard, *sits),
        Why::GoesOn(child) => {
            format!("{name} handles {signal} and goes on: it has started {} since", Name(child))
        }
        Why::GotChild(child) => format!(
            "{name} handles {signal}, and has not ended: {} is its child since, which it has started, or was given as an \
             orphan that does",
            Name(child)
        ),
        Why::Busy(busy) => format!(
            "{name} is busy, with {} of processor time since {signal}: its handler's work does not get its turn, takes \
             long, or does not end the program",
            seconds(*busy)
        ),
        Why::Slow(reaction) => format!(
            "{name} began to stop ({}, {} after {signal}) and was not done within {}",
            reaction.what,
            seconds(reaction.after),
            seconds(scene.grace())
        ),
        Why::Answered(reaction) => format!(
            "{name} handles {signal}, and had not ended after {} (seen first: {}, {} after {signal}): its handler does not \
             end the program, or what it still does or waits for takes longer",
            seconds(scene.grace()),
            reaction.what,
            seconds(reaction.after)
        ),
        Why::NotItsEnd => format!(
            "{name} handles {signal}, but nothing was seen to come of it: its handler does not end process 1; as a child it had \
             none, and the default action of {signal} ended it"
        ),
        Why::NoReaction => no_reaction(scene, main),
        Why::TooEarly if scene.is_process_1() => format!(
            "{name} had no handler for {signal} yet when that came, and has one now: the kernel dropped it, because it is \
             process 1"
        ),
        Why::TooEarly => {
            format!(
                "{name} had no handler for {signal} when it was looked at just before, and has one now: it was starting"
            )
        }
        Why::Unmoved => format!("{name} runs on, although {signal} should end it by its default action"),
    }
}

fn in_vfork(main: &Process, child: Option<&Process>) -> String {
    format!(
        "{} sits in vfork(2) (state D) until its child{} executes a program or ends",
        Name(main),
        child.map_or_else(String::new, |child| format!(" pid {}", child.pid))
    )
}

fn dropped(scene: &Scene<'_>, main: &Process, why: &Why<'_>) -> String {
    let (name, signal) = (Name(main), scene.signal);
    let (shell, handler) = if main.is_shell { ("the shell ", "trap") } else { ("", "handler") };
    let on = match why {
        Why::DroppedInFront(programs) => format!(", and {} never gets it", names(programs)),
        _ => String::new(),
    };
    format!("{shell}{name} is process 1 and has no {handler} for {signal}, so the kernel drops it{on}")
}

fn ignored(scene: &Scene<'_>, main: &Process) -> String {
    let mut below = below_deaf_shell(scene, main);
    below.extend(behind_deaf(scene, main));
    let on = if below.is_empty() { String::new() } else { format!(", and {} never gets it", names(&below)) };
    format!("{} ignores {}{on}", Name(main), scene.signal)
}

/// What stayed below a shell that ignores the signal.
fn below_deaf_shell<'a>(scene: &Scene<'a>, main: &Process) -> Vec<&'a Process> {
    let run = scene.worst().filter(|_| main.is_shell && scene.order.target == Target::Main);
    run.map_or_else(Vec::new, |run| {
        children_that_stayed(run, main).into_iter().filter(|child| is_older(run, child)).collect()
    })
}

/// What a wrapper has started that ignores the signal itself, by design (strace), and has not what it starts do so.
fn behind_deaf<'a>(scene: &Scene<'a>, main: &Process) -> Vec<&'a Process> {
    let run = scene.worst().filter(|_| wrapper(main).is_some() && scene.order.target == Target::Main);
    let mut programs = run.map_or_else(Vec::new, |run| behind(run, main));
    programs.retain(|program| handling(program, scene.signal) != Some(Handling::Ignored));
    programs
}

fn waits(scene: &Scene<'_>, main: &Process, children: &[&Process], heard: Heard, sits: Sits) -> String {
    let (name, signal) = (Name(main), scene.signal);
    let (word, first) = match children {
        [only] => ("child", Name(only).to_string()),
        _ => ("children", names(children)),
    };
    let heard = match (children, heard) {
        ([_], heard) => heard.words(signal),
        (_, Heard::Never) => format!("of which the first never got {signal}"),
        (_, Heard::Ignores | Heard::Background) => format!("of which the first ignores {signal}"),
        (_, Heard::Stopped) => "of which the first is stopped (state T)".to_owned(),
        (_, Heard::Began) => "of which the first has begun to stop (it closed what listens) and is not done".to_owned(),
        (_, Heard::Early) => "of which the first has executed its program only since".to_owned(),
        (_, Heard::Perhaps) => format!("which did not get {signal}, or are still at work"),
    };
    match sits {
        Sits::InWait if children.iter().any(|child| is_adopted(child)) => {
            format!("{name} waits for {first}, which is its {word} since who has started that has ended, {heard}")
        }
        Sits::InWait => format!("{name} waits for its {word} {first}, {heard}"),
        Sits::Elsewhere => {
            format!("{name} handles {signal}, and has not ended, and nor has its {word} {first}, {heard}")
        }
    }
}

fn no_reaction(scene: &Scene<'_>, main: &Process) -> String {
    let (name, signal) = (Name(main), scene.signal);
    let raises = match is_init_untried(scene) {
        true => "the handler only raises it again (node's own does), which the kernel drops for process 1, or it",
        false => "the handler",
    };
    format!(
        "{name} handles {signal}, but nothing was seen to come of it: {raises} does not end the program, what should act on \
         it is blocked, or it takes longer without a sign"
    )
}

/// Whether it could be that an init in front helps: it does not help what does not end as a child.
fn is_init_untried(scene: &Scene<'_>) -> bool {
    scene.is_process_1() && scene.in_mode(Mode::Child).is_none_or(|child| child.told().next().is_none())
}

fn cure(scene: &Scene<'_>, main: &Process, why: &Why<'_>) -> String {
    let signal = scene.signal;
    match why {
        Why::DroppedAtShell(..) | Why::Foreground(..) | Why::Background(..) if is_before_a_pipeline(scene, main) => {
            pass_on_in_pipeline(signal)
        }
        Why::Unseen => "run the check as the program's user, or as root, with /proc mounted".to_owned(),
        Why::Stopped => format!("let nothing stop it, or send SIGCONT behind {signal}"),
        Why::Stuck => "see to the device or network file system that it waits for".to_owned(),
        Why::InVfork(_) => "see what keeps that child, or start it by fork(2)".to_owned(),
        Why::HalfDead => "let the last thread end the process (exit, not pthread_exit)".to_owned(),
        // It tells what to do, and what first.
        Why::Ignored if !below_deaf_shell(scene, main).is_empty() => "see S24".to_owned(),
        Why::Ignored if scene.better_signal().is_none() && !behind_deaf(scene, main).is_empty() => {
            in_front_of(scene, main, &behind_deaf(scene, main))
        }
        Why::Ignored | Why::Dropped => instead(scene, main),
        Why::DroppedInFront(programs) => match scene.better_signal() {
            Some(_) => instead(scene, main),
            None => in_front_of(scene, main, programs),
        },
        Why::Blocked if let Some(run) = scene.worst().filter(|run| wrapper(main).is_some() && !behind(run, main).is_empty()) => {
            in_front_of(scene, main, &behind(run, main))
        }
        Why::Blocked => format!("let it unblock {signal} before it starts its work, or start it with that unblocked"),
        Why::NotWaitedFor => format!("let it wait for {signal} too, or unblock that"),
        Why::Unread => "keep the event loop free: do long work in another thread".to_owned(),
        Why::Pending => "see what keeps it from running (a debugger, a frozen cgroup, vfork)".to_owned(),
        Why::DroppedAtShell(children, heard) => in_front(scene, main, children, *heard),
        Why::Foreground(child, _) if is_subshell(main, child) => {
            "start the subshell with `&`, `wait` for it, and let the trap pass the signal on (`kill`) and `wait` again".to_owned()
        }
        Why::Foreground(child, _) if signal == Signal::INT || signal == Signal::QUIT => format!(
            "{} pass it on as SIGTERM (`kill -TERM`), as it ignores {signal} then, and `wait` again",
            in_background(scene, child)
        ),
        Why::Background(child, Heard::Background) => {
            format!(
                "let a trap pass it on as SIGTERM (`kill -TERM`), which `{}` does not ignore when it was started by `&`, or \
                 stop the script by SIGTERM",
                called(child)
            )
        }
        Why::Foreground(child, Heard::Ignores) => {
            format!("let `{}` handle {signal}, and end the script with exec", called(child))
        }
        Why::Foreground(child, _) => {
            format!("{} pass the signal on (`kill`) and `wait` again", in_background(scene, child))
        }
        Why::Background(child, Heard::Ignores) => format!("let `{}` handle {signal}", called(child)),
        Why::Background(child, Heard::Stopped) => format!("let nothing stop `{}`", called(child)),
        Why::Background(child, Heard::Began) => bounded(child),
        Why::Background(child, Heard::Early) => again(scene, child),
        Why::Background(..) | Why::TrapGoesOn => {
            "let the trap pass the signal on (kill), wait for what was started, and exit, all within the grace time".to_owned()
        }
        Why::Reraised(_) | Why::NotDying => format!(
            "let it end by itself on {signal} (exit), or start it under an init: supervise -- {}",
            typed(main, "COMMAND")
        ),
        Why::Waits { children, heard, .. } => cure_of_children(scene, main, children, *heard),
        Why::GoesOn(child) => format!(
            "let the handler of {signal} end the program, and start nothing like `{}` then, or bound it",
            called(child)
        ),
        Why::GotChild(child) => format!(
            "let the handler of {signal} end the program, and see that `{}` is not started then, or ends by {signal}",
            called(child)
        ),
        Why::Busy(_) => {
            "let long work look for the request to stop, or do it in another thread, and let the handler end the program"
                .to_owned()
        }
        Why::Slow(_) | Why::Late(_) => {
            format!("bound how long it waits for connections and work under way, or {MORE_TIME}")
        }
        Why::Answered(_) => format!(
            "let the handler of {signal} end the program (exit), and bound what it waits for; or, if it needs that long, \
             {MORE_TIME}"
        ),
        Why::NotItsEnd => format!(
            "start it under an init: supervise -- {}; or let the handler of {signal} end the program also as process 1",
            typed(main, "COMMAND")
        ),
        Why::NoReaction => without_reaction(scene, main),
        Why::TooEarly if scene.is_process_1() => format!(
            "let it install its handler for {signal} first of all, or start it under an init, so that it ends by {signal} \
             until it has one: supervise -- {}",
            typed(main, "COMMAND")
        ),
        Why::TooEarly => {
            format!("tell it when it is ready (--ready), or let it install its handler for {signal} first of all")
        }
        Why::Unmoved => "send it once more, and see what it was doing".to_owned(),
    }
}

fn without_reaction(scene: &Scene<'_>, main: &Process) -> String {
    let signal = scene.signal;
    match (scene.better_signal(), is_init_untried(scene)) {
        (Some(_), _) => instead(scene, main),
        (None, is_untried) => {
            let init = match is_untried {
                true => format!(", or start it under an init: supervise -- {}", typed(main, "COMMAND")),
                false => String::new(),
            };
            format!("let the handler of {signal} end the program in time, from a thread that is never blocked{init}")
        }
    }
}

/// What to do about a trap that waits for this; what the trap is to do follows.
fn in_background(scene: &Scene<'_>, child: &Process) -> String {
    let is_last = scene.worst().and_then(main_of).is_some_and(|shell| !is_a_loop(scene, shell, child));
    let exec = match ends_in_place(scene, child) && is_last {
        true => format!(
            "end the script with `exec {}` (without its traps, and what follows), or start that",
            typed(child, "...")
        ),
        false => format!("start `{}`", called(child)),
    };
    format!("{exec} with `&` and `wait` for it, so that the trap runs at once, and let the trap")
}

/// What to do about a shell that is process 1, in front of these.
fn in_front(scene: &Scene<'_>, main: &Process, children: &[&Process], heard: Heard) -> String {
    let signal = scene.signal;
    let deaf = match (children.first(), heard) {
        (Some(child), Heard::Ignores) => format!("; and let `{}` handle {signal}", called(child)),
        _ => String::new(),
    };
    let init = format!(
        "the shell under an init that tells all: supervise --kill-mode tree -- {}{deaf}",
        typed(main, "COMMAND")
    );
    let program = |only| scene.worst().map_or(only, |run| innermost(run, only));
    match children {
        [only] if is_subshell(main, only) => format!("{PASS_ON_BELOW}, or start {init}"),
        [only] if reads_a_pipe(main, only) => format!("start {init}"),
        [only] if is_a_loop(scene, main, only) => format!("{}, or start {init}", end_the_loop(only, signal)),
        [only] => {
            let program = program(only);
            let (place, or) = (in_its_place(only, program), or_by_trap(only, program, signal));
            match ends_in_place(scene, program) {
                true => format!("start {place}{or}; or start {init}"),
                false => format!(
                    "start {init}; or start {place} with a handler for {signal}, which the kernel drops for it too without \
                     one{or}"
                ),
            }
        }
        _ => format!("give the script a trap that passes {signal} on (kill) and waits (`wait`), or start {init}"),
    }
}

fn cure_of_children(scene: &Scene<'_>, main: &Process, children: &[&Process], heard: Heard) -> String {
    let signal = scene.signal;
    let Some(first) = children.first() else { return String::new() };
    let child = called(first);
    let between = scene.worst().and_then(|run| shell_between(run, main, first, signal));
    if let Some(shell) = between.filter(|_| matches!(heard, Heard::Never | Heard::Perhaps)) {
        return format!(
            "{}, or tell all: supervise --kill-mode tree -- {}",
            exec_between(shell, first),
            typed(main, "COMMAND")
        );
    }
    match heard {
        Heard::Never => format!(
            "let it pass {signal} on{}, or tell all: supervise --kill-mode tree -- {}",
            if is_another_program(main, first) { format!(", start `{child}` without it") } else { String::new() },
            typed(main, "COMMAND")
        ),
        Heard::Ignores | Heard::Background => format!("let the child, `{child}`, handle {signal}"),
        Heard::Stopped => format!("let nothing stop `{child}`"),
        Heard::Began => bounded(first),
        Heard::Early => again(scene, first),
        Heard::Perhaps => format!("see that {signal} reaches `{child}`, and that this ends by it"),
    }
}

/// What helps where it was told too early.
fn again(scene: &Scene<'_>, process: &Process) -> String {
    format!(
        "tell it when all is started (--ready), or pass {} on again until `{}` has ended",
        scene.signal,
        called(process)
    )
}

/// What helps where it has begun to stop.
fn bounded(process: &Process) -> String {
    format!("bound how long `{}` waits for connections and work under way, or {MORE_TIME}", called(process))
}

/// Another signal, or a handler. What did work is better advice than what the signal sets promise.
fn instead(scene: &Scene<'_>, main: &Process) -> String {
    let signal = scene.signal;
    let handler = match (main.is_shell, handling(main, signal)) {
        (true, Some(Handling::Ignored)) => format!("let it not ignore {signal} (`trap '' {}`, nohup)", name_of(signal)),
        (true, _) => {
            format!("give it a trap that exits (`trap 'exit 0' {}`)", name_of(signal))
        }
        (false, Some(Handling::Ignored)) => {
            format!(
                "install a handler for {signal} that ends it; where it was only started so (nohup), start it otherwise"
            )
        }
        (false, _) => format!("install a handler for {signal} that ends it"),
    };
    let init = match handling(main, signal) {
        Some(Handling::Default) => format!(", or start it under an init: supervise -- {}", typed(main, "COMMAND")),
        _ => String::new(),
    };
    match (scene.better_signal(), handled_instead(scene, main)) {
        (Some((other, took, ended)), _) => format!(
            "stop it by {other} (STOPSIGNAL {other}, supervise --stop-signal {other}), which ended it in {} with {}; or \
             {handler}{init}",
            seconds(took),
            status(ended)
        ),
        (None, Some(Instead::Known(other))) => format!(
            "stop it by {other}, which {} is known to stop by (--signal {other} tries that; then STOPSIGNAL {other}, supervise \
             --stop-signal {other}), or {handler}{init}",
            main.comm
        ),
        (None, Some(Instead::Others(others))) => {
            format!("{handler}{init}; it also has handlers for {}, whatever they do", signals(others))
        }
        (None, Some(Instead::Usual(other))) => format!(
            "it has a handler for {other}: see whether that stops it (--signal {other}; then STOPSIGNAL {other}, supervise \
             --stop-signal {other}), or {handler}{init}"
        ),
        (None, None) => handler + &init,
    }
}
