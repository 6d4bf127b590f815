//! A batch (批量): its firms are screened part by part, by as many workers as are free, and answered as if by one.

use std::sync::Arc;

use futures_util::future::try_join_all;
use tonic::Status;

use super::{
    desk::Desk,
    screening::{Examiner, Refused, too_many},
    status,
};
use crate::{
    server::workers::Cancelled,
    wire::{
        Bases, Violation,
        v1::{BatchScreenResponse, ScreenRequest, ScreenResponse},
    },
};

/// Most violations that are reported of one batch.
const MOST_VIOLATIONS: usize = 50;
/// Fewest firms that are worth a worker of their own: they take it a millisecond or so.
const FEWEST: usize = 100;

/// Screens the firms, in order.
pub(super) async fn screen(
    desk: &Desk,
    examiner: Arc<Examiner>,
    requests: Vec<ScreenRequest>,
    lists_hash: String,
) -> Result<BatchScreenResponse, Status> {
    too_many("requests", requests.len())?;
    let lists_hash: Arc<str> = lists_hash.into();
    let parts = parts(requests, desk.workers.count()).into_iter().map(|(first, requests)| {
        let (examiner, lists_hash) = (Arc::clone(&examiner), Arc::clone(&lists_hash));
        desk.work(move |cancelled| Part::screened(&examiner, first, requests, &lists_hash, cancelled))
    });
    let mut parts = try_join_all(parts).await?.into_iter();
    let first = parts.next().unwrap_or_else(|| Ok(Part::default()))?;
    parts.try_fold(first, |whole, part| Ok::<_, Status>(whole.with(part?)))?.answered()
}

/// The firms in parts of much the same length, each with the number of its first firm.
fn parts(mut requests: Vec<ScreenRequest>, most: usize) -> Vec<(usize, Vec<ScreenRequest>)> {
    let count = (requests.len() / FEWEST).clamp(1, most.max(1));
    let each = requests.len().div_ceil(count);
    let mut parts: Vec<_> = (1..count).rev().map(|part| (part * each, requests.split_off(part * each))).collect();
    parts.push((0, requests));
    parts.reverse();
    parts
}

/// The answers to some firms of a batch, or what is wrong with them.
struct Part {
    responses: Vec<ScreenResponse>,
    bases: Bases,
    violations: Vec<Violation>,
}

impl Default for Part {
    fn default() -> Self {
        Self { responses: Vec::new(), bases: Bases::shared(), violations: Vec::new() }
    }
}

impl Part {
    /// Screens the firms from number `first` on.
    fn screened(
        examiner: &Examiner,
        first: usize,
        requests: Vec<ScreenRequest>,
        lists_hash: &str,
        cancelled: &Cancelled,
    ) -> Result<Self, Status> {
        let mut part = Self { responses: Vec::with_capacity(requests.len()), ..Self::default() };
        for (index, request) in (first..).zip(requests) {
            if cancelled.is_cancelled() {
                return Err(status::too_late());
            }
            let path = |field: &str| format!("requests[{index}].{field}");
            if !request.lists_hash.is_empty() && request.lists_hash != lists_hash {
                let message = "in a batch it is empty or that of the batch".to_owned();
                part.violations.push(Violation { field: path("lists_hash"), message });
                continue;
            }
            match examiner.one(request, &mut part.bases, &path) {
                Ok(response) => part.responses.push(response),
                Err(Refused::Outside(status)) => return Err(status),
                Err(Refused::Violations(more)) => part.violations.extend(more.into_iter().map(|violation| violation.within(&path))),
            }
            if part.violations.len() > MOST_VIOLATIONS {
                break;
            }
        }
        Ok(part)
    }

    /// This part and the one behind it.
    fn with(mut self, mut next: Self) -> Self {
        self.bases.take_in(next.bases, &mut next.responses);
        self.responses.append(&mut next.responses);
        self.violations.append(&mut next.violations);
        self
    }

    fn answered(self) -> Result<BatchScreenResponse, Status> {
        if self.violations.is_empty() {
            return Ok(BatchScreenResponse { responses: self.responses, bases: self.bases.into_shared() });
        }
        Err(status::bad_request(self.violations))
    }
}

#[cfg(test)]
mod tests {
    use super::{FEWEST, parts};
    use crate::wire::v1::ScreenRequest;

    #[test]
    fn parts_are_all_firms_in_order() {
        for (firms, most) in [(0, 4), (1, 4), (FEWEST - 1, 4), (2 * FEWEST, 4), (999, 4), (1000, 3), (1000, 1), (1000, 64), (350, 0)] {
            let named = |number: usize| ScreenRequest { name: number.to_string(), ..ScreenRequest::default() };
            let parts = parts((0..firms).map(named).collect(), most);
            assert!(parts.len() <= most.max(1));
            let all: Vec<_> = parts.iter().flat_map(|(first, part)| (*first..).zip(part)).collect();
            assert!(all.iter().all(|(number, firm)| firm.name == number.to_string()), "{firms} firms in {most} parts");
            assert_eq!(all.len(), firms);
        }
    }
}
