//! Which cases to run, in the words of libtest, for tests that have to do without it.

/// What the command line asked for; of libtest's options, those that say which cases.
#[derive(Default)]
pub(crate) struct Wanted {
    pub(crate) list: bool,
    exact: bool,
    ignored_only: bool,
    filters: Vec<String>,
    skips: Vec<String>,
}

impl Wanted {
    pub(crate) fn from_args(mut args: impl Iterator<Item = String>) -> Self {
        let mut wanted = Self::default();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--list" => wanted.list = true,
                "--exact" => wanted.exact = true,
                "--ignored" => wanted.ignored_only = true,
                "--skip" => wanted.skips.extend(args.next()),
                // These take a value that must not be mistaken for a filter.
                "--test-threads" | "--format" | "--color" | "--logfile" => drop(args.next()),
                option if option.starts_with('-') => {}
                _ => wanted.filters.push(arg),
            }
        }
        wanted
    }

    pub(crate) fn takes(&self, name: &str) -> bool {
        let hit = |word: &String| if self.exact { name == word } else { name.contains(word.as_str()) };
        // No case is marked as ignored.
        !self.ignored_only && (self.filters.is_empty() || self.filters.iter().any(hit)) && !self.skips.iter().any(hit)
    }
}
