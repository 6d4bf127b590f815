//! A column of a row group, and how its values become texts.

use std::sync::Arc;

use jiff::{Timestamp, tz::Offset};
use parquet::{
    basic::{ConvertedType, LogicalType, TimeUnit, Type},
    column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader},
    data_type::{ByteArray, DataType},
    errors::ParquetError,
    file::metadata::ColumnChunkMetaData,
    schema::types::ColumnDescriptor,
};

use super::{
    file::Guarded,
    pages::{Held, Pages, shares},
};
use crate::day;

/// What a column's values mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// What they are: texts and numbers.
    Plain,
    /// Numbers without a sign.
    Unsigned,
    /// Days since 1970-01-01.
    Day,
    /// So many parts of a second since 1970-01-01, in UTC or on the clock of the place.
    Moment { per_second: i64, utc: bool },
}

/// A column that is being read.
pub(super) struct Column {
    reader: ColumnReader,
    meaning: Meaning,
    held: Arc<Held>,
    /// Whether its texts may be in memory beside its pages.
    shares: bool,
}

/// Most bytes of a text whose length is said for all of its column: room is made for a batch of them at once.
const LONGEST_FIXED: i32 = 1024;

/// Whether a column holds one text, number or day a row.
pub(super) fn is_text(column: &ColumnDescriptor) -> bool {
    let other = matches!(column.logical_type_ref(), Some(LogicalType::Decimal(_) | LogicalType::Uuid | LogicalType::Float16))
        || matches!(column.converted_type(), ConvertedType::DECIMAL | ConvertedType::INTERVAL)
        || column.physical_type() == Type::FIXED_LEN_BYTE_ARRAY && !(1..=LONGEST_FIXED).contains(&column.type_length());
    column.path().parts().len() == 1 && column.max_rep_level() == 0 && !other
}

impl Column {
    pub(super) fn open(file: &Arc<Guarded>, chunk: &ColumnChunkMetaData, rows: usize) -> Result<Self, ParquetError> {
        let held = Arc::new(Held::new(Arc::clone(file)));
        let pages = Pages::open(Arc::clone(&held), chunk, rows)?;
        let reader = get_column_reader(chunk.column_descr_ptr(), Box::new(pages));
        Ok(Self { reader, meaning: Meaning::of(chunk.column_descr()), held, shares: shares(chunk) })
    }

    /// Reads the next values, at most so many, in place of those before them; none where a row has none.
    pub(super) fn read(&mut self, most: usize, texts: &mut Vec<Option<ByteArray>>) -> Result<(), ParquetError> {
        texts.clear();
        self.held.settle();
        if !self.shares {
            return self.read_on(most, texts);
        }
        // a page of 1 MiB may be a thousand texts as long: each is counted before the next is made
        for count in 1..=most {
            self.read_on(1, texts)?;
            if texts.len() < count {
                break;
            }
            self.held.took(texts.last().and_then(Option::as_ref).map_or(0, ByteArray::len) as u64)?;
        }
        Ok(())
    }

    fn read_on(&mut self, most: usize, texts: &mut Vec<Option<ByteArray>>) -> Result<(), ParquetError> {
        let meaning = self.meaning;
        match &mut self.reader {
            ColumnReader::ByteArrayColumnReader(reader) => values(reader, most, texts, |text| text),
            ColumnReader::FixedLenByteArrayColumnReader(reader) => values(reader, most, texts, Into::into),
            ColumnReader::Int32ColumnReader(reader) if meaning == Meaning::Unsigned => {
                values(reader, most, texts, |number| of(&number.cast_unsigned().to_string()))
            }
            ColumnReader::Int32ColumnReader(reader) => values(reader, most, texts, |number| meaning.text(number.into())),
            ColumnReader::Int64ColumnReader(reader) => values(reader, most, texts, |number| meaning.text(number)),
            ColumnReader::Int96ColumnReader(reader) => {
                values(reader, most, texts, |time| Meaning::Moment { per_second: 1, utc: true }.text(time.to_seconds()))
            }
            ColumnReader::BoolColumnReader(reader) => values(reader, most, texts, |value| of(&value.to_string())),
            ColumnReader::FloatColumnReader(reader) => values(reader, most, texts, |number| of(&number.to_string())),
            ColumnReader::DoubleColumnReader(reader) => values(reader, most, texts, |number| of(&number.to_string())),
        }
    }
}

fn values<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    most: usize,
    texts: &mut Vec<Option<ByteArray>>,
    text: impl Fn(T::T) -> ByteArray,
) -> Result<(), ParquetError> {
    let (mut levels, mut values) = (Vec::new(), Vec::with_capacity(most));
    reader.read_records(most, Some(&mut levels), None, &mut values)?;
    let mut values = values.into_iter().map(text);
    if levels.is_empty() {
        texts.extend(values.map(Some)); // every row has one
    } else {
        texts.extend(levels.iter().map(|level| if *level > 0 { values.next() } else { None }));
    }
    Ok(())
}

fn of(text: &str) -> ByteArray {
    text.into()
}

impl Meaning {
    fn of(column: &ColumnDescriptor) -> Self {
        let parts = |unit: &TimeUnit| match unit {
            TimeUnit::MILLIS => 1_000,
            TimeUnit::MICROS => 1_000_000,
            TimeUnit::NANOS => 1_000_000_000,
        };
        match (column.logical_type_ref(), column.converted_type()) {
            (Some(LogicalType::Timestamp(time)), _) => Self::Moment { per_second: parts(&time.unit), utc: time.is_adjusted_to_u_t_c },
            (_, ConvertedType::TIMESTAMP_MILLIS) => Self::Moment { per_second: 1_000, utc: true },
            (_, ConvertedType::TIMESTAMP_MICROS) => Self::Moment { per_second: 1_000_000, utc: true },
            (Some(LogicalType::Date), _) | (_, ConvertedType::DATE) => Self::Day,
            (Some(LogicalType::Integer(number)), _) if !number.is_signed => Self::Unsigned,
            (_, ConvertedType::UINT_32 | ConvertedType::UINT_64) => Self::Unsigned,
            _ => Self::Plain,
        }
    }

    /// A number as a text: days as YYYY-MM-DD, those that no calendar has as they are.
    fn text(self, number: i64) -> ByteArray {
        let day = match self {
            Self::Plain => None,
            Self::Unsigned => return of(&number.cast_unsigned().to_string()),
            Self::Day => number.checked_mul(24 * 3600).and_then(|second| day_of(second, Offset::UTC)),
            Self::Moment { per_second, utc } => {
                let place = if utc { day::OFFSET } else { Offset::UTC };
                day_of(number.div_euclid(per_second), place)
            }
        };
        of(&day.unwrap_or_else(|| number.to_string()))
    }
}

/// The day of a second since 1970-01-01.
fn day_of(second: i64, place: Offset) -> Option<String> {
    Some(place.to_datetime(Timestamp::from_second(second).ok()?).date().to_string())
}
