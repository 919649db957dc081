//! Values of integer stores, grouped by the site that stored them, and in each group by the number of the byte: first the lowest
//! byte of all values, then the next.
//!
//! What one instruction stores is mostly alike, above all in the upper bytes, and next to each other like bytes compress well:
//! those of CPython to a quarter of what they take in the order of the run, or less. Floating-point values keep that
//! order: what a signal processor stores is noise, and what repeats in it are whole sequences.
//!
//! *Groups* has for each site with such values, in ascending order, the difference to the site before and the number of values,
//! both as varints; *grouped* has the groups.

use super::column::Column;
use crate::predict::{SiteValues, Values};
use crate::site::Layout;
use crate::varint;

/// Collects the sites of values, and brings these in order.
#[derive(Debug, Default)]
pub(super) struct Grouping {
    /// The site of each value, in the order of the run.
    owners: Vec<u32>,
    /// By site: the number of its group, from 1, and 0 without one. All 0 in between.
    numbers: Vec<u32>,
    groups: Vec<Group>,
    /// The values in the order of the run, while they are sorted.
    values: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Group {
    site: u32,
    count: usize,
    /// Where its first byte goes, and how many of its values are there.
    start: usize,
    done: usize,
}

impl Grouping {
    /// The next value is one of this site.
    #[inline]
    pub(super) fn owner(&mut self, site: u32) {
        self.owners.push(site);
    }

    /// Sorts the values in `grouped`, which are in the order of the run, and writes what groups there are.
    pub(super) fn sort(&mut self, layouts: &[Layout], groups: &mut Column, grouped: &mut Column) {
        self.numbers.resize(layouts.len().max(self.numbers.len()), 0);
        self.groups.clear();
        for &site in &self.owners {
            let number = &mut self.numbers[site as usize];
            if *number == 0 {
                self.groups.push(Group { site, count: 0, start: 0, done: 0 });
                *number = self.groups.len() as u32;
            }
            self.groups[*number as usize - 1].count += 1;
        }
        self.groups.sort_unstable_by_key(|group| group.site);
        let width = |site: u32| usize::from(layouts[site as usize].store);
        let (mut start, mut last) = (0, 0);
        for (number, group) in self.groups.iter_mut().enumerate() {
            self.numbers[group.site as usize] = number as u32 + 1;
            group.start = start;
            start += group.count * width(group.site);
            groups.varint(u64::from(group.site - last));
            groups.varint(group.count as u64);
            last = group.site;
        }
        self.values.clear();
        self.values.extend_from_slice(grouped.bytes());
        let (mut values, sorted) = (self.values.as_slice(), grouped.bytes_mut());
        for &site in &self.owners {
            let group = &mut self.groups[self.numbers[site as usize] as usize - 1];
            let (value, rest) = values.split_at(width(site));
            let mut at = group.start + group.done;
            for byte in value {
                sorted[at] = *byte;
                at += group.count;
            }
            (group.done, values) = (group.done + 1, rest);
        }
        self.groups.iter().for_each(|group| self.numbers[group.site as usize] = 0);
        self.owners.clear();
    }
}

/// Grouped values that are read.
#[derive(Debug, Default)]
pub(super) struct GroupedValues {
    pub(super) sites: SiteValues,
    /// Those of each site together, then as many bytes as one has.
    values: Vec<u8>,
}

impl GroupedValues {
    /// Brings the values of each site back together. `sites` are those of another chunk of these layouts, or new ones. `None` if the
    /// columns do not fit each other or the layouts.
    pub(super) fn read(
        mut groups: &[u8],
        grouped: &[u8],
        layouts: &[Layout],
        mut sites: SiteValues,
    ) -> Option<GroupedValues> {
        if sites.round == u32::MAX {
            sites = SiteValues::default();
        }
        sites.round += 1;
        sites.sites.resize(layouts.len(), Values::default());
        let mut values = vec![0; grouped.len() + 8];
        let (mut start, mut site) = (0_usize, 0_usize);
        while !groups.is_empty() {
            site = site.checked_add(usize::try_from(varint::read(&mut groups)?).ok()?)?;
            let count = usize::try_from(varint::read(&mut groups)?).ok()?;
            let width = usize::from(layouts.get(site).filter(|layout| layout.grouped)?.store);
            let end = start.checked_add(count.checked_mul(width)?).filter(|end| *end <= grouped.len())?;
            let (planes, together) = (&grouped[start..end], &mut values[start..end]);
            for (number, plane) in planes.chunks_exact(count.max(1)).enumerate() {
                for (value, byte) in together.chunks_exact_mut(width).zip(plane) {
                    value[number] = *byte;
                }
            }
            let (next, end_of_site) = (u32::try_from(start).ok()?, u32::try_from(end).ok()?);
            sites.sites[site] = Values { round: sites.round, next, end: end_of_site };
            start = end;
        }
        (start == grouped.len()).then_some(GroupedValues { sites, values })
    }

