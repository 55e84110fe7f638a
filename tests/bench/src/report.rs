//! The numbers of all runs, put together: a table for people, and JSON.

use std::fmt::Write;

use serde_json::{json, Map, Value};

use crate::Fault;

/// The peers, as columns.
pub const PEERS: [&str; 8] = [
    "null", "direct", "l4", "nginx", "haproxy", "varnish", "apache", "resin",
];

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// Its name.
    pub name: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// What resin must not exceed.
    pub aim: Option<f64>,
}

const fn line(name: &'static str, about: &'static str, aim: Option<f64>) -> Line {
    Line { name, about, aim }
}

/// The rows of the table that counts instructions.
pub const LINES: [Line; 14] = [
    line("W1", "relay 1 KiB, 32 connections", Some(66e3)),
    line("W1s", "relay 1 KiB, 1 connection", Some(80e3)),
    line("W2", "relay 1 KiB, a connection each", Some(185e3)),
    line("W3", "hit 1 KiB, 32 connections", Some(29.5e3)),
    line("W3s", "hit 1 KiB, 1 connection", Some(32e3)),
    line("W3c", "hit 1 KiB, a connection each", None),
    line("W4", "hit 64 KiB, 32 connections", Some(85e3)),
    line("W5", "hit 1 MiB, 8 connections", Some(490e3)),
    line("W6", "relay 1 MiB, 8 connections", Some(760e3)),
    line("W7i", "octets, idle before a request", None),
    line("W7", "octets, idle after a request", Some(500.0)),
    line("W8", "upload 1 MiB, 8 connections", None),
    line("W9", "304 from the cache", None),
    line("W10", "80 % hits, browsers' fields", None),
];

/// What one run has said of one row and one peer.
#[derive(Clone, Debug)]
struct Said {
    row: String,
    peer: String,
    value: f64,
    idle: f64,
}

/// The numbers of some runs.
#[derive(Debug, Default)]
pub struct Numbers {
    said: Vec<Said>,
}

impl Numbers {
    /// Adds what a run has said: lines of row, peer, requests, instructions, nanoseconds idle.
    pub fn add(&mut self, text: &str) -> Result<(), Fault> {
        for line in text.lines().filter(|line| line.split('\t').count() == 5) {
            let words: Vec<&str> = line.split('\t').collect();
            let &[row, peer, requests, spent, idle] = words.as_slice() else {
                return Err(format!("what is this: {line}"));
            };
            let number = |text: &str| text.parse::<f64>().map_err(|e| format!("{text}: {e}"));
            self.said.push(Said {
                row: row.into(),
                peer: peer.into(),
                value: number(spent)? / number(requests)?,
                idle: number(idle)? / number(requests)?,
            });
        }
        Ok(())
    }

    /// The median of all runs: instructions of a request; for memory, octets of a connection beyond what
    /// the kernel's own sockets take, which is what the server costs that does nothing.
    pub fn median(&self, row: &str, peer: &str) -> Option<f64> {
        let value = middle(self.of(row, peer).map(|said| said.value).collect())?;
        match row {
            "W7" | "W7i" => {
                let sockets = middle(self.of(row, "null").map(|said| said.value).collect())?;
                Some(value - sockets)
            }
            _ => Some(value),
        }
    }

    /// How far the runs are apart, as a part of the median.
    pub fn spread(&self, row: &str, peer: &str) -> Option<f64> {
        let values = || self.of(row, peer).map(|said| said.value);
        let most = values().max_by(f64::total_cmp)?;
        let least = values().min_by(f64::total_cmp)?;
        Some((most - least) / middle(values().collect())?)
    }

    fn of<'a>(&'a self, row: &'a str, peer: &'a str) -> impl Iterator<Item = &'a Said> {
        let alike = move |said: &&Said| said.row == row && said.peer == peer;
        self.said.iter().filter(alike)
    }

    /// The rows that were measured.
    pub fn lines(&self) -> impl Iterator<Item = &'static Line> + '_ {
        let measured = |line: &&Line| self.said.iter().any(|said| said.row == line.name);
        LINES.iter().filter(measured)
    }

    /// The peers that were measured.
    pub fn peers(&self) -> Vec<&'static str> {
        let measured = |peer: &&str| self.said.iter().any(|said| said.peer == *peer);
        PEERS.into_iter().filter(measured).collect()
    }

    /// For people.
    pub fn table(&self) -> String {
        let peers = self.peers();
        if peers.is_empty() {
            return String::new();
        }
        let mut text = format!("{:4} {:31}", "row", "instructions a request");
        for peer in &peers {
            text += &format!("{peer:>10}");
        }
        text += &format!("{:>10}\n", "aim");
        for line in self.lines() {
            text += &format!("{:4} {:31}", line.name, line.about);
            for peer in &peers {
                text += &match self.median(line.name, peer) {
                    Some(value) => format!("{value:10.0}"),
                    None => format!("{:>10}", "-"),
                };
            }
            text += &format!("{}\n", self.verdict(line));
        }
        text += &self.remarks();
        text
    }

    /// The aim, and whether it is met; without one, resin has to be the first.
    fn verdict(&self, line: &Line) -> String {
        if line.name == "W7i" {
            return String::new();
        }
        let rivals = ["nginx", "haproxy", "varnish", "apache"];
        let rivals = rivals
            .iter()
            .filter_map(|peer| self.median(line.name, peer));
        let aim = line.aim.or(rivals.min_by(f64::total_cmp));
        match (aim, self.median(line.name, "resin")) {
            (Some(aim), Some(value)) if value <= aim => format!("{aim:10.0}  met"),
            (Some(aim), Some(value)) => {
                format!("{aim:10.0}  missed by {:.0} %", (value / aim - 1.0) * 100.0)
            }
            (Some(aim), _) => format!("{aim:10.0}"),
            (None, _) => String::new(),
        }
    }

    /// What one should know of the numbers.
    fn remarks(&self) -> String {
        let mut text = String::new();
        for said in self.said.iter().filter(|said| said.idle > 1000.0) {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "{} {}: {:.0} ns of a request nobody did anything, which is left out",
                said.row, said.peer, said.idle
            );
        }
        // Memory is counted in pages, of which another seed may need some more.
        let lines = self.lines().filter(|line| !line.name.starts_with("W7"));
        let spreads = lines.flat_map(|line| {
            let spread = |peer| Some((self.spread(line.name, peer)?, line.name, peer));
            PEERS.into_iter().filter_map(spread)
        });
        let most = spreads.max_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((most, row, peer)) = most.filter(|&(most, ..)| most > 0.0) {
            let percent = most * 100.0;
            let _ = writeln!(
                text,
                "the runs are at most {percent:.1} % apart ({row} {peer})"
            );
        }
        text
    }

    /// For programs: `{"W1": {"nginx": 97361, ...}, ...}`.
    pub fn json(&self) -> Value {
        let row = |line: &'static Line| {
            let value = |peer| {
                let value = self.median(line.name, peer)?.round() as i64;
                Some((String::from(peer), json!(value)))
            };
            let values: Map<_, _> = PEERS.into_iter().filter_map(value).collect();
            (line.name.to_string(), Value::from(values))
        };
        self.lines().map(row).collect()
    }
}

/// The median, or the mean of the two in the middle.
pub fn middle(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let high = *values.get(values.len() / 2)?;
    let low = *values.get((values.len() - 1) / 2)?;
    Some((low + high) / 2.0)
}
