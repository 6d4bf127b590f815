//! Parquet files that were forged to take more memory than they say: each is a few bytes, and is told before room is made for it.

use std::{fs, io::Write, path::Path, sync::Arc};

use flate2::{Compression, write::GzEncoder};
use mingcha::register::OpenError;
use parquet::{
    basic::{Encoding, Type as Physical},
    data_type::{ByteArray, ByteArrayType},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::types::Type,
};

use super::{Bureau, parquet::read, told};

/// Numbers of encodings, and those of codecs.
const PLAIN: u8 = 0;
const LENGTHS: u8 = 6;
const SHARED: u8 = 7;
const SPLIT: u8 = 9;
const UNCOMPRESSED: u8 = 0;
const GZIP: u8 = 2;

/// Numbers of Thrift, one behind the other.
fn numbers<const N: usize>(numbers: [(u8, i64); N]) -> Vec<u8> {
    numbers.into_iter().flat_map(|(field, number)| [vec![field], varint(number.unsigned_abs() << 1)].concat()).collect()
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7F {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
    bytes
}

/// A page of one column: what its header says of its sizes and its values, and what is in it.
fn page(encoding: u8, [expanded, packed, values]: [usize; 3], data: &[u8]) -> Vec<u8> {
    let number = |number: usize| i64::try_from(number).expect("small");
    let sizes = numbers([(0x15, 0), (0x15, number(expanded)), (0x15, number(packed))]);
    let content = numbers([(0x15, number(values)), (0x15, encoding.into()), (0x15, 3), (0x15, 3)]);
    [&sizes[..], &[0x2C], &content, &[0, 0], data].concat()
}

/// A page that says the truth of one value.
fn honest(encoding: u8, data: &[u8]) -> Vec<u8> {
    page(encoding, [data.len(), data.len(), 1], data)
}

/// What a schema has: a root with so many columns in it.
fn root(columns: i64) -> Vec<u8> {
    [&[0x48, 1, b'r'][..], &numbers([(0x15, columns)]), &[0]].concat()
}

/// A column of texts, or of texts of one length.
fn column(length: Option<i64>) -> Vec<u8> {
    let kind = length.map_or(numbers([(0x15, 6), (0x25, 0)]), |length| numbers([(0x15, 7), (0x15, length), (0x15, 0)]));
    [&kind[..], &[0x18, 4], b"name", &[0]].concat()
}

/// A file with pages of one column: what its footer says of their encoding and their codec.
fn file(pages: &[u8], schema: &[Vec<u8>], encoding: u8, codec: u8) -> Vec<u8> {
    let size = i64::try_from(pages.len()).expect("small");
    let chunk = [
        &[0x26, 0, 0x1C][..],
        &numbers([(0x15, 6)]),
        &[0x19, 0x15, encoding << 1, 0x19, 0x18, 4],
        b"name",
        &numbers([(0x15, codec.into()), (0x16, 1), (0x16, size), (0x16, size), (0x26, 4)]),
        &[0, 0],
    ];
    let group = [&[0x19, 0x1C][..], &chunk.concat(), &numbers([(0x16, size), (0x16, 1)]), &[0]].concat();
    let many = [&[0x19, 0xFC][..], &varint(schema.len() as u64), &schema.concat()].concat();
    let footer = [&numbers([(0x15, 1)])[..], &many, &numbers([(0x16, 1)]), &[0x19, 0x1C], &group, &[0][..]].concat();
    sealed(pages, &footer)
}

fn sealed(pages: &[u8], footer: &[u8]) -> Vec<u8> {
    let length = u32::try_from(footer.len()).expect("small").to_le_bytes();
    [b"PAR1", pages, footer, &length, b"PAR1"].concat()
}

/// A file whose footer hides all that it says in its version: a text, for who passes over it, and a number for who reads one.
fn hidden(pages: &[u8], schema: &[Vec<u8>]) -> Vec<u8> {
    let whole = file(pages, schema, PLAIN, UNCOMPRESSED);
    let footer = &whole[4 + pages.len()..whole.len() - 8];
    let said = footer.strip_prefix(&numbers([(0x15, 1)])[..]).expect("its version");
    sealed(pages, &[&[0x18][..], &varint(said.len() as u64), said, &[0]].concat())
}

fn texts(pages: &[u8], encoding: u8, codec: u8) -> Vec<u8> {
    file(pages, &[root(1), column(None)], encoding, codec)
}

fn said(bytes: &[u8]) -> Result<usize, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("forged.parquet");
    fs::write(&path, bytes).expect("written");
    read(&path).map_err(|error| error.to_string())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::best());
    out.write_all(bytes).expect("memory");
    out.finish().expect("memory")
}

