//! [`Cf`]: what the platform tells of the client, as `request.cf`.
//!
//! A client of the simulator stands at its PoP: place and country are the PoP's. Everything else is what the test has set with
//! `Client::with_cf`, and `None` where it set nothing.

use crate::Result;
use crate::js_sys::Object;
use crate::wasm_bindgen::JsValue;
use send_wrapper::SendWrapper;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::rc::Rc;

/// What is known of the client of a request.
#[derive(Debug, Clone)]
pub struct Cf {
    // Shared with the simulator's own request; `Send` is upstream's promise, kept by a check of the thread.
    inner: SendWrapper<Rc<edgeproof_sim::http::Cf>>,
}

impl Cf {
    /// The IATA code of the PoP that took the request, as `LUX`.
    pub fn colo(&self) -> String {
        self.inner.colo.clone()
    }

    /// The HTTP version, as `HTTP/2`.
    pub fn http_protocol(&self) -> String {
        self.inner.http_protocol.clone()
    }

    /// The city.
    pub fn city(&self) -> Option<String> {
        self.inner.city.clone()
    }

    /// The two-letter country code.
    pub fn country(&self) -> Option<String> {
        self.inner.country.clone()
    }

    /// The two-letter code of the continent, as `NA`.
    pub fn continent(&self) -> Option<String> {
        self.inner.continent.clone()
    }

    /// The first-level region, as `Texas`.
    pub fn region(&self) -> Option<String> {
        self.inner.region.clone()
    }

    /// The code of that region, as `TX`.
    pub fn region_code(&self) -> Option<String> {
        self.inner.region_code.clone()
    }

    /// The postal code.
    pub fn postal_code(&self) -> Option<String> {
        self.inner.postal_code.clone()
    }

    /// The metro code (DMA), as `635`.
    pub fn metro_code(&self) -> Option<String> {
        self.inner.metro_code.clone()
    }

    /// The name of the autonomous system's organization.
    pub fn as_organization(&self) -> Option<String> {
        self.inner.as_organization.clone()
    }

    /// The category of a verified bot.
    pub fn verified_bot_category(&self) -> Option<String> {
        self.inner.verified_bot_category.clone()
    }

    /// The cipher suite of the connection, as `AEAD-AES128-GCM-SHA256`.
    pub fn tls_cipher(&self) -> String {
        self.inner.tls_cipher.clone()
    }

    /// The TLS version of the connection, as `TLSv1.3`.
    pub fn tls_version(&self) -> String {
        self.inner.tls_version.clone()
    }

    /// The name of the time zone.
    pub fn timezone_name(&self) -> String {
        self.inner.timezone.clone()
    }

    /// The time zone.
    ///
    /// # Errors
    /// [`crate::Error::RustError`] when its name is not known.
    #[cfg(feature = "timezone")]
    pub fn timezone(&self) -> Result<impl chrono::TimeZone> {
        Ok(self.inner.timezone.parse::<chrono_tz::Tz>()?)
    }

    /// The number of the autonomous system.
    pub fn asn(&self) -> Option<u32> {
        self.inner.asn
    }

    /// Latitude and longitude in degrees.
    pub fn coordinates(&self) -> Option<(f32, f32)> {
        self.inner.latitude.zip(self.inner.longitude)
    }

    /// Whether the country is in the European Union.
    pub fn is_eu_country(&self) -> bool {
        self.inner.is_eu_country
    }

    /// What Bot Management found, for zones that have it.
    pub fn bot_management(&self) -> Option<BotManagement> {
        self.inner.bot_management.clone().map(BotManagement)
    }

    /// The client's certificate, with Cloudflare Access or API Shield.
    pub fn tls_client_auth(&self) -> Option<TlsClientAuth> {
        self.inner.tls_client_auth.clone().map(TlsClientAuth)
    }

