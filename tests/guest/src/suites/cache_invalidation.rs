//! What is stored goes when somebody changes it, or asks for that (RFC 9111 section 4.4, PURGE, and the
//! files of the cache).

use std::net::IpAddr;
use std::thread;

use super::cache_hits::{get_from, STALE};
use crate::cached::{lines_with, set, whole, Visitor, FRESH};
use crate::conn::{Conn, Options};
use crate::gateway;
use crate::http::Framing;
use crate::origin::Answer;
use crate::testing::{Bed, Context, Failure, Outcome};
use crate::upload::Upload;
use crate::{ensure, same, tests};

tests![
    by_unsafe_methods,
    not_by_safe_ones,
    not_by_errors,
    every_variant,
    what_the_answer_names,
    not_of_another_host,
    purged,
    purged_by_those_who_may,
    cleared,
    cleared_of_what_is_stale,
    cleared_by_pattern,
    nonsense_clears_nothing,
    entries_are_listed,
    reasons_are_listed,
];

const EMPTY: &str = "Content-Length: 0\r\n";

/// Makes `/script/NAME` a page that is stored.
fn store(bed: &Bed, visitor: &mut Visitor<'_>, name: &str) -> Result<String, Failure> {
    bed.origin.answer(name, &Answer::new(FRESH, 1, 1000));
    let target = format!("/script/{name}");
    visitor.miss(&target, "")?;
    visitor.hit(&target, "")?;
    Ok(target)
}

/// An answer with that status and nothing else.
fn bare(status: &str) -> Answer<'_> {
    Answer::new("", 0, 0)
        .status(status)
        .framed(match status.starts_with("204") {
            true => Framing::None,
            false => Framing::Length(0),
        })
}

fn by_unsafe_methods() -> Outcome {
    let bed = Bed::cached(&[])?;
    let mut visitor = Visitor::new(&bed)?;
    for method in ["POST", "PUT", "DELETE", "PATCH", "X-own"] {
        for status in ["200 OK", "204 No Content", "303 See Other"] {
            let name = format!("{method}-{}", &status[..3]);
            let target = store(&bed, &mut visitor, &name)?;
            bed.origin
                .answer(&format!("{method} {name}"), &bare(status));
            let (response, asked) = visitor.ask(method, &target, EMPTY)?;
            same!(asked, 1, "{name}: requests of the backend");
            same!(response.head.words().1, &status[..3], "{name}: the status");
            whole(&visitor.miss(&target, "")?, 1, 1000).context(name)?;
        }
    }
    // With a body, too.
    let target = store(&bed, &mut visitor, "form")?;
    bed.origin.answer("POST form", &bare("200 OK"));
    let upload = Upload::new(&target, 0, 100_000);
    bed.client()?.upload(&upload)?;
    bed.client()?.upload(&upload.chunked(5000))?;
    whole(&visitor.miss(&target, "")?, 1, 1000)
}

fn not_by_safe_ones() -> Outcome {
    let bed = Bed::cached(&[])?;
    let mut visitor = Visitor::new(&bed)?;
    let target = store(&bed, &mut visitor, "page")?;
    for method in ["OPTIONS", "HEAD", "TRACE"] {
        bed.origin
            .answer(&format!("{method} page"), &bare("200 OK"));
        visitor.ask(method, &target, "")?;
        whole(&visitor.hit(&target, "")?, 1, 1000).context(method)?;
    }
    // Another query is another page.
    bed.origin.answer("POST page", &bare("200 OK"));
    visitor.ask("POST", &format!("{target}?x=y"), EMPTY)?;
    visitor.hit(&target, "")?;
    Ok(())
}

