//! One row of a table: what is typed where by whom, what the client answers, and what comes of it.

use crate::container::{Container, Fate, Process1, Setting, Who};
use crate::harness::running::Ended;
use crate::harness::{Exit, Scene};
use crate::roots::Root;
use crate::runner::Case;

/// Each line in each root is a case, in a container of its own.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    /// Its number in the list of cases, or what stands in its place.
    pub(crate) number: &'static str,
    pub(crate) roots: &'static [Root],
    pub(crate) setting: Setting,
    pub(crate) who: Who,
    pub(crate) typed: &'static [&'static str],
    /// Whether the client stays a zombie until process 1 has looked at it. Where its signal alone says what is wanted,
    /// its name is what counts, and it has none any more when its parent has been faster.
    pub(crate) stays: bool,
    /// How the client ends.
    pub(crate) code: i32,
    /// What it says on stderr.
    pub(crate) says: Says,
    pub(crate) then: Then,
}

impl Row {
    /// What most rows are: root types it, and the client has no complaint.
    pub(crate) const PLAIN: Row = Row {
        number: "",
        roots: &[],
        setting: Setting::PLAIN,
        who: Who::Root,
        typed: &[],
        stays: false,
        code: 0,
        says: Says::Nothing,
        then: Then::GoesOn,
    };
}

/// What the client says on stderr.
#[derive(Clone, Copy)]
pub(crate) enum Says {
    Nothing,
    /// That systemd does not run, so many times, and then these lines.
    NotBooted(usize, &'static [&'static str]),
    /// These lines.
    Lines(&'static [&'static str]),
    /// Something, with each of these in it.
    Words(&'static [&'static str]),
    /// This is another's concern.
    Anything,
}

/// What comes of it.
#[derive(Clone, Copy)]
pub(crate) enum Then {
    /// The services go on.
    GoesOn,
    /// The same, and a line of the log has these words.
    GoesOnSaying(&'static [&'static str]),
    /// The services are told to end, and the container ends with this code: the log says what was asked for.
    Ends(i32, &'static str),
    /// The services are told to end, and the container ends with 0. Of a `poweroff` or a `halt`, so the log says.
    Stops(&'static str),
    /// The services are told to end, and the container ends as for a reboot.
    Reboots,
    /// All is killed, and the container ends with this code.
    IsKilled(i32),
    /// The container is gone by this signal.
    DiesOf(i32),
}

impl Then {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Then::GoesOn | Then::GoesOnSaying(_) => "leaves all as it is",
            Then::Stops("halt") => "halts",
            Then::Stops(_) => "stops all",
            Then::Ends(..) => "ends with a code",
            Then::Reboots => "reboots",
            Then::IsKilled(_) => "kills all",
            Then::DiesOf(_) => "ends the container at once",
        }
    }
}

/// The cases of the rows. Those of a root that nothing needs are left out where it is not there.
pub(crate) fn cases(rows: &[Row]) -> impl Iterator<Item = Case> {
    let of_root = |row: Row, root: Root| row.typed.iter().map(move |typed| case(row, root, typed));
    rows.iter().flat_map(move |row| {
        let roots = row.roots.iter().filter(|root| **root != Root::Sid || root.exists());
        roots.flat_map(move |root| of_root(*row, *root))
    })
}

fn case(row: Row, root: Root, typed: &'static str) -> Case {
    let by = if row.who == Who::User { " by a user" } else { "" };
    let ours = match row.setting {
        Setting { ours: true, .. } => " and our clients",
        setting if setting.is_systemd() => " and --systemd-compat",
        _ => "",
    };
    let name = format!("{}: in {}{ours}, `{typed}`{by} {}", row.number, root.name(), row.then.words());
    Case::new(name, move || play(&row, root, typed))
}

fn play(row: &Row, root: Root, typed: &str) {
    let scene = Scene::new();
    let mut container = Container::start(&scene, root, &row.setting);
    let client = if row.stays {
        // A shell reaps its children when it waits for them.
        let client = container.begins(row.who, &format!("{typed} & read line; wait $!"));
        container.read_log(&["got SIG", "from pid"]);
        client.end()
    } else {
        container.types(row.who, typed)
    };
    match row.then {
        // Whoever asked for that may be killed before it has ended.
        Then::IsKilled(_) | Then::DiesOf(_) => {}
        _ => answers(row, root, &client),
    }
    // Process 1 is asked by another who waits until the client has ended.
    if let (Then::Stops(_) | Then::Ends(..) | Then::Reboots | Then::IsKilled(_), true) =
        (row.then, row.setting.is_systemd())
    {
        container.read_log(&["asked for", "the systemd bus"]);
    }
    match row.then {
        Then::Stops(_) if row.setting.process_1 == Process1::Service => assert_eq!(container.fate(), Fate::Stops),
        Then::GoesOn => container.must_go_on(&[]),
        Then::GoesOnSaying(words) => container.must_go_on(words),
        Then::Stops(wish) => container.must_stop(0, &[wish, "asked for"]),
        Then::Ends(code, wish) => container.must_stop(code, &[wish, "asked for"]),
        Then::Reboots => container.must_stop(129, &["reboot asked for"]),
        Then::IsKilled(code) => container.must_be_over(Exit::Code(code), &["asked for"]),
        Then::DiesOf(signal) => container.must_be_over(Exit::Signal(signal), &[]),
    }
}

fn answers(row: &Row, root: Root, client: &Ended) {
    assert_eq!(client.exit, Exit::Code(row.code), "{client:?}");
    let lines: &[&str] = match row.says {
        Says::Anything => return,
        Says::Words(words) => {
            let all = client.stderr.join("\n");
            assert!(words.iter().all(|word| all.contains(word)), "nothing of {words:?}: {client:?}");
            return;
        }
        Says::Nothing => &[],
        Says::Lines(lines) => lines,
        Says::NotBooted(times, lines) => {
            let wanted = [root.not_booted().repeat(times), lines.to_vec()].concat();
            assert_eq!(client.stderr, wanted);
            return;
        }
    };
    assert_eq!(client.stderr, lines);
}

/// What the services offer nothing for: the clients' own words, by which the roots are known to be the right ones.
pub(crate) const ALONE: Setting = Setting { process_1: Process1::Service, ..Setting::PLAIN };
