//! sd_notify(3) as its server: who is heard, what comes with a message, what is said on to those who run us, and services
//! that speak it.

mod above;
#[expect(dead_code, reason = "that of `supervise ctl` uses the rest")]
#[path = "../ctl/container.rs"]
mod container;
mod frozen;
#[expect(dead_code, reason = "each test file uses its part of the harness")]
#[path = "../harness/mod.rs"]
mod harness;
mod heard;
mod lives;

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixStream};
use std::path::Path;
use std::process::Command;

use harness::launch::{EVERYWHERE, Launch, Place};
use harness::{Exit, Scene, proc, skip};
use libc::{SIGKILL, SIGTERM};

const READY: &str = "the command is ready";

/// What a python program needs to speak, with descriptors if it likes.
const SAY: &str = "
import array, os, socket, sys, time
address = os.environ['NOTIFY_SOCKET'].replace('@', '\\0', 1)
there = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
def say(text, fds=()):
    with_them = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', fds))] if fds else []
    there.sendmsg([text], with_them, 0, address)
def barrier():
    ours, theirs = os.pipe()
    say(b'BARRIER=1', [theirs])
    os.close(theirs)
    assert os.read(ours, 1) == b''
    os.close(ours)
";

/// A python program that speaks.
fn python<'s>(scene: &'s Scene, place: Place, options: &[&str], program: &str) -> Launch<'s> {
    let options = [&["-v", "--ready", "sd_notify"], options].concat();
    scene.supervise().place(place).options(&options).argv(&["python3", "-c", &format!("{SAY}{program}")])
}

fn shell<'s>(scene: &'s Scene, place: Place, options: &[&str], script: &str) -> Launch<'s> {
    let options = [&["-v", "--ready", "sd_notify"], options].concat();
    scene.supervise().place(place).options(&options).argv(&["sh", "-c", script])
}

fn is_installed(program: &str) -> bool {
    let is_there = ["/usr/bin", "/usr/sbin"].iter().any(|folder| Path::new(folder).join(program).exists());
    if !is_there {
        skip(&format!("{program} is not there; tests/setup installs it"));
    }
    is_there
}

#[test]
fn whoever_the_command_has_started_is_heard_and_nobody_else() {
    if !is_installed("systemd-notify") {
        return;
    }
    for place in [Place::Child, Place::Pid1] {
        let scene = Scene::new();
        let script = "echo $NOTIFY_SOCKET; read line; (setsid sh -c '(systemd-notify --ready) & wait'); read line";
        let mut init = shell(&scene, place, &[], script).spawn();
        let address = init.line();
        // Root, and a process of its namespace that it has not started (as `docker exec` brings one in).
        let pid = init.pid().to_string();
        let words: &[&str] = match place {
            Place::Child => &["systemd-notify", "--ready"],
            _ => &["nsenter", "--pid", "--target", &pid, "systemd-notify", "--ready"],
        };
        let sent = scene.command(words[0]).args(&words[1..]).env("NOTIFY_SOCKET", &address).status().expect("it runs");
        assert!(sent.success());
        init.wait_until_said(&["by sd_notify(3) is ignored: it is none of the command's processes"]);
        assert!(!init.said().contains(READY), "{place:?}");
        init.go();
        init.wait_until_said(&[READY]);
        init.go();
        assert_eq!(init.wait(), Exit::Code(0), "{place:?}");
    }
}

#[test]
fn who_is_outside_the_namespace_is_refused() {
    let scene = Scene::new();
    let mut init = shell(&scene, Place::Pid1, &[], "echo $NOTIFY_SOCKET; read line").spawn();
    let address = init.line();
    let socket = UnixDatagram::unbound().expect("a socket");
    let name = address.strip_prefix('@');
    match name {
        Some(name) => {
            let address = SocketAddr::from_abstract_name(name).expect("it is short");
            socket.send_to_addr(b"READY=1", &address).map(drop)
        }
        None => socket.send_to(b"READY=1", &address).map(drop),
    }
    .expect("it is there");
    init.wait_until_said(&["what somebody outside says by sd_notify(3) is ignored"]);
    init.go();
    let ended = init.end();
    assert!(!ended.stderr.iter().any(|line| line.contains(READY)), "{ended:?}");
}

