//! A time that passes while neither we nor the command run (`docker pause`, a machine that sleeps, Ctrl-Z) is not the
//! command's.

use std::time::{Duration, Instant};

use libc::{SIGABRT, SIGCONT, SIGSTOP, SIGTERM, SIGUSR1};

use crate::harness::launch::Place;
use crate::harness::running::Running;
use crate::harness::{Exit, Scene, proc, send};
use crate::{READY, python};

/// What the command has, and for how long both are stopped: longer than that.
const TIME: (&str, Duration) = ("3s", Duration::from_millis(3500));
/// The same of one that has to start in that time, on any machine.
const STARTING: (&str, Duration) = ("12s", Duration::from_millis(12_500));

/// Stops both, and us last, so that nothing is missed; lets us run again, by which the command does.
#[track_caller]
fn freeze(scene: &Scene, init: &Running<'_>, pause: Duration) {
    let is_stopped = |pid| proc::state(pid) == Some('T');
    let (main, ourselves) = (init.main_pid(), init.pid());
    for pid in [main, ourselves] {
        send(pid, SIGSTOP, 1);
        scene.deadline.until("the stop", || is_stopped(pid).then_some(()));
    }
    let began = Instant::now();
    scene.deadline.until("the end of the pause", || (began.elapsed() > pause).then_some(()));
    send(ourselves, SIGCONT, 1);
    // It has done what is due.
    scene.deadline.until("sleep", || (proc::state(ourselves) == Some('S')).then_some(()));
    scene.deadline.until("the command", || (!is_stopped(main)).then_some(()));
}

#[test]
fn who_was_frozen_with_us_is_not_taken_for_dead() {
    let scene = Scene::new();
    let program = "
say(b'READY=1'); barrier()
print('ready', flush=True)
while True:
    say(b'WATCHDOG=1')
    time.sleep(0.2)
";
    let mut init = python(&scene, Place::Child, &["--watchdog", TIME.0], program).spawn();
    init.expect("ready");
    freeze(&scene, &init, TIME.1);
    init.signal(SIGTERM);
    assert_eq!(init.wait(), Exit::Signal(SIGTERM));
}

#[test]
fn who_hangs_after_that_is_taken_for_dead() {
    let scene = Scene::new();
    let program = "say(b'READY=1'); barrier(); print('ready', flush=True); time.sleep(1000)";
    let mut init = python(&scene, Place::Child, &["--watchdog", TIME.0], program).spawn();
    init.expect("ready");
    freeze(&scene, &init, TIME.1);
    assert_eq!(init.wait(), Exit::Signal(SIGABRT));
}

#[test]
fn who_was_frozen_with_us_has_time_to_become_ready() {
    let scene = Scene::new();
    let program = "
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
print('waits', flush=True)
signal.sigwait([signal.SIGUSR1])
say(b'READY=1')
time.sleep(1000)
";
    let mut init = python(&scene, Place::Child, &["--ready-timeout", STARTING.0], program).spawn();
    init.expect("waits");
    freeze(&scene, &init, STARTING.1);
    init.signal(SIGUSR1);
    init.wait_until_said(&[READY]);
    init.signal(SIGTERM);
    assert_eq!(init.wait(), Exit::Signal(SIGTERM));
}
