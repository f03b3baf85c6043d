//! The images: one of a busybox and our init, for what takes a moment, and a Debian with real services,
//! other inits and a C compiler. Neither needs a registry of images, only Debian's packages.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::docker::Docker;
use crate::runner::Trouble;
use crate::sandbox::{Sandbox, failed, need, succeed};

/// Busybox, our init as the entrypoint, and tini beside it to compare with.
pub(crate) const TINY: &str = "supervise-test/tiny";
/// Debian with nginx, redis, postgres, gunicorn, node, npm and the other inits. It has no entrypoint.
pub(crate) const DEBIAN: &str = "supervise-test/debian";
/// bookworm with systemd's clients and nothing else: one of the roots of tests/requests.
pub(crate) const BOOKWORM: &str = "supervise-test/bookworm";
/// `DEBIAN` with this machine's Rust toolchain: stands for the official Rust image.
pub(crate) const BUILDER: &str = "supervise-test/builder";

const APPLETS: [&str; 7] = ["sh", "cat", "env", "grep", "ls", "readlink", "sleep"];

/// $1 is an empty directory, $2 the tar file to write, $3 the root filesystem of bookworm that it begins as, which lacks
/// what only people read, the time zones among it. What apt downloaded stays out. npm comes in several hundred packages,
/// which need no more than to be unpacked. Daemons of the packages would start in the tests' own namespace: policy-rc.d
/// forbids it.
const MAKE_DEBIAN: &str = r#"
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
root=$1
cp -a "$3/." "$root"
cp /etc/resolv.conf "$root/etc/resolv.conf"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod +x "$root/usr/sbin/policy-rc.d"
install() { chroot "$root" apt-get install --yes --no-install-recommends -o Dpkg::Options::=--force-unsafe-io "$@"; }
chroot "$root" apt-get update
install --reinstall tzdata nginx-light redis-server postgresql gunicorn nodejs python3 procps tini dumb-init catatonit \
    gcc libc6-dev systemd
chroot "$root" apt-get clean
install --download-only npm
find "$root/var/cache/apt/archives" -name '*.deb' -exec dpkg-deb --extract {} "$root" \;
tar -C "$root" --exclude='./dev/*' --exclude='./var/cache/apt/*' --exclude='./var/lib/apt/lists/*' \
    --exclude=./usr/share/doc --exclude=./usr/share/man --exclude=./usr/share/locale -cf "$2" .
"#;

