//! `supervise check`: what it sees of the surroundings of a command, and what in them keeps it from seeing.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;

use libc::SIGKILL;
use nix::unistd::geteuid;

use harness::checked::{READY, Report, alone_with_pid_files, behind, finding, report, report_of};
use harness::contained::NOBODY;
use harness::running::refused;
use harness::slow::python;
use harness::{Exit, Scene, free_port, probe, send, skip};

/// The cause and the evidence of a check, as one text.
#[track_caller]
fn said(report: &Report, mode: &str, check: &str) -> String {
    let findings = report.group(mode)["findings"].as_array().expect("a list");
    findings.iter().find(|finding| finding["id"] == check).expect("it was found").to_string()
}

/// Leaves what programs leave: in the directory of its state, in the usual place, and a lock that it has open. With
/// `clean` it takes them away when it is told to stop.
const LEAVES: &str = "
import os, signal, socket, sys
state, usual, other, clean = sys.argv[1:]
files = [state + '/app.pid', state + '/deep/half.part', state + '/x.sock', usual, other + '/app.lock']
server = socket.socket(socket.AF_UNIX)
server.bind(files[2])
server.listen()
os.mkdir(state + '/deep')
open(files[0], 'w').write(str(os.getpid()))
open(files[1], 'w')
open(files[3], 'w').write('%d\\n' % os.getpid())
lock = open(files[4], 'w')
open(state + '/kept', 'w')
def stop(*_):
    if clean == 'clean':
        for file in files: os.unlink(file)
    os._exit(0)
signal.signal(signal.SIGTERM, stop)
os.write(1, b'ready\\n')
while True: signal.pause()
";

fn leaves(scene: &Scene, mode: &str, options: &[&str], clean: &str) -> (Report, Vec<String>) {
    let folder = scene.folder().canonicalize().expect("it was made");
    let (state, other) = (folder.join("state"), folder.join("other"));
    // In /tmp, where pid files are looked for.
    let usual = std::env::temp_dir().join(format!("python-{mode}-{}.pid", std::process::id()));
    for directory in [&state, &other] {
        fs::create_dir(directory).expect("it is new");
    }
    fs::write(state.join("old.pid"), "1").expect("the folder is writable");
    let [state_text, usual_text, other_text] = [&state, &usual, &other].map(|path| path.display().to_string());
    let mut all = vec!["--as", mode, "--also", "none", "--ready", "log:^ready$"];
    all.extend(options);
    let option = if options.is_empty() { Vec::new() } else { vec![state_text.as_str()] };
    all.extend(option);
    let report = report(scene, &all, &[python(), "-c", LEAVES, &state_text, &usual_text, &other_text, clean]);
    let left = report.run(mode)["files"]["left"].as_array().expect("it was looked at").clone();
    let prefix = format!("{}/", folder.display());
    let short = |path: &serde_json::Value| {
        let path = path.as_str().expect("a text");
        path.strip_prefix(&prefix)
            .map_or_else(|| if path == usual_text { "usual" } else { path }.to_owned(), str::to_owned)
    };
    let left = left.iter().map(short).collect();
    for directory in [state, other] {
        fs::remove_dir_all(directory).expect("it is ours");
    }
    let _ = fs::remove_file(usual);
    (report, left)
}

#[test]
fn files_that_are_left_in_the_way_of_the_next_start_are_named() {
    let _alone = alone_with_pid_files();
    let scene = Scene::new();
    for mode in ["pid1", "child", "init"] {
        let (report, left) = leaves(&scene, mode, &["--state-dir"], "");
        assert_eq!(left, ["usual", "other/app.lock", "state/app.pid", "state/deep/half.part", "state/x.sock"]);
        report.says(mode, &[("S01", "pass"), ("S16", "warn")]);
        // Without the directory what nobody has to tell.
        let (report, left) = leaves(&scene, mode, &[], "");
        assert_eq!(left, ["usual", "other/app.lock", "state/x.sock"]);
        report.says(mode, &[("S16", "warn")]);
        let (report, left) = leaves(&scene, mode, &["--state-dir"], "clean");
        assert!(left.is_empty(), "{left:?}");
        report.says(mode, &[("S16", "pass")]);
    }
    scene.nothing_is_left();
}

