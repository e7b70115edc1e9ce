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

/// A text from a module or a server as part of one line: what moves the cursor, colours, or turns the writing direction is
/// shown as an escape instead of done. Nobody but us writes `✓ PASSED`.
pub(super) fn plain(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut plain, character| {
        if character.is_control() || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            plain.extend(character.escape_default());
        } else {
            plain.push(character);
        }
        plain
    })
}

/// The text, cut where it is wider than so many columns.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut left = columns.saturating_sub(1);
    let fitting = text.chars().take_while(|character| {
        let needed = if is_wide(*character) { 2 } else { 1 };
        let fits = needed <= left;
        left = left.saturating_sub(needed);
        fits
    });
    fitting.chain(['…']).collect()
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
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(cut("/coupons", 8), "/coupons");
        assert_eq!(cut("/coupons/issue", 8), "/coupon…");
        assert_eq!(cut("쿠폰발급", 6), "쿠폰…");
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        assert_eq!(plain("a\u{1b}[2Jb\nc\u{202e}d 쿠폰"), "a\\u{1b}[2Jb\\nc\\u{202e}d 쿠폰");
    }

    #[test]
    fn colour_only_when_asked() {
        assert_eq!(Paint(false).with(Style::Red, "x"), "x");
        assert_eq!(Paint(true).with(Style::Red, "x"), "\u{1b}[31mx\u{1b}[0m");
    }
}
