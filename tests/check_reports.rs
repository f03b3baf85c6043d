//! The reports of `supervise check`, from real runs, as other programs read them.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::process::{Command, Output, Stdio};

use harness::checked::start;
use harness::launch::Init;
use harness::{Exit, Scene, skip};
use serde_json::Value;

/// Shells stay in front of what is not the last command.
const SHELL: [&str; 3] = ["sh", "-c", "sleep 1000; true"];

/// `supervise check` with these options, of this command. What ends by itself passes however slow the machine is.
fn check(scene: &Scene, options: &[&str], command: &[&str]) -> Output {
    let supervise = Init::Supervise.path().expect("cargo built it");
    let mut check = scene.command(supervise);
    check.args(["check", "--grace", "20s"]).args(options).arg("--").args(command);
    let output = check.env_remove("NO_COLOR").stderr(Stdio::piped()).output().expect("it is executed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.is_empty(), "{said}");
    scene.nothing_is_left();
    output
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("it is text")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("it is one object")
}

/// The finding of a group, which must be there.
fn finding<'a>(group: &'a Value, id: &str) -> &'a Value {
    let all = group["findings"].as_array().expect("a list");
    all.iter().find(|finding| finding["id"] == id).unwrap_or_else(|| panic!("no {id} in {group}"))
}

#[test]
fn json_has_the_words_of_the_command_as_they_are() {
    let scene = Scene::new();
    let command = ["sh", "-c", "exit 0", "a\nb\tc", "\u{1b}[31m\u{9b}", "\\u{1b} \" '"];
    let output = check(&scene, &["--as", "child", "--format", "json"], &command);
    let written = String::from_utf8_lossy(&output.stdout);
    assert!(!written.trim_end().contains(char::is_control), "{written}");
    assert_eq!(json(&output)["command"], serde_json::json!(command));
    scene.nothing_is_left();
}

#[test]
fn json_tells_why_a_shell_in_front_is_wrong_in_both_modes() {
    let scene = Scene::new();
    let output = check(&scene, &["--grace", "1s", "--format", "json"], &SHELL);
    let read = json(&output);
    assert_eq!((output.status.code(), &read["exit_code"]), (Some(1), &1.into()));
    assert_eq!((&read["schema"], &read["verdict"]), (&1.into(), &"fail".into()));
    assert_eq!(read["command"], serde_json::json!(SHELL));
    let (pid1, child) = (&read["groups"][0], &read["groups"][1]);
    assert_eq!((&pid1["mode"], &child["mode"]), (&"pid1".into(), &"child".into()));

    let hangs = finding(pid1, "S01");
    assert_eq!(hangs["level"], "fail");
    let cause = hangs["cause"].as_str().expect("a sentence");
    assert!(cause.contains("has no trap for SIGTERM, so the kernel drops it"), "{cause}");
    assert!(hangs["cure"].as_str().is_some_and(|cure| cure.contains("`exec sleep 1000`")), "{hangs}");

    let processes = child["runs"][0]["processes"].as_array().expect("a list");
    let sleep = processes.iter().find(|process| process["comm"] == "sleep").expect("it was seen");
    assert_eq!(sleep["ended"]["by"], "supervise");
    let left = finding(child, "S06");
    assert_eq!(left["level"], "fail");
    let named = format!("it left pid {} (`sleep 1000`), which never got SIGTERM", sleep["pid"]);
    assert!(left["cause"].as_str().is_some_and(|cause| cause.contains(&named)), "{left}");
    assert_eq!((&finding(child, "S17")["level"], &finding(child, "S24")["level"]), (&"fail".into(), &"warn".into()));
    assert_eq!(finding(pid1, "S03")["level"], "warn");
}

#[test]
fn a_sleep_as_a_child_is_a_warning_unless_it_is_allowed_or_strict() {
    let scene = Scene::new();
    let sleep = ["sleep", "1000"];
    for (options, verdict, code) in [
        (&["--as", "child"][..], "PASS with warnings", 0),
        (&["--as", "child", "--strict"], "FAIL (1)", 1),
        (&["--as", "child", "--ok-exit", "TERM"], "PASS", 0),
        (&["--as", "child", "--ok-exit", "143"], "PASS with warnings", 0),
    ] {
        let output = check(&scene, options, &sleep);
        let text = text(&output);
        assert_eq!((text.lines().last(), output.status.code()), (Some(verdict), Some(code)), "{options:?} {text}");
        assert!(text.contains("was ended by SIGTERM, ") && text.contains(" s after the signal"), "{text}");
        assert!(!text.contains("exit code 143"), "{text}");
    }
}

