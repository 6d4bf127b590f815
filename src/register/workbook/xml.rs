//! XML, event by event, none of them longer than a limit.

use std::io::{self, BufRead, BufReader, Read};

use quick_xml::{
    Reader,
    escape::resolve_predefined_entity,
    events::{BytesStart, Event},
};

use super::{archive::Part, broken};
use crate::register::{blocks::LONGEST_RECORD, expand::TooLarge};

/// Longest tag or text, in bytes. A cell holds 32 767 characters.
const LONGEST: usize = 2 * LONGEST_RECORD;

/// A part as a sequence of events.
pub(super) struct Xml {
    reader: Reader<Short<BufReader<Part>>>,
    buffer: Vec<u8>,
}

impl Xml {
    pub(super) fn new(part: Part) -> Self {
        let input = Short { input: BufReader::with_capacity(64 * 1024, part), left: LONGEST };
        Self { reader: Reader::from_reader(input), buffer: Vec::new() }
    }

    /// The next event.
    pub(super) fn next(&mut self) -> io::Result<Event<'_>> {
        self.buffer.clear();
        self.reader.get_mut().left = LONGEST;
        self.reader.read_event_into(&mut self.buffer).map_err(failed)
    }

    /// Reads what is left, so that its checksum is known to be right.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        io::copy(&mut self.reader.get_mut().input, &mut io::sink()).map(|_| ())
    }

    /// Adds the text of an element that has begun to `out`, up to its end: all of `v`; of others that of each `t` in it, but for
    /// readings (`rPh`), which stand above the text.
    pub(super) fn text(&mut self, name: &str, out: &mut String) -> io::Result<()> {
        let begun = out.len();
        let (mut is_text, mut is_reading) = (name == "v", false);
        loop {
            let event = self.next()?;
            match &event {
                Event::Start(start) => match start.local_name().as_ref() {
                    "t" => is_text = true,
                    "rPh" => is_reading = true,
                    _ => {}
                },
                Event::End(end) => match end.local_name().as_ref() {
                    end if end == name => break,
                    "t" => is_text = false,
                    "rPh" => is_reading = false,
                    _ => {}
                },
                Event::Eof => return Err(broken("it is cut off")),
                _ if is_text && !is_reading => add(out, &event)?,
                _ => {}
            }
        }
        unescape(out, begun);
        Ok(())
    }
}

/// Adds the characters of an event to a text, which need not get longer than any record.
fn add(out: &mut String, event: &Event<'_>) -> io::Result<()> {
    if out.len() > LONGEST_RECORD {
        return Ok(());
    }
    match event {
        Event::Text(text) => out.push_str(&text.xml10_content()),
        Event::CData(text) => out.push_str(&text.xml10_content()),
        Event::GeneralRef(reference) => match reference.resolve_char_ref().map_err(failed)? {
            Some(one) => out.push(one),
            None => out.push_str(resolve_predefined_entity(&reference.xml10_content()).unwrap_or_default()),
        },
        _ => {}
    }
    Ok(())
}

/// What stands for a character that XML has not: `_x0001_`.
fn unescape(out: &mut String, begun: usize) {
    let Some(first) = out[begun..].find("_x") else { return };
    let tail = out.split_off(begun + first);
    let mut rest = &tail[..];
    while let Some(at) = rest.find("_x") {
        out.push_str(&rest[..at]);
        let code = rest.get(at + 2..at + 6).filter(|_| rest.as_bytes().get(at + 6) == Some(&b'_'));
        if let Some(one) = code.and_then(|code| u32::from_str_radix(code, 16).ok()).and_then(char::from_u32) {
            out.push(one);
            rest = &rest[at + 7..];
        } else {
            out.push_str("_x");
            rest = &rest[at + 2..];
        }
    }
    out.push_str(rest);
}

/// An attribute of an element.
pub(super) fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut attributes = element.attributes();
    let found = attributes.with_checks(false).flatten().find(|found| found.key.as_ref() == name)?;
    quick_xml::escape::unescape(&found.value).ok().map(std::borrow::Cow::into_owned)
}

fn failed(error: quick_xml::Error) -> io::Error {
    match error {
        quick_xml::Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<TooLarge>()) {
            Some(too_large) => io::Error::new(io::ErrorKind::InvalidData, *too_large),
            None => io::Error::new(error.kind(), error.to_string()),
        },
        error => broken(&error.to_string()),
    }
}

/// A stream that gives so many bytes and then an error.
struct Short<R> {
    input: R,
    left: usize,
}

impl<R: BufRead> Read for Short<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Short<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 { Err(broken("a tag or a text in it is far too long")) } else { self.input.fill_buf() }
    }

    fn consume(&mut self, amount: usize) {
        self.left = self.left.saturating_sub(amount);
        self.input.consume(amount);
    }
}
