//! The most important promises, one sentence each.

use std::vec::Vec;

use super::options::{Options, S, Table, USR1, USR2, at, milliseconds};
use super::worlds::{AS_ASKED, KILL, LADDER, PROCESS, WITHOUT_KILL};
use crate::core::single::MAIN;
use crate::core::{
    Action, Event, Fate, Group, Hurry, JobControl, KillMode, Left, Leftovers, Life, Machine, Note, Outcome, Pause,
    Received, Rung, Scope, Sender, Signal, Single, Slow, Status, Terminal,
};

/// The longest that a test waits.
const FOR_EVER: u64 = 24 * 60 * 60 * S;

/// A machine that has begun at 0, and the deadline that it waits for.
pub(super) struct Run {
    machine: Single<'static>,
    pub(super) armed: Option<u64>,
}

impl Run {
    pub(super) fn new(options: Options) -> Run {
        let mut run = Run { machine: Single::new(options.policy()), armed: None };
        run.on(0, Event::Begin);
        run
    }

    /// One without a main.
    fn paused(options: Options) -> Run {
        Run { machine: Single::without_main(options.policy()), armed: None }
    }

    /// How it went so far, for who decides about another one.
    pub(super) fn life(&self) -> Life {
        self.machine.course().life()
    }

    /// Whether nothing comes after an end that comes now.
    pub(super) fn is_last_life(&self) -> bool {
        self.machine.is_last_life()
    }

    /// What comes of an event at that time.
    pub(super) fn on(&mut self, time: u64, event: Event) -> Vec<Action> {
        let actions: Vec<Action> = self.machine.on(at(time), event).into_iter().collect();
        for action in &actions {
            match action {
                Action::Arm(time) => self.armed = Some(milliseconds(*time)),
                Action::ArmAfterKill => self.armed = Some(time + S),
                _ => {}
            }
        }
        actions
    }

    pub(super) fn signal(&mut self, time: u64, signal: Signal) -> Vec<Action> {
        self.on(time, Event::Signalled(Received { signal, sender: Sender::Outside }))
    }

    pub(super) fn stop(&mut self, time: u64) -> Vec<Action> {
        self.signal(time, Signal::TERM)
    }

    pub(super) fn key(&mut self, time: u64, sender: Sender) -> Vec<Action> {
        self.on(time, Event::Signalled(Received { signal: Signal::INT, sender }))
    }

    pub(super) fn ended(&mut self, time: u64, status: Status) -> Vec<Action> {
        self.on(time, Event::Ended(MAIN, status))
    }

    /// Main has ended, and somebody is left.
    pub(super) fn left_behind(&mut self, time: u64) -> Vec<Action> {
        self.ended(time, Status::Exited(0));
        self.on(time, Event::Reaped(Left::Some))
    }

    /// Everything that deadlines alone lead to, each with its time.
    pub(super) fn wait(&mut self) -> Vec<(u64, Action)> {
        let mut all = Vec::new();
        while let Some(time) = self.armed.take() {
            assert!(time <= FOR_EVER && all.len() < 100, "it waits for ever");
            all.extend(self.on(time, Event::Deadline).into_iter().map(|action| (time, action)));
        }
        all
    }

    /// The same, without what is armed.
    pub(super) fn wait_for_orders(&mut self) -> Vec<(u64, Action)> {
        self.wait().into_iter().filter(|(_, action)| !matches!(action, Action::Arm(_) | Action::ArmAfterKill)).collect()
    }
}

/// When each rung is reached.
pub(super) fn rungs(all: &[(u64, Action)]) -> Vec<(u64, Rung)> {
    let rung = |(time, action): &(u64, Action)| match action {
        Action::Climb(rung) => Some((*time, *rung)),
        _ => None,
    };
    all.iter().filter_map(rung).collect()
}

pub(super) fn tell(signal: Signal) -> Action {
    Action::Tell(MAIN, KillMode::Main, signal)
}

