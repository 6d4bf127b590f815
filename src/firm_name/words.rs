//! The words firms' names are made of, from `wordlists/language/name-parts.tsv`.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::problem::Problem;

const FILE: &str = "language/name-parts.tsv";

/// Organisation forms (组织形式), industry words (行业或者经营特点) and endings of branches (分支机构).
#[derive(Debug, Default)]
pub struct NameWords {
    /// Forms whose firms have branches, by first character, longest first.
    companies: FxHashMap<char, Vec<String>>,
    /// 集团, which heads branches only where no company does.
    groups: FxHashMap<char, Vec<String>>,
    /// All forms by last character, longest first.
    forms: FxHashMap<char, Vec<String>>,
    notes: FxHashMap<char, Vec<String>>,
    branches: FxHashMap<char, Vec<String>>,
    industries: FxHashSet<String>,
    townships: Vec<String>,
    longest_industry: usize,
}

impl NameWords {
    /// Reads `kind TAB word TAB reason` a line, the kinds being company, group, form, note, branch, industry and
    /// township. Empty lines and lines beginning with `#` are left out.
    ///
    /// # Errors
    /// Every problem, with its 1-based line.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let (mut words, mut problems) = (Self::default(), Vec::new());
        for (at, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Err(message) = words.line(line) {
                problems.push(Problem::new(FILE, at + 1, message));
            }
        }
        words.finish();
        if problems.is_empty() { Ok(words) } else { Err(problems) }
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        let fields: Vec<&str> = line.split('\t').map(str::trim).collect();
        let [kind, word, reason] = fields[..] else {
            return Err("needs 3 fields with tabs between".to_owned());
        };
        let word: String = word.chars().map(fold).collect();
        let (Some(first), Some(last)) = (word.chars().next(), word.chars().next_back()) else {
            return Err("has no word".to_owned());
        };
        if reason.is_empty() {
            return Err(format!("{word} has no reason"));
        }
        match kind {
            "company" => {
                self.companies.entry(first).or_default().push(word.clone());
                put(&mut self.forms, last, word)
            }
            "group" => {
                self.groups.entry(first).or_default().push(word.clone());
                put(&mut self.forms, last, word)
            }
            "form" => put(&mut self.forms, last, word),
            "note" => put(&mut self.notes, last, word),
            "branch" => put(&mut self.branches, last, word),
            "industry" if self.industries.contains(&word) => Err(format!("{word} is listed twice")),
            "industry" => {
                self.industries.insert(word);
                Ok(())
            }
            "township" => {
                self.townships.push(word);
                Ok(())
            }
            _ => Err(format!("no such kind: {kind} (company, group, form, note, branch, industry, township)")),
        }
    }

    fn finish(&mut self) {
        let maps = [&mut self.companies, &mut self.groups, &mut self.forms, &mut self.notes, &mut self.branches];
        for words in maps.into_iter().flat_map(FxHashMap::values_mut) {
            words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        }
        self.longest_industry = self.industries.iter().map(String::len).max().unwrap_or(0);
    }

    /// Where the form at the end of `text` begins, and whether a note (有限合伙 in brackets) is part of it.
    pub(super) fn form(&self, text: &str) -> Option<usize> {
        let noted = ending(&self.notes, text);
        let form = ending(&self.forms, &text[..noted.unwrap_or(text.len())]);
        form.or(noted)
    }

    /// Where the name of the head firm ends when `text` goes on with a branch's: behind the first form of
    /// a company after which something follows that ends like a branch and not like another company.
    pub(super) fn head(&self, text: &str) -> Option<usize> {
        ending(&self.branches, text)?; // most names do not end like a branch's
        self.head_by(&self.companies, text).or_else(|| self.head_by(&self.groups, text))
    }

    fn head_by(&self, forms: &FxHashMap<char, Vec<String>>, text: &str) -> Option<usize> {
        let mut ends = text.char_indices().skip(1).filter_map(|(at, first)| {
            let forms = forms.get(&fold(first))?;
            forms.iter().find_map(|form| Some(at + starts_with(&text[at..], form)?))
        });
        ends.find(|&end| self.branch(&text[end..]))
    }

    fn branch(&self, rest: &str) -> bool {
        let branch = ending(&self.branches, rest);
        let company = ending(&self.forms, rest).filter(|&at| self.is_company(&rest[at..]));
        branch.is_some_and(|at| company.is_none_or(|company| at <= company))
    }

    fn is_company(&self, form: &str) -> bool {
        let first = form.chars().next().map(fold);
        let forms = first.and_then(|first| self.companies.get(&first));
        forms.is_some_and(|forms| forms.iter().any(|known| starts_with(form, known) == Some(form.len())))
    }

    /// The length of a township (乡镇) at the head of `rest`: two or three characters and 镇, 乡, 街道.
    pub(super) fn township(&self, rest: &str) -> usize {
        let starts = rest.char_indices().map(|(at, _)| at).skip(2).take(2);
        let ends = starts.filter_map(|at| {
            let word = self.townships.iter().find(|word| rest[at..].starts_with(word.as_str()))?;
            Some(at + word.len())
        });
        ends.min().unwrap_or(0)
    }

    /// The characters that industry words begin with.
    pub(super) fn industry_beginnings(&self) -> FxHashSet<char> {
        self.industries.iter().filter_map(|word| word.chars().next()).collect()
    }

    /// The places in `text` from which on it is nothing but industry words, first to last.
    pub(super) fn industries(&self, text: &str) -> Vec<usize> {
        let mut good = vec![text.len()];
        for (at, _) in text.char_indices().rev() {
            let made = |end: &usize| end - at <= self.longest_industry && self.industries.contains(&text[at..*end]);
            if good.iter().rev().any(made) {
                good.push(at);
            }
        }
        good.reverse();
        good.pop();
        good
    }
}

fn put(words: &mut FxHashMap<char, Vec<String>>, key: char, word: String) -> Result<(), String> {
    let words = words.entry(key).or_default();
    if words.contains(&word) {
        return Err(format!("{word} is listed twice"));
    }
    words.push(word);
    Ok(())
}

/// Full-width brackets as ASCII ones: names are written with either.
pub(super) fn fold(c: char) -> char {
    match c {
        '（' => '(',
        '）' => ')',
        c => c,
    }
}

/// Where the longest word that ends `text` begins.
fn ending(words: &FxHashMap<char, Vec<String>>, text: &str) -> Option<usize> {
    let words = words.get(&fold(text.chars().next_back()?))?;
    if !text.contains(['（', '）']) {
        return words.iter().find(|word| text.ends_with(word.as_str())).map(|word| text.len() - word.len());
    }
    words.iter().find_map(|word| {
        let mut rest = text.chars();
        let whole = word.chars().rev().all(|c| rest.next_back().map(fold) == Some(c));
        whole.then_some(rest.as_str().len())
    })
}

/// The length in `text` of the word it begins with.
fn starts_with(text: &str, word: &str) -> Option<usize> {
    let mut rest = text.chars();
    let whole = word.chars().all(|c| rest.next().map(fold) == Some(c));
    whole.then(|| text.len() - rest.as_str().len())
}
