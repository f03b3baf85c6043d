//! A command as it can be typed to a shell.

use std::ffi::CStr;
use std::fmt::Write as _;

use super::super::safe::is_safe;

/// Its words with blanks between them, each quoted where a shell needs that. What cannot be shown is written as bash, zsh and
/// POSIX.1-2024 read it (`$'\033'`).
pub(super) fn line(command: &[&CStr]) -> String {
    let words = command
        .iter()
        .enumerate()
        .map(|(place, word)| quoted(word.to_bytes(), if place == 0 { FIRST } else { BEHIND }));
    words.collect::<Vec<_>>().join(" ")
}

/// What needs no quotes beside letters and digits, in the first word, which with a `=` is a variable, and behind that.
const FIRST: &[u8] = b"-_./:@%+,";
const BEHIND: &[u8] = b"-_./:@%+,=";

fn quoted(word: &[u8], plain: &[u8]) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || plain.contains(byte);
    match std::str::from_utf8(word) {
        Ok(text) if !word.is_empty() && word.iter().all(is_plain) => text.to_owned(),
        Ok(text) if text.chars().all(is_safe) => format!("'{}'", text.replace('\'', r"'\''")),
        _ => escaped(word),
    }
}

fn escaped(word: &[u8]) -> String {
    let mut out = "$'".to_owned();
    for chunk in word.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '\n' => out.push_str(r"\n"),
                '\t' => out.push_str(r"\t"),
                '\'' | '\\' => out.extend(['\\', letter]),
                _ if is_safe(letter) => out.push(letter),
                _ => octal(&mut out, letter.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        octal(&mut out, chunk.invalid());
    }
    out + "'"
}

fn octal(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(out, r"\{byte:03o}");
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::{CStr, CString};
    use std::os::unix::ffi::OsStrExt as _;
    use std::process::Command;

    use super::line;

    fn of(words: &[&[u8]]) -> (Vec<CString>, String) {
        let words: Vec<CString> = words.iter().map(|word| CString::new(*word).expect("no NUL")).collect();
        let line = line(&words.iter().map(CString::as_c_str).collect::<Vec<&CStr>>());
        (words, line)
    }

    #[test]
    fn only_what_needs_it_is_quoted() {
        let shown = |words: &[&[u8]]| of(words).1;
        assert_eq!(shown(&[b"sh", b"-c", b"echo it's; x", b""]), r"sh -c 'echo it'\''s; x' ''");
        assert_eq!(shown(&[b"a=b", b"--port=80", b"@host:/x,y+z%"]), "'a=b' --port=80 @host:/x,y+z%");
        assert_eq!(
            shown(&[b"a\nb'", b"\x1b[2J\xff", "\u{e9} \u{202e}".as_bytes()]),
            "$'a\\nb\\'' $'\\033[2J\\377' $'\u{e9} \\342\\200\\256'"
        );
    }

    #[test]
    fn a_shell_reads_the_same_words() {
        let all: Vec<u8> = (1..=255).collect();
        let words: [&[u8]; 9] = [b"printf", b"%s\\0", &all, b"", b" ", b"a\nb", b"$HOME `x` \"y\" \\", b"~", b"!x *"];
        let (words, line) = of(&words);
        let read = Command::new("bash").args(["-c", &line]).output().expect("bash runs").stdout;
        let wanted: Vec<u8> = words.iter().skip(2).flat_map(|word| word.to_bytes_with_nul()).copied().collect();
        assert_eq!(std::ffi::OsStr::from_bytes(&read), std::ffi::OsStr::from_bytes(&wanted), "{line}");
    }
}
