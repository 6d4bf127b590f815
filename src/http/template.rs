//! Path templates (路径模板) of `google.api.http`: `/v1/instruments/{id}`, `/v1/terms:find`, `/v1/{name=shelves/*}:move`.

use std::{fmt::Write, ops::Range};

use percent_encoding::percent_decode_str;

/// What a segment of a path must be; in the order in which templates are tried.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    /// This very text.
    Literal(String),
    /// `*`: any one.
    One,
    /// `**`: whatever is left.
    Rest,
}

/// A path template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    segments: Vec<Segment>,
    /// What stands behind the colon of the last segment.
    verb: Option<String>,
    /// Field paths, and the segments that each takes.
    variables: Vec<(String, Range<usize>)>,
}

/// A variable's field path and its value.
pub(super) type Captured = (String, String);

/// A path that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoText;

impl Template {
    /// Reads a template; nothing where it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (path, verb) = split_verb(text.strip_prefix('/')?);
        let mut template = Self { segments: Vec::new(), verb: verb.map(str::to_owned), variables: Vec::new() };
        for part in parts(path)? {
            template.add(part)?;
        }
        let rest = template.segments.iter().position(|segment| *segment == Segment::Rest);
        let whole = rest.is_none_or(|at| at + 1 == template.segments.len());
        (whole && template.verb.as_deref() != Some("")).then_some(template)
    }

    fn add(&mut self, part: &str) -> Option<()> {
        let Some(variable) = part.strip_prefix('{') else {
            self.segments.push(segment(part)?);
            return Some(());
        };
        let (name, pattern) = variable.strip_suffix('}')?.split_once('=').unwrap_or((variable.strip_suffix('}')?, "*"));
        let start = self.segments.len();
        for part in pattern.split('/') {
            self.segments.push(segment(part)?);
        }
        self.variables.push((name.to_owned(), start..self.segments.len()));
        (!name.is_empty()).then_some(())
    }

    /// The order in which templates are tried: what is fixed before what is open, with a verb before without.
    pub(super) fn order(&self) -> impl Ord + use<> {
        (self.segments.clone(), self.verb.is_none(), self.verb.clone())
    }

    /// The field paths of its variables.
    pub(super) fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(|(name, _)| name.as_str())
    }

    /// Its first segment, where that is fixed.
    pub(super) fn first(&self) -> Option<&str> {
        match self.segments.first()? {
            Segment::Literal(text) => Some(text),
            Segment::One | Segment::Rest => None,
        }
    }

    /// The field paths of those of its variables that a caller fills in; the others are fixed.
    pub(super) fn filled_in(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().filter(|(_, range)| self.open_at(range).is_some()).map(|(name, _)| name.as_str())
    }

    /// The first segment of a variable that is open.
    fn open_at(&self, range: &Range<usize>) -> Option<usize> {
        range.clone().find(|at| !matches!(self.segments[*at], Segment::Literal(_)))
    }

    /// As `OpenAPI` writes it: `/v1/instruments/{id}`; what is fixed of a variable stands as it is.
    pub(super) fn plain(&self) -> String {
        let mut path = String::new();
        for (at, segment) in self.segments.iter().enumerate() {
            let of = self.variables.iter().find(|(_, range)| range.contains(&at));
            match (of, segment) {
                (_, Segment::Literal(text)) => _ = write!(path, "/{text}"),
                (Some((name, range)), _) if self.open_at(range) == Some(at) => _ = write!(path, "/{{{name}}}"),
                (_, Segment::One | Segment::Rest) => path.push_str("/*"),
            }
        }
        if let Some(verb) = &self.verb {
            _ = write!(path, ":{verb}");
        }
        path
    }

    /// The values of its variables in a path, percent-decoded; nothing where the path is another.
    pub(super) fn matches(&self, path: &str) -> Option<Result<Vec<Captured>, NoText>> {
        let mut path = path.strip_prefix('/')?;
        if let Some(verb) = &self.verb {
            path = path.strip_suffix(verb.as_str())?.strip_suffix(':')?;
        }
        let count = self.segments.len();
        let found: Vec<&str> = match self.segments.last()? {
            Segment::Rest => path.splitn(count, '/').collect(),
            Segment::Literal(_) | Segment::One => path.split('/').collect(),
        };
        let fits = found.len() == count && self.segments.iter().zip(&found).all(|(segment, part)| segment.admits(part));
        fits.then(|| self.variables.iter().map(|(name, range)| Ok((name.clone(), decoded(&found[range.clone()])?))).collect())
    }
}

impl Segment {
    fn admits(&self, part: &str) -> bool {
        match self {
            Self::Literal(text) => decoded(&[part]).as_ref() == Ok(text),
            Self::One | Self::Rest => !part.is_empty(),
        }
    }
}

