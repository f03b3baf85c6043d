//! tini, tini-static and docker-init: the same cases on the original and on supervise by that name.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use harness::compat::{Case, Original, Play, Who, asked, compare, run};
use harness::compat_facts as facts;
use harness::launch::Place;

const TINI: Original = Original { name: "tini", file: "/usr/bin/tini" };
const STATIC: Original = Original { name: "tini-static", file: "/usr/bin/tini-static" };
const DOCKER: Original = Original { name: "docker-init", file: "/usr/bin/tini-static" };

/// Becomes its operand as a subreaper.
const SUBREAPER: [&str; 3] = [
    "/usr/bin/python3",
    "-c",
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(36, 1, 0, 0, 0); os.execvp(sys.argv[1], sys.argv[1:])",
];

const VERSION: &str = "tini version 0.19.0";

/// As docker wants to read it, and as people do.
const OUR_VERSION: &str = concat!(
    "tini version 0.19.0 - git.supervise-",
    env!("CARGO_PKG_VERSION_MAJOR"),
    "_",
    env!("CARGO_PKG_VERSION_MINOR"),
    "_",
    env!("CARGO_PKG_VERSION_PATCH"),
    " - supervise ",
    env!("CARGO_PKG_VERSION"),
);

/// A command line whose answer has the version in it.
fn help(line: &str) -> Case {
    run(line).differs_in("the version says whose it is", VERSION, OUR_VERSION)
}

fn texts() -> Vec<Case> {
    let told = ["-h", "-hz", "-vh", "-h true", "true -h", "-e 3 -h"];
    let refused = [
        "",
        "--",
        "-s",
        "-vvvv",
        "-z",
        "-zh",
        "-z -h",
        "-vz true",
        "-W",
        "-e",
        "-p",
        "-ve",
        "-s -p",
        "--version true",
        "-v --version",
        "--versio",
        "--version=1",
        "--help",
        "--verbose true",
        "true --version",
    ];
    let mut cases: Vec<Case> = told.iter().chain(&refused).map(|line| help(line)).collect();
    cases.extend([
        help("--version"),
        run("-l").always_differs("it has a licence of its own", "code 0\nout: MIT License\nout: *supervise*"),
        run("-lz").always_differs("it has a licence of its own", "code 0\nout: MIT License\nout: *supervise*"),
        run("-vl true").always_differs("it has a licence of its own", "code 0\nout: MIT License\nout: *supervise*"),
        run("-- --version"),
        run("-e -- true"),
        help("-z").by_path(),
        help("-h").by_path(),
        help("").by_path(),
        help("").at(Place::Pid1),
        help("-z").at(Place::Pid1),
    ]);
    cases
}

#[test]
fn what_it_says_of_itself() {
    for original in [TINI, STATIC, DOCKER] {
        compare(original, &texts());
    }
}

#[test]
fn words_and_options_in_any_order() {
    let lines = [
        "sh -- -c 'exit 3'",
        "-- sh -c 'exit 3'",
        "-s -- sh -c 'exit 3'",
        "{probe} exit 3 -s",
        "-s {probe} -g exit 4 -g",
        "{probe} -e 4 exit 4",
        "{probe} exit 4 -e4",
        "{probe} exit 4 -se 4",
        "-se4 {probe} exit 4",
        "-e143 -s {probe} die TERM",
        "-pSIGTERM -s true",
        "-sp SIGTERM true",
        "-gsw true",
        "-- -- true",
        "-s -- -- true",
        "-s echo a -g b -w c",
        "-s echo a -- -s b -- c",
        "-s echo -- a -s",
        "-s -- echo -s -- --",
        "-s echo -",
        "-s - a",
        "-s ''",
        "-s echo ''",
        "-s -e 3 -- {probe} exit 3",
    ];
    let mut cases: Vec<Case> = lines.map(run).into();
    cases.extend(["sh -c 'exit 3'", "-s echo a -z", "-s echo a -e"].map(help));
    for value in ["1", "", "0"] {
        let lines = ["sh -c 'exit 3'", "-s sh -c 'exit 3'", "-s echo -s -- -g", "-s -- echo --", "true -z"];
        cases.extend(lines.map(|line| run(line).env("POSIXLY_CORRECT", value)));
        cases.push(help("-z true").env("POSIXLY_CORRECT", value));
    }
    compare(TINI, &cases);
}

