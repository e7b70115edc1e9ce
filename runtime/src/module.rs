//! A scenario module: read, checked against the contract, compiled, and described by itself.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};

use crate::engine::Engine;
use crate::host;
use crate::host::VuState;
use crate::host::bindings::ScenarioIndices;

/// The contract that this runtime speaks: any 0.1.x.
const CONTRACT: (u64, u64) = (0, 1);
/// The interface that every scenario exports.
const LIFECYCLE: &str = "flashcrowd:scenario/lifecycle@";
const PACKAGE: &str = "flashcrowd:scenario/";
/// The interface that a scenario may export beside, and its function.
const VU_LIFECYCLE: &str = "flashcrowd:scenario/vu-lifecycle@0.1.0";
const VU_INIT: &str = "vu-init";

/// A compiled module that can be instantiated.
pub struct Module {
    /// Where it was read from.
    pub path: PathBuf,
    /// The file's SHA-256, in hexadecimal digits.
    pub sha256: String,
    engine: Engine,
    component: Component,
    pre: InstancePre<VuState>,
    indices: ScenarioIndices,
    vu_init: Option<ComponentExportIndex>,
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Why a file is not a scenario that this runtime can run.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// The file cannot be read.
    #[error("{path}: cannot be read ({reason}); give the path of a compiled scenario, or of a scenario's crate folder")]
    Unreadable {
        /// As given.
        path: String,
        /// The system's word.
        reason: String,
    },
    /// The file is something else.
    #[error("{path}: is not WebAssembly; build a scenario with `runtime build` and give the .wasm file that it prints")]
    NotWasm {
        /// As given.
        path: String,
    },
    /// The file is a core module.
    #[error(
        "{path}: is a core WebAssembly module, not a component; build it for the target wasm32-wasip2, as `runtime build` does"
    )]
    CoreModule {
        /// As given.
        path: String,
    },
    /// The file is broken.
    #[error("{path}: is not a valid component ({reason}); build it again")]
    Invalid {
        /// As given.
        path: String,
        /// wasmtime's word.
        reason: String,
    },
    /// A component for something else.
    #[error(
        "{path}: is a component, but not a scenario: it exports {found} and not `flashcrowd:scenario/lifecycle`; a scenario is written \
         with the crate `flashcrowd`, or against the world `flashcrowd:scenario/scenario`"
    )]
    WrongWorld {
        /// As given.
        path: String,
        /// What it exports instead.
        found: String,
    },
    /// Made for another version of the contract.
    #[error(
        "{path}: was built for version {found} of the contract flashcrowd:scenario, and this runtime speaks {}.{}.x; {remedy}",
        CONTRACT.0, CONTRACT.1
    )]
    Version {
        /// As given.
        path: String,
        /// The module's version.
        found: String,
        /// Which of the two to update.
        remedy: &'static str,
    },
    /// It needs something that no scenario gets.
    #[error(
        "{path}: needs what a scenario cannot have ({reason}); a scenario may import flashcrowd:scenario and wasi 0.2"
    )]
    Imports {
        /// As given.
        path: String,
        /// wasmtime's word.
        reason: String,
    },
}

impl Module {
    /// Reads, checks and compiles a module.
    ///
    /// # Errors
    /// Whatever is wrong with the file, with its remedy.
    pub fn load(engine: &Engine, path: &Path) -> Result<Self, ModuleError> {
        let bytes = std::fs::read(path)
            .map_err(|error| ModuleError::Unreadable { path: path.display().to_string(), reason: error.to_string() })?;
        Self::from_bytes(engine, path, &bytes)
    }

    /// Checks and compiles a module that was read from `path`.
    ///
    /// # Errors
    /// As [`Module::load`].
    pub(crate) fn from_bytes(engine: &Engine, path: &Path, bytes: &[u8]) -> Result<Self, ModuleError> {
        let shown = path.display().to_string();
        check_header(bytes, &shown)?;
        let component = Component::from_binary(engine.wasmtime(), bytes)
            .map_err(|error| ModuleError::Invalid { path: shown, reason: format!("{error:#}") })?;
        Self::link(engine, component, path, sha256(bytes))
    }

