//! Who may call what: tokens, roles, the whole table.

use std::{collections::BTreeSet, sync::Arc};

use mingcha::{
    auth::{Access, Identity, METHODS, Role, SubjectName, TokenHash},
    http::OPENAPI_PATH,
    server::tls::Certificates,
    wire::DESCRIPTORS,
};
use sha2::{Digest, Sha256};
use tonic::Code;

use super::{Client, House, Plan, SCREEN, Seen, tls};
use crate::certificates::{Authority, Certified};

fn hash(token: &str) -> TokenHash {
    TokenHash(Sha256::digest(token).into())
}

fn with_token(id: &str, token: &str, role: Role) -> Identity {
    Identity { tokens: vec![hash(token)], roles: [role].into_iter().collect(), ..tls::identity(id, Vec::new()) }
}

/// A house behind TLS where certificates are welcome and not required.
struct Guarded {
    house: House,
    authority: Authority,
    _folder: tempfile::TempDir,
}

impl Guarded {
    async fn with(callers: Vec<Identity>) -> Self {
        let authority = Authority::new("bureaus");
        let folder = tls::folder(&authority);
        let paths = mingcha::config::Tls { client_required: false, ..tls::paths(folder.path()) };
        let certificates = Arc::new(Certificates::load(&paths).expect("good files"));
        let house = Plan { tls: Some(certificates), callers: Some(callers), ..Plan::default() }.build().await;
        Self { house, authority, _folder: folder }
    }

    async fn client(&self, certificate: Option<&Certified>) -> Client {
        Client::over(tls::encrypted(&self.house, &self.authority, certificate).await.expect("taken")).await.expect("HTTP/2")
    }
}

fn refused(seen: &Seen, code: Code, reason: &str) {
    assert_eq!((seen.code, seen.reason().0.as_str()), (code, reason), "{seen:?}");
}

#[tokio::test]
async fn tokens_say_who_calls() {
    let mut nanjing = with_token("nanjing", "a token of nanjing", Role::Registrar);
    nanjing.tokens.push(hash("the next token of nanjing"));
    let suzhou =
        Identity { names: vec![SubjectName::Dns("suzhou.example".to_owned())], ..with_token("suzhou", "another", Role::Registrar) };
    let guarded = Guarded::with(vec![nanjing, suzhou]).await;
    let mut client = guarded.client(None).await;
    for (header, id) in
        [("Bearer a token of nanjing", "nanjing"), ("bearer the next token of nanjing", "nanjing"), ("BEARER another", "suzhou")]
    {
        let seen = client.call(SCREEN, &[("authorization", header)]).await;
        assert_eq!(seen.code, Code::Ok, "{header}");
        assert_eq!(seen.headers["x-caller"], id);
    }
    for (headers, reason) in [
        (&[][..], "NO_CREDENTIALS"),
        (&[("authorization", "Bearer a token of nanjin")], "TOKEN_UNKNOWN"),
        (&[("authorization", "Bearer a token of nanjing ")], "TOKEN_UNKNOWN"),
        (&[("authorization", "Basic bmFuamluZzo=")], "NOT_BEARER"),
        (&[("authorization", "Bearer ")], "NOT_BEARER"),
        (&[("authorization", "a")], "NOT_BEARER"),
        (&[("authorization", "Bearer another"), ("authorization", "Bearer a token of nanjing")], "NOT_BEARER"),
    ] {
        let seen = client.call(SCREEN, headers).await;
        // HTTP takes the blank from the end of a header's value: it is the token itself then
        if headers.first().is_some_and(|(_, value)| value.ends_with("nanjing ")) && seen.code == Code::Ok {
            continue;
        }
        refused(&seen, Code::Unauthenticated, reason);
    }
    let mut both = guarded.client(Some(&guarded.authority.client("DNS:suzhou.example", 20))).await;
    assert_eq!(both.call(SCREEN, &[("authorization", "Bearer another")]).await.headers["x-caller"], "suzhou");
    refused(&both.call(SCREEN, &[("authorization", "Bearer a token of nanjing")]).await, Code::Unauthenticated, "TWO_IDENTITIES");
    refused(&both.call(SCREEN, &[("authorization", "Bearer no token")]).await, Code::Unauthenticated, "TOKEN_UNKNOWN");
    let mut unknown = guarded.client(Some(&guarded.authority.client("DNS:wuxi.example", 21))).await;
    refused(&unknown.call(SCREEN, &[]).await, Code::Unauthenticated, "CERTIFICATE_UNKNOWN");
}

#[tokio::test]
async fn a_token_in_plain_text_is_refused() {
    let house = Plan { callers: Some(vec![with_token("nanjing", "a token", Role::Registrar)]), ..Plan::default() }.build().await;
    let mut client = house.client().await;
    refused(&client.call(SCREEN, &[("authorization", "Bearer a token")]).await, Code::Unauthenticated, "TOKEN_IN_PLAIN_TEXT");
}

