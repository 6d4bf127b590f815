//! Page tokens (分页令牌): opaque, bound to what was asked, so that a page goes on with the same list.

use prost::Message;
use sha2::{Digest, Sha256};
use tonic::Status;

use super::status;
use crate::{hex::Hex, wire::Violation};

/// How much of the hash of a question binds a token to it.
const BOUND: usize = 8;

/// What was asked: the request without its token and its size of page, in whose list the token is a place.
#[derive(Debug)]
pub(super) struct Question([u8; BOUND]);

impl Question {
    pub(super) fn of(request: &impl Message) -> Self {
        let hash = Sha256::digest(request.encode_to_vec());
        Self(std::array::from_fn(|index| hash[index]))
    }

    /// The token for what follows behind `number`; empty where nothing does.
    pub(super) fn token(&self, number: Option<u64>) -> String {
        let Some(number) = number else { return String::new() };
        format!("{}{}", Hex(&self.0), Hex(&number.to_be_bytes()))
    }

    /// The number that a token stands behind.
    pub(super) fn number(&self, token: &str) -> Result<Option<u64>, Status> {
        if token.is_empty() {
            return Ok(None);
        }
        let bad = |message: &str| status::bad_request(vec![Violation { field: "page_token".to_owned(), message: message.to_owned() }]);
        let (bound, number) =
            token.split_at_checked(BOUND * 2).filter(|(_, number)| number.len() == 16).ok_or_else(|| bad("not a page token"))?;
        let read = |text: &str| u64::from_str_radix(text, 16).map_err(|_| bad("not a page token"));
        let (bound, number) = (read(bound)?, read(number)?);
        if bound == u64::from_be_bytes(self.0) { Ok(Some(number)) } else { Err(bad("of another list: ask with the same fields")) }
    }
}

#[cfg(test)]
mod tests {
    use super::Question;
    use crate::wire::v1::WatchListServiceListRequest;

    #[test]
    fn a_token_is_good_for_its_question_only() {
        let asked = |page_size| WatchListServiceListRequest { page_size, ..Default::default() };
        let (question, other) = (Question::of(&asked(0)), Question::of(&asked(1)));
        assert_eq!(question.number(&question.token(Some(17))).expect("its own"), Some(17));
        assert_eq!(question.number("").expect("none"), None);
        assert_eq!(question.token(None), "");
        for bad in [other.token(Some(17)), "x".repeat(32), "é".repeat(16), "17".to_owned(), question.token(Some(1)) + "0"] {
            assert!(question.number(&bad).is_err(), "{bad}");
        }
    }
}
