//! Reports on made-up records.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CStr;

use serde_json::Value;
use supervise_init::core::{Signal, Status};

use super::super::finding::{Judged, Level};
use super::super::judge::judge;
use super::super::made_up::{DIED_OF_TERM, MAIN, SIGNAL_AT, child, milliseconds, not_told, order, process, run};
use super::super::record::{
    Cgroup, Connection, Event, Facility, Files, Listener, Missing, Notify, Orphan, Outcome, Output, Process, Run,
    Served, What,
};
use super::super::scenario::{Format, Mode, OkExit, Order};
use super::{Paint, write};

const ZERO: Status = Status::Exited(0);

fn page(format: Format, order: &Order, judged: &[Judged], paint: Paint) -> String {
    let command: [&CStr; 2] = [c"sh", c"-c\x1b[31m"];
    let mut out = Vec::new();
    write(format, order, &command, judged, &mut out, paint).expect("a vector takes all");
    String::from_utf8(out).expect("it is text")
}

/// With everything that a record can hold.
fn rich() -> Run {
    let mut run = run(
        Mode::Pid1,
        vec![
            process("npm start").catches(Signal::TERM).stays(),
            child(1, "node <\"server\">.js & \u{fffd}").cut_off(20),
            child(2, "work <\"&\">").ends(30, Status::Exited(1)),
        ],
    );
    run.listeners.push(Listener {
        address: "tcp 127.0.0.1:80".to_owned(),
        pids: vec![MAIN],
        closed_at: Some(SIGNAL_AT + milliseconds(2)),
    });
    run.connections.push(Connection {
        address: "tcp 127.0.0.1:80".to_owned(),
        at: SIGNAL_AT,
        ended_at: Some(SIGNAL_AT),
        served: Served::Answered,
    });
    run.output = Output {
        bytes: 9,
        bytes_after_signal: 4,
        first_after_signal_at: Some(SIGNAL_AT),
        tail: vec!["bye".to_owned()],
        ends_with_newline: Some(true),
        closed_at: Some(SIGNAL_AT),
        awaited_from: Some(SIGNAL_AT),
    };
    run.files = Files {
        left: Some(vec!["/run/x.pid".to_owned()]),
        open_when_killed: Some(vec!["/data".to_owned()]),
        ..Files::default()
    };
    run.notify = Notify {
        ready_at: Some(SIGNAL_AT),
        stopping_at: Some(SIGNAL_AT),
        extended_until: Some(SIGNAL_AT),
        is_used: true,
        status: Some("up".to_owned()),
    };
    run.inherited.ignored = run.inherited.ignored.with(Signal::INT);
    run.missing.push(Missing { facility: Facility::Sockets, why: "read-only".to_owned() });
    run.injected_orphan = Some(Orphan::ReapedAfter(milliseconds(3)));
    run.is_out_of_memory = Some(false);
    run.cgroup = Some(Cgroup { left: 0 });
    let more = [
        What::Wrote { bytes: 4, line: "bye".to_owned() },
        What::Closed { pid: None, address: "tcp 127.0.0.1:80".to_owned() },
        What::Notified { text: "STOPPING=1".to_owned() },
        What::OutputClosed,
    ];
    run.events.extend(more.into_iter().map(|what| Event { at: SIGNAL_AT + milliseconds(1), what }));
    run.events.sort_by_key(|event| event.at);
    run
}

fn good() -> Run {
    run(Mode::Child, vec![process("app").catches(Signal::TERM).ends(5, ZERO)])
}

/// Of each outcome and each level something.
fn all() -> Vec<Judged> {
    let ended_before = not_told(Mode::Init, Outcome::EndedBefore(Status::Signaled(Signal::HUP)));
    let not_started = not_told(Mode::Init, Outcome::NotStarted { code: 127, why: "no".to_owned() });
    judge(&strange_order(), vec![rich(), good(), good(), ended_before, not_started])
}

fn strange_order() -> Order {
    Order { ok_exit: vec![OkExit::Code(7), OkExit::Signal(Signal::HUP)], ..order() }
}

