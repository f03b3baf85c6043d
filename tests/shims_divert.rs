//! `supervise shims --divert` in real root filesystems, whose packages come again by dpkg: what it moves and makes, that a
//! removal brings all back, what it leaves alone, and what it says then.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;
#[expect(dead_code, reason = "the cases of tests/requests use the rest")]
#[path = "requests/roots.rs"]
mod roots;

use std::path::Path;
use std::process::{Command, Stdio};

use harness::launch::Init;
use harness::running::{Ended, Running};
use harness::{Exit, Scene, skip};
use roots::Root;

/// $1 is the root, $2 a folder to mount on, $3 supervise, $4 a script for a shell in there.
const ENTER: &str = r#"
set -eu
root=$1 folder=$2 supervise=$3 script=$4
mount -t tmpfs -o mode=755 tmpfs "$folder"
cd "$folder"
mkdir upper work root
mount -t overlay -o "lowerdir=$root,upperdir=upper,workdir=work" overlay root
mkdir -p root/usr/local/bin
cp "$supervise" root/usr/local/bin
mount -t proc proc root/proc
mount -t tmpfs -o mode=755 tmpfs root/dev
: >root/dev/null
mount --bind /dev/null root/dev/null
exec chroot root /bin/sh -euc "$script" sh
"#;

/// What every script has to begin with.
const WORDS: &str = r#"
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive
clients="poweroff halt reboot shutdown telinit init runlevel"

