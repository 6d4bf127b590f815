//! The gRPC call (调用) behind an HTTP call, through tonic's own client: it unframes answers and reads
//! trailers and statuses. Messages pass as bytes.

use std::convert::Infallible;

use bytes::{Buf, Bytes};
use http::{HeaderMap, HeaderName, header};
use tonic::{
    Status,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::MetadataMap,
};

/// What of a caller's headers the service gets to see.
const FORWARDED: [HeaderName; 6] = [
    header::AUTHORIZATION,
    header::USER_AGENT,
    HeaderName::from_static("grpc-timeout"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("x-request-id"),
];

/// The metadata of the call.
pub(super) fn forwarded(headers: &HeaderMap) -> MetadataMap {
    let mut metadata = HeaderMap::new();
    for name in FORWARDED {
        for value in headers.get_all(&name) {
            metadata.append(name.clone(), value.clone());
        }
    }
    MetadataMap::from_headers(metadata)
}

/// Whether a header of the answer is the caller's business: not what belongs to gRPC or to the connection.
pub(super) fn passes(name: &HeaderName) -> bool {
    let hop = [header::CONNECTION, header::TE, header::TRAILER, header::TRANSFER_ENCODING, header::UPGRADE, header::DATE].contains(name);
    let name = name.as_str();
    !hop && !name.starts_with("grpc-") && !name.starts_with("content-") && !name.ends_with("-bin") && name != "keep-alive"
}

/// A message in its frame: no compression, four bytes of length.
///
/// # Errors
/// `OUT_OF_RANGE` where its length has more than 32 bits.
pub(super) fn framed(message: &[u8]) -> Result<Bytes, Status> {
    let length = u32::try_from(message.len()).map_err(|_| Status::out_of_range("the message has more than 4 GiB"))?;
    Ok([&[0], length.to_be_bytes().as_slice(), message].concat().into())
}

/// A codec that gives answers as bytes. Requests do not pass through it: they are framed here, so that one that cannot
/// be read ends its body with a status of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Raw;

impl Codec for Raw {
    type Encode = Infallible;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Infallible;
    type Error = Status;

    fn encode(&mut self, item: Infallible, _: &mut EncodeBuf<'_>) -> Result<(), Status> {
        match item {}
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
