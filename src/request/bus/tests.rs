//! The speaker without its connections: what clients have said, what they could say, and what is no D-Bus at all.

use supervise_init::core::request::{
    Answer, Client, Facts, Haste, Message, Reply, Request, Standing, Text, Verb, Wish,
};

use super::super::talk::Unanswered;
use super::super::time::When;
use super::super::{Deed, Notice};
use super::guest::{Fault, Guest, World};
use super::recorded::{
    CALLS, CANCEL, EXIT_CODE, GET_UNIT, HANDSHAKE, HELLO, POWEROFF, SCHEDULE, SCHEDULED_FOR, SHOW, START, START_EXIT,
    STATE, WALL,
};
use super::wire::{self, Broken};
use super::words::Meant;

/// Somewhat before what was recorded.
const NOW: u64 = SCHEDULED_FOR - 300_000_000;
const POWEROFF_REQUEST: Request = Request::orderly(Wish::Poweroff);

/// A process 1 that lets nobody but root, and remembers what it was asked.
struct Room {
    asked: Vec<Message>,
    meant: Meant,
    scheduled: Option<(Wish, u64, Text)>,
    standing: Standing,
}

impl Room {
    fn new() -> Room {
        Room { asked: Vec::new(), meant: Meant::AsAsked, scheduled: None, standing: Standing::Running }
    }

    /// What it was asked, but whether that is allowed.
    fn verbs(&self) -> Vec<Verb> {
        self.asked.iter().map(|message| message.verb).filter(|verb| *verb != Verb::May).collect()
    }
}

impl World for Room {
    fn ask(&mut self, message: &Message) -> Result<Reply, Unanswered> {
        self.asked.push(*message);
        let may = message.verb == Verb::Status || message.client.is_some_and(|client| client.uid == 0);
        let answer = match (may, message.verb, self.standing) {
            (false, ..) => Answer::Refused,
            (true, Verb::Schedule | Verb::Warn, Standing::Stopping) => Answer::UnderWay,
            (true, ..) => Answer::Accepted,
        };
        let (scheduled, standing) = (self.scheduled, self.standing);
        Ok(Reply { answer, standing, scheduled, main: 7, restarts: 0, up: 1, facts: Facts::NONE })
    }

    fn meant(&self, _: i32) -> Meant {
        self.meant.clone()
    }

    fn now(&self) -> u64 {
        NOW
    }
}

fn guest(uid: u32) -> Guest {
    Guest::new(Client { pid: 12, uid, name: *b"systemctl\0\0\0\0\0\0" })
}

/// What a client of that user gets for these messages, behind the handshake.
fn said(uid: u32, room: &mut Room, messages: &[&[u8]]) -> (Guest, Vec<u8>) {
    let mut guest = guest(uid);
    guest.hear(&[&[HANDSHAKE], messages].concat().concat(), room).expect("it is D-Bus");
    let out = std::mem::take(&mut guest.out);
    let lines: Vec<&[u8]> = out.splitn(4, |byte| *byte == b'\n').collect();
    assert_eq!((lines[0], lines[2]), (&b"DATA\r"[..], &b"ERROR\r"[..]));
    assert!(lines[1].starts_with(b"OK ") && lines[1].len() == 36);
    let rest = lines[3].to_vec();
    (guest, rest)
}

fn has(bytes: &[u8], wanted: &str) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted.as_bytes())
}

/// A message's kind, and the serial of what it answers where its last field is that.
fn kinds(mut bytes: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    while !bytes.is_empty() {
        kinds.push(bytes[1]);
        let (call, length) = wire::take(bytes).expect("we say D-Bus").expect("it is whole");
        assert_eq!(call, None);
        bytes = &bytes[length..];
    }
    kinds
}

const RETURN: u8 = 2;
const ERROR: u8 = 3;
const SIGNAL: u8 = 4;

#[test]
fn an_end_is_asked_for_when_its_client_has_its_answer() {
    let mut room = Room::new();
    let (guest, out) = said(0, &mut room, &[HELLO, POWEROFF]);
    assert_eq!(kinds(&out), [RETURN, RETURN]);
    assert!(has(&out, ":1.7"));
    assert_eq!(room.verbs(), []);
    let ending = guest.ending.expect("an end was asked for");
    assert_eq!((ending.verb, ending.request, ending.client), (Verb::End, POWEROFF_REQUEST, Some(guest.who)));
}

#[test]
fn a_unit_that_is_an_end_is_a_job_that_is_done() {
    let mut room = Room::new();
    let (guest, out) = said(0, &mut room, &[START, GET_UNIT]);
    assert_eq!(kinds(&out), [RETURN, SIGNAL, ERROR]);
    assert!(has(&out, "JobRemoved") && has(&out, "org.freedesktop.DBus.Error.UnknownMethod"));
    assert_eq!(guest.ending.map(|ending| ending.request), Some(POWEROFF_REQUEST));
}

