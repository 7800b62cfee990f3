//! The `tracestate` header: the grammar of Trace Context Level 2 ("Tracestate Header"), and what the
//! API's type cannot hold of it.

use opentelemetry::trace::TraceState;

use super::trim_ows;

/// "There can be a maximum of 32 list-members in a list."
const MAX_MEMBERS: usize = 32;

/// "Key" and "Value" of the specification, in bytes.
const MAX_KEY: usize = 256;
const MAX_VALUE: usize = 256;

/// 32 members of full length and the commas between them. No legal list needs more, unless it is
/// padded with spaces: what is longer is discarded unread.
const MAX_BYTES: usize = MAX_MEMBERS * (MAX_KEY + 1 + MAX_VALUE) + MAX_MEMBERS - 1;

/// A list with members that the API's type refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Raw {
    /// The whole list, without padding and empty members.
    text: String,
    /// What the type could hold of it: the state of a span that did not change it.
    held: TraceState,
}

/// Reads the values of all `tracestate` headers of a message as one list, which the specification
/// asks for. Anything outside the grammar, or a thirty-third member, discards the whole list.
///
/// The state is what the API's type can hold; where that is not all, the list itself comes with it.
/// Repeated keys are kept as they came: a participant that does not own them must not judge.
pub(super) fn parse<'a>(headers: impl Iterator<Item = &'a str> + Clone) -> (TraceState, Option<Raw>) {
    parse_strictly(headers).unwrap_or_default()
}

fn parse_strictly<'a>(headers: impl Iterator<Item = &'a str> + Clone) -> Option<(TraceState, Option<Raw>)> {
    let lengths = headers.clone().map(str::len);
    if lengths.fold(0, usize::saturating_add) > MAX_BYTES {
        return None;
    }
    // Empty members are legal and mean nothing: a sender that joins headers makes them.
    let members =
        headers.flat_map(|header| header.split(',')).map(trim_ows).filter(|member| !member.is_empty()).map(member);
    let mut count = 0;
    for member in members.clone() {
        member?;
        count += 1;
    }
    if count > MAX_MEMBERS {
        return None;
    }
    let members = members.flatten();
    if let Ok(state) = TraceState::from_key_value(members.clone()) {
        return Some((state, None));
    }
    let text = join(members.clone());
    let held = members.filter(|member| !is_refused(*member));
    let held = TraceState::from_key_value(held).unwrap_or_default();
    Some((held.clone(), Some(Raw { text, held })))
}

/// The header for a span whose own state is `own`, where the message it comes from said `raw`.
///
/// An unchanged state is written back as it came. A changed one stands first ("Mutating the tracestate
/// Field"), and the members that it cannot hold follow: they are other participants', not ours to drop.
pub(super) fn format(own: &TraceState, raw: Option<&Raw>) -> Option<String> {
    let header = match raw {
        None => own.header(),
        Some(raw) if raw.held == *own => raw.text.clone(),
        Some(raw) => {
            let members = raw.text.split(',').filter_map(member);
            let refused = members.filter(|member| is_refused(*member));
            join(own.into_iter().chain(refused).take(MAX_MEMBERS))
        }
    };
    // "Vendors MUST accept empty tracestate headers but SHOULD avoid sending them."
    (!header.is_empty()).then_some(header)
}

/// Whether the API's type refuses a member that is legal: it still has Level 1's rules for `@`.
fn is_refused(member: (&str, &str)) -> bool {
    TraceState::from_key_value([member]).is_err()
}

fn join<'a>(members: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut header = String::new();
    for (key, value) in members {
        if !header.is_empty() {
            header.push(',');
        }
        header.push_str(key);
        header.push('=');
        header.push_str(value);
    }
    header
}

/// Splits a trimmed list member at its `=`, if both halves are legal. A second `=` is not, since it
/// may not be part of a value.
fn member(text: &str) -> Option<(&str, &str)> {
    let (key, value) = text.split_once('=')?;
    (is_key(key.as_bytes()) && is_value(value.as_bytes())).then_some((key, value))
}

