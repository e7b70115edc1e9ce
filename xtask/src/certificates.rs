//! Certificates for servers on this machine, made anew for each of them.

use std::path::Path;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::shell::Failure;

/// Who signs certificates.
pub struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its private key, both as PEM.
pub struct Identity {
    /// The certificate.
    pub certificate: Certificate,
    /// Its private key.
    pub key: KeyPair,
}

impl Authority {
    /// An authority of this name that nobody trusts yet.
    ///
    /// # Errors
    /// If there is no randomness.
    pub fn new(name: &str) -> Result<Self, Failure> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        Ok(Self { certificate, issuer: Issuer::new(params, key) })
    }

    /// The authority's own certificate.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// A server's certificate for these names and addresses, changed as wished before it is signed.
    ///
    /// # Errors
    /// If a name is none.
    pub fn server(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Result<Identity, Failure> {
        self.issue(names, ExtendedKeyUsagePurpose::ServerAuth, change)
    }

    /// A client's certificate for this name.
    ///
    /// # Errors
    /// If the name is none.
    pub fn client(&self, name: &str) -> Result<Identity, Failure> {
        self.issue(&[name], ExtendedKeyUsagePurpose::ClientAuth, |_| {})
    }

    fn issue(
        &self,
        names: &[&str],
        usage: ExtendedKeyUsagePurpose,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Result<Identity, Failure> {
        let mut params = server_params(names)?;
        params.extended_key_usages = vec![usage];
        change(&mut params);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Identity { certificate, key })
    }
}

impl Identity {
    /// A certificate for these names that vouches for itself.
    ///
    /// # Errors
    /// If a name is none.
    pub fn self_signed(names: &[&str]) -> Result<Self, Failure> {
        let key = KeyPair::generate()?;
        Ok(Self { certificate: server_params(names)?.self_signed(&key)?, key })
    }

    /// Writes `NAME.pem` and `NAME.key`.
    ///
    /// # Errors
    /// If the folder takes no files.
    pub fn write(&self, folder: &Path, name: &str) -> Result<(), Failure> {
        std::fs::write(folder.join(format!("{name}.pem")), self.certificate.pem())?;
        std::fs::write(folder.join(format!("{name}.key")), self.key.serialize_pem())?;
        Ok(())
    }
}

fn server_params(names: &[&str]) -> Result<CertificateParams, Failure> {
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())?;
    params.distinguished_name.push(DnType::CommonName, names.first().copied().unwrap_or("nobody"));
    Ok(params)
}