/// One rung up, and what main is sent there; without what is armed.
pub(super) fn told(signal: Signal) -> Vec<Action> {
    std::vec![Action::Climb(Rung::Signal(signal)), tell(signal)]
}

pub(super) fn orders(actions: Vec<Action>) -> Vec<Action> {
    actions.into_iter().filter(|action| !matches!(action, Action::Arm(_) | Action::ArmAfterKill)).collect()
}

const KILLS_MAIN: [Action; 2] = [Action::Climb(Rung::Kill), Action::Tell(MAIN, KillMode::Main, Signal::KILL)];

#[test]
fn a_second_stop_does_not_restart_the_clock() {
    let mut run = Run::new(Options { grace: Some(10 * S), ..Options::NONE });
    run.stop(0);
    assert_eq!(run.stop(7 * S), [tell(Signal::TERM)]);
    assert_eq!(rungs(&run.wait())[0], (10 * S, Rung::Kill));
}

#[test]
fn a_second_stop_ends_the_delay_and_main_is_told_once() {
    let mut run = Run::new(Options { delay: 5 * S, grace: Some(10 * S), ..Options::NONE });
    assert_eq!(orders(run.stop(0)), [Action::Climb(Rung::Delay)]);
    assert_eq!(orders(run.stop(2 * S)), told(Signal::TERM));
    // The delay counts in the grace, also where it was cut short.
    assert_eq!(rungs(&run.wait())[0], (10 * S, Rung::Kill));
}

#[test]
fn other_signals_reach_main_during_the_delay() {
    let mut run = Run::new(Options { delay: 5 * S, ..Options::NONE });
    run.stop(0);
    assert_eq!(run.signal(S, USR1), [Action::Signal(MAIN, USR1)]);
}

#[test]
fn main_is_never_killed_where_nobody_here_decided_so() {
    for rungs in [AS_ASKED, WITHOUT_KILL] {
        for delay in [0, 3 * S] {
            for kill_mode in [KillMode::Main, KillMode::Group, KillMode::Tree] {
                let mut run = Run::new(Options { rungs, delay, kill_mode, ..Options::NONE });
                let mut all = run.stop(0);
                for time in (0..FOR_EVER).step_by(60 * 60 * 1000) {
                    all.extend(run.stop(time));
                    // Keys that are no two in a row.
                    all.extend(run.key(time + S, Sender::Kernel));
                    all.extend(run.key(time + 2 * S, PROCESS));
                    all.extend(run.wait().into_iter().map(|(_, action)| action));
                }
                assert!(!all.contains(&Action::Tell(MAIN, kill_mode, Signal::KILL)), "{rungs:?} {delay}");
                assert!(!all.contains(&Action::KillRest));
            }
        }
    }
}

#[test]
fn each_signal_of_the_ladder_has_its_time() {
    let mut run = Run::new(Options { rungs: LADDER, ..Options::NONE });
    assert_eq!(orders(run.stop(0)), told(Signal::TERM));
    let expected = [(4 * S, Rung::Signal(Signal::INT)), (6 * S, Rung::Kill)];
    assert_eq!(rungs(&run.wait())[..2], expected);
}

#[test]
fn a_deadline_that_comes_late_skips_no_signal() {
    // The container was frozen for a while.
    let mut run = Run::new(Options { rungs: LADDER, ..Options::NONE });
    run.stop(0);
    let late = 60 * S;
    assert!(run.on(late, Event::Deadline).contains(&tell(Signal::INT)));
    assert_eq!(rungs(&run.wait())[0], (late + 2 * S, Rung::Kill));
}

#[test]
fn from_a_kill_on_deadlines_alone_lead_to_the_end() {
    for leftovers in [Leftovers::Stop, Leftovers::Wait, Leftovers::Leave] {
        let mut run = Run::new(Options { rungs: KILL, leftovers, ..Options::NONE });
        assert_eq!(orders(run.stop(0)), KILLS_MAIN);
        let last = run.wait().pop().expect("something is done");
        // It counts as killed, although not even that has ended it.
        assert_eq!(last.1, Action::Exit(Outcome::Signal(Signal::KILL)));
        assert!(last.0 <= 10 * S);
    }
}

