//! Queues, and the storages that carry them.

use traced_envelope::{Destination, PreparedDestination, Telemetry};

/// What is known of a storage by its crate. Where it keeps no ids, jobs get none from us, and what a worker sees as one, a number of its
/// connection's, is none.
struct Storage {
    /// How the paths of its types begin.
    path: &'static str,
    system: &'static str,
    keeps_ids: bool,
}

const STORAGES: [Storage; 8] = [
    Storage { path: "apalis_amqp::", system: "rabbitmq", keeps_ids: false },
    Storage { path: "apalis_core::backend::impls::memory::", system: "memory", keeps_ids: true },
    Storage { path: "apalis_cron::", system: "cron", keeps_ids: true },
    Storage { path: "apalis_file_storage::", system: "file", keeps_ids: true },
    Storage { path: "apalis_mysql::", system: "mysql", keeps_ids: true },
    Storage { path: "apalis_postgres::", system: "postgresql", keeps_ids: true },
    Storage { path: "apalis_redis::", system: "redis", keeps_ids: true },
    Storage { path: "apalis_sqlite::", system: "sqlite", keeps_ids: true },
];

/// `messaging.system` where nobody knows better.
pub(crate) const APALIS: &str = "apalis";

/// `messaging.system` of a backend, and whether it keeps a job's id. The outermost type that is known counts: apalis' decorators have
/// the storage as their first parameter, and a job's own type comes after it. One that is unknown may number its jobs by itself.
pub(crate) fn storage_of<B>() -> (&'static str, bool) {
    let name = std::any::type_name::<B>();
    let known = STORAGES.iter().filter_map(|storage| Some((name.find(storage.path)?, storage)));
    known.min_by_key(|(at, _)| *at).map_or((APALIS, false), |(_, storage)| (storage.system, storage.keeps_ids))
}

/// Whether a storage that is called so may keep a job's id: not where it is known to keep none.
pub(crate) fn may_keep_ids(system: &str) -> bool {
    STORAGES.iter().all(|storage| storage.keeps_ids || storage.system != system)
}

/// A queue as telemetry knows it. `job` is the type of its jobs: apalis' storages name a queue by that where nobody else does, and
/// memory has no queues at all. Such a queue is shown without the type's path: `app::jobs::SendEmail` as `SendEmail`.
pub(crate) fn of_queue(
    telemetry: &Telemetry,
    operation: &'static str,
    queue: Option<&str>,
    job: &'static str,
) -> PreparedDestination {
    let name = queue.unwrap_or(job);
    telemetry.prepared(operation, &[name], |_| {
        let destination = Destination::new(name);
        let short = if name == job { without_paths(name) } else { String::new() };
        if short.is_empty() || short == name { destination } else { destination.template(short) }
    })
}

/// `alloc::vec::Vec<app::Order>` becomes `Vec<Order>`.
fn without_paths(name: &str) -> String {
    let mut short = String::with_capacity(name.len());
    let mut word = 0;
    let mut rest = name;
    while let Some(letter) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("::") {
            short.truncate(word);
            rest = after;
            continue;
        }
        short.push(letter);
        if !letter.is_alphanumeric() && letter != '_' {
            word = short.len();
        }
        rest = rest.get(letter.len_utf8()..).unwrap_or_default();
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use apalis_core::backend::ext::BackendExt as _;
    use apalis_core::backend::memory::MemoryStorage;

    #[test]
    fn a_storage_is_known_by_its_crate() {
        assert_eq!(storage_of::<MemoryStorage<u32>>(), ("memory", true));
        assert_eq!(
            storage_of::<apalis_sqlite::SqliteStorage<apalis_file_storage::JsonStorage<()>>>(),
            ("sqlite", true)
        );
        assert_eq!(storage_of::<apalis_file_storage::JsonStorage<u32>>(), ("file", true));
        assert_eq!(storage_of::<String>(), (APALIS, false));
        assert!(may_keep_ids("sqlite") && may_keep_ids("in-house") && !may_keep_ids("rabbitmq"));
        let decorated = MemoryStorage::<u32>::new().wake_on_push();
        fn of<B>(_: &B) -> &'static str {
            storage_of::<B>().0
        }
        assert_eq!(of(&decorated), "memory");
    }

    #[test]
    fn a_queue_of_a_type_is_shown_without_its_path_and_a_named_one_as_it_is() {
        struct SendEmail;
        let telemetry = Telemetry::new("memory", &traced_envelope::Settings::default());
        let job = std::any::type_name::<SendEmail>();
        let span_name = |queue| of_queue(&telemetry, "push", queue, job).span_name().to_owned();
        assert_eq!(span_name(None), "push SendEmail");
        assert_eq!(span_name(Some(job)), "push SendEmail");
        assert_eq!(span_name(Some("emails::urgent")), "push emails::urgent");
        assert_eq!(of_queue(&telemetry, "push", None, job).name(), job);
    }

    #[test]
    fn a_type_is_shown_without_its_paths() {
        for (name, short) in [
            ("app::jobs::SendEmail", "SendEmail"),
            ("alloc::vec::Vec<(app::Order, u8)>", "Vec<(Order, u8)>"),
            ("emails", "emails"),
            ("", ""),
            ("::", ""),
            ("a::über::Größe", "Größe"),
        ] {
            assert_eq!(without_paths(name), short, "{name}");
        }
    }
}
