//! Administrative divisions (行政区划): codes of GB/T 2260, their names, and reading them out of a text.
//!
//! A firm's place, an authority's name and a rule's reach all come down to a [`Region`]. Names are read
//! from `wordlists/divisions/`; nothing about a place is in the code.

mod lists;
mod names;
mod region;

use rustc_hash::FxHashMap;

pub use lists::DivisionFiles;
pub use region::{Level, Region, RegionError};

use crate::problem::Problem;
use names::{Name, Names, Sense};

/// The divisions there are and were, and the names of places.
#[derive(Debug)]
pub struct Divisions {
    current: FxHashMap<Region, String>,
    retired: FxHashMap<Region, Retired>,
    names: Names,
    zones: Vec<String>,
    holders: Vec<String>,
}

#[derive(Debug)]
struct Retired {
    name: String,
    successor: Region,
}

/// What is known of a code. Callers take a retired or unknown code under a known city or province with
/// a warning, since development zones (开发区) register firms under codes of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing<'a> {
    /// A division of today.
    Current,
    /// A code withdrawn by a change of divisions.
    Retired {
        /// The division that has the territory now: the seat's, or the one above where it was divided.
        successor: Region,
        /// Its last name.
        name: &'a str,
    },
    /// No such code, but this is the nearest known region above it, below the nation.
    UnknownUnder(Region),
    /// Not even the province is known.
    Unknown,
}

impl Divisions {
    /// Builds the divisions from the text of their lists. Lines that are empty or begin with `#` are
    /// left out.
    ///
    /// # Errors
    /// Every problem of the four lists, each with its file and 1-based line.
    pub fn parse(files: &DivisionFiles<'_>) -> Result<Self, Vec<Problem>> {
        lists::parse(files)
    }

    /// The region's own name: 玄武区 for 320102. A retired code has its last name; a code that only
    /// holds others (110100, 市辖区) has none.
    #[must_use]
    pub fn name(&self, region: Region) -> Option<&str> {
        let name = self.listed(region)?;
        self.holders.iter().all(|holder| holder != name).then_some(name)
    }

    fn listed(&self, region: Region) -> Option<&str> {
        let current = self.current.get(&region).map(String::as_str);
        current.or_else(|| Some(self.retired.get(&region)?.name.as_str()))
    }

    /// The name with those above it, without 全国 and 市辖区: 江苏省南京市玄武区; 江苏省南京市 for 320101.
    /// `None` for a code that is neither current nor retired.
    #[must_use]
    pub fn full_name(&self, region: Region) -> Option<String> {
        self.listed(region)?;
        let mut parts: Vec<&str> =
            region.chain().filter(|&part| part == region || part != Region::NATION).filter_map(|part| self.name(part)).collect();
        // 嘉峪关市 is listed as a city and as its own only county.
        parts.dedup();
        Some(parts.into_iter().rev().collect())
    }

