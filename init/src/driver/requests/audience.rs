//! Those who are told what happens (`supervise ctl events`), and what is remembered of it for who asks later.
//!
//! 1. Nobody is waited for: who does not read loses what comes, and is told how much that was; who is gone is forgotten.
//!    At our own end, which kills them, all together have [`READING`].
//! 2. There are [`Audience::MOST`] places. Those who only want to know get [`Audience::OF_READERS`] of them, and of these
//!    those who may ask for nothing else [`Audience::OF_OTHERS`]: who waits for what it asks for finds room beside them.
//!    (To take the place of one of them instead would end it as if we had ended.)
//! 3. Where nobody is told, nothing is looked up and nothing is sent.

use core::time::Duration;

use log::debug;

use super::say::Who;
use super::{Listener, World};
use crate::core::request::{
    Answer, Ask, Asked, By, Dispatch, Facts, Health, Last, Message, Motive, News, Origin, Readiness, Stage, Text, Verb,
    Way,
};
use crate::core::{Action, Child, Event, Heard, Name, Received, Rung, Sender, Signal, Status, Time};
use crate::driver::stop::name_of;
use crate::sys::{self, Fd, Outlet, Pid, Sent};

/// The places, some of which are taken.
#[derive(Default)]
pub(super) struct Audience {
    places: [Option<Place>; Audience::MOST],
    /// How many those are.
    taken: u8,
}

/// One who is told.
struct Place {
    outlet: Outlet,
    /// How much it has not been told since it was told something.
    lost: u32,
    role: Role,
}

/// What it is told for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It wants to know, and may ask for nothing else.
    Other,
    /// It wants to know.
    Reader,
    /// It waits for what it asks for.
    Follower,
}

/// How long all readers may take from our last word to their end.
const READING: Duration = Duration::from_millis(50);

impl Audience {
    /// How many there are.
    pub(super) const MOST: usize = 24;
    /// How many of them those may have who only want to know.
    const OF_READERS: usize = 16;
    /// How many of those the ones may have who may ask for nothing else.
    const OF_OTHERS: usize = 8;

    fn is_empty(&self) -> bool {
        self.taken == 0
    }

    pub(super) fn descriptors(&self) -> impl Iterator<Item = Option<i32>> {
        self.places.iter().map(|place| place.as_ref().map(|place| place.outlet.raw()))
    }

    /// Whether there is room for one more. Those that are gone make some.
    fn has_room(&mut self, role: Role) -> bool {
        self.forget_unless(|place| place.outlet.is_open());
        let taken = |by: &dyn Fn(Role) -> bool| self.places.iter().flatten().filter(|place| by(place.role)).count();
        let readers = taken(&|role| role != Role::Follower);
        usize::from(self.taken) < Audience::MOST
            && match role {
                Role::Follower => true,
                Role::Reader => readers < Audience::OF_READERS,
                Role::Other => {
                    readers < Audience::OF_READERS && taken(&|role| role == Role::Other) < Audience::OF_OTHERS
                }
            }
    }

    fn add(&mut self, outlet: Outlet, role: Role) {
        if let Some(place) = self.places.iter_mut().find(|place| place.is_none()) {
            *place = Some(Place { outlet, lost: 0, role });
            self.taken = self.taken.saturating_add(1);
        }
    }

    /// Forgets whoever is not to be kept.
    fn forget_unless(&mut self, mut is_kept: impl FnMut(&mut Place) -> bool) {
        for place in &mut self.places {
            if place.take_if(|place| !is_kept(place)).is_some() {
                self.taken = self.taken.saturating_sub(1);
            }
        }
    }

    /// We are to end, and the kernel kills them by that: those that read have a moment to read to the end.
    pub(super) fn wait_gone(&mut self) {
        let until = sys::now().after(READING);
        self.forget_unless(|place| {
            place.outlet.wait_gone(until.since(sys::now()));
            false
        });
    }

    fn tell(&mut self, dispatch: Dispatch) {
        self.forget_unless(|reader| {
            let sent = reader.outlet.send(&Dispatch { lost: reader.lost, ..dispatch }.encode());
            reader.lost = if sent == Sent::Full { reader.lost.saturating_add(1) } else { 0 };
            sent != Sent::Gone
        });
    }
}

