//! The prepared destinations of one producer or consumer.

use crate::{Destination, PreparedDestination, Settings};
use hashbrown::HashTable;
use rustc_hash::FxHasher;
use std::fmt;
use std::hash::Hasher;
use std::sync::{OnceLock, PoisonError, RwLock};

/// How many are kept beside the first, which makes 1024. A service that sends to more than these puts ids into its destinations'
/// names; those beyond are prepared for each message, and stay out of the metrics unless a template stands for them there.
const LIMIT: usize = 1023;

/// How many of them may have a template. They stay in the metrics without a place here, and one template may stand for any number of
/// names: they must not take the places of those that need one.
const LIMIT_OF_TEMPLATES: usize = 512;

/// A cache that is looked into with the parts that the client has at hand (exchange, routing key, queue), so that the name is put
/// together once and not for each message.
#[derive(Default)]
pub(crate) struct Destinations {
    /// Most producers and consumers have only this one: it is compared, where the table would be locked and hashed for.
    first: OnceLock<Entry>,
    table: RwLock<Table>,
}

#[derive(Default)]
struct Table {
    entries: HashTable<Entry>,
    with_template: usize,
}

impl Table {
    fn room(&self) -> Room {
        let named = self.entries.len() < LIMIT;
        Room { named, templated: named && self.with_template < LIMIT_OF_TEMPLATES }
    }
}

/// Which destinations may be kept.
#[derive(Clone, Copy)]
pub(crate) struct Room {
    named: bool,
    templated: bool,
}

impl Room {
    /// For one that its user keeps.
    pub(crate) const ENOUGH: Self = Self { named: true, templated: true };

    pub(crate) const fn is_for(self, has_template: bool) -> bool {
        if has_template { self.templated } else { self.named }
    }
}

struct Entry {
    operation: &'static str,
    parts: Box<[Box<str>]>,
    prepared: PreparedDestination,
}

impl Entry {
    fn is(&self, operation: &'static str, parts: &[&str]) -> bool {
        (std::ptr::eq(self.operation, operation) || self.operation == operation)
            && self.parts.len() == parts.len()
            && self.parts.iter().zip(parts).all(|(own, other)| &**own == *other)
    }
}

impl Destinations {
    #[inline]
    pub(crate) fn get(
        &self,
        system: &'static str,
        operation: &'static str,
        parts: &[&str],
        settings: &Settings,
        describe: impl FnOnce() -> Destination,
    ) -> PreparedDestination {
        if let Some(first) = self.first.get()
            && first.is(operation, parts)
        {
            return first.prepared.clone();
        }
        self.find_or_make(system, operation, parts, settings, describe)
    }

    /// Apart, so that a client with one destination has little code on its way.
    #[inline(never)]
    fn find_or_make(
        &self,
        system: &'static str,
        operation: &'static str,
        parts: &[&str],
        settings: &Settings,
        describe: impl FnOnce() -> Destination,
    ) -> PreparedDestination {
        let hash = hash(operation, parts.iter().copied());
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = table.entries.find(hash, |entry| entry.is(operation, parts)) {
            return entry.prepared.clone();
        }
        let room = table.room();
        drop(table);
        let prepared = PreparedDestination::new(system, operation, describe(), settings, room);
        if room.is_for(prepared.get().has_template) {
            let entry = Entry {
                operation,
                parts: parts.iter().map(|part| Box::from(*part)).collect(),
                prepared: prepared.clone(),
            };
            self.keep(entry, hash);
        }
        prepared
    }

    fn keep(&self, entry: Entry, hash: u64) {
        let Err(entry) = self.first.set(entry) else { return };
        let rehash = |entry: &Entry| self::hash(entry.operation, entry.parts.iter().map(|part| &**part));
        let same = |other: &Entry| other.operation == entry.operation && other.parts == entry.parts;
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let has_template = entry.prepared.get().has_template;
        if table.room().is_for(has_template) && table.entries.find(hash, same).is_none() {
            table.with_template += usize::from(has_template);
            table.entries.insert_unique(hash, entry, rehash);
        }
    }
}

/// Fx is twice as fast as `SipHash` here. Whoever makes names collide gains a slower look-up among at most [`LIMIT`] entries.
fn hash<'a>(operation: &str, parts: impl Iterator<Item = &'a str>) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(operation.as_bytes());
    for part in parts {
        hasher.write(part.as_bytes());
        hasher.write_usize(part.len());
    }
    hasher.finish()
}

impl fmt::Debug for Destinations {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Destinations").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(destinations: &Destinations, parts: &[&str]) -> PreparedDestination {
        destinations.get("test", "publish", parts, &Settings::default(), || Destination::new(parts.concat()))
    }

    #[test]
    fn parts_that_make_the_same_text_are_different_destinations() {
        let destinations = Destinations::default();
        let cases: [&[&str]; 4] = [&["ab", "c"], &["a", "bc"], &["abc"], &["abc", ""]];
        for parts in cases {
            get(&destinations, parts);
        }
        assert_eq!(destinations.table.read().unwrap().entries.len(), 3, "beside the first");
        assert_eq!(get(&destinations, &["a", "bc"]).name(), "abc");
    }

    #[test]
    fn beyond_the_limit_destinations_still_work_but_are_neither_kept_nor_counted() {
        let destinations = Destinations::default();
        for number in 0..=LIMIT {
            get(&destinations, &[&format!("user-{number}")]);
        }
        let one_more = get(&destinations, &["one-more"]);
        assert_eq!(one_more.span_name(), "publish one-more");
        assert!(one_more.get().metric_label().is_none());
        assert!(get(&destinations, &["user-7"]).get().metric_label().is_some());
        assert_eq!(destinations.table.read().unwrap().entries.len(), LIMIT);
        let of_template = || Destination::new("user-1025").template("user-{id}");
        let of_template = destinations.get("test", "publish", &["user-1025"], &Settings::default(), of_template);
        assert_eq!(of_template.get().metric_label().map(|label| label.value.as_str()), Some("user-{id}".into()));
    }

    /// Bug that this prevents: the channels of one pattern took all places, and every destination after them was left out of the metrics.
    #[test]
    fn names_of_a_template_leave_room_for_those_that_stand_for_themselves() {
        let destinations = Destinations::default();
        let settings = Settings::default().destination_template("inbox.*", "inbox.{id}");
        let get = |name: &str| destinations.get("test", "process", &[name], &settings, || Destination::new(name));
        for number in 0..2 * LIMIT {
            let label = get(&format!("inbox.{number}")).get().metric_label().map(|label| label.value.clone());
            assert_eq!(label, Some("inbox.{id}".into()));
        }
        assert_eq!(destinations.table.read().unwrap().entries.len(), LIMIT_OF_TEMPLATES);
        assert!(get("orders").get().metric_label().is_some());
        for number in 0..LIMIT {
            get(&format!("queue-{number}"));
        }
        assert_eq!(destinations.table.read().unwrap().entries.len(), LIMIT);
        assert!(get("one-more").get().metric_label().is_none());
    }
}
