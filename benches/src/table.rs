//! The table of results, for the terminal and for a page.

use crate::budget::{Budget, Limits};
use crate::times::Time;
use std::fmt::Write as _;

/// What one message of a case costs, without the transport's own part.
#[derive(Clone, Debug)]
pub struct Row {
    /// The case.
    pub name: &'static str,
    /// By the clock.
    pub time: Time,
    /// Counted by callgrind, where there is one.
    pub instructions: Option<f64>,
    /// Counted.
    pub allocations: u64,
    /// What it may cost.
    pub budget: Option<Budget>,
}

/// Draws the rows of a scene, their times also as ratios to those of the cases `against`.
#[must_use]
pub fn draw(title: &str, rows: &[Row], against: &[&str], markdown: bool) -> String {
    let budgets = rows.iter().any(|row| row.budget.is_some());
    let mut headings: Vec<String> = ["case", "ns", "instructions", "allocations"].map(str::to_owned).into();
    headings.extend(against.iter().map(|case| format!("time: {case}")));
    headings.extend(["must", "aim"].into_iter().filter(|_| budgets).map(str::to_owned));
    let numbers = 3 + against.len();
    let mut cells = vec![headings];
    cells.extend(rows.iter().map(|row| {
        let ratios = against.iter().map(|case| {
            let other = rows.iter().find(|row| row.name == *case)?;
            Some(row.time.median / other.time.median)
        });
        let ratios: Vec<Option<f64>> = ratios.collect();
        let judged = |limits: Option<Limits>| {
            limits.map_or_else(String::new, |limits| judge(row, ratios.last().copied().flatten(), &limits))
        };
        let mut cells = vec![
            row.name.to_owned(),
            format!("{:.0} ± {:.0}", row.time.median, row.time.spread),
            row.instructions.map_or_else(|| "-".to_owned(), |count| format!("{count:.0}")),
            row.allocations.to_string(),
        ];
        cells.extend(ratios.iter().map(|ratio| ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"))));
        if budgets {
            cells.push(judged(row.budget.map(|budget| budget.must)));
            cells.push(judged(row.budget.and_then(|budget| budget.aim)));
        }
        cells
    }));
    let mut drawn = if markdown { format!("### {title}\n\n") } else { format!("{title}\n") };
    let width = |column: usize| {
        cells.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    for (number, row) in cells.iter().enumerate() {
        let padded = row.iter().enumerate().map(|(column, cell)| format!("{cell:<width$}", width = width(column)));
        let padded = padded.collect::<Vec<_>>();
        // Writing to a text cannot fail.
        let _ = if markdown {
            writeln!(drawn, "| {} |", padded.join(" | "))
        } else {
            writeln!(drawn, "  {}", padded.join("  ").trim_end())
        };
        if markdown && number == 0 {
            let _ = writeln!(drawn, "|---|{}{}", "---:|".repeat(numbers), if budgets { "---|---|" } else { "" });
        }
    }
    drawn
}

/// The limits that there are, and whether they hold.
fn judge(row: &Row, ratio: Option<f64>, limits: &Limits) -> String {
    let mut texts = Vec::new();
    let mut broken = false;
    let mut check = |text: String, holds: bool| {
        broken |= !holds;
        texts.push(if holds { text } else { format!("{text}!") });
    };
    if let (Some(limit), Some(ratio)) = (limits.ratio, ratio) {
        check(format!("{limit:.2}"), ratio <= limit);
    }
    if let Some(limit) = limits.nanoseconds {
        check(format!("{limit:.0} ns"), row.time.median <= limit);
    }
    if let (Some(limit), Some(count)) = (limits.instructions, row.instructions) {
        check(format!("{limit} instr."), count <= f64::from(limit));
    }
    if let Some(limit) = limits.allocations {
        check(format!("{limit} alloc."), row.allocations <= limit);
    }
    format!("{}: {}", if broken { "BROKEN" } else { "holds" }, texts.join(", "))
}
