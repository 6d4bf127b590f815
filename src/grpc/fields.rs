//! How many fields (字段) a request may have, those inside its messages included: counted in its bytes, before it is decoded.
//! An empty message takes two bytes on the wire and hundreds in memory.

use std::sync::LazyLock;

use prost::encoding::{WireType, decode_key, decode_varint};
use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};
use rustc_hash::FxHashMap;

use crate::wire::descriptors;

/// Most fields of a request, and most values of its JSON: some eight times those of a batch that is filled in whole.
pub(crate) const MOST_FIELDS: usize = 100_000;
/// Messages further inside each other are left to the decoder, which refuses them.
const DEEPEST: usize = 100;

/// There are more than [`MOST_FIELDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooManyFields;

/// What is inside a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// One value.
    Plain,
    /// Numbers, of a byte or more each.
    Packed,
    /// A message of the shape with this place.
    Message(usize),
}

/// The fields of a kind of message, by number: one after the other, few and without great gaps.
type Shape = Vec<Inside>;

/// The shapes of all requests.
#[derive(Debug, Default)]
struct Shapes {
    places: FxHashMap<String, usize>,
    all: Vec<Shape>,
    requests: FxHashMap<String, usize>,
}

/// Refuses a request of the kind `name` with too many fields. What is no request, such as an answer, is not counted,
/// nor what is no message: that is left to the decoder.
pub(super) fn count(name: &str, bytes: &[u8]) -> Result<(), TooManyFields> {
    static SHAPES: LazyLock<Shapes> = LazyLock::new(|| descriptors().map(Shapes::of).unwrap_or_default());
    if bytes.len() <= MOST_FIELDS {
        return Ok(()); // each takes a byte at least
    }
    SHAPES.requests.get(name).map_or(Ok(()), |place| SHAPES.count(*place, bytes, &mut 0, 0))
}

impl Shapes {
    fn of(pool: &DescriptorPool) -> Self {
        let mut shapes = Self::default();
        for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
            let place = shapes.place(&method.input());
            shapes.requests.insert(method.input().full_name().to_owned(), place);
        }
        shapes
    }

    fn place(&mut self, message: &MessageDescriptor) -> usize {
        if let Some(place) = self.places.get(message.full_name()) {
            return *place;
        }
        let place = self.all.len();
        self.places.insert(message.full_name().to_owned(), place);
        self.all.push(Shape::new()); // before its fields: a message can be inside itself
        let fields: Vec<_> = message.fields().map(|field| (field.number() as usize, self.inside(&field))).collect();
        let longest = fields.iter().map(|(number, _)| number + 1).max().unwrap_or(0).min(1024);
        let mut shape = vec![Inside::Plain; longest];
        for (number, inside) in fields {
            if let Some(of_number) = shape.get_mut(number) {
                *of_number = inside;
            }
        }
        self.all[place] = shape;
        place
    }

    fn inside(&mut self, field: &FieldDescriptor) -> Inside {
        match field.kind().as_message() {
            Some(message) => Inside::Message(self.place(message)),
            None if field.is_list() && !matches!(field.kind(), Kind::String | Kind::Bytes) => Inside::Packed,
            None => Inside::Plain,
        }
    }

    fn count(&self, place: usize, mut bytes: &[u8], count: &mut usize, depth: usize) -> Result<(), TooManyFields> {
        while let Some((number, field)) = next(&mut bytes) {
            *count += 1;
            match self.all[place].get(number).copied().unwrap_or(Inside::Plain) {
                Inside::Message(place) if depth < DEEPEST => self.count(place, field, count, depth + 1)?,
                Inside::Packed => *count += field.len(),
                _ => {}
            }
            if *count > MOST_FIELDS {
                return Err(TooManyFields);
            }
        }
        Ok(())
    }
}

/// Takes the next field off: its number, and what is inside where that has a length. Nothing where there is none, or no
/// field.
fn next<'b>(bytes: &mut &'b [u8]) -> Option<(usize, &'b [u8])> {
    let (number, kind) = decode_key(bytes).ok()?;
    let length = match kind {
        WireType::Varint => decode_varint(bytes).ok().map(|_| 0)?,
        WireType::LengthDelimited => usize::try_from(decode_varint(bytes).ok()?).ok()?,
        WireType::ThirtyTwoBit => 4,
        WireType::SixtyFourBit => 8,
        WireType::StartGroup | WireType::EndGroup => return None, // no message of ours has groups
    };
    let (field, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some((number as usize, field))
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::{MOST_FIELDS, TooManyFields, count};
    use crate::wire::v1::{BatchScreenRequest, Licence, ScreenRequest};

    const SCREEN: &str = "mingcha.v1.ScreenRequest";
    const BATCH: &str = "mingcha.v1.BatchScreenRequest";

    fn firm(licences: usize) -> ScreenRequest {
        ScreenRequest { name: "某某公司".into(), licences: vec![Licence::default(); licences], ..ScreenRequest::default() }
    }

    #[test]
    fn fields_are_counted_at_every_depth() {
        assert_eq!(count(SCREEN, &firm(MOST_FIELDS - 1).encode_to_vec()), Ok(()));
        assert_eq!(count(SCREEN, &firm(MOST_FIELDS).encode_to_vec()), Err(TooManyFields));
        let batch = |licences| BatchScreenRequest { requests: vec![firm(licences); 1000], ..BatchScreenRequest::default() };
        assert_eq!(count(BATCH, &batch(98).encode_to_vec()), Ok(()), "1 000 firms, each with a name and 98 licences");
        assert_eq!(count(BATCH, &batch(99).encode_to_vec()), Err(TooManyFields));
        let terms = Licence { terms: vec![String::new(); MOST_FIELDS], ..Licence::default() };
        let firm = ScreenRequest { licences: vec![terms], ..ScreenRequest::default() };
        assert_eq!(count(SCREEN, &firm.encode_to_vec()), Err(TooManyFields));
        assert_eq!(count(SCREEN, &[0x28, 0x01].repeat(MOST_FIELDS + 1)), Err(TooManyFields), "numbers too");
        assert_eq!(count(SCREEN, &[0xa0, 0x1f, 0x01].repeat(MOST_FIELDS + 1)), Err(TooManyFields), "unknown ones too");
    }

    #[test]
    fn what_is_no_request_is_not_counted_and_no_message_is_misread() {
        let many = firm(MOST_FIELDS).encode_to_vec();
        assert_eq!(count("mingcha.v1.ScreenResponse", &many), Ok(()), "answers to our own clients have as many as they have");
        let long = ScreenRequest { scope: ",".repeat(2 * MOST_FIELDS), ..ScreenRequest::default() };
        assert_eq!(count(SCREEN, &long.encode_to_vec()), Ok(()), "a text is one field");
        let beyond = vec![0; MOST_FIELDS];
        for broken in [&b"\x0a"[..], b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\x0d\x00", b"\xff", b"\x0b\x0c", b"\x00\x00"] {
            assert_eq!(count(SCREEN, &[broken, &beyond].concat()), Ok(()), "the decoder says what is wrong with {broken:?}");
        }
    }
}
