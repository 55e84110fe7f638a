//! `/caucho-status`: the status over HTTP, in the form that is asked for, for whom it is meant.

use std::net::IpAddr;

use super::status::Metrics;
use crate::conn::{Conn, Options, Response};
use crate::testing::{Bed, Context, Failure, Outcome, PORT};
use crate::{ensure, same, tests};

tests![
    forms,
    who_may_see_it,
    only_what_asks_for_it,
    a_failure_in_words,
];

/// The gateway, and everybody on this machine may see how it is.
fn open_to_all() -> Result<Bed, Failure> {
    Bed::with(&[("status-allow", "127.0.0.0/8 ::1")])
}

/// Asks with more fields, each with its CRLF.
fn ask(client: &mut Conn, method: &str, target: &str, fields: &str) -> Result<Response, Failure> {
    client
        .ask(method, target, fields)
        .context(format!("{method} {target}, {fields:?}"))
}

/// A form by its type, and whether a text is of it.
struct Form {
    media_type: &'static str,
    is: fn(&str) -> bool,
}

const HTML: Form = Form {
    media_type: "text/html; charset=utf-8",
    is: |text| {
        text.starts_with("<!DOCTYPE html>\n")
            && text.contains("<title>Status : resin</title>")
            && text.contains("<dt>proxy cache miss ratio</dt>")
            && text.ends_with("</html>\n")
    },
};

const JSON: Form = Form {
    media_type: "application/json",
    is: |text| {
        let count = |sign| text.matches(sign).count();
        text.starts_with("{\n  \"port\": 8080,\n")
            && text.contains("\"name\": \"srun-0\"")
            && text.contains("\n  \"proxy_cache_miss_ratio\": {\"miss\": ")
            && text.ends_with("\n}\n")
            && count('{') == count('}')
            && count('[') == count(']')
    },
};

const OPEN_METRICS: Form = Form {
    media_type: "application/openmetrics-text; version=1.0.0; charset=utf-8",
    is: |text| {
        let metrics = Metrics::parse(text.trim_end());
        metrics.is_ok_and(|metrics| metrics.get("client_connections").is_ok_and(|open| open > 0))
    },
};

const PROMETHEUS: Form = Form {
    media_type: "text/plain; version=0.0.4; charset=utf-8",
    is: |text| text.contains("\nresin_requests_total ") && !text.contains("# EOF"),
};

const TEXT: Form = Form {
    media_type: "text/plain; charset=utf-8",
    is: |text| {
        text.starts_with("port         8080\n")
            && text.contains("\nproxy cache miss ratio   ")
            && text.contains("\nsrun-0 ")
    },
};

/// A query names the form, else the Accept field does; a browser gets the page.
fn forms() -> Outcome {
    let bed = open_to_all()?;
    let mut client = bed.client()?;
    for (query, accept, form) in [
        ("", "", HTML),
        ("", "text/html,application/xhtml+xml,*/*;q=0.8", HTML),
        ("", "image/png", HTML),
        ("", "application/json", JSON),
        (
            "",
            "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5",
            OPEN_METRICS,
        ),
        ("", "text/plain;version=0.0.4", PROMETHEUS),
        ("", "text/plain", TEXT),
        ("?format=html", "application/json", HTML),
        ("?format=json", "text/html", JSON),
        ("?format=openmetrics", "", OPEN_METRICS),
        ("?format=prometheus", "", PROMETHEUS),
        ("?x=y&format=text", "", TEXT),
    ] {
        let target = format!("/caucho-status{query}");
        let fields = match accept {
            "" => String::new(),
            accept => format!("Accept: {accept}\r\n"),
        };
        let what = format!("{target} for {accept:?}");
        let response = ask(&mut client, "GET", &target, &fields)?;
        same!(response.status, 200, "{what}: the status");
        let sent = response.head.get("Content-Type");
        same!(sent, Some(form.media_type), "{what}: the type");
        let text = response.text();
        ensure!((form.is)(&text), "{what}: it is something else:\n{text}");
        let stored = response.head.has_token("Cache-Control", "no-store");
        ensure!(stored, "{what}: it may be stored");
        // The length is another one as soon as a number is.
        let head = ask(&mut client, "HEAD", &target, &fields)?;
        same!(head.status, 200, "{what}: the status for HEAD");
        same!(head.head.get("Content-Type"), sent, "{what}: for HEAD");
        ensure!(
            head.head.get("Content-Length").is_some(),
            "{what}: no length"
        );
    }
    let unknown = ask(&mut client, "GET", "/caucho-status?format=xml", "")?;
    same!(unknown.status, 400, "the status for a form that is none");
    same!(bed.origin.requests(), 0, "the backend's requests");
    Ok(())
}

