//! The allocations of every case, exactly: they repeat, so that one more fails here.

use allocation_counter::measure;
use benches::suite::Suite;

/// Cases that cannot keep their budget with OpenTelemetry's and the clients' types, and what they need instead. lapin's table of two
/// headers takes five allocations by itself (two names, two values, a node); baggage in a context takes six, a span context one, and
/// looking for an SDK one.
const BEYOND: [(&str, u64); 3] = [
    ("RabbitMQ: publish, no SDK, context and baggage pass through", 6),
    ("RabbitMQ: consume, no SDK, context and baggage pass through", 8),
    ("Kafka: process, no SDK, context and baggage pass through", 10),
];

#[test]
fn no_case_allocates_more_than_its_budget() {
    let mut found = Vec::new();
    let mut broken = Vec::new();
    for mut scene in Suite::overhead().scenes() {
        let mut alone = None;
        for case in &mut scene.cases {
            (0..3).for_each(|_| (case.run)());
            let all = measure(&mut case.run).count_total;
            // Ours may need fewer than the bare client: a command with room for its fields.
            let count = all.saturating_sub(*alone.get_or_insert(all));
            let beyond = BEYOND.iter().find(|(title, _)| *title == scene.title).map(|(_, needed)| *needed);
            let must = case.budget.and_then(|budget| beyond.or(budget.must.allocations));
            if must.is_some_and(|must| count > must) {
                broken.push(format!("{}: {}: {count}, not {must:?}", scene.title, case.name));
            }
            found.push(((scene.title.clone(), case.name), count));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");

    let count = |scene: &str, case: &str| {
        found
            .iter()
            .find(|((title, name), _)| (title.as_str(), *name) == (scene, case))
            .map(|(_, count)| *count)
            .expect("a case of that name")
    };
    for (scene, without) in [
        ("RabbitMQ: publish, sampled", "traced, destination prepared"),
        ("RabbitMQ: consume, sampled", "traced"),
        ("Kafka: send, sampled", "traced, destination prepared"),
        ("Kafka: process, sampled", "traced"),
    ] {
        assert_eq!(count(scene, "traced, with metrics"), count(scene, without), "{scene}: metrics allocate nothing");
    }
    let looked_up = count("RabbitMQ: publish, sampled", "traced, destination looked up");
    assert_eq!(
        looked_up,
        count("RabbitMQ: publish, sampled", "traced, destination prepared"),
        "looking up allocates nothing"
    );
}
