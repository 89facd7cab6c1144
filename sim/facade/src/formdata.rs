//! [`FormData`]: the fields of a form.
//!
//! URL-encoded forms are read. Multipart bodies, and with them received files, are not simulated:
//! reading one is an error that says so. `File::last_modified` and the conversions from and to
//! `web_sys` are absent.

use crate::Result;
use std::sync::{Mutex, MutexGuard};

/// The value of a field.
#[derive(Debug)]
pub enum FormEntry {
    /// Text.
    Field(String),
    /// A file.
    File(File),
}

/// The fields of a form, in order; a name may occur several times.
#[derive(Debug, Default)]
pub struct FormData {
    fields: Mutex<Vec<(String, String)>>,
}

impl FormData {
    /// Held for one method's work, in which nothing panics: never contended, never poisoned.
    fn fields(&self) -> MutexGuard<'_, Vec<(String, String)>> {
        self.fields.lock().expect("no method panics")
    }

    /// A form without fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// The first value of this name.
    pub fn get(&self, name: &str) -> Option<FormEntry> {
        self.get_field(name).map(FormEntry::Field)
    }

    /// The first value of this name, if it is text.
    pub fn get_field(&self, name: &str) -> Option<String> {
        self.fields()
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.clone())
    }

    /// Every value of this name; an empty list when there is none.
    pub fn get_all(&self, name: &str) -> Option<Vec<FormEntry>> {
        let fields = self.fields();
        let values = fields.iter().filter(|(known, _)| known == name);
        Some(
            values
                .map(|(_, value)| FormEntry::Field(value.clone()))
                .collect(),
        )
    }

    /// Whether there is a field of this name.
    pub fn has(&self, name: &str) -> bool {
        self.fields().iter().any(|(known, _)| known == name)
    }

    /// Adds a field, beside those of the same name.
    ///
    /// # Errors
    /// Never; the type is upstream's.
    pub fn append(&self, name: &str, value: &str) -> Result<()> {
        self.fields().push((name.to_owned(), value.to_owned()));
        Ok(())
    }

    /// Sets the only value of a name, in the place of the first.
    ///
    /// # Errors
    /// Never; the type is upstream's.
    pub fn set(&self, name: &str, value: &str) -> Result<()> {
        let mut fields = self.fields();
        let first = fields.iter().position(|(known, _)| known == name);
        let mut index = 0;
        fields.retain(|(known, _)| {
            let keep = known != name || Some(index) == first;
            index += 1;
            keep
        });
        match first {
            Some(first) => value.clone_into(&mut fields[first].1),
            None => fields.push((name.to_owned(), value.to_owned())),
        }
        Ok(())
    }

    /// Removes every field of this name.
    pub fn delete(&self, name: &str) {
        self.fields().retain(|(known, _)| known != name);
    }

    /// Reads a body; `None` when the platform would throw over its content type (workerd
    /// api/form-data.c++, 2026-08-22).
    ///
    /// # Errors
    /// For a multipart body.
    pub(crate) fn parse(content_type: Option<&str>, body: &[u8]) -> Result<Option<Self>> {
        let Some(content_type) = content_type else {
            return Ok(None);
        };
        let mut parts = content_type.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default();
        if essence.eq_ignore_ascii_case("multipart/form-data") {
            return Err("the simulator does not read multipart/form-data bodies".into());
        }
        let charset = parts.find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case("charset")
                .then(|| value.trim().trim_matches('"').to_ascii_lowercase())
        });
        let utf_8 = charset.is_none_or(|charset| {
            ["utf-8", "utf8", "unicode-1-1-utf-8"].contains(&charset.as_str())
        });
        if !utf_8 || !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Ok(None);
        }
        let fields = url::form_urlencoded::parse(body).into_owned().collect();
        Ok(Some(Self {
            fields: Mutex::new(fields),
        }))
    }
}

/// A named file.
#[derive(Debug)]
pub struct File {
    name: String,
    bytes: Vec<u8>,
}

impl File {
    /// A file of these bytes, without a type.
    pub fn new(data: impl AsRef<[u8]>, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            bytes: data.as_ref().to_vec(),
        }
    }

    /// Its name.
    pub fn name(&self) -> String {
        self.name.clone()
    }

    /// Its size in bytes.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Its media type: empty, as for every file made with [`File::new`].
    pub fn type_(&self) -> String {
        String::new()
    }

    /// Its bytes.
    ///
    /// # Errors
    /// Never; the type is upstream's.
    pub async fn bytes(&self) -> Result<Vec<u8>> {
        Ok(self.bytes.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    const URL_ENCODED: Option<&str> = Some("application/x-www-form-urlencoded; charset=\"UTF-8\"");

    fn all(form: &FormData, name: &str) -> Vec<String> {
        let values = form.get_all(name).unwrap().into_iter();
        values
            .map(|value| {
                if let FormEntry::Field(text) = value {
                    text
                } else {
                    unreachable!()
                }
            })
            .collect()
    }

    #[test]
    fn a_url_encoded_form_is_read_in_order() {
        let form = FormData::parse(URL_ENCODED, b"a=1&b=x+y%21&a=2")
            .unwrap()
            .unwrap();
        assert_eq!(all(&form, "a"), ["1", "2"]);
        assert_eq!(form.get_field("b").as_deref(), Some("x y!"));
        assert!(!form.has("c"));
        assert_eq!(all(&form, "c"), [""; 0]);
    }

    #[test]
    fn set_keeps_the_place_of_the_first_and_delete_removes_all() {
        let form = FormData::parse(URL_ENCODED, b"a=1&b=2&a=3")
            .unwrap()
            .unwrap();
        form.set("a", "4").unwrap();
        form.append("b", "5").unwrap();
        assert_eq!(
            *form.fields(),
            [("a", "4"), ("b", "2"), ("b", "5")].map(|(n, v)| (n.to_owned(), v.to_owned()))
        );
        form.delete("b");
        form.set("c", "6").unwrap();
        assert_eq!(form.get_field("c").as_deref(), Some("6"));
        assert!(!form.has("b"));
    }

    #[test]
    fn other_content_types_are_refused() {
        for refused in [
            None,
            Some("application/json"),
            Some("application/x-www-form-urlencoded;charset=latin1"),
        ] {
            assert!(
                FormData::parse(refused, b"a=1").unwrap().is_none(),
                "{refused:?}"
            );
        }
        assert!(FormData::parse(Some("multipart/form-data; boundary=x"), b"").is_err());
    }

    #[test]
    fn a_file_knows_its_name_and_bytes() {
        let file = File::new(b"abc", "a.txt");
        assert_eq!(
            (file.name().as_str(), file.size(), file.type_().as_str()),
            ("a.txt", 3, "")
        );
        assert_eq!(file.bytes().now_or_never().unwrap().unwrap(), b"abc");
    }
}
