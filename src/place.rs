//! Where we and the command stand: process groups, sessions, terminals, PID namespaces.

use std::cell::LazyCell;

use supervise_init::core::{Group, JobControl, KillMode, OnSignalDeath, Scope};
use supervise_init::driver::ForwardTo;
use supervise_init::sys::{Placement, Tty, controlling_tty, session, talks_to_terminal};

use crate::cli::Options;
use crate::conduct::{Foreground, Grouping};
use crate::surroundings::Surroundings;

/// Where we and the command stand: process groups, sessions, PID namespaces.
pub(crate) struct Place {
    pub(crate) tty: Option<Tty>,
    pub(crate) placement: Placement,
    pub(crate) group: Group,
    pub(crate) job_control: JobControl,
    pub(crate) scope: Scope,
    pub(crate) on_signal_death: OnSignalDeath,
}

impl Place {
    /// Where the command stands.
    pub(crate) fn new(surroundings: &Surroundings, options: &Options) -> Place {
        // It makes the group itself, and leaves the terminal.
        if has_new_session(options) {
            return Place { placement: Placement::Inherited, ..Place::around(surroundings, options, None) };
        }
        if options.conduct.grouping == Grouping::Session {
            return Place { placement: Placement::Session, ..Place::around(surroundings, options, None) };
        }
        let place = Place::of_hooks(surroundings, options);
        match (options.conduct.grouping, options.conduct.foreground, place.tty) {
            (Grouping::Own, Foreground::Always, Some(tty)) => Place { placement: Placement::Foreground(tty), ..place },
            _ => place,
        }
    }

    /// Where what runs around it stands: the same, but in our session.
    pub(crate) fn of_hooks(surroundings: &Surroundings, options: &Options) -> Place {
        Place::around(surroundings, options, Some(controlling_tty))
    }

    /// Where one stands whose terminal, if it can have one, is found so.
    fn around(surroundings: &Surroundings, options: &Options, find_tty: Option<fn() -> Option<Tty>>) -> Place {
        let is_pid_1 = surroundings.is_pid_1();
        let leads_session = LazyCell::new(|| session() == surroundings.ourselves().number());
        // In our caller's group pipelines, pagers and Ctrl-C work as without us. A session's leader has no caller
        // whose group it could share, and the kernel tells it alone that its terminal is gone.
        let needs_group = options.forward_to == ForwardTo::Group || options.ladder.kill_mode == KillMode::Group;
        let is_apart = match options.conduct.grouping {
            // In a container of ours we share a group with whoever sees that it was stopped.
            Grouping::AsNeeded if surroundings.is_in_our_container() => needs_group || has_new_session(options),
            Grouping::AsNeeded => needs_group || has_new_session(options) || *leads_session,
            Grouping::Shared => needs_group || has_new_session(options),
            Grouping::Own | Grouping::Session => true,
        };
        let group = match is_apart {
            true => Group::Own,
            false if *leads_session => Group::Led,
            false => Group::Shared,
        };
        let tty = find_tty.filter(|_| group == Group::Own).and_then(|find| find());
        let placement = match (group, tty) {
            (Group::Shared | Group::Led, _) => Placement::Inherited,
            // In a pipeline the terminal may be a neighbour's, such as a pager's in our group. Who needs it there is
            // stopped at the first use, and gets it then.
            (Group::Own, Some(tty)) if tty.is_ours() && (*leads_session || talks_to_terminal()) => {
                Placement::Foreground(tty)
            }
            (Group::Own, _) => Placement::OwnGroup,
        };
        // A PID 1 cannot stop, so no shell could see that a group of its own has. A session of its own has no shell that
        // could.
        let is_session = options.conduct.grouping == Grouping::Session;
        let unseen = is_session || (is_pid_1 && group == Group::Own) || *leads_session;
        Place {
            placement,
            group,
            tty,
            job_control: if unseen { JobControl::Nobody } else { JobControl::Caller },
            scope: if is_pid_1 { Scope::Namespace } else { Scope::Tree },
            on_signal_death: match options.conduct.on_signal_death {
                Some(what) => what,
                None if is_pid_1 => OnSignalDeath::Code,
                None => OnSignalDeath::DieOfIt,
            },
        }
    }
}

fn has_new_session(options: &Options) -> bool {
    options.outfit.as_ref().is_some_and(|outfit| outfit.new_session)
}
