//! What is handed out: the packages of `.ci/package`, and `cargo install`. The Debian package is installed in a
//! container, by `tests/containers`.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use harness::skip;

const VERSION: &str = env!("CARGO_PKG_VERSION");
const EMULATOR: &str = "/usr/bin/qemu-aarch64-static";

/// What lies in `target/dist`, by name.
type Files = BTreeMap<String, Vec<u8>>;

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| top().join("target"), PathBuf::from)
}

fn dist() -> PathBuf {
    target().join("dist")
}

/// Makes all packages twice, the second time for somebody with other habits, and keeps what came of it.
fn packages() -> &'static [Files; 2] {
    static MADE: OnceLock<[Files; 2]> = OnceLock::new();
    MADE.get_or_init(|| {
        let first = make("umask 022; TZ=UTC exec .ci/package");
        [first, make("umask 077; TZ=Asia/Tokyo LC_ALL=C.UTF-8 exec .ci/package aarch64 x86_64")]
    })
}

fn make(script: &str) -> Files {
    succeed(Command::new("bash").args(["-c", script]).current_dir(top()));
    let read = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().expect("names are text");
        (name, fs::read(entry.path()).expect("it is a file"))
    };
    fs::read_dir(dist()).expect("there is target/dist").map(|entry| read(entry.expect("it can be read"))).collect()
}

/// Runs it to its end, which must be a good one.
fn succeed(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
    output
}

fn stdout(command: &mut Command) -> String {
    String::from_utf8(succeed(command).stdout).expect("it says text")
}

/// An empty directory of this test file's own.
fn directory(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("delivery").join(name);
    drop(fs::remove_dir_all(&path));
    fs::create_dir_all(&path).expect("the target directory can be written");
    path
}

/// Whether `program` is in PATH; if not, what needs it is skipped.
fn there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|dir| dir.join(program).is_file());
    if !found {
        skip(&format!("{program} is not installed; tests/setup installs it"));
    }
    found
}

/// The one file of that kind.
fn named(start: &str, end: &str) -> PathBuf {
    let fits = |name: &&String| name.starts_with(start) && name.ends_with(end);
    let mut names = packages()[1].keys().filter(fits);
    let name = names.next().unwrap_or_else(|| panic!("no {start}*{end}"));
    assert_eq!(names.next(), None, "a second {start}*{end}");
    dist().join(name)
}

fn unpack(machine: &str) -> PathBuf {
    let into = directory(machine);
    let tarball = named("supervise-", &format!("-{machine}-linux.tar.gz"));
    succeed(Command::new("tar").arg("-xzf").arg(tarball).arg("-C").arg(&into));
    into.join(format!("supervise-{VERSION}-{machine}-linux"))
}

#[test]
fn the_same_commit_gives_the_same_bytes() {
    let [first, second] = packages();
    assert!(first.keys().eq(second.keys()), "{:?} {:?}", first.keys(), second.keys());
    for (name, bytes) in first {
        assert!(second[name] == *bytes, "{name} is another the second time");
    }
}

#[test]
fn every_package_has_its_checksum() {
    let mut names: Vec<&String> = packages()[1].keys().filter(|name| *name != "SHA256SUMS").collect();
    let said = stdout(Command::new("sha256sum").args(["--strict", "--check", "SHA256SUMS"]).current_dir(dist()));
    let mut checked: Vec<&str> = said.lines().filter_map(|line| line.strip_suffix(": OK")).collect();
    names.sort();
    checked.sort_unstable();
    assert_eq!(checked, names);
    // A .deb, a tarball and a wheel for each of two machines.
    assert_eq!(names.len(), 6, "{names:?}");
}

#[test]
fn the_readme_names_the_packages_as_they_are_called() {
    let readme = fs::read_to_string(top().join("README.md")).expect("there is a README.md");
    for name in packages()[1].keys().filter(|name| name.contains("x86_64-linux") || name.contains("amd64")) {
        assert!(readme.contains(name.as_str()), "README.md does not name {name}");
    }
}

#[test]
fn the_tarball_holds_what_the_readme_says_and_its_binary_runs() {
    let root = unpack(std::env::consts::ARCH);
    for file in ["README.md", "LICENSE-MIT", "LICENSE-APACHE", "CHANGELOG.md", "SECURITY.md"] {
        assert!(fs::read(root.join(file)).ok() == fs::read(top().join(file)).ok(), "{file}");
    }
    for (file, word) in [
        ("supervise.1", ".TH"),
        ("completions/supervise.bash", "supervise"),
        ("completions/_supervise", "#compdef supervise"),
        ("completions/supervise.fish", "supervise"),
    ] {
        let text = fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(text.contains(word), "{file}: {text}");
    }
    assert_eq!(stdout(Command::new(root.join("supervise")).args(["--", "echo", "works"])), "works\n");
}

#[test]
fn the_other_machines_binary_runs_too() {
    if !Path::new(EMULATOR).exists() {
        return skip("qemu-user-static is not installed");
    }
    let program = unpack("aarch64").join("supervise");
    let said = stdout(Command::new(EMULATOR).arg(program).args(["--", "/bin/echo", "works"]));
    assert_eq!(said, "works\n");
}

#[test]
fn lintian_finds_nothing_in_the_debian_packages() {
    if !there("lintian") {
        return;
    }
    for machine in ["amd64", "arm64"] {
        let package = named("supervise_", &format!("_{machine}.deb"));
        let said = stdout(
            Command::new("lintian")
                .args(["--allow-root", "--fail-on", "error,warning", "--tag-display-limit=0"])
                .arg(package),
        );
        assert_eq!(said, "", "{machine}");
    }
}

#[test]
fn pip_installs_a_program_that_works() {
    if !there("python3") {
        return;
    }
    let into = directory("pip");
    let wheel = named("supervise_cli-", &format!("_{}.whl", std::env::consts::ARCH));
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target"]).arg(&into).arg(wheel);
    succeed(pip.env("PIP_ROOT_USER_ACTION", "ignore"));
    assert_eq!(stdout(Command::new(into.join("bin/supervise")).args(["--", "echo", "works"])), "works\n");
    assert!(into.join("share/man/man1/supervise.1").is_file());
}

#[test]
fn cargo_installs_the_static_binary_from_any_directory() {
    packages();
    let released = target().join("x86_64-unknown-linux-musl/release/supervise");
    let root = directory("cargo");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["install", "--quiet", "--locked", "--path"]).arg(top()).arg("--root").arg(&root);
    succeed(cargo.current_dir("/"));
    let same = fs::read(root.join("bin/supervise")).ok() == fs::read(&released).ok();
    assert!(same, "it is another binary than {}", released.display());
    let mut installed: Vec<_> = fs::read_dir(root.join("bin")).expect("bin").flatten().map(|e| e.file_name()).collect();
    installed.sort();
    assert_eq!(installed, [OsStr::new("supervise")]);
}

#[test]
fn a_machine_that_has_no_packages_is_refused() {
    let mut command = Command::new("bash");
    let output = command.args([".ci/package", "pdp11"]).current_dir(top()).output().expect("bash runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(125), "{said}");
    assert!(said.starts_with(".ci/package: no packages are made for pdp11; "), "{said}");
}
