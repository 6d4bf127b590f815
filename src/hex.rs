//! Bytes in hexadecimal (十六进制), as hashes are written.

use std::fmt;

/// Writes itself as two digits a byte, in lower case.
#[derive(Debug, Clone, Copy)]
pub struct Hex<'b>(pub &'b [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::Hex;

    #[test]
    fn two_digits_a_byte() {
        assert_eq!(Hex(&[0, 1, 0x7f, 0xff]).to_string(), "00017fff");
        assert_eq!(Hex(&[]).to_string(), "");
    }
}
