//! What holds of all runs, and the verdict.

use supervise_init::core::{Signal, Status};

use super::super::super::finding::{Check, Finding, Judged, Level};
use super::super::super::made_up::*;
use super::super::super::record::{Outcome, Process, Run};
use super::super::super::scenario::{Mode, Order};
use super::super::{CHECKS, Verdict, judge, verdict};

/// Of every kind a few: commands that end well and badly, with and without others.
fn commands() -> Vec<Vec<Process>> {
    let mains = [
        process("app").catches(Signal::TERM).ends(5, Status::Exited(0)),
        process("app").catches(Signal::TERM).ends(6_000, Status::Exited(2)),
        process("sh -c app").ends(1, DIED_OF_TERM),
        process("sh run.sh").catches(Signal::TERM).stays(),
        process("app").ignores(Signal::TERM).stays(),
        process("sleep 100").stays(),
    ];
    let others = [
        Vec::new(),
        vec![child(1, "worker").ends(3, Status::Exited(0))],
        vec![child(1, "worker").stays(), child(2, "worker").cut_off(5)],
    ];
    mains.iter().flat_map(|main| others.iter().map(|others| [vec![main.clone()], others.clone()].concat())).collect()
}

fn not_stopped() -> Vec<Outcome> {
    vec![
        Outcome::EndedBefore(Status::Exited(0)),
        Outcome::NeverReady(String::new()),
        Outcome::NotStarted { code: 127, why: "no such program".to_owned() },
        Outcome::NotPossible("no namespaces".to_owned()),
    ]
}

fn all_runs() -> Vec<Run> {
    let modes = [Mode::Pid1, Mode::Child, Mode::Init];
    let told = commands().into_iter().flat_map(|processes| modes.map(|mode| run(mode, processes.clone())));
    let not_told = not_stopped().into_iter().flat_map(|outcome| modes.map(|mode| not_told(mode, outcome.clone())));
    told.chain(not_told).collect()
}

#[test]
fn each_check_is_in_the_table_once_and_in_order() {
    assert_eq!(CHECKS.map(|(check, _)| check), Check::ALL);
}

/// Promise 2.
#[test]
fn a_run_that_was_not_told_to_stop_is_never_a_pass() {
    for outcome in not_stopped() {
        for is_strict in [false, true] {
            for beside in all_runs() {
                let judged = judge(&order(), vec![beside, not_told(Mode::Child, outcome.clone())]);
                let verdict = verdict(&Order { is_strict, ..order() }, &judged);
                assert_ne!(verdict.exit_code(), 0, "{outcome:?} {verdict:?}");
            }
        }
        let judged = judge(&order(), vec![not_told(Mode::Child, outcome.clone())]);
        let levels: Vec<Level> = judged[0].findings.iter().map(|finding| finding.level).collect();
        assert!(levels.contains(&Level::Inconclusive), "{outcome:?} {levels:?}");
        // What is looked at at the start alone.
        let passes = judged[0].findings.iter().filter(|finding| finding.level == Level::Pass);
        assert!(passes.clone().all(|finding| finding.check == Check::Inherited), "{:?}", passes.collect::<Vec<_>>());
        // Also where no check says so.
        let silent: Vec<Judged> = judged.into_iter().map(|judged| Judged { findings: Vec::new(), ..judged }).collect();
        assert_ne!(verdict(&order(), &silent).exit_code(), 0, "{outcome:?}");
    }
}

/// Promise 1.
#[test]
fn signal_sets_alone_fail_nothing() {
    for mut run in all_runs() {
        for process in &mut run.processes {
            process.signals = None;
        }
        let fails = |runs| {
            let judged = judge(&order(), runs);
            let failed = |finding: &&Finding| finding.level == Level::Fail;
            judged[0].findings.iter().filter(failed).map(|finding| finding.check).collect::<Vec<_>>()
        };
        let without = fails(vec![run.clone()]);
        for process in &mut run.processes {
            *process = Process { signals: super::super::super::made_up::process("x").signals, ..process.clone() };
        }
        assert_eq!(fails(vec![run.clone()]), without);
        for process in &mut run.processes {
            *process = process.clone().catches(Signal::TERM);
        }
        assert_eq!(fails(vec![run]), without);
    }
}

