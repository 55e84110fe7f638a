// SPDX-License-Identifier: GPL-2.0

//! What a head says of the connection that it came by, and asks of the next hop: Connection,
//! Expect, Upgrade, TE.

use super::head::{
    assert_request_refused, assert_response_refused, good_request, good_response, with_fields,
};
use crate::http::head::Options;

#[test]
fn connection_options_are_read() {
    let options = |close, keep_alive, upgrade, named| Options {
        close,
        keep_alive,
        upgrade,
        named,
    };
    for (lines, expected, lasts10, lasts11) in [
        ("", options(false, false, false, 0), false, true),
        (
            "Connection: close\r\n",
            options(true, false, false, 0),
            false,
            false,
        ),
        (
            "connection: CLOSE\r\n",
            options(true, false, false, 0),
            false,
            false,
        ),
        (
            "Connection: keep-alive\r\n",
            options(false, true, false, 0),
            true,
            true,
        ),
        (
            "Connection: keep-alive, close\r\n",
            options(true, true, false, 0),
            false,
            false,
        ),
        (
            "Connection: ,Upgrade ,,\tX-A\r\nConnection: x-b\r\n",
            options(false, false, true, 2),
            false,
            true,
        ),
        (
            // What is hop-by-hop anyway need not be named.
            "Connection: TE, HTTP2-Settings, Keep-Alive, Transfer-Encoding, Trailer\r\n",
            options(false, true, false, 1),
            true,
            true,
        ),
        (
            "Connection:\r\n",
            options(false, false, false, 0),
            false,
            true,
        ),
        (
            "Proxy-Connection: keep-alive\r\n",
            options(false, false, false, 0),
            false,
            true,
        ),
    ] {
        for (version, lasts) in [("1.0", lasts10), ("1.1", lasts11)] {
            let head = good_request(&with_fields(version, lines));
            assert_eq!(head.options, expected, "for {lines}");
            assert_eq!(head.keep_alive, lasts, "for {version} {lines}");
        }
    }
    for (value, reason) in [
        ("a b", "bad Connection option"),
        ("close;x", "bad Connection option"),
        ("\"close\"", "bad Connection option"),
        (
            "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q",
            "too many Connection options",
        ),
    ] {
        let lines = format!("Connection: {value}\r\n");
        assert_request_refused(&with_fields("1.1", &lines), 400, reason);
        let text = format!("HTTP/1.1 200 OK\r\n{lines}\r\n");
        assert_response_refused(text.as_bytes(), reason);
    }
    good_request(&with_fields(
        "1.1",
        "Connection: a,b,c,d,e,f,g,h\r\nConnection: i,j,k,l,m,n,o,p\r\n",
    ));
}

#[test]
fn expectation_and_upgrade_are_read() {
    let expect = "Expect: 100-Continue\r\n";
    assert!(good_request(&with_fields("1.1", expect)).expect_continue);
    assert!(!good_request(&with_fields("1.0", expect)).expect_continue);
    assert!(!good_request(&with_fields("1.1", "Expect: more\r\n")).expect_continue);
    // RFC 9110 section 10.1.1: a list, of which one element is known.
    for (value, expects) in [
        ("a, 100-continue", true),
        ("a=\"100-continue, 100-continue\"", false),
        ("a=\"b\", 100-CONTINUE", true),
        ("100-continue=a", false),
        ("", false),
    ] {
        let head = good_request(&with_fields("1.1", &format!("Expect: {value}\r\n")));
        assert_eq!(head.expect_continue, expects, "for {value}");
    }
}

#[test]
fn upgrade_is_read() {
    // RFC 9110 section 7.8. HTTP/2 in a tunnel would pass unread, so h2c is no upgrade.
    for (protocols, is_one) in [
        ("websocket", true),
        ("h2c", false),
        ("H2C", false),
        ("h2c-14, h2c/1", false),
        ("h2c, websocket", true),
        ("websocket, h2c", true),
        ("IRC/6.9", true),
        ("h2", false),
        ("HTTP/2.0", false),
        ("httpx", true),
        (", ,", false),
        ("web socket", false),
        ("a/b/c", false),
        ("a/", false),
        ("/b", false),
        ("\"websocket\"", false),
        ("", false),
    ] {
        let upgrade = |version: &str, connection: &str| {
            let lines = format!("Connection: {connection}\r\nUpgrade: {protocols}\r\n");
            good_request(&with_fields(version, &lines)).upgrade
        };
        assert_eq!(upgrade("1.1", "Upgrade"), is_one, "for {protocols:?}");
        assert!(!upgrade("1.0", "Upgrade"), "HTTP/1.0 has none");
        assert!(!upgrade("1.1", "close"), "it is not for this hop");
        let text =
            format!("HTTP/1.1 101 X\r\nUpgrade: {protocols}\r\nConnection: x, upgrade\r\n\r\n");
        assert_eq!(good_response(text.as_bytes()).upgrade, is_one);
    }
}

#[test]
fn te_and_hops_are_read() {
    // RFC 9110 section 10.1.4.
    for (value, accepts) in [
        ("trailers", true),
        ("Trailers", true),
        ("deflate;q=0.5, trailers", true),
        ("x;a=\"b, trailers, c\"", false),
        ("trailers;q=0.5", false),
        ("xtrailers", false),
        ("", false),
    ] {
        let head = good_request(&with_fields("1.1", &format!("TE: {value}\r\n")));
        assert_eq!(head.te_trailers, accepts, "for {value}");
    }
    for (line, has_hops) in [
        ("Via: 1.1 a\r\n", true),
        ("cdn-loop: a\r\n", true),
        ("X-Via: a\r\n", false),
    ] {
        let head = good_request(&with_fields("1.1", line));
        assert_eq!(head.has_hops, has_hops, "for {line}");
    }
}
