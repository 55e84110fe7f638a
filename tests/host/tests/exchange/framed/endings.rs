// SPDX-License-Identifier: GPL-2.0

//! How answers and connections end on these wires: by a frame, whatever the head has said.

use super::{bench, connected, hello, put, BOTH, GET};
use crate::exchange::{Action, Event};
use crate::lb::Verdict;

const POST: &[u8] = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok";

const AGAIN: [Action; 2] = [
    Action::Release { reuse: false },
    Action::Connect { fresh: true },
];

/// A Resin that goes down answers X to whatever comes, and one that closes an idle connection may
/// do so just when it is used: as good as a FIN.
#[test]
fn an_end_instead_of_an_answer_sends_the_request_elsewhere() {
    for wire in BOTH {
        let end = put(wire, b'X', b"");
        let mut bench = bench(wire);
        bench.client(GET);
        bench.connect(true);
        let first = bench.requested();
        for octet in &end {
            bench.backend(&[*octet]);
        }
        // To be closed when idle says nothing against a backend.
        assert_eq!(bench.verdict(), Verdict::None);
        assert_eq!(bench.actions(), AGAIN);
        bench.handle(Event::UpstreamReady { reused: false });
        assert_eq!(bench.requested(), first);
        bench.backend(&end);
        assert_eq!(bench.verdict(), Verdict::Error);
        assert_eq!(bench.actions(), AGAIN);
        bench.handle(Event::UpstreamReady { reused: false });
        assert_eq!(bench.requested(), first);
        bench.backend(&hello(wire));
        assert!(bench.answered().ends_with(b"hello"));
        assert_eq!(bench.actions()[0], Action::Release { reuse: true });

        let mut bench = connected(wire, GET);
        bench.backend(&end);
        bench.nobody_else();
        let page = bench.page();
        assert_eq!((page.status, page.closes()), (502, false));
    }
}

/// RFC 9110 section 9.2.2: only what was not seen, or may be seen twice, goes out again.
#[test]
fn what_a_backend_may_have_seen_is_not_sent_again() {
    for wire in BOTH {
        let end = put(wire, b'X', b"");
        let mut bench = bench(wire);
        bench.client(POST);
        bench.connect(true);
        bench.requested();
        bench.backend(&end);
        assert_eq!(bench.page().status, 502);
        assert_eq!(bench.actions()[0], Action::Release { reuse: false });
        // It was said before anything of the request was there.
        let mut bench = self::bench(wire);
        bench.client(POST);
        bench.connect(true);
        bench.requested();
        bench.unasked(&end);
        assert_eq!(bench.actions(), AGAIN);
        // Something was said before, so somebody was there.
        for first in [put(wire, b'A', b""), put(wire, b'f', b"")] {
            let mut bench = self::bench(wire);
            bench.client(GET);
            bench.connect(true);
            bench.requested();
            bench.backend(&first);
            bench.backend(&end);
            assert_eq!(bench.page().status, 502);
        }
    }
}
