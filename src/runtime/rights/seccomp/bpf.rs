//! Answers by number, as a program for the kernel's filter machine (seccomp(2), bpf(4) of the BSDs): a binary search, so
//! that a call is answered after some ten instructions.

use std::collections::BTreeMap;

use libc::sock_filter;

/// What the kernel is to do with a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    Allow,
    /// It fails with this.
    Errno(i32),
    /// Its arguments decide.
    Check(Check),
}

/// What is looked at before a call is allowed. Its first argument is an integer of 32 bits in all of them; what stands
/// in the upper half of the register the kernel does not look at either.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Check {
    /// No flag that makes a namespace.
    Clone,
    /// One of those that programs need: Linux or a machine of 32 bits, each with UNAME26 or not; or a question.
    Personality,
    /// Not AF_VSOCK, which leads to the hypervisor and knows no namespaces.
    Socket,
}

/// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET (clone(2)).
pub(super) const NAMESPACES: u32 = 0x7E02_0000;
/// PER_LINUX, PER_LINUX32, UNAME26, both, and the question (personality(2)).
pub(super) const PERSONALITIES: [u32; 5] = [0, 0x0008, 0x0002_0000, 0x0002_0008, 0xFFFF_FFFF];

/// Where these are in `struct seccomp_data`; both machines have the low half first.
const NUMBER: u32 = 0;
const CONVENTION: u32 = 4;
const FIRST_ARGUMENT: u32 = 16;

/// A program that answers by the convention, then by the number. Each map has an answer for 0, and each answer is for
/// what follows, too, up to the next one.
pub(super) fn compile(conventions: impl Iterator<Item = (u32, BTreeMap<u32, Answer>)>) -> Vec<sock_filter> {
    let mut program = vec![load(CONVENTION)];
    for (convention, answers) in conventions {
        let mut parts: Vec<(u32, Answer)> = answers.into_iter().collect();
        // Neighbours with the same answer are one.
        parts.dedup_by_key(|(_, answer)| *answer);
        let search = search(&parts);
        program.push(jump(libc::BPF_JEQ, convention, 1, 0));
        program.push(go(search.len() + 1));
        program.push(load(NUMBER));
        program.extend(search);
    }
    program.push(end(libc::SECCOMP_RET_KILL_PROCESS));
    program
}

/// Finds the last part that begins at or before the number.
fn search(parts: &[(u32, Answer)]) -> Vec<sock_filter> {
    let (low, high) = parts.split_at(parts.len() / 2);
    let Some((first, answer)) = high.first() else { return Vec::new() };
    if low.is_empty() {
        return answer.code();
    }
    let (low, high) = (search(low), search(high));
    let mut code = match u8::try_from(low.len()) {
        Ok(length) => vec![jump(libc::BPF_JGE, *first, length, 0)],
        // Further than a condition can jump.
        Err(_) => vec![jump(libc::BPF_JGE, *first, 0, 1), go(low.len())],
    };
    code.extend(low);
    code.extend(high);
    code
}

impl Answer {
    fn code(self) -> Vec<sock_filter> {
        match self {
            Answer::Allow => vec![end(libc::SECCOMP_RET_ALLOW)],
            Answer::Errno(errno) => vec![refuse(errno)],
            Answer::Check(Check::Clone) => vec![
                load(FIRST_ARGUMENT),
                jump(libc::BPF_JSET, NAMESPACES, 1, 0),
                end(libc::SECCOMP_RET_ALLOW),
                refuse(libc::EPERM),
            ],
            Answer::Check(Check::Personality) => {
                let mut code = vec![load(FIRST_ARGUMENT)];
                // Each leads to the last instruction.
                let jumps = PERSONALITIES.into_iter().zip((1..=5).rev());
                code.extend(jumps.map(|(value, left)| jump(libc::BPF_JEQ, value, left, 0)));
                code.extend([refuse(libc::EPERM), end(libc::SECCOMP_RET_ALLOW)]);
                code
            }
            Answer::Check(Check::Socket) => vec![
                load(FIRST_ARGUMENT),
                jump(libc::BPF_JEQ, libc::AF_VSOCK.cast_unsigned(), 1, 0),
                end(libc::SECCOMP_RET_ALLOW),
                refuse(libc::EPERM),
            ],
        }
    }
}

/// The word at that place.
fn load(place: u32) -> sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, place, 0, 0)
}

/// Leaves out so many instructions where the condition holds, and so many where it does not.
fn jump(condition: u32, value: u32, holds: u8, fails: u8) -> sock_filter {
    instruction(libc::BPF_JMP | condition | libc::BPF_K, value, holds, fails)
}

/// Leaves out so many instructions.
fn go(length: usize) -> sock_filter {
    // The kernel takes 4096 instructions in all.
    instruction(libc::BPF_JMP | libc::BPF_JA, length as u32, 0, 0)
}

fn end(answer: u32) -> sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, answer, 0, 0)
}

fn refuse(errno: i32) -> sock_filter {
    end(libc::SECCOMP_RET_ERRNO | errno.cast_unsigned() & libc::SECCOMP_RET_DATA)
}

fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    // All codes are below 256.
    sock_filter { code: code as u16, jt, jf, k }
}
