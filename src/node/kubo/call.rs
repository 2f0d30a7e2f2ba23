//! One call of the RPC: its arguments, its limits, and its answer.

use super::super::error::{AddFileError, NodeError, Problem};
use super::authorization::Authorization;
use super::refusal::refusal;
use crate::ipfs::file::AddError;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::fmt::Display;
use std::io::{self, Read};
use std::time::Duration;
use ureq::http::Response;
use ureq::{Agent, AsSendBody, Body, SendBody};

/// The longest JSON answer that is read, in bytes.
const MAX_JSON_BYTES: u64 = 64 << 20;

/// The factor by which a call that stores or pins may take longer than one that
/// transfers nothing, or pause for longer: a node that is collecting garbage begins
/// when it is done.
pub const PATIENCE: u32 = 5;

/// The longest time by which the client waits longer than the node, so that the node's
/// own message arrives.
const GRACE: Duration = Duration::from_secs(10);

/// The body of a call without one. It states its length, zero: Kubo closes the connection
/// after a request whose body it has not read, and a chunked one counts as such.
const NO_BODY: &[u8] = &[];

/// The characters of a query that stand for themselves; `+` would be read as a space.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'/');

/// The connection to an RPC.
#[derive(Debug)]
pub struct Rpc {
    /// The HTTP client.
    pub agent: Agent,
    /// `http://host:port`, without a slash at the end.
    pub base: String,
    /// The secret for it, if it asks for one.
    pub authorization: Option<Authorization>,
    /// The limit of a call that transfers nothing.
    pub short: Duration,
}

/// A call being put together.
pub struct Call<'n> {
    rpc: &'n Rpc,
    command: &'static str,
    query: String,
    action: String,
    limit: Duration,
    /// The longest pause of a stream.
    pause: Duration,
}

impl Rpc {
    /// Begins a call; `action` is its purpose in a few words.
    pub fn call(&self, command: &'static str, action: impl Into<String>) -> Call<'_> {
        Call {
            rpc: self,
            command,
            query: String::new(),
            action: action.into(),
            limit: self.short,
            pause: self.short * PATIENCE,
        }
    }
}

impl Call<'_> {
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

    /// Sets the time that the call may take on the node.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Sets the time for which the node may send nothing of a stream.
    pub fn pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
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

    /// Makes the call and reads its answer, a JSON value a line, which must not exceed
    /// `most` bytes.
    pub fn json_lines<T: DeserializeOwned>(self, most: u64) -> Result<Vec<T>, NodeError> {
        let answer = self.answer(most)?;
        self.lines(&answer)
    }

    /// Makes the call and hands out its answer as a stream.
    pub fn stream(self) -> Result<impl Read + Send + use<>, NodeError> {
        let answer = self.send(NO_BODY, None, None)?;
        Ok(answer.into_body().into_reader())
    }

    /// Uploads a block or a message, as [`Call::upload`].
    pub fn upload_bytes<T: DeserializeOwned>(self, content: &[u8]) -> Result<Vec<T>, NodeError> {
        let action = self.action.clone();
        self.upload(&mut &*content).map_err(|error| match error {
            AddError::Sink(error) => error,
            // Reading from memory does not fail.
            AddError::Content(error) => NodeError::new(action, Problem::Cut(error.to_string())),
        })
    }

    /// Uploads `content` as the one file of a form and reads the answer, a JSON
    /// value a line.
    ///
    /// # Errors
    /// [`AddFileError::Content`] with the error of `content`, whatever the connection
    /// then does.
    pub fn upload<T: DeserializeOwned>(
        self,
        content: &mut dyn Read,
    ) -> Result<Vec<T>, AddFileError> {
        let boundary = format!("guix-ipfs-{:032x}", boundary_number());
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"file\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        let tail = format!("\r\n--{boundary}--\r\n");
        let mut content = UploadContent {
            content,
            failure: None,
        };
        let mut form = head.as_bytes().chain(&mut content).chain(tail.as_bytes());
        let form_type = format!("multipart/form-data; boundary={boundary}");
        let sent = self.send(SendBody::from_reader(&mut form), Some(&form_type), None);
        if let Some(failure) = content.failure {
            return Err(AddError::Content(failure));
        }
        let answer = sent.and_then(|sent| self.read(sent, MAX_JSON_BYTES));
        let lines = answer.and_then(|answer| self.lines(&answer));
        lines.map_err(AddError::Sink)
    }

