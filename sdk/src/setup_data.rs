//! Setup's data: from `#[setup]` through the runtime to every virtual user.

use std::cell::OnceCell;
use std::thread::LocalKey;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::host;

/// What `setup` returned, as the runtime keeps it: JSON, or nothing for `()`.
///
/// # Errors
/// If the value cannot be JSON, such as a map whose keys are no texts.
pub fn encode_data<T: Serialize>(data: &T) -> Result<Option<Vec<u8>>, String> {
    let bytes =
        serde_json::to_vec(data).map_err(|error| format!("what setup returned cannot be written as JSON: {error}"))?;
    Ok((bytes != b"null").then_some(bytes))
}

/// Runs `function` with the data, which is made at the first call and kept.
///
/// # Errors
/// If there is no data, or data of another shape.
pub fn with_data<T: DeserializeOwned + 'static, R>(
    name: &str,
    cell: &'static LocalKey<OnceCell<T>>,
    function: impl FnOnce(&T) -> Result<R, String>,
) -> Result<R, String> {
    cell.with(|cell| {
        let data = match cell.get() {
            Some(data) => data,
            None => {
                let data = owned_data(name)?;
                cell.get_or_init(|| data)
            }
        };
        function(data)
    })
}

/// The data, made afresh.
///
/// # Errors
/// If there is no data, or data of another shape.
pub fn owned_data<T: DeserializeOwned>(name: &str) -> Result<T, String> {
    std::thread_local! {
        static BYTES: OnceCell<Option<Vec<u8>>> = const { OnceCell::new() };
    }
    BYTES.with(|bytes| decode(name, bytes.get_or_init(host::execution::setup_data).as_deref()))
}

fn decode<T: DeserializeOwned>(name: &str, bytes: Option<&[u8]>) -> Result<T, String> {
    serde_json::from_slice(bytes.unwrap_or(b"null")).map_err(|error| match bytes {
        Some(_) => format!("what setup returned does not fit the argument of `{name}`: {error}"),
        None => format!("`{name}` takes setup's data, but setup returned nothing, or did not run"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_comes_back_as_it_went() {
        let data = vec![(1, "a".to_owned())];
        let bytes = encode_data(&data).unwrap();
        assert_eq!(decode::<Vec<(u8, String)>>("pay", bytes.as_deref()), Ok(data));
    }

    #[test]
    fn nothing_is_nothing() {
        assert_eq!(encode_data(&()), Ok(None));
        assert_eq!(decode::<()>("pay", None), Ok(()));
        assert_eq!(decode::<Option<u8>>("pay", None), Ok(None));
    }

    #[test]
    fn what_does_not_fit_is_explained() {
        assert_eq!(
            decode::<u8>("pay", None).unwrap_err(),
            "`pay` takes setup's data, but setup returned nothing, or did not run"
        );
        assert_eq!(
            decode::<u8>("pay", Some(b"\"x\"")).unwrap_err(),
            "what setup returned does not fit the argument of `pay`: invalid type: string \"x\", expected u8 at line 1 column 3"
        );
    }
}
