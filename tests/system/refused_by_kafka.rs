//! Brokers that do not let us in, at the level of the command: one sentence that says what to change, the exit code that tells a supervisor
//! whether to try again, and no password anywhere.

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::kafka_rig::Rig;
use crate::support::program;

/// A password nobody has, which must not be seen either.
const WRONG: &str = "not-the-rigs-password";

struct Case {
    what: &'static str,
    log: String,
    ca: PathBuf,
    password: String,
    code: i32,
    says: &'static str,
}

/// A start of `ingest` that is refused.
fn started(case: &Case, user: &str, folder: &Path, debug: bool) -> Output {
    let place = folder.join(format!("{}-{debug}", case.what));
    std::fs::create_dir_all(&place).unwrap();
    let file = place.join("password");
    std::fs::write(&file, format!("{}\n", case.password)).unwrap();
    let mut command = program();
    command.args(["ingest", "--ingest", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--log", &format!("kafka://{}", case.log)]);
    command.args(["--kafka-user", user, "--kafka-password-file"]).arg(file).arg("--kafka-ca").arg(&case.ca);
    command.arg("--data-dir").arg(place.join("data"));
    if debug {
        command.env("RUST_LOG", "debug").args(["--log-level", "trace"]);
    }
    command.output().unwrap()
}

#[test]
fn a_broker_that_refuses_us_is_told_in_one_sentence_with_its_exit_code_and_without_the_password() {
    let Some(rig) = Rig::start(1, true) else { return };
    let folder = tempfile::tempdir().unwrap();
    let (user, password) = (rig.fact("user").to_owned(), rig.fact("password").to_owned());
    let case = |what, log: &str, ca: &str, password: &str, code, says| Case {
        what,
        log: log.to_owned(),
        ca: rig.certificate(ca),
        password: password.to_owned(),
        code,
        says,
    };
    let cases = [
        case(
            "password",
            rig.address("scram"),
            "ca.pem",
            WRONG,
            78,
            "the broker does not accept this user and password: check --kafka-user",
        ),
        case("ca", rig.address("scram"), "other-ca.pem", &password, 78, "other-ca.pem: give the right one with --kafka-ca"),
        case("host", rig.address("elsewhere"), "ca.pem", &password, 78, "is for kafka.elsewhere.example, not for 127.0.0.1"),
        case("expired", rig.address("expired"), "ca.pem", &password, 78, "expired on Feb  1 00:00:00 2024 GMT: its owner has to renew it"),
        case("away", "127.0.0.1:1", "ca.pem", &password, 69, "the log is away"),
    ];
    std::thread::scope(|scope| {
        for case in &cases {
            let (user, folder, password) = (&user, folder.path(), &password);
            scope.spawn(move || {
                for debug in [false, true] {
                    let Output { status, stdout, stderr } = started(case, user, folder, debug);
                    let (out, said) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
                    assert_eq!(status.code(), Some(case.code), "{}: {said}", case.what);
                    let sentences: Vec<&str> = said.lines().filter(|line| line.starts_with("gridwatch: ")).collect();
                    assert!(sentences.len() == 1 && sentences[0].contains(case.says), "{}: {said}", case.what);
                    if !debug {
                        println!("{}: {} {}", case.what, case.code, sentences[0]);
                    }
                    for secret in [password.as_str(), WRONG] {
                        assert!(!out.contains(secret) && !said.contains(secret), "{}: a password is printed (debug {debug})", case.what);
                    }
                }
            });
        }
    });
}
