//! Calls by method (方法): the counters of each method that there is, and of all others together.

use std::time::Duration;

use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry};
use prost_reflect::{DescriptorPool, MethodDescriptor};
use tonic::Code;

use super::TelemetryError;
use crate::{
    auth::{self, METHODS},
    wire,
};

/// What a method that does not exist is called.
const UNKNOWN: &str = "unknown";

/// Upper bounds of the buckets, in seconds.
const BUCKETS: [f64; 17] =
    [50e-6, 100e-6, 200e-6, 300e-6, 500e-6, 750e-6, 1e-3, 2e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 1.0, 2.5, 10.0];

/// The names of the codes, by number.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// A code as gRPC's documents spell it.
#[must_use]
pub fn code_name(code: Code) -> &'static str {
    CODES.get(code as usize).copied().unwrap_or(UNKNOWN)
}

/// A method and its counters.
#[derive(Debug)]
pub(super) struct Method {
    /// `package.Service/Method`.
    pub(super) name: &'static str,
    pub(super) service: &'static str,
    /// The method without its service.
    pub(super) short: &'static str,
    started: IntCounter,
    handled: Vec<IntCounter>,
    seconds: Histogram,
}

impl Method {
    pub(super) fn started(&self) {
        self.started.inc();
    }

    pub(super) fn handled(&self, code: Code, time: Duration) {
        self.seconds.observe(time.as_secs_f64());
        if let Some(counter) = self.handled.get(code as usize) {
            counter.inc();
        }
    }
}

/// Every method, in the order of [`METHODS`], and at the end the unknown one.
#[derive(Debug)]
pub(super) struct Methods(Vec<Method>);

impl Methods {
    pub(super) fn new(registry: &Registry) -> Result<Self, TelemetryError> {
        let families = Families::new(registry)?;
        let pool = descriptors()?;
        let mut methods = Vec::with_capacity(METHODS.len() + 1);
        for auth::Method { path, .. } in METHODS {
            methods.push(families.method(path.trim_start_matches('/'), kind(&pool, path))?);
        }
        methods.push(families.method(UNKNOWN, UNKNOWN)?);
        Ok(Self(methods))
    }

    /// The place of the method with this path; that of the unknown one where there is no such method.
    pub(super) fn place(&self, path: &str) -> usize {
        METHODS.iter().position(|method| method.path == path).unwrap_or(self.0.len() - 1)
    }

    pub(super) fn at(&self, place: usize) -> &Method {
        &self.0[place]
    }
}

struct Families {
    started: IntCounterVec,
    handled: IntCounterVec,
    seconds: HistogramVec,
}

impl Families {
    fn new(registry: &Registry) -> prometheus::Result<Self> {
        let labels = ["grpc_service", "grpc_method", "grpc_type"];
        let started = IntCounterVec::new(Opts::new("grpc_server_started_total", "Calls begun."), &labels)?;
        let handled = Opts::new("grpc_server_handled_total", "Calls ended, by the code that the client was told.");
        let handled = IntCounterVec::new(handled, &["grpc_service", "grpc_method", "grpc_code", "grpc_type"])?;
        let seconds = HistogramOpts::new("grpc_server_handling_seconds", "Time from a call's head to the end of its answer.");
        let seconds = HistogramVec::new(seconds.buckets(BUCKETS.to_vec()), &labels)?;
        registry.register(Box::new(started.clone()))?;
        registry.register(Box::new(handled.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        Ok(Self { started, handled, seconds })
    }

    fn method(&self, name: &'static str, kind: &str) -> prometheus::Result<Method> {
        let (service, method) = name.split_once('/').unwrap_or((UNKNOWN, UNKNOWN));
        let handled = |code: &&str| self.handled.get_metric_with_label_values(&[service, method, code, kind]);
        Ok(Method {
            name,
            service,
            short: method,
            started: self.started.get_metric_with_label_values(&[service, method, kind])?,
            handled: CODES.iter().map(handled).collect::<Result<_, _>>()?,
            seconds: self.seconds.get_metric_with_label_values(&[service, method, kind])?,
        })
    }
}

/// The descriptors of all services.
fn descriptors() -> Result<DescriptorPool, prost_reflect::DescriptorError> {
    let mut pool = DescriptorPool::new();
    pool.decode_file_descriptor_set(wire::DESCRIPTORS)?;
    pool.decode_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)?;
    pool.decode_file_descriptor_set(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET)?;
    pool.decode_file_descriptor_set(tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET)?;
    Ok(pool)
}

fn kind(pool: &DescriptorPool, path: &str) -> &'static str {
    let find = || {
        let (service, method) = path.trim_start_matches('/').split_once('/')?;
        pool.get_service_by_name(service)?.methods().find(|descriptor| descriptor.name() == method)
    };
    find().map_or(UNKNOWN, |method| streaming(&method))
}

fn streaming(method: &MethodDescriptor) -> &'static str {
    match (method.is_client_streaming(), method.is_server_streaming()) {
        (false, false) => "unary",
        (true, false) => "client_stream",
        (false, true) => "server_stream",
        (true, true) => "bidi_stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_name() {
        for number in 0..17 {
            let code = Code::from_i32(number);
            assert_eq!(code_name(code).replace('_', ""), format!("{code:?}").to_uppercase());
        }
    }

    #[test]
    fn every_method_has_a_descriptor() {
        let pool = descriptors().expect("descriptors");
        let kinds: Vec<&str> = METHODS.iter().map(|method| kind(&pool, method.path)).collect();
        assert!(!kinds.contains(&UNKNOWN), "{kinds:?}");
        assert_eq!(kind(&pool, "/grpc.health.v1.Health/Watch"), "server_stream");
        assert_eq!(kind(&pool, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"), "bidi_stream");
    }
}
