//! Uploads: the files of a `multipart/form-data` body, streamed.
//! Source: RFC 7578 and RFC 2046, section 5.1.

use std::io::{self, Read};

/// The longest header of a part, in bytes.
const MAX_HEADER_BYTES: usize = 8 << 10;
/// Bytes held at a time, far more than a header or a boundary takes.
const WINDOW_BYTES: usize = 64 << 10;

/// A form on its way.
pub struct Multipart<R> {
    body: R,
    /// What was read of the body and not given on yet is `window[at..end]`;
    /// what of it is known to be the part's is `window[at..clear]`.
    window: Box<[u8]>,
    at: usize,
    clear: usize,
    end: usize,
    /// CRLF, two dashes and the boundary: what ends a part.
    delimiter: Vec<u8>,
    state: State,
}

#[derive(PartialEq)]
enum State {
    Start,
    InPart,
    BetweenParts,
    End,
}

/// A part's headers, as far as they matter.
#[derive(Debug, PartialEq, Eq)]
pub struct PartHead {
    /// The name of the file, percent-encoded, if it has one.
    pub file_name: Option<String>,
    /// What the part is; `application/x-directory` for a folder.
    pub content_type: String,
}

impl<R: Read> Multipart<R> {
    /// Reads a body whose Content-Type header is `content_type`.
    ///
    /// # Errors
    /// `InvalidInput` when that is no form with a boundary.
    pub fn new(body: R, content_type: &str) -> io::Result<Self> {
        let boundary = content_type
            .strip_prefix("multipart/form-data")
            .and_then(|rest| {
                rest.split(';')
                    .find_map(|part| part.trim().strip_prefix("boundary="))
            })
            .map(|boundary| boundary.trim_matches('"'))
            .filter(|boundary| (1..=70).contains(&boundary.len()));
        let Some(boundary) = boundary else {
            let text = "the request is no multipart/form-data with a boundary";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        };
        Ok(Self {
            body,
            window: vec![0; WINDOW_BYTES].into(),
            at: 0,
            clear: 0,
            end: 0,
            delimiter: format!("\r\n--{boundary}").into_bytes(),
            state: State::Start,
        })
    }

    /// Goes on to the next part, passing over what is left of this one.
    pub fn next_part(&mut self) -> io::Result<Option<PartHead>> {
        match self.state {
            State::End => return Ok(None),
            State::Start => {
                let line = self.line()?;
                if line.as_bytes() != &self.delimiter[2..] {
                    return Err(invalid("the form does not begin with its boundary"));
                }
            }
            State::InPart => {
                io::copy(self, &mut io::sink())?;
                self.after_delimiter()?;
            }
            State::BetweenParts => self.after_delimiter()?,
        }
        if self.state == State::End {
            return Ok(None);
        }
        self.state = State::InPart;
        self.part_head().map(Some)
    }

    /// What follows a boundary: another part, or two dashes and the end.
    fn after_delimiter(&mut self) -> io::Result<()> {
        let line = self.line()?;
        match line.as_str() {
            "" => Ok(()),
            "--" => {
                self.state = State::End;
                Ok(())
            }
            _ => Err(invalid("a boundary is followed by something else")),
        }
    }

