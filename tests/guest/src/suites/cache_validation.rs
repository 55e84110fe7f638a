//! What is stale is validated, what clients ask for decides how old an answer may be, and what failed
//! may be made good by what is stored (RFC 9111 sections 4.2.4, 4.3 and 5.2, RFC 5861).

use std::thread;
use std::time::{Duration, Instant};

use super::cache_hits::STALE;
use crate::cached::{set, whole, Visitor, FRESH};
use crate::conn::Response;
use crate::gateway;
use crate::http::Head;
use crate::origin::{Answer, Gate, Step};
use crate::scale;
use crate::testing::{Bed, Context, Failure, Outcome};
use crate::{ensure, same, tests};

tests![
    by_entity_tag,
    by_last_modified,
    by_both,
    another_answer_takes_its_place,
    a_304_updates_the_fields,
    a_304_about_something_else,
    conditions_of_clients,
    conditions_of_clients_on_what_is_stale,
    conditions_without_anything_stored,
    clients_that_want_it_fresh,
    clients_that_take_it_stale,
    clients_that_want_nothing_asked,
    stale_if_error,
    stale_if_the_backend_is_down,
    stale_only_if_allowed,
    stale_while_it_is_validated,
    stale_and_what_follows,
    unloaded_while_it_is_validated,
    many_are_validated_at_once,
    grace,
];

/// It may be had for ten minutes longer than it is fresh.
const ALLOWED: &str = "Cache-Control: max-age=1, stale-while-revalidate=600\r\n";
const TAG: &str = "ETag: \"v1\"\r\n";
const MODIFIED: &str = "Last-Modified: Sat, 01 Nov 2025 00:00:00 GMT\r\n";

/// A gateway that has stored `/script/page`, which is stale by now: the body 1 of 3000 octets with
/// these fields.
struct StalePage {
    bed: Bed,
}

const PAGE: &str = "/script/page";

impl StalePage {
    fn new(fields: &str) -> Result<StalePage, Failure> {
        let page = StalePage {
            bed: Bed::cached(&[])?,
        };
        page.store(fields)?;
        Ok(page)
    }

    /// Begins anew, with these fields.
    fn store(&self, fields: &str) -> Outcome {
        gateway::write("cache-clear", "all")?;
        let fields = match fields.contains("max-age") {
            true => fields.to_owned(),
            false => format!("{fields}Cache-Control: max-age=1\r\n"),
        };
        let page = Answer::new(&fields, 1, 3000);
        self.bed.origin.answer("page", &page);
        whole(&self.visitor()?.miss(PAGE, "")?, 1, 3000)?;
        thread::sleep(STALE);
        Ok(())
    }

    fn visitor(&self) -> Result<Visitor<'_>, Failure> {
        Visitor::new(&self.bed)
    }

    /// From now on the backend says that nothing has changed, with these fields.
    fn unchanged(&self, fields: &str) {
        let answer = Answer::not_modified(fields);
        self.bed.origin.answer("page", &answer);
    }

    /// From now on the backend has another body: 2, of 4000 octets.
    fn changed(&self, fields: &str) {
        self.bed
            .origin
            .answer("page", &Answer::new(fields, 2, 4000));
    }

    /// From now on the backend has this status and no more of it.
    fn failing(&self, status: &str) {
        let answer = Answer::new("", 9, 9).status(status);
        self.bed.origin.answer("page", &answer);
    }

    /// The last head that the backend got.
    fn seen(&self) -> Head {
        self.bed.origin.last_head().unwrap_or_default()
    }
}

fn by_entity_tag() -> Outcome {
    let page = StalePage::new(TAG)?;
    let mut visitor = page.visitor()?;
    for tag in ["\"v1\"", "W/\"v1\"", "\"a,b\\\"", "\"\""] {
        let field = format!("ETag: {tag}\r\n");
        page.store(&field)?;
        page.unchanged(&format!("{field}{FRESH}"));
        whole(&visitor.miss(PAGE, "")?, 1, 3000).context(tag)?;
        let head = page.seen();
        same!(head.get("If-None-Match"), Some(tag), "what was asked with");
        same!(head.get("If-Modified-Since"), None, "what was asked with");
        whole(&visitor.hit(PAGE, "")?, 1, 3000).context(tag)?;
    }
    Ok(())
}

