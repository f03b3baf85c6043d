//! The command's environment: cleared, set, read from files, and from the files that variables name.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;

use harness::launch::{By, EVERYWHERE, Init, Place};
use harness::running::{Ended, Running, refused};
use harness::{Exit, Scene, skip};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

/// Prints the environment, found by a path: PATH may be gone.
const ENV: &str = "/usr/bin/env";

/// supervise with these words, in an environment of these variables alone (and the scene's mark).
fn run(scene: &Scene, variables: &[(&str, &str)], words: &[&str]) -> Ended {
    let path = Init::Supervise.path().expect("cargo built it");
    let mut command = scene.command(&path);
    let mark: Vec<_> =
        command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
    command.env_clear().envs(mark).envs(variables.iter().copied()).args(words);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Running::start(scene, command, 0, &path).end()
}

/// What `env` prints then, without the scene's mark, sorted.
#[track_caller]
fn seen(scene: &Scene, variables: &[(&str, &str)], options: &[&str]) -> Vec<String> {
    let words: Vec<&str> = options.iter().copied().chain(["--", ENV]).collect();
    let ended = run(scene, variables, &words);
    assert_eq!((ended.exit, ended.stderr.len()), (Exit::Code(0), 0), "{ended:?}");
    let mut seen: Vec<String> = ended.stdout.into_iter().filter(|line| !line.starts_with("PROBE_SCENE=")).collect();
    seen.sort();
    seen
}

fn file(scene: &Scene, name: &str, content: &[u8]) -> String {
    let path: PathBuf = scene.folder().join(name);
    fs::write(&path, content).expect("the folder is ours");
    path.to_str().expect("made by us").to_owned()
}

#[test]
fn what_is_given_later_counts() {
    let scene = Scene::new();
    let first = file(&scene, "variables", b"A=file\nB=file\nC=file\n");
    let other = file(&scene, "others", b"C=other\nD_FILE=/dev/null\n");
    let ours = [("A", "ours"), ("E", "ours"), ("F", "ours")];
    let options =
        ["--env", "B=given", "--env-file", &first, "--env-file", &other, "--env", "E=", "--env-from-files", "D"];
    assert_eq!(seen(&scene, &ours, &options), ["A=file", "B=given", "C=other", "D=", "E=", "F=ours"]);
    assert_eq!(seen(&scene, &ours, &["--env", "A=1", "--env", "A=2=3"]), ["A=2=3", "E=ours", "F=ours"]);
}

#[test]
fn nothing_passes_a_cleared_environment_but_what_is_named() {
    let scene = Scene::new();
    let ours = [("A", "ours"), ("B", "ours"), ("HOME", "/ours"), ("PATH", "/nowhere")];
    assert_eq!(seen(&scene, &ours, &["--clear-env"]), [""; 0]);
    let file = file(&scene, "variables", b"B\nNOBODY_HAS_IT\n");
    let options = ["--clear-env", "--env", "A", "--env-file", &file, "--env", "NOR_THIS", "--env", "C=1"];
    assert_eq!(seen(&scene, &ours, &options), ["A=ours", "B=ours", "C=1"]);
    let ours = [("SUPERVISE_CLEAR_ENV", "yes"), ("SUPERVISE_ENV", "A=B=C"), ("X", "1")];
    assert_eq!(seen(&scene, &ours, &[]), ["A=B=C"]);
    assert_eq!(seen(&scene, &[("SUPERVISE_CLEAR_ENV", "0"), ("X", "1")], &[]), ["X=1"]);
    refused(&run(&scene, &[("SUPERVISE_CLEAR_ENV", "perhaps")], &["true"]), &["SUPERVISE_CLEAR_ENV=perhaps", "1 or 0"]);
}

