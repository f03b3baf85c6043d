//! `supervise wait-for`: real servers that are there, come later, or never do; names and name servers; signals; and that
//! nothing is left.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};

use libc::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};

use harness::launch::Init;
use harness::running::{Ended, Running};
use harness::slow::python;
use harness::{Exit, Scene, proc, skip};
use nix::unistd::geteuid;

/// Starts a command with pipes. `forks` as in the harness: how many processes stand above supervise.
fn start<'s>(scene: &'s Scene, mut command: Command, forks: usize, program: &Path) -> Running<'s> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Running::start(scene, command, forks, program)
}

/// `supervise wait-for` with these words.
fn wait_for<'s>(scene: &'s Scene, words: &[&str]) -> Running<'s> {
    behind(scene, &[], 0, words)
}

/// The same behind a command that becomes its operand, after so many forks.
fn behind<'s>(scene: &'s Scene, wrapper: &[&str], forks: usize, words: &[&str]) -> Running<'s> {
    let path = Init::Supervise.path().expect("cargo built it");
    let mut all: Vec<&OsStr> = wrapper.iter().map(OsStr::new).collect();
    all.push(path.as_os_str());
    all.push(OsStr::new("wait-for"));
    all.extend(words.iter().map(OsStr::new));
    let mut command = scene.command(all[0]);
    command.args(&all[1..]);
    start(scene, command, forks, &path)
}

/// As PID 1, as root or in a user namespace of our own.
fn pid_1<'s>(scene: &'s Scene, words: &[&str]) -> Running<'s> {
    let mut wrapper = vec!["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
    if !geteuid().is_root() {
        wrapper.extend(["--user", "--map-root-user"]);
    }
    behind(scene, &wrapper, 1, words)
}

/// Requires that it was ready, without a word.
#[track_caller]
fn is_ready(ended: &Ended) {
    assert_eq!((ended.exit, ended.stdout.len(), ended.stderr.len()), (Exit::Code(0), 0, 0), "{ended:?}");
}

/// Requires that the time was over, and one line with these words.
#[track_caller]
fn timed_out(ended: &Ended, words: &[&str]) {
    one_line(ended, 124, words);
}

#[track_caller]
fn one_line(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.exit, Exit::Code(code), "{ended:?}");
    assert_eq!((ended.stdout.len(), ended.stderr.len()), (0, 1), "{ended:?}");
    let line = &ended.stderr[0];
    assert!(line.starts_with("supervise: "), "{line}");
    for word in words {
        assert!(line.contains(word), "nothing of {word:?} in {line:?}");
    }
}

/// Waits until nothing is left. What was killed need not be gone yet.
#[track_caller]
fn all_is_killed(scene: &Scene) {
    scene.deadline.until("the end of what was killed", || scene.marked().is_empty().then_some(()));
}

/// A python program, which says a line when it is ready.
fn server<'s>(scene: &'s Scene, program: &str, words: &[&str]) -> Running<'s> {
    let mut command = scene.command(python());
    command.args(["-c", program]).args(words);
    start(scene, command, 0, Path::new(python()))
}

/// Says its port, which refuses connections until it reads a line.
const LATE: &str = "
import socket, sys
family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
server = socket.socket(family)
server.bind((sys.argv[1], 0))
print(server.getsockname()[1], flush=True)
sys.stdin.readline()
server.listen()
print('listens', flush=True)
sys.stdin.read()
";

/// Says its port, and gives one answer after the other, the last one for ever: `close` closes the connection at once,
/// `silence` holds it without a word. Says what it was asked.
const ANSWERS: &str = r"
import socket, sys
server = socket.socket()
server.bind(('127.0.0.1', 0))
server.listen()
print(server.getsockname()[1], flush=True)
answers, held = sys.argv[1:], []
while True:
    answer = answers.pop(0) if len(answers) > 1 else answers[0]
    connection, _ = server.accept()
    if answer == 'close':
        connection.close()
        continue
    request = b''
    while b'\r\n\r\n' not in request:
        request += connection.recv(4096)
    print(request.decode().replace('\r\n', '|'), flush=True)
    held.append(connection)
    if answer != 'silence':
        connection.sendall(answer.encode().decode('unicode_escape').encode())
        held.pop().close()
