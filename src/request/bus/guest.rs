//! A client on its connection: what it has said before that matters later, and what it is answered. What it takes from
//! elsewhere is behind a trait, so that all of this is decided without it.

use supervise_init::core::request::{Answer, Client, Message, Reply, Request, Standing, Text, Verb, Way, Wish};

use super::super::act::status;
use super::super::talk::Unanswered;
use super::super::{Deed, Notice};
use super::conversation::{Conversation, Next};
use super::sought::{NAME, Refusal, Sought};
use super::wire::{self, Broken, Call, Kind, Values};
use super::words::Meant;

/// What is not the client's.
pub(super) trait World {
    /// Asks process 1.
    fn ask(&mut self, message: &Message) -> Result<Reply, Unanswered>;
    /// What a client of that number means by asking for an end.
    fn meant(&self, pid: i32) -> Meant;
    /// Microseconds since 1970.
    fn now(&self) -> u64;
}

/// A client.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) who: Client,
    conversation: Conversation,
    /// What is to be written to it.
    pub(super) out: Vec<u8>,
    /// What process 1 is to be asked for when the client has come to its end.
    pub(super) ending: Option<Message>,
    /// How many messages it was sent.
    sent: u32,
    /// The name that it has on the bus, where it has asked for one.
    name: Option<&'static str>,
    notice: Notice,
    code: Option<u8>,
    /// What people were warned of at its word, which does not come: it asks how that stands.
    warned: Option<(Wish, u64)>,
}

/// Why a connection is dropped.
#[derive(Debug)]
pub(super) enum Fault {
    /// It is none that we could understand.
    Broken(Broken),
    /// Process 1 does not answer: no connection is served any more.
    Unanswered(Unanswered),
}

/// systemd's name of a job. All are done at once, so there is never another.
const JOB: (u32, &str) = (17, "/org/freedesktop/systemd1/job/17");
/// What logind's clients are given who say no time.
const SOON: u64 = 60_000_000;

impl Guest {
    pub(super) fn new(who: Client) -> Guest {
        let (conversation, notice) = (Conversation::new(who.uid), Notice::default());
        Guest {
            who,
            conversation,
            out: Vec::new(),
            ending: None,
            sent: 0,
            name: None,
            notice,
            code: None,
            warned: None,
        }
    }

    /// Whether it has come to its first message.
    pub(super) fn is_talking(&self) -> bool {
        self.conversation.is_talking()
    }

    /// It has said this.
    pub(super) fn hear(&mut self, bytes: &[u8], world: &mut impl World) -> Result<(), Fault> {
        self.conversation.hear(bytes);
        loop {
            match self.conversation.next().map_err(Fault::Broken)? {
                Next::Wait => return Ok(()),
                Next::Say(text) => self.out.extend(text.bytes()),
                Next::Do(call) => self.answer(&call, world).map_err(Fault::Unanswered)?,
            }
        }
    }

    fn answer(&mut self, call: &Call, world: &mut impl World) -> Result<(), Unanswered> {
        match Sought::of(call) {
            Sought::Answer(values) => {
                if call.member == "Hello" {
                    self.name = Some(NAME);
                }
                self.reply(call, &values);
            }
            Sought::Refused(refusal) => self.refuse(call, &refusal),
            Sought::Wall(text, wall) => {
                self.notice = Notice { wall, text };
                self.reply(call, &Values::default());
            }
            Sought::State => {
                let state = match world.ask(&status())?.standing {
                    Standing::Running | Standing::Waiting | Standing::Pausing => "running",
                    Standing::Starting | Standing::Restarting => "starting",
                    Standing::Stopping => "stopping",
                };
                self.reply(call, &Values::default().variant_string(state));
            }
            Sought::Scheduled => {
                let scheduled = world.ask(&status())?.scheduled.map(|(wish, when, _)| (wish, when));
                let (kind, when) = match self.warned.or(scheduled) {
                    Some((wish @ (Wish::Halt | Wish::Reboot | Wish::Restart), when)) => (wish.to_string(), when),
                    Some((Wish::Poweroff | Wish::Stop | Wish::Exit(_), when)) => ("poweroff".to_owned(), when),
                    None => (String::new(), 0),
                };
                self.reply(call, &Values::default().variant_of_time(&kind, when));
            }
            sought => self.allow(call, sought, world)?,
        }
        Ok(())
    }

