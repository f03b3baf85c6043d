//! Wrong words and commands that cannot be run: one line that says what and why, the documented code, nothing left.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use harness::launch::{By, EVERYWHERE, Init, Place, variable};
use harness::running::{Ended, Running};
use harness::{Exit, Scene, skip};

/// Requires exactly one line of ours, which has the given words in it.
#[track_caller]
fn only_line(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.exit, Exit::Code(code), "{ended:?}");
    assert_eq!(ended.stdout, [""; 0], "{ended:?}");
    assert_eq!(ended.stderr.len(), 1, "{ended:?}");
    let line = &ended.stderr[0];
    assert!(line.starts_with("supervise: "), "{line}");
    assert!(!line.chars().any(char::is_control), "{line:?}");
    for word in words {
        assert!(line.contains(word), "nothing of {word:?} in {line:?}");
    }
}

/// supervise with exactly these words.
#[track_caller]
fn called_with(scene: &Scene, words: &[impl AsRef<OsStr>]) -> Ended {
    let path = Init::Supervise.path().expect("cargo built it");
    let mut command = scene.command(&path);
    command.args(words).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    Running::start(scene, command, 0, &path).end()
}

#[test]
fn wrong_words_are_named_in_one_line() {
    let cases: [(&[&str], &[&str]); 45] = [
        (&[], &["no command"]),
        (&["--"], &["no command"]),
        (&["-v"], &["no command"]),
        (&["-v", "--"], &["no command"]),
        (&["--forward-too", "main", "true"], &["--forward-too", "did you mean --forward-to"]),
        (&["--verbos", "true"], &["--verbos", "did you mean --verbose"]),
        (&["--exitmap", "1=2", "true"], &["--exitmap", "did you mean --exit-map"]),
        (&["--frobnicate", "true"], &["--frobnicate"]),
        (&["-x", "true"], &["-x"]),
        (&["-vx", "true"], &["x"]),
        (&["--rewrite"], &["--rewrite"]),
        (&["--forward-to"], &["--forward-to"]),
        (&["--exit-report", "--", "true"], &["--exit-report needs a value"]),
        (&["--env", "--", "true"], &["--env needs a value"]),
        (&["--forward-to", "all", "true"], &["--forward-to", "all", "main", "group"]),
        (&["--forward-to=", "true"], &["--forward-to"]),
        (&["--log-format", "xml", "true"], &["--log-format", "xml", "json"]),
        (&["--verbose=yes", "true"], &["--verbose"]),
        (&["--rewrite", "TRM=INT", "true"], &["--rewrite", "TRM"]),
        (&["--rewrite", "TERM=IN", "true"], &["--rewrite", "IN"]),
        (&["--rewrite", "TERM", "true"], &["--rewrite", "TERM"]),
        (&["--rewrite", "=TERM", "true"], &["--rewrite"]),
        (&["--rewrite", "TERM=", "true"], &["--rewrite"]),
        (&["--rewrite", "", "true"], &["--rewrite"]),
        (&["--rewrite", "0=1", "true"], &["--rewrite", "0"]),
        (&["--rewrite", "1=65", "true"], &["--rewrite", "65"]),
        (&["--rewrite", "-1=1", "true"], &["--rewrite", "-1"]),
        (&["--rewrite", "RTMIN+31=1", "true"], &["--rewrite", "RTMIN+31"]),
        (&["--rewrite", "RTMIN+=1", "true"], &["--rewrite", "RTMIN+"]),
        (&["--rewrite", "KILL=TERM", "true"], &["--rewrite", "KILL"]),
        (&["--rewrite", "STOP=TERM", "true"], &["--rewrite", "STOP"]),
        (&["--rewrite", "CHLD=TERM", "true"], &["--rewrite", "SIGCHLD", "never forwarded"]),
        (&["--rewrite", "TREM=INT", "true"], &["--rewrite", "TREM", "did you mean TERM"]),
        (&["--rewrite", "RTMIN++3=TERM", "true"], &["--rewrite", "RTMIN++3"]),
        (&["--parent-death", "KILL", "true"], &["--parent-death", "SIGKILL", "never forwarded"]),
        (&["--parent-death", "CHLD", "true"], &["--parent-death", "SIGCHLD", "never forwarded"]),
        (&["--exit-map", "+5=0", "true"], &["--exit-map", "+5"]),
        (&["--exit-map", "256=0", "true"], &["--exit-map", "256"]),
        (&["--exit-map", "0=256", "true"], &["--exit-map", "256"]),
        (&["--exit-map", "-1=0", "true"], &["--exit-map", "-1"]),
        (&["--exit-map", "1", "true"], &["--exit-map", "1"]),
        (&["--exit-map", "1=2,", "true"], &["--exit-map"]),
        (&["--exit-map", "FOO=0", "true"], &["--exit-map", "FOO", "neither"]),
        (&["--exit-map", "99999999999999999999=0", "true"], &["--exit-map"]),
        (&["--parent-death", "FOO", "true"], &["--parent-death", "FOO"]),
    ];
    let scene = Scene::new();
    for (words, said) in cases {
        only_line(&called_with(&scene, words), 125, said);
    }
    scene.nothing_is_left();
}

