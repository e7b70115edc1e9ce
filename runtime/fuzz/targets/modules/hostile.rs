//! Core modules out of random bytes, and a scenario around a core module.

use std::sync::OnceLock;

use libfuzzer_sys::arbitrary::Unstructured;
use wasm_smith::{Config, Module};

/// A core module's section in a component.
const CORE_MODULE: u8 = 1;
/// Magic number, version and layer.
const PREAMBLE: usize = 8;

/// A core module, valid whatever the seed is.
pub fn module(seed: &[u8]) -> Option<Vec<u8>> {
    let config = Config {
        max_imports: 0,
        min_funcs: 1,
        allow_start_export: true,
        // What wasmtime has switched on by itself.
        threads_enabled: false,
        shared_everything_threads_enabled: false,
        gc_enabled: false,
        exceptions_enabled: false,
        memory64_enabled: false,
        custom_page_sizes_enabled: false,
        wide_arithmetic_enabled: false,
        max_memories: 2,
        ..Config::default()
    };
    Some(Module::new(config, &mut Unstructured::new(seed)).ok()?.to_bytes())
}

/// A component that is a scenario, with a core module inside: its export `run` is called, or it is only instantiated, which runs its start
/// function.
pub fn scenario(module: &[u8], calls: bool) -> Vec<u8> {
    let template = template(calls);
    let mut component = template[..PREAMBLE].to_vec();
    component.push(CORE_MODULE);
    leb128(module.len(), &mut component);
    component.extend_from_slice(module);
    component.extend_from_slice(&template[behind_first_section(template)..]);
    component
}

/// The component with an empty module in the place of the hostile one, which is its first section.
fn template(calls: bool) -> &'static [u8] {
    static TEMPLATES: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    let [calling, instantiating] = TEMPLATES.get_or_init(|| {
        let text = include_str!("scenario.wat");
        let instance = "(core instance $h (instantiate $hostile))";
        let apart = "(core instance $unused (instantiate $hostile)) (core module $nothing (func (export \"run\"))) \
                     (core instance $h (instantiate $nothing))";
        assert!(text.contains(instance));
        [text.to_owned(), text.replace(instance, apart)].map(|text| wat::parse_str(text).expect("a component"))
    });
    if calls { calling } else { instantiating }
}

fn behind_first_section(component: &[u8]) -> usize {
    assert_eq!(component[PREAMBLE], CORE_MODULE);
    let (mut at, mut length, mut shift) = (PREAMBLE + 1, 0, 0);
    loop {
        let byte = component[at];
        at += 1;
        length |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return at + length;
        }
    }
}

fn leb128(mut number: usize, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
