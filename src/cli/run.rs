//! The words of `supervise run`: its own options and ROOTFS in any order, then `--` and the command. The init's options
//! are checked here, and passed on to the process 1 of the container as they are.

mod wrong;

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use supervise_init::sys::Words;

use super::help::Print;
use super::options::{self, Id, TABLE};
use super::subcommands::Row;
use super::wrong::{Given, Wrong};
use super::{Options, Request, Variables, amounts, choice, named, value};
use crate::runtime::{Asked, Bind, Changes, Filter, Network, Tmpfs};
pub(crate) use wrong::WrongRun;

/// What was said.
pub(crate) struct Order {
    pub(crate) asked: Asked,
    /// The init's options, as far as this process needs them.
    pub(crate) options: Options,
    /// The init's options, for the process 1 inside.
    pub(crate) passed: Vec<&'static CStr>,
    /// Those that variables give: `SUPERVISE_NAME` and the value.
    pub(crate) variables: Vec<(String, &'static CStr)>,
    /// The command; nothing: the image's shell.
    pub(crate) command: Vec<&'static CStr>,
}

/// `supervise run [OPTIONS] ROOTFS [-- COMMAND [ARG]...]`
#[inline(never)]
pub(super) fn parse(subcommand: &'static Row, words: &Words, variables: &Variables) -> Result<Request, Wrong> {
    let mut options = Options::DEFAULT;
    let mut passed = Vec::new();
    let mut said = Said::default();
    let mut at = 2;
    while let Some(word) = words.get(at).filter(|word| *word != c"--") {
        let first = at;
        let unknown = || Wrong::unknown(word, subcommand.options);
        let asked = match word.to_bytes() {
            [b'-', b'-', ..] => {
                let all = TABLE.iter().chain(subcommand.options);
                let (row, attached) = named(word, all).ok_or_else(unknown)?;
                let value = value(words, &mut at, row, attached)?;
                if subcommand.options.iter().any(|own| own.id == row.id) {
                    said.set(row, value)?;
                } else {
                    options.set(Given::Option(row), value)?;
                    passed.extend((first..=at).filter_map(|at| words.get(at)).filter(|_| is_passed(row.id)));
                }
                Some(row.id)
            }
            [b'-', _, ..] => {
                passed.push(word);
                super::short(word, subcommand.options, &mut options)?
            }
            _ if said.root.is_none() => {
                said.root = Some(word);
                None
            }
            _ => return Err(WrongRun::CommandBeforeDashes(word).into()),
        };
        match asked {
            Some(Id::Help) if word == c"--help" => return Ok(Request::Print(Print::LongHelp(Some(subcommand)))),
            Some(Id::Help) => return Ok(Request::Print(Print::ShortHelp(Some(subcommand)))),
            Some(Id::Version) => return Ok(Request::Print(Print::Version)),
            _ => at += 1,
        }
    }
    let root = said.root.filter(|root| !root.is_empty()).ok_or(WrongRun::NoRoot)?;
    let given = |(row, value): (&options::Row, &Option<&'static CStr>)| {
        let value = value.filter(|value| !value.is_empty() && !options.is_given(row) && is_passed(row.id))?;
        Some((row.variable(), value))
    };
    let variables_passed: Vec<_> = TABLE.iter().zip(variables).filter_map(given).collect();
    let command: Vec<_> = (at + 1..words.count()).filter_map(|at| words.get(at)).collect();
    let row = TABLE.iter().find(|row| row.id == Id::StopSignal);
    let says_how_to_stop =
        |row: &options::Row| options.is_given(row) || variables_passed.iter().any(|(name, _)| *name == row.variable());
    // It is a shell, which ignores SIGTERM where it is interactive. What comes just as bash begins to read a line it
    // heeds with the next signal.
    if command.is_empty() && !row.is_some_and(says_how_to_stop) {
        passed.push(c"--stop-signal=HUP:1s,HUP");
    }
    options.complete(variables)?;
    Ok(Request::Contain(Box::new(Order {
        asked: said.settle(root)?,
        options,
        passed,
        variables: variables_passed,
        command,
    })))
}

/// Whether the option is one for the process 1 inside. What is about our environment is of no use there, and a parent
/// that dies is ours.
fn is_passed(id: Id) -> bool {
    !matches!(id, Id::Env | Id::EnvFile | Id::ClearEnv | Id::ParentDeath)
}

/// What was said so far.
#[derive(Default)]
struct Said {
    root: Option<&'static CStr>,
    upper: Option<PathBuf>,
    is_writable: bool,
    asked: Asked,
}

impl Said {
    fn set(&mut self, row: &'static options::Row, value: &'static CStr) -> Result<(), Wrong> {
        let given = Given::Option(row);
        let text = || value.to_str().map_err(|_| Wrong::NotUtf8(given, value));
        let path = Path::new(OsStr::from_bytes(value.to_bytes()));
        let not_an_amount = |why| WrongRun::NotAnAmount(given, value, why);
        match row.id {
            Id::Upper if value.is_empty() => return Err(WrongRun::NotAPath(given, value).into()),
            Id::Upper => self.upper = Some(path.to_owned()),
            Id::Writable => self.is_writable = true,
            Id::ReadOnly => self.asked.read_only = true,
            Id::Bind if is_over_root(value.to_bytes()) => return Err(WrongRun::BindOverRoot(given, value).into()),
            Id::Bind => self.asked.binds.push(bind(value.to_bytes()).ok_or(WrongRun::NotABind(given, value))?),
            Id::Tmpfs => self.asked.tmpfs.push(tmpfs(value.to_bytes()).ok_or(WrongRun::NotATmpfs(given, value))?),
            Id::Net => self.asked.network = choice(given, text()?, network_named)?,
            Id::Hostname => self.asked.hostname = Some(hostname(text()?).ok_or(WrongRun::NotAHostname(given, value))?),
            Id::Memory => self.asked.limits.memory = Some(amounts::size(text()?).map_err(not_an_amount)?),
            Id::Cpus => self.asked.limits.cpus = Some(amounts::cpus(text()?).map_err(not_an_amount)?),
            Id::Pids => self.asked.limits.pids = Some(amounts::count(text()?).map_err(not_an_amount)?),
            Id::Seccomp => self.asked.filter = choice(given, text()?, filter_named)?,
            Id::CapAdd => {
                let why = |why| Wrong::Unfit(given, value, Box::new(why));
                self.asked.capabilities.take(text()?).map_err(why)?;
            }
            Id::NewPrivs => self.asked.new_privileges = true,
            Id::UserNs => self.asked.user_namespace = true,
            Id::DryRun => self.asked.dry_run = true,
            _ => {}
        }
        Ok(())
    }

