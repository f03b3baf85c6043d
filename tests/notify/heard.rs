//! Who is heard, where the kernel's word for the sender does not say whose it is.

use libc::{SIGCONT, SIGSTOP, SIGTERM};

use crate::container::Container;
use crate::harness::launch::Place;
use crate::harness::running::Running;
use crate::harness::{Exit, Scene, proc, skip};
use crate::{READY, SAY, python, shell};

/// A command that says where it is heard, and then waits.
const WAITS: &str = "echo $NOTIFY_SOCKET; while :; do sleep 1000 & wait $!; done";

/// A python program of somebody's that comes into the namespace from outside, as `docker exec` brings it.
fn visitor(scene: &Scene, init: &Running<'_>, address: &str, program: &str) -> std::process::Command {
    let mut command = scene.command("nsenter");
    command.args(["--pid", "--target", &init.pid().to_string()]);
    command.args(["python3", "-c", &format!("{SAY}{program}")]).env("NOTIFY_SOCKET", address);
    command
}

fn is_root() -> bool {
    let is_root = nix::unistd::geteuid().is_root();
    if !is_root {
        skip("who is not root comes into no namespace");
    }
    is_root
}

#[test]
fn who_is_gone_is_heard_where_it_could_have_signalled_the_command() {
    if !is_root() {
        return;
    }
    for (uid, options, is_heard) in [
        ("0", &[][..], true),
        ("65534", &[], false),
        ("65534", &["--user", "65534"], true),
        ("1000", &["--user", "65534"], false),
    ] {
        let scene = Scene::new();
        let mut init = shell(&scene, Place::Pid1, options, WAITS).spawn();
        let address = init.line();
        init.signal(SIGSTOP);
        scene.deadline.until("process 1 to be stopped", || (proc::state(init.pid()) == Some('T')).then_some(()));
        let program = format!("os.setresuid({uid}, {uid}, {uid}); say(b'READY=1\\nSTATUS=gone')");
        let said = visitor(&scene, &init, &address, &program).status();
        assert!(said.expect("it runs").success());
        init.signal(SIGCONT);
        if is_heard {
            init.wait_until_said(&["the command says: gone"]);
            init.wait_until_said(&[READY]);
        } else {
            init.wait_until_said(&["by sd_notify(3) is ignored: it is none of the command's processes"]);
        }
        init.signal(SIGTERM);
        let ended = init.end();
        assert_eq!(ended.exit, Exit::Code(143), "{uid} {options:?}");
        assert!(!ended.stderr.iter().any(|line| line.contains(READY)), "{uid} {options:?} {ended:?}");
    }
}

#[test]
fn only_the_command_and_what_is_below_it_pull_the_trigger() {
    if !is_root() {
        return;
    }
    let scene = Scene::new();
    let options = ["--watchdog", "1h"];
    let program = "
import signal
print(os.environ['NOTIFY_SOCKET'], flush=True)
say(b'READY=1')
sys.stdin.readline()
if os.fork() == 0:
    say(b'WATCHDOG=trigger')
time.sleep(1000)
";
    let mut init = python(&scene, Place::Pid1, &options, program).spawn();
    let address = init.line();
    init.wait_until_said(&[READY]);
    // Somebody else's orphan is our child as the command's orphans are.
    let orphan = "
inside = os.fork()
if inside == 0:
    if os.fork() == 0:
        while os.getppid() != 1: time.sleep(0.001)
        say(b'WATCHDOG=1\\nSTATUS=heard\\nWATCHDOG=trigger')
        say(b'WATCHDOG=trigger')
        barrier()
    os._exit(0)
os.waitpid(inside, 0)
";
    let said = visitor(&scene, &init, &address, orphan).status();
    assert!(said.expect("it runs").success());
    for _ in 0..2 {
        init.wait_until_said(&[
            "WATCHDOG=trigger is for the command itself, and what is below it",
            "the command says: heard",
        ]);
    }
    init.go();
    init.wait_until_said(&["the command does not say in time that it is alive; stopping it"]);
    let ended = init.end();
    assert_eq!(ended.exit, Exit::Code(134), "{ended:?}");
}

#[test]
fn the_umask_keeps_no_command_of_another_user_from_being_heard() {
    if !is_root() {
        return;
    }
    let scene = Scene::new();
    let options = ["-v", "--ready", "sd_notify", "--user", "65534"];
    let before = ["sh", "-c", "umask 077 && exec \"$@\"", "sh"];
    let script = "systemd-notify --ready --status=\"by $NOTIFY_SOCKET\"; read line";
    let mut container = Container::behind(&scene, &before, &options, script);
    container.init.wait_until_said(&["the command says: by /run/supervise/notify"]);
    container.init.wait_until_said(&[READY]);
    container.init.go();
    assert_eq!(container.init.wait(), Exit::Code(0));
}

#[test]
fn no_socket_is_made_where_others_could_put_something_in_its_place() {
    if !is_root() {
        return;
    }
    for (make, is_ours) in [
        ("mkdir -m 755 /run/supervise", true),
        ("mkdir -m 777 /run/supervise", false),
        ("mkdir -m 775 /run/supervise", false),
        ("mkdir -m 755 /run/supervise && chown 65534 /run/supervise", false),
    ] {
        let scene = Scene::new();
        let before = ["sh", "-c", &format!("{make} && umask 077 && exec \"$@\""), "sh"];
        let script =
            "systemd-notify --ready; stat -c '%a %n' /run/supervise/* 2>&1 | grep '^6'; echo $NOTIFY_SOCKET; read line";
        let mut container = Container::behind(&scene, &before, &["-v", "--ready", "sd_notify"], script);
        if is_ours {
            container.init.expect("666 /run/supervise/ctl");
            container.init.expect("666 /run/supervise/notify");
        }
        let address = container.init.line();
        assert_eq!(address == "/run/supervise/notify", is_ours, "{make}: {address}");
        container.init.go();
        let said = container.init.end().stderr.join("\n");
        assert!(said.contains(READY), "{make}: {said}");
        for path in ["ctl", "notify"] {
            let line =
                format!("/run/supervise/{path}: its directory belongs to another user, or others may write to it");
            assert_eq!(said.contains(&line), !is_ours, "{make}: {said}");
        }
    }
}