#[test]
fn values_of_options() {
    let codes =
        ["256", "-1", "abc", "' 7'", "'7 '", "+7", "0x7", "07", "7.0", "7e0", "99999999999999999999", "+", "' '"];
    let mut cases: Vec<Case> = codes.iter().map(|code| run(&format!("-s -e {code} {{probe}} exit 7"))).collect();
    cases.extend(["''", "-0", "+0"].map(|code| run(&format!("-s -e {code} {{probe}} exit 0"))));
    cases.extend(["''", "' '", "0"].map(|code| run(&format!("-s -e {code} {{probe}} exit 1"))));
    cases.extend(
        [
            "-e 010 {probe} exit 10",
            "-e 010 {probe} exit 8",
            "-e 3 -e 4 {probe} exit 3",
            "-e 3 -e 4 {probe} exit 4",
            "-e 3 -e 4 {probe} exit 5",
            "-e 143 {probe} die TERM",
            "-e 15 {probe} die TERM",
            "-e 192 {probe} die 64",
            "-e 255 {probe} exit 255",
            "-e 127 /no/such",
            "-e 126 /etc",
            "-e 5 /no/such",
            "-e 32 {probe} exit 32",
            "-e 31 {probe} exit 32",
            "-e 256 -z",
            "-p TERM -e 300",
        ]
        .map(|line| run(&format!("-s {line}"))),
    );
    cases.extend(["-s -e 3 -z", "-s -z -e 256"].map(help));
    let names = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
        "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF",
        "WINCH", "IO", "PWR", "SYS", "POLL", "IOT", "CLD", "UNUSED", "RTMIN", "RTMIN+1",
    ];
    cases.extend(names.map(|name| run(&format!("-s -p SIG{name} true"))));
    cases.extend(
        ["TERM", "sigterm", "15", "''", "SIGTERM ", "' SIGTERM'"].map(|name| run(&format!("-s -p {name} true"))),
    );
    compare(TINI, &cases);
}

#[test]
fn environment() {
    let mut cases = Vec::new();
    for value in ["", "0", "1", "no"] {
        cases.push(run("true").env("TINI_SUBREAPER", value));
        let asked = asked("group", &format!("-s -- {}", facts::GROUP_OF_TWO), facts::reaches);
        cases.push(asked.env("TINI_KILL_PROCESS_GROUP", value).both());
    }
    for value in ["abc", "", "0", "1", " 1", "+1", "1x"] {
        cases.push(run("/no/such").env("TINI_VERBOSITY", value));
        // What is more is told on another stream, which is a case of its own.
        cases.push(asked("verbosity", "true", levels).env("TINI_VERBOSITY", value));
    }
    for value in ["2", "3", "3x", "4", "99", "-1", "2147483648", "-2147483648"] {
        cases.push(asked("verbosity", "-s true", levels).env("TINI_VERBOSITY", value));
    }
    cases.extend([
        run("-vvv true").env("TINI_VERBOSITY", "0"),
        help("-z true").env("TINI_VERBOSITY", "0"),
        run("-e 256 true").env("TINI_VERBOSITY", "0"),
        help("").env("TINI_VERBOSITY", "0"),
    ]);
    compare(TINI, &cases);
}

#[test]
fn warning_that_it_cannot_reap() {
    let mut cases: Vec<Case> = ["true", "-g true", "/no/such", "{probe} exit 3"].map(|line| run(line).both()).into();
    cases.extend([
        run("-s true"),
        run("true -s"),
        run("true").env("TINI_SUBREAPER", ""),
        run("true").env("TINI_VERBOSITY", "0"),
        run("true").behind(&SUBREAPER),
        run("-s true").behind(&SUBREAPER),
    ]);
    compare(TINI, &cases);
}

#[test]
fn exit_codes() {
    let codes = [0, 1, 2, 3, 64, 77, 124, 125, 126, 127, 128, 129, 143, 200, 254, 255];
    let mut cases: Vec<Case> = codes.map(|code| run(&format!("-s -- {{probe}} exit {code}")).both()).into();
    let signals =
        ["HUP", "INT", "QUIT", "ILL", "ABRT", "KILL", "USR1", "SEGV", "PIPE", "TERM", "PWR", "SYS", "34", "40", "64"];
    cases.extend(signals.map(|signal| run(&format!("-s -- {{probe}} die {signal}")).both()));
    compare(TINI, &cases);
}