    /// The same module for another engine, without compiling it again.
    ///
    /// # Errors
    /// As [`Module::load`].
    pub fn transfer(&self, engine: &Engine) -> Result<Self, ModuleError> {
        let shown = || self.path.display().to_string();
        let compiled = self
            .component
            .serialize()
            .map_err(|error| ModuleError::Invalid { path: shown(), reason: format!("{error:#}") })?;
        #[expect(unsafe_code, reason = "wasmtime cannot know where compiled code comes from")]
        // SAFETY: the bytes were made by `serialize` right above, in this process, and nobody could change them.
        let component = unsafe { Component::deserialize(engine.wasmtime(), compiled) }
            .map_err(|error| ModuleError::Invalid { path: shown(), reason: format!("{error:#}") })?;
        Self::link(engine, component, &self.path, self.sha256.clone())
    }

    fn link(engine: &Engine, component: Component, path: &Path, sha256: String) -> Result<Self, ModuleError> {
        let shown = || path.display().to_string();
        let names = Names::of(&component, engine);
        names.check(&shown())?;
        let imports = |error: wasmtime::Error| ModuleError::Imports { path: shown(), reason: format!("{error:#}") };
        let mut linker = Linker::new(engine.wasmtime());
        host::add_to_linker(&mut linker).map_err(imports)?;
        let pre = linker.instantiate_pre(&component).map_err(imports)?;
        let indices = ScenarioIndices::new(&pre).map_err(imports)?;
        let vu_init = component
            .get_export_index(None, VU_LIFECYCLE)
            .and_then(|interface| component.get_export_index(Some(&interface), VU_INIT));
        Ok(Self { path: path.to_owned(), sha256, engine: engine.clone(), component, pre, indices, vu_init })
    }

    /// What the module imports, sorted.
    #[must_use]
    pub fn imports(&self) -> Vec<String> {
        Names::of(&self.component, &self.engine).imports
    }

    pub(crate) const fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) const fn pre(&self) -> &InstancePre<VuState> {
        &self.pre
    }

    /// Where the exports stand that every scenario has.
    pub(crate) const fn indices(&self) -> &ScenarioIndices {
        &self.indices
    }

    /// Where `vu-init` stands, if the module exports it.
    pub(crate) const fn vu_init(&self) -> Option<&ComponentExportIndex> {
        self.vu_init.as_ref()
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// WebAssembly begins with a magic number, a version and a layer: 0 for a core module, 1 for a component.
fn check_header(bytes: &[u8], path: &str) -> Result<(), ModuleError> {
    match bytes {
        [0, b'a', b's', b'm', _, _, 1, 0, ..] => Ok(()),
        [0, b'a', b's', b'm', _, _, 0, 0, ..] => Err(ModuleError::CoreModule { path: path.to_owned() }),
        _ => Err(ModuleError::NotWasm { path: path.to_owned() }),
    }
}

struct Names {
    imports: Vec<String>,
    exports: Vec<String>,
}

impl Names {
    fn of(component: &Component, engine: &Engine) -> Self {
        let component = component.component_type();
        let mut imports: Vec<String> = component.imports(engine.wasmtime()).map(|(name, _)| name.to_owned()).collect();
        let mut exports: Vec<String> = component.exports(engine.wasmtime()).map(|(name, _)| name.to_owned()).collect();
        imports.sort();
        exports.sort();
        Self { imports, exports }
    }

    fn check(&self, path: &str) -> Result<(), ModuleError> {
        if !self.exports.iter().any(|name| name.starts_with(LIFECYCLE)) {
            let found = match self.exports.as_slice() {
                [] => "nothing".to_owned(),
                names => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
            };
            return Err(ModuleError::WrongWorld { path: path.to_owned(), found });
        }
        for name in self.exports.iter().chain(&self.imports) {
            let Some((_, version)) = name.strip_prefix(PACKAGE).and_then(|rest| rest.split_once('@')) else {
                continue;
            };
            if let Some(remedy) = mismatch(version) {
                return Err(ModuleError::Version { path: path.to_owned(), found: version.to_owned(), remedy });
            }
        }
        Ok(())
    }
}

/// What to do about a contract version that this runtime does not speak. Before 1.0, minor versions are incompatible (semver).
fn mismatch(version: &str) -> Option<&'static str> {
    let mut parts = version.split(['.', '-', '+']).map(|part| part.parse::<u64>().unwrap_or(u64::MAX));
    let found = (parts.next().unwrap_or(u64::MAX), parts.next().unwrap_or(u64::MAX));
    match found.cmp(&CONTRACT) {
        std::cmp::Ordering::Equal => None,
        std::cmp::Ordering::Greater => Some("update the runtime"),
        std::cmp::Ordering::Less => Some("build the module again with a current SDK"),
    }
}

