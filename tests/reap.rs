//! Reaping: nothing dead stays, nothing living is kept waiting by the dead, and with nothing to do nothing is done.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::fs;
use std::path::Path;

use harness::launch::{EVERYWHERE, Init, Place};
use harness::running::Running;
use harness::{Exit, Scene, note, proc, send, skip};
use libc::{SIGKILL, SIGUSR1, SIGUSR2, SIGWINCH};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// Waits until the init has no child but the given one, dead or alive.
#[track_caller]
fn wait_for_only_child(scene: &Scene, init: i32, child: i32) {
    scene.deadline.until("the init to reap all but main", || (proc::children(init) == [child]).then_some(()));
}

#[test]
fn ten_thousand_orphans_dead_at_once_are_reaped_by_process_1() {
    let scene = Scene::new();
    let mut init = scene.supervise().place(Place::Pid1).probe("burst 10000, say over, read, exit 4").spawn();
    let main = init.main_pid();
    init.expect("over");
    wait_for_only_child(&scene, init.pid(), main);
    init.go();
    assert_eq!(init.wait(), Exit::Code(4));
}

#[test]
fn a_thousand_orphans_dead_at_once_are_reaped_wherever_it_runs() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let mut init = scene.supervise().place(place).probe("burst 1000, say over, read, exit 4").spawn();
        let main = init.main_pid();
        init.expect("over");
        wait_for_only_child(&scene, init.pid(), main);
        init.go();
        assert_eq!(init.wait(), Exit::Code(4), "{place:?}");
        scene.nothing_is_left();
    }
}

#[test]
fn a_stream_of_orphans_is_reaped() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let launch = scene.supervise().place(place);
        let mut init = launch.probe("orphans 300, storm 200 1000, say over, read, exit 4").spawn();
        let main = init.main_pid();
        init.expect("over");
        wait_for_only_child(&scene, init.pid(), main);
        init.go();
        assert_eq!(init.wait(), Exit::Code(4), "{place:?}");
    }
}

#[test]
fn a_single_orphan_is_reaped_with_nothing_else_going_on() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let mut init = scene.supervise().place(place).probe("orphans 1, say over, wait").spawn();
        let main = init.main_pid();
        init.expect("over");
        wait_for_only_child(&scene, init.pid(), main);
    }
}

#[test]
fn orphans_that_die_together_with_main_are_reaped_before_the_end() {
    for place in [Place::Pid1, Place::UserPid1] {
        let scene = Scene::new();
        let supervise = Init::Supervise.path().expect("cargo built it");
        let (supervise, probe) = (scene.for_everybody(&supervise), scene.for_everybody(&harness::probe()));
        // Process 1 is a mere program here. It would inherit, dead or alive, what supervise leaves behind.
        let inner = ["fork", "exec", "--", supervise.to_str().unwrap(), "--", probe.to_str().unwrap(), "setpgid"];
        let mut words = inner.to_vec();
        for _ in 0..20 {
            words.extend(["daemon", "ready", "wait", "end"]);
        }
        words.extend(["say", "main", "wait", "end", "tell-end", "children"]);
        let mut outer = scene.bare().place(place).probe_with("default HUP", &words).spawn();
        (0..21).for_each(|_| drop(outer.line()));
        let process_1 = outer.pid();
        let supervise = proc::children(process_1)[0];
        let main = proc::children(supervise).into_iter().find(|pid| getpgid(*pid) == *pid).expect("main leads a group");
        killpg(Pid::from_raw(main), Signal::SIGKILL).expect("the group lives");
        outer.expect(&format!("ended signal {SIGKILL}"));
        outer.expect("0 children");
        assert_eq!(outer.wait(), Exit::Code(0));
    }
}

fn getpgid(pid: i32) -> i32 {
    nix::unistd::getpgid(Some(Pid::from_raw(pid))).map_or(0, Pid::as_raw)
}

#[test]
fn mains_end_is_noticed_in_a_storm() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let launch = scene.supervise().place(place);
        // The storm would go on for days, and is told to end with the rest.
        let ended = launch.probe("fork setsid storm 1000000000 2000 end, orphans 50, exit 7").end();
        assert_eq!(ended.exit, Exit::Code(7), "{place:?}: {:?}", ended.stderr);
        scene.nothing_is_left();
    }
}

