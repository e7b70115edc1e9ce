use proptest::prelude::*;

use super::*;

fn grants(lists: &[&str]) -> Grants {
    let mut grants = Grants::none();
    for list in lists {
        grants.allow(list).unwrap();
    }
    grants
}

/// What the HTTP client asks about a URL, without resolving names: the host as the URL parser gives it.
fn may_call(grants: &Grants, url: &str) -> bool {
    let url = Url::parse(url).unwrap();
    let port = url.port_or_known_default().unwrap();
    match url.host().unwrap() {
        Host::Domain(name) => grants.allows_name(name, port),
        Host::Ipv4(address) => {
            grants.allows_name(&address.to_string(), port) || grants.allows_address(address.into(), port)
        }
        Host::Ipv6(address) => {
            grants.allows_name(&address.to_string(), port) || grants.allows_address(address.into(), port)
        }
    }
}

#[test]
fn a_grant_allows_what_it_says() {
    for (grant, url) in [
        ("example.com", "http://example.com/"),
        ("example.com", "http://example.com:8080/"),
        ("EXAMPLE.com.", "http://Example.COM./a"),
        ("example.com:8080", "http://example.com:8080/"),
        ("example.com:80", "http://example.com/"),
        ("example.com:443", "https://example.com/"),
        ("*.example.com", "http://a.example.com/"),
        ("*.example.com", "http://a.b.example.com:81/"),
        ("*.example.com:8080", "http://a.example.com:8080/"),
        ("쿠폰.한국", "http://쿠폰.한국/"),
        ("쿠폰.한국", "http://xn--2l7bi8e.xn--3e0b707e/"),
        ("localhost", "http://LOCALHOST:3000/"),
        ("under_score.test", "http://under_score.test/"),
        ("10.0.0.7", "http://10.0.0.7:9/"),
        ("10.0.0.0/8", "http://10.200.3.4/"),
        ("10.0.0.0/8:8080", "http://10.200.3.4:8080/"),
        ("::1", "http://[::1]:3000/"),
        ("[::1]", "http://[0:0:0:0:0:0:0:1]/"),
        ("[::1]:3000", "http://[::1]:3000/"),
        ("fd00::/8", "http://[fd12::1]/"),
        ("[fd00::/8]:8080", "http://[fd12::1]:8080/"),
        ("127.0.0.1", "http://2130706433/"),
        ("127.0.0.1", "http://0x7f.1/"),
        ("127.0.0.1", "http://[::ffff:127.0.0.1]/"),
        ("10.0.0.0/8", "http://[::ffff:10.1.1.1]/"),
        ("a.test,b.test:81", "http://b.test:81/"),
        ("0.0.0.0/0", "http://8.8.8.8/"),
    ] {
        assert!(may_call(&grants(&[grant]), url), "{grant} should allow {url}");
    }
}

#[test]
fn attacks_fail() {
    for (grant, url) in [
        // The host is what stands after the last `@`.
        ("granted.test", "http://granted.test@evil.test/"),
        ("granted.test", "http://granted.test:80@evil.test/"),
        ("granted.test", "http://evil.test\\@granted.test/"),
        ("granted.test", "http://evil.test/@granted.test"),
        ("granted.test", "http://evil.test#granted.test"),
        ("granted.test", "http://evil.test?granted.test"),
        // Names that only look alike.
        ("granted.test", "http://granted.test.evil.test/"),
        ("granted.test", "http://evilgranted.test/"),
        ("granted.test", "http://sub.granted.test/"),
        ("granted.test", "http://grant\u{435}d.test/"),
        ("*.granted.test", "http://evilgranted.test/"),
        ("*.granted.test", "http://granted.test/"),
        ("*.granted.test", "http://a.granted.test.evil.test/"),
        // Ports.
        ("granted.test:8080", "http://granted.test/"),
        ("granted.test:8080", "http://granted.test:8081/"),
        ("granted.test:80", "https://granted.test/"),
        ("*.granted.test:8080", "http://a.granted.test:80/"),
        ("10.0.0.0/8:8080", "http://10.0.0.1:80/"),
        // Addresses.
        ("10.0.0.7", "http://10.0.0.70/"),
        ("10.0.0.7", "http://10.0.0.7.evil.test/"),
        ("10.0.0.0/8", "http://11.0.0.0/"),
        ("10.0.0.0/8", "http://10.0.0.1.evil.test/"),
        ("127.0.0.1", "http://localhost/"),
        ("127.0.0.0/8", "http://localhost/"), // by name; its address is looked at once it is resolved
        ("localhost", "http://127.0.0.1/"),
        ("localhost", "http://[::1]/"),
        ("::1", "http://127.0.0.1/"),
        ("0.0.0.0/0", "http://[2001:db8::1]/"),
        ("a.test", "http://169.254.169.254/latest/meta-data"),
        ("a.test", "http://2852039166/latest/meta-data"),
    ] {
        assert!(!may_call(&grants(&[grant]), url), "{grant} must not allow {url}");
    }
    assert!(!may_call(&Grants::none(), "http://127.0.0.1/"));
}

