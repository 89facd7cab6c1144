//! Whole commands: the request, what is shown of it, and the errors.

use std::io;

use http::Method;

use super::file::DATA_BYTES_MAX;
use super::{Bearer, Command, CurlError, parse_line};

fn files(name: &str) -> io::Result<Vec<u8>> {
    match name {
        "body.txt" => Ok(b"a b\r\nc\n".to_vec()),
        "longest" => Ok(vec![b'x'; DATA_BYTES_MAX as usize]),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

fn curl(line: &str) -> Command {
    parse_line(line, &files).unwrap_or_else(|error| panic!("{error}: {line}"))
}

fn error(line: &str) -> CurlError {
    parse_line(line, &files).expect_err("the command is faulty")
}

fn header<'a>(command: &'a Command, name: &str) -> Option<&'a str> {
    command
        .headers
        .get(name)
        .map(|value| value.to_str().expect("ascii"))
}

#[test]
fn the_documented_burst_is_read_in_full() {
    let command = curl(
        "curl -X POST https://your-app.pages.dev/api/transactions \\\n  -H \"Authorization: Bearer YOUR_TOKEN\" \
         -H \"Content-Type: application/json\" -d '{\"test\":\"data\"}'",
    );
    assert_eq!(command.method, Method::POST);
    assert_eq!(command.url.path(), "/api/transactions");
    assert_eq!(header(&command, "content-type"), Some("application/json"));
    assert_eq!(command.body.as_ref(), br#"{"test":"data"}"#);
    assert_eq!(command.bearer, Bearer::Placeholder);
    assert!(command.notes.is_empty());
}

#[test]
fn chromes_copy_as_curl_is_read() {
    let command = curl(
        "curl 'https://h.example/api/transactions?x=1' \\\n  -H 'accept: */*' \\\n  -H 'authorization: Bearer abc.def.ghi' \\\n  \
         -H 'content-type: application/json' \\\n  -b 'sid=1234567' \\\n  --data-raw $'{\"d\":\"it\\'s \\u0021\"}' \\\n  \
         --compressed",
    );
    assert_eq!(command.method, Method::POST);
    assert_eq!(command.body.as_ref(), br#"{"d":"it's !"}"#);
    assert_eq!(header(&command, "cookie"), Some("sid=1234567"));
    assert_eq!(command.bearer, Bearer::Given);
    assert_eq!(command.notes.len(), 1, "{:?}", command.notes);
    assert!(
        !command.shown.contains("abc.def.ghi") && !command.shown.contains("1234567"),
        "{}",
        command.shown
    );
}

// What curl 7.88.1 sent to a server that printed it.
#[test]
fn bodies_are_those_that_curl_sends() {
    for (options, method, body, content_type) in [
        (
            "-d a=1 -d b=2",
            "POST",
            "a=1&b=2",
            Some("application/x-www-form-urlencoded"),
        ),
        (
            "-d @body.txt -d q=1",
            "POST",
            "a bc&q=1",
            Some("application/x-www-form-urlencoded"),
        ),
        (
            "--data-binary @body.txt",
            "POST",
            "a b\r\nc\n",
            Some("application/x-www-form-urlencoded"),
        ),
        (
            "--data-raw @body.txt",
            "POST",
            "@body.txt",
            Some("application/x-www-form-urlencoded"),
        ),
        (
            "--json '{\"a\":' --json '1}'",
            "POST",
            "{\"a\":1}",
            Some("application/json"),
        ),
        (
            "-d a=1 --json '{}'",
            "POST",
            "a=1{}",
            Some("application/json"),
        ),
        (
            "--json '{}' -d a=1",
            "POST",
            "{}&a=1",
            Some("application/json"),
        ),
        (
            "--data-urlencode 'a b&c' --data-urlencode 'n=v w/+' --data-urlencode '=x y' --data-urlencode n@body.txt",
            "POST",
            "a+b%26c&n=v+w%2F%2B&x+y&n=a+b%0D%0Ac%0A",
            Some("application/x-www-form-urlencoded"),
        ),
        (
            "--data-urlencode 'n*é=a*()!~-._é + %\"<>'",
            "POST",
            "n*é=a%2A%28%29%21~-._%C3%A9+%2B+%25%22%3C%3E",
            Some("application/x-www-form-urlencoded"),
        ),
        (
            "-XPUT -d@body.txt",
            "PUT",
            "a bc",
            Some("application/x-www-form-urlencoded"),
        ),
        ("-sSXPOST", "POST", "", None),
        ("-X DELETE", "DELETE", "", None),
        ("-I", "HEAD", "", None),
        ("", "GET", "", None),
        (
            "-d ''",
            "POST",
            "",
            Some("application/x-www-form-urlencoded"),
        ),
        (
            "-H 'Content-Type: text/plain' -d x",
            "POST",
            "x",
            Some("text/plain"),
        ),
        ("-H 'Content-Type:' -d x", "POST", "x", None),
        (
            "-sSid x=1",
            "POST",
            "x=1",
            Some("application/x-www-form-urlencoded"),
        ),
    ] {
        let command = curl(&format!("curl http://h/p {options}"));
        assert_eq!(command.method.as_str(), method, "{options}");
        assert_eq!(String::from_utf8_lossy(&command.body), body, "{options}");
        assert_eq!(header(&command, "content-type"), content_type, "{options}");
    }
}

#[test]
fn get_moves_the_data_into_the_query() {
    let command = curl("curl 'http://h/p?z=1' -G -d a=1 --data-urlencode 'b=2 3'");
    assert_eq!(
        (command.method.as_str(), command.url.query()),
        ("GET", Some("z=1&a=1&b=2+3"))
    );
    assert!(command.body.is_empty());
    assert_eq!(curl("curl http://h/p -I -G -d a=1").method, Method::HEAD);
}

#[test]
fn headers_are_those_that_curl_sends() {
    let command = curl("curl http://h -b a=b -b c=d -A me -e ref -u u:pw");
    assert_eq!(header(&command, "cookie"), Some("a=b;c=d"));
    assert_eq!(header(&command, "user-agent"), Some("me"));
    assert_eq!(header(&command, "referer"), Some("ref"));
    assert_eq!(header(&command, "authorization"), Some("Basic dTpwdw=="));
    let command = curl("curl http://u:p%40@h/x#frag -H 'Accept:' -H 'X-Empty;'");
    assert_eq!(header(&command, "authorization"), Some("Basic dTpwQA=="));
    assert_eq!(
        (header(&command, "accept"), header(&command, "x-empty")),
        (None, Some(""))
    );
    assert_eq!(command.url.as_str(), "http://h/x");
    let command = curl("curl 'http://us%4z%er:p%zz%40%2@h/'");
    assert_eq!(
        header(&command, "authorization"),
        Some("Basic dXMlNHolZXI6cCV6ekAlMg==")
    );
    let both = curl("curl http://h --oauth2-bearer tok -u u:pw");
    assert_eq!(header(&both, "authorization"), Some("Bearer tok"));
}

#[test]
fn a_bare_host_with_a_port_is_http() {
    assert_eq!(
        curl("curl localhost:8787/api").url.as_str(),
        "http://localhost:8787/api"
    );
}

#[test]
fn an_error_points_at_the_place() {
    for (line, pointed_at, message) in [
        (
            "curl http://h --frobnicate x",
            "--frobnicate",
            "not an option",
        ),
        ("curl -sQs3cret http://h", "Q", "not an option"),
        ("curl -Qs3cret http://h", "-Q", "not an option"),
        ("curl --request=POST http://h", "--request=…", "after `=`"),
        ("curl -F a=b http://h", "-F", "not offered"),
        (
            "curl http://h http://other/x",
            "http://other/x",
            "second URL",
        ),
        ("curl -X POST", "URL?", "no URL"),
        (
            "curl http://h -d @absent",
            "@absent",
            "-d cannot read absent",
        ),
        (
            "curl http://h --data-urlencode n@absent",
            "@absent",
            "--data-urlencode cannot read absent",
        ),
        ("curl http://h --json @-", "@-", "standard input"),
        ("curl http://h -d @", "@", "-d names no file"),
        ("curl http://h -d $'@\\xff'", "…", "not UTF-8"),
        (
            "curl http://h --oauth2-bearer $'a\\nb'",
            "",
            "the token holds a control character",
        ),
        ("curl http://h -H", "-H", "needs a value"),
        (
            "curl http://h -H 'Authorization: Bearer $TOKEN'",
            "$TOKEN",
            "not replaced",
        ),
        (
            "curl http://h -H \"Authorization: Bearer $TOKEN\"",
            "$TOKEN",
            "not replaced",
        ),
        (
            "curl http://h -H 'Authorization: Bearer ${token}'",
            "${token}",
            "not replaced",
        ),
        ("curl 'http://$HOST/x'", "$HOST", "not replaced"),
        (
            "curl http://h -H 'Authorization: Bearer s3cret",
            "'",
            "never closed",
        ),
        ("curl http://h?a=1&b=2", "&", "outside quotes"),
        ("curl http://h -I -d a", "-I", "contradict"),
        ("curl http://h -Is -d a", "-Is", "contradict"),
        ("curl http://h -H NoColon", "…", "Name: value"),
        ("wget http://h", "…", "not a curl"),
        ("curl ftp://h/x", "ftp://h/x", "only http"),
        ("curl http://h/{a,b}", "{…}", "braces"),
        ("curl 'http://h/[1-3]'", "http://h/[1-3]", "brackets"),
    ] {
        let error = error(line);
        assert_eq!(error.pointed_at(), pointed_at, "{line}: {error}");
        assert!(error.to_string().contains(message), "{line}: {error}");
        let printed = format!("{:?} {error:?}", miette::Report::new(self::error(line)));
        assert!(!printed.contains("s3cret"), "{printed}");
    }
}

#[test]
fn data_options_add_up_to_the_longest_body_and_no_further() {
    let longest = "curl http://h --data-binary @longest";
    assert_eq!(curl(longest).body.len() as u64, DATA_BYTES_MAX);
    for (options, named) in [("-d ''", "-d"), ("--json x", "--json")] {
        let error = error(&format!("{longest} {options}"));
        let message = format!("with {named} the body is longer than {DATA_BYTES_MAX} bytes");
        assert!(error.to_string().starts_with(&message), "{error}");
    }
}

#[test]
fn a_dollar_in_a_single_quoted_body_or_query_name_is_data() {
    let command = curl("curl 'http://h/x?$filter=a' -d '{\"description\":\"$TOKEN\"}'");
    assert_eq!(command.body.as_ref(), br#"{"description":"$TOKEN"}"#);
}

#[test]
fn ignored_options_leave_a_note_and_change_nothing() {
    let command = curl("curl -sSkL -o /dev/null -w '%{http_code}' --retry 3 --http2 -m 5 http://h");
    assert_eq!(command.notes.len(), 6, "{:?}", command.notes);
    assert_eq!(command.method, Method::GET);
}

#[test]
fn the_shown_command_is_read_back_as_the_same_request() {
    let line = "curl -sSXPUT 'http://h/p?a=1&b=2' -H 'Content-Type: text/plain' --data-raw 'it'\\''s' -A 'a b'";
    let (first, second) = (curl(line), curl(&curl(line).shown));
    assert_eq!(
        (first.method, first.url, first.headers, first.body),
        (second.method, second.url, second.headers, second.body)
    );
}

#[test]
fn no_credential_is_shown_or_debugged() {
    let command = curl(
        "curl 'http://u:s3cret1@h/x?api_key=s3cret2' -H 'X-Api-Key: s3cret3' -b 'a=s3cret4' \
         -H 'Cookie: b=s3cret5' -H 'Authorization: Bearer s3cret6' -d '{\"password\":\"s3cret7\"}'",
    );
    assert!(!command.shown.contains("s3cret"), "{}", command.shown);
    assert!(
        !format!("{command:?} {:?}", command.headers).contains("s3cret"),
        "{command:?}"
    );
    for number in 1..=7 {
        let planted = format!("s3cret{number}");
        assert!(
            command
                .secrets
                .iter()
                .any(|secret| secret.expose().contains(&planted)),
            "{planted}"
        );
    }
}
