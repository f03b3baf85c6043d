//! `supervise check`: what its own look at a run leaves, and what could not be looked at.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use libc::{SIGCONT, SIGKILL, SIGSTOP};
use nix::unistd::geteuid;

use harness::checked::{alone_with_pid_files, behind, finding, report, report_of, start};
use harness::contained::NOBODY;
use harness::running::{refused, strace};
use harness::slow::python;
use harness::{Exit, Scene, proc, send, skip};

/// As long as what `--ready exec:` has started with this word lives.
fn lives(scene: &Scene, word: &str) -> bool {
    let has_it = |pid: &i32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == word.as_bytes());
    scene.marked().iter().any(has_it)
}

#[test]
fn what_a_probe_runs_ends_with_a_check_that_is_killed() {
    for script in ["sleep 1234; true", "setsid sleep 1234 & sleep 1000; true"] {
        // The one before the start never ends by itself, and the one of a run neither.
        for is_started in [false, true] {
            let scene = Scene::new();
            let marker = scene.folder().join("started");
            let marker = marker.to_str().expect("ours");
            let ready = if is_started {
                format!("exec:test -e {marker} || exit 1; {script}")
            } else {
                format!("exec:{script}")
            };
            let command = format!(": >{marker}; sleep 999");
            let mut check = start(&scene, &["--as", "child", "--ready", &ready, "--", "sh", "-c", &command]);
            scene.deadline.until("what the probe runs", || lives(&scene, "sleep\x001234\0").then_some(()));
            send(check.outer_pid(), SIGKILL, 1);
            check.wait();
            scene.deadline.until("the end of all that it started", || scene.marked().is_empty().then_some(()));
        }
    }
}

#[test]
fn what_a_probe_has_left_ends_with_it() {
    let scene = Scene::new();
    let file = scene.folder().join("left");
    let file = file.to_str().expect("ours");
    let wait = format!("while [ ! -e {file} ]; do sleep 0.01; done");
    let ready = format!("exec:setsid sh -c ': >{file}; exec sleep 1234' & {wait}");
    report(&scene, &["--as", "child", "--also", "none", "--ready", &ready], &["sleep", "999"]).exits(2);
    scene.nothing_is_left();
    // Of a signal it is said which.
    let options = ["--as", "child", "--ready-timeout", "2s", "--ready", "exec:kill -KILL $$"];
    let report = report(&scene, &options, &["sleep", "999"]);
    let why = report.run("child")["outcome"].to_string();
    assert!(why.contains("it died of SIGKILL"), "{why}");
    scene.nothing_is_left();
}

/// Ignores SIGTERM with a file half written, of which nobody but root may know.
const NOT_DUMPABLE: &str = "
import ctypes, os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
half = open(sys.argv[1], 'w')
if sys.argv[2] == 'closed': ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
os.write(1, b'ready\\n')
while True: signal.pause()
";

#[test]
fn a_killed_process_that_may_not_be_looked_into_is_no_pass() {
    if !geteuid().is_root() {
        return skip("only root can become somebody else");
    }
    let _alone = alone_with_pid_files();
    let scene = Scene::new();
    let file = std::env::temp_dir().join(format!("supervise-check-half-{}.db", std::process::id()));
    let file_text = file.to_str().expect("ours");
    for (how, level) in [("closed", "skip"), ("open", "warn")] {
        let options = ["--as", "child,pid1", "--also", "none", "--grace", "300ms", "--ready", "log:ready"];
        let command = [python(), "-c", NOT_DUMPABLE, file_text, how];
        let report =
            report_of(behind(&scene, &NOBODY, &[&["--format", "json"], &options[..], &["--"], &command].concat()));
        for mode in ["child", "pid1"] {
            report.says(mode, &[("S01", "fail"), ("S16", level)]);
        }
    }
    fs::remove_file(&file).expect("it was made");
    scene.nothing_is_left();
}

/// Its worker begins a file when it is told to stop, and is cut off in it by the end of process 1.
const CUT_OFF: &str = "
import os, signal, sys, time
told = os.pipe()
begun = os.pipe()
if os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.read(told[0], 1)
    half = open(sys.argv[1], 'w')
    os.write(begun[1], b'x')
    while True: signal.pause()
def stop(*_):
    os.write(told[1], b'x')
    os.read(begun[0], 1)
    os._exit(0)
signal.signal(signal.SIGTERM, stop)
os.write(1, b'ready\\n')
while True: signal.pause()
";

