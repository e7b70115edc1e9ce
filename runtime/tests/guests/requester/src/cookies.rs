//! Cookies.

use flashcrowd::prelude::*;

use crate::{echoed, redirect};

/// A URL that sets these cookies.
fn setting(cookies: &[&str]) -> String {
    let query: Vec<String> = cookies
        .iter()
        .map(|cookie| format!("cookie={}", cookie.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>()))
        .collect();
    format!("{}/set?{}", env("BASE_URL"), query.join("&"))
}

/// The `Cookie` header that a request to this path comes with; empty if it has none.
fn sent(path: &str) -> String {
    let echo = echoed(&http::get(format!("{}{path}", env("BASE_URL"))).send());
    echo["headers"]["cookie"].as_str().unwrap_or_default().to_owned()
}

pub(crate) fn rules() {
    let base = env("BASE_URL");
    check("there is none at first", sent("/echo").is_empty());
    let response = http::get(setting(&[
        "a=1; Path=/; HttpOnly",
        "deep=2; Path=/echo/deep",
        "gone=3; Max-Age=0",
        "far=4; Domain=else.test",
    ]))
    .send();
    check("an answer tells its cookies", response.cookies().len() == 4 && response.cookie("a").as_deref() == Some("1"));
    check(
        "a cookie's attributes are told",
        response.cookies().iter().any(|cookie| cookie.name == "a" && cookie.http_only),
    );
    check("cookies go where they belong", sent("/echo") == "a=1" && sent("/echo/deep/er") == "deep=2; a=1");

    let jar = http::cookies(&base);
    check("the jar can be read", jar.get("a").as_deref() == Some("1") && jar.get("deep").is_none());
    jar.set("b", "set");
    check("the jar can be filled", sent("/echo") == "a=1; b=set");
    jar.set_cookie("c=text; Path=/echo");
    check("the jar takes attributes", sent("/echo") == "c=text; a=1; b=set" && sent("/other") == "a=1; b=set");
    jar.remove("a");
    check("the jar forgets one", sent("/other") == "b=set");
    http::cookies(&format!("{base}/echo")).clear();
    check("the jar forgets all", sent("/echo").is_empty());

    let response = http::get(redirect(302, &setting(&["hop=1; Path=/"]))).send();
    check("a redirect's target sets cookies", response.redirects() == 1 && sent("/echo") == "hop=1");
    let response = http::get(format!("{base}/set-and-go")).send();
    let cookie = echoed(&response)["headers"]["cookie"].clone();
    check("a cookie that a redirect sets goes to the next hop", cookie == "hop=1; went=1");
    let other = echoed(&http::get(format!("{}/echo", env("OTHER_URL"))).send());
    check("ports share cookies, as in browsers", other["headers"]["cookie"] == "hop=1; went=1");
    jar.clear();

    for number in 0..200 {
        http::get(setting(&[&format!("n{number}=1; Path=/")])).send();
    }
    // 50 of a domain, and one is for another path.
    check("a jar is bounded", http::cookies(&base).all().len() == 49);
}

pub(crate) fn own() {
    let base = env("BASE_URL");
    http::get(setting(&["a=jar; Path=/", "b=jar; Path=/"])).send();
    let echo = echoed(&http::get(format!("{base}/echo")).cookie("a", "own").send());
    check("a request's own cookie wins", echo["headers"]["cookie"] == "a=own; b=jar");
    check("a request's own cookie is not kept", sent("/echo") == "a=jar; b=jar");
    let response = http::get(redirect(302, "/echo")).cookie("a", "own").send();
    check("it stays for the hops to its host", echoed(&response)["headers"]["cookie"] == "a=own; b=jar");
    let response = http::get(redirect(302, &format!("{}/echo", env("OTHER_URL")))).cookie("x", "own").send();
    check("it does not go to another", echoed(&response)["headers"]["cookie"] == "a=jar; b=jar");
}

/// Every virtual user gets a cookie of its own, and meets nobody else's.
pub(crate) fn private() {
    let mine = format!("user={}", exec::vu());
    check("the iteration begins without cookies", sent("/echo").is_empty());
    http::get(setting(&[&format!("{mine}; Path=/")])).send();
    for _ in 0..20 {
        check("nobody else's cookie is sent", sent("/echo") == mine);
        sleep(random::range(0.0..0.01));
    }
}

pub(crate) fn kept() {
    let before = if exec::iteration() == 0 { "" } else { "seen=0" };
    check("cookies are kept", sent("/echo") == before);
    if exec::iteration() == 0 {
        http::get(setting(&["seen=0; Path=/"])).send();
    }
}
