//! `supervise check`: commands whose first thread ends while others go on. They live, although /proc shows a zombie.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use harness::Scene;
use harness::checked::{Report, report};
use harness::slow::python;

/// What the thread that is left does is put behind it. The first thread ends by itself, and without the C library, which
/// would end the process.
const LEAVES: &str = "
import ctypes, os, platform, signal, threading, time
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
EXIT = {'x86_64': 60, 'aarch64': 93}[platform.machine()]
def work():
    while open(f'/proc/{os.getpid()}/stat').read().rsplit(')', 1)[1].split()[0] != 'Z': time.sleep(0.001)
    os.write(1, b'ready\\n')
    act()
";

fn check(scene: &Scene, modes: &str, grace: &str, act: &str) -> Report {
    let program =
        format!("{LEAVES}def act():\n{act}\nthreading.Thread(target=work).start()\nctypes.CDLL(None).syscall(EXIT, 0)");
    let options = ["--as", modes, "--also", "none", "--grace", grace, "--ready", "log:^ready$"];
    report(scene, &options, &[python(), "-c", &program])
}

#[test]
fn who_ends_by_a_thread_that_is_left_has_ended_then() {
    let scene = Scene::new();
    let act = "    signal.sigwait([signal.SIGTERM]); time.sleep(0.5); os._exit(3)";
    let report = check(&scene, "pid1,child,init", "20s", act);
    for mode in ["pid1", "child", "init"] {
        report.says(mode, &[("S01", "pass"), ("S06", "pass"), ("S17", "pass")]);
        let run = report.run(mode);
        let main = run["processes"].as_array().expect("a list").iter().find(|process| process["main"] == true);
        assert_eq!(main.expect("it is there")["ended"]["status"]["code"], 3, "{run:#}");
        assert!(run["took_ms"].as_f64().is_some_and(|took| took >= 500.0), "{run:#}");
    }
    scene.nothing_is_left();
}

#[test]
fn who_does_not_end_is_killed_when_the_time_is_over_and_is_known_by_its_words() {
    let scene = Scene::new();
    let report = check(&scene, "pid1,child", "2s", "    while True: signal.sigwait([signal.SIGTERM])");
    for mode in ["pid1", "child"] {
        report.says(mode, &[("S01", "fail")]);
        let run = &report.group(mode)["runs"][0];
        let main = &run["processes"][0];
        assert_eq!(main["ended"]["by"], "supervise", "{run:#}");
        assert_eq!(main["at_deadline"]["state"], "able", "{run:#}");
        assert!(main["words"].as_str().is_some_and(|words| words.contains(" -c ")), "{main:#}");
    }
    report.exits(1);
    scene.nothing_is_left();
}
