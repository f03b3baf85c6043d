//! The table against the kernel's headers; the compiled program against the table, by a filter machine of our own.

use std::collections::HashMap;
use std::fs;

use super::*;
use crate::runtime::rights::capabilities;

/// The numbers of a header, by name.
fn header(path: &str) -> HashMap<String, i16> {
    let text = fs::read_to_string(path).expect("a compiler for C is installed, and its headers");
    let number = |line: &str| {
        let rest = line.strip_prefix("#define __NR")?;
        let (name, number) = rest.strip_prefix("3264").unwrap_or(rest).strip_prefix('_')?.split_once(' ')?;
        let number = number.trim().trim_start_matches("(__X32_SYSCALL_BIT + ").trim_end_matches(')');
        Some((name.to_owned(), number.parse().ok()?))
    };
    text.lines().filter_map(number).collect()
}

fn all() -> impl Iterator<Item = Call> {
    let by_capability = BY_CAPABILITY.iter().flat_map(|(_, calls)| calls.iter());
    ALWAYS.iter().chain(by_capability).copied().chain([CLONE, CLONE3, PERSONALITY, SOCKET, IOCTL])
}

#[test]
fn the_numbers_are_those_of_the_kernels_headers() {
    // The newest of them that these headers have to have.
    let (newest, named_later) = (450, 451);
    for (column, path) in [
        (0, "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
        (1, "/usr/include/x86_64-linux-gnu/asm/unistd_32.h"),
        (2, "/usr/include/asm-generic/unistd.h"),
    ] {
        let header = header(path);
        assert!(header.values().any(|number| *number >= newest), "{path} is old");
        for call in all() {
            let ours = call.numbers[column];
            // It has that one by another name.
            let name = if column == 2 && call.name == "newfstatat" { "fstatat" } else { call.name };
            match header.get(name) {
                Some(number) if ours >= 0 => assert_eq!(ours, *number, "{} in {path}", call.name),
                // aarch64's header has some for other machines of 64 or 32 bits.
                Some(_) => assert_eq!(column, 2, "{} has a number in {path}", call.name),
                None => assert!(ours < 0 || ours >= named_later || call.name == "uretprobe", "{} in {path}", call.name),
            }
        }
    }
}

#[test]
fn newer_numbers_are_those_of_the_c_library() {
    for (name, number) in [("fchmodat2", libc::SYS_fchmodat2), ("mseal", libc::SYS_mseal)] {
        let call = all().find(|call| call.name == name).expect("it is in the table");
        assert!(call.numbers.iter().all(|ours| i64::from(*ours) == number), "{name}");
    }
}

#[test]
fn x32_has_other_numbers_where_its_header_says_so() {
    let (x32, x86_64) = (
        header("/usr/include/x86_64-linux-gnu/asm/unistd_x32.h"),
        header("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    );
    let mut others: Vec<(u32, u32)> = Vec::new();
    for (name, number) in x32 {
        let ours = x86_64[&name];
        if ours != number {
            others.push((u32::try_from(ours).expect("positive"), u32::try_from(number).expect("positive")));
        }
    }
    others.sort_by_key(|(_, theirs)| *theirs);
    assert_eq!(others, X32);
}

#[test]
fn nothing_is_in_the_table_twice() {
    let mut names: Vec<&str> = ALWAYS.iter().map(|call| call.name).collect();
    names.extend([CLONE.name, CLONE3.name, PERSONALITY.name, SOCKET.name, IOCTL.name]);
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

/// What the kernel's machine would return (linux/filter.h), for the instructions that we use.
fn run(program: &[libc::sock_filter], audit: u32, number: u32, argument: u32) -> u32 {
    let (mut at, mut word) = (0, 0);
    loop {
        let libc::sock_filter { code, jt, jf, k } = program[at];
        let code = u32::from(code);
        at += 1;
        let holds = match code {
            0x20 => {
                word = [(0, number), (4, audit), (16, argument), (24, argument)]
                    .into_iter()
                    .find(|(at, _)| *at == k)
                    .expect("a field")
                    .1;
                continue;
            }
            0x06 => return k,
            0x05 => {
                at += k as usize;
                continue;
            }
            0x54 => {
                word &= k;
                continue;
            }
            0x15 => word == k,
            0x35 => word >= k,
            0x45 => word & k != 0,
            other => panic!("instruction {other:#x}"),
        };
        at += usize::from(if holds { jt } else { jf });
    }
}

/// What the table says, without any search: the answer to a call by that name, or to one that the table does not have.
fn wanted(call: Option<&str>, number: u32, argument: u32, kept: Capabilities) -> u32 {
    let errno = |errno: i32| libc::SECCOMP_RET_ERRNO | errno.cast_unsigned();
    let by_capability = || {
        let names = |calls: &[Call]| calls.iter().any(|it| Some(it.name) == call);
        BY_CAPABILITY.iter().any(|(capability, calls)| kept.has(*capability) && names(calls))
    };
    let is_allowed = match call {
        Some(_) if by_capability() => true,
        Some("clone3") => return errno(libc::ENOSYS),
        Some("clone") => argument & bpf::NAMESPACES == 0,
        Some("personality") => bpf::PERSONALITIES.contains(&argument),
        Some("socket") => argument != 38 && argument != 40,
        Some("ioctl") => !bpf::TYPING.contains(&argument),
        Some(name) => ALWAYS.iter().any(|it| it.name == name),
        // Unknown to any kernel of 6.18.
        None if number & !X32_BIT > LAST && !(X32_BIT | 512..=X32_BIT | LAST_X32).contains(&number) => {
            return errno(libc::ENOSYS);
        }
        None => false,
    };
    if is_allowed { libc::SECCOMP_RET_ALLOW } else { errno(libc::EPERM) }
}

#[test]
fn each_call_gets_the_tables_answer_on_each_machine() {
    let single = BY_CAPABILITY.iter().map(|(capability, _)| Capabilities(1 << capability));
    let kept = [Capabilities(0), capabilities::DEFAULT, Capabilities::ALL].into_iter().chain(single);
    let arguments =
        [0, 8, 16, 38, 40, 0x0002_0000, 0x0002_0008, 0x1000_0000, 0x0001_0f00, 0xffff_ffff, 2, 0x5412, 0x541c];
    for kept in kept {
        for machine in [Machine::X86_64, Machine::Aarch64] {
            let filter = Filter::for_machine(machine, kept);
            // What a container's start has to wait for.
            assert!(filter.program.len() < 300, "{}", filter.program.len());
            for convention in machine.conventions() {
                let names: HashMap<u32, &str> = all()
                    .filter_map(|call| Some((u32::try_from(call.numbers[convention.column]).ok()?, call.name)))
                    .collect();
                let x32 = |number: u32| {
                    let low = number & !X32_BIT;
                    let ours = X32.iter().find(|(_, theirs)| *theirs == low).map_or(low, |(ours, _)| *ours);
                    names.get(&ours).copied()
                };
                let numbers = (0..700).chain(X32_BIT..X32_BIT + 700).chain([0x7fff_ffff, 0x8000_0000, 0xffff_ffff]);
                for number in numbers {
                    let is_x32 = *convention == X86_64 && number & X32_BIT != 0 && number < X32_BIT + 700;
                    let name = if is_x32 { x32(number) } else { names.get(&number).copied() };
                    for argument in arguments {
                        let answer = run(&filter.program, convention.audit, number, argument);
                        let wanted = wanted(name, if is_x32 { number } else { number.min(LAST + 1) }, argument, kept);
                        assert_eq!(
                            answer, wanted,
                            "{machine:?} {convention:?} {number:#x} {name:?} {argument:#x} {kept:?}"
                        );
                    }
                }
            }
            let foreign = run(&filter.program, 0x4000_0028, 1, 0);
            assert_eq!(foreign, libc::SECCOMP_RET_KILL_PROCESS);
        }
    }
}
