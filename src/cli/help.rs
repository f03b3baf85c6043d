//! Help, the version and suggestions, by clap from the table of options. Never on the path to the payload.

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;

use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, Command};
use supervise_init::sys::Words;

use super::exit;
use super::options::TABLE;

const AFTER: &str = "\
Options end at the first word that is none, or at `--`. TIME is a number with a unit: 500ms, 10s, 1.5s, 2m, 1h.

A stop begins with SIGTERM (or the first of --stop-signal), and the command has all the time that docker, Kubernetes or
systemd gives it. When it has ended, what it left behind gets SIGTERM, and 5 s to end; then it is killed. What takes long
is explained on stderr: at half the time until the command is killed, or after 5 s. A second Ctrl-C (SIGINT) within 2 s
goes one step further at once.

Exit codes:
  the command's own; 128 + n if signal n ended it (if supervise is not PID 1, it dies of the same signal);
  127 the command or its interpreter does not exist; 126 it cannot be executed;
  125 wrong use, or supervise itself failed

Environment (not passed on to the command):
  SUPERVISE_GRACE=20s and so on                    the same as --grace 20s, for each option that takes a value
  SUPERVISE_LOG=off|error|warn|info|debug|trace    what is logged to stderr [default: warn]
  SUPERVISE_LOG_FORMAT=text|json                   how

Examples:
  ENTRYPOINT [\"/supervise\", \"--\"]                  PID 1 of an image; CMD is the command
  docker run --init -e SUPERVISE_DELAY=5s IMAGE    with dockerd --init-path /path/to/supervise
  podman run --init --init-path /path/to/supervise IMAGE
  supervise --stop-signal QUIT -- nginx -g 'daemon off;'
  supervise --stop-signal TERM:10s,INT:5s,KILL -- postgres
  supervise --exit-map 143=0 -- java -jar app.jar";

fn command() -> Command {
    let mut command = Command::new("supervise")
        .version(env!("CARGO_PKG_VERSION"))
        .about("An init: starts the command, forwards signals, reaps, stops what is left, ends with its code")
        .override_usage("supervise [OPTIONS] [--] COMMAND [ARG]...")
        .after_help(AFTER)
        .disable_help_flag(true)
        .disable_version_flag(true);
    for row in &TABLE {
        let mut arg = Arg::new(row.long).long(row.long).help(row.help).help_heading(row.topic.heading());
        if let Some(short) = row.short {
            arg = arg.short(short);
        }
        arg = match row.value {
            Some(name) => arg.value_name(name).action(ArgAction::Append),
            None => arg.action(ArgAction::SetTrue),
        };
        command = command.arg(arg);
    }
    command
        .arg(Arg::new("COMMAND").help("What to run, and its arguments").num_args(0..).trailing_var_arg(true).hide(true))
}

/// `--help`, on stdout. Not in our caller's frame, which stays in memory as long as a command runs.
#[inline(never)]
pub(crate) fn print() -> u8 {
    print_text(&command().render_help().to_string())
}

/// `--version`, on stdout; as above.
#[inline(never)]
pub(crate) fn print_version() -> u8 {
    print_text(&command().render_version())
}

fn print_text(text: &str) -> u8 {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => exit::SUCCESS,
        Err(error) => {
            log::error!("cannot write to stdout: {error}");
            exit::FAILURE
        }
    }
}

/// The option that the unknown one is most like.
pub(crate) fn nearest_option(words: &Words) -> Option<String> {
    let words = (0..words.count()).filter_map(|at| words.get(at)).map(|word| OsStr::from_bytes(word.to_bytes()));
    let error = command().try_get_matches_from(words).err()?;
    match error.get(ContextKind::SuggestedArg)? {
        ContextValue::String(nearest) => Some(nearest.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_that_clap_gets_is_consistent() {
        super::command().debug_assert();
    }
}
