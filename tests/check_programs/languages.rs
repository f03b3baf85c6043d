//! Programs as their languages make them, with a handler of SIGTERM and without.

use libc::SIGTERM;

use crate::program::{CLEAN, HANGS, Program, dies, fails, stop};

const NODE: &str = "
const server = require('http').createServer((request, response) => response.end('alive'));
server.listen({port}, '127.0.0.1', () => console.log('ready'));
";

const NODE_HANDLES: &str = "
const server = require('http').createServer((request, response) => response.end('alive'));
process.on('SIGTERM', () => server.close(() => process.exit(0)));
server.listen({port}, '127.0.0.1', () => console.log('ready'));
";

pub(crate) const PROGRAMS: &[Program] = &[
    Program {
        name: "`node`",
        files: &[("server.js", NODE)],
        words: &["node", "{dir}/server.js"],
        reaps: false,
        stops: &[stop(SIGTERM, HANGS, dies(SIGTERM))],
        ..Program::PLAIN
    },
    Program {
        name: "`node` with a handler",
        files: &[("server.js", NODE_HANDLES)],
        words: &["node", "{dir}/server.js"],
        reaps: false,
        stops: &[stop(SIGTERM, CLEAN, CLEAN)],
        ..Program::PLAIN
    },
    Program {
        name: "Go",
        words: &["{go}", "without"],
        // Its runtime catches the signal, and exits where it cannot die of it.
        reaps: false,
        stops: &[stop(SIGTERM, fails(2), dies(SIGTERM))],
        ..Program::PLAIN
    },
    Program {
        name: "Go with a handler",
        words: &["{go}", "handler"],
        reaps: false,
        stops: &[stop(SIGTERM, CLEAN, CLEAN)],
        ..Program::PLAIN
    },
    Program {
        name: "Go with a handler that ends by the signal",
        words: &["{go}", "again"],
        reaps: false,
        stops: &[stop(SIGTERM, fails(2), dies(SIGTERM))],
        ..Program::PLAIN
    },
    Program {
        name: "Rust",
        words: &["{rust}"],
        reaps: false,
        stops: &[stop(SIGTERM, HANGS, dies(SIGTERM))],
        ..Program::PLAIN
    },
    Program {
        name: "Rust with a handler",
        words: &["{rust}", "handler"],
        reaps: false,
        stops: &[stop(SIGTERM, CLEAN, CLEAN)],
        ..Program::PLAIN
    },
];
