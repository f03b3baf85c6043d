//! `supervise ctl`: what process 1 is asked beside an end of all, and what it answers.
//!
//! 1. Who waits asks to be told what happens before it asks for anything, so that it misses nothing.
//! 2. What cannot be answered is a failure of ours (125); what is answered and not done is not done (1).

use std::time::{Duration, Instant};

use log::error;
use supervise_init::core::Signal;
use supervise_init::core::request::{
    Answer, By, Dispatch, Message, News, Origin, Readiness, Reply, Request, Standing, Text, Unstarted, Verb, Wish,
};
use supervise_init::sys::{Environment, SigSet, set_mask};

use super::act::{OUTSIDE, UNDER_WAY, outlast_the_stop};
use super::events::{Form, Read, Reader};
use super::status::Format;
use super::talk::{self, Line, Unanswered};
use super::ways::Barred;
use super::{events, process_1, status, sys};
use crate::cli::exit;
use crate::proc::Stat;

/// `supervise ctl`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ctl {
    Status(Format),
    Stop(Patience),
    Restart(Patience),
    Signal(Signal),
    Events(Form),
}

/// How long what was asked for is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Patience {
    None,
    /// At most so long; `None`: as long as it takes.
    Until(Option<Duration>),
}

/// Why it is not done.
enum Failure {
    Unanswered(Unanswered),
    NotRoot,
    Outside,
    UnderWay,
    /// The signal goes nowhere.
    Dropped(Signal, supervise_init::core::Note),
    /// There is no room for one more who is told what happens.
    Full,
    /// What is to be waited for comes when we are gone.
    OneOfTheCommand,
    /// Process 1 ends instead.
    Ends,
    /// The command could not be started again.
    NotStarted(Unstarted),
    /// It has not happened in time.
    Late(Duration),
}

impl From<Unanswered> for Failure {
    fn from(why: Unanswered) -> Failure {
        Failure::Unanswered(why)
    }
}

impl Failure {
    /// Says it, and returns the code to end with.
    fn end(&self, verb: &str) -> u8 {
        match self {
            Failure::Unanswered(Unanswered::Forbidden(socket)) if asks_for_something(verb) => match socket {
                socket if talk::is_of_root(socket) => error!("ctl {verb}: must be root, or a member of --ctl-group"),
                _ => return Failure::NotRoot.end(verb),
            },
            Failure::Unanswered(why) => {
                match deafness(why) {
                    Some(reason) => error!("cannot reach process 1: {why}; process 1 {reason}"),
                    None => error!("cannot reach process 1: {why}"),
                }
                return exit::FAILURE;
            }
            // As the other clients have it.
            Failure::NotRoot => match process_1::other_user() {
                None => error!("ctl {verb}: must be root."),
                Some(uid) => error!("ctl {verb}: must be root, or uid {uid}"),
            },
            Failure::Outside => error!("ctl {verb}: {OUTSIDE}"),
            Failure::UnderWay => error!("ctl {verb}: {UNDER_WAY}"),
            Failure::Dropped(signal, note) => error!("ctl {verb}: {signal} goes nowhere: {note}"),
            Failure::Full => error!(
                "ctl {verb}: process 1 tells as many what happens as it has room for; end one of them, and try again"
            ),
            Failure::OneOfTheCommand => error!(
                "ctl {verb} --wait: this process is one of the command's, and ends with it; say it from outside \
                 (docker exec), or without --wait"
            ),
            Failure::Ends => error!("ctl {verb}: process 1 ends instead"),
            Failure::NotStarted(why) => {
                error!("ctl {verb}: the command could not be started: {}", events::reason(*why));
            }
            Failure::Late(limit) => {
                error!("ctl {verb}: it has not happened within {limit:?}");
                return exit::TIMED_OUT;
            }
        }
        exit::NOT_DONE
    }
}

/// Whether not everybody may have it.
fn asks_for_something(verb: &str) -> bool {
    !matches!(verb, "status" | "events")
}

/// Why a supervise that nobody can reach does not want to be reached.
fn deafness(why: &Unanswered) -> Option<&'static str> {
    let is_there = matches!(why, Unanswered::NotThere(_) | Unanswered::NowhereToLook(_));
    match process_1::hears_signals() {
        Err(Barred::Deaf(reason)) if is_there && process_1::is_supervise() => Some(reason),
        _ => None,
    }
}

impl Ctl {
    /// Does it, and returns the code to end with. `blocked` are the signals that were so before we were.
    #[inline(never)]
    pub(crate) fn run(self, environment: &Environment, blocked: SigSet) -> u8 {
        sys::keep_closed();
        // Ctrl-C ends it. It did not fail before.
        let _ = set_mask(blocked);
        let (verb, done) = match self {
            Ctl::Status(format) => ("status", stand(format, environment)),
            Ctl::Stop(patience) => ("stop", end(Wish::Stop, patience, environment)),
            Ctl::Restart(patience) => ("restart", end(Wish::Restart, patience, environment)),
            Ctl::Signal(signal) => ("signal", pass_on(signal, environment)),
            Ctl::Events(form) => ("events", listen(form, environment)),
        };
        done.unwrap_or_else(|failure| failure.end(verb))
    }
}

