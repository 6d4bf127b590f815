//! Columns (列): which column of a register holds what, by its header.

use rustc_hash::FxHashMap;

/// What a column of a register can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Column {
    /// The firm's name.
    Name,
    /// Its business scope.
    Scope,
    /// Its unified social credit code.
    Uscc,
    /// Its place: a code of GB/T 2260 or a name.
    Region,
    /// The authority that registered it.
    Authority,
    /// Its province.
    Province,
    /// Its city.
    City,
    /// Its county or district.
    County,
    /// Its kind of entity.
    Kind,
    /// When it was established.
    Established,
    /// On a roster of licensed bodies: the kind of licence.
    LicenceKind,
    /// … its number.
    LicenceNumber,
    /// … who issued it.
    LicenceIssuer,
    /// … its last day.
    LicenceUntil,
}

/// How many columns there are.
pub const COLUMNS: usize = 14;

/// Most characters of headers that are told.
const MOST_LISTED: usize = 1000;

/// Every column: its name for `--columns`, and the headers it is known by, surest first.
///
/// The Chinese ones are those of 国家企业信用信息公示系统, of the data item standard of market entities (市场主体数据项) and of
/// its predecessors at 工商 bureaus, where a field's code (`ENTNAME`, `OPSCOPE`) often stands for its name. A licence has both
/// 经营范围 and 许可经营项目 and 一般经营项目: only the first is the whole.
const HEADERS: [(Column, &str, &[&str]); COLUMNS] = [
    (
        Column::Name,
        "name",
        &[
            "企业名称",
            "市场主体名称",
            "主体名称",
            "单位名称",
            "公司名称",
            "字号名称",
            "商户名称",
            "名称",
            "entname",
            "name",
            "company",
            "company_name",
            "firm",
        ],
    ),
    (
        Column::Scope,
        "scope",
        &["经营范围", "经营(业务)范围", "经营范围及方式", "业务范围", "许可范围", "opscope", "scope", "business_scope"],
    ),
    (
        Column::Uscc,
        "uscc",
        &[
            "统一社会信用代码",
            "社会信用代码",
            "信用代码",
            "统一代码",
            "统一社会信用代码/注册号",
            "统一信用代码",
            "注册号",
            "uniscid",
            "uscc",
            "credit_code",
        ],
    ),
    (
        Column::Region,
        "region",
        &[
            "行政区划",
            "行政区划代码",
            "区划代码",
            "所在行政区划",
            "住所所在行政区划",
            "domdistrict",
            "region",
            "region_code",
            "district_code",
        ],
    ),
    (
        Column::Authority,
        "authority",
        &["登记机关", "登记机关名称", "注册机关", "发照机关", "管辖机关", "regorg", "authority", "registration_authority"],
    ),
    (Column::Province, "province", &["省份", "省", "所属省份", "所在省份", "省(市)", "province"]),
    (Column::City, "city", &["城市", "市", "所属城市", "所在城市", "地市", "city"]),
    (Column::County, "county", &["区县", "县区", "所属区县", "区", "县", "county", "district"]),
    (Column::Kind, "kind", &["企业类型", "市场主体类型", "主体类型", "类型", "企业(机构)类型", "enttype", "kind", "entity_kind", "type"]),
    (
        Column::Established,
        "established",
        &[
            "成立日期",
            "注册日期",
            "登记日期",
            "成立时间",
            "核准日期",
            "estdate",
            "established",
            "established_on",
            "registered_on",
            "registration_date",
        ],
    ),
    (Column::LicenceKind, "licence-kind", &["许可证种类", "许可种类", "许可证类型", "牌照类型", "licence_kind", "license_kind"]),
    (
        Column::LicenceNumber,
        "licence-number",
        &["许可证编号", "许可证号", "许可编号", "批准文号", "机构编码", "licence_number", "license_number"],
    ),
    (Column::LicenceIssuer, "licence-issuer", &["发证机关", "许可机关", "批准机关", "licence_issuer", "license_issuer"]),
    (Column::LicenceUntil, "licence-until", &["有效期至", "有效期止", "有效期届满日", "许可截止日期", "licence_until", "valid_until"]),
];

