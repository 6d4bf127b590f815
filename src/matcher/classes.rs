//! Classes (字符类): one byte for every character, so that the automaton is small and disguises cost it nothing. A character
//! has the class of what it is read as: characters of terms have one of their own, soft ones are skipped, all else is "other"
//! and sends the automaton back to its start.

use rustc_hash::FxHashMap;

use crate::characters::{Bits, Characters, Reading, closing_bracket};

pub(super) const OTHER: u8 = 0;
pub(super) const SOFT: u8 = 1;
/// Opens a bracket, perhaps with a reading in it.
const BRACKET: u8 = 2;
/// Characters with which no term begins have classes from here on upwards, those with which one begins from
/// [`LAST_NARROW`] on downwards: one comparison tells the ones from the others.
const FIRST_NARROW: u8 = 3;
const LAST_NARROW: u8 = FIRST_LEAD - 1;
/// Term characters beyond the one-byte classes are written as two bytes, a lead and a trail, each from a range
/// of its own, so that no match can begin in the middle of one.
const FIRST_LEAD: u8 = 0xC0;
const FIRST_TRAIL: u8 = 0xE0;
const LEADS: usize = 29;
const TRAILS: usize = 29;
pub(super) const WIDE: u8 = 0xFF;

/// Whether a class is a step of the automaton by itself.
pub(super) const fn is_step(class: u8) -> bool {
    !matches!(class, SOFT | BRACKET | WIDE)
}

const BASIC_PLANE: usize = 0x1_0000;

/// The class of every character.
#[derive(Debug)]
pub(super) struct Classes {
    /// The lowest class of characters with which a term begins, and these characters.
    beginning: u8,
    begin: Bits,
    /// The classes that stand second in a term; all, where there is a term of a single character.
    seconds: [bool; 256],
    /// What a term begins and goes on with, for the fast way.
    steps: Steps,
    basic: Box<[u8; BASIC_PLANE]>,
    beyond: FxHashMap<char, u8>,
    pub(super) wide: FxHashMap<char, [u8; 2]>,
}

impl Classes {
    /// The classes of the characters of these spellings.
    ///
    /// # Errors
    /// Where there are more different characters than classes.
    pub(super) fn build<'s>(spellings: impl Iterator<Item = &'s str> + Clone, characters: &Characters) -> Result<Self, String> {
        let mut read: FxHashMap<char, u8> = FxHashMap::default();
        let mut wide: FxHashMap<char, [u8; 2]> = FxHashMap::default();
        let mut free = FIRST_NARROW..=LAST_NARROW;
        let firsts = spellings.clone().filter_map(|spelling| spelling.chars().next()).map(|c| (c, true));
        let others = spellings.clone().flat_map(str::chars).map(|c| (c, false));
        let mut beginning = WIDE;
        for (c, begins) in firsts.chain(others) {
            if read.contains_key(&c) {
                continue;
            }
            let narrow = if closing_bracket(c).is_some() {
                None // it may begin a reading in a text: no step by itself
            } else if begins {
                free.next_back().inspect(|class| beginning = *class)
            } else {
                free.next()
            };
            let class = narrow.unwrap_or(WIDE);
            if narrow.is_none() {
                wide.insert(c, wide_class(wide.len())?);
            }
            read.insert(c, class);
        }
        let class_of = |c: char| match read.get(&c) {
            Some(class) => *class,
            None if closing_bracket(c).is_some() => BRACKET,
            None => OTHER,
        };
        let single = spellings.clone().any(|spelling| spelling.chars().nth(1).is_none());
        let mut seconds = [single; 256];
        for class in spellings.filter_map(|spelling| read.get(&spelling.chars().nth(1)?)) {
            seconds[usize::from(*class)] = true;
        }
        let mut classes = Self {
            beginning,
            begin: Bits::default(),
            seconds,
            steps: Steps(plane(if single { GOES_ON } else { 0 })?),
            basic: plane(OTHER)?,
            beyond: FxHashMap::default(),
            wide,
        };
        for c in characters.unusual().chain(read.keys().copied()) {
            let class = match characters.read(c) {
                Reading::Soft => SOFT,
                Reading::As(to) => class_of(to),
            };
            classes.set(c, class, characters);
            if classes.begins(class) {
                classes.begin.mark(c);
                classes.steps.mark(c, BEGINS);
            }
            if !is_step(class) || seconds[usize::from(class)] {
                classes.steps.mark(c, GOES_ON);
            }
        }
        Ok(classes)
    }

    fn set(&mut self, c: char, class: u8, characters: &Characters) {
        if class == OTHER {
            return;
        }
        if class == WIDE
            && let (Reading::As(to), false) = (characters.read(c), self.wide.contains_key(&c))
        {
            let code = self.wide[&to];
            self.wide.insert(c, code);
        }
        match self.basic.get_mut(c as usize) {
            Some(slot) => *slot = class,
            None => {
                self.beyond.insert(c, class);
            }
        }
    }

    /// Whether a term may begin with a character of this class.
    const fn begins(&self, class: u8) -> bool {
        class >= self.beginning
    }

    /// Whether a term may begin with this character.
    #[inline]
    pub(super) fn may_begin(&self, c: char) -> bool {
        self.begin.may_hold(c)
    }

    /// Where, from byte `at` of a text in UTF-8 on, the first character stands with which a term may begin, and behind which it
    /// may go on.
    pub(super) fn next_beginning(&self, text: &[u8], at: usize) -> Option<usize> {
        let mut rest = text.get(at..)?;
        loop {
            rest = self.steps.over(rest);
            let (class, width) = self.at(rest, 0)?;
            let after = &rest[width..];
            if self.begins(class) && self.goes_on(after) {
                return Some(text.len() - rest.len());
            }
            rest = after;
        }
    }

    /// Whether what began before a text may go on with its first character.
    fn goes_on(&self, text: &[u8]) -> bool {
        self.at(text, 0).is_none_or(|(class, _)| !is_step(class) || self.seconds[usize::from(class)])
    }

    /// The class of the character that begins at byte `at` of a text in UTF-8, and its width in bytes; none at the end.
    #[inline]
    pub(super) fn at(&self, text: &[u8], at: usize) -> Option<(u8, usize)> {
        let continued = |byte: u8| usize::from(byte & 0x3F);
        match *text.get(at..)? {
            // nearly all of a Chinese text
            [lead @ 0xE0..=0xEF, second, third, ..] => {
                let code = usize::from(lead & 0x0F) << 12 | continued(second) << 6 | continued(third);
                Some((self.basic[code & 0xFFFF], 3))
            }
            [ascii @ 0..=0x7F, ..] => Some((self.basic[usize::from(ascii)], 1)),
            [lead @ 0xC0..=0xDF, second, ..] => Some((self.basic[usize::from(lead & 0x1F) << 6 | continued(second)], 2)),
            [lead, second, third, fourth, ..] => {
                let code = usize::from(lead & 0x07) << 18 | continued(second) << 12 | continued(third) << 6 | continued(fourth);
                let c = u32::try_from(code).ok().and_then(char::from_u32);
                Some((c.map_or(OTHER, |c| self.of(c)), 4))
            }
            _ => None,
        }
    }

    /// The class of a character.
    #[inline]
    pub(super) fn of(&self, c: char) -> u8 {
        match self.basic.get(c as usize) {
            Some(class) => *class,
            None => self.beyond.get(&c).copied().unwrap_or(OTHER),
        }
    }

    /// A spelling as the automaton reads it.
    pub(super) fn encode(&self, spelling: &str) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(spelling.len());
        for c in spelling.chars() {
            match self.of(c) {
                WIDE => bytes.extend(self.wide[&c]),
                class => bytes.push(class),
            }
        }
        bytes
    }
}

