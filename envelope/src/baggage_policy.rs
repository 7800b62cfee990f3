//! Which baggage crosses a queue.

use std::sync::Arc;

use opentelemetry::{
    Key, StringValue,
    baggage::{Baggage, BaggageMetadata},
};

use crate::propagation::member_len;

/// The W3C's Baggage, "Limits": everyone must pass on this much, and hardly anyone passes on more.
const MAX_MEMBERS: usize = 64;
const MAX_BYTES: usize = 8192;

/// Says which baggage is taken from messages and written to them.
///
/// The default is [`all`](Self::all): everything, up to the specification's limits of 64 members and
/// 8192 bytes. Baggage goes wherever the messages go; where other teams or companies read the queue,
/// [`only`](Self::only) names what they may see.
///
/// A member passes whole or not at all. Where there are more than the limits allow, those that come
/// first pass: first in the header when reading, first by their keys when writing.
///
/// # Example
///
/// ```
/// use traced_envelope::BaggagePolicy;
///
/// let policy = BaggagePolicy::only(["tenant", "priority"]).max_bytes(512);
/// assert_ne!(policy, BaggagePolicy::default());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaggagePolicy {
    /// Sorted; `None` lets every key pass.
    only: Option<Arc<[String]>>,
    max_members: usize,
    max_bytes: usize,
}

impl Default for BaggagePolicy {
    fn default() -> Self {
        Self::all()
    }
}

impl BaggagePolicy {
    /// Lets every key pass, within the limits. This is the default.
    ///
    /// # Example
    ///
    /// ```
    /// use traced_envelope::BaggagePolicy;
    ///
    /// assert_eq!(BaggagePolicy::all(), BaggagePolicy::default());
    /// ```
    #[must_use]
    pub const fn all() -> Self {
        Self { only: None, max_members: MAX_MEMBERS, max_bytes: MAX_BYTES }
    }

    /// Lets these keys pass and no others. Keys are compared exactly, in upper and lower case.
    ///
    /// # Example
    ///
    /// ```
    /// use traced_envelope::BaggagePolicy;
    ///
    /// let policy = BaggagePolicy::only(["tenant", "priority"]);
    /// assert_eq!(policy, BaggagePolicy::only(["priority", "tenant", "priority"]));
    /// ```
    #[must_use]
    pub fn only<K: Into<String>>(keys: impl IntoIterator<Item = K>) -> Self {
        let mut keys = keys.into_iter().map(Into::into).collect::<Vec<_>>();
        keys.sort_unstable();
        keys.dedup();
        Self { only: Some(keys.into()), ..Self::all() }
    }

    /// Lets nothing pass.
    ///
    /// # Example
    ///
    /// ```
    /// use traced_envelope::BaggagePolicy;
    ///
    /// assert_eq!(BaggagePolicy::off(), BaggagePolicy::all().max_members(0).max_bytes(0));
    /// ```
    #[must_use]
    pub const fn off() -> Self {
        Self { only: None, max_members: 0, max_bytes: 0 }
    }

    /// Lets at most this many members pass. The default and the greatest value is 64.
    ///
    /// # Example
    ///
    /// ```
    /// use traced_envelope::BaggagePolicy;
    ///
    /// assert_eq!(BaggagePolicy::all().max_members(1000), BaggagePolicy::all());
    /// assert_ne!(BaggagePolicy::all().max_members(8), BaggagePolicy::all());
    /// ```
    #[must_use]
    pub const fn max_members(mut self, members: usize) -> Self {
        self.max_members = if members < MAX_MEMBERS { members } else { MAX_MEMBERS };
        self
    }