fn message(verb: Verb, wish: Wish) -> Message {
    Message { verb, request: Request::orderly(wish), wall: false, when: 0, client: None, text: Text::EMPTY }
}

fn stand(format: Format, environment: &Environment) -> Result<u8, Failure> {
    let reply = talk::ask(&message(Verb::Status, Wish::Poweroff), environment)?;
    Ok(status::print(format, &reply))
}

fn pass_on(signal: Signal, environment: &Environment) -> Result<u8, Failure> {
    outlast_the_stop();
    let reply = talk::ask(&message(Verb::Signal(signal), Wish::Poweroff), environment)?;
    match reply.answer {
        Answer::Refused => Err(Failure::NotRoot),
        Answer::Outside => Err(Failure::Outside),
        Answer::Dropped(note) => Err(Failure::Dropped(signal, note)),
        Answer::Accepted | Answer::UnderWay | Answer::NothingScheduled | Answer::Full => Ok(exit::SUCCESS),
    }
}

fn listen(form: Form, environment: &Environment) -> Result<u8, Failure> {
    let (line, reply, reader) = read_news(Verb::Events, environment)?;
    drop(line);
    Ok(events::print(form, &reply, reader))
}

fn read_news(verb: Verb, environment: &Environment) -> Result<(Line, Reply, Reader), Failure> {
    let (line, reply, socket) = talk::subscribe(&message(verb, Wish::Poweroff), environment)?;
    match (reply.answer, socket) {
        (Answer::Accepted, Some(socket)) => Ok((line, reply, Reader::new(socket))),
        (Answer::Refused, _) => Err(Failure::NotRoot),
        (Answer::Outside, _) => Err(Failure::Outside),
        _ => Err(Failure::Full),
    }
}

fn end(wish: Wish, patience: Patience, environment: &Environment) -> Result<u8, Failure> {
    let request = message(Verb::End, wish);
    outlast_the_stop();
    let Patience::Until(limit) = patience else {
        judge(wish, &talk::ask(&request, environment)?)?;
        return Ok(exit::SUCCESS);
    };
    let begun = Instant::now();
    let (line, before, reader) = read_news(Verb::Follow, environment)?;
    if wish == Wish::Restart && is_below_process_1() {
        return Err(Failure::OneOfTheCommand);
    }
    judge(wish, &line.ask(&request)?)?;
    drop(line);
    if wish == Wish::Restart && before.standing == Standing::Pausing {
        // There is no command to be waited for.
        return Ok(exit::SUCCESS);
    }
    let waits_for_ready = before.facts.readiness.is_some();
    let mut wanted = Wanted { wish, asker: std::process::id(), is_heard: false, is_started: false, waits_for_ready };
    loop {
        let left = limit.map(|limit| limit.saturating_sub(begun.elapsed()));
        match reader.next(left) {
            Read::News(dispatch) => match wanted.judge(&dispatch) {
                Some(Comes::True) => return Ok(exit::SUCCESS),
                Some(Comes::ToNothing(why)) => return Err(Failure::NotStarted(why)),
                Some(Comes::ToAnEnd) => return Err(Failure::Ends),
                None => {}
            },
            // It is gone, and all else with it.
            Read::End if wish == Wish::Stop => return Ok(exit::SUCCESS),
            Read::End => return Err(Failure::Ends),
            Read::Late => return Err(Failure::Late(limit.unwrap_or_default())),
            // Nobody is heard here.
            Read::Told(_) | Read::Unread => {}
        }
    }
}

/// What becomes of what is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Comes {
    /// It has happened.
    True,
    /// The command was to be started, and could not be.
    ToNothing(Unstarted),
    /// Process 1 ends instead.
    ToAnEnd,
}

/// What is waited for.
struct Wanted {
    wish: Wish,
    /// Who has asked for it.
    asker: u32,
    /// What came before process 1 had heard of that has happened by itself.
    is_heard: bool,
    is_started: bool,
    /// Whether a start is only the half of it.
    waits_for_ready: bool,
}

impl Wanted {
    /// What becomes of it; `None`: it may come.
    fn judge(&mut self, dispatch: &Dispatch) -> Option<Comes> {
        // It may be what was lost.
        self.is_heard |= dispatch.lost > 0 || self.is_ours(&dispatch.news);
        match (self.wish, dispatch.news) {
            (Wish::Stop, News::Exit(_)) => Some(Comes::True),
            (_, News::Exit(_)) => Some(Comes::ToAnEnd),
            _ if !self.is_heard => None,
            (Wish::Stop, News::Ended { .. }) => Some(Comes::True),
            (Wish::Stop, _) => None,
            (_, News::NotStarted(why)) => Some(Comes::ToNothing(why)),
            (_, News::Started { .. }) => {
                self.is_started = true;
                (!self.waits_for_ready).then_some(Comes::True)
            }
            (_, News::Readiness(Readiness::Ready)) if self.is_started => Some(Comes::True),
            _ => None,
        }
    }
}

