//! A kept-alive backend connection may die under a request: the request goes out once more if that
//! cannot do harm, and otherwise never.

use std::collections::HashMap;
use std::thread;

use super::uploads_whole::{describe, is_whole, no_complaints};
use crate::conn::{Conn, Response};
use crate::origin::{Mode, Step};
use crate::scale;
use crate::testing::{Bed, Context, Failure, Outcome};
use crate::upload::Upload;
use crate::{ensure, same, tests};

tests![
    closed_between_requests,
    closed_under_a_request,
    reset_under_a_request,
    reset_at_every_try,
    not_after_an_answer_has_begun,
    not_on_a_new_connection,
    idle_connections_that_died,
    never_twice_under_load in 240 s,
];

/// How often the backend has seen a request for that target, of its last 64 requests.
fn times_seen(bed: &Bed, target: &str) -> usize {
    let heads = bed.origin.heads();
    heads.iter().filter(|head| head.words().1 == target).count()
}

/// Uploads `len` octets with that method, and judges a good answer.
fn upload(client: &mut Conn, method: &str, target: &str, len: u64) -> Result<Response, Failure> {
    let upload = Upload {
        method,
        ..Upload::new(target, 0, len)
    };
    let what = describe(&upload);
    let response = client.upload(&upload).context(&what)?.response;
    match response.status {
        200 => is_whole(&response.text(), &upload)?,
        502 => {}
        status => return Err(Failure(format!("{what}: the status is {status}"))),
    }
    Ok(response)
}

fn closed_between_requests() -> Outcome {
    let bed = Bed::new()?;
    bed.origin.set(Mode::CloseAfter, 1);
    let (mut right, mut lost) = (0, 0);
    let mut client = bed.client()?;
    for number in 0..scale::count(150, 60) {
        let target = format!("/upload?n={number}");
        let method = ["POST", "GET", "PUT", "PATCH", "X-own"][number as usize % 5];
        // At once, so that some meet the FIN on its way.
        let response = upload(&mut client, method, &target, number % 3 * 2000)?;
        let seen = times_seen(&bed, &target);
        if response.status == 200 {
            same!(seen, 1, "{method} {number}: times seen");
            right += 1;
        } else {
            // The backend's kernel had acknowledged it when the connection was closed: then nobody
            // can tell that the application has not seen it.
            let may_not_repeat = !matches!(method, "GET" | "PUT");
            ensure!(may_not_repeat, "{method} {number}: {}", response.status);
            same!(seen, 0, "{method} {number}: times seen");
            lost += 1;
        }
        if !response.persistent() {
            client = bed.client()?;
        }
    }
    ensure!(right > lost, "{right} right, {lost} lost");
    same!(bed.origin.requests(), right, "the backend's requests");
    no_complaints(&bed)
}

/// Makes requests on kept-alive connections that end under them. The methods are those of `once`,
/// which must be seen once whatever happens, and of `again`, which must succeed.
fn end_under(bed: &Bed, len: u64, once: &[&str], again: &[&str]) -> Outcome {
    bed.origin.set(Mode::DropAfter, 1);
    let (mut refused, mut repeated) = (0, 0);
    for number in 0..40 {
        let mut client = bed.client()?;
        // What is kept alive then.
        upload(&mut client, "GET", "/upload", 0)?;
        let target = format!("/upload?n={number}");
        if let Some(method) = once.get(number % (once.len() + again.len())) {
            let response = upload(&mut client, method, &target, len)?;
            same!(times_seen(bed, &target), 1, "{method}: times seen");
            refused += usize::from(response.status == 502);
        } else {
            let method = again[number % again.len()];
            let response = upload(&mut client, method, &target, len)?;
            same!(response.status, 200, "{method}: the status");
            let seen = times_seen(bed, &target);
            ensure!(seen <= 2, "{method}: seen {seen} times");
            repeated += usize::from(seen == 2);
        }
    }
    bed.origin.set(Mode::Serve, 0);
    ensure!(
        refused > 0 && repeated > 0,
        "no connection died under a request: {refused} refused, {repeated} repeated"
    );
    no_complaints(bed)
}

fn closed_under_a_request() -> Outcome {
    let bed = Bed::new()?;
    let once = ["POST", "PATCH", "X-own"];
    // The backend reads all of those, and then closes.
    end_under(&bed, 0, &once, &["GET", "PUT", "DELETE", "OPTIONS"])?;
    end_under(&bed, 100, &once, &["GET", "PUT", "DELETE", "OPTIONS"])
}

fn reset_under_a_request() -> Outcome {
    let bed = Bed::new()?;
    // More than the backend reads before it closes, which makes that a reset.
    end_under(
        &bed,
        12_000,
        &["POST", "PATCH", "X-own"],
        &["GET", "PUT", "DELETE"],
    )
}

