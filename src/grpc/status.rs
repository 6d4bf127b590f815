//! From what went wrong to a gRPC status: the only table.

use std::{collections::HashMap, io, time::Duration};

use http::HeaderMap;
use prost::Message;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, PreconditionViolation, StatusExt, pb};

use crate::{
    auth::{Access, Identity, Refusal, Refused, Role, method},
    journal::JournalError,
    jurisdiction::Region,
    library::{ReloadError, versions::VersionError},
    office::OfficeError,
    operations::{
        BadPath, DeleteError, StartError,
        folder::PathError,
        record::{Failure, FailureKind},
        written::ReadError,
    },
    problem::{Problem, Problems},
    watch::decide,
    wire::Violation,
};

/// The domain of every reason in an `ErrorInfo`.
const DOMAIN: &str = "mingcha";
/// When a call that found no place should come again.
const COME_AGAIN: Duration = Duration::from_millis(250);

/// Longest message, in characters: a status travels in a header.
const MESSAGE: usize = 400;
/// Most room for what is wrong, in bytes, for the same reason.
const PROBLEMS: usize = 4 << 10;

/// The first of these, as many as a header holds, by how many bytes each takes.
fn fitting<T>(all: impl Iterator<Item = T>, size: impl Fn(&T) -> usize) -> impl Iterator<Item = T> {
    let mut room = PROBLEMS;
    all.take_while(move |one| {
        room = room.saturating_sub(size(one));
        room > 0
    })
}

/// A message that is no protobuf message of its type.
pub(crate) fn undecodable(error: &prost::DecodeError) -> Status {
    bad_request(vec![Violation { field: String::new(), message: error.to_string() }])
}

/// A request with more fields than any in good faith has.
pub(crate) fn too_many_fields(most: usize) -> Status {
    bad_request(vec![Violation { field: String::new(), message: format!("more than {most} fields") }])
}

/// A request with fields that cannot be accepted.
pub(crate) fn bad_request(violations: Vec<Violation>) -> Status {
    let summary: Vec<String> = violations.iter().map(ToString::to_string).collect();
    let message = summary.join("; ");
    let fit = fitting(violations.into_iter(), |violation| violation.field.len() + violation.message.len() + 8);
    let violations: Vec<FieldViolation> = fit.map(|violation| FieldViolation::new(violation.field, violation.message)).collect();
    // the status travels in a header: the details name as many fields as it holds, the message is kept short
    let short: String = message.chars().take(MESSAGE).collect();
    Status::with_error_details(tonic::Code::InvalidArgument, short, ErrorDetails::with_bad_request(violations))
}

/// A version of the lists that is not to be had.
pub(crate) fn no_version(error: &VersionError, field: &str) -> Status {
    if let VersionError::NoHash(_) = error {
        return bad_request(vec![Violation { field: field.to_owned(), message: error.to_string() }]);
    }
    let message: String = error.to_string().chars().take(MESSAGE).collect();
    let details = ErrorDetails::with_precondition_failure_violation("LISTS_HASH", field, message.clone());
    Status::with_error_details(Code::FailedPrecondition, message, details)
}

/// Lists that cannot be used: every problem, as far as a header holds them.
pub(crate) fn bad_lists(problems: &Problems) -> Status {
    let all = problems.list();
    let fit = fitting(all.iter(), |problem| problem.file.len() + problem.message.len() + 64);
    let shown: Vec<PreconditionViolation> = fit.map(problem).collect();
    let left_out = all.len() - shown.len();
    let more = if left_out == 0 { String::new() } else { format!("; {left_out} of them are not shown here: see `mingcha lists check`") };
    let message = format!("the lists have {} problems{more}", all.len());
    Status::with_error_details(Code::FailedPrecondition, message, ErrorDetails::with_precondition_failure(shown))
}

fn problem(problem: &Problem) -> PreconditionViolation {
    let message: String = problem.message.chars().take(MESSAGE).collect();
    PreconditionViolation::new("WORDLIST", format!("{}:{}", problem.file, problem.line), message)
}

