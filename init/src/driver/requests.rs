//! What process 1 listens to beside signals: `/run/initctl` and the control socket, of which SIGIO tells, and the wall
//! clock, for what is scheduled. What is asked for goes to the machine; what comes of it, to who has asked.

mod audience;
mod bus;
mod initctl;
mod messenger;
mod offer;
mod say;

use core::time::Duration;

use log::{debug, warn};

pub use self::bus::Places;
pub use self::offer::Offer;

use self::audience::{Audience, Role};
use self::bus::{Bus, Use};
use self::initctl::Stood;
use self::messenger::Messenger;
use self::say::{Bar, Who, announce, log_notice, no_control, refuse};
use super::World;
use crate::core::request::{
    Answer, Ask, By, Client, Desk, Facts, Guest, Initctl, LeftOut, Limiter, Message, Notice, Program, Reply, Said,
    Standing, Subject, Text, Verb, Way,
};
use crate::core::{Event, Heard, Machine, Received, Sender, Signal, Time};
use crate::sys::{self, Alarm, Control, Directory, Door, Fd, Fifo, Mail, OwnFile, Peer, Pid};

/// What process 1 listens to.
pub struct Listener<'a> {
    offer: Offer,
    ourselves: Pid,
    fifo: Option<Fifo>,
    /// Its other name is of our making.
    is_linked: bool,
    /// Tells when the FIFO's name vanishes.
    watch: Option<Directory>,
    /// The same of its other name.
    link_watch: Option<Directory>,
    control: Option<Control>,
    initctl: Initctl,
    desk: Desk,
    alarm: Option<Alarm>,
    /// Logins are closed, by us.
    closed: Option<OwnFile>,
    began: Time,
    restarts: u32,
    messenger: Messenger<'a>,
    bus: Option<Bus>,
    /// Speaks for who comes by the bus, in a process of its own.
    speak: &'a (dyn Fn(Sockets) -> u8 + Sync),
    /// Who waits for the machine's answer.
    asker: Option<Asker>,
    /// Who has asked last for what may be our end: it is nobody's child here where it came from outside (`docker exec`). By its
    /// number, so that nothing is held: if that is another's by then, that one is waited for as briefly.
    ender: Option<i32>,
    limiter: Limiter,
    /// Who is told what happens.
    audience: Audience,
    facts: Facts,
    /// Why there is a stop, while there is one.
    stopper: Option<By>,
}

/// Who has sent a message, whom it speaks for, and what it has to say to people.
#[derive(Clone, Copy)]
struct Asker {
    peer: Peer,
    client: Option<Client>,
    text: Text,
}

impl Asker {
    fn who(&self) -> Who {
        let Peer { pid, uid, .. } = self.peer;
        self.client.map_or(Who::Process { pid, uid }, Who::Client)
    }
}

/// The sockets from which connections are accepted, by their numbers: systemd's own, and its bus's.
pub type Sockets = [Option<i32>; 2];

/// How long a client may take from our answer to its end.
const PARTING: Duration = Duration::from_millis(200);

impl Listener<'_> {
    /// How many it may have open.
    pub(super) const DESCRIPTORS: usize = 6 + Audience::MOST;
}

