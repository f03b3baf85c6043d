//! The two smallest payloads: ELF files of some 200 bytes, written by hand, because the start of anything larger (a
//! shell, `true`, even a static C program) costs more than the start of the init that is to be measured.
//!
//! `exit` exits with 0. `stamp` writes the monotonic time of its first instruction to descriptor 1, then exits with 0.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::error::{Doing, Result};
use crate::inits::cache;

const HEADERS: u64 = 64 + 56;
const BASE: u64 = 0x40_0000;

#[cfg(target_arch = "x86_64")]
mod code {
    pub(super) const MACHINE: u16 = 62;
    /// xor edi,edi; mov eax,60 (exit); syscall
    pub(super) const EXIT: &[u8] = &[0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05];
    pub(super) const STAMP: &[u8] = &[
        0x48, 0x83, 0xec, 0x10, // sub rsp,16
        0xb8, 228, 0, 0, 0, 0xbf, 1, 0, 0, 0, // mov eax,228 (clock_gettime); mov edi,1 (CLOCK_MONOTONIC)
        0x48, 0x89, 0xe6, 0x0f, 0x05, // mov rsi,rsp; syscall
        0xb8, 1, 0, 0, 0, 0xbf, 1, 0, 0, 0, // mov eax,1 (write); mov edi,1
        0x48, 0x89, 0xe6, 0xba, 16, 0, 0, 0, 0x0f, 0x05, // mov rsi,rsp; mov edx,16; syscall
        0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05, // xor edi,edi; mov eax,60 (exit); syscall
    ];
}

#[cfg(target_arch = "aarch64")]
mod code {
    pub(super) const MACHINE: u16 = 183;
    /// mov x0,#0; mov x8,#93 (exit); svc #0
    pub(super) const EXIT: &[u8] = &[0, 0, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 1, 0, 0, 0xd4];
    pub(super) const STAMP: &[u8] = &[
        0xff, 0x43, 0x00, 0xd1, // sub sp,sp,#16
        0x20, 0x00, 0x80, 0xd2, 0xe1, 0x03, 0x00, 0x91, // mov x0,#1 (CLOCK_MONOTONIC); mov x1,sp
        0x28, 0x0e, 0x80, 0xd2, 1, 0, 0, 0xd4, // mov x8,#113 (clock_gettime); svc #0
        0x20, 0x00, 0x80, 0xd2, 0xe1, 0x03, 0x00, 0x91, // mov x0,#1; mov x1,sp
        0x02, 0x02, 0x80, 0xd2, 0x08, 0x08, 0x80, 0xd2, 1, 0, 0, 0xd4, // mov x2,#16; mov x8,#64 (write); svc #0
        0, 0, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 1, 0, 0, 0xd4, // mov x0,#0; mov x8,#93 (exit); svc #0
    ];
}

/// Exits at once.
pub(crate) fn exit() -> Result<PathBuf> {
    write("exit", code::EXIT)
}

/// Tells when it began, and exits.
pub(crate) fn stamp() -> Result<PathBuf> {
    write("stamp", code::STAMP)
}

fn write(name: &str, code: &[u8]) -> Result<PathBuf> {
    let dir = cache();
    let path = dir.join(name);
    fs::create_dir_all(&dir).doing("create", dir.display())?;
    // A file that is being executed cannot be written to, so the old one makes way.
    let _ = fs::remove_file(&path);
    fs::write(&path, elf(code)).doing("write", path.display())?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).doing("change the mode of", path.display())?;
    Ok(path)
}

/// One readable and executable segment that holds the whole file; the names are those of elf(5).
fn elf(code: &[u8]) -> Vec<u8> {
    let size = HEADERS + code.len() as u64;
    let mut file = Vec::new();
    // e_ident: 64 bits, little-endian, version 1.
    file.extend([0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    // e_type (ET_EXEC), e_machine, e_version.
    file.extend([2u16, code::MACHINE, 1, 0].iter().flat_map(|half| half.to_le_bytes()));
    // e_entry, e_phoff, e_shoff.
    file.extend([BASE + HEADERS, 64, 0].iter().flat_map(|word| word.to_le_bytes()));
    // e_flags (two halves), e_ehsize, e_phentsize, e_phnum, e_shentsize, e_shnum, e_shstrndx.
    file.extend([0u16, 0, 64, 56, 1, 64, 0, 0].iter().flat_map(|half| half.to_le_bytes()));
    // p_type (PT_LOAD), p_flags (R and X).
    file.extend([1u32, 5].iter().flat_map(|word| word.to_le_bytes()));
    // p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_align.
    file.extend([0, BASE, BASE, size, size, 0x1000].iter().flat_map(|word| word.to_le_bytes()));
    file.extend(code);
    file
}
