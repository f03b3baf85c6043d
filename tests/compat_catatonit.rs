//! catatonit: the same cases on the original and on supervise by that name.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use harness::compat::{Case, Original, Play, asked, code, compare, run, signal_state};
use harness::compat_facts as facts;
use harness::launch::Place;
use harness::{proc, send};
use libc::{SIGCHLD, SIGHUP, SIGINT, SIGKILL, SIGTERM, SIGUSR1};

const CATATONIT: Original = Original { name: "catatonit", file: "/usr/bin/catatonit" };

/// Why what is a number to strtoll(3) alone is none.
const NUMBER: &str = "a pid is digits, and no more";

#[test]
fn what_it_says_of_itself() {
    let told = [
        "-h",
        "-gh",
        "-hz",
        "-V",
        "--version",
        "--ver",
        "--v",
        "-gV",
        "-gP -V",
        "-Ph",
        "true -V",
        "true -h",
        "-hV",
        "-Vh",
    ];
    let refused = [
        "",
        "--",
        "-g",
        "-gg",
        "-z",
        "-zh",
        "-gz true",
        "-Pz",
        "true -z",
        "-W",
        "-v",
        "-s",
        "-e",
        "--yolo",
        "--yolo=x",
        "--help",
        "--version=1",
        "--version= true",
        "--ver=1",
        "--=",
        "---",
        "true --yolo",
        "-z -V",
    ];
    let mut cases: Vec<Case> = told.iter().chain(&refused).map(|line| run(line)).collect();
    let licence = "code 0\nout: MIT License\nout: *supervise*";
    cases.extend(
        ["-L", "-gL", "-PL", "true -L"].map(|line| run(line).always_differs("it has a licence of its own", licence)),
    );
    cases.extend(["-h", "", "-z", "--yolo", "-V"].map(|line| run(line).by_path()));
    cases.extend(["-h", "", "-z", "-V"].map(|line| run(line).at(Place::Pid1)));
    cases.extend(["", "-h", "-V", "-z", "-g"].map(|line| run(line).env("CATATONIT_DEBUG", "")));
    for value in ["", "debug", "0"] {
        let lines = ["true", "", "-V", "-h", "-P", "-z"];
        cases.extend(lines.map(|line| run(line).env("CATATONIT_LOG", value)));
        cases.push(run("true").env("CATATONIT_LOG", value).env("CATATONIT_DEBUG", "1"));
    }
    compare(CATATONIT, &cases);
}

#[test]
fn words_and_options_in_any_order() {
    let lines = [
        "sh -c 'exit 3'",
        "sh -- -c 'exit 3'",
        "-- sh -c 'exit 3'",
        "-g -- sh -c 'exit 3'",
        "-- -- true",
        "{probe} exit 3 -g",
        "-g {probe} -g exit 4",
        "echo a -g b -g c",
        "echo a -- -g b -- c",
        "echo -- a -g",
        "-- echo -g -- --",
        "echo -",
        "- a",
        "''",
        "echo ''",
        "-gg {probe} exit 4",
    ];
    let mut cases: Vec<Case> = lines.map(run).into();
    for value in ["1", ""] {
        let lines = [
            "sh -c 'exit 3'",
            "-g sh -c 'exit 3'",
            "echo -g -- -V",
            "-- echo --",
            "-z true",
            "true -z",
            "true -V",
            "true --yolo",
        ];
        cases.extend(lines.map(|line| run(line).env("POSIXLY_CORRECT", value)));
    }
    compare(CATATONIT, &cases);
}

#[test]
fn exit_codes() {
    let codes = [0, 1, 2, 3, 64, 77, 124, 125, 126, 127, 128, 129, 143, 200, 254, 255];
    let mut cases: Vec<Case> = codes.map(|code| run(&format!("-- {{probe}} exit {code}")).both()).into();
    let signals =
        ["HUP", "INT", "QUIT", "ILL", "ABRT", "KILL", "USR1", "SEGV", "PIPE", "TERM", "PWR", "SYS", "34", "40", "64"];
    cases.extend(signals.map(|signal| run(&format!("-- {{probe}} die {signal}")).both()));
    compare(CATATONIT, &cases);
}

