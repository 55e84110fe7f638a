//! Answers that do not wait for the end of a request: expectations, and final responses that come
//! while the body is still on its way.

use std::time::Duration;

use super::uploads_whole::{describe, is_whole, no_complaints, upload_whole};
use crate::conn::{Conn, Fault};
use crate::origin::Step;
use crate::pattern;
use crate::scale;
use crate::testing::{Bed, Context, Failure, Outcome};
use crate::upload::Upload;
use crate::{ensure, same, tests};

tests![
    expectation_met,
    expectation_met_late,
    expectation_refused,
    expectation_refused_after_the_body_was_sent,
    expectation_unanswered,
    expectation_for_a_backend_of_http10,
    several_interim_responses,
    expectation_of_an_http10_client,
    expectation_without_a_body,
    early_answer_while_the_backend_reads_on,
    early_answer_and_the_backend_closes,
    early_answer_and_the_backend_resets,
    early_answer_and_the_backend_stalls,
    early_answer_of_every_framing,
];

fn expecting(target: &str, seed: u64, len: u64) -> Upload<'_> {
    Upload {
        expect: true,
        ..Upload::new(target, seed, len)
    }
}

fn expectation_met() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    for len in [1, 20_000, 300_000] {
        let plain = expecting("/expect?seed=2", 2, len);
        for upload in [plain.clone(), plain.chunked(4000)] {
            let what = describe(&upload);
            let uploaded = client.upload(&upload).context(&what)?;
            ensure!(uploaded.continued, "{what}: no 100 came");
            same!(uploaded.response.status, 200, "{what}: the status");
            is_whole(&uploaded.response.text(), &upload).context(what)?;
            let head = bed.origin.last_head().unwrap_or_default();
            let seen: Vec<_> = head.all("Expect").collect();
            same!(seen, ["100-continue"], "the Expect at the backend");
        }
    }
    no_complaints(&bed)
}

fn expectation_met_late() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    let upload = expecting("/expect?seed=2&ms=400", 2, 20_000);
    client.send(upload.head().as_bytes())?;
    let early = !client.silent(Duration::from_millis(100))?;
    ensure!(!early, "something came before the backend said anything");
    ensure!(client.continued()?, "no 100 came");
    client.send(&pattern::body(2, 20_000))?;
    is_whole(&client.response("POST")?.text(), &upload)?;
    no_complaints(&bed)
}

fn expectation_refused() -> Outcome {
    let bed = Bed::new()?;
    let mut bodies = 0;
    for status in [417, 401, 413, 200] {
        let target = format!("/expect?answer={status}");
        for upload in [
            expecting(&target, 0, 50_000),
            expecting(&target, 0, 50_000).chunked(1000),
        ] {
            let mut client = bed.client()?;
            let uploaded = client.upload(&upload).context(&target)?;
            ensure!(!uploaded.continued, "{target}: a 100 came");
            same!(uploaded.response.status, status, "{target}: the status");
            same!(uploaded.response.text(), "refused\n", "{target}: the body");
            bodies += 1;
            let over = || bed.origin.received().len() == bodies;
            let over = scale::wait_until(Duration::from_secs(10), over);
            ensure!(over, "{target}: the backend's connection goes on");
            let seen = bed.origin.last_received();
            let none = seen.is_some_and(|body| body.octets == 0 && !body.complete);
            ensure!(none, "{target}: the backend got a body");
        }
    }
    no_complaints(&bed)
}

/// A client need not wait. Its body must not be taken for a request then, though nobody reads it.
fn expectation_refused_after_the_body_was_sent() -> Outcome {
    let bed = Bed::new()?;
    let smuggled = "GET /len/4?smuggled HTTP/1.1\r\nHost: test\r\n\r\n";
    let length = smuggled.len();
    let head = format!(
        "POST /expect?answer=417 HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    for late in [false, true] {
        let mut client = bed.client()?;
        let first = if late {
            head.clone()
        } else {
            head.clone() + smuggled
        };
        client.send(first.as_bytes())?;
        let response = client.response("POST")?;
        same!(response.status, 417, "the status");
        if late {
            match client.send(smuggled.as_bytes()) {
                Ok(()) | Err(Fault::Reset(_)) => {}
                Err(fault) => return Err(fault.into()),
            }
        }
        let _ = client.half_close();
        client.expect_close().context("after the answer")?;
        let seen = bed.origin.heads();
        let smuggled = seen.iter().any(|head| head.first.contains("smuggled"));
        ensure!(!smuggled, "the body was taken for a request");
    }
    no_complaints(&bed)
}

