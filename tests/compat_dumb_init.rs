//! dumb-init: the same cases on the original and on supervise by that name.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use harness::compat::{Case, Original, Play, asked, code, compare, run, signal_state};
use harness::compat_facts::{self as facts, Job};
use harness::launch::Place;
use libc::{SIGCONT, SIGHUP, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU};

const DUMB_INIT: Original = Original { name: "dumb-init", file: "/usr/bin/dumb-init" };

#[test]
fn what_it_says_of_itself() {
    let told =
        ["-h", "--help", "--he", "-V", "--version", "--vers", "-vV", "-Vz", "-h true", "-ch", "-r 15:3 -h", "-hV"];
    let refused = [
        "",
        "--",
        "-v",
        "-c",
        "-cv",
        "-r 15:3",
        "-z",
        "-zh",
        "-z true",
        "-vz true",
        "-W",
        "--yolo",
        "--yolo=x",
        "--yolo true",
        "--v",
        "--ve",
        "--ver",
        "--help=x",
        "--version=",
        "--verbose=1",
        "--single-child=1",
        "--si=2",
        "-r",
        "--rewrite",
        "--rew",
        "-vr",
        "-c --rewrite",
        "--=",
        "---",
        "--x -h",
        "-r 1",
        "-r 1 -h",
    ];
    let mut cases: Vec<Case> = told.iter().chain(&refused).map(|line| run(line)).collect();
    cases.extend(["-h", "", "-z", "--yolo", "--v", "-r"].map(|line| run(line).by_path()));
    cases.extend(["-h", "", "-z", "-V"].map(|line| run(line).at(Place::Pid1)));
    // The environment is read after the words.
    cases.extend(["", "-h", "-V", "-z"].map(|line| run(line).env("DUMB_INIT_DEBUG", "1")));
    compare(DUMB_INIT, &cases);
}

#[test]
fn options_end_at_the_first_word() {
    let lines = [
        "sh -c 'exit 3'",
        "-c sh -c 'exit 3'",
        "-- sh -c 'exit 3'",
        "-c -- sh -c 'exit 3'",
        "-- -- true",
        "echo -v -c -h",
        "echo -- -v",
        "-- echo -- -v",
        "{probe} exit 3 -V",
        "-cr 15:3 {probe} exit 4",
        "-cr15:3 {probe} exit 4",
        "-rc {probe} exit 4",
        "--single-child {probe} exit 4",
        "--single {probe} exit 4",
        "--s {probe} exit 4",
        "--rew=15:3 {probe} exit 4",
        "--rewrite 15:3 {probe} exit 4",
        "--r 15:3 {probe} exit 4",
        "--rewrite=15:3 -- {probe} exit 4",
        "-c - a",
        "''",
        "echo ''",
        "-r 15:3 -r 15:3 -r 2:0 {probe} exit 4",
        "-ccc true",
        "-c true -z",
    ];
    let mut cases: Vec<Case> = lines.map(run).into();
    cases.extend(["echo -v", "true -z", "-c echo -- -v"].map(|line| run(line).env("POSIXLY_CORRECT", "1")));
    cases.push(asked("lines", "--verb true", lines_of_both));
    cases.push(asked("lines", "--verbo -c true", lines_of_both));
    compare(DUMB_INIT, &cases);
}

