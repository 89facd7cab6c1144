//! `ByteStream`, `FixedLengthStream`.

both! {
    use futures_util::Stream;
    use worker::{ByteStream, FixedLengthStream, Result};

    fn wrap(stream: impl Stream<Item = Result<Vec<u8>>> + 'static) -> FixedLengthStream {
        FixedLengthStream::wrap(stream, 0_u64)
    }

    fn asks_stream<T: Stream<Item = Result<Vec<u8>>>>() {}

    fn traits() {
        asks_stream::<ByteStream>();
        asks_stream::<FixedLengthStream>();
        debug::<ByteStream>();
        debug::<FixedLengthStream>();
    }
}
