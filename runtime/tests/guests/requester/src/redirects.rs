//! Redirects, and what goes with them.

use flashcrowd::prelude::*;

use crate::{echoed, redirect};

pub(crate) fn followed() {
    let base = env("BASE_URL");
    let response = http::get(redirect(302, "/echo?x=1")).name("a hop").send();
    check("a relative redirect is followed", echoed(&response)["path"] == "/echo?x=1");
    check("the URL is the last one", response.url() == format!("{base}/echo?x=1"));
    check("redirects are counted", response.redirects() == 1);

    let twice = redirect(301, &redirect(307, "/echo"));
    let response = http::post(&twice).json(&json!({"a": 1})).header("X-Own", "kept").send();
    let echo = echoed(&response);
    check("a 301 makes a GET of a POST", echo["method"] == "GET" && echo["body"] == "");
    check("a 301 drops the body's type", echo["headers"]["content-type"].is_null());
    check("a 301 keeps other headers", echo["headers"]["x-own"] == "kept");
    check("two redirects are two", response.redirects() == 2);

    for status in [307, 308] {
        let echo = echoed(&http::put(redirect(status, "/echo")).json(&json!({"a": 1})).send());
        check("307 and 308 keep method and body", echo["method"] == "PUT" && echo["body"] == "{\"a\":1}");
        check("307 and 308 keep the type", echo["headers"]["content-type"] == "application/json");
    }
    let response = http::head(redirect(303, "/echo")).send();
    check("a HEAD stays one", response.status() == 200 && response.redirects() == 1 && response.bytes().is_empty());

    let response = http::get(redirect(302, "/echo")).redirects(0).send();
    check("none is followed if none is wanted", response.status() == 302 && response.redirects() == 0);
    check("the redirect is there to look at", response.header("location").as_deref() == Some("/echo"));
    let response = http::get(format!("{base}/loop")).redirects(3).send();
    check("an endless redirect ends", response.status() == 302 && response.redirects() == 3);
    let response = http::get(format!("{base}/nowhere")).send();
    check("a redirect without a location is the answer", response.status() == 302 && response.redirects() == 0);
    let response = http::get(redirect(302, "http://[broken/")).send();
    check("a redirect to no URL is the answer", response.status() == 302 && response.redirects() == 0);
    let response = http::get(format!("{base}/slow-loop")).redirects(1_000_000).timeout(0.5).send();
    check("the timeout is that of all hops together", response.error_code() == 1050 && response.redirects() > 0);
}

pub(crate) fn secrets() {
    let (base, other) = (env("BASE_URL"), env("OTHER_URL"));
    let send = |to: String| {
        let request = http::get(redirect(302, &to)).bearer_auth("t0ken").header("Proxy-Authorization", "p");
        echoed(&request.cookie("own", 1).header("X-Own", "kept").send())
    };
    let echo = send(format!("{base}/echo"));
    check("credentials stay with their host", echo["headers"]["authorization"] == "Bearer t0ken");
    check("a cookie given by hand stays with its host", echo["headers"]["cookie"] == "own=1");
    let echo = send(format!("{other}/echo"));
    check("the other host answered", echo["path"] == "/echo");
    check("a harmless header goes along", echo["headers"]["x-own"] == "kept");
    for secret in ["authorization", "proxy-authorization", "cookie"] {
        check("no secret goes to another host", echo["headers"][secret].is_null());
    }
    let back = format!("{other}/to?status=302&url={base}/echo");
    check("no secret comes back from there", send(back)["headers"]["authorization"].is_null());

    let with_user = redirect(302, "/echo").replace("http://", "http://ann:s3cret@");
    let echo = echoed(&http::get(&with_user).send());
    check("a user in the URL stays with its host", echo["headers"]["authorization"] == "Basic YW5uOnMzY3JldA==");
    let with_user = redirect(302, &format!("{other}/echo")).replace("http://", "http://ann:s3cret@");
    let response = http::get(&with_user).send();
    check("a user in the URL goes nowhere else", echoed(&response)["headers"]["authorization"].is_null());
}

pub(crate) fn refused() {
    let response = http::get(redirect(302, &format!("{}/echo", env("STRANGER_URL")))).send();
    check(
        "a host that is not granted is not called",
        response.status() == 0 && matches!(response.error_code(), 1110 | 1111),
    );
    check("its URL is told", response.url() == format!("{}/echo", env("STRANGER_URL")));
}

pub(crate) fn statuses() {
    let base = env("BASE_URL");
    let status = |status: u16| http::get(format!("{base}/status?status={status}"));
    check("404 is a failure", !status(404).send().ok());
    check("404 may be expected", status(404).expect_status(404).send().ok());
    check("200 may be unexpected", !status(200).expect_status(201..=204).send().ok());
    check("statuses have their names", status(404).send().status_text() == "404 Of Course");
    http::set_expected_statuses([418]);
    check("what the virtual user expects", status(418).send().ok() && !status(200).send().ok());
    check("the request's word counts for more", status(200).expect_status(200).send().ok());
    let response = http::get(redirect(302, &format!("{base}/status?status=418"))).send();
    check("a redirect that is followed is no failure", response.ok() && response.redirects() == 1);
    let response = http::get(format!("{base}/echo")).discard_body(true).send();
    check("a body can be discarded", response.status() == 200 && response.bytes().is_empty());
}
