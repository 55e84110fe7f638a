//! Who gets what is stored: by the fields that it varies by, by cookies, and by credentials (RFC 9111
//! sections 3.5, 4.1 and 7.3).

use crate::cached::{lines_with, whole, Visitor, FRESH};
use crate::conn::Response;
use crate::origin::{Answer, Origin};
use crate::testing::{Bed, Context, Outcome};
use crate::{ensure, same, tests};

tests![
    by_accept_encoding,
    by_several_fields,
    by_a_field_that_is_missing,
    by_everything,
    anonymous_users_share,
    users_with_cookies_compared,
    sessions_in_paths,
    authorization,
    cookies_that_are_set,
    cookies_that_are_stripped,
    cookies_that_are_refused,
    vary_as_private,
    many_variants,
    schemes_that_were_told,
];

/// A target whose body is the head that the backend saw, and which varies by these fields.
fn echo(vary: &str) -> String {
    format!("/echo-head?cc=max-age=3600&vary={vary}")
}

/// Fails unless that line is in the head that the answer's body is.
fn was_for(response: &Response, line: &str) -> Outcome {
    same!(response.status, 200, "the status");
    let text = response.text();
    ensure!(
        text.contains(&format!("\r\n{line}")),
        "it is not the answer for {line:?}: {text:?}"
    );
    Ok(())
}

fn by_accept_encoding() -> Outcome {
    let bed = Bed::cached(&[])?;
    let target = echo("Accept-Encoding");
    let mut visitor = Visitor::new(&bed)?;
    let variants = ["gzip", "br", "gzip, br;q=0.5", "identity"]
        .map(|codings| format!("Accept-Encoding: {codings}\r\n"));
    for fields in &variants {
        was_for(&visitor.miss(&target, fields)?, fields)?;
    }
    for fields in &variants {
        let response = visitor.hit(&target, fields)?;
        was_for(&response, fields)?;
        same!(response.head.get("Vary"), Some("Accept-Encoding"), "Vary");
    }
    // What says the same.
    for (fields, like) in [
        ("Accept-Encoding: GZip\r\n", &variants[0]),
        ("accept-encoding:   gzip  \r\n", &variants[0]),
        ("Accept-Encoding: x-gzip\r\n", &variants[0]),
        ("Accept-Encoding: br;q=0.5,gzip\r\n", &variants[2]),
        (
            "Accept-Encoding: br;q=0.5\r\nAccept-Encoding: gzip\r\n",
            &variants[2],
        ),
    ] {
        was_for(&visitor.hit(&target, fields)?, like).context(fields)?;
    }
    Ok(())
}

fn by_several_fields() -> Outcome {
    let bed = Bed::cached(&[])?;
    let target = echo("X-One,Accept-Language");
    let mut visitor = Visitor::new(&bed)?;
    let mut seen = Vec::new();
    for one in ["a", "b", "A"] {
        for language in ["de", "en", "de, en;q=0.5"] {
            let fields = format!("X-One: {one}\r\nAccept-Language: {language}\r\n");
            let response = visitor.miss(&target, &fields)?;
            seen.push((fields, response.text()));
        }
    }
    for (fields, text) in &seen {
        let response = visitor.hit(&target, fields)?;
        same!(response.text(), *text, "the body for {fields:?}");
        // Another field is nobody's business.
        visitor.hit(&target, &format!("{fields}X-Two: c\r\n"))?;
    }
    Ok(())
}

/// None is another value than an empty one, and than all others.
fn by_a_field_that_is_missing() -> Outcome {
    let bed = Bed::cached(&[])?;
    let target = echo("X-One");
    let mut visitor = Visitor::new(&bed)?;
    for fields in ["", "X-One: a\r\n", "X-One:\r\n"] {
        visitor.miss(&target, fields)?;
    }
    let none = visitor.hit(&target, "")?.text();
    ensure!(!none.contains("\r\nX-One"), "it was for somebody: {none:?}");
    was_for(&visitor.hit(&target, "X-One: a\r\n")?, "X-One: a\r\n")?;
    was_for(&visitor.hit(&target, "X-One:\r\n")?, "X-One:")
}

fn by_everything() -> Outcome {
    let bed = Bed::cached(&[])?;
    let mut visitor = Visitor::new(&bed)?;
    visitor.never_stored(&echo("*"), "")?;
    visitor.never_stored(&echo("X-One,*"), "")?;
    let named = lines_with("cache-uncacheable", "vary=*")?;
    ensure!(
        named.iter().any(|line| line.contains("vary: *")),
        "cache-uncacheable does not say so: {named:?}"
    );
    Ok(())
}

