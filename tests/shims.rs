//! `supervise shims`: the links that it makes and removes, what it leaves alone, and what it says when it
//! cannot.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use harness::launch::Init;
use harness::running::{Ended, Running, refused};
use harness::{Exit, Scene, copy_program, skip};
use nix::unistd::geteuid;

const NAMES: [&str; 5] = ["catatonit", "docker-init", "dumb-init", "tini", "tini-static"];

/// What a directory has: each name with where its link leads, or with nothing.
type Listing = BTreeMap<String, Option<PathBuf>>;

fn listing(dir: &Path) -> Listing {
    let entries = fs::read_dir(dir).expect("it is a directory").map(|entry| entry.expect("it can be read"));
    entries.map(|entry| (entry.file_name().into_string().expect("ours"), fs::read_link(entry.path()).ok())).collect()
}

/// All the names, with links that lead there.
fn links_to(target: impl AsRef<Path>) -> Listing {
    NAMES.map(|name| (name.to_owned(), Some(target.as_ref().to_owned()))).into()
}

fn supervise() -> PathBuf {
    Init::Supervise.path().expect("cargo built it")
}

#[track_caller]
fn run(scene: &Scene, mut command: Command) -> Ended {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Running::start(scene, command, 0, Path::new("supervise")).end()
}

/// This supervise, with these words behind `shims`.
#[track_caller]
fn shims_of(scene: &Scene, program: &Path, words: &[&dyn AsRef<OsStr>]) -> Ended {
    let mut command = scene.command(program);
    command.arg("shims").args(words.iter().map(|word| word.as_ref()));
    run(scene, command)
}

#[track_caller]
fn shims(scene: &Scene, words: &[&dyn AsRef<OsStr>]) -> Ended {
    shims_of(scene, &supervise(), words)
}

#[track_caller]
fn is_quiet(ended: &Ended) {
    assert_eq!((ended.exit, ended.stdout.len(), ended.stderr.len()), (Exit::Code(0), 0, 0), "{ended:?}");
}

fn new_dir(scene: &Scene, name: &str) -> PathBuf {
    let dir = scene.folder().join(name);
    fs::create_dir(&dir).expect("the folder is ours");
    dir
}

/// A directory with a copy of supervise under this name.
fn with_program(scene: &Scene, name: &str) -> (PathBuf, PathBuf) {
    let dir = new_dir(scene, "bin");
    let program = dir.join(name);
    copy_program(&supervise(), &program);
    (dir, program)
}

#[test]
fn each_name_gets_a_link_to_this_very_program() {
    let scene = Scene::new();
    let dir = new_dir(&scene, "dir");
    is_quiet(&shims(&scene, &[&"--inits", &dir]));
    assert_eq!(listing(&dir), links_to(fs::canonicalize(supervise()).expect("it is there")));
}

#[test]
fn beside_the_program_a_link_has_its_name_alone() {
    let scene = Scene::new();
    let (dir, program) = with_program(&scene, "supervise");
    let other_path = scene.folder().join("other-path");
    symlink("bin", &other_path).expect("the name is free");
    is_quiet(&shims_of(&scene, &program, &[&"--inits", &other_path]));
    let mut wanted = links_to("supervise");
    wanted.insert("supervise".into(), None);
    assert_eq!(listing(&dir), wanted);
}

#[test]
fn called_by_a_link_it_names_the_program_behind_it() {
    let scene = Scene::new();
    let (_, program) = with_program(&scene, "program");
    let (link, dir) = (scene.folder().join("link"), new_dir(&scene, "dir"));
    symlink(&program, &link).expect("the name is free");
    is_quiet(&shims_of(&scene, &link, &[&"--inits", &dir]));
    assert_eq!(listing(&dir), links_to(fs::canonicalize(program).expect("it is there")));
}

