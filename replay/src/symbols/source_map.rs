//! Source lines from a source map, for modules without debug information: emscripten, Binaryen and AssemblyScript make them.
//!
//! The map of a module is one line whose columns are offsets of bytes. It is in a file of its own, which the section
//! `sourceMappingURL` names: nothing is read because a module says so, but a map in the section itself (a `data:` URL) is used.

use super::dwarf::SourceFrame;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use forkpoint_traces::{clip, printable};
use serde::Deserialize;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wasmparser::BinaryReader;

/// The custom section that says where a module's map is.
pub(super) const SECTION: &str = "sourceMappingURL";

/// Longest map that is read, in bytes: reading one takes up to a dozen times of that.
const MAX_BYTES: u64 = 32 << 20;

/// Most characters of a path that are shown.
const MAX_PATH: usize = 1_000;

/// Why there is no source map.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceMapError {
    /// The file cannot be read.
    #[error("reading the source map {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is too long.
    #[error("the source map is longer than {} MiB, which is the most that is read", MAX_BYTES >> 20)]
    TooLong,
    /// It is not a source map of version 3.
    #[error("not a source map of version 3: {0}")]
    Malformed(String),
    /// It is one of something else.
    #[error("the source map maps no bytes of a module: those are columns of its first line")]
    Empty,
}

/// Which bytes of a module come from which lines of which files.
pub struct SourceMap {
    /// In the order of their offsets.
    places: Vec<Place>,
    /// Safe to print.
    sources: Vec<Source>,
}

/// From this byte on, up to the next place.
struct Place {
    offset: u32,
    /// `None` where the bytes come from no file.
    source: Option<u32>,
    line: u32,
    column: u32,
}

struct Source {
    path: String,
    text: Option<Arc<str>>,
}

/// A map as it is written: with mappings, or with sections that are maps.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    version: u32,
    source_root: Option<String>,
    #[serde(default)]
    sources: Vec<Option<String>>,
    sources_content: Option<Vec<Option<String>>>,
    mappings: Option<String>,
    sections: Option<Vec<Section>>,
}

/// A map of what begins somewhere in the whole.
#[derive(Deserialize)]
struct Section {
    offset: Start,
    map: Option<Written>,
}

#[derive(Deserialize)]
struct Start {
    line: u32,
    column: u32,
}

impl Written {
    /// The maps that it consists of, and at which byte each begins.
    fn parts(self) -> Result<Vec<(u32, Written)>, SourceMapError> {
        let malformed = |what: &str| Err(SourceMapError::Malformed(what.to_string()));
        let Some(sections) = self.sections else { return Ok(vec![(0, self)]) };
        let mut parts: Vec<(u32, Written)> = Vec::new();
        for Section { offset: Start { line, column }, map } in sections {
            // Nothing that the module has is on other lines.
            if line > 0 {
                continue;
            }
            match map {
                None => return malformed("it has a section whose map is elsewhere"),
                Some(map) if map.sections.is_some() => return malformed("it has sections in a section"),
                Some(_) if parts.last().is_some_and(|(last, _)| *last > column) => {
                    return malformed("its sections are not in order");
                }
                Some(map) => parts.push((column, map)),
            }
        }
        Ok(parts)
    }

    /// The places of its first line, in order. Each number is the difference to the one before it.
    fn places(&self) -> Result<Vec<Place>, SourceMapError> {
        let malformed = |what: &str| SourceMapError::Malformed(format!("its mappings have {what}"));
        if self.version != 3 {
            return Err(SourceMapError::Malformed(format!("it is of version {}", self.version)));
        }
        let Some(mappings) = &self.mappings else {
            return Err(SourceMapError::Malformed("it has neither mappings nor sections".to_string()));
        };
        let line = mappings.split(';').next().unwrap_or_default();
        let mut places = Vec::new();
        let (mut offset, mut source, mut row, mut column) = (0, 0, 0, 0);
        for segment in line.split(',').filter(|segment| !segment.is_empty()) {
            let mut bytes = segment.bytes().peekable();
            let mut fields = [0; 5];
            let mut count = 0;
            while bytes.peek().is_some() {
                let field = fields.get_mut(count).ok_or_else(|| malformed("a segment of more than five numbers"))?;
                *field = vlq::decode(&mut bytes)
                    .map_err(|_| malformed("a number that is cut off, too long or not in base64"))?;
                count += 1;
            }
            let add = |total: &mut u32, difference: i64| {
                let sum = i64::from(*total).checked_add(difference).and_then(|sum| u32::try_from(sum).ok());
                *total = sum.ok_or_else(|| malformed("a number below 0 or above 2^32"))?;
                Ok(*total)
            };
            let offset = add(&mut offset, fields[0])?;
            let source = match count {
                1 => None,
                4 | 5 => {
                    add(&mut row, fields[2])?;
                    add(&mut column, fields[3])?;
                    Some(add(&mut source, fields[1])?)
                }
                _ => return Err(malformed("a segment of two or three numbers")),
            };
            if source.is_some_and(|source| source as usize >= self.sources.len()) {
                return Err(malformed("a source that is not in its list"));
            }
            places.push(Place { offset, source, line: row, column });
        }
        places.sort_by_key(|place| place.offset);
        Ok(places)
    }