#[test]
fn a_pid_file_that_somebody_else_writes_is_no_fault_of_the_command() {
    let _alone = alone_with_pid_files();
    let scene = Scene::new();
    let file = std::env::temp_dir().join(format!("supervise-foreign-{}.pid", std::process::id()));
    // The number of process 1, as each container that shares the directory writes it.
    let ends = "import os, signal
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))\nwhile True: signal.pause()";
    // The file is made by the try before the start, which has to fail for that.
    let ready = format!("exec:if [ -e {0} ]; then echo 1 >{0}; else : >{0}; exit 1; fi", file.display());
    let options = ["--as", "pid1", "--also", "none", "--ready-timeout", "60s", "--ready", &ready];
    let report = report(&scene, &options, &[python(), "-c", ends]);
    fs::remove_file(&file).expect("it was made");
    // Root is told who writes.
    let level = if geteuid().is_root() { "pass" } else { "info" };
    report.says("pid1", &[("S01", "pass"), ("S16", level)]);
    assert_eq!(report.run("pid1")["files"]["left"], serde_json::json!([]));
    scene.nothing_is_left();
}

#[test]
fn what_exec_starts_ends_with_its_try_and_with_a_check_that_is_killed() {
    let scene = Scene::new();
    let (first, runs) = (scene.folder().join("first"), scene.folder().join("runs"));
    let [first_text, runs_text] = [&first, &runs].map(|path| path.display().to_string());
    let stays = format!("setsid sleep 1000 & : >{runs_text}; sleep 1001; true");
    // In the try before the start, and in one of the run.
    for ready in [stays.clone(), format!("if [ -e {first_text} ]; then {stays}; else : >{first_text}; exit 1; fi")] {
        let words = ["--as", "child", "--ready", &format!("exec:{ready}"), "--", "sleep", "999"];
        let mut check = harness::checked::start(&scene, &words);
        scene.deadline.until("the try", || runs.exists().then_some(()));
        assert!(scene.marked().len() > 2, "it has started some");
        send(check.outer_pid(), SIGKILL, 1);
        assert_eq!(check.wait(), Exit::Signal(SIGKILL));
        scene.deadline.until("the end of all that it started", || scene.marked().is_empty().then_some(()));
        fs::remove_file(&runs).expect("it was made");
    }
    let report = report(&scene, &["--as", "child", "--ready", "exec:setsid sleep 1000 & true"], &["sleep", "999"]);
    report.says("child", &[("S01", "inconclusive")]);
    scene.nothing_is_left();
}

#[test]
fn a_directory_of_state_must_be_there() {
    let scene = Scene::new();
    let marker = scene.folder().join("started");
    for (path, why) in [("/no/such/directory", "no such file"), ("/etc/passwd", "it is no directory")] {
        let words = ["--state-dir", path, "--", "touch", marker.to_str().expect("ours")];
        refused(&harness::checked::start(&scene, &words).end(), &["--state-dir", path, why]);
    }
    assert!(!marker.exists());
}

#[test]
fn who_answers_already_is_named_and_nothing_is_started() {
    let scene = Scene::new();
    let port = free_port();
    let tcp = TcpListener::bind(("127.0.0.1", port)).expect("it is free");
    let path = scene.folder().join("taken");
    let _unix = UnixListener::bind(&path).expect("the name is new");
    let marker = scene.folder().join("started");
    let ours = format!("pid {} ", std::process::id());
    for target in
        [format!("tcp:127.0.0.1:{port}"), format!("http://localhost:{port}/"), format!("unix:{}", path.display())]
    {
        let report =
            report(&scene, &["--as", "child,init", "--ready", &target], &["touch", marker.to_str().expect("ours")]);
        for mode in ["child", "init"] {
            report.says(mode, &[("S01", "inconclusive")]);
            let outcome = &report.run(mode)["outcome"];
            assert_eq!(outcome["kind"], "answers-already", "{outcome}");
            let said = said(&report, mode, "S01");
            assert!(said.contains(&ours) && said.contains(&target), "{said}");
        }
        report.exits(2);
    }
    assert!(!marker.exists());
    // What the command itself makes is no trouble.
    drop(tcp);
    let program = format!(
        "
import os, signal, socket
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(('127.0.0.1', {port}))
server.listen()
while True: signal.pause()
"
    );
    let target = format!("tcp:127.0.0.1:{port}");
    let options = ["--as", "child", "--repeat", "2", "--ready", &target];
    report(&scene, &options, &[python(), "-c", &program])
        .says("child", &[("S01", "pass"), ("S15", "pass"), ("S20", "pass")]);
    scene.nothing_is_left();
}

