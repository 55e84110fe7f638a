// SPDX-License-Identifier: GPL-2.0

//! What has to hold for every head that is passed on, and for every answer of our own, however the
//! gateway is set up: the body of the fuzz target `forward_grammar`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::head_grammar::{encoded, LIMITS, ROOMY};
use crate::http::encode::{
    self, error_page, request_head, request_room, response_head, response_room, trace_answer,
    trace_room, Answer, Delivery, ErrorPage, Framing, Persist, PAGE_MAX,
};
use crate::http::exceptions::Exceptions;
use crate::http::field::{self, fields, values, Name};
use crate::http::forward::{self, Forward, Treatment};
use crate::http::head::{
    parse_request, parse_response, BodyLength, Options, Parse, RequestHead, ResponseHead, Scan,
};
use crate::http::{list, Method, Status, Version};
use crate::time::UnixTime;

const NOW: UnixTime = UnixTime::from_secs(784_111_777);

/// Passes a head on in the way that the first octets say; the others are the head.
pub fn check(input: &[u8]) {
    let Some((dials, text)) = input.split_first_chunk() else {
        return;
    };
    let dials = Dials(*dials);
    if let Ok(Parse::Complete(head)) = parse_request(text, &mut Scan::new(), &LIMITS) {
        check_request(text, &head, &dials.forward());
        check_trace(text, &head, &dials.answer());
    }
    if let Ok(Parse::Complete(head)) = parse_response(text, &mut Scan::new(), &LIMITS) {
        check_response(text, &head, &dials.delivery());
    }
    check_page(text, dials);
    check_trailers(text);
}

/// What is chosen by the octets before the message.
#[derive(Clone, Copy)]
struct Dials([u8; 4]);

impl Dials {
    fn flag(self, number: u8) -> bool {
        (self.0[1] >> number) & 1 == 1
    }

    fn treatment(self, number: u8) -> Treatment {
        match (self.0[0] >> (2 * number)) & 3 {
            0 => Treatment::Keep,
            1 => Treatment::Replace,
            2 => Treatment::Remove,
            _ => Treatment::Append,
        }
    }

    fn name(self) -> &'static [u8] {
        if self.flag(0) {
            b""
        } else {
            b"resin-0123abcd"
        }
    }

    fn forward(self) -> Forward<'static> {
        let [.., a, b] = self.0;
        Forward {
            client: if self.flag(1) {
                IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, a.into(), 0, 0, b.into()))
            } else {
                IpAddr::V4(Ipv4Addr::new(10, 0, a, b))
            },
            client_port: u16::from(a) << 8,
            x_for: self.treatment(0),
            x_proto: self.treatment(1),
            x_host: self.treatment(2),
            forwarded: self.treatment(3),
            name: self.name(),
            cdn_loop: self.flag(2),
            fallback_host: b"10.0.0.1:6802",
            upgrade: self.flag(3),
            expect: self.flag(4),
            trailers: self.flag(5),
            max_forwards: None,
            conditions: b"",
        }
    }

    fn persist(self) -> Persist {
        if self.flag(6) {
            Persist::Close
        } else {
            Persist::KeepAlive
        }
    }

    fn client(self) -> Version {
        if self.flag(7) {
            Version::Http10
        } else {
            Version::Http11
        }
    }

    fn delivery(self) -> Delivery<'static> {
        Delivery {
            framing: match self.0[2] % 4 {
                0 => Framing::None,
                1 => Framing::Length(self.0[3].into()),
                2 => Framing::Chunked,
                _ => Framing::Close,
            },
            persist: self.persist(),
            client: self.client(),
            date: self.flag(1).then_some(NOW),
            name: self.name(),
            upgrade: self.flag(3),
            stamp: None,
            amended: None,
        }
    }

    fn answer(self) -> Answer {
        Answer {
            persist: self.persist(),
            client: self.client(),
            now: NOW,
        }
    }
}

/// The values of a field in these lines.
fn all(lines: &[u8], name: Name) -> Vec<&[u8]> {
    values(lines, name).collect()
}