fn not_by_errors() -> Outcome {
    let bed = Bed::cached(&[])?;
    let mut visitor = Visitor::new(&bed)?;
    let target = store(&bed, &mut visitor, "page")?;
    for status in [
        "400 Bad Request",
        "403 Forbidden",
        "404 Not Found",
        "500 Internal Server Error",
        "503 Service Unavailable",
    ] {
        bed.origin.answer("POST page", &bare(status));
        visitor.ask("POST", &target, EMPTY)?;
        whole(&visitor.hit(&target, "")?, 1, 1000).context(status)?;
    }
    Ok(())
}

fn every_variant() -> Outcome {
    let bed = Bed::cached(&[])?;
    let mut visitor = Visitor::new(&bed)?;
    let target = "/echo-head?cc=max-age=3600&vary=X-One";
    let all = ["", "X-One: a\r\n", "X-One: b\r\n"];
    for fields in all {
        visitor.miss(target, fields)?;
        visitor.hit(target, fields)?;
    }
    visitor.ask("POST", target, EMPTY)?;
    for fields in all {
        visitor.miss(target, fields)?;
    }
    Ok(())
}

fn what_the_answer_names() -> Outcome {
    let bed = Bed::cached(&[])?;
    let mut visitor = Visitor::new(&bed)?;
    for (number, (name, reference)) in [
        ("Location", "/script/"),
        ("Location", ""),
        ("Location", "http://test/script/"),
        ("Location", "http://TEST:80/script/"),
        ("Location", "//test/x/../script/"),
        ("Content-Location", "/script/"),
        ("Content-Location", "./"),
    ]
    .into_iter()
    .enumerate()
    {
        let page = format!("page-{number}");
        let target = store(&bed, &mut visitor, &page)?;
        let other = store(&bed, &mut visitor, &format!("other-{number}"))?;
        let fields = format!("{name}: {reference}{page}\r\n");
        let answer = Answer::new(&fields, 0, 0).status("303 See Other");
        bed.origin.answer("form", &answer);
        visitor.ask("POST", "/script/form", EMPTY)?;
        whole(&visitor.miss(&target, "")?, 1, 1000).context(fields)?;
        visitor.hit(&other, "")?;
    }
    Ok(())
}

/// RFC 9111 section 4.4: nobody empties the cache of his neighbour.
fn not_of_another_host() -> Outcome {
    let bed = Bed::cached(&[])?;
    let mut visitor = Visitor::new(&bed)?;
    let target = "/len/1000?cc=max-age=3600";
    let mut conn = bed.client()?;
    let asked = |conn: &mut Conn| Ok::<_, Failure>(get_from(&bed, conn, "other.test", target)?.1);
    same!(asked(&mut conn)?, 1, "requests for the first");
    visitor.miss(target, "")?;
    for reference in [
        "http://other.test",
        "//other.test",
        "https://test",
        "http://test:8080",
        "http://test@other.test",
    ] {
        let fields =
            format!("Location: {reference}{target}\r\nContent-Location: {reference}{target}\r\n");
        let answer = Answer::new(&fields, 0, 0).status("201 Created");
        bed.origin.answer("form", &answer);
        visitor.ask("POST", "/script/form", EMPTY)?;
        same!(asked(&mut conn)?, 0, "{reference}: requests of the backend");
        visitor.hit(target, "").context(reference)?;
    }
    // Nor is the page of one the page of the other.
    visitor.ask("POST", target, EMPTY)?;
    same!(
        asked(&mut conn)?,
        0,
        "requests after a POST to another host"
    );
    visitor.miss(target, "")?;
    Ok(())
}

fn purged() -> Outcome {
    let bed = Bed::cached(&[("purge-allow", "127.0.0.0/8")])?;
    let mut visitor = Visitor::new(&bed)?;
    let target = store(&bed, &mut visitor, "page")?;
    let other = store(&bed, &mut visitor, "other")?;
    for round in 0..3 {
        for right in [200, 404] {
            let (response, asked) = visitor.ask("PURGE", &target, "")?;
            same!((response.status, asked), (right, 0), "PURGE, round {round}");
        }
        visitor.miss(&target, "")?;
        whole(&visitor.hit(&target, "")?, 1, 1000)?;
        visitor.hit(&other, "")?;
    }
    // All of its variants go at once.
    let varying = "/echo-head?cc=max-age=3600&vary=X-One";
    for fields in ["X-One: a\r\n", "X-One: b\r\n"] {
        visitor.miss(varying, fields)?;
    }
    same!(
        visitor.ask("PURGE", varying, "")?.0.status,
        200,
        "the status"
    );
    for fields in ["X-One: a\r\n", "X-One: b\r\n"] {
        visitor.miss(varying, fields)?;
    }
    Ok(())
}