#[test]
fn a_barrier_is_lifted_when_all_before_it_is_dealt_with() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let program = "
for number in range(100):
    say(b'STATUS=%d' % number)
barrier()
print('lifted', flush=True)
sys.stdin.readline()
say(b'READY=1\\nBARRIER=1', [0])
barrier()
print('again', flush=True)
sys.stdin.readline()
";
        let mut init = python(&scene, place, &[], program).spawn();
        init.expect("lifted");
        // Written before, so it is there at once.
        assert!(init.said().contains("the command says: 99"), "{place:?}");
        init.go();
        init.expect("again");
        assert!(!init.said().contains(READY), "{place:?}");
        init.go();
        assert_eq!(init.wait(), Exit::Code(0));
    }
}

#[test]
fn descriptors_that_come_along_are_closed() {
    let scene = Scene::new();
    let program = "
files = [os.open('/dev/null', os.O_RDONLY) for _ in range(200)]
say(b'READY=1')
barrier()
print('ready', flush=True)
sys.stdin.readline()
for count in (1, 2, 3, 200):
    for _ in range(200):
        say(b'FDSTORE=1\\nFDNAME=x', files[:count])
        say(b'X=1', files[:count])
barrier()
ours, theirs = os.pipe()
say(b'FDSTORE=1', [theirs] + files[:100])
os.close(theirs)
assert os.read(ours, 1) == b''
print('sent', flush=True)
sys.stdin.readline()
";
    let mut init = python(&scene, Place::Child, &[], program).spawn();
    init.expect("ready");
    let before = proc::descriptors(init.pid());
    init.go();
    init.expect("sent");
    // The pipe came first: those behind it are closed right after it. Of those that were there before, one may have been
    // for what was said then.
    let closed = || proc::descriptors(init.pid()).iter().all(|one| before.contains(one)).then_some(());
    scene.deadline.until("all descriptors to be closed", closed);
    init.go();
    assert_eq!(init.wait(), Exit::Code(0));
}

#[test]
fn a_flood_and_garbage_hold_up_neither_a_signal_nor_a_stop() {
    for place in [Place::Child, Place::Pid1] {
        let scene = Scene::new();
        let program = "
import random, signal
random.seed(1)
words = [b'READY=1', b'STATUS=' + b'x' * 5000, b'\\n' * 4096, bytes(4096), b'MAINPID=1', b'WATCHDOG_USEC=x',
    b'EXTEND_TIMEOUT_USEC=99999999999999999999', b'=', b'', random.randbytes(4096), b'MAINPID=%d' % os.getppid()]
if os.fork() == 0:
    number = 0
    while True:
        say(words[number % len(words)] if number < 50000 else b'STATUS=%d' % number)
        number += 1
        if number == 100000:
            os.write(1, b'many\\n')
signal.signal(signal.SIGUSR1, lambda *_: print('signal', flush=True))
signal.signal(signal.SIGTERM, lambda *_: os._exit(9))
print('ready', flush=True)
while True:
    time.sleep(1000)
";
        let mut init = python(&scene, place, &[], program).spawn();
        init.expect("ready");
        for _ in 0..20 {
            init.signal(libc::SIGUSR1);
            init.expect("signal");
        }
        if place == Place::Child {
            init.expect("many");
        }
        init.signal(SIGTERM);
        assert_eq!(init.wait(), Exit::Code(9), "{place:?}");
    }
}

#[test]
fn real_time_signals_and_the_end_of_a_check_are_heard_in_the_middle_of_a_flood() {
    let scene = Scene::new();
    let program = "
import signal
for _ in range(8):
    if os.fork() == 0:
        while True:
            say(b'STATUS=flood')
signal.signal(45, lambda *_: print('late', flush=True))
signal.signal(signal.SIGTERM, lambda *_: os._exit(9))
say(b'READY=1')
print('ready', flush=True)
while True:
    time.sleep(1000)
";
    // They have higher numbers than the SIGIO that tells of messages.
    let checks = ["--health", "exec:true", "--health-interval", "1ms", "--health-timeout", "1h"];
    let mut init = python(&scene, Place::Pid1, &checks, program).spawn();
    init.expect("ready");
    init.wait_until_said(&["the command is healthy"]);
    for _ in 0..20 {
        init.signal(45);
        init.expect("late");
    }
    init.signal(SIGTERM);
    assert_eq!(init.wait(), Exit::Code(9));
}

