//! What the tables about the other inits find out, beside how a command line ends and what it says.
//!
//! An init has settled down once it has forwarded two signals: each of the originals is in its loop by the first.

use std::collections::BTreeMap;
use std::path::Path;

use libc::{
    SIGABRT, SIGBUS, SIGCHLD, SIGCONT, SIGFPE, SIGILL, SIGKILL, SIGSEGV, SIGSTOP, SIGSYS, SIGTERM, SIGTRAP, SIGTSTP,
    SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2, SIGWINCH,
};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::compat::{Ask, Case, Original, Play, Who, asked, code};
use super::launch::Place;
use super::lines::Lines;
use super::running::Running;
use super::terminal::Terminal;
use super::{proc, send};

/// The last signal that is sent: the kernel hands out the lowest first, so it arrives after all others.
pub(crate) const LAST: i32 = 64;

/// What the kernel sends to a process that did something wrong.
pub(crate) const FAULTS: [i32; 7] = [SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS];

/// What glibc keeps for itself: none of its sets has them, so that the originals neither block them nor pass them on.
pub(crate) const GLIBCS: [i32; 2] = [32, 33];

/// What a terminal stops a job with.
pub(crate) const STOPS: [i32; 3] = [SIGTSTP, SIGTTIN, SIGTTOU];

/// A payload for the cases that send signals to the init.
pub(crate) const REPORT: &str = "{probe} report-until 64, read";

/// How often each signal came, of what the payload reported.
fn counts(lines: &[String]) -> String {
    let mut counts = BTreeMap::new();
    for line in lines {
        let signal = line.strip_prefix("got ").and_then(|rest| rest.split(' ').next()?.parse::<i32>().ok());
        *counts.entry(signal.unwrap_or_default()).or_insert(0) += 1;
    }
    counts.iter().map(|(signal, count)| format!("{signal}={count}")).collect::<Vec<_>>().join(" ")
}

/// The payload's reports up to the one of this signal. The init may say something in between.
#[track_caller]
fn reports_until(init: &mut Running<'_>, last: i32) -> Vec<String> {
    let mut reports = Vec::new();
    loop {
        let line = init.line();
        let is_last = line.starts_with(&format!("got {last} "));
        if line.starts_with("got ") {
            reports.push(line);
        }
        if is_last {
            return reports;
        }
    }
}

/// Sends every signal but those that cannot be caught and some more, and tells which arrived and how often.
fn forwarded(play: &Play, without: &[i32]) -> String {
    let mut init = play.ready();
    let without = [without, &GLIBCS[..]].concat();
    let (pid, main) = (init.pid(), init.main_pid());
    // CONT by itself: it takes back a stop that waits, and a stop takes it back (signal(7), kernel/signal.c).
    let apart = [SIGKILL, SIGSTOP, SIGCONT];
    for signal in (1..LAST).filter(|signal| !apart.contains(signal) && !without.contains(signal)) {
        send(pid, signal, 1);
    }
    let mut arrived = reports_until(&mut init, LAST - 1);
    send(pid, SIGCONT, 1);
    send(pid, 40, 4);
    send(pid, LAST, 1);
    arrived.extend(reports_until(&mut init, LAST));
    // The probe leaves this one out of its reports.
    let pending = proc::status(main, "ShdPnd").and_then(|set| u64::from_str_radix(&set, 16).ok());
    let child_signal = pending.is_some_and(|set| set & 1 << (SIGCHLD - 1) != 0);
    format!("{}; child's signal: {child_signal}", counts(&arrived))
}

pub(crate) fn forwards_all(play: &Play) -> String {
    forwarded(play, &[])
}

pub(crate) fn forwards_all_but_faults(play: &Play) -> String {
    forwarded(play, &FAULTS)
}

pub(crate) fn forwards_all_but_stops(play: &Play) -> String {
    forwarded(play, &STOPS)
}

/// The same of those two alone, to a process 1: any other dies of them.
pub(crate) fn forwards_glibcs(play: &Play) -> String {
    let mut init = play.ready();
    for signal in GLIBCS.into_iter().chain([LAST]) {
        send(init.pid(), signal, 1);
    }
    counts(&reports_until(&mut init, LAST))
}