#[test]
fn a_second_run_changes_nothing() {
    let scene = Scene::new();
    let dir = new_dir(&scene, "dir");
    is_quiet(&shims(&scene, &[&"--inits", &dir]));
    let inodes = || NAMES.map(|name| fs::symlink_metadata(dir.join(name)).expect("it was made").ino());
    let before = inodes();
    is_quiet(&shims(&scene, &[&"--inits", &dir]));
    assert_eq!(inodes(), before);
    // And one that is missing comes back.
    fs::remove_file(dir.join("tini")).expect("it is ours");
    is_quiet(&shims(&scene, &[&"--inits", &dir]));
    assert_eq!(listing(&dir).len(), NAMES.len());
}

#[test]
fn what_leads_to_it_in_another_way_stays() {
    let scene = Scene::new();
    let (dir, program) = with_program(&scene, "supervise");
    fs::hard_link(&program, dir.join("tini")).expect("the name is free");
    symlink("tini", dir.join("tini-static")).expect("the name is free");
    symlink("../bin/./supervise", dir.join("dumb-init")).expect("the name is free");
    is_quiet(&shims_of(&scene, &program, &[&"--inits", &dir]));
    let there = listing(&dir);
    assert_eq!(there["tini"], None);
    assert_eq!(there["tini-static"].as_deref(), Some(Path::new("tini")));
    assert_eq!(there["dumb-init"].as_deref(), Some(Path::new("../bin/./supervise")));
    assert_eq!(there["catatonit"].as_deref(), Some(Path::new("supervise")));
    is_quiet(&shims_of(&scene, &program, &[&"--remove", &"--inits", &dir]));
    assert_eq!(listing(&dir), Listing::from([("supervise".to_owned(), None)]));
}

#[test]
fn verbose_tells_of_each_name() {
    let scene = Scene::new();
    let dir = new_dir(&scene, "dir");
    for (words, said) in [(&[][..], "leads to /"), (&[], "leads to supervise"), (&["--remove"], "is removed")] {
        let mut all: Vec<&dyn AsRef<OsStr>> = vec![&"-v", &"--inits", &dir];
        all.extend(words.iter().map(|word| word as &dyn AsRef<OsStr>));
        let ended = shims(&scene, &all);
        assert_eq!((ended.exit, ended.stderr.len()), (Exit::Code(0), NAMES.len()), "{ended:?}");
        for name in NAMES {
            let named = format!("{} {said}", dir.join(name).display());
            assert!(ended.stderr.iter().any(|line| line.contains(&named)), "nothing of {named:?} in {ended:?}");
        }
    }
}

#[test]
fn what_is_something_else_is_not_replaced_and_nothing_is_made() {
    type Make = fn(&Path);
    let cases: [(&str, Make, &str); 5] = [
        ("catatonit", |path| fs::write(path, "theirs").expect("the name is free"), "a file"),
        ("tini", |path| fs::create_dir(path).expect("the name is free"), "a directory"),
        ("dumb-init", |path| symlink("/no/such/init", path).expect("the name is free"), "a link that leads nowhere"),
        ("docker-init", |path| symlink("/bin/sh", path).expect("the name is free"), "a link to something else"),
        ("tini-static", |path| copy_program(&supervise(), path), "a copy of supervise"),
    ];
    for (name, make, said) in cases {
        let scene = Scene::new();
        let dir = new_dir(&scene, "dir");
        make(&dir.join(name));
        let before = listing(&dir);
        let what = format!("{} ({said})", dir.join(name).display());
        refused(&shims(&scene, &[&"--inits", &dir]), &[&what, "remove or rename", "nothing was changed"]);
        assert_eq!(listing(&dir), before, "{name}");
        // Nor is it ours to remove.
        is_quiet(&shims(&scene, &[&"--inits", &dir, &"--remove"]));
        assert_eq!(listing(&dir), before, "{name}");
    }
}

