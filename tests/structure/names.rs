//! Public types, and re-exports of everything in a module.

use super::sources::{Crate, is_public, leaves};
use proc_macro2::TokenTree;
use std::collections::BTreeSet;
use std::path::Path;
use syn::Item;

/// The public types of a crate, each with the file that defines it.
pub fn public_types(sources: &Crate) -> BTreeSet<(String, &Path)> {
    let mut found = BTreeSet::new();
    for module in &sources.modules {
        for item in &module.items {
            let (visibility, name) = match item {
                Item::Struct(item) => (&item.vis, &item.ident),
                Item::Enum(item) => (&item.vis, &item.ident),
                Item::Trait(item) => (&item.vis, &item.ident),
                Item::Union(item) => (&item.vis, &item.ident),
                Item::Macro(item) if item.ident.is_none() => {
                    found.extend(made_by_macro(item.mac.tokens.clone()).map(|name| (name, module.file.as_path())));
                    continue;
                }
                _ => continue,
            };
            if is_public(visibility) {
                found.insert((name.to_string(), module.file.as_path()));
            }
        }
    }
    found
}

/// `pub enum Name` among the arguments of a macro, which defines that type.
fn made_by_macro(tokens: proc_macro2::TokenStream) -> impl Iterator<Item = String> {
    let words: Vec<String> = tokens
        .into_iter()
        .map(|token| match token {
            TokenTree::Ident(ident) => ident.to_string(),
            _ => String::new(),
        })
        .collect();
    let named: Vec<String> = words
        .windows(3)
        .filter(|words| words[0] == "pub" && ["struct", "enum", "trait"].contains(&words[1].as_str()))
        .map(|words| words[2].clone())
        .collect();
    named.into_iter()
}

/// Re-exports of everything in a module: the file and the path.
pub fn glob_reexports(sources: &Crate) -> Vec<(&Path, String)> {
    let mut found = Vec::new();
    for module in &sources.modules {
        for item in &module.items {
            let Item::Use(item) = item else { continue };
            if !matches!(item.vis, syn::Visibility::Inherited) {
                let globs = leaves(&item.tree).into_iter().filter(|(name, _)| name.is_none());
                found.extend(globs.map(|(_, path)| (module.file.as_path(), path.join("::"))));
            }
        }
    }
    found
}
