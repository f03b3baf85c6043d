//! The init in real containers: docker, podman and the project's own Dockerfile.
//!
//! Everything is started by hand in a namespace of its own and is gone at the end, and every image is
//! made here; only Debian's packages and crates.io are needed. The first run makes a Debian root
//! filesystem, which is kept in `target/tests` for the next. `SUPERVISE_BIN` names another binary to
//! test. One case alone: `cargo test --test containers -- the_stop_table`.

mod at_a_terminal;
mod catalogue;
mod delivery;
mod docker;
mod dockerfile;
mod entrypoint;
mod examples;
mod from_a_shell;
mod images;
mod injected;
mod kubernetes;
mod leftovers;
mod podman;
mod pods;
mod readiness;
mod renamed;
mod requests;
mod restarts;
mod runner;
mod sandbox;
mod service;
mod services;
mod stop_table;
mod users;
mod visitors;
mod waiting;
#[path = "../harness/wanted.rs"]
mod wanted;
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
        waiting::the_command_starts_when_a_web_server_answers,
        waiting::a_stop_ends_the_wait,
        waiting::the_time_is_over_with_124,
        at_a_terminal::a_shell_below_the_images_entrypoint_does_job_control,
        at_a_terminal::ctrl_z_without_a_shell_stops_nothing,
        at_a_terminal::a_shell_below_podman_run_init_does_job_control,
        at_a_terminal::a_shell_below_docker_run_init_does_job_control,
        injected::docker_run_init_takes_it,
        injected::docker_info_shows_its_version_and_warns_of_nothing,
        injected::docker_run_init_has_tinis_codes_and_texts,
        injected::docker_run_init_takes_tinis_variables,
        injected::docker_run_init_lets_background_workers_finish,
        injected::docker_run_init_kills_them_where_strictness_is_asked_for,
        injected::podman_run_init_takes_it,
        injected::podman_takes_it_by_a_link_and_from_its_settings,
        readiness::podman_says_that_it_is_ready_when_the_command_is,
        pods::the_pause_process_of_a_pod_is_ours,
        pods::podman_without_root_pauses_with_it,
        entrypoint::every_signal_reaches_the_command,
        entrypoint::a_shutdown_asked_for_inside_ends_the_container,
        entrypoint::a_reboot_asked_for_inside_begins_again_in_the_same_container,
        requests::the_experiment_in_docker,
        requests::the_experiment_in_docker_by_absolute_paths,
        requests::the_experiment_in_podman,
        requests::sigrtmin_3_stops_all,
        requests::podman_takes_sbin_init_for_systemd,
        requests::docker_runs_sbin_init_as_the_init,
        at_a_terminal::ctrl_c_ends_a_plain_program,
        at_a_terminal::a_resize_is_seen_and_ends_nothing,
        renamed::a_stop_ends_a_plain_program_below_every_name,
        renamed::background_workers_finish_below_every_name,
        renamed::strictness_kills_them_as_the_original_does,
        renamed::codes_and_texts_are_those_of_the_file_that_was_replaced,
        at_a_terminal::a_shell_below_every_other_name_does_job_control,
        dockerfile::it_builds_the_init_and_the_image_of_a_user,
        services::nginx_answers_what_is_in_flight_when_it_gets_quit,
        services::postgres_with_an_idle_client_ends_by_the_second_rung,
        services::gunicorn_answers_on_term_and_not_on_quit,
        services::node_ends_with_and_without_a_handler,
        services::the_program_of_an_npm_script_saves_its_work,
        services::a_shell_form_image_answers_what_is_in_flight,
        services::a_script_that_waits_for_its_program_needs_the_group,
        from_a_shell::postgres_with_an_idle_client_ends_by_the_second_rung,
        from_a_shell::npm_leaves_nothing_behind,
        kubernetes::a_delay_keeps_a_service_open_until_a_second_request,
        kubernetes::a_long_drain_and_what_it_leaves_have_their_time,
        kubernetes::the_exit_report_is_the_termination_message,
        kubernetes::a_program_killed_for_memory_is_explained,
        delivery::the_debian_package_is_put_in_and_taken_out,
        delivery::the_debian_package_does_not_replace_daemontools,
        examples::the_compose_file_goes_up_and_down,
        examples::the_deployment_fits_the_schema_and_stops_as_it_says,
        examples::the_unit_is_started_and_stopped_by_systemd,
        restarts::redis_killed_a_hundred_times_is_there_again,
        restarts::a_daemon_that_a_life_has_left_is_gone_before_the_next,
        restarts::one_that_ignores_term_is_not_started_again_by_a_stop,
        restarts::one_that_is_killed_for_memory_is_said_so_each_time,
        users::an_image_drops_to_a_user_with_a_secret_of_roots,
        stop_table::the_stop_table,
    ])
}