    /// Its files.
    fn files(self) -> impl Iterator<Item = Source> {
        let root = self.source_root.unwrap_or_default();
        let mut texts = self.sources_content.unwrap_or_default().into_iter();
        self.sources.into_iter().map(move |name| {
            let (root, name) = (root.trim_end_matches('/'), name.unwrap_or_default());
            let path = if root.is_empty() { name } else { format!("{root}/{name}") };
            Source { path: printable(&clip(&path, MAX_PATH)), text: texts.next().flatten().map(Arc::from) }
        })
    }
}

impl SourceMap {
    /// Reads a map from a file that the user names.
    ///
    /// # Errors
    /// When the file cannot be read, and those of [`SourceMap::parse`].
    pub fn read(path: &Path) -> Result<SourceMap, SourceMapError> {
        let io = |source| SourceMapError::Io { path: path.to_path_buf(), source };
        let mut bytes = Vec::new();
        File::open(path).map_err(io)?.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
        SourceMap::parse(&bytes)
    }

    /// Reads a map.
    ///
    /// # Errors
    /// When it is too long, is not a source map, or none of a module.
    pub fn parse(bytes: &[u8]) -> Result<SourceMap, SourceMapError> {
        if bytes.len() as u64 > MAX_BYTES {
            return Err(SourceMapError::TooLong);
        }
        let written: Written = serde_json::from_slice(bytes)
            .map_err(|error| SourceMapError::Malformed(printable(&error.to_string())))?;
        let version = written.version;
        if version != 3 {
            return Err(SourceMapError::Malformed(format!("it is of version {version}")));
        }
        let (mut places, mut sources) = (Vec::new(), Vec::new());
        for (start, part) in written.parts()? {
            let first = sources.len() as u32;
            // What comes before its first mapping belongs to no part.
            places.truncate(places.partition_point(|place: &Place| place.offset < start));
            places.push(Place { offset: start, source: None, line: 0, column: 0 });
            for place in part.places()? {
                let offset = start.checked_add(place.offset);
                let offset = offset.ok_or_else(|| SourceMapError::Malformed("an offset above 2^32".to_string()))?;
                let source = place.source.map(|source| source + first);
                places.push(Place { offset, source, ..place });
            }
            sources.extend(part.files());
        }
        if places.iter().all(|place| place.source.is_none()) {
            return Err(SourceMapError::Empty);
        }
        Ok(SourceMap { places, sources })
    }

    /// The map in a module's section, if it is there and not elsewhere.
    pub(super) fn in_section(section: &[u8]) -> Option<SourceMap> {
        let url = url(section)?;
        let (kind, data) = url.strip_prefix("data:")?.split_once(',')?;
        let bytes = kind.ends_with(";base64").then(|| STANDARD.decode(data))?;
        SourceMap::parse(&bytes.ok()?).ok()
    }

    /// Where the byte at `offset` of the function with this `body` comes from.
    pub(super) fn source(&self, offset: u32, body: &Range<u32>) -> Option<SourceFrame> {
        let next = self.places.partition_point(|place| place.offset <= offset);
        // What a map says of the last function does not go for the next one.
        let place = self.places.get(next.checked_sub(1)?).filter(|place| place.offset >= body.start)?;
        Some(SourceFrame {
            function: None,
            file: Some(self.sources.get(place.source? as usize)?.path.clone()),
            line: place.line.checked_add(1),
            column: place.column.checked_add(1),
        })
    }

    /// The text of a file, if the map has it.
    pub(super) fn text(&self, path: &str) -> Option<&Arc<str>> {
        self.sources.iter().find(|source| source.path == path)?.text.as_ref()
    }
}

/// What a section says about where the map is.
pub(super) fn url(section: &[u8]) -> Option<&str> {
    BinaryReader::new(section, 0).read_string().ok()
}

