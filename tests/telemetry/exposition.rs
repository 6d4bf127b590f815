//! A strict reading of Prometheus' text format 0.0.4.

use std::collections::BTreeMap;

/// Every sample, by its name with labels in order, and its value.
pub(super) type Samples = BTreeMap<String, f64>;

/// Reads metrics; panics where anything is not as the format wants it.
pub(super) fn parse(text: &str) -> Samples {
    assert!(text.ends_with('\n'), "the last line does not end");
    let mut reader = Reader::default();
    text.lines().for_each(|line| reader.line(line));
    reader.histograms();
    reader.samples
}

#[derive(Default)]
struct Reader {
    samples: Samples,
    /// Families and their types.
    types: BTreeMap<String, String>,
    family: String,
}

impl Reader {
    fn line(&mut self, line: &str) {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (family, help) = help.split_once(' ').expect("a help has text");
            assert!(!help.is_empty() && !self.types.contains_key(family), "{line}");
            family.clone_into(&mut self.family);
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (family, kind) = kind.split_once(' ').expect("a type is named");
            assert!(family == self.family && ["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", family.ends_with("_total"), "{line}");
            assert!(self.types.insert(family.to_owned(), kind.to_owned()).is_none(), "{family} is there twice");
        } else {
            self.sample(line);
        }
    }

    fn sample(&mut self, line: &str) {
        let (name, value) = line.rsplit_once(' ').expect("a sample has a value");
        let value: f64 = value.replace("+Inf", "inf").parse().expect("a value is a number");
        let metric = name.split('{').next().unwrap_or(name);
        let suffix = metric.strip_prefix(self.family.as_str()).expect("a sample stands under its family");
        let histogram = self.types[&self.family] == "histogram";
        assert!(if histogram { ["_bucket", "_sum", "_count"].contains(&suffix) } else { suffix.is_empty() }, "{line}");
        labels(&name[metric.len()..]);
        assert!(self.samples.insert(name.to_owned(), value).is_none(), "{name} is there twice");
    }

    /// Buckets go up, and the last holds all.
    fn histograms(&self) {
        let counts = self.samples.iter().filter(|(name, _)| name.contains("_count{"));
        for (name, count) in counts {
            let (family, labels) = name.split_once("_count{").expect("a count");
            let inner = labels.trim_end_matches('}');
            let mut buckets: Vec<(f64, f64)> = self
                .samples
                .iter()
                .filter_map(|(sample, value)| {
                    let bound = sample.strip_prefix(&format!("{family}_bucket{{{inner},le=\""))?.strip_suffix("\"}")?;
                    Some((bound.replace("+Inf", "inf").parse().expect("a bound"), *value))
                })
                .collect();
            buckets.sort_by(|one, other| one.partial_cmp(other).expect("numbers"));
            assert!(buckets.iter().any(|(bound, _)| *bound < 1e-3), "{name} has no bucket under a millisecond");
            assert!(buckets.is_sorted_by(|one, other| one.1 <= other.1), "{name}: {buckets:?}");
            let (bound, last) = buckets.last().copied().expect("buckets");
            assert!(bound.is_infinite() && (last - count).abs() < 0.1, "{name}: {buckets:?}");
        }
    }
}

/// Checks `{name="value",...}`, or nothing.
fn labels(text: &str) {
    let Some(inner) = text.strip_prefix('{') else { return assert!(text.is_empty(), "{text}") };
    let mut rest = inner.strip_suffix('}').expect("labels are closed");
    while !rest.is_empty() {
        let (name, value) = rest.split_once("=\"").expect("a label has a value");
        assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{text}");
        let (value, after) = value.split_once('"').expect("a value is closed"); // none of ours has a quote in it
        assert!(!value.contains(['\\', '\n']), "{text}");
        rest = after.strip_prefix(',').unwrap_or(after);
        assert!(rest.is_empty() || after.starts_with(','), "{text}");
    }
}
