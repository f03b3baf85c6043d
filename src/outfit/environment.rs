//! The command's environment, where it is not ours: nothing or ours, then HOME of the user, then the files, then what
//! is given by itself, then what is read from the files that variables name. What comes later counts.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};

use supervise_init::sys::Environment;

use super::file::{LARGEST, read};
use super::users::User;
use super::{Asked, Outfit, Unfit};
use crate::cli::Wrong;

/// MAX_ARG_STRLEN (execve(2)): the longest that `NAME=VALUE` may be, with its end.
const LONGEST: usize = 128 * 1024;

/// The command's environment, the same with our own HOME where the user's is in it, and the value of its PATH.
pub(super) fn build(
    outfit: &Outfit,
    ours: &Environment,
    user: Option<&User>,
) -> Result<(Environment, Environment, Option<&'static CStr>), Wrong> {
    let mut variables = Variables::new(ours);
    if !outfit.clear_env {
        variables.pass_all(ours);
    }
    let our_home = variables.current(b"HOME");
    let users_home = user.map(|user| entry(b"HOME", user.home.to_bytes()));
    users_home.into_iter().for_each(|entry| variables.set(entry));
    for asked in &outfit.env_files {
        variables.read_file(asked.value).map_err(|why| asked.unfit(why))?;
    }
    for word in &outfit.env {
        variables.set_or_pass(word);
    }
    for asked in &outfit.env_from_files {
        variables.read_values(asked)?;
    }
    let path = variables.get(b"PATH");
    let entries: Vec<_> = variables.entries.into_iter().flatten().collect();
    // What was given since has replaced it.
    let place = users_home.and_then(|home| entries.iter().position(|entry| std::ptr::eq(*entry, home)));
    let environment = stored(&entries).unwrap_or(*ours);
    let outside = match place {
        Some(place) => stored(&[&entries[..place], our_home.as_slice(), &entries[place + 1..]].concat()),
        None => Some(environment),
    };
    Ok((environment, outside.unwrap_or(*ours), path))
}

/// The environment of a container's process 1.
pub(super) fn of_container(
    outfit: &Outfit,
    base: &[&'static CStr],
    host: &Environment,
) -> Result<Vec<&'static CStr>, Wrong> {
    let mut variables = Variables::new(host);
    base.iter().for_each(|entry| variables.set(entry));
    for asked in &outfit.env_files {
        variables.read_file(asked.value).map_err(|why| asked.unfit(why))?;
    }
    for word in &outfit.env {
        variables.set_or_pass(word);
    }
    Ok(variables.entries.into_iter().flatten().collect())
}

/// An environment of these entries, for good; there is room for all of them, so it is one.
fn stored(entries: &[&'static CStr]) -> Option<Environment> {
    Environment::new(crate::places(entries.len()), entries.iter().copied())
}

/// `NAME=VALUE`, for good. There is no zero byte in either.
fn entry(name: &[u8], value: &[u8]) -> &'static CStr {
    let text = CString::new([name, b"=", value].concat()).unwrap_or_default();
    Box::leak(text.into_boxed_c_str())
}

/// The name of an entry, and what is behind its `=`.
fn split(entry: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut parts = entry.splitn(2, |byte| *byte == b'=');
    (parts.next().unwrap_or_default(), parts.next())
}

/// Each name is looked up in a map: a file may have some 100,000 of them.
struct Variables {
    /// What we have of each name: the first, as for getenv(3).
    ours: BTreeMap<&'static [u8], &'static CStr>,
    /// In their order, with a hole where one was replaced or removed.
    entries: Vec<Option<&'static CStr>>,
    /// Where the entry of a name stands, or stood.
    places: BTreeMap<&'static [u8], usize>,
}

impl Variables {
    fn new(ours: &Environment) -> Variables {
        let mut first = BTreeMap::new();
        for entry in ours.entries() {
            first.entry(split(entry.to_bytes()).0).or_insert(entry);
        }
        Variables { ours: first, entries: Vec::new(), places: BTreeMap::new() }
    }

    /// Ours, in their order. Where a name is there twice, the second is not passed on: it would show once the first is
    /// replaced.
    fn pass_all(&mut self, ours: &Environment) {
        for entry in ours.entries() {
            if !self.places.contains_key(split(entry.to_bytes()).0) {
                self.set(entry);
            }
        }
    }

    /// At the end, in place of what was set before.
    fn set(&mut self, entry: &'static CStr) {
        let name = split(entry.to_bytes()).0;
        self.remove(name);
        self.places.insert(name, self.entries.len());
        self.entries.push(Some(entry));
    }

    fn remove(&mut self, name: &[u8]) {
        // Its place stays in the map, and is a hole.
        if let Some(entry) = self.places.get(name).and_then(|place| self.entries.get_mut(*place)) {
            *entry = None;
        }
    }