fn by_last_modified() -> Outcome {
    let page = StalePage::new(MODIFIED)?;
    // A 304 need not repeat it (RFC 9110 section 15.4.5).
    page.unchanged(FRESH);
    let mut visitor = page.visitor()?;
    whole(&visitor.miss(PAGE, "")?, 1, 3000)?;
    let head = page.seen();
    let date = MODIFIED.trim_end().strip_prefix("Last-Modified: ");
    same!(head.get("If-Modified-Since"), date, "what was asked with");
    same!(head.get("If-None-Match"), None, "what was asked with");
    whole(&visitor.hit(PAGE, "")?, 1, 3000)
}

fn by_both() -> Outcome {
    let page = StalePage::new(&format!("{TAG}{MODIFIED}"))?;
    page.unchanged(TAG);
    let mut visitor = page.visitor()?;
    for _ in 0..2 {
        // The 304 said nothing of how long, so what was said before is said again.
        whole(&visitor.miss(PAGE, "")?, 1, 3000)?;
        let head = page.seen();
        same!(head.get("If-None-Match"), Some("\"v1\""), "one validator");
        ensure!(
            head.get("If-Modified-Since").is_some(),
            "the other validator is missing: {:?}",
            head.fields
        );
        thread::sleep(STALE);
    }
    Ok(())
}

fn another_answer_takes_its_place() -> Outcome {
    let page = StalePage::new(TAG)?;
    page.changed(&format!("ETag: \"v2\"\r\n{FRESH}"));
    let mut visitor = page.visitor()?;
    whole(&visitor.miss(PAGE, "")?, 2, 4000)?;
    let now = visitor.hit(PAGE, "")?;
    whole(&now, 2, 4000)?;
    same!(now.head.get("ETag"), Some("\"v2\""), "the tag");
    // One that is not to be stored takes its place all the same.
    page.store(TAG)?;
    page.changed("Cache-Control: no-store\r\n");
    for _ in 0..2 {
        whole(&visitor.miss(PAGE, "")?, 2, 4000)?;
    }
    Ok(())
}

/// RFC 9111 section 3.2.
fn a_304_updates_the_fields() -> Outcome {
    let page = StalePage::new(&format!("{TAG}X-Old: old\r\nX-Both: old\r\n"))?;
    page.unchanged(&format!(
        "{TAG}{FRESH}X-Both: new\r\nX-New: new\r\nContent-Length: 7\r\n"
    ));
    let mut visitor = page.visitor()?;
    let first = visitor.miss(PAGE, "")?;
    let second = visitor.hit(PAGE, "")?;
    for response in [&first, &second] {
        whole(response, 1, 3000)?;
        let values = ["X-Old", "X-Both", "X-New"].map(|name| response.head.get(name));
        same!(
            values,
            [Some("old"), Some("new"), Some("new")],
            "the fields"
        );
        let control: Vec<_> = response.head.all("Cache-Control").collect();
        same!(control, ["max-age=3600"], "Cache-Control");
    }
    Ok(())
}

/// RFC 9111 section 4.3.4: with a strong validator that nothing stored has it must not be used, and
/// section 4.3.3: then the request is made again, without conditions.
fn a_304_about_something_else() -> Outcome {
    let page = StalePage::new(TAG)?;
    page.unchanged("ETag: \"v3\"\r\n");
    let (response, _) = page.visitor()?.ask("GET", PAGE, "")?;
    // The backend says the same to everything, so this request cannot have a good end; but it must
    // not be told that the old body is the new one.
    ensure!(
        response.status != 200 || response.head.get("ETag") != Some("\"v3\""),
        "the old body with the new tag: {:?}",
        response.head
    );
    ensure!(
        page.seen().get("If-None-Match").is_none(),
        "the last request has a condition: {:?}",
        page.seen()
    );
    page.changed(&format!("ETag: \"v3\"\r\n{FRESH}"));
    whole(&page.visitor()?.miss(PAGE, "")?, 2, 4000)
}

