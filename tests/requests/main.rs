//! Requests for a shutdown in real root filesystems: what their own clients and ours ask for, and what comes of it.
//!
//! `tests/setup` makes the roots, and with `--sid` one of today's packages too. `SUPERVISE_BIN` names another binary to
//! test. Some cases alone: `cargo test --test requests -- 'in trixie and our clients'`.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
#[path = "../harness/mod.rs"]
mod harness;
#[path = "../harness/wanted.rs"]
mod wanted;

mod bus;
mod case;
mod container;
mod initctl;
mod ours;
mod roots;
#[path = "../harness/runner.rs"]
mod runner;
mod schedule;
mod signals;
mod socketless;
mod speaker;
mod stock;
mod surroundings;
mod systemd;
mod sysvinit;

use std::process::ExitCode;

use runner::Case;

fn main() -> ExitCode {
    if let Some(lacking) = roots::lacking() {
        harness::skip(&format!("requests: {lacking}"));
        return ExitCode::SUCCESS;
    }
    let mut cases: Vec<Case> = schedule::cases();
    for rows in [bus::ROWS, stock::ROWS, systemd::ROWS, sysvinit::ROWS, ours::ROWS, signals::ROWS, socketless::ROWS] {
        cases.extend(case::cases(rows));
    }
    for more in [speaker::cases(), signals::cases(), initctl::cases(), surroundings::cases(), socketless::cases()] {
        cases.extend(more);
    }
    runner::run(&cases)
}
