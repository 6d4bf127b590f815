//! JSON lines: one object a line, its keys in the order of the columns.

use std::io::Write;

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{Cell, Column, SEPARATOR, SheetError, Table};

/// Writes a table as JSON lines.
pub struct Jsonl<W> {
    out: W,
    columns: &'static [Column],
}

impl<W: Write> Jsonl<W> {
    /// Begins a table, or goes on with one: JSON lines have no header.
    pub const fn new(out: W, columns: &'static [Column]) -> Self {
        Self { out, columns }
    }

    /// Gives back what it was written to.
    pub fn finish(self) -> W {
        self.out
    }
}

impl<W: Write> Table for Jsonl<W> {
    fn row(&mut self, cells: &[Cell<'_>]) -> Result<(), SheetError> {
        serde_json::to_writer(&mut self.out, &Row { columns: self.columns, cells })?;
        Ok(self.out.write_all(b"\n")?)
    }
}

struct Row<'a> {
    columns: &'static [Column],
    cells: &'a [Cell<'a>],
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_map(Some(self.columns.len()))?;
        for (column, cell) in self.columns.iter().zip(self.cells) {
            if column.list {
                let values: Vec<&str> = cell.text.split(SEPARATOR).filter(|value| !value.is_empty()).collect();
                row.serialize_entry(column.key, &values)?;
            } else {
                row.serialize_entry(column.key, cell.text)?;
            }
        }
        row.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_an_array() {
        const COLUMNS: &[Column] = &[Column::new("企业名称", "name", 10), Column::list("命中字样", "terms", 10)];
        let mut jsonl = Jsonl::new(Vec::new(), COLUMNS);
        jsonl.row(&["某\"地\n", "理财；金融"].map(Cell::from)).expect("memory");
        jsonl.row(&["某地", ""].map(Cell::from)).expect("memory");
        let expected = "{\"name\":\"某\\\"地\\n\",\"terms\":[\"理财\",\"金融\"]}\n{\"name\":\"某地\",\"terms\":[]}\n";
        assert_eq!(String::from_utf8(jsonl.finish()).as_deref(), Ok(expected));
    }
}
