//! What a finished run is turned into: pure functions from a [`Summary`] to text.
//!
//! A new format is a file of its own and a line in `formats!` below.

pub mod export;
pub mod handle_summary;
pub mod numbers;
pub mod text;

use crate::summary::Summary;

pub use numbers::TimeUnit;
pub use text::Mode;
pub use text::once::{self as tried, Tried, TriedCheck};

/// How to render.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rendering {
    /// How much the text says.
    pub mode: Mode,
    /// One unit for all times; by default each takes the unit that fits it.
    pub time_unit: Option<TimeUnit>,
    /// Whether to colour the text.
    pub colour: bool,
}

macro_rules! formats {
    ($($(#[$doc:meta])* $variant:ident => $render:path;)+) => {
        /// A way to write a summary.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Format {
            $($(#[$doc])* $variant,)+
        }

        impl Format {
            /// Every format.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Writes the summary.
            pub fn render(self, summary: &Summary, rendering: &Rendering) -> String {
                match self { $(Self::$variant => $render(summary, rendering),)+ }
            }
        }
    };
}

formats! {
    /// The end-of-test summary for people.
    Text => text::render;
    /// The data that `handle-summary` receives.
    HandleSummary => handle_summary::render;
    /// The file that `--summary-export` writes.
    Export => export::render;
}
