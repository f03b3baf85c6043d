//! systemd's own clients with `--systemd-compat`: unmodified, by the sockets of systemd and of logind.

use crate::case::{Row, Says, Then};
use crate::container::{Setting, Who};
use crate::roots::Root::{Bookworm, Sid, Trixie, TrixieWithBus};

pub(crate) const COMPAT: Setting = Setting { options: &["--systemd-compat"], ..Setting::PLAIN };
const ROW: Row = Row { setting: COMPAT, ..Row::PLAIN };

/// Nobody can be found where logind is looked for.
pub(crate) const WITHOUT_LOGIND: Setting = Setting { before: "mkdir -p /run/dbus/system_bus_socket", ..COMPAT };
/// A real bus, on which there is no logind.
const WITH_BUS: Setting = Setting { before: "mkdir -p /run/dbus; dbus-daemon --system --fork", ..COMPAT };

pub(crate) const ROWS: &[Row] = &[
    Row {
        number: "30 and 8",
        roots: &[Bookworm, Trixie, Sid],
        typed: &[
            "/usr/sbin/poweroff",
            "/usr/sbin/shutdown now",
            "/usr/sbin/shutdown -h now",
            "/usr/bin/systemctl poweroff",
            "/usr/bin/systemctl isolate poweroff.target",
            "/usr/bin/systemctl start poweroff.target",
            "/usr/bin/systemctl exit",
        ],
        then: Then::Stops("poweroff"),
        ..ROW
    },
    Row {
        number: "30 and 8",
        roots: &[Bookworm, Trixie, Sid],
        typed: &["/usr/sbin/halt", "/usr/sbin/shutdown --halt now", "/usr/bin/systemctl halt"],
        then: Then::Stops("halt"),
        ..ROW
    },
    Row {
        number: "30 and 8",
        roots: &[Bookworm, Trixie, Sid],
        typed: &["/usr/sbin/reboot", "/usr/sbin/shutdown -r now", "/usr/bin/systemctl reboot"],
        then: Then::Reboots,
        ..ROW
    },
    Row {
        number: "30 and 8",
        roots: &[Bookworm, Trixie],
        typed: &["/usr/sbin/telinit 0", "/usr/sbin/init 0"],
        then: Then::Stops("poweroff"),
        ..ROW
    },
    Row { number: "30 and 8", roots: &[Bookworm, Trixie], typed: &["/usr/sbin/init 6"], then: Then::Reboots, ..ROW },
    Row { number: "30", roots: &[Trixie, Sid], typed: &["/usr/bin/systemctl soft-reboot"], then: Then::Reboots, ..ROW },
    Row {
        number: "30",
        roots: &[Bookworm, Trixie, Sid],
        typed: &["/usr/bin/systemctl poweroff -f"],
        then: Then::IsKilled(137),
        ..ROW
    },
    Row {
        number: "30",
        roots: &[Bookworm, Trixie, Sid],
        typed: &["/usr/bin/systemctl reboot -f"],
        then: Then::IsKilled(129),
        ..ROW
    },
    Row {
        number: "30",
        roots: &[Bookworm, Trixie, Sid],
        typed: &["/usr/bin/systemctl exit 3"],
        then: Then::Ends(3, "poweroff with code 3"),
        ..ROW
    },
    Row {
        number: "30",
        roots: &[Bookworm, Trixie, Sid],
        typed: &["/usr/bin/systemctl exit 0"],
        then: Then::Ends(0, "poweroff with code 0"),
        ..ROW
    },
    Row {
        number: "30",
        roots: &[Bookworm, Trixie, Sid],
        typed: &[
            "/usr/bin/systemctl daemon-reexec",
            "/usr/bin/systemctl daemon-reload",
            "[ $(/usr/bin/systemctl is-system-running) = running ]",
            "/usr/sbin/shutdown -c",
        ],
        ..ROW
    },
    Row {
        number: "30 and 14",
        roots: &[Bookworm, Trixie],
        typed: &["/usr/sbin/telinit q", "/usr/sbin/telinit u", "/usr/sbin/init u"],
        ..ROW
    },
    Row {
        number: "30 and 14",
        roots: &[Bookworm, Trixie],
        typed: &["/usr/sbin/telinit 3", "/usr/sbin/telinit 1"],
        then: Then::GoesOnSaying(&["target asked for by", "through the systemd bus", "nothing happens"]),
        ..ROW
    },
    Row {
        number: "30",
        roots: &[Bookworm, Trixie, Sid],
        typed: &["/usr/bin/systemctl rescue", "/usr/bin/systemctl isolate multi-user.target"],
        then: Then::GoesOnSaying(&["target asked for by", "through the systemd bus", "nothing happens"]),
        ..ROW
    },
    Row {
        number: "30 and 14a",
        roots: &[Bookworm, Trixie],
        typed: &["sh /var/lib/dpkg/info/libc6:*.postinst configure 2.36-1"],
        says: Says::Anything,
        ..ROW
    },
    Row {
        number: "30 and 24",
        roots: &[Bookworm, Trixie, Sid],
        who: Who::User,
        typed: &[
            "/usr/sbin/poweroff",
            "/usr/sbin/shutdown now",
            "/usr/sbin/shutdown -r +1",
            "/usr/sbin/shutdown -c",
            "/usr/bin/systemctl poweroff",
            "/usr/bin/systemctl poweroff -f",
            "/usr/bin/systemctl exit 3",
            "/usr/bin/systemctl daemon-reload",
        ],
        code: 1,
        says: Says::Words(&["Access denied"]),
        ..ROW
    },
    // At a terminal they ask first whether anybody holds the end up.
    Row {
        number: "30",
        roots: &[Bookworm, Trixie, Sid],
        typed: &["script -qec /usr/sbin/poweroff /dev/null", "script -qec '/usr/bin/systemctl poweroff' /dev/null"],
        then: Then::Stops("poweroff"),
        ..ROW
    },
    Row {
        number: "30 and 24",
        roots: &[Bookworm, Trixie, Sid],
        who: Who::User,
        typed: &["script -qec /usr/sbin/poweroff /dev/null"],
        code: 1,
        ..ROW
    },
    // The time is lost on the way, and read from their words.
    Row {
        number: "30 and 6",
        roots: &[Trixie, Sid],
        setting: WITHOUT_LOGIND,
        typed: &["/usr/sbin/shutdown +5", "/usr/sbin/shutdown -P 23:59", "/usr/sbin/shutdown"],
        says: Says::Anything,
        then: Then::GoesOnSaying(&["a poweroff is scheduled"]),
        ..ROW
    },
    Row {
        number: "30",
        roots: &[Bookworm, Trixie, Sid],
        setting: WITHOUT_LOGIND,
        typed: &["/usr/sbin/poweroff", "/usr/sbin/shutdown now"],
        says: Says::Anything,
        then: Then::Stops("poweroff"),
        ..ROW
    },
    Row {
        number: "30, with a real bus",
        roots: &[TrixieWithBus],
        setting: WITH_BUS,
        typed: &["/usr/sbin/poweroff", "/usr/bin/systemctl poweroff"],
        says: Says::Anything,
        then: Then::Stops("poweroff"),
        ..ROW
    },
    Row {
        number: "30, with a real bus",
        roots: &[TrixieWithBus],
        setting: WITH_BUS,
        typed: &["/usr/sbin/shutdown +5"],
        says: Says::Anything,
        then: Then::GoesOnSaying(&["a poweroff is scheduled"]),
        ..ROW
    },
    Row {
        number: "30, where a real bus comes later",
        roots: &[TrixieWithBus],
        typed: &["dbus-daemon --system --fork && /usr/sbin/poweroff"],
        says: Says::Anything,
        then: Then::Stops("poweroff"),
        ..ROW
    },
    Row {
        number: "30 and 24",
        roots: &[Bookworm, Trixie, Sid],
        who: Who::User,
        typed: &["/usr/bin/systemctl isolate poweroff.target"],
        code: 4,
        says: Says::Words(&["Access denied"]),
        ..ROW
    },
];
