// SPDX-License-Identifier: GPL-2.0

//! Lines that pass as they stand, and those that do not: whoever writes a head anew copies the former and
//! looks at the latter, which must come to the same as looking at all.

use proptest::prelude::*;

use super::head::{good_request, good_response};
use crate::forward_grammar::check;
use crate::head_grammar::ROOMY;
use crate::http::exceptions::{Exceptions, Part};
use crate::http::head::{parse_request, Parse, Scan};
use crate::http::Limits;

/// What is copied, and the names of what is looked at.
fn parts(exceptions: &Exceptions, lines: &[u8], start: usize) -> Vec<String> {
    let parts = exceptions.parts(lines, start);
    let said = parts.map(|part| match part {
        Part::Lines(lines) => lines.escape_ascii().to_string(),
        Part::Field(name, _) => name.escape_ascii().to_string(),
    });
    said.collect()
}

#[test]
fn lines_in_a_row_are_copied_at_once() {
    let text =
        b"HTTP/1.1 200 OK\r\nServer: a\r\nDate: b\r\nContent-Length: 1\r\nETag: c\r\nVia: d\r\n\
        Connection: keep-alive\r\nX:e\r\nY: f \r\nZ:  g\r\nEmpty: \r\nLast: h\r\n\r\n";
    let head = good_response(text);
    let expected = [
        r"Server: a\r\nDate: b\r\n",
        "Content-Length",
        r"ETag: c\r\nVia: d\r\n",
        "Connection",
        "X",
        "Y",
        "Z",
        "Empty",
        r"Last: h\r\n",
    ];
    let lines = head.fields.of(text);
    assert_eq!(
        parts(&head.exceptions, lines, head.fields.start()),
        expected
    );
    let all = parts(&Exceptions::ALL, lines, head.fields.start());
    assert_eq!(all.len(), 11);
    assert!(parts(&head.exceptions, b"", head.fields.start()).is_empty());
}

#[test]
fn all_are_looked_at_where_many_have_to_be() {
    let few = format!(
        "GET / HTTP/1.1\r\nHost: h\r\n{}A: b\r\n\r\n",
        "TE: x\r\n".repeat(6)
    );
    let head = good_request(few.as_bytes());
    let lines = head.fields.of(few.as_bytes());
    let said = parts(&head.exceptions, lines, head.fields.start());
    assert_eq!(said.last().map(String::as_str), Some(r"A: b\r\n"));
    let many = few.replace("A: b", "TE: x\r\nA: b");
    let head = good_request(many.as_bytes());
    assert_eq!(head.exceptions, Exceptions::ALL);
    // So it is where one is too far behind to be noted.
    let far = format!(
        "GET / HTTP/1.1\r\nA: {}\r\nHost: h\r\n\r\n",
        "x".repeat(1 << 16)
    );
    let limits = Limits {
        head: 1 << 20,
        ..ROOMY
    };
    let head = match parse_request(far.as_bytes(), &mut Scan::new(), &limits) {
        Ok(Parse::Complete(head)) => head,
        other => panic!("{other:?}"),
    };
    assert_eq!(head.exceptions, Exceptions::ALL);
}

/// Lines of all kinds.
const LINES: [&str; 20] = [
    "Accept: */*",
    "X-A: b",
    "Cookie: a=b; c=d",
    "Date: Sun, 06 Nov 1994 08:49:37 GMT",
    "Via: 1.0 a",
    "User-Agent: me",
    "referer:  there ",
    "X-Empty:",
    "X-Space: ",
    "X-Tab:\tx",
    "Connection: keep-alive",
    "Connection: close, x-a",
    "Keep-Alive: 5",
    "TE: trailers",
    "Upgrade: websocket",
    "Trailer: x-b",
    "X-Forwarded-For: 10.1.2.3",
    "Forwarded: for=a",
    "Expect: 100-continue",
    "Proxy-Connection: x",
];

proptest! {
    #[test]
    fn it_comes_to_the_same(
        dials in any::<[u8; 4]>(),
        picked in prop::collection::vec(0..LINES.len(), 0..14),
        host in 0..14usize,
    ) {
        let mut lines: Vec<&str> = picked.iter().map(|number| LINES[*number]).collect();
        lines.insert(host.min(lines.len()), "Host: h");
        let lines = lines.join("\r\n");
        for start in ["GET /a HTTP/1.1", "POST /b HTTP/1.0", "HTTP/1.1 200 OK", "HTTP/1.1 304 "] {
            let mut input = dials.to_vec();
            input.extend(format!("{start}\r\n{lines}\r\n\r\n").bytes());
            check(&input);
        }
    }
}
