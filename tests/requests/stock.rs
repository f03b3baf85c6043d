//! What the roots' own clients do where process 1 offers them nothing. This shows that the roots have the clients that
//! the other cases take them for.

use crate::case::{ALONE, Row, Says, Then};
use crate::container::Who;
use crate::roots::Root::{Bookworm, Busybox, Sysvinit, Trixie};

const ROW: Row = Row { number: "without us", setting: ALONE, code: 1, ..Row::PLAIN };
const TO_INIT: &[&str] = &["Failed to talk to init daemon: Host is down"];

pub(crate) const ROWS: &[Row] = &[
    Row {
        roots: &[Bookworm, Trixie],
        typed: &[
            "poweroff",
            "halt",
            "halt -p",
            "poweroff --halt",
            "reboot",
            "shutdown now",
            "shutdown -h now",
            "shutdown -H now",
            "shutdown --halt now",
            "shutdown -P now",
            "shutdown -r now",
        ],
        says: Says::NotBooted(2, TO_INIT),
        ..ROW
    },
    Row {
        roots: &[Trixie],
        typed: &["shutdown", "shutdown +1 going down", "shutdown 23:59", "shutdown -r +5", "init 0", "telinit 6"],
        says: Says::NotBooted(2, TO_INIT),
        ..ROW
    },
    Row {
        roots: &[Bookworm],
        typed: &["shutdown", "shutdown +1 going down", "shutdown 23:59", "shutdown -r +5"],
        says: Says::NotBooted(1, &[]),
        ..ROW
    },
    Row {
        roots: &[Bookworm, Trixie],
        typed: &["shutdown -c", "shutdown --show"],
        says: Says::NotBooted(1, &[]),
        ..ROW
    },
    Row { roots: &[Bookworm, Trixie], typed: &["shutdown -k now"], code: 0, says: Says::NotBooted(1, &[]), ..ROW },
    Row {
        roots: &[Bookworm],
        typed: &["telinit 0", "init 0", "init q", "telinit u"],
        says: Says::Lines(&["Couldn't find an alternative telinit implementation to spawn."]),
        ..ROW
    },
    Row { roots: &[Trixie], typed: &["telinit q"], code: 0, says: Says::NotBooted(1, &[]), ..ROW },
    // It means by SIGTERM that systemd shall execute itself again.
    Row {
        roots: &[Trixie],
        typed: &["telinit u"],
        code: 0,
        says: Says::NotBooted(1, &[]),
        then: Then::Stops("telinit"),
        ..ROW
    },
    Row {
        roots: &[Bookworm, Trixie],
        typed: &["systemctl poweroff", "systemctl reboot", "systemctl halt"],
        says: Says::NotBooted(2, &[]),
        ..ROW
    },
    Row { roots: &[Bookworm, Trixie], typed: &["systemctl poweroff -f"], says: Says::NotBooted(1, &[]), ..ROW },
    Row { roots: &[Bookworm, Trixie], typed: &["runlevel", "systemctl is-system-running"], ..ROW },
    Row {
        roots: &[Bookworm, Trixie],
        who: Who::User,
        typed: &["poweroff -f"],
        says: Says::Lines(&["Need to be root."]),
        ..ROW
    },
    Row {
        roots: &[Sysvinit],
        typed: &["poweroff", "halt", "reboot", "shutdown -h now", "telinit 0", "init q"],
        says: Says::Words(&["/run/initctl: No such file or directory"]),
        ..ROW
    },
    Row {
        roots: &[Sysvinit],
        typed: &["shutdown -c"],
        says: Says::Lines(&["shutdown: cannot find pid of running shutdown."]),
        ..ROW
    },
    Row { roots: &[Busybox], typed: &["poweroff", "halt"], code: 0, ..ROW },
    Row { roots: &[Busybox], typed: &["busybox init"], says: Says::Lines(&["init: must be run as PID 1"]), ..ROW },
];
