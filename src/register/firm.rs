//! From a row to a firm: where it is registered, what kind it is, and what is to be said of its code.
//!
//! Only the rows in which a term occurs come here: reading a place out of a text costs more than screening one.

use rustc_hash::FxHashMap;

use super::{Column, Row};
use crate::{
    jurisdiction::{Region, Standing},
    normalize::Normalized,
    screen::Engine,
    uscc::{self, UsccError},
    vocabulary::EntityKind,
};

/// Longest text that is asked for a place, in bytes.
const LONGEST_PLACE: usize = 1024;
/// Most places that are remembered.
const MOST_KNOWN: usize = 65_536;

/// What is to be said of a firm's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CodeWarning {
    /// It has none.
    Missing,
    /// It has a registration number of before 2015 (15 digits, 工商注册号).
    Old,
    /// It has something that is no code.
    Malformed,
    /// Its check digit is wrong.
    CheckDigit,
}

impl CodeWarning {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Missing, Self::Old, Self::Malformed, Self::CheckDigit];

    /// What is to be said of a code, if anything.
    #[must_use]
    pub fn of(code: &str) -> Option<Self> {
        match uscc::check(code) {
            Ok(()) => None,
            Err(_) if code.is_empty() => Some(Self::Missing),
            Err(UsccError::CheckDigit { .. }) => Some(Self::CheckDigit),
            Err(_) if matches!(code.len(), 13 | 15) && code.bytes().all(|byte| byte.is_ascii_digit()) => Some(Self::Old),
            Err(_) => Some(Self::Malformed),
        }
    }

    /// It in Chinese.
    #[must_use]
    pub const fn chinese(self) -> &'static str {
        match self {
            Self::Missing => "无统一社会信用代码",
            Self::Old => "仅有旧注册号",
            Self::Malformed => "统一社会信用代码格式有误",
            Self::CheckDigit => "统一社会信用代码校验位有误",
        }
    }

    /// It in English.
    #[must_use]
    pub const fn english(self) -> &'static str {
        match self {
            Self::Missing => "without a code (USCC)",
            Self::Old => "with an old registration number",
            Self::Malformed => "with a malformed code",
            Self::CheckDigit => "with a wrong check digit",
        }
    }
}

/// Tells where firms are registered, and what kind they are.
pub struct Places<'e> {
    engine: &'e Engine,
    known: FxHashMap<String, Option<Region>>,
    text: String,
}

impl<'e> Places<'e> {
    /// By the divisions of an engine.
    #[must_use]
    pub fn new(engine: &'e Engine) -> Self {
        Self { engine, known: FxHashMap::default(), text: String::new() }
    }

    /// Where a firm is registered: by its code of a division, else by province, city, county and authority together, else by
    /// the code of its authority in its own code. None where nothing tells.
    pub fn region(&mut self, row: &Row<'_>) -> Option<Region> {
        self.told(&[Column::Region], row)
            .or_else(|| self.told(&[Column::Province, Column::City, Column::County, Column::Authority], row))
            .or_else(|| self.by_code(row.get(Column::Uscc)))
    }

    fn told(&mut self, columns: &[Column], row: &Row<'_>) -> Option<Region> {
        self.text.clear();
        self.text.extend(columns.iter().map(|column| row.get(*column)));
        if self.text.is_empty() || self.text.len() > LONGEST_PLACE {
            return None;
        }
        if let Some(known) = self.known.get(&self.text) {
            return *known;
        }
        let region = self.named(&self.text);
        if self.known.len() < MOST_KNOWN {
            self.known.insert(self.text.clone(), region);
        }
        region
    }

    /// The place that a text names: a code of GB/T 2260, a place, an authority.
    #[must_use]
    pub fn named(&self, text: &str) -> Option<Region> {
        let read = Normalized::of(text, self.engine.characters()).text(); // 馬鞍山 is 马鞍山, and not 鞍山
        let digits = read.len() >= 6 && read.bytes().all(|byte| byte.is_ascii_digit());
        let code = if digits { read.get(..6).and_then(|code| self.code(code)) } else { None };
        code.or_else(|| self.engine.lists().divisions().resolve(&read))
    }

    fn by_code(&self, uscc: &str) -> Option<Region> {
        if uscc.len() == 18 { self.code(uscc.get(2..8)?) } else { None }
    }

