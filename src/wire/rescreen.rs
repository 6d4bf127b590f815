//! Requests to re-screen, and what is said of operations (排查任务).

use std::sync::atomic::Ordering;

use jiff::Timestamp;
use prost::{Message, Name};

use super::{
    Violation, number,
    request::Reader,
    v1::{RescreenCheckpoint, RescreenDecisionCount, RescreenEncoding, RescreenMetadata, RescreenOptions, RescreenResponse, RescreenState},
};
use crate::{
    day::Date,
    encoding::Encoding,
    operations::{
        operation::{Live, Rows},
        record::{Asked, Record, State},
    },
    register::columns::Said,
    rescreen::roster::Meaning,
    screen::Engine,
    sheet::Format,
    vocabulary::{Decision, EntityKind, Event},
};

/// Most inputs of an operation, and most rosters.
const MOST_FILES: usize = 100;

/// Reads what is asked for, by the lists of an engine; their hashes are left to whoever has the lists.
///
/// # Errors
/// Every field that cannot be accepted.
pub(crate) fn asked(
    (inputs, output): (Vec<String>, String),
    options: RescreenOptions,
    engine: &Engine,
    today: Date,
) -> Result<Asked, Vec<Violation>> {
    let mut reader = Reader::new(engine);
    few(&mut reader, "inputs", inputs.len());
    few(&mut reader, "options.rosters", options.rosters.len());
    if inputs.is_empty() {
        reader.refuse("inputs", "a register is needed");
    }
    if let Err(error) = Format::of(output.as_ref()) {
        reader.refuse("output", error.to_string());
    }
    if let Err(error) = Said::parse(&options.columns) {
        reader.refuse("options.columns", error.to_string());
    }
    for (index, roster) in options.rosters.iter().enumerate().take(MOST_FILES) {
        if let Err(error) = Meaning::parse(&roster.meaning) {
            reader.refuse(&format!("options.rosters[{index}].meaning"), error);
        }
    }
    let event = reader.choice("options.event", options.event, Event::Existing);
    if options.record && event != Event::Existing {
        reader.refuse("options.record", "firms that are on the register are recorded: EVENT_EXISTING");
    }
    let asked = Asked {
        encoding: encoding(&mut reader, "options.encoding", options.encoding),
        region: reader.region("options.region", &options.region),
        kind: reader.choice("options.entity_kind", options.entity_kind, EntityKind::Enterprise),
        event,
        day: reader.day("options.date", &options.date).unwrap_or(today),
        writing: encoding(&mut reader, "options.output_encoding", options.output_encoding).unwrap_or_default(),
        inputs,
        output,
        columns: options.columns,
        raw: options.raw,
        rosters: options.rosters.into_iter().map(|roster| (roster.path, roster.meaning)).collect(),
        record: options.record,
        lists: options.lists_hash,
        since: (!options.since.is_empty()).then_some(options.since),
        within: None,
    };
    reader.done(asked)
}

fn few(reader: &mut Reader<'_>, field: &str, count: usize) {
    if count > MOST_FILES {
        reader.refuse(field, format!("{count} files; at most {MOST_FILES}"));
    }
}

fn encoding(reader: &mut Reader<'_>, field: &str, number: i32) -> Option<Encoding> {
    match RescreenEncoding::try_from(number) {
        Ok(RescreenEncoding::Unspecified) => None,
        Ok(RescreenEncoding::Utf8) => Some(Encoding::Utf8),
        Ok(RescreenEncoding::Gb18030) => Some(Encoding::Gb18030),
        Err(_) => {
            reader.refuse(field, format!("{number} is not a value of this enum"));
            None
        }
    }
}

/// What is said of an operation while it goes on, and later.
pub(crate) fn metadata(record: &Record, live: &Live) -> RescreenMetadata {
    let time = |time: Option<Timestamp>| time.map_or_else(String::new, |time| time.to_string());
    let Rows { read, passed, flagged, rejected, warnings, recorded, known } = live.rows;
    let checkpoint = live.checkpoint.map(|(position, read)| RescreenCheckpoint {
        input: u32::try_from(position.input).unwrap_or(u32::MAX),
        pieces: position.pieces,
        read,
    });
    let asked = &record.asked;
    RescreenMetadata {
        state: state(record.state).into(),
        inputs: asked.inputs.clone(),
        output: asked.output.clone(),
        read,
        passed,
        flagged,
        rejected,
        warnings,
        recorded,
        known,
        read_bytes: live.read.load(Ordering::Relaxed),
        size_bytes: live.size,
        lists_hash: asked.lists.clone(),
        engine_version: record.engine.clone(),
        checkpoint,
        identity: record.owner.clone(),
        create_time: time(Some(record.created)),
        start_time: time(record.started),
        update_time: time(live.at.max(Some(record.updated))),
        end_time: time(record.ended),
        date: asked.day.to_string(),
    }
}

const fn state(state: State) -> RescreenState {
    match state {
        State::Queued => RescreenState::Queued,
        State::Running => RescreenState::Running,
        State::Done => RescreenState::Done,
        State::Failed => RescreenState::Failed,
        State::Cancelled => RescreenState::Cancelled,
    }
}

/// What an operation came to that is done.
pub(crate) fn response(record: &Record) -> RescreenResponse {
    let Rows { read, passed, flagged, rejected, warnings, recorded, known } = (&record.counts).into();
    let decisions = record.counts.decisions.iter().filter_map(|(id, firms)| {
        let decision = number(Decision::from_id(id)?);
        Some(RescreenDecisionCount { decision, firms: *firms })
    });
    RescreenResponse {
        read,
        passed,
        flagged,
        rejected,
        warnings,
        recorded,
        known,
        decisions: decisions.collect(),
        output: record.asked.output.clone(),
        rejects: format!("{}.rejects.csv", record.asked.output),
        lists_hash: record.asked.lists.clone(),
        engine_version: record.engine.clone(),
    }
}

/// A message whose type goes with it.
pub(crate) fn any<T: Name + Message>(message: &T) -> prost_types::Any {
    prost_types::Any { type_url: format!("type.googleapis.com/{}", T::full_name()), value: message.encode_to_vec() }
}