    fn answer(&self, most: u64) -> Result<Vec<u8>, NodeError> {
        let wait = self.limit + self.limit.min(GRACE);
        let answer = self.send(NO_BODY, None, Some(wait))?;
        self.read(answer, most)
    }

    fn send(
        &self,
        body: impl AsSendBody,
        content_type: Option<&str>,
        wait: Option<Duration>,
    ) -> Result<Response<Body>, NodeError> {
        let seconds = self.limit.as_secs();
        let url = format!(
            "{}/api/v0/{}?{}timeout={seconds}s",
            self.rpc.base, self.command, self.query
        );
        let mut request = self.rpc.agent.post(url);
        if let Some(value) = &self.rpc.authorization {
            request = request.header("Authorization", value.header());
        }
        if let Some(value) = content_type {
            request = request.header("Content-Type", value);
        }
        // Without a limit of the whole, as for an upload or a stream, a pause has one.
        let limit = wait.map_or(self.pause, |_| self.limit);
        let answer = request
            .config()
            .timeout_global(wait)
            .timeout_per_read(Some(wait.unwrap_or(self.pause)))
            .build()
            .send(body)
            .map_err(|error| self.failed(problem(error, &self.rpc.base, limit)))?;
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
            (_, Ok(message), _) => refusal(message.message),
            (404, ..) => Problem::UnknownCommand(self.command.to_owned()),
            (_, _, Err(error)) => Problem::Cut(error.to_string()),
            (_, Err(error), _) if error.is_eof() => Problem::Cut(error.to_string()),
            _ => Problem::Unexpected(format!("HTTP {status}, {}", excerpt(&text))),
        }
    }

    /// The error of this call.
    pub fn failed(&self, problem: Problem) -> NodeError {
        NodeError::new(self.action.clone(), problem)
    }

    /// The error of an answer that is not JSON as expected.
    pub fn unreadable(&self, error: &serde_json::Error) -> NodeError {
        self.failed(match error.is_eof() || error.is_io() {
            true => Problem::Cut(error.to_string()),
            false => Problem::Unexpected(error.to_string()),
        })
    }
}

/// The problem behind ureq's error for a call to `url` with this limit.
fn problem(error: ureq::Error, url: &str, limit: Duration) -> Problem {
    let unreachable = |reason: &str| Problem::Unreachable {
        url: url.to_owned(),
        reason: reason.to_owned(),
    };
    let tls = |reason: String| Problem::Tls {
        url: url.to_owned(),
        reason,
    };
    match error {
        ureq::Error::Timeout(ureq::Timeout::Connect) => unreachable("no answer"),
        ureq::Error::Timeout(_) => Problem::TimedOut(limit),
        ureq::Error::HostNotFound => unreachable("unknown host"),
        ureq::Error::ConnectionFailed => unreachable("no connection"),
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            unreachable("connection refused")
        }
        // The resolver's own message; its kind is not specific.
        ureq::Error::Io(error) if error.to_string().starts_with("failed to lookup") => {
            unreachable("unknown host")
        }
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => tls(error.to_string()),
        // Errors of rustls come wrapped like this.
        ureq::Error::Io(inner) if inner.kind() == io::ErrorKind::InvalidData => {
            tls(inner.to_string())
        }
        other => Problem::Cut(other.to_string()),
    }
}

/// The content of an upload. Keeps its failure, which the connection would hide.
struct UploadContent<'r> {
    content: &'r mut dyn Read,
    failure: Option<io::Error>,
}

impl Read for UploadContent<'_> {
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

/// Returns true for letters and digits, at least one.
pub fn is_alphanumeric(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The beginning of an answer, for a message.
fn excerpt(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(200)]);
    text.trim().to_owned()
}

/// A number that an uploaded file does not contain by chance or by intent.
fn boundary_number() -> u128 {
    let mut bytes = [0; 16];
    // Without randomness the boundary is weaker, not the hash of what is added.
    let _ = getrandom::fill(&mut bytes);
    u128::from_le_bytes(bytes)
}
