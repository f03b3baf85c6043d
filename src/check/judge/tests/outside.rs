//! Reaction, sockets, starts, files, output, messages, and what the signal sets say.

use supervise_init::core::{Signal, Status};
use supervise_init::sys::SigSet;

use super::super::super::finding::{Check, Finding, Level};
use super::super::super::made_up::*;
use super::super::super::record::{
    EndedBy, Event, Facility, Files, Listener, Missing, Notify, Outcome, Process, Run, State, What,
};
use super::super::super::scenario::{Mode, Order, Ready, Target, Way};
use super::super::judge;

const ZERO: Status = Status::Exited(0);

fn one(run: Run, check: Check) -> Finding {
    word(&order(), vec![run], check)
}

/// It ends so long after the signal.
fn app(after: u64) -> Run {
    run(Mode::Child, vec![process("app").catches(Signal::TERM).ends(after, ZERO)])
}

fn hanging() -> Run {
    run(Mode::Child, vec![process("app").catches(Signal::TERM).stays()])
}

#[test]
fn signal_sets_are_a_hint_that_behaviour_overrules() {
    let of = |mode, process: Process| one(run(mode, vec![process]), Check::Disposition).level;
    assert_eq!(of(Mode::Pid1, process("app").catches(Signal::TERM).stays()), Level::Pass);
    assert_eq!(of(Mode::Pid1, process("app").stays()), Level::Warn);
    assert_eq!(of(Mode::Pid1, process("app").ends(5, ZERO)), Level::Info);
    assert_eq!(of(Mode::Child, process("app").ends(5, DIED_OF_TERM)), Level::Info);
    assert_eq!(of(Mode::Child, process("app").ignores(Signal::TERM).stays()), Level::Warn);
    assert_eq!(of(Mode::Child, process("app").ignores(Signal::TERM).ends(5, ZERO)), Level::Info);
    let mut by_signalfd = process("app").ends(5, ZERO);
    by_signalfd.with_signals(|signals| signals.blocked = signals.blocked.with(Signal::TERM));
    assert_eq!(of(Mode::Pid1, by_signalfd.clone()), Level::Info);
    by_signalfd.with_signals(|signals| signals.by_signalfd = signals.by_signalfd.with(Signal::TERM));
    assert_eq!(of(Mode::Pid1, by_signalfd), Level::Pass);
    let mut waiting = process("tini -- app").ends(5, ZERO);
    waiting.with_signals(|signals| signals.waits_for_signals = true);
    assert_eq!(of(Mode::Pid1, waiting), Level::Pass);
    let mut unseen = process("app").ends(5, ZERO);
    unseen.signals = None;
    assert_eq!(of(Mode::Pid1, unseen), Level::Skip);
}

#[test]
fn the_reaction_is_the_first_thing_that_is_seen_to_happen() {
    let first = |run| one(run, Check::Reaction).evidence[0].clone();
    assert_eq!(first(app(7)), "0.007 s after SIGTERM: it ended");
    let mut stopping = app(700);
    let notified = What::Notified { text: "STOPPING=1".to_owned() };
    stopping.events.insert(3, Event { at: SIGNAL_AT + milliseconds(3), what: notified });
    assert_eq!(first(stopping), "0.003 s after SIGTERM: it notified STOPPING=1");
    let dead = Process { state: State::Zombie, ..child(1, "worker").ends(1, ZERO) };
    for over in [dead, child(1, "worker").cut_off(1)] {
        let app = process("app").catches(Signal::TERM).ends(7, ZERO);
        assert_eq!(first(run(Mode::Pid1, vec![app, over])), "0.007 s after SIGTERM: it ended");
    }
    let none = one(hanging(), Check::Reaction);
    assert!(
        none.level == Level::Info && none.evidence == ["none within 10.000 s"] && none.cure == "see S01",
        "{none:?}"
    );
    assert_eq!(one(not_told(Mode::Child, Outcome::NeverReady(String::new())), Check::Reaction).level, Level::Skip);
}

