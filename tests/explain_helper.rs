//! What the process that explains keeps to: the payload's tree never sees it, it holds up no end, and nothing depends
//! on it.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::fs;
use std::io::{PipeReader, Write as _};
use std::path::Path;
use std::time::Instant;

use harness::launch::{EVERYWHERE, Launch, Place};
use harness::slow::{Slow, died, killed, python, says, warnings};
use harness::terminal::Terminal;
use harness::{Exit, Scene, proc, send, skip};
use libc::{SIGKILL, SIGTERM};
use nix::fcntl::{FcntlArg, fcntl};
use serde_json::Value;

/// Where all that matters comes from the loop itself, and in this order.
const GRACE: [&str; 2] = ["--grace", "2s"];

const DEAF: &str = "ignore TERM, ready, wait";

#[test]
fn it_is_none_of_the_payloads_processes() {
    let scene = Scene::new();
    let slow = EVERYWHERE.map(|place| {
        let report = scene.folder().join(format!("{place:?}"));
        fs::write(&report, "").expect("the folder is ours");
        fs::set_permissions(&report, std::os::unix::fs::PermissionsExt::from_mode(0o666)).expect("it is ours");
        let options = ["-v", "--exit-report", report.to_str().expect("made by us")];
        let verbs = "ignore TERM, fork setsid wait, end, ready, wait";
        let slow = Slow::start(&scene, place, scene.supervise().options(&options).probe(verbs));
        let [worker, main] =
            [proc::children(slow.main)[0], slow.main].map(|pid| proc::inner_pid(pid).expect("it lives"));
        slow.stop();
        (place, report, worker, main, slow)
    });
    for (place, report, worker, main, mut slow) in slow {
        slow.explains(&["ignores SIGTERM"]);
        send(slow.main, SIGKILL, 1);
        let ended = slow.init.end();
        assert_eq!(ended.exit, killed(place));
        // The leftover, and nobody else, was an orphan.
        let orphans: Vec<&String> = ended.stderr.iter().filter(|line| line.contains("an orphan (pid ")).collect();
        assert!(orphans.len() == 1 && orphans[0].contains(&format!("(pid {worker})")), "{place:?}: {orphans:?}");
        let report: Value = serde_json::from_str(&fs::read_to_string(report).expect("it was written")).expect("JSON");
        let listed: Vec<&Value> =
            report["processes"].as_array().expect("a list").iter().map(|one| &one["pid"]).collect();
        assert_eq!((listed, &report["more"]), (vec![&Value::from(worker)], &Value::from(0)), "{report}");
        assert_eq!(report["main"]["pid"], main, "{report}");
    }
    scene.nothing_is_left();
}

#[test]
fn it_is_gone_when_it_has_spoken() {
    let scene = Scene::new();
    for place in EVERYWHERE {
        let mut slow = Slow::start(&scene, place, scene.supervise().probe(DEAF));
        slow.stop();
        slow.explains(&["ignores SIGTERM"]);
        let init = slow.init.pid();
        scene.deadline.until("it to be reaped", || (proc::children(init) == [slow.main]).then_some(()));
    }
}

#[test]
fn an_end_at_that_very_moment_is_as_any_other() {
    let scene = Scene::new();
    let begun = Instant::now();
    let all: Vec<(Place, Slow<'_>)> = (0..60_u8)
        .map(|number| {
            let place = [Place::Child, Place::Pid1][usize::from(number % 2 == 1)];
            // The explanation is due after five seconds.
            let work = 4.97 + 0.001 * f64::from(number);
            let script = format!("trap 'sleep {work}; exit 3' TERM; echo ready; read line");
            let launch = scene.supervise().argv(&["bash", "-c", &script]);
            let slow = Slow::start(&scene, place, launch);
            slow.stop();
            (place, slow)
        })
        .collect();
    let mut explained = 0;
    for (place, slow) in all {
        // Its stderr ends with the last process that has it, the helper's included.
        let ended = slow.init.end();
        let said = warnings(&ended);
        assert!(said.len() <= 1 && said.iter().all(|line| line.contains("after SIGTERM: ")), "{place:?}: {said:?}");
        assert_eq!(ended.exit, Exit::Code(3), "{place:?}: {:?}", ended.stderr);
        explained += said.len();
    }
    harness::note(&format!("{explained} of 60 were explained, in {:?}", begun.elapsed()));
    scene.nothing_is_left();
}

/// Behind strace, which follows the helper and stops it with the first thing that it asks /proc. The others ask nothing
/// of that kind.
fn stuck<'s>(scene: &'s Scene, options: &[&str], verbs: &str) -> Launch<'s> {
    let calls = ["-f", "-e", "trace=fstat,statx", "-e", "inject=fstat,statx:signal=STOP"];
    scene.supervise().traced(Path::new("/dev/null"), &calls).options(options).probe(verbs)
}

