//! The book (工作簿): which sheets it has, and which styles mean days.

use std::io;

use jiff::{ToSpan, civil::date};
use quick_xml::events::{BytesStart, Event};

use super::{
    archive::Archive,
    broken,
    xml::{Xml, attribute},
};

/// What a workbook says of itself.
pub(super) struct Book {
    /// The parts of its sheets, in their order.
    pub(super) sheets: Vec<String>,
    /// The part of its texts.
    pub(super) strings: Option<String>,
    pub(super) days: Days,
}

/// Which numbers are days.
pub(super) struct Days {
    /// Whether a cell of the style with this number holds a time.
    styles: Vec<bool>,
    /// Whether days are counted from 1904 on.
    from_1904: bool,
}

/// A part that another points to.
struct Relation {
    id: String,
    kind: String,
    target: String,
}

impl Book {
    pub(super) fn open(archive: &Archive) -> io::Result<Self> {
        let root = relations(archive, "")?;
        let main = of_kind(&root, "officeDocument").map_or("xl/workbook.xml", |relation| &relation.target);
        let related = relations(archive, main)?;
        let (mut ids, mut from_1904) = (Vec::new(), false);
        let part = archive.part(main).ok_or_else(|| broken("it has no list of sheets"))?;
        each_element(Xml::new(part), &mut |element| match element.local_name().as_ref() {
            "sheet" => ids.extend(
                element.attributes().flatten().find(|found| found.key.local_name().as_ref() == "id").map(|id| id.value.into_owned()),
            ),
            "workbookPr" => from_1904 = matches!(attribute(element, "date1904").as_deref(), Some("1" | "true")),
            _ => {}
        })?;
        let sheet = |id: &String| related.iter().find(|found| found.id == *id && found.kind == "worksheet");
        let sheets = ids.iter().filter_map(sheet).map(|relation| relation.target.clone()).collect();
        let target = |kind| of_kind(&related, kind).map(|relation| relation.target.clone());
        let styles = target("styles").and_then(|styles| archive.part(&styles)).map_or_else(|| Ok(Vec::new()), styles)?;
        Ok(Self { sheets, strings: target("sharedStrings"), days: Days { styles, from_1904 } })
    }
}

impl Days {
    /// Whether a cell of this style holds a time.
    pub(super) fn is_time(&self, style: usize) -> bool {
        self.styles.get(style).copied().unwrap_or_default()
    }

    /// The day of a number, YYYY-MM-DD.
    pub(super) fn day(&self, number: f64) -> Option<String> {
        if !(0.0..3_000_000.0).contains(&number) {
            return None;
        }
        #[allow(clippy::cast_possible_truncation)] // below three millions
        let days = number.floor() as i64;
        let first = match days {
            _ if self.from_1904 => date(1904, 1, 1),
            ..60 => date(1899, 12, 31),
            _ => date(1899, 12, 30), // 29 February 1900 is counted, which was none
        };
        first.checked_add(days.days()).ok().map(|day| day.to_string())
    }
}

