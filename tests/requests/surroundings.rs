//! What must not be there: a runlevel that makes clients reboot by themselves, a systemd that there is none of; and what
//! a user without rights must not reach.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use crate::bus::COMPAT;
use crate::container::{Container, Fate, PATH, Setting, Who};
use crate::harness::{Exit, Scene, proc};
use crate::roots::Root::{Bookworm, Busybox, Sysvinit, Trixie};
use crate::runner::Case;

/// What makes clients take the machine for one that is going down.
const RUNLEVELS: [(&str, &str); 3] = [("RUNLEVEL", "6"), ("PREVLEVEL", "N"), ("INIT_VERSION", "sysvinit-3.06")];

/// Asks process 1 for a poweroff by its own protocol.
const ASK_DIRECTLY: &str = r#"perl -e '
    use Socket;
    socket(my $socket, PF_UNIX, SOCK_DGRAM, 0) or exit 1;
    my $message = pack "a4 a a a C Q< C l< L< a15 C a220", "SVc4", "e", "p", "o", 0, 0, 0, 0, 0, "", 0, "";
    send($socket, $message, 0, sockaddr_un("/run/supervise/ctl")) or exit 1;
'"#;

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case::new("31: the services do not get a runlevel", no_runlevel),
        Case::new("24: a user's message to the control socket is refused", control_socket),
        Case::new("24: a user who asks a thousand times makes one line", flood),
        Case::new("24: nobody but the speaker speaks for others", for_another),
        Case::new("25: what is no message is complained of once, and hides no complaint of /run/initctl", garbage),
        Case::new("requests of root that lead to nothing are told once", idle),
        Case::new("24: a member of --ctl-group may ask, and another user cannot", group),
        Case::new("27: the control socket comes back when /run is emptied", || {
            emptied(&Setting { ours: true, ..Setting::PLAIN })
        }),
        Case::new("27: with --systemd-compat, all sockets come back when /run is emptied", || emptied(&COMPAT)),
        Case::new("24: a user cannot write to /run/initctl", initctl),
    ];
    for (what, before, kept) in [
        ("is gone at the end", "", ""),
        ("stays if it was there before", "mkdir /run/supervise", "supervise"),
        ("stays if something else is in it", "", "supervise/other"),
    ] {
        let name = format!("/run/supervise {what}");
        cases.push(Case::new(name, move || directory(before, kept)));
    }
    for (what, before) in [
        ("that is read-only", "mount -t tmpfs -o ro tmpfs /run"),
        ("that is missing", "rm -rf /run"),
        ("without room", "mount -t tmpfs -o nr_inodes=1 tmpfs /run"),
    ] {
        cases.push(Case::new(format!("with a /run {what}, all goes on, and signals are heard"), move || {
            let scene = Scene::new();
            let mut container = Container::start(&scene, Trixie, &Setting { before, ..Setting::PLAIN });
            container.read_log(&["cannot offer", "; going on without"]);
            assert_eq!(container.fate(), Fate::GoesOn);
            does(&container, Who::Root, "kill -s 38 1");
            container.must_stop(0, &["poweroff asked for"]);
        }));
    }
    for (end, how, code) in [("exit 5", "by 5", 5), ("die TERM", "of our own SIGTERM, which is how it was asked to", 0)]
    {
        let name = format!("after a poweroff, a main that ends {how} makes the container end by {code}");
        cases.push(Case::new(name, move || {
            let scene = Scene::new();
            let container = Container::start(&scene, Trixie, &Setting { end, ..Setting::PLAIN });
            assert_eq!(container.types(Who::Root, "kill -s 38 1").exit, Exit::Code(0));
            container.must_stop(code, &["poweroff asked for"]);
        }));
    }
    cases.push(Case::new("after a stop from outside, a main that died of SIGTERM is told as that", || {
        let scene = Scene::new();
        let container = Container::start(&scene, Trixie, &Setting { end: "die TERM", ..Setting::PLAIN });
        container.signals(libc::SIGTERM);
        container.must_stop(143, &[]);
    }));
    for root in [Bookworm, Sysvinit, Trixie] {
        let name = format!("31: in {}, no runlevel is on record while all are being stopped", root.name());
        cases.push(Case::new(name, move || {
            let scene = Scene::new();
            let mut container = Container::start(&scene, root, &Setting::PLAIN);
            assert_eq!(container.types(Who::Root, "kill -s 38 1").exit, Exit::Code(0));
            container.hear(&["one: got 15 "]);
            let records = fs::read(container.file("/run/utmp")).unwrap_or_default();
            // ut_type 1 is RUN_LVL, at the beginning of 384 bytes.
            assert!(records.chunks(384).all(|record| !record.starts_with(&[1, 0])), "{records:?}");
            container.must_stop(0, &["poweroff asked for"]);
        }));
    }
    for root in [Bookworm, Trixie, Sysvinit, Busybox] {
        let name = format!("33: in {}, nothing looks as if systemd ran", root.name());
        cases.push(Case::new(name, move || {
            let scene = Scene::new();
            let container = Container::start(&scene, root, &Setting::PLAIN);
            assert_eq!(container.types(Who::Root, "[ ! -e /run/systemd/system ]").exit, Exit::Code(0));
            container.must_go_on(&[]);
        }));
    }
    cases
}

