//! The measured module: one function for each shape. An iteration is: write a 30-byte JSON body, POST it with one header, check the
//! status, drop everything.

mod alloc;
mod iterations;

/// Bindings that take borrowed strings and lists: what crosses the boundary is all there is.
mod bindings {
    wit_bindgen::generate!({
        world: "shapes",
        path: "../wit",
        ownership: Borrowing { duplicate_if_necessary: false },
    });
}

/// Bindings of wit-bindgen's default kind: records own their strings and lists.
mod owned {
    wit_bindgen::generate!({ world: "owned", path: "../wit", type_section_suffix: "owned" });
}

struct Module;

#[expect(unsafe_code, reason = "generated code")]
mod export {
    use super::{Module, bindings};
    bindings::export!(Module with_types_in bindings);
}

impl bindings::Guest for Module {
    fn functions() -> Vec<String> {
        iterations::FUNCTIONS.iter().map(|(name, _)| (*name).to_owned()).collect()
    }

    fn run(function: u32) -> Result<(), String> {
        let (_, iteration) = iterations::FUNCTIONS.get(function as usize).ok_or("no such function")?;
        iteration()
    }

    fn run_nothing(function: u32) {
        if let Err(reason) = Self::run(function) {
            panic!("{reason}");
        }
    }

    fn run_named(function: String) -> Result<(), String> {
        let (_, iteration) =
            iterations::FUNCTIONS.iter().find(|(name, _)| *name == function).ok_or("no such function")?;
        iteration()
    }

    fn allocations() -> u64 {
        alloc::count()
    }
}
