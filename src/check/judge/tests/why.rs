//! The reasons why a command has not ended, each told from the others.

use supervise_init::core::{Signal, Status};

use super::super::super::finding::{Check, Level};
use super::super::super::made_up::*;
use super::super::super::record::{EndedBy, Event, Outcome, Process, Run, State, What};
use super::super::super::scenario::{Mode, Order, Target};
use crate::proc::WaitsFor;

/// Cause and cure of S01, which must have failed, of the first of these runs.
fn why(runs: Vec<Run>) -> (String, String) {
    let word = word(&order(), runs, Check::ExitsInGrace);
    assert_eq!(word.level, Level::Fail, "{word:?}");
    (word.cause, word.cure)
}

fn of(mode: Mode, processes: Vec<Process>) -> (String, String) {
    why(vec![run(mode, processes)])
}

#[track_caller]
fn says(told: &(String, String), cause: &str, cure: &str) {
    assert!(told.0.contains(cause), "cause {:?} has no {cause:?}", told.0);
    assert!(told.1.contains(cure), "cure {:?} has no {cure:?}", told.1);
}

#[test]
fn what_has_its_handler_as_process_1_alone_is_told_so_and_no_orphan_is_suspected() {
    let mut hangs = run(Mode::Pid1, vec![process("beanstalkd").catches(Signal::TERM).stays()]);
    hangs.events.push(Event { at: milliseconds(600), what: What::PutIn });
    let child = run(Mode::Child, vec![process("beanstalkd").ends(1, DIED_OF_TERM)]);
    let told = why(vec![hangs.clone(), child]);
    says(&told, "does not end process 1; as a child it had none", "start it under an init: supervise -- beanstalkd");
    assert!(!told.0.contains("orphan") && !told.1.contains("orphan"), "{told:?}");
    // Where nothing tells more, the orphan may be the reason.
    says(&why(vec![hangs]), "it was given an orphan before", "wait(2)");
}

#[test]
fn no_orphan_is_suspected_where_the_reason_is_enough_and_nothing_shows_that_it_ends_without_one() {
    let hangs = |processes| {
        let mut run = run(Mode::Pid1, processes);
        run.events.push(Event { at: milliseconds(600), what: What::PutIn });
        run
    };
    let app = || process("app").catches(Signal::TERM).stays();
    let closed = What::Closed { pid: None, address: "tcp 127.0.0.1:80".to_owned() };
    let mut slow = hangs(vec![app()]);
    slow.events.push(Event { at: SIGNAL_AT + milliseconds(2), what: closed });
    let waits = hangs(vec![app(), child(1, "worker").ignores(Signal::TERM).stays()]);
    let ends = || run(Mode::Child, vec![process("app").catches(Signal::TERM).ends(20, Status::Exited(0))]);
    for run in [slow, waits] {
        let told = why(vec![run.clone()]);
        assert!(!told.0.contains("orphan"), "{told:?}");
        let told = why(vec![run.clone(), not_told(Mode::Child, Outcome::NeverReady(String::new()))]);
        assert!(!told.0.contains("orphan"), "{told:?}");
        says(&why(vec![run, ends()]), "it was given an orphan before", "");
    }
}

#[test]
fn process_1_without_a_handler_gets_nothing() {
    let told = of(Mode::Pid1, vec![process("sleep 100").stays()]);
    says(
        &told,
        "pid 100 (`sleep 100`) is process 1 and has no handler for SIGTERM, so the kernel drops it",
        "supervise -- sleep 100",
    );
}

