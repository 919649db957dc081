//! The template of a command line: words, as a shell splits them, with placeholders. No shell is involved.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Commands that run one after the other.
#[derive(Debug, Clone)]
pub(super) struct Template(Vec<Vec<String>>);

/// What placeholders stand for.
pub(super) struct Filling<'a> {
    pub(super) module: &'a Path,
    pub(super) compiled: &'a Path,
    pub(super) function: &'a str,
    pub(super) arguments: &'a [String],
    /// Modules before the one that is run: names under which it imports from them, and files.
    pub(super) modules: &'a [(String, PathBuf)],
}

const MODULE: &str = "{module}";
const COMPILED: &str = "{compiled}";
const FUNCTION: &str = "{function}";
const ARGUMENTS: &str = "{arguments}";
const NAME: &str = "{name}";
const FILE: &str = "{file}";

impl Template {
    /// Splits a command line.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn parse(text: &str) -> Result<Template, String> {
        let words =
            shell_words::split(text).map_err(|error| format!("the command cannot be split into words: {error}"))?;
        let steps: Vec<Vec<String>> = words.split(|word| word == "&&").map(<[String]>::to_vec).collect();
        if steps.iter().any(Vec::is_empty) {
            return Err("a `&&` in the command has no command before or after it".to_string());
        }
        Ok(Template(steps))
    }

    /// Whether the command is told which function to run.
    pub(super) fn names_function(&self) -> bool {
        self.0.iter().flatten().any(|word| word.contains(FUNCTION))
    }

    /// The program that runs last.
    pub(super) fn program(&self) -> &str {
        self.0.last().and_then(|step| step.first()).map_or("", String::as_str)
    }

    /// The commands, as lists of words. A word `{arguments}` becomes as many as there are arguments, and one with `{file}` as
    /// many as there are further modules.
    pub(super) fn fill(&self, filling: &Filling) -> Vec<Vec<OsString>> {
        let word = |word: &String| match word.as_str() {
            ARGUMENTS => filling.arguments.iter().map(OsString::from).collect(),
            text if text.contains(FILE) => {
                filling.modules.iter().map(|module| fill_word(word, filling, Some(module))).collect()
            }
            _ => vec![fill_word(word, filling, None)],
        };
        self.0.iter().map(|step| step.iter().flat_map(word).collect()).collect()
    }
}

/// A word with its placeholders replaced, in one pass: what is put in is not looked at again.
fn fill_word(word: &str, filling: &Filling, module: Option<&(String, PathBuf)>) -> OsString {
    let arguments = filling.arguments.join(" ");
    let mut known: Vec<(&str, &OsStr)> = vec![
        (MODULE, filling.module.as_os_str()),
        (COMPILED, filling.compiled.as_os_str()),
        (FUNCTION, OsStr::new(filling.function)),
        (ARGUMENTS, OsStr::new(&arguments)),
    ];
    if let Some((name, file)) = module {
        known.extend([(NAME, OsStr::new(name)), (FILE, file.as_os_str())]);
    }
    let mut filled = Vec::new();
    let mut rest = word;
    while let Some(next) = rest.chars().next() {
        match known.iter().find(|(name, _)| rest.starts_with(name)) {
            Some((name, value)) => {
                filled.extend_from_slice(value.as_bytes());
                rest = &rest[name.len()..];
            }
            None => {
                let (one, after) = rest.split_at(next.len_utf8());
                filled.extend_from_slice(one.as_bytes());
                rest = after;
            }
        }
    }
    OsString::from_vec(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str, module: &str) -> Vec<Vec<String>> {
        let template = Template::parse(template).expect(template);
        let arguments = ["-1".to_string(), "two words".to_string()];
        let modules = [("a".to_string(), PathBuf::from("/x {name}")), ("b".to_string(), PathBuf::from("/y"))];
        let filling = Filling {
            module: Path::new(module),
            compiled: Path::new("/c"),
            function: "f",
            arguments: &arguments,
            modules: &modules,
        };
        let steps = template.fill(&filling);
        steps
            .into_iter()
            .map(|step| step.into_iter().map(|word| word.into_string().expect("text")).collect())
            .collect()
    }

    #[test]
    fn words_are_split_as_by_a_shell_and_nothing_in_them_is() {
        let odd = "/a b/'c\"\n$(d){function}; e.wasm";
        assert_eq!(
            filled("'my engine' --x={module} {arguments} \"{function}\" '{arguments}'", odd),
            [vec!["my engine", &format!("--x={odd}"), "-1", "two words", "f", "-1", "two words"]]
        );
        assert_eq!(
            filled("compile {module} -o {compiled} && run {compiled} {unknown} {", "/m"),
            [vec!["compile", "/m", "-o", "/c"], vec!["run", "/c", "{unknown}", "{"]]
        );
        assert_eq!(
            filled("run --preload={name}={file} {name} {module}", "/m"),
            [vec!["run", "--preload=a=/x {name}", "--preload=b=/y", "{name}", "/m"]]
        );
        for wrong in ["a &&", "&& a", "a && && b", "'a"] {
            assert!(Template::parse(wrong).is_err(), "{wrong}");
        }
    }
}
