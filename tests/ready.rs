//! Whether the command is ready and alive: by what it says, by what answers, by its time; and what comes of it.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::fs;
use std::path::Path;

use harness::contained;
use harness::launch::{EVERYWHERE, Launch, Place, WAYS};
use harness::running::{Running, refused};
use harness::{Exit, Scene, free_port, proc, skip};
use libc::{SIGABRT, SIGTERM, SIGUSR1};

const READY: &str = "the command is ready";

/// A shell's script as the command.
fn shell<'s>(scene: &'s Scene, place: Place, options: &[&str], script: &str) -> Launch<'s> {
    scene.supervise().place(place).options(options).argv(&["sh", "-c", script])
}

/// How it ends there where the command dies of SIGTERM.
fn terminated(place: Place) -> Exit {
    if place == Place::Child { Exit::Signal(SIGTERM) } else { Exit::Code(128 + SIGTERM) }
}

/// Whether the program is there; said aloud if it is not.
fn is_installed(program: &str) -> bool {
    let is_there = ["/usr/bin", "/usr/sbin"].iter().any(|folder| Path::new(folder).join(program).exists());
    if !is_there {
        skip(&format!("{program} is not there; tests/setup installs it"));
    }
    is_there
}

/// Waits for these words, tells it to stop, and requires that end.
#[track_caller]
fn says_and_stops(mut init: Running<'_>, words: &str, exit: Exit) -> Vec<String> {
    init.wait_until_said(&[words]);
    init.signal(SIGTERM);
    let ended = init.end();
    assert_eq!(ended.exit, exit, "{ended:?}");
    ended.stderr
}

#[test]
fn who_says_it_by_sd_notify_is_ready() {
    if !is_installed("systemd-notify") {
        return;
    }
    for place in EVERYWHERE {
        let scene = Scene::new();
        // It comes back when what it has said was heard.
        let script = "systemd-notify --ready --status='all is well' && echo heard; trap 'exit 7' TERM; read line";
        let mut init = shell(&scene, place, &["-v", "--ready", "sd_notify"], script).spawn();
        init.wait_until_said(&["the command says: all is well"]);
        init.wait_until_said(&[READY]);
        init.expect("heard");
        init.go();
        assert_eq!(init.wait(), Exit::Code(0), "{place:?}");
    }
    for (place, by) in WAYS {
        let scene = Scene::new();
        let launch =
            shell(&scene, place, &[], "systemd-notify --ready; exec sleep 1000").given(by, "ready", "sd_notify");
        says_and_stops(launch.spawn(), READY, terminated(place));
    }
}

#[test]
fn who_writes_a_newline_to_its_descriptor_is_ready() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let script = "printf not-yet >&7; echo said; read line; echo >&7; exec 7>&-; read line; exit 3";
        let mut init = shell(&scene, place, &["--ready", "fd:7"], script).spawn();
        init.expect("said");
        // So far it has said something else.
        init.go();
        init.wait_until_said(&[READY]);
        init.go();
        let ended = init.end();
        assert_eq!((ended.exit, ended.stderr.len()), (Exit::Code(3), 0), "{place:?} {ended:?}");
    }
}

#[test]
fn what_the_kernel_tells_us_of_the_pipe_is_no_signal_for_the_command() {
    for _ in 0..40 {
        let scene = Scene::new();
        // SIGIO of the end of file may come when the pipe is dealt with.
        let script = "echo >&7; exec 7>&-; read line; exit 3";
        let mut init = shell(&scene, Place::Child, &["--ready", "fd:7"], script).spawn();
        init.wait_until_said(&[READY]);
        init.go();
        assert_eq!(init.end().exit, Exit::Code(3));
    }
}