    /// The metadata of a custom hostname.
    ///
    /// # Errors
    /// [`crate::Error::JsError`] when it has another shape than `T`.
    pub fn host_metadata<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let Some(metadata) = &self.inner.host_metadata else {
            return Ok(None);
        };
        let serializer = serde_wasm_bindgen::Serializer::json_compatible();
        let value = metadata.serialize(&serializer)?;
        serde_wasm_bindgen::from_value(value)
            .map(Some)
            .map_err(|error| JsValue::from(error.to_string()).into())
    }

    /// The priority a browser asked for.
    ///
    /// # Panics
    /// When a test has set another text than `weight=192;exclusive=0;group=3;group-weight=127`, as upstream does.
    pub fn request_priority(&self) -> Option<RequestPriority> {
        let text = self.inner.request_priority.as_deref()?;
        let mut priority = RequestPriority {
            weight: 1,
            exclusive: false,
            group: 0,
            group_weight: 0,
        };
        for pair in text.split(';') {
            let (name, value) = pair.split_once('=').expect("a name and a value");
            let number = || value.parse().expect("a number");
            match name {
                "weight" => priority.weight = number(),
                "exclusive" => priority.exclusive = value == "1",
                "group" => priority.group = number(),
                "group-weight" => priority.group_weight = number(),
                other => panic!("a priority has no {other}"),
            }
        }
        Some(priority)
    }

    /// What the simulator holds, to pass it on.
    pub(crate) fn shared(&self) -> Rc<edgeproof_sim::http::Cf> {
        Rc::clone(&self.inner)
    }
}

impl From<Rc<edgeproof_sim::http::Cf>> for Cf {
    fn from(inner: Rc<edgeproof_sim::http::Cf>) -> Self {
        Self {
            inner: SendWrapper::new(inner),
        }
    }
}

/// The `cf` object of a response, as an extension of a response of the crate `http`.
#[derive(Clone, Debug)]
pub struct CfResponseProperties(Object);

impl CfResponseProperties {
    /// The object.
    pub fn into_raw(self) -> Object {
        self.0
    }

    /// The object as a `T`.
    ///
    /// # Errors
    /// [`crate::Error`] when it has another shape.
    pub fn try_into<T: DeserializeOwned>(self) -> Result<T> {
        Ok(serde_wasm_bindgen::from_value(self.into_raw().into())?)
    }
}

impl From<Object> for CfResponseProperties {
    fn from(object: Object) -> Self {
        Self(object)
    }
}

/// The priority a browser asked for.
#[derive(Debug, Clone, Copy)]
pub struct RequestPriority {
    /// HTTP/2 weight.
    pub weight: usize,
    /// HTTP/2 exclusive flag.
    pub exclusive: bool,
    /// HTTP/2 stream of the request's group.
    pub group: usize,
    /// HTTP/2 weight of that group.
    pub group_weight: usize,
}

/// The client's certificate.
#[derive(Debug)]
pub struct TlsClientAuth(edgeproof_sim::http::TlsClientAuth);

macro_rules! certificate {
    ($($name:ident),*) => {
        impl TlsClientAuth {
            $(
                #[doc = concat!("The field `", stringify!($name), "`.")]
                pub fn $name(&self) -> String {
                    self.0.$name.clone()
                }
            )*
        }
    };
}

certificate!(
    cert_issuer_dn_legacy,
    cert_issuer_dn,
    cert_issuer_dn_rfc2253,
    cert_subject_dn_legacy,
    cert_verified,
    cert_not_after,
    cert_subject_dn,
    cert_fingerprint_sha1,
    cert_fingerprint_sha256,
    cert_not_before,
    cert_serial,
    cert_presented,
    cert_subject_dn_rfc2253
);

/// What Bot Management found.
#[derive(Debug, Clone, PartialEq)]
pub struct BotManagement(edgeproof_sim::http::BotManagement);

impl BotManagement {
    /// From 1, a bot, to 99, a human.
    pub fn score(&self) -> u32 {
        self.0.score
    }

    /// Whether it is a good bot that is known.
    pub fn verified_bot(&self) -> bool {
        self.0.verified_bot
    }

    /// Whether it comes through a corporate proxy.
    pub fn corporate_proxy(&self) -> bool {
        self.0.corporate_proxy
    }

    /// Whether it asks for a static resource.
    pub fn static_resource(&self) -> bool {
        self.0.static_resource
    }

    /// The JA3 fingerprint.
    pub fn ja3_hash(&self) -> Option<String> {
        self.0.ja3_hash.clone()
    }

    /// The JA4 fingerprint.
    pub fn ja4(&self) -> Option<String> {
        self.0.ja4.clone()
    }

    /// What the JavaScript detection found, where that is on.
    pub fn js_detection(&self) -> Option<JsDetection> {
        self.0.js_detection.map(JsDetection)
    }

