//! The configuration: from the file, the environment and the flags; every problem at once, with where it came from.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use mingcha::{
    auth::{Role, SubjectName},
    config::{
        flags::Flags,
        keys::{KEYS, key},
        load::{Loaded, load},
    },
    jurisdiction::Region,
    problem::Problems,
};

use crate::certificates::Authority;

const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn loaded(file: &str, environment: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Result<Loaded, Problems> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mingcha.toml");
    fs::write(&path, file).expect("written");
    let flags = Flags { file: Some(path), given: flags.iter().map(|(path, text)| (*path, (*text).to_owned())).collect() };
    load(&flags, environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

/// What is wrong, each with its place; the folder of the file is left out.
fn problems(file: &str, environment: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Vec<String> {
    let said = |problem: &mingcha::problem::Problem| {
        let problem = problem.to_string();
        problem.find("mingcha.toml").map_or(problem.clone(), |at| problem[at..].to_owned())
    };
    match loaded(file, environment, flags) {
        Ok(loaded) => panic!("this was taken: {:?}", loaded.config),
        Err(problems) => problems.list().iter().map(said).collect(),
    }
}

#[test]
fn a_flag_goes_before_the_environment_before_the_file_before_the_default() {
    let file = "listen = \"127.0.0.1:1\"\n[limits]\nconcurrency = 1\nstreams = 1\nsilence = \"1s\"\n";
    let environment = [
        ("MINGCHA_LIMITS_CONCURRENCY", "2"),
        ("MINGCHA_LIMITS_STREAMS", "2"),
        ("HOME", "/"),
        ("MINGCHA_REGISTER", "x.tsv"),
        ("MINGCHA_DATA", ""),
        ("MINGCHA_SERVICE_HOST", "10.0.0.1"),
    ];
    let loaded = loaded(file, &environment, &[("limits.concurrency", "3")]).expect("good");
    let limits = &loaded.config.limits;
    assert_eq!((limits.concurrency, limits.streams, limits.silence.as_secs(), limits.connections), (3, 2, 1, 4096));
    assert_eq!(loaded.config.listen.port(), 1);
    let shown = loaded.shown();
    for line in [
        "limits.concurrency = 3 # --limits-concurrency",
        "limits.streams = 2 # environment MINGCHA_LIMITS_STREAMS",
        "mingcha.toml:5",
        "limits.connections = 4096 # default",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
}

#[test]
fn everything_wrong_is_said_at_once_with_its_place() {
    let file = "listen = \"nowhere\"\ngrace = \"-1s\"\nnotise = \"1s\"\n[limits]\nconcurrency = \"many\"\n[limit]\nstreams = 1\n[telemetry]\nlog_format = \"xml\"\nsample = 2\n";
    let environment = [("MINGCHA_LIMITS_STREAM", "2"), ("MINGCHA_NOTICE", "soon")];
    let said = problems(file, &environment, &[("limits.request_bytes", "8MB")]);
    for expected in [
        "mingcha.toml:1: listen: 'nowhere'",
        "mingcha.toml:2: grace: '-1s' is negative",
        "mingcha.toml:3: unknown key 'notise'; did you mean 'notice'?",
        "mingcha.toml:5: limits.concurrency: 'many'",
        "mingcha.toml:6: unknown key 'limit'; did you mean 'limits'?",
        "mingcha.toml:9: telemetry.log_format: 'xml'",
        "mingcha.toml:10: telemetry.sample: '2'",
        "environment MINGCHA_LIMITS_STREAM: no key has this variable; did you mean MINGCHA_LIMITS_STREAMS?",
        "environment MINGCHA_NOTICE: notice: 'soon'",
        "--limits-request-bytes: limits.request_bytes: '8MB'",
    ] {
        assert!(said.iter().any(|said| said.starts_with(expected)), "{expected}\n{}", said.join("\n"));
    }
    assert_eq!(said.len(), 10, "{}", said.join("\n"));
    assert!(problems("listen = [", &[], &[])[0].starts_with("mingcha.toml:1: "));
    let missing = load(&Flags { file: Some("/nowhere/mingcha.toml".into()), given: Vec::new() }, []).expect_err("no file");
    assert!(missing.to_string().starts_with("/nowhere/mingcha.toml: "), "{missing}");
}

const IDENTITY: &str = "id = \"nj\"\nsan = [\"URI:spiffe://b/nj\", \"DNS:NJ.example\"]\nroles = [\"registrar\", \"auditor\"]\nregions = [\"320100\"]\nbody = \"320100/market-regulator\"\n";
const TLS: &str = "[tls]\ncertificate = \"a\"\nkey = \"b\"\nclient_ca = \"c\"\n";

#[test]
fn identities_are_read_from_everywhere() {
    let file = format!("{TLS}[[auth.identity]]\n{IDENTITY}");
    let inline = format!("[{{ {} }}]", IDENTITY.trim_end().replace('\n', ", "));
    let by_file = loaded(&file, &[], &[]).expect("good").config.auth.expect("identities");
    let by_environment = loaded(TLS, &[("MINGCHA_AUTH_IDENTITY", &inline)], &[]).expect("good").config.auth.expect("identities");
    let by_flag = loaded(TLS, &[], &[("auth.identity", &inline)]).expect("good").config.auth.expect("identities");
    assert_eq!((&by_file, &by_file), (&by_environment, &by_flag));
    let [nanjing] = &by_file[..] else { panic!("{by_file:?}") };
    assert_eq!(nanjing.names, [SubjectName::Uri("spiffe://b/nj".to_owned()), SubjectName::Dns("nj.example".to_owned())]);
    assert!(nanjing.roles.contains(Role::Auditor) && !nanjing.roles.contains(Role::Steward));
    assert!(nanjing.reaches(Region::parse("320106").expect("a code")) && !nanjing.reaches(Region::parse("320000").expect("a code")));
    assert_eq!(nanjing.body.map(|body| body.to_string()).as_deref(), Some("320100/market-regulator"));
}

#[test]
fn bad_identities_are_named() {
    let cases = [
        (IDENTITY.replace("\"nj\"", "\"\""), "'id' is empty"),
        (IDENTITY.replace("\"nj\"", "\"a b\""), "visible ASCII"),
        (IDENTITY.replace("URI:", "IP:"), "not URI:… or DNS:…"),
        (IDENTITY.replace("NJ.example", "*.example"), "without *"),
        (IDENTITY.replace("registrar", "boss"), "not a role: registrar, finance, steward, auditor"),
        (IDENTITY.replace("320100\"]", "Nanjing\"]"), "'regions'"),
        (IDENTITY.replace("[\"320100\"]", "[]"), "'regions' is missing or empty"),
        (IDENTITY.replace("market-regulator", "boss"), "'body'"),
        (format!("{IDENTITY}token = \"secret\"\n"), "sha256sum"),
        (format!("{IDENTITY}token_sha256 = [\"secret\"]\n"), "64 hexadecimal digits"),
        (IDENTITY.replace("san = [\"URI:spiffe://b/nj\", \"DNS:NJ.example\"]\n", ""), "neither a san nor a token_sha256"),
        (IDENTITY.replace("roles", "role"), "unknown key 'role'; did you mean 'roles'?"),
        (format!("{IDENTITY}[[auth.identity]]\n{IDENTITY}"), "stands twice"),
    ];
    for (identity, expected) in cases {
        let said = problems(&format!("{TLS}[[auth.identity]]\n{identity}"), &[], &[]);
        assert!(said.iter().any(|said| said.contains(expected) && said.starts_with("mingcha.toml:")), "{expected}\n{}", said.join("\n"));
    }
    let said = problems(TLS, &[("MINGCHA_AUTH_IDENTITY", "[{ id = \"x\" }]")], &[]);
    assert!(said.iter().all(|said| said.starts_with("environment MINGCHA_AUTH_IDENTITY: ")), "{said:?}");
}

#[test]
fn keys_are_held_against_each_other() {
    let token = format!("[[auth.identity]]\nid = \"t\"\ntoken_sha256 = [\"{HASH}\"]\nroles = [\"auditor\"]\nregions = [\"000000\"]\n");
    let cases = [
        ("listen = \"0.0.0.0:1\"".to_owned(), "mingcha.toml:1: listen: without identities"),
        (format!("listen = \"0.0.0.0:1\"\n{token}"), "without [tls] only loopback"),
        ("[tls]\ncertificate = \"a\"".to_owned(), "tls.key: is missing"),
        ("[tls]\nkey = \"a\"".to_owned(), "tls.certificate: is missing"),
        ("[tls]\ncertificate = \"a\"\nkey = \"b\"\ncrl = \"c\"".to_owned(), "mingcha.toml:4: tls.crl: needs tls.client_ca"),
        (format!("[[auth.identity]]\n{IDENTITY}"), "a san needs tls.client_ca"),
        (token.clone(), "a token needs [tls]"),
        (format!("{TLS}{token}"), "tls.client_required is true"),
        ("[auth]".to_owned(), "auth.identity: is empty"),
        ("[admin]\nlisten = \"0.0.0.0:1\"".to_owned(), "mingcha.toml:2: admin.listen: beyond loopback"),
        ("[limits]\nconcurrency = 0".to_owned(), "mingcha.toml:2: limits.concurrency: must be more"),
        ("[limits]\nheader_bytes = 100".to_owned(), "8KiB at least"),
        ("[limits]\nlongest_deadline = \"1s\"".to_owned(), "mingcha.toml:2: limits.longest_deadline: is shorter"),
        ("[http]\ncors_origins = [\"*\"]".to_owned(), "'*' is no origin"),
        ("[http]\ncors_origins = [\"https://a\", \"https://b/c\"]".to_owned(), "'https://b/c' is no origin"),
    ];
    for (file, expected) in cases {
        let said = problems(&file, &[], &[]);
        assert!(said.iter().any(|said| said.contains(expected)), "{expected}\n{}", said.join("\n"));
    }
    let optional = format!("listen = \"0.0.0.0:1\"\n{TLS}client_required = false\n{token}");
    let config = loaded(&optional, &[], &[]).expect("good").config;
    assert!(config.tls.is_some_and(|tls| !tls.client_required));
}

/// What `show` prints is a configuration that says the same, whatever was given.
#[test]
fn what_is_shown_can_be_read_back() {
    let odd = [("telemetry.log", "info,mingcha=\"x\\y\""), ("wordlists", "/a b/词表"), ("http.cors_origins", "https://a, https://b:8443")];
    let everything = format!("{TLS}crl = \"d\"\n[[auth.identity]]\n{IDENTITY}token_sha256 = [\"{HASH}\"]\n");
    for (file, flags) in [("", &[][..]), (everything.as_str(), &odd), ("[admin]\nlisten = \"[::1]:0\"", &[("telemetry.sample", "0.25")])] {
        let first = loaded(file, &[], flags).unwrap_or_else(|problems| panic!("{problems}"));
        let again = loaded(&first.shown(), &[], &[]).unwrap_or_else(|problems| panic!("{problems}\n{}", first.shown()));
        assert_eq!(format!("{:?}", again.config), format!("{:?}", first.config), "{}", first.shown());
    }
}

#[test]
fn the_example_is_good() {
    let loaded = loaded(include_str!("../deploy/mingcha.toml"), &[], &[]).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(loaded.config.auth.is_some_and(|identities| identities.len() > 1) && loaded.config.tls.is_some());
}

fn mingcha(args: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_mingcha"))
        .args(args)
        .env_remove("MINGCHA_WORDLISTS")
        .envs(environment.iter().copied())
        .output()
        .expect("mingcha starts");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
}

#[test]
fn the_command_line_checks_and_shows() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("a plain name").to_owned();
    let at = |name: &str| -> &Path { Path::new(Box::leak(path(name).into_boxed_str())) };
    Authority::new("a").server().write(folder.path(), "server");
    fs::set_permissions(at("server.key"), fs::Permissions::from_mode(0o600)).expect("set");
    let file = format!("[tls]\ncertificate = \"{}\"\nkey = \"{}\"\n", path("server.pem"), path("server.key"));
    fs::write(at("mingcha.toml"), file).expect("written");
    let config = path("mingcha.toml");
    assert_eq!(mingcha(&["config", "check", "--config", &config], &[]), (Some(0), format!("no problem ({config})\n")));
    assert_eq!(mingcha(&["config", "check"], &[("MINGCHA_CONFIG", &config)]).0, Some(0));
    fs::set_permissions(at("server.key"), fs::Permissions::from_mode(0o640)).expect("set");
    let (status, said) = mingcha(&["config", "check", "--config", &config], &[]);
    assert!(status == Some(2) && said.contains("chmod 600"), "{said}");
    fs::remove_file(at("server.pem")).expect("removed");
    let (status, said) = mingcha(&["config", "check", "--config", &config, "--limits-streams", "0"], &[("MINGCHA_NOTISE", "1s")]);
    assert!(status == Some(2) && said.contains("--limits-streams: ") && said.contains("did you mean MINGCHA_NOTICE?"), "{said}");
    let (status, said) = mingcha(&["serve", "--listen", "0.0.0.0:0"], &[]);
    assert!(status == Some(2) && said.contains("--listen: listen: without identities"), "{said}");
    let (status, said) = mingcha(&["config", "show", "--wordlists", "/lists", "--plain-text"], &[("MINGCHA_GRACE", "7s")]);
    assert_eq!(status, Some(0), "{said}");
    for line in ["wordlists = \"/lists\" # --wordlists", "plain_text = true # --plain-text", "grace = \"7s\" # environment MINGCHA_GRACE"] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    let (_, said) = mingcha(&["config", "show"], &[("MINGCHA_WORDLISTS", "/lists")]);
    assert!(said.contains("wordlists = \"/lists\" # environment MINGCHA_WORDLISTS"), "{said}");
    let (_, help) = mingcha(&["serve", "--help"], &[]);
    assert!(KEYS.iter().all(|key| help.contains(&format!("--{}", key.flag()))), "{help}");
}

/// `docs/configuration.md` is the table; `MINGCHA_UPDATE=1` writes it.
#[test]
fn the_document_is_the_table_of_keys() {
    let row = |key: &mingcha::config::keys::Key| {
        let default = if key.default.is_empty() { String::new() } else { format!("`{}`", key.kind.written(key.default)) };
        format!("| `{}` | {} | {default} | {} |\n", key.path, key.kind.name().replace('|', "\\|"), key.about)
    };
    let example = key("limits.concurrency").expect("a key");
    let text = format!(
        "# Configuration\n\nMade from the table in `src/config/keys.rs` by\n`MINGCHA_UPDATE=1 cargo test --release the_document_is_the_table_of_keys`; a test keeps it.\n\n\
         One TOML file (`--config FILE` or `MINGCHA_CONFIG`); every key also by environment and flag: `{}` is `{}` and `--{}`.\n\
         A flag goes before the environment, the environment before the file, the file before the default. `mingcha config check` names every\n\
         problem with where it came from; `mingcha config show` prints what holds, with where each value came from.\n\n\
         | key | value | default | meaning |\n|---|---|---|---|\n{}\n\
         Durations are `10s`, `500ms`, `2m`; bytes are `8MiB`, `16KiB`, `4096`. Texts are a list in the file, and have commas between them elsewhere.\n\n\
         ## Identities\n```toml\n[[auth.identity]]\nid = \"nanjing-registration\"                 # in logs and in the journal: 1 to 64 visible ASCII characters\n\
         san = [\"URI:spiffe://bureau.example/nanjing\"] # names in its certificate, URI: or DNS:, matched exactly\n\
         token_sha256 = [\"…\"]                        # printf %s TOKEN | sha256sum; tokens are taken over TLS only\n\
         roles = [\"registrar\"]                       # registrar, finance, steward, auditor: see access.md\n\
         regions = [\"320100\"]                        # GB/T 2260 codes; with every place below\n\
         body = \"320100/market-regulator\"            # the body it acts for; may be left out\n```\n\
         By environment or flag they are one list of TOML tables: `MINGCHA_AUTH_IDENTITY='[{{ id = \"nj\", … }}]'`.\n",
        example.path,
        example.variable(),
        example.flag(),
        KEYS.iter().map(row).collect::<String>()
    );
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
    if std::env::var_os("MINGCHA_UPDATE").is_some() {
        fs::write(path, &text).expect("written");
    }
    assert_eq!(fs::read_to_string(path).expect("the document"), text);
}
