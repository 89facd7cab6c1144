//! The pinned tools that building and running a wasm Worker needs: found, or installed once into a cache of the user's.
