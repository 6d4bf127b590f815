//! From what went wrong to a gRPC status: the only table.

use tonic::Status;
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use crate::wire::Violation;

/// A message that is no protobuf message of its type.
pub(super) fn undecodable(error: &prost::DecodeError) -> Status {
    bad_request(vec![Violation { field: String::new(), message: error.to_string() }])
}

/// A request with fields that cannot be accepted.
pub(crate) fn bad_request(violations: Vec<Violation>) -> Status {
    let summary: Vec<String> = violations.iter().map(ToString::to_string).collect();
    let message = summary.join("; ");
    let violations: Vec<FieldViolation> =
        violations.into_iter().map(|violation| FieldViolation::new(violation.field, violation.message)).collect();
    // the status travels in a header: the details name every field, the message is kept short
    let short: String = message.chars().take(400).collect();
    Status::with_error_details(tonic::Code::InvalidArgument, short, ErrorDetails::with_bad_request(violations))
}

/// A worker that died: a bug in the engine, said as what it is.
pub(super) fn worker_died() -> Status {
    Status::internal("the worker that screened this batch failed")
}
