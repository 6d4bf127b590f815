//! Parquet as others write it, and as others read it: `DuckDB` from `tests/clients`, pyarrow in a file that it wrote.

use std::{fs, path::Path, process::Command, sync::Arc};

use mingcha::register::{Kind, OpenError, Options, Register};
use parquet::{
    basic::{Compression, Type as Physical},
    data_type::{ByteArray, ByteArrayType},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::types::Type,
};
use serde_json::Value;

use super::{Bureau, FIRMS, MEMORY, rows, told};

/// The five firms by pyarrow 26: row groups of 2, pages of version 2 with checksums, all codecs; encodings PLAIN, dictionary,
/// `DELTA_BYTE_ARRAY`, `DELTA_LENGTH_BYTE_ARRAY`, `DELTA_BINARY_PACKED`; large texts, bytes, days as INT96.
const PYARROW: &[u8] = include_bytes!("../data/pyarrow.parquet");

const LOOKED_AT: [&str; 7] = ["企业名称", "统一社会信用代码", "结论代码", "行政区划代码", "主体类型", "成立日期", "经营范围"];

fn duckdb(args: &[&str]) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    assert!(folder.join(".venv/installed").exists(), "the client is not installed: please run tests/clients/install");
    let output = Command::new(folder.join(".venv/bin/python")).arg(folder.join("parquet.py")).args(args).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// A bureau with the files that `DuckDB` writes.
fn written() -> Bureau {
    let bureau = Bureau::new();
    let register = bureau.write("firms.tsv", FIRMS);
    let folder = register.parent().expect("a folder");
    duckdb(&["write", register.to_str().expect("text"), folder.to_str().expect("text")]);
    bureau
}

#[test]
fn what_others_wrote_says_the_same() {
    let bureau = written();
    bureau.write("pyarrow.parquet", PYARROW);
    bureau.rescreen(&["firms.tsv"], "expected.csv", &[]);
    let expected = rows(&bureau.read("expected.csv"), &LOOKED_AT);
    assert_eq!(expected[0][5], "2011-10-18");
    let ways = ["snappy", "zstd", "gzip", "plain", "v2", "groups", "dates", "timestamps", "zoned", "nanoseconds", "extra", "pyarrow"];
    for way in ways {
        let said = bureau.rescreen(&[&format!("{way}.parquet")], "out.csv", &[]);
        assert_eq!(told(&said), [5, 2, 3, 0], "{way}: {said}");
        let written = bureau.read("out.csv");
        assert_eq!(rows(&written, &LOOKED_AT), expected, "{way}");
        assert_eq!(rows(&written, &["行号"]).concat(), ["1", "4", "5"], "{way}");
    }
    bureau.rescreen(&["extra.parquet"], "out.csv", &["--columns", "name=#5,scope=#4"]);
    assert_eq!(rows(&bureau.read("out.csv"), &LOOKED_AT), expected);
    let said = bureau.rescreen(&["many.parquet"], "out.csv", &[]);
    assert_eq!(told(&said), [20_000, 16_000, 4_000, 0], "{said}");
    assert_eq!(rows(&bureau.read("out.csv"), &["行号", "企业名称"])[3999], ["19996", "某地众诚理财19995有限公司"]);
}

#[test]
fn bad_values_are_told_by_their_row() {
    let bureau = written();
    let said = bureau.rescreen(&["bad.parquet"], "out.csv", &[]);
    assert_eq!(told(&said), [4, 0, 1, 3], "{said}");
    let rejects = rows(&bureau.read("out.csv.rejects.csv"), &["行号", "原因"]);
    assert_eq!(rejects, [["1", "企业名称为空"], ["2", "编码有误"], ["3", "企业名称为空"]]);
}

