// SPDX-License-Identifier: GPL-2.0

//! For people at a terminal.

use core::fmt::{self, Write};

use super::family;
use super::numbers::{Ago, Lasted, Percent, TookWord};
use super::state;
use super::{Backend, Count, Ratio, Snapshot, Values};
use crate::bytes::Writer;

/// Writes the table.
#[inline(never)] // Keeps its frame out of its caller's.
pub(super) fn write(snapshot: &Snapshot<'_>, out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "port         {}", snapshot.port)?;
    writeln!(out, "up           {}", Ago(snapshot.uptime))?;
    write_clients(snapshot, out)?;
    write_requests(snapshot, out)?;
    write_answers(snapshot, out)?;
    write_counts("aborts", "aborted", snapshot, out)?;
    write_counts("timeouts", "timeouts", snapshot, out)?;
    write_traffic(snapshot, out)?;
    write_upstream(snapshot, out)?;
    write_cache(snapshot, out)?;
    writeln!(
        out,
        "memory       {} octets in buffers, {} at most",
        snapshot.memory, snapshot.memory_limit,
    )?;
    writeln!(out, "log          {} lines lost", snapshot.log_lost)?;
    writeln!(out)?;
    for ratio in family::groups().iter().flat_map(|group| group.ratios) {
        write_ratio(ratio, snapshot, out)?;
    }
    writeln!(out)?;
    out.write_str(TABLE_HEAD)?;
    for (number, backend) in snapshot.backends.iter().enumerate() {
        write_backend(number, backend, out)?;
    }
    Ok(())
}

#[inline(never)] // Keeps its frame out of its caller's.
fn write_clients(snapshot: &Snapshot<'_>, out: &mut dyn Write) -> fmt::Result {
    writeln!(
        out,
        "clients      {} open, {} accepted, {} refused, {} reset",
        snapshot.count(Count::Open),
        snapshot.count(Count::Accepted),
        total("client_connections_refused", snapshot),
        total("client_connections_reset", snapshot),
    )
}

#[inline(never)] // Keeps its frame out of its caller's.
fn write_requests(snapshot: &Snapshot<'_>, out: &mut dyn Write) -> fmt::Result {
    writeln!(
        out,
        "requests     {} ({} aborted), {} with a body, {} tunnels ({} open)",
        snapshot.count(Count::Requests),
        total("aborts", snapshot),
        snapshot.count(Count::Uploads),
        snapshot.count(Count::TunnelsOpened),
        snapshot.count(Count::Tunnels),
    )
}

#[inline(never)] // Keeps its frame out of its caller's.
fn write_answers(snapshot: &Snapshot<'_>, out: &mut dyn Write) -> fmt::Result {
    write_counts("responses", "answers", snapshot, out)?;
    write_counts("error_pages", "own pages", snapshot, out)
}

/// A line with the numbers of a family, those that are zero left out.
#[inline(never)] // Keeps its frame out of its caller's.
fn write_counts(
    name: &str,
    title: &str,
    snapshot: &Snapshot<'_>,
    out: &mut dyn Write,
) -> fmt::Result {
    write!(out, "{title:<12}")?;
    let mut none = true;
    for (value, count) in parts(name) {
        let number = snapshot.count(*count);
        if number > 0 {
            none = false;
            write!(out, " {value} {number}")?;
        }
    }
    out.write_str(if none { " none\n" } else { "\n" })
}

#[inline(never)] // Keeps its frame out of its caller's.
fn write_traffic(snapshot: &Snapshot<'_>, out: &mut dyn Write) -> fmt::Result {
    writeln!(
        out,
        "octets       clients {} in {} out, backends {} in {} out",
        snapshot.count(Count::ClientReceived),
        snapshot.count(Count::ClientSent),
        snapshot.count(Count::BackendReceived),
        snapshot.count(Count::BackendSent),
    )
}

#[inline(never)] // Keeps its frame out of its caller's.
fn write_upstream(snapshot: &Snapshot<'_>, out: &mut dyn Write) -> fmt::Result {
    writeln!(
        out,
        "backends     {} connects ({} failed), {} reuses, {} replays",
        snapshot.count(Count::Connects),
        snapshot.count(Count::ConnectFailures),
        snapshot.count(Count::Reuses),
        snapshot.count(Count::Replays),
    )
}

