//! systemd's own clients. They use `/run/initctl` up to version 257, after they have complained.

use crate::case::{Row, Says, Then};
use crate::container::{Setting, Who};
use crate::roots::Root::{Bookworm, Sid, Trixie};

const ROW: Row = Row { says: Says::NotBooted(2, &[]), ..Row::PLAIN };
const NO_TELINIT: Says = Says::Lines(&["Couldn't find an alternative telinit implementation to spawn."]);
const WITH_TELINIT: Setting =
    Setting { before: "mkdir /lib/sysvinit; ln -s /usr/local/bin/supervise /lib/sysvinit/telinit", ..Setting::PLAIN };

pub(crate) const ROWS: &[Row] = &[
    // By this way a halt is no different from a poweroff.
    Row {
        number: "1",
        roots: &[Bookworm, Trixie],
        typed: &["poweroff", "halt", "shutdown now", "shutdown -h now", "shutdown --halt now", "shutdown -P now"],
        then: Then::Stops("poweroff"),
        ..ROW
    },
    Row { number: "2", roots: &[Bookworm, Trixie], typed: &["reboot", "shutdown -r now"], then: Then::Reboots, ..ROW },
    Row { number: "3", roots: &[Trixie], typed: &["init 0", "telinit 0"], then: Then::Stops("poweroff"), ..ROW },
    Row { number: "3", roots: &[Trixie], typed: &["init 6"], then: Then::Reboots, ..ROW },
    Row { number: "4", roots: &[Bookworm], typed: &["init 0"], code: 1, says: NO_TELINIT, ..ROW },
    Row {
        number: "4, with our telinit",
        roots: &[Bookworm],
        setting: WITH_TELINIT,
        typed: &["init 0"],
        says: Says::Nothing,
        then: Then::Stops("poweroff"),
        ..ROW
    },
    Row { number: "5", roots: &[Bookworm], typed: &["shutdown +1"], code: 1, says: Says::NotBooted(1, &[]), ..ROW },
    // The time is lost on the way: systemd's client writes the same record as for `now`.
    Row { number: "6", roots: &[Trixie], typed: &["shutdown +1"], then: Then::Stops("/run/initctl"), ..ROW },
    // From 258 on they know D-Bus only.
    Row { number: "7", roots: &[Sid], typed: &["poweroff"], code: 1, ..ROW },
    Row {
        number: "14",
        roots: &[Bookworm],
        typed: &["telinit q", "telinit u", "init u", "telinit 3"],
        code: 1,
        says: NO_TELINIT,
        ..ROW
    },
    Row {
        number: "14, with our telinit",
        roots: &[Bookworm],
        setting: WITH_TELINIT,
        typed: &["telinit q", "telinit u", "init u", "telinit 3"],
        says: Says::Nothing,
        ..ROW
    },
    Row { number: "14", roots: &[Trixie], typed: &["telinit q", "telinit 3"], says: Says::NotBooted(1, &[]), ..ROW },
    // A SIGTERM that means something else.
    Row {
        number: "14",
        roots: &[Trixie],
        typed: &["telinit u", "init u"],
        stays: true,
        says: Says::NotBooted(1, &[]),
        ..ROW
    },
    Row {
        number: "14a",
        roots: &[Bookworm, Trixie],
        typed: &["sh /var/lib/dpkg/info/libc6:*.postinst configure 2.36-1"],
        says: Says::Anything,
        ..ROW
    },
    Row {
        number: "23",
        roots: &[Bookworm, Trixie],
        typed: &["poweroff -f"],
        code: 1,
        says: Says::Words(&["Failed to poweroff: Operation not permitted"]),
        ..ROW
    },
    Row {
        number: "23",
        roots: &[Bookworm, Trixie],
        typed: &["reboot -f"],
        code: 1,
        says: Says::Words(&["Failed to reboot: Operation not permitted"]),
        ..ROW
    },
    Row {
        number: "24",
        roots: &[Bookworm, Trixie],
        who: Who::User,
        typed: &["poweroff", "shutdown now"],
        code: 1,
        says: Says::Words(&["Failed to open /run/initctl: Permission denied", "Failed to talk to init daemon"]),
        ..ROW
    },
];
