//! Uploads that do not come to their end: the backend must never take one for a whole request, and
//! nobody may be kept waiting.

use std::io::Write;
use std::thread;
use std::time::Duration;

use super::uploads_whole::{describe, is_whole, no_complaints};
use crate::conn::{preview, Conn, Fault};
use crate::origin::{Mode, Step};
use crate::pattern;
use crate::scale;
use crate::testing::{Bed, Context, Failure, Outcome};
use crate::upload::Upload;
use crate::{ensure, same, tests};

tests![
    client_half_closes,
    client_closes,
    client_resets,
    bad_chunks,
    chunked_framing_has_limits,
    body_size,
    backend_closes,
    backend_resets,
    backend_refuses,
    backend_answers_garbage,
    backends_die_under_uploads in 240 s,
];

/// Waits until the backend has no request in hand; fails if it has ever got a whole body.
fn never_whole(bed: &Bed, bodies: usize) -> Outcome {
    let all = || bed.origin.received().len() >= bodies && bed.origin.open() == 0;
    let all = scale::wait_until(Duration::from_secs(20), all);
    let received = bed.origin.received();
    ensure!(
        all,
        "{} of {bodies} bodies ended, {} connections are open",
        received.len(),
        bed.origin.open()
    );
    let whole = received.iter().find(|body| body.complete);
    ensure!(whole.is_none(), "the backend got a whole body: {whole:?}");
    Ok(())
}

/// Fails if an octet at the backend is not what was sent.
fn nothing_wrong(bed: &Bed) -> Outcome {
    let received = bed.origin.received();
    let wrong = received.iter().find(|body| body.wrong.is_some());
    ensure!(wrong.is_none(), "the backend got a wrong body: {wrong:?}");
    no_complaints(bed)
}

/// Uploads of 50,000 octets that end before their time, at places of all sorts.
fn cut_uploads() -> Vec<Upload<'static>> {
    let plain = Upload::new("/upload?seed=3", 3, 50_000);
    let chunked = plain.clone().chunked(5000);
    let mut all = Vec::new();
    for cut in [0, 1, 4999, 5000, 5001, 16_384, 49_999] {
        for upload in [plain.clone(), chunked.clone()] {
            all.push(Upload {
                cut: Some(cut),
                ..upload
            });
        }
    }
    // All of the body, but not the last chunk.
    all.push(Upload {
        cut: Some(50_000),
        ..chunked
    });
    all
}

fn client_half_closes() -> Outcome {
    let bed = Bed::new()?;
    let uploads = cut_uploads();
    for upload in &uploads {
        let what = describe(upload);
        let mut client = bed.client()?;
        let response = client.upload(upload).context(&what)?.response;
        same!(response.status, 400, "{what}: the status");
        client.expect_close().context(what)?;
    }
    // One of which nothing came need not get as far as the backend.
    let begun = uploads.iter().filter(|upload| upload.cut != Some(0));
    never_whole(&bed, begun.count())?;
    nothing_wrong(&bed)
}

/// Sends what there is to send of an upload that is cut, and waits until its head has arrived.
fn send_cut(bed: &Bed, upload: &Upload<'_>) -> Result<Conn, Failure> {
    let arrived = bed.origin.requests() + 1;
    let mut client = bed.client()?;
    client.send(&upload.octets())?;
    let there = || bed.origin.requests() == arrived;
    let there = scale::wait_until(Duration::from_secs(10), there);
    ensure!(there, "{}: the head does not arrive", describe(upload));
    Ok(client)
}

fn client_closes() -> Outcome {
    let bed = Bed::new()?;
    let uploads = cut_uploads();
    for upload in &uploads {
        drop(send_cut(&bed, upload)?);
    }
    never_whole(&bed, uploads.len())?;
    nothing_wrong(&bed)
}

fn client_resets() -> Outcome {
    let bed = Bed::new()?;
    let uploads = cut_uploads();
    for upload in &uploads {
        send_cut(&bed, upload)?.reset()?;
    }
    never_whole(&bed, uploads.len())?;
    // In the midst of a body that nobody takes, too.
    bed.origin.script("deaf", vec![Step::Read(1), Step::Stall]);
    for _ in 0..4 {
        let upload = Upload::new("/script/deaf", 0, 100 << 20);
        let mut client = bed.client()?;
        client.send(upload.head().as_bytes())?;
        let mut stream = client.stream().try_clone()?;
        stream.set_nonblocking(true)?;
        let mut at = 0;
        let full = || match stream.write(pattern::octets(0, at, 60_000)) {
            Ok(written) => {
                at += written as u64;
                false
            }
            Err(_) => true,
        };
        let full = scale::wait_until(Duration::from_secs(20), full);
        ensure!(full, "a backend that reads nothing takes everything");
        drop(stream);
        client.reset()?;
    }
    let gone = scale::wait_until(Duration::from_secs(20), || bed.origin.open() == 0);
    ensure!(gone, "{} backend connections stay open", bed.origin.open());
    nothing_wrong(&bed)
}

