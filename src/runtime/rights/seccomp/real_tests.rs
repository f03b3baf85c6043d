//! On this machine's kernel: what is refused, and that programs live with it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nix::sys::prctl::set_no_new_privs;
use nix::unistd::geteuid;

use super::*;
use crate::runtime::rights::capabilities::DEFAULT;
use crate::sys::before_exec;

/// Runs it under the filter of a container with these capabilities.
fn filtered(command: &mut Command, kept: Capabilities) -> Output {
    let filter = Filter::new(kept);
    before_exec(command, move || {
        set_no_new_privs()?;
        filter.load().map_err(|Error::Load(errno)| errno)
    });
    command.output().expect("it is executed")
}

/// Makes these calls, and prints the error of each, or `ok`.
fn errors(calls: &str, kept: Option<Capabilities>) -> Vec<String> {
    let script = "
import ctypes, errno, sys
libc = ctypes.CDLL(None, use_errno=True)
for call in sys.argv[1].split(';'):
    numbers = [ctypes.c_long(int(word, 0)) for word in call.split()]
    ctypes.set_errno(0)
    result = libc.syscall(*numbers)
    print('ok' if result != -1 else errno.errorcode.get(ctypes.get_errno(), '-1'))";
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-c", script, calls]);
    let output = match kept {
        Some(kept) => filtered(&mut command, kept),
        None => command.output().expect("it is executed"),
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn what_leads_out_of_a_container_is_refused() {
    let number = |name: i64| name.to_string();
    for (call, refused, otherwise) in [
        (format!("{} 0 0 0", number(libc::SYS_keyctl)), "EPERM", "EINVAL"),
        (format!("{} 0 0 0 0 0", number(libc::SYS_add_key)), "EPERM", "EFAULT"),
        (format!("{} 0 0 0 0", number(libc::SYS_request_key)), "EPERM", "EFAULT"),
        (format!("{} 99 0 0", number(libc::SYS_bpf)), "EPERM", "EINVAL"),
        (format!("{} 0 0 0 0 0", number(libc::SYS_mount)), "EPERM", "EFAULT"),
        (format!("{} 0x10000000", number(libc::SYS_unshare)), "EPERM", "ok"),
        (format!("{} -1 0", number(libc::SYS_setns)), "EPERM", "EBADF"),
        (format!("{} 0x1234567", number(libc::SYS_personality)), "EPERM", "ok"),
        (format!("{} 40 1 0", number(libc::SYS_socket)), "EPERM", ""),
        (format!("{} 38 5 0", number(libc::SYS_socket)), "EPERM", ""),
        (format!("{} 0 0", number(libc::SYS_clone3)), "ENOSYS", "EINVAL"),
        (format!("{} 0x10000000 0 0 0 0", number(libc::SYS_clone)), "EPERM", ""),
        (format!("{} 1 0", number(libc::SYS_io_uring_setup)), "EPERM", "EFAULT"),
        (format!("{} 0", number(libc::SYS_userfaultfd)), "EPERM", "ok"),
        (format!("{} 0 0 0 0", number(libc::SYS_open_by_handle_at)), "EPERM", "EFAULT"),
        ("1000 0".to_owned(), "ENOSYS", "ENOSYS"),
    ] {
        assert_eq!(errors(&call, Some(DEFAULT)), [refused], "{call}");
        // It is the filter that refuses. (Whom this machine lets do less is told so by the kernel itself.)
        if !otherwise.is_empty() && geteuid().is_root() {
            assert_eq!(errors(&call, None), [otherwise], "{call}");
        }
    }
}

#[test]
fn what_programs_need_is_allowed() {
    for call in [
        format!("{}", libc::SYS_getpid),
        format!("{} 0", libc::SYS_personality),
        format!("{} 0xffffffff", libc::SYS_personality),
        format!("{} 8", libc::SYS_personality),
        format!("{} 1 1 0", libc::SYS_socket),
        format!("{} 2 1 0", libc::SYS_socket),
        format!("{} 16 3 0", libc::SYS_socket),
        // Of the thread alone.
        format!("{} 0 0", libc::SYS_timerfd_create),
    ] {
        assert_eq!(errors(&call, Some(DEFAULT)), ["ok"], "{call}");
    }
}

#[test]
fn a_kept_capability_allows_what_it_is_for() {
    for (capability, call, otherwise) in [
        (21, format!("{} 0 0 0 0 0", libc::SYS_mount), "EFAULT"),
        (21, format!("{} 0", libc::SYS_unshare), "ok"),
        (21, format!("{} 0 0", libc::SYS_clone3), "EINVAL"),
        (22, format!("{} 1 2 3", libc::SYS_reboot), "EINVAL"),
        (2, format!("{} -1 0 0", libc::SYS_open_by_handle_at), "EFAULT"),
        (19, format!("{} 0 0 99 0 0", libc::SYS_kcmp), "ESRCH"),
    ] {
        let with = Capabilities(DEFAULT.0 | 1 << capability);
        let without = if call.starts_with(&libc::SYS_clone3.to_string()) { "ENOSYS" } else { "EPERM" };
        assert_eq!(errors(&call, Some(DEFAULT)), [without], "{call}");
        // As root the kernel lets it come to its arguments.
        if geteuid().is_root() {
            assert_eq!(errors(&call, Some(with)), [otherwise], "{call}");
        }
    }
}

#[test]
fn processes_threads_and_shells_work() {
    let script = "
import subprocess, threading, socket, os, tempfile, multiprocessing
assert subprocess.run(['true']).returncode == 0
thread = threading.Thread(target=lambda: None); thread.start(); thread.join()
a, b = socket.socketpair(); a.send(b'x'); assert b.recv(1) == b'x'
with tempfile.TemporaryFile() as file: file.write(b'x'); os.fsync(file.fileno())
pid = os.fork()
if pid == 0: os._exit(3)
assert os.waitpid(pid, 0)[1] == 3 << 8
print('done')";
    let output = filtered(Command::new("/usr/bin/python3").args(["-c", script]), DEFAULT);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "done\n", "{}", String::from_utf8_lossy(&output.stderr));
    let script = "set -e; echo $(seq 3 | sort -r | head -n 1); (exit 4) || echo $?; sleep 0 & wait $!";
    let output = filtered(Command::new("bash").args(["-c", script]), DEFAULT);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "3\n4\n", "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_package_tool_of_a_debian_works() {
    let roots =
        std::env::var_os("SUPERVISE_TEST_ROOTS").map_or("/var/cache/supervise-tests/roots".into(), PathBuf::from);
    for suite in ["bookworm-systemd", "trixie-systemd"] {
        let root = roots.join(suite).join("root");
        if !geteuid().is_root() || !root.exists() {
            assert!(std::env::var("CI").is_err(), "not root, or no {}", root.display());
            return eprintln!("skipped: not root, or no {} (tests/roots makes it)", root.display());
        }
        // Nothing is written: the lists are empty, and its own database is only read.
        let script = "apt-get --version | head -n 1 && apt-cache policy apt | head -n 1 && dpkg --audit && echo $?";
        let mut command = Command::new("chroot");
        let output = filtered(command.arg(&root).args(["/bin/sh", "-c", script]), DEFAULT);
        let text = String::from_utf8_lossy(&output.stdout);
        let lines: Vec<&str> = text.lines().collect();
        assert!(matches!(lines[..], [apt, _, "0"] if apt.starts_with("apt ")), "{suite}: {output:?}");
    }
}

/// A static program for i386 that makes one system call without arguments and ends with its error.
fn i386(call: u32) -> Vec<u8> {
    const START: u32 = 0x0804_8000;
    let mut code = vec![0x31, 0xdb, 0x31, 0xc9, 0x31, 0xd2, 0x31, 0xf6, 0x31, 0xff, 0xb8]; // ebx, ecx, edx, esi, edi = 0
    code.extend(call.to_le_bytes()); // mov eax, call
    code.extend([0xcd, 0x80]); // int 0x80
    code.extend([0xf7, 0xd8, 0x89, 0xc3, 0xb8, 1, 0, 0, 0, 0xcd, 0x80]); // _exit(-eax)
    let length = 84 + u32::try_from(code.len()).expect("some bytes");
    let mut file = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    // An executable for EM_386, with one program header and no sections.
    [2_u16, 3].iter().for_each(|half| file.extend(half.to_le_bytes()));
    [1, START + 84, 52, 0, 0].iter().for_each(|word: &u32| file.extend(word.to_le_bytes()));
    [52_u16, 32, 1, 0, 0, 0].iter().for_each(|half| file.extend(half.to_le_bytes()));
    [1, 0, START, START, length, length, 5, 4096].iter().for_each(|word: &u32| file.extend(word.to_le_bytes()));
    file.extend(code);
    file
}

#[cfg(target_arch = "x86_64")]
#[test]
fn programs_of_32_bits_run_under_rules_of_their_own() {
    let folder = std::env::temp_dir().join(format!("supervise-test-i386-{}", std::process::id()));
    std::fs::create_dir(&folder).expect("the name is new");
    let run = |call: u32, kept: Option<Capabilities>| {
        let file = executable(&folder.join(format!("call-{call}")), &i386(call));
        let mut command = Command::new(file);
        let output = match kept {
            Some(kept) => filtered(&mut command, kept),
            None => command.output().expect("the kernel runs programs of 32 bits"),
        };
        output.status.code()
    };
    let codes = |call: u32| (run(call, None), run(call, Some(DEFAULT)));
    // pause would not end, time has an answer that differs; umask gives the mask before, of which 0 is none.
    let umask = codes(60);
    assert_eq!(umask.0, umask.1);
    // keyctl, unshare, reboot, clone3; then what no kernel has.
    assert_eq!(codes(288).1, Some(libc::EPERM));
    assert_ne!(codes(288).0, Some(libc::EPERM));
    assert_eq!(codes(310), (Some(0), Some(libc::EPERM)));
    assert_eq!(codes(435), (Some(libc::EINVAL), Some(libc::ENOSYS)));
    assert_eq!(codes(600), (Some(libc::ENOSYS), Some(libc::ENOSYS)));
    std::fs::remove_dir_all(&folder).expect("it is ours");
    // x32's numbers have the same rules; whether the kernel has x32 does not matter to what is refused.
    assert_eq!(errors(&format!("{}", libc::SYS_keyctl | 0x4000_0000), Some(DEFAULT)), ["EPERM"]);
}

/// By another process: a test that forks meanwhile would keep the file open for writing (ETXTBSY in execve(2)).
fn executable(path: &Path, content: &[u8]) -> PathBuf {
    let source = path.with_extension("bytes");
    std::fs::write(&source, content).expect("the folder is ours");
    std::fs::set_permissions(&source, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    let copied = Command::new("cp").args([&source, path]).status().expect("coreutils are there");
    assert!(copied.success());
    path.to_owned()
}
