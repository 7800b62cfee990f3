use opentelemetry::KeyValue;

use super::{span::CapturedSpan, span_list::kind_name, tree::Tree};

/// One line of the text of a trace, and those below it. Expected and captured traces are both
/// written so.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) service: String,
    pub(super) kind: String,
    /// Names, sorted.
    pub(super) links: Vec<String>,
    pub(super) error: Option<ErrorMark>,
    pub(super) parent: Option<UnknownParent>,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) children: Vec<Self>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum ErrorMark {
    Any,
    Type(String),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum UnknownParent {
    Remote,
    Missing,
}

impl UnknownParent {
    pub(super) const ALL: [Self; 2] = [Self::Remote, Self::Missing];

    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Remote => "remote parent",
            Self::Missing => "missing parent",
        }
    }

    pub(super) fn of(tree: Tree<'_>) -> Option<Self> {
        tree.is_orphan().then(|| if tree.span().parent_is_remote() { Self::Remote } else { Self::Missing })
    }
}

impl Node {
    /// Whether a captured line is what this expected one says, without regard to what is below.
    pub(super) fn describes(&self, captured: &Self) -> bool {
        (&self.name, &self.service, &self.kind) == (&captured.name, &captured.service, &captured.kind)
            && self.links == captured.links
            && self.parent == captured.parent
            && match (&self.error, &captured.error) {
                (None, None) | (Some(ErrorMark::Any), Some(_)) => true,
                (expected, captured) => expected == captured,
            }
            && self.attributes.iter().all(|expected| captured.attributes.contains(expected))
    }

    /// The columns after the name; of the attributes, those with these keys.
    fn columns(&self, keys: &[&str]) -> Vec<String> {
        let mut columns = vec![self.service.clone(), self.kind.clone()];
        if !self.links.is_empty() {
            columns.push(format!("→ {}", self.links.join(", ")));
        }
        match &self.error {
            None => {}
            Some(ErrorMark::Any) => columns.push("✗".to_owned()),
            Some(ErrorMark::Type(kind)) => columns.push(format!("✗ {kind}")),
        }
        columns.extend(self.parent.map(|parent| format!("⇠ {}", parent.text())));
        let attributes: Vec<_> = self
            .attributes
            .iter()
            .filter(|(key, _)| keys.contains(&key.as_str()))
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        if !attributes.is_empty() {
            columns.push(format!("{{{}}}", attributes.join(", ")));
        }
        columns
    }

    pub(super) fn keys(&self) -> Vec<&str> {
        self.attributes.iter().map(|(key, _)| key.as_str()).collect()
    }
}

/// The lines of a captured tree.
pub(super) fn node(tree: Tree<'_>) -> Node {
    let span = tree.span();
    let name = |link| tree.forest().find(link).map_or("?".to_owned(), |linked| one_line(linked.name()));
    let links = span.links().iter().map(|link| name(&link.span_context)).collect::<Vec<_>>();
    Node {
        name: one_line(span.name()),
        service: one_line(span.service()),
        kind: kind_name(&span.kind()).to_owned(),
        links: sorted_names(&links.join(", ")),
        error: error_mark(span),
        parent: UnknownParent::of(tree),
        attributes: attributes(span),
        children: tree.children().map(node).collect(),
    }
}

fn attributes(span: &CapturedSpan) -> Vec<(String, String)> {
    // A key that was set twice has its last value only.
    let counts = |pair: &&KeyValue| span.attribute(pair.key.as_str()) == Some(&pair.value);
    span.attributes().iter().filter(counts).map(|pair| (pair.key.to_string(), one_line(&pair.value.as_str()))).collect()
}

fn error_mark(span: &CapturedSpan) -> Option<ErrorMark> {
    let kind = span.attribute("error.type").map(|kind| ErrorMark::Type(one_line(&kind.as_str())));
    span.is_error().then(|| kind.unwrap_or(ErrorMark::Any))
}