#[test]
fn rewriting() {
    let accepted = [
        "15:3", "15:3xyz", "' 15:3'", "'15: 3'", "15:0", "15:31", "31:15", "1:1", "+15:+3", "015:03", "15:3:4",
        "15:-0", "10:19", "'15:3 '", "15:3.7",
    ];
    let refused = [
        "'15 :3'",
        "0:3",
        "15:32",
        "32:15",
        "-1:3",
        "15:-1",
        "15::12",
        "15",
        "15:",
        ":3",
        "abc",
        "''",
        "0x0f:3",
        "15;3",
        "TERM:3",
        "99999999999:3",
        "64:1",
        "1:64",
        "-15:3",
        "15:99999999999",
    ];
    let mut cases: Vec<Case> = refused.iter().map(|rule| run(&format!("-r {rule} true"))).collect();
    cases.push(
        run("-r 4294967311:3 true").always_differs("a number that is too big does not become another", "code 1*"),
    );
    // What is rewritten to STOP is not reported.
    cases.extend(accepted.iter().filter(|rule| !rule.ends_with(":19")).flat_map(|rule| {
        ["", "-c"].map(|mode| asked("rewritten", &format!("{mode} -r {rule} {}", facts::REPORT), facts::forwards_some))
    }));
    let several = [
        "-r 1:2 -r 2:3 -r 3:1",
        "-r 15:3 -r 15:12",
        "-r 15:0 -r 2:0 -r 1:0",
        "--rewrite 15:3 --rewrite=2:10",
        "-r 15:3 -r 15:15",
        "-r15:3",
        "-r 20:15",
        "-r 31:0",
        "-r 28:1 -r 12:1 -r 10:1",
    ];
    cases.extend(
        several.map(|rules| asked("rewritten", &format!("{rules} {}", facts::REPORT), facts::forwards_some).both()),
    );
    compare(DUMB_INIT, &cases);
}

#[test]
fn exit_codes() {
    let codes = [0, 1, 2, 3, 64, 77, 124, 125, 126, 127, 128, 129, 143, 200, 254, 255];
    let mut cases: Vec<Case> = codes.map(|code| run(&format!("{{probe}} exit {code}")).both()).into();
    cases.extend(codes.map(|code| run(&format!("-c {{probe}} exit {code}"))));
    let signals =
        ["HUP", "INT", "QUIT", "ILL", "ABRT", "KILL", "USR1", "SEGV", "PIPE", "TERM", "PWR", "SYS", "34", "40", "64"];
    cases.extend(signals.map(|signal| run(&format!("{{probe}} die {signal}")).both()));
    cases.extend(signals.map(|signal| run(&format!("-c {{probe}} die {signal}"))));
    // A code although its caller wanted to see no child end.
    cases.push(
        asked("child's signal ignored", "{probe} ready, exit 5", facts::ends_or_hangs).entered("ignore CHLD").both(),
    );
    compare(DUMB_INIT, &cases);
}

#[test]
fn commands_that_do_not_start() {
    let files = ["/no/such", "no-such", "/etc", "/etc/hostname", "/etc/hostname/x", "./no-such", "data", "''", "."];
    let mut cases: Vec<Case> = files.map(|file| run(file).both()).into();
    cases.extend(files.map(|file| run(&format!("-c {file}"))));
    let made = ["script", "empty", "loop", "data"];
    cases.extend(made.map(|file| run(&format!("{{folder}}/{file}")).both()));
    let said = "code 2\nerr: [dumb-init] {folder}";
    let lost = format!("{said}/lost: No such file or directory\nerr: supervise: cannot run *");
    let alien = format!("{said}/alien: Exec format error*");
    cases.extend([
        run("{folder}/lost").both().differs("it says which file it is that is not there", &lost),
        run("{folder}/alien").both().always_differs("a program for another machine is no script", &alien),
    ]);
    cases.push(run(&format!("/{}", "x".repeat(300))));
    cases.push(run("true").by_path().behind(&["env", "--unset=PATH"]));
    cases.push(run("no-such").by_path().behind(&["env", "--unset=PATH"]));
    cases.push(run("hostname").by_path().behind(&["env", "PATH=/etc:/no/such"]));
    compare(DUMB_INIT, &cases);
}

fn by_process(play: &Play, code: &str, lines: &[String]) -> String {
    format!("{code}\n{}", play.anonymous(&facts::dumb_inits(lines)))
}

fn lines_of_both(play: &Play) -> String {
    let ended = play.launch().end();
    by_process(play, &format!("{} {:?}", code(ended.exit), ended.stdout), &ended.stderr)
}

