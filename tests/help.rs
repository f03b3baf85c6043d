//! What supervise says about itself: help, the man page, the README and the completions name the same options, with the
//! same values and variables; and what is misspelt is recognized.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;
/// The program's own table.
#[expect(dead_code, reason = "its parser is not needed here")]
#[path = "../src/cli/options.rs"]
mod options;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use harness::launch::{By, Init, Place, variable};
use harness::running::{Ended, Running};
use harness::{Exit, Scene, skip};
use options::{
    CHECK, CTL, FEATURES, HALT, Id, Kind, RUN, RUNLEVEL, Row, SHIMS, SHUTDOWN, SYSTEMCTL, TABLE, TELINIT, Topic,
    WAIT_FOR,
};

/// An option as a text shows it: `-v, --verbose`, `--grace TIME`.
type Syntax = String;

const SUBCOMMANDS: [&str; 8] = ["wait-for", "run", "check", "features", "shims", "ctl", "completions", "man"];

/// Those that take the words of another program, and so no `-h` for help.
const CLIENTS: [(&str, &[Row]); 8] = [
    ("poweroff", &HALT),
    ("halt", &HALT),
    ("reboot", &HALT),
    ("shutdown", &SHUTDOWN),
    ("telinit", &TELINIT),
    ("init", &TELINIT),
    ("runlevel", &RUNLEVEL),
    ("systemctl", &SYSTEMCTL),
];

/// What prints something of a subcommand.
fn calls_of_subcommands() -> Vec<Vec<&'static str>> {
    let short = SUBCOMMANDS.iter().map(|name| vec![*name, "-h"]);
    let all = SUBCOMMANDS.into_iter().chain(CLIENTS.map(|(name, _)| name));
    short.chain(all.map(|name| vec![name, "--help"])).collect()
}

#[track_caller]
fn called_with(scene: &Scene, words: &[&str]) -> Ended {
    let path = Init::Supervise.path().expect("cargo built it");
    let mut command = scene.command(&path);
    command.args(words).stdout(Stdio::piped()).stderr(Stdio::piped());
    Running::start(scene, command, 0, &path).end()
}

/// What is printed for these words, and nothing else.
#[track_caller]
fn printed(words: &[&str]) -> Vec<String> {
    let scene = Scene::new();
    let ended = called_with(&scene, words);
    assert_eq!((ended.exit, &ended.stderr[..]), (Exit::Code(0), &[][..]), "{words:?}");
    scene.nothing_is_left();
    ended.stdout
}

fn syntaxes(rows: &[Row]) -> Vec<Syntax> {
    rows.iter().map(Row::syntax).collect()
}

/// Those of the init, and then those that subcommands have besides.
fn all_rows() -> impl Iterator<Item = &'static Row> {
    const ALL: [&[Row]; 11] =
        [&TABLE, &WAIT_FOR, &RUN, &CHECK, &FEATURES, &SHIMS, &CTL, &HALT, &SHUTDOWN, &TELINIT, &SYSTEMCTL];
    ALL.into_iter().flatten()
}

/// The options that stand at the beginning of help's lines, in front of its texts.
fn in_help(lines: &[String]) -> Vec<Syntax> {
    let lines = lines.iter().take_while(|line| !line.starts_with("Subcommands") && *line != "Targets:");
    let lines = lines.filter_map(|line| line.strip_prefix("  ")).filter(|line| line.starts_with('-'));
    lines.map(|line| line.split("  ").next().unwrap_or(line).to_owned()).collect()
}

/// The options that head a paragraph of the man page.
fn in_man(lines: &[String]) -> Vec<Syntax> {
    let heads = lines.windows(2).filter(|pair| pair[0] == ".TP").map(|pair| plain(&pair[1]));
    heads.filter(|head| head.starts_with('-')).collect()
}

/// Without the marks of roff.
fn plain(line: &str) -> String {
    line.replace("\\fB", "").replace("\\fI", "").replace("\\fR", "").replace("\\-", "-")
}

/// The options in the first cells of the README's tables.
fn in_readme() -> BTreeSet<String> {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("it is there");
    let cells = readme.lines().filter_map(|line| line.strip_prefix("| `-")?.split(" | ").next());
    let words = cells.flat_map(|cell| format!("`-{cell}").split('`').map(str::to_owned).collect::<Vec<_>>());
    words.filter(|word| word.starts_with("--")).map(|word| word.replace("\\|", "|")).collect()
}

