//! From a path written in a module to the file that defines what it names.

use super::sources::{Crate, Meaning, Module, ModuleNumber, ROOT};
use std::path::Path;

/// Longer chains of re-exports are circles of names.
const MAX_DEPTH: usize = 32;

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A module itself.
    Module(ModuleNumber),
    /// Something that this module defines.
    Item(ModuleNumber),
}

impl Crate {
    /// The file of a module.
    pub fn file(&self, module: ModuleNumber) -> &Path {
        &self.modules[module].file
    }

    /// Resolves a path of this crate; `None` if it leads out of the crate, to a local variable or to a primitive.
    pub fn resolve(&self, module: ModuleNumber, path: &[String]) -> Option<Target> {
        self.resolve_within(module, path, 0)
    }

    fn resolve_within(&self, module: ModuleNumber, path: &[String], depth: usize) -> Option<Target> {
        if depth > MAX_DEPTH {
            return None;
        }
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.descend(ROOT, rest, depth, true),
            "self" => self.descend(module, rest, depth, true),
            "super" => {
                // `super::super`: the rest is a path in the parent.
                let parent = self.modules[module].parent?;
                match rest.first().map(String::as_str) {
                    Some("super") => self.resolve_within(parent, rest, depth + 1),
                    _ => self.descend(parent, rest, depth, true),
                }
            }
            _ => self.descend(module, path, depth, false),
        }
    }

    /// Follows a path from a module. With `ours` the path is known to be in this crate, so a name that is not found
    /// was defined by a macro.
    fn descend(&self, module: ModuleNumber, path: &[String], depth: usize, ours: bool) -> Option<Target> {
        let Some((name, rest)) = path.split_first() else { return Some(Target::Module(module)) };
        let Module { names, globs, .. } = &self.modules[module];
        match names.get(name) {
            Some(Meaning::Item) => Some(Target::Item(module)),
            Some(Meaning::Module(child)) => self.descend(*child, rest, depth, true),
            // `use a::a` would look up itself.
            Some(Meaning::Use(used)) if used != path => {
                let path: Vec<String> = used.iter().chain(rest).cloned().collect();
                self.resolve_within(module, &path, depth + 1)
            }
            Some(Meaning::Use(_)) => None,
            None => {
                let found = globs.iter().find_map(|glob| match self.resolve_within(module, glob, depth + 1)? {
                    Target::Module(from) if from != module => self.declared(from, path, depth + 1),
                    _ => None,
                });
                found.or(ours.then_some(Target::Item(module)))
            }
        }
    }

    /// Like `descend`, for a name that must exist.
    fn declared(&self, module: ModuleNumber, path: &[String], depth: usize) -> Option<Target> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.descend(module, path, depth, false)
    }
}
