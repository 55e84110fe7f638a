//! Requests per second and latencies, as far as a clock on the wall can tell.

use serde_json::{json, Map, Value};

use crate::report::{middle, LINES, PEERS};
use crate::Fault;

/// What one round has said of one row and one peer.
#[derive(Clone, Debug)]
struct Said {
    row: String,
    peer: String,
    /// Requests per second.
    rate: f64,
    /// Nanoseconds: the median, 99 %, 99.9 %.
    latency: [f64; 3],
}

/// The numbers of all rounds.
#[derive(Debug, Default)]
pub struct Wall {
    said: Vec<Said>,
}

impl Wall {
    /// Adds what a guest has said: lines of row, peer, requests, nanoseconds, and of them the median, 99 %
    /// and 99.9 % of the requests.
    pub fn add(&mut self, text: &str) -> Result<(), Fault> {
        for line in text.lines().filter(|line| line.split('\t').count() == 7) {
            let words: Vec<&str> = line.split('\t').collect();
            let numbers: Result<Vec<f64>, _> = words[2..].iter().map(|word| word.parse()).collect();
            let numbers = numbers.map_err(|error| format!("{line}: {error}"))?;
            self.said.push(Said {
                row: words[0].into(),
                peer: words[1].into(),
                rate: numbers[0] / numbers[1] * 1e9,
                latency: [numbers[2], numbers[3], numbers[4]],
            });
        }
        Ok(())
    }

    /// The median of all rounds.
    fn median(&self, row: &str, peer: &str, value: impl Fn(&Said) -> f64) -> Option<f64> {
        let alike = self
            .said
            .iter()
            .filter(|said| said.row == row && said.peer == peer);
        middle(alike.map(value).collect())
    }

    fn rate(&self, row: &str, peer: &str) -> Option<f64> {
        self.median(row, peer, |said| said.rate)
    }

    fn rows(&self) -> impl Iterator<Item = (&'static str, &'static str)> + '_ {
        let measured = |name: &str| self.said.iter().any(|said| said.row == name);
        let lines = LINES.iter().filter(move |line| measured(line.name));
        lines.map(|line| (line.name, line.about))
    }

    /// For people.
    pub fn table(&self) -> String {
        if self.said.is_empty() {
            return String::new();
        }
        let measured = |peer: &&str| self.said.iter().any(|said| said.peer == *peer);
        let peers: Vec<&str> = PEERS.into_iter().filter(measured).collect();
        let mut text = format!("\n{:4} {:31}", "row", "requests a second");
        for peer in &peers {
            text += &format!("{peer:>10}");
        }
        text += "\n";
        for (row, about) in self.rows() {
            text += &cells(&format!("{row:4} {about:31}"), &peers, |peer| {
                self.rate(row, peer)
            });
            for (at, name) in ["50 %", "99 %", "99.9 %"].iter().enumerate() {
                let title = format!("{:4} {:31}", "", format!("  {name} within, in us"));
                let latency = |said: &Said| said.latency[at] / 1e3;
                text += &cells(&title, &peers, |peer| self.median(row, peer, latency));
            }
        }
        text
    }

    /// For programs: requests per second, and nanoseconds.
    pub fn json(&self) -> (Value, Value) {
        let (mut rates, mut latencies) = (Map::new(), Map::new());
        for (row, _) in self.rows() {
            let (mut rate, mut latency) = (Map::new(), Map::new());
            for peer in PEERS {
                let Some(value) = self.rate(row, peer) else {
                    continue;
                };
                rate.insert(peer.into(), json!(value.round() as u64));
                let at = |at: usize| self.median(row, peer, |said| said.latency[at]);
                let at = |index| at(index).unwrap_or_default() as u64;
                latency.insert(
                    peer.into(),
                    json!({"p50": at(0), "p99": at(1), "p99.9": at(2)}),
                );
            }
            rates.insert(row.into(), rate.into());
            latencies.insert(row.into(), latency.into());
        }
        (rates.into(), latencies.into())
    }
}

fn cells(title: &str, peers: &[&str], value: impl Fn(&str) -> Option<f64>) -> String {
    let cell = |peer: &&str| match value(peer) {
        Some(value) => format!("{value:10.0}"),
        None => format!("{:>10}", "-"),
    };
    let cells: String = peers.iter().map(cell).collect();
    format!("{title}{cells}\n")
}
