//! Who calls (身份): the identity behind a certificate or a token, and whether it may call this method.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, header::AUTHORIZATION};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::connection::Peer;
use crate::{
    auth::{Access, Identity, Refusal, SubjectName, TokenHash, method},
    grpc::status,
    telemetry::Metrics,
};

/// All who may call.
#[derive(Debug)]
pub enum Callers {
    /// Whoever does: nothing is configured, and the service listens on loopback only.
    Anyone(Arc<Identity>),
    /// These.
    Known(Vec<Arc<Identity>>),
}

impl Callers {
    /// From the configuration.
    #[must_use]
    pub fn new(identities: Option<Vec<Identity>>) -> Self {
        match identities {
            None => Self::Anyone(Arc::new(Identity::anyone())),
            Some(identities) => Self::Known(identities.into_iter().map(Arc::new).collect()),
        }
    }

    /// Who is behind a certificate's names and a token.
    fn identify(&self, peer: Option<&Peer>, headers: &HeaderMap) -> Result<&Arc<Identity>, Refusal> {
        let known = match self {
            Self::Anyone(identity) => return Ok(identity),
            Self::Known(known) => known,
        };
        let mut named = peer.into_iter().flat_map(|peer| peer.names.iter()).filter_map(|name| named(known, name));
        let by_name = named.next();
        if named.any(|other| by_name.is_some_and(|one| one.id != other.id)) {
            return Err(Refusal::TwoIdentities);
        }
        let by_token = match token(headers)? {
            Some(_) if !peer.is_some_and(|peer| peer.encrypted) => return Err(Refusal::TokenInPlainText),
            Some(token) => Some(with_token(known, token).ok_or(Refusal::TokenUnknown)?),
            None => None,
        };
        match (by_name, by_token) {
            (Some(one), Some(other)) if one.id != other.id => Err(Refusal::TwoIdentities),
            (Some(identity), _) | (None, Some(identity)) => Ok(identity),
            (None, None) if peer.is_some_and(|peer| !peer.names.is_empty()) => Err(Refusal::CertificateUnknown),
            (None, None) => Err(Refusal::NoCredentials),
        }
    }
}

fn named<'a>(known: &'a [Arc<Identity>], name: &SubjectName) -> Option<&'a Arc<Identity>> {
    known.iter().find(|identity| identity.names.contains(name))
}

/// The identity with this token. All hashes are compared, each in constant time.
fn with_token<'a>(known: &'a [Arc<Identity>], token: &[u8]) -> Option<&'a Arc<Identity>> {
    let hash = Sha256::digest(token);
    let same = |TokenHash(other): &TokenHash| bool::from(other.as_slice().ct_eq(hash.as_slice()));
    known.iter().fold(None, |found, identity| {
        let matches = identity.tokens.iter().fold(false, |matches, token| matches | same(token));
        if matches { Some(identity) } else { found }
    })
}

/// The bearer token of a call, if it has one.
fn token(headers: &HeaderMap) -> Result<Option<&[u8]>, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let (scheme, token) = value.as_bytes().split_at_checked(7).ok_or(Refusal::NotBearer)?;
    if !scheme.eq_ignore_ascii_case(b"bearer ") || token.is_empty() || values.next().is_some() {
        return Err(Refusal::NotBearer);
    }
    Ok(Some(token))
}

/// Lets a call through whose caller is known and has a role for the method. Handlers find the [`Identity`] in the
/// request's extensions.
pub async fn admit(State((callers, metrics)): State<(Arc<Callers>, Arc<Metrics>)>, mut request: Request, next: Next) -> Response {
    match admitted(&callers, &request) {
        Ok(Some(identity)) => {
            let id = Arc::clone(&identity);
            request.extensions_mut().insert(identity);
            let mut response = next.run(request).await;
            response.extensions_mut().insert(id);
            response
        }
        Ok(None) => next.run(request).await,
        Err((refusal, identity)) => {
            let path = request.uri().path();
            let mut response = status::refused(refusal, path, identity.as_deref()).into_http();
            let _ = identity.map(|identity| response.extensions_mut().insert(identity));
            response.extensions_mut().insert(refusal);
            if refusal != Refusal::NoSuchMethod {
                metrics.refused.of(refusal).inc();
            }
            response
        }
    }
}

/// Who was admitted; nobody, where anyone may call.
#[expect(clippy::type_complexity, reason = "who was refused, where that is known")]
fn admitted(callers: &Callers, request: &Request) -> Result<Option<Arc<Identity>>, (Refusal, Option<Arc<Identity>>)> {
    let method = method(request.uri().path());
    if method.is_some_and(|method| method.access == Access::Open) {
        return Ok(None);
    }
    let peer = request.extensions().get::<Peer>();
    let identity = callers.identify(peer, request.headers()).map_err(|refusal| (refusal, None))?;
    let refused = match method {
        None => Refusal::NoSuchMethod,
        Some(method) if !method.access.admits(identity.roles) => Refusal::RoleMissing,
        Some(_) => return Ok(Some(Arc::clone(identity))),
    };
    Err((refused, Some(Arc::clone(identity))))
}
