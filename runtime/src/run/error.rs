//! Why a test is not run.

use crate::destinations::FolderError;
use crate::engine::EngineError;
use crate::exit::Exit;
use crate::field_error::FieldError;
use crate::module::ModuleError;
use crate::open_files::TooFewFiles;

/// Why a test cannot be run. Nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The module.
    #[error(transparent)]
    Module(#[from] ModuleError),
    /// The module's own word about itself.
    #[error("{path}: cannot be described: {reason}")]
    Describe {
        /// The module.
        path: String,
        /// Why.
        reason: String,
    },
    /// An option or a flag.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A variable that the module cannot do without.
    #[error("{name} is not set, and {module} needs it ({help}); give it with `-e {name}=VALUE`")]
    MissingVariable {
        /// The variable.
        name: String,
        /// The module's name.
        module: String,
        /// What it is for.
        help: String,
    },
    /// A table that the module cannot do without.
    #[error("the table `{name}` was not given, and {module} needs it ({help}); give it with `--data {name}=FILE`")]
    MissingTable {
        /// The table.
        name: String,
        /// The module's name.
        module: String,
        /// What it is.
        help: String,
    },
    /// A column that the module cannot do without.
    #[error("the table `{table}` has no column `{column}`, and {module} needs it; {remedy}")]
    MissingColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The module's name.
        module: String,
        /// Which columns there are.
        remedy: String,
    },
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The folder of `--allow-write`.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// An output.
    #[error("{flag} {path}: cannot be written ({reason}); give a path in a folder that exists")]
    Output {
        /// The flag that names it.
        flag: &'static str,
        /// As given.
        path: String,
        /// The system's word.
        reason: String,
    },
    /// The API's address.
    #[error("--address {address}: cannot be listened at ({reason}); give another port, or 0 for any that is free")]
    Address {
        /// As given.
        address: String,
        /// The system's word.
        reason: String,
    },
    /// The limit of open files.
    #[error(transparent)]
    OpenFiles(#[from] TooFewFiles),
    /// The machine.
    #[error("this machine refuses what a run needs: {0}")]
    System(String),
}

impl PrepareError {
    /// A module that fails to say what it is has thrown an exception; everything else is a configuration that cannot be run.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Describe { .. } => Exit::ScenarioException,
            Self::Address { .. } => Exit::CannotListen,
            _ => Exit::InvalidConfig,
        }
    }
}
