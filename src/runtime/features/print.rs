//! The answers for people, and for programs.

use std::fmt::Write as _;

use super::{Answer, Section};
use crate::json;

/// A line each, in three columns.
pub(super) fn text(sections: &[Section]) -> String {
    let mut out = String::new();
    for section in sections {
        for (name, answer) in &section.features {
            let told = match answer {
                Answer::Yes(how) if how.is_empty() => "yes".to_owned(),
                Answer::Yes(how) => format!("yes, {how}"),
                Answer::No(why) => format!("no: {why}"),
                Answer::Told(text) => text.clone(),
                Answer::List(all) if all.is_empty() => "none".to_owned(),
                Answer::List(all) => all.join(", "),
            };
            let _ = writeln!(out, "{:<14}{name:<14}{told}", section.name);
        }
    }
    out
}

/// One object; a section is an object in it. A name's blanks are underscores.
pub(super) fn json(sections: &[Section]) -> String {
    /// What the fields are named and mean.
    const SCHEMA: u32 = 1;
    let mut out = format!("{{\"schema\":{SCHEMA},\"version\":\"{}\"", env!("CARGO_PKG_VERSION"));
    for section in sections {
        let _ = write!(out, ",\"{}\":{{", section.name);
        for (number, (name, answer)) in section.features.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            let _ = write!(out, "{comma}\"{}\":", name.replace(' ', "_"));
            value(&mut out, answer);
        }
        out.push('}');
    }
    out + "}\n"
}

fn value(out: &mut String, answer: &Answer) {
    match answer {
        Answer::Yes(how) if how.is_empty() => out.push_str("{\"available\":true}"),
        Answer::Yes(how) => {
            out.push_str("{\"available\":true,\"how\":");
            json::string(out, how);
            out.push('}');
        }
        Answer::No(why) => {
            out.push_str("{\"available\":false,\"why\":");
            json::string(out, why);
            out.push('}');
        }
        Answer::Told(text) => json::string(out, text),
        Answer::List(all) => {
            out.push('[');
            for (number, text) in all.iter().enumerate() {
                out.push_str(if number == 0 { "" } else { "," });
                json::string(out, text);
            }
            out.push(']');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sections() -> Vec<Section> {
        let strange = "a \"b\" \\ \n\u{1}é".to_owned();
        vec![
            Section {
                name: "kernel",
                features: vec![
                    ("release", Answer::Told(strange.clone())),
                    ("emulators", Answer::List(vec!["qemu-arm".to_owned(), strange])),
                ],
            },
            Section {
                name: "mounts",
                features: vec![
                    ("overlay", Answer::Yes("with userxattr".to_owned())),
                    ("mapped ids", Answer::No("operation not permitted".to_owned())),
                    ("new calls", Answer::Yes(String::new())),
                    ("nothing", Answer::List(Vec::new())),
                ],
            },
        ]
    }

    #[test]
    fn a_strict_reader_reads_what_was_meant() {
        let read: serde_json::Value = serde_json::from_str(&json(&sections())).expect("it is JSON");
        assert_eq!(read["schema"], 1);
        assert_eq!(read["kernel"]["release"], "a \"b\" \\ \n\u{1}é");
        assert_eq!(read["kernel"]["emulators"][1], read["kernel"]["release"]);
        assert_eq!(read["mounts"]["overlay"]["how"], "with userxattr");
        assert_eq!(read["mounts"]["mapped_ids"]["available"], false);
        assert_eq!(read["mounts"]["mapped_ids"]["why"], "operation not permitted");
        assert_eq!(read["mounts"]["new_calls"], serde_json::json!({ "available": true }));
        assert_eq!(read["mounts"]["nothing"], serde_json::json!([]));
    }

    #[test]
    fn people_get_a_line_each() {
        let text = text(&sections()[1..]);
        let expected = "mounts        overlay       yes, with userxattr\n\
                        mounts        mapped ids    no: operation not permitted\n\
                        mounts        new calls     yes\n\
                        mounts        nothing       none\n";
        assert_eq!(text, expected);
    }
}