#[test]
fn what_the_kernel_has_cut_off_is_no_pass() {
    let scene = Scene::new();
    let file = scene.folder().join("half.db");
    let options = ["--as", "child,pid1", "--also", "none", "--ready", "log:ready"];
    let report = report(&scene, &options, &[python(), "-c", CUT_OFF, file.to_str().expect("ours")]);
    report.says("child", &[("S06", "fail"), ("S16", "warn")]);
    report.says("pid1", &[("S06", "fail"), ("S16", "skip")]);
    scene.nothing_is_left();
}

/// Writes no file but one, with its number in its namespace, and is not ready before another one is there.
const WAITS_FOR: &str = "
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
with open(sys.argv[1], 'w') as file: file.write(str(os.getpid()))
while not os.path.exists(sys.argv[1] + '.go'): time.sleep(0.01)
os.write(1, b'ready\\n')
while True: signal.pause()
";

#[test]
fn a_pid_file_that_somebody_else_writes_meanwhile_is_not_the_commands() {
    let _alone = alone_with_pid_files();
    let scene = Scene::new();
    let place = std::env::temp_dir();
    for (wrapper, level) in [(&[][..], "pass"), (&NOBODY[..], "info")] {
        if !geteuid().is_root() {
            skip("only root is told who writes, and can become somebody else");
            continue;
        }
        for mode in ["pid1", "child", "init"] {
            let id = std::process::id();
            let [began, go] = ["", ".go"].map(|end| place.join(format!("supervise-check-{mode}-{level}-{id}{end}")));
            let file = place.join(format!("foreign-{id}.pid"));
            let options = ["--format", "json", "--as", mode, "--also", "none", "--ready", "log:ready", "--"];
            let command = [python(), "-c", WAITS_FOR, began.to_str().expect("ours")];
            let check = behind(&scene, wrapper, &[&options[..], &command].concat());
            let written = || fs::read_to_string(&began).ok().filter(|number| !number.is_empty());
            let number = scene.deadline.until("the command", written);
            fs::write(&file, number).expect("/tmp is writable");
            fs::write(&go, "").expect("/tmp is writable");
            let report = report_of(check);
            for path in [began, go, file] {
                let _ = fs::remove_file(path);
            }
            report.says(mode, &[("S01", "pass"), ("S16", level)]);
            assert_eq!(report.run(mode)["files"]["left"].as_array().map(Vec::len), Some(0), "{:#}", report.run(mode));
        }
    }
    scene.nothing_is_left();
}

/// Says in one file that it is told, and in another one that it ends, which it does when a third one is there. Before it end
/// its children, of which there are more than a check looks at in one turn.
const IN_TIME: &str = "
import os, signal, sys, time
def child():
    while True: signal.pause()
children = [os.fork() or child() for _ in range(100)]
def stop(*_):
    open(sys.argv[2], 'w')
    while not os.path.exists(sys.argv[1] + '.go'): time.sleep(0.01)
    os.write(1, b'going\\n')
    time.sleep(0.3)
    for child in children: os.kill(child, signal.SIGKILL)
    for child in children: os.wait()
    open(sys.argv[1], 'w')
    os._exit(0)
signal.signal(signal.SIGTERM, stop)
os.write(1, b'ready\\n')
while True: signal.pause()
";

/// What keeps the check from running when its command ends, and until the grace time is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Hold {
    /// SIGSTOP.
    Stopped,
    /// It gets no processor after the first thing that it is told of.
    Late,
}

#[test]
fn a_check_that_is_suspended_does_not_blame_the_command() {
    // In a network namespace the kernel tells of no processes.
    let silent = ["unshare", "--user", "--map-root-user", "--net"];
    for (wrapper, level) in [(&[][..], "pass"), (&silent[..], "inconclusive")] {
        for hold in [Hold::Stopped, Hold::Late] {
            suspended(wrapper, level, hold);
        }
    }
}

