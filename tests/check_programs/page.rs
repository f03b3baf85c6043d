//! The README's table of these programs: it tells of each what the test finds.

use std::fs;

use nix::sys::signal::Signal;

use crate::by_hand::{End, Place};
use crate::harness::Exit;
use crate::program::{Class, Known, Program, Stop};

/// Requires a row that names the program with the signal, and tells what comes of it.
#[track_caller]
pub(crate) fn tells(program: &Program, stop: &Stop, verdict: Class) {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).expect("it is there");
    let reaps = if program.reaps { "" } else { ", reaps no orphans" };
    let wanted = format!(
        " | {}{reaps} | {} | {} | ",
        cell(Place::Process1, &stop.pid1),
        cell(Place::Child, &stop.child),
        match verdict {
            Class::Pass => "pass",
            Class::Warn => "warnings",
            Class::Fail => "fail",
        }
    );
    let signal = name(stop.signal).trim_start_matches("SIG");
    let names_it = |line: &str| {
        let (_, rest) = line.split_once(&format!("{} (", program.name))?;
        rest.split_once(')')?.0.split(", ").any(|told| told == signal).then_some(())
    };
    let rows: Vec<&str> = readme.lines().filter(|line| line.starts_with("| ") && names_it(line).is_some()).collect();
    assert!(rows.len() == 1 && rows[0].contains(&wanted), "not in the README: {wanted:?}; but: {rows:#?}");
}

fn cell(place: Place, known: &Known) -> String {
    let end = match known.end {
        End::By(Exit::Code(code)) => format!("exit code {code}"),
        End::By(Exit::Signal(signal)) => format!("death by {}", name(signal)),
        End::Never => "does not end".to_owned(),
    };
    let fate = if place == Place::Process1 { "is killed" } else { "lives on" };
    known.left.iter().fold(end, |end, left| format!("{end}, `{left}` {fate}"))
}

fn name(signal: i32) -> &'static str {
    Signal::try_from(signal).expect("it has a name").as_str()
}
