//! Answers by number, as a program for the kernel's filter machine (seccomp(2), bpf(4) of the BSDs): a binary search, so
//! that a call is answered after some ten instructions.

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

/// What is looked at before a call is allowed. It is an argument of 32 bits in all of them; what stands
/// in the upper half of the register the kernel does not look at either.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Check {
    /// No flag that makes a namespace.
    Clone,
    /// One of those that programs need: Linux or a machine of 32 bits, each with UNAME26 or not; or a question.
    Personality,
    /// Not TIOCSTI and TIOCLINUX, which type on the terminal: with ours inside, that would be on the host's shell
    /// (CVE-2017-5226). Docker need not forbid them, as its terminals are its own.
    Terminal,
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
const SECOND_ARGUMENT: u32 = 24;
/// asm-generic/ioctls.h. Only the lower half is compared, as the kernel does (CVE-2019-10063).
pub(super) const TYPING: [u32; 2] = [0x5412, 0x541C];

/// A program that answers by the convention, then by the number. Each list is sorted and has an answer for 0, and each answer is for
/// what follows, too, up to the next one.
pub(super) fn compile(conventions: impl Iterator<Item = (u32, Vec<(u32, Answer)>)>) -> Vec<sock_filter> {
    // Room for what docker's profile takes: each time that it grew, it would be copied.
    let mut program = Vec::with_capacity(1024);
    program.push(load(CONVENTION));
    for (convention, mut parts) in conventions {
        // Neighbours with the same answer are one.
        parts.dedup_by_key(|(_, answer)| *answer);
        program.push(jump(libc::BPF_JEQ, convention, 1, 0));
        program.push(go(length(&parts) + 1));
        program.push(load(NUMBER));
        search(&parts, &mut program);
    }
    program.push(end(libc::SECCOMP_RET_KILL_PROCESS));
    program
}

/// Finds the last part that begins at or before the number.
fn search(parts: &[(u32, Answer)], program: &mut Vec<sock_filter>) {
    let (low, high) = parts.split_at(parts.len() / 2);
    let Some((first, answer)) = high.first() else { return };
    if low.is_empty() {
        return answer.write(program);
    }
    let left_out = length(low);
    match u8::try_from(left_out) {
        Ok(left_out) => program.push(jump(libc::BPF_JGE, *first, left_out, 0)),
        // Further than a condition can jump.
        Err(_) => program.extend([jump(libc::BPF_JGE, *first, 0, 1), go(left_out)]),
    }
    search(low, program);
    search(high, program);
}

/// How many instructions that takes.
fn length(parts: &[(u32, Answer)]) -> usize {
    let (low, high) = parts.split_at(parts.len() / 2);
    match high.first() {
        None => 0,
        Some((_, answer)) if low.is_empty() => answer.length(),
        Some(_) => {
            let left_out = length(low);
            let jump = if u8::try_from(left_out).is_ok() { 1 } else { 2 };
            jump + left_out + length(high)
        }
    }
}

impl Answer {
    fn length(self) -> usize {
        match self {
            Answer::Allow | Answer::Errno(_) => 1,
            Answer::Check(Check::Clone | Check::Socket) => 4,
            Answer::Check(Check::Terminal) => 5,
            Answer::Check(Check::Personality) => 3 + PERSONALITIES.len(),
        }
    }

    fn write(self, program: &mut Vec<sock_filter>) {
        match self {
            Answer::Allow => program.push(end(libc::SECCOMP_RET_ALLOW)),
            Answer::Errno(errno) => program.push(refuse(errno)),
            Answer::Check(Check::Clone) => program.extend([
                load(FIRST_ARGUMENT),
                jump(libc::BPF_JSET, NAMESPACES, 1, 0),
                end(libc::SECCOMP_RET_ALLOW),
                refuse(libc::EPERM),
            ]),
            Answer::Check(Check::Personality) => {
                program.push(load(FIRST_ARGUMENT));
                // Each leads to the last instruction.
                let jumps = PERSONALITIES.into_iter().zip((1..=5).rev());
                program.extend(jumps.map(|(value, left)| jump(libc::BPF_JEQ, value, left, 0)));
                program.extend([refuse(libc::EPERM), end(libc::SECCOMP_RET_ALLOW)]);
            }
            Answer::Check(Check::Terminal) => program.extend([
                load(SECOND_ARGUMENT),
                jump(libc::BPF_JEQ, TYPING[0], 2, 0),
                jump(libc::BPF_JEQ, TYPING[1], 1, 0),
                end(libc::SECCOMP_RET_ALLOW),
                refuse(libc::EPERM),
            ]),
            Answer::Check(Check::Socket) => program.extend([
                load(FIRST_ARGUMENT),
                jump(libc::BPF_JEQ, libc::AF_VSOCK.cast_unsigned(), 1, 0),
                end(libc::SECCOMP_RET_ALLOW),
                refuse(libc::EPERM),
            ]),
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
