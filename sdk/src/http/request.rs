//! Building and sending a request.

use std::borrow::Cow;

use serde::Serialize;

use super::multipart::{Multipart, Piece, assemble};
use super::params::Spec;
use super::response::Response;
use super::statuses::Statuses;
use super::url::{self, Url};
use crate::host::http::{self as host, Method};
use crate::text::{Bytes, Seconds, Text};

/// Begins a GET request.
pub fn get<'a>(url: impl Into<Url<'a>>) -> Request<'a> {
    Request::new(Method::Get, url.into())
}

/// Begins a POST request.
pub fn post<'a>(url: impl Into<Url<'a>>) -> Request<'a> {
    Request::new(Method::Post, url.into())
}

/// Begins a PUT request.
pub fn put<'a>(url: impl Into<Url<'a>>) -> Request<'a> {
    Request::new(Method::Put, url.into())
}

/// Begins a PATCH request.
pub fn patch<'a>(url: impl Into<Url<'a>>) -> Request<'a> {
    Request::new(Method::Patch, url.into())
}

/// Begins a DELETE request.
pub fn delete<'a>(url: impl Into<Url<'a>>) -> Request<'a> {
    Request::new(Method::Delete, url.into())
}

/// Begins a HEAD request.
pub fn head<'a>(url: impl Into<Url<'a>>) -> Request<'a> {
    Request::new(Method::Head, url.into())
}

/// Begins an OPTIONS request.
pub fn options<'a>(url: impl Into<Url<'a>>) -> Request<'a> {
    Request::new(Method::Options, url.into())
}

/// Begins a request with any method, such as `PROPFIND`.
///
/// ```no_run
/// use flashcrowd::http;
///
/// let response = http::request("PURGE", "https://cache.test/front-page").send();
/// ```
pub fn request<'a>(method: &'a str, url: impl Into<Url<'a>>) -> Request<'a> {
    let known = match method {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        "PATCH" => Method::Patch,
        other => Method::Other(other),
    };
    Request::new(known, url.into())
}

/// A request being built: [`get`] and its like begin one, [`send`](Self::send) sends it. It can be sent again.
#[derive(Clone, Debug)]
#[must_use = "a request does nothing until it is sent"]
pub struct Request<'a> {
    method: Method<'a>,
    pub(super) url: Url<'a>,
    headers: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    body: Option<Cow<'a, [u8]>>,
    /// The body, if it is of several pieces.
    pieces: Vec<Piece<'a>>,
    /// The body's type, which a `Content-Type` header replaces.
    content_type: Option<Cow<'static, str>>,
    pub(super) spec: Spec<'a>,
}

impl<'a> Request<'a> {
    fn new(method: Method<'a>, url: Url<'a>) -> Self {
        Self {
            method,
            url,
            headers: Vec::new(),
            body: None,
            pieces: Vec::new(),
            content_type: None,
            spec: Spec::default(),
        }
    }

