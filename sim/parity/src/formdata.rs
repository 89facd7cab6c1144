//! `FormData`, `FormEntry`, `File`.

both! {
    use worker::{File, FormData, FormEntry, Result};

    const _: fn() -> FormData = FormData::new;
    const _: fn(&FormData, &str) -> Option<FormEntry> = FormData::get;
    const _: fn(&FormData, &str) -> Option<String> = FormData::get_field;
    const _: fn(&FormData, &str) -> Option<Vec<FormEntry>> = FormData::get_all;
    const _: fn(&FormData, &str) -> bool = FormData::has;
    const _: fn(&FormData, &str, &str) -> Result<()> = FormData::append;
    const _: fn(&FormData, &str, &str) -> Result<()> = FormData::set;
    const _: fn(&FormData, &str) = FormData::delete;

    const _: fn(&File) -> String = File::name;
    const _: fn(&File) -> usize = File::size;
    const _: fn(&File) -> String = File::type_;

    fn file<T: AsRef<[u8]>>(data: T) -> File {
        let file = File::new(data, "");
        let _: Is<Result<Vec<u8>>> = output(file.bytes());
        file
    }

    fn entry(entry: FormEntry) {
        match entry {
            FormEntry::Field(text) => is::<String>(text),
            FormEntry::File(file) => is::<File>(file),
        }
    }

    fn traits() {
        debug::<FormData>();
        debug::<FormEntry>();
        debug::<File>();
    }
}
