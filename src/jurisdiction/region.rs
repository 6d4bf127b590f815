//! A code of an administrative division (行政区划代码), with no knowledge of which codes exist.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An administrative division (行政区划) by its six-digit code of GB/T 2260.
///
/// Two digits for the province, two for the city, two for the county; zeros for what is left open.
/// Municipalities (直辖市) have no city between them and their districts: the `01` and `02` of
/// 110100 or 500200 only hold codes, so the city of 110105 is 110000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Region(u32);

/// How far down a [`Region`] reaches, from its code alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// The whole country (全国), 000000.
    Nation,
    /// A province, autonomous region, municipality or special administrative region (省级).
    Province,
    /// A city, prefecture, autonomous prefecture or league (地级).
    City,
    /// A county, district, county-level city or banner (县级); also a zone with a code of its own.
    County,
}

/// Why a text is not a region's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RegionError {
    /// The text is not exactly six ASCII digits.
    NotSixDigits,
    /// A city or county in no province.
    Orphan,
}

impl fmt::Display for RegionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSixDigits => "a region is six digits of GB/T 2260",
            Self::Orphan => "a region's code cannot leave out its province",
        })
    }
}

impl std::error::Error for RegionError {}

/// Provinces whose counties have no city above them: 北京, 天津, 上海, 重庆.
const MUNICIPALITIES: [u32; 4] = [11, 12, 31, 50];

impl Region {
    /// The whole country (全国), 000000: above every other region.
    pub const NATION: Self = Self(0);

    /// Reads exactly six ASCII digits. Whether such a division exists is for
    /// [`Divisions::standing`](super::Divisions::standing) to say.
    ///
    /// # Errors
    /// [`RegionError::NotSixDigits`], or [`RegionError::Orphan`] for codes like 000104. A county
    /// right under its province is none: Hainan's had codes such as 460003 until 2007.
    pub fn parse(text: &str) -> Result<Self, RegionError> {
        if text.len() != 6 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(RegionError::NotSixDigits);
        }
        let code = text.bytes().fold(0, |code, b| code * 10 + u32::from(b - b'0'));
        let orphan = code != 0 && code < 10_000;
        if orphan { Err(RegionError::Orphan) } else { Ok(Self(code)) }
    }

    /// The province (省级) of this region; the nation stays the nation.
    #[must_use]
    pub const fn province(self) -> Self {
        Self(self.0 / 10_000 * 10_000)
    }

    /// The city (地级) of this region: itself for a province, the municipality for a district of one.
    #[must_use]
    pub fn city(self) -> Self {
        if MUNICIPALITIES.contains(&(self.0 / 10_000)) { self.province() } else { Self(self.0 / 100 * 100) }
    }

    /// The level, by which digits are zero.
    #[must_use]
    pub const fn level(self) -> Level {
        match self.0 {
            0 => Level::Nation,
            code if code % 10_000 == 0 => Level::Province,
            code if code % 100 == 0 => Level::City,
            _ => Level::County,
        }
    }

    /// The digits of the county.
    pub(super) const fn last_two(self) -> u32 {
        self.0 % 100
    }

    /// The region right above: 320104 → 320100 → 320000 → 000000 → `None`; 110105 → 110000.
    #[must_use]
    pub fn parent(self) -> Option<Self> {
        match self.level() {
            Level::Nation => None,
            Level::Province => Some(Self::NATION),
            Level::City => Some(self.province()),
            Level::County => Some(self.city()),
        }
    }

    /// This region, then those above it, up to the nation.
    pub fn chain(self) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(self), |region| region.parent())
    }

    /// The regions above this one, nearest first, up to the nation.
    pub fn ancestors(self) -> impl Iterator<Item = Self> {
        self.chain().skip(1)
    }

    /// Whether `other` is this region or lies in it, by the digits that are set.
    #[must_use]
    pub const fn covers(self, other: Self) -> bool {
        let open = match self.level() {
            Level::Nation => return true,
            Level::Province => 10_000,
            Level::City => 100,
            Level::County => 1,
        };
        self.0 / open == other.0 / open
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

impl From<Region> for String {
    fn from(region: Region) -> Self {
        region.to_string()
    }
}

impl TryFrom<String> for Region {
    type Error = RegionError;

    fn try_from(text: String) -> Result<Self, RegionError> {
        Self::parse(&text)
    }
}

impl std::str::FromStr for Region {
    type Err = RegionError;

    fn from_str(text: &str) -> Result<Self, RegionError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(code: &str) -> Region {
        Region::parse(code).unwrap_or_else(|error| panic!("{code}: {error}"))
    }

    #[test]
    fn codes_are_six_digits_under_a_province() {
        for code in ["", "32010", "3201044", "32010a", "３２０１０４", "南京", "+32010", " 32010"] {
            assert_eq!(Region::parse(code), Err(RegionError::NotSixDigits), "{code}");
        }
        assert_eq!(Region::parse("000104"), Err(RegionError::Orphan));
        assert_eq!(region("010000").to_string(), "010000");
        assert_eq!("000000".parse(), Ok(Region::NATION));
    }

    #[test]
    fn the_way_up() {
        let chains = [
            ("320104", "320104 320100 320000 000000"),
            ("320100", "320100 320000 000000"),
            ("110105", "110105 110000 000000"),
            ("110100", "110100 110000 000000"),
            ("500229", "500229 500000 000000"),
            ("419001", "419001 419000 410000 000000"),
            ("460003", "460003 460000 000000"),
            ("000000", "000000"),
        ];
        for (code, chain) in chains {
            let found: Vec<String> = region(code).chain().map(|part| part.to_string()).collect();
            assert_eq!(found.join(" "), chain);
        }
        assert_eq!(region("110105").city(), region("110000"));
        assert_eq!(region("320104").city(), region("320100"));
        assert_eq!(region("320104").ancestors().next(), Some(region("320100")));
        assert_eq!(region("320104").province(), region("320000"));
        assert!(region("320104").level() > region("320100").level());
    }

    #[test]
    fn regions_cover_by_their_digits() {
        let cases = [
            ("000000", "320104", true),
            ("320000", "320104", true),
            ("320100", "320104", true),
            ("320104", "320104", true),
            ("110000", "110105", true),
            ("320104", "320100", false),
            ("320100", "320200", false),
            ("320000", "000000", false),
        ];
        for (above, below, covers) in cases {
            assert_eq!(region(above).covers(region(below)), covers, "{above} {below}");
        }
    }
}