#[test]
fn a_daemon_that_goes_into_the_background_is_followed() {
    if !is_installed("systemd-notify") {
        return;
    }
    for place in EVERYWHERE {
        let scene = Scene::new();
        let folder = scene.folder().display().to_string();
        fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("it is ours");
        let daemon = "trap 'exit 7' TERM; echo daemon; while :; do sleep 1000 & wait; done";
        let script = format!("sh -c \"{daemon}\" & systemd-notify --ready MAINPID=$!; exit 0");
        let mut init = shell(&scene, place, &["--restart", "always"], &script).spawn();
        init.expect("daemon");
        init.wait_until_said(&["the command goes on as pid"]);
        init.signal(SIGTERM);
        let ended = init.end();
        assert_eq!(ended.exit, Exit::Code(7), "{place:?} {ended:?}");
        scene.nothing_is_left();
    }
    // Its end is the command's, which is started again.
    let scene = Scene::new();
    let script = "echo run; sleep 1000 & systemd-notify --ready MAINPID=$!; exit 0";
    let mut init = shell(&scene, Place::Child, &["--restart", "on-failure", "--restart-delay", "0"], script).spawn();
    for _ in 0..3 {
        init.expect("run");
        // Not the first child that it has: who has closed the descriptor of the barrier may still be there.
        let said = init.wait_until_said(&["the command goes on as pid"]);
        let daemon = said.split("goes on as pid ").nth(1).and_then(|rest| rest.split([' ', ',', ';']).next());
        harness::send(daemon.and_then(|pid| pid.parse().ok()).expect("a pid"), SIGKILL, 1);
    }
    init.expect("run");
    init.wait_until_said(&["the command goes on as pid"]);
    init.signal(SIGTERM);
    assert_eq!(init.wait(), Exit::Signal(SIGTERM));
}

#[test]
fn nobody_is_followed_who_is_none_of_the_commands_or_has_ended() {
    let scene = Scene::new();
    let mut other = scene.command("sleep").arg("1000").spawn().expect("sleep runs");
    let program = format!("say(b'MAINPID={}'); say(b'READY=1'); barrier(); sys.exit(3)", other.id());
    let ended = python(&scene, Place::Child, &[], &program).end();
    assert_eq!(ended.exit, Exit::Code(3), "{ended:?}");
    assert!(ended.stderr.iter().any(|line| line.contains("named as the main process, it is none of")), "{ended:?}");
    other.kill().expect("it is ours");
    other.wait().expect("it is ours");
    for who in ["1", "os.getppid()", "os.getpid()", "gone"] {
        let program = format!(
            "
gone = os.fork()
if gone == 0: os._exit(0)
os.waitpid(gone, 0)
say(b'READY=1\\nMAINPID=%d' % {who})
barrier()
sys.exit(3)"
        );
        let ended = python(&scene, Place::Child, &[], &program).end();
        assert_eq!(ended.exit, Exit::Code(3), "{who} {ended:?}");
    }
}

#[test]
fn a_stop_waits_for_who_asks_for_time() {
    let scene = Scene::new();
    let program = "
import signal
def end(*_):
    say(b'EXTEND_TIMEOUT_USEC=100000000')
    barrier()
    print('asked', flush=True)
    time.sleep(7)
    os._exit(6)
signal.signal(signal.SIGTERM, end)
print('ready', flush=True)
while True:
    time.sleep(1000)
";
    // Longer than it has, which is long enough to ask.
    let mut init = python(&scene, Place::Child, &["--grace", "5s"], program).spawn();
    init.expect("ready");
    init.signal(SIGTERM);
    init.expect("asked");
    assert_eq!(init.wait(), Exit::Code(6));
}