#[test]
fn all_that_is_in_the_way_is_named_at_once() {
    let scene = Scene::new();
    let dir = new_dir(&scene, "dir");
    fs::write(dir.join("tini"), "theirs").expect("the name is free");
    fs::write(dir.join("dumb-init"), "theirs").expect("the name is free");
    refused(&shims(&scene, &[&"--inits", &dir]), &["/tini (a file), /", "/dumb-init (a file): already there"]);
}

#[test]
fn removal_takes_its_own_and_says_nothing_of_what_is_not_there() {
    let scene = Scene::new();
    let dir = new_dir(&scene, "dir");
    is_quiet(&shims(&scene, &[&"--inits", &dir, &"--remove"]));
    is_quiet(&shims(&scene, &[&"--inits", &dir]));
    fs::remove_file(dir.join("tini")).expect("it is ours");
    fs::write(dir.join("tini"), "theirs").expect("the name is free");
    fs::write(dir.join("other"), "theirs").expect("the name is free");
    is_quiet(&shims(&scene, &[&"--inits", &dir, &"--remove"]));
    assert_eq!(listing(&dir).into_keys().collect::<Vec<_>>(), ["other", "tini"]);
}

#[test]
fn a_program_that_has_one_of_the_names_itself_is_not_removed() {
    let scene = Scene::new();
    let (dir, program) = with_program(&scene, "tini");
    let link = dir.join("supervise");
    symlink("tini", &link).expect("the name is free");
    is_quiet(&shims_of(&scene, &link, &[&"--inits", &dir]));
    assert_eq!(listing(&dir)["catatonit"].as_deref(), Some(Path::new("tini")));
    is_quiet(&shims_of(&scene, &link, &[&"--inits", &dir, &"--remove"]));
    assert!(program.is_file());
    assert_eq!(listing(&dir).into_keys().collect::<Vec<_>>(), ["supervise", "tini"]);
}

#[test]
fn what_is_no_directory_is_named() {
    let scene = Scene::new();
    let (missing, file) = (scene.folder().join("missing"), scene.folder().join("file"));
    fs::write(&file, "").expect("the folder is ours");
    for order in [&[][..], &["--remove"]] {
        let order: Vec<&dyn AsRef<OsStr>> = order.iter().map(|word| word as &dyn AsRef<OsStr>).collect();
        let named = format!("cannot look into {}: no such file or directory; make that", missing.display());
        refused(&shims(&scene, &[&[&"--inits" as _, &missing as _], &order[..]].concat()), &[&named]);
        let named = format!("cannot look into {}: not a directory; ", file.display());
        refused(&shims(&scene, &[&[&"--inits" as _, &file as _], &order[..]].concat()), &[&named]);
    }
}

const CLIENTS: [&str; 8] = ["halt", "init", "poweroff", "reboot", "runlevel", "shutdown", "systemctl", "telinit"];

#[test]
fn the_names_of_clients_are_made_where_it_is_told_and_are_these_clients() {
    let scene = Scene::new();
    let dir = new_dir(&scene, "dir");
    is_quiet(&shims(&scene, &[&dir]));
    assert_eq!(listing(&dir).into_keys().collect::<Vec<_>>(), CLIENTS);
    is_quiet(&shims(&scene, &[&dir]));
    for (name, said) in [("poweroff", "poweroff [OPTIONS]"), ("systemctl", "systemctl [OPTIONS]")] {
        let mut command = scene.command(dir.join(name));
        command.arg("--help");
        let ended = run(&scene, command);
        assert!(ended.stdout.iter().any(|line| line.contains(said)), "nothing of {said:?} in {ended:?}");
    }
    // The other names are another matter.
    is_quiet(&shims(&scene, &[&"--inits", &dir]));
    assert_eq!(listing(&dir).len(), CLIENTS.len() + NAMES.len());
    is_quiet(&shims(&scene, &[&dir, &"--remove"]));
    assert_eq!(listing(&dir).into_keys().collect::<Vec<_>>(), NAMES);
}