/// So many lengths, of which there is one; what is behind it.
fn lengths(count: u64, length: u64, behind: &[u8]) -> Vec<u8> {
    [&[0x80, 1, 4][..], &varint(count), &varint(length << 1), behind].concat()
}

const NAME: &[u8] = "某地众诚".as_bytes();
/// More than any machine has.
const ENDLESS: u64 = 1 << 38;

#[test]
fn what_a_page_says_is_not_believed() {
    let plain = [&[12, 0, 0, 0], NAME].concat();
    let packed = gzip(&plain);
    let whole = |codec, pages: &[u8]| texts(pages, PLAIN, codec);
    for (encoding, data) in [(PLAIN, plain.clone()), (LENGTHS, lengths(1, 12, NAME)), (SHARED, lengths(1, 0, &lengths(1, 12, NAME)))] {
        assert_eq!(said(&texts(&honest(encoding, &data), encoding, UNCOMPRESSED)), Ok(1), "{encoding}");
    }
    assert_eq!(said(&whole(GZIP, &page(PLAIN, [plain.len(), packed.len(), 1], &packed))), Ok(1));

    let size = [1 << 20, 1 << 20, i32::MAX as usize];
    let twice = |mut page: Vec<u8>, content: usize| {
        page.splice(content..content, [0x05, 4, 2]); // its size again, by the number of the field
        page
    };
    let end = page(PLAIN, [plain.len(), plain.len(), 1], &[]).len() - 1;
    let cases = [
        ("counts", texts(&honest(LENGTHS, &lengths(ENDLESS, 12, NAME)), LENGTHS, UNCOMPRESSED), "more lengths than values"),
        ("shared", texts(&honest(SHARED, &lengths(ENDLESS, 0, &[])), SHARED, UNCOMPRESSED), "more lengths than values"),
        ("rest", texts(&honest(SHARED, &lengths(1, 0, &lengths(ENDLESS, 12, NAME))), SHARED, UNCOMPRESSED), "more lengths than values"),
        ("values", texts(&page(LENGTHS, size, NAME), LENGTHS, UNCOMPRESSED), "smaller pages"),
        ("not said", texts(&honest(SHARED, &lengths(1, 0, &lengths(1, 12, NAME))), PLAIN, UNCOMPRESSED), "its column does not have"),
        ("twice", whole(UNCOMPRESSED, &twice(honest(PLAIN, &plain), end)), "the header of a page"),
        ("bare", whole(UNCOMPRESSED, &page(PLAIN, [1, 97 << 20, 1], &plain)), "smaller pages"),
        ("gzip", whole(GZIP, &page(PLAIN, [plain.len() - 1, packed.len(), 1], &packed)), "more than it says"),
        ("gzips", whole(GZIP, &page(PLAIN, [plain.len(), 2 * packed.len(), 1], &packed.repeat(2))), "more than it says"),
    ];
    for (name, bytes, why) in cases {
        let said = said(&bytes).expect_err(name);
        assert!(said.contains(why), "{name}: {said}");
    }
}

#[test]
fn what_a_footer_says_is_not_believed() {
    let page = honest(PLAIN, &[&[12, 0, 0, 0], NAME].concat());
    let within = |levels| [vec![root(1); levels], vec![column(None)]].concat();
    let fixed = file(&honest(SPLIT, &[]), &[root(1), column(Some(i32::MAX.into()))], SPLIT, UNCOMPRESSED);
    let mut groups = file(&page, &[root(1), column(None)], PLAIN, UNCOMPRESSED);
    let at = groups.windows(4).rposition(|bytes| bytes == [0x19, 0x1C, 0x19, 0x1C]).expect("the row groups");
    groups.splice(at + 1..at + 2, [&[0xFC][..], &varint(1 << 24)].concat());
    let footer = u32::try_from(groups.len() - 8 - 4 - page.len()).expect("small").to_le_bytes();
    let tail = groups.len() - 8;
    groups[tail..tail + 4].copy_from_slice(&footer);
    let cases = [
        ("columns", file(&page, &[root(i32::MAX.into()), column(None)], PLAIN, UNCOMPRESSED), "more columns"),
        ("within", file(&page, &within(200), PLAIN, UNCOMPRESSED), "more columns"),
        ("fixed", fixed, "holds no texts"),
        ("groups", groups, "larger row groups"),
        ("hidden columns", hidden(&page, &[root(i32::MAX.into()), column(None)]), "another kind"),
        ("hidden within", hidden(&page, &within(200_000)), "another kind"),
    ];
    for (name, bytes, why) in cases {
        let said = said(&bytes).expect_err(name);
        assert!(said.contains(why), "{name}: {said}");
    }
}

