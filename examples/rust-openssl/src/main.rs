//! Answers with the SHA-256 of the path that is asked for, OpenSSL's version,
//! and whether OpenSSL trusts the first certificate of the system's bundle.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

use openssl::error::ErrorStack;
use openssl::sha::sha256;
use openssl::ssl::{SslConnector, SslMethod};
use openssl::stack::Stack;
use openssl::x509::{X509, X509StoreContext};

const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

fn answer(client: &mut TcpStream) -> io::Result<()> {
    let mut request = String::new();
    BufReader::new(&mut *client).read_line(&mut request)?;
    let path = request.split(' ').nth(1).unwrap_or("");
    let digest: String = sha256(path.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let trust = match std::fs::read(BUNDLE).map(|bundle| is_trusted(&bundle)) {
        Ok(Ok(trusted)) => trusted.to_string(),
        Ok(Err(error)) => error.to_string(),
        Err(error) => format!("{BUNDLE}: {error}"),
    };
    write!(client, "HTTP/1.0 200 OK\r\n\r\n{digest}\n{}\ntrusted: {trust}\n", openssl::version::version())
}

/// By the certificates that OpenSSL finds in the places compiled into it.
fn is_trusted(bundle: &[u8]) -> Result<bool, ErrorStack> {
    let context = SslConnector::builder(SslMethod::tls_client())?.build().into_context();
    let Some(first) = X509::stack_from_pem(bundle)?.into_iter().next() else { return Ok(false) };
    let chain = Stack::new()?;
    X509StoreContext::new()?.init(context.cert_store(), &first, &chain, |it| it.verify_cert())
}

fn main() -> io::Result<()> {
    for client in TcpListener::bind("0.0.0.0:8080")?.incoming() {
        if let Err(error) = client.and_then(|mut client| answer(&mut client)) {
            eprintln!("{error}");
        }
    }
    Ok(())
}
