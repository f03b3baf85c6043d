//! Servers and what stands before them.

use libc::{SIGINT, SIGQUIT, SIGTERM, SIGUSR1};

use crate::program::{CLEAN, HANGS, Program, dies, stop};

const NGINX: &str = "
daemon off; error_log {dir}/error.log; pid {dir}/nginx.pid; worker_processes 2; events {}
http { access_log off; server { listen 127.0.0.1:{port}; return 200 alive; } }";

const HAPROXY: &str = "
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend all
    bind 127.0.0.1:{port}
    http-request return status 200
";

const APACHE: &str = "
ServerRoot {dir}
ServerName localhost
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
Listen 127.0.0.1:{port}
PidFile {dir}/apache.pid
DefaultRuntimeDir {dir}
ErrorLog {dir}/error.log
User www-data
Group www-data
DocumentRoot {dir}
";

const PHP: &str = "
[global]
pid = {dir}/php.pid
error_log = {dir}/error.log
[www]
user = www-data
listen = {dir}/php.sock
pm = static
pm.max_children = 2
";

const WSGI: &str = "
def app(environ, start):
    start('200 OK', [])
    return [b'alive']
";

pub(crate) const PROGRAMS: &[Program] = &[
    Program {
        name: "`nginx`",
        files: &[("nginx.conf", NGINX)],
        words: &["nginx", "-c", "{dir}/nginx.conf"],
        ready: "tcp:127.0.0.1:{port}",
        stops: &[stop(SIGTERM, CLEAN, CLEAN), stop(SIGQUIT, CLEAN, CLEAN)],
        ..Program::PLAIN
    },
    Program {
        name: "`redis-server`",
        words: &["redis-server", "--port", "{port}", "--dir", "{dir}"],
        ready: "tcp:127.0.0.1:{port}",
        reaps: false,
        stops: &[stop(SIGTERM, CLEAN, CLEAN), stop(SIGINT, CLEAN, CLEAN)],
        ..Program::PLAIN
    },
    Program {
        name: "`redis-server --supervised systemd`",
        words: &["redis-server", "--port", "{port}", "--dir", "{dir}", "--supervised", "systemd"],
        ready: "sd_notify",
        reaps: false,
        stops: &[stop(SIGTERM, CLEAN, CLEAN)],
        ..Program::PLAIN
    },
    Program {
        name: "`postgres`",
        setup: "mkdir data && chown postgres data .
            setpriv --reuid postgres --regid postgres --init-groups {postgres}/initdb --no-sync -A trust -D data >/dev/null",
        words: &[
            "setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups", "{postgres}/postgres", "-F", "-D",
            "{dir}/data", "-k", "{dir}", "-c", "listen_addresses=", "-c", "port={port}",
        ],
        ready: "unix:{dir}/.s.PGSQL.{port}",
        // Its checkpoint at the end waits for no disk (-F): how long that takes is no matter of the program.
        // The launcher of logical replication ends with 1 when it is told to, all others with 2 when there is no time.
        stops: &[
            stop(SIGTERM, CLEAN, CLEAN),
            stop(SIGINT, CLEAN, CLEAN),
            stop(SIGQUIT, CLEAN, CLEAN),
        ],
        ..Program::PLAIN
    },
    Program {
        name: "`haproxy -db`",
        files: &[("haproxy.cfg", HAPROXY)],
        words: &["haproxy", "-db", "-f", "{dir}/haproxy.cfg"],
        ready: "tcp:127.0.0.1:{port}",
        reaps: false,
        stops: &[stop(SIGTERM, HANGS, dies(SIGTERM)), stop(SIGUSR1, CLEAN, CLEAN)],
        ..Program::PLAIN
    },
    Program {
        name: "`haproxy -W`",
        files: &[("haproxy.cfg", HAPROXY)],
        words: &["haproxy", "-W", "-f", "{dir}/haproxy.cfg"],
        ready: "tcp:127.0.0.1:{port}",
        stops: &[stop(SIGTERM, CLEAN, CLEAN), stop(SIGUSR1, CLEAN, CLEAN)],
        ..Program::PLAIN
    },
    Program {
        name: "`haproxy -Ws`",
        files: &[("haproxy.cfg", HAPROXY)],
        words: &["haproxy", "-Ws", "-f", "{dir}/haproxy.cfg"],
        ready: "sd_notify",
        stops: &[stop(SIGTERM, CLEAN, CLEAN)],
        ..Program::PLAIN
    },
    Program {
        name: "`apache2 -D FOREGROUND`",
        files: &[("apache.conf", APACHE)],
        words: &["apache2", "-D", "FOREGROUND", "-f", "{dir}/apache.conf"],
        ready: "tcp:127.0.0.1:{port}",
        stops: &[stop(SIGTERM, CLEAN, CLEAN)],
        ..Program::PLAIN
    },
    Program {
        name: "`php-fpm -F`",
        files: &[("php.conf", PHP)],
        words: &["{php-fpm}", "-F", "-y", "{dir}/php.conf"],
        ready: "unix:{dir}/php.sock",
        stops: &[stop(SIGTERM, CLEAN, CLEAN), stop(SIGQUIT, CLEAN, CLEAN)],
        ..Program::PLAIN
    },
    Program {
        name: "`gunicorn`",
        files: &[("app.py", WSGI)],
        words: &["gunicorn", "--chdir", "{dir}", "--workers", "2", "--bind", "unix:{dir}/gunicorn.sock", "app:app"],
        ready: "unix:{dir}/gunicorn.sock",
        stops: &[stop(SIGTERM, CLEAN, CLEAN), stop(SIGQUIT, CLEAN, CLEAN)],
        ..Program::PLAIN
    },
    Program {
        name: "`python3 -m http.server`",
        words: &["/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1", "--directory", "{dir}", "{port}"],
        ready: "tcp:127.0.0.1:{port}",
        reaps: false,
        stops: &[stop(SIGTERM, HANGS, dies(SIGTERM)), stop(SIGINT, CLEAN, CLEAN)],
        ..Program::PLAIN
    },
];
