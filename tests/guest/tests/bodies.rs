//! The test origin and the client, one against the other: both ends of what the suites send
//! through the gateway.

use std::net::SocketAddr;
use std::time::Duration;

use guest::conn::{Conn, Fault};
use guest::http::Framing;
use guest::origin::{Origin, Received};
use guest::pattern;
use guest::scale::wait_until;
use guest::upload::Upload;

fn origin() -> (Origin, SocketAddr) {
    let origin = Origin::start().unwrap();
    let addr = origin.addr();
    (origin, addr)
}

fn last(origin: &Origin, count: usize) -> Received {
    assert!(wait_until(Duration::from_secs(5), || origin
        .received()
        .len()
        == count));
    origin.last_received().unwrap()
}

#[test]
fn uploads_are_reported() {
    let (origin, addr) = origin();
    let mut conn = Conn::open(addr).unwrap();
    let target = "/upload?seed=3";
    let plain = Upload::new(target, 3, 300_000);
    let chunked = Upload {
        trailers: "X-Sum: 12\r\n",
        ..plain.clone().chunked(7_777)
    };
    for (upload, framing) in [
        (plain.clone(), Framing::Length(300_000)),
        (chunked, Framing::Chunked),
    ] {
        let uploaded = conn.upload(&upload).unwrap();
        assert!(uploaded.sent);
        assert_eq!(uploaded.response.status, 200);
        let seen = origin.last_received().unwrap();
        assert_eq!(seen.report(), uploaded.response.text());
        assert_eq!(
            (seen.octets, seen.wrong, seen.complete),
            (300_000, None, true)
        );
        assert_eq!((seen.crc, seen.framing), (upload.crc(), framing));
        let trailers = usize::from(framing == Framing::Chunked);
        assert_eq!(seen.trailers.len(), trailers);
    }
    assert_eq!(
        conn.upload(&Upload::new(target, 4, 10))
            .unwrap()
            .response
            .status,
        200
    );
    assert_eq!(origin.last_received().unwrap().wrong, Some(0));
    assert_eq!(
        conn.upload(&Upload::new(target, 3, 0))
            .unwrap()
            .response
            .status,
        200
    );
    assert_eq!((origin.connections(), origin.complaints().len()), (1, 0));
}

#[test]
fn the_checksum_is_the_usual_one() {
    let (_origin, addr) = origin();
    let mut conn = Conn::open(addr).unwrap();
    conn.send(b"POST /upload HTTP/1.1\r\nContent-Length: 9\r\n\r\n123456789")
        .unwrap();
    let text = conn.response("POST").unwrap().text();
    assert!(text.contains("crc32 cbf43926\n"), "{text}");
}

#[test]
fn bodies_are_echoed() {
    let (_origin, addr) = origin();
    let mut conn = Conn::open(addr).unwrap();
    let plain = Upload::new("/echo", 5, 2_000_000);
    let chunked = Upload {
        trailers: "X-Sum: 12\r\n",
        ..plain.clone().chunked(100_000)
    };
    for upload in [plain, chunked] {
        let response = conn.upload(&upload).unwrap().response;
        assert_eq!(response.body, pattern::body(5, 2_000_000));
        assert_eq!(
            response.trailers.len(),
            usize::from(!upload.trailers.is_empty())
        );
    }
}

#[test]
fn cut_uploads_are_seen() {
    let (origin, addr) = origin();
    for (count, chunk) in [(1, None), (2, Some(1000))] {
        let upload = Upload {
            cut: Some(5_500),
            ..Upload::new("/upload?seed=1", 1, 10_000)
        };
        let upload = chunk.map_or(upload.clone(), |size| upload.chunked(size));
        let fault = Conn::open(addr).unwrap().upload(&upload).unwrap_err();
        assert!(matches!(fault, Fault::Closed), "{fault}");
        let seen = last(&origin, count);
        assert_eq!(
            (seen.octets, seen.wrong, seen.complete),
            (5_500, None, false)
        );
    }
    assert!(origin.complaints().is_empty());
}