/// Starts nothing but a complaint, which names the option or the variable with the value as it was given.
#[track_caller]
fn refused(option: &str, value: &str, words: &[&str]) {
    let scene = Scene::new();
    for by in [By::Option, By::Variable] {
        let named = match by {
            By::Option => format!("supervise: --{option} {value}"),
            By::Variable => format!("supervise: {}={value}", variable(option)),
        };
        let ended = scene.supervise().given(by, option, value).argv(&["echo", "started"]).end();
        only_line(&ended, 125, words);
        assert!(ended.stderr[0].starts_with(&named), "{:?}", ended.stderr);
    }
}

#[test]
fn a_hook_with_nothing_in_it_or_without_any_time_is_refused() {
    for (hook, by) in ["pre-start", "pre-stop"].into_iter().flat_map(|hook| [(hook, By::Option), (hook, By::Variable)])
    {
        let scene = Scene::new();
        // A blank would not be seen, and is shown as nothing.
        let ended = scene.supervise().given(by, hook, " ").argv(&["echo", "started"]).end();
        only_line(&ended, 125, &["there is nothing to run in it"]);
    }
    refused("pre-stop-timeout", "0", &["the hook needs some time; say 5s"]);
}

#[test]
fn wrong_times_are_named_by_both_ways() {
    for option in ["delay", "grace", "leftover-grace", "max-time", "pre-start-timeout", "pre-stop-timeout"] {
        refused(option, "10", &["say 10s, 10ms, 10m or 10h"]);
        for value in ["soon", "-1s", "+1s", "1d", "1h30m", "1,5s", "10 s", " 10s", "1e3s", ".5s", "0x1s", "9999999999h"]
        {
            refused(option, value, &["is no time", "500ms"]);
        }
    }
}

#[test]
fn wrong_choices_are_named_by_both_ways() {
    refused("kill-mode", "all", &["main|group|tree"]);
    refused("kill-mode", "Tree", &["main|group|tree"]);
    refused("leftovers", "kill", &["stop|wait|leave"]);
    refused("exit-report-format", "xml", &["json|text"]);
}

#[test]
fn wrong_ladders_are_named_by_both_ways() {
    for (value, words) in [
        ("TREM", &["no signal is called \"TREM\"", "did you mean TERM"][..]),
        ("65", &["no signal is called \"65\""]),
        ("CHLD", &["SIGCHLD ends no program"]),
        ("TERM:1s,STOP", &["SIGSTOP ends no program"]),
        ("TERM,KILL", &["how long after SIGTERM", "TERM:10s"]),
        ("TERM:10s", &["nothing comes after SIGTERM's time"]),
        ("TERM:1s,INT:1s", &["nothing comes after SIGINT's time"]),
        ("KILL:1s,TERM", &["nothing can come after KILL"]),
        ("KILL,TERM", &["nothing can come after KILL"]),
        ("TERM:10,KILL", &["\"10\" is no time", "10s"]),
        ("TERM:,KILL", &["\"\" is no time"]),
        ("TERM:1s,", &["no signal is called \"\""]),
        (",TERM", &["no signal is called \"\""]),
        (":1s,KILL", &["no signal is called \"\""]),
        ("TERM:1s:2s,KILL", &["\"1s:2s\" is no time"]),
        ("TERM;KILL", &["no signal is called \"TERM;KILL\""]),
        (&("TERM:1s,".repeat(8) + "KILL"), &["too many signals; there can be 8"]),
    ] {
        refused("stop-signal", value, words);
    }
}

