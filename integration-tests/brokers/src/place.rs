//! `host[:port]`: the part of an address that says where, and may be printed.

/// A host, in brackets where it is an IPv6 address, and its port; `None` where it is neither.
pub(crate) fn split_place(place: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match place.rfind(':') {
        Some(colon) if !place.ends_with(']') => (place.get(..colon)?, Some(place.get(colon + 1..)?.parse().ok()?)),
        _ => (place, None),
    };
    let inner = host.strip_prefix('[').map_or(Some(host), |rest| rest.strip_suffix(']'))?;
    let bracketed = inner.len() != host.len();
    let fits = |character: char| {
        character.is_ascii_alphanumeric() || "-._%".contains(character) || (bracketed && character == ':')
    };
    (!inner.is_empty() && inner.chars().all(fits) && port != Some(0)).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_host_with_or_without_a_port() {
        for (place, split) in [
            ("there", Some(("there", None))),
            ("there:1", Some(("there", Some(1)))),
            ("127.0.0.1:9092", Some(("127.0.0.1", Some(9092)))),
            ("[::1]:1", Some(("[::1]", Some(1)))),
            ("[::1]", Some(("[::1]", None))),
            ("", None),
            (":1", None),
            ("[]:1", None),
            ("[::1", None),
            ("::1", None),
            ("there:", None),
            ("there:0", None),
            ("there:65536", None),
            ("the re", None),
            ("a/b", None),
        ] {
            assert_eq!(split_place(place), split, "{place:?}");
        }
    }
}
