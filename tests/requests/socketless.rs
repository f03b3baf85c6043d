//! Our clients where process 1 has no socket for them, or one that is not theirs.

use crate::case::{ALONE, Row, Says, Then};
use crate::container::{Container, Process1, Setting, Who};
use crate::harness::{Exit, Scene};
use crate::roots::Root::Trixie;
use crate::runner::Case;

/// As with `docker run --read-only`: nothing is offered but signals.
const NO_RUN: Setting = Setting { ours: true, before: "mount -t tmpfs -o ro tmpfs /run", ..Setting::PLAIN };
/// As with `docker run --user`.
const ANOTHERS: Setting = Setting {
    ours: true,
    before: r#"set -- setpriv --reuid=1000 --regid=1000 --clear-groups -- "$@""#,
    ..Setting::PLAIN
};
const OFF: Setting = Setting { ours: true, options: &["--requests", "off"], ..Setting::PLAIN };
const OFF_BY_VARIABLE: Setting = Setting { variables: &[("SUPERVISE_REQUESTS", "off")], ours: true, ..Setting::PLAIN };
const TINI: Setting = Setting {
    process_1: Process1::Tini,
    variables: &[("SUPERVISE_STRICT", "1")],
    before: "ln -s supervise /usr/local/bin/tini",
    ours: true,
    ..Setting::PLAIN
};
/// The same without what makes it strict: it forwards signals all the same.
const TINI_WITHOUT_RUN: Setting = Setting {
    process_1: Process1::Tini,
    before: "ln -s supervise /usr/local/bin/tini; mount -t tmpfs -o ro tmpfs /run",
    ours: true,
    ..Setting::PLAIN
};
const GROUP: Setting = Setting { ours: true, options: &["--ctl-group", "50"], ..Setting::PLAIN };

const ROW: Row = Row { number: "without a socket", roots: &[Trixie], setting: NO_RUN, ..Row::PLAIN };
const CLIENTS: &[&str] = &["poweroff", "halt", "reboot", "shutdown now", "poweroff -f", "systemctl reboot"];
/// What `is-system-running` says, and its code.
const IS_UNKNOWN: &str = r#"said=$(systemctl is-system-running); code=$?; [ "$said $code" = "unknown 1" ]"#;
const IS_OFFLINE: &str = r#"said=$(systemctl is-system-running); code=$?; [ "$said $code" = "offline 1" ]"#;

pub(crate) const ROWS: &[Row] = &[
    Row { typed: &["poweroff", "shutdown now"], then: Then::Stops("poweroff"), ..ROW },
    Row { typed: &["halt"], then: Then::Stops("halt"), ..ROW },
    Row { typed: &["reboot"], then: Then::Reboots, ..ROW },
    Row { typed: &[IS_UNKNOWN], ..ROW },
    Row { who: Who::User, typed: &["poweroff"], code: 1, says: Says::Words(&["must be root."]), ..ROW },
    // Without the right to look at everybody, which docker does not give.
    Row {
        setting: ANOTHERS,
        typed: &["setpriv --bounding-set=-sys_ptrace poweroff"],
        then: Then::Stops("poweroff"),
        ..ROW
    },
    Row {
        setting: ANOTHERS,
        typed: &["shutdown +5", "shutdown -c", "shutdown --show"],
        code: 1,
        says: Says::Words(&["/run/supervise/ctl: no such file", "it is not root's, and XDG_RUNTIME_DIR is not set"]),
        ..ROW
    },
    Row {
        setting: Setting { variables: &[("XDG_RUNTIME_DIR", "/tmp")], ..ANOTHERS },
        typed: &["XDG_RUNTIME_DIR=/tmp shutdown +5"],
        says: Says::Words(&["Shutdown scheduled for "]),
        then: Then::GoesOnSaying(&["a poweroff is scheduled in 300 s"]),
        ..ROW
    },
    Row {
        setting: Setting { options: &["--user", "1000"], ..NO_RUN },
        typed: &["setpriv --bounding-set=-sys_ptrace poweroff"],
        then: Then::Stops("poweroff"),
        ..ROW
    },
    Row { setting: OFF, typed: CLIENTS, code: 1, says: Says::Words(&["process 1 has --requests off"]), ..ROW },
    Row {
        setting: OFF_BY_VARIABLE,
        typed: &["poweroff"],
        code: 1,
        says: Says::Words(&["process 1 has --requests off, so it takes no signals for requests; stop the container"]),
        ..ROW
    },
    Row { setting: TINI, typed: CLIENTS, code: 1, says: Says::Words(&["process 1 has another init's name"]), ..ROW },
    Row {
        setting: TINI_WITHOUT_RUN,
        typed: &["poweroff"],
        code: 1,
        says: Says::Words(&["process 1 has another init's name"]),
        ..ROW
    },
    Row {
        setting: Setting { ours: true, ..ALONE },
        typed: &["systemctl exit 3"],
        code: 1,
        says: Says::Lines(&["systemctl: cannot reach process 1: /run/supervise/ctl: no such file or directory; \
                             /run/initctl: no such file or directory; process 1 is \"probe\" and no supervise"]),
        ..ROW
    },
    Row { setting: Setting { ours: true, ..ALONE }, typed: &[IS_OFFLINE], ..ROW },
    Row {
        number: "24, with --ctl-group",
        setting: GROUP,
        who: Who::User,
        typed: &["shutdown --show", "poweroff"],
        code: 1,
        says: Says::Words(&["must be root, or a member of --ctl-group, for /run/supervise/ctl"]),
        ..ROW
    },
    Row {
        number: "24, with --ctl-group",
        setting: GROUP,
        who: Who::User,
        typed: &["supervise ctl status"],
        code: 125,
        says: Says::Words(&["cannot reach process 1: /run/supervise/ctl: permission denied"]),
        ..ROW
    },
];

pub(crate) fn cases() -> Vec<Case> {
    vec![Case::new("without a socket, a client that has everything killed has ended before", ends_first)]
}

/// The kill is the fastest end that there is. It was faster than the client most often.
fn ends_first() {
    for _ in 0..5 {
        let scene = Scene::new();
        let container = Container::start(&scene, Trixie, &NO_RUN);
        let client = container.types(Who::Root, "exec poweroff -f");
        assert_eq!((client.exit, &client.stderr[..]), (Exit::Code(0), &[][..]));
        container.must_be_over(Exit::Code(137), &["poweroff asked for by poweroff", "SIGRTMIN+14"]);
    }
}