/// What a module says of itself (`docs/describe.schema.json`).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Description {
    /// The version of the contract it was written against.
    #[serde(default)]
    pub contract: String,
    /// What it was written with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdk: Option<Sdk>,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its version.
    #[serde(default)]
    pub version: String,
    /// What it does.
    #[serde(default)]
    pub description: String,
    /// Who wrote it.
    #[serde(default)]
    pub authors: Vec<String>,
    /// The environment variables it reads.
    #[serde(default)]
    pub env: Vec<EnvVar>,
    /// The tables that it cannot do without.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<DataTable>,
    /// The scenario functions, in the order of their indices.
    #[serde(default)]
    pub functions: Vec<Function>,
    /// Whether `setup` does anything.
    #[serde(default)]
    pub setup: bool,
    /// Whether `vu-init` does anything.
    #[serde(default)]
    pub vu_init: bool,
    /// Whether `teardown` does anything.
    #[serde(default)]
    pub teardown: bool,
    /// Whether `handle-summary` does anything.
    #[serde(default)]
    pub handle_summary: bool,
    /// k6's options.
    #[serde(default)]
    pub options: serde_json::Value,
}

/// What a module was written with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sdk {
    /// Such as `flashcrowd`.
    pub name: String,
    /// Its version.
    #[serde(default)]
    pub version: String,
    /// Such as `rust`.
    #[serde(default)]
    pub language: String,
}

/// An environment variable that a module reads.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EnvVar {
    /// Its name.
    pub name: String,
    /// Its value unless `-e` gives another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// Whether the module cannot do without.
    #[serde(default)]
    pub required: bool,
    /// What it is for.
    #[serde(default)]
    pub help: String,
}

/// A table that a module reads.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DataTable {
    /// What `--data` must call it.
    pub name: String,
    /// Columns that it must have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// What is in it.
    #[serde(default)]
    pub help: String,
}

impl DataTable {
    /// Its columns and what is in it.
    #[must_use]
    pub fn in_words(&self) -> String {
        let columns = self.columns.join(", ");
        match (columns.is_empty(), self.help.is_empty()) {
            (true, true) => "it does not say what is in it".to_owned(),
            (true, false) => self.help.clone(),
            (false, true) => format!("columns {columns}"),
            (false, false) => format!("columns {columns}: {}", self.help),
        }
    }
}

/// A scenario function.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Function {
    /// What `exec` names.
    pub name: String,
    /// What `exec` may name as well.
    #[serde(default)]
    pub aliases: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_tells_what_a_file_is() {
        assert!(check_header(b"\0asm\x0d\0\x01\0", "a").is_ok());
        assert!(matches!(check_header(b"\0asm\x01\0\0\0", "a"), Err(ModuleError::CoreModule { .. })));
        assert!(matches!(check_header(b"#!/bin/sh", "a"), Err(ModuleError::NotWasm { .. })));
        assert!(matches!(check_header(b"", "a"), Err(ModuleError::NotWasm { .. })));
    }

    #[test]
    fn any_patch_of_the_contract_is_spoken_and_nothing_else() {
        assert_eq!(mismatch("0.1.0"), None);
        assert_eq!(mismatch("0.1.99"), None);
        assert_eq!(mismatch("0.2.0"), Some("update the runtime"));
        assert_eq!(mismatch("1.0.0"), Some("update the runtime"));
        assert_eq!(mismatch("0.0.9"), Some("build the module again with a current SDK"));
    }
}
