//! Which real files are read and which are refused.

use super::*;

/// A source without an end, which counts what was read of it.
#[derive(Default)]
struct Endless {
    read: u64,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        assert!(self.read < 1_000_000, "it is read without a bound");
        buffer.fill(b'x');
        self.read += buffer.len() as u64;
        Ok(buffer.len())
    }
}

#[test]
fn one_byte_over_the_limit_is_read_and_no_more() {
    let mut source = Endless::default();
    let error = up_to(&mut source, 1_000).expect_err("it has no end");
    assert_eq!(
        (error.kind(), source.read),
        (ErrorKind::FileTooLarge, 1_001)
    );
    assert_eq!(
        up_to([b'x'; 1_000].as_slice(), 1_000).expect("fits").len(),
        1_000
    );
    assert!(up_to([b'x'; 1_001].as_slice(), 1_000).is_err());
}

#[test]
fn a_file_may_be_as_long_as_a_request_of_the_platform() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sparse");
    let name = path.to_str().expect("UTF-8");
    let file = File::create(&path).expect("created");
    file.set_len(100_000_000).expect("room");
    assert_eq!(read(name).expect("within the limit").len(), 100_000_000);
    file.set_len(100_000_001).expect("room");
    let error = read(name).expect_err("above the limit");
    assert!(error.to_string().contains("100000000 bytes"), "{error}");
}

#[test]
fn only_regular_files_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let link = folder.path().join("link");
    std::os::unix::fs::symlink("/dev/zero", &link).expect("linked");
    for path in [
        link.as_path(),
        folder.path(),
        "/dev/zero".as_ref(),
        "/dev/null".as_ref(),
    ] {
        let error = read(path.to_str().expect("UTF-8")).expect_err("refused");
        let message = error.to_string();
        assert_eq!(message, "it is not a regular file", "{}", path.display());
    }
    std::fs::write(folder.path().join("body"), "a\nb").expect("written");
    std::fs::remove_file(&link).expect("removed");
    std::os::unix::fs::symlink("body", &link).expect("linked");
    let content = read(link.to_str().expect("UTF-8")).expect("a link to a file");
    assert_eq!(content, b"a\nb");
}