#[test]
fn the_longest_ladder_is_taken() {
    let scene = Scene::new();
    let ladder = "TERM:1s,".repeat(7) + "KILL";
    for by in [By::Option, By::Variable] {
        let ended = scene.supervise().given(by, "stop-signal", &ladder).probe("exit 3").end();
        assert_eq!((ended.exit, ended.stderr.len()), (Exit::Code(3), 0), "{ended:?}");
    }
}

#[test]
fn a_kill_that_comes_before_main_is_told_is_refused() {
    let scene = Scene::new();
    for (delay, grace) in [("5s", "5s"), ("1m", "10s"), ("1ms", "0")] {
        for (delay_by, grace_by) in [(By::Option, By::Variable), (By::Variable, By::Option), (By::Option, By::Option)] {
            let launch = scene.supervise().given(delay_by, "delay", delay).given(grace_by, "grace", grace);
            only_line(&launch.probe("exit 3").end(), 125, &["before it is told", "it must be longer"]);
        }
    }
    // Without a delay it is told first.
    let ended = scene.supervise().options(&["--grace", "0"]).probe("exit 3").end();
    assert_eq!(ended.exit, Exit::Code(3), "{ended:?}");
}

#[test]
fn an_empty_word_is_no_value_and_an_empty_variable_is_none() {
    let scene = Scene::new();
    let of_the_stop =
        ["delay", "stop-signal", "kill-mode", "grace", "leftovers", "leftover-grace", "max-time", "exit-report"];
    let of_hooks = ["pre-start", "pre-start-timeout", "pre-stop", "pre-stop-timeout"];
    for option in of_the_stop.into_iter().chain(of_hooks) {
        let ended = scene.supervise().given(By::Option, option, "").probe("exit 3").end();
        only_line(&ended, 125, &[if option == "exit-report" { "exit report" } else { option }]);
        let ended = scene.supervise().given(By::Variable, option, "").probe("exit 3").end();
        assert_eq!((ended.exit, ended.stderr.len()), (Exit::Code(3), 0), "{option}: {ended:?}");
    }
}

#[test]
fn words_that_are_no_text_are_refused_in_one_line() {
    let scene = Scene::new();
    let of_the_stop =
        ["--delay", "--stop-signal", "--kill-mode", "--grace", "--leftovers", "--leftover-grace", "--max-time"];
    let others = ["--rewrite", "--exit-map", "--forward-to", "--parent-death", "--log-format", "--exit-report-format"];
    for option in of_the_stop.into_iter().chain(others) {
        let words = [OsStr::new(option), OsStr::from_bytes(b"\xff\n\x1b[31m"), OsStr::new("true")];
        only_line(&called_with(&scene, &words), 125, &[option]);
    }
    only_line(&called_with(&scene, &[OsStr::from_bytes(b"--\xff\n")]), 125, &[]);
}

#[test]
fn the_log_format_holds_for_what_is_wrong_behind_it() {
    let scene = Scene::new();
    let ended = called_with(&scene, &["--log-format", "json", "--no-such-option"]);
    assert_eq!(ended.exit, Exit::Code(125));
    assert!(ended.stderr.len() == 1 && ended.stderr[0].starts_with("{\"time\":"), "{ended:?}");
}

#[test]
fn systemds_clients_are_not_answered_where_that_cannot_be_and_the_command_runs() {
    for (place, why) in [(Place::Child, "we are not PID 1"), (Place::Pid1, "no requests are taken")] {
        for by in [By::Option, By::Variable] {
            let scene = Scene::new();
            let init = scene.supervise().place(place);
            let init = match by {
                By::Option => init.options(&["--systemd-compat"]),
                By::Variable => init.env("SUPERVISE_SYSTEMD_COMPAT", "1"),
            };
            only_line(&init.argv(&["true"]).end(), 0, &["--systemd-compat", why, "going on without"]);
        }
    }
}