fn json(judged: &[Judged]) -> Value {
    serde_json::from_str(&page(Format::Json, &strange_order(), judged, Paint::Plain)).expect("it is JSON")
}

#[test]
fn json_says_what_was_seen() {
    let read = json(&all());
    assert_eq!(read["schema"], 1);
    assert_eq!(read["command"], serde_json::json!(["sh", "-c\u{1b}[31m"]));
    assert_eq!((&read["verdict"], &read["exit_code"]), (&"fail".into(), &1.into()));
    assert_eq!(read["order"]["ok_exit"], serde_json::json!([7, "SIGHUP"]));
    let group = &read["groups"][0];
    assert_eq!((&group["mode"], &group["signal"]), (&"pid1".into(), &"SIGTERM".into()));
    let node = &group["runs"][0]["processes"][1];
    assert_eq!(node["words"], "node <\"server\">.js & \u{fffd}");
    assert_eq!(
        node["ended"],
        serde_json::json!({
            "ms": 1020.0, "after_signal_ms": 20.0, "status": {"signal": "SIGKILL"}, "by": "kernel",
        })
    );
    assert_eq!(read["groups"][1]["took_ms"]["median"], 5.0);
    assert_eq!(read["groups"][2]["runs"][0]["outcome"]["status"]["signal"], "SIGHUP");
}

/// The names of the fields of each object, by its place.
fn fields(value: &Value, place: &str, all: &mut BTreeMap<String, BTreeSet<String>>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                all.entry(place.to_owned()).or_default().insert(name.clone());
                fields(value, name, all);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| fields(value, place, all)),
        _ => {}
    }
}

/// The README's table: objects, and their fields in backticks.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let readme = include_str!("../../../README.md");
    let (_, rest) = readme.split_once("| object | fields |").expect("the README has the table");
    let rows = rest.lines().skip(2).take_while(|line| line.starts_with('|'));
    let words = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let mut all = BTreeMap::<String, BTreeSet<String>>::new();
    for row in rows {
        let cells: Vec<&str> = row.split('|').collect();
        for object in words(cells[1]) {
            let object = if object == "the report" { String::new() } else { object };
            all.entry(object).or_default().extend(words(cells[2]));
        }
    }
    all
}

#[test]
fn the_readme_names_every_field_and_no_other() {
    let mut all_fields = BTreeMap::new();
    fields(&json(&all()), "", &mut all_fields);
    assert_eq!(all_fields, documented());
}

#[test]
fn people_get_a_timeline_what_is_wrong_and_a_verdict() {
    let text = page(Format::Text, &order(), &all(), Paint::Plain);
    for line in [
        "supervise check: sh $'-c\\033[31m'   as process 1, SIGTERM to main, grace 10.000 s\n",
        "    0.000  executed pid 100 (`npm start`)\n",
        "    0.500  ready: delay\n",
        "    1.000  -> SIGTERM to pid 100   (caught there)\n",
        "    1.001  closed tcp 127.0.0.1:80\n",
        "    1.020  pid 101 (`node <\"server\">.js & \u{fffd}`) was ended by SIGKILL, as process 1 ended\n",
        "   11.001  pid 100 (`npm start`) was ended by SIGKILL, killed by supervise, 10.001 s after the signal\n",
        "  FAIL S01 ends in time: pid 100 (`npm start`) began to stop",
        "  2 runs in all: ended after 0.005 s (median), 0.005 s (p95), 0.005 s (max)\n",
        "was ended by SIGHUP before it was told to stop\n",
    ] {
        assert!(text.contains(line), "{text}\nhas no {line:?}");
    }
    let last = text.lines().last().expect("a line");
    assert!(last.starts_with("FAIL ("), "{last}");
    assert!(!text.contains('\u{1b}'), "{text}");
    let coloured = page(Format::Text, &order(), &all(), Paint::Coloured);
    assert!(coloured.contains("\u{1b}[31mFAIL\u{1b}[0m S01"), "{coloured}");
}