#[test]
fn an_exit_has_the_code_that_was_said_before() {
    for (messages, wish) in [(&[EXIT_CODE, START_EXIT][..], Wish::Exit(3)), (&[START_EXIT], Wish::Poweroff)] {
        let (guest, _) = said(0, &mut Room::new(), messages);
        assert_eq!(guest.ending.map(|ending| ending.request.wish), Some(wish));
    }
    // The code of an exit is none of a poweroff.
    let (guest, _) = said(0, &mut Room::new(), &[EXIT_CODE, START]);
    assert_eq!(guest.ending.map(|ending| ending.request.wish), Some(Wish::Poweroff));
}

#[test]
fn what_is_to_come_later_is_scheduled_with_its_text() {
    let mut room = Room::new();
    let (guest, out) = said(0, &mut room, &[HELLO, WALL, SCHEDULE]);
    assert_eq!((kinds(&out), guest.ending), (vec![RETURN; 3], None));
    let asked = room.asked.last().expect("it was asked");
    assert_eq!(
        (asked.verb, asked.when, asked.text.as_str(), asked.wall),
        (Verb::Schedule, SCHEDULED_FOR, "going down", true)
    );
    room.scheduled = Some((Wish::Poweroff, SCHEDULED_FOR, Text::EMPTY));
    let (_, out) = said(0, &mut room, &[HELLO, SHOW]);
    assert!(has(&out, "(st)") && has(&out, "poweroff"));
    assert_eq!(out[out.len() - 8..], SCHEDULED_FOR.to_le_bytes());
    let (_, out) = said(0, &mut room, &[HELLO, CANCEL]);
    assert_eq!((room.verbs().last(), &out[out.len() - 4..]), (Some(&Verb::Cancel), &[1, 0, 0, 0][..]));
}

#[test]
fn everybody_sees_how_things_stand() {
    let (_, out) = said(1000, &mut Room::new(), &[STATE]);
    assert!(has(&out, "running"));
}

#[test]
fn who_may_not_is_refused_and_nothing_is_asked_for() {
    for call in [POWEROFF, START, SCHEDULE, CANCEL, EXIT_CODE] {
        let mut room = Room::new();
        let (guest, out) = said(1000, &mut room, &[call]);
        assert_eq!((kinds(&out), guest.ending, room.verbs()), (vec![ERROR], None, vec![]));
        assert!(has(&out, "org.freedesktop.DBus.Error.AccessDenied") && has(&out, "Access denied"));
    }
}

#[test]
fn a_time_that_was_lost_on_the_way_is_read_from_the_words() {
    let later = Deed::Schedule(Wish::Reboot, When::In { seconds: 300 }, Notice::default());
    let mut room = Room { meant: Meant::Instead(later), ..Room::new() };
    let (guest, out) = said(0, &mut room, &[START]);
    assert_eq!((kinds(&out), guest.ending), (vec![RETURN, SIGNAL], None));
    let asked = room.asked.last().expect("it was asked");
    assert_eq!((asked.verb, asked.request.wish, asked.when), (Verb::Schedule, Wish::Reboot, NOW + 300_000_000));
    for meant in [Meant::Unknown("it is hidden".to_owned()), Meant::Instead(Deed::Show)] {
        let mut room = Room { meant, ..Room::new() };
        let (guest, out) = said(0, &mut room, &[START]);
        assert_eq!((kinds(&out), guest.ending, room.verbs()), (vec![ERROR], None, vec![]));
    }
}

/// In which order the bytes of a number are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Endian {
    Big,
    Little,
}

/// A call without arguments of these types, in either order of bytes.
fn call(endian: Endian, interface: &str, member: &str, signature: &str, body: &[u8]) -> Vec<u8> {
    let number = |value: usize| {
        let value = u32::try_from(value).expect("it is small");
        match endian {
            Endian::Big => value.to_be_bytes(),
            Endian::Little => value.to_le_bytes(),
        }
    };
    let mut fields = Vec::new();
    for (code, kind, text) in [(1, b'o', "/a"), (2, b's', interface), (3, b's', member), (8, b'g', signature)] {
        fields.resize(fields.len().next_multiple_of(8_usize), 0);
        fields.extend([code, 1, kind, 0]);
        if kind == b'g' {
            fields.push(text.len() as u8)
        } else {
            fields.extend(number(text.len()))
        }
        fields.extend(text.bytes().chain([0]));
    }
    let mut all = vec![if endian == Endian::Big { b'B' } else { b'l' }, 1, 0, 1];
    all.extend([number(body.len()), number(9), number(fields.len())].concat());
    all.extend(fields);
    all.resize(all.len().next_multiple_of(8), 0);
    [&all[..], body].concat()
}