#[test]
fn one_that_is_stuck_is_not_waited_for() {
    let scene = Scene::new();
    for place in EVERYWHERE {
        let verbs = "block TERM, ready, await TERM, read, exit 3";
        let mut slow = Slow::start(&scene, place, stuck(&scene, &[], verbs));
        slow.stop();
        let init = slow.init.pid();
        scene.deadline.until("the helper to stop", || {
            let helper = proc::children(init).into_iter().find(|child| *child != slow.main)?;
            matches!(proc::state(helper), Some('t' | 'T')).then_some(())
        });
        slow.init.go();
        // It would stay for ever.
        slow.ends_with(3);
    }
    scene.nothing_is_left();
}

#[test]
fn one_that_is_stuck_does_not_hold_up_the_kill_nor_the_next_one() {
    let scene = Scene::new();
    let options = ["--grace", "2s", "--leftover-grace", "2s"];
    let verbs = "ignore TERM,HUP, fork setsid wait, end, ready, wait";
    let slow = EVERYWHERE.map(|place| {
        let slow = Slow::start(&scene, place, stuck(&scene, &options, verbs));
        slow.stop();
        (place, slow)
    });
    for (place, slow) in slow {
        let ended = slow.init.end();
        assert_eq!(ended.exit, killed(place), "{:?}", ended.stderr);
        let said = warnings(&ended);
        assert!(said.len() == 2 && said.iter().all(|line| line.contains("killing it")), "{said:?}");
    }
    scene.nothing_is_left();
}

#[test]
fn where_none_can_be_started_the_stop_goes_on_and_one_line_says_less() {
    let scene = Scene::new();
    for place in EVERYWHERE {
        // The first one is the program.
        let refuse = ["-e", "trace=clone", "-e", "inject=clone:error=EAGAIN:when=2+"];
        let mut slow = Slow::start(
            &scene,
            place,
            scene.supervise().traced(Path::new("/dev/null"), &refuse).options(&GRACE).probe(DEAF),
        );
        let main = proc::inner_pid(slow.main).expect("it lives");
        slow.stop();
        let line = slow.init.warning();
        says(
            &line,
            &[&format!("the main program (pid {main}) is still there "), " s after SIGTERM", "cannot be explained"],
        );
        slow.must_be_killed();
    }
    scene.nothing_is_left();
}

#[test]
fn a_user_who_may_start_no_more_processes_is_told_less() {
    if !nix::unistd::geteuid().is_root() {
        return skip("only root can become a user without processes");
    }
    let scene = Scene::new();
    // A user that nobody else is: the limit counts all processes of one.
    let user = format!("--reuid={}", 1_000_000 + std::process::id());
    let user = ["setpriv", &user, "--regid=65534", "--clear-groups", "prlimit", "--nproc=2:2"];
    let launch = scene.supervise().for_everybody().behind(&user).options(&GRACE).probe(DEAF);
    let mut slow = Slow::start(&scene, Place::Child, launch);
    slow.stop();
    says(&slow.init.warning(), &["is still there ", "cannot be explained"]);
    slow.must_be_killed();
    scene.nothing_is_left();
}

#[test]
fn whoever_wants_no_warnings_gets_no_helper() {
    let scene = Scene::new();
    for (level, started) in [("error", 1), ("off", 1), ("warn", 2)] {
        let log = scene.folder().join(level);
        let forks = ["-e", "trace=clone,clone3,fork,vfork"];
        let launch = scene.supervise().traced(&log, &forks).env("SUPERVISE_LOG", level).options(&GRACE).probe(DEAF);
        let slow = Slow::start(&scene, Place::Child, launch);
        slow.stop();
        let ended = slow.init.end();
        assert_eq!(ended.exit, Exit::Signal(SIGKILL));
        assert_eq!(ended.stderr.is_empty(), level != "warn", "{:?}", ended.stderr);
        let calls = fs::read_to_string(log).expect("strace wrote it");
        let count = calls.lines().filter(|line| line.contains("clone") || line.contains("fork")).count();
        assert_eq!(count, started, "{level}: {calls}");
    }
    scene.nothing_is_left();
}

