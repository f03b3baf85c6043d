//! As any user, without a directory to write to, and where nobody is to be asked.

use crate::container::{Container, ROOT, USER, as_root, is_root};
use crate::harness::launch::Init;
use crate::harness::{Exit, Scene};

const SLEEPS: &str = "echo up; while :; do sleep 1000 & wait $!; done";

/// Process 1 is a user's.
const ANOTHERS: &[&str] = &["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups"];

#[test]
fn a_process_1_of_another_user_answers_that_user_and_root() {
    let Some(scene) = as_root() else { return };
    let before = [&["env", "XDG_RUNTIME_DIR=/run/user"], ANOTHERS].concat();
    let mut container = Container::behind(&scene, &before, &["--restart", "always", "--restart-delay", "1ms"], SLEEPS);
    container.init.expect("up");
    let with_place = ["env", "XDG_RUNTIME_DIR=/run/user"];
    let other = ["env", "XDG_RUNTIME_DIR=/run/user", "setpriv", "--reuid=1001", "--regid=1001", "--clear-groups"];
    let user = [&with_place[..], USER].concat();
    for who in [&user[..], &with_place] {
        let ended = container.ctl(who, &["restart", "--wait"]);
        assert_eq!((ended.exit, ended.stderr.len()), (Exit::Code(0), 0), "{who:?} {ended:?}");
        container.init.expect("up");
        assert_eq!(container.ctl(who, &["status", "--check"]).exit, Exit::Code(0));
    }
    container.is_refused(&other, &["restart"], 1, "ctl restart: must be root, or uid 1000");
    assert_eq!(container.ctl(&other, &["status", "--check"]).exit, Exit::Code(0));
    let said = "/run/supervise/ctl: no such file or directory; it is not root's, and XDG_RUNTIME_DIR is not set";
    container.is_refused(ROOT, &["restart"], 125, said);
    let ended = container.ctl(&user, &["stop", "--wait"]);
    assert_eq!((ended.exit, ended.stderr.len()), (Exit::Code(0), 0), "{ended:?}");
    assert_eq!(container.init.wait(), Exit::Code(143));
}

#[test]
fn where_no_socket_can_be_made_that_is_said_once_and_all_goes_on() {
    if !is_root() {
        return;
    }
    let read_only: &[&str] = &["sh", "-c", "mount -o remount,ro /run && exec \"$@\"", "sh"];
    // Nothing at all may be written to. With what is mounted below: the /run is to be the container's own.
    let nothing: &[&str] =
        &["sh", "-c", "mount -o remount,ro /run; mount --rbind / / && mount -o remount,bind,ro / && exec \"$@\"", "sh"];
    let cases = [
        (read_only.to_vec(), "read-only file system", "a --tmpfs /run would give it a place"),
        (nothing.to_vec(), "read-only file system", "a --tmpfs /run would give it a place"),
        (ANOTHERS.to_vec(), "permission denied", "as a directory that this user may write to"),
    ];
    for (before, said, cure) in cases {
        let scene = Scene::new();
        let script = "echo up; read line; exit 7";
        let options = ["--restart", "on-failure", "--restart-delay", "1ms", "--restart-limit", "1/1h"];
        let mut container = Container::behind(&scene, &before, &options, script);
        container.init.expect("up");
        for words in [&["status"][..], &["events"], &["stop"], &["restart"], &["signal", "HUP"]] {
            container.is_refused(
                ROOT,
                words,
                125,
                "cannot reach process 1: /run/supervise/ctl: no such file or directory",
            );
        }
        container.init.go();
        container.init.expect("up");
        container.init.go();
        let ended = container.init.end();
        assert_eq!(ended.exit, Exit::Code(7), "{before:?} {ended:?}");
        let lines: Vec<_> = ended.stderr.iter().filter(|line| line.contains("control socket")).collect();
        let said = format!("cannot offer the control socket /run/supervise/ctl: {said}; going on without, so that");
        assert!(lines.len() == 1 && lines[0].contains(&said), "{before:?} {ended:?}");
        assert!(lines[0].ends_with(cure), "{lines:?}");
    }
}

