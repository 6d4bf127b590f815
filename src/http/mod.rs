//! The HTTP edge (HTTP 接口): JSON over HTTP for every method that has a `google.api.http` in the contract. It knows no
//! method by name: the descriptors say which call is which. Every call goes through the gRPC service with all its
//! layers, so that it is authenticated, limited, timed and counted like any other; a body is read only when the
//! service asks for it.

mod answer;
mod binding;
mod call;
pub mod openapi;
mod request;
mod template;

use std::{convert::Infallible, sync::Arc};

use axum::{Router, body::Body, extract::Request, response::Response, routing::any};
use bytes::Bytes;
use http::{Method, StatusCode, header};
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use prost_reflect::{DescriptorPool, MessageDescriptor};
use tokio::time::{Instant, timeout_at};
use tokio_stream::StreamExt;
use tonic::{Status, Streaming, client::Grpc, metadata::MetadataMap};
use tower::{Service, ServiceExt, service_fn, util::BoxCloneSyncService};

use self::{
    binding::{Binding, Found, Table},
    call::Raw,
    request::Asked,
};
use crate::{
    config::Limits,
    grpc::status,
    server::{
        deadline::Until,
        workers::{Cancelled, Workers},
    },
    telemetry::Uncalled,
    wire::descriptors,
};

pub use answer::no_such_path;
pub use binding::ContractError;

/// Where the `OpenAPI` document is served.
pub const OPENAPI_PATH: &str = "/v1/openapi.json";
/// A text beyond this is read or written by a worker: it takes some hundred microseconds.
const LARGE: usize = 32 << 10;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// The gRPC service with all its layers, whatever they are.
type Inner = BoxCloneSyncService<Request, http::Response<Body>, Status>;

/// The routes of the contract, with the default limits: see [`Edge::routes`].
///
/// # Errors
/// [`ContractError`] where the contract cannot be offered over HTTP.
pub fn routes<S, B>(grpc: S) -> Result<Router, ContractError>
where
    S: Service<Request, Response = http::Response<B>, Error: Into<BoxError>, Future: Send> + Clone + Send + Sync + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    Ok(Edge::new()?.routes(grpc))
}

/// A contract as HTTP calls.
#[derive(Debug, Clone)]
pub struct Edge {
    contract: Arc<Contract>,
    request_bytes: usize,
    answer_bytes: usize,
    workers: Workers,
}

#[derive(Debug)]
struct Contract {
    pool: DescriptorPool,
    table: Table,
    openapi: Bytes,
}

impl Edge {
    /// Every annotated method of `proto/`.
    ///
    /// # Errors
    /// [`ContractError`] where an annotation cannot be followed.
    pub fn new() -> Result<Self, ContractError> {
        Self::of(descriptors().map_err(|error| ContractError::Descriptors(error.to_string()))?)
    }

    /// Every annotated method of a contract. It has `google.rpc.Status` and the details of errors.
    ///
    /// # Errors
    /// [`ContractError`] where an annotation cannot be followed.
    pub fn of(pool: &DescriptorPool) -> Result<Self, ContractError> {
        let table = Table::of(pool)?;
        let openapi = openapi::document(pool, &table).to_string().into();
        let contract = Arc::new(Contract { pool: pool.clone(), table, openapi });
        let limits = Limits::default();
        let workers = Workers::uncounted();
        Ok(Self { contract, request_bytes: limits.request_bytes, answer_bytes: limits.answer_bytes, workers })
    }

    /// With these workers to read and write long texts, instead of its own.
    #[must_use]
    pub fn workers(mut self, workers: Workers) -> Self {
        self.workers = workers;
        self
    }

    /// With another limit on a request's body, in bytes.
    #[must_use]
    pub fn request_bytes(mut self, most: usize) -> Self {
        self.request_bytes = most;
        self
    }