    /// Lets at most this many bytes of the encoded header pass. The default and the greatest value is
    /// 8192.
    ///
    /// # Example
    ///
    /// ```
    /// use traced_envelope::BaggagePolicy;
    ///
    /// assert_eq!(BaggagePolicy::all().max_bytes(1 << 20), BaggagePolicy::all());
    /// assert_ne!(BaggagePolicy::all().max_bytes(512), BaggagePolicy::all());
    /// ```
    #[must_use]
    pub const fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = if bytes < MAX_BYTES { bytes } else { MAX_BYTES };
        self
    }

    /// Whether nothing can pass, so that there is no need to look.
    pub(crate) fn is_off(&self) -> bool {
        self.max_members == 0 || self.max_bytes == 0 || self.only.as_ref().is_some_and(|keys| keys.is_empty())
    }

    /// Whether a member with this key may pass, the limits apart.
    pub(crate) fn allows(&self, key: &str) -> bool {
        self.only.as_ref().is_none_or(|keys| keys.binary_search_by(|allowed| allowed.as_str().cmp(key)).is_ok())
    }

    /// Whether a header of this size is within the limits.
    pub(crate) const fn has_room(&self, members: usize, bytes: usize) -> bool {
        members <= self.max_members && bytes <= self.max_bytes
    }

    /// The part of baggage that may pass, or `None` if that is all of it. For baggage that another
    /// propagator extracted or is about to inject; nothing is allocated where nothing has to change.
    pub(crate) fn reduce(&self, baggage: &Baggage) -> Option<Baggage> {
        if baggage.is_empty() {
            return None;
        }
        let selection = self.select(baggage);
        if selection.len == baggage.len() {
            return None;
        }
        let mut reduced = Baggage::new();
        for (key, value, metadata) in selection.members() {
            reduced.insert_with_metadata(key.to_owned(), value.to_owned(), metadata);
        }
        Some(reduced)
    }

    /// The members that may pass, sorted by key, without allocating.
    pub(crate) fn select<'a>(&self, baggage: &'a Baggage) -> Selection<'a> {
        let mut selection = Selection { members: [None; MAX_MEMBERS], len: 0, bytes: 0 };
        let allowed = baggage.iter().filter(|(key, _)| self.allows(key.as_str()));
        let mut count = 0;
        for (slot, member) in selection.members.iter_mut().zip(allowed) {
            *slot = Some(member);
            count += 1;
        }
        let (filled, _) = selection.members.split_at_mut(count);
        filled.sort_unstable_by_key(|member| member.map(|(key, _)| key.as_str()));
        for slot in filled {
            let Some((key, (value, metadata))) = *slot else {
                continue;
            };
            let member = member_len(key.as_str(), value.as_str(), metadata.as_str());
            let bytes = selection.bytes + member + usize::from(selection.len > 0);
            if self.has_room(selection.len + 1, bytes) {
                selection.len += 1;
                selection.bytes = bytes;
            } else {
                *slot = None;
            }
        }
        selection
    }
}

/// The members of a [`Baggage`] that a policy lets pass.
pub(crate) struct Selection<'a> {
    members: [Option<Member<'a>>; MAX_MEMBERS],
    len: usize,
    bytes: usize,
}

type Member<'a> = (&'a Key, &'a (StringValue, BaggageMetadata));

impl<'a> Selection<'a> {
    /// The length of the header that they make.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Key, value and metadata of each.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&'a str, &'a str, &'a str)> {
        let members = self.members.iter().flatten();
        members.map(|(key, (value, metadata))| (key.as_str(), value.as_str(), metadata.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baggage(members: &[(&'static str, &'static str)]) -> Baggage {
        let mut baggage = Baggage::new();
        for (key, value) in members {
            baggage.insert(*key, *value);
        }
        baggage
    }

    fn reduced(policy: &BaggagePolicy, members: &[(&'static str, &'static str)]) -> Option<String> {
        let reduced = policy.reduce(&baggage(members))?;
        let mut keys = reduced.iter().map(|(key, _)| key.to_string()).collect::<Vec<_>>();
        keys.sort();
        Some(keys.join(" "))
    }

    #[test]
    fn nothing_is_built_where_nothing_has_to_change() {
        let members = [("tenant", "7"), ("user", "amélie")];
        assert_eq!(reduced(&BaggagePolicy::all(), &members), None);
        assert_eq!(reduced(&BaggagePolicy::only(["user", "tenant"]), &members), None);
        assert_eq!(reduced(&BaggagePolicy::off(), &[]), None);
    }

    #[test]
    fn what_may_not_pass_is_left_out() {
        let members = [("tenant", "7"), ("user", "amélie"), ("Tenant", "8")];
        for (policy, expected) in [
            (BaggagePolicy::only(["tenant"]), "tenant"),
            (BaggagePolicy::only(["nobody"]), ""),
            (BaggagePolicy::only(Vec::<String>::new()), ""),
            (BaggagePolicy::off(), ""),
            (BaggagePolicy::off().max_members(64), ""),
            (BaggagePolicy::all().max_members(2), "Tenant tenant"),
            // `Tenant=8,tenant=7` and no more; é takes six bytes.
            (BaggagePolicy::all().max_bytes(17), "Tenant tenant"),
            (BaggagePolicy::all().max_bytes(17 + 1 + 16 - 1), "Tenant tenant"),
            // A later member that still fits is not held up by one that does not.
            (BaggagePolicy::only(["tenant", "user"]).max_bytes(8), "tenant"),
            (BaggagePolicy::all().max_bytes(0), ""),
        ] {
            assert_eq!(reduced(&policy, &members).as_deref(), Some(expected), "{policy:?}");
        }
        let enough = BaggagePolicy::all().max_bytes(17 + 1 + 16);
        assert_eq!(reduced(&enough, &members), None);
    }

    #[test]
    fn a_reduced_member_keeps_its_metadata() {
        let mut baggage = baggage(&[("user", "amélie")]);
        baggage.insert_with_metadata("tenant", "7", "ttl=3");
        let reduced = BaggagePolicy::only(["tenant"]).reduce(&baggage).unwrap();
        let (value, metadata) = reduced.get_with_metadata("tenant").unwrap();
        assert_eq!((value.as_str(), metadata.as_str()), ("7", "ttl=3"));
    }
}