#[test]
fn it_is_heard_on_a_read_only_root_and_by_a_directory_of_the_users() {
    if !nix::unistd::geteuid().is_root() || !is_installed("systemd-notify") {
        return skip("who is not root mounts nothing");
    }
    for place in [Place::Child, Place::Pid1] {
        let scene = Scene::new();
        let script = "systemd-notify --ready; echo $NOTIFY_SOCKET; read line";
        let launch = shell(&scene, place, &[], script).below(&[
            "unshare",
            "--mount",
            "--fork",
            "sh",
            "-c",
            "mount --make-rprivate / && mount --bind /run /run && mount -o remount,bind,ro /run && exec \"$@\"",
            "sh",
        ]);
        let mut init = launch.spawn();
        init.wait_until_said(&[READY]);
        assert!(init.line().starts_with("@supervise-"), "{place:?}");
        init.go();
        assert_eq!(init.wait(), Exit::Code(0));
    }
    let scene = Scene::new();
    let runtime = scene.folder().join("runtime");
    fs::create_dir(&runtime).expect("the folder is ours");
    nix::unistd::chown(&runtime, Some(65534.into()), Some(65534.into())).expect("we are root");
    let launch = shell(&scene, Place::Child, &[], "systemd-notify --ready; echo $NOTIFY_SOCKET; read line");
    let launch = launch.for_everybody().behind(&["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]);
    let mut init = launch.env("XDG_RUNTIME_DIR", runtime.to_str().expect("UTF-8")).spawn();
    init.wait_until_said(&[READY]);
    let path = init.line();
    assert!(path.starts_with(runtime.to_str().expect("UTF-8")) && path.ends_with("/notify"), "{path}");
    init.go();
    assert_eq!(init.wait(), Exit::Code(0));
    assert_eq!(fs::read_dir(&runtime).expect("it is there").count(), 0);
}

#[test]
fn a_command_of_another_user_is_heard() {
    if !nix::unistd::geteuid().is_root() || !is_installed("systemd-notify") {
        return skip("who is not root becomes nobody else");
    }
    for place in [Place::Child, Place::Pid1] {
        let scene = Scene::new();
        let script = "systemd-notify --ready --status=\"of $(id -u)\"; read line";
        let mut init = shell(&scene, place, &["--user", "65534"], script).spawn();
        init.wait_until_said(&["the command says: of 65534"]);
        init.wait_until_said(&[READY]);
        init.go();
        assert_eq!(init.wait(), Exit::Code(0), "{place:?}");
    }
}

/// Says hello to a broker of MQTT 3.1.1 and takes its answer. (Told to stop before it serves, mosquitto 2.0 forgets that.)
fn serves(socket: &Path) {
    let mut broker = UnixStream::connect(socket).expect("it listens");
    broker.write_all(b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01x").expect("it reads");
    let mut answer = [0; 4];
    broker.read_exact(&mut answer).expect("it answers");
    assert_eq!(answer, *b"\x20\x02\0\0");
}

#[test]
fn mosquitto_is_ready_when_it_serves() {
    if !is_installed("mosquitto") {
        return;
    }
    let scene = Scene::new();
    let socket = scene.folder().join("socket");
    let conf = scene.folder().join("conf");
    let user = if nix::unistd::geteuid().is_root() { "user root\n" } else { "" };
    fs::write(&conf, format!("listener 0 {}\nallow_anonymous true\n{user}", socket.display())).expect("it is ours");
    for place in [Place::Child, Place::Pid1] {
        let options = ["-v", "--ready", "sd_notify"];
        let words = ["mosquitto", "-c", conf.to_str().expect("UTF-8")];
        let mut init = scene.supervise().place(place).options(&options).argv(&words).spawn();
        init.wait_until_said(&[READY]);
        serves(&socket);
        init.signal(SIGTERM);
        assert_eq!(init.end().exit, Exit::Code(0), "{place:?}");
        scene.nothing_is_left();
    }
}

#[test]
fn systemd_notify_says_it_of_others_too() {
    if !is_installed("systemd-notify") {
        return;
    }
    let scene = Scene::new();
    // For its parent, and before it becomes another program where it can do that.
    let help = Command::new("systemd-notify").arg("--help").output().expect("it runs");
    let can_exec = String::from_utf8_lossy(&help.stdout).contains("--exec");
    let script = match can_exec {
        true => "exec systemd-notify --ready --exec \\; sh -c 'read line'",
        false => "systemd-notify --ready --pid=$$; read line",
    };
    let mut init = shell(&scene, Place::Child, &[], script).spawn();
    init.wait_until_said(&[READY]);
    init.go();
    assert_eq!(init.wait(), Exit::Code(0));
}