/// Lists that were not renewed.
pub(crate) fn not_reloaded(error: &ReloadError) -> Status {
    match error {
        ReloadError::Problems(problems) => bad_lists(problems),
        ReloadError::NoFolder => Status::failed_precondition(error.to_string()),
        ReloadError::Keep(_) => Status::unavailable(error.to_string()),
    }
}

/// Something that is not there.
pub(crate) fn not_found(what: &str, name: &str) -> Status {
    let shown: String = name.chars().take(80).collect();
    Status::not_found(format!("there is no {what} '{}'", shown.escape_debug()))
}

/// A caller that may not call this method.
pub(crate) fn refused(refusal: Refusal, path: &str, identity: Option<&Identity>) -> Status {
    let mut metadata = HashMap::from([("method".to_owned(), path.chars().take(200).collect())]);
    if let Some(identity) = identity {
        metadata.insert("identity".to_owned(), identity.id.clone());
    }
    if let (Refusal::RoleMissing, Some(Access::Roles(roles))) = (refusal, method(path).map(|method| method.access)) {
        metadata.insert("roles".to_owned(), roles.iter().map(|role| role.id()).collect::<Vec<_>>().join(" "));
    }
    refusal_status(refusal, "", metadata)
}

/// A caller that may not act in this place.
pub(crate) fn region_outside(identity: &Identity, region: Region, field: &str) -> Status {
    let regions: Vec<String> = identity.regions.iter().map(ToString::to_string).collect();
    let metadata = HashMap::from([
        ("identity".to_owned(), identity.id.clone()),
        ("region".to_owned(), region.to_string()),
        ("regions".to_owned(), regions.join(" ")),
        ("field".to_owned(), field.to_owned()),
    ]);
    refusal_status(Refusal::RegionOutside, &format!("{field}: {region}: "), metadata)
}

fn refusal_status(refusal: Refusal, before: &str, metadata: HashMap<String, String>) -> Status {
    let code = match refusal.refused() {
        Refused::Unknown => Code::Unauthenticated,
        Refused::Unpermitted => Code::PermissionDenied,
        Refused::Absent => Code::Unimplemented,
    };
    let details = ErrorDetails::with_error_info(refusal.reason(), DOMAIN, metadata);
    Status::with_error_details(code, format!("{before}{}", refusal.message()), details)
}

/// No place for a call: it should come again.
pub(crate) fn overloaded() -> Status {
    let mut details = ErrorDetails::with_retry_info(Some(COME_AGAIN));
    details.set_error_info("OVERLOADED", DOMAIN, HashMap::new());
    Status::with_error_details(Code::ResourceExhausted, "too many calls at a time: come again", details)
}

/// A service without a data folder.
pub(crate) fn no_office() -> Status {
    Status::failed_precondition("this service keeps no watch list: no data folder is configured (data)")
}

/// A service that stops: the call should go to another, or come again.
pub(crate) fn stopping() -> Status {
    come_again("STOPPING", "the service is stopping: call again, from where you are")
}

fn come_again(reason: &str, message: impl Into<String>) -> Status {
    come_again_with(Code::Unavailable, reason, message)
}

fn come_again_with(code: Code, reason: &str, message: impl Into<String>) -> Status {
    let mut details = ErrorDetails::with_retry_info(Some(COME_AGAIN));
    details.set_error_info(reason, DOMAIN, HashMap::new());
    Status::with_error_details(code, message, details)
}

/// A record that cannot be read as what it is: a mistake in the service, or another's journal.
pub(crate) fn unreadable_record() -> Status {
    Status::internal("a record cannot be read as what it is")
}

/// A change that the caller's roles do not admit to.
pub(crate) fn role_missing(identity: &Identity, role: Role) -> Status {
    let metadata = HashMap::from([("identity".to_owned(), identity.id.clone()), ("roles".to_owned(), role.id().to_owned())]);
    refusal_status(Refusal::RoleMissing, "", metadata)
}

/// A caller that acts for another body, or for none.
pub(crate) fn body_other(identity: &Identity, body: &str) -> Status {
    let own = identity.body.map(|body| body.to_string()).unwrap_or_default();
    let metadata =
        HashMap::from([("identity".to_owned(), identity.id.clone()), ("body".to_owned(), body.to_owned()), ("own".to_owned(), own)]);
    refusal_status(Refusal::BodyOther, "", metadata)
}

