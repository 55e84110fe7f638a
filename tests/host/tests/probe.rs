// SPDX-License-Identifier: GPL-2.0

//! What backends are asked to see whether they are well, and what their answers say.

use std::net::SocketAddr;

use proptest::prelude::*;

use super::srun::octets;
use crate::bytes::{Full, Writer};
use crate::config::Protocol;
use crate::http::{Limits, Status};
use crate::probe::{room, write_request, Reply};

const LIMITS: Limits = Limits {
    head: 300,
    fields: 4,
    target: 100,
};

fn asked(protocol: Protocol, path: &str, host: &str) -> Vec<u8> {
    let client: SocketAddr = "10.0.0.9:5000".parse().unwrap();
    let (path, host) = (path.as_bytes(), host.as_bytes());
    let mut octets = vec![0; room(path, host)];
    let mut scratch = octets.clone();
    let mut out = Writer::new(&mut octets);
    write_request(protocol, (path, host), client, &mut scratch, &mut out).expect("there is room");
    let written = out.written().to_vec();
    for short in 0..written.len() {
        let mut out = Writer::new(&mut octets[..short]);
        assert_eq!(
            write_request(protocol, (path, host), client, &mut scratch, &mut out),
            Err(Full)
        );
    }
    written
}

/// What is read of an answer that comes in these pieces: a status, or that it is none, or nothing.
fn read(protocol: Protocol, answer: &[u8], ends: &[usize]) -> Result<Option<u16>, ()> {
    let mut reply = Reply::new(protocol);
    for end in ends {
        match reply.read(&answer[..*end], &LIMITS) {
            Ok(None) => {}
            Ok(Some(status)) => return Ok(Some(status.code())),
            Err(violation) => {
                assert_eq!(violation.status, Status::BAD_GATEWAY);
                return Err(());
            }
        }
    }
    Ok(None)
}

/// The same however it is cut in three.
fn status(protocol: Protocol, answer: &[u8]) -> Result<Option<u16>, ()> {
    let whole = read(protocol, answer, &[answer.len()]);
    for first in 0..=answer.len() {
        for second in first..=answer.len() {
            let ends = [first, second, answer.len()];
            assert_eq!(read(protocol, answer, &ends), whole, "{ends:?}");
        }
    }
    let each: Vec<_> = (0..=answer.len()).collect();
    assert_eq!(read(protocol, answer, &each), whole);
    whole
}

#[test]
fn an_http_backend_is_asked_for_the_path() {
    let text = "GET /well?a=b HTTP/1.1\r\nHost: 10.0.0.1:8080\r\n\
        User-Agent: resin\r\nConnection: close\r\n\r\n";
    let asked = asked(Protocol::Http, "/well?a=b", "10.0.0.1:8080");
    assert_eq!(String::from_utf8(asked).unwrap(), text);
}

#[test]
fn hmux_is_asked_in_frames() {
    let expected = octets(
        r#"43 00 01 55 00 05 "/well" 6d 00 03 "GET" 63 00 08 "HTTP/1.1" 65 00 03 "a=b"
        76 00 08 "10.0.0.1" 67 00 04 "6802" 68 00 08 "10.0.0.9" 69 00 08 "10.0.0.9"
        6a 00 04 "5000" 48 00 04 "Host" 53 00 0d "10.0.0.1:6802"
        48 00 0a "User-Agent" 53 00 05 "resin" 51"#,
    );
    let asked = asked(Protocol::Hmux, "/well?a=b", "10.0.0.1:6802");
    assert_eq!(
        String::from_utf8_lossy(&asked),
        String::from_utf8_lossy(&expected)
    );
}

#[test]
fn the_longest_path_and_host_have_room() {
    let path = format!("/{}", "x".repeat(95));
    let host = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535";
    for protocol in [Protocol::Http, Protocol::Hmux, Protocol::Srun] {
        asked(protocol, &path, host);
    }
}

#[test]
fn the_first_final_status_counts() {
    for (answer, expected) in [
        ("HTTP/1.1 200 OK\r\n\r\nbody", Ok(Some(200))),
        ("HTTP/1.0 503 Busy\r\nRetry-After: 1\r\n\r\n", Ok(Some(503))),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103\r\nLink: x\r\n\r\nHTTP/1.1 204\r\n\r\n",
            Ok(Some(204)),
        ),
        ("HTTP/1.1 103\r\n\r\n", Ok(None)),
        ("HTTP/1.1 200 OK\r\nServer: x\r\n", Ok(None)),
        ("", Ok(None)),
        ("SSH-2.0-OpenSSH_9.2\r\n", Err(())),
        ("HTTP/1.1 200 OK\r\nA\r\n\r\n", Err(())),
        (
            "HTTP/1.1 200 OK\r\na: b\r\na: b\r\na: b\r\na: b\r\na: b\r\n\r\n",
            Err(()),
        ),
    ] {
        assert_eq!(
            status(Protocol::Http, answer.as_bytes()),
            expected,
            "{answer:?}"
        );
    }
    let long = format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "x".repeat(300));
    assert_eq!(
        read(Protocol::Http, long.as_bytes(), &[long.len()]),
        Err(())
    );
}

#[test]
fn frames_have_a_status_too() {
    for (answer, expected) in [
        (
            r#"43 00 00 73 00 06 "200 OK" 47 00 00 44 00 01 "x" 51"#,
            Ok(Some(200)),
        ),
        (
            r#"73 00 03 "503" 48 00 01 "a" 53 00 01 "b" 47 00 00 51"#,
            Ok(Some(503)),
        ),
        (r#"73 00 02 "20" 47 00 00 51"#, Err(())),
        (r#"73 00 06 "200 OK" 51"#, Err(())),
        (r#"73 00 06 "200 OK" 48 00 01 "a""#, Ok(None)),
        ("58", Err(())),
        ("", Ok(None)),
    ] {
        assert_eq!(
            status(Protocol::Hmux, &octets(answer)),
            expected,
            "{answer}"
        );
    }
    for (answer, expected) in [
        (
            r#"53 00 00 0f "HTTP/1.1 200 OK" 47 00 00 00 5a 00 00 00"#,
            Ok(Some(200)),
        ),
        (
            r#"41 00 00 00 53 00 00 0c "HTTP/1.1 500" 47 00 00 00"#,
            Ok(Some(500)),
        ),
        (r#"53 00 00 08 "HTTP/1.1" 47 00 00 00"#, Err(())),
        ("5a 00 00 00", Err(())),
    ] {
        assert_eq!(
            status(Protocol::Srun, &octets(answer)),
            expected,
            "{answer}"
        );
    }
}

proptest! {
    #![proptest_config(super::cases(2000))]

    #[test]
    fn whatever_comes_is_read_alike_in_pieces(
        answer in prop::collection::vec(prop::sample::select(b"HTTP/1. 203\r\n:aSGZCDQsV\0\x01".to_vec()), 0..60),
        cut in 0..60usize,
    ) {
        for protocol in [Protocol::Http, Protocol::Hmux, Protocol::Srun] {
            let mut answer = answer.clone();
            if protocol == Protocol::Http {
                // Of a line that has not ended it may be seen sooner or later that it is none.
                answer.extend(b"\r\n\r\n");
            }
            let whole = read(protocol, &answer, &[answer.len()]);
            let ends = [cut.min(answer.len()), answer.len()];
            prop_assert_eq!(read(protocol, &answer, &ends), whole);
        }
    }
}