/// Fails unless the answer is a 304 with what RFC 9110 section 15.4.5 wants in it.
fn is_not_modified(response: &Response) -> Outcome {
    same!(response.status, 304, "the status");
    same!(response.body.len(), 0, "the length");
    for name in ["ETag", "Cache-Control", "Date", "Vary"] {
        let count = response.head.all(name).count();
        same!(count, 1, "the number of {name} in a 304");
    }
    Ok(())
}

fn conditions_of_clients() -> Outcome {
    let bed = Bed::cached(&[])?;
    let fields = format!("{TAG}{MODIFIED}{FRESH}Vary: Accept\r\n");
    bed.origin.answer("page", &Answer::new(&fields, 1, 3000));
    let mut visitor = Visitor::new(&bed)?;
    visitor.miss(PAGE, "")?;
    let same_day = "If-Modified-Since: Sat, 01 Nov 2025 00:00:00 GMT\r\n";
    let before = "If-Modified-Since: Fri, 31 Oct 2025 23:59:59 GMT\r\n";
    for (conditions, is_same) in [
        ("If-None-Match: \"v1\"\r\n", true),
        ("If-None-Match: W/\"v1\"\r\n", true),
        ("If-None-Match: *\r\n", true),
        ("If-None-Match: \"v0\", \"v1\"\r\n", true),
        ("If-None-Match: \"v0\"\r\nIf-None-Match: \"v1\"\r\n", true),
        ("If-None-Match: \"v2\"\r\n", false),
        ("If-None-Match: \"V1\"\r\n", false),
        (same_day, true),
        (
            "If-Modified-Since: Saturday, 01-Nov-25 00:00:00 GMT\r\n",
            true,
        ),
        (before, false),
        ("If-Modified-Since: nonsense\r\n", false),
        // RFC 9110 section 13.2.2: the tags alone count.
        (&format!("If-None-Match: \"v2\"\r\n{same_day}"), false),
        (&format!("If-None-Match: \"v1\"\r\n{before}"), true),
    ] {
        for method in ["GET", "HEAD"] {
            let response = visitor.hit_by(method, PAGE, conditions)?;
            let what = format!("{method} with {conditions:?}");
            match (is_same, method) {
                (true, _) => is_not_modified(&response).context(what)?,
                (false, "GET") => whole(&response, 1, 3000).context(what)?,
                (false, _) => same!(response.status, 200, "{what}: the status"),
            }
        }
    }
    // The connection is where it should be after all these.
    whole(&visitor.hit(PAGE, "")?, 1, 3000)
}

/// What the backend is asked with is ours; what the client gets is the answer to his.
fn conditions_of_clients_on_what_is_stale() -> Outcome {
    let page = StalePage::new(&format!("{TAG}Vary: Accept\r\n"))?;
    let mut visitor = page.visitor()?;
    let fields = format!("{TAG}Cache-Control: max-age=1\r\n");
    page.unchanged(&fields);
    let response = visitor.miss(PAGE, "If-None-Match: \"v1\"\r\n")?;
    is_not_modified(&response)?;
    thread::sleep(STALE);
    let response = visitor.miss(PAGE, "If-None-Match: \"v0\"\r\n")?;
    let seen = page.seen();
    same!(seen.get("If-None-Match"), Some("\"v1\""), "our tag");
    whole(&response, 1, 3000)?;
    thread::sleep(STALE);
    // The backend has what the client has, and not what is stored.
    page.changed(&format!("ETag: \"v2\"\r\nVary: Accept\r\n{FRESH}"));
    let response = visitor.miss(PAGE, "If-None-Match: \"v2\"\r\n")?;
    ensure!(
        response.status == 304 || whole(&response, 2, 4000).is_ok(),
        "{:?}",
        response.head
    );
    whole(&visitor.hit(PAGE, "")?, 2, 4000)
}