#[test]
fn a_socket_that_is_open_to_the_end_of_a_long_stop_is_warned_of() {
    let with = |mut run: Run, closed: Option<u64>| {
        let closed_at = closed.map(|after| SIGNAL_AT + milliseconds(after));
        run.listeners.push(Listener { address: "tcp 0.0.0.0:80".to_owned(), pids: vec![MAIN], closed_at });
        one(run, Check::Listener)
    };
    assert_eq!(one(app(2_000), Check::Listener).evidence, ["it listened to none"]);
    assert_eq!(with(app(2_000), Some(1)).level, Level::Pass);
    assert_eq!(with(app(2_900), None).level, Level::Pass);
    // With the command, and seen a moment later.
    assert_eq!(with(app(4_000), Some(4_001)).level, Level::Warn);
    let late = with(app(4_000), None);
    assert!(
        late.level == Level::Warn
            && late.cause.starts_with("tcp 0.0.0.0:80 was open for new connections for 4.000 s")
            && !late.cause.contains("cut"),
        "{late:?}"
    );
    assert_eq!(with(hanging(), None).level, Level::Info);
    let mut unseen = app(5);
    unseen.missing.push(Missing { facility: Facility::Sockets, why: "permission denied".to_owned() });
    assert!(one(unseen, Check::Listener).cause.contains("permission denied"));
    assert_eq!(one(not_told(Mode::Child, Outcome::NeverReady(String::new())), Check::Listener).level, Level::Skip);
}

#[test]
fn a_start_after_a_stop_has_to_become_ready() {
    let failed = |outcome, line: &str| {
        let mut again = Run { repetition: 2, ..not_told(Mode::Child, outcome) };
        again.output.tail.push(line.to_owned());
        again
    };
    let of = |runs| word(&order(), runs, Check::Restart);
    assert_eq!(of(vec![app(5)]).level, Level::Skip);
    assert_eq!(of(vec![app(5), app(6)]).level, Level::Pass);
    let in_use = of(vec![app(5), failed(Outcome::EndedBefore(Status::Exited(1)), "bind: Address already in use")]);
    assert_eq!(in_use.level, Level::Fail);
    assert!(in_use.cause.contains("still in use") && in_use.evidence[1].contains("bind: "), "{in_use:?}");
    let mut leaves = app(5);
    leaves.files.left = Some(vec!["/run/app.pid".to_owned()]);
    let stale = of(vec![leaves, failed(Outcome::NeverReady(String::new()), "already running")]);
    assert!(stale.level == Level::Fail && stale.cause.contains("left /run/app.pid"), "{stale:?}");
    let plain = of(vec![app(5), failed(Outcome::NeverReady(String::new()), "")]);
    assert!(plain.cause.starts_with("it does not start again at once, after"), "{plain:?}");
    assert_eq!(of(vec![failed(Outcome::NeverReady(String::new()), ""), app(5)]).level, Level::Skip);
}

#[test]
fn a_further_run_is_a_start_too_and_what_is_in_its_way_is_told() {
    let mut leaves = app(5);
    leaves.files.left = Some(vec!["/run/app.pid".to_owned()]);
    let again = |mode, way, line: &str| {
        let mut again = not_told(mode, Outcome::EndedBefore(Status::Exited(1)));
        again.scenario.way = way;
        again.output.tail.extend((!line.is_empty()).then(|| line.to_owned()));
        again
    };
    for (line, hint) in [
        ("app.pid is there", ": a run before it left /run/app.pid"),
        ("no", ": perhaps because a run before it left /run/app.pid"),
    ] {
        let runs = vec![leaves.clone(), again(Mode::Child, Way::StoppedFirst, line)];
        let stopped = word(&order(), runs.clone(), Check::Stopped);
        assert_eq!(stopped.level, Level::Inconclusive);
        assert!(stopped.cause.ends_with(hint) && stopped.evidence == [format!("it wrote: {line}")], "{stopped:?}");
        let restart = word(&order(), runs, Check::Restart);
        assert!(restart.level == Level::Fail && restart.cause.ends_with(hint), "{restart:?}");
        assert_eq!(
            (restart.evidence[0].as_str(), &restart.cure),
            ("start 2 ended with exit code 1 by itself", &stopped.cure)
        );
    }
    // Also in another mode; and without any output that is not to be looked for.
    let other = judge(&order(), vec![leaves, again(Mode::Pid1, Way::Usual, "")]);
    let found = found(&other[1], Check::ExitsInGrace).expect("it is told");
    assert!(found.level == Level::Inconclusive && found.cause.contains("left /run/app.pid"), "{found:?}");
    let alone = word(&order(), vec![again(Mode::Child, Way::Usual, "")], Check::ExitsInGrace);
    assert!(alone.evidence.is_empty() && alone.cure.starts_with("it wrote nothing"), "{alone:?}");
    assert!(alone.cause.ends_with("before it was told to stop"), "{alone:?}");
}