    /// Whether the code is current, retired or unknown, and under what.
    #[must_use]
    pub fn standing(&self, region: Region) -> Standing<'_> {
        if self.current.contains_key(&region) {
            return Standing::Current;
        }
        if let Some(Retired { name, successor }) = self.retired.get(&region) {
            return Standing::Retired { successor: *successor, name };
        }
        region
            .ancestors()
            .find(|&above| above != Region::NATION && self.current.contains_key(&above))
            .map_or(Standing::Unknown, Standing::UnknownUnder)
    }

    /// The most specific division that a text names consistently: of a place (南京, 江苏南京玄武), of an
    /// authority (南京市玄武区市场监督管理局), or a bare six-digit code.
    ///
    /// A name out of use gives the division of today (宣城市广德县 → 341882). Of several divisions with
    /// one name, those that fit what else is named are left; then a province goes before a city, a city
    /// before a county, a county before a district. `None` when nothing is named, or several are left.
    #[must_use]
    pub fn resolve(&self, text: &str) -> Option<Region> {
        let mut found = Vec::new();
        let (mut at, mut joined) = (0, true);
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            let step = self.code_at(rest).or_else(|| self.place_at(rest, &found, joined));
            joined = step.is_some();
            if let Some((len, senses)) = step {
                found = if senses.is_empty() { found } else { narrow(&found, &senses) };
                at += len;
            } else {
                at += rest.chars().next().map_or(1, char::len_utf8);
            }
        }
        plainest(&found).map(|sense| sense.region)
    }

    /// The longest run of place names at the head of a firm's name: its length in bytes and the most
    /// specific division. A zone (开发区) right behind a division belongs to the run
    /// (企业名称登记管理规定, article 7).
    ///
    /// Without what stands above it, a county's bare name counts only where it is one county's alone and
    /// not usually a trade name (字号), and a district's bare name never does.
    #[must_use]
    pub fn leading_place(&self, name: &str) -> Option<(usize, Region)> {
        let (mut at, mut found, mut best) = (0, Vec::new(), None);
        while let Some((len, senses)) = self.next_division(&name[at..], &found) {
            at += len;
            found = senses;
            best = plainest(&found).map(|sense| (at, sense.region)).or(best);
        }
        let (end, region) = best?;
        Some((end + self.zone_at(&name[end..]), region))
    }

    /// A run of ASCII digits; one of six digits in a known province is a mention.
    fn code_at(&self, rest: &str) -> Option<(usize, Vec<Sense>)> {
        let len = rest.bytes().take_while(u8::is_ascii_digit).count();
        let region = Region::parse(&rest[..len]).ok().filter(|&region| self.standing(region) != Standing::Unknown);
        let sense = region.map(|region| Sense { region, rank: 0, short: false });
        (len > 0).then(|| (len, sense.into_iter().collect()))
    }

    /// The longest name at the head of `rest` that agrees with what was found before.
    fn place_at(&self, rest: &str, found: &[Sense], joined: bool) -> Option<(usize, Vec<Sense>)> {
        // Amid other words the bare name of a county is too often something else.
        let fits = |sense: &Sense| joined || !sense.short || sense.rank < COUNTY;
        self.longest(rest, |_, senses| {
            let senses: Vec<Sense> = senses.iter().copied().filter(fits).collect();
            (!narrow(found, &senses).is_empty()).then_some(senses)
        })
    }

    /// The longest name at the head of `rest` that lies in what was found before.
    fn next_division(&self, rest: &str, found: &[Sense]) -> Option<(usize, Vec<Sense>)> {
        self.longest(rest, |name, senses| {
            let senses = senses.iter().copied().filter(|sense| opens(name, *sense, found)).collect::<Vec<_>>();
            let senses = if found.is_empty() { senses } else { inside(found, &senses) };
            (!senses.is_empty()).then_some(senses)
        })
    }

    /// Tries the names at the head of `rest`, longest first, and of each the current senses before the old.
    fn longest<T>(&self, rest: &str, take: impl Fn(&Name, &[Sense]) -> Option<T>) -> Option<(usize, T)> {
        let mut names: Vec<(usize, &Name)> = self.names.at(rest).collect();
        names.reverse();
        names.into_iter().find_map(|(len, name)| Some((len, take(name, &name.current).or_else(|| take(name, &name.old))?)))
    }

    fn zone_at(&self, rest: &str) -> usize {
        self.zones.iter().find(|zone| rest.starts_with(zone.as_str())).map_or(0, String::len)
    }
}

const COUNTY: u8 = 3;

/// Whether a sense may stand in a firm's name behind what was found.
fn opens(name: &Name, sense: Sense, found: &[Sense]) -> bool {
    let bare = sense.short && found.iter().all(|had| had.region == Region::NATION);
    !bare || !(name.barred || sense.rank > COUNTY)
}

/// The senses that agree with what was found: those inside it, or else what was found inside them.
fn narrow(found: &[Sense], senses: &[Sense]) -> Vec<Sense> {
    if found.is_empty() {
        return senses.to_vec();
    }
    let kept = inside(found, senses);
    if !kept.is_empty() {
        return kept;
    }
    let wider = |had: &&Sense| senses.iter().any(|sense| sense.region.covers(had.region));
    found.iter().filter(wider).copied().collect()
}

