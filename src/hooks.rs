//! Hooks as programs: a shell for each, in the places that the machine knows them by.

use std::ffi::CStr;
use std::time::Duration;

use supervise_init::core::Group;
use supervise_init::driver::{ForwardTo, Purpose, Slot};
use supervise_init::sys::{Environment, Placement, Program, Tty, Words};

use crate::cli::hooks::{Before, Hooks};
use crate::places;

/// What the machine and the driver need for the hooks.
pub(crate) struct Plan<'a> {
    /// Main, what comes before it, and what comes before a stop.
    pub(crate) slots: Vec<Slot<'a>>,
    /// How long each of those before main may take.
    pub(crate) limits: Vec<Option<Duration>>,
}

/// How what runs around main is started. Whom main becomes is its own affair: what prepares a place for it needs our
/// rights, and so must not be led by files in that one's home.
#[derive(Clone, Copy)]
pub(crate) struct Around {
    pub(crate) environment: Environment,
    pub(crate) placement: Placement,
    pub(crate) group: Group,
    pub(crate) tty: Option<Tty>,
}

impl<'a> Plan<'a> {
    /// All is allocated here, and nothing of it is given back before the end.
    pub(crate) fn new(hooks: &'a Hooks, main: Slot<'a>, around: Around) -> Plan<'a> {
        let Around { environment, placement, group, tty } = around;
        let ours = Program { alterations: None, environment, placement, ..*main.program() };
        let mut plan = Plan { slots: vec![main], limits: Vec::new() };
        let before = |program| Slot::new(program, main.forward_to(), tty);
        for hook in &hooks.before {
            // The descriptors that a service manager passes are meant for main.
            let alone = Program { pid_entries: [None; 2], ..ours };
            let (slot, limit) = match hook {
                Before::Hook(line) => {
                    let slot = before(shell(line, &alone)).hook(Purpose::PreStart, title("--pre-start", line));
                    (slot, hooks.before_limit)
                }
                Before::Call { title, work } => (before(alone).hook(Purpose::PreStart, title).calling(work), None),
            };
            plan.slots.push(slot);
            plan.limits.push(limit);
        }
        if let Some(line) = hooks.stop {
            // Main may have the terminal.
            let placement = if group == Group::Own { Placement::OwnGroup } else { Placement::Inherited };
            let program = naming_main(&Program { placement, ..shell(line, &ours) });
            let slot = Slot::new(program, ForwardTo::Main, None);
            plan.slots.push(slot.hook(Purpose::PreStop, title("--pre-stop", line)));
        }
        plan
    }
}

/// `/bin/sh -c LINE`, otherwise as `other`.
fn shell(line: &'static CStr, other: &Program) -> Program {
    let words = [c"", c"/bin/sh", c"-c", line];
    let places = places(words.len());
    Program { words: Words::new(places, words).unwrap_or(other.words), first: 1, ..*other }
}

/// With the main program's pid in the environment, as systemd's `ExecStop=` has it (systemd.exec(5)).
fn naming_main(program: &Program) -> Program {
    // The driver fills it in.
    const ENTRY: &CStr = c"MAINPID=";
    let others = || program.environment.entries().filter(|entry| !entry.to_bytes().starts_with(ENTRY.to_bytes()));
    let places = places(others().count() + 1);
    let environment = Environment::new(places, others().chain([ENTRY])).unwrap_or(program.environment);
    Program { environment, pid_entries: [Some(ENTRY), None], ..*program }
}

/// How messages name a hook: in one line, and not in full where that is long.
fn title(option: &str, line: &CStr) -> &'static str {
    const LONGEST: usize = 60;
    let line = line.to_string_lossy();
    let mut shown: String =
        line.trim().chars().take(LONGEST).map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if line.trim().chars().count() > LONGEST {
        shown.push_str("...");
    }
    format!("{option} `{shown}`").leak()
}

#[cfg(test)]
mod tests {
    use super::title;

    #[test]
    fn a_title_is_one_short_line() {
        assert_eq!(title("--pre-stop", c" a\nb\t"), "--pre-stop `a b`");
        let long = std::ffi::CString::new("x".repeat(100)).expect("it has no NUL");
        assert_eq!(title("--pre-start", &long), format!("--pre-start `{}...`", "x".repeat(60)));
    }
}
