//! Rosters (名单) that a register is compared with (数据比对、碰撞): who is licensed, who was complained of, who is in a trade.
//!
//! A firm is found by its unified social credit code, else by its name as the engine reads it. A licence exempts within its kind
//! until its last day, as it would in a request; the others are noted beside the firm.

use std::{borrow::Cow, path::Path};

use rustc_hash::FxHashMap;

use super::RescreenError;
use crate::{
    day::{self, Date, Days},
    licence::Licence,
    normalize::Normalized,
    register::{Column, OpenError, Options, Piece, Register, Row},
    screen::Engine,
    set::Member,
    uscc,
    vocabulary::LicenceKind,
};

/// What it means to stand on a roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Meaning {
    /// The firm is licensed; of which kind, where the roster's rows do not say it.
    Licensed(Option<LicenceKind>),
    /// It was complained of.
    Complaint,
    /// It is in a trade.
    Industry,
}

impl Meaning {
    /// Reads `licensed`, `licensed:payment`, `complaint`, `industry`.
    ///
    /// # Errors
    /// What is expected instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "licensed" => Ok(Self::Licensed(None)),
            None if text == "complaint" => Ok(Self::Complaint),
            None if text == "industry" => Ok(Self::Industry),
            Some(("licensed", kind)) => {
                let known = licence_kind(kind).ok_or_else(|| format!("'{kind}' is no kind of licence"))?;
                Ok(Self::Licensed(Some(known)))
            }
            _ => Err("expected licensed, licensed:KIND, complaint or industry".to_owned()),
        }
    }

    /// It in Chinese.
    #[must_use]
    pub const fn chinese(self) -> &'static str {
        match self {
            Self::Licensed(_) => "持牌名单",
            Self::Complaint => "投诉名单",
            Self::Industry => "行业名单",
        }
    }
}

/// A licence kind by its id or its Chinese name; an approval names terms, which no roster does.
fn licence_kind(text: &str) -> Option<LicenceKind> {
    let id = text.to_ascii_uppercase().replace('-', "_");
    let known = |kind: &LicenceKind| kind.id() == id || kind.chinese() == text;
    <LicenceKind as Member>::ALL.iter().copied().filter(|kind| *kind != LicenceKind::Approval).find(known)
}

/// A firm on a roster.
#[derive(Debug, Clone)]
struct Entry {
    code: Option<String>,
    licence: Option<Licence>,
    note: usize,
}

/// All rosters of a run.
#[derive(Debug, Default)]
pub struct Rosters {
    entries: Vec<Entry>,
    by_code: FxHashMap<String, Vec<usize>>,
    by_name: FxHashMap<String, Vec<usize>>,
    /// What stands beside a firm of each roster: its meaning and its file.
    notes: Vec<String>,
    /// Most entries.
    most: usize,
}

/// What the rosters say of a firm.
#[derive(Debug, Default)]
pub struct Found {
    /// Its licences.
    pub licences: Vec<Licence>,
    /// The rosters on which it stands, in Chinese.
    pub notes: Vec<String>,
}

/// A roster cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RosterError {
    /// It cannot be read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A row cannot be understood.
    #[error("line {0}: {1}")]
    Row(u64, Cow<'static, str>),
}

