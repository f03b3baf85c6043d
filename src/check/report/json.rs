//! The report as one JSON object. The README describes it; a change of what is there already needs another `schema`.

use std::time::Duration;

use supervise_init::core::{Signal, Status};
use supervise_init::sys::SigSet;

use super::super::finding::{Finding, Judged};
use super::super::judge::{Times, handling, took};
use super::super::record::{
    AtDeadline, Connection, Ended, EndedBy, Event, Facility, Listener, Notify, Orphan, Outcome, Output, Process, Run,
    What,
};
use super::super::scenario::{OkExit, Order, Way};
use super::{Report, since_signal};
use crate::json::Value;
use crate::proc::WaitsFor;

/// What the fields are named and mean.
const SCHEMA: i64 = 1;

pub(super) fn page(report: &Report<'_>) -> String {
    let Report { order, command, judged, verdict, .. } = report;
    let value = Value::Object(vec![
        ("schema", Value::Number(SCHEMA)),
        ("version", Value::text(env!("CARGO_PKG_VERSION"))),
        ("command", Value::list(*command, |word| Value::Text(word.to_string_lossy().into_owned()))),
        ("order", self::order(order)),
        ("verdict", Value::text(verdict.name())),
        ("exit_code", Value::Number(verdict.exit_code().into())),
        ("groups", Value::list(*judged, group)),
    ]);
    format!("{value}\n")
}

fn order(order: &Order) -> Value {
    let ok_exit = |ok: &OkExit| match ok {
        OkExit::Code(code) => Value::Number((*code).into()),
        OkExit::Signal(signal) => Value::Text(signal.to_string()),
    };
    Value::Object(vec![
        ("target", Value::text(order.target.name())),
        ("grace_ms", Value::Milliseconds(order.grace)),
        ("ready_timeout_ms", Value::Milliseconds(order.ready_timeout)),
        ("repeat", Value::Number(order.repeat.into())),
        ("also", Value::list(&order.also, |way| Value::text(way.name()))),
        ("state_dirs", Value::list(&order.state_dirs, |path| Value::text(&path.to_string_lossy()))),
        ("ok_exit", Value::list(&order.ok_exit, ok_exit)),
        ("strict", Value::Bool(order.is_strict)),
    ])
}

fn group(judged: &Judged) -> Value {
    let scenario = super::scenario(judged);
    let times = Times::of(judged.runs.iter().filter(|run| run.scenario.way == Way::Usual));
    Value::Object(vec![
        ("mode", Value::or_null(scenario, |scenario| Value::text(scenario.mode.name()))),
        ("signal", Value::or_null(scenario, |scenario| Value::Text(scenario.signal.to_string()))),
        (
            "took_ms",
            Value::or_null(times.max(), |_| {
                Value::Object(vec![
                    ("median", Value::or_null(times.median(), Value::Milliseconds)),
                    ("p95", Value::or_null(times.p95(), Value::Milliseconds)),
                    ("max", Value::or_null(times.max(), Value::Milliseconds)),
                ])
            }),
        ),
        ("findings", Value::list(&judged.findings, finding)),
        ("runs", Value::list(&judged.runs, run)),
    ])
}

fn finding(finding: &Finding) -> Value {
    let sentence = |text: &String| Value::or_null((!text.is_empty()).then_some(text), |text| Value::text(text));
    Value::Object(vec![
        ("id", Value::text(finding.check.id())),
        ("name", Value::text(finding.check.name())),
        ("level", Value::text(finding.level.name())),
        ("evidence", Value::list(&finding.evidence, |line| Value::text(line))),
        ("cause", sentence(&finding.cause)),
        ("cure", sentence(&finding.cure)),
    ])
}