#[test]
fn a_flood_of_small_events_leaves_what_matters() {
    let mut processes = vec![process("app").catches(Signal::TERM).ends(900, ZERO)];
    processes.extend((1..=5_000).map(|number| child(number, "worker").ends(500, ZERO)));
    let mut flood = run(Mode::Child, processes);
    let tick = |at| Event { at: milliseconds(at), what: What::Wrote { bytes: 1, line: "tick".to_owned() } };
    flood.events.extend((1_000..1_900).map(tick));
    flood.events.sort_by_key(|event| event.at);
    let text = page(Format::Text, &order(), &judge(&order(), vec![flood]), Paint::Plain);
    assert!(text.lines().count() < 100, "{}", text.lines().count());
    for line in [
        "executed pid 100",
        "-> SIGTERM",
        "pid 100 (`app`) ended with exit code 0, 0.900 s after the signal",
        " more\n",
    ] {
        assert!(text.contains(line), "{text}\nhas no {line:?}");
    }
}

#[test]
fn junit_has_a_suite_for_each_group_and_a_case_for_each_check() {
    let judged = all();
    let xml = page(Format::Junit, &order(), &judged, Paint::Coloured);
    let count = |what: &str| xml.matches(what).count();
    let findings = || judged.iter().flat_map(|judged| &judged.findings);
    let of = |level: Level| findings().filter(|finding| finding.level == level).count();
    assert_eq!(count("<testsuite "), judged.len());
    assert_eq!(count("<testcase "), findings().count());
    assert_eq!(count("<failure "), of(Level::Fail));
    assert_eq!(count("<error "), of(Level::Inconclusive));
    assert_eq!(count("<skipped "), of(Level::Skip));
    let all = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"",
        findings().count(),
        of(Level::Fail),
        of(Level::Inconclusive),
        of(Level::Skip)
    );
    assert_eq!(count(&all), 1);
    assert!(xml.contains("work &lt;&quot;&amp;&quot;&gt;"), "{xml}");
    assert!(xml.contains("classname=\"supervise.check.pid1.SIGTERM\" name=\"S01 ends in time\" time=\""), "{xml}");
    // The times of the cases add up to those of the suite, also where main was killed.
    let times = |part: &str| -> Vec<f64> {
        let all = part.split("time=\"").skip(1).map(|rest| rest.split('"').next().expect("a value"));
        all.map(|time| time.parse().expect("seconds")).collect()
    };
    for suite in xml.split("<testsuite ").skip(1) {
        let times = times(suite);
        assert_eq!(times[0], times[1..].iter().sum::<f64>(), "{suite}");
        assert_eq!(times.len(), 1 + suite.matches("<testcase ").count(), "{suite}");
    }
    let hangs = judge(&order(), vec![run(Mode::Child, vec![process("app").stays()])]);
    let xml = page(Format::Junit, &order(), &hangs, Paint::Plain);
    assert!(xml.contains("name=\"S01 ends in time\" time=\"10.001\""), "{xml}");
    let strict = page(Format::Junit, &Order { is_strict: true, ..order() }, &judged, Paint::Coloured);
    assert_eq!(strict.matches("<failure ").count(), of(Level::Fail) + of(Level::Warn));
}

#[test]
fn tap_has_a_plan_a_line_for_each_check_and_a_block() {
    let judged = all();
    let tap = page(Format::Tap, &order(), &judged, Paint::Coloured);
    let findings: Vec<_> = judged.iter().flat_map(|judged| &judged.findings).collect();
    let mut lines = tap.lines();
    assert_eq!(lines.next(), Some("TAP version 14"));
    assert_eq!(lines.next(), Some(format!("1..{}", findings.len()).as_str()));
    let points: Vec<&str> = tap.lines().filter(|line| line.starts_with("ok ") || line.starts_with("not ok ")).collect();
    assert_eq!(points.len(), findings.len());
    for ((point, finding), number) in points.iter().zip(&findings).zip(1..) {
        let is_ok = !matches!(finding.level, Level::Fail | Level::Inconclusive);
        let start = format!("{} {number} - ", if is_ok { "ok" } else { "not ok" });
        assert!(point.starts_with(&start), "{point} {finding:?}");
        assert!(point.contains(finding.check.id()), "{point}");
        assert_eq!(point.contains(" # SKIP "), finding.level == Level::Skip, "{point}");
    }
    assert_eq!(tap.matches("\n  ---\n").count(), findings.len());
    assert_eq!(tap.matches("\n  ...\n").count(), findings.len());
    let strict = page(Format::Tap, &Order { is_strict: true, ..order() }, &judged, Paint::Coloured);
    assert!(strict.matches("\nnot ok ").count() > tap.matches("\nnot ok ").count());
}

