//! `supervise check`: each mode, each sign of readiness, each way to end, and that nothing is left of it.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use libc::{SIGINT, SIGKILL, SIGTERM};
use nix::unistd::geteuid;

use harness::checked::{behind, report, report_of, stage_of, start};
use harness::contained::NOBODY;
use harness::launch::Init;
use harness::running::{Running, refused, refused_with};
use harness::terminal::Terminal;
use harness::{Exit, Scene, probe, proc, send, skip, words};

/// Ends with 0 when it is told.
const POLITE: &str = "block TERM, ready, await TERM, exit 0";

/// The payload with these verbs.
fn payload(verbs: &str) -> Vec<String> {
    let path = probe().display().to_string();
    std::iter::once(path).chain(words(verbs).into_iter().map(str::to_owned)).collect()
}

fn as_strs(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

#[test]
fn who_ends_when_told_passes_in_every_mode() {
    let scene = Scene::new();
    let report = report(&scene, &["--as", "pid1,child,init", "--ready", "log:^ready$"], &as_strs(&payload(POLITE)));
    for mode in ["pid1", "child", "init"] {
        report.says(mode, &[("S01", "pass"), ("S02", "pass"), ("S06", "pass"), ("S17", "pass")]);
        let run = report.run(mode);
        let main = &run["processes"][0];
        assert_eq!((&main["main"], &main["ended"]["status"]["code"]), (&true.into(), &0.into()), "{run:#}");
        let inside = main["inside"].as_i64();
        match mode {
            "pid1" => assert_eq!(inside, Some(1), "{run:#}"),
            "init" => assert_eq!(inside, Some(2), "{run:#}"),
            // No number that it would have again at its next start.
            _ => assert!(inside > Some(2), "{run:#}"),
        }
        assert_eq!(
            main["session"],
            if mode == "init" { run["processes"][1]["pid"].clone() } else { main["pid"].clone() }
        );
    }
    report.exits(0);
    scene.nothing_is_left();
}

#[test]
fn process_1_drops_what_it_has_no_handler_for_and_a_child_dies_of_it() {
    let scene = Scene::new();
    let command = payload("ready, wait");
    // Both in one report, which compares them; as process 1 it uses up all its time, so that is short.
    let both = report(&scene, &["--grace", "2s", "--ready", "log:ready"], &as_strs(&command));
    both.says("pid1", &[("S01", "fail"), ("S02", "fail"), ("S03", "warn"), ("S04", "warn")]);
    assert_eq!(both.run("pid1")["processes"][0]["ended"]["by"], "supervise");
    both.exits(1);
    // By itself it has as much time as it wants.
    let child = report(&scene, &["--as", "child", "--ready", "log:ready"], &as_strs(&command));
    child.says("child", &[("S01", "pass"), ("S02", "warn")]);
    assert_eq!(child.run("child")["processes"][0]["ended"]["status"]["signal"], "SIGTERM");
    child.exits(0);
    scene.nothing_is_left();
}

#[test]
fn what_a_shell_leaves_behind_is_found_and_ended() {
    let scene = Scene::new();
    // Ready when the child is what it is to be.
    let script = "sleep 1000 & until grep -q sleep /proc/$!/comm; do :; done; echo ready; wait";
    let report = report(&scene, &["--as", "child", "--ready", "log:ready"], &["sh", "-c", script]);
    report.says("child", &[("S01", "pass"), ("S06", "fail"), ("S17", "fail"), ("S24", "warn")]);
    let processes = &report.run("child")["processes"];
    let left = processes.as_array().expect("a list").iter().filter(|process| process["ended"]["by"] == "supervise");
    assert_eq!(left.map(|process| &process["words"]).collect::<Vec<_>>(), ["sleep 1000"]);
    report.exits(1);
    scene.nothing_is_left();
}

#[test]
fn what_the_kernel_ends_with_process_1_is_told_apart() {
    let scene = Scene::new();
    let script = "trap 'exit 0' TERM; sleep 1000 & echo ready; wait";
    let report = report(&scene, &["--as", "pid1", "--ready", "log:ready"], &["sh", "-c", script]);
    report.says("pid1", &[("S01", "pass"), ("S02", "pass"), ("S06", "fail")]);
    let worker = &report.run("pid1")["processes"][1]["ended"];
    assert_eq!((&worker["status"]["signal"], &worker["by"]), (&"SIGKILL".into(), &"kernel".into()), "{worker}");
    report.exits(1);
    scene.nothing_is_left();
}

#[test]
fn the_group_and_the_tree_are_told_too() {
    let scene = Scene::new();
    let own_group = payload("fork setpgid, name child, ready, wait end, fork name other, wait end, wait");
    for (target, told) in [("main", 1), ("group", 2), ("tree", 3)] {
        let options = ["--as", "child", "--target", target, "--ready", "log:ready"];
        let report = report(&scene, &options, &as_strs(&own_group));
        let processes = report.run("child")["processes"].as_array().expect("a list");
        let by_signal = processes.iter().filter(|process| process["ended"]["by"] == "signal").count();
        assert_eq!((processes.len(), by_signal), (3, told), "{target}: {processes:#?}");
    }
    scene.nothing_is_left();
}

#[test]
fn a_worker_that_was_told_with_main_has_the_whole_grace() {
    let scene = Scene::new();
    // Its end is later than what main leaves alone has.
    let script =
        "trap 'exit 0' TERM; sh -c 'trap \"sleep 1.5; exit 0\" TERM; echo ready; while :; do sleep 0.05; done' & wait";
    for (target, level) in [("tree", "pass"), ("main", "fail")] {
        let options = ["--as", "child", "--target", target, "--ready", "log:ready"];
        let report = report(&scene, &options, &["sh", "-c", script]);
        report.says("child", &[("S01", "pass"), ("S06", level), ("S17", level)]);
    }
    scene.nothing_is_left();
}

#[test]
fn each_sign_of_readiness_is_seen() {
    let scene = Scene::new();
    let file = scene.folder().join("ready");
    let file_target = format!("file:{}", file.display());
    let exec = format!("exec:test -e {}", file.display());
    let touch = format!("trap 'exit 0' TERM; : >{}; while :; do sleep 0.05; done", file.display());
    let shell = |script: &str| ["sh".to_owned(), "-c".to_owned(), script.to_owned()].to_vec();
    let cases = [
        ("log:^re.dy$", payload(POLITE), "log:^re.dy$"),
        ("fd:5", shell("trap 'exit 0' TERM; echo >&5; while :; do sleep 0.05; done"), "fd:5"),
        ("fd:3", shell("trap 'exit 0' TERM; exec 3>&-; while :; do sleep 0.05; done"), "fd:3"),
        (&file_target, shell(&touch), &file_target),
        (&exec, shell(&touch), &exec),
        ("delay:50ms", payload(POLITE), "delay:50ms"),
    ];
    for (ready, command, by) in cases {
        let _ = fs::remove_file(&file);
        let report = report(&scene, &["--as", "pid1", "--ready", ready], &as_strs(&command));
        report.says("pid1", &[("S01", "pass"), ("S02", "pass")]);
        let events = report.run("pid1")["events"].as_array().expect("a list");
        let seen = events.iter().find(|event| event["kind"] == "ready").map(|event| event["by"].clone());
        assert_eq!(seen, Some(by.into()), "{ready}");
    }
    scene.nothing_is_left();
}

#[test]
fn without_a_sign_it_is_ready_when_it_is_quiet() {
    let scene = Scene::new();
    let report = report(&scene, &["--as", "child"], &as_strs(&payload(POLITE)));
    let events = report.run("child")["events"].as_array().expect("a list");
    assert!(
        events.iter().any(|event| event["by"].as_str().is_some_and(|by| by.starts_with("quiet for"))),
        "{events:?}"
    );
    report.exits(0);
}

#[test]
fn listening_sockets_are_seen_to_close() {
    let scene = Scene::new();
    let program = "
import os, signal, socket, time
server = socket.socket()
server.bind(('127.0.0.1', 0))
server.listen()
def stop(*_):
    server.close()
    # The test's fact: the socket closes long before the end.
    time.sleep(0.5)
    os._exit(0)
signal.signal(signal.SIGTERM, stop)
print('ready', flush=True)
while True: signal.pause()
";
    let command = [harness::slow::python(), "-c", program];
    let report = report(&scene, &["--as", "child", "--ready", "log:ready"], &command);
    let run = report.run("child");
    let listener = &run["listeners"][0];
    assert!(listener["address"].as_str().is_some_and(|address| address.starts_with("tcp 127.0.0.1:")), "{run:#}");
    let ended = run["processes"][0]["ended"]["ms"].as_f64().expect("it ended");
    assert!(listener["closed_ms"].as_f64().is_some_and(|closed| closed < ended), "{listener} {ended}");
    report.says("child", &[("S01", "pass"), ("S11", "pass")]);
    report.exits(0);
}

#[test]
fn who_cannot_be_judged_does_not_pass() {
    let scene = Scene::new();
    for (options, verbs) in [
        (&["--ready", "log:ready"][..], "exit 0"),
        (&["--ready", "log:never", "--ready-timeout", "200ms"], "ready, wait"),
        (&["--ready", "fd:9", "--ready-timeout", "200ms"], "ready, wait"),
        (&["--ready", "log:ready"], "die TERM"),
        (&["--ready", "sd_notify"], "exit 1"),
        (&["--ready", "sd_notify", "--ready-timeout", "200ms"], "wait"),
    ] {
        let report = report(&scene, &[&["--as", "child"], options].concat(), &as_strs(&payload(verbs)));
        assert_eq!(report.whole["verdict"], "inconclusive", "{verbs}");
        report.exits(2);
    }
    scene.nothing_is_left();
}

#[test]
fn who_ends_because_a_child_has_ended_fails_by_that_also_with_0() {
    let scene = Scene::new();
    // It reaps the orphan, and is not done at once; without one it waits for ever.
    let program = "
import os, signal
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
if os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pause()
os.write(1, b'ready\\n')
os.wait()
os._exit(0)
";
    let command = [harness::slow::python(), "-c", program];
    let report = report(&scene, &["--as", "pid1", "--ready", "log:^ready$"], &command);
    report.says("pid1", &[("S09", "fail"), ("S01", "pass"), ("S02", "pass")]);
    let events = report.run("pid1")["events"].as_array().expect("a list");
    assert!(events.iter().any(|event| event["kind"] == "put-in"), "{events:?}");
    assert!(report.group("pid1").to_string().contains("after the orphan was put in"), "{:#}", report.whole);
    report.exits(1);
}

#[test]
fn what_cannot_be_executed_is_told_with_the_usual_codes() {
    let scene = Scene::new();
    for (command, code, why) in [
        ("/no/such/file", 127, "no such file"),
        ("no-such-program-at-all", 127, "not found in PATH"),
        ("/etc/passwd", 126, "no permission to execute it"),
        ("/", 126, "is a directory"),
    ] {
        for options in [["--as", "pid1"], ["--as", "child"], ["--as", "init"], ["--ready", "sd_notify"]] {
            let ended = start(&scene, &[&options[..], &["--", command]].concat()).end();
            assert_eq!(ended.exit, Exit::Code(code), "{options:?}: {ended:?}");
            let said = [&ended.stdout[..], &ended.stderr[..]].concat().join("\n");
            assert!(said.contains(why), "{options:?} {command}: {said}");
        }
    }
    scene.nothing_is_left();
}

#[test]
fn wrong_words_start_nothing() {
    let scene = Scene::new();
    for (options, said) in [
        (&[][..], "check which command?"),
        (&["--as", "pid1"], "check which command?"),
        (&["--as", "pid2", "x"], "\"pid2\" is no mode"),
        (&["--as", "", "x"], "is no mode"),
        (&["--signal", "TREM", "x"], "did you mean TERM?"),
        (&["--signal", "STOP", "x"], "tells no program to stop"),
        (&["--signal", "TERM,KILL", "x"], "there is nothing to check"),
        (&["--target", "mian", "x"], "did you mean main?"),
        (&["--grace", "0", "x"], "it needs some time"),
        (&["--grace", "10", "x"], "say 10s"),
        (&["--profile", "dokcer", "x"], "did you mean docker?"),
        (&["--ready", "soon", "x"], "it is one of sd_notify"),
        (&["--ready", "fd:2", "x"], "--ready fd:2: a descriptor for that is a number from 3 to 1000"),
        (&["--ready", "fd:x", "x"], "a number from 3 to 1000"),
        (&["--ready", "log:(", "x"], "--ready log:(: no regular expression"),
        (&["--ready", "tcp:8080", "x"], "no port is named"),
        (&["--ready", "https://x/", "x"], "speaks no TLS"),
        (&["--ready", "delay:x", "x"], "--ready delay:x: \"x\" is no time"),
        (&["--repeat", "0", "x"], "a number from 1 to 1000"),
        (&["--also", "none,stopped", "x"], "none and others at once"),
        (&["--repeat", "+1", "x"], "a number from 1 to 1000"),
        (&["--ok-exit", "256", "x"], "is no exit code"),
        (&["--ok-exit", "TREM", "x"], "neither an exit code"),
        (&["--format", "xml", "x"], "it is one of text|json|junit|tap"),
        (&["--strict=1", "x"], "takes no value"),
        (&["--grcae", "1s", "x"], "did you mean --grace?"),
        (&["--kill-mode", "tree", "x"], "unknown option --kill-mode"),
        (&["--xyzzy-plugh", "x"], "`supervise check --help` lists them"),
        (&["--explain", "S06", "--frobnicate"], "unknown option --frobnicate"),
        (&["--explain", "S99"], "there is no such check"),
        (&["--grace"], "needs a value"),
    ] {
        refused(&start(&scene, options).end(), &[said]);
    }
    scene.nothing_is_left();
}

#[test]
fn checks_are_explained() {
    let scene = Scene::new();
    let ended = start(&scene, &["--explain", "S06"]).end();
    assert_eq!(ended.exit, Exit::Code(0));
    assert!(ended.stdout.join("\n").contains("S06"), "{ended:?}");
    let ended = start(&scene, &["--explain", "S06", "--explain", "S01"]).end();
    let titles = ["S06: nothing left", "S01: ends in time"];
    let told: Vec<&String> = ended.stdout.iter().filter(|line| titles.contains(&line.as_str())).collect();
    assert_eq!(told, titles, "{ended:?}");
}

#[test]
fn a_terminal_shows_what_is_waited_for_and_no_more_at_the_end() {
    let scene = Scene::new();
    let mut terminal = Terminal::open(&scene);
    let path = Init::Supervise.path().expect("cargo built it").display().to_string();
    let words = [&path, "check", "--as", "child", "--ready", "log:ready", "--"];
    let mut check = terminal.session(&scene, &[&words[..], &as_strs(&payload(POLITE))].concat());
    terminal.screen.up_to("\ras a child, SIGTERM: waits until it is ready, 0 s");
    terminal.screen.up_to("\ras a child, SIGTERM: waits until it is at rest, 0 s");
    // The line is blank when the report begins.
    let last = terminal.screen.up_to("supervise check: ");
    assert!(last.ends_with(" \rsupervise check: "), "{last:?}");
    terminal.screen.up_to("PASS");
    assert_eq!(check.wait(), Exit::Code(0));
}

/// The PID namespace of the run, as the kernel names it, once the command is ready.
#[track_caller]
fn namespace(check: &Running<'_>, scene: &Scene) -> PathBuf {
    fs::read_link(format!("/proc/{}/ns/pid_for_children", stage_of(check, scene))).expect("it lives")
}

/// Whether a process is in the namespace.
fn is_inhabited(namespace: &PathBuf) -> bool {
    proc::pids().any(|pid| fs::read_link(format!("/proc/{pid}/ns/pid")).is_ok_and(|other| other == *namespace))
}

/// Waits until the command has written a file, which shows that it runs.
#[track_caller]
fn running<'s>(scene: &'s Scene, mode: &str) -> (Running<'s>, PathBuf) {
    let file = scene.folder().join(format!("runs-{mode}"));
    let script = format!(
        "trap '' TERM INT HUP; setsid sh -c 'trap \"\" TERM; sleep 1000' & sleep 999 & : >{}; wait; wait",
        file.display()
    );
    let check =
        start(scene, &["--as", mode, "--ready", "delay:60s", "--ready-timeout", "90s", "--", "sh", "-c", &script]);
    scene.deadline.until("the command", || file.exists().then_some(()));
    let namespace = namespace(&check, scene);
    assert!(is_inhabited(&namespace));
    (check, namespace)
}