#[test]
fn every_descriptor_can_be_the_one_and_nothing_else_is_given() {
    for number in (3..14).chain([100, 1000]) {
        let scene = Scene::new();
        let script = format!("echo >/dev/fd/{number}; ls /proc/$$/fd");
        let launch = shell(&scene, Place::Child, &["--ready", &format!("fd:{number}")], &script);
        let ended = launch.end();
        assert_eq!(ended.exit, Exit::Code(0), "{number} {ended:?}");
        assert!(ended.stderr.iter().any(|line| line.ends_with(READY)), "{number} {ended:?}");
        let bare = scene.bare().argv(&["sh", "-c", "ls /proc/$$/fd"]).end();
        let mut expected: Vec<String> = bare.stdout;
        let number = number.to_string();
        if !expected.contains(&number) {
            expected.push(number);
        }
        expected.sort();
        let mut given = ended.stdout;
        given.sort();
        assert_eq!(given, expected);
    }
}

#[test]
fn a_service_for_s6_is_ready_as_s6_would_know() {
    if !is_installed("s6-log") {
        return;
    }
    let scene = Scene::new();
    let folder = scene.folder().join("log");
    let folder = folder.to_str().expect("UTF-8");
    let mut init = scene.supervise().options(&["--ready", "fd:5"]).argv(&["s6-log", "-d", "5", "t", folder]).spawn();
    init.wait_until_said(&[READY]);
    init.close_stdin();
    assert_eq!(init.wait(), Exit::Code(0));
}

/// Listens when it is told to.
const SERVER: &str = "
import socket, sys, os
server = socket.socket(socket.AF_UNIX) if len(sys.argv) > 2 else socket.socket()
server.bind(sys.argv[2] if len(sys.argv) > 2 else ('127.0.0.1', int(sys.argv[1])))
print('ready', flush=True)
sys.stdin.readline()
server.listen()
while True:
    connection, _ = server.accept()
    try:
        connection.recv(1000)
        connection.send(b'HTTP/1.1 204 No Content\\r\\nConnection: close\\r\\n\\r\\n')
        connection.close()
    except OSError:
        pass # Who asked has given up.
";

#[test]
fn what_answers_is_ready() {
    let scene = Scene::new();
    let socket = scene.folder().join("socket");
    let socket = socket.to_str().expect("UTF-8");
    let port = free_port().to_string();
    let other = free_port().to_string();
    let cases = [
        (format!("tcp:127.0.0.1:{port}"), vec![port.as_str()]),
        (format!("http://127.0.0.1:{other}/health"), vec![other.as_str()]),
        (format!("unix:{socket}"), vec!["0", socket]),
    ];
    for (target, words) in cases {
        let argv = [&["python3", "-c", SERVER], &words[..]].concat();
        let mut init = scene.supervise().options(&["-v", "--ready", &target]).argv(&argv).spawn();
        init.expect("ready");
        init.wait_until_said(&[&format!("{target} is not ready: ")]);
        init.go();
        says_and_stops(init, READY, Exit::Signal(SIGTERM));
        scene.nothing_is_left();
    }
}

#[test]
fn what_is_there_is_ready_and_what_a_command_says_is() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let folder = scene.folder();
        fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("it is ours");
        for (target, name) in [(format!("file:{}/one", folder.display()), "one"), ("exec:test -e two".into(), "two")] {
            let folder = folder.to_str().expect("UTF-8");
            let script = format!("read line; >{folder}/{name}; exec sleep 1000");
            // A command is tried where we were started, with the variables of the command.
            let launch = shell(&scene, place, &["-v", "--ready", &target], &script);
            let mut init = launch.behind(&["sh", "-c", &format!("cd {folder} && exec \"$@\""), "sh"]).spawn();
            init.wait_until_said(&[&format!("{target} is not ready: ")]);
            init.go();
            says_and_stops(init, READY, terminated(place));
        }
    }
}

