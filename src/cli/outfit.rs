//! What the options about the command's surroundings take. Nothing is looked up yet: the files that they name are read
//! when all words are known to be right.

use std::ffi::CStr;

use supervise_init::sys::Capabilities;

use super::options::Id;
use super::wrong::{Given, Wrong};
use crate::outfit::{Asked, Outfit, Unfit, capabilities, limits};

/// Not in our caller's frame, which stays in memory as long as the command runs.
#[inline(never)]
pub(super) fn set(outfit: &mut Outfit, given: Given, value: &'static CStr) -> Result<(), Wrong> {
    let text = || value.to_str().map_err(|_| Wrong::NotUtf8(given, value));
    let unfit = |why| Wrong::Unfit(given, value, Box::new(why));
    match given.row().id {
        Id::User => outfit.user = Some(Asked { given, value }),
        Id::Workdir if value.is_empty() => return Err(unfit(Unfit::NoPath)),
        Id::Workdir => outfit.workdir = Some(value),
        Id::Env if matches!(value.to_bytes(), [] | [b'=', ..]) => return Err(unfit(Unfit::NoName)),
        Id::Env => outfit.env.push(value),
        Id::EnvFile => outfit.env_files.push(Asked { given, value }),
        Id::EnvFromFiles => {
            if text()?.split(',').any(|pattern| !is_pattern(pattern)) {
                return Err(unfit(Unfit::NotAPattern));
            }
            outfit.env_from_files.push(Asked { given, value });
        }
        Id::Umask => outfit.umask = Some(umask(text()?).ok_or_else(|| unfit(Unfit::NotAMode))?),
        Id::Rlimit => {
            for limit in text()?.split(',') {
                limits::parse(limit).map(|limit| outfit.limit(limit)).map_err(unfit)?;
            }
        }
        Id::CapDrop => {
            for name in text()?.split(',') {
                let Capabilities(more) = capabilities::named(name).map_err(unfit)?;
                outfit.dropped.0 |= more;
            }
        }
        Id::ClearEnv => outfit.clear_env = flag(given, text()?)?,
        Id::NoNewPrivs => outfit.no_new_privileges = flag(given, text()?)?,
        Id::Setsid => outfit.new_session = flag(given, text()?)?,
        // The others are the init's own.
        _ => {}
    }
    Ok(())
}

/// A flag on the command line is given; a variable says whether.
pub(super) fn flag(given: Given, word: &'static str) -> Result<bool, Wrong> {
    match given {
        Given::Option(_) => Ok(true),
        Given::Variable(_) => yes_or_no(word).ok_or(Wrong::NotAFlag(given, word)),
    }
}

/// What a variable says that stands for a flag.
pub(crate) fn yes_or_no(word: &str) -> Option<bool> {
    match word.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" => Some(true),
        "0" | "false" | "no" => Some(false),
        _ => None,
    }
}

/// `NAME`, or with one `*` before or behind it.
fn is_pattern(word: &str) -> bool {
    let inner = word.strip_suffix('*').or_else(|| word.strip_prefix('*')).unwrap_or(word);
    !word.is_empty() && !inner.contains(['*', '='])
}

/// Octal digits, as for umask(1).
fn umask(word: &str) -> Option<u32> {
    let digits = word.bytes().all(|byte| byte.is_ascii_digit());
    u32::from_str_radix(word, 8).ok().filter(|mode| digits && *mode <= 0o777)
}

#[cfg(test)]
mod tests {
    use super::{is_pattern, umask};

    #[test]
    fn umasks_are_octal() {
        for (word, mode) in [("027", 0o27), ("0", 0), ("0777", 0o777), ("22", 0o22)] {
            assert_eq!(umask(word), Some(mode), "{word}");
        }
        for word in ["", "8", "1777", "+22", "-1", "u=rwx", "0o22", " 22"] {
            assert_eq!(umask(word), None, "{word}");
        }
    }

    #[test]
    fn patterns_have_their_star_at_one_end() {
        assert!(["DB_PASSWORD", "DB_*", "*_TOKEN", "*"].into_iter().all(is_pattern));
        assert!(!["", "D*B", "*DB*", "**", "A=B"].into_iter().any(is_pattern));
    }
}
