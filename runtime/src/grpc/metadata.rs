//! Metadata: the headers and trailers of calls that are the application's.

use std::time::Duration;

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::status::{Code, Status};

/// Names and values; the values of names that end in `-bin` are bytes, those of others text.
pub(crate) type Metadata = Vec<(String, Vec<u8>)>;

/// Padding is not sent, and taken where it is.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_encode_padding(false).with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The names that belong to the protocol.
const RESERVED: [&str; 6] = ["te", "content-type", "content-length", "host", "connection", "transfer-encoding"];

/// Refuses metadata that would not arrive as what it is.
pub(crate) fn check(metadata: &Metadata) -> Result<(), Status> {
    for (name, value) in metadata {
        let is_name = !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.".contains(&byte));
        let is_own = !name.starts_with("grpc-") && !RESERVED.contains(&name.as_str());
        let is_value = name.ends_with("-bin") || value.iter().all(|byte| (b' '..=b'~').contains(byte));
        if !is_name || !is_own || !is_value {
            let shown: String = name.chars().take(100).collect();
            let detail = format_args!(
                "`{shown}` or its value cannot be sent; names are lower-case letters, digits, `-`, `_` and `.`, do not begin with `grpc-`, \
                 and end in `-bin` if the value is not printable ASCII"
            );
            return Err(Status::own(Code::INTERNAL, "invalid metadata", detail));
        }
    }
    Ok(())
}

/// Adds checked metadata to a request's headers.
pub(super) fn write(metadata: Metadata, headers: &mut HeaderMap) -> Result<(), Status> {
    for (name, value) in metadata {
        let value = if name.ends_with("-bin") { BASE64.encode(value).into_bytes() } else { value };
        let invalid = |error: &dyn std::fmt::Display| Status::own(Code::INTERNAL, "invalid metadata", error);
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| invalid(&error))?;
        headers.append(name, HeaderValue::from_bytes(&value).map_err(|error| invalid(&error))?);
    }
    Ok(())
}

/// The application's part of what was received, without the protocol's own.
pub(crate) fn text(headers: &HeaderMap) -> Metadata {
    let mut metadata = Metadata::new();
    for (name, value) in headers {
        let name = name.as_str();
        if name == "content-type" || name.starts_with("grpc-") && name != "grpc-status-details-bin" {
            continue;
        }
        if !name.ends_with("-bin") {
            metadata.push((name.to_owned(), value.as_bytes().to_vec()));
            continue;
        }
        // Several values may share a line.
        for part in value.as_bytes().split(|byte| *byte == b',') {
            let part = part.trim_ascii();
            let bytes = BASE64.decode(part).unwrap_or_else(|_| part.to_vec());
            metadata.push((name.to_owned(), bytes));
        }
    }
    metadata
}

/// A deadline as `grpc-timeout` has it: at most eight digits and a unit. Rounded up: the server must not give up before this side does.
pub(super) fn timeout(timeout: Duration) -> HeaderValue {
    const MOST: u128 = 99_999_999;
    let nanoseconds = timeout.as_nanos();
    let units = [(1, 'n'), (1_000, 'u'), (1_000_000, 'm'), (1_000_000_000, 'S'), (60_000_000_000, 'M')];
    let fitting =
        units.iter().map(|(length, unit)| (nanoseconds.div_ceil(*length), *unit)).find(|(count, _)| *count <= MOST);
    let (count, unit) = fitting.unwrap_or((MOST, 'H'));
    HeaderValue::from_str(&format!("{count}{unit}")).unwrap_or_else(|_| HeaderValue::from_static("1H"))
}

/// `grpc-message`: percent-encoded UTF-8. What cannot be decoded is taken as it is.
pub(super) fn percent_decoded(text: &[u8]) -> String {
    let bytes: Vec<u8> = percent_encoding::percent_decode(text).collect();
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Whether this is `/package.Service/Method`; gives service and method.
pub(crate) fn is_method_path(path: &str) -> Option<(&str, &str)> {
    let (service, method) = path.strip_prefix('/')?.split_once('/')?;
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
    };
    (is_name(service) && is_name(method)).then_some((service, method))
}
