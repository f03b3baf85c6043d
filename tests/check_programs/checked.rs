//! `supervise check` of the same program: its JSON, brought down to what the experiment by hand sees.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use crate::by_hand::{End, Place, Seen};
use crate::harness::Exit;
use crate::program::{Class, Program};
use crate::stage::Stage;

/// The report.
pub(crate) struct Report {
    json: Value,
    code: Option<i32>,
}

impl Report {
    /// Has the program checked in both modes.
    #[track_caller]
    pub(crate) fn of(stage: &Stage, program: &Program, signal: &str, grace: Duration) -> Report {
        let mut check = stage.scene.command(stage.written("{supervise}"));
        check.args(["check", "--format", "json", "--as", "pid1,child", "--signal", signal]);
        check.args(["--grace", &format!("{}s", grace.as_secs()), "--ready", &stage.written(program.ready), "--"]);
        check.args(program.words.iter().map(|word| stage.written(word)));
        let output = check.output().expect("cargo built it");
        let said = String::from_utf8_lossy(&output.stderr);
        let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("no report: {error}; {said}"));
        Report { json, code: output.status.code() }
    }

    fn group(&self, place: Place) -> &Value {
        let mode = match place {
            Place::Process1 => "pid1",
            Place::Child => "child",
        };
        let groups = self.json["groups"].as_array().expect("there are groups");
        groups.iter().find(|group| group["mode"] == mode).expect("both modes were asked for")
    }

    /// What came of the run in that mode.
    #[track_caller]
    pub(crate) fn seen(&self, place: Place) -> Seen {
        let run = &self.group(place)["runs"][0];
        assert_eq!(run["outcome"]["kind"], "stopped", "{run:#}");
        let processes = run["processes"].as_array().expect("there are processes");
        let (mains, others): (Vec<&Value>, Vec<&Value>) = processes.iter().partition(|process| process["main"] == true);
        let [main] = mains[..] else { panic!("not one main process: {run:#}") };
        let took = Duration::from_secs_f64(run["took_ms"].as_f64().unwrap_or_default() / 1000.0);
        if main["ended"]["by"] == "supervise" {
            return Seen { end: End::Never, left: BTreeSet::new(), took };
        }
        let by = if place == Place::Process1 { "kernel" } else { "supervise" };
        let left = others.iter().filter(|process| process["ended"]["by"] == by);
        let left = left.map(|process| process["comm"].as_str().unwrap_or_default().to_owned()).collect();
        Seen { end: End::By(exit(&main["ended"]["status"])), left, took }
    }

    /// Whether it reaped the orphan that was put in, where one was.
    pub(crate) fn reaps(&self, place: Place) -> Option<bool> {
        let orphan = &self.group(place)["runs"][0]["orphan"];
        orphan.is_object().then(|| !orphan["reaped_after_ms"].is_null())
    }

    /// The findings of that mode that are not as they should be, without that about the other mode.
    pub(crate) fn complaints(&self, place: Place) -> Vec<(Class, &str)> {
        let findings = self.group(place)["findings"].as_array().expect("there are findings");
        let complaint = |finding: &'_ Value| match finding["level"].as_str() {
            Some("pass" | "info" | "skip") => None,
            Some("warn") => Some(Class::Warn),
            Some("fail") => Some(Class::Fail),
            level => panic!("{level:?}: {finding:#}"),
        };
        let all = findings.iter().filter(|finding| finding["id"] != "S03");
        all.filter_map(|finding| Some((complaint(finding)?, finding["id"].as_str()?))).collect()
    }

    /// What all of it comes to, as the report says and as the exit code does.
    pub(crate) fn verdict(&self) -> Class {
        let verdict = self.json["verdict"].as_str().unwrap_or_default();
        match (verdict, self.code) {
            ("pass", Some(0)) => Class::Pass,
            ("pass-with-warnings", Some(0)) => Class::Warn,
            ("fail", Some(1)) => Class::Fail,
            other => panic!("{other:?}: {:#}", self.json),
        }
    }

    /// What is said of the program in that mode, for a message.
    pub(crate) fn said(&self, place: Place) -> String {
        format!("{:#}", self.group(place))
    }
}

fn exit(status: &Value) -> Exit {
    let signal = || {
        let name = status["signal"].as_str().expect("it has a code or a signal");
        name.parse::<nix::sys::signal::Signal>().expect("it has a name") as i32
    };
    status["code"].as_i64().map_or_else(|| Exit::Signal(signal()), |code| Exit::Code(code as i32))
}