";

/// A test sees a try fail before it does what makes the next one succeed; so it has all the time it needs.
const PATIENT: [&str; 5] = ["-v", "--timeout", "0", "--interval", "20ms"];

#[track_caller]
fn waits_for_a_port(address: &str, target: impl Fn(&str) -> String) {
    let scene = Scene::new();
    let mut late = server(&scene, LATE, &[address]);
    let target = target(&late.line());
    let mut waiting = wait_for(&scene, &[&PATIENT[..], &[&target]].concat());
    let said = waiting.wait_until_said(&["is not ready"]);
    assert!(said.contains(&format!("{target} is not ready: ")) && said.contains("connection refused"), "{said}");
    late.go();
    late.expect("listens");
    let ended = waiting.end();
    assert_eq!(ended.exit, Exit::Code(0), "{ended:?}");
    assert_eq!(ended.stderr.last(), Some(&format!("supervise: {target} is ready")));
    is_ready(&wait_for(&scene, &[&target]).end());
}

#[test]
fn a_port_is_waited_for_until_it_listens() {
    waits_for_a_port("127.0.0.1", |port| format!("tcp:127.0.0.1:{port}"));
    waits_for_a_port("127.0.0.1", |port| format!("tcp://127.0.0.1:{port}"));
}

#[test]
fn all_addresses_of_a_name_are_tried() {
    // It has ::1 as well on most machines, where nobody listens.
    waits_for_a_port("127.0.0.1", |port| format!("tcp:localhost:{port}"));
}

#[test]
fn ipv6_is_waited_for() {
    if !Path::new("/proc/net/if_inet6").exists() || fs::read_to_string("/proc/net/if_inet6").is_ok_and(|t| t.is_empty())
    {
        return skip("there is no IPv6 here");
    }
    waits_for_a_port("::1", |port| format!("tcp:[::1]:{port}"));
}

#[test]
fn a_refused_port_is_named_with_its_reason_when_the_time_is_over() {
    let scene = Scene::new();
    let mut late = server(&scene, LATE, &["127.0.0.1"]);
    let target = format!("tcp:127.0.0.1:{}", late.line());
    // Far more time than a try needs that is refused at once.
    let ended = wait_for(&scene, &["--timeout=10s", &target]).end();
    timed_out(&ended, &[&format!("{target} is not ready after 10s: "), "connection refused"]);
    // The options may come behind as well.
    let ended = wait_for(&scene, &["file:/", &target, "--interval", "1h", "--timeout", "10ms"]).end();
    timed_out(&ended, &[&format!("{target} is not ready after 10ms: ")]);
}

#[test]
fn a_file_that_appears_is_waited_for() {
    let scene = Scene::new();
    let file = scene.folder().join("file");
    let target = format!("file:{}", file.display());
    let mut waiting = wait_for(&scene, &[&PATIENT[..], &[&target]].concat());
    // More than one: it tries again by itself.
    for _ in 0..3 {
        let said = waiting.wait_until_said(&["is not ready"]);
        assert!(said.ends_with("no such file or directory"), "{said}");
    }
    fs::write(&file, "").expect("the folder is ours");
    assert_eq!(waiting.end().exit, Exit::Code(0));
}

#[test]
fn every_target_must_be_ready_once() {
    let scene = Scene::new();
    let files = ["one", "two"].map(|name| scene.folder().join(name));
    let targets = files.each_ref().map(|file| format!("file:{}", file.display()));
    let mut waiting = wait_for(&scene, &[&PATIENT[..], &[&targets[0], &targets[1]]].concat());
    for (file, target) in files.iter().zip(&targets) {
        waiting.wait_until_said(&[&format!("{target} is not ready")]);
        fs::write(file, "").expect("the folder is ours");
        waiting.wait_until_said(&[&format!("{target} is ready")]);
        fs::remove_file(file).expect("it was there");
    }
    assert_eq!(waiting.end().exit, Exit::Code(0));
}

