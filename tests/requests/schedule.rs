//! `shutdown` at a time, by our own client. (The others' clients cannot say it: see rows 5 and 6.)

use std::fs::{self, File};
use std::os::fd::AsRawFd;

use crate::container::{Container, Fate, Setting, Who};
use crate::harness::running::Ended;
use crate::harness::{Exit, Scene};
use crate::roots::Root::{self, Bookworm, Sid, Sysvinit, Trixie};
use crate::runner::Case;

const OURS: Setting = Setting { ours: true, ..Setting::PLAIN };

/// A shell's line that shuts down at the next full minute, or at the one after that where it is too near.
const AT_A_TIME: &str = "shutdown $(date --date='now + 65 seconds' +%H:%M) see you";

/// The one that takes a minute is the first, so that it is not the last that everybody waits for.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = vec![Case::new("10: a shutdown at a time of the clock comes at that time", at_a_time)];
    cases.push(Case::new("9: terminals are told of a shutdown, and why it is cancelled", told_at_terminals));
    cases.push(Case::new("9: terminals are told of an end that comes now instead of a later one", told_of_an_end));
    cases.push(Case::new(
        "9: while all are being stopped nothing is scheduled, and there is nothing to cancel",
        stopping,
    ));
    cases.push(Case::new("9: logins that others have closed stay closed", closed_by_others));
    cases.push(Case::new("9: a FIFO that is offered again leaves logins closed", stays_closed));
    cases.push(Case::new("9: logins are open again when a later shutdown takes the place of a near one", opens_again));
    for root in [Bookworm, Trixie, Sid, Sysvinit].into_iter().filter(|root| root.exists()) {
        let name = format!("9: in {} and our clients, a shutdown in a minute is cancelled", root.name());
        cases.push(Case::new(name, move || cancelled(root)));
    }
    cases
}

fn at_a_time() {
    let scene = Scene::new();
    let mut container = Container::start(&scene, Trixie, &OURS);
    is_done(&container.types(Who::Root, AT_A_TIME));
    container.read_log(&["poweroff", "see you"]);
    container.hear(&["one: got 15 "]);
    container.must_stop(0, &["poweroff"]);
}

fn cancelled(root: Root) {
    let scene = Scene::new();
    let mut container = Container::start(&scene, root, &OURS);
    let nologin = container.file("/run/nologin");
    let scheduled = container.types(Who::Root, "shutdown +1 'back soon'");
    is_done(&scheduled);
    assert!(scheduled.stderr.iter().any(|line| line.contains("shutdown -c")), "{scheduled:?}");
    container.read_log(&["back soon"]);
    scene.deadline.until("/run/nologin to be there", || nologin.exists().then_some(()));
    is_done(&container.types(Who::Root, "shutdown -c"));
    scene.deadline.until("/run/nologin to be gone", || (!nologin.exists()).then_some(()));
    container.must_go_on(&["cancelled"]);
}

const NOLOGIN: &str = "/run/nologin";

fn closed_by_others() {
    let scene = Scene::new();
    let mut container = Container::start(&scene, Trixie, &OURS);
    let run = File::open(container.file("/run")).expect("it is there");
    is_done(&container.types(Who::Root, "echo for good >/run/nologin; shutdown +60; shutdown -c; shutdown +1"));
    container.read_log(&["closes logins"]);
    container.must_go_on(&["is cancelled"]);
    // Process 1 has ended.
    let left = fs::read_to_string(format!("/proc/self/fd/{}/nologin", run.as_raw_fd()));
    assert_eq!(left.ok().as_deref(), Some("for good\n"));
}

fn stays_closed() {
    let scene = Scene::new();
    let mut container = Container::start(&scene, Trixie, &OURS);
    is_done(&container.types(Who::Root, "shutdown +4"));
    let nologin = container.file(NOLOGIN);
    scene.deadline.until("/run/nologin to be there", || nologin.exists().then_some(()));
    is_done(&container.types(Who::Root, "mkfifo -m 600 /run/other; mv /run/other /run/initctl"));
    container.read_log(&["offering /run/initctl again"]);
    assert_eq!(container.fate(), Fate::GoesOn);
    assert!(nologin.exists(), "logins are open");
    container.must_go_on(&[]);
}

