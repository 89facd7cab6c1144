//! The calls of Cloudflare's REST API that wrangler makes for KV and D1.
