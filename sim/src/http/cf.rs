//! What the platform tells a Worker about the client of a request, as `request.cf`.
//!
//! A client stands at its PoP, so place and country are the PoP's; everything else that a test needs it sets with
//! [`Client::with_cf`](crate::world::Client::with_cf). As JSON it has the names and forms of
//! <https://developers.cloudflare.com/workers/runtime-apis/request/#incomingrequestcfproperties> (read 2026-11-27).

use crate::topology::{LocationHint, Pop};
use serde::{Serialize, Serializer};

/// The properties of a request that Cloudflare adds.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cf {
    /// IATA code of the PoP that took the request.
    pub colo: String,
    /// Two-letter country code.
    pub country: Option<String>,
    /// Whether that country is in the European Union.
    #[serde(
        rename = "isEUCountry",
        skip_serializing_if = "is_false",
        serialize_with = "one"
    )]
    pub is_eu_country: bool,
    /// Two-letter code of the continent.
    pub continent: Option<String>,
    /// The city.
    pub city: Option<String>,
    /// First-level region, such as `Texas`.
    pub region: Option<String>,
    /// Its ISO 3166-2 code, such as `TX`.
    pub region_code: Option<String>,
    /// Postal code.
    pub postal_code: Option<String>,
    /// Metro code (DMA), such as `635`.
    pub metro_code: Option<String>,
    /// Degrees, north positive.
    #[serde(serialize_with = "degrees")]
    pub latitude: Option<f32>,
    /// Degrees, east positive.
    #[serde(serialize_with = "degrees")]
    pub longitude: Option<f32>,
    /// Time zone in the IANA database.
    pub timezone: String,
    /// Number of the autonomous system.
    pub asn: Option<u32>,
    /// Name of its organization.
    pub as_organization: Option<String>,
    /// HTTP version as `HTTP/1.1`.
    pub http_protocol: String,
    /// What a browser asked for, as `weight=192;exclusive=0;group=3;group-weight=127`.
    pub request_priority: Option<String>,
    /// TLS version, such as `TLSv1.3`.
    pub tls_version: String,
    /// Cipher suite.
    pub tls_cipher: String,
    /// The client's certificate, with mTLS.
    pub tls_client_auth: Option<TlsClientAuth>,
    /// What Bot Management found, for zones that have it.
    pub bot_management: Option<BotManagement>,
    /// Category of a verified bot.
    pub verified_bot_category: Option<String>,
    /// Metadata of a custom hostname.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_metadata: Option<serde_json::Value>,
}

/// The client's certificate.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[expect(
    missing_docs,
    reason = "the names are those of the certificate's fields"
)]
pub struct TlsClientAuth {
    #[serde(rename = "certIssuerDNLegacy")]
    pub cert_issuer_dn_legacy: String,
    #[serde(rename = "certIssuerDN")]
    pub cert_issuer_dn: String,
    #[serde(rename = "certIssuerDNRFC2253")]
    pub cert_issuer_dn_rfc2253: String,
    #[serde(rename = "certSubjectDNLegacy")]
    pub cert_subject_dn_legacy: String,
    #[serde(rename = "certVerified")]
    pub cert_verified: String,
    #[serde(rename = "certNotAfter")]
    pub cert_not_after: String,
    #[serde(rename = "certSubjectDN")]
    pub cert_subject_dn: String,
    #[serde(rename = "certFingerprintSHA1")]
    pub cert_fingerprint_sha1: String,
    #[serde(rename = "certFingerprintSHA256")]
    pub cert_fingerprint_sha256: String,
    #[serde(rename = "certNotBefore")]
    pub cert_not_before: String,
    #[serde(rename = "certSerial")]
    pub cert_serial: String,
    #[serde(rename = "certPresented")]
    pub cert_presented: String,
    #[serde(rename = "certSubjectDNRFC2253")]
    pub cert_subject_dn_rfc2253: String,
}

