//! One read of streams, as the commands that it is made of.
//!
//! An asynchronous connection gives up on an answer after its response time limit, half a second unless told otherwise, while the
//! server goes on waiting: entries that come meanwhile are delivered, and lost until somebody claims them, and every other command on
//! the connection waits too. So a read that blocks is sent in pieces that end before.

use crate::entry::Delivery;
use crate::headers::bytes;
use crate::receiving::Asked;
use redis::streams::StreamReadOptions;
use redis::{Cmd, ToRedisArgs, Value, cmd};
use std::sync::Arc;
use std::time::Duration;
use traced_envelope::shared;

/// Half of redis' time limit for an answer, [500 ms](redis::aio::MultiplexedConnection): the rest is for the way there and back.
pub(crate) const LONGEST_BLOCK: Duration = Duration::from_millis(250);

/// Only entries that nobody of the group has got yet.
const NEW: &[u8] = b">";

pub(crate) struct Reading {
    group: Option<Arc<[u8]>>,
    no_ack: bool,
    /// The options before and after the time to wait.
    group_arguments: Vec<Vec<u8>>,
    others: Vec<Vec<u8>>,
    /// In milliseconds; 0 is for ever.
    block: Option<u64>,
    keys: Vec<Vec<u8>>,
    ids: Vec<Vec<u8>>,
}

impl Reading {
    /// The options keep to themselves what they are: their arguments tell.
    pub(crate) fn new<K: ToRedisArgs, I: ToRedisArgs>(keys: &[K], ids: &[I], options: &StreamReadOptions) -> Self {
        let mut arguments = options.to_redis_args();
        // `GROUP`, its name, the consumer's; whoever gives no single names gets the server's error.
        let of_group = if options.read_only() { 0 } else { arguments.len().min(3) };
        let group_arguments: Vec<_> = arguments.drain(..of_group).collect();
        let mut others = Vec::new();
        let (mut block, mut no_ack) = (None, false);
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            if argument == b"BLOCK" {
                block = arguments.next().and_then(|time| std::str::from_utf8(&time).ok()?.parse().ok());
                continue;
            }
            no_ack |= argument == b"NOACK";
            others.push(argument);
        }
        Self {
            group: group_arguments.get(1).map(|group| group.as_slice().into()),
            no_ack,
            group_arguments,
            others,
            block,
            keys: keys.to_redis_args(),
            ids: ids.to_redis_args(),
        }
    }

    pub(crate) fn operation(&self) -> &'static str {
        if self.group.is_some() { "xreadgroup" } else { "xread" }
    }

    pub(crate) fn asked(&self) -> Asked<'_> {
        Asked { stream: shared(self.keys.iter().map(Vec::as_slice)), group: self.group.as_deref() }
    }

    /// Who reads, of the group.
    pub(crate) fn consumer(&self) -> Option<&[u8]> {
        self.group_arguments.get(2).map(Vec::as_slice)
    }

    /// The command that waits for so long.
    pub(crate) fn command(&self, block: Option<u64>) -> Cmd {
        let mut command = cmd(if self.group.is_some() { "XREADGROUP" } else { "XREAD" });
        command.arg(&self.group_arguments);
        if let Some(milliseconds) = block {
            command.arg("BLOCK").arg(milliseconds);
        }
        command.arg(&self.others).arg("STREAMS").arg(&self.keys).arg(&self.ids);
        command
    }

    /// What is known of the entries of one of the streams.
    pub(crate) fn delivery(&self, stream: &[u8]) -> Delivery {
        let of_stream = self.keys.iter().zip(&self.ids).filter(|(key, _)| *key == stream);
        let new: Vec<bool> = of_stream.map(|(_, id)| id == NEW).collect();
        // Asked for twice in one read, the reply does not tell which of its entries were asked for how.
        let is_new = new == [true];
        let is_grouped = self.group.is_some();
        Delivery {
            group: self.group.clone(),
            // Those that were read before are still pending, whatever `NOACK` says of new ones.
            is_pending: is_grouped && !(self.no_ack && is_new),
            deliveries: (is_grouped && is_new).then_some(1),
            is_again: is_grouped && !new.contains(&true),
        }
    }

    pub(crate) fn pieces(&self, longest: Duration) -> Pieces {
        let longest = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX).max(1);
        Pieces { left: self.block, forever: self.block == Some(0), longest }
    }

    /// Before a read in pieces: where the streams end, for those that are read from their end on (`$`). Each piece would take another
    /// end, and entries between two pieces would be lost.
    pub(crate) fn ends(&self) -> Vec<(usize, Cmd)> {
        let from_end = self.ids.iter().enumerate().filter(|(_, id)| *id == b"$" && self.group.is_none());
        let keys = from_end.filter_map(|(place, _)| Some((place, self.keys.get(place)?)));
        keys.map(|(place, key)| (place, Cmd::xrevrange_count(key, "+", "-", 1))).collect()
    }

    /// The end of a stream, as its last entry tells it: one that has none begins with its first.
    pub(crate) fn begin_after(&mut self, place: usize, last: &Value) {
        let last = last.as_sequence().and_then(|entries| entries.first()?.as_sequence()?.first());
        let id = last.and_then(bytes).unwrap_or(b"0-0").to_vec();
        if let Some(of_stream) = self.ids.get_mut(place) {
            *of_stream = id;
        }
    }

    /// After a piece that brought nothing: a stream whose last entry (`+`) was asked for has none, so that the first one is meant now.
    pub(crate) fn nothing_yet(&mut self) {
        for id in self.ids.iter_mut().filter(|id| *id == b"+") {
            *id = b"0-0".to_vec();
        }
    }
}

