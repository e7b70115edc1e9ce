//! Several requests at once.

use std::borrow::Cow;

use super::params::Spec;
use super::request::Request;
use super::response::Response;
use crate::host::http as host;

/// Sends these requests at once and waits for all answers, which come in the order of the requests.
///
/// Within one virtual user, at most 20 requests of a batch are under way at once (the option `batch`), and 6 to one host (`batchPerHost`); the others
/// follow as there is room. Each is counted by itself, and one that fails does not stop the others. Answers that come together share the
/// memory of the instance: none may be longer than its share of `--memory-limit`.
///
/// ```no_run
/// use flashcrowd::prelude::*;
///
/// let answers = http::batch([
///     http::get("https://shop.test/style.css"),
///     http::get("https://shop.test/script.js"),
///     http::post("https://shop.test/visits").body("1"),
/// ]);
/// check!(answers, "all came" => |a| a.iter().all(|answer| answer.ok()));
/// ```
///
/// # Panics
/// If a URL begins with `/` and there is no environment variable `BASE_URL`. More than 1,000 requests end the iteration.
#[track_caller]
pub fn batch<'a>(requests: impl IntoIterator<Item = Request<'a>>) -> Vec<Response> {
    let requests: Vec<Request<'a>> = requests.into_iter().collect();
    let urls: Vec<Cow<'_, str>> = requests.iter().map(Request::address).collect();
    let headers: Vec<Vec<(&str, &[u8])>> = requests.iter().map(|request| request.all_headers().collect()).collect();
    let bodies: Vec<Option<host::Body>> = requests.iter().map(Request::assembled).collect();
    // One at a time is lent by those that are kept; a batch needs several.
    let params: Vec<Option<host::Params>> = requests.iter().map(own_params).collect();
    let sent: Vec<(host::Request<'_>, Option<&host::Body>, Option<&host::Params>)> = requests
        .iter()
        .zip(urls.iter().zip(&headers))
        .zip(bodies.iter().zip(&params))
        .map(|((request, (url, headers)), (body, params))| (request.lent(url, headers), body.as_ref(), params.as_ref()))
        .collect();
    host::send_all(&sent).into_iter().map(Response::new).collect()
}

fn own_params(request: &Request<'_>) -> Option<host::Params> {
    let spec = &request.spec;
    match request.url.template {
        None if spec.is_default() => None,
        Some(template) if spec.name.is_none() => {
            Some(Spec { name: Some(Cow::Borrowed(template.name())), ..spec.clone() }.make_own())
        }
        _ => Some(spec.make_own()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::http::{SENT, Said};
    use crate::http::{get, post};

    #[test]
    fn a_batch_brings_each_request_whole_and_in_order() {
        let answers = batch([
            get("http://a/1").header("X-A", "1"),
            post("http://a/2").json(&2),
            get(crate::url!("http://a/{id}", 3)).timeout(2),
        ]);
        let sent = SENT.take();
        assert_eq!((answers.len(), sent.len()), (3, 3));
        assert_eq!(answers[1].url(), "http://a/2");
        assert_eq!(sent[0].headers, [("X-A".to_owned(), "1".to_owned())]);
        assert_eq!(sent[0].params, None);
        assert_eq!(sent[1].headers, [("Content-Type".to_owned(), "application/json".to_owned())]);
        assert_eq!(sent[1].body.as_deref(), Some(&b"2"[..]));
        let said = Said { name: "http://a/{id}".to_owned(), timeout_ns: 2_000_000_000, ..Said::default() };
        assert_eq!(sent[2].params.as_ref().map(|(_, said)| said), Some(&said));
        assert!(batch([]).is_empty());
    }
}
