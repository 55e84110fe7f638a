// SPDX-License-Identifier: GPL-2.0

//! What backends are told of the client: X-Forwarded-For, -Proto and -Host, and Forwarded (RFC
//! 7239).

use std::net::IpAddr;

use super::encode::forwarded_with;
use super::forward::passed_on;
use crate::head_grammar::QUIET;
use crate::http::forward::{Forward, Treatment};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn x_forwarded_for_is_treated() {
    let treated = |x_for, client: &str, lines: &str| {
        let forward = Forward {
            client: ip(client),
            x_for,
            ..QUIET
        };
        passed_on(lines, &forward)
    };
    let two = "x-forwarded-for: 1.1.1.1,2.2.2.2\r\nA: b\r\nX-FORWARDED-FOR: 3.3.3.3\r\n";
    assert_eq!(treated(Treatment::Keep, "10.0.0.1", two), two);
    assert_eq!(treated(Treatment::Keep, "10.0.0.1", ""), "");
    for (treatment, client, lines, expected) in [
        (
            Treatment::Append,
            "10.0.0.1",
            "",
            "X-Forwarded-For: 10.0.0.1\r\n",
        ),
        (
            Treatment::Append,
            "10.0.0.1",
            "X-Forwarded-For: 1.1.1.1\r\n",
            "X-Forwarded-For: 1.1.1.1, 10.0.0.1\r\n",
        ),
        (
            Treatment::Append,
            "10.0.0.1",
            two,
            "A: b\r\nX-Forwarded-For: 1.1.1.1,2.2.2.2, 3.3.3.3, 10.0.0.1\r\n",
        ),
        // Empty lines add nothing, nor does what would make a quoted string of our address.
        (
            Treatment::Append,
            "10.0.0.1",
            "X-Forwarded-For:\r\nX-Forwarded-For: a\r\nX-Forwarded-For: \"b\r\n",
            "X-Forwarded-For: a, 10.0.0.1\r\n",
        ),
        (
            Treatment::Append,
            "10.0.0.1",
            "X-Forwarded-For: \"\r\n",
            "X-Forwarded-For: 10.0.0.1\r\n",
        ),
        (
            Treatment::Replace,
            "10.0.0.1",
            two,
            "A: b\r\nX-Forwarded-For: 10.0.0.1\r\n",
        ),
        // Addresses as they are, without brackets; an IPv4 client of a dual-stack socket is one.
        (
            Treatment::Replace,
            "2001:db8::1",
            "",
            "X-Forwarded-For: 2001:db8::1\r\n",
        ),
        (
            Treatment::Append,
            "::ffff:10.0.0.1",
            "",
            "X-Forwarded-For: 10.0.0.1\r\n",
        ),
    ] {
        assert_eq!(treated(treatment, client, lines), expected);
    }
}

#[test]
fn x_forwarded_proto_and_host_are_of_the_first_hop() {
    let treated = |treatment, lines: &str| {
        let forward = Forward {
            x_proto: treatment,
            x_host: treatment,
            ..QUIET
        };
        passed_on(lines, &forward)
    };
    let told = "X-Forwarded-Host: a:81, b\r\nX-Forwarded-Proto: https\r\n\
        x-forwarded-proto: http\r\nX-Forwarded-Host: c\r\n";
    let ours = "X-Forwarded-Proto: http\r\nX-Forwarded-Host: h\r\n";
    assert_eq!(treated(Treatment::Keep, told), told);
    assert_eq!(treated(Treatment::Replace, told), ours);
    assert_eq!(treated(Treatment::Remove, told), "");
    assert_eq!(treated(Treatment::Append, ""), ours);
    assert_eq!(
        treated(Treatment::Append, told),
        "X-Forwarded-Proto: https\r\nX-Forwarded-Host: a:81\r\n"
    );
    assert_eq!(
        treated(
            Treatment::Append,
            "X-Forwarded-Proto: ,\r\nX-Forwarded-Proto: a\r\n"
        ),
        "X-Forwarded-Proto: a\r\nX-Forwarded-Host: h\r\n"
    );
    // The host that was asked is the target's in absolute-form; HTTP/1.0 may have none.
    let forward = Forward {
        x_host: Treatment::Replace,
        ..QUIET
    };
    assert_eq!(
        forwarded_with("GET http://a:82/ HTTP/1.1\r\nHost: h\r\n\r\n", &forward),
        "GET / HTTP/1.1\r\nHost: a:82\r\nX-Forwarded-Host: a:82\r\n\r\n"
    );
    assert_eq!(
        forwarded_with("GET / HTTP/1.0\r\n\r\n", &forward),
        "GET / HTTP/1.1\r\nHost: fallback\r\n\r\n"
    );
}

