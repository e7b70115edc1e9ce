//! The server's integration tests: one binary, one module per question.

mod audit;
mod calls;
mod common;
mod concurrency;
mod docs;
mod knobs;
mod process;
