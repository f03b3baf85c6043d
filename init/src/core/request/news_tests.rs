//! What is told reads back as what it was.

use std::vec::Vec;

use super::super::{Haste, Request, Text, Way, Wish};
use super::{
    Asked, By, Dispatch, FAILURES, HASTES, HEALTH, HEARD, Motive, News, Origin, READINESS, STAGES, Signal, Status,
    Unstarted, WAYS,
};

fn everybody() -> Vec<By> {
    let ways = WAYS.iter().map(|(_, way)| *way).chain([Way::Signal(64)]).map(Motive::Asked);
    let failures = FAILURES.iter().map(|(_, failure)| Motive::Failed(*failure));
    let causes: Vec<Motive> = [Motive::Nothing, Motive::MaxTime].into_iter().chain(ways).chain(failures).collect();
    let process = Origin::Process { pid: 7, uid: 1000, name: *b"systemctl\0\0\0\0\0\0" };
    let origins = [Origin::Unknown, Origin::Kernel, Origin::Outside, Origin::Ourselves, process];
    causes.into_iter().flat_map(|cause| origins.map(|origin| By { cause, origin })).collect()
}

fn all_that_can_be_asked() -> Vec<Asked> {
    let wishes = [Wish::Halt, Wish::Poweroff, Wish::Reboot, Wish::Exit(3), Wish::Restart, Wish::Stop];
    let mut all: Vec<Asked> = wishes
        .into_iter()
        .flat_map(|wish| HASTES.map(|(_, haste): (u8, Haste)| Asked::End(Request { wish, haste })))
        .collect();
    all.extend(wishes.map(Asked::Schedule));
    all.extend(wishes.map(Asked::Warn));
    all.extend([Asked::Cancel, Asked::Reload, Asked::Reexecute, Asked::Reopen, Asked::Runlevel(b'S')]);
    all
}

fn all_news() -> Vec<News> {
    let mut all = std::vec![
        News::Started { pid: 7, restarts: u32::MAX },
        News::Followed { pid: i32::MAX, former: 7 },
        News::Said(Text::new("80 % \u{1f600}")),
        News::Killed { pid: 9, name: *b"sleep\0\0\0\0\0\0\0\0\0\0" },
        News::NotStarted(Unstarted::Refused(255)),
        News::NotStarted(Unstarted::Unprepared),
        News::Restarting(u64::MAX),
        News::GivenUp(3),
        News::Exit(Some(143)),
        News::Exit(None),
    ];
    all.extend(READINESS.map(|(_, readiness)| News::Readiness(readiness)));
    all.extend(HEALTH.map(|(_, health)| News::Health(health)));
    for by in everybody() {
        for (_, step) in STAGES {
            all.extend([None, Some(Signal::QUIT)].map(|signal| News::Stopping { step, signal, by }));
        }
        for status in [Status::Exited(0), Status::Exited(255), Status::Signaled(Signal::RTMAX)] {
            all.push(News::Ended { pid: 7, status, by });
        }
        all.push(News::Forwarded { signal: Signal::USR1, by });
        for what in all_that_can_be_asked() {
            all.extend(HEARD.map(|(_, heard)| News::Requested { what, heard, by }));
        }
    }
    all
}

#[test]
fn everything_that_is_told_reads_back() {
    for news in all_news() {
        let dispatch = Dispatch { news, monotonic: 1 << 60, wall: 1 << 50, lost: 3 };
        assert_eq!(Dispatch::decode(&dispatch.encode()), Some(dispatch));
    }
}

#[test]
fn what_is_no_news_is_not_taken_for_some() {
    for news in all_news().into_iter().step_by(37) {
        let valid = Dispatch { news, monotonic: 1, wall: 2, lost: 0 }.encode();
        assert_eq!(Dispatch::decode(&valid[1..]), None);
        assert_eq!(Dispatch::decode(&[&valid[..], b"x"].concat()), None);
        for at in [0, 3, 4] {
            let mut bytes = valid;
            bytes[at] ^= 0x80;
            assert_eq!(Dispatch::decode(&bytes), None, "byte {at} of {news:?}");
        }
    }
}