impl Wanted {
    /// Whether that is what we have asked for.
    fn is_ours(&self, news: &News) -> bool {
        match news {
            News::Requested { by: By { origin: Origin::Process { pid, .. }, .. }, .. } => {
                pid.cast_unsigned() == self.asker
            }
            _ => false,
        }
    }
}

fn judge(wish: Wish, reply: &Reply) -> Result<(), Failure> {
    match reply.answer {
        Answer::Refused => Err(Failure::NotRoot),
        Answer::Outside => Err(Failure::Outside),
        // A stop is what was wanted.
        Answer::UnderWay if wish != Wish::Stop => Err(Failure::UnderWay),
        _ => Ok(()),
    }
}

/// Whether process 1 is above us: then we are one of those that a restart stops. Who comes from outside (`docker exec`) has
/// nobody above.
fn is_below_process_1() -> bool {
    let mut pid = std::process::id().cast_signed();
    while let Some(stat) = Stat::read(pid) {
        match stat.parent {
            1 => return true,
            parent if parent < 1 => return false,
            parent => pid = parent,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use supervise_init::core::request::{
        Asked, By, Dispatch, Motive, News, Origin, Readiness, Request, Unstarted, Way, Wish,
    };
    use supervise_init::core::{Heard, Signal, Status};

    use super::{Comes, Wanted};

    const ENDED: News = News::Ended { pid: 7, status: Status::Signaled(Signal::TERM), by: By::NOBODY };
    const MISSING: Unstarted = Unstarted::Refused(2);
    const STARTED: News = News::Started { pid: 8, restarts: 1 };
    const READY: News = News::Readiness(Readiness::Ready);
    /// What we have asked for is heard, and what another has.
    const ASKED: News = asked(9);
    const OTHER: News = asked(10);

    const fn asked(pid: i32) -> News {
        let by = By {
            cause: Motive::Asked(Way::Control),
            origin: Origin::Process { pid, uid: 0, name: *b"supervise\0\0\0\0\0\0" },
        };
        News::Requested { what: Asked::End(Request::orderly(Wish::Restart)), heard: Heard::Begun, by }
    }

    #[test]
    fn what_is_waited_for_has_happened_when_it_has_and_not_before() {
        for (wish, waits_for_ready, news, done) in [
            (Wish::Stop, false, &[ASKED, STARTED, ENDED][..], Some(Comes::True)),
            (Wish::Stop, false, &[News::Exit(Some(7))], Some(Comes::True)),
            (Wish::Stop, false, &[ASKED, STARTED], None),
            (Wish::Restart, false, &[ASKED, ENDED, News::Restarting(5)], None),
            (Wish::Restart, false, &[ASKED, ENDED, STARTED], Some(Comes::True)),
            (Wish::Restart, false, &[ASKED, ENDED, News::Exit(None)], Some(Comes::ToAnEnd)),
            (Wish::Restart, false, &[ASKED, ENDED, News::NotStarted(MISSING)], Some(Comes::ToNothing(MISSING))),
            (Wish::Restart, true, &[News::NotStarted(MISSING), News::Restarting(5), ASKED, STARTED], None),
            (Wish::Stop, false, &[ASKED, News::NotStarted(MISSING)], None),
            (Wish::Restart, true, &[ASKED, READY, ENDED, STARTED], None),
            (Wish::Restart, true, &[ASKED, ENDED, STARTED, ENDED, STARTED, READY], Some(Comes::True)),
            (
                Wish::Restart,
                true,
                &[ASKED, ENDED, STARTED, ENDED, News::GivenUp(3), News::Exit(Some(1))],
                Some(Comes::ToAnEnd),
            ),
            // By itself, in the moment before it was asked for.
            (Wish::Stop, false, &[ENDED, News::Restarting(5), ASKED, News::Exit(Some(7))], Some(Comes::True)),
            (Wish::Restart, false, &[STARTED, ASKED], None),
            (Wish::Restart, true, &[ENDED, STARTED, OTHER, READY, ASKED, ENDED, STARTED, READY], Some(Comes::True)),
        ] {
            let mut wanted = Wanted { wish, asker: 9, is_heard: false, is_started: false, waits_for_ready };
            let mut judged = None;
            for news in news {
                assert_eq!(judged, None, "{wish}: too early in {news:?}");
                judged = wanted.judge(&Dispatch { news: *news, monotonic: 0, wall: 0, lost: 0 });
            }
            assert_eq!(judged, done, "{wish} {news:?}");
        }
    }

    #[test]
    fn who_has_missed_something_does_not_wait_for_it() {
        let mut wanted =
            Wanted { wish: Wish::Restart, asker: 9, is_heard: false, is_started: false, waits_for_ready: false };
        assert_eq!(wanted.judge(&Dispatch { news: STARTED, monotonic: 0, wall: 0, lost: 2 }), Some(Comes::True));
    }
}
