//! Parquet (列式存储), for those who go on with a database. The columns are those of CSV, each a text that is never null.

use std::{io::Write, sync::Arc};

use parquet::{
    basic::{Compression, LogicalType, Repetition, Type as Physical, ZstdLevel},
    data_type::{ByteArray, ByteArrayType},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::types::Type,
};

use super::{Cell, Column, SheetError, Table};

/// Bytes of text that are kept before they are written as a row group.
const GROUP: usize = 16 << 20;
/// Most rows of a row group.
const ROWS: usize = 131_072;

/// Writes a table as Parquet.
pub struct Parquet<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    columns: Vec<Vec<ByteArray>>,
    bytes: usize,
}

impl<W: Write + Send> Parquet<W> {
    /// Begins a table.
    ///
    /// # Errors
    /// Where writing fails.
    pub fn begin(out: W, columns: &[Column]) -> Result<Self, SheetError> {
        let field = |column: &Column| {
            let field = Type::primitive_type_builder(column.title, Physical::BYTE_ARRAY);
            field.with_repetition(Repetition::REQUIRED).with_logical_type(Some(LogicalType::String)).build().map(Arc::new)
        };
        let fields = columns.iter().map(field).collect::<Result<_, _>>()?;
        let schema = Type::group_type_builder("rows").with_fields(fields).build()?;
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
        let writer = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties))?;
        Ok(Self { writer, columns: columns.iter().map(|_| Vec::new()).collect(), bytes: 0 })
    }

    fn write_group(&mut self) -> Result<(), SheetError> {
        let mut group = self.writer.next_row_group()?;
        let mut columns = self.columns.iter_mut();
        while let (Some(mut writer), Some(texts)) = (group.next_column()?, columns.next()) {
            writer.typed::<ByteArrayType>().write_batch(texts, None, None)?;
            writer.close()?;
            texts.clear();
        }
        group.close()?;
        self.bytes = 0;
        Ok(())
    }

    /// Ends the table, and gives back what it was written to.
    ///
    /// # Errors
    /// Where writing fails.
    pub fn finish(mut self) -> Result<W, SheetError> {
        if self.bytes > 0 {
            self.write_group()?;
        }
        Ok(self.writer.into_inner()?) // which writes the footer
    }
}

impl<W: Write + Send> Table for Parquet<W> {
    fn row(&mut self, cells: &[Cell<'_>]) -> Result<(), SheetError> {
        for (texts, cell) in self.columns.iter_mut().zip(cells) {
            texts.push(ByteArray::from(cell.text));
            self.bytes += cell.text.len() + 1; // a row of empty cells is a row
        }
        let rows = self.columns.first().map_or(0, Vec::len);
        if self.bytes >= GROUP || rows >= ROWS { self.write_group() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use parquet::{
        file::{reader::FileReader, serialized_reader::SerializedFileReader},
        record::RowAccessor,
    };

    use super::*;

    const COLUMNS: &[Column] = &[Column::new("企业名称", "name", 10), Column::list("命中字样", "terms", 10)];

    fn written(rows: &[[String; 2]]) -> Vec<u8> {
        let mut table = Parquet::begin(Vec::new(), COLUMNS).expect("memory");
        for row in rows {
            table.row(&[Cell::from(&row[0]), Cell::from(&row[1])]).expect("memory");
        }
        table.finish().expect("memory")
    }

    #[test]
    fn what_was_written_is_read_and_the_same_twice() {
        let long = "理财".repeat(100_000);
        let rows: Vec<[String; 2]> = (0..100).map(|number| [format!("某地{number}\n\"=,"), long.clone()]).collect();
        let bytes = written(&rows);
        assert_eq!(bytes, written(&rows));
        let file = SerializedFileReader::new(bytes::Bytes::from(bytes)).expect("a file");
        assert_eq!(file.num_row_groups(), 4); // 60 MB of text
        let read = file.get_row_iter(None).expect("rows").map(|row| {
            let row = row.expect("a row");
            [0, 1].map(|column| row.get_string(column).expect("a text").clone())
        });
        assert_eq!(read.collect::<Vec<_>>(), rows);
        let empty = SerializedFileReader::new(bytes::Bytes::from(written(&[]))).expect("a file");
        assert_eq!(empty.metadata().file_metadata().num_rows(), 0);
    }
}