fn each_element(mut xml: Xml, visit: &mut dyn FnMut(&BytesStart<'_>)) -> io::Result<()> {
    loop {
        match xml.next()? {
            Event::Start(element) | Event::Empty(element) => visit(&element),
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

/// What a part points to; none where nothing says it.
fn relations(archive: &Archive, part: &str) -> io::Result<Vec<Relation>> {
    let (folder, name) = part.rsplit_once('/').unwrap_or(("", part));
    let slash = if folder.is_empty() { "" } else { "/" };
    let mut found = Vec::new();
    let Some(xml) = archive.part(&format!("{folder}{slash}_rels/{name}.rels")).map(Xml::new) else { return Ok(found) };
    each_element(xml, &mut |element| {
        let (id, kind, target) = (attribute(element, "Id"), attribute(element, "Type"), attribute(element, "Target"));
        if let (Some(id), Some(kind), Some(target)) = (id, kind, target) {
            let kind = kind.rsplit('/').next().unwrap_or_default().to_owned();
            found.push(Relation { id, kind, target: resolved(folder, &target) });
        }
    })?;
    Ok(found)
}

fn of_kind<'r>(relations: &'r [Relation], kind: &str) -> Option<&'r Relation> {
    relations.iter().find(|relation| relation.kind == kind)
}

/// A target as a name of the archive.
fn resolved(folder: &str, target: &str) -> String {
    let mut steps: Vec<&str> = if target.starts_with('/') { Vec::new() } else { folder.split('/').collect() };
    for step in target.split('/') {
        match step {
            "" | "." => {}
            ".." => drop(steps.pop()),
            step => steps.push(step),
        }
    }
    steps.retain(|step| !step.is_empty());
    steps.join("/")
}

/// Which styles mean times.
fn styles(part: super::archive::Part) -> io::Result<Vec<bool>> {
    let (mut own, mut styles, mut in_cells) = (Vec::new(), Vec::new(), false);
    let number = |element: &BytesStart<'_>| attribute(element, "numFmtId").and_then(|id| id.parse::<u32>().ok()).unwrap_or_default();
    each_element(Xml::new(part), &mut |element| match element.local_name().as_ref() {
        "numFmt" => own.push((number(element), attribute(element, "formatCode").is_some_and(|code| is_time(&code)))),
        "cellStyleXfs" | "cellStyles" | "dxfs" => in_cells = false,
        "cellXfs" => in_cells = true,
        "xf" if in_cells => {
            let number = number(element);
            let said = own.iter().find(|(known, _)| *known == number).map(|(_, time)| *time);
            styles.push(said.unwrap_or(matches!(number, 14..=22 | 27..=36 | 45..=47 | 50..=58))); // those every spreadsheet has
        }
        _ => {}
    })?;
    Ok(styles)
}

/// Whether a format of numbers writes a time: it has a letter for a part of it, outside of quotes and brackets.
fn is_time(code: &str) -> bool {
    let mut characters = code.chars();
    while let Some(one) = characters.next() {
        match one {
            '"' => drop(characters.by_ref().find(|end| *end == '"')),
            '[' => {
                let inner: String = characters.by_ref().take_while(|end| *end != ']').collect();
                if !inner.is_empty() && inner.chars().all(|one| matches!(one.to_ascii_lowercase(), 'h' | 'm' | 's')) {
                    return true; // so many hours, more than a day has
                }
            }
            '\\' | '_' | '*' => drop(characters.next()),
            'y' | 'Y' | 'm' | 'M' | 'd' | 'D' | 'h' | 'H' | 's' | 'S' => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_of_times_are_told_from_those_of_numbers() {
        for code in ["yyyy-mm-dd", "yyyy\"年\"m\"月\"d\"日\"", "[$-804]yyyy/m/d", "[h]:mm", "h:mm AM/PM", "m/d"] {
            assert!(is_time(code), "{code}");
        }
        for code in ["General", "0.00E+00", "#,##0_);[Red]\\(#,##0\\)", "\"days\" 0", "0\\d", "@", "¥#,##0.00", "[$元-804]0"] {
            assert!(!is_time(code), "{code}");
        }
    }

    #[test]
    fn days_are_counted_as_spreadsheets_do() {
        let days = |from_1904| Days { styles: vec![], from_1904 };
        for (number, day) in [(1.0, "1900-01-01"), (59.0, "1900-02-28"), (61.0, "1900-03-01"), (40834.75, "2011-10-18")] {
            assert_eq!(days(false).day(number).as_deref(), Some(day));
        }
        assert_eq!(days(true).day(39372.0).as_deref(), Some("2011-10-18"));
        assert_eq!((days(false).day(-1.0), days(false).day(f64::NAN), days(false).day(1e9)), (None, None, None));
    }

    #[test]
    fn targets_are_resolved() {
        let cases =
            [("xl", "worksheets/sheet1.xml", "xl/worksheets/sheet1.xml"), ("xl", "/xl/a.xml", "xl/a.xml"), ("", "xl/b.xml", "xl/b.xml")];
        for (folder, target, expected) in cases {
            assert_eq!(resolved(folder, target), expected);
        }
        assert_eq!(resolved("xl/worksheets", "../c.xml"), "xl/c.xml");
    }
}
