//! The footer (页尾元数据), which says where the columns are: read once here before the crate makes of it what is several times as
//! large, calls itself for every level of a schema, and makes room for as many columns as one says that it has.

use std::io;

use bytes::Bytes;
use parquet::{
    errors::{ParquetError, Result},
    file::metadata::{
        ColumnChunkMetaData, FooterTail, KeyValue, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy,
        RowGroupMetaData,
    },
};

use super::{
    file::Guarded,
    shape::{self, COLUMN, FILE},
    thrift::{Fields, I32, LIST, STRUCT, Thrift, odd},
};

/// The length of a footer and what a file ends with.
const TAIL: usize = 8;
/// Most bytes of a footer.
const MOST: usize = 16 << 20;
/// Most bytes of what becomes of it.
const MOST_READ: u64 = 64 << 20;
/// Most columns within columns.
const DEEPEST: usize = 64;
/// What becomes of a column, beside its names.
const EACH: u64 = 1024;
/// What becomes of a name, beside its letters.
const NAME: u64 = 32;

/// Reads a file's footer; gives what it takes in memory too.
pub(super) fn read(file: &Guarded) -> Result<(ParquetMetaData, u64)> {
    let size = file.size();
    let at = size.checked_sub(TAIL as u64).ok_or_else(|| ParquetError::EOF("it is cut off".to_owned()))?;
    let tail = FooterTail::try_from(&file.bytes(at, TAIL)?[..])?;
    let length = tail.metadata_length();
    if tail.is_encrypted_footer() {
        return Err(ParquetError::General("it is encrypted".to_owned()));
    }
    if length > MOST {
        return Err(ParquetError::General(format!("a footer of {length} bytes, of at most {MOST}: write it in larger row groups")));
    }
    let at = at.checked_sub(length as u64).ok_or_else(|| ParquetError::EOF("it is cut off".to_owned()))?;
    let footer: Bytes = file.bytes(at, length)?;
    let takes = weigh(&footer).map_err(|why| ParquetError::General(format!("the footer: {why}")))?;
    if takes > MOST_READ {
        let message = format!("a footer that takes {takes} bytes, of at most {MOST_READ}: write it in larger row groups");
        return Err(ParquetError::General(message));
    }
    let mut options = ParquetMetaDataOptions::new();
    options.set_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll);
    options.set_column_stats_policy(ParquetStatisticsPolicy::SkipAll);
    options.set_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
    Ok((ParquetMetaDataReader::decode_metadata_with_options(&footer, Some(&options))?, takes))
}

/// What becomes of a footer, in bytes.
fn weigh(footer: &[u8]) -> io::Result<u64> {
    let mut thrift = Thrift::new(footer);
    let (mut takes, mut columns) = (0u64, 0u64);
    let mut fields = Fields::default();
    while let Some(field) = thrift.field(&mut fields)? {
        let each = match field {
            (2, LIST) => {
                let schema = weigh_schema(&mut thrift)?;
                (takes, columns) = (takes.saturating_add(schema.takes), schema.columns);
                continue;
            }
            (4, LIST) => {
                (columns.saturating_mul(size_of::<ColumnChunkMetaData>() as u64)).saturating_add(size_of::<RowGroupMetaData>() as u64)
            }
            (5, LIST) => size_of::<KeyValue>() as u64,
            _ => 0,
        };
        if each > 0 {
            takes = takes.saturating_add(thrift.clone().list()?.0.saturating_mul(each));
            if takes > MOST_READ {
                return Ok(takes);
            }
        }
        shape::pass(&mut thrift, FILE, field)?;
    }
    Ok(takes)
}

struct Schema {
    takes: u64,
    columns: u64,
}

/// Weighs columns: each is written behind the one that it is within, and each has the names of all that it is within.
fn weigh_schema(thrift: &mut Thrift<&[u8]>) -> io::Result<Schema> {
    /// How many are to come within a column, and how long its names are.
    struct Within {
        left: u64,
        names: u64,
    }
    let (many, kind) = thrift.list()?;
    if kind != STRUCT && many > 0 {
        return Err(odd("columns that are none"));
    }
    let mut schema = Schema { takes: 0, columns: 0 };
    let mut within: Vec<Within> = Vec::new();
    for _ in 0..many {
        let before = thrift.at();
        let mut left = 0;
        let mut fields = Fields::default();
        while let Some(field) = thrift.field(&mut fields)? {
            match field {
                (5, I32) => left = thrift.number()?,
                _ => shape::pass(thrift, COLUMN, field)?,
            }
        }
        let names = within.last().map_or(0, |column| column.names).saturating_add(thrift.at() - before).saturating_add(NAME);
        schema.takes = schema.takes.saturating_add(EACH).saturating_add(names);
        schema.columns += u64::from(left == 0);
        if left > many || within.len() > DEEPEST || schema.takes > MOST_READ {
            return Err(odd("more columns than anybody writes, within each other or beside"));
        }
        if let Some(column) = within.last_mut() {
            column.left -= 1;
        }
        within.push(Within { left, names });
        while within.last().is_some_and(|column| column.left == 0) {
            within.pop();
        }
    }
    Ok(schema)
}
