//! `supervise check`, and what its report says.

use std::fs;
use std::process::Stdio;

use nix::fcntl::{Flock, FlockArg};
use serde_json::Value;

use super::launch::Init;
use super::running::{Ended, Running};
use super::{Deadline, Exit, Scene, proc};

/// Starts `supervise check` with these words.
pub(crate) fn start<'s>(scene: &'s Scene, words: &[&str]) -> Running<'s> {
    behind(scene, &[], words)
}

/// The same behind a command that becomes its operand.
pub(crate) fn behind<'s>(scene: &'s Scene, wrapper: &[&str], words: &[&str]) -> Running<'s> {
    let path = Init::Supervise.path().expect("cargo built it");
    let path = if wrapper.is_empty() { path } else { scene.for_everybody(&path) };
    let mut all: Vec<&str> = wrapper.to_vec();
    all.extend([path.to_str().expect("a path of ours"), "check"]);
    all.extend(words);
    let mut command = scene.command(all[0]);
    command.args(&all[1..]).env_remove("SUPERVISE_REQUESTS");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Running::start(scene, command, 0, &path)
}

/// A report in JSON.
pub(crate) struct Report {
    pub(crate) whole: Value,
    pub(crate) ended: Ended,
}

/// Runs it to its end, and reads its report.
#[track_caller]
pub(crate) fn report(scene: &Scene, options: &[&str], command: &[&str]) -> Report {
    report_of(start(scene, &[&["--format", "json"], options, &["--"], command].concat()))
}

#[track_caller]
pub(crate) fn report_of(running: Running<'_>) -> Report {
    let ended = running.end();
    let text = ended.stdout.join("\n");
    let whole = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    Report { whole, ended }
}

impl Report {
    /// The group of a mode.
    #[track_caller]
    pub(crate) fn group(&self, mode: &str) -> &Value {
        let groups = self.whole["groups"].as_array().expect("a list");
        groups.iter().find(|group| group["mode"] == mode).unwrap_or_else(|| panic!("no {mode}: {}", self.whole))
    }

    /// The level of a finding.
    #[track_caller]
    pub(crate) fn level(&self, mode: &str, check: &str) -> &str {
        let findings = self.group(mode)["findings"].as_array().expect("a list");
        let found = findings.iter().find(|finding| finding["id"] == check);
        found.and_then(|finding| finding["level"].as_str()).unwrap_or_else(|| panic!("no {check}: {}", self.whole))
    }

    /// Requires these levels of a mode.
    #[track_caller]
    pub(crate) fn says(&self, mode: &str, wanted: &[(&str, &str)]) {
        for (check, level) in wanted {
            assert_eq!(self.level(mode, check), *level, "{mode} {check}: {:#}", self.group(mode)["findings"]);
        }
    }

    /// The first run of a mode.
    #[track_caller]
    pub(crate) fn run(&self, mode: &str) -> &Value {
        &self.group(mode)["runs"][0]
    }

    #[track_caller]
    pub(crate) fn exits(&self, code: i32) {
        assert_eq!(self.ended.exit, Exit::Code(code), "{:#}; {:?}", self.whole, self.ended.stderr);
    }
}

/// The process of a check below which the command runs, in a PID namespace of its own.
#[track_caller]
pub(crate) fn stage_of(check: &Running<'_>, scene: &Scene) -> i32 {
    let namespace = |pid: i32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let ours = namespace(check.outer_pid());
    let is_it = |pid: &i32| namespace(*pid).is_some_and(|its| Some(its) != ours);
    scene.deadline.until("the stage", || proc::children(check.outer_pid()).into_iter().find(is_it))
}

/// What shows that those are ready.
pub(crate) const READY: [&str; 4] = ["--ready", "log:^ready$", "--ready-timeout", "90s"];

/// A finding of the first group in this mode.
#[track_caller]
pub(crate) fn finding<'r>(report: &'r Report, mode: &str, check: &str) -> &'r Value {
    let findings = report.group(mode)["findings"].as_array().expect("a list");
    findings.iter().find(|finding| finding["id"] == check).unwrap_or_else(|| panic!("no {check}: {}", report.whole))
}

/// Requires this of its cause and its cure, which are not there to be empty.
#[track_caller]
pub(crate) fn tells(report: &Report, mode: &str, check: &str, cause: &str, cure: &str) -> (String, String) {
    let found = finding(report, mode, check);
    let text = |field: &str| found[field].as_str().unwrap_or_else(|| panic!("no {field}: {found:#}")).to_owned();
    let told = (text("cause"), text("cure"));
    assert!(told.0.contains(cause) && told.1.contains(cure), "{told:#?} without {cause:?} or {cure:?}");
    told
}

/// Runs it for a second from the signal on.
#[track_caller]
pub(crate) fn played(scene: &Scene, modes: &str, more: &[&str], command: &[&str]) -> Report {
    report(scene, &[&["--as", modes, "--grace", "1s"], &READY[..], more].concat(), command)
}

/// The same of one that ends by itself, however slow the machine is: of a pass it takes half of the grace at most.
#[track_caller]
pub(crate) fn unhurried(scene: &Scene, modes: &str, more: &[&str], command: &[&str]) -> Report {
    report(scene, &[&["--as", modes, "--grace", "20s"], &READY[..], more].concat(), command)
}

#[track_caller]
pub(crate) fn passes(scene: &Scene, modes: &str, more: &[&str], command: &[&str]) {
    let report = unhurried(scene, modes, more, command);
    for mode in modes.split(',') {
        report.says(mode, &[("S01", "pass"), ("S06", "pass"), ("S17", "pass")]);
    }
}

/// Makes a run again in which two things have crossed by chance, a few times. The last one is taken as it is: what goes wrong
/// each time is no chance.
#[track_caller]
pub(crate) fn uncrossed(is_crossed: impl Fn(&Report) -> bool, run: impl Fn() -> Report) -> Report {
    const TIMES: u32 = 5;
    (1..TIMES).map(|_| run()).find(|report| !is_crossed(report)).unwrap_or_else(run)
}

/// Of those that write pid files into /tmp, or must not see any, one at a time, also where two run the tests: who is not
/// root is not told who has written one.
#[track_caller]
pub(crate) fn alone_with_pid_files() -> Flock<fs::File> {
    let lock = || {
        let place = fs::File::open(std::env::temp_dir()).expect("it is there");
        Flock::lock(place, FlockArg::LockExclusiveNonblock).ok()
    };
    Deadline::new().until("other tests with pid files", lock)
}

/// A program of Python that does nothing about the signal but this.
pub(crate) fn deaf(handler: &str, rest: &str) -> String {
    format!(
        "import os, signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: {handler})\nos.write(1, b'ready\\n')\n{rest}"
    )
}

pub(crate) const PAUSE: &str = "while True: signal.pause()";