#[test]
fn what_it_says_of_its_work() {
    let mut cases = Vec::new();
    for options in ["-v", "-vc", "-v -v", "-v -r 15:3", "-v -r 15:0", "-cv -r 15:0", "--verbose"] {
        for command in ["true", "{probe} exit 3", "{probe} die TERM", "{probe} die 40"] {
            cases.push(asked("lines", &format!("{options} {command}"), lines_of_both).both());
        }
        let silent = "there is no child to tell of where the command did not start";
        let case = asked("lines", &format!("{options} /no/such"), lines_of_both).both();
        cases.push(case.always_differs(silent, "code 2 []\n*[dumb-init] /no/such: No such file or directory"));
    }
    for value in ["1", "", "0", "2", "true", "yes", " 1", "1 ", "01"] {
        cases.push(asked("lines", "true", lines_of_both).env("DUMB_INIT_DEBUG", value));
        cases.push(asked("lines", "-v true", lines_of_both).env("DUMB_INIT_DEBUG", value));
        cases.push(asked("lines", "-v true", lines_of_both).env("DUMB_INIT_SETSID", value));
        let both = asked("lines", "true", lines_of_both).env("DUMB_INIT_SETSID", value).env("DUMB_INIT_DEBUG", "1");
        cases.push(both.both());
    }
    cases.push(asked("lines", "-c true", lines_of_both).env("DUMB_INIT_SETSID", "1").env("DUMB_INIT_DEBUG", "1"));
    let report = facts::REPORT;
    for options in ["-v", "-vc", "-v -r 15:3 -r 2:0 -r 28:28"] {
        cases.push(asked("signals", &format!("{options} {report}"), says_of_signals).both());
    }
    cases.push(asked("reaped", &format!("-v {}", facts::ENDED_ORPHANS), reaps).at(Place::Pid1));
    compare(DUMB_INIT, &cases);
}

/// What is dropped does not arrive, so it is awaited that it was told of.
fn says_of_signals(play: &Play) -> String {
    let mut init = play.ready();
    let mut lines = Vec::new();
    for signal in [1, 2, 3, 6, 10, 11, 12, 13, 14, 15, 16, 23, 28, 29, 30, 31, 34, 35, 63, 64] {
        init.signal(signal);
        while !lines.last().is_some_and(|line: &String| line.contains(" to children")) {
            lines.push(init.stderr().next().expect("it runs"));
        }
        lines.push(format!("after {signal}"));
    }
    init.go();
    let ended = init.end();
    lines.extend(ended.stderr);
    by_process(play, &code(ended.exit), &lines)
}

/// The children end at the same time.
fn reaps(play: &Play) -> String {
    let told = facts::reaps(play);
    let reaped = told.lines().filter(|line| line.contains("A child with PID")).count();
    format!("{reaped} reaped; {}", told.lines().next().unwrap_or_default())
}

#[test]
fn signals() {
    let report = facts::REPORT;
    let mut cases = vec![
        asked("forwarded", report, facts::forwards_all_but_stops).both(),
        asked("forwarded", &format!("-c {report}"), facts::forwards_all_but_stops).both(),
        asked("glibc's", report, facts::forwards_glibcs)
            .at(Place::Pid1)
            .always_differs("all real-time signals are passed on", "32=1 33=1 64=1"),
    ];
    for options in ["", "-c", "--single-child"] {
        cases.push(asked("reached", &format!("{options} {}", facts::GROUP_OF_TWO), facts::reaches).both());
        cases.push(asked("family", &format!("{options} {report}"), facts::family).both());
    }
    for value in ["0", "1", "", "no", "00"] {
        let asked = |what, line: &str, ask| asked(what, line, ask).env("DUMB_INIT_SETSID", value);
        cases.push(asked("reached", facts::GROUP_OF_TWO, facts::reaches));
        cases.push(asked("family", report, facts::family));
    }
    compare(DUMB_INIT, &cases);
}

