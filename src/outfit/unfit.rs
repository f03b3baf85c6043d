//! Why what was asked for cannot be had. Shown behind the option and its value.

use std::fmt;
use std::io;

use super::limits::shown;

#[derive(Debug)]
pub(crate) enum Unfit {
    NoPath,
    NoName,
    NotAPattern,
    NotAMode,
    NotALimit,
    NotALimitValue(String),
    SoftAboveHard(u64, u64),
    NoResource(String, Option<&'static str>),
    NoCapability(String, Option<&'static str>),
    NotAUser,
    /// What was looked for (`user`), in which file, and the nearest that it has.
    Unknown {
        what: &'static str,
        name: String,
        file: &'static str,
        nearest: Option<String>,
    },
    NoFile {
        what: &'static str,
        name: String,
        file: &'static str,
    },
    /// The same for a line that is there and cannot be one.
    Malformed {
        what: &'static str,
        name: String,
        file: &'static str,
    },
    /// So many.
    TooManyGroups(usize),
    NotAnId(String),
    Unreadable(String, io::Error),
    TooLarge(String),
    /// File, line, what is wrong with it.
    Line(String, usize, &'static str),
    BothSet(String),
    NotText {
        name: String,
        file: String,
    },
    TooLong {
        name: String,
        file: String,
    },
    NoSecret {
        name: String,
        file: String,
        error: io::Error,
    },
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfit::NoPath => f.write_str("it is empty; name a directory"),
            Unfit::NoName => f.write_str("no variable is named; say NAME=VALUE, or NAME to pass ours on"),
            Unfit::NotAPattern => {
                f.write_str("it is names of variables with commas between them, each with at most one * at its begin or end: DB_PASSWORD,API_*")
            }
            Unfit::NotAMode => f.write_str("it is 000 to 777 in octal, like 027"),
            Unfit::NotALimit => f.write_str("not of the form NAME=SOFT or NAME=SOFT:HARD, like nofile=1024:4096"),
            Unfit::NotALimitValue(word) => write!(f, "{word:?} is neither a number nor `unlimited`"),
            Unfit::SoftAboveHard(soft, hard) => {
                write!(f, "the soft limit {} is above the hard limit {}", shown(*soft), shown(*hard))
            }
            Unfit::NoResource(name, nearest) => {
                write!(f, "no limit is called {name:?}; ")?;
                match nearest {
                    Some(nearest) => write!(f, "did you mean {nearest}?"),
                    None => f.write_str("they have the names of prlimit(1): nofile, nproc, core, memlock ..."),
                }
            }
            Unfit::NoCapability(name, nearest) => {
                write!(f, "no capability is called {name:?}; ")?;
                match nearest {
                    Some(nearest) => write!(f, "did you mean {nearest}?"),
                    None => f.write_str("they have the names of capabilities(7), like net_raw, or ALL"),
                }
            }
            Unfit::NotAUser => f.write_str("not of the form USER, USER:GROUP or :GROUP"),
            Unfit::Unknown { what, name, file, nearest } => {
                write!(f, "no {what} is called {name:?} in {file}; ")?;
                match nearest {
                    Some(nearest) => write!(f, "did you mean {nearest}?"),
                    None => write!(f, "add it, or give the {what}'s number"),
                }
            }
            Unfit::NoFile { what, name, file } => {
                write!(f, "there is no {file} to look up the {what} {name:?}; give its number")
            }
            Unfit::Malformed { what, name, file } => write!(
                f,
                "the line of {what} {name:?} in {file} is malformed, its numbers must be 0 to 4294967294; mend it, or \
                 give the {what}'s number"
            ),
            Unfit::TooManyGroups(count) => {
                write!(f, "it is in {count} groups, and the kernel takes at most 65536; name one, as USER:GROUP")
            }
            Unfit::NotAnId(word) => write!(f, "{word} is no number of a user or a group; those are 0 to 4294967294"),
            Unfit::Unreadable(file, error) => write!(f, "cannot read {file}: {}", Lower(error)),
            Unfit::TooLarge(file) => write!(f, "{file} is larger than 16 MB; is it the right file?"),
            Unfit::Line(file, line, what) => write!(f, "{file}:{line}: {what}"),
            Unfit::BothSet(name) => write!(f, "both {name} and {name}_FILE are set; unset one of them"),
            Unfit::NotText { name, file } => {
                write!(f, "{file} (of {name}_FILE) holds a zero byte, which no variable can hold")
            }
            Unfit::TooLong { name, file } => {
                write!(f, "{file} (of {name}_FILE) is longer than the 128 kB that the kernel lets a variable have")
            }
            Unfit::NoSecret { name, file, error } => {
                write!(f, "cannot read {file} (of {name}_FILE): {}", Lower(error))
            }
        }
    }
}

/// The kernel's reason in the middle of a sentence.
struct Lower<'a>(&'a io::Error);

impl fmt::Display for Lower<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.raw_os_error() {
            Some(errno) => supervise_init::sys::Errno(errno).fmt(f),
            None => self.0.fmt(f),
        }
    }
}