    /// The entry of that name.
    fn current(&self, name: &[u8]) -> Option<&'static CStr> {
        self.entries.get(*self.places.get(name)?).copied().flatten()
    }

    /// The value.
    fn get(&self, name: &[u8]) -> Option<&'static CStr> {
        CStr::from_bytes_with_nul(self.current(name)?.to_bytes_with_nul().get(name.len() + 1..)?).ok()
    }

    /// `NAME=VALUE`, or `NAME` for what we have of that name, if we do.
    fn set_or_pass(&mut self, word: &'static CStr) {
        match split(word.to_bytes()) {
            (_, Some(_)) => self.set(word),
            (name, None) => self.pass(name),
        }
    }

    fn pass(&mut self, name: &[u8]) {
        if let Some(entry) = self.ours.get(name) {
            self.set(entry);
        }
    }

    /// `--env-file`, in docker's format.
    fn read_file(&mut self, path: &CStr) -> Result<(), Unfit> {
        let shown = || path.to_string_lossy().into_owned();
        let content = read(path.to_bytes(), LARGEST).map_err(|error| Unfit::Unreadable(shown(), error))?;
        let content = content.ok_or_else(|| Unfit::TooLarge(shown()))?;
        let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&content);
        for (line, number) in content.split(|byte| *byte == b'\n').zip(1..) {
            let line = line.strip_suffix(b"\r").unwrap_or(line).trim_ascii_start();
            self.read_line(line).map_err(|what| Unfit::Line(shown(), number, what))?;
        }
        Ok(())
    }

    fn read_line(&mut self, line: &[u8]) -> Result<(), &'static str> {
        match (line, split(line)) {
            ([] | [b'#', ..], _) => {}
            (_, ([], _)) => return Err("no name before the ="),
            (_, (name, _)) if name.iter().any(u8::is_ascii_whitespace) => {
                return Err("a blank in the name of a variable (NAME=VALUE, without `export` and quotes)");
            }
            _ if line.contains(&0) => return Err("a zero byte, which no variable can hold"),
            _ if line.len() >= LONGEST => return Err("longer than the 128 kB that the kernel lets a variable have"),
            (_, (name, Some(value))) => self.set(entry(name, value)),
            (_, (name, None)) => self.pass(name),
        }
        Ok(())
    }

    /// `--env-from-files`: `NAME` from the file that `NAME_FILE` names.
    fn read_values(&mut self, asked: &Asked) -> Result<(), Wrong> {
        for entry in self.entries.clone().into_iter().flatten() {
            let (name, value) = split(entry.to_bytes());
            let Some((name, path)) = name.strip_suffix(b"_FILE").zip(value) else { continue };
            if is_asked_for(asked.value.to_bytes(), name) {
                self.read_value(name, path).map_err(|why| asked.unfit(why))?;
            }
        }
        Ok(())
    }

    /// The rules of the official images' `file_env`: an empty variable is none, both are an error, and newlines at the
    /// end are not of the value.
    fn read_value(&mut self, name: &[u8], path: &[u8]) -> Result<(), Unfit> {
        self.remove(&[name, b"_FILE"].concat());
        if path.is_empty() {
            return Ok(());
        }
        let [shown, file] = [name, path].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        if self.get(name).is_some_and(|value| !value.is_empty()) {
            return Err(Unfit::BothSet(shown));
        }
        let content = match read(path, LONGEST as u64) {
            Ok(content) => content.unwrap_or_else(|| vec![b' '; LONGEST]),
            Err(error) => return Err(Unfit::NoSecret { name: shown, file, error }),
        };
        let end = content.iter().rposition(|byte| *byte != b'\n').map_or(0, |last| last + 1);
        let value = content.get(..end).unwrap_or_default();
        match () {
            () if value.contains(&0) => Err(Unfit::NotText { name: shown, file }),
            () if name.len() + value.len() + 2 > LONGEST => Err(Unfit::TooLong { name: shown, file }),
            () => {
                self.set(entry(name, value));
                Ok(())
            }
        }
    }
}

/// Whether the name is one of those with commas between them, of which each may have a `*` at one end.
fn is_asked_for(patterns: &[u8], name: &[u8]) -> bool {
    !name.is_empty()
        && patterns.split(|byte| *byte == b',').any(|pattern| match pattern {
            [begin @ .., b'*'] => name.starts_with(begin),
            [b'*', end @ ..] => name.ends_with(end),
            whole => name == whole,
        })
}

#[cfg(test)]
mod tests {
    use super::{Variables, is_asked_for, stored};

    #[test]
    fn a_name_that_we_have_twice_is_passed_once_and_replaced_altogether() {
        let ours = stored(&[c"A=first", c"B=1", c"A=second", c"NONE"]).expect("there is room");
        let mut variables = Variables::new(&ours);
        let entries = |variables: &Variables| variables.entries.iter().flatten().copied().collect::<Vec<_>>();
        variables.pass_all(&ours);
        assert_eq!(entries(&variables), [c"A=first", c"B=1", c"NONE"]);
        variables.set(c"A=new");
        assert_eq!((entries(&variables), variables.get(b"A")), (vec![c"B=1", c"NONE", c"A=new"], Some(c"new")));
        variables.remove(b"A");
        variables.set_or_pass(c"A");
        assert_eq!(entries(&variables), [c"B=1", c"NONE", c"A=first"]);
    }

    #[test]
    fn a_star_stands_for_any_end_or_begin() {
        for (patterns, name, asked) in [
            ("A,B", "B", true),
            ("A,B", "AB", false),
            ("DB_*", "DB_PASSWORD", true),
            ("DB_*", "XDB_PASSWORD", false),
            ("*_KEY", "API_KEY", true),
            ("*", "ANY", true),
            ("*", "", false),
        ] {
            assert_eq!(is_asked_for(patterns.as_bytes(), name.as_bytes()), asked, "{patterns} {name}");
        }
    }
}
