//! The init in real containers: docker, podman and the project's own Dockerfile.
//!
//! Everything is started by hand in a namespace of its own and is gone at the end, and every image is
//! made here; only Debian's packages and crates.io are needed. The first run makes a Debian root
//! filesystem, which is kept in `target/tests` for the next. `SUPERVISE_BIN` names another binary to
//! test. One case alone: `cargo test --test containers -- the_stop_table`.

mod docker;
mod dockerfile;
mod entrypoint;
mod images;
mod injected;
mod leftovers;
mod podman;
mod runner;
mod sandbox;
mod stop_table;
mod world;

use std::process::ExitCode;

use runner::Case;

macro_rules! cases {
    ($($module:ident :: $case:ident),* $(,)?) => {
        &[$(Case { name: concat!(stringify!($module), "::", stringify!($case)), run: $module::$case }),*]
    };
}

fn main() -> ExitCode {
    runner::run(cases![
        entrypoint::the_exit_code_is_the_commands,
        entrypoint::a_command_that_cannot_run_is_127_or_126,
        entrypoint::a_stop_ends_a_plain_program,
        entrypoint::a_stop_leaves_the_exit_code_to_the_command,
        entrypoint::the_stop_signal_of_the_image_reaches_the_command,
        entrypoint::orphans_are_reaped,
        entrypoint::a_terminal_belongs_to_the_command,
        entrypoint::docker_exec_enters_the_container,
        entrypoint::orphans_of_docker_exec_are_reaped,
        leftovers::background_workers_finish_after_the_command_has_ended,
        leftovers::a_stop_lets_background_workers_finish,
        leftovers::a_stop_lets_them_finish_without_any_privilege,
        leftovers::tini_kills_background_workers,
        leftovers::a_debug_shell_does_not_hold_up_a_stop,
        injected::docker_run_init_takes_it,
        injected::podman_run_init_takes_it,
        entrypoint::every_signal_reaches_the_command,
        dockerfile::it_builds_the_init_and_the_image_of_a_user,
        stop_table::the_stop_table,
    ])
}
