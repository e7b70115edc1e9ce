//! Measures what the shape of the contract's hot path costs: the same iteration through different shapes, with a host that answers
//! at once, so that nothing but the contract and the runtime's settings differ. See `README.md`.

mod alloc;
mod bench;
mod bindings;
mod cases;
mod guest;
mod host;
mod table;

use std::io::Write as _;

fn main() -> wasmtime::Result<()> {
    let module = guest::build()?;
    let mut benches = bench::prepare(&module, cases::CASES)?;
    let results = bench::run(&mut benches)?;
    write!(std::io::stdout().lock(), "{}", table::markdown(&results))?;
    Ok(())
}