/// Sends a body in chunks, right up to `bad`, on a new connection; the status of the answer, after
/// which nothing comes.
fn status_of_chunks(bed: &Bed, bad: &str) -> Result<u16, Failure> {
    let head = "POST /upload HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut client = bed.client()?;
    let arrived = bed.origin.requests() + 1;
    client.send(head.as_bytes())?;
    client.send(&[b"3\r\n", &pattern::body(0, 3)[..], b"\r\n"].concat())?;
    // The backend has got the beginning before anything is wrong.
    let there = || bed.origin.requests() == arrived;
    let there = scale::wait_until(Duration::from_secs(10), there);
    ensure!(there, "the head does not arrive");
    match client.send(bad.as_bytes()) {
        Ok(()) | Err(Fault::Reset(_)) => {}
        Err(fault) => return Err(fault.into()),
    }
    let response = client.response("POST")?;
    let _ = client.half_close();
    client.expect_close()?;
    Ok(response.status)
}

fn bad_chunks() -> Outcome {
    let bed = Bed::new()?;
    let smuggled = "GET /len/4?smuggled HTTP/1.1\r\nHost: test\r\n\r\n";
    let all = [
        "x\r\n",
        "\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "5 5\r\nhello\r\n0\r\n\r\n",
        "5\nhello\n0\n\n",
        "5\rhello\r\n0\r\n\r\n",
        "5\r\nhell\r\n0\r\n\r\n",
        "5\r\nhello!\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5;\r\nhello\r\n0\r\n\r\n",
        "5;a=\r\nhello\r\n0\r\n\r\n",
        "5;a=\"b\r\nhello\r\n0\r\n\r\n",
        "5;a\u{0}b\r\nhello\r\n0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "10000000000000005\r\nhello\r\n0\r\n\r\n",
        "ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "00000000000000005\r\nhello\r\n0\r\n\r\n",
        "0\r\nbad trailer\r\n\r\n",
        "0\r\nX: a\r\n folded\r\n\r\n",
        "0\r\nX : a\r\n\r\n",
        "0\r\n: a\r\n\r\n",
        "0\r\nX: a\rb\r\n\r\n",
        "0\r\nX: a\u{0}b\r\n\r\n",
        "0\nX: a\n\n",
        "0\r\nX: a\n\r\n",
        "0\r\n\n",
        "0 \r\n\r\n",
    ];
    for bad in all {
        for more in ["", smuggled] {
            let status = status_of_chunks(&bed, &format!("{bad}{more}"));
            let status = status.context(format!("{bad:?}, {:?}", preview(more.as_bytes())))?;
            same!(status, 400, "{bad:?}: the status");
        }
    }
    let seen = bed.origin.heads();
    let smuggled = seen.iter().any(|head| head.first.contains("smuggled"));
    ensure!(!smuggled, "something was taken for a request");
    never_whole(&bed, all.len())?;
    no_complaints(&bed)
}

fn chunked_framing_has_limits() -> Outcome {
    let bed = Bed::new()?;
    let extension = |size: usize| format!("1;{}\r\nx\r\n", "x".repeat(size));
    let trailers = |size: usize| format!("0\r\nX: {}\r\n\r\n", "x".repeat(size));
    for (what, bad, right) in [
        ("a long extension", extension(100_000), 400),
        ("many extensions", extension(3000).repeat(10), 400),
        ("a long trailer", trailers(100_000), 431),
        (
            "many trailers",
            format!("0\r\n{}\r\n", "X: y\r\n".repeat(2000)),
            431,
        ),
    ] {
        let status = status_of_chunks(&bed, &bad).context(what)?;
        same!(status, right, "{what}: the status");
    }
    never_whole(&bed, 4)?;
    no_complaints(&bed)
}

fn body_size() -> Outcome {
    let bed = Bed::with(&[("body-size", "64K")])?;
    let target = "/upload?seed=3";
    let mut client = bed.client()?;
    for upload in [
        Upload::new(target, 3, 65_536),
        Upload::new(target, 3, 65_536).chunked(10_000),
    ] {
        let response = client.upload(&upload)?.response;
        same!(response.status, 200, "the status of 64K");
        is_whole(&response.text(), &upload)?;
    }
    // What says that it is larger does not get as far as the backend.
    let before = bed.origin.requests();
    for len in [65_537, 3_000_000, 1 << 40, i64::MAX as u64] {
        let upload = Upload {
            cut: Some(len.min(3_000_000)),
            ..Upload::new(target, 3, len)
        };
        for expect in [false, true] {
            let upload = Upload {
                expect,
                ..upload.clone()
            };
            let what = format!("{}, expect {expect}", describe(&upload));
            let mut client = bed.client()?;
            let uploaded = client.upload(&upload).context(&what)?;
            same!(uploaded.response.status, 413, "{what}: the status");
            ensure!(!uploaded.continued, "{what}: a 100 came");
        }
    }
    same!(bed.origin.requests(), before, "the backend's requests");
    // What does not say so gets no further than that.
    let mut bodies = bed.origin.received().len();
    for len in [65_537, 3_000_000] {
        bodies += 1;
        let upload = Upload::new(target, 3, len).chunked(10_000);
        let what = describe(&upload);
        let mut client = bed.client()?;
        let uploaded = client.upload(&upload).context(&what)?;
        same!(uploaded.response.status, 413, "{what}: the status");
        let over = || bed.origin.received().len() == bodies;
        let over = scale::wait_until(Duration::from_secs(10), over);
        ensure!(over, "{what}: the backend never learns that it is over");
        let seen = bed.origin.last_received();
        let cut = seen.is_some_and(|body| !body.complete && body.octets <= 65_536);
        ensure!(cut, "{what}: the backend got more");
    }
    no_complaints(&bed)
}

