//! Who speaks for systemd's clients with `--systemd-compat`: a process that has no rights, may be killed, and hears whatever
//! anybody says.

use std::fs;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::bus::COMPAT;
use crate::container::{Container, Fate, Setting, Who};
use crate::harness::{Exit, Scene, proc};
use crate::roots::Root::{self, Bookworm, Sid, Trixie};
use crate::runner::Case;

const STATE: &str = "/usr/bin/systemctl is-system-running";
const POWEROFF: &str = "/usr/bin/systemctl poweroff";

/// What others than clients do with the sockets, in perl: `socket_at PATH` connects.
const CONNECT: &str = r#"
use Socket;
sub socket_at { socket(my $s, PF_UNIX, SOCK_STREAM, 0) or die; connect($s, sockaddr_un($_[0])) or die; return $s }
my ($private, $bus) = ("/run/systemd/private", "/run/dbus/system_bus_socket");
my $hello = "\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n";
"#;

/// Each with what it is, and what is said of it, if it waits until it is dropped.
const HOSTILE: [(&str, Who, &str, &[&str]); 7] = [
    (
        "a header of 1 GiB",
        Who::Root,
        r#"my $s = socket_at($private); syswrite $s, $hello . "l\1\0\1" . pack("L<3", 1 << 30, 1, 0); 1 while sysread $s, my $x, 100;"#,
        &["(uid 0) said is no D-Bus: "],
    ),
    (
        "noise",
        Who::Root,
        r#"srand 1; my $s = socket_at($private); syswrite $s, join "", map { chr rand 256 } 1 .. 9000; 1 while sysread $s, my $x, 100;"#,
        &["(uid 0) said is no D-Bus: "],
    ),
    (
        "an endless line",
        Who::User,
        r#"my $s = socket_at($bus); syswrite $s, "\0" . "x" x 9000; 1 while sysread $s, my $x, 100;"#,
        &["(uid 1000) said is no D-Bus: "],
    ),
    (
        "half a handshake",
        Who::User,
        r#"my $s = socket_at($bus); syswrite $s, "\0AUTH EXT"; 1 while sysread $s, my $x, 100;"#,
        SILENT,
    ),
    (
        "half a message",
        Who::Root,
        r#"my $s = socket_at($private); syswrite $s, $hello . "l\1\0\1"; shutdown $s, 1; 1 while sysread $s, my $x, 100;"#,
        &[],
    ),
    ("nothing", Who::User, r#"my $s = socket_at($bus); 1 while sysread $s, my $x, 100;"#, SILENT),
    ("a handshake and no more, and goes", Who::User, r#"my $s = socket_at($bus); syswrite $s, $hello;"#, &[]),
];
/// What is said of a user who does not come to a first message.
const SILENT: &[&str] = &["(uid 1000) has come to no first message in 5 s; saying no more of its kind for 10 s"];

pub(crate) fn cases() -> Vec<Case> {
    let hostile = HOSTILE.into_iter().map(|(what, who, script, said)| {
        Case::new(format!("30: after {what} on the bus, a poweroff is heard"), move || {
            is_heard_after(who, script, said)
        })
    });
    let mut cases = vec![
        Case::new("30: process 1 sleeps when nobody is left to speak for, and the next client is heard", sleeps),
        Case::new("30: silent users do not keep root out", || silent_peers(Who::User)),
        Case::new("30: silent peers of root are dropped in time", || silent_peers(Who::Root)),
        Case::new("30: a hundred requests at once are one shutdown", a_hundred_at_once),
        Case::new("30: after a reboot in the same container its clients are heard as before", begins_again),
        Case::new("30: who speaks has no rights", no_rights),
        Case::new("30: a speaker that is killed is missed by nobody", killed_between),
        Case::new("30: who waits while the speaker is killed is heard by the next one", killed_meanwhile),
        Case::new("30: a speaker that is stopped is replaced", stopped),
        Case::new("30: nobody (user 65534) can neither stop nor kill the speaker", nobody),
        Case::new("30: noise again and again is one line", noise_again_and_again),
        Case::new("30: a flood of users who come and go does not keep root out", a_flood),
        Case::new(
            "30: a speaker without descriptors sleeps, and hears who waits when it has some again",
            no_descriptors,
        ),
        Case::new("30: speakers that fail one after the other are no busy loop", failing),
        Case::new("30: a /run that cannot be written to is no reason not to go on", read_only),
        Case::new("30: what stands in the way is replaced", stale),
        Case::new("30: what was made is removed at the end", removed),
        Case::new("30: what somebody listens to is left alone", taken),
    ];
    cases.extend(hostile);
    for (how, before, why) in ROOT_STAYS {
        cases.push(Case::new(format!("30: {how} who speaks stays root, which is said"), move || {
            root_stays(before, why)
        }));
    }
    for root in [Bookworm, Trixie, Sid].into_iter().filter(|root| root.exists()) {
        let name =
            format!("30 and 9: in {}, a shutdown in a minute is shown and cancelled by systemd's client", root.name());
        cases.push(Case::new(name, move || scheduled(root)));
    }
    cases
}

/// perl in the container.
fn perl(script: &str) -> String {
    format!("exec perl -e '{CONNECT}{script}'")
}

#[track_caller]
fn does(container: &Container<'_>, line: &str) {
    let done = container.types(Who::Root, line);
    assert_eq!((done.exit, &done.stderr[..]), (Exit::Code(0), &[][..]), "{line}: {done:?}");
}

#[track_caller]
fn powers_off(mut container: Container<'_>) {
    does(&container, POWEROFF);
    container.read_log(&["poweroff asked for by systemctl (pid", "uid 0) through the systemd bus; stopping"]);
    container.must_stop(0, &["asked for"]);
}

/// The child of process 1 that is a copy of it.
fn speaker_of(container: &Container<'_>) -> Option<i32> {
    proc::children(container.pid()).into_iter().find(|pid| proc::name(*pid).as_deref() == Some("supervise"))
}

/// A speaker that has come to its work.
#[track_caller]
fn speaker(container: &Container<'_>) -> i32 {
    does(container, STATE);
    speaker_of(container).expect("it waits for others")
}

fn signal(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).expect("it is there");
}

fn is_heard_after(who: Who, script: &str, said: &[&str]) {
    let scene = Scene::new();
    let mut container = Container::start(&scene, Trixie, &COMPAT);
    let done = container.types(who, &perl(script));
    assert_eq!(done.exit, Exit::Code(0), "{done:?}");
    container.read_log(said);
    does(&container, POWEROFF);
    container.read_log(&["poweroff asked for by systemctl (pid"]);
    assert_eq!(complaints(&container), usize::from(!said.is_empty()), "{:#?}", container.log);
    container.must_stop(0, &["asked for"]);
}

/// How many lines tell of a connection that was dropped, of those that were read.
fn complaints(container: &Container<'_>) -> usize {
    container.log.iter().filter(|line| line.contains("dropped a connection to the systemd bus: ")).count()
}

fn noise_again_and_again() {
    let scene = Scene::new();
    let mut container = Container::start(&scene, Trixie, &COMPAT);
    let script =
        r#"for (1 .. 50) { my $s = socket_at($bus); syswrite $s, "noise\r\n"; 1 while sysread $s, my $x, 100; }"#;
    let done = container.types(Who::User, &perl(script));
    assert_eq!(done.exit, Exit::Code(0), "{done:?}");
    does(&container, POWEROFF);
    container.read_log(&["poweroff asked for by systemctl (pid"]);
    assert_eq!(complaints(&container), 1, "{:#?}", container.log);
    container.must_stop(0, &["(uid 1000) said is no D-Bus: ", "; saying no more of its kind for 10 s"]);
}

/// Users who come and go as fast as they can.
fn a_flood() {
    let scene = Scene::new();
    let mut container = Container::start(&scene, Trixie, &COMPAT);
    let script = r#"fork for 1 .. 3; my $told = 0;
        while (1) { my $s = eval { socket_at($bus) } or next; close $s; $told++ or syswrite STDOUT, "ready\n"; }"#;
    let mut users = container.begins(Who::User, &perl(script));
    for _ in 0..8 {
        assert_eq!(users.stdout().next().as_deref(), Some("ready"));
    }
    // Where not even the kernel takes more, the client goes to systemd's own socket, with a line of its own.
    for line in [STATE, POWEROFF] {
        assert_eq!(container.types(Who::Root, line).exit, Exit::Code(0), "{line}");
    }
    container.read_log(&["poweroff asked for by systemctl (pid"]);
    container.must_stop(0, &["poweroff asked for by systemctl (pid"]);
}

/// Nanoseconds that it was on a processor (proc-schedstat.rst).
fn time_on_a_processor(pid: i32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).expect("it is there");
    text.split(' ').next().and_then(|word| word.parse().ok()).expect("a number comes first")
}