/// Splits at commas, names with commas included: both sides of a comparison are split alike.
pub(super) fn sorted_names(names: &str) -> Vec<String> {
    let mut names: Vec<_> = names.split(',').map(one_line).filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    names
}

/// The text without what would look like a column or a line of its own.
pub(super) fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// A line, with what is to be drawn before its name.
pub(super) struct Line<'a> {
    pub(super) prefix: String,
    pub(super) node: &'a Node,
    /// Attributes to write.
    pub(super) keys: Vec<&'a str>,
}

/// The text of some trees; it ends with a line break unless it is empty.
///
/// With attributes for what was expected: it names the few that matter. A captured span has too
/// many.
pub(super) fn text(nodes: &[Node], attributes: bool) -> String {
    fn walk<'a>(nodes: &'a [Node], indent: Option<&str>, attributes: bool, lines: &mut Vec<Line<'a>>) {
        for (index, node) in nodes.iter().enumerate() {
            let last = index + 1 == nodes.len();
            let (prefix, below) = match indent {
                None => (String::new(), String::new()),
                Some(indent) if last => (format!("{indent}└─ "), format!("{indent}   ")),
                Some(indent) => (format!("{indent}├─ "), format!("{indent}│  ")),
            };
            lines.push(Line { prefix, node, keys: if attributes { node.keys() } else { Vec::new() } });
            walk(&node.children, Some(&below), attributes, lines);
        }
    }
    let mut lines = Vec::new();
    walk(nodes, None, attributes, &mut lines);
    align(&lines)
}

pub(super) fn align(lines: &[Line<'_>]) -> String {
    let rows: Vec<Vec<String>> = lines
        .iter()
        .map(|line| {
            let mut row = vec![format!("{}{}", line.prefix, line.node.name)];
            row.extend(line.node.columns(&line.keys));
            row
        })
        .collect();
    // Only the first three: what follows differs from line to line.
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<_> = (0..3).filter_map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = widths.get(column).copied().unwrap_or_default();
            line.push_str(&format!("{cell:width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use opentelemetry::{KeyValue, trace::SpanKind};

    use super::{
        super::{
            Forest,
            synthetic::{TRACE, span},
        },
        one_line,
    };

    #[test]
    fn a_forest_is_written_in_aligned_columns() {
        let forest = Forest::new([
            span(1, 0, "shop", "checkout", [0, 50]).build(),
            span(2, 1, "shop", "publish  orders", [1, 5]).kind(SpanKind::Producer).build(),
            span(3, 2, "warehouse", "process orders", [10, 15])
                .kind(SpanKind::Consumer)
                .link(TRACE, 2)
                .link(5, 5)
                .attribute(KeyValue::new("error.type", "OutOfStock"))
                .error("out of stock")
                .build(),
            span(4, 1, "shop", "reply", [30, 31]).build(),
            span(9, 99, "other", "late", [40, 41]).remote().build(),
            span(10, 98, "other", "later", [41, 42]).error("").build(),
        ]);
        let expected = "\
checkout              shop       INTERNAL
├─ publish orders     shop       PRODUCER
│  └─ process orders  warehouse  CONSUMER  → ?, publish orders  ✗ OutOfStock
└─ reply              shop       INTERNAL
late                  other      INTERNAL  ⇠ remote parent
later                 other      INTERNAL  ✗  ⇠ missing parent
";
        assert_eq!(forest.to_string(), expected);
    }

    #[test]
    fn an_overwritten_attribute_does_not_count() {
        let overwritten =
            span(1, 0, "a", "b", [0, 1]).attribute(KeyValue::new("k", 1)).attribute(KeyValue::new("k", 2));
        assert_eq!(Forest::new([overwritten.build()]).outline()[0].attributes, [("k".to_owned(), "2".to_owned())]);
    }

    #[test]
    fn nothing_is_written_as_nothing() {
        assert_eq!(Forest::new([]).to_string(), "");
    }

    #[test]
    fn line_breaks_and_escape_sequences_stay_out() {
        assert_eq!(one_line(" a \n\t b\u{1b}[31m  c "), "a b [31m c");
    }
}
