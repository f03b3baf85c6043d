//! sysvinit's own clients, which write to `/run/initctl`; the clients of busybox, which send signals; and what a kernel
//! does with a reboot(2) of any client.

use crate::case::{Row, Says, Then};
use crate::container::{Setting, Who};
use crate::roots::Root::{Bookworm, Busybox, Sysvinit, Trixie};

const ROW: Row = Row { says: Says::Anything, ..Row::PLAIN };
const MAY_REBOOT: Setting = Setting { may_reboot: true, ..Setting::PLAIN };

pub(crate) const ROWS: &[Row] = &[
    // Its `halt` does not say so.
    Row {
        number: "11",
        roots: &[Sysvinit],
        typed: &["poweroff", "halt", "shutdown -h now", "init 0"],
        then: Then::Stops("poweroff"),
        ..ROW
    },
    Row { number: "11", roots: &[Sysvinit], typed: &["shutdown -h -H now"], then: Then::Stops("halt"), ..ROW },
    Row { number: "11", roots: &[Sysvinit], typed: &["reboot", "telinit 6"], then: Then::Reboots, ..ROW },
    Row {
        number: "12",
        roots: &[Sysvinit],
        typed: &["shutdown now"],
        then: Then::GoesOnSaying(&["runlevel 1", "/run/initctl"]),
        ..ROW
    },
    Row {
        number: "14",
        roots: &[Sysvinit],
        typed: &["telinit q", "telinit u", "init u", "telinit 3", "telinit -e INIT_FOO=x"],
        says: Says::Nothing,
        ..ROW
    },
    Row {
        number: "14a",
        roots: &[Sysvinit],
        typed: &["sh /var/lib/dpkg/info/libc6:*.postinst configure 2.36-1"],
        ..ROW
    },
    Row {
        number: "15",
        roots: &[Busybox],
        typed: &["poweroff", "busybox poweroff", "busybox poweroff -d 1"],
        stays: true,
        says: Says::Nothing,
        then: Then::Stops("poweroff"),
        ..ROW
    },
    Row {
        number: "15",
        roots: &[Busybox],
        typed: &["busybox halt"],
        stays: true,
        says: Says::Nothing,
        then: Then::Stops("halt"),
        ..ROW
    },
    Row {
        number: "15",
        roots: &[Busybox],
        typed: &["busybox reboot"],
        stays: true,
        says: Says::Nothing,
        then: Then::Reboots,
        ..ROW
    },
    Row {
        number: "22",
        roots: &[Bookworm, Trixie, Sysvinit, Busybox],
        setting: MAY_REBOOT,
        typed: &["poweroff -f"],
        then: Then::DiesOf(libc::SIGINT),
        ..ROW
    },
    Row {
        number: "22",
        roots: &[Bookworm, Trixie, Sysvinit, Busybox],
        setting: MAY_REBOOT,
        typed: &["reboot -f"],
        then: Then::DiesOf(libc::SIGHUP),
        ..ROW
    },
    Row {
        number: "23",
        roots: &[Busybox],
        typed: &["poweroff -f", "reboot -f"],
        code: 1,
        says: Says::Words(&["Operation not permitted"]),
        ..ROW
    },
    // It does not look what comes of it.
    Row { number: "23", roots: &[Sysvinit], typed: &["poweroff -f"], ..ROW },
    Row {
        number: "24",
        roots: &[Sysvinit],
        who: Who::User,
        typed: &["poweroff"],
        code: 1,
        says: Says::Words(&["must be superuser"]),
        ..ROW
    },
    Row {
        number: "24",
        roots: &[Busybox],
        who: Who::User,
        typed: &["poweroff"],
        code: 1,
        says: Says::Words(&["Operation not permitted"]),
        ..ROW
    },
];