#[test]
fn help_and_the_man_page_have_each_option_once_in_one_order() {
    let own = syntaxes(&TABLE);
    assert_eq!(in_help(&printed(&["-h"])), own, "-h");
    assert_eq!(in_help(&printed(&["--help"])), own, "--help");
    // Their help and version are told of above.
    let besides = all_rows().skip(TABLE.len()).filter(|row| !matches!(row.id, Id::Help | Id::Version));
    let man: Vec<Syntax> = own.into_iter().chain(besides.map(Row::syntax)).collect();
    assert_eq!(in_man(&printed(&["man"])), man, "man");
    for (name, rows) in CLIENTS {
        assert_eq!(in_help(&printed(&[name, "--help"])), syntaxes(rows), "{name} --help");
    }
    for (name, rows) in [
        ("wait-for", &WAIT_FOR[..]),
        ("run", &RUN),
        ("check", &CHECK),
        ("features", &FEATURES),
        ("shims", &SHIMS),
        ("ctl", &CTL),
    ] {
        let wanted = [syntaxes(rows), vec!["-v, --verbose".to_owned(), "-h, --help".to_owned()]].concat();
        for help in ["-h", "--help"] {
            assert_eq!(in_help(&printed(&[name, help])), wanted, "{name} {help}");
        }
    }
}

#[test]
fn the_readme_has_each_option_with_its_value() {
    let long = |row: &Row| row.syntax().split_once(", ").map_or_else(|| row.syntax(), |(_, long)| long.to_owned());
    let wanted: BTreeSet<String> = all_rows().map(long).filter(|option| option.starts_with("--")).collect();
    assert_eq!(in_readme(), wanted);
}

#[test]
fn the_readme_and_all_texts_name_only_variables_that_exist() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("it is there");
    let mut known: BTreeSet<String> = TABLE.iter().map(|row| variable(row.long)).collect();
    // The log's own, that of other inits, one of Kubernetes, and two of the tests.
    known.extend(["LOG", "STRICT", "PORT", "BIN", "TABLE_ROUNDS"].map(|name| format!("SUPERVISE_{name}")));
    let texts = [printed(&["-h"]), printed(&["--help"]), printed(&["man"]), vec![readme]];
    for text in texts {
        let text = plain(&text.join("\n"));
        for (at, _) in text.match_indices("SUPERVISE_") {
            let name: String = text[at..].chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
            assert!(known.contains(&name), "{name} is no variable: {:?}", text[at..].lines().next());
        }
    }
}

#[test]
fn the_man_page_gives_the_variable_of_each_option() {
    let man = plain(&printed(&["man"]).join(" "));
    for row in &TABLE {
        let told = man.contains(&format!("Variable: {}.", variable(row.long)));
        assert_eq!(told, row.has_variable(), "--{}", row.long);
    }
}

#[test]
fn a_variable_says_whether_a_flag_is_given() {
    let help = printed(&["--help"]).join(" ");
    for row in TABLE.iter().filter(|row| row.value.is_none() && row.has_variable()) {
        let name = variable(row.long);
        assert!(help.contains(&name), "--help does not name {name}");
        for (word, code) in [("1 true yes", 0), ("0 false no", 0), ("2 on off maybe", 125)] {
            for word in word.split(' ') {
                let scene = Scene::new();
                let ended = scene.supervise().given(By::Variable, row.long, word).argv(&["/bin/true"]).end();
                assert_eq!(ended.exit, Exit::Code(code), "{name}={word}: {ended:?}");
            }
        }
    }
    // And it does: leading a session is what differs.
    for (word, leads) in [("yes", true), ("no", false)] {
        let scene = Scene::new();
        let script = "read -r pid name state parent group session rest </proc/self/stat; echo $pid $session";
        let ended = scene.supervise().env("SUPERVISE_SETSID", word).argv(&["sh", "-c", script]).end();
        let (pid, session) = ended.stdout[0].split_once(' ').expect("two numbers");
        assert_eq!(pid == session, leads, "{ended:?}");
    }
}

#[test]
fn short_help_of_wait_for_names_the_forms_of_targets() {
    let lines = printed(&["wait-for", "-h"]);
    for form in ["tcp:HOST:PORT", "unix:PATH", "http://HOST[:PORT]/PATH", "file:PATH", "exec:COMMAND"] {
        assert!(lines.iter().any(|line| line.starts_with(&format!("  {form}  "))), "no {form} in {lines:?}");
    }
}

