//! JSON that is written in one piece. (What must not allocate, the log lines and the exit report, has its own.)

use std::fmt::{self, Write as _};
use std::time::Duration;

/// A value, with the fields of objects in the order in which they are written.
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(i64),
    /// In milliseconds, to the microsecond.
    Milliseconds(Duration),
    Text(String),
    List(Vec<Value>),
    Object(Vec<(&'static str, Value)>),
}

impl Value {
    pub(crate) fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    /// What is not known, or not there, is null.
    pub(crate) fn or_null<T>(value: Option<T>, shown: impl FnOnce(T) -> Value) -> Value {
        value.map_or(Value::Null, shown)
    }

    pub(crate) fn list<T>(all: impl IntoIterator<Item = T>, shown: impl FnMut(T) -> Value) -> Value {
        Value::List(all.into_iter().map(shown).collect())
    }

    /// Pids and counts.
    pub(crate) fn count(count: usize) -> Value {
        Value::Number(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(is_so) => write!(f, "{is_so}"),
            Value::Number(number) => write!(f, "{number}"),
            Value::Milliseconds(time) => write!(f, "{}.{:03}", time.as_millis(), time.subsec_micros() % 1000),
            Value::Text(text) => {
                let mut out = String::new();
                string(&mut out, text);
                f.write_str(&out)
            }
            Value::List(all) => {
                f.write_char('[')?;
                for (number, value) in all.iter().enumerate() {
                    write!(f, "{}{value}", comma(number))?;
                }
                f.write_char(']')
            }
            Value::Object(fields) => {
                f.write_char('{')?;
                for (number, (name, value)) in fields.iter().enumerate() {
                    write!(f, "{}\"{name}\":{value}", comma(number))?;
                }
                f.write_char('}')
            }
        }
    }
}

fn comma(number: usize) -> &'static str {
    if number == 0 { "" } else { "," }
}

/// Escaped as RFC 8259, section 7, and with no control character of a terminal left.
pub(crate) fn string(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        let _ = match letter {
            '"' | '\\' => write!(out, "\\{letter}"),
            control if control.is_control() => write!(out, "\\u{:04x}", u32::from(control)),
            other => out.write_char(other),
        };
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strict_reader_reads_every_kind_of_value() {
        let value = Value::Object(vec![
            ("nothing", Value::Null),
            ("so", Value::Bool(true)),
            ("pid", Value::Number(-7)),
            ("time", Value::Milliseconds(Duration::from_micros(1_002_003))),
            ("text", Value::text("a \"b\" \\ \n\u{1}é\u{9b}")),
            ("list", Value::list([1, 2], Value::Number)),
            ("empty", Value::List(Vec::new())),
        ]);
        let written = value.to_string();
        assert!(!written.contains(char::is_control), "{written:?}");
        let read: serde_json::Value = serde_json::from_str(&written).expect("it is JSON");
        let expected = serde_json::json!({
            "nothing": null, "so": true, "pid": -7, "time": 1002.003, "text": "a \"b\" \\ \n\u{1}é\u{9b}", "list": [1, 2],
            "empty": [],
        });
        assert_eq!(read, expected);
    }
}