/// Something for every character of the basic plane.
fn plane<T: Copy>(with: T) -> Result<Box<[T; BASIC_PLANE]>, String> {
    vec![with; BASIC_PLANE].into_boxed_slice().try_into().map_err(|_| "the plane has another size".to_owned())
}

/// What characters of three bytes may do: begin a term, and go on with one behind a character that begins it. It looks at the last
/// two bytes of a character alone: so it is small enough to stay in the processor's nearest cache, and says of a few characters
/// too much.
#[derive(Debug)]
struct Steps(Box<[u8; BASIC_PLANE]>);

const BEGINS: u8 = 0b01;
const GOES_ON: u8 = 0b10;

impl Steps {
    fn mark(&mut self, c: char, bits: u8) {
        let mut bytes = [0; 4];
        if let [0xE0..=0xEF, second, third] = *c.encode_utf8(&mut bytes).as_bytes() {
            self.0[usize::from(u16::from_le_bytes([second, third]))] |= bits;
        }
    }

    /// Steps over characters of three bytes, nearly all of a Chinese text, two at a time, and gives the rest of the text. No term
    /// begins before that rest: it may with its first character, or that has another width.
    #[inline]
    fn over<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        let step = |last_two: u64| self.0[(last_two & 0xFFFF) as usize];
        let (mut rest, mut last) = (text, 0);
        while let Some(bytes) = rest.first_chunk::<8>() {
            let two = u64::from_le_bytes(*bytes);
            let (one, other) = (step(two >> 8), step(two >> 32));
            let other_width = (two & 0xF000_00F0) ^ 0xE000_00E0;
            let fit = ((last & (one / GOES_ON)) | (one & (other / GOES_ON))) & BEGINS;
            if other_width | u64::from(fit) != 0 {
                break;
            }
            (rest, last) = (&rest[6..], other);
        }
        if last & BEGINS == 0 { rest } else { &text[text.len() - rest.len() - 3..] }
    }
}

fn wide_class(index: usize) -> Result<[u8; 2], String> {
    let (lead, trail) = (index / TRAILS, index % TRAILS);
    if lead >= LEADS {
        let most = usize::from(FIRST_LEAD - FIRST_NARROW) + LEADS * TRAILS;
        return Err(format!("the terms have more than {most} different characters"));
    }
    let byte = |first: u8, offset: usize| first + u8::try_from(offset).unwrap_or(0); // offset < 29
    Ok([byte(FIRST_LEAD, lead), byte(FIRST_TRAIL, trail)])
}
