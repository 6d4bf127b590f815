//! RPC × role (接口权限): the one table. What it does not name is refused.

use crate::set::Set;

use super::Role;

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

const ALL: Access = Access::Roles(&[Role::Registrar, Role::Finance, Role::Steward, Role::Auditor]);
const SCREEN: Access = Access::Roles(&[Role::Registrar, Role::Auditor]);
const STEWARD: Access = Access::Roles(&[Role::Steward]);

/// Every method, by its path, in the order of the documents.
pub const METHODS: &[(&str, Access)] = &[
    ("/mingcha.v1.ScreeningService/Screen", SCREEN),
    ("/mingcha.v1.ScreeningService/BatchScreen", SCREEN),
    ("/mingcha.v1.WordlistService/ListInstruments", ALL),
    ("/mingcha.v1.WordlistService/GetInstrument", ALL),
    ("/mingcha.v1.WordlistService/FindTerm", ALL),
    ("/mingcha.v1.WordlistService/Validate", STEWARD),
    ("/mingcha.v1.WordlistService/Preview", STEWARD),
    ("/mingcha.v1.WordlistService/Reload", STEWARD),
    ("/grpc.health.v1.Health/Check", Access::Open),
    ("/grpc.health.v1.Health/Watch", Access::Open),
    ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", ALL),
    ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", ALL),
];

/// Who may call the method with this path; `None` where there is no such method.
#[must_use]
pub fn access(path: &str) -> Option<Access> {
    METHODS.iter().find(|(method, _)| *method == path).map(|(_, access)| *access)
}