#[test]
fn after_mains_end_deadlines_alone_lead_to_the_end() {
    let mut run = Run::new(Options::NONE);
    run.left_behind(0);
    let exit = Action::Exit(Outcome::Code(0));
    let expected = [
        (2500, Action::Explain(Slow::Leftovers(Some(Status::Exited(0))))),
        (5 * S, Action::Climb(Rung::KillLeftovers)),
        (5 * S, Action::NameRest(Fate::Killed)),
        (5 * S, Action::KillRest),
        (6 * S, Action::NameRest(Fate::LeftBehind)),
        (6 * S, exit),
    ];
    assert_eq!(run.wait_for_orders(), expected);
}

#[test]
fn leftovers_have_what_docker_leaves_them() {
    let mut run = Run::new(Options::NONE);
    run.stop(0);
    run.left_behind(7 * S);
    assert_eq!(rungs(&run.wait()), [(9 * S, Rung::KillLeftovers)]);
}

#[test]
fn the_longest_time_is_a_stop_that_kills_ten_seconds_later() {
    let mut run = Run::new(Options { max_time: Some(60 * S), ..Options::NONE });
    let all = run.wait();
    let expected = [(60 * S, Rung::Signal(Signal::TERM)), (70 * S, Rung::Kill)];
    assert_eq!(rungs(&all)[..2], expected);
}

#[test]
fn a_stop_that_comes_late_for_the_longest_time_has_its_ten_seconds() {
    let mut run = Run::new(Options { max_time: Some(60 * S), ..Options::NONE });
    assert_eq!(orders(run.on(600 * S, Event::Deadline)), told(Signal::TERM));
    assert_eq!(rungs(&run.wait())[0], (610 * S, Rung::Kill));
}

#[test]
fn a_longest_time_that_is_far_away_holds_no_explanation_up() {
    let mut run = Run::new(Options { max_time: Some(3600 * S), ..Options::NONE });
    run.stop(0);
    assert_eq!(run.wait_for_orders()[0], (5 * S, Action::Explain(Slow::Main(Signal::TERM))));
}

#[test]
fn an_explanation_comes_once_and_halfway_to_the_kill() {
    for (grace, rungs, halfway) in
        [(Some(8 * S), AS_ASKED, 4 * S), (None, LADDER, 3 * S), (None, AS_ASKED, 5 * S), (Some(30 * S), LADDER, 3 * S)]
    {
        let mut run = Run::new(Options { grace, rungs, ..Options::NONE });
        run.stop(0);
        run.stop(S);
        let all = run.wait();
        let explained: Vec<_> =
            all.iter().filter(|(_, action)| matches!(action, Action::Explain(Slow::Main(_)))).collect();
        assert_eq!(explained, [&(halfway, Action::Explain(Slow::Main(Signal::TERM)))], "{grace:?} {rungs:?}");
    }
}

#[test]
fn two_keys_within_two_seconds_go_one_rung_up_each() {
    let mut run = Run::new(Options { delay: 5 * S, rungs: LADDER, ..Options::NONE });
    run.stop(0);
    assert_eq!(run.key(0, PROCESS), [Action::Signal(MAIN, Signal::INT)]);
    assert_eq!(orders(run.key(2 * S, PROCESS)), told(Signal::TERM));
    assert_eq!(orders(run.key(4 * S, PROCESS)), told(Signal::INT));
    assert_eq!(orders(run.key(5 * S, PROCESS)), KILLS_MAIN);
    run.left_behind(5 * S);
    assert!(run.key(6 * S, PROCESS).contains(&Action::KillRest));
}