fn no_descriptors() {
    let scene = Scene::new();
    // Fewer than it needs for as many as may be connected.
    let mut container = Container::start(&scene, Trixie, &Setting { before: "ulimit -n 14", ..COMPAT });
    let speaker = speaker(&container);
    let script = r#"my @all = map { socket_at($private) } 1 .. 12; syswrite STDOUT, "ready\n"; <STDIN>;"#;
    let mut peers = container.begins(Who::Root, &perl(script));
    assert_eq!(peers.stdout().next().as_deref(), Some("ready"));
    container.read_log(&["cannot accept a connection to the systemd bus: no file descriptors available; it waits"]);
    let (begin, before) = (Instant::now(), time_on_a_processor(speaker));
    for _ in 0..20 {
        does(&container, "true");
    }
    let (took, waited) = (time_on_a_processor(speaker) - before, begin.elapsed().as_nanos());
    assert!(u128::from(took) * 10 < waited, "it ran {took} ns of {waited}");
    drop(peers);
    powers_off(container);
}

fn sleeps() {
    let scene = Scene::new();
    let container = Container::start(&scene, Trixie, &COMPAT);
    let first = speaker(&container);
    scene.deadline.until("the speaker to end", || (speaker_of(&container) != Some(first)).then_some(()));
    assert_eq!(speaker_of(&container), None);
    let path = format!("/proc/{}/schedstat", container.pid());
    // Nanoseconds on a processor, nanoseconds of waiting for one, and how often it had one (proc-schedstat.rst).
    let read = || fs::read_to_string(&path).expect("process 1 is there");
    scene.deadline.until("process 1 to sleep", || (proc::state(container.pid()) == Some('S')).then_some(()));
    let before = read();
    for _ in 0..20 {
        does(&container, "true");
    }
    assert_eq!(read(), before, "it has run meanwhile");
    powers_off(container);
}

