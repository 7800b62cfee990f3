use std::time::Duration;

/// A duration for people: three or four digits and a unit.
pub(super) fn short(duration: Duration) -> String {
    let micros = duration.as_secs_f64() * 1e6;
    if micros < 999.5 {
        format!("{micros:.0} µs")
    } else if micros < 999_950.0 {
        format!("{:.1} ms", micros / 1e3)
    } else if micros < 59_995_000.0 {
        format!("{:.2} s", micros / 1e6)
    } else {
        let seconds = (micros / 1e6).round() as u64;
        format!("{} min {} s", seconds / 60, seconds % 60)
    }
}

/// At most `width` characters, the last of them `…` when there were more.
pub(super) fn truncated(text: &str, width: usize) -> String {
    match text.char_indices().nth(width) {
        None => text.to_owned(),
        Some(_) => text.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        let cases = [
            (0, "0 µs"),
            (812, "812 µs"),
            (48_123, "48.1 ms"),
            (1_250_000, "1.25 s"),
            (59_999_000, "1 min 0 s"),
            (125_000_000, "2 min 5 s"),
        ];
        for (micros, text) in cases {
            assert_eq!(short(Duration::from_micros(micros)), text);
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(truncated("größer", 6), "größer");
        assert_eq!(truncated("größer", 4), "grö…");
    }
}
