use super::outline::{self, Line, Node};

/// What differs, as lines that start with `-` (expected) or `+` (captured); `None` when nothing
/// does.
pub(super) fn difference(expected: &[Node], captured: &[Node]) -> Option<String> {
    if same_trees(expected, captured) {
        return None;
    }
    let mut marked = Vec::new();
    compare(expected, captured, 0, &mut marked);
    let (marks, lines): (Vec<_>, Vec<_>) = marked.into_iter().unzip();
    let text = outline::align(&lines);
    let marked = marks
        .iter()
        .zip(text.lines())
        .map(|(mark, line)| format!("{mark} {line}\n"));
    Some(marked.collect())
}

/// Whether each tree of one side is one of the other, in any order.
fn same_trees(expected: &[Node], captured: &[Node]) -> bool {
    expected.len() == captured.len()
        && pairs(expected, captured, same_tree)
            .iter()
            .all(Option::is_some)
}

fn same_tree(expected: &Node, captured: &Node) -> bool {
    expected.describes(captured) && same_trees(&expected.children, &captured.children)
}

/// For each expected tree, the index of its captured one: as many pairs as there can be.
///
/// A vague expectation (no attributes) fits several spans, so the first that fits may be another
/// one's only one: augmenting paths.
fn pairs(
    expected: &[Node],
    captured: &[Node],
    same: impl Fn(&Node, &Node) -> bool,
) -> Vec<Option<usize>> {
    let fits: Vec<Vec<usize>> = expected
        .iter()
        .map(|expected| {
            (0..)
                .zip(captured)
                .filter(|(_, captured)| same(expected, captured))
                .map(|(index, _)| index)
                .collect()
        })
        .collect();
    let mut taken_by = vec![None; captured.len()];
    for index in 0..expected.len() {
        let mut tried = vec![false; captured.len()];
        find_partner(index, &fits, &mut taken_by, &mut tried);
    }
    let partner = |index| taken_by.iter().position(|by| *by == Some(index));
    (0..expected.len()).map(partner).collect()
}

fn find_partner(
    index: usize,
    fits: &[Vec<usize>],
    taken_by: &mut [Option<usize>],
    tried: &mut [bool],
) -> bool {
    for &candidate in fits.get(index).into_iter().flatten() {
        let first_try = tried
            .get_mut(candidate)
            .is_some_and(|tried| !std::mem::replace(tried, true));
        if !first_try {
            continue;
        }
        let holder = taken_by.get(candidate).copied().flatten();
        if holder.is_none_or(|holder| find_partner(holder, fits, taken_by, tried)) {
            if let Some(taken) = taken_by.get_mut(candidate) {
                *taken = Some(index);
            }
            return true;
        }
    }
    false
}

fn compare<'a>(
    expected: &'a [Node],
    captured: &'a [Node],
    depth: usize,
    lines: &mut Vec<(char, Line<'a>)>,
) {
    let mut partners = pairs(expected, captured, same_tree);
    pair_most_alike(expected, captured, &mut partners);
    for (expected, partner) in expected.iter().zip(&partners) {
        match partner.and_then(|index| captured.get(index)) {
            Some(captured) => {
                if expected.describes(captured) {
                    lines.push((' ', line(expected, depth, expected.keys())));
                } else {
                    lines.push(('-', line(expected, depth, expected.keys())));
                    lines.push(('+', line(captured, depth, expected.keys())));
                }
                compare(&expected.children, &captured.children, depth + 1, lines);
            }
            None => push_all('-', expected, depth, lines),
        }
    }
    for (index, captured) in captured.iter().enumerate() {
        if !partners.contains(&Some(index)) {
            push_all('+', captured, depth, lines);
        }
    }
}

/// Pairs what is left by likeness, so that one wrong word is shown as one wrong word, not as two
/// unrelated trees.
fn pair_most_alike(expected: &[Node], captured: &[Node], partners: &mut [Option<usize>]) {
    let mut candidates: Vec<(usize, usize, usize)> = Vec::new();
    for (left, (node, partner)) in expected.iter().zip(partners.iter()).enumerate() {
        for (right, other) in captured.iter().enumerate() {
            if partner.is_none() && !partners.contains(&Some(right)) && likeness(node, other) > 1 {
                candidates.push((likeness(node, other), left, right));
            }
        }
    }
    candidates.sort_by_key(|&(likeness, left, right)| (std::cmp::Reverse(likeness), left, right));
    for (_, left, right) in candidates {
        let is_free = !partners.contains(&Some(right));
        if let Some(partner @ None) = partners.get_mut(left).filter(|_| is_free) {
            *partner = Some(right);
        }
    }
}

fn likeness(expected: &Node, captured: &Node) -> usize {
    let common_children = expected
        .children
        .iter()
        .filter(|child| {
            captured
                .children
                .iter()
                .any(|other| other.name == child.name)
        })
        .count();
    4 * usize::from(expected.name == captured.name)
        + usize::from(expected.service == captured.service)
        + usize::from(expected.kind == captured.kind)
        + common_children
}

fn push_all<'a>(mark: char, node: &'a Node, depth: usize, lines: &mut Vec<(char, Line<'a>)>) {
    // A captured span has dozens of attributes; an expected one those that matter.
    lines.push((
        mark,
        line(
            node,
            depth,
            if mark == '-' { node.keys() } else { Vec::new() },
        ),
    ));
    for child in &node.children {
        push_all(mark, child, depth + 1, lines);
    }
}

