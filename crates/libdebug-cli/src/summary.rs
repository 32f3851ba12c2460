//! Calls, errors and time, by name.

use std::collections::HashMap;
use std::time::Duration;

use libdebug::{TraceEvent, TraceWhat};
use serde_json::{Value, json};

#[derive(Debug, Default)]
struct Row {
    calls: u64,
    errors: u64,
    time: Duration,
}

/// What was seen of each call.
#[derive(Debug, Default)]
pub(crate) struct Summary(HashMap<String, Row>);

impl Summary {
    pub(crate) fn take(&mut self, event: &TraceEvent) {
        let TraceWhat::Exit(exit) = &event.what else { return };
        let row = self.0.entry(exit.enter.name.clone()).or_default();
        row.calls += 1;
        row.errors += u64::from(exit.error.is_some());
        row.time += exit.elapsed;
    }

    /// Most time first.
    fn sorted(&self) -> Vec<(&str, &Row)> {
        let mut rows: Vec<_> = self.0.iter().map(|(name, row)| (name.as_str(), row)).collect();
        rows.sort_by(|one, other| other.1.time.cmp(&one.1.time).then_with(|| one.0.cmp(other.0)));
        rows
    }

    pub(crate) fn as_text(&self) -> String {
        let all: Duration = self.0.values().map(|row| row.time).sum();
        let (calls, errors) =
            self.0.values().fold((0, 0), |sum, row| (sum.0 + row.calls, sum.1 + row.errors));
        let rule = "------ ----------- ----------- --------- --------- ----------------\n";
        let mut text = format!(
            "{:>6} {:>11} {:>11} {:>9} {:>9} syscall\n{rule}",
            "% time", "seconds", "usecs/call", "calls", "errors"
        );
        for (name, row) in self.sorted() {
            text += &line(row.time, all, row.calls, row.errors, name);
        }
        text + rule + &line(all, all, calls, errors, "total")
    }

    pub(crate) fn as_json(&self) -> Value {
        let row = |(name, row): (&str, &Row)| json!({"name": name, "calls": row.calls, "errors": row.errors, "seconds": row.time.as_secs_f64()});
        json!({"calls": self.sorted().into_iter().map(row).collect::<Vec<_>>()})
    }
}

fn line(time: Duration, all: Duration, calls: u64, errors: u64, name: &str) -> String {
    let seconds = time.as_secs_f64();
    let share = if all.is_zero() { 0.0 } else { seconds * 100.0 / all.as_secs_f64() };
    let each = (seconds * 1e6 / calls.max(1) as f64) as u64;
    let errors = if errors == 0 { String::new() } else { errors.to_string() };
    format!("{share:>6.2} {seconds:>11.6} {each:>11} {calls:>9} {errors:>9} {name}\n")
}
