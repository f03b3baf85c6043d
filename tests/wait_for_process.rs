//! `supervise wait-for` as a process: its words, its signals, what it starts and leaves, and the command behind it.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::fs;
use std::path::Path;

use libc::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use nix::unistd::geteuid;

use harness::launch::Init;
use harness::waiting::{
    LATE, PATIENT, all_is_killed, behind, is_ready, one_line, pid_1, server, start, timed_out, wait_for,
};
use harness::{Exit, Scene, proc};

#[test]
fn a_command_is_tried_until_it_succeeds() {
    let scene = Scene::new();
    let file = scene.folder().join("file");
    let target = format!("exec:echo tried; echo too >&2; test -e {}", file.display());
    let mut waiting = wait_for(&scene, &[&PATIENT[..], &[&target]].concat());
    assert_eq!(waiting.stderr().next().as_deref(), Some("tried"));
    waiting.wait_until_said(&["is not ready: it ended with code 1"]);
    fs::write(&file, "").expect("the folder is ours");
    let ended = waiting.end();
    assert_eq!((ended.exit, ended.stdout.len()), (Exit::Code(0), 0), "{ended:?}");
    // Without -v it is not heard.
    is_ready(&wait_for(&scene, &[&target]).end());
    let mut waiting = wait_for(&scene, &["-v", "--timeout", "0", "--interval", "1h", "exec:kill -9 $$"]);
    waiting.wait_until_said(&["is not ready: it died of SIGKILL"]);
    waiting.signal(SIGTERM);
    assert_eq!(waiting.end().exit, Exit::Signal(SIGTERM));
}

#[test]
fn a_command_that_hangs_is_killed_with_all_it_started() {
    let scene = Scene::new();
    let ended = wait_for(&scene, &["--timeout", "1s", "exec:sleep 1000 & sleep 1000 | cat"]).end();
    timed_out(&ended, &["is not ready after 1s: it had not ended"]);
    all_is_killed(&scene);
}

#[test]
fn a_signal_ends_the_wait_and_what_it_tries() {
    for signal in [SIGTERM, SIGINT, SIGHUP, SIGUSR1] {
        for target in ["file:/nowhere/at/all", "exec:echo begun; sleep 1000 & sleep 1000"] {
            let scene = Scene::new();
            let words = ["-v", "--timeout", "0", "--interval", "1h", target];
            let mut waiting = wait_for(&scene, &words);
            waiting.wait_until_said(&["begun", "is not ready"]);
            waiting.signal(signal);
            assert_eq!(waiting.wait(), Exit::Signal(signal), "{target}");
            all_is_killed(&scene);

            let mut waiting = pid_1(&scene, &words);
            waiting.wait_until_said(&["begun", "is not ready"]);
            waiting.signal(signal);
            assert_eq!(waiting.wait(), Exit::Code(128 + signal), "{target}");
            all_is_killed(&scene);
        }
    }
}

#[test]
fn an_ignored_signal_stays_ignored() {
    let scene = Scene::new();
    let wrapper = ["sh", "-c", "trap '' HUP; exec \"$@\"", "sh"];
    let mut waiting = behind(&scene, &wrapper, 0, &["-v", "--timeout", "0", "--interval", "1h", "file:/nowhere"]);
    waiting.wait_until_said(&["is not ready"]);
    waiting.signal(SIGHUP);
    // HUP has the lower number and is taken first.
    waiting.signal(SIGTERM);
    assert_eq!(waiting.wait(), Exit::Signal(SIGTERM));
}

#[test]
fn pid_1_reaps_what_a_try_leaves() {
    let scene = Scene::new();
    let (path, _lines) = scene.fifo("fifo");
    let path = path.display().to_string();
    let target = format!("exec:{{ read x <{path}; }} & exit 1");
    let mut waiting = pid_1(&scene, &["-v", "--timeout", "0", "--interval", "1h", &target]);
    waiting.wait_until_said(&["is not ready"]);
    let init = waiting.pid();
    assert_eq!(proc::children(init).len(), 1, "the orphan is its child");
    fs::write(&path, "go\n").expect("the orphan reads");
    scene.deadline.until("the orphan to be reaped", || proc::children(init).is_empty().then_some(()));
    waiting.signal(SIGTERM);
    assert_eq!(waiting.wait(), Exit::Code(128 + SIGTERM));
}