#[test]
fn without_a_directory_it_is_the_first_of_path_that_is_there() {
    let scene = Scene::new();
    let (first, second) = (new_dir(&scene, "first"), new_dir(&scene, "second"));
    let missing = scene.folder().join("missing");
    let among = |path: &[&Path], words: &[&str]| {
        let mut command = scene.command(supervise());
        command.arg("shims").args(words).env("PATH", std::env::join_paths(path).expect("no colon is in them"));
        run(&scene, command)
    };
    is_quiet(&among(&[&missing, Path::new("relative"), &first, &second], &[]));
    assert_eq!((listing(&first).len(), listing(&second).len()), (CLIENTS.len(), 0));
    is_quiet(&among(&[&first], &["--remove"]));
    assert_eq!(listing(&first).len(), 0);
    refused(&among(&[&missing], &[]), &["no directory of PATH is there", "`supervise shims DIR`"]);
}

#[test]
fn wrong_words_are_told_what_to_say() {
    let scene = Scene::new();
    let cases: [(&[&str], &str); 18] = [
        (&[""], "shims where? say `supervise shims DIR`, or "),
        (&["--inits="], "`supervise shims --inits DIR`"),
        (&["/no/dir", "/other"], "shims makes links in one place: /no/dir or /other? say one of them"),
        (&["/no/dir", "--inits", "/other"], "in one place: /no/dir or /other?"),
        (&["/no/dir", "--divert"], "in one place: /no/dir or --divert?"),
        (&["--divert", "--inits=/no/dir"], "in one place: --divert or /no/dir?"),
        (&["--divert=/no/dir"], "--divert takes no value"),
        (&["--div"], "did you mean --divert?"),
        (&["--inits"], "--inits needs a value: --inits DIR"),
        (&["--inits", "--"], "--inits needs a value: --inits DIR"),
        (&["--init", "/no/dir"], "unknown option --init; did you mean --inits?"),
        (&["--inits", "/no/dir", "--remov"], "did you mean --remove?"),
        (&["--inits", "/no/dir", "--remove=yes"], "--remove takes no value"),
        (&["--inits", "/no/dir", "/other"], "in one place: /no/dir or /other?"),
        (&["--inits", "/no/dir", "--inits", "/other"], "in one place: /no/dir or /other?"),
        (&["--inits", "/no/dir", "--grace", "5s"], "shims --grace: it takes nothing like that"),
        (&["--inits", "/no/dir", "-vx"], "shims -vx: it takes nothing like that"),
        (&["--inits", "/no/dir", "--"], "shims --: it takes nothing like that"),
    ];
    for (words, said) in cases {
        let words: Vec<&dyn AsRef<OsStr>> = words.iter().map(|word| word as &dyn AsRef<OsStr>).collect();
        refused(&shims(&scene, &words), &[said]);
    }
}

