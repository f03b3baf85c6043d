//! A check that hangs in the kernel, where no signal reaches it.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::unistd::geteuid;

use crate::harness::launch::Place;
use crate::harness::slow::python;
use crate::harness::{Exit, Scene, proc, skip};
use crate::shell;

/// A file system whose server has taken all that was asked, and answers nothing: who waits for that cannot be killed. It
/// lives as long as its stdin.
const SERVER: &str = "
import ctypes, os, struct, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
fuse = os.open('/dev/fuse', os.O_RDWR)
data = b'fd=%d,rootmode=40000,user_id=0,group_id=0' % fuse
if libc.mount(b'none', sys.argv[1].encode(), b'fuse', 0, data):
    print(os.strerror(ctypes.get_errno()), flush=True)
    sys.exit(1)
def serve():
    while True:
        asked = os.read(fuse, 1 << 20)
        _, verb, number = struct.unpack_from('=IIQ', asked)
        if verb == 26:
            os.write(fuse, struct.pack('=IiQIIIIHHI', 40, 0, number, 7, 22, 0, 0, 12, 9, 4096))
threading.Thread(target=serve, daemon=True).start()
print('mounted', flush=True)
sys.stdin.read()
os._exit(0)
";

/// The server, in a namespace of mounts of its own.
struct Stuck(Child);

impl Stuck {
    fn make(place: &Path) -> Result<Stuck, String> {
        let mut server = Command::new("unshare")
            .args(["--mount", python(), "-c", SERVER])
            .arg(place)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut said = String::new();
        let stdout = server.stdout.take().expect("it is a pipe");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut said).expect("a pipe can be read");
        if said == "mounted\n" { Ok(Stuck(server)) } else { Err(said) }
    }
}

impl Drop for Stuck {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Those below that one that wait for the server.
fn stuck(pid: i32) -> usize {
    let is_it = |pid: &i32| proc::name(*pid).as_deref() == Some("cat") && proc::state(*pid) == Some('D');
    let below = proc::children(pid);
    below.iter().filter(|pid| is_it(pid)).count() + below.iter().map(|pid| stuck(*pid)).sum::<usize>()
}

/// Serves a file that hangs as `stuck/file` in the scene's folder; and how a command gets there. `None`: skipped.
fn served(scene: &Scene) -> Option<(Stuck, [String; 8])> {
    let place = scene.folder().join("stuck");
    fs::create_dir(&place).expect("it is new");
    let server =
        Stuck::make(&place).map_err(|why| skip(&format!("no file system of ours can be mounted: {why}"))).ok()?;
    let inside = format!("cd {} && exec \"$@\"", scene.folder().display());
    let target = server.0.id().to_string();
    let enter = ["nsenter", "--target", &target, "--mount", "sh", "-c", &inside, "sh"].map(str::to_owned);
    Some((server, enter))
}

#[test]
fn what_hangs_of_a_check_is_none_of_what_the_command_has_left() {
    if !geteuid().is_root() || !Path::new("/dev/fuse").exists() {
        return skip("a file system that hangs needs root and /dev/fuse");
    }
    for (check, main) in [("exec cat stuck/file", "exit 7"), ("cat stuck/file; true", "sleep 1000 & exit 7")] {
        let scene = Scene::new();
        let Some((server, enter)) = served(&scene) else { return };
        let enter = enter.each_ref().map(String::as_str);
        let options = ["--health", check, "--health-timeout", "100ms", "--health-interval", "50ms"];
        let launch = scene.supervise().place(Place::Child).options(&options).options(&["--health-action", "ignore"]);
        let mut init = launch.behind(&enter).argv(&shell(&format!("read line; {main}"))).spawn();
        init.expect("life 1");
        init.wait_until_said(&["the command is not checked"]);
        init.go();
        assert_eq!(init.wait(), Exit::Code(7), "{check}");
        // It was killed long ago: nobody waits for it, and kills it once more.
        let said = init.said();
        assert!(!said.contains("not end"), "{check}: {said}");
        drop(server);
    }
}

#[test]
fn of_checks_that_cannot_be_killed_there_is_one_and_the_others_fail_without_being_tried() {
    if !geteuid().is_root() || !Path::new("/dev/fuse").exists() {
        return skip("a file system that hangs needs root and /dev/fuse");
    }
    // What hangs is the check itself, or something that it waits for.
    for check in ["exec cat stuck/file", "cat stuck/file; true"] {
        let scene = Scene::new();
        let Some((server, enter)) = served(&scene) else { return };
        let enter = enter.each_ref().map(String::as_str);
        let options = ["-v", "--health", check, "--health-timeout", "100ms", "--health-interval", "50ms"];
        let launch = scene.supervise().place(Place::Child).options(&options).options(&["--health-retries", "4"]);
        let launch = launch.options(&["--health-action", "ignore"]).behind(&enter);
        let mut init = launch.argv(&shell("read line; exit 7")).spawn();
        init.expect("life 1");
        init.wait_until_said(&["health check"]);
        let line = init.wait_until_said(&["the command is not checked"]);
        assert!(line.contains("an earlier check has started") && line.contains("it hangs in the kernel"), "{line}");
        init.wait_until_said(&["the command is not healthy; checks that have failed in a row: 4"]);
        assert_eq!(stuck(init.pid()), 1, "{check}");
        // It gets away, and the next check may begin.
        drop(server);
        init.wait_until_said(&["checking the command, by pid"]);
        init.go();
        assert_eq!(init.wait(), Exit::Code(7), "{check}");
        scene.nothing_is_left();
    }
}
