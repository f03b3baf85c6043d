//! What main says of itself: by sd_notify(3) to a socket of ours, or by a newline on a descriptor (s6); and what of that
//! is said on to whoever runs us.
//!
//! 1. Main is heard, and what it has started; nobody else, whoever that is. As process 1 of a namespace we cannot tell the
//!    orphans of others from main's, so these are heard too; and of who is gone before its message is read, who could have
//!    signalled main as well: root, our own user, and main's. `WATCHDOG=trigger`, by which main is stopped, is for main
//!    and what is below it alone.
//! 2. What comes as a descriptor is closed when its message is dealt with, and so are all that came before it: that is
//!    what a `BARRIER=1` waits for.
//! 3. However much comes, signals and ends of children are dealt with in between.
//! 4. What an earlier life has said is not taken for a word of this one.

use core::ffi::CStr;
use core::time::Duration;

use log::{debug, info, trace, warn};

use super::World;
use crate::core::notify::{Assignment, Bark, LONGEST, Message, Said, assignments, select, status};
use crate::core::request::{LeftOut, Limiter, News, Readiness, Standing, Subject, Way};
use crate::core::{Event, Failure, Machine, Phase, Scope, Sight, Signal, Terms};
use crate::sys::{self, Datagram, Errno, Fd, Kin, Notified, Notify, Pid};

/// What is said above us when all ends.
const STOPPING: &[u8] = b"STOPPING=1\n";

/// How long those above us may take at our end to read what keeps that from them.
const READING: Duration = Duration::from_secs(1);

/// The ways by which main says something of itself, and whom we tell.
#[derive(Default)]
pub struct Hearing {
    /// The socket of sd_notify(3).
    pub socket: Option<Notify>,
    /// By which descriptor main says that it is ready.
    pub number: Option<i32>,
    /// The address of the socket above us.
    pub above: Option<&'static CStr>,
    /// Whoever is above us wants to hear that main is alive.
    pub is_watched: bool,
    /// Our end of the pipe that main has by that number.
    pipe: Option<Fd>,
    /// Whoever main has named to be main after it.
    named: Option<Pid>,
    /// It was told above that all ends.
    is_over: bool,
    /// How main stands, where those above had no room for that.
    owed: Option<&'static [u8]>,
    limiter: Limiter,
}

/// Several datagrams wake us once; a sender that never ends must not keep us from everything else.
const ROUNDS: u32 = 64;

/// More than wait in any socket (net.unix.max_dgram_qlen), as far as somebody has not made that larger.
const MOST: u32 = 4096;

/// What becomes of a `WATCHDOG=trigger`, if there is one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trigger {
    Obeyed,
    /// It is not for who has said it.
    Refused,
}

/// What a `STOPPING=1` means to those above us, if there is one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stopping {
    /// All ends, and they have not heard of that.
    OfAll,
    /// Nothing: another life is to begin, or they know.
    OfALife,
}

impl Hearing {
    /// The descriptors that stay open.
    pub(super) fn descriptors(&self) -> [Option<i32>; 2] {
        [self.socket.as_ref().map(Notify::raw), self.pipe.as_ref().map(Fd::raw)]
    }

    /// Another life begins.
    pub(super) fn begin(&mut self, ourselves: Pid) {
        (self.pipe, self.named) = (None, None);
        // Main may have said so before somebody asked for another life.
        (self.is_over, self.owed) = (false, None);
        let Some(socket) = &mut self.socket else { return };
        let mut some = [0; 1];
        for _ in 0..MOST {
            if socket.receive(&mut some).is_none() {
                break;
            }
        }
        self.keep_socket(ourselves);
    }

    /// Somebody may have emptied its directory, or covered it. What has come should be read before.
    pub(super) fn keep_socket(&mut self, ourselves: Pid) {
        let Some(socket) = self.socket.as_mut().filter(|socket| !socket.is_there()) else { return };
        let address = socket.address().to_str().unwrap_or_default();
        match socket.offer_again(ourselves) {
            Ok(()) => debug!(event = "notify-socket"; "{address} was gone, and is offered again"),
            Err(errno) => {
                if let Some(left_out) = self.limiter.admit(Subject::Unavailable, Way::Control, sys::now()) {
                    warn!("cannot offer {address} again, which is gone: {errno}; the command is not heard{left_out}");
                }
            }
        }
    }

