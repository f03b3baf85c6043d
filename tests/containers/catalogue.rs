//! The services that are stopped: the ones that people run, in the ways in which they start them.

use crate::service::{Service, Visitor};

/// It passes each request on, as a front server does.
const NGINX_CONF: &str = "
error_log stderr notice;
pid /run/nginx.pid;
events {}
http {
    access_log off;
    server {
        listen unix:/shared/front;
        location / { proxy_pass http://unix:/shared/upstream:/; }
    }
}
";

/// Asks another server, as an application asks its database, and answers with what that said.
const APP_PY: &str = "
import socket
def app(environ, start_response):
    with socket.socket(socket.AF_UNIX) as upstream:
        upstream.connect('/shared/upstream')
        answer = upstream.makefile('rb').read()
    start_response('200 OK', [('Content-Length', str(len(answer)))])
    return [answer]
";

/// Without a handler of SIGTERM, as most are written.
const PLAIN_JS: &str = "
require('http').createServer((request, response) => response.end()).listen('/shared/front', () => console.log('ready'))
";

/// Answers what has been asked before it ends.
const DRAIN_JS: &str = "
const net = require('net'), http = require('http')
const server = http.createServer((request, response) => net.connect('/shared/upstream').pipe(response))
process.on('SIGTERM', () => {
    server.close(() => console.log('all answered'))
    console.log('stopping')
})
server.listen('/shared/front', () => console.log('ready'))
";

/// Has half a second of work to do when it is told to end.
const SAVE_JS: &str = "
process.on('SIGTERM', () => {
    const end = Date.now() + 500
    while (Date.now() < end) {}
    console.log('saved')
    process.exit()
})
require('http').createServer().listen('/shared/front', () => console.log('ready'))
";

const PACKAGE_JSON: &str = r#"{ "name": "saver", "version": "1.0.0", "scripts": { "start": "node save.js" } }"#;

const NGINX_READY: (&str, usize) = ("start worker process ", 1);
/// What its worker says on SIGTERM, when it drops all, and on SIGQUIT. Its master says it in other words, and sooner.
const NGINX_STOPS: &[&str] = &[": exiting", ": gracefully shutting down"];

pub(crate) const NGINX: Service = Service {
    user: "root",
    files: &[],
    command: &["nginx", "-g", "daemon off; error_log stderr notice;"],
    ready: NGINX_READY,
    visitor: Visitor::Nobody,
};

pub(crate) const BUSY_NGINX: Service = Service {
    user: "root",
    files: &[("nginx.conf", NGINX_CONF)],
    command: &["nginx", "-c", "/shared/nginx.conf", "-g", "daemon off;"],
    ready: NGINX_READY,
    visitor: Visitor::Request(NGINX_STOPS),
};

pub(crate) const REDIS: Service = Service {
    user: "redis",
    files: &[],
    command: &["redis-server", "--dir", "/var/lib/redis", "--save", "60", "1"],
    ready: ("Ready to accept connections", 1),
    visitor: Visitor::Nobody,
};

/// Starts it, whatever its version is.
const POSTGRES_SH: &str = r#"
exec /usr/lib/postgresql/*/bin/postgres -D /var/lib/postgresql/*/main \
    -c config_file="$(echo /etc/postgresql/*/main/postgresql.conf)"
"#;

pub(crate) const POSTGRES: Service = Service {
    user: "postgres",
    files: &[("postgres.sh", POSTGRES_SH)],
    command: &["bash", "postgres.sh"],
    ready: ("ready to accept connections", 1),
    visitor: Visitor::Nobody,
};

pub(crate) const VISITED_POSTGRES: Service = Service { visitor: Visitor::IdleClient, ..POSTGRES };

pub(crate) const BUSY_GUNICORN: Service = Service {
    user: "root",
    files: &[("app.py", APP_PY)],
    command: &["gunicorn", "--bind=unix:/shared/front", "app:app"],
    ready: ("Booting worker", 1),
    visitor: Visitor::Request(&["Handling signal: term"]),
};

/// What `CMD gunicorn ...; echo ended` in a Dockerfile is made into. Debian's `sh` stays above its last command too.
pub(crate) const SHELL_FORM: &str = "gunicorn --bind=unix:/shared/front app:app; echo ended";

pub(crate) const BUSY_SHELL_FORM: Service = Service { command: &["/bin/sh", "-c", SHELL_FORM], ..BUSY_GUNICORN };

pub(crate) const PLAIN_NODE: Service = Service {
    user: "root",
    files: &[("plain.js", PLAIN_JS)],
    command: &["node", "plain.js"],
    ready: ("ready", 1),
    visitor: Visitor::Nobody,
};

pub(crate) const DRAINING_NODE: Service = Service {
    user: "root",
    files: &[("drain.js", DRAIN_JS)],
    command: &["node", "drain.js"],
    ready: ("ready", 1),
    visitor: Visitor::Request(&["stopping"]),
};

pub(crate) const NPM: Service = Service {
    user: "root",
    files: &[("save.js", SAVE_JS), ("package.json", PACKAGE_JSON)],
    command: &["npm", "start"],
    ready: ("ready", 1),
    visitor: Visitor::Nobody,
};

pub(crate) const WORKERS: Service = Service {
    user: "root",
    files: &[],
    command: &[
        "bash",
        "-c",
        r#"
            worker() {
                trap 'for ((i = 0; i < 50000; i++)); do :; done; echo saved; exit' TERM
                echo ready
                while :; do sleep 1000 & wait; done
            }
            worker & worker & wait"#,
    ],
    ready: ("ready", 2),
    visitor: Visitor::Nobody,
};

pub(crate) const PYTHON: Service = Service {
    user: "root",
    files: &[],
    command: &["python3", "-u", "-m", "http.server"],
    ready: ("Serving HTTP", 1),
    visitor: Visitor::Nobody,
};
