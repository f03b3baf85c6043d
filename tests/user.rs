//! The command as another user: found in the root filesystem's own files, the same as by gosu, su-exec and setpriv,
//! and one line where it cannot be.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use harness::launch::{EVERYWHERE, Init, Place};
use harness::running::{Ended, Running, refused_with};
use harness::{Exit, Scene, copy_program, note, skip};
use nix::sys::stat::Mode;
use nix::unistd::{geteuid, mkfifo};

const PASSWD: &str = "\
root:x:0:0:root:/root:/bin/sh
# comment:x:1:1::/:
+::::::
broken:x:1
app:x:4242:4343:The App:/srv/app:/bin/sh
4711:x:4712:4713::/number:/bin/sh
homeless:x:4800:4800:::
last:x:4900:4900::/last:/bin/sh";

const GROUP: &str = "root:x:0:\napp:x:4343:\nvideo:x:44:other,app\naudio:x:29:application\nlate:x:45:app\n";

/// What is asked of who the command is to be.
const WHO: [&str; 3] = ["/bin/busybox", "sh", "-c"];
const TELL: &str = "echo $(/bin/busybox id -u) $(/bin/busybox id -g) $(/bin/busybox id -G) $HOME";

/// A root filesystem with users of its own, and a static program for each of the tools.
fn root_filesystem(scene: &Scene) -> PathBuf {
    let root = scene.folder().join("root");
    for folder in ["etc", "bin", "proc"] {
        fs::create_dir_all(root.join(folder)).expect("the folder is ours");
    }
    fs::write(root.join("etc/passwd"), PASSWD).expect("it is ours");
    fs::write(root.join("etc/group"), GROUP).expect("it is ours");
    let supervise = Init::Supervise.path().expect("cargo built it");
    let busybox = which("busybox").expect("tests/setup installs it");
    for (from, to) in [(supervise, "bin/supervise"), (busybox, "bin/busybox")] {
        copy_program(&from, &root.join(to));
    }
    root
}

fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into()])
        .map(|folder| folder.join(program))
        .find(|file| file.exists())
}

/// A command in that root filesystem, with a HOME of ours.
fn in_root(scene: &Scene, root: &Path, words: &[&str]) -> Ended {
    // With /proc, which gosu needs. The mount is gone with the command.
    let mut command = scene.command("unshare");
    let enter = "mount --bind /proc \"$0/proc\" && exec chroot \"$0\" \"$@\"";
    command.args(["--mount", "sh", "-c", enter]).arg(root).args(words);
    command.env("HOME", "/ours").stdout(Stdio::piped()).stderr(Stdio::piped());
    Running::start(scene, command, 0, Path::new("unshare")).end()
}

fn as_user(scene: &Scene, root: &Path, user: &str) -> Ended {
    let words = ["/bin/supervise", "--user", user, "--"].into_iter().chain(WHO).chain([TELL]);
    in_root(scene, root, &words.collect::<Vec<_>>())
}

/// Who each is, in the files above: user, group, all groups, HOME.
const WHO_IS: [(&str, &str); 13] = [
    ("app", "4242 4343 4343 44 45 /srv/app"),
    ("4242", "4242 4343 4343 44 45 /srv/app"),
    ("app:", "4242 4343 4343 44 45 /srv/app"),
    ("app:video", "4242 44 44 /srv/app"),
    ("app:29", "4242 29 29 /srv/app"),
    ("app:9999", "4242 9999 9999 /srv/app"),
    ("last", "4900 4900 4900 /last"),
    ("4711", "4711 0 0 /"),
    ("4712", "4712 4713 4713 /number"),
    ("12345", "12345 0 0 /"),
    ("12345:video", "12345 44 44 /"),
    (":video", "0 44 44 /root"),
    ("root", "0 0 0 /root"),
];

#[test]
fn users_are_those_of_the_root_filesystem_and_the_same_by_other_tools() {
    if !geteuid().is_root() {
        return skip("only root can become others");
    }
    let scene = Scene::new();
    let root = root_filesystem(&scene);
    for (user, who) in WHO_IS {
        let ended = as_user(&scene, &root, user);
        assert_eq!((ended.exit, ended.stdout), (Exit::Code(0), vec![who.to_owned()]), "{user}: {:?}", ended.stderr);
    }
    // No empty HOME; gosu leaves it so.
    assert_eq!(as_user(&scene, &root, "homeless").stdout, ["4800 4800 4800 /"]);
    // Static programs both; su-exec is in no Debian.
    for tool in ["gosu", "su-exec"] {
        let Some(file) = which(tool) else {
            note(&format!("{tool} is not here to compare with"));
            assert!(tool != "gosu" || std::env::var_os("CI").is_none(), "tests/setup installs gosu");
            continue;
        };
        copy_program(&file, &root.join("bin").join(tool));
        for (user, who) in WHO_IS {
            let tool = format!("/bin/{tool}");
            let words: Vec<&str> = [&tool, user].into_iter().chain(WHO).chain([TELL]).collect();
            let ended = in_root(&scene, &root, &words);
            assert_eq!((ended.exit, ended.stdout), (Exit::Code(0), vec![who.to_owned()]), "{tool} {user}");
        }
    }
}

