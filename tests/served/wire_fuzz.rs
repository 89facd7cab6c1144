//! The parsers of the wire formats take whatever arrives: the corpus of the fuzzer, and inputs made from it by chance.
//!
//! The fuzzer itself, guided by coverage, is `cargo +nightly fuzz run wire` in the folder `sim`.

#[path = "../../sim/fuzz/exercise.rs"]
mod exercise;

use self::exercise::exercise;
use edgeproof_sim::kernel::seed::Stream;

fn corpus() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../sim/fuzz/corpus/wire");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the corpus")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| std::fs::read(file).expect("an input"))
        .collect()
}

/// Bytes that mean something somewhere.
const TELLING: &[&[u8]] = &[
    b"%",
    b"%2F",
    b"%00",
    b"%ff",
    b"?",
    b"&",
    b"=",
    b"/",
    b"..",
    b"\0",
    b"\"",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"-1",
    b"1e999",
    b"9007199254740993",
    b"null",
    b"\xf0\x9f\x9a\xa8",
    b"\xff",
    b"\r\n",
    b"--X",
    b"true",
    b"NaN",
    b"18446744073709551616",
];

#[test]
fn no_parser_is_upset_by_what_arrives() {
    let corpus = corpus();
    assert!(corpus.len() >= 10, "the corpus is there");
    corpus.iter().for_each(|input| exercise(input));
    let mut dice = Stream::new(7, "wire");
    let mut below =
        move |bound: usize| usize::try_from(dice.below(bound as u64)).expect("below a usize");
    for _ in 0..50_000 {
        let mut input = corpus[below(corpus.len())].clone();
        for _ in 0..=below(6) {
            let place = below(input.len() + 1);
            match below(5) {
                0 => input.truncate(place),
                1 => {
                    drop(input.splice(place..place, TELLING[below(TELLING.len())].iter().copied()))
                }
                2 if place < input.len() => {
                    input[place] = u8::try_from(below(256)).expect("a byte")
                }
                3 if place < input.len() => drop(input.remove(place)),
                _ => {
                    let other = &corpus[below(corpus.len())];
                    input.truncate(place);
                    input.extend_from_slice(&other[below(other.len() + 1)..]);
                }
            }
        }
        exercise(&input);
    }
}
