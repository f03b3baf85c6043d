//! `supervise` under the names of other inits: each name beside the native command and the init of that name. A table of
//! its own, because its columns are what the other table has as rows.
//!
//! Each is started as its users start it, through a link, as `supervise shims` would make one; the native command too,
//! because the kernel takes a moment to follow a link. docker-init is PID 1, as docker has it; where it is not, it
//! says that it will not reap.
//!
//! A start is compared with native ones of its round, as in the other table. It is judged by the one that gives the
//! command the same place: dumb-init makes a session, for which the kernel makes a scheduling group as well, and the
//! others make a process group. A name is missed if it is shown to be slower: if the true median of the ratios is above 1
//! by more than their [`RESOLUTION`] with a certainty of 97.5 % (the lower end of the sign test's interval: no shape of
//! the noise is assumed). On a busy machine that is some hundredths below the median itself, on a quiet one less than
//! one. The plain command stands there twice, so that what is between a subject and itself can be seen.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::error::{Doing, Error, Result};
use crate::inits::{Init, OURS, cache};
use crate::memory;
use crate::place::Ahead;
use crate::run::{Place, command};
use crate::table::{Columns, Judged, Kind, RESOLUTION, Verdict, judged, lower_end, median, ratios};
use crate::timing::{interleave, less, start_command};
use crate::{tiny, trace};

/// A name, and how it is used.
struct Way {
    name: &'static str,
    options: &'static [&'static str],
    place: Place,
    /// The options by which the native command does the same.
    native: &'static [&'static str],
    /// How many system calls it may take.
    calls: f64,
}