fn suspended(wrapper: &[&str], level: &str, hold: Hold) {
    let scene = Scene::new();
    let (file, told) = (scene.folder().join("ends"), scene.folder().join("told"));
    let options =
        ["--format", "json", "--as", "child", "--also", "none", "--grace", "8s", "--ready", "log:ready", "--"];
    let paths = [&file, &told].map(|path| path.to_str().expect("ours"));
    let check = behind(&scene, wrapper, &[&options[..], &[python(), "-c", IN_TIME, paths[0], paths[1]]].concat());
    scene.deadline.until("the signal", || told.exists().then_some(()));
    let pid = check.outer_pid();
    let tracer = match hold {
        Hold::Stopped => {
            send(pid, SIGSTOP, 1);
            scene.deadline.until("the stop of the check", || (proc::state(pid) == Some('T')).then_some(()));
            None
        }
        Hold::Late => Some(strace(&scene, &["-e", "inject=epoll_pwait:delay_exit=10000000:when=1"], pid)),
    };
    fs::write(file.with_extension("go"), "").expect("the folder is ours");
    scene.deadline.until("the end", || file.exists().then_some(()));
    if hold == Hold::Stopped {
        // The file was made when the signal came: 8 s later the grace time is over, and a bit more is not late yet.
        let age = || fs::metadata(&told).and_then(|file| file.modified()).ok()?.elapsed().ok();
        scene.deadline.until("the end of the grace time", || age().filter(|age| age.as_millis() > 8500));
        send(pid, SIGCONT, 1);
    }
    let report = report_of(check);
    drop(tracer);
    if wrapper.is_empty() && report.run("child")["missing"].to_string().contains("process-events") {
        return skip("the kernel tells of no processes here");
    }
    let output = if level == "pass" { "pass" } else { "skip" };
    report.says("child", &[("S01", level), ("S17", output)]);
    let (code, why) = if wrapper.is_empty() { (0, "it took") } else { (2, "this check itself did not run for") };
    assert!(finding(&report, "child", "S01").to_string().contains(why), "{hold:?}: {:#}", report.whole);
    report.exits(code);
    scene.nothing_is_left();
}

/// Ends when it is told, and leaves a child that does not.
const LEAVES: &str = "
import os, signal
if os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.write(1, b'ready\\n')
    while True: signal.pause()
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
while True: signal.pause()
";

#[test]
fn a_start_behind_one_that_left_something_shows_nothing() {
    let scene = Scene::new();
    let options = ["--as", "child", "--also", "none", "--repeat", "2", "--ready", "log:ready"];
    let left = report(&scene, &options, &[python(), "-c", LEAVES]);
    left.says("child", &[("S06", "fail"), ("S15", "skip")]);
    assert!(finding(&left, "child", "S15")["cause"].to_string().contains("was killed before the next one"));
    left.exits(1);
    scene.nothing_is_left();
}

#[test]
fn a_directory_of_the_run_before_does_not_make_the_next_one_ready() {
    let scene = Scene::new();
    let place = scene.folder().join("ready");
    let place = place.to_str().expect("ours");
    let (ready, options) = (format!("file:{place}"), ["--as", "child", "--also", "none", "--repeat", "2", "--ready"]);
    let options = [&options[..], &[&ready]].concat();
    // An empty one is removed, as a file is.
    // Its time is counted from when it was seen to be executed.
    let script = format!("sleep 1.5; mkdir -p {place}; exec sleep 100");
    let made = report(&scene, &options, &["sh", "-c", &script]);
    for run in made.group("child")["runs"].as_array().expect("a list") {
        assert!(run["ready_ms"].as_f64().is_some_and(|time| time >= 700.0), "{run:#}");
    }
    fs::remove_dir(place).expect("it was made");
    let script = format!("mkdir {place}; : >{place}/x; exec sleep 100");
    let made = report(&scene, &options, &["sh", "-c", &script]);
    assert_eq!(made.group("child")["runs"][1]["outcome"]["kind"], "answers-already");
    made.says("child", &[("S01", "inconclusive")]);
    made.exits(2);
    scene.nothing_is_left();
}

#[test]
fn a_directory_of_state_that_cannot_be_read_is_no_pass() {
    if !geteuid().is_root() {
        return skip("only root can become somebody else");
    }
    let scene = Scene::new();
    let place = std::env::temp_dir().join(format!("supervise-check-state-{}", std::process::id()));
    fs::create_dir(&place).expect("it is new");
    fs::set_permissions(&place, fs::Permissions::from_mode(0o700)).expect("it is ours");
    let place_text = place.to_str().expect("ours");
    let options = ["--format", "json", "--as", "child", "--also", "none", "--state-dir", place_text, "--"];
    let report = report_of(behind(&scene, &NOBODY, &[&options[..], &["sleep", "1000"]].concat()));
    fs::remove_dir(&place).expect("it is ours");
    report.says("child", &[("S16", "skip")]);
    let missing = report.run("child")["missing"].to_string();
    assert!(missing.contains("cannot read") && missing.contains(place_text), "{missing}");
    scene.nothing_is_left();
}

/// Binds to a relative path in one directory, and is in another one then.
const RELATIVE: &str = "
import os, signal, socket, sys, time
def stop(*_):
    time.sleep(0.5)
    os._exit(0)
