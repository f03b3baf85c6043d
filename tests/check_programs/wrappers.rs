//! What people put in front of a program that itself ends as it should.

use libc::{SIGINT, SIGTERM};

use crate::program::{CLEAN, HANGS, Program, SAYS_143, dies, fails, stop};

/// What bash does when it is told while it waits for a child in the foreground is dash's, mksh's and busybox's way too.
const SHELLED: &str = "{rust} handler; true";

/// With a program that is told too, and is still at work when its shell has ended.
const SHELLED_SLOWLY: &str = "{rust} slowly; true";

const EXEC: &str = "exec {rust} handler";

const TRAP: &str = "trap 'kill $child' TERM; {rust} handler & child=$!; wait; wait $child";

const ENTRYPOINT: &str = "#!/bin/sh
set -e
exec \"$@\"
";

const PACKAGE: &str = r#"{ "name": "app", "version": "1.0.0", "scripts": { "start": "node server.js" } }"#;

const SERVER: &str = "
process.on('SIGTERM', () => { console.log('drained'); process.exit(0); });
setInterval(() => {}, 1000);
console.log('ready');
";

const SUPERVISORD: &str = "
[supervisord]
nodaemon = true
user = root
logfile = {dir}/supervisord.log
pidfile = {dir}/supervisord.pid
[program:app]
startsecs = 0
command = /usr/bin/python3 -m http.server --bind 127.0.0.1 --directory {dir} {port}
";

const SUPERVISORD_OF_SHELL: &str = "
[supervisord]
nodaemon = true
user = root
logfile = {dir}/supervisord.log
pidfile = {dir}/supervisord.pid
[program:app]
startsecs = 0
command = sh -c '/usr/bin/python3 -m http.server --bind 127.0.0.1 --directory {dir} {port}; true'
";

