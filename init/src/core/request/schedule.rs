//! A shutdown that comes later, and who is told of it when: as systemd's logind does it. Pure: the wall clock's time goes
//! in, and what is to be done and when to look again comes out.
//!
//! 1. People are told at once if less than 15 minutes are left; then 180, 150, 130, 100, 70, 55, 40, 25 and 10 to 0
//!    minutes before, and each hour as long as there is more time; each of these once.
//! 2. Logins are closed from 5 minutes before on, once.
//! 3. The end comes when its time has, also where the clock was set forward over it.
//! 4. Another plan takes the place of the one before; what is forgotten is as if it had never been.

use super::control::Text;
use super::{Request, Wish};

const MINUTE: u64 = 60_000_000;

/// How many minutes before the end people are told.
const MINUTES: [u64; 19] = [180, 150, 130, 100, 70, 55, 40, 25, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0];

/// People are told of a plan at once if it is to be carried out within this time.
const SOON: u64 = 15 * MINUTE;

/// Logins are closed for this long.
const CLOSED: u64 = 5 * MINUTE;

/// What is to come. Times are in microseconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plan {
    /// What.
    pub request: Request,
    /// When.
    pub when: u64,
    /// Whether people are to be told.
    pub wall: bool,
    /// What they are told.
    pub text: Text,
    /// Who has asked for it.
    pub uid: u32,
}

/// What is to be made known, or done about the files that make it known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notice {
    /// There is a plan.
    Scheduled(Plan),
    /// People are told of it.
    Warning(Plan),
    /// Logins are closed.
    Closing(Plan),
    /// There is none any more; the text is that of who has cancelled it.
    Cancelled(Plan),
    /// The end comes now, and people are told of it.
    Ending(Plan),
}

/// What comes of an event: notices in their order, and whether the end has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Steps {
    /// Up to three.
    pub notices: [Option<Notice>; 3],
    /// What is to be done now.
    pub due: Option<Request>,
}

/// The plan, if there is one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Schedule {
    pending: Option<Pending>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Pending {
    plan: Plan,
    /// When people are told next; `None`: never again.
    warn_at: Option<u64>,
    closed: bool,
}

impl Schedule {
    /// What is scheduled.
    pub fn plan(&self) -> Option<&Plan> {
        self.pending.as_ref().map(|pending| &pending.plan)
    }

    /// When to look again.
    pub fn wake(&self) -> Option<u64> {
        let pending = self.pending?;
        let close_at = (!pending.closed).then(|| pending.plan.when.saturating_sub(CLOSED));
        [Some(pending.plan.when), pending.warn_at, close_at].into_iter().flatten().min()
    }

    /// Schedules it.
    pub fn set(&mut self, now: u64, plan: Plan) -> Steps {
        let soon = plan.when.saturating_sub(now) < SOON;
        let warn_at = if soon { Some(now) } else { next_warning(plan.when, now) };
        self.pending = Some(Pending { plan, warn_at: warn_at.filter(|_| plan.wall), closed: false });
        let steps = self.look(now);
        let [first, second, _] = steps.notices;
        Steps { notices: [Some(Notice::Scheduled(plan)), first, second], ..steps }
    }

    /// Forgets it: what it was.
    pub fn forget(&mut self) -> Option<Plan> {
        self.pending.take().map(|pending| pending.plan)
    }

    /// What is due.
    pub fn look(&mut self, now: u64) -> Steps {
        let Some(pending) = &mut self.pending else { return Steps::default() };
        let plan = pending.plan;
        let mut steps = Steps::default();
        if pending.warn_at.is_some_and(|warn_at| now >= warn_at) {
            steps.notices[0] = Some(Notice::Warning(plan));
            pending.warn_at = next_warning(plan.when, now);
        }
        if !pending.closed && now >= plan.when.saturating_sub(CLOSED) {
            steps.notices[1] = Some(Notice::Closing(plan));
            pending.closed = true;
        }
        if now >= plan.when {
            steps.due = Some(plan.request);
            self.pending = None;
        }
        steps
    }
}

/// The first time after `now` at which people are told, and that is not the end itself, which speaks for itself.
fn next_warning(when: u64, now: u64) -> Option<u64> {
    let left = when.checked_sub(now).filter(|left| *left > 0)?;
    let hour = 60 * MINUTE;
    let before = match MINUTES.iter().map(|minutes| minutes * MINUTE).find(|before| *before < left) {
        // Whole hours, as long as there are more than three.
        Some(before) if before == 180 * MINUTE => (left - 1) / hour * hour,
        Some(before) => before,
        None => return None,
    };
    (before > 0).then(|| when.saturating_sub(before))
}

