//! The `traceparent` header, on bytes and without allocating.

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// `00-{32}-{16}-{2}`: the whole of a version 00 header, and the start of every later version's.
const LEN: usize = 55;

/// Later versions may append fields, but nobody needs this many: what is longer is not read.
const MAX_LEN: usize = 512;

/// Trace Context Level 2, "Random Trace ID Flag": the trace id's last seven bytes are random.
pub(super) const RANDOM: TraceFlags = TraceFlags::new(0x02);

/// The flags that Level 2 defines, `sampled` and `random`.
const KNOWN_FLAGS: u8 = 0x03;

/// Writes a span context as a version 00 `traceparent`, without allocating.
///
/// Flags other than `sampled` and `random` are left out: the specification reserves them and
/// wants zeros ("Other Flags"), and Go's implementation refuses the whole header otherwise.
/// An invalid context gives a header that every reader refuses: ask
/// [`is_valid`](SpanContext::is_valid) first.
///
/// # Example
///
/// ```
/// use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
/// use traced_envelope::propagation::format_traceparent;
///
/// let context = SpanContext::new(
///     TraceId::from(0x0af7651916cd43dd8448eb211c80319c),
///     SpanId::from(0xb7ad6b7169203331),
///     TraceFlags::SAMPLED,
///     false,
///     TraceState::NONE,
/// );
///
/// assert_eq!(
///     &format_traceparent(&context),
///     b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
/// );
/// ```
#[must_use]
pub fn format_traceparent(context: &SpanContext) -> [u8; LEN] {
    format(context, context.trace_flags())
}

/// [`format_traceparent`], with flags that the context has lost.
pub(super) fn format(context: &SpanContext, flags: TraceFlags) -> [u8; LEN] {
    let mut header = *b"00-00000000000000000000000000000000-0000000000000000-00";
    encode(&context.trace_id().to_bytes(), &mut header[3..35]);
    encode(&context.span_id().to_bytes(), &mut header[36..52]);
    // Two bits make one decimal digit.
    header[54] += flags.to_u8() & KNOWN_FLAGS;
    header
}

/// Reads a `traceparent`, without allocating; `None` unless Trace Context Level 2 accepts it.
///
/// Strict where the specification is: lowercase hexadecimal digits only, every field of its exact
/// length, no zero id, no version `ff`, nothing behind a version 00 header. A later version may be
/// followed by `-` and more, which is ignored ("Versioning of traceparent"). Spaces and tabs around the
/// header are trimmed.
///
/// The result is remote, keeps the flags `sampled` and `random`, and has an empty trace state.
///
/// # Example
///
/// ```
/// use traced_envelope::propagation::parse_traceparent;
///
/// let header = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03";
/// let context = parse_traceparent(header).unwrap();
/// assert!(context.is_remote() && context.is_sampled());
/// assert_eq!(context.trace_flags().to_u8(), 0x03);
/// ```
///
/// # Example: what is refused
///
/// ```
/// use traced_envelope::propagation::parse_traceparent;
///
/// // Upper case, a short id, a tail behind version 00, and a trace id of zeros.
/// for header in [
///     "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
///     "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
///     "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
///     "00-00000000000000000000000000000000-b7ad6b7169203331-01",
/// ] {
///     assert!(parse_traceparent(header.as_bytes()).is_none(), "{header}");
/// }
/// ```
#[must_use]
pub fn parse_traceparent(header: &[u8]) -> Option<SpanContext> {
    if header.len() > MAX_LEN {
        return None;
    }
    let (head, rest) = trim_ows(header).split_first_chunk::<LEN>()?;
    if [head[2], head[35], head[52]] != *b"---" {
        return None;
    }
    let [version, flags] = match [head[0], head[1], head[53], head[54]] {
        // Nearly every header, whose four digits need no decoding.
        [b'0', b'0', b'0', flags @ b'0'..=b'3'] => [0, flags - b'0'],
        digits => decode(&digits)?,
    };
    let may_end_here = match version {
        0x00 => rest.is_empty(),
        0xff => false,
        _ => rest.first().is_none_or(|&next| next == b'-'),
    };
    if !may_end_here {
        return None;
    }
    // Both ids in one go: three whole vectors take less than two and a half.
    let mut digits = [0; 48];
    digits[..32].copy_from_slice(&head[3..35]);
    digits[32..].copy_from_slice(&head[36..52]);
    let ids: [u8; 24] = decode(&digits)?;
    let (trace_id, span_id) = (TraceId::from_bytes(*ids.first_chunk()?), SpanId::from_bytes(*ids.last_chunk()?));
    let flags = TraceFlags::new(flags & KNOWN_FLAGS);
    let context = SpanContext::new(trace_id, span_id, flags, true, TraceState::NONE);
    context.is_valid().then_some(context)
}

