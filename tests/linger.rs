//! What comes to our sockets with a descriptor whose last close takes as long as whoever has made it wants (SO_LINGER in
//! socket(7)).

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use harness::{Exit, Scene};

/// Children send it and are gone before it is received, so that the last close is the receiver's. A process that ends does not
/// wait for its own.
const LINGERS: &str = "
import array, os, signal, socket, struct, sys
address, count = os.environ['NOTIFY_SOCKET'].replace('@', '\\0', 1), int(sys.argv[1])
there = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener = socket.socket()
listener.bind(('127.0.0.1', 0))
listener.listen(64)
def linger():
    line = socket.socket()
    line.connect(listener.getsockname())
    line.setblocking(False)
    try:
        while True: line.send(bytes(65536))
    except BlockingIOError: pass
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 1000))
    there.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [line.fileno()] * count))], 0, address)
    os._exit(0)
os.kill(os.getppid(), signal.SIGSTOP)
for _ in range(5):
    if os.fork() == 0: linger()
    os.wait()
os.kill(os.getppid(), signal.SIGCONT)
ours, theirs = os.pipe()
there.sendmsg([b'BARRIER=1'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [theirs]))], 0, address)
os.close(theirs)
assert os.read(ours, 1) == b''
";

#[test]
fn a_socket_that_lingers_holds_up_nobody() {
    for count in ["1", "40", "253"] {
        let scene = Scene::new();
        // Where it is no process 1, which nobody inside can stop.
        let launch = scene.supervise().options(&["--ready", "sd_notify"]);
        let ended = launch.argv(&["python3", "-c", LINGERS, count]).end();
        assert_eq!(ended.exit, Exit::Code(0), "{count}: {ended:?}");
    }
}