#[test]
fn commands_that_do_not_start() {
    let files = ["/no/such", "no-such", "/etc", "/etc/hostname", "/etc/hostname/x", "./no-such", "data", "''", "."];
    let mut cases: Vec<Case> = files.map(|file| run(&format!("-s -- {file}")).both()).into();
    let made = ["script", "empty", "loop", "data"];
    cases.extend(made.map(|file| run(&format!("-s -- {{folder}}/{file}")).both()));
    cases.push(run(&format!("-s -- /{}", "x".repeat(300))));
    cases.push(
        run(&format!("-s -- {}", "x".repeat(300)))
            .always_differs("no file has a name so long", "code 127\nerr: [FATAL tini (N)] exec xxx*"),
    );
    let said = "[FATAL tini (N)] exec {folder}";
    let lost = format!("code 127\nerr: {said}/lost failed: No such file or directory\nerr: supervise: cannot run *");
    let alien = format!("code 1\nerr: {said}/alien failed: Exec format error*");
    cases.extend([
        run("-s -- {folder}/lost").both().differs("it says which file it is that is not there", &lost),
        run("-s -- {folder}/alien").both().always_differs("a program for another machine is no script", &alien),
    ]);
    // Where a name is looked for.
    cases.push(run("-s true").by_path().behind(&["env", "--unset=PATH"]));
    cases.push(run("-s no-such").by_path().behind(&["env", "--unset=PATH"]));
    cases.push(run("-s true").by_path().behind(&["env", "PATH="]));
    cases.push(run("-s true").by_path().behind(&["env", "PATH=/no/such:/etc/hostname:/usr/bin"]));
    cases.push(run("-s hostname").by_path().behind(&["env", "PATH=/etc"]));
    cases.push(run("-s hostname").by_path().behind(&["env", "PATH=/etc:/no/such"]));
    cases.push(run("-s script").by_path().env("NONE", "{folder}").behind(&["env", "--chdir=/", "PATH=/no/such:"]));
    compare(TINI, &cases);
}

/// What it says by level: what goes wrong, and what is of interest, each in its order.
fn levels(play: &Play) -> String {
    let ended = play.launch().end();
    let all: Vec<String> = ended.stdout.iter().chain(&ended.stderr).cloned().collect();
    let (wrong, more): (Vec<String>, Vec<String>) =
        all.into_iter().partition(|line| !["[INFO ", "[DEBUG", "[TRACE"].iter().any(|level| line.starts_with(level)));
    // The original's child loses a line about the terminal where stdout is no terminal and it becomes another program.
    let more = more.into_iter().filter(|line| !line.contains("tcsetpgrp failed: no tty"));
    // How often it finds nothing depends on how long the command takes, in seconds.
    let more = more.filter(|line| !line.ends_with("No child to reap"));
    let lines: Vec<String> = more.chain(wrong).collect();
    format!("{:?}\n{}", ended.exit, play.anonymous(&lines))
}

#[test]
fn what_it_says_of_its_work() {
    let mut cases = Vec::new();
    for line in ["-v", "-vv", "-vvv", "-v -v -v", "-vvvv"] {
        for command in ["true", "{probe} exit 3", "{probe} die TERM", "{probe} die 40", "{probe} die KILL"] {
            cases.push(asked("levels", &format!("{line} -s -- {command}"), levels).both());
        }
    }
    let silent = "there is no child to tell of where the command did not start";
    let failed = "[FATAL tini (N)] exec /no/such failed: No such file or directory";
    cases.extend([
        asked("levels", "-v -s -- /no/such", levels).both().always_differs(silent, &format!("Code(127)\n{failed}")),
        // The original says some of it twice here, from a buffer that its child has too.
        asked("levels", "-vvv -s -- /no/such", levels)
            .always_differs(silent, &format!("Code(127)\n[TRACE tini (N)] Registered as child subreaper\n{failed}")),
        asked("levels", "-v true", levels),
        asked("levels", "-vvs true", levels),
        asked("levels", "true -vsv", levels),
        asked("levels", "-w -v -s true", levels),
        asked("signals", &format!("-vv -s -- {}", facts::REPORT), facts::says_of_signals).both(),
        run("-v -s true").differs(
            "what it says is on stderr, and not among what the command says",
            "code 0\nerr: [INFO  tini (N)] Spawned child process 'true' with pid 'N1'\n\
             err: [INFO  tini (N)] Main child exited normally (with status '0')",
        ),
        asked("reaped", &format!("-w -- {}", facts::ENDED_ORPHANS), facts::reaps).at(Place::Pid1),
        asked("reaped", &format!("-sw -- {}", facts::ENDED_ORPHANS), facts::reaps).both(),
        asked("reaped", &format!("-s -- {}", facts::ENDED_ORPHANS), facts::reaps).both(),
        asked("reaped", &format!("-sw -- {}", facts::ENDED_ORPHANS), facts::reaps).env("TINI_VERBOSITY", "0"),
    ]);
    compare(TINI, &cases);
}

