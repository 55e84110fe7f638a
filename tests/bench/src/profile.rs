//! Where the instructions of a request go: what QEMU's plugin has counted by address, by function.

use std::collections::HashMap;
use std::fmt::Write;

use crate::Fault;

/// Functions that are shown of each group.
const SHOWN: usize = 40;

/// Whose code it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Group {
    Kernel,
    Resin,
    Servers,
    Client,
}

impl Group {
    const ALL: [Group; 4] = [Group::Resin, Group::Kernel, Group::Servers, Group::Client];

    fn name(self) -> &'static str {
        match self {
            Group::Kernel => "kernel",
            Group::Resin => "resin",
            Group::Servers => "servers in user space",
            Group::Client => "client",
        }
    }
}

/// What is at which address, in order.
#[derive(Debug)]
struct Symbols<'a> {
    symbols: Vec<(u64, Group, &'a str)>,
}

impl<'a> Symbols<'a> {
    /// Reads lines as /proc/kallsyms has them.
    fn new(text: &'a str) -> Symbols<'a> {
        let symbol = |line: &'a str| {
            let mut words = line.split_whitespace();
            let address = u64::from_str_radix(words.next()?, 16).ok()?;
            let (_, name) = (words.next()?, words.next()?);
            let group = match words.next() {
                Some("[resin]") => Group::Resin,
                _ => Group::Kernel,
            };
            Some((address, group, name))
        };
        let mut symbols: Vec<_> = text.lines().filter_map(symbol).collect();
        symbols.sort_unstable();
        Symbols { symbols }
    }

    fn at(&self, address: u64) -> Option<(Group, &'a str)> {
        let after = self.symbols.partition_point(|&(at, ..)| at <= address);
        let &(_, group, name) = self.symbols.get(after.checked_sub(1)?)?;
        Some((group, name))
    }
}

/// Puts together what the plugin has counted and what the guest has said: the result of one row, and its
/// kernel's symbols. The client's code begins at `client`.
pub fn profile(counts: &str, said: &str, client: u64) -> Result<String, Fault> {
    let mut row = said.lines().filter(|line| line.contains('\t'));
    let row: Vec<&str> = row
        .next()
        .ok_or("no row was measured")?
        .split('\t')
        .collect();
    let &[name, peer, requests, busy, ..] = row.as_slice() else {
        return Err(format!("what is this: {row:?}"));
    };
    let number = |text: &str| text.parse::<f64>().map_err(|error| error.to_string());
    let (requests, busy) = (number(requests)?, number(busy)?);
    let symbols = Symbols::new(said);
    let mut functions: HashMap<(Group, &str), u64> = HashMap::new();
    for line in counts.lines() {
        let parsed = line.split_once(' ').and_then(|(address, count)| {
            Some((
                u64::from_str_radix(address, 16).ok()?,
                count.parse::<u64>().ok()?,
            ))
        });
        let (address, count) = parsed.ok_or_else(|| format!("what is this: {line}"))?;
        let function = match address {
            _ if address >> 63 == 1 => symbols.at(address).unwrap_or((Group::Kernel, "?")),
            _ if (client..2 * client).contains(&address) => (Group::Client, "all"),
            _ => (Group::Servers, "all"),
        };
        *functions.entry(function).or_default() += count;
    }
    let counted = functions.values().sum::<u64>() as f64;
    let mut text = format!(
        "{name} {peer}: {:.0} instructions a request; {:.0} by the guest's own clock\n",
        counted / requests,
        busy / requests
    );
    for group in Group::ALL {
        show(&mut text, group, &functions, requests);
    }
    Ok(text)
}

fn show(text: &mut String, group: Group, functions: &HashMap<(Group, &str), u64>, requests: f64) {
    let mut functions: Vec<(u64, &str)> = functions
        .iter()
        .filter(|((of, _), _)| *of == group)
        .map(|((_, name), count)| (*count, *name))
        .collect();
    if functions.is_empty() {
        return;
    }
    functions.sort_unstable_by(|a, b| b.cmp(a));
    let per_request = |count: u64| count as f64 / requests;
    let all = functions.iter().map(|(count, _)| count).sum();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "\n{:10.1}  {}", per_request(all), group.name());
    if functions.len() == 1 {
        return;
    }
    for (count, name) in functions.iter().take(SHOWN) {
        let name = format!("{:#}", rustc_demangle::demangle(name));
        let _ = writeln!(text, "{:10.1}    {name}", per_request(*count));
    }
    let rest = functions.iter().skip(SHOWN).map(|(count, _)| count).sum();
    let _ = writeln!(text, "{:10.1}    the rest", per_request(rest));
}
