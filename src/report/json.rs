//! The report as one JSON object. The README describes it; a change of what is there already needs another `schema`.

use std::fmt::{self, Write};

use supervise_init::core::{Cause, End, Process, Received, Rung, Sender, Status};
use supervise_init::sys::{JsonText, Line};

use super::{Page, Run, Seconds, shown_name};

/// What the report's fields are named and mean.
const SCHEMA: u32 = 1;

/// Room for what stands behind the list of processes.
const TAIL: usize = 64;

pub(super) fn page(run: &Run<'_>) -> Page {
    let mut page = Page::new();
    // Everything but the list of processes is bounded, and that takes the room that is left.
    let _ = run.write(&mut page);
    page
}

impl Run<'_> {
    fn write(&self, page: &mut Page) -> fmt::Result {
        let started = Seconds(self.started);
        write!(page, "{{\"schema\":{SCHEMA},\"version\":\"{}\",\"started\":{started}", env!("CARGO_PKG_VERSION"))?;
        field(page, "command", self.command)?;
        if let Some((time, _)) = self.record.ended() {
            write!(page, ",\"seconds\":{}", Seconds(self.after_start(time)))?;
        }
        self.write_stop(page)?;
        self.write_main(page)?;
        page.write_str(",\"rungs\":[")?;
        for (number, (time, rung, took)) in self.record.rungs().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            write!(page, "{comma}{{\"rung\":\"{}\"", name(rung))?;
            if let Rung::Signal(signal) = rung {
                write!(page, ",\"signal\":\"{signal}\"")?;
            }
            write!(page, ",\"at\":{},\"seconds\":{}}}", Seconds(self.after_start(time)), Seconds(took))?;
        }
        page.write_str("]")?;
        match self.exit() {
            Ok(code) => write!(page, ",\"exit\":{{\"code\":{code}}}")?,
            Err(signal) => write!(page, ",\"exit\":{{\"signal\":\"{signal}\"}}")?,
        }
        self.write_processes(page)
    }

    fn write_stop(&self, page: &mut Page) -> fmt::Result {
        let Some((time, cause)) = self.record.stop() else { return page.write_str(",\"stop\":null") };
        write!(page, ",\"stop\":{{\"at\":{}", Seconds(self.after_start(time)))?;
        match cause {
            Cause::MaxTime => page.write_str(",\"cause\":\"max-time\"")?,
            Cause::Signal(Received { signal, sender }) => {
                let from = match sender {
                    Sender::Kernel => "kernel",
                    Sender::Outside => "outside",
                    Sender::Ourselves => "ourselves",
                    Sender::Process { .. } | Sender::Client { .. } => "process",
                };
                write!(page, ",\"cause\":\"signal\",\"signal\":\"{signal}\",\"from\":\"{from}\"")?;
            }
        }
        if let Some((pid, uid, comm)) = self.asker() {
            write!(page, ",\"pid\":{pid},\"uid\":{uid}")?;
            if let Some(comm) = comm {
                field(page, "comm", shown_name(&comm).as_str())?;
            }
        }
        page.write_str("}")
    }

    fn write_main(&self, page: &mut Page) -> fmt::Result {
        if let Some(reason) = self.not_started {
            return field(page, "not_started", super::shown(reason.text.as_bytes()).as_str());
        }
        let Some((pid, _)) = self.record.main() else { return Ok(()) };
        write!(page, ",\"main\":{{\"pid\":{pid}")?;
        self.write_end(page, self.record.main_end())?;
        page.write_str("}")
    }

    fn write_end(&self, to: &mut dyn Write, end: End) -> fmt::Result {
        if let End::Ended(time, status) | End::Killed(time, status) = end {
            write!(to, ",\"at\":{}", Seconds(self.after_start(time)))?;
            match status {
                Status::Exited(code) => write!(to, ",\"code\":{code}")?,
                Status::Signaled(signal) => write!(to, ",\"signal\":\"{signal}\"")?,
            }
        }
        to.write_str(match end {
            // Of who was told, its own parent has reaped it.
            End::Ended(..) | End::Told => "",
            End::Killed(..) | End::Killing => ",\"killed\":true",
            End::LeftBehind => ",\"left_behind\":true",
        })
    }

    /// As many as there is room for, and how many more there are.
    fn write_processes(&self, page: &mut Page) -> fmt::Result {
        page.write_str(",\"processes\":[")?;
        let mut more = self.record.more();
        let mut comma = "";
        for process in self.record.processes() {
            let mut entry = Line::<512>::new();
            self.write_process(&mut entry, comma, process)?;
            if page.room() < entry.bytes().len() + TAIL {
                more = more.saturating_add(1);
                continue;
            }
            page.write_str(entry.as_str())?;
            comma = ",";
        }
        writeln!(page, "],\"more\":{more}}}")
    }

    fn write_process(&self, entry: &mut Line<512>, comma: &str, process: &Process) -> fmt::Result {
        write!(entry, "{comma}{{\"pid\":{}", process.pid)?;
        if let Some(name) = &process.name {
            field(entry, "comm", shown_name(name).as_str())?;
        }
        self.write_end(entry, process.end)?;
        entry.write_str("}")
    }
}

fn field<const N: usize>(line: &mut Line<N>, name: &str, text: &str) -> fmt::Result {
    write!(line, ",\"{name}\":\"")?;
    // Cut where it is too long; the quote still fits.
    let _ = JsonText(line).write_str(text);
    line.write_str("\"")
}

fn name(rung: Rung) -> &'static str {
    match rung {
        Rung::PreStart => "pre-start",
        Rung::PreStop => "pre-stop",
        Rung::Delay => "delay",
        Rung::Signal(_) => "signal",
        Rung::Kill => "kill",
        Rung::Wait => "wait",
        Rung::Leftovers => "leftovers",
        Rung::KillLeftovers => "kill-leftovers",
    }
}