fn good_request(text: &[u8]) -> RequestHead {
    match parse_request(text, &mut Scan::new(), &ROOMY) {
        Ok(Parse::Complete(head)) => head,
        other => panic!("{other:?} for {}", text.escape_ascii()),
    }
}

fn good_response(text: &[u8]) -> ResponseHead {
    match parse_response(text, &mut Scan::new(), &ROOMY) {
        Ok(Parse::Complete(head)) => head,
        other => panic!("{other:?} for {}", text.escape_ascii()),
    }
}

fn check_request(text: &[u8], head: &RequestHead, forward: &Forward<'_>) {
    let stated = forward::prefers_plain(head.fields.of(text));
    assert_eq!(forward::prefers_plain(field::readable(text)), stated);
    let is_bounded = matches!(head.method, Method::Trace | Method::Options);
    let Ok(max_forwards) = forward::max_forwards(head, text) else {
        assert!(is_bounded, "a Max-Forwards that nobody asks for");
        return;
    };
    assert!(is_bounded || max_forwards.is_none());
    let forward = &Forward {
        max_forwards,
        ..*forward
    };
    let out = encoded(|out| request_head(head, text, forward, out).unwrap());
    assert!(out.len() <= request_room(head, forward), "too little room");
    let looked_at = RequestHead {
        exceptions: Exceptions::ALL,
        ..*head
    };
    let same = encoded(|out| request_head(&looked_at, text, forward, out).unwrap());
    assert_eq!(out, same, "other than line by line");
    let again = good_request(&out);
    assert_eq!(again.body, head.body);
    assert!(again.keep_alive);
    assert_eq!(again.upgrade, forward.upgrade && head.upgrade);
    assert_eq!(again.te_trailers, forward.trailers && head.te_trailers);
    assert_eq!(
        again.expect_continue,
        forward.expect && head.expect_continue
    );
    let (old, new) = (head.fields.of(text), again.fields.of(&out));
    check_others(old, new, &head.options);
    check_hops(old, new, forward);
    let is_known = !forward.name.is_empty();
    assert!(!is_known || forward::loops(&again, &out, forward.name));
    match max_forwards {
        Some(left) => {
            let left = Ok(Some(left.saturating_sub(1)));
            assert_eq!(forward::max_forwards(&again, &out), left);
        }
        None => assert_eq!(all(new, Name::MaxForwards), all(old, Name::MaxForwards)),
    }
    if head.body != BodyLength::Chunked {
        assert!(all(new, Name::Trailer).is_empty());
    }
    check_origin(head, text, new, forward);
}

/// All fields that mean nothing to a gateway arrive, in their order, but those that Connection
/// names.
fn check_others(old: &[u8], new: &[u8], options: &Options) {
    let named: Vec<_> = values(old, Name::Connection)
        .flat_map(crate::bytes::tokens)
        .map(<[u8]>::to_ascii_lowercase)
        .collect();
    assert_eq!(options.let_trailers_pass(), options.named == 0);
    let others = |lines| {
        let others = fields(lines).filter(|(name, _)| Name::of(name) == Name::Other);
        others.collect::<Vec<_>>()
    };
    let (sent, arrived) = (others(old), others(new));
    let mut left = arrived.iter();
    for field in sent {
        let is_named = named.contains(&field.0.to_ascii_lowercase());
        // Some of those that are named arrive nevertheless.
        if !is_named || left.clone().next() == Some(&field) {
            assert_eq!(left.next(), Some(&field));
        }
    }
    assert_eq!(left.next(), None);
}

fn check_hops(old: &[u8], new: &[u8], forward: &Forward<'_>) {
    let old_via = all(old, Name::Via);
    let new_via = all(new, Name::Via);
    assert_eq!(new_via[..old_via.len()], old_via);
    let added = usize::from(!forward.name.is_empty());
    assert_eq!(new_via.len(), old_via.len() + added);
    let added = usize::from(forward.cdn_loop && !forward.name.is_empty());
    assert_eq!(
        all(new, Name::CdnLoop).len(),
        all(old, Name::CdnLoop).len() + added
    );
    let protocols = |lines| -> Vec<_> {
        let upgrades = all(lines, Name::Upgrade).into_iter();
        upgrades.flat_map(crate::bytes::tokens).collect()
    };
    let is_h2c = |one: &&[u8]| one.to_ascii_lowercase().starts_with(b"h2c");
    assert!(!protocols(new).iter().any(is_h2c));
    assert!(all(new, Name::Http2Settings).is_empty());
}