#[test]
fn job_control() {
    const STOPPED: Option<i32> = None;
    let report = format!("-v {}", facts::REPORT);
    let single = format!("-cv {}", facts::REPORT);
    let ruled = |rules: &str| format!("-v {rules} {}", facts::REPORT);
    let cases = [
        asked("TSTP", &report, |play| stops(play, SIGTSTP, STOPPED)).both(),
        asked("TTIN", &report, |play| stops(play, SIGTTIN, STOPPED)).both(),
        asked("TTOU", &report, |play| stops(play, SIGTTOU, STOPPED)).both(),
        asked("TSTP", &single, |play| stops(play, SIGTSTP, Some(SIGTSTP))).both(),
        asked("TTIN", &single, |play| stops(play, SIGTTIN, Some(SIGTTIN))).both(),
        asked("TTOU", &single, |play| stops(play, SIGTTOU, Some(SIGTTOU))).both(),
        asked("TSTP, rewritten", &ruled("-r 20:15"), |play| stops(play, SIGTSTP, Some(SIGTERM))).both(),
        asked("TSTP, rewritten to itself", &ruled("-r 20:20"), |play| stops(play, SIGTSTP, Some(SIGTSTP))).both(),
        asked("TTIN, rewritten", &ruled("-r 20:15"), |play| stops(play, SIGTTIN, STOPPED)).both(),
        // Whether a process 1 has done nothing is not to be seen.
        asked("TSTP, dropped", &ruled("-r 20:0"), |play| {
            facts::job_control(play, &Job { signal: SIGTSTP, init_stops: true, main_stops: false, main_gets: None })
        }),
        asked("TERM as STOP", &ruled("-r 15:19"), |play| {
            facts::job_control(play, &Job { signal: SIGTERM, init_stops: false, main_stops: true, main_gets: None })
        })
        .both(),
    ];
    compare(DUMB_INIT, &cases);
}

/// A signal of job control, by which the init stops, and main does unless it is sent something else.
fn stops(play: &Play, signal: i32, main_gets: Option<i32>) -> String {
    let main_stops = main_gets.is_none();
    facts::job_control(play, &Job { signal, init_stops: true, main_stops, main_gets })
}

fn listeners(pid: &str) -> Case {
    asked("listeners", "{probe} status", facts::listeners).env("LISTEN_PID", pid).env("LISTEN_FDS", "1").at(Place::Pid1)
}

#[test]
fn what_the_command_is_given() {
    let state = "default 32,33, ignore HUP,PIPE,40, block USR1,TTIN,41";
    let kept = "what the command is given is what the init was given";
    let cases = [
        run("{probe} status").entered("default 32,33, open 9 /dev/zero, chdir /usr/bin, limit 7 99 99").both(),
        run("-c {probe} status").entered("default 32,33, open 9 /dev/zero, chdir /usr/bin").both(),
        run("{probe} status").entered("default 32,33, close 0, close 1"),
        run("{probe} status").env("DUMB_INIT_DEBUG", "0").env("DUMB_INIT_SETSID", "1"),
        asked("state", "{probe} status", signal_state)
            .entered(state)
            .both()
            .differs(kept, "mask 0000010000100200, ignored 0000008000001001"),
        asked("state", "-c {probe} status", signal_state)
            .entered(state)
            .differs(kept, "mask 0000010000100200, ignored 0000008000001001"),
        asked("state", "{probe} status", signal_state).entered("default 32,33"),
        listeners("99"),
        listeners("1")
            .differs("descriptors that are handed on are the command's", "*\nenv LISTEN_FDS=1\nenv LISTEN_PID=N1"),
    ];
    compare(DUMB_INIT, &cases);
}

#[test]
fn what_it_keeps_and_whom_it_adopts() {
    let report = facts::REPORT;
    let mut cases = vec![
        asked("descriptors", report, facts::descriptors)
            .entered("open 9 /dev/zero, open 20 /dev/zero")
            .both()
            .differs("it holds no file or socket that others wait for the end of", "init: ; main: 9 20"),
        asked("adopts", facts::AN_ORPHAN, facts::adopts).both(),
    ];
    for options in ["", "-c"] {
        let directory = asked("directory", &format!("{options} {report}"), facts::working_directory);
        cases.push(directory.entered("chdir /usr/bin").both());
    }
    compare(DUMB_INIT, &cases);
}