fn expectation_unanswered() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    for wait in [false, true] {
        let upload = expecting("/expect?seed=2&quiet=1", 2, 20_000);
        client.send(upload.head().as_bytes())?;
        if wait {
            // Neither the backend nor the gateway has a reason to say anything.
            let silent = client.silent(Duration::from_millis(200))?;
            ensure!(silent, "a 100 that the backend did not send");
        }
        client.send(&pattern::body(2, 20_000))?;
        let response = client.response("POST")?;
        same!(response.interim, [0_u16; 0], "the interim responses");
        is_whole(&response.text(), &upload)?;
    }
    no_complaints(&bed)
}

/// It has no word for that, so the gateway says it, until the backend shows that it knows HTTP/1.1.
fn expectation_for_a_backend_of_http10() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    let old = client.get("/close/10?http10=1")?;
    same!(old.status, 200, "the status of an answer in HTTP/1.0");
    let upload = expecting("/expect?seed=2&quiet=1", 2, 20_000);
    let uploaded = client.upload(&upload)?;
    ensure!(uploaded.continued, "no 100 came");
    is_whole(&uploaded.response.text(), &upload)?;
    let head = bed.origin.last_head().unwrap_or_default();
    same!(head.get("Expect"), None, "the Expect at the backend");
    ensure!(uploaded.response.persistent(), "the connection ends");
    // That answer was in HTTP/1.1: one in HTTP/1.0 after it says nothing of the server any more.
    client.get("/close/10?http10=1")?;
    client.send(upload.head().as_bytes())?;
    let silent = client.silent(Duration::from_millis(1000))?;
    ensure!(silent, "a 100 that the backend did not send");
    client.send(&pattern::body(2, 20_000))?;
    is_whole(&client.response("POST")?.text(), &upload)?;
    let head = bed.origin.last_head().unwrap_or_default();
    same!(head.get("Expect"), Some("100-continue"), "the Expect");
    no_complaints(&bed)
}

fn several_interim_responses() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    let target = "/expect?seed=2&times=3&code=103";
    let upload = Upload {
        fields: "Expect: 100-continue\r\n",
        ..Upload::new(target, 2, 30_000)
    };
    for upload in [upload.clone(), upload.chunked(999)] {
        let response = client.upload(&upload)?.response;
        same!(response.interim, [103, 100, 100, 100], "what came before");
        is_whole(&response.text(), &upload)?;
    }
    no_complaints(&bed)
}

fn expectation_of_an_http10_client() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    // RFC 9110 10.1.1: it has none, whatever it says.
    client.send(
        b"POST /expect?seed=2 HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    )?;
    client.send(&pattern::body(2, 5))?;
    let response = client.response("POST")?;
    same!(response.status, 200, "the status");
    same!(response.interim, [0_u16; 0], "the interim responses");
    let head = bed.origin.last_head().unwrap_or_default();
    same!(head.get("Expect"), None, "the Expect at the backend");
    no_complaints(&bed)
}

fn expectation_without_a_body() -> Outcome {
    let bed = Bed::new()?;
    let mut client = bed.client()?;
    for length in ["", "Content-Length: 0\r\n"] {
        let fields = format!("Host: test\r\nExpect: 100-continue\r\n{length}");
        client.send(format!("GET /len/5?seed=1 HTTP/1.1\r\n{fields}\r\n").as_bytes())?;
        let response = client.response("GET")?;
        same!(response.body, pattern::body(1, 5), "the body");
        let head = bed.origin.last_head().unwrap_or_default();
        same!(head.get("Expect"), None, "the Expect at the backend");
    }
    no_complaints(&bed)
}

/// The sorts of uploads that meet an early answer, of that many octets.
fn met_early(target: &str, len: u64) -> [Upload<'_>; 2] {
    let plain = Upload::new(target, 3, len);
    [plain.clone(), plain.chunked(7000)]
}

/// After how many octets a backend answers early.
const AFTER: [u64; 3] = [0, 1000, 300_000];

fn early_answer_while_the_backend_reads_on() -> Outcome {
    let bed = Bed::new()?;
    for status in [200, 413, 500] {
        for after in AFTER {
            let target = format!("/early/{status}?seed=3&after={after}");
            let mut client = bed.client()?;
            for upload in met_early(&target, 2_000_000) {
                let what = describe(&upload);
                // A backend may be done a little later than its client has the answer.
                let done = || bed.origin.finished() == bed.origin.requests();
                let done = scale::wait_until(Duration::from_secs(20), done);
                ensure!(done, "{what}: the backend is not done with those before");
                let finished = bed.origin.finished();
                let uploaded = client.upload(&upload).context(&what)?;
                same!(uploaded.response.status, status, "{what}: the status");
                same!(uploaded.response.text(), "early\n", "{what}: the body");
                ensure!(uploaded.sent, "{what}: the rest was not taken");
                let whole = || bed.origin.finished() > finished;
                let whole = scale::wait_until(Duration::from_secs(20), whole);
                ensure!(whole, "{what}: the backend never gets the rest");
                let seen = bed.origin.last_received();
                let seen = seen.ok_or_else(|| Failure(format!("{what}: no body came")))?;
                is_whole(&seen.report(), &upload).context(&what)?;
            }
            // Both connections go on.
            upload_whole(&mut client, &Upload::new("/upload?seed=1", 1, 10_000))?;
        }
    }
    no_complaints(&bed)
}

