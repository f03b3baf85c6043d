//! Messages and replies read back as what they were.

use super::{
    ANSWERS, Client, Facts, HASTES, Health, Last, Message, Readiness, Reply, STANDINGS, Signal, Text, VERBS, Verb,
    WISHES,
};
use crate::core::Status;
use crate::core::request::{Request, Unstarted, Wish};

fn wishes() -> impl Iterator<Item = Wish> {
    WISHES.iter().map(|(_, wish)| *wish).chain([0, 3, 255].map(Wish::Exit))
}

#[test]
fn every_message_reads_back() {
    for (_, verb) in VERBS {
        for wish in wishes() {
            for (_, haste) in HASTES {
                for (wall, when, text) in [(true, 0, ""), (false, u64::MAX, "going down \u{1f600}")] {
                    let request = Request { wish, haste };
                    for client in [None, Some(Client { pid: 7, uid: 1000, name: *b"systemctl\0\0\0\0\0\0" })] {
                        let message = Message { verb, request, wall, when, client, text: Text::new(text) };
                        assert_eq!(Message::decode(&message.encode()), Some(message));
                    }
                }
            }
        }
    }
}

#[test]
fn every_signal_can_be_asked_for() {
    let request = Request::orderly(Wish::Poweroff);
    for verb in Signal::all().map(Verb::Signal) {
        let message = Message { verb, request, wall: false, when: 0, client: None, text: Text::EMPTY };
        assert_eq!(Message::decode(&message.encode()), Some(message));
    }
    let verb = Verb::Signal(Signal::TERM);
    let mut bytes = Message { verb, request, wall: false, when: 0, client: None, text: Text::EMPTY }.encode();
    for number in [0, 65, 255] {
        bytes[16] = number;
        assert_eq!(Message::decode(&bytes), None);
    }
}

#[test]
fn what_is_known_of_the_command_reads_back() {
    let [short, long] = ["", "\u{e4}"].map(|letter| Text::new(&letter.repeat(110)));
    let ends = [Last::Ended(Status::Exited(7)), Last::Ended(Status::Signaled(Signal::RTMAX))];
    let unstarted = [Unstarted::Refused(255), Unstarted::Unprepared].map(Last::NotStarted);
    for last in ends.into_iter().chain(unstarted).map(|last| Some((last, 1 << 50))).chain([None]) {
        for (readiness, health) in
            [(None, None), (Some(Readiness::Reloading), None), (Some(Readiness::NotReady), Some(Health::Unhealthy))]
        {
            for said in [short, long] {
                let facts = Facts { orphans: u64::MAX, readiness, health, last, said };
                let scheduled = Some((Wish::Reboot, 1, long));
                let (answer, standing) = (ANSWERS[0].1, STANDINGS[0].1);
                let reply = Reply { answer, standing, scheduled, main: 7, restarts: 3, up: 1 << 40, facts };
                assert_eq!(Reply::decode(&reply.encode()), Some(reply));
            }
        }
    }
}

#[test]
fn every_reply_reads_back() {
    let text = Text::new("bye");
    for (_, answer) in ANSWERS {
        for (_, standing) in STANDINGS {
            for scheduled in wishes().map(|wish| Some((wish, 1 << 50, text))).chain([None]) {
                let facts = Facts::NONE;
                let reply = Reply { answer, standing, scheduled, main: 7, restarts: 3, up: 1 << 40, facts };
                assert_eq!(Reply::decode(&reply.encode()), Some(reply));
            }
        }
    }
}

#[test]
fn what_is_no_message_is_refused() {
    let (_, verb) = VERBS[0];
    let (wish, haste) = (WISHES[0].1, HASTES[0].1);
    let request = Request { wish, haste };
    let valid = Message { verb, request, wall: true, when: 7, client: None, text: Text::EMPTY }.encode();
    for length in 0..valid.len() {
        assert_eq!(Message::decode(&valid[..length]), None);
    }
    for at in [0, 3, 4, 5, 6, 16] {
        let mut bytes = valid;
        bytes[at] ^= 0x80;
        assert_eq!(Message::decode(&bytes), None, "byte {at}");
    }
    let mut bytes = valid;
    bytes[40] = 255;
    assert_eq!(Message::decode(&bytes), None);
    assert_eq!(Message::decode(&[valid.as_slice(), b"x"].concat()), None);
}

#[test]
fn a_long_text_is_cut_between_letters() {
    let long = "\u{e4}".repeat(200);
    let text = Text::new(&long);
    assert_eq!(text.as_str(), "\u{e4}".repeat(110));
    assert!(Text::new("").is_empty());
}
