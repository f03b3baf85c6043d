//! What looks after main while it runs: whether it is ready, and whether it does its work. Pure: it is told what happens
//! to main and what was found, and orders what is to be looked at, and what is to be done.
//!
//! It costs nothing where nothing is asked for: there is none then.

use core::time::Duration;

use super::health::{Checking, Checks, Health, Input};
use super::list::Orders;
use super::machine::{Failure, Time};
use super::notify::Message;
use super::readiness::{Phase, Readiness, Terms};

pub use super::health::Finding;

/// What was killed and is there so much later hangs in the kernel.
pub const DEATH: Duration = Duration::from_secs(1);

/// What looks has a limit of its own. Until it has killed what it has started, and has said why it fails, it takes so much
/// longer.
pub(super) const PATIENCE: Duration = DEATH.saturating_mul(2);

/// What has happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sight {
    /// Main was started, and runs.
    Started,
    /// Main is being stopped, or has ended.
    Over,
    /// The probe that was ordered last has ended by itself.
    Probed(Finding),
    /// It has not begun: what an earlier one has left was killed then, and is not gone.
    Occupied(Time),
    /// Main has said something by sd_notify(3).
    Heard(Message),
    /// Main has said by its descriptor that it is ready.
    Notified,
    /// The time has come that [`Care::wake`] says.
    Due,
}

/// What one look is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Probe {
    /// Whether main is ready.
    Readiness {
        /// How long there is until it must be.
        left: Option<Duration>,
    },
    /// Whether main does its work.
    Health {
        /// Which failure in a row it would be; `None`: one that is not worth telling of.
        nth: Option<u32>,
    },
}

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Order {
    /// Look, in a process of its own. [`Sight::Probed`] is to follow, unless it is cut.
    Probe(Probe),
    /// Kill the process that looks, with all that it has started.
    Cut,
    /// Say that what an earlier probe has left hangs in the kernel, so that this one has failed.
    SayHanging,
    /// Tell main's machine that it has failed.
    Fail(Failure),
    /// Say that main stands otherwise now.
    SayPhase(Phase),
    /// Say that main's health is another one now.
    SayHealth(Health),
}

/// What looks after one main after the other.
#[derive(Clone, Debug)]
pub struct Care {
    readiness: Option<Readiness>,
    health: Option<Checking>,
}

impl Care {
    /// Before the first main.
    pub const fn new(terms: Option<Terms>, checks: Option<Checks>) -> Care {
        let readiness = match terms {
            Some(terms) => Some(Readiness::new(terms)),
            None => None,
        };
        let health = match checks {
            Some(checks) => Some(Checking::new(checks)),
            None => None,
        };
        Care { readiness, health }
    }

    /// How main stands, as far as anybody wants to know whether it is ready.
    pub fn phase(&self) -> Option<Phase> {
        self.readiness.as_ref().map(Readiness::phase)
    }

    /// How main is to be known to be ready.
    pub fn terms(&self) -> Option<Terms> {
        self.readiness.as_ref().map(Readiness::terms)
    }

    /// What is known of main's health; `None`: nobody looks.
    pub fn health(&self) -> Option<Health> {
        self.health.as_ref().map(Checking::health)
    }

    /// How many checks in a row have failed.
    pub fn failures(&self) -> u32 {
        self.health.as_ref().map_or(0, Checking::failures)
    }

    /// When it is to be told [`Sight::Due`].
    pub fn wake(&self) -> Option<Time> {
        let ready = self.readiness.as_ref().and_then(Readiness::wake);
        let health = self.health.as_ref().and_then(Checking::wake);
        ready.into_iter().chain(health).min()
    }

    /// One event.
    pub fn on(&mut self, now: Time, sight: Sight) -> Orders {
        match sight {
            Sight::Started => self.start(now),
            Sight::Over => {
                let cut = self.readiness.as_mut().map_or(Orders::NONE, Readiness::stop);
                cut.then(self.tell_health(now, Input::Over))
            }
            Sight::Probed(finding) => match self.readiness.as_mut().filter(|readiness| readiness.is_trying()) {
                Some(readiness) => {
                    if readiness.tried(now, finding) {
                        self.become_ready(now)
                    } else {
                        Orders::NONE
                    }
                }
                None => self.tell_health(now, Input::Checked(finding)),
            },
            Sight::Occupied(killed) => self.wait_for_place(now, killed.after(DEATH)),
            Sight::Heard(message) => self.hear(now, &message),
            Sight::Notified => {
                let is_new = self.readiness.as_mut().is_some_and(|readiness| readiness.find_ready(now));
                if is_new { self.become_ready(now) } else { Orders::NONE }
            }
            Sight::Due => self.look(now),
        }
    }

    fn start(&mut self, now: Time) -> Orders {
        let orders = self.tell_health(now, Input::Started);
        match &mut self.readiness {
            Some(readiness) => orders.then(readiness.start(now)),
            // Who says nothing of when it is ready is so at once.
            None => orders.then(self.tell_health(now, Input::Ready)),
        }
    }

    /// There is one probe at a time: what may still die by then is waited for. What hangs does not die, and whoever should
    /// look meanwhile has failed.
    fn wait_for_place(&mut self, now: Time, until: Time) -> Orders {
        if now >= until {
            return Orders::from([Order::SayHanging]).then(self.on(now, Sight::Probed(Finding::Bad)));
        }
        match self.readiness.as_mut().filter(|readiness| readiness.is_trying()) {
            Some(readiness) => {
                readiness.put_off(now, until);
                Orders::NONE
            }
            None => self.tell_health(now, Input::PutOff(until)),
        }
    }

    fn hear(&mut self, now: Time, message: &Message) -> Orders {
        let Some(readiness) = &mut self.readiness else { return Orders::NONE };
        let was_ready = readiness.was_ready();
        let heard = readiness.hear(now, message);
        let says = heard.change.map(Order::SayPhase);
        let is_new = readiness.was_ready() && !was_ready;
        let checks = match heard.change {
            _ if is_new => self.tell_health(now, Input::Ready),
            // What it does no more is no failure.
            Some(Phase::Stopping) => self.tell_health(now, Input::Over),
            _ => Orders::NONE,
        };
        Orders::NONE.then(says).then(checks).then(heard.failure.map(Order::Fail))
    }

    fn become_ready(&mut self, now: Time) -> Orders {
        Orders::from([Order::SayPhase(Phase::Ready)]).then(self.tell_health(now, Input::Ready))
    }

    fn look(&mut self, now: Time) -> Orders {
        let Some(readiness) = &mut self.readiness else { return self.tell_health(now, Input::Due) };
        match readiness.look(now) {
            Some(failure) => [Order::Fail(failure)].into(),
            None => readiness.look_at_tries(now).then(self.tell_health(now, Input::Due)),
        }
    }

    fn tell_health(&mut self, now: Time, input: Input) -> Orders {
        self.health.as_mut().map_or(Orders::NONE, |health| health.on(now, input))
    }
}
