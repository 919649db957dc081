//! The modules of one crate, read from its sources: the file of each, and what each of its names means.
//!
//! Modules for tests are left out. Items that a macro defines are not seen; `resolve.rs` allows for them.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use syn::{Attribute, Item, Meta, UseTree, Visibility};

/// A module, by its number in the crate.
pub type ModuleNumber = usize;

/// The module at the root of a crate.
pub const ROOT: ModuleNumber = 0;

/// The meaning of a name in the module that declares it.
#[derive(Debug, Clone)]
pub enum Meaning {
    /// An item of this module.
    Item,
    /// A module within this one.
    Module(ModuleNumber),
    /// The item that another path names.
    Use(Vec<String>),
}

/// One module.
pub struct Module {
    pub file: PathBuf,
    pub parent: Option<ModuleNumber>,
    pub names: BTreeMap<String, Meaning>,
    /// Paths whose names are all names of this module, too.
    pub globs: Vec<Vec<String>>,
    pub items: Vec<Item>,
    /// Where `mod name;` looks for files.
    folder: PathBuf,
}

/// All modules of a crate except those for tests.
pub struct Crate {
    pub modules: Vec<Module>,
}

impl Crate {
    /// Reads a crate, starting at its root file. `read` returns a file's text, `None` if there is no such file.
    ///
    /// # Panics
    /// When a module's file is missing or cannot be parsed.
    pub fn read(root: &Path, read: &dyn Fn(&Path) -> Option<String>) -> Crate {
        let mut sources = Crate { modules: Vec::new() };
        let folder = root.parent().expect("a source lies in a folder").to_path_buf();
        let text = read(root).unwrap_or_else(|| panic!("{} is missing", root.display()));
        sources.add(root, folder, None, parse(root, &text), read);
        sources
    }

    fn add(
        &mut self,
        file: &Path,
        folder: PathBuf,
        parent: Option<ModuleNumber>,
        items: Vec<Item>,
        read: &dyn Fn(&Path) -> Option<String>,
    ) -> ModuleNumber {
        let number = self.modules.len();
        self.modules.push(Module {
            file: file.to_path_buf(),
            parent,
            names: BTreeMap::new(),
            globs: Vec::new(),
            items: Vec::new(),
            folder,
        });
        let items: Vec<Item> = items.into_iter().filter(|item| !is_for_tests(attributes(item))).collect();
        for item in &items {
            self.declare(number, item, read);
        }
        self.modules[number].items = items;
        number
    }

    fn declare(&mut self, number: ModuleNumber, item: &Item, read: &dyn Fn(&Path) -> Option<String>) {
        let name = match item {
            Item::Mod(module) => {
                let name = module.ident.to_string();
                let Module { file, folder, .. } = &self.modules[number];
                let (file, folder) = (file.clone(), folder.join(&name));
                let child = match &module.content {
                    Some((_, items)) => self.add(&file, folder, Some(number), items.clone(), read),
                    None => {
                        let (file, text) = self.module_file(number, &name, &module.attrs, read);
                        let items = parse(&file, &text);
                        self.add(&file, folder, Some(number), items, read)
                    }
                };
                self.modules[number].names.insert(name, Meaning::Module(child));
                return;
            }
            Item::Use(item) => {
                if item.leading_colon.is_none() {
                    for (name, path) in leaves(&item.tree) {
                        match name {
                            Some(name) => {
                                self.modules[number].names.entry(name).or_insert(Meaning::Use(path));
                            }
                            None => self.modules[number].globs.push(path),
                        }
                    }
                }
                return;
            }
            Item::Const(item) => &item.ident,
            Item::Enum(item) => &item.ident,
            Item::Fn(item) => &item.sig.ident,
            Item::Static(item) => &item.ident,
            Item::Struct(item) => &item.ident,
            Item::Trait(item) => &item.ident,
            Item::Type(item) => &item.ident,
            Item::Union(item) => &item.ident,
            _ => return,
        };
        self.modules[number].names.insert(name.to_string(), Meaning::Item);
    }

    fn module_file(
        &self,
        parent: ModuleNumber,
        name: &str,
        attributes: &[Attribute],
        read: &dyn Fn(&Path) -> Option<String>,
    ) -> (PathBuf, String) {
        let Module { file, folder, .. } = &self.modules[parent];
        let candidates = match path_attribute(attributes) {
            Some(path) => vec![file.with_file_name(path)],
            None => vec![folder.join(format!("{name}.rs")), folder.join(name).join("mod.rs")],
        };
        candidates
            .iter()
            .map(|path| normal(path))
            .find_map(|path| read(&path).map(|text| (path, text)))
            .unwrap_or_else(|| {
                panic!("{}: the module `{name}` has no file: looked for {candidates:?}", file.display())
            })
    }
}

/// The names that a `use` declares, `None` for all names of a module, with the paths that they mean.
pub fn leaves(tree: &UseTree) -> Vec<(Option<String>, Vec<String>)> {
    fn walk(tree: &UseTree, path: &[String], out: &mut Vec<(Option<String>, Vec<String>)>) {
        let with = |name: String| path.iter().cloned().chain([name]).collect::<Vec<String>>();
        match tree {
            UseTree::Path(tree_path) => walk(&tree_path.tree, &with(tree_path.ident.to_string()), out),
            UseTree::Name(name) if name.ident == "self" => {
                out.push((path.last().cloned(), path.to_vec()));
            }
            UseTree::Name(name) => out.push((Some(name.ident.to_string()), with(name.ident.to_string()))),
            UseTree::Rename(name) => {
                let path = if name.ident == "self" { path.to_vec() } else { with(name.ident.to_string()) };
                out.push((Some(name.rename.to_string()), path));
            }
            UseTree::Glob(_) => out.push((None, path.to_vec())),
            UseTree::Group(group) => group.items.iter().for_each(|tree| walk(tree, path, out)),
        }
    }
    let mut out = Vec::new();
    walk(tree, &[], &mut out);
    out
}

/// Whether something is compiled for tests only.
pub fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => {
            let condition = list.tokens.to_string();
            condition == "test" || condition.starts_with("all (test") || condition.starts_with("all(test")
        }
        Meta::Path(path) => path.is_ident("test"),
        _ => false,
    })
}

/// An item's attributes.
pub fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether an item is public without a restriction.
pub fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn parse(file: &Path, text: &str) -> Vec<Item> {
    let parsed = syn::parse_file(text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    if is_for_tests(&parsed.attrs) { Vec::new() } else { parsed.items }
}

fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    })
}

/// A path without `..` and `.`.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(out.pop()),
            Component::CurDir => {}
            component => out.push(component),
        }
    }
    out
}
