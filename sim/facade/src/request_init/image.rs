//! Image resizing: plain data, which the simulator passes on and does not act on.

use serde::Serialize;

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
