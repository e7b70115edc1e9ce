//! Bodies: coded ones, those with files in them, and who they are from.

use flashcrowd::prelude::*;

use crate::{echoed, redirect};

pub(crate) fn codings() {
    let base = env("BASE_URL");
    for coding in ["gzip", "deflate", "br", "zstd", "gzip, br", "br,deflate"] {
        let mut request = http::post(format!("{base}/same")).text("a body, a body, a body");
        for each in coding.split(',') {
            request = request.compress(each.trim());
        }
        let response = request.send();
        check("a compressed body comes back as it was", response.text() == "a body, a body, a body");
        let sent = coding.split(',').map(str::trim).collect::<Vec<_>>().join(", ");
        check("its coding is still told", response.header("content-encoding") == Some(sent));
    }
    let echo = echoed(&http::get(format!("{base}/echo")).compressed().send());
    check("answers are asked for compressed", echo["headers"]["accept-encoding"] == "gzip, deflate, br, zstd");
    let echo = echoed(&http::get(format!("{base}/echo")).send());
    check("they are not unless that is wanted", echo["headers"]["accept-encoding"].is_null());

    let broken = http::get(format!("{base}/broken")).send();
    check("a broken body is an error", broken.error_code() == 1701 && broken.status() == 200);
    let discarded = http::get(format!("{base}/broken")).discard_body(true).send();
    check("a discarded one is not looked at", discarded.ok());
    let bomb = http::post(format!("{base}/same")).body(vec![0; 3 << 20]).compress("gzip").send();
    check("a body within the limit is taken", bomb.bytes().len() == 3 << 20);
    drop(bomb);
    let bomb = http::get(format!("{base}/bomb")).send();
    check("a bomb is an error", bomb.error_code() == 1701 && bomb.bytes().is_empty());
    check("the error says what to do", bomb.error().is_some_and(|error| error.contains("--memory-limit")));
    let response = http::post(redirect(307, "/same")).text("again").compress("zstd").send();
    check("a compressed body is redirected", response.text() == "again" && response.redirects() == 1);
}

pub(crate) fn files() {
    let base = env("BASE_URL");
    let response = http::put(format!("{base}/length")).body_file("large").send();
    check("a file is sent whole", response.text() == "5000000 of 5000000");
    let form = http::multipart().text("title", "a cat").bytes("notes", "notes.txt", "text/plain", b"grey").file(
        "picture",
        "small",
        "cat.jpg",
        "image/jpeg",
    );
    let echo = echoed(&http::post(format!("{base}/echo")).multipart(form).send());
    let kind = echo["headers"]["content-type"].as_str().unwrap_or_default().to_owned();
    let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap_or("none");
    let expected = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\na cat\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"notes\"; filename=\"notes.txt\"\r\nContent-Type: text/plain\r\n\r\ngrey\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"picture\"; filename=\"cat.jpg\"\r\nContent-Type: image/jpeg\r\n\r\nmeow\r\n\
         --{boundary}--\r\n"
    );
    check("a form has its files in it", echo["body"] == expected);
    check("its length is exact", echo["headers"]["content-length"] == expected.len().to_string());
}

pub(crate) fn missing() {
    http::put(format!("{}/length", env("BASE_URL"))).body_file("secret").send();
}

pub(crate) fn digest() {
    let base = env("BASE_URL");
    let ask = |path: &str| http::get(format!("{base}{path}")).digest_auth("ann", "s3cret").send();
    let count = |response: &Response| {
        let echo = echoed(response);
        let header = echo["headers"]["authorization"].as_str().unwrap_or_default().to_owned();
        header.split("nc=").nth(1).and_then(|rest| rest.get(..8)).unwrap_or_default().to_owned()
    };
    let first = ask("/digest");
    check("a challenge is answered", first.status() == 200 && count(&first) == "00000001");
    let second = ask("/digest");
    check("the next request is not challenged", second.status() == 200 && count(&second) == "00000002");
    let other = redirect(302, &format!("{}/echo", env("OTHER_URL")));
    let response = http::get(other).digest_auth("ann", "s3cret").send();
    check("no other host sees the answer", echoed(&response)["headers"]["authorization"].is_null());
    let elsewhere = redirect(302, &format!("{}/digest", env("OTHER_URL")));
    let response = http::get(elsewhere).digest_auth("ann", "s3cret").send();
    check("no other host can ask for it", response.status() == 401);
    let refused = ask("/digest-never");
    check("what is refused is refused", refused.status() == 401 && !refused.ok());
}

/// In a run that speaks HTTP/2 only, to a server that speaks HTTP/1.1 only.
pub(crate) fn versions() {
    let ask = || http::get(format!("{}/echo", env("BASE_URL")));
    check("the run's version is no good", ask().send().status() == 0);
    check("the request's own is", ask().http_version("1.1").send().status() == 200);
    check("it is for that request alone", ask().send().status() == 0);
}