#[test]
fn what_the_kernel_says_of_the_command_is_what_it_says_after_gosu_and_setpriv() {
    if !geteuid().is_root() {
        return skip("only root can become others");
    }
    let scene = Scene::new();
    let told = |words: &[&str]| {
        let mut command = scene.command(words[0]);
        command.args(&words[1..]).args(["cat", "/proc/self/status"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let ended = Running::start(&scene, command, 0, Path::new(words[0])).end();
        assert_eq!(ended.exit, Exit::Code(0), "{ended:?}");
        let told = ["Umask", "Uid", "Gid", "Groups", "SigBlk", "SigIgn", "SigCgt", "Cap", "NoNewPrivs", "Seccomp"];
        let lines = ended.stdout.into_iter().filter(|line| told.iter().any(|name| line.starts_with(name)));
        lines.map(|line| line.trim_end().to_owned()).collect::<Vec<_>>()
    };
    let path = Init::Supervise.path().expect("cargo built it");
    let ours = told(&[path.to_str().expect("made by us"), "--user", "nobody", "--"]);
    assert!(ours.len() > 10, "{ours:?}");
    let setpriv = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--init-groups"];
    assert_eq!(ours, told(&setpriv));
    if which("gosu").is_none() {
        return skip("gosu is not here to compare with");
    }
    // It leaves the user's own group out of the list, so that a set-group-ID program could step out of it; and Go's
    // runtime has changed what was ignored.
    let changed = |line: &String| line.starts_with("Groups") || line.starts_with("SigIgn");
    let but_groups = |lines: Vec<String>| lines.into_iter().filter(|line| !changed(line)).collect();
    let (ours, gosu): (Vec<_>, Vec<_>) = (but_groups(ours), but_groups(told(&["gosu", "nobody"])));
    assert_eq!(ours, gosu);
}

#[test]
fn who_is_not_there_is_named_with_the_nearest_who_is() {
    if !geteuid().is_root() {
        return skip("only root may change its root");
    }
    let scene = Scene::new();
    let root = root_filesystem(&scene);
    for (user, said) in [
        ("ap", "did you mean app?"),
        ("nobody", "no user is called \"nobody\" in /etc/passwd"),
        ("broken", "the line of user \"broken\" in /etc/passwd is malformed"),
        ("front", "in /etc/passwd; add it, or give the user's number"),
        ("+", "no user is called"),
        ("app:vidoe", "did you mean video?"),
        ("4294967295", "0 to 4294967294"),
        ("-1", "0 to 4294967294"),
        ("a:b:c", "USER:GROUP"),
        ("", "USER:GROUP"),
    ] {
        refused_with(&as_user(&scene, &root, user), 125, &[&format!("supervise: --user {user}: "), said]);
    }
    fs::remove_dir_all(root.join("etc")).expect("it is ours");
    refused_with(&as_user(&scene, &root, "app"), 125, &["no /etc/passwd"]);
    assert_eq!(as_user(&scene, &root, "1:2").stdout, ["1 2 2 /"]);
}

/// A supervise without rights, as this user.
fn without_rights<'s>(scene: &'s Scene, user: &str, options: &[&str]) -> harness::launch::Launch<'s> {
    let (reuid, regid) = (format!("--reuid={user}"), format!("--regid={user}"));
    scene.supervise().for_everybody().behind(&["setpriv", &reuid, &regid, "--groups=4343"]).options(options)
}

#[test]
fn without_rights_only_who_it_is_already_will_do() {
    if !geteuid().is_root() {
        return skip("only root can become others");
    }
    let scene = Scene::new();
    let ended = without_rights(&scene, "4242", &["--user", "nobody"]).probe("exit 3").end();
    refused_with(
        &ended,
        125,
        &["--user", "cannot set the groups 65534", "not permitted", "root", "the command was not started"],
    );
    // As in a pod with `runAsUser` and `fsGroup`: what is so already needs nothing, and the groups stay.
    for user in ["4242", "4242:4242"] {
        let ended = without_rights(&scene, "4242", &["--user", user]).argv(&["sh", "-c", "id -G; echo $HOME"]).end();
        assert_eq!(
            (ended.exit, ended.stdout),
            (Exit::Code(0), vec!["4242 4343".into(), "/".into()]),
            "{:?}",
            ended.stderr
        );
    }
    let ended = without_rights(&scene, "4242", &["--user", "4242:4343"]).probe("exit 3").end();
    refused_with(&ended, 125, &["--user", "not permitted"]);
}