/// The senses that lie in a found region, and are not it.
fn inside(found: &[Sense], senses: &[Sense]) -> Vec<Sense> {
    let within = |sense: &&Sense| found.iter().any(|had| had.region != sense.region && had.region.covers(sense.region));
    senses.iter().filter(within).copied().collect()
}

/// The sense with the lowest rank, if it is one region's alone.
fn plainest(senses: &[Sense]) -> Option<Sense> {
    let first = *senses.iter().min_by_key(|sense| sense.rank)?;
    let rivals = senses.iter().any(|sense| sense.rank == first.rank && sense.region != first.region);
    (!rivals).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: DivisionFiles<'static> = DivisionFiles {
        gbt2260: include_str!("../wordlists/divisions/gbt2260.tsv"),
        retired: include_str!("../wordlists/divisions/retired.tsv"),
        places: include_str!("../wordlists/divisions/places.tsv"),
        suffixes: include_str!("../wordlists/divisions/suffixes.tsv"),
    };

    fn divisions() -> Divisions {
        Divisions::parse(&FILES).unwrap_or_else(|problems| {
            let told: Vec<String> = problems.iter().map(|p| format!("{}:{}: {}", p.file, p.line, p.message)).collect();
            panic!("{}", told.join("\n"))
        })
    }

    fn region(code: &str) -> Region {
        Region::parse(code).unwrap_or_else(|error| panic!("{code}: {error}"))
    }

    #[test]
    fn names_and_standings() {
        let divisions = divisions();
        let full = [
            ("320102", Some("江苏省南京市玄武区")),
            ("110105", Some("北京市朝阳区")),
            ("320101", Some("江苏省南京市")),
            ("419001", Some("河南省济源市")),
            ("620201", Some("甘肃省嘉峪关市")),
            ("341822", Some("安徽省宣城市广德县")),
            ("000000", Some("全国")),
            ("329999", None),
        ];
        for (code, name) in full {
            assert_eq!(divisions.full_name(region(code)).as_deref(), name, "{code}");
        }
        assert_eq!(divisions.name(region("110100")), None);
        assert_eq!(divisions.standing(region("320102")), Standing::Current);
        let retired = Standing::Retired { successor: region("341882"), name: "广德县" };
        assert_eq!(divisions.standing(region("341822")), retired);
        assert_eq!(divisions.standing(region("320594")), Standing::UnknownUnder(region("320500")));
        assert_eq!(divisions.standing(region("329900")), Standing::UnknownUnder(region("320000")));
        assert_eq!(divisions.standing(region("990000")), Standing::Unknown);
    }

    /// Text and the code it names, `-` for none.
    const PLACES: &[(&str, &str)] = &[
        ("南京", "320100"),
        ("南京市", "320100"),
        ("江苏", "320000"),
        ("江苏省南京市", "320100"),
        ("江苏南京玄武", "320102"),
        ("江苏省南京市玄武区", "320102"),
        ("南京市玄武区市场监督管理局", "320102"),
        ("江苏省市场监督管理局", "320000"),
        ("国家市场监督管理总局", "000000"),
        ("国务院", "000000"),
        ("国家税务总局南京市玄武区税务局", "320102"),
        ("宣城市广德县工商行政管理局", "341882"),
        ("广德市", "341882"),
        ("鼓楼区", "-"),
        ("朝阳区", "-"),
        ("通州区", "-"),
        ("市中区", "-"),
        ("郊区", "-"),
        ("南京鼓楼", "320106"),
        ("福州市鼓楼区", "350102"),
        ("北京朝阳", "110105"),
        ("长春市朝阳区市场监督管理局", "220104"),
        ("朝阳", "211300"),
        ("朝阳市", "211300"),
        ("吉林", "220000"),
        ("吉林市", "220200"),
        ("吉林吉林", "220200"),
        ("海南", "460000"),
        ("青海海南", "632500"),
        ("天津河北", "120105"),
        ("济南市市中区", "370103"),
        ("济南市中区", "370103"),
        ("石家庄市郊区", "130100"),
        ("浦东新区", "310115"),
        ("上海浦东", "310115"),
        ("北京市宣武区", "110102"),
        ("襄樊", "420600"),
        ("内蒙古", "150000"),
        ("内蒙古自治区呼和浩特市", "150100"),
        ("新疆伊犁哈萨克", "654000"),
        ("延边州", "222400"),
        ("彭水县", "500243"),
        ("彭水", "500243"),
        ("管城", "410104"),
        ("嘉峪关市", "620200"),
        ("东莞", "441900"),
        ("海南省直辖县", "460000"),
        ("上海南京东路", "310000"),
        ("320104", "320104"),
        ("登记机关代码：320104", "320104"),
        ("3201040", "-"),
        ("990101", "-"),
        ("市场监督管理局", "-"),
        ("鼎盛贸易", "-"),
        ("香港", "810000"),
        ("台湾省", "710000"),
        ("赵县", "130133"),
    ];

    #[test]
    fn texts_name_places() {
        let divisions = divisions();
        for (text, code) in PLACES {
            let found = divisions.resolve(text).map_or("-".to_owned(), |region| region.to_string());
            assert_eq!(found, *code, "{text}");
        }
    }

    #[test]
    fn names_begin_with_places() {
        let divisions = divisions();
        let cases = [
            ("南京市玄武区鼎盛贸易有限公司", "南京市玄武区", "320102"),
            ("南京鼎盛贸易有限公司", "南京", "320100"),
            ("江苏南京玄武鼎盛贸易有限公司", "江苏南京玄武", "320102"),
            ("盘山鼎盛贸易有限公司", "盘山", "211122"),
            ("临安鼎盛贸易有限公司", "临安", "330112"),
            ("玄武鼎盛贸易有限公司", "", "-"),
            ("鼓楼区鼎盛贸易有限公司", "", "-"),
            ("东方鼎盛贸易有限公司", "", "-"),
            ("东方市鼎盛贸易有限公司", "东方市", "469007"),
            ("海南东方鼎盛贸易有限公司", "海南东方", "469007"),
            ("中国东方鼎盛贸易有限公司", "中国", "000000"),
            ("大连经济技术开发区鼎盛贸易有限公司", "大连经济技术开发区", "210200"),
            ("鼎盛南京贸易有限公司", "", "-"),
            ("", "", "-"),
        ];
        for (name, place, code) in cases {
            let (len, found) = divisions.leading_place(name).map_or((0, "-".to_owned()), |(len, r)| (len, r.to_string()));
            assert_eq!((&name[..len], found.as_str()), (place, code), "{name}");
        }
    }

    #[test]
    fn hostile_texts_do_no_harm() {
        let divisions = divisions();
        let long = ["南".repeat(100_000), "1".repeat(100_000), "（".repeat(100_000), "南京市".repeat(30_000)];
        for text in ["", "（", "）（", "🎉南京🎉", "\u{0}\u{FEFF}", "3２0104", "自治县"].into_iter().chain(long.iter().map(String::as_str))
        {
            let _ = divisions.resolve(text);
            let _ = divisions.leading_place(text);
        }
        assert_eq!(divisions.resolve(&long[3]), Some(region("320100")));
    }

    #[test]
    fn all_problems_of_the_lists_are_told() {
        let files = DivisionFiles {
            gbt2260: "000000\t全国\n320000\t江苏省\n320000\t江苏省\n3201\t南京市\n320204\t某区\n",
            retired: "320100\t南京市\t320500\t改\n320000\t江苏省\t320000\t改\n",
            places: "苏\n苏\t330000\t简称\n",
            suffixes: "市\tending\t-\t市\n",
        };
        let Err(problems) = Divisions::parse(&files) else { panic!("the lists are wrong") };
        let mut found: Vec<String> = problems.iter().map(|p| format!("{}:{}", &p.file[10..], p.line)).collect();
        found.sort();
        let wanted = [
            "gbt2260.tsv:3",
            "gbt2260.tsv:4",
            "gbt2260.tsv:5",
            "places.tsv:1",
            "places.tsv:2",
            "retired.tsv:1",
            "retired.tsv:2",
            "suffixes.tsv:1",
        ];
        assert_eq!(found, wanted);
    }
}