/// What the office did not do.
pub(crate) fn office(error: &OfficeError) -> Status {
    let message = error.to_string();
    match error {
        OfficeError::Refused(refused) => decided(refused, &message),
        OfficeError::RequestIdUsed(_) => with_reason(Code::AlreadyExists, "REQUEST_ID_USED", &message),
        OfficeError::Rebuilding => come_again("INDEX_REBUILDING", message),
        OfficeError::Lagging => come_again("INDEX_LAGGING", message),
        OfficeError::Stopping => stopping(),
        OfficeError::Journal(error) if matches!(**error, JournalError::TooLong { .. }) => Status::invalid_argument(message),
        OfficeError::Journal(_) => with_reason(Code::Unavailable, "JOURNAL_FAILED", &message),
        OfficeError::Store(_) => come_again("INDEX_DAMAGED", message),
    }
}

/// A service without a folder of registers.
pub(crate) fn no_operations() -> Status {
    let message = "this service re-screens no registers: no folder of them is configured (rescreen.folder, with data)";
    with_reason(Code::FailedPrecondition, "NO_REGISTERS", message)
}

/// Why an operation is not started.
pub(crate) fn not_started(error: &StartError) -> Status {
    match error {
        StartError::Paths(paths) => bad_paths(paths),
        StartError::Taken(_) => with_reason(Code::AlreadyExists, "OUTPUT_TAKEN", &error.to_string()),
        StartError::Full => come_again_with(Code::ResourceExhausted, "OPERATIONS_FULL", error.to_string()),
        StartError::Stopping => stopping(),
        StartError::Keep(error) => not_written(error),
    }
}

/// Paths that are not accepted: something that is there already is another's, all else is a bad request.
pub(crate) fn bad_paths(paths: &[BadPath]) -> Status {
    if let [BadPath { error: PathError::Exists(_), .. }] = paths {
        return with_reason(Code::AlreadyExists, "EXISTS", &paths[0].to_string());
    }
    bad_request(paths.iter().map(|path| Violation { field: path.field.clone(), message: path.error.to_string() }).collect())
}

/// What could not be written to the disk.
pub(crate) fn not_written(error: &io::Error) -> Status {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            with_reason(Code::ResourceExhausted, "DISK_FULL", "there is no room on the disk of the service")
        }
        io::ErrorKind::AlreadyExists => with_reason(Code::AlreadyExists, "EXISTS", "something is there already"),
        _ => with_reason(Code::Unavailable, "DISK_FAILED", &format!("it cannot be written: {error}")),
    }
}

/// An operation of another.
pub(crate) fn not_the_owner() -> Status {
    with_reason(Code::PermissionDenied, "NOT_THE_OWNER", "only the identity that started an operation may do this")
}

/// An operation that goes on.
pub(crate) fn not_ended(error: &DeleteError) -> Status {
    match error {
        DeleteError::GoesOn => with_reason(Code::FailedPrecondition, "STATE", &error.to_string()),
        DeleteError::Keep(error) => not_written(error),
    }
}

/// An output that cannot be read.
pub(crate) fn not_read(error: &ReadError) -> Status {
    match error {
        ReadError::NotDone => with_reason(Code::FailedPrecondition, "STATE", &error.to_string()),
        ReadError::Gone => with_reason(Code::NotFound, "OUTPUT_GONE", &error.to_string()),
        ReadError::Changed => with_reason(Code::FailedPrecondition, "OUTPUT_CHANGED", &error.to_string()),
        ReadError::Behind(_) => Status::out_of_range(error.to_string()),
        ReadError::Io(_) => with_reason(Code::Unavailable, "DISK_FAILED", &error.to_string()),
    }
}

