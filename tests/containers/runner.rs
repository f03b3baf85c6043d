//! Runs the cases one after another, in the words of libtest.
//!
//! libtest cannot be used: the cases share one daemon, which must be gone when the last of them has
//! ended, and libtest has no last moment. A case ends in one of three ways: it passes, it fails (a
//! panic or `Trouble::Failed`), or it cannot run here, which is said aloud and is a failure where
//! `CI=true`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use crate::wanted::Wanted;
use crate::world::World;

/// Why a case did not come to its end.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    /// This machine lacks what the case needs.
    Missing(String),
    /// Everything was there and it went wrong all the same.
    Failed(String),
}

pub(crate) type Outcome = Result<(), Trouble>;

/// One case: a sentence and what shows it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&World) -> Outcome,
}

/// Runs what the command line asks for and says how it went.
pub(crate) fn run(cases: &[Case]) -> ExitCode {
    let wanted = Wanted::from_args(std::env::args().skip(1));
    let chosen: Vec<&Case> = cases.iter().filter(|case| wanted.takes(case.name)).collect();
    if wanted.list {
        chosen.iter().for_each(|case| println!("{}: test", case.name));
        return ExitCode::SUCCESS;
    }
    // One line a failure: the backtrace would be that of this file.
    std::panic::set_hook(Box::new(|panic| eprintln!("\n{panic}")));
    println!("\nrunning {} tests", chosen.len());
    let start = Instant::now();
    let world = World::new();
    let (mut passed, mut skipped, mut failed) = (0, 0, Vec::new());
    for case in &chosen {
        let begin = Instant::now();
        let outcome = run_case(case, &world);
        let took = begin.elapsed().as_secs_f32();
        match outcome {
            Ok(()) => {
                passed += 1;
                println!("test {} ... ok ({took:.1}s)", case.name);
            }
            Err(Trouble::Missing(reason)) => {
                skipped += 1;
                eprintln!("{}: skipped: {reason}", case.name);
                println!("test {} ... ignored, {reason}", case.name);
            }
            Err(Trouble::Failed(reason)) => {
                eprintln!("{}: {reason}", case.name);
                println!("test {} ... FAILED ({took:.1}s)", case.name);
                failed.push(case.name);
            }
        }
    }
    // Before the last line: what is left behind is a failure that a reader should still see.
    if let Err(left) = world.close() {
        eprintln!("not cleaned up: {left}");
        failed.push("the clean-up");
    }
    failed.iter().for_each(|name| println!("failed: {name}"));
    println!(
        "\ntest result: {}. {passed} passed; {} failed; {skipped} ignored; 0 measured; {} filtered out; finished in {:.2}s\n",
        if failed.is_empty() { "ok" } else { "FAILED" },
        failed.len(),
        cases.len() - chosen.len(),
        start.elapsed().as_secs_f32(),
    );
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(101) }
}

fn run_case(case: &Case, world: &World) -> Outcome {
    // What a case shares with the next is only ever set once, so a panic leaves nothing half done.
    let outcome = catch_unwind(AssertUnwindSafe(|| (case.run)(world)))
        .unwrap_or_else(|_| Err(Trouble::Failed("panicked, see above".into())));
    match outcome {
        Err(Trouble::Missing(reason)) if std::env::var("CI").is_ok_and(|ci| ci == "true") => {
            Err(Trouble::Failed(format!("skipped under CI: {reason}")))
        }
        outcome => outcome,
    }
}
