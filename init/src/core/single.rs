//! One program, its signals, its orphans and its end.
//!
//! ```text
//!  New ──Begin──▶ PreStarting (hooks, if any) ──Stop──▶ Abandoning ──kill──▶ KillingHook ◀──limit── (PreStarting)
//!                    │ all ended with 0   │ failed          │ ended            │ ended, or 1 s
//!                    │                    └────────▶ (MainEnded: main was never started)
//!                    ▼
//!                 Running ──Stop, or the longest time──▶ PreStopping (if there is a hook)
//!                    │ main ended                            │ ended, limit, or Stop
//!                    │                                       ▼
//!                    │                                   Delaying ──delay──▶ Asking ──kill──▶ KillingMain
//!                    │                                       │ main ended       │                 │ main ended,
//!                    ▼                                       ▼                  ▼                 ▼ or 1 s
//!                  MainEnded ◀──────────────────────────────────────────────────────────────────────
//!                    │ nothing left: Done
//!                    │ something left ──leave──▶ Done
//!                    │                ──wait──▶ Waiting ──Stop──▶ (Leftovers)
//!                    ▼ told
//!                  Leftovers ──nothing left──▶ Done
//!                    │ deadline: killed, 1 s
//!                    ▼
//!                  Killing ──nothing left, or deadline──▶ Done
//!
//!  Pausing (where there is no main) ──Stop, and a look at what is left──▶ (MainEnded, as if with 0)
//! ```
//!
//! Invariants, which `single_tests` checks in every reachable state:
//!
//! 1. Main is started once, by the first action, or where there are hooks before it when the last of them has ended
//!    with 0.
//! 2. Main is signalled only between its start and its end.
//! 3. While main runs, every signal reaches it exactly once, as its rule says, or is dropped with a reason; a request to
//!    stop waits for the delay, and a second SIGINT in a row takes a stop one rung up instead.
//! 4. A stop sends main the signals of the ladder in their order, each when its time has come, and kills it only where
//!    somebody here has decided how long is enough: by `grace`, by a ladder that ends in KILL, by the longest time, by
//!    two SIGINTs in a row, or by a rule that makes a request a SIGKILL.
//! 5. What is left is told once, when main has ended, and killed only after the deadline that followed; or it is waited
//!    for until a stop is asked for; or left. What a kill of the whole tree leaves is killed, until the deadline of that.
//! 6. That deadline is [`Ladder::leftover_time`] after it was told.
//! 7. A deadline is armed wherever one is waited for (that of a rung that was left early finds nothing to do); from a
//!    kill, and from when what is left was told, deadlines alone lead to the end.
//! 8. There is one exit, the last action, after main's end, or when it did not start or could not be killed; it is
//!    main's, as the map says, or that of the hook for which main was not started, or 124 where its time was over.
//! 9. A stop that takes long is explained once, halfway to main's kill (after 5 s where nobody has said how long a stop
//!    may take), and once more halfway to the leftovers', unless the kill has come by then. So is a main that died of a
//!    SIGKILL which was not ours.
//! 10. Hooks before main run one after the other, each once and within its limit. From the first that is not started,
//!     does not end with 0 or is killed at its limit, and from a request to stop, no further one and no main is started.
//!     Signals reach the one that runs; a request is told to it as SIGTERM, and it is killed where main would be, or by
//!     two SIGINTs in a row.
//! 11. The hook before a stop is started once, when a stop begins, and never without one. Main is told when it has
//!     ended, however it did, or at its limit, or by a second request. At the limit alone it is killed; otherwise it runs
//!     on, and is one of what main leaves behind. Signals reach main, not the hook.
//! 12. Where a shell above us does job control we stop as main, or the hook before it, was stopped, and go on with it.
//!     It is continued where nobody else can do it or has done it, and handed the terminal where our group has it and it
//!     stopped for the want of it. A signal by which we are suspended stops us when main has it.
//! 13. Where there is no main, nothing is started, and a request to stop is the only way to the end, which is 0.
//! 14. Main's group gets the parting signal once, if there is one, when main has ended: not where all was killed.
//! 15. A request from inside is answered, before anything else is done about it. The first one decides how we end, but
//!     for a reboot: an end that is asked for later, from inside or by a stop, wins over a new beginning. It begins
//!     what a request to stop begins, and main is killed after [`Ladder::own_grace`]. One in haste kills everything. What is
//!     under way is not begun again, and the answer says so; but who asks for a restart that comes of it is told that it
//!     is taken, and so is who takes the place of a failure (16).
//! 16. A main that runs and has failed is stopped as if somebody inside had asked for it, and the end is no success. A
//!     stop that is asked for meanwhile, and whatever else somebody wishes for, takes the place of that.
//! 17. Main may ask for time: the longest that it may run ends that much later, and in a stop its next signal and its kill
//!     come no sooner, wherever they are due by what somebody here has decided. In haste there is no time to ask for.

