//! The README's steps: which blocks are run, in which terminal, and what is to be seen then.
//!
//! A comment before a block of shell lines, which no reader of the rendered page sees, says how it is run:
//!
//! ```text
//! <!-- run in TERMINAL [elsewhere], ITEM, ITEM … -->
//! ```
//!
//! Without a block after it, the items alone are run. A value is a quoted text, or the name of what was captured.
//! Without `until` and `type`, the shell's prompt has to come back, with an exit code of 0.

/// One block, or a few inputs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// The number of the comment's line, from 1.
    pub(crate) line: usize,
    /// The terminal's name.
    pub(crate) terminal: String,
    /// Whether that terminal is somebody else's: with a home of its own.
    pub(crate) elsewhere: bool,
    /// The lines of the block, as they are written.
    pub(crate) commands: Vec<String>,
    /// What is done once the last line was sent.
    pub(crate) items: Vec<Item>,
}

/// What is done in a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// `until "TEXT"`: wait for a text.
    Until(Value),
    /// `type "TEXT"`: write a line.
    Type(Value),
    /// `answer "PROMPT" with "TEXT"`: wait for a prompt, then write a line.
    Answer(String, Value),
    /// `capture NAME after "TEXT"`: the word that follows a text.
    CaptureAfter(String, String),
    /// `capture NAME from "TEXT"`: the rest of the line that begins with a text, with it.
    CaptureFrom(String, String),
    /// `press KEY`: one key, as tmux calls it.
    Press(String),
    /// `end`: wait for the shell's prompt.
    End,
}

/// A text to write or to wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// As it is.
    Text(String),
    /// What was captured under this name.
    Captured(String),
}

/// Reads the steps of a page.
///
/// # Errors
/// The line and what is wrong with it; also a block of shell lines that no comment precedes.
pub(crate) fn parse(page: &str) -> Result<Vec<Step>, String> {
    let mut steps: Vec<Step> = Vec::new();
    let mut waiting: Option<Option<Step>> = None;
    let mut lines = page.lines().enumerate().map(|(index, line)| (index + 1, line));
    while let Some((number, line)) = lines.next() {
        if let Some(comment) = line.strip_prefix("<!-- run in ") {
            steps.extend(waiting.take().flatten());
            let comment =
                comment.strip_suffix(" -->").ok_or(format!("{number}: the comment does not end"))?;
            // What calls this cannot be run by it.
            let step = if comment.starts_with("CI,") { None } else { Some(directive(number, comment)?) };
            waiting = Some(step);
        } else if line == "```sh" {
            let commands: Vec<String> = lines
                .by_ref()
                .map(|(_, line)| line.to_owned())
                .take_while(|line| line != "```")
                .filter(|line| !line.is_empty())
                .collect();
            let Some(step) = waiting.take() else {
                return Err(format!("{number}: no comment says how these lines are run"));
            };
            steps.extend(step.map(|step| Step { commands, ..step }));
        }
    }
    steps.extend(waiting.take().flatten());
    Ok(steps)
}

