//! The texts beside the table of options.

mod clients;
mod run;

use super::super::subcommands::Subcommand;
use super::page::{Part, Section};

use Part::{Example, Term, Text};

/// The day on which the man page changed last.
pub(super) const DATE: &str = "2026-11-27";

/// The man page's own line in the list of all pages.
pub(super) const NAME: &str = "init for containers and shells";

/// What ends `-h`.
pub(super) const FOOTER: &str = "\
TIME is 500ms, 10s, 1.5s, 2m, 1h or 0. What takes a value may also come from a
variable: SUPERVISE_GRACE=20s. Examples: supervise --help. All: supervise man.
";

/// What supervise is, as in the tables.
pub(super) const HELP: &str = "Starts COMMAND, forwards signals, reaps, stops what is left, ends with its code";

pub(super) const ABOUT: &[Part] = &[
    Text(
        "As PID 1 of a container supervise is the init that images lack. From a shell it looks after what COMMAND \
             leaves in the background.",
    ),
    Text(
        "Options end at the first word that is none, or at `--`. TIME is a number with a unit: 500ms, 10s, 1.5s, \
             2m, 1h, or 0. SIGNAL is a name or a number: TERM, SIGTERM, RTMIN+3, 15. A first word that names a \
             subcommand is the subcommand: `supervise -- man` runs the program man.",
    ),
];

