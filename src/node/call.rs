//! One call of the RPC: its arguments, its limits, and what became of it.

use super::error::{NodeError, Problem};
use super::{GRACE, Node, STALL};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::fmt::Display;
use std::io::{self, Read};
use std::time::Duration;
use ureq::http::Response;
use ureq::{Body, SendBody};

/// The longest JSON answer that is read, in bytes.
const MAX_JSON_BYTES: u64 = 64 << 20;

/// What may stand as it is in a query; `+` would be read as a space.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'/');

/// A call being put together.
pub(super) struct Call<'n> {
    node: &'n Node,
    command: &'static str,
    query: String,
    doing: String,
    limit: Duration,
}

impl Node {
    /// Begins a call; `doing` says in a few words what it is for.
    pub(super) fn call(&self, command: &'static str, doing: impl Into<String>) -> Call<'_> {
        Call {
            node: self,
            command,
            query: String::new(),
            doing: doing.into(),
            limit: self.short,
        }
    }
}

impl<'n> Call<'n> {
    /// Adds a positional argument.
    pub fn arg(self, value: impl Display) -> Self {
        self.option("arg", value)
    }

    /// Adds an option.
    pub fn option(mut self, name: &str, value: impl Display) -> Self {
        self.query.push_str(name);
        self.query.push('=');
        self.query
            .extend(utf8_percent_encode(&value.to_string(), QUERY));
        self.query.push('&');
        self
    }

    /// Sets how long the call may take on the node.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Makes the call and reads its answer as one JSON value.
    pub fn json<T: DeserializeOwned>(self) -> Result<T, NodeError> {
        let answer = self.answer(MAX_JSON_BYTES)?;
        serde_json::from_slice(&answer).map_err(|error| self.unreadable(&error))
    }

    /// Makes the call and reads its answer, which must not exceed `most` bytes.
    pub fn bytes(self, most: u64) -> Result<Vec<u8>, NodeError> {
        self.answer(most)
    }

    /// Makes the call and hands out its answer as a stream.
    pub fn stream(self) -> Result<impl Read + use<>, NodeError> {
        let answer = self.send(SendBody::none(), None, None)?;
        Ok(answer.into_body().into_reader())
    }

    /// Uploads `content` as the one file of a form and reads the answer, a JSON
    /// value a line.
    pub fn upload<T: DeserializeOwned>(self, content: &mut dyn Read) -> Result<Vec<T>, NodeError> {
        let boundary = format!("guix-ipfs-{:032x}", boundary_number());
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"file\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        let tail = format!("\r\n--{boundary}--\r\n");
        let mut source = Source {
            content,
            failure: None,
        };
        let mut form = head.as_bytes().chain(&mut source).chain(tail.as_bytes());
        let form_type = format!("multipart/form-data; boundary={boundary}");
        let sent = self.send(SendBody::from_reader(&mut form), Some(&form_type), None);
        // Whatever the connection then says: the data itself was the reason.
        if let Some(failure) = source.failure {
            return Err(self.failed(Problem::Source(failure)));
        }
        let answer = self.read(sent?, MAX_JSON_BYTES)?;
        self.lines(&answer)
    }

    fn answer(&self, most: u64) -> Result<Vec<u8>, NodeError> {
        let answer = self.send(SendBody::none(), None, Some(self.limit + GRACE))?;
        self.read(answer, most)
    }

    fn send(
        &self,
        body: SendBody,
        content_type: Option<&str>,
        wait: Option<Duration>,
    ) -> Result<Response<Body>, NodeError> {
        let seconds = self.limit.as_secs();
        let url = format!(
            "{}/api/v0/{}?{}timeout={seconds}s",
            self.node.base, self.command, self.query
        );
        let mut request = self.node.agent.post(url);
        if let Some(value) = &self.node.authorization {
            request = request.header("Authorization", value.header());
        }
        if let Some(value) = content_type {
            request = request.header("Content-Type", value);
        }
        let answer = request
            .config()
            .timeout_global(wait)
            // What follows an upload, or stands between two pieces of a stream;
            // an answer in one piece may take as long as the call.
            .timeout_per_read(Some(wait.unwrap_or(STALL)))
            .build()
            .send(body)
            .map_err(|error| self.failed(Problem::from_ureq(error, &self.node.base, seconds)))?;
        match answer.status().as_u16() {
            200 => Ok(answer),
            status => Err(self.failed(self.refusal(status, answer))),
        }
    }

    fn read(&self, answer: Response<Body>, most: u64) -> Result<Vec<u8>, NodeError> {
        let mut bytes = Vec::new();
        let mut reader = answer.into_body().into_reader().take(most + 1);
        match reader.read_to_end(&mut bytes) {
            Err(error) => Err(self.failed(Problem::Cut(error.to_string()))),
            Ok(length) if length as u64 > most => {
                let text = format!("it is longer than {most} bytes");
                Err(self.failed(Problem::Unexpected(text)))
            }
            Ok(_) => Ok(bytes),
        }
    }

    fn lines<T: DeserializeOwned>(&self, answer: &[u8]) -> Result<Vec<T>, NodeError> {
        serde_json::Deserializer::from_slice(answer)
            .into_iter()
            .map(|line| line.map_err(|error| self.unreadable(&error)))
            .collect()
    }

    fn refusal(&self, status: u16, answer: Response<Body>) -> Problem {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Message {
            message: String,
        }
        let mut text = Vec::new();
        let read = answer
            .into_body()
            .into_reader()
            .take(MAX_JSON_BYTES)
            .read_to_end(&mut text);
        match (status, serde_json::from_slice::<Message>(&text), read) {
            (401 | 403, ..) => Problem::Forbidden(status),
            (_, Ok(message), _) => Problem::Refused(message.message),
            (404, ..) => Problem::NoSuchCommand(self.command.to_owned()),
            (_, _, Err(error)) => Problem::Cut(error.to_string()),
            (_, Err(error), _) if error.is_eof() => Problem::Cut(error.to_string()),
            _ => Problem::Unexpected(format!("HTTP {status}, {}", excerpt(&text))),
        }
    }

    /// The error of this call.
    pub fn failed(&self, problem: Problem) -> NodeError {
        NodeError {
            doing: self.doing.clone(),
            problem,
        }
    }

    fn unreadable(&self, error: &serde_json::Error) -> NodeError {
        self.failed(match error.is_eof() {
            true => Problem::Cut(error.to_string()),
            false => Problem::Unexpected(error.to_string()),
        })
    }
}

/// The data of an upload. Remembers its failure, which the connection would hide.
struct Source<'r> {
    content: &'r mut dyn Read,
    failure: Option<io::Error>,
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.content.read(buffer).map_err(|error| {
            let shown = io::Error::new(error.kind(), error.to_string());
            if error.kind() != io::ErrorKind::Interrupted {
                self.failure = Some(error);
            }
            shown
        })
    }
}

/// The start of an answer, for a message.
fn excerpt(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(200)]);
    text.trim().to_owned()
}

/// A number that no uploaded file contains by chance or by intent.
fn boundary_number() -> u128 {
    let mut bytes = [0; 16];
    // Without randomness the boundary is weaker, not the hash of what is added.
    let _ = getrandom::fill(&mut bytes);
    u128::from_le_bytes(bytes)
}