pub(crate) const PROGRAMS: &[Program] = &[
    Program {
        name: "`bash -c 'app; true'`",
        words: &["bash", "-c", SHELLED],
        stops: &[stop(SIGTERM, HANGS, dies(SIGTERM).leaves(&["drains"]))],
        ..Program::PLAIN
    },
    Program {
        name: "`dash -c 'app; true'`",
        words: &["dash", "-c", SHELLED],
        stops: &[stop(SIGTERM, HANGS, dies(SIGTERM).leaves(&["drains"]))],
        ..Program::PLAIN
    },
    Program {
        name: "`busybox sh -c 'app; true'`",
        words: &["busybox", "sh", "-c", SHELLED],
        stops: &[stop(SIGTERM, HANGS, dies(SIGTERM).leaves(&["drains"]))],
        ..Program::PLAIN
    },
    Program {
        name: "`mksh -c 'app; true'`",
        words: &["mksh", "-c", SHELLED],
        // It takes the signal between two commands only.
        stops: &[stop(SIGTERM, HANGS, HANGS)],
        ..Program::PLAIN
    },
    // The last command: bash, busybox's shell and mksh become it, dash does not.
    Program {
        name: "`bash -c app`",
        words: &["bash", "-c", "{rust} handler"],
        reaps: false,
        stops: &[stop(SIGTERM, CLEAN, CLEAN)],
        ..Program::PLAIN
    },
    Program {
        name: "`dash -c app`",
        words: &["dash", "-c", "{rust} handler"],
        stops: &[stop(SIGTERM, HANGS, dies(SIGTERM).leaves(&["drains"]))],
        ..Program::PLAIN
    },
    Program {
        name: "`busybox sh -c app`",
        words: &["busybox", "sh", "-c", "{rust} handler"],
        reaps: false,
        stops: &[stop(SIGTERM, CLEAN, CLEAN)],
        ..Program::PLAIN
    },
    Program {
        name: "`bash -c 'exec app'`",
        words: &["bash", "-c", EXEC],
        reaps: false,
        stops: &[stop(SIGTERM, CLEAN, CLEAN)],
        ..Program::PLAIN
    },
    Program {
        name: "`dash -c 'exec app'`",
        words: &["dash", "-c", EXEC],
        reaps: false,
        stops: &[stop(SIGTERM, CLEAN, CLEAN)],
        ..Program::PLAIN
    },
    Program {
        name: "`busybox sh -c 'exec app'`",
        words: &["busybox", "sh", "-c", EXEC],
        reaps: false,
        stops: &[stop(SIGTERM, CLEAN, CLEAN)],
        ..Program::PLAIN
    },
    Program {
        name: "a script that ends in `exec \"$@\"`",
        files: &[("entrypoint", ENTRYPOINT)],
        words: &["sh", "{dir}/entrypoint", "{rust}", "handler"],
        reaps: false,
        stops: &[stop(SIGTERM, CLEAN, CLEAN)],
        ..Program::PLAIN
    },
    Program {
        name: "`bash` with a trap that passes the signal on",
        words: &["bash", "-c", TRAP],
        stops: &[stop(SIGTERM, CLEAN, CLEAN)],
        ..Program::PLAIN
    },
    Program {
        name: "`dash` with a trap, and the app in the foreground",
        words: &["dash", "-c", "trap 'exit 0' TERM; {rust} handler; true"],
        stops: &[stop(SIGTERM, HANGS, HANGS)],
        ..Program::PLAIN
    },
    Program {
        name: "`npm start`",
        files: &[("package.json", PACKAGE), ("server.js", SERVER)],
        words: &["npm", "--prefix", "{dir}", "start"],
        reaps: false,
        stops: &[
            stop(SIGTERM, fails(1).leaves(&["node"]), dies(SIGTERM).leaves(&["node"])),
            stop(SIGINT, HANGS, HANGS),
        ],
        ..Program::PLAIN
    },
    Program {
        name: "`supervisord`",
        files: &[("supervisord.conf", SUPERVISORD)],
        ready: "tcp:127.0.0.1:{port}",
        words: &["supervisord", "-c", "{dir}/supervisord.conf"],
        stops: &[stop(SIGTERM, CLEAN, CLEAN)],
        ..Program::PLAIN
    },
    Program {
        name: "`supervisord` with a shell around the app",
        files: &[("supervisord.conf", SUPERVISORD_OF_SHELL)],
        ready: "tcp:127.0.0.1:{port}",
        words: &["supervisord", "-c", "{dir}/supervisord.conf"],
        stops: &[stop(SIGTERM, CLEAN.leaves(&["python3"]), CLEAN.leaves(&["python3"]))],
        ..Program::PLAIN
    },
    Program {
        name: "`tini -- app`",
        words: &["tini", "-s", "--", "{rust}", "handler"],
        stops: &[stop(SIGTERM, CLEAN, CLEAN)],
        ..Program::PLAIN
    },
    Program {
        name: "`tini -- sh -c 'app; true'`",
        words: &["tini", "-s", "--", "sh", "-c", SHELLED],
        stops: &[stop(SIGTERM, SAYS_143.leaves(&["drains"]), SAYS_143.leaves(&["drains"]))],
        ..Program::PLAIN
    },
    Program {
        name: "`tini -g -- sh -c 'app; true'`",
        words: &["tini", "-s", "-g", "--", "sh", "-c", SHELLED_SLOWLY],
        stops: &[stop(SIGTERM, SAYS_143.leaves(&["drains"]), SAYS_143.leaves(&["drains"]))],
        ..Program::PLAIN
    },
    Program {
        name: "`dumb-init app`",
        words: &["dumb-init", "{rust}", "handler"],
        stops: &[stop(SIGTERM, CLEAN, CLEAN)],
        ..Program::PLAIN
    },
    Program {
        name: "`dumb-init sh -c 'app; true'`",
        words: &["dumb-init", "sh", "-c", SHELLED_SLOWLY],
        stops: &[stop(SIGTERM, SAYS_143.leaves(&["drains"]), SAYS_143.leaves(&["drains"]))],
        ..Program::PLAIN
    },
    Program {
        name: "`supervise -- sh -c 'app; true'`",
        words: &["{supervise}", "--", "sh", "-c", SHELLED_SLOWLY],
        stops: &[stop(SIGTERM, SAYS_143, dies(SIGTERM))],
        ..Program::PLAIN
    },
];
