//! Why a caller is refused (拒绝): a closed list.

/// Declares the refusals once: reason, what the caller lacks, message.
macro_rules! refusals {
    ($($(#[$doc:meta])* $variant:ident = $reason:literal, $lacks:ident, $message:literal;)+) => {
        /// Why a caller is refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Refusal { $($(#[$doc])* $variant,)+ }

        impl Refusal {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its reason, as in `ErrorInfo` and in metrics.
            #[must_use]
            pub const fn reason(self) -> &'static str {
                match self { $(Self::$variant => $reason,)+ }
            }

            /// What the caller lacks.
            #[must_use]
            pub const fn refused(self) -> Refused {
                match self { $(Self::$variant => Refused::$lacks,)+ }
            }

            /// For people.
            #[must_use]
            pub const fn message(self) -> &'static str {
                match self { $(Self::$variant => $message,)+ }
            }
        }

        impl crate::set::Member for Refusal {
            const ALL: &'static [Self] = Self::ALL;

            fn id(self) -> &'static str {
                self.reason()
            }

            fn place(self) -> u32 {
                self as u32
            }
        }
    };
}

/// What a refused caller lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// An identity.
    Unknown,
    /// A permission.
    Unpermitted,
    /// A method to call.
    Absent,
}

refusals! {
    /// Neither a certificate nor a token.
    NoCredentials = "NO_CREDENTIALS", Unknown, "a client certificate or a bearer token is needed";
    /// The certificate's names are nobody's.
    CertificateUnknown = "CERTIFICATE_UNKNOWN", Unknown, "no identity goes by a name of this certificate";
    /// The token is nobody's.
    TokenUnknown = "TOKEN_UNKNOWN", Unknown, "no identity goes by this token";
    /// The authorization header is not one bearer token.
    NotBearer = "NOT_BEARER", Unknown, "the authorization header must be one 'Bearer TOKEN'";
    /// A token on a connection that is not encrypted.
    TokenInPlainText = "TOKEN_IN_PLAIN_TEXT", Unknown, "tokens are taken over TLS only; whoever listened has this one now: replace it";
    /// The certificate is one identity's, the token another's.
    TwoIdentities = "TWO_IDENTITIES", Unknown, "the certificate and the token are of different identities";
    /// None of the identity's roles admits to the method.
    RoleMissing = "ROLE_MISSING", Unpermitted, "none of the caller's roles admits to this method";
    /// The place is outside of the identity's regions.
    RegionOutside = "REGION_OUTSIDE", Unpermitted, "the place is outside of the caller's regions";
    /// The body is not the one that the identity acts for.
    BodyOther = "BODY_OTHER", Unpermitted, "the caller does not act for this body";
    /// The service has no such method.
    NoSuchMethod = "NO_SUCH_METHOD", Absent, "there is no such method";
}