#[test]
fn commands_that_do_not_start() {
    let files = ["/no/such", "no-such", "/etc", "/etc/hostname", "/etc/hostname/x", "./no-such", "data", "''", "."];
    let mut cases: Vec<Case> = files.map(|file| run(file).both()).into();
    cases.extend(["/no/such", "/etc"].map(|file| run(&format!("-g {file}"))));
    let made = ["script", "empty", "loop", "data"];
    cases.extend(made.map(|file| run(&format!("{{folder}}/{file}")).both()));
    let said = "code 1\nerr: ERROR (catatonit:N): failed to exec pid1:";
    let lost = format!("{said} No such file or directory\nerr: supervise: cannot run *");
    let alien = format!("{said} Exec format error*");
    cases.extend([
        run("{folder}/lost").both().differs("it says which file it is that is not there", &lost),
        run("{folder}/alien").both().always_differs("a program for another machine is no script", &alien),
    ]);
    cases.push(run(&format!("/{}", "x".repeat(300))));
    cases.push(run("true").by_path().behind(&["env", "--unset=PATH"]));
    cases.push(run("no-such").by_path().behind(&["env", "--unset=PATH"]));
    cases.push(run("hostname").by_path().behind(&["env", "PATH=/etc:/no/such"]));
    compare(CATATONIT, &cases);
}

/// What it says as itself, and then as the process that is to become the command: both speak at the same time.
fn lines_of_both(play: &Play) -> String {
    let ended = play.launch().end();
    let childs = ["tty", "failed to exec", "LISTEN_PID"];
    let (child, parent): (Vec<&String>, Vec<&String>) =
        ended.stderr.iter().partition(|line| childs.iter().any(|text| line.contains(text)));
    let all: Vec<&String> = parent.into_iter().chain(child).collect();
    format!("{} {:?}\n{}", code(ended.exit), ended.stdout, play.anonymous(&all))
}

#[test]
fn what_it_says_of_its_work() {
    let mut cases = Vec::new();
    for value in ["", "0", "1"] {
        for line in ["true", "-g true", "{probe} exit 3", "{probe} die TERM", "{probe} die 40", "{probe} die KILL"] {
            cases.push(asked("lines", line, lines_of_both).env("CATATONIT_DEBUG", value).both());
        }
    }
    cases.push(asked("lines", "true", lines_of_both).env("CATATONIT_DEBUG", "1").entered("close 0"));
    cases.push(asked("reaped", facts::ENDED_ORPHANS, reaps).env("CATATONIT_DEBUG", "1").both());
    cases.push(asked("reaped", facts::ENDED_ORPHANS, reaps).both());
    let debug = |line: &str, ask| asked("signals", line, ask).env("CATATONIT_DEBUG", "1").both();
    cases.push(debug(facts::REPORT, facts::says_of_signals));
    cases.push(debug(facts::REPORT, says_of_stops));
    compare(CATATONIT, &cases);
}

/// The lines about orphans, of which any may be the first.
fn reaps(play: &Play) -> String {
    let told = facts::reaps(play);
    let reaped = told.lines().filter(|line| line.contains("exited with code 0")).count();
    format!("{}; {reaped} reaped", told.lines().next().unwrap_or_default())
}

/// What it says of the signals that it takes for the terminal's.
fn says_of_stops(play: &Play) -> String {
    let mut init = play.ready();
    let mut said = Vec::new();
    for signal in facts::STOPS {
        init.signal(signal);
        let lines = std::iter::from_fn(|| init.stderr().next());
        said.extend(lines.filter(|line| !line.contains("tty present") && line.contains("TOSTOP")).take(1));
    }
    play.anonymous(&said)
}

#[test]
fn a_command_that_is_not_there_with_everything_that_is_said() {
    let silent = "there is no child to tell of where the command did not start";
    let cases = [("/no/such", "No such file or directory"), ("/etc", "Permission denied")].map(|(line, why)| {
        let ours = format!("code 1 []\n*ERROR (catatonit:N): failed to exec pid1: {why}*");
        asked("lines", line, lines_of_both).env("CATATONIT_DEBUG", "1").both().always_differs(silent, &ours)
    });
    compare(CATATONIT, &cases);
}

#[test]
fn signals() {
    let report = facts::REPORT;
    let mut cases = vec![
        asked("forwarded", report, facts::forwards_all).at(Place::Pid1),
        asked("forwarded", report, facts::forwards_all_but_faults),
        asked("forwarded", &format!("-g {report}"), facts::forwards_all_but_faults).both(),
        asked("glibc's", report, facts::forwards_glibcs)
            .at(Place::Pid1)
            .always_differs("all real-time signals are passed on", "32=1 33=1 64=1"),
        asked("fault", report, facts::faults)
            .always_differs("it does not die and leave its command behind", "lives; passed on: false"),
    ];
    for options in ["", "-g"] {
        cases.push(asked("reached", &format!("{options} {}", facts::GROUP_OF_TWO), facts::reaches).both());
        cases.push(asked("family", &format!("{options} {report}"), facts::family).both());
    }
    compare(CATATONIT, &cases);
}

