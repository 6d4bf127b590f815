//! Mentions (提及): the word is there, the business is not. 保险柜 is furniture, 互助县 a place.
//!
//! The phrases are data, each with its reason: `wordlists/language/mentions.tsv`.

use rustc_hash::FxHashMap;

use crate::{
    matcher::Found,
    normalize::Kept,
    problem::Problem,
    set::Set,
    vocabulary::Field,
    wordlist::{Files, Wordlists, rows::rows},
};

const MENTIONS: &str = "language/mentions.tsv";

/// The phrases, by the term they hold.
#[derive(Debug)]
pub struct Mentions {
    by_term: Vec<Vec<Context>>,
    reasons: Vec<String>,
}

/// What must stand round a term for it to be a mention.
#[derive(Debug)]
struct Context {
    before: Vec<char>,
    after: Vec<char>,
    at_start: bool,
    at_end: bool,
    fields: Set<Field>,
    reason: usize,
}

/// A mention: the first and last kept character of the phrase, and why it is harmless.
#[derive(Debug, Clone, Copy)]
pub struct Mentioned<'m> {
    /// First kept character.
    pub first: usize,
    /// Last kept character.
    pub last: usize,
    /// Why.
    pub reason: &'m str,
}

impl Mentions {
    /// Reads the phrases, adding what is wrong with them to `problems`.
    pub(crate) fn load(files: &Files, lists: &Wordlists, problems: &mut Vec<Problem>) -> Self {
        let mut mentions = Self { by_term: Vec::new(), reasons: Vec::new() };
        mentions.by_term.resize_with(lists.terms().len(), Vec::new);
        let terms: FxHashMap<&str, usize> = lists.terms().iter().enumerate().map(|(index, term)| (term.read.as_str(), index)).collect();
        for row in rows(MENTIONS, files.text(MENTIONS, problems), 4, problems) {
            let [phrase, names, fields, reason] = row.columns[..] else { continue };
            let mut add = || -> Result<(), String> {
                let fields = fields_of(fields)?;
                let named: Vec<(&str, usize)> = names.split(',').map(|name| named_term(name, &terms)).collect::<Result<_, _>>()?;
                mentions.reasons.push(reason.to_owned());
                for literal in alternatives(phrase)? {
                    mentions.add(&literal, &named, fields)?;
                }
                Ok(())
            };
            if let Err(why) = add() {
                problems.push(Problem::new(MENTIONS, row.line, why));
            }
        }
        for contexts in &mut mentions.by_term {
            contexts.sort_by_key(|context| std::cmp::Reverse(context.before.len() + context.after.len()));
        }
        mentions
    }

    fn add(&mut self, phrase: &str, terms: &[(&str, usize)], fields: Set<Field>) -> Result<(), String> {
        let (at_start, phrase) = phrase.strip_prefix('^').map_or((false, phrase), |rest| (true, rest));
        let (at_end, phrase) = phrase.strip_suffix('$').map_or((false, phrase), |rest| (true, rest));
        let mut holds_one = false;
        for (term, index) in terms {
            for (at, _) in phrase.match_indices(term) {
                holds_one = true;
                let before = phrase[..at].chars().rev().collect();
                let after = phrase[at + term.len()..].chars().collect();
                self.by_term[*index].push(Context { before, after, at_start, at_end, fields, reason: self.reasons.len() - 1 });
            }
        }
        if holds_one { Ok(()) } else { Err(format!("'{phrase}' holds none of its terms")) }
    }

    /// The longest phrase round an occurrence that makes it a mention.
    #[must_use]
    pub fn around(&self, text: &[Kept], found: Found, field: Field) -> Option<Mentioned<'_>> {
        let contexts = &self.by_term[found.term.0 as usize];
        contexts.iter().find(|context| context.fits(text, found, field)).map(|context| Mentioned {
            first: found.first - context.before.len(),
            last: found.last + context.after.len(),
            reason: &self.reasons[context.reason],
        })
    }
}

impl Context {
    fn fits(&self, text: &[Kept], found: Found, field: Field) -> bool {
        let mut before = text[..found.first].iter().rev();
        let mut after = text[found.last + 1..].iter();
        self.before.iter().all(|c| before.next().is_some_and(|kept| kept.read == *c))
            && self.after.iter().all(|c| after.next().is_some_and(|kept| kept.read == *c))
            && (!self.at_start || before.next().is_none())
            && (!self.at_end || after.next().is_none())
            && self.fields.contains(field)
    }
}

fn named_term<'n>(name: &'n str, terms: &FxHashMap<&str, usize>) -> Result<(&'n str, usize), String> {
    terms.get(name).map(|index| (name, *index)).ok_or_else(|| format!("'{name}' is no term of the lists, in folded form"))
}

fn fields_of(text: &str) -> Result<Set<Field>, String> {
    if text == "*" {
        return Ok(Field::ALL.iter().copied().collect());
    }
    text.split(',').map(|id| Field::from_id(id).ok_or_else(|| format!("'{id}' is no field"))).collect()
}

/// Spells out the alternatives of a phrase: 保险(柜|箱) is 保险柜 and 保险箱; (国家|) may be left out.
fn alternatives(phrase: &str) -> Result<Vec<String>, String> {
    const MOST: usize = 4096;
    let mut spelled = vec![String::new()];
    let mut rest = phrase;
    while let Some((plain, group)) = rest.split_once('(') {
        let (choices, after) = group.split_once(')').ok_or_else(|| format!("'{phrase}' lacks a ')'"))?;
        let choices: Vec<&str> = choices.split('|').collect();
        if spelled.len() * choices.len() > MOST {
            return Err(format!("'{phrase}' has more than {MOST} spellings"));
        }
        spelled = spelled.iter().flat_map(|begun| choices.iter().map(move |choice| format!("{begun}{plain}{choice}"))).collect();
        rest = after;
    }
    for begun in &mut spelled {
        begun.push_str(rest);
    }
    Ok(spelled)
}

