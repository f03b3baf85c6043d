//! D-Bus messages as bytes (dbus-specification, "Message Protocol"). Pure.
//!
//! 1. No length is believed before it is known to be within what a message may have, and within what there is.
//! 2. What is no message is an error for good: where the next one would begin cannot be known.

use std::fmt;

/// The longest message that is read. The specification allows 128 MiB; nobody needs more than some hundred bytes here.
pub(super) const MOST: usize = 64 * 1024;

/// The part of a header that is the same in all, up to where its fields begin.
const FIXED: usize = 16;

/// What is wrong with the bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Broken {
    /// No message begins so.
    Beginning,
    /// It is longer than [`MOST`].
    TooLong,
    /// Its header cannot be read, or lacks something.
    Header,
    /// Words before the first message that nobody means.
    Handshake,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::Beginning => f.write_str("no message begins so"),
            Broken::TooLong => write!(f, "a message of more than {MOST} bytes"),
            Broken::Header => f.write_str("a header that cannot be read"),
            Broken::Handshake => f.write_str("no words of a handshake"),
        }
    }
}

/// A method call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Call {
    pub(super) serial: u32,
    pub(super) wants_reply: bool,
    pub(super) interface: String,
    pub(super) member: String,
    pub(super) body: Body,
}

/// The arguments of a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Body {
    order: Order,
    signature: String,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Order {
    Little,
    Big,
}

/// The first message in the bytes and how long it is; `None`: it is not whole yet. What is no call needs no answer, and is
/// `None` inside.
pub(super) fn take(bytes: &[u8]) -> Result<Option<(Option<Call>, usize)>, Broken> {
    let Some(order) = bytes.first() else { return Ok(None) };
    let order = match order {
        b'l' => Order::Little,
        b'B' => Order::Big,
        _ => return Err(Broken::Beginning),
    };
    let Some(fixed) = bytes.get(..FIXED) else { return Ok(None) };
    let mut reader = Reader { bytes: fixed, at: 1, order };
    let mut read =
        || Some((reader.byte()?, reader.byte()?, reader.byte()?, reader.u32()?, reader.u32()?, reader.u32()?));
    let (kind, flags, version, body, serial, fields) = read().ok_or(Broken::Header)?;
    if kind == 0 || version != 1 || serial == 0 {
        return Err(Broken::Beginning);
    }
    let [body, fields] = [body, fields].map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    if body > MOST || fields > MOST || FIXED + fields.next_multiple_of(8) + body > MOST {
        return Err(Broken::TooLong);
    }
    let header = FIXED + fields;
    let length = header.next_multiple_of(8) + body;
    let Some(message) = bytes.get(..length) else { return Ok(None) };
    let fields = Fields::read(Reader { bytes: &message[..header], at: FIXED, order }).ok_or(Broken::Header)?;
    const CALL: u8 = 1;
    const NO_REPLY_EXPECTED: u8 = 1;
    if kind != CALL {
        return Ok(Some((None, length)));
    }
    let (Some(_), Some(member)) = (fields.path, fields.member) else { return Err(Broken::Header) };
    let body =
        Body { order, signature: fields.signature.unwrap_or_default(), bytes: message[length - body..].to_vec() };
    let interface = fields.interface.unwrap_or_default();
    Ok(Some((Some(Call { serial, wants_reply: flags & NO_REPLY_EXPECTED == 0, interface, member, body }), length)))
}

/// The fields of a header that matter to us.
#[derive(Default)]
struct Fields {
    path: Option<String>,
    interface: Option<String>,
    member: Option<String>,
    signature: Option<String>,
}

impl Fields {
    fn read(mut from: Reader<'_>) -> Option<Fields> {
        let mut fields = Fields::default();
        while from.at < from.bytes.len() {
            from.align(8)?;
            let code = from.byte()?;
            let value = match from.signature()?.as_str() {
                "s" | "o" => from.string()?,
                "g" => from.signature()?,
                // What these say is of no interest, but how long they are.
                "y" => from.skip(1)?,
                "n" | "q" => from.skip(2)?,
                "b" | "i" | "u" | "h" => from.skip(4)?,
                "x" | "t" | "d" => from.skip(8)?,
                _ => return None,
            };
            match code {
                0 => return None,
                1 => fields.path = Some(value),
                2 => fields.interface = Some(value),
                3 => fields.member = Some(value),
                8 => fields.signature = Some(value),
                _ => {}
            }
        }
        Some(fields)
    }
}

impl Body {
    /// The arguments, if their types are these.
    pub(super) fn read(&self, signature: &str) -> Option<Reader<'_>> {
        (self.signature == signature).then_some(Reader { bytes: &self.bytes, at: 0, order: self.order })
    }
}

/// Takes values out of bytes, as long as there are any.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    order: Order,
}