#[test]
fn a_shell_as_process_1_keeps_the_signal_from_its_program() {
    let of = |child: Process| of(Mode::Pid1, vec![process("sh -c app").stays(), child.stays()]);
    let init = "the shell under an init that tells all: supervise --kill-mode tree -- COMMAND";
    let exec = "the program in the shell's place (`exec app`, or the JSON form of CMD)";
    let cause = "and pid 101 (`app`) never gets it";
    let trap = "; where the script does more (a loop, a trap that cleans up), which exec loses, `trap 'kill $!; wait; exit 0' \
                TERM` in it and `app & wait`";
    says(&of(child(1, "app").catches(Signal::TERM)), cause, &format!("start {exec}{trap}; or start {init}"));
    // In the shell's place the kernel drops it for that program.
    let told = of(child(1, "app"));
    says(&told, cause, &format!("start {init}; or start {exec} with a handler for SIGTERM"));
    assert!(told.1.ends_with(trap), "{told:?}");
}

#[test]
fn a_trap_waits_for_the_command_in_the_foreground() {
    let shell = process("bash run.sh").catches(Signal::TERM).stays();
    let foreground = vec![shell.clone(), child(1, "sleep 60").stays()];
    let cause = "only when the command in its foreground has ended: pid 101 (`sleep 60`)";
    let in_background =
        "`&` and `wait` for it, so that the trap runs at once, and let the trap pass the signal on (`kill`)";
    let told = of(Mode::Child, foreground.clone());
    says(
        &told,
        cause,
        &format!(
            "end the script with `exec sleep 60` (without its traps, and what follows), or start that with {in_background}"
        ),
    );
    says(&of(Mode::Pid1, foreground), cause, &format!("start `sleep 60` with {in_background}"));
    // What is in the background ignores SIGINT, and `wait` lets the trap run.
    let told = of(Mode::Child, vec![shell.clone(), child(1, "sleep 60").ignores(Signal::INT).stays()]);
    says(&told, "waits for pid 101 (`sleep 60`), which never got SIGTERM", "and exit");
    // What it has started since shows that the trap has run.
    let newer = Process { first_seen_at: SIGNAL_AT + milliseconds(9_500), ..child(1, "sleep 1").stays() };
    says(&of(Mode::Child, vec![shell, newer]), "has a trap for SIGTERM, which is still at work", "and exit");
}

#[test]
fn a_handler_that_raises_the_signal_again_is_known_by_its_death_as_a_child() {
    let as_process_1 = || run(Mode::Pid1, vec![process("node server.js").catches(Signal::TERM).stays()]);
    let as_a_child = |status| run(Mode::Child, vec![process("node server.js").catches(Signal::TERM).ends(5, status)]);
    let told = why(vec![as_process_1(), as_a_child(DIED_OF_TERM)]);
    says(&told, "only raises SIGTERM again", "supervise -- node server.js");
    let told = why(vec![as_process_1(), as_a_child(Status::Exited(0))]);
    says(&told, "nothing was seen to come of it", "never blocked");
    let told = why(vec![as_process_1()]);
    says(
        &told,
        "nothing was seen to come of it",
        "never blocked, or start it under an init: supervise -- node server.js",
    );
}

#[test]
fn another_signal_is_advised_where_that_is_handled_or_has_worked() {
    let python = || process("python3 -m http.server").catches(Signal::INT);
    let told = of(Mode::Pid1, vec![python().stays()]);
    says(
        &told,
        "has no handler for SIGTERM",
        "it has a handler for SIGINT: see whether that stops it (--signal SIGINT",
    );
    // It was tried, and in vain.
    let mut in_vain = run(Mode::Pid1, vec![python().stays()]);
    in_vain.scenario.signal = Signal::INT;
    let told = why(vec![run(Mode::Pid1, vec![python().stays()]), in_vain]);
    says(&told, "has no handler for SIGTERM", "install a handler for SIGTERM");
    assert!(!told.1.contains("SIGINT"), "{told:?}");
    let mut by_int = run(Mode::Pid1, vec![python().ends(20, Status::Exited(0))]);
    by_int.scenario.signal = Signal::INT;
    let told = why(vec![run(Mode::Pid1, vec![python().stays()]), by_int]);
    says(
        &told,
        "has no handler for SIGTERM",
        "stop it by SIGINT (STOPSIGNAL SIGINT, supervise --stop-signal SIGINT), which ended it in 0.020 s with exit code 0",
    );
}