#[test]
fn nothing_is_left_of_a_check_that_was_killed() {
    for mode in ["pid1", "child", "init"] {
        let scene = Scene::new();
        let (mut check, namespace) = running(&scene, mode);
        send(check.outer_pid(), SIGKILL, 1);
        assert_eq!(check.wait(), Exit::Signal(SIGKILL));
        scene.deadline.until("the end of all in its namespace", || (!is_inhabited(&namespace)).then_some(()));
        scene.deadline.until("the end of all that it started", || scene.marked().is_empty().then_some(()));
    }
}

#[test]
fn who_is_asked_to_stop_leaves_nothing_and_says_so() {
    for (mode, signal, code) in [("pid1", SIGTERM, 143), ("child", SIGINT, 130), ("init", SIGTERM, 143)] {
        let scene = Scene::new();
        let (check, namespace) = running(&scene, mode);
        send(check.outer_pid(), signal, 1);
        let ended = check.end();
        assert_eq!((ended.exit, ended.stdout.len(), ended.stderr.len()), (Exit::Code(code), 0, 1), "{ended:?}");
        assert!(!is_inhabited(&namespace));
        scene.nothing_is_left();
    }
}

#[test]
fn the_command_gets_a_clean_state() {
    let scene = Scene::new();
    // Ignored and blocked on the way to us, and a descriptor left open.
    let wrapper = ["sh", "-c", "trap '' INT QUIT; exec 7</dev/null; exec \"$@\"", "-"];
    let wrapped = ["sh", "-c", "ulimit -Sn 200; exec \"$@\"", "-"];
    let words =
        ["--format", "json", "--as", "child", "--ready", "log:^200$", "--", "sh", "-c", "ulimit -n; exec sleep 1000"];
    report_of(behind(&scene, &wrapped, &words)).says("child", &[("S01", "pass")]);
    // `ls` reads the directory by one of its own.
    let script = "grep -h '^Sig[BI]' /proc/self/status; echo $(ls /proc/self/fd) $(readlink /proc/self/fd/0); echo ready; exec sleep 1000";
    let words = ["--format", "json", "--as", "child", "--ready", "log:ready", "--", "sh", "-c", script];
    let report = report_of(behind(&scene, &wrapper, &words));
    let inherited: BTreeSet<String> = report.run("child")["inherited"]["ignored"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|signal| signal.as_str().map(str::to_owned))
        .collect();
    assert_eq!(inherited, ["SIGINT", "SIGQUIT"].map(str::to_owned).into());
    let tail = report.run("child")["output"]["tail"].as_array().expect("a list");
    let said: Vec<&str> = tail.iter().filter_map(|line| line.as_str()).collect();
    let [blocked, ignored, descriptors, "ready"] = said[..] else { panic!("{said:?}") };
    assert_eq!(descriptors, "0 1 2 3 /dev/null");
    for line in [blocked, ignored] {
        let bits = line.split(' ').next_back().and_then(|bits| u64::from_str_radix(bits, 16).ok());
        // Those of a C library's threads are as its posix_spawn(3) leaves them.
        assert_eq!(bits.map(|bits| bits & 0x7fff_ffff), Some(0), "{line}");
    }
}

