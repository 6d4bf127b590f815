//! `mingcha screen --jsonl`: one JSON request a line in, one JSON answer a line out, in order.

use std::{
    io::{self, BufRead, BufWriter, Read, Write},
    process::ExitCode,
};

use serde_json::json;

use super::IO_FAILED;
use crate::{
    clock::today,
    screen::Engine,
    wire::{Bases, json, respond, understand, v1::ScreenResponse},
};

/// Longest line that is read; a request within the limits is far shorter.
const LONGEST_LINE: u64 = 1 << 20;

pub(super) fn run(engine: &Engine) -> ExitCode {
    match answer_all(&mut io::stdin().lock(), &mut BufWriter::new(io::stdout().lock()), engine) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(bad) => {
            anstream::eprintln!("mingcha: {bad} bad lines");
            ExitCode::SUCCESS
        }
        Err(error) => {
            anstream::eprintln!("mingcha: {error}");
            ExitCode::from(IO_FAILED)
        }
    }
}

/// Answers every line; gives the number of bad ones.
fn answer_all(input: &mut impl BufRead, output: &mut impl Write, engine: &Engine) -> io::Result<u64> {
    let mut bad = 0;
    let mut line = Vec::new();
    for number in 1u64.. {
        line.clear();
        if input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let whole = line.ends_with(b"\n") || (line.len() as u64) < LONGEST_LINE;
        let answer = if whole { answer(&line, engine) } else { Err(format!("longer than {LONGEST_LINE} bytes")) };
        if !whole {
            skip_line(input)?;
        }
        match answer {
            Ok(response) => serde_json::to_writer(&mut *output, &response)?,
            Err(message) => {
                bad += 1;
                serde_json::to_writer(&mut *output, &json!({ "error": message, "line": number }))?;
            }
        }
        output.write_all(b"\n")?;
    }
    output.flush()?;
    Ok(bad)
}

/// The answer to one line.
fn answer(line: &[u8], engine: &Engine) -> Result<ScreenResponse, String> {
    let text = std::str::from_utf8(line).map_err(|error| format!("not UTF-8: {error}"))?;
    let text = text.trim_start_matches('\u{FEFF}').trim();
    if text.is_empty() {
        return Err("an empty line".to_owned());
    }
    let understood = json::request(text).map_err(|error| error.to_string()).and_then(|request| {
        understand(request, engine, today()).map_err(|violations| {
            let lines: Vec<String> = violations.iter().map(ToString::to_string).collect();
            lines.join("; ")
        })
    });
    understood.map(|understood| respond(&understood, &engine.screen(&understood.firm), engine, &mut Bases::Inline))
}

fn skip_line(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        let (used, ended) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (buffer.len(), false),
        };
        input.consume(used);
        if ended {
            return Ok(());
        }
    }
}
