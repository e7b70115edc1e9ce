//! The data files, and what modules expect of them.

use tokio::time::Instant;

use super::error::PrepareError;
use super::modules::Named;
use crate::data::{TableFile, Tables};
use crate::field_error::did_you_mean;
use crate::log::{Level, Log};
use crate::plan::Plan;

/// The tables, and among them all that the modules declare.
pub(super) fn load(given: &[TableFile], modules: &[Named], plan: &Plan, log: &Log) -> Result<Tables, PrepareError> {
    let called = |module: &Named| match modules {
        [_] => module.inspected.description.name.clone(),
        _ => module.name.clone(),
    };
    // What does not run needs nothing.
    let run = || modules.iter().zip(&plan.modules).filter(|(_, planned)| planned.runs).map(|(module, _)| module);
    let declared = || run().flat_map(|one| one.inspected.description.data.iter().map(move |table| (one, table)));
    // Before any file is read, which may take its time.
    let is_given = |name: &str| given.iter().any(|file| file.name == name);
    if let Some((module, table)) = declared().find(|(_, table)| !is_given(&table.name)) {
        return Err(PrepareError::MissingTable {
            name: table.name.clone(),
            module: called(module),
            help: table.in_words(),
        });
    }
    let begun = Instant::now();
    let tables = Tables::load(given)?;
    for table in tables.iter() {
        for (module, declared) in declared().filter(|(_, declared)| declared.name == table.name()) {
            if let Some(column) = declared.columns.iter().find(|column| !table.columns().contains(column)) {
                return Err(PrepareError::MissingColumn {
                    table: table.name().to_owned(),
                    column: column.clone(),
                    module: called(module),
                    remedy: did_you_mean(column, table.columns().iter().map(String::as_str)),
                });
            }
        }
        let (rows, mib) = (table.rows(), table.bytes() >> 20);
        log.runtime(Level::Debug, &format!("table `{}`: {rows} rows, {mib} MiB", table.name()));
    }
    if !given.is_empty() {
        log.runtime(Level::Debug, &format!("tables read in {:.0} ms", begun.elapsed().as_secs_f64() * 1e3));
    }
    Ok(tables)
}
