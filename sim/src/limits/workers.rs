//! Limits and errors of Workers themselves.

use std::time::Duration;

/// Memory of an isolate in bytes, all of its requests together. LIM 2026-07-28: 128 MB.
pub const ISOLATE_MEMORY_BYTES: u64 = 128_000_000;
/// How long `waitUntil` may go on after the answer or the client's leaving. LIM 2026-07-28.
pub const WAIT_UNTIL: Duration = Duration::from_secs(30);
/// Wall time of a cron invocation, a queue consumer or an alarm. LIM 2026-07-28.
pub const BACKGROUND_WALL: Duration = Duration::from_secs(15 * 60);
/// Connections of one invocation that may wait for response headers at once; a further one is queued. LIM 2026-07-28.
pub const CONNECTIONS: u32 = 6;
/// Length of a URL in bytes. LIM 2026-07-28: 16 KB.
pub const URL_BYTES: usize = 16 * 1024;
/// All headers of a request, and of a response, in bytes. LIM 2026-07-28: 128 KB each.
pub const HEADERS_BYTES: usize = 128 * 1024;
/// Largest request body in bytes in a zone on the Free or Pro *zone* plan. LIM 2026-07-28: 100 MB; above it the answer is
/// 413. LIM2 (after 2026-09-04) speaks of up to 5 GB without naming the plans, so the older figure stands.
pub const REQUEST_BODY_BYTES: u64 = 100_000_000;
/// Size of an environment variable in bytes. LIM 2026-07-28: 5 KB.
pub const VARIABLE_BYTES: usize = 5 * 1024;
/// Log data of one request in bytes. LIM 2026-07-28: 256 KB.
pub const LOG_BYTES: usize = 256 * 1024;
/// Largest value of `limits.cpu_ms` in milliseconds. LIM 2026-07-28: 5 minutes.
pub const CPU_MS_CONFIGURABLE: u64 = 300_000;
/// Largest value of `limits.subrequests`. LIM 2026-07-28 (changelog 2026-02-11).
pub const SUBREQUESTS_CONFIGURABLE: u32 = 10_000_000;
/// CPU time of global scope at start. LIM 2026-07-28: 1 s (400 ms before 2025-10-10).
pub const STARTUP: Duration = Duration::from_secs(1);
/// Size of a deployed Worker in bytes, uncompressed. LIM2 (changelog 2026-09-04): 64 MiB on both plans.
pub const SCRIPT_BYTES: u64 = 64 * 1024 * 1024;
/// Hops of Worker to Worker before error 1019. ERR 2026-10-08.
pub const LOOP_HOPS: u32 = 16;
/// How long requests in flight may go on when the runtime is updated. LIM 2026-07-28.
pub const RUNTIME_UPDATE_GRACE: Duration = Duration::from_secs(30);

/// Text of the client's page when CPU or memory ran out (error 1102). ERR 2026-10-08.
pub const EXCEEDED_RESOURCES: &str = "Worker exceeded resource limits";
/// Body of the page of error 1101, an uncaught exception: ERR 2026-10-08 gives no body, this is formed like that of 1027.
pub const EXCEPTION_BODY: &str = "error code: 1101";
/// Body of the page of error 1102, formed like that of 1027.
pub const EXCEEDED_BODY: &str = "error code: 1102";
/// Body once the free daily requests are used up. OBS 2025-2026.
pub const DAILY_LIMIT_BODY: &str = "error code: 1027";
/// Status once the free daily requests are used up. OBS 2025-2026, six repositories.
pub const DAILY_LIMIT_STATUS: u16 = 429;
/// Exception of a fetch beyond the subrequests of an invocation. OBS 2025-2026.
pub const TOO_MANY_SUBREQUESTS: &str = "Too many subrequests by single Worker invocation.";
/// Exception of a binding's call beyond the limit of an invocation. OBS 2026; the second sentence came that year.
pub const TOO_MANY_API_REQUESTS: &str = "Too many API requests by single Worker invocation. To configure this limit, refer to https://developers.cloudflare.com/workers/wrangler/configuration/#limits";
/// Exception of a `fetch` handler that returns something else than a `Response`: workerd's text, as the public issue
/// cloudflare/miniflare 672 quotes it.
pub const NO_RESPONSE: &str =
    "Incorrect type for Promise: the Promise did not resolve to 'Response'.";
/// Message of the `RuntimeError` after a panic: the trap of wasm's instruction `unreachable`, with which Rust ends a panic
/// there.
pub const PANIC: &str = "unreachable";
/// Exception of reading a body that does not fit in memory. LIM 2026-07-28.
pub const MEMORY_BEFORE_EOF: &str = "Memory limit would be exceeded before EOF";
/// Refusal to deploy a Worker that sets `limits.cpu_ms` on Free: begin and end of the text quoted in the public issue
/// cloudflare/workers-sdk 8756.
pub const CPU_LIMIT_ON_FREE: &str = "CPU limits are not supported for the Free plan [code: 100328]";
