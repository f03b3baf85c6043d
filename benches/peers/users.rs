//! Becoming another user on the way to the payload: what people start gosu, su-exec or setpriv for, alone or behind an
//! init. A table of its own, because those are no inits.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::unistd::geteuid;

use crate::error::Result;
use crate::inits::Init;
use crate::place::Ahead;
use crate::run::{ENVIRONMENT, Place};
use crate::table::{Columns, median, ratios};
use crate::timing::{interleave, less, split, start_command};
use crate::tiny;

/// What is started in front of the payload: inits by their columns, the others by their names. The first is what all
/// are compared with.
const WAYS: [(&str, &[&str]); 9] = [
    ("gosu", &["gosu", "nobody"]),
    ("su-exec", &["su-exec", "nobody"]),
    ("setpriv", &["setpriv", "--reuid=nobody", "--regid=nogroup", "--init-groups", "--"]),
    ("tini + gosu", &["tini", "-s", "--", "gosu", "nobody"]),
    ("tini + su-exec", &["tini", "-s", "--", "su-exec", "nobody"]),
    ("dumb-init-musl + su-exec", &["dumb-init-musl", "--", "su-exec", "nobody"]),
    (
        "dumb-init-musl + setpriv",
        &["dumb-init-musl", "--", "setpriv", "--reuid=nobody", "--regid=nogroup", "--init-groups", "--"],
    ),
    ("supervise", &["supervise", "--"]),
    ("supervise --user", &["supervise", "--user", "nobody", "--"]),
];

/// Measures and prints them. Only root can become others.
pub(crate) fn print(inits: &[Option<Init>], rounds: usize) -> Result<()> {
    if !geteuid().is_root() {
        eprintln!("peers: warning: only root can become another user; no table of users");
        return Ok(());
    }
    let _ahead = Ahead::of_others();
    let payload = tiny::stamp()?;
    let ways: Vec<Option<Vec<PathBuf>>> = WAYS.iter().map(|(_, words)| resolve(words, inits)).collect();
    let columns: Columns = interleave(ways.len() + 1, rounds, |which| {
        let words = match which.checked_sub(1) {
            None => &[][..],
            Some(at) => ways[at].as_deref()?,
        };
        Some(start_command(through(words, &payload), Place::Beside).map(|(to_payload, _)| to_payload))
    });
    let compared = split(columns)?;
    let added = less(compared.columns, &compared.bare);
    println!("\n| to become another user | added start time, us | x gosu |\n|---|---|---|");
    let gosu = added.first().and_then(|column| column.as_ref()?.as_ref().ok().cloned());
    for ((name, _), column) in WAYS.iter().zip(added) {
        match column {
            None => eprintln!("peers: warning: {name} is not here to be measured"),
            Some(Err(error)) => eprintln!("peers: warning: {name}: {error}"),
            Some(Ok(samples)) => {
                let ratio = median(&ratios(&samples, gosu.as_deref().unwrap_or_default()))
                    .map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
                println!("| {name} | {:.1} | {ratio} |", median(&samples).unwrap_or(f64::NAN));
            }
        }
    }
    Ok(())
}

/// The words with the files of the programs in them; `None` if one is not here.
fn resolve(words: &[&str], inits: &[Option<Init>]) -> Option<Vec<PathBuf>> {
    let program = |word: &&str| match *word {
        "gosu" | "su-exec" | "setpriv" => which(word),
        "tini" | "dumb-init-musl" | "supervise" => {
            inits.iter().flatten().find(|init| init.name == *word).map(|init| init.path.clone())
        }
        word => Some(word.into()),
    };
    words.iter().map(program).collect()
}

fn which(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn through(words: &[PathBuf], payload: &Path) -> Command {
    let mut all = words.iter().map(PathBuf::as_path).chain([payload]);
    let mut command = Command::new(all.next().unwrap_or(payload));
    command.args(all).env_clear().envs(ENVIRONMENT).current_dir("/");
    command.stdin(Stdio::null()).stderr(Stdio::null());
    command
}
