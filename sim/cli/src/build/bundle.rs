//! The files that are deployed, what they weigh, and what they were made from.

use crate::number::thousands;
use crate::tools::{Tools, digest};
use edgeproof_sim::limits::workers::SCRIPT_BYTES;
use edgeproof_sim::wrangler::file;
use flate2::Compression;
use flate2::write::GzEncoder;
use miette::{Context, IntoDiagnostic, Result, miette};
use std::fmt::{self, Display, Formatter, Write as _};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The main module.
const MAIN: &str = "index.js";

/// What worker-build made, where the crate has a main module of its own.
const GLUE: &str = "glue.js";

const WASM: &str = "index_bg.wasm";

/// Longest part of a bundle in bytes, before wasm-opt has made it smaller: twice what a deployed Worker may weigh.
const PART_BYTES_MAX: u64 = 2 * SCRIPT_BYTES;

/// Longest stamp in bytes: it has a line for each part.
const STAMP_BYTES_MAX: u64 = 16 << 10;

/// The files of the bundle in a folder.
fn files(folder: &Path) -> Vec<&'static str> {
    let glue = folder.join(GLUE).is_file().then_some(GLUE);
    [MAIN].into_iter().chain(glue).chain([WASM]).collect()
}

/// A main module that the crate brings along.
#[derive(Debug)]
pub(super) struct Entry(Vec<u8>);

impl Entry {
    /// The file `entry.js` beside the crate's manifest, if there is one.
    pub(super) fn of(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join("entry.js");
        if path.is_file() {
            read(&path).map(|content| Some(Self(content)))
        } else {
            Ok(None)
        }
    }

    /// Makes it the main module of the bundle that worker-build left in `folder`.
    pub(super) fn put_before(&self, folder: &Path) -> Result<()> {
        let main = folder.join(MAIN);
        fs::rename(&main, folder.join(GLUE)).into_diagnostic()?;
        fs::write(&main, &self.0).into_diagnostic()
    }
}

/// A bundle on disk.
#[derive(Debug)]
pub(super) struct Bundle {
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    path: PathBuf,
    raw: usize,
    gzipped: usize,
}

impl Bundle {
    /// Weighs the bundle in a folder.
    pub(super) fn read(folder: &Path) -> Result<Bundle> {
        let mut parts = Vec::new();
        for name in files(folder) {
            let path = folder.join(name);
            let content = read(&path)?;
            parts.push(Part {
                raw: content.len(),
                gzipped: gzipped(&content)?,
                path,
            });
        }
        Ok(Bundle { parts })
    }

    /// Refuses a bundle that weighs more than `max` bytes when it is compressed.
    pub(super) fn check(&self, max: usize) -> Result<()> {
        let total = self.gzipped();
        if total <= max {
            return Ok(());
        }
        Err(miette!(
            help = "leave out dependencies or features that the Worker does not need; `--max-gzipped BYTES` sets another limit",
            "the bundle weighs {} bytes compressed, and the limit is {}:\n{}",
            thousands(total),
            thousands(max),
            self.table()
        ))
    }

    fn gzipped(&self) -> usize {
        self.parts.iter().map(|part| part.gzipped).sum()
    }

    /// One line per file, without the folder.
    fn table(&self) -> String {
        let mut table = String::new();
        for part in &self.parts {
            let name = part.path.file_name().unwrap_or_default().to_string_lossy();
            let _ = writeln!(
                table,
                "{name:<14} {:>10} bytes, {:>9} compressed",
                thousands(part.raw),
                thousands(part.gzipped)
            );
        }
        table
    }
}

impl Display for Bundle {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            writeln!(f, "{}", part.path.display())?;
        }
        f.write_str(&self.table())?;
        writeln!(
            f,
            "{:<14} {:>10}        {:>9} compressed",
            "together",
            "",
            thousands(self.gzipped())
        )
    }
}

/// What a bundle was made from and what came out: a bundle whose stamp still holds needs no making.
#[derive(Debug)]
pub(super) struct Stamp {
    made_from: String,
}

impl Stamp {
    const NAME: &str = ".made-from";

    /// The stamp of what would be made from that compiled wasm and that main module by these tools.
    pub(super) fn new(compiled: &Path, entry: Option<&Entry>, tools: &Tools) -> Result<Stamp> {
        let wasm = digest(read(compiled)?);
        let entry = entry.map_or_else(|| "-".to_owned(), |entry| digest(&entry.0));
        let programs =
            [&tools.worker_build, &tools.wasm_bindgen].map(|path| path.display().to_string());
        Ok(Stamp {
            made_from: format!(
                "{wasm} {entry} {} {}",
                tools.npm.version(),
                digest(programs.join("\n"))
            ),
        })
    }