    fn part_head(&mut self) -> io::Result<PartHead> {
        let mut head = PartHead {
            file_name: None,
            content_type: String::new(),
        };
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(head);
            }
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            match name.to_ascii_lowercase().as_str() {
                "content-type" => head.content_type = value.trim().to_owned(),
                "content-disposition" => {
                    head.file_name = value
                        .split(';')
                        .find_map(|part| part.trim().strip_prefix("filename="))
                        .map(|name| name.trim_matches('"').to_owned());
                }
                _ => {}
            }
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let length = loop {
            let rest = &self.window[self.at..self.end];
            match rest.iter().position(|byte| *byte == b'\n') {
                Some(end) => break end + 1,
                None if rest.len() > MAX_HEADER_BYTES => {
                    return Err(invalid("a part's header is too long"));
                }
                None if self.fill()? => {}
                None if self.at == self.end => return Err(io::ErrorKind::UnexpectedEof.into()),
                // The last line of a form may lack its end.
                None => break self.end - self.at,
            }
        };
        let line = &self.window[self.at..self.at + length];
        let text = str::from_utf8(line).map_err(|_| invalid("a part's header is no text"))?;
        let text = text.trim_end_matches(['\r', '\n']).to_owned();
        self.at += length;
        self.clear = self.at;
        Ok(text)
    }

    /// Reads more into the window, which has room: what is held between two
    /// calls is never more than a header line. False at the end of the body.
    fn fill(&mut self) -> io::Result<bool> {
        self.window.copy_within(self.at..self.end, 0);
        self.clear -= self.at;
        self.end -= self.at;
        self.at = 0;
        let read = self.body.read(&mut self.window[self.end..])?;
        self.end += read;
        Ok(read > 0)
    }

    /// Finds out how much of the window is the part's; true when the delimiter
    /// follows it.
    fn scan(&mut self) -> bool {
        while let Some(found) = self.window[self.clear..self.end]
            .iter()
            .position(|byte| *byte == b'\r')
        {
            self.clear += found;
            let rest = &self.window[self.clear..self.end];
            if rest.starts_with(&self.delimiter) {
                return true;
            }
            if self.delimiter.starts_with(rest) {
                return false;
            }
            self.clear += 1;
        }
        self.clear = self.end;
        false
    }
}

/// Reads the part that [`Multipart::next_part`] has gone to, up to its boundary.
impl<R: Read> Read for Multipart<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.state != State::InPart || buffer.is_empty() {
            return Ok(0);
        }
        while self.at == self.clear {
            if self.scan() && self.at == self.clear {
                self.at += self.delimiter.len();
                self.clear = self.at;
                self.state = State::BetweenParts;
                return Ok(0);
            }
            if self.at == self.clear && !self.fill()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let length = (self.clear - self.at).min(buffer.len());
        buffer[..length].copy_from_slice(&self.window[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TYPE: &str = "multipart/form-data; boundary=frontier";

    /// Gives a few bytes at a time, as a network does.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let most = self.1.min(buffer.len());
            self.0.read(&mut buffer[..most])
        }
    }

    fn form(parts: &[&[u8]]) -> Vec<u8> {
        let mut form = Vec::new();
        for part in parts {
            form.extend_from_slice(
                b"--frontier\r\nContent-Disposition: form-data; name=\"file\"; ",
            );
            form.extend_from_slice(b"filename=\"a%20b\"\r\nContent-Type: x/y\r\n\r\n");
            form.extend_from_slice(part);
            form.extend_from_slice(b"\r\n");
        }
        form.extend_from_slice(b"--frontier--\r\n");
        form
    }

    fn read(form: &[u8], piece: usize) -> io::Result<Vec<Vec<u8>>> {
        let mut multipart = Multipart::new(Slow(form, piece), TYPE)?;
        let mut parts = Vec::new();
        while let Some(head) = multipart.next_part()? {
            assert_eq!(head.file_name.as_deref(), Some("a%20b"));
            assert_eq!(head.content_type, "x/y");
            let mut part = Vec::new();
            multipart.read_to_end(&mut part)?;
            parts.push(part);
        }
        Ok(parts)
    }

    proptest! {
        #[test]
        fn parts_come_out_as_they_went_in_however_the_network_cuts_them(
            parts in prop::collection::vec(
                prop::collection::vec(prop::sample::select(b"\r\n-frontie".to_vec()), 0..200),
                0..4,
            ),
            piece in 1usize..40,
        ) {
            let has_delimiter = |part: &Vec<u8>| part.windows(12).any(|w| w == b"\r\n--frontier");
            prop_assume!(!parts.iter().any(has_delimiter));
            if !parts.is_empty() {
                let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
                let form = form(&slices);
                prop_assert_eq!(read(&form, piece).unwrap(), parts);
                // Without its last CRLF a form is whole.
                for cut in (0..form.len() - 4).step_by(piece) {
                    prop_assert!(read(&form[..cut], piece).is_err(), "cut at {}", cut);
                }
            }
        }
    }
}