#[test]
fn closed_standard_streams_do_no_harm() {
    let scene = Scene::new();
    let wrapper = ["sh", "-c", "exec \"$@\" <&- >&- 2>&-", "sh"];
    let file = scene.folder().join("file");
    let target = format!("exec:test -e {} && exit; touch {}; exit 1", file.display(), file.display());
    is_ready(&behind(&scene, &wrapper, 0, &["-v", "--interval", "20ms", "file:/", &target]).end());
}

#[test]
fn wrong_words_are_named_in_one_line() {
    let long = format!("unix:/{}", "x".repeat(107));
    let cases: [(&[&str], &[&str]); 22] = [
        (&[], &["wait-for what?", "supervise -- wait-for"]),
        (&["--timeout", "1s"], &["wait-for what?"]),
        (&["--", "true"], &["wait-for what?"]),
        (&["file:/", "--"], &["no command"]),
        (&["file:/", "true"], &["wait-for true: no target", "tcp:HOST:PORT", "behind `--`"]),
        (&["db:5432"], &["wait-for db:5432: no target", "tcp:HOST:PORT"]),
        (&["tcp:db"], &["wait-for tcp:db: no port"]),
        (&["tcp:db:postgres"], &["\"postgres\" is no port"]),
        (&["tcp:::1:80"], &["brackets"]),
        (&["tcp::80"], &["no host"]),
        (&["https://web/"], &["no TLS", "exec:curl"]),
        (&["http://a b/"], &["' '", "cannot stand in an address"]),
        (&["http://me:secret@web/"], &["password"]),
        (&["unix:"], &["no path"]),
        (&[&long], &["a path of 108 bytes", "at most 107"]),
        (&["file:"], &["no path"]),
        (&["exec:"], &["no command is named"]),
        (&["--timeout", "10", "file:/"], &["--timeout 10: \"10\" is no time", "say 10s"]),
        (&["--interval=x", "file:/"], &["--interval x: \"x\" is no time"]),
        (&["file:/", "--timeout"], &["--timeout needs a value: --timeout TIME"]),
        (&["file:/", "--timout", "1s"], &["unknown option --timout; did you mean --timeout?"]),
        (&["file:/", "--grace", "1s"], &["--grace", "there is none"]),
    ];
    for (words, said) in cases {
        one_line(&wait_for(&Scene::new(), words).end(), 125, said);
    }
}

#[test]
fn its_options_are_its_own() {
    let scene = Scene::new();
    let ended = scene.supervise().options(&["--timeout", "1s"]).argv(&["true"]).end();
    one_line(&ended, 125, &["unknown option --timeout"]);
    // And no variable stands for them: SUPERVISE_TIMEOUT may be anybody's.
    let mut command = scene.command(Init::Supervise.path().expect("cargo built it"));
    command.args(["wait-for", "file:/"]).env("SUPERVISE_TIMEOUT", "soon").env("SUPERVISE_INTERVAL", "tcp://10.0.0.1");
    is_ready(&start(&scene, command, 0, Path::new("supervise")).end());
}