/// Uploads to a backend that does `step` after so many octets, without an answer.
fn upload_into(bed: &Bed, step: &Step) -> Outcome {
    for after in [0, 1, 1000, 300_000] {
        bed.origin
            .script("dies", vec![Step::Read(after), step.clone()]);
        let plain = Upload::new("/script/dies", 0, 500_000);
        for upload in [plain.clone(), plain.chunked(4000)] {
            let what = format!("{}, {step:?} after {after}", describe(&upload));
            let mut client = bed.client()?;
            let response = client.upload(&upload).context(&what)?.response;
            same!(response.status, 502, "{what}: the status");
            let _ = client.half_close();
            client.expect_close().context(what)?;
        }
    }
    same!(bed.origin.requests(), 8, "the backend's requests");
    no_complaints(bed)
}

fn backend_closes() -> Outcome {
    let bed = Bed::new()?;
    upload_into(&bed, &Step::Close)?;
    bed.origin.hang_up();
    never_whole(&bed, 8)
}

fn backend_resets() -> Outcome {
    let bed = Bed::new()?;
    upload_into(&bed, &Step::Reset)?;
    bed.origin.hang_up();
    never_whole(&bed, 8)
}

fn backend_refuses() -> Outcome {
    let mut bed = Bed::new()?;
    bed.origin.refuse();
    for len in [0, 10, 500_000] {
        let plain = Upload::new("/upload?seed=1", 1, len);
        for upload in [plain.clone(), plain.chunked(4000)] {
            let what = describe(&upload);
            let mut client = bed.client()?;
            let response = client.upload(&upload).context(&what)?.response;
            same!(response.status, 502, "{what}: the status");
        }
    }
    bed.origin.listen()?;
    bed.origin.set(Mode::AcceptReset, 0);
    let upload = Upload::new("/upload?seed=1", 1, 500_000);
    let response = bed.client()?.upload(&upload)?.response;
    same!(response.status, 502, "the status with a reset at once");
    bed.origin.set(Mode::Serve, 0);
    no_complaints(&bed)
}

fn backend_answers_garbage() -> Outcome {
    let bed = Bed::new()?;
    let garbage = Step::Send(b"\x00garbage\r\n\r\n".to_vec());
    upload_into(&bed, &garbage)
}

/// Whatever becomes of a backend, an upload is either whole or has failed.
fn backends_die_under_uploads() -> Outcome {
    let bed = Bed::new()?;
    let addr = bed.addr();
    let rounds = scale::count(60, 12);
    let one = move |client: u64| -> Result<u64, Failure> {
        let mut right = 0;
        for number in 0..rounds {
            let seed = client * 1000 + number;
            let target = format!("/upload?seed={seed}");
            let plain = Upload::new(&target, seed, 1 + seed * 37 % 400_000);
            let upload = if number % 2 == 0 {
                plain.chunked(3000)
            } else {
                plain
            };
            match Conn::open(addr)?.upload(&upload).map(|done| done.response) {
                Ok(response) if response.status == 200 => {
                    is_whole(&response.text(), &upload)?;
                    right += 1;
                }
                Ok(response) if response.status == 502 => {}
                // The answer was on its way when the backend died.
                Err(Fault::Truncated(Some(_), _)) => {}
                Ok(response) => return Err(Failure(format!("{target}: {response:?}"))),
                Err(fault) => return Err(fault).context(target),
            }
        }
        Ok(right)
    };
    let clients: Vec<_> = (1..7)
        .map(|client| thread::spawn(move || one(client)))
        .collect();
    while !clients.iter().all(thread::JoinHandle::is_finished) {
        thread::sleep(Duration::from_millis(30));
        bed.origin.hang_up();
    }
    let mut right = 0;
    for client in clients {
        let outcome = client.join();
        right += outcome.map_err(|_| Failure("a client died".into()))??;
    }
    ensure!(right > 0, "not one upload was whole");
    nothing_wrong(&bed)
}
