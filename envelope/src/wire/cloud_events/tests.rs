use super::*;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const PREFIX: &str = r#""specversion":"1.0","id":"1","source":"/shop","type":"message""#;

fn headers() -> MessageHeaders {
    [("traceparent", PARENT), ("tracestate", "a=1"), ("baggage", "b=2"), ("x-b3-traceid", "3"), ("subject", "4")]
        .into_iter()
        .collect()
}

/// The payload, and the headers as text.
fn opened(event: &str) -> Option<(Vec<u8>, String)> {
    let (headers, payload) = read(event.as_bytes())?;
    let headers = headers.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
    Some((payload.into_owned(), headers.join(" ")))
}

#[test]
fn events_are_written_to_the_byte() {
    let event = CloudEvents::new("/shop").event_type("com.example.created");
    let written = event.write_as("7-0", &headers(), b"\x00\xffpay");
    let golden = r#"{"specversion":"1.0","id":"7-0","source":"/shop","type":"com.example.created","datacontenttype":"application/octet-stream","traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","tracestate":"a=1","baggage":"b=2","data_base64":"AP9wYXk="}"#;
    assert_eq!(String::from_utf8(written.clone()).unwrap(), golden);
    assert_eq!(written.capacity(), written.len());
    assert_eq!(
        opened(golden),
        Some((b"\x00\xffpay".to_vec(), format!("traceparent={PARENT} tracestate=a=1 baggage=b=2")))
    );
}

#[test]
fn the_content_type_decides_how_data_is_written_and_every_way_is_read_back() {
    for (content_type, payload, data) in [
        ("application/json", r#"{"id": 4.20}"#, r#""data":{"id": 4.20}}"#),
        ("application/json", r#""text""#, r#""data":"text"}"#),
        ("application/json", "null", r#""data":null}"#),
        ("application/json", " 1 ", r#""data_base64":"IDEg"}"#),
        ("application/json", "no JSON", r#""data_base64":"bm8gSlNPTg=="}"#),
        ("text/plain", "a \"b\"\n", r#""data":"a \"b\"\n"}"#),
        ("text/plain", "", r#""data":""}"#),
        ("image/png", "1", r#""data_base64":"MQ=="}"#),
        ("", "", r#""data_base64":""}"#),
    ] {
        let event = CloudEvents::new("").event_type("").content_type(content_type);
        let written = String::from_utf8(event.write(&MessageHeaders::new(), payload.as_bytes())).unwrap();
        assert!(written.ends_with(data), "{written}");
        assert_eq!(opened(&written), Some((payload.as_bytes().to_vec(), String::new())), "{written}");
    }
}

/// As Go's `json.Marshal` writes a map, sorted by key.
#[test]
fn what_dapr_publishes_is_read() {
    let dapr = |data: &str, content_type: &str, parent: &str| {
        format!(
            r#"{{"data":{data},"datacontenttype":"{content_type}","id":"5929aaac-a5e2-4ca1-859c-edfe73f11565","pubsubname":"pubsub","source":"checkout","specversion":"1.0","topic":"orders","traceid":"{parent}","traceparent":"{parent}","tracestate":"","type":"com.dapr.event.sent"}}"#
        )
    };
    let rest = "pubsubname=pubsub topic=orders";
    let json = dapr(r#"{"orderId":1}"#, "application/json", PARENT);
    assert_eq!(opened(&json), Some((br#"{"orderId":1}"#.to_vec(), format!("{rest} traceparent={PARENT}"))));
    let untraced = dapr(r#""hello""#, "text/plain", "");
    assert_eq!(opened(&untraced), Some((b"hello".to_vec(), rest.to_owned())));
}

#[test]
fn the_old_member_is_a_context_where_there_is_no_other() {
    let event = |members: &str| opened(&format!(r#"{{{PREFIX},{members},"data":1}}"#)).map(|(_, headers)| headers);
    let parent = Some(format!("traceparent={PARENT}"));
    assert_eq!(event(&format!(r#""traceid":"{PARENT}""#)), parent);
    assert_eq!(event(&format!(r#""traceid":"{PARENT}","traceparent":"""#)), parent);
    assert_eq!(event(&format!(r#""traceid":"other","traceparent":"{PARENT}""#)), parent);
    assert_eq!(event(r#""traceid":null,"traceparent":null"#), Some(String::new()));
}

#[test]
fn data_is_handed_over_as_its_type_says() {
    for (members, payload) in [
        (r#""data": {"a": [1] } "#, r#"{"a": [1] }"#),
        (r#""data":"text""#, r#""text""#),
        (r#""data":null"#, "null"),
        (r#""data":"t\u00e9xt","datacontenttype":"text/plain""#, "téxt"),
        (r#""data":{"a":1},"datacontenttype":"text/plain""#, r#"{"a":1}"#),
        (r#""data":"x","datacontenttype":null"#, r#""x""#),
        (r#""data_base64":"aGVsbG8=","datacontenttype":"text/plain""#, "hello"),
        (r#""data_base64":"aGVsbG8""#, "hello"),
        (r#""data_base64":null"#, ""),
        (r#""subject":"none""#, ""),
    ] {
        let event = format!("{{{PREFIX},{members}}}");
        assert_eq!(opened(&event), Some((payload.as_bytes().to_vec(), String::new())), "{event}");
    }
}

#[test]
fn what_is_no_event_is_a_payload() {
    for event in [
        "",
        "{}",
        "[]",
        r#"{"specversion":"1.0","id":"1","source":"/shop","data":1}"#,
        r#"{"specversion":"0.3","id":"1","source":"/shop","type":"t","data":1}"#,
        r#"{"specversion":1.0,"id":"1","source":"/shop","type":"t","data":1}"#,
        r#"{"specversion":"1.0","id":"","source":"/shop","type":"t","data":1}"#,
        r#"{"specversion":"1.0","id":null,"source":"/shop","type":"t","data":1}"#,
        r#"{"specversion":"1.0","id":1,"source":"/shop","type":"t","data":1}"#,
    ] {
        assert_eq!(opened(event), None, "{event}");
    }
    for members in [
        r#""data":1,"data":2"#,
        r#""data":1,"data_base64":"AA==""#,
        r#""data_base64":"*""#,
        r#""data_base64":1"#,
        r#""id":"2""#,
        r#""traceparent":"a","traceparent":"b""#,
        r#""data":"\ud800","datacontenttype":"text/plain""#,
        r#""data":1} {"#,
    ] {
        let event = format!("{{{PREFIX},{members}}}");
        assert_eq!(opened(&event), None, "{event}");
    }
}

#[test]
fn attributes_that_cannot_be_headers_or_are_too_many_are_left_out() {
    let members = (0..100).map(|number| format!(r#""a{number}":"1""#)).collect::<Vec<_>>().join(",");
    let (_, headers) = opened(&format!(r#"{{{PREFIX},"n":1,"b":true,"Upper":"x",{members}}}"#)).unwrap();
    assert_eq!(headers.split(' ').count(), 64);
    assert!(headers.starts_with("a0=1 "));
    let huge = "v".repeat(super::super::json_text::LONGEST);
    let (_, headers) = opened(&format!(r#"{{{PREFIX},"huge":"{huge}","small":"1"}}"#)).unwrap();
    assert_eq!(headers, "small=1");
}