fn purged_by_those_who_may() -> Outcome {
    let bed = Bed::cached(&[])?;
    let mut visitor = Visitor::new(&bed)?;
    let target = store(&bed, &mut visitor, "page")?;
    // It may be the backend that says so.
    bed.origin
        .answer("PURGE page", &bare("405 Method Not Allowed"));
    for allowed in ["none", "10.0.0.0/8", "127.0.0.2", "::1"] {
        set("purge-allow", allowed)?;
        let (response, _) = visitor.ask("PURGE", &target, "")?;
        let is_refused = [403, 405].contains(&response.status);
        ensure!(is_refused, "{allowed}: the status is {}", response.status);
        whole(&visitor.hit(&target, "")?, 1, 1000).context(allowed)?;
    }
    set("purge-allow", "127.0.0.2")?;
    let mut other = bed.client_with(Options {
        from: Some(IpAddr::from([127, 0, 0, 2])),
        ..Options::default()
    })?;
    let status = other.ask("PURGE", &target, "")?.status;
    same!(status, 200, "the status for one who may");
    visitor.miss(&target, "")?;
    Ok(())
}

fn cleared() -> Outcome {
    let bed = Bed::cached(&[])?;
    let mut visitor = Visitor::new(&bed)?;
    let names = ["one", "two", "three"];
    for round in 0..3 {
        for name in names {
            let target = store(&bed, &mut visitor, name)?;
            let listed = lines_with("cache-entries", &target)?.len();
            same!(listed, 1, "round {round}: lines of {target}");
        }
        gateway::write("cache-clear", "all")?;
        same!(lines_with("cache-entries", "/script/")?, [""; 0], "entries");
    }
    Ok(())
}

fn cleared_of_what_is_stale() -> Outcome {
    let bed = Bed::cached(&[])?;
    let mut visitor = Visitor::new(&bed)?;
    let fresh = store(&bed, &mut visitor, "fresh")?;
    let fields = "ETag: \"v1\"\r\nCache-Control: max-age=1\r\n";
    bed.origin.answer("stale", &Answer::new(fields, 1, 1000));
    for is_cleared in [false, true] {
        visitor.miss("/script/stale", "")?;
        thread::sleep(STALE);
        if is_cleared {
            gateway::write("cache-clear", "expires")?;
            same!(lines_with("cache-entries", "stale")?, [""; 0], "entries");
        }
        // What is there is asked about, what is not is asked for.
        visitor.miss("/script/stale", "")?;
        let head = bed.origin.last_head().unwrap_or_default();
        let is_conditional = head.get("If-None-Match").is_some();
        same!(is_conditional, !is_cleared, "whether there is a condition");
        thread::sleep(STALE);
    }
    whole(&visitor.hit(&fresh, "")?, 1, 1000)
}