/// More than may be open at once.
fn silent_peers(who: Who) {
    let scene = Scene::new();
    let mut container = Container::start(&scene, Trixie, &COMPAT);
    let (path, said) = match who {
        Who::Root => ("$private", "(uid 0) has come to no first message in 5 s"),
        Who::User => ("$bus", "too many others than root have connected"),
    };
    let script =
        format!("my @all = map {{ socket_at({path}) }} 1 .. 40; print \"ready\\n\"; $| = 1; print \"\"; <STDIN>;");
    let mut peers = container.begins(who, &perl(&script));
    assert_eq!(peers.stdout().next().as_deref(), Some("ready"));
    does(&container, POWEROFF);
    container.read_log(&["poweroff asked for by systemctl (pid"]);
    assert_eq!(complaints(&container), 1, "{:#?}", container.log);
    container.must_stop(0, &["dropped a connection to the systemd bus: ", said]);
}

fn a_hundred_at_once() {
    let scene = Scene::new();
    let mut container = Container::start(&scene, Trixie, &COMPAT);
    let each = format!(
        "for i in $(seq 100); do {POWEROFF} & all=\"$all $!\"; done; for one in $all; do wait $one || exit 1; done"
    );
    does(&container, &each);
    container.read_log(&["poweroff asked for", "through the systemd bus; stopping"]);
    let told = container.heard.iter().filter(|line| line.contains(": got 15 ")).count();
    assert_eq!(told, 0, "it was heard before it was read");
    container.must_stop(0, &["all are being stopped already, and nothing begins again"]);
}

