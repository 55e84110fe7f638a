// SPDX-License-Identifier: GPL-2.0

//! For scrapers: OpenMetrics 1.0, and the text format of Prometheus that came before it.
//!
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/>

use core::fmt::{self, Write};

use super::backends::{self, BackendFamily, BackendTime, BackendWord};
use super::escape::{self, Escaper};
use super::family;
use super::numbers::Seconds;
use super::{Backend, Family, Histogram, Kind, Snapshot, Unit, Values};

/// Which of the two formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavour {
    /// OpenMetrics: a family has a unit, and `_total` is no part of its name.
    OpenMetrics,
    /// Text format 0.0.4.
    Prometheus,
}

/// Writes all families.
#[inline(never)] // Keeps its frame out of its caller's.
pub(super) fn write(snapshot: &Snapshot<'_>, flavour: Flavour, out: &mut dyn Write) -> fmt::Result {
    let mut page = Page { flavour, out };
    for group in family::groups() {
        for family in group.families {
            page.family(family, snapshot)?;
        }
    }
    page.duration(snapshot)?;
    for word in backends::backend_words() {
        page.backend_word(word, snapshot.backends)?;
    }
    for family in backends::backend_families() {
        page.backend_family(family, snapshot.backends)?;
    }
    for time in backends::backend_times() {
        page.backend_time(time, snapshot.backends)?;
    }
    match flavour {
        Flavour::OpenMetrics => page.out.write_str("# EOF\n"),
        Flavour::Prometheus => Ok(()),
    }
}

/// What is being written.
struct Page<'a> {
    flavour: Flavour,
    out: &'a mut dyn Write,
}