/// Mounts a file system in the folder that never answers, and becomes the words behind that.
const HANGS: &str = "
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
fuse = os.open('/dev/fuse', os.O_RDWR)
data = b'fd=%d,rootmode=40000,user_id=0,group_id=0' % fuse
if libc.mount(b'none', sys.argv[1].encode(), b'fuse', 0, data):
    sys.exit(os.strerror(ctypes.get_errno()))
os.set_inheritable(fuse, True)
os.execvp(sys.argv[2], sys.argv[2:])
";

#[test]
fn a_command_on_a_file_system_that_hangs_is_given_up() {
    if !geteuid().is_root() || !Path::new("/dev/fuse").exists() {
        return skip("a file system that hangs needs root and /dev/fuse");
    }
    let scene = Scene::new();
    let place = scene.folder().join("hangs");
    fs::create_dir(&place).expect("it is new");
    let place = place.to_str().expect("ours");
    let app = format!("{place}/app");
    let wrapper = ["unshare", "--mount", python(), "-c", HANGS, place];
    for mode in ["pid1", "child", "init"] {
        let words = ["--format", "json", "--as", mode, "--ready-timeout", "300ms", "--", &app];
        let report = report_of(behind(&scene, &wrapper, &words));
        assert_eq!(report.run(mode)["outcome"]["kind"], "not-executed");
        report.says(mode, &[("S01", "inconclusive")]);
        report.exits(2);
    }
    scene.nothing_is_left();
}

/// The facilities that a run lacks.
fn missing(report: &Report, mode: &str) -> Vec<String> {
    let all = report.run(mode)["missing"].as_array().expect("a list");
    all.iter().filter_map(|missing| missing["facility"].as_str().map(str::to_owned)).collect()
}

#[test]
fn more_processes_than_descriptors_are_seen_all_the_same() {
    let scene = Scene::new();
    let script = "i=0; while [ $i -lt 100 ]; do sleep 1000 & i=$((i+1)); done; echo ready; wait";
    // In a network namespace the kernel tells of no processes.
    let silent = ["unshare", "--user", "--map-root-user", "--net"];
    for (limit, is_crowded, wrapper) in
        [("100:100", true, &[][..]), ("100:400", false, &[]), ("100:100", true, &silent), ("100:400", false, &silent)]
    {
        let nofile = format!("--nofile={limit}");
        let words =
            ["--format", "json", "--as", "child", "--also", "none", "--ready", "log:ready", "--", "sh", "-c", script];
        let report = report_of(behind(&scene, &[wrapper, &["prlimit", &nofile]].concat(), &words));
        assert_eq!(missing(&report, "child").contains(&"descriptors".to_owned()), is_crowded, "{limit}");
        report.says("child", &[("S01", "pass"), ("S06", "fail")]);
        let processes = report.run("child")["processes"].as_array().expect("a list");
        let killed = processes.iter().filter(|process| process["ended"]["by"] == "supervise").count();
        assert_eq!((processes.len(), killed), (101, 100), "{limit}: {processes:#?}");
        scene.nothing_is_left();
    }
}

