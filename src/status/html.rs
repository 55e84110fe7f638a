// SPDX-License-Identifier: GPL-2.0

//! For browsers: the table of the original `caucho-status`, and what else there is to know.
//!
//! One page without script, pictures or anything to fetch. It is HTML and well-formed XML alike.
//! Where there is no room for the table each backend becomes a card; the roles keep it a table for
//! those who hear it. No state is told by its colour alone.

use core::fmt::{self, Write};

use super::escape::{self, Escaper};
use super::family;
use super::numbers::{Ago, Grouped, Octets, Percent, Took};
use super::{Backend, Family, Phrase, Ratio, Snapshot, State, Unit, Values};
use crate::http::date;

/// Writes the page.
#[inline(never)] // Keeps its frame out of its caller's.
pub(super) fn write(snapshot: &Snapshot<'_>, out: &mut dyn Write) -> fmt::Result {
    out.write_str(HEAD)?;
    write_header(snapshot, out)?;
    out.write_str("<main>\n")?;
    if !snapshot.backends.is_empty() {
        write_table(snapshot, out)?;
    }
    out.write_str("<div class=\"cards\">\n")?;
    for group in family::groups() {
        if !group.title.is_empty() {
            write_group(group, snapshot, out)?;
        }
    }
    out.write_str(FOOT)
}

const HEAD: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="robots" content="noindex"/>
<link rel="icon" href="data:,"/>
<title>Status : resin</title>
<style>
:root{color-scheme:light dark;--bg:#f4f5f7;--card:#fff;--ink:#1c2127;--dim:#59636e;--line:#dde1e6;
--ok:#1f7a33;--okbg:#e2f6e5;--bad:#b3261e;--badbg:#fde8e6;--part:#8a5a00;--partbg:#fff1d6;--off:#59636e;--offbg:#eceef1}
@media(prefers-color-scheme:dark){:root{--bg:#14171b;--card:#1d2127;--ink:#e4e7eb;--dim:#9aa4b0;--line:#333a43;
--ok:#7ee08f;--okbg:#17331d;--bad:#ff9d94;--badbg:#421b18;--part:#f2c464;--partbg:#3b2c0c;--off:#9aa4b0;--offbg:#2a2f36}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:90rem;padding:1.25rem;background:var(--bg);color:var(--ink);font:1rem/1.45 system-ui,sans-serif}
h1{margin:0;font-size:1.5rem}
h2{margin:0 0 .5rem;font-size:1rem}
header p{margin:.25rem 0 1rem;color:var(--dim)}
section,table{background:var(--card);border:1px solid var(--line);border-radius:.5rem}
.ok,.warming,.paused,.failing,.drain,.down{border-left:.35rem solid}
.ok{color:var(--ok);background:var(--okbg)}
.failing{color:var(--bad);background:var(--badbg)}
.warming{color:var(--part);background:var(--partbg)}
.paused{color:var(--part);background:var(--partbg)}
.drain{color:var(--part);background:var(--partbg)}
.down{color:var(--off);background:var(--offbg)}
header .now{display:inline-block;margin:0 0 1rem;padding:.35rem .8rem;border-radius:.25rem;font-weight:600}
table{width:100%;border-collapse:separate;border-spacing:0;overflow:hidden;font-size:.8125rem;font-variant-numeric:tabular-nums}
caption{padding:0 0 .5rem;text-align:left;font-weight:600;font-size:1rem}
th,td{padding:.5rem .35rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
thead th{color:var(--dim);font-weight:600;white-space:normal;vertical-align:bottom}
tbody th{font-weight:400;min-width:14rem;white-space:normal}
b{overflow-wrap:anywhere}
.wide{overflow-x:auto}
tfoot th,tfoot td{border-bottom:0;font-weight:600}
th:first-child{text-align:left}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(17rem,1fr));gap:1rem;margin:1rem 0}
section{padding:.9rem 1rem}
dl{margin:0}
dl div{display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 1rem;padding:.2rem 0}
dt{color:var(--dim)}
dt::first-letter{text-transform:uppercase}
dd{margin:0 0 0 auto;font-variant-numeric:tabular-nums}
dd.of{flex-basis:100%;padding-left:1rem;color:var(--dim);font-size:.875rem}
@media(min-width:40rem){
.two{grid-column:span 2}
.two dl{columns:2;column-gap:2rem}
.two dl div{break-inside:avoid}
}
footer{color:var(--dim);font-size:.875rem}
a{color:inherit}
@media(max-width:82rem){
table,caption,tbody,tfoot,th{display:block}
table{border:0;background:none}
thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
tbody{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,21rem),1fr));gap:1rem}
tbody{margin-bottom:1rem}
tr{display:grid;grid-template-columns:repeat(auto-fit,minmax(10rem,1fr));align-content:start;background:var(--card);border:1px solid var(--line);border-radius:.5rem;overflow:hidden;padding-bottom:.4rem}
tr th,tbody th{grid-column:1/-1;min-width:0;font-size:1rem;margin-bottom:.4rem;border-bottom:0}
tfoot th{padding:.5rem .8rem 0}
td{display:flex;justify-content:space-between;gap:.5rem;padding:.15rem .8rem;border:0}
td.no{display:none}
td::before{content:attr(data-of);color:var(--dim);font-weight:400}
}
</style>
</head>
<body>
"#;

