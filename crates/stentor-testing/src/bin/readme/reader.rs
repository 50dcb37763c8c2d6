//! Follows steps in terminals, as a person does who reads them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use stentor_testing::terminal::{Shell, Terminal};

use crate::steps::{Item, Step, Value};

/// The person at the terminals.
pub(crate) struct Reader {
    /// The copy of the tree.
    tree: PathBuf,
    /// Where the homes are, theirs and those of others.
    homes: PathBuf,
    /// What the environment has besides the home.
    environment: Vec<(String, String)>,
    windows: BTreeMap<String, Window>,
    /// What they have noted down.
    captured: BTreeMap<String, String>,
}

/// A terminal, and what was seen in it since its last command was typed.
struct Window {
    terminal: Terminal,
    prompts: usize,
    seen: BTreeMap<String, usize>,
}

impl Reader {
    pub(crate) fn new(tree: &Path, homes: &Path, environment: Vec<(String, String)>) -> Self {
        let (windows, captured) = (BTreeMap::new(), BTreeMap::new());
        Self { tree: tree.to_owned(), homes: homes.to_owned(), environment, windows, captured }
    }

    /// Follows one step.
    ///
    /// # Errors
    /// What did not come, with what the terminal shows.
    pub(crate) fn follow(&mut self, step: &Step) -> Result<(), String> {
        if !self.windows.contains_key(&step.terminal) {
            let window = self.open(step)?;
            self.windows.insert(step.terminal.clone(), window);
        }
        let window = self.windows.get_mut(&step.terminal).expect("it was opened");
        window.seen.clear();
        let mut items = step.items.iter().peekable();
        if let Some((last, before)) = step.commands.split_last() {
            window.begin()?;
            for command in before {
                window.terminal.enter(command);
                while let Some(Item::Answer(prompt, value)) = items.peek() {
                    if !window.text_before_prompt(prompt)? {
                        break;
                    }
                    window.terminal.enter(&resolve(&self.captured, value)?);
                    items.next();
                }
                window.prompt()?;
            }
            window.terminal.enter(last);
        }
        let mut runs_on = false;
        for item in items {
            runs_on = match item {
                Item::Until(_) | Item::Type(_) | Item::Press(_) => true,
                Item::End => false,
                _ => runs_on,
            };
            if let Some((name, text)) = window.act(item, &self.captured)? {
                self.captured.insert(name, text);
            }
        }
        let ended = matches!(step.items.last(), Some(Item::End));
        if runs_on || ended { Ok(()) } else { window.prompt() }
    }

    fn open(&self, step: &Step) -> Result<Window, String> {
        let home = self.homes.join(if step.elsewhere { &step.terminal } else { "home" });
        fs::create_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
        let terminal = Terminal::open(&Shell {
            width: WIDTH,
            height: HEIGHT,
            home: &home,
            directory: &self.tree,
            prompt: "[$?]$ ",
            environment: &self.environment,
        });
        Ok(Window { terminal, prompts: 1, seen: BTreeMap::new() })
    }
}

impl Window {
    /// Makes sure that the shell waits, and clears the terminal.
    fn begin(&mut self) -> Result<(), String> {
        self.terminal.clear();
        self.terminal.press(&["Enter"]);
        self.prompts = 0;
        self.prompt()
    }

    /// Does one thing. Returns what was noted down, and under which name.
    fn act(
        &mut self,
        item: &Item,
        captured: &BTreeMap<String, String>,
    ) -> Result<Option<(String, String)>, String> {
        match item {
            Item::Until(value) => self.text(&resolve(captured, value)?)?,
            Item::Type(value) => self.terminal.enter(&resolve(captured, value)?),
            Item::Answer(prompt, value) => {
                self.text(prompt)?;
                self.terminal.enter(&resolve(captured, value)?);
            }
            Item::CaptureAfter(name, text) => {
                self.text(text)?;
                return Ok(Some((name.clone(), self.word_after(text)?)));
            }
            Item::CaptureFrom(name, text) => {
                self.text(text)?;
                return Ok(Some((name.clone(), self.line_from(text)?)));
            }
            Item::Press(key) => self.terminal.press(&[key]),
            Item::End => self.prompt()?,
        }
        Ok(None)
    }

    /// Waits for the shell's prompt, and for an exit code of 0 in it.
    fn prompt(&mut self) -> Result<(), String> {
        let before = self.prompts;
        let text = self.terminal.wait_within(PATIENCE, |text| prompts(text).len() > before)?;
        let codes = prompts(&text);
        self.prompts = codes.len();
        match codes.last() {
            Some(&"0") => Ok(()),
            code => Err(format!("it ended with the code {}:\n{text}", code.unwrap_or(&"?"))),
        }
    }

    /// Waits for a text or for the shell's prompt; whether it was the text.
    fn text_before_prompt(&mut self, wanted: &str) -> Result<bool, String> {
        let (times, before) = (self.seen.get(wanted).copied().unwrap_or_default(), self.prompts);
        let came = |text: &str| text.matches(wanted).count() > times;
        let text = self.terminal.wait_within(PATIENCE, |text| came(text) || prompts(text).len() > before)?;
        let came = came(&text);
        if came {
            self.seen.insert(wanted.to_owned(), times + 1);
        }
        Ok(came)
    }

    /// Waits for a text once more than it was waited for.
    fn text(&mut self, wanted: &str) -> Result<(), String> {
        let times = self.seen.get(wanted).copied().unwrap_or_default();
        self.terminal
            .wait_within(PATIENCE, |text| text.matches(wanted).count() > times)
            .map_err(|text| format!("{wanted:?} did not come:\n{text}"))?;
        self.seen.insert(wanted.to_owned(), times + 1);
        Ok(())
    }

    fn word_after(&self, before: &str) -> Result<String, String> {
        let text = self.terminal.text();
        let word = text.split_once(before).and_then(|(_, rest)| rest.split_whitespace().next());
        word.map(str::to_owned).ok_or_else(|| format!("nothing follows {before:?}:\n{text}"))
    }

    fn line_from(&self, start: &str) -> Result<String, String> {
        let text = self.terminal.text();
        let line = text.lines().rev().find(|line| line.starts_with(start));
        line.map(str::to_owned).ok_or_else(|| format!("no line begins with {start:?}:\n{text}"))
    }
}

fn resolve(captured: &BTreeMap<String, String>, value: &Value) -> Result<String, String> {
    match value {
        Value::Text(text) => Ok(text.clone()),
        Value::Captured(name) => {
            captured.get(name).cloned().ok_or_else(|| format!("nothing was noted down as {name}"))
        }
    }
}

/// The exit codes in the shell's prompts: `[0]$ `.
fn prompts(text: &str) -> Vec<&str> {
    let codes =
        text.lines().filter_map(|line| line.strip_prefix('[')?.split_once("]$")).map(|(code, _)| code);
    codes.filter(|code| !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_digit())).collect()
}

/// Wide enough for the longest line that is noted down.
const WIDTH: u16 = 300;
const HEIGHT: u16 = 50;

/// How long one line may take: the first one compiles everything.
const PATIENCE: Duration = Duration::from_secs(1800);