#[test]
fn who_is_not_ready_in_time_is_stopped_and_that_is_a_failure() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let options = ["--ready", "sd_notify", "--ready-timeout", "50ms"];
        // The time may be over before the payload has blocked anything.
        let launch = scene.supervise().place(place).entered_with("block TERM").options(&options);
        let ended = launch.probe("block TERM, await TERM, exit 0").end();
        assert_eq!(ended.exit, Exit::Code(1), "{place:?} {ended:?}");
        assert!(
            ended.stderr[0]
                .ends_with("not ready in time; stopping it: it has not said READY=1 (sd_notify) within 50 ms"),
            "{ended:?}"
        );
    }
    // What is tried says why.
    let scene = Scene::new();
    let options = ["--ready", "file:/nowhere", "--ready-timeout", "1s"];
    let ended = shell(&scene, Place::Child, &options, "exec sleep 1000").end();
    assert!(ended.stderr[0].ends_with("file:/nowhere is not ready: no such file or directory"), "{ended:?}");
    let said = "the command is not ready in time; stopping it: no try has succeeded within 1000 ms";
    assert!(ended.stderr[1].ends_with(said), "{ended:?}");
    // One that hangs too.
    let options = ["--ready", "exec:sleep 1000", "--ready-timeout", "2s"];
    let ended = shell(&scene, Place::Child, &options, "exec sleep 1000").end();
    assert!(ended.stderr[0].contains("warning: exec:sleep 1000 is not ready: "), "{ended:?}");
    assert!(ended.stderr[1].ends_with("no try has succeeded within 2000 ms"), "{ended:?}");
}

#[test]
fn who_is_not_ready_in_time_is_started_again() {
    let scene = Scene::new();
    let options = ["--ready", "fd:3", "--ready-timeout", "2s", "--restart", "on-failure", "--restart-delay", "0"];
    // The first two are not; each has a pipe of its own.
    let folder = scene.folder().display();
    let script = format!(
        "cd {folder}; echo x >>runs; run=$(wc -l <runs); echo run $run; [ $run -ge 3 ] && echo >&3; exec sleep 1000"
    );
    let mut init = shell(&scene, Place::Child, &options, &script).spawn();
    for run in 1..=3 {
        init.expect(&format!("run {run}"));
    }
    let said = says_and_stops(init, READY, Exit::Signal(SIGTERM));
    assert!(said.is_empty(), "{said:?}");
}

#[test]
fn who_asks_for_more_time_to_become_ready_has_it() {
    if !is_installed("systemd-notify") {
        return;
    }
    let scene = Scene::new();
    let options = ["-v", "--ready", "sd_notify", "--ready-timeout", "5s"];
    // Nothing but the extension keeps it from being stopped before it is told to go on, however slow the machine.
    let script =
        "systemd-notify EXTEND_TIMEOUT_USEC=100000000; echo asked; read line; systemd-notify --ready; exec sleep 1000";
    let mut init = shell(&scene, Place::Child, &options, script).spawn();
    init.wait_until_said(&["the command asks for 100.000 s from now on"]);
    init.expect("asked");
    // Longer than it had.
    let mut other = scene.supervise().options(&["--max-time", "6s"]).argv(&["sleep", "1000"]).spawn();
    other.wait();
    init.go();
    says_and_stops(init, READY, Exit::Signal(SIGTERM));
}

#[test]
fn who_is_fed_lives_and_who_is_not_is_aborted_and_started_again() {
    if !is_installed("systemd-notify") {
        return;
    }
    let scene = Scene::new();
    let options = ["--ready", "sd_notify", "--watchdog", "3s", "--restart", "on-failure", "--restart-delay", "0"];
    // Twelve seconds are four times as long as it may be silent. No line of a shell is needed to feed it late.
    let python = "
import os, socket, sys, time
def say(text):
    there = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    there.sendto(text, os.environ['NOTIFY_SOCKET'].replace('@', '\\0', 1))
assert os.environ['WATCHDOG_PID'] == str(os.getpid())
assert os.environ['WATCHDOG_USEC'] == '3000000'
say(b'READY=1')
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    say(b'WATCHDOG=1')
    time.sleep(0.1)
print('silent', flush=True)
time.sleep(1000)
";
    let mut init = scene.supervise().options(&options).argv(&["python3", "-c", python, "12"]).spawn();
    init.expect("silent");
    assert!(!init.said().contains("alive"), "it was fed");
    init.wait_until_said(&["the command does not say in time that it is alive; stopping it"]);
    init.wait_until_said(&["had not said in time that it is alive; starting it again in 0 ms (restart 1)"]);
    says_and_stops(init, READY, Exit::Signal(SIGTERM));
}