const FOOT: &str = r#"</div>
</main>
<footer>The same as <a href="?format=json">JSON</a>, <a href="?format=openmetrics">OpenMetrics</a>,
<a href="?format=prometheus">Prometheus</a> or <a href="?format=text">text</a>.</footer>
</body>
</html>
"#;

#[inline(never)] // Keeps its frame out of its caller's.
fn write_header(snapshot: &Snapshot<'_>, out: &mut dyn Write) -> fmt::Result {
    out.write_str("<header>\n<h1>Status : resin</h1>\n<p>")?;
    match snapshot.port {
        0 => out.write_str("Listening on no port")?,
        port => write!(out, "Port {port}")?,
    }
    let now = date::format(snapshot.now);
    let now = core::str::from_utf8(&now).unwrap_or("");
    writeln!(out, " · up {} · {now}</p>", Ago(snapshot.uptime))?;
    write_summary(snapshot.backends, out)?;
    out.write_str("</header>\n")
}

/// One line on how all backends are.
#[inline(never)] // Keeps its frame out of its caller's.
fn write_summary(backends: &[Backend<'_>], out: &mut dyn Write) -> fmt::Result {
    let count = |state| backends.iter().filter(|one| one.state() == state).count();
    let usable = count(State::Ok)
        .saturating_add(count(State::Warming))
        .saturating_add(count(State::Paused));
    let worst = if count(State::Failing) > 0 || usable == 0 {
        State::Failing
    } else if count(State::Ok) < backends.len() {
        State::Drain
    } else {
        State::Ok
    };
    let s = if backends.len() == 1 { "" } else { "s" };
    write!(
        out,
        "<p class=\"now {}\">{} {} backend{s}",
        worst.name(),
        sign(worst),
        backends.len(),
    )?;
    let mut before = ": ";
    for state in State::ALL {
        if count(state) > 0 {
            write!(out, "{before}{} {}", count(state), state.name())?;
            before = ", ";
        }
    }
    out.write_str("</p>\n")
}

/// What tells a state to those who do not see its colour.
const fn sign(state: State) -> &'static str {
    match state {
        State::Ok => "<span aria-hidden=\"true\">\u{2713}</span>",
        State::Failing => "<span aria-hidden=\"true\">\u{2717}</span>",
        State::Warming | State::Paused | State::Drain => {
            "<span aria-hidden=\"true\">\u{25d0}</span>"
        }
        State::Down => "<span aria-hidden=\"true\">\u{25a0}</span>",
    }
}

/// The columns behind the first one: six of the original, then ours.
const COLUMNS: [&str; 16] = [
    "Active",
    "Pooled",
    "Connect Timeout",
    "Live Time",
    "Dead Time",
    "Waiting",
    "Requests",
    "Failures",
    "Retries",
    "Connects",
    "Reuses",
    "Received",
    "Sent",
    "Response p50",
    "p90",
    "p99",
];