#[test]
fn what_ends_well_in_every_mode_and_repetition_passes() {
    let scene = Scene::new();
    let ends = "import os, signal
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.write(1, b'ready\\n')
while True: signal.pause()";
    let command = [harness::slow::python(), "-c", ends];
    let options = ["--as", "pid1,child,init", "--repeat", "2", "--ready", "log:^ready$", "--format", "json"];
    let output = check(&scene, &options, &command);
    let read = json(&output);
    assert_eq!((&read["verdict"], output.status.code()), (&"pass".into(), Some(0)), "{read}");
    let groups = read["groups"].as_array().expect("a list");
    assert_eq!(groups.len(), 3);
    for group in groups {
        let runs = group["runs"].as_array().expect("a list").iter();
        let ways: Vec<&Value> = runs.map(|run| &run["way"]).collect();
        assert_eq!(ways, ["usual", "usual", "stopped"]);
        assert_eq!(finding(group, "S15")["level"], "pass");
        assert!(group["took_ms"]["median"].as_f64() <= group["took_ms"]["max"].as_f64(), "{group}");
    }
}

#[test]
fn what_was_not_told_is_no_pass_in_any_form() {
    let scene = Scene::new();
    for (command, code) in [(&["sh", "-c", "exit 0"][..], 2), (&["supervise-no-such-program"], 127)] {
        for format in ["text", "json", "junit", "tap"] {
            let output = check(&scene, &["--as", "child", "--format", format], command);
            assert_eq!(output.status.code(), Some(code), "{format}");
            let text = text(&output);
            let says = match format {
                "text" => text.contains("\nINCONCLUSIVE\n") || text.contains("\nNOT STARTED (127)\n"),
                "json" => text.contains("\"level\":\"inconclusive\""),
                "junit" => text.contains("<error type=\"inconclusive\""),
                _ => text.contains("\nnot ok 1 - child SIGTERM S01"),
            };
            assert!(says, "{text}");
        }
    }
}

/// Names itself, and writes, what would break each form.
const EVIL: &str = "exec -a $'\\e[2J<&\"\\x01]]>\\n...\\nok 99' sh -c 'printf \"\\033[2J\\001</testsuites>\\n...\\n\"; sleep 1000; true'";

fn evil(scene: &Scene, format: &str) -> Output {
    check(scene, &["--format", format, "--as", "child"], &["bash", "-c", EVIL])
}

#[test]
fn a_strict_reader_of_xml_reads_junit() {
    let scene = Scene::new();
    let output = evil(&scene, "junit");
    let file = scene.folder().join("report.xml");
    std::fs::write(&file, &output.stdout).expect("the folder is writable");
    let count = "import sys, xml.etree.ElementTree as tree; suites = tree.parse(sys.argv[1]).getroot(); \
                 print(suites.tag, len(list(suites)), len(list(suites.iter('testcase'))), suites.get('tests'), \
                 len(list(suites.iter('failure'))), suites.get('failures'))";
    let Some(read) = read(Command::new("python3").args(["-c", count]).arg(&file)) else { return };
    let words: Vec<&str> = read.split_whitespace().collect();
    assert_eq!((words[0], words[1]), ("testsuites", "1"), "{read}");
    assert!(words[2] == words[3] && words[4] == words[5] && words[4] != "0", "{read}");
}

#[test]
fn a_strict_reader_of_tap_reads_tap() {
    let scene = Scene::new();
    let output = evil(&scene, "tap");
    let tap = text(&output);
    assert!(tap.starts_with("TAP version 14\n"), "{tap}");
    let file = scene.folder().join("report.tap");
    // Perl's reader knows 13, of which 14 is an extension.
    std::fs::write(&file, tap.replacen("14", "13", 1)).expect("the folder is writable");
    let count = "use TAP::Parser; my $p = TAP::Parser->new({source => $ARGV[0]}); $p->run; \
                 print join(' ', scalar $p->parse_errors, $p->tests_planned, $p->tests_run, scalar $p->failed, scalar $p->skipped)";
    let Some(read) = read(Command::new("perl").args(["-e", count]).arg(&file)) else { return };
    let numbers: Vec<usize> = read.split_whitespace().map(|word| word.parse().expect("a number")).collect();
    let lines = |start: &str| tap.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!(numbers[..3], [0, lines("ok ") + lines("not ok "), numbers[1]], "{read}\n{tap}");
    assert_eq!(numbers[3], lines("not ok "), "{read}");
    assert_eq!(numbers[4], tap.matches(" # SKIP ").count(), "{read}");
    assert!(numbers[3] > 0 && numbers[4] > 0, "{read}");
}