impl fmt::Debug for SourceMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (places, sources) = (self.places.len(), self.sources.len());
        f.debug_struct("SourceMap").field("places", &places).field("sources", &sources).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<SourceMap, SourceMapError> {
        SourceMap::parse(text.as_bytes())
    }

    /// `mappings` for offsets 10 and 16, in lines 1 and 3 of the first file, and 20 in no file.
    const MAP: &str = r#"{"version":3,"sourceRoot":"root/","sources":["a.ts","b\u001b.ts"],"names":[],
        "sourcesContent":["one\ntwo",null],"mappings":"UAAA,MAEE,I"}"#;

    #[test]
    fn offsets_belong_to_the_place_before_them_in_their_function() {
        let map = parse(MAP).expect("a map");
        let at = |offset| map.source(offset, &(8..30)).map(|frame| (frame.file, frame.line, frame.column));
        let file = Some("root/a.ts".to_string());
        assert_eq!(at(9), None);
        assert_eq!(at(10), Some((file.clone(), Some(1), Some(1))));
        assert_eq!(at(15), Some((file.clone(), Some(1), Some(1))));
        assert_eq!(at(16), Some((file, Some(3), Some(3))));
        assert_eq!(at(25), None);
        assert_eq!(map.source(15, &(12..30)), None, "that place is in the function before");
        assert_eq!(map.text("root/a.ts").map(AsRef::as_ref), Some("one\ntwo"));
        assert!(map.text("root/b\u{1b}.ts").is_none());
        assert!(!map.sources[1].path.contains('\u{1b}'));
    }

    /// A linker that joins maps writes each with the byte at which its part begins.
    #[test]
    fn sections_are_maps_of_what_begins_at_their_offsets() {
        let part = |name: &str, mappings: &str| {
            format!(r#"{{"version":3,"sources":["{name}"],"sourcesContent":["{name}'s"],"mappings":"{mappings}"}}"#)
        };
        let section = |line: u32, column: u32, map: &str| {
            format!(r#"{{"offset":{{"line":{line},"column":{column}}},"map":{map}}}"#)
        };
        let joined = |sections: &[String]| format!(r#"{{"version":3,"sections":[{}]}}"#, sections.join(","));
        let map = joined(&[
            section(0, 0, MAP),
            section(0, 18, &part("c.ts", "EAAA")),
            section(0, 30, &part("d.ts", "AAAA,MAEE")),
            section(1, 0, &part("e.ts", "AAAA")),
        ]);
        let map = parse(&map).expect("a map");
        let at = |offset| map.source(offset, &(0..50)).and_then(|frame| Some((frame.file?, frame.line?)));
        let file = |name: &str, line| Some((name.to_string(), line));
        assert_eq!(at(17), file("root/a.ts", 3));
        assert_eq!(at(18), None, "no part goes beyond the next one's beginning");
        assert_eq!(at(20), file("c.ts", 1));
        assert_eq!(at(30), file("d.ts", 1));
        assert_eq!(at(36), file("d.ts", 3));
        assert_eq!(map.text("c.ts").map(AsRef::as_ref), Some("c.ts's"));
        for bad in [
            joined(&[section(0, 5, MAP), section(0, 4, MAP)]),
            joined(&[section(0, 0, &joined(&[section(0, 0, MAP)]))]),
            joined(&[section(0, u32::MAX, MAP)]),
            joined(&[section(3, 0, MAP)]),
            joined(&[r#"{"offset":{"line":0,"column":0},"url":"x.map"}"#.to_string()]),
            joined(&[section(0, 0, r#"{"version":2,"sources":[],"mappings":""}"#)]),
        ] {
            assert!(parse(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_map_in_the_section_is_used_and_others_are_only_named() {
        let section = |url: &str| {
            let mut section = wasm_encoded(url.len());
            section.extend(url.as_bytes());
            section
        };
        let data = STANDARD.encode(MAP);
        assert!(SourceMap::in_section(&section(&format!("data:application/json;base64,{data}"))).is_some());
        for other in ["data:application/json;base64,!!", "data:,{}", "http://localhost/x.map", "x.map", ""] {
            assert!(SourceMap::in_section(&section(other)).is_none(), "{other}");
            assert_eq!(url(&section(other)), Some(other));
        }
        assert_eq!(url(&[9, b'x']), None);
    }

    fn wasm_encoded(mut number: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while number >= 0x80 {
            bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
        bytes
    }

    #[test]
    fn hostile_maps_are_errors() {
        let with = |mappings: &str| format!(r#"{{"version":3,"sources":["a"],"names":[],"mappings":"{mappings}"}}"#);
        for bad in [
            String::new(),
            "[".repeat(100_000),
            r#"{"version":2,"sources":[],"mappings":""}"#.to_string(),
            r#"{"version":3,"sections":[]}"#.to_string(),
            with(""),
            with(";AAAA"),
            with("D"),
            with("ACAA"),
            with("AAAAAA"),
            with("AA"),
            with("AADA"),
            with("gggggggggggggggggggg"),
            with(&"/".repeat(1_000)),
            with("\u{20ac}\u{20ac}"),
        ] {
            assert!(parse(&bad).is_err(), "{}", clip(&bad, 100));
        }
        assert!(matches!(SourceMap::parse(&vec![b' '; (MAX_BYTES + 1) as usize]), Err(SourceMapError::TooLong)));
        // Whatever the bytes are, they are read or refused.
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..20_000 {
            let alphabet = b"ABCDEgIU/+,;9\\z";
            let byte = |random: &mut fastrand::Rng| char::from(alphabet[random.usize(..alphabet.len())]);
            let mappings: String = (0..random.usize(..40)).map(|_| byte(&mut random)).collect();
            if let Ok(map) = parse(&with(&mappings.replace('\\', "\\\\"))) {
                for offset in [0, 1, 17, u32::MAX] {
                    let _ = map.source(offset, &(0..u32::MAX));
                }
            }
        }
    }
}
