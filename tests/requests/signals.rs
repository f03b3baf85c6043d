//! Signals to process 1: from inside by programs that are no clients, and from outside.

use crate::case::{Row, Says, Then};
use crate::container::{Container, Setting, Who};
use crate::harness::{Exit, Scene};
use crate::roots::Root::{self, Trixie};
use crate::runner::Case;

const ROW: Row = Row { number: "20", roots: &[Trixie], ..Row::PLAIN };

pub(crate) const ROWS: &[Row] = &[
    // Counted from 34, which a musl libc does not.
    Row { number: "20 and 32", typed: &["kill -s 37 1"], then: Then::Stops("halt"), ..ROW },
    Row { typed: &["kill -s 38 1"], then: Then::Stops("poweroff"), ..ROW },
    Row { typed: &["kill -s PWR 1"], then: Then::Stops("poweroff"), ..ROW },
    Row { typed: &["kill -s 39 1", "kill -s 40 1", "kill -s 41 1"], then: Then::Reboots, ..ROW },
    Row { typed: &["kill -s 47 1", "kill -s 48 1"], then: Then::IsKilled(137), ..ROW },
    Row { typed: &["kill -s 49 1", "kill -s 50 1", "kill -s 51 1"], then: Then::IsKilled(129), ..ROW },
    Row {
        number: "24",
        who: Who::User,
        typed: &["kill -s TERM 1", "kill -s 38 1"],
        code: 1,
        says: Says::Words(&["Operation not permitted"]),
        ..ROW
    },
];

/// The same from outside: each signal, and how the container ends.
const FROM_OUTSIDE: &[(i32, Then)] = &[
    (37, Then::Stops("halt")),
    (38, Then::Stops("poweroff")),
    (39, Then::Reboots),
    (40, Then::Reboots),
    (41, Then::Reboots),
    (47, Then::IsKilled(137)),
    (48, Then::IsKilled(137)),
    (49, Then::IsKilled(129)),
    (50, Then::IsKilled(129)),
    (51, Then::IsKilled(129)),
    (libc::SIGPWR, Then::Stops("poweroff")),
];

pub(crate) fn cases() -> Vec<Case> {
    let outside = FROM_OUTSIDE.iter().map(|(signal, then)| {
        Case::new(format!("20: signal {signal} from outside {}", then.words()), move || from_outside(*signal, *then))
    });
    let forwarded = Case::new("16: USR1 by a program that is no client reaches the services", forwarded);
    outside.chain([forwarded]).collect()
}

fn from_outside(signal: i32, then: Then) {
    let scene = Scene::new();
    let container = Container::start(&scene, Root::Busybox, &Setting::PLAIN);
    container.signals(signal);
    match then {
        Then::Stops(wish) => container.must_stop(0, &[wish, "asked for"]),
        Then::Reboots => container.must_stop(129, &["reboot asked for"]),
        Then::IsKilled(code) => container.must_be_over(Exit::Code(code), &["asked for"]),
        Then::GoesOn | Then::GoesOnSaying(_) | Then::Ends(..) | Then::DiesOf(_) => unreachable!("no signal does that"),
    }
}

fn forwarded() {
    let scene = Scene::new();
    let mut container = Container::start(&scene, Trixie, &Setting::PLAIN);
    // To sysvinit it means to open the FIFO again, which needs nobody's word here.
    assert_eq!(container.types(Who::Root, "rm /run/initctl; kill -s USR1 1").exit, Exit::Code(0));
    container.hear(&["one: got 10 "]);
    let fifo = container.file("/run/initctl");
    scene.deadline.until("the FIFO to come back", || fifo.exists().then_some(()));
    container.must_go_on(&[]);
}