impl Listener<'_> {
    /// Tells it to those who have asked for that, and remembers it for those who ask how things stand.
    pub fn publish(&mut self, news: News) {
        self.facts.remember(news);
        match news {
            // Whoever has asked for a new beginning has seen it.
            News::Started { .. } => (self.ender, self.stopper) = (None, None),
            // What comes now is not because of what ended the life before.
            News::NotStarted(_) | News::Restarting(_) => self.stopper = None,
            _ => {}
        }
        if self.is_heard() {
            let monotonic = sys::now().since(Time::from_start(Duration::ZERO)).as_nanos();
            let monotonic = u64::try_from(monotonic).unwrap_or(u64::MAX);
            self.audience.tell(Dispatch { news, monotonic, wall: sys::microseconds_since_1970(), lost: 0 });
        }
    }

    /// Whether anybody is told.
    fn is_heard(&self) -> bool {
        !self.audience.is_empty()
    }

    /// One more orphan is reaped.
    pub(in crate::driver) fn count_orphan(&mut self) {
        self.facts.orphans = self.facts.orphans.saturating_add(1);
    }

    /// Why there is a stop, if there is one.
    fn stopper(&self) -> By {
        self.stopper.unwrap_or(By::NOBODY)
    }

    fn process(&self, pid: i32, uid: u32) -> Origin {
        let name = if self.is_heard() { sys::comm(pid) } else { None };
        Origin::Process { pid, uid, name: name.map_or(Name::default(), |name| name_of(name.as_str())) }
    }

    fn sender(&self, received: Received) -> By {
        let Received { signal, sender } = received;
        let cause = match sender {
            Sender::Client { .. } => Way::Control,
            _ => Way::Signal(signal.number()),
        };
        let origin = match sender {
            Sender::Kernel => Origin::Kernel,
            Sender::Outside => Origin::Outside,
            Sender::Ourselves => Origin::Ourselves,
            Sender::Process { pid, uid, .. } | Sender::Client { pid, uid } => self.process(pid, uid),
        };
        By { cause: Motive::Asked(cause), origin }
    }

    fn asker(&self, way: Way) -> By {
        let origin = match self.asker.map(|asker| asker.who()) {
            Some(Who::Process { pid, uid }) => self.process(pid, uid),
            Some(Who::Client(client)) => Origin::Process { pid: client.pid, uid: client.uid, name: client.name },
            Some(Who::Unknown) | None => Origin::Unknown,
        };
        By { cause: Motive::Asked(way), origin }
    }

    /// Why the event leads to that rung.
    fn reason(&self, event: Event, rung: Rung) -> By {
        let is_about_main = !matches!(rung, Rung::Wait | Rung::Leftovers | Rung::KillLeftovers);
        match (self.stopper, event) {
            (Some(stopper), _) => stopper,
            (None, Event::Signalled(received)) => self.sender(received),
            (None, Event::Asked(_, way)) => self.asker(way),
            (None, Event::Failed(failure)) => By { cause: Motive::Failed(failure), origin: Origin::Unknown },
            (None, Event::Deadline) if is_about_main => By { cause: Motive::MaxTime, origin: Origin::Unknown },
            (None, _) => By::NOBODY,
        }
    }

    fn climb(&mut self, event: Event, rung: Rung) {
        let by = self.reason(event, rung);
        if by != By::NOBODY {
            self.stopper = Some(by);
        }
        let (step, signal) = match rung {
            Rung::PreStart => (Stage::PreStart, Some(Signal::TERM)),
            Rung::PreStop => (Stage::PreStop, None),
            Rung::Delay => (Stage::Delay, None),
            Rung::Signal(signal) => (Stage::Signal, Some(signal)),
            Rung::Wait => (Stage::Wait, None),
            Rung::Leftovers => (Stage::Leftovers, Some(Signal::TERM)),
            // Who is killed is told by name.
            Rung::Kill | Rung::KillLeftovers => return,
        };
        self.publish(News::Stopping { step, signal, by });
    }

    /// A request, and what comes of it.
    pub(super) fn tell_request(&mut self, what: Asked, heard: Heard, event: Event) {
        if self.is_heard() {
            let by = match event {
                Event::Signalled(received) => self.sender(received),
                Event::Asked(_, way) => self.asker(way),
                _ => By::NOBODY,
            };
            self.publish(News::Requested { what, heard, by });
        }
    }

    /// What was asked for and is no end now.
    pub(super) fn tell_plan(&mut self, message: &Message, way: Way) {
        let wish = message.request.wish;
        let what = match message.verb {
            Verb::Schedule => Asked::Schedule(wish),
            Verb::Warn => Asked::Warn(wish),
            Verb::Cancel => Asked::Cancel,
            Verb::End | Verb::Status | Verb::May | Verb::Events | Verb::Follow | Verb::Signal(_) => return,
        };
        if self.is_heard() {
            let by = self.asker(way);
            self.publish(News::Requested { what, heard: Heard::Begun, by });
        }
    }

    /// Begins to tell the one who asks, if there is room; the answer comes with the socket.
    pub(super) fn admit_reader(&mut self, role: Role, reply: impl FnOnce(&Self, Answer) -> super::Reply) {
        let outlet: Option<(Outlet, Fd)> = if self.audience.has_room(role) { Outlet::new().ok() } else { None };
        let (Some(control), Some(asker)) = (&self.control, self.asker) else { return };
        let Some((outlet, theirs)) = outlet else {
            return control.reply(&asker.peer, &reply(self, Answer::Full).encode());
        };
        match control.reply_with(&asker.peer, &reply(self, Answer::Accepted).encode(), &theirs) {
            Ok(()) => self.audience.add(outlet, role),
            Err(errno) => debug!(event = "events"; "pid {} does not take its socket: {errno}", asker.peer.pid),
        }
    }
}