    fn code(&self, code: &str) -> Option<Region> {
        let region = Region::parse(code).ok()?;
        (self.engine.lists().divisions().standing(region) != Standing::Unknown).then_some(region)
    }
}

/// What kind a firm is: by its column, else by its code (91 enterprise, 92 in business by oneself, 93 cooperative).
#[must_use]
pub fn kind(row: &Row<'_>) -> Option<EntityKind> {
    let said = row.get(Column::Kind);
    let uscc = row.get(Column::Uscc);
    match said {
        _ if said.contains("个体") => Some(EntityKind::IndividualBusiness),
        _ if said.contains("合作社") => Some(EntityKind::FarmerCooperative),
        _ if !said.is_empty() && !said.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') => Some(EntityKind::Enterprise),
        _ => EntityKind::from_id(said).or(match uscc.get(..2).filter(|_| uscc.len() == 18) {
            Some("91") => Some(EntityKind::Enterprise),
            Some("92") => Some(EntityKind::IndividualBusiness),
            Some("93") => Some(EntityKind::FarmerCooperative),
            _ => None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded;

    fn row(cells: &[(Column, &'static str)]) -> Row<'static> {
        let mut row = Row::default();
        for (column, text) in cells {
            row.0[*column as usize] = text;
        }
        row
    }

    #[test]
    fn places_are_told_by_what_is_surest() {
        use Column::{Authority, City, County, Province, Region as Code, Uscc};
        let engine = Engine::build(&embedded::files()).expect("the embedded lists are checked");
        let mut places = Places::new(&engine);
        let uscc = (Uscc, "91320113580493701R");
        let cases: [(&[(Column, &str)], &str); 11] = [
            (&[(Code, "330106"), uscc], "330106"),
            (&[(Code, "320104000000")], "320104"),
            (&[(Code, "馬鞍山市"), uscc], "340500"),
            (&[(Code, "990101"), uscc], "320113"),
            (&[(Authority, "南京市玄武区市场监督管理局"), uscc], "320102"),
            (&[(Authority, "鼓楼区市场监督管理局"), (Province, "江苏"), (City, "南京")], "320106"),
            (&[(Province, "江苏"), (City, "南京"), uscc], "320100"),
            (&[(County, "朝阳区"), (Province, "北京市")], "110105"),
            (&[uscc], "320113"),
            (&[(Uscc, "919901135804937012")], "-"),
            (&[(City, "月球")], "-"),
        ];
        for (cells, expected) in cases {
            let found = places.region(&row(cells)).map_or_else(|| "-".to_owned(), |region| region.to_string());
            assert_eq!(found, expected, "{cells:?}");
        }
    }

    #[test]
    fn kinds_are_told_by_column_then_by_code() {
        use Column::{Kind, Uscc};
        use EntityKind::{Enterprise, FarmerCooperative, IndividualBusiness};
        type Cells = [(Column, &'static str)];
        let cases: [(&Cells, Option<EntityKind>); 8] = [
            (&[(Kind, "有限责任公司(自然人独资)"), (Uscc, "92320113580493701R")], Some(Enterprise)),
            (&[(Kind, "个体工商户")], Some(IndividualBusiness)),
            (&[(Kind, "农民专业合作社分支机构")], Some(FarmerCooperative)),
            (&[(Kind, "INDIVIDUAL_BUSINESS")], Some(IndividualBusiness)),
            (&[(Kind, "1130"), (Uscc, "91320113580493701R")], Some(Enterprise)),
            (&[(Uscc, "93320113580493701R")], Some(FarmerCooperative)),
            (&[(Uscc, "52320113580493701R")], None),
            (&[], None),
        ];
        for (cells, expected) in cases {
            assert_eq!(kind(&row(cells)), expected, "{cells:?}");
        }
    }

    #[test]
    fn codes_are_warned_of() {
        let cases = [
            ("91320113580493701R", None),
            ("", Some(CodeWarning::Missing)),
            ("320113000012345", Some(CodeWarning::Old)),
            ("91320113580493701X", Some(CodeWarning::CheckDigit)),
            ("9132011358049370", Some(CodeWarning::Malformed)),
            ("无", Some(CodeWarning::Malformed)),
        ];
        for (code, expected) in cases {
            assert_eq!(CodeWarning::of(code), expected, "{code}");
        }
    }
}