    /// Adds `name=value` to the URL's query, percent-encoded.
    ///
    /// ```no_run
    /// use flashcrowd::prelude::*;
    ///
    /// // GET https://shop.test/search?q=green%20tea&page=2
    /// http::get("https://shop.test/search").query("q", "green tea").query("page", 2).send();
    /// ```
    pub fn query<'b>(mut self, name: &str, value: impl Text<'b>) -> Self {
        let text = self.url.text.to_mut();
        let fragment = text.find('#').map(|at| text.split_off(at));
        match text.find('?') {
            None => text.push('?'),
            Some(at) if at + 1 < text.len() && !text.ends_with('&') => text.push('&'),
            Some(_) => {}
        }
        url::push_pair(text, name, &value.into_text());
        text.extend(fragment);
        self
    }

    /// Adds a header. Headers are sent in the order in which they are added.
    pub fn header(mut self, name: impl Into<Cow<'a, str>>, value: impl Text<'a>) -> Self {
        self.headers.push((name.into(), value.into_text()));
        self
    }

    /// Adds several headers.
    ///
    /// ```no_run
    /// use flashcrowd::prelude::*;
    ///
    /// http::get("https://shop.test/").headers([("Accept", "text/html"), ("X-Shop", "1")]).send();
    /// ```
    pub fn headers<N: Into<Cow<'a, str>>, V: Text<'a>>(mut self, headers: impl IntoIterator<Item = (N, V)>) -> Self {
        self.headers.extend(headers.into_iter().map(|(name, value)| (name.into(), value.into_text())));
        self
    }

    /// Sends these bytes.
    pub fn body(mut self, body: impl Bytes<'a>) -> Self {
        self.set_body(body.into_bytes(), None);
        self
    }

    fn set_body(&mut self, body: Cow<'a, [u8]>, content_type: Option<&'static str>) {
        self.body = Some(body);
        self.pieces.clear();
        self.content_type = content_type.map(Cow::Borrowed);
    }

    fn set_pieces(&mut self, pieces: Vec<Piece<'a>>, content_type: Option<String>) {
        self.body = None;
        self.pieces = pieces;
        self.content_type = content_type.map(Cow::Owned);
    }

    /// Sends the file that was granted under this name by `--file NAME=PATH`. It is read once for all virtual users and never
    /// copied into one of them.
    ///
    /// ```no_run
    /// use flashcrowd::prelude::*;
    ///
    /// // runtime run … --file backup=backup.tar
    /// http::put("https://shop.test/backups/7").body_file("backup").header("Content-Type", "application/x-tar").send();
    /// ```
    pub fn body_file(mut self, name: impl Into<Cow<'a, str>>) -> Self {
        self.set_pieces(vec![Piece::File(name.into())], None);
        self
    }

    /// Sends a form that can have files in it, from [`multipart`](super::multipart).
    pub fn multipart(mut self, form: Multipart<'a>) -> Self {
        let (pieces, content_type) = form.finish();
        self.set_pieces(pieces, Some(content_type));
        self
    }

    /// Has the runtime compress the body before it is sent: `gzip`, `deflate`, `br` or `zstd`. Several calls apply one after the
    /// other. The header `Content-Encoding` says so.
    pub fn compress(mut self, coding: &str) -> Self {
        self.spec.rarely().compression.push(coding.to_owned());
        self
    }

    /// Asks for a compressed answer (`Accept-Encoding: gzip, deflate, br, zstd`). Compressed answers are decompressed, asked for
    /// or not.
    pub fn compressed(self) -> Self {
        self.header("Accept-Encoding", "gzip, deflate, br, zstd")
    }

    /// Speaks this version of HTTP, whatever the option `httpVersion` says: `auto`, `1.1` or `2` (without TLS with prior knowledge). Another
    /// text ends the iteration.
    ///
    /// ```no_run
    /// use flashcrowd::prelude::*;
    ///
    /// let old = http::get("https://shop.test/").http_version("1.1").send();
    /// ```
    pub fn http_version(mut self, version: &str) -> Self {
        self.spec.rarely().http_version = Some(version.to_owned());
        self
    }

    /// Sends this text, as `Content-Type: text/plain; charset=utf-8` unless that header is given.
    pub fn text(mut self, text: impl Text<'a>) -> Self {
        let text = match text.into_text() {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        self.set_body(text, Some("text/plain; charset=utf-8"));
        self
    }

    /// Sends this value as JSON, as `Content-Type: application/json` unless that header is given.
    ///
    /// # Panics
    /// If the value cannot be JSON, such as a map whose keys are no texts.
    #[track_caller]
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(bytes) => self.set_body(Cow::Owned(bytes), Some("application/json")),
            Err(error) => panic!("the body of the request to {} cannot be written as JSON: {error}", self.url),
        }
        self
    }

    /// Sends these pairs as a form, as `Content-Type: application/x-www-form-urlencoded` unless that header is given.
    ///
    /// ```no_run
    /// use flashcrowd::prelude::*;
    ///
    /// http::post("https://shop.test/login").form([("user", "ann"), ("password", "s3cret")]).send();
    /// ```
    pub fn form<'b, N: AsRef<str>, V: Text<'b>>(mut self, fields: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut form = String::new();
        for (name, value) in fields {
            if !form.is_empty() {
                form.push('&');
            }
            url::push_pair(&mut form, name.as_ref(), &value.into_text());
        }
        self.set_body(Cow::Owned(form.into_bytes()), Some("application/x-www-form-urlencoded"));
        self
    }

    /// Limits the whole request, from sending to the last byte of the answer: a [`Duration`](std::time::Duration), or a
    /// number of seconds. The default is 60 seconds.
    pub fn timeout(mut self, timeout: impl Seconds) -> Self {
        // 0 would mean the default to the runtime.
        self.spec.timeout_ns = timeout.nanoseconds().max(1);
        self
    }

    /// Limits making a connection, look-up and handshakes included: a [`Duration`](std::time::Duration), or a number of seconds. The
    /// default is 30 seconds.
    pub fn connect_timeout(mut self, timeout: impl Seconds) -> Self {
        self.spec.rarely().connect_timeout_ns = timeout.nanoseconds().max(1);
        self
    }

    /// Adds a tag to this request's samples.
    pub fn tag(mut self, name: impl Into<Cow<'a, str>>, value: impl Text<'a>) -> Self {
        self.spec.tags.push((name.into(), value.into_text()));
        self
    }

    /// Adds several tags to this request's samples.
    pub fn tags<N: Into<Cow<'a, str>>, V: Text<'a>>(mut self, tags: impl IntoIterator<Item = (N, V)>) -> Self {
        self.spec.tags.extend(tags.into_iter().map(|(name, value)| (name.into(), value.into_text())));
        self
    }

    /// Sets the `name` tag, which otherwise is the URL: requests with one name are one series, whatever their URLs.
    /// [`url!`](crate::url!) sets it from a template.
    pub fn name(mut self, name: impl Into<Cow<'a, str>>) -> Self {
        self.spec.name = Some(name.into());
        self
    }

    /// Follows at most so many redirects; 0 follows none. The default is the option `maxRedirects`, 10. Each redirect is a
    /// sample of its own, and the timeout limits all of them together.
    pub fn redirects(mut self, most: u32) -> Self {
        self.spec.rarely().redirects = Some(most);
        self
    }

    /// Counts this status, or these, as a success, instead of 200 to 399. Several calls add to each other.
    ///
    /// ```no_run
    /// use flashcrowd::prelude::*;
    ///
    /// let user = http::get("https://shop.test/users/7").expect_status(200..=299).expect_status(404).send();
    /// if user.ok() {
    ///     log::info!("{}", user.status());
    /// }
    /// ```
    pub fn expect_status(mut self, statuses: impl Into<Statuses>) -> Self {
        self.spec.rarely().expected.push(statuses.into());
        self
    }

    /// Reads and counts the answer's body, and throws it away, or not, whatever the option `discardResponseBodies` says.
    pub fn discard_body(mut self, discard: bool) -> Self {
        self.spec.rarely().discard = Some(discard);
        self
    }

    /// Sends this cookie with the request, instead of one of this name that the virtual user holds. It is not kept.
    ///
    /// ```no_run
    /// use flashcrowd::prelude::*;
    ///
    /// http::get("https://shop.test/").cookie("plan", "gold").cookie("seen", 7).send();
    /// ```
    pub fn cookie<'b>(mut self, name: &str, value: impl Text<'b>) -> Self {
        let pair = format!("{name}={}", value.into_text());
        match self.headers.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case("cookie")) {
            Some((_, cookies)) => {
                let cookies = cookies.to_mut();
                cookies.push_str("; ");
                cookies.push_str(&pair);
            }
            None => self.headers.push((Cow::Borrowed("Cookie"), Cow::Owned(pair))),
        }
        self
    }

    /// Sends a user name and a password with the request (`Authorization: Basic`). They never follow a redirect to another host.
    pub fn basic_auth(self, user: &str, password: &str) -> Self {
        self.header("Authorization", super::auth::basic(user, password))
    }

    /// Answers challenges of digest authentication (RFC 7616) by this URL's host, and by no other. The challenge is a sample of its
    /// own and counts as expected; further requests to the host bring the answer with them.
    pub fn digest_auth(mut self, user: &str, password: &str) -> Self {
        self.spec.rarely().digest = Some((user.to_owned(), password.to_owned()));
        self
    }

    /// Sends a token with the request (`Authorization: Bearer`). It never follows a redirect to another host.
    pub fn bearer_auth<'b>(self, token: impl Text<'b>) -> Self {
        let credentials = format!("Bearer {}", token.into_text());
        self.header("Authorization", credentials)
    }

    /// Sends the body in chunks (`Transfer-Encoding: chunked`) instead of saying its length first. Over HTTP/2 it has no `Content-Length`.
    pub fn chunked(mut self) -> Self {
        self.spec.rarely().chunked = true;
        self
    }

    /// Asks the server whether it wants the body (`Expect: 100-continue`): the body is sent when the server says so, or when it says nothing for a
    /// second. An answer in its place, such as 401, 413 or 417, is the answer, and the body is never sent.
    ///
    /// The time until the body leaves counts as sending.
    pub fn expect_continue(self) -> Self {
        self.header("Expect", "100-continue")
    }

    /// Sends the request and waits for the whole answer.
    ///
    /// # Panics
    /// If the URL begins with `/` and there is no environment variable `BASE_URL`.
    #[track_caller]
    pub fn send(&self) -> Response {
        Response::new(self.ask(|request, body, params| match body {
            None => host::send(request, params),
            Some(body) => host::send_body(request, body, params),
        }))
    }

    /// Hands the request to whoever sends it, with its body if that is of several pieces.
    #[track_caller]
    pub(super) fn ask<R>(
        &self,
        ask: impl FnOnce(host::Request<'_>, Option<&host::Body>, Option<&host::Params>) -> R,
    ) -> R {
        let url = self.address();
        let headers = self.all_headers();
        let ask = |headers: &[(&str, &[u8])]| {
            let request = self.lent(&url, headers);
            let body = self.assembled();
            self.with_params(|params| ask(request, body.as_ref(), params))
        };
        // Few headers need no allocation.
        let mut few: [(&str, &[u8]); 8] = [("", &[]); 8];
        let count = self.headers.len() + usize::from(self.own_content_type().is_some());
        if count <= few.len() {
            few.iter_mut().zip(headers).for_each(|(slot, header)| *slot = header);
            ask(&few[..count])
        } else {
            ask(&headers.collect::<Vec<_>>())
        }
    }

    /// The whole URL.
    #[track_caller]
    pub(super) fn address(&self) -> Cow<'_, str> {
        resolve(&self.url.text)
    }

    /// The headers, with the body's type unless there is one.
    pub(super) fn all_headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.own_content_type()
            .map(|value| ("Content-Type", value))
            .into_iter()
            .chain(self.headers.iter().map(|(name, value)| (&**name, &**value)))
            .map(|(name, value)| (name, value.as_bytes()))
    }

    fn own_content_type(&self) -> Option<&str> {
        self.content_type
            .as_deref()
            .filter(|_| !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")))
    }

    /// As the runtime takes it.
    pub(super) fn lent<'r>(&'r self, url: &'r str, headers: &'r [(&'r str, &'r [u8])]) -> host::Request<'r> {
        host::Request { method: self.method.clone(), url, headers, body: self.body.as_deref() }
    }

    /// The body, if it is of several pieces.
    pub(super) fn assembled(&self) -> Option<host::Body> {
        (!self.pieces.is_empty()).then(|| assemble(&self.pieces))
    }

    fn with_params<R>(&self, send: impl FnOnce(Option<&host::Params>) -> R) -> R {
        match self.url.template {
            None if self.spec.is_default() => send(None),
            Some(template) if self.spec.is_default() => send(Some(template.params())),
            Some(template) if self.spec.name.is_none() => {
                let named = Spec { name: Some(Cow::Borrowed(template.name())), ..self.spec.clone() };
                named.with_params(|params| send(Some(params)))
            }
            _ => self.spec.with_params(|params| send(Some(params))),
        }
    }
}

