//! Analytics Engine. A data point is plain data and can be made; there is no data set to write it to.

use super::Never;
use crate::Result;
use crate::js_sys::{Array, Object, Reflect, Uint8Array};
use crate::wasm_bindgen::JsValue;

/// A data set.
#[derive(Debug, Clone)]
pub struct AnalyticsEngineDataset(Never);

impl AnalyticsEngineDataset {
    /// Writes a data point.
    ///
    /// # Errors
    /// There is no such binding in the simulator.
    pub fn write_data_point(&self, _event: &AnalyticsEngineDataPoint) -> Result<()> {
        match self.0 {}
    }
}

/// A text or bytes.
#[derive(Debug)]
pub enum BlobType {
    /// A text.
    String(String),
    /// Bytes.
    Blob(Vec<u8>),
}

impl From<BlobType> for JsValue {
    fn from(blob: BlobType) -> Self {
        match blob {
            BlobType::String(text) => text.into(),
            BlobType::Blob(bytes) => Uint8Array::from(bytes.as_slice()).into(),
        }
    }
}

impl From<&str> for BlobType {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for BlobType {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<&[u8]> for BlobType {
    fn from(bytes: &[u8]) -> Self {
        Self::Blob(bytes.to_vec())
    }
}

impl From<Vec<u8>> for BlobType {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Blob(bytes)
    }
}

impl<const COUNT: usize> From<&[u8; COUNT]> for BlobType {
    fn from(bytes: &[u8; COUNT]) -> Self {
        Self::Blob(bytes.to_vec())
    }
}

/// A data point.
#[derive(Debug, Clone)]
pub struct AnalyticsEngineDataPoint {
    indexes: Array,
    doubles: Array,
    blobs: Array,
}

impl AnalyticsEngineDataPoint {
    /// The point as JavaScript has it.
    ///
    /// # Errors
    /// Never; the type is upstream's.
    pub fn to_js_object(&self) -> Result<JsValue> {
        Ok(self.clone().into())
    }
}

impl From<AnalyticsEngineDataPoint> for JsValue {
    fn from(point: AnalyticsEngineDataPoint) -> Self {
        let object = Object::new();
        for (name, values) in [
            ("indexes", &point.indexes),
            ("doubles", &point.doubles),
            ("blobs", &point.blobs),
        ] {
            Reflect::set(&object, &name.into(), values)
                .expect("a property of a new object can be set");
        }
        object.into()
    }
}

/// A data point to be.
#[derive(Debug)]
pub struct AnalyticsEngineDataPointBuilder(AnalyticsEngineDataPoint);

impl AnalyticsEngineDataPointBuilder {
    /// A point with nothing in it.
    #[allow(clippy::new_without_default, reason = "upstream has no Default either")]
    pub fn new() -> Self {
        Self(AnalyticsEngineDataPoint {
            indexes: Array::new(),
            doubles: Array::new(),
            blobs: Array::new(),
        })
    }

    /// Replaces the indexes.
    pub fn indexes<'index>(mut self, indexes: impl AsRef<[&'index str]>) -> Self {
        let indexes = indexes.as_ref().iter();
        self.0.indexes = indexes.map(|index| JsValue::from_str(index)).collect();
        self
    }

    /// Adds a number.
    pub fn add_double(self, double: impl Into<f64>) -> Self {
        self.0.doubles.push(&JsValue::from_f64(double.into()));
        self
    }

    /// Replaces the numbers.
    pub fn doubles(mut self, doubles: impl IntoIterator<Item = f64>) -> Self {
        self.0.doubles = doubles.into_iter().map(JsValue::from_f64).collect();
        self
    }

    /// Adds a text or bytes.
    pub fn add_blob(self, blob: impl Into<BlobType>) -> Self {
        self.0.blobs.push(&blob.into().into());
        self
    }

    /// Replaces the texts and bytes.
    pub fn blobs(mut self, blobs: impl IntoIterator<Item = impl Into<BlobType>>) -> Self {
        let blobs = blobs.into_iter();
        self.0.blobs = blobs.map(|blob| JsValue::from(blob.into())).collect();
        self
    }

    /// The data point.
    pub fn build(self) -> AnalyticsEngineDataPoint {
        self.0
    }

    /// Writes it to a data set.
    ///
    /// # Errors
    /// There is no such binding in the simulator.
    pub fn write_to(self, dataset: &AnalyticsEngineDataset) -> Result<()> {
        dataset.write_data_point(&self.build())
    }
}