/// Sends some signals, for what becomes of them on their way: they may become the same one.
pub(crate) fn forwards_some(play: &Play) -> String {
    const FENCE: i32 = LAST - 1;
    let mut init = play.ready();
    let mut arrived = Vec::new();
    for signal in [1, 2, 3, 10, 12, 15, 28, 31, 34] {
        send(init.pid(), signal, 1);
        // Whatever the first became, it arrives before this one.
        send(init.pid(), FENCE, 1);
        arrived.extend(reports_until(&mut init, FENCE));
    }
    counts(&arrived)
}

/// Whether it dies of a signal of the kernel that somebody sends, or passes it on.
pub(crate) fn faults(play: &Play) -> String {
    let mut init = play.ready();
    let (outer, pid) = (init.outer_pid(), init.pid());
    init.signal(SIGSEGV);
    // It may be dead by now, but not reaped.
    send(pid, LAST, 1);
    let mut said = String::new();
    play.scene.deadline.until("it to die or to pass on the other one", || {
        said = init.stdout().so_far();
        (said.contains("got 64 ") || proc::state(outer) == Some('Z')).then_some(())
    });
    if proc::state(outer) == Some('Z') {
        code(init.wait())
    } else {
        format!("lives; passed on: {}", said.contains("got 11 "))
    }
}

/// What it says of each signal that all of the originals pass on, one at a time.
pub(crate) fn says_of_signals(play: &Play) -> String {
    let mut init = play.ready();
    let kept = [&[SIGKILL, SIGSTOP, SIGCHLD][..], &FAULTS, &STOPS, &GLIBCS].concat();
    // What is said on stdout comes at once, or when the original's buffer is written.
    let mut said = Vec::new();
    for signal in (1..=LAST).filter(|signal| !kept.contains(signal)) {
        init.signal(signal);
        let report = format!("got {signal} ");
        said.extend(std::iter::from_fn(|| Some(init.line()).filter(|line| !line.starts_with(&report))));
    }
    let ended = init.end();
    let all = said.iter().chain(&ended.stdout).chain(&ended.stderr);
    let said: Vec<&String> = all.filter(|line| line.contains("signal") && !line.contains("signal 17")).collect();
    play.anonymous(&said)
}

/// Which signals of the two a main and its child in the same group get, when the first is sent to the init.
pub(crate) fn reaches(play: &Play) -> String {
    let mut init = play.launch().spawn();
    let ready: Vec<String> = vec![init.line(), init.line()];
    assert!(ready.iter().all(|line| line.ends_with("ready")), "{ready:?}");
    let main = init.main_pid();
    let child = proc::children(main)[0];
    init.signal(SIGUSR1);
    // All of a group are sent it at once.
    let first = init.line();
    send(child, LAST, 1);
    send(main, LAST, 1);
    let mut lines = vec![first];
    lines.extend(init.stdout().rest());
    let mut got: Vec<&str> = lines.iter().filter_map(|line| line.split(" from ").next()).collect();
    got.sort_unstable();
    got.join(", ")
}

pub(crate) const GROUP_OF_TWO: &str =
    "{probe} fork name child, report-until 64, end, name main, report-until 64, join, exit 3";

/// Groups and sessions of the init and its main program, which is ready to take signals.
pub(crate) fn family(play: &Play) -> String {
    let init = play.ready();
    let (pid, main) = (init.pid(), init.main_pid());
    let (group, session) = ids(pid);
    let (main_group, main_session) = ids(main);
    let (test_group, test_session) = ids(std::process::id().cast_signed());
    let init = format!("init in our group: {}, in our session: {}", group == test_group, session == test_session);
    let main_is = format!("main leads a group: {}, a session: {}", main_group == main, main_session == main);
    let ours =
        format!("main in our group: {}, in our session: {}", main_group == test_group, main_session == test_session);
    [init, main_is, ours].join("; ")
}

/// The group and the session of a process.
fn ids(pid: i32) -> (i32, i32) {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // Behind the name, which may have anything in it (proc(5)): state, ppid, pgrp, session.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields: Vec<i32> = fields.split_whitespace().skip(2).filter_map(|field| field.parse().ok()).collect();
    (fields[0], fields[1])
}

/// Waits until it has settled down. Its payload reports signals.
#[track_caller]
fn settled<'p>(play: &'p Play<'_>) -> Running<'p> {
    let mut init = play.ready();
    for signal in [SIGUSR1, SIGUSR2] {
        init.signal(signal);
        let line = init.line();
        assert!(line.starts_with(&format!("got {signal} from ")), "{line}");
    }
    init
}