/// Resin's rule for `Vary: Cookie`.
fn anonymous_users_share() -> Outcome {
    let bed = Bed::cached(&[])?;
    let target = echo("Cookie");
    let mut visitor = Visitor::new(&bed)?;
    let cookies = ["Cookie: a=b\r\n", "Cookie: user=x; a=b\r\n"];
    // Before there is anything, and when there is.
    for _ in 0..2 {
        for cookie in cookies {
            was_for(&visitor.miss(&target, cookie)?, cookie)?;
        }
    }
    let first = visitor.miss(&target, "")?.text();
    for _ in 0..2 {
        for cookie in cookies {
            was_for(&visitor.miss(&target, cookie)?, cookie)?;
        }
        let anonymous = visitor.hit(&target, "")?.text();
        same!(anonymous, first, "what anonymous users get");
        ensure!(
            !anonymous.contains("\r\nCookie"),
            "somebody's: {anonymous:?}"
        );
    }
    // Without that Vary cookies are no hindrance to what says how long it is fresh.
    let target = "/echo-head?cc=max-age=3600";
    visitor.miss(target, cookies[0])?;
    visitor.hit(target, cookies[1])?;
    // What does not say it may be made for who asks.
    let modified = "Last-Modified: Sat, 01 Nov 2025 00:00:00 GMT\r\n";
    bed.origin.answer("guess", &Answer::new(modified, 1, 100));
    visitor.never_stored("/script/guess", cookies[0])?;
    visitor.miss("/script/guess", "")?;
    visitor.hit("/script/guess", "")?;
    visitor.miss("/script/guess", cookies[0])?;
    Ok(())
}

/// RFC 9111's rule for it.
fn users_with_cookies_compared() -> Outcome {
    let bed = Bed::cached(&[("vary-cookie", "compared")])?;
    let target = echo("Cookie");
    let mut visitor = Visitor::new(&bed)?;
    let users = ["Cookie: a=b\r\n", "Cookie: a=c\r\n"];
    for user in users {
        was_for(&visitor.miss(&target, user)?, user)?;
    }
    visitor.miss(&target, "")?;
    for user in users {
        was_for(&visitor.hit(&target, user)?, user)?;
    }
    let anonymous = visitor.hit(&target, "")?.text();
    ensure!(
        !anonymous.contains("\r\nCookie"),
        "somebody's: {anonymous:?}"
    );
    Ok(())
}

/// Whose session is in the path is no more anonymous than who has a cookie.
fn sessions_in_paths() -> Outcome {
    let bed = Bed::cached(&[])?;
    let fields = format!("{FRESH}Vary: Cookie\r\n");
    let page = Answer::new(&fields, 1, 100);
    bed.origin.answer("page", &page);
    bed.origin.answer("page;jsessionid=abc", &page);
    let mut visitor = Visitor::new(&bed)?;
    visitor.never_stored("/script/page;jsessionid=abc", "")?;
    visitor.miss("/script/page", "")?;
    whole(&visitor.hit("/script/page", "")?, 1, 100)
}

fn authorization() -> Outcome {
    let bed = Bed::cached(&[])?;
    let mut visitor = Visitor::new(&bed)?;
    let user = "Authorization: Basic dXNlcjpwYXNz\r\n";
    for (name, control, is_shared) in [
        ("plain", "max-age=3600", false),
        ("private", "private, max-age=3600", false),
        ("proxy", "max-age=3600, proxy-revalidate", false),
        ("public", "public, max-age=3600", true),
        ("s-maxage", "s-maxage=3600", true),
        ("must", "max-age=3600, must-revalidate", true),
    ] {
        let target = format!("/script/{name}");
        let fields = format!("Cache-Control: {control}\r\n");
        bed.origin.answer(name, &Answer::new(&fields, 1, 100));
        visitor.miss(&target, user)?;
        match is_shared {
            true => {
                visitor.hit(&target, "")?;
                visitor.hit(&target, user)?;
            }
            false => {
                visitor.never_stored(&target, user)?;
                visitor.miss(&target, "")?;
            }
        }
    }
    // What was asked for by nobody in particular, and does not say that it is for users too: they
    // may have it (RFC 9111 section 3.5 is about storing).
    bed.origin.answer("first", &Answer::new(FRESH, 1, 100));
    visitor.miss("/script/first", "")?;
    whole(&visitor.ask("GET", "/script/first", user)?.0, 1, 100)
}

/// Answers under these names with a cookie, under each with another Cache-Control, and a session.
fn set_cookies(origin: &Origin) {
    let cookie = "Set-Cookie: a=b; Path=/\r\n";
    let modified = "Last-Modified: Sat, 01 Nov 2025 00:00:00 GMT\r\n";
    for (name, fields) in [
        ("explicit", format!("{FRESH}{cookie}")),
        ("guessed", format!("{modified}{cookie}")),
        ("session", format!("{FRESH}Set-Cookie: JSESSIONID=abc\r\n")),
    ] {
        origin.answer(name, &Answer::new(&fields, 1, 100));
    }
}

