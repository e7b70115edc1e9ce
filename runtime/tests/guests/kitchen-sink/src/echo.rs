//! Every method and every part of a request, against a server that answers with the request.

use std::collections::BTreeMap;

use flashcrowd::prelude::*;

#[derive(Deserialize)]
struct Echo {
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Echo {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Order {
    order_id: u32,
}

fn sent(request: http::Request<'_>) -> Echo {
    let response = request.send();
    check!(response, "the echo answers" => |r| r.status() == 200 && r.header("x-echo").as_deref() == Some("yes"));
    response.json().unwrap_or_else(|error| fail(error.to_string()))
}

pub(crate) fn requests() {
    methods();
    bodies();

    let id = "a b/ü";
    let request = http::get(url!("/users/{id}", id))
        .query("q", "x&y")
        .query("page", 2)
        .header("X-One", 1)
        .headers([("X-Two", "2")]);
    check!(sent(request.tags([("a", "1"), ("b", "2")])),
        "a URL and its query are encoded" => |e| e.path == "/users/a%20b%2F%C3%BC?q=x%26y&page=2",
        "headers arrive" => |e| e.header("x-one") == Some("1") && e.header("x-two") == Some("2"),
        "a GET has no body" => |e| e.body.is_empty() && e.header("content-length").is_none_or(|length| length == "0"),
    );
}

fn methods() {
    let method = |request: http::Request<'_>| sent(request).method;
    check!((),
        "GET" => |_| method(http::get("/m")) == "GET",
        "POST" => |_| method(http::post("/m")) == "POST",
        "PUT" => |_| method(http::put("/m")) == "PUT",
        "PATCH" => |_| method(http::patch("/m")) == "PATCH",
        "DELETE" => |_| method(http::delete("/m")) == "DELETE",
        "OPTIONS" => |_| method(http::options("/m")) == "OPTIONS",
        "a method of one's own" => |_| method(http::request("PURGE", "/m")) == "PURGE",
        "a known method by its name" => |_| method(http::request("PUT", "/m")) == "PUT",
        "a HEAD answer has no body" => |_| http::head("/m").send().bytes().is_empty(),
    );
}

fn bodies() {
    check!(sent(http::post("/b").json(&Order { order_id: 7 })),
        "json is sent as JSON" => |e| e.body == r#"{"orderId":7}"# && e.header("content-type") == Some("application/json"),
    );
    check!(sent(http::post("/b").header("content-type", "application/vnd.api+json").json(&1)),
        "a content type of one's own stays" => |e| e.body == "1" && e.header("content-type") == Some("application/vnd.api+json"),
    );
    check!(sent(http::post("/b").form([("user", "a b"), ("p", "&")])),
        "a form is encoded" => |e| e.body == "user=a%20b&p=%26" && e.header("content-type") == Some("application/x-www-form-urlencoded"),
    );
    check!(sent(http::put("/b").text("쿠폰")),
        "a text is UTF-8" => |e| e.body == "쿠폰" && e.header("content-type") == Some("text/plain; charset=utf-8"),
    );
    check!(sent(http::put("/b").body(vec![65; 100_000])),
        "a big body arrives whole" => |e| e.body.len() == 100_000 && e.header("content-type").is_none(),
    );
}
