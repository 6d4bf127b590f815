//! Unified social credit codes (统一社会信用代码), GB 32100-2015.

/// Digits and letters of the code, without I, O, S, V, Z, in the order of their values.
const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

/// What is wrong with a code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsccError {
    /// Not 18 characters.
    #[error("a unified social credit code has 18 characters, this has {0}")]
    Length(usize),
    /// A character outside the code's alphabet.
    #[error("'{0}' does not occur in unified social credit codes")]
    Character(char),
    /// The check digit is not what GB 32100-2015 computes.
    #[error("the check digit should be {expected}, not {found}")]
    CheckDigit {
        /// What the other characters demand.
        expected: char,
        /// What stands there.
        found: char,
    },
}

/// The value of each byte, [`NONE`] where it has none. Registers have millions of codes: each is looked up.
const VALUES: [u8; 256] = {
    let mut values = [NONE; 256];
    let mut value = 0;
    while (value as usize) < ALPHABET.len() {
        let letter = ALPHABET[value as usize];
        values[letter as usize] = value;
        values[letter.to_ascii_lowercase() as usize] = value;
        value += 1;
    }
    values
};
const NONE: u8 = u8::MAX;

/// The weights of the seventeen characters before the check digit: 3^(i-1) mod 31, GB 32100-2015 section 5.
const WEIGHTS: [u32; 17] = {
    let mut weights = [1; 17];
    let mut at = 1;
    while at < 17 {
        weights[at] = weights[at - 1] * 3 % 31;
        at += 1;
    }
    weights
};

/// Checks a code by its 18th character.
///
/// # Errors
/// What is wrong with it.
pub fn check(code: &str) -> Result<(), UsccError> {
    let Ok(bytes) = <&[u8; 18]>::try_from(code.as_bytes()) else { return Err(wrong(code)) };
    let found = VALUES[usize::from(bytes[17])];
    let (mut sum, mut all) = (0_u32, found);
    for (byte, weight) in bytes.iter().zip(WEIGHTS) {
        let value = VALUES[usize::from(*byte)];
        all |= value;
        sum = sum.wrapping_add(weight.wrapping_mul(u32::from(value))); // far below 2^32
    }
    if all == NONE {
        return Err(wrong(code)); // values have five bits
    }
    let expected = ((31 - sum % 31) % 31) as usize;
    let found = usize::from(found);
    if found == expected {
        return Ok(());
    }
    Err(UsccError::CheckDigit { expected: char::from(ALPHABET[expected]), found: char::from(ALPHABET[found]) })
}

/// A code in capitals, where it is one: a wrong check digit is the register's matter.
#[must_use]
pub fn code(text: &str) -> Option<String> {
    let usable = matches!(check(text), Ok(()) | Err(UsccError::CheckDigit { .. }));
    usable.then(|| text.to_ascii_uppercase())
}

/// What is wrong with a code that is no 18 characters with a value.
fn wrong(code: &str) -> UsccError {
    let length = code.chars().count();
    let odd = code.chars().find(|c| VALUES.get(*c as usize).is_none_or(|value| *value == NONE));
    odd.filter(|_| length == 18).map_or(UsccError::Length(length), UsccError::Character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_digit_follows_the_other_seventeen() {
        assert_eq!(check("91350100M000100Y43"), Ok(())); // the standard's own example
        assert_eq!(check("91350100m000100y43"), Ok(()));
        assert_eq!(check("91350100M000100Y44"), Err(UsccError::CheckDigit { expected: '3', found: '4' }));
        assert_eq!(check("9135"), Err(UsccError::Length(4)));
        assert_eq!(check("91350100M000100YI3"), Err(UsccError::Character('I')));
        assert_eq!(check("91350100M000100号"), Err(UsccError::Length(16))); // 18 bytes
        assert_eq!(check("91350100M000100Y４3"), Err(UsccError::Character('４')));
    }

    #[test]
    fn what_is_no_code_is_none() {
        for text in ["91350100m000100y43", "91350100M000100Y43"] {
            assert_eq!(code(text).as_deref(), Some("91350100M000100Y43"));
        }
        assert_eq!(code("91350100M000100Y44").as_deref(), Some("91350100M000100Y44")); // its check digit is wrong
        for text in ["440301102937392", "无", "", "91350100M000100YI3"] {
            assert_eq!(code(text), None, "{text}");
        }
    }
}
