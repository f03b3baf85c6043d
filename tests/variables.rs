//! The options as variables: an init that is injected has no command line of its own.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

use harness::launch::{By, EVERYWHERE};
use harness::running::{expect_report, passes};
use harness::{Exit, Scene};
use libc::{SIGINT, SIGTERM, SIGUSR1, SIGUSR2};

/// As long as no test waits.
const NEVER: &str = "1h";

#[test]
fn the_command_line_wins_over_the_variables() {
    let cases: [(&[&str], &[&str], i32); 5] = [
        (&["delay", NEVER], &["--delay", "0"], SIGTERM),
        (&["stop-signal", "QUIT"], &["--stop-signal", "INT"], SIGINT),
        (&["grace", "0"], &["--grace", NEVER], SIGTERM),
        (&["max-time", "0"], &["--max-time", NEVER], SIGTERM),
        (&["stop-signal", "KILL"], &["--stop-signal=USR2"], SIGUSR2),
    ];
    for (variable, options, signal) in cases {
        let scene = Scene::new();
        let launch = scene.supervise().given(By::Variable, variable[0], variable[1]).options(options);
        let mut init = launch.probe("report-until 64, exit 3").spawn();
        init.expect("ready");
        // Before any stop there is none.
        passes(&mut init, SIGUSR1);
        init.signal(SIGTERM);
        expect_report(&mut init, signal);
        passes(&mut init, 64);
        assert_eq!(init.wait(), Exit::Code(3), "{variable:?} {options:?}");
    }
}

/// Every option that has a variable, with a value that changes nothing here.
const VARIABLES: [(&str, &str); 17] = [
    ("forward-to", "main"),
    ("rewrite", "HUP=HUP"),
    ("parent-death", "USR1"),
    ("exit-map", "99=99"),
    ("delay", "0"),
    ("stop-signal", "TERM"),
    ("kill-mode", "main"),
    ("grace", NEVER),
    ("leftovers", "stop"),
    ("leftover-grace", "5s"),
    ("max-time", NEVER),
    ("pre-start", "true"),
    ("pre-start-timeout", NEVER),
    ("pre-stop", "true"),
    ("pre-stop-timeout", "5s"),
    ("exit-report", "/dev/null"),
    ("exit-report-format", "json"),
];

#[test]
fn our_variables_are_kept_from_the_command_and_others_are_not() {
    for place in EVERYWHERE {
        for empty in [false, true] {
            let scene = Scene::new();
            let launch = scene.supervise().place(place);
            let launch = VARIABLES.iter().fold(launch, |launch, (option, value)| {
                launch.given(By::Variable, option, if empty { "" } else { value })
            });
            // Kubernetes makes the first for a service of our name.
            let others = [("SUPERVISE_PORT", "tcp://10.0.0.1:80"), ("SUPERVISE_GRACEFUL", "1"), ("SUPERVISE", "x")];
            let launch = others.into_iter().fold(launch, |launch, (name, value)| launch.env(name, value));
            let ended = launch.probe("status, exit 3").end();
            assert_eq!((ended.exit, ended.stderr.len()), (Exit::Code(3), 0), "{ended:?}");
            let mut seen: Vec<&str> = ended
                .stdout
                .iter()
                .filter_map(|line| line.strip_prefix("env "))
                .filter(|line| line.starts_with("SUPERVISE"))
                .collect();
            seen.sort_unstable();
            assert_eq!(seen, ["SUPERVISE=x", "SUPERVISE_GRACEFUL=1", "SUPERVISE_PORT=tcp://10.0.0.1:80"], "{place:?}");
        }
    }
}

#[test]
fn the_words_win_over_a_variable_that_is_wrong_or_says_something_else() {
    let scene = Scene::new();
    let wrong = || scene.supervise().env("SUPERVISE_GRACE", "soon");
    let ended = wrong().options(&["--grace", "1s"]).probe("exit 3").end();
    assert_eq!((ended.exit, ended.stderr.len()), (Exit::Code(3), 0), "{ended:?}");
    let ended = wrong().options(&["--version"]).probe("exit 3").end();
    assert_eq!((ended.exit, ended.stderr.len()), (Exit::Code(0), 0), "{ended:?}");
    let ended = wrong().probe("exit 3").end();
    assert_eq!((ended.exit, ended.stderr.len()), (Exit::Code(125), 1), "{ended:?}");
    let mapped = scene.supervise().env("SUPERVISE_EXIT_MAP", "3=4").options(&["--exit-map", "5=6"]);
    assert_eq!(mapped.probe("exit 3").end().exit, Exit::Code(3));
}