#[test]
fn a_handler_for_another_signal_is_no_promise_that_it_stops_the_program() {
    let usr1 = Signal::new(libc::SIGUSR1).expect("there is one");
    let of = |words: &str| of(Mode::Pid1, vec![process(words).catches(Signal::QUIT).catches(usr1).stays()]);
    let told = of("app");
    says(&told, "has no handler for SIGTERM", "it also has handlers for SIGQUIT and SIGUSR1, whatever they do");
    assert!(told.1.starts_with("install a handler for SIGTERM"), "{told:?}");
    let told = of("haproxy -db");
    says(&told, "has no handler for SIGTERM", "stop it by SIGUSR1, which haproxy is known to stop by");
    assert!(!told.1.contains("SIGQUIT"), "{told:?}");
    says(&of("php-fpm8.2 -F"), "has no handler for SIGTERM", "stop it by SIGQUIT");
}

#[test]
fn a_signal_that_is_ignored_or_blocked_is_told_so() {
    let told = of(Mode::Child, vec![process("app").ignores(Signal::TERM).stays()]);
    says(&told, "ignores SIGTERM", "install a handler");
    let mut blocks = process("app").stays().at_deadline(|seen| seen.is_pending = true);
    blocks.with_signals(|signals| signals.blocked = signals.blocked.with(Signal::TERM));
    says(&of(Mode::Child, vec![blocks.clone()]), "blocks SIGTERM in every thread", "unblock SIGTERM");
    blocks.with_signals(|signals| signals.by_signalfd = signals.by_signalfd.with(Signal::TERM));
    says(&of(Mode::Child, vec![blocks]), "has a signalfd for SIGTERM and never read it", "event loop free");
    let pending = process("app").catches(Signal::TERM).stays().at_deadline(|seen| seen.is_pending = true);
    says(&of(Mode::Child, vec![pending]), "is still pending", "keeps it from running");
}

#[test]
fn what_cannot_act_is_told_before_all_else() {
    for (state, cause) in [(State::Stopped, "state T"), (State::Stuck, "state D"), (State::Zombie, "first thread")] {
        let process = process("sleep 100").stays().at_deadline(|seen| seen.state = state);
        says(&of(Mode::Pid1, vec![process]), cause, "");
    }
}

#[test]
fn a_busy_program_is_told_from_one_that_waits() {
    let app = || process("redis-server").catches(Signal::TERM).stays();
    let busy = app().at_deadline(|seen| seen.busy = milliseconds(9_800));
    says(&of(Mode::Child, vec![busy]), "is busy, with 9.800 s of processor time", "another thread");
    let idle = app().at_deadline(|seen| seen.busy = milliseconds(2_000));
    says(&of(Mode::Child, vec![idle]), "nothing was seen to come of it", "");
    // It would take more, but others have the processors.
    let starved = app().at_deadline(|seen| (seen.busy, seen.is_running) = (milliseconds(600), true));
    says(&of(Mode::Child, vec![starved]), "is busy, with 0.600 s of processor time", "another thread");
    let at_times = app().at_deadline(|seen| (seen.busy, seen.is_running) = (milliseconds(200), true));
    says(&of(Mode::Child, vec![at_times]), "nothing was seen to come of it", "");
}

#[test]
fn a_stop_that_takes_too_long_is_told_from_none() {
    let mut slow = run(Mode::Child, vec![process("uvicorn app").catches(Signal::TERM).stays()]);
    let closed = What::Closed { pid: None, address: "tcp 127.0.0.1:80".to_owned() };
    slow.events.push(Event { at: SIGNAL_AT + milliseconds(2), what: closed });
    says(&why(vec![slow]), "began to stop (it closed tcp 127.0.0.1:80, 0.002 s after SIGTERM)", "bound how long");
}