/// The time that a read waits, cut in pieces.
pub(crate) struct Pieces {
    left: Option<u64>,
    forever: bool,
    longest: u64,
}

pub(crate) struct Piece {
    /// `None` does not wait; 0 waits for ever.
    pub(crate) block: Option<u64>,
    pub(crate) is_last: bool,
}

impl Pieces {
    pub(crate) fn are_many(&self) -> bool {
        self.left.is_some_and(|left| left > self.longest) || (self.forever && self.longest < u64::MAX)
    }

    pub(crate) fn next(&mut self) -> Piece {
        let Some(left) = self.left else { return Piece { block: None, is_last: true } };
        if !self.are_many() {
            return Piece { block: Some(left), is_last: true };
        }
        if !self.forever {
            self.left = Some(left.saturating_sub(self.longest));
        }
        Piece { block: Some(self.longest), is_last: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(block: Option<usize>, longest: Duration, most: usize) -> Vec<Option<u64>> {
        let options = block.map_or_else(StreamReadOptions::default, |time| StreamReadOptions::default().block(time));
        let mut pieces = Reading::new(&["orders"], &["0"], &options).pieces(longest);
        let mut blocks = Vec::new();
        while blocks.len() < most {
            let piece = pieces.next();
            blocks.push(piece.block);
            if piece.is_last {
                break;
            }
        }
        blocks
    }

    #[test]
    fn the_time_is_cut_in_pieces_that_add_up() {
        let quarter = Duration::from_millis(250);
        assert_eq!(blocks(None, quarter, 9), [None], "no waiting");
        assert_eq!(blocks(Some(250), quarter, 9), [Some(250)]);
        assert_eq!(blocks(Some(600), quarter, 9), [Some(250), Some(250), Some(100)]);
        assert_eq!(blocks(Some(500), quarter, 9), [Some(250), Some(250)]);
        assert_eq!(blocks(Some(0), quarter, 3), [Some(250); 3], "for ever");
        assert_eq!(blocks(Some(0), Duration::MAX, 9), [Some(0)], "for ever at once");
        assert_eq!(blocks(Some(600), Duration::MAX, 9), [Some(600)]);
        assert_eq!(blocks(Some(2), Duration::ZERO, 9), [Some(1), Some(1)], "never 0 by rounding: that is for ever");
    }

    fn packed(command: &Cmd) -> String {
        let arguments = command.args_iter().map(|argument| match argument {
            redis::Arg::Simple(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            _ => unreachable!("no cursors"),
        });
        arguments.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_command_is_redis_own_but_for_the_time() {
        let group = StreamReadOptions::default().group("BLOCK", "NOACK").block(9000).count(7).noack().claim(60);
        for (options, piece, expected) in [
            (StreamReadOptions::default(), None, "XREAD STREAMS a b 0 $"),
            (StreamReadOptions::default().count(3).block(900), Some(250), "XREAD BLOCK 250 COUNT 3 STREAMS a b 0 $"),
            (group, Some(250), "XREADGROUP GROUP BLOCK NOACK BLOCK 250 COUNT 7 NOACK CLAIM 60 STREAMS a b 0 $"),
        ] {
            let reading = Reading::new(&["a", "b"], &["0", "$"], &options);
            assert_eq!(packed(&reading.command(piece)), expected);
            let native = packed(&Cmd::xread_options(&["a", "b"], &["0", "$"], &options));
            assert_eq!(packed(&reading.command(reading.block)), native);
        }
    }

    #[test]
    fn a_read_in_pieces_keeps_the_place_where_it_began() {
        let mut reading = Reading::new(&["a", "b", "c", "d"], &["$", "7-0", "$", "+"], &StreamReadOptions::default());
        let ends = reading.ends();
        let commands: Vec<_> = ends.iter().map(|(place, command)| (*place, packed(command))).collect();
        assert_eq!(commands, [(0, "XREVRANGE a + - COUNT 1".to_owned()), (2, "XREVRANGE c + - COUNT 1".to_owned())]);
        let last = Value::Array(vec![Value::Array(vec![Value::BulkString(b"9-1".to_vec()), Value::Nil])]);
        reading.begin_after(0, &last);
        reading.begin_after(2, &Value::Array(Vec::new()));
        reading.nothing_yet();
        assert_eq!(packed(&reading.command(None)), "XREAD STREAMS a b c d 9-1 7-0 0-0 0-0");
    }

    #[test]
    fn only_new_entries_of_a_group_are_delivered_for_the_first_time() {
        let group = StreamReadOptions::default().group("g", "c");
        let no_ack = StreamReadOptions::default().group("g", "c").noack();
        for (options, id, is_pending, deliveries) in [
            (StreamReadOptions::default(), "0", false, None),
            (StreamReadOptions::default(), "$", false, None),
            (group, ">", true, Some(1)),
            (StreamReadOptions::default().group("g", "c"), "0", true, None),
            (no_ack, ">", false, Some(1)),
        ] {
            let delivery = Reading::new(&["orders"], &[id], &options).delivery(b"orders");
            assert_eq!((delivery.is_pending, delivery.deliveries), (is_pending, deliveries), "{id}, {options:?}");
            assert_eq!(delivery.is_again, is_pending && deliveries.is_none(), "{id}, {options:?}");
        }
    }

    /// Bug that this prevents: all entries were taken for those of the stream's first id: with `NOACK` old ones were never acknowledged.
    #[test]
    fn of_a_stream_that_is_named_twice_nothing_is_known() {
        let options = StreamReadOptions::default().group("g", "c").noack();
        for ids in [[">", "0"], ["0", ">"]] {
            let delivery = Reading::new(&["orders", "orders"], &ids, &options).delivery(b"orders");
            assert_eq!((delivery.is_pending, delivery.deliveries, delivery.is_again), (true, None, false), "{ids:?}");
        }
        assert!(Reading::new(&["orders", "orders"], &["0", "1"], &options).delivery(b"orders").is_again);
    }
}