/// Every method for every role, for nobody, and for anybody: as the table says.
#[tokio::test]
async fn the_table_is_kept() {
    let callers = Role::ALL.iter().map(|role| with_token(role.id(), role.id(), *role)).collect();
    let guarded = Guarded::with(callers).await;
    let open = Plan::default().build().await;
    let (mut client, mut anyone) = (guarded.client(None).await, open.client().await);
    for method in METHODS {
        assert_eq!(anyone.call(method.path, &[]).await.code, Code::Ok, "{}", method.path);
        let nobody = client.call(method.path, &[]).await;
        match method.access {
            Access::Open => assert_eq!(nobody.code, Code::Ok, "{}", method.path),
            Access::Roles(_) => refused(&nobody, Code::Unauthenticated, "NO_CREDENTIALS"),
        }
        for role in Role::ALL {
            let seen = client.call(method.path, &[("authorization", &format!("Bearer {}", role.id()))]).await;
            match method.access {
                Access::Roles(roles) if !roles.contains(role) => {
                    refused(&seen, Code::PermissionDenied, "ROLE_MISSING");
                    let needed = roles.iter().map(|role| role.id()).collect::<Vec<_>>().join(" ");
                    let metadata = seen.reason().1;
                    assert_eq!(
                        (metadata["roles"].as_str(), metadata["identity"].as_str(), metadata["method"].as_str()),
                        (&*needed, role.id(), method.path)
                    );
                }
                _ => assert_eq!(seen.code, Code::Ok, "{} {}", method.path, role.id()),
            }
        }
    }
    for path in ["/", "/mingcha.v1.ScreeningService/Nothing", "/mingcha.v1.ScreeningService/screen", "/v1/screen"] {
        refused(&client.call(path, &[("authorization", "Bearer steward")]).await, Code::Unimplemented, "NO_SUCH_METHOD");
        refused(&client.call(path, &[]).await, Code::Unauthenticated, "NO_CREDENTIALS");
    }
}

/// The table has every method of the contract, and says rightly which of them stream.
#[test]
fn the_table_is_complete() {
    let pool = prost_reflect::DescriptorPool::decode(DESCRIPTORS).expect("the descriptors of the contract");
    let methods: Vec<_> = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()).collect();
    let contract: BTreeSet<(String, bool)> = methods
        .iter()
        .map(|method| {
            // whoever waits for an operation stays as long as a stream
            let streams = method.is_server_streaming() || method.is_client_streaming() || method.name() == "WaitOperation";
            (format!("/{}/{}", method.parent_service().full_name(), method.name()), streams)
        })
        .collect();
    let table = METHODS.iter().filter(|method| ["/mingcha", "/google"].iter().any(|ours| method.path.starts_with(ours)));
    assert_eq!(table.map(|method| (method.path.to_owned(), method.streams)).collect::<BTreeSet<_>>(), contract);
    assert_eq!(METHODS.iter().map(|method| method.path).collect::<BTreeSet<_>>().len(), METHODS.len());
}

/// `docs/access.md` is the table; `MINGCHA_UPDATE=1` writes it.
#[test]
fn the_document_is_the_table() {
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let roles = |of: &dyn Fn(Role) -> String| Role::ALL.iter().map(|role| of(*role)).collect::<Vec<_>>();
    let head = row([vec!["method".to_owned()], roles(&|role| format!("{} {}", role.id(), role.chinese()))].concat());
    let rule = row(vec!["---".to_owned(); Role::ALL.len() + 1]);
    let rows = METHODS.iter().map(|method| {
        let cell = |role| match method.access {
            Access::Open => "open".to_owned(),
            Access::Roles(admitted) => if admitted.contains(&role) { "yes" } else { "" }.to_owned(),
        };
        row([vec![format!("`{}`", method.path.trim_start_matches('/'))], roles(&cell)].concat())
    });
    let text = format!(
        "# Who may call what\n\nMade from the table in `src/auth/permission.rs` by\n\
         `MINGCHA_UPDATE=1 cargo test --release the_document_is_the_table`; a test keeps it.\n\n{head}{rule}{}\n\
         *open*: without an identity. An HTTP call needs what its method needs. Open besides, and no calls: `GET {OPENAPI_PATH}`, and the\n\
         answers that there is nothing at a path (404) or not for this verb (405). They carry an `x-request-id` and are counted in\n\
         `mingcha_http_uncalled_total`.\n",
        rows.collect::<String>()
    );
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/access.md");
    if std::env::var_os("MINGCHA_UPDATE").is_some() {
        std::fs::write(path, &text).expect("written");
    }
    assert_eq!(std::fs::read_to_string(path).expect("the document"), text);
}
