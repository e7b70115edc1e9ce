//! The plan's network, with what the person who runs the test adds by flags: authorities, a certificate, a proxy.

use std::path::{Path, PathBuf};

use crate::field_error::FieldError;
use crate::http::tls::{Identity, Tls, TlsError, TlsOptions, certificates, private_key};
use crate::http::{ClientSettings, Proxy, Resolver};
use crate::plan::{Plan, PlannedModule};

/// What flags say of the network. Files are read here, so that the error names the flag.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkFlags {
    /// `--ca-cert`: authorities that are trusted beside the system's.
    pub ca_certs: Vec<PathBuf>,
    /// `--client-cert`: what is shown to servers that ask for a certificate.
    pub client_cert: Option<PathBuf>,
    /// `--client-key`: its key; the certificate's file may hold it as well.
    pub client_key: Option<PathBuf>,
    /// `--proxy`.
    pub proxy: Option<String>,
    /// `--no-proxy`.
    pub no_proxy: Vec<String>,
}

impl NetworkFlags {
    /// The part of a module's client settings that is about the network. `hosts_are_granted` says whether the person who runs the test gave
    /// the option `hosts`, and not the module.
    ///
    /// # Errors
    /// A file that cannot be read or does not hold what it should, a proxy that is none, versions and ciphers that contradict each other.
    pub fn settings(
        &self,
        plan: &Plan,
        module: &PlannedModule,
        hosts_are_granted: bool,
    ) -> Result<ClientSettings, FieldError> {
        let network = plan.network.clone();
        let mut authorities = Vec::new();
        for path in &self.ca_certs {
            authorities.extend(read("--ca-cert", path, certificates)?);
        }
        let mut identities = module.identities.clone();
        identities.extend(self.identity()?);
        let tls = Tls::new(TlsOptions {
            skip_verify: network.skip_tls_verify,
            versions: network.tls_versions,
            suites: network.cipher_suites,
            authorities,
            identities,
        });
        let proxy = match &self.proxy {
            Some(url) => Some(Proxy::new(url, &self.no_proxy)?),
            None if self.no_proxy.is_empty() => None,
            None => {
                return Err(FieldError::bare("--no-proxy", "has no effect without --proxy; give both or none"));
            }
        };
        Ok(ClientSettings {
            resolver: Resolver::new(network.dns),
            hosts: network.hosts,
            hosts_are_granted,
            host_blocks: network.host_blocks,
            address_blocks: network.address_blocks,
            local_addresses: network.local_addresses,
            proxy,
            tls: tls.map_err(|error| FieldError::bare("tlsVersion, tlsCipherSuites, tlsAuth", error.to_string()))?,
            http_version: network.http_version,
            ..ClientSettings::default()
        })
    }

    fn identity(&self) -> Result<Option<Identity>, FieldError> {
        let Some(cert) = &self.client_cert else {
            return match &self.client_key {
                None => Ok(None),
                Some(_) => Err(FieldError::bare("--client-key", "has no effect without --client-cert; give both")),
            };
        };
        let key = match &self.client_key {
            Some(key) => read("--client-key", key, private_key)?,
            None => read("--client-cert", cert, private_key).map_err(|error| FieldError {
                problem: format!("{}; give the key's file by --client-key", error.problem),
                ..error
            })?,
        };
        Ok(Some(Identity { hosts: None, chain: read("--client-cert", cert, certificates)?, key }))
    }
}

fn read<T>(flag: &str, path: &Path, parse: impl Fn(&[u8]) -> Result<T, TlsError>) -> Result<T, FieldError> {
    let shown = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|error| {
        FieldError::new(flag, &shown, format!("cannot be read ({error}); give a file with PEM text"))
    })?;
    parse(&bytes).map_err(|error| FieldError::new(flag, shown, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;
    use crate::plan::{FunctionInfo, ModuleInfo, Scale};

    fn error(flags: NetworkFlags) -> String {
        let function = FunctionInfo { name: "default".to_owned(), aliases: Vec::new() };
        let module = ModuleInfo { functions: vec![function] };
        let plan = Plan::resolve(&Options::default(), &module, Scale::new(1.0, 1.0).unwrap()).unwrap();
        flags.settings(&plan, &plan.modules[0], true).unwrap_err().to_string()
    }

    #[test]
    fn files_that_hold_something_else_are_named() {
        let here = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
        let wrong = error(NetworkFlags { ca_certs: vec![here.clone()], ..NetworkFlags::default() });
        assert!(
            wrong.starts_with("--ca-cert: ") && wrong.contains("Cargo.toml holds no certificate in PEM"),
            "{wrong}"
        );
        let wrong = error(NetworkFlags { client_cert: Some(here), ..NetworkFlags::default() });
        assert!(
            wrong.starts_with("--client-cert: ") && wrong.ends_with("give the key's file by --client-key"),
            "{wrong}"
        );
        let missing = error(NetworkFlags { ca_certs: vec!["nowhere.pem".into()], ..NetworkFlags::default() });
        assert!(missing.starts_with("--ca-cert: nowhere.pem cannot be read"), "{missing}");
    }

    #[test]
    fn what_has_no_effect_alone_is_refused() {
        let key = error(NetworkFlags { client_key: Some("a".into()), ..NetworkFlags::default() });
        assert_eq!(key, "--client-key: has no effect without --client-cert; give both");
        let direct = error(NetworkFlags { no_proxy: vec!["a".to_owned()], ..NetworkFlags::default() });
        assert_eq!(direct, "--no-proxy: has no effect without --proxy; give both or none");
        let proxy = error(NetworkFlags { proxy: Some("socks5://a".to_owned()), ..NetworkFlags::default() });
        assert_eq!(proxy, "--proxy: \"socks5://a\" is no URL of a proxy; write http://host:port");
    }
}