#[inline(never)] // Keeps its frame out of its caller's.
fn write_table(snapshot: &Snapshot<'_>, out: &mut dyn Write) -> fmt::Result {
    out.write_str("<div class=\"wide\" tabindex=\"0\">\n<table role=\"table\">\n<caption>Backends</caption>\n")?;
    out.write_str("<thead role=\"rowgroup\"><tr role=\"row\">")?;
    out.write_str("<th scope=\"col\" role=\"columnheader\">Host</th>")?;
    for title in &COLUMNS {
        write_column(title, out)?;
    }
    out.write_str("</tr></thead>\n<tbody role=\"rowgroup\">\n")?;
    for (number, backend) in snapshot.backends.iter().enumerate() {
        write_host(number, backend, out)?;
        write_cells(snapshot, backend, out)?;
        out.write_str("</tr>\n")?;
    }
    out.write_str("</tbody>\n")?;
    if snapshot.backends.len() > 1 {
        write_totals(snapshot.backends, out)?;
    }
    out.write_str("</table>\n</div>\n")
}

#[inline(never)] // Keeps its frame out of its caller's.
fn write_column(title: &str, out: &mut dyn Write) -> fmt::Result {
    write!(out, "<th scope=\"col\" role=\"columnheader\">{title}</th>")
}

#[inline(never)] // Keeps its frame out of its caller's.
fn write_host(number: usize, backend: &Backend<'_>, out: &mut dyn Write) -> fmt::Result {
    let state = backend.state();
    write!(
        out,
        "<tr role=\"row\"><th scope=\"row\" role=\"rowheader\" class=\"{}\">{} srun-{number} <b>",
        state.name(),
        sign(state),
    )?;
    write!(Escaper::new(out, escape::html), "{}", backend.config.addr)?;
    let backup = if backend.config.backup {
        ", backup"
    } else {
        ""
    };
    writeln!(out, "</b> ({}{backup})</th>", Phrase(backend))
}

#[inline(never)] // Keeps its frame out of its caller's.
fn write_cells(snapshot: &Snapshot<'_>, backend: &Backend<'_>, out: &mut dyn Write) -> fmt::Result {
    let mut cells = Cells::new(out);
    cells.number(backend.active)?;
    cells.number(backend.pooled)?;
    cells.text(format_args!("{}", snapshot.connect_timeout))?;
    cells.text(format_args!("{}", snapshot.live_time))?;
    match snapshot.dead_time {
        Some(time) => cells.text(format_args!("{time}"))?,
        None => cells.nothing()?,
    }
    cells.number(backend.waiting)?;
    cells.number(backend.requests)?;
    cells.number(backend.failures)?;
    cells.number(backend.retries)?;
    cells.number(backend.connects)?;
    cells.number(backend.reuses)?;
    cells.octets(backend.received)?;
    cells.octets(backend.sent)?;
    for percent in [50, 90, 99] {
        cells.took(backend.responding.percentile(percent))?;
    }
    Ok(())
}

#[inline(never)] // Keeps its frame out of its caller's.
fn write_totals(backends: &[Backend<'_>], out: &mut dyn Write) -> fmt::Result {
    out.write_str("<tfoot role=\"rowgroup\"><tr role=\"row\">")?;
    writeln!(
        out,
        "<th scope=\"row\" role=\"rowheader\">All {}</th>",
        backends.len()
    )?;
    let sum = |get: fn(&Backend<'_>) -> u64| {
        let numbers = backends.iter().map(get);
        numbers.fold(0, u64::saturating_add)
    };
    let mut cells = Cells::new(out);
    cells.number(sum(|backend| backend.active))?;
    cells.number(sum(|backend| backend.pooled))?;
    cells.skip()?;
    cells.skip()?;
    cells.skip()?;
    cells.number(sum(|backend| backend.waiting))?;
    cells.number(sum(|backend| backend.requests))?;
    cells.number(sum(|backend| backend.failures))?;
    cells.number(sum(|backend| backend.retries))?;
    cells.number(sum(|backend| backend.connects))?;
    cells.number(sum(|backend| backend.reuses))?;
    cells.octets(sum(|backend| backend.received))?;
    cells.octets(sum(|backend| backend.sent))?;
    cells.skip()?;
    cells.skip()?;
    cells.skip()?;
    out.write_str("</tr></tfoot>\n")
}

/// Writes the cells of a row, one for each of [`COLUMNS`].
struct Cells<'a> {
    out: &'a mut dyn Write,
    titles: core::slice::Iter<'static, &'static str>,
}