/// What is told of the client.
fn check_origin(head: &RequestHead, text: &[u8], new: &[u8], forward: &Forward<'_>) {
    let old = head.fields.of(text);
    let address = forward.client.to_canonical().to_string();
    for (name, treatment) in [
        (Name::XForwardedFor, forward.x_for),
        (Name::XForwardedProto, forward.x_proto),
        (Name::XForwardedHost, forward.x_host),
        (Name::Forwarded, forward.forwarded),
    ] {
        match treatment {
            Treatment::Keep => assert_eq!(all(new, name), all(old, name)),
            Treatment::Remove => assert!(all(new, name).is_empty(), "{name:?}"),
            _ => assert!(all(new, name).len() <= 1, "{name:?}"),
        }
    }
    let hops = |name| -> (Vec<&[u8]>, Vec<&[u8]>) {
        let closed = values(old, name).filter(|value| list::is_closed(value));
        let new = values(new, name);
        (
            closed.flat_map(list::elements).collect(),
            new.flat_map(list::elements).collect(),
        )
    };
    for (name, treatment) in [
        (Name::XForwardedFor, forward.x_for),
        (Name::Forwarded, forward.forwarded),
    ] {
        let (old, new) = hops(name);
        let Some((ours, before)) = new.split_last().filter(|_| treatment != Treatment::Keep) else {
            continue;
        };
        match treatment {
            Treatment::Append => assert_eq!(before, old),
            _ => assert!(before.is_empty(), "somebody else is believed"),
        }
        if name == Name::XForwardedFor {
            assert_eq!(*ours, address.as_bytes());
        } else {
            check_forwarded_element(ours, &address, head.host.of(text));
        }
    }
    if forward.x_proto == Treatment::Replace {
        assert_eq!(all(new, Name::XForwardedProto), [b"http"]);
    }
    if forward.x_host == Treatment::Replace && !head.host.is_empty() {
        assert_eq!(all(new, Name::XForwardedHost), [head.host.of(text)]);
    }
}

/// `for`, `host` and `proto`, each with the value that it must have (RFC 7239 section 4).
fn check_forwarded_element(element: &[u8], address: &str, host: &[u8]) {
    let element = std::str::from_utf8(element).unwrap();
    let unquoted = |value: &str| match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"').unwrap().to_owned(),
        None => {
            assert!(crate::bytes::is_token(value.as_bytes()), "{value}");
            value.to_owned()
        }
    };
    let parts: Vec<_> = list::parameters(element.as_bytes())
        .map(|part| std::str::from_utf8(part).unwrap())
        .map(|part| part.split_once('=').unwrap())
        .map(|(name, value)| (name, unquoted(value)))
        .collect();
    let (first, others) = parts.split_first().unwrap();
    assert_eq!(first.0, "for");
    let bracketed = format!("[{address}]");
    let shown = if address.contains(':') {
        &bracketed
    } else {
        address
    };
    let port = first.1.strip_prefix(shown).expect(&first.1);
    assert!(port.is_empty() || port[1..].parse::<u16>().is_ok() && port.starts_with(':'));
    let host = String::from_utf8(host.to_vec()).unwrap();
    let expected = [("host", host.clone()), ("proto", "http".to_owned())];
    assert_eq!(others, &expected[usize::from(host.is_empty())..]);
}