fn begins_again() {
    let scene = Scene::new();
    let options = &["--systemd-compat", "--on-reboot", "restart"];
    let mut container = Container::start(&scene, Trixie, &Setting { options, ..COMPAT });
    does(&container, "/usr/bin/systemctl reboot");
    container.read_log(&["reboot asked for by systemctl", "the systemd bus"]);
    assert_eq!(container.fate(), Fate::Stops);
    container.heard.clear();
    container.hear(&["one: ready", "two: ready"]);
    container.heard.clear();
    container.log.clear();
    powers_off(container);
}

fn no_rights() {
    let scene = Scene::new();
    let container = Container::start(&scene, Trixie, &COMPAT);
    let speaker = speaker(&container);
    for (name, value) in [
        ("Uid", "65521\t65521\t65521\t65521"),
        ("Gid", "65521\t65521\t65521\t65521"),
        ("Groups", ""),
        ("CapPrm", "0000000000000000"),
        ("CapEff", "0000000000000000"),
        ("NoNewPrivs", "1"),
    ] {
        assert_eq!(proc::status(speaker, name).as_deref(), Some(value), "{name}");
    }
    // Its memory is root's, so that nobody of its user traces it.
    let owner = fs::metadata(format!("/proc/{speaker}/mem")).map(|memory| std::os::unix::fs::MetadataExt::uid(&memory));
    assert_eq!(owner.ok(), Some(0));
    powers_off(container);
}

fn killed_between() {
    let scene = Scene::new();
    let mut container = Container::start(&scene, Trixie, &COMPAT);
    for _ in 0..3 {
        let speaker = speaker(&container);
        signal(speaker, Signal::SIGKILL);
        container.read_log(&["was ended by SIGKILL; the next client gets another"]);
        container.log.clear();
    }
    powers_off(container);
}

/// As many connections as are open at once, which say nothing, so that the next one waits.
fn killed_meanwhile() {
    let scene = Scene::new();
    let mut container = Container::start(&scene, Trixie, &COMPAT);
    let speaker = speaker(&container);
    // It may not have come to the end of the client that has called it.
    scene.deadline.until("the speaker to sleep", || (proc::state(speaker) == Some('S')).then_some(()));
    let before = proc::descriptors(speaker).len();
    let script = r#"my @all = map { socket_at($private) } 1 .. 16; syswrite STDOUT, "ready\n"; <STDIN>;"#;
    let mut peers = container.begins(Who::Root, &perl(script));
    assert_eq!(peers.stdout().next().as_deref(), Some("ready"));
    scene.deadline.until("all to be accepted", || (proc::descriptors(speaker).len() >= before + 16).then_some(()));
    let client = container.begins(Who::Root, &format!("exec {POWEROFF}"));
    scene.deadline.until("the client to wait", || {
        let pid = *proc::children(client.outer_pid()).first()?;
        let is_connected =
            proc::descriptors(pid).iter().any(|(fd, to)| *fd > 2 && to.to_string_lossy().starts_with("socket"));
        (is_connected && proc::name(pid)? == "systemctl" && proc::state(pid) == Some('S')).then_some(())
    });
    signal(speaker, Signal::SIGKILL);
    assert_eq!(client.end().exit, Exit::Code(0));
    container.read_log(&["poweroff asked for by systemctl"]);
    container.must_stop(0, &["was ended by SIGKILL"]);
}