fn decoded(parts: &[&str]) -> Result<String, NoText> {
    let joined = parts.join("/");
    percent_decode_str(&joined).decode_utf8().map(std::borrow::Cow::into_owned).map_err(|_| NoText)
}

fn segment(text: &str) -> Option<Segment> {
    match text {
        "*" => Some(Segment::One),
        "**" => Some(Segment::Rest),
        "" => None,
        literal => literal.chars().all(|c| !"{}=*:".contains(c)).then(|| Segment::Literal(literal.to_owned())),
    }
}

/// Splits off what stands behind the last colon.
fn split_verb(path: &str) -> (&str, Option<&str>) {
    path.rsplit_once(':').map_or((path, None), |(path, verb)| (path, Some(verb)))
}

/// The parts between slashes; those inside braces do not count.
fn parts(path: &str) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    let (mut start, mut inside) = (0, false);
    for (at, c) in path.char_indices() {
        match c {
            '{' | '}' if inside == (c == '{') => return None,
            '{' | '}' => inside = !inside,
            '/' if !inside => {
                parts.push(&path[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&path[start..]);
    (!inside).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::{NoText, Template};

    fn captured(template: &str, path: &str) -> Option<Result<Vec<(String, String)>, NoText>> {
        Template::parse(template).expect("a template").matches(path)
    }

    fn values(template: &str, path: &str) -> Option<Vec<String>> {
        captured(template, path).map(|found| found.expect("text").into_iter().map(|(_, value)| value).collect())
    }

    #[test]
    fn paths_fit_or_do_not() {
        let none: &[&str] = &[];
        let cases: &[(&str, &str, Option<&[&str]>)] = &[
            ("/v1/screen", "/v1/screen", Some(none)),
            ("/v1/screen", "/v1/screen/", None),
            ("/v1/screen", "/v1/screen:batch", None),
            ("/v1/screen:batch", "/v1/screen:batch", Some(none)),
            ("/v1/screen:batch", "/v1/screen", None),
            ("/v1/x/{id}", "/v1/x/5", Some(&["5"])),
            ("/v1/x/{id}", "/v1/x/", None),
            ("/v1/x/{id}", "/v1/x/5/6", None),
            ("/v1/x/{id}", "/v1/x/%E6%98%8E%2F%E5%AF%9F", Some(&["明/察"])),
            ("/v1/x/{id}:close", "/v1/x/5:close", Some(&["5"])),
            ("/v1/x/{id}:close", "/v1/x/:close", None),
            ("/v1/x/{id}:close", "/v1/x/5:open", None),
            ("/v1/x/{a.b}/y/{c}", "/v1/x/1/y/2", Some(&["1", "2"])),
            ("/v1/{name=shelves/*/books/*}", "/v1/shelves/3/books/4", Some(&["shelves/3/books/4"])),
            ("/v1/{name=files/**}:read", "/v1/files/a/b/c:read", Some(&["files/a/b/c"])),
            ("/v1/*/z", "/v1/any/z", Some(none)),
        ];
        for (template, path, expected) in cases {
            let expected = expected.map(|values| values.iter().map(|value| (*value).to_owned()).collect());
            assert_eq!(values(template, path), expected, "{template} {path}");
        }
        assert_eq!(captured("/v1/x/{id}", "/v1/x/%FF"), Some(Err(NoText)));
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for text in ["", "v1", "/", "/v1//x", "/v1/{}", "/v1/{id", "/v1/id}", "/v1/{a{b}}", "/v1/**/x", "/v1/x:", "/v1/a*", "/v1/{id=}"] {
            assert_eq!(Template::parse(text), None, "{text}");
        }
    }

    #[test]
    fn they_are_tried_from_the_fixed_to_the_open() {
        let mut templates: Vec<_> = ["/v1/**", "/v1/{id}", "/v1/{id}:go", "/v1/x:go", "/v1/x"].map(|t| Template::parse(t).expect(t)).into();
        templates.sort_by_key(Template::order);
        let plain: Vec<_> = templates.iter().map(Template::plain).collect();
        assert_eq!(plain, ["/v1/x:go", "/v1/x", "/v1/{id}:go", "/v1/{id}", "/v1/*"]);
        let plain = |text: &str| Template::parse(text).expect("a template").plain();
        assert_eq!(plain("/v1/{name=operations}"), "/v1/operations");
        assert_eq!(plain("/v1/{name=operations/**}:cancel"), "/v1/operations/{name}:cancel");
        assert_eq!(Template::parse("/v1/{name=operations}/{of}").expect("a template").filled_in().collect::<Vec<_>>(), ["of"]);
    }
}
