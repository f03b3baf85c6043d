//! A stop that takes long, and what is said of it.

use std::path::Path;

use libc::{SIGKILL, SIGTERM};

use super::launch::{Launch, Place};
use super::running::{Ended, Running};
use super::{Exit, Scene, proc, send};

/// An init whose main program does not end when it is told to.
pub(crate) struct Slow<'s> {
    pub(crate) init: Running<'s>,
    scene: &'s Scene,
    place: Place,
    /// The main program, as the test sees it and as the init does.
    pub(crate) main: i32,
    inner: i32,
}

impl<'s> Slow<'s> {
    /// Starts it, and waits until its payload is ready.
    #[track_caller]
    pub(crate) fn start(scene: &'s Scene, place: Place, launch: Launch<'s>) -> Slow<'s> {
        let mut init = launch.place(place).spawn();
        init.expect("ready");
        Slow::of(scene, place, init)
    }

    /// One whose payload is ready.
    #[track_caller]
    pub(crate) fn of(scene: &'s Scene, place: Place, init: Running<'s>) -> Slow<'s> {
        let main = init.main_pid();
        let inner = proc::inner_pid(main).expect("it lives");
        Slow { init, scene, place, main, inner }
    }

    /// The number that the init knows for the main program's child, which runs the named program now.
    #[track_caller]
    pub(crate) fn child(&self, name: &str) -> i32 {
        proc::inner_pid(self.outer_child(name)).expect("it lives")
    }

    /// The same as the test sees it.
    #[track_caller]
    pub(crate) fn outer_child(&self, name: &str) -> i32 {
        let named = |pid: &i32| proc::name(*pid).as_deref() == Some(name);
        self.scene.deadline.until(name, || proc::children(self.main).into_iter().find(named))
    }

    pub(crate) fn stop(&self) {
        self.init.signal(SIGTERM);
    }

    /// The next line, which must be an explanation of main with these words.
    #[track_caller]
    pub(crate) fn explains(&mut self, facts: &[&str]) -> String {
        let line = self.init.warning();
        let (_, what) = line.split_once(" after SIG").unwrap_or_else(|| panic!("no explanation: {line:?}"));
        assert!(what.contains(&format!(": pid {} (`", self.inner)), "not of pid {}: {line:?}", self.inner);
        says(&line, facts);
        line
    }

    /// Ends it, and requires that nothing more is said.
    #[track_caller]
    pub(crate) fn end_it(self) {
        send(self.main, SIGKILL, 1);
        self.ends_by(SIGKILL);
    }

    /// Requires that it is killed in the end, and that nothing but that is said.
    #[track_caller]
    pub(crate) fn must_be_killed(self) {
        let place = self.place;
        let ended = self.init.end();
        let said = warnings(&ended);
        assert_eq!(ended.exit, killed(place), "{place:?}: {said:?}");
        assert!(said.len() == 1 && said[0].contains("has not ended; killing it"), "{place:?}: {said:?}");
    }

    /// Requires that it ends with this code, and that nothing is said.
    #[track_caller]
    pub(crate) fn ends_with(self, code: i32) {
        let place = self.place;
        let ended = self.init.end();
        assert_eq!((ended.exit, warnings(&ended)), (Exit::Code(code), vec![]), "{place:?}");
    }

    /// The same by a signal.
    #[track_caller]
    pub(crate) fn ends_by(self, signal: i32) {
        let place = self.place;
        let ended = self.init.end();
        assert_eq!((ended.exit, warnings(&ended)), (died(place, signal), vec![]), "{place:?}");
    }
}

/// How the init ends after a main program that died of the signal.
pub(crate) fn died(place: Place, signal: i32) -> Exit {
    if place == Place::Child { Exit::Signal(signal) } else { Exit::Code(128 + signal) }
}

pub(crate) fn killed(place: Place) -> Exit {
    died(place, SIGKILL)
}

/// What supervise said, without its name.
pub(crate) fn warnings(ended: &Ended) -> Vec<&str> {
    ended.stderr.iter().filter_map(|line| line.strip_prefix("supervise: warning: ")).collect()
}

#[track_caller]
pub(crate) fn says(line: &str, facts: &[&str]) {
    for fact in facts {
        assert!(line.contains(fact), "nothing of {fact:?} in {line:?}");
    }
}

/// The system's python: the first in the search path may be a script that only its owner can read.
pub(crate) fn python() -> &'static str {
    if Path::new("/usr/bin/python3").exists() { "/usr/bin/python3" } else { "python3" }
}
