//! A minimal module around one function, so that printing that function does not print the module around it.
//!
//! Indices in the body stay those of the original module. The printer does not mind that they point nowhere, and
//! names come from a name section with exactly those that the body uses.

use forkpoint_traces::clip;

/// Most characters of a name in the text: it is repeated at every use.
const MAX_IDENTIFIER: usize = 100;

/// The parts of the synthetic module.
#[derive(Default)]
pub(super) struct Parts<'a> {
    /// Contents of the type section.
    pub(super) types: Option<&'a [u8]>,
    /// Type index of the function.
    pub(super) ty: u32,
    /// Its body: locals and instructions.
    pub(super) body: &'a [u8],
    /// Names of functions it refers to.
    pub(super) functions: Vec<(u32, String)>,
    /// Names of globals it refers to.
    pub(super) globals: Vec<(u32, &'a str)>,
    /// Names of its parameters and locals.
    pub(super) locals: Vec<(u32, &'a str)>,
    /// Names of its labels.
    pub(super) labels: Vec<(u32, &'a str)>,
    /// Names of other kinds, by the number of their subsection.
    pub(super) small: Vec<(u8, Vec<(u32, &'a str)>)>,
}

impl Parts<'_> {
    /// The module, and where in it the body starts.
    pub(super) fn build(&self) -> (Vec<u8>, usize) {
        let mut module = b"\0asm\x01\0\0\0".to_vec();
        if let Some(types) = self.types {
            section(&mut module, 1, types);
        }
        let mut functions = vec![1];
        leb(&mut functions, self.ty);
        section(&mut module, 3, &functions);

        let mut code = vec![1];
        leb(&mut code, self.body.len() as u32);
        code.extend_from_slice(self.body);
        section(&mut module, 10, &code);
        let body = module.len() - self.body.len();

        let mut names = Vec::new();
        leb(&mut names, 4);
        names.extend_from_slice(b"name");
        let functions: Vec<_> = self.functions.iter().map(|(i, name)| (*i, name.as_str())).collect();
        subsection(&mut names, 1, &[], &functions);
        // The function is number 0 of the synthetic module.
        subsection(&mut names, 2, &[1, 0], &self.locals);
        subsection(&mut names, 3, &[1, 0], &self.labels);
        subsection(&mut names, 7, &[], &self.globals);
        for (id, kind) in &self.small {
            subsection(&mut names, *id, &[], kind);
        }
        section(&mut module, 0, &names);
        (module, body)
    }
}

fn subsection(out: &mut Vec<u8>, id: u8, prefix: &[u8], names: &[(u32, &str)]) {
    if names.is_empty() {
        return;
    }
    let mut contents = prefix.to_vec();
    leb(&mut contents, names.len() as u32);
    for (index, name) in names {
        let name = clip(name, MAX_IDENTIFIER);
        leb(&mut contents, *index);
        leb(&mut contents, name.len() as u32);
        contents.extend_from_slice(name.as_bytes());
    }
    section(out, id, &contents);
}

fn section(out: &mut Vec<u8>, id: u8, contents: &[u8]) {
    out.push(id);
    leb(out, contents.len() as u32);
    out.extend_from_slice(contents);
}

fn leb(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
