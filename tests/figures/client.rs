//! A plain HTTP client that keeps its connection and costs the machine little.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    /// Sends a request as made by [`request`]; the status and the body.
    pub(crate) fn ask(&mut self, request: &[u8]) -> (u16, String) {
        self.stream.get_mut().write_all(request).unwrap();
        let (mut line, mut length, mut chunked) = (String::new(), 0, false);
        self.stream.read_line(&mut line).unwrap();
        let status = line[9..12].parse().unwrap();
        loop {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            let header = line.trim_end().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            length = header.strip_prefix("content-length: ").map_or(length, |length| length.parse().unwrap());
            chunked |= header == "transfer-encoding: chunked";
        }
        let mut body = Vec::new();
        loop {
            if chunked {
                line.clear();
                self.stream.read_line(&mut line).unwrap();
                length = usize::from_str_radix(line.trim_end(), 16).unwrap();
            }
            let start = body.len();
            body.resize(start + length, 0);
            self.stream.read_exact(&mut body[start..]).unwrap();
            if chunked {
                line.clear();
                self.stream.read_line(&mut line).unwrap();
            }
            if !chunked || length == 0 {
                return (status, String::from_utf8(body).unwrap());
            }
        }
    }
}

/// The bytes of a request.
pub(crate) fn request(method: &str, path: &str, content_type: &str, body: &str) -> Vec<u8> {
    format!("{method} {path} HTTP/1.1\r\nhost: gridwatch\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

/// Events of `source` numbered from `first`, one a line.
pub(crate) fn events(source: &str, first: u64, count: u64, at: chrono::DateTime<chrono::Utc>) -> String {
    let at = at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let lines: Vec<String> = (first..first + count)
        .map(|id| {
            format!(
                r#"{{"event_id":"{source}-{id}","source":"{source}","kind":"hotline_call","occurred_at":"{at}","category":"noise","value":{id},"address":"Mill Road {}","caller":"c{}","attributes":{{"channel":"phone","operator":"desk {}"}}}}"#,
                id % 4000,
                id % 9000,
                id % 40
            )
        })
        .collect();
    lines.join("\n")
}
