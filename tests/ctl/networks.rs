//! Who asks from another network namespace: the answer comes all the same, or nothing is asked.

use std::process::Stdio;

use crate::container::{COUNTS, Container, ROOT, USER, as_root, supervise};
use crate::harness::Exit;
use crate::harness::running::{Ended, Running};

/// In a network of its own.
const ALONE: &[&str] = &["unshare", "--net"];

impl Container<'_> {
    fn run(&self, who: &[&str], words: &[&str]) -> Ended {
        let path = supervise(self.scene);
        Running::start(self.scene, self.command(who, &[&[&path[..]], words].concat()), 1, path.as_ref()).end()
    }

    /// What lies beside the socket.
    fn beside(&self, place: &str) -> Vec<String> {
        Running::start(self.scene, self.command(ROOT, &["ls", "-A", place]), 1, "ls".as_ref()).end().stdout
    }
}

#[test]
fn who_may_write_beside_the_socket_is_answered_from_every_network() {
    let Some(scene) = as_root() else { return };
    let mut container = Container::saying("run 1", &scene, &[], COUNTS);
    for (words, run) in [(&["restart"][..], 2), (&["restart", "--wait"], 3)] {
        let ended = container.ctl(ALONE, words);
        assert_eq!((ended.exit, ended.stderr.len()), (Exit::Code(0), 0), "{ended:?}");
        container.init.expect(&format!("run {run}"));
    }
    let ended = container.ctl(ALONE, &["status", "--check"]);
    assert_eq!((ended.exit, ended.stderr.len()), (Exit::Code(0), 0), "{ended:?}");
    for words in [&["shutdown", "+5"][..], &["shutdown", "-c"], &["shutdown", "-r", "+60"]] {
        let ended = container.run(ALONE, words);
        assert_eq!(ended.exit, Exit::Code(0), "{words:?} {ended:?}");
    }
    assert_eq!(container.status()["scheduled"]["what"], "reboot");
    assert_eq!(container.beside("/run/supervise"), ["ctl"]);
    let ended = container.ctl(ALONE, &["stop", "--wait"]);
    assert_eq!((ended.exit, ended.stderr.len()), (Exit::Code(0), 0), "{ended:?}");
    assert_eq!(container.init.wait(), Exit::Code(143));
}

#[test]
fn who_may_not_is_told_so_before_anything_is_asked() {
    let Some(scene) = as_root() else { return };
    // This user may ask for it.
    let mut container = Container::saying("run 1", &scene, &["--ctl-group", "1000"], COUNTS);
    let user = [ALONE, USER].concat();
    for words in [&["status"][..], &["events"], &["restart"], &["stop", "--wait"], &["signal", "KILL"]] {
        let said = "cannot reach process 1: /run/supervise/ctl: it could not answer to this network namespace; ask";
        container.is_refused(&user, words, 125, said);
    }
    // What needs no answer goes its other ways, where they are open.
    let ended = container.run(&user, &["shutdown", "+1"]);
    assert_eq!((ended.exit, ended.stderr.len()), (Exit::Code(1), 1), "{ended:?}");
    assert!(ended.stderr[0].contains("it could not answer to this network namespace"), "{ended:?}");
    let status = container.status();
    assert_eq!((&status["restarts"], &status["state"]), (&0.into(), &"running".into()), "{status}");
    assert_eq!(status["scheduled"], serde_json::Value::Null, "{status}");
    // A nobody may not even ask.
    let other = [ALONE, &["setpriv", "--reuid=1001", "--regid=1001", "--clear-groups"]].concat();
    container.is_refused(&other, &["stop"], 1, "ctl stop: must be root, or a member of --ctl-group");
    container.is_refused(&other, &["status"], 125, "permission denied");
    assert_eq!(container.ctl(USER, &["stop"]).exit, Exit::Code(0));
    assert_eq!(container.init.wait(), Exit::Code(143));
}

#[test]
fn a_process_1_of_another_user_answers_root_from_every_network() {
    let Some(scene) = as_root() else { return };
    let user = ["env", "XDG_RUNTIME_DIR=/run/user", "setpriv", "--reuid=1000", "--regid=1000", "--clear-groups"];
    let mut container = Container::behind(&scene, &user, &[], "echo up; while :; do sleep 1000 & wait $!; done");
    container.init.expect("up");
    // Wherever the way to the same place begins.
    for place in ["/run/user", "/proc/1/root/run/user/."] {
        let place = format!("XDG_RUNTIME_DIR={place}");
        for who in [&[][..], USER] {
            let ended = container.ctl(&[ALONE, &["env", &place], who].concat(), &["status", "--check"]);
            assert_eq!((ended.exit, ended.stderr.len()), (Exit::Code(0), 0), "{place} {who:?} {ended:?}");
        }
        let ended = container.ctl(&[ALONE, &["env", &place]].concat(), &["restart", "--wait"]);
        assert_eq!((ended.exit, ended.stderr.len()), (Exit::Code(0), 0), "{place} {ended:?}");
        container.init.expect("up");
    }
    assert_eq!(container.beside("/run/user/supervise-1"), ["ctl"]);
    container.init.signal(libc::SIGTERM);
    assert_eq!(container.init.wait(), Exit::Code(143));
}

#[test]
fn who_is_outside_is_told_so_from_every_network() {
    let Some(scene) = as_root() else { return };
    let mut container = Container::saying("run 1", &scene, &[], COUNTS);
    let path = supervise(&scene);
    let target = container.init.pid().to_string();
    // Its files, and neither its PIDs nor its network; and, as another container that shares /run, with a /proc of its own.
    let own = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
    for own in [ALONE, &own[..]] {
        let mut command = scene.command("nsenter");
        command.args(["--target", &target, "--mount"]).args(own).args([&path, "ctl", "stop"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let ended = Running::start(&scene, command, 0, path.as_ref()).end();
        assert_eq!((ended.exit, ended.stderr.len()), (Exit::Code(1), 1), "{own:?} {ended:?}");
        let said = "ctl stop: process 1 hears nobody outside of its PID namespace; say it inside";
        assert!(ended.stderr[0].contains(said), "{own:?} {ended:?}");
    }
    assert_eq!(container.beside("/run/supervise"), ["ctl"]);
    container.asks(&["stop"]);
    assert_eq!(container.init.wait(), Exit::Code(143));
}

#[test]
fn no_other_file_gets_an_answer() {
    let Some(scene) = as_root() else { return };
    let mut container = Container::saying("run 1", &scene, &[], COUNTS);
    // A status, which is answered in one turn; the last name is the one that is, so that nothing comes to those before it.
    let script = "import os, socket
message = b'SVc4?po' + bytes(254)
taken = []
os.mkdir('/run/other')
for path in ['/run/other/x', '/run/supervise/x', '/run/supervise/ctl-a']:
    asks = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    asks.bind(path)
    os.chmod(path, 0o666)
    asks.sendto(message, '/run/supervise/ctl')
    taken.append(asks)
taken[-1].settimeout(60)
print(taken[-1].recv(999)[:4].decode())
for silent in taken[:-1]:
    silent.setblocking(False)
    try:
        print(silent.recv(999))
    except BlockingIOError:
        print('nothing')";
    let asked = container.command(ROOT, &["python3", "-c", script]);
    let ended = Running::start(&scene, asked, 1, "python3".as_ref()).end();
    assert_eq!(ended.stdout, ["SVr4", "nothing", "nothing"], "{ended:?}");
    container.init.signal(libc::SIGTERM);
    assert_eq!(container.init.wait(), Exit::Code(143));
}
