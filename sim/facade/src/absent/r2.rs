//! R2. What a Worker makes itself (metadata, conditions, data) is plain data; there is no bucket to use it with.

#![expect(
    clippy::disallowed_types,
    reason = "the API of workers-rs has these maps"
)]

use super::Never;
use crate::streams::ReadableStream;
use crate::{ByteStream, Date, FixedLengthStream, Headers, ResponseBody, Result};
use std::collections::HashMap;
use std::marker::PhantomData;
use std::ops::Deref;

/// A bucket.
#[derive(Debug, Clone)]
pub struct Bucket(Never);

/// What is stored under a key.
#[derive(Debug)]
pub struct Object(Never);

/// The content of an object.
#[derive(Debug)]
pub struct ObjectBody<'body>(Never, PhantomData<&'body Object>);

/// A page of a list.
#[derive(Debug)]
pub struct Objects(Never);

/// An upload in parts.
#[derive(Debug)]
pub struct MultipartUpload(Never);

/// A `get` to be.
#[derive(Debug)]
pub struct GetOptionsBuilder<'bucket>(Never, PhantomData<&'bucket Bucket>);

/// A `put` to be.
#[derive(Debug)]
pub struct PutOptionsBuilder<'bucket>(Never, PhantomData<&'bucket Bucket>);

/// A list to be.
#[derive(Debug)]
pub struct ListOptionsBuilder<'bucket>(Never, PhantomData<&'bucket Bucket>);

/// An upload in parts to be.
#[derive(Debug)]
pub struct CreateMultipartUploadOptionsBuilder<'bucket>(Never, PhantomData<&'bucket Bucket>);

