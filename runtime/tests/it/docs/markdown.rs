//! The blocks of code in a Markdown text.

/// A block with what stands behind its opening fence.
#[derive(Debug)]
pub(super) struct Block {
    /// Such as `console` or `rust,no_run`; `indented` for a block without fences.
    pub(super) info: String,
    pub(super) text: String,
    /// The number of its first line, from 1.
    pub(super) line: usize,
}

impl Block {
    /// The first word of the info string: the language.
    pub(super) fn language(&self) -> &str {
        self.info.split(',').next().unwrap_or_default()
    }
}

/// All blocks, in their order.
pub(super) fn blocks(markdown: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    let mut in_list = false;
    let mut after_blank = true;
    for (number, line) in markdown.lines().enumerate() {
        if let Some(block) = &mut open {
            if line.trim_end() == "```" {
                blocks.extend(open.take());
            } else {
                block.text.push_str(line);
                block.text.push('\n');
            }
            continue;
        }
        if let Some(info) = line.trim_start().strip_prefix("```") {
            open = Some(Block { info: info.trim().to_owned(), text: String::new(), line: number + 2 });
        } else if line.starts_with("    ") && after_blank && !in_list {
            blocks.push(Block { info: "indented".to_owned(), text: line.to_owned(), line: number + 1 });
        } else if !line.is_empty() && !line.starts_with(' ') {
            in_list =
                line.starts_with("* ") || line.starts_with("- ") || line.starts_with(|c: char| c.is_ascii_digit());
        }
        after_blank = line.is_empty();
    }
    assert!(open.is_none(), "the last block has no end");
    blocks
}

#[test]
fn fenced_and_indented_blocks_are_found() {
    let found =
        blocks("a\n\n```rust,no_run\nlet x;\n```\n\n    indented\n\n* item\n\n    of the item\n\n```\nbare\n```\n");
    let found: Vec<_> = found.iter().map(|block| (block.info.as_str(), block.line)).collect();
    assert_eq!(found, [("rust,no_run", 4), ("indented", 7), ("", 14)]);
}