#[test]
fn all_are_told_also_with_few_descriptors() {
    let scene = Scene::new();
    // Nobody passes it on, and each is stopped before it is told.
    let job = "i=0; while [ $i -lt 60 ]; do sleep 1000 & i=$((i+1)); done; echo ready; wait";
    for (target, script) in
        [("main", "trap 'kill $p; wait; exit 0' TERM; sleep 1000 & p=$!; echo ready; wait"), ("tree", job)]
    {
        let options = ["--format", "json", "--as", "child", "--target", target, "--ready", "log:ready"];
        let words = [&options[..], &["--", "dash", "-c", script]].concat();
        let report = report_of(behind(&scene, &["prlimit", "--nofile=50"], &words));
        report.says("child", &[("S01", "pass"), ("S06", "pass"), ("S20", "pass")]);
        let ends = report.run("child")["processes"].as_array().expect("a list").iter().map(|process| &process["ended"]);
        assert!(ends.clone().all(|ended| ended["by"] != "supervise"), "{target}: {ends:?}");
    }
    // Too few for us ourselves: that is no verdict on the command.
    for limit in [12, 14, 16, 18, 20] {
        let nofile = format!("--nofile={limit}");
        let words = ["--as", "child", "--also", "none", "--grace", "20s", "--", "sleep", "1000"];
        let ended = behind(&scene, &["prlimit", &nofile], &words).end();
        let said = [&ended.stdout[..], &ended.stderr[..]].concat().join("\n");
        let is_said = match ended.exit {
            Exit::Code(0) => said.contains("PASS"),
            Exit::Code(2) => said.contains("INCONCLUSIVE"),
            Exit::Code(125) => ended.stderr.len() == 1 && said.starts_with("supervise: "),
            _ => false,
        };
        assert!(is_said, "{limit}: {ended:?}");
    }
    scene.nothing_is_left();
}

#[test]
fn that_there_is_no_proc_to_be_had_is_said() {
    if !geteuid().is_root() {
        return skip("only root can cover what is in /proc");
    }
    let scene = Scene::new();
    let probe = scene.for_everybody(&probe());
    // The kernel mounts no /proc for who sees only a part of one.
    let cover = "mount --bind /dev/null /proc/uptime && exec \"$@\"";
    let wrapper = [&["unshare", "--mount", "sh", "-c", cover, "-"], &NOBODY[..]].concat();
    let command = [probe.to_str().expect("ours"), "block", "TERM", "ready", "await", "TERM", "exit", "0"];
    for (wrapper, is_missing) in [(&wrapper[..], true), (&NOBODY[..], false)] {
        let words = [&["--format", "json", "--as", "pid1,child", "--ready", "log:ready", "--"], &command[..]].concat();
        let report = report_of(behind(&scene, wrapper, &words));
        for mode in ["pid1", "child"] {
            assert_eq!(
                missing(&report, mode).contains(&"proc".to_owned()),
                is_missing,
                "{mode}: {:#}",
                report.run(mode)
            );
            report.says(mode, &[("S01", "pass")]);
        }
    }
    scene.nothing_is_left();
}

#[test]
fn what_a_process_that_nobody_may_look_into_has_open_is_not_known() {
    let scene = Scene::new();
    // PR_SET_DUMPABLE is 4.
    let hides = "import ctypes, os, signal
ctypes.CDLL(None).prctl(4, 0)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.write(1, b'ready\\n')
while True: signal.pause()";
    let words =
        ["--format", "json", "--as", "child", "--grace", "300ms", "--ready", "log:^ready$", "--", python(), "-c"];
    let report = report_of(behind(&scene, &NOBODY, &[&words[..], &[hides]].concat()));
    report.says("child", &[("S01", "fail"), ("S11", "skip"), ("S16", "skip")]);
    assert!(report.run("child")["files"]["open_when_killed"].is_null());
    scene.nothing_is_left();
}

