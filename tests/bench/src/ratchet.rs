//! Whether a request costs more than it did.

use std::collections::BTreeMap;

use crate::report::Numbers;
use crate::Fault;

/// By how much a row may get worse: what another seed or another layout of the code may do by itself.
const TOLERANCE: f64 = 0.03;

/// What resin's requests cost, by row.
type Costs = BTreeMap<String, u64>;

fn costs(numbers: &Numbers) -> Costs {
    let cost = |name: &str| Some((name.into(), numbers.median(name, "resin")?.round() as u64));
    numbers.lines().filter_map(|line| cost(line.name)).collect()
}

/// What to compare with from now on.
pub fn baseline(numbers: &Numbers) -> Result<String, Fault> {
    let text = serde_json::to_string_pretty(&costs(numbers)).map_err(|e| e.to_string())?;
    Ok(text + "\n")
}

/// Compares. The text is for people; it is a fault if a row has got worse.
pub fn compare(baseline: &str, numbers: &Numbers) -> Result<String, Fault> {
    let before: Costs = serde_json::from_str(baseline).map_err(|error| error.to_string())?;
    let now = costs(numbers);
    let (mut text, mut failed) = (String::new(), 0);
    for (row, &before) in &before {
        let Some(&now) = now.get(row) else {
            failed += 1;
            text += &format!("{row:4} was not measured\n");
            continue;
        };
        let change = now as f64 / before as f64 - 1.0;
        let verdict = match change {
            _ if change > TOLERANCE => "FAILED",
            _ if change < -TOLERANCE => "better: --ratchet --update keeps it so",
            _ => "ok",
        };
        failed += usize::from(change > TOLERANCE);
        let percent = change * 100.0;
        text += &format!("{row:4} {now:8} instructions a request, before {before:8} ({percent:+.1} %)  {verdict}\n");
    }
    let passed = before.len() - failed;
    text += &format!("bench: {passed} passed, {failed} failed\n");
    if failed == 0 {
        Ok(text)
    } else {
        Err(format!(
            "requests cost more than 3 % more than they did\n{text}"
        ))
    }
}
