//! Rows, their targets, the verdicts on them, and the table that is printed.
//!
//! A cell is the median of its samples. A ratio is the median of the ratios within each round, so that what slowed a
//! whole round down drops out of it. With the same binary in two columns it comes out between 0.99 and 1.01, which is
//! as fine as a ratio is judged.

use crate::error::Result;
use crate::inits::{MUSL, NAMES, OURS};

/// The difference that a ratio does not resolve.
pub(crate) const RESOLUTION: f64 = 0.01;

/// What `supervise` must reach in a row.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// Told for information.
    None,
    AtMost(f64),
    Below(f64),
    /// So many times what dumb-init-musl takes.
    OfMusl(f64),
    /// So many times what the best of the peers takes.
    OfBest(f64),
}

/// Whether a busy machine can change a row's figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Exact,
    Timed,
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) kind: Kind,
    pub(crate) digits: usize,
    pub(crate) target: Target,
    /// The samples of each column, paired by their position.
    samples: Vec<Option<Vec<f64>>>,
}

/// How a row came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Told,
    Met(String),
    Missed(String),
    /// There is nothing to compare, or to compare with.
    Unjudged,
}

/// What is known of a figure that has a target.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) what: String,
    pub(crate) kind: Kind,
    pub(crate) verdict: Verdict,
    /// Whose figure there should be and is not.
    pub(crate) empty: Vec<&'static str>,
}

impl Row {
    /// A row of the columns that could be measured; says on stderr why one could not.
    pub(crate) fn new(what: impl Into<String>, kind: Kind, target: Target, columns: Columns) -> Self {
        let what = what.into();
        let keep = |(name, column): (&str, Option<Result<Vec<f64>>>)| {
            column?.inspect_err(|error| eprintln!("peers: warning: {name}: no {what}: {error}")).ok()
        };
        let samples = NAMES.into_iter().zip(columns).map(keep).collect();
        Self { what, kind, digits: if kind == Kind::Exact { 0 } else { 1 }, target, samples }
    }

    /// What is to be said of it.
    pub(crate) fn judged(&self) -> Judged {
        let empty = NAMES.into_iter().zip(&self.samples).filter(|(_, samples)| samples.is_none()).map(|(name, _)| name);
        Judged { what: self.what.clone(), kind: self.kind, verdict: self.verdict(), empty: empty.collect() }
    }

    /// Whether the target is reached, and by what figure.
    fn verdict(&self) -> Verdict {
        let Some(ours) = self.samples_of(OURS) else { return Verdict::Unjudged };
        let absolute = |holds: bool, sign: &str, limit: f64| {
            let figure = median(ours).unwrap_or(f64::NAN);
            judged(holds, format!("{figure:.*} {sign} {limit}", self.digits))
        };
        match self.target {
            Target::None => Verdict::Told,
            Target::AtMost(limit) => absolute(median(ours).is_some_and(|figure| figure <= limit), "<=", limit),
            Target::Below(limit) => absolute(median(ours).is_some_and(|figure| figure < limit), "<", limit),
            Target::OfMusl(factor) => self.against(Some(MUSL), ours, factor),
            Target::OfBest(factor) => self.against(self.best_peer(), ours, factor),
        }
    }

    fn against(&self, peer: Option<&str>, ours: &[f64], factor: f64) -> Verdict {
        let Some((peer, theirs)) = peer.and_then(|peer| Some((peer, self.samples_of(peer)?))) else {
            return Verdict::Unjudged;
        };
        let Some(ratio) = median(&ratios(ours, theirs)) else { return Verdict::Unjudged };
        judged(ratio <= factor + RESOLUTION, format!("{ratio:.2} <= {factor} x {peer}"))
    }

    fn best_peer(&self) -> Option<&'static str> {
        let peers = NAMES.into_iter().filter(|name| *name != OURS);
        let figures = peers.filter_map(|name| Some((name, median(self.samples_of(name)?)?)));
        figures.min_by(|(_, one), (_, other)| one.total_cmp(other)).map(|(name, _)| name)
    }

    fn samples_of(&self, name: &str) -> Option<&[f64]> {
        let at = NAMES.into_iter().position(|column| column == name)?;
        self.samples.get(at)?.as_deref()
    }

    fn line(&self) -> String {
        let cell = |samples: &Option<Vec<f64>>| {
            let figure = samples.as_deref().and_then(median);
            figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.*}", self.digits))
        };
        let cells: Vec<String> = self.samples.iter().map(cell).collect();
        let verdict = match self.verdict() {
            Verdict::Told => String::new(),
            Verdict::Met(how) => format!("{how}: met"),
            Verdict::Missed(how) => format!("{how}: **missed**"),
            Verdict::Unjudged => "not judged".to_owned(),
        };
        format!("| {} | {} | {verdict} |", self.what, cells.join(" | "))
    }
}

/// The samples of each init, by its position in [`NAMES`]; `None` where there is no such init.
pub(crate) type Columns = Vec<Option<Result<Vec<f64>>>>;

pub(crate) fn judged(holds: bool, how: String) -> Verdict {
    if holds { Verdict::Met(how) } else { Verdict::Missed(how) }
}

/// The table in Markdown.
pub(crate) fn print(rows: &[Row]) {
    println!("| | {} | target |", NAMES.join(" | "));
    println!("|---|{}---|", "---|".repeat(NAMES.len()));
    for row in rows {
        println!("{}", row.line());
    }
}

/// Those within each round.
pub(crate) fn ratios(ours: &[f64], theirs: &[f64]) -> Vec<f64> {
    ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect()
}

/// The middle one, or the mean of the two middle ones.
pub(crate) fn median(samples: &[f64]) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    Some(if sorted.len() % 2 == 1 { upper } else { f64::midpoint(sorted[middle - 1], upper) })
}

/// The lower end of the interval in which the median of what these are samples of is with a certainty of 95 %: as many
/// of them may be below that median as of so many throws of a coin may be heads.
pub(crate) fn lower_end(mut samples: Vec<f64>) -> Option<f64> {
    samples.sort_by(f64::total_cmp);
    let count = samples.len() as f64;
    let place = (count - 1.96 * count.sqrt()) / 2.0;
    samples.get(place as usize).copied()
}
