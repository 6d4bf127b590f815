//! What a footer (页尾元数据) is made of, as parquet.thrift has it. The crate reads a field by its number and does not look at the
//! kind that it says it is of; who passes over it by that kind is at another place behind it. So each is of the kind that it has.

use std::io::{self, Read};

use super::thrift::{FALSE, Fields, Kind, LIST, STRUCT, TRUE, Thrift, odd};

/// What a value is.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// A value that has nothing in it.
    Plain(Kind),
    Truth,
    List(&'static Self),
    Struct(Struct),
}

/// The fields of a struct, or of a union, by their numbers from 1. Those behind them are passed over by the kind that they say, as
/// the crate passes over what it does not know.
pub(super) type Struct = &'static [Shape];

use Shape::{List, Struct as Of, Truth};

const BYTE: Shape = Shape::Plain(3);
const I16: Shape = Shape::Plain(4);
const I32: Shape = Shape::Plain(5); // what is one of several too
const I64: Shape = Shape::Plain(6);
const DOUBLE: Shape = Shape::Plain(7);
const TEXT: Shape = Shape::Plain(8);
const EMPTY: Shape = Of(&[]);

pub(super) const FILE: Struct =
    &[I32, List(&Of(COLUMN)), I64, List(&Of(ROW_GROUP)), List(&Of(KEY_VALUE)), TEXT, List(&Of(ORDER)), Of(ENCRYPTION), TEXT];
/// A column of the schema.
pub(super) const COLUMN: Struct = &[I32, I32, I32, TEXT, I32, I32, I32, I32, I32, Of(LOGICAL_TYPE)];
#[rustfmt::skip]
const LOGICAL_TYPE: Struct = &[
    EMPTY, EMPTY, EMPTY, EMPTY, // text, map, list, one of several
    Of(&[I32, I32]), // decimal
    EMPTY, // date
    Of(TIME), Of(TIME), // time, timestamp
    EMPTY, // 9: reserved
    Of(&[BYTE, Truth]), // whole number
    EMPTY, EMPTY, EMPTY, EMPTY, EMPTY, // null, JSON, BSON, UUID, half
    Of(&[BYTE]), // variant
    Of(&[TEXT]), Of(&[TEXT, I32]), // geometry, geography
    EMPTY, // file
];
const TIME: Struct = &[Truth, Of(&[EMPTY, EMPTY, EMPTY])];
const KEY_VALUE: Struct = &[TEXT, TEXT];
const ORDER: Struct = &[EMPTY, EMPTY, EMPTY];
const ENCRYPTION: Struct = &[Of(CIPHER), Of(CIPHER)];
const CIPHER: Struct = &[TEXT, TEXT, Truth];
const ROW_GROUP: Struct = &[List(&Of(CHUNK)), I64, I64, List(&Of(&[I32, Truth, Truth])), I64, I64, I16];
/// A column in a row group.
const CHUNK: Struct = &[TEXT, I64, Of(CHUNK_METADATA), I64, I32, I64, I32, Of(&[EMPTY, Of(&[List(&TEXT), TEXT])]), TEXT];
#[rustfmt::skip]
const CHUNK_METADATA: Struct = &[
    I32, List(&I32), List(&TEXT), I32, I64, I64, I64, List(&Of(KEY_VALUE)), I64, I64, I64,
    Of(STATISTICS), List(&Of(&[I32, I32, I32])), I64, I32, Of(SIZES), Of(PLACES),
];
const STATISTICS: Struct = &[TEXT, TEXT, I64, I64, TEXT, TEXT, Truth, Truth, I64];
const SIZES: Struct = &[I64, List(&I64), List(&I64)];
const PLACES: Struct = &[Of(&[DOUBLE; 8]), List(&I32)];

/// Passes over a field of a struct.
pub(super) fn pass(thrift: &mut Thrift<impl Read>, fields: Struct, (number, kind): (u16, Kind)) -> io::Result<()> {
    match number.checked_sub(1).and_then(|at| fields.get(usize::from(at))) {
        Some(shape) => shape.pass(thrift, kind),
        None => thrift.skip(kind),
    }
}

impl Shape {
    /// Passes over a value that says it is of this kind.
    pub(super) fn pass(self, thrift: &mut Thrift<impl Read>, kind: Kind) -> io::Result<()> {
        match (self, kind) {
            (Self::Plain(own), _) if own == kind => thrift.skip(kind),
            (Truth, TRUE | FALSE) => Ok(()),
            (List(each), LIST) => {
                let (many, kind) = thrift.list()?;
                (0..many).try_for_each(|_| each.pass(thrift, kind))
            }
            (Of(within), STRUCT) => {
                let mut fields = Fields::default();
                while let Some(field) = thrift.field(&mut fields)? {
                    pass(thrift, within, field)?;
                }
                Ok(())
            }
            _ => Err(odd("a field of another kind than it has")),
        }
    }
}