#[test]
fn who_was_told_before_it_was_ready_for_that_is_told_so() {
    let young = process("app").stays().at_deadline(|seen| seen.is_handled = true);
    says(&of(Mode::Pid1, vec![young.clone()]), "no handler for SIGTERM yet when that came", "under an init");
    says(&of(Mode::Child, vec![young]), "looked at just before, and has one now", "--ready");
    let late = |at| Process { executed_at: Some(at), ..child(1, "sleep 60").ignores(Signal::INT).stays() };
    for program in ["bash run.sh", "app"] {
        let told = |at| of(Mode::Child, vec![process(program).catches(Signal::TERM).stays(), late(at)]);
        says(
            &told(SIGNAL_AT + milliseconds(1)),
            "which has executed its program only since",
            "until `sleep 60` has ended",
        );
        says(&told(SIGNAL_AT - milliseconds(1)), "which never got SIGTERM", "");
    }
}

#[test]
fn what_a_program_writes_all_the_time_is_no_reaction() {
    let mut chatty = run(Mode::Child, vec![process("app").catches(Signal::TERM).stays()]);
    let wrote = |at| Event { at, what: What::Wrote { bytes: 5, line: "tick".to_owned() } };
    chatty.events.push(wrote(SIGNAL_AT + milliseconds(5)));
    says(&why(vec![chatty.clone()]), "(seen first: it wrote \"tick\", 0.005 s after SIGTERM)", "");
    let mut busy = chatty.clone();
    let other = |at| Event {
        at,
        what: What::Wrote { bytes: 5, line: format!("served {}", "x".repeat(at.as_millis() as usize)) },
    };
    busy.events.extend([600, 700, 800].map(|at| other(milliseconds(at))));
    says(&why(vec![busy]), "nothing was seen to come of it", "");
    // Once, before: but for its numbers that is the same line.
    let before = What::Wrote { bytes: 5, line: "tick 17".to_owned() };
    chatty.events.insert(1, Event { at: milliseconds(300), what: before });
    chatty
        .events
        .push(Event { at: SIGNAL_AT + milliseconds(5), what: What::Wrote { bytes: 5, line: "tick 2".to_owned() } });
    chatty.events.retain(|event| event.what != wrote(event.at).what);
    says(&why(vec![chatty]), "nothing was seen to come of it", "");
}

#[test]
fn the_child_that_a_wrapper_waits_for_is_named_with_what_it_heard() {
    let waiting = || {
        let npm = process("npm start").catches(Signal::TERM).stays();
        npm.at_deadline(|seen| seen.waits_for = WaitsFor::Child)
    };
    let with = |child| of(Mode::Child, vec![waiting(), child]);
    let node = || child(1, "node server.js").stays();
    says(&with(node()), "node server.js`), which never got SIGTERM", "--kill-mode tree -- npm start");
    assert!(with(node()).1.contains("start `node server.js` without it"));
    // A copy of it makes no sense without it.
    let (_, cure) = with(Process { exe: process("npm start").exe, ..child(1, "npm start").stays() });
    assert!(cure.starts_with("let it pass SIGTERM on, or tell all"), "{cure}");
    says(
        &with(node().ignores(Signal::TERM)),
        "which ignores SIGTERM",
        "let the child, `node server.js`, handle SIGTERM",
    );
    says(&with(node().at_deadline(|seen| seen.state = State::Stopped)), "which is stopped", "stop `node server.js`");
    says(&with(node().catches(Signal::TERM)), "either it did not get SIGTERM, or it is still at work", "reaches");
}

#[test]
fn who_waits_in_vfork_is_told_with_its_child_and_not_with_a_device() {
    let stuck = |waits_for| {
        let app = process("app").catches(Signal::TERM).stays();
        let app = app.at_deadline(|seen| (seen.state, seen.waits_for) = (State::Stuck, waits_for));
        let copy = Process { executed_at: None, ..child(2, "app").catches(Signal::TERM).stays() };
        of(Mode::Child, vec![app, child(1, "other").stays(), copy])
    };
    says(&stuck(WaitsFor::Exec), "in vfork(2) (state D) until its child pid 102", "keeps");
    says(&stuck(WaitsFor::Else), "state D", "device");
}