/// Puts `BASE_URL` before a URL that begins with `/`.
#[track_caller]
pub(crate) fn resolve(url: &str) -> Cow<'_, str> {
    if !url.starts_with('/') {
        return Cow::Borrowed(url);
    }
    match crate::host::env::get("BASE_URL") {
        Some(mut base) => {
            base.truncate(base.trim_end_matches('/').len());
            base.push_str(url);
            Cow::Owned(base)
        }
        None => panic!(
            "the URL {url:?} continues the environment variable BASE_URL, which is not set; pass it with -e BASE_URL=VALUE"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::http::{SENT, Said, Sent};

    #[test]
    fn a_query_goes_where_it_belongs() {
        let url = |request: Request<'_>| request.url.text.into_owned();
        assert_eq!(url(get("/a").query("x", 1).query("y", "a b&c")), "/a?x=1&y=a%20b%26c");
        assert_eq!(url(get("/a?z=0").query("x", true)), "/a?z=0&x=true");
        assert_eq!(url(get("/a?").query("x", 1)), "/a?x=1");
        assert_eq!(url(get("/a#part").query("x", 1)), "/a?x=1#part");
    }

    #[test]
    fn a_form_is_encoded() {
        let request = post("/login").form([("user name", "ann&bob"), ("n", "1")]);
        assert_eq!(request.body.as_deref(), Some(&b"user%20name=ann%26bob&n=1"[..]));
    }

    fn sent(request: &Request<'_>) -> Sent {
        request.send();
        SENT.with_borrow_mut(|sent| sent.pop().expect("it was sent"))
    }

    fn headers(request: &Request<'_>) -> Vec<String> {
        sent(request).headers.into_iter().map(|(name, value)| format!("{name}: {value}")).collect()
    }

    #[test]
    fn a_body_brings_its_type_unless_there_is_one() {
        assert_eq!(headers(&post("http://a/").json(&1)), ["Content-Type: application/json"]);
        assert_eq!(headers(&post("http://a/").json(&1).header("content-TYPE", "x/y")), ["content-TYPE: x/y"]);
        assert_eq!(headers(&post("http://a/").form([("a", 1)])), ["Content-Type: application/x-www-form-urlencoded"]);
        assert_eq!(headers(&post("http://a/").text("x")), ["Content-Type: text/plain; charset=utf-8"]);
        assert_eq!(headers(&post("http://a/").body(b"x")), [""; 0]);
        assert_eq!(
            headers(&post("http://a/").json(&1).body(b"x")),
            [""; 0],
            "the later body replaces the earlier one's type"
        );
    }

    #[test]
    fn headers_keep_their_order_however_many_there_are() {
        for count in [0, 1, 7, 8, 9, 20] {
            let request = get("http://a/").headers((0..count).map(|number| (format!("X-{number}"), number)));
            let expected: Vec<String> = (0..count).map(|number| format!("X-{number}: {number}")).collect();
            assert_eq!(headers(&request), expected);
            let expected = [vec!["Content-Type: application/json".to_owned()], expected].concat();
            assert_eq!(headers(&request.json(&1)), expected);
        }
    }

    #[test]
    fn what_is_sent_is_what_was_built() {
        let sent = sent(&request("PURGE", "http://a/b").query("c", "d").body(vec![1, 2]));
        assert_eq!((sent.method.as_str(), sent.url.as_str()), ("Other(\"PURGE\")", "http://a/b?c=d"));
        assert_eq!(sent.body, Some(vec![1, 2]));
        assert_eq!(sent.params, None, "nothing beyond the request was said");
    }

    #[test]
    fn parameters_are_made_once_for_each_combination() {
        let params = |request: Request<'_>| sent(&request).params.expect("something was said");
        let template = || crate::url!("http://a/users/{id}", random_number());
        let (_, said) = params(get(template()));
        assert_eq!(said, Said { name: "http://a/users/{id}".to_owned(), ..Said::default() });

        let tagged = || get("http://a/").name("users").tag("kind", "gift").timeout(2);
        let (first_tagged, said_tagged) = params(tagged());
        assert_eq!((said_tagged.name.as_str(), said_tagged.timeout_ns), ("users", 2_000_000_000));
        assert_ne!(said_tagged.tags, 0);
        assert_eq!(params(tagged()), (first_tagged, said_tagged.clone()));
        assert_ne!(params(tagged().tag("more", 1)).0, first_tagged);
        assert_ne!(params(tagged().timeout(3)).0, first_tagged);

        // A template's name and further parameters go together; a name of one's own comes before the template's.
        let both = || get(template()).timeout(1);
        assert_eq!(
            (params(both()).1.name, params(both()).1.timeout_ns),
            ("http://a/users/{id}".to_owned(), 1_000_000_000)
        );
        assert_eq!(params(get(template()).name("own")).1.name, "own");
    }

    #[test]
    fn what_few_requests_say_is_part_of_the_combination() {
        let params = |request: Request<'_>| sent(&request).params.expect("something was said");
        let special = || get("http://a/").redirects(0).expect_status(200..=204).expect_status(404).discard_body(true);
        let (number, said) = params(special());
        assert_eq!(said.redirects, Some(0));
        assert_eq!((said.expected.as_slice(), said.discard), (&[(200, 204), (404, 404)][..], Some(true)));
        assert_eq!(params(special()).0, number);
        assert_ne!(params(special().redirects(1)).0, number);
        assert_ne!(params(special().expect_status(500)).0, number);
    }

    #[test]
    fn cookies_and_credentials_are_headers() {
        let request = get("http://a/").cookie("a", 1).header("X", "y").cookie("b", "c");
        assert_eq!(headers(&request), ["Cookie: a=1; b=c", "X: y"]);
        let request = get("http://a/").basic_auth("ann", "s3cret");
        assert_eq!(headers(&request), ["Authorization: Basic YW5uOnMzY3JldA=="]);
        assert_eq!(headers(&get("http://a/").bearer_auth("t")), ["Authorization: Bearer t"]);
    }

    #[test]
    fn a_body_in_pieces_is_told_from_one_in_one() {
        let request = post("http://a/").json(&1).multipart(super::super::multipart().text("a", "b"));
        assert!(request.body.is_none() && request.pieces.len() == 3);
        assert!(headers(&request)[0].starts_with("Content-Type: multipart/form-data; boundary=flashcrowd-"));
        assert_eq!(headers(&request.clone().body_file("photo")), [""; 0]);
        let request = request.json(&1);
        assert!(request.pieces.is_empty() && request.body.is_some());
    }

    #[test]
    fn codings_and_credentials_are_parameters() {
        let (_, said) =
            sent(&post("http://a/").text("x").compress("gzip").compress("br").digest_auth("ann", "pw")).params.unwrap();
        assert_eq!(said.compression, ["gzip", "br"]);
        assert_eq!(sent(&get("http://a/").http_version("2")).params.unwrap().1.http_version, "2");
        assert_eq!(said.digest, Some(("ann".to_owned(), "pw".to_owned())));
        assert_eq!(headers(&get("http://a/").compressed()), ["Accept-Encoding: gzip, deflate, br, zstd"]);
    }

    fn random_number() -> u32 {
        crate::random::range(0..1000)
    }

    #[test]
    fn a_timeout_of_nothing_is_not_the_default() {
        assert_eq!(get("/").timeout(0).spec.timeout_ns, 1);
        assert_eq!(get("/").timeout(0.25).spec.timeout_ns, 250_000_000);
    }
}