#[test]
fn forwarded_is_quoted_where_it_must_be() {
    // RFC 7239 sections 4 and 6: "Note that as ":" and "[]" are not valid characters in "token",
    // IPv6 addresses are written as "quoted-string"."
    for (client, port, host, element) in [
        ("192.0.2.43", 0, "h", "for=192.0.2.43;host=h"),
        ("192.0.2.43", 47011, "h", "for=\"192.0.2.43:47011\";host=h"),
        (
            "2001:db8:cafe::17",
            0,
            "h",
            "for=\"[2001:db8:cafe::17]\";host=h",
        ),
        (
            "2001:db8:cafe::17",
            4711,
            "h",
            "for=\"[2001:db8:cafe::17]:4711\";host=h",
        ),
        ("::ffff:192.0.2.43", 1, "h", "for=\"192.0.2.43:1\";host=h"),
        ("::1", 0, "a.b:81", "for=\"[::1]\";host=\"a.b:81\""),
        ("::1", 0, "[::1]:81", "for=\"[::1]\";host=\"[::1]:81\""),
        ("::1", 0, "a;b", "for=\"[::1]\";host=\"a;b\""),
        ("::1", 0, "a%2Cb", "for=\"[::1]\";host=a%2Cb"),
    ] {
        let forward = Forward {
            client: ip(client),
            client_port: port,
            forwarded: Treatment::Append,
            ..QUIET
        };
        assert_eq!(
            forwarded_with(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"), &forward),
            format!("GET / HTTP/1.1\r\nHost: {host}\r\nForwarded: {element};proto=http\r\n\r\n")
        );
    }
}

#[test]
fn forwarded_is_treated() {
    let treated = |forwarded, lines: &str| {
        let forward = Forward { forwarded, ..QUIET };
        passed_on(lines, &forward)
    };
    let ours = "for=192.0.2.43;host=h;proto=http";
    let told = "Forwarded: for=a;by=\"b,c\"\r\nA: b\r\nforwarded: for=d, for=e\r\n";
    assert_eq!(treated(Treatment::Keep, told), told);
    assert_eq!(
        treated(Treatment::Replace, told),
        format!("A: b\r\nForwarded: {ours}\r\n")
    );
    assert_eq!(
        treated(Treatment::Append, told),
        format!("A: b\r\nForwarded: for=a;by=\"b,c\", for=d, for=e, {ours}\r\n")
    );
    // Our element would become a part of the string.
    assert_eq!(
        treated(
            Treatment::Append,
            "Forwarded: for=\"a\r\nForwarded: for=b\r\n"
        ),
        format!("Forwarded: for=b, {ours}\r\n")
    );
    // RFC 7239 section 4: host is optional, and HTTP/1.0 may have none.
    let forward = Forward {
        forwarded: Treatment::Append,
        ..QUIET
    };
    assert_eq!(
        forwarded_with("GET / HTTP/1.0\r\n\r\n", &forward),
        "GET / HTTP/1.1\r\nHost: fallback\r\nForwarded: for=192.0.2.43;proto=http\r\n\r\n"
    );
}

#[test]
fn all_that_can_be_told_fits() {
    // Each addition at its longest, and lines that grow when they are written anew.
    let host = format!("{}:65535", "h".repeat(400));
    let name = [b'n'; 32];
    let conditions = format!("If-None-Match: \"{}\"\r\n", "e".repeat(500));
    let forward = Forward {
        client: ip("2001:1db8:3db8:4db8:5db8:6db8:7db8:8db8"),
        client_port: 65535,
        x_for: Treatment::Append,
        x_proto: Treatment::Append,
        x_host: Treatment::Append,
        forwarded: Treatment::Append,
        name: &name,
        cdn_loop: true,
        fallback_host: b"",
        upgrade: true,
        expect: true,
        trailers: true,
        max_forwards: Some(u64::MAX),
        conditions: conditions.as_bytes(),
    };
    let lines = "a:\r\nX-Forwarded-For:a\r\nForwarded:a\r\nX-Forwarded-For:b\r\nForwarded:b\r\n\
        TE:trailers\r\nUpgrade:a,b,c,d,e,f,g,h,i\r\nExpect:a,b,c,d,e,f,g,h,i\r\n\
        Connection:upgrade\r\nTransfer-Encoding:chunked\r\n";
    let text = format!("OPTIONS http://{host} HTTP/1.1\r\nHost:{host}\r\n{lines}\r\n");
    let out = forwarded_with(&text, &forward);
    let element = "for=\"[2001:1db8:3db8:4db8:5db8:6db8:7db8:8db8]:65535\"";
    assert!(out.contains(&format!("\r\nForwarded: a, b, {element};host=")));
}
