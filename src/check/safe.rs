//! What processes say of themselves, made safe to print: no control characters, and not without end.

/// A name of a process.
const NAME: usize = 64;

/// A line, or the words of a command.
const LINE: usize = 200;

/// A name.
pub(crate) fn name(bytes: &[u8]) -> String {
    shorten(bytes, NAME)
}

/// A line.
pub(crate) fn line(bytes: &[u8]) -> String {
    shorten(bytes, LINE)
}

/// The words of a command, each ended by a NUL.
pub(crate) fn words(bytes: &[u8]) -> String {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let spaced: Vec<u8> =
        bytes.iter().take(end.min(LINE * 4)).map(|byte| if *byte == 0 { b' ' } else { *byte }).collect();
    shorten(&spaced, LINE)
}

fn shorten(bytes: &[u8], longest: usize) -> String {
    // What lies beyond cannot be shown: no letter has more than four bytes.
    let text = String::from_utf8_lossy(bytes.get(..longest * 4 + 4).unwrap_or(bytes));
    let mut safe = String::new();
    for (count, letter) in text.chars().enumerate() {
        if count == longest {
            safe.push_str("...");
            break;
        }
        match letter {
            '\t' | '\n' => safe.push(' '),
            _ if is_safe(letter) => safe.push(letter),
            _ => safe.push('\u{fffd}'),
        }
    }
    safe
}

/// Nothing that moves the cursor or turns the direction of writing.
pub(crate) fn is_safe(letter: char) -> bool {
    !letter.is_control()
        && !matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::{line, name, words};

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        assert_eq!(line(b"a\x1b[2Jb\r\nc\td"), "a\u{fffd}[2Jb\u{fffd} c d");
        assert_eq!(name("a\u{202e}b\u{7f}".as_bytes()), "a\u{fffd}b\u{fffd}");
        assert_eq!(line(b"\xff\xfe"), "\u{fffd}\u{fffd}");
    }

    #[test]
    fn words_are_set_apart_by_blanks() {
        assert_eq!(words(b"sh\0-c\0a b\0\0\0"), "sh -c a b");
        assert_eq!(words(b""), "");
    }

    #[test]
    fn a_long_text_is_cut_between_letters() {
        let long = line("\u{1f600}".repeat(1000).as_bytes());
        assert_eq!(long.chars().count(), 203);
        assert!(long.ends_with("..."));
    }
}
