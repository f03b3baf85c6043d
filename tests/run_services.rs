//! Real services in containers of the machine's own files: they serve from inside, and end as they are told to.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use harness::contained::{self, BUSYBOX};
use harness::{Exit, Scene, send, skip};

/// Runs the service with a folder of ours at /srv, where it has its socket, asks it, and tells it to end; returns what it
/// has written.
fn serve(options: &[&str], service: &str, file: &str, ask: &str, answer: &str) -> Option<Vec<String>> {
    // Who has no roots is not root.
    contained::root(BUSYBOX)?;
    let program = ask.split(' ').next().unwrap_or_default();
    if !Path::new("/usr/bin").join(program).exists() {
        skip(&format!("{program} is not there; tests/setup installs it"));
        return None;
    }
    let scene = Scene::new();
    let folder = scene.folder().join("srv");
    fs::create_dir(&folder).expect("the folder is ours");
    fs::set_permissions(&folder, Permissions::from_mode(0o777)).expect("the folder is ours");
    let bind = format!("{}:/srv", folder.display());
    let options = [&["--bind", &bind], options].concat();
    let run = contained::start(&scene, &options, Path::new("/"), &["sh", "-c", service]);
    let ask = ask.replace("FOLDER", &folder.display().to_string());
    let answered = || {
        let asked =
            folder.join(file).exists().then(|| scene.command("sh").args(["-c", &ask]).output().expect("it runs"));
        asked.filter(|output| String::from_utf8_lossy(&output.stdout).contains(answer))
    };
    scene.deadline.until("its answer", answered);
    send(run.outer_pid(), 15, 1);
    let ended = run.end();
    assert_eq!(ended.exit, Exit::Code(0), "{ended:?}");
    scene.nothing_is_left();
    Some([ended.stdout, ended.stderr].concat())
}

#[track_caller]
fn has_said(said: Option<&[String]>, words: &str) {
    assert!(said.is_none_or(|said| said.iter().any(|line| line.contains(words))), "{said:?}");
}

#[test]
fn redis_serves_and_saves() {
    let service = "exec redis-server --port 0 --unixsocket /srv/redis --dir /srv";
    let said = serve(&[], service, "redis", "redis-cli -s FOLDER/redis ping", "PONG");
    has_said(said.as_deref(), "bye bye");
}

#[test]
fn nginx_serves_and_ends_gracefully() {
    let service = "echo 'daemon off; error_log stderr notice; pid /tmp/pid; events {}
        http { access_log off; server { listen unix:/srv/nginx; return 200 alive; } }' >/tmp/conf
        exec nginx -c /tmp/conf";
    let ask = "curl -s --unix-socket FOLDER/nginx http://localhost/";
    let said = serve(&["--stop-signal", "QUIT"], service, "nginx", ask, "alive");
    has_said(said.as_deref(), "gracefully shutting down");
}

#[test]
fn postgres_serves_and_shuts_down() {
    let service = "PATH=$PATH:$(echo /usr/lib/postgresql/*/bin)
        initdb -D /tmp/data >/dev/null && exec postgres -D /tmp/data -k /srv -c listen_addresses=";
    let ask = "psql -h FOLDER -U postgres -Atc 'select 40 + 2'";
    let said = serve(&["--user", "postgres"], service, ".s.PGSQL.5432", ask, "42");
    has_said(said.as_deref(), "database system is shut down");
}
