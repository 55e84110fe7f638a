// SPDX-License-Identifier: GPL-2.0

//! What has to hold for every row of frames, and for every request that is told in frames: the body
//! of the fuzz target `frames_grammar`.
//!
//! A second decoder, written for plainness, reads all frames at once; the one of the gateway must
//! understand the same, however the octets are cut.

use crate::bytes::Writer;
use crate::head_grammar::{LIMITS, QUIET};
use crate::http::body::Body;
use crate::http::encode;
use crate::http::field::{fields, Name};
use crate::http::forward::Forward;
use crate::http::head::{parse_request, BodyLength, Parse, RequestHead, Scan};
use crate::srun::body::Frames;
use crate::srun::{request, response, Wire};

/// The first octet says which wire it is and what the head declares; what follows is tried as a
/// response in frames, and as a request to be told in frames.
pub fn check(input: &[u8]) {
    let Some((dial, octets)) = input.split_first() else {
        return;
    };
    let wire = if dial & 1 == 0 {
        Wire::Hmux
    } else {
        Wire::Srun
    };
    let declared = match dial >> 1 {
        0 => None,
        length => Some(u64::from(length) - 1),
    };
    check_response(wire, declared, octets);
    if let Ok(Parse::Complete(head)) = parse_request(octets, &mut Scan::new(), &LIMITS) {
        check_request(wire, octets, &head, *dial);
    }
}

/// What a decoder makes of the frames of a response.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Seen {
    /// The head as text, once it is whole.
    pub(crate) head: Option<Vec<u8>>,
    /// Content.
    pub(crate) content: Vec<u8>,
    /// Acknowledgements.
    pub(crate) acks: usize,
    /// It is no response. Of the rest nothing is compared then: it may be seen sooner or later.
    pub(crate) refused: bool,
    /// It has ended, and whether the connection does too, or is not to be kept. Without a head only
    /// that has ended.
    pub(crate) end: Option<bool>,
    /// Octets of the whole response.
    pub(crate) len: usize,
}

fn check_response(wire: Wire, declared: Option<u64>, octets: &[u8]) {
    let expected = decode_plainly(wire, declared, octets);
    for step in [1, 2, 3, 7, 64, octets.len().max(1)] {
        let ends = (0..octets.len()).step_by(step).chain([octets.len()]);
        let seen = decode(wire, declared, octets, ends);
        assert_eq!(seen.refused, expected.refused, "in pieces of {step}");
        if !seen.refused {
            assert_eq!(seen, expected, "in pieces of {step}");
        }
    }
}

/// Decodes with the gateway's decoder; `ends` says how many octets have come, each time.
pub(crate) fn decode(
    wire: Wire,
    declared: Option<u64>,
    octets: &[u8],
    ends: impl IntoIterator<Item = usize>,
) -> Seen {
    let mut seen = Seen::default();
    let (mut scan, mut at) = (response::Scan::new(), 0);
    let mut body = Body::Frames(Frames::new(wire, declared));
    for end in ends {
        if seen.head.is_none() {
            let read = scan.read(wire, &octets[at..end], usize::MAX);
            seen.acks += scan.take_acks();
            let Ok(len) = read else {
                seen.refused = true;
                return seen;
            };
            let Some(len) = len else {
                at += scan.take_leading();
                if scan.has_closed() {
                    (seen.end, seen.len) = (Some(true), at);
                    return seen;
                }
                continue;
            };
            seen.head = Some(text(wire, &octets[at..at + len]));
            at += len;
        }
        while seen.end.is_none() {
            let Ok(step) = body.next(&octets[at..end]) else {
                seen.refused = true;
                return seen;
            };
            let start = at + step.skip;
            at = start + step.data;
            seen.content.extend(&octets[start..at]);
            seen.acks += step.acks;
            assert_eq!(step.trailer, 0);
            assert_eq!(step.done, body.is_done());
            if step.done {
                seen.end = Some(step.closes);
                seen.len = at;
            } else if step.skip + step.data == 0 {
                break;
            }
        }
    }
    seen
}

fn text(wire: Wire, frames: &[u8]) -> Vec<u8> {
    let mut room = vec![0; response::text_room(frames.len())];
    let mut out = Writer::new(&mut room);
    response::text(wire, frames, &mut out).expect("room for the text");
    out.written().to_vec()
}

/// A frame as somebody else reads it: code, payload and the octets of all of it. The payload ends
/// with the octets if it is not all there.
pub(crate) fn frame(wire: Wire, octets: &[u8]) -> Option<(u8, &[u8], usize)> {
    let code = *octets.first()?;
    let digits = match (wire, code) {
        (Wire::Hmux, b'Q' | b'X' | b'Y') => return Some((code, &[], 1)),
        (Wire::Hmux, _) => octets.get(1..3)?,
        (Wire::Srun, _) => octets.get(1..4)?,
    };
    let length = digits
        .iter()
        .fold(0, |sum, digit| sum * 256 + usize::from(*digit));
    let start = 1 + digits.len();
    if wire == Wire::Hmux && (code == b'C' || code == b'A') {
        return Some((code, &[], start));
    }
    let end = start + length;
    Some((code, &octets[start..end.min(octets.len())], end))
}