#[test]
fn a_program_of_the_same_name_is_spoken_of_as_pid_1() {
    let scene = Scene::new();
    let program = scene.executable("wait-for", b"#!/bin/sh\necho the program\n");
    let path = format!("PATH={}:/usr/bin:/bin", scene.folder().display());
    let supervise = Init::Supervise.path().expect("cargo built it");
    let supervise = supervise.to_str().expect("a plain name");
    let mut namespace = vec!["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
    if !geteuid().is_root() {
        namespace.extend(["--user", "--map-root-user"]);
    }
    let run = |namespace: &[&str], words: &[&str]| {
        let mut command = scene.command("env");
        command.args(namespace.iter().chain(&["env", &path, supervise]).chain(words));
        start(&scene, command, 0, Path::new("env")).end()
    };
    let ended = run(&namespace, &["wait-for", "file:/"]);
    one_line(
        &ended,
        0,
        &[
            "supervise: warning: \"wait-for\" is taken as supervise's own command",
            &format!("for the program {} say: supervise -- wait-for", program.display()),
        ],
    );
    is_ready(&run(&[], &["wait-for", "file:/"]));
    let ended = run(&namespace, &["--", "wait-for"]);
    assert_eq!(
        (ended.exit, &ended.stdout[..], ended.stderr.len()),
        (Exit::Code(0), &["the program".to_owned()][..], 0)
    );
}

#[test]
fn the_command_is_started_when_all_is_ready() {
    let scene = Scene::new();
    let mut late = server(&scene, LATE, &["127.0.0.1"]);
    let target = format!("tcp:127.0.0.1:{}", late.line());
    let script = "trap 'echo told; exit 7' TERM; echo the command; while :; do sleep 1000 & wait; done";
    let words = [&PATIENT[..], &["--stop-signal", "TERM", &target, "--", "sh", "-c", script]].concat();
    let mut init = pid_1(&scene, &words);
    init.wait_until_said(&[&format!("{target} is not ready: ")]);
    assert!(!scene.marked().into_iter().any(|pid| proc::name(pid).as_deref() == Some("sleep")), "it waits");
    late.go();
    init.expect("the command");
    init.signal(SIGTERM);
    init.expect("told");
    assert_eq!(init.wait(), Exit::Code(7));
}

#[test]
fn the_command_is_not_started_when_the_time_is_over() {
    let scene = Scene::new();
    let words = ["--timeout", "1s", "file:/nowhere", "--", "echo", "started"];
    for mut init in [wait_for(&scene, &words), pid_1(&scene, &words)] {
        init.close_stdin();
        timed_out(&init.end(), &["file:/nowhere is not ready after 1s: ", "; the command is not started"]);
    }
}

#[test]
fn waiting_comes_before_the_hooks() {
    let scene = Scene::new();
    let words = ["--pre-start", "echo hook", "exec:true", "file:/", "--", "echo", "command"];
    let ended = wait_for(&scene, &words).end();
    assert_eq!(
        (ended.exit, &ended.stdout[..]),
        (Exit::Code(0), &["hook", "command"].map(String::from)[..]),
        "{ended:?}"
    );
    assert_eq!(ended.stderr, [""; 0]);
    let ended = wait_for(&scene, &["--pre-start", "echo hook", "--timeout", "10ms", "exec:false", "--", "echo"]).end();
    timed_out(&ended, &["exec:false is not ready after 10ms"]);
}

#[test]
fn a_stop_ends_the_wait_before_a_command() {
    for target in ["file:/nowhere/at/all", "exec:echo begun; sleep 1000 & sleep 1000"] {
        let words = ["-v", "--timeout", "0", "--interval", "1h", target, "--", "echo", "started"];
        for (is_pid_1, exit) in [(false, Exit::Signal(SIGTERM)), (true, Exit::Code(128 + SIGTERM))] {
            let scene = Scene::new();
            let mut init = if is_pid_1 { pid_1(&scene, &words) } else { wait_for(&scene, &words) };
            init.wait_until_said(&["begun", "is not ready"]);
            init.signal(SIGTERM);
            let ended = init.end();
            assert_eq!((ended.exit, ended.stdout.len()), (exit, 0), "{target}: {ended:?}");
            all_is_killed(&scene);
        }
    }
}

#[test]
fn the_command_gets_what_it_would_get_without_waiting() {
    let scene = Scene::new();
    let seen = |words: &[&str]| {
        let path = Init::Supervise.path().expect("cargo built it");
        let mut command = scene.command("sh");
        command.args(["-c", "trap '' USR2; exec \"$@\"", "sh"]).arg(&path).args(words);
        // Its own pid is the one thing that differs.
        command.args([
            "--",
            "sh",
            "-c",
            "grep ^Sig[BI] /proc/self/status; ls /proc/self/fd; env | sort; ulimit -a; pwd",
        ]);
        let ended = start(&scene, command, 0, &path).end();
        assert_eq!((ended.exit, ended.stderr.len()), (Exit::Code(0), 0), "{ended:?}");
        ended.stdout
    };
    assert_eq!(seen(&["wait-for", "file:/", "exec:true"]), seen(&[]));
}
