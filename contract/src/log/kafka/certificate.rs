//! Why there is no connection, where librdkafka does not know: it says only that a certificate was refused, and nothing where a
//! broker waits for TLS. Here the handshake is made once more, by hand, and asked what stood in the way.

use std::net::{TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use openssl::x509::X509;

use super::options::Tls;

/// Longest a step of the handshake may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// OpenSSL's `X509_V_ERR_*`.
const NOT_YET_VALID: i32 = 9;
const HAS_EXPIRED: i32 = 10;
const HOST_MISMATCH: i32 = 62;
const ADDRESS_MISMATCH: i32 = 64;

/// What was found: OpenSSL's number for it, and the certificate it is about.
type Found = (i32, Option<X509>);

/// What is wrong with the first broker's certificate that can be reached, and what to do about it. Blocks for some seconds at
/// most; `None` where nothing is found.
pub(super) fn refusal(brokers: &str, tls: &Tls) -> Option<String> {
    addresses(brokers).find_map(|(broker, host)| {
        let (number, certificate) = look(broker, host, tls)?;
        Some(told(number, certificate.as_ref(), host, tls))
    })
}

/// Whether a broker answers to TLS, whoever signed for it. Blocks for some seconds at most.
pub(super) fn encrypts(brokers: &str) -> bool {
    let greets = |broker: &str, host: &str| {
        let mut connector = SslConnector::builder(SslMethod::tls_client()).ok()?;
        connector.set_verify(SslVerifyMode::NONE);
        connector.build().connect(host, reach(broker)?).ok()
    };
    addresses(brokers).any(|(broker, host)| greets(broker, host).is_some())
}

/// Each broker's address, and its host alone.
fn addresses(brokers: &str) -> impl Iterator<Item = (&str, &str)> {
    brokers.split(',').map(|broker| {
        let broker = broker.trim();
        let broker = broker.rsplit_once("//").map_or(broker, |(_, broker)| broker);
        (broker, broker.rsplit_once(':').map_or(broker, |(host, _)| host).trim_matches(['[', ']']))
    })
}

fn reach(broker: &str) -> Option<TcpStream> {
    let address = broker.to_socket_addrs().ok()?.next()?;
    let stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    Some(stream)
}

fn look(broker: &str, host: &str, tls: &Tls) -> Option<Found> {
    let stream = reach(broker)?;
    let mut connector = SslConnector::builder(SslMethod::tls_client()).ok()?;
    if let Some(ca) = &tls.ca {
        connector.set_ca_file(ca).ok()?;
    }
    let found = Arc::new(Mutex::new(None::<Found>));
    let seen = Arc::clone(&found);
    connector.set_verify_callback(SslVerifyMode::PEER, move |valid, context| {
        if !valid && let Ok(mut seen) = seen.lock() {
            seen.get_or_insert((context.error().as_raw(), context.current_cert().map(ToOwned::to_owned)));
        }
        valid
    });
    // It fails, that is the point; a refusal after the handshake (a client certificate is asked for) is not seen here.
    drop(connector.build().connect(host, stream));
    found.lock().ok()?.take()
}

fn told(number: i32, certificate: Option<&X509>, host: &str, tls: &Tls) -> String {
    match number {
        HAS_EXPIRED => {
            let until = certificate.map_or_else(String::new, |certificate| format!(" on {}", certificate.not_after()));
            format!("the broker's certificate expired{until}: its owner has to renew it")
        }
        NOT_YET_VALID => {
            let from = certificate.map_or_else(String::new, |certificate| format!(" before {}", certificate.not_before()));
            format!("the broker's certificate is not valid{from}: compare the clocks of this machine and the broker")
        }
        HOST_MISMATCH | ADDRESS_MISMATCH => {
            let names = certificate.map(names).filter(|names| !names.is_empty()).unwrap_or_else(|| "another host".to_owned());
            format!(
                "the broker's certificate is for {names}, not for {host}: give the broker's name with --log, or a certificate for {host} to the broker"
            )
        }
        _ => match &tls.ca {
            Some(ca) => {
                format!("the broker's certificate is not signed by the CA in {}: give the right one with --kafka-ca", ca.display())
            }
            None => "the broker's certificate is not signed by a CA this system knows: give the right one with --kafka-ca".to_owned(),
        },
    }
}

/// The hosts a certificate is for.
fn names(certificate: &X509) -> String {
    let Some(names) = certificate.subject_alt_names() else { return String::new() };
    let name = |name: &openssl::x509::GeneralNameRef| match (name.dnsname(), name.ipaddress()) {
        (Some(name), _) => Some(name.to_owned()),
        (None, Some(&[a, b, c, d])) => Some(format!("{a}.{b}.{c}.{d}")),
        _ => None,
    };
    names.iter().filter_map(name).collect::<Vec<_>>().join(", ")
}
