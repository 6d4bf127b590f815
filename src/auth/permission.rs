//! RPC × role (接口权限): the one table. What it does not name is refused.

use crate::set::Set;

use super::Role;

/// A method of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Method {
    /// Its path: `/package.Service/Method`.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    /// Whether it may go on for as long as the caller listens.
    pub streams: bool,
}

/// Who may call a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everyone, without an identity.
    Open,
    /// An identity with one of these roles.
    Roles(&'static [Role]),
}

impl Access {
    /// Whether an identity with these roles may call.
    #[must_use]
    pub fn admits(self, roles: Set<Role>) -> bool {
        match self {
            Self::Open => true,
            Self::Roles(admitted) => admitted.iter().any(|role| roles.contains(*role)),
        }
    }
}

const ALL: Access = Access::Roles(Role::ALL);
const SCREEN: Access = Access::Roles(&[Role::Registrar, Role::Auditor]);
const STEWARD: Access = Access::Roles(&[Role::Steward]);

const READ: Access = Access::Roles(&[Role::Registrar, Role::Finance, Role::Auditor]);
const REGISTRAR: Access = Access::Roles(&[Role::Registrar]);
const CHANGE: Access = Access::Roles(&[Role::Registrar, Role::Finance]);
const FINANCE: Access = Access::Roles(&[Role::Finance]);
const HAND_OVER: Access = Access::Roles(&[Role::Finance, Role::Auditor]);
const AUDITOR: Access = Access::Roles(&[Role::Auditor]);

const fn call(path: &'static str, access: Access) -> Method {
    Method { path, access, streams: false }
}

const fn stream(path: &'static str, access: Access) -> Method {
    Method { path, access, streams: true }
}

/// Every method, in the order of the documents.
pub const METHODS: &[Method] = &[
    call("/mingcha.v1.ScreeningService/Screen", SCREEN),
    call("/mingcha.v1.ScreeningService/BatchScreen", SCREEN),
    stream("/mingcha.v1.ScreeningService/ScreenStream", SCREEN),
    call("/mingcha.v1.WordlistService/ListInstruments", ALL),
    call("/mingcha.v1.WordlistService/GetInstrument", ALL),
    call("/mingcha.v1.WordlistService/FindTerm", ALL),
    call("/mingcha.v1.WordlistService/Validate", STEWARD),
    call("/mingcha.v1.WordlistService/Preview", STEWARD),
    call("/mingcha.v1.WordlistService/Reload", STEWARD),
    call("/mingcha.v1.WatchListService/RecordScreening", REGISTRAR),
    call("/mingcha.v1.WatchListService/Open", CHANGE),
    call("/mingcha.v1.WatchListService/Link", CHANGE),
    call("/mingcha.v1.WatchListService/AddEvidence", CHANGE),
    call("/mingcha.v1.WatchListService/Overrule", REGISTRAR),
    call("/mingcha.v1.WatchListService/UpdateEntry", CHANGE),
    call("/mingcha.v1.WatchListService/Revoke", REGISTRAR),
    call("/mingcha.v1.WatchListService/Get", READ),
    call("/mingcha.v1.WatchListService/List", READ),
    call("/mingcha.v1.WatchListService/Count", READ),
    stream("/mingcha.v1.WatchListService/Watch", READ),
    call("/mingcha.v1.WatchListService/GetFile", READ),
    call("/mingcha.v1.ReferralService/List", HAND_OVER),
    call("/mingcha.v1.ReferralService/Receive", FINANCE),
    call("/mingcha.v1.ReferralService/Accept", FINANCE),
    call("/mingcha.v1.ReferralService/Conclude", FINANCE),
    call("/mingcha.v1.ReferralService/Return", FINANCE),
    call("/mingcha.v1.ReferralService/Redirect", CHANGE),
    call("/mingcha.v1.ReferralService/Escalate", FINANCE),
    stream("/mingcha.v1.ReferralService/Stream", HAND_OVER),
    call("/mingcha.v1.ReferralService/Reconcile", HAND_OVER),
    call("/mingcha.v1.JournalService/GetHead", AUDITOR),
    stream("/mingcha.v1.JournalService/Backup", AUDITOR),
    call("/mingcha.v1.RescreenService/StartRescreen", REGISTRAR),
    stream("/mingcha.v1.RescreenService/UploadRescreen", REGISTRAR),
    stream("/mingcha.v1.RescreenService/ReadOutput", REGISTRAR),
    call("/google.longrunning.Operations/ListOperations", SCREEN),
    call("/google.longrunning.Operations/GetOperation", SCREEN),
    stream("/google.longrunning.Operations/WaitOperation", SCREEN),
    call("/google.longrunning.Operations/CancelOperation", REGISTRAR),
    call("/google.longrunning.Operations/DeleteOperation", REGISTRAR),
    call("/grpc.health.v1.Health/Check", Access::Open),
    stream("/grpc.health.v1.Health/Watch", Access::Open),
    stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", ALL),
    stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", ALL),
];

/// The method with this path.
#[must_use]
pub fn method(path: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.path == path)
}
