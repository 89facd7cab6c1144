//! [`RequestInit`]: the options of an outgoing request, with the types for Cloudflare's own options.
//!
//! Method, headers, body and redirect mode have an effect. The [`CfProperties`] (edge cache, image
//! resizing, Polish…) are plain data with upstream's way into JavaScript: the simulator has none of
//! those products.

#![expect(
    clippy::disallowed_types,
    reason = "the API of workers-rs has these maps"
)]

use crate::js_sys::{Object, Reflect};
use crate::wasm_bindgen::JsValue;
use crate::{Headers, Method};
use serde::Serialize;
use std::collections::HashMap;
use worker_native_js::serde_wasm_bindgen;

/// The options of an outgoing request.
#[derive(Debug)]
pub struct RequestInit {
    /// The body: a string, a `Uint8Array` or an `ArrayBuffer`; anything else is turned into a
    /// string, as the platform does.
    pub body: Option<JsValue>,
    /// The headers.
    pub headers: Headers,
    /// Cloudflare's own options.
    pub cf: CfProperties,
    /// The method.
    pub method: Method,
    /// What to do with a redirect; `Follow` unless set.
    pub redirect: RequestRedirect,
    /// How to use the cache; `None` is the platform's default.
    pub cache: Option<CacheMode>,
}

impl RequestInit {
    /// A `GET` without headers and body.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the headers.
    pub fn with_headers(&mut self, headers: Headers) -> &mut Self {
        self.headers = headers;
        self
    }

    /// Sets the method.
    pub fn with_method(&mut self, method: Method) -> &mut Self {
        self.method = method;
        self
    }

    /// Sets the redirect mode.
    pub fn with_redirect(&mut self, redirect: RequestRedirect) -> &mut Self {
        self.redirect = redirect;
        self
    }

    /// Sets the cache mode.
    pub fn with_cache(&mut self, cache: CacheMode) -> &mut Self {
        self.cache = Some(cache);
        self
    }

    /// Sets the body.
    pub fn with_body(&mut self, body: Option<JsValue>) -> &mut Self {
        self.body = body;
        self
    }

    /// Sets Cloudflare's own options.
    pub fn with_cf_properties(&mut self, props: CfProperties) -> &mut Self {
        self.cf = props;
        self
    }
}

impl Default for RequestInit {
    fn default() -> Self {
        Self {
            body: None,
            headers: Headers::new(),
            cf: CfProperties::default(),
            method: Method::Get,
            redirect: RequestRedirect::default(),
            cache: None,
        }
    }
}

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

/// A border around a resized image.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum ResizeBorder {
    /// The same on every side.
    Uniform {
        /// CSS colour.
        color: String,
        /// Width in pixels.
        width: usize,
    },
    /// A width for each side.
    Varying {
        /// CSS colour.
        color: String,
        /// Pixels at the top.
        top: usize,
        /// Pixels at the right.
        right: usize,
        /// Pixels at the bottom.
        bottom: usize,
        /// Pixels at the left.
        left: usize,
    },
}

/// How to authenticate to the origin of an image.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResizeOriginAuth {
    /// The result is public.
    SharePublicly,
}

/// Image resizing. <https://developers.cloudflare.com/images/transform-images/transform-via-workers/>
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ResizeConfig {
    /// Whether an animation stays one.
    pub anim: Option<bool>,
    /// CSS colour under transparent parts.
    pub background: Option<String>,
    /// Blur radius, 1 to 250.
    pub blur: Option<u8>,
    /// A border, added after resizing.
    pub border: Option<ResizeBorder>,
    /// Factor of brightness; 1 changes nothing.
    pub brightness: Option<f64>,
    /// Prefers quick compression over a small file.
    pub compression: Option<ResizeCompression>,
    /// Factor of contrast; 1 changes nothing.
    pub contrast: Option<f64>,
    /// Factor for width and height (device pixel ratio).
    pub dpr: Option<f64>,
    /// An image drawn over this one.
    pub draw: Option<ResizeDraw>,
    /// How width and height are understood.
    pub fit: Option<ResizeFit>,
    /// Mirrors the image.
    pub flip: Option<ResizeFlip>,
    /// The format of the result.
    pub format: Option<ResizeFormat>,
    /// Factor of exposure; 1 changes nothing.
    pub gamma: Option<f64>,
    /// What to keep when cropping.
    pub gravity: Option<ResizeGravity>,
    /// Largest height in pixels.
    pub height: Option<usize>,
    /// Which metadata to keep.
    pub metadata: Option<ResizeMetadata>,
    /// How to authenticate to the origin.
    pub origin_auth: Option<ResizeOriginAuth>,
    /// What to do when resizing fails.
    pub onerror: Option<ResizeOnerror>,
    /// Quality of JPEG, WebP and AVIF.
    pub quality: Option<ResizeQuality>,
    /// Degrees of rotation: 90, 180 or 270.
    pub rotate: Option<usize>,
    /// Factor of saturation; 1 changes nothing.
    pub saturation: Option<f64>,
    /// Strength of the sharpening filter, 0 to 10.
    pub sharpen: Option<f64>,
    /// Pixels to cut off.
    pub trim: Option<ResizeTrim>,
    /// Largest width in pixels.
    pub width: Option<usize>,
}