#[test]
fn signals_are_forwarded_in_a_storm() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let launch = scene.supervise().place(place);
        let mut init = launch.probe("fork storm 1000000000 5000 end, report-until WINCH, exit 3").spawn();
        init.expect("ready");
        let report = |init: &mut Running, signal: i32| {
            send(init.pid(), signal, 1);
            let line = init.line();
            assert!(line.starts_with(&format!("got {signal} ")), "{line}");
        };
        for _ in 0..50 {
            report(&mut init, SIGUSR1);
            report(&mut init, SIGUSR2);
        }
        report(&mut init, SIGWINCH);
        assert_eq!(init.wait(), Exit::Code(3), "{place:?}");
        scene.nothing_is_left();
    }
}

#[test]
fn a_child_that_stops_and_goes_on_is_not_taken_for_dead() {
    for place in EVERYWHERE {
        let scene = Scene::new();
        let launch = scene.supervise().place(place);
        let mut init = launch.probe("say begun, raise STOP 1, read, exit 6").spawn();
        init.expect("begun");
        let main = init.main_pid();
        for _ in 0..3 {
            scene.deadline.until("main to stop", || (proc::state(main) == Some('T')).then_some(()));
            send(main, libc::SIGCONT, 1);
            scene.deadline.until("main to go on", || (proc::state(main) == Some('S')).then_some(()));
            send(main, libc::SIGSTOP, 1);
        }
        scene.deadline.until("main to stop", || (proc::state(main) == Some('T')).then_some(()));
        send(main, libc::SIGCONT, 1);
        init.go();
        assert_eq!(init.wait(), Exit::Code(6), "{place:?}");
    }
}

/// An strace that watches a running process, and what it has seen so far.
fn watch<'s>(scene: &'s Scene, pid: i32, log: &Path) -> Running<'s> {
    let mut command = scene.command("strace");
    command.arg("-o").arg(log).args(["-p", &pid.to_string()]);
    let strace = Running::start(scene, command, 0, Path::new("strace"));
    scene.deadline.until("strace to attach", || {
        let tracer: i32 = proc::status(pid, "TracerPid")?.parse().ok()?;
        (tracer == strace.outer_pid()).then_some(())
    });
    strace
}

fn lines_of(log: &Path) -> Vec<String> {
    fs::read_to_string(log).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[test]
fn an_idle_init_makes_no_system_call() {
    // The clock of this test is tini's: it looks around once a second.
    if Init::Tini.path().is_none() {
        return skip("tini is not installed");
    }
    for place in [Place::Child, Place::Pid1] {
        let scene = Scene::new();
        let mut init = scene.supervise().place(place).probe("orphans 3, report-until WINCH").spawn();
        let mut clock = scene.init(Init::Tini).probe("ready, wait").spawn();
        init.expect("ready");
        clock.expect("ready");
        let main = init.main_pid();
        wait_for_only_child(&scene, init.pid(), main);

        let (calls, ticks) = (scene.folder().join("calls"), scene.folder().join("ticks"));
        let _watched = watch(&scene, init.pid(), &calls);
        let _watched_clock = watch(&scene, clock.pid(), &ticks);
        init.signal(SIGUSR1);
        assert!(init.line().starts_with("got 10 "));
        // It may have been on its way to sleep when main spoke. A traced process is asleep only in a system call.
        scene.deadline.until("the init to sleep", || (proc::state(init.pid()) == Some('S')).then_some(()));
        let asleep = lines_of(&calls);
        let ticked = lines_of(&ticks).len();
        scene.deadline.until("the clock to tick twice", || (lines_of(&ticks).len() > ticked + 4).then_some(()));
        assert_eq!(lines_of(&calls), asleep, "{place:?}");

        // The watch was on all the time.
        init.signal(SIGWINCH);
        scene.deadline.until("strace to see the next one", || (lines_of(&calls).len() > asleep.len()).then_some(()));
        note(&format!("an init that wakes up for one signal, {place:?}: {:#?}", &lines_of(&calls)[asleep.len()..]));
    }
}