/// Looks at /run when process 1 has ended, by a folder that was opened before.
fn directory(before: &'static str, kept: &str) {
    let scene = Scene::new();
    let container = Container::start(&scene, Trixie, &Setting { before, ..Setting::PLAIN });
    let run = File::open(container.file("/run")).expect("it is there");
    let seen = |name: &str| PathBuf::from(format!("/proc/self/fd/{}/{name}", run.as_raw_fd()));
    assert!(seen("supervise/ctl").exists(), "no control socket");
    if kept.contains('/') {
        File::create(seen(kept)).expect("the folder is there");
    }
    container.must_go_on(&[]);
    let left = [seen("supervise").exists(), seen("supervise/ctl").exists(), seen("initctl").exists()];
    assert_eq!(left, [!kept.is_empty(), false, false]);
}

fn no_runlevel() {
    let scene = Scene::new();
    let container = Container::start(&scene, Trixie, &Setting { variables: &RUNLEVELS, ..Setting::PLAIN });
    let main = proc::children(container.pid())[0];
    assert!(proc::has_variable(main, &format!("PATH={PATH}")), "its environment can be read");
    for (name, value) in RUNLEVELS {
        assert!(!proc::has_variable(main, &format!("{name}={value}")), "{name} was handed on");
    }
    container.must_go_on(&[]);
}

fn control_socket() {
    let scene = Scene::new();
    let mut container = Container::start(&scene, Trixie, &Setting::PLAIN);
    // Whether the socket takes it or not.
    container.types(Who::User, ASK_DIRECTLY);
    assert_eq!(container.fate(), Fate::GoesOn);
    // The same words are understood, and root may say them.
    let asked = container.types(Who::Root, ASK_DIRECTLY);
    assert_eq!(asked.exit, Exit::Code(0), "{asked:?}");
    container.must_stop(0, &["poweroff asked for", "the control socket"]);
}

/// Sends process 1 messages: `say(VERB, PID, UID)`.
const SAY: &str = r#"
use Socket;
socket(my $socket, PF_UNIX, SOCK_DGRAM, 0) or die;
my $door = sockaddr_un("/run/supervise/ctl");
sub say { send($socket, pack("a4 a a a C Q< C l< L< a15 C a220", "SVc4", $_[0], "p", "o", 0, 0, 0, $_[1], $_[2], "x", 0, ""), 0, $door) or die $! }
"#;

fn perl(script: &str) -> String {
    format!("exec perl -e '{SAY}{script}'")
}

#[track_caller]
fn does(container: &Container<'_>, who: Who, line: &str) {
    let done = container.types(who, line);
    assert_eq!(done.exit, Exit::Code(0), "{line}: {done:?}");
}

/// What process 1 has said when it is over; nothing has come of what was asked for.
#[track_caller]
fn said(mut container: Container<'_>) -> Vec<String> {
    assert_eq!(container.fate(), Fate::GoesOn);
    container.signals(libc::SIGTERM);
    assert_eq!(container.fate(), Fate::Stops);
    container.end().2
}

#[track_caller]
fn must_count(log: &[String], words: &[&str], count: usize) {
    let found = log.iter().filter(|line| words.iter().all(|word| line.contains(word))).count();
    assert_eq!(found, count, "{words:?} in {log:#?}");
}