    fn settle(self, root: &'static CStr) -> Result<Asked, Wrong> {
        let changes = match (self.upper, self.is_writable) {
            (Some(_), true) => return Err(WrongRun::TwoWays("--upper", "--writable").into()),
            (None, true) if self.asked.read_only => return Err(WrongRun::TwoWays("--writable", "--read-only").into()),
            (Some(dir), false) => Changes::Kept(dir),
            (None, true) => Changes::InPlace,
            (None, false) => Changes::Vanish,
        };
        let layers = root.to_bytes().split(|byte| *byte == b':');
        let layers: Vec<_> = layers.map(|layer| PathBuf::from(OsStr::from_bytes(layer))).collect();
        if layers.iter().any(|layer| layer.as_os_str().is_empty()) {
            return Err(WrongRun::EmptyLayer(root).into());
        }
        if layers.len() > 1 && changes == Changes::InPlace {
            return Err(WrongRun::TwoWays("--writable", "several directories for ROOTFS").into());
        }
        Ok(Asked { layers, changes, ..self.asked })
    }
}

/// Somewhere inside that can be mounted on: the root itself cannot.
fn is_destination(path: &Path) -> bool {
    path.is_absolute() && path.components().count() > 1
}

/// `SRC:/`, which is what ROOTFS is for.
fn is_over_root(bind: &[u8]) -> bool {
    let destination = bind.split(|byte| *byte == b':').nth(1).map(|part| Path::new(OsStr::from_bytes(part)));
    destination.is_some_and(|path| path.is_absolute() && !is_destination(path))
}

/// `DST` or `DST:OPTION,...`, with the words of `docker run --tmpfs`; those that are always so change nothing.
fn tmpfs(word: &[u8]) -> Option<Tmpfs> {
    let mut parts = word.splitn(2, |byte| *byte == b':');
    let destination = PathBuf::from(OsStr::from_bytes(parts.next()?));
    let options = std::str::from_utf8(parts.next().unwrap_or_default()).ok()?;
    let mut tmpfs = Tmpfs { destination, mode: 0o1777, size: None, has_programs: true };
    for option in options.split(',').filter(|_| !options.is_empty()) {
        match option.split_once('=') {
            Some(("size", size)) => tmpfs.size = Some(amounts::bytes(size)?),
            Some(("mode", mode)) => tmpfs.mode = octal(mode)?,
            None if matches!(option, "exec" | "noexec") => tmpfs.has_programs = option == "exec",
            None if matches!(option, "rw" | "nosuid" | "nodev") => {}
            _ => return None,
        }
    }
    // The kernel takes no limit for none.
    let is_right = is_destination(&tmpfs.destination) && tmpfs.size != Some(0);
    is_right.then_some(tmpfs)
}

/// A mode as chmod(1) takes it.
fn octal(word: &str) -> Option<u32> {
    let is_right = (1..=4).contains(&word.len()) && word.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    u32::from_str_radix(word, 8).ok().filter(|_| is_right)
}

/// `SRC:DST` or `SRC:DST:ro`.
fn bind(word: &[u8]) -> Option<Bind> {
    let mut parts = word.split(|byte| *byte == b':');
    let (source, destination) = (parts.next()?, parts.next()?);
    let read_only = match parts.next() {
        None | Some(b"rw") => false,
        Some(b"ro") => true,
        Some(_) => return None,
    };
    let [source, destination] = [source, destination].map(|part| PathBuf::from(OsStr::from_bytes(part)));
    let is_right = !source.as_os_str().is_empty() && is_destination(&destination) && parts.next().is_none();
    is_right.then_some(Bind { source, destination, read_only })
}

/// Letters, digits, dots and hyphens, at most 64 (hostname(7), sethostname(2)).
fn hostname(word: &str) -> Option<String> {
    let is_right = |label: &str| {
        let inside = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        inside && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    (word.len() <= 64 && word.split('.').all(is_right)).then(|| word.to_owned())
}

fn network_named(word: &str) -> Option<Network> {
    match word {
        "private" => Some(Network::Private),
        "none" => Some(Network::None),
        "host" => Some(Network::Host),
        "user" => Some(Network::User),
        _ => None,
    }
}

fn filter_named(word: &str) -> Option<Filter> {
    match word {
        "default" => Some(Filter::Default),
        "none" => Some(Filter::None),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{bind, hostname, is_over_root, tmpfs};

    #[test]
    fn a_bind_has_a_source_and_an_absolute_destination() {
        for (word, expected) in [
            ("/a:/b", Some(("/a", "/b", false))),
            ("a:/b:ro", Some(("a", "/b", true))),
            ("a:/b:rw", Some(("a", "/b", false))),
            ("a", None),
            ("a:b", None),
            (":/b", None),
            ("a:/", None),
            ("a:/b:rx", None),
            ("a:/b:ro:", None),
        ] {
            let found = bind(word.as_bytes());
            let found = found.as_ref().map(|bind| {
                (bind.source.to_str().unwrap_or(""), bind.destination.to_str().unwrap_or(""), bind.read_only)
            });
            assert_eq!(found, expected, "{word}");
        }
    }

    #[test]
    fn a_bind_over_the_root_is_told_from_other_mistakes() {
        for (word, expected) in
            [("a:/", true), ("a://", true), ("a:/.:ro", true), ("a:/b", false), ("a:b", false), ("a", false)]
        {
            assert_eq!(is_over_root(word.as_bytes()), expected, "{word}");
        }
    }

    #[test]
    fn a_file_system_in_memory_takes_dockers_words() {
        for (word, expected) in [
            ("/run", Some((0o1777, None, true))),
            ("/run:size=64m", Some((0o1777, Some(64 << 20), true))),
            ("/run:rw,noexec,nosuid,size=65536k", Some((0o1777, Some(64 << 20), false))),
            ("/run:mode=0700,size=4096", Some((0o700, Some(4096), true))),
            ("/run:noexec,exec", Some((0o1777, None, true))),
            ("/run:", Some((0o1777, None, true))),
            ("/run:ro", None),
            ("/run:size=0", None),
            ("/run:size=x", None),
            ("/run:mode=8", None),
            ("/run:mode=+7", None),
            ("/run:mode=17777", None),
            ("/run:,", None),
            ("run", None),
            ("/", None),
            ("", None),
        ] {
            let found = tmpfs(word.as_bytes()).map(|tmpfs| (tmpfs.mode, tmpfs.size, tmpfs.has_programs));
            assert_eq!(found, expected, "{word}");
        }
    }

    #[test]
    fn a_hostname_is_one_that_others_take() {
        for word in ["a", "web-1", "web.example.org", "0123456789ab"] {
            assert_eq!(hostname(word).as_deref(), Some(word));
        }
        for word in ["", "-a", "a-", "a..b", "a_b", "a b", &"a".repeat(65)] {
            assert_eq!(hostname(word), None, "{word}");
        }
    }
}
