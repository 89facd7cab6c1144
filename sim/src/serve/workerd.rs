//! KV and D1 for a Worker that runs in a real workerd.
