//! Real services, and one stop of one of them.

use std::time::Duration;

use crate::docker::{Container, Ended, Stopping};
use crate::images::DEBIAN;
use crate::runner::Trouble;
use crate::visitors::{IdleClient, Request, Shared};
use crate::world::{World, supervise};

/// A service of the image `DEBIAN`.
pub(crate) struct Service {
    pub(crate) user: &'static str,
    /// What it finds in its working directory.
    pub(crate) files: &'static [(&'static str, &'static str)],
    pub(crate) command: &'static [&'static str],
    /// What it says when it runs, and how often.
    pub(crate) ready: (&'static str, usize),
    pub(crate) visitor: Visitor,
}

/// Who is there when it is stopped.
pub(crate) enum Visitor {
    Nobody,
    /// A request that is answered only after the service has said one of these, which it says when it stops.
    Request(&'static [&'static str]),
    /// A session of `psql`.
    IdleClient,
}

/// What process 1 is.
#[derive(Clone, Copy)]
pub(crate) enum Process1<'a> {
    /// The service's own command.
    Command,
    /// An init of the image, or `/supervise`, with these options.
    Init(&'a str, &'a [&'a str]),
    /// Our init by `docker run --init`, with these variables.
    Injected(&'a [&'a str]),
}

/// A service that runs, and its visitor.
pub(crate) struct Running<'d> {
    pub(crate) container: Container<'d>,
    pub(crate) shared: Shared,
    ready: (&'static str, usize),
    visit: Visit,
}

enum Visit {
    Nobody,
    Request(Request, &'static [&'static str]),
    IdleClient(#[expect(dead_code, reason = "it is connected as long as it is there")] IdleClient),
}

/// How a stop went.
#[derive(Debug)]
pub(crate) struct Stop {
    pub(crate) took: Duration,
    pub(crate) ended: Ended,
    /// Whether the client had its whole answer.
    pub(crate) answered: bool,
}

/// Starts a service; its visitor is there when this returns.
pub(crate) fn start<'w>(world: &'w World, service: &Service, process_1: Process1) -> Result<Running<'w>, Trouble> {
    start_image(world, DEBIAN, service, process_1)
}

/// Starts a service in `image`, which has been made of `DEBIAN`. A service without a command has the image's.
pub(crate) fn start_image<'w>(
    world: &'w World,
    image: &str,
    service: &Service,
    process_1: Process1,
) -> Result<Running<'w>, Trouble> {
    let docker = world.docker_with_debian()?;
    let shared = Shared::new(service.files)?;
    let (volume, binary) = (shared.volume(), format!("{}:/supervise:ro", supervise().display()));
    let mut words = vec!["--volume", &volume, "--workdir=/shared", "--volume", &binary, "--user", service.user];
    let mut command = service.command;
    match process_1 {
        Process1::Init(program, options) => {
            words.extend(["--entrypoint", program, image]);
            words.extend(options);
            words.push("--");
        }
        Process1::Command | Process1::Injected(_) => {
            if let Process1::Injected(variables) = process_1 {
                words.push("--init");
                words.extend(variables.iter().flat_map(|variable| ["--env", variable]));
            }
            if let Some((program, rest)) = command.split_first() {
                words.extend(["--entrypoint", program]);
                command = rest;
            }
            words.push(image);
        }
    }
    words.extend(command);
    let mut container = docker.run(&words)?;
    container.wait_for(service.ready.0, service.ready.1)?;
    let visit = match service.visitor {
        Visitor::Nobody => Visit::Nobody,
        Visitor::Request(stopping) => Visit::Request(shared.request()?, stopping),
        Visitor::IdleClient => Visit::IdleClient(IdleClient::connect(docker, &container)?),
    };
    Ok(Running { container, shared, ready: service.ready, visit })
}

impl Running<'_> {
    /// Starts it once more after its end, with the same data; nobody visits it.
    pub(crate) fn start_again(&mut self) -> Result<(), Trouble> {
        self.visit = Visit::Nobody;
        self.container.start_again()?;
        self.container.wait_for(self.ready.0, self.ready.1)
    }

    /// `docker stop` with these options of its own, to the end.
    pub(crate) fn stop(&mut self, options: &[&str]) -> Result<Stop, Trouble> {
        let stopping = self.container.begin_stop(options);
        self.see_stop(stopping)
    }

    /// The same, where it has begun.
    pub(crate) fn see_stop(&mut self, stopping: Stopping) -> Result<Stop, Trouble> {
        let answered = self.dismiss()?;
        Ok(Stop { took: stopping.wait()?, ended: self.container.wait_for_end()?, answered })
    }

    /// Answers the request when the service stops; returns whether the client had the whole answer.
    pub(crate) fn dismiss(&mut self) -> Result<bool, Trouble> {
        match std::mem::replace(&mut self.visit, Visit::Nobody) {
            Visit::Request(request, words) => {
                // One that never says that it stops has been killed by the time this returns.
                self.container.says_one_of(words)?;
                request.answer()
            }
            visit => {
                self.visit = visit;
                Ok(false)
            }
        }
    }
}