impl Way {
    const fn beside(name: &'static str, options: &'static [&'static str], native: &'static [&'static str]) -> Way {
        Way { name, options, place: Place::Beside, native, calls: CALLS }
    }

    const fn first(name: &'static str, options: &'static [&'static str], native: &'static [&'static str]) -> Way {
        Way { name, options, place: Place::Bare, native, calls: CALLS_AS_PID_1 }
    }

    /// It asks three streams whether they are a terminal, for the group that it makes.
    const fn with_terminal(self) -> Way {
        Way { calls: CALLS + 1.0, ..self }
    }

    fn is_native(&self) -> bool {
        self.name == OURS
    }

    /// As it is typed.
    fn title(&self) -> String {
        let words: Vec<&str> = [self.name].into_iter().chain(self.options.iter().copied()).chain(["--"]).collect();
        let place = if self.place == Place::Beside { "" } else { " as PID 1" };
        format!("`{}`{place}", words.join(" "))
    }

    fn of(&self, path: PathBuf) -> Option<Init> {
        path.exists().then_some(Init { name: self.name, path, beside: &[], options: self.options })
    }
}

/// What the native command makes the same places with.
const SESSION: &[&str] = &["--setsid"];
const GROUP: &[&str] = &["--forward-to", "group"];

/// As in the other table.
const CALLS: f64 = 20.0;
/// The same, and two for a process group.
const CALLS_AS_PID_1: f64 = 36.0;

/// The plain command of each place stands there twice.
const WAYS: [Way; 13] = [
    Way::beside(OURS, &[], &[]),
    Way::beside(OURS, &[], &[]),
    Way::beside(OURS, SESSION, SESSION),
    Way::beside(OURS, GROUP, GROUP),
    Way::first(OURS, &[], &[]),
    Way::first(OURS, &[], &[]),
    Way::first(OURS, GROUP, GROUP),
    Way::beside("tini", &["-s"], GROUP).with_terminal(),
    Way::beside("tini-static", &["-s"], GROUP).with_terminal(),
    Way::first("docker-init", &[], GROUP),
    Way::beside("dumb-init", &[], SESSION),
    Way::beside("dumb-init", &["-c"], &[]),
    Way::beside("catatonit", &[], GROUP).with_terminal(),
];
const PLACES: [Place; 2] = [Place::Beside, Place::Bare];

/// What is measured without noise, and what it may come to.
struct Exact {
    what: &'static str,
    limit: fn(&Way) -> f64,
    measure: fn(&Init, Place) -> Result<f64>,
}

const EXACT: [Exact; 3] = [
    Exact { what: "system calls, start to end", limit: |way| way.calls, measure: trace::system_calls },
    Exact { what: "instructions to the first fork", limit: |_| 12_000.0, measure: trace::instructions },
    Exact {
        what: "resident memory, kB",
        // As in the other table, and two pages for the words of other inits.
        limit: |_| 108.0,
        measure: |init, _| Ok(memory::at_first_sleep(init)?.resident),
    },
];

/// Whose figures they are.
struct Subject {
    way: &'static Way,
    ours: Option<Init>,
    original: Option<Init>,
}

/// Measures and prints them; returns what they come to.
pub(crate) fn measure(inits: &[Option<Init>], rounds: usize, times: usize) -> Result<Vec<Judged>> {
    let Some(native) = inits.iter().flatten().find(|init| init.name == OURS) else { return Ok(vec![]) };
    let links = Links::to(&native.path)?;
    let subject = |way: &'static Way| Subject {
        way,
        ours: way.of(links.folder.join(way.name)),
        original: if way.is_native() { None } else { way.of(Path::new("/usr/bin").join(way.name)) },
    };
    let subjects: Vec<Subject> = WAYS.iter().map(subject).collect();
    for Subject { way, .. } in subjects.iter().filter(|one| one.original.is_none() && !one.way.is_native()) {
        eprintln!("peers: warning: {} is not here to be compared with", way.name);
    }
    let (ours, originals) = starts(&subjects, rounds)?;
    let columns = EXACT.map(|exact| exact.what).join(" | ");
    println!("\n| called as (that init itself) | added start time, us | x plain | x same | {columns} | |");
    println!("|---|---|---|---|{}---|", "---|".repeat(EXACT.len()));
    let lines = subjects.iter().enumerate().map(|(at, subject)| {
        let start = [&ours, &originals].map(|columns| median(kept(columns, at)?));
        line(subject, start, compare(&ours, at), times)
    });
    Ok(lines.flatten().collect())
}

/// Our links, for as long as this lives.
struct Links {
    folder: PathBuf,
}

impl Links {
    fn to(file: &Path) -> Result<Links> {
        let file = file.canonicalize().doing("find", file.display())?;
        let links = Links { folder: cache().join("names") };
        // What a run that was cut off has left.
        let _ = fs::remove_dir_all(&links.folder);
        fs::create_dir_all(&links.folder).doing("create", links.folder.display())?;
        for Way { name, .. } in &WAYS {
            let link = links.folder.join(name);
            if !link.is_symlink() {
                symlink(&file, &link).doing("make", link.display())?;
            }
        }
        Ok(links)
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        // The next run removes them.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Microseconds that ours and the originals add to the start of the payload alone in the same place.
fn starts(subjects: &[Subject], rounds: usize) -> Result<(Columns, Columns)> {
    let _ahead = Ahead::of_others();
    let payload = tiny::stamp()?;
    let mut all = PLACES.map(|place| Some((None, place))).to_vec();
    all.extend(subjects.iter().map(|one| Some((Some(one.ours.as_ref()?), one.way.place))));
    all.extend(subjects.iter().map(|one| Some((Some(one.original.as_ref()?), one.way.place))));
    let mut columns = interleave(all.len(), rounds, |which| {
        let (init, place) = all[which]?;
        Some(start_command(command(init, place, &payload, &[]), place).map(|(to_payload, _)| to_payload))
    });
    let originals = columns.split_off(PLACES.len() + subjects.len());
    let ours = columns.split_off(PLACES.len());
    let alone: Vec<Vec<f64>> = columns.into_iter().flatten().collect::<Result<_>>()?;
    let added = |columns: Columns| {
        let bare = |subject: &Subject| PLACES.into_iter().zip(&alone).find(|(place, _)| *place == subject.way.place);
        let pairs = columns.into_iter().zip(subjects);
        pairs.map(|(column, subject)| less(vec![column], bare(subject)?.1).pop().flatten()).collect()
    };
    Ok((added(ours), added(originals)))
}

/// The samples at that place, if there are any; says why not, if that was an error.
fn kept(columns: &Columns, at: usize) -> Option<&[f64]> {
    let column = columns.get(at)?.as_ref()?;
    column.as_deref().inspect_err(|error| eprintln!("peers: warning: {}: {error}", WAYS[at].title())).ok()
}

/// How a start compares with native ones.
#[derive(Clone, Copy)]
struct Compared {
    /// How many times the plain one it takes.
    plain: f64,
    /// How many times the one that does the same.
    same: f64,
    /// At least so many.
    at_least: f64,
}

fn compare(ours: &Columns, at: usize) -> Option<Compared> {
    let native = |options: &[&str]| {
        let is_it = |way: &Way| way.is_native() && way.place == WAYS[at].place && way.options == options;
        kept(ours, (0..WAYS.len()).find(|other| is_it(&WAYS[*other]))?)
    };
    let (it, plain) = (kept(ours, at)?, native(&[])?);
    let same = ratios(it, native(WAYS[at].native)?);
    Some(Compared { plain: median(&ratios(it, plain))?, same: median(&same)?, at_least: lower_end(same)? })
}

/// Measures the rest of a line, prints it, and judges it if it is a name's.
fn line(subject: &Subject, start: [Option<f64>; 2], compared: Option<Compared>, times: usize) -> Vec<Judged> {
    let way = subject.way;
    let title = way.title();
    let ratio = |of: fn(Compared) -> f64| compared.map_or_else(|| "-".to_owned(), |all| format!("{:.2}", of(all)));
    let mut cells = vec![cell(start, 1), ratio(|all| all.plain), ratio(|all| all.same)];
    let timed = compared.map_or(Verdict::Unjudged, |Compared { same, at_least, .. }| {
        let how = format!("{same:.2} (at least {at_least:.2}) <= 1 x supervise doing the same");
        judged(at_least <= 1.0 + RESOLUTION, how)
    });
    let mut all = vec![(Kind::Timed, "added start time, us", timed)];
    for Exact { what, limit, measure } in &EXACT {
        let figures = [&subject.ours, &subject.original].map(|init| {
            let init = init.as_ref()?;
            let samples: Result<Vec<f64>> = (0..times).map(|_| measure(init, way.place)).collect();
            let say = |error: &Error| eprintln!("peers: warning: {title}: no {what}: {error}");
            median(&samples.inspect_err(say).ok()?)
        });
        cells.push(cell(figures, 0));
        let limit = limit(way);
        let judge = |ours: f64| judged(ours <= limit, format!("{ours} <= {limit}"));
        all.push((Kind::Exact, what, figures[0].map_or(Verdict::Unjudged, judge)));
    }
    let verdict = match all.iter().all(|(_, _, verdict)| matches!(verdict, Verdict::Met(_))) {
        _ if way.is_native() => "",
        true => "met",
        false => "**missed**",
    };
    println!("| {title} | {} | {verdict} |", cells.join(" | "));
    if way.is_native() {
        return vec![];
    }
    let judged = |(kind, what, verdict)| {
        let empty = if verdict == Verdict::Unjudged { vec![OURS] } else { vec![] };
        Judged { what: format!("{title}: {what}"), kind, verdict, empty }
    };
    all.into_iter().map(judged).collect()
}

/// Ours and, in parentheses, the original's.
fn cell([ours, original]: [Option<f64>; 2], digits: usize) -> String {
    let shown = |figure: Option<f64>| figure.map(|figure| format!("{figure:.digits$}"));
    let original = shown(original).map_or_else(String::new, |figure| format!(" ({figure})"));
    format!("{}{original}", shown(ours).unwrap_or_else(|| "-".to_owned()))
}