#[test]
fn only_networks_follow_names_to_their_addresses() {
    let loopback: IpAddr = "127.0.0.1".parse().unwrap();
    assert!(!grants(&["127.0.0.1"]).allows_address(loopback, 80));
    assert!(!grants(&["127.0.0.1"]).has_networks());
    assert!(grants(&["127.0.0.1/32"]).allows_address(loopback, 80));
    assert!(grants(&["127.0.0.1/32"]).has_networks());
    assert!(!grants(&["127.0.0.1/32:81"]).allows_address(loopback, 80));
    assert!(grants(&["127.0.0.0/8"]).allows_address("::ffff:127.0.0.9".parse().unwrap(), 80));
    assert!(!grants(&["0.0.0.0/0"]).allows_address("2001:db8::1".parse().unwrap(), 80));
}

#[test]
fn a_url_of_a_flag_grants_its_host_and_port() {
    let of = |value: &str| {
        let mut grants = Grants::none();
        grants.allow_urls_in(value);
        grants.to_string()
    };
    assert_eq!(of("http://127.0.0.1:8080/api"), "127.0.0.1:8080");
    assert_eq!(of("https://User:pw@Example.com/x"), "example.com:443");
    assert_eq!(of("http://granted.test@evil.test/"), "evil.test:80");
    assert_eq!(of("http://a.test/x, http://b.test:81"), "a.test:80,b.test:81");
    assert_eq!(of("http://a.test http://a.test/twice"), "a.test:80");
    assert_eq!(of("http://[::1]:3000"), "[::1]:3000");
    assert_eq!(of("ws://a.test"), "a.test:80");
    for value in [
        "",
        "3",
        "localhost:8080",
        "file:///etc/passwd",
        "data:text/plain,x",
        "mailto:a@b.test",
        "ftp://a.test",
        "http://",
    ] {
        assert_eq!(of(value), "none", "{value}");
    }
}

