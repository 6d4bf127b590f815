//! The texts of a workbook (共享字符串), which its cells point into: on the disk, as far as they were asked for.
//!
//! Each text stands once in a table of the workbook. The table is read as far as the cells go, into a file that has no name and
//! goes with the process; beside it a file of where each text ends. In memory are the last pieces of both and some short texts.

use std::{fs::File, io, os::unix::fs::FileExt};

use quick_xml::events::Event;

use super::{archive::Part, broken, xml::Xml};

/// How many bytes are written at once.
const PIECE: usize = 64 * 1024;
/// How many bytes are read at once: texts that follow each other are mostly asked for in their order.
const WINDOW: usize = 8 * 1024;
/// How many short texts are kept: those that stand in cell after cell.
const KEPT: usize = 4096;
/// Longest text of these, in bytes.
const SHORT: usize = 128;

/// The table of texts.
pub(super) struct Strings {
    /// What was not read yet; none at its end.
    xml: Option<Xml>,
    texts: Spool,
    ends: Spool,
    count: usize,
    kept: Vec<Option<(usize, String)>>,
    /// The text that was read last.
    text: String,
}

impl Strings {
    /// The table of a workbook, if it has one.
    pub(super) fn new(part: Option<Part>) -> io::Result<Self> {
        let kept = (0..KEPT).map(|_| None).collect();
        Ok(Self { xml: part.map(Xml::new), texts: Spool::new()?, ends: Spool::new()?, count: 0, kept, text: String::new() })
    }

    /// Adds a text by its number, from 0, to `out`.
    pub(super) fn add(&mut self, number: usize, out: &mut String) -> io::Result<()> {
        if let Some((kept, text)) = &self.kept[number % KEPT]
            && *kept == number
        {
            out.push_str(text);
            return Ok(());
        }
        while self.count <= number {
            self.read_text()?;
        }
        let from = if number == 0 { 0 } else { self.end(number - 1)? };
        let to = self.end(number)?;
        let bytes = self.texts.read(from, to.saturating_sub(from))?;
        let text = std::str::from_utf8(bytes).map_err(|_| broken("its spooled texts changed"))?;
        out.push_str(text);
        if text.len() <= SHORT {
            self.kept[number % KEPT] = Some((number, text.to_owned()));
        }
        Ok(())
    }

    /// Reads what no cell asked for, so that its checksum is known to be right.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.xml.as_mut().map_or(Ok(()), Xml::finish)
    }

    /// Where a text ends.
    fn end(&mut self, number: usize) -> io::Result<u64> {
        let bytes = self.ends.read(number as u64 * 8, 8)?;
        Ok(bytes.try_into().map_or(0, u64::from_le_bytes))
    }

    /// Reads one text more.
    fn read_text(&mut self) -> io::Result<()> {
        let Some(xml) = &mut self.xml else { return Err(broken("a cell points to a text that is not there")) };
        self.text.clear();
        loop {
            match xml.next()? {
                Event::Start(start) if start.local_name().as_ref() == "si" => break xml.text("si", &mut self.text)?,
                Event::Empty(empty) if empty.local_name().as_ref() == "si" => break,
                Event::Eof => {
                    self.xml = None;
                    return Ok(());
                }
                _ => {}
            }
        }
        self.texts.append(self.text.as_bytes())?;
        self.ends.append(&self.texts.length().to_le_bytes())?;
        self.count += 1;
        Ok(())
    }
}

/// Bytes on the disk that grow at their end.
struct Spool {
    file: File,
    /// How many bytes are in the file.
    written: u64,
    /// What comes behind them.
    tail: Vec<u8>,
    /// What was read of the file, and where it begins.
    window: Vec<u8>,
    window_at: u64,
    /// What lies partly in the file and partly behind.
    joined: Vec<u8>,
}

impl Spool {
    fn new() -> io::Result<Self> {
        let file = tempfile::tempfile()?;
        Ok(Self { file, written: 0, tail: Vec::new(), window: Vec::new(), window_at: 0, joined: Vec::new() })
    }

    const fn length(&self) -> u64 {
        self.written + self.tail.len() as u64
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.tail.extend_from_slice(bytes);
        if self.tail.len() >= PIECE {
            self.file.write_all_at(&self.tail, self.written)?;
            self.written = self.length();
            self.tail.clear();
        }
        Ok(())
    }

    fn read(&mut self, at: u64, length: u64) -> io::Result<&[u8]> {
        let whole = |number: u64| usize::try_from(number).map_err(|_| broken("a text in it is far too long"));
        let (end, size) = (at.saturating_add(length), whole(length)?);
        if at >= self.written {
            let from = whole(at - self.written)?;
            return self.tail.get(from..from.saturating_add(size)).ok_or_else(|| broken("its spooled texts changed"));
        }
        if end > self.written {
            self.joined.resize(whole(self.written - at)?, 0);
            self.file.read_exact_at(&mut self.joined, at)?;
            self.joined.extend_from_slice(self.tail.get(..whole(end - self.written)?).unwrap_or_default());
            return Ok(&self.joined);
        }
        if at < self.window_at || end > self.window_at + self.window.len() as u64 {
            let reach = whole((self.written - at).min(length.max(WINDOW as u64)))?;
            self.window.resize(reach, 0);
            self.file.read_exact_at(&mut self.window, at)?;
            self.window_at = at;
        }
        let from = whole(at - self.window_at)?;
        Ok(&self.window[from..from + size])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_spooled_is_there() {
        let mut spool = Spool::new().expect("a file");
        let bytes: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
        for piece in bytes.chunks(777) {
            spool.append(piece).expect("written");
        }
        assert_eq!(spool.length(), bytes.len() as u64);
        let behind = usize::try_from(spool.written).expect("small");
        for at in [0, 10, 4096, 700_000, 5, behind - 3, behind, bytes.len() - 10] {
            for length in [0, 1, 8, 9] {
                assert_eq!(spool.read(at as u64, length as u64).expect("there"), &bytes[at..at + length], "{at} {length}");
            }
        }
        assert_eq!(spool.read(100, 500_000).expect("there"), &bytes[100..500_100]);
        assert!(spool.read(bytes.len() as u64 - 1, 2).is_err());
    }
}
