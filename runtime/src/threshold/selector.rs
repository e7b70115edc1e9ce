//! Which samples a threshold is about: `metric`, or `metric{tag:value,tag2:value2}`.

use std::fmt;

use super::expression::Malformed;
use crate::field_error::FieldError;
use crate::metrics::is_valid_name;

/// A metric, and the tag values that its samples must have.
///
/// A tag's name ends at the first `:`, its value at the next `,`; so a value may contain colons (`group:::outer::inner`) and
/// braces (`name:/users/{id}`). A value with a comma, or with space at its ends, stands in single or double quotes, within
/// which a backslash takes the next character as it is. An empty value means that the tag is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// The metric's name.
    pub metric: String,
    /// Tags and the values they must have; empty for all samples.
    pub tags: Vec<(String, String)>,
}

const SHAPE: &str = "write a metric such as http_req_duration, or http_req_duration{scenario:warmup,status:200}";

impl Selector {
    pub(super) fn parse(text: &str) -> Result<Self, Malformed> {
        let at =
            |position: usize, problem: String| Malformed { position: text[..position].chars().count() + 1, problem };
        let (metric, tags) = match text.find('{') {
            None => (text, Vec::new()),
            Some(open) => {
                let inner = text[open + 1..].trim_end();
                let Some(inner) = inner.strip_suffix('}') else {
                    return Err(at(text.len(), format!("`}}` is missing at the end; {SHAPE}")));
                };
                let tags = Tags { text, position: open + 1, end: open + 1 + inner.len() }.read()?;
                (&text[..open], tags)
            }
        };
        let metric = metric.trim();
        if !is_valid_name(metric) {
            return Err(at(
                0,
                match metric {
                    "" => format!("the metric's name is missing; {SHAPE}"),
                    _ => format!("`{metric}` is not a metric's name; {SHAPE}"),
                },
            ));
        }
        Ok(Self { metric: metric.to_owned(), tags })
    }

    /// The tags as [`Totals::select`](crate::metrics::Totals::select) takes them.
    pub fn pairs(&self) -> Vec<(&str, &str)> {
        self.tags.iter().map(|(name, value)| (&**name, &**value)).collect()
    }
}

impl std::str::FromStr for Selector {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        let wrong = |error: Malformed| FieldError::new(String::new(), format!("\"{text}\""), error.problem);
        Self::parse(text).map_err(wrong)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.metric)?;
        for (number, (name, value)) in self.tags.iter().enumerate() {
            f.write_str(if number == 0 { "{" } else { "," })?;
            quote(f, name, |c| c == ':' || c == ',')?;
            f.write_str(":")?;
            quote(f, value, |c| c == ',')?;
        }
        if self.tags.is_empty() { Ok(()) } else { f.write_str("}") }
    }
}

/// Writes a text, in quotes if it could not be read back without.
fn quote(f: &mut fmt::Formatter<'_>, text: &str, ends: impl Fn(char) -> bool) -> fmt::Result {
    let plain = text.trim() == text && !text.starts_with(['"', '\'']) && !text.contains(ends);
    if plain {
        return f.write_str(text);
    }
    write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Reads what stands between the braces.
struct Tags<'a> {
    text: &'a str,
    position: usize,
    end: usize,
}

