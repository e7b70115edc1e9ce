//! `flashcrowd:scenario/data`.

use super::bindings::flashcrowd::scenario::data;
use super::limits::short;
use super::state::{Departure, Position, VuState};
use crate::data::{Row, Table};
use crate::log::Level;
use crate::stop::StopReason;

impl data::Host for VuState {
    fn open(&mut self, name: String) -> wasmtime::Result<Result<u32, String>> {
        short("a table's name", &name)?;
        if matches!(self.position, Position::Describe) {
            wasmtime::bail!("`describe` has no data: read the table `{name}` in `setup` or the scenario function");
        }
        Ok(self.test().data.find(&name))
    }

    fn len(&mut self, table: u32) -> wasmtime::Result<u64> {
        Ok(self.data_table(table)?.rows())
    }

    fn columns(&mut self, table: u32) -> wasmtime::Result<Vec<String>> {
        Ok(self.data_table(table)?.columns().to_vec())
    }

    fn get(&mut self, table: u32, row: u64) -> wasmtime::Result<Option<data::Row>> {
        Ok(self.data_table(table)?.row(row).map(|row| match row {
            Row::Values(values) => data::Row::Values(values),
            Row::Object(text) => data::Row::Object(text.to_owned()),
        }))
    }

    fn next(&mut self, table: u32) -> wasmtime::Result<u64> {
        Ok(self.data_table(table)?.next())
    }

    fn next_unique(&mut self, table: u32) -> wasmtime::Result<Option<u64>> {
        Ok(self.data_table(table)?.next_unique())
    }

    fn run_out(&mut self, table: u32) -> wasmtime::Result<()> {
        let table = self.data_table(table)?;
        let reason = format!("all {} rows of the table `{}` are used", table.rows(), table.name());
        if !matches!(self.position, Position::Iteration { .. }) {
            // Before the load there is none to end well: fewer rows than virtual users are a mistake in the plan.
            self.departure = Some(Departure::FailIteration(reason));
            wasmtime::bail!("ran out of rows");
        }
        if table.first_to_run_out() {
            self.say(Level::Info, &format!("the load ends: {reason}"));
        }
        self.test().stop.graceful(StopReason::Scenario(reason.clone()));
        self.departure = Some(Departure::RunOut(reason));
        wasmtime::bail!("ran out of rows")
    }
}

impl VuState {
    /// The table behind a module's number.
    fn data_table(&self, number: u32) -> wasmtime::Result<&Table> {
        match self.test().data.get(number) {
            Some(table) => Ok(table),
            None => wasmtime::bail!("table number {number} was never opened"),
        }
    }
}
