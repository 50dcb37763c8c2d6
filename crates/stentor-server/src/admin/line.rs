//! Lines of bounded length.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Reads a line, without its end; `None` where the stream ends before one begins.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] past [`LINE_MAX`], [`io::ErrorKind::UnexpectedEof`] in the middle of a line.
pub(super) async fn read(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    stream.take(LINE_MAX + 1).read_until(b'\n', &mut line).await?;
    match line.pop() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(line)),
        Some(_) if line.len() as u64 == LINE_MAX => {
            let why = format!("the line is longer than {LINE_MAX} bytes");
            Err(io::Error::new(io::ErrorKind::InvalidData, why))
        }
        Some(_) => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Writes a line, with its end.
///
/// # Errors
/// What the stream says.
pub(super) async fn write(stream: &mut (impl AsyncWrite + Unpin), line: &str) -> io::Result<()> {
    stream.write_all(line.as_bytes()).await?;
    stream.write_all(b"\n").await?;
    stream.flush().await
}

/// The longest request and the longest answer in bytes: room for importing some 80,000 accounts at once.
pub(crate) const LINE_MAX: u64 = 8 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_end_with_a_line_feed_and_have_a_longest_length() {
        let mut stream: &[u8] = b"one\n\ntwo";
        assert_eq!(read(&mut stream).await.unwrap().as_deref(), Some(&b"one"[..]));
        assert_eq!(read(&mut stream).await.unwrap().as_deref(), Some(&b""[..]));
        assert_eq!(read(&mut stream).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(read(&mut stream).await.unwrap(), None);

        let longest = usize::try_from(LINE_MAX).unwrap();
        let fits = [vec![b'a'; longest], b"\n".to_vec()].concat();
        assert_eq!(read(&mut &fits[..]).await.unwrap().map(|line| line.len()), Some(longest));
        let too_long = [b"a", &fits[..]].concat();
        assert_eq!(read(&mut &too_long[..]).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