#[test]
fn nothing_that_a_process_says_breaks_a_form() {
    let evil = "\u{1b}[2J\u{7f}\u{9b}\n  ...\nnot ok 1 ]]> </testsuites> # SKIP \"\\";
    let process = Process { words: evil.to_owned(), ..process("app").stays() };
    let mut run = run(Mode::Pid1, vec![process]);
    run.output.tail.push(evil.to_owned());
    run.events.push(Event { at: SIGNAL_AT, what: What::Wrote { bytes: 1, line: evil.to_owned() } });
    let judged = judge(&order(), vec![run]);
    let read: Value = serde_json::from_str(&page(Format::Json, &order(), &judged, Paint::Plain)).expect("it is JSON");
    assert_eq!(read["groups"][0]["runs"][0]["processes"][0]["words"], evil);
    for format in [Format::Text, Format::Tap, Format::Junit] {
        let page = page(format, &order(), &judged, Paint::Plain);
        let is_control = |letter: char| letter.is_control() && letter != '\n';
        assert!(format == Format::Junit || !page.contains(is_control), "{format:?} {page}");
        assert!(!page.lines().any(|line| line.starts_with("not ok 1 ]]>")), "{format:?} {page}");
        assert!(format != Format::Junit || page.matches("</testsuites>").count() == 1, "{page}");
    }
}

#[test]
fn what_was_skipped_is_told_with_its_reason_once_for_each_reason() {
    let text = page(Format::Text, &order(), &judge(&order(), vec![good()]), Paint::Plain);
    assert!(text.contains("\n  skip S15: it was started once: say --repeat 2\n"), "{text}");
    let ended_before = not_told(Mode::Child, Outcome::EndedBefore(ZERO));
    let judged = judge(&order(), vec![ended_before]);
    let text = page(Format::Text, &order(), &judged, Paint::Plain);
    let line = text.lines().find(|line| line.ends_with(": no run was told to stop")).expect("it is there");
    assert!(line.starts_with("  skip S02 S05 S07 S08 "), "{text}");
    for finding in judged[0].findings.iter().filter(|finding| finding.level == Level::Skip) {
        assert_eq!(text.matches(&format!(": {}\n", finding.cause)).count(), 1, "{text}");
    }
}

#[test]
fn a_death_by_the_signal_is_no_143_in_any_form() {
    let judged = judge(&order(), vec![run(Mode::Child, vec![process("sleep 100").ends(1, DIED_OF_TERM)])]);
    for format in [Format::Text, Format::Json, Format::Junit, Format::Tap] {
        let page = page(format, &order(), &judged, Paint::Plain);
        assert!(!page.contains("143") && page.contains("SIGTERM"), "{format:?} {page}");
    }
    assert_eq!(judged[0].runs[0].processes[0].pid, MAIN);
}

#[test]
fn the_lines_of_a_flood_are_cut() {
    let mut flood = run(Mode::Child, vec![process("app").catches(Signal::TERM).stays()]);
    let line = "x".repeat(203);
    flood.events.push(Event { at: SIGNAL_AT + milliseconds(2), what: What::Wrote { bytes: 203, line: line.clone() } });
    flood.output.tail.push(line);
    flood.output.bytes_after_signal = 203;
    let text = page(Format::Text, &order(), &judge(&order(), vec![flood]), Paint::Plain);
    assert!(text.contains(&format!("wrote: {}...\n", "x".repeat(100))), "{text}");
    assert!(!text.contains(&"x".repeat(121)), "{text}");
}
