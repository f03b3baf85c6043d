//! Our own clients, before those of the root in the search path.

use crate::case::{Row, Says, Then};
use crate::container::{Setting, Who};
use crate::roots::Root::{Bookworm, Busybox, Sid, Sysvinit, Trixie};

const OURS: Setting = Setting { ours: true, ..Setting::PLAIN };
/// In place of those of the root.
const DIVERTED: Setting = Setting { before: "supervise shims --divert", ..Setting::PLAIN };
const ROW: Row = Row { setting: OURS, ..Row::PLAIN };

pub(crate) const ROWS: &[Row] = &[
    Row {
        number: "8",
        roots: &[Bookworm, Trixie, Sid],
        typed: &["poweroff", "shutdown now", "telinit 0", "systemctl poweroff", "systemctl isolate poweroff.target"],
        then: Then::Stops("poweroff"),
        ..ROW
    },
    Row {
        number: "8",
        roots: &[Bookworm, Trixie, Sid],
        typed: &["halt", "systemctl halt"],
        then: Then::Stops("halt"),
        ..ROW
    },
    Row {
        number: "8",
        roots: &[Bookworm, Trixie, Sid],
        typed: &["reboot", "init 6", "systemctl reboot"],
        then: Then::Reboots,
        ..ROW
    },
    // What links in the search path do not help against.
    Row {
        number: "8, by systemd's paths",
        roots: &[Bookworm],
        typed: &["/sbin/poweroff"],
        says: Says::NotBooted(2, &[]),
        then: Then::Stops("poweroff"),
        ..ROW
    },
    Row {
        number: "8, by systemd's paths",
        roots: &[Bookworm],
        typed: &["/sbin/telinit 0"],
        code: 1,
        says: Says::Lines(&["Couldn't find an alternative telinit implementation to spawn."]),
        ..ROW
    },
    // Of this shell no client but its own.
    Row {
        number: "8, by busybox's shell",
        roots: &[Busybox],
        typed: &["init 0"],
        code: 1,
        says: Says::Lines(&["init: must be run as PID 1"]),
        ..ROW
    },
    Row { number: "8", roots: &[Sysvinit], typed: &["poweroff"], then: Then::Stops("poweroff"), ..ROW },
    // Its shell does not look in the search path for what it has itself.
    Row { number: "8", roots: &[Busybox], typed: &["/usr/local/sbin/poweroff"], then: Then::Stops("poweroff"), ..ROW },
    Row {
        number: "8, by their paths",
        roots: &[Bookworm, Trixie, Sysvinit, Sid],
        setting: DIVERTED,
        typed: &["/sbin/poweroff", "/usr/sbin/shutdown now", "/sbin/init 0", "/bin/systemctl poweroff"],
        then: Then::Stops("poweroff"),
        ..ROW
    },
    Row {
        number: "8, by their paths",
        roots: &[Bookworm, Trixie, Sysvinit],
        setting: DIVERTED,
        typed: &["/sbin/shutdown -r now"],
        then: Then::Reboots,
        ..ROW
    },
    // As unattended-upgrades calls it.
    Row {
        number: "9, by their paths",
        roots: &[Bookworm, Trixie],
        setting: DIVERTED,
        typed: &["/sbin/shutdown -r +5"],
        says: Says::Words(&["Reboot scheduled for ", "use 'shutdown -c' to cancel."]),
        then: Then::GoesOnSaying(&["a reboot is scheduled in 300 s"]),
        ..ROW
    },
    Row {
        number: "11, by what was diverted",
        roots: &[Sysvinit],
        setting: DIVERTED,
        typed: &["/sbin/shutdown.supervise-orig -h now"],
        says: Says::Anything,
        then: Then::Stops("poweroff"),
        ..ROW
    },
    Row {
        number: "14, by their paths",
        roots: &[Bookworm, Trixie, Sysvinit],
        setting: DIVERTED,
        typed: &["/sbin/telinit u", "/lib/sysvinit/telinit q"],
        ..ROW
    },
    Row {
        number: "10",
        roots: &[Trixie],
        typed: &["shutdown +0"],
        says: Says::Anything,
        then: Then::Stops("poweroff"),
        ..ROW
    },
    Row { number: "10", roots: &[Trixie], typed: &["shutdown -k now", "shutdown -c"], says: Says::Anything, ..ROW },
    Row { number: "10", roots: &[Trixie], typed: &["shutdown bogus"], code: 1, says: Says::Words(&["bogus"]), ..ROW },
    Row { number: "14", roots: &[Trixie], typed: &["telinit q", "telinit u", "init u", "telinit 3"], ..ROW },
    Row { number: "23", roots: &[Trixie], typed: &["poweroff -f"], then: Then::IsKilled(137), ..ROW },
    Row { number: "23", roots: &[Trixie], typed: &["reboot -f"], then: Then::IsKilled(129), ..ROW },
    Row {
        number: "24",
        roots: &[Bookworm, Trixie],
        who: Who::User,
        typed: &["poweroff", "shutdown now", "shutdown +1", "shutdown -c", "poweroff -f"],
        code: 1,
        says: Says::Words(&["must be root"]),
        ..ROW
    },
];
