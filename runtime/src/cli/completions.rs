//! `runtime completions`.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, print};
use crate::exit::Exit;

/// Arguments of `runtime completions`.
#[derive(Debug, clap::Args)]
pub(super) struct CompletionsArgs {
    /// Whose completions
    shell: Shell,
}

pub(super) fn execute(args: &CompletionsArgs) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "runtime", &mut script);
    print(&String::from_utf8_lossy(&script))
}