    /// The pipe for main, if it is to have one: our caller gives it the end by the number.
    fn open_pipe(&mut self, ourselves: Pid) -> Option<(Fd, i32)> {
        let number = self.number?;
        match sys::notification_pipe(ourselves) {
            Ok((reading, writing)) => {
                self.pipe = Some(reading);
                Some((writing, number))
            }
            Err(errno) => {
                warn!("cannot make a pipe for descriptor {number}: {errno}; the command cannot say that it is ready");
                None
            }
        }
    }

    /// Says above us how main stands. Where there is no room, that is owed.
    fn say_state(&mut self, state: &'static [u8]) {
        let said = self.say_above(state);
        self.owed = said.is_err_and(|errno| errno == Errno::FULL).then_some(state);
    }

    /// Something has happened, and there may be room by now for what is owed.
    pub(super) fn pay(&mut self) {
        if let (Some(state), Some(address)) = (self.owed, self.above)
            && sys::notify(address, state) != Err(Errno::FULL)
        {
            self.owed = None;
        }
    }

    /// Says it above us, if anybody is there.
    fn say_above(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        let Some(address) = self.above else { return Ok(()) };
        let said = sys::notify(address, bytes);
        match said {
            Ok(()) => trace!(event = "told"; "told those who run us how the command stands"),
            Err(errno) => {
                if let Some(left_out) = self.limiter.admit(Subject::Unavailable, Way::Control, sys::now()) {
                    warn!(
                        "cannot tell those who run us how the command stands, by NOTIFY_SOCKET: {errno}; going on without{left_out}"
                    );
                }
            }
        }
        said
    }

    /// What of a message those above us are to know. That main is ready is theirs to hear from us alone, when it is so.
    fn pass_on(&mut self, bytes: &[u8], phase: Phase, trigger: Trigger, stopping: Stopping) {
        if self.above.is_none() {
            return;
        }
        let is_watched = self.is_watched;
        let mut kept = [0; LONGEST + 1];
        let count = select(bytes, &mut kept, |assignment| match assignment {
            Assignment::Status(_) | Assignment::Extend(_) => true,
            Assignment::Reloading | Assignment::Monotonic => phase == Phase::Ready,
            Assignment::Stopping => stopping == Stopping::OfAll,
            Assignment::Fed | Assignment::WatchdogTime(_) => is_watched,
            Assignment::Trigger => is_watched && trigger == Trigger::Obeyed,
            Assignment::Ready | Assignment::MainPid(_) | Assignment::Barrier | Assignment::Other => false,
        });
        let kept = kept.get(..count).unwrap_or_default();
        let ends = assignments(kept).any(|(_, assignment)| assignment == Assignment::Stopping);
        self.is_over |= ends;
        if assignments(kept).any(|(_, assignment)| matches!(assignment, Assignment::Reloading | Assignment::Stopping)) {
            // It does not stand so any more.
            self.owed = None;
        }
        if !kept.is_empty() && self.say_above(kept) == Err(Errno::FULL) && ends {
            self.owed = Some(STOPPING);
        }
    }

    /// Says above us that all ends, once.
    pub(super) fn say_end(&mut self) {
        if !self.is_over {
            self.is_over = true;
            self.say_state(STOPPING);
        }
    }

    /// The same, now that nothing comes any more by which that could be paid which is owed.
    pub(super) fn say_last(&mut self) {
        self.say_end();
        if let (Some(state), Some(address)) = (self.owed.take(), self.above) {
            let _ = sys::notify_within(address, state, READING);
        }
    }

    fn complain(&mut self, subject: Subject, who: Option<Pid>, what: &str) {
        let Some(left_out) = self.limiter.admit(subject, Way::Control, sys::now()) else { return };
        complain(who, what, left_out);
    }
}

fn complain(who: Option<Pid>, what: &str, left_out: LeftOut) {
    match who.map(Pid::number) {
        Some(pid) => {
            warn!(event = "notify", pid = pid; "what pid {pid} says by sd_notify(3) is ignored: {what}{left_out}");
        }
        None => warn!(event = "notify"; "what somebody outside says by sd_notify(3) is ignored: {what}{left_out}"),
    }
}