fn flood() {
    let scene = Scene::new();
    let mut container = Container::start(&scene, Trixie, &Setting::PLAIN);
    does(&container, Who::User, &perl(r#"say("?", 0, 0)"#));
    assert_eq!(container.fate(), Fate::GoesOn);
    does(&container, Who::User, &perl(r#"for (1 .. 250) { say($_, 0, 0) for "e", "s", "w", "c" }"#));
    let log = said(container);
    must_count(&log, &["refused"], 1);
    must_count(
        &log,
        &["poweroff asked for by perl (pid ", ", uid 1000) through the control socket; refused: only root may"],
        1,
    );
}

fn for_another() {
    let scene = Scene::new();
    let mut container = Container::start(&scene, Trixie, &Setting::PLAIN);
    // Before process 1 has read a first message, the kernel does not say who sends.
    does(&container, Who::User, &perl(r#"say("?", 0, 0)"#));
    assert_eq!(container.fate(), Fate::GoesOn);
    does(&container, Who::Root, &perl(r#"say("e", 1, 0)"#));
    let log = said(container);
    // Who has sent a message and ended may have no name any more.
    must_count(&log, &["poweroff asked for by ", ", uid 0)", "refused: it may not speak for others"], 1);
}

fn garbage() {
    let scene = Scene::new();
    let container = Container::start(&scene, Trixie, &Setting::PLAIN);
    does(&container, Who::User, &perl(r#"for (1 .. 100) { send($socket, "x" x $_, 0, $door) or die }"#));
    does(&container, Who::Root, "for i in 1 2 3; do echo x >/run/initctl; done");
    let log = said(container);
    for way in ["the control socket", "/run/initctl"] {
        must_count(&log, &["what came through", way, "is no request; ignoring it, and more of its kind for 10 s"], 1);
    }
}

fn idle() {
    let scene = Scene::new();
    let container = Container::start(&scene, Trixie, &Setting { ours: true, ..Setting::PLAIN });
    does(&container, Who::Root, "for i in $(seq 20); do telinit 3 || exit 1; done; shutdown -k +5; shutdown -k +5");
    let log = said(container);
    must_count(&log, &["a container has no runlevels; nothing happens"], 1);
    must_count(&log, &["a poweroff comes in"], 1);
}

fn group() {
    let scene = Scene::new();
    // Of Debian's groups `operator` has nobody in it: 37.
    let setting = Setting { ours: true, options: &["--ctl-group", "operator"], ..Setting::PLAIN };
    let mut container = Container::start(&scene, Trixie, &setting);
    let asked = container.types(Who::User, "poweroff");
    let refused = "poweroff: must be root, or a member of --ctl-group, for /run/supervise/ctl";
    assert_eq!((asked.exit, &asked.stderr[..]), (Exit::Code(1), &[refused.to_owned()][..]));
    assert_ne!(container.types(Who::User, "supervise ctl status").exit, Exit::Code(0));
    assert_eq!(container.fate(), Fate::GoesOn);
    does(&container, Who::Root, "setpriv --reuid 1000 --regid 37 --clear-groups poweroff");
    container.read_log(&["poweroff asked for by poweroff (pid ", "uid 1000) through the control socket; stopping"]);
    container.must_stop(0, &[]);
}

fn emptied(setting: &Setting) {
    let scene = Scene::new();
    let container = Container::start(&scene, Trixie, setting);
    // What comes back at once may be in the way of its folder's removal.
    let emptied = container.types(Who::Root, "rm -rf /run/*");
    assert!(matches!(emptied.exit, Exit::Code(0 | 1)), "{emptied:?}");
    let mut wanted = vec!["/run/initctl", "/run/supervise/ctl"];
    if setting.is_systemd() {
        wanted.extend(["/run/systemd/private", "/run/dbus/system_bus_socket"]);
    }
    for path in wanted {
        scene.deadline.until(&format!("{path} to come back"), || container.file(path).exists().then_some(()));
    }
    does(&container, Who::Root, "systemctl poweroff");
    let way = if setting.is_systemd() { "the systemd bus" } else { "the control socket" };
    container.must_stop(0, &["poweroff asked for by systemctl", way]);
}

fn initctl() {
    let scene = Scene::new();
    let container = Container::start(&scene, Trixie, &Setting::PLAIN);
    let written = container.types(Who::User, "echo >/run/initctl");
    assert_ne!(written.exit, Exit::Code(0), "{written:?}");
    assert!(written.stderr.join(" ").contains("Permission denied"), "{written:?}");
    container.must_go_on(&[]);
}
