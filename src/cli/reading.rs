//! How registers (名册) are read: what the command line says of them.

use clap::Args;

use super::screen::value;
use crate::{
    encoding::Encoding,
    jurisdiction::Region,
    register::{Kind, Options, Said, expand::Limits, firm::Places},
    screen::Engine,
    vocabulary::EntityKind,
};

/// Most GiB of which the bytes can be counted.
const MOST_GIB: u64 = u64::MAX >> 30;

/// How to read registers, and what holds for firms of which they do not tell it.
#[derive(Debug, Args)]
pub(super) struct Reading {
    /// The inputs' format, where their names do not say it: csv, tsv, jsonl, xlsx, parquet.
    #[arg(long, value_name = "FORMAT", value_parser = kind)]
    format: Option<Kind>,
    /// The inputs' encoding [default: detected]: utf-8 or gb18030.
    #[arg(long, value_name = "ENCODING", value_parser = encoding)]
    encoding: Option<Encoding>,
    /// Columns whose header is not known: name=HEADER,scope=#4. Columns: name, scope, uscc, region, authority, province, city,
    /// county, kind, established.
    #[arg(long, value_name = "COLUMN=HEADER,...", value_parser = Said::parse, default_value = "")]
    columns: Said,
    /// Where firms are registered whose place nothing tells [default: the nation].
    #[arg(long, value_name = "PLACE")]
    region: Option<String>,
    /// What firms are whose kind nothing tells: enterprise, individual-business or farmer-cooperative.
    #[arg(long, value_name = "KIND", default_value = "enterprise", value_parser = value::<EntityKind>)]
    pub(super) entity: EntityKind,
    /// Most GiB that a compressed input may expand to.
    #[arg(long, value_name = "GIB", default_value_t = 1024, value_parser = clap::value_parser!(u64).range(..=MOST_GIB))]
    most_expanded: u64,
}

impl Reading {
    /// How to open them.
    pub(super) fn options(&self) -> Options {
        Options {
            kind: self.format,
            encoding: self.encoding,
            columns: self.columns.clone(),
            limits: Limits { bytes: self.most_expanded << 30, ..Limits::default() },
        }
    }

    /// Where firms are registered whose place nothing tells.
    ///
    /// # Errors
    /// That it is no place.
    pub(super) fn region(&self, engine: &Engine) -> Result<Region, String> {
        let Some(place) = &self.region else { return Ok(Region::NATION) };
        let wrong = || format!("--region: '{place}' is neither a GB/T 2260 code nor the name of one known place");
        Places::new(engine).named(place).ok_or_else(wrong)
    }
}

fn kind(text: &str) -> Result<Kind, String> {
    match text.to_ascii_lowercase().as_str() {
        "csv" => Ok(Kind::Csv),
        "tsv" => Ok(Kind::Tsv),
        "jsonl" => Ok(Kind::Jsonl),
        "xlsx" => Ok(Kind::Xlsx),
        "parquet" => Ok(Kind::Parquet),
        _ => Err("expected one of: csv, tsv, jsonl, xlsx, parquet".to_owned()),
    }
}

/// Reads an encoding.
pub(super) fn encoding(text: &str) -> Result<Encoding, String> {
    match text.to_ascii_lowercase().as_str() {
        "utf-8" | "utf8" => Ok(Encoding::Utf8),
        "gb18030" | "gbk" | "gb2312" => Ok(Encoding::Gb18030),
        _ => Err("expected one of: utf-8, gb18030".to_owned()),
    }
}
