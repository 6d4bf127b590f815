//! A firm's name (企业名称) taken apart into the four parts of 企业名称登记管理规定, article 6: division
//! (行政区划名称), trade name (字号), industry (行业或者经营特点) and organisation form (组织形式).
//!
//! ```text
//! 南京市玄武区 鼎盛 贸易 有限公司        鼎盛(南京)贸易有限公司        鼎盛贸易有限公司 | 南京分公司
//! division   trade industry form                                  parts of the head firm | branch
//! ```

mod edges;
mod words;

pub use edges::Edges;
pub use words::NameWords;

use crate::{
    jurisdiction::{Divisions, Level, Region},
    problem::Problem,
    wordlist::Files,
};

/// First byte and the byte behind the last, in the name as it was given.
pub type Span = (usize, usize);

/// The parts of a name. Each is a [`Span`] of the original text; a part that the name does not have is
/// `None`. Brackets round a division are in no part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NameParts {
    /// 行政区划名称, with a zone or township behind it; also 中国 and the like (article 12).
    pub division: Option<Span>,
    /// What the division says: the most specific region.
    pub region: Option<Region>,
    /// 字号: what is the firm's own.
    pub trade_name: Option<Span>,
    /// 行业或者经营特点: words of the list in a row, or whatever stands behind a division in brackets.
    pub industry: Option<Span>,
    /// 组织形式, with a bracketed note such as （有限合伙） behind it.
    pub organisation_form: Option<Span>,
    /// What a branch (分支机构) adds behind the head firm's name (article 13). The other parts are then
    /// those of the head firm.
    pub branch: Option<Span>,
}

const DICTIONARY: &str = "language/dictionary.txt";
const WORDS: &str = "language/name-parts.tsv";

/// What it takes to take names apart: the words they are made of, and a segmenter (jieba).
#[derive(Debug)]
pub struct Names {
    words: NameWords,
    edges: Edges,
}

impl Names {
    /// Reads both from the wordlists.
    pub(crate) fn load(files: &Files) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let words = NameWords::parse(files.text(WORDS, &mut problems)).map_err(|more| problems.extend(more)).unwrap_or_default();
        let dictionary = files.text(DICTIONARY, &mut problems);
        match Edges::load(DICTIONARY, dictionary, &words.industry_beginnings()) {
            Ok(edges) if problems.is_empty() => Ok(Self { words, edges }),
            Ok(_) => Err(problems),
            Err(problem) => Err(problems.into_iter().chain([problem]).collect()),
        }
    }

    /// See [`take_apart`].
    #[must_use]
    pub fn take_apart(&self, name: &str, divisions: &Divisions) -> Option<NameParts> {
        take_apart(name, divisions, &self.words, &self.edges)
    }
}

/// A longer text is no firm's name: bounds the work on hostile ones.
const LONGEST: usize = 600;

/// Takes a name apart, or gives `None` where that cannot be done honestly: no organisation form at its end
/// (or before a branch), nothing before the form, or more than 600 bytes.
///
/// The trade name is what the division, the industry words and the form leave over. It has two characters
/// where the name allows (article 8); a name of nothing but industry words (南京建材有限公司) has none.
#[must_use]
pub fn take_apart(name: &str, divisions: &Divisions, words: &NameWords, edges: &Edges) -> Option<NameParts> {
    let start = name.len() - name.trim_start().len();
    let end = name.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, '.' | '。' | '．')).len();
    let text = name.get(start..end).filter(|text| text.len() <= LONGEST)?;
    let head = words.head(text);
    let whole = head.unwrap_or(text.len());
    let form = words.form(&text[..whole])?;
    let reader = Reader { text, divisions, words, edges };
    let mut parts = reader.body(form);
    parts.organisation_form = Some((form, whole));
    parts.branch = head.map(|head| (head, text.len()));
    let some = parts.division.or(parts.trade_name).or(parts.industry);
    some.map(|_| parts.moved(start))
}