/// What Bot Management found.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BotManagement {
    /// From 1, a bot, to 99, a human.
    pub score: u32,
    /// Whether it is a good bot that is known.
    pub verified_bot: bool,
    /// Whether it comes through a corporate proxy.
    pub corporate_proxy: bool,
    /// Whether it asks for a static resource.
    pub static_resource: bool,
    /// JA3 fingerprint.
    pub ja3_hash: Option<String>,
    /// JA4 fingerprint.
    pub ja4: Option<String>,
    /// Whether the client passed the JavaScript detection; `None` where that is off.
    #[serde(serialize_with = "passed", skip_serializing_if = "Option::is_none")]
    pub js_detection: Option<bool>,
    /// Ids of the detections that matched.
    pub detection_ids: Vec<u32>,
}

impl Cf {
    /// A client that stands at a PoP, speaks this HTTP version and TLS 1.3. Its time zone is UTC: no PoP's is known here.
    pub fn at(pop: Pop, http_protocol: &str) -> Self {
        let (latitude, longitude) = pop.coordinates();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "degrees with four decimals"
        )]
        let (latitude, longitude) = (latitude as f32, longitude as f32);
        Self {
            colo: pop.code().to_owned(),
            country: Some(pop.country().to_owned()),
            is_eu_country: EU.contains(&pop.country()),
            continent: Some(continent(pop.region()).to_owned()),
            city: Some(pop.city().to_owned()),
            latitude: Some(latitude),
            longitude: Some(longitude),
            timezone: "UTC".to_owned(),
            http_protocol: http_protocol.to_owned(),
            tls_version: "TLSv1.3".to_owned(),
            // The example of Cloudflare's page.
            tls_cipher: "AEAD-AES128-GCM-SHA256".to_owned(),
            ..Self::default()
        }
    }
}

/// The members of the European Union (<https://european-union.europa.eu>, 27 since 2020).
const EU: [&str; 27] = [
    "AT", "BE", "BG", "HR", "CY", "CZ", "DK", "EE", "FI", "FR", "DE", "GR", "HU", "IE", "IT", "LV",
    "LT", "LU", "MT", "NL", "PL", "PT", "RO", "SK", "SI", "ES", "SE",
];

fn continent(region: LocationHint) -> &'static str {
    match region {
        LocationHint::Wnam | LocationHint::Enam => "NA",
        LocationHint::Sam => "SA",
        LocationHint::Weur | LocationHint::Eeur => "EU",
        LocationHint::Apac | LocationHint::Me => "AS",
        LocationHint::Oc => "OC",
        LocationHint::Afr => "AF",
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "Serde's signature")]
fn is_false(value: &bool) -> bool {
    !value
}

/// The platform writes `"1"`, or nothing.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "Serde's signature")]
fn one<S: Serializer>(_: &bool, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str("1")
}

/// The platform writes degrees as text with five decimals.
#[expect(clippy::ref_option, reason = "Serde's signature")]
fn degrees<S: Serializer>(value: &Option<f32>, to: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(degrees) => to.serialize_str(&format!("{degrees:.5}")),
        None => to.serialize_none(),
    }
}

#[expect(clippy::ref_option, reason = "Serde's signature")]
fn passed<S: Serializer>(value: &Option<bool>, to: S) -> Result<S::Ok, S::Error> {
    serde_json::json!({ "passed": value }).serialize(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_stands_at_its_pop_and_is_written_as_the_platform_does() {
        let cf = |code| {
            let pop = Pop::from_code(code).unwrap();
            serde_json::to_value(Cf::at(pop, "HTTP/2")).unwrap()
        };
        let frankfurt = cf("FRA");
        for (name, value) in [
            ("colo", "FRA"),
            ("country", "DE"),
            ("isEUCountry", "1"),
            ("continent", "EU"),
            ("city", "Frankfurt"),
            ("latitude", "50.03330"),
            ("longitude", "8.57060"),
            ("httpProtocol", "HTTP/2"),
            ("timezone", "UTC"),
        ] {
            assert_eq!(frankfurt[name], value, "{name}");
        }
        assert_eq!(frankfurt["asn"], serde_json::Value::Null);
        let mexico = cf("MEX");
        assert_eq!(mexico["continent"], "NA");
        assert!(mexico.get("isEUCountry").is_none());
    }
}
