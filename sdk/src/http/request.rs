//! Building and sending a request.

use std::borrow::Cow;

use serde::Serialize;

use super::params::Spec;
use super::response::Response;
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
    url: Url<'a>,
    headers: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    body: Option<Cow<'a, [u8]>>,
    /// The body's type, which a `Content-Type` header replaces.
    content_type: Option<&'static str>,
    spec: Spec<'a>,
}

impl<'a> Request<'a> {
    fn new(method: Method<'a>, url: Url<'a>) -> Self {
        Self { method, url, headers: Vec::new(), body: None, content_type: None, spec: Spec::default() }
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
        self.body = Some(body.into_bytes());
        self.content_type = None;
        self
    }

    /// Sends this text, as `Content-Type: text/plain; charset=utf-8` unless that header is given.
    pub fn text(mut self, text: impl Text<'a>) -> Self {
        self.body = Some(match text.into_text() {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        });
        self.content_type = Some("text/plain; charset=utf-8");
        self
    }

    /// Sends this value as JSON, as `Content-Type: application/json` unless that header is given.
    ///
    /// # Panics
    /// If the value cannot be JSON, such as a map whose keys are no texts.
    #[track_caller]
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(bytes) => self.body = Some(Cow::Owned(bytes)),
            Err(error) => panic!("the body of the request to {} cannot be written as JSON: {error}", self.url),
        }
        self.content_type = Some("application/json");
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
        self.body = Some(Cow::Owned(form.into_bytes()));
        self.content_type = Some("application/x-www-form-urlencoded");
        self
    }

    /// Limits the whole request, from sending to the last byte of the answer: a [`Duration`](std::time::Duration), or a
    /// number of seconds. The default is 60 seconds.
    pub fn timeout(mut self, timeout: impl Seconds) -> Self {
        // 0 would mean the default to the runtime.
        self.spec.timeout_ns = timeout.nanoseconds().max(1);
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

    /// Sends the request and waits for the whole answer.
    ///
    /// # Panics
    /// If the URL begins with `/` and there is no environment variable `BASE_URL`.
    #[track_caller]
    pub fn send(&self) -> Response {
        let url = resolve(&self.url.text);
        let content_type = self
            .content_type
            .filter(|_| !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")));
        let headers = content_type
            .map(|value| ("Content-Type", value))
            .into_iter()
            .chain(self.headers.iter().map(|(name, value)| (&**name, &**value)))
            .map(|(name, value)| (name, value.as_bytes()));
        let request = |headers: &[(&str, &[u8])]| {
            let request = host::Request { method: self.method.clone(), url: &url, headers, body: self.body.as_deref() };
            self.with_params(|params| host::send(request, params))
        };
        // Few headers need no allocation.
        let mut few: [(&str, &[u8]); 8] = [("", &[]); 8];
        let count = self.headers.len() + usize::from(content_type.is_some());
        Response::new(if count <= few.len() {
            few.iter_mut().zip(headers).for_each(|(slot, header)| *slot = header);
            request(&few[..count])
        } else {
            request(&headers.collect::<Vec<_>>())
        })
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
fn resolve(url: &str) -> Cow<'_, str> {
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

    fn random_number() -> u32 {
        crate::random::range(0..1000)
    }

    #[test]
    fn a_timeout_of_nothing_is_not_the_default() {
        assert_eq!(get("/").timeout(0).spec.timeout_ns, 1);
        assert_eq!(get("/").timeout(0.25).spec.timeout_ns, 250_000_000);
    }
}