impl Tags<'_> {
    fn read(mut self) -> Result<Vec<(String, String)>, Malformed> {
        let mut tags: Vec<(String, String)> = Vec::new();
        loop {
            self.skip_space();
            let start = self.position;
            let name = self.part(|c| c == ':' || c == ',')?;
            if name.is_empty() {
                return Err(self.error(start, format!("a tag's name is missing; {SHAPE}")));
            }
            if tags.iter().any(|(known, _)| *known == name) {
                return Err(
                    self.error(start, format!("the tag `{name}` stands here twice; a sample has one value of it"))
                );
            }
            let value = if self.eat(':') {
                self.skip_space();
                self.part(|c| c == ',')?
            } else {
                String::new()
            };
            tags.push((name, value));
            if !self.eat(',') {
                return Ok(tags);
            }
        }
    }

    /// A name or a value, up to where it ends; what follows a closing quote must be that end.
    fn part(&mut self, ends: impl Fn(char) -> bool) -> Result<String, Malformed> {
        let rest = &self.text[self.position..self.end];
        if let Some(mark) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) {
            let text = self.quoted(mark)?;
            self.skip_space();
            let rest = &self.text[self.position..self.end];
            if rest.is_empty() || rest.starts_with(&ends) {
                return Ok(text);
            }
            return Err(self.error(
                self.position,
                format!("`{rest}` follows a closing quote; put a `,` between, or the whole value in the quotes"),
            ));
        }
        let length = rest.find(ends).unwrap_or(rest.len());
        self.position += length;
        Ok(rest[..length].trim_end().to_owned())
    }

    fn quoted(&mut self, mark: char) -> Result<String, Malformed> {
        let start = self.position;
        let mut text = String::new();
        let mut characters = self.text[start + 1..self.end].char_indices();
        while let Some((offset, character)) = characters.next() {
            match character {
                '\\' => text.extend(characters.next().map(|(_, escaped)| escaped)),
                _ if character == mark => {
                    self.position = start + 1 + offset + 1;
                    return Ok(text);
                }
                _ => text.push(character),
            }
        }
        Err(self.error(start, format!("the quote {mark} is never closed; close it before the `}}`")))
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.text[self.position..self.end].starts_with(wanted);
        self.position += if found { wanted.len_utf8() } else { 0 };
        found
    }

    fn skip_space(&mut self) {
        let rest = &self.text[self.position..self.end];
        self.position += rest.len() - rest.trim_start().len();
    }

    fn error(&self, position: usize, problem: String) -> Malformed {
        Malformed { position: self.text[..position].chars().count() + 1, problem }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tags(text: &str) -> Vec<(String, String)> {
        Selector::parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}")).tags
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn every_form_is_read() {
        assert_eq!(Selector::parse("http_reqs"), Ok(Selector { metric: "http_reqs".to_owned(), tags: vec![] }));
        assert_eq!(tags("http_reqs{status:200}"), [pair("status", "200")]);
        assert_eq!(
            tags("http_reqs{ status : 200 , scenario:warm-up }"),
            [pair("status", "200"), pair("scenario", "warm-up")]
        );
        assert_eq!(tags("checks{group:::outer::inner}"), [pair("group", "::outer::inner")]);
        assert_eq!(tags("http_reqs{name:/users/{id}}"), [pair("name", "/users/{id}")]);
        assert_eq!(
            tags("http_reqs{name:http://h:1/a?b={c}&d,status:200}"),
            [pair("name", "http://h:1/a?b={c}&d"), pair("status", "200")]
        );
        assert_eq!(tags(r#"checks{check:"status is 200, or 204"}"#), [pair("check", "status is 200, or 204")]);
        assert_eq!(tags(r#"checks{"check":'it\'s "ok"', a:b}"#), [pair("check", "it's \"ok\""), pair("a", "b")]);
        assert_eq!(tags("checks{check:상태 코드 200}"), [pair("check", "상태 코드 200")]);
        assert_eq!(tags("checks{check:its 'odd' name}"), [pair("check", "its 'odd' name")]);
        assert_eq!(tags("http_reqs{error_code:}"), [pair("error_code", "")]);
        assert_eq!(tags("http_reqs{error_code}"), [pair("error_code", "")]);
    }

    #[test]
    fn errors_name_position_value_and_remedy() {
        let report: String = [
            "",
            "a",
            "http-reqs",
            "http reqs{a:b}",
            "http_reqs{",
            "http_reqs{}",
            "http_reqs{a:b",
            "http_reqs{a:b}c",
            "http_reqs{:b}",
            "http_reqs{a:b,}",
            "http_reqs{a:b,a:c}",
            "http_reqs{a:\"b}",
            "http_reqs{a:\"b\" c}",
            "{a:b}",
        ]
        .iter()
        .map(|text| {
            let Malformed { position, problem } = Selector::parse(text).unwrap_err();
            format!("{text:?} at {position}: {problem}\n")
        })
        .collect();
        insta::assert_snapshot!(report);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            metric in "[a-zA-Z_][a-zA-Z0-9_]{1,20}",
            tags in prop::collection::btree_map("\\PC{1,8}|[a-z:,'\" \\\\{}]{1,4}", "\\PC{0,12}|[a-z:,'\" \\\\{}]{0,6}", 0..4),
        ) {
            let tags: Vec<_> = tags.into_iter().filter(|(name, _)| !name.is_empty()).collect();
            let selector = Selector { metric, tags };
            let written = selector.to_string();
            prop_assert_eq!(Selector::parse(&written), Ok(selector), "{}", written);
        }

        #[test]
        fn any_text_is_read_or_refused_within_it(text in "\\PC{0,20}|[a-z]{2,5}[{}:,'\" \\\\a]{0,12}") {
            if let Err(malformed) = Selector::parse(&text) {
                prop_assert!(malformed.position <= text.chars().count() + 1);
            }
        }
    }
}