pub(crate) fn working_directory(play: &Play) -> String {
    let init = settled(play);
    std::fs::read_link(format!("/proc/{}/cwd", init.pid())).map_or("?".to_owned(), |cwd| cwd.display().to_string())
}

/// Which descriptors of others it holds on to: those that were opened for /dev/zero.
pub(crate) fn descriptors(play: &Play) -> String {
    let init = settled(play);
    let of = |pid| {
        let all = proc::descriptors(pid).into_iter();
        let kept = all.filter(|(_, to)| to == Path::new("/dev/zero")).map(|(fd, _)| fd.to_string());
        kept.collect::<Vec<_>>().join(" ")
    };
    format!("init: {}; main: {}", of(init.pid()), of(init.main_pid()))
}

/// Whether it is told of children that are not its own.
pub(crate) fn adopts(play: &Play) -> String {
    let mut init = play.launch().spawn();
    let mut lines = vec![init.line(), init.line()];
    lines.sort();
    assert_eq!(lines, ["main", "orphan"]);
    format!("adopts: {}", proc::children(init.pid()).len() == 2)
}

pub(crate) const AN_ORPHAN: &str = "{probe} daemon say orphan, wait, end, say main, wait";

/// How it ends and what it says where orphans have ended before main.
pub(crate) fn reaps(play: &Play) -> String {
    let mut init = play.ready();
    let (pid, main) = (init.pid(), init.main_pid());
    play.scene.deadline.until("all but main to be reaped", || (proc::children(pid) == [main]).then_some(()));
    init.go();
    play.told(&init.end())
}

pub(crate) const ENDED_ORPHANS: &str = "{probe} orphans 2, ready, read, exit 3";

/// Waits for a program that paces itself for two seconds: nobody could wait for what may never come.
fn wait_for_a_clock(play: &Play) {
    play.scene.bare().probe("storm 3 1, say over").spawn().expect("over");
}

/// How it ends, or that it does not.
pub(crate) fn ends_or_hangs(play: &Play) -> String {
    let mut init = play.ready();
    if play.who == Who::Original {
        // An init that still sleeps when two seconds of work are done will not wake up.
        wait_for_a_clock(play);
        if proc::state(init.outer_pid()) != Some('Z') {
            return "hangs".to_owned();
        }
    }
    code(init.wait())
}

/// Whether it wakes up although nothing happens.
pub(crate) fn sleep(play: &Play) -> String {
    wakes_up(play, &settled(play))
}

pub(crate) fn wakes_up(play: &Play, init: &Running<'_>) -> String {
    let wakes = || proc::status(init.pid(), "voluntary_ctxt_switches");
    let before = play.scene.deadline.until("it to sleep", || (proc::state(init.pid()) == Some('S')).then(wakes));
    wait_for_a_clock(play);
    if wakes() == before { "sleeps".to_owned() } else { "wakes up".to_owned() }
}

/// What becomes of a process in a session of its own when main ends.
pub(crate) fn leftovers(play: &Play) -> String {
    let (path, mut lines) = play.scene.fifo("report");
    let probe = super::probe().display().to_string();
    let mut words = play.words();
    words.push(probe);
    let verbs =
        format!("fork setsid, block TERM, out {0}, say up, await TERM, say told, end, read, exit 3", path.display());
    words.extend(super::words(&verbs).into_iter().map(str::to_owned));
    let mut init = play.launch_of(&words).spawn();
    assert_eq!(lines.next().as_deref(), Some("up"));
    init.go();
    let end = code(init.wait());
    let left = if play.scene.marked().is_empty() { "nothing" } else { "it" };
    format!("{end}; {}; {left} is left", if lines.so_far().contains("told") { "told" } else { "not told" })
}