#[test]
fn a_directory_of_another_user_is_not_written_to() {
    if !geteuid().is_root() {
        return skip("only root has directories that its other users cannot write to");
    }
    let scene = Scene::new();
    let (dir, program) = with_program(&scene, "supervise");
    let as_nobody = |words: &[&str]| {
        let mut command = scene.command("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program);
        command.args(["shims", "--inits"]).arg(&dir).args(words);
        run(&scene, command)
    };
    refused(&as_nobody(&[]), &["cannot make", "/tini: permission denied", "nothing was changed", "root"]);
    is_quiet(&as_nobody(&["--remove"]));
    is_quiet(&shims_of(&scene, &program, &[&"--inits", &dir]));
    // What is there needs no rights.
    is_quiet(&as_nobody(&[]));
    refused(&as_nobody(&["--remove"]), &["cannot remove", "/tini: permission denied", "root"]);
    assert_eq!(listing(&dir).len(), NAMES.len() + 1);
}

/// A shell in a mount namespace of its own: `$1` is supervise, `$2` an empty directory.
#[track_caller]
fn among_mounts(scene: &Scene, script: &str) -> Ended {
    let dir = new_dir(scene, "dir");
    let mut command = scene.command("unshare");
    command.args(["--mount", "sh", "-c", script, "sh"]).args([supervise(), dir]);
    run(scene, command)
}

#[test]
fn a_file_system_that_is_read_only_is_left_as_it_is() {
    if !geteuid().is_root() {
        return skip("only root may mount");
    }
    let scene = Scene::new();
    let ended = among_mounts(&scene, "mount -t tmpfs -o ro none $2 && exec $1 shims --inits $2");
    refused(&ended, &["cannot make", "/tini: read-only file system; nothing was changed", "when the image is built"]);
    // Links that are there already are all that is wanted.
    let scene = Scene::new();
    let filled = "mount -t tmpfs none $2 && $1 shims --inits $2 && mount -o remount,ro $2";
    is_quiet(&among_mounts(&scene, &format!("{filled} && exec $1 shims --inits $2")));
    let scene = Scene::new();
    let ended = among_mounts(&scene, &format!("{filled} && exec $1 shims --inits $2 --remove"));
    refused(&ended, &["cannot remove", "/tini: read-only file system"]);
}

#[test]
fn on_a_full_file_system_what_was_made_is_taken_back() {
    if !geteuid().is_root() {
        return skip("only root may mount");
    }
    let scene = Scene::new();
    // Room for three links, beside the directory itself.
    let script =
        "mount -t tmpfs -o nr_inodes=4 none $2 && ln -s x $2/1 && ln -s x $2/2 && ln -s x $2/3 && ! ln -s x $2/4 2>&-
        rm $2/*; $1 shims --inits $2; echo code:$?; ls -A $2";
    let ended = among_mounts(&scene, script);
    assert_eq!(ended.stdout, ["code:125"], "{ended:?}");
    assert_eq!(ended.stderr.len(), 1, "{ended:?}");
    for said in ["/dumb-init: no space left on device; nothing was changed", "make room"] {
        assert!(ended.stderr[0].contains(said), "nothing of {said:?} in {ended:?}");
    }
}

#[test]
fn without_proc_it_knows_where_it_is() {
    if !geteuid().is_root() {
        return skip("only root may mount");
    }
    for called in ["$1", "cd ${1%/*} && ./supervise", "export PATH=${1%/*}:$PATH && supervise"] {
        let scene = Scene::new();
        let ended = among_mounts(&scene, &format!("mount -t tmpfs none /proc && {called} shims --inits $2"));
        is_quiet(&ended);
        let program = fs::canonicalize(supervise()).expect("it is there");
        assert_eq!(listing(&scene.folder().join("dir")), links_to(program), "{called}");
    }
}

#[test]
fn an_image_needs_no_other_file() {
    if !geteuid().is_root() {
        return skip("only root may change the root directory");
    }
    let scene = Scene::new();
    let (root, _) = with_program(&scene, "supervise");
    fs::create_dir(root.join("sbin")).expect("the folder is ours");
    for (dir, target) in [("/sbin", "/supervise"), ("/", "supervise")] {
        let mut command = scene.command("chroot");
        command.arg(&root).args(["/supervise", "shims", "--inits", dir]);
        is_quiet(&run(&scene, command));
        let mut there = listing(&root.join(&dir[1..]));
        there.retain(|name, _| NAMES.contains(&name.as_str()));
        assert_eq!(there, links_to(target), "{dir}");
    }
}

#[test]
fn a_program_that_was_deleted_makes_no_links() {
    let scene = Scene::new();
    let (bin, program) = with_program(&scene, "supervise");
    let dir = new_dir(&scene, "dir");
    let mut command = scene.command("sh");
    command.args(["-c", "exec 3<$1 && rm $1 && exec /proc/self/fd/3 shims --inits $2", "sh"]).args([&program, &dir]);
    refused(&run(&scene, command), &["/bin/supervise (deleted): ", "call the one in its place"]);
    assert_eq!((listing(&dir), listing(&bin)), (Listing::new(), Listing::new()));
}