#[test]
fn errors_name_the_value_and_the_remedy() {
    let texts = [
        "",
        "a.test,",
        "http://a.test:8080/x",
        "https://a.test",
        "file:///x",
        "*",
        "*.",
        "*example.com",
        "api.*.com",
        "*.*.com",
        "*.10.0.0.1",
        "a.test:",
        "a.test:0",
        "a.test:65536",
        "a.test:+80",
        "a.test:http",
        "a b",
        "a..b",
        "user@a.test",
        "2130706433",
        "0x7f.1",
        "10.0.0.256",
        "10.0.0.0/33",
        "10.1.2.3/8",
        "a.test/24",
        "[::1",
        "[::1]8080",
        "[nonsense]",
        ":80",
    ];
    let errors: Vec<String> = texts.iter().map(|text| Grants::none().allow(text).unwrap_err().to_string()).collect();
    insta::assert_snapshot!(errors.join("\n"), @r#"
    --allow-host: "" names no host; write a host, host:port, *.suffix, an address or a network such as 10.0.0.0/8
    --allow-host: "" names no host; write a host, host:port, *.suffix, an address or a network such as 10.0.0.0/8
    --allow-host: "http://a.test:8080/x" is a URL; give its host alone: a.test:8080
    --allow-host: "https://a.test" is a URL; give its host alone: a.test:443
    --allow-host: "file:///x" is a URL; write a host, host:port, *.suffix, an address or a network such as 10.0.0.0/8
    --allow-host: "*" would grant everything; name the hosts, or write 0.0.0.0/0,::/0 if any address is really meant
    --allow-host: "*." has no name after `*.`; write it as *.example.com
    --allow-host: "*example.com" has a `*` where none may stand; it stands for whole names in front: *.example.com
    --allow-host: "api.*.com" has a `*` where none may stand; it stands for whole names in front: *.example.com
    --allow-host: "*.*.com" has no name after `*.`; write it as *.example.com
    --allow-host: "*.10.0.0.1" has no name after `*.`; write it as *.example.com
    --allow-host: "a.test:" has the port ``; give a number from 1 to 65535, or leave out the colon for any port
    --allow-host: "a.test:0" has the port `0`; give a number from 1 to 65535, or leave out the colon for any port
    --allow-host: "a.test:65536" has the port `65536`; give a number from 1 to 65535, or leave out the colon for any port
    --allow-host: "a.test:+80" has the port `+80`; give a number from 1 to 65535, or leave out the colon for any port
    --allow-host: "a.test:http" has the port `http`; give a number from 1 to 65535, or leave out the colon for any port
    --allow-host: "a b" is not a host; write a host, host:port, *.suffix, an address or a network such as 10.0.0.0/8
    --allow-host: "a..b" is not a host; write a host, host:port, *.suffix, an address or a network such as 10.0.0.0/8
    --allow-host: "user@a.test" is not a host; write a host, host:port, *.suffix, an address or a network such as 10.0.0.0/8
    --allow-host: "2130706433" means the address 127.0.0.1; write it so if you mean it
    --allow-host: "0x7f.1" means the address 127.0.0.1; write it so if you mean it
    --allow-host: "10.0.0.256" is not a host; write a host, host:port, *.suffix, an address or a network such as 10.0.0.0/8
    --allow-host: "10.0.0.0/33" is not a network; write one such as 10.0.0.0/8 or fd00::/8
    --allow-host: "10.1.2.3/8" has an address within the network, not the network's own; write 10.0.0.0/8
    --allow-host: "a.test/24" is not a network; write one such as 10.0.0.0/8 or fd00::/8
    --allow-host: "[::1" lacks a `]`; write it as [::1] or [::1]:8080
    --allow-host: "[::1]8080" has something after `]`; write it as [::1] or [::1]:8080
    --allow-host: "[nonsense]" has something other than an IPv6 address in its brackets; write it as [::1] or [::1]:8080
    --allow-host: ":80" is not a host; write a host, host:port, *.suffix, an address or a network such as 10.0.0.0/8
    "#);
}

#[test]
fn a_refusal_prints_the_flag_that_would_allow_the_call() {
    let cases: [(&[&str], &str, u16); 8] = [
        (&[], "example.com", 8080),
        (&["example.com:80"], "example.com", 8080),
        (&["*.example.com"], "example.com", 80),
        (&["example.com"], "api.example.com", 80),
        (&["127.0.0.1"], "localhost", 3000),
        (&["localhost"], "127.0.0.1", 3000),
        (&["10.0.0.0/8:80"], "10.0.0.1", 81),
        (&["a.test"], "::1", 3000),
    ];
    let texts: Vec<String> = cases.iter().map(|(lists, host, port)| grants(lists).refusal(host, *port)).collect();
    insta::assert_snapshot!(texts.join("\n"), @"
    example.com:8080 is not granted; to allow it, run with --allow-host example.com:8080
    example.com:8080 is not granted (example.com:80 is, and the port differs); to allow it, run with --allow-host example.com:8080
    example.com:80 is not granted (*.example.com stands for the names below example.com, not for itself); to allow it, run with --allow-host example.com:80
    api.example.com:80 is not granted (example.com is, which does not grant the names below it); to allow it, run with --allow-host api.example.com:80
    localhost:3000 is not granted (127.0.0.1 is, but localhost is a name); to allow it, run with --allow-host localhost:3000
    127.0.0.1:3000 is not granted (localhost is, but 127.0.0.1 is an address and not that name); to allow it, run with --allow-host 127.0.0.1:3000
    10.0.0.1:81 is not granted (10.0.0.0/8:80 is, and the port differs); to allow it, run with --allow-host 10.0.0.1:81
    [::1]:3000 is not granted; to allow it, run with --allow-host '[::1]:3000'
    ");
}

#[test]
fn grants_print_as_they_are_written() {
    let text = "example.com,*.a.test:81,10.0.0.7,10.0.0.0/8:8080,[::1]:3000,[fd00::/8]";
    assert_eq!(grants(&[text]).to_string(), text);
    assert_eq!(grants(&[text]), grants(&text.split(',').collect::<Vec<_>>()));
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*", port in 0u16..) {
        let mut grants = Grants::none();
        let _ = grants.allow(&text);
        grants.allow_urls_in(&text);
        let _ = grants.allows_name(&text, port);
        let _ = grants.refusal(&text, port);
    }

    #[test]
    fn what_a_refusal_prints_allows_the_call(
        host in "([a-z][a-z0-9-]{0,8}[a-z0-9]\\.){0,3}[a-z]{2,6}|[0-9]{1,2}\\.[0-9]{1,2}\\.[0-9]{1,2}\\.[0-9]{1,2}|fd00::[0-9a-f]{1,4}",
        port in 1u16..,
    ) {
        let mut grants = Grants::none();
        prop_assume!(normalise(&host).is_some());
        prop_assert!(!grants.allows_name(&host, port));
        let refusal = grants.refusal(&host, port);
        let flag = refusal.rsplit_once("--allow-host ").unwrap().1.trim_matches('\'');
        grants.allow(flag).unwrap();
        prop_assert!(grants.allows_name(&host, port));
        prop_assert!(!grants.allows_name(&host, port ^ 1));
    }

    #[test]
    fn a_name_grant_allows_one_name_only(granted in "[a-z]{1,3}(\\.[a-z]{1,3}){0,2}", called in "[a-z]{1,3}(\\.[a-z]{1,3}){0,2}") {
        let exact = grants(&[&granted]).allows_name(&called, 80);
        prop_assert_eq!(exact, granted == called);
        let below = grants(&[&format!("*.{granted}")]).allows_name(&called, 80);
        prop_assert_eq!(below, called.ends_with(&format!(".{granted}")));
    }

    #[test]
    fn a_network_holds_what_its_bits_say(address in any::<u32>(), called in any::<u32>(), prefix in 0u8..=32) {
        let network = ipnet::Ipv4Net::new(address.into(), prefix).unwrap().trunc();
        let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
        let allowed = grants(&[&network.to_string()]).allows_address(IpAddr::V4(called.into()), 80);
        prop_assert_eq!(allowed, address & mask == called & mask);
    }
}