impl Reader<'_> {
    fn align(&mut self, to: usize) -> Option<()> {
        self.at = self.at.checked_next_multiple_of(to).filter(|at| *at <= self.bytes.len())?;
        Some(())
    }

    fn chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.align(N)?;
        let chunk = *self.bytes.get(self.at..)?.first_chunk()?;
        self.at += N;
        Some(chunk)
    }

    /// A value of that size, which is its alignment too. (It has no text.)
    fn skip(&mut self, size: usize) -> Option<String> {
        self.align(size)?;
        self.at = self.at.checked_add(size).filter(|at| *at <= self.bytes.len())?;
        Some(String::new())
    }

    /// `y`
    pub(super) fn byte(&mut self) -> Option<u8> {
        self.chunk().map(|[byte]| byte)
    }

    /// `u`
    pub(super) fn u32(&mut self) -> Option<u32> {
        let chunk = self.chunk()?;
        Some(match self.order {
            Order::Little => u32::from_le_bytes(chunk),
            Order::Big => u32::from_be_bytes(chunk),
        })
    }

    /// `t`
    pub(super) fn u64(&mut self) -> Option<u64> {
        let chunk = self.chunk()?;
        Some(match self.order {
            Order::Little => u64::from_le_bytes(chunk),
            Order::Big => u64::from_be_bytes(chunk),
        })
    }

    /// `b`
    pub(super) fn flag(&mut self) -> Option<bool> {
        match self.u32()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    /// `s`, or `o`.
    pub(super) fn string(&mut self) -> Option<String> {
        let length = usize::try_from(self.u32()?).ok()?;
        self.text(length)
    }

    fn signature(&mut self) -> Option<String> {
        let length = self.byte()?;
        self.text(length.into())
    }

    /// So many bytes of text, and the zero behind them.
    fn text(&mut self, length: usize) -> Option<String> {
        let end = self.at.checked_add(length)?;
        let text = std::str::from_utf8(self.bytes.get(self.at..end)?).ok().filter(|text| !text.contains('\0'))?;
        self.bytes.get(end).filter(|byte| **byte == 0)?;
        self.at = end + 1;
        Some(text.to_owned())
    }
}

/// What is to be said: types and values.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Values {
    signature: String,
    bytes: Vec<u8>,
}

impl Values {
    fn align(&mut self, to: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
    }

    fn put_u32(&mut self, value: u32) {
        self.align(4);
        self.bytes.extend(value.to_le_bytes());
    }

    fn put_string(&mut self, text: &str) {
        self.put_u32(u32::try_from(text.len()).unwrap_or(0));
        self.bytes.extend(text.bytes().chain([0]));
    }

    fn put_signature(&mut self, text: &str) {
        self.bytes.push(u8::try_from(text.len()).unwrap_or(0));
        self.bytes.extend(text.bytes().chain([0]));
    }

    /// With an `s`.
    pub(super) fn string(mut self, text: &str) -> Values {
        self.signature.push('s');
        self.put_string(text);
        self
    }

    /// With an `o`.
    pub(super) fn path(mut self, text: &str) -> Values {
        self.signature.push('o');
        self.put_string(text);
        self
    }

    /// With a `u`.
    pub(super) fn u32(mut self, value: u32) -> Values {
        self.signature.push('u');
        self.put_u32(value);
        self
    }

    /// With a `b`.
    pub(super) fn flag(mut self, value: bool) -> Values {
        self.signature.push('b');
        self.put_u32(value.into());
        self
    }

    /// With an array of these that has nothing in it. They are structures.
    pub(super) fn nothing_of(mut self, structure: &str) -> Values {
        self.signature.push('a');
        self.signature.push_str(structure);
        self.put_u32(0);
        self.align(8);
        self
    }

    /// With a `v` of an `s`.
    pub(super) fn variant_string(mut self, text: &str) -> Values {
        self.signature.push('v');
        self.put_signature("s");
        self.put_string(text);
        self
    }

    /// With a `v` of an `(st)`.
    pub(super) fn variant_of_time(mut self, text: &str, time: u64) -> Values {
        self.signature.push('v');
        self.put_signature("(st)");
        self.align(8);
        self.put_string(text);
        self.align(8);
        self.bytes.extend(time.to_le_bytes());
        self
    }
}

/// What a message of ours is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind<'a> {
    /// The answer to the call of that serial.
    Return(u32),
    /// Why the call of that serial has none: a name that programs know.
    Error(u32, &'a str),
    /// A signal of that path, interface and member.
    Signal([&'a str; 3]),
}

/// A message. `to`: the name that a bus has given to whom it is for, and on a bus the sender is the bus itself.
pub(super) fn message(serial: u32, kind: Kind<'_>, to: Option<&str>, values: &Values) -> Vec<u8> {
    let mut fields = Values::default();
    let mut field = |code: u8, signature: &str, text: &str| {
        fields.align(8);
        fields.bytes.push(code);
        fields.put_signature(signature);
        if signature == "g" { fields.put_signature(text) } else { fields.put_string(text) }
    };
    let (number, answers) = match kind {
        Kind::Return(call) => (2, Some(call)),
        Kind::Error(call, name) => {
            field(4, "s", name);
            (3, Some(call))
        }
        Kind::Signal([path, interface, member]) => {
            field(1, "o", path);
            field(2, "s", interface);
            field(3, "s", member);
            (4, None)
        }
    };
    if let Some(name) = to {
        field(6, "s", name);
        field(7, "s", "org.freedesktop.DBus");
    }
    if !values.signature.is_empty() {
        field(8, "g", &values.signature);
    }
    if let Some(call) = answers {
        fields.align(8);
        fields.bytes.push(5);
        fields.put_signature("u");
        fields.put_u32(call);
    }
    const NO_REPLY_EXPECTED: u8 = 1;
    let mut all = Values { signature: String::new(), bytes: vec![b'l', number, NO_REPLY_EXPECTED, 1] };
    for length in [values.bytes.len(), usize::try_from(serial).unwrap_or(1), fields.bytes.len()] {
        all.put_u32(u32::try_from(length).unwrap_or(0));
    }
    all.bytes.extend(&fields.bytes);
    all.align(8);
    all.bytes.extend(&values.bytes);
    all.bytes
}
