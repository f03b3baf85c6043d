//! In made-up root filesystems, and in real ones.

use std::os::unix::fs::symlink;

use super::*;

/// A folder as a root filesystem, removed at the end.
struct Root(PathBuf);

impl Root {
    fn new(test: &str) -> Root {
        let path = std::env::temp_dir().join(format!("supervise-test-unfit-{test}-{}", std::process::id()));
        fs::create_dir_all(path.join("bin")).expect("the name is new");
        Root(path)
    }

    fn write(&self, path: &str, content: &[u8]) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().expect("it has one")).expect("it is ours");
        fs::write(&path, content).expect("it is ours");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// This kernel, without emulators.
fn kernel() -> Kernel {
    Kernel { handlers: Vec::new(), ..Kernel::ours() }
}

fn checked(root: &Path, command: &str, kernel: &Kernel) -> Result<(), Unfit> {
    let root = File::open(root).expect("it is there").into();
    check(root, Path::new(command), "/usr/local/bin:/usr/bin:/bin", Path::new("/"), kernel)
}

/// The sentence and the code.
#[track_caller]
fn refused(root: &Root, command: &str, kernel: &Kernel) -> (String, u8) {
    let why = checked(&root.0, command, kernel).expect_err(command);
    (why.to_string(), why.code())
}

/// An ELF file of 64 bits for that machine, with a loader and an ABI note if they are given.
fn elf(machine: u16, loader: Option<&str>, oldest: Option<[u32; 3]>) -> Vec<u8> {
    let mut note = Vec::new();
    for word in [4_u32, 16, 1] {
        note.extend(word.to_le_bytes());
    }
    note.extend(b"GNU\0");
    [0].into_iter().chain(oldest.unwrap_or_default()).for_each(|word: u32| note.extend(word.to_le_bytes()));
    let loader = loader.map(|path| [path.as_bytes(), b"\0"].concat());
    let parts = [(3_u32, loader), (4, oldest.map(|_| note))];
    let parts: Vec<_> = parts.into_iter().filter_map(|(kind, data)| Some((kind, data?))).collect();
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    [3_u16, machine].iter().for_each(|half| file.extend(half.to_le_bytes()));
    file.extend(1_u32.to_le_bytes());
    [0_u64, 64, 0].iter().for_each(|word| file.extend(word.to_le_bytes()));
    file.extend(0_u32.to_le_bytes());
    let count = u16::try_from(parts.len()).expect("two at most");
    [64, 56, count, 64, 0, 0].iter().for_each(|half: &u16| file.extend(half.to_le_bytes()));
    let mut at = 64 + 56 * u64::from(count);
    for (kind, data) in &parts {
        let size = data.len() as u64;
        [*kind, 4].iter().for_each(|word| file.extend(word.to_le_bytes()));
        [at, at, at, size, size, 4].iter().for_each(|word| file.extend(word.to_le_bytes()));
        at += size;
    }
    parts.iter().for_each(|(_, data)| file.extend(data));
    file
}

const OURS: u16 = if cfg!(target_arch = "x86_64") { 62 } else { 183 };
const OTHER: u16 = if cfg!(target_arch = "x86_64") { 183 } else { 62 };