/// What a process in main's group that ignores nothing gets when main ends.
pub(crate) fn leftovers_of_the_group(play: &Play) -> String {
    let (path, mut lines) = play.scene.fifo("report");
    let probe = super::probe().display().to_string();
    let mut words = play.words();
    words.push(probe);
    let verbs = format!("fork out {0}, report-until TERM, say over, end, read, exit 3", path.display());
    words.extend(super::words(&verbs).into_iter().map(str::to_owned));
    let mut init = play.launch_of(&words).spawn();
    assert_eq!(lines.next().as_deref(), Some("ready"));
    let child = proc::children(init.main_pid())[0];
    init.go();
    let end = code(init.wait());
    // It comes after what was sent by then. The process may be gone.
    if play.scene.marked().contains(&child) {
        let _ = kill(Pid::from_raw(child), Signal::SIGTERM);
    }
    let got = std::iter::from_fn(|| lines.next()).take_while(|line| line != "over");
    let from_whom = got.map(|line| if line.contains(&format!("from {} ", std::process::id())) { "us" } else { "it" });
    format!("{end}; told by {}", from_whom.collect::<Vec<_>>().join(", "))
}

/// Whether signals that came before the payload's start arrive: how many of the rounds.
pub(crate) fn early_signals(play: &Play, rounds: usize) -> usize {
    let arrives = || {
        let mut init = play.launch().spawn();
        // Where the mask is not kept, the signal may end the payload before it can say a word.
        if init.stdout().next().as_deref() != Some("ready") {
            return init.wait() == super::Exit::Code(128 + SIGTERM);
        }
        init.signal(LAST);
        init.line().starts_with(&format!("got {SIGTERM} "))
    };
    (0..rounds).filter(|_| arrives()).count()
}

/// Who has the terminal, seen by a payload that a shell has started in the background.
pub(crate) fn in_the_background(play: &Play) -> String {
    let mut terminal = Terminal::open(&play.scene);
    let _shell = terminal.shell(&play.scene);
    let strict = if play.who == Who::Strict { "SUPERVISE_STRICT=1 " } else { "" };
    let words = play.words();
    let line = format!("{strict}{} {}", play.link().display(), words[1..].join(" "));
    // The shell shows what is typed, which is not to be taken for what comes of it.
    terminal.press(&format!("{line} say up:$((40+2)) wait &\n"));
    let seen = terminal.screen.up_to("up:42");
    let found = ["foreground own", "foreground other", "foreground none"].into_iter().find(|word| seen.contains(word));
    found.unwrap_or("?").to_owned()
}

/// What a leader of a session with a terminal makes of both. Its payload reports signals.
pub(crate) fn at_a_terminal<'p>(play: &'p Play<'_>) -> (Terminal, Running<'p>) {
    let terminal = Terminal::open(&play.scene);
    let mut words = vec!["env".to_owned()];
    words.extend(play.variables().into_iter().map(|(name, value)| format!("{name}={value}")));
    words.extend(play.words());
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let running = terminal.session(&play.scene, &words);
    (terminal, running)
}

/// The lines of a terminal up to one that has this text.
pub(crate) fn lines_up_to(screen: &mut Lines, text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some(line) = screen.next() {
        let found = line.contains(text);
        lines.push(line);
        if found {
            break;
        }
    }
    lines
}

/// What the parent's death does, by a parent that ends.
pub(crate) fn parent_dies(play: &Play) -> String {
    let mut words = vec![super::probe().display().to_string(), "fork".into(), "exec".into(), "--".into()];
    words.extend(play.words());
    words.extend(["end", "read", "exit", "5"].map(str::to_owned));
    let mut parent = play.launch_of(&words).spawn();
    parent.expect("ready");
    parent.go();
    let parents = code(parent.wait());
    let got: Vec<String> = parent.stdout().rest();
    let got: Vec<&str> = got.iter().filter_map(|line| line.split(" from ").next()).collect();
    format!("{parents}; {}", got.join(", "))
}

/// What a signal of job control does.
pub(crate) struct Job {
    pub(crate) signal: i32,
    pub(crate) init_stops: bool,
    pub(crate) main_stops: bool,
    /// What main is sent before anything goes on.
    pub(crate) main_gets: Option<i32>,
}

/// What dumb-init says as itself, and then what it says as the process that is to become the command: both speak at the
/// same time.
pub(crate) fn dumb_inits(lines: &[String]) -> Vec<&String> {
    let childs = ["setsid complete", "Unable to attach", "/no/such:"];
    let (child, parent): (Vec<&String>, Vec<&String>) =
        lines.iter().partition(|line| childs.iter().any(|text| line.contains(text)));
    parent.into_iter().chain(child).collect()
}