#[test]
fn a_socket_in_the_file_system_is_waited_for() {
    let scene = Scene::new();
    let path = scene.folder().join("socket");
    let target = format!("unix:{}", path.display());
    let mut waiting = wait_for(&scene, &[&PATIENT[..], &[&target]].concat());
    waiting.wait_until_said(&["no such file or directory"]);
    // One that nobody listens on any more is left behind by a server that was killed.
    drop(UnixListener::bind(&path).expect("the folder is ours"));
    waiting.wait_until_said(&["connection refused"]);
    fs::remove_file(&path).expect("it was there");
    let _listener = UnixListener::bind(&path).expect("the folder is ours");
    assert_eq!(waiting.end().exit, Exit::Code(0));
}

#[test]
fn a_socket_whose_queue_is_full_does_not_hold_the_end_up() {
    const FULL: &str = "
import socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(0)
clients = []
try:
    while True:
        clients.append(socket.socket(socket.AF_UNIX))
        clients[-1].setblocking(False)
        clients[-1].connect(sys.argv[1])
except BlockingIOError:
    print('full', flush=True)
sys.stdin.read()
";
    let scene = Scene::new();
    let path = scene.folder().join("socket");
    let path = path.to_str().expect("a plain name");
    let mut full = server(&scene, FULL, &[path]);
    full.expect("full");
    let ended = wait_for(&scene, &["--timeout", "9s", &format!("unix:{path}")]).end();
    timed_out(&ended, &["its queue of connections is full"]);
}

#[test]
fn an_answer_is_waited_for_that_says_200_to_399() {
    let scene = Scene::new();
    let empty = r"Content-Length: 0\r\n\r\n";
    let (failing, fine) = (format!(r"HTTP/1.1 500 Oh\r\n{empty}"), format!(r"HTTP/1.1 200 OK\r\n{empty}"));
    let mut answers = server(&scene, ANSWERS, &[&failing, &format!(r"HTTP/1.1 404 No\r\n{empty}"), "close", &fine]);
    let port = answers.line();
    let target = format!("http://127.0.0.1:{port}/health?a=b#c");
    let ended = wait_for(&scene, &[&PATIENT[..], &[&target]].concat()).end();
    assert_eq!(ended.exit, Exit::Code(0), "{ended:?}");
    let said: Vec<&str> = ended.stderr.iter().filter_map(|line| line.rsplit(&target).next()).collect();
    assert_eq!(said[..2], [" is not ready: status 500", " is not ready: status 404"], "{said:?}");
    // A server that closes before it has read resets the connection.
    assert!(said[2].contains("without an answer") || said[2].contains("reset"), "{said:?}");
    assert_eq!(said[3..], [" is ready"], "{said:?}");
    let request = answers.line();
    assert!(request.starts_with(&format!("GET /health?a=b HTTP/1.1|Host: 127.0.0.1:{port}|User-Agent: supervise/")));
    assert!(request.contains("|Connection: close|") && request.ends_with("||"), "{request}");
}

#[test]
fn every_answer_that_shows_a_server_at_work_is_ready() {
    let scene = Scene::new();
    for answer in [
        r"HTTP/1.1 301 Moved\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
        r"HTTP/1.0 200 OK\r\n\r\nbody",
        r"HTTP/1.1 204\r\n\r\n",
        r"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        r"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nnot a chunk",
    ] {
        let mut answers = server(&scene, ANSWERS, &[answer]);
        let target = format!("http:127.0.0.1:{}", answers.line());
        is_ready(&wait_for(&scene, &[&target]).end());
        assert!(answers.line().starts_with("GET / HTTP/1.1|"));
    }
}

