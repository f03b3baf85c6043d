//! Which system calls the processes of a container may make: a list of what is allowed, as docker's default profile has
//! it, and EPERM for the rest. What a capability that the container keeps is for is allowed with it.
//!
//! The filter is compiled here, and not by a library: one program answers for two or three machines (a 64-bit kernel
//! runs 32-bit programs), with several errors, and looks at arguments. The crate seccompiler has one machine and one
//! error in a filter; libseccomp is C.
//!
//! 1. A number that no kernel had when this was written gets ENOSYS, so that a C library tries the older call. So does
//!    clone3, whose flags no filter can see.
//! 2. A call by another machine's convention than those that the kernel runs kills the process.
//! 3. No descriptor, no memory: the filter is loaded by one system call on a value that was prepared before.

mod bpf;
mod calls;
#[cfg(test)]
mod real_tests;
#[cfg(test)]
mod tests;

use std::fmt;

use nix::errno::Errno;
use supervise_init::sys::{self, Capabilities};

use self::bpf::{Answer, Check, Parts, Section, X32Numbers};
use self::calls::{
    ALWAYS, BY_CAPABILITY, CLONE, CLONE3, Call, IOCTL, LAST, LAST_X32, PERSONALITY, SOCKET, X32, X32_BIT,
};
use crate::sys::rights::set_filter;

/// A kernel that we run on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(not(test), expect(dead_code, reason = "one of them is ours"))]
enum Machine {
    X86_64,
    Aarch64,
}

#[cfg(target_arch = "x86_64")]
const OURS: Machine = Machine::X86_64;
#[cfg(target_arch = "aarch64")]
const OURS: Machine = Machine::Aarch64;

/// How a program calls the kernel: the convention's number in linux/audit.h, and the column of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Convention {
    audit: u32,
    column: usize,
}

const X86_64: Convention = Convention { audit: 0xC000_003E, column: 0 };
const I386: Convention = Convention { audit: 0x4000_0003, column: 1 };
const AARCH64: Convention = Convention { audit: 0xC000_00B7, column: 2 };

impl Machine {
    /// The first is what most programs use. (32-bit ARM is not among them: there is no table for it yet.)
    fn conventions(self) -> &'static [Convention] {
        match self {
            Machine::X86_64 => &[X86_64, I386],
            Machine::Aarch64 => &[AARCH64],
        }
    }
}

/// A filter, compiled.
#[derive(Debug)]
pub(crate) struct Filter {
    program: Vec<libc::sock_filter>,
}

impl Filter {
    /// For a container that keeps these capabilities.
    pub(crate) fn new(capabilities: Capabilities) -> Filter {
        Filter::for_machine(OURS, capabilities)
    }

    fn for_machine(machine: Machine, capabilities: Capabilities) -> Filter {
        let sections = machine.conventions().iter().map(|convention| section(*convention, capabilities));
        let program = bpf::compile(sections);
        Filter { program }
    }

    /// Applies it to the calling thread and to what that starts, for good.
    ///
    /// # Errors
    /// [`Error::Load`]: the kernel has no filters, or we have neither CAP_SYS_ADMIN nor no_new_privs.
    pub(crate) fn load(&self) -> Result<(), Error> {
        set_filter(&self.program).map_err(Error::Load)
    }
}

/// What is answered to each number. (By a table, and not by a sorted map: that would be a tenth of the time in which a
/// container starts.)
fn section(convention: Convention, capabilities: Capabilities) -> Section {
    let mut table = [Answer::Errno(libc::EPERM); LAST_X32 as usize + 1];
    set(&mut table, allowed(convention, capabilities));
    let parts = parts(0, &table[..=LAST as usize]);
    let x32 = (convention == X86_64).then(|| {
        let first = X32.iter().map(|(_, theirs)| *theirs).min().unwrap_or(LAST_X32);
        // A call with a number of its own in x32 is the same under x86_64's, where the kernel takes that.
        let number = |number: u32| X32.iter().find(|(ours, _)| *ours == number).map(|(_, theirs)| *theirs);
        let own = allowed(convention, capabilities).filter_map(|(ours, answer)| Some((number(ours)?, answer)));
        table.fill(Answer::Errno(libc::EPERM));
        set(&mut table, own);
        X32Numbers { bit: X32_BIT, first, parts: self::parts(first, &table[first as usize..]) }
    });
    Section { audit: convention.audit, parts, x32 }
}

/// Gives single numbers an answer of their own. The later one counts.
fn set(table: &mut [Answer], single: impl Iterator<Item = (u32, Answer)>) {
    for (number, answer) in single {
        if let Some(place) = table.get_mut(number as usize) {
            *place = answer;
        }
    }
}

/// What the table says, from this number on; neighbours with the same answer are one. Behind it there is nothing.
fn parts(first: u32, table: &[Answer]) -> Parts {
    let mut parts = Parts::with_capacity(128);
    let end = (first + table.len() as u32, Answer::Errno(libc::ENOSYS));
    for (number, answer) in (first..).zip(table.iter().copied()).chain([end]) {
        if parts.last().is_none_or(|(_, last)| *last != answer) {
            parts.push((number, answer));
        }
    }
    parts
}

/// The numbers with an answer of their own.
fn allowed(convention: Convention, capabilities: Capabilities) -> impl Iterator<Item = (u32, Answer)> {
    let number = move |call: &Call| u32::try_from(*call.numbers.get(convention.column)?).ok();
    let checked = [
        (CLONE, Answer::Check(Check::Clone)),
        (CLONE3, Answer::Errno(libc::ENOSYS)),
        (PERSONALITY, Answer::Check(Check::Personality)),
        (SOCKET, Answer::Check(Check::Socket)),
        (IOCTL, Answer::Check(Check::Terminal)),
    ];
    let kept = BY_CAPABILITY.iter().filter(move |(capability, _)| capabilities.has(*capability));
    let kept = kept.flat_map(|(_, calls)| calls.iter()).map(|call| (*call, Answer::Allow));
    let always = ALWAYS.iter().map(|call| (*call, Answer::Allow));
    always.chain(checked).chain(kept).filter_map(move |(call, answer)| Some((number(&call)?, answer)))
}

/// Why there is no filter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Error {
    Load(Errno),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Error::Load(errno) = self;
        write!(f, "cannot load the seccomp filter: {}", sys::Errno(*errno as i32))?;
        f.write_str(match errno {
            Errno::EACCES => " (needs no_new_privs, or CAP_SYS_ADMIN)",
            Errno::ENOSYS | Errno::EINVAL => " (a kernel without CONFIG_SECCOMP_FILTER?)",
            _ => "",
        })
    }
}