#[test]
fn an_init_that_waits_for_signals_is_no_process_1_without_a_handler() {
    let mut tini = process("tini -- app").stays();
    tini.with_signals(|signals| signals.waits_for_signals = true);
    let told = of(Mode::Pid1, vec![tini, child(1, "app").ignores(Signal::TERM).stays()]);
    says(&told, "nor has its child pid 101 (`app`), which ignores SIGTERM", "let the child, `app`, handle");
}

#[test]
fn a_program_with_a_meaning_of_its_own_for_the_signal_is_known() {
    let told = of(Mode::Child, vec![process("postgres -D /data").catches(Signal::TERM).stays()]);
    says(&told, "smart shutdown", "STOPSIGNAL SIGINT");
    let stopped = process("postgres").stays().at_deadline(|seen| seen.state = State::Stopped);
    says(&of(Mode::Child, vec![stopped]), "state T", "");
}

#[test]
fn what_was_not_seen_is_not_guessed() {
    let mut unseen = process("app").stays();
    unseen.signals = None;
    says(&of(Mode::Pid1, vec![unseen]), "could not be seen", "as root");
    says(&of(Mode::Child, vec![process("app").stays()]), "should end it by its default action", "");
}

#[test]
fn who_ends_too_late_is_told_from_who_does_not() {
    let app = || process("app").catches(Signal::TERM).ends(10_020, Status::Exited(0));
    says(&of(Mode::Child, vec![app()]), "pid 100 (`app`) ended 0.020 s late", "more time");
    // Looked at when the time was over, it had just gone.
    let seen = process("app").stays().at_deadline(|seen| seen.state = State::Zombie).at_deadline;
    says(&of(Mode::Child, vec![Process { at_deadline: seen, ..app() }]), "ended 0.020 s late", "more time");
}

#[test]
fn the_dead_have_no_part_in_what_goes_on() {
    let dead = child(1, "worker").stays().at_deadline(|seen| seen.state = State::Zombie);
    let word = word(
        &order(),
        vec![run(Mode::Child, vec![process("app").catches(Signal::TERM).stays(), dead])],
        Check::ExitsInGrace,
    );
    assert!(word.cause.contains("nothing was seen to come of it"), "{word:?}");
    assert!(!word.evidence.iter().any(|line| line.contains("alive beside it")), "{word:?}");
}

#[test]
fn the_worst_repetition_is_the_one_that_is_explained() {
    let good = run(Mode::Child, vec![process("app").catches(Signal::TERM).ends(10, Status::Exited(0))]);
    let bad = run(Mode::Child, vec![process("app").ignores(Signal::TERM).stays()]);
    let word = word(&Order { repeat: 3, ..order() }, vec![good.clone(), bad, good], Check::ExitsInGrace);
    assert!(word.cause.contains("ignores SIGTERM"), "{word:?}");
    assert!(word.evidence.contains(&"1 of 3 had not ended 10.000 s after SIGTERM".to_owned()), "{word:?}");
}

#[test]
fn an_answer_that_is_no_beginning_of_a_stop_is_not_told_as_one() {
    let with = |what| {
        let mut run = run(Mode::Child, vec![process("app").catches(Signal::TERM).stays()]);
        run.events.push(Event { at: SIGNAL_AT + milliseconds(3), what });
        why(vec![run])
    };
    let told = with(What::Wrote { bytes: 4, line: "got SIGTERM".to_owned() });
    says(
        &told,
        "had not ended after 10.000 s (seen first: it wrote \"got SIGTERM\", 0.003 s",
        "end the program (exit)",
    );
    assert!(!told.0.contains("began to stop"), "{told:?}");
    says(&with(What::Notified { text: "STOPPING=1".to_owned() }), "began to stop (it notified STOPPING=1", "bound how");
    says(&with(What::Notified { text: "WATCHDOG=1".to_owned() }), "seen first: it notified WATCHDOG=1", "");
    // A line of a flood is no sentence.
    let told = with(What::Wrote { bytes: 4, line: "x".repeat(200) });
    assert!(told.0.contains(&format!("\"{}...\"", "x".repeat(60))), "{told:?}");
}

