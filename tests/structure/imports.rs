//! Which file of a crate uses what from which other: `use` declarations, and paths in the code.
//!
//! Neither `mod x;` nor a re-export is an import: they say where a name is, not that this file needs it. A re-exported name
//! that the file uses itself is seen where it is used.

use super::resolve::Target;
use super::sources::{Crate, ModuleNumber, attributes, is_for_tests, leaves};
use proc_macro2::{TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItem, Item, ItemMod, ItemUse, Macro, Visibility};

/// For each file, the files that it imports from, and the names.
pub type Imports = BTreeMap<PathBuf, BTreeMap<PathBuf, BTreeSet<String>>>;

/// All imports between files of a crate.
pub fn imports(sources: &Crate) -> Imports {
    let mut imports = Imports::new();
    for (module, contents) in sources.modules.iter().enumerate() {
        let mut reader = Reader { sources, module, imports: &mut imports };
        for item in &contents.items {
            reader.visit_item(item);
        }
    }
    imports
}

struct Reader<'a> {
    sources: &'a Crate,
    module: ModuleNumber,
    imports: &'a mut Imports,
}

impl Reader<'_> {
    fn import(&mut self, path: &[String]) {
        match self.sources.resolve(self.module, path) {
            Some(Target::Item(from)) => self.note(from, path),
            // A use of a module counts where it is used.
            Some(Target::Module(_)) | None => {}
        }
    }

    fn note(&mut self, from: ModuleNumber, path: &[String]) {
        let (to, from) = (self.sources.file(self.module), self.sources.file(from));
        if to != from {
            let name = path.last().cloned().unwrap_or_default();
            self.imports.entry(to.to_path_buf()).or_default().entry(from.to_path_buf()).or_default().insert(name);
        }
    }

    /// The paths within a macro's arguments, which are not parsed: identifiers with `::` between them.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.import(&std::mem::take(&mut path));
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                token => {
                    self.import(&std::mem::take(&mut path));
                    colons = 0;
                    if let TokenTree::Group(group) = token {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.import(&path);
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Fn(function) => function.attrs.as_slice(),
            ImplItem::Const(constant) => &constant.attrs,
            _ => &[],
        };
        if !is_for_tests(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if !matches!(item.vis, Visibility::Inherited) || item.leading_colon.is_some() {
            return;
        }
        for (name, path) in leaves(&item.tree) {
            match (name, self.sources.resolve(self.module, &path)) {
                (None, Some(Target::Module(from))) => self.note(from, &["*".to_string()]),
                _ => self.import(&path),
            }
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.import(&names);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.visit_path(&call.path);
        self.tokens(call.tokens.clone());
    }

    // A module within a file is read like any module.
    fn visit_item_mod(&mut self, _: &'ast ItemMod) {}

    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}
