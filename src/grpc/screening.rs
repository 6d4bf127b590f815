//! `mingcha.v1.ScreeningService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::status;
use crate::{
    clock::today,
    day::Date,
    screen::Engine,
    wire::{
        Bases, Violation, respond, understand,
        v1::{BatchScreenRequest, BatchScreenResponse, ScreenRequest, ScreenResponse, screening_service_server::ScreeningService},
    },
};

/// Most requests in one batch.
pub const MOST_IN_A_BATCH: usize = 1000;
/// Most violations that are reported of one batch.
const MOST_VIOLATIONS: usize = 50;

/// Answers screening calls from one engine.
#[derive(Debug)]
pub struct Screening {
    engine: Arc<Engine>,
}

impl Screening {
    /// A service that answers from `engine`.
    #[must_use]
    pub fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }
}

#[tonic::async_trait]
impl ScreeningService for Screening {
    async fn screen(&self, request: Request<ScreenRequest>) -> Result<Response<ScreenResponse>, Status> {
        // some microseconds of work: cheaper done here than handed to another thread
        let understood = understand(request.into_inner(), &self.engine, today()).map_err(status::bad_request)?;
        let answer = self.engine.screen(&understood.firm);
        Ok(Response::new(respond(&understood, &answer, &self.engine, &mut Bases::Inline)))
    }

    async fn batch_screen(&self, request: Request<BatchScreenRequest>) -> Result<Response<BatchScreenResponse>, Status> {
        let engine = Arc::clone(&self.engine);
        let requests = request.into_inner().requests;
        let screened = tokio::task::spawn_blocking(move || batch(requests, &engine, today())).await;
        screened.map_err(|_| status::worker_died())?.map(Response::new).map_err(status::bad_request)
    }
}

fn batch(requests: Vec<ScreenRequest>, engine: &Engine, today: Date) -> Result<BatchScreenResponse, Vec<Violation>> {
    if requests.len() > MOST_IN_A_BATCH {
        let message = format!("{} requests; at most {MOST_IN_A_BATCH}", requests.len());
        return Err(vec![Violation { field: "requests".to_owned(), message }]);
    }
    let mut bases = Bases::shared();
    let mut responses = Vec::with_capacity(requests.len());
    let mut violations = Vec::new();
    for (index, request) in requests.into_iter().enumerate() {
        match understand(request, engine, today) {
            Ok(understood) => responses.push(respond(&understood, &engine.screen(&understood.firm), engine, &mut bases)),
            Err(more) => violations.extend(more.into_iter().map(|violation| in_batch(index, violation))),
        }
        if violations.len() > MOST_VIOLATIONS {
            break;
        }
    }
    if violations.is_empty() { Ok(BatchScreenResponse { responses, bases: bases.into_shared() }) } else { Err(violations) }
}

fn in_batch(index: usize, violation: Violation) -> Violation {
    Violation { field: format!("requests[{index}].{}", violation.field), message: violation.message }
}
