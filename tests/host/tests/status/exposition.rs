// SPDX-License-Identifier: GPL-2.0

//! A strict reader of what scrapers read: OpenMetrics 1.0
//! (<https://prometheus.io/docs/specs/om/open_metrics_spec/>), and the text format that came before
//! it. What the standard only recommends is demanded here too, where we mean to keep to it.

use std::collections::{BTreeMap, BTreeSet};

use crate::status::Flavour;

/// Labels in their order.
pub(super) type Labels = Vec<(String, String)>;

/// Every sample by its name and labels.
pub(super) type Samples = BTreeMap<(String, Labels), String>;

/// Reads an exposition, or says what is wrong with it.
pub(super) fn read(text: &str, flavour: Flavour) -> Result<Samples, String> {
    let mut reader = Reader::new(flavour);
    let text = match flavour {
        Flavour::OpenMetrics => text.strip_suffix("# EOF\n").ok_or("no EOF at the end")?,
        Flavour::Prometheus => text,
    };
    for line in text.split_inclusive('\n') {
        let line = line.strip_suffix('\n').ok_or("a line without an end")?;
        reader.line(line).map_err(|why| format!("{why}: {line}"))?;
    }
    reader.end_family()?;
    Ok(reader.samples)
}

struct Reader {
    flavour: Flavour,
    family: Option<Family>,
    /// Families that are over.
    over: BTreeSet<String>,
    /// Names of samples, which no other family may have.
    names: BTreeMap<String, String>,
    samples: Samples,
}

#[derive(Default)]
struct Family {
    name: String,
    kind: String,
    unit: Option<String>,
    help: Option<String>,
    /// Samples in their order: name, labels, value.
    samples: Vec<(String, Labels, String)>,
}

impl Reader {
    fn new(flavour: Flavour) -> Self {
        Self {
            flavour,
            family: None,
            over: BTreeSet::new(),
            names: BTreeMap::new(),
            samples: Samples::new(),
        }
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        match line.strip_prefix("# ") {
            Some(rest) => {
                let mut words = rest.splitn(3, ' ');
                let (what, name, text) = (words.next(), words.next(), words.next());
                let (Some(what), Some(name), Some(text)) = (what, name, text) else {
                    return Err("no metadata".into());
                };
                self.metadata(what, name, text)
            }
            None => self.sample(line),
        }
    }

    fn metadata(&mut self, what: &str, name: &str, text: &str) -> Result<(), String> {
        if !is_name(name) {
            return Err("a bad name".into());
        }
        if self
            .family
            .as_ref()
            .is_none_or(|family| family.name != name)
        {
            self.end_family()?;
            if self.over.contains(name) {
                return Err("a family in two pieces".into());
            }
            self.family = Some(Family {
                name: name.into(),
                ..Family::default()
            });
        }
        let openmetrics = self.flavour == Flavour::OpenMetrics;
        let Some(family) = &mut self.family else {
            return Err("no family".into());
        };
        if !family.samples.is_empty() {
            return Err("metadata behind a sample".into());
        }
        let twice = match what {
            "TYPE" => {
                if !["counter", "gauge", "histogram"].contains(&text) {
                    return Err("an unknown type".into());
                }
                !std::mem::replace(&mut family.kind, text.into()).is_empty()
            }
            "UNIT" if openmetrics => {
                if !name.ends_with(&format!("_{text}")) || text.is_empty() {
                    return Err("the unit is not in the name".into());
                }
                family.unit.replace(text.into()).is_some()
            }
            "HELP" => {
                let text = unescape(text, openmetrics)?;
                if text.is_empty() || text.trim() != text {
                    return Err("a bad help".into());
                }
                family.help.replace(text).is_some()
            }
            _ => return Err("unknown metadata".into()),
        };
        if twice {
            return Err("metadata twice".into());
        }
        Ok(())
    }

    fn sample(&mut self, line: &str) -> Result<(), String> {
        let end = line.find(['{', ' ']).ok_or("no value")?;
        let (name, rest) = line.split_at(end);
        let (labels, value) = match rest.strip_prefix('{') {
            Some(rest) => labels(rest)?,
            None => (Labels::new(), rest),
        };
        let value = value.strip_prefix(' ').ok_or("no space before the value")?;
        if !is_name(name) || !is_number(value) {
            return Err("a bad name or number".into());
        }
        let family = self.family.as_mut().ok_or("a sample of no family")?;
        let suffix = name
            .strip_prefix(family.name.as_str())
            .ok_or("a sample of another family")?;
        let suffixes: &[&str] = match (family.kind.as_str(), self.flavour) {
            ("counter", Flavour::OpenMetrics) => &["_total"],
            ("counter" | "gauge", _) => &[""],
            ("histogram", _) => &["_bucket", "_count", "_sum"],
            _ => return Err("no type".into()),
        };
        if !suffixes.contains(&suffix) {
            return Err("the suffix does not fit the type".into());
        }
        if self.flavour == Flavour::Prometheus
            && name.ends_with("_total") != (family.kind == "counter")
        {
            return Err("counters alone end with _total".into());
        }
        let owner = self.names.entry(name.into()).or_insert(family.name.clone());
        if *owner != family.name {
            return Err("two families have samples of this name".into());
        }
        let sample = (name.to_owned(), labels.clone(), value.to_owned());
        family.samples.push(sample);
        let key = (name.to_owned(), labels);
        if self.samples.insert(key, value.into()).is_some() {
            return Err("a sample twice".into());
        }
        Ok(())
    }