/// Why an operation failed, as its result.
pub(crate) fn failed(failure: &Failure) -> Status {
    let (code, reason) = match failure.kind {
        FailureKind::Input => (Code::InvalidArgument, "INPUT"),
        FailureKind::Changed => (Code::FailedPrecondition, "CHANGED"),
        FailureKind::NoRoom => (Code::ResourceExhausted, "DISK_FULL"),
        FailureKind::Disk => (Code::Unavailable, "DISK_FAILED"),
        FailureKind::Unrecorded => (Code::Aborted, "UNRECORDED"),
        FailureKind::NotPermitted => (Code::PermissionDenied, "NOT_PERMITTED"),
        FailureKind::Internal => (Code::Internal, "INTERNAL"),
    };
    with_reason(code, reason, &failure.message)
}

/// An operation that was cancelled, as its result.
pub(crate) fn cancelled() -> Status {
    with_reason(Code::Cancelled, "CANCELLED", "the operation was cancelled")
}

/// Why a command changes nothing.
fn decided(refused: &decide::Refused, message: &str) -> Status {
    use decide::Refused as Why;
    let (code, reason) = match refused {
        Why::NoFirm | Why::NoReferral => (Code::NotFound, "NOT_FOUND"),
        Why::Changed { .. } => (Code::Aborted, "ETAG"),
        Why::Outside(_) | Why::NotTheBody(_) | Why::RoleMissing(_) => (Code::PermissionDenied, "NOT_PERMITTED"),
        Why::Joined(_) => (Code::FailedPrecondition, "FILE_JOINED"),
        Why::NotWatched => (Code::FailedPrecondition, "NOT_WATCHED"),
        Why::NoSuchHit(_) => (Code::FailedPrecondition, "NO_SUCH_HIT"),
        Why::EntryStep { .. } | Why::ReferralStep { .. } => (Code::FailedPrecondition, "STATE"),
        Why::WentOn(_) | Why::Told(_) => (Code::FailedPrecondition, "TOLD_BEFORE"),
        Why::AtWork { .. } => (Code::FailedPrecondition, "AT_WORK"),
        Why::Full => (Code::ResourceExhausted, "FILE_FULL"),
        Why::NoneAbove(_) => (Code::FailedPrecondition, "NONE_ABOVE"),
        Why::NoDisagreement => (Code::FailedPrecondition, "NO_DISAGREEMENT"),
        Why::NotToBeRevoked => (Code::FailedPrecondition, "NOT_TO_BE_REVOKED"),
        Why::HasCode(_) => (Code::FailedPrecondition, "HAS_CODE"),
        Why::NoCalendar(_) => (Code::FailedPrecondition, "NO_CALENDAR"),
    };
    with_reason(code, reason, message)
}

fn with_reason(code: Code, reason: &str, message: &str) -> Status {
    let short: String = message.chars().take(MESSAGE).collect();
    Status::with_error_details(code, short, ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new()))
}

/// A client that sent nothing for too long.
pub(crate) fn idle() -> Status {
    Status::deadline_exceeded("nothing was sent for as long as a stream may be quiet (limits.idle)")
}

/// A client that took no answer for too long.
pub(crate) fn unread() -> Status {
    Status::deadline_exceeded("no answer was taken for as long as a stream may be quiet (limits.idle)")
}

/// A status as a message: with its details, where it has some.
pub(crate) fn message(status: &Status) -> pb::Status {
    let detailed = (!status.details().is_empty()).then(|| pb::Status::decode(status.details()).ok()).flatten();
    detailed.unwrap_or_else(|| pb::Status { code: status.code().into(), message: status.message().to_owned(), details: Vec::new() })
}

/// A call that took longer than it had.
pub(crate) fn too_late() -> Status {
    Status::deadline_exceeded("the deadline has passed; the work was stopped")
}

/// A deadline that cannot be read.
pub(crate) fn bad_deadline(why: &str) -> Status {
    Status::invalid_argument(format!("grpc-timeout: {why}"))
}

/// A handler that was reached without an identity: a mistake in how the service was put together, so nothing is done.
pub(crate) fn no_identity() -> Status {
    Status::internal("the caller was not identified")
}

/// A handler, or a worker of its, that panicked: a bug, said as what it is.
pub(crate) fn handler_died() -> Status {
    Status::internal("the call failed by a mistake in the service")
}

/// A status as the trailers of a body that has begun.
pub(crate) fn trailers(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    let _ = status.add_header(&mut trailers); // fails on a message that is no header; ours are
    trailers
}
