//! `runtime version`.

/// Name, version, and what it was built for.
pub(super) fn text() -> String {
    format!(
        "runtime {} (contract flashcrowd:scenario@0.1, {}-{})\n",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH
    )
}