impl Page<'_> {
    #[inline(never)] // Keeps its frame out of its caller's.
    fn family(&mut self, family: &Family, snapshot: &Snapshot<'_>) -> fmt::Result {
        let name = Name("", family.name);
        self.describe(name, kind(family.kind), family.unit, family.help)?;
        match &family.values {
            Values::By(label, counts) => {
                for (value, count) in *counts {
                    self.name(name, kind(family.kind))?;
                    write!(self.out, "{{{label}=\"")?;
                    write!(Escaper::new(self.out, escape::label), "{value}")?;
                    writeln!(self.out, "\"}} {}", snapshot.count(*count))?;
                }
                Ok(())
            }
            _ => {
                self.name(name, kind(family.kind))?;
                writeln!(self.out, " {}", family.total(snapshot))
            }
        }
    }

    #[inline(never)] // Keeps its frame out of its caller's.
    fn duration(&mut self, snapshot: &Snapshot<'_>) -> fmt::Result {
        let name = Name("", "request_duration_seconds");
        let help =
            "From the first octet of a request to the last of its answer, tunnels left aside.";
        self.describe(name, "histogram", Unit::Seconds, help)?;
        self.histogram(name, None, snapshot.durations)
    }

    #[inline(never)] // Keeps its frame out of its caller's.
    fn backend_family(&mut self, family: &BackendFamily, backends: &[Backend<'_>]) -> fmt::Result {
        let name = Name("backend_", family.name);
        if !backends.is_empty() {
            self.describe(name, kind(family.kind), family.unit, family.help)?;
        }
        for (number, backend) in backends.iter().enumerate() {
            self.name(name, kind(family.kind))?;
            self.out.write_str("{")?;
            self.backend(number, backend)?;
            writeln!(self.out, "}} {}", (family.value)(backend))?;
        }
        Ok(())
    }

    /// A sample for each word. A gauge, since the older format knows no set of states.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn backend_word(&mut self, family: &BackendWord, backends: &[Backend<'_>]) -> fmt::Result {
        let name = Name("backend_", family.name);
        if !backends.is_empty() {
            self.describe(name, kind(Kind::Gauge), Unit::None, family.help)?;
        }
        for (number, backend) in backends.iter().enumerate() {
            let value = (family.value)(backend);
            for word in family.words {
                self.name(name, kind(Kind::Gauge))?;
                self.out.write_str("{")?;
                self.backend(number, backend)?;
                let is = u8::from(*word == value);
                writeln!(self.out, ",{}=\"{word}\"}} {is}", family.label)?;
            }
        }
        Ok(())
    }

    #[inline(never)] // Keeps its frame out of its caller's.
    fn backend_time(&mut self, time: &BackendTime, backends: &[Backend<'_>]) -> fmt::Result {
        let name = Name("backend_", time.name);
        if !backends.is_empty() {
            self.describe(name, "histogram", Unit::Seconds, time.help)?;
        }
        for (number, backend) in backends.iter().enumerate() {
            self.histogram(name, Some((number, backend)), (time.value)(backend))?;
        }
        Ok(())
    }

    /// The lines that come before the samples of a family.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn describe(&mut self, name: Name, kind: &str, unit: Unit, help: &str) -> fmt::Result {
        self.out.write_str("# TYPE ")?;
        self.family_name(name, kind)?;
        writeln!(self.out, " {kind}")?;
        if self.flavour == Flavour::OpenMetrics && unit != Unit::None {
            writeln!(
                self.out,
                "# UNIT resin_{}{} {}",
                name.0,
                name.1,
                unit.name()
            )?;
        }
        self.out.write_str("# HELP ")?;
        self.family_name(name, kind)?;
        self.out.write_str(" ")?;
        Escaper::new(self.out, escape::label).write_str(help)?;
        self.out.write_str("\n")
    }

    /// The name of a family.
    fn family_name(&mut self, name: Name, kind: &str) -> fmt::Result {
        match self.flavour {
            Flavour::OpenMetrics => self.name(name, ""),
            Flavour::Prometheus => self.name(name, kind),
        }
    }

    /// The name of a sample.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn name(&mut self, name: Name, kind: &str) -> fmt::Result {
        let end = if kind == COUNTER { "_total" } else { "" };
        write!(self.out, "resin_{}{}{end}", name.0, name.1)
    }

    /// The labels of a backend. With the address, another backend in its place is something else.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn backend(&mut self, number: usize, backend: &Backend<'_>) -> fmt::Result {
        write!(self.out, "backend=\"srun-{number}\",address=\"")?;
        write!(
            Escaper::new(self.out, escape::label),
            "{}",
            backend.config.addr
        )?;
        self.out.write_str("\"")
    }

    /// The samples of a histogram, of one backend or of all.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn histogram(
        &mut self,
        name: Name,
        backend: Option<(usize, &Backend<'_>)>,
        histogram: Histogram<'_>,
    ) -> fmt::Result {
        for (bound, number) in histogram.buckets() {
            self.part(name, "_bucket", backend, bound)?;
            self.number(number)?;
        }
        self.part(name, "_count", backend, "")?;
        self.number(histogram.count())?;
        self.part(name, "_sum", backend, "")?;
        self.seconds(histogram.sum())
    }

    #[inline(never)] // Keeps its frame out of its caller's.
    fn number(&mut self, number: u64) -> fmt::Result {
        writeln!(self.out, " {number}")
    }

    /// Name and labels of one of a histogram's samples: a bucket has a bound.
    #[inline(never)] // Keeps its frame out of its caller's.
    fn part(
        &mut self,
        name: Name,
        end: &str,
        backend: Option<(usize, &Backend<'_>)>,
        bound: &str,
    ) -> fmt::Result {
        write!(self.out, "resin_{}{}{end}", name.0, name.1)?;
        if backend.is_none() && bound.is_empty() {
            return Ok(());
        }
        self.out.write_str("{")?;
        if let Some((number, backend)) = backend {
            self.backend(number, backend)?;
        }
        if !bound.is_empty() {
            let comma = if backend.is_some() { "," } else { "" };
            write!(self.out, "{comma}le=\"{bound}\"")?;
        }
        self.out.write_str("}")
    }

    #[inline(never)] // Keeps its frame out of its caller's.
    fn seconds(&mut self, micros: u64) -> fmt::Result {
        writeln!(self.out, " {}", Seconds(micros))
    }
}

/// The two parts of a family's name behind `resin_`.
#[derive(Clone, Copy)]
struct Name(&'static str, &'static str);

const COUNTER: &str = "counter";

const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Counter => COUNTER,
        Kind::Gauge => "gauge",
    }
}