impl Facts {
    fn remember(&mut self, news: News) {
        match news {
            News::Started { .. } => {
                self.said = Text::EMPTY;
                self.readiness = self.readiness.map(|_| Readiness::NotReady);
                self.health = self.health.map(|_| Health::Starting);
            }
            News::Ended { status, .. } => self.remember_end(Last::Ended(status)),
            News::NotStarted(why) => self.remember_end(Last::NotStarted(why)),
            News::Readiness(readiness) => self.readiness = Some(readiness),
            News::Health(health) => self.health = Some(health),
            News::Said(text) => self.said = text,
            News::Stopping { .. } | News::Killed { .. } | News::Restarting(_) | News::GivenUp(_) => {}
            News::Followed { .. } | News::Forwarded { .. } | News::Requested { .. } | News::Exit(_) => {}
        }
    }

    fn remember_end(&mut self, last: Last) {
        self.last = Some((last, sys::microseconds_since_1970()));
        // What does not run is neither healthy nor anything else that it has said.
        self.said = Text::EMPTY;
        self.readiness = self.readiness.map(|_| Readiness::NotReady);
        self.health = self.health.map(|_| Health::Starting);
    }
}

impl World<'_, '_, '_> {
    /// Tells it to those who have asked to be told (`supervise ctl events`), and to those who ask how things stand
    /// (`supervise ctl status`). What looks after main says so what it finds: [`News::Readiness`], [`News::Health`],
    /// [`News::Said`].
    pub(in crate::driver) fn publish(&mut self, news: News) {
        if let Some(listener) = &mut self.setting.listener {
            listener.publish(news);
        }
    }

    /// Main was started.
    pub(in crate::driver) fn tell_start(&mut self, pid: Pid) {
        if let Some(listener) = &mut self.setting.listener {
            listener.publish(News::Started { pid: pid.number(), restarts: listener.restarts });
        }
    }

    /// Main has ended.
    pub(in crate::driver) fn tell_end(&mut self, pid: Pid, status: Status) {
        if let Some(listener) = &mut self.setting.listener {
            listener.publish(News::Ended { pid: pid.number(), status, by: listener.stopper() });
        }
    }

    /// What the machine orders, as far as others may want to know it.
    pub(in crate::driver) fn tell_order(&mut self, event: Event, action: Action) {
        const MAIN: Child = Child(0);
        let Some(listener) = &mut self.setting.listener else { return };
        match (action, event) {
            (Action::Climb(rung), _) => listener.climb(event, rung),
            (Action::Signal(MAIN, signal), Event::Signalled(received)) if listener.is_heard() => {
                let by = listener.sender(received);
                listener.publish(News::Forwarded { signal, by });
            }
            _ => {}
        }
    }
}

impl From<Ask> for Asked {
    fn from(ask: Ask) -> Asked {
        match ask {
            Ask::End(request) => Asked::End(request),
            Ask::Reload => Asked::Reload,
            Ask::Reexecute => Asked::Reexecute,
            Ask::Reopen => Asked::Reopen,
            Ask::Runlevel(level) => Asked::Runlevel(level),
        }
    }
}