/// Methods of a type that has no values.
macro_rules! absent {
    ($type:ty { $($(#[$doc:meta])+ fn $name:ident(&self $(, $argument:ident: $kind:ty)*) -> $answer:ty;)* }) => {
        impl $type {
            $(
                $(#[$doc])+
                pub fn $name(&self $(, $argument: $kind)*) -> $answer {
                    match self.0 {}
                }
            )*
        }
    };
    ($type:ty { $($(#[$doc:meta])+ fn $name:ident(self $(, $argument:ident: $kind:ty)*) -> $answer:ty;)* }) => {
        impl $type {
            $(
                $(#[$doc])+
                pub fn $name(self $(, $argument: $kind)*) -> $answer {
                    match self.0 {}
                }
            )*
        }
    };
}

absent!(Bucket {
    /// Reads an object.
    fn get(&self, _key: impl Into<String>) -> GetOptionsBuilder<'_>;
    /// Writes an object.
    fn put(&self, _key: impl Into<String>, _value: impl Into<Data>) -> PutOptionsBuilder<'_>;
    /// Lists objects.
    fn list(&self) -> ListOptionsBuilder<'_>;
    /// Begins an upload in parts.
    fn create_multipart_upload(&self, _key: impl Into<String>) -> CreateMultipartUploadOptionsBuilder<'_>;
    /// Goes on with an upload in parts.
    fn resume_multipart_upload(&self, _key: impl Into<String>, _id: impl Into<String>) -> Result<MultipartUpload>;
});

absent!(Object {
    /// Its key.
    fn key(&self) -> String;
    /// Its version.
    fn version(&self) -> String;
    /// Its size in bytes.
    fn size(&self) -> u64;
    /// Its etag.
    fn etag(&self) -> String;
    /// Its etag in quotes.
    fn http_etag(&self) -> String;
    /// When it was uploaded.
    fn uploaded(&self) -> Date;
    /// Its headers.
    fn http_metadata(&self) -> HttpMetadata;
    /// Its own metadata.
    fn custom_metadata(&self) -> Result<HashMap<String, String>>;
    /// The part that was read.
    fn range(&self) -> Result<Range>;
    /// Its content, if it came with it.
    fn body(&self) -> Option<ObjectBody<'_>>;
    /// Whether its content was read.
    fn body_used(&self) -> Option<bool>;
    /// Sets its headers on others.
    fn write_http_metadata(&self, _headers: Headers) -> Result<()>;
});

absent!(ObjectBody<'_> {
    /// The content in pieces.
    fn stream(self) -> Result<ByteStream>;
    /// The content as the body of a response.
    fn response_body(self) -> Result<ResponseBody>;
});

absent!(Objects {
    /// The objects of the page.
    fn objects(&self) -> Vec<Object>;
    /// Whether there are more.
    fn truncated(&self) -> bool;
    /// Where the next page begins.
    fn cursor(&self) -> Option<String>;
    /// The prefixes up to the delimiter.
    fn delimited_prefixes(&self) -> Vec<String>;
});

absent!(GetOptionsBuilder<'_> {
    /// Reads it under a condition only.
    fn only_if(self, _only_if: Conditional) -> Self;
    /// Reads a part.
    fn range(self, _range: Range) -> Self;
});

absent!(PutOptionsBuilder<'_> {
    /// Sets its headers.
    fn http_metadata(self, _metadata: HttpMetadata) -> Self;
    /// Sets its own metadata.
    fn custom_metadata(self, _metadata: impl Into<HashMap<String, String>>) -> Self;
    /// Checks the content.
    fn md5(self, _bytes: impl Into<Vec<u8>>) -> Self;
    /// Checks the content.
    fn sha1(self, _bytes: impl Into<Vec<u8>>) -> Self;
    /// Checks the content.
    fn sha256(self, _bytes: impl Into<Vec<u8>>) -> Self;
    /// Checks the content.
    fn sha384(self, _bytes: impl Into<Vec<u8>>) -> Self;
    /// Checks the content.
    fn sha512(self, _bytes: impl Into<Vec<u8>>) -> Self;
    /// Writes it under a condition only.
    fn only_if(self, _only_if: Conditional) -> Self;
});

absent!(CreateMultipartUploadOptionsBuilder<'_> {
    /// Sets its headers.
    fn http_metadata(self, _metadata: HttpMetadata) -> Self;
    /// Sets its own metadata.
    fn custom_metadata(self, _metadata: impl Into<HashMap<String, String>>) -> Self;
});

absent!(ListOptionsBuilder<'_> {
    /// The most objects of a page.
    fn limit(self, _limit: u32) -> Self;
    /// What their keys begin with.
    fn prefix(self, _prefix: impl Into<String>) -> Self;
    /// The key after which it begins.
    fn start_after(self, _start_after: impl Into<String>) -> Self;
    /// Where the page begins.
    fn cursor(self, _cursor: impl Into<String>) -> Self;
    /// What ends a prefix.
    fn delimiter(self, _delimiter: impl Into<String>) -> Self;
    /// What comes with each object.
    fn include(self, _include: Vec<Include>) -> Self;
});

/// Calls that would travel. Each could be called only with a binding, which there is not.
macro_rules! absent_calls {
    ($type:ty { $($(#[$doc:meta])+ fn $name:ident(&self $(, $argument:ident: $kind:ty)*) -> $answer:ty;)* }) => {
        impl $type {
            $(
                $(#[$doc])+
                ///
                /// # Errors
                /// There is no such binding in the simulator.
                pub async fn $name(&self $(, $argument: $kind)*) -> $answer {
                    match self.0 {}
                }
            )*
        }
    };
    ($type:ty { $($(#[$doc:meta])+ fn $name:ident(self $(, $argument:ident: $kind:ty)*) -> $answer:ty;)* }) => {
        impl $type {
            $(
                $(#[$doc])+
                ///
                /// # Errors
                /// There is no such binding in the simulator.
                pub async fn $name(self $(, $argument: $kind)*) -> $answer {
                    match self.0 {}
                }
            )*
        }
    };
}

absent_calls!(Bucket {
    /// Reads what is known of an object.
    fn head(&self, _key: impl Into<String>) -> Result<Option<Object>>;
    /// Deletes an object.
    fn delete(&self, _key: impl Into<String>) -> Result<()>;
    /// Deletes objects.
    fn delete_multiple(&self, _keys: Vec<impl Deref<Target = str>>) -> Result<()>;
});

absent_calls!(ObjectBody<'_> {
    /// The content.
    fn bytes(self) -> Result<Vec<u8>>;
    /// The content as text.
    fn text(self) -> Result<String>;
});

absent_calls!(GetOptionsBuilder<'_> {
    /// Reads the object.
    fn execute(self) -> Result<Option<Object>>;
});

absent_calls!(PutOptionsBuilder<'_> {
    /// Writes the object.
    fn execute(self) -> Result<Option<Object>>;
});

absent_calls!(CreateMultipartUploadOptionsBuilder<'_> {
    /// Begins the upload.
    fn execute(self) -> Result<MultipartUpload>;
});

absent_calls!(ListOptionsBuilder<'_> {
    /// Reads the page.
    fn execute(self) -> Result<Objects>;
});

absent_calls!(MultipartUpload {
    /// Uploads a part.
    fn upload_part(&self, _number: u16, _value: impl Into<Data>) -> Result<UploadedPart>;
    /// The id of the upload.
    fn upload_id(&self) -> String;
    /// Gives the upload up.
    fn abort(&self) -> Result<()>;
});

absent_calls!(MultipartUpload {
    /// Ends the upload.
    fn complete(self, _parts: impl IntoIterator<Item = UploadedPart>) -> Result<Object>;
});

/// A part of an upload.
#[derive(Debug)]
pub struct UploadedPart {
    number: u16,
    etag: String,
}

impl UploadedPart {
    /// A part that was uploaded before.
    pub fn new(part_number: u16, etag: String) -> Self {
        Self {
            number: part_number,
            etag,
        }
    }

    /// Its number.
    pub fn part_number(&self) -> u16 {
        self.number
    }

    /// Its etag.
    pub fn etag(&self) -> String {
        self.etag.clone()
    }
}

/// When an object is read or written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditional {
    /// If it has this etag.
    pub etag_matches: Option<String>,
    /// If it has another etag.
    pub etag_does_not_match: Option<String>,
    /// If it was uploaded before.
    pub uploaded_before: Option<Date>,
    /// If it was uploaded after.
    pub uploaded_after: Option<Date>,
}

/// A part of an object, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Range {
    /// So many from a place.
    OffsetWithLength {
        /// The place.
        offset: u64,
        /// How many.
        length: u64,
    },
    /// All from a place.
    OffsetToEnd {
        /// The place.
        offset: u64,
    },
    /// The first.
    Prefix {
        /// How many.
        length: u64,
    },
    /// The last.
    Suffix {
        /// How many.
        suffix: u64,
    },
}

/// The headers of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HttpMetadata {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Expires`.
    pub cache_expiry: Option<Date>,
}

/// What comes with each object of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Include {
    /// Its headers.
    HttpMetadata,
    /// Its own metadata.
    CustomMetadata,
}

/// What is written.
#[derive(Debug)]
pub enum Data {
    /// A stream.
    ReadableStream(ReadableStream),
    /// A stream whose length is known.
    Stream(FixedLengthStream),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Nothing.
    Empty,
}

impl From<ReadableStream> for Data {
    fn from(stream: ReadableStream) -> Self {
        Self::ReadableStream(stream)
    }
}

impl From<FixedLengthStream> for Data {
    fn from(stream: FixedLengthStream) -> Self {
        Self::Stream(stream)
    }
}

impl From<String> for Data {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<u8>> for Data {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}
