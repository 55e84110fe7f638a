// SPDX-License-Identifier: GPL-2.0

//! Which form a request gets.

use crate::http::Status;
use crate::status::{asked, Format};

/// The form for a target and an Accept field (none if empty); none if it is not for us, 400 if the
/// form is unknown.
fn form(path: &str, accept: &str) -> Option<Result<Format, u16>> {
    let lines = match accept {
        "" => "Host: a\r\nX-Accept: application/json\r\n".to_owned(),
        accept => format!("Host: a\r\naCCept: {accept}\r\nUser-Agent: x\r\n"),
    };
    Some(asked(path.as_bytes(), lines.as_bytes())?.map_err(|violation| violation.status.code()))
}

#[test]
fn only_its_own_path_is_the_status() {
    for path in [
        "",
        "?format=json",
        "*",
        "/",
        "/caucho-statu",
        "/caucho-status/",
        "/caucho-status.html",
        "/caucho-statusx",
        "/Caucho-Status",
        "/a/caucho-status",
        "//caucho-status",
        "/caucho%2dstatus",
        "/x?/caucho-status",
    ] {
        assert_eq!(form(path, ""), None, "{path}");
    }
    for path in ["/caucho-status", "/caucho-status?", "/caucho-status?a=b"] {
        assert_eq!(form(path, ""), Some(Ok(Format::Html)), "{path}");
    }
}

#[test]
fn the_query_names_the_form() {
    for format in Format::ALL {
        for query in [
            "format={}",
            "a=b&format={}",
            "format={}&a=b",
            "&&format={}&format=html",
        ] {
            let path = format!("/caucho-status?{}", query.replace("{}", format.name()));
            // Whatever Accept says.
            assert_eq!(form(&path, "application/json"), Some(Ok(format)), "{path}");
        }
    }
    for name in ["", "JSON", "xml", "json%20", "json ", "openmetric", "htmlx"] {
        let path = format!("/caucho-status?format={name}");
        assert_eq!(form(&path, ""), Some(Err(400)), "{path}");
    }
    let refusal = asked(b"/caucho-status?format=x", b"").expect("ours");
    let refusal = refusal.expect_err("unknown");
    assert_eq!(refusal.status, Status::BAD_REQUEST);
    for format in Format::ALL {
        assert!(refusal.reason.contains(format.name()), "{}", refusal.reason);
    }
    // Another name that ends alike.
    assert_eq!(
        form("/caucho-status?xformat=json", ""),
        Some(Ok(Format::Html))
    );
}

/// What real clients send.
const CLIENTS: &[(&str, Format)] = &[
    // Firefox, Chromium, curl
    (
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        Format::Html,
    ),
    (
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,\
         */*;q=0.8,application/signed-exchange;v=b3;q=0.7",
        Format::Html,
    ),
    ("*/*", Format::Html),
    // Prometheus 2.42, 2.53, 3.5
    (
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;\
         q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        Format::OpenMetrics,
    ),
    (
        "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;\
         version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        Format::OpenMetrics,
    ),
    (
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
         application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;\
         escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        Format::OpenMetrics,
    ),
    // An old Prometheus, one with scrape_protocols: [PrometheusText0.0.4], Telegraf
    ("text/plain;version=0.0.4;q=1,*/*;q=0.1", Format::Prometheus),
    ("text/plain;version=0.0.4", Format::Prometheus),
    (
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
         encoding=delimited;q=0.7,text/plain;version=0.0.4;q=0.3",
        Format::Prometheus,
    ),
    // Programs
    ("application/json", Format::Json),
    (
        "application/json, text/javascript, */*; q=0.01",
        Format::Json,
    ),
    ("application/json, text/plain, */*", Format::Json),
    ("text/plain", Format::Text),
    ("text/plain;charset=utf-8", Format::Text),
    // lynx, w3m
    (
        "text/html, text/plain, text/sgml, text/css, application/xhtml+xml, */*;q=0.01",
        Format::Html,
    ),
    ("text/html, text/*;q=0.5, image/*", Format::Html),
];

#[test]
fn clients_get_what_they_prefer() {
    for (accept, format) in CLIENTS {
        assert_eq!(
            form("/caucho-status", accept),
            Some(Ok(*format)),
            "{accept}"
        );
    }
}

#[test]
fn weights_decide() {
    for (accept, format) in [
        ("text/html;q=0.5, application/json;q=0.6", Format::Json),
        ("text/html;q=0.6, application/json;q=0.5", Format::Html),
        ("text/html;q=0.5, application/json;q=0.500", Format::Html),
        ("text/html;q=0.5, application/json;q=0.501", Format::Json),
        ("TEXT/HTML; Q=0.1 , Application/JSON ;\tq=1", Format::Json),
        ("text/html;q=0, */*", Format::Json),
        ("text/*;q=0.2, */*;q=0.1", Format::Html),
        ("*/*, text/html;q=0.1", Format::Json),
        ("application/*", Format::Json),
        ("application/openmetrics-text", Format::OpenMetrics),
        (
            "application/openmetrics-text;version=\"1.0.0\"",
            Format::OpenMetrics,
        ),
        // A version that we do not write.
        (
            "application/openmetrics-text;version=2.0.0, text/plain;q=0.1",
            Format::Text,
        ),
        // Weights that are none count as nothing.
        ("application/json;q=2", Format::Html),
        ("application/json;q=1.001", Format::Html),
        ("application/json;q=0.5555", Format::Html),
        ("application/json;q=", Format::Html),
        ("application/json;q=.5", Format::Html),
        ("application/json;q=0.a", Format::Html),
        ("application/json;q=1.", Format::Json),
        ("application/json;q=0.", Format::Html),
        // Nothing of ours: better the page than nothing (RFC 9110 section 12.4.1).
        ("image/png", Format::Html),
        ("text/html;q=0", Format::Html),
        (",,;,/,*,json,;q=1", Format::Html),
    ] {
        assert_eq!(form("/caucho-status", accept), Some(Ok(format)), "{accept}");
    }
}

#[test]
fn several_accept_fields_are_one() {
    let lines = b"Accept: text/html;q=0.2\r\nHost: a\r\nACCEPT: application/json\r\n";
    let format = asked(b"/caucho-status", lines).expect("ours");
    assert_eq!(format, Ok(Format::Json));
}

#[test]
fn types_are_those_of_the_standards() {
    for (format, content_type) in [
        (Format::Html, "text/html; charset=utf-8"),
        (Format::Json, "application/json"),
        (
            Format::OpenMetrics,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
        (
            Format::Prometheus,
            "text/plain; version=0.0.4; charset=utf-8",
        ),
        (Format::Text, "text/plain; charset=utf-8"),
    ] {
        assert_eq!(format.content_type(), content_type);
    }
}