#[test]
fn a_user_namespace_that_forbids_it_is_named() {
    let scene = Scene::new();
    let ended = scene.supervise().place(Place::UserPid1).options(&["--user", "1:1"]).probe("exit 3").end();
    refused_with(&ended, 125, &["cannot set the groups 1", "/proc/self/setgroups"]);
    // Root there is root already.
    let ended = scene.supervise().place(Place::UserPid1).options(&["--user", "0:0"]).probe("exit 3").end();
    assert_eq!((ended.exit, ended.stderr.len()), (Exit::Code(3), 0), "{ended:?}");
}

#[test]
fn each_refusal_on_the_way_is_one_line() {
    if !geteuid().is_root() {
        return skip("only root can become others");
    }
    let all = ["--user", "nobody", "--umask", "027", "--rlimit", "core=0", "--cap-drop", "ALL", "--no-new-privs"];
    for (call, said) in [
        ("setgroups", "cannot set the groups 65534"),
        ("setresgid", "cannot become group 65534"),
        ("setresuid", "cannot become user 65534"),
        ("prlimit64", "--rlimit core=0:0"),
        ("capset", "--cap-drop"),
        ("setsid", "--setsid"),
        ("chdir", "--workdir /"),
    ] {
        for (error, errno) in [("EPERM", "not permitted"), ("ENOSYS", "not implemented")] {
            let scene = Scene::new();
            let log = scene.folder().join("log");
            let inject = format!("inject={call}:error={error}");
            let launch = scene.supervise().options(&all).options(&["--setsid", "--workdir", "/"]);
            let launch = launch.traced(&log, &["-f", "-e", &format!("trace={call}"), "-e", &inject]);
            refused_with(&launch.probe("say started").end(), 125, &[said, errno, "the command was not started"]);
            scene.nothing_is_left();
        }
    }
}

#[test]
fn what_keeps_the_user_out_is_named() {
    if !geteuid().is_root() {
        return skip("only root can become others");
    }
    let scene = Scene::new();
    let closed = scene.folder().join("closed");
    fs::create_dir(&closed).expect("it is new");
    let program = closed.join("program");
    copy_program(Path::new("/bin/true"), &program);
    let run = |options: &[&str], word: OsString| scene.supervise().options(options).argv(&[word]).end();
    let user = ["--user", "nobody"];
    for (folder, file, said) in [(0o700, 0o755, "to enter"), (0o755, 0o700, "to execute it")] {
        fs::set_permissions(&closed, fs::Permissions::from_mode(folder)).expect("it is ours");
        fs::set_permissions(&program, fs::Permissions::from_mode(file)).expect("it is ours");
        assert_eq!(run(&[], program.clone().into()).exit, Exit::Code(0));
        refused_with(&run(&user, program.clone().into()), 126, &["user 65534 has no permission", said]);
    }
    let script = scene.executable("script", format!("#!{}\n", program.display()).as_bytes());
    refused_with(
        &run(&user, script.clone().into()),
        126,
        &["user 65534 has no permission to execute it", "interpreter of"],
    );
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).expect("it is ours");
    let said = format!("cannot run {}: user 65534 has no permission to execute it", script.display());
    refused_with(&run(&user, script.into()), 126, &[&said]);
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).expect("it is ours");
    let options = ["--user", "nobody", "--workdir", closed.to_str().expect("made by us")];
    assert_eq!(run(&options, "true".into()).exit, Exit::Code(0));
    refused_with(&run(&options, "./program".into()), 126, &["user 65534 has no permission to execute it"]);
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).expect("it is ours");
    refused_with(&run(&options, "true".into()), 125, &["--workdir", "permission denied", "able to enter it"]);
}

#[test]
fn a_command_of_another_user_is_stopped_and_killed_all_the_same() {
    if !geteuid().is_root() {
        return skip("only root can become others");
    }
    for place in [Place::Child, Place::Pid1] {
        let scene = Scene::new();
        let options = ["--user", "4242:4343", "--grace", "0", "--leftover-grace", "1s"];
        let worker = "ignore TERM,HUP, fork setsid fork ready wait end wait end";
        let launch = scene.supervise().for_everybody().place(place).options(&options);
        let mut init = launch.probe(&format!("{worker}, report-until 64")).spawn();
        init.expect("ready");
        init.expect("ready");
        init.signal(libc::SIGUSR1);
        assert!(init.line().starts_with("got 10 from "));
        init.signal(libc::SIGTERM);
        let exit = init.wait();
        assert!([Exit::Signal(9), Exit::Code(137)].contains(&exit), "{exit:?}");
        scene.deadline.until("nothing to be left", || scene.marked().is_empty().then_some(()));
    }
}

