//! What a program's file says of itself: the interpreter of a script; the machine, the loader and the oldest kernel of an
//! ELF file (execve(2), elf(5)).

use std::ffi::CStr;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use elf::abi;
use elf::endian::AnyEndian;
use elf::file::{Class, FileHeader, parse_ident};
use elf::note::{Note, NoteIterator};
use elf::segment::{ProgramHeader, SegmentTable};

/// Headers and the names that they point to are at the start of a file.
const START: u64 = 64 * 1024;

/// The start of a file. What cannot be read has nothing to tell.
pub(crate) fn read_start(file: &Path) -> Vec<u8> {
    File::open(file).map(start_of).unwrap_or_default()
}

/// The same of one that is open.
pub(crate) fn start_of(file: impl Read) -> Vec<u8> {
    let mut start = Vec::with_capacity(START as usize);
    let _ = file.take(START).read_to_end(&mut start);
    start
}

/// What follows `#!`, up to the first blank.
pub(crate) fn script_interpreter(start: &[u8]) -> Option<String> {
    let line = script_line(start)?;
    line.split([' ', '\t']).next().map(str::to_owned)
}

/// What follows `#!`.
pub(crate) fn script_line(start: &[u8]) -> Option<String> {
    let line = start.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    Some(String::from_utf8_lossy(line.trim_ascii_start()).into_owned())
}

/// The headers of an ELF file.
#[derive(Debug)]
pub(crate) struct Elf {
    endianness: AnyEndian,
    class: Class,
    machine: u16,
    segments: Vec<ProgramHeader>,
}

impl Elf {
    /// From the start of the file. `ElfBytes` would want the section headers as well, which stand at the file's end.
    pub(crate) fn parse(start: &[u8]) -> Option<Elf> {
        // Of less than this it would take slices that are not there.
        let (ident, tail) = start.split_at_checked(abi::EI_NIDENT)?;
        let header: FileHeader<AnyEndian> = FileHeader::parse_tail(parse_ident(ident).ok()?, tail).ok()?;
        let (endianness, class, machine) = (header.endianness, header.class, header.e_machine);
        let table = || {
            let first = usize::try_from(header.e_phoff).ok()?;
            let length = usize::from(header.e_phnum) * usize::from(header.e_phentsize);
            start.get(first..first.checked_add(length)?)
        };
        let segments = table().map(|table| SegmentTable::new(endianness, class, table).iter().collect());
        Some(Elf { endianness, class, machine, segments: segments.unwrap_or_default() })
    }

    /// As `uname -m` calls it.
    pub(crate) fn machine(&self) -> String {
        let name = match self.machine {
            abi::EM_X86_64 => "x86_64",
            abi::EM_386 => "i386",
            abi::EM_AARCH64 => "aarch64",
            abi::EM_ARM => "arm",
            abi::EM_RISCV => "riscv",
            abi::EM_PPC64 => "ppc64",
            abi::EM_S390 => "s390",
            abi::EM_MIPS => "mips",
            abi::EM_LOONGARCH => "loongarch",
            other => return format!("ELF machine {other}"),
        };
        name.to_owned()
    }

    /// Whether the other one is for the same machine and the same size of word.
    pub(crate) fn is_like(&self, other: &Elf) -> bool {
        (self.machine, self.class) == (other.machine, other.class)
    }

    /// The path in the PT_INTERP segment, within the start of the file.
    pub(crate) fn loader(&self, start: &[u8]) -> Option<String> {
        let segment = self.segments.iter().find(|segment| segment.p_type == abi::PT_INTERP)?;
        let path = start.get(usize::try_from(segment.p_offset).ok()?..)?;
        Some(CStr::from_bytes_until_nul(path).ok()?.to_string_lossy().into_owned())
    }

    /// The oldest Linux that it runs on, if it says so: NT_GNU_ABI_TAG in a note segment, which may be anywhere in the
    /// file (Linux Standard Base, "Special Sections").
    pub(crate) fn oldest_kernel(&self, file: &File) -> Option<Release> {
        /// More than the notes of any program.
        const MOST: u64 = 64 * 1024;
        let notes = self.segments.iter().filter(|segment| segment.p_type == abi::PT_NOTE && segment.p_filesz <= MOST);
        notes.into_iter().find_map(|segment| {
            let mut data = vec![0; usize::try_from(segment.p_filesz).ok()?];
            file.read_exact_at(&mut data, segment.p_offset).ok()?;
            let align = usize::try_from(segment.p_align).ok()?;
            NoteIterator::new(self.endianness, self.class, align, &data).find_map(|note| match note {
                Note::GnuAbiTag(tag) if tag.os == abi::ELF_NOTE_GNU_ABI_TAG_OS_LINUX => {
                    Some(Release(tag.major, tag.minor, tag.subminor))
                }
                _ => None,
            })
        })
    }
}

/// A release of Linux, like 6.18.44.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Release(pub(crate) u32, pub(crate) u32, pub(crate) u32);

impl Release {
    /// The numbers that such a word begins with: `6.18.44-cloud`, `7.0-rc1`.
    pub(crate) fn parse(word: &str) -> Option<Release> {
        let mut numbers = word.split('.').map(|part| {
            let end = part.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(part.len());
            part.get(..end).and_then(|digits| digits.parse().ok())
        });
        Some(Release(numbers.next()??, numbers.next()??, numbers.next().flatten().unwrap_or(0)))
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Release(major, minor, patch) = self;
        write!(f, "{major}.{minor}.{patch}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interpreter_is_what_the_kernel_takes_it_for() {
        for (start, interpreter) in [
            (&b"#!/bin/sh\necho"[..], Some("/bin/sh")),
            (b"#! /usr/bin/env python3\n", Some("/usr/bin/env")),
            (b"#!/bin/sh\r\n", Some("/bin/sh\r")),
            (b"#!/bin/sh", Some("/bin/sh")),
            (b"echo", None),
            (b"", None),
        ] {
            assert_eq!(script_interpreter(start).as_deref(), interpreter);
        }
    }

    #[test]
    fn releases_are_compared_by_their_numbers() {
        for (word, release) in [
            ("6.18.44-fc-v657", Some(Release(6, 18, 44))),
            ("7.0-rc1", Some(Release(7, 0, 0))),
            ("3.10.0-1160.el7.x86_64", Some(Release(3, 10, 0))),
            ("6", None),
            ("", None),
            ("x.y", None),
        ] {
            assert_eq!(Release::parse(word), release, "{word}");
        }
        assert!(Release(6, 9, 0) < Release(6, 18, 0) && Release(6, 18, 0) < Release(6, 18, 1));
    }

    #[test]
    fn a_program_of_this_machine_says_so() {
        let file = Path::new("/usr/bin/env");
        let start = read_start(file);
        let elf = Elf::parse(&start).expect("it is an ELF file");
        assert_eq!(elf.machine(), std::env::consts::ARCH);
        assert!(elf.loader(&start).is_some_and(|loader| loader.contains("ld-")));
        // Debian's are for Linux 3.2 and later, and have been for long.
        let oldest = elf.oldest_kernel(&File::open(file).expect("it is there"));
        assert!(oldest.is_some_and(|release| release > Release(2, 0, 0) && release < Release(7, 0, 0)), "{oldest:?}");
        assert!(Elf::parse(b"\x7fELF").is_none() && Elf::parse(b"").is_none());
    }
}