fn opens_again() {
    let scene = Scene::new();
    let container = Container::start(&scene, Trixie, &OURS);
    let nologin = container.file(NOLOGIN);
    is_done(&container.types(Who::Root, "shutdown +4"));
    scene.deadline.until("/run/nologin to be there", || nologin.exists().then_some(()));
    is_done(&container.types(Who::Root, "shutdown +60"));
    scene.deadline.until("/run/nologin to be gone", || (!nologin.exists()).then_some(()));
    container.must_go_on(&[]);
}

/// Somebody at a terminal of the container.
const AT_A_TERMINAL: &str = "script -qec 'echo here; read line' /dev/null";

fn told_at_terminals() {
    let scene = Scene::new();
    let container = Container::start(&scene, Trixie, &OURS);
    let mut person = container.begins(Who::Root, AT_A_TERMINAL);
    let mut sees = |wanted: &str| while !person.stdout().next().expect("somebody is there").contains(wanted) {};
    sees("here");
    is_done(&container.types(Who::Root, "shutdown +1 'back soon'"));
    sees("back soon");
    sees("The system will power off at ");
    is_done(&container.types(Who::Root, "shutdown -c 'we stay'"));
    sees("we stay");
    sees("System shutdown has been cancelled");
    // Who wants that nobody is told is heard too: what comes next is the next warning.
    is_done(&container.types(Who::Root, "shutdown +1"));
    sees("The system will power off at ");
    is_done(&container.types(Who::Root, "shutdown --no-wall -c 'not for you'"));
    is_done(&container.types(Who::Root, "shutdown -k now 'only a test'"));
    let mut seen = Vec::new();
    while !seen.iter().any(|line: &String| line.contains("only a test")) {
        seen.push(person.stdout().next().expect("somebody is there"));
    }
    assert!(!seen.iter().any(|line| line.contains("not for you") || line.contains("cancelled")), "{seen:?}");
    container.must_go_on(&["we stay"]);
}

fn told_of_an_end() {
    let scene = Scene::new();
    let mut container = Container::start(&scene, Trixie, &OURS);
    // It hears of no SIGHUP or SIGTERM before it has read to the end.
    let mut person = container
        .begins(Who::Root, "trap '' HUP TERM; exec script -qec 'trap \"\" HUP TERM; echo here; read line' /dev/null");
    let mut sees = |wanted: &str| {
        let mut before = Vec::new();
        loop {
            let line = person.stdout().next().expect("somebody is there");
            if line.contains(wanted) {
                return before;
            }
            before.push(line);
        }
    };
    sees("here");
    is_done(&container.types(Who::Root, "shutdown +60 later"));
    container.read_log(&["a poweroff is scheduled in 3600 s: later"]);
    is_done(&container.types(Who::Root, "shutdown now 'see you'"));
    let before = sees("see you");
    assert!(!before.iter().any(|line| line.contains("cancelled")), "{before:?}");
    sees("The system will power off now!");
    container.read_log(&["poweroff asked for by shutdown (pid", "through the control socket; stopping: see you"]);
    assert!(!container.log.iter().any(|line| line.contains("cancelled")), "{:#?}", container.log);
    drop(person);
    container.must_stop(0, &[]);
}

/// The client that is asked comes to its end because the services take their time.
fn stopping() {
    let scene = Scene::new();
    let mut container = Container::start(&scene, Trixie, &OURS);
    is_done(&container.types(Who::Root, "poweroff"));
    container.hear(&["one: got 15 "]);
    let scheduled = container.types(Who::Root, "trap '' TERM; shutdown +5 later");
    assert_eq!(
        (scheduled.exit, &scheduled.stderr[..]),
        (Exit::Code(0), &["shutdown: a stop is under way already".to_owned()][..])
    );
    is_done(&container.types(Who::Root, "shutdown -k +5 later"));
    is_done(&container.types(Who::Root, "shutdown -c"));
    let status = container.types(Who::Root, "supervise ctl status");
    is_done(&status);
    assert!(status.stdout.iter().any(|line| line == "state: stopping"), "{status:?}");
    assert!(!status.stdout.iter().any(|line| line.starts_with("scheduled")), "{status:?}");
    assert!(!container.file(NOLOGIN).exists(), "logins are closed");
    assert_eq!(container.types(Who::Root, "shutdown --show").exit, Exit::Code(1));
    container.read_log(&["poweroff asked for"]);
    assert!(!container.log.iter().any(|line| line.contains("later")), "{:#?}", container.log);
    container.must_stop(0, &[]);
}

#[track_caller]
fn is_done(client: &Ended) {
    assert_eq!(client.exit, Exit::Code(0), "{client:?}");
}
