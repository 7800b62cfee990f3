use std::fmt;

use super::outline::{ErrorMark, Node, UnknownParent, one_line, sorted_names};

/// A line of the expected text that cannot be read.
#[derive(Debug, PartialEq)]
pub(super) struct Malformed {
    line: usize,
    text: String,
    reason: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} of the expected trace cannot be read: {}\n  {}", self.line, self.reason, self.text)
    }
}

/// Reads the text of a trace, as the module's documentation describes it.
pub(super) fn parse(text: &str) -> Result<Vec<Node>, Malformed> {
    let mut trees = Trees::default();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        // One tab indents as far as one step of rustfmt.
        let line = line.replace('\t', "    ");
        read_line(&line).and_then(|(indent, node)| trees.add(indent, node)).map_err(|reason| Malformed {
            line: index + 1,
            text: line.trim().to_owned(),
            reason,
        })?;
    }
    Ok(trees.finish())
}

/// The trees read so far, and the path to the last line.
#[derive(Default)]
struct Trees {
    roots: Vec<Node>,
    open: Vec<(usize, Node)>,
}

impl Trees {
    fn add(&mut self, indent: usize, node: Node) -> Result<(), String> {
        let mut left = None;
        while self.open.last().is_some_and(|(open, _)| *open >= indent) {
            left = self.open.last().map(|(open, _)| *open);
            self.close();
        }
        // What was left last must have been a sibling. Something less indented than that stands
        // between two levels; less than the very first line, it would be a root that looks like its
        // parent.
        if left.is_some_and(|sibling| sibling != indent) {
            return Err(format!("its indentation ({indent}) fits no line above; siblings start in the same column"));
        }
        self.open.push((indent, node));
        Ok(())
    }

    fn close(&mut self) {
        if let Some((_, node)) = self.open.pop() {
            match self.open.last_mut() {
                Some((_, parent)) => parent.children.push(node),
                None => self.roots.push(node),
            }
        }
    }

    fn finish(mut self) -> Vec<Node> {
        while !self.open.is_empty() {
            self.close();
        }
        self.roots
    }
}

fn read_line(line: &str) -> Result<(usize, Node), String> {
    let content = line.trim_start_matches([' ', '│', '├', '└', '─']);
    let indent = line.chars().count() - content.chars().count();
    let mut columns = content.split("  ").map(str::trim).filter(|column| !column.is_empty());
    let (Some(name), Some(service), Some(kind)) = (columns.next(), columns.next(), columns.next()) else {
        return Err("a span needs a name, a service and a kind, with two or more spaces between them".to_owned());
    };
    if !["INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"].contains(&kind) {
        return Err(format!("{kind:?} is no kind: INTERNAL, SERVER, CLIENT, PRODUCER or CONSUMER"));
    }
    let mut node = Node { name: one_line(name), service: one_line(service), kind: kind.to_owned(), ..Node::default() };
    for column in columns {
        read_mark(column, &mut node)?;
    }
    Ok((indent, node))
}

fn read_mark(column: &str, node: &mut Node) -> Result<(), String> {
    if let Some(names) = column.strip_prefix('→') {
        let names = sorted_names(names);
        if names.is_empty() {
            return Err("the name of the linked span is missing after →".to_owned());
        }
        node.links.extend(names);
        node.links.sort_unstable();
    } else if let Some(kind) = column.strip_prefix('✗') {
        let kind = one_line(kind);
        node.error = Some(if kind.is_empty() { ErrorMark::Any } else { ErrorMark::Type(kind) });
    } else if let Some(parent) = column.strip_prefix('⇠') {
        let known = UnknownParent::ALL.into_iter().find(|known| known.text() == one_line(parent));
        node.parent = Some(known.ok_or("after ⇠ stands \"remote parent\" or \"missing parent\"")?);
    } else if let Some(attributes) = column.strip_prefix('{') {
        let attributes =
            attributes.strip_suffix('}').ok_or("attributes end with }, and hold no two spaces in a row")?;
        node.attributes.extend(read_attributes(attributes)?);
    } else {
        return Err(format!("{column:?} is neither → link, ✗ error type, ⇠ unknown parent nor {{key=value}}"));
    }
    Ok(())
}