/// What the leader of a session says at its terminal, what its command has there, and which HUP it passes on.
fn hands_over(play: &Play) -> String {
    let (mut terminal, mut init) = facts::at_a_terminal(play);
    let mut lines = facts::lines_up_to(&mut terminal.screen, "ready");
    // Both hand-offs are behind it, in whatever order it was scheduled.
    while lines.iter().filter(|line| line.contains("Ignoring tty hand-off")).count() < 2 {
        lines.extend(terminal.screen.next());
    }
    for signal in [SIGHUP, SIGCONT] {
        harness::send(init.outer_pid(), signal, 1);
        lines.extend(facts::lines_up_to(&mut terminal.screen, &format!("got {signal} ")));
    }
    harness::send(init.outer_pid(), facts::LAST, 1);
    lines.extend(facts::lines_up_to(&mut terminal.screen, "Goodbye"));
    let end = code(init.wait());
    let (mut own, commands): (Vec<String>, Vec<String>) =
        lines.into_iter().partition(|line| line.starts_with("[dumb-init]"));
    // Signals may come before or after the child is there.
    own.sort();
    assert!(commands.iter().all(|line| !line.contains("dumb-init")), "lines in one another: {commands:?}");
    let commands = commands.iter().map(|line| line.split(" from ").next().unwrap_or_default());
    format!("{}\n{}", by_process(play, &end, &own), commands.collect::<Vec<_>>().join("\n"))
}

#[test]
fn the_terminal_of_a_session_is_handed_over() {
    let payload = "{probe} foreground, report-until 64";
    compare(DUMB_INIT, &[asked("hand-over", &format!("-v {payload}"), hands_over)]);
}

/// The lines at the terminal of a session that it does not lead, or that it leaves alone.
fn at_anothers_terminal(play: &Play) -> String {
    let mut terminal = harness::terminal::Terminal::open(&play.scene);
    let link = play.link().display().to_string();
    let words = play.words();
    let strict = play.variables().into_iter().any(|(name, _)| name == "SUPERVISE_STRICT");
    let line =
        format!("{}{link} {}; echo end:$?", if strict { "SUPERVISE_STRICT=1 " } else { "" }, words[1..].join(" "));
    let mut shell = terminal.session(&play.scene, &["sh", "-c", &line]);
    let lines = facts::lines_up_to(&mut terminal.screen, "end:");
    shell.wait();
    let (own, commands): (Vec<String>, Vec<String>) =
        lines.into_iter().partition(|line| line.starts_with("[dumb-init]"));
    format!("{}\n{}", by_process(play, "", &own), commands.join("\n"))
}

#[test]
fn the_terminal_of_others_is_left_to_them() {
    let cases = [
        asked("below a shell", "-v {probe} foreground exit 3", at_anothers_terminal),
        asked("below a shell", "-cv {probe} foreground exit 3", at_anothers_terminal),
        asked("in the background", "{probe} foreground", facts::in_the_background),
        asked("in the background", "-c {probe} foreground", facts::in_the_background),
    ];
    compare(DUMB_INIT, &cases);
}

#[test]
fn mended() {
    let told = "what is left is told to end, and waited for";
    let cases = [
        asked("leftovers", "--", facts::leftovers).at(Place::Pid1).differs(told, "code 3; told; nothing is left"),
        asked("leftovers", "-c --", facts::leftovers).at(Place::Pid1).differs(told, "code 3; told; nothing is left"),
        asked("leftovers of the group", "--", facts::leftovers_of_the_group),
        asked("leftovers of the group", "-r 15:0 --", facts::leftovers_of_the_group),
        asked("idle", facts::REPORT, facts::sleep).both(),
    ];
    compare(DUMB_INIT, &cases);
}

#[test]
fn signals_that_come_early_arrive() {
    facts::early_signals_arrive(DUMB_INIT, &["", "-c"]);
}

#[test]
fn our_own_variables_work() {
    facts::our_variables_work(DUMB_INIT);
}
