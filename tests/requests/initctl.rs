//! `/run/initctl`: what is no request, too many requests, and what happens to the file itself.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::Path;
use std::thread;

use crate::container::{Container, Fate, Setting, Who};
use crate::harness::{Exit, Scene};
use crate::roots::Root::{Sysvinit, Trixie};
use crate::runner::Case;

const FIFO: &str = "/run/initctl";
/// `struct init_request` of sysvinit's initreq.h: magic, command, runlevel, seconds, and room for more.
const RECORD: usize = 384;
const SET_RUNLEVEL: i32 = 1;
const MAGIC: i32 = 0x0309_1969;

/// What stands there before process 1 starts, as a shell makes it.
const STALE: [(&str, &str); 5] = [
    ("a FIFO", "mkfifo -m 666 /run/initctl"),
    ("a file", "echo stale >/run/initctl"),
    ("a link", "ln -s /etc/passwd /run/initctl"),
    ("a link to nowhere", "ln -s /nowhere /run/initctl"),
    ("an empty folder", "mkdir /run/initctl"),
];

pub(crate) fn cases() -> Vec<Case> {
    let garbage = garbage().into_iter().map(|(what, writes)| {
        let name = format!("25: after {what} in /run/initctl, a poweroff is heard");
        Case::new(name, move || is_heard_after(&writes))
    });
    let stale = STALE.iter().map(|(what, before)| {
        let name = format!("28: {what} at /run/initctl is replaced at the start, and logins are open again");
        Case::new(name, move || starts_over(before))
    });
    garbage
        .chain(stale)
        .chain([
            Case::new("26: five hundred requests at once are one shutdown", many_writers),
            Case::new("25: a poweroff behind more records than one read brings is heard", behind_many),
            Case::new("27: a FIFO that was removed comes back", || comes_back(|fifo| fs::remove_file(fifo))),
            Case::new("27: a FIFO in whose place a file was put comes back", || {
                comes_back(|fifo| replace(fifo, |other| fs::write(other, "")))
            }),
            Case::new("27: a FIFO in whose place a link was put comes back", || {
                comes_back(|fifo| replace(fifo, |other| symlink("/etc/passwd", other)))
            }),
            Case::new(
                "27: a FIFO in whose place a folder with something in it was put comes back when that is gone",
                comes_back_late,
            ),
            Case::new(
                "28: a folder with something in it at /run/initctl is left alone, and signals are heard",
                left_alone,
            ),
            Case::new("a /dev/initctl that was removed comes back when /run/initctl is offered again", link_comes_back),
            Case::new("29: process 1 sleeps when a writer is gone", || sleeps_after(1)),
            Case::new("26: process 1 sleeps when five hundred writers are gone", || sleeps_after(500)),
            Case::new("14a: sysvinit-core's own script leaves all as it is, and /dev/initctl comes back", postinst),
        ])
        .collect()
}

fn record(command: i32, runlevel: u8) -> Vec<u8> {
    let words = [MAGIC, command, i32::from(runlevel), 0].map(i32::to_ne_bytes).concat();
    [words, vec![0; RECORD - 16]].concat()
}

/// What is no request, each in as many writes as there are.
fn garbage() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let unknown = record(99, b'0');
    let valid = record(SET_RUNLEVEL, b'q');
    // Xorshift: the same bytes in each run.
    let noise = std::iter::successors(Some(0x9e37_79b9_u32), |last| {
        let mut next = last ^ (last << 13);
        next ^= next >> 17;
        Some(next ^ (next << 5))
    });
    let noise: Vec<u8> = noise.take(1024).flat_map(u32::to_ne_bytes).collect();
    let bytes_before = [&noise[..100], &valid[..]].concat();
    vec![
        ("4 bytes", vec![valid[..4].to_vec()]),
        ("100 bytes", vec![noise[..100].to_vec()]),
        ("384 zero bytes", vec![vec![0; RECORD]]),
        ("an unknown command", vec![unknown]),
        ("4096 random bytes", vec![noise.clone()]),
        ("a record in two writes", vec![valid[..200].to_vec(), valid[200..].to_vec()]),
        ("garbage with a record behind it", vec![bytes_before]),
    ]
}