/// Requests that no connection survives are answered all the same, and soon.
fn reset_at_every_try() -> Outcome {
    let bed = Bed::new()?;
    let mut repeated = 0;
    for number in 0..20 {
        for (method, most) in [("GET", 2), ("POST", 1)] {
            let mut client = bed.client()?;
            same!(client.get("/len/1")?.status, 200, "the status before");
            let target = format!("/reset?{method}-{number}");
            client.request(method, &target)?;
            let response = client.response(method).context(&target)?;
            same!(response.status, 502, "{target}: the status");
            let seen = times_seen(&bed, &target);
            ensure!((1..=most).contains(&seen), "{target}: seen {seen} times");
            repeated += usize::from(seen == 2);
        }
    }
    ensure!(repeated > 0, "no connection was kept alive");
    bed.works()
}

fn not_after_an_answer_has_begun() -> Outcome {
    let bed = Bed::new()?;
    let begin = |octets: &[u8]| vec![Step::Send(octets.into()), Step::Close];
    bed.origin.script("one", begin(b"H"));
    bed.origin.script("head", begin(b"HTTP/1.1 200 OK\r\n"));
    bed.origin
        .script("interim", begin(b"HTTP/1.1 103 Early Hints\r\n\r\n"));
    for name in ["one", "head", "interim"] {
        for number in 0..10 {
            let mut client = bed.client()?;
            same!(client.get("/len/1")?.status, 200, "the status before");
            let target = format!("/script/{name}");
            let before = times_seen(&bed, &target);
            let response = client.get(&target).context(name)?;
            same!(response.status, 502, "{name}: the status");
            let seen = times_seen(&bed, &target) - before;
            same!(seen, 1, "{name}, round {number}: times seen");
        }
        // The list of those that were seen is short.
        for _ in 0..64 {
            bed.works()?;
        }
    }
    Ok(())
}

fn not_on_a_new_connection() -> Outcome {
    let bed = Bed::with(&[("idle-per-cpu", "0")])?;
    bed.origin.set(Mode::DropAfter, 0);
    for (number, method) in ["GET", "POST", "PUT", "DELETE"].iter().enumerate() {
        let target = format!("/upload?n={number}");
        let response = upload(&mut bed.client()?, method, &target, 10)?;
        same!(response.status, 502, "{method}: the status");
        same!(times_seen(&bed, &target), 1, "{method}: times seen");
    }
    bed.origin.set(Mode::Serve, 0);
    bed.works()
}

fn idle_connections_that_died() -> Outcome {
    let bed = Bed::new()?;
    for _ in 0..5 {
        let mut clients = Vec::new();
        for _ in 0..10 {
            let mut client = bed.client()?;
            client.request("GET", "/wait?ms=50")?;
            clients.push(client);
        }
        for client in &mut clients {
            same!(client.response("GET")?.status, 200, "the status before");
        }
        ensure!(bed.origin.open() > 1, "nothing was kept alive");
        let before = bed.origin.requests();
        bed.origin.hang_up();
        for client in &mut clients {
            let response = upload(client, "POST", "/upload", 3000)?;
            same!(response.status, 200, "the status");
        }
        same!(bed.origin.requests() - before, 10, "the backend's requests");
    }
    no_complaints(&bed)
}

/// Uploads by four clients at once to a backend that ends its connections in `mode`: how many there
/// were of each status.
fn storm(bed: &Bed, mode: Mode, each: u64) -> Result<HashMap<u16, u64>, Failure> {
    bed.origin.set(mode, 3);
    let addr = bed.addr();
    let one = move |client: u64| -> Result<Vec<u16>, Failure> {
        let mut conn = Conn::open(addr)?;
        let mut all = Vec::new();
        for number in 0..each {
            let target = format!("/upload?n={client}-{number}");
            let response = upload(&mut conn, "POST", &target, number % 4 * 1500)?;
            if !response.persistent() {
                conn = Conn::open(addr)?;
            }
            all.push(response.status);
        }
        Ok(all)
    };
    let clients: Vec<_> = (0..4)
        .map(|client| thread::spawn(move || one(client)))
        .collect();
    let mut tally = HashMap::new();
    for client in clients {
        let statuses = client.join();
        for status in statuses.map_err(|_| Failure("a client died".into()))?? {
            *tally.entry(status).or_default() += 1;
        }
    }
    bed.origin.set(Mode::Serve, 0);
    Ok(tally)
}

fn never_twice_under_load() -> Outcome {
    let bed = Bed::new()?;
    let each = scale::count(400, 60);
    // Closed without having read anything of the next request. Its kernel may have acknowledged that
    // one all the same: then nobody can tell, and it is not sent again.
    let tally = storm(&bed, Mode::CloseAfter, each)?;
    let of = |status| tally.get(&status).copied().unwrap_or(0);
    ensure!(of(200) > 2 * each, "the statuses: {tally:?}");
    same!(of(200) + of(502), 4 * each, "the statuses {tally:?}");
    same!(bed.origin.requests(), of(200), "the backend's requests");
    // Closed with a request read: that one is lost, and not seen again.
    let before = bed.origin.requests();
    let tally = storm(&bed, Mode::DropAfter, each)?;
    let of = |status| tally.get(&status).copied().unwrap_or(0);
    ensure!(of(200) > 0 && of(502) > 0, "the statuses: {tally:?}");
    same!(of(200) + of(502), 4 * each, "the statuses {tally:?}");
    let seen = bed.origin.requests() - before;
    same!(seen, 4 * each, "the backend's requests");
    no_complaints(&bed)
}
