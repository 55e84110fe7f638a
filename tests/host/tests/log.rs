// SPDX-License-Identifier: GPL-2.0

//! The access log: exact lines, hostile octets, what is cut.

mod ring;

use std::net::IpAddr;

use proptest::prelude::*;

use super::cases;
use crate::bytes::{self, Full, Writer};
use crate::http::head::{parse_request, Parse, Scan};
use crate::http::Limits;
use crate::log::{self, Entry, Format, MAX_CAPTURE};
use crate::log_grammar::check;
use crate::time::{Duration, UnixTime};

const FORMATS: [Format; 2] = [Format::Combined, Format::Json];

fn entry() -> Entry<'static> {
    Entry {
        client: IpAddr::from([127, 0, 0, 1]),
        received: UnixTime::from_secs(1_795_327_413),
        status: 200,
        octets: 123,
        backend: Some(0),
        cache: "-",
        total: Duration::from_micros(1250),
        first_byte: Some(Duration::from_micros(988)),
        ending: *b"--",
        id: 0xc1,
        is_remark: false,
    }
}

fn captured(request: &[u8]) -> Vec<u8> {
    let limits = Limits {
        head: 1 << 16,
        fields: 100,
        target: 1 << 15,
    };
    let head = parse_request(request, &mut Scan::new(), &limits);
    let Ok(Parse::Complete(head)) = head else {
        panic!("no request: {}", request.escape_ascii());
    };
    written(|out| log::capture(&head, request, out))
}