#[test]
fn both_orders_of_bytes_are_understood() {
    for endian in [Endian::Little, Endian::Big] {
        let exit = call(endian, "org.freedesktop.systemd1.Manager", "SetExitCode", "y", &[42]);
        let length = if endian == Endian::Big { [0, 0, 0, 11] } else { [11, 0, 0, 0] };
        let unit = [&length[..], b"exit.target\0", &length, b"isolate....\0"].concat();
        let start = call(endian, "org.freedesktop.systemd1.Manager", "StartUnit", "ss", &unit);
        let (guest, out) = said(0, &mut Room::new(), &[&exit, &start]);
        assert_eq!(kinds(&out), [RETURN, RETURN, SIGNAL]);
        assert_eq!(guest.ending.map(|ending| ending.request.wish), Some(Wish::Exit(42)));
    }
}

#[test]
fn each_method_asks_for_what_it_is_called() {
    const MANAGER: &str = "org.freedesktop.systemd1.Manager";
    const LOGIN: &str = "org.freedesktop.login1.Manager";
    for (interface, member, wish, haste) in [
        (MANAGER, "PowerOff", Wish::Poweroff, Haste::Immediate),
        (MANAGER, "Halt", Wish::Halt, Haste::Immediate),
        (MANAGER, "Reboot", Wish::Reboot, Haste::Immediate),
        (MANAGER, "KExec", Wish::Reboot, Haste::Immediate),
        (MANAGER, "Exit", Wish::Poweroff, Haste::Immediate),
        (LOGIN, "HaltWithFlags", Wish::Halt, Haste::Orderly),
        (LOGIN, "RebootWithFlags", Wish::Reboot, Haste::Orderly),
        (LOGIN, "PowerOff", Wish::Poweroff, Haste::Orderly),
    ] {
        let (guest, out) = said(0, &mut Room::new(), &[&call(Endian::Little, interface, member, "", b"")]);
        assert_eq!(kinds(&out), [RETURN], "{member}");
        assert_eq!(guest.ending.map(|ending| ending.request), Some(Request { wish, haste }), "{member}");
    }
    for (member, kind) in [("Reload", RETURN), ("Reexecute", RETURN), ("Subscribe", RETURN), ("GetUnit", ERROR)] {
        let (guest, out) = said(0, &mut Room::new(), &[&call(Endian::Little, MANAGER, member, "", b"")]);
        assert_eq!((kinds(&out), guest.ending), (vec![kind], None), "{member}");
    }
    let (_, out) = said(1000, &mut Room::new(), &[&call(Endian::Little, MANAGER, "Reload", "", b"")]);
    assert_eq!(kinds(&out), [ERROR]);
    let (_, out) = said(1000, &mut Room::new(), &[&call(Endian::Little, LOGIN, "ListInhibitors", "", b"")]);
    assert!(has(&out, "a(ssssuu)"));
    // The types are not what it takes.
    let (guest, out) = said(0, &mut Room::new(), &[&call(Endian::Little, MANAGER, "StartUnit", "s", b"\0\0\0\0\0")]);
    assert_eq!((kinds(&out), guest.ending), (vec![ERROR], None));
}

#[test]
fn times_of_logind_are_those_of_its_clients() {
    const LOGIN: &str = "org.freedesktop.login1.Manager";
    let schedule = |kind: &str, when: u64| {
        let mut body =
            [&u32::try_from(kind.len()).expect("it is short").to_le_bytes()[..], kind.as_bytes(), b"\0"].concat();
        body.resize(body.len().next_multiple_of(8), 0);
        body.extend(when.to_le_bytes());
        let mut room = Room::new();
        let (guest, out) = said(0, &mut room, &[&call(Endian::Little, LOGIN, "ScheduleShutdown", "st", &body)]);
        let asked = room.asked.into_iter().find(|message| message.verb != Verb::May);
        (kinds(&out)[0], asked.map(|asked| (asked.verb, asked.request.wish, asked.when)), guest.ending.is_some())
    };
    let later = NOW + 60_000_000;
    assert_eq!(schedule("reboot", u64::MAX), (RETURN, Some((Verb::Schedule, Wish::Reboot, later)), false));
    assert_eq!(schedule("dry-halt", later), (RETURN, Some((Verb::Warn, Wish::Halt, later)), false));
    assert_eq!(schedule("poweroff", NOW), (RETURN, None, true));
    assert_eq!(schedule("suspend", later), (ERROR, None, false));
}

