//! The gap between the init's first instruction and a payload that can take signals: none is lost in it.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::time::{Duration, Instant};

use harness::launch::{Init, Launch, PEERS, Place, Target};
use harness::{Exit, Scene, note, send};
use libc::{SIGTERM, SIGWINCH};

const WAYS: [(Place, Target); 4] = [
    (Place::Child, Target::Main),
    (Place::Child, Target::Group),
    (Place::Pid1, Target::Main),
    (Place::Pid1, Target::Group),
];

#[test]
fn a_thousand_signals_pending_at_the_start_all_arrive() {
    for (place, target) in WAYS {
        let scene = Scene::new();
        let entered = "block all, fork send HUP 1 parent, send USR1 1 parent, send TERM 1 parent, \
                       send 34 300 parent, send 40 300 parent, send 63 400 parent, end join";
        let launch = scene.supervise().place(place).forward_to(target).entered_with(entered);
        let mut init = launch.probe("tally-until 64").spawn();
        init.expect("ready");
        init.signal(64);
        init.expect("1=1 10=1 15=1 34=300 40=300 63=400 64=1");
        assert_eq!(init.wait(), Exit::Code(0));
    }
}

#[test]
fn signals_that_the_process_sent_itself_before_it_became_the_init_arrive_too() {
    for (place, target) in WAYS {
        let scene = Scene::new();
        let entered = "block all, raise HUP 1, raise TERM 1, raise 40 3";
        let launch = scene.supervise().place(place).forward_to(target).entered_with(entered);
        let mut init = launch.probe("tally-until 64").spawn();
        init.expect("ready");
        init.signal(64);
        init.expect("1=1 15=1 40=3 64=1");
    }
}

/// Sends TERM some microseconds after the process has begun to become the init. Whether it reached the payload.
fn early_signal_arrives(launch: Launch, place: Place, after: Duration) -> bool {
    let mut running = launch.probe("tally-until WINCH").spawn();
    running.expect("ready");
    let pid = match place {
        Place::Child => running.outer_pid(),
        // `ready` was said by the process itself, so it is there.
        Place::Pid1 | Place::UserPid1 => harness::proc::children(running.outer_pid())[0],
    };
    let start = Instant::now();
    while start.elapsed() < after {
        std::hint::spin_loop();
    }
    send(pid, SIGTERM, 1);
    // The payload says `ready` once it takes signals. It may have died of the signal before, which is an arrival too.
    if running.stdout().next().is_none() {
        return [Exit::Signal(SIGTERM), Exit::Code(128 + SIGTERM)].contains(&running.wait());
    }
    // What was sent later arrives later: the report has TERM in it, or TERM is lost.
    send(pid, SIGWINCH, 1);
    let report = running.stdout().next();
    running.wait();
    report.is_none_or(|report| report.contains("15=1"))
}

/// How many of so many early signals are lost.
fn lost(init: Init, (place, target): (Place, Target), trials: u32, blocked: bool) -> u32 {
    // Spread over what a start takes, which is two or three milliseconds with the slower ones.
    let moments = (0..trials).map(|trial| Duration::from_micros(3000) * trial / trials);
    let scene = Scene::new();
    let launch = || {
        let entered = if blocked { "block TERM, ready" } else { "ready" };
        scene.init(init).place(place).forward_to(target).entered_with(entered)
    };
    moments.map(|after| u32::from(!early_signal_arrives(launch(), place, after))).sum()
}

#[test]
fn no_early_signal_is_lost() {
    for way in WAYS {
        // A namespace takes far longer to begin and to end than what is looked at here.
        let trials = if way.0 == Place::Child { 400 } else { 100 };
        assert_eq!(lost(Init::Supervise, way, trials, true), 0, "{way:?}");
    }
}

#[test]
fn an_early_signal_ends_an_init_that_blocks_none_yet_or_arrives() {
    // Not as process 1: for that one the kernel drops what it has no handler for.
    for way in [(Place::Child, Target::Main), (Place::Child, Target::Group)] {
        assert_eq!(lost(Init::Supervise, way, 100, false), 0, "{way:?}");
    }
}

#[test]
fn what_the_peers_lose_at_the_start_is_told() {
    const TRIALS: u32 = 15;
    for peer in PEERS.into_iter().filter(|peer| peer.path().is_some()) {
        for way in WAYS {
            note(&format!("{peer:?} {way:?}: {} of {TRIALS} early signals lost", lost(peer, way, TRIALS, true)));
        }
    }
}
