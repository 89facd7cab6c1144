//! Words, quotations and faults.

use super::*;

fn words(line: &str) -> Vec<String> {
    split(line)
        .expect("the line is complete")
        .into_iter()
        .map(|word| String::from_utf8(word).expect("text"))
        .collect()
}

fn fault(line: &str) -> Fault {
    split(line).expect_err("the line is faulty").fault
}

#[test]
fn quotes_of_each_kind_join_into_one_word() {
    assert_eq!(words(r#"a'b c'"d e"$'\x66\u0067\n'\ h"#), ["ab cd efg\n h"]);
}

#[test]
fn a_backslash_newline_disappears_and_an_empty_quotation_is_a_word() {
    assert_eq!(
        words("curl \\\n  '' -d \"\" x\\\ny"),
        ["curl", "", "-d", "", "xy"]
    );
}

#[test]
fn chromes_ansi_c_strings_become_utf8() {
    assert_eq!(
        words(r#"$'{\"a\":\"it\'s caf\u00e9\u0021\"}'"#),
        [r#"{"a":"it's café!"}"#]
    );
}

#[test]
fn each_fault_is_named() {
    assert_eq!(fault("curl 'abc"), Fault::OpenQuote("'"));
    assert_eq!(fault("curl \"abc"), Fault::OpenQuote("\""));
    assert_eq!(fault(r"curl $'abc\'"), Fault::OpenQuote("$'"));
    assert_eq!(
        fault("curl -H \"A: $TOKEN\""),
        Fault::Substitution("$TOKEN".into())
    );
    assert_eq!(
        fault("curl ${TOKEN}"),
        Fault::Substitution("${TOKEN}".into())
    );
    assert_eq!(fault("curl $(cat t)"), Fault::Substitution("$(…)".into()));
    assert_eq!(fault("curl `cat t`"), Fault::Substitution("`…`".into()));
    assert_eq!(fault("curl http://h/?a=1&b=2"), Fault::Operator('&'));
    assert_eq!(fault("curl a | jq"), Fault::Operator('|'));
    assert_eq!(fault("curl a\ncurl b"), Fault::Operator('\n'));
    assert_eq!(fault("curl -d {\"a\":1,\"b\":2}"), Fault::Braces);
    assert_eq!(fault("curl ^\"http://h^\""), Fault::Caret);
    assert_eq!(fault(r"curl $'\0'"), Fault::Nul);
    assert_eq!(fault("curl \\"), Fault::LoneBackslash);
}

#[test]
fn a_dollar_that_names_nothing_stays() {
    assert_eq!(
        words("'$TOKEN' a$ \"$ \" \\$x"),
        ["$TOKEN", "a$", "$ ", "$x"]
    );
}

#[test]
fn a_comment_and_trailing_newlines_are_no_words() {
    assert_eq!(words("curl a#b # c d\n\n  # e\n"), ["curl", "a#b"]);
}