/// A job that is told to stop and goes on: what becomes of the init and of main, what main gets, what the init says
/// with `-v`.
pub(crate) fn job_control(play: &Play, job: &Job) -> String {
    let mut init = play.ready();
    let (pid, main) = (init.pid(), init.main_pid());
    let until = |pid, what: &str, wanted| {
        play.scene.deadline.until(what, || (proc::state(pid) == Some(wanted)).then_some(()));
    };
    let mut said = Vec::new();
    init.signal(job.signal);
    if job.main_stops {
        until(main, "main to stop", 'T');
    }
    if job.init_stops && play.place == Place::Child {
        until(pid, "the init to stop", 'T');
    } else {
        // A process 1 that sends STOP to itself goes on, but loses a CONT that it has not taken yet.
        init.signal(SIGWINCH);
        let lines = std::iter::from_fn(|| init.stderr().next());
        said.extend(lines.take_while(|line| !line.contains("Forwarded signal 28")));
    }
    let mut got = job.main_gets.map(|signal| reports_until(&mut init, signal)).unwrap_or_default();
    init.signal(SIGCONT);
    until(pid, "the init to go on", 'S');
    got.extend(reports_until(&mut init, SIGCONT));
    send(pid, LAST, 1);
    got.extend(reports_until(&mut init, LAST));
    init.go();
    let ended = init.end();
    said.extend(ended.stderr);
    said.retain(|line| !line.contains("signal 17"));
    format!("{}; {}\n{}", counts(&got), code(ended.exit), play.anonymous(&dumb_inits(&said)))
}

/// The variables that say who is meant by descriptors that are handed on.
pub(crate) fn listeners(play: &Play) -> String {
    let ended = play.launch().end();
    let wanted = |line: &&String| ["pid ", "env LISTEN_", "env WATCHDOG_"].iter().any(|head| line.starts_with(head));
    let lines: Vec<&String> = ended.stdout.iter().filter(wanted).chain(&ended.stderr).collect();
    play.anonymous(&lines)
}

/// What an init of ours does by that name, whatever the original does.
#[track_caller]
pub(crate) fn ours(original: Original, place: Place, case: Case, ask: impl Fn(&Play) -> String) -> String {
    ask(&Play::new(original, Who::Ours, place, &case))
}

/// Variables of supervise's own work by every name.
#[track_caller]
pub(crate) fn our_variables_work(original: Original) {
    let deaf = asked("", "-- {probe} ignore TERM, ready, wait", |_| String::new());
    let stopped = |play: &Play| {
        let mut init = play.ready();
        init.signal(SIGTERM);
        code(init.wait())
    };
    for place in [Place::Child, Place::Pid1] {
        let killed = ours(original, place, deaf.clone().env("SUPERVISE_GRACE", "50ms"), stopped);
        assert_eq!(killed, "code 137", "{original:?} {place:?}");
        let rewritten = asked("", &format!("-- {REPORT}"), forwards_some as Ask).env("SUPERVISE_REWRITE", "USR1=URG");
        let got = ours(original, place, rewritten, forwards_some);
        assert!(got.contains("23=1") && !got.contains("10=1"), "{original:?} {place:?}: {got}");
    }
    let left = asked("", "--", leftovers as Ask).env("SUPERVISE_LEFTOVERS", "leave");
    let left = ours(original, Place::Pid1, left, leftovers);
    assert_eq!(left, "code 3; not told; nothing is left", "{original:?}");
}

/// No signal is lost that came before the payload has its group or session.
#[track_caller]
pub(crate) fn early_signals_arrive(original: Original, lines: &[&str]) {
    const ROUNDS: usize = 20;
    for line in lines {
        for (who, place) in [
            (Who::Original, Place::Child),
            (Who::Ours, Place::Child),
            (Who::Ours, Place::Pid1),
            (Who::Strict, Place::Child),
        ] {
            let case = asked("", &format!("{line} {REPORT}"), |_| String::new()).entered("block TERM, raise TERM 1");
            let arrived = early_signals(&Play::new(original, who, place, &case), ROUNDS);
            if who == Who::Original {
                super::note(&format!("{} {line}: {arrived} of {ROUNDS} early signals arrive", original.name));
            } else {
                assert_eq!(arrived, ROUNDS, "{} {line} {who:?} {place:?}", original.name);
            }
        }
    }
}