impl Column {
    /// Its name for `--columns`.
    #[must_use]
    pub fn name(self) -> &'static str {
        HEADERS[self as usize].1
    }

    /// The column with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        HEADERS.iter().find(|(_, known, _)| *known == name).map(|(column, ..)| *column)
    }
}

/// Where a column is said to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Under this header.
    Header(String),
    /// At this place, from 0.
    At(usize),
}

/// What `--columns` says; the headers decide about all others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said(Vec<(Column, Place)>);

/// A register's columns cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ColumnsError {
    /// `--columns` is not COLUMN=HEADER,….
    #[error("'{0}' is not COLUMN=HEADER or COLUMN=#NUMBER with COLUMN one of {names}", names = names())]
    Said(String),
    /// A header that `--columns` names is not there.
    #[error("there is no column '{header}'; there are: {found}")]
    Missing {
        /// The header, or its number.
        header: String,
        /// The headers there are.
        found: String,
    },
    /// A column of a Parquet file holds no single texts, numbers or days.
    #[error("the column '{0}' holds no texts, but lists, records or decimals")]
    NoText(String),
    /// No column is known to hold names.
    #[error("no column holds the firms' names (企业名称); there are: {found}. {hint}")]
    NoName {
        /// The headers there are.
        found: String,
        /// What may help.
        hint: Hint,
    },
}

/// What may help where no column is known to hold names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Hint {
    /// To say which one does.
    #[error("Say --columns name=…")]
    Columns,
    /// This separates the fields.
    #[error("Its fields seem to be separated by {0:?}: save it with commas between them")]
    Separator(char),
    /// The header is in this line.
    #[error("Its header seems to be in line {0}: take away what stands above")]
    Line(usize),
}

fn names() -> String {
    HEADERS.iter().map(|(_, name, _)| *name).collect::<Vec<_>>().join(", ")
}

impl Said {
    /// Reads `name=企业名称,scope=#4`.
    ///
    /// # Errors
    /// [`ColumnsError::Said`] for what is not of that form.
    pub fn parse(text: &str) -> Result<Self, ColumnsError> {
        let one = |part: &str| {
            let wrong = || ColumnsError::Said(part.to_owned());
            let (name, place) = part.split_once('=').ok_or_else(wrong)?;
            let column = Column::named(name.trim()).ok_or_else(wrong)?;
            let place = match place.strip_prefix('#') {
                Some(number) => Place::At(number.parse::<usize>().ok().and_then(|number| number.checked_sub(1)).ok_or_else(wrong)?),
                None => Place::Header(place.to_owned()),
            };
            Ok((column, place))
        };
        text.split(',').filter(|_| !text.is_empty()).map(one).collect::<Result<_, _>>().map(Self)
    }

    fn of(&self, column: Column) -> Option<&Place> {
        self.0.iter().find(|(said, _)| *said == column).map(|(_, place)| place)
    }
}

/// Which columns of a table to pick, and which are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Picks([Option<usize>; COLUMNS]);

impl Picks {
    /// Finds the columns of a table by its headers.
    ///
    /// # Errors
    /// [`ColumnsError`] where one that was named is not there, or none holds names.
    pub fn find(headers: &[&str], said: &Said) -> Result<Self, ColumnsError> {
        let plain: Vec<String> = headers.iter().map(|header| plain(header)).collect();
        let mut picks = Self::default();
        for (column, _, known) in &HEADERS {
            picks.0[*column as usize] = match said.of(*column) {
                Some(place) => Some(at(place, headers, &plain)?),
                None => known.iter().find_map(|known| plain.iter().position(|header| header == known)),
            };
        }
        if picks.at(Column::Name).is_none() { Err(ColumnsError::NoName { found: listed(headers), hint: Hint::Columns }) } else { Ok(picks) }
    }

    /// Where a column is, from 0.
    #[must_use]
    pub const fn at(&self, column: Column) -> Option<usize> {
        self.0[column as usize]
    }

    /// Where the columns that are there stand, each once and in order; and where each is among these alone.
    pub(super) fn alone(&self) -> (Vec<usize>, Self) {
        let mut kept: Vec<usize> = self.0.iter().flatten().copied().collect();
        kept.sort_unstable();
        kept.dedup();
        let among = |at: Option<usize>| at.and_then(|at| kept.binary_search(&at).ok());
        let picks = Self(self.0.map(among));
        (kept, picks)
    }

