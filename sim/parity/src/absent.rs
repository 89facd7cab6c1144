//! Products that are not simulated. Absent from the façade: `Object::checksum`, whose type upstream does not name at its root.

#![allow(
    clippy::disallowed_types,
    reason = "the API of workers-rs has these maps"
)]

both! {
    use worker::{Fetcher, HttpResponse, Request, RequestInit};
    use worker::{
        AnalyticsEngineDataPoint, AnalyticsEngineDataPointBuilder, AnalyticsEngineDataset, BlobType, Bucket, ByteStream,
        Conditional, CreateMultipartUploadOptionsBuilder, Data, Date, Env, FixedLengthStream, GetOptionsBuilder, Headers,
        HttpMetadata, Include, ListOptionsBuilder, MultipartUpload, Object, ObjectBody, Objects, PutOptionsBuilder, Range,
        ResponseBody, Result, RouteContext, SecretStore, UploadedPart,
    };
    use std::collections::HashMap;
    use worker::wasm_bindgen::JsValue;

    const _: fn(&Env, &str) -> Result<Bucket> = Env::bucket;
    const _: fn(&RouteContext<u8>, &str) -> Result<Bucket> = RouteContext::bucket;
    const _: fn(&Env, &str) -> Result<AnalyticsEngineDataset> = Env::analytics_engine;
    const _: fn(&Env, &str) -> Result<SecretStore> = Env::secret_store;

    const _: [fn(&Env, &str) -> Result<Fetcher>; 2] = [Env::service, Env::assets];
    const _: fn(&RouteContext<u8>, &str) -> Result<Fetcher> = RouteContext::service;

    fn fetcher(fetcher: Fetcher, request: Request, init: Option<RequestInit>) -> worker::js_sys::Object {
        let _: Is<Result<HttpResponse>> = output(fetcher.fetch("https://a.example/", init));
        let _: Is<Result<HttpResponse>> = output(fetcher.fetch_request(request));
        fetcher.into_rpc()
    }

    const _: fn(&AnalyticsEngineDataset, &AnalyticsEngineDataPoint) -> Result<()> = AnalyticsEngineDataset::write_data_point;
    const _: fn(&AnalyticsEngineDataPoint) -> Result<JsValue> = AnalyticsEngineDataPoint::to_js_object;
    const _: fn(AnalyticsEngineDataPointBuilder, &AnalyticsEngineDataset) -> Result<()> =
        AnalyticsEngineDataPointBuilder::write_to;

    fn data_point(blobs: Vec<BlobType>, double: f32) -> AnalyticsEngineDataPoint {
        AnalyticsEngineDataPointBuilder::new()
            .indexes(["a"])
            .add_double(double)
            .doubles([1.0])
            .add_blob("b")
            .blobs(blobs)
            .build()
    }

    const _: fn(&Object) -> String = Object::key;
    const _: fn(&Object) -> String = Object::version;
    const _: fn(&Object) -> u64 = Object::size;
    const _: fn(&Object) -> String = Object::etag;
    const _: fn(&Object) -> String = Object::http_etag;
    const _: fn(&Object) -> Date = Object::uploaded;
    const _: fn(&Object) -> HttpMetadata = Object::http_metadata;
    const _: fn(&Object) -> Result<HashMap<String, String>> = Object::custom_metadata;
    const _: fn(&Object) -> Result<Range> = Object::range;
    const _: for<'a> fn(&'a Object) -> Option<ObjectBody<'a>> = Object::body;
    const _: fn(&Object) -> Option<bool> = Object::body_used;
    const _: fn(&Object, Headers) -> Result<()> = Object::write_http_metadata;
    const _: fn(ObjectBody<'_>) -> Result<ByteStream> = |body| body.stream();
    const _: fn(ObjectBody<'_>) -> Result<ResponseBody> = |body| body.response_body();
    const _: fn(&Objects) -> Vec<Object> = Objects::objects;
    const _: fn(&Objects) -> bool = Objects::truncated;
    const _: fn(&Objects) -> Option<String> = Objects::cursor;
    const _: fn(&Objects) -> Vec<String> = Objects::delimited_prefixes;
    const _: fn(u16, String) -> UploadedPart = UploadedPart::new;
    const _: fn(&UploadedPart) -> u16 = UploadedPart::part_number;
    const _: fn(&UploadedPart) -> String = UploadedPart::etag;

    fn get(bucket: &Bucket, condition: Conditional, range: Range) {
        let get: GetOptionsBuilder<'_> = bucket.get("key").only_if(condition).range(range);
        let _: Is<Result<Option<Object>>> = output(get.execute());
        let _: Is<Result<Option<Object>>> = output(bucket.head("key"));
    }

    fn put(bucket: &Bucket, condition: Conditional, metadata: HttpMetadata, own: HashMap<String, String>) {
        let put: PutOptionsBuilder<'_> = bucket
            .put("key", vec![0])
            .http_metadata(metadata)
            .custom_metadata(own)
            .md5(vec![0])
            .sha1(vec![0])
            .sha256(vec![0])
            .sha384(vec![0])
            .sha512(vec![0])
            .only_if(condition);
        let _: Is<Result<Option<Object>>> = output(put.execute());
        let _: Is<Result<()>> = output(bucket.delete("key"));
        let _: Is<Result<()>> = output(bucket.delete_multiple(vec!["key"]));
    }

    fn list(bucket: &Bucket, include: Vec<Include>) {
        let list: ListOptionsBuilder<'_> = bucket
            .list()
            .limit(1)
            .prefix("a")
            .start_after("b")
            .cursor("c")
            .delimiter("/")
            .include(include);
        let _: Is<Result<Objects>> = output(list.execute());
    }

    async fn upload(bucket: &Bucket, metadata: HttpMetadata, own: HashMap<String, String>) -> Result<()> {
        let create: CreateMultipartUploadOptionsBuilder<'_> = bucket
            .create_multipart_upload("key")
            .http_metadata(metadata)
            .custom_metadata(own);
        let _: Is<Result<MultipartUpload>> = output(create.execute());
        let upload = bucket.resume_multipart_upload("key", "id")?;
        let _: Is<Result<UploadedPart>> = output(upload.upload_part(1, String::new()));
        let _: Is<String> = output(upload.upload_id());
        let _: Is<Result<()>> = output(upload.abort());
        let _: Is<Result<Object>> = output(upload.complete([UploadedPart::new(1, String::new())]));
        Ok(())
    }

    fn content(body: ObjectBody<'_>, again: ObjectBody<'_>, secret: &SecretStore) {
        let _: Is<Result<Vec<u8>>> = output(body.bytes());
        let _: Is<Result<String>> = output(again.text());
        let _: Is<Result<Option<String>>> = output(secret.get());
    }

    fn literals(date: Date, text: Option<String>) -> (Conditional, HttpMetadata) {
        (
            Conditional {
                etag_matches: text.clone(),
                etag_does_not_match: text.clone(),
                uploaded_before: Some(date.clone()),
                uploaded_after: Some(date.clone()),
            },
            HttpMetadata {
                content_type: text.clone(),
                content_language: text.clone(),
                content_disposition: text.clone(),
                content_encoding: text.clone(),
                cache_control: text,
                cache_expiry: Some(date),
            },
        )
    }

    fn variants(range: Range, include: Include, data: Data, blob: BlobType) {
        match range {
            Range::OffsetWithLength { offset, length } => is::<[u64; 2]>([offset, length]),
            Range::OffsetToEnd { offset } => is::<u64>(offset),
            Range::Prefix { length } => is::<u64>(length),
            Range::Suffix { suffix } => is::<u64>(suffix),
        }
        match include {
            Include::HttpMetadata | Include::CustomMetadata => {}
        }
        match data {
            Data::ReadableStream(_) => {}
            Data::Stream(stream) => is::<FixedLengthStream>(stream),
            Data::Text(text) => is::<String>(text),
            Data::Bytes(bytes) => is::<Vec<u8>>(bytes),
            Data::Empty => {}
        }
        match blob {
            BlobType::String(text) => is::<String>(text),
            BlobType::Blob(bytes) => is::<Vec<u8>>(bytes),
        }
    }

    fn traits<'a>() {
        clone::<Bucket>();
        debug::<Bucket>();
        clone::<AnalyticsEngineDataset>();
        debug::<AnalyticsEngineDataset>();
        clone::<AnalyticsEngineDataPoint>();
        debug::<AnalyticsEngineDataPoint>();
        debug::<AnalyticsEngineDataPointBuilder>();
        from::<AnalyticsEngineDataPoint, JsValue>();
        from::<BlobType, JsValue>();
        from::<&'a str, BlobType>();
        from::<String, BlobType>();
        from::<&'a [u8], BlobType>();
        from::<Vec<u8>, BlobType>();
        from::<&'a [u8; 3], BlobType>();
        from::<FixedLengthStream, Data>();
        clone::<SecretStore>();
        debug::<SecretStore>();
        send_sync::<AnalyticsEngineDataset>();
        send_sync::<SecretStore>();
        default::<Conditional>();
        default::<HttpMetadata>();
    }
}
