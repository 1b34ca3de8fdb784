//! Why an entry is there: a sorted set, which nearly always has one element. A
//! tree node for each of a million entries would be most of what a plan takes.

use super::Reason;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reasons(Vec<Reason>);

impl Reasons {
    pub fn of(reason: Reason) -> Reasons {
        Reasons(vec![reason])
    }

    /// Any other reason says more than being on the way.
    pub fn add(&mut self, reason: Reason) {
        if let Err(at) = self.0.binary_search(&reason) {
            self.0.insert(at, reason);
        }
        if self.0.len() > 1 {
            self.0.retain(|reason| *reason != Reason::Way);
        }
    }

    pub fn contains(&self, reason: &Reason) -> bool {
        self.0.binary_search(reason).is_ok()
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Reason> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Reasons {
    type Item = &'a Reason;
    type IntoIter = std::slice::Iter<'a, Reason>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Reasons {
    type Item = Reason;
    type IntoIter = std::vec::IntoIter<Reason>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_there_once_in_order_and_the_way_gives_way() {
        let option = |name: &str| Reason::Option { option: name.into() };
        let mut reasons = Reasons::of(Reason::Way);
        for reason in [option("--tz"), Reason::Way, option("--user"), Reason::Program, option("--tz")] {
            reasons.add(reason);
        }
        let expected = [Reason::Program, option("--tz"), option("--user")];
        assert!(reasons.iter().eq(&expected), "{reasons:?}");
    }
}