    fn end_family(&mut self) -> Result<(), String> {
        let Some(family) = self.family.take() else {
            return Ok(());
        };
        let openmetrics = self.flavour == Flavour::OpenMetrics;
        let name = &family.name;
        if family.kind.is_empty() || family.help.is_none() || family.samples.is_empty() {
            return Err(format!("{name} lacks type, help or samples"));
        }
        for unit in ["seconds", "bytes"] {
            let named = name.ends_with(&format!("_{unit}"));
            if openmetrics && named != (family.unit.as_deref() == Some(unit)) {
                return Err(format!("{name} has not the unit of its name"));
            }
        }
        if openmetrics && name.ends_with("_total") {
            return Err(format!("{name} ends with a suffix of samples"));
        }
        if family.kind == "histogram" {
            histograms(&family)?;
        }
        self.over.insert(family.name);
        Ok(())
    }
}

/// The samples of each histogram come together: the buckets, their number, their sum.
fn histograms(family: &Family) -> Result<(), String> {
    let mut rest = &family.samples[..];
    let of = |suffix: &str| format!("{}{suffix}", family.name);
    while let Some((_, first, _)) = rest.first() {
        let labels: Labels = first
            .iter()
            .filter(|(key, _)| key != "le")
            .cloned()
            .collect();
        let mut bounds = Vec::new();
        let mut before = 0;
        while let Some(((name, all, value), tail)) = rest.split_first() {
            if *name != of("_bucket") {
                break;
            }
            let (le, others): (Vec<_>, Vec<_>) = all.iter().partition(|(key, _)| key == "le");
            let [(_, le)] = le[..] else {
                return Err(format!("{name}: no bound"));
            };
            if others.into_iter().ne(&labels) {
                return Err(format!("{name}: buckets of another histogram"));
            }
            let value: u64 = value.parse().map_err(|_| format!("{name}: no count"))?;
            if value < before {
                return Err(format!("{name}: a bucket below the one before"));
            }
            before = value;
            bounds.push(bound(le)?);
            rest = tail;
        }
        if !bounds.windows(2).all(|pair| pair[0] < pair[1]) || bounds.last() != Some(&f64::INFINITY)
        {
            return Err(format!("{}: bad bounds {bounds:?}", family.name));
        }
        let [count, sum, tail @ ..] = rest else {
            return Err(format!("{}: no count and sum", family.name));
        };
        let wanted = (of("_count"), labels.clone(), before.to_string());
        if *count != wanted || sum.0 != of("_sum") || sum.1 != labels {
            return Err(format!("{}: the count or sum is wrong", family.name));
        }
        rest = tail;
    }
    Ok(())
}

/// A bound as the standard has it: `1.0`, not `1`.
fn bound(text: &str) -> Result<f64, String> {
    if text != "+Inf" && !text.contains('.') {
        return Err(format!("a bound without a point: {text}"));
    }
    text.parse().map_err(|_| format!("no bound: {text}"))
}

/// Reads labels behind the brace, and what follows the closing one.
fn labels(mut rest: &str) -> Result<(Labels, &str), String> {
    let mut labels = Labels::new();
    loop {
        let (key, after) = rest.split_once("=\"").ok_or("no label")?;
        if !is_name(key) || key.contains(':') || labels.iter().any(|(known, _)| known == key) {
            return Err("a bad label".into());
        }
        let mut escaped = false;
        let end = after.find(|character| {
            let end = character == '"' && !escaped;
            escaped = character == '\\' && !escaped;
            end
        });
        let (value, tail) = after.split_at(end.ok_or("an open quote")?);
        labels.push((key.into(), unescape(value, true)?));
        match tail.as_bytes().get(1) {
            Some(b',') => rest = &tail[2..],
            Some(b'}') => return Ok((labels, &tail[2..])),
            _ => return Err("no end of the labels".into()),
        }
    }
}