/// What a life has failed in, and what comes of it.
pub(super) fn say_failure(failure: Failure, terms: Option<Terms>) {
    match failure {
        Failure::NotReady => {
            let Some(Terms { timeout: Some(timeout), by_message, by_tries, .. }) = terms else { return };
            let missed = match (by_message, by_tries) {
                (true, _) => "it has not said READY=1 (sd_notify)",
                (_, true) => "no try has succeeded",
                _ => "it has written no line to its descriptor",
            };
            let limit = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
            warn!(event = "not-ready"; "the command is not ready in time; stopping it: {missed} within {limit} ms");
        }
        Failure::Watchdog => {
            warn!(event = "watchdog"; "the command does not say in time that it is alive; stopping it")
        }
        // That was said with its checks.
        Failure::Unhealthy(_) => {}
    }
}

impl World<'_, '_, '_> {
    fn hearing(&mut self) -> Option<&mut Hearing> {
        Some(&mut self.setting.care.as_deref_mut()?.hearing)
    }

    /// What of the pipe main is to be given.
    pub(super) fn open_notification(&mut self) -> Option<(Fd, i32)> {
        let ourselves = self.setting.ourselves;
        self.hearing()?.open_pipe(ourselves)
    }

    /// A name has vanished from where ours are.
    pub(super) fn keep_notify(&mut self) {
        let ourselves = self.setting.ourselves;
        if let Some(hearing) = self.hearing() {
            hearing.keep_socket(ourselves);
        }
    }

    /// Whether SIGIO may be about main: also of what is closed by now.
    pub(super) fn hears_main(&self) -> bool {
        let hearing = self.setting.care.as_ref().map(|care| &care.hearing);
        hearing.is_some_and(|hearing| hearing.socket.is_some() || hearing.number.is_some())
    }

    /// What main has said so far. Not in our callers' frames, of which one stays in memory.
    #[inline(never)]
    pub(super) fn hear_main(&mut self, machine: &mut impl Machine) {
        self.hear_descriptor(machine);
        let mut buffer = [0; LONGEST];
        for _ in 0..ROUNDS {
            let Some(Hearing { socket: Some(socket), .. }) = self.hearing() else { return };
            let Some(datagram) = socket.receive(&mut buffer) else { return };
            self.hear_datagram(machine, &datagram, buffer.get(..datagram.length).unwrap_or_default());
        }
        // There is more: we are to be woken again.
        let _ = sys::send(self.setting.ourselves, Signal::IO);
    }

    fn hear_descriptor(&mut self, machine: &mut impl Machine) {
        let Some(hearing) = self.hearing() else { return };
        let Some(pipe) = &hearing.pipe else { return };
        match sys::read_notification(pipe) {
            Notified::NotYet => {}
            Notified::Closed => hearing.pipe = None,
            Notified::Ready => {
                hearing.pipe = None;
                self.attend(machine, Sight::Notified);
            }
        }
    }

    fn hear_datagram(&mut self, machine: &mut impl Machine, datagram: &Datagram, bytes: &[u8]) {
        let is_heard = datagram.sender.is_some_and(|sender| self.is_heard(sender, datagram.user));
        let Some(hearing) = self.hearing() else { return };
        if !is_heard {
            let what = "it is none of the command's processes";
            return hearing.complain(Subject::Refusal, datagram.sender, what);
        }
        if datagram.is_cut {
            return hearing.complain(Subject::Garbage, datagram.sender, "it is longer than 4096 bytes");
        }
        let mut message = Message::parse(bytes);
        if machine.standing() == Standing::Starting {
            return;
        }
        let trigger = self.trigger_of(bytes, datagram.sender);
        if trigger == Trigger::Refused {
            message.bark = message.bark.filter(|bark| *bark != Bark::Trigger);
            if let Some(hearing) = self.hearing() {
                let what = "WATCHDOG=trigger is for the command itself, and what is below it";
                hearing.complain(Subject::Refusal, datagram.sender, what);
            }
        }
        let phase = self.setting.care.as_ref().and_then(|care| care.core().phase()).unwrap_or(Phase::Idle);
        if let Some(pid) = message.main.and_then(Pid::new) {
            self.note_named(pid);
        }
        if let Some(hearing) = self.hearing() {
            let is_news = !(hearing.is_over && message.said == Some(Said::Stopping));
            let is_of_all = machine.is_last_life() && is_news;
            let stopping = if is_of_all { Stopping::OfAll } else { Stopping::OfALife };
            hearing.pass_on(bytes, phase, trigger, stopping);
        }
        if let Some(text) = status(bytes) {
            debug!(event = "status", status = text.as_str(); "the command says: {}", text.as_str());
            self.publish(News::Said(text));
        }
        if let Some(time) = message.extension {
            // In whole: what a Duration says of itself could panic.
            let (seconds, rest) = (time.as_secs(), time.subsec_millis());
            debug!(event = "extended"; "the command asks for {seconds}.{rest:03} s from now on");
            self.deliver(machine, Event::Extended(time));
        }
        self.attend(machine, Sight::Heard(message));
    }

    /// Whether it is main, or one of those that came from it. Who is gone already was in our namespace, where we are its
    /// process 1: it is heard if it could have stopped main by a signal too. (systemd hears none of these, see sd_notify(3);
    /// but a shell's `socat` is gone at once.)
    fn is_heard(&self, sender: Pid, user: Option<u32>) -> bool {
        let main = self.slots.first().and_then(|slot| slot.pid);
        if main == Some(sender) {
            return true;
        }
        match self.rest.kin(sender) {
            Kin::Ours => true,
            Kin::Foreign => false,
            Kin::Gone => {
                let may = |user| {
                    user == 0
                        || user == sys::effective_user()
                        || main.is_some_and(|main| sys::is_signalled_by(main, user))
                };
                self.setting.scope == Scope::Namespace && user.is_some_and(may)
            }
        }
    }

    /// Obeyed is main, and what is below it.
    fn trigger_of(&self, bytes: &[u8], sender: Option<Pid>) -> Trigger {
        let main = self.slots.first().and_then(|slot| slot.pid);
        match sender.zip(main) {
            _ if !assignments(bytes).any(|(_, assignment)| assignment == Assignment::Trigger) => Trigger::Obeyed,
            Some((sender, main)) if main == sender || self.rest.is_below_of(sender, main) => Trigger::Obeyed,
            Some(_) | None => Trigger::Refused,
        }
    }

    /// Somebody of ours says who is main. It is so when main has ended while that one lives.
    fn note_named(&mut self, pid: Pid) {
        let is_main = self.slots.first().and_then(|slot| slot.pid) == Some(pid);
        let is_ours = is_main || self.rest.kin(pid) == Kin::Ours;
        let Some(hearing) = self.hearing() else { return };
        if !is_ours {
            return hearing.complain(
                Subject::Garbage,
                Some(pid),
                "named as the main process, it is none of the command's",
            );
        }
        hearing.named = Some(pid).filter(|_| !is_main);
        debug!(event = "main-named", pid = pid.number(); "the command names pid {pid} as its main process");
    }

    /// Main has ended. Whoever it has named, and has become our child, is main from now on.
    pub(super) fn take_successor(&mut self) -> Option<Pid> {
        let named = self.hearing()?.named.take()?;
        sys::is_child(named).then_some(named)
    }

    /// A process that is not main has ended.
    pub(super) fn forget_named(&mut self, pid: Pid) {
        if let Some(hearing) = self.hearing() {
            hearing.named.take_if(|named| *named == pid);
        }
    }

    /// Main stands otherwise now.
    pub(super) fn say_phase(&mut self, phase: Phase) {
        let readiness = match phase {
            Phase::Idle | Phase::Starting => return,
            Phase::Ready => {
                info!(event = "ready"; "the command is ready");
                Readiness::Ready
            }
            Phase::Reloading => {
                info!(event = "reloading"; "the command reloads");
                Readiness::Reloading
            }
            Phase::Stopping => {
                debug!(event = "stopping"; "the command says that it ends");
                Readiness::Stopping
            }
        };
        self.publish(News::Readiness(readiness));
        if let (Phase::Ready, Some(hearing)) = (phase, self.hearing()) {
            hearing.say_state(b"READY=1\n");
        }
    }

    /// Something has happened: those above may have room by now.
    pub(super) fn pay_above(&mut self) {
        self.hearing().into_iter().for_each(Hearing::pay);
    }

    /// Those above us are told once that all ends.
    pub(super) fn say_end_above(&mut self, machine: &impl Machine) {
        if machine.ends_for_good()
            && let Some(hearing) = self.hearing()
        {
            hearing.say_end();
        }
    }
}