/// What is sent back to the sender of a TRACE is his request, but for what he may not know.
fn check_trace(text: &[u8], head: &RequestHead, answer: &Answer) {
    let out = encoded(|out| trace_answer(head, text, answer, out).unwrap());
    assert!(out.len() <= trace_room(head), "too little room");
    let response = good_response(&out);
    let body = &out[response.len..];
    assert_eq!(response.body, BodyLength::Length(body.len() as u64));
    let again = good_request(body);
    assert_eq!(again.target.of(body), head.target.of(text));
    assert_eq!((again.method, again.body), (head.method, head.body));
    for (name, _) in fields(again.fields.of(body)) {
        let name = name.to_ascii_lowercase();
        assert!(!name.starts_with(b"cookie") && !name.starts_with(b"authorization"));
    }
    let out = encoded(|out| encode::options_answer(answer, out).unwrap());
    assert_eq!(good_response(&out).len, out.len());
    assert!(out.len() <= 256);
}

fn check_response(text: &[u8], head: &ResponseHead, delivery: &Delivery<'_>) {
    let out = encoded(|out| response_head(head, text, delivery, out).unwrap());
    assert!(
        out.len() <= response_room(head, delivery),
        "too little room"
    );
    let looked_at = ResponseHead {
        exceptions: Exceptions::ALL,
        ..*head
    };
    let same = encoded(|out| response_head(&looked_at, text, delivery, out).unwrap());
    assert_eq!(out, same, "other than line by line");
    let again = good_response(&out);
    assert_eq!(again.len, out.len());
    assert_eq!(again.status, head.status);
    assert_eq!(again.upgrade, delivery.upgrade && head.upgrade);
    let (old, new) = (head.fields.of(text), again.fields.of(&out));
    check_others(old, new, &head.options);
    let is_final = !head.status.is_informational();
    let dates = all(old, Name::Date).len();
    let added = is_final && dates == 0 && delivery.date.is_some();
    assert_eq!(all(new, Name::Date).len(), dates + usize::from(added));
    let added = is_final && !delivery.name.is_empty();
    assert_eq!(
        all(new, Name::Via).len(),
        all(old, Name::Via).len() + usize::from(added)
    );
    if is_final {
        assert_eq!(again.options.close, delivery.persist == Persist::Close);
    } else {
        assert_eq!(again.body, BodyLength::None);
    }
    if delivery.framing != Framing::Chunked {
        assert!(all(new, Name::Trailer).is_empty());
    }
}

/// A page fits, is whole, and nothing in its text ends the paragraph that it is in.
fn check_page(text: &[u8], dials: Dials) {
    let [a, _, b, c] = dials.0;
    let page = ErrorPage {
        status: Status::new(400 + u16::from(a) % 200).unwrap(),
        reason: &String::from_utf8_lossy(text),
        text: if dials.flag(4) { text } else { b"" },
        id: u64::from_be_bytes([a, b, c, a, b, c, a, b]),
        plain: dials.flag(5),
        head_only: dials.flag(2),
        persist: dials.persist(),
        client: dials.client(),
        now: NOW,
    };
    let out = encoded(|out| error_page(&page, out).unwrap());
    assert!(out.len() <= PAGE_MAX, "{} octets", out.len());
    let head = good_response(&out);
    let body = &out[head.len..];
    let BodyLength::Length(length) = head.body else {
        panic!("no length");
    };
    let sent = if page.head_only { 0 } else { length };
    assert_eq!(body.len() as u64, sent);
    if !page.plain && !page.head_only {
        let opened = body.iter().filter(|octet| **octet == b'<').count();
        assert_eq!(opened, 15, "{}", body.escape_ascii());
    }
}

/// A trailer section of the fields of the text, good names and values as the decoder gives them.
fn check_trailers(text: &[u8]) {
    for line in text.split(|octet| *octet == b'\n').take(8) {
        let Some(colon) = line.iter().position(|octet| *octet == b':') else {
            continue;
        };
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        let is_good = crate::bytes::is_token(name)
            && value
                .iter()
                .all(|octet| crate::bytes::is_field_content(*octet));
        if !is_good {
            continue;
        }
        let value = crate::bytes::trim_ows(value);
        let out = encoded(|out| encode::trailer(name, value, out).unwrap());
        if forward::may_trail(name) {
            assert_eq!(Name::of(name), Name::Other);
            assert_eq!(out, [name, b": ", value, b"\r\n"].concat());
        } else {
            assert!(out.is_empty());
        }
    }
}