impl<'a> Listener<'a> {
    /// Offers it all, as far as we may: what cannot be had is said, and is no reason not to go on.
    pub fn open(
        offer: Offer,
        ourselves: Pid,
        notify: &'a (dyn Fn(&Notice) + Sync),
        speak: &'a (dyn Fn(Sockets) -> u8 + Sync),
    ) -> Listener<'a> {
        let mut listener = Listener {
            offer,
            ourselves,
            fifo: None,
            is_linked: false,
            watch: None,
            link_watch: None,
            control: None,
            initctl: Initctl::default(),
            desk: Desk::default(),
            alarm: None,
            closed: None,
            began: sys::now(),
            restarts: 0,
            messenger: Messenger::new(notify),
            bus: None,
            speak,
            asker: None,
            ender: None,
            limiter: Limiter::default(),
            audience: Audience::default(),
            facts: Facts::NONE,
            stopper: None,
        };
        if let Some((path, directory)) = offer.initctl {
            if listener.offer_initctl(path) == Some(Stood::Something) {
                // We have run here before.
                let _ = sys::unlink(offer.nologin.0);
            }
            if listener.fifo.is_some() {
                // Without it, only a signal that asks for it brings the name back.
                listener.watch = Directory::watch(directory).ok();
            }
        }
        if let Some((directory, path)) = offer.control {
            match Control::offer(directory, path, offer.door, ourselves) {
                Ok(control) => listener.control = Some(control),
                Err(errno) => no_control(&offer, path, errno, LeftOut::NONE),
            }
        }
        listener.bus = match (offer.bus, &listener.control) {
            (None, _) => None,
            (Some(places), Some(_)) => Bus::offer(places, ourselves),
            (Some(_), None) => {
                warn!(event = "unavailable"; "--systemd-compat needs the control socket; going on without");
                None
            }
        };
        listener
    }

    /// Somebody may have emptied /run: the watch tells of what is directly in it, which the directories of the sockets are.
    fn keep_sockets(&mut self) {
        if let (Some(control), Some((directory, path))) = (&mut self.control, self.offer.control)
            && !control.is_there()
            && let Err(errno) = control.offer_again(directory, self.offer.door, self.ourselves)
            && let Some(left_out) = self.admit(Subject::Unavailable, Way::Control)
        {
            no_control(&self.offer, path, errno, left_out);
        }
        if let Some(places) = self.offer.bus
            && let Some(bus) = self.bus.take_if(|bus| !bus.is_there())
        {
            bus.close();
            self.bus = Bus::offer(places, self.ourselves);
        }
    }

    /// Takes it all back. Whoever has asked for our end gets the time to end with 0 before it.
    pub fn close(&mut self) {
        if let Some(Ok(ender)) = self.ender.take().map(Fd::of_process) {
            ender.wait_readable(PARTING);
        }
        self.audience.wait_gone();
        self.messenger.wait_end();
        if let Some(bus) = self.bus.take() {
            bus.close();
        }
        if let Some(fifo) = &self.fifo {
            fifo.remove();
            if self.is_linked {
                let _ = sys::unlink(self.offer.link.0);
            }
        }
        if let Some(control) = &self.control {
            control.remove();
        }
        self.open_logins();
    }

    /// The command begins again.
    pub fn count_restart(&mut self) {
        self.restarts = self.restarts.saturating_add(1);
    }

    /// What was scheduled is over, and nobody is told of that.
    pub fn forget_plan(&mut self) {
        self.desk.close();
        self.open_logins();
    }

    /// The descriptors that stay open.
    pub(super) fn descriptors(&self) -> [Option<i32>; Listener::DESCRIPTORS] {
        let [private, system] = self.bus.as_ref().map_or([None; 2], Bus::sockets);
        let own = [
            self.fifo.as_ref().map(Fifo::raw),
            self.watch.as_ref().map(Directory::raw),
            self.link_watch.as_ref().map(Directory::raw),
            self.control.as_ref().map(Control::raw),
            private,
            system,
        ];
        let mut all = [None; Listener::DESCRIPTORS];
        for (to, from) in all.iter_mut().zip(own.into_iter().chain(self.audience.descriptors())) {
            *to = from;
        }
        all
    }

    /// What is read from the control socket.
    pub(super) fn mail(&mut self) -> Option<&mut Mail> {
        self.control.as_mut().map(Control::mail)
    }

    /// Who makes something known, and who speaks for clients.
    pub(super) fn helpers(&self) -> [Option<Pid>; 2] {
        [self.messenger.pid(), self.speaker()]
    }

    fn speaker(&self) -> Option<Pid> {
        self.bus.as_ref().and_then(Bus::speaker)
    }

    /// One of the helpers has ended.
    pub(super) fn reap_helpers(&mut self) {
        self.messenger.reap();
        if let Some(bus) = &mut self.bus
            && bus.reap_speaker(self.speak) == Use::None
            && let Some(bus) = self.bus.take()
        {
            bus.close();
        }
    }

    /// Whom the peer speaks for: ours alone is believed.
    fn client_of(&self, peer: &Peer, message: &Message) -> Option<Client> {
        message.client.filter(|_| self.speaker().is_some_and(|speaker| speaker.number() == peer.pid))
    }

    fn reply(&self, answer: Answer, standing: Standing, main: Option<Pid>) -> Reply {
        Reply {
            answer,
            standing,
            scheduled: self.desk.schedule().plan().map(|plan| (plan.request.wish, plan.when, plan.text)),
            main: main.map_or(0, Pid::number),
            restarts: self.restarts,
            up: u64::try_from(sys::now().since(self.began).as_millis()).unwrap_or(u64::MAX),
            facts: self.facts,
        }
    }

    /// Says that something came that is no request, but not each time.
    fn complain(&mut self, way: Way) {
        if let Some(left_out) = self.admit(Subject::Garbage, way) {
            warn!(event = "garbage"; "what came through {way} is no request; ignoring it, and more of its kind for 10 s{left_out}");
        }
    }

    /// Whether a line is to be said that others can cause at will.
    fn admit(&mut self, subject: Subject, way: Way) -> Option<LeftOut> {
        self.limiter.admit(subject, way, sys::now())
    }

    /// Makes them known: one line each, and what people are to see.
    fn make_known(&mut self, notices: [Option<Notice>; 3], way: Way) {
        for notice in notices.into_iter().flatten() {
            let is_warning = matches!(notice, Notice::Warning(_));
            let left_out = if is_warning { self.admit(Subject::Warning, way) } else { Some(LeftOut::NONE) };
            if let Some(left_out) = left_out {
                log_notice(&notice, left_out);
            }
            match notice {
                // The plan before it may have closed them.
                Notice::Scheduled(_) => self.open_logins(),
                Notice::Warning(_) | Notice::Ending(_) => self.messenger.tell(notice),
                Notice::Closing(_) => self.close_logins(),
                Notice::Cancelled(plan) => {
                    self.open_logins();
                    if plan.wall {
                        self.messenger.tell(notice);
                    }
                }
            }
        }
    }

    fn close_logins(&mut self) {
        let (path, text) = self.offer.nologin;
        match OwnFile::create(path, text.as_bytes()) {
            Ok(file) => self.closed = Some(file),
            // Others may have closed them already, for reasons of their own.
            Err(errno) => debug!(event = "nologin"; "cannot close logins: {errno}"),
        }
    }

    fn open_logins(&mut self) {
        if let Some(file) = self.closed.take() {
            file.remove();
        }
    }

    /// Sets the clock for what comes next.
    fn set_alarm(&mut self) {
        let wake = self.desk.schedule().wake();
        if self.alarm.is_none() && wake.is_some() {
            self.alarm = Alarm::new()
                .inspect_err(|errno| warn!("cannot set a timer: {errno}; what is scheduled will not come"))
                .ok();
        }
        if let Some(alarm) = self.alarm {
            alarm.set(wake);
        }
    }
}