/// Fields that are about connections, in lower case.
const HOPS: [&str; 7] = [
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// The plain decoder.
fn decode_plainly(wire: Wire, declared: Option<u64>, octets: &[u8]) -> Seen {
    let mut seen = Seen::default();
    let refused = Seen {
        refused: true,
        ..Seen::default()
    };
    let (status_code, value_code) = match wire {
        Wire::Hmux => (b's', b'S'),
        Wire::Srun => (b'S', b'V'),
    };
    let mut text: Option<Vec<u8>> = None;
    let mut name: Option<Vec<u8>> = None;
    let (mut at, mut unmodified, mut surplus) = (0, false, false);
    while let Some((code, payload, len)) = frame(wire, &octets[at..]) {
        let whole = at + len <= octets.len();
        if seen.head.is_some() {
            let left = declared.map(|all| all - seen.content.len() as u64);
            let size = (len - 1) as u64;
            match (wire, code) {
                (_, b'D') => {
                    let prefix = if wire == Wire::Hmux { 2 } else { 3 };
                    let most = left.unwrap_or(u64::MAX).min(payload.len() as u64) as usize;
                    seen.content.extend(&payload[..most]);
                    surplus |= left.is_some_and(|left| size - prefix > left);
                }
                (_, b'A') => seen.acks += 1,
                (Wire::Hmux, b'Q') | (Wire::Srun, b'Z') | (_, b'X') => {
                    if left.is_some_and(|left| left > 0) || len > 4 {
                        return refused;
                    }
                    seen.end = Some(code == b'X' || surplus);
                    seen.len = at + len;
                    return seen;
                }
                _ => {}
            }
        } else if whole {
            let ends_line = payload.contains(&b'\r') || payload.contains(&b'\n');
            let token =
                |octet: &u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(octet);
            match (code, &mut text, name.take()) {
                (_, Some(text), Some(name)) if code == value_code => {
                    if ends_line {
                        return refused;
                    }
                    let lower = String::from_utf8_lossy(&name).to_lowercase();
                    let is_hop = HOPS.contains(&lower.as_str());
                    let is_false = unmodified && lower == "content-length";
                    if !(name.is_empty() || is_hop || is_false) {
                        text.extend([&name, &b": "[..], payload, b"\r\n"].concat());
                    }
                }
                // The value of what was named before the status: a meta field.
                (_, None, Some(_)) if code == value_code && !ends_line => {}
                (_, _, Some(_)) => return refused,
                (_, Some(_), None) if code == status_code || code == b'D' => return refused,
                (_, None, None) if code == status_code && !ends_line => {
                    let rest = match wire {
                        Wire::Hmux => payload,
                        Wire::Srun => match payload.iter().position(|octet| *octet == b' ') {
                            Some(space) => &payload[space + 1..],
                            None => b"",
                        },
                    };
                    unmodified = rest.starts_with(b"304");
                    text = Some([b"HTTP/1.1 ", rest, b"\r\n"].concat());
                }
                (b'H', Some(_), None) if !payload.is_empty() && payload.iter().all(token) => {
                    name = Some(payload.to_vec());
                }
                (b'M', _, None) if wire == Wire::Hmux => name = Some(Vec::new()),
                (b'A', _, None) => seen.acks += 1,
                (b'G', Some(text), None) => {
                    seen.head = Some([&text[..], b"\r\n"].concat());
                }
                (b'X', None, None) if payload.is_empty() => {
                    (seen.end, seen.len) = (Some(true), at + len);
                    return seen;
                }
                (b'H' | b'G' | b'D' | b'X', _, None) => return refused,
                (b'Q', _, None) if wire == Wire::Hmux => return refused,
                (b'Z', _, None) if wire == Wire::Srun => return refused,
                (code, _, None) if code == value_code || code == status_code => return refused,
                _ => {}
            }
        }
        if !whole {
            break;
        }
        at += len;
    }
    seen
}

/// A request as a backend reads it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Told {
    /// The frames in their order, fields apart: code and payload.
    pub(crate) facts: Vec<(u8, Vec<u8>)>,
    /// Name and value of each field.
    pub(crate) fields: Vec<(Vec<u8>, Vec<u8>)>,
    /// All content.
    pub(crate) content: Vec<u8>,
    /// Octets up to the end.
    pub(crate) len: usize,
}

impl Told {
    /// The payload of the only frame with that code.
    pub(crate) fn fact(&self, code: u8) -> Option<&[u8]> {
        let mut found = self.facts.iter().filter(|(other, _)| *other == code);
        let fact = found.next().map(|(_, payload)| &payload[..]);
        assert!(found.next().is_none(), "two {:?}", char::from(code));
        fact
    }
}