#[test]
fn no_text_names_an_option_that_is_not_there() {
    let known: BTreeSet<&str> = all_rows().map(|row| row.long).collect();
    // docker's and podman's.
    let others = BTreeSet::from(["init", "init-path", "sdnotify"]);
    let mut calls: Vec<Vec<&str>> = vec![vec!["-h"], vec!["--help"], vec!["man"]];
    calls.extend(calls_of_subcommands());
    for call in calls {
        let text = plain(&printed(&call).join("\n"));
        for (at, _) in text.match_indices(" --") {
            let name: String = text[at + 3..].chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
            let is_known = name.is_empty() || known.contains(&name[..]) || others.contains(&name[..]);
            assert!(is_known, "{call:?} names --{name}");
        }
    }
}

#[test]
fn short_help_is_one_screen() {
    let lines = printed(&["-h"]);
    assert!(lines.len() <= 88, "{} lines", lines.len());
    for row in all_rows() {
        let (brief, _) = row.help.split_once('\n').unwrap_or((row.help, ""));
        assert!(brief.len() <= 48 && !brief.ends_with('.'), "the first line of --{} is for -h: {brief:?}", row.long);
    }
    for name in SUBCOMMANDS.into_iter().chain(CLIENTS.map(|(name, _)| name)) {
        assert!(lines.iter().any(|line| line.starts_with(&format!("  {name} "))), "nothing of {name}");
    }
    let mut headings: Vec<&str> = TABLE.iter().map(|row| row.topic.heading()).collect();
    headings.dedup();
    let shown: Vec<&str> = lines.iter().filter_map(|line| line.strip_suffix(':')).collect();
    assert_eq!(shown, [headings, vec!["Subcommands"]].concat());
}

#[test]
fn help_has_eighty_columns_and_no_colour() {
    let mut calls: Vec<Vec<&str>> = vec![vec!["-h"], vec!["--help"]];
    calls.extend(calls_of_subcommands());
    for call in calls {
        let lines = printed(&call);
        assert!(lines[0].starts_with("Usage: supervise"), "{call:?}: {lines:?}");
        for line in lines {
            assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{call:?}: {line:?}");
            // What is to be typed is not broken.
            assert!(line.len() <= 80 || line.starts_with("      supervise "), "{call:?}: {line:?}");
        }
    }
}

#[test]
fn long_help_has_examples() {
    let of_subcommands = calls_of_subcommands().into_iter().filter(|call| call[1] == "--help");
    for call in [vec!["--help"]].into_iter().chain(of_subcommands) {
        let lines = printed(&call);
        let examples = lines.iter().position(|line| line == "Examples:").unwrap_or_else(|| panic!("none in {call:?}"));
        let typed = |line: &String| line.starts_with("      supervise ");
        assert!(lines[examples..].iter().any(typed), "{call:?}: {lines:?}");
    }
}

/// What a program makes of the man page.
fn read_by(program: &[&str]) -> Option<std::process::Output> {
    let mut page = printed(&["man"]).join("\n");
    page.push('\n');
    let mut reader = Command::new(program[0]);
    reader.args(&program[1..]).env("MANWIDTH", "80").env("LC_ALL", "C").env("MANPAGER", "cat");
    let mut reader = reader.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().ok()?;
    reader.stdin.take().expect("it is a pipe").write_all(page.as_bytes()).expect("it reads");
    Some(reader.wait_with_output().expect("it was started"))
}