#[test]
fn the_command_is_looked_for_in_its_own_path() {
    let scene = Scene::new();
    let program = scene.executable("only-here", b"#!/bin/sh\necho found\n");
    let folder = program.parent().and_then(|folder| folder.to_str()).expect("made by us");
    let given = format!("PATH={folder}");
    let ended = run(&scene, &[("PATH", "/nowhere")], &["--env", &given, "--", "only-here"]);
    assert_eq!((ended.exit, ended.stdout), (Exit::Code(0), vec!["found".to_owned()]), "{:?}", ended.stderr);
    // Without one, where docker would look.
    let ended = run(&scene, &[("PATH", folder)], &["--clear-env", "--", "only-here"]);
    assert_eq!(ended.exit, Exit::Code(127), "{ended:?}");
    assert_eq!(run(&scene, &[("PATH", "/nowhere")], &["--clear-env", "--", "true"]).exit, Exit::Code(0));
}

#[test]
fn the_home_is_the_users_unless_one_is_given() {
    let scene = Scene::new();
    // Our own number: no rights are needed.
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    let user = format!("{uid}:{gid}");
    let home = nix::unistd::User::from_uid(uid).expect("passwd can be read").map_or("/".into(), |user| user.dir);
    let seen = |options: &[&str]| seen(&scene, &[("HOME", "/ours")], options);
    assert_eq!(seen(&["--user", &user]), [format!("HOME={}", home.display())]);
    assert_eq!(seen(&["--user", &user, "--clear-env"]), [format!("HOME={}", home.display())]);
    assert_eq!(seen(&["--user", &user, "--env", "HOME=/given"]), ["HOME=/given"]);
    assert_eq!(seen(&["--user", &user, "--env", "HOME"]), ["HOME=/ours"]);
}

#[test]
fn a_file_of_variables_has_dockers_format() {
    let scene = Scene::new();
    let content = b"\xef\xbb\xbfA=1\r\n\n# comment\n   B= two words # not a comment\n\tC=\"quoted\"\nD=\nE=a=b\nOURS\nOTHER\nF='\nLAST=\xff";
    let file = file(&scene, "variables", content);
    let ended = run(
        &scene,
        &[("OURS", "passed")],
        &["--env-file", &file, "--", "sh", "-c", "printf %s \"$LAST\" | od -An -tx1; unset LAST; env"],
    );
    assert_eq!((ended.exit, ended.stderr.len()), (Exit::Code(0), 0), "{ended:?}");
    for line in [" ff", "A=1", "B= two words # not a comment", "C=\"quoted\"", "D=", "E=a=b", "OURS=passed", "F='"] {
        assert!(ended.stdout.iter().any(|seen| seen == line), "no {line:?} in {ended:?}");
    }
    assert!(!ended.stdout.iter().any(|line| line.starts_with("OTHER")), "{ended:?}");
}

#[test]
fn what_is_wrong_in_a_file_of_variables_is_named_by_its_line() {
    let scene = Scene::new();
    let long = [b"A=1\nB=", &vec![b'x'; 128 * 1024][..]].concat();
    let cases: [(&[u8], &str); 5] = [
        (b"A=1\nexport B=2\n", ":2: a blank in the name"),
        (b"=2\n", ":1: no name"),
        (b"A=1\n\n#\nB=\0\n", ":4: a zero byte"),
        (&long, ":2: longer than the 128 kB"),
        (b"A B\n", ":1: a blank in the name"),
    ];
    for (content, said) in cases {
        let file = file(&scene, "variables", content);
        let ended = run(&scene, &[], &["--env-file", &file, "--", "echo", "started"]);
        refused(&ended, &["supervise: --env-file ", &format!("{file}{said}")]);
    }
    refused(&run(&scene, &[], &["--env-file", "/nowhere/it", "--", "true"]), &["/nowhere/it", "no such file"]);
    refused(&run(&scene, &[], &["--env-file", "/", "--", "true"]), &["cannot read /", "is a directory"]);
    refused(&run(&scene, &[], &["--env-file", "/dev/zero", "--", "true"]), &["/dev/zero", "larger than 16 MB"]);
    refused(&run(&scene, &[], &["--env", "=1", "true"]), &["--env =1", "NAME=VALUE"]);
    refused(&run(&scene, &[], &["--env", "", "true"]), &["--env", "NAME=VALUE"]);
}