/// $1 is a container of `DEBIAN`, $2 shall be the image. The toolchain goes where the search path finds it; the crates that
/// this build has fetched already need not be fetched again, and a network with a certificate
/// authority of its own is trusted as here.
const ADD_TOOLCHAIN: &str = r#"
set -euo pipefail
sysroot=$(rustc --print sysroot)
host=$(rustc -vV | sed -n 's/^host: //p')
crates=${CARGO_HOME:-$HOME/.cargo}
cd "$sysroot"
paths=(bin/rustc bin/cargo lib/*.so* "lib/rustlib/$host" "lib/rustlib/$(uname -m)-unknown-linux-musl")
if [ -d "$crates/registry/cache" ]; then paths+=(-C "$crates" registry/cache registry/index); fi
if [ -f /etc/ssl/certs/ca-certificates.crt ]; then paths+=(-C / etc/ssl/certs/ca-certificates.crt); fi
tar -c --transform='s,^\(bin\|lib\)/,usr/local/&,;s,^registry/,root/.cargo/&,' "${paths[@]}" | docker cp - "$1:/"
docker commit "$1" "$2"
docker rm "$1"
"#;

/// Makes the tar file of `TINY`.
pub(crate) fn make_tiny(sandbox: &Sandbox, scratch: &Path, supervise: &Path) -> Result<PathBuf, Trouble> {
    need(&["busybox", "tini-static", "tar"])?;
    let (root, tar) = (scratch.join("tiny"), scratch.join("tiny.tar"));
    for dir in ["bin", "sbin", "tmp", "etc"] {
        fs::create_dir_all(root.join(dir)).map_err(failed)?;
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0::/:/bin/sh\n").map_err(failed)?;
    fs::write(root.join("etc/plain-file"), "not a program\n").map_err(failed)?;
    fs::copy(supervise, root.join("supervise")).map_err(failed)?;
    for (program, place) in [("busybox", "bin/busybox"), ("tini-static", "tini")] {
        let found = succeed(Command::new("sh").args(["-c", &format!("command -v {program}")]))?;
        fs::copy(found.trim(), root.join(place)).map_err(failed)?;
    }
    for applet in APPLETS {
        symlink("busybox", root.join("bin").join(applet)).map_err(failed)?;
    }
    symlink("../supervise", root.join("sbin/init")).map_err(failed)?;
    succeed(sandbox.command("tar").arg("-C").arg(&root).arg("-cf").arg(&tar).arg("."))?;
    Ok(tar)
}

/// Brings `TINY` into the daemon.
pub(crate) fn import_tiny(docker: &Docker, tar: &Path) -> Result<(), Trouble> {
    let entrypoint = r#"ENTRYPOINT ["/supervise","--"]"#;
    succeed(docker.command(["import", "--change", entrypoint]).arg(tar).arg(TINY)).map(drop)
}

/// Brings `DEBIAN` into the daemon; its root filesystem is made once and kept in `cache`.
pub(crate) fn import_debian(docker: &Docker, sandbox: &Sandbox, cache: &Path, scratch: &Path) -> Result<(), Trouble> {
    let (tar, recipe) = (cache.join("debian.tar"), cache.join("debian.recipe"));
    if fs::read_to_string(&recipe).is_ok_and(|made| made == MAKE_DEBIAN) {
        return succeed(docker.long_command(["import"]).arg(&tar).arg(DEBIAN)).map(drop);
    }
    need(&["chroot", "dpkg-deb", "tar"])?;
    let (root, new) = (scratch.join("debian"), scratch.join("debian.tar"));
    fs::create_dir_all(&root).map_err(failed)?;
    // In the sandbox, so that nothing of it goes on when it is interrupted.
    let mut make = sandbox.command_within(600, "sh");
    make.args(["-c", MAKE_DEBIAN, "sh"]).arg(&root).arg(&new).arg(bookworm_root()?);
    succeed(&mut make)?;
    fs::remove_dir_all(&root).map_err(failed)?;
    // The recipe last: it says that the tar file is whole.
    fs::rename(&new, &tar).map_err(failed)?;
    fs::write(&recipe, MAKE_DEBIAN).map_err(failed)?;
    succeed(docker.long_command(["import"]).arg(&tar).arg(DEBIAN)).map(drop)
}

/// Where tests/roots has put it.
pub(crate) fn bookworm_root() -> Result<PathBuf, Trouble> {
    let roots = std::env::var_os("SUPERVISE_TEST_ROOTS").map(PathBuf::from);
    let root = roots.unwrap_or_else(|| "/var/cache/supervise-tests/roots".into()).join("bookworm-systemd/root");
    match root.with_file_name("recipe").is_file() {
        true => Ok(root),
        false => Err(Trouble::Missing(format!("{} is not there; tests/setup makes it", root.display()))),
    }
}

/// Brings `BOOKWORM` into the daemon.
pub(crate) fn import_bookworm(docker: &Docker) -> Result<(), Trouble> {
    let script = r#"set -o pipefail; tar -C "$1" -c . | docker import - "$2""#;
    succeed(docker.script(script).arg(bookworm_root()?).arg(BOOKWORM)).map(drop)
}

/// Makes `BUILDER` out of `DEBIAN`.
pub(crate) fn make_builder(docker: &Docker) -> Result<(), Trouble> {
    need(&["bash", "rustc", "cargo"])?;
    docker.ask(["create", "--name=toolchain", DEBIAN, "true"])?;
    succeed(docker.script(ADD_TOOLCHAIN).args(["toolchain", BUILDER])).map(drop)
}
