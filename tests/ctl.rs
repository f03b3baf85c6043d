//! `supervise ctl`: what process 1 is asked for, by whom, and what it tells.

#[expect(dead_code, reason = "each test file uses its part of the harness")]
mod harness;

#[path = "ctl/container.rs"]
mod container;
#[path = "ctl/events.rs"]
mod events;
#[path = "ctl/networks.rs"]
mod networks;
#[path = "ctl/places.rs"]
mod places;
#[path = "ctl/readers.rs"]
mod readers;
#[path = "ctl/requests.rs"]
mod requests;
#[path = "ctl/services.rs"]
mod services;
#[path = "ctl/signals.rs"]
mod signals;
#[path = "ctl/status.rs"]
mod status;