impl NameParts {
    fn moved(self, by: usize) -> Self {
        let moved = |span: Option<Span>| span.map(|(start, end)| (start + by, end + by));
        Self {
            division: moved(self.division),
            region: self.region,
            trade_name: moved(self.trade_name),
            industry: moved(self.industry),
            organisation_form: moved(self.organisation_form),
            branch: moved(self.branch),
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    divisions: &'a Divisions,
    words: &'a NameWords,
    edges: &'a Edges,
}

impl Reader<'_> {
    /// What stands before the form: a division in front, or in brackets further on.
    fn body(&self, end: usize) -> NameParts {
        let leading = self.leading(end);
        let rest = (leading.map_or(0, |(len, _)| len), end);
        let place = self.place_in_brackets(rest);
        let mut parts = match place {
            Some((outer, inner, region)) => {
                NameParts { division: Some(inner), region: Some(region), ..self.around((rest.0, outer.0), (outer.1, rest.1)) }
            }
            None => self.split(rest),
        };
        if let Some((len, region)) = leading {
            (parts.division, parts.region) = (Some((0, len)), Some(region));
            if parts.trade_name.is_none() && place.is_none() && self.is_bare_county(len, region) {
                // A firm must have a trade name; the bare name of a county is more likely that.
                (parts.division, parts.region, parts.trade_name) = (None, None, Some((0, len)));
            }
            if let Some(at) = self.before_city_works(len, rest, parts.trade_name) {
                (parts.division, parts.trade_name, parts.industry) = (Some((0, at)), None, Some((at, end)));
            }
        }
        parts
    }

    /// Where the industry begins if the division took the first character of it: 阿拉尔市|政|劳务 is
    /// 阿拉尔|市政劳务. Asked only of a trade name of one character.
    fn before_city_works(&self, len: usize, rest: Span, trade_name: Option<Span>) -> Option<usize> {
        let (start, end) = trade_name?;
        self.text[start..end].chars().nth(1).is_none().then_some(())?;
        let (at, _) = self.text[..len].char_indices().next_back()?;
        let industry = self.words.industries(&self.text[at..rest.1]).first() == Some(&0);
        let place = self.divisions.leading_place(&self.text[..at])?.0 == at;
        (industry && place).then_some(at)
    }

    fn leading(&self, end: usize) -> Option<(usize, Region)> {
        let body = &self.text[..end];
        let (len, region) = self.divisions.leading_place(body)?;
        let full = region.level() == Level::County && !self.is_bare_county(len, region);
        let township = if full { self.words.township(&body[len..]) } else { 0 };
        // A township must leave something to be called by.
        let township = if len + township < end { township } else { 0 };
        Some((len + township, region))
    }

    /// Whether the first `len` bytes are a county's name without 县, 市 and without the city above it.
    fn is_bare_county(&self, len: usize, region: Region) -> bool {
        let full = self.divisions.name(region).unwrap_or_default();
        region.level() == Level::County && full.len() > len && full.starts_with(&self.text[..len])
    }

    /// The first pair of brackets that holds a place and nothing else: outer and inner span.
    fn place_in_brackets(&self, (start, end): Span) -> Option<(Span, Span, Region)> {
        let text = &self.text[..end];
        let mut opens = text.char_indices().filter(|&(at, c)| at >= start && words::fold(c) == '(');
        opens.find_map(|(at, open)| {
            let inner = at + open.len_utf8();
            let (len, close) = text[inner..].char_indices().find(|&(_, c)| words::fold(c) == ')')?;
            let (place, region) = self.divisions.leading_place(&text[inner..inner + len])?;
            (place == len).then(|| ((at, inner + len + close.len_utf8()), (inner, inner + len), region))
        })
    }

    /// The parts round a division in brackets: the trade name before it, the industry behind; or both on
    /// one side.
    fn around(&self, before: Span, behind: Span) -> NameParts {
        if is_empty(before) {
            return self.split(behind);
        }
        let parts = self.split(before);
        if is_empty(behind) {
            return parts;
        }
        NameParts { trade_name: parts.trade_name.or(Some(before)), industry: Some(behind), ..parts }
    }

    /// A trade name and the industry words behind it.
    fn split(&self, span: Span) -> NameParts {
        if is_empty(span) {
            return NameParts::default();
        }
        let at = span.0 + self.industry_from(&self.text[span.0..span.1]);
        let part = |span: Span| (!is_empty(span)).then_some(span);
        NameParts { trade_name: part((span.0, at)), industry: part((at, span.1)), ..NameParts::default() }
    }

    /// Where the industry begins: the longest run of industry words to the end that leaves two characters
    /// and begins where jieba ends a word, else the longest that leaves two, else any.
    fn industry_from(&self, text: &str) -> usize {
        let runs = self.words.industries(text);
        let first = runs.first().copied().unwrap_or(text.len());
        let two = text.char_indices().nth(2).map_or(text.len(), |(at, _)| at);
        if first == 0 || first >= two && runs.len() < 2 {
            return first;
        }
        let long = || runs.iter().copied().filter(|&at| at >= two);
        let only = long().next().filter(|_| long().nth(1).is_none());
        only.or_else(|| self.edges.first(text, long())).or_else(|| long().next()).unwrap_or(first)
    }
}

const fn is_empty((start, end): Span) -> bool {
    start >= end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jurisdiction::DivisionFiles;

    const DIVISIONS: DivisionFiles<'static> = DivisionFiles {
        gbt2260: include_str!("../wordlists/divisions/gbt2260.tsv"),
        retired: include_str!("../wordlists/divisions/retired.tsv"),
        places: include_str!("../wordlists/divisions/places.tsv"),
        suffixes: include_str!("../wordlists/divisions/suffixes.tsv"),
    };

