//! Runs the cases, several at once, in the words of libtest: they are generated from tables, which libtest cannot do.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use crate::wanted::Wanted;

/// A sentence, and what shows it: it panics where that is not so.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) run: Box<dyn Fn() + Send + Sync>,
}

impl Case {
    pub(crate) fn new(name: impl Into<String>, run: impl Fn() + Send + Sync + 'static) -> Case {
        Case { name: name.into(), run: Box::new(run) }
    }
}

thread_local! {
    /// Why the case of this thread has failed.
    static REASON: RefCell<String> = const { RefCell::new(String::new()) };
}

/// More than there are processors, because a case mostly waits.
fn workers() -> usize {
    2 * thread::available_parallelism().map_or(1, usize::from)
}

/// Runs what the command line asks for and says how it went.
pub(crate) fn run(cases: &[Case]) -> ExitCode {
    let wanted = Wanted::from_args(std::env::args().skip(1));
    let chosen: Vec<&Case> = cases.iter().filter(|case| wanted.takes(&case.name)).collect();
    if wanted.list {
        chosen.iter().for_each(|case| println!("{}: test", case.name));
        return ExitCode::SUCCESS;
    }
    std::panic::set_hook(Box::new(|panic| REASON.with_borrow_mut(|reason| *reason = panic.to_string())));
    println!("\nrunning {} tests", chosen.len());
    let start = Instant::now();
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..workers() {
            scope.spawn(|| {
                while let Some(case) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if !passes(case) {
                        failed.lock().expect("nothing panics with it").push(case.name.as_str());
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("nothing panics with it");
    failed.iter().for_each(|name| println!("failed: {name}"));
    println!(
        "\ntest result: {}. {} passed; {} failed; 0 ignored; 0 measured; {} filtered out; finished in {:.2}s\n",
        if failed.is_empty() { "ok" } else { "FAILED" },
        chosen.len() - failed.len(),
        failed.len(),
        cases.len() - chosen.len(),
        start.elapsed().as_secs_f32(),
    );
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(101) }
}

fn passes(case: &Case) -> bool {
    let begin = Instant::now();
    // A case shares nothing with the others that it could leave half done.
    let passed = catch_unwind(AssertUnwindSafe(|| (case.run)())).is_ok();
    let took = begin.elapsed().as_secs_f32();
    if passed {
        println!("test {} ... ok ({took:.1}s)", case.name);
    } else {
        // In one piece, because others write too.
        println!("test {} ... FAILED ({took:.1}s)\n{}", case.name, REASON.take());
    }
    passed
}
