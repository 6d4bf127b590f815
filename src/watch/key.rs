//! Who is who (主体识别): numbers of firms and referrals, and what a firm is found by.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::jurisdiction::Region;

/// Declares a number with a letter before it.
macro_rules! numbered {
    ($(#[$meta:meta])* $name:ident, $letter:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($letter, "{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = NotANumber;

            fn from_str(text: &str) -> Result<Self, NotANumber> {
                let digits = text.strip_prefix($letter).ok_or(NotANumber)?;
                let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
                if plain { digits.parse().map(Self).map_err(|_| NotANumber) } else { Err(NotANumber) }
            }
        }
    };
}

numbered! {
    /// A firm's file (一户一档): `F17` is the seventeenth that was opened.
    FirmId, "F"
}
numbered! {
    /// A referral (移送): `R17` is the seventeenth that was sent.
    ReferralId, "R"
}

/// A text that is no number of a firm or referral.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a letter and a number, such as F17 or R17")]
pub struct NotANumber;

/// What a firm is found by: its unified social credit code, else its name where it is registered, for its name is
/// approved before it has a code.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FirmKey {
    /// Unified social credit code (统一社会信用代码), in capitals.
    Uscc(String),
    /// Where it is registered, and its name as [`comparable`] writes it.
    Name(Region, String),
}

/// A name as names are compared: compatibility forms, case and blanks make no difference.
#[must_use]
pub fn comparable(name: &str) -> String {
    name.nfkc().filter(|c| !c.is_whitespace() && !c.is_control()).flat_map(char::to_lowercase).collect()
}

/// A request that was answered: who asked, and the id it gave.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestKey {
    /// The identity.
    pub identity: String,
    /// Its id for the request.
    pub id: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_one_way() {
        assert_eq!("F17".parse(), Ok(FirmId(17)));
        assert_eq!(ReferralId(4_294_967_295).to_string().parse(), Ok(ReferralId(4_294_967_295)));
        for bad in ["", "F", "17", "F017", "F0", "f17", "R17", "F-1", "F+1", "F４", "F4294967296"] {
            assert_eq!(bad.parse::<FirmId>(), Err(NotANumber), "{bad}");
        }
    }

    #[test]
    fn names_are_compared_without_regard_to_width_case_and_blanks() {
        for same in ["某地Abc（集团）有限公司", "某地ABC(集团)有限公司", " 某地ａｂｃ ( 集团 )　有限公司"] {
            assert_eq!(comparable(same), "某地abc(集团)有限公司");
        }
        assert_ne!(comparable("某地甲有限公司"), comparable("某地乙有限公司"));
    }
}