/// Takes escapes back; nothing that needs one is without.
fn unescape(text: &str, quotes: bool) -> Result<String, String> {
    let mut plain = String::new();
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        plain.push(match character {
            '\\' => match rest.next() {
                Some('\\') => '\\',
                Some('n') => '\n',
                Some('"') if quotes => '"',
                _ => return Err("a bad escape".into()),
            },
            '"' if quotes => return Err("a bare quote".into()),
            other => other,
        });
    }
    Ok(plain)
}

fn is_name(text: &str) -> bool {
    let word = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'_' || octet == b':';
    text.bytes().all(word) && !text.is_empty() && !text.as_bytes()[0].is_ascii_digit()
}

/// A number of ours: digits, perhaps with a fraction.
fn is_number(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|octet| octet.is_ascii_digit());
    match text.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(text),
    }
}

const GOOD: &str = "# TYPE a_bytes counter\n# UNIT a_bytes bytes\n# HELP a_bytes A.\n\
    a_bytes_total{x=\"1\\\"\\\\\\n,}\",y=\"\"} 5\na_bytes_total{x=\"2\",y=\"\"} 5\n\
    # TYPE b gauge\n# HELP b B.\nb 1.5\n\
    # TYPE c_seconds histogram\n# UNIT c_seconds seconds\n# HELP c_seconds C.\n\
    c_seconds_bucket{le=\"0.5\"} 1\nc_seconds_bucket{le=\"+Inf\"} 2\n\
    c_seconds_count 2\nc_seconds_sum 0.7\n# EOF\n";

#[test]
fn the_reader_reads() {
    let samples = read(GOOD, Flavour::OpenMetrics).expect("it is good");
    assert_eq!(samples.len(), 7);
    let labels = vec![("x".into(), "1\"\\\n,}".into()), ("y".into(), "".into())];
    assert_eq!(samples[&("a_bytes_total".into(), labels)], "5");
}

#[test]
fn the_reader_is_strict() {
    for (old, new) in [
        ("# EOF\n", ""),
        ("# EOF\n", "# EOF"),
        ("# EOF\n", "# EOF\n\n"),
        ("b 1.5\n", "b 1.5\n\n"),
        ("b 1.5\n", "b  1.5\n"),
        ("b 1.5\n", "b 1.5 \n"),
        ("b 1.5\n", "b 1,5\n"),
        ("b 1.5\n", "b -1\n"),
        ("b 1.5\n", "b\n"),
        ("b 1.5\n", "b{} 1.5\n"),
        ("b 1.5\n", "b_total 1.5\n"),
        ("b 1.5\n", "b 1.5\nb 1.5\n"),
        ("b 1.5\n", ""),
        ("b 1.5\n", "b 1.5\n# HELP b B.\n"),
        ("# HELP b B.\n", ""),
        ("# HELP b B.\n", "# HELP b B.\n# HELP b B.\n"),
        ("# HELP b B.\n", "# HELP b \\B.\n"),
        ("# HELP b B.\n", "# HELP b\n"),
        ("# TYPE b gauge\n", ""),
        ("# TYPE b gauge\n", "# TYPE b gouge\n"),
        ("# TYPE b gauge\n", "# TYPE b counter\n"),
        ("# TYPE b gauge\n# HELP b B.\nb 1.5\n", "# TYPE b gauge\n# HELP b B.\nb 1.5\n# TYPE a_bytes counter\n# HELP a_bytes A.\na_bytes_total 1\n"),
        ("# UNIT a_bytes bytes\n", ""),
        ("# UNIT a_bytes bytes\n", "# UNIT a_bytes octets\n"),
        ("a_bytes_total{x=\"2\"", "a_bytes{x=\"2\""),
        ("{x=\"2\",y=\"\"}", "{x=\"2\",x=\"\"}"),
        ("{x=\"2\",y=\"\"}", "{x=\"2\",y=\"}"),
        ("{x=\"2\",y=\"\"}", "{x=\"2\",}"),
        ("{x=\"2\",y=\"\"}", "{x=\"2\", y=\"\"}"),
        ("{x=\"2\",y=\"\"}", "{2=\"2\",y=\"\"}"),
        ("x=\"2\"", "x=\"\\2\""),
        ("le=\"0.5\"", "le=\"1\""),
        ("le=\"0.5\"} 1", "le=\"0.5\"} 3"),
        ("le=\"+Inf\"", "le=\"0.4\""),
        ("le=\"+Inf\"", "le=\"0.6\""),
        ("c_seconds_count 2\n", "c_seconds_count 3\n"),
        ("c_seconds_count 2\n", ""),
        ("c_seconds_sum 0.7\n", ""),
        ("c_seconds_bucket{le=\"+Inf\"} 2\n", ""),
    ] {
        assert!(GOOD.contains(old), "{old}");
        let bad = GOOD.replace(old, new);
        assert!(read(&bad, Flavour::OpenMetrics).is_err(), "{old:?} as {new:?} passed");
    }
}
