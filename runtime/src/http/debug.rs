//! `httpDebug`: an exchange as text, for somebody who writes a scenario. Everything is shown as it was sent, secrets included.

use std::fmt::Write as _;
use std::time::Duration;

use http::StatusCode;

use super::exchange::{Exchange, Outgoing, Timings};
use super::h1::{Form, encode};
use super::payload::Payload;

/// Of a body, so many bytes are shown.
const SHOWN_BYTES: usize = 16 << 10;
/// Of a body, so many lines are shown.
const SHOWN_LINES: usize = 200;

/// How much of an exchange is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpDebug {
    /// Without the bodies.
    Headers,
    /// With the bodies, where they are text.
    Full,
}

/// The exchange in lines: `>` went out, `<` came back, `=` was measured. `user_agent` is what requests send that bring none.
#[must_use]
pub(crate) fn lines(outgoing: &Outgoing, user_agent: &str, exchange: &Exchange, debug: HttpDebug) -> Vec<String> {
    let mut lines = Vec::new();
    let mut head = Vec::new();
    let form = Form { user_agent, proxy: None };
    encode(&mut head, &outgoing.method, &outgoing.target, &outgoing.headers, form, outgoing.length());
    let head = String::from_utf8_lossy(&head);
    let mut sent = head.trim_end().split("\r\n");
    let request = sent.next().unwrap_or_default();
    // What answers with HTTP/1.0 was asked with HTTP/1.1.
    let request = match exchange.protocol {
        "HTTP/2.0" => request.replace(" HTTP/1.1", " HTTP/2.0"),
        _ => request.to_owned(),
    };
    lines.push(format!("> {request} (to {})", outgoing.target.origin));
    lines.extend(sent.map(|header| format!("> {header}")));
    if let Some(body) = &outgoing.body {
        let is_type = |(name, _): &&(String, Vec<u8>)| name.eq_ignore_ascii_case("content-type");
        let kind = outgoing.headers.iter().find(is_type).map(|(_, value)| &**value);
        show_body(&mut lines, '>', body, kind, debug);
    }
    if exchange.status != 0 {
        let reason = StatusCode::from_u16(exchange.status).ok().and_then(|status| status.canonical_reason());
        lines.push(format!("< {} {} {}", exchange.protocol, exchange.status, reason.unwrap_or_default()));
        let headers = exchange.head.all();
        lines.extend(headers.iter().map(|(name, value)| format!("< {name}: {}", String::from_utf8_lossy(value))));
        let body = Payload::One(exchange.body.clone());
        show_body(&mut lines, '<', &body, exchange.head.get("content-type"), debug);
    }
    if let Some(failure) = &exchange.failure {
        lines.push(format!("< failed: {} (error code {})", failure.text, failure.code.0));
    }
    lines.push(measured(exchange));
    lines
}

fn show_body(lines: &mut Vec<String>, mark: char, body: &Payload, content_type: Option<&[u8]>, debug: HttpDebug) {
    if body.is_empty() {
        return;
    }
    lines.push(mark.to_string());
    let begin: Vec<u8> = body.pieces().iter().flatten().copied().take(SHOWN_BYTES).collect();
    let text = match readable(&begin) {
        Some(text) if debug == HttpDebug::Full => text,
        _ => {
            let kind = content_type.map(|kind| format!(", {}", String::from_utf8_lossy(kind))).unwrap_or_default();
            lines.push(format!("{mark} (a body of {} bytes{kind})", body.len()));
            return;
        }
    };
    let mut bytes = 0;
    for line in text.split_inclusive('\n').take(SHOWN_LINES) {
        bytes += line.len();
        lines.push(format!("{mark} {}", line.trim_end_matches(['\r', '\n'])));
    }
    if bytes < body.len() {
        lines.push(format!("{mark} (and {} bytes more)", body.len() - bytes));
    }
}

