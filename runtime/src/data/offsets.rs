//! Where rows begin, in as few bytes as the file's length allows.

/// Positions in a text, in the order of the rows.
#[derive(Debug)]
pub(super) enum Offsets {
    /// In a text of up to 4 GiB.
    Narrow(Vec<u32>),
    /// In a longer one.
    Wide(Vec<u64>),
}

impl Offsets {
    /// For positions in a text of this length.
    pub(super) fn for_text_of(bytes: usize) -> Self {
        if u32::try_from(bytes).is_ok() { Self::Narrow(Vec::new()) } else { Self::Wide(Vec::new()) }
    }

    pub(super) fn push(&mut self, position: usize) {
        match self {
            // No position is beyond the text's end.
            Self::Narrow(positions) => positions.push(u32::try_from(position).unwrap_or(u32::MAX)),
            Self::Wide(positions) => positions.push(position as u64),
        }
    }

    /// Gives back what growing took too much.
    pub(super) fn finished(mut self) -> Self {
        match &mut self {
            Self::Narrow(positions) => positions.shrink_to_fit(),
            Self::Wide(positions) => positions.shrink_to_fit(),
        }
        self
    }

    pub(super) fn get(&self, row: usize) -> Option<usize> {
        match self {
            Self::Narrow(positions) => positions.get(row).map(|position| *position as usize),
            Self::Wide(positions) => positions.get(row).and_then(|position| usize::try_from(*position).ok()),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Narrow(positions) => positions.len(),
            Self::Wide(positions) => positions.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Narrow(positions) => size_of_val(positions.as_slice()),
            Self::Wide(positions) => size_of_val(positions.as_slice()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_takes_four_bytes_and_eight_beyond_four_gibibytes() {
        let of = |bytes: usize, positions: &[usize]| {
            let mut offsets = Offsets::for_text_of(bytes);
            positions.iter().for_each(|position| offsets.push(*position));
            offsets.finished()
        };
        let (narrow, wide) = (of(u32::MAX as usize, &[0, 7]), of(1 << 33, &[0, 7, 1 << 32]));
        assert_eq!((narrow.bytes(), narrow.get(1), narrow.get(2)), (8, Some(7), None));
        assert_eq!((wide.bytes(), wide.get(2), wide.get(3)), (24, Some(1 << 32), None));
    }
}
