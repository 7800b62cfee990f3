//! The allocations of every case, exactly: they repeat, so that one more fails here.

use allocation_counter::measure;
use benches::scenes::SCENES;

#[test]
fn no_case_allocates_more_than_its_budget() {
    let mut found = Vec::new();
    let mut broken = Vec::new();
    for scene in SCENES {
        let mut scene = scene();
        let mut alone = None;
        for case in &mut scene.cases {
            (0..3).for_each(|_| (case.run)());
            let all = measure(&mut case.run).count_total;
            let count = all - *alone.get_or_insert(all);
            let must = case.budget.and_then(|budget| budget.must.allocations);
            if must.is_some_and(|must| count > must) {
                broken.push(format!("{}: {}: {count}, not {must:?}", scene.title, case.name));
            }
            found.push(((scene.title, case.name), count));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");

    let count = |scene: &str, case: &str| {
        found.iter().find(|(of, _)| *of == (scene, case)).map(|(_, count)| *count).expect("a case of that name")
    };
    for (scene, without) in [("publish, sampled", "traced, destination prepared"), ("consume, sampled", "traced")] {
        assert_eq!(count(scene, "traced, with metrics"), count(scene, without), "{scene}: metrics allocate nothing");
    }
    let looked_up = count("publish, sampled", "traced, destination looked up");
    assert_eq!(looked_up, count("publish, sampled", "traced, destination prepared"), "looking up allocates nothing");
}