    /// With another limit on the message of an answer, in bytes.
    #[must_use]
    pub fn answer_bytes(mut self, most: usize) -> Self {
        self.answer_bytes = most;
        self
    }

    /// The `OpenAPI` document, as it is served.
    #[must_use]
    pub fn openapi(&self) -> &[u8] {
        &self.contract.openapi
    }

    /// The message that a call would send, or how it is refused; `None` where the contract has no such call. The part of
    /// the edge that reads what callers write, without its sockets.
    #[must_use]
    pub fn read(&self, verb: &Method, path: &str, query: &str, content_type: &str, body: &[u8]) -> Option<Result<Vec<u8>, Status>> {
        let Found::Binding(binding, path) = self.contract.table.find(verb, path) else { return None };
        let asked = Asked { path, query: query.to_owned(), content_type: Some(content_type.to_owned()) };
        Some(request::message(binding, &asked, body))
    }

    /// The routes: everything below the first segments of the contract's paths (`/v1`). `grpc` is the gRPC service with
    /// all its layers; it gets each call as `POST /package.Service/Method` with the caller's extensions.
    pub fn routes<S, B>(self, grpc: S) -> Router
    where
        S: Service<Request, Response = http::Response<B>, Error: Into<BoxError>, Future: Send> + Clone + Send + Sync + 'static,
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let grpc = BoxCloneSyncService::new(
            grpc.map_response(|response: http::Response<B>| response.map(Body::new)).map_err(|error| Status::from_error(error.into())),
        );
        let mut roots = vec!["v1"];
        roots.extend(self.contract.table.bindings().iter().filter_map(|binding| binding.template.first()));
        roots.sort_unstable();
        roots.dedup();
        let paths = roots.iter().flat_map(|root| [format!("/{root}"), format!("/{root}/"), format!("/{root}/{{*rest}}")]);
        let paths: Vec<String> = paths.collect();
        let handler = any(move |request: Request| self.clone().answer(grpc.clone(), request));
        paths.iter().fold(Router::new(), |router, path| router.route(path, handler.clone()))
    }

    async fn answer(self, grpc: Inner, request: Request) -> Response {
        let contract = Arc::clone(&self.contract);
        match contract.table.find(request.method(), request.uri().path()) {
            Found::Binding(binding, path) => self.call(grpc, binding, path, request).await,
            Found::Verbs(verbs) => answer::wrong_verb(&verbs),
            Found::NoText => {
                answer::uncalled(answer::error(&contract.pool, &request::refuse("", "the path is not UTF-8")), Uncalled::BadPath)
            }
            Found::Nothing if request.uri().path() != OPENAPI_PATH => no_such_path(request.uri().path()),
            Found::Nothing if request.method() != Method::GET => answer::wrong_verb(&[Method::GET]),
            Found::Nothing => {
                let document = Body::from(contract.openapi.clone());
                answer::uncalled(answer::answer(StatusCode::OK, answer::JSON, MetadataMap::new(), document), Uncalled::OpenApi)
            }
        }
    }

    async fn call(self, grpc: Inner, binding: &Binding, path: Vec<(String, String)>, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let asked = Asked { path, query: parts.uri.query().unwrap_or_default().to_owned(), content_type };
        let whole = (self.clone(), binding.clone(), asked, body);
        let message = tokio_stream::once(whole).then(|(edge, binding, asked, body)| edge.message(binding, asked, body));
        let mut body = Some(Body::from_stream(message));
        let through = service_fn(move |request: http::Request<tonic::body::Body>| {
            let body = body.take().unwrap_or_default(); // it is called once
            grpc.clone().oneshot(request.map(|_| body))
        });
        let call = tonic::Request::from_parts(call::forwarded(&parts.headers), parts.extensions, tokio_stream::empty());
        let mut client = Grpc::new(through).max_decoding_message_size(self.answer_bytes);
        let answered = if binding.method.is_server_streaming() {
            let answered = client.streaming(call, binding.path.clone(), Raw).await;
            answered.map(|answered| self.lines(binding.method.output(), answered))
        } else {
            match client.client_streaming(call, binding.path.clone(), Raw).await {
                Ok(answered) => self.one(binding.method.output(), answered).await,
                Err(status) => Err(status),
            }
        };
        answered.unwrap_or_else(|status| answer::error(&self.contract.pool, &status))
    }

    /// Reads and frames the message of a call, once the service asks for it.
    async fn message(self, binding: Binding, asked: Asked, body: Body) -> Result<Bytes, Status> {
        let body = if binding.has_body() { collect(body, self.request_bytes).await? } else { Bytes::new() };
        let size = body.len();
        let read = move |_: &Cancelled| request::message(&binding, &asked, &body).and_then(|message| call::framed(&message));
        aside(&self.workers, size, None, read).await // the service's own deadline stops it
    }

    /// The answer of a call that has one. Its extensions hold the call's place until it is written.
    async fn one(&self, output: MessageDescriptor, answered: tonic::Response<Bytes>) -> Result<Response, Status> {
        let (metadata, message, extensions) = answered.into_parts();
        let (size, until) = (message.len(), extensions.get::<Until>().copied());
        let written = aside(&self.workers, size, until, move |cancelled| answer::json(&output, &message, cancelled)).await;
        let text = written.map_err(|mut status| {
            status.metadata_mut().clone_from(&metadata); // it is still the same call
            status
        })?;
        let mut response = answer::answer(StatusCode::OK, answer::JSON, metadata, Body::from(text));
        *response.extensions_mut() = extensions;
        Ok(response)
    }

    /// The answer of a call that streams.
    fn lines(&self, output: MessageDescriptor, answered: tonic::Response<Streaming<Bytes>>) -> Response {
        let (metadata, messages, extensions) = answered.into_parts();
        let (contract, workers) = (Arc::clone(&self.contract), self.workers.clone());
        let lines = messages.then(move |item| {
            let (contract, workers, output) = (Arc::clone(&contract), workers.clone(), output.clone());
            async move { Ok::<_, Infallible>(line(&contract, &workers, output, item).await) }
        });
        let mut response = answer::answer(StatusCode::OK, answer::JSON_LINES, metadata, Body::from_stream(lines));
        *response.extensions_mut() = extensions;
        response
    }
}

