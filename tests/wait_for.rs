//! `supervise wait-for`: real servers that are there, come later, or never do; names and name servers.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;

use libc::SIGTERM;
use nix::unistd::geteuid;

use harness::running::Running;
use harness::waiting::{LATE, PATIENT, behind, is_ready, server, timed_out, wait_for};
use harness::{Exit, Scene, skip};

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
fn a_refused_port_is_named_with_its_reason() {
    let scene = Scene::new();
    let mut late = server(&scene, LATE, &["127.0.0.1"]);
    let target = format!("tcp:127.0.0.1:{}", late.line());
    let mut waiting = wait_for(&scene, &["-v", "--timeout", "0", "--interval", "1h", &target]);
    let said = waiting.wait_until_said(&["is not ready"]);
    assert!(said.contains(&format!("{target} is not ready: ")) && said.ends_with("connection refused"), "{said}");
    waiting.signal(SIGTERM);
    assert_eq!(waiting.end().exit, Exit::Signal(SIGTERM));
    // What the only try has found out is said again when the time is over. (A try that had no time says nothing first.)
    let ended = wait_for(&scene, &["-v", "--timeout=2s", "--interval", "1h", &target]).end();
    assert_eq!(ended.exit, Exit::Code(124), "{ended:?}");
    let (last, before) = ended.stderr.split_last().expect("it says why");
    let (_, why) = last.split_once(&format!("{target} is not ready after 2s: ")).expect("the target, and why");
    assert!(before.iter().all(|line| line.ends_with(&format!("{target} is not ready: {why}"))), "{ended:?}");
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
        let mut waiting = wait_for(&scene, &["-v", "--timeout", "0", "--interval", "1h", &target]);
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
    // The C library waits for a minute, far longer than a try may take.
    let words = [&PATIENT[..], &["http://db.example/"]].concat();
    let Some((_names, mut waiting)) = with_name_server(&scene, SILENT, 84, &words) else { return };
    // A try is cut off, and so is the wait in the middle of one.
    waiting.wait_until_said(&["is not ready: cannot resolve db.example: no answer from a name server"]);
    waiting.signal(SIGTERM);
    assert_eq!(waiting.end().exit, Exit::Signal(SIGTERM));
}