#[test]
fn what_is_notified_all_the_time_is_no_reaction() {
    let mut run = run(Mode::Child, vec![process("app").catches(Signal::TERM).stays()]);
    let notified = |at| Event { at, what: What::Notified { text: "WATCHDOG=1".to_owned() } };
    run.events.push(notified(milliseconds(600)));
    run.events.push(notified(SIGNAL_AT + milliseconds(600)));
    says(&why(vec![run]), "nothing was seen to come of it", "");
}

#[test]
fn processes_that_come_and_go_are_no_reaction() {
    let app = || process("app").catches(Signal::TERM).stays();
    let before = child(1, "sleep 0.4").ends_by(0, Status::Exited(0), EndedBy::Itself);
    let mut before = before;
    before.ended.as_mut().expect("it has ended").at = milliseconds(500);
    let during = Process { first_seen_at: milliseconds(501), ..child(2, "sleep 0.4").ends(300, Status::Exited(0)) };
    let after = Process { first_seen_at: SIGNAL_AT + milliseconds(301), ..child(3, "sleep 0.4").stays() };
    let told = of(Mode::Child, vec![app(), before.clone(), during.clone(), after]);
    says(&told, "goes on: it has started pid 103 (`sleep 0.4`) since", "start nothing like `sleep 0.4`");
    says(&of(Mode::Child, vec![app(), before, during]), "nothing was seen to come of it", "");
    // One that is not started again ended because of the signal.
    let worker = child(1, "worker").ends(20, DIED_OF_TERM);
    says(&of(Mode::Child, vec![app(), worker]), "seen first: pid 101 (`worker`) ended, 0.020 s after SIGTERM", "");
}

#[test]
fn what_an_init_is_given_as_an_orphan_it_has_not_started() {
    let init = || process("supervise -- app").catches(Signal::TERM).stays();
    let since = |started_by| Process {
        first_seen_at: SIGNAL_AT + milliseconds(300),
        started_by,
        ..child(2, "chain").ignores(Signal::TERM).stays()
    };
    let told = of(Mode::Child, vec![init(), since(Some(101))]);
    says(&told, "nor has its child pid 102 (`chain`), which ignores SIGTERM", "let the child, `chain`, handle SIGTERM");
    assert!(!told.0.contains("started"), "{told:?}");
    let told = of(Mode::Child, vec![init(), since(None)]);
    says(&told, "which it has started, or was given as an orphan", "ends by SIGTERM");
    says(&of(Mode::Child, vec![init(), since(Some(MAIN))]), "goes on: it has started pid 102 (`chain`) since", "");
}

#[test]
fn who_was_told_with_main_says_nothing_of_main() {
    let order = Order { target: Target::Tree, ..order() };
    let mut run =
        run(Mode::Child, vec![process("app").catches(Signal::TERM).stays(), child(1, "x").ends(2, DIED_OF_TERM)]);
    run.scenario.target = Target::Tree;
    let found = word(&order, vec![run], Check::ExitsInGrace);
    assert!(found.cause.contains("nothing was seen to come of it"), "{found:?}");
}

#[test]
fn an_init_is_advised_only_where_that_can_help() {
    let app = |mode| run(mode, vec![process("app").catches(Signal::TERM).stays()]);
    says(&why(vec![app(Mode::Pid1)]), "only raises it again (node's own does)", "under an init: supervise -- app");
    let told = why(vec![app(Mode::Pid1), app(Mode::Child)]);
    says(&told, ": the handler does not end the program", "never blocked");
    assert!(!told.1.contains("init"), "{told:?}");
}

