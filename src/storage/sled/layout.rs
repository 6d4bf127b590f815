//! How the index is laid out (键布局): one ordered map, each kind of thing under a letter of its own.
//!
//! | key | value |
//! |---|---|
//! | `M` | head, numbers, version of this layout, digest of all else |
//! | `F` number | a file, JSON; behind a line end, where the records lie that speak of it |
//! | `K` key | the firms that bear it, the last last |
//! | `R` block | the firms of [`BLOCK`] referrals |
//! | `Q` identity NUL id | a request that was answered |
//! | `B` collection dimension value NUL chunk | who has the value |
//! | `D` collection kind chunk day | who has the day: by chunk first, so that a page reads only what it shows |
//! | `N` collection block | names of [`BLOCK`] firms, or of the firms of referrals, a line each |
//!
//! Numbers are big-endian, so that they sort.

use super::digest::Digest;
use crate::{
    day::Date,
    journal::{Hash, Head, reader::Place},
    set::Member,
    storage::{Answered, Numbers},
    watch::{
        attribute::{Collection, DayOf, Dimension},
        key::{FirmId, FirmKey, ReferralId, RequestKey},
    },
};

/// Version of this layout: another one is made again from the journal.
const VERSION: u32 = 3;
/// How many names, or firms of referrals, lie in one block.
pub(super) const BLOCK: u32 = 256;

pub(super) const META: &[u8] = b"M";

fn small<T: Member>(value: T) -> u8 {
    u8::try_from(value.place()).unwrap_or(u8::MAX) // a vocabulary has at most 32 values
}

pub(super) fn file(firm: FirmId) -> [u8; 5] {
    numbered(b'F', firm.0)
}

/// The firms of a block of referrals: [`firm_in`] finds one.
pub(super) fn referrals(block: u32) -> [u8; 5] {
    numbered(b'R', block)
}

/// The firm of a referral in its block. None where it has none yet.
pub(super) fn firm_in(block: &[u8], id: ReferralId) -> Option<FirmId> {
    let at = (id.0 % BLOCK) as usize * 4;
    let number = u32::from_be_bytes(*block.get(at..)?.first_chunk()?);
    (number > 0).then_some(FirmId(number))
}

/// Writes the firm of a referral into its block.
pub(super) fn set_firm(block: &mut Vec<u8>, id: ReferralId, firm: FirmId) {
    let at = (id.0 % BLOCK) as usize * 4;
    block.resize(block.len().max(at + 4), 0);
    block[at..at + 4].copy_from_slice(&firm.0.to_be_bytes());
}

pub(super) fn names(collection: Collection, block: u32) -> Vec<u8> {
    [&[b'N', small(collection)][..], &block.to_be_bytes()].concat()
}

fn numbered(letter: u8, number: u32) -> [u8; 5] {
    let [a, b, c, d] = number.to_be_bytes();
    [letter, a, b, c, d]
}

pub(super) fn firm_key(key: &FirmKey) -> Vec<u8> {
    match key {
        FirmKey::Uscc(code) => [b"Ku", code.as_bytes()].concat(),
        FirmKey::Name(region, name) => [b"Kn", region.to_string().as_bytes(), name.as_bytes()].concat(),
    }
}

pub(super) fn request(key: &RequestKey) -> Vec<u8> {
    [b"Q", key.identity.as_bytes(), b"\0", key.id.as_bytes()].concat()
}

/// Who has values of a dimension.
pub(super) fn dimension(collection: Collection, dimension: Dimension) -> [u8; 3] {
    [b'B', small(collection), small(dimension)]
}

/// Who has a value. A value with a NUL in it is cut there: none of ours has one.
pub(super) fn value(collection: Collection, of: Dimension, value: &str, chunk: u32) -> Vec<u8> {
    let value = value.split('\0').next().unwrap_or_default();
    [&dimension(collection, of)[..], value.as_bytes(), b"\0", &chunk.to_be_bytes()].concat()
}

