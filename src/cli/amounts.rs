//! Amounts of something: sizes, processors, processes.

use std::fmt;

/// Why a word is no amount. Shown behind the option and the word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NotAnAmount {
    Size,
    Cpus,
    Count,
}

impl fmt::Display for NotAnAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NotAnAmount::Size => "it is a number and a unit, like 512M, 1.5G or 1073741824 (bytes), from 1M on",
            NotAnAmount::Cpus => "it is a number of processors, like 2, 1.5 or 0.25, from 0.01 on",
            NotAnAmount::Count => "it is a number of processes and threads, from 1 on",
        })
    }
}

/// `512M`, `1.5G`, `64k`, `1073741824`, in bytes; K, M, G and T are powers of 1024 as for docker, with or without `B` or
/// `iB`. Less than 1 MB would not hold a program.
pub(crate) fn size(word: &str) -> Result<u64, NotAnAmount> {
    const LEAST: u64 = 1 << 20;
    bytes(word).filter(|bytes| *bytes >= LEAST).ok_or(NotAnAmount::Size)
}

/// The same, however small.
pub(crate) fn bytes(word: &str) -> Option<u64> {
    let lower = word.to_ascii_lowercase();
    let unit_at = lower.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(lower.len());
    let (number, unit) = lower.split_at(unit_at);
    let shift = match unit {
        "" | "b" => Some(0),
        "k" | "kb" | "kib" => Some(10),
        "m" | "mb" | "mib" => Some(20),
        "g" | "gb" | "gib" => Some(30),
        "t" | "tb" | "tib" => Some(40),
        _ => None,
    };
    // Half a byte is none.
    let is_whole = !number.contains('.') || !matches!(unit, "" | "b");
    let bytes = shift.and_then(|shift| scaled(number, 1 << shift));
    bytes.filter(|_| is_whole)
}

/// `2`, `1.5`, in thousandths of a processor.
pub(crate) fn cpus(word: &str) -> Result<u64, NotAnAmount> {
    scaled(word, 1000).filter(|thousandths| *thousandths >= 10).ok_or(NotAnAmount::Cpus)
}

/// `100`
pub(crate) fn count(word: &str) -> Result<u64, NotAnAmount> {
    let digits = word.bytes().all(|byte| byte.is_ascii_digit());
    word.parse().ok().filter(|number| digits && *number > 0).ok_or(NotAnAmount::Count)
}

/// So many units, where the number is decimal. Rounded down.
pub(super) fn scaled(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    // What is shorter than a billionth of the unit makes no difference.
    let digits = fraction.get(..9).unwrap_or(fraction);
    let fraction: u64 = digits.parse().ok()?;
    let scale = 10_u64.pow(u32::try_from(digits.len()).ok()?);
    let fraction = u128::from(unit) * u128::from(fraction) / u128::from(scale);
    whole.checked_mul(unit)?.checked_add(u64::try_from(fraction).ok()?)
}

#[cfg(test)]
mod tests {
    use super::{count, cpus, size};

    #[test]
    fn sizes_are_powers_of_1024() {
        for (word, bytes) in [
            ("512M", 512 << 20),
            ("1.5g", 3 << 29),
            ("1048576", 1 << 20),
            ("2048k", 2 << 20),
            ("1GiB", 1 << 30),
            ("2TB", 2 << 40),
            ("1048576b", 1 << 20),
        ] {
            assert_eq!(size(word), Ok(bytes), "{word}");
        }
        for word in ["", "M", "512", "-1M", "+1G", "1.5", "2000000.5", "1e9", "5X", "1.M", ".5G", "99999999999T", "1G "]
        {
            assert!(size(word).is_err(), "{word}");
        }
    }

    #[test]
    fn processors_are_thousandths() {
        for (word, thousandths) in [("1", 1000), ("1.5", 1500), ("0.01", 10), ("64", 64_000), ("0.3333333333", 333)] {
            assert_eq!(cpus(word), Ok(thousandths), "{word}");
        }
        for word in ["", "0", "0.001", "-1", "two", "1,5", "1.5.5", "50%"] {
            assert!(cpus(word).is_err(), "{word}");
        }
    }

    #[test]
    fn counts_are_whole_and_not_nothing() {
        assert_eq!(count("100"), Ok(100));
        assert!(["", "0", "-1", "+5", "1.5", "max"].into_iter().all(|word| count(word).is_err()));
    }
}