/// Then they are the backend's to answer, and its 304 is for nobody else.
fn conditions_without_anything_stored() -> Outcome {
    let bed = Bed::cached(&[])?;
    let fields = format!("{TAG}{FRESH}");
    let mut visitor = Visitor::new(&bed)?;
    bed.origin.answer("page", &Answer::not_modified(&fields));
    let response = visitor.miss(PAGE, "If-None-Match: \"v1\"\r\n")?;
    same!(response.status, 304, "the status");
    bed.origin.answer("page", &Answer::new(&fields, 1, 3000));
    whole(&visitor.miss(PAGE, "")?, 1, 3000)?;
    whole(&visitor.hit(PAGE, "")?, 1, 3000)
}

fn clients_that_want_it_fresh() -> Outcome {
    let bed = Bed::cached(&[])?;
    let fields = format!("{TAG}{FRESH}");
    let page = Answer::new(&fields, 1, 3000);
    let mut visitor = Visitor::new(&bed)?;
    bed.origin.answer("page", &page);
    visitor.miss(PAGE, "")?;
    bed.origin.answer("page", &Answer::not_modified(&fields));
    for asked in [
        "Cache-Control: no-cache\r\n",
        "Pragma: no-cache\r\n",
        "Cache-Control: max-age=0\r\n",
        "Cache-Control: min-fresh=7200\r\n",
    ] {
        let response = visitor.miss(PAGE, asked)?;
        whole(&response, 1, 3000).context(asked)?;
        let seen = bed.origin.last_head().unwrap_or_default();
        same!(seen.get("If-None-Match"), Some("\"v1\""), "{asked:?}");
        visitor.hit(PAGE, "").context(asked)?;
    }
    for asked in [
        "Cache-Control: max-age=3000\r\n",
        "Cache-Control: min-fresh=60\r\n",
        "Cache-Control: no-transform\r\n",
    ] {
        whole(&visitor.hit(PAGE, asked)?, 1, 3000).context(asked)?;
    }
    // What comes then is for everybody.
    let fields = format!("ETag: \"v2\"\r\n{FRESH}");
    bed.origin.answer("page", &Answer::new(&fields, 2, 4000));
    whole(&visitor.hit(PAGE, "")?, 1, 3000)?;
    whole(&visitor.miss(PAGE, "Cache-Control: no-cache\r\n")?, 2, 4000)?;
    whole(&visitor.hit(PAGE, "")?, 2, 4000)
}

fn clients_that_take_it_stale() -> Outcome {
    let page = StalePage::new(TAG)?;
    page.changed(FRESH);
    let mut visitor = page.visitor()?;
    for asked in [
        "Cache-Control: max-stale\r\n",
        "Cache-Control: max-stale=600\r\n",
    ] {
        whole(&visitor.hit(PAGE, asked)?, 1, 3000).context(asked)?;
    }
    whole(&visitor.miss(PAGE, "")?, 2, 4000)?;
    page.store(&format!(
        "{TAG}Cache-Control: max-age=1, must-revalidate\r\n"
    ))?;
    page.changed(FRESH);
    whole(
        &visitor.miss(PAGE, "Cache-Control: max-stale\r\n")?,
        2,
        4000,
    )
}

/// RFC 9111 section 5.2.1.7.
fn clients_that_want_nothing_asked() -> Outcome {
    let page = StalePage::new(TAG)?;
    let mut visitor = page.visitor()?;
    let only = "Cache-Control: only-if-cached\r\n";
    for target in [PAGE, "/len/100"] {
        for method in ["GET", "HEAD"] {
            let (response, asked) = visitor.ask(method, target, only)?;
            same!((response.status, asked), (504, 0), "{method} {target}");
        }
    }
    let stale = "Cache-Control: only-if-cached, max-stale\r\n";
    whole(&visitor.hit(PAGE, stale)?, 1, 3000)?;
    page.changed(FRESH);
    visitor.miss(PAGE, "")?;
    whole(&visitor.hit(PAGE, only)?, 2, 4000)
}

