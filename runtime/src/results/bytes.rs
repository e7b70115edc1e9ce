//! Numbers and texts as bytes.

/// Bytes being written.
#[derive(Debug, Default)]
pub(super) struct Encoder(pub(super) Vec<u8>);

impl Encoder {
    pub(super) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    /// LEB128: seven bits at a time, the lowest first; the eighth says whether there are more.
    pub(super) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    pub(super) fn float(&mut self, value: f64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }
}

/// Bytes being read. Nothing is believed of them.
#[derive(Debug)]
pub(super) struct Decoder<'a>(&'a [u8]);

/// What is wrong with a record.
pub(super) type Malformed = std::borrow::Cow<'static, str>;

impl<'a> Decoder<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or("a record ends in the middle of a value")?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn number(&mut self) -> Result<u64, Malformed> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err("a whole number has more than 64 bits".into())
    }

    /// A number of things that take at least a byte each: there cannot be more than bytes left.
    pub(super) fn count(&mut self) -> Result<usize, Malformed> {
        let count = self.number()?;
        usize::try_from(count)
            .ok()
            .filter(|count| *count <= self.0.len())
            .ok_or_else(|| "a list is longer than its record".into())
    }

    pub(super) fn float(&mut self) -> Result<f64, Malformed> {
        let bytes = self.take(size_of::<f64>())?;
        Ok(f64::from_le_bytes(bytes.try_into().map_err(|_| "a number is cut")?))
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Malformed> {
        let length = self.count()?;
        std::str::from_utf8(self.take(length)?).map_err(|_| "a text is not UTF-8".into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_written_is_read(number: u64, value: f64, text in "\\PC*", byte: u8) {
            let mut encoder = Encoder::default();
            encoder.number(number);
            encoder.float(value);
            encoder.text(&text);
            encoder.byte(byte);
            let mut decoder = Decoder::new(&encoder.0);
            prop_assert_eq!(decoder.number(), Ok(number));
            prop_assert_eq!(decoder.float().map(f64::to_bits), Ok(value.to_bits()));
            prop_assert_eq!(decoder.text(), Ok(text.as_str()));
            prop_assert_eq!(decoder.byte(), Ok(byte));
            prop_assert!(decoder.byte().is_err());
        }
    }

    #[test]
    fn whole_numbers_of_more_than_64_bits_are_refused() {
        let most = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(Decoder::new(&most).number(), Ok(u64::MAX));
        let more = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        assert!(Decoder::new(&more).number().is_err());
        assert!(Decoder::new(&[0x80; 20]).number().is_err());
        assert!(Decoder::new(&[0x80]).number().is_err());
    }

    #[test]
    fn a_list_cannot_be_longer_than_its_record() {
        assert!(Decoder::new(&[5, 0, 0]).count().is_err());
        assert_eq!(Decoder::new(&[2, 0, 0]).count(), Ok(2));
    }
}
