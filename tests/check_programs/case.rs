//! One case: a program and a signal, by hand as process 1 and as a child, and by the checker.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::by_hand::{End, Place, Run, Seen};
use crate::checked::Report;
use crate::page;
use crate::program::{Class, Known, Program, Stop};
use crate::ready::Ready;
use crate::runner::Case;
use crate::stage::Stage;

/// For what ends by itself: as docker has it, and fifty times what it needs.
const GRACE: Duration = Duration::from_secs(10);

/// Where one of the two does not end, however long it is waited for.
const SHORT_GRACE: Duration = Duration::from_secs(5);

/// A case for each signal.
pub(crate) fn cases(program: &'static Program) -> impl Iterator<Item = Case> {
    program.stops.iter().map(move |stop| {
        let signal = name(stop.signal);
        Case::new(format!("{}, told by SIG{signal}", program.name), move || play(program, stop))
    })
}

/// The signal as `--signal` takes it.
fn name(signal: i32) -> &'static str {
    let signal = nix::sys::signal::Signal::try_from(signal).expect("it has a name");
    signal.as_str().trim_start_matches("SIG")
}

fn play(program: &Program, stop: &Stop) {
    let stage = Stage::new(program);
    let hangs = [stop.pid1, stop.child].iter().any(|known| known.end == End::Never);
    let grace = if hangs { SHORT_GRACE } else { GRACE };
    let places = [(Place::Process1, stop.pid1), (Place::Child, stop.child)];
    let by_hand = places.map(|(place, known)| by_hand(&stage, program, place, stop, &known, grace));
    let check = || Report::of(&stage, program, name(stop.signal), grace);
    let mut report = check();
    if may_be_late(&report, program) {
        report = check();
    }
    for ((place, known), (by_hand, reaps)) in places.into_iter().zip(&by_hand) {
        let (seen, complaints) = (report.seen(place), report.complaints(place));
        let said = || report.said(place);
        assert_eq!((seen.end, &seen.left), (by_hand.end, &by_hand.left), "{place:?}, checked and by hand: {}", said());
        assert_eq!(report.reaps(place), *reaps, "{place:?}, an orphan: {}", said());
        let class = complaints.iter().map(|(class, _)| *class).max().unwrap_or(Class::Pass);
        assert_eq!(class, known.or_piles_up(*reaps), "{place:?}, for {complaints:?}: {}", said());
    }
    let [(pid1, reaps), (child, _)] = &by_hand;
    let differs = if pid1.end == child.end { Class::Pass } else { Class::Warn };
    let verdict = stop.pid1.or_piles_up(*reaps).max(stop.child.class).max(differs);
    assert_eq!(report.verdict(), verdict, "of both modes");
    page::tells(program, stop, verdict);
}

/// Whether it complains of what a loaded machine may have made late: an orphan has two seconds there, of which apache2 may
/// let one go by.
fn may_be_late(report: &Report, program: &Program) -> bool {
    program.reaps && report.reaps(Place::Process1) == Some(false)
}

/// What comes of it, and whether orphans are reaped, which must be what is known of the program.
#[track_caller]
fn by_hand(
    stage: &Stage,
    program: &Program,
    place: Place,
    stop: &Stop,
    known: &Known,
    grace: Duration,
) -> (Seen, Option<bool>) {
    let words: Vec<String> = program.words.iter().map(|word| stage.written(word)).collect();
    let mut ready = Ready::new(&stage.written(program.ready), stage.scene.folder());
    let mut run = Run::start(&stage.scene, &format!("{place:?}"), place, &ready, &words);
    run.wait_ready(&mut ready);
    let reaps = run.reaps(program.reaps);
    assert!(reaps.is_none_or(|reaps| reaps == program.reaps), "as process 1 it reaps orphans: {reaps:?}");
    let seen = run.tell(stop.signal, grace);
    let left: BTreeSet<String> = known.left.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!((seen.end, &seen.left), (known.end, &left), "{place:?}: {seen:?}");
    (seen, reaps)
}
