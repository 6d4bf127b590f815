//! The columns (列) of what a re-screening writes.

use crate::sheet::{Column, CsvOptions, Format};

/// How the flagged firms are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The format of the output.
    pub format: Format,
    /// How CSV is written.
    pub csv: CsvOptions,
    /// The columns: [`FLAGGED`] or [`CHANGED`].
    pub columns: &'static [Column],
}

/// The columns of the firms that are flagged.
pub const FLAGGED: &[Column] = &[
    Column::new("来源文件", "source", 16),
    Column::new("行号", "line", 8),
    Column::new("企业名称", "name", 36),
    Column::new("统一社会信用代码", "uscc", 22),
    Column::new("结论", "decision_chinese", 12),
    Column::new("结论代码", "decision", 14),
    Column::list("命中字样", "terms", 20),
    Column::list("命中位置", "hits", 24),
    Column::list("业态", "business_fields", 16),
    Column::list("依据", "bases", 36),
    Column::list("告知部门", "inform", 30),
    Column::new("行政区划代码", "region", 10),
    Column::new("行政区划", "region_name", 20),
    Column::new("主体类型", "entity_kind", 12),
    Column::new("成立日期", "established", 12),
    Column::new("经营范围", "scope", 80),
    Column::list("提示", "warnings", 24),
];

/// The columns of the firms whose decision changes from one version of the lists to another: those of [`FLAGGED`], where the
/// hits and their bases are those of the stronger decision, and what it was before.
pub const CHANGED: &[Column] = &{
    let mut columns = [Column::new("", "", 0); FLAGGED.len() + 4];
    let mut at = 0;
    while at < FLAGGED.len() {
        columns[at] = FLAGGED[at];
        at += 1;
    }
    columns[at] = Column::new("变化", "change", 12);
    columns[at + 1] = Column::new("原结论", "before_chinese", 12);
    columns[at + 2] = Column::new("原结论代码", "before", 14);
    columns[at + 3] = Column::list("致变依据", "because", 36);
    columns
};

/// The columns of the rows that are none.
pub const REJECTS: &[Column] = &[
    Column::new("来源文件", "source", 16),
    Column::new("行号", "line", 8),
    Column::new("原因", "reason", 30),
    Column::new("原文", "text", 80),
];

/// The columns of the counts.
pub const COUNTS: &[Column] = &[Column::new("类别", "of", 14), Column::new("项目", "what", 40), Column::new("户数", "firms", 12)];
