//! Writes functions that no two are alike, until the module has megabytes of code.

use std::fmt::Write as _;
use std::path::Path;

/// So many make a module of about 3 MB.
const FUNCTIONS: u64 = 2150;

#[expect(clippy::print_stdout, reason = "how a build script talks to cargo")]
fn main() -> std::io::Result<()> {
    let mut text = String::new();
    for n in 0..FUNCTIONS {
        let (a, b, c) = (n * 7 + 3, n * n + 11, n % 23 + 2);
        // Writing into a text cannot fail.
        let _ = write!(
            text,
            "#[inline(never)]
            fn f{n}(x: u64, words: &mut Vec<String>) -> u64 {{
                let mut sum = x ^ {b};
                for (at, word) in words.iter().enumerate() {{
                    let at = at as u64;
                    sum = match (word.len() as u64 + at + {a}) % {c} {{
                        0 => sum.rotate_left({n} % 63).wrapping_mul({b} | 1),
                        1 => sum.wrapping_add(word.bytes().map(u64::from).fold({a}, |h, b| h.wrapping_mul({b} | 1) ^ b)),
                        2 => word.parse::<u64>().unwrap_or({a}) ^ sum,
                        3 => sum.wrapping_sub(word.char_indices().filter(|(i, _)| i % {c} == 1).count() as u64 * {a}),
                        _ => sum ^ at.wrapping_mul({a}),
                    }};
                }}
                let text = format!(\"{{sum:x}}-{n}-{{:>{c}}}\", sum % {a});
                if let Some(word) = words.iter_mut().find(|word| **word < text) {{
                    std::mem::swap(word, &mut text.clone());
                }} else {{
                    words.push(text);
                }}
                sum
            }}\n"
        );
    }
    let names: Vec<_> = (0..FUNCTIONS).map(|n| format!("f{n}")).collect();
    let _ = writeln!(text, "static ALL: [fn(u64, &mut Vec<String>) -> u64; {FUNCTIONS}] = [{}];", names.join(", "));
    let out = std::env::var_os("OUT_DIR").ok_or_else(|| std::io::Error::other("OUT_DIR is not set"))?;
    println!("cargo::rerun-if-changed=build.rs");
    std::fs::write(Path::new(&out).join("functions.rs"), text)
}