#[test]
fn signals() {
    let report = facts::REPORT;
    let mut cases = vec![
        asked("forwarded", &format!("-- {report}"), facts::forwards_all).at(Place::Pid1),
        asked("forwarded", &format!("-s -- {report}"), facts::forwards_all_but_faults),
        asked("forwarded", &format!("-sg -- {report}"), facts::forwards_all_but_faults).both(),
        asked("fault", &format!("-s -- {report}"), facts::faults)
            .always_differs("it does not die and leave its command behind", "lives; passed on: false"),
        asked("glibc's", &format!("-- {report}"), facts::forwards_glibcs)
            .at(Place::Pid1)
            .always_differs("all real-time signals are passed on", "32=1 33=1 64=1"),
        asked("parent", "-s -p SIGUSR1 -- {probe} report-until USR1", facts::parent_dies),
        asked("parent", "-s -p SIGURG -- {probe} report-until URG", facts::parent_dies),
    ];
    cases.extend(
        ["-s", "-sg", "-s -g -g"]
            .map(|options| asked("reached", &format!("{options} -- {}", facts::GROUP_OF_TWO), facts::reaches).both()),
    );
    compare(TINI, &cases);
}

fn listeners(pid: &str) -> Case {
    let case = asked("listeners", "-s -- {probe} status", facts::listeners);
    case.env("LISTEN_PID", pid).env("LISTEN_FDS", "1").at(Place::Pid1)
}

#[test]
fn what_the_command_is_given() {
    let entered =
        "ignore HUP,INT,PIPE,TTOU,40, block USR1,ILL,TTIN,41, open 9 /dev/zero, chdir /usr/bin, limit 7 99 99";
    let blocked = "default 32,33, block TSTP,TTIN,TTOU,CHLD, open 9 /dev/zero";
    let cases = [
        run("-s -- {probe} status").both(),
        run("-s -- {probe} status").entered("default 32,33, ignore TTIN,TTOU, block all, unblock 32,33").both(),
        run("-s -- {probe} status").entered(blocked).both(),
        run("-s -- {probe} status")
            .entered("close 0, close 1")
            .always_differs("a descriptor that is closed is no terminal, and no reason not to start", "code 0"),
        run("-s -- {probe} status").env("TINI_VERBOSITY", "1").env("A", "b"),
        run("-s -- {probe} status").entered(entered).both(),
        asked("family", &format!("-s -- {}", facts::REPORT), facts::family).both(),
        asked("family", &format!("-sg -- {}", facts::REPORT), facts::family).both(),
        listeners("99"),
        listeners("1")
            .differs("descriptors that are handed on are the command's", "*\nenv LISTEN_FDS=1\nenv LISTEN_PID=N1"),
    ];
    compare(TINI, &cases);
}

#[test]
fn what_it_keeps_and_whom_it_adopts() {
    let report = format!("-s -- {}", facts::REPORT);
    let cases = [
        asked("directory", &report, facts::working_directory)
            .entered("chdir /usr/bin")
            .differs("it holds no file system that others want to unmount", "/")
            .both(),
        asked("descriptors", &report, facts::descriptors)
            .entered("open 9 /dev/zero, open 20 /dev/zero")
            .differs("it holds no file or socket that others wait for the end of", "init: ; main: 9 20")
            .both(),
        asked("adopts", &format!("-s -- {}", facts::AN_ORPHAN), facts::adopts).both(),
        asked("adopts", facts::AN_ORPHAN, facts::adopts).env("TINI_SUBREAPER", ""),
        asked("adopts", facts::AN_ORPHAN, facts::adopts).both(),
    ];
    compare(TINI, &cases);
}