fn write(fifo: &Path, bytes: &[u8]) -> std::io::Result<()> {
    File::options().write(true).open(fifo)?.write_all(bytes)
}

fn is_heard_after(writes: &[Vec<u8>]) {
    let scene = Scene::new();
    let mut container = Container::start(&scene, Trixie, &Setting::PLAIN);
    for bytes in writes {
        write(&container.file(FIFO), bytes).expect("the FIFO is there");
        assert_eq!(container.fate(), Fate::GoesOn);
    }
    poweroff(container);
}

/// By systemd's own client.
#[track_caller]
fn poweroff(container: Container<'_>) {
    assert_eq!(container.types(Who::Root, "poweroff").exit, Exit::Code(0));
    container.must_stop(0, &["poweroff asked for through /run/initctl"]);
}

fn many_writers() {
    let scene = Scene::new();
    let container = Container::start(&scene, Trixie, &Setting::PLAIN);
    let fifo = container.file(FIFO);
    thread::scope(|scope| {
        for _ in 0..500 {
            // Some come too late, when nobody reads any more.
            scope.spawn(|| write(&fifo, &record(SET_RUNLEVEL, b'0')));
        }
    });
    let told = container.heard.iter().filter(|line| line.contains(": got 15 ")).count();
    assert_eq!(told, 0, "it was heard before it was read");
    container.must_stop(0, &["poweroff asked for through /run/initctl"]);
}

fn behind_many() {
    let scene = Scene::new();
    let container = Container::start(&scene, Trixie, &Setting::PLAIN);
    // One page holds ten records and the beginning of another.
    let waiting = [record(99, b'0').repeat(10), record(SET_RUNLEVEL, b'0')].concat();
    write(&container.file(FIFO), &waiting).expect("the FIFO is there");
    container.must_stop(0, &["poweroff asked for through /run/initctl"]);
}

fn is_fifo(path: &Path) -> bool {
    let found = fs::symlink_metadata(path);
    found.is_ok_and(|found| found.file_type().is_fifo() && found.permissions().mode() & 0o777 == 0o600)
}

/// In one step: what was removed may be there again.
fn replace(fifo: &Path, make: impl Fn(&Path) -> std::io::Result<()>) -> std::io::Result<()> {
    let other = fifo.with_file_name("other");
    make(&other)?;
    fs::rename(other, fifo)
}

fn comes_back(goes: impl Fn(&Path) -> std::io::Result<()>) {
    let scene = Scene::new();
    let container = Container::start(&scene, Trixie, &Setting::PLAIN);
    let fifo = container.file(FIFO);
    goes(&fifo).expect("we may do that");
    scene.deadline.until("the FIFO to come back", || is_fifo(&fifo).then_some(()));
    poweroff(container);
}

