//! The wire (接口): the only module that maps protobuf to domain types and back.

pub mod json;
mod request;
pub(crate) mod rescreen;
mod rescreened;
mod response;
pub mod watch;
mod wordlist;

use std::sync::LazyLock;

use prost_reflect::{DescriptorError, DescriptorPool};

use crate::set::Member;

pub(crate) use request::day_in;
pub use request::{Understood, Violation, understand};
pub(crate) use rescreened::{answered, rescreened};
pub(crate) use response::licence;
pub use response::{Bases, respond};
pub use wordlist::{Draft, InstrumentFilter, draft, instrument_filter, instrument_in_full, instruments, problems, term};

/// What is generated from `proto/`, in the modules by which it refers to itself.
#[allow(missing_docs, clippy::pedantic, clippy::unwrap_used, clippy::expect_used, unreachable_pub)]
mod generated {
    pub mod google {
        pub mod longrunning {
            include!(concat!(env!("OUT_DIR"), "/google.longrunning.rs"));
        }
    }
    pub mod mingcha {
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/mingcha.v1.rs"));
            include!(concat!(env!("OUT_DIR"), "/mingcha.v1.serde.rs"));
        }
    }
}

/// Messages generated from `proto/google/longrunning`: long-running operations.
pub use generated::google::longrunning;
/// Messages generated from `proto/mingcha/v1`, with their JSON mapping.
pub use generated::mingcha::v1;

/// The encoded descriptor set of `proto/`, with options and comments: for server reflection and the HTTP edge.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.binpb"));

/// What [`DESCRIPTORS`] say, read once.
///
/// # Errors
/// [`DescriptorError`] where they cannot be read: the build is broken.
pub fn descriptors() -> Result<&'static DescriptorPool, &'static DescriptorError> {
    static POOL: LazyLock<Result<DescriptorPool, DescriptorError>> = LazyLock::new(|| DescriptorPool::decode(DESCRIPTORS));
    POOL.as_ref()
}

/// The number of a vocabulary's value in its protobuf enum: enums list the same values in the same order, after
/// `UNSPECIFIED`.
pub(crate) fn number<T: Member>(value: T) -> i32 {
    i32::try_from(value.place()).unwrap_or(0) + 1 // a vocabulary has at most 32 values
}

/// The value of a vocabulary with a protobuf enum's number.
pub(crate) fn member<T: Member>(number: i32) -> Option<T> {
    let place = usize::try_from(number).ok()?.checked_sub(1)?;
    T::ALL.get(place).copied()
}

#[cfg(test)]
mod tests {
    use super::{number, v1};
    use crate::vocabulary::{BusinessField, Decision, EntityKind, Event, Field, Force, LicenceKind, Miss, Wording};

    macro_rules! mirrors {
        ($test:ident, $vocabulary:ident, $prefix:literal) => {
            #[test]
            fn $test() {
                for value in $vocabulary::ALL {
                    let mirror = v1::$vocabulary::try_from(number(*value)).expect("no such number in the protobuf enum");
                    let name = value.id().to_ascii_uppercase().replace('-', "_");
                    assert_eq!(mirror.as_str_name(), format!("{}_{name}", $prefix));
                }
                let beyond = i32::try_from($vocabulary::ALL.len()).expect("few values") + 1;
                assert!(v1::$vocabulary::try_from(beyond).is_err(), "the protobuf enum has values that the vocabulary lacks");
            }
        };
    }

    mirrors!(business_fields, BusinessField, "BUSINESS_FIELD");
    mirrors!(decisions, Decision, "DECISION");
    mirrors!(entity_kinds, EntityKind, "ENTITY_KIND");
    mirrors!(events, Event, "EVENT");
    mirrors!(fields, Field, "FIELD");
    mirrors!(forces, Force, "FORCE");
    mirrors!(licence_kinds, LicenceKind, "LICENCE_KIND");
    mirrors!(misses, Miss, "MISS");
    mirrors!(wordings, Wording, "WORDING");
}
