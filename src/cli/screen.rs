//! `mingcha screen`.

use std::process::ExitCode;

use clap::Args;

use super::{Lists, STRONGER, bad_use, jsonl, paint, print};
use crate::{
    clock::today,
    set::Member,
    vocabulary::{Decision, EntityKind, Event, LicenceKind},
    wire::{
        Bases, number, respond, understand,
        v1::{Licence, ScreenRequest},
    },
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The firm's name.
    #[arg(required_unless_present = "jsonl", conflicts_with = "jsonl")]
    name: Option<String>,
    /// Its business scope (经营范围).
    #[arg(long, value_name = "TEXT", conflicts_with = "jsonl")]
    scope: Option<String>,
    /// Advertising text (广告).
    #[arg(long, value_name = "TEXT", conflicts_with = "jsonl")]
    advertisement: Option<String>,
    /// Where it is registered: a GB/T 2260 code, or the name of a place or authority.
    #[arg(long, value_name = "PLACE", conflicts_with = "jsonl")]
    region: Option<String>,
    /// enterprise, individual-business or farmer-cooperative.
    #[arg(long, value_name = "KIND", default_value = "enterprise", value_parser = value::<EntityKind>, conflicts_with = "jsonl")]
    entity: EntityKind,
    /// establish, change, move-in or existing.
    #[arg(long, value_name = "EVENT", default_value = "establish", value_parser = value::<Event>, conflicts_with = "jsonl")]
    event: Event,
    /// The day as of which to judge [default: today in UTC+8].
    #[arg(long, value_name = "YYYY-MM-DD", conflicts_with = "jsonl")]
    date: Option<String>,
    /// Unified social credit code (统一社会信用代码).
    #[arg(long, conflicts_with = "jsonl")]
    uscc: Option<String>,
    /// A licence: KIND:NUMBER[:LAST-DAY], e.g. payment:Z2001:2027-01-01. May be repeated. Kinds: financial, payment,
    /// securities-futures, insurance, guarantee, pawn, private-fund, microcredit, trading-venue, leasing, factoring,
    /// credit-reporting, foreign-exchange, financial-holding, local-asset-management, mutual-fund.
    #[arg(long = "licence", value_name = "KIND:NUMBER[:LAST-DAY]", value_parser = licence, conflicts_with = "jsonl")]
    licences: Vec<Licence>,
    /// An approval: NUMBER:TERM[,TERM...]. May be repeated.
    #[arg(long = "approval", value_name = "NUMBER:TERM,...", value_parser = approval, conflicts_with = "jsonl")]
    approvals: Vec<Licence>,
    /// List every rule that an inapplicable occurrence misses.
    #[arg(long, conflicts_with = "jsonl")]
    explain: bool,
    /// Answer in JSON.
    #[arg(long, conflicts_with = "jsonl")]
    json: bool,
    /// One JSON request a line on stdin, one JSON answer a line on stdout.
    #[arg(long)]
    jsonl: bool,
}

impl Arguments {
    pub(super) fn run(self, lists: &Lists) -> anyhow::Result<ExitCode> {
        let engine = match lists.engine() {
            Ok(engine) => engine,
            Err(problems) => return Ok(bad_use(&problems)),
        };
        if self.jsonl {
            return Ok(jsonl::run(&engine));
        }
        let json = self.json;
        let understood = match understand(self.request(), &engine, today()) {
            Ok(understood) => understood,
            Err(violations) => {
                let lines: Vec<String> = violations.iter().map(ToString::to_string).collect();
                return Ok(bad_use(&lines.join("\n")));
            }
        };
        let answer = engine.screen(&understood.firm);
        let response = respond(&understood, &answer, &engine, &mut Bases::Inline);
        if json {
            print(&format!("{}\n", serde_json::to_string_pretty(&response)?))?;
        } else {
            print(&paint::answer(&understood.firm, &response))?;
        }
        Ok(if answer.decision > Decision::Attention { ExitCode::from(STRONGER) } else { ExitCode::SUCCESS })
    }

    fn request(self) -> ScreenRequest {
        ScreenRequest {
            name: self.name.unwrap_or_default(),
            scope: self.scope.unwrap_or_default(),
            advertisement: self.advertisement.unwrap_or_default(),
            region: self.region.unwrap_or_default(),
            entity_kind: number(self.entity),
            event: number(self.event),
            date: self.date.unwrap_or_default(),
            uscc: self.uscc.unwrap_or_default(),
            licences: self.licences.into_iter().chain(self.approvals).collect(),
            explain: self.explain,
            lists_hash: String::new(),
        }
    }
}

/// Reads a value as people type it: individual-business for `INDIVIDUAL_BUSINESS`.
pub(super) fn value<T: Member>(text: &str) -> Result<T, String> {
    let id = text.to_ascii_uppercase().replace('-', "_");
    let known = || T::ALL.iter().map(|value| value.id().to_ascii_lowercase().replace('_', "-")).collect::<Vec<_>>().join(", ");
    T::ALL.iter().copied().find(|value| value.id() == id).ok_or_else(|| format!("expected one of: {}", known()))
}

fn licence(text: &str) -> Result<Licence, String> {
    let mut parts = text.splitn(3, ':');
    let kind: LicenceKind = value(parts.next().unwrap_or(""))?;
    if kind == LicenceKind::Approval {
        return Err("an approval names terms: use --approval NUMBER:TERM,...".to_owned());
    }
    let number_text = parts.next().filter(|number| !number.is_empty()).ok_or("expected KIND:NUMBER[:LAST-DAY]")?;
    let valid_until = parts.next().unwrap_or("").to_owned();
    Ok(Licence { kind: number(kind), number: number_text.to_owned(), valid_until, ..Licence::default() })
}

fn approval(text: &str) -> Result<Licence, String> {
    let (number_text, terms) = text.split_once(':').ok_or("expected NUMBER:TERM[,TERM...]")?;
    let terms = terms.split([',', '，', '、']).map(str::to_owned).collect();
    Ok(Licence { kind: number(LicenceKind::Approval), number: number_text.to_owned(), terms, ..Licence::default() })
}
