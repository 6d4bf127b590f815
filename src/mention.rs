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
    wordlist::{Files, TermId, Wordlists, rows::rows},
};

const MENTIONS: &str = "language/mentions.tsv";

/// The phrases, by the term they hold.
#[derive(Debug)]
pub struct Mentions {
    /// By the term and the characters that must stand beside it, longest first.
    beside: FxHashMap<(TermId, Neighbour), Vec<Context>>,
    reasons: Vec<String>,
    count: usize,
}

/// The characters next to a term: the two behind it where a phrase has any there, else the two before it; the second where
/// it has one. So few phrases are to be compared. Packed: 21 bits a character, and above them the side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Neighbour(u64);

impl Neighbour {
    /// The beginning or the end of the text.
    const EDGE: Self = Self(0);

    fn after(first: char, second: Option<char>) -> Self {
        Self(1 << 63 | Self::pair(first, second))
    }

    fn before(first: char, second: Option<char>) -> Self {
        Self(1 << 62 | Self::pair(first, second))
    }

    fn pair(first: char, second: Option<char>) -> u64 {
        u64::from(first) << 21 | second.map_or(0, u64::from)
    }
}

/// What must stand round a term for it to be a mention.
#[derive(Debug)]
struct Context {
    before: Vec<char>,
    after: Vec<char>,
    at_start: bool,
    at_end: bool,
    fields: Set<Field>,
    /// Its place among all: of two that are equally long the first decides.
    order: usize,
    /// None where the phrase is an exception: here the term is meant.
    reason: Option<usize>,
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
        let mut mentions = Self { beside: FxHashMap::default(), reasons: Vec::new(), count: 0 };
        let terms: FxHashMap<&str, TermId> = lists.numbered_terms().map(|(id, term)| (term.read.as_str(), id)).collect();
        for row in rows(MENTIONS, files.text(MENTIONS, problems), 4, problems) {
            let [phrase, names, fields, why] = row.columns[..] else { continue };
            let mut add = || {
                let fields = fields_of(fields)?;
                let named: Vec<(&str, TermId)> = names.split(',').map(|name| named_term(name, &terms)).collect::<Result<_, _>>()?;
                let (phrase, reason) = match phrase.strip_prefix('!') {
                    Some(exception) => (exception, None),
                    None => (phrase, Some(mentions.reasons.len())),
                };
                mentions.reasons.extend(reason.map(|_| why.to_owned()));
                alternatives(phrase)?.iter().try_for_each(|literal| mentions.add(literal, &named, fields, reason))
            };
            if let Err(why) = add() {
                problems.push(Problem::new(MENTIONS, row.line, why));
            }
        }
        for contexts in mentions.beside.values_mut() {
            contexts.sort_by_key(|context| std::cmp::Reverse(context.length()));
        }
        mentions
    }

    fn add(&mut self, phrase: &str, terms: &[(&str, TermId)], fields: Set<Field>, reason: Option<usize>) -> Result<(), String> {
        let (at_start, phrase) = phrase.strip_prefix('^').map_or((false, phrase), |rest| (true, rest));
        let (at_end, phrase) = phrase.strip_suffix('$').map_or((false, phrase), |rest| (true, rest));
        let mut holds_one = false;
        for (term, id) in terms {
            for (at, _) in phrase.match_indices(term) {
                let before: Vec<char> = phrase[..at].chars().rev().collect();
                let after: Vec<char> = phrase[at + term.len()..].chars().collect();
                let beside = match (&after[..], &before[..]) {
                    ([c, more @ ..], _) => Neighbour::after(*c, more.first().copied()),
                    ([], [c, more @ ..]) => Neighbour::before(*c, more.first().copied()),
                    ([], []) if at_start || at_end => Neighbour::EDGE,
                    ([], []) => return Err(format!("'{phrase}' is the bare term")),
                };
                let order = self.count;
                self.count += 1;
                let context = Context { before, after, at_start, at_end, fields, order, reason };
                self.beside.entry((*id, beside)).or_default().push(context);
                holds_one = true;
            }
        }
        if holds_one { Ok(()) } else { Err(format!("'{phrase}' holds none of its terms")) }
    }

    /// The longest phrase round an occurrence, if it makes it a mention and is no exception.
    #[must_use]
    pub fn around(&self, text: &[Kept], found: Found, field: Field) -> Option<Mentioned<'_>> {
        let read = |index: usize| text.get(index).map(|kept| kept.read);
        let before = |back: usize| found.first.checked_sub(back).and_then(read);
        let (after, after_it) = (read(found.last + 1), read(found.last + 2));
        let (before, before_it) = (before(1), before(2));
        let beside = [
            after.map(|c| Neighbour::after(c, None)),
            after.filter(|_| after_it.is_some()).map(|c| Neighbour::after(c, after_it)),
            before.map(|c| Neighbour::before(c, None)),
            before.filter(|_| before_it.is_some()).map(|c| Neighbour::before(c, before_it)),
            (after.is_none() || before.is_none()).then_some(Neighbour::EDGE),
        ];
        let fitting = beside.into_iter().flatten().filter_map(|beside| {
            let contexts = self.beside.get(&(found.term, beside))?;
            contexts.iter().find(|context| context.fits(text, found, field))
        });
        let context = fitting.max_by_key(|context| (context.length(), std::cmp::Reverse(context.order)))?;
        Some(Mentioned {
            first: found.first - context.before.len(),
            last: found.last + context.after.len(),
            reason: &self.reasons[context.reason?],
        })
    }
}

impl Context {
    fn length(&self) -> usize {
        self.before.len() + self.after.len()
    }

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

fn named_term<'n>(name: &'n str, terms: &FxHashMap<&str, TermId>) -> Result<(&'n str, TermId), String> {
    terms.get(name).map(|id| (name, *id)).ok_or_else(|| format!("'{name}' is no term of the lists, in folded form"))
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
        if choices.contains('(') {
            return Err(format!("'{phrase}' has alternatives within alternatives"));
        }
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