    /// The ids of the detections that matched.
    pub fn detection_ids(&self) -> Vec<u32> {
        self.0.detection_ids.clone()
    }
}

/// What the JavaScript detection found.
#[derive(Debug, Clone, PartialEq)]
pub struct JsDetection(bool);

impl JsDetection {
    /// Whether the client passed.
    pub fn passed(&self) -> bool {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgeproof_sim::http;
    use serde_json::json;

    fn cf(known: http::Cf) -> Cf {
        Rc::new(known).into()
    }

    #[test]
    fn every_property_is_the_one_of_its_name() {
        let text = |name: &str| Some(name.to_owned());
        let cf = cf(http::Cf {
            colo: "MEX".to_owned(),
            country: text("country"),
            is_eu_country: true,
            continent: text("continent"),
            city: text("city"),
            region: text("region"),
            region_code: text("region code"),
            postal_code: text("postal code"),
            metro_code: text("metro code"),
            latitude: Some(1.5),
            longitude: Some(-2.5),
            timezone: "America/Mexico_City".to_owned(),
            asn: Some(395_747),
            as_organization: text("organization"),
            http_protocol: "HTTP/3".to_owned(),
            request_priority: text("weight=192;exclusive=1;group=3;group-weight=127"),
            tls_version: "TLSv1.2".to_owned(),
            tls_cipher: "cipher".to_owned(),
            tls_client_auth: Some(http::TlsClientAuth {
                cert_serial: "serial".to_owned(),
                ..http::TlsClientAuth::default()
            }),
            bot_management: Some(http::BotManagement {
                score: 7,
                js_detection: Some(true),
                detection_ids: vec![1, 2],
                ..http::BotManagement::default()
            }),
            verified_bot_category: text("category"),
            host_metadata: Some(json!({ "plan": "pro" })),
        });
        let texts = [
            (Some(cf.colo()), "MEX"),
            (cf.country(), "country"),
            (cf.continent(), "continent"),
            (cf.city(), "city"),
            (cf.region(), "region"),
            (cf.region_code(), "region code"),
            (cf.postal_code(), "postal code"),
            (cf.metro_code(), "metro code"),
            (Some(cf.timezone_name()), "America/Mexico_City"),
            (cf.as_organization(), "organization"),
            (Some(cf.http_protocol()), "HTTP/3"),
            (Some(cf.tls_version()), "TLSv1.2"),
            (Some(cf.tls_cipher()), "cipher"),
            (cf.verified_bot_category(), "category"),
            (
                cf.tls_client_auth().map(|auth| auth.cert_serial()),
                "serial",
            ),
        ];
        for (found, wanted) in texts {
            assert_eq!(found.as_deref(), Some(wanted));
        }
        assert!(cf.is_eu_country());
        assert_eq!(cf.coordinates(), Some((1.5, -2.5)));
        assert_eq!(cf.asn(), Some(395_747));
        let bot = cf.bot_management().unwrap();
        assert_eq!((bot.score(), bot.detection_ids()), (7, vec![1, 2]));
        assert!(bot.js_detection().unwrap().passed());
        let priority = cf.request_priority().unwrap();
        let numbers = [priority.weight, priority.group, priority.group_weight];
        assert_eq!((numbers, priority.exclusive), ([192, 3, 127], true));
        let metadata: Option<serde_json::Value> = cf.host_metadata().unwrap();
        assert_eq!(metadata, Some(json!({ "plan": "pro" })));
    }

    #[test]
    fn what_no_test_has_set_is_none() {
        let cf = cf(http::Cf::default());
        assert!(cf.request_priority().is_none() && cf.coordinates().is_none());
        assert!(cf.bot_management().is_none() && cf.tls_client_auth().is_none());
        assert_eq!(cf.host_metadata::<serde_json::Value>().unwrap(), None);
    }

    #[cfg(feature = "timezone")]
    #[test]
    fn a_time_zone_is_one_that_is_known() {
        let zone = |name: &str| {
            let timezone = name.to_owned();
            let known = http::Cf {
                timezone,
                ..http::Cf::default()
            };
            cf(known)
                .timezone()
                .map(drop)
                .map_err(|error| error.to_string())
        };
        assert_eq!(zone("America/Mexico_City"), Ok(()));
        assert_eq!(zone("Mars/Olympus"), Err("Invalid timezone".to_owned()));
    }
}
