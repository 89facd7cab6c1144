//! The form of every JSON answer that is a success.

use serde::Serialize;

/// `{"data":…}`
pub(crate) fn data(value: &impl Serialize) -> Vec<u8> {
    #[derive(Serialize)]
    struct Data<'a, T> {
        data: &'a T,
    }
    serde_json::to_vec(&Data { data: value }).expect("rows and names are always JSON")
}