#[test]
fn a_secret_comes_from_its_file_into_the_command_alone() {
    let scene = Scene::new();
    let file = file(&scene, "secret", b"s3cret\nof two lines\n\n");
    let ours = [
        ("DB_PASSWORD_FILE", file.as_str()),
        ("DB_EMPTY", ""),
        ("DB_EMPTY_FILE", &file),
        ("LOG_FILE", "/var/log/x"),
        ("DB_NONE_FILE", ""),
    ];
    for pattern in ["DB_*", "DB_PASSWORD,DB_EMPTY,DB_NONE,DB_MISSING", "*WORD,*_EMPTY,*_NONE"] {
        let seen = seen(&scene, &ours, &["--env-from-files", pattern]);
        let wanted = ["DB_EMPTY=s3cret", "DB_PASSWORD=s3cret", "LOG_FILE=/var/log/x", "of two lines", "of two lines"];
        assert_eq!(seen, wanted, "{pattern}");
    }
    // Only what is asked for, and a name is no beginning of one.
    assert_eq!(seen(&scene, &[("AB_FILE", &file), ("A_FILE", "/dev/null")], &["--env-from-files", "A"])[0], "A=");
    // Our own environment, which /proc shows, has the file's name at most.
    for place in EVERYWHERE {
        fs::set_permissions(scene.folder().join("secret"), fs::Permissions::from_mode(0o644)).expect("it is ours");
        let launch = scene.supervise().place(place).given(By::Variable, "env-from-files", "DB_PASSWORD");
        let launch = launch.env("DB_PASSWORD_FILE", &file);
        let mut init = launch.probe("status, ready, read").spawn();
        let mut said = Vec::new();
        while said.last().is_none_or(|line| line != "ready") {
            said.push(init.line());
        }
        assert!(said.contains(&"env DB_PASSWORD=s3cret".to_owned()), "{place:?} {said:?}");
        assert!(!said.iter().any(|line| line.starts_with("env DB_PASSWORD_FILE")), "{place:?} {said:?}");
        let shown = fs::read(format!("/proc/{}/environ", init.pid())).expect("it is ours to read");
        assert!(!String::from_utf8_lossy(&shown).contains("s3cret"), "{place:?}");
        init.go();
        assert_eq!(init.wait(), Exit::Code(0), "{place:?}");
    }
}

#[test]
fn a_secret_that_cannot_be_had_is_named_and_never_shown() {
    let scene = Scene::new();
    let secret = "hidden-words";
    let with = |name: &str, content: Vec<u8>| file(&scene, name, &content);
    let zero = with("zero", [secret.as_bytes(), b"\0x"].concat());
    let long = with("long", secret.repeat(11_000).into_bytes());
    let plain = with("plain", secret.into());
    for (variables, said) in [
        (vec![("KEY_FILE", "/nowhere/key")], "cannot read /nowhere/key (of KEY_FILE): no such file"),
        (vec![("KEY_FILE", "/")], "is a directory"),
        (vec![("KEY_FILE", &zero)], "holds a zero byte"),
        (vec![("KEY_FILE", &long)], "128 kB"),
        (vec![("KEY_FILE", &plain), ("KEY", secret)], "both KEY and KEY_FILE are set"),
    ] {
        let ended = run(&scene, &variables, &["--env-from-files", "KEY", "--", "echo", "started"]);
        refused(&ended, &["--env-from-files KEY: ", said]);
        assert!(!ended.stderr[0].contains(secret), "{ended:?}");
    }
    for pattern in ["", "A,,B", "A*B", "**", "A=B"] {
        refused(&run(&scene, &[], &["--env-from-files", pattern, "true"]), &["--env-from-files", "DB_PASSWORD,API_*"]);
    }
    // As much as the kernel takes: the name, `=` and the end are in it.
    let most = with("most", vec![b'x'; 128 * 1024 - 5]);
    let ended = run(&scene, &[("KEY_FILE", &most)], &["--env-from-files", "KEY", "--", "sh", "-c", "echo ${#KEY}"]);
    assert_eq!(ended.stdout, ["131067"], "{:?}", ended.stderr);
}