    /// The columns that are there, and where.
    pub fn iter(&self) -> impl Iterator<Item = (usize, usize)> {
        self.0.iter().enumerate().filter_map(|(column, at)| Some((column, (*at)?)))
    }
}

/// The headers in one line; of what is far too long for headers, the beginning.
fn listed(headers: &[&str]) -> String {
    let mut listed = headers.join(", ");
    if let Some((end, _)) = listed.char_indices().nth(MOST_LISTED) {
        listed.replace_range(end.., "…");
    }
    listed
}

fn at(place: &Place, headers: &[&str], plain_headers: &[String]) -> Result<usize, ColumnsError> {
    let missing = |header: String| ColumnsError::Missing { header, found: listed(headers) };
    match place {
        Place::At(at) if *at < headers.len() => Ok(*at),
        Place::At(at) => Err(missing(format!("#{}", at + 1))),
        Place::Header(header) => {
            let plain = plain(header);
            plain_headers.iter().position(|found| *found == plain).ok_or_else(|| missing(header.clone()))
        }
    }
}

/// A header without what differs from one export to the next.
fn plain(header: &str) -> String {
    let kept = header.chars().filter(|c| !c.is_whitespace() && !matches!(c, '\u{FEFF}' | '*' | '"'));
    let plain: String = kept
        .map(|c| {
            if c == '（' {
                '('
            } else if c == '）' {
                ')'
            } else {
                c.to_ascii_lowercase()
            }
        })
        .collect();
    plain
}

/// The columns of JSON objects, by key.
#[derive(Debug, Clone)]
pub struct Keys(FxHashMap<String, (usize, usize)>);

impl Keys {
    /// Every key that is known, and those that were named. The surest key of an object decides.
    ///
    /// # Errors
    /// [`ColumnsError::Said`] where a column was named by a number.
    pub fn known(said: &Said) -> Result<Self, ColumnsError> {
        let mut keys = FxHashMap::default();
        for (column, name, known) in &HEADERS {
            match said.of(*column) {
                Some(Place::Header(header)) => drop(keys.insert(plain(header), (*column as usize, 0))),
                Some(Place::At(at)) => return Err(ColumnsError::Said(format!("{name}=#{}", at + 1))),
                None => keys.extend(known.iter().enumerate().map(|(rank, key)| ((*key).to_owned(), (*column as usize, rank)))),
            }
        }
        Ok(Self(keys))
    }

    /// Which column a key is, and how sure that is: 0 is surest.
    #[must_use]
    pub fn of(&self, key: &str) -> Option<(usize, usize)> {
        self.0.get(key).or_else(|| self.0.get(&plain(key))).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_known_in_their_order() {
        assert!(HEADERS.iter().enumerate().all(|(at, (column, ..))| *column as usize == at));
    }

    #[test]
    fn columns_are_found_by_header() {
        let picks =
            Picks::find(&["\u{FEFF}序号", " 企业 名称*", "名称", "统一社会信用代码", "经营（业务）范围", "ENTTYPE"], &Said::default());
        let picks = picks.expect("a name");
        let found = [Column::Name, Column::Uscc, Column::Scope, Column::Kind, Column::City].map(|column| picks.at(column));
        assert_eq!(found, [Some(1), Some(3), Some(4), Some(5), None]);
    }

    #[test]
    fn columns_are_named() {
        let said = Said::parse("name=甲,scope=#3").expect("well said");
        let picks = Picks::find(&["企业名称", "甲", "乙"], &said).expect("a name");
        assert_eq!((picks.at(Column::Name), picks.at(Column::Scope)), (Some(1), Some(2)));
        assert_eq!(Picks::find(&["甲", "乙"], &said).unwrap_err().to_string(), "there is no column '#3'; there are: 甲, 乙");
        assert!(matches!(Picks::find(&["乙", "丙"], &Said::default()), Err(ColumnsError::NoName { hint: Hint::Columns, .. })));
        assert_eq!(Said::parse(""), Ok(Said::default()));
        for wrong in ["name", "title=甲", "name=#0", "name=#x"] {
            assert_eq!(Said::parse(wrong), Err(ColumnsError::Said(wrong.to_owned())));
        }
    }
}
