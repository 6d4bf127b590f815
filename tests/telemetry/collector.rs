//! A collector of traces: OTLP over gRPC.

use std::{
    fmt::Write,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    trace::v1::{ResourceSpans, Span},
};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};

#[derive(Debug, Clone, Default)]
struct Received(Arc<Mutex<Vec<ResourceSpans>>>);

#[tonic::async_trait]
impl TraceService for Received {
    async fn export(&self, request: Request<ExportTraceServiceRequest>) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.lock().expect("no panic").extend(request.into_inner().resource_spans);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// A collector on a free port, until its runtime ends.
pub(super) struct Collector {
    address: SocketAddr,
    received: Received,
}

impl Collector {
    pub(super) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let received = Received::default();
        let server = Server::builder().add_service(TraceServiceServer::new(received.clone()));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        Self { address, received }
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every span received, with all that it and its resource say, written out.
    pub(super) fn spans(&self) -> Vec<String> {
        let received = self.received.0.lock().expect("no panic");
        let of = |resource: &ResourceSpans| -> Vec<String> {
            let spans = resource.scope_spans.iter().flat_map(|scope| &scope.spans);
            spans.map(|span| format!("{} {:?}", written(span), resource.resource)).collect()
        };
        received.iter().flat_map(of).collect()
    }
}

fn written(span: &Span) -> String {
    format!("trace {} parent {} {span:?}", hex(&span.trace_id), hex(&span.parent_span_id))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a string takes all");
        hex
    })
}
