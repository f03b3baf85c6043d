//! Resource limits by the names of prlimit(1).

use super::Unfit;

/// A resource's number, its soft and its hard limit.
pub(crate) type Limit = (u8, u64, u64);

/// RLIMIT_CPU is 0, and so on (linux/resource.h); x86_64 and aarch64 have the same.
pub(crate) const NAMES: [&str; 16] = [
    "cpu",
    "fsize",
    "data",
    "stack",
    "core",
    "rss",
    "nproc",
    "nofile",
    "memlock",
    "as",
    "locks",
    "sigpending",
    "msgqueue",
    "nice",
    "rtprio",
    "rttime",
];

/// No limit, as the kernel has it.
pub(crate) const UNLIMITED: u64 = u64::MAX;

/// `NAME=SOFT[:HARD]`; one value is for both, as for prlimit(1) and docker.
pub(crate) fn parse(word: &str) -> Result<Limit, Unfit> {
    let (name, values) = word.split_once('=').ok_or(Unfit::NotALimit)?;
    let lower = name.to_ascii_lowercase();
    let lower = lower.strip_prefix("rlimit_").unwrap_or(&lower);
    let number = (0..).zip(NAMES).find(|(_, known)| *known == lower).map(|(number, _)| number);
    let number: u8 =
        number.ok_or_else(|| Unfit::NoResource(name.to_owned(), super::nearest(lower, &mut NAMES.into_iter())))?;
    let (soft, hard) = values.split_once(':').unwrap_or((values, values));
    let (soft, hard) = (value(soft)?, value(hard)?);
    if soft > hard { Err(Unfit::SoftAboveHard(soft, hard)) } else { Ok((number, soft, hard)) }
}

fn value(word: &str) -> Result<u64, Unfit> {
    if matches!(word, "unlimited" | "infinity" | "-1") {
        return Ok(UNLIMITED);
    }
    // A sign is no digit.
    let digits = word.bytes().all(|byte| byte.is_ascii_digit());
    word.parse().ok().filter(|_| digits).ok_or_else(|| Unfit::NotALimitValue(word.to_owned()))
}

/// A limit as it is given.
pub(crate) fn shown(limit: u64) -> String {
    if limit == UNLIMITED { "unlimited".to_owned() } else { limit.to_string() }
}

#[cfg(test)]
mod tests {
    use super::{UNLIMITED, parse};

    #[test]
    fn limits_have_a_name_and_one_or_two_values() {
        for (word, limit) in [
            ("nofile=1024", (7, 1024, 1024)),
            ("RLIMIT_NOFILE=1024:4096", (7, 1024, 4096)),
            ("core=0:unlimited", (4, 0, UNLIMITED)),
            ("memlock=-1", (8, UNLIMITED, UNLIMITED)),
            ("rttime=1:infinity", (15, 1, UNLIMITED)),
        ] {
            assert_eq!(parse(word).ok(), Some(limit), "{word}");
        }
        for word in ["", "nofile", "nofile=", "nofile=+1", "nofile=-2", "nofile=1:", "nofile=:1", "nofile=2:1", "x=1"] {
            assert!(parse(word).is_err(), "{word}");
        }
    }
}