    /// Enough of a dictionary to see where a word ends.
    const DICTIONARY: &str = "科技 900\n信息 900\n技术 900\n贸易 900\n投资 900\n管理 900\n鼎信 900\n息 5\n金属 900\n餐饮 900\n";

    struct Lists(Divisions, NameWords, Edges);

    fn lists() -> Lists {
        let (Ok(divisions), Ok(words)) =
            (Divisions::parse(&DIVISIONS), NameWords::parse(include_str!("../wordlists/language/name-parts.tsv")))
        else {
            panic!("the lists of the repository have problems");
        };
        let Ok(edges) = Edges::load("", DICTIONARY, &words.industry_beginnings()) else { panic!("the dictionary is malformed") };
        Lists(divisions, words, edges)
    }

    impl Lists {
        fn take(&self, name: &str) -> Option<NameParts> {
            take_apart(name, &self.0, &self.1, &self.2)
        }
    }

    /// Name; then division, trade name, industry, form, branch, with `-` for none; or a single `-`.
    const CASES: &[&str] = &[
        "南京市玄武区鼎盛贸易有限公司 南京市玄武区 鼎盛 贸易 有限公司 -",
        "南京鼎盛贸易有限公司 南京 鼎盛 贸易 有限公司 -",
        "江苏鼎盛科技股份有限公司 江苏 鼎盛 科技 股份有限公司 -",
        "鼎盛(南京)贸易有限公司 南京 鼎盛 贸易 有限公司 -",
        "鼎盛（南京）贸易有限公司 南京 鼎盛 贸易 有限公司 -",
        "鼎盛贸易（南京）有限公司 南京 鼎盛 贸易 有限公司 -",
        "（南京）鼎盛贸易有限公司 南京 鼎盛 贸易 有限公司 -",
        "鼎盛（中国）投资有限公司 中国 鼎盛 投资 有限公司 -",
        "鼎盛（南京）云上有限公司 南京 鼎盛 云上 有限公司 -",
        "鼎盛（老字号）贸易有限公司 - 鼎盛（老字号） 贸易 有限公司 -",
        "鼎盛贸易有限公司 - 鼎盛 贸易 有限公司 -",
        "鼎盛有限公司 - 鼎盛 - 有限公司 -",
        "北京云顶鼎盛投资管理中心（有限合伙） 北京 云顶鼎盛 投资管理 中心（有限合伙） -",
        "南京鼎盛股权投资合伙企业(有限合伙) 南京 鼎盛 股权投资 合伙企业(有限合伙) -",
        "南京鼎盛会计师事务所（普通合伙） 南京 鼎盛 - 会计师事务所（普通合伙） -",
        "南京鼎盛贸易有限公司苏州分公司 南京 鼎盛 贸易 有限公司 苏州分公司",
        "鼎盛贸易有限公司南京分公司 - 鼎盛 贸易 有限公司 南京分公司",
        "南京鼎盛医药连锁有限公司第七药店 南京 鼎盛 医药连锁 有限公司 第七药店",
        "南京鼎盛贸易有限公司苏州分公司虎丘营业部 南京 鼎盛 贸易 有限公司 苏州分公司虎丘营业部",
        "鼎盛集团设备租赁分公司 - 鼎盛 - 集团 设备租赁分公司",
        "南京鼎盛集团有限公司 南京 鼎盛 - 集团有限公司 -",
        "南京鼎盛（集团）有限公司 南京 鼎盛 - （集团）有限公司 -",
        "南京鼎盛建材集团有限公司 南京 鼎盛 建材 集团有限公司 -",
        "盘山县鼎盛水稻种植专业合作社 盘山县 鼎盛 水稻种植 专业合作社 -",
        "盘山县鼎盛养殖农民专业合作社 盘山县 鼎盛 养殖 农民专业合作社 -",
        "盘山县东郭镇鼎盛养殖专业合作社 盘山县东郭镇 鼎盛 养殖 专业合作社 -",
        "南京市玄武区古镇餐饮店 南京市玄武区 古镇 餐饮 店 -",
        "南京市玄武区鼎盛五金店 南京市玄武区 鼎盛 五金 店 -",
        "玄武区鼎盛五金经营部 玄武区 鼎盛 五金 经营部 -",
        "南京鼎盛塑料制品厂 南京 鼎盛 塑料 制品厂 -",
        "南京鼎盛粮油商行 南京 鼎盛 粮油 商行 -",
        "南京鼎盛健身馆 南京 鼎盛 健身 馆 -",
        "南京鼎盛教育培训中心 南京 鼎盛 教育 培训中心 -",
        "苏州高新区鼎盛电子有限公司 苏州高新区 鼎盛 电子 有限公司 -",
        "南京鼎信信息技术有限公司 南京 鼎信 信息技术 有限公司 -",
        "南京鼎基金属制品有限公司 南京 鼎基 金属制品 有限公司 -",
        "南京张餐饮有限公司 南京 张 餐饮 有限公司 -",
        "阿拉尔市政劳务有限公司 阿拉尔 - 市政劳务 有限公司 -",
        "南京建材有限公司 南京 - 建材 有限公司 -",
        "长兴商贸有限公司 - 长兴 商贸 有限公司 -",
        "长兴鼎盛商贸有限公司 长兴 鼎盛 商贸 有限公司 -",
        "东方鼎盛商贸有限公司 - 东方鼎盛 商贸 有限公司 -",
        "中国鼎盛商贸集团有限公司 中国 鼎盛 商贸 集团有限公司 -",
        "彭水县鼎盛生态农业有限公司 彭水县 鼎盛 生态农业 有限公司 -",
        "内蒙古鼎盛煤炭运销有限责任公司 内蒙古 鼎盛 煤炭运销 有限责任公司 -",
        "　南京鼎盛贸易有限公司。 南京 鼎盛 贸易 有限公司 -",
        "鼎盛研究院（有限公司） - 鼎盛 - 研究院（有限公司） -",
        "南京鼎盛贸易 -",
        "有限公司 -",
        "（有限合伙） -",
        "南京市 -",
        "鼎盛🎉 -",
    ];