    /// What process 1 has to allow.
    fn allow(&mut self, call: &Call, sought: Sought, world: &mut impl World) -> Result<(), Unanswered> {
        let poweroff = Request::orderly(Wish::Poweroff);
        if world.ask(&self.message(Verb::May, poweroff, 0))?.answer != Answer::Accepted {
            self.refuse(call, &Refusal::denied());
            return Ok(());
        }
        match sought {
            Sought::Code(code) => {
                self.code = Some(code);
                self.reply(call, &Values::default());
            }
            Sought::Upkeep => self.reply(call, &Values::default()),
            Sought::End(request) => {
                self.reply(call, &Values::default());
                self.end(request);
            }
            Sought::EndByUnit(wish, unit) => self.end_by_unit(call, wish, &unit, world)?,
            Sought::NoMode(unit) => {
                let Client { pid, uid, name } = &self.who;
                let name = String::from_utf8_lossy(name.split(|byte| *byte == 0).next().unwrap_or_default());
                let by = format!("{name} (pid {pid}, uid {uid})");
                log::info!(
                    "{unit} asked for by {by} through {}; a container has no such mode; nothing happens",
                    Way::Bus
                );
                self.reply_with_job(call, &unit);
            }
            Sought::Schedule(wish, when) => match when {
                // Before it is scheduled, its client has to have come to its end.
                Some(when) if when <= world.now() => {
                    self.reply(call, &Values::default());
                    self.end(Request::orderly(wish));
                }
                when => {
                    let when = when.unwrap_or(world.now().saturating_add(SOON));
                    if self.is_taken(call, Verb::Schedule, (wish, when), world)? {
                        self.warned = None;
                        self.reply(call, &Values::default());
                    }
                }
            },
            Sought::Warn(wish, when) => {
                let when = when.unwrap_or(world.now().saturating_add(SOON));
                if self.is_taken(call, Verb::Warn, (wish, when), world)? {
                    self.warned = Some((wish, when));
                    self.reply(call, &Values::default());
                }
            }
            Sought::Cancel => {
                let answer = world.ask(&self.message(Verb::Cancel, poweroff, 0))?.answer;
                self.reply(call, &Values::default().flag(answer == Answer::Accepted));
            }
            // Answered already.
            Sought::Answer(_) | Sought::Refused(_) | Sought::Wall(..) | Sought::State | Sought::Scheduled => {}
        }
        Ok(())
    }

    fn end_by_unit(&mut self, call: &Call, wish: Wish, unit: &str, world: &mut impl World) -> Result<(), Unanswered> {
        let deed = match world.meant(self.who.pid) {
            Meant::AsAsked => {
                self.reply_with_job(call, unit);
                self.end(Request::orderly(wish));
                return Ok(());
            }
            Meant::Unknown(why) => {
                let text = format!("supervise does not know when that is to be: {why}");
                self.refuse(call, &Refusal { name: "org.freedesktop.DBus.Error.Failed", text });
                return Ok(());
            }
            Meant::Instead(deed) => deed,
        };
        let (verb, wish, when, notice) = match deed {
            Deed::Schedule(wish, when, notice) => (Verb::Schedule, wish, when.on_the_clock(world.now()), notice),
            Deed::Warn(wish, when, notice) => (Verb::Warn, wish, when.on_the_clock(world.now()), notice),
            Deed::Cancel(notice) => (Verb::Cancel, wish, Some(0), notice),
            // No client asks for a unit and means that.
            _ => (Verb::May, wish, None, Notice::default()),
        };
        match when {
            Some(when) => {
                self.notice = notice;
                if self.is_taken(call, verb, (wish, when), world)? {
                    self.reply_with_job(call, unit);
                }
            }
            None => {
                let text = format!("its words do not ask for {unit}");
                self.refuse(call, &Refusal { name: "org.freedesktop.DBus.Error.Failed", text });
            }
        }
        Ok(())
    }

    /// Asks process 1 for something that has a time. Says whether it is taken: not during a stop, as with logind.
    fn is_taken(
        &mut self,
        call: &Call,
        verb: Verb,
        (wish, when): (Wish, u64),
        world: &mut impl World,
    ) -> Result<bool, Unanswered> {
        let answer = world.ask(&self.message(verb, Request::orderly(wish), when))?.answer;
        if answer == Answer::UnderWay {
            let text = "everything is being stopped already".to_owned();
            self.refuse(call, &Refusal { name: "org.freedesktop.login1.OperationInProgress", text });
        }
        Ok(answer != Answer::UnderWay)
    }

    /// It is asked for when the client has ended.
    fn end(&mut self, request: Request) {
        let wish = match (request.wish, self.code) {
            (Wish::Exit(_), Some(code)) => Wish::Exit(code),
            // Nobody has said a code, so the command's counts.
            (Wish::Exit(_), None) => Wish::Poweroff,
            (wish, _) => wish,
        };
        self.ending = Some(self.message(Verb::End, Request { wish, ..request }, 0));
    }

    fn message(&self, verb: Verb, request: Request, when: u64) -> Message {
        let text = Text::new(&self.notice.text);
        Message { verb, request, wall: self.notice.wall, when, client: Some(self.who), text }
    }

    fn reply(&mut self, call: &Call, values: &Values) {
        if call.wants_reply {
            self.send(Kind::Return(call.serial), values);
        }
    }

    /// The job that a unit is started by, and that it is done: there are clients that wait for it.
    fn reply_with_job(&mut self, call: &Call, unit: &str) {
        const SIGNAL: [&str; 3] = ["/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "JobRemoved"];
        let (number, path) = JOB;
        self.reply(call, &Values::default().path(path));
        let done = Values::default().u32(number).path(path).string(unit).string("done");
        self.send(Kind::Signal(SIGNAL), &done);
    }

    fn refuse(&mut self, call: &Call, refusal: &Refusal) {
        if call.wants_reply {
            self.send(Kind::Error(call.serial, refusal.name), &Values::default().string(&refusal.text));
        }
    }

    fn send(&mut self, kind: Kind<'_>, values: &Values) {
        // 0 is no serial.
        self.sent = self.sent.wrapping_add(1).max(1);
        self.out.extend(wire::message(self.sent, kind, self.name, values));
    }
}