/// A cookie is for everybody if its sender says that the answer is.
fn cookies_that_are_set() -> Outcome {
    let bed = Bed::cached(&[])?;
    set_cookies(&bed.origin);
    let mut visitor = Visitor::new(&bed)?;
    for name in ["guessed", "session"] {
        visitor.never_stored(&format!("/script/{name}"), "")?;
    }
    for is_stored in [false, true] {
        let response = match is_stored {
            false => visitor.miss("/script/explicit", "")?,
            true => visitor.hit("/script/explicit", "")?,
        };
        let cookie = response.head.get("Set-Cookie");
        same!(cookie, Some("a=b; Path=/"), "the cookie ({is_stored})");
    }
    Ok(())
}

fn cookies_that_are_stripped() -> Outcome {
    let bed = Bed::cached(&[("set-cookie", "strip")])?;
    set_cookies(&bed.origin);
    let mut visitor = Visitor::new(&bed)?;
    visitor.never_stored("/script/session", "")?;
    for name in ["explicit", "guessed"] {
        let target = format!("/script/{name}");
        // Who caused it to be stored gets his cookie, nobody else does.
        let first = visitor.miss(&target, "")?;
        ensure!(first.head.get("Set-Cookie").is_some(), "{name}: no cookie");
        let later = visitor.hit(&target, "")?;
        same!(later.head.get("Set-Cookie"), None, "{name}: the cookie");
    }
    Ok(())
}

fn cookies_that_are_refused() -> Outcome {
    let bed = Bed::cached(&[("set-cookie", "refuse")])?;
    set_cookies(&bed.origin);
    let mut visitor = Visitor::new(&bed)?;
    for name in ["explicit", "guessed", "session"] {
        visitor.never_stored(&format!("/script/{name}"), "")?;
    }
    Ok(())
}

fn vary_as_private() -> Outcome {
    let bed = Bed::cached(&[("rewrite-vary-as-private", "on")])?;
    let target = echo("Accept-Encoding");
    let mut visitor = Visitor::new(&bed)?;
    for codings in ["gzip", "br"] {
        visitor.miss(&target, &format!("Accept-Encoding: {codings}\r\n"))?;
    }
    for codings in ["gzip", "br"] {
        let fields = format!("Accept-Encoding: {codings}\r\n");
        let response = visitor.hit(&target, &fields)?;
        // It varies as before, only the client is told something else.
        was_for(&response, &fields)?;
        same!(response.head.get("Vary"), None, "Vary");
        let is_private = response.head.has_token("Cache-Control", "private");
        ensure!(is_private, "it is not private: {:?}", response.head.fields);
    }
    // What does not vary is for all.
    visitor.miss("/len/100?cc=max-age=60", "")?;
    let plain = visitor.hit("/len/100?cc=max-age=60", "")?;
    let is_private = plain.head.has_token("Cache-Control", "private");
    ensure!(!is_private, "it is private: {:?}", plain.head.fields);
    Ok(())
}

/// More than are kept: whoever sends what nobody has sent before only takes room from others like it.
fn many_variants() -> Outcome {
    let bed = Bed::cached(&[])?;
    let target = echo("X-One");
    let mut visitor = Visitor::new(&bed)?;
    let fields = |number: u32| format!("X-One: {number}.\r\n");
    for number in 0..100 {
        was_for(&visitor.miss(&target, &fields(number))?, &fields(number))?;
    }
    let mut hits = 0;
    for number in (0..100).rev() {
        let (response, asked) = visitor.ask("GET", &target, &fields(number))?;
        was_for(&response, &fields(number))?;
        hits += u32::from(asked == 0);
    }
    ensure!(hits > 0, "nothing of it was stored");
    let kept = lines_with("cache-entries", "vary=X-One")?.len();
    ensure!(kept <= 32, "{kept} variants are kept");
    Ok(())
}

/// A gateway before ours may have ended the TLS: an answer for those who have come by it is for them.
fn schemes_that_were_told() -> Outcome {
    let bed = Bed::cached(&[])?;
    let target = echo("");
    let tls = "X-Forwarded-Proto: https\r\n";
    let mut visitor = Visitor::new(&bed)?;
    // Nobody believes just anybody.
    was_for(&visitor.miss(&target, tls)?, "X-Forwarded-Proto: http\r\n")?;
    visitor.hit(&target, "")?;
    bed.gateway.set("trusted-proxies", "127.0.0.0/8")?;
    let mut visitor = Visitor::new(&bed)?;
    was_for(&visitor.miss(&target, tls)?, tls)?;
    was_for(&visitor.hit(&target, tls)?, tls)?;
    was_for(&visitor.hit(&target, "")?, "X-Forwarded-Proto: http\r\n")?;
    // Nor does it know what an origin makes of another host.
    visitor.never_stored(&target, "X-Forwarded-Host: elsewhere\r\n")?;
    visitor.hit(&target, "X-Forwarded-Host: test\r\n")?;
    Ok(())
}
