//! The watch list and its referrals as messages.

mod fields;
mod read;
mod write;

pub use read::{
    Opened, addendum, bodies, conclusion, count_by, filter, link, noted, opened, overruled, page_size, places, redirected, referral_filter,
    revoked, source, until, updated,
};
pub use write::{Reader, counts, head, instant, overruled_of};
