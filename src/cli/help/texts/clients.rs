//! The texts of `ctl` and of the clients of shutdown requests.

use super::super::page::{Part, Section};
use crate::request::Client;

use Part::{Example, Term, Text};

/// What is to be said of a client.
pub(super) fn of(client: Client) -> &'static [Section] {
    match client {
        Client::Poweroff => POWEROFF,
        Client::Halt => HALT,
        Client::Reboot => REBOOT,
        Client::Shutdown => SHUTDOWN,
        Client::Telinit => TELINIT,
        Client::Init => INIT,
        Client::Runlevel => RUNLEVEL,
        Client::Systemctl => SYSTEMCTL,
    }
}

const POWEROFF: &[Section] = &[
    Section {
        title: "More",
        parts: &[
            Text(
                "It ends with 0 as soon as process 1 has the request, and with 1 if that cannot be reached, or if you may \
                 not: only root may, or the user of a process 1 that is not root.",
            ),
            Text(
                "The request goes to the socket /run/supervise/ctl, or where there is none to the FIFO /run/initctl, or as \
                 a signal, if process 1 takes that for a request.",
            ),
        ],
    },
    Section {
        title: "Examples",
        parts: &[
            Example("In a container:", &["supervise poweroff"]),
            Example("At once, with all killed:", &["supervise poweroff -f"]),
        ],
    },
];

const HALT: &[Section] = &[Section { title: "Examples", parts: &[Example("In a container:", &["supervise halt"])] }];

const REBOOT: &[Section] =
    &[Section { title: "Examples", parts: &[Example("In a container:", &["supervise reboot"])] }];

const SHUTDOWN: &[Section] = &[
    Section {
        title: "More",
        parts: &[Text(
            "What is scheduled is kept by process 1. Another time takes its place. People are told of it on the terminals of \
             the container and in its log, and nobody else can log in from five minutes before.",
        )],
    },
    Section {
        title: "Examples",
        parts: &[
            Example("Now:", &["supervise shutdown now"]),
            Example(
                "Later, and not after all:",
                &["supervise shutdown -r +5 'new kernel'", "supervise shutdown --show", "supervise shutdown -c"],
            ),
        ],
    },
];

const TELINIT: &[Section] = &[Section {
    title: "Examples",
    parts: &[Example("As scripts for sysvinit do:", &["supervise telinit 0", "supervise telinit q"])],
}];

const INIT: &[Section] =
    &[Section { title: "Examples", parts: &[Example("As scripts for sysvinit do:", &["supervise init 6"])] }];

const RUNLEVEL: &[Section] =
    &[Section { title: "Examples", parts: &[Example("It ends with 1:", &["supervise runlevel"])] }];

const SYSTEMCTL: &[Section] = &[
    Section {
        title: "Verbs",
        parts: &[
            Term("poweroff, halt, reboot", "As the programs of these names. `kexec` and `soft-reboot` are a reboot."),
            Term("exit [CODE]", "A poweroff, and the container ends with the CODE."),
            Term(
                "start|isolate UNIT",
                "The same, for poweroff.target, halt.target, reboot.target, kexec.target, exit.target.",
            ),
            Term(
                "is-system-running",
                "Prints running and ends with 0; or, with 1, starting or stopping, unknown where process 1 does not answer, \
                 or offline where that is no supervise.",
            ),
            Term("daemon-reload, daemon-reexec", "There is nothing to do."),
            Term("default, rescue, emergency", "A container has no such mode; ignored, with a word."),
            Term(
                "anything else",
                "Is for /usr/bin/systemctl or /bin/systemctl, if that is another program; otherwise it ends with 1.",
            ),
        ],
    },
    Section {
        title: "Examples",
        parts: &[
            Example("In a container:", &["supervise systemctl poweroff"]),
            Example("In an hour:", &["supervise systemctl reboot --when=+1h"]),
        ],
    },
];

pub(super) const CTL: &[Section] = &[
    Section {
        title: "Verbs",
        parts: &[
            Term(
                "status",
                "Tells whether the command runs, since when, whether it is ready and healthy where process 1 looks after \
                 that, how often it was started again, how it has ended the last time, how many orphans were reaped, how \
                 many zombies there are, and what is scheduled.",
            ),
            Term(
                "stop",
                "Stops all, as SIGTERM from outside does: process 1 ends with the command's code. What does not end is \
                 killed after 10 s, or after --grace.",
            ),
            Term(
                "restart",
                "Stops the command with all that it has started, and starts it again, whatever --restart says; while \
                 process 1 waits before a restart, at once. During a stop it ends with 1.",
            ),
            Term(
                "signal SIGNAL",
                "Passes the signal on to the command, or with --forward-to group to its group, as process 1 does with one \
                 that it gets: with --rewrite, and TERM is a stop. It is never taken for a request, as RTMIN+4 sent to \
                 process 1 is. KILL kills the command, which then has ended: with --restart it is started again. What goes nowhere ends it with 1.",
            ),
            Term(
                "events",
                "Tells how it stands, and then a line for each thing that happens, until process 1 ends or you press \
                 Ctrl-C. 16 can be told at once, of whom 8 may be others than root and the user of process 1. Who does \
                 not read misses what comes, and is told how much.",
            ),
        ],
    },
    Section {
        title: "More",
        parts: &[Text(
            "It asks the supervise that is process 1, at /run/supervise/ctl, or if that is not root at \
             $XDG_RUNTIME_DIR/supervise-1/ctl, which must be set for both (docker run --user does not). It ends \
             with 125 if nobody answers, with 1 if what was asked for is not done, and with 124 after --timeout.",
        )],
    },
    Section {
        title: "Examples",
        parts: &[
            Example("At a prompt:", &["supervise ctl status", "supervise ctl restart --wait --timeout 30s"]),
            Example("To read its configuration again:", &["supervise ctl signal HUP"]),
            Example("To follow it by a program:", &["supervise ctl events --json"]),
            Example(
                "In a Dockerfile, also of an image without a shell:",
                &["HEALTHCHECK CMD [\"supervise\", \"ctl\", \"status\", \"--check\"]"],
            ),
        ],
    },
];