fn stopped() {
    let scene = Scene::new();
    let mut container = Container::start(&scene, Trixie, &COMPAT);
    let speaker = speaker(&container);
    signal(speaker, Signal::SIGSTOP);
    container.read_log(&["which speaks for systemd's clients, was stopped by SIGSTOP; killing it"]);
    container.read_log(&["was ended by SIGKILL; the next client gets another"]);
    powers_off(container);
}

/// Whoever a container's services run as when they are to be nobody.
fn nobody() {
    let scene = Scene::new();
    let container = Container::start(&scene, Trixie, &COMPAT);
    let pid = proc::inner_pid(speaker(&container)).expect("it waits for others");
    for signal in ["STOP", "KILL"] {
        let line = format!("setpriv --reuid=65534 --regid=65534 --clear-groups sh -c 'kill -s {signal} {pid}'");
        let done = container.types(Who::Root, &line);
        assert_ne!(done.exit, Exit::Code(0), "{done:?}");
        assert!(done.stderr.iter().any(|line| line.contains("Operation not permitted")), "{done:?}");
    }
    powers_off(container);
}

/// What must be missing for the speaker to stay root, and what is said of it.
const ROOT_STAYS: [(&str, &str, &str); 3] = [
    ("without CAP_SETUID", r#"set -- setpriv --bounding-set=-setuid -- "$@""#, "CAP_SETUID is missing"),
    ("without CAP_SETGID", r#"set -- setpriv --bounding-set=-setgid -- "$@""#, "CAP_SETGID is missing"),
    (
        "in a user namespace of one user",
        r#"set -- unshare --user --map-root-user -- "$@""#,
        "the user namespace has no user 65521",
    ),
];

fn root_stays(before: &'static str, why: &str) {
    let scene = Scene::new();
    let mut container = Container::start(&scene, Trixie, &Setting { before, ..COMPAT });
    container.read_log(&[
        "cannot make the process that speaks for systemd's clients another user: ",
        why,
        "; it goes on",
    ]);
    let speaker = speaker(&container);
    for (name, value) in [("CapPrm", "0000000000000000"), ("CapEff", "0000000000000000"), ("NoNewPrivs", "1")] {
        assert_eq!(proc::status(speaker, name).as_deref(), Some(value), "{name}");
    }
    let ids = ["Uid", "Gid"].map(|name| proc::status(speaker, name).unwrap_or_default());
    assert!(ids.iter().any(|ids| ids.starts_with("0\t")), "{ids:?}");
    powers_off(container);
}

fn failing() {
    let scene = Scene::new();
    let mut container = Container::start(&scene, Trixie, &COMPAT);
    // Without it nobody can ask process 1 for anything.
    does(&container, "rm /run/supervise/ctl && mkdir -p /run/supervise/ctl/full");
    let asked = container.types(Who::Root, STATE);
    assert_ne!(asked.exit, Exit::Code(0), "{asked:?}");
    container.read_log(&["has failed", "going on without --systemd-compat"]);
    let failed = container.log.iter().filter(|line| line.contains("the next client gets another")).count();
    assert_eq!(failed, 7, "{:#?}", container.log);
    // So systemd's client goes another way.
    assert!(!container.file("/run/systemd/system").exists());
    assert_eq!(container.types(Who::Root, "/usr/sbin/poweroff").exit, Exit::Code(0));
    container.must_stop(0, &["poweroff asked for through /run/initctl"]);
}

fn read_only() {
    let scene = Scene::new();
    let setting = Setting { before: "mount -t tmpfs -o ro tmpfs /run", ..COMPAT };
    let container = Container::start(&scene, Trixie, &setting);
    container.must_go_on(&["--systemd-compat needs the control socket; going on without"]);
}

fn stale() {
    let scene = Scene::new();
    let before = "mkdir -p /run/systemd/system /run/dbus; echo >/run/systemd/private; ln -s /etc/passwd /run/dbus/system_bus_socket";
    let container = Container::start(&scene, Trixie, &Setting { before, ..COMPAT });
    does(&container, "/usr/sbin/shutdown -c");
    assert!(fs::read_to_string(container.file("/etc/passwd")).is_ok_and(|text| text.starts_with("root:")));
    powers_off(container);
}

/// Another process 1 in the same /run.
const INNER: &str =
    "env -u SUPERVISE_REQUESTS unshare --pid --fork --mount-proc --kill-child supervise --systemd-compat --";

fn removed() {
    let scene = Scene::new();
    let container = Container::start(&scene, Trixie, &Setting { options: &["--requests", "off"], ..Setting::PLAIN });
    let line = format!(
        "{INNER} sh -c 'test -d /run/systemd/system && test -S /run/systemd/private && test -S /run/dbus/system_bus_socket' \
         && test ! -e /run/systemd && test ! -e /run/dbus"
    );
    does(&container, &line);
    container.must_go_on(&[]);
}

/// Listens at systemd's socket before process 1 starts.
const LISTEN: &str = r#"mkdir -p /run/systemd; perl -e 'use Socket; socket(my $s, PF_UNIX, SOCK_STREAM, 0) or die;
    bind($s, sockaddr_un("/run/systemd/private")) or die; listen($s, 9) or die; fork and exit; sleep'"#;

fn taken() {
    let scene = Scene::new();
    let container = Container::start(&scene, Trixie, &Setting { before: LISTEN, ..COMPAT });
    assert!(!container.file("/run/systemd/system").exists());
    assert_eq!(container.types(Who::Root, "/usr/sbin/poweroff").exit, Exit::Code(0));
    container.must_stop(0, &["cannot offer /run/systemd/private: address in use; going on without --systemd-compat"]);
}

fn scheduled(root: Root) {
    let scene = Scene::new();
    let mut container = Container::start(&scene, root, &COMPAT);
    let nologin = container.file("/run/nologin");
    let told = container.types(Who::Root, "/usr/sbin/shutdown -r +1 'back soon'");
    assert_eq!(told.exit, Exit::Code(0), "{told:?}");
    let [line] = &told.stderr[..] else { panic!("{told:?}") };
    assert!(line.starts_with("Reboot scheduled for ") && line.ends_with(", use 'shutdown -c' to cancel."), "{told:?}");
    container.read_log(&["a reboot is scheduled in", "back soon"]);
    scene.deadline.until("/run/nologin to be there", || nologin.exists().then_some(()));
    let shown = container.types(Who::Root, "/usr/sbin/shutdown --show");
    assert_eq!((shown.exit, shown.stderr.len()), (Exit::Code(0), 1), "{shown:?}");
    assert!(shown.stderr[0].starts_with("Reboot scheduled for "), "{shown:?}");
    does(&container, "/usr/sbin/shutdown -c 'we stay'");
    container.read_log(&["a reboot is cancelled", "we stay"]);
    scene.deadline.until("/run/nologin to be gone", || (!nologin.exists()).then_some(()));
    assert_eq!(container.types(Who::Root, "/usr/sbin/shutdown --show").exit, Exit::Code(1));
    // What is only said is scheduled for nobody else.
    let warned = container.types(Who::Root, "/usr/sbin/shutdown -k -r +5 'only a test'");
    assert_eq!((warned.exit, warned.stderr.len()), (Exit::Code(0), 1), "{warned:?}");
    assert!(warned.stderr[0].starts_with("Reboot scheduled for "), "{warned:?}");
    // Its text is not passed on by systemd's client.
    container.read_log(&["a reboot comes in"]);
    assert_eq!(container.types(Who::Root, "/usr/sbin/shutdown --show").exit, Exit::Code(1));
    if root != Bookworm {
        let told = container.types(Who::Root, "/usr/bin/systemctl poweroff --when=+5min");
        assert_eq!(told.exit, Exit::Code(0), "{told:?}");
        container.read_log(&["a poweroff is scheduled in 300 s"]);
    }
    container.must_go_on(&[]);
}