/// Reads a whole request, strictly.
pub(crate) fn told(wire: Wire, octets: &[u8]) -> Told {
    let mut told = Told::default();
    let mut name = None;
    loop {
        let (code, payload, len) = frame(wire, &octets[told.len..]).expect("a whole request");
        told.len += len;
        assert!(told.len <= octets.len(), "a frame is cut");
        let is_value = code == if wire == Wire::Hmux { b'S' } else { b'V' };
        assert_eq!(is_value, name.is_some(), "a name and its value");
        match code {
            _ if is_value => told.fields.push((name.take().unwrap(), payload.to_vec())),
            b'H' => name = Some(payload.to_vec()),
            b'D' => {
                assert!(!payload.is_empty());
                told.content.extend(payload);
            }
            b'Q' if wire == Wire::Hmux => return told,
            b'Z' if wire == Wire::Srun => return told,
            _ => {
                assert!(told.content.is_empty(), "a fact behind content");
                told.facts.push((code, payload.to_vec()));
            }
        }
    }
}

/// Makes text of a request, frames of the text, and reads the frames again.
fn check_request(wire: Wire, octets: &[u8], head: &RequestHead, dial: u8) {
    let forward = Forward {
        expect: false,
        ..QUIET
    };
    let mut room = vec![0; encode::request_room(head, &forward)];
    let mut out = Writer::new(&mut room);
    encode::request_head(head, octets, &forward, &mut out).expect("room for the text");
    let text = out.written();
    let Some(most) = request::room(wire, text) else {
        return;
    };
    let about = request::Request {
        client: forward.client,
        client_port: u16::from(dial),
        may_be_secure: dial & 2 == 0,
        body: head.body,
    };
    let mut room = vec![0; most];
    let mut out = Writer::new(&mut room);
    request::head(wire, text, &about, &mut out).expect("room for the frames");
    let frames = [out.written(), request::end(wire)].concat();
    let told = told(wire, &frames);
    assert_eq!(told.len, frames.len());
    check_told(wire, &told, text, head, &about);
}

fn check_told(wire: Wire, told: &Told, text: &[u8], head: &RequestHead, about: &request::Request) {
    let start = text.split(|octet| *octet == b'\r').next().unwrap();
    let words: Vec<_> = start.split(|octet| *octet == b' ').collect();
    let codes = match wire {
        Wire::Hmux => *b"mUv",
        Wire::Srun => *b"dof",
    };
    assert_eq!(told.fact(codes[0]), Some(words[0]));
    let path = told.fact(codes[1]).unwrap();
    let target = match told.fact(b'e') {
        Some(query) => [path, b"?", query].concat(),
        None => path.to_vec(),
    };
    assert!(words[1] == target || words[1] == [&target[..], b"?"].concat());
    assert_eq!(told.fact(b'i'), Some(&b"192.0.2.43"[..]));
    assert_eq!(told.fact(b'i'), told.fact(b'h'));
    let port = about.client_port.to_string();
    assert_eq!(told.fact(b'j'), Some(port.as_bytes()));
    let length = match head.body {
        BodyLength::Length(octets) => Some(octets.to_string().into_bytes()),
        _ => None,
    };
    assert_eq!(told.fact(b'p'), length.as_deref());
    check_fields(told, text);
    let lines = &text[start.len() + 2..];
    let (name, port) = (told.fact(codes[2]).unwrap(), told.fact(b'g').unwrap());
    let host = fields(lines).find(|(name, _)| Name::of(name) == Name::Host);
    let (_, host) = host.expect("a Host");
    let with_port = [name, b":", port].concat();
    let usual = port == b"80" || port == b"443";
    assert!(with_port == host || usual && host.starts_with(name));
    let mut schemes = fields(lines).filter(|(name, _)| Name::of(name) == Name::XForwardedProto);
    let https = schemes.next().is_some_and(|(_, value)| {
        let mut elements = value.split(|octet| *octet == b',').map(<[u8]>::trim_ascii);
        let first = elements.find(|element| !element.is_empty());
        first.is_some_and(|first| first.eq_ignore_ascii_case(b"https"))
    });
    assert_eq!(told.fact(b'r').is_some(), about.may_be_secure && https);
}

/// All fields of the text arrive, in their order, but those that are said otherwise or not at all.
fn check_fields(told: &Told, text: &[u8]) {
    let start = text.iter().position(|octet| *octet == b'\n').unwrap() + 1;
    let mut types = Vec::new();
    let mut others = Vec::new();
    for (name, value) in fields(&text[start..]) {
        let lower = String::from_utf8_lossy(name).to_lowercase();
        match lower.as_str() {
            "content-type" => types.push(value),
            "content-length" | "expect" | "trailer" => {}
            hop if HOPS.contains(&hop) => {}
            plugin if plugin.starts_with("ssl_") || plugin.starts_with("https_") => {}
            _ => others.push((name.to_vec(), value.to_vec())),
        }
    }
    assert_eq!(told.fields, others);
    let told_types = told.facts.iter().filter(|(code, _)| *code == b'q');
    assert!(told_types.map(|(_, value)| &value[..]).eq(types));
}
