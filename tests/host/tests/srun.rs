// SPDX-License-Identifier: GPL-2.0

//! HMUX and srun, octet by octet: what real Resins have sent and taken.

use proptest::prelude::*;

use crate::bytes::{Full, Writer};
use crate::frames_grammar::{check, decode, told, Seen};
use crate::http::head::BodyLength;
use crate::srun::{request, response, Window, Wire};

/// Octets written as two digits each; what is in quotes stands for itself.
pub(super) fn octets(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    for (index, part) in text.split('"').enumerate() {
        if index % 2 == 1 {
            octets.extend(part.bytes());
            continue;
        }
        let digits: Vec<_> = part.chars().filter(|c| !c.is_whitespace()).collect();
        for pair in digits.chunks(2) {
            let pair: String = pair.iter().collect();
            octets.push(u8::from_str_radix(&pair, 16).expect("two digits"));
        }
    }
    octets
}

fn about(body: BodyLength) -> request::Request {
    request::Request {
        client: [10, 0, 0, 9].into(),
        client_port: 5000,
        may_be_secure: true,
        body,
    }
}

/// The frames of a request, after a look at what happens where they do not fit.
fn framed(wire: Wire, text: &str, body: BodyLength) -> Vec<u8> {
    let write = |out: &mut Writer<'_>| {
        request::head(wire, text.as_bytes(), &about(body), out)?;
        out.put(request::end(wire))
    };
    let mut room = vec![0; request::room(wire, text.as_bytes()).expect("it can be told")];
    let mut out = Writer::new(&mut room);
    write(&mut out).unwrap();
    let frames = out.written().to_vec();
    for short in 0..frames.len() {
        let mut room = vec![0; short];
        assert_eq!(write(&mut Writer::new(&mut room)), Err(Full));
    }
    frames
}

const ECHO: &str = "GET /echo/a?x=1 HTTP/1.1\r\nHost: h\r\n\r\n";

#[test]
fn a_get_on_hmux_is_what_resin_has_taken() {
    let expected = "43 00 01
        55 00 07 2f 65 63 68 6f 2f 61
        6d 00 03 47 45 54
        63 00 08 48 54 54 50 2f 31 2e 31
        65 00 03 78 3d 31
        76 00 01 68
        67 00 02 38 30
        68 00 08 31 30 2e 30 2e 30 2e 39
        69 00 08 31 30 2e 30 2e 30 2e 39
        6a 00 04 35 30 30 30
        48 00 04 48 6f 73 74  53 00 01 68
        51";
    let frames = framed(Wire::Hmux, ECHO, BodyLength::None);
    assert_eq!(frames, octets(expected));
    assert_eq!(frames.len(), 86);
}

#[test]
fn a_get_on_srun_is_what_resin_has_taken() {
    let expected = r#"63 000008 "HTTP/1.1" 64 000003 "GET" 6f 000007 "/echo/a" 65 000003 "x=1"
        66 000001 "h" 67 000002 "80" 68 000008 "10.0.0.9" 69 000008 "10.0.0.9" 6a 000004 "5000"
        48 000004 "Host" 56 000001 "h" 5a 000000"#;
    let frames = framed(Wire::Srun, ECHO, BodyLength::None);
    assert_eq!(frames, octets(expected));
    assert_eq!(frames.len(), 97);
}

const POST: &str = "POST /noread HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\n\
                    Content-Length: 5\r\n\r\n";

