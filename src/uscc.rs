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

/// The value of each ASCII character, [`NONE`] where it has none. Registers have millions of codes: each is looked up.
const VALUES: [u8; 128] = {
    let mut values = [NONE; 128];
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

/// Checks a code by its 18th character.
///
/// # Errors
/// What is wrong with it.
pub fn check(code: &str) -> Result<(), UsccError> {
    let length = if code.is_ascii() { code.len() } else { code.chars().count() };
    if length != 18 {
        return Err(UsccError::Length(length));
    }
    let mut values = [0; 18];
    for (value, c) in values.iter_mut().zip(code.chars()) {
        *value = self::value(c)?;
    }
    // weights 3^(i-1) mod 31, GB 32100-2015 section 5
    let (sum, _) = values[..17].iter().fold((0, 1), |(sum, weight), value| (sum + value * weight, weight * 3 % 31));
    let expected = (31 - sum % 31) % 31;
    if values[17] == expected {
        return Ok(());
    }
    Err(UsccError::CheckDigit { expected: char::from(ALPHABET[expected]), found: char::from(ALPHABET[values[17]]) })
}

fn value(c: char) -> Result<usize, UsccError> {
    let value = VALUES.get(c as usize).copied().filter(|value| *value != NONE);
    value.map(usize::from).ok_or(UsccError::Character(c))
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
    }
}
