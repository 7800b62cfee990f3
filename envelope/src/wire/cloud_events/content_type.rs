//! What a media type says about how `data` is written (CloudEvents JSON format 1.0.2, 3.1).

/// "Its media type, when stripped of parameters, has the form `*/json` or `*/*+json`."
pub(super) fn is_json(content_type: &str) -> bool {
    let subtype = essence(content_type).split_once('/').map_or("", |(_, subtype)| subtype);
    ends_with(subtype, "+json") || subtype.eq_ignore_ascii_case("json")
}

/// Whether it is for people to read, so that a string shows it better than Base64.
pub(super) fn is_text(content_type: &str) -> bool {
    let (kind, _) = essence(content_type).split_once('/').unwrap_or_default();
    kind.eq_ignore_ascii_case("text")
}

fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim_ascii()
}

fn ends_with(text: &str, end: &str) -> bool {
    text.len()
        .checked_sub(end.len())
        .and_then(|start| text.get(start..))
        .is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_are_told_apart_by_their_subtype() {
        for (content_type, json, text) in [
            ("application/json", true, false),
            ("Application/JSON; charset=utf-8", true, false),
            ("application/vnd.shop.order+json", true, false),
            ("text/json", true, true),
            ("text/plain", false, true),
            (" text/html ;q=1", false, true),
            ("application/jsonl", false, false),
            ("application/octet-stream", false, false),
            ("json", false, false),
            ("", false, false),
            ("ü/+jsö", false, false),
        ] {
            assert_eq!((is_json(content_type), is_text(content_type)), (json, text), "{content_type}");
        }
    }
}