impl Plan {
    /// A plan of an orderly end.
    pub fn new(wish: Wish, when: u64, text: Text) -> Plan {
        Plan { request: Request::orderly(wish), when, wall: true, text, uid: 0 }
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::{MINUTE, Notice, Plan, Schedule, Steps, Text, Wish};

    const NOW: u64 = 1_700_000_000_000_000;

    fn plan(minutes: u64) -> Plan {
        Plan::new(Wish::Poweroff, NOW + minutes * MINUTE, Text::new("bye"))
    }

    /// All that is told from the beginning to the end, each with how many minutes are left.
    fn warnings(minutes: u64) -> Vec<u64> {
        let mut schedule = Schedule::default();
        let mut told = Vec::new();
        let mut steps = schedule.set(NOW, plan(minutes));
        let mut now = NOW;
        let mut closed = Vec::new();
        loop {
            for notice in steps.notices.into_iter().flatten() {
                let left = (NOW + minutes * MINUTE - now) / MINUTE;
                match notice {
                    Notice::Warning(_) => told.push(left),
                    Notice::Closing(_) => closed.push(left),
                    Notice::Scheduled(_) => assert_eq!(now, NOW),
                    Notice::Cancelled(_) | Notice::Ending(_) => panic!("nobody has asked for that"),
                }
            }
            if steps.due.is_some() {
                assert_eq!((now, schedule.wake()), (NOW + minutes * MINUTE, None));
                assert_eq!(closed, [minutes.min(5)]);
                return told;
            }
            let wake = schedule.wake().expect("the end is to come");
            assert!(wake > now, "it wakes up for nothing");
            now = wake;
            steps = schedule.look(now);
        }
    }

    #[test]
    fn people_are_told_at_systemds_times() {
        assert_eq!(warnings(0), [0]);
        assert_eq!(warnings(1), [1]);
        assert_eq!(warnings(5), [5, 4, 3, 2, 1]);
        assert_eq!(warnings(12), [12, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(warnings(30), [25, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
        let day: Vec<u64> = (3..24).rev().map(|hours| hours * 60).collect();
        let rest = [150, 130, 100, 70, 55, 40, 25, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1];
        assert_eq!(warnings(24 * 60), [day, rest.to_vec()].concat());
    }

    #[test]
    fn nobody_is_told_where_that_was_not_wanted() {
        let mut schedule = Schedule::default();
        let quiet = Plan { wall: false, ..plan(10) };
        assert_eq!(schedule.set(NOW, quiet).notices, [Some(Notice::Scheduled(quiet)), None, None]);
        assert_eq!(schedule.wake(), Some(NOW + 5 * MINUTE));
        assert_eq!(schedule.look(NOW + 5 * MINUTE).notices, [None, Some(Notice::Closing(quiet)), None]);
        assert_eq!(schedule.wake(), Some(NOW + 10 * MINUTE));
    }

    #[test]
    fn a_later_plan_takes_the_place_of_an_earlier_one() {
        let mut schedule = Schedule::default();
        schedule.set(NOW, plan(10));
        let other = Plan { text: Text::new("later"), ..plan(60) };
        assert_eq!(schedule.set(NOW, other).notices, [Some(Notice::Scheduled(other)), None, None]);
        assert_eq!(schedule.plan(), Some(&other));
        assert_eq!(schedule.look(NOW + 10 * MINUTE).due, None);
    }

    #[test]
    fn what_is_forgotten_does_not_come() {
        let mut schedule = Schedule::default();
        assert_eq!(schedule.forget(), None);
        schedule.set(NOW, plan(1));
        assert_eq!(schedule.forget(), Some(plan(1)));
        assert_eq!((schedule.wake(), schedule.plan()), (None, None));
        assert_eq!(schedule.look(NOW + 2 * MINUTE), Steps::default());
    }

    #[test]
    fn a_clock_that_is_set_forward_over_the_end_brings_it() {
        let mut schedule = Schedule::default();
        schedule.set(NOW, plan(100));
        let steps = schedule.look(NOW + 1000 * MINUTE);
        assert_eq!(steps.due.map(|request| request.wish), Some(Wish::Poweroff));
    }
}