#[test]
fn who_is_not_fed_dies_of_sigabrt_and_we_as_it_did() {
    if !is_installed("systemd-notify") {
        return;
    }
    for place in [Place::Child, Place::Pid1] {
        let scene = Scene::new();
        let options = ["--ready", "sd_notify", "--watchdog", "100ms"];
        let ended = shell(&scene, place, &options, "systemd-notify --ready; ulimit -c 0; exec sleep 1000").end();
        let expected = if place == Place::Child { Exit::Signal(SIGABRT) } else { Exit::Code(128 + SIGABRT) };
        assert_eq!(ended.exit, expected, "{ended:?}");
    }
    // One that asks for it, and one that takes its watchdog off.
    let scene = Scene::new();
    let script = "ulimit -c 0; systemd-notify WATCHDOG=trigger; exec sleep 1000";
    let ended = shell(&scene, Place::Child, &["--ready", "sd_notify"], script).end();
    assert_eq!(ended.exit, Exit::Signal(SIGABRT), "{ended:?}");
    let scene = Scene::new();
    let script = "systemd-notify WATCHDOG_USEC=0; systemd-notify --ready; sleep 1; echo lives; exec sleep 1000";
    let mut init = shell(&scene, Place::Child, &["--ready", "sd_notify", "--watchdog", "300ms"], script).spawn();
    init.expect("lives");
    says_and_stops(init, READY, Exit::Signal(SIGTERM));
}

#[test]
fn a_stop_before_it_is_ready_is_a_stop() {
    for place in EVERYWHERE {
        for what in ["sd_notify", "fd:9", "file:/nowhere", "exec:sleep 1000"] {
            let scene = Scene::new();
            let options = ["--ready", what, "--ready-timeout", "1h", "--restart", "always"];
            let launch = scene.supervise().place(place).options(&options);
            let mut init = launch.probe("block TERM, ready, await TERM, exit 7").spawn();
            init.expect("ready");
            init.signal(SIGTERM);
            let ended = init.end();
            assert_eq!((ended.exit, &ended.stderr), (Exit::Code(7), &vec![]), "{place:?} {what} {ended:?}");
            scene.nothing_is_left();
        }
    }
}

#[test]
fn poweroff_and_reboot_before_it_is_ready_do_what_they_say() {
    if contained::root(contained::BUSYBOX).is_none() {
        return;
    }
    let scene = Scene::new();
    let bind = format!("{}:/srv", scene.folder().display());
    let options = ["--ready", "sd_notify", "--ready-timeout", "1h", "--restart", "always", "--bind", &bind];
    let begin = |script: &str| contained::start(&scene, &options, Path::new("/"), &["sh", "-c", script]);
    let ended = begin("poweroff; exec sleep 1000").end();
    assert_eq!(ended.exit, Exit::Code(0), "{ended:?}");
    let again = "echo life; [ -e /srv/again ] && exec poweroff; >/srv/again; reboot; exec sleep 1000";
    let ended = begin(again).end();
    assert_eq!(
        (ended.exit, &ended.stdout[..]),
        (Exit::Code(0), &["life".to_owned(), "life".to_owned()][..]),
        "{ended:?}"
    );
    scene.nothing_is_left();
}