/// Several reads wake us once; a writer that never ends must not keep us from everything else.
const ROUNDS: u32 = 64;

impl World<'_, '_, '_> {
    /// Who sent a signal whose meaning depends on that.
    pub(super) fn identified(&self, received: Received) -> Received {
        let Received { signal, sender: Sender::Process { pid, uid, .. } } = received else { return received };
        if self.setting.listener.is_none() || !Ask::depends_on_sender(signal) {
            return received;
        }
        let program = sys::comm(pid).map_or(Program::Other, |name| Program::named(name.as_str()));
        Received { signal, sender: Sender::Process { pid, uid, program } }
    }

    /// SIGIO: something has come, or is due.
    pub(super) fn look_at_files(&mut self, machine: &mut impl Machine) {
        self.read_initctl(machine);
        self.read_control(machine);
        let Some(listener) = self.setting.listener.as_mut().filter(|_| self.outcome.is_none()) else { return };
        if listener.watch.is_some() {
            listener.keep_sockets();
            self.keep_notify();
        }
        let Some(listener) = &mut self.setting.listener else { return };
        if let Some(bus) = &mut listener.bus {
            bus.look(listener.speak);
            self.rest.set_others(listener.helpers());
        }
        if listener.desk.schedule().plan().is_some() {
            let said = listener.desk.look(sys::microseconds_since_1970());
            self.carry_out(machine, said, Way::Schedule);
        }
    }

    fn read_control(&mut self, machine: &mut impl Machine) {
        let mut buffer = [0; 1024];
        let mut rounds = 0..ROUNDS;
        // What waits when the life is over is for the next one to answer.
        while self.outcome.is_none() && rounds.next().is_some() {
            let Some(listener) = &mut self.setting.listener else { return };
            let Some(control) = &mut listener.control else { return };
            let Some((count, peer)) = control.receive(&mut buffer) else { return };
            match Message::decode(buffer.get(..count).unwrap_or_default()) {
                Some(message) => self.hear(machine, peer, &message),
                None => listener.complain(Way::Control),
            }
        }
        // There is more: we are to be woken again.
        let _ = sys::send(self.setting.ourselves, Signal::IO);
    }

    fn hear(&mut self, machine: &mut impl Machine, peer: Peer, message: &Message) {
        let Some(listener) = &mut self.setting.listener else { return };
        let client = listener.client_of(&peer, message);
        let (pid, uid) = client.map_or((peer.pid, peer.uid), |client| (client.pid, client.uid));
        let way = if client.is_some() { Way::Bus } else { Way::Control };
        let asker = Asker { peer, client, text: message.text };
        let by_door = matches!(listener.offer.door, Door::Group(_)) && way == Way::Control;
        let bar = match () {
            // Whoever is outside has no number here, and no business.
            () if pid <= 0 => Some(Bar::Unknown),
            () if message.client.is_some() && client.is_none() => Some(Bar::ForAnother),
            () if by_door || uid == 0 || uid == listener.offer.owner => None,
            () => Some(Bar::User(listener.offer.owner)),
        };
        let may = bar.is_none();
        let standing = machine.standing();
        let mut said = listener.desk.hear(sys::microseconds_since_1970(), standing, Guest { uid, may }, message);
        if let (Some(bar), Some(Answer::Refused)) = (bar, said.answer) {
            if let Some(left_out) = listener.admit(Subject::Refusal, way) {
                refuse(message, way, asker.who(), bar, left_out);
            }
            if matches!(bar, Bar::Unknown) {
                // It may be root where it is.
                said.answer = Some(Answer::Outside);
            }
        }
        if may && message.verb == Verb::End {
            listener.ender = Some(pid);
        }
        listener.asker = Some(asker);
        if said.answer == Some(Answer::Accepted) {
            listener.tell_plan(message, way);
        }
        match message.verb {
            Verb::Signal(signal) if may => self.pass_on(machine, Sender::Client { pid, uid }, signal),
            Verb::Events => self.admit_reader(if may { Role::Reader } else { Role::Other }, standing),
            Verb::Follow if may => self.admit_reader(Role::Follower, standing),
            _ => self.carry_out(machine, said, way),
        }
        if let Some(listener) = &mut self.setting.listener {
            listener.asker = None;
        }
    }

    /// What was said: the answer first, so that a client hears it before its own end.
    fn carry_out(&mut self, machine: &mut impl Machine, said: Said, way: Way) {
        let standing = machine.standing();
        if let Some(answer) = said.answer {
            self.answer_peer(answer, standing);
        }
        if let Some(listener) = &mut self.setting.listener {
            listener.make_known(said.notices, way);
            listener.set_alarm();
            self.rest.set_others(listener.helpers());
        }
        if let Some(ask) = said.ask {
            self.deliver(machine, Event::Asked(ask, way));
        }
    }

    /// A signal that somebody asks for: as one that has come, but for what it may ask for itself.
    fn pass_on(&mut self, machine: &mut impl Machine, sender: Sender, signal: Signal) {
        self.dropped = None;
        self.deliver(machine, Event::Signalled(Received { signal, sender }));
        let standing = machine.standing();
        // Main may end by it, and we then.
        if let (Some(listener), Sender::Client { pid, .. }) = (&mut self.setting.listener, sender) {
            listener.ender = Some(pid);
        }
        let answer = self.dropped.take().map_or(Answer::Accepted, Answer::Dropped);
        self.answer_peer(answer, standing);
    }

    fn admit_reader(&mut self, role: Role, standing: Standing) {
        let main = self.slots.first().and_then(|slot| slot.pid);
        if let Some(listener) = &mut self.setting.listener {
            listener.admit_reader(role, |listener, answer| listener.reply(answer, standing, main));
        }
    }

    fn answer_peer(&self, answer: Answer, standing: Standing) {
        let Some(listener) = &self.setting.listener else { return };
        if let (Some(Asker { peer, .. }), Some(control)) = (&listener.asker, &listener.control) {
            let main = self.slots.first().and_then(|slot| slot.pid);
            control.reply(peer, &listener.reply(answer, standing, main).encode());
        }
    }

    /// What comes of what somebody asked for, to all and to who has asked.
    pub(super) fn answer(&mut self, event: Event, ask: Ask, heard: Heard) {
        let asker = self.setting.listener.as_ref().and_then(|listener| listener.asker);
        let (way, who) = match (event, asker) {
            (Event::Signalled(Received { signal, sender }), _) => (Way::Signal(signal.number()), Who::from(sender)),
            (Event::Asked(_, way @ (Way::Control | Way::Bus)), Some(asker)) => (way, asker.who()),
            (Event::Asked(_, way), _) => (way, Who::Unknown),
            _ => return,
        };
        if let Some(listener) = &mut self.setting.listener {
            listener.tell_request(ask.into(), heard, event);
        }
        let text = asker.map_or(Text::EMPTY, |asker| asker.text);
        let subject = match heard {
            Heard::Begun => None,
            Heard::UnderWay => Some(Subject::UnderWay),
            Heard::Ignored => Some(Subject::Idle),
        };
        let left_out = match (&mut self.setting.listener, subject) {
            (Some(listener), Some(subject)) => listener.admit(subject, way),
            _ => Some(LeftOut::NONE),
        };
        if let Some(left_out) = left_out {
            announce(ask, heard, way, who, text.as_str(), left_out);
        }
        let answer = match heard {
            Heard::Begun | Heard::Ignored => Answer::Accepted,
            Heard::UnderWay => Answer::UnderWay,
        };
        if let Event::Asked(_, Way::Control | Way::Bus) = event {
            self.answer_peer(answer, Standing::Stopping);
        }
    }
}
