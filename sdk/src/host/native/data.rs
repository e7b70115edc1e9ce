//! Tables that a test made with `testing::table` and `testing::csv_table`, on its own thread.

use std::cell::RefCell;

/// As in the contract.
#[derive(Clone, Debug)]
pub(crate) enum Row {
    Values(Vec<String>),
    Object(String),
}

#[derive(Default)]
struct Table {
    name: String,
    columns: Vec<String>,
    rows: Vec<Row>,
    taken: u64,
    used: u64,
}

std::thread_local! {
    static TABLES: RefCell<Vec<Table>> = const { RefCell::new(Vec::new()) };
}

/// Makes a table, in place of one of this name.
pub(crate) fn keep(name: &str, columns: Vec<String>, rows: Vec<Row>) {
    TABLES.with_borrow_mut(|tables| {
        let table = Table { name: name.to_owned(), columns, rows, ..Table::default() };
        match tables.iter_mut().find(|known| known.name == name) {
            Some(known) => *known = table,
            None => tables.push(table),
        }
    });
}

fn with<R>(table: u32, function: impl FnOnce(&mut Table) -> R) -> R {
    TABLES.with_borrow_mut(|tables| function(&mut tables[table as usize]))
}

pub(crate) fn open(name: &str) -> Result<u32, String> {
    let found = TABLES.with_borrow(|tables| tables.iter().position(|table| table.name == name));
    found.and_then(|at| u32::try_from(at).ok()).ok_or_else(|| {
        format!("the table `{name}` was not given; a run gives it with --data {name}=FILE, a test with flashcrowd::testing::table")
    })
}

pub(crate) fn len(table: u32) -> u64 {
    with(table, |table| table.rows.len() as u64)
}

pub(crate) fn columns(table: u32) -> Vec<String> {
    with(table, |table| table.columns.clone())
}

pub(crate) fn get(table: u32, row: u64) -> Option<Row> {
    with(table, |table| table.rows.get(usize::try_from(row).ok()?).cloned())
}

pub(crate) fn next(table: u32) -> u64 {
    with(table, |table| {
        table.taken += 1;
        (table.taken - 1) % table.rows.len() as u64
    })
}

pub(crate) fn next_unique(table: u32) -> Option<u64> {
    with(table, |table| {
        table.used += 1;
        Some(table.used - 1).filter(|row| *row < table.rows.len() as u64)
    })
}

pub(crate) fn run_out(table: u32) {
    let (name, rows) = with(table, |table| (table.name.clone(), table.rows.len()));
    panic!("all {rows} rows of the table `{name}` are used");
}
