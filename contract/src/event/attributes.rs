//! What an event says beyond the contract's fields.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Index;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Names and texts, each name once, in the order of the names. A vector, because most events have two or three, and a tree of so few costs
/// as much as reading them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributes<S = String>(Vec<(S, S)>);

impl<S> Attributes<S> {
    /// None.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// None, with the room these took.
    pub(super) fn cleared(&mut self) -> Vec<(S, S)> {
        let mut pairs = std::mem::take(&mut self.0);
        pairs.clear();
        pairs
    }

    /// Names and texts.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&S, &S)> {
        self.0.iter().map(|(name, text)| (name, text))
    }
}

impl<S: AsRef<str>> Attributes<S> {
    /// The text of that name.
    pub fn get(&self, name: &str) -> Option<&S> {
        self.place(name).ok().map(|at| &self.0[at].1)
    }

    /// Adds one; what stood under its name goes.
    pub fn insert(&mut self, name: S, text: S) {
        match self.place(name.as_ref()) {
            Ok(at) => self.0[at].1 = text,
            Err(at) => self.0.insert(at, (name, text)),
        }
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| other.as_ref().cmp(name))
    }

    /// Of those with one name the last counts.
    pub(super) fn of(mut pairs: Vec<(S, S)>) -> Self {
        if !pairs.is_sorted_by(|(one, _), (next, _)| one.as_ref() < next.as_ref()) {
            pairs.sort_by(|(one, _), (other, _)| one.as_ref().cmp(other.as_ref()));
            pairs.dedup_by(|later, kept| {
                let again = later.0.as_ref() == kept.0.as_ref();
                if again {
                    std::mem::swap(later, kept);
                }
                again
            });
        }
        Self(pairs)
    }
}

impl<S> Default for Attributes<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: AsRef<str>> FromIterator<(S, S)> for Attributes<S> {
    fn from_iter<T: IntoIterator<Item = (S, S)>>(pairs: T) -> Self {
        Self::of(pairs.into_iter().collect())
    }
}

impl<S: AsRef<str>, const N: usize> From<[(S, S); N]> for Attributes<S> {
    fn from(pairs: [(S, S); N]) -> Self {
        pairs.into_iter().collect()
    }
}

impl<S> IntoIterator for Attributes<S> {
    type Item = (S, S);
    type IntoIter = std::vec::IntoIter<(S, S)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<S: AsRef<str>> Index<&str> for Attributes<S> {
    type Output = S;

    fn index(&self, name: &str) -> &S {
        self.get(name).expect("the attribute is there")
    }
}

impl<S: Serialize> Serialize for Attributes<S> {
    fn serialize<T: Serializer>(&self, serializer: T) -> Result<T::Ok, T::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de, S: Deserialize<'de> + AsRef<str>> Deserialize<'de> for Attributes<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs<S>(PhantomData<S>);

        impl<'de, S: Deserialize<'de> + AsRef<str>> Visitor<'de> for Pairs<S> {
            type Value = Attributes<S>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Attributes::of(pairs))
            }
        }
        deserializer.deserialize_map(Pairs(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn they_are_what_a_tree_of_them_is(pairs in prop::collection::vec(("[a-d]{0,2}", "[x-z]{0,2}"), 0..8), more in ("[a-d]{0,2}", "[x-z]{0,2}")) {
            let (mut all, mut tree): (Attributes, BTreeMap<_, _>) = (pairs.iter().cloned().collect(), pairs.into_iter().collect());
            for _ in 0..2 {
                prop_assert!(all.iter().eq(tree.iter()));
                prop_assert_eq!(all.get(&more.0), tree.get(&more.0));
                let json = serde_json::to_string(&all).unwrap();
                prop_assert_eq!(&json, &serde_json::to_string(&tree).unwrap());
                prop_assert_eq!(&serde_json::from_str::<Attributes>(&json).unwrap(), &all);
                all.insert(more.0.clone(), more.1.clone());
                tree.insert(more.0.clone(), more.1.clone());
            }
        }
    }

    #[test]
    fn of_one_name_the_last_counts() {
        let read: Attributes = serde_json::from_str(r#"{"b":"1","a":"2","b":"3","b":"4"}"#).unwrap();
        assert_eq!(read, [("a", "2"), ("b", "4")].map(|(name, text)| (name.to_owned(), text.to_owned())).into());
    }
}
