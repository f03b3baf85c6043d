//! Debian's services that speak sd_notify(3), as systemd would run them: that they are ready, reload and end is known by
//! their own words.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::container::{Container, ROOT, Reader, is_root};
use crate::harness::{Exit, Scene, skip};

/// A service, and what it is known to do.
struct Service {
    /// As `exec` of a shell in the scene's folder takes it.
    command: String,
    options: &'static [&'static str],
    /// What it says of itself, when it is ready.
    says: Value,
    /// The signal by which it reads its configuration again, if it tells of that.
    reload: Option<&'static str>,
    /// What makes it end, beside supervise.
    end: &'static [&'static str],
    /// Whether it says then that it does.
    tells_of_its_end: bool,
}

/// The program, or a line that says why there is none.
fn find(program: &str, folders: &[&str]) -> Option<PathBuf> {
    let found = folders.iter().map(|folder| Path::new(folder).join(program)).find(|path| path.exists());
    if found.is_none() {
        skip(&format!("{program} is not there; tests/setup installs it"));
    }
    found.filter(|_| is_root())
}

/// The last of what is in the folder: a version.
fn newest(folder: &str, prefix: &str) -> String {
    let names = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let names = names.filter_map(|name| name.into_string().ok()).filter(|name| name.starts_with(prefix));
    names.max().unwrap_or_else(|| prefix.to_owned())
}

fn main_pid(container: &Container<'_>) -> String {
    container.status()["main"].to_string()
}

/// Reads until that one.
fn told(reader: &mut Reader<'_>, events: &[&str]) {
    for event in events {
        reader.until(event);
    }
}

/// It is ready, reloads, ends by itself, and is stopped.
fn lives(scene: &Scene, service: &Service) {
    let options = [&["--ready", "sd_notify", "--ready-timeout", "60s"], service.options].concat();
    let script = format!("exec {}", service.command);
    for asked in [false, true] {
        let mut container = Container::new(scene, &options, &script);
        scene.deadline.until("an answer", || (container.ctl(ROOT, &["status"]).exit == Exit::Code(0)).then_some(()));
        let ready = container.wait_until("readiness", |status| status["readiness"] == "ready");
        assert_eq!(ready["status"], service.says, "{ready}");
        assert_eq!(container.ctl(ROOT, &["status", "--check"]).exit, Exit::Code(0));
        let mut reader = container.reads_from_outside();
        if let Some(signal) = service.reload {
            container.asks(&["signal", signal]);
            told(&mut reader, &["reloading", "ready"]);
            let again = container.status();
            assert_eq!((&again["main"], &again["readiness"]), (&ready["main"], &"ready".into()), "{again}");
        }
        if asked {
            container.asks(&["stop", "--wait"]);
        } else {
            let pid = main_pid(&container);
            let folder = scene.folder().display().to_string();
            let words = service.end.iter().map(|word| word.replace("PID", &pid).replace("DIR", &folder));
            let words: Vec<String> = words.collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            // All that is inside ends with process 1, and so may this.
            container.command(ROOT, &words).output().expect("it runs");
            told(&mut reader, if service.tells_of_its_end { &["stops-itself"] } else { &[] });
        }
        told(&mut reader, &["ended", "exit"]);
        assert_eq!(container.init.wait(), Exit::Code(0), "{}", service.command);
    }
}

#[test]
fn redis_says_what_it_does() {
    let Some(program) = find("redis-server", &["/usr/bin"]) else { return };
    let command =
        format!("{} --supervised systemd --port 0 --unixsocket redis.sock --save '' --daemonize no", program.display());
    let end = &["redis-cli", "-s", "DIR/redis.sock", "shutdown", "nosave"];
    let says = "Ready to accept connections".into();
    lives(&Scene::new(), &Service { command, options: &[], says, reload: None, end, tells_of_its_end: true });
}

#[test]
fn haproxy_reloads_by_its_own_words() {
    let Some(program) = find("haproxy", &["/usr/sbin"]) else { return };
    let scene = Scene::new();
    let conf = format!(
        "global\ndefaults\n mode http\n timeout client 1s\n timeout connect 1s\n timeout server 1s\nfrontend f\n bind unix@{}\n",
        scene.folder().join("haproxy.sock").display()
    );
    fs::write(scene.folder().join("haproxy.cfg"), conf).expect("the folder is ours");
    let command = format!("{} -Ws -f {}", program.display(), scene.folder().join("haproxy.cfg").display());
    let end = &["kill", "-TERM", "PID"];
    lives(
        &scene,
        &Service { command, options: &[], says: Value::Null, reload: Some("USR2"), end, tells_of_its_end: true },
    );
}

#[test]
fn php_fpm_is_ready_when_it_serves() {
    let Some(program) = find(&newest("/usr/sbin", "php-fpm"), &["/usr/sbin"]) else { return };
    let scene = Scene::new();
    let socket = scene.folder().join("fpm.sock");
    let conf = format!(
        "[global]\nerror_log = /dev/null\n[www]\nuser = www-data\nlisten = {}\npm = static\npm.max_children = 1\n",
        socket.display()
    );
    fs::write(scene.folder().join("fpm.conf"), conf).expect("the folder is ours");
    let command = format!("{} --nodaemonize -R -y {}", program.display(), scene.folder().join("fpm.conf").display());
    let end = &["kill", "-QUIT", "PID"];
    let says = "Ready to handle connections".into();
    lives(&scene, &Service { command, options: &[], says, reload: None, end, tells_of_its_end: false });
}

#[test]
fn postgres_is_ready_when_it_serves() {
    let version = newest("/usr/lib/postgresql", "1");
    let folder = format!("/usr/lib/postgresql/{version}/bin");
    let Some(program) = find("postgres", &[&folder]) else { return };
    let scene = Scene::new();
    fs::set_permissions(scene.folder(), fs::Permissions::from_mode(0o777)).expect("it is ours");
    let data = scene.folder().join("data").display().to_string();
    let user = ["--reuid=postgres", "--regid=postgres", "--init-groups"];
    let made = scene
        .command("setpriv")
        .args(user)
        .arg(format!("{folder}/initdb"))
        .args(["--auth=trust", "--no-sync", "-D", &data])
        .output()
        .expect("initdb runs");
    assert!(made.status.success(), "{made:?}");
    let command = format!("{} -D {data} -c listen_addresses= -c unix_socket_directories={data} -F", program.display());
    let end = &["kill", "-INT", "PID"];
    lives(
        &scene,
        &Service {
            command,
            options: &["--user", "postgres"],
            says: Value::Null,
            reload: None,
            end,
            tells_of_its_end: true,
        },
    );
}