#[test]
fn help_and_version_are_on_stdout() {
    let scene = Scene::new();
    for (words, said) in [
        (["--help"], "Usage: supervise"),
        (["-h"], "Usage: supervise"),
        (["--version"], "supervise "),
        (["-V"], "supervise "),
    ] {
        let ended = called_with(&scene, &words);
        assert_eq!((ended.exit, ended.stderr.len()), (Exit::Code(0), 0), "{ended:?}");
        assert!(ended.stdout.join("\n").contains(said), "{ended:?}");
    }
    let help = called_with(&scene, &["--help"]).stdout.join("\n");
    let old = ["--forward-to", "--rewrite", "--exit-map", "--parent-death", "--verbose", "--log-format"];
    let of_the_stop =
        ["--delay", "--stop-signal", "--kill-mode", "--grace", "--leftovers", "--leftover-grace", "--max-time"];
    for option in old.into_iter().chain(of_the_stop).chain(["--exit-report", "--exit-report-format"]) {
        assert!(help.contains(option), "nothing of {option} in {help}");
    }
}

/// Runs the file wherever supervise may run, and requires one line and the code.
#[track_caller]
fn cannot_run(scene: &Scene, file: &Path, code: i32, words: &[&str]) {
    for place in EVERYWHERE {
        // Folders that everybody may search: those of root's own PATH are another matter.
        let launch = scene.supervise().place(place).env("PATH", "/usr/bin:/bin");
        let ended = launch.argv(&[file.as_os_str(), OsStr::new("argument")]).end();
        only_line(&ended, code, words);
        scene.nothing_is_left();
    }
}

#[test]
fn what_is_not_there_is_127() {
    let scene = Scene::new();
    cannot_run(&scene, Path::new("no-such-command"), 127, &["no-such-command", "PATH"]);
    cannot_run(&scene, Path::new("./no-such-command"), 127, &["./no-such-command"]);
    cannot_run(&scene, Path::new("/no/such/command"), 127, &["/no/such/command"]);
    cannot_run(&scene, Path::new(""), 127, &[]);
    let dangling = scene.folder().join("dangling");
    std::os::unix::fs::symlink("/no/such/target", &dangling).expect("the name is free");
    cannot_run(&scene, &dangling, 127, &["dangling"]);
}

#[test]
fn what_is_there_and_no_program_is_126() {
    let scene = Scene::new();
    cannot_run(&scene, Path::new("/etc"), 126, &["/etc", "is a directory"]);
    cannot_run(&scene, Path::new("/dev/null"), 126, &["/dev/null"]);
    let plain = scene.executable("plain", b"#!/bin/sh\n");
    fs::set_permissions(&plain, fs::Permissions::from_mode(0o644)).expect("it is ours");
    cannot_run(&scene, &plain, 126, &["plain", "permission"]);
    let link = scene.folder().join("loop");
    std::os::unix::fs::symlink("loop", &link).expect("the name is free");
    cannot_run(&scene, &link, 126, &["loop"]);
    cannot_run(&scene, Path::new(&format!("/{}", "n".repeat(256))), 126, &["name too long"]);
}

#[test]
fn a_file_that_is_being_written_is_126() {
    let scene = Scene::new();
    let busy = scene.executable("busy", &fs::read(harness::probe()).expect("cargo built it"));
    let _writer = fs::File::options().append(true).open(&busy).expect("it is ours");
    cannot_run(&scene, &busy, 126, &["busy"]);
}

#[test]
fn a_file_of_another_user_is_126() {
    if !nix::unistd::geteuid().is_root() {
        return skip("only root has files that its other users cannot run");
    }
    let scene = Scene::new();
    let private = scene.executable("private", b"#!/bin/sh\n");
    fs::set_permissions(&private, fs::Permissions::from_mode(0o700)).expect("it is ours");
    let ended = scene.supervise().place(Place::UserPid1).argv(&[&private]).end();
    only_line(&ended, 126, &["private", "permission"]);
}

