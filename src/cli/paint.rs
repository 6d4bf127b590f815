//! An answer as people read it: the texts with their hits underlined, each with its clause.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use crate::{
    screen::Firm,
    vocabulary::{BusinessField, Decision, Field, Force, LicenceKind, Miss, Wording},
    wire::{
        member,
        v1::{Basis, Cleared, Disguise, DisguiseKind, Hit, ScreenResponse},
    },
};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const HIT: Style = AnsiColor::Red.on_default().underline();

/// The whole answer; colours are taken out by the stream that prints it where there is no terminal.
pub(super) fn answer(firm: &Firm, response: &ScreenResponse) -> String {
    let mut out = String::new();
    let _ = write(&mut out, firm, response); // writing to a String cannot fail
    out
}

fn write(out: &mut String, firm: &Firm, response: &ScreenResponse) -> std::fmt::Result {
    let decision = member(response.decision).unwrap_or(Decision::Pass);
    let style = colour(decision).bold();
    let at = &firm.circumstances;
    let place = response.circumstances.as_ref().map_or("", |circumstances| circumstances.region_name.as_str());
    writeln!(out, "{style}{} {}{style:#}", decision.id(), decision.chinese())?;
    writeln!(
        out,
        "{DIM}{} {place} · {} {} · {} {} · {}{DIM:#}",
        at.region,
        at.kind.chinese(),
        at.kind.id(),
        at.event.chinese(),
        at.event.id(),
        at.day
    )?;
    for warning in &response.warnings {
        writeln!(out, "warning: {}: {} ({})", warning.field, visible(&warning.message), warning.code)?;
    }
    let legend = Legend::of(response);
    for field in Field::ALL.iter().filter(|field| !firm.text(**field).is_empty()) {
        text(out, firm, *field, response, &legend)?;
    }
    legend.write(out)?;
    bodies(out, response)?;
    writeln!(out, "\n{DIM}lists {}  engine {}{DIM:#}", response.lists_hash, response.engine_version)
}

fn colour(decision: Decision) -> Style {
    match decision {
        Decision::Pass => AnsiColor::Green.on_default(),
        Decision::Attention => AnsiColor::Yellow.on_default(),
        Decision::Restricted | Decision::Suspended => AnsiColor::Magenta.on_default(),
        Decision::Prohibited => AnsiColor::Red.on_default(),
    }
}

/// The bases of all hits, each once, in the order of their first use; hits refer to them by number.
struct Legend<'r> {
    bases: Vec<&'r Basis>,
    /// What indexes of hits point into, where the answer writes its bases once.
    shared: &'r [Basis],
}

impl<'r> Legend<'r> {
    fn of(response: &'r ScreenResponse) -> Self {
        let mut legend = Self { bases: Vec::new(), shared: &response.bases };
        for basis in response.hits.iter().flat_map(|hit| legend.bases_of(hit)).collect::<Vec<_>>() {
            if !legend.bases.contains(&basis) {
                legend.bases.push(basis);
            }
        }
        legend
    }

    fn bases_of(&self, hit: &'r Hit) -> Vec<&'r Basis> {
        let indexed = hit.basis_indexes.iter().filter_map(|index| self.shared.get(*index as usize));
        hit.bases.iter().chain(indexed).collect()
    }

    fn numbers(&self, hit: &'r Hit) -> String {
        let number =
            |basis: &Basis| self.bases.iter().position(|known| *known == basis).map_or_else(String::new, |at| format!("[{}]", at + 1));
        self.bases_of(hit).into_iter().map(number).collect()
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        if !self.bases.is_empty() {
            writeln!(out, "\n{BOLD}依据 bases{BOLD:#}")?;
        }
        self.bases.iter().enumerate().try_for_each(|(at, known)| basis(out, at + 1, known))
    }
}

fn text<'r>(out: &mut String, firm: &Firm, field: Field, response: &'r ScreenResponse, legend: &Legend<'r>) -> std::fmt::Result {
    let hits: Vec<&'r Hit> = response.hits.iter().filter(|hit| member(hit.field) == Some(field)).collect();
    let cleared: Vec<&Cleared> = response.cleared.iter().filter(|cleared| member(cleared.field) == Some(field)).collect();
    writeln!(out, "\n{BOLD}{}{BOLD:#}  {}", field.chinese(), underlined(firm.text(field), &hits))?;
    for hit in hits {
        self::hit(out, hit, response, legend)?;
    }
    for cleared in cleared {
        self::cleared(out, cleared)?;
    }
    Ok(())
}

/// A text with its hits underlined and its invisible characters shown.
fn underlined(text: &str, hits: &[&Hit]) -> String {
    let mut out = String::new();
    let mut at = 0;
    for hit in hits.iter().filter(|hit| hit.within.is_none()) {
        let (start, end) = (hit.start_byte as usize, hit.end_byte as usize);
        if end <= at {
            continue;
        }
        let start = start.max(at);
        let _ = write!(out, "{}{HIT}{}{HIT:#}", visible(&text[at..start]), visible(&text[start..end]));
        at = end;
    }
    out.push_str(&visible(&text[at..]));
    out
}