/// A value of a footer.
enum Value {
    /// A kind that has nothing in it, and what is written of it.
    Plain(u8, Vec<u8>),
    /// Of which kind each is.
    List(u8, Vec<Self>),
    /// Each field with its number.
    Struct(Vec<(u8, Self)>),
}
use Value::{List, Plain, Struct};

const I32: u8 = 5;
const I64: u8 = 6;
const TEXT: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

impl Value {
    const fn kind(&self) -> u8 {
        match self {
            Plain(kind, _) => *kind,
            List(..) => LIST,
            Struct(_) => STRUCT,
        }
    }

    /// Writes it; the field or the list in it whose turn it is says that it is of another kind.
    fn write(&self, turn: &mut Option<usize>, out: &mut Vec<u8>) {
        match self {
            Plain(_, bytes) => out.extend(bytes),
            List(kind, each) => {
                let kind = if is_next(turn) { other(*kind) } else { *kind };
                out.push(0xF0 | kind);
                out.extend(varint(each.len() as u64));
                for value in each {
                    value.write(turn, out);
                }
            }
            Struct(fields) => {
                let mut last = 0;
                for (number, value) in fields {
                    let lies = is_next(turn);
                    let kind = if lies { other(value.kind()) } else { value.kind() };
                    match number - last {
                        further @ 1..16 => out.push(further << 4 | kind),
                        _ => out.extend([kind, number << 1]),
                    }
                    last = *number;
                    let mut bytes = Vec::new();
                    value.write(turn, &mut bytes);
                    if lies && kind == TEXT {
                        out.extend(varint(bytes.len() as u64)); // what it is lies hidden in it
                    }
                    out.extend(bytes);
                }
                out.push(0);
            }
        }
    }
}

/// Whether it is its turn; of all who ask, one after the other.
fn is_next(turn: &mut Option<usize>) -> bool {
    let next = *turn == Some(0);
    *turn = turn.and_then(|turn| turn.checked_sub(1));
    next
}

/// Another kind than this.
const fn other(kind: u8) -> u8 {
    if kind == TEXT { I32 } else { TEXT }
}

fn number(kind: u8, number: u64) -> Value {
    Plain(kind, varint(number << 1))
}

fn text(text: &str) -> Value {
    Plain(TEXT, [&varint(text.len() as u64), text.as_bytes()].concat())
}

fn truth() -> Value {
    Plain(1, Vec::new())
}

/// A struct that has all fields, from 1.
fn all<const N: usize>(fields: [Value; N]) -> Value {
    Struct((1..).zip(fields).collect())
}

/// A union that is of this number.
fn one(number: u8, value: Value) -> Value {
    Struct(vec![(number, value)])
}

/// What a column may be, beside what its values are.
fn logical_type(which: u8) -> Value {
    let value = match which {
        5 => all([number(I32, 2), number(I32, 9)]),
        7 | 8 => all([truth(), one(2, all([]))]),
        10 => all([Plain(3, vec![32]), truth()]),
        16 => all([Plain(3, vec![1])]),
        17 => all([text("crs")]),
        18 => all([text("crs"), number(I32, 1)]),
        _ => all([]),
    };
    one(which, value)
}

/// A row group's column with all that may be said of it.
fn chunk(size: u64) -> Value {
    let i64 = |value| number(I64, value);
    let i32 = |value| number(I32, value);
    let statistics = all([text("b"), text("a"), i64(0), i64(1), text("b"), text("a"), truth(), truth(), i64(0)]);
    let sizes = all([i64(12), List(I64, vec![i64(1)]), List(I64, vec![i64(1)])]);
    let place = || Plain(7, vec![0; 8]);
    let places = all([all([place(), place(), place(), place(), place(), place(), place(), place()]), List(I32, vec![i32(1)])]);
    let metadata = all([
        i32(6),
        List(I32, vec![i32(PLAIN.into())]),
        List(TEXT, vec![text("name")]),
        i32(UNCOMPRESSED.into()),
        i64(1),
        i64(size),
        i64(size),
        List(STRUCT, vec![all([text("key"), text("value")])]),
        i64(4),
        i64(4),
        i64(4),
        statistics,
        List(STRUCT, vec![all([i32(0), i32(0), i32(1)])]),
        i64(4),
        i32(1),
        sizes,
        places,
    ]);
    let key = one(2, all([List(TEXT, vec![text("name")]), text("key")]));
    all([text(""), i64(4), metadata, i64(4), i32(1), i64(4), i32(1), key, text("")])
}