#[test]
fn mended() {
    let told = "what is left is told to end, and waited for";
    let cases = [
        asked("leftovers", "--", facts::leftovers).at(Place::Pid1).differs(told, "code 3; told; nothing is left"),
        asked("leftovers", "-s --", facts::leftovers).differs(told, "code 3; told; nothing is left"),
        asked("child's signal ignored", "-s -- {probe} ready, exit 5", facts::ends_or_hangs)
            .entered("ignore CHLD")
            .both()
            .always_differs("it sees the end although its caller wanted to see none", "code 5"),
        asked("child's signal ignored", "-s -- {probe} ready, die TERM", facts::ends_or_hangs)
            .entered("ignore CHLD")
            .always_differs("it sees the end although its caller wanted to see none", "code 143"),
        asked("idle", &format!("-s -- {}", facts::REPORT), facts::sleep)
            .both()
            .always_differs("it sleeps until something happens", "sleeps"),
        asked("terminal", "-s -- {probe} foreground", facts::in_the_background)
            .differs("a job in the background leaves the terminal to the shell", "foreground other"),
    ];
    compare(TINI, &cases);
}

#[test]
fn signals_that_come_early_arrive() {
    facts::early_signals_arrive(TINI, &["-s --", "-sg --"]);
}

#[test]
fn our_own_variables_work() {
    for original in [TINI, STATIC, DOCKER] {
        facts::our_variables_work(original);
    }
}

#[test]
fn the_other_names_are_the_same_init() {
    let report = facts::REPORT;
    for original in [STATIC, DOCKER] {
        let cases = [
            run("-s -- {probe} exit 3").both(),
            run("-s -- {probe} die TERM").both(),
            run("/no/such").both(),
            run("-e 256 true"),
            help("sh -c 'exit 3'"),
            run("true"),
            run("-s -- {probe} status").both(),
            asked("levels", "-vvv -s -- true", levels).both(),
            asked("forwarded", &format!("-- {report}"), facts::forwards_all).at(Place::Pid1),
            asked("reached", &format!("-sg -- {}", facts::GROUP_OF_TWO), facts::reaches),
        ];
        compare(original, &cases);
    }
}

#[test]
fn a_strict_one_has_no_variable_left_for_its_command() {
    let case = run("-s -- {probe} status").env("SUPERVISE_GRACE", "5s");
    for who in [Who::Ours, Who::Strict] {
        let play = Play::new(TINI, who, Place::Child, &case);
        let told = play.told(&play.launch().end());
        assert!(!told.contains("SUPERVISE_") && told.contains("end of status"), "{who:?}: {told}");
    }
}

#[test]
fn strictness_is_asked_for_by_a_word_that_says_so() {
    let words = [("1", false), ("yes", false), ("true", false), ("", true), ("0", true), ("no", true), ("false", true)];
    for (word, is_told) in words {
        let case = asked("", "--", facts::leftovers).env("SUPERVISE_STRICT", word);
        let told = facts::leftovers(&Play::new(TINI, Who::Ours, Place::Pid1, &case));
        let expected = if is_told { "code 3; told;" } else { "code 3; not told;" };
        assert!(told.starts_with(expected), "SUPERVISE_STRICT={word}: {told}");
    }
    let case = run("-s -- {probe} say started").env("SUPERVISE_STRICT", "maybe");
    let play = Play::new(TINI, Who::Ours, Place::Child, &case);
    let told = play.told(&play.launch().end());
    assert!(told.starts_with("code 1\nerr: supervise: SUPERVISE_STRICT=maybe: it is 1 or 0"), "{told}");
}

#[test]
fn a_code_that_is_taken_for_success_is_the_commands_and_no_failure_of_ours() {
    let failed = run("-s -e 1 -- {probe} say ran").env("SUPERVISE_WORKDIR", "/no/such");
    let play = Play::new(TINI, Who::Ours, Place::Child, &failed);
    let told = play.told(&play.launch().end());
    assert!(told.starts_with("code 1\n") && !told.contains("out: ran"), "{told}");
}