mod climb;
mod course;
mod ends;
mod hearing;
mod hooks;
mod job;
mod state;
mod turn;

use core::mem::Discriminant;
use core::time::Duration;

pub use self::course::Course;
pub(super) use self::state::State;
use self::state::{Climb, Hook, Request as Stopping};
use super::exit::{Status, Verdict};
use super::list::Actions;
use super::machine::{
    Action, Child, Failure, Fault, Heard, Left, Note, Pause, Sender, Slow, StartError, Terminal, Time,
};
use super::policy::Policy;
use super::request::{Ask, Haste, Request, Wish};
use super::signal::Signal;

/// The one program.
pub(super) const MAIN: Child = Child(0);

/// How a main ends that is killed.
const KILLED: Status = Status::Signaled(Signal::KILL);

/// Two SIGINTs as close as this are somebody who does not want to wait.
const IN_A_ROW: Duration = Duration::from_secs(2);

/// An event as the table takes it: signals are judged, and beside main there is one hook at a time.
#[derive(Clone, Copy)]
enum Input {
    Begin,
    NotStarted(StartError),
    Stop(Signal),
    Forward(Signal),
    /// We stop, and main gets the second signal, if there is one, instead of the first.
    Suspend(Signal, Option<Signal>),
    /// Somebody inside asks for the end of all.
    End(Request),
    /// The second SIGINT in a row, during a stop.
    Hurry,
    /// Main has failed in this.
    Fail(Failure),
    /// Main wants to have until then.
    Extend(Time),
    MainEnded(Status),
    MainStopped(Signal, Terminal),
    HookEnded(Status),
    HookStopped(Signal, Terminal),
    MainResumed(Signal, Pause),
    HookResumed(Signal, Pause),
    Reaped(Left),
    Deadline,
}

/// A SIGINT that came, and what kind of sender it was from.
pub(super) type Interrupt = (Time, Discriminant<Sender>);

/// The machine for one program.
#[derive(Clone, Debug)]
pub struct Single<'a> {
    policy: Policy<'a>,
    pub(super) state: State,
    /// When main has run for the longest time that it may.
    pub(super) limit: Option<Time>,
    /// Until when main has asked for time in this stop.
    pub(super) extended: Option<Time>,
    pub(super) interrupt: Option<Interrupt>,
    /// Whether main was stopped by a signal and not continued since, as far as we can know.
    pub(super) main_is_stopped: bool,
    /// Whether main was sent a SIGKILL on somebody's word, by a rule that makes one of another signal.
    pub(super) kill_is_passed_on: bool,
    /// What somebody inside has asked for.
    pub(super) wish: Option<Wish>,
    /// What main was stopped for, where nobody has asked for that.
    pub(super) failure: Option<Failure>,
    /// What main, or a hook before it, was told to stop with.
    pub(super) told: Option<Signal>,
    course: Course,
}