pub(super) const SECTIONS: &[Section] = &[
    Section {
        title: "The stop",
        parts: &[
            Text(
                "A stop begins with SIGTERM, with the first signal of --stop-signal, with what --rewrite makes of \
                     either, or at the end of --max-time. SIGINT (Ctrl-C) is only forwarded.",
            ),
            Term(
                "1. Before it",
                "The --pre-stop runs, then the --delay passes. Other signals are forwarded meanwhile.",
            ),
            Term(
                "2. The command",
                "It gets the stop signal, or those of --stop-signal one after the other, and has all the time that \
                     docker, Kubernetes or systemd gives it. It is killed only if --grace, a ladder that ends in KILL, \
                     or --max-time says so.",
            ),
            Term(
                "3. What is left",
                "When the command has ended, by itself or not, what it left behind gets SIGTERM, and is killed \
                     after the --leftover-grace.",
            ),
            Term("4. The end", "supervise ends as the command did."),
            Text(
                "What takes long is explained on stderr, with the cure: at half the time until the command is \
                     killed, or after 5s. During a stop, a second Ctrl-C within 2s goes one step further at once.",
            ),
        ],
    },
    Section {
        title: "Health",
        parts: &[
            Text(
                "While COMMAND runs, --health looks whether it does its work: by a target of wait-for (`supervise wait-for \
                 --help`), or by a shell, which has the user, directory and limits of supervise and the variables of COMMAND. \
                 As for docker, the first look comes one interval after the start, and too many failures in a row are those \
                 of --health-retries.",
            ),
            Text(
                "COMMAND is stopped then, and killed 10s later or after --grace; and started again, after the delays and up to \
                 the limit of --restart-delay and its like, whatever --restart says. No stop waits for a check.",
            ),
        ],
    },
    Section {
        title: "Hooks",
        parts: &[Text(
            "A --pre-start and a --pre-stop run as supervise itself does: with its user, directory, limits and HOME, \
                 whatever --user and its like say of the command. Of what the command is given they have the variables.",
        )],
    },
    Section {
        title: "Other inits",
        parts: &[Text(
            "Called tini, tini-static, docker-init, dumb-init or catatonit, by a link or a copy, it is that init: with its \
                 options, variables, exit codes and texts, but without what it does wrong. (SUPERVISE_STRICT=1 gives that back where anybody could depend on it: README.) dockerd \
                 calls its init docker-init. The variables below work under those names too.",
        )],
    },
    Section {
        title: "Exit status",
        parts: &[
            Term("the command's", "It ended by itself (see --exit-map)."),
            Term("128 + n", "Signal n ended it. If supervise is not PID 1, it dies of the same signal instead."),
            Term("127", "The command, or the interpreter or loader that it names, does not exist."),
            Term("126", "It is there, but cannot be executed."),
            Term("125", "Wrong use, or supervise itself failed, or the command could not be given what was asked for."),
            Term("124", "A --pre-start, or what wait-for waited for, took longer than it may."),
            Term("the hook's", "A --pre-start did not end with 0, or a stop was asked for while it ran."),
            Term("1", "A client (poweroff and its like) could not do it, or ctl finds that the command does not run."),
        ],
    },
    Section {
        title: "Environment",
        parts: &[
            Text(
                "These are not passed on to the command. Others that begin so are. An empty variable is none, and \
                     the command line wins.",
            ),
            Term(
                "SUPERVISE_GRACE=20s",
                "The same as --grace 20s; and so on for each option that takes a value: in capitals, with _ for -.",
            ),
            Term(
                "SUPERVISE_SETSID=1",
                "The same as --setsid; so are SUPERVISE_CLEAR_ENV, SUPERVISE_NO_NEW_PRIVS and SUPERVISE_SYSTEMD_COMPAT. \
                     1, true, yes or 0, false, no.",
            ),
            Term(
                "SUPERVISE_LOG=off|error|warn|info|debug|trace",
                "What is logged to stderr. Why nothing was started is always said. Default: info.",
            ),
            Term("SUPERVISE_LOG_FORMAT=text|json", "How. Default: text."),
            Term(
                "SUPERVISE_STRICT=1",
                "Under another init's name: do what it does wrong too, where anybody could depend on that. 1, true, yes or 0, false, no.",
            ),
        ],
    },
    Section {
        title: "Examples",
        parts: &[
            Example("PID 1 of an image:", &["ENTRYPOINT [\"supervise\", \"--\"]", "CMD [\"python3\", \"app.py\"]"]),
            Example(
                "Without changing an image, with options by variables:",
                &[
                    "dockerd --init-path /usr/local/bin/docker-init  # a link to supervise",
                    "docker run --init -e SUPERVISE_DELAY=5s IMAGE",
                    "podman run --init --init-path /usr/local/bin/supervise IMAGE",
                ],
            ),
            Example(
                "An image whose program is another user's, with secrets that only root can read:",
                &["ENTRYPOINT [\"supervise\", \"--user=app\", \"--env-from-files\", \"DB_*\", \"--\"]"],
            ),
            Example(
                "What needs root, before a program that does not:",
                &["supervise --pre-start 'chown -R app /data' --user app -- ./server"],
            ),
            Example(
                "What is to be done before the program is told to stop:",
                &["supervise --pre-stop 'curl -fsS -X POST http://localhost:8080/drain' -- ./server"],
            ),
            Example(
                "A server that may stop to answer:",
                &["supervise --health http://localhost:8080/health -- ./server"],
            ),
            Example("When the database is there:", &["supervise wait-for tcp:db:5432 -- ./server"]),
            Example(
                "A program that should be asked in its own way, or in several:",
                &[
                    "supervise --stop-signal QUIT -- nginx -g 'daemon off;'",
                    "supervise --stop-signal TERM:10s,INT:5s,KILL -- postgres",
                ],
            ),
            Example(
                "A shell script in front of the program, which keeps SIGTERM for itself:",
                &["supervise --kill-mode group -- ./run.sh"],
            ),
            Example(
                "Kubernetes, with terminationGracePeriodSeconds: 30:",
                &["SUPERVISE_DELAY=5s SUPERVISE_GRACE=25s", "SUPERVISE_EXIT_REPORT=/dev/termination-log"],
            ),
            Example("A Java program, whose 143 is a success:", &["supervise --exit-map 143=0 -- java -jar app.jar"]),
            Example("At a prompt, with a bound:", &["supervise --max-time 10m -- make test"]),
        ],
    },
];

/// What people look for in a man page only.
pub(super) const ONLY_IN_THE_MAN_PAGE: &[Section] = &[
    Section {
        title: "Files",
        parts: &[
            Term(
                "/proc",
                "Says why a stop is slow; and, where supervise is not PID 1, what the command left behind. Without it \
                 supervise does less, and says so.",
            ),
            Term("/bin/sh", "Runs a file that is executable and names no interpreter."),
        ],
    },
    Section {
        title: "See also",
        parts: &[Text(
            "`docker-run(1)`, `podman-run(1)`, `tini(1)`, `timeout(1)`, `prctl(2)`, `pid_namespaces(7)`, `signal(7)`",
        )],
    },
];

/// What is to be said about a subcommand beyond its row.
pub(super) fn of(subcommand: Subcommand) -> &'static [Section] {
    match subcommand {
        Subcommand::WaitFor => WAIT_FOR,
        Subcommand::Run => run::RUN,
        Subcommand::Check => run::CHECK,
        Subcommand::Shims => SHIMS,
        Subcommand::Client(client) => clients::of(client),
        Subcommand::Ctl => clients::CTL,
        Subcommand::Features => run::FEATURES,
        Subcommand::Completions => COMPLETIONS,
        Subcommand::Man => MAN,
    }
}