/// The value and the chunk of a key that [`value`] wrote.
pub(super) fn value_of(key: &[u8]) -> Option<(&str, u32)> {
    let (value, chunk) = key.get(3..)?.split_last_chunk::<4>()?;
    let value = std::str::from_utf8(value.strip_suffix(b"\0")?).ok()?;
    Some((value, u32::from_be_bytes(*chunk)))
}

/// Who has a day, in one chunk: the keys of its days begin so.
pub(super) fn days(collection: Collection, of: DayOf, chunk: u32) -> Vec<u8> {
    [&[b'D', small(collection), small(of)][..], &chunk.to_be_bytes()].concat()
}

pub(super) fn day(collection: Collection, of: DayOf, day: Date, chunk: u32) -> Vec<u8> {
    [&days(collection, of, chunk)[..], &ordinal(day)].concat()
}

/// A day, so that earlier ones sort before later ones.
pub(super) fn ordinal(day: Date) -> [u8; 4] {
    let year = u16::try_from(day.year()).unwrap_or(0).to_be_bytes(); // from 1949 on
    [year[0], year[1], day.month().unsigned_abs(), day.day().unsigned_abs()]
}

/// What the index says of itself.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Meta {
    pub(super) head: Head,
    pub(super) numbers: Numbers,
    pub(super) digest: Digest,
}

pub(super) fn meta(meta: Meta) -> Vec<u8> {
    let parts: [&[u8]; 6] = [
        &VERSION.to_be_bytes(),
        &meta.head.sequence.to_be_bytes(),
        &meta.head.hash.0,
        &meta.numbers.firms.to_be_bytes(),
        &meta.numbers.referrals.to_be_bytes(),
        &meta.digest.0.to_be_bytes(),
    ];
    parts.concat()
}

pub(super) fn read_meta(bytes: &[u8]) -> Option<Meta> {
    let mut bytes = Bytes(bytes);
    if bytes.u32()? != VERSION {
        return None;
    }
    let head = Head { sequence: bytes.u64()?, hash: Hash(bytes.take()?) };
    let numbers = Numbers { firms: bytes.u32()?, referrals: bytes.u32()? };
    let digest = Digest(bytes.u64()?);
    bytes.0.is_empty().then_some(Meta { head, numbers, digest })
}

/// How many bytes say where a record lies.
pub(super) const PLACE: usize = 24;

pub(super) fn place(place: Place) -> Vec<u8> {
    [place.sequence, place.segment, place.offset].iter().flat_map(|number| number.to_be_bytes()).collect()
}

pub(super) fn read_place(bytes: &[u8]) -> Option<Place> {
    let mut bytes = Bytes(bytes);
    let place = Place { sequence: bytes.u64()?, segment: bytes.u64()?, offset: bytes.u64()? };
    bytes.0.is_empty().then_some(place)
}

/// The JSON of a file, and where its records lie: JSON has no line end of its own.
pub(super) fn parts(file: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b'\n', file)?;
    Some((&file[..end], &file[end + 1..]))
}

/// Places that stand one behind another.
pub(super) fn read_places(bytes: &[u8]) -> Option<Vec<Place>> {
    let places = bytes.chunks(PLACE).map(read_place);
    places.collect()
}

pub(super) fn answered(answered: &Answered) -> Vec<u8> {
    [&answered.firm.0.to_be_bytes()[..], &answered.body.0, &place(answered.place)].concat()
}

pub(super) fn read_answered(bytes: &[u8]) -> Option<Answered> {
    let mut bytes = Bytes(bytes);
    Some(Answered { firm: FirmId(bytes.u32()?), body: Hash(bytes.take()?), place: read_place(bytes.0)? })
}

pub(super) fn bearers(firms: &[FirmId]) -> Vec<u8> {
    firms.iter().flat_map(|firm| firm.0.to_be_bytes()).collect()
}

pub(super) fn read_bearers(bytes: &[u8]) -> Option<Vec<FirmId>> {
    let (numbers, rest) = bytes.as_chunks::<4>();
    rest.is_empty().then(|| numbers.iter().map(|number| FirmId(u32::from_be_bytes(*number))).collect())
}

/// Bytes that are read from their beginning.
struct Bytes<'b>(&'b [u8]);

impl Bytes<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }
}