fn line<'a>(node: &'a Node, depth: usize, keys: Vec<&'a str>) -> Line<'a> {
    Line {
        prefix: "   ".repeat(depth),
        node,
        keys,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::expectation::parse, difference};

    fn diff(expected: &str, captured: &str) -> Option<String> {
        difference(&parse(expected).unwrap(), &parse(captured).unwrap())
    }

    #[test]
    fn siblings_and_roots_compare_in_any_order() {
        let one =
            "a  s  INTERNAL\n   b  s  CLIENT\n   c  s  CLIENT\n      d  s  CLIENT\nz  s  INTERNAL";
        let other =
            "z  s  INTERNAL\na  s  INTERNAL\n   c  s  CLIENT\n      d  s  CLIENT\n   b  s  CLIENT";
        assert_eq!(diff(one, other), None);
    }

    #[test]
    fn equally_named_siblings_are_told_apart_by_what_is_below_them() {
        let one = "a  s  INTERNAL\n   b  s  CLIENT\n      x  s  CLIENT\n   b  s  CLIENT\n      y  s  CLIENT";
        let other = "a  s  INTERNAL\n   b  s  CLIENT\n      y  s  CLIENT\n   b  s  CLIENT\n      x  s  CLIENT";
        assert_eq!(diff(one, other), None);
    }

    #[test]
    fn a_vague_expectation_leaves_the_only_fitting_span_to_a_precise_one() {
        let expected = "a  s  CLIENT\na  s  CLIENT  {k=1}";
        assert_eq!(
            diff(expected, "a  s  CLIENT  {k=1}\na  s  CLIENT  {k=2}"),
            None
        );
        assert_eq!(
            diff(expected, "a  s  CLIENT  {k=2}\na  s  CLIENT  {k=1}"),
            None
        );
        assert!(diff(expected, "a  s  CLIENT  {k=2}\na  s  CLIENT  {k=3}").is_some());
    }

    #[test]
    fn one_wrong_word_is_one_pair_of_marked_lines() {
        let expected = "checkout  shop  INTERNAL\n   publish  shop  PRODUCER\n      process  depot  CONSUMER  → publish";
        let captured = "checkout  shop  INTERNAL\n   publish  shop  CLIENT\n      process  depot  CONSUMER  → publish";
        let marked = [
            "  checkout       shop   INTERNAL",
            "-    publish     shop   PRODUCER",
            "+    publish     shop   CLIENT",
            "        process  depot  CONSUMER  → publish",
        ];
        assert_eq!(
            diff(expected, captured)
                .unwrap()
                .lines()
                .collect::<Vec<_>>(),
            marked
        );
    }

    #[test]
    fn each_fact_of_a_line_matters() {
        let base = "a  s  CLIENT  → l  ✗ E  {k=1}";
        assert_eq!(diff(base, base), None);
        let others = [
            "b  s  CLIENT  → l  ✗ E  {k=1}",
            "a  t  CLIENT  → l  ✗ E  {k=1}",
            "a  s  SERVER  → l  ✗ E  {k=1}",
            "a  s  CLIENT  ✗ E  {k=1}",
            "a  s  CLIENT  → l, l  ✗ E  {k=1}",
            "a  s  CLIENT  → l  {k=1}",
            "a  s  CLIENT  → l  ✗ F  {k=1}",
            "a  s  CLIENT  → l  ✗ E  ⇠ remote parent  {k=1}",
            "a  s  CLIENT  → l  ✗ E  {k=2}",
            "a  s  CLIENT  → l  ✗ E",
        ];
        for other in others {
            assert!(diff(base, other).is_some(), "{other}");
        }
        assert_eq!(
            diff("a  s  CLIENT  ✗", "a  s  CLIENT  ✗ E"),
            None,
            "✗ alone is any error"
        );
        assert!(
            diff("a  s  CLIENT", "a  s  CLIENT  ✗ E").is_some(),
            "an error that was not expected"
        );
        assert_eq!(
            diff("a  s  CLIENT", "a  s  CLIENT  {k=1}"),
            None,
            "attributes that were not asked for"
        );
    }

    #[test]
    fn what_is_missing_and_what_is_too_much_are_marked_with_all_below() {
        let expected = "a  s  INTERNAL\n   b  s  CLIENT  {k=1}\n      c  s  CLIENT";
        let marked = diff(
            expected,
            "a  s  INTERNAL\n   x  t  SERVER\n      y  t  SERVER",
        )
        .unwrap();
        let expected = [
            "  a        s  INTERNAL",
            "-    b     s  CLIENT    {k=1}",
            "-       c  s  CLIENT",
            "+    x     t  SERVER",
            "+       y  t  SERVER",
        ];
        assert_eq!(marked.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_span_too_many_is_a_difference_at_each_depth() {
        assert!(diff("a  s  CLIENT", "a  s  CLIENT\nb  s  CLIENT").is_some());
        assert!(diff("a  s  CLIENT", "a  s  CLIENT\n   b  s  CLIENT").is_some());
        assert!(diff("", "a  s  CLIENT").is_some());
    }

    #[test]
    fn hundreds_of_alike_siblings_are_compared_at_once() {
        let many = "a  s  CLIENT\n".repeat(300);
        assert_eq!(diff(&many, &many), None);
        assert!(diff(&many, &"a  s  CLIENT\n".repeat(299)).is_some());
    }
}