#[test]
fn a_probe_that_hangs_holds_up_nothing_and_is_gone_with_the_stop() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let options = ["-v", "--ready", "exec:trap '' TERM; sleep 1000 & sleep 1000"];
        let mut init =
            shell(&scene, place, &options, "trap 'exit 7' TERM; echo started; while :; do sleep 0.05; done").spawn();
        init.expect("started");
        let pid = init.pid();
        let sleeps = |root: i32| {
            let below = |pid: &i32| proc::children(*pid);
            let all: Vec<i32> =
                proc::children(root).iter().flat_map(below).flat_map(|pid| [vec![pid], below(&pid)].concat()).collect();
            all.iter().filter(|pid| proc::name(**pid).as_deref() == Some("sleep")).count() >= 2
        };
        scene.deadline.until("the probe", || sleeps(pid).then_some(()));
        init.signal(SIGTERM);
        let ended = init.end();
        assert_eq!(ended.exit, Exit::Code(7), "{place:?} {ended:?}");
        scene.nothing_is_left();
    }
}

#[test]
fn hundreds_of_lives_leave_no_descriptor() {
    let scene = Scene::new();
    let options = ["--ready", "fd:3", "--restart", "always", "--restart-delay", "0"];
    let folder = scene.folder().display();
    let script = format!(
        "cd {folder}; echo >&3; echo x >>runs; run=$(wc -l <runs); echo run $run; [ $run -lt 300 ] && exit 1; read line"
    );
    let mut init = shell(&scene, Place::Child, &options, &script).spawn();
    let mut few = 0;
    for run in 1..=300 {
        init.expect(&format!("run {run}"));
        if run == 5 {
            // In the middle of a life it has one end of a pipe, or none.
            few = proc::descriptors(init.pid()).len();
        }
    }
    // The last life may have got this far before supervise has closed what its start needed.
    let open = || proc::descriptors(init.pid()).len();
    scene.deadline.until("few descriptors", || (open() <= few + 1).then_some(()));
    init.signal(SIGTERM);
    init.wait();
}

#[test]
fn hooks_run_before_and_are_not_taken_for_the_command() {
    if !is_installed("systemd-notify") {
        return;
    }
    let scene = Scene::new();
    // It has no socket of ours, and would not be heard by it.
    let hook = "echo hook ${NOTIFY_SOCKET-none}";
    let options = ["--ready", "sd_notify", "--pre-start", hook];
    let script = "trap '' USR1; echo main; read line; systemd-notify --ready; exec sleep 1000";
    let mut init = shell(&scene, Place::Child, &options, script).env("NOTIFY_SOCKET", "@nobody").spawn();
    init.expect("hook none");
    init.expect("main");
    init.signal(SIGUSR1);
    assert!(!init.said().contains(READY));
    init.go();
    says_and_stops(init, READY, Exit::Signal(SIGTERM));
}

#[test]
fn what_is_wrong_with_the_words_is_said() {
    let cases: [(&[&str], &[&str]); 9] = [
        (&["--ready", "yes"], &["--ready yes", "sd_notify, fd:NUMBER, tcp:HOST:PORT"]),
        (&["--ready", "fd:2"], &["--ready fd:2", "from 3 to 1000"]),
        (&["--ready", "fd:x"], &["fd:x", "from 3 to 1000"]),
        (&["--ready", "tcp:host"], &["--ready tcp:host", "port"]),
        (&["--ready-timeout", "3s"], &["--ready-timeout is about readiness", "--ready sd_notify"]),
        (&["--watchdog", "3s"], &["--watchdog is about readiness", "--ready sd_notify"]),
        (&["--ready", "fd:3", "--watchdog", "3s"], &["for a command that speaks sd_notify"]),
        (&["--ready", "sd_notify", "--watchdog", "0"], &["--watchdog 0", "some time"]),
        (&["--ready", "sd_notify", "--ready-timeout", "soon"], &["soon", "10s"]),
    ];
    for (options, words) in cases {
        let scene = Scene::new();
        refused(&scene.supervise().options(options).argv(&["true"]).end(), words);
    }
}
