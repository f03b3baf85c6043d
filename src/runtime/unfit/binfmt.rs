//! Programs that the kernel has others run: the emulators in /proc/sys/fs/binfmt_misc (binfmt-misc.rst).

use std::fs;

/// An emulator that is registered by what a file begins with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Handler {
    pub(super) name: String,
    pub(super) interpreter: String,
    /// Flag F: it was opened when it was registered, and works in every root filesystem.
    pub(super) is_open: bool,
    offset: usize,
    magic: Vec<u8>,
    mask: Vec<u8>,
}

/// Those that are enabled.
pub(super) fn registered() -> Vec<Handler> {
    let entries = fs::read_dir("/proc/sys/fs/binfmt_misc").into_iter().flatten().flatten();
    let read = |entry: fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        Handler::parse(&name, &fs::read_to_string(entry.path()).ok()?)
    };
    entries.filter_map(read).collect()
}

impl Handler {
    /// `None` if it is not enabled, or goes by the file's name.
    fn parse(name: &str, text: &str) -> Option<Handler> {
        let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
        let magic = bytes(value("magic ")?)?;
        let mask = value("mask ").map_or_else(|| Some(vec![0xff; magic.len()]), bytes)?;
        let handler = Handler {
            name: name.to_owned(),
            interpreter: value("interpreter ")?.to_owned(),
            is_open: value("flags:").is_some_and(|flags| flags.contains('F')),
            offset: value("offset ").map_or(Some(0), |digits| digits.parse().ok())?,
            magic,
            mask,
        };
        text.starts_with("enabled").then_some(handler)
    }

    /// Whether it is for a file that begins so.
    pub(super) fn takes(&self, start: &[u8]) -> bool {
        let there = start.get(self.offset..).unwrap_or_default();
        let same = |((byte, magic), mask): ((&u8, &u8), &u8)| byte & mask == magic & mask;
        there.len() >= self.magic.len() && there.iter().zip(&self.magic).zip(&self.mask).all(same)
    }
}

/// Hexadecimal digits, two a byte.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// As qemu-user-static registers it.
    pub(crate) fn aarch64(flags: &str) -> Handler {
        let text = format!(
            "enabled\ninterpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P\nflags: {flags}\noffset 0\n\
             magic 7f454c460201010000000000000000000200b700\nmask ffffffffffffff00fffffffffffffffffeffffff\n"
        );
        Handler::parse("qemu-aarch64", &text).expect("it is one")
    }

    #[test]
    fn a_handler_takes_what_its_magic_and_mask_say() {
        let handler = aarch64("POCF");
        let mut file = b"\x7fELF\x02\x01\x01\x03\0\0\0\0\0\0\0\0\x03\0\xb7\0".to_vec();
        assert!(handler.is_open && handler.takes(&file));
        file[18] = 62;
        assert!(!handler.takes(&file) && !handler.takes(b"\x7fELF") && !handler.takes(b""));
        assert!(!aarch64("OC").is_open);
    }

    #[test]
    fn what_is_no_handler_by_magic_is_left_out() {
        for text in ["", "enabled\n", "disabled\ninterpreter /x\nflags: \noffset 0\nmagic 7f45\n"] {
            assert_eq!(Handler::parse("x", text), None, "{text}");
        }
        assert_eq!(Handler::parse("jar", "enabled\ninterpreter /usr/bin/jexec\nflags: \nextension .jar\n"), None);
        assert_eq!(Handler::parse("x", "enabled\ninterpreter /x\nflags: \noffset 0\nmagic 7f4\n"), None);
    }
}
