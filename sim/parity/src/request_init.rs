//! `RequestInit` and the types of Cloudflare's own options.

#![expect(
    clippy::disallowed_types,
    reason = "the API of workers-rs has these maps"
)]

both! {
    use std::collections::HashMap;
    use worker::wasm_bindgen::JsValue;
    use worker::*;

    const _: fn() -> RequestInit = RequestInit::new;
    const _: for<'a> fn(&'a mut RequestInit, Headers) -> &'a mut RequestInit = RequestInit::with_headers;
    const _: for<'a> fn(&'a mut RequestInit, Method) -> &'a mut RequestInit = RequestInit::with_method;
    const _: for<'a> fn(&'a mut RequestInit, RequestRedirect) -> &'a mut RequestInit = RequestInit::with_redirect;
    const _: for<'a> fn(&'a mut RequestInit, CacheMode) -> &'a mut RequestInit = RequestInit::with_cache;
    const _: for<'a> fn(&'a mut RequestInit, Option<JsValue>) -> &'a mut RequestInit = RequestInit::with_body;
    const _: for<'a> fn(&'a mut RequestInit, CfProperties) -> &'a mut RequestInit = RequestInit::with_cf_properties;
    const _: fn() -> CfProperties = CfProperties::new;
    const _: fn(&CfProperties) -> bool = CfProperties::is_default;

    fn request_init(
        body: Option<JsValue>,
        headers: Headers,
        cf: CfProperties,
        method: Method,
        redirect: RequestRedirect,
        cache: Option<CacheMode>,
    ) -> RequestInit {
        RequestInit { body, headers, cf, method, redirect, cache }
    }

    fn cf_properties(
        apps: Option<bool>,
        cache_everything: Option<bool>,
        cache_key: Option<String>,
        cache_ttl: Option<i32>,
        cache_ttl_by_status: Option<HashMap<String, i32>>,
        image: Option<ResizeConfig>,
        minify: Option<MinifyConfig>,
        mirage: Option<bool>,
        polish: Option<PolishConfig>,
        resolve_override: Option<String>,
        scrape_shield: Option<bool>,
    ) -> CfProperties {
        CfProperties { apps, cache_everything, cache_key, cache_ttl, cache_ttl_by_status, image, minify, mirage, polish, resolve_override, scrape_shield }
    }

    fn minify_config(
        js: bool,
        html: bool,
        css: bool,
    ) -> MinifyConfig {
        MinifyConfig { js, html, css }
    }

    fn resize_config(
        anim: Option<bool>,
        background: Option<String>,
        blur: Option<u8>,
        border: Option<ResizeBorder>,
        brightness: Option<f64>,
        compression: Option<ResizeCompression>,
        contrast: Option<f64>,
        dpr: Option<f64>,
        draw: Option<ResizeDraw>,
        fit: Option<ResizeFit>,
        flip: Option<ResizeFlip>,
        format: Option<ResizeFormat>,
        gamma: Option<f64>,
        gravity: Option<ResizeGravity>,
        height: Option<usize>,
        metadata: Option<ResizeMetadata>,
        origin_auth: Option<ResizeOriginAuth>,
        onerror: Option<ResizeOnerror>,
        quality: Option<ResizeQuality>,
        rotate: Option<usize>,
        saturation: Option<f64>,
        sharpen: Option<f64>,
        trim: Option<ResizeTrim>,
        width: Option<usize>,
    ) -> ResizeConfig {
        ResizeConfig { anim, background, blur, border, brightness, compression, contrast, dpr, draw, fit, flip, format, gamma, gravity, height, metadata, origin_auth, onerror, quality, rotate, saturation, sharpen, trim, width }
    }

    fn resize_trim(
        top: Option<usize>,
        bottom: Option<usize>,
        left: Option<usize>,
        right: Option<usize>,
        width: Option<usize>,
        height: Option<usize>,
    ) -> ResizeTrim {
        ResizeTrim { top, bottom, left, right, width, height }
    }

    fn polish_config(value: PolishConfig) {
        match value {
            PolishConfig::Off => (),
            PolishConfig::Lossy => (),
            PolishConfig::Lossless => (),
        }
    }

    fn resize_border(value: ResizeBorder) {
        match value {
            ResizeBorder::Uniform { color, width } => is::<(String, usize)>((color, width)),
            ResizeBorder::Varying { color, top, right, bottom, left } => is::<(String, usize, usize, usize, usize)>((color, top, right, bottom, left)),
        }
    }

    fn resize_origin_auth(value: ResizeOriginAuth) {
        match value {
            ResizeOriginAuth::SharePublicly => (),
        }
    }

    fn resize_compression(value: ResizeCompression) {
        match value {
            ResizeCompression::Fast => (),
        }
    }

    fn resize_draw_repeat(value: ResizeDrawRepeat) {
        match value {
            ResizeDrawRepeat::Uniform(value) => is::<bool>(value),
            ResizeDrawRepeat::Axis(value) => is::<String>(value),
        }
    }

    fn resize_fit(value: ResizeFit) {
        match value {
            ResizeFit::ScaleDown => (),
            ResizeFit::Contain => (),
            ResizeFit::Cover => (),
            ResizeFit::Crop => (),
            ResizeFit::Pad => (),
        }
    }

    fn resize_flip(value: ResizeFlip) {
        match value {
            ResizeFlip::Horizontally => (),
            ResizeFlip::Vertically => (),
            ResizeFlip::Both => (),
        }
    }

    fn resize_format(value: ResizeFormat) {
        match value {
            ResizeFormat::Avif => (),
            ResizeFormat::Webp => (),
            ResizeFormat::Json => (),
            ResizeFormat::Jpeg => (),
            ResizeFormat::Png => (),
            ResizeFormat::BaselineJpeg => (),
            ResizeFormat::PngForce => (),
            ResizeFormat::Svg => (),
        }
    }

    fn resize_gravity_side(value: ResizeGravitySide) {
        match value {
            ResizeGravitySide::Auto => (),
            ResizeGravitySide::Left => (),
            ResizeGravitySide::Right => (),
            ResizeGravitySide::Top => (),
            ResizeGravitySide::Bottom => (),
        }
    }

    fn resize_gravity(value: ResizeGravity) {
        match value {
            ResizeGravity::Side(value) => is::<ResizeGravitySide>(value),
            ResizeGravity::Coords { x, y } => is::<(f64, f64)>((x, y)),
        }
    }

    fn resize_quality_literal(value: ResizeQualityLiteral) {
        match value {
            ResizeQualityLiteral::Low => (),
            ResizeQualityLiteral::MediumLow => (),
            ResizeQualityLiteral::MediumHigh => (),
            ResizeQualityLiteral::High => (),
        }
    }

    fn resize_quality(value: ResizeQuality) {
        match value {
            ResizeQuality::Literal(value) => is::<ResizeQualityLiteral>(value),
            ResizeQuality::Specific { value } => is::<usize>(value),
        }
    }

    fn resize_metadata(value: ResizeMetadata) {
        match value {
            ResizeMetadata::Keep => (),
            ResizeMetadata::Copyright => (),
            ResizeMetadata::None => (),
        }
    }

    fn resize_onerror(value: ResizeOnerror) {
        match value {
            ResizeOnerror::Redirect => (),
        }
    }

    fn request_redirect(value: RequestRedirect) {
        match value {
            RequestRedirect::Error => (),
            RequestRedirect::Follow => (),
            RequestRedirect::Manual => (),
        }
    }

    fn cache_mode(value: CacheMode) {
        match value {
            CacheMode::NoStore => (),
            CacheMode::NoCache => (),
            CacheMode::Reload => (),
        }
    }

    fn traits<'a>() {
        default::<RequestInit>();
        debug::<RequestInit>();
        default::<CfProperties>();
        debug::<CfProperties>();
        from::<&'a CfProperties, JsValue>();
        default::<MinifyConfig>();
        copy::<MinifyConfig>();
        copy::<PolishConfig>();
        default::<ResizeConfig>();
        clone::<ResizeConfig>();
        clone::<ResizeDraw>();
        debug::<ResizeDraw>();
        default::<RequestRedirect>();
        copy::<RequestRedirect>();
        from::<RequestRedirect, &'static str>();
        copy::<CacheMode>();
    }
}