# All that may be touched, with where links lead to.
look() {
    for place in /sbin/* /usr/sbin/* /bin/* /usr/bin/* /lib/sysvinit /lib/sysvinit/*; do
        if [ -L "$place" ]; then echo "$place $(readlink "$place")"
        elif [ -e "$place" ]; then set -- $(wc -c <"$place" 2>&-); echo "$place $*"
        fi
    done
    if [ -e /var/lib/dpkg ]; then dpkg-divert --list | sort; fi
}

# That these paths lead to supervise.
ours() {
    for place; do
        [ "$(readlink -f "$place")" = /usr/local/bin/supervise ] || { echo "$place is not ours"; exit 1; }
    done
}

# Shows what a command says only where it fails.
quietly() {
    "$@" >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }
}

# That a removal brings all back as it was before.
comes_back() {
    supervise shims --divert --remove
    look | diff /tmp/before -
}

# Makes a package again of what is installed of it.
repack() {
    mkdir -p "/tmp/$1/DEBIAN"
    for part in preinst postinst prerm postrm triggers; do
        [ ! -e "/var/lib/dpkg/info/$1.$part" ] || cp "/var/lib/dpkg/info/$1.$part" "/tmp/$1/DEBIAN/$part"
    done
    dpkg-query --show --showformat 'Package: ${Package}\nVersion: ${Version}\nArchitecture: ${Architecture}
Maintainer: nobody <nobody@localhost>\nDescription: again\n' "$1" >"/tmp/$1/DEBIAN/control"
    while read -r file; do
        [ ! -d "$file" ] || continue
        [ -L "$file" ] || [ -f "$file" ] || continue
        mkdir -p "/tmp/$1/${file%/*}"
        cp -a "$file" "/tmp/$1/$file"
    done <"/var/lib/dpkg/info/$1.list"
    dpkg-deb -Znone --build "/tmp/$1" "/tmp/$1.deb" >/dev/null
}
"#;

/// The roots that have a dpkg, with the package that has the clients, and where they are for it.
const DEBIANS: [(Root, &str, &str); 3] = [
    (Root::Bookworm, "systemd-sysv", "/sbin"),
    (Root::Trixie, "systemd-sysv", "/usr/sbin"),
    (Root::Sysvinit, "sysvinit-core", "/sbin"),
];

/// What runs the script in a copy of the root that is gone afterwards.
fn inside(scene: &Scene, root: Root, script: &str) -> Command {
    let mut command = scene.command("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", ENTER, "sh"]).arg(root.path());
    command.args([scene.folder(), &Init::Supervise.path().expect("cargo built it")]);
    command.arg(format!("{WORDS}{script}"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it.
#[track_caller]
fn play(scene: &Scene, root: Root, script: &str) -> Ended {
    Running::start(scene, inside(scene, root, script), 0, Path::new("unshare")).end()
}

/// The same, of which every command must succeed and say nothing on stderr.
#[track_caller]
fn succeeds(root: Root, script: &str) -> Vec<String> {
    let scene = Scene::new();
    let ended = play(&scene, root, script);
    assert_eq!((ended.exit, &ended.stderr[..]), (Exit::Code(0), &[][..]), "{} {ended:#?}", root.name());
    ended.stdout
}

/// The script calls it, and changes nothing by that: it is told why in one line with these words.
#[track_caller]
fn is_refused(root: Root, before: &str, words: &[&str]) {
    let scene = Scene::new();
    let call = "look >/tmp/before; code=0; supervise shims --divert || code=$?; look | cmp - /tmp/before; echo $code";
    let ended = play(&scene, root, &format!("{before}\n{call}"));
    assert_eq!((ended.exit, &ended.stdout[..]), (Exit::Code(0), &["125".to_owned()][..]), "{ended:#?}");
    assert_eq!(ended.stderr.len(), 1, "{ended:#?}");
    for word in words {
        assert!(ended.stderr[0].contains(word), "nothing of {word:?} in {ended:#?}");
    }
}

/// Whether the roots are there.
fn can() -> bool {
    let lacking = roots::lacking();
    if let Some(why) = &lacking {
        skip(why);
    }
    lacking.is_none()
}

#[test]
fn what_a_package_has_is_moved_and_comes_back() {
    if !can() {
        return;
    }
    for (root, _, folder) in DEBIANS {
        let script = format!(
            r#"
            look >/tmp/before
            supervise shims --divert
            for name in $clients; do
                ours "/sbin/$name" "/usr/sbin/$name"
                [ "$(readlink "/sbin/$name")" = /usr/local/bin/supervise ]
                [ -L "{folder}/$name.supervise-orig" ] || [ -f "{folder}/$name.supervise-orig" ]
            done
            ours /bin/systemctl /usr/bin/systemctl /lib/sysvinit/telinit
            look >/tmp/after
            supervise shims --divert
            look | cmp - /tmp/after
            # One that somebody has removed comes again.
            rm /sbin/halt
            supervise shims --divert
            look | cmp - /tmp/after
            comes_back
            comes_back
            "#
        );
        assert_eq!(succeeds(root, &script), [""; 0]);
    }
}

#[test]
fn a_package_that_is_installed_again_leaves_ours_in_place() {
    if !can() {
        return;
    }
    for (root, package, folder) in DEBIANS {
        let script = format!(
            r#"
            look >/tmp/before
            repack {package}
            supervise shims --divert
            look >/tmp/after
            rm {folder}/*.supervise-orig
            quietly dpkg --install /tmp/{package}.deb
            look | diff /tmp/after -
            quietly dpkg --remove --force-all {package}
            ours /sbin/poweroff /sbin/init
            [ ! -e {folder}/init.supervise-orig ]
            quietly dpkg --install /tmp/{package}.deb
            comes_back
            "#
        );
        assert_eq!(succeeds(root, &script), [""; 0]);
    }
}

#[test]
fn a_package_that_comes_later_finds_ours_in_place_by_whatever_name() {
    if !can() {
        return;
    }
    // The same files by two names, as packages of bookworm and of trixie have them: dpkg must not take one for the other.
    let script = r#"
        dpkg --remove --force-all sysvinit-core >/dev/null 2>&1
        [ ! -e /sbin/poweroff ]
        supervise shims --divert
        for step in 1:/sbin 2:/usr/sbin 1:/sbin; do
            rm -rf /tmp/later
            mkdir -p /tmp/later/DEBIAN "/tmp/later${step#*:}"
            printf '%s\n' 'Package: later' "Version: ${step%:*}" 'Architecture: all' 'Maintainer: nobody <n@localhost>' \
                'Description: moves' >/tmp/later/DEBIAN/control
            echo "$step" >"/tmp/later${step#*:}/poweroff"
            dpkg-deb -Znone --build /tmp/later /tmp/later.deb >/dev/null
            quietly dpkg --install /tmp/later.deb
            ours /sbin/poweroff /usr/sbin/poweroff
            cat /sbin/poweroff.*
        done
        supervise shims --divert --remove
        cat /sbin/poweroff
    "#;
    assert_eq!(succeeds(Root::Sysvinit, script), ["1:/sbin", "2:/usr/sbin", "1:/sbin", "1:/sbin"]);
}

#[test]
fn systemctl_passes_on_to_the_one_that_was_moved() {
    if !can() {
        return;
    }
    for root in [Root::Bookworm, Root::Trixie] {
        let version = "systemctl --version";
        let script = format!(
            r#"
            {version} | head -n 1
            repack systemd
            supervise shims --divert
            /bin/{version} | sed 's/ [0-9].*(/ (/'
            # Its own scripts call it, with a real one's words.
            quietly dpkg --install /tmp/systemd.deb
            ours /bin/systemctl
            for call in systemctl /bin/systemctl /usr/bin/systemctl "supervise systemctl"; do
                $call --root=/ is-enabled console-getty.service || true
            done
            "#
        );
        let said = succeeds(root, &script);
        assert!(said[0].starts_with("systemd "), "{said:?}");
        assert_eq!(said[1..], ["supervise (as systemctl)", "disabled", "disabled", "disabled", "disabled"]);
    }
}

#[test]
fn systemctl_does_not_call_itself_not_even_by_another_version() {
    if !can() {
        return;
    }
    let script = r#"
        supervise shims --divert
        { cat /usr/local/bin/supervise; echo; } >/tmp/other
        chmod +x /tmp/other
        rm /bin/systemctl.supervise-orig
        for place in /bin/systemctl.supervise-orig /bin/systemctl; do
            mv /tmp/other "$place"
            systemctl status || echo $?
            /bin/systemctl status || echo $?
            supervise systemctl status || echo $?
            mv "$place" /tmp/other
        done
    "#;
    let scene = Scene::new();
    let ended = play(&scene, Root::Trixie, script);
    assert_eq!((ended.exit, &ended.stdout[..]), (Exit::Code(0), &["1"; 6].map(str::to_owned)[..]), "{ended:#?}");
    let line = "systemctl: status: supervise is no systemd, and there is no real systemctl";
    assert_eq!(ended.stderr, [line; 6]);
}

#[test]
fn without_dpkg_only_what_is_free_is_taken() {
    if !can() {
        return;
    }
    let places = ["/sbin/poweroff (a link to something else)", "/sbin/init (", "/sbin/halt (", "/sbin/reboot ("];
    let advice = ["there is no dpkg", "`supervise shims`", "nothing was changed"];
    is_refused(Root::Busybox, "", &[&places[..], &advice[..]].concat());
    let script = r#"
        cd /sbin
        rm poweroff init halt reboot
        look >/tmp/before
        supervise shims --divert
        supervise shims --divert
        ours /bin/systemctl
        for name in $clients; do ours "/sbin/$name"; done
        comes_back
    "#;
    assert_eq!(succeeds(Root::Busybox, script), [""; 0]);
}

#[test]
fn what_no_package_has_stays() {
    if !can() {
        return;
    }
    let made = "rm /sbin/poweroff; dpkg --remove --force-all systemd-sysv >/dev/null 2>&1; echo mine >/sbin/poweroff";
    is_refused(Root::Trixie, made, &["/sbin/poweroff (a file)", "no package's", "nothing was changed"]);
    // Nor is what came in our place.
    let replaced = "supervise shims --divert; rm /sbin/halt; cp /usr/local/bin/supervise /sbin/halt";
    is_refused(Root::Trixie, replaced, &["/sbin/halt (a copy of supervise)", "nothing was changed"]);
}

#[test]
fn what_somebody_else_has_diverted_stays_so() {
    if !can() {
        return;
    }
    let guard = "mkdir /lib/guard
        dpkg-divert --quiet --package guard --rename --divert /lib/guard/halt --add /sbin/halt";
    is_refused(Root::Bookworm, guard, &["/sbin/halt", "the package guard diverts that to /lib/guard/halt"]);
    let local = "dpkg-divert --quiet --local --rename --divert /sbin/halt.mine --add /sbin/halt";
    is_refused(Root::Bookworm, local, &["/sbin/halt", "that is diverted to /sbin/halt.mine already"]);
}

#[test]
fn half_way_all_is_taken_back() {
    if !can() {
        return;
    }
    // Late among the names: dpkg-divert does not overwrite it.
    let stray = "echo stray >/sbin/runlevel.supervise-orig";
    is_refused(Root::Bookworm, stray, &["cannot divert /sbin/runlevel", "overwriting", "nothing was changed"]);
    let file = "echo stray >/lib/sysvinit";
    is_refused(Root::Bookworm, file, &["/lib/sysvinit/telinit: not a directory; nothing was changed"]);
    let broken =
        "rm /usr/bin/dpkg-query; echo '#!/no/such/interpreter' >/usr/bin/dpkg-query; chmod +x /usr/bin/dpkg-query";
    is_refused(Root::Bookworm, broken, &["cannot run dpkg-query: no such file or directory", "nothing was changed"]);
    let late = "cp /usr/bin/dpkg-divert /tmp
        printf '#!/bin/sh\ncase $* in *--add*runlevel*) echo no room >&2; exit 3;; esac\nexec /tmp/dpkg-divert $*\n' >/usr/bin/dpkg-divert";
    is_refused(Root::Bookworm, late, &["cannot divert ", "runlevel: no room; nothing was changed"]);
    let failing = "printf '#!/bin/sh\necho no room >&2; exit 2\n' >/usr/bin/dpkg-query; chmod +x /usr/bin/dpkg-query";
    is_refused(Root::Bookworm, failing, &["dpkg-query has failed: no room; nothing was changed"]);
}

#[test]
fn a_removal_that_fails_leaves_something_in_place() {
    if !can() {
        return;
    }
    let script = r#"
        supervise shims --divert
        cp /usr/bin/dpkg-divert /tmp
        printf '#!/bin/sh\n[ "$1" = --list ] && exec /tmp/dpkg-divert --list\necho no room >&2; exit 2\n' >/tmp/failing
        cp /tmp/failing /usr/bin/dpkg-divert
        supervise shims --divert --remove || echo $?
        ours /sbin/poweroff
        cp /tmp/dpkg-divert /usr/bin/dpkg-divert
        supervise shims --divert --remove
        readlink /sbin/poweroff
    "#;
    let scene = Scene::new();
    let ended = play(&scene, Root::Trixie, script);
    assert_eq!(ended.stdout, ["125", "../bin/systemctl"], "{ended:#?}");
    assert_eq!(ended.stderr.len(), 1, "{ended:#?}");
    assert!(ended.stderr[0].contains("cannot move what was diverted back to "), "{ended:#?}");
}

#[test]
fn a_second_removal_takes_nothing_that_is_a_packages() {
    if !can() {
        return;
    }
    // While `systemctl` leads to us, so does whatever of a package leads to `systemctl`.
    for (root, _, folder) in DEBIANS {
        let script = format!(
            r#"
            look >/tmp/before
            supervise shims --divert
            look >/tmp/after
            rm /sbin/reboot
            echo own >/sbin/reboot
            for run in 1 2 3; do
                supervise shims --divert --remove 2>/tmp/said || echo "$?"
                look | grep -E '^/sbin/(poweroff|halt) ' >/tmp/there
                grep -E '^/sbin/(poweroff|halt) ' /tmp/before | diff - /tmp/there
            done
            grep -c reboot /tmp/said
            cat /sbin/reboot
            rm /sbin/reboot
            # What is back is moved again.
            supervise shims --divert
            look | diff /tmp/after -
            [ -e {folder}/poweroff.supervise-orig ]
            comes_back
            "#
        );
        assert_eq!(succeeds(root, &script), ["125", "125", "125", "1", "own"], "{}", root.name());
    }
}

#[test]
fn one_client_that_leads_to_us_makes_no_other_ours() {
    if !can() {
        return;
    }
    let script = r#"
        look >/tmp/before
        dpkg-divert --quiet --local --rename --divert /bin/systemctl.supervise-orig --add /bin/systemctl
        ln -s /usr/local/bin/supervise /bin/systemctl
        comes_back
        # Nor in a directory of links.
        rm /bin/systemctl
        ln -s /usr/local/bin/supervise /bin/systemctl
        look >/tmp/before
        supervise shims /sbin --remove
        look | diff /tmp/before -
    "#;
    for root in [Root::Bookworm, Root::Trixie] {
        assert_eq!(succeeds(root, script), [""; 0], "{}", root.name());
    }
}

#[test]
fn as_process_1_init_is_the_init_and_otherwise_it_asks_it() {
    if !can() {
        return;
    }
    // A PID namespace that dies with its process 1.
    let script = r#"
        supervise shims --divert
        exec unshare --pid --fork --mount-proc --kill-child /sbin/init -- sh -c '
            read -r name </proc/1/comm; echo "$name"
            trap "echo told; exit 0" TERM
            /sbin/init 0
            while :; do wait; sleep 1000 & done
        '
    "#;
    let scene = Scene::new();
    let mut command = inside(&scene, Root::Trixie, script);
    command.env_remove("SUPERVISE_REQUESTS");
    let ended = Running::start(&scene, command, 0, Path::new("unshare")).end();
    assert_eq!(
        (ended.exit, &ended.stdout[..]),
        (Exit::Code(0), &["init", "told"].map(str::to_owned)[..]),
        "{ended:#?}"
    );
    assert!(ended.stderr[0].contains("poweroff asked for by init"), "{ended:#?}");
}