/// "Key": `( lcalpha / DIGIT ) 0*255( lcalpha / DIGIT / "_" / "-" / "*" / "/" / "@" )`.
fn is_key(key: &[u8]) -> bool {
    let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    key.len() <= MAX_KEY
        && key.first().is_some_and(alphanumeric)
        && key.iter().all(|byte| alphanumeric(byte) || b"_-*/@".contains(byte))
}

/// "Value": `0*255(chr) nblk-chr`, printable ASCII without `,` and `=`, and no space at the end.
fn is_value(value: &[u8]) -> bool {
    value.len() <= MAX_VALUE
        && value.last().is_some_and(|&last| last != b' ')
        && value.iter().all(|byte| matches!(byte, 0x20..=0x7e if !b",=".contains(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse_all(headers: &[&str]) -> (TraceState, Option<Raw>) {
        parse(headers.iter().copied())
    }

    /// What would be written for a span that left the state alone.
    fn through(headers: &[&str]) -> Option<String> {
        let (state, raw) = parse_all(headers);
        format(&state, raw.as_ref())
    }

    #[test]
    fn members_that_the_api_refuses_ride_beside_those_it_holds() {
        let (state, raw) = parse_all(&["ot=th:8 , foo@@bar=1,x@y=2"]);
        assert_eq!(state.header(), "ot=th:8,x@y=2");
        assert_eq!(raw.unwrap().text, "ot=th:8,foo@@bar=1,x@y=2");
    }

    #[test]
    fn a_span_that_changed_its_state_keeps_what_it_could_not_hold() {
        let (state, raw) = parse_all(&["foo@@bar=1,a=1"]);
        let own = state.insert("ours", "2").unwrap();
        let header = format(&own, raw.as_ref());
        assert_eq!(header.as_deref(), Some("ours=2,a=1,foo@@bar=1"));
    }

    #[test]
    fn a_changed_state_never_grows_beyond_32_members() {
        let list = (0..32).map(|i| format!("k@@{i}=1")).collect::<Vec<_>>();
        let (state, raw) = parse_all(&[&list.join(",")]);
        let own = state.insert("ours", "2").unwrap();
        let header = format(&own, raw.as_ref()).unwrap();
        assert!(header.starts_with("ours=2,k@@0=1,"), "{header}");
        assert_eq!(header.split(',').count(), 32, "{header}");
    }

    #[test]
    fn a_list_is_bounded_before_it_is_read() {
        let padding = " ".repeat(MAX_BYTES - "foo=1".len());
        assert_eq!(through(&["foo=1", &padding]).as_deref(), Some("foo=1"));
        assert_eq!(through(&["foo=1", &padding, " "]), None);
    }

    /// `is_refused` and the reason for it: should the API's type learn Level 2, the raw text can go.
    #[test]
    fn what_the_api_refuses_is_named() {
        let long = format!("{}@{}=1", "t".repeat(241), "v".repeat(14));
        for legal in ["foo@@bar=1", "foo@bar@baz=1", "foo@_bar=1", &long] {
            assert!(is_refused(member(legal).unwrap()), "{legal}");
            assert_eq!(through(&[legal]).as_deref(), Some(legal));
        }
        for held in ["foo@=1", "foo@bar=1", "1=1", "a= b"] {
            assert!(!is_refused(member(held).unwrap()), "{held}");
        }
    }

    proptest! {
        #[test]
        fn random_text_never_panics(headers in proptest::collection::vec("\\PC{0,80}", 0..4)) {
            parse(headers.iter().map(String::as_str));
        }

        /// The list comes back member by member, or not at all.
        #[test]
        fn a_list_passes_whole_or_not_at_all(
            list in proptest::collection::vec("[ \t]?[a-z0-9@A][a-z@_*/-]{0,3}=[ -~]{0,4}[ \t]?", 0..40),
        ) {
            let members = list.iter().flat_map(|member| member.split(','));
            let trimmed = members.map(trim_ows).filter(|member| !member.is_empty());
            let expected = trimmed.collect::<Vec<_>>().join(",");
            if let Some(header) = through(&[&list.join(",")]) {
                prop_assert_eq!(header, expected);
            }
        }
    }
}
