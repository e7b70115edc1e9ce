//! The tags that the runtime sets by itself, and which of them a run keeps.

use std::fmt;

macro_rules! system_tags {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $default:literal;)+) => {
        /// A tag that the runtime sets by itself.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum SystemTag {
            $($(#[$doc])* $variant,)+
        }

        impl SystemTag {
            /// Every system tag.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The tag's name, as k6 has it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Whether a run keeps the tag unless told otherwise.
            pub const fn is_default(self) -> bool {
                match self { $(Self::$variant => $default,)+ }
            }
        }
    };
}

system_tags! {
    /// The protocol, such as `HTTP/1.1`.
    Proto = "proto", true;
    /// The WebSocket subprotocol.
    Subproto = "subproto", true;
    /// The HTTP status; `0` when there was no answer.
    Status = "status", true;
    /// The HTTP method.
    Method = "method", true;
    /// The URL, or the name where one is given.
    Url = "url", true;
    /// The name that groups URLs.
    Name = "name", true;
    /// The path of the group, such as `::outer::inner`.
    Group = "group", true;
    /// The check's name.
    Check = "check", true;
    /// What went wrong, in words.
    Error = "error", true;
    /// k6's code for what went wrong.
    ErrorCode = "error_code", true;
    /// The TLS version.
    TlsVersion = "tls_version", true;
    /// The scenario's name.
    Scenario = "scenario", true;
    /// The RPC service.
    Service = "service", true;
    /// Whether the answer was an expected one.
    ExpectedResponse = "expected_response", true;
    /// The virtual user's number.
    Vu = "vu", false;
    /// The iteration's number.
    Iter = "iter", false;
    /// The server's address.
    Ip = "ip", false;
}

/// The set of system tags that a run keeps.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SystemTags(u32);

impl SystemTags {
    /// No system tag at all.
    pub const NONE: Self = Self(0);

    /// The set with these names.
    ///
    /// # Errors
    /// A name that is no system tag.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, UnknownSystemTag> {
        let mut set = Self::NONE;
        for name in names {
            let tag = SystemTag::ALL
                .iter()
                .find(|tag| tag.name() == name)
                .ok_or_else(|| UnknownSystemTag { name: name.to_owned() })?;
            set = set.with(*tag);
        }
        Ok(set)
    }

    /// The set with one more tag.
    #[must_use]
    pub const fn with(self, tag: SystemTag) -> Self {
        Self(self.0 | 1 << tag as u32)
    }

    /// Whether the tag is kept.
    pub const fn contains(self, tag: SystemTag) -> bool {
        self.0 & (1 << tag as u32) != 0
    }

    /// The names, in k6's order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        SystemTag::ALL.iter().filter(move |tag| self.contains(**tag)).map(|tag| tag.name())
    }
}

impl Default for SystemTags {
    fn default() -> Self {
        SystemTag::ALL.iter().filter(|tag| tag.is_default()).fold(Self::NONE, |set, tag| set.with(*tag))
    }
}

impl fmt::Debug for SystemTags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// A name that is no system tag.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a system tag; use names out of: {}", SystemTag::ALL.iter().map(|tag| tag.name()).collect::<Vec<_>>().join(", "))]
pub struct UnknownSystemTag {
    /// What was given.
    pub name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_k6s() {
        let names: Vec<_> = SystemTags::default().names().collect();
        assert_eq!(
            names,
            [
                "proto",
                "subproto",
                "status",
                "method",
                "url",
                "name",
                "group",
                "check",
                "error",
                "error_code",
                "tls_version",
                "scenario",
                "service",
                "expected_response"
            ]
        );
    }

    #[test]
    fn names_make_a_set_and_an_unknown_one_is_named() {
        let set = SystemTags::from_names(["vu", "status"]).unwrap();
        assert_eq!(set.names().collect::<Vec<_>>(), ["status", "vu"]);
        assert!(!set.contains(SystemTag::Url));
        let error = SystemTags::from_names(["statsu"]).unwrap_err();
        insta::assert_snapshot!(error, @"`statsu` is not a system tag; use names out of: proto, subproto, status, method, url, name, group, check, error, error_code, tls_version, scenario, service, expected_response, vu, iter, ip");
    }
}
