//! The texts of `run`.

use super::super::page::{Part, Section};

use Part::{Example, Term, Text};

/// What is to be said about `supervise run` beyond its row.
pub(super) const RUN: &[Section] = &[
    Section {
        title: "More",
        parts: &[
            Text(
                "COMMAND runs in new namespaces with ROOTFS as its root, below a supervise that is process 1 there: \
                 poweroff, halt, reboot and shutdown work, whatever the distribution. It takes the options of supervise \
                 too, for COMMAND; the files that `--env-file` names are the host's, all others are those inside.",
            ),
            Text(
                "ROOTFS stays as it is. It may be several directories, DIR:DIR, of which the first is on top. What is \
                 written goes to memory and vanishes at the end; `--upper` keeps it.",
            ),
            Text(
                "Signals go to COMMAND. If supervise is killed, the container dies with it. Nothing of the environment of \
                 the host is passed on but TERM.",
            ),
        ],
    },
    Section {
        title: "Exit codes",
        parts: &[
            Term("the same", "As of COMMAND: 128 + n if signal n ended it, 127 not found, 126 not executable."),
            Term("125", "The container cannot be made. What had been done is undone."),
        ],
    },
    Section {
        title: "Examples",
        parts: &[
            Example(
                "Another distribution, tried out and forgotten:",
                &["debootstrap trixie /srv/trixie", "supervise run /srv/trixie"],
            ),
            Example(
                "A server whose files stay, in the network of the host:",
                &["supervise run --upper /srv/web --net host /srv/trixie -- nginx -g 'daemon off;'"],
            ),
        ],
    },
];

pub(super) const FEATURES: &[Section] = &[
    Section {
        title: "More",
        parts: &[
            Text(
                "Each namespace, mount and call is tried by this user, in a child whose namespaces end with it. A user that is \
                 not root tries them in a user namespace, as `supervise run` does. It ends with 0, whatever there is.",
            ),
            Text("What is missing is told with its reason, and with the way out where there is one."),
        ],
    },
    Section {
        title: "Examples",
        parts: &[
            Example("At a prompt:", &["supervise features"]),
            Example("In a script:", &["supervise features --json | jq .mounts.overlay.available"]),
        ],
    },
];

/// What is to be said about `supervise check` beyond its row.
pub(super) const CHECK: &[Section] = &[
    Section {
        title: "What the command is given",
        parts: &[Text(
            "Its stdin is /dev/null, its stdout and stderr are pipes: what it writes is taken in, and shown in the report as far \
             as it matters. It is in a session of its own, without a terminal, and has the environment that supervise was \
             given, but for NOTIFY_SOCKET.",
        )],
    },
    Section {
        title: "Signs that it is ready",
        parts: &[
            Term("sd_notify", "It says READY=1 on the socket of sd_notify(3)."),
            Term("fd:NUMBER", "It writes a line to that descriptor, or closes it."),
            Term(
                "log:REGEX",
                "A line of its output matches; of one of 64 KiB or more each part of that length, as a line.",
            ),
            Term("delay:TIME", "That long after it was executed."),
            Term("tcp:HOST:PORT, unix:PATH, http://..., file:PATH, exec:COMMAND", "As for `supervise wait-for`."),
        ],
    },
    Section {
        title: "The verdict",
        parts: &[
            Text(
                "Each check has a number, as S06, and says pass, info, skip, WARN or FAIL, with what was seen, a cause and a \
                 cure. What the command did decides; what its signal sets promise is a hint. `--explain all` lists the checks.",
            ),
            Term("0", "All passed, maybe with warnings."),
            Term("1", "A check failed; with --strict also for a warning."),
            Term(
                "2",
                "The command was not ready in time, ended before it was told to stop, or cannot be run in that mode.",
            ),
            Term("126, 127", "It cannot be executed, or is not there."),
            Term("125", "Wrong use, or supervise itself failed."),
            Term(
                "128 + n",
                "Signal n (INT, QUIT, TERM, HUP) came to supervise itself: the run is ended, without a report.",
            ),
        ],
    },
    Section {
        title: "Examples",
        parts: &[
            Example(
                "Whether a web server stops as docker wants it:",
                &["supervise check --ready tcp:127.0.0.1:8080 -- ./server"],
            ),
            Example(
                "For Kubernetes, and a report for CI:",
                &["supervise check --profile kubernetes --format junit -- ./server > stop.xml"],
            ),
            Example("What one of the checks means:", &["supervise check --explain S06"]),
        ],
    },
];