/// Shows control, bidi and other invisible characters as escapes: an applicant chose this text.
pub(super) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || is_invisible(c) {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

fn is_invisible(c: char) -> bool {
    matches!(u32::from(c),
        0xAD | 0x34F | 0x61C | 0x115F | 0x1160 | 0x17B4 | 0x17B5 | 0x180B..=0x180F | 0x200B..=0x200F | 0x2028..=0x202E
        | 0x2060..=0x206F | 0x2800 | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF9..=0xFFFB | 0x1_D173..=0x1_D17A | 0xE_0000..=0xE_0FFF)
}

fn hit<'r>(out: &mut String, hit: &'r Hit, response: &ScreenResponse, legend: &Legend<'r>) -> std::fmt::Result {
    let force = member(hit.force).unwrap_or(Force::Attend);
    let style = colour(force.into());
    let within =
        hit.within.and_then(|index| response.hits.get(index as usize)).map_or_else(String::new, |outer| format!("  within {}", outer.term));
    writeln!(
        out,
        "  {style}✗ {}{style:#}  {} · {}  {}  {DIM}characters {}–{}{within}{DIM:#}",
        hit.term,
        force.chinese(),
        field_name(hit.business_field),
        legend.numbers(hit),
        hit.start_char,
        hit.end_char
    )?;
    disguise(out, &hit.disguise)
}

fn basis(out: &mut String, number: usize, basis: &Basis) -> std::fmt::Result {
    let wording: Wording = member(basis.wording).unwrap_or(Wording::Recalled);
    let force: Force = member(basis.force).unwrap_or(Force::Attend);
    writeln!(
        out,
        "  [{number}] {} {} {}  {DIM}{} · {} {}{} · {}{DIM:#}",
        basis.title,
        basis.document_number,
        basis.article,
        force.chinese(),
        basis.jurisdiction_name,
        basis.valid_from,
        if basis.valid_until.is_empty() { " –".to_owned() } else { format!(" – {}", basis.valid_until) },
        wording.id()
    )?;
    writeln!(out, "      {DIM}“{}”{DIM:#}", basis.clause)
}

fn disguise(out: &mut String, steps: &[Disguise]) -> std::fmt::Result {
    for step in steps {
        let text = step.span.as_ref().map_or_else(String::new, |span| visible(&span.text));
        if step.kind == i32::from(DisguiseKind::Skipped) {
            writeln!(out, "      disguise: '{text}' skipped: {}", step.reason)?;
        } else {
            writeln!(out, "      disguise: '{text}' read as '{}': {}", step.read_as, step.reason)?;
        }
    }
    Ok(())
}

fn cleared(out: &mut String, cleared: &Cleared) -> std::fmt::Result {
    let context = cleared.context.as_ref().map_or_else(String::new, |context| format!(" in “{}”", visible(&context.text)));
    let reason = cleared.reason().as_str_name().trim_start_matches("CLEARED_REASON_").to_owned();
    writeln!(
        out,
        "  {DIM}– {}  cleared: {reason}{context}: {}  characters {}–{}{DIM:#}",
        cleared.term,
        visible(&cleared.explanation),
        cleared.start_char,
        cleared.end_char
    )?;
    disguise(out, &cleared.disguise)?;
    if let Some(licence) = &cleared.licence {
        let kind: LicenceKind = member(licence.kind).unwrap_or(LicenceKind::Approval);
        let until = if licence.valid_until.is_empty() { String::new() } else { format!(", to {}", licence.valid_until) };
        writeln!(out, "      {DIM}{} {} {}{until}{DIM:#}", kind.chinese(), visible(&licence.number), visible(&licence.issuer))?;
    }
    for near in &cleared.near_misses {
        let Some(basis) = &near.basis else { continue };
        let misses: Vec<&str> = near.misses.iter().filter_map(|miss| member::<Miss>(*miss)).map(Miss::chinese).collect();
        writeln!(out, "      {DIM}nearest: {} {} misses {}{DIM:#}", basis.document_number, basis.article, misses.join("、"))?;
    }
    Ok(())
}

fn bodies(out: &mut String, response: &ScreenResponse) -> std::fmt::Result {
    if response.inform.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{BOLD}告知 inform{BOLD:#}")?;
    for body in &response.inform {
        let fields: Vec<String> = body.business_fields.iter().map(|field| field_name(*field)).collect();
        writeln!(out, "  {}  {}  {DIM}{}: {}{DIM:#}", body.id, body.name, body.reason, fields.join(", "))?;
    }
    Ok(())
}

fn field_name(number: i32) -> String {
    let field: BusinessField = member(number).unwrap_or(BusinessField::ALL[0]);
    format!("{} {}", field.chinese(), field.id())
}