fn read_attributes(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut attributes: Vec<(String, String)> = Vec::new();
    for part in text.split(", ") {
        match (part.split_once('='), attributes.last_mut()) {
            (Some((key, value)), _) => attributes.push((key.trim().to_owned(), one_line(value))),
            // A comma within a value.
            (None, Some((_, value))) => {
                value.push_str(", ");
                value.push_str(&one_line(part));
            }
            (None, None) => return Err(format!("{part:?} is no key=value")),
        }
    }
    Ok(attributes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::outline, *};

    fn reason(text: &str) -> String {
        parse(text).expect_err("must not be read").to_string()
    }

    #[test]
    fn columns_and_marks_are_read() {
        let nodes =
            parse("\n    a b   shop  PRODUCER  → y, x  ✗ Kind  ⇠ remote parent  {k=v, list=[1, 2]}  \n\n").unwrap();
        let expected = Node {
            name: "a b".to_owned(),
            service: "shop".to_owned(),
            kind: "PRODUCER".to_owned(),
            links: vec!["x".to_owned(), "y".to_owned()],
            error: Some(ErrorMark::Type("Kind".to_owned())),
            parent: Some(UnknownParent::Remote),
            attributes: vec![("k".to_owned(), "v".to_owned()), ("list".to_owned(), "[1, 2]".to_owned())],
            children: Vec::new(),
        };
        assert_eq!(nodes, [expected]);
    }

    #[test]
    fn depth_comes_from_where_a_name_starts_with_boxes_or_without() {
        let boxes =
            parse("a  s  INTERNAL\n├─ b  s  CLIENT\n│  └─ c  s  SERVER\n└─ d  s  CONSUMER\ne  s  INTERNAL").unwrap();
        let plain =
            parse("\ta  s  INTERNAL\n\t\tb  s  CLIENT\n\t\t\tc  s  SERVER\n\t\td  s  CONSUMER\n\te  s  INTERNAL")
                .unwrap();
        assert_eq!(boxes, plain);
        assert_eq!(boxes.len(), 2);
        assert_eq!(boxes[0].children[0].children[0].name, "c");
        assert_eq!(boxes[0].children[1].name, "d");
    }

    #[test]
    fn what_is_written_reads_back() {
        let text = "a       s  INTERNAL  ✗\n├─ b    s  PRODUCER  → a, a  {k=v}\n│  └─ c  s  CONSUMER  ⇠ missing parent\n└─ d    s  CLIENT\n";
        let nodes = parse(text).unwrap();
        assert_eq!(parse(&outline::text(&nodes, true)).unwrap(), nodes);
    }

    #[test]
    fn a_malformed_line_is_named() {
        let cases = [
            ("a  s  INTERNAL\n  b  s", "line 2 of the expected trace cannot be read: a span needs a name"),
            ("a  s  internal", "\"internal\" is no kind"),
            ("a  s  INTERNAL  oops", "\"oops\" is neither"),
            ("a  s  INTERNAL  →", "linked span is missing"),
            ("a  s  INTERNAL  ⇠ odd", "after ⇠ stands"),
            ("a  s  INTERNAL  {k}", "\"k\" is no key=value"),
            ("a  s  INTERNAL  {k=v", "attributes end with }"),
            ("a  s  INTERNAL\n      b  s  INTERNAL\n   c  s  INTERNAL", "line 3 of the expected trace"),
            ("  a  s  INTERNAL\nb  s  INTERNAL", "fits no line above"),
        ];
        for (text, expected) in cases {
            let reason = reason(text);
            assert!(reason.contains(expected), "{text:?} gave {reason:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "([ │├└─→✗⇠{}=,a\t]|  |  INTERNAL|\n){0,60}") {
            let _ = parse(&text);
        }
    }
}