/// What another program says; `None` where there is none.
fn read(command: &mut Command) -> Option<String> {
    let Ok(output) = command.output() else {
        skip("the reader is not installed");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).expect("it is text"))
}

#[test]
fn a_text_holds_nothing_that_a_terminal_obeys() {
    let scene = Scene::new();
    let text = text(&evil(&scene, "text"));
    assert!(!text.contains(|letter: char| letter.is_control() && letter != '\n'), "{text:?}");
    assert!(text.contains("]]>") && text.contains("</testsuites>"), "{text}");
    assert!(text.contains("FAIL S06 nothing left") && text.ends_with(")\n"), "{text}");
}

#[test]
fn there_is_colour_on_a_terminal_alone() {
    let scene = Scene::new();
    let supervise = Init::Supervise.path().expect("cargo built it");
    let line = format!("{} check --as child -- sleep 1000", supervise.display());
    for (variable, is_coloured) in [("NO_COLOR=", true), ("NO_COLOR=1", false)] {
        let (name, value) = variable.split_once('=').expect("it has one");
        let mut script = scene.command("script");
        let script = script.args(["--quiet", "--return", "--command", &line, "/dev/null"]).env(name, value);
        let Some(said) = read(script) else { return };
        scene.nothing_is_left();
        assert_eq!(said.contains("\u{1b}[33mWARN\u{1b}[0m S02"), is_coloured, "{said:?}");
        assert!(said.contains("PASS with warnings"), "{said:?}");
    }
}

#[test]
fn each_check_of_a_report_can_be_explained() {
    let scene = Scene::new();
    let read = json(&check(&scene, &["--grace", "1s", "--format", "json", "--as", "pid1"], &["sleep", "1000"]));
    let findings = read["groups"][0]["findings"].as_array().expect("a list").clone();
    assert!(findings.len() > 10, "{read}");
    for finding in findings {
        let id = finding["id"].as_str().expect("a text");
        let mut explain = scene.command(Init::Supervise.path().expect("cargo built it"));
        let output = explain.args(["check", "--explain", id]).output().expect("it is executed");
        let said = text(&output);
        let title = format!("{id}: {}\n", finding["name"].as_str().expect("a text"));
        assert!(output.status.success() && said.starts_with(&title), "{said}");
        for part in ["How it is observed: ", "Levels: ", "Usual causes:\n- ", "Cures:\n- "] {
            assert!(said.contains(&format!("\n\n{part}")), "{part:?} in {said}");
        }
    }
}

#[test]
fn a_check_that_is_told_to_end_itself_does_so_without_a_report() {
    let scene = Scene::new();
    for signal in [libc::SIGTERM, libc::SIGHUP, libc::SIGINT, libc::SIGQUIT] {
        let (path, mut lines) = scene.fifo(&format!("up-{signal}"));
        let command = ["sh", "-c", "echo up > \"$0\"; exec sleep 1000", path.to_str().expect("a path of ours")];
        let options = ["--as", "child", "--ready", "delay:1000s", "--ready-timeout", "2000s", "--"];
        let check = start(&scene, &[&options[..], &command].concat());
        assert_eq!(lines.next().as_deref(), Some("up"));
        check.signal(signal);
        let ended = check.end();
        assert_eq!((ended.exit, ended.stdout.len()), (Exit::Code(128 + signal), 0), "{:?}", ended.stderr);
        assert!(ended.stderr.concat().contains("the run was ended, and there is no verdict"), "{:?}", ended.stderr);
        scene.nothing_is_left();
    }
}

#[test]
fn who_ended_at_once_has_its_name() {
    let scene = Scene::new();
    for _ in 0..5 {
        let report = text(&check(&scene, &["--as", "pid1,child,init"], &["false", "a b"]));
        let ends = "(`false a b`) ended with exit code 1";
        assert_eq!(report.matches(ends).count(), 3, "{report}");
        assert!(report.contains("supervise check: false 'a b'   as process 1"), "{report}");
        assert!(!report.contains("last lines"), "{report}");
    }
}

#[test]
fn there_is_nothing_to_read_for_it() {
    let scene = Scene::new();
    let report = text(&check(&scene, &["--as", "child"], &["sh", "-c", "readlink /proc/self/fd/0; cat"]));
    for line in ["it wrote: /dev/null\n", "its stdin is /dev/null\n", "ended with exit code 0 before it was told"] {
        assert!(report.contains(line), "{report}");
    }
}
