//! Real programs: what `supervise check` says of each is what a plain experiment by hand shows, as process 1 and as a
//! child, and what is known of the program.
//!
//! `tests/setup` installs them. Some cases alone: `cargo test --test check_programs -- nginx`.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
#[path = "../harness/mod.rs"]
mod harness;
#[path = "../harness/runner.rs"]
mod runner;
#[path = "../harness/wanted.rs"]
mod wanted;

mod accounts;
mod by_hand;
mod case;
mod checked;
mod languages;
mod page;
mod program;
mod ready;
mod servers;
mod stage;
mod wrappers;

use std::process::ExitCode;

use nix::unistd::geteuid;

fn main() -> ExitCode {
    if !geteuid().is_root() {
        harness::skip("check_programs: the experiment by hand needs root");
        return ExitCode::SUCCESS;
    }
    let tables = [servers::PROGRAMS, languages::PROGRAMS, wrappers::PROGRAMS];
    let cases: Vec<_> = tables.into_iter().flatten().flat_map(case::cases).collect();
    runner::run(&cases)
}