#[test]
fn who_wants_no_requests_is_not_asked() {
    let Some(scene) = as_root() else { return };
    let mut container = Container::saying("up", &scene, &["--requests", "off"], SLEEPS);
    for words in [&["status"][..], &["events", "--json"], &["stop", "--wait"], &["restart"], &["signal", "HUP"]] {
        let said = "/run/supervise/ctl: no such file or directory; process 1 has --requests off";
        container.is_refused(ROOT, words, 125, said);
    }
    let ended = container.init.said();
    assert!(!ended.contains("socket"), "{ended}");
    container.init.signal(libc::SIGTERM);
    assert_eq!(container.init.wait(), Exit::Code(143));
    assert!(Init::Supervise.path().is_some());
}

#[test]
fn nothing_of_ours_stays_in_run() {
    if !is_root() {
        return;
    }
    let as_user = [&["env", "XDG_RUNTIME_DIR=/run/user"], ANOTHERS].concat();
    for (before, place) in [(&[][..], "/run"), (&as_user[..], "/run/user")] {
        for options in [&[][..], &["--ready", "sd_notify"], &["--ready", "sd_notify", "--ctl-group", "0"]] {
            let scene = Scene::new();
            // (A user cannot give a socket to root's group: there is none then.) Somebody who lives in the mount namespace, and not in the PID namespace that ends.
            let mut container = Container::behind(&scene, before, options, "echo up; read line");
            let mut other = scene.command("nsenter");
            let target = container.init.pid().to_string();
            let look = format!("echo in; read line; ls -A {place}; echo end");
            other.args(["--target", &target, "--mount", "sh", "-c", &look]);
            other.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
            let path = Init::Supervise.path().expect("cargo built it");
            let mut other = crate::harness::running::Running::start(&scene, other, 0, &path);
            other.expect("in");
            container.init.expect("up");
            container.init.go();
            assert_eq!(container.init.wait(), Exit::Code(0), "{options:?}");
            other.go();
            let left: Vec<_> = std::iter::from_fn(|| Some(other.line()).filter(|line| line != "end")).collect();
            let others: &[&str] = if place == "/run" { &["user"] } else { &[] };
            assert_eq!(left, others, "{options:?}");
            assert_eq!(other.wait(), Exit::Code(0));
        }
    }
}

#[test]
fn the_command_is_heard_again_when_run_was_emptied_or_covered() {
    if !is_root() {
        return;
    }
    let options = ["-v", "--ready", "sd_notify", "--restart", "on-failure", "--restart-delay", "0"];
    let say = "import os, socket
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'READY=1\\nSTATUS=heard', os.environ['NOTIFY_SOCKET'])";
    let say = format!("python3 -c \"{say}\"; read line");
    // The start script itself does it; what is directly in /run is watched.
    let scene = Scene::new();
    let script = format!("rm -rf /run/*; until [ -S $NOTIFY_SOCKET ]; do :; done; {say}");
    let mut container = Container::new(&scene, &options, &script);
    container.init.wait_until_said(&["/run/supervise/notify was gone, and is offered again"]);
    container.init.wait_until_said(&["the command is ready"]);
    assert_eq!(container.status()["status"], "heard");
    container.init.go();
    assert_eq!(container.init.wait(), Exit::Code(0));
    // Nothing tells of a mount: the next life has it.
    let scene = Scene::new();
    let script = format!("[ -e covered ] || {{ touch covered; mount -t tmpfs tmpfs /run; exit 7; }}; {say}");
    let mut container = Container::new(&scene, &options, &script);
    container.init.wait_until_said(&["/run/supervise/notify was gone, and is offered again"]);
    container.init.wait_until_said(&["the command is ready"]);
    container.init.go();
    assert_eq!(container.init.wait(), Exit::Code(0));
    // Where there is no room for it any more that is said, and all goes on.
    let scene = Scene::new();
    let script = "[ -e covered ] || { touch covered; mount -t tmpfs -o ro tmpfs /run; exit 7; }; echo up; read line";
    let mut container = Container::saying("up", &scene, &options, script);
    container.init.wait_until_said(&["cannot offer /run/supervise/notify again, which is gone: read-only file system"]);
    container.init.go();
    assert_eq!(container.init.wait(), Exit::Code(0));
}
