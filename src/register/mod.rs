//! A register (登记簿): the firms of a bureau, in the files that bureaus have.
//!
//! CSV and TSV in UTF-8 or GB18030, JSON lines, workbooks, Parquet, the text ones compressed by zstd or gzip too. [`Register::open`]
//! finds out which it is and where the columns are ([`columns`]). What follows is in two halves, so that many can work at once:
//! one reader cuts the stream into blocks ([`blocks`]), anyone takes the rows out of a block ([`records`]), and makes firms of
//! those it wants to know more of ([`firm`]).

pub mod blocks;
mod buffer;
pub mod columns;
pub mod expand;
pub mod firm;
mod header;
mod json;
pub mod open;
mod parquet;
mod quotes;
pub mod records;
mod section;
mod separators;
mod workbook;

pub use blocks::{Block, Piece, Unreadable};
pub use buffer::{Buffer, Spare};
pub use columns::{Column, Said};
pub use open::{Kind, OpenError, Options, Register};
pub use records::{Fault, Records, Row, Why};
