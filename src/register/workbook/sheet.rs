//! The rows of a sheet (工作表), one after the other.

use std::io;

use quick_xml::events::{BytesStart, Event};

use super::{
    archive::Part,
    book::Days,
    broken,
    strings::Strings,
    xml::{Xml, attribute},
};

/// Columns of a sheet.
const MOST_COLUMNS: usize = 16_384;

/// The rows of a sheet.
pub(super) struct Rows<'b> {
    xml: Xml,
    strings: &'b mut Strings,
    days: &'b Days,
    /// The number of the next row, where it does not say it.
    next: u32,
    /// What a cell's `v` holds.
    value: String,
}

/// What a cell says of itself.
struct Head {
    column: Option<usize>,
    kind: Option<String>,
    style: usize,
}

impl<'b> Rows<'b> {
    pub(super) fn new(part: Part, strings: &'b mut Strings, days: &'b Days) -> Self {
        Self { xml: Xml::new(part), strings, days, next: 0, value: String::new() }
    }

    /// Reads a row, without the empty cells at its end; gives its number, from 0.
    pub(super) fn next_row(&mut self, row: &mut Vec<String>) -> io::Result<Option<u32>> {
        row.clear();
        loop {
            let (number, has_cells) = match self.xml.next()? {
                Event::Start(start) if start.local_name().as_ref() == "row" => (row_number(&start), true),
                Event::Empty(empty) if empty.local_name().as_ref() == "row" => (row_number(&empty), false),
                Event::End(end) if end.local_name().as_ref() == "sheetData" => break,
                Event::Eof => break,
                _ => continue,
            };
            let number = number.unwrap_or(self.next);
            self.next = number.saturating_add(1);
            if has_cells {
                self.cells(row)?;
            }
            return Ok(Some(number));
        }
        self.xml.finish()?;
        Ok(None)
    }

    fn cells(&mut self, row: &mut Vec<String>) -> io::Result<()> {
        let mut next = 0;
        loop {
            let (head, has_value) = match self.xml.next()? {
                Event::Start(start) if start.local_name().as_ref() == "c" => (Head::of(&start), true),
                Event::Empty(empty) if empty.local_name().as_ref() == "c" => (Head::of(&empty), false),
                Event::End(end) if end.local_name().as_ref() == "row" => return Ok(()),
                Event::Eof => return Err(broken("it is cut off")),
                _ => continue,
            };
            let column = head.column.unwrap_or(next);
            next = column + 1;
            let text = if has_value { self.cell(&head)? } else { String::new() };
            if text.is_empty() {
                continue;
            }
            if column >= MOST_COLUMNS {
                return Err(broken("it has a cell beyond the last column"));
            }
            row.resize(row.len().max(column + 1), String::new());
            row[column] = text;
        }
    }

    /// The text of a cell that has begun.
    fn cell(&mut self, head: &Head) -> io::Result<String> {
        let mut text = String::new();
        self.value.clear();
        loop {
            match self.xml.next()? {
                Event::Start(start) if start.local_name().as_ref() == "v" => self.xml.text("v", &mut self.value)?,
                Event::Start(start) if start.local_name().as_ref() == "is" => self.xml.text("is", &mut text)?,
                Event::End(end) if end.local_name().as_ref() == "c" => break,
                Event::Eof => return Err(broken("it is cut off")),
                _ => {}
            }
        }
        match head.kind.as_deref() {
            Some("s") => {
                let number = self.value.trim().parse().map_err(|_| broken("a cell points to no text"))?;
                self.strings.add(number, &mut text)?;
            }
            Some("inlineStr" | "e") => {} // the text is there already; an error is no text
            Some("b") => text = (self.value.trim() == "1").to_string(),
            Some("str" | "d") => text.clone_from(&self.value),
            _ => text = self.number(head.style),
        }
        Ok(text)
    }

    /// A number as a text: days as YYYY-MM-DD.
    fn number(&self, style: usize) -> String {
        let Ok(number) = self.value.trim().parse::<f64>() else { return self.value.clone() };
        let day = if self.days.is_time(style) { self.days.day(number) } else { None };
        day.unwrap_or_else(|| number.to_string())
    }
}

impl Head {
    fn of(cell: &BytesStart<'_>) -> Self {
        let mut head = Self { column: None, kind: None, style: 0 };
        for found in cell.attributes().with_checks(false).flatten() {
            match found.key.as_ref() {
                "r" => head.column = column(&found.value),
                "t" => head.kind = Some(found.value.into_owned()),
                "s" => head.style = found.value.parse().unwrap_or_default(),
                _ => {}
            }
        }
        head
    }
}

fn row_number(row: &BytesStart<'_>) -> Option<u32> {
    attribute(row, "r")?.parse::<u32>().ok()?.checked_sub(1)
}

/// The column of a place such as `AB12`, from 0.
fn column(place: &str) -> Option<usize> {
    let letters = place.bytes().take_while(u8::is_ascii_alphabetic).take(5);
    let number = letters.fold(0, |sum, letter| sum * 26 + usize::from(letter.to_ascii_uppercase() - b'A') + 1);
    number.checked_sub(1)
}