/// Compression of a resized image.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResizeCompression {
    /// As quick as possible.
    Fast,
}

/// How an overlay is repeated.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum ResizeDrawRepeat {
    /// Over the whole image, or not.
    Uniform(bool),
    /// Along one axis, `x` or `y`.
    Axis(String),
}

/// An image drawn over another. Upstream offers no way to make one.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ResizeDraw {
    url: String,
    opacity: Option<f64>,
    repeat: Option<ResizeDrawRepeat>,
    top: Option<usize>,
    bottom: Option<usize>,
    left: Option<usize>,
    right: Option<usize>,
}

/// How width and height are understood.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResizeFit {
    /// Fits inside, never enlarged.
    ScaleDown,
    /// Fits inside.
    Contain,
    /// Fills, cropped.
    Cover,
    /// Fills, cropped, never enlarged.
    Crop,
    /// Fits inside, the rest is background.
    Pad,
}

/// Mirroring.
#[derive(Clone, Copy, Debug, Serialize)]
pub enum ResizeFlip {
    /// Left and right.
    #[serde(rename = "h")]
    Horizontally,
    /// Top and bottom.
    #[serde(rename = "v")]
    Vertically,
    /// Both.
    #[serde(rename = "hv")]
    Both,
}

/// The format of a resized image.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResizeFormat {
    /// AVIF.
    Avif,
    /// WebP.
    Webp,
    /// A description instead of the image.
    Json,
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// Baseline JPEG.
    BaselineJpeg,
    /// PNG, even where another format is smaller.
    PngForce,
    /// SVG.
    Svg,
}

/// A side to keep when cropping.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResizeGravitySide {
    /// Whatever stands out.
    Auto,
    /// The left.
    Left,
    /// The right.
    Right,
    /// The top.
    Top,
    /// The bottom.
    Bottom,
}

/// What to keep when cropping.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[serde(untagged)]
pub enum ResizeGravity {
    /// A side.
    Side(ResizeGravitySide),
    /// A point, each coordinate from 0 to 1.
    Coords {
        /// From the left.
        x: f64,
        /// From the top.
        y: f64,
    },
}

/// Quality by name.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResizeQualityLiteral {
    /// Low.
    Low,
    /// Between low and high.
    MediumLow,
    /// Between high and low.
    MediumHigh,
    /// High.
    High,
}

/// Quality of a resized image.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[serde(untagged)]
pub enum ResizeQuality {
    /// By name.
    Literal(ResizeQualityLiteral),
    /// By number.
    Specific {
        /// 1 to 100.
        value: usize,
    },
}

/// Which metadata to keep.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResizeMetadata {
    /// Most of it.
    Keep,
    /// The copyright.
    Copyright,
    /// None.
    None,
}

/// What to do when resizing fails.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResizeOnerror {
    /// Redirect to the original.
    Redirect,
}

/// Pixels to cut off, or the part to keep.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ResizeTrim {
    /// From the top.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top: Option<usize>,
    /// From the bottom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bottom: Option<usize>,
    /// From the left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<usize>,
    /// From the right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub right: Option<usize>,
    /// Width of the part to keep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<usize>,
    /// Height of the part to keep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<usize>,
}

/// What to do with a redirect.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RequestRedirect {
    /// Fail. The platform refuses this mode when the request is made.
    Error,
    /// Follow it.
    #[default]
    Follow,
    /// Hand it to the Worker.
    Manual,
}

impl From<RequestRedirect> for &str {
    fn from(redirect: RequestRedirect) -> Self {
        match redirect {
            RequestRedirect::Error => "error",
            RequestRedirect::Follow => "follow",
            RequestRedirect::Manual => "manual",
        }
    }
}

/// How an outgoing request uses the cache.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CacheMode {
    /// Neither read nor write it.
    NoStore,
    /// Ask the origin before using it.
    NoCache,
    /// Write it without reading.
    Reload,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::js_sys::JSON;

    #[test]
    fn a_setter_changes_what_it_names() {
        let mut init = RequestInit::new();
        init.with_method(Method::Post)
            .with_redirect(RequestRedirect::Manual)
            .with_cache(CacheMode::NoStore)
            .with_body(Some("x".into()))
            .with_headers([("a", "b")].into_iter().collect())
            .with_cf_properties(CfProperties {
                cache_ttl: Some(60),
                ..CfProperties::new()
            });
        assert_eq!(init.method, Method::Post);
        assert_eq!(<&str>::from(init.redirect), "manual");
        assert_eq!(init.cache, Some(CacheMode::NoStore));
        assert_eq!(
            init.body.as_ref().and_then(JsValue::as_string).as_deref(),
            Some("x")
        );
        assert_eq!(init.headers.get("a").unwrap().as_deref(), Some("b"));
        assert!(!init.cf.is_default());
        assert!(RequestInit::new().cf.is_default());
    }

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
