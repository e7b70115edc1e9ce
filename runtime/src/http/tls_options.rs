//! TLS as the options say it: `tlsVersion`, `tlsCipherSuites`, `tlsAuth`.

use serde_json::Value;

use super::hosts::HostPatterns;
use super::tls::{CipherSuites, Identity, TlsVersion, TlsVersions, certificates, private_key};
use crate::field_error::{FieldError, did_you_mean};

/// Versions that k6 knows and that nobody should speak any more.
const BROKEN: [&str; 3] = ["ssl3.0", "tls1.0", "tls1.1"];

impl TlsVersions {
    /// Reads k6's `tlsVersion`: one version, or `{"min": …, "max": …}`.
    ///
    /// # Errors
    /// Another shape, a version that there is not, or one that is not spoken any more.
    pub fn from_json(value: &Value) -> Result<Self, FieldError> {
        let mut versions = Self::default();
        match value {
            Value::String(text) if text.trim().is_empty() => {}
            Value::String(text) => {
                let version = TlsVersion::from_text(text)?;
                versions = Self { min: version, max: version };
            }
            Value::Object(fields) => {
                for (key, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
                    let text = value.as_str().unwrap_or_default();
                    let read = || TlsVersion::from_text(text).map_err(|error| error.within(key));
                    match key.as_str() {
                        // The lowest that is allowed need not be the lowest that is spoken.
                        "min" if BROKEN.contains(&text) => {}
                        "min" => versions.min = read()?,
                        "max" => versions.max = read()?,
                        _ => return Err(FieldError::unknown_key(key, key, ["min", "max"])),
                    }
                }
            }
            _ => return Err(FieldError::json("", value, "is no version; write \"tls1.3\" or {\"min\": \"tls1.2\"}")),
        }
        if versions.min > versions.max {
            return Err(FieldError::json("", value, "has a min above its max; swap them"));
        }
        Ok(versions)
    }
}

impl TlsVersion {
    fn from_text(text: &str) -> Result<Self, FieldError> {
        let known = [Self::Tls12, Self::Tls13];
        known.into_iter().find(|version| version.as_str() == text).ok_or_else(|| {
            let problem = if BROKEN.contains(&text) {
                "is not supported by this version, as it is broken; use tls1.2 or tls1.3".to_owned()
            } else {
                format!("is no version of TLS; {}", did_you_mean(text, known.iter().map(|version| version.as_str())))
            };
            FieldError::new("", format!("\"{text}\""), problem)
        })
    }
}

impl CipherSuites {
    /// Reads k6's `tlsCipherSuites`: a list of names.
    ///
    /// # Errors
    /// No list, or a suite that is not supported.
    pub fn from_json(value: &Value) -> Result<Self, FieldError> {
        let names = crate::options::read::list(value)?;
        Self::from_names(&names).map_err(|name| {
            let known = Self::names();
            let problem = format!("is no cipher suite that is supported; use {}", known.join(", "));
            FieldError::new("", format!("\"{name}\""), problem)
        })
    }
}

impl Identity {
    /// Reads k6's `tlsAuth`: a list of `{"domains": […], "cert": PEM, "key": PEM}`.
    ///
    /// # Errors
    /// Another shape, or text that is not PEM.
    pub fn list_from_json(value: &Value) -> Result<Vec<Self>, FieldError> {
        let items = super::addresses::items(value)?;
        let read =
            |(index, item): (usize, &Value)| Self::from_json(item).map_err(|error| error.within(&format!("[{index}]")));
        items.iter().enumerate().map(read).collect()
    }

    fn from_json(value: &Value) -> Result<Self, FieldError> {
        const KEYS: [&str; 4] = ["domains", "cert", "key", "password"];
        let Value::Object(fields) = value else {
            return Err(FieldError::json(
                "",
                value,
                "is not an object; write {\"domains\": [], \"cert\": \"…\", \"key\": \"…\"}",
            ));
        };
        if let Some(key) = fields.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(FieldError::unknown_key(key, key, KEYS));
        }
        if fields.get("password").is_some_and(|password| password.as_str().is_some_and(|text| !text.is_empty())) {
            let problem =
                "is not supported by this version; decrypt the key first: openssl pkey -in KEY -out PLAIN_KEY";
            return Err(FieldError::bare("password", problem));
        }
        let pem = |key: &str| {
            fields.get(key).and_then(Value::as_str).ok_or_else(|| FieldError::missing(key, "give its text in PEM"))
        };
        let hosts = match fields.get("domains") {
            None | Some(Value::Null) => None,
            Some(domains) if domains.as_array().is_some_and(Vec::is_empty) => None,
            Some(domains) => Some(HostPatterns::from_json(domains).map_err(|error| error.within("domains"))?),
        };
        Ok(Self {
            hosts,
            chain: certificates(pem("cert")?.as_bytes())
                .map_err(|error| FieldError::bare("cert", error.to_string()))?,
            key: private_key(pem("key")?.as_bytes()).map_err(|error| FieldError::bare("key", error.to_string()))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn versions_are_one_or_a_range() {
        let read = |value: Value| TlsVersions::from_json(&value);
        let both = TlsVersions::default();
        assert_eq!(read(json!("")), Ok(both));
        assert_eq!(read(json!("tls1.3")), Ok(TlsVersions { min: TlsVersion::Tls13, ..both }));
        assert_eq!(read(json!({"min": "tls1.0", "max": "tls1.2"})), Ok(TlsVersions { max: TlsVersion::Tls12, ..both }));
        let error = |value: Value| read(value).unwrap_err().to_string();
        assert!(error(json!("tls1.1")).contains("is broken; use tls1.2 or tls1.3"));
        assert!(error(json!({"max": "tls1.0"})).starts_with("max: "));
        assert!(error(json!({"min": "tls1.3", "max": "tls1.2"})).contains("swap them"));
        assert!(error(json!({"mni": "tls1.3"})).contains("did you mean `min`?"));
        assert!(error(json!(3)).contains("is no version"));
    }

    #[test]
    fn suites_and_identities_are_explained() {
        let error = CipherSuites::from_json(&json!(["TLS_RSA_WITH_RC4_128_SHA"])).unwrap_err().to_string();
        assert!(error.contains("TLS_AES_128_GCM_SHA256"), "{error}");
        let error = |value: Value| Identity::list_from_json(&value).unwrap_err().to_string();
        assert_eq!(
            error(json!([{"cert": "x"}])),
            "[0].cert: holds no certificate in PEM (nothing in it begins like one); it begins with -----BEGIN CERTIFICATE-----"
        );
        assert!(error(json!([{"cert": "x", "key": "y", "password": "z"}])).contains("openssl pkey"));
        assert!(error(json!([{"crt": "x"}])).contains("did you mean `cert`?"));
    }
}