#[test]
fn mandoc_finds_nothing_wrong_with_the_man_page() {
    let Some(output) = read_by(&["mandoc", "-Tlint", "-Wstyle"]) else { return skip("mandoc is missing") };
    assert!(output.status.success() && output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn man_shows_the_man_page_without_a_warning() {
    let Some(output) = read_by(&["man", "--warnings", "-l", "-"]) else { return skip("man is missing") };
    let (shown, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.is_empty(), "{said}");
    let sections = ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "SUBCOMMANDS", "THE STOP", "EXIT STATUS"];
    let more = ["ENVIRONMENT", "EXAMPLES", "FILES", "SEE ALSO"];
    let mut rest = &*shown;
    for section in sections.iter().chain(&more) {
        let at = rest.find(&format!("\n{section}\n")).unwrap_or_else(|| panic!("no {section} behind the others"));
        rest = &rest[at + 1..];
    }
    assert!(shown.contains("supervise - init for containers and shells"), "{shown}");
    // To be typed, and copied: no hyphens of print.
    assert!(shown.contains("supervise --stop-signal TERM:10s,INT:5s,KILL -- postgres"), "{shown}");
}

#[test]
fn a_stdout_that_takes_nothing_is_125() {
    let calls: [&[&str]; 6] =
        [&["-h"], &["--help"], &["--version"], &["man"], &["completions", "zsh"], &["wait-for", "--help"]];
    for call in calls {
        let scene = Scene::new();
        let path = Init::Supervise.path().expect("cargo built it");
        let mut full = scene.command(&path);
        full.args(call).stdout(File::options().write(true).open("/dev/full").expect("it is there"));
        let mut closed = scene.command("sh");
        closed.args(["-c", "exec \"$0\" \"$@\" >&-"]).arg(&path).args(call).stdout(Stdio::piped());
        for mut command in [full, closed] {
            command.stderr(Stdio::piped());
            let ended = Running::start(&scene, command, 0, &path).end();
            assert_eq!(ended.exit, Exit::Code(125), "{call:?}: {ended:?}");
            assert_eq!(ended.stderr.len(), 1, "{call:?}: {ended:?}");
            assert!(ended.stderr[0].starts_with("supervise: cannot write to stdout: "), "{ended:?}");
        }
    }
}

#[test]
fn what_is_misspelt_is_recognized() {
    let cases: [(&[&str], i32, &str); 46] = [
        (&["--grac", "5s", "true"], 125, "unknown option --grac; did you mean --grace?"),
        (&["--stopsignal=TERM", "true"], 125, "did you mean --stop-signal?"),
        (&["-grace", "5s", "true"], 125, "did you mean --grace?"),
        (&["--frobnicate", "true"], 125, "unknown option --frobnicate; `supervise --help` lists them"),
        (&["-x", "true"], 125, "unknown option -x; `supervise --help` lists them"),
        (&["--kill-mode", "grup", "true"], 125, "main|group|tree; did you mean group?"),
        (&["--leftovers", "waite", "true"], 125, "did you mean wait?"),
        (&["--log-format", "jason", "true"], 125, "did you mean json?"),
        (&["--parent-death", "TREM", "true"], 125, "did you mean TERM?"),
        (&["wait-for", "--timout", "5s", "file:/"], 125, "did you mean --timeout?"),
        (&["wait-for", "--grac", "5s", "file:/"], 125, "did you mean --grace?"),
        (&["wait-for", "--frobnicate", "file:/"], 125, "`supervise wait-for --help` lists them"),
        (&["run", "--frobnicate", "/"], 125, "`supervise run --help` lists them"),
        (&["shims", "--ints", "/"], 125, "unknown option --ints; did you mean --inits?"),
        (&["shims", "--frobnicate"], 125, "`supervise shims --help` says what"),
        (&["shim", "--inits", "/"], 127, "did you mean `supervise shims`?"),
        (&["comletions", "bash"], 127, "not found in PATH; did you mean `supervise completions`?"),
        (&["waitfor", "tcp:db:1"], 127, "did you mean `supervise wait-for`?"),
        (
            &["--", "--restart", "always", "--", "true"],
            127,
            "run --restart: not found in PATH; an option stands before",
        ),
        (&["help"], 127, "did you mean `supervise --help`?"),
        (&["completions"], 125, "say `supervise completions bash|zsh|fish`"),
        (&["completions", "bsh"], 125, "bash|zsh|fish; did you mean bash?"),
        (&["completions", "powershell"], 125, "it is one of bash|zsh|fish"),
        (&["completions", "bash", "zsh"], 125, "completions zsh: it takes nothing like that"),
        (&["ctl"], 125, "say `supervise ctl status|stop|restart|signal|events`"),
        (&["ctl", "status", "--jsno"], 125, "unknown option --jsno; did you mean --json?"),
        (&["features", "--jsno"], 125, "unknown option --jsno; did you mean --json?"),
        (&["features", "now"], 125, "`supervise features --help` says what"),
        (&["features", "--json=1"], 125, "--json takes no value"),
        (&["ctl", "statsu"], 125, "did you mean status?"),
        (&["ctl", "frobnicate"], 125, "it is one of status|stop|restart|signal|events"),
        (&["ctl", "stop", "now"], 125, "ctl stop now: stop takes nothing like that"),
        (&["ctl", "stop", "--json"], 125, "ctl stop --json: stop takes nothing like that"),
        (&["ctl", "events", "--wait"], 125, "ctl events --wait: events takes nothing like that"),
        (&["ctl", "status", "--timeout", "5s"], 125, "ctl status --timeout: status takes nothing like that"),
        (&["ctl", "restart", "--timeout", "5"], 125, "\"5\" is no time; say 5s"),
        (&["ctl", "restart", "--timeout"], 125, "--timeout needs a value"),
        (&["ctl", "signal"], 125, "ctl signal which?"),
        (&["ctl", "signal", "-9"], 125, "ctl signal -9: signal takes nothing like that"),
        (&["ctl", "signal", "TREM"], 125, "no signal is called \"TREM\"; did you mean TERM?"),
        (&["ctl", "signal", "65"], 125, "or 1 to 64"),
        (&["ctl", "stop", "--json"], 125, "ctl stop --json: stop takes nothing like that"),
        (&["powerof"], 127, "did you mean `supervise poweroff`?"),
        (&["shutdwon", "now"], 127, "did you mean `supervise shutdown`?"),
        (&["man", "ls"], 125, "`supervise -- man ls` runs a program called man"),
        (&["man", "--htlm"], 125, "`supervise man --help` says what"),
    ];
    for (words, code, said) in cases {
        let scene = Scene::new();
        let ended = called_with(&scene, words);
        assert_eq!((ended.exit, ended.stderr.len()), (Exit::Code(code), 1), "{words:?}: {ended:?}");
        assert!(ended.stderr[0].contains(said), "{words:?}: {ended:?}");
    }
}

#[test]
fn what_is_no_subcommand_is_not_taken_for_one() {
    // Behind options or `--` it is a program; and these are rather other programs.
    let cases: [&[&str]; 4] = [&["--", "comletions"], &["-v", "comletions"], &["make-it"], &["./comletions"]];
    for words in cases {
        let scene = Scene::new();
        let ended = called_with(&scene, words);
        assert_eq!(ended.exit, Exit::Code(127), "{words:?}: {ended:?}");
        assert!(!ended.stderr.join("\n").contains("did you mean"), "{words:?}: {ended:?}");
    }
}

#[test]
fn a_subcommand_that_does_not_stand_first_is_told_where_to_stand() {
    for words in [&["-v", "wait-for", "tcp:db:1"][..], &["--grace", "5s", "wait-for", "tcp:db:1"], &["--", "wait-for"]]
    {
        let scene = Scene::new();
        let ended = called_with(&scene, words);
        assert_eq!(ended.exit, Exit::Code(127), "{words:?}: {ended:?}");
        let said = "cannot run wait-for: not found in PATH; a subcommand stands first: supervise wait-for ...";
        assert!(ended.stderr.iter().any(|line| line.ends_with(said)), "{words:?}: {ended:?}");
    }
}

#[test]
fn a_program_called_like_a_subcommand_runs_behind_two_dashes() {
    for name in SUBCOMMANDS.into_iter().chain(CLIENTS.map(|(name, _)| name)) {
        let scene = Scene::new();
        scene.executable(name, b"#!/bin/sh\necho program $0 $1\n");
        let path = format!("{}:/usr/bin:/bin", scene.folder().display());
        for place in [Place::Child, Place::Pid1] {
            let ended = scene.supervise().place(place).env("PATH", &path).argv(&[name, "word"]).end();
            assert_eq!(ended.exit, Exit::Code(0), "{ended:?}");
            assert!(ended.stdout[0].ends_with(&format!("/{name} word")), "{ended:?}");
            assert_eq!(ended.stderr, [""; 0], "{ended:?}");
        }
    }
}

#[test]
fn each_choice_that_help_names_is_taken() {
    for row in TABLE.iter().filter(|row| row.kind() == Some(Kind::Choice)) {
        for choice in row.value.unwrap_or_default().split('|') {
            let scene = Scene::new();
            // How checks are done is said of some only.
            let of_what: &[&str] = if row.topic == Topic::Health { &["--health", "true"] } else { &[] };
            let launch = scene.supervise().options(of_what).options(&[&format!("--{}", row.long), choice]);
            let ended = launch.argv(&["true"]).end();
            assert_eq!(ended.exit, Exit::Code(0), "--{} {choice}: {ended:?}", row.long);
        }
    }
}

#[test]
fn help_wins_wherever_it_stands_among_the_options() {
    assert_eq!(printed(&["-v", "--grace", "5s", "-h"]), printed(&["-h"]));
    assert_eq!(printed(&["-vh"]), printed(&["-h"]));
    assert_eq!(printed(&["-v", "--help", "--no-such-option"]), printed(&["--help"]));
    assert_eq!(printed(&["wait-for", "tcp:db:1", "--help"]), printed(&["wait-for", "--help"]));
    assert_eq!(printed(&["shims", "--inits", "/no/dir", "--help"]), printed(&["shims", "--help"]));
    assert_eq!(printed(&["shims", "-vh"]), printed(&["shims", "-h"]));
    assert!(TABLE.iter().any(|row| row.id == Id::Help && row.topic == Topic::Other));
}
