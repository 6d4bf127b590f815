//! An authority that certifies servers and clients, and revokes them.

use std::{fs, path::Path};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};

/// A certificate authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, PEM.
pub(crate) struct Certified {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Certified {
    /// Writes `NAME.pem` and `NAME.key` into a folder; the key first, for a service that watches.
    pub(crate) fn write(&self, folder: &Path, name: &str) {
        fs::write(folder.join(format!("{name}.key")), &self.key).expect("the key is not written");
        fs::write(folder.join(format!("{name}.pem")), &self.certificate).expect("the certificate is not written");
    }
}

impl Authority {
    /// A new one.
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate"))
    }

    /// Its own certificate, PEM.
    pub(crate) fn certificate(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a server on this machine.
    pub(crate) fn server(&self) -> Certified {
        self.certify(vec![SanType::DnsName("localhost".try_into().expect("a name"))], 1, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A certificate for a client with one name, `URI:…` or `DNS:…`.
    pub(crate) fn client(&self, name: &str, serial: u64) -> Certified {
        let san = match name.split_once(':') {
            Some(("URI", uri)) => SanType::URI(uri.try_into().expect("a URI")),
            Some(("DNS", host)) => SanType::DnsName(host.try_into().expect("a host")),
            _ => panic!("{name}"),
        };
        self.certify(vec![san], serial, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn certify(&self, names: Vec<SanType>, serial: u64, purpose: ExtendedKeyUsagePurpose) -> Certified {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        params.serial_number = Some(SerialNumber::from(serial));
        params.extended_key_usages = vec![purpose];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().expect("a key");
        Certified { certificate: params.signed_by(&key, &self.0).expect("a certificate").pem(), key: key.serialize_pem() }
    }

    /// A list that revokes these serial numbers, PEM.
    pub(crate) fn revocations(&self, serials: &[u64]) -> String {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 1),
            next_update: date_time_ymd(2040, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.0).expect("a list").pem().expect("PEM")
    }
}
