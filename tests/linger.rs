//! What comes to our sockets with a descriptor whose last close takes as long as whoever has made it wants (SO_LINGER in
//! socket(7)).

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use harness::{Exit, Scene};

/// Children send it and are gone before it is received, so that the last close is the receiver's. A process that ends does not
/// wait for its own.
const LINGERS: &str = "
import array, os, signal, socket, struct, sys
address, count, kind = os.environ['NOTIFY_SOCKET'].replace('@', '\\0', 1), int(sys.argv[1]), sys.argv[2]
there = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener = socket.socket()
listener.bind(('127.0.0.1', 0))
listener.listen(64)
def send(to, address, text, files):
    to.sendmsg([text], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [file.fileno() for file in files]))], 0, address)
def linger():
    line = socket.socket()
    line.connect(listener.getsockname())
    line.setblocking(False)
    try:
        while True: line.send(bytes(65536))
    except BlockingIOError: pass
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 1000))
    given = [line] * count
    if kind == 'inside':
        # In flight in a socket that is given: the last close of that one closes it.
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        one.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [line.fileno()]))])
        given = [other] * count
    if kind == 'behind':
        # More than there is room for are before it.
        given = [open('/dev/null')] * (count - 1) + [line]
    send(there, address, b'x', given)
    os._exit(0)
parent = int(sys.argv[3]) if len(sys.argv) > 3 else os.getppid()
os.kill(parent, signal.SIGSTOP)
for _ in range(5):
    if os.fork() == 0: linger()
    os.wait()
os.kill(parent, signal.SIGCONT)
ours, theirs = socket.socketpair()
send(there, address, b'BARRIER=1', [theirs])
theirs.close()
assert ours.recv(1) == b''
# And what comes now is heard.
send(there, address, b'READY=1', [])
";

#[test]
fn a_socket_that_lingers_holds_up_nobody() {
    for (count, kind) in [("1", "itself"), ("40", "itself"), ("253", "itself"), ("1", "inside"), ("40", "inside")] {
        let scene = Scene::new();
        // Where it is no process 1, which nobody inside can stop.
        let launch = scene.supervise().options(&["-v", "--ready", "sd_notify"]);
        let ended = launch.argv(&["python3", "-c", LINGERS, count, kind]).end();
        assert_eq!(ended.exit, Exit::Code(0), "{count} {kind}: {ended:?}");
        assert!(ended.stderr.iter().any(|line| line.contains("the command is ready")), "{count} {kind}: {ended:?}");
        scene.nothing_is_left();
    }
}

#[test]
fn neither_does_one_that_there_is_no_room_for() {
    let scene = Scene::new();
    let launch = scene.supervise().options(&["-v", "--ready", "sd_notify"]);
    let ended = launch.behind(&["prlimit", "--nofile=64"]).argv(&["python3", "-c", LINGERS, "100", "behind"]).end();
    assert_eq!(ended.exit, Exit::Code(0), "{ended:?}");
    assert!(ended.stderr.iter().any(|line| line.contains("the command is ready")), "{ended:?}");
    scene.nothing_is_left();
}
