//! What a misspelt word was meant to be.

use super::options::Row;
use super::subcommands;

/// How alike two words must be, by the measure of Jaro.
const NEAR: f64 = 0.7;
/// The same where the word is rather something else: `make` is not `man`.
const NEARER: f64 = 0.8;

/// The name that the word is most like, if it is like one at all.
pub(crate) fn nearest<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    nearest_by(NEAR, word, &mut names.into_iter())
}

/// The same where most words are none of these names: a wrong suggestion is worse than none.
pub(crate) fn nearer<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    nearest_by(NEARER, word, &mut names.into_iter())
}

/// One function for all lists of names: each other one would be a kilobyte.
#[inline(never)]
fn nearest_by<'n>(near: f64, word: &str, names: &mut dyn Iterator<Item = &'n str>) -> Option<&'n str> {
    let mut best = (near, None);
    for name in names {
        let like = strsim::jaro(word, name);
        if like > best.0 {
            best = (like, Some(name));
        }
    }
    best.1
}

/// The long option, without its dashes, that the word is most like.
pub(crate) fn nearest_option(rows: &mut dyn Iterator<Item = &'static Row>, word: &[u8]) -> Option<&'static str> {
    let word = String::from_utf8_lossy(word);
    // One letter is like no name.
    let name = word.trim_start_matches('-').split('=').next().filter(|name| name.len() > 1)?;
    nearest(name, rows.map(|row| row.long).filter(|long| !long.is_empty()))
}

/// What was meant by a first word that no program is called: words of supervise.
pub(crate) fn nearest_subcommand(word: &str) -> Option<&'static str> {
    match word {
        // What other programs have.
        "help" => Some("--help"),
        "version" => Some("--version"),
        _ => nearest_by(NEARER, word, &mut subcommands::TABLE.iter().map(|row| row.name)),
    }
}
