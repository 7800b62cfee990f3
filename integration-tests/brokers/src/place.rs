//! `host[:port]`: the part of an address that says where, and may be printed.

/// The place in `scheme://[user[:password]@]host[:port][/path][?parameters]`, with the scheme's port where there is none; `None`
/// where it is malformed or of another scheme.
pub(crate) fn place_of_url(url: &str, schemes: &[(&str, u16)]) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let (_, default_port) = schemes.iter().find(|(name, _)| *name == scheme)?;
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    let (host, port) = split_place(place)?;
    Some(format!("{host}:{}", port.unwrap_or(*default_port)))
}

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

    const SCHEMES: [(&str, u16); 2] = [("amqp", 5672), ("amqps", 5671)];

    #[test]
    fn what_is_printed_of_a_url_is_its_host_and_port() {
        for (url, printed) in [
            ("amqp://me:secret@there:1234/%2f", "there:1234"),
            ("amqp://me:s@cret@there/%2f?heartbeat=1", "there:5672"),
            ("amqp://:secret@there", "there:5672"),
            ("amqp://[::1]:5673", "[::1]:5673"),
            ("amqp://[::1]/", "[::1]:5672"),
            ("amqps://there", "there:5671"),
        ] {
            assert_eq!(place_of_url(url, &SCHEMES).as_deref(), Some(printed), "{url}");
        }
    }

    #[test]
    fn what_is_no_url_of_the_scheme_is_malformed() {
        for url in ["there", "there:5672", "http://there", "amqp://", "amqp://me@/", "amqp://there:port", "amqp://a b"]
        {
            assert_eq!(place_of_url(url, &SCHEMES), None, "{url}");
        }
    }

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