/// A pipe that takes no byte more.
fn full_pipe() -> (PipeReader, std::io::PipeWriter) {
    let (reader, mut writer) = std::io::pipe().expect("descriptors are left");
    let size = fcntl(&writer, FcntlArg::F_GETPIPE_SZ).expect("it is a pipe");
    writer.write_all(&vec![b'.'; usize::try_from(size).expect("a size")]).expect("it has the room");
    (reader, writer)
}

#[test]
fn what_takes_no_line_does_not_hold_up_the_stop() {
    let scene = Scene::new();
    let mut terminal = Terminal::open(&scene);
    // Ctrl-S, by which a user stops the output to read it.
    let held = terminal.slave();
    terminal.press("\x13");
    let (_reader, full) = full_pipe();
    let stderrs: [std::os::fd::OwnedFd; 2] = [held.into(), full.into()];
    for stderr in stderrs {
        for place in EVERYWHERE {
            let stderr = stderr.try_clone().expect("descriptors are left");
            let launch = scene.supervise().options(&GRACE).adjust(move |command| command.stderr(stderr)).probe(DEAF);
            let mut slow = Slow::start(&scene, place, launch);
            slow.stop();
            assert_eq!(slow.init.wait(), killed(place));
        }
    }
    scene.nothing_is_left();
}

#[test]
fn machines_get_the_cause_in_one_word() {
    let scene = Scene::new();
    let handler = "import signal, sys; signal.signal(15, lambda *_: None); print('ready', flush=True); \
                   [signal.pause() for _ in iter(int, 1)]";
    let cases: [(&[&str], &str, &str); 4] = [
        (&["ignore", "TERM", "ready", "wait"], "ignored", "probe"),
        (&["block", "TERM", "ready", "wait"], "blocked", "probe"),
        (
            &["block", "TERM", "ready", "await", "TERM", "unblock", "TERM", "exec", "--", "sleep", "1000"],
            "unmoved",
            "sleep",
        ),
        (&[python(), "-c", handler], "working", "python3"),
    ];
    for (words, why, comm) in cases {
        let slow = EVERYWHERE.map(|place| {
            let launch = scene.supervise().options(&["--log-format", "json"]);
            let launch = match comm {
                "python3" => launch.argv(words),
                _ => launch.probe(&words.join(" ")),
            };
            let slow = Slow::start(&scene, place, launch);
            let main = proc::inner_pid(slow.main).expect("it lives");
            slow.stop();
            (main, slow)
        });
        for (main, mut slow) in slow {
            let said = slow.init.stderr().next().expect("a line");
            send(slow.main, SIGKILL, 1);
            assert_eq!(slow.init.end().stderr, [""; 0], "more than one line");
            let line: Value = serde_json::from_str(&said).unwrap_or_else(|why| panic!("{why}: {said}"));
            assert_eq!(line["event"], "explain");
            assert_eq!((&line["why"], &line["pid"], &line["signal"]), (&why.into(), &main.into(), &SIGTERM.into()));
            assert!(line["comm"].as_str().is_some_and(|name| name.starts_with(comm)), "{line}");
            assert_eq!(line["level"], "warning");
            let message = line["message"].as_str().expect("a text");
            says(message, &[" after SIGTERM: ", &format!("pid {main} (`")]);
        }
    }
    scene.nothing_is_left();
}

#[test]
fn a_main_that_somebody_killed_is_nobodys_want_of_memory() {
    let scene = Scene::new();
    for place in EVERYWHERE {
        let slow = Slow::start(&scene, place, scene.supervise().options(&["-v"]).probe("ready, wait"));
        send(slow.main, SIGKILL, 1);
        let ended = slow.init.end();
        assert_eq!((ended.exit, warnings(&ended)), (died(place, SIGKILL), vec![]), "{place:?}");
        assert!(ended.stderr.iter().any(|line| line.contains("was killed")), "{place:?}: {:?}", ended.stderr);
    }
    scene.nothing_is_left();
}
