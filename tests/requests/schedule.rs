//! `shutdown` at a time, by our own client. (The others' clients cannot say it: see rows 5 and 6.)

use crate::container::{Container, Setting, Who};
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

#[track_caller]
fn is_done(client: &Ended) {
    assert_eq!(client.exit, Exit::Code(0), "{client:?}");
}
