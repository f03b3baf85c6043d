//! The Debian package, put into a Debian and taken out again.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::docker::Ended;
use crate::images::DEBIAN;
use crate::runner::{Outcome, Trouble};
use crate::sandbox::{failed, need, succeed};
use crate::world::{World, new_directory};

/// What the package changes, told by comparing all names before and after, but for what dpkg notes for itself.
const PUT_IN_AND_OUT: &str = r#"
set -eu
names() { find / -xdev \( -path /proc -o -path /var/lib/dpkg -o -path /var/log -o -path /shared \) -prune -o -print | sort; }
touch /tmp/before /tmp/after; names >/tmp/before
dpkg --install /shared/supervise.deb >/tmp/after
echo "installed $(dpkg-query --show --showformat='${db:Status-Status} ${Version} ${Conffiles}' supervise)"
dpkg --verify supervise
command -v supervise
supervise -- echo works
dpkg --listfiles supervise | while read -r file; do
    if [ ! -d "$file" ]; then echo "file $file"; fi
done
dpkg --purge supervise >/tmp/after
names >/tmp/after
if cmp /tmp/before /tmp/after; then echo 'nothing is left'; fi
"#;

pub(crate) fn the_debian_package_is_put_in_and_taken_out(world: &World) -> Outcome {
    let ended = run_with_package(world, PUT_IN_AND_OUT)?;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.lines(&format!("installed installed {}-1", env!("CARGO_PKG_VERSION"))), 1, "{ended:?}");
    for line in ["/usr/bin/supervise", "works", "nothing is left"] {
        assert_eq!(ended.lines(line), 1, "{line}: {ended:?}");
    }
    for file in [
        "/usr/bin/supervise",
        "/usr/share/man/man1/supervise.1.gz",
        "/usr/share/bash-completion/completions/supervise",
        "/usr/share/zsh/vendor-completions/_supervise",
        "/usr/share/fish/vendor_completions.d/supervise.fish",
        "/usr/share/doc/supervise/copyright",
        "/usr/share/doc/supervise/changelog.gz",
        "/usr/share/doc/supervise/changelog.Debian.gz",
    ] {
        assert_eq!(ended.lines(&format!("file {file}")), 1, "{file}: {ended:?}");
    }
    Ok(())
}

/// A package of that name with that file, as Debian's; dpkg must not put one over the other.
const WITH_DAEMONTOOLS: &str = r#"
mkdir -p /tmp/other/DEBIAN /tmp/other/usr/bin
echo theirs >/tmp/other/usr/bin/supervise
printf 'Package: daemontools\nVersion: 1:0.76-8.1\nArchitecture: all\nMaintainer: nobody <n@example.org>\nDescription: x\n' \
    >/tmp/other/DEBIAN/control
dpkg-deb --build /tmp/other /tmp/other.deb && dpkg --install /tmp/other.deb || exit 9
dpkg --install /shared/supervise.deb
echo "ended with $?"
cat /usr/bin/supervise
"#;

pub(crate) fn the_debian_package_does_not_replace_daemontools(world: &World) -> Outcome {
    let ended = run_with_package(world, WITH_DAEMONTOOLS)?;
    assert_eq!((ended.lines("ended with 1"), ended.lines("theirs")), (1, 1), "{ended:?}");
    assert!(ended.output.contains("supervise conflicts with daemontools"), "{ended:?}");
    Ok(())
}

fn run_with_package(world: &World, script: &str) -> Result<Ended, Trouble> {
    let docker = world.docker_with_debian()?;
    let volume = format!("{}:/shared:ro", package()?);
    docker.run_to_end(&["--volume", &volume, DEBIAN, "sh", "-c", script])
}

/// Makes the package; the directory that it is in, as `supervise.deb`.
fn package() -> Result<String, Trouble> {
    need(&["bash", "cargo", "dpkg-deb", "python3"])?;
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut make = Command::new("bash");
    succeed(make.args([".ci/package", std::env::consts::ARCH]).current_dir(top))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| top.join("target"), Into::into);
    let directory = new_directory("package")?;
    for entry in fs::read_dir(target.join("dist")).map_err(failed)?.flatten() {
        if entry.path().extension().is_some_and(|kind| kind == "deb") {
            fs::copy(entry.path(), directory.join("supervise.deb")).map_err(failed)?;
        }
    }
    Ok(directory.display().to_string())
}
