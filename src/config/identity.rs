//! Identities in the configuration (身份配置): `[[auth.identity]]`.

use crate::{
    auth::{Identity, Role, SubjectName, TokenHash},
    jurisdiction::Region,
    problem::Problem,
    set::Set,
    wordlist::{
        document::{Document, Entry, Located},
        tables::BodyId,
    },
};

/// Reads identities from a list of TOML tables, as the environment and flags give them.
pub(super) fn listed(origin: &str, text: &str) -> (Vec<Identity>, Vec<Problem>) {
    let source = format!("identity = {text}");
    let (read, problems) = Document::read(origin, &source, identities);
    let inline = |problem: Problem| Problem { line: 0, ..problem };
    (read.unwrap_or_default(), problems.into_iter().map(inline).collect())
}

/// Reads the identities of a table.
pub(super) fn identities(entry: &mut Entry<'_, '_>) -> Vec<Identity> {
    let mut seen = Seen::default();
    entry.entries("identity", |entry| identity(entry, &mut seen))
}

/// What must not stand twice.
#[derive(Default)]
struct Seen {
    ids: Vec<String>,
    names: Vec<SubjectName>,
    tokens: Vec<TokenHash>,
}

fn identity(entry: &mut Entry<'_, '_>, seen: &mut Seen) -> Identity {
    let id = entry.text("id");
    if id.value.len() > 64 || !id.value.bytes().all(|byte| byte.is_ascii_graphic()) {
        entry.report(id.line, format!("id '{}' must be 1 to 64 visible ASCII characters", id.value.escape_debug()));
    }
    once(entry, "id", &id, id.value.clone(), &mut seen.ids);
    if let Some(token) = entry.optional_text("token") {
        entry.report(token.line, "a token in the clear: write token_sha256 with its hash, printf %s TOKEN | sha256sum");
    }
    let names = each(entry, "san", subject_name, &mut seen.names);
    let tokens = each(entry, "token_sha256", token_hash, &mut seen.tokens);
    let roles = some(entry, "roles", |text| Role::from_id(text).ok_or_else(known_roles));
    let regions = some(entry, "regions", |text| Region::parse(text).map_err(|error| error.to_string()));
    let body = entry.optional_text("body").and_then(|body| {
        let read = BodyId::parse(&body.value);
        if read.is_none() {
            entry.report(body.line, format!("'body': '{}' is no REGION/FUNCTION such as 320100/finance-office", body.value));
        }
        read
    });
    if names.is_empty() && tokens.is_empty() {
        entry.report(entry.line(), format!("identity '{}' has neither a san nor a token_sha256: nobody could be it", id.value));
    }
    Identity { id: id.value, names, tokens, roles: Set::from_iter(roles), regions, body }
}

fn known_roles() -> String {
    format!("not a role: {}", Role::ALL.iter().map(|role| role.id()).collect::<Vec<_>>().join(", "))
}

/// A list that must not be empty.
fn some<T>(entry: &mut Entry<'_, '_>, key: &'static str, parse: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
    let texts = entry.required_texts(key);
    texts.iter().filter_map(|text| parsed(entry, key, text, &parse)).collect()
}

/// A list whose values belong to one identity only.
fn each<T: PartialEq + Clone>(
    entry: &mut Entry<'_, '_>,
    key: &'static str,
    parse: impl Fn(&str) -> Result<T, String>,
    seen: &mut Vec<T>,
) -> Vec<T> {
    let texts = entry.texts(key).unwrap_or_default();
    let mut values = Vec::new();
    for text in texts {
        let Some(value) = parsed(entry, key, &text, &parse) else { continue };
        once(entry, key, &text, value.clone(), seen);
        values.push(value);
    }
    values
}

fn parsed<T>(entry: &Entry<'_, '_>, key: &str, text: &Located<String>, parse: &impl Fn(&str) -> Result<T, String>) -> Option<T> {
    parse(&text.value).map_err(|why| entry.report(text.line, format!("'{key}': '{}': {why}", text.value))).ok()
}

fn once<T: PartialEq>(entry: &Entry<'_, '_>, key: &str, text: &Located<String>, value: T, seen: &mut Vec<T>) {
    if seen.contains(&value) {
        entry.report(text.line, format!("'{key}': '{}' stands twice: nobody could say which identity it is", text.value));
    }
    seen.push(value);
}

fn subject_name(text: &str) -> Result<SubjectName, String> {
    match text.split_once(':') {
        Some(("URI", uri)) if !uri.is_empty() => Ok(SubjectName::Uri(uri.to_owned())),
        Some(("DNS", host)) if !host.is_empty() && !host.contains('*') => Ok(SubjectName::Dns(host.to_ascii_lowercase())),
        _ => Err("not URI:… or DNS:…, one name without *".to_owned()),
    }
}

fn token_hash(text: &str) -> Result<TokenHash, String> {
    let hash: Option<Vec<u8>> = (text.len() == 64 && text.is_ascii())
        .then(|| (0..64).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect())
        .flatten();
    hash.and_then(|hash| hash.try_into().ok()).map(TokenHash).ok_or_else(|| "not the 64 hexadecimal digits of a SHA-256".to_owned())
}

/// Identities as a list of TOML tables, as [`listed`] reads it.
pub(super) fn written(identities: &[Identity]) -> String {
    let list = |texts: Vec<String>| format!("[{}]", texts.iter().map(|text| format!("\"{text}\"")).collect::<Vec<_>>().join(", "));
    let table = |identity: &Identity| {
        let names = identity.names.iter().map(|name| match name {
            SubjectName::Uri(uri) => format!("URI:{uri}"),
            SubjectName::Dns(host) => format!("DNS:{host}"),
        });
        let tokens = identity.tokens.iter().map(ToString::to_string);
        let mut parts = vec![format!("id = \"{}\"", identity.id.replace('\\', "\\\\").replace('"', "\\\""))];
        parts.push(format!("san = {}", list(names.collect())));
        parts.push(format!("token_sha256 = {}", list(tokens.collect())));
        parts.push(format!("roles = {}", list(identity.roles.iter().map(|role| role.id().to_owned()).collect())));
        parts.push(format!("regions = {}", list(identity.regions.iter().map(ToString::to_string).collect())));
        parts.extend(identity.body.map(|body| format!("body = \"{body}\"")));
        format!("{{ {} }}", parts.join(", "))
    };
    format!("[{}]", identities.iter().map(table).collect::<Vec<_>>().join(", "))
}