/// A footer with all that may be said in one, of a column of texts and of columns within others, of each kind that there is.
fn everything(size: u64) -> Value {
    const KINDS: u8 = 19;
    let i64 = |value| number(I64, value);
    let i32 = |value| number(I32, value);
    let leaf = |title, often| Struct(vec![(1, i32(6)), (3, i32(often)), (4, text(title))]);
    let mut columns = vec![Struct(vec![(4, text("rows")), (5, i32(1 + u64::from(KINDS)))]), leaf("name", 0)];
    for which in 1..=KINDS {
        let name = text(&format!("kind {which}"));
        columns.push(all([i32(6), i32(0), i32(1), name, i32(1), i32(0), i32(0), i32(0), i32(1), logical_type(which)]));
        columns.push(leaf("inline", 1));
    }
    let chunks = (0..=KINDS).map(|_| chunk(size)).collect();
    let sorted = List(STRUCT, vec![all([i32(0), truth(), truth()])]);
    let group = all([List(STRUCT, chunks), i64(size), i64(1), sorted, i64(4), i64(size), number(4, 0)]);
    let orders = (0..=KINDS).map(|column| one(1 + column % 3, all([]))).collect();
    let cipher = one(1, all([text("prefix"), text("file"), truth()]));
    all([
        i32(2),
        List(STRUCT, columns),
        i64(1),
        List(STRUCT, vec![group]),
        List(STRUCT, vec![all([text("key"), text("value")])]),
        text("nobody"),
        List(STRUCT, orders),
        cipher,
        text("key"),
    ])
}

#[test]
fn a_field_of_another_kind_than_it_has_is_refused_wherever_it_stands() {
    let page = honest(PLAIN, &[&[12, 0, 0, 0], NAME].concat());
    let footer = everything(page.len() as u64);
    let mut honest = Vec::new();
    footer.write(&mut None, &mut honest);
    assert_eq!(said(&sealed(&page, &honest)), Ok(1));
    for field in 0.. {
        let (mut turn, mut forged) = (Some(field), Vec::new());
        footer.write(&mut turn, &mut forged);
        if turn.is_some() {
            assert!(field > 1_000, "{field}"); // nobody's turn: it was everybody's
            break;
        }
        let why = said(&sealed(&page, &forged)).expect_err("another kind");
        assert!(why.contains("another kind") || why.contains("columns that are none"), "{field}: {why}");
    }
}

/// Writes texts in one page, in an encoding.
fn write(path: &Path, encoding: Encoding, texts: impl Iterator<Item = String>) {
    let column = Type::primitive_type_builder("name", Physical::BYTE_ARRAY).build().expect("a column");
    let schema = Type::group_type_builder("rows").with_fields(vec![Arc::new(column)]).build().expect("columns");
    let properties = WriterProperties::builder().set_dictionary_enabled(false).set_encoding(encoding);
    let properties =
        properties.set_data_page_size_limit(usize::MAX).set_statistics_enabled(parquet::file::properties::EnabledStatistics::None);
    let out = fs::File::create(path).expect("a file");
    let mut file = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties.build())).expect("a file");
    let mut group = file.next_row_group().expect("a row group");
    let mut column = group.next_column().expect("one more").expect("one more");
    for text in texts {
        column.typed::<ByteArrayType>().write_batch(&[ByteArray::from(text.as_str())], Some(&[1]), None).expect("written");
    }
    column.close().expect("written");
    group.close().expect("written");
    file.close().expect("written");
}

#[test]
fn texts_that_share_what_they_begin_with_are_counted_as_they_are_made() {
    let bureau = Bureau::new();
    for encoding in [Encoding::DELTA_BYTE_ARRAY, Encoding::DELTA_LENGTH_BYTE_ARRAY] {
        let names = (0..5_000).map(|firm| format!("某地众诚{}{firm}有限公司", if firm % 5 == 0 { "理财" } else { "日用品" }));
        write(&bureau.path("names.parquet"), encoding, names);
        assert_eq!(told(&bureau.rescreen(&["names.parquet"], "out.csv", &["--restart"])), [5_000, 4_000, 1_000, 0], "{encoding}");
    }
    // a page of 1 MiB: the same text 110 times, which are 110 MiB
    let long = "日用百货".repeat(1 << 20 >> 4) + &"甲".repeat(1 << 20 >> 4);
    write(&bureau.path("same.parquet"), Encoding::DELTA_BYTE_ARRAY, (0..110).map(|_| long.clone()));
    assert!(fs::metadata(bureau.path("same.parquet")).expect("a file").len() < 2 << 20);
    let error: OpenError = read(&bureau.path("same.parquet")).expect_err("too much");
    assert!(error.to_string().contains("smaller pages"), "{error}");
}
