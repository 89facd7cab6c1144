//! `Cf`.

both! {
    use serde::de::DeserializeOwned;
    use worker::{BotManagement, Cf, JsDetection, Result, TlsClientAuth};

    const _: fn(&Cf) -> String = Cf::colo;
    const _: fn(&Cf) -> String = Cf::http_protocol;
    const _: [fn(&Cf) -> Option<String>; 9] = [
        Cf::as_organization,
        Cf::city,
        Cf::continent,
        Cf::country,
        Cf::metro_code,
        Cf::postal_code,
        Cf::region,
        Cf::region_code,
        Cf::verified_bot_category,
    ];
    const _: [fn(&Cf) -> String; 3] = [Cf::timezone_name, Cf::tls_cipher, Cf::tls_version];
    const _: fn(&Cf) -> Option<u32> = Cf::asn;
    const _: fn(&Cf) -> bool = Cf::is_eu_country;
    const _: fn(&Cf) -> Option<(f32, f32)> = Cf::coordinates;
    const _: fn(&Cf) -> Option<BotManagement> = Cf::bot_management;
    const _: fn(&Cf) -> Option<TlsClientAuth> = Cf::tls_client_auth;
    const _: [fn(&TlsClientAuth) -> String; 13] = [
        TlsClientAuth::cert_fingerprint_sha1,
        TlsClientAuth::cert_fingerprint_sha256,
        TlsClientAuth::cert_issuer_dn,
        TlsClientAuth::cert_issuer_dn_legacy,
        TlsClientAuth::cert_issuer_dn_rfc2253,
        TlsClientAuth::cert_not_after,
        TlsClientAuth::cert_not_before,
        TlsClientAuth::cert_presented,
        TlsClientAuth::cert_serial,
        TlsClientAuth::cert_subject_dn,
        TlsClientAuth::cert_subject_dn_legacy,
        TlsClientAuth::cert_subject_dn_rfc2253,
        TlsClientAuth::cert_verified,
    ];
    const _: fn(&BotManagement) -> u32 = BotManagement::score;
    const _: [fn(&BotManagement) -> bool; 3] =
        [BotManagement::verified_bot, BotManagement::corporate_proxy, BotManagement::static_resource];
    const _: [fn(&BotManagement) -> Option<String>; 2] = [BotManagement::ja3_hash, BotManagement::ja4];
    const _: fn(&BotManagement) -> Option<JsDetection> = BotManagement::js_detection;
    const _: fn(&BotManagement) -> Vec<u32> = BotManagement::detection_ids;
    const _: fn(&JsDetection) -> bool = JsDetection::passed;

    fn time_zone(cf: &Cf) -> Result<impl chrono::TimeZone> {
        cf.timezone()
    }

    fn host_metadata<T: DeserializeOwned>(cf: &Cf) -> Result<Option<T>> {
        cf.host_metadata::<T>()
    }

    fn priority(cf: &Cf) -> Option<(usize, bool, usize, usize)> {
        let priority = cf.request_priority()?;
        let copy = priority;
        Some((copy.weight, copy.exclusive, priority.group, priority.group_weight))
    }

    fn traits() {
        clone::<Cf>();
        debug::<Cf>();
        send_sync::<Cf>();
        debug::<TlsClientAuth>();
        clone::<BotManagement>();
        debug::<BotManagement>();
        clone::<JsDetection>();
        debug::<JsDetection>();
    }
}
