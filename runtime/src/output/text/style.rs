//! Colours, and how wide a text is on a terminal.

/// What a text says by its look.
#[derive(Clone, Copy, Debug)]
pub(super) enum Style {
    Bold,
    Faint,
    Green,
    Red,
    Yellow,
}

/// Colours texts, or does not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint(pub(super) bool);

impl Paint {
    pub(super) fn with(self, style: Style, text: &str) -> String {
        if !self.0 || text.is_empty() {
            return text.to_owned();
        }
        // Select Graphic Rendition, ECMA-48 section 8.3.117.
        let code = match style {
            Style::Bold => 1,
            Style::Faint => 2,
            Style::Red => 31,
            Style::Green => 32,
            Style::Yellow => 33,
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// Columns of a terminal that a text takes: East Asian wide characters take two.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(|character| if is_wide(character) { 2 } else { 1 }).sum()
}

/// Hangul, Han, kana, and full-width forms (Unicode's East Asian Width `W` and `F`, by block), and emoji.
const fn is_wide(character: char) -> bool {
    matches!(character, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}' | '\u{1f300}'..='\u{1faff}' | '\u{20000}'..='\u{3fffd}')
}

/// The text and so many of `fill` that it is `columns` wide.
pub(super) fn pad(text: &str, columns: usize, fill: char) -> String {
    let missing = columns.saturating_sub(width(text));
    text.chars().chain(std::iter::repeat_n(fill, missing)).collect()
}

/// The text at the right end of so many columns.
pub(super) fn pad_left(text: &str, columns: usize) -> String {
    format!("{}{text}", " ".repeat(columns.saturating_sub(width(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(width("쿠폰 issue"), 10);
        assert_eq!(pad("쿠폰", 6, '.'), "쿠폰..");
        assert_eq!(pad_left("쿠폰", 6), "  쿠폰");
        assert_eq!(pad("too long", 3, '.'), "too long");
    }

    #[test]
    fn colour_only_when_asked() {
        assert_eq!(Paint(false).with(Style::Red, "x"), "x");
        assert_eq!(Paint(true).with(Style::Red, "x"), "\u{1b}[31mx\u{1b}[0m");
    }
}