/// Trims optional whitespace: spaces and tabs, which HTTP allows around a field's value.
fn trim_ows(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

fn encode(bytes: &[u8], hex: &mut [u8]) {
    for (word, text) in bytes.as_chunks().0.iter().zip(hex.as_chunks_mut().0) {
        *text = digits(u32::from_be_bytes(*word));
    }
}

/// Eight hexadecimal digits at once, each in its byte of one register: a third faster than digit by
/// digit, and every message that is sent pays for it.
#[inline]
const fn digits(word: u32) -> [u8; 8] {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let nibbles = word as u64;
    let nibbles = (nibbles | nibbles << 16) & 0x0000_ffff_0000_ffff;
    let nibbles = (nibbles | nibbles << 8) & 0x00ff_00ff_00ff_00ff;
    let nibbles = (nibbles | nibbles << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // One in the bytes that become letters, 10 to 15, which adding 6 carries beyond the nibble.
    let letters = (nibbles + 6 * ONES) >> 4 & ONES;
    (nibbles + b'0' as u64 * ONES + (b'a' - b'0' - 10) as u64 * letters).to_be_bytes()
}

/// Half as many bytes as digits. Both loops do the same to each byte and decide nothing, so that the compiler does sixteen at once.
#[inline]
fn decode<const DIGITS: usize, const BYTES: usize>(hex: &[u8; DIGITS]) -> Option<[u8; BYTES]> {
    let (mut nibbles, mut wrong) = ([0; DIGITS], 0);
    for (nibble, digit) in nibbles.iter_mut().zip(hex) {
        let (decimal, letter) = (digit.wrapping_sub(b'0'), digit.wrapping_sub(b'a'));
        wrong |= u8::from(decimal >= 10) & u8::from(letter >= 6);
        *nibble = if decimal < 10 { decimal } else { letter.wrapping_add(10) };
    }
    let mut bytes = [0; BYTES];
    for (byte, [high, low]) in bytes.iter_mut().zip(nibbles.as_chunks().0) {
        *byte = high << 4 | low;
    }
    (wrong == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn context(trace_id: u128, span_id: u64, flags: u8) -> SpanContext {
        SpanContext::new(TraceId::from(trace_id), SpanId::from(span_id), TraceFlags::new(flags), true, TraceState::NONE)
    }

    #[test]
    fn every_byte_but_the_sixteen_digits_is_refused_at_every_place() {
        let good = format_traceparent(&context(0x0123_4567_89ab_cdef, 0xfedc_ba98, 0x03));
        for place in 0..LEN {
            for byte in 0..=u8::MAX {
                let mut header = good;
                header[place] = byte;
                let separator = matches!(place, 2 | 35 | 52);
                let accepted =
                    if separator { byte == b'-' } else { byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte) };
                assert_eq!(parse_traceparent(&header).is_some(), accepted, "{:?}", header.escape_ascii().to_string());
            }
        }
    }

    #[test]
    fn only_the_two_flags_of_level_2_are_written_and_read() {
        for flags in 0..=u8::MAX {
            let header = format_traceparent(&context(1, 1, flags));
            let known = flags & 0x03;
            assert_eq!(header[53..], *format!("{known:02x}").as_bytes());
            let mut header = header;
            header[53..].copy_from_slice(format!("{flags:02x}").as_bytes());
            let read = parse_traceparent(&header).unwrap();
            assert_eq!(read.trace_flags().to_u8(), known, "read {flags:02x}");
        }
    }

    #[test]
    fn the_tail_of_a_later_version_is_bounded() {
        let header = |len: usize| {
            let mut header = b"cc-12345678901234567890123456789012-1234567890123456-01-".to_vec();
            header.resize(len, b'x');
            header
        };
        assert!(parse_traceparent(&header(MAX_LEN)).is_some());
        assert!(parse_traceparent(&header(MAX_LEN + 1)).is_none());
    }

    proptest! {
        #[test]
        fn what_is_formatted_is_read_back(
            trace_id in 1..=u128::MAX,
            span_id in 1..=u64::MAX,
            flags in 0..=0x03_u8,
        ) {
            let context = context(trace_id, span_id, flags);
            let header = format_traceparent(&context);
            prop_assert_eq!(
                String::from_utf8_lossy(&header),
                format!("00-{trace_id:032x}-{span_id:016x}-{flags:02x}")
            );
            prop_assert_eq!(parse_traceparent(&header), Some(context));
        }

        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = parse_traceparent(&bytes);
        }

        /// Nearly right headers reach deeper than random bytes do.
        #[test]
        fn whatever_is_accepted_is_what_the_header_says(
            header in "[ \t]{0,2}[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.{0,9})?[ \t]{0,2}",
        ) {
            if let Some(context) = parse_traceparent(header.as_bytes()) {
                let text = header.trim_matches([' ', '\t']);
                prop_assert_eq!(&text[3..35], context.trace_id().to_string());
                prop_assert_eq!(&text[36..52], context.span_id().to_string());
                prop_assert!(context.is_valid() && context.is_remote());
            }
        }
    }
}
