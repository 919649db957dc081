//! Makes one function smaller.

use crate::reduce::body::{self, Code, Expression, Splice, spliced, zero};
use crate::reduce::candidate::Candidate;
use crate::reduce::constants;
use crate::reduce::judge::{Halt, Judge};
use crate::reduce::sections::{body_ranges, encoded, with_bodies};
use std::collections::BTreeMap;
use std::ops::Range;
use wasm_encoder::Instruction;

/// One function that is being shrunk.
pub(super) struct Shrinking<'s, 'a> {
    pub judge: &'s mut Judge<'a>,
    pub best: &'s mut Candidate,
    pub number: u32,
    /// Pieces of fewer bytes stay.
    pub least: usize,
}

impl Shrinking<'_, '_> {
    fn code(&self) -> Code {
        body::code(&self.best.module, self.number).unwrap_or_default()
    }

    fn bytes(&self) -> Vec<u8> {
        let range = body_ranges(&self.best.module).ok().and_then(|ranges| ranges.get(self.number as usize).cloned());
        range.map_or(Vec::new(), |range| self.best.module[range].to_vec())
    }

    /// Tries the function with some of its bytes replaced.
    fn with(&mut self, splices: &[Splice]) -> Result<bool, Halt> {
        let bodies = BTreeMap::from([(self.number, spliced(&self.bytes(), splices))]);
        let Ok(module) = with_bodies(&self.best.module, &bodies) else { return Ok(false) };
        self.judge.accept(self.best, self.best.with(module))
    }

    /// Takes out code that cannot be reached.
    pub fn dead(&mut self) -> Result<(), Halt> {
        self.judge.phase = "code";
        let dead: Vec<Splice> = self.code().dead.into_iter().map(|range| (range, Vec::new())).collect();
        if !dead.is_empty() {
            self.with(&dead)?;
        }
        Ok(())
    }

    /// Takes out statements: runs of them, from long to short, block by block.
    pub fn statements(&mut self) -> Result<(), Halt> {
        self.judge.phase = "statements";
        let mut block = 0;
        loop {
            let blocks = self.code().statements();
            let Some(statements) = blocks.get(block) else { return Ok(()) };
            let mut size = statements.len();
            let mut statements = statements.clone();
            while size > 0 && !statements.is_empty() {
                let mut at = statements.len();
                while at > 0 {
                    let start = at.saturating_sub(size);
                    let gone: Vec<Splice> =
                        statements[start..at].iter().map(|range| (range.clone(), Vec::new())).collect();
                    let length: usize = gone.iter().map(|(range, _)| range.len()).sum();
                    if length >= self.least && self.with(&gone)? {
                        // What lies before them is where it was.
                        statements.drain(start..at);
                        for range in &mut statements[start..] {
                            *range = range.start - length..range.end - length;
                        }
                    }
                    at = start;
                }
                size /= 2;
            }
            block += 1;
        }
    }

    /// Replaces expressions by the values that they had last.
    pub fn values(&mut self) -> Result<(), Halt> {
        self.judge.phase = "values";
        let known = constants::last_values(self.judge, self.best, self.number);
        self.replace_each(|expression, _| {
            let value = known.get(&expression.bytes).cloned()?;
            (value.len() < expression.bytes.len()).then_some(value)
        })
    }

    /// Replaces expressions by zeros, or by nothing.
    pub fn zeros(&mut self) -> Result<(), Halt> {
        self.judge.phase = "expressions";
        self.replace_each(|expression, _| {
            let zeros = expression.results.iter().map(|ty| zero(*ty)).collect::<Option<Vec<_>>>()?.concat();
            (zeros.len() < expression.bytes.len()).then_some(zeros)
        })
    }

    /// Replaces expressions by zeros, by their operands, or by nothing.
    pub fn expressions(&mut self) -> Result<(), Halt> {
        self.zeros()?;
        for operand in 0..3 {
            self.replace_each(|expression, body| {
                match (&expression.results[..], expression.operands.get(operand)) {
                    ([result], Some((range, ty))) if result == ty => Some(body[range.clone()].to_vec()),
                    ([], Some((range, _))) => {
                        let mut kept = body[range.clone()].to_vec();
                        kept.extend_from_slice(&encoded(&Instruction::Drop));
                        (kept.len() < expression.bytes.len()).then_some(kept)
                    }
                    _ => None,
                }
            })?;
        }
        Ok(())
    }

    /// Tries a replacement for each expression, the longest first, and never for a part of one that was replaced.
    fn replace_each(&mut self, replacement: impl Fn(&Expression, &[u8]) -> Option<Vec<u8>>) -> Result<(), Halt> {
        let mut expressions = self.code().expressions;
        expressions.retain(|expression| expression.bytes.len() >= self.least);
        expressions.sort_by_key(|expression| std::cmp::Reverse(expression.bytes.len()));
        let mut body = self.bytes();
        // By where they were; what was replaced moves what follows it.
        let mut moved: Vec<(Range<usize>, isize)> = Vec::new();
        for expression in expressions {
            let inside =
                |range: &Range<usize>| range.start <= expression.bytes.start && expression.bytes.end <= range.end;
            let outside =
                |range: &Range<usize>| expression.bytes.start <= range.start && range.end <= expression.bytes.end;
            if moved.iter().any(|(range, _)| inside(range) || outside(range)) {
                continue;
            }
            let shift: isize =
                moved.iter().filter(|(range, _)| range.end <= expression.bytes.start).map(|(_, shift)| shift).sum();
            let place = |range: &Range<usize>| {
                range.start.saturating_add_signed(shift)..range.end.saturating_add_signed(shift)
            };
            let now = Expression {
                bytes: place(&expression.bytes),
                own: place(&expression.own),
                operands: expression.operands.iter().map(|(range, ty)| (place(range), *ty)).collect(),
                ..expression.clone()
            };
            // Known values are looked up by where the expression was.
            let key = Expression { operands: now.operands.clone(), ..expression.clone() };
            let Some(bytes) = replacement(&key, &body).filter(|bytes| bytes[..] != body[now.bytes.clone()]) else {
                continue;
            };
            let difference = bytes.len() as isize - now.bytes.len() as isize;
            if self.with(&[(now.bytes, bytes)])? {
                body = self.bytes();
                moved.push((expression.bytes, difference));
            }
        }
        Ok(())
    }

    /// Takes blocks apart.
    pub fn unwrap(&mut self) -> Result<(), Halt> {
        self.judge.phase = "blocks";
        let mut from = 0;
        loop {
            let unwrappings = self.code().unwrappings;
            let Some(splices) = unwrappings.get(from) else { return Ok(()) };
            if !self.with(splices)? {
                from += 1;
            }
        }
    }

    /// Makes constants 0.
    pub fn constants(&mut self) -> Result<(), Halt> {
        self.judge.phase = "constants";
        let mut from = 0;
        loop {
            let constants = self.code().constants;
            let Some((range, ty)) = constants.get(from).cloned() else { return Ok(()) };
            let gone = match zero(ty) {
                Some(zero) => self.with(&[(range, zero)])?,
                None => false,
            };
            from += usize::from(!gone);
        }
    }
}
