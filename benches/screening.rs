//! Screening against bare scans, on the same firms in the same run.
//!
//! (a) `daachorse` charwise, overlapping, on the raw text; (b) `aho-corasick` overlapping, on the raw text; (c) the
//! full verdict. The ratios of the medians are printed at the end.
//!
//! `MINGCHA_REGISTER=firms.tsv cargo bench --bench screening` measures on real firms, without it on invented ones.

#![allow(clippy::expect_used, clippy::cast_precision_loss)] // a benchmark that cannot go on says why; counts are far below 2^52

mod register;

use std::{hint::black_box, time::Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mingcha::{
    day, embedded,
    jurisdiction::Region,
    reach::Circumstances,
    screen::{Engine, Firm},
    vocabulary::{EntityKind, Event},
};

const FIRMS: usize = 20_000;

struct Subjects {
    firms: Vec<Firm>,
    engine: Engine,
    daachorse: daachorse::CharwiseDoubleArrayAhoCorasick<usize>,
    aho_corasick: aho_corasick::AhoCorasick,
    bytes: u64,
}

fn subjects() -> Subjects {
    let engine = Engine::build(&embedded::files()).expect("the embedded lists are checked by the tests");
    let terms: Vec<String> = engine.lists().terms().iter().map(|term| term.text.clone()).collect();
    let circumstances = Circumstances {
        region: Region::parse("320100").expect("a code"),
        kind: EntityKind::Enterprise,
        event: Event::Existing,
        day: day::parse("2026-11-01").expect("a day"),
    };
    let firm = |firm: register::Firm| Firm { name: firm.name, scope: firm.scope, ..Firm::blank(circumstances) };
    let firms: Vec<Firm> = register::firms(FIRMS).into_iter().map(firm).collect();
    let bytes = firms.iter().map(|firm| (firm.name.len() + firm.scope.len()) as u64).sum();
    Subjects {
        daachorse: daachorse::CharwiseDoubleArrayAhoCorasick::new(&terms).expect("terms"),
        aho_corasick: aho_corasick::AhoCorasick::new(&terms).expect("terms"),
        engine,
        firms,
        bytes,
    }
}

impl Subjects {
    fn daachorse(&self, text: &str) -> usize {
        self.daachorse.find_overlapping_iter(text).count()
    }

    fn aho_corasick(&self, text: &str) -> usize {
        self.aho_corasick.find_overlapping_iter(text).count()
    }
}

fn each(firms: &[Firm], mut scan: impl FnMut(&Firm) -> usize) -> usize {
    firms.iter().map(|firm| black_box(scan(firm))).sum()
}

fn screening(criterion: &mut Criterion) {
    let subjects = subjects();
    let mut group = criterion.benchmark_group("screening");
    group.throughput(Throughput::Bytes(subjects.bytes)).sample_size(20);
    group.bench_function("a: bare daachorse", |bencher| {
        bencher.iter(|| each(&subjects.firms, |firm| subjects.daachorse(&firm.name) + subjects.daachorse(&firm.scope)));
    });
    group.bench_function("b: bare aho-corasick", |bencher| {
        bencher.iter(|| each(&subjects.firms, |firm| subjects.aho_corasick(&firm.name) + subjects.aho_corasick(&firm.scope)));
    });
    group.bench_function("c: full verdict", |bencher| {
        bencher.iter(|| each(&subjects.firms, |firm| subjects.engine.screen(firm).hits.len()));
    });
    group.finish();
    let files = embedded::files();
    let mut build = criterion.benchmark_group("build");
    build.sample_size(20).bench_function("all lists", |bencher| bencher.iter(|| Engine::build(black_box(&files)).expect("checked lists")));
    build.finish();
    ratios(&subjects);
}

/// Takes (a), (b) and (c) in turn, so that the machine's drift falls on all of them, and prints ratios of medians.
fn ratios(subjects: &Subjects) {
    const ROUNDS: usize = 15;
    let timed = |scan: &dyn Fn(&Firm) -> usize| {
        let start = Instant::now();
        black_box(each(&subjects.firms, scan));
        start.elapsed().as_secs_f64()
    };
    let mut times: [Vec<f64>; 3] = Default::default();
    for _ in 0..ROUNDS {
        times[0].push(timed(&|firm| subjects.daachorse(&firm.name) + subjects.daachorse(&firm.scope)));
        times[1].push(timed(&|firm| subjects.aho_corasick(&firm.name) + subjects.aho_corasick(&firm.scope)));
        times[2].push(timed(&|firm| subjects.engine.screen(firm).hits.len()));
    }
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let [a, b, c] = times.each_mut().map(median);
    let per_firm = |seconds: f64| seconds * 1e9 / subjects.firms.len() as f64;
    println!("\n{} firms, {} bytes; nanoseconds a firm (name and scope), median of {ROUNDS}:", subjects.firms.len(), subjects.bytes);
    println!("  a  bare daachorse     {:7.0}", per_firm(a));
    println!("  b  bare aho-corasick  {:7.0}", per_firm(b));
    println!("  c  full verdict       {:7.0}", per_firm(c));
    println!("  c/a {:.2}   c/b {:.2}   (target for c/a: at most 1.5)", c / a, c / b);
}

criterion_group!(benches, screening);
criterion_main!(benches);
