// SPDX-License-Identifier: GPL-2.0

//! What has to hold for whatever is asked of the gateway's status: the body of the fuzz target
//! `asked_grammar`, also run over its corpus by the tests.

use crate::head_grammar::LIMITS;
use crate::http::field::{self, fields};
use crate::http::head::{parse_request, Parse, Scan};
use crate::http::Status;
use crate::status::{asked, Format};

/// Takes `input` for a request, and for a target with field lines behind it.
pub fn check(input: &[u8]) {
    if let Ok(Parse::Complete(head)) = parse_request(input, &mut Scan::new(), &LIMITS) {
        check_asked(head.path.of(input), head.fields.of(input));
    }
    let target = input.split(|octet| *octet == b'\n').next().unwrap_or(b"");
    let lines = field::readable(input);
    check_asked(target, lines);
    // Whatever the fields say, on our own path too.
    check_asked(OURS, lines);
}

const OURS: &[u8] = b"/caucho-status";

fn check_asked(target: &[u8], lines: &[u8]) {
    let query = match target.strip_prefix(OURS) {
        Some(b"") => b"",
        Some([b'?', query @ ..]) => query,
        _ => return assert_eq!(asked(target, lines), None),
    };
    let outcome = asked(target, lines).expect("our own path");
    let mut pairs = query.split(|octet| *octet == b'&');
    let Some(name) = pairs.find_map(|pair| pair.strip_prefix(b"format=")) else {
        return check_accepted(outcome.expect("a form without a name"), lines);
    };
    let known = Format::ALL
        .into_iter()
        .find(|format| format.name().as_bytes() == name);
    match (outcome, known) {
        (Ok(format), Some(known)) => assert_eq!(format, known),
        (Err(violation), None) => assert_eq!(violation.status, Status::BAD_REQUEST),
        (outcome, _) => panic!("{outcome:?} for {}", name.escape_ascii()),
    }
}

/// Accept alone decides, wherever it stands, and what nobody speaks of does not come about.
fn check_accepted(format: Format, lines: &[u8]) {
    let accepts: Vec<_> = fields(lines)
        .filter(|(name, _)| name.eq_ignore_ascii_case(b"accept"))
        .map(|(_, value)| value)
        .collect();
    let mut alone = b"Host: a\r\n".to_vec();
    for value in &accepts {
        alone.extend([b"ACCEPT:\t", *value, b" \r\n"].concat());
    }
    alone.extend(b"X-Accept: application/json\r\n");
    assert_eq!(asked(OURS, &alone), Some(Ok(format)));
    let media = match format {
        Format::Html => return,
        Format::Json => "application/",
        Format::OpenMetrics => "application/",
        Format::Prometheus | Format::Text => "text/",
    };
    let named = accepts.iter().any(|value| {
        let value = String::from_utf8_lossy(value).to_ascii_lowercase();
        value.contains(media) || value.contains("*/*")
    });
    assert!(named, "{format:?} for {accepts:?}");
}
