//! What is ordered, and how it travels.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a customer sends.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct NewOrder {
    pub(crate) user: String,
    pub(crate) item: String,
    pub(crate) quantity: u32,
    pub(crate) card: Card,
}

/// What the order service answers.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Accepted {
    pub(crate) id: String,
    pub(crate) status: String,
}

/// An order that was taken.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) user: String,
    pub(crate) item: String,
    pub(crate) quantity: u32,
}

impl Order {
    /// As it travels.
    pub(crate) fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }
}

/// A card's number. Nobody sees it: a span's fields are `Debug`, and they go to whoever may read traces.
#[derive(Clone, Deserialize, Serialize)]
#[serde(transparent)]
pub(crate) struct Card(String);

impl Card {
    /// As on a receipt.
    pub(crate) fn last_digits(&self) -> &str {
        let digits = self.0.trim_end();
        digits.char_indices().rev().nth(3).map_or("", |(start, _)| digits.split_at(start).1)
    }
}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Card")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_shows_nothing_but_its_last_digits() {
        let card = Card("4111 1111 1111 1234".to_owned());
        assert_eq!((card.last_digits(), format!("{card:?}").as_str()), ("1234", "Card"));
        assert_eq!(Card("12".to_owned()).last_digits(), "");
        assert_eq!(Card("é111".to_owned()).last_digits(), "é111");
    }
}
