//! `query!`: a statement with its parameters.

/// A statement of a database, with parameters that implement [`serde::Serialize`]; without parameters it is
/// [`prepare`](crate::d1::D1Database::prepare). The package that uses it depends on `serde`, as with upstream.
///
/// ```
/// fn statement(d1: &worker::D1Database, least: u32) -> worker::Result<worker::D1PreparedStatement> {
///     worker::query!(d1, "SELECT * FROM things WHERE num > ?1", &least)
/// }
/// ```
#[macro_export]
macro_rules! query {
    ($db:expr, $query:expr) => {
        $crate::d1::D1Database::prepare($db, $query)
    };
    ($db:expr, $query:expr, $($args:expr),* $(,)?) => {{
        || -> $crate::Result<$crate::d1::D1PreparedStatement> {
            let prepared = $crate::d1::D1Database::prepare($db, $query);
            // D1 takes no `undefined`.
            let serializer =
                $crate::d1::serde_wasm_bindgen::Serializer::new().serialize_missing_as_null(true);
            let bindings = &[$(
                ::serde::ser::Serialize::serialize(&$args, &serializer)
                    .map_err(|error| $crate::Error::Internal(error.into()))?
            ),*];
            $crate::d1::D1PreparedStatement::bind(prepared, bindings)
        }()
    }};
}
