use super::*;
use proptest::prelude::*;

const ALL: BaggagePolicy = BaggagePolicy::all();

fn read(headers: &[&str], policy: &BaggagePolicy) -> Baggage {
    parse(headers.iter().copied(), policy).unwrap_or_default()
}

fn value(header: &str, key: &str) -> Option<String> {
    read(&[header], &ALL).get(key).map(ToString::to_string)
}

fn written(members: &[(&'static str, &str, &str)]) -> Option<String> {
    let mut baggage = Baggage::new();
    for (key, value, metadata) in members {
        baggage.insert_with_metadata(*key, (*value).to_owned(), *metadata);
    }
    format(&baggage, &ALL)
}

#[test]
fn the_header_has_these_bytes() {
    for (members, expected) in [
        (&[("k", "a b+c=1 ü%", "")][..], "k=a%20b%2Bc%3D1%20%C3%BC%25"),
        (&[("z", "1", ""), ("a", "2", ""), ("M", "3", "")], "M=3,a=2,z=1"),
        (&[("k", "", "")], "k="),
        (&[("k", "-._~", "")], "k=-._~"),
        (&[("k", "v", "p1; p2 = x")], "k=v;p1;p2=x"),
        (&[("k", "v", ";;")], "k=v"),
        // An application's metadata cannot smuggle a member in, nor leave ASCII.
        (&[("k", "v", "p=1,evil=1\n\"é")], "k=v;p=1%2Cevil=1%0A%22%C3%A9"),
        (&[("k%41*", "v", "")], "k%41*=v"),
    ] {
        assert_eq!(written(members).as_deref(), Some(expected), "{members:?}");
    }
    assert_eq!(written(&[]), None);
}

#[test]
fn a_value_is_read_as_it_was_meant() {
    for (header, expected) in [
        ("k=a b+c=1 ü%", Some("a b+c=1 ü%")),
        ("k=a%20b%2Bc%3D1%20%C3%BC%25", Some("a b+c=1 ü%")),
        ("k=%", Some("%")),
        ("k=%4", Some("%4")),
        ("k=%zz%4g%+1%41", Some("%zz%4g%+1A")),
        ("k=%c3%bc", Some("ü")),
        // Go's plus, Python's space, and the one case in which the value tells which it is.
        ("k=a+b", Some("a+b")),
        ("k=a+b%3D", Some("a+b=")),
        ("k=a+b%2Bc%3D1+%C3%BC%25", Some("a b+c=1 ü%")),
        ("k=a+%2b", Some("a +")),
        ("k=%FF%C3", Some("\u{fffd}\u{fffd}")),
        ("k= %20a%20 ", Some(" a ")),
        ("k=", Some("")),
        ("k==", Some("=")),
        ("k", None),
        ("=v", None),
        ("k k=v", None),
        ("kü=v", None),
        ("k;p=v", None),
        (",,k=1,,", Some("1")),
        ("k=1,k=2", Some("2")),
        ("bad,k=1", Some("1")),
    ] {
        assert_eq!(value(header, "k").as_deref(), expected, "{header}");
    }
}

#[test]
fn properties_are_trimmed_and_not_decoded() {
    let baggage = read(&["k=v ; p%20 ;; q \t=\t 1 ;=;"], &ALL);
    let (_, metadata) = baggage.get_with_metadata("k").unwrap();
    assert_eq!(metadata.as_str(), "p%20;q=1;=");
}

#[test]
fn headers_are_one_list_within_8192_bytes() {
    let long = format!("long={}", "x".repeat(8192 - "a=1,long=".len()));
    for (headers, expected) in [
        (&["a=1", &long][..], 2),
        (&["a=1", &long, "b=2"], 2),
        // One byte too many: the member is left out whole, and with it what follows.
        (&["ab=1", &long, "b=2"], 1),
        (&["a=1 ", &long], 1),
        (&[&long, "a=1"], 2),
    ] {
        assert_eq!(read(headers, &ALL).len(), expected, "{headers:.20?}");
    }
}

#[test]
fn the_65th_member_is_left_out() {
    let list = (0..70).map(|i| format!("key{i}=value")).collect::<Vec<_>>();
    let baggage = read(&[&list.join(",")], &ALL);
    assert_eq!(baggage.len(), 64);
    assert!(baggage.get("key63").is_some() && baggage.get("key64").is_none());
    let again = format!("{},key5=again", list.join(","));
    assert_eq!(value(&again, "key5").as_deref(), Some("again"));
}

#[test]
fn the_policy_decides_what_is_read_and_written() {
    let header = "a=1,b=2;p,c=3";
    for (policy, expected) in [
        (BaggagePolicy::all(), Some("a=1,b=2;p,c=3")),
        (BaggagePolicy::only(["b", "x"]), Some("b=2;p")),
        (BaggagePolicy::only(["x"]), None),
        (BaggagePolicy::off(), None),
        (BaggagePolicy::all().max_members(2), Some("a=1,b=2;p")),
        (BaggagePolicy::all().max_bytes(7), Some("a=1,c=3")),
        (BaggagePolicy::only(["c"]).max_bytes(3), Some("c=3")),
    ] {
        let read_by = read(&[header], &policy);
        assert_eq!(format(&read_by, &ALL).as_deref(), expected, "read by {policy:?}");
        let all = read(&[header], &ALL);
        assert_eq!(format(&all, &policy).as_deref(), expected, "written by {policy:?}");
    }
}

#[test]
fn what_grew_in_encoding_beyond_8192_bytes_is_left_out_whole() {
    let mut baggage = Baggage::new();
    baggage.insert("a", "ü".repeat(1300));
    baggage.insert("b", "ü".repeat(100));
    baggage.insert("c", "1");
    let header = format(&baggage, &ALL).unwrap();
    assert!(header.starts_with("a=%C3%BC"), "{header:.20}");
    assert!(header.ends_with(",c=1") && !header.contains(",b="), "{header:.20}");
}

proptest! {
    #[test]
    fn any_text_comes_back_exactly(value in any::<String>(), other in "\\PC{0,50}") {
        let mut baggage = Baggage::new();
        baggage.insert("key", value.clone());
        baggage.insert("other", other.clone());
        let header = format(&baggage, &ALL).unwrap();
        prop_assert!(header.is_ascii());
        prop_assert_eq!(header.capacity(), header.len(), "counted and written alike");
        let read = read(&[&header], &ALL);
        prop_assert_eq!(read.get("key").unwrap().as_str(), value);
        prop_assert_eq!(read.get("other").unwrap().as_str(), other);
    }

    #[test]
    fn metadata_never_changes_the_members(metadata in any::<String>()) {
        let mut baggage = Baggage::new();
        baggage.insert_with_metadata("k", "v", metadata);
        let header = format(&baggage, &ALL).unwrap();
        prop_assert_eq!(header.capacity(), header.len(), "counted and written alike");
        let read = read(&[&header], &ALL);
        prop_assert_eq!(read.len(), 1);
        prop_assert_eq!(read.get("k").unwrap().as_str(), "v");
        // A second hop changes nothing any more.
        prop_assert_eq!(format(&read, &ALL), Some(header));
    }

    /// Every member that was read stands in the text, from comma to comma.
    #[test]
    fn no_text_yields_a_part_of_a_member(
        headers in proptest::collection::vec("([a-c \t%=;,+é\"]|\\PC){0,40}", 0..4),
        max_bytes in 0..60_usize,
    ) {
        let headers = headers.iter().map(String::as_str).collect::<Vec<_>>();
        let policy = BaggagePolicy::all().max_bytes(max_bytes);
        let whole = headers.iter().flat_map(|header| header.split(',')).filter_map(split);
        let whole = whole.map(|(key, value, _)| (key, decode(value))).collect::<Vec<_>>();
        for (key, (value, _)) in &read(&headers, &policy) {
            prop_assert!(whole.contains(&(key.as_str(), value.to_string())), "{key}={value}");
        }
    }
}
