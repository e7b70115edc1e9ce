//! `runtime new`: a scenario's crate that builds and runs as it is.

use std::path::{Path, PathBuf};

/// Arguments of `runtime new`.
#[derive(Debug, clap::Args)]
pub(super) struct NewArgs {
    /// The crate's name; its folder is made here
    pub(super) name: String,

    /// The folder of the `flashcrowd` SDK crate [default: the SDK of the clone that this runtime was built from]
    #[arg(long, value_name = "DIR")]
    pub(super) sdk: Option<PathBuf>,
}

/// Why there is no new crate.
#[derive(Debug, thiserror::Error)]
pub enum NewError {
    /// Not a crate's name.
    #[error(
        "`{name}` cannot be a crate's name; use small letters, digits, dashes and underscores, beginning with a letter"
    )]
    Name {
        /// As given.
        name: String,
    },
    /// Something is there.
    #[error("{path}: is there already; choose another name, or remove it first")]
    Exists {
        /// As given.
        path: String,
    },
    /// The SDK's folder is none.
    #[error("--sdk {path}: has no Cargo.toml; give the folder of the crate `flashcrowd`")]
    Sdk {
        /// As given.
        path: String,
    },
    /// There is no SDK to be found.
    #[error(
        "the clone that this runtime was built from is gone, and with it the SDK; name the folder of the crate `flashcrowd` with --sdk DIR"
    )]
    NoSdk,
    /// The disk says no.
    #[error("{path}: cannot be written ({reason})")]
    Write {
        /// Which file.
        path: String,
        /// The system's word.
        reason: String,
    },
}

/// What a new crate is made of; `{{name}}` and `{{sdk}}` are filled in.
const FILES: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("../../templates/scenario/Cargo.toml.in")),
    ("src/lib.rs", include_str!("../../templates/scenario/src/lib.rs.in")),
    ("README.md", include_str!("../../templates/scenario/README.md.in")),
    (".gitignore", include_str!("../../templates/scenario/gitignore.in")),
];

/// Makes the crate below `parent`; gives its folder.
///
/// # Errors
/// When the name is none, or the folder exists or cannot be written.
pub(super) fn create(args: &NewArgs, parent: &Path) -> Result<PathBuf, NewError> {
    if !is_crate_name(&args.name) {
        return Err(NewError::Name { name: args.name.clone() });
    }
    let sdk = match &args.sdk {
        Some(folder) if !folder.join("Cargo.toml").is_file() => {
            return Err(NewError::Sdk { path: folder.display().to_string() });
        }
        Some(folder) => folder.clone(),
        None => sdk_beside_source().ok_or(NewError::NoSdk)?,
    };
    let folder = parent.join(&args.name);
    if folder.exists() {
        return Err(NewError::Exists { path: folder.display().to_string() });
    }
    let dependency = format!("{{ path = {:?} }}", path_to(&sdk, &folder).display().to_string());
    for (file, template) in FILES {
        let path = folder.join(file);
        let text = template.replace("{{name}}", &args.name).replace("{{sdk}}", &dependency);
        let written = path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&path, text));
        written.map_err(|error| NewError::Write { path: path.display().to_string(), reason: error.to_string() })?;
    }
    Ok(folder)
}

/// What to type next.
pub(super) fn next_steps(name: &str) -> String {
    format!(
        "Made {name}/. Its scenario stands in {name}/src/lib.rs. Next:\n\n    runtime run {name} -e BASE_URL=http://127.0.0.1:8080\n"
    )
}

/// A runtime that was built from source uses the SDK it was built with.
fn sdk_beside_source() -> Option<PathBuf> {
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?.join("sdk");
    sdk.join("Cargo.toml").is_file().then_some(sdk)
}

/// How a crate in this folder names the SDK: from where it stands if both are in one clone, which may then be moved or checked in; else
/// by the whole path, as nobody knows which of the two will be moved.
fn path_to(sdk: &Path, folder: &Path) -> PathBuf {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let (sdk, folder) = (absolute(sdk), absolute(folder));
    let inside = sdk.parent().and_then(|clone| folder.strip_prefix(clone).ok());
    match (inside, sdk.file_name()) {
        (Some(inside), Some(name)) => inside.components().map(|_| "..").collect::<PathBuf>().join(name),
        _ => sdk,
    }
}

fn is_crate_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_inside_the_clone_names_the_sdk_from_where_it_stands() {
        let path = |folder: &str| path_to(Path::new("/src/flashcrowd/sdk"), Path::new(folder)).display().to_string();
        assert_eq!(path("/src/flashcrowd/scenarios/shop"), "../../sdk");
        assert_eq!(path("/src/flashcrowd/shop"), "../sdk");
        assert_eq!(path("/src/shop"), "/src/flashcrowd/sdk");
    }

    #[test]
    fn a_name_that_cargo_would_refuse_is_refused_first() {
        for name in ["shop", "shop-2", "flash_sale"] {
            assert!(is_crate_name(name), "{name}");
        }
        for name in ["", "2shop", "Shop", "a b", "../x", "a/b", "é"] {
            assert!(!is_crate_name(name), "{name}");
        }
    }
}