#[test]
fn what_is_no_register_is_refused() {
    let bureau = written();
    bureau.write("cut.parquet", &PYARROW[..PYARROW.len() - 40]);
    bureau.write("packed", PYARROW);
    let cases = [
        ("nameless", 2, "企业名称); there are: 甲, 乙"),
        ("lists", 2, "'企业名称' holds no texts"),
        ("decimals", 2, "'name' holds no texts"),
        ("bomb", 2, "expands"),
        ("page", 3, "write it in smaller pages or row groups"),
        ("cut", 3, "Corrupt footer"),
    ];
    for (name, status, why) in cases {
        let output = bureau.run(&[&format!("{name}.parquet")], "out.csv", &["--restart"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(status) && said.contains(why), "{name}: {:?} {said}", output.status);
    }
    let output = bureau.run(&["packed"], "out.csv", &["--restart"]);
    assert!(output.status.code() == Some(2) && String::from_utf8_lossy(&output.stderr).contains("a Parquet file is read"), "{output:?}");
    bureau.rescreen(&["packed"], "out.csv", &["--restart", "--format", "parquet"]);
}

#[test]
fn others_read_what_is_written() {
    let bureau = written();
    bureau.rescreen(&["many.parquet", "snappy.parquet"], "out.csv", &["--raw"]);
    bureau.rescreen(&["many.parquet", "snappy.parquet"], "out.parquet", &[]);
    let text = bureau.read("out.csv");
    let mut table = csv::Reader::from_reader(text.trim_start_matches('\u{FEFF}').as_bytes());
    let columns = table.headers().expect("a header").clone();
    let said = duckdb(&["read", bureau.path("out.parquet").to_str().expect("text")]);
    let mut lines = said.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    assert_eq!(lines.next(), Some(Value::from(vec!["VARCHAR"; columns.len()])));
    let mut count = 0;
    for (row, read) in table.records().zip(lines.by_ref()) {
        let row: Value = columns.iter().zip(&row.expect("a row")).map(|(title, text)| (title.to_owned(), Value::from(text))).collect();
        assert_eq!(read, row);
        count += 1;
    }
    assert!(lines.next().is_none() && count == 4003, "{count}");
    let again = bureau.rescreen(&["out.parquet"], "again.parquet", &[]);
    assert_eq!(told(&again), [4003, 0, 4003, 0], "{again}");
    assert!(!bureau.files().iter().any(|name| name.contains(".part") || name.contains(".new")), "{:?}", bureau.files());
}

/// What is told where a panic was caught, or the rows of a row group are not there.
const BROKEN: &str = "the Parquet file is broken: ";

/// Reads a whole register; how many pieces there are.
pub(super) fn read(path: &Path) -> Result<usize, OpenError> {
    let mut register = Register::open(path, &Options { kind: Some(Kind::Parquet), ..Options::default() })?;
    let mut pieces = 0;
    while register.pieces.next_piece()?.is_some() {
        pieces += 1;
    }
    Ok(pieces)
}

#[test]
fn a_broken_file_is_an_error_and_no_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("broken.parquet");
    let (mut whole, mut broken) = (0, 0);
    let mut asserted = Vec::new(); // within: which is caught
    for (at, flip) in (0..PYARROW.len()).zip([0x01, 0x80, 0xFF].into_iter().cycle()) {
        let mut bytes = PYARROW.to_vec();
        bytes[at] ^= flip;
        fs::write(&path, &bytes).expect("written");
        match read(&path).map_err(|error| error.to_string()) {
            Ok(_) => whole += 1,
            Err(why) => {
                broken += 1;
                if why.contains(BROKEN) && !why.contains("row group") {
                    asserted.push((bytes, why));
                }
            }
        }
    }
    assert!(whole > 0 && broken > 2000, "{whole} {broken}"); // whole: in what is not read, as the columns that nobody asks for
    let (bytes, why) = asserted.first().expect("some of what a file says is asserted");
    let bureau = Bureau::new();
    bureau.write("broken.parquet", bytes);
    let output = bureau.run(&["broken.parquet"], "out.csv", &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let why = &why[why.find(BROKEN).expect("it says so")..];
    assert!(output.status.code() == Some(3) && said.contains(why.lines().next().expect("a line")), "{why}: {said}");
    assert!(!said.contains("panicked") && !said.contains("RUST_BACKTRACE"), "a panic that is caught is nobody's matter: {said}");
}

/// Writes row groups of so many firms, of these columns, each text so long; a page of each column holds so many bytes.
fn write_pages(path: &Path, groups: &[usize], columns: &[(&str, usize)], page: usize) {
    let field = |(title, _): &(&str, usize)| Arc::new(Type::primitive_type_builder(title, Physical::BYTE_ARRAY).build().expect("a column"));
    let schema = Type::group_type_builder("rows").with_fields(columns.iter().map(field).collect()).build().expect("columns");
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).set_dictionary_enabled(false);
    let properties = properties.set_data_page_size_limit(page).set_data_page_row_count_limit(usize::MAX).build();
    let mut file =
        SerializedFileWriter::new(fs::File::create(path).expect("a file"), Arc::new(schema), Arc::new(properties)).expect("a file");
    for firms in groups {
        let mut group = file.next_row_group().expect("a row group");
        for (_, length) in columns {
            let mut column = group.next_column().expect("one more").expect("one more");
            let filling = "日用百货".repeat(length / 12);
            for firm in 0..*firms {
                let text = ByteArray::from(format!("某地众诚{firm}{filling}").as_str());
                column.typed::<ByteArrayType>().write_batch(&[text], Some(&[1]), None).expect("written");
            }
            column.close().expect("written");
        }
        group.close().expect("written");
    }
    file.close().expect("written");
}

#[test]
fn what_is_in_memory_of_pages_is_bounded() {
    let bureau = Bureau::new();
    // as DuckDB writes row groups of 122 880 firms: a page a column, each larger than what is left of the one before it
    write_pages(
        &bureau.path("whole.parquet"),
        &[100_000, 111_000, 122_880],
        &[("企业名称", 40), ("经营范围", 400), ("登记机关", 40)],
        usize::MAX,
    );
    // as pyarrow does, with scopes as long as any, and longer
    write_pages(&bureau.path("long.parquet"), &[1_100], &[("企业名称", 40), ("经营范围", 200_000)], 1 << 20);
    write_pages(
        &bureau.path("many.parquet"),
        &[122_880],
        &[("企业名称", 40), ("经营范围", 400), ("登记机关", 400), ("省份", 400)],
        usize::MAX,
    );
    for (name, firms) in [("whole", 333_880), ("long", 1_100)] {
        let (said, memory) = bureau.measured(&[&format!("{name}.parquet")], "out.csv", &["--restart"]);
        println!("{name}: {memory} MB");
        assert_eq!(told(&said)[0], firms, "{said}");
        assert!(memory < MEMORY, "{name}: {memory} MB");
    }
    let (output, memory) = bureau.weighed(&["many.parquet"], "many.csv", &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(3) && said.contains("write it in smaller pages or row groups"), "{said}");
    assert!(memory < MEMORY, "{memory} MB");
}