#[test]
fn an_interpreter_that_is_not_there_is_127_and_named() {
    let scene = Scene::new();
    cannot_run(&scene, &scene.executable("s1", b"#!/no/such/interpreter -x\n"), 127, &["/no/such/interpreter"]);
    cannot_run(&scene, &scene.executable("s2", b"#! nowhere\n"), 127, &["nowhere"]);
    // An editor of another system wrote it: the carriage return is part of the name, and invisible.
    cannot_run(&scene, &scene.executable("s3", b"#!/bin/sh\r\nexit 3\r\n"), 127, &["/bin/sh", "s3", "carriage return"]);
}

#[test]
fn an_interpreter_that_is_no_program_is_126_and_named() {
    let scene = Scene::new();
    cannot_run(&scene, &scene.executable("s1", b"#!/etc\nexit 3\n"), 126, &["/etc"]);
    cannot_run(&scene, &scene.executable("s2", b"#!/etc/passwd\nexit 3\n"), 126, &["/etc/passwd"]);
}

#[test]
fn an_interpreter_without_its_own_interpreter_is_the_one_that_is_named() {
    let scene = Scene::new();
    let inner = scene.executable("inner", b"#!/no/such/interpreter\n");
    let outer = format!("#!{}\n", inner.display());
    let said = ["/no/such/interpreter", "inner", "it is the interpreter of"];
    cannot_run(&scene, &scene.executable("outer", outer.as_bytes()), 127, &said);
}

/// A copy of the probe with some of its header's bytes changed.
fn patched(scene: &Scene, name: &str, at: usize, bytes: &[u8]) -> PathBuf {
    let mut file = fs::read(harness::probe()).expect("cargo built it");
    file[at..at + bytes.len()].copy_from_slice(bytes);
    scene.executable(name, &file)
}

#[test]
fn a_program_for_another_machine_is_126_and_said_so() {
    let scene = Scene::new();
    // Machines for which no emulator registers itself: Atmel AVR, and one that does not exist.
    let avr = patched(&scene, "avr", 18, &83u16.to_le_bytes());
    cannot_run(&scene, &avr, 126, &["avr", "machine"]);
    let unknown = patched(&scene, "unknown", 18, &0xf00du16.to_le_bytes());
    cannot_run(&scene, &unknown, 126, &["unknown", "machine"]);
}

#[test]
fn a_damaged_program_is_126_and_not_given_to_the_shell() {
    let scene = Scene::new();
    let damaged: [(&str, &[u8]); 2] = [("magic", b"\x7fELF"), ("start", b"\x7fELF\x02\x01\x01\0")];
    for (name, content) in &damaged {
        cannot_run(&scene, &scene.executable(name, content), 126, &[name]);
    }
    // A shared object is the kernel's to refuse, or not.
    let object = patched(&scene, "object", 16, &1u16.to_le_bytes());
    cannot_run(&scene, &object, 126, &["object"]);
}

#[test]
fn a_loader_that_is_not_there_is_127_and_named() {
    let Ok(mut program) = fs::read("/bin/true") else { return skip("there is no /bin/true") };
    let loader = b"/lib64/ld-linux";
    let Some(at) = program.windows(loader.len()).position(|window| window == loader) else {
        return skip("/bin/true has no loader whose name is known");
    };
    program[at..at + loader.len()].copy_from_slice(b"/lib64/ld-absen");
    let scene = Scene::new();
    cannot_run(&scene, &scene.executable("dynamic", &program), 127, &["dynamic", "/lib64/ld-absen"]);
}

#[test]
fn a_command_that_cannot_be_run_leaves_a_shell_script_its_code() {
    let scene = Scene::new();
    let path = Init::Supervise.path().expect("cargo built it");
    let mut script = OsString::from("for c in no-such-command /etc; do ");
    script.push(&path);
    script.push(" -- $c 2>/dev/null; echo $?; done");
    let ended = scene.bare().argv(&[OsString::from("sh"), "-c".into(), script]).end();
    assert_eq!(ended.stdout, ["127", "126"]);
}