    #[test]
    fn names_come_apart() {
        let lists = lists();
        for case in CASES {
            let mut fields = case.split(' ');
            let name = fields.next().unwrap_or_default();
            let wanted: Vec<&str> = fields.collect();
            let found = lists.take(name).map_or_else(|| vec!["-"], |parts| shown(name, parts));
            assert_eq!(found, wanted, "{name}");
        }
    }

    fn shown(name: &str, parts: NameParts) -> Vec<&str> {
        [parts.division, parts.trade_name, parts.industry, parts.organisation_form, parts.branch]
            .map(|span| span.map_or("-", |(start, end)| &name[start..end]))
            .to_vec()
    }

    #[test]
    fn the_division_comes_with_its_region() {
        let lists = lists();
        let region = lists.take("鼎盛（南京市玄武区）贸易有限公司").and_then(|parts| parts.region);
        assert_eq!(region.map(|region| region.to_string()).as_deref(), Some("320102"));
    }

    #[test]
    fn hostile_texts_do_no_harm() {
        let lists = lists();
        let texts = [
            "",
            "   ",
            "（）()（）",
            "((((((有限公司",
            "））））南京有限公司",
            "（南京有限公司",
            "🎉🎉🎉有限公司",
            "\u{0}\u{FEFF}\u{202E}公司",
            "公司公司公司公司",
            "分公司分公司分公司",
            "a(b)c（d）e",
        ];
        for text in texts {
            let _ = lists.take(text);
        }
        assert_eq!(lists.take(&"有限公司".repeat(25_000)), None);
        assert_eq!(lists.take(&"（".repeat(100_000)), None);
    }

    #[test]
    fn every_cut_of_a_name_is_safe() {
        let lists = lists();
        let name = "鼎盛（南京市玄武区）信息科技（集团）有限公司苏州🎉分公司(有限合伙)";
        for (start, _) in name.char_indices() {
            for (end, _) in name.char_indices().filter(|&(end, _)| end >= start) {
                let _ = lists.take(&name[start..end]);
            }
        }
    }

    #[test]
    fn all_problems_of_a_list_are_told() {
        let Err(problems) = NameWords::parse("# a\nform\t厂\nform\t厂\t甲\nform\t厂\t乙\nfrom\t店\t丙\nindustry\t贸易\t\n") else {
            panic!("four of its lines are wrong");
        };
        let lines: Vec<usize> = problems.iter().map(|problem| problem.line).collect();
        assert_eq!(lines, [2, 4, 5, 6]);
    }
}