#[test]
fn an_answer_that_is_none_is_named() {
    let scene = Scene::new();
    for (answer, why) in [
        ("silence", "it took the connection and has not answered"),
        (r"5\r\nhello\r\n0\r\n\r\n", "what it answers is not HTTP"),
        (r"SSH-2.0-OpenSSH_9.2\r\n", "what it answers is not HTTP"),
        (r"HTTP/1.1 100 Continue\r\n\r\n", "without an answer"),
    ] {
        let mut answers = server(&scene, ANSWERS, &[answer]);
        let target = format!("http://127.0.0.1:{}/", answers.line());
        // It ends when it has seen the answer, at the first try after the time is over.
        let mut waiting = wait_for(&scene, &["--timeout=20s", "--interval", "1h", "-v", &target]);
        let said = waiting.wait_until_said(&["is not ready"]);
        assert!(said.ends_with(why) && said.contains(&target), "{said}");
        waiting.signal(SIGTERM);
        assert_eq!(waiting.end().exit, Exit::Signal(SIGTERM));
    }
}

#[test]
fn a_real_web_server_is_waited_for_and_not_upset() {
    const SERVER: &str = "
import http.server, sys
server = http.server.HTTPServer(('127.0.0.1', 0), http.server.SimpleHTTPRequestHandler)
print(server.server_port, flush=True)
server.serve_forever()
";
    let scene = Scene::new();
    let mut real = server(&scene, SERVER, &[]);
    let target = format!("http://localhost:{}/", real.line());
    is_ready(&wait_for(&scene, &[&target]).end());
    let said = real.wait_until_said(&["GET"]);
    assert!(said.contains("\"GET / HTTP/1.1\" 200"), "{said}");
    // A second one shows that nothing was said about the first, such as a reset connection.
    is_ready(&wait_for(&scene, &[&target]).end());
    assert!(real.stderr().next().is_some_and(|line| line.contains("\"GET / HTTP/1.1\" 200")));
}

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

/// Requires root: a server on port 53, and a file mounted over /etc/resolv.conf in a mount namespace.
fn with_name_server<'s>(
    scene: &'s Scene,
    program: &str,
    place: u8,
    words: &[&str],
) -> Option<(Running<'s>, Running<'s>)> {
    if !geteuid().is_root() {
        skip("a name server needs port 53, and that is root's");
        return None;
    }
    // One of the 16 million addresses of the loopback, that no other run of the test has.
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let address = format!("127.{place}.{high}.{low}");
    let mut names = server(scene, program, &[&address]);
    names.expect("ready");
    let file = scene.folder().join("resolv.conf");
    fs::write(&file, format!("nameserver {address}\noptions timeout:60 attempts:1\n")).expect("the folder is ours");
    let mount = format!("mount --bind {} /etc/resolv.conf && exec \"$@\"", file.display());
    let wrapper = ["unshare", "--mount", "sh", "-c", &mount, "sh"];
    Some((names, behind(scene, &wrapper, 0, words)))
}

#[test]
fn a_name_that_does_not_exist_is_named() {
    // Answers every question with NXDOMAIN (RFC 1035, 4.1.1).
    const NO_SUCH_NAME: &str = r"
import socket, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], 53))
print('ready', flush=True)
while True:
    question, client = server.recvfrom(512)
    server.sendto(question[:2] + b'\x81\x83' + question[4:], client)
";
    let scene = Scene::new();
    let words = ["--interval", "1h", "--timeout", "20s", "-v", "tcp:db.example:5432"];
    let Some((_names, mut waiting)) = with_name_server(&scene, NO_SUCH_NAME, 83, &words) else { return };
    let said = waiting.wait_until_said(&["is not ready"]);
    assert!(said.ends_with("tcp:db.example:5432 is not ready: cannot resolve db.example: no such name"), "{said}");
}

#[test]
fn a_name_server_that_is_dead_does_not_hold_the_end_up() {
    const SILENT: &str = "
import socket, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], 53))
print('ready', flush=True)
sys.stdin.read()
";
    let scene = Scene::new();
    // The C library waits for a minute, as long as this test may take.
    let words = ["--timeout", "9s", "http://db.example/"];
    let Some((_names, waiting)) = with_name_server(&scene, SILENT, 84, &words) else { return };
    let ended = waiting.end();
    timed_out(&ended, &["after 9s: cannot resolve db.example: no answer from a name server"]);
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
