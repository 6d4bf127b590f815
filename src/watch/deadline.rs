//! Deadlines (办理时限), counted in Chinese working days (工作日). They are configuration, not law.

use super::ReferralState;
use crate::{
    calendar::{Calendar, UnknownYear},
    day::Date,
};

/// How many working days a body has for each step of a referral.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// To receive it.
    pub receive: u16,
    /// To accept it, once received.
    pub accept: u16,
    /// To conclude, once accepted.
    pub conclude: u16,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { receive: 2, accept: 5, conclude: 20 }
    }
}

impl Deadlines {
    /// The last day for what follows a state that a referral came to on `day`. None where nothing must follow.
    ///
    /// # Errors
    /// [`UnknownYear`] where the calendar does not reach so far.
    pub fn after(&self, state: ReferralState, day: Date, calendar: &Calendar) -> Result<Option<Date>, UnknownYear> {
        let days = match state {
            ReferralState::Sent => self.receive,
            ReferralState::Received => self.accept,
            ReferralState::Accepted => self.conclude,
            ReferralState::Concluded | ReferralState::Returned => return Ok(None),
        };
        calendar.after(day, days).map(Some)
    }
}