/// What the sample has, and the Host that was left out of it.
#[test]
fn a_post_is_what_resin_has_taken() {
    let hmux = r#"43 00 01  55 00 07 2f 6e 6f 72 65 61 64  6d 00 04 50 4f 53 54
        63 00 08 48 54 54 50 2f 31 2e 31
        76 00 01 68  67 00 02 38 30  68 00 08 31 30 2e 30 2e 30 2e 39
        69 00 08 31 30 2e 30 2e 30 2e 39  6a 00 04 35 30 30 30
        70 00 01 35  48 00 04 "Host" 53 00 01 "h"
        71 00 0a 74 65 78 74 2f 70 6c 61 69 6e
        44 00 05 68 65 6c 6c 6f  51"#;
    let srun = r#"63 000008 "HTTP/1.1" 64 000004 "POST" 6f 000007 "/noread"
        66 000001 "h" 67 000002 "80" 68 000008 "10.0.0.9" 69 000008 "10.0.0.9" 6a 000004 "5000"
        70 00 00 01 35  48 000004 "Host" 56 000001 "h"  71 00 00 0a "text/plain"
        44 00 00 05 68 65 6c 6c 6f  5a 00 00 00"#;
    for (wire, expected) in [(Wire::Hmux, hmux), (Wire::Srun, srun)] {
        let mut frames = framed(wire, POST, BodyLength::Length(5));
        frames.truncate(frames.len() - request::end(wire).len());
        let mut room = [0; 4];
        let mut prefix = Writer::new(&mut room);
        request::data_prefix(wire, 5, &mut prefix).unwrap();
        frames.extend([prefix.written(), b"hello", request::end(wire)].concat());
        assert_eq!(frames, octets(expected), "{wire:?}");
    }
}

fn whole(wire: Wire, frames: &str) -> Seen {
    let frames = octets(frames);
    // Cut at every octet, and once in one piece.
    let mut tail = vec![if wire == Wire::Hmux { 0 } else { 1 }];
    tail.extend(&frames);
    check(&tail);
    let seen = decode(wire, None, &frames, [frames.len()]);
    for at in 0..frames.len() {
        assert_eq!(decode(wire, None, &frames, [at, frames.len()]), seen);
    }
    assert_eq!(decode(wire, None, &frames, 0..=frames.len()), seen);
    seen
}

fn seen(head: &str, content: &str, frames: &str) -> Seen {
    Seen {
        head: Some(head.into()),
        content: content.into(),
        end: Some(false),
        len: octets(frames).len(),
        ..Seen::default()
    }
}

#[test]
fn the_answers_of_resin_are_understood() {
    let body = "x".repeat(0x6d);
    let head = "HTTP/1.1 200 OK\r\nX-Echo: 1\r\nContent-Type: text/plain\r\n\r\n";
    // Resin 3.0.
    let frames = format!(
        r#"43 00 02  73 00 06 32 30 30 20 4f 4b  48 00 06 58 2d 45 63 68 6f 53 00 01 31
        48 00 0c 43 6f 6e 74 65 6e 74 2d 54 79 70 65 53 00 0a 74 65 78 74 2f 70 6c 61 69 6e
        47 00 00  44 00 6d "{body}"  51"#
    );
    assert_eq!(whole(Wire::Hmux, &frames), seen(head, &body, &frames));
    // Resin 4.0: no channel, the load of the machine.
    let frames = format!(
        r#"73 00 06 "200 OK" 4d 00 08 "cpu-load" 53 00 01 "0" 48 00 06 "X-Echo" 53 00 01 "1"
        48 00 0c "Content-Type" 53 00 0a "text/plain" 47 00 00  44 00 6d "{body}"  51"#
    );
    assert_eq!(whole(Wire::Hmux, &frames), seen(head, &body, &frames));
    // The old port of 3.0.
    let frames = format!(
        r#"53 00 00 0f 48 54 54 50 2f 31 2e 31 20 32 30 30 20 4f 4b  48 000006 "X-Echo" 56 000001 "1"
        48 00000c "Content-Type" 56 00000a "text/plain" 47 00 00 00  44 00 00 6d "{body}" 5a 00 00 00"#
    );
    assert_eq!(whole(Wire::Srun, &frames), seen(head, &body, &frames));
    // The body was not read.
    let frames = r#"43 00 02  73 00 06 32 30 30 20 4f 4b
        48 00 0c 43 6f 6e 74 65 6e 74 2d 54 79 70 65 53 00 0a 74 65 78 74 2f 70 6c 61 69 6e
        47 00 00  44 00 0d 69 67 6e 6f 72 65 64 20 62 6f 64 79 0a  51"#;
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n";
    assert_eq!(
        whole(Wire::Hmux, frames),
        seen(head, "ignored body\n", frames)
    );
}