fn directive(line: usize, comment: &str) -> Result<Step, String> {
    let wrong = |what: &str| format!("{line}: {what} in {comment:?}");
    let mut words = words(comment).ok_or_else(|| wrong("an open quotation"))?.into_iter().peekable();
    let terminal = words.next().ok_or_else(|| wrong("no terminal"))?.bare().ok_or_else(|| wrong("a text"))?;
    let mut step = Step { line, terminal, elsewhere: false, commands: Vec::new(), items: Vec::new() };
    if words.next_if(|word| *word == Word::Bare("elsewhere".to_owned())).is_some() {
        step.elsewhere = true;
    }
    while let Some(word) = words.next() {
        let name = word.bare().ok_or_else(|| wrong("a text without a word before it"))?;
        let mut next = || words.next().ok_or_else(|| wrong("something missing"));
        step.items.push(match name.as_str() {
            "until" => Item::Until(next()?.value()),
            "type" => Item::Type(next()?.value()),
            "press" => Item::Press(next()?.bare().ok_or_else(|| wrong("a key in quotation marks"))?),
            "end" => Item::End,
            "answer" => {
                let prompt = next()?.quoted().ok_or_else(|| wrong("a prompt without quotation marks"))?;
                expect(&next()?, "with").ok_or_else(|| wrong("no `with`"))?;
                Item::Answer(prompt, next()?.value())
            }
            "capture" => {
                let into = next()?.bare().ok_or_else(|| wrong("a name in quotation marks"))?;
                let how = next()?;
                let text = next()?.quoted().ok_or_else(|| wrong("a text without quotation marks"))?;
                match how {
                    Word::Bare(how) if how == "after" => Item::CaptureAfter(into, text),
                    Word::Bare(how) if how == "from" => Item::CaptureFrom(into, text),
                    _ => return Err(wrong("neither `after` nor `from`")),
                }
            }
            other => return Err(wrong(&format!("the unknown word {other:?}"))),
        });
    }
    Ok(step)
}

/// A word of a comment.
#[derive(Debug, PartialEq, Eq)]
enum Word {
    Bare(String),
    Quoted(String),
}

impl Word {
    fn bare(self) -> Option<String> {
        if let Self::Bare(text) = self { Some(text) } else { None }
    }

    fn quoted(self) -> Option<String> {
        if let Self::Quoted(text) = self { Some(text) } else { None }
    }

    fn value(self) -> Value {
        match self {
            Self::Bare(name) => Value::Captured(name),
            Self::Quoted(text) => Value::Text(text),
        }
    }
}

fn expect(word: &Word, wanted: &str) -> Option<()> {
    (*word == Word::Bare(wanted.to_owned())).then_some(())
}

/// The words of a comment; none where a quotation does not end. Commas between items are for readers.
fn words(comment: &str) -> Option<Vec<Word>> {
    let mut words = Vec::new();
    let mut rest = comment.trim_start_matches([' ', ',']);
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix('"') {
            let (text, after) = quoted.split_once('"')?;
            words.push(Word::Quoted(text.to_owned()));
            rest = after;
        } else {
            let end = rest.find([' ', ',']).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            words.push(Word::Bare(word.to_owned()));
            rest = after;
        }
        rest = rest.trim_start_matches([' ', ',']);
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_run_as_its_comment_says() {
        let page = "text\n<!-- run in node, until \"Ready, now\", capture CODE after \"code \" -->\n```sh\none\n\ntwo\n```\n\
                    <!-- run in guest elsewhere, answer \"Name:\" with CODE, press C-c, end -->\n";
        let steps = parse(page).expect("it is a page");
        let text = |text: &str| text.to_owned();
        let first = Step {
            line: 2,
            terminal: text("node"),
            elsewhere: false,
            commands: vec![text("one"), text("two")],
            items: vec![
                Item::Until(Value::Text(text("Ready, now"))),
                Item::CaptureAfter(text("CODE"), text("code ")),
            ],
        };
        let second = Step {
            line: 8,
            terminal: text("guest"),
            elsewhere: true,
            commands: Vec::new(),
            items: vec![
                Item::Answer(text("Name:"), Value::Captured(text("CODE"))),
                Item::Press(text("C-c")),
                Item::End,
            ],
        };
        assert_eq!(steps, [first, second]);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (page, what) in [
            ("```sh\nls\n```", "1: no comment"),
            ("<!-- run in a, until \"x -->\n", "1: an open quotation"),
            ("\n<!-- run in a, dance -->\n", "2: the unknown word \"dance\""),
            ("<!-- run in a, answer \"x\" \"y\" -->\n", "1: no `with`"),
            ("<!-- run in a, until -->\n", "1: something missing"),
        ] {
            let error = parse(page).expect_err(page);
            assert!(error.starts_with(what), "{error}");
        }
        assert_eq!(parse("<!-- run in CI, alone -->\n```sh\ncargo xtask test\n```\n"), Ok(Vec::new()));
    }
}