signal.signal(signal.SIGTERM, stop)
os.chdir(sys.argv[1])
server = socket.socket(socket.AF_UNIX)
if os.path.exists('rel.sock'): os.unlink('rel.sock')
server.bind('rel.sock')
server.listen()
os.chdir(sys.argv[2])
os.write(1, b'ready\\n')
while True: signal.pause()
";

#[test]
fn a_socket_with_a_relative_path_is_found_or_not_told_of() {
    let scene = Scene::new();
    let folder = scene.folder().canonicalize().expect("it was made");
    let place = folder.to_str().expect("ours");
    for (then, level) in [(place, "warn"), ("/", "skip")] {
        let options = ["--as", "child", "--also", "connections", "--ready", "log:ready"];
        let report = report(&scene, &options, &[python(), "-c", RELATIVE, place, then]);
        report.says("child", &[("S01", "pass"), ("S16", level)]);
        let runs = report.group("child")["runs"].as_array().expect("a list");
        let visits = runs[1]["connections"].as_array().expect("a list");
        assert!(visits.iter().all(|visit| visit["outcome"] != "refused"), "{visits:?}");
        assert_eq!(visits.is_empty(), then == "/", "{visits:?}");
        fs::remove_file(folder.join("rel.sock")).expect("it is left");
    }
    scene.nothing_is_left();
}

#[test]
fn each_report_says_what_is_missing_and_the_log_what_is_done() {
    let scene = Scene::new();
    // In a network namespace the kernel tells of no processes.
    let wrapper = ["unshare", "--user", "--map-root-user", "--net"];
    for (format, wanted) in
        [("text", "  missing: the kernel does not tell"), ("junit", "<system-out>missing: "), ("tap", "# missing: ")]
    {
        let words = ["-v", "--as", "child", "--also", "none", "--format", format, "--", "sleep", "1000"];
        let ended = behind(&scene, &wrapper, &words).end();
        assert!(ended.stdout.iter().any(|line| line.contains(wanted)), "{format}: {ended:?}");
        for event in ["executed", "ready: ", "-> SIGTERM to main", "SIGTERM"] {
            assert!(ended.stderr.iter().any(|line| line.contains(event)), "{event}: {ended:?}");
        }
    }
    scene.nothing_is_left();
}

#[test]
fn that_we_cannot_be_executed_is_our_own_failure() {
    let scene = Scene::new();
    let ours = scene.for_everybody(Path::new(env!("CARGO_BIN_EXE_supervise")));
    let script = format!("rm -f {}; exec sleep 1000", ours.display());
    // What `behind` starts is that copy.
    let words = ["--as", "init", "--also", "none", "--repeat", "2", "--", "sh", "-c", &script];
    refused(&behind(&scene, &["env"], &words).end(), &["cannot run", "as the command's init", "no such file"]);
    scene.nothing_is_left();
}

#[test]
fn a_report_that_nobody_takes_is_told_in_our_words_and_one_cut_short_is_a_verdict() {
    let scene = Scene::new();
    let words = ["--as", "child", "--also", "none", "--ok-exit", "TERM", "--", "sleep", "1000"];
    let full = behind(&scene, &["sh", "-c", "exec \"$@\" >/dev/full", "-"], &words).end();
    refused(&full, &["cannot write to stdout: no space left on device"]);
    let cut = behind(&scene, &["bash", "-c", "\"$@\" | true; exit ${PIPESTATUS[0]}", "-"], &words).end();
    assert!(cut.exit == Exit::Code(0) && cut.stderr.is_empty(), "{cut:?}");
    scene.nothing_is_left();
}

#[test]
fn who_catches_every_signal_has_time_for_its_own_handlers_behind_its_first_answer() {
    let scene = Scene::new();
    // As a server in Go: its runtime catches all, it listens, and then only it says what SIGTERM is to do.
    let program = "
import os, signal, socket, sys, time
def die(number, _):
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
for number in set(range(1, 32)) - {signal.SIGKILL, signal.SIGSTOP}: signal.signal(number, die)
server = socket.create_server(sys.argv[1], family=socket.AF_UNIX)
time.sleep(1)
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
while True: signal.pause()
";
    let place = scene.folder().join("socket").display().to_string();
    let ready = format!("unix:{place}");
    let options = ["--as", "child", "--also", "none", "--ready", &ready];
    let report = report(&scene, &options, &[python(), "-c", program, &place]);
    report.says("child", &[("S01", "pass"), ("S02", "pass")]);
    assert_eq!(report.run("child")["processes"][0]["ended"]["status"]["code"], 0);
    scene.nothing_is_left();
}