#[test]
fn a_secret_of_roots_reaches_a_user_who_cannot_read_it() {
    if !nix::unistd::geteuid().is_root() {
        return skip("only root has secrets from others");
    }
    for place in [Place::Child, Place::Pid1] {
        let scene = Scene::new();
        let path = file(&scene, "secret", b"for root's eyes\n");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).expect("it is ours");
        let launch = scene.supervise().place(place).env("KEY_FILE", &path);
        let launch = launch.options(&["--user", "nobody", "--env-from-files", "KEY"]);
        let command = format!("id -u; echo $KEY; cat {path} 2>&1");
        let ended = launch.argv(&["sh", "-c", &command]).end();
        assert_eq!(ended.stdout[..2], ["65534", "for root's eyes"], "{place:?} {:?}", ended.stderr);
        assert!(ended.stdout[2].contains("Permission denied"), "{place:?} {:?}", ended.stdout);
    }
}

#[test]
fn what_could_be_waited_for_without_end_is_refused() {
    let scene = Scene::new();
    let fifo = scene.folder().join("fifo");
    mkfifo(&fifo, Mode::S_IRWXU).expect("the folder is ours");
    let fifo = fifo.to_str().expect("made by us");
    let ended = run(&scene, &[], &["--env-file", fifo, "--", "echo", "started"]);
    refused(&ended, &[&format!("--env-file {fifo}: cannot read {fifo}: it is a FIFO"), "give a file"]);
    let ended = run(&scene, &[("KEY_FILE", fifo)], &["--env-from-files", "KEY", "--", "echo", "started"]);
    refused(&ended, &["--env-from-files KEY: cannot read", "(of KEY_FILE): it is a FIFO"]);
    // One that is open already, too: its writer can go away and another come.
    let supervise = Init::Supervise.path().expect("cargo built it");
    let (supervise, through) = (supervise.to_str().expect("made by cargo"), "exec \"$@\" 3<>\"$0\"");
    let mut command = scene.command("sh");
    command.args(["-c", through, fifo, supervise, "--env-file", "/dev/fd/3", "--", "echo", "started"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    refused(&Running::start(&scene, command, 0, supervise.as_ref()).end(), &["/dev/fd/3: it is a FIFO"]);
    assert_eq!(seen(&scene, &[("A", "1")], &["--env-file", "/dev/null"]), ["A=1"]);
}

#[test]
fn a_pipe_of_the_shell_is_read_to_its_end() {
    let scene = Scene::new();
    let supervise = Init::Supervise.path().expect("cargo built it");
    // The second line comes only once somebody reads: the pipe is full of comments until then.
    let writer = "exec \"$0\" --env-file <(echo A=1; head -c 100000 /dev/zero | tr '\\0' '#'; echo; echo B=2) \"$@\"";
    let mut command = scene.command("bash");
    command.args(["-c", writer]).arg(&supervise).args(["--", "sh", "-c", "echo $A $B"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let ended = Running::start(&scene, command, 0, &supervise).end();
    assert_eq!((ended.exit, ended.stdout), (Exit::Code(0), vec!["1 2".to_owned()]), "{:?}", ended.stderr);
}

#[test]
fn a_file_may_have_as_many_variables_as_the_kernel_takes() {
    let scene = Scene::new();
    let count = 200_000;
    // Each twice, and asked for from the environment besides: the later one counts, and nothing is looked for in all.
    let lines: String = (0..count).map(|number| format!("V{number}=0\n")).collect();
    let again: String = (0..count).map(|number| format!("NOT{number}\nV{number}=1\n")).collect();
    let file = file(&scene, "variables", (lines + &again).as_bytes());
    let with_stack = |stack: &str| run(&scene, &[], &["--rlimit", stack, "--env-file", &file, "--", ENV]);
    let ended = with_stack("stack=67108864");
    let ones = ended.stdout.iter().filter(|line| line.starts_with('V') && line.ends_with("=1")).count();
    // The scene's mark is one more.
    assert_eq!((ended.exit, ended.stdout.len(), ones), (Exit::Code(0), count + 1, count), "{:?}", ended.stderr);
    let ended = with_stack("stack=1048576");
    assert_eq!((ended.exit, ended.stdout.len(), ended.stderr.len()), (Exit::Code(126), 0, 1), "{ended:?}");
    assert!(ended.stderr[0].contains("a quarter of --rlimit stack"), "{ended:?}");
}