#[test]
fn by_a_variable_an_injected_init_does_it_too() {
    if !geteuid().is_root() {
        return skip("only root can become others");
    }
    for place in EVERYWHERE {
        if place == Place::UserPid1 {
            continue;
        }
        let scene = Scene::new();
        let launch = scene.supervise().place(place).env("SUPERVISE_USER", "nobody").env("SUPERVISE_NO_NEW_PRIVS", "1");
        let ended = launch.argv(&["sh", "-c", "id -u; grep NoNewPrivs /proc/self/status | tr -d '\\t'"]).end();
        assert_eq!(
            (ended.exit, ended.stdout),
            (Exit::Code(0), vec!["65534".into(), "NoNewPrivs:1".into()]),
            "{place:?}"
        );
    }
}

#[test]
fn users_in_a_fifo_or_in_a_file_without_end_are_refused() {
    if !geteuid().is_root() {
        return skip("only root may change its root");
    }
    let scene = Scene::new();
    let root = root_filesystem(&scene);
    for file in ["passwd", "group"] {
        let path = root.join("etc").join(file);
        let content = fs::read(&path).expect("it is ours");
        fs::remove_file(&path).expect("it is ours");
        mkfifo(&path, Mode::S_IRWXU).expect("the folder is ours");
        let said = format!("--user app: cannot read /etc/{file}: it is a FIFO");
        refused_with(&as_user(&scene, &root, "app"), 125, &[&said]);
        fs::remove_file(&path).expect("it is ours");
        fs::File::create(&path).and_then(|file| file.set_len(17 << 20)).expect("it is ours");
        refused_with(&as_user(&scene, &root, "app"), 125, &[&format!("/etc/{file} is larger than 16 MB")]);
        fs::write(&path, content).expect("it is ours");
    }
    assert_eq!(as_user(&scene, &root, "app").stdout, ["4242 4343 4343 44 45 /srv/app"]);
}

#[test]
fn numbers_need_no_file_that_cannot_be_read() {
    if !geteuid().is_root() {
        return skip("only root can become others");
    }
    let scene = Scene::new();
    let root = root_filesystem(&scene);
    for file in ["passwd", "group"] {
        let path = root.join("etc").join(file);
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("it is ours");
    }
    let by_4242 = |user: &str| {
        let words = ["/bin/supervise", "--user", "4242:4343", "--", "/bin/supervise", "--user", user, "--"];
        in_root(&scene, &root, &words.into_iter().chain(WHO).chain([TELL]).collect::<Vec<_>>())
    };
    for user in ["4242:4343", ":4343"] {
        let ended = by_4242(user);
        assert_eq!((ended.exit, ended.stdout), (Exit::Code(0), vec!["4242 4343 4343 /".to_owned()]), "{user}");
    }
    // The group would be its line's.
    for user in ["4242", "4242:app", "app:4343"] {
        refused_with(&by_4242(user), 125, &[&format!("--user {user}: cannot read /etc/passwd: permission denied")]);
    }
}

#[test]
fn who_names_a_group_is_in_that_one_alone_also_as_who_we_are() {
    if !geteuid().is_root() {
        return skip("only root can become others");
    }
    let scene = Scene::new();
    for (user, groups) in [("0:0", "0"), (":0", "0"), ("0:", "0 44 4343"), ("4242:4343", "4343")] {
        let launch = scene.supervise().for_everybody().behind(&["setpriv", "--groups=4343,44"]);
        let ended = launch.options(&["--user", user]).argv(&["id", "-G"]).end();
        assert_eq!((ended.exit, ended.stdout), (Exit::Code(0), vec![groups.to_owned()]), "{user}: {:?}", ended.stderr);
    }
}

#[test]
fn without_cap_kill_it_is_said_that_the_command_is_out_of_reach() {
    if !geteuid().is_root() {
        return skip("only root can become others");
    }
    let scene = Scene::new();
    let behind = ["setpriv", "--bounding-set=-kill", "--inh-caps=-kill"];
    let warning = "supervise: warning: without CAP_KILL the command, as user 4242, cannot be sent signals, stopped or \
                   killed by us; give supervise CAP_KILL";
    for (behind, user, warnings) in
        [(&behind[..], "4242:4242", &[warning][..]), (&behind, "0:4242", &[]), (&[], "4242:4242", &[])]
    {
        let launch = scene.supervise().for_everybody().behind(behind).options(&["--user", user]);
        let ended = launch.argv(&["true"]).end();
        assert_eq!(ended.exit, Exit::Code(0), "{ended:?}");
        assert_eq!(ended.stderr, warnings, "{user}");
    }
}