#[test]
fn files_that_are_left_or_cut_off_are_warned_of() {
    let with = |files| one(Run { files, ..app(5) }, Check::Files);
    assert_eq!(with(Files::default()).level, Level::Skip);
    let some = |path: &str| Some(vec![path.to_owned()]);
    assert_eq!(
        with(Files { left: Some(Vec::new()), open_when_killed: Some(Vec::new()), ..Files::default() }).level,
        Level::Pass
    );
    let unlooked = with(Files { open_when_killed: Some(Vec::new()), ..Files::default() });
    assert_eq!(unlooked.evidence, ["none was open for writing when a process was killed"]);
    let unseen = with(Files { left: Some(Vec::new()), ..Files::default() });
    assert!(unseen.level == Level::Skip && unseen.cause.contains("cannot be seen"), "{unseen:?}");
    let left = with(Files { left: some("/run/app.pid"), ..Files::default() });
    assert!(left.level == Level::Warn && left.cause.contains("/run/app.pid"), "{left:?}");
    let perhaps_left = vec!["/run/x.pid".to_owned()];
    let perhaps = with(Files { left: Some(Vec::new()), open_when_killed: Some(Vec::new()), perhaps_left });
    assert!(perhaps.level == Level::Info && perhaps.cause.contains("is not known"), "{perhaps:?}");
    let open = with(Files { open_when_killed: some("/data/db"), ..Files::default() });
    assert!(open.level == Level::Warn && open.cause == "/data/db may be half written", "{open:?}");
}

#[test]
fn output_that_is_held_open_is_told_with_who_holds_it() {
    let with = |after: Option<u64>| {
        let mut run = run(Mode::Child, vec![process("app").ends(5, ZERO), child(1, "logger").stays()]);
        run.output.closed_at = after.map(|after| SIGNAL_AT + milliseconds(after));
        one(run, Check::Output)
    };
    let open = with(None);
    assert!(open.level == Level::Fail && open.evidence[0].contains("pid 101 (`logger`)"), "{open:?}");
    assert_eq!(with(Some(2_000)).level, Level::Warn);
    assert_eq!(with(Some(6)).level, Level::Pass);
    let mut cut = app(5);
    cut.output.ends_with_newline = Some(false);
    assert_eq!(one(cut, Check::Output).level, Level::Info);
    assert_eq!(one(hanging(), Check::Output).level, Level::Skip);
}

#[test]
fn what_ended_before_the_output_was_closed_did_not_hold_it() {
    let main = || process("bash").ends(5, ZERO);
    let mut late =
        run(Mode::Child, vec![main(), child(1, "sleep 9").ends(6, DIED_OF_TERM), child(2, "app").ends(1_005, ZERO)]);
    late.output.closed_at = Some(SIGNAL_AT + milliseconds(1_006));
    let found = one(late, Check::Output);
    assert_eq!(found.level, Level::Warn);
    assert_eq!(found.evidence, ["closed 1.001 s after its end, by pid 102 (`app`)"]);
    // It ended by itself as the rest was to be killed: S06 says that as well.
    let mut at_the_border = run(Mode::Child, vec![main(), child(1, "app").ends(1_006, ZERO)]);
    at_the_border.events.push(Event { at: SIGNAL_AT + milliseconds(1_005), what: What::Killed { count: 1 } });
    at_the_border.output.closed_at = Some(SIGNAL_AT + milliseconds(1_007));
    for check in [Check::Output, Check::TreeGone] {
        assert_eq!(one(at_the_border.clone(), check).level, Level::Warn, "{check:?}");
    }
    let mut killed = at_the_border;
    killed.processes[1] = child(1, "app").ends_by(1_006, Status::Signaled(Signal::KILL), EndedBy::Us);
    for check in [Check::Output, Check::TreeGone] {
        assert_eq!(one(killed.clone(), check).level, Level::Fail, "{check:?}");
    }
}