fn run(run: &Run) -> Value {
    let missing = |missing: &super::super::record::Missing| {
        Value::Object(vec![("facility", Value::text(facility(missing.facility))), ("why", Value::text(&missing.why))])
    };
    let files =
        |all: &Option<Vec<String>>| Value::or_null(all.as_ref(), |all| Value::list(all, |path| Value::text(path)));
    Value::Object(vec![
        ("repetition", Value::Number(run.repetition.into())),
        ("stopped_first", Value::Bool(run.scenario.way == Way::StoppedFirst)),
        ("way", Value::text(run.scenario.way.name())),
        ("outcome", outcome(&run.outcome)),
        ("ready_ms", Value::or_null(run.ready_at, Value::Milliseconds)),
        ("signal_ms", Value::or_null(run.signal_at, Value::Milliseconds)),
        ("took_ms", Value::or_null(took(run), Value::Milliseconds)),
        ("most_processes", Value::count(run.most_processes)),
        ("processes", Value::list(&run.processes, |process| self::process(run, process))),
        ("listeners", Value::list(&run.listeners, |listener| self::listener(run, listener))),
        ("connections", Value::list(&run.connections, |connection| self::connection(run, connection))),
        ("output", output(&run.output)),
        (
            "files",
            Value::Object(vec![
                ("left", files(&run.files.left)),
                ("open_when_killed", files(&run.files.open_when_killed)),
                ("perhaps_left", Value::list(&run.files.perhaps_left, |path| Value::text(path))),
            ]),
        ),
        ("notify", notify(&run.notify)),
        ("orphan", Value::or_null(run.injected_orphan, orphan)),
        (
            "inherited",
            Value::Object(vec![
                ("ignored", signals(run.inherited.ignored)),
                ("blocked", signals(run.inherited.blocked)),
            ]),
        ),
        ("out_of_memory", Value::or_null(run.is_out_of_memory, Value::Bool)),
        ("cgroup", Value::or_null(run.cgroup, |cgroup| Value::Object(vec![("left", Value::count(cgroup.left))]))),
        ("missing", Value::list(&run.missing, missing)),
        ("events", Value::list(&run.events, event)),
    ])
}

fn outcome(outcome: &Outcome) -> Value {
    let (kind, status, code, why) = match outcome {
        Outcome::Stopped => ("stopped", None, None, None),
        Outcome::EndedBefore(status) => ("ended-before", Some(*status), None, None),
        Outcome::NeverReady(why) => ("never-ready", None, None, Some(why.clone())),
        Outcome::NotStarted { code, why } => ("not-started", None, Some(*code), Some(why.clone())),
        Outcome::NotPossible(why) => ("not-possible", None, None, Some(why.clone())),
        Outcome::Hindered(hindrance) => (hindrance.name(), None, None, Some(hindrance.to_string())),
    };
    Value::Object(vec![
        ("kind", Value::text(kind)),
        ("status", self::status(status)),
        ("exit_code", Value::or_null(code, |code| Value::Number(code.into()))),
        ("why", Value::or_null(why, Value::Text)),
    ])
}

fn status(status: Option<Status>) -> Value {
    Value::or_null(status, |status| {
        Value::Object(vec![match status {
            Status::Exited(code) => ("code", Value::Number(code.into())),
            Status::Signaled(signal) => ("signal", Value::Text(signal.to_string())),
        }])
    })
}

fn process(run: &Run, process: &Process) -> Value {
    let signal = run.scenario.signal;
    Value::Object(vec![
        ("pid", Value::Number(process.pid.into())),
        ("inside", Value::or_null(process.inside, |pid| Value::Number(pid.into()))),
        ("parent", Value::Number(process.parent.into())),
        ("main", Value::Bool(process.is_main)),
        ("comm", Value::text(&process.comm)),
        ("words", Value::text(&process.words)),
        ("exe", Value::or_null(process.exe.as_ref(), |path| Value::text(path))),
        ("shell", Value::Bool(process.is_shell)),
        ("group", Value::Number(process.group.into())),
        ("session", Value::Number(process.session.into())),
        ("first_seen_ms", Value::Milliseconds(process.first_seen_at)),
        ("signal_is", Value::or_null(handling(process, signal), |handling| Value::text(handling.name()))),
        ("state", Value::text(process.state.name())),
        ("at_deadline", Value::or_null(process.at_deadline, at_deadline)),
        ("ended", Value::or_null(process.ended, |ended| self::ended(run, ended))),
    ])
}

fn at_deadline(seen: AtDeadline) -> Value {
    Value::Object(vec![
        ("state", Value::text(seen.state.name())),
        ("pending", Value::Bool(seen.is_pending)),
        ("waits_for_child", Value::Bool(seen.waits_for == WaitsFor::Child)),
        ("busy_ms", Value::Milliseconds(seen.busy)),
    ])
}

fn ended(run: &Run, ended: Ended) -> Value {
    let by = match ended.by {
        EndedBy::Itself => "itself",
        EndedBy::Signal => "signal",
        EndedBy::Kernel => "kernel",
        EndedBy::Us => "supervise",
    };
    Value::Object(vec![
        ("ms", Value::Milliseconds(ended.at)),
        ("after_signal_ms", after_signal(run, ended.at)),
        ("status", status(ended.status)),
        ("by", Value::text(by)),
    ])
}

fn after_signal(run: &Run, at: Duration) -> Value {
    Value::or_null(since_signal(run, at), Value::Milliseconds)
}

