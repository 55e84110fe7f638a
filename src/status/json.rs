// SPDX-License-Identifier: GPL-2.0

//! For programs: one JSON object (RFC 8259). The names are those of the metrics.

use core::fmt::{self, Write};

use super::backends;
use super::escape::{self, Escaper};
use super::family;
use super::numbers::Seconds;
use super::state;
use super::{Backend, Family, Histogram, Ratio, Snapshot, Values};

/// Writes the object.
#[inline(never)] // Keeps its frame out of its caller's.
pub(super) fn write(snapshot: &Snapshot<'_>, out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "{{\n  \"port\": {},", snapshot.port)?;
    writeln!(out, "  \"now_seconds\": {},", snapshot.now.as_secs())?;
    writeln!(out, "  \"uptime_seconds\": {},", snapshot.uptime.as_secs())?;
    for group in family::groups() {
        for family in group.families {
            write_family(family, snapshot, out)?;
        }
        for ratio in group.ratios {
            write_ratio(ratio, snapshot, out)?;
        }
    }
    out.write_str("  \"request_duration_seconds\": ")?;
    write_histogram(snapshot.durations, out)?;
    out.write_str(",\n  \"backends\": [")?;
    for (number, backend) in snapshot.backends.iter().enumerate() {
        out.write_str(if number == 0 { "\n" } else { ",\n" })?;
        write_backend(number, backend, out)?;
    }
    let end = if snapshot.backends.is_empty() {
        "]\n}\n"
    } else {
        "\n  ]\n}\n"
    };
    out.write_str(end)
}

#[inline(never)] // Keeps its frame out of its caller's.
fn write_family(family: &Family, snapshot: &Snapshot<'_>, out: &mut dyn Write) -> fmt::Result {
    write!(out, "  \"{}\": ", family.name)?;
    let Values::By(_, counts) = &family.values else {
        return writeln!(out, "{},", family.total(snapshot));
    };
    let mut before = "{";
    for (value, count) in *counts {
        write!(out, "{before}\"{value}\": {}", snapshot.count(*count))?;
        before = ", ";
    }
    out.write_str("},\n")
}

#[inline(never)] // Keeps its frame out of its caller's.
fn write_ratio(ratio: &Ratio, snapshot: &Snapshot<'_>, out: &mut dyn Write) -> fmt::Result {
    let (miss, total) = ((ratio.miss)(snapshot), (ratio.total)(snapshot));
    writeln!(
        out,
        "  \"{}\": {{\"miss\": {miss}, \"total\": {total}}},",
        ratio.name
    )
}

#[inline(never)] // Keeps its frame out of its caller's.
fn write_backend(number: usize, backend: &Backend<'_>, out: &mut dyn Write) -> fmt::Result {
    write!(out, "    {{\"name\": \"srun-{number}\", ")?;
    write_config(backend, out)?;
    for family in backends::backend_families() {
        write!(out, ", \"{}\": {}", family.name, (family.value)(backend))?;
    }
    for time in backends::backend_times() {
        write!(out, ",\n      \"{}\": ", time.name)?;
        write_histogram((time.value)(backend), out)?;
    }
    out.write_str("}")
}

#[inline(never)] // Keeps its frame out of its caller's.
fn write_config(backend: &Backend<'_>, out: &mut dyn Write) -> fmt::Result {
    let config = backend.config;
    out.write_str("\"address\": \"")?;
    write!(Escaper::new(out, escape::json), "{}", config.addr)?;
    write!(
        out,
        "\", \"protocol\": \"{}\", \"backup\": {}, \"state\": \"{}\"",
        config.protocol.name(),
        config.backup,
        backend.state().name(),
    )?;
    match backend.why() {
        Some(why) => write!(out, ", \"why\": \"{}\"", state::reason(why)),
        None => out.write_str(", \"why\": null"),
    }
}

/// As in OpenMetrics: the buckets are of all that took up to so many seconds.
#[inline(never)] // Keeps its frame out of its caller's.
fn write_histogram(histogram: Histogram<'_>, out: &mut dyn Write) -> fmt::Result {
    let (count, sum) = (histogram.count(), Seconds(histogram.sum()));
    write!(out, "{{\"count\": {count}, \"sum\": {sum}")?;
    for percent in [50, 90, 99] {
        match histogram.percentile(percent) {
            Some(micros) => write!(out, ", \"p{percent}\": {}", Seconds(micros))?,
            None => write!(out, ", \"p{percent}\": null")?,
        }
    }
    out.write_str(", \"buckets\": ")?;
    let mut before = "{";
    for (bound, number) in histogram.buckets() {
        write!(out, "{before}\"{bound}\": {number}")?;
        before = ", ";
    }
    out.write_str("}}")
}
