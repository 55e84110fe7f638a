//! Clients that misbehave, each in its own way.

use std::thread;
use std::time::Duration;

use crate::conn::Options;
use crate::pattern::{self, Checker};
use crate::scale;
use crate::testing::{Bed, Context, Outcome};
use crate::{ensure, same, tests};

tests![
    client_disappears_before_the_answer,
    client_disappears_in_the_answer,
    client_half_closes,
    client_half_closes_after_a_pipeline,
    client_resets,
    client_reads_slowly,
    client_sends_nothing,
];

fn client_disappears_before_the_answer() -> Outcome {
    let bed = Bed::new()?;
    for target in ["/wait?ms=300", "/hang", "/wait?ms=1"] {
        for _ in 0..5 {
            bed.client()?.request("GET", target)?;
        }
    }
    bed.works()?;
    // A half-closed connection may still want its answer; one that is reset does not, and the
    // backend's connection goes with it.
    let all = || bed.origin.requests() == 16;
    ensure!(
        scale::wait_until(Duration::from_secs(10), all),
        "requests were lost"
    );
    let open = bed.origin.open();
    for number in 0..5 {
        let mut client = bed.client()?;
        let before = bed.origin.requests();
        // Each for something else: who asks for the same waits for the first one's answer.
        client.request("GET", &format!("/hang?n={number}"))?;
        let arrived = || bed.origin.requests() > before;
        let arrived = scale::wait_until(Duration::from_secs(5), arrived);
        ensure!(arrived, "the request does not reach the backend");
        client.reset()?;
    }
    let gone = scale::wait_until(Duration::from_secs(10), || bed.origin.open() <= open);
    ensure!(
        gone,
        "backend connections stay open though their clients were reset"
    );
    bed.works()
}

fn client_disappears_in_the_answer() -> Outcome {
    let bed = Bed::new()?;
    for size in [100, 1 << 20, 50 << 20] {
        for _ in 0..4 {
            let mut client = bed.client()?;
            client.request("GET", &format!("/len/{size}"))?;
            ensure!(!client.nibble(50)?.is_empty(), "no answer to /len/{size}");
            drop(client);
        }
    }
    // The backend's connections of the answers that were cut are closed, not pooled half-read.
    let gone = scale::wait_until(Duration::from_secs(10), || bed.origin.open() <= 6);
    ensure!(gone, "{} backend connections stay open", bed.origin.open());
    bed.works()
}

fn client_half_closes() -> Outcome {
    let bed = Bed::new()?;
    for (target, size) in [
        ("/len/0", 0),
        ("/len/300000", 300_000),
        ("/chunked/300000", 300_000),
        ("/close/300000", 300_000),
        ("/slow/20?chunk=5&ms=30", 20),
        ("/wait?ms=200", 6),
    ] {
        let mut client = bed.client()?;
        client.request("GET", target)?;
        client.half_close()?;
        let response = client
            .response("GET")
            .context(format!("{target} with a half-close"))?;
        same!(response.status, 200, "{target}: the status");
        same!(response.length, size, "{target}: the body's length");
        client
            .expect_close()
            .context(format!("{target}: the close after it"))?;
    }
    Ok(())
}

fn client_half_closes_after_a_pipeline() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    let ask = |n: u64| format!("GET /len/{}?seed={n} HTTP/1.1\r\nHost: t\r\n\r\n", n * 7000);
    let all: String = (0..10).map(ask).collect();
    client.send(all.as_bytes())?;
    client.half_close()?;
    for n in 0..10 {
        let response = client
            .response("GET")
            .context(format!("answer {n} of 10"))?;
        same!(
            response.body,
            pattern::body(n, n as usize * 7000),
            "the body of answer {n}"
        );
    }
    client
        .expect_close()
        .context("the close after the last one")
}

fn client_resets() -> Outcome {
    let bed = Bed::new()?;
    for target in [
        "",
        "/len/1",
        "/len/3000000",
        "/slow/50?ms=10",
        "/close/3000000",
    ] {
        for nibble in [false, true] {
            let mut client = bed.client()?;
            if target.is_empty() {
                client.send(b"GET / HT")?;
            } else {
                client.request("GET", target)?;
                if nibble {
                    client.nibble(10)?;
                }
            }
            client.reset()?;
        }
    }
    bed.works()
}

fn client_reads_slowly() -> Outcome {
    let bed = Bed::new()?;
    let size = scale::count(400_000, 100_000);
    for kind in ["len", "chunked", "close"] {
        let tiny = Options {
            receive_buffer: Some(1024),
            ..Options::default()
        };
        let mut client = bed.client_with(tiny)?;
        client.request("GET", &format!("/{kind}/{size}?seed=21"))?;
        // Let every buffer on the way fill up before the first octet is taken.
        let full = || bed.origin.requests() > 0;
        scale::wait_until(Duration::from_secs(5), full);
        thread::sleep(Duration::from_millis(200));
        let mut checker = Checker::new(21);
        let mut pieces = 0;
        let response = client.response_into("GET", &mut |bytes| {
            checker.feed(bytes);
            pieces += 1;
            if pieces % 8 == 0 {
                thread::sleep(Duration::from_millis(1));
            }
        });
        response.context(format!("/{kind}/{size} read slowly"))?;
        same!(
            (checker.len(), checker.wrong()),
            (size, None),
            "/{kind}/{size}: the body"
        );
    }
    bed.works()
}

fn client_sends_nothing() -> Outcome {
    let bed = Bed::new()?;
    for _ in 0..20 {
        let client = bed.client()?;
        client.half_close()?;
    }
    for _ in 0..20 {
        bed.client()?.send(b"GET /len/1 HTTP/1.1\r\nHo")?;
    }
    let mut client = bed.client()?;
    client.half_close()?;
    client
        .expect_close()
        .context("a half-close without a request")?;
    same!(bed.origin.requests(), 0, "the backend's requests");
    bed.works()
}