#[test]
fn a_user_without_rights_can_check() {
    if !geteuid().is_root() {
        return skip("only root can be somebody else");
    }
    let scene = Scene::new();
    let probe = scene.for_everybody(&probe());
    for mode in ["pid1", "child", "init"] {
        let words = ["--format", "json", "--as", mode, "--ready", "log:ready", "--", probe.to_str().expect("ours")];
        let words = [&words[..], &["block", "TERM", "ready", "await", "TERM", "exit", "0"]].concat();
        let report = report_of(behind(&scene, &NOBODY, &words));
        report.says(mode, &[("S01", "pass"), ("S02", "pass"), ("S06", "pass")]);
        report.exits(0);
    }
    scene.nothing_is_left();
}

#[test]
fn without_namespaces_a_child_is_watched_all_the_same() {
    let scene = Scene::new();
    // In a user namespace of its own, the limit is its own.
    let limit = "echo 0 >/proc/sys/user/max_pid_namespaces && exec \"$@\"";
    let wrapper = ["unshare", "--user", "--map-root-user", "sh", "-c", limit, "-"];
    let script = "setsid sleep 1000 & setsid sh -c 'sleep 999 & wait' & echo ready; wait";
    let words = ["--format", "json", "--ready", "log:ready", "--", "sh", "-c", script];
    let report = report_of(behind(&scene, &wrapper, &words));
    let outcome = &report.run("pid1")["outcome"];
    assert_eq!(outcome["kind"], "not-possible");
    let why = outcome["why"].as_str().expect("a reason");
    assert!(why.contains("sysctl user.max_pid_namespaces="), "{why}");
    report.says("child", &[("S01", "pass"), ("S06", "fail")]);
    let run = report.run("child");
    assert_eq!(run["missing"][0]["facility"], "pid-namespace");
    assert_eq!(run["processes"].as_array().map(Vec::len), Some(4), "{run:#}");
    scene.nothing_is_left();
    // Also when we are killed: the stage sees it.
    let file = scene.folder().join("runs");
    let script = format!("setsid sleep 1000 & : >{}; wait", file.display());
    let words = ["--as", "child", "--ready", "delay:60s", "--ready-timeout", "90s", "--", "sh", "-c", &script];
    let mut check = behind(&scene, &wrapper, &words);
    scene.deadline.until("the command", || file.exists().then_some(()));
    send(check.pid(), SIGKILL, 1);
    check.wait();
    scene.deadline.until("the end of all that it started", || scene.marked().is_empty().then_some(()));
}

