//! [`CfProperties`]: Cloudflare's own options of an outgoing request, and the form in which they reach JavaScript.

use super::image::ResizeConfig;
use crate::js_sys::{Object, Reflect};
use crate::wasm_bindgen::JsValue;
use serde::Serialize;
use std::collections::HashMap;

/// Cloudflare's own options of an outgoing request.
/// <https://developers.cloudflare.com/workers/runtime-apis/request/#the-cf-property-requestinitcfproperties>
#[derive(Debug)]
pub struct CfProperties {
    /// Whether Cloudflare Apps run on the response; on unless set.
    pub apps: Option<bool>,
    /// Whether the response is cached whatever its headers say; off unless set.
    pub cache_everything: Option<bool>,
    /// The key under which the response is cached, instead of the URL.
    pub cache_key: Option<String>,
    /// How many seconds the response is cached, whatever its headers say.
    pub cache_ttl: Option<i32>,
    /// The same by status or range of statuses, as `"200-299"`; a negative number forbids caching.
    pub cache_ttl_by_status: Option<HashMap<String, i32>>,
    /// Image resizing.
    pub image: Option<ResizeConfig>,
    /// Auto Minify.
    pub minify: Option<MinifyConfig>,
    /// Whether Mirage is used; on unless set.
    pub mirage: Option<bool>,
    /// Polish.
    pub polish: Option<PolishConfig>,
    /// Another host of the zone whose address is asked instead of that of the URL.
    pub resolve_override: Option<String>,
    /// Whether ScrapeShield is used; on unless set.
    pub scrape_shield: Option<bool>,
}

impl CfProperties {
    /// Nothing but the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether nothing but the defaults is set.
    pub fn is_default(&self) -> bool {
        let default = Self::default();
        self.image.is_none()
            && self.apps == default.apps
            && self.cache_everything == default.cache_everything
            && self.cache_key == default.cache_key
            && self.cache_ttl == default.cache_ttl
            && self.cache_ttl_by_status == default.cache_ttl_by_status
            && self.minify == default.minify
            && self.mirage == default.mirage
            && self.polish == default.polish
            && self.resolve_override == default.resolve_override
            && self.scrape_shield == default.scrape_shield
    }
}

impl Default for CfProperties {
    fn default() -> Self {
        Self {
            apps: Some(true),
            cache_everything: Some(false),
            cache_key: None,
            cache_ttl: None,
            cache_ttl_by_status: None,
            image: None,
            minify: None,
            mirage: Some(true),
            polish: None,
            resolve_override: None,
            scrape_shield: Some(true),
        }
    }
}

impl From<&CfProperties> for JsValue {
    /// Upstream's object: an option that is not set appears with the default of its type, only
    /// `image` is left out.
    fn from(props: &CfProperties) -> Self {
        let default = CfProperties::default();
        let object = Object::new();
        let set = |name: &str, value: JsValue| {
            Reflect::set(&object, &name.into(), &value)
                .expect("a property of a new object can be set");
        };
        let minify = Object::new();
        let minify_config = props.minify.unwrap_or_default();
        for (name, on) in [
            ("js", minify_config.js),
            ("html", minify_config.html),
            ("css", minify_config.css),
        ] {
            Reflect::set(&minify, &name.into(), &on.into())
                .expect("a property of a new object can be set");
        }
        let ttl_by_status = Object::new();
        // A hash map has no order to rely on.
        let mut statuses: Vec<_> = props.cache_ttl_by_status.iter().flatten().collect();
        statuses.sort_unstable();
        for (status, seconds) in statuses {
            Reflect::set(&ttl_by_status, &status.as_str().into(), &(*seconds).into())
                .expect("a property of a new object can be set");
        }
        set(
            "apps",
            props.apps.or(default.apps).unwrap_or_default().into(),
        );
        set(
            "cacheEverything",
            props
                .cache_everything
                .or(default.cache_everything)
                .unwrap_or_default()
                .into(),
        );
        set(
            "cacheKey",
            props.cache_key.clone().unwrap_or_default().into(),
        );
        set("cacheTtl", props.cache_ttl.unwrap_or_default().into());
        set("cacheTtlByStatus", ttl_by_status.into());
        set("minify", minify.into());
        set(
            "mirage",
            props.mirage.or(default.mirage).unwrap_or_default().into(),
        );
        set("polish", plain(&props.polish.unwrap_or_default()));
        set(
            "resolveOverride",
            props.resolve_override.clone().unwrap_or_default().into(),
        );
        set(
            "scrapeShield",
            props
                .scrape_shield
                .or(default.scrape_shield)
                .unwrap_or_default()
                .into(),
        );
        if let Some(image) = &props.image {
            set("image", plain(image));
        }
        object.into()
    }
}

/// An option type as JavaScript sees it.
fn plain(value: &impl Serialize) -> JsValue {
    serde_wasm_bindgen::to_value(value).expect("an option is made of strings, numbers and Booleans")
}

/// Auto Minify, by kind of file.
#[derive(Clone, Copy, Debug, Default, Serialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct MinifyConfig {
    /// JavaScript.
    pub js: bool,
    /// HTML.
    pub html: bool,
    /// CSS.
    pub css: bool,
}

/// Polish, which makes images smaller.
#[derive(Clone, Copy, Debug, Default, Serialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum PolishConfig {
    /// Not at all.
    #[default]
    Off,
    /// With some loss.
    Lossy,
    /// Without loss.
    Lossless,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::js_sys::JSON;

    #[test]
    fn cloudflares_options_reach_javascript_in_upstreams_form() {
        let props = CfProperties {
            cache_ttl_by_status: Some([("404".to_owned(), 1), ("200-299".to_owned(), 60)].into()),
            polish: Some(PolishConfig::Lossy),
            ..CfProperties::new()
        };
        let json = String::from(JSON::stringify(&JsValue::from(&props)).unwrap());
        assert_eq!(
            json,
            r#"{"apps":true,"cacheEverything":false,"cacheKey":"","cacheTtl":0,"cacheTtlByStatus":{"404":1,"200-299":60},"#
                .to_owned()
                + r#""minify":{"js":false,"html":false,"css":false},"mirage":true,"polish":"lossy","resolveOverride":"","#
                + r#""scrapeShield":true}"#
        );
    }
}