fn comes_back_late() {
    let scene = Scene::new();
    let mut container = Container::start(&scene, Trixie, &Setting::PLAIN);
    let fifo = container.file(FIFO);
    // Taken away in one step with what stands there, it would be back at once.
    let exchange = "mkdir -p /run/other/full && perl -e '
        syscall(316, -100, my $from = \"/run/other\", -100, my $to = \"/run/initctl\", 2) and die $!'";
    assert_eq!(container.types(Who::Root, exchange).exit, Exit::Code(0));
    container.read_log(&["cannot offer /run/initctl: directory not empty; going on without"]);
    assert_eq!(container.types(Who::Root, "rm -r /run/initctl").exit, Exit::Code(0));
    scene.deadline.until("the FIFO to come back", || is_fifo(&fifo).then_some(()));
    poweroff(container);
}

fn left_alone() {
    let scene = Scene::new();
    let setting = Setting { before: "mkdir -p /run/initctl/full", ..Setting::PLAIN };
    let mut container = Container::start(&scene, Trixie, &setting);
    container.read_log(&["cannot offer /run/initctl: directory not empty; going on without"]);
    assert!(container.file("/run/initctl/full").exists());
    assert_eq!(container.types(Who::Root, "kill -s 38 1").exit, Exit::Code(0));
    container.must_stop(0, &["poweroff asked for"]);
}

fn link_comes_back() {
    let scene = Scene::new();
    let container = Container::start(&scene, Trixie, &Setting::PLAIN);
    let (fifo, link) = (container.file(FIFO), container.file(LINK));
    fs::remove_file(&link).expect("it is there");
    fs::remove_file(&fifo).expect("it is there");
    scene.deadline.until("the FIFO to come back", || is_fifo(&fifo).then_some(()));
    scene.deadline.until("/dev/initctl to come back", || leads_to_the_fifo(&link).then_some(()));
    poweroff(container);
}

fn starts_over(before: &'static str) {
    let before = format!("{before}; echo closed >/run/nologin");
    let scene = Scene::new();
    // What a row says is never dropped, and what is made here is so little that it does not matter.
    let setting = Setting { before: before.leak(), ..Setting::PLAIN };
    let container = Container::start(&scene, Trixie, &setting);
    assert!(is_fifo(&container.file(FIFO)), "no FIFO of mode 600");
    assert!(!container.file("/run/nologin").exists(), "logins are still closed");
    assert!(fs::read_to_string(container.file("/etc/passwd")).is_ok_and(|text| text.starts_with("root:")));
    poweroff(container);
}

fn sleeps_after(writers: u32) {
    let scene = Scene::new();
    let mut container = Container::start(&scene, Trixie, &Setting::PLAIN);
    let fifo = container.file(FIFO);
    thread::scope(|scope| {
        for _ in 0..writers {
            // It may be full.
            scope.spawn(|| write(&fifo, &record(99, b'0')));
        }
    });
    assert_eq!(container.fate(), Fate::GoesOn);
    let path = format!("/proc/{}/schedstat", container.pid());
    // Nanoseconds on a processor, nanoseconds of waiting for one, and how often it had one (proc-schedstat.rst).
    let read = || fs::read_to_string(&path).expect("process 1 is there");
    // It answers before it goes to sleep again.
    scene.deadline.until("process 1 to sleep", || {
        let state = crate::harness::proc::state(container.pid());
        (state == Some('S')).then_some(())
    });
    let before = read();
    for _ in 0..20 {
        assert_eq!(container.types(Who::Root, "true").exit, Exit::Code(0));
    }
    assert_eq!(read(), before, "it has run meanwhile");
    container.must_go_on(&[]);
}

/// It sends SIGUSR1 and calls `init u`; then it removes /dev/initctl.
const POSTINST: &str = "sh /var/lib/dpkg/info/sysvinit-core.postinst configure";

/// For clients of old.
const LINK: &str = "/dev/initctl";

fn leads_to_the_fifo(link: &Path) -> bool {
    fs::read_link(link).is_ok_and(|target| target == Path::new(FIFO))
}

fn postinst() {
    let scene = Scene::new();
    let container = Container::start(&scene, Sysvinit, &Setting::PLAIN);
    let link = container.file(LINK);
    assert!(leads_to_the_fifo(&link), "it is not there");
    let done = container.types(Who::Root, POSTINST);
    assert_eq!(done.exit, Exit::Code(0), "{done:?}");
    scene.deadline.until("/dev/initctl to come back", || leads_to_the_fifo(&link).then_some(()));
    // By any other hand, too.
    fs::remove_file(&link).expect("it is there");
    scene.deadline.until("/dev/initctl to come back", || leads_to_the_fifo(&link).then_some(()));
    container.must_go_on(&["re-execution asked for through /run/initctl"]);
}