#[test]
fn keys_that_are_not_two_in_a_row_are_forwarded() {
    let mut run = Run::new(Options::NONE);
    let forwarded = [Action::Signal(MAIN, Signal::INT)];
    // While main runs, as a REPL needs it.
    assert_eq!(run.key(0, Sender::Outside), forwarded);
    assert_eq!(run.key(S, Sender::Outside), forwarded);
    run.stop(S);
    // Too late, or by another way.
    assert_eq!(run.key(3 * S + 1, Sender::Outside), forwarded);
    assert_eq!(run.key(4 * S, PROCESS), forwarded);
    assert_eq!(run.key(5 * S, Sender::Ourselves), forwarded);
}

#[test]
fn leftovers_that_may_take_their_time_are_told_by_a_stop_and_by_the_longest_time() {
    for stop in [Event::Signalled(Received { signal: Signal::TERM, sender: Sender::Outside }), Event::Deadline] {
        let max_time = Some(3600 * S);
        let mut run = Run::new(Options { leftovers: Leftovers::Wait, max_time, ..Options::NONE });
        assert_eq!(run.left_behind(0), [Action::Climb(Rung::Wait)]);
        assert_eq!(run.armed, max_time);
        assert!(run.on(3600 * S, stop).contains(&Action::TellRest(Scope::Tree)));
        assert_eq!(rungs(&run.wait()), [(3605 * S, Rung::KillLeftovers)]);
    }
}

#[test]
fn what_is_to_be_left_is_neither_told_nor_waited_for() {
    for scope in [Scope::Namespace, Scope::Tree] {
        for left in [Left::Some, Left::None] {
            let mut run = Run::new(Options { leftovers: Leftovers::Leave, scope, ..Options::NONE });
            run.ended(0, Status::Exited(3));
            assert_eq!(run.on(0, Event::Reaped(left)), [Action::Exit(Outcome::Code(3))]);
        }
    }
}

#[test]
fn who_is_in_the_namespace_beside_our_children_is_told_before_the_end() {
    let mut run = Run::new(Options { scope: Scope::Namespace, ..Options::NONE });
    run.ended(0, Status::Exited(0));
    let exit = Action::Exit(Outcome::Code(0));
    assert_eq!(run.on(0, Event::Reaped(Left::None)), [Action::TellRest(Scope::Namespace), exit]);
}

#[test]
fn a_stopped_main_is_continued_so_that_it_can_end() {
    let stopped = Event::Stopped(MAIN, Signal::STOP, Terminal::None);
    let continued = [tell(Signal::TERM), tell(Signal::CONT)];
    let mut run = Run::new(Options::NONE);
    run.on(0, stopped);
    assert_eq!(orders(run.stop(0))[1..], continued);
    // It goes on, until it is stopped again.
    assert_eq!(run.stop(S), [tell(Signal::TERM)]);
    run.on(S, stopped);
    assert_eq!(run.stop(S), continued);
}

#[test]
fn we_stop_as_main_was_stopped_and_continue_it_where_nobody_else_has() {
    for (group, go_on) in [
        (Group::Shared, Action::Signal(MAIN, Signal::CONT)),
        (Group::Own, Action::Tell(MAIN, KillMode::Group, Signal::CONT)),
    ] {
        let mut run = Run::new(Options { group, ..Options::NONE });
        for by in [Signal::TSTP, Signal::TTIN, Signal::TTOU, Signal::STOP] {
            let stopped = Event::Stopped(MAIN, by, Terminal::Foreground);
            assert_eq!(run.on(0, stopped), [Action::StopOurselves(MAIN, by)]);
            assert_eq!(run.on(0, Event::Resumed(MAIN, by, Pause::Together)), []);
            assert_eq!(run.on(0, Event::Resumed(MAIN, by, Pause::Alone)), [go_on]);
        }
    }
}