/// What Resin does with odd input tells how it ends connections.
#[test]
fn an_end_without_an_answer_is_none() {
    for (wire, frames) in [
        (Wire::Hmux, "51"),
        (Wire::Hmux, "43 00 02 51"),
        (Wire::Hmux, r#"73 00 06 "200 OK" 51"#),
        (Wire::Hmux, r#"73 00 06 "200 OK" 58"#),
        (Wire::Hmux, r#"4d 00 01 "m" 58"#),
        (Wire::Srun, "5a 000000"),
        (Wire::Srun, r#"58 000001 "x""#),
    ] {
        assert!(whole(wire, frames).refused, "{frames}");
    }
    for (wire, frames) in [
        (Wire::Hmux, "58"),
        (Wire::Hmux, "43 00 02 58"),
        (Wire::Srun, "58 000000"),
    ] {
        let seen = whole(wire, frames);
        assert_eq!((seen.head, seen.end), (None, Some(true)), "{frames}");
    }
}

#[test]
fn acknowledgements_come_at_any_time() {
    let frames = r#"41 00 00  43 00 02  41 00 02  73 00 06 "200 OK" 41 00 00 48 00 01 "a" 53 00 01 "b"
        41 00 00 47 00 00 41 00 00 44 00 01 "x" 41 00 00 51"#;
    let seen = whole(Wire::Hmux, frames);
    assert_eq!((seen.acks, seen.end), (6, Some(false)));
    let frames = r#"41 000000 53 00000f "HTTP/1.1 200 OK" 41 000000 47 000000 44 000001 "x"
        41 000000 58 000000"#;
    let seen = whole(Wire::Srun, frames);
    assert_eq!((seen.acks, seen.end), (3, Some(true)));
}

/// Flushes, keep-alives of old, and codes that nobody has heard of.
#[test]
fn what_is_not_known_is_skipped_by_its_length() {
    let frames = r#"4b 00 02 "zz" 45 00 01 "Q" 73 00 06 "200 OK" 66 00 00 7a 00 03 "QQQ" 47 00 00
        66 00 00 44 00 01 "x" 66 00 00 7a 00 03 "Q1X" 59 48 00 01 "a" 44 00 00 44 00 01 "y" 51"#;
    let seen = whole(Wire::Hmux, frames);
    let expected = (Some(&b"HTTP/1.1 200 OK\r\n\r\n"[..]), &b"xy"[..]);
    assert_eq!((seen.head.as_deref(), &seen.content[..]), expected);
    let frames = r#"4b 000002 "zz" 53 00000f "HTTP/1.0 200 OK" 46 000000 7a 000003 "ZZZ" 47 000000
        46 000000 44 000001 "x" 7a 000003 "Z1X" 44 000000 44 000001 "y" 5a 000000"#;
    let seen = whole(Wire::Srun, frames);
    assert_eq!((seen.head.as_deref(), &seen.content[..]), expected);
}

/// None of these may become a line, or two, of a head.
#[test]
fn a_head_cannot_be_made_to_say_more() {
    for status in ["200 OK\r\nX: y", "200\nX: y", "200 OK\r"] {
        let len = status.len();
        let frames = format!(r#"73 00 {len:02x} "{status}" 47 00 00 51"#);
        assert!(whole(Wire::Hmux, &frames).refused, "{status:?}");
    }
    for (name, value) in [
        ("a", "b\r\nSet-Cookie: c=d"),
        ("a", "b\nc: d"),
        ("a", "b\r"),
        ("a: b\r\nc", "d"),
        ("a:", "d"),
        ("a b", "d"),
        ("", "d"),
        ("a\0", "d"),
    ] {
        let (of_name, of_value) = (name.len(), value.len());
        let frames = format!(
            r#"73 00 06 "200 OK" 48 00 {of_name:02x} "{name}" 53 00 {of_value:02x} "{value}" 47 00 00 51"#
        );
        assert!(whole(Wire::Hmux, &frames).refused, "{name:?} {value:?}");
    }
}

#[test]
fn fields_of_connections_stay_behind() {
    let frames = r#"73 00 06 "200 OK" 48 00 0a "Connection" 53 00 05 "close"
        48 00 11 "Transfer-Encoding" 53 00 07 "chunked" 48 00 07 "upgrade" 53 00 01 "x"
        48 00 0e "Content-Length" 53 00 01 "0" 47 00 00 51"#;
    let head = whole(Wire::Hmux, frames).head.unwrap();
    assert_eq!(head, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    // Resin 3.0 says that a 304 has none.
    let frames = r#"73 00 10 "304 Not Modified" 48 00 0e "Content-Length" 53 00 01 "0"
        48 00 04 "ETag" 53 00 03 "'e'" 47 00 00 51"#;
    let head = whole(Wire::Hmux, frames).head.unwrap();
    assert_eq!(head, b"HTTP/1.1 304 Not Modified\r\nETag: 'e'\r\n\r\n");
}

/// The frames say where content ends, the client goes by the head: it gets what it was told of.
#[test]
fn content_is_as_long_as_was_declared() {
    for (wire, frames) in [
        (
            Wire::Hmux,
            r#"73 00 03 "200" 47 00 00 44 00 03 "abc" 44 00 02 "de" 51"#,
        ),
        (
            Wire::Srun,
            r#"53 000005 "X 200" 47 000000 44 000003 "abc" 44 000002 "de" 58 000000"#,
        ),
    ] {
        let frames = octets(frames);
        for declared in 0..9 {
            let seen = decode(wire, Some(declared), &frames, 0..=frames.len());
            assert_eq!(seen.refused, declared > 5, "{declared}");
            // Nothing that is too much is passed on, and the connection is not kept then.
            assert_eq!(seen.content, b"abcde"[..5.min(declared as usize)]);
            let closes = declared < 5 || wire == Wire::Srun;
            assert_eq!(seen.end, (!seen.refused).then_some(closes));
        }
    }
}

/// Those that wait for no acknowledgement, and the head of the response apart, do not count.
#[test]
fn a_head_has_a_limit() {
    let mut scan = response::Scan::new();
    let acks = b"A\0\0".repeat(100);
    assert_eq!(scan.read(Wire::Hmux, &acks, 100), Ok(None));
    assert_eq!((scan.take_acks(), scan.take_leading()), (100, 300));
    let head = octets(r#"73 00 06 "200 OK" 48 00 60 "a"#);
    assert_eq!(scan.read(Wire::Hmux, &head, head.len() + 1), Ok(None));
    assert_eq!(scan.take_leading(), 0);
    let refused = scan.read(Wire::Hmux, &head, head.len());
    assert_eq!(refused.unwrap_err().reason, "head too large");
}

#[test]
fn a_request_says_who_asks_and_whom() {
    for (host, name, port) in [
        ("h", "h", "80"),
        ("h:81", "h", "81"),
        ("h:", "h", "80"),
        ("[::1]", "[::1]", "80"),
        ("[::1]:8080", "[::1]", "8080"),
    ] {
        let text = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let told = told(Wire::Hmux, &framed(Wire::Hmux, &text, BodyLength::None));
        let ends = (told.fact(b'v'), told.fact(b'g'));
        assert_eq!(ends, (Some(name.as_bytes()), Some(port.as_bytes())));
    }
    let secure = "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-Proto: https\r\n\r\n";
    for wire in [Wire::Hmux, Wire::Srun] {
        let told = told(wire, &framed(wire, secure, BodyLength::None));
        assert_eq!(
            (told.fact(b'r'), told.fact(b'g')),
            (Some(&b""[..]), Some(&b"443"[..]))
        );
        // It is still told as it was.
        assert_eq!(told.fields.len(), 2);
    }
    let mapped = request::Request {
        client: "::ffff:10.0.0.9".parse().unwrap(),
        may_be_secure: false,
        ..about(BodyLength::Chunked)
    };
    let mut room = [0; 1024];
    let mut out = Writer::new(&mut room);
    request::head(Wire::Hmux, secure.as_bytes(), &mapped, &mut out).unwrap();
    let told = told(Wire::Hmux, &[out.written(), b"Q"].concat());
    assert_eq!(told.fact(b'i'), Some(&b"10.0.0.9"[..]));
    assert_eq!((told.fact(b'r'), told.fact(b'p')), (None, None));
}

#[test]
fn a_request_leaves_out_what_the_wire_has_no_word_for() {
    let text = "OPTIONS * HTTP/1.1\r\nHost: h\r\nExpect: x\r\nTrailer: a\r\nTE: trailers\r\n\
                Connection: TE\r\nUpgrade: b\r\nTransfer-Encoding: chunked\r\nX: \r\n\r\n";
    for wire in [Wire::Hmux, Wire::Srun] {
        let told = told(wire, &framed(wire, text, BodyLength::Chunked));
        let names: Vec<_> = told.fields.iter().map(|(name, _)| &name[..]).collect();
        assert_eq!(names, [&b"Host"[..], b"X"]);
        assert!(told.facts.iter().any(|(_, payload)| payload == b"*"));
    }
}

#[test]
fn a_request_that_is_too_large_for_the_wire_is_refused() {
    let text = |fields: usize, len: usize| {
        let lines = "a: b\r\n".repeat(fields - 1);
        let long = "x".repeat(len);
        format!("GET /{long} HTTP/1.1\r\nHost: h\r\n{lines}\r\n").into_bytes()
    };
    for (fields, len, fits) in [
        (64, 1, true),
        (65, 1, false),
        (2, 65_000, true),
        (2, 65_536, false),
    ] {
        let text = text(fields, len);
        assert_eq!(request::room(Wire::Hmux, &text).is_some(), fits);
        // A frame of srun takes it, and a Resin's array of fields grows there.
        assert!(request::room(Wire::Srun, &text).is_some());
    }
    // What is not told takes no room.
    let lines = "Content-Length: 5\r\nTE: a\r\nSSL_A: b\r\n".repeat(30);
    let text = format!("GET / HTTP/1.1\r\nHost: h\r\n{lines}\r\n");
    assert!(request::room(Wire::Hmux, text.as_bytes()).is_some());
}

/// There is room for the frames, be all of it prefixes.
#[test]
fn any_number_of_fields_fits_on_srun() {
    for fields in [64, 65, 100, 1000] {
        let text = format!(
            "GET / HTTP/1.1\r\nHost: h\r\n{}\r\n",
            "a: b\r\n".repeat(fields)
        );
        let most = request::room(Wire::Srun, text.as_bytes()).unwrap();
        let mut room = vec![0; most];
        let mut out = Writer::new(&mut room);
        request::head(
            Wire::Srun,
            text.as_bytes(),
            &about(BodyLength::Length(u64::MAX)),
            &mut out,
        )
        .unwrap();
        let told = told(
            Wire::Srun,
            &[out.written(), request::end(Wire::Srun)].concat(),
        );
        assert_eq!(told.fields.len(), fields + 1);
    }
}

/// A client must not say in the place of a web server what its TLS was like.
#[test]
fn a_client_cannot_speak_for_the_plugin() {
    let text =
        "GET / HTTP/1.1\r\nHost: h\r\nSSL_CIPHER: a\r\nhttps_cipher: b\r\nSsl_Client_Cert: c\r\n\
                SSL_CIPHER_USEKEYSIZE: d\r\nSSL: e\r\nSSL-Cipher: f\r\nHTTPS: 1\r\n\r\n";
    for wire in [Wire::Hmux, Wire::Srun] {
        let told = told(wire, &framed(wire, text, BodyLength::None));
        let names: Vec<_> = told.fields.iter().map(|(name, _)| &name[..]).collect();
        assert_eq!(names, [&b"Host"[..], b"SSL", b"SSL-Cipher", b"HTTPS"]);
    }
}

#[test]
fn the_first_hop_says_whether_the_client_has_used_tls() {
    for (lines, secure) in [
        ("X-Forwarded-Proto: https, http\r\n", true),
        ("X-Forwarded-Proto: HTTPS ,http\r\n", true),
        ("X-Forwarded-Proto: http, https\r\n", false),
        (
            "X-Forwarded-Proto: http\r\nX-Forwarded-Proto: https\r\n",
            false,
        ),
        (
            "X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http\r\n",
            true,
        ),
        ("X-Forwarded-Proto: \r\n", false),
    ] {
        let text = format!("GET / HTTP/1.1\r\nHost: h\r\n{lines}\r\n");
        for wire in [Wire::Hmux, Wire::Srun] {
            let told = told(wire, &framed(wire, &text, BodyLength::None));
            assert_eq!(told.fact(b'r').is_some(), secure, "{lines}");
            let port = if secure { &b"443"[..] } else { b"80" };
            assert_eq!(told.fact(b'g'), Some(port));
        }
    }
}

#[test]
fn hmux_asks_before_it_sends_more_than_a_window() {
    let mut window = Window::new(Wire::Hmux);
    assert_eq!(window.room(), 16384);
    window.sends(16000);
    // Left over from another request.
    window.acknowledged(1);
    assert_eq!(window.room(), 384);
    window.sends(384);
    assert_eq!(
        (window.room(), window.wait(), window.wait()),
        (0, &b"Y"[..], &b""[..])
    );
    window.acknowledged(0);
    assert_eq!(window.room(), 0);
    window.acknowledged(1);
    assert_eq!(window.room(), 16384);
}

/// Against a server that acknowledges each frame and against one that does not the first.
#[test]
fn srun_has_two_frames_on_their_way() {
    for first in [0, 1] {
        let mut window = Window::new(Wire::Srun);
        window.sends(1);
        window.acknowledged(first);
        for _ in 0..20 {
            assert_eq!(window.room(), 8192);
            window.sends(8192);
            if window.room() == 0 {
                assert_eq!(window.wait(), b"");
            }
            window.acknowledged(1);
        }
        window.acknowledged(9);
        window.sends(1);
        window.sends(1);
        assert_eq!(window.room(), 0);
    }
}

/// Frames, right and wrong, in any order.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let code = proptest::sample::select(b"sSHVMGDDDAQXZCYfFKzB ".to_vec());
    let word = proptest::sample::select(vec![
        "",
        "200 OK",
        "HTTP/1.1 200 OK",
        "304",
        "a",
        "Content-Length",
        "connection",
        "x\r\ny",
        "5",
    ]);
    let frame = (code, word, 0..40u8);
    (any::<u8>(), proptest::collection::vec(frame, 0..12)).prop_map(|(dial, frames)| {
        let dial = dial & 31;
        let mut octets = vec![dial];
        for (code, word, damage) in frames {
            octets.push(code);
            let bare = dial & 1 == 0 && b"QXY".contains(&code);
            if bare {
                continue;
            }
            if dial & 1 == 1 {
                octets.push(0);
            }
            octets.extend((word.len() as u16).to_be_bytes());
            if !(dial & 1 == 0 && b"CA".contains(&code)) {
                octets.extend(word.bytes());
            }
            if damage == 0 {
                octets.pop();
            }
        }
        octets
    })
}

proptest! {
    #![proptest_config(super::cases(3000))]

    #[test]
    fn frames_are_judged_alike_in_pieces(octets in frames()) {
        check(&octets);
    }

    #[test]
    fn random_octets_are_judged_alike_in_pieces(octets: Vec<u8>) {
        check(&octets);
    }

    #[test]
    fn any_good_request_is_told_as_it_is(
        dial: u8,
        method in "[A-Z]{1,8}",
        target in "/[!\"$-~]{0,30}",
        names in proptest::collection::vec("[A-Za-z-]{1,12}|Content-Type|X-Forwarded-Proto", 0..6),
        values in proptest::collection::vec("https|[!-~]([ -~]{0,20}[!-~])?", 6),
    ) {
        let mut text = format!("{method} {target} HTTP/1.1\r\nHost: h:81\r\n");
        for (name, value) in names.iter().zip(&values) {
            text += &format!("{name}: {value}\r\n");
        }
        text += "\r\n";
        check(&[&[dial][..], text.as_bytes()].concat());
    }
}