const IF_ERROR: &str = "ETag: \"v1\"\r\nCache-Control: max-age=1, stale-if-error=600\r\n";

fn stale_if_error() -> Outcome {
    let page = StalePage::new(IF_ERROR)?;
    let mut visitor = page.visitor()?;
    for status in [
        "500 Internal Server Error",
        "502 Bad Gateway",
        "503 Service Unavailable",
        "504 Gateway Timeout",
    ] {
        page.failing(status);
        whole(&visitor.miss(PAGE, "")?, 1, 3000).context(status)?;
    }
    // Those are answers.
    for status in ["404 Not Found", "501 Not Implemented"] {
        page.store(IF_ERROR)?;
        page.failing(status);
        let response = visitor.miss(PAGE, "")?;
        same!(response.head.words().1, &status[..3], "the status");
    }
    Ok(())
}

fn stale_if_the_backend_is_down() -> Outcome {
    let mut page = StalePage::new(IF_ERROR)?;
    page.bed.origin.refuse();
    page.bed.origin.hang_up();
    let mut client = page.bed.client()?;
    for _ in 0..3 {
        whole(&client.get(PAGE)?, 1, 3000)?;
    }
    let other = client.get("/len/100")?.status;
    ensure!(
        [502, 503, 504].contains(&other),
        "another page's is {other}"
    );
    // And when it is back: the gateway may leave it alone for a while.
    page.bed.origin.listen()?;
    page.changed(FRESH);
    let is_new = || {
        let response = page.bed.client().and_then(|mut client| client.get(PAGE));
        response.is_ok_and(|response| whole(&response, 2, 4000).is_ok())
    };
    let back = scale::wait_until(Duration::from_secs(30), is_new);
    ensure!(back, "the new page does not come");
    Ok(())
}

fn stale_only_if_allowed() -> Outcome {
    let failure = "503 Service Unavailable";
    let page = StalePage::new(TAG)?;
    page.failing(failure);
    let mut visitor = page.visitor()?;
    same!(visitor.miss(PAGE, "")?.status, 503, "nobody has allowed it");
    // Somebody who runs the gateway does.
    page.store(TAG)?;
    set("stale-if-error", "1h")?;
    page.failing(failure);
    whole(&visitor.miss(PAGE, "")?, 1, 3000)?;
    for control in [
        "max-age=1, must-revalidate",
        "max-age=1, proxy-revalidate",
        "max-age=1, stale-if-error=0",
        "max-age=1, stale-if-error=600, must-revalidate",
    ] {
        page.store(&format!("{TAG}Cache-Control: {control}\r\n"))?;
        page.failing(failure);
        let status = visitor.miss(PAGE, "")?.status;
        ensure!([503, 504].contains(&status), "{control}: {status}");
    }
    Ok(())
}

/// What is asked for comes at once, the old one, for as long as the backend thinks of the new one; that
/// comes in the end, and nobody has waited for it.
fn comes_anew(page: &StalePage) -> Outcome {
    let gate = Gate::default();
    let fields = format!("ETag: \"v2\"\r\n{FRESH}");
    let new = Answer::new(&fields, 2, 4000).steps();
    let held = [vec![Step::Hold(gate.clone())], new].concat();
    page.bed.origin.script("page", held);
    let asked = page.bed.origin.asked("page");
    let mut client = page.bed.client()?;
    for _ in 0..5 {
        whole(&client.get(PAGE)?, 1, 3000)?;
    }
    let is_asked = || page.bed.origin.asked("page") > asked;
    let revalidated = scale::wait_until(Duration::from_secs(10), is_asked);
    ensure!(revalidated, "the backend is not asked");
    whole(&page.bed.client()?.get(PAGE)?, 1, 3000)?;
    gate.open();
    let is_new = || {
        let response = client.get(PAGE);
        response.is_ok_and(|response| whole(&response, 2, 4000).is_ok())
    };
    let came = scale::wait_until(Duration::from_secs(10), is_new);
    ensure!(came, "the new one does not come");
    same!(
        page.bed.origin.asked("page"),
        asked + 1,
        "how often the backend was asked"
    );
    Ok(())
}