    /// Whether the bundle in `folder` has this stamp and is as it was made.
    pub(super) fn is_of(&self, folder: &Path) -> bool {
        matches!((Self::written(folder), self.text(folder)), (Ok(written), Ok(text)) if written == text)
    }

    fn written(folder: &Path) -> std::io::Result<String> {
        file::text(&folder.join(Self::NAME), STAMP_BYTES_MAX)
    }

    /// Stamps the bundle in `folder`.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let text = self.text(folder)?;
        fs::write(folder.join(Self::NAME), text).into_diagnostic()
    }

    fn text(&self, folder: &Path) -> Result<String> {
        let mut text = format!("{}\n", self.made_from);
        for name in files(folder) {
            let _ = writeln!(text, "{name} {}", digest(read(&folder.join(name))?));
        }
        Ok(text)
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    file::bytes(path, PART_BYTES_MAX)
        .into_diagnostic()
        .wrap_err_with(|| format!("{} cannot be read", path.display()))
}

/// The size after gzip, at the usual level. Wrangler shows a little more: it bundles the glue once more and does not minify it.
fn gzipped(content: &[u8]) -> Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).into_diagnostic()?;
    Ok(encoder.finish().into_diagnostic()?.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(folder: &Path) -> Bundle {
        fs::write(folder.join("index.js"), "export {};\n").unwrap();
        fs::write(folder.join("index_bg.wasm"), [0; 100_000]).unwrap();
        Bundle::read(folder).unwrap()
    }

    #[test]
    fn a_bundle_over_the_limit_is_refused_and_the_limit_named() {
        let folder = tempfile::tempdir().unwrap();
        let bundle = bundle(folder.path());
        let weight = bundle.gzipped();
        assert!(weight < 1000, "zeroes compress: {weight}");
        bundle.check(weight).unwrap();
        let refused = bundle.check(weight - 1).unwrap_err().to_string();
        assert!(
            refused.contains(&format!("the limit is {}", weight - 1)),
            "{refused}"
        );
        assert!(
            refused.contains("index_bg.wasm     100,000 bytes"),
            "{refused}"
        );
    }

    #[test]
    fn a_part_that_is_too_long_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        bundle(folder.path());
        // Sparse: nothing of it is on the disk.
        let wasm = fs::File::create(folder.path().join(WASM)).unwrap();
        wasm.set_len(PART_BYTES_MAX + 1).unwrap();
        let refused = format!("{:?}", Bundle::read(folder.path()).unwrap_err());
        assert!(refused.contains("it is longer than"), "{refused}");
    }

    #[test]
    fn a_stamp_that_is_too_long_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let stamp = fs::File::create(folder.path().join(Stamp::NAME)).unwrap();
        stamp.set_len(STAMP_BYTES_MAX + 1).unwrap();
        let refused = Stamp::written(folder.path()).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn a_stamp_holds_until_a_file_or_what_it_was_made_from_changes() {
        let folder = tempfile::tempdir().unwrap();
        bundle(folder.path());
        let stamp = Stamp {
            made_from: "one".to_owned(),
        };
        assert!(!stamp.is_of(folder.path()), "there is none yet");
        stamp.write(folder.path()).unwrap();
        assert!(stamp.is_of(folder.path()));
        assert!(
            !Stamp {
                made_from: "two".to_owned()
            }
            .is_of(folder.path())
        );
        fs::write(folder.path().join("index.js"), "export { };\n").unwrap();
        assert!(!stamp.is_of(folder.path()));
    }

    #[test]
    fn an_entry_of_the_crate_becomes_the_main_module_and_counts() {
        let crate_folder = tempfile::tempdir().unwrap();
        assert!(Entry::of(crate_folder.path()).unwrap().is_none());
        fs::write(
            crate_folder.path().join("entry.js"),
            "import './glue.js';\n",
        )
        .unwrap();
        let entry = Entry::of(crate_folder.path()).unwrap().unwrap();

        let folder = tempfile::tempdir().unwrap();
        let before = bundle(folder.path()).gzipped();
        entry.put_before(folder.path()).unwrap();
        let content = |name| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(content("index.js"), "import './glue.js';\n");
        assert_eq!(content("glue.js"), "export {};\n");
        let after = Bundle::read(folder.path()).unwrap();
        assert!(after.gzipped() > before, "{after}");
        assert!(after.table().contains("glue.js"), "{after}");
    }
}
