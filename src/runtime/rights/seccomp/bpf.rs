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
    /// Not AF_VSOCK, which leads to the hypervisor and knows no namespaces, nor AF_ALG, by which files were changed in the
    /// page cache that all containers of a machine share (CVE-2026-31431).
    Socket,
}

/// Of [`Check::Socket`]. (By socketcall(2) of 32-bit programs there is a way to them: its arguments no filter can see, and
/// docker, which forbade it for this, allows it again.)
const FAMILIES: [u32; 2] = [libc::AF_ALG.cast_unsigned(), libc::AF_VSOCK.cast_unsigned()];

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

/// Answers by number, sorted, with an answer for 0; each is for what follows, too, up to the next one.
pub(super) type Parts = Vec<(u32, Answer)>;

/// How the calls by one convention are answered.
pub(super) struct Section {
    /// Its number in linux/audit.h.
    pub(super) audit: u32,
    pub(super) parts: Parts,
    pub(super) x32: Option<X32Numbers>,
}

/// Numbers with another bit, which are answered as they are without it, but for those from one on.
pub(super) struct X32Numbers {
    pub(super) bit: u32,
    pub(super) first: u32,
    pub(super) parts: Parts,
}

/// A program that answers by the convention, then by the number.
pub(super) fn compile(sections: impl DoubleEndedIterator<Item = Section>) -> Vec<sock_filter> {
    let mut program = Backwards::default();
    let mut start = program.push(end(libc::SECCOMP_RET_KILL_PROCESS));
    for Section { audit, parts, x32 } in sections.rev() {
        let mut numbers = program.search(&parts);
        if let Some(X32Numbers { bit, first, parts }) = x32 {
            let high = program.search(&parts);
            program.branch(libc::BPF_JGE, first, high, numbers);
            let without = program.push(without(bit));
            numbers = program.branch(libc::BPF_JGE, bit, without, numbers);
        }
        let found = program.load(NUMBER, numbers);
        start = program.branch(libc::BPF_JEQ, audit, found, start);
    }
    program.load(CONVENTION, start);
    program.code.reverse();
    program.code
}

/// A program, written from its end on, because the machine jumps forward only: so the answers are there when they are
/// jumped to, each once for all who can reach it. The kernel compiles it for each container, by the instruction.
#[derive(Default)]
struct Backwards {
    code: Vec<sock_filter>,
    answers: Vec<(Answer, Label)>,
}

/// An instruction, by how many there are from it to the end.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Label(usize);

/// As far as a condition can jump.
const REACH: usize = 255;

impl Backwards {
    fn push(&mut self, instruction: sock_filter) -> Label {
        self.code.push(instruction);
        Label(self.code.len())
    }

    /// How many instructions one that is written now would leave out to get there.
    fn distance(&self, to: Label) -> usize {
        self.code.len().saturating_sub(to.0)
    }

    /// Loads the word at that place, and goes on there.
    fn load(&mut self, place: u32, next: Label) -> Label {
        if self.distance(next) > 0 {
            self.push(go(self.distance(next)));
        }
        self.push(load(place))
    }

    /// Goes to one of the two.
    fn branch(&mut self, condition: u32, value: u32, holds: Label, fails: Label) -> Label {
        // What is written for one of them makes the other one further away.
        let holds = self.nearer(holds, REACH - 1);
        let fails = self.nearer(fails, REACH);
        let [holds, fails] = [holds, fails].map(|label| u8::try_from(self.distance(label)).unwrap_or(u8::MAX));
        self.push(jump(condition, value, holds, fails))
    }

    fn nearer(&mut self, label: Label, reach: usize) -> Label {
        match self.distance(label) {
            near if near <= reach => label,
            far => self.push(go(far)),
        }
    }

    /// Finds the last part that begins at or before the number.
    fn search(&mut self, parts: &[(u32, Answer)]) -> Label {
        match parts {
            [] => self.answer(Answer::Errno(libc::ENOSYS)),
            [(_, only)] => self.answer(*only),
            // A number of its own among others.
            [(_, around), (number, own), (next, again)] if around == again && *next == number + 1 => {
                let (own, around) = (self.answer(*own), self.answer(*around));
                self.branch(libc::BPF_JEQ, *number, own, around)
            }
            _ => {
                let (low, high) = parts.split_at(parts.len() / 2);
                let first = high.first().map_or(0, |(first, _)| *first);
                let (high, low) = (self.search(high), self.search(low));
                self.branch(libc::BPF_JGE, first, high, low)
            }
        }
    }

    fn answer(&mut self, answer: Answer) -> Label {
        let written = self.answers.iter().rev().find(|(it, _)| *it == answer).map(|(_, label)| *label);
        if let Some(label) = written.filter(|label| self.distance(*label) < REACH - 1) {
            return label;
        }
        let label = self.write(answer);
        self.answers.push((answer, label));
        label
    }

    fn write(&mut self, answer: Answer) -> Label {
        let check = match answer {
            Answer::Allow => return self.push(end(libc::SECCOMP_RET_ALLOW)),
            Answer::Errno(errno) => return self.push(refuse(errno)),
            Answer::Check(check) => check,
        };
        let (allowed, refused) = (self.answer(Answer::Allow), self.answer(Answer::Errno(libc::EPERM)));
        let (place, start) = match check {
            Check::Clone => (FIRST_ARGUMENT, self.branch(libc::BPF_JSET, NAMESPACES, refused, allowed)),
            Check::Personality => (FIRST_ARGUMENT, self.one_of(&PERSONALITIES, allowed, refused)),
            Check::Terminal => (SECOND_ARGUMENT, self.one_of(&TYPING, refused, allowed)),
            Check::Socket => (FIRST_ARGUMENT, self.one_of(&FAMILIES, refused, allowed)),
        };
        self.load(place, start)
    }

    fn one_of(&mut self, values: &[u32], one: Label, none: Label) -> Label {
        values.iter().rev().fold(none, |next, value| self.branch(libc::BPF_JEQ, *value, one, next))
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

/// Takes the bit out of the word.
fn without(bit: u32) -> sock_filter {
    instruction(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, !bit, 0, 0)
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