fn cleared_by_pattern() -> Outcome {
    let bed = Bed::cached(&[])?;
    let mut conn = bed.client()?;
    let pages = [
        ("a.test", "/len/100?cc=max-age=3600"),
        ("a.test", "/len/200?cc=max-age=3600"),
        ("a.test", "/chunked/100?cc=max-age=3600"),
        ("b.test", "/len/100?cc=max-age=3600"),
        ("b.test", "/chunked/100?cc=max-age=3600"),
    ];
    let mut asked = || -> Result<Vec<u64>, Failure> {
        let one = |(host, target)| Ok(get_from(&bed, &mut conn, host, target)?.1);
        pages.into_iter().map(one).collect()
    };
    same!(asked()?, [1, 1, 1, 1, 1], "at first");
    for (pattern, right) in [
        (r"^a\.test$ ^/len/1", [1, 0, 0, 0, 0]),
        (r"\.test$ ^/chunked/", [0, 0, 1, 0, 1]),
        (r"b\.test .*", [0, 0, 0, 1, 1]),
        (r"nobody .*", [0, 0, 0, 0, 0]),
        (r"^[ab]\.test$ /[a-z]+/(200|300)\?cc=", [0, 1, 0, 0, 0]),
        (r".* .*", [1, 1, 1, 1, 1]),
    ] {
        gateway::write("cache-clear", &format!("pattern {pattern}"))?;
        same!(asked()?, right, "requests after {pattern}");
    }
    Ok(())
}

fn nonsense_clears_nothing() -> Outcome {
    let bed = Bed::cached(&[])?;
    let mut visitor = Visitor::new(&bed)?;
    let target = store(&bed, &mut visitor, "page")?;
    for bad in [
        "nonsense",
        "all of it",
        "pattern",
        "pattern .*",
        "pattern ( .*",
        "pattern .* [",
        "pattern .* .* .*",
    ] {
        let _ = gateway::try_write("srun-count", "old news");
        let refused = gateway::try_write("cache-clear", bad);
        ensure!(refused.is_err(), "{bad:?} was taken");
        let said = gateway::read("last-error")?;
        ensure!(said.starts_with("cache-clear: "), "{bad:?}: {said:?}");
    }
    whole(&visitor.hit(&target, "")?, 1, 1000)
}

/// More of them than fit into one read.
fn entries_are_listed() -> Outcome {
    let bed = Bed::cached(&[])?;
    let mut visitor = Visitor::new(&bed)?;
    let target = |number| format!("/len/{number}?number={number}.&cc=max-age=3600");
    for number in 0..200 {
        visitor.miss(&target(number), "")?;
    }
    let lines = lines_with("cache-entries", "?number=")?;
    same!(lines.len(), 200, "the number of lines");
    for number in 0..200 {
        let of = lines.iter().filter(|line| line.contains(&target(number)));
        let of: Vec<_> = of.collect();
        same!(of.len(), 1, "lines of {number}");
        ensure!(of[0].contains("test"), "without its host: {of:?}");
    }
    visitor.never_stored("/len/1?not", "")?;
    same!(lines_with("cache-entries", "?not")?, [""; 0], "entries");
    Ok(())
}

fn reasons_are_listed() -> Outcome {
    let bed = Bed::cached(&[])?;
    let mut visitor = Visitor::new(&bed)?;
    for (name, fields, request, reason) in [
        ("one", "Cache-Control: no-store\r\n", "", "no-store"),
        ("two", "Cache-Control: private\r\n", "", "private"),
        ("three", "", "", "no freshness"),
        (
            "four",
            FRESH,
            "Authorization: Basic eDp5\r\n",
            "authorization",
        ),
        (
            "five",
            "Set-Cookie: JSESSIONID=abc\r\nCache-Control: max-age=60\r\n",
            "",
            "set-cookie of a session",
        ),
        (
            "six",
            "Cache-Control: max-age=0\r\n",
            "",
            "stale without a validator",
        ),
    ] {
        bed.origin.answer(name, &Answer::new(fields, 1, 100));
        let target = format!("/script/{name}");
        visitor.never_stored(&target, request)?;
        let lines = lines_with("cache-uncacheable", &target)?;
        ensure!(
            lines.iter().any(|line| line.contains(reason)),
            "{name}: {lines:?} without {reason:?}"
        );
    }
    let stored = store(&bed, &mut visitor, "stored")?;
    let lines = lines_with("cache-uncacheable", &stored)?;
    same!(lines, [""; 0], "lines of what is stored");
    Ok(())
}
