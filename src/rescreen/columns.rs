//! The columns (列) of what a re-screening writes.

use crate::sheet::Column;

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

/// The columns of the rows that are none.
pub const REJECTS: &[Column] = &[
    Column::new("来源文件", "source", 16),
    Column::new("行号", "line", 8),
    Column::new("原因", "reason", 30),
    Column::new("原文", "text", 80),
];

/// The columns of the counts.
pub const COUNTS: &[Column] = &[Column::new("类别", "of", 14), Column::new("项目", "what", 40), Column::new("户数", "firms", 12)];