/// The text that a body begins with; `None` for what a terminal is no place for.
fn readable(begin: &[u8]) -> Option<&str> {
    let text = match std::str::from_utf8(begin) {
        Ok(text) => text,
        // The cut went through a character.
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&begin[..error.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    let odd = text.chars().any(|c| c.is_control() && !c.is_whitespace());
    (!odd).then_some(text)
}

fn measured(exchange: &Exchange) -> String {
    let Timings { blocked, looking_up, connecting, tls_handshaking, sending, waiting, receiving } = exchange.timings;
    // Nanoseconds are not what anybody looks for here.
    let micros = |time: Duration| Duration::from_micros(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    let mut line = format!("= {:?}: blocked {:?} (", micros(sending + waiting + receiving), micros(blocked));
    // Writing to a text cannot fail.
    if let Some(looking_up) = looking_up {
        let _ = write!(line, "looking up {:?}, ", micros(looking_up));
    }
    let _ = write!(line, "connecting {:?}", micros(connecting));
    if tls_handshaking > Duration::ZERO {
        let _ = write!(line, ", TLS {:?}", micros(tls_handshaking));
    }
    let _ = write!(
        line,
        "), sending {:?}, waiting {:?}, receiving {:?}; {} bytes sent, {} received",
        micros(sending),
        micros(waiting),
        micros(receiving),
        exchange.bytes_sent,
        exchange.bytes_received
    );
    if let Some(remote) = exchange.remote {
        let _ = write!(line, "; {remote}");
    }
    if let Some(tls) = exchange.tls {
        let _ = write!(line, " over {}", tls.as_str());
    }
    line
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use http::Method;

    use super::*;
    use crate::http::{ErrorCode, Failure, Target};

    fn outgoing(body: &'static [u8]) -> Outgoing {
        Outgoing {
            target: Arc::new(Target::parse("http://shop.test:8080/coupons?id=3").unwrap()),
            method: Method::POST,
            headers: vec![("Content-Type".to_owned(), b"application/json".to_vec())],
            body: Some(Bytes::from_static(body).into()),
            timeout: None,
            discard: None,
            connect_timeout: None,
            http_version: None,
            chunked: false,
            streamed: false,
        }
    }

    fn failed() -> Exchange {
        Exchange {
            failure: Some(Failure::new(ErrorCode::OTHER, "odd", "nobody is there")),
            timings: Timings { waiting: Duration::from_nanos(1_234_567), ..Timings::default() },
            bytes_sent: 7,
            ..Exchange::new()
        }
    }

    #[test]
    fn a_request_is_shown_as_it_is_sent() {
        let sent = outgoing(b"{\"a\":1}\nsecond");
        let shown = lines(&sent, "flashcrowd/0.1.0", &failed(), HttpDebug::Full).join("\n");
        insta::assert_snapshot!(shown, @r#"
        > POST /coupons?id=3 HTTP/1.1 (to shop.test:8080)
        > host: shop.test:8080
        > Content-Type: application/json
        > user-agent: flashcrowd/0.1.0
        > content-length: 14
        >
        > {"a":1}
        > second
        < failed: odd: nobody is there (error code 1000)
        = 1.234ms: blocked 0ns (connecting 0ns), sending 0ns, waiting 1.234ms, receiving 0ns; 7 bytes sent, 0 received
        "#);
    }

    #[test]
    fn the_version_is_that_of_the_request() {
        for (answered, asked) in [("HTTP/1.0", "HTTP/1.1"), ("HTTP/1.1", "HTTP/1.1"), ("HTTP/2.0", "HTTP/2.0")] {
            let exchange = Exchange { status: 200, protocol: answered, ..Exchange::new() };
            let shown = lines(&outgoing(b""), "", &exchange, HttpDebug::Headers);
            assert_eq!(shown[0], format!("> POST /coupons?id=3 {asked} (to shop.test:8080)"));
        }
    }

    #[test]
    fn what_is_no_text_is_told_by_size_and_type() {
        let lines = |body, debug| lines(&outgoing(body), "", &failed(), debug).join("\n");
        assert!(lines(b"\x1b[2J", HttpDebug::Full).contains("> (a body of 4 bytes, application/json)"));
        assert!(lines(b"\xff\xfe", HttpDebug::Full).contains("> (a body of 2 bytes, application/json)"));
        let headers = lines(b"{\"a\":1}", HttpDebug::Headers);
        assert!(headers.contains("> (a body of 7 bytes, application/json)") && !headers.contains("\"a\""), "{headers}");
    }

    #[test]
    fn a_long_body_is_cut() {
        let long: &'static [u8] = "é\n".repeat(300).leak().as_bytes();
        let cut = lines(&outgoing(long), "", &failed(), HttpDebug::Full);
        assert_eq!(cut.iter().filter(|line| *line == "> é").count(), SHOWN_LINES);
        assert!(cut.contains(&"> (and 300 bytes more)".to_owned()), "{cut:?}");
        let one_line: &'static [u8] = "é".repeat(SHOWN_BYTES).leak().as_bytes();
        let cut = lines(&outgoing(one_line), "", &failed(), HttpDebug::Full);
        assert!(cut.contains(&format!("> (and {SHOWN_BYTES} bytes more)")), "{}", cut.len());
    }
}