impl<'a> Cells<'a> {
    fn new(out: &'a mut dyn Write) -> Self {
        Self {
            out,
            titles: COLUMNS.iter(),
        }
    }

    #[inline(never)] // Keeps its frame out of its caller's.
    fn text(&mut self, text: fmt::Arguments<'_>) -> fmt::Result {
        let title = self.titles.next().unwrap_or(&"");
        writeln!(
            self.out,
            "<td role=\"cell\" data-of=\"{title}\">{text}</td>"
        )
    }

    #[inline(never)]
    fn number(&mut self, number: u64) -> fmt::Result {
        self.text(format_args!("{}", Grouped(number)))
    }

    #[inline(never)]
    fn octets(&mut self, octets: u64) -> fmt::Result {
        self.text(format_args!(
            "<data value=\"{octets}\">{}</data>",
            Octets(octets)
        ))
    }

    #[inline(never)]
    fn took(&mut self, micros: Option<u64>) -> fmt::Result {
        match micros {
            Some(micros) => self.text(format_args!("{}", Took(micros))),
            None => self.nothing(),
        }
    }

    fn nothing(&mut self) -> fmt::Result {
        self.text(format_args!("none"))
    }

    /// A column that has no total.
    fn skip(&mut self) -> fmt::Result {
        self.titles.next();
        self.out.write_str("<td role=\"cell\" class=\"no\"></td>\n")
    }
}

#[inline(never)] // Keeps its frame out of its caller's.
fn write_group(group: &family::Group, snapshot: &Snapshot<'_>, out: &mut dyn Write) -> fmt::Result {
    // A long one is as wide as two, and half as high.
    let class = if group.ratios.is_empty() {
        ""
    } else {
        " class=\"two\""
    };
    write!(out, "<section{class}>\n<h2>{}</h2>\n<dl>\n", group.title)?;
    for family in group.families {
        write_family(family, snapshot, out)?;
    }
    for ratio in group.ratios {
        write_ratio(ratio, snapshot, out)?;
    }
    out.write_str("</dl>\n</section>\n")
}

#[inline(never)] // Keeps its frame out of its caller's.
fn write_family(family: &Family, snapshot: &Snapshot<'_>, out: &mut dyn Write) -> fmt::Result {
    let total = family.total(snapshot);
    write!(
        out,
        "<div title=\"{}\"><dt>{}</dt><dd>",
        family.help, family.title
    )?;
    match family.unit {
        Unit::Bytes => write!(out, "<data value=\"{total}\">{}</data>", Octets(total))?,
        _ => write!(out, "{}", Grouped(total))?,
    }
    out.write_str("</dd>")?;
    if let (Values::By(_, counts), 1..) = (&family.values, total) {
        let mut before = "<dd class=\"of\">";
        for (value, count) in *counts {
            let number = snapshot.count(*count);
            if number > 0 {
                write!(out, "{before}{value}:\u{a0}{}", Grouped(number))?;
                before = ", ";
            }
        }
        out.write_str("</dd>")?;
    }
    out.write_str("</div>\n")
}

/// As Resin has shown it: `3.68% (31 / 843)`.
#[inline(never)] // Keeps its frame out of its caller's.
fn write_ratio(ratio: &Ratio, snapshot: &Snapshot<'_>, out: &mut dyn Write) -> fmt::Result {
    let (part, total) = ((ratio.miss)(snapshot), (ratio.total)(snapshot));
    writeln!(
        out,
        "<div title=\"{}\"><dt>{}</dt><dd>{} ({} / {})</dd></div>",
        ratio.help,
        ratio.title,
        Percent { part, total },
        Grouped(part),
        Grouped(total),
    )
}
