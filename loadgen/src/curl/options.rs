//! The table of curl's options: which shape the request, which have no meaning here, which are refused.
//!
//! An option that is not in the table is an error; the missing ones concern other protocols.

/// How the value of a data option is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Data {
    /// `-d`: `@FILE` without line ends.
    Text,
    /// `--data-raw`: `@` has no special meaning.
    Raw,
    /// `--data-binary`: `@FILE` as it is.
    Binary,
    /// `--data-urlencode`: the five forms of curl's manual.
    Encoded,
    /// `--json`: as binary, joined without `&`, with two headers.
    Json,
}

/// What an option does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    Request,
    Header,
    Data(Data),
    Get,
    /// `-g`: brackets are not expanded.
    Globoff,
    Head,
    User,
    Bearer,
    Cookie,
    UserAgent,
    Referer,
    Url,
    /// Has no meaning for a burst and is ignored: the reason goes into the report.
    Ignore(&'static str),
    /// Would change what is measured and is refused: the reason goes into the error.
    Refuse(&'static str),
}

/// One option.
pub(super) struct Opt {
    /// The letter after one dash.
    pub(super) short: Option<u8>,
    /// The name after two dashes.
    pub(super) long: &'static str,
    /// Whether a value follows.
    pub(super) takes_value: bool,
    /// What it does.
    pub(super) act: Act,
}

const fn flag(short: Option<u8>, long: &'static str, act: Act) -> Opt {
    Opt {
        short,
        long,
        takes_value: false,
        act,
    }
}

const fn value(short: Option<u8>, long: &'static str, act: Act) -> Opt {
    Opt {
        short,
        long,
        takes_value: true,
        act,
    }
}

const OUTPUT: &str = "it only changes what curl prints or saves";
const ALWAYS_VERIFIED: &str = "certificates are always verified";
const NO_REDIRECTS: &str = "redirects are not followed, so that every answer is the target's own";
const NEVER_RETRIES: &str = "nothing is retried: a second try would be charged to the quota";
const OWN_TIMEOUT: &str = "--timeout of the load generator holds";
const HTTP_1_1: &str = "HTTP/1.1 is spoken";
const TLS: &str = "TLS 1.2 or 1.3 is spoken, whichever the server prefers";
pub(super) const PLAIN_BODIES: &str =
    "answers are asked for uncompressed, so that they can be checked";
const CONNECTION: &str = "each client keeps one connection";
const FORMS: &str = "multipart forms and uploads are not offered";
const PROXIES: &str = "a proxy's answers would be mixed with the target's";
const ADDRESSES: &str = "the address is the URL's; what may be reached is decided by --allow-host";
const AUTH: &str = "only Basic and Bearer are offered";
const CERTIFICATES: &str = "client certificates and own roots are not offered";
const FILES: &str = "settings are taken from this command line alone";

/// Every option known, as of curl 7.88.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    value(Some(b'X'), "request", Act::Request),
    value(Some(b'H'), "header", Act::Header),
    value(Some(b'd'), "data", Act::Data(Data::Text)),
    value(None, "data-ascii", Act::Data(Data::Text)),
    value(None, "data-raw", Act::Data(Data::Raw)),
    value(None, "data-binary", Act::Data(Data::Binary)),
    value(None, "data-urlencode", Act::Data(Data::Encoded)),
    value(None, "json", Act::Data(Data::Json)),
    flag(Some(b'G'), "get", Act::Get),
    flag(Some(b'I'), "head", Act::Head),
    value(Some(b'u'), "user", Act::User),
    value(None, "oauth2-bearer", Act::Bearer),
    value(Some(b'b'), "cookie", Act::Cookie),
    value(Some(b'A'), "user-agent", Act::UserAgent),
    value(Some(b'e'), "referer", Act::Referer),
    value(None, "url", Act::Url),
    flag(Some(b's'), "silent", Act::Ignore(OUTPUT)),
    flag(Some(b'S'), "show-error", Act::Ignore(OUTPUT)),
    flag(Some(b'v'), "verbose", Act::Ignore(OUTPUT)),
    flag(Some(b'i'), "include", Act::Ignore(OUTPUT)),
    flag(Some(b'f'), "fail", Act::Ignore(OUTPUT)),
    flag(None, "fail-with-body", Act::Ignore(OUTPUT)),
    flag(None, "fail-early", Act::Ignore(OUTPUT)),
    flag(Some(b'#'), "progress-bar", Act::Ignore(OUTPUT)),
    flag(None, "no-progress-meter", Act::Ignore(OUTPUT)),
    flag(Some(b'N'), "no-buffer", Act::Ignore(OUTPUT)),
    flag(Some(b'O'), "remote-name", Act::Ignore(OUTPUT)),
    flag(Some(b'J'), "remote-header-name", Act::Ignore(OUTPUT)),
    flag(Some(b'R'), "remote-time", Act::Ignore(OUTPUT)),
    flag(None, "create-dirs", Act::Ignore(OUTPUT)),
    flag(None, "styled-output", Act::Ignore(OUTPUT)),
    flag(None, "no-styled-output", Act::Ignore(OUTPUT)),
    flag(None, "trace-time", Act::Ignore(OUTPUT)),
    value(Some(b'o'), "output", Act::Ignore(OUTPUT)),
    value(None, "output-dir", Act::Ignore(OUTPUT)),
    value(Some(b'w'), "write-out", Act::Ignore(OUTPUT)),
    value(Some(b'D'), "dump-header", Act::Ignore(OUTPUT)),
    value(Some(b'c'), "cookie-jar", Act::Ignore(OUTPUT)),
    value(None, "stderr", Act::Ignore(OUTPUT)),
    value(None, "trace", Act::Ignore(OUTPUT)),
    value(None, "trace-ascii", Act::Ignore(OUTPUT)),
    flag(Some(b'k'), "insecure", Act::Ignore(ALWAYS_VERIFIED)),
    flag(Some(b'L'), "location", Act::Ignore(NO_REDIRECTS)),
    flag(None, "post301", Act::Ignore(NO_REDIRECTS)),
    flag(None, "post302", Act::Ignore(NO_REDIRECTS)),
    flag(None, "post303", Act::Ignore(NO_REDIRECTS)),
    value(None, "max-redirs", Act::Ignore(NO_REDIRECTS)),
    value(None, "retry", Act::Ignore(NEVER_RETRIES)),
    value(None, "retry-delay", Act::Ignore(NEVER_RETRIES)),
    value(None, "retry-max-time", Act::Ignore(NEVER_RETRIES)),
    flag(None, "retry-all-errors", Act::Ignore(NEVER_RETRIES)),
    flag(None, "retry-connrefused", Act::Ignore(NEVER_RETRIES)),
    value(Some(b'm'), "max-time", Act::Ignore(OWN_TIMEOUT)),
    value(None, "connect-timeout", Act::Ignore(OWN_TIMEOUT)),
    flag(None, "http1.1", Act::Ignore(HTTP_1_1)),
    flag(None, "http2", Act::Ignore(HTTP_1_1)),
    flag(None, "tlsv1.2", Act::Ignore(TLS)),
    flag(None, "tlsv1.3", Act::Ignore(TLS)),
    flag(None, "ssl-reqd", Act::Ignore(TLS)),
    flag(None, "compressed", Act::Ignore(PLAIN_BODIES)),
    flag(None, "no-compressed", Act::Ignore(PLAIN_BODIES)),
    flag(None, "no-keepalive", Act::Ignore(CONNECTION)),
    value(None, "keepalive-time", Act::Ignore(CONNECTION)),
    flag(None, "tcp-nodelay", Act::Ignore(CONNECTION)),
    flag(Some(b'Z'), "parallel", Act::Ignore("--clients decides how much runs at once")),
    flag(Some(b'g'), "globoff", Act::Globoff),
    flag(Some(b'q'), "disable", Act::Ignore("no configuration file is read")),
    flag(None, "basic", Act::Ignore("Basic is what -u means")),
    flag(None, "path-as-is", Act::Refuse("`/../` in a path is always resolved")),
    flag(Some(b'0'), "http1.0", Act::Refuse(HTTP_1_1)),
    flag(None, "http2-prior-knowledge", Act::Refuse(HTTP_1_1)),
    flag(None, "http3", Act::Refuse(HTTP_1_1)),
    flag(Some(b'4'), "ipv4", Act::Refuse(ADDRESSES)),
    flag(Some(b'6'), "ipv6", Act::Refuse(ADDRESSES)),
    value(None, "resolve", Act::Refuse(ADDRESSES)),
    value(None, "connect-to", Act::Refuse(ADDRESSES)),
    value(None, "interface", Act::Refuse(ADDRESSES)),
    value(None, "unix-socket", Act::Refuse(ADDRESSES)),
    value(Some(b'F'), "form", Act::Refuse(FORMS)),
    value(None, "form-string", Act::Refuse(FORMS)),
    value(Some(b'T'), "upload-file", Act::Refuse(FORMS)),
    value(None, "url-query", Act::Refuse("write the query into the URL")),
    flag(Some(b':'), "next", Act::Refuse("one burst sends one request many times")),
    value(Some(b'x'), "proxy", Act::Refuse(PROXIES)),
    value(Some(b'U'), "proxy-user", Act::Refuse(PROXIES)),
    value(None, "socks5", Act::Refuse(PROXIES)),
    value(None, "socks5-hostname", Act::Refuse(PROXIES)),
    flag(None, "digest", Act::Refuse(AUTH)),
    flag(None, "ntlm", Act::Refuse(AUTH)),
    flag(None, "negotiate", Act::Refuse(AUTH)),
    flag(None, "anyauth", Act::Refuse(AUTH)),
    value(None, "aws-sigv4", Act::Refuse(AUTH)),
    value(Some(b'E'), "cert", Act::Refuse(CERTIFICATES)),
    value(None, "key", Act::Refuse(CERTIFICATES)),
    value(None, "cacert", Act::Refuse(CERTIFICATES)),
    value(None, "capath", Act::Refuse(CERTIFICATES)),
    value(Some(b'K'), "config", Act::Refuse(FILES)),
    flag(Some(b'n'), "netrc", Act::Refuse(FILES)),
    value(None, "netrc-file", Act::Refuse(FILES)),
    value(Some(b'r'), "range", Act::Refuse("write it as a header: -H 'Range: …'")),
    value(Some(b'z'), "time-cond", Act::Refuse("write it as a header: -H 'If-Modified-Since: …'")),
    value(Some(b'C'), "continue-at", Act::Refuse("a part of a download is no burst")),
    flag(None, "location-trusted", Act::Refuse(NO_REDIRECTS)),
    value(None, "limit-rate", Act::Refuse("a burst is sent as fast as its answers come")),
    flag(Some(b'h'), "help", Act::Refuse("it sends nothing")),
    flag(Some(b'V'), "version", Act::Refuse("it sends nothing")),
];
