//! What those hear who run us, of a command that is started again, and where they do not listen at once.

use std::fs;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use libc::{SIGTERM, SIGUSR1};

use crate::above::Above;
use crate::container::{Container, ROOT, is_root};
use crate::harness::launch::{Init, Place};
use crate::harness::{Exit, Scene};
use crate::{SAY, python};

/// A command that says when it is ready; that it ends, on SIGUSR1; and the same on SIGTERM, by which it does.
const SPEAKS: &str = "
import signal
signals = [signal.SIGUSR1, signal.SIGTERM]
signal.pthread_sigmask(signal.SIG_BLOCK, signals)
open('well', 'w').close()
say(b'READY=1')
while True:
    got = signal.sigwait(signals)
    say(b'STOPPING=1'); barrier()
    if got == signal.SIGTERM:
        os._exit(4)
";

/// Its container, below somebody who is told.
fn told<'s>(scene: &'s Scene, above: &Above, options: &[&str]) -> Container<'s> {
    fs::write(scene.folder().join("speaks.py"), format!("{SAY}{SPEAKS}")).expect("the folder is ours");
    let address = format!("NOTIFY_SOCKET={}", above.1);
    let options = [&["-v", "--ready", "sd_notify"], options].concat();
    let container = Container::behind(scene, &["env", &address], &options, "exec python3 speaks.py");
    above.expect(scene, "READY=1");
    container
}

/// Asks for a reboot inside.
#[track_caller]
fn reboots(container: &Container<'_>) {
    let program = Init::Supervise.path().expect("cargo built it");
    let words = [program.to_str().expect("UTF-8"), "reboot"];
    let asked = container.command(ROOT, &words).status().expect("nsenter is there");
    assert!(asked.success());
}

/// It is stopped, and those above are told so once.
#[track_caller]
fn ends(scene: &Scene, above: &Above, mut container: Container<'_>) {
    container.init.signal(SIGTERM);
    above.expect(scene, "STOPPING=1");
    assert_eq!(container.init.wait(), Exit::Code(4));
    assert_eq!(above.next(), None);
}

#[test]
fn an_end_that_a_start_follows_is_none_to_those_who_run_us() {
    if !is_root() {
        return;
    }
    for (options, asks) in [
        (&[][..], Some("restart")),
        (&[], Some("reboot")),
        (&["--health", "file:well", "--health-interval", "20ms", "--health-retries", "1"], None),
    ] {
        let scene = Scene::new();
        let above = Above::new(&scene);
        let container = told(&scene, &above, options);
        for _ in 0..2 {
            match asks {
                Some("reboot") => reboots(&container),
                Some(word) => container.asks(&[word]),
                None => fs::remove_file(scene.folder().join("well")).expect("the command has made it"),
            }
            // The next word, and so there was none of an end.
            above.expect(&scene, "READY=1");
        }
        ends(&scene, &above, container);
    }
}

#[test]
fn who_has_told_of_its_end_and_is_started_again_tells_of_the_next_one_too() {
    if !is_root() {
        return;
    }
    let scene = Scene::new();
    let above = Above::new(&scene);
    let container = told(&scene, &above, &[]);
    container.asks(&["signal", "USR1"]);
    // Nothing starts it again when it ends now.
    above.expect(&scene, "STOPPING=1");
    container.asks(&["restart"]);
    above.expect(&scene, "READY=1");
    ends(&scene, &above, container);
}

#[test]
fn a_reboot_that_ends_us_is_told_as_an_end() {
    if !is_root() {
        return;
    }
    let scene = Scene::new();
    let above = Above::new(&scene);
    let mut container = told(&scene, &above, &["--on-reboot", "exit"]);
    reboots(&container);
    above.expect(&scene, "STOPPING=1");
    assert_eq!(container.init.wait(), Exit::Code(129));
    assert_eq!(above.next(), None);
}

#[test]
fn who_had_no_room_is_told_as_soon_as_something_happens() {
    let scene = Scene::new();
    let above = Above::new(&scene);
    let address = SocketAddr::from_abstract_name(&above.1[1..]).expect("it is short");
    let other = UnixDatagram::unbound().expect("a socket");
    other.set_nonblocking(true).expect("it is a socket");
    let full = |_: &usize| other.send_to_addr(b"X=1", &address).is_ok();
    let waiting = (0..100_000).take_while(full).count();
    let program = "
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
say(b'READY=1'); time.sleep(1000)
";
    let mut init = python(&scene, Place::Child, &[], program).env("NOTIFY_SOCKET", &above.1).spawn();
    init.wait_until_said(&["cannot tell those who run us how the command stands"]);
    for _ in 0..waiting {
        above.expect(&scene, "X=1");
    }
    init.signal(SIGUSR1);
    above.expect(&scene, "READY=1");
    init.signal(SIGTERM);
    above.expect(&scene, "STOPPING=1");
    init.wait();
    assert_eq!(above.next(), None);
}