impl<'a> Single<'a> {
    /// A machine that has not begun.
    pub const fn new(policy: Policy<'a>) -> Single<'a> {
        Single {
            policy,
            state: State::New,
            limit: None,
            extended: None,
            interrupt: None,
            main_is_stopped: false,
            kill_is_passed_on: false,
            wish: None,
            failure: None,
            told: None,
            course: Course::NONE,
        }
    }

    /// A machine without a main, which has begun: it reaps, and ends with 0 when a stop is asked for.
    pub const fn without_main(policy: Policy<'a>) -> Single<'a> {
        Single { state: State::Pausing, ..Single::new(policy) }
    }

    /// How it has gone so far.
    pub fn course(&self) -> Course {
        self.course
    }

    /// What it ends for, where somebody inside has asked for that.
    pub fn wish(&self) -> Option<Wish> {
        self.wish
    }

    #[expect(clippy::too_many_lines, reason = "the table")]
    fn next(&self, now: Time, input: Input) -> (State, Actions) {
        use Input::{
            Begin, Deadline, End, Extend, Fail, Forward, HookEnded, HookResumed, HookStopped, Hurry, MainEnded,
            MainResumed, MainStopped, NotStarted, Reaped, Stop, Suspend,
        };
        use State::{
            Abandoning, Asking, Delaying, Done, Killing, KillingHook, KillingMain, New, Pausing, PreStarting,
            PreStopping, Running, Waiting,
        };

        let same = self.state;
        match (self.state, input) {
            (Running, Fail(failure)) => self.begin_stop(now, self.signal_of(failure)),
            // There is no main, or it is being stopped already.
            (_, Fail(_)) => (same, Actions::NONE),
            (Running, Extend(until)) => (same, self.extend_limit(until)),
            (Asking(climb), Extend(_)) => (same, self.arm(climb)),
            // In a stop it is remembered until main is told; nobody else's time is main's to extend.
            (_, Extend(_)) => (same, Actions::NONE),

            (New, Begin) => self.start_from(now, 0),
            // Nothing can happen to a program that was not started.
            (
                New,
                NotStarted(_) | Stop(_) | Forward(_) | Suspend(..) | End(_) | Hurry | MainEnded(_) | MainStopped(..)
                | HookEnded(_) | HookStopped(..) | MainResumed(..) | HookResumed(..) | Reaped(_) | Deadline,
            ) => (same, Actions::NONE),

            // Orphans are not announced, so that only a look shows whether there are any.
            (Pausing, Stop(_)) => {
                let verdict = Verdict::Main(Status::Exited(0));
                (State::MainEnded { asked: Some(now), verdict }, [Action::LookForRest].into())
            }
            (Pausing, End(request)) => {
                let (next, actions) = self.next(now, Stop(Signal::TERM));
                (next, begun(request).then(actions))
            }
            (Pausing, Forward(signal) | Suspend(signal, _)) => (same, drop_signal(signal, Note::NoMain)),
            (
                Pausing,
                Begin | NotStarted(_) | Hurry | MainEnded(_) | MainStopped(..) | HookEnded(_) | HookStopped(..)
                | MainResumed(..) | HookResumed(..) | Reaped(_) | Deadline,
            ) => (same, Actions::NONE),

            (PreStarting(Hook { child, .. }), HookEnded(Status::Exited(0))) => self.start_from(now, child.0),
            (PreStarting(Hook { child, .. }), HookEnded(status)) => {
                let verdict = Verdict::Hook(status);
                (State::MainEnded { asked: None, verdict }, [Action::Blame(child, Fault::Ended(status))].into())
            }
            (PreStarting(Hook { child, .. }), NotStarted(why)) => self.not_started(child, why),
            (PreStarting(hook), Stop(_)) => self.abandon(now, hook, None),
            (PreStarting(hook), End(request @ Request { haste: Haste::Orderly, .. })) => {
                let (next, actions) = self.abandon(now, hook, Some(request.wish));
                (next, begun(request).then(actions))
            }
            (PreStarting(hook) | Abandoning { hook, .. }, End(request @ Request { haste: Haste::Immediate, .. })) => {
                let asked = if let Abandoning { asked, .. } = same { asked } else { now };
                let (next, actions) = hooks::kill(hook, asked);
                (next, begun(request).then(actions))
            }
            (PreStarting(hook), Deadline) if hook.is_over(now) => self.kill_late_hook(hook),
            // It has heard of it; asking again must not restart the clock.
            (Abandoning { hook, .. }, Stop(_)) => (same, [Action::Signal(hook.child, Signal::TERM)].into()),
            (PreStarting(hook) | Abandoning { hook, .. }, Forward(signal)) => {
                (same, [Action::Signal(hook.child, signal)].into())
            }
            (PreStarting(hook) | Abandoning { hook, .. }, Suspend(_, to)) => (same, suspend(hook.child, to)),
            (PreStarting(hook) | Abandoning { hook, .. }, HookStopped(by, terminal)) => {
                (same, self.child_stopped(hook.child, by, terminal))
            }
            (PreStarting(hook) | Abandoning { hook, .. }, HookResumed(by, pause)) => {
                (same, self.resumed(hook.child, by, pause))
            }
            (Abandoning { asked, .. }, HookEnded(status)) => {
                (State::MainEnded { asked: Some(asked), verdict: Verdict::Hook(status) }, Actions::NONE)
            }
            (Abandoning { hook, asked }, Hurry) => hooks::kill(hook, asked),
            (Abandoning { hook, asked }, Deadline) if hook.is_over(now) => hooks::kill(hook, asked),
            (KillingHook { asked, verdict }, HookEnded(status)) => {
                (State::MainEnded { asked, verdict: verdict.of_killed(status) }, Actions::NONE)
            }
            // Not even SIGKILL ends it. It counts as killed, and as one of those that are left, but not for ever.
            (KillingHook { asked, verdict }, Deadline) => self.main_left(now, Some(asked.unwrap_or(now)), verdict),
            (KillingHook { asked, verdict }, Stop(signal)) => {
                let asked = Some(asked.unwrap_or(now));
                (KillingHook { asked, verdict }, drop_signal(signal, Note::HookIsKilled))
            }
            (KillingHook { .. }, Forward(signal) | Suspend(signal, _)) => {
                (same, drop_signal(signal, Note::HookIsKilled))
            }
            // A deadline that nobody waits for is that of a hook that has ended.
            (
                PreStarting(_) | Abandoning { .. },
                Begin | MainEnded(_) | MainStopped(..) | MainResumed(..) | Reaped(_) | Deadline,
            )
            | (PreStarting(_), Hurry)
            | (Abandoning { .. }, NotStarted(_))
            | (
                KillingHook { .. },
                Begin | NotStarted(_) | Hurry | MainEnded(_) | MainStopped(..) | HookStopped(..) | MainResumed(..)
                | HookResumed(..) | Reaped(_),
            ) => (same, Actions::NONE),

            (Running, NotStarted(why)) => self.not_started(MAIN, why),
            (Running, Stop(signal)) => self.begin_stop(now, signal),
            (Running, End(request @ Request { haste: Haste::Orderly, .. })) => {
                let (next, actions) = self.begin_stop(now, self.policy.usual_signal());
                (next, begun(request).then(actions))
            }
            (
                Running | PreStopping(_) | Delaying(_) | Asking(_),
                End(request @ Request { haste: Haste::Immediate, .. }),
            ) => {
                let (next, actions) = self.kill_all(self.asked_at().unwrap_or(now));
                (next, begun(request).then(actions))
            }
            // Its longest time is over. Nobody outside has asked, so there is no signal but the usual one.
            (Running, Deadline) if self.is_over_time(now) => self.begin_stop(now, self.policy.usual_signal()),
            (PreStopping(request), NotStarted(why)) => self.delay_for(now, request, Fault::NotStarted(why)),
            (PreStopping(request), HookEnded(Status::Exited(0)) | Stop(_) | Hurry) => {
                self.delay(now, request, Actions::NONE)
            }
            (PreStopping(request), HookEnded(status)) => self.delay_for(now, request, Fault::Ended(status)),
            (PreStopping(request), Deadline) => self.delay_after_limit(now, request),
            // We must not stop with it in the middle of a stop. A key that stopped main too has its own event.
            (PreStopping(_), HookStopped(..) | HookResumed(..)) => (same, Actions::NONE),
            // A stop is under way: asking again ends the delay, or tells main again; the clock goes on.
            (Delaying(request), Stop(_) | Deadline | Hurry) => self.ask(now, request),
            (Asking(climb), Stop(signal)) => match self.first_signal(signal) {
                Signal::KILL => self.kill_main(climb.asked),
                signal => (same, self.tell(signal)),
            },
            (Running | PreStopping(_) | Delaying(_) | Asking(_), Forward(signal)) => {
                (same, [Action::Signal(MAIN, signal)].into())
            }
            (Running | PreStopping(_) | Delaying(_) | Asking(_), Suspend(_, to)) => (same, suspend(MAIN, to)),
            (Asking(climb), Hurry) => self.climb(now, climb, None),
            (Asking(climb), Deadline) => self.asking_deadline(now, climb),
            (KillingMain { .. }, Stop(signal) | Forward(signal) | Suspend(signal, _)) => {
                (same, drop_signal(signal, Note::MainIsKilled))
            }
            // Not even SIGKILL ends it. It counts as killed, and as one of those that are left.
            (KillingMain { all: true, .. }, Deadline) => (Done, self.end_naming_the_rest(Verdict::Main(KILLED))),
            (KillingMain { asked, .. }, Deadline) => self.main_left(now, Some(asked), Verdict::Main(KILLED)),
            // A process may have forked while the others were killed.
            (KillingMain { all: true, .. }, Reaped(Left::Some)) => (same, [Action::KillRest].into()),
            (Running, MainEnded(status)) => {
                (State::MainEnded { asked: None, verdict: Verdict::Main(status) }, self.main_ended(status))
            }
            (
                PreStopping(Stopping { at: asked, .. })
                | Delaying(Stopping { at: asked, .. })
                | Asking(Climb { asked, .. }),
                MainEnded(status),
            ) => (State::MainEnded { asked: Some(asked), verdict: Verdict::Main(status) }, self.main_ended(status)),
            // All have been killed with it, and the deadline of that holds for all.
            (KillingMain { all: true, .. }, MainEnded(status)) => {
                (Killing { verdict: Verdict::Main(status) }, Actions::NONE)
            }
            (KillingMain { asked, .. }, MainEnded(status)) => {
                (State::MainEnded { asked: Some(asked), verdict: Verdict::Main(status) }, self.part())
            }
            (Running | PreStopping(_) | Delaying(_) | Asking(_), MainStopped(by, terminal)) => {
                (same, self.child_stopped(MAIN, by, terminal))
            }
            (Running | PreStopping(_) | Delaying(_) | Asking(_), MainResumed(by, pause)) => {
                (same, self.resumed(MAIN, by, pause))
            }
            // Whoever waits for the hook before the stop does so no more.
            (
                Running | Delaying(_) | Asking(_) | KillingMain { .. },
                Begin | Reaped(_) | HookEnded(_) | HookStopped(..) | HookResumed(..),
            )
            | (PreStopping(_), Begin | Reaped(_))
            | (Delaying(_) | Asking(_) | KillingMain { .. }, NotStarted(_))
            | (Running, Hurry | Deadline)
            | (KillingMain { .. }, MainStopped(..) | MainResumed(..) | Hurry) => (same, Actions::NONE),

            // The round of reaping that main's end is part of shows whether anything is left.
            (State::MainEnded { asked, verdict }, Reaped(Left::None)) => (Done, self.end_alone(asked, verdict)),
            (State::MainEnded { asked, verdict }, Reaped(Left::Some)) => self.main_left(now, asked, verdict),
            (State::MainEnded { asked, verdict }, Stop(signal)) => {
                let asked = Some(asked.unwrap_or(now));
                (State::MainEnded { asked, verdict }, drop_signal(signal, Note::MainHasEnded))
            }
            (
                State::MainEnded { .. },
                Begin | NotStarted(_) | Hurry | MainEnded(_) | MainStopped(..) | HookEnded(_) | HookStopped(..)
                | MainResumed(..) | HookResumed(..) | Deadline,
            ) => (same, Actions::NONE),

            (Waiting { verdict }, Reaped(Left::None)) => (Done, self.end_alone(None, verdict)),
            (Waiting { verdict }, End(request @ Request { haste: Haste::Orderly, .. })) => {
                let (next, actions) = self.tell_leftovers(now, Some(now), verdict);
                (next, begun(request).then(actions))
            }
            (
                Waiting { verdict } | State::Leftovers { verdict, .. },
                End(request @ Request { haste: Haste::Immediate, .. }),
            ) => {
                let (next, actions) = ends::kill(verdict);
                (next, begun(request).then(actions))
            }
            (State::MainEnded { asked, verdict }, End(request)) => {
                let asked = Some(asked.unwrap_or(now));
                (State::MainEnded { asked, verdict }, under_way(request))
            }
            // A stop is under way, or all is being killed.
            (
                Abandoning { .. }
                | KillingHook { .. }
                | PreStopping(_)
                | Delaying(_)
                | Asking(_)
                | KillingMain { .. }
                | State::Leftovers { .. }
                | Killing { .. },
                End(request),
            ) => (same, under_way(request)),
            (Waiting { verdict }, Stop(_) | Hurry) => self.tell_leftovers(now, Some(now), verdict),
            // The longest time that main may run is one for what it leaves behind too.
            (Waiting { verdict }, Deadline) if self.is_over_time(now) => self.tell_leftovers(now, Some(now), verdict),
            (State::Leftovers { verdict, .. } | Killing { verdict }, Reaped(Left::None)) => (Done, self.end(verdict)),
            (State::Leftovers { .. }, Stop(signal)) => (same, [Action::SignalRest(signal)].into()),
            (State::Leftovers { verdict, kill_at }, Deadline) if now < kill_at => {
                (same, [Action::Arm(kill_at), Action::Explain(Slow::Leftovers(verdict.of_main()))].into())
            }
            (State::Leftovers { verdict, .. }, Deadline | Hurry) => ends::kill(verdict),
            (
                Waiting { .. } | State::Leftovers { .. },
                Begin | NotStarted(_) | MainEnded(_) | MainStopped(..) | HookEnded(_) | HookStopped(..)
                | MainResumed(..) | HookResumed(..) | Reaped(Left::Some),
            )
            | (Waiting { .. }, Deadline) => (same, Actions::NONE),

            // A process may have forked while the others were killed.
            (Killing { .. }, Reaped(Left::Some)) => (same, [Action::KillRest].into()),
            (Killing { verdict }, Deadline) => (Done, self.end_naming_the_rest(verdict)),
            (Killing { .. }, Stop(signal))
            | (
                State::MainEnded { .. } | Waiting { .. } | State::Leftovers { .. } | Killing { .. },
                Forward(signal) | Suspend(signal, _),
            ) => (same, drop_signal(signal, Note::MainHasEnded)),
            (
                Killing { .. },
                Begin | NotStarted(_) | Hurry | MainEnded(_) | MainStopped(..) | HookEnded(_) | HookStopped(..)
                | MainResumed(..) | HookResumed(..),
            ) => (same, Actions::NONE),

            (Done, _) => (Done, Actions::NONE),
        }
    }

    /// Whether the longest time is over.
    fn is_over_time(&self, now: Time) -> bool {
        self.limit.is_some_and(|limit| now >= limit)
    }
}

/// The signal, if there is one, and a stop of ours that no handler of main's undoes.
fn suspend(child: Child, to: Option<Signal>) -> Actions {
    let told = to.map(|signal| Action::Signal(child, signal));
    Actions::NONE.then(told).and(Action::StopOurselves(child, Signal::STOP))
}

/// What is asked for begins.
fn begun(request: Request) -> Actions {
    [Action::Answer(Ask::End(request), Heard::Begun)].into()
}

/// All are ending already.
fn under_way(request: Request) -> Actions {
    [Action::Answer(Ask::End(request), Heard::UnderWay)].into()
}

fn drop_signal(signal: Signal, note: Note) -> Actions {
    [Action::Drop(signal, note)].into()
}