#[inline(never)] // Keeps its frame out of its caller's.
fn write_cache(snapshot: &Snapshot<'_>, out: &mut dyn Write) -> fmt::Result {
    write_counts("cache_requests", "cache", snapshot, out)?;
    let cache = &snapshot.cache;
    writeln!(
        out,
        "entries      {} in the cache, {} stored, {} refused, {} evicted, {} purged",
        cache.entries,
        snapshot.count(Count::CacheStored),
        snapshot.count(Count::CacheRefused),
        cache.evictions,
        snapshot.count(Count::CachePurged),
    )?;
    writeln!(
        out,
        "cache memory {} octets, {} at most",
        cache.octets, cache.limit,
    )
}

/// As Resin has shown it: `3.68% (31 / 843)`.
#[inline(never)] // Keeps its frame out of its caller's.
fn write_ratio(ratio: &Ratio, snapshot: &Snapshot<'_>, out: &mut dyn Write) -> fmt::Result {
    let (part, total) = ((ratio.miss)(snapshot), (ratio.total)(snapshot));
    write!(out, "{:<24} ", ratio.title)?;
    write_percent(part, total, out)
}

#[inline(never)] // Keeps its frame out of its caller's.
fn write_percent(part: u64, total: u64, out: &mut dyn Write) -> fmt::Result {
    write!(out, "{}", Percent { part, total })?;
    writeln!(out, " ({part} / {total})")
}

/// The numbers of a family.
fn parts(name: &str) -> &'static [(&'static str, Count)] {
    let mut families = family::groups().iter().flat_map(|group| group.families);
    match families.find(|family| family.name == name) {
        Some(family::Family {
            values: Values::By(_, counts),
            ..
        }) => counts,
        _ => &[],
    }
}

/// All numbers of a family together.
#[inline(never)] // Keeps its frame out of its caller's.
fn total(name: &str, snapshot: &Snapshot<'_>) -> u64 {
    parts(name).iter().fold(0, |sum, (_, count)| {
        u64::saturating_add(sum, snapshot.count(*count))
    })
}

/// The first line of the table that [`write_backend`] goes on with.
const TABLE_HEAD: &str =
    "srun     state    why          for   active  waiting   pooled   requests \
    failures  retries      p50      p99  address\n";

#[inline(never)] // Keeps its frame out of its caller's.
fn write_backend(number: usize, backend: &Backend<'_>, out: &mut dyn Write) -> fmt::Result {
    write!(out, "srun-{number:<3}")?;
    write_left(8, backend.state().name(), out)?;
    write_left(7, backend.why().map_or("-", state::reason), out)?;
    write_lasted(backend, out)?;
    write_numbers(backend, out)?;
    for percent in [50, 99] {
        write_took(backend.responding.percentile(percent), out)?;
    }
    write_address(backend, out)
}

/// Writes a word at the left end of a column.
#[inline(never)] // Keeps its frame out of its caller's.
fn write_left(width: usize, word: &str, out: &mut dyn Write) -> fmt::Result {
    write!(out, " {word:<width$}")
}

#[inline(never)] // Keeps its frame out of its caller's.
fn write_lasted(backend: &Backend<'_>, out: &mut dyn Write) -> fmt::Result {
    match backend.lasted() {
        Some(lasted) => write_right(format_args!("{}", Lasted(lasted)), out),
        None => write_right(format_args!("-"), out),
    }
}

#[inline(never)] // Keeps its frame out of its caller's.
fn write_numbers(backend: &Backend<'_>, out: &mut dyn Write) -> fmt::Result {
    let levels = [backend.active, backend.waiting, backend.pooled];
    for level in levels {
        write_right(format_args!("{level}"), out)?;
    }
    write!(out, "{:>11}", backend.requests)?;
    for count in [backend.failures, backend.retries] {
        write_right(format_args!("{count}"), out)?;
    }
    Ok(())
}

#[inline(never)] // Keeps its frame out of its caller's.
fn write_took(micros: Option<u64>, out: &mut dyn Write) -> fmt::Result {
    match micros {
        Some(micros) => write_right(format_args!("{}", TookWord(micros)), out),
        None => write_right(format_args!("-"), out),
    }
}

#[inline(never)] // Keeps its frame out of its caller's.
fn write_address(backend: &Backend<'_>, out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "  {}", backend.config.addr)
}

/// Writes a word at the right end of a column of nine.
#[inline(never)] // Keeps its frame out of its caller's.
fn write_right(word: fmt::Arguments<'_>, out: &mut dyn Write) -> fmt::Result {
    let mut room = [0; 32];
    let mut writer = Writer::new(&mut room);
    writer.write_fmt(word)?;
    let word = core::str::from_utf8(writer.written()).unwrap_or("");
    write!(out, "{word:>9}")
}
