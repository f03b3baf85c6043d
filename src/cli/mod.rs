//! Words into checked types. The path of `supervise [options] -- command` allocates nothing and touches no library:
//! it is most of what happens before the first fork. Help, completions and suggestions are made of the same tables.

pub(crate) mod amounts;
pub(crate) mod check;
mod choices;
mod completions;
mod ctl;
pub(crate) mod exit;
mod features;
mod health;
pub(crate) mod help;
pub(crate) mod hooks;
mod maps;
pub(crate) mod options;
mod outfit;
mod printed;
pub(crate) mod ready;
mod restart;
pub(crate) mod run;
mod shims;
mod stop;
pub(crate) mod subcommands;
pub(crate) mod suggest;
mod wrong;

use std::ffi::CStr;
use std::time::Duration;

use log::LevelFilter;
use supervise_init::core::{ExitMap, Forwarding, KillMode, Ladder, OnReboot, Restarting, Signal, When};
use supervise_init::driver::ForwardTo;
use supervise_init::sys::{Static, Words, set_log_format};

use choices::{choice, forward_to_named, kill_mode_named, leftovers_named, on_or_off, on_reboot_named};
use help::Print;
use hooks::{Before, Hooks};
use options::{Id, Row, TABLE};
pub(crate) use outfit::yes_or_no;
use subcommands::Subcommand;
pub(crate) use wrong::{Given, Wrong};

use crate::check::scenario::Order;
use crate::conduct::Conduct;
use crate::outfit::{Asked, Outfit};
use crate::report;
use crate::request::{Client, Ctl};
use crate::runtime;
use crate::shims::Shims;
use crate::wait_for::{Target, WaitFor};

