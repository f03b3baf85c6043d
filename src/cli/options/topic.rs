//! What options are about.

/// What the options are about, as the help text groups them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Topic {
    Command,
    Signals,
    Stop,
    Restarts,
    Readiness,
    Health,
    Hooks,
    Requests,
    Reports,
    Other,
    WaitFor,
    Shims,
    Client,
    Ctl,
    Root,
    Limits,
    Container,
    Run,
    Verdict,
}

impl Topic {
    pub(crate) fn heading(self) -> &'static str {
        match self {
            Topic::Command => "What the command is given",
            Topic::Signals => "Signals",
            Topic::Stop => "The stop",
            Topic::Restarts => "When it has ended by itself",
            Topic::Readiness => "Whether it is ready, and alive",
            Topic::Health => "Whether it does its work",
            Topic::Hooks => "Before it starts, and before it is stopped",
            Topic::Requests => "When it is asked from inside, as PID 1",
            Topic::Reports => "What it tells",
            Topic::Other => "Other",
            Topic::WaitFor => "Waiting",
            Topic::Shims => "The links",
            Topic::Client => "Options",
            Topic::Ctl => "How it is asked and told",
            Topic::Root => "Its files",
            Topic::Limits => "What it may use of the machine",
            Topic::Container => "The container",
            Topic::Run => "How it is run and told to stop",
            Topic::Verdict => "The verdict and the report",
        }
    }
}
