//! What those hear who run us.

use std::fs;
use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use libc::SIGTERM;

use crate::harness::contained::{self, BUSYBOX};
use crate::harness::launch::{EVERYWHERE, Place};
use crate::harness::{Exit, Scene};
use crate::{SAY, python};

/// Whoever runs us: a socket by that name, and what comes to it.
pub(crate) struct Above(UnixDatagram, pub(crate) String);

impl Above {
    pub(crate) fn new(scene: &Scene) -> Above {
        let name = scene.folder().display().to_string();
        let address = SocketAddr::from_abstract_name(&name).expect("it is short");
        let socket = UnixDatagram::bind_addr(&address).expect("the name is new");
        socket.set_nonblocking(true).expect("it is a socket");
        Above(socket, format!("@{name}"))
    }

    pub(crate) fn next(&self) -> Option<String> {
        let mut text = [0; 8192];
        match self.0.recv(&mut text) {
            Ok(count) => Some(String::from_utf8_lossy(&text[..count]).trim_end().to_owned()),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                None
            }
        }
    }

    #[track_caller]
    pub(crate) fn expect(&self, scene: &Scene, text: &str) {
        assert_eq!(scene.deadline.until(text, || self.next()), text);
    }
}

#[test]
fn those_who_run_us_are_told() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let above = Above::new(&scene);
        let program = "
import signal
signal.signal(signal.SIGTERM, lambda *_: (say(b'STOPPING=1\\nSTATUS=ending'), os._exit(4)))
say(b'STATUS=coming up\\nMAINPID=%d\\nWATCHDOG=1\\nX_SECRET=1' % os.getpid())
say(b'EXTEND_TIMEOUT_USEC=7000000')
say(b'READY=1')
barrier()
say(b'RELOADING=1\\nMONOTONIC_USEC=12')
say(b'READY=1\\nSTATUS=up again')
barrier()
print('done', flush=True)
while True:
    time.sleep(1000)
";
        let mut init = python(&scene, place, &[], program).env("NOTIFY_SOCKET", &above.1).spawn();
        for text in [
            "STATUS=coming up",
            "EXTEND_TIMEOUT_USEC=7000000",
            "READY=1",
            "RELOADING=1\nMONOTONIC_USEC=12",
            "STATUS=up again",
            "READY=1",
        ] {
            above.expect(&scene, text);
        }
        init.expect("done");
        init.signal(SIGTERM);
        above.expect(&scene, "STOPPING=1");
        above.expect(&scene, "STATUS=ending");
        assert_eq!(init.wait(), Exit::Code(4), "{place:?}");
        assert_eq!(above.next(), None);
    }
}

#[test]
fn those_who_run_us_hear_of_readiness_by_whatever_it_is_known_and_not_from_the_command() {
    let scene = Scene::new();
    let above = Above::new(&scene);
    let options = ["--ready", "exec:test -e up"];
    let folder = scene.folder().to_str().expect("UTF-8").to_owned();
    let words = [
        "python3".to_owned(),
        "-c".to_owned(),
        format!("{SAY}\nsay(b'READY=1\\nSTATUS=x'); barrier(); print('said', flush=True); time.sleep(1000)"),
    ];
    let launch = scene.supervise().options(&options).argv(&words).env("NOTIFY_SOCKET", &above.1);
    let mut init = launch.behind(&["sh", "-c", &format!("cd {folder} && exec \"$@\""), "sh"]).spawn();
    init.expect("said");
    above.expect(&scene, "STATUS=x");
    fs::write(scene.folder().join("up"), "").expect("the folder is ours");
    above.expect(&scene, "READY=1");
    init.signal(SIGTERM);
    above.expect(&scene, "STOPPING=1");
    init.wait();
    // Without a word of readiness, the command says it all itself.
    let above_too = Above::new(&Scene::new());
    let words = ["sh", "-c", "echo $NOTIFY_SOCKET"];
    let ended = scene.supervise().argv(&words).env("NOTIFY_SOCKET", &above_too.1).end();
    assert_eq!(ended.stdout, [above_too.1]);
}

#[test]
fn a_container_of_ours_tells_those_above_by_a_socket_that_it_is_given() {
    let Some(root) = contained::root(BUSYBOX) else { return };
    let scene = Scene::new();
    let socket = scene.folder().join("above");
    let above = Above(UnixDatagram::bind(&socket).expect("the folder is ours"), String::new());
    above.0.set_nonblocking(true).expect("it is a socket");
    let bind = format!("{}:/run/above", socket.display());
    let options = ["--bind", &bind, "--env", "NOTIFY_SOCKET=/run/above", "--ready", "file:/etc/passwd"];
    let command = ["sh", "-c", "echo up; read line"];
    let mut init = contained::start(&scene, &options, &root, &command);
    init.expect("up");
    above.expect(&scene, "READY=1");
    init.go();
    assert_eq!(init.wait(), Exit::Code(0));
    above.expect(&scene, "STOPPING=1");
}

#[test]
fn a_restart_is_no_end_to_those_who_run_us_and_the_last_end_is() {
    let program = "
say(b'READY=1'); barrier()
if not os.path.exists(os.environ['FLAG']):
    open(os.environ['FLAG'], 'w')
    say(b'STOPPING=1'); barrier()
    sys.exit(1)
sys.stdin.readline()
";
    let options = ["--restart", "on-failure", "--restart-delay", "0"];
    for (is_told, exit) in [(true, Exit::Signal(SIGTERM)), (false, Exit::Code(0))] {
        let scene = Scene::new();
        let above = Above::new(&scene);
        let flag = scene.folder().join("flag");
        let launch = python(&scene, Place::Child, &options, program).env("NOTIFY_SOCKET", &above.1);
        let mut init = launch.env("FLAG", flag.to_str().expect("UTF-8")).spawn();
        above.expect(&scene, "READY=1");
        above.expect(&scene, "READY=1");
        if is_told {
            init.signal(SIGTERM);
        } else {
            init.go();
        }
        above.expect(&scene, "STOPPING=1");
        assert_eq!(init.wait(), exit);
        assert_eq!(above.next(), None);
    }
}

#[test]
fn the_last_word_reaches_those_who_have_not_read_the_ones_before_it() {
    // Who says it is the command, or nobody.
    for (says, exit) in [("say(b'STOPPING=1'); ", Exit::Code(4)), ("", Exit::Code(4))] {
        let scene = Scene::new();
        let above = Above::new(&scene);
        let program = format!(
            "
say(b'READY=1'); barrier()
# More than wait there (net.unix.max_dgram_qlen).
for number in range(600):
    say(b'STATUS=%d' % number)
    if number % 5 == 4: barrier()
print('said', flush=True)
sys.stdin.readline()
{says}sys.exit(4)
"
        );
        let mut init = python(&scene, Place::Child, &[], &program).env("NOTIFY_SOCKET", &above.1).spawn();
        init.expect("said");
        init.wait_until_said(&["cannot tell those who run us how the command stands"]);
        init.go();
        init.wait_until_said(&["ending with code 4"]);
        // Nothing of it has been read until now.
        let mut said = Vec::new();
        scene.deadline.until("the last word", || {
            said.extend(above.next());
            said.last().is_some_and(|last| last == "STOPPING=1").then_some(())
        });
        assert_eq!(init.wait(), exit, "{says}");
        assert_eq!((above.next(), said.iter().filter(|text| *text == "STOPPING=1").count()), (None, 1));
    }
}