#[test]
fn where_the_kernel_tells_of_no_processes_the_signal_is_sent_all_the_same() {
    let scene = Scene::new();
    // The proc connector is in the first network namespace alone.
    let wrapper = ["unshare", "--user", "--map-root-user", "--net"];
    // After the delay it may be told before it waits for that, and dies of it.
    let delayed = ["--ready", "delay:10ms", "--ok-exit", "TERM"];
    for ready in [&[][..], &delayed, &["--ready", "log:ready"]] {
        for mode in ["child", "pid1", "init"] {
            let words = [&["--format", "json", "--as", mode], ready, &["--"]].concat();
            let command = payload(POLITE);
            let report = report_of(behind(&scene, &wrapper, &[&words[..], &as_strs(&command)].concat()));
            let missing = &report.run(mode)["missing"];
            assert_eq!(missing[0]["facility"], "process-events", "{missing}");
            report.says(mode, &[("S01", "pass"), ("S02", "pass")]);
        }
    }
    scene.nothing_is_left();
}

#[test]
fn where_proc_is_missing_it_fails_itself() {
    if !geteuid().is_root() {
        return skip("only root can hide /proc");
    }
    let scene = Scene::new();
    let wrapper = ["unshare", "--mount", "sh", "-c", "mount -t tmpfs none /proc && exec \"$@\"", "-"];
    let ended = behind(&scene, &wrapper, &["--", "true"]).end();
    refused_with(&ended, 125, &["/proc"]);
}
