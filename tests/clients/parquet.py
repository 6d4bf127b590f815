"""DuckDB as one who writes Parquet, and as one who reads what Mingcha wrote.

    parquet.py write FIRMS.tsv FOLDER     writes the register in many ways, one file each
    parquet.py read FILE.parquet          prints its rows as JSON, its types before them
"""

import json
import sys

import duckdb

# each holds all columns of the register, as texts where nothing else is said
WAYS = {
    "snappy": "compression snappy",
    "zstd": "compression zstd",
    "gzip": "compression gzip",
    "plain": "compression uncompressed, dictionary_size_limit 0",
    "v2": "compression zstd, parquet_version v2, dictionary_size_limit 0",
    "groups": "compression snappy, row_group_size 2048",
}

TYPES = {
    "dates": "cast(成立日期 as date) as 成立日期",
    "timestamps": "cast(成立日期 as timestamp) as 成立日期",
    "zoned": "cast(成立日期 || ' 00:00:00+08' as timestamptz) as 成立日期",
    "nanoseconds": "cast(成立日期 as timestamp_ns) as 成立日期",
}


def write(register, folder):
    duckdb.sql(f"create table firms as select * from read_csv('{register}', delim='\t', quote='', header=true, all_varchar=true)")
    for name, how in WAYS.items():
        duckdb.sql(f"copy firms to '{folder}/{name}.parquet' (format parquet, {how})")
    for name, column in TYPES.items():
        duckdb.sql(f"copy (select * replace ({column}) from firms) to '{folder}/{name}.parquet' (format parquet)")
    # columns beside those that are looked for, in another order; some that no text can be made of
    extra = "[1, 2] as 列表, {'a': 1} as 结构, cast(1.5 as decimal(9, 2)) as 金额"
    duckdb.sql(f"copy (select {extra}, 经营范围, 企业名称, 统一社会信用代码, * exclude (经营范围, 企业名称, 统一社会信用代码) from firms) "
               f"to '{folder}/extra.parquet' (format parquet)")
    duckdb.sql(f"copy (select 经营范围 as 甲, 成立日期 as 乙 from firms) to '{folder}/nameless.parquet' (format parquet)")
    duckdb.sql(f"copy (select [企业名称] as 企业名称 from firms) to '{folder}/lists.parquet' (format parquet)")
    duckdb.sql(f"copy (select cast(1.5 as decimal(9, 2)) as name) to '{folder}/decimals.parquet' (format parquet)")
    bad = "cast(null as blob)), ('\\xFF\\xFE'::blob), (''::blob), ('\\xE7\\x90\\x86\\xE8\\xB4\\xA2\\x1F'::blob)"
    duckdb.sql(f"copy (select * from (values ({bad}) as t(name)) to '{folder}/bad.parquet' (format parquet)")
    # a value of a dictionary that stands in many rows: 1 kB becomes 100 MB
    duckdb.sql(f"copy (select repeat('理', 100000) as name from range(400)) to '{folder}/bomb.parquet' (format parquet)")
    duckdb.sql(f"copy (select repeat(md5(i::text), 1500000) as name from range(3) r(i)) to '{folder}/page.parquet' (format parquet)")
    # rows enough for many groups, and a text that comes again and again
    many = "select '某地众诚' || (if(i % 5 = 0, '理财', '日用品')) || i || '有限公司' as name, repeat('日用百货零售；', 20 + i % 7) as scope"
    duckdb.sql(f"copy ({many} from range(20000) r(i)) to '{folder}/many.parquet' (format parquet, row_group_size 2048)")


def read(file):
    rows = duckdb.sql(f"select * from read_parquet('{file}')")
    print(json.dumps([str(kind) for kind in rows.types]))
    for row in rows.fetchall():
        print(json.dumps(dict(zip(rows.columns, row)), ensure_ascii=False))


if __name__ == "__main__":
    {"write": write, "read": read}[sys.argv[1]](*sys.argv[2:])