#[test]
fn what_the_command_is_given() {
    let given = "default 32,33, ignore HUP,PIPE,40, block USR1,TTIN,41,CHLD";
    let restored = "the signals of a terminal are blocked no more than they were";
    let whole = "default 32,33, ignore HUP,PIPE,40, block USR1,TSTP,TTIN,TTOU,41, open 9 /dev/zero, chdir /usr/bin, limit 7 99 99";
    let cases = [
        asked("state", "{probe} status", signal_state)
            .both()
            .entered("default 32,33")
            .differs(restored, "mask 0000000000000000, ignored 0000000000000000"),
        asked("state", "{probe} status", signal_state)
            .both()
            .entered(given)
            .differs(restored, "mask 0000010000110200, ignored 0000008000001001"),
        run("{probe} status").entered(whole).both(),
        run("-g {probe} status").entered(whole),
        run("{probe} status").entered("default 32,33, block TSTP,TTIN,TTOU, close 0, close 1"),
    ];
    compare(CATATONIT, &cases);
}

#[test]
fn the_variable_for_descriptors_that_are_handed_on_names_the_command() {
    let mut cases = Vec::new();
    for pid in ["1", "' 1'", "1x", "01", "+1", "0x1", "99", "-1", "0", "abc", "", "99999999999999999999", "4294967297"]
    {
        let pid = pid.trim_matches('\'');
        let case = asked("listeners", "{probe} status", facts::listeners).env("LISTEN_FDS", "1");
        let case = case.env("LISTEN_PID", pid).at(Place::Pid1);
        cases.push(match pid {
            " 1" | "1x" => case.always_differs(NUMBER, &format!("pid N1\nenv LISTEN_FDS=1\nenv LISTEN_PID={pid}")),
            _ => case,
        });
    }
    cases.push(asked("listeners", "{probe} status", facts::listeners).env("LISTEN_FDS", "2").both());
    let debug = asked("lines", "true", lines_of_both).env("CATATONIT_DEBUG", "1").at(Place::Pid1);
    cases.extend(["1", "99", "abc"].map(|pid| debug.clone().env("LISTEN_PID", pid)));
    // It knows of descriptors alone.
    let watchdog = asked("listeners", "{probe} status", facts::listeners).env("WATCHDOG_PID", "1").at(Place::Pid1);
    cases.push(watchdog.differs("who is watched is the command", "pid N1\nenv WATCHDOG_PID=N1"));
    compare(CATATONIT, &cases);
}

#[test]
fn what_it_keeps_and_whom_it_adopts() {
    let directory = asked("directory", facts::REPORT, facts::working_directory).entered("chdir /usr/bin");
    let cases = [
        directory.both().differs("it holds no file system that others want to unmount", "/"),
        asked("descriptors", facts::REPORT, facts::descriptors).entered("open 9 /dev/zero, open 20 /dev/zero").both(),
        asked("adopts", facts::AN_ORPHAN, facts::adopts).both(),
    ];
    compare(CATATONIT, &cases);
}

/// An init without a command, once it takes signals.
fn pausing<'p>(play: &'p Play<'_>) -> harness::running::Running<'p> {
    let init = play.launch().spawn();
    let pid = init.pid();
    let blocked = || u64::from_str_radix(&proc::status(pid, "SigBlk")?, 16).ok();
    // While it waits for signals so, the kernel shows them as not blocked.
    let waits = || std::fs::read_to_string(format!("/proc/{pid}/syscall")).ok()?.split(' ').next()?.parse().ok();
    play.scene.deadline.until("it to take signals", || {
        // To block them is the first thing that it does: what it becomes a parent by comes after that, and then it sleeps.
        let blocks = blocked().is_some_and(|set| set & 1 << (SIGTERM - 1) != 0) && proc::state(pid) == Some('S');
        (blocks || waits() == Some(libc::SYS_rt_sigtimedwait)).then_some(())
    });
    init
}

/// Sends a signal, and waits until the init has seen to it and sleeps again.
fn takes(play: &Play, init: i32, signal: i32) {
    send(init, signal, 1);
    let taken = || proc::status(init, "ShdPnd").is_some_and(|set| set.bytes().all(|digit| digit == b'0'));
    play.scene.deadline.until("the signal to be taken", || (taken() && proc::state(init) != Some('R')).then_some(()));
}