#[test]
fn an_end_that_we_have_seen_late_has_not_held_the_output() {
    let with = |awaited_from| {
        let mut run = app(5);
        run.output.closed_at = Some(SIGNAL_AT + milliseconds(5_000));
        run.output.awaited_from = Some(SIGNAL_AT + milliseconds(awaited_from));
        one(run, Check::Output).level
    };
    assert_eq!(with(4_900), Level::Pass);
    assert_eq!(with(6), Level::Warn);
}

#[test]
fn who_waits_for_all_has_its_output_closed_when_all_is_over() {
    let with = |mode, target, processes, after| {
        let mut run = run(mode, processes);
        run.scenario.target = target;
        run.output.closed_at = Some(SIGNAL_AT + milliseconds(after));
        word(&Order { target, ..order() }, vec![run], Check::Output).level
    };
    let ours = || Process { inside: Some(1), ..child(1, "supervise -- app").ends(3_000, ZERO) };
    let app = || Process { inside: Some(2), ..process("app").ends(5, ZERO) };
    assert_eq!(with(Mode::Init, Target::Main, vec![app(), ours()], 3_000), Level::Pass);
    assert_eq!(with(Mode::Init, Target::Main, vec![app(), ours()], 3_600), Level::Warn);
    let worker = || child(1, "worker").ends(3_000, ZERO);
    assert_eq!(with(Mode::Child, Target::Tree, vec![app(), worker()], 3_000), Level::Pass);
    assert_eq!(with(Mode::Child, Target::Main, vec![app(), worker()], 3_000), Level::Warn);
}

#[test]
fn sd_notify_is_judged_where_it_is_used() {
    let unasked = one(app(5), Check::SdNotify);
    assert!(unasked.level == Level::Skip && unasked.cause == "not looked at: say --ready sd_notify", "{unasked:?}");
    let asked = Order { ready: Ready::SdNotify, ..order() };
    let with = |notify| word(&asked, vec![Run { notify, ..app(5) }], Check::SdNotify).level;
    let ready = Notify { ready_at: Some(milliseconds(5)), is_used: true, ..Notify::default() };
    assert_eq!(with(ready.clone()), Level::Info);
    assert_eq!(with(Notify { stopping_at: Some(milliseconds(1_001)), ..ready }), Level::Pass);
    for outcome in [Outcome::NeverReady(String::new()), Outcome::EndedBefore(Status::Exited(1))] {
        assert_eq!(word(&asked, vec![not_told(Mode::Child, outcome)], Check::SdNotify).level, Level::Skip);
    }
}

#[test]
fn what_we_inherited_is_told() {
    let mut background = app(5);
    assert_eq!(one(background.clone(), Check::Inherited).level, Level::Pass);
    background.inherited.ignored = SigSet::NONE.with(Signal::INT).with(Signal::QUIT);
    let found = one(background, Check::Inherited);
    assert_eq!(found.level, Level::Info);
    assert!(found.evidence[0].contains("with SIGINT and SIGQUIT ignored"), "{found:?}");
}

#[test]
fn files_that_what_was_killed_may_have_taken_away_are_not_laid_to_the_command() {
    let main = || process("app").catches(Signal::TERM);
    let with = |mode, processes| {
        let left = Some(vec!["/tmp/dbus-1".to_owned()]);
        let files = Files { left, open_when_killed: Some(Vec::new()), ..Files::default() };
        one(Run { files, ..run(mode, processes) }, Check::Files)
    };
    for (mode, processes) in [
        (Mode::Child, vec![main().stays()]),
        (Mode::Child, vec![main().ends(5, ZERO), child(1, "dbus-daemon").stays()]),
        (Mode::Pid1, vec![main().ends(5, ZERO), child(1, "dbus-daemon").cut_off(5)]),
    ] {
        let found = with(mode, processes);
        assert_eq!(found.level, Level::Warn);
        assert!(found.cause.contains("was killed") && found.cure.contains("(S01, S06)"), "{found:?}");
    }
    let own = with(Mode::Child, vec![main().ends(5, ZERO), child(1, "worker").ends(4, ZERO)]);
    assert!(own.cause.contains("it did not take away /tmp/dbus-1"), "{own:?}");
}
