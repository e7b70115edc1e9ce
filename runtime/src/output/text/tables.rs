//! Break-downs by scenario, by request and by answer.

use super::style::{Style, cut, pad, pad_left, plain, width};
use super::{Page, Rendering, numbers};
use crate::summary::{Requests, Summary};

/// Rows shown of a break-down; the rest is named by its number.
const MAX_ROWS: usize = 20;

/// A longer name is cut.
const MAX_NAME_WIDTH: usize = 70;

/// Rows under named columns.
pub(super) struct Table {
    columns: Vec<&'static str>,
    rows: Vec<(String, Vec<String>)>,
}

impl Page<'_> {
    /// The table under its title; empty without rows.
    pub(super) fn table(&self, title: &str, table: &Table) -> String {
        if table.rows.is_empty() {
            return String::new();
        }
        let shown: Vec<(String, &Vec<String>)> =
            table.rows.iter().take(MAX_ROWS).map(|(name, cells)| (cut(&plain(name), MAX_NAME_WIDTH), cells)).collect();
        let names = shown.iter().map(|(name, _)| width(name)).max().unwrap_or(0).max(width(title)) + 2;
        let widths: Vec<usize> = (0..table.columns.len())
            .map(|column| {
                let cells = shown.iter().map(|(_, cells)| width(&cells[column]));
                cells.max().unwrap_or(0).max(width(table.columns[column]))
            })
            .collect();
        let columns = |cells: &[String]| {
            cells.iter().zip(&widths).map(|(cell, width)| format!("  {}", pad_left(cell, *width))).collect::<String>()
        };
        let head: Vec<String> = table.columns.iter().map(|column| (*column).to_owned()).collect();
        let heading = format!("{} {}", self.title(title), " ".repeat(names.saturating_sub(width(title) + 1)));
        let mut lines = vec![format!("  {heading}{}", self.paint.with(Style::Faint, &columns(&head))), String::new()];
        for (name, cells) in &shown {
            let dots = pad("", names - width(name), '.');
            lines.push(format!("    {name}{}{}", self.paint.with(Style::Faint, &dots), columns(cells)));
        }
        if table.rows.len() > MAX_ROWS {
            lines.push(format!("    … and {} more", table.rows.len() - MAX_ROWS));
        }
        lines.join("\n")
    }
}

/// Where there are several scenarios.
pub(super) fn scenarios(summary: &Summary, rendering: &Rendering) -> Table {
    let shown = if summary.scenarios.len() > 1 { &summary.scenarios[..] } else { &[] };
    let any = |count: fn(&crate::summary::ScenarioRow) -> u64| shown.iter().any(|row| count(row) > 0);
    let (errors, dropped) = (any(|row| row.iteration_errors), any(|row| row.dropped_iterations));
    let requests = any(|row| row.requests.count);
    let mut columns = vec!["iterations"];
    columns.extend(errors.then_some("errors"));
    columns.extend(dropped.then_some("dropped"));
    if requests {
        columns.extend(["requests", "failed", "med", "p(95)", "max"]);
    }
    let rows = shown.iter().map(|row| {
        let mut cells = vec![row.iterations.to_string()];
        cells.extend(errors.then(|| row.iteration_errors.to_string()));
        cells.extend(dropped.then(|| row.dropped_iterations.to_string()));
        if requests {
            cells.extend([row.requests.count.to_string(), failed(&row.requests)]);
            cells.extend(times(&row.requests, rendering));
        }
        (row.name.clone(), cells)
    });
    Table { columns, rows: rows.collect() }
}

/// Where there are several kinds of requests.
pub(super) fn names(summary: &Summary, rendering: &Rendering) -> Table {
    let shown = if summary.names.len() > 1 { &summary.names[..] } else { &[] };
    let rows = shown.iter().map(|row| {
        let mut cells = vec![row.requests.count.to_string(), failed(&row.requests)];
        cells.extend(times(&row.requests, rendering));
        (format!("{} {}", row.method, row.name).trim().to_owned(), cells)
    });
    Table { columns: vec!["requests", "failed", "med", "p(95)", "max"], rows: rows.collect() }
}

/// Where not all answers were alike, or some failed.
pub(super) fn answers(summary: &Summary, rendering: &Rendering) -> Table {
    let rows = &summary.answers;
    let all: u64 = rows.iter().map(|row| row.requests.count).sum();
    let worth_it = rows.len() > 1 || rows.iter().any(|row| row.requests.failed > 0);
    let rows = rows.iter().filter(|_| worth_it).map(|row| {
        let name = match (row.status.as_str(), row.error_code.as_str()) {
            ("0" | "", "") => "no answer".to_owned(),
            ("0" | "", code) => {
                format!("no answer: {} ({code})", if row.error.is_empty() { "error" } else { &row.error })
            }
            (status, code) if code.is_empty() || row.error.is_empty() => format!("status {status}"),
            (status, code) => format!("status {status}: {} ({code})", row.error),
        };
        let share = row.requests.count as f64 / all.max(1) as f64;
        let mut cells = vec![row.requests.count.to_string(), numbers::percent(share)];
        cells.extend(times(&row.requests, rendering));
        (name, cells)
    });
    Table { columns: vec!["requests", "share", "med", "p(95)", "max"], rows: rows.collect() }
}

fn failed(requests: &Requests) -> String {
    numbers::percent(requests.failed as f64 / requests.count.max(1) as f64)
}

fn times(requests: &Requests, rendering: &Rendering) -> [String; 3] {
    [requests.med_ms, requests.p95_ms, requests.max_ms].map(|time| numbers::time(time, rendering.time_unit))
}