/// A line of an answer that is a stream.
async fn line(contract: &Contract, workers: &Workers, output: MessageDescriptor, item: Result<Bytes, Status>) -> Vec<u8> {
    let written = match item {
        Ok(message) => aside(workers, message.len(), None, move |cancelled| answer::json(&output, &message, cancelled)).await,
        Err(status) => Err(status),
    };
    answer::line(&contract.pool, written)
}

/// A body within the limit; of one beyond it no more than the limit is read, and nothing where it says its length.
async fn collect(body: Body, limit: usize) -> Result<Bytes, Status> {
    if body.size_hint().lower() > limit as u64 {
        return Err(request::too_large(limit));
    }
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(request::too_large(limit)),
        Err(error) => Err(request::refuse("", &format!("the body cannot be read: {error}"))),
    }
}

/// Does work on `size` bytes: here where it is little, else by a worker, so that it keeps no other call waiting; and not
/// for longer than the call has.
async fn aside<T: Send + 'static>(
    workers: &Workers,
    size: usize,
    until: Option<Until>,
    work: impl FnOnce(&Cancelled) -> Result<T, Status> + Send + 'static,
) -> Result<T, Status> {
    if size <= LARGE {
        return work(&Cancelled::default());
    }
    let work = async { workers.run(work).await.unwrap_or_else(|_| Err(status::handler_died())) };
    match until {
        None => work.await,
        Some(Until(at)) if at <= Instant::now() => Err(status::too_late()),
        Some(Until(at)) => timeout_at(at, work).await.unwrap_or_else(|_| Err(status::too_late())),
    }
}