/// Ends by the signal, and by none that came before it.
fn pauses(play: &Play, last: i32) -> String {
    let init = pausing(play);
    for signal in [SIGHUP, SIGUSR1, SIGCHLD, libc::SIGPIPE, libc::SIGTSTP, libc::SIGWINCH, 40] {
        takes(play, init.pid(), signal);
        assert_ne!(proc::state(init.outer_pid()), Some('Z'), "it ended by {signal}");
    }
    send(init.pid(), last, 1);
    play.told(&init.end())
}

/// Takes in what its children leave, and buries it.
fn pauses_and_reaps(play: &Play) -> String {
    let mut init = pausing(play);
    let pid = init.pid();
    let child = proc::children(pid)[0];
    init.go();
    let mut lines = [init.line(), init.line()];
    lines.sort();
    assert_eq!(lines, ["made", "orphan"]);
    let adopted = proc::children(pid).into_iter().filter(|pid| *pid != child).collect::<Vec<_>>();
    for orphan in &adopted {
        send(*orphan, SIGKILL, 1);
    }
    play.scene.deadline.until("the orphan's burial", || (proc::children(pid) == [child]).then_some(()));
    send(child, SIGKILL, 1);
    play.scene.deadline.until("the child's burial", || proc::children(pid).is_empty().then_some(()));
    send(pid, SIGTERM, 1);
    format!("{} adopted; {}", adopted.len(), code(init.wait()))
}

/// It has no group to pass signals on to: they must not reach its own.
fn signals_nobody(play: &Play) -> String {
    let mut init = pausing(play);
    let pid = init.pid();
    init.expect("ready");
    let child = proc::children(pid)[0];
    for signal in [SIGUSR1, SIGHUP] {
        takes(play, pid, signal);
    }
    send(child, facts::LAST, 1);
    let line = init.line();
    play.scene.deadline.until("the child's burial", || proc::children(pid).is_empty().then_some(()));
    send(pid, SIGTERM, 1);
    format!("{}; {}", line.split(" from ").next().unwrap_or_default(), code(init.wait()))
}

#[test]
fn a_pause() {
    let with_a_child = "fork read, daemon say orphan, wait, end, say made, wait, end";
    let reporting = "fork report-until 64, end";
    let mut cases = Vec::new();
    for line in ["-P", "-P true", "true -P", "-gP", "-P -- x"] {
        cases.push(asked("paused, TERM", line, |play| pauses(play, SIGTERM)).both());
        cases.push(asked("paused, INT", line, |play| pauses(play, SIGINT)).both());
    }
    cases.push(asked("paused", "-P", |play| pauses(play, SIGTERM)).env("CATATONIT_DEBUG", "1"));
    cases.push(asked("reaps", "-P", pauses_and_reaps).entered(with_a_child).both());
    // podman's pause process for users without rights ignores these.
    let ignored = asked("paused", "-P", |play| pauses(play, SIGTERM));
    cases.push(ignored.entered("ignore ALRM,HUP,INT,PIPE,QUIT,IO,PROF,VTALRM,XCPU,XFSZ"));
    let deaf = asked("paused, INT ignored", "-P", |play| pauses(play, SIGINT));
    cases.push(deaf.entered("ignore ALRM,HUP,INT,PIPE,QUIT,IO,PROF,VTALRM,XCPU,XFSZ"));
    cases.push(asked("idle", "-P", sleeps_while_it_pauses));
    cases.push(asked("signals nobody", "-P", signals_nobody).entered(reporting).both());
    compare(CATATONIT, &cases);
}

fn sleeps_while_it_pauses(play: &Play) -> String {
    facts::wakes_up(play, &pausing(play))
}

#[test]
fn mended() {
    let told = "what is left is told to end, and waited for";
    let seen = "it sees the end although its caller wanted to see none";
    let cases = [
        asked("leftovers", "--", facts::leftovers).both().differs(told, "code 3; told; nothing is left"),
        asked("child's signal ignored", "{probe} ready, exit 5", facts::ends_or_hangs)
            .entered("ignore CHLD")
            .both()
            .always_differs(seen, "code 5"),
        asked("idle", facts::REPORT, facts::sleep).both(),
        asked("terminal", "{probe} foreground", facts::in_the_background)
            .differs("a job in the background leaves the terminal to the shell", "foreground other"),
    ];
    compare(CATATONIT, &cases);
}

#[test]
fn signals_that_come_early_arrive() {
    facts::early_signals_arrive(CATATONIT, &["", "-g"]);
}

#[test]
fn our_own_variables_work() {
    facts::our_variables_work(CATATONIT);
}