#[test]
fn early_answers() {
    let (origin, addr) = origin();
    let upload = |target| Upload::new(target, 0, 3_000_000);
    let mut conn = Conn::open(addr).unwrap();
    let read = conn.upload(&upload("/early/413?after=1000")).unwrap();
    assert_eq!((read.response.status, read.sent), (413, true));
    assert_eq!(last(&origin, 1).octets, 3_000_000);
    let large = Upload {
        len: 100_000_000,
        ..upload("/early/403?after=1000&then=close")
    };
    let close = conn.upload(&large).unwrap();
    assert_eq!((close.response.status, close.sent), (403, false));
    let seen = last(&origin, 2);
    assert_eq!((seen.octets, seen.complete), (1000, false));
    // The origin is gone as soon as the client is.
    let mut conn = Conn::open(addr).unwrap();
    conn.send(upload("/early/200?then=stall").head().as_bytes())
        .unwrap();
    assert_eq!(conn.response("POST").unwrap().status, 200);
    conn.reset().unwrap();
    assert!(wait_until(Duration::from_secs(5), || origin.open() == 0));
}

#[test]
fn expectations() {
    let (_origin, addr) = origin();
    let upload = |target| Upload {
        expect: true,
        ..Upload::new(target, 0, 1000)
    };
    let mut conn = Conn::open(addr).unwrap();
    let done = conn.upload(&upload("/expect?ms=50")).unwrap();
    assert_eq!(
        (done.response.status, done.continued, done.sent),
        (200, true, true)
    );
    assert!(done.response.text().contains("octets 1000\n"));
    let refused = conn.upload(&upload("/expect?answer=417")).unwrap();
    assert_eq!((refused.response.status, refused.continued), (417, false));
    let mut conn = Conn::open(addr).unwrap();
    conn.send(upload("/expect?code=103&times=2").head().as_bytes())
        .unwrap();
    conn.send(&pattern::body(0, 1000)).unwrap();
    assert_eq!(conn.response("POST").unwrap().interim, [103, 100, 100]);
}

#[test]
fn tunnels() {
    let (origin, addr) = origin();
    let mut conn = Conn::open(addr).unwrap();
    let (status, head) = conn.upgrade("/upgrade?first=5", "test").unwrap();
    assert_eq!((status, head.get("Upgrade")), (101, Some("test")));
    assert_eq!(conn.exactly(5).unwrap(), pattern::body(0, 5));
    for _ in 0..3 {
        conn.send(b"\x00\r\n\r\nGET").unwrap();
        assert_eq!(conn.exactly(8).unwrap(), b"\x00\r\n\r\nGET");
    }
    conn.half_close().unwrap();
    assert_eq!(conn.rest().unwrap(), b"bye 24\n");
    assert_eq!(last(&origin, 1).framing, Framing::Close);

    let mut conn = Conn::open(addr).unwrap();
    assert_eq!(
        conn.upgrade("/upgrade?kind=source&len=100000", "x")
            .unwrap()
            .0,
        101
    );
    assert_eq!(conn.rest().unwrap(), pattern::body(0, 100_000));
    // Its FIN came; ours has not gone yet.
    conn.send(&pattern::body(0, 7)).unwrap();
    drop(conn);
    let seen = last(&origin, 2);
    assert_eq!((seen.octets, seen.wrong, seen.complete), (7, None, true));

    let mut conn = Conn::open(addr).unwrap();
    assert_eq!(
        conn.upgrade("/upgrade?kind=sink&seed=2", "x").unwrap().0,
        101
    );
    conn.send(&pattern::body(2, 70_000)).unwrap();
    conn.half_close().unwrap();
    let report = String::from_utf8(conn.rest().unwrap()).unwrap();
    assert!(
        report.contains("octets 70000\n") && report.contains("wrong none\n"),
        "{report}"
    );

    let mut conn = Conn::open(addr).unwrap();
    assert_eq!(conn.upgrade("/upgrade?refuse=403", "x").unwrap().0, 403);
    assert_eq!(
        Conn::open(addr).unwrap().get("/upgrade").unwrap().status,
        426
    );
}

#[test]
fn what_is_no_http_is_noted() {
    for bad in [
        "POST /upload HTTP/1.1\r\nContent-Length: +5\r\n\r\n12345",
        "POST /upload HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n12345",
        "POST /upload HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /upload HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST /upload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\n1\r\n0\r\n\r\n",
        "POST /upload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\r\n1\r\n0\r\n\r\n",
        "POST /upload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\n1\r\n0\r\n\r\n",
        "POST /upload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n12\r\n0\r\n\r\n",
        "POST /upload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nbad name: x\r\n\r\n",
        "GET / HTTP/1.1\r\nbad name: x\r\n\r\n",
    ] {
        let (origin, addr) = origin();
        let mut conn = Conn::open(addr).unwrap();
        conn.send(bad.as_bytes()).unwrap();
        conn.expect_close().unwrap();
        let noted = || origin.complaints().len() == 1;
        assert!(wait_until(Duration::from_secs(5), noted), "{bad:?}");
    }
}
