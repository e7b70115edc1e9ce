//! The crate carries its own copy of the contract, so that it can be used from anywhere. It must be the same.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

fn texts(folder: &Path) -> io::Result<BTreeMap<String, String>> {
    fs::read_dir(folder)?
        .map(|entry| {
            let entry = entry?;
            Ok((entry.file_name().to_string_lossy().into_owned(), fs::read_to_string(entry.path())?))
        })
        .collect()
}

#[test]
fn the_copy_of_the_contract_is_the_contract() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (own, shared) = (texts(&here.join("wit")).unwrap(), texts(&here.join("../wit")).unwrap());
    assert!(!own.is_empty());
    assert_eq!(own, shared, "sdk/wit is a copy of wit; copy it again: cp wit/*.wit sdk/wit/");
}