fn written(write: impl FnOnce(&mut Writer<'_>) -> Result<(), Full>) -> Vec<u8> {
    let mut buffer = [0; log::MAX_LINE];
    let mut out = Writer::new(&mut buffer);
    write(&mut out).unwrap();
    out.written().to_vec()
}

fn line(format: Format, entry: &Entry<'_>, captured: &[u8]) -> String {
    String::from_utf8(written(|out| log::line(format, entry, captured, out))).unwrap()
}

#[test]
fn the_combined_format_is_that_of_other_servers() {
    let request =
        b"GET /x HTTP/1.1\r\nHost: a\r\nReferer: http://b/\r\nUser-Agent: curl/8.14.1\r\n\r\n";
    let captured = captured(request);
    assert_eq!(
        line(Format::Combined, &entry(), &captured),
        "127.0.0.1 - - [22/Nov/2026:06:03:33 +0000] \"GET /x HTTP/1.1\" 200 123 \"http://b/\" \
         \"curl/8.14.1\" srun-0 - 1.250 0.988 -- 00000000000000c1\n"
    );
    let bare = Entry {
        client: IpAddr::from([0, 0, 0, 0, 0, 0xffff, 0x0a00, 0x0001]),
        status: 0,
        octets: u64::MAX,
        backend: None,
        cache: "hit",
        total: Duration::MAX,
        first_byte: None,
        ending: *b"CD",
        id: u64::MAX,
        ..entry()
    };
    assert_eq!(
        line(Format::Combined, &bare, b""),
        "10.0.0.1 - - [22/Nov/2026:06:03:33 +0000] \"-\" 499 18446744073709551615 \"-\" \"-\" - hit \
         18446744073709.551 - CD ffffffffffffffff\n"
    );
}

#[test]
fn json_says_the_same() {
    let request = b"GET /x HTTP/1.0\r\nuser-AGENT: curl/8.14.1\r\n\r\n";
    let captured = captured(request);
    assert_eq!(
        line(Format::Json, &entry(), &captured),
        "{\"time\":\"2026-11-22T06:03:33Z\",\"client\":\"127.0.0.1\",\"request\":\"GET /x HTTP/1.0\",\
         \"status\":200,\"octets\":123,\"referer\":null,\"user_agent\":\"curl/8.14.1\",\
         \"backend\":\"srun-0\",\"cache\":\"-\",\"total_ms\":1.250,\"first_byte_ms\":0.988,\
         \"ending\":\"--\",\"id\":\"00000000000000c1\"}\n"
    );
    let bare = Entry {
        client: "2001:db8::1".parse().unwrap(),
        backend: None,
        first_byte: None,
        ..entry()
    };
    assert_eq!(
        line(Format::Json, &bare, b""),
        "{\"time\":\"2026-11-22T06:03:33Z\",\"client\":\"2001:db8::1\",\"request\":null,\
         \"status\":200,\"octets\":123,\"referer\":null,\"user_agent\":null,\
         \"backend\":null,\"cache\":\"-\",\"total_ms\":1.250,\"first_byte_ms\":null,\
         \"ending\":\"--\",\"id\":\"00000000000000c1\"}\n"
    );
}

#[test]
fn a_client_cannot_forge_a_line() {
    // What a field value may hold: RFC 9110 section 5.5.
    let request = b"GET /\"\\ HTTP/1.1\r\nHost: a\r\nUser-Agent: a\"b\\c\td\x80\xff\x1b[2J\r\n\r\n";
    // A control is refused by the parser, so that agent can only come with the tab.
    let harmless: Vec<u8> = request
        .iter()
        .copied()
        .filter(|octet| *octet != 0x1b)
        .collect();
    let in_combined = captured(&harmless);
    let text = line(Format::Combined, &entry(), &in_combined);
    assert!(
        text.contains(r#""GET /\"\\ HTTP/1.1" 200 123 "-" "a\"b\\c\x09d\x80\xFF[2J" srun-0"#),
        "{text}"
    );
    let in_json = captured(&harmless);
    let text = line(Format::Json, &entry(), &in_json);
    assert!(
        text.contains(r#""user_agent":"a\"b\\c\u0009d\u0080\u00FF[2J","#),
        "{text}"
    );
    // What is no request at all may hold anything.
    let refused = written(|out| log::capture_refused(b"\r\n\x1b]0;x\x07 \"\0\x7f\r\nnext", out));
    let text = line(Format::Combined, &entry(), &refused);
    assert!(
        text.contains(r#"] "\x1B]0;x\x07 \"\x00\x7F" 200"#),
        "{text}"
    );
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn what_is_too_long_is_cut() {
    for format in FORMATS {
        let long = "\u{e9}".repeat(5000);
        let request = format!(
            "GET /{} HTTP/1.1\r\nHost: a\r\nReferer: r{long}\r\nUser-Agent: u{long}\r\n\r\n",
            "x".repeat(20_000)
        );
        let captured = captured(request.as_bytes());
        assert_eq!(captured.len(), MAX_CAPTURE);
        let text = line(format, &entry(), &captured);
        assert!(text.contains("xxx... HTTP/1.1\""), "{text}");
        // No escape sequence is cut in two.
        let whole = ["\\xC3...\"", "\\u00A9...\""];
        let cuts: usize = whole.map(|cut| text.matches(cut).count()).iter().sum();
        assert_eq!(cuts, 2, "{text}");
        // A short agent leaves its room to the target.
        let request = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(1007));
        let text = line(format, &entry(), &super::log::captured(request.as_bytes()));
        assert!(!text.contains("..."), "{text}");
    }
}

#[test]
fn captures_of_any_request_fit_in_what_is_promised() {
    for (method, target) in [(1, 1), (16, 990), (64, 2000), (65, 3000), (2000, 1)] {
        for agent in [0, 1, 255, 256, 257, 3000] {
            let request = format!(
                "{} /{} HTTP/1.0\r\nUser-Agent: {}\r\n\r\n",
                "M".repeat(method),
                "t".repeat(target),
                "\\".repeat(agent)
            );
            check(request.as_bytes());
        }
    }
    check(&[b'"'; 3000]);
    check(&[0xff; 3000]);
    check(b"");
    check(b"\r\n");
}

#[test]
fn the_fields_that_count_are_the_first_ones() {
    let request = b"GET / HTTP/1.0\r\nX: y\r\nReferer:\r\nReferer: two\r\nUser-Agent: one\r\nUser-Agent: two\r\n\r\n";
    let captured = captured(request);
    let text = line(Format::Combined, &entry(), &captured);
    assert!(text.contains("\"-\" \"one\" srun-0"), "{text}");
}

#[test]
fn lost_lines_are_told_in_the_language_of_the_log() {
    assert_eq!(
        written(|out| log::lost(Format::Combined, 17, out)),
        b"# 17 lines lost\n"
    );
    assert_eq!(
        written(|out| log::lost(Format::Json, 17, out)),
        b"{\"lost\":17}\n"
    );
}

#[test]
fn what_needs_no_escape_is_found_at_every_place() {
    for octet in 0..=255u8 {
        let harmless = matches!(octet, b' '..=b'~') && !matches!(octet, b'"' | b'\\');
        for at in 0..20 {
            let mut text = [b'a'; 20];
            text[at] = octet;
            let expected = (!harmless).then_some(at);
            assert_eq!(bytes::find_unquotable(&text), expected, "{octet} at {at}");
        }
    }
}

/// Requests with hostile values.
fn requests() -> impl Strategy<Value = Vec<u8>> {
    let target = proptest::collection::vec(b'!'..=b'~', 0..300);
    let value = proptest::collection::vec(any::<u8>(), 0..300);
    (target, value.clone(), value).prop_map(|(target, referer, agent)| {
        let clean = |value: Vec<u8>| -> Vec<u8> {
            let mut value = value;
            value.retain(|octet| bytes::is_field_content(*octet));
            value
        };
        let mut request = b"GET /".to_vec();
        request.extend(target.into_iter().filter(|octet| *octet != b'#'));
        request.extend(b" HTTP/1.1\r\nHost: a\r\nReferer: ");
        request.extend(clean(referer));
        request.extend(b"\r\nUser-Agent: ");
        request.extend(clean(agent));
        request.extend(b"\r\n\r\n");
        request
    })
}

proptest! {
    #![proptest_config(cases(3000))]

    #[test]
    fn every_request_makes_one_line_that_can_be_read(request in requests()) {
        let limits = Limits { head: 16_384, fields: 100, target: 8192 };
        let parsed = parse_request(&request, &mut Scan::new(), &limits);
        prop_assert!(matches!(parsed, Ok(Parse::Complete(_))));
        check(&request);
    }

    #[test]
    fn so_do_octets_of_any_kind(text in proptest::collection::vec(any::<u8>(), 0..400)) {
        check(&text);
    }
}

/// However long the target and what is said of it are, a remark fits, and forges no line.
#[test]
fn remarks_are_harmless() {
    let long = "\n\"x\x7f".repeat(2000);
    for format in [Format::Combined, Format::Json] {
        let mut buffer = [0; MAX_CAPTURE];
        let mut out = Writer::new(&mut buffer);
        let of_it = Some(("last-modified", long.as_bytes()));
        log::remark(
            format,
            "not-modified",
            long.as_bytes(),
            of_it,
            Some(u64::MAX),
            &mut out,
        )
        .expect("it fits");
        let text = out.written().to_vec();
        let entry = Entry::remark(entry().received);
        let line = line(format, &entry, &text);
        let body = line.strip_suffix('\n').unwrap();
        assert!(
            body.bytes().all(|octet| matches!(octet, b' '..=b'~')),
            "{body}"
        );
        if format == Format::Json {
            let json: serde_json::Value = serde_json::from_str(body).unwrap();
            assert!(json["remark"]
                .as_str()
                .unwrap()
                .starts_with("not-modified: "));
        }
    }
}
