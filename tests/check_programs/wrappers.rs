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

/// A shell that waits for the app in the foreground, and does not pass the signal on.
const WAITS: Program = Program { stops: &[stop(SIGTERM, HANGS, dies(SIGTERM).leaves(&["drains"]))], ..Program::PLAIN };

/// What becomes the app.
const BECOMES: Program = Program { reaps: false, ..PASSES_ON };

/// What passes the signal on to the app, and waits for it.
const PASSES_ON: Program = Program { stops: &[stop(SIGTERM, CLEAN, CLEAN)], ..Program::PLAIN };

/// What passes it on to a shell, with which it ends: the app is still at work, or was not told.
const ENDS_BEFORE: Program =
    Program { stops: &[stop(SIGTERM, SAYS_143.leaves(&["drains"]), SAYS_143.leaves(&["drains"]))], ..Program::PLAIN };

pub(crate) const PROGRAMS: &[Program] = &[
    Program { name: "`bash -c 'app; true'`", words: &["bash", "-c", SHELLED], ..WAITS },
    Program { name: "`dash -c 'app; true'`", words: &["dash", "-c", SHELLED], ..WAITS },
    Program { name: "`busybox sh -c 'app; true'`", words: &["busybox", "sh", "-c", SHELLED], ..WAITS },
    Program {
        name: "`mksh -c 'app; true'`",
        words: &["mksh", "-c", SHELLED],
        // It takes the signal between two commands only.
        stops: &[stop(SIGTERM, HANGS, HANGS)],
        ..Program::PLAIN
    },
    // The last command: bash, busybox's shell and mksh become it, dash does not.
    Program { name: "`bash -c app`", words: &["bash", "-c", "{rust} handler"], ..BECOMES },
    Program { name: "`dash -c app`", words: &["dash", "-c", "{rust} handler"], ..WAITS },
    Program { name: "`busybox sh -c app`", words: &["busybox", "sh", "-c", "{rust} handler"], ..BECOMES },
    Program { name: "`bash -c 'exec app'`", words: &["bash", "-c", EXEC], ..BECOMES },
    Program { name: "`dash -c 'exec app'`", words: &["dash", "-c", EXEC], ..BECOMES },
    Program { name: "`busybox sh -c 'exec app'`", words: &["busybox", "sh", "-c", EXEC], ..BECOMES },
    Program {
        name: "a script that ends in `exec \"$@\"`",
        files: &[("entrypoint", ENTRYPOINT)],
        words: &["sh", "{dir}/entrypoint", "{rust}", "handler"],
        ..BECOMES
    },
    Program { name: "`bash` with a trap that passes the signal on", words: &["bash", "-c", TRAP], ..PASSES_ON },
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
        ..PASSES_ON
    },
    Program {
        name: "`supervisord` with a shell around the app",
        files: &[("supervisord.conf", SUPERVISORD_OF_SHELL)],
        ready: "tcp:127.0.0.1:{port}",
        words: &["supervisord", "-c", "{dir}/supervisord.conf"],
        stops: &[stop(SIGTERM, CLEAN.leaves(&["python3"]), CLEAN.leaves(&["python3"]))],
        ..Program::PLAIN
    },
    Program { name: "`tini -- app`", words: &["tini", "-s", "--", "{rust}", "handler"], ..PASSES_ON },
    Program { name: "`tini -- sh -c 'app; true'`", words: &["tini", "-s", "--", "sh", "-c", SHELLED], ..ENDS_BEFORE },
    Program {
        name: "`tini -g -- sh -c 'app; true'`",
        words: &["tini", "-s", "-g", "--", "sh", "-c", SHELLED_SLOWLY],
        ..ENDS_BEFORE
    },
    Program { name: "`dumb-init app`", words: &["dumb-init", "{rust}", "handler"], ..PASSES_ON },
    Program { name: "`dumb-init sh -c 'app; true'`", words: &["dumb-init", "sh", "-c", SHELLED_SLOWLY], ..ENDS_BEFORE },
    Program {
        name: "`supervise -- sh -c 'app; true'`",
        words: &["{supervise}", "--", "sh", "-c", SHELLED_SLOWLY],
        stops: &[stop(SIGTERM, SAYS_143, dies(SIGTERM))],
        ..Program::PLAIN
    },
];