#[test]
fn ctrl_z_stops_no_group_of_mains_own_where_no_shell_sees_us() {
    let go_on = [Action::Tell(MAIN, KillMode::Group, Signal::CONT)];
    let stopped = Event::Stopped(MAIN, Signal::TSTP, Terminal::Foreground);
    let mut leader = Run::new(Options { group: Group::Own, job_control: JobControl::Nobody, ..Options::NONE });
    assert_eq!(leader.on(0, stopped), go_on);
    let mut orphaned = Run::new(Options { group: Group::Own, ..Options::NONE });
    orphaned.on(0, stopped);
    assert_eq!(orphaned.on(0, Event::Resumed(MAIN, Signal::TSTP, Pause::Refused)), go_on);
    // It would read, and stop, again and again; a stop of ours continues it.
    assert_eq!(orphaned.on(0, Event::Resumed(MAIN, Signal::TTIN, Pause::Refused)), []);
    assert!(orphaned.stop(0).contains(&tell(Signal::CONT)));
}

#[test]
fn main_gets_the_terminal_that_a_shell_has_given_to_us() {
    for by in [Signal::TTIN, Signal::TTOU] {
        let mut run = Run::new(Options { group: Group::Own, ..Options::NONE });
        let go_on = Action::Tell(MAIN, KillMode::Group, Signal::CONT);
        assert_eq!(run.on(0, Event::Stopped(MAIN, by, Terminal::Ours)), [Action::HandTerminal(MAIN), go_on]);
    }
}

#[test]
fn a_cont_that_main_does_not_get_continues_nothing() {
    let mut run = Run::new(Options { table: Table::Rewritten, ..Options::NONE });
    run.on(0, Event::Stopped(MAIN, Signal::STOP, Terminal::None));
    run.signal(0, Signal::CONT);
    assert!(run.stop(0).contains(&tell(Signal::CONT)));
    // And what becomes one does.
    let mut run = Run::new(Options { table: Table::Deaf, ..Options::NONE });
    run.on(0, Event::Stopped(MAIN, Signal::STOP, Terminal::None));
    assert_eq!(run.signal(0, USR2), [Action::Signal(MAIN, Signal::CONT)]);
    assert_eq!(orders(run.signal(0, USR1)), told(Signal::TERM));
}

#[test]
fn a_kill_by_the_kernel_is_explained_and_one_by_us_is_not() {
    let killed = Status::Signaled(Signal::KILL);
    assert_eq!(Run::new(Options::NONE).ended(0, killed), [Action::Explain(Slow::MainKilled)]);
    assert_eq!(Run::new(Options::NONE).ended(0, Status::Signaled(Signal::TERM)), []);
    let mut by_ladder = Run::new(Options { rungs: KILL, ..Options::NONE });
    by_ladder.stop(0);
    assert_eq!(by_ladder.ended(0, killed), []);
    let mut by_rule = Run::new(Options { table: Table::Rewritten, ..Options::NONE });
    by_rule.signal(0, USR2);
    assert_eq!(by_rule.ended(0, killed), []);
}

#[test]
fn a_stop_that_is_a_kill_has_its_deadline_also_as_the_second_one() {
    let mut run = Run::new(Options { table: Table::Lethal, ..Options::NONE });
    assert_eq!(orders(run.signal(0, USR1)), told(Signal::TERM));
    assert_eq!(orders(run.stop(S)), KILLS_MAIN);
    assert_eq!(run.armed, Some(2 * S));
}

#[test]
fn what_escapes_the_kill_of_a_tree_is_killed_until_a_second_has_passed() {
    for leftovers in [Leftovers::Stop, Leftovers::Wait, Leftovers::Leave] {
        let mut run = Run::new(Options { rungs: KILL, kill_mode: KillMode::Tree, leftovers, ..Options::NONE });
        run.stop(0);
        assert_eq!(run.on(0, Event::Reaped(Left::Some)), [Action::KillRest]);
        assert_eq!(run.on(0, Event::Reaped(Left::None)), []);
        run.ended(0, Status::Signaled(Signal::KILL));
        assert_eq!(run.on(0, Event::Reaped(Left::Some)), [Action::KillRest]);
        let exit = Action::Exit(Outcome::Signal(Signal::KILL));
        assert_eq!(run.wait(), [(S, Action::NameRest(Fate::LeftBehind)), (S, exit)]);
    }
}