#[test]
fn what_waits_for_other_signals_is_told_from_what_does_not_run() {
    let mut waits = process("app").stays().at_deadline(|seen| seen.is_pending = true);
    waits.with_signals(|signals| {
        signals.waits_for_signals = true;
        signals.blocked = signals.blocked.with(Signal::TERM);
    });
    says(&of(Mode::Child, vec![waits]), "waits for other signals (sigtimedwait) and not for that", "wait for SIGTERM");
    // As a child it dies of that, whether by default or by raising it.
    let mut waits = process("app").stays();
    waits.with_signals(|signals| signals.waits_for_signals = true);
    let child = run(Mode::Child, vec![Process { at_deadline: None, ..waits.clone().ends(3, DIED_OF_TERM) }]);
    let told = why(vec![run(Mode::Pid1, vec![waits]), child.clone()]);
    says(&told, "by its default action or because it raises that again", "supervise -- app");
    let found = word(&order(), vec![child], Check::Status);
    assert!(found.cause.contains("either SIGTERM is none of them"), "{found:?}");
}

#[test]
fn a_shell_that_has_run_its_trap_is_told_from_one_that_waits_for_its_foreground() {
    let shell = || process("bash run.sh").catches(Signal::TERM).stays();
    let worker = || child(1, "worker").catches(Signal::TERM).stays();
    let mut spoke = run(Mode::Child, vec![shell(), worker()]);
    let line = What::Wrote { bytes: 9, line: "stopping".to_owned() };
    spoke.events.push(Event { at: SIGNAL_AT + milliseconds(5), what: line });
    says(
        &why(vec![spoke]),
        "the shell pid 100 (`bash run.sh`) waits for pid 101 (`worker`), which has not ended",
        "kill",
    );
    // dash sits in wait(2) for its foreground alone.
    let dash = || Process { exe: Some("/usr/bin/dash".to_owned()), ..shell() };
    says(&of(Mode::Child, vec![dash(), worker()]), "waits for pid 101", "and exit");
    let waits = dash().at_deadline(|seen| seen.waits_for = WaitsFor::Child);
    says(&of(Mode::Child, vec![waits, worker()]), "only when the command in its foreground has ended", "`wait`");
}

#[test]
fn what_a_shell_starts_in_the_background_ignores_sigint() {
    let mut run = run(
        Mode::Child,
        vec![process("bash run.sh").catches(Signal::INT).stays(), child(1, "sleep 60").ignores(Signal::INT).stays()],
    );
    run.scenario.signal = Signal::INT;
    let told = why(vec![run]);
    says(&told, "ignores SIGINT, as all does that a shell without job control starts by `&`", "kill -TERM");
}

#[test]
fn a_loop_is_not_to_be_replaced_by_what_it_starts() {
    let sh = || process("sh loop.sh").stays();
    let newer = Process { first_seen_at: SIGNAL_AT + milliseconds(9_900), ..child(1, "sleep 1").stays() };
    let told = of(Mode::Pid1, vec![sh(), newer]);
    says(&told, "has no trap for SIGTERM, so the kernel drops it", "`trap 'exit 0' TERM`");
    assert!(!told.1.contains("exec"), "{told:?}");
    let told = of(Mode::Pid1, vec![sh(), child(1, "app").stays(), child(2, "cat").stays()]);
    says(&told, "pid 101 (`app`), pid 102 (`cat`) never gets it", "a trap that passes SIGTERM on");
    assert!(!told.1.contains("exec"), "{told:?}");
}

#[test]
fn busy_says_what_may_be_behind_it() {
    let told = of(
        Mode::Child,
        vec![process("app").catches(Signal::TERM).stays().at_deadline(|seen| {
            seen.busy = milliseconds(2_600);
        })],
    );
    says(&told, "does not get its turn, takes long, or does not end the program", "another thread");
}