    /// The next value of a site, of `width` bytes.
    #[inline]
    pub(super) fn next(&mut self, site: u32, width: u8) -> Option<u64> {
        let round = self.sites.round;
        let place = self.sites.sites.get_mut(site as usize).filter(|place| place.round == round)?;
        let end = place.next + u32::from(width);
        if end > place.end {
            return None;
        }
        let bytes = self.values.get(place.next as usize..)?.first_chunk()?;
        place.next = end;
        // Only the first bytes count.
        Some(u64::from_le_bytes(*bytes) & u64::MAX.checked_shr(64 - 8 * u32::from(width))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{CodeOffset, FuncIndex, MemoryIndex};
    use crate::op::MemoryOp;
    use crate::site::{Site, SiteTable};

    fn layouts() -> Vec<Layout> {
        let ops = [MemoryOp::I32Store, MemoryOp::F32Store, MemoryOp::I32Store8, MemoryOp::I64Store];
        let site = |op| Site {
            func: FuncIndex(0),
            offset: CodeOffset(0),
            op,
            memory: MemoryIndex(0),
            static_offset: 0,
            source: 0,
        };
        SiteTable::new(ops.map(site).to_vec()).layouts().to_vec()
    }

    #[test]
    fn values_come_back_by_site() {
        let layouts = layouts();
        let first = layouts.len() as u32 - 4;
        let (mut grouping, mut groups, mut grouped) = (Grouping::default(), Column::default(), Column::default());
        let mut sites = SiteValues::default();
        for _ in 0..2 {
            for (site, value, width) in
                [(3, 0x0807_0605_0403_0201_u64, 8), (0, 0xddcc_bbaa, 4), (2, 0x77, 1), (0, 0x4433_2211, 4)]
            {
                grouping.owner(first + site);
                grouped.value(value, width);
            }
            grouping.sort(&layouts, &mut groups, &mut grouped);
            assert_eq!(grouped.bytes()[..8], [0xaa, 0x11, 0xbb, 0x22, 0xcc, 0x33, 0xdd, 0x44]);
            sites = {
                let mut values =
                    GroupedValues::read(groups.bytes(), grouped.bytes(), &layouts, sites).expect("whole groups");
                let expected =
                    [(0, Some(0xddcc_bbaa)), (0, Some(0x4433_2211)), (0, None), (1, None), (2, Some(0x77))];
                for (site, value) in expected.into_iter().chain([(3, Some(0x0807_0605_0403_0201))]) {
                    let width = layouts[(first + site) as usize].store;
                    assert_eq!(values.next(first + site, width), value, "site {site}");
                }
                values.sites
            };
            groups.clear();
            grouped.clear();
        }
    }

    #[test]
    fn groups_that_do_not_fit_are_refused() {
        let layouts = layouts();
        let first = layouts.len() as u8 - 4;
        let fits = |groups: &[u8], grouped: &[u8]| {
            GroupedValues::read(groups, grouped, &layouts, SiteValues::default()).is_some()
        };
        assert!(fits(&[], &[]) && fits(&[first, 1], &[1, 2, 3, 4]) && fits(&[first, 0], &[]));
        let huge = [first, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        for (groups, grouped) in [
            (&[first, 1][..], &[1, 2, 3][..]),
            (&[first, 1], &[1, 2, 3, 4, 5]),
            (&[first + 1, 1], &[1, 2, 3, 4]),
            (&[first + 4, 1], &[1, 2, 3, 4]),
            (&[0, 1], &[]),
            (&[first], &[]),
            (&[], &[1]),
            (&huge, &[1, 2, 3, 4]),
        ] {
            assert!(!fits(groups, grouped), "{groups:?} {grouped:?}");
        }
    }
}