/// Uploads into an answer after which the backend takes nothing more.
fn upload_in_vain(bed: &Bed, then: &str) -> Outcome {
    for after in AFTER {
        let target = format!("/early/413?seed=3&after={after}&then={then}");
        for upload in met_early(&target, 2_000_000) {
            let what = describe(&upload);
            let mut client = bed.client()?;
            let uploaded = client.upload(&upload).context(&what)?;
            same!(uploaded.response.status, 413, "{what}: the status");
            same!(uploaded.response.text(), "early\n", "{what}: the body");
            // What the client still sends is not the next request.
            let _ = client.half_close();
            client.expect_close().context(what)?;
        }
    }
    let gone = || bed.origin.open() == 0;
    let gone = scale::wait_until(Duration::from_secs(20), gone);
    ensure!(gone, "{} backend connections stay open", bed.origin.open());
    let whole = bed.origin.received().iter().any(|body| body.complete);
    ensure!(!whole, "the backend has got a whole body");
    no_complaints(bed)
}

fn early_answer_and_the_backend_closes() -> Outcome {
    upload_in_vain(&Bed::new()?, "close")
}

fn early_answer_and_the_backend_resets() -> Outcome {
    upload_in_vain(&Bed::new()?, "reset")
}

/// The client has its answer at once; how long the gateway waits for the backend is a setting.
fn early_answer_and_the_backend_stalls() -> Outcome {
    let bed = Bed::with(&[("response-timeout", "700ms"), ("linger-timeout", "500ms")])?;
    for after in [0, 1000] {
        let target = format!("/early/200?seed=3&after={after}&then=stall");
        // More than the sockets' buffers hold.
        for upload in met_early(&target, 40 << 20) {
            let what = describe(&upload);
            let mut client = bed.client()?;
            let uploaded = client.upload(&upload).context(&what)?;
            same!(uploaded.response.status, 200, "{what}: the status");
            same!(uploaded.response.text(), "early\n", "{what}: the body");
            let _ = client.half_close();
            client.expect_close().context(what)?;
        }
    }
    let gone = || bed.origin.open() == 0;
    let gone = scale::wait_until(Duration::from_secs(20), gone);
    ensure!(gone, "{} backend connections stay open", bed.origin.open());
    no_complaints(&bed)
}

/// Whether that client, in the middle of its body, has its answer already.
fn answered(client: &mut Conn, right: &[u8]) -> Outcome {
    let response = client.response("POST")?;
    same!(response.status, 200, "the status");
    same!(response.body, right, "the body");
    Ok(())
}

fn early_answer_of_every_framing() -> Outcome {
    let bed = Bed::new()?;
    let ok = "HTTP/1.1 200 OK\r\n";
    let script = |text: String| vec![Step::Read(10), Step::Send(text.into_bytes())];
    bed.origin.script(
        "length",
        script(format!("{ok}Content-Length: 5\r\n\r\nearly")),
    );
    bed.origin.script(
        "chunked",
        script(format!(
            "{ok}Transfer-Encoding: chunked\r\n\r\n5\r\nearly\r\n0\r\n\r\n"
        )),
    );
    let mut close = script(format!("{ok}\r\nearly"));
    close.push(Step::Close);
    bed.origin.script("close", close);
    for kind in ["length", "chunked", "close"] {
        let target = format!("/script/{kind}");
        let upload = Upload::new(&target, 0, 1000);
        let mut client = bed.client()?;
        // A client that sends the rest only when it has the answer.
        client.send(upload.head().as_bytes())?;
        client.send(&pattern::body(0, 500))?;
        answered(&mut client, b"early").context(&target)?;
        match client.send(pattern::octets(0, 500, 500)) {
            Ok(()) => {}
            Err(Fault::Reset(_)) if kind == "close" => continue,
            Err(fault) => return Err(fault).context(target),
        }
        if kind != "close" {
            upload_whole(&mut client, &Upload::new("/upload?seed=1", 1, 10_000)).context(target)?;
        }
    }
    no_complaints(&bed)
}
