//! A protobuf codec that blames the sender: a message that cannot be decoded, such as one with bad UTF-8 in a
//! string, is the client's error (`INVALID_ARGUMENT`), where tonic's own codec says `INTERNAL`.

use std::marker::PhantomData;

use bytes::Buf;
use prost::{
    Message,
    encoding::{WireType, decode_key, decode_varint},
};
use tonic::{
    Status,
    codec::{Codec, DecodeBuf, Decoder},
};
use tonic_prost::ProstEncoder;

/// See the module.
#[derive(Debug, Clone)]
pub struct StrictCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for StrictCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for StrictCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = StrictDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::default()
    }

    fn decoder(&mut self) -> Self::Decoder {
        StrictDecoder(PhantomData)
    }
}

/// Most fields at the top of a message: a batch has one for each of its firms. Millions of empty ones would take two bytes
/// each on the wire, and hundreds when decoded.
const MOST_FIELDS: usize = 4096;

/// Refuses a message with more fields at its top than any of ours has. What is no message is left to the decoder.
fn too_many_fields(mut bytes: &[u8]) -> Result<(), Status> {
    let mut count = 0;
    while !bytes.is_empty() {
        let Ok((_, kind)) = decode_key(&mut bytes) else { return Ok(()) };
        let skipped = match kind {
            WireType::Varint => decode_varint(&mut bytes).map(|_| 0),
            WireType::LengthDelimited => decode_varint(&mut bytes),
            WireType::ThirtyTwoBit => Ok(4),
            WireType::SixtyFourBit => Ok(8),
            WireType::StartGroup | WireType::EndGroup => return Ok(()),
        };
        let Some(rest) = skipped.ok().and_then(|skipped| bytes.get(usize::try_from(skipped).ok()?..)) else { return Ok(()) };
        bytes = rest;
        count += 1;
        if count > MOST_FIELDS {
            return Err(super::status::too_many_fields(MOST_FIELDS));
        }
    }
    Ok(())
}

/// Decodes messages, refusing what is no message.
#[derive(Debug, Clone)]
pub struct StrictDecoder<U>(PhantomData<U>);

impl<U: Message + Default> Decoder for StrictDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        too_many_fields(buffer.chunk())?;
        U::decode(buffer).map(Some).map_err(|error| super::status::undecodable(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST_FIELDS, too_many_fields};

    #[test]
    fn fields_at_the_top_are_counted_and_no_message_is_misread() {
        assert!(too_many_fields(&[0x0a, 0x00].repeat(MOST_FIELDS)).is_ok());
        assert!(too_many_fields(&[0x0a, 0x00].repeat(MOST_FIELDS + 1)).is_err());
        assert!(too_many_fields(&[0x08, 0x01].repeat(MOST_FIELDS + 1)).is_err(), "numbers too");
        let nested = [vec![0x0a, 0x80, 0x80, 0x01], vec![0; 16_384]].concat();
        assert!(too_many_fields(&nested).is_ok(), "one field of 16 KiB is one field");
        for broken in [&b"\x0a"[..], b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\x0d\x00", b"\xff", b"\x0b\x0c", b"\x00\x00"] {
            assert!(too_many_fields(broken).is_ok(), "the decoder says what is wrong with {broken:?}");
        }
    }
}