/// What the words ask for.
#[expect(clippy::large_enum_variant, reason = "one exists, and boxing would be the only allocation on this path")]
pub(crate) enum Request {
    Run(Options),
    /// Wait, and run nothing. The level as in [`Options`].
    Wait(&'static WaitFor, Option<LevelFilter>),
    /// The command in a container.
    Contain(Box<run::Order>),
    /// How the command stops. The level as in [`Options`].
    Check(Box<Order>, Option<LevelFilter>),
    /// What one of those checks means.
    Explain(Vec<&'static str>),
    /// Links, and nothing to run.
    Shims(Shims, Option<LevelFilter>),
    /// A request to process 1, in the words of another program.
    Client(Client),
    /// How process 1 stands.
    Ctl(Ctl, Option<LevelFilter>),
    /// What there is for containers.
    Features(runtime::features::Format, Option<LevelFilter>),
    Print(Print),
}

/// The options of the init, checked.
pub(crate) struct Options {
    /// `None`: as `SUPERVISE_LOG` says.
    pub(crate) level: Option<LevelFilter>,
    pub(crate) forward_to: ForwardTo,
    pub(crate) forwarding: Forwarding,
    /// `None`: [`ExitMap::NONE`].
    exit_map: Option<&'static mut ExitMap>,
    pub(crate) parent_death: Option<Signal>,
    pub(crate) ladder: Ladder,
    /// `None`: the group where that gets the signals too, else the command.
    kill_mode: Option<KillMode>,
    /// What is said of restarts.
    pub(crate) restart: Option<Box<restart::Asked>>,
    /// What is said of health checks.
    pub(crate) health: Option<Box<health::Asked>>,
    /// What is said of readiness and of the watchdog.
    pub(crate) ready: Option<Box<ready::Asked>>,
    /// What runs before the command is started and before it is stopped, if anything does.
    pub(crate) hooks: Option<Box<Hooks>>,
    pub(crate) exit_report: Option<&'static CStr>,
    pub(crate) exit_report_format: report::Format,
    /// What the command is given that we were not. `None`: nothing.
    pub(crate) outfit: Option<Box<Outfit>>,
    /// What to wait for before the command starts: for `wait-for` alone.
    pub(crate) wait_for: Option<&'static mut WaitFor>,
    /// Where in the words the command begins; at least 1.
    pub(crate) command: usize,
    /// `None`: as the container's manager has it.
    pub(crate) on_reboot: Option<OnReboot>,
    /// Whether we may be asked from inside.
    pub(crate) requests: bool,
    /// Who may ask besides root.
    pub(crate) ctl_group: Option<Asked>,
    /// Whether systemd's own clients are answered.
    pub(crate) systemd_compat: bool,
    /// What no option is about.
    pub(crate) conduct: Conduct,
    /// Which options the words give: the bit of the id.
    given: u64,
}

/// On the stack it would stay in memory where nothing is mapped.
static EXIT_MAP: Static<ExitMap> = Static::new();

impl Options {
    const DEFAULT: Options = Options {
        level: None,
        forward_to: ForwardTo::Main,
        forwarding: Forwarding::DEFAULT,
        exit_map: None,
        parent_death: None,
        ladder: Ladder::DEFAULT,
        kill_mode: None,
        restart: None,
        health: None,
        ready: None,
        hooks: None,
        exit_report: None,
        exit_report_format: report::Format::Json,
        wait_for: None,
        outfit: None,
        command: 0,
        on_reboot: None,
        requests: true,
        ctl_group: None,
        systemd_compat: false,
        conduct: Conduct::OURS,
        given: 0,
    };

    /// Before any option, where another init's words are read.
    pub(crate) fn of_another_init(conduct: Conduct) -> Options {
        Options { conduct, ..Options::DEFAULT }
    }

    /// The words say what this option would: no variable does then.
    pub(crate) fn mark_given(&mut self, id: Id) {
        self.given |= 1_u64.checked_shl(id as u32).unwrap_or(0);
    }

    /// Takes from the variables what the words do not give, and settles what depends on several.
    pub(crate) fn complete(&mut self, variables: &Variables) -> Result<(), Wrong> {
        for (row, value) in TABLE.iter().zip(variables) {
            // A compose file sets what it has no value for to nothing.
            if let Some(value) = value.filter(|value| !value.is_empty() && !self.is_given(row)) {
                self.set(Given::Variable(row), value)?;
            }
        }
        if let Some(wait_for) = self.wait_for.take() {
            // First: what prepares the command most likely needs the same.
            self.hooks().before.insert(0, wait_for.before_command());
        }
        self.settle()
    }

    fn set(&mut self, given: Given, value: &'static CStr) -> Result<(), Wrong> {
        if let Given::Option(row) = given {
            self.mark_given(row.id);
        }
        let text = || value.to_str().map_err(|_| Wrong::NotUtf8(given, value));
        match given.row().id {
            Id::Verbose => self.level = Some(LevelFilter::Debug),
            // At once: what is wrong with the words behind it is said so already.
            Id::LogFormat => set_log_format(choice(given, text()?, crate::format_named)?),
            Id::ForwardTo => self.forward_to = choice(given, text()?, forward_to_named)?,
            Id::Rewrite => maps::rewrite(given, &mut self.forwarding, text()?)?,
            Id::ExitMap => maps::exit_map(given, self.exit_map_to_change(), text()?)?,
            Id::ParentDeath => self.parent_death = Some(maps::parent_death(given, text()?)?),
            Id::Delay => self.ladder.delay = stop::time(given, text()?)?,
            Id::StopSignal => self.ladder.signals = stop::stop_signals(given, text()?)?,
            Id::KillMode => self.kill_mode = Some(choice(given, text()?, kill_mode_named)?),
            Id::Grace => self.ladder.grace = Some(stop::time(given, text()?)?),
            Id::Leftovers => self.ladder.leftovers = choice(given, text()?, leftovers_named)?,
            Id::LeftoverGrace => self.ladder.leftover_grace = Some(stop::time(given, text()?)?),
            Id::MaxTime => self.ladder.max_time = Some(stop::time(given, text()?)?),
            Id::Restart | Id::RestartDelay | Id::RestartMaxDelay | Id::RestartReset | Id::RestartLimit | Id::OkExit => {
                self.restart.get_or_insert_default().set(given, text()?)?
            }
            Id::Readiness | Id::ReadinessTimeout | Id::Watchdog => {
                self.ready.get_or_insert_default().set(given, value)?
            }
            Id::Health
            | Id::HealthInterval
            | Id::HealthTimeout
            | Id::HealthRetries
            | Id::HealthStartPeriod
            | Id::HealthAction => self.health.get_or_insert_default().set(given, value)?,
            Id::PreStart => self.hooks().before.push(Before::Hook(hooks::command(given, value)?)),
            Id::PreStartTimeout => self.hooks().before_limit = hooks::limit(stop::time(given, text()?)?),
            Id::PreStop => self.hooks().stop = Some(hooks::command(given, value)?),
            Id::PreStopTimeout => self.hooks().stop_limit = Some(hooks::stop_limit(given, text()?)?),
            Id::OnReboot => self.on_reboot = Some(choice(given, text()?, on_reboot_named)?),
            Id::Requests => self.requests = choice(given, text()?, on_or_off)?,
            Id::CtlGroup => self.ctl_group = Some(Asked { given, value }),
            Id::SystemdCompat => self.systemd_compat = outfit::flag(given, text()?)?,
            Id::ExitReport => self.exit_report = Some(value),
            Id::ExitReportFormat => self.exit_report_format = choice(given, text()?, report::format_named)?,
            Id::Timeout => {
                let time = stop::time(given, text()?)?;
                self.wait_for.iter_mut().for_each(|wait_for| wait_for.timeout = time);
            }
            Id::Interval => {
                let time = stop::time(given, text()?)?;
                self.wait_for.iter_mut().for_each(|wait_for| wait_for.interval = time);
            }
            // `shims`, `ctl`, `run` and the clients read their own themselves.
            Id::Help
            | Id::Version
            | Id::Inits
            | Id::Divert
            | Id::Remove
            | Id::Json
            | Id::Check
            | Id::Wait
            | Id::Limit => {}
            Id::Upper | Id::Writable | Id::ReadOnly | Id::Bind | Id::Tmpfs => {}
            Id::Net | Id::Hostname | Id::UserNs | Id::NewPrivs | Id::CapAdd | Id::Seccomp | Id::DryRun => {}
            Id::Memory | Id::Cpus | Id::Pids => {}
            Id::As | Id::SignalToSend | Id::Target | Id::GraceOfCheck | Id::Profile | Id::Ready | Id::ReadyTimeout => {}
            Id::Also | Id::StateDir | Id::Repeat | Id::OkExitOfCheck | Id::Strict | Id::FormatOfCheck | Id::Explain => {
            }
            Id::Halt
            | Id::Poweroff
            | Id::Reboot
            | Id::PoweroffUnlessHalt
            | Id::Force
            | Id::OnlyRecord
            | Id::NoSync
            | Id::NoWall
            | Id::OnlyWarn
            | Id::Cancel
            | Id::Show
            | Id::SetVariable
            | Id::When
            | Id::Message
            | Id::Quiet
            | Id::Accepted => {}
            Id::User
            | Id::Workdir
            | Id::Env
            | Id::EnvFile
            | Id::EnvFromFiles
            | Id::ClearEnv
            | Id::Umask
            | Id::Rlimit
            | Id::NoNewPrivs
            | Id::CapDrop
            | Id::Setsid => outfit::set(self.outfit.get_or_insert_default(), given, value)?,
        }
        Ok(())
    }

    /// Whether the command may be started again when it has ended by itself.
    pub(crate) fn may_restart(&self) -> bool {
        self.restart.as_ref().is_some_and(|asked| asked.policy().is_some())
    }

    /// What is to be done when it has ended. `None`: it is never started again, but by a reboot.
    pub(crate) fn restarting(&self) -> Option<Restarting> {
        let asked = self.restart.as_deref();
        let on_request = || Some(asked.map_or(Restarting::new(When::OnRequest), restart::Asked::on_request));
        let is_checked = self.health.as_ref().is_some_and(|health| health.restarts());
        asked.and_then(restart::Asked::policy).or_else(|| on_request().filter(|_| is_checked))
    }

    fn is_given(&self, row: &Row) -> bool {
        self.given & (1 << row.id as u64) != 0
    }

    /// What becomes of the command's status.
    pub(crate) fn exit_map(&self) -> &ExitMap {
        self.exit_map.as_deref().unwrap_or(&ExitMap::NONE)
    }

    /// The same, now that something is said of it.
    pub(crate) fn exit_map_to_change(&mut self) -> &mut ExitMap {
        self.exit_map.get_or_insert_with(|| crate::room(&EXIT_MAP, || ExitMap::NONE))
    }

    /// A place for hooks, now that there is one.
    pub(crate) fn hooks(&mut self) -> &mut Hooks {
        self.hooks.get_or_insert_default()
    }

    /// What depends on several options.
    fn settle(&mut self) -> Result<(), Wrong> {
        self.ladder.kill_mode = self.kill_mode.unwrap_or(match self.forward_to {
            ForwardTo::Main => KillMode::Main,
            ForwardTo::Group => KillMode::Group,
        });
        if let Some(asked) = &self.health {
            asked.check()?;
        }
        if let Some(asked) = &self.ready {
            asked.check()?;
        }
        if let Some(asked) = &self.restart {
            match self.restarting() {
                None => asked.check()?,
                Some(_) => asked.check_delays()?,
            }
        }
        // As for timeout(1).
        self.ladder.max_time = self.ladder.max_time.filter(|time| !time.is_zero());
        if let Some(first) = self.ladder.signals.get(0) {
            self.forwarding.make_stop(first.signal);
        }
        let hook = match &self.hooks {
            Some(hooks) => hooks.settle(&mut self.ladder)?,
            None => Duration::ZERO,
        };
        match self.ladder {
            Ladder { grace: Some(grace), delay, pre_stop, .. }
                if (!delay.is_zero() || pre_stop.is_some()) && grace <= delay.saturating_add(hook) =>
            {
                Err(Wrong::KilledUntold { grace, delay, hook })
            }
            _ => Ok(()),
        }
    }
}

/// The values of the variables, by the rows of their options.
pub(crate) type Variables = [Option<&'static CStr>; TABLE.len()];

/// Before any is read.
pub(crate) const NO_VARIABLES: Variables = [None; TABLE.len()];

/// Where the value of a variable belongs, if it is one of ours. `name` is without its `SUPERVISE_`.
pub(crate) fn place_of_variable(name: &[u8]) -> Option<usize> {
    Row::of_variable(name).map(|(place, _)| place)
}

/// Reads the words after the first, then the variables of what they do not give.
///
/// `wait-for` takes the init's options, its own, and its targets, in any order, up to `--` and the command, if any.
#[inline(never)]
pub(crate) fn parse(words: &Words, variables: &Variables) -> Result<Request, Wrong> {
    let mut options = Options::DEFAULT;
    let mut at = 1;
    let mut own: &'static [Row] = &[];
    let subcommand = words.get(1).and_then(subcommands::named);
    if let Some(row) = subcommand {
        match row.subcommand {
            Subcommand::WaitFor => options.wait_for = Some(Box::leak(Box::default())),
            Subcommand::Run => return run::parse(row, words, variables),
            Subcommand::Check => return check::parse(row, words),
            Subcommand::Shims => return shims::parse(row, words),
            Subcommand::Client(client) => return Ok(Request::Client(client)),
            Subcommand::Ctl => return ctl::parse(row, words),
            Subcommand::Features => return features::parse(row, words),
            Subcommand::Completions => return printed::completions(row, words).map(Request::Print),
            Subcommand::Man => return printed::man(row, words).map(Request::Print),
        }
        own = row.options;
        at = 2;
    }
    let mut has_ended = false;
    while let Some(word) = words.get(at) {
        let bytes = word.to_bytes();
        if bytes == b"--" {
            has_ended = true;
            at += 1;
            break;
        }
        let asked = match (bytes, &mut options.wait_for) {
            ([b'-', b'-', ..], _) => long(words, &mut at, own, &mut options)?,
            ([b'-', _, ..], _) => short(word, own, &mut options)?,
            (_, Some(wait_for)) => {
                wait_for.targets.push(Target::parse(word).map_err(|why| Wrong::NotATarget(word, why))?);
                None
            }
            (_, None) => break,
        };
        match asked {
            Some(Id::Help) if bytes.starts_with(b"--") => return Ok(Request::Print(Print::LongHelp(subcommand))),
            Some(Id::Help) => return Ok(Request::Print(Print::ShortHelp(subcommand))),
            Some(Id::Version) => return Ok(Request::Print(Print::Version)),
            _ => at += 1,
        }
    }
    match &options.wait_for {
        Some(wait_for) if wait_for.targets.is_empty() => return Err(Wrong::NoTarget),
        Some(_) if !has_ended => return bare_wait(options),
        _ if at >= words.count() => return Err(Wrong::NoCommand),
        _ => options.command = at,
    }
    options.complete(variables)?;
    Ok(Request::Run(options))
}

/// Waiting, and nothing behind it: what the options say of a command would be lost without a word.
#[inline(never)]
fn bare_wait(options: Options) -> Result<Request, Wrong> {
    let of_a_command = |row: &&Row| options.is_given(row) && !matches!(row.id, Id::Verbose | Id::LogFormat);
    match (TABLE.iter().find(of_a_command), options.wait_for) {
        (Some(row), _) => Err(Wrong::ForNoCommand(row)),
        (None, Some(wait_for)) => Ok(Request::Wait(wait_for, options.level)),
        (None, None) => Err(Wrong::NoCommand),
    }
}

/// `--name`, `--name value` or `--name=value`. Moves `at` to the value if that is a word of its own.
fn long(words: &Words, at: &mut usize, own: &'static [Row], options: &mut Options) -> Result<Option<Id>, Wrong> {
    let word = words.get(*at).unwrap_or_default();
    let (row, attached) = named(word, TABLE.iter().chain(own)).ok_or_else(|| Wrong::unknown(word, own))?;
    let value = value(words, at, row, attached)?;
    options.set(Given::Option(row), value)?;
    Ok(Some(row.id))
}

/// The one of the rows that the word names, and what it has behind a `=`.
fn named(
    word: &'static CStr,
    mut rows: impl Iterator<Item = &'static Row>,
) -> Option<(&'static Row, Option<&'static CStr>)> {
    let bytes = word.to_bytes_with_nul().get(2..).unwrap_or_default();
    let name_length = bytes.iter().position(|byte| matches!(byte, b'=' | 0)).unwrap_or(0);
    let (name, rest) = bytes.split_at(name_length);
    let attached = match rest {
        [b'=', value @ ..] => CStr::from_bytes_with_nul(value).ok(),
        _ => None,
    };
    Some((rows.find(|row| row.long.as_bytes() == name)?, attached))
}

/// What the option is given: nothing, what is attached, or the next word.
fn value(
    words: &Words,
    at: &mut usize,
    row: &'static Row,
    attached: Option<&'static CStr>,
) -> Result<&'static CStr, Wrong> {
    match (row.value, attached) {
        (None, None) => Ok(c""),
        (None, Some(_)) => Err(Wrong::UnwantedValue(row.long)),
        (Some(_), Some(value)) => Ok(value),
        // Where a value was forgotten, `--` is the end of the options; one that is meant can be attached.
        (Some(_), None) => next_word(words, at).filter(|word| *word != c"--").ok_or(Wrong::NoValue(row)),
    }
}

/// `-v`, `-vv`: no short option takes a value.
fn short(word: &'static CStr, own: &'static [Row], options: &mut Options) -> Result<Option<Id>, Wrong> {
    let mut last = None;
    for letter in word.to_bytes().iter().skip(1) {
        let row = TABLE
            .iter()
            .find(|row| row.short.is_some_and(|short| short.is_ascii() && short as u8 == *letter))
            .ok_or_else(|| Wrong::unknown(word, own))?;
        options.set(Given::Option(row), c"")?;
        last = Some(row.id);
        if matches!(row.id, Id::Help | Id::Version) {
            break;
        }
    }
    Ok(last)
}

fn next_word(words: &Words, at: &mut usize) -> Option<&'static CStr> {
    *at += 1;
    words.get(*at)
}