#[test]
fn real_roots_are_fit() {
    let roots =
        std::env::var_os("SUPERVISE_TEST_ROOTS").map_or("/var/cache/supervise-tests/roots".into(), PathBuf::from);
    for (name, commands) in [
        ("bookworm-systemd", &["bash", "/bin/sh", "apt-get", "/usr/bin/ldd"][..]),
        ("trixie-systemd", &["bash", "sh", "dpkg"]),
        ("busybox", &["sh", "ls"]),
    ] {
        let root = roots.join(name).join("root");
        if !root.exists() {
            assert!(std::env::var("CI").is_err(), "no {}", root.display());
            return eprintln!("skipped: no {} (tests/roots makes it)", root.display());
        }
        for command in commands {
            checked(&root, command, &kernel()).unwrap_or_else(|why| panic!("{name}: {why}"));
        }
        // glibc of both is for Linux 3.2 and later.
        let old = Kernel { release: Some(Release(2, 6, 32)), ..kernel() };
        match (name, checked(&root, commands[0], &old)) {
            ("busybox", _) => {}
            (_, Err(Unfit::OldKernel { asks: Release(3, 2, 0), .. })) => {}
            (_, other) => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn what_is_not_there_is_not_found_on_the_host_either() {
    let root = Root::new("host");
    // The host has them all.
    symlink("/usr/bin/env", root.0.join("bin/absolute")).expect("it is ours");
    symlink("../../../../../../usr/bin/env", root.0.join("bin/climbing")).expect("it is ours");
    symlink("loop", root.0.join("bin/loop")).expect("it is ours");
    for (command, code) in
        [("env", 127), ("/usr/bin/env", 127), ("absolute", 127), ("climbing", 127), ("/bin/loop", 127)]
    {
        let (text, seen) = refused(&root, command, &kernel());
        assert_eq!(seen, code, "{text}");
        assert!(text.contains("no such file") || text.contains("not found in PATH"), "{text}");
    }
    // A link within the root is followed there.
    root.write("usr/bin/env", b"just text");
    assert!(checked(&root.0, "absolute", &kernel()).is_ok());
}

#[test]
fn what_cannot_be_executed_is_said_as_after_a_start() {
    let root = Root::new("plain");
    fs::create_dir(root.0.join("bin/folder")).expect("it is ours");
    fs::write(root.0.join("bin/data"), "text").expect("it is ours");
    root.write("bin/script", b"#!/bin/nosuch -x\n");
    root.write("bin/dos", b"#!/bin/sh\r\n");
    root.write("bin/inner", b"#!/bin/script\n");
    root.write("bin/prog", &elf(OURS, Some("/lib/ld-nosuch.so.1"), None));
    for (command, words, code) in [
        ("/bin/folder", "is a directory", 126),
        ("data", "no permission to execute", 126),
        ("script", "its interpreter /bin/nosuch does not exist", 127),
        ("dos", "carriage return", 127),
        ("inner", "it is the interpreter of /bin/inner", 127),
        ("prog", "its dynamic loader /lib/ld-nosuch.so.1 does not exist", 127),
    ] {
        let (text, seen) = refused(&root, command, &kernel());
        assert_eq!(seen, code, "{text}");
        assert!(text.contains(words), "{text}");
    }
    // In a later folder of PATH there is one that can be executed.
    root.write("usr/bin/late", b"text");
    fs::set_permissions(root.0.join("usr/bin/late"), fs::Permissions::from_mode(0o644)).expect("it is ours");
    root.write("bin/late", b"text");
    assert!(checked(&root.0, "late", &kernel()).is_ok());
}

#[test]
fn another_machines_program_needs_an_emulator_that_is_within_reach() {
    let root = Root::new("machine");
    let machine = if cfg!(target_arch = "x86_64") { "aarch64" } else { "x86_64" };
    root.write("bin/prog", &elf(OTHER, Some("/lib/ld-linux.so"), None));
    let (text, code) = refused(&root, "prog", &kernel());
    assert_eq!(code, 126);
    assert!(text.contains(&format!("for {machine}")) && text.contains("qemu-user-static"), "{text}");
    if cfg!(target_arch = "aarch64") {
        return;
    }
    let with = |flags| Kernel { handlers: vec![binfmt::tests::aarch64(flags)], ..kernel() };
    assert!(checked(&root.0, "prog", &with("POCF")).is_ok());
    let (text, _) = refused(&root, "prog", &with("P"));
    assert!(text.contains("aarch64-binfmt-P is not in the root filesystem"), "{text}");
    root.write("usr/libexec/qemu-binfmt/aarch64-binfmt-P", b"text");
    assert!(checked(&root.0, "prog", &with("P")).is_ok());
}

#[test]
fn a_library_for_a_newer_kernel_is_named() {
    let root = Root::new("abi");
    root.write("lib/ld.so", b"text");
    root.write("bin/prog", &elf(OURS, Some("/lib/ld.so"), Some([3, 2, 0])));
    assert!(checked(&root.0, "prog", &kernel()).is_ok());
    root.write("usr/lib64/libc.so.6", &elf(OURS, None, Some([99, 1, 0])));
    let (text, code) = refused(&root, "prog", &kernel());
    assert_eq!(code, 126);
    assert!(
        text.starts_with("cannot run /bin/prog: its C library /usr/lib64/libc.so.6 is built for Linux 99.1.0"),
        "{text}"
    );
    // A static one asks for itself.
    root.write("bin/alone", &elf(OURS, None, Some([99, 2, 0])));
    let (text, _) = refused(&root, "alone", &kernel());
    assert!(text.contains("/bin/alone: it is built for Linux 99.2.0 and later"), "{text}");
}