#[test]
fn nothing_is_promised_during_a_stop() {
    const LOGIN: &str = "org.freedesktop.login1.Manager";
    for kind in ["halt", "dry-halt"] {
        let length = u32::try_from(kind.len()).expect("it is short").to_le_bytes();
        let mut body = [&length[..], kind.as_bytes(), b"\0"].concat();
        body.resize(body.len().next_multiple_of(8), 0);
        body.extend((NOW + 60_000_000).to_le_bytes());
        let mut room = Room { standing: Standing::Stopping, ..Room::new() };
        let (_, out) = said(0, &mut room, &[&call(Endian::Little, LOGIN, "ScheduleShutdown", "st", &body)]);
        assert_eq!(kinds(&out), [ERROR], "{kind}");
    }
}

#[test]
fn who_one_is_is_what_the_kernel_says() {
    // "1000" and "0", in hexadecimal.
    for (uid, lines, answers) in [
        (1000, "AUTH EXTERNAL 31303030\r\n", "OK"),
        (1000, "AUTH EXTERNAL 30\r\n", "REJECTED"),
        (0, "AUTH EXTERNAL 30\r\n", "OK"),
        (0, "AUTH\r\n", "REJECTED"),
        (0, "AUTH ANONYMOUS\r\n", "REJECTED"),
        (0, "AUTH EXTERNAL\r\nDATA 31\r\n", "DATA REJECTED"),
        (0, "AUTH EXTERNAL\r\nCANCEL\r\n", "DATA REJECTED"),
        (0, "DATA\r\n", "ERROR"),
        (0, "AUTH EXTERNAL\r\nDATA\r\nAUTH EXTERNAL\r\n", "DATA OK ERROR"),
    ] {
        let mut guest = guest(uid);
        // In pieces of every size.
        for byte in [b"\0", lines.as_bytes()].concat() {
            guest.hear(&[byte], &mut Room::new()).expect("these are its words");
        }
        let said = String::from_utf8_lossy(&guest.out).into_owned();
        let words: Vec<&str> = said.lines().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(words.join(" "), answers, "{uid} {lines}");
        assert!(!guest.is_talking());
    }
    for wrong in ["AUTH EXTERNAL\r\n", "\0BEGIN\r\n", "\0AUTH EXTERNAL\r\nBEGIN\r\n"] {
        assert!(matches!(guest(0).hear(wrong.as_bytes(), &mut Room::new()), Err(Fault::Broken(Broken::Handshake))));
    }
    for endless in [vec![b'x'; 512], b"x\r\n".repeat(17)] {
        let heard = guest(0).hear(&[&b"\0"[..], &endless].concat(), &mut Room::new());
        assert!(matches!(heard, Err(Fault::Broken(Broken::Handshake))));
    }
}

#[test]
fn no_length_is_believed() {
    let mut huge = HELLO.to_vec();
    huge[4..8].copy_from_slice(&(1_u32 << 30).to_le_bytes());
    assert_eq!(wire::take(&huge[..16]), Err(Broken::TooLong));
    let mut fields = HELLO.to_vec();
    fields[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(wire::take(&fields[..16]), Err(Broken::TooLong));
    let mut text = HELLO.to_vec();
    text[20..24].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(wire::take(&text), Err(Broken::Header));
    // Every part of a message is only a part.
    for call in CALLS {
        for length in 0..call.len() {
            assert_eq!(wire::take(&call[..length]), Ok(None));
        }
        assert!(matches!(wire::take(call), Ok(Some((Some(_), length))) if length == call.len()));
    }
}

#[test]
fn whatever_comes_is_answered_or_dropped() {
    // Xorshift: the same bytes in each run.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).expect("31 bits") % below
    };
    let (mut dropped, mut answered) = (0, 0);
    for _ in 0..20_000 {
        let mut bytes = [HANDSHAKE, CALLS[random(CALLS.len())], CALLS[random(CALLS.len())]].concat();
        for _ in 0..random(6) {
            let at = random(bytes.len());
            match random(4) {
                0 => bytes[at] = u8::try_from(random(256)).expect("a byte"),
                1 => bytes[at] ^= 1 << random(8),
                2 => drop(bytes.remove(at)),
                _ => bytes.insert(at, u8::try_from(random(256)).expect("a byte")),
            }
        }
        let mut guest = guest(u32::try_from(random(2)).expect("a bit"));
        let mut heard = Ok(());
        while heard.is_ok() && !bytes.is_empty() {
            let part: Vec<u8> = bytes.drain(..1 + random(bytes.len())).collect();
            heard = guest.hear(&part, &mut Room::new());
        }
        match heard {
            Err(Fault::Broken(_)) => dropped += 1,
            Err(Fault::Unanswered(why)) => panic!("process 1 has answered: {why}"),
            Ok(()) => answered += 1,
        }
        assert!(guest.who.uid == 0 || guest.ending.is_none(), "a user has asked for an end");
    }
    assert!(dropped > 1000 && answered > 1000, "{dropped} dropped, {answered} answered");
}
