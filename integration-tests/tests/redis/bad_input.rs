//! What others publish arrives as it is.

use anyhow::Result;
use redis::AsyncCommands as _;
use traced_redis::{AcceptedForms, TracedConsumer};

use crate::server::{Server, next, processed, unique};

/// Numbers that are the same in each run (Knuth's linear congruential generator).
fn random(count: usize) -> Vec<u8> {
    let mut state = 7_u64;
    let step = |state: &mut u64| {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 56) as u8
    };
    std::iter::repeat_with(|| step(&mut state)).take(count).collect()
}

fn payloads() -> Vec<Vec<u8>> {
    let mut payloads: Vec<Vec<u8>> = [
        // Frames that end too early, or say that they are longer than they are.
        &b"\xF5"[..],
        b"\xF5TRC",
        b"\xF5TRC\x01\x00\x00",
        b"\xF5TRC\x01\x00\x00\x01",
        b"\xF5TRC\x01\x00\xff\xff",
        b"\xF5TRC\x01\x00\xff\xff\x0btraceparent",
        b"\xF5TRC\x00\x00\x00\x00version zero",
        b"\xF5TR\x00\x01\x00\x00\x00",
        // Objects of others that look like ours.
        br#"{"trace_context":{},"payload":1,"id":7}"#,
        br#"{"trace_context":{"traceparent":1},"payload":1}"#,
        br#"{"trace_context":null,"payload":1}"#,
        br#"{"trace_context":{},"payload":1"#,
        br#"{"trace_context":{}}"#,
        br#"{"payload":{"trace_context":{}}}"#,
        br#"{"trace_context":{},"trace_context":{},"payload":1}"#,
        br#"{"specversion":"1.0","data":1}"#,
        br#"{"specversion":"1.0","id":"1","source":"/x","type":"t","data_base64":"!"}"#,
        b"",
        b"\x00",
        b"\xff\xfe",
        b"{",
        b"[[[[[[[[",
        b"null",
    ]
    .into_iter()
    .map(<[u8]>::to_vec)
    .collect();
    payloads.push(vec![b'{'; 100_000]);
    payloads.push([&b"\xF5TRC\x01\x00"[..], &[0xff; 65_000]].concat());
    let random = random(4096);
    for chunk in random.chunks(64) {
        payloads.push(chunk.to_vec());
        payloads.push([&b"\xF5TRC\x01\x00\xff"[..], chunk].concat());
        payloads.push([&b"{\"trace_context\":"[..], chunk].concat());
    }
    payloads
}

#[tokio::test]
async fn what_is_no_envelope_is_delivered_as_it_is() -> Result<()> {
    let server = Server::shared().await?;
    let channel = unique("orders");
    let settings = server.warehouse().accept_forms(AcceptedForms::all());
    let mut consumer = TracedConsumer::with_settings(server.subscription(&channel).await?, &settings);
    let mut connection = server.connection().await?;
    let payloads = payloads();
    for expected in &payloads {
        let _receivers: usize = connection.publish(&channel, expected).await?;
        let message = next(&mut consumer).await?;
        assert_eq!(*message.payload(), **expected);
        message
            .process(async |message| {
                assert_eq!(message.payload(), expected);
                assert_eq!(message.get_ref().get_payload_bytes(), expected);
                anyhow::Ok(())
            })
            .await?;
    }
    assert_eq!(server.capture.trace_ids().len(), payloads.len(), "each starts a trace");
    let missing = server.capture.metric("traced.context.missing");
    assert_eq!(missing.attribute("traced.context.reason").map(ToString::to_string).as_deref(), Some("absent"));
    Ok(())
}

/// A frame whose context cannot be read is still a frame.
#[tokio::test]
async fn an_envelope_with_an_unreadable_context_is_opened() -> Result<()> {
    let server = Server::shared().await?;
    let channel = unique("orders");
    let mut consumer = server.consumer(&channel).await?;
    let mut connection = server.connection().await?;
    let one = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let other = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b8-01";
    for (contexts, reason) in [
        (vec![&b"nonsense"[..]], "invalid"),
        // Two that differ are none: nobody knows which of them counts.
        (vec![&one[..], &other[..]], "conflicting"),
    ] {
        server.capture.clear();
        let mut block = Vec::new();
        for context in contexts {
            block.extend_from_slice(b"\x0btraceparent\x00");
            block.push(u8::try_from(context.len())?);
            block.extend_from_slice(context);
        }
        let length = u16::try_from(block.len())?.to_be_bytes();
        let frame = [&b"\xF5TRC\x01\x00"[..], &length, &block, b"seven"].concat();
        let _receivers: usize = connection.publish(&channel, &frame).await?;
        assert_eq!(processed(&mut consumer).await?, b"seven");
        server.capture.assert_trace(&format!("process {channel}  warehouse  CONSUMER"));
        let missing = server.capture.metrics().into_iter().filter(|it| it.name() == "traced.context.missing");
        let reasons: Vec<_> =
            missing.filter_map(|it| it.attribute("traced.context.reason").map(ToString::to_string)).collect();
        assert!(reasons.iter().any(|it| it == reason), "{reasons:?}");
    }
    Ok(())
}
