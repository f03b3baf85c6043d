//! What there is to say about supervise or one of its subcommands: `-h`, `--help` and the man page are made of it.

use super::super::options::{self, Topic};
use super::super::subcommands;
use super::texts;

/// What there is to say.
pub(crate) struct Page {
    /// The words that call it.
    pub(crate) name: String,
    subcommand: Option<&'static subcommands::Row>,
    /// What may follow them.
    pub(crate) usage: &'static str,
    /// What it does, as in the tables: a line, then the rest.
    pub(crate) help: &'static str,
    pub(crate) about: &'static [Part],
    pub(crate) rows: Vec<&'static options::Row>,
    pub(crate) sections: &'static [Section],
}

/// What stands under one heading.
pub(crate) struct Section {
    pub(crate) title: &'static str,
    pub(crate) parts: &'static [Part],
}

/// Text in which words between backticks are to be typed as they are.
pub(crate) enum Part {
    Text(&'static str),
    /// A term, and what it means.
    Term(&'static str, &'static str),
    /// What for, and the lines to type.
    Example(&'static str, &'static [&'static str]),
}

impl Page {
    /// The page of a subcommand, or of supervise itself.
    pub(crate) fn of(subcommand: Option<&'static subcommands::Row>) -> Page {
        match subcommand {
            None => Page {
                name: "supervise".to_owned(),
                subcommand,
                usage: "[OPTIONS] [--] COMMAND [ARG]...",
                help: texts::HELP,
                about: texts::ABOUT,
                rows: options::TABLE.iter().collect(),
                sections: texts::SECTIONS,
            },
            Some(row) => Page {
                name: format!("supervise {}", row.name),
                subcommand,
                usage: row.usage,
                help: row.help,
                about: &[],
                rows: row.shown_options(),
                sections: texts::of(row.subcommand),
            },
        }
    }

    /// What words of its own may look like: `-h` shows that too.
    pub(crate) fn forms(&self) -> impl Iterator<Item = &'static Section> {
        self.sections.iter().filter(|section| section.title == texts::TARGETS)
    }

    /// Whether it is supervise's own.
    pub(crate) fn is_main(&self) -> bool {
        self.subcommand.is_none()
    }

    /// The options under their headings, in the order of the table.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (&'static str, &[&'static options::Row])> {
        self.rows.chunk_by(|row, next| row.topic == next.topic).map(|rows| {
            let topic = rows.first().map_or(Topic::Other, |row| row.topic);
            (topic.heading(), rows)
        })
    }
}
