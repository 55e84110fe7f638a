// SPDX-License-Identifier: GPL-2.0

//! The page for browsers, read as XML: well-formed, and with everything in its place.

use roxmltree::{Document, Node, ParsingOptions};

use super::busy_cache;
use crate::lb::{Condition, Why};
use crate::status::{Count, Format, State};
use crate::status_sample::{spent, Sample};
use crate::time::Duration;

const BACKENDS: [&str; 4] = [
    "127.0.0.1 6802",
    "[::1]:80 down",
    "10.1.2.3:65535 backup",
    "10.1.2.4:80 drain",
];

fn with<R>(sample: &Sample, look: impl FnOnce(&Document<'_>) -> R) -> R {
    let text = sample.render(Format::Html);
    let options = ParsingOptions {
        allow_dtd: true,
        ..ParsingOptions::default()
    };
    assert!(text.starts_with("<!DOCTYPE html>\n"));
    let page = Document::parse_with_options(&text, options);
    look(&page.unwrap_or_else(|why| panic!("{why}\n{text}")))
}

fn all<'a, 'd>(page: &'a Document<'d>, name: &str) -> Vec<Node<'a, 'd>> {
    let nodes = page.descendants();
    nodes
        .filter(|node| node.tag_name().name() == name)
        .collect()
}

/// The text of an element as it is read.
fn said(node: Node<'_, '_>) -> String {
    let texts: String = node
        .descendants()
        .filter_map(|one| one.text().filter(|_| one.is_text()))
        .collect();
    texts.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The cells of each row of the body, the first one as the host.
fn rows(page: &Document<'_>) -> Vec<Vec<String>> {
    let bodies = all(page, "tbody");
    let rows = bodies.iter().flat_map(|body| body.children());
    rows.filter(|row| row.is_element())
        .map(|row| {
            row.children()
                .filter(|cell| cell.is_element())
                .map(said)
                .collect()
        })
        .collect()
}

#[test]
fn the_table_is_that_of_the_original() {
    let mut sample = Sample::new(&BACKENDS);
    sample.backends[2].fail(Why::Refused, 12);
    sample.backends[0].numbers = [1, 2, 1234, 0, 5, 6, 2048, 8, 4, 7, 0, 0, 3];
    sample.backends[0].responding = spent(&[(100, 89), (2_000, 9), (10_000, 2)]);
    with(&sample, |page| {
        let heads = all(page, "thead");
        let titles: Vec<_> = heads[0]
            .first_child()
            .expect("a row")
            .children()
            .map(said)
            .collect();
        assert_eq!(
            titles[..6],
            [
                "Host",
                "Active",
                "Pooled",
                "Connect Timeout",
                "Live Time",
                "Dead Time"
            ]
        );
        let rows = rows(page);
        let hosts: Vec<_> = rows.iter().map(|row| row[0].as_str()).collect();
        assert_eq!(
            hosts,
            [
                "✓ srun-0 127.0.0.1:6802 (ok)",
                "■ srun-1 [::1]:80 (down)",
                "✗ srun-2 10.1.2.3:65535 (failing for 12s: refused connections, backup)",
                "◐ srun-3 10.1.2.4:80 (drain)",
            ]
        );
        assert_eq!(
            rows[0][1..],
            [
                "1", "2", "5s", "55s", "none", "3", "1,234", "4", "7", "5", "6", "8 B", "2.0 KiB",
                "89 µs", "1.7 ms", "9.0 ms"
            ]
        );
        assert!(rows.iter().all(|row| row.len() == titles.len()));
    });
    sample.dead_time = Some(Duration::from_secs(15));
    with(&sample, |page| assert_eq!(rows(page)[0][5], "15s"));
}

#[test]
fn a_host_says_how_it_is_and_why() {
    let long = Duration::from_secs(7262);
    for (text, condition, why, said_of_it) in [
        // As the original says it.
        ("127.0.0.1 1", Condition::Up, None, "(ok)"),
        (
            "127.0.0.1 1 backup",
            Condition::Up,
            Some(Why::Errors),
            "(ok, backup)",
        ),
        (
            "127.0.0.1 1",
            Condition::Warming,
            Some(Why::Errors),
            "(warming for 2h1m)",
        ),
        ("127.0.0.1 1", Condition::Paused, None, "(paused for 2h1m)"),
        (
            "127.0.0.1 1",
            Condition::Failed,
            Some(Why::Errors),
            "(failing for 2h1m: errors on end)",
        ),
        (
            "127.0.0.1 1",
            Condition::Due,
            Some(Why::Probes),
            "(failing for 2h1m: probes failed)",
        ),
        (
            "127.0.0.1 1 backup",
            Condition::Tried,
            Some(Why::Refused),
            "(failing for 2h1m: refused connections, backup)",
        ),
        (
            "127.0.0.1 1 drain",
            Condition::Failed,
            Some(Why::Refused),
            "(drain)",
        ),
        (
            "127.0.0.1 1 down",
            Condition::Failed,
            Some(Why::Refused),
            "(down)",
        ),
    ] {
        let mut sample = Sample::new(&[text]);
        let backend = &mut sample.backends[0];
        (backend.condition, backend.why, backend.lasted) = (condition, why, long);
        with(&sample, |page| {
            let host = rows(page)[0][0].clone();
            assert!(
                host.ends_with(&format!("127.0.0.1:1 {said_of_it}")),
                "{host}"
            );
        });
    }
}

#[test]
fn cells_bear_the_title_of_their_column() {
    with(&Sample::new(&BACKENDS), |page| {
        let heads = all(page, "thead");
        let titles: Vec<_> = heads[0]
            .first_child()
            .expect("a row")
            .children()
            .map(said)
            .collect();
        for row in all(page, "tbody")[0].children().filter(Node::is_element) {
            let cells = row.children().filter(|cell| cell.has_tag_name("td"));
            let named: Vec<_> = cells
                .map(|cell| cell.attribute("data-of").unwrap_or(""))
                .collect();
            assert_eq!(named, titles[1..]);
        }
    });
}

#[test]
fn several_backends_have_a_line_of_totals() {
    let mut sample = Sample::new(&BACKENDS);
    for (number, backend) in sample.backends.iter_mut().enumerate() {
        backend.numbers = [number as u64; 13];
    }
    with(&sample, |page| {
        let totals = all(page, "tfoot");
        let cells: Vec<_> = totals[0]
            .first_child()
            .expect("a row")
            .children()
            .filter(Node::is_element)
            .map(said)
            .collect();
        assert_eq!(
            cells,
            [
                "All 4", "6", "6", "", "", "", "6", "6", "6", "6", "6", "6", "6 B", "6 B", "", "",
                ""
            ]
        );
    });
    with(&Sample::new(&BACKENDS[..1]), |page| {
        assert!(all(page, "tfoot").is_empty())
    });
    let huge = Sample::filled(&BACKENDS, || u64::MAX);
    with(&huge, |page| assert_eq!(all(page, "tfoot").len(), 1));
}

#[test]
fn the_summary_says_how_the_backends_are() {
    for (backends, failing, text, class) in [
        (&BACKENDS[..0], false, "✗ 0 backends", "now failing"),
        (&BACKENDS[..1], false, "✓ 1 backend: 1 ok", "now ok"),
        (
            &BACKENDS[..1],
            true,
            "✗ 1 backend: 1 failing",
            "now failing",
        ),
        (&BACKENDS[1..2], false, "✗ 1 backend: 1 down", "now failing"),
        (
            &BACKENDS[..4],
            false,
            "◐ 4 backends: 2 ok, 1 drain, 1 down",
            "now drain",
        ),
    ] {
        let mut sample = Sample::new(backends);
        for backend in &mut sample.backends {
            if failing {
                backend.condition = Condition::Failed;
            }
        }
        with(&sample, |page| {
            let lines = all(page, "p");
            let now = lines
                .iter()
                .find(|line| line.attribute("class") == Some(class));
            assert_eq!(said(*now.expect("the line of that class")), text);
        });
    }
}

#[test]
fn the_head_line_says_where_and_since_when() {
    let mut sample = Sample::new(&BACKENDS);
    sample.uptime = Duration::from_secs(90_061);
    with(&sample, |page| {
        let line = said(all(page, "p")[0]);
        assert_eq!(line, "Port 80 · up 1 d 1 h · Sun, 22 Nov 2026 06:20:05 GMT");
        assert_eq!(said(all(page, "title")[0]), "Status : resin");
    });
    sample.port = 0;
    with(&sample, |page| {
        assert!(said(all(page, "p")[0]).starts_with("Listening on no port ·"))
    });
}

#[test]
fn the_numbers_are_on_cards() {
    let mut sample = Sample::new(&BACKENDS);
    sample.set(Count::RefusedLimit, 1200);
    sample.set(Count::RefusedMemory, 34);
    sample.set(Count::ClientSent, 1 << 30);
    with(&sample, |page| {
        let cards = all(page, "section");
        let texts: Vec<_> = cards.iter().map(|card| said(*card)).collect();
        let text = texts.join("\n");
        assert!(
            text.contains("Refused1,234limit: 1,200, memory: 34"),
            "{text}"
        );
        assert!(text.contains("To clients1.0 GiB"), "{text}");
        // What did not happen takes no room.
        assert!(text.contains("Time limits reached0\n"), "{text}");
        for card in cards {
            assert_eq!(
                card.descendants()
                    .filter(|node| node.has_tag_name("h2"))
                    .count(),
                1
            );
        }
    });
}

#[test]
fn the_cache_has_a_card_with_its_ratios() {
    let card = |sample: &Sample| {
        with(sample, |page| {
            let cards = all(page, "section");
            let mut texts = cards.iter().map(|card| said(*card));
            let text = texts.find(|text| text.starts_with("Cache "));
            text.expect("a card of the cache")
        })
    };
    let mut sample = Sample::new(&BACKENDS);
    let empty = card(&sample);
    busy_cache(&mut sample);
    // Four digits get a comma.
    sample.set(Count::CacheHits, 1_200_800);
    let full = card(&sample);
    for (text, wanted) in [
        (&empty, "Requests0 "),
        (&empty, "proxy cache miss ratio0.00% (0 / 0)"),
        (&empty, "block cache miss ratio0.00% (0 / 0)"),
        (&empty, "invocation miss ratio0.00% (0 / 0)"),
        (
            &full,
            "Requests1,200,852hit: 1,200,800, stale: 3, revalidated: 9, miss: 40",
        ),
        (&full, "Memory80.0 KiB"),
        (&full, "Memory at most64.0 MiB"),
        (&full, "proxy cache miss ratio0.00% (31 / 1,200,843)"),
        (&full, "block cache miss ratio0.00% (0 / 1,200,812)"),
        (&full, "invocation miss ratio2.35% (20 / 852)"),
    ] {
        assert!(text.contains(wanted), "{wanted:?} is not in {text:?}");
    }
}

#[test]
fn nothing_is_run_or_fetched() {
    with(&Sample::new(&BACKENDS), |page| {
        for node in page.descendants() {
            let name = node.tag_name().name();
            assert!(
                !["script", "img", "iframe", "object", "form"].contains(&name),
                "{name}"
            );
            for attribute in node.attributes() {
                let (key, value) = (attribute.name(), attribute.value());
                assert!(
                    !key.starts_with("on") && key != "src" && key != "style",
                    "{key}"
                );
                if key == "href" {
                    assert!(
                        value == "data:," || value.starts_with("?format="),
                        "{value}"
                    );
                }
            }
        }
        let styles = all(page, "style");
        assert_eq!(styles.len(), 1);
        let style = said(styles[0]);
        assert!(!style.contains("url(") && !style.contains("@import") && style.len() < 4096);
        // What HTML would end the element at, and XML would want escaped.
        assert!(!style.contains('<') && !style.contains('&'));
    });
}

#[test]
fn those_who_hear_it_are_told_everything() {
    with(&Sample::new(&BACKENDS), |page| {
        let html = page.root_element();
        assert_eq!(html.attribute("lang"), Some("en"));
        assert_eq!(all(page, "h1").len(), 1);
        assert_eq!(all(page, "caption").len(), 1);
        for (element, role) in [
            ("table", "table"),
            ("thead", "rowgroup"),
            ("tbody", "rowgroup"),
            ("tfoot", "rowgroup"),
            ("tr", "row"),
            ("td", "cell"),
        ] {
            for node in all(page, element) {
                assert_eq!(node.attribute("role"), Some(role), "{element}");
            }
        }
        for node in all(page, "th") {
            let wanted = match node.attribute("scope") {
                Some("col") => Some("columnheader"),
                Some("row") => Some("rowheader"),
                _ => None,
            };
            assert!(wanted.is_some() && node.attribute("role") == wanted);
        }
        let viewport = all(page, "meta")
            .into_iter()
            .find(|meta| meta.attribute("name") == Some("viewport"));
        assert!(viewport.is_some());
    });
}

#[test]
fn no_state_is_told_by_colour_alone() {
    let mut sample = Sample::new(&BACKENDS);
    let mut seen = Vec::new();
    for condition in [Condition::Failed, Condition::Warming, Condition::Paused] {
        sample.backends[2].condition = condition;
        with(&sample, |page| {
            for head in all(page, "th") {
                let Some(name) = head.attribute("class") else {
                    continue;
                };
                let text = said(head);
                let words = [")", " for ", ","].map(|next| format!("({name}{next}"));
                let told = words.iter().any(|words| text.contains(words));
                assert!(told, "{text}");
                seen.push(name.to_owned());
            }
        });
    }
    for state in State::ALL {
        assert!(seen.iter().any(|name| name == state.name()), "{state:?}");
    }
    with(&sample, |page| {
        let style = said(all(page, "style")[0]);
        for state in State::ALL {
            assert!(
                style.contains(&format!(".{}{{color:", state.name())),
                "{state:?}"
            );
        }
    });
}

/// Red, green and blue of a colour, from 0 to 1 as light (WCAG 2.2, relative luminance).
fn luminance(hex: &str) -> f64 {
    let digits: String = match hex.len() {
        3 => hex.chars().flat_map(|digit| [digit, digit]).collect(),
        _ => hex.to_owned(),
    };
    let weights = [(0, 0.2126), (2, 0.7152), (4, 0.0722)];
    let lights = weights.map(|(at, weight)| {
        let octet = u8::from_str_radix(&digits[at..at + 2], 16).expect("two digits");
        let part = f64::from(octet) / 255.0;
        let light = if part <= 0.04045 {
            part / 12.92
        } else {
            ((part + 0.055) / 1.055).powf(2.4)
        };
        weight * light
    });
    lights.iter().sum()
}

#[test]
fn all_text_can_be_read() {
    let style = with(&Sample::new(&[]), |page| said(all(page, "style")[0]));
    let sets: Vec<_> = style.split(":root{").skip(1).collect();
    assert_eq!(sets.len(), 2, "light and dark");
    for set in sets {
        let colour = |name: &str| {
            let (_, rest) = set.split_once(&format!("--{name}:#")).expect(name);
            let end = rest.find(|c: char| !c.is_ascii_hexdigit()).expect("an end");
            luminance(&rest[..end])
        };
        for (text, ground) in [
            ("ink", "bg"),
            ("ink", "card"),
            ("dim", "bg"),
            ("dim", "card"),
            ("ok", "okbg"),
            ("bad", "badbg"),
            ("part", "partbg"),
            ("off", "offbg"),
        ] {
            let (one, other) = (colour(text), colour(ground));
            let contrast = (one.max(other) + 0.05) / (one.min(other) + 0.05);
            assert!(contrast >= 4.5, "{text} on {ground}: {contrast:.2}");
        }
    }
}
