//! What tests script for the origin: answers of every framing, cut or held, by method, counted.

use std::time::Duration;

use guest::conn::{Conn, Fault};
use guest::http::Framing;
use guest::origin::{Answer, Gate, Origin, Step};
use guest::pattern;
use guest::scale::wait_until;

fn origin() -> (Origin, Conn) {
    let origin = Origin::start().unwrap();
    let conn = Conn::open(origin.addr()).unwrap();
    (origin, conn)
}

#[test]
fn answers_come_as_they_are_framed() {
    for framing in [Framing::Length(9000), Framing::Chunked, Framing::Close] {
        for at in [0, 1, 4500, 9000, 10_000] {
            let (origin, mut conn) = origin();
            let answer = Answer::new("ETag: \"1\"\r\n", 3, 9000).framed(framing);
            origin.answer("page", &answer.midway(at, Step::Pause(Duration::ZERO)));
            let response = conn.ask("GET", "/script/page?query", "").unwrap();
            assert_eq!((response.status, response.framing), (200, framing));
            assert_eq!(response.head.get("etag"), Some("\"1\""));
            assert_eq!(response.body, pattern::body(3, 9000));
        }
    }
}

#[test]
fn answers_end_midway() {
    for framing in [Framing::Length(9000), Framing::Chunked] {
        for step in [Step::Close, Step::Reset] {
            let (origin, mut conn) = origin();
            let answer = Answer::new("", 3, 9000).framed(framing);
            origin.answer("page", &answer.midway(4500, step));
            let fault = conn.get("/script/page").unwrap_err();
            assert!(
                matches!(fault, Fault::Truncated(_, 4500) | Fault::Reset(_)),
                "{fault:?}"
            );
        }
    }
}

#[test]
fn a_304_has_no_body() {
    let (origin, mut conn) = origin();
    origin.answer("page", &Answer::not_modified("ETag: \"1\"\r\n"));
    for _ in 0..2 {
        let response = conn.get("/script/page").unwrap();
        assert_eq!((response.status, response.framing), (304, Framing::None));
    }
}

#[test]
fn scripts_are_counted_and_may_be_for_one_method() {
    let (origin, mut conn) = origin();
    assert_eq!(origin.asked("page"), 0);
    origin.answer("page", &Answer::new("", 1, 10));
    origin.answer("POST page", &Answer::new("", 2, 20).status("201 Created"));
    for _ in 0..3 {
        assert_eq!(conn.get("/script/page").unwrap().length, 10);
    }
    let made = conn.ask("POST", "/script/page", "Content-Length: 0\r\n");
    assert_eq!(made.unwrap().status, 201);
    assert_eq!((origin.asked("page"), origin.asked("POST page")), (3, 1));
    // Another script under the same name counts on.
    origin.answer("page", &Answer::new("", 1, 11));
    assert_eq!(conn.get("/script/page").unwrap().length, 11);
    assert_eq!(origin.asked("page"), 4);
    assert_eq!(conn.get("/script/other").unwrap().status, 404);
}

#[test]
fn a_gate_holds_until_it_is_opened() {
    let (origin, mut conn) = origin();
    let gate = Gate::default();
    let answer = Answer::new("", 1, 10_000).midway(5000, Step::Hold(gate.clone()));
    origin.answer("page", &answer);
    conn.request("GET", "/script/page").unwrap();
    let (status, _) = conn.status_and_head().unwrap();
    assert_eq!(status, 200);
    assert_eq!(conn.exactly(5000).unwrap(), pattern::body(1, 5000));
    assert!(conn.silent(Duration::from_millis(100)).unwrap());
    gate.open();
    let rest = conn.exactly(5000).unwrap();
    assert_eq!(rest, pattern::body(1, 10_000)[5000..]);
    // It stays open.
    assert_eq!(conn.get("/script/page").unwrap().length, 10_000);
    assert!(wait_until(Duration::from_secs(5), || origin.finished() == 2));
}

#[test]
fn every_path_takes_fields_about_caching() {
    let (_origin, mut conn) = origin();
    for path in ["/len/10", "/chunked/10", "/echo-head", "/status/404"] {
        let target = format!("{path}?cc=max-age=60,public&vary=Accept");
        let response = conn.get(&target).unwrap();
        let control = response.head.get("Cache-Control");
        assert_eq!(control, Some("max-age=60,public"), "{path}");
        assert_eq!(response.head.get("Vary"), Some("Accept"), "{path}");
    }
}