#[test]
fn what_is_wrong_has_evidence_a_cause_and_a_cure() {
    let runs = all_runs();
    for (at, run) in runs.iter().enumerate() {
        let beside = runs[(at + 1) % runs.len()].clone();
        for judged in judge(&order(), vec![run.clone(), beside]) {
            for finding in judged.findings {
                let is_wrong = matches!(finding.level, Level::Warn | Level::Fail);
                let sentences = [&finding.cause, &finding.cure];
                assert!(!is_wrong || sentences.iter().all(|text| !text.is_empty()), "{finding:?}");
                assert!(!is_wrong || !finding.evidence.is_empty(), "{finding:?}");
                assert!(finding.level != Level::Skip || !finding.cause.is_empty(), "{finding:?}");
                let is_fragment = |text: &String| !text.ends_with('.') && !text.contains('\n') && !text.contains("  ");
                assert!(sentences.iter().all(|text| is_fragment(text)), "{finding:?}");
            }
        }
    }
}

#[test]
fn runs_are_grouped_by_mode_and_signal_in_the_order_in_which_they_came() {
    let of = |mode, signal| {
        let mut run = run(mode, vec![process("app").ends(5, Status::Exited(0))]);
        run.scenario.signal = signal;
        run
    };
    let runs = vec![
        of(Mode::Child, Signal::INT),
        of(Mode::Pid1, Signal::TERM),
        of(Mode::Child, Signal::INT),
        of(Mode::Child, Signal::TERM),
    ];
    let judged = judge(&order(), runs);
    let groups: Vec<_> = judged
        .iter()
        .map(|judged| (judged.runs[0].scenario.mode, judged.runs[0].scenario.signal, judged.runs.len()))
        .collect();
    assert_eq!(groups, [(Mode::Child, Signal::INT, 2), (Mode::Pid1, Signal::TERM, 1), (Mode::Child, Signal::TERM, 1)]);
}

#[test]
fn a_plain_sleep_hangs_as_process_1_and_is_warned_of_as_a_child() {
    let runs = vec![
        run(Mode::Pid1, vec![process("sleep 100").stays()]),
        run(Mode::Child, vec![process("sleep 100").ends(1, DIED_OF_TERM)]),
    ];
    let judged = judge(&order(), runs);
    let level = |at: usize, check| found(&judged[at], check).map(|finding| finding.level);
    assert_eq!(level(0, Check::ExitsInGrace), Some(Level::Fail));
    assert_eq!((level(1, Check::ExitsInGrace), level(1, Check::Status)), (Some(Level::Pass), Some(Level::Warn)));
    assert_eq!(verdict(&order(), &judged[1..]), Verdict::PassWithWarnings);
}

/// A group with findings of these levels, of a run that was told to stop.
fn judged(levels: &[Level]) -> Judged {
    let finding = |level: &Level| Finding {
        check: Check::Status,
        level: *level,
        evidence: Vec::new(),
        cause: String::new(),
        cure: String::new(),
    };
    Judged {
        runs: vec![run(Mode::Child, vec![process("app").ends(5, Status::Exited(0))])],
        findings: levels.iter().map(finding).collect(),
    }
}

#[test]
fn the_verdict_is_the_worst_level_with_its_exit_code() {
    use Level::{Fail, Inconclusive, Info, Pass, Skip, Warn};
    let cases: [(&[Level], Verdict, Verdict); 7] = [
        (&[Pass, Info, Skip], Verdict::Pass, Verdict::Pass),
        (&[Pass, Warn], Verdict::PassWithWarnings, Verdict::Fail(1)),
        (&[Warn, Fail, Fail], Verdict::Fail(2), Verdict::Fail(3)),
        (&[Pass, Inconclusive], Verdict::Inconclusive, Verdict::Inconclusive),
        (&[Warn, Inconclusive], Verdict::Inconclusive, Verdict::Fail(1)),
        (&[Fail, Inconclusive], Verdict::Fail(1), Verdict::Fail(1)),
        (&[], Verdict::Pass, Verdict::Pass),
    ];
    for (levels, plain, strict) in cases {
        let judged = [judged(levels)];
        let of = |is_strict| verdict(&Order { is_strict, ..order() }, &judged);
        assert_eq!((of(false), of(true)), (plain, strict), "{levels:?}");
    }
    assert_eq!(verdict(&order(), &[]), Verdict::Inconclusive);
    let codes =
        [Verdict::Pass, Verdict::PassWithWarnings, Verdict::Fail(3), Verdict::Inconclusive, Verdict::NotStarted(126)];
    assert_eq!(codes.map(Verdict::exit_code), [0, 0, 1, 2, 126]);
}

#[test]
fn a_program_that_is_not_there_gives_its_code() {
    for code in [126, 127] {
        let outcome = Outcome::NotStarted { code, why: "no such file".to_owned() };
        let order = Order { is_strict: true, ..order() };
        let judged = judge(&order, vec![not_told(Mode::Child, outcome)]);
        assert_eq!(verdict(&order, &judged), Verdict::NotStarted(code));
    }
}