impl Rosters {
    /// None yet, and at most so many rows of all together: each is kept in memory.
    #[must_use]
    pub fn of_at_most(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// Reads a roster.
    ///
    /// # Errors
    /// Where it cannot be read, or a row cannot be understood: a roster that exempts is taken whole or not at all.
    pub fn add(&mut self, path: &Path, meaning: Meaning, engine: &Engine) -> Result<(), RescreenError> {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        self.notes.push(format!("{}：{name}", meaning.chinese()));
        self.read(path, meaning, engine).map_err(|error| RescreenError::Roster { roster: path.to_owned(), error })
    }

    fn read(&mut self, path: &Path, meaning: Meaning, engine: &Engine) -> Result<(), RosterError> {
        let mut register = Register::open(path, &Options::default())?;
        let mut wrong = None;
        while wrong.is_none()
            && let Some(piece) = register.pieces.next_piece()?
        {
            match piece {
                Piece::Bad(lines) => wrong = lines.first().map(|(line, _)| (*line, "it cannot be read".into())),
                Piece::Block(block) => register.records.each(&block, &mut |line, row| {
                    let added = row.map_err(|_| "it cannot be read".into()).and_then(|row| self.row(row, meaning, engine));
                    wrong = wrong.take().or(added.err().map(|why| (line, why)));
                }),
            }
        }
        wrong.map_or(Ok(()), |(line, why)| Err(RosterError::Row(line, why)))
    }

    fn row(&mut self, row: &Row<'_>, meaning: Meaning, engine: &Engine) -> Result<(), Cow<'static, str>> {
        if self.entries.len() >= self.most {
            return Err(format!("the rosters have more than {} rows together", self.most).into());
        }
        let code = uscc::code(row.get(Column::Uscc));
        let name = Normalized::of(row.get(Column::Name), engine.characters()).text();
        if name.is_empty() && code.is_none() {
            return Err("it has neither a name nor a code".into());
        }
        let licence = match meaning {
            Meaning::Licensed(kind) => Some(licence(row, kind)?),
            Meaning::Complaint | Meaning::Industry => None,
        };
        let index = self.entries.len();
        if let Some(code) = code.clone() {
            self.by_code.entry(code).or_default().push(index);
        }
        if !name.is_empty() {
            self.by_name.entry(name).or_default().push(index);
        }
        self.entries.push(Entry { code, licence, note: self.notes.len() - 1 });
        Ok(())
    }

    /// What the rosters say of a firm. One with another code is another firm, whatever its name; an old registration number
    /// (注册号) is no code.
    #[must_use]
    pub fn find(&self, row: &Row<'_>, engine: &Engine) -> Found {
        let mut found = Found::default();
        if self.entries.is_empty() {
            return found;
        }
        let code = uscc::code(row.get(Column::Uscc));
        let name = Normalized::of(row.get(Column::Name), engine.characters()).text();
        let listed = |map: &FxHashMap<String, Vec<usize>>, key: &str| map.get(key).cloned().unwrap_or_default();
        let mut indexes = code.as_ref().map(|code| listed(&self.by_code, code)).unwrap_or_default();
        let other = |index: &usize| code.is_none() || self.entries[*index].code.is_none();
        indexes.extend(listed(&self.by_name, &name).into_iter().filter(other));
        for entry in indexes.into_iter().map(|index| &self.entries[index]) {
            found.licences.extend(entry.licence.clone());
            let note = &self.notes[entry.note];
            if !found.notes.contains(note) {
                found.notes.push(note.clone());
            }
        }
        found
    }
}

fn licence(row: &Row<'_>, kind: Option<LicenceKind>) -> Result<Licence, &'static str> {
    let said = row.get(Column::LicenceKind);
    let kind = if said.is_empty() { kind } else { licence_kind(said) };
    let kind = kind.ok_or("its kind of licence is not known: say --as licensed:KIND")?;
    let until = row.get(Column::LicenceUntil);
    let to = last_day(until)?;
    Ok(Licence {
        kind,
        number: row.get(Column::LicenceNumber).to_owned(),
        issuer: row.get(Column::LicenceIssuer).to_owned(),
        days: Days { from: None, to },
        terms: Vec::new(),
    })
}

/// The last day that a licence says: 2027-01-01, 2027/1/1, 2027年1月1日, 20270101; none for 长期 or nothing.
fn last_day(text: &str) -> Result<Option<Date>, &'static str> {
    const WRONG: &str = "its last day is no day";
    if text.is_empty() || text == "长期" || text == "长期有效" {
        return Ok(None);
    }
    let numbers: Vec<&str> = text.split(|c: char| !c.is_ascii_digit()).filter(|number| !number.is_empty()).collect();
    let plain = match numbers[..] {
        [all] if all.len() == 8 => format!("{}-{}-{}", &all[..4], &all[4..6], &all[6..]),
        [year, month, day, ..] => format!("{year:0>4}-{month:0>2}-{day:0>2}"),
        _ => return Err(WRONG),
    };
    day::parse(&plain).map(Some).map_err(|_| WRONG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_days_are_written_in_many_ways() {
        let day = day::parse("2027-01-09").ok();
        for text in ["2027-01-09", "2027/1/9", "2027年1月9日", "20270109", "2027-01-09 00:00:00"] {
            assert_eq!(last_day(text), Ok(day), "{text}");
        }
        assert_eq!(last_day("长期"), Ok(None));
        for text in ["soon", "2027", "2027-13-01"] {
            assert!(last_day(text).is_err(), "{text}");
        }
    }

    #[test]
    fn meanings_are_read() {
        assert_eq!(Meaning::parse("licensed:payment"), Ok(Meaning::Licensed(Some(LicenceKind::Payment))));
        assert_eq!(Meaning::parse("licensed"), Ok(Meaning::Licensed(None)));
        for wrong in ["licensed:approval", "licensed:x", "complaint:x", ""] {
            assert!(Meaning::parse(wrong).is_err(), "{wrong}");
        }
    }
}