fn stale_while_it_is_validated() -> Outcome {
    comes_anew(&StalePage::new(&format!("{TAG}{ALLOWED}"))?)
}

/// What the client has asked for behind it, or that it asks for nothing more, is not forgotten.
fn stale_and_what_follows() -> Outcome {
    for _ in 0..5 {
        let page = StalePage::new(&format!("{TAG}{ALLOWED}"))?;
        let mut client = page.bed.client()?;
        let begun = Instant::now();
        let both =
            [PAGE, "/len/7"].map(|target| format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n"));
        client.send(both.concat().as_bytes())?;
        client.half_close()?;
        whole(&client.response("GET")?, 1, 3000)?;
        same!(
            client.response("GET")?.length,
            7,
            "octets of the second answer"
        );
        client.expect_close()?;
        let took = begun.elapsed();
        ensure!(
            took < scale::time(Duration::from_secs(10)),
            "it took {took:?}"
        );
        page.bed.gateway.unload()?;
    }
    Ok(())
}

/// Nobody is there who could be sent an RST: it ends all the same.
fn unloaded_while_it_is_validated() -> Outcome {
    for is_begun in [false, true] {
        let page = StalePage::new(&format!("{TAG}{ALLOWED}"))?;
        let (head, middle) = (Gate::default(), Gate::default());
        let new = Answer::new(FRESH, 2, 4000).midway(2000, Step::Hold(middle.clone()));
        let held = [vec![Step::Hold(head.clone())], new.steps()].concat();
        page.bed.origin.script("page", held);
        let asked = page.bed.origin.asked("page");
        whole(&page.bed.client()?.get(PAGE)?, 1, 3000)?;
        let is_asked = || page.bed.origin.asked("page") > asked;
        let revalidated = scale::wait_until(Duration::from_secs(10), is_asked);
        ensure!(revalidated, "the backend is not asked");
        if is_begun {
            head.open();
            // That it has begun cannot be seen, since nobody gets it.
            thread::sleep(scale::time(Duration::from_millis(200)));
        }
        page.bed.gateway.unload()?;
        head.open();
        middle.open();
    }
    Ok(())
}

/// Each is asked about once, whoever comes, and all of them come anew.
fn many_are_validated_at_once() -> Outcome {
    let bed = Bed::cached(&[])?;
    let pages = scale::count(200, 50);
    let allowed = format!("{TAG}{ALLOWED}");
    let target = |number: u64| format!("/script/page?{number}");
    bed.origin.answer("page", &Answer::new(&allowed, 1, 3000));
    let mut client = bed.client()?;
    for number in 0..pages {
        whole(&client.get(&target(number))?, 1, 3000)?;
    }
    thread::sleep(STALE);
    let fields = format!("ETag: \"v2\"\r\n{FRESH}");
    bed.origin.answer("page", &Answer::new(&fields, 2, 4000));
    let before = bed.origin.asked("page");
    for number in 0..pages {
        whole(&client.get(&target(number))?, 1, 3000)?;
    }
    for number in 0..pages {
        let is_new = || {
            let response = client.get(&target(number));
            response.is_ok_and(|response| whole(&response, 2, 4000).is_ok())
        };
        let came = scale::wait_until(Duration::from_secs(10), is_new);
        ensure!(came, "{number} does not come anew");
    }
    let asked = bed.origin.asked("page") - before;
    same!(asked, pages, "how often the backend was asked");
    Ok(())
}

fn grace() -> Outcome {
    let page = StalePage::new(TAG)?;
    set("grace", "10m")?;
    comes_anew(&page)
}
