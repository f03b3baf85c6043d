//! The same cases on the other inits: what all of them promise must hold for all, and where they differ the
//! difference is told beside what supervise does.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use harness::launch::{Init, PEERS, Place, Target};
use harness::{Exit, Scene, note, proc, send, skip};
use libc::{SIGABRT, SIGHUP, SIGINT, SIGQUIT, SIGSEGV, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};

/// supervise and the peers that are installed.
fn everybody() -> impl Iterator<Item = Init> {
    let installed = |init: &Init| {
        init.path().is_some() || {
            skip(&format!("{init:?} is not installed"));
            false
        }
    };
    [Init::Supervise].into_iter().chain(PEERS).filter(installed)
}

#[test]
fn process_1_ends_with_mains_code_or_128_more_than_its_signal() {
    let cases =
        [("exit 0", 0), ("exit 3", 3), ("exit 255", 255), ("die TERM", 143), ("die KILL", 137), ("die 64", 192)];
    for init in everybody() {
        let scene = Scene::new();
        for (verbs, code) in cases {
            let ended = scene.init(init).place(Place::Pid1).probe(verbs).end();
            assert_eq!(ended.exit, Exit::Code(code), "{init:?} {verbs}");
        }
    }
}

#[test]
fn signals_are_forwarded_real_time_ones_too() {
    for init in everybody() {
        let scene = Scene::new();
        let launch = scene.init(init).place(Place::Pid1).forward_to(Target::Main);
        let mut running = launch.probe("report-until 64").spawn();
        running.expect("ready");
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGTERM, SIGTERM, SIGWINCH, 34, 35, 64] {
            running.signal(signal);
            let line = running.line();
            assert!(line.starts_with(&format!("got {signal} ")), "{init:?} {signal}: {line}");
        }
    }
}

#[test]
fn queued_real_time_signals_stay_as_many() {
    for init in everybody() {
        let scene = Scene::new();
        let mut running = scene.init(init).place(Place::Pid1).probe("tally-until 64").spawn();
        running.expect("ready");
        send(running.pid(), 40, 5);
        send(running.pid(), 64, 1);
        running.expect("40=5 64=1");
    }
}

#[test]
fn orphans_are_reaped_by_process_1() {
    for init in everybody() {
        let scene = Scene::new();
        let mut running = scene.init(init).place(Place::Pid1).probe("burst 500, orphans 50, say over, wait").spawn();
        let main = running.main_pid();
        running.expect("over");
        let pid = running.pid();
        scene.deadline.until("all but main to be reaped", || (proc::children(pid) == [main]).then_some(()));
    }
}

/// One thing that inits do in different ways.
struct Difference {
    what: &'static str,
    /// What supervise answers.
    ours: &'static str,
    ask: fn(&Scene, Init) -> String,
}

const DIFFERENCES: [Difference; 10] = [
    Difference {
        what: "exit code of a command that is not there",
        ours: "127",
        ask: |scene, init| code(scene.init(init).argv(&["/no/such/command"]).end().exit),
    },
    Difference {
        what: "exit code of a directory",
        ours: "126",
        ask: |scene, init| code(scene.init(init).argv(&["/etc"]).end().exit),
    },
    Difference {
        what: "how it ends, not as process 1, after a main that died of INT",
        ours: "signal 2",
        ask: |scene, init| code(scene.init(init).probe("die INT").end().exit),
    },
    Difference {
        what: "signals blocked at entry: USR1 TTIN 40",
        ours: "0000008000100200",
        ask: |scene, init| handed_on(scene, init, "block USR1,TTIN,40", "mask "),
    },
    Difference {
        what: "signals blocked at entry: none",
        ours: "0000000000000000",
        ask: |scene, init| handed_on(scene, init, "default HUP", "mask "),
    },
    Difference {
        what: "signals ignored at entry: HUP PIPE",
        ours: "0000000000001001",
        ask: |scene, init| handed_on(scene, init, "default 32,33, ignore HUP,PIPE", "ignored "),
    },
    Difference { what: "forwards SEGV and ABRT as process 1", ours: "6=1 11=1 28=1", ask: forwards_faults },
    Difference { what: "descriptors of others that it keeps", ours: "0", ask: keeps_descriptors },
    Difference { what: "its working directory", ours: "/", ask: working_directory },
    Difference { what: "code 5 with CHLD ignored at entry", ours: "5", ask: ends_with_child_signals_ignored },
];

fn code(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => code.to_string(),
        Exit::Signal(signal) => format!("signal {signal}"),
    }
}

/// A fact that the payload reports of itself.
fn handed_on(scene: &Scene, init: Init, entered: &str, fact: &str) -> String {
    let ended = scene.init(init).entered_with(entered).probe("status").end();
    ended.stdout.iter().find_map(|line| line.strip_prefix(fact)).unwrap_or("nothing").to_owned()
}

fn forwards_faults(scene: &Scene, init: Init) -> String {
    let mut running = scene.init(init).place(Place::Pid1).probe("tally-until WINCH").spawn();
    running.expect("ready");
    for signal in [SIGSEGV, SIGABRT, SIGWINCH] {
        running.signal(signal);
    }
    running.stdout().next().unwrap_or_else(|| "it died".to_owned())
}

/// What is true of an init that has had its time to settle down. supervise is waited for until it does as promised.
fn settled(scene: &Scene, init: Init, entered: &str, promised: &str, fact: impl Fn(i32) -> String) -> String {
    let mut running = scene.init(init).entered_with(entered).probe("ready, wait").spawn();
    running.expect("ready");
    let pid = running.pid();
    if init == Init::Supervise {
        scene.deadline.until(promised, || (fact(pid) == promised).then_some(()));
    } else {
        wait_for_a_clock(scene, "storm 3 10, say over");
    }
    fact(pid)
}

/// Waits for a program that paces itself: nobody could wait for what may never come.
fn wait_for_a_clock(scene: &Scene, verbs: &str) {
    scene.bare().probe(verbs).spawn().expect("over");
}

fn keeps_descriptors(scene: &Scene, init: Init) -> String {
    settled(scene, init, "open 9 /dev/zero, open 20 /dev/zero", "0", |pid| {
        let kept = proc::descriptors(pid).iter().filter(|(_, to)| to.to_str() == Some("/dev/zero")).count();
        kept.to_string()
    })
}

fn working_directory(scene: &Scene, init: Init) -> String {
    settled(scene, init, "chdir /usr/bin", "/", |pid| {
        let cwd = std::fs::read_link(format!("/proc/{pid}/cwd"));
        cwd.map_or_else(|error| error.to_string(), |cwd| cwd.display().to_string())
    })
}

fn ends_with_child_signals_ignored(scene: &Scene, init: Init) -> String {
    let mut running = scene.init(init).entered_with("ignore CHLD").probe("ready, exit 5").spawn();
    running.expect("ready");
    if init == Init::Supervise {
        return code(running.wait());
    }
    // An init that still sleeps when two seconds of work are done will not wake up.
    wait_for_a_clock(scene, "storm 3 1, say over");
    if proc::state(running.outer_pid()) == Some('Z') { code(running.wait()) } else { "hangs".to_owned() }
}

#[test]
fn where_the_inits_differ_supervise_does_as_promised() {
    for Difference { what, ours, ask } in DIFFERENCES {
        let mut told = format!("{what}:");
        for init in everybody() {
            let answer = ask(&Scene::new(), init);
            told.push_str(&format!(" {init:?} {answer};"));
            assert!(init != Init::Supervise || answer == ours, "{what}: {answer}");
        }
        note(&told);
    }
}