/// A connection from that address, which is ours.
fn from(text: &str) -> Result<Conn, Failure> {
    let ip: IpAddr = text.parse()?;
    let addr = match ip {
        IpAddr::V4(_) => "127.0.0.1".parse::<IpAddr>()?,
        IpAddr::V6(_) => "::1".parse()?,
    };
    let options = Options {
        from: Some(ip),
        ..Options::default()
    };
    Ok(Conn::with((addr, PORT).into(), options)?)
}

/// For all others it is a path like any other: the backend's.
fn who_may_see_it() -> Outcome {
    let bed = Bed::new()?;
    let mut clients = Vec::new();
    for ip in ["127.0.0.1", "127.0.0.2", "::1"] {
        clients.push((ip, from(ip)?));
    }
    // On the same connections, whatever is allowed.
    for (allowed, those) in [
        ("none", &[][..]),
        ("127.0.0.2", &["127.0.0.2"]),
        ("127.0.0.0/8", &["127.0.0.1", "127.0.0.2"]),
        ("::1 10.0.0.0/8", &["::1"]),
        ("127.0.0.1/32 ::1", &["127.0.0.1", "::1"]),
        ("none", &[]),
    ] {
        bed.gateway.set("status-allow", allowed)?;
        for (ip, client) in &mut clients {
            let before = bed.origin.requests();
            // Whoever a client says it is.
            let fields = "X-Forwarded-For: 127.0.0.2, ::1\r\n";
            let response = ask(client, "GET", "/caucho-status", fields)?;
            let what = format!("from {ip} with status-allow {allowed}");
            let asked = bed.origin.requests() - before;
            if those.contains(ip) {
                same!((response.status, asked), (200, 0), "{what}");
                ensure!((HTML.is)(&response.text()), "{what}: no page");
            } else {
                // The origin knows no such path.
                same!((response.status, asked), (404, 1), "{what}");
                let target = response.head.get("X-Target");
                same!(target, Some("/caucho-status"), "{what}: the target");
            }
        }
    }
    Ok(())
}

fn only_what_asks_for_it() -> Outcome {
    let bed = open_to_all()?;
    let mut client = bed.client()?;
    for (method, target) in [
        ("GET", "/caucho-status/"),
        ("GET", "/caucho-status/x"),
        ("GET", "/caucho-statuses"),
        ("GET", "//caucho-status"),
        ("GET", "/x/caucho-status"),
        ("GET", "/Caucho-Status"),
        ("DELETE", "/caucho-status"),
    ] {
        let before = bed.origin.requests();
        let response = ask(&mut client, method, target, "")?;
        let asked = bed.origin.requests() - before;
        same!((response.status, asked), (404, 1), "{method} {target}");
    }
    Ok(())
}

fn a_failure_in_words() -> Outcome {
    let mut bed = open_to_all()?;
    let mut client = bed.client()?;
    bed.origin.refuse();
    same!(client.get("/len/1")?.status, 502, "the status");
    let page = ask(&mut client, "GET", "/caucho-status", "")?.text();
    let words = page.split_once("failing for ");
    let words = words.and_then(|(_, rest)| rest.split_once(": "));
    let why = words.is_some_and(|(_, why)| why.starts_with("refused connections"));
    ensure!(why, "it does not say what is wrong:\n{page}");
    let json = ask(&mut client, "GET", "/caucho-status?format=json", "")?.text();
    let said = json.contains("\"state\": \"failing\", \"why\": \"refused\"");
    ensure!(said, "it does not say what is wrong:\n{json}");
    Ok(())
}
