use proptest::prelude::*;

use super::*;
use crate::http::Notes;

const WANTS: Wants = Wants { to_head: false, discard: false, max_body_bytes: 1 << 20 };

fn decoded(wants: Wants, pieces: &[&[u8]], closed: bool) -> Result<(u16, Vec<u8>, bool), Failure> {
    let mut decoder = Decoder::new(wants);
    for piece in pieces {
        decoder.feed(piece)?;
    }
    if closed {
        decoder.end_of_stream()?;
    }
    assert!(decoder.is_over(), "not complete");
    let answer = decoder.answer().unwrap();
    Ok((answer.status, std::mem::take(&mut answer.body), answer.keep))
}

#[track_caller]
fn whole(bytes: &str, status: u16, body: &str, keep: bool) {
    let (got_status, got_body, got_keep) = decoded(WANTS, &[bytes.as_bytes()], false).unwrap();
    assert_eq!((got_status, std::str::from_utf8(&got_body).unwrap(), got_keep), (status, body, keep));
}

#[track_caller]
fn refused(bytes: &str) -> Failure {
    let failure = decoded(WANTS, &[bytes.as_bytes()], true).unwrap_err();
    assert_eq!(failure.code, ErrorCode::OTHER, "{failure:?}");
    failure
}

#[test]
fn every_framing_is_read_to_its_end() {
    whole("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", 200, "abc", true);
    whole("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "", true);
    whole(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, Chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
        200,
        "abc",
        true,
    );
    whole(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;x=\"y\"\r\nab\r\n00\r\nt: v\r\nu: w\r\n\r\n",
        200,
        "ab",
        true,
    );
    whole(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nA \r\n0123456789\r\n0\r\n\r\n",
        200,
        "0123456789",
        true,
    );
    whole("HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\ncontent-length: 3\r\n\r\nabc", 200, "abc", true);
    whole("HTTP/1.1 204 No Content\r\n\r\n", 204, "", true);
    whole("HTTP/1.1 304 Not Modified\r\ncontent-length: 10\r\n\r\n", 304, "", true);
    whole("HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\ncontent-length: 2\r\n\r\nab", 200, "ab", true);
}

#[test]
fn without_a_length_the_body_ends_with_the_connection() {
    let bytes: &[u8] = b"HTTP/1.1 200 OK\r\n\r\nabc";
    let mut decoder = Decoder::new(WANTS);
    decoder.feed(bytes).unwrap();
    assert!(!decoder.is_over());
    assert_eq!(decoded(WANTS, &[bytes], true).unwrap(), (200, b"abc".to_vec(), false));
    let old: &[u8] = b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n";
    assert_eq!(decoded(WANTS, &[old], true).unwrap(), (200, b"2\r\n".to_vec(), false), "1.0 knows no chunks");
}

#[test]
fn informational_answers_are_passed_over() {
    whole(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na",
        200,
        "a",
        true,
    );
    whole("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n", 101, "", false);
    let endless = "HTTP/1.1 100 Continue\r\n\r\n".repeat(200);
    assert!(refused(&endless).text.contains("without end"));
}

#[test]
fn a_connection_is_kept_only_when_nothing_speaks_against_it() {
    whole("HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: Close\r\n\r\na", 200, "a", false);
    whole("HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\na", 200, "a", false);
    whole("HTTP/1.0 200 OK\r\nconnection: Keep-Alive\r\ncontent-length: 1\r\n\r\na", 200, "a", true);
    whole("HTTP/1.0 200 OK\r\nconnection: keep-alive, close\r\ncontent-length: 1\r\n\r\na", 200, "a", false);
    whole("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab", 200, "a", false);
    whole(
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        200,
        "a",
        false,
    );
}

#[test]
fn head_requests_have_no_body_whatever_is_announced() {
    let bytes: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n";
    let wants = Wants { to_head: true, ..WANTS };
    assert_eq!(decoded(wants, &[bytes], false).unwrap(), (200, Vec::new(), true));
}

#[test]
fn what_is_no_http_is_refused() {
    refused("SSH-2.0-OpenSSH_9.2\r\n");
    refused("HTTP/2 200\r\n\r\n");
    refused("HTTP/1.1 000 What\r\ncontent-length: 0\r\n\r\n");
    refused("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n");
    refused("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: gzip\r\n\r\n0\r\n\r\n");
    refused("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc");
    refused("HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n");
    refused("HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\na");
    refused("HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n");
    refused("HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n");
    refused("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab");
    refused("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n");
    refused("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\r\n");
    refused("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc");
    refused("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\nab");
    refused("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n");
    refused(&format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(70_000)));
    refused(&format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(200)));
    refused(&format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;{}", "x".repeat(20_000)));
    refused(&format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n{}", "a: b\r\n".repeat(20_000)));
}

#[test]
fn a_head_beyond_the_limit_is_refused_in_one_piece_and_in_many() {
    let head = |padding: usize| format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx: {}\r\n\r\n", "y".repeat(padding));
    let (long, largest) = (head(70_000), head(65_536 - head(0).len()));
    for size in [1_000, 60_000, 100_000] {
        let pieces: Vec<&[u8]> = long.as_bytes().chunks(size).collect();
        assert!(decoded(WANTS, &pieces, true).unwrap_err().text.contains("65536 bytes"), "in pieces of {size}");
        let pieces: Vec<&[u8]> = largest.as_bytes().chunks(size).collect();
        assert_eq!(decoded(WANTS, &pieces, true).unwrap().0, 200, "in pieces of {size}");
    }
}

#[test]
fn a_body_beyond_the_limit_is_refused_before_it_comes() {
    let wants = Wants { max_body_bytes: 4, ..WANTS };
    let announced: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n";
    let mut decoder = Decoder::new(wants);
    assert!(decoder.feed(announced).unwrap_err().text.contains("--memory-limit"));
    assert_eq!(decoder.answer().unwrap().status, 200);
    let chunked: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n";
    assert!(Decoder::new(wants).feed(chunked).is_err());
    let discarding = Wants { discard: true, max_body_bytes: 0, ..WANTS };
    let (_, body, keep) = decoded(discarding, &[b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabcde"], false).unwrap();
    assert!(body.is_empty() && keep);
}

#[test]
fn an_end_in_the_middle_is_noticed() {
    for bytes in [
        "",
        "HTTP/1.1 2",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\na",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n",
    ] {
        let failure = decoded(WANTS, &[bytes.as_bytes()], true).unwrap_err();
        assert_eq!(failure.code, ErrorCode::RESET_BY_PEER, "{bytes}");
    }
}

#[test]
fn headers_are_found_whatever_their_case() {
    let mut decoder = Decoder::new(WANTS);
    decoder.feed(b"HTTP/1.1 200 OK\r\nX-One: 1\r\nx-two:  2 \r\nX-ONE: 3\r\ncontent-length: 0\r\n\r\n").unwrap();
    let head = &decoder.answer().unwrap().head;
    assert_eq!((head.get("x-one"), head.get("X-TWO"), head.get("x-three")), (Some(&b"1"[..]), Some(&b"2"[..]), None));
    let all = head.all();
    assert_eq!(all.len(), 4);
    assert_eq!((all[2].0.as_str(), all[2].1.as_slice()), ("x-one", &b"3"[..]));
    assert!(Head::default().get("x").is_none() && Head::default().all().is_empty());
}

proptest! {
    #[test]
    fn pieces_of_any_size_give_the_same_answer(
        body in prop::collection::vec(any::<u8>(), 0..300),
        chunks in prop::collection::vec(1_usize..40, 1..20),
        cuts in prop::collection::vec(1_usize..50, 1..60),
        framed in any::<bool>(),
    ) {
        let mut bytes = Vec::new();
        if framed {
            bytes.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
            let mut rest = &body[..];
            for size in chunks.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (chunk, after) = rest.split_at((*size).min(rest.len()));
                bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
                rest = after;
            }
            bytes.extend_from_slice(b"0\r\n\r\n");
        } else {
            bytes.extend_from_slice(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len()).as_bytes());
            bytes.extend_from_slice(&body);
        }
        let mut pieces = Vec::new();
        let mut rest = &bytes[..];
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        let (status, got, keep) = decoded(WANTS, &pieces, false).unwrap();
        prop_assert_eq!((status, got, keep), (200, body, true));
    }

    #[test]
    fn no_bytes_make_it_panic_or_hold_more_than_came(bytes in prop::collection::vec(any::<u8>(), 0..2_000), prefix in 0_usize..4) {
        let heads: [&[u8]; 4] = [
            b"",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 1234567\r\nx: ",
        ];
        let mut decoder = Decoder::new(WANTS);
        if decoder.feed(heads[prefix]).is_ok() && decoder.feed(&bytes).is_ok() {
            let _ = decoder.end_of_stream();
        }
        let held = decoder.answer().map_or(0, |answer| answer.body.len());
        prop_assert!(held <= bytes.len());
    }
}

#[test]
fn what_the_layers_above_act_on_is_noted_while_the_head_is_read() {
    let notes = |headers: &str| {
        let mut decoder = Decoder::new(Wants { to_head: true, discard: false, max_body_bytes: 0 });
        decoder.feed(format!("HTTP/1.1 200 OK\r\n{headers}\r\n").as_bytes()).unwrap();
        let head = decoder.answer().unwrap().head.clone();
        (head.notes(), head.get_all("set-cookie").len())
    };
    assert_eq!(notes("connection: close\r\nx-location: /\r\n"), (Notes::default(), 0));
    let cookies = notes("Set-Cookie: a=b\r\nSET-COOKIE: c=d\r\n");
    assert_eq!(cookies, (Notes { set_cookie: true, ..Notes::default() }, 2));
    assert!(notes("location: /\r\n").0.location);
    assert!(notes("Content-Encoding: gzip\r\n").0.content_encoding);
    assert!(notes("WWW-authenticate: Basic\r\n").0.challenge);
}