#[test]
fn keys_that_hurry_leftovers_alone_reach_main_and_never_kill_it() {
    let mut run = Run::new(Options { hurry: Hurry::Leftovers, ..Options::NONE });
    run.stop(0);
    for time in [0, 1, 2] {
        assert_eq!(run.key(time, PROCESS), [Action::Signal(MAIN, Signal::INT)]);
    }
    run.left_behind(3);
    assert!(run.key(4, PROCESS).contains(&Action::KillRest));
}

#[test]
fn a_signal_that_suspends_stops_us_when_main_has_it() {
    let mut run = Run::new(Options { table: Table::Passing, ..Options::NONE });
    let pause = Action::StopOurselves(MAIN, Signal::STOP);
    assert_eq!(run.signal(0, USR2), [Action::Signal(MAIN, Signal::STOP), pause]);
    assert_eq!(run.on(0, Event::Resumed(MAIN, Signal::STOP, Pause::Alone)), [Action::Signal(MAIN, Signal::CONT)]);
    // No shell sees a PID 1, which goes on; main stays stopped, as it was told.
    assert_eq!(run.on(0, Event::Resumed(MAIN, Signal::STOP, Pause::Refused)), []);
    assert_eq!(run.signal(0, Signal::CONT), [pause]);
}

#[test]
fn what_is_only_passed_on_begins_no_stop() {
    let mut run = Run::new(Options { table: Table::Passing, delay: 5 * S, ..Options::NONE });
    assert_eq!(run.stop(0), [Action::Signal(MAIN, Signal::QUIT)]);
    assert_eq!(run.armed, None);
}

#[test]
fn where_main_may_come_again_others_in_the_namespace_hear_of_an_end_that_is_asked_for_alone() {
    let options = Options { scope: Scope::Namespace, may_restart: true, ..Options::NONE };
    let mut run = Run::new(options);
    run.ended(0, Status::Exited(1));
    assert_eq!(run.on(0, Event::Reaped(Left::None)), [Action::Exit(Outcome::Code(1))]);
    let mut run = Run::new(options);
    run.stop(0);
    run.ended(0, Status::Exited(1));
    let exit = Action::Exit(Outcome::Code(1));
    assert_eq!(run.on(0, Event::Reaped(Left::None)), [Action::TellRest(Scope::Namespace), exit]);
}

#[test]
fn mains_group_hears_of_mains_end_once() {
    let mut run = Run::new(Options { parting: Some(Signal::TERM), ..Options::NONE });
    assert_eq!(run.ended(0, Status::Exited(0)), [Action::TellGroup(MAIN, Signal::TERM)]);
    assert_eq!(run.on(0, Event::Reaped(Left::None)), [Action::Exit(Outcome::Code(0))]);
}

#[test]
fn a_pause_ends_with_0_when_it_is_asked_to_and_what_is_left_has_its_time() {
    for left in [Left::None, Left::Some] {
        let mut run = Run::paused(Options { scope: Scope::Namespace, has_main: false, ..Options::NONE });
        assert_eq!(run.on(0, Event::Reaped(Left::None)), []);
        assert_eq!(run.signal(0, USR1), [Action::Drop(USR1, Note::NoMain)]);
        assert_eq!(run.stop(0), [Action::LookForRest]);
        assert!(run.on(0, Event::Reaped(left)).contains(&Action::TellRest(Scope::Namespace)));
        if left == Left::Some {
            assert_eq!(rungs(&run.wait()), [(5 * S, Rung::KillLeftovers)]);
        }
    }
}