#[test]
fn sockets_of_another_network_are_not_known() {
    let scene = Scene::new();
    let serves = "import os, signal, socket
server = socket.socket()
server.listen()
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
os.write(1, b'ready\\n')
while True: signal.pause()";
    for (elsewhere, level) in [(&["unshare", "--net"][..], "skip"), (&[], "pass")] {
        let options = ["--as", "child", "--also", "none", "--ready", "log:^ready$"];
        let command = [elsewhere, &[python(), "-c", serves]].concat();
        let report = report(&scene, &options, &command);
        report.says("child", &[("S01", "pass"), ("S11", level)]);
        assert_eq!(said(&report, "child", "S11").contains("is in another network namespace"), level == "skip");
        report.exits(0);
    }
    scene.nothing_is_left();
}

#[test]
fn that_no_orphan_can_be_put_in_is_said() {
    let scene = Scene::new();
    let refuses = ["strace", "-f", "-q", "-o", "/dev/null", "-e", "trace=setns", "-e", "inject=setns:error=EPERM"];
    let words = ["--format", "json", "--as", "pid1", "--also", "none", "--grace", "300ms", "--", "sleep", "1000"];
    let report = report_of(behind(&scene, &refuses, &words));
    report.says("pid1", &[("S01", "fail"), ("S09", "skip")]);
    assert!(said(&report, "pid1", "S09").contains("no orphan can be put in"), "{}", report.whole);
    scene.nothing_is_left();
}

#[test]
fn under_an_init_that_waits_a_shell_leaves_nothing_and_the_inits_own_helper_is_no_part_of_it() {
    let scene = Scene::new();
    // The init explains a stop of more than 2.5 s, by a helper: the next process of its namespace (proc_loadavg(5)).
    let slow = "import os, signal, time
last = lambda: open('/proc/loadavg').read().split()[4]
def stop(*_):
    first = last()
    while last() == first: time.sleep(0.1)
    time.sleep(0.5)
    os._exit(0)
signal.signal(signal.SIGTERM, stop)
os.write(1, b'ready\\n')
while True: signal.pause()";
    let script = "\"$@\" & trap 'kill $!; exit 0' TERM; wait";
    let options = [&["--as", "init", "--also", "none", "--grace", "30s"], &READY[..]].concat();
    let report = report(&scene, &options, &["bash", "-c", script, "bash", python(), "-c", slow]);
    report.says("init", &[("S06", "pass"), ("S24", "info")]);
    let run = report.run("init");
    let processes = || run["processes"].as_array().expect("a list").iter();
    let init = processes().find(|process| process["inside"] == 1).expect("it is seen");
    let is_its = |process: &&serde_json::Value| process["parent"] == init["pid"] && process["comm"] == init["comm"];
    let helpers = processes().filter(is_its).count();
    assert!(helpers > 0, "the init has had none: {run:#}");
    let evidence = finding(&report, "init", "S06")["evidence"].to_string();
    assert!(evidence.contains("after it") && !evidence.contains("supervise"), "{evidence}");
    scene.nothing_is_left();
}

#[test]
fn an_older_kernel_that_does_not_tell_how_others_end_is_no_pass() {
    let scene = Scene::new();
    // PIDFD_GET_INFO is refused, and in a network namespace nobody else tells.
    let wrapper = [
        "unshare",
        "--user",
        "--map-root-user",
        "--net",
        "strace",
        "-o",
        "/dev/null",
        "-e",
        "inject=ioctl:error=ENOTTY",
    ];
    let script = "trap 'exit 0' TERM; sleep 1000 & echo ready; wait";
    let options = ["--format", "json", "--as", "pid1,child", "--also", "none", "--ready", "log:ready", "--"];
    let report = report_of(behind(&scene, &wrapper, &[&options[..], &["sh", "-c", script]].concat()));
    report.says(
        "pid1",
        &[("S01", "pass"), ("S06", "skip"), ("S07", "skip"), ("S08", "skip"), ("S16", "skip"), ("S24", "info")],
    );
    assert!(said(&report, "pid1", "S24").contains("that is not known"), "{:#}", report.whole);
    report.says("child", &[("S01", "pass"), ("S06", "fail"), ("S17", "fail"), ("S24", "warn")]);
    assert_eq!(report.run("child")["processes"][1]["ended"]["by"], "supervise");
    report.exits(1);
    scene.nothing_is_left();
}