fn listener(run: &Run, listener: &Listener) -> Value {
    let closed = listener.closed_at;
    Value::Object(vec![
        ("address", Value::text(&listener.address)),
        ("pids", Value::list(&listener.pids, |pid| Value::Number((*pid).into()))),
        ("closed_ms", Value::or_null(closed, Value::Milliseconds)),
        ("closed_after_signal_ms", Value::or_null(closed, |at| after_signal(run, at))),
    ])
}

fn connection(run: &Run, connection: &Connection) -> Value {
    let ended = connection.ended_at;
    Value::Object(vec![
        ("address", Value::text(&connection.address)),
        ("ms", Value::Milliseconds(connection.at)),
        ("after_signal_ms", after_signal(run, connection.at)),
        ("ended_ms", Value::or_null(ended, Value::Milliseconds)),
        ("outcome", Value::text(connection.served.name())),
    ])
}

fn output(output: &Output) -> Value {
    let bytes = |bytes: u64| Value::Number(i64::try_from(bytes).unwrap_or(i64::MAX));
    Value::Object(vec![
        ("bytes", bytes(output.bytes)),
        ("bytes_after_signal", bytes(output.bytes_after_signal)),
        ("first_after_signal_ms", Value::or_null(output.first_after_signal_at, Value::Milliseconds)),
        ("ends_with_newline", Value::or_null(output.ends_with_newline, Value::Bool)),
        ("closed_ms", Value::or_null(output.closed_at, Value::Milliseconds)),
        ("tail", Value::list(&output.tail, |line| Value::text(line))),
    ])
}

fn notify(notify: &Notify) -> Value {
    Value::Object(vec![
        ("used", Value::Bool(notify.is_used)),
        ("ready_ms", Value::or_null(notify.ready_at, Value::Milliseconds)),
        ("stopping_ms", Value::or_null(notify.stopping_at, Value::Milliseconds)),
        ("extended_ms", Value::or_null(notify.extended_until, Value::Milliseconds)),
        ("status", Value::or_null(notify.status.as_ref(), |status| Value::text(status))),
    ])
}

fn orphan(orphan: Orphan) -> Value {
    let after = match orphan {
        Orphan::ReapedAfter(time) => Some(time),
        Orphan::NotReaped => None,
    };
    Value::Object(vec![("reaped_after_ms", Value::or_null(after, Value::Milliseconds))])
}

fn signals(set: SigSet) -> Value {
    Value::list(Signal::all().filter(|signal| set.contains(*signal)), |signal| Value::Text(signal.to_string()))
}

fn facility(facility: Facility) -> &'static str {
    match facility {
        Facility::GrandchildStatus => "grandchild-status",
        Facility::PidNamespace => "pid-namespace",
        Facility::Sockets => "sockets",
        Facility::Files => "files",
        Facility::Cgroup => "cgroup",
        Facility::Proc => "proc",
        Facility::Descriptors => "descriptors",
        Facility::Orphan => "orphan",
        Facility::ProcessEvents => "process-events",
    }
}

/// Its time, its kind, and what belongs to the kind.
fn event(event: &Event) -> Value {
    let pid = |pid: &i32| ("pid", Value::Number((*pid).into()));
    let (kind, more) = match &event.what {
        What::Executed { pid: who } => ("executed", vec![pid(who)]),
        What::Appeared { pid: who } => ("appeared", vec![pid(who)]),
        What::Ready { by } => ("ready", vec![("by", Value::text(by))]),
        What::Sent { signal, target } => {
            ("sent", vec![("signal", Value::Text(signal.to_string())), ("target", Value::text(target))])
        }
        What::PutIn => ("put-in", Vec::new()),
        What::Halted => ("halted", Vec::new()),
        What::Continued => ("continued", Vec::new()),
        What::Wrote { bytes, line } => (
            "wrote",
            vec![("bytes", Value::Number(i64::try_from(*bytes).unwrap_or(i64::MAX))), ("line", Value::text(line))],
        ),
        What::Closed { pid: who, address } => {
            let who = ("pid", Value::or_null(*who, |pid| Value::Number(pid.into())));
            ("closed", vec![who, ("address", Value::text(address))])
        }
        What::Notified { text } => ("notified", vec![("text", Value::text(text))]),
        What::Ended { pid: who } => ("ended", vec![pid(who)]),
        What::OutputClosed => ("output-closed", Vec::new()),
        What::Killed { count } => ("killed", vec![("count", Value::count(*count))]),
    };
    let mut fields = vec![("ms", Value::Milliseconds(event.at)), ("kind", Value::text(kind))];
    fields.extend(more);
    Value::Object(fields)
}