/// The title of what may be waited for.
pub(super) const TARGETS: &str = "Targets";

const WAIT_FOR: &[Section] = &[
    Section {
        title: TARGETS,
        parts: &[
            Term("tcp:HOST:PORT", "It accepts a connection. [HOST] if that is an IPv6 address."),
            Term("unix:PATH", "This stream socket accepts a connection."),
            Term("http://HOST[:PORT]/PATH", "It answers a GET with a status of 200 to 399."),
            Term("file:PATH", "It is there."),
            Term("exec:COMMAND", "`/bin/sh -c COMMAND` ends with 0."),
        ],
    },
    Section {
        title: "More",
        parts: &[
            Text(
                "It takes the options of supervise too, for COMMAND, which is then supervised as without wait-for. \
                 Options and targets end at `--`.",
            ),
            Text(
                "The targets are waited for one after the other. A try takes 10s at most, but for exec:, which has until \
                 the --timeout. There is no TLS: for https, wait for tcp:HOST:443 or exec:curl.",
            ),
            Text(
                "A signal ends it, and the process group of exec: with it: with the code 128 + n, or, if supervise is not PID \
                 1, by that signal. COMMAND is not started then.",
            ),
        ],
    },
    Section {
        title: "Examples",
        parts: &[
            Example("A database that needs a while:", &["supervise wait-for tcp:db:5432 --timeout 2m -- ./server"]),
            Example(
                "A server that is reached by https:",
                &["supervise wait-for 'exec:curl -fsS https://auth/health' -- ./server"],
            ),
            Example(
                "In a script, without a command:",
                &["supervise wait-for unix:/run/app.sock file:/run/app/ready && echo ready"],
            ),
        ],
    },
];

const SHIMS: &[Section] = &[
    Section {
        title: "More",
        parts: &[
            Text(
                "The links lead to this very supervise: by its name alone if it is in DIR itself, otherwise by its absolute \
                 path as it is seen here. It says nothing unless something is wrong; -v tells of each name.",
            ),
            Text(
                "A name that leads to supervise already stays, be it by a link or by a hard link. If anything else has one of \
                 the names, nothing is changed: a program, a directory, a link that leads elsewhere or nowhere, and a copy \
                 of supervise too. --remove takes away links and hard links that lead to this supervise, never \
                 the program itself.",
            ),
            Text(
                "With --divert the names of clients lead to it in /sbin, /usr/sbin, /bin and /usr/bin: wherever there is one, \
                 and otherwise in /sbin (systemctl: in /bin). What a package of dpkg's has there is moved to \
                 NAME.supervise-orig by dpkg-divert(1), and goes there when the package is installed again; systemctl passes on \
                 to it. What no package has is in the way, and so is everything where there is no dpkg. If one step fails, \
                 those before it are taken back. What was moved comes back with --remove.",
            ),
        ],
    },
    Section {
        title: "Examples",
        parts: &[
            Example(
                "In a Dockerfile, also of an image that has no other program:",
                &["RUN [\"supervise\", \"shims\"]", "RUN [\"supervise\", \"shims\", \"--inits\", \"/usr/local/bin\"]"],
            ),
            Example(
                "For programs that call /sbin/shutdown by its path:",
                &["RUN [\"supervise\", \"shims\", \"--divert\"]"],
            ),
            Example(
                "At a prompt, and back:",
                &["supervise shims --inits /usr/local/bin", "supervise shims --inits /usr/local/bin --remove"],
            ),
        ],
    },
];

const COMPLETIONS: &[Section] = &[Section {
    title: "Examples",
    parts: &[
        Example(
            "bash, for everybody (it finishes better with the package bash-completion):",
            &["supervise completions bash > /usr/share/bash-completion/completions/supervise"],
        ),
        Example("zsh, for everybody:", &["supervise completions zsh > /usr/local/share/zsh/site-functions/_supervise"]),
        Example(
            "fish, for everybody:",
            &["supervise completions fish > /usr/share/fish/vendor_completions.d/supervise.fish"],
        ),
        Example(
            "In one bash or zsh (after compinit), and in one fish:",
            &["source <(supervise completions bash)", "supervise completions fish | source"],
        ),
    ],
}];

const MAN: &[Section] = &[Section {
    title: "Examples",
    parts: &[
        Example("To read it:", &["supervise man | man -l -"]),
        Example("To install it:", &["supervise man > /usr/local/share/man/man1/supervise.1"]),
    ],
}];
